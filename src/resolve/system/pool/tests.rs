use super::*;
use crate::resolve::error::RecordType;
use crate::resolve::system::Families;

const PATIENCE: Duration = Duration::from_secs(10);

fn call(id: u64, is_second: bool) -> Call {
    let name = format!("n{id}.test").parse().unwrap();
    let families = Families::One(RecordType::A);
    Call { id: CallId(id), name, families, is_second }
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// The ids of the calls that start now.
fn started(pool: &mut Pool, now: Instant) -> Vec<u64> {
    let steps = std::iter::from_fn(|| pool.poll_step(now));
    steps
        .map(|step| match step {
            PoolStep::Start(call) => call.id.0,
            PoolStep::Settled(call, outcome) => panic!("{call:?}: {outcome:?}"),
        })
        .collect()
}

#[test]
fn calls_start_in_their_order_as_far_as_there_are_threads() {
    let (mut pool, now) = (Pool::new(2, PATIENCE), Instant::now());
    assert_eq!((pool.poll_step(now), pool.poll_timeout()), (None, None));
    (1..=4).for_each(|id| pool.handle_call(call(id, false)));
    assert_eq!(started(&mut pool, now), [1, 2]);
    assert_eq!(started(&mut pool, now), [0; 0]);
    pool.handle_done(CallId(2), now);
    assert_eq!(started(&mut pool, now), [3]);
    pool.handle_done(CallId(1), now);
    pool.handle_done(CallId(3), now);
    assert_eq!(started(&mut pool, now), [4]);
    pool.handle_done(CallId(4), now);
    assert_eq!((pool.running(), pool.poll_timeout()), (0, None));
}

/// 100 lookups of both families, four threads, ten milliseconds a call.
#[test]
fn os11_the_first_families_of_all_lookups_go_before_the_second_ones() {
    let (mut pool, mut now) = (Pool::new(4, PATIENCE), Instant::now());
    for id in 0..100 {
        pool.handle_call(call(2 * id, false));
        pool.handle_call(call(2 * id + 1, true));
    }
    let mut order = Vec::new();
    loop {
        let ids = started(&mut pool, now);
        if ids.is_empty() {
            break;
        }
        assert!(ids.len() <= 4);
        now += ms(10);
        for &id in &ids {
            pool.handle_done(CallId(id), now);
        }
        order.extend(ids);
    }
    let (firsts, seconds) = order.split_at(100);
    assert!(firsts.iter().all(|id| id % 2 == 0) && firsts.is_sorted());
    assert!(seconds.iter().all(|id| id % 2 == 1) && seconds.is_sorted());
}

#[test]
fn os12_a_call_that_waits_and_is_wanted_no_more_is_never_made() {
    let (mut pool, now) = (Pool::new(1, PATIENCE), Instant::now());
    (1..=3).for_each(|id| pool.handle_call(call(id, id == 3)));
    assert_eq!(started(&mut pool, now), [1]);
    assert!(pool.handle_abandoned(CallId(2), now));
    assert!(!pool.handle_abandoned(CallId(1), now), "it runs on");
    assert_eq!(pool.running(), 1);
    pool.handle_done(CallId(1), now);
    assert_eq!(started(&mut pool, now), [3]);
    assert!(!pool.handle_abandoned(CallId(99), now), "no such call");
}

/// 16 threads, 16 names whose servers are dead, and one that is well.
#[test]
fn os10_when_every_thread_is_held_the_cap_grows_by_one_a_second() {
    let (mut pool, mut now) = (Pool::new(16, PATIENCE), Instant::now());
    (0..16).for_each(|id| pool.handle_call(call(id, false)));
    assert_eq!(started(&mut pool, now).len(), 16);
    // While a lookup waits for one of them, it may come back.
    now += ms(500);
    (0..15).for_each(|id| assert!(!pool.handle_abandoned(CallId(id), now)));
    pool.handle_call(call(100, false));
    assert_eq!(started(&mut pool, now), [0; 0]);
    assert!(!pool.handle_abandoned(CallId(15), now));
    assert_eq!(started(&mut pool, now), [100], "one thread more");
    // The next one not before a second has passed.
    assert!(!pool.handle_abandoned(CallId(100), now));
    pool.handle_call(call(101, false));
    assert_eq!(started(&mut pool, now), [0; 0]);
    assert_eq!(pool.poll_timeout(), Some(now + ms(1000)));
    assert_eq!(started(&mut pool, now + ms(999)), [0; 0]);
    assert_eq!(started(&mut pool, now + ms(1000)), [101]);
}

#[test]
fn os10_at_twice_the_cap_calls_fail_at_once_and_say_how_many_threads_are_held() {
    let (mut pool, mut now) = (Pool::new(2, PATIENCE), Instant::now());
    for id in 0..4 {
        pool.handle_call(call(id, false));
        assert_eq!(started(&mut pool, now), [id], "the call {id} at {now:?}");
        pool.handle_abandoned(CallId(id), now);
        now += ms(1000);
    }
    pool.handle_call(call(9, false));
    let outcome = CallOutcome::Failed(LookupErrorKind::Resources, SystemCause::ThreadsHeld(4));
    assert_eq!(pool.poll_step(now), Some(PoolStep::Settled(call(9, false), outcome)));
    assert_eq!((pool.poll_step(now), pool.poll_timeout()), (None, None));
    // One comes back after all.
    pool.handle_done(CallId(1), now);
    pool.handle_call(call(10, false));
    assert_eq!(started(&mut pool, now), [10]);
}

/// A first wave of dead names: nothing tells yet that they are, and their lookups wait for them.
#[test]
fn os10_when_every_call_is_slow_there_is_one_thread_more_each_second() {
    let (mut pool, now) = (Pool::new(2, PATIENCE), Instant::now());
    (1..=5).for_each(|id| pool.handle_call(call(id, false)));
    assert_eq!(started(&mut pool, now), [1, 2]);
    assert_eq!(pool.poll_timeout(), Some(now + ms(1000)));
    assert_eq!(started(&mut pool, now + ms(999)), [0; 0]);
    assert_eq!(started(&mut pool, now + ms(1000)), [3]);
    assert_eq!(pool.poll_timeout(), Some(now + ms(2000)), "when the third is slow as well");
    assert_eq!(started(&mut pool, now + ms(2000)), [4]);
    // All of them may come back yet: only when they hang does the last one fail.
    assert_eq!(pool.poll_timeout(), Some(now + ms(2000) + PATIENCE));
    assert_eq!(started(&mut pool, now + ms(11_999)), [0; 0]);
    let step = pool.poll_step(now + ms(12_000));
    assert!(matches!(step, Some(PoolStep::Settled(Call { id: CallId(5), .. }, _))), "{step:?}");
}

/// The others do not wait a second each.
#[test]
fn os10_a_thread_that_was_added_takes_one_call_after_another() {
    let (mut pool, now) = (Pool::new(2, PATIENCE), Instant::now());
    (1..=2).for_each(|id| pool.handle_call(call(id, false)));
    assert_eq!(started(&mut pool, now), [1, 2]);
    let mut now = now + ms(1000);
    for id in 10..100 {
        pool.handle_call(call(id, false));
        assert_eq!(started(&mut pool, now), [id]);
        now += ms(10);
        pool.handle_done(CallId(id), now);
    }
}

/// A minute in which 20 names a second are well, behind a first wave of so many dead ones. Every lookup
/// waits for ten seconds. Returns how many of the 1,200 were not served, and the longest wait.
fn behind_dead_names(dead: u64) -> (usize, Duration) {
    const FIRST: u64 = 1_000_000;
    let (mut pool, start) = (Pool::new(16, PATIENCE), Instant::now());
    (0..dead).for_each(|id| pool.handle_call(call(id, false)));
    let (mut lost, mut longest, mut waiting, mut running) = (0, ms(0), Vec::new(), Vec::new());
    for tick in 0..6_000 {
        let now = start + ms(10 * tick);
        running.drain(..).for_each(|id| pool.handle_done(id, now));
        if tick == 1_000 {
            (0..dead).for_each(|id| _ = pool.handle_abandoned(CallId(id), now));
        }
        if tick % 5 == 0 {
            pool.handle_call(call(FIRST + tick, false));
            waiting.push((CallId(FIRST + tick), now));
        }
        for (id, _) in waiting.extract_if(.., |&mut (_, since)| now >= since + PATIENCE) {
            pool.handle_abandoned(id, now);
            lost += 1;
        }
        while let Some(step) = pool.poll_step(now) {
            let (PoolStep::Start(Call { id, .. }) | PoolStep::Settled(Call { id, .. }, _)) = step;
            let Some(at) = waiting.iter().position(|&(waits, _)| waits == id) else { continue };
            let (_, since) = waiting.remove(at);
            if matches!(step, PoolStep::Start(_)) {
                longest = longest.max(now - since);
                running.push(id);
            } else {
                lost += 1;
            }
        }
    }
    (lost, longest)
}

#[test]
fn os10_names_that_are_well_are_served_behind_a_wave_of_dead_ones() {
    for (dead, most_lost, longest_wait) in
        [(0, 0, ms(0)), (15, 0, ms(0)), (16, 0, ms(1000)), (40, 30, PATIENCE), (100, 30, PATIENCE)]
    {
        let (lost, longest) = behind_dead_names(dead);
        println!(
            "behind {dead} dead names: {lost} of 1,200 not served, the slowest after {longest:?}"
        );
        assert!(lost <= most_lost && longest <= longest_wait, "{dead}: {lost}, {longest:?}");
    }
}

/// The threads beyond the cap are for an emergency that is over.
#[test]
fn a_cap_that_has_grown_is_as_before_when_the_calls_come_back() {
    let (mut pool, now) = (Pool::new(1, PATIENCE), Instant::now());
    pool.handle_call(call(1, false));
    assert_eq!(started(&mut pool, now), [1]);
    pool.handle_abandoned(CallId(1), now);
    (2..=4).for_each(|id| pool.handle_call(call(id, false)));
    assert_eq!(started(&mut pool, now), [2]);
    pool.handle_done(CallId(1), now);
    assert_eq!(started(&mut pool, now + ms(500)), [0; 0], "one runs, and it is well");
    pool.handle_done(CallId(2), now);
    assert_eq!(started(&mut pool, now + ms(500)), [3]);
}

/// Callers that leave cost nothing later, in whatever order they leave.
#[test]
fn os12_calls_that_were_abandoned_leave_nothing_behind() {
    let (mut pool, now) = (Pool::new(1, PATIENCE), Instant::now());
    pool.handle_call(call(0, false));
    assert_eq!(started(&mut pool, now), [0]);
    for round in 0..20 {
        let ids = || round * 100 + 1..round * 100 + 101;
        ids().for_each(|id| pool.handle_call(call(id, id % 2 == 0)));
        ids().rev().for_each(|id| assert!(pool.handle_abandoned(CallId(id), now)));
    }
    assert!(pool.waiting.is_empty() && pool.lines.iter().all(VecDeque::is_empty));
}
