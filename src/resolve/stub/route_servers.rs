//! Which of all nameservers of a stub are those of each route.

use std::net::SocketAddr;
use std::ops::Range;

use super::nameserver::Nameserver;
use crate::resolve::config::name_routes::{NameRoutes, RouteTarget};

/// A route of one stub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RouteId(u16);

impl RouteId {
    /// That of the names that no other route has.
    pub(super) const ROOT: Self = Self(0);

    /// That of a route, by its index in the table.
    pub(super) fn of_table(index: usize) -> Self {
        Self(u16::try_from(index + 1).expect("at most 1,024 routes and the root"))
    }

    pub(super) fn index(self) -> usize {
        self.0.into()
    }
}

/// The nameservers of a route, by their place in the stub's list. There are none if the route leads
/// elsewhere.
#[derive(Clone, Copy, Debug)]
pub(super) struct StubRoute {
    first: u16,
    pub(super) count: u8,
    /// The nameserver that the next query starts with; the root route has the stub's rotation.
    pub(super) rotation: u8,
}

impl StubRoute {
    pub(super) fn servers(self) -> Range<usize> {
        let first = usize::from(self.first);
        first..first + usize::from(self.count)
    }

    /// The index among all nameservers of the one that a query of this route counts as `place`.
    pub(super) fn server(self, place: usize) -> usize {
        usize::from(self.first) + place
    }

    /// The reverse of [`server`](Self::server).
    pub(super) fn place(self, server: usize) -> usize {
        server - usize::from(self.first)
    }
}

/// The nameservers of all routes, and which are whose.
pub(super) fn nameservers(
    root: &[SocketAddr],
    routes: &NameRoutes,
) -> (Vec<Nameserver>, Vec<StubRoute>) {
    let root = (None, root);
    let others = routes.routes().iter().map(|route| match &route.to {
        RouteTarget::Nameservers(nameservers) => (route.suffix.as_ref(), nameservers.as_slice()),
        RouteTarget::System | RouteTarget::Refuse => (None, [].as_slice()),
    });
    let (mut servers, mut routes) = (Vec::new(), Vec::new());
    for (suffix, nameservers) in std::iter::once(root).chain(others) {
        let first = u16::try_from(servers.len()).expect("three nameservers for 1,025 routes");
        let count = u8::try_from(nameservers.len()).expect("at most three nameservers");
        servers.extend(nameservers.iter().map(|&addr| Nameserver::new(addr, suffix.cloned())));
        routes.push(StubRoute { first, count, rotation: 0 });
    }
    (servers, routes)
}
