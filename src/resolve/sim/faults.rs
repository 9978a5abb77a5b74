//! A nameserver and a network of random habits.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use domain::base::Rtype;
use domain::base::iana::{Class, Opcode, OptRcode};

use super::message::Query;
use super::world::{Connect, Nameserver, Reaction};
use crate::resolve::error::{LookupErrorKind, RecordType, Transport};
use crate::resolve::stub::socket_error::SocketError;
use crate::resolve::wire::answer::MAX_ALIAS_LINKS;
use crate::seeded::Random;
use crate::testkit::framing::framed;
use crate::testkit::script::{Section, name};
use crate::testkit::{self, FORGED_V4, FORGED_V6, Message, QuestionSection, ScriptedRecord};

/// Whether a valid answer about a name with this number may have this address.
pub(super) fn is_of(number: u16, ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.octets()[..3] == [10, (number >> 8) as u8, number as u8],
        IpAddr::V6(ip) => ip.segments()[..4] == [0x2001, 0xdb8, 1, number],
    }
}

/// When the response was made that this address stands in, and its TTL: AAAA records tell.
pub(super) fn made_at(ip: IpAddr) -> Option<(Duration, Duration)> {
    let IpAddr::V6(ip) = ip else { return None };
    let [.., high, low, ttl, _] = ip.segments();
    let millis = u64::from(high) << 16 | u64::from(low);
    Some((Duration::from_millis(millis), Duration::from_secs(ttl.into())))
}

/// No query has an id with this bit, so that a forger who guesses is never right: in a million
/// lookups one would be, by chance, on a socket where the same question waits under two ids.
pub(super) const WRONG_ID: u16 = 1;

/// A nameserver with the path to it. All of its habits are chances in a hundred.
pub(super) struct Faults {
    random: Random,
    kind: Kind,
    lost: u64,
    doubled: u64,
    forged: u64,
    truncated: u64,
    broken_stream: u64,
    open_fails: u64,
    edns: Edns,
    /// What it makes of a mixed case; `None`: no query has one.
    case: Option<Case>,
    connect: Connect,
    /// The longest delay, in milliseconds.
    slowness: u64,
    queue: Queue,
}

/// What a nameserver takes of a burst: it reads one datagram after the other, and what finds its
/// socket's buffer full is lost.
struct Queue {
    service: Duration,
    /// How many datagrams the buffer has room for.
    room: u32,
    /// When the last datagram that was taken is served.
    busy_until: Duration,
}

impl Queue {
    fn new(random: &mut Random) -> Self {
        let service = Duration::from_micros(*random.pick(&[0, 100, 300, 1000]));
        Self { service, room: *random.pick(&[16, 64, 256]), busy_until: Duration::ZERO }
    }

    /// How long a datagram that comes now waits until it is served; `None` if it is lost.
    fn take(&mut self, at: Duration) -> Option<Duration> {
        let wait = self.busy_until.saturating_sub(at);
        if wait > self.service * self.room {
            return None;
        }
        let served = wait + self.service;
        self.busy_until = at + served;
        Some(served)
    }
}

/// What a nameserver makes of the case of a question.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Case {
    Kept,
    /// It answers in lower case.
    Folded,
    /// The same, and there is no TCP.
    FoldedWithoutTcp,
}

/// What a nameserver makes of a query with EDNS.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Edns {
    Known,
    /// An error, as RFC 6891 section 7 has it or not.
    Fails(OptRcode),
    /// The query's OPT record, counted as the answer.
    Copied,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Well,
    Silent,
    /// Nothing listens.
    Closed,
    Lame,
    Fails(OptRcode),
    /// Errors of a header alone.
    Terse(OptRcode),
}

impl Faults {
    pub(super) fn new(mut random: Random) -> Self {
        use Kind::{Closed, Fails, Lame, Silent, Terse, Well};
        let kinds = [
            Well,
            Well,
            Well,
            Well,
            Well,
            Silent,
            Closed,
            Lame,
            Fails(OptRcode::SERVFAIL),
            Fails(OptRcode::REFUSED),
            Terse(OptRcode::SERVFAIL),
            Terse(OptRcode::FORMERR),
        ];
        let mut habit = |most: u64| {
            let is_calm = random.percent(50);
            if is_calm { 0 } else { random.below(0..most) }
        };
        let (lost, doubled, forged) = (habit(60), habit(40), habit(80));
        let (truncated, broken_stream, open_fails) = (habit(60), habit(60), habit(30));
        let failures = [OptRcode::FORMERR, OptRcode::NOTIMP, OptRcode::SERVFAIL].map(Edns::Fails);
        let ways = [[Edns::Known; 30].as_slice(), &failures, &[Edns::Copied]].concat();
        let connect = match random.index(6) {
            0 => Connect::Hang,
            1 => Connect::Refuse(random.millis(0..50)),
            _ => Connect::Accept(random.millis(0..50)),
        };
        Self {
            kind: *random.pick(&kinds),
            lost,
            doubled,
            forged,
            truncated,
            broken_stream,
            open_fails,
            edns: *random.pick(&ways),
            case: None,
            connect,
            slowness: *random.pick(&[2, 20, 200, 2000]),
            queue: Queue::new(&mut random),
            random,
        }
    }

    /// One that answers everything that its queue has room for, quicker than it is asked again,
    /// over a path that loses nothing. What a forger sends to those who ask it is another matter.
    pub(super) fn reliable(random: Random, has_queue: bool) -> Self {
        let mut faults = Self::new(random);
        faults.kind = Kind::Well;
        (faults.lost, faults.broken_stream, faults.open_fails) = (0, 0, 0);
        faults.connect = Connect::Accept(faults.random.millis(0..50));
        faults.slowness = 50;
        if faults.edns == Edns::Fails(OptRcode::SERVFAIL) {
            // One that is asked once never gets to be asked without.
            faults.edns = Edns::Copied;
        }
        if has_queue {
            faults.queue.service = Duration::from_micros(*faults.random.pick(&[300, 1000]));
            faults.queue.room = *faults.random.pick(&[4, 16, 64]);
        } else {
            faults.queue.service = Duration::ZERO;
        }
        faults
    }

    /// One that is asked in mixed case.
    pub(super) fn asked_in_mixed_case(mut self, case: Case) -> Self {
        self.case = Some(case);
        if case == Case::FoldedWithoutTcp {
            self.connect = Connect::Refuse(self.random.millis(0..50));
            // The rest would not be had.
            self.truncated = 0;
        }
        self
    }

    fn delay(&mut self) -> Duration {
        self.random.millis(0..self.slowness)
    }

    /// What no valid answer ever holds: it was taken from a forged message.
    fn forged(query: &Query) -> ScriptedRecord {
        ScriptedRecord::address(match query.record_type {
            RecordType::A => FORGED_V4.into(),
            RecordType::Aaaa => FORGED_V6.into(),
        })
    }

    /// Makes a message one that is read for what it says, although it is not as it should be: if
    /// its id and its question were right.
    fn make_lenient(&mut self, message: &mut Message) {
        match self.random.index(7) {
            0 => message.trailing = vec![0; 1 + self.random.index(9)],
            1 => message.tc = true,
            2 => (message.tc, message.header_only) = (true, true),
            3 => message.records.push(ScriptedRecord::new(Rtype::OPT, Vec::new())),
            4 => message.records.push(ScriptedRecord {
                section: Section::Authority,
                ..ScriptedRecord::new(Rtype::SOA, vec![0; 6])
            }),
            _ => {}
        }
    }

    /// A message that answers nothing that was asked. Those with an id of their own are what a
    /// forger sends who does not know it; the others are broken in another way.
    fn forgery(&mut self, query: &Query) -> Vec<u8> {
        let mut message = Message::recursive().with(Self::forged(query));
        self.make_lenient(&mut message);
        // The case is all that this forger does not know: the name as everyone writes it is no
        // guess.
        let is_mixed = query.wire_name.iter().any(u8::is_ascii_uppercase);
        if self.case.is_some() && is_mixed && self.random.percent(40) {
            message.question = QuestionSection::Lowercase;
            return query.reply(&message);
        }
        match self.random.index(13) {
            0..3 => {
                // It differs by an odd number, and no query has an odd id.
                message.wrong_id = true;
                let copy = usize::from(self.random.id() & !WRONG_ID);
                return testkit::bytes(&message, &query.asked, copy);
            }
            3 => {
                let other = name(&format!("x.{}", query.name));
                message.question = QuestionSection::Other(other, query.asked.rtype);
            }
            4 => {
                let is_a = query.record_type == RecordType::A;
                let other = if is_a { Rtype::AAAA } else { Rtype::A };
                message.question = QuestionSection::Other(query.asked.qname.clone(), other);
            }
            5 => message.question = QuestionSection::OtherClass(Class::CH),
            6 => message.question = QuestionSection::None,
            7 => message.qr = false,
            // It denies the name, with something behind it. On a connection it would be the
            // nameserver's own.
            8 if query.transport == Transport::Udp => {
                let denial = Message::recursive().with(ScriptedRecord::soa(60));
                message = Message { rcode: OptRcode::NXDOMAIN, trailing: vec![0], ..denial };
            }
            8 => message.question = QuestionSection::Twice,
            9 => message.opcode = Opcode::UPDATE,
            10 => message.echo = true,
            // An error that names no question. On a connection it would be the nameserver's own.
            11 if query.transport == Transport::Udp => {
                let codes = [OptRcode::FORMERR, OptRcode::SERVFAIL, OptRcode::REFUSED];
                message = Message::header_only(*self.random.pick(&codes));
            }
            _ => {
                // In its answer section. On a connection there would be no other response.
                message = Message::recursive().with(Self::forged(query));
                message.opts = Some(0);
                let question_end = 12 + query.wire_name.len() + 4;
                let end = match query.transport {
                    Transport::Udp => query.reply(&message).len(),
                    Transport::Tcp => question_end,
                };
                message.cut = Some(self.random.index(end));
            }
        }
        query.reply(&message)
    }

    /// What this nameserver says to a query that it got.
    fn reply(&mut self, query: &Query, at: Duration) -> Option<Vec<u8>> {
        let folded;
        let query = if matches!(self.case, None | Some(Case::Kept)) {
            query
        } else {
            folded = query.in_lower_case();
            &folded
        };
        let message = match self.kind {
            Kind::Well => match self.edns {
                Edns::Fails(rcode) if query.edns => {
                    Message { rcode, opts: Some(0), ..Message::recursive() }
                }
                Edns::Copied if query.edns => {
                    let opt = ScriptedRecord::new(Rtype::OPT, Vec::new());
                    Message { opts: Some(0), ..Message::recursive() }.with(opt)
                }
                _ => return Some(self.answer(query, at)),
            },
            Kind::Silent | Kind::Closed => return None,
            Kind::Lame => Message::lame(),
            Kind::Fails(rcode) => Message { rcode, ..Message::recursive() },
            Kind::Terse(rcode) => Message::header_only(rcode),
        };
        Some(query.reply(&message))
    }

    fn answer(&mut self, query: &Query, at: Duration) -> Vec<u8> {
        let mut message = zone(query, at);
        if query.transport == Transport::Udp && self.random.percent(self.truncated) {
            message.tc = true;
            message.records.truncate(self.random.index(3));
        } else if self.random.percent(10) {
            // The address of another name, in a valid response.
            message = message.with(Self::forged(query).of(&name("bank.example")));
        }
        query.reply(&message)
    }

    fn handle_datagram(&mut self, query: &Query, at: Duration) -> Vec<Reaction> {
        let mut reactions = Vec::new();
        while self.random.percent(self.forged) && reactions.len() < 40 {
            reactions.push(Reaction::Bytes(self.delay(), self.forgery(query)));
        }
        if self.kind == Kind::Closed {
            reactions.push(Reaction::Error(
                self.delay(),
                SocketError::Failed(ErrorKind::ConnectionRefused),
            ));
        }
        if self.random.percent(self.lost) {
            return reactions;
        }
        let Some(served) = self.queue.take(at) else { return reactions };
        if let Some(reply) = self.reply(query, at) {
            while {
                reactions.push(Reaction::Bytes(served + self.delay(), reply.clone()));
                self.random.percent(self.doubled)
            } {}
        }
        reactions
    }

    fn handle_stream(&mut self, query: &Query, made: Duration) -> Vec<Reaction> {
        let mut bytes = Vec::new();
        while self.random.percent(self.forged) && bytes.len() < 4000 {
            bytes.extend(framed(&self.forgery(query)));
        }
        let Some(reply) = self.reply(query, made) else { return Vec::new() };
        bytes.extend(framed(&reply));
        let breaks = self.random.percent(self.broken_stream);
        if breaks {
            bytes.truncate(self.random.index(bytes.len() + 1));
        }
        let mut reactions = Vec::new();
        let mut at = self.delay();
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(1 + self.random.index(rest.len()));
            reactions.push(Reaction::Bytes(at, piece.to_vec()));
            at += self.random.millis(0..5);
            rest = behind;
        }
        if breaks {
            let kinds =
                [ErrorKind::ConnectionReset, ErrorKind::UnexpectedEof].map(SocketError::Failed);
            reactions.push(Reaction::Error(at, *self.random.pick(&kinds)));
        }
        reactions
    }
}

impl Nameserver for Faults {
    fn handle_query(&mut self, query: &Query, at: Duration) -> Vec<Reaction> {
        match query.transport {
            Transport::Udp => self.handle_datagram(query, at),
            Transport::Tcp => self.handle_stream(query, at),
        }
    }

    fn handle_connect(&mut self, _at: Duration) -> Connect {
        self.connect
    }

    fn open(&mut self, _transport: Transport, _at: Duration) -> Result<(), SocketError> {
        if self.random.percent(self.open_fails) {
            let kinds =
                [SocketError::OutOfResources, SocketError::Failed(ErrorKind::NetworkUnreachable)];
            return Err(*self.random.pick(&kinds));
        }
        Ok(())
    }
}

/// What a name has of one record type: a function of its text, the same from every nameserver.
enum Fact {
    NxDomain,
    NoData,
    /// An alias, and nothing about its target.
    Alias(String),
    /// An alias with so many addresses of its target.
    AliasWith(String, u8),
    Addresses(u8),
}

/// The fact, and its TTL.
fn fact(name: &str, record_type: RecordType) -> (Fact, u16) {
    let is_v6 = record_type == RecordType::Aaaa;
    let hash = name.bytes().fold(u64::from(is_v6), |hash, byte| hash * 31 + u64::from(byte));
    let alias = format!("t{}.{name}", hash % 7);
    let fact = match hash % 11 {
        0..3 => Fact::NxDomain,
        3 => Fact::NoData,
        4 if name.len() < 60 => Fact::Alias(alias),
        5 => Fact::AliasWith(alias, 2),
        6 => Fact::Addresses(40),
        _ => Fact::Addresses(1 + (hash % 4) as u8),
    };
    (fact, [0, 1, 2, 5, 60][(hash % 5) as usize])
}

/// The target of the alias that this name is, if it has to be asked for.
pub(super) fn alias_of(name: &str) -> Option<String> {
    [RecordType::A, RecordType::Aaaa].into_iter().find_map(|record_type| {
        match fact(name, record_type).0 {
            Fact::Alias(target) => Some(target),
            _ => None,
        }
    })
}

fn zone(query: &Query, at: Duration) -> Message {
    let (fact, ttl) = fact(&query.name, query.record_type);
    let made = u32::try_from(at.as_millis()).expect("less than 49 days");
    let addresses = |owner: &str, count| {
        let address = |n| address(owner, n, query.record_type, made, ttl);
        (1..=count).map(address).map(ScriptedRecord::address).collect::<Vec<_>>()
    };
    let (mut rcode, mut records) = (OptRcode::NOERROR, Vec::new());
    match fact {
        Fact::NxDomain => (rcode, records) = (OptRcode::NXDOMAIN, vec![ScriptedRecord::soa(60)]),
        Fact::NoData => {}
        Fact::Alias(alias) => records.push(ScriptedRecord::alias(&name(&alias))),
        Fact::AliasWith(alias, count) => {
            let target = name(&alias);
            records.push(ScriptedRecord::alias(&target));
            records.extend(addresses(&alias, count).into_iter().map(|record| record.of(&target)));
        }
        Fact::Addresses(count) => records = addresses(&query.name, count),
    }
    for record in &mut records {
        record.ttl = ttl.into();
    }
    // Only chance truncates.
    Message { rcode, records, oversize: true, ..Message::recursive() }
}

/// What a lookup of these names, in their order, must find where nothing is lost: its addresses,
/// sorted and [`timeless`], or the kind of its error. `None` if it meets more aliases than a lookup
/// follows. No nameserver is asked about a name that is refused.
pub(super) fn truth(
    candidates: impl IntoIterator<Item = String>,
    record_types: &[RecordType],
    is_refused: impl Fn(&str) -> bool,
) -> Option<Result<Vec<IpAddr>, LookupErrorKind>> {
    let mut error = LookupErrorKind::NotFound;
    for candidate in candidates {
        let mut found = Vec::new();
        for &record_type in record_types {
            let (mut name, mut aliases) = (candidate.clone(), 0);
            let (owner, count) = loop {
                if is_refused(&name) {
                    break (name, 0);
                }
                match fact(&name, record_type).0 {
                    Fact::NxDomain => break (name, 0),
                    Fact::NoData => {
                        error = LookupErrorKind::NoAddress;
                        break (name, 0);
                    }
                    Fact::Alias(_) if aliases == MAX_ALIAS_LINKS => return None,
                    Fact::Alias(alias) => (name, aliases) = (alias, aliases + 1),
                    Fact::AliasWith(alias, count) => break (alias, count),
                    Fact::Addresses(count) => break (name, count),
                }
            };
            found.extend((1..=count).map(|n| address(&owner, n, record_type, 0, 0)));
        }
        if !found.is_empty() {
            found.sort_unstable();
            return Some(Ok(found));
        }
    }
    Some(Err(error))
}

/// The address of this number. Somewhere in a name stands a label `n` with the name's number, which
/// all of its addresses carry; those of IPv6 also when they were given out, and for how long.
fn address(owner: &str, n: u8, record_type: RecordType, made: u32, ttl: u16) -> IpAddr {
    let number: u16 = owner
        .split('.')
        .find_map(|label| label.strip_prefix('n')?.parse().ok())
        .expect("a label with the number");
    let [high, low] = number.to_be_bytes();
    let made = [(made >> 16) as u16, made as u16];
    match record_type {
        RecordType::A => Ipv4Addr::new(10, high, low, n).into(),
        RecordType::Aaaa => {
            Ipv6Addr::new(0x2001, 0xdb8, 1, number, made[0], made[1], ttl, n.into()).into()
        }
    }
}

/// The address without what it tells of its time.
pub(super) fn timeless(ip: &IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => *ip,
        IpAddr::V6(ip) => {
            let mut segments = ip.segments();
            segments[4..7].fill(0);
            Ipv6Addr::from(segments).into()
        }
    }
}
