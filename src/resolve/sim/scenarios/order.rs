//! In which order nameservers are asked, and what each one's answer counts: resolv.conf(5) has them
//! asked in the order listed, and they are not equivalent.

use crate::resolve::sim::scenario::{SCENARIO, Scenario, queries, results};

const OK: &str = "* * -> answer 192.0.2.1";

/// The first knows a private name and takes 20 ms for it; the second says at once that it does not
/// exist.
#[test]
fn rr01_a_private_name_of_the_first_nameserver_is_found() {
    let servers = &["* * -> delay 20ms, answer 192.0.2.1", "* * -> nxdomain"];
    let results = &["192.0.2.1@20 =www.example@20 ok@20"];
    let queries = "0 ns1 www.example A";
    Scenario { servers, results, queries, ..SCENARIO }.check();
}

/// It is late for its own round trips of a millisecond, so the second is asked as well.
#[test]
fn rr01_no_such_name_from_a_later_nameserver_does_not_count_while_the_first_is_only_late() {
    for negative in ["nxdomain", "nodata"] {
        let servers = &[
            "private.example * -> delay 90ms, answer 192.0.2.1; * * -> answer 192.0.2.9",
            &format!("* * -> {negative}"),
        ];
        let steps = &["0 lookup a.example", "1000 lookup private.example"];
        let results =
            &["192.0.2.9@1 =a.example@1 ok@1", "192.0.2.1@1090 =private.example@1090 ok@1090"];
        let queries = "0 ns1 a.example A, 1000 ns1 private.example A, \
                       1005 ns2 private.example A";
        Scenario { servers, steps, results, queries, ..SCENARIO }.check();
    }
}

#[test]
fn rr01_it_counts_once_the_first_is_overdue() {
    let servers = &["a.example * -> answer 192.0.2.9; * * -> drop", "* * -> nxdomain"];
    let steps = &["0 lookup a.example", "1000 lookup b.example"];
    let results = &["192.0.2.9@1 =a.example@1 ok@1", "NotFound@1100"];
    Scenario { servers, steps, results, ..SCENARIO }.check();
}

#[test]
fn rr01_it_counts_at_once_when_the_first_has_failed() {
    for failure in ["servfail", "refused", "no-ra no-aa no-edns"] {
        let script = format!("* * -> {failure}");
        let servers = &[&script, "* * -> nxdomain"];
        Scenario { servers, results: &["NotFound@2"], ..SCENARIO }.check();
    }
}

#[test]
fn rr01_an_address_counts_whoever_says_it() {
    let servers = &["a.example * -> answer 192.0.2.9; * * -> delay 90ms, nxdomain", OK];
    let steps = &["0 lookup a.example", "1000 lookup b.example"];
    let results = &["192.0.2.9@1 =a.example@1 ok@1", "192.0.2.1@1006 =b.example@1006 ok@1006"];
    Scenario { servers, steps, results, ..SCENARIO }.check();
}

/// With three, the second is waited for as well.
#[test]
fn rr01_the_third_does_not_speak_for_the_second() {
    let servers = &["* * -> drop", "* * -> delay 40ms, answer 192.0.2.1", "* * -> nxdomain"];
    let results = &["192.0.2.1@290 =www.example@290 ok@290"];
    Scenario { servers, results, ..SCENARIO }.check();
}

/// A dead first nameserver costs its delay once, and stands behind until it answers a probe.
#[test]
fn rr01_a_dead_first_nameserver_stands_behind_until_a_probe_brings_it_back() {
    let servers = &["a.example * -> drop; * * -> delay 20ms, answer 192.0.2.9", OK];
    let steps = &[
        "0 lookup a.example",
        "1000 lookup b.example",
        "6000 lookup c.example",
        "7000 lookup d.example",
    ];
    let results = &[
        "192.0.2.1@251 =a.example@251 ok@251",
        "192.0.2.1@1001 =b.example@1001 ok@1001",
        "192.0.2.1@6001 =c.example@6001 ok@6001",
        "192.0.2.9@7020 =d.example@7020 ok@7020",
    ];
    let queries = "0 ns1 a.example A, 250 ns1 a.example A, 250 ns2 a.example A, \
                   1000 ns2 b.example A, 6000 ns1 c.example A, 6000 ns2 c.example A, \
                   7000 ns1 d.example A";
    Scenario { servers, steps, results, queries, ..SCENARIO }.check();
}

/// A lost packet is no dead nameserver: private names are found all the same.
#[test]
fn rr01_one_lost_packet_does_not_take_the_first_from_its_place() {
    let servers = &[
        "a.example * -> answer 192.0.2.9; b.example * #1 -> drop; * * -> answer 192.0.2.9",
        "b.example * -> answer 192.0.2.1; * * -> nxdomain",
    ];
    let steps = &["0 lookup a.example", "1000 lookup b.example", "1020 lookup private.example"];
    let results = &[
        "192.0.2.9@1 =a.example@1 ok@1",
        "192.0.2.1@1006 =b.example@1006 ok@1006",
        "192.0.2.9@1021 =private.example@1021 ok@1021",
    ];
    Scenario { servers, steps, results, ..SCENARIO }.check();
}

/// Late once, it has the others asked beside it, so that the next lookup does not wait; silent a
/// second time, it stands behind.
#[test]
fn rr01_a_first_nameserver_that_dies_costs_one_late_delay() {
    let servers = &["a.example * -> answer 192.0.2.9; * * -> drop", OK];
    let steps = &[
        "0 lookup a.example",
        "1000 lookup b.example",
        "1200 lookup c.example",
        "1400 lookup d.example",
    ];
    let results = &[
        "192.0.2.9@1 =a.example@1 ok@1",
        "192.0.2.1@1006 =b.example@1006 ok@1006",
        "192.0.2.1@1201 =c.example@1201 ok@1201",
        "192.0.2.1@1401 =d.example@1401 ok@1401",
    ];
    let queries = "0 ns1 a.example A, 1000 ns1 b.example A, 1005 ns2 b.example A, \
                   1200 ns1 c.example A, 1200 ns2 c.example A, 1400 ns2 d.example A";
    Scenario { servers, steps, results, queries, ..SCENARIO }.check();
}

/// A slow but healthy first nameserver is heard although the second was quicker, and keeps its
/// place.
#[test]
fn rr01_a_late_nameserver_is_listened_to_after_another_has_answered() {
    let servers = &["a.example * -> answer 192.0.2.9; * * -> delay 30ms, answer 192.0.2.9", OK];
    let steps = &["0 lookup a.example", "1000 lookup b.example", "2000 lookup a.example"];
    let results = &[
        "192.0.2.9@1 =a.example@1 ok@1",
        "192.0.2.1@1006 =b.example@1006 ok@1006",
        "192.0.2.9@2001 =a.example@2001 ok@2001",
    ];
    let queries = "0 ns1 a.example A, 1000 ns1 b.example A, 1005 ns2 b.example A, \
                   2000 ns1 a.example A";
    Scenario { servers, steps, results, queries, ..SCENARIO }.check();
}

/// A hint has the second one asked, and the answer comes before anything is sent.
#[test]
fn rr01_a_nameserver_that_was_not_sent_the_question_is_not_listened_to() {
    let servers = &["* * -> header-only servfail, then answer 192.0.2.9", "* * -> drop"];
    let mut world = Scenario { servers, ..SCENARIO }.start();
    world.is_batched = true;
    world.run();
    assert_eq!(results(&world, 1), "192.0.2.9@1 =www.example@1 ok@1");
    assert_eq!(queries(&world), "0 ns1 www.example A");
    let timeouts = world.stats().nameservers.iter().map(|n| n.timeouts).sum::<u64>();
    assert_eq!(timeouts, 0, "no silence is held against it");
}

/// It has responded in time, and has its time over TCP.
#[test]
fn rr01_a_truncated_response_is_not_late() {
    let servers = &[
        "a.example * -> answer 192.0.2.9; * * udp -> truncate; \
         * * tcp -> delay 40ms, answer 192.0.2.9",
        OK,
    ];
    let steps = &["0 lookup a.example", "1000 lookup b.example"];
    let results = &["192.0.2.9@1 =a.example@1 ok@1", "192.0.2.9@1042 =b.example@1042 ok@1042"];
    let queries = "0 ns1 a.example A, 1000 ns1 b.example A, 1002 ns1/tcp b.example A";
    Scenario { servers, steps, results, queries, ..SCENARIO }.check();
}

/// One step a lookup: neither its second question, nor an alias, nor its next candidate goes on.
#[test]
fn rr07_rotate_advances_with_each_lookup() {
    let both = &["0 lookup a.example both", "10 lookup b.example both", "20 lookup c.example both"];
    let servers = &["* A -> answer 192.0.2.1; * AAAA -> answer 2001:db8::1"; 2];
    for config in ["rotate; single-request", "rotate; single-request-reopen"] {
        let world = Scenario { config, servers, steps: both, ..SCENARIO }.check();
        let asked: Vec<_> = world.log.iter().map(|sent| (&*sent.query.name, sent.server)).collect();
        let expected = [("a.example", 0), ("b.example", 1), ("c.example", 0)];
        assert_eq!(asked, expected.map(|sent| [sent; 2]).concat(), "{config}");
    }
    let servers = &["a.example * -> answer cname b.example; b.example * -> answer 192.0.2.1"; 2];
    let steps = &["0 lookup a.example", "10 lookup c.example"];
    let queries = "0 ns1 a.example A, 1 ns1 b.example A, 10 ns2 c.example A";
    Scenario { config: "rotate", servers, steps, queries, ..SCENARIO }.check();
    let servers = &["* * -> nxdomain"; 2];
    let steps = &["0 lookup www", "10 lookup c.example."];
    let queries = "0 ns1 www.a.example A, 1 ns1 www.b.example A, 2 ns1 www A, 10 ns2 c.example A";
    let config = "rotate; search a.example b.example";
    Scenario { config, servers, steps, queries, ..SCENARIO }.check();
}
