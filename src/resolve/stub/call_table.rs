//! The calls to the operating system of one generation, by what they ask.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use super::subscribers::Subscribers;
use crate::HostName;
use crate::resolve::system::{Call, CallId, CallOutcome, Families};
use crate::resolve::wire::query_name::QueryName;

/// The calls of one generation.
#[derive(Default)]
pub(super) struct CallTable {
    pub(super) entries: HashMap<CallKey, CallEntry>,
    /// The keys of outcomes that are held, and until when: the oldest first, since each is held for
    /// the same time.
    pub(super) held: VecDeque<(Instant, CallKey, CallId)>,
    pub(super) steps: VecDeque<CallStep>,
}

/// A name differs from the same one with a final dot, to which no search list applies.
pub(super) type CallKey = (HostName, bool, Families);

pub(super) struct CallEntry {
    pub(super) id: CallId,
    pub(super) subscribers: Subscribers,
    /// Addresses that are held.
    pub(super) outcome: Option<CallOutcome>,
    /// The cache was cleared, or the name forgotten, while it was in flight: it is not held.
    pub(super) is_forgotten: bool,
}

impl CallTable {
    /// Drops what is held, of one name or of all. What is in flight is not held either.
    pub(super) fn forget(&mut self, name: Option<&QueryName>) {
        let is_it = |key: &CallKey| name.is_none_or(|name| *name == QueryName::from(&key.0));
        self.entries.retain(|key, entry| !(is_it(key) && entry.outcome.is_some()));
        for (_, entry) in self.entries.iter_mut().filter(|(key, _)| is_it(key)) {
            entry.is_forgotten = true;
        }
    }
}

/// The calls that a lookup waits for, one for each address family at the most. Most lookups wait
/// for none, and carry a pointer for it.
#[derive(Debug, Default)]
pub(super) struct WaitedCalls(Option<Box<[Option<CallId>; 2]>>);

impl WaitedCalls {
    pub(super) fn add(&mut self, id: CallId) {
        let calls = self.0.get_or_insert_default();
        if let Some(free) = calls.iter_mut().find(|call| call.is_none()) {
            *free = Some(id);
        }
    }

    pub(super) fn contains(&self, id: CallId) -> bool {
        self.0.as_ref().is_some_and(|calls| calls.contains(&Some(id)))
    }

    /// The lookup waits for this call no more. Returns whether it did.
    pub(super) fn take(&mut self, id: CallId) -> bool {
        let mut calls = self.0.iter_mut().flat_map(|calls| calls.iter_mut());
        calls.find(|call| **call == Some(id)).is_some_and(|call| call.take().is_some())
    }
}

/// What is to become of a call.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum CallStep {
    /// It is wanted.
    Make(Call),
    /// No lookup waits for it any more.
    Abandon(Call),
}

pub(super) fn key_of(name: &HostName, families: Families) -> CallKey {
    (name.clone(), name.is_absolute(), families)
}
