//! [`Watched`]: a value that one thread changes and another waits for, without sleeping.

use std::fmt;
use std::future::{self, Future};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

/// Far above what a loaded machine needs: after so long the event will not come.
const PATIENCE: Duration = Duration::from_secs(30);

/// A value that threads and tasks can wait for.
#[derive(Debug, Default)]
pub struct Watched<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State<T> {
    value: T,
    wakers: Vec<Waker>,
}

impl<T> Watched<T> {
    pub fn new(value: T) -> Self {
        Self { state: Mutex::new(State { value, wakers: Vec::new() }), changed: Condvar::new() }
    }

    /// Reads the value.
    pub fn read<R>(&self, read: impl FnOnce(&T) -> R) -> R {
        read(&self.lock().value)
    }

    /// Changes the value and wakes the threads that wait for it.
    pub fn change<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        let mut state = self.lock();
        let result = change(&mut state.value);
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        self.changed.notify_all();
        wakers.into_iter().for_each(Waker::wake);
        result
    }

    /// Waits until the value is as `ready` wants it, and gives what `ready` made of it.
    ///
    /// Panics with the value after [`PATIENCE`].
    #[track_caller]
    pub fn wait<R>(&self, what: &str, mut ready: impl FnMut(&T) -> Option<R>) -> R
    where
        T: fmt::Display,
    {
        let mut found = None;
        let (state, _) = self
            .changed
            .wait_timeout_while(self.lock(), PATIENCE, |state| {
                found = ready(&state.value);
                found.is_none()
            })
            .unwrap_or_else(PoisonError::into_inner);
        found.unwrap_or_else(|| panic!("waited in vain for {what}; so far:\n{}", state.value))
    }

    /// The same for a task. It has no timeout of its own, since it has no clock of its own.
    pub fn wait_async<R>(&self, mut ready: impl FnMut(&T) -> Option<R>) -> impl Future<Output = R> {
        future::poll_fn(move |cx| {
            let mut state = self.lock();
            let found = ready(&state.value);
            if found.is_none() {
                state.wakers.push(cx.waker().clone());
            }
            found.map_or(Poll::Pending, Poll::Ready)
        })
    }

    /// A panicked test must still be able to show what it saw.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
