//! The putters' end for a thread that serves many queues: it waits for nothing, not even the lock.

use std::collections::VecDeque;
use std::task::Waker;

use super::put::Putter;
use super::put_request::PutRequest;
use super::queue::update_waker;
use super::wait_queue::WakeList;

/// What became of an [`offer`](Putter::offer).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[must_use = "what was not taken has to be offered again"]
pub enum OfferOutcome {
    /// The queue took all of it.
    Taken,
    /// What is left in the caller's hands found no room. The `room` waker is kept and will be woken
    /// when this putter's turn has come and there is room.
    Full,
    /// Another thread has the lock, nothing was changed: come back. No waker is woken for this.
    Held,
    /// The queue is closed, or no getter is left.
    Closed,
    /// The queue is canceled; only last items are taken.
    Canceled,
}

impl<T> Putter<T> {
    /// Moves as many items as there is room for, without waiting: neither for room nor for the lock.
    ///
    /// The wakers of getters that got items are appended to `wakes`, for the caller to fire when its
    /// turn is over; a waker that is not fired is a lost wake. After [`OfferOutcome::Full`] the putter keeps
    /// its place in the line of putters, ahead of those who come later, until it offers again, puts in
    /// another way or is dropped.
    ///
    /// # Returns
    ///
    /// - [`OfferOutcome::Taken`]: `items` is empty.
    /// - [`OfferOutcome::Full`]: what found no room is still in `items`; `room` will be woken.
    /// - [`OfferOutcome::Held`], [`OfferOutcome::Closed`], [`OfferOutcome::Canceled`]: nothing moved.
    pub fn offer(
        &mut self,
        items: &mut VecDeque<T>,
        room: &Waker,
        wakes: &mut Vec<Waker>,
    ) -> OfferOutcome {
        self.offer_last(items, &mut None, room, wakes)
    }

    /// [`offer`](Self::offer), then [`finish`](Self::finish) with `last`, in one step and with one
    /// wake, if there is room for all the items.
    ///
    /// The last item itself needs no room. In a canceled queue it is taken although the items are not.
    /// Without a last item this is `offer`.
    ///
    /// # Returns
    ///
    /// - [`OfferOutcome::Taken`]: `last` is `None` and this putter has finished. `items` is empty, unless the
    ///   queue is canceled: then they stay where they are.
    /// - [`OfferOutcome::Full`]: what found no room is still in `items`, and so is `last`; `room` will be woken.
    /// - [`OfferOutcome::Held`], [`OfferOutcome::Closed`]: nothing moved.
    pub fn offer_last(
        &mut self,
        items: &mut VecDeque<T>,
        last: &mut Option<T>,
        room: &Waker,
        wakes: &mut Vec<Waker>,
    ) -> OfferOutcome {
        if self.is_closed() {
            return OfferOutcome::Closed;
        }
        let mut clone = None;
        loop {
            let mut woken = WakeList::new();
            let Some(mut state) = self.queue.try_lock() else { return OfferOutcome::Held };
            let outcome = if state.closed {
                OfferOutcome::Closed
            } else if state.canceled {
                if last.is_some() { OfferOutcome::Taken } else { OfferOutcome::Canceled }
            } else {
                if !state.putters.has_waiter_before(self.room_ticket) {
                    state.fill(items, &mut woken);
                }
                if items.is_empty() { OfferOutcome::Taken } else { OfferOutcome::Full }
            };
            if outcome == OfferOutcome::Full {
                let ticket = *self
                    .room_ticket
                    .get_or_insert_with(|| state.putters.push(PutRequest::without_items()));
                let renewed =
                    update_waker(&mut state.putters.waiter_mut(ticket).waker, room, &mut clone);
                drop(state);
                woken.append_to(wakes);
                match renewed {
                    Ok(_replaced) => return OfferOutcome::Full,
                    // Nothing else can have changed but that somebody made room.
                    Err(()) => clone = Some(room.clone()),
                }
                continue;
            }
            // Whatever the outcome, this putter waits for room no longer.
            let place = self.room_ticket.take().map(|ticket| state.putters.remove(ticket));
            let mut watch = None;
            match last.take_if(|_| outcome == OfferOutcome::Taken) {
                Some(last) => {
                    watch = self.watch_ticket.take().map(|ticket| state.watchers.remove(ticket));
                    state.push_last(last);
                    state.remove_putter(&mut woken);
                    self.finished = true;
                }
                None => state.match_waiters(&mut woken),
            }
            drop(state);
            woken.append_to(wakes);
            // Their wakers are dropped with no lock held.
            drop((place, watch));
            return outcome;
        }
    }
}
