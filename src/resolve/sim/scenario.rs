//! One conversation as data: a configuration, nameservers, what is done when, what comes of it.

use std::net::SocketAddr;
use std::time::Duration;

use super::script::ScriptedNameserver;
use super::world::{Event, Nameserver, World, addr, config};
use crate::resolve::NameserverStrategy;
use crate::resolve::config::hosts::Hosts;
use crate::resolve::config::name_routes::{NameRoute, NameRoutes, RouteTarget};
use crate::resolve::error::{LookupErrorKind, RecordType, Transport};
use crate::resolve::names::local::{Local, LookupConfig, Plan, SystemName, local};
use crate::resolve::names::search::SearchRule;
use crate::resolve::stub::ids::LookupId;
use crate::resolve::stub::{Pairing, StubConfig};
use crate::resolve::system::{CallOutcome, Families};
use crate::resolve::system_failure::SystemCause;
use crate::resolve::{AddressFamily, AddressPolicy, CacheOptions, LookupOptions};
use crate::seeded::Random;
use crate::zone::parse_scoped_ip;
use crate::{HostName, LookupResult};

/// A conversation. Times are milliseconds since its start.
///
/// The canonical form of what happened, in which `results` and `queries` are written:
///
/// ```text
/// 192.0.2.1@1 =www.example@1 ok@2            results of a lookup; an error by its kind
/// 0 ns1 www.example A, 1 ns1/tcp www.example A plain      queries; plain is one without EDNS,
///                                      mixed one whose letters are not all in the same case
/// ```
#[derive(Clone, Copy)]
pub(super) struct Scenario<'a> {
    /// Settings, separated by `;`: see [`ScenarioConfig::new`].
    pub(super) config: &'a str,
    /// Scripts, one a nameserver: their grammar stands in `src/testkit/script.rs`.
    pub(super) servers: &'a [&'a str],
    /// What is done when: `0 lookup www.example`, `20 lookup b both timeout 300`, `50 drop 1`, `50
    /// cancel 2`, `60 clear`, `60 forget b`, `70 suspend 3600000`, `80 next 2 1` (a new generation
    /// with these nameservers), `90 reroute corp.example 2` (one with this route alone). Lookups
    /// are counted from 1, and are about A unless they say otherwise; `pace 2 100` takes two
    /// results every 100 ms.
    pub(super) steps: &'a [&'a str],
    /// What each lookup brought. Not compared if there is none.
    pub(super) results: &'a [&'a str],
    /// What was asked, whom, and when. Not compared if it is `*`.
    pub(super) queries: &'a str,
}

pub(super) const SCENARIO: Scenario<'static> = Scenario {
    config: "",
    servers: &["* * -> nodata"],
    steps: &["0 lookup www.example"],
    results: &[],
    queries: "*",
};

struct ScenarioConfig {
    stub: StubConfig,
    cache: Option<CacheOptions>,
    lookup: LookupConfig,
    policy: AddressPolicy,
    outage: Option<[Duration; 2]>,
    /// Makes the plan of each lookup.
    plan: fn(&HostName) -> Plan,
    system_threads: usize,
    calls: Vec<ScriptedCall>,
}

/// What the operating system finds, after which time; `None` if its call never comes back.
type ScriptedCall = ((HostName, Families), Option<(Duration, CallOutcome)>);

impl ScenarioConfig {
    fn new(text: &str, servers: usize) -> Self {
        let (mut stub, mut search, mut search_rule) =
            (config(servers), Vec::new(), SearchRule::default());
        let (mut routes, mut root) = (Vec::new(), None);
        let mut hosts = Hosts::default();
        let mut cache = None;
        let mut policy = AddressPolicy::default();
        let mut outage = None;
        let (mut system_threads, mut calls) = (16, Vec::new());
        let mut plan: fn(&HostName) -> Plan = |_| Plan::Nameservers;
        for setting in text.split(';').map(str::trim).filter(|setting| !setting.is_empty()) {
            match *setting.split_whitespace().collect::<Vec<_>>() {
                ["search", ref list @ ..] => {
                    search = list.iter().map(|name| name.parse().unwrap()).collect();
                }
                // One line of a hosts file.
                ["hosts", ref line @ ..] => {
                    hosts = Hosts::parse(line.join(" ").as_bytes(), &|_| None);
                }
                // No query between these reaches a nameserver.
                ["outage", from, until] => outage = Some([from, until].map(duration)),
                ["system"] => plan = |name| Plan::System(for_system(name, false)),
                // With a search list of its own.
                ["searching-system"] => plan = |name| Plan::System(for_system(name, true)),
                ["then-system"] => {
                    plan = |name| Plan::NameserversThenSystem(for_system(name, false));
                }
                // Hosts-file results behind the nameservers.
                ["then-hosts"] => {
                    plan = |_| {
                        let addr = LookupResult::Address(([192, 0, 2, 77], 0).into());
                        let name = LookupResult::CanonicalName("box.lan".parse().unwrap());
                        Plan::NameserversThenHosts([addr, name, LookupResult::End(Ok(()))].into())
                    };
                }
                ["system-threads", number] => system_threads = number.parse().unwrap(),
                // A call of the operating system, and what comes of it. Others find no name.
                ["call", name, record_type, ref outcome @ ..] => {
                    calls.push(scripted_call(name, record_type, outcome));
                }
                ["ndots", number] => search_rule = SearchRule::Ndots(number.parse().unwrap()),
                ["deny", prefix] => policy = policy.deny(prefix.parse().unwrap()),
                // Nor is there a default one.
                ["no-nameserver"] => {
                    stub.nameservers.clear();
                    stub.query.is_unconfigured = true;
                }
                // The nameservers of a route, by their numbers. Those of no route are the root's.
                ["route", suffix, ref numbers @ ..] => routes.push(route(suffix, numbers)),
                ["exact", name, ref numbers @ ..] => {
                    routes.push(NameRoute { is_exact: true, ..route(name, numbers) });
                }
                ["refuse", suffix] => {
                    routes.push(NameRoute { to: RouteTarget::Refuse, ..route(suffix, &[]) });
                }
                ["system-route", suffix] => {
                    routes.push(NameRoute { to: RouteTarget::System, ..route(suffix, &[]) });
                }
                ["root", ref numbers @ ..] => root = Some(addrs(numbers)),
                ["unconfigured"] => stub.query.is_unconfigured = true,
                ["all"] => stub.query.strategy = NameserverStrategy::All,
                ["in-turn"] => stub.query.strategy = NameserverStrategy::InTurn,
                ["rotate"] => {
                    (stub.query.strategy, stub.rotate) = (NameserverStrategy::InTurn, true);
                }
                ["attempts", number] => stub.query.attempts = number.parse().unwrap(),
                ["timeout", millis] => stub.query.timeout = duration(millis),
                ["max-sockets", number] => stub.max_sockets = number.parse().unwrap(),
                ["use-vc"] => stub.query.tcp_only = true,
                ["no-edns"] => stub.query.edns = false,
                ["mixed-case"] => stub.query.mixed_case = true,
                ["cache"] => cache = Some(CacheOptions::new()),
                ["cache", "stale", millis] => {
                    cache = cache.map(|cache| cache.serve_stale(duration(millis)));
                }
                ["cache", "max-ttl", millis] => {
                    cache = cache.map(|cache| cache.max_ttl(duration(millis)));
                }
                ["cache", "prefetch"] => cache = cache.map(|cache| cache.prefetch(true)),
                ["cache", "finish-dropped"] => {
                    cache = cache.map(|cache| cache.finish_dropped(true));
                }
                ["single-request"] => stub.pairing = Pairing::InSequence,
                ["single-request-reopen"] => stub.pairing = Pairing::OwnSockets,
                _ => panic!("{setting}?"),
            }
        }
        let of_routes: Vec<_> = routes.iter().flat_map(nameservers).collect();
        stub.nameservers.retain(|addr| !of_routes.contains(addr));
        stub.nameservers = root.unwrap_or(stub.nameservers);
        stub.routes = NameRoutes::new(routes, &[]).into();
        let (hosts, search) = (hosts.into(), search.into());
        let lookup = LookupConfig { hosts, search, search_rule, ..LookupConfig::default() };
        Self { stub, cache, lookup, policy, outage, plan, system_threads, calls }
    }
}

fn for_system(name: &HostName, is_searched: bool) -> SystemName {
    SystemName { name: name.clone(), is_searched }
}

/// `www.example A 1 192.0.2.1 192.0.2.2`, `.. AAAA 3000 noname`, `.. A never`.
fn scripted_call(name: &str, record_type: &str, outcome: &[&str]) -> ScriptedCall {
    let families = match record_type {
        "A" => Families::One(RecordType::A),
        "AAAA" => Families::One(RecordType::Aaaa),
        "both" => Families::Both,
        other => panic!("{other}?"),
    };
    let failed = |kind| CallOutcome::Failed(kind, SystemCause::Code(-3));
    let outcome = match *outcome {
        ["never"] => None,
        [after, ref found @ ..] => {
            let outcome = match *found {
                ["noname"] => CallOutcome::NoName,
                ["nodata"] => CallOutcome::NoData,
                ["nofamily"] => CallOutcome::NoFamily,
                ["again"] => failed(LookupErrorKind::ServerFailure),
                ref addresses => {
                    let parse = |text: &&str| parse_scoped_ip(text, &|_| None).unwrap();
                    CallOutcome::of_addresses(addresses.iter().map(parse), families)
                }
            };
            Some((duration(after), outcome))
        }
        [] => panic!("{name} {record_type}: after which time?"),
    };
    ((name.parse().unwrap(), families), outcome)
}

/// A route to the nameservers with these numbers.
fn route(suffix: &str, numbers: &[&str]) -> NameRoute {
    NameRoute {
        suffix: Some(suffix.parse().expect("a name")),
        is_exact: false,
        to: RouteTarget::Nameservers(addrs(numbers)),
        order: 0,
        is_search: false,
    }
}

fn addrs(numbers: &[&str]) -> Vec<SocketAddr> {
    numbers.iter().map(|number| addr(number.parse::<usize>().unwrap() - 1)).collect()
}

fn nameservers(route: &NameRoute) -> Vec<SocketAddr> {
    match &route.to {
        RouteTarget::Nameservers(nameservers) => nameservers.clone(),
        RouteTarget::System | RouteTarget::Refuse => Vec::new(),
    }
}

fn duration(millis: &str) -> Duration {
    Duration::from_millis(millis.parse().expect("milliseconds"))
}

impl Scenario<'_> {
    /// Plays it to its end, and compares.
    #[track_caller]
    pub(super) fn check(&self) -> World {
        let mut world = self.start();
        world.run();
        for (id, expected) in (1..).zip(self.results) {
            assert_eq!(results(&world, id), *expected, "results of lookup {id}");
        }
        if self.queries != "*" {
            assert_eq!(queries(&world), self.queries, "queries");
        }
        world
    }

    /// The world before its first step.
    pub(super) fn start(&self) -> World {
        let ScenarioConfig {
            stub,
            cache,
            lookup: lookup_config,
            policy,
            outage,
            plan,
            system_threads,
            calls,
        } = ScenarioConfig::new(self.config, self.servers.len());
        let scripts = self.servers.iter().map(|text| {
            let script: Box<dyn Nameserver> = Box::new(ScriptedNameserver::new(text));
            script
        });
        let mut random = Random::new(1);
        let mut world = World::new(stub, cache, scripts.collect(), move || random.id());
        if system_threads != 16 {
            world = world.with_system_threads(system_threads);
        }
        world.operating_system = Box::new(move |call| {
            let is_it = |(key, _): &&ScriptedCall| *key == (call.name.clone(), call.families);
            let not_found = Some((Duration::ZERO, CallOutcome::NoName));
            calls.iter().find(is_it).map_or(not_found, |(_, outcome)| outcome.clone())
        });
        world.outage = outage;
        let mut lookups = 0;
        for step in self.steps {
            let words: Vec<&str> = step.split_whitespace().collect();
            let event = match words[1..] {
                ["lookup", name, ref options @ ..] => {
                    lookups += 1;
                    let mut lookup = LookupOptions::default().family(AddressFamily::Ipv4);
                    let (mut timeout, mut pace) = (None, None);
                    let mut options = options.iter();
                    while let Some(option) = options.next() {
                        let mut number = || duration(options.next().expect("a number"));
                        match *option {
                            "both" => lookup = lookup.family(None),
                            "v6" => lookup = lookup.family(AddressFamily::Ipv6),
                            "timeout" => timeout = Some(number()),
                            "pace" => {
                                let count = usize::try_from(number().as_millis()).unwrap();
                                pace = Some((count, number()));
                            }
                            other => panic!("{other}?"),
                        }
                    }
                    let target = name.parse().expect("a target");
                    let mut local = local(&target, &lookup, &lookup_config, &policy);
                    if let Local::Ask(ask) = &mut local {
                        ask.plan = plan(&ask.name);
                    }
                    let (at, id) = (duration(words[0]), LookupId(lookups));
                    world.lookup_at(at, id, local, policy.clone(), (timeout, pace));
                    continue;
                }
                ["drop", id] => Event::Drop(LookupId(id.parse().unwrap())),
                ["cancel", id] => Event::Cancel(LookupId(id.parse().unwrap())),
                ["clear"] => Event::ClearCache,
                ["forget", name] => Event::Forget(name.parse().unwrap()),
                ["suspend", time] => Event::Suspend(duration(time)),
                // The nameservers from now on, by their numbers.
                ["next", ref numbers @ ..] => Event::NextGeneration(addrs(numbers)),
                ["reroute", suffix, ref numbers @ ..] => {
                    let routes = NameRoutes::new(vec![route(suffix, numbers)], &[]);
                    Event::Reroute(routes.into())
                }
                _ => panic!("{step}?"),
            };
            world.at(duration(words[0]), event);
        }
        world
    }
}

/// The results of a lookup in their canonical form.
pub(super) fn results(world: &World, id: u64) -> String {
    let Some(consumer) = world.consumers.get(&LookupId(id)) else { return "dropped".to_owned() };
    let texts = consumer.results.iter().map(|(at, result)| {
        let text = match result {
            LookupResult::Address(SocketAddr::V6(addr)) if addr.scope_id() != 0 => {
                format!("{}%{}", addr.ip(), addr.scope_id())
            }
            LookupResult::Address(addr) => addr.ip().to_string(),
            LookupResult::CanonicalName(name) => format!("={name}"),
            LookupResult::End(Ok(())) => "ok".to_owned(),
            LookupResult::End(Err(error)) => format!("{:?}", error.kind()),
        };
        format!("{text}@{}", at.as_millis())
    });
    texts.collect::<Vec<_>>().join(" ")
}

/// All calls to the operating system, and when they were made.
pub(super) fn calls(world: &World) -> String {
    let texts = world.calls.iter().map(|(at, call)| {
        let families = match call.families {
            Families::One(record_type) => record_type.to_string(),
            Families::Both => "both".to_owned(),
        };
        format!("{} {} {families}", at.as_millis(), call.name)
    });
    texts.collect::<Vec<_>>().join(", ")
}

/// All queries in their canonical form.
pub(super) fn queries(world: &World) -> String {
    let texts = world.log.iter().map(|record| {
        let query = &record.query;
        let transport = if query.transport == Transport::Tcp { "/tcp" } else { "" };
        let plain = if query.edns { "" } else { " plain" };
        let has = |is: fn(&u8) -> bool| query.wire_name.iter().any(is);
        let is_mixed = has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase);
        let mixed = if is_mixed { " mixed" } else { "" };
        format!(
            "{} ns{}{transport} {} {}{plain}{mixed}",
            record.at.as_millis(),
            record.server + 1,
            query.name,
            query.record_type
        )
    });
    texts.collect::<Vec<_>>().join(", ")
}
