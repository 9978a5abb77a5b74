//! A program closes descriptors that are not its own, as one does that becomes a daemon. One test
//! alone, as it closes what the resolver thread has opened in this process.
#![cfg(target_os = "linux")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::RawFd;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use outrace::{LookupErrorKind, LookupOptions, LookupResult, LookupStream, Resolver};
use support::Nameserver;

/// For what must not take for ever.
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn at02_at12_closed_descriptors_end_the_lookups_and_the_next_one_starts_a_new_thread() {
    // So slow that no query is sent again while descriptors are closed.
    let nameserver = Nameserver::start(
        "www.example.test.    *  -> delay 200ms, answer 192.0.2.1
         *.hang.example.test. *  -> drop",
    );
    let before = open_files();
    let resolver = Resolver::builder()
        .without_system_configuration()
        .nameservers([nameserver.addr()])
        .timeout(PATIENCE * 2)
        .cache(None)
        .build();
    let all = &["eventpoll", "eventfd", "timerfd", "socket"][..];
    for (round, closed) in [&["eventpoll"], &["eventfd"], all].into_iter().enumerate() {
        assert_eq!(last(resolver.lookup("www.example.test:80")), LookupResult::End(Ok(())));
        let polled = pending(&resolver, &nameserver, &format!("polled{round}"));
        // This one blocks: the thread's end has to wake it.
        let waiting = pending(&resolver, &nameserver, &format!("waiting{round}"));
        let waiting = std::thread::spawn(move || last(waiting));
        close_own(&before, closed);
        let gone = LookupResult::End(Err(LookupErrorKind::ResolverGone.into()));
        // The thread may be in the middle of a turn, and take this one before it has to be woken.
        wait_until("the thread is gone", || last(resolver.lookup("www.example.test:80")) == gone);
        assert_eq!(last(polled), gone, "{closed:?}");
        assert_eq!(last(resolver.lookup("www.example.test:80")), LookupResult::End(Ok(())));
        wait_until("a blocked lookup ends", || waiting.is_finished());
        assert_eq!(waiting.join().unwrap(), gone, "{closed:?}");
        wait_until("the last thread has ended", || resolver_threads() == 1);
    }

    // Without its alarm the thread ends a lookup late, and then itself.
    let options = LookupOptions::default().timeout(Duration::from_millis(100));
    let results = pending_with(&resolver, &nameserver, "late", &options);
    close_own(&before, &["timerfd"]);
    let waiting = std::thread::spawn(move || last(results));
    wait_until("a deadline passes", || waiting.is_finished());
    assert!(matches!(waiting.join().unwrap(), LookupResult::End(Err(_))));
    wait_until("the thread has ended", || resolver_threads() == 0);
    assert_eq!(last(resolver.lookup("www.example.test:80")), LookupResult::End(Ok(())));
}

/// Closes the resolver's descriptors of these kinds: those that are new since `before`.
fn close_own(before: &BTreeMap<RawFd, String>, kinds: &[&str]) {
    for (fd, file) in open_files() {
        if before.get(&fd) != Some(&file) && kinds.iter().any(|kind| file.contains(kind)) {
            nix::unistd::close(fd).unwrap();
        }
    }
}

fn pending(resolver: &Resolver, nameserver: &Nameserver, name: &str) -> LookupStream {
    pending_with(resolver, nameserver, name, &LookupOptions::default())
}

/// A lookup whose queries have been sent: the thread does nothing with its descriptors just now.
fn pending_with(
    resolver: &Resolver,
    nameserver: &Nameserver,
    name: &str,
    options: &LookupOptions,
) -> LookupStream {
    let name = format!("{name}.hang.example.test.");
    let mut results = resolver.lookup_with((name.as_str(), 80), options);
    assert_eq!(results.next().now_or_never(), None, "nothing has come yet");
    wait_until("its queries have been sent", || {
        let has_come = |rtype| !nameserver.journal().queries_for(&name, rtype).is_empty();
        has_come("A") && has_come("AAAA")
    });
    results
}

fn last(results: LookupStream) -> LookupResult {
    results.into_blocking_iter().last().expect("every lookup has an end")
}

/// The open descriptors and what they are.
fn open_files() -> BTreeMap<RawFd, String> {
    let files = fs::read_dir("/proc/self/fd").unwrap().filter_map(|entry| {
        let path = entry.unwrap().path();
        let fd = path.file_name()?.to_str()?.parse().ok()?;
        // The one of this listing is closed again by now.
        Some((fd, fs::read_link(path).ok()?.to_str()?.to_owned()))
    });
    files.collect()
}

fn resolver_threads() -> usize {
    let names = fs::read_dir("/proc/self/task").unwrap().filter_map(|task| {
        // It may have ended meanwhile.
        fs::read_to_string(task.ok()?.path().join("comm")).ok()
    });
    // The kernel keeps fifteen octets of a name.
    names.filter(|name| name.starts_with("outrace-resolv")).count()
}

/// Waits for it, but not for ever.
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "{what}: not so after {PATIENCE:?}");
        std::thread::yield_now();
    }
}
