//! [`Script`]: what a nameserver says, as text or as data.
//!
//! # The text
//!
//! One rule a line; the first rule that fits a query decides. `;` starts a comment.
//!
//! ```text
//! www.example.test.    A        -> answer 192.0.2.1 192.0.2.2 ttl 60
//! slow.example.test.   AAAA     -> delay 300ms, answer 2001:db8::1
//! lossy.example.test.  A    #1  -> drop                       ; the first query only
//! lossy.example.test.  A        -> answer 192.0.2.3           ; every later one
//! long.example.test.   A    udp -> truncate
//! long.example.test.   A    tcp -> answer 192.0.2.1-192.0.2.60
//! alias.example.test.  *        -> answer cname www.example.test. 192.0.2.1
//! none.example.test.   A        -> nodata authority at example.test. soa 30
//! forged.example.test. A        -> wrong-id, then answer 192.0.2.4
//! *.example.test.      *        -> nxdomain
//! ```
//!
//! A rule is a name (`*.` for all below, `*` for all), a type (`*` for all), perhaps `udp` or
//! `tcp`, perhaps `edns` or `no-edns` (whether the query has an OPT record), perhaps the query
//! attempts (`#1`, `#2-4`, `#3+`; counted by name, type and transport), an arrow, and steps with
//! commas between (`then` is a filler word). No step waits for another except by `delay`. A name
//! that no rule has gets NXDOMAIN, a name that has rules for other types only gets NODATA, and a
//! query attempt after the last that has a rule gets nothing.
//!
//! | step | what happens |
//! |---|---|
//! | `delay 300ms` | what follows comes later by so much (`us`, `ms`, `s`) |
//! | `drop` | nothing |
//! | `close`, `reset` | TCP: FIN, or RST |
//! | anything else | one message, of the words below |
//!
//! | word | the message |
//! |---|---|
//! | `answer`, `authority`, `additional` | the section of the records that follow |
//! | `192.0.2.1`, `2001:db8::1` | an A or AAAA record; `192.0.2.1-192.0.2.60` makes a range of them |
//! | `cname NAME` | an alias; the records after it belong to NAME |
//! | `at NAME` | the records after it belong to NAME |
//! | `soa MINIMUM`, `ns NAME`, `rr TYPE HEX` | other records; HEX is the record data, `-` is none |
//! | `ttl N`, `class CH` | of the records before it which have none yet (default 60, IN) |
//! | `nodata`, `nxdomain`, `servfail`, `refused`, `formerr`, `notimp`, `rcode N` | the rcode; above 15 it goes through EDNS |
//! | `truncate` | TC set and no record; `tc` sets the bit alone |
//! | `wrong-id`, `wrong-port`, `wrong-peer` | a forgery; without records it brings [`FORGED_V4`] or [`FORGED_V6`] |
//! | `question NAME TYPE`, `question-class CH`, `no-question`, `two-questions`, `uppercase`, `lowercase` | instead of the question as it came |
//! | `no-qr`, `no-aa`, `no-ra`, `z`, `opcode N` | header bits |
//! | `edns`, `no-edns`, `two-opts`, `badvers` | OPT records; default: one if the query has one |
//! | `header-only` | 12 bytes: no section, all counts zero |
//! | `cut N`, `trailing HEX`, `ancount N` | bytes kept, bytes added, another record count |
//! | `oversize` | over UDP, even if longer than the asker said it takes (default: truncated) |
//! | `size N` | filled up to exactly so many bytes by an EDNS padding option |
//! | `raw HEX` | just these bytes, the first two replaced by the id of the query |
//! | `times N` | so many copies |
//! | `length N`, `unframed` | TCP: another length prefix, or none |
//! | `pieces 1 1 3`, `drip 900ms` | TCP: written in pieces of so many bytes, or byte by byte |
//! | `together N` | TCP: held until N messages wait on this connection, then one write |
//!
//! Lines that start with `$` are about the whole nameserver: `$tcp refuse`, `$tcp black-hole`,
//! `$tcp close` (right after accept), `$tcp mute` (never reads), `$udp refuse` (port unreachable).

mod parse;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use domain::base::iana::{Class, Opcode, OptRcode};
use domain::base::{Name, Rtype};

use super::Transport;

/// The address in a forgery that says nothing else: a lookup that returns it has taken a forged
/// answer.
pub const FORGED_V4: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 66);
/// The same for AAAA.
pub const FORGED_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xbad, 0, 0, 0, 0, 0x66);

pub type OwnedName = Name<Vec<u8>>;

/// What a nameserver says. The module's documentation has the text form.
#[derive(Clone, Debug, Default)]
pub struct Script {
    pub rules: Vec<Rule>,
    pub tcp: TcpService,
    /// Nothing listens: the asker gets an ICMP port unreachable.
    pub udp_refused: bool,
}

/// What a nameserver does with TCP connections as such.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TcpService {
    #[default]
    Serve,
    Refuse,
    BlackHole,
    CloseAtOnce,
    Mute,
}

/// Which queries, and what happens then.
#[derive(Clone, Debug)]
pub struct Rule {
    /// A name, `*.name` for all below it, or `*`.
    pub name: String,
    /// `None`: any.
    pub rtype: Option<Rtype>,
    /// `None`: either.
    pub transport: Option<Transport>,
    /// Whether the query has an OPT record; `None`: either.
    pub edns: Option<bool>,
    /// The first and the last query attempt.
    pub attempts: (usize, usize),
    pub steps: Vec<Step>,
}

/// A query as rules see it.
#[derive(Clone, Debug)]
pub struct Asks {
    /// In lower case, without the final dot.
    pub name: String,
    pub rtype: Rtype,
    pub transport: Transport,
    pub edns: bool,
    pub attempt: usize,
}

/// One thing that a nameserver does about a query.
#[allow(clippy::large_enum_variant, reason = "a script has few, and they are to be read as data")]
#[derive(Clone, Debug)]
pub enum Step {
    Delay(Duration),
    Send(Message),
    Close,
    Reset,
}

/// A message as scripted: how it differs from an empty, honest answer to the query.
#[expect(clippy::struct_excessive_bools, reason = "each is a bit of the header or a fault")]
#[derive(Clone, Debug)]
pub struct Message {
    pub records: Vec<ScriptedRecord>,
    pub rcode: OptRcode,
    pub wrong_id: bool,
    pub origin: Origin,
    pub question: QuestionSection,
    pub qr: bool,
    pub aa: bool,
    pub ra: bool,
    pub tc: bool,
    pub z: bool,
    pub opcode: Opcode,
    /// How many OPT records; `None`: as many as the query has.
    pub opts: Option<usize>,
    pub header_only: bool,
    pub cut: Option<usize>,
    pub trailing: Vec<u8>,
    pub ancount: Option<u16>,
    pub oversize: bool,
    pub size: Option<usize>,
    pub raw: Option<Vec<u8>>,
    pub times: usize,
    pub framing: Framing,
}

/// How a message stands in a TCP stream.
#[derive(Clone, Debug, Default)]
pub struct Framing {
    /// Instead of the true length.
    pub length: Option<u16>,
    pub unframed: bool,
    /// The sizes of the pieces in which it is written; what is left over is the last piece.
    pub pieces: Vec<usize>,
    /// Every piece is one byte, with this time between two.
    pub drip: Option<Duration>,
    /// Held until so many messages wait on the connection.
    pub together: usize,
}

/// Where a datagram comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    #[default]
    Server,
    /// The right address, but another port.
    WrongPort,
    /// Another loopback address, and the right port.
    WrongPeer,
}

/// The question section of a response.
#[derive(Clone, Debug, Default)]
pub enum QuestionSection {
    #[default]
    Echo,
    Uppercase,
    Lowercase,
    None,
    Twice,
    Other(OwnedName, Rtype),
    OtherClass(Class),
}

/// The record sections of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Section {
    #[default]
    Answer,
    Authority,
    Additional,
}

/// One record of a [`Message`].
#[derive(Clone, Debug)]
pub struct ScriptedRecord {
    pub section: Section,
    /// `None`: the name in the query, in the case in which it came.
    pub owner: Option<OwnedName>,
    pub rtype: Rtype,
    pub class: Class,
    pub ttl: u32,
    pub data: Vec<u8>,
}

impl Script {
    /// Reads the text form. Panics with the number of the line that it cannot read.
    #[track_caller]
    pub fn parse(text: &str) -> Self {
        match parse::script(text) {
            Ok(script) => script,
            Err(error) => panic!("{error}"),
        }
    }

    /// What to do about a query: the steps of the first rule that fits, if any rule does.
    pub fn steps(&self, query: &Asks) -> Option<&[Step]> {
        self.rules.iter().find(|rule| rule.fits(query)).map(|rule| rule.steps.as_slice())
    }

    /// What is said about a question that no rule has.
    pub fn default_step(&self, query: &Asks) -> Option<Step> {
        let mut known = false;
        for rule in self.rules.iter().filter(|rule| rule.has_name(&query.name)) {
            if rule.rtype.is_none_or(|wanted| wanted == query.rtype) {
                // There are rules, for other query attempts, the other transport or the like.
                return None;
            }
            known = true;
        }
        let rcode = if known { OptRcode::NOERROR } else { OptRcode::NXDOMAIN };
        Some(Step::Send(Message { rcode, ..Message::default() }))
    }
}

impl From<&str> for Script {
    #[track_caller]
    fn from(text: &str) -> Self {
        Self::parse(text)
    }
}

impl From<String> for Script {
    #[track_caller]
    fn from(text: String) -> Self {
        Self::parse(&text)
    }
}

impl FromIterator<Rule> for Script {
    fn from_iter<I: IntoIterator<Item = Rule>>(rules: I) -> Self {
        Self { rules: rules.into_iter().collect(), ..Self::default() }
    }
}

impl Rule {
    /// Every query for this name and type, over either transport. Panics if they cannot be read.
    #[track_caller]
    pub fn new(name: &str, rtype: &str, steps: impl IntoIterator<Item = Step>) -> Self {
        Self {
            name: parse::owner(name).expect("a name"),
            rtype: parse::rtype(rtype).expect("a record type"),
            transport: None,
            edns: None,
            attempts: (1, usize::MAX),
            steps: steps.into_iter().collect(),
        }
    }

    fn fits(&self, query: &Asks) -> bool {
        self.rtype.is_none_or(|wanted| wanted == query.rtype)
            && self.transport.is_none_or(|wanted| wanted == query.transport)
            && self.edns.is_none_or(|wanted| wanted == query.edns)
            && (self.attempts.0..=self.attempts.1).contains(&query.attempt)
            && self.has_name(&query.name)
    }

    /// Names are kept and compared in lower case, without the final dot.
    fn has_name(&self, name: &str) -> bool {
        match self.name.strip_prefix('*') {
            Some(suffix) => name.ends_with(suffix),
            None => name == self.name,
        }
    }
}

impl Default for Message {
    /// NOERROR, and nothing in it: NODATA.
    fn default() -> Self {
        Self {
            records: Vec::new(),
            rcode: OptRcode::NOERROR,
            wrong_id: false,
            origin: Origin::Server,
            question: QuestionSection::Echo,
            qr: true,
            aa: true,
            ra: true,
            tc: false,
            z: false,
            opcode: Opcode::QUERY,
            opts: None,
            header_only: false,
            cut: None,
            trailing: Vec::new(),
            ancount: None,
            oversize: false,
            size: None,
            raw: None,
            times: 1,
            framing: Framing::default(),
        }
    }
}

impl Message {
    /// These addresses, as A and AAAA records of the name in the query.
    pub fn answer(addrs: impl IntoIterator<Item = IpAddr>) -> Self {
        let records = addrs.into_iter().map(ScriptedRecord::address).collect();
        Self { records, ..Self::default() }
    }

    pub fn is_forged(&self) -> bool {
        self.wrong_id || self.origin != Origin::Server
    }
}

impl ScriptedRecord {
    /// An A or AAAA record of the name in the query.
    pub fn address(addr: IpAddr) -> Self {
        let (rtype, data) = match addr {
            IpAddr::V4(addr) => (Rtype::A, addr.octets().to_vec()),
            IpAddr::V6(addr) => (Rtype::AAAA, addr.octets().to_vec()),
        };
        Self { section: Section::Answer, owner: None, rtype, class: Class::IN, ttl: 60, data }
    }
}
