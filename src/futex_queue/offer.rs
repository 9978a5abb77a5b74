//! The putters' end for a thread that serves many queues: it waits for nothing, not even the lock.

use std::collections::VecDeque;
use std::task::Waker;

use super::line::Wakes;
use super::put::Putter;
use super::queue::{Putting, renew};

/// What became of an [`offer`](Putter::offer).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use = "what was not taken has to be offered again"]
pub enum Offer {
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
    /// turn is over; a waker that is not fired is a lost wake. After [`Offer::Full`] the putter keeps
    /// its place in the line of putters, ahead of those who come later, until it offers again, puts in
    /// another way or is dropped.
    ///
    /// # Returns
    ///
    /// - [`Offer::Taken`]: `items` is empty.
    /// - [`Offer::Full`]: what found no room is still in `items`; `room` will be woken.
    /// - [`Offer::Held`], [`Offer::Closed`], [`Offer::Canceled`]: nothing moved.
    pub fn offer(
        &mut self,
        items: &mut VecDeque<T>,
        room: &Waker,
        wakes: &mut Vec<Waker>,
    ) -> Offer {
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
    /// - [`Offer::Taken`]: `last` is `None` and this putter has finished. `items` is empty, unless the
    ///   queue is canceled: then they stay where they are.
    /// - [`Offer::Full`]: what found no room is still in `items`, and so is `last`; `room` will be woken.
    /// - [`Offer::Held`], [`Offer::Closed`]: nothing moved.
    pub fn offer_last(
        &mut self,
        items: &mut VecDeque<T>,
        last: &mut Option<T>,
        room: &Waker,
        wakes: &mut Vec<Waker>,
    ) -> Offer {
        if self.is_closed() {
            return Offer::Closed;
        }
        let mut clone = None;
        loop {
            let mut woken = Wakes::new();
            let Some(mut state) = self.shared.try_lock() else { return Offer::Held };
            let offer = if state.closed {
                Offer::Closed
            } else if state.canceled {
                if last.is_some() { Offer::Taken } else { Offer::Canceled }
            } else {
                if !state.putters.is_before(self.place) {
                    state.fill(items, &mut woken);
                }
                if items.is_empty() { Offer::Taken } else { Offer::Full }
            };
            if offer == Offer::Full {
                let ticket =
                    *self.place.get_or_insert_with(|| state.putters.join(Putting::for_room()));
                let renewed = renew(&mut state.putters.waiter_mut(ticket).waker, room, &mut clone);
                drop(state);
                woken.move_to(wakes);
                match renewed {
                    Ok(_replaced) => return Offer::Full,
                    // Nothing else can have changed but that somebody made room.
                    Err(()) => clone = Some(room.clone()),
                }
                continue;
            }
            // Whatever the outcome, this putter waits for room no longer.
            let place = self.place.take().map(|ticket| state.putters.leave(ticket));
            let mut watch = None;
            match last.take_if(|_| offer == Offer::Taken) {
                Some(last) => {
                    watch = self.watch.take().map(|ticket| state.watchers.leave(ticket));
                    state.push_last(last);
                    state.remove_putter(&mut woken);
                    self.finished = true;
                }
                None => state.settle(&mut woken),
            }
            drop(state);
            woken.move_to(wakes);
            // Their wakers are dropped with no lock held.
            drop((place, watch));
            return offer;
        }
    }
}
