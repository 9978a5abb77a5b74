//! A line of waiters, served in the order in which they came; and the wakers taken from it.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

/// A place in one line. It belongs to one future or handle, which leaves the line when it is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket(u64);

/// One waiter: what it asked for, and whom to wake.
pub(super) struct Waiter<A> {
    ticket: Ticket,
    completed: bool,
    pub(super) waker: Option<Waker>,
    pub(super) request: A,
}

/// Waiters in order. The first stands inline: a queue with one waiter a side allocates nothing for it.
///
/// Settled waiters have their answer and stay until they fetch it. Everybody in front of `head` is
/// settled; behind it only those are whom [`settle_all`](WaitQueue::complete_where) picked out of the order.
pub(super) struct WaitQueue<A> {
    first: Option<Waiter<A>>,
    rest: VecDeque<Waiter<A>>,
    head: usize,
    next_ticket: u64,
}

impl<A> WaitQueue<A> {
    pub(super) const fn new() -> Self {
        Self { first: None, rest: VecDeque::new(), head: 0, next_ticket: 0 }
    }

    /// The end of the line is yours.
    pub(super) fn push(&mut self, request: A) -> Ticket {
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

    /// The one whose turn it is.
    pub(super) fn head(&self) -> Option<&Waiter<A>> {
        match self.head {
            0 => self.first.as_ref(),
            index => self.rest.get(index - 1),
        }
    }

    /// The one whose turn it is.
    pub(super) fn head_mut(&mut self) -> Option<&mut Waiter<A>> {
        self.at_mut(self.head)
    }

    /// Whether somebody waits, apart from the holder of `ticket` when its turn has come.
    pub(super) fn has_waiter_before(&self, ticket: Option<Ticket>) -> bool {
        self.head().is_some_and(|head| Some(head.ticket) != ticket)
    }

    /// The head has its answer: it is woken, and the next one is the head.
    pub(super) fn complete_head(&mut self, wakes: &mut WakeList) {
        if let Some(head) = self.head_mut() {
            head.completed = true;
            wakes.push(head.waker.take());
            self.skip_complete();
        }
    }

    /// All those of whom `answer` says yes have their answer, wherever they stand.
    pub(super) fn complete_where(
        &mut self,
        wakes: &mut WakeList,
        mut answer: impl FnMut(&mut A) -> bool,
    ) {
        for waiter in self.first.iter_mut().chain(&mut self.rest) {
            if !waiter.completed && answer(&mut waiter.request) {
                waiter.completed = true;
                wakes.push(waiter.waker.take());
            }
        }
        self.skip_complete();
    }

    /// Whether the holder of the ticket has its answer.
    pub(super) fn is_complete(&mut self, ticket: Ticket) -> bool {
        self.waiter_mut(ticket).completed
    }

    /// The holder of the ticket.
    pub(super) fn waiter_mut(&mut self, ticket: Ticket) -> &mut Waiter<A> {
        let index = self.index(ticket);
        self.at_mut(index).expect("a ticket is valid until its holder leaves the line")
    }

    /// The holder of the ticket steps out of the line, settled or not.
    pub(super) fn remove(&mut self, ticket: Ticket) -> Waiter<A> {
        let index = self.index(ticket);
        let waiter = match index {
            0 => std::mem::replace(&mut self.first, self.rest.pop_front()),
            index => self.rest.remove(index - 1),
        };
        if index < self.head {
            self.head -= 1;
        } else {
            self.skip_complete();
        }
        waiter.expect("a ticket is valid until its holder leaves the line")
    }

    fn at_mut(&mut self, index: usize) -> Option<&mut Waiter<A>> {
        match index {
            0 => self.first.as_mut(),
            index => self.rest.get_mut(index - 1),
        }
    }

    /// Tickets only ever grow along the line.
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

/// Wakers taken from a line under the lock, fired by value when it is released.
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

    /// Wakes a waiter that keeps its place.
    pub(super) fn push_waker_of<A>(&mut self, waiter: &mut Waiter<A>) {
        self.push(waiter.waker.take());
    }

    /// Wakes each waiter, in order. Must be called without the lock.
    ///
    /// A waker is code of the task that waits. If it panics, the panic hook has reported it, and it
    /// goes no further: neither the other waiters nor the caller, which may have an item in its
    /// hands or be in the middle of a drop, may suffer for it.
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
