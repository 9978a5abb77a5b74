//! The futures of [`Putter`].

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use super::error::{PutError, Unsent};
use super::park::block_on;
use super::put::Putter;
use super::queue::update_waker;
use super::request::{Items, PutRequest};
use super::wait_queue::{Ticket, WakeList};

/// The future of [`Putter::put`], [`Putter::put_all`] and their uncancelable forms.
///
/// Dropping it moves every item that the queue has not used back into the caller's `items`, in
/// order.
#[must_use = "futures do nothing unless polled"]
pub struct Put<'a, T> {
    pending: PendingPut<'a, T>,
    items: &'a mut VecDeque<T>,
    min: usize,
}

impl<'a, T> Put<'a, T> {
    pub(super) fn new(pending: PendingPut<'a, T>, items: &'a mut VecDeque<T>, min: usize) -> Self {
        Self { pending, items, min }
    }
}

impl<T> Future for Put<'_, T> {
    type Output = Result<usize, PutError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { pending, items, min } = self.get_mut();
        pending.poll(*items, *min, cx.waker())
    }
}

impl<T> Drop for Put<'_, T> {
    fn drop(&mut self) {
        self.pending.withdraw(self.items);
    }
}

impl<T> fmt::Debug for Put<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Put").field("min", &self.min).finish_non_exhaustive()
    }
}

/// The future of [`Putter::put_one`] and its uncancelable form.
///
/// Dropping it before it is ready drops the item, unless a getter has taken it.
#[must_use = "futures do nothing unless polled"]
pub struct PutOne<'a, T> {
    pending: PendingPut<'a, T>,
    item: Option<T>,
}

// The item is moved, never pinned.
impl<T> Unpin for PutOne<'_, T> {}

impl<'a, T> PutOne<'a, T> {
    pub(super) fn new(pending: PendingPut<'a, T>, item: T) -> Self {
        Self { pending, item: Some(item) }
    }

    /// Blocks until the item has moved, the put fails, or the deadline passes.
    pub(super) fn blocking(mut self, deadline: Option<Instant>) -> Result<(), Unsent<T>> {
        if let Some(result) = block_on(&mut self, deadline) {
            return result;
        }
        self.pending.withdraw(&mut self.item);
        // If a getter took the item while the put gave up, it was put in time.
        self.item
            .take()
            .map_or(Ok(()), |item| Err(Unsent { item, cause: PutError::DeadlinePassed }))
    }
}

impl<T> Future for PutOne<'_, T> {
    type Output = Result<(), Unsent<T>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { pending, item } = self.get_mut();
        pending.poll(item, 1, cx.waker()).map(|result| match (result, item.take()) {
            (Err(cause), Some(item)) => Err(Unsent { item, cause }),
            _ => Ok(()),
        })
    }
}

impl<T> Drop for PutOne<'_, T> {
    fn drop(&mut self) {
        self.pending.withdraw(&mut self.item);
    }
}

impl<T> fmt::Debug for PutOne<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PutOne").finish_non_exhaustive()
    }
}

/// A put in progress, apart from its items.
pub(super) struct PendingPut<'a, T> {
    putter: &'a Putter<T>,
    ticket: Option<Ticket>,
    cancelable: bool,
}

impl<'a, T> PendingPut<'a, T> {
    pub(super) fn new(putter: &'a Putter<T>, cancelable: bool) -> Self {
        Self { putter, ticket: None, cancelable }
    }

    /// Polls the put: moves items while there is room, then waits with a request.
    pub(super) fn poll<I: Items<T>>(
        &mut self,
        items: &mut I,
        min: usize,
        waker: &Waker,
    ) -> Poll<Result<usize, PutError>> {
        let mut clone = None;
        loop {
            let mut woken = WakeList::new();
            let mut state = self.putter.queue.lock();
            let ticket = if let Some(ticket) = self.ticket {
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
                let ticket = state.putters.push(PutRequest {
                    lent: items.lend(),
                    min,
                    moved,
                    cancelable: self.cancelable,
                    outcome: Ok(()),
                });
                *self.ticket.insert(ticket)
            };
            if state.putters.is_complete(ticket) {
                self.ticket = None;
                let removed = state.putters.remove(ticket);
                drop(state);
                items.take_back(removed.request.lent);
                return Poll::Ready(removed.request.outcome.map(|()| removed.request.moved));
            }
            let renewed =
                update_waker(&mut state.putters.waiter_mut(ticket).waker, waker, &mut clone);
            drop(state);
            woken.fire();
            match renewed {
                Ok(_replaced) => return Poll::Pending,
                Err(()) => clone = Some(waker.clone()),
            }
        }
    }

    /// Removes the request, and takes back the items that did not move.
    fn withdraw<I: Items<T>>(&mut self, items: &mut I) {
        if let Some(ticket) = self.ticket.take() {
            let (removed, woken) = self.putter.queue.remove_put(ticket);
            items.take_back(removed.request.lent);
            woken.fire();
        }
    }
}
