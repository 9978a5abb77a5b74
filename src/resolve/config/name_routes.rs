//! [`NameRoutes`]: which nameservers a name goes to, by its longest suffix (split DNS).
//!
//! One table, whatever the routes come from: the program, or the configuration of the machine. The
//! nameservers of resolv.conf are the root route, which has every name that no other route has.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;

use crate::HostName;
use crate::resolve::wire::query_name::QueryName;
use crate::resolve::wire::reader::MAX_NAME_LEN;

/// So many routes a table has at the most: far more than any machine has, and few enough that a
/// broken one costs neither memory nor time that anyone notices.
pub(crate) const MAX_ROUTES: usize = 1024;
/// As many as a query may go to.
const MAX_NAMESERVERS: usize = 3;
const ROOT: [u8; 1] = [0];

/// Names below a suffix go to other nameservers than the rest (split DNS).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NameRoute {
    /// `None` is the root: every name.
    pub(crate) suffix: Option<HostName>,
    /// Whether the suffix itself and no name below it is meant (NRPT: a name without a leading
    /// dot).
    pub(crate) is_exact: bool,
    pub(crate) to: RouteTarget,
    /// Of equal suffixes the lowest holds, then the first.
    pub(crate) order: u32,
    /// Whether the suffix is also appended to the search list.
    pub(crate) is_search: bool,
}

/// Where the queries about the names of a route go.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RouteTarget {
    /// To these nameservers, in order, and to no others. At most three are used.
    Nameservers(Vec<SocketAddr>),
    /// The operating system looks the name up. Without the feature `system` such a route of the
    /// machine is one that refuses its names.
    System,
    /// Nowhere: the name does not exist, and no packet is sent.
    Refuse,
}

/// The route of a name ([`Resolver::route_of`](crate::Resolver::route_of)).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChosenRoute {
    /// The suffix whose names take this route; `None` if the name takes the root route, that of all
    /// names that no other route has.
    pub suffix: Option<HostName>,
    /// Where its queries go.
    pub target: RouteTarget,
}

/// The routes that hold, by suffix.
#[derive(Clone, Debug, Default)]
pub(crate) struct NameRoutes {
    routes: Vec<NameRoute>,
    by_suffix: HashMap<Box<[u8]>, Held>,
    /// The nameservers of the root route, if a route has it and leads to nameservers. It is not in
    /// the table: a table without other routes costs a lookup nothing.
    root: Option<Vec<SocketAddr>>,
    search: Vec<HostName>,
    /// How many routes are left out because there are too many.
    omitted: usize,
}

/// The routes of one suffix, by their index: of the names below it, and of the name itself.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    subtree: Option<u16>,
    exact: Option<u16>,
}

impl NameRoutes {
    /// A table of the routes of the program and of the machine. A route of the program holds in
    /// place of all routes of the machine with its suffix.
    pub(crate) fn new(program: Vec<NameRoute>, machine: &[NameRoute]) -> Self {
        let of_program: HashSet<_> = program.iter().map(NameRoute::key).collect();
        let is_left = |route: &&NameRoute| !of_program.contains(&route.key());
        let mut machine: Vec<_> = machine.iter().filter(is_left).cloned().collect();
        machine.sort_by_key(|route| route.order);
        let (given, mut of_program) = (program.len(), 0);
        let (mut seen, mut searched) = (HashSet::new(), Vec::new());
        let mut table = Self::default();
        for (at, mut route) in program.into_iter().chain(machine).enumerate() {
            if let Some(suffix) = route.suffix.as_ref().filter(|_| route.is_search) {
                searched.push((route.key(), suffix.to_relative()));
            }
            if !seen.insert((route.key(), route.is_exact)) {
                continue;
            }
            match &mut route.to {
                RouteTarget::Nameservers(nameservers) => {
                    nameservers.truncate(MAX_NAMESERVERS);
                    // One without any never leads anywhere, and must not lead elsewhere either.
                    if nameservers.is_empty() {
                        route.to = RouteTarget::Refuse;
                    } else if route.suffix.is_none() && !route.is_exact {
                        table.root = Some(std::mem::take(nameservers));
                        continue;
                    }
                }
                RouteTarget::System | RouteTarget::Refuse => {}
            }
            table.routes.push(route);
            if at < given {
                of_program = table.routes.len();
            }
        }
        if table.routes.len() > MAX_ROUTES {
            // What the program says counts more than what the machine does. Among suffixes of one
            // length the order is kept.
            let (of_program, of_machine) = table.routes.split_at_mut(of_program);
            for routes in [of_program, of_machine] {
                routes.sort_by_key(|route| std::cmp::Reverse(route.labels()));
            }
            table.omitted = table.routes.len() - MAX_ROUTES;
            table.routes.truncate(MAX_ROUTES);
        }
        for (index, route) in (0..).zip(&table.routes) {
            let held = table.by_suffix.entry(route.key()).or_default();
            let place = if route.is_exact { &mut held.exact } else { &mut held.subtree };
            *place = Some(index);
        }
        // A suffix without a route is not searched: its names would go to other nameservers.
        let mut once = HashSet::new();
        searched.retain(|(key, _)| table.by_suffix.contains_key(key) && once.insert(key.clone()));
        table.search = searched.into_iter().map(|(_, suffix)| suffix).collect();
        table
    }

    /// The index of the route of this name in [`routes`](Self::routes); `None` if the nameservers
    /// of the root route have it.
    ///
    /// It walks the suffixes of the name, the longest first. Without routes it costs nothing.
    pub(crate) fn find(&self, name: &QueryName) -> Option<usize> {
        if self.routes.is_empty() {
            return None;
        }
        let mut lowercase = [0; MAX_NAME_LEN];
        let lowercase = &mut lowercase[..name.as_wire().len()];
        lowercase.copy_from_slice(name.as_wire());
        // The octets that give a label's length are below 64, and so never letters.
        lowercase.make_ascii_lowercase();
        let mut at = 0;
        loop {
            if let Some(held) = self.by_suffix.get(&lowercase[at..])
                && let Some(index) = held.exact.filter(|_| at == 0).or(held.subtree)
            {
                return Some(index.into());
            }
            match lowercase[at] {
                0 => return None,
                label_len => at += 1 + usize::from(label_len),
            }
        }
    }

    /// The routes that hold, but for the root route to nameservers.
    pub(crate) fn routes(&self) -> &[NameRoute] {
        &self.routes
    }

    /// The nameservers of the root route, if a route has them.
    pub(crate) fn root(&self) -> Option<&[SocketAddr]> {
        self.root.as_deref()
    }

    /// Whether a route has the root, so that no other nameserver is needed for it.
    pub(crate) fn has_root(&self) -> bool {
        let of_root = self.by_suffix.get(ROOT.as_slice());
        self.root.is_some() || of_root.is_some_and(|held| held.subtree.is_some())
    }

    /// The suffixes that are appended to the search list.
    pub(crate) fn search(&self) -> &[HostName] {
        &self.search
    }

    /// How many routes are left out because there are too many: those of the machine with the
    /// shortest suffixes, then those of the program.
    pub(crate) fn omitted(&self) -> usize {
        self.omitted
    }
}

impl NameRoute {
    /// The suffix in wire form and in lower case.
    fn key(&self) -> Box<[u8]> {
        let Some(suffix) = &self.suffix else { return ROOT.into() };
        QueryName::from(suffix).as_wire().to_ascii_lowercase().into()
    }

    fn labels(&self) -> usize {
        self.suffix.as_ref().map_or(0, |suffix| suffix.labels().count())
    }
}

#[cfg(test)]
mod tests;
