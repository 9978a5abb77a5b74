//! Aliases over several responses (RFC 1034 section 3.6.2): asked on, bounded, within the time of
//! the name.

use crate::resolve::sim::scenario::{SCENARIO, Scenario, results};

#[test]
fn cn02_an_alias_without_an_address_is_asked_on_once() {
    let servers = &["www.example A -> answer cname web.example; web.example A -> answer 192.0.2.1"];
    let results = &["192.0.2.1@2 =web.example@2 ok@2"];
    let queries = "0 ns1 www.example A, 1 ns1 web.example A";
    Scenario { servers, results, queries, ..SCENARIO }.check();
    let servers = &["www.example A -> answer cname web.example; web.example A -> nodata"];
    Scenario { servers, results: &["NoAddress@2"], queries, ..SCENARIO }.check();
}

/// Each response of this zone leads one name further. c-ares gives up at the first.
#[test]
fn cn03_a_chain_over_many_responses_is_bounded() {
    let mut script = String::new();
    for n in 0..20 {
        let owner = if n == 0 { "www.example".to_owned() } else { format!("n{n}.example") };
        script += &format!("{owner} A -> answer cname n{}.example;", n + 1);
    }
    let world = Scenario { servers: &[&script], results: &["BadResponse@9"], ..SCENARIO }.check();
    assert_eq!(world.log.len(), 9);
    let servers = &["www.example A -> answer cname a.example
         a.example A -> answer cname www.example"];
    Scenario { servers, results: &["BadResponse@9"], ..SCENARIO }.check();
    let servers = &["www.example A -> answer cname a.example cname b.example cname www.example"];
    Scenario { servers, results: &["BadResponse@1"], ..SCENARIO }.check();
}

#[test]
fn cn05_an_alias_in_one_family_and_an_address_in_the_other() {
    let servers = &["www.example AAAA -> answer cname web.example;
         www.example A -> answer cname web.example 192.0.2.1; web.example AAAA -> nodata"];
    let steps = &["0 lookup www.example both"];
    let results = &["192.0.2.1@1 =web.example@1 ok@2"];
    let queries = "0 ns1 www.example AAAA, 0 ns1 www.example A, 1 ns1 web.example AAAA";
    Scenario { servers, steps, results, queries, ..SCENARIO }.check();
}

#[test]
fn cn08_an_alias_to_a_name_that_must_not_be_asked_for_is_not_followed() {
    for target in ["x.onion", "localhost", "x.localhost", "x.invalid"] {
        let script = format!("www.example A -> answer cname {target}; * * -> answer 192.0.2.66");
        let servers = &[script.as_str()];
        let queries = "0 ns1 www.example A";
        Scenario { servers, results: &["NoAddress@1"], queries, ..SCENARIO }.check();
    }
}

/// Otherwise eight aliases, each answered at the last moment, took eight times the timeout.
#[test]
fn cn03_the_time_of_a_name_covers_its_aliases() {
    let mut script = String::new();
    for n in 0..8 {
        let owner = if n == 0 { "www.example".to_owned() } else { format!("n{n}.example") };
        script += &format!("{owner} A -> delay 900ms, answer cname n{}.example;", n + 1);
    }
    let config = "timeout 2000";
    let world = Scenario { config, servers: &[&script], ..SCENARIO }.check();
    assert_eq!(results(&world, 1), "Timeout@2000");
}

#[test]
fn cn03_the_deadline_of_a_name_ends_a_question_that_another_lookup_asked_later() {
    let servers = &["www.example A -> delay 900ms, answer cname web.example
         web.example A -> drop"];
    let steps = &["0 lookup www.example", "800 lookup web.example"];
    let results = &["Timeout@1000", "Timeout@1800"];
    Scenario { config: "timeout 1000", servers, steps, results, ..SCENARIO }.check();
}
