//! The queue itself: one ring, two lines of waiters, one short lock.
//!
//! [`QueueState::match_waiters`] is the one place that matches items, getters and putters. Everything that
//! changes the state ends with it, so that between two holders of the lock this is true:
//!
//! 1. when a getter waits, every item in the ring is promised;
//! 2. when a putter waits, there is no room (or the head of the line has been told of the room).
//!
//! No code of the caller runs while the lock is held: no `Drop` of an item, no clone, wake or drop of
//! a [`Waker`]. Such code may panic, or use this very queue. Hence a poisoned lock says nothing about
//! the state, and is taken as it is.

use std::collections::VecDeque;
use std::mem;
use std::sync::{PoisonError, TryLockError};
use std::task::Waker;

use super::get::GetRequest;
use super::put::PutError;
use super::put_request::{Items, LentItems, PutRequest};
use super::sync::{AtomicBool, Mutex, MutexGuard, Ordering};
use super::wait_queue::{Ticket, WaitQueue, Waiter, WakeList};

/// A ring up to this size is allocated whole by the first item: the lookup path then pays for one
/// allocation, and glibc serves it from its thread cache (which ends at 1,032 bytes). A larger ring
/// grows as it fills.
const MAX_EAGER_RING_BYTES: usize = 1024;

/// What both ends share.
pub(super) struct Queue<T> {
    pub(super) capacity: usize,
    /// Follows `QueueState::closed` and is written with the lock held: a look without the lock, for those
    /// who must not wait.
    is_closed: AtomicBool,
    state: Mutex<QueueState<T>>,
}

impl<T> Queue<T> {
    /// A queue with one handle on each end.
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

    /// Waits for the lock: some tens of nanoseconds, unless its holder was preempted.
    pub(super) fn lock(&self) -> MutexGuard<'_, QueueState<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `None`: another thread has the lock.
    pub(super) fn try_lock(&self) -> Option<MutexGuard<'_, QueueState<T>>> {
        match self.state.try_lock() {
            Ok(state) => Some(state),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Whether puts are refused for good: closed, or no getter left. Takes no lock.
    pub(super) fn is_closed(&self) -> bool {
        // Pairs with the store in `close_locked`: whoever sees it also sees what came before the closing.
        self.is_closed.load(Ordering::Acquire)
    }

    /// Closes for putters; getters drain what is there. Wakes every waiter that this completes.
    pub(super) fn close(&self) {
        let mut wakes = WakeList::new();
        let mut state = self.lock();
        self.close_locked(&mut state, &mut wakes);
        drop(state);
        wakes.fire();
    }

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

    /// Fails the cancelable puts, now and from now on.
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
        // Those behind a canceled head may find room.
        state.match_waiters(&mut wakes);
        drop(state);
        wakes.fire();
    }

    pub(super) fn is_canceled(&self) -> bool {
        self.lock().canceled
    }

    /// One more getter.
    pub(super) fn add_getter(&self) {
        self.lock().getter_handles += 1;
    }

    /// One more putter.
    pub(super) fn add_putter(&self) {
        self.lock().putter_handles += 1;
    }

    /// Counts off a getter and removes its request. After the last one puts fail, and the items that
    /// the queue still holds are dropped.
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
        // Drops of a waker and of items are the caller's code, which may panic: they come last.
        drop(request);
        drop(unwanted);
    }

    /// One putter less. With the last one the getters are told, once they have drained the queue.
    ///
    /// It leaves its places among the putters and the watchers.
    pub(super) fn remove_putter(&self, place: Option<Ticket>, watch: Option<Ticket>) {
        let mut wakes = WakeList::new();
        let mut state = self.lock();
        let place = place.map(|ticket| state.putters.remove(ticket));
        let watch = watch.map(|ticket| state.watchers.remove(ticket));
        state.remove_putter(&mut wakes);
        drop(state);
        wakes.fire();
        // Their wakers are dropped with no lock held.
        drop((place, watch));
    }

    /// The holder of the ticket leaves the line of putters, and the next one has its turn.
    pub(super) fn remove_put(&self, ticket: Ticket) -> (Waiter<PutRequest<T>>, WakeList) {
        let mut wakes = WakeList::new();
        let mut state = self.lock();
        let left = state.putters.remove(ticket);
        state.match_waiters(&mut wakes);
        (left, wakes)
    }
}

/// What the lock guards.
pub(super) struct QueueState<T> {
    capacity: usize,
    ring: VecDeque<T>,
    /// Items at the front of the ring that are granted to getters which did not fetch them yet.
    promised: usize,
    pub(super) getters: WaitQueue<GetRequest>,
    pub(super) putters: WaitQueue<PutRequest<T>>,
    /// Putters that want to hear when nobody wants their items any more.
    pub(super) watchers: WaitQueue<()>,
    getter_handles: usize,
    putter_handles: usize,
    pub(super) closed: bool,
    pub(super) canceled: bool,
}

impl<T> QueueState<T> {
    /// Items that no getter was promised.
    pub(super) fn unpromised(&self) -> usize {
        self.ring.len() - self.promised
    }

    /// Whether no item will come any more.
    fn ended(&self) -> bool {
        self.closed || self.putter_handles == 0
    }

    /// Whether there is nothing left to get: ended, and every item was fetched by a getter.
    ///
    /// An item that is promised and not fetched may still be passed on, should its getter give up.
    pub(super) fn is_drained(&self) -> bool {
        self.ended() && self.ring.is_empty()
    }

    /// How many items may come in: up to the capacity, and what the first waiting getter still needs.
    ///
    /// The second part is what makes capacity 0 a rendezvous, and a `min` above the capacity possible.
    pub(super) fn room(&self) -> usize {
        let owed =
            self.getters.head().map_or(0, |getter| getter.request.need - getter.request.granted);
        self.capacity.saturating_add(owed).saturating_sub(self.unpromised())
    }

    /// A put that comes now: how many items moved, which is none when others wait for room.
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

    /// Moves items into the ring while there is room. Does not look at who waits for room.
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
            // A getter that is served makes room again.
            self.grant(wakes);
        }
    }

    /// Puts an item into the slot that is reserved for it, whatever the room.
    pub(super) fn push_last(&mut self, last: T) {
        self.allocate();
        self.ring.push_back(last);
    }

    /// One putter less; the caller has left the line of putters.
    pub(super) fn remove_putter(&mut self, wakes: &mut WakeList) {
        self.putter_handles -= 1;
        self.match_waiters(wakes);
    }

    fn allocate(&mut self) {
        let whole = self.capacity.saturating_add(1);
        if self.ring.capacity() == 0 && whole.saturating_mul(size_of::<T>()) <= MAX_EAGER_RING_BYTES
        {
            self.ring.reserve_exact(whole);
        }
    }

    /// Hands out items and room, in the order of the lines, until one side has nothing to give.
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
                // It comes back with its items; until then nobody passes it.
                wakes.push_waker_of(putter);
                return;
            }
            self.move_lent(room, wakes);
        }
    }

    /// Items to getters: the first one in the line gets all that is there, up to what it wants.
    fn grant(&mut self, wakes: &mut WakeList) {
        let ended = self.ended();
        while let Some(getter) = self.getters.head_mut() {
            let request = &mut getter.request;
            let granted = (self.ring.len() - self.promised).min(request.want - request.granted);
            request.granted += granted;
            self.promised += granted;
            // At the end it gets what there is, once all the others have fetched theirs: one of them
            // may still give up and pass on what it was promised.
            let is_all = ended && self.ring.len() == request.granted;
            if request.granted < request.need && !is_all {
                return;
            }
            self.getters.complete_head(wakes);
        }
    }

    /// Moves up to `n` items from the first waiting putter to the ring. Returns how many.
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

    /// Takes up to `want` items that are nobody else's: from the ring, then from waiting putters.
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
            // While a getter waits no putter does, so nobody is overtaken here.
            if taken < want && self.move_lent(want - taken, wakes) == 0 {
                break;
            }
        }
        // What was taken from the ring made room.
        self.match_waiters(wakes);
        taken
    }

    /// Fetches what a settled getter was granted. It is no longer in the line.
    pub(super) fn take_granted(
        &mut self,
        request: &GetRequest,
        sink: &mut impl FnMut(&mut VecDeque<T>, usize),
    ) {
        self.promised -= request.granted;
        sink(&mut self.ring, request.granted);
    }

    /// Removes the request of a getter. What it was granted goes to the next getter.
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

/// Keeps the waiter's waker up to date. Returns the one it replaced, to be dropped without the lock;
/// `Err` when a clone is needed first, to be made without the lock as well.
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
