//! A thread as a [`Waker`], so that the queue knows one kind of waiter only.
//!
//! `park` and `unpark` are a futex on Linux, and the like of it elsewhere. The token that `unpark`
//! leaves behind is what makes a wake between the last poll and the sleep impossible to miss.

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
    /// One allocation in the life of a thread, not one each time it parks.
    static WAKER: Waker = new_waker();
}

/// Runs the future on this thread, which sleeps while it is pending.
///
/// `None`: the deadline passed first. The future is polled once more at the deadline, so that what
/// arrived in time is not missed, and is dropped before this function returns.
pub(super) fn block_on<F: Future>(future: F, deadline: Option<Instant>) -> Option<F::Output> {
    // A destructor of another thread-local may well use a queue after this one is gone.
    let waker = WAKER.try_with(Waker::clone).unwrap_or_else(|_| new_waker());
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        // The clock is read before the poll, or a wake between the two would count as too late.
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
