//! Which nameservers may see which names, found by a comparison with every suffix: the judge of the
//! table that the stub walks.

use super::faults::alias_of;
use super::world::addr;
use crate::resolve::config::name_routes::{NameRoute, NameRoutes, RouteTarget};
use crate::seeded::Random;

/// The routes of one world.
#[derive(Debug)]
pub(super) struct Routing {
    rules: Vec<Rule>,
    /// The nameservers of the root route are those before this one.
    root: usize,
    /// The nameservers that a route has come to first. In a world in which every lookup finds the
    /// truth, they can be relied on.
    pub(super) firsts: Vec<usize>,
    /// How many nameservers there are in all.
    pub(super) servers: usize,
}

#[derive(Debug)]
struct Rule {
    suffix: String,
    is_exact: bool,
    /// The numbers of its nameservers; `None`: its names are refused, or of the operating system.
    servers: Option<Vec<usize>>,
    is_of_system: bool,
}

impl Routing {
    /// Some routes beside those of `root` nameservers, for names that are asked for in the worlds
    /// of the simulation, and targets of their aliases.
    pub(super) fn random(random: &mut Random, root: usize, names: u64) -> Self {
        let mut routing = Self { rules: Vec::new(), root, firsts: Vec::new(), servers: root };
        for _ in 0..=random.index(4) {
            let number = 1000 + random.below(0..names);
            let suffix = match random.index(7) {
                0 => "A".to_owned(),
                1 => "b".to_owned(),
                2 => "b.b".to_owned(),
                3 => format!("N{number}.a"),
                4 => format!("n{number}.b.B"),
                5 => {
                    let name = |n: u64| format!("n{}", 1000 + (number + n) % names);
                    (0..names).find_map(|n| alias_of(&name(n))).expect("an alias")
                }
                _ => format!("n{number}"),
            };
            let servers = random.percent(80).then(|| {
                let first = routing.servers;
                routing.firsts.push(first);
                routing.servers += 1 + random.index(2);
                let mut servers: Vec<_> = (first..routing.servers).collect();
                if random.percent(20) {
                    // An address that another route has, too.
                    servers.push(random.index(first));
                }
                servers
            });
            let is_exact = random.percent(25);
            routing.rules.push(Rule { suffix, is_exact, servers, is_of_system: false });
        }
        routing
    }

    /// Leads some of the names that are refused to the operating system instead. Returns whether
    /// there are any.
    pub(super) fn lead_to_system(&mut self, random: &mut Random) -> bool {
        for rule in self.rules.iter_mut().filter(|rule| rule.servers.is_none()) {
            rule.is_of_system = random.percent(75);
        }
        self.rules.iter().any(|rule| rule.is_of_system)
    }

    /// The table that the stub is given.
    pub(super) fn table(&self) -> NameRoutes {
        let routes = self.rules.iter().map(|rule| NameRoute {
            suffix: Some(rule.suffix.parse().expect("a name")),
            is_exact: rule.is_exact,
            to: match &rule.servers {
                Some(servers) => {
                    RouteTarget::Nameservers(servers.iter().copied().map(addr).collect())
                }
                None if rule.is_of_system => RouteTarget::System,
                None => RouteTarget::Refuse,
            },
            order: 0,
            is_search: false,
        });
        NameRoutes::new(routes.collect(), &[])
    }

    /// The rule of a name, which is in lower case and has no final dot.
    fn rule(&self, name: &str) -> Option<&Rule> {
        let is_of = |rule: &&Rule| {
            let suffix = rule.suffix.to_lowercase();
            name == suffix || !rule.is_exact && name.ends_with(&format!(".{suffix}"))
        };
        // The last of the greatest is taken: of two of one length the first.
        let rules = self.rules.iter().rev().filter(is_of);
        rules.max_by_key(|rule| (rule.suffix.len(), rule.is_exact))
    }

    /// Whether no nameserver may see this name.
    pub(super) fn refuses(&self, name: &str) -> bool {
        self.rule(name).is_some_and(|rule| rule.servers.is_none() && !rule.is_of_system)
    }

    /// A nameserver was asked about a name: it is one of the name's own route.
    pub(super) fn check(&self, name: &str, server: usize) {
        let may_see = match self.rule(name) {
            Some(Rule { servers, .. }) => servers.iter().flatten().any(|&own| own == server),
            None => server < self.root,
        };
        assert!(may_see, "{name} went to {}, which is not of its route", addr(server));
    }
}
