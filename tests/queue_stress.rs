//! Threads and tasks put and get at random: no item is lost, doubled, or out of its order.
//!
//! `OUTRACE_SEED` replays a run, `OUTRACE_QUEUE_ITEMS` is the number of items of each putter.

#[allow(dead_code, reason = "other tests use other parts")]
#[path = "../src/seeded.rs"]
mod seeded;

use std::collections::VecDeque;
use std::env;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use outrace::futex_queue::{Getter, OfferOutcome, Putter, bounded};

/// An item with its putter and its position among that putter's items. Counts the items that exist.
#[derive(Debug)]
struct Item {
    putter: usize,
    number: u64,
    alive: Arc<AtomicU64>,
}

impl Item {
    fn new(putter: usize, number: u64, alive: &Arc<AtomicU64>) -> Self {
        alive.fetch_add(1, Ordering::Relaxed);
        Self { putter, number, alive: Arc::clone(alive) }
    }
}

impl Drop for Item {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Small numbers, as a queue has them.
struct Random(seeded::Random);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seeded::Random::new(seed))
    }

    fn below(&mut self, n: u64) -> u64 {
        self.0.below(0..n)
    }

    fn upto(&mut self, n: usize) -> usize {
        self.0.index(n + 1)
    }
}

fn setting(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text}")))
}

/// Polls a future once, and drops it if it is pending, as a canceled get or put.
fn poll_once<F: Future>(future: F) -> Option<F::Output> {
    struct Nothing;
    impl Wake for Nothing {
        fn wake(self: Arc<Self>) {}
    }
    match pin!(future).poll(&mut Context::from_waker(&Waker::from(Arc::new(Nothing)))) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// Puts `count` items and a last one, each time by a random method.
fn put(
    mut putter: Putter<Item>,
    me: usize,
    count: u64,
    alive: &Arc<AtomicU64>,
    mut random: Random,
) {
    let mut items = VecDeque::new();
    let mut next = 0;
    let mut wakes = Vec::new();
    while next < count || !items.is_empty() {
        while next < count && items.len() < 1 + random.upto(8) {
            items.push_back(Item::new(me, next, alive));
            next += 1;
        }
        let min = random.upto(items.len());
        match random.below(5) {
            0 => drop(putter.blocking_put(&mut items, min, None).unwrap()),
            // The items that have not moved come back, in order.
            1 => drop(poll_once(putter.put(&mut items, min))),
            2 => drop(poll_once(putter.put_uncancelable(&mut items, min))),
            3 => drop(putter.try_put(&mut items).unwrap()),
            _ => {
                let offer = putter.offer(&mut items, Waker::noop(), &mut wakes);
                wakes.drain(..).for_each(Waker::wake);
                if matches!(offer, OfferOutcome::Full | OfferOutcome::Held) {
                    thread::yield_now();
                }
            }
        }
    }
    putter.finish(Item::new(me, count, alive)).unwrap();
}

/// Gets until the queue ends, each time by a random method.
fn get(mut getter: Getter<Item>, mut random: Random, got: &Mutex<Vec<Vec<u64>>>) {
    let mut buf = Vec::new();
    loop {
        let max = 1 + random.upto(8);
        let min = 1 + random.upto(max - 1);
        let ended = match random.below(4) {
            0 => getter.blocking_get(&mut buf, max, min, None).is_err(),
            // A get that is dropped passes its grant on.
            1 => matches!(poll_once(getter.get(&mut buf, max, min)), Some(Err(_))),
            2 => {
                let _ = getter.try_get(&mut buf, max);
                false
            }
            _ => match getter.blocking_get_one(None) {
                Ok(item) => {
                    buf.push(item);
                    false
                }
                Err(_) => true,
            },
        };
        if buf.len() > 64 || ended {
            // A getter receives the items of each putter in order.
            let mut got = got.lock().unwrap();
            let mut last = vec![None; got.len()];
            for item in buf.drain(..) {
                assert!(last[item.putter] < Some(item.number), "{item:?} after {last:?}");
                last[item.putter] = Some(item.number);
                got[item.putter].push(item.number);
            }
        }
        if ended {
            return;
        }
    }
}

fn stress(seed: u64, items: u64) {
    let mut random = Random::new(seed);
    let capacity = [0, 1, 2, 4, 16][random.upto(4)];
    let (putters, getters) = (1 + random.upto(2), 1 + random.upto(2));
    let alive = Arc::new(AtomicU64::new(0));
    let got = Mutex::new(vec![Vec::new(); putters]);
    let (putter, getter) = bounded(capacity);
    thread::scope(|scope| {
        for me in 0..putters {
            let (putter, random, alive) = (putter.clone(), Random::new(random.0.next()), &alive);
            scope.spawn(move || put(putter, me, items, alive, random));
        }
        drop(putter);
        for _ in 0..getters {
            let (getter, random, got) = (getter.clone(), Random::new(random.0.next()), &got);
            scope.spawn(move || get(getter, random, got));
        }
        drop(getter);
    });
    for (me, mut numbers) in got.into_inner().unwrap().into_iter().enumerate() {
        numbers.sort_unstable();
        assert!(
            numbers.iter().copied().eq(0..=items),
            "putter {me} of {putters}: some are missing"
        );
    }
    assert_eq!(alive.load(Ordering::Relaxed), 0, "every item was dropped once");
}

/// The getter is dropped before the end: the items in the queue are dropped, and the putter keeps
/// the others.
fn early_drop(seed: u64) {
    let mut random = Random::new(seed);
    let alive = Arc::new(AtomicU64::new(0));
    let (mut putter, mut getter) = bounded(random.upto(4));
    thread::scope(|scope| {
        let (alive, mut putting) = (&alive, Random::new(random.0.next()));
        scope.spawn(move || {
            for number in 0.. {
                let mut items: VecDeque<_> =
                    (0..=putting.upto(3)).map(|_| Item::new(0, number, alive)).collect();
                let count = items.len();
                if putter.blocking_put(&mut items, count, None).is_err() {
                    return;
                }
            }
        });
        for _ in 0..random.below(200) {
            drop(getter.blocking_get_one(None).unwrap());
        }
        drop(getter);
    });
    assert_eq!(alive.load(Ordering::Relaxed), 0, "every item was dropped once");
}

#[test]
fn nothing_is_lost_doubled_or_out_of_order() {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed = setting("OUTRACE_SEED").unwrap_or(u64::from(since_epoch.subsec_nanos()));
    let mut left = setting("OUTRACE_QUEUE_ITEMS").unwrap_or(200_000);
    println!("OUTRACE_SEED={seed}");
    let mut random = Random::new(seed);
    while left > 0 {
        let items = left.min(5_000);
        stress(random.0.next(), items);
        early_drop(random.0.next());
        left -= items;
    }
}
