//! The queue itself: one ring, three wait queues, one short lock.
//!
//! [`QueueState::match_waiters`] is the one place that matches items, getters and putters. Every
//! change of the state ends with it, so that these invariants hold whenever the lock is free:
//!
//! 1. if a getter waits, every item in the ring is promised;
//! 2. if a putter waits, there is no room (or the first putter has been woken for the room).
//!
//! No code of the caller runs while the lock is held: no `Drop` of an item; no clone, wake or drop
//! of a [`Waker`]. Such code may panic, or use this very queue. Hence a poisoned lock says nothing
//! about the state, and the poison is ignored.

use std::collections::VecDeque;
use std::mem;
use std::sync::{PoisonError, TryLockError};
use std::task::Waker;

use super::error::PutError;
use super::request::{GetRequest, Items, LentItems, PutRequest};
use super::sync::{AtomicBool, Mutex, MutexGuard, Ordering};
use super::wait_queue::{Ticket, WaitQueue, Waiter, WakeList};

/// A ring of up to this size is allocated whole with the first item: the lookup path then pays for
/// one allocation, which glibc serves from its thread cache (up to 1,032 bytes). A larger ring
/// grows as it fills.
const MAX_EAGER_RING_BYTES: usize = 1024;

/// The part that all handles share.
pub(super) struct Queue<T> {
    pub(super) capacity: usize,
    /// A copy of `QueueState::closed`, written under the lock: callers that must not wait read it
    /// without the lock.
    is_closed: AtomicBool,
    state: Mutex<QueueState<T>>,
}

impl<T> Queue<T> {
    /// Creates a queue that counts one handle on each end.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            is_closed: AtomicBool::new(false),
            state: Mutex::new(QueueState {
                capacity,
                ring: VecDeque::new(),
                promised: 0,
                getters: WaitQueue::new(),
                putters: WaitQueue::new(),
                watchers: WaitQueue::new(),
                getter_handles: 1,
                putter_handles: 1,
                closed: false,
                canceled: false,
            }),
        }
    }

    /// Takes the lock. Waits some tens of nanoseconds for it, more if its holder was preempted.
    pub(super) fn lock(&self) -> MutexGuard<'_, QueueState<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the lock, or returns `None` if another thread holds it.
    pub(super) fn try_lock(&self) -> Option<MutexGuard<'_, QueueState<T>>> {
        match self.state.try_lock() {
            Ok(state) => Some(state),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Returns whether puts fail for good: closed, or no getter left. Takes no lock.
    pub(super) fn is_closed(&self) -> bool {
        // Pairs with the store in `close_locked`: a reader that sees it also sees what happened
        // before.
        self.is_closed.load(Ordering::Acquire)
    }

    /// Fails all puts from now on; getters drain the queue. Wakes every waiter that this completes.
    pub(super) fn close(&self) {
        let mut wakes = WakeList::new();
        let mut state = self.lock();
        self.close_locked(&mut state, &mut wakes);
        drop(state);
        wakes.fire();
    }

    /// [`close`](Self::close) under the lock.
    fn close_locked(&self, state: &mut QueueState<T>, wakes: &mut WakeList) {
        state.closed = true;
        self.is_closed.store(true, Ordering::Release);
        state.putters.complete_where(wakes, |putter| {
            putter.outcome = Err(PutError::Closed);
            true
        });
        state.watchers.complete_where(wakes, |()| true);
        state.match_waiters(wakes);
    }

    /// Fails all cancelable puts from now on, also those that wait.
    pub(super) fn cancel(&self) {
        let mut wakes = WakeList::new();
        let mut state = self.lock();
        state.canceled = true;
        state.putters.complete_where(&mut wakes, |putter| {
            if putter.cancelable {
                putter.outcome = Err(PutError::Canceled);
            }
            putter.cancelable
        });
        state.watchers.complete_where(&mut wakes, |()| true);
        // Putters behind a canceled one may find room.
        state.match_waiters(&mut wakes);
        drop(state);
        wakes.fire();
    }

    pub(super) fn is_canceled(&self) -> bool {
        self.lock().canceled
    }

    /// Counts one more getter.
    pub(super) fn add_getter(&self) {
        self.lock().getter_handles += 1;
    }

    /// Counts one more putter.
    pub(super) fn add_putter(&self) {
        self.lock().putter_handles += 1;
    }

    /// Counts off a getter and removes its request. After the last getter puts fail, and the items
    /// in the queue are dropped.
    pub(super) fn remove_getter(&self, ticket: Option<Ticket>) {
        let mut wakes = WakeList::new();
        let mut unwanted = VecDeque::new();
        let mut state = self.lock();
        let request = ticket.map(|ticket| state.remove_get(ticket, &mut wakes));
        state.getter_handles -= 1;
        if state.getter_handles == 0 {
            self.close_locked(&mut state, &mut wakes);
            mem::swap(&mut state.ring, &mut unwanted);
        }
        drop(state);
        wakes.fire();
        // The drop of a waker or an item is the caller's code, and may panic: it comes last.
        drop(request);
        drop(unwanted);
    }

    /// Counts off a putter and removes its requests. After the last putter the getters drain the
    /// queue and end.
    pub(super) fn remove_putter(&self, room: Option<Ticket>, watch: Option<Ticket>) {
        let mut wakes = WakeList::new();
        let mut state = self.lock();
        let room = room.map(|ticket| state.putters.remove(ticket));
        let watch = watch.map(|ticket| state.watchers.remove(ticket));
        state.remove_putter(&mut wakes);
        drop(state);
        wakes.fire();
        // Their wakers are dropped with no lock held.
        drop((room, watch));
    }

    /// Removes the request of a putter; the next putter may have its turn.
    pub(super) fn remove_put(&self, ticket: Ticket) -> (Waiter<PutRequest<T>>, WakeList) {
        let mut wakes = WakeList::new();
        let mut state = self.lock();
        let removed = state.putters.remove(ticket);
        state.match_waiters(&mut wakes);
        (removed, wakes)
    }
}

/// The state that the lock guards.
pub(super) struct QueueState<T> {
    capacity: usize,
    ring: VecDeque<T>,
    /// Items at the front of the ring that are granted to getters and not yet taken by them.
    promised: usize,
    pub(super) getters: WaitQueue<GetRequest>,
    pub(super) putters: WaitQueue<PutRequest<T>>,
    /// Putters that wait in [`poll_closed`](super::Putter::poll_closed).
    pub(super) watchers: WaitQueue<()>,
    getter_handles: usize,
    putter_handles: usize,
    pub(super) closed: bool,
    pub(super) canceled: bool,
}

impl<T> QueueState<T> {
    /// Returns the number of items that are promised to no getter.
    pub(super) fn unpromised(&self) -> usize {
        self.ring.len() - self.promised
    }

    /// Returns whether no item will enter any more.
    fn ended(&self) -> bool {
        self.closed || self.putter_handles == 0
    }

    /// Returns whether there is nothing left to get: ended, and every item was taken by a getter.
    ///
    /// An item that is promised and not yet taken is passed on if its getter gives up.
    pub(super) fn is_drained(&self) -> bool {
        self.ended() && self.ring.is_empty()
    }

    /// Returns how many items may enter: up to the capacity, plus the number that the first waiting
    /// getter still needs.
    ///
    /// The second part makes capacity 0 a rendezvous, and allows a `min` above the capacity.
    pub(super) fn room(&self) -> usize {
        let owed =
            self.getters.head().map_or(0, |getter| getter.request.need - getter.request.granted);
        self.capacity.saturating_add(owed).saturating_sub(self.unpromised())
    }

    /// Starts a put. Returns how many items moved: none if other putters wait for room.
    pub(super) fn put<I: Items<T>>(
        &mut self,
        items: &mut I,
        cancelable: bool,
        wakes: &mut WakeList,
    ) -> Result<usize, PutError> {
        if self.closed {
            Err(PutError::Closed)
        } else if cancelable && self.canceled {
            Err(PutError::Canceled)
        } else if self.putters.head().is_some() {
            Ok(0)
        } else {
            Ok(self.fill(items, wakes))
        }
    }

    /// Moves items into the ring while there is room, whether other putters wait for it or not.
    /// Returns how many.
    pub(super) fn fill<I: Items<T>>(&mut self, items: &mut I, wakes: &mut WakeList) -> usize {
        let mut moved = 0;
        loop {
            let n = self.room().min(items.count());
            if n == 0 {
                return moved;
            }
            self.allocate();
            items.move_to(&mut self.ring, n);
            moved += n;
            if self.getters.head().is_none() {
                return moved;
            }
            // A getter that is served makes room.
            self.grant(wakes);
        }
    }

    /// Puts the last item of a putter into its reserved slot, whatever the room.
    pub(super) fn push_last(&mut self, last: T) {
        self.allocate();
        self.ring.push_back(last);
    }

    /// Counts off a putter, whose requests have been removed.
    pub(super) fn remove_putter(&mut self, wakes: &mut WakeList) {
        self.putter_handles -= 1;
        self.match_waiters(wakes);
    }

    /// Allocates a small ring whole; a larger one grows as it fills.
    fn allocate(&mut self) {
        let whole = self.capacity.saturating_add(1);
        if self.ring.capacity() == 0 && whole.saturating_mul(size_of::<T>()) <= MAX_EAGER_RING_BYTES
        {
            self.ring.reserve_exact(whole);
        }
    }

    /// Gives items to waiting getters and room to waiting putters, each in order of arrival, until
    /// one side has no more. Restores the invariants of this module.
    #[inline]
    pub(super) fn match_waiters(&mut self, wakes: &mut WakeList) {
        if self.getters.head().is_some() || self.putters.head().is_some() {
            self.match_all_waiters(wakes);
        }
    }

    fn match_all_waiters(&mut self, wakes: &mut WakeList) {
        loop {
            self.grant(wakes);
            let room = self.room();
            let Some(putter) = self.putters.head_mut() else { return };
            if room == 0 {
                return;
            }
            if let LentItems::None = putter.request.lent {
                // It offers its items again; until then no other putter goes first.
                wakes.push_waker_of(putter);
                return;
            }
            self.move_lent(room, wakes);
        }
    }

    /// Grants items to waiting getters: the first gets every item there is, up to what it wants.
    fn grant(&mut self, wakes: &mut WakeList) {
        let ended = self.ended();
        while let Some(getter) = self.getters.head_mut() {
            let request = &mut getter.request;
            let granted = (self.ring.len() - self.promised).min(request.want - request.granted);
            request.granted += granted;
            self.promised += granted;
            // At the end of the queue it gets fewer than it needs, once the other getters have
            // taken their grants: until then one of them may give up and pass its grant on.
            let is_all = ended && self.ring.len() == request.granted;
            if request.granted < request.need && !is_all {
                return;
            }
            self.getters.complete_head(wakes);
        }
    }

    /// Moves up to `n` items lent by the first waiting putter into the ring. Returns how many.
    fn move_lent(&mut self, n: usize, wakes: &mut WakeList) -> usize {
        let Some(putter) = self.putters.head_mut() else { return 0 };
        let request = &mut putter.request;
        let n = match &mut request.lent {
            LentItems::None => return 0,
            LentItems::One(_) => {
                if let LentItems::One(item) = mem::replace(&mut request.lent, LentItems::None) {
                    self.ring.push_back(item);
                }
                1
            }
            LentItems::Many(items) => {
                let n = n.min(items.len());
                items.move_to(&mut self.ring, n);
                n
            }
        };
        request.moved += n;
        if request.moved >= request.min {
            self.putters.complete_head(wakes);
        }
        n
    }

    /// Takes up to `want` items that are promised to no other getter: from the ring, then from
    /// waiting putters. Returns how many.
    pub(super) fn take(
        &mut self,
        want: usize,
        wakes: &mut WakeList,
        sink: &mut impl FnMut(&mut VecDeque<T>, usize),
    ) -> usize {
        let mut taken = 0;
        while taken < want {
            let n = self.unpromised().min(want - taken);
            sink(&mut self.ring, n);
            taken += n;
            // While a getter waits, the first putter has lent no items: no getter is overtaken.
            if taken < want && self.move_lent(want - taken, wakes) == 0 {
                break;
            }
        }
        // Taking items from the ring has made room.
        self.match_waiters(wakes);
        taken
    }

    /// Takes the items granted to a completed request, which has been removed.
    pub(super) fn take_granted(
        &mut self,
        request: &GetRequest,
        sink: &mut impl FnMut(&mut VecDeque<T>, usize),
    ) {
        self.promised -= request.granted;
        sink(&mut self.ring, request.granted);
    }

    /// Removes the request of a getter and passes its grant on to the next one.
    pub(super) fn remove_get(
        &mut self,
        ticket: Ticket,
        wakes: &mut WakeList,
    ) -> Waiter<GetRequest> {
        let removed = self.getters.remove(ticket);
        self.promised -= removed.request.granted;
        self.match_waiters(wakes);
        removed
    }
}

/// Stores the waker of the latest poll, unless the stored one wakes the same task.
///
/// Returns the waker that was replaced, for the caller to drop without the lock. Without a `clone`,
/// `Err` tells the caller to make one, without the lock as well, and to call again.
pub(super) fn update_waker(
    slot: &mut Option<Waker>,
    waker: &Waker,
    clone: &mut Option<Waker>,
) -> Result<Option<Waker>, ()> {
    if slot.as_ref().is_some_and(|stored| stored.will_wake(waker)) {
        return Ok(None);
    }
    match clone.take() {
        Some(clone) => Ok(slot.replace(clone)),
        None => Err(()),
    }
}
