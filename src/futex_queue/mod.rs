//! The bounded queue between threads and tasks.
//!
//! Either end may be a task (a future that is polled), a thread that blocks (parked on a futex), or a
//! thread that must never wait (a try form). Any number of putters and getters.
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

mod get;
mod line;
#[cfg(all(test, outrace_loom))]
mod models;
mod offer;
mod park;
mod put;
mod putting;
mod queue;
mod sync;
#[cfg(all(test, not(outrace_loom)))]
mod tests;

use std::sync::Arc;

pub use get::{Get, GetError, GetOne, Getter};
pub use offer::Offer;
pub use put::{PutError, Putter, Unsent};
pub use putting::{Put, PutOne};

use queue::Shared;

/// A queue that holds up to `capacity` items, with one handle on each end.
///
/// Capacity 0 is a rendezvous: an item moves only when a getter is there to take it.
pub fn bounded<T>(capacity: usize) -> (Putter<T>, Getter<T>) {
    let shared = Arc::new(Shared::new(capacity));
    (Putter::new(Arc::clone(&shared)), Getter::new(shared))
}
