//! Items: the order in which they move, how many at once, and the order of waiters.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;

use super::{Task, drain};
use crate::futex_queue::{GetError, PutError, Unsent, bounded};

#[test]
fn items_leave_in_the_order_they_came() {
    // Every fill level of every capacity, so that the ring wraps at each position.
    for capacity in 1..=5 {
        let (mut putter, mut getter) = bounded(capacity);
        let mut next = 0;
        for n in (1..=capacity).cycle().take(4 * capacity) {
            let mut items: VecDeque<_> = (next..next + n).collect();
            assert_eq!(putter.try_put(&mut items), Ok(n), "there is room for {n}");
            let mut got = Vec::new();
            assert_eq!(getter.try_get(&mut got, usize::MAX), Ok(n));
            assert_eq!(got, (next..next + n).collect::<Vec<_>>());
            next += n;
        }
    }
}

#[test]
fn put_keeps_the_items_without_room() {
    let (mut putter, mut getter) = bounded(3);
    let mut items = VecDeque::from([1, 2, 3, 4, 5]);
    assert_eq!(putter.try_put(&mut items), Ok(3));
    assert_eq!(items, [4, 5]);
    assert_eq!(putter.try_put(&mut items), Ok(0));
    assert_eq!(putter.try_put_one(6), Err(Unsent { item: 6, cause: PutError::Full }));
    assert_eq!(drain(&mut getter), [1, 2, 3]);
    assert_eq!(getter.try_get_one(), Err(GetError::Empty));
}

#[test]
fn b38_put_into_a_full_queue_loses_nothing() {
    let (mut putter, mut getter) = bounded(3);
    let mut second = putter.clone();
    assert_eq!(putter.try_put(&mut VecDeque::from([1, 2, 3])), Ok(3));
    let mut put = Task::new(second.put_one(4));
    assert!(put.poll().is_pending());
    assert_eq!(drain(&mut getter), [1, 2, 3, 4]);
    assert_eq!(put.wakes(), 1);
    assert_eq!(put.poll(), Poll::Ready(Ok(())));
}

#[test]
fn b42_put_returns_as_soon_as_min_items_moved() {
    let (mut putter, mut getter) = bounded(2);
    let mut items = VecDeque::from([1, 2, 3, 4, 5]);
    let mut put = Task::new(putter.put(&mut items, 3));
    assert!(put.poll().is_pending(), "2 of 3 moved");
    assert_eq!(getter.try_get_one(), Ok(1));
    assert_eq!(put.wakes(), 1);
    assert_eq!(put.poll(), Poll::Ready(Ok(3)));
    drop(put);
    assert_eq!(items, [4, 5]);
    assert_eq!(drain(&mut getter), [2, 3]);
}

#[test]
fn b42_get_returns_as_soon_as_min_items_came() {
    let (mut putter, mut getter) = bounded(4);
    let mut buf = vec![0];
    let mut get = Task::new(getter.get(&mut buf, 4, 2));
    assert!(get.poll().is_pending());
    putter.try_put_one(1).unwrap();
    assert_eq!(get.wakes(), 0, "one of two is not enough");
    assert!(get.poll().is_pending());
    assert_eq!(putter.try_put(&mut VecDeque::from([2, 3])), Ok(2));
    assert_eq!(get.wakes(), 1);
    assert_eq!(get.poll(), Poll::Ready(Ok(3)), "at least 2, and all that is there");
    drop(get);
    assert_eq!(buf, [0, 1, 2, 3], "appended to the buffer");
}

#[test]
fn min_may_be_larger_than_the_capacity() {
    let (mut putter, mut getter) = bounded(2);
    let mut items: VecDeque<_> = (0..7).collect();
    let mut put = Task::new(putter.put_all(&mut items));
    assert!(put.poll().is_pending());
    let mut buf = Vec::new();
    let mut get = Task::new(getter.get(&mut buf, 7, 7));
    assert_eq!(get.poll(), Poll::Ready(Ok(7)), "2 from the ring, 5 from the putter that waits");
    drop(get);
    assert_eq!(buf, [0, 1, 2, 3, 4, 5, 6]);
    assert_eq!(put.poll(), Poll::Ready(Ok(7)));
}

#[test]
fn a_get_larger_than_the_capacity_is_filled_by_several_puts_with_one_wake() {
    let (mut putter, mut getter) = bounded(1);
    let mut buf = Vec::new();
    let mut get = Task::new(getter.get(&mut buf, 9, 5));
    assert!(get.poll().is_pending());
    for item in 1..=5 {
        assert_eq!(get.wakes(), 0);
        putter.try_put_one(item).unwrap();
    }
    assert_eq!(get.wakes(), 1);
    assert_eq!(get.poll(), Poll::Ready(Ok(5)));
    drop(get);
    assert_eq!(buf, [1, 2, 3, 4, 5]);
}

#[test]
fn min_0_never_waits() {
    let (mut putter, mut getter) = bounded(1);
    let mut buf = Vec::new();
    assert_eq!(Task::new(getter.get(&mut buf, 3, 0)).poll(), Poll::Ready(Ok(0)));
    let mut items = VecDeque::from([1, 2]);
    assert_eq!(Task::new(putter.put(&mut items, 0)).poll(), Poll::Ready(Ok(1)));
    assert_eq!(Task::new(putter.put(&mut items, 0)).poll(), Poll::Ready(Ok(0)));
    assert_eq!(Task::new(getter.get(&mut buf, 3, 0)).poll(), Poll::Ready(Ok(1)));
}

#[test]
fn misuse_of_min_is_a_panic_before_anything_moved() {
    let (mut putter, mut getter) = bounded(1);
    let mut items = VecDeque::from([1]);
    assert!(catch_unwind(AssertUnwindSafe(|| drop(putter.put(&mut items, 2)))).is_err());
    let mut buf = Vec::<u8>::new();
    assert!(catch_unwind(AssertUnwindSafe(|| drop(getter.get(&mut buf, 1, 2)))).is_err());
    assert_eq!((items.len(), putter.try_put(&mut items)), (1, Ok(1)));
}

#[test]
fn capacity_0_hands_over_to_a_getter_that_waits() {
    let (mut putter, mut getter) = bounded(0);
    assert_eq!(putter.try_put_one(0), Err(Unsent { item: 0, cause: PutError::Full }));
    let mut get = Task::new(getter.get_one());
    assert!(get.poll().is_pending());
    assert_eq!(putter.try_put(&mut VecDeque::from([1, 2])), Ok(1));
    assert_eq!(get.wakes(), 1);
    assert_eq!(get.poll(), Poll::Ready(Some(1)));
}

#[test]
fn capacity_0_takes_from_a_putter_that_waits() {
    let (mut putter, mut getter) = bounded(0);
    let mut items = VecDeque::from([1, 2, 3]);
    let mut put = Task::new(putter.put_all(&mut items));
    assert!(put.poll().is_pending());
    assert_eq!(getter.try_get_one(), Ok(1));
    let mut buf = Vec::new();
    assert_eq!(Task::new(getter.get(&mut buf, 9, 1)).poll(), Poll::Ready(Ok(2)));
    assert_eq!(buf, [2, 3]);
    assert_eq!((put.wakes(), put.poll()), (1, Poll::Ready(Ok(3))));
}

#[test]
fn getters_are_served_in_the_order_they_came() {
    let (mut putter, mut first) = bounded(4);
    let (mut second, mut newcomer) = (first.clone(), first.clone());
    let mut first = Task::new(first.get_one());
    let mut second = Task::new(second.get_one());
    assert!(first.poll().is_pending());
    assert!(second.poll().is_pending());
    putter.try_put_one(1).unwrap();
    assert_eq!((first.wakes(), second.wakes()), (1, 0));
    assert_eq!(newcomer.try_get_one(), Err(GetError::Empty), "the item is the first getter's");
    putter.try_put_one(2).unwrap();
    assert_eq!((first.wakes(), second.wakes()), (1, 1));
    assert_eq!(first.poll(), Poll::Ready(Some(1)));
    assert_eq!(second.poll(), Poll::Ready(Some(2)));
}

#[test]
fn putters_are_served_in_the_order_they_came() {
    let (mut first, mut getter) = bounded(1);
    let (mut second, mut newcomer) = (first.clone(), first.clone());
    first.try_put_one(0).unwrap();
    let mut first = Task::new(first.put_one(1));
    let mut second = Task::new(second.put_one(2));
    assert!(first.poll().is_pending());
    assert!(second.poll().is_pending());
    assert_eq!(getter.try_get_one(), Ok(0));
    assert_eq!((first.wakes(), second.wakes()), (1, 0));
    assert_eq!(newcomer.try_put(&mut VecDeque::from([9])), Ok(0), "a newcomer does not overtake");
    assert_eq!(drain(&mut getter), [1, 2]);
}
