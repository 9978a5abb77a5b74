//! The part of [`Lookup`] that asks the operating system about the name as it was given: one call
//! for each address family, or one for both where a search list makes several names of it.

use std::net::SocketAddr;
use std::time::Instant;

use super::system_stage::SystemStage;
use super::{FamilyState, Lookup, Prospect, RECORD_TYPES};
use crate::observer::{AnswerKind, AnswerSource, LookupEventKind};
use crate::resolve::error::{Question, RecordType};
use crate::resolve::names::local::SystemName;
use crate::resolve::system::{CallOutcome, Families, ScopedIp};
use crate::resolve::system_failure::{SystemCause, SystemFailure};
use crate::resolve::wire::answer::is_link_local;
use crate::{HostName, LookupResult};

/// In the order in which they are asked for.
fn record_types(families: Families) -> impl Iterator<Item = RecordType> {
    RECORD_TYPES.into_iter().filter(move |record_type| families.have(*record_type))
}

impl Lookup {
    /// Begins to ask the operating system, as if its name were one candidate more.
    pub(super) fn ask_system(&mut self, asked: SystemName) {
        (self.candidates, self.candidate) = (None, Some(asked.name.to_relative()));
        self.begin_calls(asked);
    }

    /// Asks the operating system about the current candidate, as its route says: the nameservers
    /// are not to see it. The later candidates have their own routes.
    pub(crate) fn ask_system_about_candidate(&mut self) {
        if let Some(candidate) = &self.candidate {
            // The search list was applied here.
            let name = candidate.to_absolute();
            self.begin_calls(SystemName { name, is_searched: false });
        }
    }

    fn begin_calls(&mut self, asked: SystemName) {
        let mut stage = Box::new(SystemStage::new(asked));
        if let Some(earlier) = self.system.take() {
            stage.failures = earlier.failures;
        }
        self.system = Some(stage);
        self.candidate_number += 1;
        for family in &mut self.families {
            if *family != FamilyState::NotWanted {
                *family = FamilyState::ToCall;
            }
        }
    }

    /// Whether the operating system is asked, and not the nameservers.
    pub(crate) fn is_for_system(&self) -> bool {
        self.system.as_ref().is_some_and(|stage| stage.is_current)
    }

    /// The name that the operating system is asked for.
    pub(crate) fn system_name(&self) -> Option<&HostName> {
        self.system.as_ref().map(|stage| &stage.asked.name)
    }

    /// A call to be made now. The one that is returned second is the second of the lookup.
    pub(crate) fn poll_call(&mut self, now: Instant) -> Option<Families> {
        let stage = self.system.as_deref_mut().filter(|_| !self.has_ended)?;
        let is_due = |rt: &RecordType| self.families[rt.index()] == FamilyState::ToCall;
        let mut due = RECORD_TYPES.into_iter().filter(is_due);
        let families = match (due.next()?, due.next()) {
            (_, Some(_)) if stage.asked.is_searched => Families::Both,
            (record_type, _) => Families::One(record_type),
        };
        stage.began.get_or_insert(now);
        for record_type in record_types(families) {
            self.families[record_type.index()] = FamilyState::Called;
            self.note_call(now, record_type, |question| LookupEventKind::Called { question });
        }
        Some(families)
    }

    /// Whether a call that was polled has not come back.
    pub(crate) fn waits_for_call(&self, families: Families) -> bool {
        record_types(families)
            .any(|record_type| self.families[record_type.index()] == FamilyState::Called)
    }

    /// The lookup waits for its calls no more. Returns those that it waited for.
    pub(crate) fn leave_calls(&mut self) -> Vec<Families> {
        let waits_for = |rt: &RecordType| self.families[rt.index()] == FamilyState::Called;
        let left: Vec<_> = RECORD_TYPES.into_iter().filter(waits_for).collect();
        for record_type in &left {
            self.families[record_type.index()] = FamilyState::ToCall;
        }
        let is_searched = self.system.as_ref().is_some_and(|stage| stage.asked.is_searched);
        if is_searched && left.len() == RECORD_TYPES.len() {
            return vec![Families::Both];
        }
        left.into_iter().map(Families::One).collect()
    }

    /// A call that was polled has come back. Returns how many link-local addresses had no scope.
    pub(crate) fn handle_called(
        &mut self,
        families: Families,
        outcome: &CallOutcome,
        now: Instant,
    ) -> usize {
        let of_family = |record_type| {
            self.handle_family_called(record_type, &outcome.of_family(record_type), now)
        };
        record_types(families).map(of_family).sum()
    }

    fn handle_family_called(
        &mut self,
        record_type: RecordType,
        outcome: &CallOutcome,
        now: Instant,
    ) -> usize {
        if self.has_ended || self.families[record_type.index()].is_settled() {
            return 0;
        }
        self.note_called(record_type, outcome, now);
        let mut skipped = 0;
        let family = match outcome {
            CallOutcome::Addresses(addresses) => {
                let denied_before = self.denied;
                let given;
                (given, skipped) = self.give(addresses);
                match given {
                    0 if self.denied != denied_before => FamilyState::Denied,
                    0 => FamilyState::NoData,
                    _ => FamilyState::Addresses,
                }
            }
            CallOutcome::NoName => FamilyState::NxDomain,
            CallOutcome::NoData => FamilyState::NoData,
            CallOutcome::NoFamily => {
                let other = &self.families[record_type.other().index()];
                let is_alone = *other == FamilyState::NotWanted;
                if is_alone { FamilyState::NoData } else { FamilyState::NotWanted }
            }
            CallOutcome::Failed(kind, cause) => {
                self.record_call(record_type, *cause, now);
                FamilyState::Failed(*kind)
            }
        };
        self.families[record_type.index()] = family;
        self.decide(Prospect::Proven);
        skipped
    }

    /// Hands out the addresses that the policy allows, and the canonical name behind the first
    /// ones. Returns how many these were, and how many cannot be connected to for want of a scope.
    fn give(&mut self, addresses: &[ScopedIp]) -> (usize, usize) {
        let (before, mut skipped) = (self.results.len(), 0);
        for &(ip, scope) in addresses {
            if !self.policy.lets_through(ip, &mut self.denied) {
                continue;
            }
            if scope == 0 && is_link_local(ip) {
                skipped += 1;
                continue;
            }
            let mut addr = SocketAddr::new(ip, self.port);
            if let SocketAddr::V6(v6) = &mut addr {
                v6.set_scope_id(scope);
            }
            self.results.push_back(LookupResult::Address(addr));
        }
        let given = self.results.len() - before;
        if given > 0 && !self.has_canonical {
            self.has_canonical = true;
            // The alias chain is the operating system's alone.
            let name = self.candidate.clone().expect("what is asked for has a name");
            self.results.push_back(LookupResult::CanonicalName(name));
        }
        (given, skipped)
    }

    /// Notes that the calls which have not come back are given up.
    pub(super) fn record_overdue_calls(&mut self, now: Instant) {
        for record_type in RECORD_TYPES {
            let family = &self.families[record_type.index()];
            if matches!(family, FamilyState::ToCall | FamilyState::Called) {
                self.record_call(record_type, SystemCause::Timeout, now);
            }
        }
    }

    fn record_call(&mut self, record_type: RecordType, cause: SystemCause, now: Instant) {
        let (Some(stage), Some(name)) = (&mut self.system, &self.candidate) else { return };
        let question = Question { name: name.clone(), record_type };
        let elapsed = now.saturating_duration_since(stage.began.unwrap_or(now));
        stage.failures.push(SystemFailure { question, cause, elapsed });
    }

    /// Keeps the answer of the operating system for the observer.
    fn note_called(&mut self, record_type: RecordType, outcome: &CallOutcome, now: Instant) {
        let began = self.system.as_ref().and_then(|stage| stage.began).unwrap_or(now);
        self.note_call(now, record_type, |question| LookupEventKind::Answered {
            question: Some(question),
            source: AnswerSource::System,
            elapsed: now.saturating_duration_since(began),
            ttl: None,
            answer: match outcome {
                CallOutcome::Addresses(addresses) => AnswerKind::Addresses(addresses.len()),
                CallOutcome::NoName => AnswerKind::NotFound,
                CallOutcome::NoData | CallOutcome::NoFamily => AnswerKind::NoData,
                CallOutcome::Failed(_, cause) => AnswerKind::SystemFailed(*cause),
            },
        });
    }

    fn note_call(
        &mut self,
        now: Instant,
        record_type: RecordType,
        event: impl FnOnce(Question) -> LookupEventKind,
    ) {
        if let (Some(notes), Some(name)) = (&mut self.notes, &self.candidate) {
            let question = Question { name: name.clone(), record_type };
            notes.push((now, event(question)));
        }
    }
}
