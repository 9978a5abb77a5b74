//! What races do to the table of open files: nothing that stays, and nothing silly when it is full.
//! One test alone, as it counts and limits the files of the whole process.
#![cfg(target_os = "linux")]

mod support;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use futures_util::{FutureExt, StreamExt, stream};
use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};
use outrace::happy_eyeballs::{ConnectErrorKind, ConnectOptions, connect_results};
use outrace::{LookupErrorKind, LookupOptions, LookupResult, Resolver, futex_queue};
use support::{Behaviour, Nameserver, Web};

#[test]
fn he80_co03_co05_at09_rr21_open_files() {
    let places = [Behaviour::BlackHole, Behaviour::Refuse, Behaviour::Serve];
    let ips = (1..).map(|last| Ipv4Addr::new(127, 0, 0, last).into());
    let web = Web::start(ips.clone().zip(places));
    let addrs: Vec<_> = ips.take(3).map(|ip| SocketAddr::new(ip, web.port())).collect();
    let race = || {
        let results: Vec<_> = addrs.iter().copied().map(LookupResult::Address).collect();
        connect_results(stream::iter(results), &ConnectOptions::default())
    };
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().unwrap();

    let before = open_files();
    runtime.block_on(async {
        let winners = futures_util::future::join_all((0..10).map(|_| race())).await;
        assert!(winners.iter().all(|winner| winner.as_ref().unwrap().1.addr() == addrs[2]));
        // The server shares this process: wait until its ends are there before counting.
        web.wait_until("ten connections", |visits| visits.open() == 10);
        assert_eq!(open_files(), before + 20, "ten winners and their peers, and no loser");
    });
    web.wait_until("the winners are gone", |visits| visits.open() == 0);
    assert_eq!(open_files(), before, "nothing is left");

    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, 0, hard).unwrap();
    let full = runtime.block_on(race()).unwrap_err();
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard).unwrap();
    assert_eq!(full.kind(), ConnectErrorKind::Resources, "{full:#}");
    let starts: Vec<_> = full.attempts().iter().map(|attempt| attempt.started).collect();
    let delay = Duration::from_millis(250);
    assert!(starts.windows(2).all(|pair| pair[1] >= pair[0] + delay), "no list is burnt: {full:#}");

    assert!(runtime.block_on(race()).is_ok(), "and it heals");
    // A server that has yet to accept the connection would have no descriptor for it below.
    web.wait_until("the last winner is gone", |visits| {
        visits.connections.len() == 11 && visits.open() == 0
    });
    at09_without_a_thread_every_way_to_look_up_says_the_same(soft, hard);
    let few = rlim_t::try_from(open_files() + 64).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, few, hard).unwrap();
    runtime.block_on(rr21_a_burst_of_lookups_leaves_descriptors_to_the_program());
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard).unwrap();
}

/// There are 64 descriptors, and four hundred lookups that take a while.
async fn rr21_a_burst_of_lookups_leaves_descriptors_to_the_program() {
    let nameserver = Nameserver::start("* * -> delay 300ms, answer 192.0.2.1 2001:db8::1");
    let resolver = Resolver::builder()
        .without_system_configuration()
        .nameservers([nameserver.addr()])
        .cache(None)
        .build();
    let lookups = (0..400).map(|n| resolver.lookup((format!("n{n}.example"), 80)).collect());
    let lookups: futures_util::stream::FuturesUnordered<_> = lookups.collect();
    let mut ended = lookups.map(|results: Vec<_>| {
        assert_eq!(results.last(), Some(&LookupResult::End(Ok(()))));
        let own: Vec<_> = (0..30).map(|_| std::fs::File::open("/dev/null")).collect();
        assert!(own.iter().all(Result::is_ok), "{:?}", own.last());
    });
    assert!(ended.next().await.is_some());
    assert_eq!(ended.count().await, 399);
    assert!(resolver.stats().open_sockets <= 16);
}

/// The resolver's thread has not been started, and needs two descriptors at least.
fn at09_without_a_thread_every_way_to_look_up_says_the_same(soft: rlim_t, hard: rlim_t) {
    let resolver = Resolver::builder()
        .without_system_configuration()
        .nameservers([(Ipv4Addr::LOCALHOST, 53).into()])
        .build();
    let (putter, mut getter) = futex_queue::bounded(4);
    setrlimit(Resource::RLIMIT_NOFILE, 0, hard).unwrap();
    let polled: Vec<_> = resolver.lookup("www.example:80").collect().now_or_never().unwrap();
    let waited: Vec<_> = resolver.lookup("www.example:80").into_blocking_iter().collect();
    resolver.lookup_into("www.example:80", &LookupOptions::default(), putter, ());
    let queued: Vec<_> =
        std::iter::from_fn(|| getter.blocking_get_one(None).ok()).map(|((), r)| r).collect();
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard).unwrap();
    let end = [LookupResult::End(Err(LookupErrorKind::Resources.into()))];
    assert_eq!([&polled[..], &waited, &queued], [&end[..]; 3]);
}

/// How many files this process has open, apart from the one that counts them.
fn open_files() -> u64 {
    let count = std::fs::read_dir("/proc/self/fd").unwrap().count();
    u64::try_from(count).unwrap() - 1
}
