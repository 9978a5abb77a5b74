//! The outcome of a question.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::resolve::error::{FailureCause, LookupErrorKind, Transport};
use crate::resolve::wire::answer::Answer;

/// The outcome of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    /// A valid answer, positive or negative.
    Answer {
        answer: Answer,
        /// When the query that it answers was sent: its TTL counts from then.
        asked_at: Instant,
    },
    Failed(Failure),
}

/// Why a question has no answer: an entry for each nameserver and transport, in the order of the
/// failures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) nameservers: Vec<NameserverFailure>,
    /// The addresses of a truncated response, when the rest could not be had over TCP.
    pub(crate) last_resort: Option<Box<Answer>>,
    /// Whether no nameserver is configured.
    pub(crate) is_unconfigured: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NameserverFailure {
    pub(crate) nameserver: SocketAddr,
    pub(crate) transport: Transport,
    pub(crate) cause: FailureCause,
    pub(crate) elapsed: Duration,
}

impl Failure {
    /// Whether no nameserver has responded at all.
    pub(crate) fn is_outage(&self) -> bool {
        use LookupErrorKind::{Misconfigured, Timeout, Unreachable};
        matches!(self.kind(), Misconfigured | Timeout | Unreachable)
    }

    /// The kind of the whole failure: a nameserver's response decides over another one's silence.
    pub(crate) fn kind(&self) -> LookupErrorKind {
        let any = |test: fn(&FailureCause) -> bool| self.nameservers.iter().any(|s| test(&s.cause));
        if any(|c| matches!(c, FailureCause::AliasLoop | FailureCause::AliasChainTooLong)) {
            LookupErrorKind::BadResponse
        } else if any(|c| c.is_response()) {
            LookupErrorKind::ServerFailure
        } else if any(|c| matches!(c, FailureCause::Timeout)) {
            LookupErrorKind::Timeout
        } else if any(|c| matches!(c, FailureCause::NotSent)) {
            LookupErrorKind::Overloaded
        } else if any(|c| matches!(c, FailureCause::OutOfResources)) {
            LookupErrorKind::Resources
        } else if self.is_unconfigured {
            LookupErrorKind::Misconfigured
        } else {
            LookupErrorKind::Unreachable
        }
    }
}
