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
    for n in 0..30 {
        let owner = if n == 0 { "www.example".to_owned() } else { format!("n{n}.example") };
        script += &format!("{owner} A -> answer cname n{}.example;", n + 1);
    }
    let world = Scenario { servers: &[&script], results: &["BadResponse@17"], ..SCENARIO }.check();
    assert_eq!(world.log.len(), 17);
    let servers = &["www.example A -> answer cname a.example
         a.example A -> answer cname www.example"];
    Scenario { servers, results: &["BadResponse@17"], ..SCENARIO }.check();
    let servers = &["www.example A -> answer cname a.example cname b.example cname www.example"];
    Scenario { servers, results: &["BadResponse@1"], ..SCENARIO }.check();
}

/// One alias a response: each family may follow sixteen, and the same ones as the other.
#[test]
fn rr09_each_family_follows_sixteen_links() {
    let chain = |links: usize| {
        let mut script = String::new();
        for n in 0..links {
            let owner = if n == 0 { "www.example".to_owned() } else { format!("n{n}.example") };
            script += &format!("{owner} * -> answer cname n{}.example;", n + 1);
        }
        script
            + &format!(
                "n{links}.example A -> answer 192.0.2.1; \
                           n{links}.example AAAA -> answer 2001:db8::1"
            )
    };
    let steps = &["0 lookup www.example both"];
    for (links, result) in [
        (5, "2001:db8::1@6 =n5.example@6 192.0.2.1@6 ok@6"),
        (16, "2001:db8::1@17 =n16.example@17 192.0.2.1@17 ok@17"),
        (17, "BadResponse@17"),
    ] {
        Scenario { servers: &[&chain(links)], steps, results: &[result], ..SCENARIO }.check();
    }
}

/// The links of one response count as those of several.
#[test]
fn rr09_links_count_in_one_response_and_over_several() {
    let script = |rest: usize| {
        let alias = |n: usize| format!("cname n{n}.example ");
        let (first, second): (String, String) =
            ((1..=10).map(alias).collect(), (11..=10 + rest).map(alias).collect());
        let last = 10 + rest;
        format!(
            "www.example A -> answer {first}; n10.example A -> answer {second}; \
                 n{last}.example A -> answer 192.0.2.1"
        )
    };
    for (rest, result) in [(6, "192.0.2.1@3 =n16.example@3 ok@3"), (7, "BadResponse@2")] {
        Scenario { servers: &[&script(rest)], results: &[result], ..SCENARIO }.check();
    }
}

/// Each candidate name has its own aliases.
#[test]
fn at10_the_links_of_one_candidate_do_not_count_for_the_next() {
    let mut script = String::new();
    for (name, last) in [("www.a", "nxdomain"), ("www.b", "answer 192.0.2.1")] {
        script += &format!("{name} A -> answer cname {name}1;");
        for n in 1..16 {
            script += &format!("{name}{n} A -> answer cname {name}{};", n + 1);
        }
        script += &format!("{name}16 A -> {last};");
    }
    let steps = &["0 lookup www"];
    let results = &["192.0.2.1@34 =www.b16@34 ok@34"];
    Scenario { config: "search a b", servers: &[&script], steps, results, ..SCENARIO }.check();
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
