//! A nameserver and a network of random habits.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::message::{Query, Response, framed};
use super::random::Random;
use super::world::{Connect, Nameserver, Reaction};
use crate::resolve::error::{RecordType, Transport};

/// What no valid answer ever holds: an address from here was taken from a forged message.
const FORGED_V4: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 66);
const FORGED_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xbad, 0, 0, 0, 0, 1);

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

/// A nameserver with the path to it. All of its habits are chances in a hundred.
pub(super) struct Weather {
    random: Random,
    kind: Kind,
    lost: u64,
    doubled: u64,
    forged: u64,
    truncated: u64,
    broken_stream: u64,
    open_fails: u64,
    knows_edns: bool,
    connect: Connect,
    /// The longest delay, in milliseconds.
    slowness: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Well,
    Silent,
    /// Nothing listens.
    Closed,
    Lame,
    Fails(u16),
    /// Errors of a header alone.
    Terse(u16),
}

impl Weather {
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
            Fails(2),
            Fails(5),
            Terse(2),
            Terse(1),
        ];
        let mut habit = |most: u64| {
            let is_calm = random.percent(50);
            if is_calm { 0 } else { random.below(0..most) }
        };
        let (lost, doubled, forged) = (habit(60), habit(40), habit(80));
        let (truncated, broken_stream, open_fails) = (habit(60), habit(60), habit(30));
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
            knows_edns: random.percent(90),
            connect,
            slowness: *random.pick(&[2, 20, 200, 2000]),
            random,
        }
    }

    fn delay(&mut self) -> Duration {
        self.random.millis(0..self.slowness)
    }

    fn forged_ip(query: &Query) -> IpAddr {
        match query.record_type {
            RecordType::A => FORGED_V4.into(),
            RecordType::Aaaa => FORGED_V6.into(),
        }
    }

    /// A message that answers nothing that was asked. Those with an id of their own are what a forger
    /// sends who does not know it; the others are broken in another way.
    fn forgery(&mut self, query: &Query) -> Vec<u8> {
        let mut response = Response::to(query).address(&query.name, Self::forged_ip(query));
        match self.random.index(12) {
            0..3 => response.id = query.id.wrapping_add(1 + self.random.id() % 0xfffe),
            3 => response.questions[0].0 = format!("x.{}", query.name),
            4 => response.questions[0].1 ^= 1 ^ 28,
            5 => response.questions[0].2 = 3,
            6 => response.questions.clear(),
            7 => response.is_response = false,
            8 => response.trailing = vec![0; 1 + self.random.index(9)],
            9 => response.opcode = 5,
            10 => return query.bytes.clone(),
            _ => {
                let len = self.random.index(response.bytes().len());
                return response.bytes()[..len].to_vec();
            }
        }
        response.bytes()
    }

    /// What this nameserver says to a query that it got.
    fn reply(&mut self, query: &Query, at: Duration) -> Option<Vec<u8>> {
        if query.edns && !self.knows_edns && self.kind == Kind::Well {
            let mut response = Response::to(query).rcode(1);
            response.has_opt = false;
            return Some(response.bytes());
        }
        match self.kind {
            Kind::Well => {}
            Kind::Silent | Kind::Closed => return None,
            Kind::Lame => {
                let mut response = Response::to(query);
                (response.recurses, response.has_opt) = (false, false);
                return Some(response.bytes());
            }
            Kind::Fails(code) => return Some(Response::to(query).rcode(code).bytes()),
            Kind::Terse(code) => return Some(Response::to(query).rcode(code).header_alone()),
        }
        let mut response = zone(query, at);
        if query.transport == Transport::Udp && self.random.percent(self.truncated) {
            response.is_truncated = true;
            response.answers.clear();
            response = response.address(&query.name, Self::forged_ip(query));
        } else if self.random.percent(10) {
            // An address that nobody asked about, in a valid response.
            response = response.address("bank.example", Self::forged_ip(query));
        }
        Some(response.bytes())
    }

    fn handle_datagram(&mut self, query: &Query, at: Duration) -> Vec<Reaction> {
        let mut reactions = Vec::new();
        while self.random.percent(self.forged) && reactions.len() < 40 {
            reactions.push(Reaction::Bytes(self.delay(), self.forgery(query)));
        }
        if self.kind == Kind::Closed {
            reactions.push(Reaction::Error(self.delay(), io::ErrorKind::ConnectionRefused));
        }
        if self.random.percent(self.lost) {
            return reactions;
        }
        if let Some(reply) = self.reply(query, at) {
            while {
                reactions.push(Reaction::Bytes(self.delay(), reply.clone()));
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
            let kinds = [io::ErrorKind::ConnectionReset, io::ErrorKind::UnexpectedEof];
            reactions.push(Reaction::Error(at, *self.random.pick(&kinds)));
        }
        reactions
    }
}

impl Nameserver for Weather {
    fn handle_query(&mut self, query: &Query, at: Duration) -> Vec<Reaction> {
        match query.transport {
            Transport::Udp => self.handle_datagram(query, at),
            Transport::Tcp => self.handle_stream(query, at),
        }
    }

    fn handle_connect(&mut self, _at: Duration) -> Connect {
        self.connect
    }

    fn open(&mut self, _transport: Transport, _at: Duration) -> io::Result<()> {
        if self.random.percent(self.open_fails) {
            let kinds = [io::ErrorKind::QuotaExceeded, io::ErrorKind::NetworkUnreachable];
            return Err((*self.random.pick(&kinds)).into());
        }
        Ok(())
    }
}

/// What is true of a name: a function of its text, the same from every nameserver. Somewhere in a name
/// stands a label `n` with its number, which all of its addresses carry; those of IPv6 also when they
/// were given out, and for how long.
fn zone(query: &Query, at: Duration) -> Response {
    let mut response = Response::to(query);
    let name = query.name.as_str();
    let is_v6 = query.record_type == RecordType::Aaaa;
    let hash = name.bytes().fold(u64::from(is_v6), |hash, byte| hash * 31 + u64::from(byte));
    let alias = format!("t{}.{name}", hash % 7);
    response.ttl = [0, 1, 2, 5, 60][(hash % 5) as usize];
    match hash % 11 {
        0..3 => {
            let mut response = response.rcode(3);
            response.has_soa = true;
            response
        }
        3 => response,
        4 if name.len() < 60 => response.alias(name, &alias),
        5 => addresses(response.alias(name, &alias), &alias, 2, is_v6, at),
        6 => addresses(response, name, 40, is_v6, at),
        _ => addresses(response, name, 1 + hash % 4, is_v6, at),
    }
}

fn addresses(
    mut response: Response,
    owner: &str,
    count: u64,
    is_v6: bool,
    at: Duration,
) -> Response {
    let number: u16 = owner
        .split('.')
        .find_map(|label| label.strip_prefix('n')?.parse().ok())
        .expect("a label with the number");
    let made = u32::try_from(at.as_millis()).expect("less than 49 days");
    for n in 1..=count {
        let [high, low] = number.to_be_bytes();
        let ip: IpAddr = if is_v6 {
            let (n, ttl) = (u16::try_from(n).expect("few"), response.ttl as u16);
            let made = [(made >> 16) as u16, made as u16];
            Ipv6Addr::new(0x2001, 0xdb8, 1, number, made[0], made[1], ttl, n).into()
        } else {
            Ipv4Addr::new(10, high, low, u8::try_from(n).expect("few")).into()
        };
        response = response.address(owner, ip);
    }
    response
}
