//! One response to results: the alias chain, its addresses, and for how long they hold.
//!
//! An address counts when three things are so: it stands in the answer section, it has the type and
//! the class of the question, and its owner is the name of the question or a name that the aliases
//! in the same section lead to from there. Everything else that a response may carry, such as
//! addresses in the additional section or of another owner, answers no question that was asked, and
//! is a way to plant addresses in a cache ([RFC 5452 section 6]).
//!
//! The work is linear in the size of the message: an answer section is walked twice, a name is read
//! to its end once each time, and the number of aliases looked at is bounded.
//!
//! [RFC 5452 section 6]: https://www.rfc-editor.org/rfc/rfc5452#section-6

use std::net::{IpAddr, Ipv4Addr};

use super::case_mask::CaseMask;
use super::query_name::{QueryName, is_host_name};
use super::reader::{CLASS_IN, Malformed, Name, Reader, Record, rtype, ttl_seconds};
use crate::resolve::{Rcode, RecordType};

/// The longest chain of aliases that is followed for one family of a name, in links: as
/// systemd-resolved (`CNAME_REDIRECTS_MAX`). Unbound follows 11 of them (`max-query-restarts`), so
/// that hardly a longer one gets through a common recursive resolver.
pub(crate) const MAX_ALIAS_LINKS: usize = 16;

/// How many CNAME records of one response are looked at.
///
/// A response holds the aliases on the way to its addresses and no others, so no honest one has
/// more than [`MAX_ALIAS_LINKS`]. The rest is room for a nameserver that adds or repeats some. The
/// bound keeps the search for the next link from growing with the square of a hostile message.
const MAX_CNAME_RECORDS: usize = 32;

/// What a new top-level domain answers for every name below it, for its first ninety days: the name
/// that was asked for is a private one that is becoming public (ICANN, "Name Collision Occurrence
/// Management Framework", 2014: "controlled interruption"). It stands for port 53 twice, to be
/// looked for in logs.
pub(crate) const NAME_COLLISION: Ipv4Addr = Ipv4Addr::new(127, 0, 53, 53);

/// What a valid response (NOERROR or NXDOMAIN) says about its question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The last name of the alias chain that is a valid host name: the canonical name, unless an
    /// alias leads to something like `*.example`. Without an alias it is the question's own name.
    pub(crate) canonical: QueryName,
    /// The links of the alias chain followed in this response, at most [`MAX_ALIAS_LINKS`].
    pub(crate) links: usize,
    /// For how many seconds the outcome may be cached: the least TTL of the aliases and addresses
    /// used, and for a negative answer of the SOA record too (RFC 2308 section 5). `None`: not at
    /// all, since it is a negative answer without a SOA record, or the chain cannot be followed.
    pub(crate) ttl: Option<u32>,
    /// What the end of the alias chain has.
    pub(crate) outcome: Outcome,
}

impl Answer {
    /// Spells the names that it leads to as `asked`, where the letters are those that `mask` gave the
    /// query: no caller sees them.
    pub(super) fn unmask(&mut self, mask: CaseMask, asked: &QueryName) {
        if self.links == 0 {
            return;
        }
        self.canonical = self.canonical.unmasked(mask, asked);
        if let Outcome::Alias { target } = &mut self.outcome {
            *target = target.unmasked(mask, asked);
        }
    }

    /// Whether it has the address that means a name collision.
    pub(crate) fn is_name_collision(&self) -> bool {
        let collision = IpAddr::from(NAME_COLLISION);
        matches!(&self.outcome, Outcome::Addresses(addresses) if addresses.contains(&collision))
    }

    /// Whether it has an address to which no connection can be made.
    pub(crate) fn has_link_local(&self) -> bool {
        let is_any = |addresses: &Vec<IpAddr>| addresses.iter().any(|&ip| is_link_local(ip));
        matches!(&self.outcome, Outcome::Addresses(addresses) if is_any(addresses))
    }
}

/// Whether it takes a zone to connect to this address, which no record has.
pub(crate) fn is_link_local(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local())
}

/// What the end of an alias chain has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Addresses, in the order of the packet, each once; never empty.
    Addresses(Vec<IpAddr>),
    /// An alias to a name about which the response says nothing: to be asked for next.
    Alias {
        /// The last target.
        target: QueryName,
    },
    /// The name exists and has no address of this type (RFC 2308 section 2.2).
    NoData,
    /// No address, and neither a SOA record nor an authoritative nameserver says that there is none:
    /// a referral, or an empty response.
    Empty,
    /// The end of the chain does not exist (RFC 2308 section 2.1, RFC 6604 section 3).
    NxDomain,
    /// The aliases lead back to a name already on the chain, and no name on it has an address.
    AliasLoop,
    /// More aliases than [`MAX_ALIAS_LINKS`].
    AliasChainTooLong,
}

/// The answer section, read once: every record is well formed, and the alias chain is known.
pub(crate) struct AnswerSection<'a> {
    /// At the first record.
    reader: Reader<'a>,
    records: u16,
    record_type: RecordType,
    chain: AliasChain<'a>,
    /// Whether an OPT record stands there, where none may.
    pub(crate) has_opt: bool,
}

impl<'a> AnswerSection<'a> {
    /// Reads the section, and leaves the reader behind it.
    pub(crate) fn read(
        question: Name<'a>,
        record_type: RecordType,
        reader: &mut Reader<'a>,
        records: u16,
    ) -> Result<Self, Malformed> {
        let at_start = *reader;
        let mut links = Links::default();
        for _ in 0..records {
            links.read_record(reader)?;
        }
        Ok(links.into_section(question, record_type, at_start, records))
    }

    /// Reads the records that are whole: a nameserver may cut a truncated message in the middle of
    /// one.
    pub(crate) fn read_truncated(
        question: Name<'a>,
        record_type: RecordType,
        mut reader: Reader<'a>,
        records: u16,
    ) -> Self {
        let at_start = reader;
        let mut links = Links::default();
        let is_whole = |_: &u16| links.read_record(&mut reader).is_ok();
        let whole = (0..records).take_while(is_whole).count();
        let whole = u16::try_from(whole).expect("as many as a u16 counts at most");
        links.into_section(question, record_type, at_start, whole)
    }

    /// The name at the end of the alias chain.
    pub(crate) fn end_of_chain(&self) -> Name<'a> {
        self.chain.last()
    }

    /// What the section says, with the code and the authority section of its message.
    pub(crate) fn into_answer(
        self,
        name: &QueryName,
        rcode: Rcode,
        authority: &AuthoritySection,
    ) -> Answer {
        let (addresses, least_ttl) = self.addresses();
        let chain = self.chain;
        let negative_ttl = authority.negative_ttl.map(|ttl| ttl.min(chain.ttl));
        let (outcome, ttl) = if rcode == Rcode::NXDOMAIN {
            (Outcome::NxDomain, negative_ttl)
        } else if !addresses.is_empty() {
            (Outcome::Addresses(addresses), Some(least_ttl.min(chain.ttl)))
        } else if chain.end == ChainEnd::Loop {
            (Outcome::AliasLoop, None)
        } else if chain.end == ChainEnd::TooLong {
            (Outcome::AliasChainTooLong, None)
        } else if let (Some(&target), None) = (chain.targets.last(), authority.negative_ttl) {
            // "NODATA is indicated by an answer with the RCODE set to NOERROR and no relevant
            // answers in the answer section. The authority section will contain an SOA record, or
            // there will be no NS records there." (RFC 2308 section 2.2) After an alias only the
            // SOA record tells that the nameserver followed it to the end, so without one the
            // target is asked for.
            (Outcome::Alias { target: QueryName::from_message(target) }, Some(chain.ttl))
        } else {
            (Outcome::NoData, negative_ttl)
        };
        Answer { canonical: chain.canonical(name), links: chain.targets.len(), ttl, outcome }
    }

    /// The addresses of a truncated response, if it has any; they are for no cache.
    pub(crate) fn into_last_resort(self, name: &QueryName, rcode: Rcode) -> Option<Box<Answer>> {
        let answer = self.into_answer(name, rcode, &AuthoritySection::default());
        let has_addresses = matches!(answer.outcome, Outcome::Addresses(_));
        has_addresses.then(|| Box::new(Answer { ttl: None, ..answer }))
    }

    /// The addresses of the names on the chain, each once, and the least of their TTLs.
    fn addresses(&self) -> (Vec<IpAddr>, u32) {
        /// Up to here comparing an address with each before it is quicker than sorting. A message
        /// of 64 KiB with 4,000 addresses would take 8,000,000 comparisons.
        const COMPARE_LIMIT: usize = 16;

        let (mut addresses, mut least_ttl) = (Vec::new(), u32::MAX);
        let mut reader = self.reader;
        for _ in 0..self.records {
            // Every record was read once, so this one can be read again.
            let Ok(record) = reader.read_record() else { break };
            if let Some(address) = read_address(&record, self.record_type)
                && self.chain.contains(record.owner)
            {
                if addresses.len() >= COMPARE_LIMIT || !addresses.contains(&address) {
                    addresses.push(address);
                }
                least_ttl = least_ttl.min(ttl_seconds(record.ttl));
            }
        }
        if addresses.len() > COMPARE_LIMIT {
            addresses = without_duplicates(addresses);
        }
        (addresses, least_ttl)
    }
}

/// The address in a record, if it is of the type asked for, of class IN and of the right length.
///
/// A record with a wrong length is passed over, and the others of the message are used.
fn read_address(record: &Record<'_>, record_type: RecordType) -> Option<IpAddr> {
    if (record.class, record.rtype) != (CLASS_IN, record_type.code()) {
        return None;
    }
    let mut data = record.data;
    let address = match record_type {
        RecordType::A => IpAddr::from(data.read_array::<4>().ok()?),
        RecordType::Aaaa => IpAddr::from(data.read_array::<16>().ok()?),
    };
    data.expect_end().ok()?;
    Some(address)
}

/// The addresses in their order, each where it came first.
fn without_duplicates(addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    let mut sorted: Vec<_> = addresses.into_iter().zip(0_usize..).collect();
    sorted.sort_unstable();
    sorted.dedup_by_key(|(address, _)| *address);
    sorted.sort_unstable_by_key(|&(_, place)| place);
    sorted.into_iter().map(|(address, _)| address).collect()
}

/// One CNAME record.
struct Link<'a> {
    owner: Name<'a>,
    target: Name<'a>,
    ttl: u32,
}

/// What is gathered while an answer section is read for the first time.
#[derive(Default)]
struct Links<'a> {
    cnames: Vec<Link<'a>>,
    too_many: bool,
    has_opt: bool,
}

impl<'a> Links<'a> {
    fn read_record(&mut self, reader: &mut Reader<'a>) -> Result<(), Malformed> {
        let mut record = reader.read_record()?;
        self.has_opt |= record.rtype == rtype::OPT;
        if (record.class, record.rtype) != (CLASS_IN, rtype::CNAME) {
            return Ok(());
        }
        let target = record.data.read_name()?;
        record.data.expect_end()?;
        if self.cnames.len() < MAX_CNAME_RECORDS {
            self.cnames.push(Link { owner: record.owner, target, ttl: ttl_seconds(record.ttl) });
        } else {
            self.too_many = true;
        }
        Ok(())
    }

    fn into_section(
        self,
        question: Name<'a>,
        record_type: RecordType,
        reader: Reader<'a>,
        records: u16,
    ) -> AnswerSection<'a> {
        let chain = AliasChain::follow(question, &self.cnames, self.too_many);
        AnswerSection { reader, records, record_type, chain, has_opt: self.has_opt }
    }
}

/// The names that the aliases of one response lead to, beginning with the question's.
struct AliasChain<'a> {
    question: Name<'a>,
    /// Empty without an alias, and then without an allocation.
    targets: Vec<Name<'a>>,
    /// The hash of each name, the question's first; empty without an alias.
    hashes: Vec<u64>,
    /// The least TTL of the links, `u32::MAX` without a link.
    ttl: u32,
    end: ChainEnd,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ChainEnd {
    Name,
    Loop,
    TooLong,
}

impl<'a> AliasChain<'a> {
    /// Follows the aliases from the question, in whichever order their records stand.
    ///
    /// RFC 1034 section 4.3.2 has a nameserver add them in order, but some rotate the records of an
    /// answer and take the aliases along.
    fn follow(question: Name<'a>, cnames: &[Link<'a>], too_many_cnames: bool) -> Self {
        let (mut targets, mut ttl, mut end) = (Vec::new(), u32::MAX, ChainEnd::Name);
        let mut last = question;
        while let Some(link) = cnames.iter().find(|link| link.owner == last) {
            if link.target == question || targets.contains(&link.target) {
                end = ChainEnd::Loop;
                break;
            }
            if targets.len() == MAX_ALIAS_LINKS {
                end = ChainEnd::TooLong;
                break;
            }
            targets.push(link.target);
            ttl = ttl.min(link.ttl);
            last = link.target;
        }
        if too_many_cnames && end == ChainEnd::Name {
            // The next link may be among those that were not looked at.
            end = ChainEnd::TooLong;
        }
        let mut chain = Self { question, targets, hashes: Vec::new(), ttl, end };
        if !chain.targets.is_empty() {
            chain.hashes = chain.names().map(Name::hash).collect();
        }
        chain
    }

    fn names(&self) -> impl Iterator<Item = Name<'a>> {
        std::iter::once(self.question).chain(self.targets.iter().copied())
    }

    fn last(&self) -> Name<'a> {
        *self.targets.last().unwrap_or(&self.question)
    }

    fn contains(&self, owner: Name<'a>) -> bool {
        if self.targets.is_empty() {
            return owner == self.question;
        }
        // Nearly always the owner is a pointer to the target of the alias. If it is not, a hash
        // takes one look at the owner, where comparing would take one for each name on the chain.
        self.names().any(|name| name.is_same_place(owner)) || {
            let hash = owner.hash();
            self.names().zip(&self.hashes).any(|(name, &other)| other == hash && name == owner)
        }
    }

    fn canonical(&self, question: &QueryName) -> QueryName {
        match self.targets.iter().rev().find(|target| is_host_name(target.labels())) {
            Some(&target) => QueryName::from_message(target),
            None => question.clone(),
        }
    }
}

/// What the authority section says about a negative answer.
#[derive(Default)]
pub(crate) struct AuthoritySection {
    /// The lesser of the SOA record's TTL and its MINIMUM field: the SOA record of a zone that the
    /// end of the alias chain is in.
    pub(crate) negative_ttl: Option<u32>,
    /// Whether an NS record stands there: without a SOA record, a referral.
    pub(crate) has_ns: bool,
    /// Whether an OPT record stands there, where none may.
    pub(crate) has_opt: bool,
}

impl AuthoritySection {
    /// Reads the section, and leaves the reader behind it.
    pub(crate) fn read(
        end_of_chain: Name<'_>,
        reader: &mut Reader<'_>,
        records: u16,
    ) -> Result<Self, Malformed> {
        let mut section = Self::default();
        for _ in 0..records {
            let mut record = reader.read_record()?;
            section.has_opt |= record.rtype == rtype::OPT;
            if record.class != CLASS_IN {
                continue;
            }
            match record.rtype {
                rtype::NS => section.has_ns = true,
                rtype::SOA => {
                    // One that cannot be read says nothing: it is as if it were not there. What it
                    // could change is for how long a negative answer is kept, and a message with
                    // one has passed every other check, so a forger gains nothing by it.
                    let Ok(minimum) = read_soa_minimum(&mut record.data) else { continue };
                    // "The TTL of this record is set from the minimum of the MINIMUM field of the
                    // SOA record and the TTL of the SOA itself" (RFC 2308 section 3)
                    let ttl = ttl_seconds(record.ttl).min(ttl_seconds(minimum));
                    if end_of_chain.is_at_or_below(record.owner) {
                        let least = section.negative_ttl.map_or(ttl, |other| other.min(ttl));
                        section.negative_ttl = Some(least);
                    }
                }
                _ => {}
            }
        }
        Ok(section)
    }
}

/// The last field of the data of a SOA record (RFC 1035 section 3.3.13).
fn read_soa_minimum(data: &mut Reader<'_>) -> Result<u32, Malformed> {
    let (_mname, _rname) = (data.read_name()?, data.read_name()?);
    let [_serial, _refresh, _retry, _expire] =
        [data.read_u32()?, data.read_u32()?, data.read_u32()?, data.read_u32()?];
    let minimum = data.read_u32()?;
    data.expect_end()?;
    Ok(minimum)
}

#[cfg(test)]
mod tests;
