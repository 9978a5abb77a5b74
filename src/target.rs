//! [`Target`]: the host and port that a lookup or a connect is asked for.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::str::FromStr;

use crate::os::interface_index;
use crate::zone::{InterfaceIndex, ScopedIpError, parse_scoped_ip};
use crate::{HostName, NameError};

/// A host and a port, as in `example.com:443`.
///
/// As text:
///
/// | text | host | port |
/// |---|---|---|
/// | `example.com:443`, `192.0.2.1:443` | name, address | 443 |
/// | `[2001:db8::1]:443` | address | 443 |
/// | `[fe80::1%eth0]:443`, `[fe80::1%2]:443` | address with a scope | 443 |
/// | `example.com`, `192.0.2.1`, `2001:db8::1`, `[2001:db8::1]`, `fe80::1%2` | as above | none |
///
/// A zone after `%` is a scope id or, on Linux, the name of an interface (RFC 4007 section 11, RFC
/// 9844); the name is converted to its scope id once, when the text is parsed. In a pair such as
/// `("::1", 443)` the brackets are optional.
///
/// Blanks, octal numbers and short forms of IPv4 addresses are refused (see [`HostName`]). A name
/// that ends in a number but is no address to any program, such as `node.1`, is refused by the
/// lookup, unless the hosts file has it. An IPv6
/// address with a port needs brackets: without them, `2001:db8::1:443` is an address and no port.
///
/// # Examples
///
/// ```
/// use outrace::{Host, Target, TargetError};
///
/// let target = Target::try_from("[::1]:443")?;
/// assert_eq!(target.host(), &Host::Ipv6("::1".parse().unwrap(), 0));
/// assert_eq!(target.port(), Some(443));
/// assert_eq!(Target::try_from(("example.com", 443))?.to_string(), "example.com:443");
/// assert_eq!(Target::try_from("example.com:https"), Err(TargetError::Port));
/// # Ok::<(), TargetError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    host: Host,
    port: Option<u16>,
}

/// The host part of a [`Target`]: a name to look up, or an address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Host {
    /// A name.
    Name(HostName),
    /// An IPv4 address.
    Ipv4(Ipv4Addr),
    /// An IPv6 address, with the scope id of a link-local one (0: none).
    Ipv6(Ipv6Addr, u32),
}

impl Target {
    /// The same with this port, if it has none.
    pub(crate) fn or_port(mut self, port: Option<u16>) -> Self {
        self.port = self.port.or(port);
        self
    }

    /// Makes a target of a host and, if there is one, a port.
    pub fn new(host: Host, port: Option<u16>) -> Self {
        Self { host, port }
    }

    /// The host.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The port, if there is one.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// Parses `host`, `host:port`, `[address]` and `[address]:port`.
    pub(crate) fn parse(text: &str, interfaces: InterfaceIndex<'_>) -> Result<Self, TargetError> {
        Self::parse_parts(text, interfaces).map_err(|error| error.in_text(text))
    }

    fn parse_parts(text: &str, interfaces: InterfaceIndex<'_>) -> Result<Self, TargetError> {
        let (host, port) = if text.starts_with('[') {
            let end = text.find(']').ok_or(TargetError::Bracket)? + 1;
            match text[end..].strip_prefix(':') {
                Some(port) => (&text[..end], Some(port)),
                // Any other text after the bracket is refused with the host.
                None => (text, None),
            }
        } else {
            match text.split_once(':') {
                // Two colons or more make an IPv6 address; it has a port only with brackets.
                Some((_, rest)) if rest.contains(':') => (text, None),
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            }
        };
        let host = Host::parse_part(host, interfaces)?;
        Ok(Self { host, port: port.map(parse_port).transpose()? })
    }
}

impl Host {
    /// Parses a name or an address; an IPv6 address may be in brackets, as in a URI.
    pub(crate) fn parse(text: &str, interfaces: InterfaceIndex<'_>) -> Result<Self, TargetError> {
        Self::parse_part(text, interfaces).map_err(|error| error.in_text(text))
    }

    fn parse_part(text: &str, interfaces: InterfaceIndex<'_>) -> Result<Self, TargetError> {
        let ipv6 = match text.strip_prefix('[') {
            Some(rest) => rest.strip_suffix(']').ok_or(TargetError::Bracket)?,
            None if text.contains(':') => text,
            None => {
                return match text.parse() {
                    Ok(ip) => Ok(Self::Ipv4(ip)),
                    Err(_) => Ok(Self::Name(HostName::parse_in_hosts(text)?)),
                };
            }
        };
        match parse_scoped_ip(ipv6, interfaces) {
            Ok((IpAddr::V6(ip), scope)) => Ok(Self::Ipv6(ip, scope)),
            Ok((IpAddr::V4(_), _)) | Err(ScopedIpError::Address) => Err(TargetError::Ipv6),
            Err(ScopedIpError::Zone) => Err(TargetError::Zone),
        }
    }

    /// Makes a host of an address; `scope` is ignored for IPv4.
    pub(crate) fn of_ip(ip: IpAddr, scope: u32) -> Self {
        match ip {
            IpAddr::V4(ip) => Self::Ipv4(ip),
            IpAddr::V6(ip) => Self::Ipv6(ip, scope),
        }
    }

    /// Returns the address with `port`; `None` if the host is a name.
    pub(crate) fn socket_addr(&self, port: u16) -> Option<SocketAddr> {
        match *self {
            Self::Name(_) => None,
            Self::Ipv4(ip) => Some(SocketAddrV4::new(ip, port).into()),
            Self::Ipv6(ip, scope) => Some(SocketAddrV6::new(ip, port, 0, scope).into()),
        }
    }
}

/// Parses a port of digits alone: `u16::from_str` also accepts `+80`.
pub(crate) fn parse_port(text: &str) -> Result<u16, TargetError> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits).ok_or(TargetError::Port)
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        Self::parse(text, &interface_index)
    }
}

impl TryFrom<&str> for Target {
    type Error = TargetError;

    fn try_from(text: &str) -> Result<Self, TargetError> {
        text.parse()
    }
}

impl TryFrom<String> for Target {
    type Error = TargetError;

    fn try_from(text: String) -> Result<Self, TargetError> {
        text.parse()
    }
}

impl TryFrom<&String> for Target {
    type Error = TargetError;

    fn try_from(text: &String) -> Result<Self, TargetError> {
        text.parse()
    }
}

impl TryFrom<(&str, u16)> for Target {
    type Error = TargetError;

    fn try_from((host, port): (&str, u16)) -> Result<Self, TargetError> {
        Ok(Self { host: Host::parse(host, &interface_index)?, port: Some(port) })
    }
}

impl TryFrom<(String, u16)> for Target {
    type Error = TargetError;

    fn try_from((host, port): (String, u16)) -> Result<Self, TargetError> {
        (host.as_str(), port).try_into()
    }
}

impl TryFrom<(&String, u16)> for Target {
    type Error = TargetError;

    fn try_from((host, port): (&String, u16)) -> Result<Self, TargetError> {
        (host.as_str(), port).try_into()
    }
}

/// The canonical name of an IP literal becomes that address.
impl From<HostName> for Host {
    fn from(name: HostName) -> Self {
        match name.as_literal() {
            Some((ip, scope)) => Self::of_ip(ip, scope),
            None => Self::Name(name),
        }
    }
}

impl From<&HostName> for Host {
    fn from(name: &HostName) -> Self {
        name.clone().into()
    }
}

impl From<IpAddr> for Host {
    fn from(ip: IpAddr) -> Self {
        Self::of_ip(ip, 0)
    }
}

impl From<Ipv4Addr> for Host {
    fn from(ip: Ipv4Addr) -> Self {
        Self::Ipv4(ip)
    }
}

impl From<Ipv6Addr> for Host {
    fn from(ip: Ipv6Addr) -> Self {
        Self::Ipv6(ip, 0)
    }
}

/// A host is a target without a port; with a port, it is a pair.
macro_rules! target_from_host {
    ($($host:ty),*) => {$(
        impl From<$host> for Target {
            fn from(host: $host) -> Self {
                Self { host: host.into(), port: None }
            }
        }

        impl From<($host, u16)> for Target {
            fn from((host, port): ($host, u16)) -> Self {
                Self { host: host.into(), port: Some(port) }
            }
        }
    )*};
}

target_from_host!(Host, HostName, &HostName, IpAddr, Ipv4Addr, Ipv6Addr);

impl From<SocketAddr> for Target {
    fn from(addr: SocketAddr) -> Self {
        match addr {
            SocketAddr::V4(addr) => addr.into(),
            SocketAddr::V6(addr) => addr.into(),
        }
    }
}

impl From<SocketAddrV4> for Target {
    fn from(addr: SocketAddrV4) -> Self {
        (*addr.ip(), addr.port()).into()
    }
}

impl From<SocketAddrV6> for Target {
    fn from(addr: SocketAddrV6) -> Self {
        Self { host: Host::Ipv6(*addr.ip(), addr.scope_id()), port: Some(addr.port()) }
    }
}

impl From<&Target> for Target {
    fn from(target: &Target) -> Self {
        target.clone()
    }
}

/// What can be looked up or connected to: text, a pair of host and port, a name, an address, a
/// [`Target`].
///
/// Implemented for every type that converts into a [`Target`]: `&str`, `String` and `&String`
/// (`"example.com:443"`), pairs of these with a port (`("example.com", 443)`), [`HostName`],
/// [`Host`], `IpAddr`, `Ipv4Addr` and `Ipv6Addr` with and without a port, `SocketAddr`,
/// `SocketAddrV4` and `SocketAddrV6`. It cannot be implemented otherwise.
pub trait IntoTarget: sealed::Sealed {}

impl<T> IntoTarget for T
where
    T: TryInto<Target>,
    T::Error: Into<TargetError>,
{
}

pub(crate) mod sealed {
    use super::{Target, TargetError};

    pub trait Sealed {
        fn into_target(self) -> Result<Target, TargetError>;
    }

    impl<T> Sealed for T
    where
        T: TryInto<Target>,
        T::Error: Into<TargetError>,
    {
        fn into_target(self) -> Result<Target, TargetError> {
            self.try_into().map_err(Into::into)
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.host, self.port) {
            (host @ Host::Ipv6(..), Some(port)) => write!(f, "[{host}]:{port}"),
            (host, Some(port)) => write!(f, "{host}:{port}"),
            (host, None) => write!(f, "{host}"),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "{name}"),
            Self::Ipv4(ip) => write!(f, "{ip}"),
            Self::Ipv6(ip, 0) => write!(f, "{ip}"),
            Self::Ipv6(ip, scope) => write!(f, "{ip}%{scope}"),
        }
    }
}

/// Why a text is not a valid [`Target`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// The host is neither an address nor a valid name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The host has a colon or brackets, but is not an IPv6 address.
    #[error("the host has a colon or brackets, but is not an IPv6 address")]
    Ipv6,
    /// A `[` has no matching `]`, or the `]` is followed by something other than a port.
    #[error("the brackets do not enclose the host")]
    Bracket,
    /// The zone of an IPv6 address is neither a scope id nor an interface of this machine.
    #[error("the zone is neither a scope id nor an interface of this machine")]
    Zone,
    /// The port is not a number from 0 to 65535.
    #[error("the port is not a number from 0 to 65535")]
    Port,
    /// The target of a connect has no port.
    #[error("the port is missing")]
    NoPort,
    /// The text is a URL, such as `https://example.com/`.
    #[error("a host and a port are asked for, such as example.com:443, and this is a URL")]
    Url,
}

impl TargetError {
    /// Why `text` is no target: for a URL, that it is one says more than what is wrong first.
    fn in_text(self, text: &str) -> Self {
        if text.contains("://") { Self::Url } else { self }
    }
}

/// For code that returns `io::Result`: the kind is `InvalidInput`.
impl From<TargetError> for io::Error {
    fn from(error: TargetError) -> Self {
        Self::new(io::ErrorKind::InvalidInput, error)
    }
}

impl From<std::convert::Infallible> for TargetError {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

#[cfg(test)]
mod tests;
