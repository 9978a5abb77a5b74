//! The threads that make the calls to the operating system, and wait for each as long as it takes.
//!
//! They are the resolver's own and detached: no runtime waits for them when it shuts down, and the
//! process may exit while every one of them hangs. What they hold is the queue of jobs, which the
//! resolver thread fills; what they find goes to its inbox.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use super::shared::{Command, DriverShared, MakeCall};
use crate::resolve::error::LookupErrorKind;
use crate::resolve::stats::Gauge;
use crate::resolve::system::{Call, CallOutcome};
use crate::resolve::system_failure::SystemCause;

/// A thread without a call ends after this time.
const IDLE: Duration = Duration::from_secs(10);

/// The resolver thread's side. Dropping it ends the threads that are idle, and each other one when
/// its call comes back.
pub(super) struct SystemThreads {
    jobs: Arc<Jobs>,
    running: Gauge,
}

struct Jobs {
    state: Mutex<JobState>,
    has_changed: Condvar,
    make_call: MakeCall,
    /// A call that hangs keeps nothing of a resolver that was dropped, its cache least of all.
    shared: Weak<DriverShared>,
    /// Of the resolver thread that the calls are for.
    waker: Weak<mio::Waker>,
}

#[derive(Default)]
struct JobState {
    calls: VecDeque<Call>,
    /// How many threads have no call, or will have none in a moment.
    idle: usize,
    is_closed: bool,
}

impl SystemThreads {
    pub(super) fn new(shared: &Arc<DriverShared>, waker: &Arc<mio::Waker>) -> Self {
        let running = Gauge::new(&shared.counters, |counters| &counters.running_system_calls);
        let jobs = Jobs {
            state: Mutex::default(),
            has_changed: Condvar::new(),
            make_call: Arc::clone(&shared.make_call),
            shared: Arc::downgrade(shared),
            waker: Arc::downgrade(waker),
        };
        Self { jobs: Arc::new(jobs), running }
    }

    /// Gives a call to an idle thread, or to a new one.
    ///
    /// # Errors
    ///
    /// Without a thread, the call is given back.
    pub(super) fn start(&self, call: Call) -> Result<(), Call> {
        let mut state = self.jobs.lock();
        if state.idle <= state.calls.len() {
            drop(state);
            let jobs = Arc::clone(&self.jobs);
            let thread = std::thread::Builder::new().name("outrace-gai".to_owned());
            if thread.spawn(move || jobs.work()).is_err() {
                return Err(call);
            }
            state = self.jobs.lock();
            state.idle += 1;
        }
        state.calls.push_back(call);
        drop(state);
        self.jobs.has_changed.notify_one();
        Ok(())
    }

    /// So many calls run now.
    pub(super) fn note_running(&mut self, running: usize) {
        self.running.set(running);
    }
}

impl Drop for SystemThreads {
    fn drop(&mut self) {
        let mut state = self.jobs.lock();
        state.is_closed = true;
        state.calls.clear();
        drop(state);
        self.jobs.has_changed.notify_all();
    }
}

impl Jobs {
    fn lock(&self) -> MutexGuard<'_, JobState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The life of a thread: one call after another.
    fn work(&self) {
        while let Some(call) = self.next_call() {
            // A fault of the wrapper around it must not cost the thread, or the lookup its end.
            let made = catch_unwind(AssertUnwindSafe(|| (self.make_call)(&call)));
            let outcome = made.unwrap_or(CallOutcome::Failed(
                LookupErrorKind::ServerFailure,
                SystemCause::Panicked,
            ));
            // Before the outcome is known, or a call that is started upon it would take a thread
            // more.
            self.lock().idle += 1;
            let (Some(shared), Some(waker)) = (self.shared.upgrade(), self.waker.upgrade()) else {
                return;
            };
            shared.send_to(&waker, Command::Called(call, outcome));
        }
    }

    /// Waits for a call, as one of the idle threads; `None` if the thread is needed no longer.
    fn next_call(&self) -> Option<Call> {
        let mut state = self.lock();
        loop {
            if state.is_closed {
                return None;
            }
            if let Some(call) = state.calls.pop_front() {
                state.idle -= 1;
                return Some(call);
            }
            let (next, wait) =
                self.has_changed.wait_timeout(state, IDLE).unwrap_or_else(PoisonError::into_inner);
            state = next;
            if wait.timed_out() && state.calls.is_empty() {
                state.idle -= 1;
                return None;
            }
        }
    }
}

#[cfg(test)]
mod tests;
