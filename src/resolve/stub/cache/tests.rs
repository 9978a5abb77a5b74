//! What is kept, and for how long: RFC 2181 section 8, RFC 2308 section 5, RFC 8767, RFC 9520.

use super::*;
use crate::resolve::error::{FailureCause, Rcode, Transport};
use crate::resolve::stub::query::Failure;
use crate::resolve::wire::reader::ttl_seconds;

const A: RecordType = RecordType::A;

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn name(text: &str) -> QueryName {
    QueryName::from(&text.parse().unwrap())
}

fn answer(ttl: Option<u32>, outcome: Outcome, asked_at: Instant) -> Settled {
    let answer = Answer { canonical: name("www.example"), links: 0, ttl, outcome };
    Settled::Answer { answer, asked_at }
}

fn address(ttl: u32, asked_at: Instant) -> Settled {
    answer(Some(ttl), Outcome::Addresses(vec![[192, 0, 2, 1].into()]), asked_at)
}

fn failed(cause: FailureCause) -> Settled {
    let failure = NameserverFailure {
        nameserver: ([127, 0, 0, 1], 53).into(),
        transport: Transport::Udp,
        cause,
        elapsed: Duration::ZERO,
    };
    Settled::Failed(Failure {
        nameservers: vec![failure],
        last_resort: None,
        is_unconfigured: false,
    })
}

/// One cache, and a time that only the test moves.
struct Story {
    cache: Cache,
    start: Instant,
}

impl Story {
    fn new(options: CacheOptions) -> Self {
        Self { cache: Cache::new(options), start: Instant::now() }
    }

    /// An outcome that is settled at the moment at which it was asked for.
    fn insert(&self, at: f64, settled: impl FnOnce(Instant) -> Settled) {
        let now = self.at(at);
        self.cache.insert(&name("www.example"), A, &settled(now), 1, self.cache.generation(), now);
    }

    fn at(&self, seconds: f64) -> Instant {
        self.start + Duration::from_secs_f64(seconds)
    }

    fn get(&self, at: f64) -> Option<Hit> {
        self.cache.get(&name("www.example"), A, self.at(at))
    }

    /// Whether it is known before a time and no longer at that time.
    #[track_caller]
    fn holds_until(&self, at: f64) {
        assert!(self.get(at - 0.001).is_some(), "gone before {at} s");
        assert!(self.get(at).is_none(), "still there at {at} s");
    }
}

#[test]
fn cc01_an_answer_holds_for_its_ttl_and_for_its_question() {
    let story = Story::new(CacheOptions::new());
    story.insert(0.0, |now| address(60, now));
    story.holds_until(60.0);
    let hit = story.cache.get(&name("WWW.Example"), A, story.at(1.0));
    assert!(hit.is_some(), "names are equal without regard to case");
    assert!(story.cache.get(&name("www.example"), RecordType::Aaaa, story.at(1.0)).is_none());
    assert!(story.cache.get(&name("example"), A, story.at(1.0)).is_none());
}

#[test]
fn cc02_a_ttl_of_zero_is_not_kept_and_a_long_one_is_clamped() {
    for ttl in [0, ttl_seconds(0x8000_0000), ttl_seconds(u32::MAX)] {
        let story = Story::new(CacheOptions::new());
        story.insert(0.0, |now| address(ttl, now));
        assert!(story.get(0.0).is_none(), "{ttl}");
    }
    let story = Story::new(CacheOptions::new().max_ttl(secs(3600)));
    story.insert(0.0, |now| address(ttl_seconds(0x7fff_ffff), now));
    story.holds_until(3600.0);
}

#[test]
fn cc03_not_there_holds_as_its_soa_record_says_and_not_without_one() {
    for outcome in [Outcome::NxDomain, Outcome::NoData] {
        let story = Story::new(CacheOptions::new());
        story.insert(0.0, |now| answer(Some(60), outcome.clone(), now));
        story.holds_until(60.0);
        let story = Story::new(CacheOptions::new());
        story.insert(0.0, |now| answer(None, outcome.clone(), now));
        assert!(story.get(0.0).is_none(), "{outcome:?} without a SOA record");
        let story = Story::new(CacheOptions::new());
        story.insert(0.0, |now| answer(Some(86_400), outcome.clone(), now));
        story.holds_until(300.0);
    }
}

#[test]
fn cc04_the_time_counts_from_when_it_was_asked_for() {
    let story = Story::new(CacheOptions::new());
    let (asked_at, answered_at) = (story.at(0.0), story.at(4.0));
    let settled = address(10, asked_at);
    story.cache.insert(&name("www.example"), A, &settled, 1, story.cache.generation(), answered_at);
    story.holds_until(10.0);
    let late = address(3, asked_at);
    story.cache.insert(&name("www.example"), A, &late, 1, story.cache.generation(), answered_at);
    assert!(story.get(4.0).is_none(), "over when it came, and the one before is replaced");
}

#[test]
fn cc05_nothing_of_an_earlier_epoch_is_found_or_kept() {
    let story = Story::new(CacheOptions::new());
    story.insert(0.0, |now| address(60, now));
    let before = story.cache.generation();
    story.cache.clear();
    assert!(story.get(1.0).is_none());
    let settled = address(60, story.at(0.0));
    story.cache.insert(&name("www.example"), A, &settled, 1, before, story.at(1.0));
    assert!(story.get(1.0).is_none(), "it was asked for before");
    story.insert(2.0, |now| address(60, now));
    story.cache.start_generation();
    assert!(story.get(2.0).is_none(), "without touching the shards");
}

/// As wide as every other name here, so that one limit follows from the other.
fn numbered(n: u32) -> QueryName {
    QueryName::of_wire(format!("\x08n{n:07}\x07example\0").as_bytes())
}

#[test]
fn cc07_neither_limit_is_passed_by_a_million_names() {
    let start = Instant::now();
    // An entry takes less where pointers do.
    let fit_into_64_kib = if cfg!(target_pointer_width = "64") { 250 } else { 350 };
    for (options, names, most) in [
        (CacheOptions::new().entries(1000), 1_000_000, 1000),
        (CacheOptions::new().bytes(64 << 10).entries(1_000_000), 100_000, fit_into_64_kib),
    ] {
        let cache = Cache::new(options);
        for n in 0..names {
            cache.insert(&numbered(n), A, &address(300, start), 1, cache.generation(), start);
            if n % 10_000 == 0 {
                let CacheFigures { entries, bytes, .. } = cache.figures();
                assert!(entries <= most, "{entries} entries after {n}");
                assert!(bytes <= cache.options.bytes as u64, "{bytes} bytes after {n}");
            }
        }
        let entries = cache.figures().entries;
        assert!(entries >= most / 2, "{entries} of {most}: the room is used");
    }
}

#[test]
fn cc07_a_name_in_use_outlives_names_that_are_seen_once() {
    let cache = Cache::new(CacheOptions::new().entries(800));
    let start = Instant::now();
    for n in 0..50_000 {
        cache.insert(&numbered(n), A, &address(300, start), 1, cache.generation(), start);
        for used in 0..n.min(3) {
            assert!(cache.get(&numbered(used), A, start).is_some(), "n{used} after {n}");
        }
    }
}

#[test]
fn cc08_a_failure_is_kept_for_a_second() {
    for cause in [FailureCause::Timeout, FailureCause::Rcode(Rcode::SERVFAIL)] {
        let story = Story::new(CacheOptions::new());
        story.insert(0.0, |_| failed(cause));
        story.holds_until(1.0);
    }
    let story = Story::new(CacheOptions::new().failure_ttl(secs(1000)));
    story.insert(0.0, |_| failed(FailureCause::Timeout));
    story.holds_until(300.0);
}

/// RFC 9520 is about nameservers. That this process was short of descriptors says nothing of them.
#[test]
fn cc08_a_shortage_of_this_process_is_not_kept() {
    let story = Story::new(CacheOptions::new());
    story.insert(0.0, |_| failed(FailureCause::OutOfResources));
    assert!(story.get(0.0).is_none());
}

#[test]
fn stale_addresses_are_served_and_one_who_gets_them_refreshes() {
    let story = Story::new(CacheOptions::new().serve_stale(secs(100)));
    story.insert(0.0, |now| address(10, now));
    let fresh = story.get(9.0).unwrap();
    assert_eq!((fresh.is_stale, fresh.wants_refresh), (false, false));
    let stale = story.get(10.0).unwrap();
    assert_eq!((stale.is_stale, stale.wants_refresh), (true, true));
    let next = story.get(10.0).unwrap();
    assert_eq!(
        (next.is_stale, next.wants_refresh),
        (true, false),
        "another hit has started the refresh"
    );
    story.holds_until(110.0);
}

/// The thread that refreshes may die, or the process be forked: a later hit starts the refresh
/// again.
#[test]
fn a_refresh_that_is_lost_is_not_the_last_one() {
    let story = Story::new(CacheOptions::new().serve_stale(secs(1000)));
    story.insert(0.0, |now| address(10, now));
    assert!(story.get(10.0).unwrap().wants_refresh);
    assert!(!story.get(39.9).unwrap().wants_refresh);
    assert!(story.get(40.0).unwrap().wants_refresh);
}

#[test]
fn a_ttl_of_zero_is_not_served_stale() {
    let story = Story::new(CacheOptions::new().serve_stale(secs(1000)));
    story.insert(0.0, |now| address(0, now));
    assert!(story.get(0.0).is_none());
}

#[test]
fn the_smallest_cache_keeps_something() {
    let story = Story::new(CacheOptions::new().entries(0).bytes(0));
    story.insert(0.0, |now| address(10, now));
    story.holds_until(10.0);
}

/// RFC 8767 section 5.
#[test]
fn a_refresh_that_failed_leaves_the_answer_and_is_tried_again_after_thirty_seconds() {
    let story = Story::new(CacheOptions::new().serve_stale(secs(100)));
    story.insert(0.0, |now| address(10, now));
    assert!(story.get(12.0).unwrap().wants_refresh);
    story.insert(13.0, |_| failed(FailureCause::Timeout));
    assert!(!story.get(42.9).unwrap().wants_refresh);
    assert!(story.get(43.0).unwrap().wants_refresh);
    story.holds_until(110.0);
}

#[test]
fn a_refresh_that_finds_the_name_gone_ends_the_stale_answer() {
    let story = Story::new(CacheOptions::new().serve_stale(secs(100)));
    story.insert(0.0, |now| address(10, now));
    story.insert(20.0, |now| answer(Some(30), Outcome::NxDomain, now));
    let Settled::Answer { answer, .. } = story.get(21.0).unwrap().settled().clone() else {
        panic!("a negative answer is an answer");
    };
    assert_eq!(answer.outcome, Outcome::NxDomain);
    story.holds_until(50.0);
}

#[test]
fn not_there_is_never_served_stale() {
    let story = Story::new(CacheOptions::new().serve_stale(secs(100)));
    story.insert(0.0, |now| answer(Some(30), Outcome::NoData, now));
    story.holds_until(30.0);
}

#[test]
fn a_name_in_use_is_refreshed_in_the_last_tenth_of_its_time() {
    let story = Story::new(CacheOptions::new().prefetch(true));
    story.insert(0.0, |now| address(100, now));
    assert!(!story.get(89.0).unwrap().wants_refresh);
    let hit = story.get(90.0).unwrap();
    assert_eq!((hit.is_stale, hit.wants_refresh), (false, true));
    assert!(!story.get(91.0).unwrap().wants_refresh, "once");
    story.insert(91.0, |now| address(100, now));
    story.holds_until(191.0);
}

#[test]
fn what_is_forgotten_is_gone_in_both_families_and_nothing_else_is() {
    let story = Story::new(CacheOptions::new());
    let (now, generation) = (story.at(0.0), story.cache.generation());
    for (text, record_type) in [("www.example", A), ("www.example", RecordType::Aaaa), ("b", A)] {
        story.cache.insert(&name(text), record_type, &address(60, now), 1, generation, now);
    }
    story.cache.remove(&name("WWW.example"));
    assert_eq!(story.cache.figures().entries, 1);
    assert!(story.cache.get(&name("b"), A, now).is_some());
}

/// A process that is forked off while a shard is locked has no thread to unlock it.
#[test]
fn a_reader_does_not_wait_for_a_writer() {
    let story = Story::new(CacheOptions::new());
    story.insert(0.0, |now| address(60, now));
    let writers: Vec<_> = story.cache.shards.iter().map(|shard| shard.write().unwrap()).collect();
    assert!(story.get(1.0).is_none());
    drop(writers);
    assert!(story.get(1.0).is_some());
}
