//! [`Pool`]: which calls run, when the threads for them are few.
//!
//! A call that does not come back holds its thread for good. So there is a cap; what is beyond
//! waits, and leaves when nothing wants it any more. The first families of all lookups go before
//! their second ones, so that in a burst each lookup hears something early. When slow calls hold
//! every thread, the cap grows by one a second, up to twice its size, and stays so while they do:
//! one dead directory server does not end name lookup for the process. When all of that hangs, what
//! comes fails at once, and says so.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::{Call, CallId, CallOutcome};
use crate::resolve::error::LookupErrorKind;
use crate::resolve::stub::ids::IdMap;
use crate::resolve::system_failure::SystemCause;

/// How often the cap may grow.
const GROWTH_INTERVAL: Duration = Duration::from_secs(1);

/// A call that takes longer is slow: what is well takes milliseconds. It may still come back before
/// its lookups have ended, so it makes room for one more and is no reason to fail any.
const SLOW: Duration = Duration::from_secs(1);

/// What becomes of a call.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum PoolStep {
    /// It is to be made now.
    Start(Call),
    /// It was not made.
    Settled(Call, CallOutcome),
}

/// The calls that run, and those that wait.
///
/// Call order: any `handle_*`; then [`poll_step`](Self::poll_step) until `None`; then again at
/// [`poll_timeout`](Self::poll_timeout).
#[derive(Debug)]
pub(crate) struct Pool {
    cap: usize,
    /// How many calls more than that may run while others are slow.
    extra: usize,
    /// The age at which a call counts as hung, whether or not lookups still join it.
    patience: Duration,
    waiting: IdMap<CallId, Call>,
    /// First families, then second ones. A call that has left `waiting` is passed over.
    lines: [VecDeque<CallId>; 2],
    running: IdMap<CallId, Running>,
    /// When the cap may grow next.
    grows_at: Option<Instant>,
}

/// A call that runs, and from when on it counts as slow and as hung.
#[derive(Clone, Copy, Debug)]
struct Running {
    slow_at: Instant,
    hung_at: Instant,
}

impl Pool {
    /// A pool of `cap` threads, at least one.
    pub(crate) fn new(cap: usize, patience: Duration) -> Self {
        Self {
            cap: cap.max(1),
            extra: 0,
            patience,
            waiting: IdMap::default(),
            lines: Default::default(),
            running: IdMap::default(),
            grows_at: None,
        }
    }

    /// How many calls run.
    pub(crate) fn running(&self) -> usize {
        self.running.len()
    }

    /// A call is wanted.
    pub(crate) fn handle_call(&mut self, call: Call) {
        self.lines[usize::from(call.is_second)].push_back(call.id);
        self.waiting.insert(call.id, call);
    }

    /// No lookup waits for a call any more. Returns whether it will never be made.
    pub(crate) fn handle_abandoned(&mut self, id: CallId, now: Instant) -> bool {
        if let Some(Running { slow_at, hung_at }) = self.running.get_mut(&id) {
            (*slow_at, *hung_at) = (now.min(*slow_at), now.min(*hung_at));
        }
        let has_waited = self.waiting.remove(&id).is_some();
        for line in &mut self.lines {
            if line.len() > 2 * self.waiting.len() {
                line.retain(|id| self.waiting.contains_key(id));
            }
        }
        has_waited
    }

    /// A call has come back, or could not be made.
    pub(crate) fn handle_done(&mut self, id: CallId, now: Instant) {
        self.running.remove(&id);
        let slow = self.running.values().filter(|call| call.slow_at <= now).count();
        self.extra = self.extra.min(slow);
    }

    /// What is to be done next.
    pub(crate) fn poll_step(&mut self, now: Instant) -> Option<PoolStep> {
        if self.waiting.is_empty() || self.held_until().is_some_and(|until| now < until) {
            return None;
        }
        if self.is_held() && self.is_full() {
            let cause = SystemCause::ThreadsHeld(self.running.len());
            let outcome = CallOutcome::Failed(LookupErrorKind::Resources, cause);
            return self.next_waiting().map(|call| PoolStep::Settled(call, outcome));
        }
        if self.is_held() {
            self.extra += 1;
            self.grows_at = Some(now + GROWTH_INTERVAL);
        }
        let call = self.next_waiting()?;
        let (slow_at, hung_at) = (now + SLOW.min(self.patience), now + self.patience);
        self.running.insert(call.id, Running { slow_at, hung_at });
        Some(PoolStep::Start(call))
    }

    /// The time at which [`poll_step`](Self::poll_step) may have something, whatever else happens.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.held_until().filter(|_| !self.waiting.is_empty())
    }

    /// Until when the calls that run keep the others waiting; `None` if there is a thread.
    fn held_until(&self) -> Option<Instant> {
        let calls = || self.running.values().filter(|_| self.is_held());
        if self.is_full() {
            return calls().map(|call| call.hung_at).max();
        }
        let all_slow_at = calls().map(|call| call.slow_at).max()?;
        Some(self.grows_at.map_or(all_slow_at, |at| at.max(all_slow_at)))
    }

    /// Whether a call runs on every thread.
    fn is_held(&self) -> bool {
        self.running.len() >= self.cap + self.extra
    }

    /// Whether the cap grows no more.
    fn is_full(&self) -> bool {
        self.extra >= self.cap
    }

    fn next_waiting(&mut self) -> Option<Call> {
        let Self { lines, waiting, .. } = self;
        let mut ids = lines.iter_mut().flat_map(|line| std::iter::from_fn(|| line.pop_front()));
        ids.find_map(|id| waiting.remove(&id))
    }
}

#[cfg(test)]
mod tests;
