//! The address policy: what is denied never comes, and never passes for anything else.

use crate::LookupResult;
use crate::resolve::LookupError;
use crate::resolve::sim::scenario::{SCENARIO, Scenario};
use crate::resolve::sim::world::World;
use crate::resolve::stub::ids::LookupId;

const NO_10: Scenario<'static> = Scenario { config: "deny 10.0.0.0/8; deny fd00::/8", ..SCENARIO };
const BOTH: &[&str] = &["0 lookup www.example both"];

#[track_caller]
fn error(world: &World) -> &LookupError {
    match world.consumers[&LookupId(1)].results.last() {
        Some((_, LookupResult::End(Err(error)))) => error,
        other => panic!("no error: {other:?}"),
    }
}

#[test]
fn su05_of_a_mixed_answer_the_allowed_addresses_come() {
    let servers = &["* * -> answer 10.0.0.1 192.0.2.1 10.0.0.2"];
    Scenario { servers, results: &["192.0.2.1@1 =www.example@1 ok@1"], ..NO_10 }.check();
}

#[test]
fn su05_all_removed_is_a_denial_without_a_name_that_is_final() {
    let servers = &["* * -> answer 10.0.0.1 10.0.0.2"];
    let world = Scenario { servers, results: &["PolicyDenied@1"], ..NO_10 }.check();
    let error = error(&world);
    assert!(!error.is_temporary());
    assert_eq!(
        error.to_string(),
        "www.example: the address policy denies every address, 2 addresses, the first 10.0.0.1 \
         (denied by a rule of the caller's)"
    );
    assert_eq!(error.denied().unwrap().count, 2);
}

#[test]
fn su05_one_family_denied_leaves_the_other() {
    for (server, result) in [
        (
            "* A -> answer 10.0.0.1; * AAAA -> delay 20ms, answer 2001:db8::1",
            "2001:db8::1@20 =www.example@20 ok@20",
        ),
        (
            "* A -> answer 192.0.2.1; * AAAA -> delay 20ms, answer fd00::1",
            "192.0.2.1@1 =www.example@1 ok@20",
        ),
    ] {
        let (servers, results) = (&[server][..], &[result][..]);
        Scenario { servers, steps: BOTH, results, ..NO_10 }.check();
    }
}

/// A name whose owner answers for one family with a denied address and lets the other fail must
/// not pass for one that is down: that would be reported as an outage, and retried.
#[test]
fn su05_what_becomes_of_the_other_family_does_not_hide_a_denial() {
    for (other, at) in [
        ("delay 20ms, nodata", 20),
        ("delay 20ms, nxdomain", 20),
        ("delay 20ms, servfail", 20),
        ("answer cname a.example cname b.example cname www.example", 1),
        ("drop", 1000),
        ("delay 20ms, answer fd00::1", 20),
    ] {
        let server = format!("* A -> answer 10.0.0.1; * AAAA -> {other}");
        let world = Scenario {
            config: "deny 10.0.0.0/8; deny fd00::/8; attempts 1; timeout 1000",
            servers: &[&server],
            steps: BOTH,
            results: &[&format!("PolicyDenied@{at}")],
            ..SCENARIO
        }
        .check();
        assert!(error(&world).denied().is_some(), "{other}");
    }
    let servers = &["* A -> answer 10.0.0.1; * AAAA -> drop"];
    let steps = &["0 lookup www.example both timeout 300"];
    Scenario { servers, steps, results: &["PolicyDenied@300"], ..NO_10 }.check();
}

/// The failures of the other family are reported all the same, and so is a denial beside allowed
/// addresses.
#[test]
fn a_denial_and_a_failure_are_both_told() {
    let config = "deny 10.0.0.0/8; attempts 1";
    let servers = &["* A -> answer 10.0.0.1; * AAAA -> servfail"];
    let world = Scenario { config, servers, steps: BOTH, ..SCENARIO }.check();
    assert_eq!(error(&world).failures().len(), 1);
    let servers = &["* A -> answer 10.0.0.1 192.0.2.1; * AAAA -> servfail"];
    let results = &["192.0.2.1@1 =www.example@1 ServerFailure@1"];
    let world = Scenario { config, servers, steps: BOTH, results, ..SCENARIO }.check();
    let text = error(&world).to_string();
    let start = "www.example: the nameservers failed, and the address policy denied 10.0.0.1 (";
    assert!(text.starts_with(start), "{text}");
}

#[test]
fn no_denial_is_reported_that_was_none() {
    let servers = &["* A -> nodata; * AAAA -> nxdomain"];
    let world = Scenario { servers, steps: BOTH, results: &["NoAddress@1"], ..NO_10 }.check();
    assert_eq!(error(&world).denied(), None);
}

/// Otherwise the zone of the first suffix could choose, by a denied address, which of the later
/// ones is connected to, and the caller would not learn of it.
#[test]
fn a_denied_candidate_ends_the_search() {
    let config = "deny 10.0.0.0/8; search a b c";
    let servers = &["www.a * -> nxdomain; www.b * -> answer 10.0.0.1; * * -> answer 192.0.2.1"];
    Scenario {
        config,
        servers,
        steps: &["0 lookup www"],
        results: &["PolicyDenied@2"],
        queries: "0 ns1 www.a A, 1 ns1 www.b A",
    }
    .check();
    for other in ["nodata", "nxdomain", "servfail"] {
        let server =
            format!("www.a A -> answer 10.0.0.1; www.a AAAA -> {other}; * * -> answer 192.0.2.1");
        Scenario {
            config: "deny 10.0.0.0/8; search a b c; attempts 1",
            servers: &[&server],
            steps: &["0 lookup www both"],
            results: &["PolicyDenied@1"],
            queries: "0 ns1 www.a AAAA, 0 ns1 www.a A",
        }
        .check();
    }
}

#[test]
fn su05_behind_an_alias_it_is_the_address_that_counts() {
    let servers = &["* * -> answer cname inside.example 10.0.0.1"];
    Scenario { servers, results: &["PolicyDenied@1"], ..NO_10 }.check();
    let servers = &["* * -> answer cname other.example 10.0.0.1 192.0.2.1"];
    Scenario { servers, results: &["192.0.2.1@1 =other.example@1 ok@1"], ..NO_10 }.check();
}

#[test]
fn a_canceled_lookup_is_canceled_whatever_was_denied() {
    let servers = &["* A -> answer 10.0.0.1; * AAAA -> drop"];
    let steps = &["0 lookup www.example both", "50 cancel 1"];
    Scenario { servers, steps, results: &["Canceled@50"], ..NO_10 }.check();
}
