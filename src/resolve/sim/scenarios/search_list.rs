//! Outcomes along the search list (resolv.conf(5) `search` and `ndots`): when the next candidate is
//! asked for, and what the whole search has found.

use crate::LookupResult;
use crate::resolve::error::{QueryFailure, RecordType};
use crate::resolve::sim::scenario::{SCENARIO, Scenario};
use crate::resolve::stub::ids::LookupId;

const ABC: Scenario<'static> =
    Scenario { config: "search a b c", steps: &["0 lookup www"], ..SCENARIO };

#[test]
fn se01_the_first_candidate_that_exists_ends_the_search() {
    let servers = &["www.c A -> answer 192.0.2.1; * * -> nxdomain"];
    let results = &["192.0.2.1@3 =www.c@3 ok@3"];
    let queries = "0 ns1 www.a A, 1 ns1 www.b A, 2 ns1 www.c A";
    Scenario { servers, results, queries, ..ABC }.check();
}

#[test]
fn se02_the_bare_name_comes_last() {
    let servers = &["www A -> answer 192.0.2.1; * * -> nxdomain"];
    let results = &["192.0.2.1@4 =www@4 ok@4"];
    let queries = "0 ns1 www.a A, 1 ns1 www.b A, 2 ns1 www.c A, 3 ns1 www A";
    Scenario { servers, results, queries, ..ABC }.check();
}

#[test]
fn se03_nodata_goes_on_and_is_remembered() {
    let servers = &["www.c A -> answer 192.0.2.1; * * -> nodata"];
    Scenario { servers, results: &["192.0.2.1@3 =www.c@3 ok@3"], ..ABC }.check();
    for servers in [
        &["* * -> nodata"],
        &["www A -> nxdomain; * * -> nodata"],
        &["www.b A -> nodata; * * -> nxdomain"],
    ] {
        Scenario { servers, results: &["NoAddress@4"], ..ABC }.check();
    }
    Scenario { servers: &["* * -> nxdomain"], results: &["NotFound@4"], ..ABC }.check();
}

#[test]
fn se04_a_name_with_dots_enough_is_asked_as_it_is_first() {
    let servers = &["www.x.b A -> answer 192.0.2.1; * * -> nxdomain"];
    let results = &["192.0.2.1@3 =www.x.b@3 ok@3"];
    let queries = "0 ns1 www.x A, 1 ns1 www.x.a A, 2 ns1 www.x.b A";
    Scenario { servers, steps: &["0 lookup www.x"], results, queries, ..ABC }.check();
}

#[test]
fn se05_a_final_dot_means_this_name_alone() {
    let servers = &["* * -> nxdomain"];
    let (results, queries) = (&["NotFound@1"], "0 ns1 www A");
    Scenario { servers, steps: &["0 lookup www."], results, queries, ..ABC }.check();
}

#[test]
fn se06_ndots_0_asks_the_bare_name_first_and_goes_on_after_servfail_or_refused() {
    for code in ["servfail", "refused"] {
        let server = format!("www A -> {code}; www.a A -> answer 192.0.2.1");
        let world = Scenario {
            config: "search a; ndots 0; attempts 1",
            servers: &[&server],
            results: &["192.0.2.1@2 =www.a@2 ok@2"],
            queries: "0 ns1 www A, 1 ns1 www.a A",
            ..ABC
        };
        world.check();
    }
}

#[test]
fn se07_servfail_of_one_candidate_is_told_if_nothing_is_found_under_the_original_name() {
    let servers = &["www.b A -> servfail; * * -> nxdomain"];
    let config = "search a b c; attempts 1";
    let world = Scenario { config, servers, results: &["ServerFailure@4"], ..ABC }.check();
    let consumer = world.consumers.values().next().unwrap();
    let Some((_, crate::LookupResult::End(Err(error)))) = consumer.results.last() else {
        panic!("no error");
    };
    assert_eq!(error.name().unwrap().as_str(), "www");
    assert!(error.is_temporary());
    assert_eq!(error.failures()[0].question.name.as_str(), "www.b");
    let servers = &["www.b A -> servfail; www.c A -> answer 192.0.2.1; * * -> nxdomain"];
    Scenario { config, servers, results: &["192.0.2.1@3 =www.c@3 ok@3"], ..ABC }.check();
}

#[test]
fn se08_a_candidate_that_gets_too_long_is_passed_over() {
    let label = "l".repeat(63);
    let config = format!("search {label}.{label}.{label} b");
    let name = format!("0 lookup www.{label}.{label}");
    let config = format!("{config}; ndots 9");
    let steps: &[&str] = &[&name];
    let servers = &["* * -> answer 192.0.2.1"];
    let world = Scenario { config: &config, servers, steps, ..SCENARIO }.check();
    assert!(world.log[0].query.name.ends_with(".b") && world.log.len() == 1);
}

/// The addresses come, and stay valid; the end says that the other family is missing. c-ares calls
/// it success.
#[test]
fn se09_a_family_that_fails_does_not_take_the_search_past_an_address() {
    Scenario {
        config: "search a b c; attempts 1",
        servers: &["www.b A -> answer 192.0.2.1; www.b AAAA -> servfail; * * -> nxdomain"],
        steps: &["0 lookup www both"],
        results: &["192.0.2.1@2 =www.b@2 ServerFailure@2"],
        queries: "0 ns1 www.a AAAA, 0 ns1 www.a A, 1 ns1 www.b AAAA, 1 ns1 www.b A",
    }
    .check();
}

#[test]
fn se10_a_refused_port_at_the_second_candidate_is_tried_again() {
    let servers = &["www.a * -> nxdomain; www.b * -> port-unreachable | answer 192.0.2.1"];
    let results = &["192.0.2.1@102 =www.b@102 ok@102"];
    let queries = "0 ns1 www.a A, 1 ns1 www.b A, 101 ns1 www.b A";
    Scenario { servers, results, queries, ..ABC }.check();
}

#[test]
fn se11_a_late_response_about_an_earlier_candidate_is_ignored() {
    let servers = &["www.a * -> nxdomain, delay 2ms, answer 192.0.2.66; www.b * -> nxdomain;
         www.c * -> delay 20ms, answer 192.0.2.1"];
    Scenario { servers, results: &["192.0.2.1@22 =www.c@22 ok@22"], ..ABC }.check();
}

#[test]
fn se12_a_name_below_onion_is_never_sent() {
    let config = "search onion. invalid b";
    let servers = &["* * -> answer 192.0.2.1"];
    Scenario { config, servers, queries: "0 ns1 www.b A", ..ABC }.check();
}

#[test]
fn se13_no_candidate_is_asked_for_before_the_one_ahead_is_decided_in_both_families() {
    Scenario {
        config: "search a b",
        servers: &["www.a A -> nxdomain; www.a AAAA -> delay 80ms, nxdomain;
             www.b * -> answer 192.0.2.1 2001:db8::1"],
        steps: &["0 lookup www both"],
        results: &["2001:db8::1@81 =www.b@81 192.0.2.1@81 ok@81"],
        queries: "0 ns1 www.a AAAA, 0 ns1 www.a A, 80 ns1 www.b AAAA, 80 ns1 www.b A",
    }
    .check();
}

#[test]
fn se14_a_wildcard_search_domain_never_sees_a_complete_name() {
    let servers = &["www.example A -> answer 192.0.2.1; * * -> answer 192.0.2.66"];
    let (steps, queries) = (&["0 lookup www.example"][..], "0 ns1 www.example A");
    let results = &["192.0.2.1@1 =www.example@1 ok@1"];
    Scenario { servers, steps, results, queries, ..ABC }.check();
}

/// Where the nameserver is known to answer, a timeout is the candidate's own, and the next one may
/// fare better; where no nameserver responds, each candidate would cost the timeout again. glibc
/// stops at any timeout.
#[test]
fn se07_a_timeout_ends_the_search_only_where_no_nameserver_was_heard() {
    let config = "search a b; timeout 1000";
    let servers = &["www.a A -> nxdomain; www.a AAAA -> drop; * * -> answer 192.0.2.1"];
    let steps = &["0 lookup www both"];
    let results = &["192.0.2.1@1001 =www.b@1001 ok@1001"];
    Scenario { config, servers, steps, results, ..SCENARIO }.check();
    let servers = &["* * -> drop"];
    Scenario { config, servers, results: &["Timeout@1000"], ..ABC }.check();
    let servers = &["www.a A -> drop; other A -> answer 192.0.2.9; * * -> answer 192.0.2.1"];
    let steps = &["0 lookup www", "990 lookup other."];
    let results = &["192.0.2.1@1001 =www.b@1001 ok@1001", "192.0.2.9@991 =other@991 ok@991"];
    Scenario { config, servers, steps, results, ..SCENARIO }.check();
}

/// The first question may not use up the time of the second: whichever the nameserver does not
/// answer, the other one is asked, and no nameserver is accused of what it was not asked.
#[test]
fn rr02_the_second_of_two_questions_in_sequence_keeps_its_share_of_the_time() {
    let (config, steps) = ("single-request", &["0 lookup www.example both"]);
    let servers = &["* A -> answer 192.0.2.1; * AAAA -> drop"];
    let results = &["192.0.2.1@1 =www.example@1 Timeout@5000"];
    Scenario { config, servers, steps, results, ..SCENARIO }.check();
    let servers = &["* A -> drop; * AAAA -> answer 2001:db8::1"];
    let results = &["2001:db8::1@2501 =www.example@2501 Timeout@2501"];
    let world = Scenario { config, servers, steps, results, ..SCENARIO }.check();
    let Some((_, LookupResult::End(Err(error)))) = world.consumers[&LookupId(1)].results.last()
    else {
        panic!("A was not answered");
    };
    let is_about_a = |failure: &QueryFailure| failure.question.record_type == RecordType::A;
    assert!(error.failures().iter().all(is_about_a), "{error}");
}

/// As in the C library: for nameservers that fail at two questions at once.
#[test]
fn rc17_single_request_asks_for_aaaa_when_a_is_settled() {
    Scenario {
        config: "single-request",
        servers: &["* A -> delay 30ms, answer 192.0.2.1; * AAAA -> answer 2001:db8::1"],
        steps: &["0 lookup www.example both"],
        results: &["192.0.2.1@30 =www.example@30 2001:db8::1@31 ok@31"],
        queries: "0 ns1 www.example A, 30 ns1 www.example AAAA",
    }
    .check();
    let config = "single-request-reopen";
    let steps = &["0 lookup www.example both"];
    let world = Scenario { config, steps, ..SCENARIO }.check();
    assert_ne!(world.log[0].socket, world.log[1].socket, "a socket each");
    let world = Scenario { steps, ..SCENARIO }.check();
    assert_eq!(world.log[0].socket, world.log[1].socket, "one for both without the option");
    assert_ne!(world.log[0].query.id, world.log[1].query.id);
}
