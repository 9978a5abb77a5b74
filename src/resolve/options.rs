//! What a caller may choose for one lookup, and for the nameservers of a resolver.

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

/// How one lookup differs from what its resolver usually does.
#[derive(Clone, Debug)]
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
    /// Addresses of this family alone. Default: both.
    #[must_use]
    pub fn family(mut self, family: AddressFamily) -> Self {
        self.family = Some(family);
        self
    }

    /// Whether the search list applies to a name without a final dot. Default: yes.
    #[must_use]
    pub fn search(mut self, search: bool) -> Self {
        self.search = search;
        self
    }

    /// How long the whole lookup may take, however many candidate names the search list makes.
    /// Default: no limit but each candidate's ([`ResolverBuilder::timeout`]), as with
    /// [`Duration::MAX`].
    ///
    /// [`ResolverBuilder::timeout`]: super::ResolverBuilder::timeout
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
}

/// How the nameservers share the questions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Strategy {
    /// The quickest nameserver that has proved itself first, the others when it is late; all at
    /// once while none has.
    #[default]
    Adaptive,
    /// All at once, always.
    All,
    /// One after the other, the next when one is late or fails.
    InTurn,
}
