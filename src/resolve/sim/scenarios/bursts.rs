//! Many lookups at once, and nameservers that take but a few queries at a time (RFC 8085 section
//! 3.1).

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use domain::base::iana::OptRcode;

use crate::resolve::error::{FailureCause, RecordType, Transport};
use crate::resolve::names::local::{Ask, Plan};
use crate::resolve::names::search::{SearchRule, candidates};
use crate::resolve::sim::message::Query;
use crate::resolve::sim::world::{Connect, Event, Nameserver, Reaction, Record, World, config};
use crate::resolve::stub::ids::LookupId;
use crate::resolve::stub::lookup::Lookup;
use crate::resolve::stub::socket_error::SocketError;
use crate::resolve::{AddressFamily, NameserverStrategy};
use crate::seeded::Random;
use crate::testkit::Message;
use crate::testkit::framing::framed;
use crate::{HostName, LookupErrorKind, LookupResult};

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Answers one query after the other. What finds the buffer full is lost.
struct Narrow {
    service: Duration,
    buffer: u32,
    trip: Duration,
    /// When the last query that was taken is answered.
    busy_until: Duration,
}

impl Narrow {
    fn new(service: Duration, buffer: u32, trip: Duration) -> Self {
        Self { service, buffer, trip, busy_until: Duration::ZERO }
    }
}

/// Has so many queries in flight, each of which takes as long, and refuses the others, as dnsmasq
/// does (`dns-forward-max`, 150).
struct Forwarder {
    upstream: Duration,
    most: usize,
    /// When those in flight are answered.
    in_flight: VecDeque<Duration>,
    refusal: OptRcode,
}

/// What it answers, or loses, comes after an error of a header alone.
struct Hinted(Narrow);

/// Truncates what it says over UDP.
struct Truncating;

/// Answers at once, but for names that begin with `hang`.
struct Hanging;

fn answer(query: &Query, after: Duration) -> Vec<Reaction> {
    let ip = if query.record_type == RecordType::A {
        [192, 0, 2, 1].into()
    } else {
        "2001:db8::1".parse().unwrap()
    };
    let message = query.reply(&Message::answer([ip]));
    let bytes = if query.transport == Transport::Tcp { framed(&message) } else { message };
    vec![Reaction::Bytes(after, bytes)]
}

impl Nameserver for Narrow {
    fn handle_query(&mut self, query: &Query, at: Duration) -> Vec<Reaction> {
        let wait = self.busy_until.saturating_sub(at);
        if wait > self.service * self.buffer {
            return Vec::new();
        }
        self.busy_until = at + wait + self.service;
        answer(query, wait + self.service + self.trip)
    }

    fn handle_connect(&mut self, _at: Duration) -> Connect {
        Connect::Hang
    }

    fn open(&mut self, _transport: Transport, _at: Duration) -> Result<(), SocketError> {
        Ok(())
    }
}

impl Nameserver for Forwarder {
    fn handle_query(&mut self, query: &Query, at: Duration) -> Vec<Reaction> {
        while self.in_flight.front().is_some_and(|&until| until <= at) {
            self.in_flight.pop_front();
        }
        if self.in_flight.len() >= self.most {
            let refusal = Message { rcode: self.refusal, ..Message::default() };
            return vec![Reaction::Bytes(Duration::from_micros(50), query.reply(&refusal))];
        }
        self.in_flight.push_back(at + self.upstream);
        answer(query, self.upstream)
    }

    fn handle_connect(&mut self, _at: Duration) -> Connect {
        Connect::Hang
    }

    fn open(&mut self, _transport: Transport, _at: Duration) -> Result<(), SocketError> {
        Ok(())
    }
}

impl Nameserver for Hinted {
    fn handle_query(&mut self, query: &Query, at: Duration) -> Vec<Reaction> {
        let hint = query.reply(&Message::header_only(OptRcode::SERVFAIL));
        let mut reactions = vec![Reaction::Bytes(millis(1), hint)];
        reactions.extend(self.0.handle_query(query, at));
        reactions
    }

    fn handle_connect(&mut self, at: Duration) -> Connect {
        self.0.handle_connect(at)
    }

    fn open(&mut self, transport: Transport, at: Duration) -> Result<(), SocketError> {
        self.0.open(transport, at)
    }
}

impl Nameserver for Truncating {
    fn handle_query(&mut self, query: &Query, _at: Duration) -> Vec<Reaction> {
        if query.transport == Transport::Tcp {
            return answer(query, millis(1));
        }
        let truncated = Message { tc: true, ..Message::recursive() };
        vec![Reaction::Bytes(millis(1), query.reply(&truncated))]
    }

    fn handle_connect(&mut self, _at: Duration) -> Connect {
        Connect::Accept(millis(1))
    }

    fn open(&mut self, _transport: Transport, _at: Duration) -> Result<(), SocketError> {
        Ok(())
    }
}

impl Nameserver for Hanging {
    fn handle_query(&mut self, query: &Query, _at: Duration) -> Vec<Reaction> {
        if query.name.starts_with("hang") {
            return Vec::new();
        }
        answer(query, Duration::from_micros(100))
    }

    fn handle_connect(&mut self, _at: Duration) -> Connect {
        Connect::Hang
    }

    fn open(&mut self, _transport: Transport, _at: Duration) -> Result<(), SocketError> {
        Ok(())
    }
}

fn world(server: impl Nameserver + 'static, timeout: Duration) -> World {
    let mut stub = config(1);
    stub.query.timeout = timeout;
    let mut random = Random::new(1);
    let mut world = World::new(stub, None, vec![Box::new(server)], move || random.id());
    world.spread_resends(Random::new(2));
    world.keeps_log = false;
    world
}

fn lookup(world: &mut World, at: Duration, id: u64, name: &str, family: Option<AddressFamily>) {
    let name: HostName = name.parse().unwrap();
    let candidates = candidates(&name, Arc::from([]), SearchRule::default());
    let plan = Plan::Nameservers;
    let lookup = Box::new(Lookup::new(Ask { name, port: 0, family, candidates, plan }));
    world.at(at, Event::Lookup(LookupId(id), lookup, None, None));
}

/// So many lookups of both families in the same instant.
fn burst(world: &mut World, lookups: u64) {
    for number in 0..lookups {
        lookup(world, Duration::ZERO, number, &format!("n{number}.example"), None);
    }
    world.run();
}

/// When a lookup ended.
fn ended(world: &World, id: u64) -> Duration {
    world.consumers[&LookupId(id)].results.last().expect("an end").0
}

#[test]
fn rr17_a_burst_that_would_overrun_a_socket_buffer_loses_nothing() {
    for (lookups, buffer) in [(1_000, 270), (10_000, 270), (10_000, 100), (2_000, 20)] {
        let server = Narrow::new(Duration::from_micros(20), buffer, Duration::from_micros(50));
        let mut world = world(server, millis(5000));
        burst(&mut world, lookups);
        assert_eq!(world.checks.succeeded, lookups, "{lookups} lookups, a buffer of {buffer}");
        let last = (0..lookups).map(|id| ended(&world, id)).max().unwrap();
        assert!(last < millis(2000), "{lookups} lookups, a buffer of {buffer}: {last:?}");
    }
}

#[test]
fn rr17_a_burst_at_a_forwarder_with_a_limit_loses_nothing_and_takes_the_time_of_its_limit() {
    const LOOKUPS: u64 = 5_000;
    // SERVFAIL is what others say beyond their limit.
    for refusal in [OptRcode::REFUSED, OptRcode::SERVFAIL] {
        let (upstream, most) = (millis(20), 150);
        let in_flight = VecDeque::new();
        let mut world = world(Forwarder { upstream, most, in_flight, refusal }, millis(5000));
        burst(&mut world, LOOKUPS);
        assert_eq!(world.checks.succeeded, LOOKUPS);
        let last = (0..LOOKUPS).map(|id| ended(&world, id)).max().unwrap();
        let least = upstream * 2 * u32::try_from(LOOKUPS).unwrap() / 150;
        assert!(last < least * 3 / 2, "{last:?}, {least:?} at least");
    }
}

#[test]
fn rr17_a_burst_over_a_long_path_opens_the_window() {
    const LOOKUPS: u64 = 10_000;
    let server = Narrow::new(Duration::from_micros(5), 2_000, millis(100));
    let mut world = world(server, millis(5000));
    burst(&mut world, LOOKUPS);
    assert_eq!(world.checks.succeeded, LOOKUPS);
    let [nameserver] = &world.stats().nameservers[..] else { panic!("one nameserver") };
    assert_eq!((nameserver.waiting, nameserver.losses), (0, 0));
    assert!(nameserver.window > 500, "{}", nameserver.window);
}

/// A name that hangs takes a place for as long as the nameserver usually takes. Of one that has
/// not answered yet this is a guess, and a careful one: the ten thousand are out after some 600 ms.
#[test]
fn rr17_ten_thousand_names_that_hang_do_not_hold_up_the_next() {
    for is_known in [false, true] {
        let mut world = world(Hanging, millis(5000));
        if is_known {
            lookup(&mut world, Duration::ZERO, 1, "first.example", None);
        }
        for number in 0..10_000 {
            lookup(&mut world, millis(10), 100 + number, &format!("hang{number}.example"), None);
        }
        let moments = [if is_known { 150 } else { 700 }, 1000, 2000, 3000, 4000].map(millis);
        for (id, at) in (10..).zip(moments) {
            lookup(&mut world, at, id, &format!("n{id}.example"), None);
        }
        world.run();
        for (id, at) in (10..).zip(moments) {
            let took = ended(&world, id).saturating_sub(at);
            assert!(took < Duration::from_micros(500), "{took:?} at {at:?}, known: {is_known}");
        }
    }
}

/// Silence in a burst is no failure: while another nameserver fails every question, the one whose
/// buffer was full is asked again.
#[test]
fn rr17_a_burst_loses_nothing_where_the_other_nameserver_fails() {
    for strategy in [NameserverStrategy::Hedged, NameserverStrategy::All] {
        let mut stub = config(2);
        stub.query.strategy = strategy;
        let refusing = Forwarder {
            upstream: millis(1),
            most: 0,
            in_flight: VecDeque::new(),
            refusal: OptRcode::REFUSED,
        };
        let narrow = Narrow::new(millis(3), 4, millis(20));
        let mut random = Random::new(1);
        let servers: Vec<Box<dyn Nameserver>> = vec![Box::new(refusing), Box::new(narrow)];
        let mut world = World::new(stub, None, servers, move || random.id());
        burst(&mut world, 60);
        assert_eq!(world.checks.succeeded, 60, "{strategy:?}");
    }
}

/// And so with errors that name no question, which a forger may have sent.
#[test]
fn rr17_a_burst_loses_nothing_by_what_is_only_a_hint() {
    let mut stub = config(1);
    stub.query.attempts = 1;
    let server = Hinted(Narrow::new(millis(3), 4, millis(20)));
    let mut random = Random::new(1);
    let mut world = World::new(stub, None, vec![Box::new(server)], move || random.id());
    burst(&mut world, 60);
    assert_eq!(world.checks.succeeded, 60);
}

/// Their deadlines are one instant. The thread delivers a turn's ends before it looks at the rest.
#[test]
fn rr25_ten_thousand_names_that_hang_end_a_turns_share_at_a_time() {
    const SHARE: usize = 256;
    let mut world = world(Hanging, millis(5000));
    for number in 0..10_000 {
        lookup(&mut world, Duration::ZERO, number, &format!("hang{number}.example"), None);
    }
    let mut ended = 0;
    while world.step() {
        let now = world.consumers.values().filter(|consumer| consumer.has_ended).count();
        assert!(now - ended <= SHARE, "{} ends in a turn", now - ended);
        ended = now;
    }
    assert_eq!((ended, world.elapsed()), (10_000, millis(5000)));
}

/// Truncated names under load wait for none of the timers that take a second: what takes that long
/// in the field is the kernel's, which sends a SYN again after a second where the queue of a busy
/// listener was full.
#[test]
fn rr26_a_burst_of_truncated_names_waits_for_no_timer() {
    const LOOKUPS: u64 = 2_000;
    let mut world = world(Truncating, millis(5000));
    burst(&mut world, LOOKUPS);
    assert_eq!(world.checks.succeeded, LOOKUPS);
    let last = (0..LOOKUPS).map(|id| ended(&world, id)).max().unwrap();
    assert!(last < millis(200), "{last:?}");
}

#[test]
fn a_lookup_whose_turn_did_not_come_says_that_the_burst_was_too_large() {
    // A hundred queries a second.
    let mut world = world(Narrow::new(millis(10), 50, millis(1)), millis(1000));
    for number in 0..1_000 {
        let family = Some(AddressFamily::Ipv4);
        lookup(&mut world, Duration::ZERO, number, &format!("n{number}.example"), family);
    }
    world.run();
    let mut overloaded = 0;
    for consumer in world.consumers.values() {
        let Some((_, LookupResult::End(Err(error)))) = consumer.results.last() else { continue };
        if error.kind() == LookupErrorKind::Overloaded {
            overloaded += 1;
            let [failure] = error.failures() else { panic!("{error}") };
            assert_eq!((failure.cause, failure.elapsed), (FailureCause::NotSent, millis(1000)));
        }
    }
    assert!(overloaded > 300, "{overloaded}");
    assert_eq!(world.stats().nameservers[0].waiting, 0);
}

/// Sent again together, the queries that a full buffer lost would meet it together again.
#[test]
fn the_resends_of_a_burst_are_spread() {
    let stub = config(1);
    let mut random = Random::new(1);
    let server = Narrow::new(Duration::from_micros(20), 20, Duration::from_micros(50));
    let mut world = World::new(stub, None, vec![Box::new(server)], move || random.id());
    world.spread_resends(Random::new(2));
    for number in 0..60 {
        lookup(&mut world, Duration::ZERO, number, &format!("n{number}.example"), None);
    }
    world.run();
    let mut first = HashSet::new();
    let is_resend =
        |record: &&Record| !first.insert((record.query.name.clone(), record.query.record_type));
    let at: Vec<_> = world.log.iter().filter(is_resend).map(|record| record.at).collect();
    let (least, most) = (at.iter().min().unwrap(), at.iter().max().unwrap());
    assert!(most.saturating_sub(*least) > millis(20), "{least:?} to {most:?}");
}
