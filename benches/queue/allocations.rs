//! The allocations of a queue of capacity 16 on the lookup path.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::VecDeque;
use std::task::{Context, Waker};

use outrace::futex_queue::{OfferOutcome, bounded};

use crate::peers::{CAPACITY, Item};

struct Counting;

thread_local! {
    static COUNT: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

// SAFETY: every call is passed on unchanged to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = COUNT.try_with(|count| {
            let (number, bytes) = count.get();
            count.set((number + 1, bytes + layout.size()));
        });
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Prints the allocations of each step of a lookup's queue.
pub fn report() {
    println!("allocations of a queue of capacity {CAPACITY}, items of 48 bytes\n");
    println!("| step | number | bytes |\n|---|---|---|");
    // Buffers of the caller are allocated before.
    let mut items: VecDeque<Item> = (0..3).map(|n| [n; 6]).collect();
    let mut more: VecDeque<Item> = (3..5).map(|n| [n; 6]).collect();
    let mut wakes = Vec::with_capacity(1);
    let mut context = Context::from_waker(Waker::noop());
    let room = Waker::noop();

    let (mut putter, mut getter) = step("created", || bounded::<Item>(CAPACITY));
    step("task parks", || assert!(getter.poll_get_one(&mut context).is_pending()));
    step("putter watches for the end", || assert!(putter.poll_closed(&mut context).is_pending()));
    step("3 items offered", || {
        assert_eq!(putter.offer(&mut items, room, &mut wakes), OfferOutcome::Taken);
    });
    step("3 items taken, task parks again", || {
        for _ in 0..3 {
            assert!(getter.poll_get_one(&mut context).is_ready());
        }
        assert!(getter.poll_get_one(&mut context).is_pending());
    });
    wakes.clear();
    step("2 items and the last one offered", || {
        let last = &mut Some([9; 6]);
        assert_eq!(putter.offer_last(&mut more, last, room, &mut wakes), OfferOutcome::Taken);
    });
    step("taken to the end, dropped", || {
        while getter.poll_get_one(&mut context) != std::task::Poll::Ready(None) {}
        drop((putter, getter));
    });
}

fn step<R>(name: &str, action: impl FnOnce() -> R) -> R {
    let (number, bytes) = COUNT.get();
    let result = action();
    let (number_after, bytes_after) = COUNT.get();
    println!("| {name} | {} | {} |", number_after - number, bytes_after - bytes);
    result
}
