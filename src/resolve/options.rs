//! Options of one lookup, and the strategies by which nameservers are asked.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::observer::Observer;

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
#[derive(Clone)]
#[must_use = "options do nothing until a lookup is given them"]
#[non_exhaustive]
pub struct LookupOptions {
    pub(crate) family: Option<AddressFamily>,
    pub(crate) search: bool,
    pub(crate) timeout: Option<Duration>,
    pub(crate) observer: Option<Arc<dyn Observer>>,
    /// The race that the lookup is for, in the events of the lookup.
    pub(crate) connect: Option<u64>,
}

impl Default for LookupOptions {
    fn default() -> Self {
        Self { family: None, search: true, timeout: None, observer: None, connect: None }
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

    /// The observer of the lookup: see [`Observer`]. Default: none.
    pub fn observer(mut self, observer: impl Observer + 'static) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }
}

impl fmt::Debug for LookupOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LookupOptions")
            .field("family", &self.family)
            .field("search", &self.search)
            .field("timeout", &self.timeout)
            .field("observer", &self.observer.as_ref().map(|_| ".."))
            .finish_non_exhaustive()
    }
}

/// Which nameservers a query goes to, and when the others are tried
/// ([`ResolverBuilder::strategy`](super::ResolverBuilder::strategy)).
///
/// With a single nameserver all strategies are the same. Whatever the strategy, a response that has
/// neither an address nor a SOA record, and is not an authoritative one without NS records (RFC 2308
/// section 2.2), counts when no other nameserver in good standing has a better answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NameserverStrategy {
    /// The first nameserver listed; the others as well when it is late for its own round-trip time
    /// (5 ms at the least, 250 ms before its first answer), or has failed.
    ///
    /// An address counts whoever says it. That a name does not exist, or has no address, counts
    /// from a later nameserver only once every earlier one has failed or is overdue (100 ms at the
    /// least): so a private name that only the first one knows is found, although a later one may
    /// have been asked for it. A nameserver that was silent or failing twice in a row stands behind
    /// the others until it answers a probe, which is sent every five seconds beside a query of
    /// theirs: a dead first one costs its delay once, not each time.
    #[default]
    Hedged,
    /// All at once, always. The first valid answer counts.
    ///
    /// For the least latency with nameservers that are equivalent, at the cost of a query to each
    /// of them for every question. A name that only one of them knows is not found if another one
    /// is quicker to say so.
    All,
    /// One after the other, the next when one is late or fails.
    ///
    /// As the C library does it; for nameservers whose load is to be spread by
    /// [`ResolverBuilder::rotate`](super::ResolverBuilder::rotate), or the option `rotate` of
    /// resolv.conf. A name that only the first one knows is found while that one answers.
    InTurn,
}
