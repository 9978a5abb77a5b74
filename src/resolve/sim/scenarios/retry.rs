//! Which nameserver is asked when, and when again: silence and errors.

use std::collections::HashSet;

use crate::resolve::sim::scenario::{SCENARIO, Scenario, queries, results};

const OK: &str = "* * -> answer 192.0.2.1";

#[test]
fn rt01_two_lost_queries_cost_a_second_and_each_send_has_its_own_port_and_id() {
    let servers = &["* * -> drop | drop | answer 192.0.2.1"];
    let results = &["192.0.2.1@1001 =www.example@1001 ok@1001"];
    let queries = "0 ns1 www.example A, 250 ns1 www.example A, 1000 ns1 www.example A plain";
    let world = Scenario { servers, results, queries, ..SCENARIO }.check();
    let sockets: HashSet<_> = world.log.iter().map(|record| record.socket).collect();
    let ids: HashSet<_> = world.log.iter().map(|record| record.query.id).collect();
    assert_eq!((sockets.len(), ids.len()), (3, 3));
}

/// Asked all at once, a silent one costs nothing. Otherwise the next is asked when the first is
/// late. In turn the waits grow, and after the last round each is asked again a second after its
/// last send.
#[test]
fn rt02_a_silent_first_nameserver_does_not_hold_up_the_second() {
    let servers = &["* * -> drop", OK];
    let results = &["192.0.2.1@1 =www.example@1 ok@1"];
    Scenario { config: "all", servers, results, ..SCENARIO }.check();
    let results = &["192.0.2.1@251 =www.example@251 ok@251"];
    let queries = "0 ns1 www.example A, 250 ns1 www.example A, 250 ns2 www.example A";
    Scenario { servers, results, queries, ..SCENARIO }.check();
    let queries = "0 ns1 www.example A, 250 ns2 www.example A";
    Scenario { config: "in-turn", servers, results, queries, ..SCENARIO }.check();
    let servers = &["* * -> drop | drop", "* * -> drop | drop"];
    let queries = "0 ns1 www.example A, 250 ns2 www.example A, 500 ns1 www.example A, \
                   1250 ns2 www.example A, 2000 ns1 www.example A plain, \
                   2250 ns2 www.example A plain, 3000 ns1 www.example A plain, \
                   3250 ns2 www.example A plain, 4000 ns1 www.example A plain, \
                   4250 ns2 www.example A plain";
    let results = &["Timeout@5000"];
    Scenario { config: "in-turn", servers, results, queries, ..SCENARIO }.check();
}

#[test]
fn rt03_servfail_and_notimp_pass_the_question_on() {
    let servers = &["* * -> servfail", "* * -> notimp", OK];
    let results = &["192.0.2.1@3 =www.example@3 ok@3"];
    let queries = "0 ns1 www.example A, 1 ns2 www.example A, 2 ns2 www.example A plain, \
                   2 ns3 www.example A";
    Scenario { config: "in-turn", servers, results, queries, ..SCENARIO }.check();
}

#[test]
fn rt04_servfail_everywhere_takes_each_nameserver_as_often_as_attempts_says() {
    let servers = &["* * -> servfail times 3"; 3];
    for (attempts, sends) in [(1, 3), (2, 6), (3, 9)] {
        for strategy in ["", "all", "in-turn"] {
            let config = format!("attempts {attempts}; {strategy}");
            let world = Scenario { config: &config, servers, ..SCENARIO }.check();
            assert_eq!(world.log.len(), sends, "{config}: {}", queries(&world));
            assert!(results(&world, 1).starts_with("ServerFailure"));
        }
    }
}

/// Twelve octets are a hint: the next nameserver is asked at once, and a lone one again soon.
#[test]
fn rt05_a_header_that_says_refused_passes_the_question_on_at_once() {
    let servers = &["* * -> refused header-only", OK];
    let results = &["192.0.2.1@2 =www.example@2 ok@2"];
    Scenario { config: "in-turn", servers, results, ..SCENARIO }.check();
    let servers = &["* * -> refused header-only"];
    let results = &["ServerFailure@752"];
    let queries = "0 ns1 www.example A, 250 ns1 www.example A, 501 ns1 www.example A plain";
    Scenario { servers, results, queries, ..SCENARIO }.check();
    let servers = &["* * -> refused header-only, delay 40ms, answer 192.0.2.1"];
    let results = &["192.0.2.1@40 =www.example@40 ok@40"];
    Scenario { servers, results, ..SCENARIO }.check();
}

#[test]
fn rt06_a_lame_referral_passes_the_question_on_and_an_opt_record_makes_it_the_last_word() {
    let servers = &["* * -> nodata no-ra no-aa no-edns", OK];
    let results = &["192.0.2.1@2 =www.example@2 ok@2"];
    Scenario { config: "in-turn", servers, results, ..SCENARIO }.check();
    let servers = &["* * -> nodata no-ra no-aa edns"; 2];
    let results = &["NoAddress@2"];
    Scenario { config: "in-turn", servers, results, ..SCENARIO }.check();
}

#[test]
fn rt07_nxdomain_is_final_even_from_one_that_does_not_recurse() {
    let servers = &["* * -> nxdomain no-ra", OK];
    let (results, queries) = (&["NotFound@1"], "0 ns1 www.example A");
    Scenario { config: "in-turn", servers, results, queries, ..SCENARIO }.check();
}

#[test]
fn rt08_an_empty_authoritative_answer_is_nodata() {
    let servers = &["* * -> nodata no-ra", OK];
    let (results, queries) = (&["NoAddress@1"], "0 ns1 www.example A");
    Scenario { config: "in-turn", servers, results, queries, ..SCENARIO }.check();
}

#[test]
fn rt09_rotate_starts_with_each_nameserver_in_turn() {
    let steps = &["0 lookup a.example", "10 lookup b.example", "20 lookup c.example"];
    let (servers, steps) = (&[OK, OK], &steps[..]);
    let queries = "0 ns1 a.example A, 10 ns2 b.example A, 20 ns1 c.example A";
    Scenario { config: "rotate", servers, steps, queries, ..SCENARIO }.check();
    let queries = "0 ns1 a.example A, 10 ns1 b.example A, 20 ns1 c.example A";
    Scenario { config: "in-turn", servers, steps, queries, ..SCENARIO }.check();
}

#[test]
fn rt10_a_nameserver_that_failed_is_not_the_first_to_be_asked_again() {
    for failure in ["drop", "servfail", "port-unreachable"] {
        let script = format!("* * -> {failure}");
        let steps = &["0 lookup a.example", "1000 lookup b.example"];
        let world = Scenario { servers: &[&script, OK], steps, ..SCENARIO }.check();
        let second: Vec<_> =
            world.log.iter().filter(|record| record.at.as_millis() == 1000).collect();
        assert_eq!(second.len(), 1, "{failure}: {}", queries(&world));
        assert_eq!(second[0].server, 1, "{failure}");
    }
}

#[test]
fn rt11_a_failed_nameserver_is_probed_beside_the_good_one() {
    let servers = &["* * -> port-unreachable | answer 192.0.2.1", OK];
    let steps = &[
        "0 lookup a.example",
        "4000 lookup b.example",
        "5300 lookup c.example",
        "5300 lookup d.example",
        "5400 lookup e.example",
    ];
    let queries = "0 ns1 a.example A, 1 ns2 a.example A, 4000 ns2 b.example A, \
                   5300 ns1 c.example A, 5300 ns2 c.example A, 5300 ns2 d.example A, \
                   5400 ns1 e.example A";
    let results = &[
        "192.0.2.1@2 =a.example@2 ok@2",
        "192.0.2.1@4001 =b.example@4001 ok@4001",
        "192.0.2.1@5301 =c.example@5301 ok@5301",
        "192.0.2.1@5301 =d.example@5301 ok@5301",
    ];
    Scenario { servers, steps, queries, results, ..SCENARIO }.check();
}

#[test]
fn rt12_a_probe_that_is_not_answered_is_followed_by_another() {
    let servers = &["* * -> port-unreachable | drop | answer 192.0.2.1", OK];
    let steps = &[
        "0 lookup a.example",
        "6000 lookup b.example",
        "7000 lookup c.example",
        "11300 lookup d.example",
    ];
    let queries = "0 ns1 a.example A, 1 ns2 a.example A, 6000 ns1 b.example A, \
                   6000 ns2 b.example A, 7000 ns2 c.example A, 11300 ns1 d.example A, \
                   11300 ns2 d.example A";
    Scenario { servers, steps, queries, ..SCENARIO }.check();
}

#[test]
fn rt13_when_all_have_failed_the_first_to_recover_is_found_at_once() {
    let servers = &["* * -> servfail", "* * -> servfail | servfail | answer 192.0.2.1"];
    let steps = &["0 lookup a.example", "1000 lookup b.example"];
    let results = &["ServerFailure@3", "192.0.2.1@1001 =b.example@1001 ok@1001"];
    Scenario { servers, steps, results, ..SCENARIO }.check();
}

#[test]
fn rt14_a_nameserver_without_a_route_is_passed_over_at_once() {
    for strategy in ["", "in-turn"] {
        let servers = &["$open unreachable", OK];
        let results = &["192.0.2.1@1 =www.example@1 ok@1"];
        let queries = "0 ns2 www.example A";
        Scenario { config: strategy, servers, results, queries, ..SCENARIO }.check();
    }
}

#[test]
fn rt15_three_black_holes_take_no_longer_than_the_timeout_and_each_is_asked() {
    let servers = &["* * -> drop"; 3];
    for config in ["", "all", "in-turn"] {
        let config = format!("{config}; timeout 2000");
        let world = Scenario { config: &config, servers, results: &["Timeout@2000"], ..SCENARIO };
        let world = world.check();
        let asked: HashSet<_> = world.log.iter().map(|record| record.server).collect();
        assert_eq!(asked.len(), 3, "{config}");
    }
}

#[test]
fn rt16_formerr_is_answered_without_edns_and_remembered_for_a_while() {
    for reply in ["formerr", "formerr no-edns", "badvers"] {
        let script = format!(
            "* * -> {reply} | answer 192.0.2.1 | answer 192.0.2.1 | {reply} | answer 192.0.2.1"
        );
        let steps = &["0 lookup a.example", "10 lookup b.example", "601000 lookup c.example"];
        let queries = "0 ns1 a.example A, 1 ns1 a.example A plain, 10 ns1 b.example A plain, \
                       601000 ns1 c.example A, 601001 ns1 c.example A plain";
        let results = &["192.0.2.1@2 =a.example@2 ok@2", "192.0.2.1@11 =b.example@11 ok@11"];
        Scenario { servers: &[&script], steps, queries, results, ..SCENARIO }.check();
    }
    let servers = &["* * -> formerr | formerr"];
    let queries = "0 ns1 www.example A, 1 ns1 www.example A plain, 2 ns1 www.example A plain";
    let results = &["ServerFailure@3"];
    Scenario { servers, queries, results, ..SCENARIO }.check();
}

#[test]
fn rt17_a_path_that_drops_edns_is_found_out_by_the_last_send_and_remembered() {
    let servers = &["* * -> drop | drop | answer 192.0.2.1"];
    let steps = &["0 lookup a.example", "2000 lookup b.example"];
    let results =
        &["192.0.2.1@1001 =a.example@1001 ok@1001", "192.0.2.1@2001 =b.example@2001 ok@2001"];
    let queries = "0 ns1 a.example A, 250 ns1 a.example A, 1000 ns1 a.example A plain, \
                   2000 ns1 b.example A plain";
    Scenario { servers, steps, results, queries, ..SCENARIO }.check();
}

#[test]
fn rt18_the_extended_bits_of_the_code_count() {
    let servers = &["* * -> rcode 1024"];
    Scenario { servers, config: "attempts 1", results: &["ServerFailure@1"], ..SCENARIO }.check();
}

#[test]
fn rt19_without_a_socket_it_ends_at_the_timeout_without_spinning() {
    let servers = &["$open quota 999999ms"];
    let (results, queries) = (&["Resources@5000"], "");
    Scenario { servers, results, queries, ..SCENARIO }.check();
}

/// The program needs descriptors as well: what was enough a moment ago is shared for a while.
#[test]
fn rr21_after_a_moment_without_descriptors_lookups_share_sockets() {
    let lookups: Vec<_> = (0..20).map(|n| format!("500 lookup n{n}.example")).collect();
    let mut steps = vec!["0 lookup www.example"];
    steps.extend(lookups.iter().map(String::as_str));
    for (quota, sockets) in [("$open quota 300ms;", 4), ("", 20)] {
        let script = format!("{quota} * * -> delay 50ms, answer 192.0.2.1");
        let world = Scenario { servers: &[&script], steps: &steps, ..SCENARIO }.check();
        let later = world.log.iter().filter(|sent| sent.at.as_millis() >= 500);
        let used: std::collections::HashSet<_> = later.map(|sent| sent.socket).collect();
        assert_eq!(used.len(), sockets, "{quota}");
        assert!((1..=21).all(|id| results(&world, id).contains("ok@")));
    }
}

#[test]
fn rt20_a_refused_port_passes_the_question_on_at_once_and_the_next_try_has_a_new_socket() {
    let servers = &["* * -> port-unreachable", OK];
    let results = &["192.0.2.1@2 =www.example@2 ok@2"];
    Scenario { config: "in-turn", servers, results, ..SCENARIO }.check();
    let servers = &["* * -> port-unreachable | answer 192.0.2.1"];
    let results = &["192.0.2.1@251 =www.example@251 ok@251"];
    let world = Scenario { servers, results, ..SCENARIO }.check();
    assert_ne!(world.log[0].socket, world.log[1].socket);
}

/// A restart, or a network that is gone for a moment: whatever its length, within the budget it
/// costs time and no lookup, and no more than a second after its end.
#[test]
fn rr20_an_outage_costs_no_lookup_and_at_most_a_second_after_its_end() {
    for strategy in ["", "all", "in-turn"] {
        for count in [1, 2, 3] {
            for is_known in [false, true] {
                for outage in [200, 350, 500, 750, 1000, 2000, 3000, 3999] {
                    check_outage(strategy, count, is_known, outage);
                }
            }
        }
    }
}

/// All nameservers are out of reach for so many milliseconds, in which ten lookups begin.
fn check_outage(strategy: &str, count: usize, is_known: bool, outage: u64) {
    let (start, end) = (10_000, 10_000 + outage);
    let config = format!("{strategy}; outage {start} {end}");
    let servers = vec![OK; count];
    let begin = |n: u64| format!("{} lookup n{n}.example", start + n * outage / 10);
    let known = is_known.then(|| "0 lookup known.example".to_owned());
    let steps: Vec<_> = known.into_iter().chain((0..10).map(begin)).collect();
    let steps: Vec<_> = steps.iter().map(String::as_str).collect();
    let world = Scenario { config: &config, servers: &servers, steps: &steps, ..SCENARIO }.check();
    for id in (1..).take(steps.len()) {
        let text = results(&world, id);
        let at = text.rsplit_once("ok@").and_then(|(_, at)| at.parse::<u64>().ok());
        let is_in_time = at.is_some_and(|at| at <= end + 1001);
        assert!(is_in_time, "{config}, {count} nameservers, known: {is_known}: {text}");
    }
}

/// A resolver daemon that restarts refuses connections for a moment.
#[test]
fn rr14_a_refused_port_is_asked_again_for_half_of_the_budget() {
    for refusals in 1..=3 {
        let script = format!("* * #1-{refusals} -> port-unreachable; * * -> answer 192.0.2.1");
        let world = Scenario { servers: &[&script], ..SCENARIO }.check();
        assert!(results(&world, 1).contains(" ok@"), "{refusals}: {}", results(&world, 1));
    }
    let servers = &["* * -> port-unreachable"];
    let queries = "0 ns1 www.example A, 250 ns1 www.example A, 501 ns1 www.example A plain, \
                   1502 ns1 www.example A plain";
    Scenario { servers, results: &["Unreachable@1503"], queries, ..SCENARIO }.check();
    // The same over TCP.
    let servers = &["$tcp refuse"];
    let world = Scenario { config: "use-vc", servers, ..SCENARIO }.check();
    assert!(results(&world, 1).starts_with("Unreachable@2"), "{}", results(&world, 1));
}

/// What failed at once is asked again at once, one time; what fails twice has failed.
#[test]
fn rr15_a_server_failure_is_asked_again_at_once_and_once() {
    // With a third attempt the third send is spaced. NOTIMP has one send more at once, without EDNS,
    // and three are all that there may be.
    for (failure, twice, three_times) in [
        ("servfail", "ServerFailure@2", "ServerFailure@253"),
        ("refused", "ServerFailure@2", "ServerFailure@253"),
        ("notimp", "ServerFailure@3", "ServerFailure@3"),
        ("no-ra no-aa no-edns", "ServerFailure@2", "ServerFailure@253"),
    ] {
        let script = format!("* * -> {failure} | answer 192.0.2.1");
        let results = &["192.0.2.1@2 =www.example@2 ok@2"];
        Scenario { servers: &[&script], results, ..SCENARIO }.check();
        let script = format!("* * -> {failure}");
        let servers = &[script.as_str()];
        Scenario { servers, results: &[twice], ..SCENARIO }.check();
        let config = "attempts 3";
        Scenario { config, servers, results: &[three_times], ..SCENARIO }.check();
    }
}

/// An ICMP message needs a port guessed and no id, and comes from any address.
#[test]
fn at11_a_refusal_is_a_hint_and_the_answer_that_comes_still_counts() {
    let servers = &["* * -> port-unreachable, port-unreachable, delay 50ms, answer 192.0.2.1"];
    let results = &["192.0.2.1@50 =www.example@50 ok@50"];
    Scenario { servers, results, queries: "0 ns1 www.example A", ..SCENARIO }.check();
    // The others are asked at once.
    let servers = &["* * -> port-unreachable, delay 50ms, answer 192.0.2.9", OK];
    let results = &["192.0.2.1@2 =www.example@2 ok@2"];
    Scenario { servers, results, ..SCENARIO }.check();
}
