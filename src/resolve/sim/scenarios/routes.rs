//! Routes (split DNS): which nameservers see which name, and which never do.

use crate::LookupResult;
use crate::resolve::error::{LookupError, Transport};
use crate::resolve::sim::scenario::{SCENARIO, Scenario, calls, queries, results};
use crate::resolve::sim::world::{World, addr};
use crate::resolve::stub::ids::LookupId;

/// A nameserver of the root route, and one of `corp.example`.
const SPLIT: Scenario<'static> = Scenario {
    config: "route corp.example 2",
    servers: &[
        "* A -> answer 192.0.2.1; * AAAA -> nodata",
        "* A -> answer 10.0.0.1; * AAAA -> nodata",
    ],
    ..SCENARIO
};

fn error(world: &World, id: u64) -> &LookupError {
    match world.consumers[&LookupId(id)].results.last() {
        Some((_, LookupResult::End(Err(error)))) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn os33_a_name_goes_to_the_nameservers_of_its_longest_suffix() {
    Scenario {
        config: "route corp.example 2; route eu.corp.example 3; exact one.example 3",
        servers: &["* A -> answer 192.0.2.1", "* A -> answer 192.0.2.2", "* A -> answer 192.0.2.3"],
        steps: &[
            "0 lookup a.eu.corp.example",
            "10 lookup CORP.EXAMPLE.",
            "20 lookup notcorp.example",
            "30 lookup one.example",
            "40 lookup a.one.example",
        ],
        queries: "0 ns3 a.eu.corp.example A, 10 ns2 corp.example A, 20 ns1 notcorp.example A, \
                  30 ns3 one.example A, 40 ns1 a.one.example A",
        ..SCENARIO
    }
    .check();
}

/// The nameservers of the root route would have an address.
#[test]
fn os34_what_the_nameservers_of_a_route_deny_is_asked_of_no_others() {
    for (script, result) in [("* * -> nxdomain", "NotFound@1"), ("* * -> nodata", "NoAddress@1")] {
        Scenario {
            servers: &[SPLIT.servers[0], script],
            steps: &["0 lookup www.corp.example"],
            results: &[result],
            queries: "0 ns2 www.corp.example A",
            ..SPLIT
        }
        .check();
    }
}

#[test]
fn os34_what_the_nameservers_of_a_route_fail_is_asked_of_no_others() {
    for (script, result) in [
        ("* * -> drop", "Timeout@5000"),
        ("* * -> refused", "ServerFailure"),
        ("$open unreachable", "Unreachable"),
    ] {
        for strategy in ["", "all", "in-turn"] {
            let world = Scenario {
                config: &format!("route corp.example 2 3; {strategy}"),
                servers: &[SPLIT.servers[0], script, script],
                steps: &["0 lookup www.corp.example"],
                ..SPLIT
            }
            .check();
            assert!(results(&world, 1).starts_with(result), "{script}: {}", results(&world, 1));
            assert!(world.log.iter().all(|query| query.server > 0), "{}", queries(&world));
            let failures = error(&world, 1).failures();
            assert!(!failures.is_empty());
            for failure in failures {
                assert!([addr(1), addr(2)].contains(&failure.nameserver), "{failure:?}");
            }
        }
    }
}

/// The retry over TCP, and what is asked for its case, stay on the route, too.
#[test]
fn os34_what_is_truncated_is_asked_over_tcp_of_the_same_nameserver() {
    let servers = &[SPLIT.servers[0], "* A udp -> truncate; * A tcp -> answer 10.0.0.1"];
    let world = Scenario {
        servers,
        steps: &["0 lookup www.corp.example", "100 lookup b.corp.example"],
        results: &["10.0.0.1@3 =www.corp.example@3 ok@3"],
        ..SPLIT
    }
    .check();
    assert!(world.log.iter().all(|query| query.server == 1), "{}", queries(&world));
    assert_eq!(world.log.iter().filter(|q| q.query.transport == Transport::Tcp).count(), 2);
}

#[test]
fn os35_the_target_of_an_alias_takes_its_own_route() {
    let corp = "x.corp.example A -> answer cname y.public.example; * A -> answer 10.0.0.9";
    let public = "z.public.example A -> answer cname x2.corp.example; * A -> answer 192.0.2.1";
    Scenario {
        servers: &[public, corp],
        steps: &["0 lookup x.corp.example", "10 lookup z.public.example"],
        results: &["192.0.2.1@2 =y.public.example@2 ok@2", "10.0.0.9@12 =x2.corp.example@12 ok@12"],
        queries: "0 ns2 x.corp.example A, 1 ns1 y.public.example A, \
                  10 ns1 z.public.example A, 11 ns2 x2.corp.example A",
        ..SPLIT
    }
    .check();
}

#[test]
fn sy50_a_chain_that_leaves_the_route_in_a_response_is_used_as_it_is() {
    let corp = "x.corp.example A -> answer cname y.public.example 192.0.2.77";
    Scenario {
        servers: &[SPLIT.servers[0], corp],
        steps: &["0 lookup x.corp.example"],
        results: &["192.0.2.77@1 =y.public.example@1 ok@1"],
        queries: "0 ns2 x.corp.example A",
        ..SPLIT
    }
    .check();
}

/// The answers of one name by two routes are those of two generations.
#[test]
fn os35_an_answer_of_one_route_is_not_given_for_another_after_a_change() {
    Scenario {
        config: "cache; route corp.example 2",
        servers: &[
            "* A -> answer 192.0.2.1 ttl 300",
            "* A -> answer 10.0.0.1 ttl 300",
            "* A -> delay 20ms, answer 10.0.0.3 ttl 300",
        ],
        steps: &[
            "0 lookup www.corp.example",
            "10 lookup www.corp.example",
            "20 reroute corp.example 3",
            "30 lookup www.corp.example",
            // While the question is in flight on one route, the next generation has another.
            "40 reroute lab.example 2",
            "41 lookup www.corp.example",
            "90 lookup www.corp.example",
        ],
        results: &[
            "10.0.0.1@1 =www.corp.example@1 ok@1",
            "10.0.0.1@10 =www.corp.example@10 ok@10",
            // It had no answer, and asks anew.
            "192.0.2.1@41 =www.corp.example@41 ok@41",
            "192.0.2.1@41 =www.corp.example@41 ok@41",
            "192.0.2.1@90 =www.corp.example@90 ok@90",
        ],
        queries: "0 ns2 www.corp.example A, 30 ns3 www.corp.example A, 40 ns1 www.corp.example A",
    }
    .check();
}

#[test]
fn sy49_each_candidate_name_is_decided_by_itself() {
    Scenario {
        config: "search corp.example lab.example; route corp.example 2; refuse lab.example",
        servers: &["www A -> answer 192.0.2.1", "* * -> nxdomain"],
        steps: &["0 lookup www"],
        results: &["192.0.2.1@2 =www@2 ok@2"],
        queries: "0 ns2 www.corp.example A, 1 ns1 www A",
    }
    .check();
}

#[test]
fn sy54_a_name_that_is_refused_does_not_exist_and_nothing_is_sent() {
    Scenario {
        config: "refuse corp.example; cache",
        servers: &["* A -> answer 192.0.2.1"],
        steps: &[
            "0 lookup www.corp.example both",
            "5 lookup corp.example",
            "10 lookup notcorp.example",
        ],
        results: &["NotFound@0", "NotFound@5"],
        queries: "10 ns1 notcorp.example A",
    }
    .check();
}

#[test]
fn sy54_an_alias_to_a_name_that_is_refused_is_not_followed() {
    Scenario {
        config: "refuse corp.example",
        servers: &["www.example A -> answer cname www.corp.example; * A -> answer 192.0.2.66"],
        results: &["NotFound@1"],
        queries: "0 ns1 www.example A",
        ..SCENARIO
    }
    .check();
}

#[test]
fn sy54_a_candidate_whose_route_leads_to_the_operating_system_is_asked_of_it_alone() {
    let config = "system-route local; search local example; ndots 1; \
                  call printer.local. A 1 10.0.0.9; call gone.local. A 2 noname; \
                  call slow.local. A never; timeout 1000";
    Scenario {
        config,
        servers: &["gone.example A -> answer 192.0.2.1; slow.example A -> answer 192.0.2.2"],
        steps: &[
            "0 lookup Printer.local.",
            // Each candidate has a route of its own.
            "10 lookup printer",
            "20 lookup gone",
            "30 lookup other.local.",
        ],
        results: &[
            "10.0.0.9@1 =Printer.local@1 ok@1",
            "10.0.0.9@10 =printer.local@10 ok@10",
            "192.0.2.1@23 =gone.example@23 ok@23",
        ],
        queries: "22 ns1 gone.example A",
    }
    .check();
    // A call that hangs has the time of a call, and the search goes on.
    let world = Scenario {
        config,
        servers: &["slow.example A -> answer 192.0.2.2"],
        steps: &["0 lookup slow"],
        results: &[],
        queries: "*",
    }
    .check();
    assert!(results(&world, 1).starts_with("192.0.2.2@"), "{}", results(&world, 1));
    assert_eq!(world.log.len(), 1, "{}", queries(&world));
}

#[test]
fn sy54_an_alias_does_not_lead_to_the_operating_system() {
    let world = Scenario {
        config: "system-route local; call printer.local. A 1 10.0.0.9",
        servers: &["www.example A -> answer cname printer.local; * A -> answer 192.0.2.66"],
        steps: &["0 lookup www.example"],
        results: &["NotFound@1"],
        queries: "0 ns1 www.example A",
    }
    .check();
    assert_eq!(calls(&world), "");
}

/// The stub of a world is forsaken when its root route is, whatever other routes are.
#[test]
fn sy52_a_dead_route_is_no_dead_network_and_a_live_one_no_live_network() {
    for (root, corp, is_forsaken) in [
        ("* A -> answer 192.0.2.1", "* * -> drop", false),
        ("* * -> drop", "* A -> answer 10.0.0.1", true),
    ] {
        let mut world = Scenario {
            config: "route corp.example 2; timeout 1000",
            servers: &[root, corp],
            steps: &["0 lookup www.corp.example", "0 lookup www.example"],
            ..SCENARIO
        }
        .start();
        assert!(!world.core.is_forsaken());
        world.run();
        assert_eq!(world.core.is_forsaken(), is_forsaken, "{root}");
    }
}

/// On whichever route: the network may be another one, and the files may say so.
#[test]
fn os45_what_has_no_response_is_an_outage_and_what_has_a_bad_one_is_none() {
    for (root, corp, is_outage) in [
        ("* A -> answer 192.0.2.1", "* * -> nxdomain", false),
        ("* A -> answer 192.0.2.1", "* * -> servfail", false),
        ("* A -> answer 192.0.2.1", "* * -> drop", true),
        ("* A -> answer 192.0.2.1", "$open unreachable", true),
        ("$open unreachable", "* A -> answer 10.0.0.1", true),
    ] {
        let servers = &[root, corp];
        let steps = &["0 lookup www.corp.example", "0 lookup www.example"];
        let mut world = Scenario { servers, steps, ..SPLIT }.start();
        world.run();
        assert_eq!(world.core.take_outage(), is_outage, "{root}, {corp}");
        assert!(!world.core.take_outage(), "it is told once");
    }
    // A lookup of less time than its nameservers have.
    let steps = &["0 lookup www.corp.example timeout 50"];
    let mut world =
        Scenario { servers: &[SPLIT.servers[0], "* * -> drop"], steps, ..SPLIT }.start();
    world.run();
    assert!(world.core.take_outage());
}

/// One address is the nameserver of two routes. What it is silent about on one is not held against
/// it on the other.
#[test]
fn sy52_two_routes_to_one_address_share_no_standing() {
    let world = Scenario {
        config: "root 1 2; route corp.example 1 3",
        servers: &[
            "*.corp.example A -> drop; * A -> answer 192.0.2.1",
            "* A -> answer 192.0.2.2",
            "* A -> answer 10.0.0.3",
        ],
        steps: &[
            "0 lookup a.corp.example",
            "1000 lookup b.corp.example",
            "2000 lookup c.corp.example",
            "3000 lookup www.example",
        ],
        ..SCENARIO
    }
    .check();
    // On its own route the third nameserver stands before the silent one; on the root route that
    // one is still the first.
    assert!(results(&world, 3).starts_with("10.0.0.3@2001"), "{}", results(&world, 3));
    assert!(results(&world, 4).starts_with("192.0.2.1@3001"), "{}", results(&world, 4));
    let stats = world.stats().nameservers;
    let listed: Vec<_> = stats
        .iter()
        .map(|server| (server.addr, server.route.as_ref().map(ToString::to_string)))
        .collect();
    let corp = || Some("corp.example".to_owned());
    assert_eq!(listed, [(addr(0), None), (addr(1), None), (addr(0), corp()), (addr(2), corp())]);
    assert_eq!(stats[0].timeouts, 0);
    assert!(stats[2].timeouts > 0);
}

/// As on the root route: a late nameserver is heard after another one has answered.
#[test]
fn sy52_the_nameservers_of_a_route_are_asked_in_order_and_listened_to() {
    Scenario {
        config: "route corp.example 2 3",
        servers: &[
            "* * -> answer 192.0.2.1",
            "a.corp.example * -> answer 10.0.0.2; * * -> delay 30ms, answer 10.0.0.2",
            "* * -> answer 10.0.0.3",
        ],
        steps: &[
            "0 lookup a.corp.example",
            "1000 lookup b.corp.example",
            "2000 lookup a.corp.example",
        ],
        results: &[
            "10.0.0.2@1 =a.corp.example@1 ok@1",
            "10.0.0.3@1006 =b.corp.example@1006 ok@1006",
            "10.0.0.2@2001 =a.corp.example@2001 ok@2001",
        ],
        queries: "0 ns2 a.corp.example A, 1000 ns2 b.corp.example A, 1005 ns3 b.corp.example A, \
                  2000 ns2 a.corp.example A",
    }
    .check();
}

#[test]
fn sy52_each_route_has_a_rotation_of_its_own() {
    let script = "* A -> answer 192.0.2.1";
    Scenario {
        config: "rotate; root 1 2; route corp.example 3 4",
        servers: &[script; 4],
        steps: &[
            "0 lookup a.corp.example",
            "10 lookup www.example",
            "20 lookup b.corp.example",
            "30 lookup w3.example",
            "40 lookup c.corp.example",
        ],
        queries: "0 ns3 a.corp.example A, 10 ns2 www.example A, 20 ns4 b.corp.example A, \
                  30 ns2 w3.example A, 40 ns3 c.corp.example A",
        ..SCENARIO
    }
    .check();
}
