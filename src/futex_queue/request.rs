//! The requests with which putters and getters wait, and the items that they lend.

use std::collections::VecDeque;
use std::mem;

use super::error::PutError;

/// The request of a waiting getter.
pub(super) struct GetRequest {
    /// Complete when this many items are granted, or no more can come.
    pub(super) need: usize,
    /// Up to this many are granted.
    pub(super) want: usize,
    /// Items at the front of the ring that are reserved for it.
    pub(super) granted: usize,
}

/// The request of a waiting putter.
pub(super) struct PutRequest<T> {
    pub(super) lent: LentItems<T>,
    /// Complete when this many items have moved.
    pub(super) min: usize,
    pub(super) moved: usize,
    pub(super) cancelable: bool,
    /// The result, apart from the number of items that moved.
    pub(super) outcome: Result<(), PutError>,
}

impl<T> PutRequest<T> {
    /// The request of an offer: it keeps its items, and waits to be woken for room.
    pub(super) const fn without_items() -> Self {
        Self { lent: LentItems::None, min: 0, moved: 0, cancelable: true, outcome: Ok(()) }
    }
}

/// Items that a waiting putter lends to the queue, so that getters can take them directly.
pub(super) enum LentItems<T> {
    /// The putter keeps its items, is woken for room, and keeps its turn until it offers again.
    None,
    One(T),
    Many(VecDeque<T>),
}

/// The items of a put while they are in the caller's hands.
pub(super) trait Items<T> {
    fn count(&self) -> usize;
    /// Moves the first `n` items to the end of the ring.
    fn move_to(&mut self, ring: &mut VecDeque<T>, n: usize);
    /// Lends the remaining items to the queue.
    fn lend(&mut self) -> LentItems<T>;
    /// Takes back the items that the queue did not use.
    fn take_back(&mut self, lent: LentItems<T>);
}

impl<T> Items<T> for VecDeque<T> {
    fn count(&self) -> usize {
        self.len()
    }

    fn move_to(&mut self, ring: &mut VecDeque<T>, n: usize) {
        if n == self.len() {
            ring.append(self);
        } else {
            ring.extend(self.drain(..n));
        }
    }

    fn lend(&mut self) -> LentItems<T> {
        LentItems::Many(mem::take(self))
    }

    fn take_back(&mut self, lent: LentItems<T>) {
        if let LentItems::Many(items) = lent {
            *self = items;
        }
    }
}

impl<T> Items<T> for Option<T> {
    fn count(&self) -> usize {
        usize::from(self.is_some())
    }

    fn move_to(&mut self, ring: &mut VecDeque<T>, n: usize) {
        if n > 0 {
            ring.extend(self.take());
        }
    }

    fn lend(&mut self) -> LentItems<T> {
        self.take().map_or(LentItems::None, LentItems::One)
    }

    fn take_back(&mut self, lent: LentItems<T>) {
        if let LentItems::One(item) = lent {
            *self = Some(item);
        }
    }
}
