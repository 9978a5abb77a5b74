//! Lookups by the operating system: the two families come apart, what it says of either is put
//! together, and calls that do not come back cost their threads and nothing else.

use crate::resolve::error::LookupErrorKind;
use crate::resolve::sim::scenario::{SCENARIO, Scenario, calls, queries, results};
use crate::resolve::sim::world::World;
use crate::resolve::stub::ids::LookupId;
use crate::resolve::system_failure::{SystemCause, SystemFailure};
use crate::{LookupError, LookupResult};

const BOTH: Scenario<'static> = Scenario { steps: &["0 lookup www.example both"], ..SCENARIO };

/// What comes of a lookup of both families for which the operating system finds this.
fn outcome(found: &str) -> (World, String) {
    let config = format!("system; {found}");
    let world = Scenario { config: &config, queries: "", ..BOTH }.check();
    let results = results(&world, 1);
    (world, results)
}

fn error(world: &World, id: u64) -> LookupError {
    match world.consumers[&LookupId(id)].results.last() {
        Some((_, LookupResult::End(Err(error)))) => error.clone(),
        other => panic!("no error: {other:?}"),
    }
}

fn failures(error: &LookupError) -> Vec<(String, SystemCause, u128)> {
    let told = |failure: &SystemFailure| {
        (failure.question.to_string(), failure.cause, failure.elapsed.as_millis())
    };
    error.system_failures().iter().map(told).collect()
}

#[test]
fn os01_a_family_is_handed_over_when_its_call_comes_back() {
    let (world, results) =
        outcome("call www.example A 1 192.0.2.1; call www.example AAAA 3000 2001:db8::1");
    assert_eq!(results, "192.0.2.1@1 =www.example@1 2001:db8::1@3000 ok@3000");
    assert_eq!(calls(&world), "0 www.example AAAA, 0 www.example A");
}

#[test]
fn os02_addresses_come_in_the_order_of_the_system_and_the_name_is_the_one_asked_for() {
    let config = "system; call WWW.example. A 1 192.0.2.9 192.0.2.1; \
                  call WWW.example. AAAA 2 2001:db8::9 2001:db8::1";
    let steps = &["0 lookup WWW.example. both"];
    let results = &["192.0.2.9@1 192.0.2.1@1 =WWW.example@1 2001:db8::9@2 2001:db8::1@2 ok@2"];
    Scenario { config, steps, results, queries: "", ..SCENARIO }.check();
}

#[test]
fn os03_a_family_that_is_absent_is_no_failure() {
    for absent in ["nodata", "noname", "nofamily"] {
        let (_, results) =
            outcome(&format!("call www.example A 1 192.0.2.1; call www.example AAAA 2 {absent}"));
        assert_eq!(results, "192.0.2.1@1 =www.example@1 ok@2", "{absent}");
    }
}

#[test]
fn os04_a_family_that_fails_is_told_behind_the_addresses_of_the_other() {
    let (world, results) =
        outcome("call www.example A 1 192.0.2.1; call www.example AAAA 20 again");
    assert_eq!(results, "192.0.2.1@1 =www.example@1 ServerFailure@20");
    let error = error(&world, 1);
    assert!(error.is_temporary() && error.failures().is_empty());
    assert_eq!(failures(&error), [("www.example AAAA".to_owned(), SystemCause::Code(-3), 20)]);
    let text = "www.example: the operating system's lookup failed (www.example AAAA from the \
                operating system: ";
    assert!(error.to_string().starts_with(text), "{error}");
}

#[test]
fn os05_the_verdict_over_both_families() {
    use LookupErrorKind::{NoAddress, NotFound, ServerFailure};
    for (a, aaaa, kind) in [
        ("noname", "nodata", NoAddress),
        ("nodata", "noname", NoAddress),
        ("nodata", "nodata", NoAddress),
        ("noname", "noname", NotFound),
        ("noname", "again", ServerFailure),
        ("again", "nodata", ServerFailure),
        ("nofamily", "noname", NotFound),
        ("nodata", "nofamily", NoAddress),
    ] {
        let (world, _) =
            outcome(&format!("call www.example A 1 {a}; call www.example AAAA 2 {aaaa}"));
        assert_eq!(error(&world, 1).kind(), kind, "{a}, {aaaa}");
    }
}

#[test]
fn os08_a_call_that_hangs_ends_at_the_deadline_and_keeps_no_other_from_its_answer() {
    let config = "system; call dead.example A never; call dead.example AAAA never; \
                  call live.example A 2 192.0.2.1";
    let steps = &["0 lookup dead.example both timeout 500", "100 lookup live.example"];
    let results = &["Timeout@500", "192.0.2.1@102 =live.example@102 ok@102"];
    let world = Scenario { config, steps, results, queries: "", ..SCENARIO }.check();
    let of = |record_type| (format!("dead.example {record_type}"), SystemCause::Timeout, 500);
    let error = error(&world, 1);
    assert_eq!(failures(&error), [of("AAAA"), of("A")]);
    let text = "dead.example: the operating system did not answer in time (dead.example AAAA from \
                the operating system: no answer after 500 ms, dead.example A from the operating \
                system: no answer after 500 ms)";
    assert_eq!(error.to_string(), text);
}

#[test]
fn without_a_timeout_of_its_own_a_lookup_waits_ten_seconds_for_the_system() {
    let (_, results) = outcome("call www.example A 3 192.0.2.1; call www.example AAAA never");
    assert_eq!(results, "192.0.2.1@3 =www.example@3 Timeout@10000");
}

#[test]
fn os09_a_thousand_lookups_of_a_name_that_hangs_hold_two_threads() {
    let config = "system; call dead.example A never; call dead.example AAAA never";
    let steps: Vec<_> =
        (0..1000).map(|n| format!("{n} lookup dead.example both timeout 1500")).collect();
    let steps: Vec<_> = steps.iter().map(String::as_str).collect();
    let world = Scenario { config, steps: &steps, queries: "", ..SCENARIO }.check();
    for id in 1..=1000 {
        assert_eq!(results(&world, id), format!("Timeout@{}", id - 1 + 1500));
    }
    assert_eq!(calls(&world), "0 dead.example AAAA, 0 dead.example A");
}

/// A call that nothing waits for any more is still the one for its name.
#[test]
fn os09_a_lookup_joins_the_call_that_another_has_left() {
    let config = "system; call slow.example A 900 192.0.2.1";
    let steps = &["0 lookup slow.example timeout 100", "500 lookup slow.example"];
    let results = &["Timeout@100", "192.0.2.1@900 =slow.example@900 ok@900"];
    let world = Scenario { config, steps, results, queries: "", ..SCENARIO }.check();
    assert_eq!(calls(&world), "0 slow.example A");
}

#[test]
fn os10_when_dead_names_hold_every_thread_a_name_that_is_well_gets_one_more() {
    let names = ["a", "b", "c", "d"];
    let dead: Vec<_> = names.iter().map(|name| format!("call {name} A never")).collect();
    let config = format!("system; system-threads 4; call live A 5 192.0.2.1; {}", dead.join("; "));
    let mut steps: Vec<_> =
        names.iter().map(|name| format!("0 lookup {name} timeout 300")).collect();
    steps.push("200 lookup live".to_owned());
    let steps: Vec<_> = steps.iter().map(String::as_str).collect();
    let world = Scenario { config: &config, steps: &steps, queries: "", ..SCENARIO }.check();
    assert_eq!(results(&world, 5), "192.0.2.1@305 =live@305 ok@305");
}

#[test]
fn os10_when_twice_as_many_hang_a_lookup_fails_at_once_and_says_why() {
    let dead: Vec<_> = (0..6).map(|n| format!("call dead{n} A never")).collect();
    let config = format!("system; system-threads 2; {}", dead.join("; "));
    let mut steps: Vec<_> =
        (0..4).map(|n| format!("{} lookup dead{n} timeout 300", n * 1000)).collect();
    steps.push("5000 lookup dead4".to_owned());
    let steps: Vec<_> = steps.iter().map(String::as_str).collect();
    let world = Scenario { config: &config, steps: &steps, queries: "", ..SCENARIO }.check();
    assert_eq!(results(&world, 5), "Resources@5000");
    assert_eq!(
        failures(&error(&world, 5)),
        [("dead4 A".to_owned(), SystemCause::ThreadsHeld(4), 0)]
    );
    let text = "dead4: out of threads, open files or memory (dead4 A from the operating system: all \
                4 threads for it are held by calls that have not come back after 0 ms)";
    assert_eq!(error(&world, 5).to_string(), text);
}

#[test]
fn os11_every_lookup_of_a_burst_hears_of_one_family_before_any_hears_of_the_other() {
    let found: Vec<_> = (0..20)
        .map(|n| format!("call n{n} A 10 192.0.2.1; call n{n} AAAA 10 2001:db8::1"))
        .collect();
    let config = format!("system; system-threads 4; {}", found.join("; "));
    let steps: Vec<_> = (0..20).map(|n| format!("0 lookup n{n} both")).collect();
    let steps: Vec<_> = steps.iter().map(String::as_str).collect();
    let world = Scenario { config: &config, steps: &steps, queries: "", ..SCENARIO }.check();
    for id in 1..=20 {
        let results = results(&world, id);
        let first = results.split_once('@').unwrap().1.split_once(' ').unwrap().0;
        // The first two lookups have both of their calls made at once.
        assert!(first.parse::<u32>().unwrap() <= 60, "lookup {id}: {results}");
        assert!(results.contains(" ok@"), "lookup {id}: {results}");
    }
}

#[test]
fn os12_a_call_whose_lookup_was_dropped_is_not_begun() {
    let config = "system; system-threads 1; call slow A 500 192.0.2.1";
    let steps = &["0 lookup slow", "1 lookup other", "2 drop 2", "3 cancel 1"];
    let world = Scenario { config, steps, queries: "", ..SCENARIO }.check();
    assert_eq!(calls(&world), "0 slow A");
    assert_eq!(results(&world, 1), "Canceled@3");
}

/// Both happen in one turn of the thread.
#[test]
fn os12_a_call_that_is_left_and_joined_at_once_is_made() {
    let config = "system; system-threads 1; call slow A 50 192.0.2.1; call other A 5 192.0.2.2";
    let steps = &["0 lookup slow", "1 lookup other", "5 drop 2", "5 lookup other"];
    let mut world = Scenario { config, steps, ..SCENARIO }.start();
    world.is_batched = true;
    world.run();
    assert_eq!(results(&world, 3), "192.0.2.2@55 =other@55 ok@55");
}

/// It went on to the call for its next candidate name: one for the other family had come back.
#[test]
fn os12_a_lookup_that_has_left_a_call_is_not_given_its_outcome() {
    let config = "system-route a.example; system-route b.example; search a.example b.example; \
                  call host.a.example. A 11000 10.0.0.1; call host.b.example. A 5000 10.0.0.2";
    let steps = &["0 lookup host both", "5000 lookup host"];
    let results = &[
        "10.0.0.2@15000 =host.b.example@15000 ok@15000",
        "10.0.0.1@11000 =host.a.example@11000 ok@11000",
    ];
    Scenario { config, steps, results, queries: "", ..SCENARIO }.check();
}

/// Addresses that are held lead to the next candidate name, if none of them can be used.
#[test]
fn os18_what_is_held_and_of_no_use_does_not_end_the_search() {
    let config = "cache; system-route local; search local example; \
                  call printer.local. AAAA 1 fe80::1";
    let servers = &["printer.example AAAA -> answer 2001:db8::1; * * -> nxdomain"];
    let steps = &["0 lookup printer v6", "500 lookup printer v6"];
    let world = Scenario { config, servers, steps, ..SCENARIO }.check();
    assert_eq!(results(&world, 1), "2001:db8::1@2 =printer.example@2 ok@2");
    assert!(results(&world, 2).ends_with(" =printer.example@500 ok@500"), "{}", results(&world, 2));
    assert_eq!(calls(&world), "0 printer.local. AAAA");
}

/// The stub that has it is retired, and the turn that ends its last lookup might drop it.
#[test]
fn os12_a_call_of_a_retired_stub_that_no_lookup_waits_for_is_not_begun() {
    let config = "system; system-threads 1; call a A 3000 192.0.2.1; call b A 5 192.0.2.2";
    let steps = &["0 lookup a timeout 40", "10 next 1", "20 lookup b", "30 next 1", "40 drop 2"];
    let mut world = Scenario { config, steps, ..SCENARIO }.start();
    world.is_batched = true;
    world.run();
    assert_eq!(calls(&world), "0 a A");
}

/// Whichever source is asked, the program does not want these names to leave.
#[test]
fn os22_a_name_that_a_route_refuses_is_not_asked_of_the_system() {
    for config in ["system; refuse internal", "then-system; refuse internal"] {
        let steps = &["0 lookup db.internal", "10 lookup db.other"];
        let world = Scenario { config, steps, ..SCENARIO }.check();
        assert_eq!(results(&world, 1), "NotFound@0");
        assert!(calls(&world).ends_with(" db.other A") && !calls(&world).contains("internal"));
    }
}

/// Its consumer is slow, so that it is still there when the time of its call is over.
#[test]
fn a_lookup_that_has_ended_makes_no_call() {
    let config = "system; call www A 1 192.0.2.1 192.0.2.2 192.0.2.3; call www AAAA never";
    let steps = &["0 lookup www both timeout 2000 pace 1 9000", "3000 lookup www"];
    let world = Scenario { config, steps, queries: "", ..SCENARIO }.check();
    let first = "192.0.2.1@1 192.0.2.2@9001 192.0.2.3@18001 =www@27001 Timeout@27001";
    assert_eq!(results(&world, 1), first);
    assert_eq!(calls(&world), "0 www AAAA, 0 www A, 3000 www A");
}

#[test]
fn os16_a_link_local_address_needs_its_scope() {
    let (world, results) = outcome("call www.example AAAA 1 fe80::1%3 fe80::2 2001:db8::1");
    assert_eq!(results, "fe80::1%3@1 2001:db8::1@1 =www.example@1 ok@1");
    assert_eq!(world.stats().link_local, 1);
    let (_, results) = outcome("call www.example AAAA 1 fe80::2");
    assert_eq!(results, "NoAddress@1");
}

#[test]
fn os18_addresses_are_held_for_a_second_within_one_generation() {
    let config = "system; cache; call www.example A 1 192.0.2.1";
    let steps = &[
        "0 lookup www.example",
        "500 lookup www.example",
        "1000 lookup www.example",
        "1500 lookup www.example",
        "1600 next 1",
        "1700 lookup www.example",
    ];
    let world = Scenario { config, steps, queries: "", ..SCENARIO }.check();
    assert_eq!(calls(&world), "0 www.example A, 1500 www.example A, 1700 www.example A");
    assert_eq!(results(&world, 2), "192.0.2.1@500 =www.example@500 ok@500");
    let stats = world.stats();
    assert_eq!((stats.system_lookups, stats.coalesced, stats.system_calls), (5, 2, 3));
}

#[test]
fn what_the_system_has_found_is_forgotten_with_the_cache() {
    let config = "system; cache; call www.example A 5 192.0.2.1; call other.example A 5 192.0.2.2";
    for (forget, again) in [("clear", true), ("forget www.example", true), ("forget x", false)] {
        for at in [3, 20] {
            let forget = format!("{at} {forget}");
            let steps = &["0 lookup www.example", &forget, "100 lookup www.example"];
            let world = Scenario { config, steps, queries: "", ..SCENARIO }.check();
            let calls = calls(&world);
            assert_eq!(calls.contains("100 www.example A"), again, "{forget}: {calls}");
        }
    }
    // What comes under the same name is held for its own time.
    let steps = &[
        "0 lookup www.example",
        "500 clear",
        "600 lookup www.example",
        "1300 lookup www.example",
        "1700 lookup www.example",
    ];
    let world = Scenario { config, steps, queries: "", ..SCENARIO }.check();
    assert_eq!(calls(&world), "0 www.example A, 600 www.example A, 1700 www.example A");
}

/// The system's "no" may be a failure of its own.
#[test]
fn os18_what_was_not_found_is_not_held() {
    for absent in ["noname", "nodata", "again"] {
        let config = format!("system; cache; call www.example A 1 {absent}");
        let steps = &["0 lookup www.example", "10 lookup www.example"];
        let world = Scenario { config: &config, steps, queries: "", ..SCENARIO }.check();
        assert_eq!(calls(&world), "0 www.example A, 10 www.example A", "{absent}");
    }
}

#[test]
fn os19_one_family_is_one_call() {
    let config = "system; call www.example A 1 192.0.2.1";
    let world = Scenario { config, queries: "", ..SCENARIO }.check();
    assert_eq!(calls(&world), "0 www.example A");
}

/// By two calls, the addresses of one family might be those of another name than those of the
/// other.
#[test]
fn os19_where_the_system_has_a_search_list_one_call_is_for_both_families() {
    for (found, expected) in [
        ("192.0.2.1 2001:db8::1", "2001:db8::1@5 =half@5 192.0.2.1@5 ok@5"),
        ("192.0.2.1 192.0.2.2", "192.0.2.1@5 192.0.2.2@5 =half@5 ok@5"),
        ("fe80::1 192.0.2.1", "192.0.2.1@5 =half@5 ok@5"),
        ("noname", "NotFound@5"),
        ("nodata", "NoAddress@5"),
        ("again", "ServerFailure@5"),
    ] {
        let config = format!("searching-system; call half both 5 {found}");
        let steps = &["0 lookup half both"];
        let world = Scenario { config: &config, steps, queries: "", ..SCENARIO }.check();
        assert_eq!(
            (results(&world, 1), calls(&world)),
            (expected.to_owned(), "0 half both".to_owned())
        );
    }
    // Of one family there is one call as it is.
    let config = "searching-system; call half A 5 192.0.2.1";
    let steps = &["0 lookup half"];
    let world = Scenario { config, steps, queries: "", ..SCENARIO }.check();
    assert_eq!(calls(&world), "0 half A");
    // It is coalesced, left and joined as any other.
    let config = "searching-system; cache; call slow both 900 192.0.2.1";
    let steps = &[
        "0 lookup slow both timeout 100",
        "200 lookup slow both",
        "300 lookup slow both",
        "400 cancel 3",
        "1000 lookup slow both",
    ];
    let results = &[
        "Timeout@100",
        "192.0.2.1@900 =slow@900 ok@900",
        "Canceled@400",
        "192.0.2.1@1000 =slow@1000 ok@1000",
    ];
    let world = Scenario { config, steps, results, queries: "", ..SCENARIO }.check();
    assert_eq!(calls(&world), "0 slow both");
}

#[test]
fn os20_names_that_must_not_be_asked_for_are_no_call() {
    let steps = &[
        "0 lookup x.onion both",
        "0 lookup x.onion. both",
        "0 lookup x.invalid both",
        "0 lookup localhost both",
        "0 lookup 192.0.2.1 both",
    ];
    let world = Scenario { config: "system", steps, queries: "", ..SCENARIO }.check();
    assert_eq!(calls(&world), "");
    assert_eq!(results(&world, 2), "NotFound@0");
}

#[test]
fn os22_the_policy_judges_what_the_system_finds() {
    let found = "call www.example A 1 127.0.0.1; call www.example AAAA 2 2001:db8::1";
    let config = format!("system; deny 127.0.0.0/8; {found}");
    let world = Scenario { config: &config, queries: "", ..BOTH }.check();
    assert_eq!(results(&world, 1), "2001:db8::1@2 =www.example@2 ok@2");
    let config = format!("system; deny 127.0.0.0/8; deny 2001:db8::/32; {found}");
    let world = Scenario { config: &config, queries: "", ..BOTH }.check();
    assert_eq!(results(&world, 1), "PolicyDenied@2");
}

#[test]
fn os25_the_system_is_asked_when_the_nameservers_know_no_address() {
    let config = "then-system; call plain.probe A 5 192.0.2.7; call known.example A 5 192.0.2.8";
    let servers = &["known.example A -> answer 192.0.2.1; * * -> nxdomain"];
    let steps = &["0 lookup known.example", "100 lookup plain.probe", "200 lookup nowhere.probe"];
    let results = &[
        "192.0.2.1@1 =known.example@1 ok@1",
        "192.0.2.7@106 =plain.probe@106 ok@106",
        "NotFound@201",
    ];
    let world = Scenario { config, servers, steps, results, ..SCENARIO }.check();
    assert_eq!(calls(&world), "101 plain.probe A, 201 nowhere.probe A");
    let asked = "0 ns1 known.example A, 100 ns1 plain.probe A, 200 ns1 nowhere.probe A";
    assert_eq!(queries(&world), asked);
}

/// It would say the same, later: what no nameserver could tell is not for the sources behind them.
#[test]
fn os25_a_failure_of_the_nameservers_is_no_reason_to_ask_the_system() {
    let servers = &["* * -> servfail"];
    let world = Scenario { config: "then-system", servers, ..SCENARIO }.check();
    assert_eq!(calls(&world), "");
    assert_eq!(error(&world, 1).kind(), LookupErrorKind::ServerFailure);
}

/// A machine without a network has the names of its own hosts file, wherever that stands.
#[test]
fn os26_behind_nameservers_that_fail_the_hosts_file_holds() {
    for server in
        ["* * -> nxdomain", "* * -> nodata", "* * -> servfail", "* * -> drop", "$open unreachable"]
    {
        let steps = &["0 lookup box.lan"];
        let servers = &[server];
        let mut world = Scenario { config: "then-hosts", servers, steps, ..SCENARIO }.start();
        world.checks.may_be_local(LookupId(1), [192, 0, 2, 77].into());
        world.run();
        let results: Vec<_> =
            world.consumers[&LookupId(1)].results.iter().map(|(_, result)| result).collect();
        let [LookupResult::Address(addr), LookupResult::CanonicalName(_), end] = results[..] else {
            panic!("{server}: {results:?}");
        };
        assert_eq!(
            (addr.to_string(), end),
            ("192.0.2.77:0".to_owned(), &LookupResult::End(Ok(())))
        );
    }
}

/// With a deadline of the whole lookup, the system's call has what is left of it.
#[test]
fn os25_the_time_of_the_call_counts_for_the_lookup() {
    let config = "then-system; call www.example A never";
    let servers = &["* * -> delay 40ms, nxdomain"];
    let steps = &["0 lookup www.example timeout 300"];
    let world = Scenario { config, servers, steps, ..SCENARIO }.check();
    assert_eq!(results(&world, 1), "Timeout@300");
}

/// The operating system sees a change of its network by itself.
#[test]
fn a_lookup_by_the_system_outlives_a_change_of_the_nameservers() {
    let config = "system; call www.example A 300 192.0.2.1";
    let steps = &["0 lookup www.example", "100 next 1", "200 suspend 0"];
    let world = Scenario { config, steps, queries: "", ..SCENARIO }.check();
    assert_eq!(results(&world, 1), "192.0.2.1@300 =www.example@300 ok@300");
    assert_eq!(calls(&world), "0 www.example A");
}
