//! Failures by cause, with what each nameserver did.

use std::time::Duration;

use crate::LookupResult;
use crate::resolve::error::{
    FailureCause, LookupError, LookupErrorKind, Rcode, RecordType, Transport,
};
use crate::resolve::sim::scenario::{SCENARIO, Scenario, results};
use crate::resolve::sim::world::World;
use crate::resolve::stub::ids::LookupId;

fn error(world: &World, id: u64) -> LookupError {
    match world.consumers[&LookupId(id)].results.last() {
        Some((_, LookupResult::End(Err(error)))) => error.clone(),
        other => panic!("no error: {other:?}"),
    }
}

/// YXDOMAIN is an error of a nameserver like any other here; c-ares takes it for NODATA.
#[test]
fn er01_each_code_is_told_apart() {
    for (reply, kind, cause) in [
        ("nxdomain", LookupErrorKind::NotFound, None),
        ("nodata", LookupErrorKind::NoAddress, None),
        ("formerr", LookupErrorKind::ServerFailure, Some(Rcode::FORMERR)),
        ("servfail", LookupErrorKind::ServerFailure, Some(Rcode::SERVFAIL)),
        ("notimp", LookupErrorKind::ServerFailure, Some(Rcode::NOTIMP)),
        ("refused", LookupErrorKind::ServerFailure, Some(Rcode::REFUSED)),
        ("rcode 6", LookupErrorKind::ServerFailure, Some(Rcode::YXDOMAIN)),
    ] {
        let script = format!("* * -> {reply}");
        let error = error(&Scenario { servers: &[&script], ..SCENARIO }.check(), 1);
        assert_eq!(error.kind(), kind, "{reply}");
        let reported = error.failures().first().map(|failure| failure.cause);
        assert_eq!(reported, cause.map(FailureCause::Rcode), "{reply}");
    }
}

#[test]
fn er02_what_may_be_over_soon_is_temporary() {
    for (script, is_temporary) in [
        ("* * -> servfail", true),
        ("* * -> port-unreachable", true),
        ("* * -> drop", true),
        ("$open quota 99999ms", true),
        ("$open unreachable", true),
        ("* * -> nxdomain", false),
        ("* * -> nodata", false),
    ] {
        let error = error(&Scenario { servers: &[script], ..SCENARIO }.check(), 1);
        assert_eq!(error.is_temporary(), is_temporary, "{script}: {error}");
    }
}

#[test]
fn er03_a_timeout_names_each_nameserver_and_what_it_did_for_how_long() {
    let servers = &["* * -> drop", "* * -> servfail header-only", "$open unreachable"];
    let error = error(&Scenario { config: "all; timeout 900", servers, ..SCENARIO }.check(), 1);
    assert_eq!(error.name().unwrap().as_str(), "www.example");
    let reported: Vec<_> = error
        .failures()
        .iter()
        .map(|f| (f.nameserver.to_string(), f.transport, f.cause, f.elapsed))
        .collect();
    let unreachable = FailureCause::Socket(std::io::ErrorKind::NetworkUnreachable);
    let servfail = FailureCause::Rcode(Rcode::SERVFAIL);
    let spoke_at = Duration::from_micros(700_500);
    // Then all had failed or were silent, and were asked once more as far as they might be.
    let over_at = Duration::from_micros(737_500);
    assert_eq!(
        reported,
        [
            ("192.0.2.201:53".to_owned(), Transport::Udp, servfail, spoke_at),
            ("192.0.2.202:53".to_owned(), Transport::Udp, unreachable, over_at),
            ("192.0.2.200:53".to_owned(), Transport::Udp, FailureCause::Timeout, over_at),
        ]
    );
    let text = error.to_string();
    assert!(
        text.contains("www.example A from 192.0.2.200:53 over UDP: no valid response after 737 ms")
    );
}

#[test]
fn er04_addresses_come_at_once_and_the_missing_family_is_told_at_the_end() {
    let servers = &["* A -> answer 192.0.2.1; * AAAA -> drop"];
    let steps = &["0 lookup www.example both"];
    let results = &["192.0.2.1@1 =www.example@1 Timeout@5000"];
    let error = error(&Scenario { servers, steps, results, ..SCENARIO }.check(), 1);
    assert!(error.is_temporary());
    assert!(error.failures().iter().all(|f| f.question.record_type == RecordType::Aaaa));
}

#[test]
fn er05_one_family_nxdomain_and_the_other_servfail_is_temporary() {
    let servers = &["* A -> nxdomain; * AAAA -> servfail"];
    let steps = &["0 lookup www.example both"];
    Scenario { servers, steps, results: &["ServerFailure@2"], ..SCENARIO }.check();
}

#[test]
fn er06_nodata_in_both_families_is_one_error_and_two_queries() {
    let steps = &["0 lookup www.example both"];
    let world = Scenario { steps, results: &["NoAddress@1"], ..SCENARIO }.check();
    assert_eq!(world.log.len(), 2);
}

#[test]
fn er07_no_route_is_temporary_and_told_within_the_timeout() {
    let servers = &["$open unreachable"; 2];
    Scenario { servers, results: &["Unreachable@250"], ..SCENARIO }.check();
}

/// The name in the message is the caller's, or that of an alias, which has passed as a host name;
/// what else there is are codes and addresses.
#[test]
fn er08_no_octet_of_the_network_reaches_a_message() {
    let servers = &["www.example A -> answer cname we\\007b.example; * * -> servfail"];
    let error = error(&Scenario { servers, ..SCENARIO }.check(), 1);
    let text = format!("{error} {error:?}");
    assert!(!text.chars().any(char::is_control), "{text:?}");
}

/// On a system without resolv.conf another user may listen at 127.0.0.1.
#[test]
fn sy44_without_a_nameserver_a_lookup_is_told_at_once_and_nothing_is_sent() {
    for config in
        ["", "in-turn", "rotate", "all", "single-request", "use-vc", "search a b", "cache"]
    {
        let config = &format!("no-nameserver; {config}");
        let scenario = Scenario { config, servers: &[], results: &["Misconfigured@0"], ..SCENARIO };
        let world = scenario.check();
        assert_eq!(error(&world, 1).failures().len(), 0, "{config}");
    }
}

/// The same refusal has another remedy: a nameserver has to be configured.
#[test]
fn rr18_an_unreachable_nameserver_that_nobody_configured_is_a_misconfiguration() {
    let servers = &["$udp refuse"];
    let kind = |config| {
        let world = Scenario { config, servers, ..SCENARIO }.check();
        results(&world, 1).split('@').next().unwrap().to_owned()
    };
    assert_eq!(kind("unconfigured"), "Misconfigured");
    assert_eq!(kind(""), "Unreachable");
    // One that listens there is as good as any.
    let servers = &["* * -> answer 192.0.2.1"];
    let results = &["192.0.2.1@1 =www.example@1 ok@1"];
    Scenario { config: "unconfigured", servers, results, ..SCENARIO }.check();
    let servers = &["* * -> servfail"];
    Scenario { config: "unconfigured", servers, results: &["ServerFailure@2"], ..SCENARIO }.check();
}
