//! A thread as a [`Waker`], so that the queue has only one kind of waiter.
//!
//! `park` and `unpark` are a futex on Linux, and its equivalent elsewhere. `unpark` leaves a token
//! behind, so that a wake between the last poll and the sleep is not lost.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

use super::sync::{Thread, current, park, park_timeout, thread_local};

struct Parked(Thread);

impl Wake for Parked {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

fn new_waker() -> Waker {
    Waker::from(Arc::new(Parked(current())))
}

thread_local! {
    /// Allocated once in the life of a thread, not each time it parks.
    static WAKER: Waker = new_waker();
}

/// Runs the future on this thread, which sleeps while the future is pending.
///
/// Returns `None` when the deadline passed first. The future is polled once more at the deadline,
/// so that an item that came in time is not missed, and is dropped before this function returns.
pub(super) fn block_on<F: Future>(future: F, deadline: Option<Instant>) -> Option<F::Output> {
    // The destructor of another thread-local may use a queue after this one is gone.
    let waker = WAKER.try_with(Waker::clone).unwrap_or_else(|_| new_waker());
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        // The clock is read before the poll, so that a wake between the two is not taken for late.
        let rest = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return Some(output);
        }
        match rest {
            None => park(),
            Some(rest) if rest.is_zero() => return None,
            Some(rest) => park_timeout(rest),
        }
    }
}
