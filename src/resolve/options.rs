//! Options of one lookup, and the strategies by which nameservers are asked.

use std::net::IpAddr;
use std::time::Duration;

/// An IP address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AddressFamily {
    /// IPv4, DNS type A.
    Ipv4,
    /// IPv6, DNS type AAAA.
    Ipv6,
}

impl AddressFamily {
    pub(crate) fn of(ip: IpAddr) -> Self {
        if ip.is_ipv4() { Self::Ipv4 } else { Self::Ipv6 }
    }
}

/// Options of one lookup.
#[derive(Clone, Debug)]
#[must_use = "options do nothing until a lookup is given them"]
#[non_exhaustive]
pub struct LookupOptions {
    pub(crate) family: Option<AddressFamily>,
    pub(crate) search: bool,
    pub(crate) timeout: Option<Duration>,
}

impl Default for LookupOptions {
    fn default() -> Self {
        Self { family: None, search: true, timeout: None }
    }
}

impl LookupOptions {
    /// Returns the defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// The address family to look up. Default: `None`, both.
    pub fn family(mut self, family: impl Into<Option<AddressFamily>>) -> Self {
        self.family = family.into();
        self
    }

    /// Whether the search list applies to a name without a final dot. Default: yes.
    pub fn search(mut self, search: bool) -> Self {
        self.search = search;
        self
    }

    /// How long the whole lookup may take, from its start, however many candidate names the search
    /// list makes. Default: `None`, no limit but that of each candidate
    /// ([`ResolverBuilder::timeout`]).
    ///
    /// Any duration: with zero, a lookup that needs a nameserver ends at once with
    /// [`LookupErrorKind::Timeout`]; [`Duration::MAX`] is as `None`.
    ///
    /// [`ResolverBuilder::timeout`]: super::ResolverBuilder::timeout
    /// [`LookupErrorKind::Timeout`]: super::LookupErrorKind::Timeout
    pub fn timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.timeout = timeout.into();
        self
    }
}

/// Which nameservers a query goes to, and when the others are tried
/// ([`ResolverBuilder::strategy`](super::ResolverBuilder::strategy)).
///
/// With a single nameserver all strategies are the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NameserverStrategy {
    /// The quickest nameserver that has proved itself first, the others when it is late; all at
    /// once while none has.
    ///
    /// For nameservers that are equivalent, which is the usual case: a dead one costs no time, and
    /// three do not cost three times the packets.
    #[default]
    Adaptive,
    /// All at once, always.
    ///
    /// For the least latency at the cost of a query to each nameserver for every question.
    All,
    /// One after the other, the next when one is late or fails.
    ///
    /// As the C library does it; for nameservers whose order matters, or whose load is to be spread
    /// with the option `rotate` of resolv.conf.
    InTurn,
}
