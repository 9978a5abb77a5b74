//! The getters' end: futures, blocking calls and calls that never wait.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use super::error::GetError;
use super::park::block_on;
use super::queue::{Queue, update_waker};
use super::request::GetRequest;
use super::wait_queue::{Ticket, WakeList};

/// The end of the queue that takes items out.
///
/// A clone is one more getter. Each item goes to one getter. When the last getter is dropped, the
/// items still in the queue are dropped and every put fails with [`PutError::Closed`].
///
/// [`PutError::Closed`]: super::PutError::Closed
#[must_use = "a getter that is dropped leaves the queue"]
pub struct Getter<T> {
    queue: Arc<Queue<T>>,
    /// Its request, while a get is pending. It is kept here and not in the future, so that a future
    /// that is leaked does not hold its turn for ever.
    ticket: Option<Ticket>,
}

impl<T> Getter<T> {
    pub(super) fn new(queue: Arc<Queue<T>>) -> Self {
        Self { queue, ticket: None }
    }

    /// Returns how many items the queue holds before a putter has to wait; 0 means that it holds
    /// none, and each item is handed over directly.
    pub fn capacity(&self) -> usize {
        self.queue.capacity
    }

    /// Appends up to `max` items to `buf`, and waits until there are at least `min`.
    ///
    /// Returns the number of items, which is smaller than `min` only if the queue ended with fewer.
    /// With `min` 0 it never waits.
    ///
    /// # Errors
    ///
    /// [`GetError::Closed`]: the queue ended and no item was left.
    ///
    /// # Panics
    ///
    /// If `min` is larger than `max`.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe. Nothing is appended to `buf` before the future is ready. Items that were
    /// granted to a future that is dropped go to the next waiting getter, or stay in the queue.
    #[track_caller]
    pub fn get<'a>(&'a mut self, buf: &'a mut Vec<T>, max: usize, min: usize) -> Get<'a, T> {
        assert!(min <= max, "a get of at most {max} items cannot wait for {min}");
        self.give_up_ticket();
        Get { getter: self, buf, max, min }
    }

    /// Waits for one item and takes it. Returns `None` when the queue has ended.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: an item is taken by the poll that returns it, and by no other.
    pub fn get_one(&mut self) -> GetOne<'_, T> {
        self.give_up_ticket();
        GetOne { getter: self }
    }

    /// Polls for one item, as a `Stream` does.
    ///
    /// The getter keeps its turn from a pending poll to the next one, until it is dropped or used
    /// in another way. Only the waker of the latest poll is kept.
    ///
    /// # Returns
    ///
    /// - `Ready(Some(item))`: one item was taken out of the queue.
    /// - `Ready(None)`: the queue has ended; every later poll returns the same.
    /// - `Pending`: the waker is woken when a poll would be ready.
    pub fn poll_get_one(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let mut item = None;
        let taken = poll_get(&self.queue, &mut self.ticket, 1, 1, cx.waker(), |ring, n| {
            if n > 0 {
                item = ring.pop_front();
            }
        });
        taken.map(|_| item)
    }

    /// Appends up to `max` of the items that are there now to `buf`, and returns their number.
    ///
    /// Waits for the lock, some tens of nanoseconds, but not for items.
    ///
    /// # Errors
    ///
    /// - [`GetError::Empty`]: no items, or all of them are granted to other getters.
    /// - [`GetError::Closed`]: the queue has ended.
    pub fn try_get(&mut self, buf: &mut Vec<T>, max: usize) -> Result<usize, GetError> {
        self.give_up_ticket();
        try_get(&self.queue, max, |ring, n| buf.extend(ring.drain(..n)))
    }

    /// Takes one item, if there is one now.
    ///
    /// # Errors
    ///
    /// As [`try_get`](Self::try_get).
    pub fn try_get_one(&mut self) -> Result<T, GetError> {
        self.give_up_ticket();
        let mut item = None;
        let taken = try_get(&self.queue, 1, |ring, n| {
            if n > 0 {
                item = ring.pop_front();
            }
        });
        taken.and_then(|_| item.ok_or(GetError::Empty))
    }

    /// [`get`](Self::get) for a thread without a runtime.
    ///
    /// # Errors
    ///
    /// - [`GetError::Closed`]: the queue ended and no item was left.
    /// - [`GetError::DeadlinePassed`]: fewer than `min` items came in time. They stay in the queue.
    ///
    /// # Panics
    ///
    /// If `min` is larger than `max`.
    ///
    /// # Blocking
    ///
    /// Parks the thread until there are `min` items, the queue ends, or the deadline passes;
    /// without a deadline (`None`), for as long as it takes. With a deadline in the past the call
    /// tries once. Do not call it in a task.
    #[track_caller]
    pub fn blocking_get(
        &mut self,
        buf: &mut Vec<T>,
        max: usize,
        min: usize,
        deadline: impl Into<Option<Instant>>,
    ) -> Result<usize, GetError> {
        block_on(self.get(buf, max, min), deadline.into()).unwrap_or(Err(GetError::DeadlinePassed))
    }

    /// [`get_one`](Self::get_one) for a thread without a runtime.
    ///
    /// # Errors
    ///
    /// - [`GetError::Closed`]: the queue has ended.
    /// - [`GetError::DeadlinePassed`]: no item came in time.
    ///
    /// # Blocking
    ///
    /// As [`blocking_get`](Self::blocking_get).
    pub fn blocking_get_one(
        &mut self,
        deadline: impl Into<Option<Instant>>,
    ) -> Result<T, GetError> {
        match block_on(self.get_one(), deadline.into()) {
            Some(item) => item.ok_or(GetError::Closed),
            None => Err(GetError::DeadlinePassed),
        }
    }

    /// Closes the queue: all puts fail from now on, also those that wait, and keep their items.
    /// Getters drain the queue, then end. Closing twice does nothing.
    pub fn close(&self) {
        self.queue.close();
    }

    /// Cancels the queue: all cancelable puts fail from now on, also those that wait, and keep
    /// their items. Uncancelable puts, last items and gets go on. Canceling cannot be undone.
    pub fn cancel(&self) {
        self.queue.cancel();
    }

    /// Returns whether the lock is held now, so that a poll would wait for it.
    ///
    /// It is held for long only in a process that was forked off while a thread held it: the child
    /// does not have that thread.
    pub(crate) fn is_locked(&self) -> bool {
        self.queue.try_lock().is_none()
    }

    /// Removes the request that a pending get has left, and passes its grant on.
    fn give_up_ticket(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            let mut woken = WakeList::new();
            let removed = self.queue.lock().remove_get(ticket, &mut woken);
            woken.fire();
            // Its waker, if it was not woken, is dropped here, with no lock held.
            drop(removed);
        }
    }
}

impl<T> Clone for Getter<T> {
    fn clone(&self) -> Self {
        self.queue.add_getter();
        Self::new(Arc::clone(&self.queue))
    }
}

impl<T> Drop for Getter<T> {
    fn drop(&mut self) {
        // The last handle of both ends has no other to wake; the items are dropped with the queue.
        if Arc::strong_count(&self.queue) > 1 {
            self.queue.remove_getter(self.ticket.take());
        }
    }
}

impl<T> fmt::Debug for Getter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Getter")
            .field("capacity", &self.capacity())
            .field("is_closed", &self.queue.is_closed())
            .finish_non_exhaustive()
    }
}

/// The future of [`Getter::get`]. Dropping it loses no item.
#[must_use = "futures do nothing unless polled"]
pub struct Get<'a, T> {
    getter: &'a mut Getter<T>,
    buf: &'a mut Vec<T>,
    max: usize,
    min: usize,
}

impl<T> Future for Get<'_, T> {
    type Output = Result<usize, GetError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { getter: Getter { queue, ticket }, buf, max, min } = self.get_mut();
        if *min == 0 {
            return Poll::Ready(
                match try_get(queue, *max, |ring, n| buf.extend(ring.drain(..n))) {
                    Err(GetError::Empty) => Ok(0),
                    result => result,
                },
            );
        }
        let taken = poll_get(queue, ticket, *min, *max, cx.waker(), |ring, n| {
            buf.extend(ring.drain(..n));
        });
        taken.map(|taken| if taken == 0 { Err(GetError::Closed) } else { Ok(taken) })
    }
}

impl<T> Drop for Get<'_, T> {
    fn drop(&mut self) {
        self.getter.give_up_ticket();
    }
}

impl<T> fmt::Debug for Get<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Get")
            .field("max", &self.max)
            .field("min", &self.min)
            .finish_non_exhaustive()
    }
}

/// The future of [`Getter::get_one`]. Dropping it loses no item.
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct GetOne<'a, T> {
    getter: &'a mut Getter<T>,
}

impl<T> Future for GetOne<'_, T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.getter.poll_get_one(cx)
    }
}

impl<T> Drop for GetOne<'_, T> {
    fn drop(&mut self) {
        self.getter.give_up_ticket();
    }
}

/// Polls a get that needs at least one item. Returns `Ready(0)` when the queue has ended.
///
/// `sink` moves the given number of items out of the ring. It runs under the lock, and must do
/// nothing else.
fn poll_get<T>(
    queue: &Queue<T>,
    ticket: &mut Option<Ticket>,
    need: usize,
    want: usize,
    waker: &Waker,
    mut sink: impl FnMut(&mut VecDeque<T>, usize),
) -> Poll<usize> {
    let mut clone = None;
    loop {
        let mut woken = WakeList::new();
        let mut state = queue.lock();
        // A newcomer that finds enough unpromised items has no waiter before it, and need not wait.
        if ticket.is_none() && (state.unpromised() >= need || state.is_drained()) {
            let taken = state.take(want, &mut woken, &mut sink);
            drop(state);
            woken.fire();
            return Poll::Ready(taken);
        }
        let own = *ticket.get_or_insert_with(|| {
            let own = state.getters.push(GetRequest { need, want, granted: 0 });
            state.match_waiters(&mut woken);
            own
        });
        if state.getters.is_complete(own) {
            *ticket = None;
            let removed = state.getters.remove(own);
            state.take_granted(&removed.request, &mut sink);
            let granted = removed.request.granted;
            let taken = granted + state.take(want - granted, &mut woken, &mut sink);
            drop(state);
            woken.fire();
            return Poll::Ready(taken);
        }
        let renewed = update_waker(&mut state.getters.waiter_mut(own).waker, waker, &mut clone);
        drop(state);
        woken.fire();
        match renewed {
            Ok(_replaced) => return Poll::Pending,
            Err(()) => clone = Some(waker.clone()),
        }
    }
}

fn try_get<T>(
    queue: &Queue<T>,
    max: usize,
    mut sink: impl FnMut(&mut VecDeque<T>, usize),
) -> Result<usize, GetError> {
    if max == 0 {
        return Ok(0);
    }
    let mut woken = WakeList::new();
    let mut state = queue.lock();
    let taken = state.take(max, &mut woken, &mut sink);
    let drained = state.is_drained();
    drop(state);
    woken.fire();
    match taken {
        0 if drained => Err(GetError::Closed),
        0 => Err(GetError::Empty),
        taken => Ok(taken),
    }
}
