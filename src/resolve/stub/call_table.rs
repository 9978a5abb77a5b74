//! The calls to the operating system of one generation, by what they ask.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use super::subscribers::Subscribers;
use crate::HostName;
use crate::resolve::error::RecordType;
use crate::resolve::system::{Call, CallId, CallOutcome};

/// The calls of one generation.
#[derive(Default)]
pub(super) struct CallTable {
    pub(super) entries: HashMap<CallKey, CallEntry>,
    /// The keys of outcomes that are held, and until when: the oldest first, since each is held for
    /// the same time.
    pub(super) held: VecDeque<(Instant, CallKey)>,
    pub(super) steps: VecDeque<CallStep>,
}

/// A name differs from the same one with a final dot, to which no search list applies.
pub(super) type CallKey = (HostName, bool, RecordType);

pub(super) struct CallEntry {
    pub(super) id: CallId,
    pub(super) subscribers: Subscribers,
    /// Addresses that are held.
    pub(super) outcome: Option<CallOutcome>,
}

/// What is to become of a call.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum CallStep {
    /// It is wanted.
    Make(Call),
    /// No lookup waits for it any more.
    Abandon(Call),
}

pub(super) fn key_of(name: &HostName, record_type: RecordType) -> CallKey {
    (name.clone(), name.is_absolute(), record_type)
}
