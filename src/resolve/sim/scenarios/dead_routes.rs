//! Routes whose nameservers are dead, as those of a VPN that is down, and the search behind them.

use crate::resolve::sim::scenario::{SCENARIO, Scenario, calls, queries, results};

/// Nothing was answered yet, so the search would end with the candidate that has failed.
#[test]
fn a_dead_route_does_not_end_the_search_for_names_of_another() {
    let config = "search corp.example; route corp.example 2; timeout 1000";
    for (root, result, names) in [
        ("* A -> answer 192.0.2.1", "192.0.2.1@1001 =www@1001 ok@1001", 2),
        ("* A -> drop", "Timeout@2000", 2),
    ] {
        let world = Scenario {
            config,
            servers: &[root, "* * -> drop"],
            steps: &["0 lookup www"],
            results: &[result],
            ..SCENARIO
        }
        .check();
        let asked: std::collections::BTreeSet<_> =
            world.log.iter().map(|query| &query.query.name).collect();
        assert_eq!(asked.len(), names);
    }
    // Nor does one that cannot be reached, as while a VPN is down.
    Scenario {
        config,
        servers: &["* A -> answer 192.0.2.1", "$open unreachable"],
        steps: &["0 lookup www"],
        results: &["192.0.2.1@251 =www@251 ok@251"],
        ..SCENARIO
    }
    .check();
    // The same nameservers would be as silent about the next name.
    Scenario {
        config: "search a.corp.example b.corp.example; route corp.example 2; timeout 1000; ndots 0",
        servers: &["* A -> drop", "* * -> drop"],
        steps: &["0 lookup www.corp.example"],
        results: &["Timeout@1000"],
        ..SCENARIO
    }
    .check();
}

/// Both suffixes are those of one VPN, which is down.
#[test]
fn several_suffixes_of_one_dead_route_are_passed_over() {
    let world = Scenario {
        config: "search corp.example eu.corp.example; route corp.example 2; timeout 1000",
        servers: &["www A -> answer 192.0.2.1", "* * -> drop"],
        steps: &["0 lookup www"],
        results: &["192.0.2.1@1001 =www@1001 ok@1001"],
        ..SCENARIO
    }
    .check();
    assert!(!queries(&world).contains("eu.corp"), "{}", queries(&world));
}

/// What the first lookup has found dead does not end the next one before the live name.
#[test]
fn a_route_that_is_known_to_be_dead_is_passed_over_behind_another_dead_one() {
    let config = "search a.example b.example; route a.example 2; route b.example 3; timeout 1000";
    let steps = &["0 lookup www", "5000 lookup www", "9000 lookup www"];
    for (dead, found_at) in [
        ("$open unreachable", ["192.0.2.1@501", "192.0.2.1@5251", "192.0.2.1@9251"]),
        ("* * -> drop", ["192.0.2.1@2001", "192.0.2.1@6001", "192.0.2.1@10001"]),
    ] {
        let servers = &["www A -> answer 192.0.2.1", dead, dead];
        let world = Scenario { config, servers, steps, ..SCENARIO }.check();
        for (lookup, result) in (1..).zip(found_at) {
            let found = results(&world, lookup);
            assert!(found.starts_with(&format!("{result} ")), "{dead}: {lookup}: {found}");
        }
    }
}

#[test]
fn a_live_route_is_asked_behind_names_of_a_dead_root_route() {
    let config = "search a.example b.example corp.example; route corp.example 2; timeout 1000";
    for (root, result) in
        [("* * -> drop", "10.0.0.1@1001 "), ("$open unreachable", "10.0.0.1@251 ")]
    {
        let servers = &[root, "www.corp.example A -> answer 10.0.0.1"];
        let world = Scenario { config, servers, steps: &["0 lookup www"], ..SCENARIO }.check();
        assert!(results(&world, 1).starts_with(result), "{root}: {}", results(&world, 1));
        assert!(!queries(&world).contains("www.b.example"), "{}", queries(&world));
    }
}

/// The time that it takes to find a call late is ten seconds, and each suffix would cost it again.
#[test]
fn sy54_a_call_that_hangs_is_not_made_for_each_suffix() {
    let hang = "call www.a.example. A never; call www.b.example. A never; \
                call www.c.example. A never; call www.d.example. A never";
    let search = "search a.example b.example c.example d.example";
    let system = "system-route a.example; system-route b.example; system-route c.example; \
                  system-route d.example";
    let servers = &["www A -> answer 192.0.2.1"];
    let world = Scenario {
        config: &format!("{search}; {system}; {hang}"),
        servers,
        steps: &["0 lookup www"],
        ..SCENARIO
    }
    .check();
    let (found, asked) = (results(&world, 1), calls(&world));
    assert!(found.starts_with("192.0.2.1@") && found.ends_with(" ok@10001"), "{found}");
    assert_eq!(asked.matches("www.").count(), 1, "{asked}");
    // Nor when a name of dead nameservers stands between them, and there is nothing else.
    let system = "system-route a.example; route b.example 2; system-route c.example; \
                  system-route d.example; root 2; timeout 1000";
    let world = Scenario {
        config: &format!("{search}; {system}; {hang}"),
        servers: &["* * -> drop", "* * -> drop"],
        steps: &["0 lookup www"],
        ..SCENARIO
    }
    .check();
    assert_eq!(calls(&world).matches("www.").count(), 1, "{}", calls(&world));
    assert!(results(&world, 1).starts_with("Timeout@"), "{}", results(&world, 1));
}

/// That the root route has no nameserver says nothing about those of a route.
#[test]
fn os34_a_route_that_cannot_be_reached_is_no_missing_configuration() {
    Scenario {
        config: "unconfigured; route corp.example 2",
        servers: &["$open unreachable", "$open unreachable"],
        steps: &["0 lookup www.corp.example", "0 lookup www.example"],
        results: &["Unreachable@250", "Misconfigured@250"],
        ..SCENARIO
    }
    .check();
}
