//! Nameservers, networks and users that do what a fuzzer's bytes say.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::rc::Rc;
use std::time::Duration;

use domain::base::iana::OptRcode;

use super::message::Query;
use super::world::{Connect, Event, Nameserver, Reaction, Record, World, config};
use crate::resolve::error::{RecordType, Transport};
use crate::resolve::fuzzing::{Input, any_response, changed};
use crate::resolve::names::local::LookupConfig;
use crate::resolve::names::local::{Local, local};
use crate::resolve::stub::ids::LookupId;
use crate::resolve::stub::socket_error::SocketError;
use crate::resolve::stub::{Pairing, StubConfig};
use crate::resolve::{
    AddressFamily, AddressPolicy, CacheOptions, LookupOptions, NameserverStrategy,
};
use crate::seeded::Random;
use crate::testkit::framing::framed;
use crate::testkit::script::name;
use crate::testkit::{self, Message, ScriptedRecord};
use crate::{HostName, LookupResult, Target};

/// Random numbers are the same in every run, so that the input alone decides.
fn world(
    config: StubConfig,
    cache: Option<CacheOptions>,
    servers: Vec<Box<dyn Nameserver>>,
) -> World {
    let mut ids = Random::new(1);
    World::new(config, cache, servers, move || ids.id())
}

fn settings(input: &Input, servers: usize) -> StubConfig {
    let mut stub = config(servers);
    let choices = input.byte();
    stub.query.tcp_only = choices & 0x07 == 7;
    stub.query.edns = choices & 0x18 != 0x18;
    stub.rotate = choices & 0x20 != 0;
    stub.pairing = *input.pick(&[Pairing::OneSocket, Pairing::OwnSockets, Pairing::InSequence]);
    stub
}

const FAMILIES: [Option<AddressFamily>; 3] =
    [None, Some(AddressFamily::Ipv4), Some(AddressFamily::Ipv6)];

/// One lookup, at one nameserver, before whose true responses any others arrive.
///
/// None but an address of a valid response comes out of it, which the world's checks see to. If no
/// other message than a true one was a response to the question, its addresses have come out.
pub(in crate::resolve) fn acceptance(bytes: &[u8]) {
    let input = Input::new(bytes);
    let mut config = settings(&input, 1);
    // One failure ends a question, so that none is let pass unseen.
    config.query.attempts = 1;
    let family = *input.pick(&FAMILIES);
    let truths = Rc::<RefCell<HashSet<Vec<u8>>>>::default();
    let truth = Truth { aliases: input.index(3), addresses: 1 + input.index(4) };
    let forger = Forger { input, truth, truths: Rc::clone(&truths), has_broken: Rc::default() };
    let has_broken = Rc::clone(&forger.has_broken);
    let mut world = world(config, None, vec![Box::new(forger)]);
    world.keeps_log = false;
    let id = LookupId(1);
    add_lookup(&mut world, id, "www.example", family, &[], (None, None));
    world.checks.candidates = 1;
    while world.step() {
        // A true response is known as one before it arrives.
        world.checks.reference.truths.extend(truths.borrow_mut().drain());
    }
    world.checks.idle(&world.core, world.open_sockets(), 0);

    if world.checks.reference.others > 0 || has_broken.get() {
        return;
    }
    let mut results = world.consumers[&id].results.iter().map(|(_, result)| result);
    let mut came: Vec<_> = results
        .clone()
        .filter_map(|result| match result {
            LookupResult::Address(addr) => Some(addr.ip()),
            _ => None,
        })
        .collect();
    let types = [(AddressFamily::Ipv4, RecordType::A), (AddressFamily::Ipv6, RecordType::Aaaa)];
    let mut true_ones: Vec<_> = types
        .into_iter()
        .filter(|(this, _)| family.is_none_or(|family| family == *this))
        .flat_map(|(_, record_type)| truth.addresses(record_type))
        .collect();
    came.sort_unstable();
    true_ones.sort_unstable();
    assert_eq!(came, true_ones, "the true addresses, and no others");
    let is_end = |result: &LookupResult| matches!(result, LookupResult::End(Ok(())));
    assert!(results.next_back().is_some_and(is_end), "the end is no failure");
}

/// What is true of the name that is looked up.
#[derive(Clone, Copy)]
struct Truth {
    aliases: usize,
    addresses: usize,
}

impl Truth {
    fn addresses(self, record_type: RecordType) -> impl Iterator<Item = IpAddr> {
        let last = 1..=u8::try_from(self.addresses).expect("a few");
        last.map(move |last| match record_type {
            RecordType::A => Ipv4Addr::new(192, 0, 2, last).into(),
            RecordType::Aaaa => Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, last.into()).into(),
        })
    }

    fn response(self, query: &Query) -> Message {
        let mut message = Message::recursive();
        let mut owner = query.asked.qname.clone();
        for n in 0..self.aliases {
            let target = name(&format!("t{n}.example"));
            message = message.with(ScriptedRecord::alias(&target).of(&owner));
            owner = target;
        }
        let addresses = self.addresses(query.record_type).map(ScriptedRecord::address);
        message.records.extend(addresses.map(|record| record.of(&owner)));
        message
    }
}

/// Sends anything, and then the truth.
struct Forger {
    input: Input,
    truth: Truth,
    truths: Rc<RefCell<HashSet<Vec<u8>>>>,
    /// Whether octets that are no whole message went over a connection.
    has_broken: Rc<Cell<bool>>,
}

impl Nameserver for Forger {
    fn handle_query(&mut self, query: &Query, _at: Duration) -> Vec<Reaction> {
        let truth = query.reply(&self.truth.response(query));
        let count = self.input.index(8);
        let mut messages: Vec<_> = (0..count).map(|_| other(&self.input, query, &truth)).collect();
        messages.push(truth.clone());
        self.truths.borrow_mut().insert(truth);
        if query.transport == Transport::Udp {
            return messages.into_iter().map(at_once).collect();
        }
        let mut octets = messages.iter().flat_map(|message| framed(message)).collect::<Vec<_>>();
        if self.input.byte() > 240 {
            self.has_broken.set(true);
            octets.splice(..0, self.input.take(4).to_vec());
        }
        pieces(&self.input, octets).into_iter().map(at_once).collect()
    }

    fn handle_connect(&mut self, _at: Duration) -> Connect {
        Connect::Accept(Duration::ZERO)
    }

    fn open(&mut self, _transport: Transport, _at: Duration) -> Result<(), SocketError> {
        Ok(())
    }
}

fn at_once(octets: Vec<u8>) -> Reaction {
    Reaction::Bytes(Duration::ZERO, octets)
}

/// A stream in pieces of any length: whole, or in up to 16, the last of them the rest.
fn pieces(input: &Input, octets: Vec<u8>) -> Vec<Vec<u8>> {
    let (mut pieces, mut rest) = (Vec::new(), octets);
    for _ in 0..input.index(16) {
        let behind = rest.split_off(rest.len().min(1 + input.index(64)));
        pieces.push(std::mem::replace(&mut rest, behind));
    }
    pieces.push(rest);
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

/// Any message: a response that is valid, nearly valid, about something else, or nothing at all.
fn other(input: &Input, query: &Query, truth: &[u8]) -> Vec<u8> {
    match input.byte() % 8 {
        0 => changed(input, truth.to_vec()),
        1 => any_response(input, &query.into()),
        2..5 => changed(input, any_response(input, &query.into())),
        5 => changed(input, query.asked.bytes.clone()),
        6 => {
            let rcode = OptRcode::masked_from_int(input.word() % 32);
            query.reply(&Message::header_only(rcode))
        }
        _ => [&truth[..input.index(16)], input.take(input.index(64))].concat(),
    }
}

/// Several users, nameservers and names, and a network that does anything at any time.
pub(in crate::resolve) fn query_machine(bytes: &[u8]) {
    /// More would make an input slow, and say nothing new.
    const MAX_STEPS: usize = 128;

    let input = Input::new(bytes);
    let mut config = settings(&input, 1 + input.index(3));
    config.query.strategy = *input.pick(&[
        NameserverStrategy::Hedged,
        NameserverStrategy::All,
        NameserverStrategy::InTurn,
    ]);
    config.query.timeout = *input.pick(&[5000, 1000, 200].map(Duration::from_millis));
    config.query.attempts = *input.pick(&[2, 1, 3, 5]);
    config.max_sockets = *input.pick(&[256, 1, 4]);
    let search: Vec<HostName> =
        ["a", "b.b"][..input.index(3)].iter().map(|name| name.parse().unwrap()).collect();
    let servers = config.nameservers.iter().map(|_| {
        let server: Box<dyn Nameserver> = Box::new(Server { input: input.clone() });
        server
    });
    let servers = servers.collect();
    let hour = Duration::from_secs(3600);
    let cache = match input.byte() % 4 {
        0 => None,
        1 => Some(CacheOptions::new()),
        2 => Some(CacheOptions::new().serve_stale(hour).prefetch(true)),
        _ => Some(CacheOptions::new().entries(16).finish_dropped(true)),
    };
    let mut world = world(config, cache, servers);
    world.checks.candidates = 3;
    let mut lookups = 0;
    for _ in 0..MAX_STEPS {
        if input.is_used_up() {
            break;
        }
        step(&mut world, &input, &mut lookups, &search);
        world.run_until(world.elapsed());
    }
    world.run();
}

/// One thing that a user or the network does.
fn step(world: &mut World, input: &Input, lookups: &mut u64, search: &[HostName]) {
    const MAX_LOOKUPS: u64 = 32;
    let now = world.elapsed();
    let any_lookup = || LookupId(u64::from(input.byte()) % (*lookups).max(1));
    let event = match input.byte() % 16 {
        0..4 if *lookups < MAX_LOOKUPS => {
            let name = *input.pick(&["n1", "n2", "n3", "n4.example"]);
            let family = *input.pick(&FAMILIES);
            let timeout = *input.pick(&[None, None, Some(100), Some(2000), Some(0)]);
            let pace = *input.pick(&[None, None, Some((1, 100)), Some((2, 3000))]);
            let pace = pace.map(|(count, millis)| (count, Duration::from_millis(millis)));
            let id = LookupId(*lookups);
            *lookups += 1;
            let limits = (timeout.map(Duration::from_millis), pace);
            return add_lookup(world, id, name, family, search, limits);
        }
        4 => Event::Drop(any_lookup()),
        5 => Event::Cancel(any_lookup()),
        6..9 => return world.pass(delay(input)),
        9..14 => {
            let Some(Record { socket, query, .. }) = recent(world, input) else { return };
            let octets = match input.byte() % 4 {
                0 => query.reply(&zone(&query)),
                _ => other(input, &query, &query.reply(&zone(&query))),
            };
            match query.transport {
                Transport::Udp => Event::Datagram(socket, octets),
                Transport::Tcp if input.byte() < 224 => Event::Stream(socket, framed(&octets)),
                Transport::Tcp => Event::Stream(socket, octets),
            }
        }
        14 => change(world, input),
        _ => {
            let Some(Record { socket, query, .. }) = recent(world, input) else { return };
            let kind = *input.pick(&ERRORS);
            match query.transport {
                Transport::Udp => Event::UdpError(socket, kind),
                Transport::Tcp => Event::StreamError(socket, kind),
            }
        }
    };
    world.at(now, event);
}

/// Something that is not about one lookup.
fn change(world: &World, input: &Input) -> Event {
    match input.byte() % 4 {
        0 => Event::ClearCache,
        1 => Event::Forget(input.pick(&["n1", "n2.a", "t.n3"]).parse().expect("a name")),
        2 => Event::Suspend(delay(input)),
        _ => {
            let mut nameservers = world.nameservers().to_vec();
            let by = input.index(nameservers.len());
            nameservers.rotate_left(by);
            Event::NextGeneration(nameservers)
        }
    }
}

const ERRORS: [SocketError; 5] = [
    SocketError::Failed(ErrorKind::ConnectionRefused),
    SocketError::Failed(ErrorKind::ConnectionReset),
    SocketError::Failed(ErrorKind::UnexpectedEof),
    SocketError::OutOfResources,
    SocketError::Failed(ErrorKind::NetworkUnreachable),
];

/// One of the queries that went out last.
fn recent(world: &World, input: &Input) -> Option<Record> {
    let back = 1 + input.index(16);
    world.log.iter().nth_back(back.min(world.log.len()).checked_sub(1)?).cloned()
}

fn delay(input: &Input) -> Duration {
    Duration::from_millis(*input.pick(&[1, 0, 5, 50, 300, 1000, 2500, 6000]))
}

fn add_lookup(
    world: &mut World,
    id: LookupId,
    name: &str,
    family: Option<AddressFamily>,
    search: &[HostName],
    (timeout, pace): (Option<Duration>, Option<(usize, Duration)>),
) {
    let target = Target::new(name.parse::<HostName>().expect("a name").into(), Some(443));
    let config = LookupConfig { search: search.into(), ..LookupConfig::default() };
    let (options, policy) = (LookupOptions::default().family(family), AddressPolicy::default());
    let local = local(&target, &options, &config, &policy);
    if let Local::Ask(ask) = &local {
        world.checks.reference.lookup(id, ask.candidates.clone());
    }
    world.lookup_at(world.elapsed(), id, local, policy, (timeout, pace));
}

/// What is true of a name: a function of its text and of the type.
fn zone(query: &Query) -> Message {
    let text = query.name.as_str();
    let sum = text.bytes().fold(0_u8, |sum, byte| sum.wrapping_mul(7).wrapping_add(byte));
    let address = |last: u8| {
        ScriptedRecord::address(match query.record_type {
            RecordType::A => Ipv4Addr::new(192, 0, 2, last).into(),
            RecordType::Aaaa => Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, last.into()).into(),
        })
    };
    let empty = Message::recursive();
    match sum % 5 {
        0 if text.len() < 60 => empty.with(ScriptedRecord::alias(&name(&format!("t.{text}")))),
        1 => Message { rcode: OptRcode::NXDOMAIN, ..empty }.with(ScriptedRecord::soa(60)),
        2 if query.record_type == RecordType::A => empty,
        _ => empty.with(address(sum)).with(address(!sum)),
    }
}

/// A nameserver, and the path to it.
struct Server {
    input: Input,
}

impl Nameserver for Server {
    fn handle_query(&mut self, query: &Query, _at: Duration) -> Vec<Reaction> {
        let input = &self.input;
        let mut truth = zone(query);
        let message = match input.byte() % 16 {
            0..5 => query.reply(&truth),
            5..7 => return Vec::new(),
            7..11 => other(input, query, &query.reply(&truth)),
            11 => {
                truth.tc = true;
                query.reply(&truth)
            }
            12 => {
                let rcode = OptRcode::masked_from_int(*input.pick(&[2, 5, 1, 4, 16]));
                query.reply(&Message { rcode, ..Message::recursive() })
            }
            13 => {
                truth.wrong_id = true;
                testkit::bytes(&truth, &query.asked, input.word().into())
            }
            14 => query.reply(&Message::lame()),
            _ => return vec![Reaction::Error(delay(input), *input.pick(&ERRORS))],
        };
        if query.transport == Transport::Udp {
            let copies = 1 + usize::from(input.byte() > 200);
            let message = Reaction::Bytes(delay(input), message);
            return vec![message; copies];
        }
        let mut at = delay(input);
        let mut reactions = Vec::new();
        for piece in pieces(input, framed(&message)) {
            reactions.push(Reaction::Bytes(at, piece));
            at += Duration::from_millis(1);
        }
        if input.byte() > 224 {
            reactions.truncate(1);
            reactions.push(Reaction::Error(at, *input.pick(&ERRORS)));
        }
        reactions
    }

    fn handle_connect(&mut self, _at: Duration) -> Connect {
        match self.input.byte() % 8 {
            6 => Connect::Refuse(delay(&self.input)),
            7 => Connect::Hang,
            _ => Connect::Accept(delay(&self.input)),
        }
    }

    fn open(&mut self, _transport: Transport, _at: Duration) -> Result<(), SocketError> {
        match self.input.byte() {
            250.. => Err(*self.input.pick(&ERRORS[3..])),
            _ => Ok(()),
        }
    }
}
