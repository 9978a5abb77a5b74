//! [`Timer`]: the clock of a race, and how it waits.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

/// The clock of a race, for runtimes other than Tokio: see [`Racing::timer`](super::Racing::timer).
///
/// ```
/// use std::time::Instant;
/// use outrace::happy_eyeballs::Timer;
///
/// struct SmolTimer;
///
/// impl Timer for SmolTimer {
///     type Sleep = smol::Timer;
///
///     fn sleep_until(&self, deadline: Instant) -> smol::Timer {
///         smol::Timer::at(deadline)
///     }
/// }
/// # // What this takes of smol.
/// # mod smol {
/// #     pub struct Timer;
/// #     impl Timer { pub fn at(_: std::time::Instant) -> Self { Self } }
/// #     impl std::future::Future for Timer {
/// #         type Output = std::time::Instant;
/// #         fn poll(
/// #             self: std::pin::Pin<&mut Self>, _: &mut std::task::Context<'_>,
/// #         ) -> std::task::Poll<std::time::Instant> {
/// #             std::task::Poll::Pending
/// #         }
/// #     }
/// # }
/// ```
pub trait Timer {
    /// A wait. It is not polled again once it is ready, and its output is ignored.
    type Sleep: Future;

    /// The present. Default: [`Instant::now`]. What races learn of addresses is dated by it, so
    /// timers of races with the same options should agree on it.
    fn now(&self) -> Instant {
        Instant::now()
    }

    /// Waits until [`now`](Self::now) has reached `deadline`. A wait that ends early does no harm.
    fn sleep_until(&self, deadline: Instant) -> Self::Sleep;

    /// Changes the deadline of a wait. Default: puts a new one in its place.
    fn reset(&self, mut sleep: Pin<&mut Self::Sleep>, deadline: Instant) {
        sleep.set(self.sleep_until(deadline));
    }
}

/// Tokio's clock, which tests can pause. Waits need a runtime with time enabled.
#[derive(Clone, Copy, Debug, Default)]
pub struct TokioTimer;

impl Timer for TokioTimer {
    type Sleep = tokio::time::Sleep;

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }

    fn sleep_until(&self, deadline: Instant) -> Self::Sleep {
        tokio::time::sleep_until(deadline.into())
    }

    fn reset(&self, sleep: Pin<&mut Self::Sleep>, deadline: Instant) {
        sleep.reset(deadline.into());
    }
}

/// The one wait of a race. It is made when it is first needed: a race that its first address wins has
/// none.
pub(super) struct RaceWait<T: Timer> {
    sleep: Option<Pin<Box<T::Sleep>>>,
    /// Of `sleep`; `None` once it was ready.
    deadline: Option<Instant>,
}

impl<T: Timer> RaceWait<T> {
    pub(super) fn new() -> Self {
        Self { sleep: None, deadline: None }
    }

    /// Ready once `deadline` has passed by the race's timer, which is always the same.
    pub(super) fn poll(
        &mut self,
        timer: &T,
        deadline: Option<Instant>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let Some(deadline) = deadline else { return Poll::Pending };
        let is_new = self.deadline.replace(deadline) != Some(deadline);
        let sleep = match &mut self.sleep {
            Some(sleep) => {
                if is_new {
                    timer.reset(sleep.as_mut(), deadline);
                }
                sleep
            }
            none => none.insert(Box::pin(timer.sleep_until(deadline))),
        };
        sleep.as_mut().poll(cx).map(|_| self.deadline = None)
    }
}

impl<T: Timer> fmt::Debug for RaceWait<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RaceWait").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}
