//! The queue beside its peers: `cargo bench -p outrace-benches --bench queue`.
//!
//! All rows of a table come from one run, one round of each row after the other, so that a busy
//! machine disturbs them alike. A row shows the minimum and the median of its rounds. Compare rows
//! by their ratio, and by the minimum rather than the median. An argument selects tables by title.

#[path = "queue/allocations.rs"]
mod allocations;
#[path = "queue/peers.rs"]
mod peers;

use std::collections::VecDeque;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use peers::{
    AsyncChannel, CAPACITY, CrossfireMpsc, CrossfireSpsc, Flume, Item, Kanal, Outrace,
    OutraceBatch, Peer, Rtrb, Thingbuf, Tokio, TokioBatch,
};

/// Items of one lookup.
const BURST: usize = 6;
const ROUNDS: usize = 15;
const LIFECYCLES: u32 = 20_000;
const PINGS: usize = 400;

fn main() {
    allocations::report();

    table(
        "create, 6 items of 48 bytes, drained, dropped, on one thread (ns)",
        &[
            Row::new::<OutraceBatch>(lifecycle::<OutraceBatch>),
            Row::new::<Outrace>(lifecycle::<Outrace>),
            Row::new::<Tokio>(lifecycle::<Tokio>),
            Row::new::<TokioBatch>(lifecycle::<TokioBatch>),
            Row::new::<AsyncChannel>(lifecycle::<AsyncChannel>),
            Row::new::<Flume>(lifecycle::<Flume>),
            Row::new::<Kanal>(lifecycle::<Kanal>),
            Row::new::<CrossfireSpsc>(lifecycle::<CrossfireSpsc>),
            Row::new::<CrossfireMpsc>(lifecycle::<CrossfireMpsc>),
            Row::new::<Thingbuf>(lifecycle::<Thingbuf>),
            Row::new::<Rtrb>(lifecycle::<Rtrb>),
        ],
    );
    table(
        "one item to a task parked in epoll_wait, one way: p50 of 400 (ns)",
        &[
            Row::new::<Outrace>(wake::<Outrace, 1>),
            Row::new::<Tokio>(wake::<Tokio, 1>),
            Row::new::<AsyncChannel>(wake::<AsyncChannel, 1>),
            Row::new::<Flume>(wake::<Flume, 1>),
            Row::new::<Kanal>(wake::<Kanal, 1>),
            Row::new::<CrossfireSpsc>(wake::<CrossfireSpsc, 1>),
            Row::new::<CrossfireMpsc>(wake::<CrossfireMpsc, 1>),
            Row::new::<Thingbuf>(wake::<Thingbuf, 1>),
            Row::new::<Rtrb>(wake::<Rtrb, 1>),
        ],
    );
    table(
        "burst of 6 items to a parked task, until it has the last one: p50 of 400 (ns)",
        &[
            Row::named("one item alone, outrace", wake::<OutraceBatch, 1>),
            Row::new::<OutraceBatch>(wake::<OutraceBatch, BURST>),
            Row::new::<Outrace>(wake::<Outrace, BURST>),
            Row::new::<Tokio>(wake::<Tokio, BURST>),
            Row::new::<TokioBatch>(wake::<TokioBatch, BURST>),
            Row::new::<AsyncChannel>(wake::<AsyncChannel, BURST>),
            Row::new::<Flume>(wake::<Flume, BURST>),
            Row::new::<Kanal>(wake::<Kanal, BURST>),
            Row::new::<CrossfireSpsc>(wake::<CrossfireSpsc, BURST>),
            Row::new::<Thingbuf>(wake::<Thingbuf, BURST>),
            Row::new::<Rtrb>(wake::<Rtrb, BURST>),
        ],
    );
}

struct Row {
    name: &'static str,
    round: fn() -> f64,
}

impl Row {
    fn new<P: Peer>(round: fn() -> f64) -> Self {
        Self::named(P::NAME, round)
    }

    fn named(name: &'static str, round: fn() -> f64) -> Self {
        Self { name, round }
    }
}

fn table(title: &str, rows: &[Row]) {
    let selected = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    if selected.is_some_and(|selected| !title.contains(&selected)) {
        return;
    }
    let mut figures = vec![Vec::new(); rows.len()];
    for _ in 0..ROUNDS {
        for (row, figures) in rows.iter().zip(&mut figures) {
            figures.push((row.round)());
        }
    }
    println!("\n{title}\n");
    println!("| | min | median |\n|---|---|---|");
    for (row, figures) in rows.iter().zip(&mut figures) {
        figures.sort_by(f64::total_cmp);
        println!("| {} | {:.0} | {:.0} |", row.name, figures[0], figures[figures.len() / 2]);
    }
}

/// Nanoseconds to create a queue, put and get six items, and drop it.
fn lifecycle<P: Peer>() -> f64 {
    // Buffers that the caller reuses are not part of the queue.
    let mut items = VecDeque::with_capacity(BURST);
    let mut buf = Vec::with_capacity(BURST);
    let start = Instant::now();
    for n in 0..LIFECYCLES {
        let (mut tx, mut rx) = P::new();
        items.extend((0..BURST).map(|_| black_box([u64::from(n); 6])));
        P::send_all(&mut tx, &mut items);
        P::drain(&mut rx, &mut buf, BURST);
        black_box((tx, rx));
    }
    start.elapsed().as_nanos() as f64 / f64::from(LIFECYCLES)
}

/// Nanoseconds from the start of a put of `N` items to the moment when a task, parked before the
/// put, has the last of them.
fn wake<P: Peer, const N: usize>() -> f64 {
    let epoch = Instant::now();
    let now = move || u64::try_from(epoch.elapsed().as_nanos()).expect("a short run");
    let (mut tx, mut rx) = P::new();
    let taken = Arc::new(AtomicUsize::new(0));
    let producer = thread::current();
    let consumer = thread::spawn({
        let taken = Arc::clone(&taken);
        move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let mut times = Vec::with_capacity(PINGS);
                let mut count = 0;
                while let Some(item) = P::recv(&mut rx).await {
                    count += 1;
                    if count % N == 0 {
                        times.push(now() - item[0]);
                        taken.store(count, Ordering::Release);
                        producer.unpark();
                    }
                }
                times
            })
        }
    });
    let mut items = VecDeque::with_capacity(N);
    for ping in 1..=PINGS {
        // Long enough for the task to park: with 10 microseconds the figures are the same.
        thread::sleep(Duration::from_micros(30));
        let item: Item = [now(); 6];
        items.extend([item; N]);
        P::send_all(&mut tx, &mut items);
        while taken.load(Ordering::Acquire) < ping * N {
            thread::park();
        }
    }
    drop(tx);
    let mut times = consumer.join().expect("the consumer counts to the end");
    times.sort_unstable();
    times[times.len() / 2] as f64
}

const _: () = assert!(BURST <= CAPACITY);
