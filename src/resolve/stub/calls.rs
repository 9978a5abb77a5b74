//! The part of [`Stub`] that asks the operating system for lookups.
//!
//! Identical calls are coalesced, as identical questions are: a name that is looked up ten thousand
//! times while its call hangs holds one thread for each family. A call goes on when its last lookup
//! has left it, since nothing can end it, and a new lookup of the same name joins it. Addresses are
//! held for a second, in which lookups that come together share them: the operating system tells no
//! TTL, and has a cache of its own. What it does not find is not held: its "no" may be a failure.

use std::time::Instant;

use super::call_table::{CallEntry, CallStep, WaitedCalls, key_of};
use super::ids::LookupId;
use super::routes::Destination;
use super::subscribers::Subscribers;
use super::{Stub, Timer};
use crate::resolve::stats::add;
use crate::resolve::system::{Call, CallId, CallOutcome};
use crate::resolve::wire::query_name::QueryName;

impl Stub {
    /// Asks the operating system what a lookup wants to know of it. Returns whether any of that was
    /// settled at once: the lookup may go on by it.
    pub(super) fn advance_calls(&mut self, id: LookupId, now: Instant) -> bool {
        let (mut is_second, mut has_settled) = (false, false);
        loop {
            self.start_candidate(id, now);
            let Some(entry) = self.lookups.get_mut(&id) else { return false };
            let Some(families) = entry.lookup.poll_call(now) else { break };
            let name = entry.lookup.system_name().expect("a lookup that calls has a name").clone();
            if self.destination(&QueryName::from(&name)) == Destination::Refused {
                let entry = self.lookups.get_mut(&id).expect("seen above");
                entry.lookup.handle_called(families, &CallOutcome::NoName, now);
                has_settled = true;
                continue;
            }
            if !is_second {
                add(&self.counters.system_lookups);
            }
            let entry = self.lookups.get_mut(&id).expect("seen above");
            let key = key_of(&name, families);
            let call = match self.calls.entries.get_mut(&key) {
                Some(CallEntry { outcome: Some(outcome), .. }) => {
                    add(&self.counters.coalesced);
                    let skipped = entry.lookup.handle_called(families, outcome, now);
                    self.count_link_local(skipped);
                    has_settled = true;
                    continue;
                }
                Some(CallEntry { id: call, subscribers, .. }) => {
                    add(&self.counters.coalesced);
                    subscribers.add(id);
                    *call
                }
                None => {
                    add(&self.counters.system_calls);
                    let call = CallId(self.ids.next());
                    let mut subscribers = Subscribers::default();
                    subscribers.add(id);
                    let (outcome, is_forgotten) = (None, false);
                    let entry = CallEntry { id: call, subscribers, outcome, is_forgotten };
                    self.calls.entries.insert(key, entry);
                    let made = Call { id: call, name, families, is_second };
                    self.calls.steps.push_back(CallStep::Make(made));
                    call
                }
            };
            entry.calls.add(call);
            is_second = true;
        }
        has_settled
    }

    pub(super) fn has_call_steps(&self) -> bool {
        !self.calls.steps.is_empty()
    }

    /// What is to become of a call.
    pub(crate) fn poll_call_step(&mut self) -> Option<CallStep> {
        self.calls.steps.pop_front()
    }

    /// A call has come back, or was not made. Returns whether it is one of this generation.
    pub(crate) fn handle_called(
        &mut self,
        call: &Call,
        outcome: &CallOutcome,
        now: Instant,
    ) -> bool {
        let key = key_of(&call.name, call.families);
        let is_it = |entry: &&mut CallEntry| entry.id == call.id && entry.outcome.is_none();
        let Some(entry) = self.calls.entries.get_mut(&key).filter(is_it) else { return false };
        let subscribers = entry.subscribers.take();
        let hold = self.config.system.hold;
        let is_held = matches!(outcome, CallOutcome::Addresses(_)) && !entry.is_forgotten;
        if is_held && !hold.is_zero() {
            entry.outcome = Some(outcome.clone());
            let before = self.calls.held.front().map(|(until, ..)| *until);
            self.calls.held.push_back((now + hold, key, call.id));
            self.move_timer(Timer::Calls, before, before.or(Some(now + hold)));
        } else {
            self.calls.entries.remove(&key);
        }
        for id in subscribers {
            let Some(entry) = self.lookups.get_mut(&id) else { continue };
            if entry.calls.take(call.id) {
                let skipped = entry.lookup.handle_called(call.families, outcome, now);
                self.count_link_local(skipped);
                self.advance_lookup(id, now);
            }
        }
        true
    }

    /// A lookup waits for its calls no more.
    pub(super) fn leave_calls(&mut self, id: LookupId) {
        let Some(entry) = self.lookups.get_mut(&id) else { return };
        if !entry.lookup.is_for_system() {
            return;
        }
        let left = entry.lookup.leave_calls();
        entry.calls = WaitedCalls::default();
        let Some(name) = entry.lookup.system_name().cloned() else { return };
        for families in left {
            let Some(call) = self.calls.entries.get_mut(&key_of(&name, families)) else {
                continue;
            };
            let lookups = &self.lookups;
            call.subscribers.remove_one(|id| {
                lookups.get(&id).is_some_and(|entry| entry.calls.contains(call.id))
            });
            if call.subscribers.is_empty() {
                let call = Call { id: call.id, name: name.clone(), families, is_second: false };
                self.calls.steps.push_back(CallStep::Abandon(call));
            }
        }
    }

    /// Drops the outcomes whose time is over.
    pub(super) fn handle_holds_over(&mut self, now: Instant) {
        while let Some((until, key, id)) = self.calls.held.front() {
            if *until > now {
                break;
            }
            // Forgotten, it may have made room for another call of the same name.
            if self.calls.entries.get(key).is_some_and(|entry| entry.id == *id) {
                self.calls.entries.remove(key);
            }
            self.calls.held.pop_front();
        }
        let next = self.calls.held.front().map(|(until, ..)| *until);
        self.move_timer(Timer::Calls, None, next);
    }

    /// Drops what the operating system has found before.
    pub(crate) fn handle_clear(&mut self) {
        self.calls.forget(None);
    }

    fn count_link_local(&self, skipped: usize) {
        (0..skipped).for_each(|_| add(&self.counters.link_local));
    }

    /// Whether a lookup waits for this call.
    pub(super) fn is_wanted(&self, call: &Call) -> bool {
        let entry = self.calls.entries.get(&key_of(&call.name, call.families));
        entry.is_some_and(|entry| entry.id == call.id && !entry.subscribers.is_empty())
    }

    #[cfg(any(test, fuzzing))]
    pub(super) fn calls_held(&self) -> usize {
        self.calls.entries.len()
    }

    /// When the next outcome that is held is over.
    #[cfg(any(test, fuzzing))]
    pub(super) fn calls_timer(&self) -> Option<Instant> {
        self.calls.held.front().map(|(until, ..)| *until)
    }
}
