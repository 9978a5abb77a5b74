//! Wakers: when they are fired, replaced and dropped.

use std::cell::Cell;
use std::collections::VecDeque;
use std::future::Future;
use std::marker::PhantomPinned;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use super::{Counter, Task, drain, fire, poll};
use crate::futex_queue::queue::Queue;
use crate::futex_queue::{GetError, OfferOutcome, Putter, bounded};

#[test]
fn one_wake_for_one_getter_however_many_items_came() {
    let (mut putter, mut getter) = bounded(16);
    let mut task = Task::new(getter.get_one());
    assert!(task.poll().is_pending());
    let mut woken = Vec::new();
    let outcome = putter.offer_last(&mut (0..6).collect(), &mut Some(6), Waker::noop(), &mut woken);
    assert_eq!((outcome, woken.len(), task.wakes()), (OfferOutcome::Taken, 1, 0));
    fire(woken);
    assert_eq!((task.wakes(), task.poll()), (1, Poll::Ready(Some(0))));
    drop(task);
    assert_eq!(drain(&mut getter), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn the_waker_is_replaced_when_the_task_moved_and_taken_back_when_the_future_is_dropped() {
    let (mut putter, mut getter) = bounded::<u8>(1);
    let (old, new) = (Counter::new(), Counter::new());
    {
        let mut get = pin!(getter.get_one());
        assert!(poll(get.as_mut(), &old).is_pending());
        assert!(poll(get.as_mut(), &new).is_pending());
        assert_eq!((Arc::strong_count(&old), Arc::strong_count(&new)), (1, 2));
        putter.try_put_one(1).unwrap();
        assert_eq!((old.count(), new.count()), (0, 1));
        assert_eq!(poll(get.as_mut(), &new), Poll::Ready(Some(1)));
    }
    putter.try_put_one(2).unwrap();
    {
        let mut put = pin!(putter.put_one(3));
        assert!(poll(put.as_mut(), &old).is_pending());
        assert!(poll(put.as_mut(), &new).is_pending());
        assert_eq!((Arc::strong_count(&old), Arc::strong_count(&new)), (1, 2));
    }
    assert_eq!(Arc::strong_count(&new), 1, "the queue keeps no task alive");
}

#[test]
fn poll_get_one_keeps_its_turn_and_other_gets_give_it_up() {
    let (mut putter, mut getter) = bounded(2);
    let mut other = getter.clone();
    let task = Counter::new();
    let waker = Waker::from(Arc::clone(&task));
    let mut cx = Context::from_waker(&waker);
    assert!(getter.poll_get_one(&mut cx).is_pending());
    assert!(other.poll_get_one(&mut cx).is_pending());
    assert!(getter.poll_get_one(&mut cx).is_pending());
    putter.try_put_one(1).unwrap();
    assert_eq!(
        getter.try_get_one(),
        Err(GetError::Empty),
        "its turn, and so its item, was given up"
    );
    assert_eq!(other.poll_get_one(&mut cx), Poll::Ready(Some(1)));
    assert!(getter.poll_get_one(&mut cx).is_pending());
    drop(getter);
    drop(waker);
    assert_eq!(Arc::strong_count(&task), 1);
    putter.finish(2).unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    assert_eq!(other.poll_get_one(&mut cx), Poll::Ready(Some(2)));
    assert_eq!(other.poll_get_one(&mut cx), Poll::Ready(None));
    assert_eq!(other.poll_get_one(&mut cx), Poll::Ready(None));
}

#[test]
fn poll_closed_is_woken_by_cancel_and_by_the_last_getter() {
    let (mut putter, getter) = bounded::<u8>(1);
    let task = Counter::new();
    let waker = Waker::from(Arc::clone(&task));
    let mut cx = Context::from_waker(&waker);
    assert!(putter.poll_closed(&mut cx).is_pending());
    getter.cancel();
    assert_eq!(task.count(), 1);
    assert!(putter.poll_closed(&mut cx).is_pending(), "canceled is not closed");
    assert!(putter.is_canceled());
    drop(getter);
    assert_eq!(task.count(), 2);
    assert_eq!(putter.poll_closed(&mut cx), Poll::Ready(()));
    assert!(putter.is_closed());
    drop(putter);
    drop(waker);
    assert_eq!(Arc::strong_count(&task), 1);
}

#[test]
fn wakers_are_fired_and_dropped_with_no_lock_held() {
    let (mut putter, mut getter) = bounded::<u8>(1);
    let used = Arc::new(AtomicUsize::new(0));
    let new = |putter: &Putter<u8>| {
        Waker::from(Arc::new(UsesTheQueue { queue: putter.queue.clone(), used: used.clone() }))
    };
    for end in [End::Dropped, End::Item, End::Closed] {
        let mut get = Box::pin(getter.get_one());
        // Two polls with two wakers, each of which has its only clone in the queue.
        for _ in 0..2 {
            let waker = new(&putter);
            assert!(get.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        assert_eq!(used.swap(0, Ordering::Relaxed), 1, "the replaced one was dropped");
        match end {
            End::Dropped => {
                drop(get);
                assert_eq!(used.swap(0, Ordering::Relaxed), 1, "dropped, not woken");
                continue;
            }
            End::Item => putter.try_put_one(1).unwrap(),
            End::Closed => putter.close(),
        }
        assert_eq!(used.swap(0, Ordering::Relaxed), 2, "woken, then dropped");
        assert!(get.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
    }
}

#[test]
fn a_waker_that_panics_when_woken_does_not_take_the_others_with_it() {
    let (putter, mut first) = bounded::<u8>(1);
    let mut second = first.clone();
    let waker = Waker::from(Arc::new(PanicsOnWake));
    let mut first = pin!(first.get_one());
    assert!(first.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    let mut second = Task::new(second.get_one());
    assert!(second.poll().is_pending());
    drop(putter);
    assert_eq!((second.wakes(), second.poll()), (1, Poll::Ready(None)));
}

#[test]
fn at04_a_waker_that_panics_when_woken_costs_the_getter_no_item() {
    let (mut first, mut getter) = bounded(1);
    let mut second = first.clone();
    let waker = Waker::from(Arc::new(PanicsOnWake));
    first.try_put_one(0).unwrap();
    let mut put = pin!(second.put_one(1));
    assert!(put.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    assert_eq!(Task::new(getter.get_one()).poll(), Poll::Ready(Some(0)));
    assert!(put.as_mut().poll(&mut Context::from_waker(&waker)).is_ready());
    assert_eq!(getter.try_get_one(), Ok(1));
}

#[test]
fn at04_a_getter_is_counted_off_whatever_the_wakers_do() {
    for panics_on_drop in [false, true] {
        let (mut putter, mut first) = bounded(1);
        let (mut second, mut other) = (first.clone(), putter.clone());
        let waker = if panics_on_drop {
            Waker::from(Arc::new(PanicsOnDrop))
        } else {
            Waker::from(Arc::new(PanicsOnWake))
        };
        assert!(first.poll_get_one(&mut Context::from_waker(Waker::noop())).is_pending());
        assert!(second.poll_get_one(&mut Context::from_waker(&waker)).is_pending());
        putter.try_put_one(0).unwrap();
        if panics_on_drop {
            // The queue has the only clone.
            let _ = catch_unwind(AssertUnwindSafe(|| drop(waker)));
            assert!(catch_unwind(AssertUnwindSafe(|| drop(second))).is_err());
            drop(first);
        } else {
            // The item is passed on to the second getter, whose wake panics.
            drop(first);
            putter.try_put_one(1).unwrap();
            let mut put = Task::new(other.put_one(2));
            assert!(put.poll().is_pending());
            drop(second);
            assert_eq!(put.wakes(), 1);
        }
        assert!(putter.is_closed());
    }
}

#[test]
fn handles_and_futures_are_send_and_unpin() {
    fn assert_send_sync_unpin<X: Send + Sync + Unpin>(_: &X) {}
    fn assert_send_unpin<X: Send + Unpin>(_: &X) {}
    // `Cell` is `Send` and not `Sync`; `PhantomPinned` is not `Unpin`.
    type Item = (Cell<u8>, PhantomPinned);
    let (mut putter, mut getter) = bounded::<Item>(1);
    let (mut items, mut buf) = (VecDeque::<(u8, PhantomPinned)>::new(), Vec::<Item>::new());
    assert_send_sync_unpin(&putter);
    assert_send_sync_unpin(&getter);
    assert_send_sync_unpin(&getter.get_one());
    assert_send_unpin(&getter.get(&mut buf, 1, 1));
    assert_send_unpin(&putter.put_one((Cell::new(1), PhantomPinned)));
    let (mut putter, _getter) = bounded(1);
    assert_send_unpin(&putter.put_all(&mut items));
}

enum End {
    Dropped,
    Item,
    Closed,
}

struct PanicsOnWake;

impl Wake for PanicsOnWake {
    fn wake(self: Arc<Self>) {
        panic!("a wake that panics");
    }
}

struct PanicsOnDrop;

impl Wake for PanicsOnDrop {
    fn wake(self: Arc<Self>) {}
}

impl Drop for PanicsOnDrop {
    fn drop(&mut self) {
        panic!("a drop that panics");
    }
}

/// A waker that checks that the lock is free whenever its code runs.
struct UsesTheQueue {
    queue: Arc<Queue<u8>>,
    used: Arc<AtomicUsize>,
}

impl UsesTheQueue {
    fn run(&self) {
        assert!(self.queue.try_lock().is_some(), "the lock is held");
        self.used.fetch_add(1, Ordering::Relaxed);
    }
}

impl Wake for UsesTheQueue {
    fn wake(self: Arc<Self>) {
        self.run();
    }
}

impl Drop for UsesTheQueue {
    fn drop(&mut self) {
        self.run();
    }
}
