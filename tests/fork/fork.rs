//! CA09 (T24): a process that is forked off while lookups are under way looks names up as well, or
//! is told at once that it cannot; and the parent does not notice. AT01: it connects as well, and it
//! does both if it was forked off in the middle of the first use.
//!
//! Without the test harness, whose threads would be one more thing to be copied in the middle of
//! something. `OUTRACE_SEED` plays the moments again, as far as threads can be played again.

#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
#[path = "../support/mod.rs"]
mod support;

#[cfg(unix)]
#[allow(dead_code, reason = "other tests use other parts")]
#[path = "../../src/seeded.rs"]
mod seeded;

#[cfg(unix)]
mod child;

#[cfg(unix)]
fn main() {
    unix::main();
}

#[cfg(unix)]
mod unix {
    use std::net::{SocketAddr, TcpListener};
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::{Context, Poll, Waker};
    use std::time::{Duration, Instant, SystemTime};

    use super::seeded::Random;
    use futures_util::{FutureExt, Stream};
    use nix::sys::wait::{WaitStatus, waitpid};
    use nix::unistd::{ForkResult, Pid, fork};
    use outrace::happy_eyeballs::{ConnectOptions, connect_results};
    use outrace::resolve::CacheOptions;
    use outrace::{LookupErrorKind, LookupResult, LookupStream, Resolver};

    use super::child::status_of;
    use super::support::Nameserver;

    /// `OUTRACE_FORKS` sets another number.
    const FORKS: u64 = 200;
    /// Unanswered lookups, pending in the parent at each fork.
    const PENDING: usize = 20;
    /// What a lookup in the child may take.
    const LIMIT: Duration = Duration::from_secs(1);
    /// After this the child hangs. It makes some lookups, on a machine that may be busy.
    const PATIENCE: Duration = Duration::from_secs(10);

    const SCRIPT: &str = "
        www.example.test.     A    -> answer 192.0.2.1
        www.example.test.     AAAA -> answer 2001:db8::1
        many.example.test.    A    -> answer 192.0.2.1-192.0.2.60
        many.example.test.    AAAA -> nodata
        *.hang.example.test.  *    -> drop
    ";

    /// First uses that a child is forked off in the middle of.
    const FIRST_USES: u64 = 100;

    pub(super) fn main() {
        let nanos = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos();
        let seed = number("OUTRACE_SEED").unwrap_or(nanos as u64);
        let forks = number("OUTRACE_FORKS").unwrap_or(FORKS);
        println!("CA09, AT01: {forks} forks, OUTRACE_SEED={seed}");
        let mut random = Random::new(seed);
        first_use(&mut random, seed);
        let listener = TcpListener::bind("0.0.0.0:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let options = ConnectOptions::default();
        let nameserver = Nameserver::start(SCRIPT);
        let hosts = concat!(env!("CARGO_MANIFEST_DIR"), "/hosts");
        let resolver = Resolver::builder()
            .without_system_configuration()
            .hosts(hosts)
            .nameservers([nameserver.addr()])
            .timeout(Duration::from_secs(30))
            // Every answer goes through the cache's locks and none is kept, or there would soon be
            // nothing left to ask.
            .cache(CacheOptions::new().max_ttl(Duration::ZERO))
            .build();
        let is_over = AtomicBool::new(false);
        let (mut slowest, mut slowest_after) = (Duration::ZERO, Duration::ZERO);
        std::thread::scope(|scope| {
            // Two threads keep the resolver, its queues and their locks busy at every moment.
            for name in ["www.example.test", "many.example.test"] {
                let (resolver, is_over) = (&resolver, &is_over);
                scope.spawn(move || {
                    while !is_over.load(Ordering::Relaxed) {
                        assert_success(resolver, name);
                    }
                });
            }
            // Others connect, to new networks each time, so that the system is asked for its own
            // address at any moment, and one accepts.
            let (resolver, is_over, options, listener) = (&resolver, &is_over, &options, &listener);
            for thread in 0..2 {
                scope.spawn(move || {
                    for network in (0..=u8::MAX).cycle() {
                        if is_over.load(Ordering::Relaxed) {
                            break;
                        }
                        connect([thread, network], options, port).expect("a listener");
                    }
                });
            }
            scope.spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    drop(listener.accept().expect("a connection"));
                }
            });
            // However the rounds end, so do these threads.
            let stop = Stop { is_over, listener: listener.local_addr().unwrap() };
            for round in 0..forks {
                let mut pending: Vec<_> = (0..PENDING)
                    .map(|n| resolver.lookup((format!("r{round}n{n}.hang.example.test"), 80)))
                    .collect();
                for stream in &mut pending {
                    assert_eq!(stream.next().now_or_never(), None, "nothing has come yet");
                }
                // One whose results are on their way, so that its lock may be held by the thread.
                let mut busy = resolver.lookup("many.example.test:80");
                let first = busy.next().now_or_never();
                pause(&mut random);
                let began = Instant::now();
                // SAFETY: other threads run, so the child may only use what does not depend on what
                // they were doing. That it may use outrace is what this test is about: its locks
                // that another thread may hold are not taken in the child. Memory is allocated with
                // glibc's malloc, which is made to work after a fork. The child does not return
                // from here: it ends with `_exit`.
                match unsafe { fork() }.expect("a child") {
                    ForkResult::Child => {
                        let code = child(resolver, pending, busy, round);
                        let connects = || connect([3, round as u8], options, port).is_ok();
                        exit(if code == 0 && !connects() { 40 } else { code });
                    }
                    ForkResult::Parent { child } => wait(child, began, seed, round),
                }
                slowest = slowest.max(began.elapsed());
                // The parent goes on: what was pending is, what was under way comes, and more with
                // it.
                for stream in &mut pending {
                    assert_eq!(stream.next().now_or_never(), None, "still pending");
                }
                let first = first.into_iter().flatten();
                let results: Vec<_> = first.chain(busy.into_blocking_iter()).collect();
                assert_eq!(results.last(), Some(&LookupResult::End(Ok(()))), "{results:?}");
                assert_eq!(results.len(), 62, "60 addresses, the name, the end");
                let began = Instant::now();
                assert_success(resolver, "www.example.test");
                slowest_after = slowest_after.max(began.elapsed());
            }
            drop(stop);
        });
        println!(
            "slowest child {slowest:?}, slowest lookup of the parent after it {slowest_after:?}"
        );
        println!("test result: ok. 1 passed; 0 failed");
    }

    struct Stop<'a> {
        is_over: &'a AtomicBool,
        listener: SocketAddr,
    }

    impl Drop for Stop<'_> {
        fn drop(&mut self) {
            self.is_over.store(true, Ordering::Relaxed);
            // The last one that is accepted.
            drop(std::net::TcpStream::connect(self.listener));
        }
    }

    /// A child that has never looked anything up does so for the first time in one thread, and forks
    /// in another.
    fn first_use(random: &mut Random, seed: u64) {
        for round in 0..FIRST_USES {
            let spins = random.below(0..6_000);
            let began = Instant::now();
            // SAFETY: no other thread runs yet.
            match unsafe { fork() }.expect("a child") {
                ForkResult::Child => exit(first_use_in_child(spins)),
                ForkResult::Parent { child } => wait(child, began, seed, round),
            }
        }
    }

    fn first_use_in_child(spins: u64) -> i32 {
        let localhost = || {
            let results = Resolver::system().lookup("localhost:80").into_blocking_iter();
            results.last() == Some(LookupResult::End(Ok(())))
        };
        let first = std::thread::spawn(localhost);
        for _ in 0..spins {
            std::hint::spin_loop();
        }
        // SAFETY: as in `main`: the child uses outrace alone, and ends with `_exit`.
        match unsafe { fork() } {
            Ok(ForkResult::Child) => {
                // Its parent waits for it, even if it hangs.
                nix::unistd::alarm::set(5);
                exit(if localhost() { 0 } else { 50 })
            }
            Ok(ForkResult::Parent { child }) => match waitpid(child, None) {
                Ok(WaitStatus::Exited(_, 0)) if first.join().is_ok_and(|found| found) => 0,
                _ => 51,
            },
            Err(_) => 52,
        }
    }

    /// Connects to the first of some loopback addresses, each in a network of its own, in a runtime
    /// of its own.
    fn connect([thread, network]: [u8; 2], options: &ConnectOptions, port: u16) -> Result<(), i32> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|_| 41)?;
        let addr = |n| LookupResult::Address(([127, 8 * thread + n, network, 1], port).into());
        let results = (0..8).map(addr).chain([LookupResult::End(Ok(()))]);
        let connection = connect_results(futures_util::stream::iter(results), options);
        runtime.block_on(connection).map(drop).map_err(|_| 42)
    }

    fn number(name: &str) -> Option<u64> {
        std::env::var(name).ok().map(|text| text.parse().expect("a number"))
    }

    #[track_caller]
    fn assert_success(resolver: &Resolver, name: &str) {
        let results: Vec<_> = resolver.lookup((name, 80)).into_blocking_iter().collect();
        assert_eq!(results.last(), Some(&LookupResult::End(Ok(()))), "{results:?}");
    }

    /// What the child does. Nothing is printed and nothing panics here: both take locks that a
    /// thread of the parent may have held. The code says what went wrong.
    fn child(
        resolver: &Resolver,
        mut pending: Vec<LookupStream>,
        mut busy: LookupStream,
        round: u64,
    ) -> i32 {
        // What the parent started never ends here, so it says so: to who polls, who cancels, who
        // waits.
        for (n, stream) in pending.iter_mut().enumerate().skip(2) {
            if n % 2 == 0 {
                stream.cancel();
            }
            match poll(stream) {
                Poll::Ready(Some(LookupResult::End(Err(e))))
                    if e.kind() == LookupErrorKind::ResolverGone => {}
                _ => return 10,
            }
            if !matches!(poll(stream), Poll::Ready(None)) {
                return 11;
            }
        }
        let last = pending.swap_remove(1).into_blocking_iter().last();
        if !matches!(last, Some(LookupResult::End(Err(_)))) {
            return 12;
        }
        // Dropped as it is.
        drop(pending);
        // What had arrived before the fork may still come, then the end.
        let mut ends = 0;
        while let Poll::Ready(Some(result)) = poll(&mut busy) {
            ends += usize::from(matches!(result, LookupResult::End(_)));
        }
        if ends != 1 {
            return 13;
        }
        let addrs = |name: &str| addrs(resolver, name);
        if addrs("192.0.2.9") != Some(vec![([192, 0, 2, 9], 80).into()]) {
            return 20;
        }
        if addrs("known.example.test") != Some(vec![([192, 0, 2, 77], 80).into()]) {
            return 21;
        }
        if addrs("localhost").is_none_or(|addrs| addrs.len() != 2) {
            return 22;
        }
        for _ in 0..2 {
            if addrs("www.example.test").is_none_or(|addrs| addrs.len() != 2) {
                return 23;
            }
        }
        // A stream of this process that was not polled in the parent is this process's own.
        if addrs("many.example.test").is_none_or(|addrs| addrs.len() != 60) {
            return 24;
        }
        // And a child of the child.
        if round.is_multiple_of(20) {
            let mut stream = resolver.lookup("child.hang.example.test:80");
            if poll(&mut stream).is_ready() {
                return 30;
            }
            // SAFETY: as above, and the only other thread is the resolver's.
            match unsafe { fork() } {
                Ok(ForkResult::Child) => {
                    let ended =
                        matches!(poll(&mut stream), Poll::Ready(Some(LookupResult::End(_))));
                    let found = addrs("www.example.test").is_some_and(|addrs| addrs.len() == 2);
                    exit(if ended && found { 0 } else { 31 });
                }
                Ok(ForkResult::Parent { child }) => match waitpid(child, None) {
                    Ok(WaitStatus::Exited(_, 0)) => {}
                    _ => return 32,
                },
                Err(_) => return 33,
            }
            if poll(&mut stream).is_ready() {
                return 34;
            }
        }
        0
    }

    fn poll(stream: &mut LookupStream) -> Poll<Option<LookupResult>> {
        std::pin::Pin::new(stream).poll_next(&mut Context::from_waker(Waker::noop()))
    }

    /// The addresses of a lookup that succeeds in time.
    fn addrs(resolver: &Resolver, name: &str) -> Option<Vec<SocketAddr>> {
        let (mut addrs, began) = (Vec::new(), Instant::now());
        for result in resolver.lookup((name, 80)).into_blocking_iter() {
            match result {
                LookupResult::Address(addr) => addrs.push(addr),
                LookupResult::CanonicalName(_) => {}
                LookupResult::End(Ok(())) => return (began.elapsed() < LIMIT).then_some(addrs),
                LookupResult::End(Err(_)) => return None,
            }
        }
        None
    }

    /// Ends the process here, without running what the parent left to run at its end.
    fn exit(code: i32) -> ! {
        // SAFETY: it has no precondition.
        unsafe { nix::libc::_exit(code) }
    }

    /// Waits for the child, and not for ever.
    fn wait(child: Pid, began: Instant, seed: u64, round: u64) {
        match status_of(child, PATIENCE.saturating_sub(began.elapsed())) {
            Some(WaitStatus::Exited(_, 0)) => {}
            None => panic!("the child of round {round} hangs, OUTRACE_SEED={seed}"),
            Some(status) => panic!("the child of round {round}: {status:?}, OUTRACE_SEED={seed}"),
        }
    }

    /// Up to a millisecond or so, in which the other threads come to any point of their work.
    fn pause(random: &mut Random) {
        for _ in 0..random.below(0..100_000) {
            std::hint::spin_loop();
        }
    }
}
