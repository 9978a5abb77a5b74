//! [`Timers`]: what a server's loop has yet to do, and when.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Actions by the time at which they are due; of those due together the earlier entered comes
/// first.
#[derive(Debug)]
pub struct Timers<T> {
    due: BTreeMap<(Instant, u64), T>,
    entered: u64,
}

impl<T> Timers<T> {
    pub fn new() -> Self {
        Self { due: BTreeMap::new(), entered: 0 }
    }

    pub fn enter(&mut self, at: Instant, action: T) {
        self.entered += 1;
        self.due.insert((at, self.entered), action);
    }

    /// How long the loop may wait; `None`: until something happens.
    pub fn timeout(&self) -> Option<Duration> {
        let (at, _) = self.due.keys().next()?;
        Some(at.saturating_duration_since(Instant::now()))
    }

    /// The next action that is due.
    pub fn pop(&mut self, now: Instant) -> Option<T> {
        let entry = self.due.first_entry()?;
        (entry.key().0 <= now).then(|| entry.remove())
    }
}
