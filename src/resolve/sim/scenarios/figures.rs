//! What loss and dead nameservers may cost, in virtual time: with a round trip of a millisecond, so
//! that the figures are those of the waiting alone.

use crate::resolve::sim::scenario::{SCENARIO, Scenario, queries};

#[test]
fn the_first_queries_lost_cost_a_quarter_of_a_second_once_and_a_tenth_later() {
    let servers =
        &["* * -> drop | drop | answer 192.0.2.1 2001:db8::1 | answer 192.0.2.1 2001:db8::1 | \
         drop | drop | answer 192.0.2.1 2001:db8::1"];
    let steps = &["0 lookup a.example both", "1000 lookup b.example both"];
    let results = &[
        "2001:db8::1@251 =a.example@251 192.0.2.1@251 ok@251",
        "2001:db8::1@1101 =b.example@1101 192.0.2.1@1101 ok@1101",
    ];
    Scenario { servers, steps, results, ..SCENARIO }.check();
}

#[test]
fn a_silent_first_nameserver_costs_its_delay_once_and_nothing_later() {
    let servers = &["* * -> drop", "* * -> answer 192.0.2.1 2001:db8::1"];
    let steps = &["0 lookup a.example both", "1000 lookup b.example both"];
    let results = &[
        "2001:db8::1@251 =a.example@251 192.0.2.1@251 ok@251",
        "2001:db8::1@1001 =b.example@1001 192.0.2.1@1001 ok@1001",
    ];
    let world = Scenario { servers, steps, results, ..SCENARIO }.check();
    assert_eq!(world.log.len(), 6 + 2, "{}", queries(&world));
    let results = &["2001:db8::1@1 =a.example@1 192.0.2.1@1 ok@1"];
    Scenario { config: "all", servers, steps, results, ..SCENARIO }.check();
}

#[test]
fn silence_everywhere_ends_exactly_at_the_timeout_after_three_sends_each_and_one_a_second() {
    for count in 1..=3 {
        for timeout in [50, 1000, 5000, 30_000] {
            for strategy in ["", "all", "in-turn"] {
                let config = format!("timeout {timeout}; {strategy}");
                let servers = vec!["* * -> drop"; count];
                let expected = format!("Timeout@{timeout}");
                let results = &[expected.as_str()];
                let steps = &["0 lookup www.example both"];
                let scenario =
                    Scenario { config: &config, servers: &servers, steps, results, ..SCENARIO };
                let world = scenario.check();
                let most = 2 * count * (3 + timeout / 1000);
                assert!(world.log.len() <= most, "{config}: {}", queries(&world));
            }
        }
    }
}

#[test]
fn one_dead_of_two_and_nxdomain_from_the_other_is_final_at_once() {
    let steps = &["0 lookup a.example both", "1000 lookup b.example both"];
    let servers = &["* * -> nxdomain", "* * -> drop"];
    Scenario { servers, steps, results: &["NotFound@1", "NotFound@1001"], ..SCENARIO }.check();
    // That the first one is dead is found out once.
    let servers = &["* * -> drop", "* * -> nxdomain"];
    Scenario { servers, steps, results: &["NotFound@251", "NotFound@1001"], ..SCENARIO }.check();
    Scenario { config: "all", servers, steps, results: &["NotFound@1"], ..SCENARIO }.check();
}

/// A truncated response of one family leaves the resends of the other as they are.
#[test]
fn a_lost_query_beside_a_truncated_one_is_sent_again_in_time() {
    let servers = &["* A udp -> truncate; * A tcp -> delay 400ms, answer 192.0.2.1; \
         * AAAA -> drop | answer 2001:db8::1"];
    let steps = &["0 lookup www.example both"];
    let results = &["2001:db8::1@251 =www.example@251 192.0.2.1@402 ok@402"];
    Scenario { servers, steps, results, ..SCENARIO }.check();
}

/// A proven nameserver that is late has the others asked beside it, not in its place.
#[test]
fn a_late_nameserver_has_the_others_asked_after_five_milliseconds() {
    let servers = &["* * -> answer 192.0.2.1 | drop", "* * -> delay 5ms, answer 192.0.2.1"];
    let steps = &["0 lookup a.example", "1000 lookup b.example"];
    let results = &["192.0.2.1@1 =a.example@1 ok@1", "192.0.2.1@1010 =b.example@1010 ok@1010"];
    Scenario { servers, steps, results, ..SCENARIO }.check();
}
