//! The part of [`Stub`] that leads names to nameservers: which route a name takes, and which of all
//! nameservers those of a query are.
//!
//! Each route has nameservers of its own, with their standing, round-trip times, windows, sockets
//! and connections; two routes that name one address have it twice, and share no more than its
//! part of the limit of sockets. No query ever leaves its route: what the nameservers of a route
//! fail, or deny, is asked of no others. They may be those of another network, which must not see
//! the name, and would say that it does not exist.
//!
//! A stub has one table of routes for its whole life, so a name takes one route. Questions in
//! flight and cached answers are therefore known by their name and record type alone: another route
//! of the same name is one of another generation, which has a stub of its own and an empty cache.

use super::ids::{LookupId, QueryId};
use super::lookup::Prospect;
use super::nameserver::Nameserver;
use super::route_servers::{RouteId, StubRoute};
use super::{LookupEntry, QueryEntry, Stub};
use crate::resolve::config::name_routes::RouteTarget;
use crate::resolve::error::LookupErrorKind;
use crate::resolve::wire::query_name::QueryName;

/// Where a name is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Destination {
    Nameservers(RouteId),
    /// The operating system's own lookup.
    System,
    /// Nowhere: it does not exist.
    Refused,
}

impl Stub {
    /// Where a name is asked for: a candidate name of a lookup, or the target of an alias.
    pub(super) fn destination(&self, name: &QueryName) -> Destination {
        let Some(index) = self.config.routes.find(name) else {
            return Destination::Nameservers(RouteId::ROOT);
        };
        match self.config.routes.routes()[index].to {
            RouteTarget::Nameservers(_) => Destination::Nameservers(RouteId::of_table(index)),
            RouteTarget::System => Destination::System,
            RouteTarget::Refuse => Destination::Refused,
        }
    }

    /// A query, and the nameservers of its route.
    pub(super) fn query_mut(
        &mut self,
        id: QueryId,
    ) -> Option<(&mut QueryEntry, &mut [Nameserver])> {
        let entry = self.queries.get_mut(&id)?;
        let servers = self.routes[entry.route.index()].servers();
        Some((entry, &mut self.servers[servers]))
    }

    /// The index of the nameserver that a query counts as `place`.
    pub(super) fn server_of(&self, query: QueryId, place: usize) -> usize {
        // Without routes it costs nothing.
        if self.routes.len() == 1 { place } else { self.route_of(query).server(place) }
    }

    /// The place that a query counts a nameserver of its route as.
    pub(super) fn place_of(&self, query: QueryId, server: usize) -> usize {
        if self.routes.len() == 1 { server } else { self.route_of(query).place(server) }
    }

    fn route_of(&self, query: QueryId) -> StubRoute {
        self.routes[self.queries.get(&query).map_or(RouteId::ROOT, |entry| entry.route).index()]
    }

    /// The place of the nameserver that a query starts with.
    pub(super) fn first_server(&mut self, lookup: Option<LookupId>, route: RouteId) -> usize {
        let lookup = lookup.and_then(|id| self.lookups.get(&id));
        if route == RouteId::ROOT {
            // A refresh goes where the next lookup would.
            return lookup.map_or(self.rotation, |lookup| lookup.first_server);
        }
        let StubRoute { count, rotation, .. } = &mut self.routes[route.index()];
        let first = *rotation;
        if self.config.rotate && lookup.is_some() {
            *rotation = (*rotation + 1) % *count;
        }
        first.into()
    }

    /// Whether no nameserver of the root route is in good standing: all have been silent, or
    /// failing, lately. Those of another route say nothing about the network of this machine, alive
    /// or dead.
    pub(crate) fn is_forsaken(&self) -> bool {
        !self.is_any(RouteId::ROOT, Nameserver::is_in_good_standing)
    }

    fn is_any(&self, route: RouteId, is_so: fn(&Nameserver) -> bool) -> bool {
        self.servers[self.routes[route.index()].servers()].iter().any(is_so)
    }

    /// What may answer about a later candidate name of a lookup, if nothing has answered about the
    /// current one, which has failed so.
    ///
    /// Nameservers that have been silent about one name would be about the next, so one of them has
    /// to be known to work. Those of another route were not asked, and need not be dead. So the
    /// candidates are passed over whose nameservers are dead, as those of several suffixes of one
    /// VPN are while it is down; behind them may stand a name of a live network.
    pub(super) fn prospect(&self, id: LookupId, kind: LookupErrorKind) -> Prospect {
        if self.routes.len() == 1 {
            let is_proven = self.is_any(RouteId::ROOT, Nameserver::is_proven);
            return if is_proven { Prospect::Proven } else { Prospect::None };
        }
        let Some(LookupEntry { lookup, .. }) = self.lookups.get(&id) else { return Prospect::None };
        let destination = |candidate| self.destination(&QueryName::from(&candidate));
        let this = lookup.candidate().cloned().map(destination);
        for (passed_over, next) in lookup.later_candidates().map(destination).enumerate() {
            let is_same = this == Some(next);
            let may_answer = match next {
                Destination::Nameservers(route) if is_same => {
                    kind == LookupErrorKind::Timeout && self.is_any(route, Nameserver::is_proven)
                }
                Destination::Nameservers(route) => {
                    self.is_any(route, Nameserver::is_in_good_standing)
                }
                // What hangs once hangs for each suffix, for the whole time of a call.
                Destination::System => !is_same && !lookup.has_overdue_call(),
                Destination::Refused => false,
            };
            match passed_over {
                _ if !may_answer => {}
                0 if is_same => return Prospect::Proven,
                _ => return Prospect::Elsewhere { passed_over },
            }
        }
        Prospect::None
    }
}
