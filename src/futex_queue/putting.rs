//! A put under way: the futures of [`Putter`].

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use super::line::{Ticket, Wakes};
use super::park::block_on;
use super::put::{PutError, Putter, Unsent};
use super::queue::{Items, Putting, renew};

/// The future of [`Putter::put`] and its like.
#[must_use = "futures do nothing unless polled"]
pub struct Put<'a, T> {
    wait: Wait<'a, T>,
    items: &'a mut VecDeque<T>,
    min: usize,
}

impl<'a, T> Put<'a, T> {
    pub(super) fn new(wait: Wait<'a, T>, items: &'a mut VecDeque<T>, min: usize) -> Self {
        Self { wait, items, min }
    }
}

impl<T> Future for Put<'_, T> {
    type Output = Result<usize, PutError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { wait, items, min } = self.get_mut();
        wait.poll(*items, *min, cx.waker())
    }
}

impl<T> Drop for Put<'_, T> {
    fn drop(&mut self) {
        self.wait.stop(self.items);
    }
}

impl<T> fmt::Debug for Put<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Put").field("min", &self.min).finish_non_exhaustive()
    }
}

/// The future of [`Putter::put_one`] and its like.
#[must_use = "futures do nothing unless polled"]
pub struct PutOne<'a, T> {
    wait: Wait<'a, T>,
    item: Option<T>,
}

// The item is only ever moved, never pinned.
impl<T> Unpin for PutOne<'_, T> {}

impl<'a, T> PutOne<'a, T> {
    pub(super) fn new(wait: Wait<'a, T>, item: T) -> Self {
        Self { wait, item: Some(item) }
    }

    pub(super) fn blocking(mut self, deadline: Option<Instant>) -> Result<(), Unsent<T>> {
        if let Some(result) = block_on(&mut self, deadline) {
            return result;
        }
        self.wait.stop(&mut self.item);
        // Gone if a getter took it while the put gave up: then it was put in time.
        self.item
            .take()
            .map_or(Ok(()), |item| Err(Unsent { item, cause: PutError::DeadlinePassed }))
    }
}

impl<T> Future for PutOne<'_, T> {
    type Output = Result<(), Unsent<T>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { wait, item } = self.get_mut();
        wait.poll(item, 1, cx.waker()).map(|result| match (result, item.take()) {
            (Err(cause), Some(item)) => Err(Unsent { item, cause }),
            _ => Ok(()),
        })
    }
}

impl<T> Drop for PutOne<'_, T> {
    fn drop(&mut self) {
        self.wait.stop(&mut self.item);
    }
}

impl<T> fmt::Debug for PutOne<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PutOne").finish_non_exhaustive()
    }
}

/// A put under way, apart from its items.
pub(super) struct Wait<'a, T> {
    putter: &'a Putter<T>,
    place: Option<Ticket>,
    cancelable: bool,
}

impl<'a, T> Wait<'a, T> {
    pub(super) fn new(putter: &'a Putter<T>, cancelable: bool) -> Self {
        Self { putter, place: None, cancelable }
    }

    /// One poll.
    pub(super) fn poll<I: Items<T>>(
        &mut self,
        items: &mut I,
        min: usize,
        waker: &Waker,
    ) -> Poll<Result<usize, PutError>> {
        let mut clone = None;
        loop {
            let mut woken = Wakes::new();
            let mut state = self.putter.shared.lock();
            let ticket = if let Some(ticket) = self.place {
                ticket
            } else {
                if items.count() == 0 {
                    return Poll::Ready(Ok(0));
                }
                if self.putter.finished {
                    return Poll::Ready(Err(PutError::Closed));
                }
                let moved = match state.put(items, self.cancelable, &mut woken) {
                    Err(cause) => return Poll::Ready(Err(cause)),
                    Ok(moved) => moved,
                };
                if moved >= min {
                    drop(state);
                    woken.fire();
                    return Poll::Ready(Ok(moved));
                }
                let ticket = state.putters.join(Putting {
                    parcel: items.lend(),
                    min,
                    moved,
                    cancelable: self.cancelable,
                    outcome: Ok(()),
                });
                *self.place.insert(ticket)
            };
            if state.putters.is_settled(ticket) {
                self.place = None;
                let left = state.putters.leave(ticket);
                drop(state);
                items.take_back(left.ask.parcel);
                return Poll::Ready(left.ask.outcome.map(|()| left.ask.moved));
            }
            let renewed = renew(&mut state.putters.waiter_mut(ticket).waker, waker, &mut clone);
            drop(state);
            woken.fire();
            match renewed {
                Ok(_replaced) => return Poll::Pending,
                Err(()) => clone = Some(waker.clone()),
            }
        }
    }

    /// Leaves the line, with the items that did not move.
    fn stop<I: Items<T>>(&mut self, items: &mut I) {
        if let Some(ticket) = self.place.take() {
            let (left, woken) = self.putter.shared.leave_putters(ticket);
            // First the items, for a wake may panic.
            items.take_back(left.ask.parcel);
            woken.fire();
        }
    }
}
