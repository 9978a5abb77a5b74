//! Answers that are remembered and shared, on real sockets: what the nameserver was asked is the
//! proof.

use std::time::Duration;

use crate::support::Nameserver;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use outrace::resolve::CacheOptions;
use outrace::{HostName, LookupResult, LookupStream, Resolver, ResolverBuilder};

const SCRIPT: &str = "
    www.example.test.   A    -> answer 192.0.2.1 ttl 300
    www.example.test.   AAAA -> answer 2001:db8::1 ttl 300
    halves.example.test. A    -> answer 192.0.2.2 ttl 0
    halves.example.test. AAAA -> delay 200ms, answer 2001:db8::2 ttl 0
    dead.example.test.  *    -> servfail
";

fn builder(nameserver: &Nameserver) -> ResolverBuilder {
    Resolver::builder().without_system_configuration().nameservers([nameserver.addr()])
}

async fn all(results: LookupStream) -> Vec<LookupResult> {
    results.collect().await
}

/// All results without a single wait.
fn at_once(results: LookupStream) -> Option<Vec<LookupResult>> {
    results.collect().now_or_never()
}

fn questions(nameserver: &Nameserver) -> usize {
    nameserver.barrier();
    nameserver.journal().queries().len()
}

#[tokio::test]
async fn cc01_a_known_name_is_answered_where_it_is_asked_without_a_query() {
    let nameserver = Nameserver::start(SCRIPT);
    let resolver = builder(&nameserver).build();
    let first = all(resolver.lookup("www.example.test:80")).await;
    let second =
        at_once(resolver.lookup("WWW.Example.Test:443")).expect("no poll of it is pending");
    let addrs = |results: &[LookupResult]| -> Vec<_> {
        let addr = |result: &LookupResult| match result {
            LookupResult::Address(addr) => Some(addr.ip()),
            _ => None,
        };
        let mut addrs: Vec<_> = results.iter().filter_map(addr).collect();
        addrs.sort();
        addrs
    };
    assert_eq!(addrs(&first), addrs(&second));
    assert_eq!(second.last(), Some(&LookupResult::End(Ok(()))));
    let name: HostName = "WWW.Example.Test".parse().unwrap();
    assert!(second.contains(&LookupResult::CanonicalName(name)), "in the caller's letters");
    assert_eq!(questions(&nameserver), 2);
    let stats = resolver.stats();
    assert_eq!((stats.cache_hits, stats.cache_misses, stats.cache_entries), (2, 2, 2));
    assert_eq!((stats.lookups, stats.pending_lookups), (1, 0));
}

#[tokio::test]
async fn without_a_cache_every_lookup_asks() {
    let nameserver = Nameserver::start(SCRIPT);
    let resolver = builder(&nameserver).cache(None).build();
    for _ in 0..3 {
        all(resolver.lookup("www.example.test:80")).await;
    }
    assert_eq!(questions(&nameserver), 6);
}

/// T05: a forger who can make a program ask the same question many times at once would have as
/// many chances. A TTL of 0 is no way around it, and neither is the option to keep nothing.
#[tokio::test]
async fn t05_a_thousand_equal_lookups_are_one_pair_of_queries() {
    for cache in [Some(CacheOptions::new()), None] {
        let nameserver = Nameserver::start(SCRIPT);
        let resolver = builder(&nameserver).cache(cache).build();
        let mut lookups: FuturesUnordered<_> = (0..1000)
            .map(|_| resolver.lookup("halves.example.test:80").collect::<Vec<_>>())
            .collect();
        // The first one to have asked goes away with the second.
        let mut gone = [(); 2].map(|()| resolver.lookup("halves.example.test:80"));
        for lookup in &mut gone {
            lookup.next().now_or_never();
        }
        assert!(lookups.next().now_or_never().is_none(), "all have started, none has ended");
        drop(gone);
        while let Some(results) = lookups.next().await {
            assert_eq!(results.len(), 4, "{results:?}");
            assert_eq!(results.last(), Some(&LookupResult::End(Ok(()))));
        }
        let sent = |record_type| {
            nameserver.journal().queries_for("halves.example.test.", record_type).len()
        };
        assert_eq!(sent("A"), 1);
        // A slow machine may find 200 ms to be 250, and send the one question again.
        assert!((1..=3).contains(&sent("AAAA")), "{}", sent("AAAA"));
    }
}

#[tokio::test]
async fn a_coalesced_lookup_is_given_what_has_come_and_then_the_rest() {
    let nameserver = Nameserver::start(SCRIPT);
    let resolver = builder(&nameserver).build();
    let mut first = resolver.lookup("halves.example.test:80");
    assert!(matches!(first.next().await, Some(LookupResult::Address(addr)) if addr.is_ipv4()));
    let mut second = resolver.lookup("halves.example.test:80");
    assert!(matches!(second.next().await, Some(LookupResult::Address(addr)) if addr.is_ipv4()));
    drop(first);
    assert_eq!(all(second).await.len(), 3, "the name, the other address, the end");
    assert_eq!(nameserver.journal().queries_for("halves.example.test.", "A").len(), 1);
}

#[tokio::test]
async fn cc08_a_dead_name_is_not_asked_again_at_once() {
    let nameserver = Nameserver::start(SCRIPT);
    let resolver = builder(&nameserver).attempts(1).build();
    for _ in 0..100 {
        let results = all(resolver.lookup("dead.example.test:80")).await;
        assert!(matches!(results.last(), Some(LookupResult::End(Err(e))) if e.is_temporary()));
    }
    assert_eq!(questions(&nameserver), 2);
}

#[tokio::test]
async fn what_is_cleared_or_forgotten_is_asked_again() {
    let nameserver = Nameserver::start(SCRIPT);
    let resolver = builder(&nameserver).build();
    let lookup = || all(resolver.lookup("www.example.test:80"));
    lookup().await;
    resolver.forget(&"other.example.test".parse().unwrap());
    lookup().await;
    assert_eq!(questions(&nameserver), 2, "another name was forgotten");
    resolver.forget(&"www.example.test".parse().unwrap());
    lookup().await;
    assert_eq!(questions(&nameserver), 4);
    resolver.clear_cache();
    assert_eq!(resolver.stats().cache_entries, 0);
    lookup().await;
    assert_eq!(questions(&nameserver), 6);
}

#[tokio::test]
async fn a_stale_answer_comes_at_once_and_the_new_one_behind_it() {
    let nameserver = Nameserver::start(
        "www.example.test. A #1 -> answer 192.0.2.1 ttl 1
         www.example.test. A    -> answer 192.0.2.9 ttl 300
         www.example.test. AAAA -> nodata authority at example.test. soa 300",
    );
    let options = CacheOptions::new().serve_stale(Duration::from_secs(3600));
    let resolver = builder(&nameserver).cache(options).build();
    all(resolver.lookup("www.example.test:80")).await;
    let address = |results: &[LookupResult]| match results[0] {
        LookupResult::Address(addr) => addr.ip().to_string(),
        ref other => panic!("{other:?}"),
    };
    // Until its second is over it is fresh; then it is stale, and no nameserver is waited for: the
    // second answer is not there yet.
    while resolver.stats().cache_stale == 0 {
        let results = all(resolver.lookup("www.example.test:80")).await;
        assert_eq!(address(&results), "192.0.2.1");
    }
    nameserver.journal().wait_for(3);
    // Not at once while it is being put in: a reader does not wait for that, the thread finds it.
    while address(&all(resolver.lookup("www.example.test:80")).await) != "192.0.2.9" {}
    assert_eq!(questions(&nameserver), 3);
    assert_eq!(resolver.stats().cache_refreshes, 1);
}

const FOUR: [&str; 4] = ["192.0.2.1:80", "192.0.2.2:80", "192.0.2.3:80", "192.0.2.4:80"];

const CROWD: &str = "
    four.example.test.  A    -> answer 192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4 ttl 300
    four.example.test.  AAAA -> answer nodata soa 30
    half.example.test.  A    -> answer 192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4 ttl 300
    half.example.test.  AAAA -> answer nodata
    late.example.test.  A    -> delay 50ms, answer 192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4 ttl 0
    late.example.test.  AAAA -> delay 50ms, answer nodata soa 30
";

/// How often each of the four addresses came first.
fn firsts(lookups: &[Vec<LookupResult>]) -> [usize; 4] {
    FOUR.map(|addr| {
        let first = LookupResult::Address(addr.parse().unwrap());
        lookups.iter().filter(|results| results[0] == first).count()
    })
}

/// Callers dial the first address: each lookup that is given an answer starts one further.
#[tokio::test]
async fn cr12_lookups_are_spread_over_the_addresses_of_an_answer() {
    let nameserver = Nameserver::start(CROWD);
    let resolver = builder(&nameserver).build();
    // The answers to both questions are cached; one is, and the other is asked each time.
    for name in ["four.example.test", "half.example.test"] {
        let mut lookups = Vec::new();
        for _ in 0..22 {
            lookups.push(all(resolver.lookup((name, 80))).await);
        }
        let mut counts = firsts(&lookups);
        counts.sort_unstable();
        assert_eq!(counts, [5, 5, 6, 6], "{name}");
        assert_eq!(lookups[0][..4], FOUR.map(|addr| LookupResult::Address(addr.parse().unwrap())));
        assert!(lookups.iter().all(|results| results.len() == lookups[0].len()));
    }
}

#[tokio::test]
async fn cr12_so_are_lookups_that_wait_for_the_same_response() {
    let nameserver = Nameserver::start(CROWD);
    let resolver = builder(&nameserver).cache(None).build();
    let mut lookups = Vec::new();
    for _ in 0..2 {
        let waiting: FuturesUnordered<_> =
            (0..10).map(|_| all(resolver.lookup(("late.example.test", 80)))).collect();
        lookups.extend(waiting.collect::<Vec<_>>().await);
    }
    let mut counts = firsts(&lookups);
    counts.sort_unstable();
    assert_eq!(counts, [4, 4, 6, 6], "ten of each response");
}

#[tokio::test]
async fn cr12_an_order_that_is_kept_is_that_of_the_response() {
    let nameserver = Nameserver::start(CROWD);
    let resolver = builder(&nameserver).cache(CacheOptions::new().keep_order(true)).build();
    let mut lookups = Vec::new();
    for _ in 0..4 {
        lookups.push(all(resolver.lookup(("four.example.test", 80))).await);
    }
    assert_eq!(firsts(&lookups), [4, 0, 0, 0]);
}
