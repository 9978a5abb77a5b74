//! The putters' end for a thread that serves many queues: it never waits, not even for the lock.

use std::collections::VecDeque;
use std::task::Waker;

use super::put::Putter;
use super::queue::update_waker;
use super::request::PutRequest;
use super::wait_queue::WakeList;

/// What became of an [`offer`](Putter::offer).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[must_use = "items that were not taken have to be offered again"]
pub enum OfferOutcome {
    /// The queue has taken everything offered.
    Taken,
    /// There is no room for the items that the caller still has. The `room` waker is kept, and
    /// woken when there is room and no other putter goes first, or when puts fail.
    Full,
    /// Another thread holds the lock: offer again later. No waker is woken for it.
    Held,
    /// The queue is closed, or no getter is left.
    Closed,
    /// The queue is canceled; only last items are taken.
    Canceled,
}

impl<T> Putter<T> {
    /// Moves as many items as there is room for, and waits neither for room nor for the lock.
    ///
    /// The wakers of getters that received items are appended to `wakes`, for the caller to fire
    /// later; a waker that is not fired is a lost wake. After [`OfferOutcome::Full`] the putter
    /// keeps its turn, before putters that come later, until it offers again, puts in another way
    /// or is dropped: until then no putter that comes later gets room.
    ///
    /// # Returns
    ///
    /// - [`OfferOutcome::Taken`]: `items` is empty.
    /// - [`OfferOutcome::Full`]: the items without room are still in `items`; `room` will be woken.
    /// - [`OfferOutcome::Held`], [`OfferOutcome::Closed`], [`OfferOutcome::Canceled`]: the items
    ///   that have not moved are still in `items`.
    pub fn offer(
        &mut self,
        items: &mut VecDeque<T>,
        room: &Waker,
        wakes: &mut Vec<Waker>,
    ) -> OfferOutcome {
        self.offer_last(items, &mut None, room, wakes)
    }

    /// [`offer`](Self::offer), then [`finish`](Self::finish) with `last`, in one step and with one
    /// wake, if there is room for all items.
    ///
    /// The last item itself needs no room. A canceled queue takes it, and not the items. Without a
    /// last item this is `offer`.
    ///
    /// # Returns
    ///
    /// - [`OfferOutcome::Taken`]: `last` is `None` and this putter has finished. `items` is empty,
    ///   unless the queue is canceled: then they are untouched.
    /// - [`OfferOutcome::Full`]: the items without room are still in `items`, and `last` is
    ///   untouched; `room` will be woken.
    /// - [`OfferOutcome::Held`], [`OfferOutcome::Closed`]: the items that have not moved are still
    ///   in `items`, and `last` is untouched.
    /// - [`OfferOutcome::Canceled`]: as above, and only without a last item.
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
                    // A second round is harmless: there may be room by now.
                    Err(()) => clone = Some(room.clone()),
                }
                continue;
            }
            // This putter no longer waits for room, whatever the outcome.
            let room_request = self.room_ticket.take().map(|ticket| state.putters.remove(ticket));
            let mut watch_request = None;
            match last.take_if(|_| outcome == OfferOutcome::Taken) {
                Some(last) => {
                    watch_request =
                        self.watch_ticket.take().map(|ticket| state.watchers.remove(ticket));
                    state.push_last(last);
                    state.remove_putter(&mut woken);
                    self.finished = true;
                }
                None => state.match_waiters(&mut woken),
            }
            drop(state);
            woken.append_to(wakes);
            // Their wakers are dropped with no lock held.
            drop((room_request, watch_request));
            return outcome;
        }
    }
}
