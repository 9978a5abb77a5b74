//! Answers that are kept, shared and refreshed, and what ends them.

use crate::resolve::sim::scenario::{SCENARIO, Scenario, queries, results};
use crate::resolve::stub::Stub;

const BOTH: &str = "* * -> answer 192.0.2.1 2001:db8::1";

#[test]
fn cc01_asked_once_while_its_ttl_runs_and_again_after() {
    let servers = &["* * -> answer 192.0.2.1 ttl 60 | answer 192.0.2.2 ttl 60"];
    let steps = &["0 lookup www.example", "59000 lookup WWW.example", "60001 lookup www.example"];
    let results = &[
        "192.0.2.1@1 =www.example@1 ok@1",
        "192.0.2.1@59000 =WWW.example@59000 ok@59000",
        "192.0.2.2@60002 =www.example@60002 ok@60002",
    ];
    let queries = "0 ns1 www.example A, 60001 ns1 www.example A";
    Scenario { config: "cache", servers, steps, results, queries }.check();
}

#[test]
fn cc01_each_family_has_its_own_time() {
    let servers = &["* A -> answer 192.0.2.1 ttl 10; * AAAA -> answer 2001:db8::1 ttl 100"];
    let steps = &["0 lookup www.example both", "20000 lookup www.example both"];
    let queries = "0 ns1 www.example AAAA, 0 ns1 www.example A, 20000 ns1 www.example A";
    let world = Scenario { config: "cache", servers, steps, queries, ..SCENARIO }.check();
    let expected = "2001:db8::1@20000 =www.example@20000 192.0.2.1@20001 ok@20001";
    assert_eq!(results(&world, 2), expected);
}

/// The target of an alias is a question of its own when its address comes in another response.
#[test]
fn cc01_an_alias_holds_no_longer_than_what_it_leads_to() {
    let servers = &["www.example A -> answer cname host.example ttl 100; \
                     host.example A -> answer 192.0.2.1 ttl 10"];
    let steps = &["0 lookup www.example", "5000 lookup www.example", "20000 lookup www.example"];
    let queries = "0 ns1 www.example A, 1 ns1 host.example A, 20000 ns1 host.example A";
    Scenario { config: "cache", servers, steps, queries, ..SCENARIO }.check();
}

#[test]
fn cc02_a_ttl_of_zero_serves_the_lookups_that_wait_and_no_other() {
    let servers = &["* * -> delay 10ms, answer 192.0.2.1 ttl 0"];
    let steps = &["0 lookup www.example", "5 lookup www.example", "20 lookup www.example"];
    let queries = "0 ns1 www.example A, 20 ns1 www.example A";
    let results = &["192.0.2.1@10 =www.example@10 ok@10", "192.0.2.1@10 =www.example@10 ok@10"];
    Scenario { config: "cache", servers, steps, results, queries }.check();
}

#[test]
fn cc03_what_does_not_exist_is_asked_for_once_a_minute_if_a_soa_record_says_so() {
    for (reply, sends) in
        [("nxdomain authority soa 60", 1), ("nodata authority soa 60", 1), ("nodata", 3)]
    {
        let script = format!("* * -> {reply}");
        let steps = &["0 lookup a.example", "100 lookup a.example", "59000 lookup a.example"];
        let world = Scenario { config: "cache", servers: &[&script], steps, ..SCENARIO }.check();
        assert_eq!(world.log.len(), sends, "{reply}: {}", queries(&world));
    }
}

#[test]
fn cc03_the_search_list_is_walked_in_the_cache() {
    let servers = &["www * -> answer 192.0.2.1; * * -> nxdomain authority soa 60"];
    let steps = &["0 lookup www", "1000 lookup www"];
    let results = &["192.0.2.1@3 =www@3 ok@3", "192.0.2.1@1000 =www@1000 ok@1000"];
    let config = "cache; search a b";
    let queries = "0 ns1 www.a A, 1 ns1 www.b A, 2 ns1 www A";
    Scenario { config, servers, steps, results, queries }.check();
}

#[test]
fn cc05_a_new_generation_starts_with_an_empty_cache_and_its_own_nameservers() {
    let servers = &["* * -> answer 192.0.2.1", "* * -> answer 192.0.2.2"];
    let steps = &["0 next 1", "10 lookup www.example", "20 next 2", "30 lookup www.example"];
    let results = &["192.0.2.1@11 =www.example@11 ok@11", "192.0.2.2@31 =www.example@31 ok@31"];
    let queries = "10 ns1 www.example A, 30 ns2 www.example A";
    Scenario { config: "cache", servers, steps, results, queries }.check();
}

/// A lookup that has had an answer finishes in its own generation, and nothing that it brings is
/// cached for lookups of the next.
#[test]
fn cc05_lookups_under_way_finish_as_they_were() {
    let servers = &[
        "* AAAA -> answer 2001:db8::1; * A -> delay 50ms, answer 192.0.2.1",
        "* AAAA -> answer 2001:db8::2; * A -> answer 192.0.2.2",
    ];
    let steps = &["0 next 1", "10 lookup a both", "20 next 2", "30 lookup a both", "500 lookup a"];
    let results = &[
        "2001:db8::1@11 =a@11 192.0.2.1@60 ok@60",
        "2001:db8::2@31 =a@31 192.0.2.2@31 ok@31",
        "192.0.2.2@500 =a@500 ok@500",
    ];
    Scenario { config: "cache", servers, steps, results, ..SCENARIO }.check();
}

/// The nameservers that they wait for may be why the configuration was changed.
#[test]
fn rr23_lookups_without_an_answer_start_again_under_the_new_configuration() {
    let servers = &["* * -> drop", "* * -> answer 192.0.2.2"];
    let steps = &["0 next 1", "10 lookup a", "15 lookup b timeout 400", "1000 next 2"];
    let results = &["192.0.2.2@1001 =a@1001 ok@1001", "Timeout@415"];
    Scenario { config: "cache", servers, steps, results, ..SCENARIO }.check();
}

/// The second lookup waits to ask again, as the first one's time was over before its own. Where it
/// asks anew, it has nothing to ask again.
#[test]
fn at10_a_lookup_that_moves_leaves_behind_what_it_had_postponed() {
    let servers = &["* * -> drop", "* * -> drop"];
    let steps = &["0 next 1", "0 lookup a", "3000 lookup a", "5500 next 2"];
    let mut world = Scenario { config: "cache", servers, steps, ..SCENARIO }.start();
    world.run_until(std::time::Duration::from_millis(5400));
    assert_eq!(world.core.holdings().queries, 0, "it waits");
    world.run_until(std::time::Duration::from_millis(5600));
    assert_eq!(world.core.holdings().queries, 1);
    assert!(!world.core.all().any(Stub::forgets_questions));
}

/// It has nothing left to do.
#[test]
fn at10_a_stub_that_has_finished_is_dropped() {
    let steps: Vec<_> = (0..50).map(|n| format!("{} next 1", n * 100)).collect();
    let lookups: Vec<_> = (0..50).map(|n| format!("{} lookup n{n}.example", n * 100)).collect();
    let steps: Vec<_> = steps.iter().chain(&lookups).map(String::as_str).collect();
    let servers = &["* * -> delay 20ms, answer 192.0.2.1"];
    let world = Scenario { servers, steps: &steps, ..SCENARIO }.check();
    let generations = world.core.all().count();
    assert!(generations <= 2, "{generations} of 51 are there");
}

/// Within the time that they have.
#[test]
fn rr23_a_lookup_that_moves_keeps_its_deadlines() {
    let servers = &["* * -> drop", "* * -> drop"];
    let steps = &["0 next 1", "0 lookup a", "0 lookup b timeout 3000", "2000 next 2"];
    let results = &["Timeout@5000", "Timeout@3000"];
    Scenario { servers, steps, results, ..SCENARIO }.check();
}

/// It asks for the candidate that it was at, from the start of its aliases, and lookups of the same
/// name share one question again.
#[test]
fn rr23_a_lookup_that_moves_asks_for_its_candidate_anew() {
    let servers = &[
        "a.x * -> nxdomain; a.y * -> answer cname c.y; * * -> drop",
        "a.y * -> answer 192.0.2.2; * * -> answer 192.0.2.9",
    ];
    let steps = &["0 next 1", "0 lookup a", "0 lookup a", "100 next 2"];
    let results = &["192.0.2.2@101 =a.y@101 ok@101"; 2];
    let queries = "0 ns1 a.x A, 1 ns1 a.y A, 2 ns1 c.y A, 100 ns2 a.y A";
    Scenario { config: "search x y", servers, steps, results, queries }.check();
}

#[test]
fn cc06_after_an_hour_of_sleep_nothing_is_known_and_connections_are_new() {
    let servers = &["* * -> answer 192.0.2.1 ttl 86400"];
    let steps = &["0 lookup a.example", "1000 suspend 3600000", "3700000 lookup a.example"];
    let config = "cache; cache max-ttl 86400000; use-vc";
    let world = Scenario { config, servers, steps, ..SCENARIO }.check();
    assert_eq!(world.log.len(), 2, "{}", queries(&world));
    assert_ne!(world.log[0].socket, world.log[1].socket);
}

/// What was out in the evening has timed out in the morning, and is not taken for an answer of the
/// network where the machine woke up.
#[test]
fn cc06_a_lookup_that_slept_ends_at_once() {
    let servers = &["* * -> delay 200ms, answer 192.0.2.1"];
    let steps = &["0 lookup a.example", "100 suspend 3600000"];
    let results = &["Timeout@3600100"];
    Scenario { config: "cache", servers, steps, results, ..SCENARIO }.check();
}

#[test]
fn cc08_a_flood_of_one_dead_name_asks_once_a_second() {
    let steps: Vec<String> = (0..3000).map(|n| format!("{n} lookup dead.example")).collect();
    let steps: Vec<_> = steps.iter().map(String::as_str).collect();
    let servers = &["* * -> servfail"];
    let config = "cache; attempts 1";
    let world = Scenario { config, servers, steps: &steps, ..SCENARIO }.check();
    let expected = "0 ns1 dead.example A, 1001 ns1 dead.example A, 2002 ns1 dead.example A";
    assert_eq!(queries(&world), expected);
    assert!((1..=3000).all(|id| results(&world, id).starts_with("ServerFailure")));
}

#[test]
fn cc08_a_flood_of_one_unanswered_name_is_one_question_at_a_time() {
    let steps: Vec<String> = (0..200).map(|n| format!("{} lookup dead.example", n * 10)).collect();
    let steps: Vec<_> = steps.iter().map(String::as_str).collect();
    let config = "cache; timeout 400";
    let world = Scenario { config, servers: &["* * -> drop"], steps: &steps, ..SCENARIO }.check();
    // 0 to 400, silence for a second, 1400 to 1800, and silence again.
    let starts: Vec<_> = world.log.iter().map(|record| record.at.as_millis()).collect();
    assert_eq!(starts.iter().filter(|at| **at < 1400).count(), starts.len() / 2, "{starts:?}");
    assert!(starts.iter().all(|at| *at < 400 || (1400..1800).contains(at)), "{starts:?}");
}

/// The deadline of the query it was coalesced with comes before its own: it asks again, when it
/// may.
#[test]
fn cc08_a_lookup_that_was_coalesced_late_asks_again_a_second_later() {
    let servers = &["* * #1-6 -> drop; * * -> answer 192.0.2.1"];
    let steps = &["0 lookup www.example", "4900 lookup www.example"];
    let results = &["Timeout@5000", "192.0.2.1@6001 =www.example@6001 ok@6001"];
    let queries = "0 ns1 www.example A, 250 ns1 www.example A, 1000 ns1 www.example A plain, \
                   2000 ns1 www.example A plain, 3000 ns1 www.example A plain, \
                   4000 ns1 www.example A plain, 6000 ns1 www.example A";
    Scenario { config: "cache", servers, steps, results, queries }.check();
}

#[test]
fn cc08_one_who_leaves_before_asking_again_sends_nothing_more() {
    let servers = &["* * -> drop"];
    for (leave, expected) in [("5500 drop 2", "dropped"), ("5500 cancel 2", "Canceled@5500")] {
        let steps = &["0 lookup www.example", "4900 lookup www.example", leave];
        let config = "cache";
        let world = Scenario { config, servers, steps, ..SCENARIO }.check();
        assert_eq!(results(&world, 2), expected);
        assert_eq!(world.log.len(), 6, "{}", queries(&world));
    }
}

/// The A answer stays, and the AAAA question is asked again when its second is over. Some caches
/// take such a host for one with IPv4 alone.
#[test]
fn cc09_half_an_answer_is_no_answer() {
    let servers = &["* A -> answer 192.0.2.1; * AAAA -> servfail"];
    let steps = &[
        "0 lookup www.example both",
        "500 lookup www.example both",
        "2000 lookup www.example both",
    ];
    let results = &[
        "192.0.2.1@1 =www.example@1 ServerFailure@1",
        "192.0.2.1@500 =www.example@500 ServerFailure@500",
        "192.0.2.1@2000 =www.example@2000 ServerFailure@2001",
    ];
    let queries = "0 ns1 www.example AAAA, 0 ns1 www.example A, 2000 ns1 www.example AAAA";
    let config = "cache; attempts 1";
    Scenario { config, servers, steps, results, queries }.check();
}

#[test]
fn cc09_records_of_a_truncated_response_are_not_kept() {
    let servers = &["* * udp -> answer 192.0.2.66 tc; * * tcp -> answer 192.0.2.1 tc"];
    let steps = &["0 lookup www.example", "1000 lookup www.example"];
    let world = Scenario { config: "cache", servers, steps, ..SCENARIO }.check();
    assert_eq!(world.log.len(), 4, "{}", queries(&world));
    assert!(results(&world, 2).starts_with("192.0.2.1@100"), "{}", results(&world, 2));
}

#[test]
fn ca03_a_thousand_equal_lookups_are_one_pair_of_queries() {
    for config in ["", "cache"] {
        let mut steps: Vec<String> =
            (0..1000).map(|n| format!("{} lookup www.example both", n / 10)).collect();
        steps.push("1 drop 1".to_owned());
        let steps: Vec<_> = steps.iter().map(String::as_str).collect();
        let servers = &["* AAAA -> delay 200ms, answer 2001:db8::1 ttl 0
             * A -> delay 9ms, answer 192.0.2.1 ttl 0"];
        let queries = "0 ns1 www.example AAAA, 0 ns1 www.example A";
        let scenario = Scenario { config, servers, steps: &steps, queries, ..SCENARIO };
        let world = scenario.check();
        assert_eq!(results(&world, 2), "192.0.2.1@9 =www.example@9 2001:db8::1@200 ok@200");
        // A lookup that came when one half was there is given it at once.
        let last = "192.0.2.1@99 =www.example@99 2001:db8::1@200 ok@200";
        assert_eq!(results(&world, 1000), last, "with {config:?}");
    }
}

/// Those who come together share an answer whatever its TTL; one who comes much later, while the
/// other family is still out, does not get what is long over.
#[test]
fn cc02_half_an_answer_is_shared_for_a_second() {
    let servers = &["* A -> answer 192.0.2.1 ttl 0 | answer 192.0.2.2 ttl 0; * AAAA -> drop"];
    let steps = &["0 lookup www.example both", "900 lookup www.example", "4000 lookup www.example"];
    for config in ["", "cache"] {
        let world = Scenario { config, servers, steps, ..SCENARIO }.check();
        assert_eq!(results(&world, 2), "192.0.2.1@900 =www.example@900 ok@900");
        assert_eq!(results(&world, 3), "192.0.2.2@4001 =www.example@4001 ok@4001");
    }
}

#[test]
fn both_families_are_refreshed_as_they_are_asked() {
    let servers = &["* * -> answer 192.0.2.1 2001:db8::1 ttl 10"];
    let steps = &["0 lookup www.example both", "20000 lookup www.example both"];
    for (config, sockets, sends) in
        [("", 1, 2), ("single-request-reopen", 2, 2), ("single-request", 1, 1)]
    {
        let config = format!("cache; cache stale 60000; {config}");
        let world = Scenario { config: &config, servers, steps, ..SCENARIO }.check();
        let refreshes: Vec<_> = world.log[2..].iter().collect();
        assert_eq!(refreshes.len(), sends, "{config}: {}", queries(&world));
        let used: std::collections::HashSet<_> = refreshes.iter().map(|r| r.socket).collect();
        assert_eq!(used.len(), sockets, "{config}");
    }
}

/// The second family is refreshed by the next hit, and not beside the first.
#[test]
fn single_request_refreshes_one_family_at_a_time() {
    let servers =
        &["* * -> answer 192.0.2.1 2001:db8::1 ttl 10 | answer 192.0.2.1 2001:db8::1 ttl 10 | \
                     delay 90ms, answer 192.0.2.1 2001:db8::1 ttl 10"];
    let steps = &[
        "0 lookup www.example both",
        "20000 lookup www.example",
        "20050 lookup www.example both",
        "51000 lookup www.example both",
    ];
    let config = "cache; cache stale 60000; single-request";
    let world = Scenario { config, servers, steps, ..SCENARIO }.check();
    let refreshes: Vec<_> = world.log[2..].iter().map(|r| r.at.as_millis()).collect();
    assert_eq!(refreshes, [20_000, 51_000], "{}", queries(&world));
}

#[test]
fn a_core_that_has_retired_asks_for_those_alone_who_still_wait() {
    let servers = &["* * -> answer 192.0.2.1 ttl 10 | drop", "* * -> answer 192.0.2.2"];
    let steps = &[
        "0 next 1",
        "10 lookup www.example",
        "9500 lookup www.example",
        // It joins the refresh, and leaves when the nameservers are others.
        "10100 lookup www.example",
        "10150 next 2",
        "10200 drop 3",
    ];
    let config = "cache; cache prefetch";
    let world = Scenario { config, servers, steps, ..SCENARIO }.check();
    let last = world.log.last().unwrap();
    assert!(last.at.as_millis() < 10_200, "{}", queries(&world));
}

/// `ca07`: a question without a subscriber goes on for the cache, if that is set.
#[test]
fn ca07_a_dropped_question_is_finished_for_the_cache_by_option() {
    let servers = &["* * -> delay 50ms, answer 192.0.2.1"];
    let steps = &["0 lookup www.example", "10 drop 1", "100 lookup www.example"];
    for (config, sends) in [("cache; cache finish-dropped", 1), ("cache", 2)] {
        let world = Scenario { config, servers, steps, ..SCENARIO }.check();
        assert_eq!(world.log.len(), sends, "{config}");
    }
    let answered_at_once = &["dropped", "192.0.2.1@100 =www.example@100 ok@100"];
    let config = "cache; cache finish-dropped";
    Scenario { config, servers, steps, results: answered_at_once, ..SCENARIO }.check();
}

#[test]
fn a_stale_answer_is_given_at_once_and_refreshed_behind_it() {
    let servers = &["* * -> answer 192.0.2.1 ttl 10 | delay 30ms, answer 192.0.2.2 ttl 10"];
    let steps = &[
        "0 lookup www.example",
        "20000 lookup www.example",
        "20010 lookup www.example",
        "20100 lookup www.example",
    ];
    let results = &[
        "192.0.2.1@1 =www.example@1 ok@1",
        "192.0.2.1@20000 =www.example@20000 ok@20000",
        "192.0.2.1@20010 =www.example@20010 ok@20010",
        "192.0.2.2@20100 =www.example@20100 ok@20100",
    ];
    let queries = "0 ns1 www.example A, 20000 ns1 www.example A";
    let config = "cache; cache stale 60000";
    let world = Scenario { config, servers, steps, results, queries }.check();
    let stats = world.stats();
    assert_eq!((stats.cache_hits, stats.cache_stale, stats.cache_misses), (1, 2, 1));
    assert_eq!(stats.cache_refreshes, 1);
}

#[test]
fn a_stale_answer_outlives_nameservers_that_are_down() {
    let servers = &["* * -> answer 192.0.2.1 ttl 10 | servfail"];
    let steps = &[
        "0 lookup www.example",
        "20000 lookup www.example",
        "30000 lookup www.example",
        "51000 lookup www.example",
        "75000 lookup www.example",
    ];
    let config = "cache; cache stale 60000; attempts 1";
    // The last is behind the longest time, and is asked like any other.
    let queries = "0 ns1 www.example A, 20000 ns1 www.example A, 51000 ns1 www.example A, \
                   75000 ns1 www.example A";
    let world = Scenario { config, servers, steps, queries, ..SCENARIO }.check();
    assert!(results(&world, 4).ends_with("ok@51000"));
    assert_eq!(results(&world, 5), "ServerFailure@75001");
}

#[test]
fn a_name_in_constant_use_is_never_waited_for() {
    let steps: Vec<String> = (0..60).map(|n| format!("{} lookup www.example", n * 500)).collect();
    let steps: Vec<_> = steps.iter().map(String::as_str).collect();
    let servers = &["* * -> delay 30ms, answer 192.0.2.1 ttl 10"];
    let config = "cache; cache prefetch";
    let world = Scenario { config, servers, steps: &steps, ..SCENARIO }.check();
    for id in 2..=60 {
        let at = (id - 1) * 500;
        assert_eq!(results(&world, id), format!("192.0.2.1@{at} =www.example@{at} ok@{at}"));
    }
    assert!((3..=5).contains(&world.log.len()), "{}", queries(&world));
}

#[test]
fn what_is_cleared_or_forgotten_is_asked_for_again_even_if_it_is_on_its_way() {
    for step in ["15 clear", "15 forget WWW.example"] {
        let servers = &["* * -> delay 10ms, answer 192.0.2.1"];
        // The first is known, then forgotten; the second is out when it is forgotten.
        for lookup in ["0 lookup www.example", "10 lookup www.example"] {
            let steps = &[lookup, step, "100 lookup www.example"];
            let world = Scenario { config: "cache", servers, steps, ..SCENARIO }.check();
            assert_eq!(world.log.len(), 2, "{lookup}, {step}");
        }
    }
    let steps = &["0 lookup a.example", "10 forget b.example", "100 lookup a.example"];
    let queries = "0 ns1 a.example A";
    Scenario { config: "cache", servers: &[BOTH], steps, queries, ..SCENARIO }.check();
}
