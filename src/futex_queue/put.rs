//! The putters' end: futures, blocking calls, calls that never wait, and the last item.
//!
//! Its calls for a thread that must not wait even for the lock are in `offer.rs`, its futures in
//! `put_future.rs`.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use super::error::{PutError, Unsent};
use super::park::block_on;
use super::put_future::{PendingPut, Put, PutOne};
use super::queue::{Queue, update_waker};
use super::request::Items;
use super::wait_queue::{Ticket, WakeList};

/// The end of the queue that puts items in.
///
/// A clone is one more putter. When the last one is dropped or has [finished](Self::finish), the
/// getters drain the queue, then end.
///
/// Each putter has one slot of its own for its last item, apart from the capacity, so that
/// [`finish`](Self::finish) never needs room.
#[must_use = "a putter that is dropped leaves the queue"]
pub struct Putter<T> {
    pub(super) queue: Arc<Queue<T>>,
    /// Its request, after an `offer` that found no room.
    pub(super) room_ticket: Option<Ticket>,
    /// Its request among the watchers, after a `poll_closed` that was pending.
    pub(super) watch_ticket: Option<Ticket>,
    /// It has put its last item, and is no longer counted.
    pub(super) finished: bool,
}

impl<T> Putter<T> {
    pub(super) fn new(queue: Arc<Queue<T>>) -> Self {
        Self { queue, room_ticket: None, watch_ticket: None, finished: false }
    }

    /// Returns how many items the queue holds before a putter has to wait; 0 means that it holds
    /// none, and each item is handed over directly.
    pub fn capacity(&self) -> usize {
        self.queue.capacity
    }

    /// Moves items from the front of `items` into the queue, and waits until at least `min` have
    /// moved.
    ///
    /// Returns the number of items that moved: all of them if there was room. The others are in
    /// `items`, in order. With `min` 0 it never waits, and a put of no items returns 0 at once.
    ///
    /// While the put waits its items are lent to the queue, where getters take them directly: until
    /// the future is ready or dropped `items` is empty.
    ///
    /// # Errors
    ///
    /// [`PutError::Closed`] and [`PutError::Canceled`]; the items that had not moved are in
    /// `items`.
    ///
    /// # Panics
    ///
    /// If `min` is larger than the number of items.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropping the future moves every item that had not moved back into `items`, in
    /// order.
    #[track_caller]
    pub fn put<'a>(&'a mut self, items: &'a mut VecDeque<T>, min: usize) -> Put<'a, T> {
        self.start(items, min, true)
    }

    /// Moves all items into the queue, and waits for room: [`put`](Self::put) with `min` the number
    /// of items.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    ///
    /// # Cancel safety
    ///
    /// As [`put`](Self::put).
    pub fn put_all<'a>(&'a mut self, items: &'a mut VecDeque<T>) -> Put<'a, T> {
        let min = items.len();
        self.start(items, min, true)
    }

    /// Moves one item into the queue, and waits for room.
    ///
    /// # Errors
    ///
    /// [`PutError::Closed`] and [`PutError::Canceled`], with the item.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: dropping the future before it is ready drops the item, unless a getter has
    /// taken it. To keep the item, use [`put_all`](Self::put_all).
    pub fn put_one(&mut self, item: T) -> PutOne<'_, T> {
        self.start_one(item, true)
    }

    /// [`put`](Self::put) that is not ended by a [cancel](Self::cancel), only by closing.
    ///
    /// # Errors
    ///
    /// [`PutError::Closed`]; the items that had not moved are in `items`.
    ///
    /// # Panics
    ///
    /// If `min` is larger than the number of items.
    ///
    /// # Cancel safety
    ///
    /// As [`put`](Self::put).
    #[track_caller]
    pub fn put_uncancelable<'a>(
        &'a mut self,
        items: &'a mut VecDeque<T>,
        min: usize,
    ) -> Put<'a, T> {
        self.start(items, min, false)
    }

    /// [`put_all`](Self::put_all) that is not ended by a [cancel](Self::cancel), only by closing.
    ///
    /// # Errors
    ///
    /// As [`put_uncancelable`](Self::put_uncancelable).
    ///
    /// # Cancel safety
    ///
    /// As [`put`](Self::put).
    pub fn put_all_uncancelable<'a>(&'a mut self, items: &'a mut VecDeque<T>) -> Put<'a, T> {
        let min = items.len();
        self.start(items, min, false)
    }

    /// [`put_one`](Self::put_one) that is not ended by a [cancel](Self::cancel), only by closing.
    ///
    /// # Errors
    ///
    /// [`PutError::Closed`], with the item.
    ///
    /// # Cancel safety
    ///
    /// As [`put_one`](Self::put_one).
    pub fn put_one_uncancelable(&mut self, item: T) -> PutOne<'_, T> {
        self.start_one(item, false)
    }

    /// [`put`](Self::put) for a thread without a runtime.
    ///
    /// # Errors
    ///
    /// [`PutError::Closed`], [`PutError::Canceled`] and [`PutError::DeadlinePassed`]; the items
    /// that had not moved are in `items`.
    ///
    /// # Panics
    ///
    /// If `min` is larger than the number of items.
    ///
    /// # Blocking
    ///
    /// Parks the thread until `min` items have moved, the put fails, or the deadline passes;
    /// without a deadline (`None`), for as long as it takes. With a deadline in the past the call
    /// tries once. Do not call it in a task.
    #[track_caller]
    pub fn blocking_put(
        &mut self,
        items: &mut VecDeque<T>,
        min: usize,
        deadline: impl Into<Option<Instant>>,
    ) -> Result<usize, PutError> {
        block_on(self.put(items, min), deadline.into()).unwrap_or(Err(PutError::DeadlinePassed))
    }

    /// [`put_all`](Self::put_all) for a thread without a runtime.
    ///
    /// # Errors
    ///
    /// As [`blocking_put`](Self::blocking_put).
    ///
    /// # Blocking
    ///
    /// As [`blocking_put`](Self::blocking_put).
    pub fn blocking_put_all(
        &mut self,
        items: &mut VecDeque<T>,
        deadline: impl Into<Option<Instant>>,
    ) -> Result<usize, PutError> {
        self.blocking_put(items, items.len(), deadline)
    }

    /// [`put_one`](Self::put_one) for a thread without a runtime.
    ///
    /// # Errors
    ///
    /// As [`blocking_put`](Self::blocking_put), with the item.
    ///
    /// # Blocking
    ///
    /// As [`blocking_put`](Self::blocking_put).
    pub fn blocking_put_one(
        &mut self,
        item: T,
        deadline: impl Into<Option<Instant>>,
    ) -> Result<(), Unsent<T>> {
        self.start_one(item, true).blocking(deadline.into())
    }

    /// [`put_uncancelable`](Self::put_uncancelable) for a thread without a runtime.
    ///
    /// # Errors
    ///
    /// [`PutError::Closed`] and [`PutError::DeadlinePassed`]; the items that had not moved are in
    /// `items`.
    ///
    /// # Panics
    ///
    /// If `min` is larger than the number of items.
    ///
    /// # Blocking
    ///
    /// As [`blocking_put`](Self::blocking_put).
    #[track_caller]
    pub fn blocking_put_uncancelable(
        &mut self,
        items: &mut VecDeque<T>,
        min: usize,
        deadline: impl Into<Option<Instant>>,
    ) -> Result<usize, PutError> {
        block_on(self.put_uncancelable(items, min), deadline.into())
            .unwrap_or(Err(PutError::DeadlinePassed))
    }

    /// [`put_all_uncancelable`](Self::put_all_uncancelable) for a thread without a runtime.
    ///
    /// # Errors
    ///
    /// As [`blocking_put_uncancelable`](Self::blocking_put_uncancelable).
    ///
    /// # Blocking
    ///
    /// As [`blocking_put`](Self::blocking_put).
    pub fn blocking_put_all_uncancelable(
        &mut self,
        items: &mut VecDeque<T>,
        deadline: impl Into<Option<Instant>>,
    ) -> Result<usize, PutError> {
        self.blocking_put_uncancelable(items, items.len(), deadline)
    }

    /// [`put_one_uncancelable`](Self::put_one_uncancelable) for a thread without a runtime.
    ///
    /// # Errors
    ///
    /// [`PutError::Closed`] and [`PutError::DeadlinePassed`], with the item.
    ///
    /// # Blocking
    ///
    /// As [`blocking_put`](Self::blocking_put).
    pub fn blocking_put_one_uncancelable(
        &mut self,
        item: T,
        deadline: impl Into<Option<Instant>>,
    ) -> Result<(), Unsent<T>> {
        self.start_one(item, false).blocking(deadline.into())
    }

    /// Moves as many items as there is room for now, and returns their number.
    ///
    /// That is 0 without room, or while other putters wait for it. Waits for the lock, some tens of
    /// nanoseconds, but not for room.
    ///
    /// # Errors
    ///
    /// [`PutError::Closed`] and [`PutError::Canceled`]; every item is still in `items`.
    pub fn try_put(&mut self, items: &mut VecDeque<T>) -> Result<usize, PutError> {
        self.put_now(items)
    }

    /// Moves one item, if there is room now and no other putter waits for it.
    ///
    /// # Errors
    ///
    /// [`PutError::Closed`], [`PutError::Canceled`] and [`PutError::Full`], with the item.
    pub fn try_put_one(&mut self, item: T) -> Result<(), Unsent<T>> {
        let mut item = Some(item);
        let cause = match self.put_now(&mut item) {
            Ok(_) => PutError::Full,
            Err(cause) => cause,
        };
        item.map_or(Ok(()), |item| Err(Unsent { item, cause }))
    }

    /// Puts the last item of this putter, and gives up the putter in the same step.
    ///
    /// Never waits for room: each putter has a slot of its own for it. Works in a canceled queue
    /// too. When this was the last putter, the getters drain the queue and end.
    ///
    /// # Errors
    ///
    /// [`PutError::Closed`], with the item.
    pub fn finish(mut self, last: T) -> Result<(), Unsent<T>> {
        if self.finished {
            return Err(Unsent { item: last, cause: PutError::Closed });
        }
        let mut woken = WakeList::new();
        let mut state = self.queue.lock();
        if state.closed {
            drop(state);
            return Err(Unsent { item: last, cause: PutError::Closed });
        }
        let room = self.room_ticket.take().map(|ticket| state.putters.remove(ticket));
        let watch = self.watch_ticket.take().map(|ticket| state.watchers.remove(ticket));
        state.push_last(last);
        state.remove_putter(&mut woken);
        drop(state);
        self.finished = true;
        woken.fire();
        // Their wakers are dropped with no lock held.
        drop((room, watch));
        Ok(())
    }

    /// Returns whether puts fail for good: the queue is closed, or no getter is left.
    ///
    /// Takes no lock.
    pub fn is_closed(&self) -> bool {
        self.finished || self.queue.is_closed()
    }

    /// Returns whether the queue is canceled, so that cancelable puts fail.
    pub fn is_canceled(&self) -> bool {
        self.queue.is_canceled()
    }

    /// Polls whether the queue [is closed](Self::is_closed), so that its items are no longer
    /// wanted.
    ///
    /// A [cancel](Self::cancel) wakes the task as well, which can then check
    /// [`is_canceled`](Self::is_canceled). Only the waker of the latest poll is kept, until then or
    /// until the putter is dropped.
    ///
    /// Never waits for the lock: if another thread holds it, the task is woken to poll again.
    ///
    /// # Returns
    ///
    /// - `Ready(())`: the queue is closed, or all getters are gone.
    /// - `Pending`: the waker is woken when a poll would be ready, or the queue is canceled.
    pub fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut clone = None;
        loop {
            if self.is_closed() {
                return Poll::Ready(());
            }
            let Some(mut state) = self.queue.try_lock() else {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            };
            if state.closed {
                continue;
            }
            // A cancel has completed the request; closing completes only a new one.
            let completed = self.watch_ticket.filter(|&ticket| state.watchers.is_complete(ticket));
            if let Some(ticket) = completed {
                self.watch_ticket = None;
                let _has_no_waker = state.watchers.remove(ticket);
            }
            let ticket = *self.watch_ticket.get_or_insert_with(|| state.watchers.push(()));
            let renewed =
                update_waker(&mut state.watchers.waiter_mut(ticket).waker, cx.waker(), &mut clone);
            drop(state);
            match renewed {
                Ok(_replaced) => return Poll::Pending,
                Err(()) => clone = Some(cx.waker().clone()),
            }
        }
    }

    /// Closes the queue: all puts fail from now on, also those that wait, and keep their items.
    /// Getters drain the queue, then end. Closing twice does nothing.
    ///
    /// # Cancel safety
    ///
    /// Not a future: the queue is closed when this returns. A put future that waits is ready with
    /// [`PutError::Closed`] at its next poll, and may be dropped instead, as at any time.
    pub fn close(&self) {
        self.queue.close();
    }

    /// Cancels the queue: all cancelable puts fail from now on, also those that wait, and keep
    /// their items. Uncancelable puts, last items and gets go on. Canceling cannot be undone.
    ///
    /// # Cancel safety
    ///
    /// Not a future: the queue is canceled when this returns. A cancelable put future that waits is
    /// ready with [`PutError::Canceled`] at its next poll, and may be dropped instead, as at any
    /// time.
    pub fn cancel(&self) {
        self.queue.cancel();
    }

    #[track_caller]
    fn start<'a>(
        &'a mut self,
        items: &'a mut VecDeque<T>,
        min: usize,
        cancelable: bool,
    ) -> Put<'a, T> {
        let len = items.len();
        assert!(min <= len, "a put of {len} items cannot wait for {min}");
        self.give_up_room_ticket();
        Put::new(PendingPut::new(self, cancelable), items, min)
    }

    fn start_one(&mut self, item: T, cancelable: bool) -> PutOne<'_, T> {
        self.give_up_room_ticket();
        PutOne::new(PendingPut::new(self, cancelable), item)
    }

    fn put_now<I: Items<T>>(&mut self, items: &mut I) -> Result<usize, PutError> {
        self.give_up_room_ticket();
        if items.count() == 0 {
            return Ok(0);
        }
        let mut woken = WakeList::new();
        let mut state = self.queue.lock();
        let result =
            if self.finished { Err(PutError::Closed) } else { state.put(items, true, &mut woken) };
        drop(state);
        woken.fire();
        result
    }

    /// Removes the request that an `offer` has left.
    fn give_up_room_ticket(&mut self) {
        if let Some(ticket) = self.room_ticket.take() {
            let (removed, woken) = self.queue.remove_put(ticket);
            woken.fire();
            // Its waker, if it was not woken, is dropped here, with no lock held.
            drop(removed);
        }
    }
}

impl<T> Clone for Putter<T> {
    fn clone(&self) -> Self {
        if !self.finished {
            self.queue.add_putter();
        }
        let mut clone = Self::new(Arc::clone(&self.queue));
        clone.finished = self.finished;
        clone
    }
}

impl<T> Drop for Putter<T> {
    fn drop(&mut self) {
        // The last handle of both ends has no other to wake.
        if !self.finished && Arc::strong_count(&self.queue) > 1 {
            self.queue.remove_putter(self.room_ticket.take(), self.watch_ticket.take());
        }
    }
}

impl<T> fmt::Debug for Putter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Putter")
            .field("capacity", &self.capacity())
            .field("is_closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}
