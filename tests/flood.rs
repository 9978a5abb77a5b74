//! Nothing is left of unanswered lookups. One test alone, as it counts the files, the
//! threads and the memory of the whole process.
#![cfg(target_os = "linux")]

use std::fs;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use outrace::{LookupErrorKind, LookupResult, Resolver};

/// `OUTRACE_TIMEOUTS` sets another number.
const TIMEOUTS: usize = 20_000;
/// As many before that, for what a process allocates once.
const WARM_UP: usize = 10_000;
const WAVE: usize = 200;
const PENDING: usize = 1_000;

#[test]
fn b37_b44_ca06_timeouts_and_a_resolver_that_is_dropped_leave_nothing() {
    // It is not read: its buffer fills, and further datagrams are lost.
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let before = (open_files(), resolver_threads());
    assert_eq!(before.1, 0);
    let builder = Resolver::builder()
        .without_system_configuration()
        .nameservers([silent.local_addr().unwrap()]);

    let resolver = builder.clone().timeout(Duration::from_millis(1)).build();
    time_out(&resolver, WARM_UP);
    let warm = (open_files(), resident_kib());
    let count = std::env::var("OUTRACE_TIMEOUTS").map_or(TIMEOUTS, |text| text.parse().unwrap());
    let began = Instant::now();
    time_out(&resolver, count);
    let (files, kib) = (open_files(), resident_kib());
    println!(
        "{count} timeouts in {:?}: files {} -> {files}, KiB {} -> {kib}",
        began.elapsed(),
        warm.0,
        warm.1
    );
    assert_eq!(files, warm.0, "no file is left open");
    assert_eq!(resolver.stats().open_sockets, 0);
    // A lost lookup would be some hundred octets, so twenty thousand of them some megabytes.
    assert!(kib < warm.1 + 1024, "memory grew from {} to {kib} KiB", warm.1);
    assert_eq!(resolver_threads(), 1, "one thread, however many lookups");

    // The last handle and the last stream gone, with a thousand lookups under way.
    drop(resolver);
    wait_until("the thread has ended", || resolver_threads() == 0);
    let resolver = builder.timeout(Duration::from_secs(30)).build();
    let mut pending: Vec<_> =
        (0..PENDING).map(|n| resolver.lookup((format!("n{n}.example.test"), 80))).collect();
    for results in &mut pending {
        assert_eq!(results.next().now_or_never(), None, "nothing has come yet");
    }
    wait_until("all have begun", || resolver.stats().lookups == PENDING as u64);
    assert_eq!(resolver_threads(), 1);
    let began = Instant::now();
    drop((resolver, pending));
    wait_until("the thread has ended", || resolver_threads() == 0);
    println!("the thread ended {:?} after the drop", began.elapsed());
    assert_eq!(open_files(), before.0, "nothing is left open");
}

/// Makes so many lookups, in waves, that all time out.
fn time_out(resolver: &Resolver, count: usize) {
    for wave in (0..count).step_by(WAVE) {
        let mut pending: Vec<_> = (wave..wave + WAVE)
            .map(|n| resolver.lookup((format!("n{n}.example.test"), 80)))
            .collect();
        for results in &mut pending {
            drop(results.next().now_or_never());
        }
        for results in pending {
            let last = results.into_blocking_iter().last();
            assert!(last.as_ref().is_none_or(is_overdue), "{last:?}");
        }
    }
}

/// Waits for it, but not for ever.
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(20), "{what}: not so after 20 s");
        std::thread::yield_now();
    }
}

/// How many files this process has open, apart from the one that counts them.
fn open_files() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count() - 1
}

fn resolver_threads() -> usize {
    let names = fs::read_dir("/proc/self/task").unwrap().filter_map(|task| {
        // It may have ended meanwhile.
        fs::read_to_string(task.ok()?.path().join("comm")).ok()
    });
    // The kernel keeps fifteen octets of a name.
    names.filter(|name| name.starts_with("outrace-resolv")).count()
}

fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// A millisecond may be over before a query's turn has come.
fn is_overdue(result: &LookupResult) -> bool {
    let LookupResult::End(Err(error)) = result else { return false };
    matches!(error.kind(), LookupErrorKind::Timeout | LookupErrorKind::Overloaded)
}
