//! [`IpPrefix`]: a network, as in `10.0.0.0/8`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A network: an address and the length of its prefix in bits, as in `10.0.0.0/8` or `fd00::/8`.
///
/// An address without a length is the network of that address alone.
///
/// # Examples
///
/// ```
/// use outrace::resolve::{IpPrefix, IpPrefixError};
///
/// let private: IpPrefix = "10.0.0.0/8".parse()?;
/// assert!(private.contains("10.1.2.3".parse().unwrap()));
/// assert_eq!("10.0.0.1/8".parse::<IpPrefix>(), Err(IpPrefixError::HostBits));
/// assert_eq!("fd00::1".parse::<IpPrefix>()?.to_string(), "fd00::1/128");
/// # Ok::<(), IpPrefixError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IpPrefix {
    address: IpAddr,
    length: u8,
}

/// Why an [`IpPrefix`] is not valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum IpPrefixError {
    /// The text before the `/` is not an IP address.
    #[error("the prefix has no IP address")]
    Address,
    /// The length is not a number, or is over 32 for IPv4, or over 128 for IPv6.
    #[error("the prefix length is not a number from 0 to 32 (IPv4) or to 128 (IPv6)")]
    Length,
    /// The address has a bit set after the prefix: either the address or the length is a mistake,
    /// and an access list must not guess which.
    #[error("the address has bits set behind the prefix length")]
    HostBits,
}

impl IpPrefix {
    /// Makes the network of the first `length` bits of `address`.
    ///
    /// # Errors
    ///
    /// [`IpPrefixError::Length`], or [`IpPrefixError::HostBits`].
    pub fn new(address: IpAddr, length: u8) -> Result<Self, IpPrefixError> {
        if length > width(address) {
            return Err(IpPrefixError::Length);
        }
        let prefix = Self { address, length };
        if prefix.below(address) != 0 {
            return Err(IpPrefixError::HostBits);
        }
        Ok(prefix)
    }

    /// A prefix of the crate's own tables.
    pub(crate) const fn of_v4(address: Ipv4Addr, length: u8) -> Self {
        Self { address: IpAddr::V4(address), length }
    }

    /// A prefix of the crate's own tables.
    pub(crate) const fn of_v6(address: Ipv6Addr, length: u8) -> Self {
        Self { address: IpAddr::V6(address), length }
    }

    /// Returns whether `ip` is in this network. No IPv6 network contains an IPv4 address, nor the
    /// reverse.
    pub fn contains(self, ip: IpAddr) -> bool {
        let common = match (self.address, ip) {
            (IpAddr::V4(net), IpAddr::V4(ip)) => (net.to_bits() ^ ip.to_bits()).leading_zeros(),
            (IpAddr::V6(net), IpAddr::V6(ip)) => (net.to_bits() ^ ip.to_bits()).leading_zeros(),
            _ => return false,
        };
        common >= u32::from(self.length)
    }

    /// Returns the first address of the network.
    pub fn address(self) -> IpAddr {
        self.address
    }

    /// Returns the length of the prefix in bits.
    pub fn length(self) -> u8 {
        self.length
    }

    /// Returns the bits of `ip` after the prefix.
    fn below(self, ip: IpAddr) -> u128 {
        let length = u32::from(self.length);
        match ip {
            IpAddr::V4(ip) => u128::from(ip.to_bits() & u32::MAX.checked_shr(length).unwrap_or(0)),
            IpAddr::V6(ip) => ip.to_bits() & u128::MAX.checked_shr(length).unwrap_or(0),
        }
    }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

impl From<IpAddr> for IpPrefix {
    fn from(address: IpAddr) -> Self {
        Self { address, length: width(address) }
    }
}

impl FromStr for IpPrefix {
    type Err = IpPrefixError;

    fn from_str(text: &str) -> Result<Self, IpPrefixError> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| IpPrefixError::Address)?;
        let Some(length) = length else { return Ok(address.into()) };
        // Digits alone: `u8::from_str` also accepts `+8`.
        let digits = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
        let length = length.parse().ok().filter(|_| digits).ok_or(IpPrefixError::Length)?;
        Self::new(address, length)
    }
}

impl fmt::Display for IpPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_its_first_and_last_address_and_no_neighbour() {
        #[rustfmt::skip]
        let rows: &[(&str, &[&str], &[&str])] = &[
            ("10.0.0.0/8", &["10.0.0.0", "10.255.255.255"], &["9.255.255.255", "11.0.0.0", "::a00:0"]),
            ("192.0.2.6/31", &["192.0.2.6", "192.0.2.7"], &["192.0.2.5", "192.0.2.8"]),
            ("192.0.2.6", &["192.0.2.6"], &["192.0.2.7"]),
            ("0.0.0.0/0", &["0.0.0.0", "255.255.255.255"], &["::"]),
            ("fc00::/7", &["fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"], &["fbff::", "fe00::"]),
            ("::/0", &["::", "ffff::"], &["0.0.0.0"]),
            ("::1/128", &["::1"], &["::", "::2"]),
        ];
        for (prefix, inside, outside) in rows {
            let prefix: IpPrefix = prefix.parse().unwrap();
            for ip in *inside {
                assert!(prefix.contains(ip.parse().unwrap()), "{ip} is of {prefix}");
            }
            for ip in *outside {
                assert!(!prefix.contains(ip.parse().unwrap()), "{ip} is not of {prefix}");
            }
        }
    }

    #[test]
    fn what_is_no_prefix_is_refused_by_cause() {
        use IpPrefixError::{Address, HostBits, Length};
        for (text, expected) in [
            ("10.0.0.0/33", Length),
            ("::/129", Length),
            ("::/256", Length),
            ("10.0.0.0/", Length),
            ("10.0.0.0/+8", Length),
            ("10.0.0.0/-1", Length),
            ("10.0.0.0/8/8", Length),
            ("10.0.0.1/8", HostBits),
            ("0.0.0.1/0", HostBits),
            ("fd00::1/64", HostBits),
            ("", Address),
            ("/8", Address),
            ("10/8", Address),
            ("fe80::%1/64", Address),
        ] {
            assert_eq!(text.parse::<IpPrefix>(), Err(expected), "{text:?}");
        }
        let ip = "192.0.2.1".parse().unwrap();
        assert_eq!(IpPrefix::new(ip, 33), Err(Length));
        assert_eq!(IpPrefix::new(ip, 32), Ok(ip.into()));
    }
}
