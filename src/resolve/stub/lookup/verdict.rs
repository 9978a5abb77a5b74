//! The part of [`Lookup`] that decides: whether it goes on with the next candidate name or source,
//! and how it ends.

use super::{FamilyState, Lookup, Prospect};
use crate::LookupResult;
use crate::resolve::error::{LookupError, LookupErrorKind, QueryFailure, RecordType};
use crate::resolve::names::local::Plan;
use crate::resolve::stub::query::Failure;
use crate::resolve::wire::query_name::QueryName;

impl Lookup {
    /// Once both families of a candidate are settled, ends the lookup or begins the next candidate.
    pub(super) fn decide(&mut self, prospect: Prospect) {
        if !self.families.iter().all(FamilyState::is_settled) {
            return;
        }
        let failed = self.families.iter().find_map(|family| match family {
            FamilyState::Failed(kind) | FamilyState::SomeAddresses(kind) => Some(*kind),
            _ => None,
        });
        let has_addresses = |family: &FamilyState| {
            matches!(family, FamilyState::Addresses | FamilyState::SomeAddresses(_))
        };
        if self.families.iter().any(has_addresses) {
            // Addresses that came stay valid; the error is about the other family, or the rest.
            return self.finish(failed.map_or(Ok(()), Err));
        }
        if self.families.contains(&FamilyState::Denied) {
            // The name was found, so the search is over. To go on would let the zone of this
            // candidate choose, by a denied address, which later candidate is connected to.
            return self.finish(Err(LookupErrorKind::PolicyDenied));
        }
        self.saw_no_data |= self.families.contains(&FamilyState::NoData);
        if let Some(kind) = failed {
            // The first failure is reported: later ones may be its consequence.
            self.failed.get_or_insert(kind);
            if !self.may_go_on(kind, prospect) {
                if !self.next_source() {
                    self.finish(Err(kind));
                }
                return;
            }
            self.pass_over(prospect);
        }
        if !(self.next_candidate() || self.next_source()) {
            self.finish(Err(match self.failed {
                Some(kind) => kind,
                None if self.saw_no_data => LookupErrorKind::NoAddress,
                None => LookupErrorKind::NotFound,
            }));
        }
    }

    /// Whether to ask for a later candidate although this one failed.
    ///
    /// One domain's nameservers may fail where the next one's do not, so the search goes on, as in
    /// the C library (`res_search`: "try next" on SERVFAIL); its outcome is then never "not found".
    /// Where no nameserver has responded at all, none would respond about the next candidate
    /// either, and each candidate would cost the whole timeout again; unless a later one has a
    /// route to other nameservers.
    fn may_go_on(&self, kind: LookupErrorKind, prospect: Prospect) -> bool {
        use LookupErrorKind::{Misconfigured, Timeout, Unreachable};
        self.has_response()
            || match prospect {
                Prospect::None => false,
                Prospect::Proven => kind == Timeout,
                Prospect::Elsewhere { .. } => matches!(kind, Timeout | Unreachable | Misconfigured),
            }
    }

    /// Leaves out the candidates whose nameservers are known to be dead, if those of this one are.
    fn pass_over(&mut self, prospect: Prospect) {
        if let Prospect::Elsewhere { passed_over } = prospect
            && !self.has_response()
            && let Some(candidates) = &mut self.candidates
        {
            candidates.by_ref().take(passed_over).for_each(drop);
        }
    }

    /// Whether a nameserver has responded about this candidate.
    fn has_response(&self) -> bool {
        use LookupErrorKind::{BadResponse, ServerFailure};
        let has_response = |family: &FamilyState| {
            matches!(
                family,
                FamilyState::NoData
                    | FamilyState::NxDomain
                    | FamilyState::Failed(ServerFailure | BadResponse)
            )
        };
        self.families.iter().any(has_response)
    }

    pub(super) fn next_candidate(&mut self) -> bool {
        let Some(candidate) = self.candidates.as_mut().and_then(Iterator::next) else {
            return false;
        };
        self.candidate = Some(candidate);
        self.candidate_number += 1;
        if let Some(stage) = &mut self.system {
            stage.is_current = false;
        }
        self.restart_candidate();
        true
    }

    /// Goes on with the source behind the nameservers. Returns whether there is one.
    ///
    /// The hosts file is asked whatever the nameservers did, as in the C library: a machine without
    /// a network has its own names. The operating system would ask the same nameservers again.
    pub(super) fn next_source(&mut self) -> bool {
        let is_of_system = matches!(self.then.as_deref(), Some(Plan::NameserversThenSystem(_)));
        if is_of_system && self.failed.is_some() {
            return false;
        }
        match self.then.take().map_or(Plan::Nameservers, |then| *then) {
            Plan::Nameservers => return false,
            Plan::NameserversThenHosts(results) => {
                self.results.extend(results);
                self.end = self.results.pop_back();
                self.has_ended = true;
            }
            Plan::NameserversThenSystem(name) | Plan::System(name) => self.ask_system(name),
        }
        true
    }

    pub(super) fn finish(&mut self, outcome: Result<(), LookupErrorKind>) {
        let outcome = outcome.map_err(|kind| {
            // Whatever became of the other family, an address was there: a zone must not be able to
            // hide a denied address behind a failure.
            let kind = match kind {
                LookupErrorKind::Canceled => kind,
                _ if self.denied.is_some() && !self.has_canonical => LookupErrorKind::PolicyDenied,
                _ => kind,
            };
            let error = |failures| LookupError::new(kind, self.name.clone(), failures);
            if kind == LookupErrorKind::Canceled {
                return error(Vec::new()).with_denied(self.denied);
            }
            let error = error(std::mem::take(&mut self.failures)).with_denied(self.denied);
            match &mut self.system {
                Some(stage) => error
                    .with_system_failures(std::mem::take(&mut stage.failures), stage.is_current),
                None => error,
            }
        });
        self.end = Some(LookupResult::End(outcome));
        self.has_ended = true;
    }

    pub(super) fn record(
        &mut self,
        record_type: RecordType,
        question: &QueryName,
        failure: &Failure,
    ) {
        let Some(question) = self.question(question, record_type) else { return };
        self.failures.extend(failure.nameservers.iter().map(|f| QueryFailure {
            question: question.clone(),
            nameserver: f.nameserver,
            transport: f.transport,
            cause: f.cause,
            elapsed: f.elapsed,
        }));
    }
}
