//! The getters' end: future, blocking and try form.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use super::park::block_on;
use super::queue::{Queue, update_waker};
use super::wait_queue::{Ticket, WakeList};

/// Why a get came back with nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum GetError {
    /// The queue is closed or has no putter left, and everything in it has been taken.
    #[error("queue is closed and drained")]
    Closed,
    /// Nothing is there for this getter now. Only the try forms say so.
    #[error("queue is empty")]
    Empty,
    /// The deadline passed first. Only the blocking forms say so.
    #[error("deadline passed before enough items came")]
    DeadlinePassed,
}

/// The end of the queue that takes items out.
///
/// A clone is one more getter. Each item goes to one getter. When the last getter is dropped, the
/// items still in the queue are dropped and every put fails with [`PutError::Closed`].
///
/// [`PutError::Closed`]: super::PutError::Closed
pub struct Getter<T> {
    queue: Arc<Queue<T>>,
    /// Its place in the line, while `poll_get_one` is pending.
    ticket: Option<Ticket>,
}

impl<T> Getter<T> {
    pub(super) fn new(queue: Arc<Queue<T>>) -> Self {
        Self { queue, ticket: None }
    }

    /// How many items the queue holds before a putter has to wait; 0 means that it never holds any,
    /// and each item is handed over directly.
    pub fn capacity(&self) -> usize {
        self.queue.capacity
    }

    /// Appends up to `max` items to `buf`, and waits until it has at least `min`.
    ///
    /// Gives the number of items, which is smaller than `min` only when the queue ended with fewer.
    /// `min` 0 never waits.
    ///
    /// # Errors
    ///
    /// [`GetError::Closed`]: the queue ended and there was no item left.
    ///
    /// # Panics
    ///
    /// If `min` is larger than `max`.
    ///
    /// # Cancel safety
    ///
    /// Nothing is appended to `buf` before the future is ready. Dropping it earlier loses nothing:
    /// items that were already granted to it go to the next getter that waits, or stay in the queue.
    #[track_caller]
    pub fn get<'a>(&'a mut self, buf: &'a mut Vec<T>, max: usize, min: usize) -> Get<'a, T> {
        assert!(min <= max, "a get of at most {max} items cannot wait for {min}");
        self.give_up_ticket();
        Get { getter: self, buf, max, min }
    }

    /// Takes one item, and waits for it. `None`: the queue ended.
    ///
    /// # Cancel safety
    ///
    /// As [`get`](Self::get): an item is taken by the poll that returns it, and by no other.
    pub fn get_one(&mut self) -> GetOne<'_, T> {
        self.give_up_ticket();
        GetOne { getter: self }
    }

    /// Polls for one item, as a `Stream` does.
    ///
    /// The getter keeps its place in the line from a poll that is pending to the next one, until it is
    /// dropped or used in another way. Only the waker of the latest poll is kept.
    ///
    /// # Returns
    ///
    /// - `Ready(Some(item))`: one item was taken out of the queue.
    /// - `Ready(None)`: the queue ended; every later poll says the same.
    /// - `Pending`: the waker is woken when one of the two above is true.
    pub fn poll_get_one(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let mut item = None;
        let taken = poll_get(&self.queue, &mut self.ticket, 1, 1, cx.waker(), |ring, n| {
            if n > 0 {
                item = ring.pop_front();
            }
        });
        taken.map(|_| item)
    }

    /// Appends up to `max` items that are there now to `buf`, and gives their number.
    ///
    /// # Errors
    ///
    /// - [`GetError::Empty`]: nothing there that is not another getter's.
    /// - [`GetError::Closed`]: the queue ended.
    pub fn try_get(&mut self, buf: &mut Vec<T>, max: usize) -> Result<usize, GetError> {
        self.give_up_ticket();
        try_get(&self.queue, max, |ring, n| buf.extend(ring.drain(..n)))
    }

    /// Takes one item, if one is there now.
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
    /// - [`GetError::Closed`]: the queue ended and there was no item left.
    /// - [`GetError::DeadlinePassed`]: fewer than `min` items came in time. They stay in the queue.
    ///
    /// # Panics
    ///
    /// If `min` is larger than `max`.
    ///
    /// # Blocking
    ///
    /// Parks the thread until `min` items are there, the queue ends, or the deadline passes. Not for
    /// use inside a task.
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
    /// - [`GetError::Closed`]: the queue ended.
    /// - [`GetError::DeadlinePassed`]: nothing came in time.
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

    /// Closes the queue: puts fail from now on, also those that wait, and get their items back.
    /// Getters drain what the queue holds, then end.
    pub fn close(&self) {
        self.queue.close();
    }

    /// Cancels the queue: cancelable puts fail from now on, also those that wait, and get their items
    /// back. Uncancelable puts, last items and gets go on as before.
    pub fn cancel(&self) {
        self.queue.cancel();
    }

    /// Whether somebody has the lock, so that a poll would wait for it. Not for long, unless this
    /// process was forked off while a thread had it: that thread does not exist here.
    pub(crate) fn is_locked(&self) -> bool {
        self.queue.try_lock().is_none()
    }

    /// Gives up the place in the line that a pending `poll_get_one` left.
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
        // Nobody to tell when this is the last handle of either end; the items go with the queue.
        if Arc::strong_count(&self.queue) > 1 {
            self.queue.remove_getter(self.ticket.take());
        }
    }
}

impl<T> fmt::Debug for Getter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Getter").field("capacity", &self.capacity()).finish_non_exhaustive()
    }
}

/// The future of [`Getter::get`].
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

/// The future of [`Getter::get_one`].
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

/// A getter in its line.
pub(super) struct GetRequest {
    /// It is woken when this many items are granted to it, or no more can come.
    pub(super) need: usize,
    /// It takes up to this many.
    pub(super) want: usize,
    /// Items at the front of the ring that are kept for it.
    pub(super) granted: usize,
}

/// One poll of a get that needs at least one item. `Ready(0)`: the queue ended.
///
/// `sink` moves that many items out of the ring. It runs under the lock, and does nothing else.
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
        // Whoever finds enough, and nobody waiting, needs no place in the line.
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
            let left = state.getters.remove(own);
            state.take_granted(&left.request, &mut sink);
            let granted = left.request.granted;
            let taken = granted + state.take(want - granted, &mut woken, &mut sink);
            drop(state);
            woken.fire();
            // `left` may still have a waker, whose drop is the caller's code.
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
