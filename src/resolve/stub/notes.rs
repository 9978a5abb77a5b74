//! The events of a lookup, made for lookups with an observer alone.

use std::time::Duration;

use super::query::Settled;
use crate::observer::{AnswerKind, AnswerSource, LookupEventKind};
use crate::resolve::error::{FailureCause, Question, Rcode};
use crate::resolve::wire::answer::{Answer, Outcome};
use crate::resolve::wire::message::Response;

/// A question is answered from the cache.
pub(super) fn cached(question: Question, settled: &Settled, ttl: Duration) -> LookupEventKind {
    let answer = match settled {
        Settled::Answer { answer, .. } => kind_of(answer),
        Settled::Failed(failure) => {
            let first = failure.nameservers.first();
            AnswerKind::Failed(first.map_or(FailureCause::NotSent, |failure| failure.cause))
        }
    };
    LookupEventKind::Answered {
        question: Some(question),
        source: AnswerSource::Cache,
        elapsed: Duration::ZERO,
        ttl: Some(ttl),
        answer,
    }
}

/// A name is not asked for, as its route says.
pub(super) fn refused(question: Question) -> LookupEventKind {
    LookupEventKind::Answered {
        question: Some(question),
        source: AnswerSource::Route,
        elapsed: Duration::ZERO,
        ttl: None,
        answer: AnswerKind::NotFound,
    }
}

fn kind_of(answer: &Answer) -> AnswerKind {
    match &answer.outcome {
        Outcome::Addresses(addresses) => AnswerKind::Addresses(addresses.len()),
        Outcome::Alias { .. } => AnswerKind::Alias,
        Outcome::NoData | Outcome::Empty => AnswerKind::NoData,
        Outcome::NxDomain => AnswerKind::NotFound,
        Outcome::AliasLoop => AnswerKind::Failed(FailureCause::AliasLoop),
        Outcome::AliasChainTooLong => AnswerKind::Failed(FailureCause::AliasChainTooLong),
    }
}

/// What a response says, and for how long it holds.
pub(super) fn read(response: &Response) -> (AnswerKind, Option<Duration>) {
    let rcode = |rcode| AnswerKind::Failed(FailureCause::Rcode(rcode));
    let kind = match response {
        Response::Answer(answer) => {
            let ttl = answer.ttl.map(|seconds| Duration::from_secs(seconds.into()));
            return (kind_of(answer), ttl);
        }
        Response::Truncated(_) => AnswerKind::Truncated,
        Response::Failure(code) | Response::Hint(code) => rcode(*code),
        Response::FormErr => rcode(Rcode::FORMERR),
        Response::BadVers => rcode(Rcode::BADVERS),
        Response::StrayOpt | Response::Unreadable => AnswerKind::Failed(FailureCause::Malformed),
        Response::CaseMismatch => AnswerKind::Failed(FailureCause::CaseMismatch),
        Response::LameReferral => AnswerKind::Failed(FailureCause::LameReferral),
    };
    (kind, None)
}
