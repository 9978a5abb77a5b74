//! [`Script`]: what a nameserver says, as text or as data.
//!
//! # The text
//!
//! Rules, parted by newlines or `;`; the first rule that fits a query decides. `//` starts a
//! comment, which ends with its line.
//!
//! ```text
//! www.example.test.    A        -> answer 192.0.2.1 192.0.2.2 ttl 60
//! slow.example.test.   AAAA     -> delay 300ms, answer 2001:db8::1
//! lossy.example.test.  A        -> drop | drop | answer 192.0.2.3   // from the third query on
//! split.example.test.  A    #1  -> drop                       // the first query for this name
//! split.example.test.  A        -> answer 192.0.2.3           // every later one
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
//! attempts (`#1`, `#2-4`, `#3+`; counted by name, type and transport), an arrow, and reactions
//! with `|` between. The n-th query that the rule decides gets the n-th reaction, and the last one
//! from then on; the rule counts them all together, whatever their names.
//!
//! A reaction is steps with commas between (`then` is a filler word). No step waits for another
//! except by `delay`. A name that no rule has gets NXDOMAIN, a name that has rules for other types
//! only gets NODATA, and a query attempt after the last that has a rule gets nothing.
//!
//! | step | what happens |
//! |---|---|
//! | `delay 300ms` | what follows comes later by so much (`us`, `ms`, `s`); delays add up |
//! | `drop` | nothing |
//! | `close`, `reset` | TCP: FIN, or RST |
//! | `port-unreachable` | UDP: the asker's socket gets the ICMP error (simulation) |
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
//! | `wrong-id` | a forgery; without records it brings [`FORGED_V4`] or [`FORGED_V6`] |
//! | `wrong-port`, `wrong-peer` | the same (real sockets: a datagram in the simulation comes from nowhere) |
//! | `question NAME TYPE`, `question-class CH`, `no-question`, `two-questions`, `uppercase`, `lowercase` | instead of the question as it came |
//! | `no-qr`, `no-aa`, `no-ra`, `z`, `opcode N` | header bits (default: QR, AA, RD, RA) |
//! | `edns`, `no-edns`, `two-opts`, `badvers` | OPT records; default: one if the query has one |
//! | `header-only` | 12 bytes: no section, all counts zero |
//! | `cut N`, `trailing HEX`, `ancount N` | bytes kept, bytes added, another record count |
//! | `oversize` | over UDP, even if longer than the asker said it takes (default: truncated) |
//! | `size N` | filled up to exactly so many bytes by an EDNS padding option |
//! | `raw HEX` | just these bytes, the first two replaced by the id of the query |
//! | `echo` | the query itself, sent back |
//! | `times N` | so many copies |
//! | `length N`, `unframed` | TCP: another length prefix, or none |
//! | `pieces 1 1 3`, `drip 900ms` | TCP: written in pieces of so many bytes, or byte by byte |
//! | `together N` | TCP: held until N messages wait on this connection, then one write (real sockets) |
//!
//! Rules that start with `$` are about the whole nameserver:
//!
//! | rule | what it does |
//! |---|---|
//! | `$tcp refuse`, `$tcp black-hole` | no TCP connection comes about: RST, or silence |
//! | `$tcp close`, `$tcp mute` | closed right after accept, or never read (real sockets) |
//! | `$case lower` | every query is read in lower case, and so are the question and the owners of its responses |
//! | `$udp refuse` | every datagram is answered by an ICMP port unreachable |
//! | `$open unreachable` | the asker's host has no route to it (simulation) |
//! | `$open quota 300ms` | the asker's host has no descriptor left until so long after the start (simulation) |
//!
//! What only one of the two runners can carry out, the other refuses by a panic when it is given
//! the script.
//!
//! In the simulation a message takes a millisecond to arrive, which is a part of the delay before
//! it: `delay 40ms` is 40 ms after the query.

mod parse;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use domain::base::iana::{Class, Opcode, OptRcode};
use domain::base::{Name, Rtype};

use super::Transport;
use super::framing::Framing;

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
    /// It does not keep the case of a question.
    pub folds_case: bool,
    pub open: OpenSocket,
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

/// What the asker's own host does when a socket to the nameserver is to be opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OpenSocket {
    #[default]
    Works,
    /// There is no descriptor left until so long after the start.
    QuotaUntil(Duration),
    Unreachable,
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
    /// The n-th query that the rule decides gets the n-th of them, and the last one from then on.
    /// At least one.
    pub alternatives: Vec<Vec<Step>>,
}

/// One thing that a nameserver does about a query.
#[allow(clippy::large_enum_variant, reason = "a script has few, and they are to be read as data")]
#[derive(Clone, Debug)]
pub enum Step {
    Delay(Duration),
    Send(Message),
    Close,
    Reset,
    /// The asker's socket gets an ICMP port unreachable.
    PortUnreachable,
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
    /// The query itself.
    pub echo: bool,
    pub times: usize,
    pub framing: Framing,
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

    /// Whether there is nothing in it but rules.
    pub fn has_rules_alone(&self) -> bool {
        self.tcp == TcpService::Serve
            && !self.udp_refused
            && !self.folds_case
            && self.open == OpenSocket::Works
    }

    /// Every step of every rule.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.rules.iter().flat_map(|rule| &rule.alternatives).flatten()
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
            alternatives: vec![steps.into_iter().collect()],
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
            echo: false,
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

    /// With one more record.
    #[must_use]
    pub fn with(mut self, record: ScriptedRecord) -> Self {
        self.records.push(record);
        self
    }

    /// NODATA of a nameserver that has asked others for it.
    pub fn recursive() -> Self {
        Self { aa: false, ..Self::default() }
    }

    /// An error of a header alone.
    pub fn header_only(rcode: OptRcode) -> Self {
        Self { rcode, header_only: true, ..Self::recursive() }
    }

    /// A referral to nowhere, as from a nameserver that neither has the zone nor recurses.
    pub fn lame() -> Self {
        Self { aa: false, ra: false, opts: Some(0), ..Self::default() }
    }

    pub fn is_forged(&self) -> bool {
        self.wrong_id || self.origin != Origin::Server
    }
}

impl ScriptedRecord {
    /// An answer about the name in the query.
    pub fn new(rtype: Rtype, data: Vec<u8>) -> Self {
        Self { section: Section::Answer, owner: None, rtype, class: Class::IN, ttl: 60, data }
    }

    /// An A or AAAA record of the name in the query.
    pub fn address(addr: IpAddr) -> Self {
        match addr {
            IpAddr::V4(addr) => Self::new(Rtype::A, addr.octets().to_vec()),
            IpAddr::V6(addr) => Self::new(Rtype::AAAA, addr.octets().to_vec()),
        }
    }

    /// An alias of the name in the query.
    pub fn alias(target: &OwnedName) -> Self {
        Self::new(Rtype::CNAME, target.as_slice().to_vec())
    }

    /// A SOA record in the authority section.
    pub fn soa(minimum: u32) -> Self {
        // Primary and mailbox are the root; serial, refresh, retry and expire are of no use here.
        let mut data = vec![0; 2 + 4 * 4];
        data.extend(minimum.to_be_bytes());
        Self { section: Section::Authority, ..Self::new(Rtype::SOA, data) }
    }

    /// The same of another name.
    #[must_use]
    pub fn of(self, owner: &OwnedName) -> Self {
        Self { owner: Some(owner.clone()), ..self }
    }
}

/// A name from its text. Panics if it is none.
#[track_caller]
pub fn name(text: &str) -> OwnedName {
    text.parse().unwrap_or_else(|error| panic!("`{text}`: {error}"))
}
