//! What comes of a lookup by the operating system, and when.

use std::time::{Duration, Instant};

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use outrace::resolve::{Source, SystemCause};
use outrace::{LookupError, LookupErrorKind, LookupResult, Resolver};
use outrace_nss::{End, Outcome, PORT, World, assert_quick, ours, theirs, wait_until};

fn world() -> Option<World> {
    let world = World::with("files probe", "", "")?;
    world.forget_module_calls();
    Some(world)
}

fn with_timeout(ms: u64) -> Resolver {
    Resolver::builder().timeout(Duration::from_millis(ms)).build()
}

async fn error_of(resolver: &Resolver, name: &str) -> LookupError {
    let results: Vec<_> = resolver.lookup((name, PORT)).collect().await;
    match results.into_iter().last() {
        Some(LookupResult::End(Err(error))) => error,
        last => panic!("no error: {last:?}"),
    }
}

#[tokio::test]
async fn os01_a_family_is_in_the_callers_hands_while_the_other_takes_three_seconds() {
    let Some(_world) = world() else { return };
    let resolver = with_timeout(10_000);
    let began = Instant::now();
    let mut results = resolver.lookup(("late6.probe", PORT));
    let first = results.next().await;
    let after = began.elapsed();
    assert_eq!(first, Some(LookupResult::Address(([192, 0, 2, 6], PORT).into())));
    let rest: Vec<_> = results.collect().await;
    let took = began.elapsed();
    println!("A after {after:?}, the end after {took:?}");
    assert!(after < Duration::from_secs(1), "not in its own time: {after:?}");
    assert!(took >= Duration::from_secs(3), "{took:?}");
    let v6 = LookupResult::Address("[2001:db8::6]:80".parse().unwrap());
    let canonical = LookupResult::CanonicalName("late6.probe".parse().unwrap());
    assert_eq!(rest, [canonical, v6, LookupResult::End(Ok(()))]);

    // By now there is a thread for it, and what it needs is loaded.
    let again = || {
        // None is held from the time before.
        let resolver = with_timeout(10_000);
        let mut results = resolver.lookup(("both.probe", PORT));
        let began = Instant::now();
        wait_until("an address", || results.next().now_or_never().is_some());
        began.elapsed()
    };
    let times = std::iter::repeat_with(again).take(5);
    assert_quick("an address by way of a module", Duration::from_millis(5), times);
}

#[tokio::test]
async fn os08_a_call_that_hangs_ends_its_lookup_at_the_deadline_and_delays_no_other() {
    let Some(_world) = world() else { return };
    let resolver = with_timeout(500);
    let mut others = (0..).map(|n| format!("n{n}.plain.probe"));
    let mut overdue = Vec::new();
    for n in 0..3 {
        let began = Instant::now();
        let mut hangs = resolver.lookup((format!("n{n}.hang.probe"), PORT));
        assert_eq!(hangs.next().now_or_never(), None);
        // Each time another, as what was found is held for a second.
        let times = others.by_ref().take(5).map(|name| {
            let began = Instant::now();
            let mut results = resolver.lookup((name, PORT));
            wait_until("the end", || {
                matches!(results.next().now_or_never(), Some(Some(LookupResult::End(_))))
            });
            began.elapsed()
        });
        assert_quick("another name", Duration::from_millis(5), times);
        let end = hangs.next().await;
        let took = began.elapsed();
        let Some(LookupResult::End(Err(error))) = end else { panic!("{end:?}") };
        assert_eq!(error.kind(), LookupErrorKind::Timeout);
        let causes: Vec<_> = error.system_failures().iter().map(|f| f.cause).collect();
        assert_eq!(causes, [SystemCause::Timeout; 2]);
        overdue.push(took.checked_sub(Duration::from_millis(500)).expect("not before"));
    }
    println!("after the deadline: {overdue:?}");
    assert!(overdue.iter().min() < Some(&Duration::from_millis(20)), "{overdue:?}");
}

#[tokio::test]
async fn os09_a_thousand_lookups_of_a_name_that_hangs_hold_two_threads() {
    let Some(world) = world() else { return };
    let resolver = with_timeout(1_000);
    let mut pending: FuturesUnordered<_> =
        (0..1_000).map(|_| error_of(&resolver, "hang.probe")).collect();
    assert!(pending.next().now_or_never().is_none(), "all wait");
    let mut ends = 0;
    while let Some(error) = pending.next().await {
        assert_eq!(error.kind(), LookupErrorKind::Timeout);
        ends += 1;
    }
    assert_eq!(ends, 1_000);
    assert_eq!(world.module_calls(), ["hang.probe v4", "hang.probe v6"]);
    let stats = resolver.stats();
    assert_eq!((stats.system_calls, stats.running_system_calls), (2, 2));
    // One that comes later joins them.
    assert_eq!(error_of(&resolver, "hang.probe").await.kind(), LookupErrorKind::Timeout);
    assert_eq!(world.module_calls().len(), 2);
}

#[tokio::test]
async fn os15_a_canonical_name_that_is_no_text_is_no_harm() {
    let Some(_world) = world() else { return };
    let resolver = with_timeout(5_000);
    assert_eq!(ours(&resolver, "bytes.probe").await, Outcome::of(&["192.0.2.9"]));
    assert_eq!(theirs("bytes.probe"), Outcome::of(&["192.0.2.9"]));
}

#[tokio::test]
async fn os16_a_link_local_address_has_the_scope_that_a_call_for_both_families_gives() {
    let Some(world) = world() else { return };
    let resolver = with_timeout(5_000);
    assert_eq!(ours(&resolver, "scoped.probe").await, Outcome::of(&["fe80::1234%lo"]));
    assert_eq!(world.module_calls(), ["scoped.probe both", "scoped.probe v4", "scoped.probe v6"]);
    assert_eq!(theirs("scoped.probe"), Outcome::of(&["fe80::1234%lo"]));
    assert_eq!(resolver.stats().link_local, 0);

    let error = error_of(&resolver, "unscoped.probe").await;
    assert_eq!(error.kind(), LookupErrorKind::NoAddress, "no connection can be made to it");
    assert_eq!(resolver.stats().link_local, 1);
}

#[tokio::test]
async fn os17_both_families_are_found_where_there_is_loopback_alone() {
    let Some(world) = world() else { return };
    for source in [Source::Auto, Source::System] {
        let resolver = Resolver::builder().source(source).build();
        for name in ["plain.probe", "v4only.probe", "many.probe", "n1.both.probe", "BOTH.Probe"] {
            // Names, and the order in each family.
            assert_eq!(ours(&resolver, name).await, theirs(name), "{name}");
        }
        let many = ["192.0.2.12", "192.0.2.11", "2001:db8::13", "192.0.2.13", "2001:db8::11"];
        assert_eq!(ours(&resolver, "many.probe").await, Outcome::of(&many));
    }
    // What the hosts file blocks in one family is not found in the other by the module: the C
    // library would ask on.
    world.write("hosts", "0.0.0.0 plain.probe\n");
    world.forget_module_calls();
    for source in [Source::Auto, Source::System] {
        let resolver = Resolver::builder().source(source).build();
        assert_eq!(ours(&resolver, "plain.probe").await, Outcome::of(&["0.0.0.0"]));
    }
    assert_eq!(world.module_calls(), [""; 0]);
}

#[tokio::test]
async fn errors_are_those_of_the_c_library() {
    let Some(_world) = world() else { return };
    let resolver = with_timeout(5_000);
    for (name, end) in
        [("again.probe", End::Temporary), ("gone.probe", End::NoName), ("gone.test", End::NoName)]
    {
        assert_eq!(ours(&resolver, name).await, theirs(name), "{name}");
        assert_eq!(theirs(name).end, end, "{name}");
    }
    // What has come is handed out, and what failed is told: one call for both hides the first.
    let half = ours(&resolver, "half.probe").await;
    let v4 = Outcome::of(&["192.0.2.14"]).v4;
    assert_eq!(half, Outcome { v4, v6: Vec::new(), end: End::Temporary });
    assert_eq!(
        theirs("half.probe"),
        Outcome { v4: Vec::new(), v6: Vec::new(), end: End::Temporary }
    );
    let error = error_of(&resolver, "half.probe").await;
    let [failure] = error.system_failures() else { panic!("{error:?}") };
    assert_eq!(failure.cause, SystemCause::Code(-3));
    assert_eq!(failure.question.record_type.to_string(), "AAAA");
}
