//! What Linux tells of this host's own IPv6 addresses, for rules 3 and 7 of RFC 6724.

use std::fs;
use std::net::{IpAddr, Ipv6Addr};

use super::order::SourceAddress;

/// This host's IPv6 addresses; none where the system does not tell them in this way.
#[derive(Debug, Default)]
pub(super) struct OwnAddresses(Vec<OwnAddress>);

#[derive(Debug, PartialEq, Eq)]
struct OwnAddress {
    ip: Ipv6Addr,
    is_deprecated: bool,
    is_of_tunnel: bool,
}

/// A line for each address: its 32 hexadecimal digits, then the index of the interface, the length of
/// the prefix, the scope and the flags in hexadecimal, then the interface's name.
const TABLE: &str = "/proc/net/if_inet6";

/// `IFA_F_DEPRECATED` of `linux/if_addr.h`.
const DEPRECATED: u32 = 0x20;

/// `ARPHRD_SIT` of `linux/if_arp.h`: IPv6 in IPv4 (6in4, 6to4, 6rd).
const SIT: &str = "776";

impl OwnAddresses {
    /// Reads them from the system: a call for the table, and one for each interface.
    pub(super) fn read() -> Self {
        Self::parse(&fs::read_to_string(TABLE).unwrap_or_default(), |interface| {
            let kind = fs::read_to_string(format!("/sys/class/net/{interface}/type"));
            kind.is_ok_and(|kind| kind.trim_end() == SIT)
        })
    }

    fn parse(table: &str, is_tunnel: impl Fn(&str) -> bool) -> Self {
        let address = |line: &str| {
            let mut fields = line.split_ascii_whitespace();
            let ip = u128::from_str_radix(fields.next()?, 16).ok()?;
            let flags = u32::from_str_radix(fields.nth(3)?, 16).ok()?;
            let is_of_tunnel = is_tunnel(fields.next()?);
            Some(OwnAddress {
                ip: Ipv6Addr::from_bits(ip),
                is_deprecated: flags & DEPRECATED != 0,
                is_of_tunnel,
            })
        };
        Self(table.lines().filter_map(address).collect())
    }

    /// What is known of the source `ip`.
    pub(super) fn describe(&self, ip: IpAddr) -> SourceAddress {
        let own = self.0.iter().find(|own| own.ip == ip);
        SourceAddress {
            addr: ip,
            deprecated: own.is_some_and(|own| own.is_deprecated),
            encapsulated: own.is_some_and(|own| own.is_of_tunnel),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cr04_the_table_tells_which_addresses_are_deprecated_or_of_a_tunnel() {
        let table = "\
            00000000000000000000000000000001 01 80 10 80       lo\n\
            20010db8000000010000000000000001 02 40 00 80     eth0\n\
            20010db8000000020000000000000001 02 40 00 a0     eth0\n\
            fe800000000000000000000000000001 03 40 20 80     sit1\n\
            20020102030400000000000000000001 03 10 00 20     sit1\n\
            nonsense\n\
            20010db8000000030000000000000001 02 40\n\
            20010db8000000040000000000000001 02 40 00 zz     eth0\n";
        let own = OwnAddresses::parse(table, |interface| interface == "sit1");
        for (ip, deprecated, encapsulated) in [
            ("::1", false, false),
            ("2001:db8:0:1::1", false, false),
            ("2001:db8:0:2::1", true, false),
            ("fe80::1", false, true),
            ("2002:102:304::1", true, true),
            ("2001:db8:0:3::1", false, false),
            ("192.0.2.1", false, false),
        ] {
            let addr = ip.parse().unwrap();
            assert_eq!(
                own.describe(addr),
                SourceAddress { addr, deprecated, encapsulated },
                "{ip}"
            );
        }
        assert_eq!(own.0.len(), 5, "lines that cannot be read are skipped");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn cr04_linux_has_such_a_table() {
        if !std::path::Path::new(TABLE).exists() {
            return println!("skipped: this host has no IPv6");
        }
        assert!(OwnAddresses::read().0.iter().any(|own| own.ip == Ipv6Addr::LOCALHOST));
    }
}
