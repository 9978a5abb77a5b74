//! Offers, which never wait, and the last item that comes with them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Poll, Waker};

use super::{Counter, Task, drain, fire};
use crate::futex_queue::{GetError, OfferOutcome, bounded};

#[test]
fn an_offer_waits_neither_for_room_nor_for_the_lock() {
    let (mut putter, mut getter) = bounded(2);
    let room = Counter::new();
    let waker = Waker::from(Arc::clone(&room));
    let mut woken = Vec::new();
    let mut items = VecDeque::from([1, 2, 3, 4]);

    let queue = Arc::clone(&putter.queue);
    let lock = queue.lock();
    assert_eq!(putter.offer(&mut items, &waker, &mut woken), OfferOutcome::Held);
    assert_eq!(items.len(), 4);
    drop(lock);

    assert_eq!(putter.offer(&mut items, &waker, &mut woken), OfferOutcome::Full);
    assert_eq!(items, [3, 4]);
    let mut other = putter.clone();
    assert_eq!(getter.try_get_one(), Ok(1));
    assert_eq!(room.count(), 1);
    assert_eq!(other.try_put(&mut VecDeque::from([9])), Ok(0), "the room is kept for the offer");
    assert_eq!(getter.try_get_one(), Ok(2));
    assert_eq!(room.count(), 1, "one wake until it offers again");
    assert_eq!(putter.offer(&mut items, &waker, &mut woken), OfferOutcome::Taken);
    assert!(items.is_empty() && woken.is_empty());
    assert_eq!(drain(&mut getter), [3, 4]);
    assert_eq!(Arc::strong_count(&room), 2, "the queue has dropped its waker");
}

#[test]
fn an_offer_without_room_gives_way_when_its_putter_is_dropped() {
    let (mut putter, mut getter) = bounded(1);
    let mut other = putter.clone();
    let (mut items, mut woken) = (VecDeque::from([1, 2]), Vec::new());
    assert_eq!(putter.offer(&mut items, Waker::noop(), &mut woken), OfferOutcome::Full);
    let mut put = Task::new(other.put_one(3));
    assert!(put.poll().is_pending());
    assert_eq!(getter.try_get_one(), Ok(1));
    assert_eq!(put.wakes(), 0, "the offer's turn");
    drop(putter);
    assert_eq!((put.wakes(), put.poll()), (1, Poll::Ready(Ok(()))));
}

#[test]
fn an_offer_without_room_gives_way_when_it_is_canceled() {
    let (mut putter, mut getter) = bounded(1);
    let mut other = putter.clone();
    let (mut items, mut woken) = (VecDeque::from([1, 2]), Vec::new());
    assert_eq!(putter.offer(&mut items, Waker::noop(), &mut woken), OfferOutcome::Full);
    let mut put = Task::new(other.put_one_uncancelable(3));
    assert!(put.poll().is_pending());
    assert_eq!(getter.try_get_one(), Ok(1));
    assert_eq!(put.wakes(), 0, "the offer's turn");
    getter.cancel();
    assert_eq!((put.wakes(), put.poll()), (1, Poll::Ready(Ok(()))));
    assert_eq!(putter.offer(&mut items, Waker::noop(), &mut woken), OfferOutcome::Canceled);
    assert_eq!(items, [2]);
}

#[test]
fn an_offer_to_a_rendezvous_is_woken_by_a_getter() {
    let (mut putter, mut getter) = bounded(0);
    let room = Counter::new();
    let waker = Waker::from(Arc::clone(&room));
    let (mut items, mut woken) = (VecDeque::from([1, 2]), Vec::new());
    assert_eq!(putter.offer(&mut items, &waker, &mut woken), OfferOutcome::Full);
    let mut get = Task::new(getter.get_one());
    assert!(get.poll().is_pending());
    assert_eq!(room.count(), 1);
    assert_eq!(putter.offer(&mut items, &waker, &mut woken), OfferOutcome::Full);
    fire(woken);
    assert_eq!((get.wakes(), get.poll()), (1, Poll::Ready(Some(1))));
}

#[test]
fn offer_last_finishes_once_everything_found_room() {
    let (mut putter, mut getter) = bounded(1);
    let (mut items, mut last, mut woken) = (VecDeque::from([1, 2]), Some(3), Vec::new());
    assert_eq!(
        putter.offer_last(&mut items, &mut last, Waker::noop(), &mut woken),
        OfferOutcome::Full
    );
    assert_eq!((items.len(), last), (1, Some(3)));
    assert_eq!(getter.try_get_one(), Ok(1));
    assert_eq!(
        putter.offer_last(&mut items, &mut last, Waker::noop(), &mut woken),
        OfferOutcome::Taken
    );
    assert_eq!((items.len(), last), (0, None));
    assert_eq!(
        putter.offer(&mut items, Waker::noop(), &mut woken),
        OfferOutcome::Closed,
        "it has finished"
    );
    assert_eq!(drain(&mut getter), [2, 3]);
    assert_eq!(getter.try_get_one(), Err(GetError::Closed));
    drop(putter);
}

#[test]
fn offer_last_goes_through_when_canceled() {
    let (mut putter, mut getter) = bounded(1);
    let (mut items, mut last, mut woken) = (VecDeque::from([1, 2]), Some(3), Vec::new());
    let room = Counter::new();
    let waker = Waker::from(Arc::clone(&room));
    assert_eq!(putter.offer_last(&mut items, &mut last, &waker, &mut woken), OfferOutcome::Full);
    getter.cancel();
    assert_eq!(room.count(), 1, "a putter that waits for room is woken");
    assert_eq!(putter.offer(&mut items, &waker, &mut woken), OfferOutcome::Canceled);
    assert_eq!(putter.offer_last(&mut items, &mut last, &waker, &mut woken), OfferOutcome::Taken);
    assert_eq!((items, last), (VecDeque::from([2]), None));
    assert_eq!(drain(&mut getter), [1, 3]);
    assert_eq!(getter.try_get_one(), Err(GetError::Closed));
}

#[test]
fn offers_to_a_closed_queue_keep_their_items() {
    let (mut putter, getter) = bounded(1);
    let (mut items, mut last, mut woken) = (VecDeque::from([1, 2]), Some(3), Vec::new());
    let room = Counter::new();
    let waker = Waker::from(Arc::clone(&room));
    assert_eq!(putter.offer(&mut items, &waker, &mut woken), OfferOutcome::Full);
    drop(getter);
    assert_eq!(room.count(), 1);
    assert_eq!(putter.offer_last(&mut items, &mut last, &waker, &mut woken), OfferOutcome::Closed);
    assert_eq!((items, last), (VecDeque::from([2]), Some(3)));
    drop(putter);
    assert_eq!(Arc::strong_count(&room), 2, "the queue has dropped its waker");
}
