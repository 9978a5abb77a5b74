//! Calls that never come back: what they cost, and that nothing waits for them.
#![cfg(target_os = "linux")]

#[path = "../../support/mod.rs"]
mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::{FutureExt, StreamExt};
use outrace::{LookupResult, LookupStream, Resolver};
use outrace_nss::{PORT, World, assert_quick, wait_until};
use support::{Journal, Nameserver, copy_of_this_process};

/// Counts the bytes that are allocated.
struct Counting;

static ALLOCATED: AtomicUsize = AtomicUsize::new(0);

// SAFETY: the system's allocator does all of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        ALLOCATED.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(start, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Set in the child of a test.
const CHILD: &str = "OUTRACE_NSS_CHILD";

/// The names of the threads of this process.
fn threads() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").expect("the threads");
    let names = tasks.flatten().map(|task| fs::read_to_string(task.path().join("comm")));
    names.flatten().map(|name| name.trim_end().to_owned()).collect()
}

/// How many threads make calls.
fn callers() -> usize {
    threads().iter().filter(|name| *name == "outrace-gai").count()
}

/// The memory of this process that is resident, in KiB.
fn resident() -> f64 {
    let status = fs::read_to_string("/proc/self/status").expect("the status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

fn resolver() -> Resolver {
    Resolver::builder().timeout(Duration::from_secs(30)).build()
}

/// Begins lookups of the names `n{first}.LABEL.DOMAIN` and so on.
fn begin(resolver: &Resolver, names: std::ops::Range<usize>, below: &str) -> Vec<LookupStream> {
    let mut pending: Vec<_> =
        names.map(|n| resolver.lookup((format!("n{n}.{below}"), PORT))).collect();
    for results in &mut pending {
        assert_eq!(results.next().now_or_never(), None, "nothing has come yet");
    }
    pending
}

/// How long a child that runs `test` takes to end once it has said so.
fn ends_after(test: &str) -> Duration {
    let mut copy = copy_of_this_process(test).expect("a copy");
    let mut child = copy.env(CHILD, "").stdout(Stdio::piped()).spawn().expect("a child");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let is_last = |line: &str| line == "all hang";
    let said = lines.by_ref().map(|line| line.expect("text")).find(|line| {
        if line.starts_with("  ") {
            println!("{line}");
        }
        is_last(line)
    });
    let began = Instant::now();
    assert!(said.is_some(), "the child failed");
    assert!(child.wait().expect("a child").success());
    began.elapsed()
}

#[test]
fn os13_a_process_with_calls_that_hang_ends_at_once() {
    let Some(world) = World::with("files probe", "", "") else { return };
    if std::env::var_os(CHILD).is_some() {
        let resolver = Resolver::builder().system_threads(32).build();
        world.forget_module_calls();
        // Nothing is dropped: as in a process whose main returns.
        std::mem::forget(begin(&resolver, 0..16, "hang.probe"));
        wait_until("all hang", || world.module_calls().len() == 32);
        assert_eq!(resolver.stats().running_system_calls, 32);
        std::mem::forget(resolver);
        println!("\nall hang");
        return;
    }
    let test = "os13_a_process_with_calls_that_hang_ends_at_once";
    let times = (0..5).map(|_| ends_after(test));
    assert_quick("a process with 32 calls that hang ends", Duration::from_millis(50), times);
}

#[test]
fn os14_the_drop_of_a_resolver_waits_for_no_call_and_the_late_answers_free_everything() {
    let Some(world) = World::with("files probe", "", "") else { return };
    let (mut times, mut allocated) = (Vec::with_capacity(5), Vec::with_capacity(5));
    for _ in 0..5 {
        let resolver = resolver();
        world.forget_module_calls();
        let pending = begin(&resolver, 0..8, "gate.probe");
        wait_until("all wait", || world.module_calls().len() == 16);
        let began = Instant::now();
        drop(pending);
        drop(resolver);
        times.push(began.elapsed());
        wait_until("the resolver thread ends", || !threads().contains(&"outrace-resolve".into()));
        assert_eq!(callers(), 16, "no thread was waited for");
        let gate = std::env::var_os("OUTRACE_NSS_GATE").expect("it stands beside the directory");
        let gate = fs::OpenOptions::new().write(true).open(gate).expect("readers of it");
        wait_until("the calls come back", || callers() == 0);
        drop(gate);
        allocated.push(ALLOCATED.load(Ordering::Relaxed));
    }
    assert_quick("the drop", Duration::from_millis(1), times);
    println!("bytes allocated after each: {allocated:?}");
    assert_eq!(allocated[3], allocated[4], "something is left: {allocated:?}");
}

#[test]
fn ten_thousand_lookups_of_names_that_hang_cost_sixteen_threads_and_delay_no_other() {
    // The module is `mdns4` here, so that nameservers are asked for every name but those of
    // `local`.
    let world = World::with("files mdns4 dns", "nameserver 127.0.0.1\n", "");
    let Some(world) = world else { return };
    if std::env::var_os(CHILD).is_some() {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_all().build().expect("a runtime");
        return runtime.block_on(ten_thousand(&world));
    }
    let script = "*.example.test. A -> answer 198.51.100.1; *.example.test. AAAA -> nodata";
    let nameserver = "127.0.0.1:53".parse().expect("an address");
    let _nameserver = Nameserver::at(nameserver, script, &Journal::off());
    let test = "ten_thousand_lookups_of_names_that_hang_cost_sixteen_threads_and_delay_no_other";
    let times = (0..3).map(|_| ends_after(test));
    assert_quick("a process with 10,000 lookups that hang ends", Duration::from_millis(100), times);
}

async fn ten_thousand(world: &World) {
    const LOOKUPS: usize = 10_000;
    let resolver = resolver();
    let mut others = 0..;
    let mut measure = async |what| {
        let mut times = Vec::new();
        for n in others.by_ref().take(50) {
            let began = Instant::now();
            let mut results = resolver.lookup((format!("n{n}.example.test"), PORT));
            let first = results.next().await;
            times.push(began.elapsed());
            assert!(matches!(first, Some(LookupResult::Address(_))), "{first:?}");
        }
        assert_quick(what, Duration::from_micros(500), times);
    };
    measure("  an ordinary lookup before").await;
    // The module is loaded, and there are two threads.
    let plain: Vec<_> = resolver.lookup(("plain.local", PORT)).collect().await;
    assert_eq!(plain.last(), Some(&LookupResult::End(Ok(()))));
    world.forget_module_calls();

    let before = resident();
    let first = begin(&resolver, 0..8, "hang.local");
    wait_until("sixteen hang", || world.module_calls().len() == 16);
    let with_calls = resident();
    let rest = begin(&resolver, 8..LOOKUPS, "hang.local");
    wait_until("all wait", || resolver.stats().pending_lookups == LOOKUPS as u64);
    let with_all = resident();
    println!(
        "  {before} KiB; with 16 calls that hang {with_calls} KiB, {:.1} KiB for each; with {LOOKUPS} \
         lookups {with_all} KiB, {:.1} KiB for each",
        (with_calls - before) / 16.0,
        (with_all - with_calls) / (LOOKUPS - 8) as f64,
    );
    measure("  an ordinary lookup meanwhile").await;
    assert_eq!(resolver.stats().running_system_calls, 16);
    assert_eq!(world.module_calls().len(), 16, "the others wait");
    let threads = threads();
    let count = |start: &str| threads.iter().filter(|name| name.starts_with(start)).count();
    assert_eq!(count("outrace-gai"), 16, "{threads:?}");
    // One worker, and none of the blocking pool.
    assert_eq!(count("tokio"), 1, "{threads:?}");
    println!("  threads: {}", threads.join(" "));
    std::mem::forget((first, rest, resolver));
    println!("\nall hang");
}
