//! A second reader of responses, for comparison: short and slow, with nothing shared with the
//! first.
//!
//! A name is its uncompressed octets, a message a list of records, and a chain of aliases a list of
//! names. What a message means follows from those lists; whether another reader made them
//! or [`Message::parse`] is all the same.
//!
//! Where DNS leaves a choice, [`Message::meaning`] makes the one that this crate has made:
//!
//! - the addresses of an answer section that can be read are used, whatever comes behind it; without
//!   addresses, all of it has to be readable, with no octets behind the last record;
//! - a CNAME record in the answer section whose data is no such data makes the section unreadable,
//!   since what the message says hangs on it; a SOA record of that kind is passed over;
//! - an OPT record elsewhere than in the additional section, a second one, or one whose owner is not
//!   the root (RFC 6891 section 6.1) is stray;
//! - an address of the wrong length is passed over, and so are other classes and types;
//! - 32 CNAME records are looked at, and 16 links followed: more is a chain that is too long;
//! - a name takes at most 127 pointers;
//! - over UDP the records of a truncated message may be cut anywhere, and the whole ones before have
//!   the addresses that are the last resort; over TCP what is there is used, and not kept for
//!   others;
//! - a question in other letters than those of a query in mixed case says nothing of the rest;
//! - an error without a question, or with records that cannot be read, is a hint, if it is FORMERR,
//!   SERVFAIL, NOTIMP, REFUSED or BADVERS.

use std::net::IpAddr;

use crate::resolve::wire::answer::{Answer, Outcome};
use crate::resolve::wire::message::Response;
use crate::resolve::wire::query_name::QueryName;
use crate::resolve::{Rcode, RecordType, Transport};

/// A name in wire form, uncompressed, with the root label.
pub type Name = Vec<u8>;

/// A message as lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    pub id: u16,
    pub flags: u16,
    /// Of questions, answers, authorities and additionals, as the header has them.
    pub counts: [u16; 4],
    /// Name in the letters that came, type, class. `None` if they cannot be read.
    pub questions: Option<Vec<(Name, u16, u16)>>,
    /// The records of the answer section, up to the first that cannot be read.
    pub answers: Vec<Record>,
    /// Whether these are all.
    pub has_all_answers: bool,
    /// What comes behind the answer section; `None` if it cannot be read, or more comes behind.
    pub rest: Option<Rest>,
    /// Whether a name has more pointers than are followed.
    pub has_many_pointers: bool,
}

/// What comes behind the answer section.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rest {
    pub authorities: Vec<Record>,
    pub additionals: Vec<Record>,
}

/// A record. Names are in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub owner: Name,
    pub rtype: u16,
    pub class: u16,
    pub ttl: u32,
    pub data: Data,
}

/// The part of a record's data that is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    Address(IpAddr),
    /// Of a CNAME record.
    Target(Name),
    /// Of a SOA record.
    Minimum(u32),
    /// Of a SOA record that has a name with more pointers than are followed.
    ManyPointers,
    Other,
}

/// A question that was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub(crate) id: u16,
    /// In the letters of the query.
    pub(crate) name: Name,
    pub(crate) record_type: RecordType,
    pub(crate) transport: Transport,
    /// Whether they are in mixed case, and a response has to have the same.
    pub(crate) is_mixed: bool,
}

const A: u16 = 1;
const NS: u16 = 2;
const CNAME: u16 = 5;
const SOA: u16 = 6;
const AAAA: u16 = 28;
const OPT: u16 = 41;

const TC: u16 = 0x0200;

enum Fault {
    Malformed,
    ManyPointers,
}

impl Message {
    /// Reads as much of a message as can be read; `None` without a header.
    pub(crate) fn parse(octets: &[u8]) -> Option<Self> {
        let word = |at: usize| Some(u16::from_be_bytes([*octets.get(at)?, *octets.get(at + 1)?]));
        let mut message = Self {
            id: word(0)?,
            flags: word(2)?,
            counts: [word(4)?, word(6)?, word(8)?, word(10)?],
            ..Self::default()
        };
        let mut at = 12;
        match message.parse_sections(octets, &mut at) {
            Ok(rest) => {
                message.has_many_pointers =
                    rest.authorities.iter().any(|record| record.data == Data::ManyPointers);
                message.rest = Some(rest).filter(|_| at == octets.len());
            }
            Err(Fault::ManyPointers) => message.has_many_pointers = true,
            Err(Fault::Malformed) => {}
        }
        Some(message)
    }

    /// Reads all sections, and returns those behind the answers.
    fn parse_sections(&mut self, octets: &[u8], at: &mut usize) -> Result<Rest, Fault> {
        let [questions, answers, authorities, additionals] = self.counts;
        let question = |_| Ok((name(octets, at)?, word(octets, at)?, word(octets, at)?));
        self.questions = Some((0..questions).map(question).collect::<Result<_, _>>()?);
        for _ in 0..answers {
            self.answers.push(record(octets, at, CNAME)?);
        }
        self.has_all_answers = true;
        let mut section = |count: u16, significant: u16| {
            (0..count).map(|_| record(octets, at, significant)).collect::<Result<Vec<_>, _>>()
        };
        let authorities = section(authorities, SOA)?;
        let additionals = section(additionals, 0)?;
        Ok(Rest { authorities, additionals })
    }

    /// What the message means for a question; `None` if it is no response to it. `len` is how many
    /// octets it has.
    pub(crate) fn meaning(&self, asked: &Asked, len: usize) -> Option<Response> {
        const QR_AND_OPCODE: u16 = 0xf800;
        const AA: u16 = 0x0400;
        const RA: u16 = 0x0080;
        if self.id != asked.id || self.flags & QR_AND_OPCODE != 0x8000 {
            return None;
        }
        let low = self.low_rcode();
        let is_error = |rcode: u16| [1, 2, 4, 5, 16].contains(&rcode);
        let rest = self.rest.as_ref().filter(|_| self.has_all_answers);
        let whole = rest.map(|rest| (rest, rest.extended_bits()));
        let bare = match whole {
            _ if len == 12 => Some(low),
            Some((_, Some(bits))) if self.counts[..3] == [0; 3] => Some(bits << 4 | low),
            _ => None,
        };
        match bare {
            Some(rcode) if is_error(rcode) => return Some(Response::Hint(Rcode(rcode))),
            Some(0 | 3) if self.is_cut(asked) => return Some(Response::Unreadable),
            _ => {}
        }

        let [(name, rtype, class)] = &self.questions.as_ref()?[..] else { return None };
        let is_same_name = lower(name) == lower(&asked.name);
        if !is_same_name || *rtype != code(asked.record_type) || *class != 1 {
            return None;
        }
        if asked.is_mixed && *name != asked.name {
            return Some(Response::CaseMismatch);
        }
        let chain = Chain::new(lower(name), &self.answers);
        let has_addresses = |answer: &Answer| matches!(answer.outcome, Outcome::Addresses(_));
        if self.is_cut(asked) {
            let answer = chain.answer(asked, low, &self.answers, None);
            let answer = Some(Answer { ttl: None, ..answer }).filter(has_addresses);
            return Some(Response::Truncated(answer.map(Box::new)));
        }
        let of_use = |answer: Answer| {
            let ttl = answer.ttl.filter(|_| self.flags & TC == 0);
            Response::Answer(Answer { ttl, ..answer })
        };
        if self.has_all_answers && self.answers.iter().any(|record| record.rtype == OPT) {
            return Some(Response::StrayOpt);
        }
        let Some((rest, bits)) = whole else {
            let answer = Some(chain.answer(asked, low, &self.answers, None));
            let is_used =
                |answer: &Answer| self.has_all_answers && low == 0 && has_addresses(answer);
            return Some(match answer.filter(is_used) {
                Some(answer) => of_use(answer),
                None if is_error(low) => Response::Hint(Rcode(low)),
                None => Response::Unreadable,
            });
        };
        let Some(bits) = bits else { return Some(Response::StrayOpt) };
        let rcode = bits << 4 | low;
        let negative_ttl = rest.negative_ttl(chain.names.last()?);
        let has_ns = rest.authorities.iter().any(|record| record.is(NS));
        let is_lame = self.flags & (AA | RA) == 0
            && self.counts[1] == 0
            && negative_ttl.is_none()
            && (self.counts[3] == 0 || has_ns);
        Some(match rcode {
            0 if is_lame => Response::LameReferral,
            0 | 3 => {
                let mut answer = chain.answer(asked, rcode, &self.answers, negative_ttl);
                let is_authoritative = self.flags & AA != 0 && !has_ns;
                if answer.outcome == Outcome::NoData && answer.ttl.is_none() && !is_authoritative {
                    answer.outcome = Outcome::Empty;
                }
                of_use(answer)
            }
            1 => Response::FormErr,
            16 => Response::BadVers,
            _ => Response::Failure(Rcode(rcode)),
        })
    }

    /// Whether the rest of it is to be had over TCP.
    fn is_cut(&self, asked: &Asked) -> bool {
        let is_answer = matches!(self.low_rcode(), 0 | 3);
        asked.transport == Transport::Udp && self.flags & TC != 0 && is_answer
    }

    /// The code, as far as it stands in the header.
    fn low_rcode(&self) -> u16 {
        self.flags & 15
    }

    /// The addresses that a lookup may bring after this message: the rules of RFC 5452 section 9.1
    /// and section 6, one after the other.
    pub(crate) fn allowed(&self, asked: &Asked) -> Vec<IpAddr> {
        let is_question = |(name, rtype, class): &(Name, u16, u16)| {
            let is_same_name = lower(name) == lower(&asked.name);
            let is_same_case = !asked.is_mixed || *name == asked.name;
            is_same_name && is_same_case && *rtype == code(asked.record_type) && *class == 1
        };
        let has_code_zero = |rest: &Rest| rest.extended_bits() == Some(0);
        let is_response = self.id == asked.id
            && self.flags & 0x8000 != 0
            && self.flags & 0x7800 == 0
            && self.questions.as_ref().is_some_and(|q| q.len() == 1 && q.iter().all(is_question))
            && self.low_rcode() == 0;
        let has_answers = self.is_cut(asked)
            || self.has_all_answers && self.rest.as_ref().is_none_or(has_code_zero);
        if !is_response || !has_answers {
            return Vec::new();
        }
        let mut names = vec![lower(&asked.name)];
        loop {
            let is_new = |record: &&Record| match &record.data {
                Data::Target(target) => {
                    record.is(CNAME) && names.contains(&record.owner) && !names.contains(target)
                }
                _ => false,
            };
            match self.answers.iter().find(is_new).map(|record| &record.data) {
                Some(Data::Target(target)) => names.push(target.clone()),
                _ => break,
            }
        }
        let is_allowed =
            |record: &&Record| record.is(code(asked.record_type)) && names.contains(&record.owner);
        self.answers.iter().filter(is_allowed).filter_map(Record::address).collect()
    }
}

impl Rest {
    /// The upper bits of the code; `None` if an OPT record is stray.
    fn extended_bits(&self) -> Option<u16> {
        let is_opt = |record: &&Record| record.rtype == OPT;
        if self.authorities.iter().any(|record| is_opt(&record)) {
            return None;
        }
        let opts: Vec<_> = self.additionals.iter().filter(is_opt).collect();
        match opts[..] {
            [] => Some(0),
            [opt] if opt.owner == [0] => Some((opt.ttl >> 24) as u16),
            _ => None,
        }
    }

    fn negative_ttl(&self, name: &Name) -> Option<u32> {
        let ttl = |record: &Record| match record.data {
            Data::Minimum(minimum)
                if record.is(SOA) && suffixes(name).any(|suffix| suffix == record.owner) =>
            {
                Some(seconds(record.ttl).min(seconds(minimum)))
            }
            _ => None,
        };
        self.authorities.iter().filter_map(ttl).min()
    }
}

impl Record {
    /// Whether it is of this type, and of class IN.
    fn is(&self, rtype: u16) -> bool {
        self.rtype == rtype && self.class == 1
    }

    fn address(&self) -> Option<IpAddr> {
        match self.data {
            Data::Address(address) => Some(address),
            _ => None,
        }
    }
}

/// Names that aliases lead to, the first of them the question's.
struct Chain {
    names: Vec<Name>,
    ttl: u32,
    is_loop: bool,
    is_too_long: bool,
}

impl Chain {
    fn new(question: Name, answers: &[Record]) -> Self {
        let aliases: Vec<_> = answers.iter().filter(|record| record.is(CNAME)).collect();
        let mut chain =
            Self { names: vec![question], ttl: u32::MAX, is_loop: false, is_too_long: false };
        loop {
            let last = chain.names.last().expect("one at least");
            let next = aliases.iter().take(32).find(|alias| alias.owner == *last);
            let Some(Record { ttl, data: Data::Target(target), .. }) = next else { break };
            if chain.names.contains(target) {
                chain.is_loop = true;
                break;
            }
            if chain.names.len() == 17 {
                chain.is_too_long = true;
                break;
            }
            chain.names.push(target.clone());
            chain.ttl = chain.ttl.min(seconds(*ttl));
        }
        chain.is_too_long |= aliases.len() > 32 && !chain.is_loop;
        chain
    }

    fn answer(
        &self,
        asked: &Asked,
        rcode: u16,
        answers: &[Record],
        negative_ttl: Option<u32>,
    ) -> Answer {
        let (mut addresses, mut ttl) = (Vec::new(), self.ttl);
        for record in answers {
            let is_on_chain = || self.names.contains(&record.owner);
            if let Some(address) = record.address()
                && record.is(code(asked.record_type))
                && is_on_chain()
            {
                if !addresses.contains(&address) {
                    addresses.push(address);
                }
                ttl = ttl.min(seconds(record.ttl));
            }
        }
        let negative_ttl = negative_ttl.map(|ttl| ttl.min(self.ttl));
        let (question, aliases) = self.names.split_first().expect("one at least");
        let (outcome, ttl) = match aliases.last() {
            _ if rcode == 3 => (Outcome::NxDomain, negative_ttl),
            _ if !addresses.is_empty() => (Outcome::Addresses(addresses), Some(ttl)),
            _ if self.is_loop => (Outcome::AliasLoop, None),
            _ if self.is_too_long => (Outcome::AliasChainTooLong, None),
            Some(last) if negative_ttl.is_none() => {
                (Outcome::Alias { target: query_name(last) }, Some(self.ttl))
            }
            _ => (Outcome::NoData, negative_ttl),
        };
        let is_host = |name: &&Name| {
            let is_host_byte = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
            let mut labels = suffixes(name).map(|suffix| &suffix[1..=usize::from(suffix[0])]);
            name.len() > 1 && labels.all(|label| label.iter().all(is_host_byte))
        };
        let canonical = query_name(aliases.iter().rev().find(is_host).unwrap_or(question));
        Answer { canonical, links: aliases.len(), ttl, outcome }
    }
}

/// RFC 2181 section 8.
fn seconds(ttl: u32) -> u32 {
    if ttl > 0x7fff_ffff { 0 } else { ttl }
}

pub(crate) fn code(record_type: RecordType) -> u16 {
    match record_type {
        RecordType::A => A,
        RecordType::Aaaa => AAAA,
    }
}

fn lower(name: &Name) -> Name {
    // An octet that gives a length is below 64, and so no letter.
    name.to_ascii_lowercase()
}

/// A name, then what is left of it without its first label, and so on to the root.
pub(crate) fn suffixes(name: &Name) -> impl Iterator<Item = &[u8]> {
    std::iter::successors(Some(&name[..]), |&name| {
        (name.len() > 1).then(|| &name[1 + usize::from(name[0])..])
    })
}

pub(crate) fn query_name(name: &Name) -> QueryName {
    QueryName::of_wire(name)
}

fn word(octets: &[u8], at: &mut usize) -> Result<u16, Fault> {
    let octets = octets.get(*at..*at + 2).ok_or(Fault::Malformed)?;
    *at += 2;
    Ok(u16::from_be_bytes([octets[0], octets[1]]))
}

fn long(octets: &[u8], at: &mut usize) -> Result<u32, Fault> {
    Ok(u32::from(word(octets, at)?) << 16 | u32::from(word(octets, at)?))
}

/// A name, in the letters in which it came.
fn name(octets: &[u8], at: &mut usize) -> Result<Name, Fault> {
    let (mut name, mut pointers) = (Name::new(), 0);
    // A pointer leads to before the labels that end in it, the ones that are read now.
    let (mut here, mut first, mut behind) = (*at, *at, None);
    loop {
        let octet = usize::from(*octets.get(here).ok_or(Fault::Malformed)?);
        match octet {
            0 => break,
            1..64 => {
                name.extend(octets.get(here..=here + octet).ok_or(Fault::Malformed)?);
                here += 1 + octet;
            }
            192.. => {
                let low = usize::from(*octets.get(here + 1).ok_or(Fault::Malformed)?);
                behind.get_or_insert(here + 2);
                here = (octet - 192) * 256 + low;
                pointers += 1;
                if here >= first {
                    return Err(Fault::Malformed);
                }
                if pointers > 127 {
                    return Err(Fault::ManyPointers);
                }
                first = here;
            }
            _ => return Err(Fault::Malformed),
        }
        if name.len() > 254 {
            return Err(Fault::Malformed);
        }
    }
    name.push(0);
    *at = behind.unwrap_or(here + 1);
    Ok(name)
}

/// The last field of the data of a SOA record.
fn minimum(octets: &[u8], at: &mut usize) -> Result<u32, Fault> {
    let (_mname, _rname) = (name(octets, at)?, name(octets, at)?);
    for _ in 0..4 {
        long(octets, at)?;
    }
    long(octets, at)
}

/// A record in a section in which the data of one type is significant.
fn record(octets: &[u8], at: &mut usize, significant: u16) -> Result<Record, Fault> {
    let owner = lower(&name(octets, at)?);
    let (rtype, class) = (word(octets, at)?, word(octets, at)?);
    let (ttl, len) = (long(octets, at)?, usize::from(word(octets, at)?));
    let (start, end) = (*at, *at + len);
    let data = octets.get(start..end).ok_or(Fault::Malformed)?;
    *at = end;
    let until_end = &octets[..end];
    let mut place = start;
    let data = match rtype {
        A if len == 4 => Data::Address(IpAddr::from(<[u8; 4]>::try_from(data).expect("four"))),
        AAAA if len == 16 => {
            Data::Address(IpAddr::from(<[u8; 16]>::try_from(data).expect("sixteen")))
        }
        CNAME if significant == CNAME && class == 1 => {
            Data::Target(lower(&name(until_end, &mut place)?))
        }
        SOA if significant == SOA && class == 1 => match minimum(until_end, &mut place) {
            Ok(minimum) if place == end => Data::Minimum(minimum),
            Err(Fault::ManyPointers) => Data::ManyPointers,
            _ => Data::Other,
        },
        _ => Data::Other,
    };
    if matches!(data, Data::Target(_)) && place != end {
        return Err(Fault::Malformed);
    }
    Ok(Record { owner, rtype, class, ttl, data })
}
