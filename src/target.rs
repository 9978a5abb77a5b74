//! [`Target`]: what a lookup or a connect is asked for.

use std::net::{IpAddr, SocketAddr};

use crate::{HostName, NameError};

/// A host and a port, as in `example.com:443`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    host: Host,
    port: Option<u16>,
}

/// The host part of a [`Target`]: a name to look up, or an address as it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// A name.
    Name(HostName),
    /// An IP address, with the scope id of an IPv6 link-local one (0: none).
    Ip(IpAddr, u32),
}

impl Target {
    /// A target of its parts.
    pub fn new(host: Host, port: Option<u16>) -> Self {
        Self { host, port }
    }

    /// The host.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The port, if the text had one.
    pub fn port(&self) -> Option<u16> {
        self.port
    }
}

impl From<SocketAddr> for Target {
    fn from(addr: SocketAddr) -> Self {
        let scope = match addr {
            SocketAddr::V4(_) => 0,
            SocketAddr::V6(addr) => addr.scope_id(),
        };
        Self { host: Host::Ip(addr.ip(), scope), port: Some(addr.port()) }
    }
}

impl TryFrom<&str> for Target {
    type Error = TargetError;

    fn try_from(text: &str) -> Result<Self, TargetError> {
        let (host, port) = text.rsplit_once(':').ok_or(TargetError::Port)?;
        let port = port.parse().map_err(|_| TargetError::Port)?;
        let host = match host.parse() {
            Ok(ip) => Host::Ip(ip, 0),
            Err(_) => Host::Name(host.parse()?),
        };
        Ok(Self { host, port: Some(port) })
    }
}

/// Why a text is no [`Target`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// The host is neither an address nor a valid name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The port is no number from 0 to 65535.
    #[error("the port is not a number from 0 to 65535")]
    Port,
}

impl From<std::convert::Infallible> for TargetError {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}
