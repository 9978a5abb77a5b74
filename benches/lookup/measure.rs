//! What is measured of a contestant, in its own process; printed as `figure value` lines.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicIsize, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use super::contestant::Contestant;

const SEQUENTIAL: usize = 2000;
const CONCURRENT: usize = 10_000;
const BURST: usize = 30_000;
const LATE: usize = 3;
const PENDING: usize = 1000;
const MANY: usize = 200_000;

/// Runs one part of the measurements, and ends the process: what still hangs is not waited for.
pub fn part(part: &str, contestant: impl FnOnce() -> Contestant) -> ! {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let contestant = contestant();
        // On a worker, where a server's tasks run, and not on this thread, which would add a hop.
        let measurements = match part {
            "answered" => tokio::spawn(answered(contestant)),
            "burst" => tokio::spawn(burst(contestant)),
            "pending" => tokio::spawn(pending(contestant)),
            "many" => tokio::spawn(many(contestant)),
            _ => panic!("`{part}` is none of {PARTS:?}"),
        };
        measurements.await.expect("no panic");
    });
    std::process::exit(0);
}

/// What is measured with answers, in a burst, and without: threads that one part has left behind
/// would make the next look better. Then what is kept of very many names.
pub const PARTS: [&str; 4] = ["answered", "burst", "pending", "many"];

/// `raw` sends nothing again: it is the floor where nothing is lost.
pub fn takes_part(name: &str, part: &str) -> bool {
    (name, part) != ("raw", "burst")
}

async fn answered(contestant: Contestant) {
    warm_up(&contestant).await;
    sequential(&contestant).await;
    same_name(&contestant).await;
    for tasks in [64, 1000] {
        concurrent(&contestant, "at a time", tasks, CONCURRENT).await;
    }
    late(&contestant).await;
}

async fn warm_up(contestant: &Contestant) {
    for i in 0..100 {
        let found = contestant.lookup(&format!("warm-{i}.new.test.")).await;
        assert!(found.is_some(), "the nameserver answers");
    }
}

/// One lookup after the other, each of a name never asked for before.
async fn sequential(contestant: &Contestant) {
    let mut times = Vec::new();
    for i in 0..SEQUENTIAL {
        let name = format!("seq-{i}.new.test.");
        let start = Instant::now();
        let found = contestant.lookup(&name).await;
        times.push(start.elapsed());
        assert!(found.is_some(), "the nameserver answers");
    }
    times.sort();
    figure("sequential: median us", micros(times[times.len() / 2]));
    figure("sequential: 99th percentile us", micros(times[times.len() * 99 / 100]));
}

async fn same_name(contestant: &Contestant) {
    let mut times = Vec::new();
    for _ in 0..SEQUENTIAL {
        let start = Instant::now();
        contestant.lookup("same.new.test.").await;
        times.push(start.elapsed());
    }
    times.sort();
    figure("the same name: median us", micros(times[times.len() / 2]));
}

/// More lookups at once than the nameserver's socket has room for.
async fn burst(contestant: Contestant) {
    raise_file_limit();
    warm_up(&contestant).await;
    for tasks in [1000, 10_000] {
        concurrent(&contestant, "in a burst", tasks, BURST).await;
    }
}

/// So many tasks that look new names up, one after the other each.
async fn concurrent(contestant: &Contestant, what: &str, count: usize, lookups: usize) {
    let next = Arc::new(AtomicUsize::new(0));
    let (start, cpu) = (Instant::now(), cpu_time());
    let tasks: Vec<_> = (0..count)
        .map(|_| {
            let (next, contestant) = (Arc::clone(&next), contestant.clone());
            tokio::spawn(async move {
                let (mut times, mut failed) = (Vec::new(), 0);
                loop {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    if i >= lookups {
                        break (times, failed);
                    }
                    let start = Instant::now();
                    let found =
                        contestant.lookup(&format!("c{count}-{lookups}-{i}.new.test.")).await;
                    times.push(start.elapsed());
                    failed += u32::from(found.is_none());
                }
            })
        })
        .collect();
    let (mut times, mut failed) = (Vec::new(), 0);
    for task in tasks {
        let (of_task, failed_of_task) = task.await.expect("no panic");
        times.extend(of_task);
        failed += failed_of_task;
    }
    let (taken, cpu) = (start.elapsed(), cpu_time() - cpu);
    times.sort();
    figure(&format!("{count} {what}: CPU us each"), micros(cpu) / lookups as f64);
    figure(&format!("{count} {what}: lookups/s"), lookups as f64 / taken.as_secs_f64());
    let late = times[times.len() * 99 / 100];
    figure(&format!("{count} {what}: 99th percentile ms"), micros(late) / 1e3);
    figure(&format!("{count} {what}: failed"), f64::from(failed));
}

/// The AAAA response is 500 ms late.
async fn late(contestant: &Contestant) {
    let mut times = Vec::new();
    for i in 0..LATE {
        let first = contestant.lookup(&format!("late-{i}.late.test.")).await;
        times.push(first.expect("the nameserver answers"));
    }
    times.sort();
    figure("AAAA 500 ms late: first address ms", micros(times[LATE / 2]) / 1e3);
}

/// What lookups hold that no nameserver answers.
async fn pending(contestant: Contestant) {
    raise_file_limit();
    // What the first lookup starts is not the pending ones'.
    contestant.lookup("first.new.test.").await;
    COUNTING.store(true, Ordering::Relaxed);
    let before = (ALLOCATED.load(Ordering::Relaxed), entries("task"), entries("fd"));
    let tasks: Vec<_> = (0..PENDING)
        .map(|i| {
            let contestant = contestant.clone();
            tokio::spawn(async move { contestant.lookup(&format!("p{i}.mute.test.")).await })
        })
        .collect();
    // Long enough for all to be sent, and shorter than any timeout that ends one.
    tokio::time::sleep(Duration::from_millis(800)).await;
    let after = (ALLOCATED.load(Ordering::Relaxed), entries("task"), entries("fd"));
    let finished = tasks.iter().filter(|task| task.is_finished()).count();
    figure("1000 pending: heap bytes each", (after.0 - before.0) as f64 / PENDING as f64);
    figure("1000 pending: threads more", after.1 - before.1);
    figure("1000 pending: files more", after.2 - before.2);
    figure("1000 pending: failed already", finished as f64);
}

/// What is left of names that are never asked for again.
async fn many(contestant: Contestant) {
    contestant.lookup("first.new.test.").await;
    COUNTING.store(true, Ordering::Relaxed);
    let before = ALLOCATED.load(Ordering::Relaxed);
    let tasks: Vec<_> = (0..64)
        .map(|task| {
            let contestant = contestant.clone();
            tokio::spawn(async move {
                for i in (task..MANY).step_by(64) {
                    contestant.lookup(&format!("m{i}.new.test.")).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no panic");
    }
    let left = ALLOCATED.load(Ordering::Relaxed) - before;
    figure("200,000 names: heap MiB after", left as f64 / (1 << 20) as f64);
}

fn figure(name: &str, value: f64) {
    println!("{name}\t{value}");
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// The CPU time of all threads of this process, in the kernel too.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(time).expect("CPU time is not negative")
}

/// The number of entries of a directory of `/proc/self`.
fn entries(dir: &str) -> f64 {
    std::fs::read_dir(format!("/proc/self/{dir}")).map_or(f64::NAN, |dir| dir.count() as f64)
}

fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
        .expect("up to the hard limit");
}

/// The system's allocator, which counts bytes while [`COUNTING`] is set.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;
static COUNTING: AtomicBool = AtomicBool::new(false);
static ALLOCATED: AtomicIsize = AtomicIsize::new(0);

// SAFETY: both methods pass their arguments on to `System` unchanged; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size().cast_signed());
        // SAFETY: the caller keeps the contract of `alloc`, which is that of `System` too.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        count(-layout.size().cast_signed());
        // SAFETY: `ptr` came from `System`, since `alloc` above gave it.
        unsafe { System.dealloc(ptr, layout) }
    }
}

/// Off while CPU is measured: a shared counter would cost those most that allocate most.
fn count(bytes: isize) {
    if COUNTING.load(Ordering::Relaxed) {
        ALLOCATED.fetch_add(bytes, Ordering::Relaxed);
    }
}
