//! Waiters in order of arrival, and the wakers taken from them.

use std::collections::VecDeque;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

/// Identifies a waiter. Belongs to one handle or future, which removes the waiter when it is
/// dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket(u64);

/// A request that waits, and the waker of its task or thread.
pub(super) struct Waiter<R> {
    ticket: Ticket,
    completed: bool,
    pub(super) waker: Option<Waker>,
    pub(super) request: R,
}

/// Waiters in order of arrival. The first is stored inline: a queue with one waiter on each end
/// allocates nothing for it.
///
/// A completed waiter stays until its owner removes it, and takes the result along. Every waiter in
/// front of `head` is completed; behind it are only those that
/// [`complete_where`](WaitQueue::complete_where) completed out of order.
pub(super) struct WaitQueue<R> {
    first: Option<Waiter<R>>,
    rest: VecDeque<Waiter<R>>,
    head: usize,
    next_ticket: u64,
}

impl<R> WaitQueue<R> {
    pub(super) const fn new() -> Self {
        Self { first: None, rest: VecDeque::new(), head: 0, next_ticket: 0 }
    }

    /// Appends a waiter and returns its ticket.
    pub(super) fn push(&mut self, request: R) -> Ticket {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        let waiter = Waiter { ticket, completed: false, waker: None, request };
        if self.first.is_none() {
            self.first = Some(waiter);
        } else {
            self.rest.push_back(waiter);
        }
        ticket
    }

    /// Returns the first waiter that is not completed.
    pub(super) fn head(&self) -> Option<&Waiter<R>> {
        match self.head {
            0 => self.first.as_ref(),
            index => self.rest.get(index - 1),
        }
    }

    /// Returns the first waiter that is not completed.
    pub(super) fn head_mut(&mut self) -> Option<&mut Waiter<R>> {
        self.at_mut(self.head)
    }

    /// Returns whether another waiter is served before the owner of `ticket`, or before a newcomer
    /// without a ticket.
    pub(super) fn has_waiter_before(&self, ticket: Option<Ticket>) -> bool {
        self.head().is_some_and(|head| Some(head.ticket) != ticket)
    }

    /// Completes the first waiter and moves its waker to `wakes`.
    pub(super) fn complete_head(&mut self, wakes: &mut WakeList) {
        if let Some(head) = self.head_mut() {
            head.completed = true;
            wakes.push(head.waker.take());
            self.skip_complete();
        }
    }

    /// Completes the waiters for which `complete` returns true, wherever they stand, and moves
    /// their wakers to `wakes`.
    pub(super) fn complete_where(
        &mut self,
        wakes: &mut WakeList,
        mut complete: impl FnMut(&mut R) -> bool,
    ) {
        for waiter in self.first.iter_mut().chain(&mut self.rest) {
            if !waiter.completed && complete(&mut waiter.request) {
                waiter.completed = true;
                wakes.push(waiter.waker.take());
            }
        }
        self.skip_complete();
    }

    /// Returns whether the waiter has its result.
    pub(super) fn is_complete(&mut self, ticket: Ticket) -> bool {
        self.waiter_mut(ticket).completed
    }

    /// Returns the waiter with this ticket.
    pub(super) fn waiter_mut(&mut self, ticket: Ticket) -> &mut Waiter<R> {
        let index = self.index(ticket);
        self.at_mut(index).expect("a ticket is valid until its owner removes the waiter")
    }

    /// Removes the waiter with this ticket, completed or not.
    pub(super) fn remove(&mut self, ticket: Ticket) -> Waiter<R> {
        let index = self.index(ticket);
        let waiter = match index {
            0 => mem::replace(&mut self.first, self.rest.pop_front()),
            index => self.rest.remove(index - 1),
        };
        if index < self.head {
            self.head -= 1;
        } else {
            self.skip_complete();
        }
        waiter.expect("a ticket is valid until its owner removes the waiter")
    }

    fn at_mut(&mut self, index: usize) -> Option<&mut Waiter<R>> {
        match index {
            0 => self.first.as_mut(),
            index => self.rest.get_mut(index - 1),
        }
    }

    /// Finds a waiter: tickets grow from front to back.
    fn index(&self, ticket: Ticket) -> usize {
        if self.first.as_ref().is_some_and(|first| first.ticket == ticket) {
            return 0;
        }
        1 + self.rest.partition_point(|waiter| waiter.ticket < ticket)
    }

    fn skip_complete(&mut self) {
        while self.head().is_some_and(|head| head.completed) {
            self.head += 1;
        }
    }
}

/// Wakers taken from waiters under the lock, to be fired after it is released.
///
/// One waker, the common case, needs no allocation.
#[must_use = "a waker that is not fired is a lost wake"]
pub(super) struct WakeList {
    first: Option<Waker>,
    rest: Vec<Waker>,
}

impl WakeList {
    #[inline]
    pub(super) const fn new() -> Self {
        Self { first: None, rest: Vec::new() }
    }

    fn push(&mut self, waker: Option<Waker>) {
        match waker {
            Some(waker) if self.first.is_some() => self.rest.push(waker),
            Some(waker) => self.first = Some(waker),
            None => {}
        }
    }

    /// Adds the waker of a waiter that keeps its place.
    pub(super) fn push_waker_of<R>(&mut self, waiter: &mut Waiter<R>) {
        self.push(waiter.waker.take());
    }

    /// Fires the wakers, in order. Must be called without the lock.
    ///
    /// A waker is code of the task that waits. If it panics, the panic hook has reported it, and
    /// the panic ends here: the other waiters must be woken, and the caller may have an item in its
    /// hands or be in the middle of a drop.
    #[inline]
    pub(super) fn fire(self) {
        for waker in self.first.into_iter().chain(self.rest) {
            drop(catch_unwind(AssertUnwindSafe(|| waker.wake())));
        }
    }

    /// Leaves the firing to the caller.
    pub(super) fn append_to(mut self, wakes: &mut Vec<Waker>) {
        wakes.extend(self.first.take());
        wakes.append(&mut self.rest);
    }
}
