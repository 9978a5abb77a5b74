//! Random conversations by the thousand.
//!
//! `OUTRACE_LOOKUPS` sets how many lookups are played, and `OUTRACE_SEED` the seed to begin with. A
//! run that fails prints the seed of its world; with it as `OUTRACE_SEED` it is the first one
//! played.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::faults::{Case, Faults, WRONG_ID, is_of, made_at, truth};
use super::routes::Routing;
use super::world::{Event, Nameserver, OperatingSystem, World, config};
use crate::resolve::config::hosts::Hosts;
use crate::resolve::config::program_hosts::ProgramHosts;
use crate::resolve::error::{LookupErrorKind, RecordType};
use crate::resolve::names::local::{Ask, Local, LookupConfig, Plan, SystemName, local};
use crate::resolve::stub::Pairing;
use crate::resolve::stub::ids::LookupId;
use crate::resolve::system::CallOutcome;
use crate::resolve::system_failure::SystemCause;
use crate::resolve::{
    AddressFamily, AddressPolicy, CacheOptions, LookupOptions, NameserverStrategy,
};
use crate::seeded::Random;
use crate::{HostName, LookupResult, Target};

/// Enough for `cargo test`, in a few seconds without optimization.
const LOOKUPS: u64 = 5_000;

/// Names that are asked for in one world: fewer than lookups, so that some share their questions.
const NAMES: u64 = 24;
/// The same in a crowded world, where a nameserver's queue has no room for all.
const CROWD: u64 = 400;

/// A name that the hosts file answers, and one that the program does before it.
const HOSTS: &[u8] = b"192.0.2.1 hosts.test\n2001:db8::1 hosts.test\n2001:db8::1 program.test\n";
const PROGRAM_HOST: (&str, IpAddr) = ("program.test", IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)));

/// Says how to play a failed world again.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("to play this world again: OUTRACE_SEED={} cargo test simulation", self.0);
        }
    }
}

fn number_from_env(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

#[test]
fn simulation() {
    let first = number_from_env("OUTRACE_SEED", 1);
    let lookups = number_from_env("OUTRACE_LOOKUPS", LOOKUPS);
    let (mut played, mut ok, mut queries, mut mismatches) = (0, 0, 0, 0);
    for seed in first.. {
        if played >= lookups {
            break;
        }
        let outcome = play(&Seed(seed), false);
        if seed % 16 == 0 {
            assert_eq!(play(&Seed(seed), true), outcome, "an observer changes nothing");
        }
        let (count, succeeded, sent, in_another_case) = outcome;
        played += count;
        ok += succeeded;
        queries += sent;
        mismatches += in_another_case;
    }
    println!(
        "{played} lookups, {ok} of them successful, {queries} queries, {mismatches} responses in \
         another case"
    );
    if played >= LOOKUPS {
        // A network in which nothing works would prove little, and so would one in which all does.
        assert!(played / 10 < ok && ok < played * 9 / 10, "{ok} of {played} lookups succeeded");
        assert!(mismatches > queries / 1000, "{mismatches} responses in another case");
    }
}

fn nameserver(
    random: Random,
    is_reliable: bool,
    is_crowded: bool,
    case: Option<Case>,
) -> Box<dyn Nameserver> {
    let faults =
        if is_reliable { Faults::reliable(random, is_crowded) } else { Faults::new(random) };
    Box::new(match case {
        Some(case) => faults.asked_in_mixed_case(case),
        None => faults,
    })
}

/// One world: its lookups, how many succeeded, the queries, and the responses in another case.
fn play(seed: &Seed, is_observed: bool) -> (u64, u64, u64, u64) {
    let mut random = Random::new(seed.0);
    let mut stub = config(1 + random.index(3));
    stub.query.strategy = *random.pick(&[
        NameserverStrategy::Hedged,
        NameserverStrategy::All,
        NameserverStrategy::InTurn,
    ]);
    stub.query.timeout = *random.pick(&[200, 1000, 5000].map(Duration::from_millis));
    stub.query.attempts = *random.pick(&[1, 2, 3, 5]);
    stub.query.edns = random.percent(80);
    stub.query.tcp_only = random.percent(10);
    let spreads_resends = random.percent(50);
    stub.rotate = random.percent(20);
    stub.pairing = *random.pick(&[
        Pairing::OneSocket,
        Pairing::OneSocket,
        Pairing::OwnSockets,
        Pairing::InSequence,
    ]);
    stub.max_sockets = *random.pick(&[1, 4, 16, 256]);
    // With one nameserver that can be relied on, whatever the others do, every lookup finds the
    // truth.
    let reliable = random.percent(40).then(|| random.index(stub.nameservers.len()));
    if reliable.is_some() {
        stub.query.timeout = Duration::from_secs(5);
    }
    // In turn, a nameserver is sent a question once a round: what its queue loses then is lost.
    let is_crowded = random.percent(10) && stub.query.strategy != NameserverStrategy::InTurn;
    let spreads_resends = spreads_resends || is_crowded;
    // From numbers apart, so that the other worlds are the same with and without.
    let mut apart = Random::new(!seed.0);
    let is_mixed = apart.percent(25);
    stub.query.mixed_case = is_mixed;
    let cases = [Case::Kept, Case::Kept, Case::Folded, Case::FoldedWithoutTcp];
    let cases = if stub.query.tcp_only { &cases[..3] } else { &cases };
    let case = |apart: &mut Random| is_mixed.then(|| *apart.pick(cases));
    let servers = (0..stub.nameservers.len()).map(|server| {
        let random = Random::new(random.next());
        nameserver(random, reliable == Some(server), is_crowded, case(&mut apart))
    });
    let mut servers: Vec<_> = servers.collect();
    // In some worlds lookups ask the operating system as well.
    let asks_system = apart.percent(25);
    stub.system.timeout = stub.query.timeout;
    stub.system.hold = *apart.pick(&[0, 1000, 60_000].map(Duration::from_millis));
    // From numbers apart again, and only then are there nameservers of other routes.
    let mut further = Random::new(seed.0.rotate_left(32));
    let mut routing =
        further.percent(25).then(|| Routing::random(&mut further, servers.len(), NAMES));
    let mut has_system_routes = false;
    if let Some(routing) = &mut routing {
        has_system_routes = asks_system && routing.lead_to_system(&mut further);
        for server in servers.len()..routing.servers {
            let is_reliable = reliable.is_some() && routing.firsts.contains(&server);
            let random = Random::new(further.next());
            servers.push(nameserver(random, is_reliable, is_crowded, case(&mut further)));
        }
        stub.routes = routing.table().into();
    }
    let mut ids = Random::new(random.next());
    let nameservers = stub.nameservers.clone();
    let cache = random.percent(70).then(|| cache_options(&mut random));
    let mut world = World::new(stub, cache, servers, move || ids.id() & !WRONG_ID);
    if spreads_resends {
        world.spread_resends(Random::new(seed.0));
    }
    if asks_system {
        world = with_operating_system(world, &mut apart, has_system_routes);
    }
    world.keeps_log = false;
    world.is_observed = is_observed;
    world.checks.may_bring =
        Some(|id, ip| is_of(number_of(id), ip) && (!is_guarded(id) || is_permitted(ip)));
    world.checks.made_at = made_at;
    let search = ["a", "b.b"][..random.index(3)].iter().map(|name| name.parse().unwrap());
    let mut program_hosts = ProgramHosts::default();
    program_hosts.add(PROGRAM_HOST.0, [PROGRAM_HOST.1]);
    let config = LookupConfig {
        program_hosts: program_hosts.into(),
        hosts: Hosts::parse(HOSTS, &|_| None).into(),
        search: search.collect(),
        ..LookupConfig::default()
    };
    world.checks.candidates = 3;
    world.checks.asks_system = asks_system;
    world.checks.routing = routing;
    let count = 10 + random.below(0..if is_crowded { CROWD } else { 90 });
    let names = if is_crowded { CROWD } else { NAMES };
    // A burst, or one after the other, so that what was learnt of the nameservers counts.
    let span = *random.pick(&[1, 500, 30_000]);
    for sequence in 0..count {
        // What the operating system says is no truth that could be told beforehand.
        let is_reliable = reliable.is_some() && !has_system_routes;
        let kind = (is_reliable, asks_system);
        add_lookup(&mut world, &mut random, (sequence, names), span, &config, kind);
    }
    // After these, what was on its way may be lost.
    if reliable.is_none() && random.percent(80) {
        add_changes(&mut world, &mut random, span, &nameservers);
    }
    world.is_batched = random.percent(50);
    world.run();
    check_case(&world);
    check_candidate(&world);
    let stats = world.stats();
    let queries = stats.udp_queries + stats.tcp_queries;
    (count, world.checks.succeeded, queries, stats.case_mismatches)
}

/// No name is given in another case, and none comes out in the one of a query.
fn check_case(world: &World) {
    for (_, result) in world.consumers.values().flat_map(|consumer| &consumer.results) {
        if let LookupResult::CanonicalName(name) = result {
            assert!(!name.as_str().contains(char::is_uppercase), "{name}");
        }
    }
}

fn cache_options(random: &mut Random) -> CacheOptions {
    let stale = random.percent(30).then(|| random.millis(100..20_000));
    CacheOptions::new()
        .entries(*random.pick(&[16, 8192]))
        .max_ttl(*random.pick(&[Duration::from_secs(1), Duration::from_secs(3600)]))
        .serve_stale(stale)
        .prefetch(random.percent(50))
        .finish_dropped(random.percent(30))
}

/// The configuration changes, the machine is suspended, the cache is cleared.
fn add_changes(world: &mut World, random: &mut Random, span: u64, nameservers: &[SocketAddr]) {
    for _ in 0..=random.index(4) {
        let at = random.millis(0..span);
        world.at(
            at,
            match random.index(4) {
                0 => Event::ClearCache,
                1 => Event::Forget(format!("n{}", 1000 + random.below(0..NAMES)).parse().unwrap()),
                2 => Event::Suspend(random.millis(5000..3_600_000)),
                _ => {
                    let mut nameservers = nameservers.to_vec();
                    let len = nameservers.len();
                    nameservers.rotate_left(random.index(len));
                    nameservers.truncate(1 + random.index(len));
                    Event::NextGeneration(nameservers)
                }
            },
        );
    }
}

/// The number of a lookup's name stands in its id.
fn number_of(id: LookupId) -> u16 {
    u16::try_from(id.0 & 0xffff).expect("sixteen bits")
}

/// Whether a lookup has a policy.
fn is_guarded(id: LookupId) -> bool {
    (id.0 >> 16).is_multiple_of(3)
}

/// Whom a lookup asks: 0 the nameservers, 1 then the operating system, 2 the operating system.
fn plan_of(id: LookupId) -> u64 {
    (id.0 >> 16) / 3 % 3
}

/// Which of the candidate names of a lookup this is, `n1000`, `n1000.a` or `n1000.b.b`.
fn candidate_of(name: &str) -> u8 {
    u8::try_from(name.matches('.').count()).expect("few")
}

/// The addresses of the operating system are those that it has found for the canonical name.
fn check_candidate(world: &World) {
    for consumer in world.consumers.values() {
        let results = || consumer.results.iter().map(|(_, result)| result);
        let canonical = results().find_map(|result| match result {
            LookupResult::CanonicalName(name) => Some(candidate_of(name.as_str())),
            _ => None,
        });
        for result in results() {
            if let (LookupResult::Address(addr), Some(canonical)) = (result, canonical)
                && is_of_system(addr.ip())
            {
                let last = match addr.ip() {
                    IpAddr::V4(ip) => ip.octets()[3],
                    IpAddr::V6(ip) => ip.octets()[15],
                };
                assert_eq!(last / 16, canonical, "{addr} is of another candidate name");
            }
        }
    }
}

/// Of every other name the operating system may make several.
fn for_system(id: LookupId, name: &HostName) -> SystemName {
    SystemName { name: name.clone(), is_searched: number_of(id).is_multiple_of(2) }
}

fn with_operating_system(world: World, random: &mut Random, has_routes: bool) -> World {
    let mut world = world.with_system_threads(2 + random.index(4));
    world.operating_system = operating_system(Random::new(random.next()));
    world.checks.of_system = if has_routes {
        |id, ip| is_of_system(ip).then(|| is_of_number(number_of(id), ip))
    } else {
        |id, ip| is_of_system(ip).then(|| plan_of(id) > 0 && is_of_number(number_of(id), ip))
    };
    world
}

/// An operating system that finds what it finds, in its time or never.
fn operating_system(mut random: Random) -> OperatingSystem {
    Box::new(move |call| {
        let name = call.name.without_final_dot();
        let number: u16 = name[1..].split('.').next().unwrap().parse().expect("a number");
        let candidate = 16 * candidate_of(name);
        let slowest = if random.percent(70) { 50 } else { 8000 };
        let after = random.millis(0..slowest);
        let of_number = |record_type: RecordType, last: u8| match record_type {
            RecordType::A => {
                let [high, low] = number.to_be_bytes();
                (IpAddr::from([SYSTEM_V4, high, low, last]), 0)
            }
            RecordType::Aaaa => (IpAddr::from([SYSTEM_V6, 0, 0, 0, 0, 0, number, last.into()]), 0),
        };
        let outcome = match random.index(10) {
            0 => CallOutcome::NoName,
            1 => CallOutcome::NoData,
            2 => CallOutcome::NoFamily,
            3 => {
                let kind = LookupErrorKind::ServerFailure;
                CallOutcome::Failed(kind, SystemCause::Code(-3))
            }
            4 => return None,
            count => {
                let numbers = (0..count).map(|n| u8::try_from(n).expect("few"));
                let found = numbers.flat_map(|n| {
                    [RecordType::A, RecordType::Aaaa]
                        .map(|record_type| of_number(record_type, candidate + n))
                });
                CallOutcome::of_addresses(found, call.families)
            }
        };
        Some((after, outcome))
    })
}

/// Addresses of the operating system begin so, and no nameserver's do.
const SYSTEM_V4: u8 = 198;
const SYSTEM_V6: u16 = 0x3fff;

fn is_of_system(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.octets()[0] == SYSTEM_V4,
        IpAddr::V6(ip) => ip.segments()[0] == SYSTEM_V6,
    }
}

/// Whether it is an address that the operating system has found for the name of this number.
fn is_of_number(number: u16, ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.octets()[1..3] == number.to_be_bytes(),
        IpAddr::V6(ip) => ip.segments()[6] == number,
    }
}

/// The policy: half of all addresses.
fn is_permitted(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.octets()[3].is_multiple_of(2),
        IpAddr::V6(ip) => ip.octets()[15].is_multiple_of(2),
    }
}

fn add_lookup(
    world: &mut World,
    random: &mut Random,
    (sequence, names): (u64, u64),
    span: u64,
    config: &LookupConfig,
    (is_reliable, asks_system): (bool, bool),
) {
    let number = 1000 + random.below(0..names);
    let id = LookupId(sequence << 16 | number);
    let policy =
        if is_guarded(id) { AddressPolicy::new(is_permitted) } else { AddressPolicy::default() };
    let families = [None, None, Some(AddressFamily::Ipv4), Some(AddressFamily::Ipv6)];
    let family = *random.pick(&families);
    let host = match random.index(20) {
        0 => "hosts.test".to_owned(),
        1 => PROGRAM_HOST.0.to_owned(),
        _ => format!("n{number}"),
    };
    let target = Target::new(host.parse::<HostName>().unwrap().into(), Some(443));
    let options = LookupOptions::default().family(family);
    let mut local = local(&target, &options, config, &policy);
    if let Local::Ask(ask) = &mut local
        && asks_system
    {
        ask.plan = match plan_of(id) {
            0 => Plan::Nameservers,
            1 => Plan::NameserversThenSystem(for_system(id, &ask.name)),
            _ => Plan::System(for_system(id, &ask.name)),
        };
    }
    let truth = match &local {
        Local::Ask(Ask { candidates, plan: Plan::Nameservers, .. })
            if is_reliable && !is_guarded(id) =>
        {
            let is_refused = |name: &str| {
                world.checks.routing.as_ref().is_some_and(|routing| routing.refuses(name))
            };
            let candidates = candidates.clone().map(|name| name.to_string());
            truth(candidates, record_types(family), is_refused)
        }
        _ => None,
    };
    let timeout = random.percent(20).then(|| random.millis(1..3000));
    let pace = random.percent(20).then(|| (1 + random.index(8), random.millis(1..300)));
    let at = random.millis(0..span);
    world.lookup_at(at, id, local, policy, (timeout, pace));
    // Any moment of a lookup's life is one to leave it: most while it is young.
    let is_young = random.percent(50);
    let later = random.millis(0..if is_young { 20 } else { 6000 });
    match random.index(8) {
        0 => world.at(at + later, Event::Drop(id)),
        1 => world.at(at + later, Event::Cancel(id)),
        _ if timeout.is_none() => world.checks.truths.extend(truth.map(|truth| (id, truth))),
        _ => {}
    }
}

fn record_types(family: Option<AddressFamily>) -> &'static [RecordType] {
    match family {
        None => &[RecordType::A, RecordType::Aaaa],
        Some(AddressFamily::Ipv4) => &[RecordType::A],
        Some(AddressFamily::Ipv6) => &[RecordType::Aaaa],
    }
}
