//! Ends: closed, canceled, finished, dropped, too late. No item is lost in any of them.

use std::cell::Cell;
use std::collections::VecDeque;
use std::future::Future;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::{Task, drain};
use crate::futex_queue::{GetError, Getter, PutError, Putter, Unsent, bounded};

#[test]
fn a_put_of_nothing_returns_at_once_even_when_closed() {
    let (mut putter, getter) = bounded::<u8>(1);
    drop(getter);
    assert_eq!(Task::new(putter.put_all(&mut VecDeque::new())).poll(), Poll::Ready(Ok(0)));
}

#[test]
fn a_getter_dropped_after_its_grant_passes_it_on() {
    let (mut putter, mut first) = bounded(4);
    let mut second = first.clone();
    let mut buf = Vec::new();
    let mut get = Task::new(first.get(&mut buf, 3, 1));
    assert!(get.poll().is_pending());
    let mut next = Task::new(second.get_one());
    assert!(next.poll().is_pending());
    assert_eq!(putter.try_put(&mut VecDeque::from([1, 2, 3])), Ok(3));
    assert_eq!((get.wakes(), next.wakes()), (1, 0));
    drop(get);
    assert!(buf.is_empty());
    assert_eq!((next.wakes(), next.poll()), (1, Poll::Ready(Some(1))));
    drop(next);
    assert_eq!(drain(&mut second), [2, 3]);
}

#[test]
fn a_getter_dropped_while_it_waits_passes_on_its_grant() {
    let (mut putter, mut first) = bounded(4);
    let mut second = first.clone();
    let mut buf = Vec::new();
    let mut get = Task::new(first.get(&mut buf, 3, 3));
    assert!(get.poll().is_pending());
    let mut next = Task::new(second.get_one());
    assert!(next.poll().is_pending());
    assert_eq!(putter.try_put(&mut VecDeque::from([1, 2])), Ok(2));
    assert_eq!(next.wakes(), 0, "the first getter needs more, and keeps its turn");
    drop(get);
    assert_eq!((next.wakes(), next.poll()), (1, Poll::Ready(Some(1))));
}

#[test]
fn at08_a_get_that_is_leaked_gives_way_when_its_getter_is_used_or_dropped() {
    let (mut putter, mut first) = bounded(2);
    let mut second = first.clone();
    let leak = |getter: &mut Getter<u8>| {
        let mut buf = Vec::new();
        let mut get = ManuallyDrop::new(getter.get(&mut buf, 2, 2));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut *get).poll(&mut cx).is_pending());
    };
    leak(&mut first);
    let mut next = Task::new(second.get_one());
    assert!(next.poll().is_pending());
    putter.try_put_one(1).unwrap();
    assert_eq!(next.wakes(), 0, "the leaked get keeps its turn");
    let mut buf = Vec::new();
    let mut get = Task::new(first.get(&mut buf, 1, 1));
    assert_eq!(next.wakes(), 1, "its getter is used again");
    assert_eq!(next.poll(), Poll::Ready(Some(1)));
    assert!(get.poll().is_pending());
    drop((get, next));
    leak(&mut first);
    let mut next = Task::new(second.get_one());
    assert!(next.poll().is_pending());
    putter.try_put_one(2).unwrap();
    drop(first);
    assert_eq!((next.wakes(), next.poll()), (1, Poll::Ready(Some(2))));
}

#[test]
fn at08_a_put_that_is_leaked_is_carried_out() {
    let (mut putter, mut getter) = bounded(1);
    let mut other = putter.clone();
    {
        let mut items = VecDeque::from([1, 2, 3]);
        let mut put = ManuallyDrop::new(putter.put_all(&mut items));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut *put).poll(&mut cx).is_pending());
    }
    let mut next = Task::new(other.put_one(4));
    assert!(next.poll().is_pending());
    assert_eq!(drain(&mut getter), [1, 2, 3, 4]);
    assert_eq!((next.wakes(), next.poll()), (1, Poll::Ready(Ok(()))));
}

#[test]
fn b43_a_put_dropped_half_way_gives_back_the_rest() {
    let (mut putter, mut getter) = bounded(1);
    let mut second = putter.clone();
    let mut items = VecDeque::from([1, 2, 3]);
    let mut put = Task::new(putter.put_all(&mut items));
    assert!(put.poll().is_pending());
    assert_eq!(getter.try_get_one(), Ok(1));
    let mut next = Task::new(second.put_one(4));
    assert!(next.poll().is_pending());
    drop(put);
    assert_eq!(items, [3], "1 is delivered, 2 is in the queue");
    assert_eq!(getter.try_get_one(), Ok(2));
    assert_eq!((next.wakes(), next.poll()), (1, Poll::Ready(Ok(()))), "the next putter's turn");
}

#[test]
fn closing_lets_getters_drain() {
    for by_getter in [true, false] {
        let (mut putter, mut getter) = bounded(2);
        let other = putter.clone();
        let mut items = VecDeque::from([1, 2, 3]);
        let mut put = Task::new(putter.put_all(&mut items));
        assert!(put.poll().is_pending());
        if by_getter {
            getter.close();
        } else {
            other.close();
        }
        assert_eq!((put.wakes(), put.poll()), (1, Poll::Ready(Err(PutError::Closed))));
        drop(put);
        assert_eq!(items, [3]);
        assert_eq!(putter.try_put_one(4), Err(Unsent { item: 4, cause: PutError::Closed }));
        let mut buf = Vec::new();
        assert_eq!(Task::new(getter.get(&mut buf, 9, 5)).poll(), Poll::Ready(Ok(2)));
        assert_eq!(
            Task::new(getter.get(&mut buf, 9, 5)).poll(),
            Poll::Ready(Err(GetError::Closed))
        );
        assert_eq!(getter.try_get_one(), Err(GetError::Closed));
    }
}

#[test]
fn the_last_putter_gone_ends_every_getter() {
    let (putter, mut first) = bounded::<u8>(2);
    let mut second = first.clone();
    let other = putter.clone();
    let mut first = Task::new(first.get_one());
    let mut second = Task::new(second.get_one());
    assert!(first.poll().is_pending());
    assert!(second.poll().is_pending());
    drop(putter);
    assert_eq!((first.wakes(), second.wakes()), (0, 0), "one putter is left");
    drop(other);
    assert_eq!((first.wakes(), second.wakes()), (1, 1));
    assert_eq!(first.poll(), Poll::Ready(None));
    assert_eq!(second.poll(), Poll::Ready(None));
}

#[test]
fn the_queue_ends_when_every_promised_item_is_taken() {
    let (putter, mut first) = bounded(1);
    let (mut second, mut third) = (first.clone(), first.clone());
    let mut first = Task::new(first.get_one());
    let mut second = Task::new(second.get_one());
    assert!(first.poll().is_pending());
    assert!(second.poll().is_pending());
    putter.finish(1).unwrap();
    assert_eq!((first.wakes(), second.wakes()), (1, 0), "the first getter may still pass it on");
    assert_eq!(third.try_get_one(), Err(GetError::Empty));
    drop(first);
    assert_eq!((second.wakes(), second.poll()), (1, Poll::Ready(Some(1))));
    assert_eq!(third.try_get_one(), Err(GetError::Closed));
}

#[test]
fn the_last_getter_gone_fails_every_put_with_its_items() {
    let (mut first, getter) = bounded(1);
    let mut second = first.clone();
    let other = getter.clone();
    let mut items = VecDeque::from([1, 2]);
    let mut first = Task::new(first.put_all_uncancelable(&mut items));
    let mut second = Task::new(second.put_one(3));
    assert!(first.poll().is_pending());
    assert!(second.poll().is_pending());
    drop(getter);
    assert_eq!((first.wakes(), second.wakes()), (0, 0), "one getter is left");
    drop(other);
    assert_eq!((first.wakes(), first.poll()), (1, Poll::Ready(Err(PutError::Closed))));
    let unsent = Unsent { item: 3, cause: PutError::Closed };
    assert_eq!((second.wakes(), second.poll()), (1, Poll::Ready(Err(unsent))));
    drop(first);
    assert_eq!(items, [2]);
}

#[test]
fn cancel_fails_cancelable_puts_only() {
    let (mut first, mut getter) = bounded(1);
    let (mut second, mut third) = (first.clone(), first.clone());
    first.try_put_one(0).unwrap();
    let mut items = VecDeque::from([1]);
    let mut cancelable = Task::new(first.put_all(&mut items));
    assert!(cancelable.poll().is_pending());
    let mut uncancelable = Task::new(second.put_one_uncancelable(2));
    assert!(uncancelable.poll().is_pending());
    getter.cancel();
    assert_eq!((cancelable.wakes(), uncancelable.wakes()), (1, 0));
    assert_eq!(cancelable.poll(), Poll::Ready(Err(PutError::Canceled)));
    drop(cancelable);
    assert_eq!(items, [1]);
    assert_eq!(third.try_put(&mut items), Err(PutError::Canceled));
    assert!(third.is_canceled() && !third.is_closed());
    assert_eq!(getter.try_get_one(), Ok(0), "gets go on");
    assert_eq!((uncancelable.wakes(), uncancelable.poll()), (1, Poll::Ready(Ok(()))));
    drop(uncancelable);
    third.finish(3).unwrap();
    assert_eq!(drain(&mut getter), [2, 3]);
}

#[test]
fn b08_the_last_item_needs_no_room_and_closes_in_the_same_step() {
    for capacity in [0, 1] {
        let (mut first, mut getter) = bounded(capacity);
        let second = first.clone();
        let mut items = VecDeque::from([1]);
        assert_eq!(first.try_put(&mut items), Ok(capacity));
        first.finish(2).unwrap();
        assert_eq!(getter.try_get_one(), Ok(2 - capacity), "in order");
        second.finish(3).unwrap();
        let mut buf = Vec::new();
        assert_eq!(getter.blocking_get(&mut buf, 9, 9, None), Ok(1 + capacity));
        assert_eq!(buf.last(), Some(&3));
        assert_eq!(getter.blocking_get_one(None), Err(GetError::Closed));
    }
}

#[test]
fn the_last_item_comes_back_when_no_getter_is_left() {
    let (putter, getter) = bounded(1);
    drop(getter);
    assert_eq!(putter.finish(7), Err(Unsent { item: 7, cause: PutError::Closed }));
}

#[test]
fn a_deadline_ends_a_blocking_call_and_nothing_is_lost() {
    let (mut putter, mut getter) = bounded(2);
    let soon = || Instant::now() + Duration::from_millis(1);
    assert_eq!(getter.blocking_get_one(soon()), Err(GetError::DeadlinePassed));
    let mut items = VecDeque::from([1, 2, 3]);
    assert_eq!(putter.blocking_put_all(&mut items, soon()), Err(PutError::DeadlinePassed));
    assert_eq!(items, [3]);
    let unsent = Unsent { item: 4, cause: PutError::DeadlinePassed };
    assert_eq!(putter.blocking_put_one(4, soon()), Err(unsent));
    let mut buf = Vec::new();
    assert_eq!(getter.blocking_get(&mut buf, 9, 3, soon()), Err(GetError::DeadlinePassed));
    assert!(buf.is_empty());
    assert_eq!(getter.blocking_get(&mut buf, 9, 2, soon()), Ok(2));
    assert_eq!(getter.blocking_get_one(Instant::now()), Err(GetError::DeadlinePassed));
}

#[test]
fn items_left_in_the_queue_are_dropped_with_the_last_getter_after_the_lock_is_released() {
    let drops = Cell::new(0);
    let (mut putter, getter) = bounded(4);
    for _ in 0..3 {
        putter.try_put_one(Noisy { drops: &drops, panics: false, putter: None }).unwrap();
    }
    // The drop of this one uses the queue, and panics.
    let other = Some(putter.clone());
    putter.try_put_one(Noisy { drops: &drops, panics: true, putter: other }).unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| drop(getter))).is_err());
    assert_eq!(drops.get(), 4);
    let item = Noisy { drops: &drops, panics: false, putter: None };
    assert_eq!(putter.try_put_one(item).map_err(|unsent| unsent.cause), Err(PutError::Closed));
    assert_eq!(drops.get(), 5);
}

/// An item that counts its drops, may use the queue then, and may panic.
struct Noisy<'a> {
    drops: &'a Cell<usize>,
    panics: bool,
    putter: Option<Putter<Noisy<'a>>>,
}

impl Drop for Noisy<'_> {
    fn drop(&mut self) {
        self.drops.set(self.drops.get() + 1);
        if let Some(putter) = self.putter.take() {
            assert!(putter.queue.try_lock().is_some(), "dropped with the lock held");
        }
        assert!(!self.panics, "a drop that panics");
    }
}
