//! One response to results: the alias chain, its addresses, and for how long they hold.
//!
//! An address counts when three things are so: it stands in the answer section, it has the type and
//! the class of the question, and its owner is the name of the question or a name that the aliases
//! in the same section lead to from there. Everything else that a response may carry, such as
//! addresses in the additional section or of another owner, says something that nobody asked for,
//! and is a way to plant addresses in a cache ([RFC 5452 section 6]).
//!
//! The work is linear in the size of the message: an answer section is walked twice, a name is read
//! to its end once each time, and the number of aliases looked at is bounded.
//!
//! [RFC 5452 section 6]: https://www.rfc-editor.org/rfc/rfc5452#section-6

use std::collections::BTreeSet;
use std::net::IpAddr;

use domain::base::iana::{Class, Rtype};
use domain::base::message::RecordSection;
use domain::base::name::{ParsedName, ToLabelIter, ToName};
use domain::base::record::{ParsedRecord, Ttl};
use domain::base::wire::ParseError;
use domain::rdata::{A, Aaaa, Cname, Soa};

use super::message::{QueryName, is_host_name};
use super::{Rcode, RecordType};

/// The longest chain of aliases that is followed, in links.
///
/// Unbound stops after as many (`max-query-restarts: 11`), so a longer chain does not get through
/// a common recursive resolver either.
pub(crate) const MAX_ALIAS_LINKS: usize = 11;

/// How many CNAME records of one response are looked at.
///
/// A response holds the aliases on the way to its addresses and no others, so no honest one has
/// more than [`MAX_ALIAS_LINKS`]. The rest is room for a nameserver that adds or repeats some. The
/// bound keeps the search for the next link from growing with the square of a hostile message.
const MAX_CNAME_RECORDS: usize = 32;

/// A name inside a message, already checked: pointers lead backwards, no more than 255 octets.
pub(super) type WireName<'a> = ParsedName<&'a [u8]>;

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
    /// The end of the chain does not exist (RFC 2308 section 2.1, RFC 6604 section 3).
    NxDomain,
    /// The aliases lead back to a name already on the chain, and no name on it has an address.
    AliasLoop,
    /// More aliases than [`MAX_ALIAS_LINKS`].
    AliasChainTooLong,
}

/// The answer section, walked once: every record is well formed, and the alias chain is known.
pub(super) struct AnswerSection<'a> {
    records: RecordSection<'a, [u8]>,
    record_type: RecordType,
    chain: AliasChain<'a>,
}

impl<'a> AnswerSection<'a> {
    /// Walks the section, and returns it with what comes after it.
    ///
    /// # Errors
    ///
    /// A record is malformed.
    pub(super) fn read(
        question: WireName<'a>,
        record_type: RecordType,
        records: RecordSection<'a, [u8]>,
    ) -> Result<(Self, RecordSection<'a, [u8]>), ParseError> {
        let mut cnames = Vec::new();
        let mut too_many_cnames = false;
        let mut rest = records;
        for record in &mut rest {
            let record = record?;
            if record.class() != Class::IN || record.rtype() != Rtype::CNAME {
                continue;
            }
            let Some(cname) = record.to_record::<Cname<WireName<'_>>>()? else { continue };
            if cnames.len() < MAX_CNAME_RECORDS {
                let (ttl, target) = (seconds(cname.ttl()), cname.into_data().into_cname());
                cnames.push(Link { owner: record.owner(), target, ttl });
            } else {
                too_many_cnames = true;
            }
        }
        let rest = rest.next_section()?.expect("the authority section follows the answer section");
        let chain = AliasChain::follow(question, &cnames, too_many_cnames);
        Ok((Self { records, record_type, chain }, rest))
    }

    /// The name at the end of the alias chain.
    pub(super) fn end_of_chain(&self) -> WireName<'a> {
        self.chain.last()
    }

    /// What the section says, with the code and the authority section of its message.
    pub(super) fn into_answer(
        self,
        name: &QueryName,
        rcode: Rcode,
        authority: &AuthoritySection,
    ) -> Answer {
        let addresses =
            if rcode == Rcode::NXDOMAIN { Addresses::default() } else { self.addresses() };
        let chain = self.chain;
        let negative_ttl = authority.negative_ttl.map(|ttl| ttl.min(chain.ttl));
        let (outcome, ttl) = if rcode == Rcode::NXDOMAIN {
            (Outcome::NxDomain, negative_ttl)
        } else if !addresses.in_order.is_empty() {
            (Outcome::Addresses(addresses.in_order), Some(addresses.ttl.min(chain.ttl)))
        } else if chain.end == ChainEnd::Loop {
            (Outcome::AliasLoop, None)
        } else if chain.end == ChainEnd::TooLong {
            (Outcome::AliasChainTooLong, None)
        } else if let (Some(target), None) = (chain.targets.last(), authority.negative_ttl) {
            // "NODATA is indicated by an answer with the RCODE set to NOERROR and no relevant
            // answers in the answer section. The authority section will contain an SOA record, or
            // there will be no NS records there." (RFC 2308 section 2.2) After an alias only the
            // SOA record tells that the nameserver followed it to the end, so without one the
            // target is asked for.
            (Outcome::Alias { target: QueryName::from_parsed(target) }, Some(chain.ttl))
        } else {
            (Outcome::NoData, negative_ttl)
        };
        Answer { canonical: chain.canonical(name), links: chain.targets.len(), ttl, outcome }
    }

    fn addresses(&self) -> Addresses {
        let mut addresses = Addresses::default();
        for record in self.records.flatten() {
            if let Some(address) = read_address(&record, self.record_type)
                && self.chain.contains(&record.owner())
            {
                addresses.push(address, seconds(record.ttl()));
            }
        }
        addresses
    }
}

/// The address in a record, if it is of the type asked for, of class IN and of the right length.
///
/// A record with a wrong length is passed over, and the others of the message are used.
fn read_address(record: &ParsedRecord<'_, [u8]>, record_type: RecordType) -> Option<IpAddr> {
    if record.class() != Class::IN || record.rtype() != rtype(record_type) {
        return None;
    }
    match record_type {
        RecordType::A => Some(record.to_record::<A>().ok()??.data().addr().into()),
        RecordType::Aaaa => Some(record.to_record::<Aaaa>().ok()??.data().addr().into()),
    }
}

/// The type of `domain` for a type of ours.
pub(super) fn rtype(record_type: RecordType) -> Rtype {
    match record_type {
        RecordType::A => Rtype::A,
        RecordType::Aaaa => Rtype::AAAA,
    }
}

/// A TTL in seconds.
///
/// "Implementations should treat TTL values received with the most significant bit set as if the
/// entire value received was zero." ([RFC 2181 section 8])
///
/// [RFC 2181 section 8]: https://www.rfc-editor.org/rfc/rfc2181#section-8
fn seconds(ttl: Ttl) -> u32 {
    let seconds = ttl.as_secs();
    if seconds >> 31 == 0 { seconds } else { 0 }
}

/// Addresses in the order of the packet, each once.
struct Addresses {
    in_order: Vec<IpAddr>,
    /// The same addresses, from the number on at which looking through the list becomes slower.
    seen: BTreeSet<IpAddr>,
    ttl: u32,
}

impl Addresses {
    /// Up to here a look through the list is as quick as one into the tree; beyond, a message of 64
    /// KiB with 4,000 addresses would cost 8,000,000 comparisons.
    const LIST_LIMIT: usize = 32;

    fn push(&mut self, address: IpAddr, ttl: u32) {
        self.ttl = self.ttl.min(ttl);
        if self.in_order.len() == Self::LIST_LIMIT && self.seen.is_empty() {
            self.seen.extend(&self.in_order);
        }
        let is_new = if self.in_order.len() < Self::LIST_LIMIT {
            !self.in_order.contains(&address)
        } else {
            self.seen.insert(address)
        };
        if is_new {
            self.in_order.push(address);
        }
    }
}

impl Default for Addresses {
    fn default() -> Self {
        Self { in_order: Vec::new(), seen: BTreeSet::new(), ttl: u32::MAX }
    }
}

/// One CNAME record.
struct Link<'a> {
    owner: WireName<'a>,
    target: WireName<'a>,
    ttl: u32,
}

/// The names that the aliases of one response lead to, beginning with the question's.
struct AliasChain<'a> {
    question: WireName<'a>,
    /// Empty without an alias, and then without an allocation.
    targets: Vec<WireName<'a>>,
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
    fn follow(question: WireName<'a>, cnames: &[Link<'a>], too_many_cnames: bool) -> Self {
        let mut chain = Self { question, targets: Vec::new(), ttl: u32::MAX, end: ChainEnd::Name };
        while let Some(link) = cnames.iter().find(|link| link.owner == chain.last()) {
            if chain.names().any(|name| *name == link.target) {
                chain.end = ChainEnd::Loop;
                return chain;
            }
            if chain.targets.len() == MAX_ALIAS_LINKS {
                chain.end = ChainEnd::TooLong;
                return chain;
            }
            chain.targets.push(link.target);
            chain.ttl = chain.ttl.min(link.ttl);
        }
        if too_many_cnames {
            chain.end = ChainEnd::TooLong;
        }
        chain
    }

    fn names(&self) -> impl Iterator<Item = &WireName<'a>> {
        std::iter::once(&self.question).chain(&self.targets)
    }

    fn last(&self) -> WireName<'a> {
        *self.targets.last().unwrap_or(&self.question)
    }

    fn contains(&self, owner: &WireName<'a>) -> bool {
        self.names().any(|name| name.compose_len() == owner.compose_len() && name.name_eq(owner))
    }

    fn canonical(&self, question: &QueryName) -> QueryName {
        match self.targets.iter().rev().find(|target| is_host_name(*target)) {
            Some(target) => QueryName::from_parsed(target),
            None => question.clone(),
        }
    }
}

/// What the authority section says about a negative answer.
#[derive(Default)]
pub(super) struct AuthoritySection {
    /// The lesser of the SOA record's TTL and its MINIMUM field: the SOA record of a zone that the
    /// end of the alias chain is in.
    pub(super) negative_ttl: Option<u32>,
    /// Whether an NS record stands there: without a SOA record, a referral.
    pub(super) has_ns: bool,
}

impl AuthoritySection {
    /// Walks the section, and returns it with what comes after it.
    ///
    /// # Errors
    ///
    /// A record is malformed.
    pub(super) fn read<'a>(
        end_of_chain: &WireName<'_>,
        mut records: RecordSection<'a, [u8]>,
    ) -> Result<(Self, RecordSection<'a, [u8]>), ParseError> {
        let mut section = Self::default();
        for record in &mut records {
            let record = record?;
            if record.class() != Class::IN {
                continue;
            }
            match record.rtype() {
                Rtype::NS => section.has_ns = true,
                Rtype::SOA => {
                    let Some(soa) = record.to_record::<Soa<WireName<'_>>>()? else { continue };
                    // "the TTL of this record is set from the minimum of the MINIMUM field of the
                    // SOA record and the TTL of the SOA itself" (RFC 2308 section 3)
                    let ttl = seconds(soa.ttl()).min(seconds(soa.data().minimum()));
                    if end_of_chain.ends_with(&record.owner()) {
                        let least = section.negative_ttl.map_or(ttl, |other| other.min(ttl));
                        section.negative_ttl = Some(least);
                    }
                }
                _ => {}
            }
        }
        let rest = records.next_section()?;
        Ok((section, rest.expect("the additional section follows the authority section")))
    }
}

#[cfg(test)]
mod tests;
