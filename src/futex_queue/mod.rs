//! The bounded queue between threads and tasks.
//!
//! Either end may be a task (a future that is polled), a thread that blocks (parked on a futex), or
//! a thread that must never wait (a call that returns "no room" or "held"). Any number of putters
//! and getters. No `unsafe`, no runtime.
//!
//! ```
//! use outrace::futex_queue::bounded;
//!
//! let (mut putter, mut getter) = bounded(4);
//! let thread = std::thread::spawn(move || {
//!     for n in 0..10 {
//!         putter.blocking_put_one(n, None).unwrap();
//!     }
//!     putter.finish(10).unwrap();
//! });
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async move {
//! let mut sum = 0;
//! while let Some(n) = getter.get_one().await {
//!     sum += n;
//! }
//! assert_eq!(sum, 55);
//! # });
//! # thread.join().unwrap();
//! ```
//!
//! # Terms
//!
//! - A *putter* and a *getter* are handles on the two ends; a clone is one more of them.
//! - *Room* is the number of items that may enter: up to the capacity, plus the number that the
//!   first waiting getter still needs. The second part makes capacity 0 a rendezvous, and allows a
//!   `min` above the capacity.
//! - *Granted* items are reserved for a waiting getter, at the front of the ring, until it takes
//!   them.
//! - *Closed*: puts fail for good, getters drain the queue and end. *Canceled*: cancelable puts
//!   fail, everything else goes on.
//!
//! # Contract
//!
//! - Items come out in the order in which they went in. Waiting putters are served in order of
//!   arrival, and so are waiting getters; a newcomer never overtakes either.
//! - `put(items, min)` completes as soon as `min` items have moved; more may have moved. `get(buf,
//!   max, min)` likewise. With `min` 0 neither waits, and a put of no items completes at once.
//! - A put that ends early (closed, canceled, deadline passed, future dropped) leaves every item
//!   with a getter, in the queue, or in the caller's hands, in order. A get that is dropped after
//!   items were granted to it passes them on, in order.
//! - When the last getter is dropped every put fails with [`PutError::Closed`], and the items in
//!   the queue are dropped. When the last putter is dropped the getters drain the queue and end.
//! - Each putter has one reserved slot for its last item: [`Putter::finish`] never needs room,
//!   works in a canceled queue too, and gives up the putter in the same step. The queue never holds
//!   more than its capacity and one item for each putter that has finished.
//! - A put makes all its items visible at once, then wakes: one wake for a waiting getter, however
//!   many items came. Wakers are fired by value, without the lock, and dropped with the future that
//!   registered them. A panic of a waker is caught, after the panic hook has reported it: it
//!   affects neither the other waiters nor the caller. With `panic = "abort"` it ends the process,
//!   as any panic does.
//! - A handle that is leaked ([`std::mem::forget`]) counts as alive. A get future that is leaked
//!   gives up its turn when its getter is next used, or dropped. A put future that is leaked is
//!   carried out: getters take the items that it has lent to the queue.
//!
//! # Life of a waiter
//!
//! ```text
//!             joins the wait queue           served / closed / canceled
//!   newcomer ---------------------> waiting ----------------------------> complete
//!      |                               |    (waker taken out, fired          |
//!      | enough is there,              |     without the lock)               | polled: leaves the
//!      | no waiter before it           | dropped: leaves the wait queue,     | wait queue, with
//!      v                               | the next waiter has its turn        v its result
//!    done                              v                                   done
//!                                    gone <----------------------------------+
//!                                          dropped: its grant goes to the next getter
//! ```
//!
//! # Why no item is lost
//!
//! The whole state is guarded by one lock, and an item is always in exactly one place: the caller's
//! hands, the ring, or the items that a waiting putter has lent to the queue (they are in the
//! caller's hands again when the put ends). It moves between them in four places, each under the
//! lock: `fill` and `move_lent` into the ring, `take` and `take_granted` out of it. A grant moves
//! nothing: it only counts items at the front of the ring as promised. A getter that disappears
//! subtracts its count, and the items are where they were, first in order for the next getter.
//!
//! # Why no wake is lost
//!
//! Two invariants hold whenever the lock is free: if a getter waits, every item in the ring is
//! promised; if a putter waits, there is no room, or the first putter has been woken for it. Every
//! change of the state ends with `match_waiters`, which restores both and moves the wakers of the
//! completed waiters to a list. A waiter is marked as complete under the same lock under which its
//! waker is taken, and it registers its waker under that lock after it has checked for completion:
//! so either it finds its result, or its waker is there to be taken. The list is fired after the
//! lock is released, and a wake that panics does not keep the others from being fired.
//!
//! No code of the caller runs under the lock (no drop of an item; no clone, drop or wake of a
//! waker). So the lock is held for some tens of nanoseconds, cannot be taken twice by one thread,
//! and a panic cannot leave the state half changed.
//!
//! The models in `models.rs` run these stories in every order of threads that loom finds;
//! `.ci/queue-mutants` plants faults that tests and models must notice; a random test compares the
//! queue with a plain description of it.
//!
//! # When to use it
//!
//! For items that travel in small batches between a thread and tasks, where the end must always
//! arrive and a slow consumer must not stop the producer. Not for the highest rate between two busy
//! threads, where a lock-free ring is faster, and not for unbounded buffering. Waking a waiter
//! costs some microseconds, in every queue: put items that belong together in one put.
//!
//! Nanoseconds on two virtual CPUs (AMD EPYC, Linux 6.18, rustc 1.95), minimum of many rounds in
//! one run; compare within a column. `cargo bench -p outrace-benches --bench queue` makes the
//! table.
//!
//! | | create, 6 items of 48 bytes, drain, drop | wake of a parked task, one way | 6 items to a parked task, last one taken |
//! |---|---|---|---|
//! | this queue, one put | 133 | 3175 | 3335 |
//! | this queue, item by item | 274 | 3175 | 19779 |
//! | tokio mpsc | 435 | 3255 | 17802 |
//! | async-channel | 665 | 9194 | 19690 |
//! | flume | 281 | 9013 | 19489 |
//! | kanal | 176 | 3225 | 18798 |
//! | crossfire spsc | 185 | 3185 | 19760 |
//! | thingbuf | 337 | 3165 | 19279 |
//! | rtrb with two `AtomicWaker`s (lower bound) | 166 | 3185 | 17361 |
//!
//! At capacity 16 a queue allocates twice in its life: the shared part, and the ring with the first
//! item, so that a lookup that fails or is dropped early never pays for a ring. A waiting task or
//! thread allocates nothing.
//!
//! # The words of its model
//!
//! This is the queue of Zig's standard library (`std.Io.Queue`), with its words in Rust's spelling:
//!
//! | there | here |
//! |---|---|
//! | `put(items, min)`, `get(buffer, min)` | [`Putter::put`], [`Getter::get`] |
//! | `putAll`, `putOne`, `getOne` | [`Putter::put_all`], [`Putter::put_one`], [`Getter::get_one`] |
//! | `putUncancelable`, `putOneUncancelable` | [`Putter::put_uncancelable`], [`Putter::put_one_uncancelable`] |
//! | cancelation of the task | [`Putter::cancel`] or [`Getter::cancel`], and dropping the future |
//! | closing, in later versions | [`Putter::close`], [`Getter::close`], the last handle, [`Putter::finish`] |
//!
//! The put methods stay twelve, rather than three with an `uncancelable()` view and a `blocking`
//! form of the futures: the table keeps the names of the model, and `blocking_put` follows tokio's
//! `blocking_send`. A blocking form of a future could also be called after a task has polled it.
//!
//! The first version of that queue lost items when a put waited on a full ring, took a full ring
//! for an empty one, forgot `min` once an end waited, left a canceled waiter in its list, and had
//! no end. Each of those is a test here; the ring is std's `VecDeque`, `min` is part of each
//! request, and leaving the wait queue is part of drop.

mod error;
mod get;
#[cfg(all(test, outrace_loom))]
mod models;
mod offer;
mod park;
mod put;
mod put_future;
mod queue;
mod request;
mod sync;
#[cfg(all(test, not(outrace_loom)))]
mod tests;
mod wait_queue;

use std::sync::Arc;

pub use error::{GetError, PutError, Unsent};
pub use get::{Get, GetOne, Getter};
pub use offer::OfferOutcome;
pub use put::Putter;
pub use put_future::{Put, PutOne};

/// A queue that holds up to `capacity` items, with one handle on each end.
///
/// Capacity 0 is a rendezvous: an item moves only when a getter is there to take it. The ring is
/// allocated with the first item: whole when it is small, growing as it fills when it is large.
pub fn bounded<T>(capacity: usize) -> (Putter<T>, Getter<T>) {
    let queue = Arc::new(queue::Queue::new(capacity));
    (Putter::new(Arc::clone(&queue)), Getter::new(queue))
}
