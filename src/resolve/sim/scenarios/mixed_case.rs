//! Queries in mixed case (draft-vixie-dnsext-dns0x20): at nameservers that keep it, at those that do
//! not, and beside a forger who does not know it.

use std::collections::HashSet;

use crate::resolve::error::Transport;
use crate::resolve::sim::scenario::{SCENARIO, Scenario, queries, results};
use crate::resolve::sim::world::World;

const MIXED: Scenario<'static> = Scenario { config: "mixed-case", ..SCENARIO };
const KEEPS: &str = "* * -> answer 192.0.2.1";
const FOLDS: &str = "$case lower; * * -> answer 192.0.2.1";
const FOLDS_WITHOUT_TCP: &str = "$case lower; $tcp refuse; * * -> answer 192.0.2.1";

/// How many responses came in another case, in all and by nameserver.
fn mismatches(world: &World) -> (u64, Vec<u64>) {
    let stats = world.stats();
    (stats.case_mismatches, stats.nameservers.iter().map(|one| one.case_mismatches).collect())
}

/// So many lookups, one every second.
fn steps(names: &[&str]) -> Vec<String> {
    names.iter().zip(0..).map(|(name, n)| format!("{} lookup {name}.example", n * 1000)).collect()
}

/// What was asked in these lookups, without the times.
fn asked(config: &str, server: &str, steps: &[String]) -> (World, String) {
    let steps: Vec<_> = steps.iter().map(String::as_str).collect();
    let world = Scenario { config, servers: &[server], steps: &steps, ..SCENARIO }.check();
    for id in (1..).take(steps.len()) {
        let results = results(&world, id);
        assert!(results.contains(" ok@"), "lookup {id}: {results}");
    }
    let queries = queries(&world);
    let without_times = queries.split(", ").map(|query| query.split_once(' ').unwrap().1);
    let without_times = without_times.collect::<Vec<_>>().join(", ");
    (world, without_times)
}

#[test]
fn a_nameserver_that_keeps_the_case_answers_in_one_round_trip() {
    let results = &["192.0.2.1@1 =www.example@1 ok@1"];
    let queries = "0 ns1 www.example A mixed";
    let world = Scenario { servers: &[KEEPS], results, queries, ..MIXED }.check();
    assert_eq!(mismatches(&world), (0, vec![0]));
}

#[test]
fn each_send_has_a_case_of_its_own() {
    let servers = &["$tcp refuse; * * -> drop | drop | drop | drop | answer 192.0.2.1 2001:db8::1"];
    let steps = &["0 lookup a-name-of-many-letters.example both"];
    let world = Scenario { servers, steps, ..MIXED }.check();
    let names: HashSet<_> = world.log.iter().map(|record| record.query.wire_name.clone()).collect();
    assert_eq!((world.log.len(), names.len()), (6, 6), "{names:?}");
}

/// No octet of any query differs from today's, and no random number more is drawn.
#[test]
fn without_the_option_a_query_has_the_name_as_it_was_given() {
    let steps = &["0 lookup WWW.Example both", "10 lookup b.example both"];
    let servers = &["* * -> drop | answer 192.0.2.1 2001:db8::1"];
    let plain = Scenario { servers, steps, ..SCENARIO }.check();
    let names: HashSet<_> = plain.log.iter().map(|record| record.query.wire_name.clone()).collect();
    assert_eq!(names, [b"\x03WWW\x07Example\0".to_vec(), b"\x01b\x07example\0".to_vec()].into());
    // The ids are the first numbers of the seed that `Scenario` has.
    let mut random = crate::seeded::Random::new(1);
    let drawn: Vec<_> = (0..64).map(|_| random.id()).collect();
    let ids = plain.log.iter().map(|record| record.query.id);
    let places: Vec<_> = ids.map(|id| drawn.iter().position(|&drawn| drawn == id)).collect();
    let expected = [0, 1, 2, 3, 4].map(Some);
    assert_eq!(places, expected, "{}", queries(&plain));
}

/// The spelling of the caller is that of the canonical name, and of the query over TCP.
#[test]
fn callers_and_tcp_have_the_name_as_it_was_given() {
    let steps = &["0 lookup WWW.Example"];
    for (server, results) in [
        (KEEPS, "192.0.2.1@1 =WWW.Example@1 ok@1"),
        (FOLDS, "192.0.2.1@3 =WWW.Example@3 ok@3"),
        (FOLDS_WITHOUT_TCP, "192.0.2.1@3 =WWW.Example@3 ok@3"),
    ] {
        let world = Scenario { servers: &[server], steps, results: &[results], ..MIXED }.check();
        let (first, others) = world.log.split_first().unwrap();
        assert_ne!(first.query.wire_name, b"\x03WWW\x07Example\0");
        for record in others {
            assert_eq!(record.query.wire_name, b"\x03WWW\x07Example\0", "{server}");
        }
    }
    let world = Scenario { config: "mixed-case; use-vc", steps, ..MIXED }.check();
    assert_eq!(world.log[0].query.wire_name, b"\x03WWW\x07Example\0");
}

/// The target is asked for as the nameserver spells it.
#[test]
fn the_target_of_an_alias_is_asked_in_a_case_of_its_own() {
    let servers = &["www.example A -> answer cname web.example; web.example A -> answer 192.0.2.1"];
    let results = &["192.0.2.1@2 =web.example@2 ok@2"];
    let queries = "0 ns1 www.example A mixed, 1 ns1 web.example A mixed";
    Scenario { servers, results, queries, ..MIXED }.check();
}

#[test]
fn a_nameserver_that_folds_the_case_is_asked_over_tcp() {
    let results = &["192.0.2.1@3 =www.example@3 ok@3"];
    let queries = "0 ns1 www.example A mixed, 2 ns1/tcp www.example A";
    for reply in ["answer 192.0.2.1", "answer 192.0.2.1 tc"] {
        let server = format!("$case lower; * * -> {reply}");
        let world = Scenario { servers: &[&server], results, queries, ..MIXED }.check();
        assert_eq!(mismatches(&world), (1, vec![1]));
    }
    // The next nameserver is asked as well.
    let results = &["192.0.2.1@2 =www.example@2 ok@2"];
    let queries = "0 ns1 www.example A mixed, 1 ns2 www.example A mixed, 2 ns1/tcp www.example A";
    let world = Scenario { servers: &[FOLDS, KEEPS], results, queries, ..MIXED }.check();
    assert_eq!(mismatches(&world), (1, vec![1, 0]));
}

/// Its error over TCP is its word: it is not asked over UDP as well.
#[test]
fn an_error_of_one_that_folds_the_case_is_found_out_over_tcp() {
    let servers = &["$case lower; * * -> servfail"];
    let queries = "0 ns1 www.example A mixed, 2 ns1/tcp www.example A, \
                   3 ns1 www.example A plain mixed, 4 ns1/tcp www.example A plain";
    Scenario { servers, results: &["ServerFailure@5"], queries, ..MIXED }.check();
}

#[test]
fn without_tcp_a_nameserver_that_folds_the_case_costs_no_lookup() {
    let queries = "0 ns1 www.example A mixed, 2 ns1 www.example A";
    let results = &["192.0.2.1@3 =www.example@3 ok@3"];
    let servers = &[FOLDS_WITHOUT_TCP];
    let world = Scenario { servers, results, queries, ..MIXED }.check();
    assert_eq!(mismatches(&world), (1, vec![1]));
    // What it closes is as good as refused.
    let servers = &["$case lower; * * udp -> answer 192.0.2.1; * * tcp -> close"];
    let world = Scenario { servers, ..MIXED }.check();
    assert_eq!(results_of_first(&world), "192.0.2.1@4 =www.example@4 ok@4");
    let servers =
        &["$case lower; * * udp -> answer 192.0.2.1; * * tcp -> answer 192.0.2.66 cut 40"];
    let world = Scenario { servers, ..MIXED }.check();
    assert_eq!(results_of_first(&world), "192.0.2.1@4 =www.example@4 ok@4");
    for strategy in ["all", "in-turn"] {
        let config = format!("mixed-case; attempts 1; {strategy}");
        let servers = &[FOLDS_WITHOUT_TCP, "* * -> drop"];
        Scenario { config: &config, servers, results, ..MIXED }.check();
    }
}

fn results_of_first(world: &World) -> String {
    results(world, 1)
}

/// Nothing comes back from its TCP port. One send is kept for the question as it was given.
#[test]
fn where_tcp_is_silent_the_question_is_asked_over_udp_in_time() {
    let servers = &["$case lower; $tcp black-hole; * * -> answer 192.0.2.1"];
    for (timeout, at) in [(5000, 3001), (1000, 751), (200, 151)] {
        let config = format!("mixed-case; timeout {timeout}");
        let results = format!("192.0.2.1@{at} =www.example@{at} ok@{at}");
        Scenario { config: &config, servers, results: &[&results], ..MIXED }.check();
    }
}

/// The port of its TCP was refused already, since a forger had guessed ids.
#[test]
fn where_tcp_has_failed_the_question_is_asked_over_udp_at_once() {
    let servers = &["$case lower; $tcp refuse; * * -> wrong-id, delay 9ms, answer 192.0.2.1"];
    let results = &["192.0.2.1@18 =www.example@18 ok@18"];
    let queries = "0 ns1 www.example A mixed, 9 ns1 www.example A";
    Scenario { servers, results, queries, ..MIXED }.check();
}

/// All sends of the round were made when it comes: a second later is one more (RFC 9520).
#[test]
fn a_response_in_another_case_to_the_last_send_costs_no_lookup_either() {
    let servers = &["$case lower; $tcp refuse; * * -> drop | drop | answer 192.0.2.1"];
    let results = &["192.0.2.1@2001 =www.example@2001 ok@2001"];
    Scenario { config: "mixed-case; attempts 1", servers, results, ..MIXED }.check();
}

/// A forger is there before it, who knows id and port, and no more.
#[test]
fn a_forged_hint_does_not_hide_that_the_case_was_another() {
    // After the first one TCP has failed already.
    for (hint, asked_at) in [("nodata tc", 9), ("servfail", 10)] {
        let server = format!(
            "$case lower; $tcp refuse; * * -> {hint} header-only, delay 9ms, answer 192.0.2.1"
        );
        let world = Scenario { servers: &[&server], ..MIXED }.check();
        let expected = format!("0 ns1 www.example A mixed, {asked_at} ns1 www.example A");
        assert_eq!(queries(&world), expected, "{hint}");
        let at = asked_at + 9;
        let expected = format!("192.0.2.1@{at} =www.example@{at} ok@{at}");
        assert_eq!(results(&world, 1), expected, "{hint}");
    }
}

#[test]
fn after_three_questions_a_nameserver_that_folds_the_case_is_asked_plainly_for_ten_minutes() {
    let mut steps = steps(&["a", "b", "c", "d", "e"]);
    // Ten minutes after the answer to the third question.
    steps.extend(["602000 lookup f.example", "602010 lookup g.example"].map(str::to_owned));
    let over_tcp = |name: &str| format!("ns1 {name}.example A mixed, ns1/tcp {name}.example A");
    let plain = |name: &str| format!("ns1 {name}.example A");
    let expected =
        [over_tcp("a"), over_tcp("b"), over_tcp("c"), plain("d"), plain("e"), plain("f")];
    let (world, queries) = asked("mixed-case", FOLDS, &steps);
    assert_eq!(queries, [&expected[..], &[over_tcp("g")]].concat().join(", "));
    assert_eq!(mismatches(&world), (4, vec![4]));
    // The same where it has no TCP.
    let (world, queries) = asked("mixed-case", FOLDS_WITHOUT_TCP, &steps);
    let over_udp = |name: &str| format!("ns1 {name}.example A mixed, ns1 {name}.example A");
    let expected =
        [over_udp("a"), over_udp("b"), over_udp("c"), plain("d"), plain("e"), plain("f")];
    assert_eq!(queries, [&expected[..], &[over_udp("g")]].concat().join(", "));
    assert_eq!(mismatches(&world), (4, vec![4]));
}

/// A nameserver that answers two of three questions from the cache of another client.
#[test]
fn a_response_that_keeps_the_case_begins_the_count_anew() {
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let server = "c.example A -> answer 192.0.2.1; f.example A -> servfail | answer 192.0.2.1; \
                  * * udp -> answer lowercase 192.0.2.1; * * tcp -> answer 192.0.2.1";
    let (world, queries) = asked("mixed-case", server, &steps(&names));
    let sent: Vec<_> = queries.split(", ").filter(|query| !query.contains("tcp")).collect();
    assert!(sent.iter().all(|query| query.ends_with(" mixed")), "{queries}");
    assert_eq!(mismatches(&world), (6, vec![6]));
}

/// The true response keeps the case, so that what came before it was forged: nothing is learnt.
#[test]
fn forged_responses_do_not_switch_the_mixing_off() {
    let names = ["a", "b", "c", "d", "e", "f"];
    for tcp in ["$tcp refuse", "$tcp black-hole", "* * tcp -> delay 100ms, answer 192.0.2.1"] {
        let server = format!("{tcp}; * * -> lowercase 192.0.2.66, delay 2ms, answer 192.0.2.1");
        let (world, queries) = asked("mixed-case", &server, &steps(&names));
        let firsts = names.map(|name| format!("ns1 {name}.example A mixed"));
        assert!(firsts.iter().all(|first| queries.contains(first)), "{tcp}: {queries}");
        assert!(mismatches(&world).0 >= 6);
    }
}

/// The true response is an error. What it shows of the case holds for what TCP brings after it.
#[test]
fn a_true_error_says_that_what_came_before_it_was_forged() {
    let server = "a.example A udp -> lowercase 192.0.2.66, delay 3ms, servfail; \
                  * * udp -> answer lowercase 192.0.2.1; * * tcp -> delay 9ms, answer 192.0.2.1";
    let (_, queries) = asked("mixed-case", server, &steps(&["a", "b", "c", "d", "e"]));
    assert!(queries.contains("ns1 d.example A mixed"), "{queries}");
    assert!(queries.ends_with("ns1 e.example A"), "three in a row: {queries}");
}

/// It has guessed the port and the id, and writes the name as everyone does. While TCP works, it is
/// not believed, however often it comes, and over whatever it brings.
#[test]
fn a_forged_response_in_plain_case_is_not_believed() {
    for forged in [
        "lowercase answer 192.0.2.66",
        "uppercase answer 192.0.2.66",
        "lowercase nxdomain",
        "lowercase nxdomain authority soa 60",
        "lowercase answer cname evil.example 192.0.2.66",
        "lowercase servfail",
        "lowercase answer 192.0.2.66 times 9",
        "lowercase answer 192.0.2.66 tc",
    ] {
        // Before the true response, and in place of it.
        let script = format!(
            "* * udp -> {forged}, delay 9ms, answer 192.0.2.1; * * tcp -> delay 99ms, nodata"
        );
        let results = &["192.0.2.1@9 =www.example@9 ok@9"];
        let queries = "0 ns1 www.example A mixed, 2 ns1/tcp www.example A";
        let world = Scenario { servers: &[&script], results, queries, ..MIXED }.check();
        assert_eq!(world.stats().case_mismatches, 1, "a second one says no more: {forged}");
        let script = format!("* * udp -> {forged}; * * tcp -> delay 600ms, answer 192.0.2.1");
        let results = &["192.0.2.1@602 =www.example@602 ok@602"];
        let world = Scenario { servers: &[&script], results, ..MIXED }.check();
        let plain = |record: &&crate::resolve::sim::world::Record| {
            record.query.transport == Transport::Udp
                && record.query.wire_name == b"\x03www\x07example\0"
        };
        assert!(world.log.iter().find(plain).is_none(), "{}", self::queries(&world));
    }
}

#[test]
fn the_error_tells_that_the_case_was_another() {
    let servers = &["* * udp -> answer lowercase 192.0.2.66 | drop; * * tcp -> close"];
    let world = Scenario { config: "mixed-case; timeout 300", servers, ..MIXED }.check();
    let end = world.consumers.values().next().and_then(|consumer| consumer.results.last());
    let error = format!("{:?}", end.map(|(_, end)| end));
    assert!(error.contains("ServerFailure") && error.contains("CaseMismatch"), "{error}");
}
