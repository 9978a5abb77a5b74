//! Leaving early, sharing a question, and limits of this host, as far as the core decides them.

use std::fmt::Write;
use std::time::Duration;

use crate::resolve::sim::scenario::{SCENARIO, Scenario, queries, results};
use crate::resolve::stub::Holdings;

const OK: &str = "* * -> delay 9ms, answer 192.0.2.1";

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A lookup that is dropped in the turn in which it came; one whose stream is never polled does not
/// even reach the core.
#[test]
fn ca01_dropped_at_once_leaves_nothing_behind() {
    let steps = &["0 lookup www.example", "0 drop 1"];
    let mut world = Scenario { steps, ..SCENARIO }.start();
    world.run();
    assert!(world.elapsed() <= millis(1), "{:?}", world.elapsed());
}

#[test]
fn ca02_the_last_one_to_leave_closes_the_socket_and_takes_the_timers_along() {
    for config in ["", "all", "in-turn"] {
        let steps = &["0 lookup www.example both", "700 drop 1"];
        let servers = &["* * -> drop", "* * -> drop"];
        let mut world = Scenario { config, servers, steps, ..SCENARIO }.start();
        world.run_until(millis(699));
        assert!(world.open_sockets() > 0);
        world.run_until(millis(700));
        assert_eq!((world.core.holdings(), world.open_sockets()), (Holdings::default(), 0));
        let sends = world.log.len();
        world.run();
        assert_eq!(world.log.len(), sends, "{config}: sent after the last one left");
    }
}

#[test]
fn ca03_a_question_outlives_the_one_who_asked_first_and_is_never_out_twice() {
    let steps = &[
        "0 lookup www.example",
        "1 lookup WWW.Example",
        "2 lookup www.example",
        "3 drop 1",
        "4 lookup www.example.",
        "5 cancel 2",
    ];
    let results = &[
        "dropped",
        "Canceled@5",
        "192.0.2.1@9 =www.example@9 ok@9",
        "192.0.2.1@9 =www.example@9 ok@9",
    ];
    let queries = "0 ns1 www.example A";
    Scenario { servers: &[OK], steps, results, queries, ..SCENARIO }.check();
}

/// A lookup that is coalesced late has a deadline of its own, and its question is asked anew a second
/// after it has failed (RFC 9520 section 3.2), with a cache and without.
#[test]
fn ca03_one_who_joins_late_has_the_whole_timeout() {
    let servers = &["* * #1-6 -> drop; * * -> answer 192.0.2.1"];
    let steps = &["0 lookup www.example", "4900 lookup www.example"];
    let results = &["Timeout@5000", "192.0.2.1@6001 =www.example@6001 ok@6001"];
    for config in ["", "cache"] {
        Scenario { config, servers, steps, results, ..SCENARIO }.check();
    }
    let servers = &["* * -> drop"];
    let results = &["Timeout@5000", "Timeout@9900"];
    Scenario { servers, steps, results, ..SCENARIO }.check();
}

#[test]
fn ca04_leaving_during_tcp_lets_the_others_finish_and_the_connection_close() {
    for script in ["$tcp black-hole", "* * -> answer 192.0.2.1 drip 900ms", "* * -> drop"] {
        let steps = &["0 lookup www.example", "500 drop 1"];
        let config = "use-vc";
        let mut world = Scenario { config, servers: &[script], steps, ..SCENARIO }.start();
        world.run_until(millis(2500));
        assert_eq!(world.core.holdings(), Holdings::default(), "{script}: closed when idle");
        assert_eq!(world.open_sockets(), 0, "{script}");
        world.run();
    }
    let servers = &["a.example * -> drop; * * -> delay 50ms, answer 192.0.2.1"];
    let steps = &["0 lookup a.example", "0 lookup b.example", "10 drop 1"];
    let results = &["dropped", "192.0.2.1@51 =b.example@51 ok@51"];
    Scenario { config: "use-vc", servers, steps, results, ..SCENARIO }.check();
}

/// What arrives for one who has just left finds nothing: in any order of the two.
#[test]
fn ca05_canceled_and_dropped_in_every_order() {
    for steps in [
        &["0 lookup www.example both", "9 cancel 1", "9 drop 1"][..],
        &["0 lookup www.example both", "5 cancel 1", "5 cancel 1"],
        &["0 lookup www.example both", "5 drop 1", "5 drop 1", "5 cancel 1"],
        &["0 lookup www.example both pace 1 100", "20 cancel 1"],
    ] {
        let world = Scenario { servers: &[OK], steps, ..SCENARIO }.check();
        let results = results(&world, 1);
        assert!(results == "dropped" || results.ends_with("Canceled@5") || results.contains("@9"));
    }
}

#[test]
fn ca06_a_thousand_pending_lookups_leave_in_one_turn() {
    let mut steps: Vec<String> = (0..1000).map(|n| format!("0 lookup n{n}.example both")).collect();
    steps.extend((1..=1000).map(|n| format!("1000 drop {n}")));
    let steps: Vec<_> = steps.iter().map(String::as_str).collect();
    let world = Scenario { servers: &["* * -> drop"], steps: &steps, ..SCENARIO }.check();
    assert_eq!(world.elapsed(), millis(1000));
}

#[test]
fn ca10_descriptors_that_are_short_for_a_while_delay_and_fail_nothing() {
    let servers = &["$open quota 1000ms; * * -> answer 192.0.2.1"];
    let results = &["192.0.2.1@1001 =www.example@1001 ok@1001"];
    let queries = "1000 ns1 www.example A";
    Scenario { servers, results, queries, ..SCENARIO }.check();
    let queries = "1001 ns1/tcp www.example A";
    let results = &["192.0.2.1@1002 =www.example@1002 ok@1002"];
    Scenario { config: "use-vc", servers, results, queries, ..SCENARIO }.check();
}

#[test]
fn ca11_a_slow_consumer_loses_nothing_and_delays_no_other() {
    let servers = &["* * -> answer 192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4"];
    let steps = &["0 lookup a.example pace 1 100", "1 lookup b.example"];
    let results = &[
        "192.0.2.1@1 192.0.2.2@101 192.0.2.3@201 192.0.2.4@301 =a.example@401 ok@401",
        "192.0.2.1@2 192.0.2.2@2 192.0.2.3@2 192.0.2.4@2 =b.example@2 ok@2",
    ];
    Scenario { servers, steps, results, ..SCENARIO }.check();
    // The lookup's own deadline is about the network, not about who reads.
    let steps = &["0 lookup a.example pace 1 100 timeout 250"];
    Scenario { servers, steps, results: &results[..1], ..SCENARIO }.check();
}

#[test]
fn ca11_a_deadline_keeps_what_came_in_time() {
    let servers = &["* A -> answer 192.0.2.1 192.0.2.2; * AAAA -> drop"];
    let steps = &["0 lookup a.example both pace 1 100 timeout 50"];
    let results = &["192.0.2.1@1 192.0.2.2@101 =a.example@201 Timeout@201"];
    Scenario { servers, steps, results, ..SCENARIO }.check();
}

/// Ten thousand lookups on sixty-four sockets: they share them, and each is answered.
#[test]
fn ca10_ten_thousand_lookups_share_sixty_four_sockets() {
    let steps: Vec<String> = (0..10_000).map(|n| format!("0 lookup n{n}.example both")).collect();
    let steps: Vec<_> = steps.iter().map(String::as_str).collect();
    let (config, servers) =
        ("max-sockets 64", &["* * -> delay 50ms, answer 192.0.2.1 2001:db8::1"]);
    let world = Scenario { config, servers, steps: &steps, ..SCENARIO }.check();
    let failed = (1..=10_000).map(|id| results(&world, id)).find(|text| !text.contains("ok@"));
    assert_eq!(failed, None);
}

#[test]
fn ca10_a_lookup_beside_ten_thousand_that_hang_takes_one_round_trip() {
    let mut steps: Vec<String> =
        (0..10_000).map(|n| format!("{} lookup n{n}.example both", n / 10)).collect();
    steps.push("2000 lookup www.test both".to_owned());
    let steps: Vec<_> = steps.iter().map(String::as_str).collect();
    let servers = &["www.test * -> answer 192.0.2.1 2001:db8::1; * * -> drop"];
    let config = "max-sockets 64";
    let mut world = Scenario { config, servers, steps: &steps, ..SCENARIO }.start();
    world.keeps_log = false;
    world.run();
    let expected = "2001:db8::1@2001 =www.test@2001 192.0.2.1@2001 ok@2001";
    assert_eq!(results(&world, 10_001), expected);
    assert!((1..=10_000).all(|id| results(&world, id).starts_with("Timeout")));
}

/// One socket has ids for no more than so many questions; the others wait for their turn.
#[test]
fn ca10_more_questions_than_one_socket_has_ids_for() {
    let mut steps: Vec<String> = (0..17_000).map(|n| format!("0 lookup n{n}.example")).collect();
    steps.push("1 lookup last.example".to_owned());
    let steps: Vec<_> = steps.iter().map(String::as_str).collect();
    let servers = &["* * -> delay 9ms, answer 192.0.2.1"];
    let config = "max-sockets 1";
    let world = Scenario { config, servers, steps: &steps, ..SCENARIO }.check();
    let mut late = String::new();
    for id in 1..=17_001 {
        let results = results(&world, id);
        if !results.contains("ok@") {
            writeln!(late, "{id}: {results}").unwrap();
        }
    }
    assert_eq!(late, "");
    assert!(!queries(&world).is_empty());
}
