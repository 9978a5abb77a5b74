//! One lookup in the DNS: its candidate names, both families, aliases, and its results in order.

mod calls;
mod system_stage;
mod verdict;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use self::system_stage::SystemStage;
use super::cache::{Cache, Hit};
use super::notes;
use super::query::Settled;
use crate::observer::LookupEventKind;
use crate::resolve::error::{LookupErrorKind, QueryFailure, Question, RecordType};
use crate::resolve::names::local::{Ask, Plan};
use crate::resolve::names::search::Candidates;
use crate::resolve::names::special_names::{self, Special};
use crate::resolve::system_failure::{SystemCause, SystemFailure};
use crate::resolve::wire::answer::{Answer, MAX_ALIAS_LINKS, Outcome, is_link_local};
use crate::resolve::wire::query_name::QueryName;
use crate::resolve::{AddressFamily, AddressPolicy, DeniedAddresses};
use crate::{HostName, LookupResult};

/// The questions of one lookup, and the results of their answers.
///
/// Call order: [`poll_question`](Self::poll_question) until `None`, then
/// [`handle_settled`](Self::handle_settled) for each question that was polled, and again. Results
/// gather in [`results`](Self::results), the last one in [`end`](Self::end).
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, not a state")]
pub(crate) struct Lookup {
    /// As the caller gave it, for the error.
    name: Option<HostName>,
    port: u16,
    policy: AddressPolicy,
    /// See [`keep_order`](Self::keep_order).
    keeps_order: bool,
    /// The addresses that the policy denied, for the error.
    denied: Option<DeniedAddresses>,
    candidates: Option<Candidates<Arc<[HostName]>>>,
    /// The candidate that is being asked, as the canonical name of an answer without aliases.
    candidate: Option<HostName>,
    candidate_number: u32,
    families: [FamilyState; 2],
    /// The links of the alias chain that each family of the candidate has followed to another
    /// question. Each family has [`MAX_ALIAS_LINKS`], which bounds the cost of a hostile zone.
    alias_links: [usize; 2],
    /// Whether the canonical name has been given: with the first address.
    has_canonical: bool,
    /// An earlier candidate exists, but has no address: if the search ends in NXDOMAIN, the error
    /// is still "no address" (resolv.conf(5) search, RFC 2308 section 2.2).
    saw_no_data: bool,
    /// The failure that decides the end if no candidate brings an address.
    failed: Option<LookupErrorKind>,
    failures: Vec<QueryFailure>,
    /// Results that the consumer has not taken yet.
    pub(crate) results: VecDeque<LookupResult>,
    /// The last result: set once, taken by the consumer after the others.
    pub(crate) end: Option<LookupResult>,
    /// Whether `end` was set; it may have been taken since.
    pub(crate) has_ended: bool,
    /// Events that the observer has not received yet. `None` without an observer.
    notes: Option<Vec<Note>>,
    /// Whom it asks when the nameservers know no address, if there is such a source. Most lookups
    /// have none, and carry a pointer for it.
    then: Option<Box<Plan>>,
    /// What the operating system is asked, from when on it is.
    system: Option<Box<SystemStage>>,
}

/// An event for the observer of a lookup, and when it happened.
pub(crate) type Note = (Instant, LookupEventKind);

/// The state of one address family of the current candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
enum FamilyState {
    NotWanted,
    /// Its question is to be polled.
    ToAsk(QueryName),
    /// Its question was polled, and is not settled.
    Asked,
    /// Its call to the operating system is to be polled.
    ToCall,
    /// Its call was polled, and has not come back.
    Called,
    Addresses,
    /// It has some of its addresses: the rest could not be had.
    SomeAddresses(LookupErrorKind),
    /// It has addresses, all of which the policy denies.
    Denied,
    NoData,
    NxDomain,
    Failed(LookupErrorKind),
}

impl FamilyState {
    fn is_settled(&self) -> bool {
        !matches!(self, Self::ToAsk(_) | Self::Asked | Self::ToCall | Self::Called)
    }
}

/// What may answer about a later candidate, if nothing has answered about this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prospect {
    /// Nothing, as far as is known.
    None,
    /// About the next one: the same nameservers, one of which is known to work.
    Proven,
    /// About the first one behind those that are passed over: nothing that is known to be dead.
    Elsewhere { passed_over: usize },
}

/// RFC 8305 section 3: "the AAAA query SHOULD be made first, immediately followed by the A query".
pub(crate) const RECORD_TYPES: [RecordType; 2] = [RecordType::Aaaa, RecordType::A];

impl Lookup {
    /// A lookup that asks for each of its candidate names in turn.
    pub(crate) fn new(ask: Ask) -> Self {
        let Ask { name, port, family, candidates, plan } = ask;
        let families = [AddressFamily::Ipv4, AddressFamily::Ipv6].map(|this| match family {
            Some(wanted) if wanted != this => FamilyState::NotWanted,
            _ => FamilyState::NxDomain,
        });
        let mut lookup = Self {
            name: Some(name),
            port,
            policy: AddressPolicy::default(),
            keeps_order: false,
            denied: None,
            candidates: Some(candidates),
            candidate: None,
            candidate_number: 0,
            families,
            alias_links: [0; 2],
            has_canonical: false,
            saw_no_data: false,
            failed: None,
            failures: Vec::new(),
            results: VecDeque::new(),
            end: None,
            has_ended: false,
            notes: None,
            then: (plan != Plan::Nameservers).then(|| Box::new(plan)),
            system: None,
        };
        let is_for_nameservers = !matches!(lookup.then.as_deref(), Some(Plan::System(_)));
        if !(is_for_nameservers && lookup.next_candidate() || lookup.next_source()) {
            // Every candidate is too long, or a special-use name that must not be asked for.
            lookup.finish(Err(LookupErrorKind::NotFound));
        }
        lookup
    }

    /// Restricts the addresses to those that `policy` allows.
    pub(crate) fn with_policy(mut self, policy: AddressPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Whether the addresses of an answer keep the order in which they came, for each lookup that
    /// is given it.
    pub(crate) fn keep_order(mut self, keeps_order: bool) -> Self {
        self.keeps_order = keeps_order;
        self
    }

    /// Whether events are kept for an observer.
    pub(crate) fn observe(mut self, is_observed: bool) -> Self {
        self.notes = is_observed.then(Vec::new);
        self
    }

    pub(crate) fn is_observed(&self) -> bool {
        self.notes.is_some()
    }

    /// Keeps what has happened to a question for an observer, if there is one.
    pub(crate) fn note(
        &mut self,
        at: Instant,
        (name, record_type): (&QueryName, RecordType),
        event: impl FnOnce(Question) -> LookupEventKind,
    ) {
        if self.is_observed()
            && let Some(question) = self.question(name, record_type)
        {
            self.notes.get_or_insert_default().push((at, event(question)));
        }
    }

    /// A question as it stands in events and errors: the end of an alias chain may be no host name.
    fn question(&self, name: &QueryName, record_type: RecordType) -> Option<Question> {
        let name = name.to_host_name().or_else(|| self.candidate.clone())?;
        Some(Question { name, record_type })
    }

    pub(crate) fn has_notes(&self) -> bool {
        self.notes.as_ref().is_some_and(|notes| !notes.is_empty())
    }

    /// Takes the events for the observer.
    pub(crate) fn take_notes(&mut self) -> Vec<Note> {
        self.notes.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// A lookup whose results are known. The last of them is the `End`.
    pub(crate) fn answered(results: Vec<LookupResult>) -> Self {
        let mut results = VecDeque::from(results);
        let end = results.pop_back();
        Self {
            name: None,
            port: 0,
            policy: AddressPolicy::default(),
            keeps_order: false,
            denied: None,
            candidates: None,
            candidate: None,
            candidate_number: 0,
            families: [FamilyState::NotWanted, FamilyState::NotWanted],
            alias_links: [0; 2],
            has_canonical: true,
            saw_no_data: false,
            failed: None,
            failures: Vec::new(),
            results,
            end,
            has_ended: true,
            notes: None,
            then: None,
            system: None,
        }
    }

    /// All results of a lookup that has ended, the `End` included.
    pub(crate) fn into_results(self) -> Vec<LookupResult> {
        let mut results = self.results;
        results.extend(self.end);
        results.into()
    }

    /// A question to be asked now. Questions about one name are returned one after the other.
    pub(crate) fn poll_question(
        &mut self,
        order: [RecordType; 2],
    ) -> Option<(RecordType, QueryName)> {
        for record_type in order {
            let family = &mut self.families[record_type.index()];
            if matches!(family, FamilyState::ToAsk(_)) {
                let FamilyState::ToAsk(name) = std::mem::replace(family, FamilyState::Asked) else {
                    unreachable!("matched above");
                };
                return Some((record_type, name));
            }
        }
        None
    }

    /// Whether a question is still to be asked.
    pub(crate) fn has_question(&self) -> bool {
        self.families.iter().any(|family| matches!(family, FamilyState::ToAsk(_)))
    }

    /// Answers what this lookup asks from the cache, as far as the cache has fresh answers. Returns
    /// whether it had any; a lookup that has not ended by that has some of its results, and lacks
    /// the others. Questions that should be asked again for the cache are added to `refresh`.
    pub(crate) fn answer_from(
        &mut self,
        cache: &Cache,
        now: Instant,
        refresh: &mut Vec<(QueryName, RecordType)>,
    ) -> bool {
        let mut reader = cache.reader(now);
        let mut has_any = false;
        let mut hits = [None, None];
        while let Some((record_type, name)) = self.poll_question(RECORD_TYPES) {
            let Some(hit) = reader.fresh_answer(&name, record_type) else {
                self.ask_again(record_type, &name);
                break;
            };
            has_any = true;
            let cached = |question| notes::cached(question, hit.settled(), hit.ttl(now));
            self.note(now, (&name, record_type), cached);
            self.handle_settled(record_type, &name, hit.settled(), hit.turn, Prospect::None);
            if hit.wants_refresh {
                refresh.push((name, record_type));
            }
            hits[record_type.index()] = Some(hit);
        }
        if !self.has_ended {
            // It is begun anew, and takes its turns then.
            hits.iter().flatten().for_each(Hit::give_back_turn);
        }
        has_any
    }

    /// The number of candidate names that were begun. Each has a deadline of its own.
    pub(crate) fn candidate_number(&self) -> u32 {
        self.candidate_number
    }

    /// Whether a name is the candidate that is being asked, and not the target of an alias.
    pub(crate) fn is_candidate(&self, name: &QueryName) -> bool {
        self.candidate.as_ref().is_some_and(|candidate| QueryName::from(candidate) == *name)
    }

    /// The candidate that is being asked.
    pub(crate) fn candidate(&self) -> Option<&HostName> {
        self.candidate.as_ref()
    }

    /// The candidates that were not begun, in order.
    pub(crate) fn later_candidates(&self) -> impl Iterator<Item = HostName> {
        self.candidates.clone().into_iter().flatten()
    }

    /// Whether the operating system has not answered in time about an earlier candidate.
    pub(crate) fn has_overdue_call(&self) -> bool {
        let is_overdue = |failure: &SystemFailure| failure.cause == SystemCause::Timeout;
        self.system.as_ref().is_some_and(|stage| stage.failures.iter().any(is_overdue))
    }

    /// Makes a question that was polled available to `poll_question` again.
    pub(crate) fn ask_again(&mut self, record_type: RecordType, question: &QueryName) {
        if !self.has_ended {
            self.families[record_type.index()] = FamilyState::ToAsk(question.clone());
        }
    }

    /// Whether the current candidate has had no answer.
    pub(crate) fn is_unanswered(&self) -> bool {
        use FamilyState::{Asked, NotWanted, ToAsk};
        let is_open = |family: &FamilyState| matches!(family, NotWanted | ToAsk(_) | Asked);
        !self.has_ended && !self.is_for_system() && self.families.iter().all(is_open)
    }

    /// Asks for the current candidate anew: its aliases were those of other nameservers.
    pub(crate) fn restart_candidate(&mut self) {
        let Some(candidate) = &self.candidate else { return };
        let name = QueryName::from(candidate);
        for family in &mut self.families {
            if *family != FamilyState::NotWanted {
                *family = FamilyState::ToAsk(name.clone());
            }
        }
        self.alias_links = [0; 2];
    }

    /// The candidate's deadline has passed: the questions that are not settled have failed.
    pub(crate) fn handle_candidate_overdue(
        &mut self,
        kind: LookupErrorKind,
        prospect: Prospect,
        now: Instant,
    ) {
        if self.has_ended {
            return;
        }
        self.record_overdue_calls(now);
        for family in &mut self.families {
            if !family.is_settled() {
                *family = FamilyState::Failed(kind);
            }
        }
        self.decide(prospect);
    }

    /// A question that was polled is settled. `turn` is how many lookups were given the same answer
    /// before.
    pub(crate) fn handle_settled(
        &mut self,
        record_type: RecordType,
        question: &QueryName,
        settled: &Settled,
        turn: u32,
        prospect: Prospect,
    ) {
        if self.has_ended {
            return;
        }
        let family = match settled {
            Settled::Answer { answer, .. } => {
                self.handle_answer(record_type, question, answer, turn)
            }
            Settled::Failed(failure) => {
                self.record(record_type, question, failure);
                let kind = failure.kind();
                let last_resort = failure.last_resort.as_deref();
                let given = last_resort
                    .map(|answer| self.handle_answer(record_type, question, answer, turn));
                match given {
                    Some(FamilyState::Addresses) => FamilyState::SomeAddresses(kind),
                    Some(FamilyState::Denied) => FamilyState::Denied,
                    _ => FamilyState::Failed(kind),
                }
            }
        };
        self.families[record_type.index()] = family;
        self.decide(prospect);
    }

    /// A question that was polled is about a name that is not to be asked for: it does not exist,
    /// as if a nameserver had said so.
    pub(crate) fn handle_refused(&mut self, record_type: RecordType) {
        if !self.has_ended {
            self.families[record_type.index()] = FamilyState::NxDomain;
            self.decide(Prospect::None);
        }
    }

    /// The lookup's own deadline has passed. Addresses that came stay valid, and are still to be
    /// taken.
    pub(crate) fn handle_deadline(&mut self, kind: LookupErrorKind, now: Instant) {
        if !self.has_ended {
            self.record_overdue_calls(now);
            self.finish(Err(kind));
        }
    }

    /// Cancels the lookup: results that were not taken are dropped, and its `End` says that it was
    /// canceled, unless the `End` is all that was left to take.
    pub(crate) fn handle_cancel(&mut self) {
        let is_whole = self.has_ended && self.results.is_empty();
        self.results.clear();
        if !is_whole {
            self.finish(Err(LookupErrorKind::Canceled));
        }
    }

    fn handle_answer(
        &mut self,
        record_type: RecordType,
        question: &QueryName,
        answer: &Answer,
        turn: u32,
    ) -> FamilyState {
        match &answer.outcome {
            Outcome::Addresses(addresses) => {
                let (port, before, denied_before) = (self.port, self.results.len(), self.denied);
                let allowed =
                    addresses.iter().filter(|&&ip| self.policy.lets_through(ip, &mut self.denied));
                let usable = allowed.filter(|&&ip| !is_link_local(ip));
                self.results
                    .extend(usable.map(|&ip| LookupResult::Address(SocketAddr::new(ip, port))));
                let given = self.results.len() - before;
                if given > 1 && !self.keeps_order {
                    // Each lookup starts one address further: callers dial the first, and would all
                    // dial the same one for as long as the answer holds.
                    let start = turn as usize % given;
                    self.results.make_contiguous()[before..].rotate_left(start);
                }
                if given == 0 {
                    let is_denied = self.denied != denied_before;
                    return if is_denied { FamilyState::Denied } else { FamilyState::NoData };
                }
                if !self.has_canonical {
                    self.has_canonical = true;
                    let name = self.canonical_name(question, answer);
                    self.results.push_back(LookupResult::CanonicalName(name));
                }
                FamilyState::Addresses
            }
            Outcome::Alias { target } => self.follow(record_type, answer.links, target),
            Outcome::NoData | Outcome::Empty => FamilyState::NoData,
            Outcome::NxDomain => FamilyState::NxDomain,
            Outcome::AliasLoop | Outcome::AliasChainTooLong => {
                FamilyState::Failed(LookupErrorKind::BadResponse)
            }
        }
    }

    /// The end of the alias chain; the caller's own spelling if there was no alias.
    fn canonical_name(&self, question: &QueryName, answer: &Answer) -> HostName {
        let candidate = self.candidate.as_ref().expect("an answer has a candidate");
        if answer.links == 0 && *question == QueryName::from(candidate) {
            return candidate.clone();
        }
        answer.canonical.to_host_name().unwrap_or_else(|| candidate.clone())
    }

    /// An alias without an address: asks for its target, unless that is a special-use name.
    fn follow(&mut self, record_type: RecordType, links: usize, target: &QueryName) -> FamilyState {
        let followed = &mut self.alias_links[record_type.index()];
        *followed += links;
        if *followed > MAX_ALIAS_LINKS {
            return FamilyState::Failed(LookupErrorKind::BadResponse);
        }
        match target.to_host_name().map(|name| special_names::classify(&name)) {
            Some(Special::Ordinary) | None => FamilyState::ToAsk(target.clone()),
            Some(_) => FamilyState::NoData,
        }
    }
}
