//! The bounded queue between threads and tasks.
//!
//! Either end may be a task (a future that is polled), a thread that blocks (parked on a futex), or a
//! thread that must never wait (a form that says "no room", or "held"). Any number of putters and
//! getters. No `unsafe`, no runtime.
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
//! - *Room* is what may come in: up to the capacity, and what the first getter that waits still
//!   needs. The second part makes capacity 0 a rendezvous, and a `min` above the capacity possible.
//! - *Granted* items are kept for a getter that waits, at the front of the ring, until it fetches
//!   them.
//! - *Closed*: puts fail for good, getters drain what is there and end. *Canceled*: cancelable puts
//!   fail, everything else goes on.
//!
//! # Contract
//!
//! - Items come out in the order in which they went in. Putters that wait are served in the order in
//!   which they came, and so are getters; a newcomer never overtakes either.
//! - `put(items, min)` returns as soon as `min` items moved; more may have moved. `get(buf, max,
//!   min)` likewise. `min` 0 never waits, a put of nothing returns at once.
//! - A put that ends early (closed, canceled, its deadline, its future dropped) leaves every item
//!   with a getter, in the queue, or in the caller's hands, in order. A get that is dropped after it
//!   was granted items passes them on, in order.
//! - When the last getter is gone every put fails with [`PutError::Closed`], and what the queue held
//!   is dropped. When the last putter is gone the getters drain the queue and end.
//! - Each putter has one reserved slot for its last item: [`Putter::finish`] never needs room, takes
//!   effect when the queue is canceled too, and gives the putter up in the same step. The queue
//!   never holds more than its capacity and one item for each putter that has finished.
//! - One put makes its items visible at once, then wakes: one wake for a getter that waits, however
//!   many items came. Wakers are fired by value, with no lock held, and taken back when the future
//!   that left them is dropped.
//!
//! # Life of a waiter
//!
//! ```text
//!               join the line                 served / closed / canceled
//!   newcomer ------------------> waiting ------------------------------> complete
//!      |                            |      (waker taken out, fired after   |
//!      | enough is there,           |       the lock is released)          | polled: leaves the line,
//!      | nobody waits               | dropped: leaves the line;            | takes its answer
//!      v                            | the next one has its turn            v
//!    done                           v                                    done
//!                                  gone <---------------------------------+
//!                                         dropped: what it was granted is the next one's
//! ```
//!
//! # Why no item is lost
//!
//! All state stands under one lock, and an item is always in exactly one place: the caller's hands,
//! the ring, or the items lent by a putter that waits (which is in the caller's hands again when it ends).
//! It moves between them in four places, each under the lock: `fill` and `move_lent` into the ring,
//! `take` and `take_granted` out of it. A grant moves nothing: it only counts items at the front of the
//! ring as promised, so a getter that disappears subtracts its count and the items are where they
//! were, first in line for the next one.
//!
//! # Why no wake is lost
//!
//! Two things are true whenever the lock is free: if a getter waits, every item in the ring is
//! promised; if a putter waits, there is no room, or the first in line has been told of it. Every
//! change of the state ends with `match_waiters`, which restores both and moves the wakers of those it
//! served to a list. A waiter is marked as complete under the same lock under which its waker is taken,
//! and it registers its waker under that lock after it has looked whether it is complete: so either
//! it sees its answer, or its waker is there to be taken. The list is fired after the lock is
//! released; a wake that panics is caught, so that it costs neither the others nor the caller anything.
//!
//! No code of the caller runs under the lock (no drop of an item, no clone, drop or wake of a waker),
//! so it is held for some tens of nanoseconds, cannot be entered twice, and a panic cannot leave it
//! with a state half changed.
//!
//! The models under `models.rs` play these stories in every order of threads that loom finds; a list
//! of deliberate faults is kept that tests and models must notice; a random test holds the queue
//! against a plain description.
//!
//! # When to use it, and when not
//!
//! For items that travel in small batches between a thread and tasks, where the end must always
//! arrive and a slow side must not stop the other. Not for the highest rate between two busy threads,
//! where a lock-free ring is quicker, and not for unbounded buffering. A waiter costs the price of a
//! wake, some microseconds, in every queue; put what belongs together in one put.
//!
//! Nanoseconds on two virtual CPUs (AMD EPYC, Linux 6.18, rustc 1.95), minimum of many rounds in one
//! run; compare within a column. `cargo bench -p outrace-benches --bench queue` makes the table.
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
//! Two allocations in its life at capacity 16: the queue, and its ring with the first item, so that a
//! lookup that fails or is dropped early never pays for a ring. None when a task or thread waits.
//!
//! # In the words of its model
//!
//! It is the queue of Zig's standard library (`std.Io.Queue`), with the same words in Rust's spelling:
//!
//! | there | here |
//! |---|---|
//! | `put(items, min)`, `get(buffer, min)` | [`Putter::put`], [`Getter::get`] |
//! | `putAll`, `putOne`, `getOne` | [`Putter::put_all`], [`Putter::put_one`], [`Getter::get_one`] |
//! | `putUncancelable`, `putOneUncancelable` | [`Putter::put_uncancelable`], [`Putter::put_one_uncancelable`] |
//! | cancelation of the task | [`Putter::cancel`] or [`Getter::cancel`], and dropping the future |
//! | closing, in later versions | [`Putter::close`], [`Getter::close`], the last handle, [`Putter::finish`] |
//!
//! Its first version lost items when a put waited on a full ring, took a full ring for an empty one,
//! forgot `min` once a side waited, left a canceled waiter in the line, and had no end. Each of those
//! is a test here; the ring is std's `VecDeque`, `min` stands with each waiter, and leaving the line is
//! part of drop.

mod get;
#[cfg(all(test, outrace_loom))]
mod models;
mod offer;
mod park;
mod put;
mod put_request;
mod queue;
mod sync;
#[cfg(all(test, not(outrace_loom)))]
mod tests;
mod wait_queue;

use std::sync::Arc;

pub use get::{Get, GetError, GetOne, Getter};
pub use offer::OfferOutcome;
pub use put::{PutError, Putter, Unsent};
pub use put_request::{Put, PutOne};

/// A queue that holds up to `capacity` items, with one handle on each end.
///
/// Capacity 0 is a rendezvous: an item moves only when a getter is there to take it.
pub fn bounded<T>(capacity: usize) -> (Putter<T>, Getter<T>) {
    let queue = Arc::new(queue::Queue::new(capacity));
    (Putter::new(Arc::clone(&queue)), Getter::new(queue))
}
