//! How a question ends.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::resolve::error::{FailureCause, LookupErrorKind, Transport};
use crate::resolve::wire::answer::Answer;

/// How a question was settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    /// A valid answer, be it that there is no address.
    Answer {
        answer: Answer,
        /// When the query was sent that it answers: its TTL counts from then.
        asked_at: Instant,
    },
    Failed(Failure),
}

/// Why a question has no answer: one entry per nameserver asked, in the order of the failures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) nameservers: Vec<NameserverFailure>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NameserverFailure {
    pub(crate) nameserver: SocketAddr,
    pub(crate) transport: Transport,
    pub(crate) cause: FailureCause,
    pub(crate) elapsed: Duration,
}

impl Failure {
    /// The one cause to act on: a nameserver that answered says more than one that did not.
    pub(crate) fn kind(&self) -> LookupErrorKind {
        let any = |test: fn(&FailureCause) -> bool| self.nameservers.iter().any(|s| test(&s.cause));
        if any(|c| matches!(c, FailureCause::AliasLoop | FailureCause::AliasChainTooLong)) {
            LookupErrorKind::BadResponse
        } else if any(|c| matches!(c, FailureCause::Rcode(_) | FailureCause::LameReferral)) {
            LookupErrorKind::ServerFailure
        } else if any(|c| matches!(c, FailureCause::Timeout)) {
            LookupErrorKind::Timeout
        } else if any(|c| matches!(c, FailureCause::OutOfResources)) {
            LookupErrorKind::Resources
        } else {
            LookupErrorKind::Unreachable
        }
    }
}
