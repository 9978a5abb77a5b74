//! Nothing waits for lookups that are under way: not the end of a process, of a runtime, of a
//! stream.
//!
//! How long each takes is measured several times and printed. The quickest says whether there is a
//! wait in it; the others say how busy the machine was, and are held to be done at all.
#![cfg(target_os = "linux")]

mod support;

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, UdpSocket};
use std::process::Stdio;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use outrace::{LookupStream, Resolver};
use support::Nameserver;

const PENDING: u64 = 1_000;
/// What is not done by then never will be.
const PATIENCE: Duration = Duration::from_secs(20);

/// Set in the child of the test of the same name.
const CHILD: &str = "OUTRACE_TEST_CHILD";

/// A nameserver that never says anything, and a resolver that asks it.
fn silence() -> (UdpSocket, Resolver) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let resolver = Resolver::builder()
        .without_system_configuration()
        .nameservers([socket.local_addr().unwrap()])
        .timeout(Duration::from_secs(30))
        .build();
    (socket, resolver)
}

fn names() -> impl Iterator<Item = (String, u16)> {
    (0..PENDING).map(|n| (format!("n{n}.example.test"), 80))
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "{what}: not so after {PATIENCE:?}");
        std::thread::yield_now();
    }
}

/// Measures something several times, and asserts that it can be as quick as it should be.
#[track_caller]
fn assert_quick(what: &str, limit: Duration, measure: impl FnMut() -> Duration) {
    let mut times: Vec<_> = std::iter::repeat_with(measure).take(9).collect();
    times.sort_unstable();
    let (quickest, median, slowest) = (times[0], times[4], times[8]);
    println!("{what}: quickest {quickest:?}, median {median:?}, slowest {slowest:?}");
    assert!(quickest < limit, "{what} takes {quickest:?} at the least");
}

#[test]
fn ca02_a_stream_dropped_in_flight_closes_its_socket_within_ten_milliseconds() {
    let nameserver = Nameserver::start("* * -> drop");
    let resolver =
        Resolver::builder().without_system_configuration().nameservers([nameserver.addr()]).build();
    let mut asked = 0;
    assert_quick("a socket is closed after the drop", Duration::from_millis(10), || {
        let mut results = resolver.lookup((format!("n{asked}.example.test"), 80));
        assert_eq!(results.next().now_or_never(), None, "nothing has come yet");
        asked += 2;
        let port = nameserver.journal().wait_for(asked)[asked - 1].source.port();
        assert!(is_open(port), "the port that the query came from");
        let began = Instant::now();
        drop(results);
        wait_until("the socket is closed", || !is_open(port));
        began.elapsed()
    });
    wait_until("the gauge says so too", || resolver.stats().open_sockets == 0);
}

/// Whether a socket is bound to this port. (The table in /proc is read in pieces, and lacks sockets
/// while others come and go.)
fn is_open(port: u16) -> bool {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_err()
}

/// curl, among others, waits in its exit for threads in getaddrinfo.
#[test]
fn b43_a_process_with_a_thousand_pending_lookups_ends_at_once() {
    if std::env::var_os(CHILD).is_some() {
        let (_socket, resolver) = silence();
        let mut pending: Vec<LookupStream> = names().map(|name| resolver.lookup(name)).collect();
        for results in &mut pending {
            assert_eq!(results.next().now_or_never(), None, "nothing has come yet");
        }
        wait_until("all have begun", || resolver.stats().lookups == PENDING);
        // Nothing is dropped: as in a process whose main returns.
        std::mem::forget((pending, resolver));
        println!("\nall have begun");
        return;
    }
    let test = "b43_a_process_with_a_thousand_pending_lookups_ends_at_once";
    let Some(mut copy) = support::copy_of_this_process(test) else { return };
    copy.env(CHILD, "").stdout(Stdio::piped());
    assert_quick("a process ends", Duration::from_millis(100), || {
        let mut child = copy.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap() == "all have begun"), "the child failed");
        let began = Instant::now();
        assert!(child.wait().unwrap().success());
        began.elapsed()
    });
}

#[test]
fn b43_a_runtime_with_a_thousand_pending_lookups_is_dropped_at_once() {
    assert_quick("a runtime is dropped", Duration::from_millis(50), || {
        let (_socket, resolver) = silence();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        for name in names() {
            let mut results = resolver.lookup(name);
            runtime.spawn(async move { results.next().await });
        }
        wait_until("all have begun", || resolver.stats().lookups == PENDING);
        let began = Instant::now();
        drop(runtime);
        let took = began.elapsed();
        wait_until("the sockets are closed", || resolver.stats().open_sockets == 0);
        took
    });
}

#[test]
fn b42_a_thousand_lookups_that_hang_leave_the_blocking_pool_free() {
    let (_socket, resolver) = silence();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .max_blocking_threads(1)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        for name in names() {
            let mut results = resolver.lookup(name);
            tokio::spawn(async move { results.next().await });
        }
        while resolver.stats().lookups < PENDING {
            tokio::task::yield_now().await;
        }
        let blocking = tokio::task::spawn_blocking(|| "free");
        assert_eq!(tokio::time::timeout(PATIENCE, blocking).await.unwrap().unwrap(), "free");
    });
}
