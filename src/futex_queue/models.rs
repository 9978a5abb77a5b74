//! Loom models: small stories, run in every order of their threads up to a bound on preemptions.
//!
//! `.ci/loom` runs them. A lost wake shows as a deadlock, a lost or doubled item as a failed count.
//! `.ci/queue-mutants` shows which faults they notice.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use loom::thread;

use super::park::block_on;
use super::sync::{Thread, current, park};
use super::{GetError, Getter, OfferOutcome, PutError, Putter, bounded};

/// How many times a thread may be preempted in one run of a story. At 3 all models take less than
/// 20 s, at 4 more than 5 min. `LOOM_MAX_PREEMPTIONS` overrides it.
const PREEMPTIONS: usize = 3;

fn model(story: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(PREEMPTIONS);
    builder.check(story);
}

#[test]
fn two_putters_and_two_getters() {
    let mut builder = loom::model::Builder::new();
    // Four threads: one preemption less keeps this below a minute.
    builder.preemption_bound.get_or_insert(PREEMPTIONS - 1);
    builder.check(|| {
        let (first, getter) = bounded(1);
        let second = first.clone();
        let putters = [(first, 1), (second, 2)].map(|(mut putter, item)| {
            thread::spawn(move || putter.blocking_put_one(item, None).unwrap())
        });
        let other = getter.clone();
        let drains = |mut getter: Getter<u32>| move || drain(&mut getter);
        let other = thread::spawn(drains(other));
        let mut got = drains(getter)();
        got.extend(other.join().unwrap());
        for putter in putters {
            putter.join().unwrap();
        }
        got.sort_unstable();
        assert_eq!(got, [1, 2]);
    });
}

#[test]
fn back_pressure() {
    model(|| {
        let (mut putter, mut getter) = bounded(1);
        let thread = thread::spawn(move || {
            let mut items = VecDeque::from([1, 2, 3]);
            assert_eq!(putter.blocking_put_all(&mut items, None), Ok(3));
        });
        assert_eq!(drain(&mut getter), [1, 2, 3]);
        thread.join().unwrap();
    });
}

#[test]
fn rendezvous() {
    model(|| {
        let (mut putter, mut getter) = bounded(0);
        let thread = thread::spawn(move || {
            putter.blocking_put_one(1, None).unwrap();
            putter.blocking_put_one(2, None).unwrap();
        });
        assert_eq!(drain(&mut getter), [1, 2]);
        thread.join().unwrap();
    });
}

#[test]
fn a_get_for_more_than_the_capacity_is_filled_by_two_putters() {
    model(|| {
        let (mut first, mut getter) = bounded(1);
        let mut second = first.clone();
        let threads = [
            thread::spawn(move || first.blocking_put_one(1, None).unwrap()),
            thread::spawn(move || second.blocking_put_one(2, None).unwrap()),
        ];
        let mut buf = Vec::new();
        assert_eq!(getter.blocking_get(&mut buf, 2, 2, None), Ok(2));
        buf.sort_unstable();
        assert_eq!(buf, [1, 2]);
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

#[test]
fn close_against_put() {
    model(|| {
        let (mut putter, mut getter) = bounded(1);
        let thread = thread::spawn(move || {
            let mut items = VecDeque::from([1, 2, 3]);
            let result = putter.blocking_put_all(&mut items, None);
            (result, items)
        });
        let mut got = Vec::from_iter(getter.try_get_one());
        getter.close();
        got.extend(drain(&mut getter));
        let (result, items) = thread.join().unwrap();
        assert_eq!(result, Err(PutError::Closed));
        got.extend(items);
        assert_eq!(got, [1, 2, 3], "delivered, or in the caller's hands, in order");
    });
}

#[test]
fn finish_against_drop_of_the_getter() {
    model(|| {
        let drops = Arc::new(AtomicUsize::new(0));
        let (putter, getter) = bounded(1);
        let item = Counted(Arc::clone(&drops));
        let thread = thread::spawn(move || putter.finish(item).err());
        drop(getter);
        let unsent = thread.join().unwrap();
        assert_eq!(drops.load(Ordering::Relaxed), usize::from(unsent.is_none()));
        drop(unsent);
        assert_eq!(drops.load(Ordering::Relaxed), 1, "dropped once, by the queue or by the caller");
    });
}

#[test]
fn the_end_is_not_seen_before_the_last_item() {
    model(|| {
        let (first, mut getter) = bounded(1);
        let second = first.clone();
        let threads = [
            thread::spawn(move || first.finish(1).unwrap()),
            thread::spawn(move || second.finish(2).unwrap()),
        ];
        let mut got = drain(&mut getter);
        got.sort_unstable();
        assert_eq!(got, [1, 2]);
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

#[test]
fn a_get_canceled_after_its_grant_passes_it_on() {
    model(|| {
        let (mut putter, mut first) = bounded(1);
        let mut second = first.clone();
        let mut get = Box::pin(async move { first.get_one().await });
        assert!(poll(&mut get, Waker::noop()).is_pending());
        let waits = thread::spawn(move || second.blocking_get_one(None));
        let puts = thread::spawn(move || putter.blocking_put_one(1, None).unwrap());
        drop(get);
        puts.join().unwrap();
        assert_eq!(waits.join().unwrap(), Ok(1));
    });
}

#[test]
fn a_put_canceled_half_way_keeps_the_rest() {
    model(|| {
        let (mut putter, mut getter) = bounded(1);
        let mut second = putter.clone();
        let thread = thread::spawn(move || drain(&mut getter));
        let mut items = VecDeque::from([1, 2, 3]);
        {
            let mut put = pin!(putter.put_all(&mut items));
            let _ = poll(&mut put, Waker::noop());
        }
        drop(putter);
        let put = 3 - items.len();
        // Its turn comes when the put is dropped.
        second.blocking_put_one(9, None).unwrap();
        drop(second);
        let got = thread.join().unwrap();
        assert_eq!(got[..put], [1, 2, 3][..put]);
        assert_eq!(got[put..], [9]);
        assert_eq!(items, &[1, 2, 3][put..]);
    });
}

#[test]
fn a_task_that_moved_is_woken_where_it_is_now() {
    model(|| {
        let (mut putter, mut getter) = bounded(1);
        let stale = Arc::new(StaleWaker(AtomicUsize::new(0)));
        let mut get = Box::pin(async move { getter.get_one().await });
        assert!(poll(&mut get, &Waker::from(Arc::clone(&stale))).is_pending());
        let thread = thread::spawn(move || putter.blocking_put_one(1, None).unwrap());
        assert_eq!(block_on(get, None), Some(Some(1)));
        thread.join().unwrap();
        assert_eq!(Arc::strong_count(&stale), 1, "the queue keeps no task alive");
    });
}

#[test]
fn cancel_against_puts_of_both_kinds() {
    model(|| {
        let (mut cancelable, mut getter) = bounded(1);
        let mut uncancelable = cancelable.clone();
        cancelable.try_put_one(0).unwrap();
        let one = thread::spawn(move || cancelable.blocking_put_one(1, None));
        let two = thread::spawn(move || uncancelable.blocking_put_one_uncancelable(2, None));
        getter.cancel();
        let mut got = drain(&mut getter);
        got.sort_unstable();
        two.join().unwrap().unwrap();
        match one.join().unwrap() {
            Ok(()) => assert_eq!(got, [0, 1, 2]),
            Err(unsent) => {
                assert_eq!((unsent.item, unsent.cause), (1, PutError::Canceled));
                assert_eq!(got, [0, 2]);
            }
        }
    });
}

#[test]
fn the_last_getter_gone_while_an_uncancelable_put_waits() {
    model(|| {
        let drops = Arc::new(AtomicUsize::new(0));
        let (mut putter, getter) = bounded(1);
        let mut items: VecDeque<_> = (0..3).map(|_| Counted(Arc::clone(&drops))).collect();
        let thread = thread::spawn(move || {
            let result = putter.blocking_put_all_uncancelable(&mut items, None);
            assert_eq!(result, Err(PutError::Closed));
            items
        });
        getter.cancel();
        drop(getter);
        let items = thread.join().unwrap();
        assert_eq!(drops.load(Ordering::Relaxed) + items.len(), 3);
        drop(items);
        assert_eq!(drops.load(Ordering::Relaxed), 3);
    });
}

#[test]
fn offers_are_woken_for_room_and_come_back_when_held() {
    model(|| {
        let (mut putter, mut getter) = bounded(1);
        let thread = thread::spawn(move || offer_all(&mut putter, [1, 2].into(), Some(3)));
        assert_eq!(drain(&mut getter), [1, 2, 3]);
        assert_eq!(thread.join().unwrap(), OfferOutcome::Taken);
    });
}

#[test]
fn offers_to_a_rendezvous() {
    model(|| {
        let (mut putter, mut getter) = bounded(0);
        let thread = thread::spawn(move || offer_all(&mut putter, [1].into(), Some(2)));
        assert_eq!(drain(&mut getter), [1, 2]);
        assert_eq!(thread.join().unwrap(), OfferOutcome::Taken);
    });
}

#[test]
fn offers_against_drop_of_the_getter() {
    model(|| {
        let (mut putter, getter) = bounded(0);
        let thread = thread::spawn(move || offer_all(&mut putter, [1].into(), Some(2)));
        drop(getter);
        assert_eq!(thread.join().unwrap(), OfferOutcome::Closed);
    });
}

#[test]
fn offers_against_cancel() {
    model(|| {
        let (mut putter, mut getter) = bounded(0);
        let thread = thread::spawn(move || offer_all(&mut putter, [1].into(), Some(2)));
        getter.cancel();
        assert_eq!(drain(&mut getter), [2]);
        assert_eq!(thread.join().unwrap(), OfferOutcome::Taken);
    });
}

#[test]
fn a_put_behind_an_offer_has_its_turn() {
    model(|| {
        let (mut first, mut getter) = bounded(0);
        let mut second = first.clone();
        let offers = thread::spawn(move || offer_all(&mut first, [1].into(), None));
        let puts = thread::spawn(move || second.blocking_put_one(2, None).unwrap());
        let mut got = drain(&mut getter);
        got.sort_unstable();
        assert_eq!(got, [1, 2]);
        assert_eq!(offers.join().unwrap(), OfferOutcome::Taken);
        puts.join().unwrap();
    });
}

#[test]
fn a_watcher_is_woken_by_the_last_getter() {
    model(|| {
        let (mut putter, getter) = bounded::<u8>(1);
        let thread = thread::spawn(move || {
            let closed = poll_fn(|cx| {
                let polled = putter.poll_closed(cx);
                if polled.is_pending() {
                    // If another thread held the lock, the task has woken itself.
                    thread::yield_now();
                }
                polled
            });
            block_on(closed, None);
            assert!(putter.is_closed());
        });
        drop(getter);
        thread.join().unwrap();
    });
}

/// Offers until the queue has taken everything, and parks only when it will be woken: what a thread
/// does that serves many queues.
fn offer_all(
    putter: &mut Putter<u32>,
    mut items: VecDeque<u32>,
    mut last: Option<u32>,
) -> OfferOutcome {
    let room = Waker::from(Arc::new(Unpark(current())));
    loop {
        let mut wakes = Vec::new();
        let outcome = putter.offer_last(&mut items, &mut last, &room, &mut wakes);
        wakes.into_iter().for_each(Waker::wake);
        match outcome {
            OfferOutcome::Held => thread::yield_now(),
            OfferOutcome::Full => park(),
            OfferOutcome::Canceled | OfferOutcome::Closed | OfferOutcome::Taken => return outcome,
        }
    }
}

/// Gets items until the queue ends.
fn drain(getter: &mut Getter<u32>) -> Vec<u32> {
    let mut got = Vec::new();
    loop {
        match getter.blocking_get_one(None) {
            Ok(item) => got.push(item),
            Err(error) => {
                assert_eq!(error, GetError::Closed);
                return got;
            }
        }
    }
}

fn poll<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(waker))
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// The waker of a task that has moved: a wake through it is lost.
struct StaleWaker(AtomicUsize);

impl Wake for StaleWaker {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Counts its drops.
#[derive(Debug)]
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}
