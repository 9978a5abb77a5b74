//! The queue itself: one ring, two lines of waiters, one short lock.
//!
//! [`State::settle`] is the one place that matches items, getters and putters. Everything that
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

use super::line::{Line, Ticket, Waiter, Wakes};
use super::put::PutError;
use super::sync::{AtomicBool, Mutex, MutexGuard, Ordering};

/// A ring up to this size is allocated whole by the first item: the lookup path then pays for one
/// allocation, and glibc serves it from its thread cache (which ends at 1,032 bytes). A larger ring
/// grows as it fills.
const WHOLE_RING: usize = 1024;

/// What both ends share.
pub(super) struct Shared<T> {
    pub(super) capacity: usize,
    /// Follows `State::closed` and is written with the lock held: a look without the lock, for those
    /// who must not wait.
    refuses: AtomicBool,
    state: Mutex<State<T>>,
}

impl<T> Shared<T> {
    /// A queue with one handle on each end.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            refuses: AtomicBool::new(false),
            state: Mutex::new(State {
                capacity,
                ring: VecDeque::new(),
                promised: 0,
                getters: Line::new(),
                putters: Line::new(),
                watchers: Line::new(),
                getter_handles: 1,
                putter_handles: 1,
                closed: false,
                canceled: false,
            }),
        }
    }

    /// Waits for the lock: some tens of nanoseconds, unless its holder was preempted.
    pub(super) fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `None`: another thread has the lock.
    pub(super) fn try_lock(&self) -> Option<MutexGuard<'_, State<T>>> {
        match self.state.try_lock() {
            Ok(state) => Some(state),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Whether puts are refused for good: closed, or no getter left. Takes no lock.
    pub(super) fn refuses(&self) -> bool {
        // Pairs with the store in `refuse`: whoever sees it also sees what came before the closing.
        self.refuses.load(Ordering::Acquire)
    }

    /// Closes for putters; getters drain what is there. Wakes everybody whose answer this is.
    pub(super) fn close(&self) {
        let mut wakes = Wakes::new();
        let mut state = self.lock();
        self.refuse(&mut state, &mut wakes);
        drop(state);
        wakes.fire();
    }

    fn refuse(&self, state: &mut State<T>, wakes: &mut Wakes) {
        state.closed = true;
        self.refuses.store(true, Ordering::Release);
        state.putters.settle_all(wakes, |putter| {
            putter.outcome = Err(PutError::Closed);
            true
        });
        state.watchers.settle_all(wakes, |()| true);
        state.settle(wakes);
    }

    /// Fails the cancelable puts, now and from now on.
    pub(super) fn cancel(&self) {
        let mut wakes = Wakes::new();
        let mut state = self.lock();
        state.canceled = true;
        state.putters.settle_all(&mut wakes, |putter| {
            if putter.cancelable {
                putter.outcome = Err(PutError::Canceled);
            }
            putter.cancelable
        });
        state.watchers.settle_all(&mut wakes, |()| true);
        // Those behind a canceled head may find room.
        state.settle(&mut wakes);
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

    /// One getter less. With the last one the putters are told, and what nobody will take is dropped.
    pub(super) fn remove_getter(&self) {
        let mut wakes = Wakes::new();
        let mut state = self.lock();
        state.getter_handles -= 1;
        if state.getter_handles > 0 {
            return;
        }
        self.refuse(&mut state, &mut wakes);
        state.promised = 0;
        let unwanted = mem::take(&mut state.ring);
        drop(state);
        wakes.fire();
        // The drop of an item is the caller's code: it comes last, when everybody else is served.
        drop(unwanted);
    }

    /// One putter less. With the last one the getters are told, once they have drained the queue.
    ///
    /// It leaves its places among the putters and the watchers.
    pub(super) fn remove_putter(&self, place: Option<Ticket>, watch: Option<Ticket>) {
        let mut wakes = Wakes::new();
        let mut state = self.lock();
        let place = place.map(|ticket| state.putters.leave(ticket));
        let watch = watch.map(|ticket| state.watchers.leave(ticket));
        state.remove_putter(&mut wakes);
        drop(state);
        wakes.fire();
        // Their wakers are dropped with no lock held.
        drop((place, watch));
    }

    /// The holder of the ticket leaves the line of putters, and the next one has its turn.
    pub(super) fn leave_putters(&self, ticket: Ticket) -> (Waiter<Putting<T>>, Wakes) {
        let mut wakes = Wakes::new();
        let mut state = self.lock();
        let left = state.putters.leave(ticket);
        state.settle(&mut wakes);
        (left, wakes)
    }
}

/// A getter in its line.
pub(super) struct Getting {
    /// It is woken when this many items are granted to it, or no more can come.
    pub(super) need: usize,
    /// It takes up to this many.
    pub(super) want: usize,
    /// Items at the front of the ring that are kept for it.
    pub(super) granted: usize,
}

/// A putter in its line.
pub(super) struct Putting<T> {
    pub(super) parcel: Parcel<T>,
    /// It is woken when this many items have moved.
    pub(super) min: usize,
    pub(super) moved: usize,
    pub(super) cancelable: bool,
    /// What it is told when it is settled.
    pub(super) outcome: Result<(), PutError>,
}

impl<T> Putting<T> {
    /// A putter that keeps its items and waits for room.
    pub(super) const fn for_room() -> Self {
        Self { parcel: Parcel::Room, min: 0, moved: 0, cancelable: true, outcome: Ok(()) }
    }
}

/// What a waiting putter lends to the queue, so that getters can take from it directly.
pub(super) enum Parcel<T> {
    /// Nothing: it keeps its items, wants to hear of room, and keeps its turn until it comes back.
    Room,
    One(T),
    Many(VecDeque<T>),
}

/// The items of a put while they are in the caller's hands.
pub(super) trait Items<T> {
    fn count(&self) -> usize;
    /// Moves the first `n` to the end of the ring.
    fn move_to(&mut self, ring: &mut VecDeque<T>, n: usize);
    /// Lends what is left to the queue.
    fn lend(&mut self) -> Parcel<T>;
    /// Takes back what the queue did not use.
    fn take_back(&mut self, parcel: Parcel<T>);
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

    fn lend(&mut self) -> Parcel<T> {
        Parcel::Many(mem::take(self))
    }

    fn take_back(&mut self, parcel: Parcel<T>) {
        if let Parcel::Many(items) = parcel {
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

    fn lend(&mut self) -> Parcel<T> {
        self.take().map_or(Parcel::Room, Parcel::One)
    }

    fn take_back(&mut self, parcel: Parcel<T>) {
        if let Parcel::One(item) = parcel {
            *self = Some(item);
        }
    }
}

/// What the lock guards.
pub(super) struct State<T> {
    capacity: usize,
    ring: VecDeque<T>,
    /// Items at the front of the ring that are granted to getters which did not fetch them yet.
    promised: usize,
    pub(super) getters: Line<Getting>,
    pub(super) putters: Line<Putting<T>>,
    /// Putters that want to hear when nobody wants their items any more.
    pub(super) watchers: Line<()>,
    getter_handles: usize,
    putter_handles: usize,
    pub(super) closed: bool,
    pub(super) canceled: bool,
}

impl<T> State<T> {
    /// Items that no getter was promised.
    pub(super) fn held(&self) -> usize {
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
        let owed = self.getters.head().map_or(0, |getter| getter.ask.need - getter.ask.granted);
        self.capacity.saturating_add(owed).saturating_sub(self.held())
    }

    /// A put that comes now: how many items moved, which is none when others wait for room.
    pub(super) fn put<I: Items<T>>(
        &mut self,
        items: &mut I,
        cancelable: bool,
        wakes: &mut Wakes,
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
    pub(super) fn fill<I: Items<T>>(&mut self, items: &mut I, wakes: &mut Wakes) -> usize {
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
    pub(super) fn remove_putter(&mut self, wakes: &mut Wakes) {
        self.putter_handles -= 1;
        self.settle(wakes);
    }

    fn allocate(&mut self) {
        let whole = self.capacity.saturating_add(1);
        if self.ring.capacity() == 0 && whole.saturating_mul(size_of::<T>()) <= WHOLE_RING {
            self.ring.reserve_exact(whole);
        }
    }

    /// Hands out items and room, in the order of the lines, until one side has nothing to give.
    #[inline]
    pub(super) fn settle(&mut self, wakes: &mut Wakes) {
        if self.getters.head().is_some() || self.putters.head().is_some() {
            self.settle_lines(wakes);
        }
    }

    fn settle_lines(&mut self, wakes: &mut Wakes) {
        loop {
            self.grant(wakes);
            let room = self.room();
            let Some(putter) = self.putters.head_mut() else { return };
            if room == 0 {
                return;
            }
            if let Parcel::Room = putter.ask.parcel {
                // It comes back with its items; until then nobody passes it.
                wakes.push_from(putter);
                return;
            }
            self.unload(room, wakes);
        }
    }

    /// Items to getters: the first one in the line gets all that is there, up to what it wants.
    fn grant(&mut self, wakes: &mut Wakes) {
        let ended = self.ended();
        while let Some(getter) = self.getters.head_mut() {
            let getting = &mut getter.ask;
            let granted = (self.ring.len() - self.promised).min(getting.want - getting.granted);
            getting.granted += granted;
            self.promised += granted;
            // At the end it gets what there is, once all the others have fetched theirs: one of them
            // may still give up and pass on what it was promised.
            let is_all = ended && self.ring.len() == getting.granted;
            if getting.granted < getting.need && !is_all {
                return;
            }
            self.getters.settle_head(wakes);
        }
    }

    /// Moves up to `n` items from the first waiting putter to the ring. Returns how many.
    fn unload(&mut self, n: usize, wakes: &mut Wakes) -> usize {
        let Some(putter) = self.putters.head_mut() else { return 0 };
        let putting = &mut putter.ask;
        let n = match &mut putting.parcel {
            Parcel::Room => return 0,
            Parcel::One(_) => {
                if let Parcel::One(item) = mem::replace(&mut putting.parcel, Parcel::Room) {
                    self.ring.push_back(item);
                }
                1
            }
            Parcel::Many(items) => {
                let n = n.min(items.len());
                items.move_to(&mut self.ring, n);
                n
            }
        };
        putting.moved += n;
        if putting.moved >= putting.min {
            self.putters.settle_head(wakes);
        }
        n
    }

    /// Takes up to `want` items that are nobody else's: from the ring, then from waiting putters.
    pub(super) fn take(
        &mut self,
        want: usize,
        wakes: &mut Wakes,
        sink: &mut impl FnMut(&mut VecDeque<T>, usize),
    ) -> usize {
        let mut taken = 0;
        while taken < want {
            let n = self.held().min(want - taken);
            sink(&mut self.ring, n);
            taken += n;
            // While a getter waits no putter does, so nobody is overtaken here.
            if taken < want && self.unload(want - taken, wakes) == 0 {
                break;
            }
        }
        // What was taken from the ring made room.
        self.settle(wakes);
        taken
    }

    /// Fetches what a settled getter was granted. It is no longer in the line.
    pub(super) fn fetch(
        &mut self,
        getting: &Getting,
        sink: &mut impl FnMut(&mut VecDeque<T>, usize),
    ) {
        self.promised -= getting.granted;
        sink(&mut self.ring, getting.granted);
    }

    /// The getter goes without its items: they are the next one's.
    pub(super) fn give_back(&mut self, getting: &Getting, wakes: &mut Wakes) {
        self.promised -= getting.granted;
        self.settle(wakes);
    }
}

/// Keeps the waiter's waker up to date. Returns the one it replaced, to be dropped without the lock;
/// `Err` when a clone is needed first, to be made without the lock as well.
pub(super) fn renew(
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
