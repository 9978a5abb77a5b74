//! Nameservers that do what a text says.

use std::io::ErrorKind;
use std::net::IpAddr;
use std::time::Duration;

use super::message::{Query, Response, framed};
use super::world::{Connect, Nameserver, Reaction};
use crate::resolve::error::{RecordType, Transport};
use crate::resolve::stub::socket_error::SocketError;

/// From a query to its response, unless the script says otherwise.
const ROUND_TRIP: Duration = Duration::from_millis(1);

/// A nameserver that follows a script: rules, parted by `;`, of which the first that fits counts.
///
/// ```text
/// www.example A      -> drop, drop, answer 192.0.2.1
/// www.example * tcp  -> delay 40 answer 192.0.2.1
/// *           *      -> nxdomain
/// connect            -> refuse
/// open               -> quota 300
/// ```
///
/// The n-th query that a rule fits gets its n-th reply, and the last reply from then on. A reply is
/// one or more messages, parted by `+`; each may begin with `delay` and milliseconds, with `ttl`
/// and seconds (300 otherwise), or with a number and `x` for copies. Without a rule that fits, the
/// answer is NODATA.
///
/// `connect` is about TCP connections: `accept`, `refuse`, `hang`. `open` is about the sockets of
/// the resolver's own host: `ok`, `quota` and the milliseconds from the start until there are
/// descriptors again, `unreachable`.
pub(super) struct Script {
    rules: Vec<Rule>,
}

struct Rule {
    subject: Vec<String>,
    replies: Vec<String>,
    uses: usize,
}

impl Script {
    pub(super) fn new(text: &str) -> Self {
        let rules = text.split([';', '\n']).map(str::trim).filter(|rule| !rule.is_empty());
        let rules = rules.map(|rule| {
            let (subject, replies) = rule.split_once("->").expect("a rule has an arrow");
            Rule {
                subject: subject.split_whitespace().map(str::to_owned).collect(),
                replies: replies.split(',').map(|reply| reply.trim().to_owned()).collect(),
                uses: 0,
            }
        });
        Self { rules: rules.collect() }
    }

    fn reply(&mut self, fits: impl Fn(&[String]) -> bool) -> Option<&str> {
        let rule = self.rules.iter_mut().find(|rule| fits(&rule.subject))?;
        let reply = &rule.replies[rule.uses.min(rule.replies.len() - 1)];
        rule.uses += 1;
        Some(reply)
    }
}

impl Nameserver for Script {
    fn handle_query(&mut self, query: &Query, _at: Duration) -> Vec<Reaction> {
        let fits = |subject: &[String]| {
            let is = |at: usize, text: &str| {
                subject.get(at).is_none_or(|word| word == "*" || *word == text)
            };
            let transport = query.transport.to_string().to_lowercase();
            !matches!(subject[0].as_str(), "connect" | "open")
                && is(0, &query.name)
                && is(1, &query.record_type.to_string())
                && is(2, &transport)
        };
        let reply = self.reply(fits).unwrap_or("nodata").to_owned();
        reply.split('+').flat_map(|message| reactions(query, message)).collect()
    }

    fn handle_connect(&mut self, _at: Duration) -> Connect {
        match self.reply(|subject| subject[0] == "connect").unwrap_or("accept") {
            "accept" => Connect::Accept(ROUND_TRIP),
            "refuse" => Connect::Refuse(ROUND_TRIP),
            "hang" => Connect::Hang,
            other => panic!("connect {other}?"),
        }
    }

    fn open(&mut self, _transport: Transport, at: Duration) -> Result<(), SocketError> {
        let reply = self.reply(|subject| subject[0] == "open").unwrap_or("ok").to_owned();
        match *reply.split_whitespace().collect::<Vec<_>>() {
            ["ok"] => Ok(()),
            ["quota", until] if at >= millis(until) => Ok(()),
            ["quota", _] => Err(SocketError::OutOfResources),
            ["unreachable"] => Err(SocketError::Failed(ErrorKind::NetworkUnreachable)),
            _ => panic!("open {reply}?"),
        }
    }
}

fn millis(text: &str) -> Duration {
    Duration::from_millis(text.parse().expect("milliseconds"))
}

fn reactions(query: &Query, message: &str) -> Vec<Reaction> {
    let mut words: Vec<&str> = message.split_whitespace().collect();
    let mut after = ROUND_TRIP;
    if words[0] == "delay" {
        after = millis(words[1]);
        words.drain(..2);
    }
    let mut ttl = None;
    if words[0] == "ttl" {
        ttl = Some(words[1].parse().expect("seconds"));
        words.drain(..2);
    }
    let mut copies = 1;
    if let Some(count) = words[0].strip_suffix('x') {
        copies = count.parse().expect("a number of copies");
        words.remove(0);
    }
    let error = |kind| vec![Reaction::Error(after, kind)];
    match words[0] {
        "drop" => return Vec::new(),
        // ICMP over UDP.
        "refused-port" => return error(SocketError::Failed(ErrorKind::ConnectionRefused)),
        "reset" => return error(SocketError::Failed(ErrorKind::ConnectionReset)),
        "close" => return error(SocketError::Failed(ErrorKind::UnexpectedEof)),
        "drip" => return drip(millis(words[1]), &framed(&bytes(query, &words[2..], ttl))),
        "raw" => {
            let octets = words[1..].iter().map(|octet| u8::from_str_radix(octet, 16).unwrap());
            return vec![Reaction::Bytes(after, octets.collect())];
        }
        _ => {}
    }
    let message = bytes(query, &words, ttl);
    let bytes = match query.transport {
        Transport::Udp => message,
        Transport::Tcp => framed(&message),
    };
    vec![Reaction::Bytes(after, bytes); copies]
}

/// One octet at a time.
fn drip(pause: Duration, bytes: &[u8]) -> Vec<Reaction> {
    let at = (1..).map(|n| pause * n);
    at.zip(bytes).map(|(at, &byte)| Reaction::Bytes(at, vec![byte])).collect()
}

fn bytes(query: &Query, words: &[&str], ttl: Option<u32>) -> Vec<u8> {
    let name = query.name.clone();
    let mut response = Response::to(query);
    response.ttl = ttl.unwrap_or(response.ttl);
    let with = |mut response: Response, owner: &str, addresses: &[&str]| {
        for address in addresses {
            response = response.address(owner, address.parse::<IpAddr>().expect("an address"));
        }
        response
    };
    match *words {
        ["answer", ref addresses @ ..] => response = with(response, &name, addresses),
        ["cname", target, ref addresses @ ..] => {
            response = with(response.alias(&name, target), target, addresses);
        }
        // Links from the name on, and the addresses of the last one's target.
        ["chain", ref links @ ..] => {
            for (owner, target) in std::iter::once(&name.as_str()).chain(links).zip(links) {
                response = response.alias(owner, target);
            }
        }
        ["nodata"] => response.has_soa = true,
        ["nxdomain"] => (response.rcode, response.has_soa) = (3, true),
        ["nxdomain", "without-ra"] => {
            (response.rcode, response.recurses, response.is_authoritative) = (3, false, true);
        }
        ["authoritative-nodata"] => {
            (response.recurses, response.is_authoritative) = (false, true);
        }
        ["lame"] => (response.recurses, response.has_opt) = (false, false),
        ["lame", "opt"] => (response.recurses, response.has_opt) = (false, true),
        ["truncate", ref addresses @ ..] => {
            response = with(response, &name, addresses);
            response.is_truncated = true;
        }
        ["header", code] => return response.rcode(rcode(code)).header_alone(),
        ["plain", code] => {
            response.has_opt = false;
            response.rcode = rcode(code);
        }
        ["ext-rcode", code] => {
            (response.rcode, response.has_opt) = (code.parse().expect("a code"), true);
        }
        ["wrong-id", ref addresses @ ..] => {
            response.id = !response.id;
            response = with(response, &name, addresses);
        }
        ["wrong-id-truncate"] => (response.id, response.is_truncated) = (!query.id, true),
        ["wrong-name", ref addresses @ ..] => {
            response.questions[0].0 = format!("x.{name}");
            response = with(response, &name, addresses);
        }
        ["wrong-name-truncate"] => {
            response.questions[0].0 = format!("x.{name}");
            response.is_truncated = true;
        }
        ["wrong-type", ref addresses @ ..] => {
            response.questions[0].1 = if query.record_type == RecordType::A { 28 } else { 1 };
            response = with(response, &name, addresses);
        }
        ["wrong-class", ref addresses @ ..] => {
            response.questions[0].2 = 3;
            response = with(response, &name, addresses);
        }
        ["upper-case", ref addresses @ ..] => {
            response.questions[0].0 = name.to_uppercase();
            response = with(response, &name, addresses);
        }
        ["no-question", ref addresses @ ..] => {
            response.questions.clear();
            response = with(response, &name, addresses);
        }
        ["two-questions", ref addresses @ ..] => {
            let again = response.questions[0].clone();
            response.questions.push(again);
            response = with(response, &name, addresses);
        }
        ["opcode", ref addresses @ ..] => {
            response.opcode = 5;
            response = with(response, &name, addresses);
        }
        ["z", ref addresses @ ..] => {
            response.z = true;
            response = with(response, &name, addresses);
        }
        ["owner", owner, ref addresses @ ..] => response = with(response, owner, addresses),
        ["trailing", ref addresses @ ..] => {
            response.trailing = vec![0; 3];
            response = with(response, &name, addresses);
        }
        ["echo"] => return query.bytes.clone(),
        ["empty"] => return Vec::new(),
        ["short"] => return query.bytes[..10].to_vec(),
        ["junk"] => {
            return [&query.bytes[..2], &[0x81, 0x80, 0, 1, 0xff, 0xff, 0, 0, 0, 0, 0xc0][..]]
                .concat();
        }
        [code] => response.rcode = rcode(code),
        _ => panic!("{words:?}?"),
    }
    response.bytes()
}

fn rcode(name: &str) -> u16 {
    match name {
        "noerror" => 0,
        "formerr" => 1,
        "servfail" => 2,
        "nxdomain" => 3,
        "notimp" => 4,
        "refused" => 5,
        "yxdomain" => 6,
        "badvers" => 16,
        other => panic!("code {other}?"),
    }
}
