//! Split DNS: names below a suffix that go elsewhere than the rest.

use std::net::SocketAddr;

use crate::HostName;

/// Names below a suffix go to other nameservers than the rest (split DNS).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NameRoute {
    /// `None` is the root: every name.
    pub(crate) suffix: Option<HostName>,
    /// Whether the suffix itself and no name below it is meant (NRPT: a name without a leading dot).
    pub(crate) is_exact: bool,
    pub(crate) to: RouteTarget,
    /// Of equal suffixes the lowest holds, then the first.
    pub(crate) order: u32,
    /// Whether the suffix is also appended to the search list.
    pub(crate) is_search: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RouteTarget {
    /// At most three are used.
    Nameservers(Vec<SocketAddr>),
    /// The operating system's own lookup.
    System,
    #[allow(dead_code, reason = "no system says so of a name")]
    /// The name does not exist, and no packet is sent.
    Refuse,
}
