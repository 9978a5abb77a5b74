//! The order of sources, without a resolver.

use super::*;

/// A machine whose hosts file has `lines`, and whose search list is `example`.
fn machine(lines: &str) -> LookupConfig {
    LookupConfig {
        hosts: Arc::new(Hosts::parse(lines.as_bytes(), &|_| None)),
        search: Arc::from(["example".parse().unwrap()]),
        ..LookupConfig::default()
    }
}

/// The same machine with hosts that the program gave, each a name and its addresses.
fn with_hosts(config: LookupConfig, hosts: &[&str]) -> LookupConfig {
    let mut program_hosts = ProgramHosts::default();
    for host in hosts {
        let mut words = host.split_whitespace();
        let name = words.next().unwrap();
        program_hosts.add(name, words.map(|address| address.parse().unwrap()));
    }
    LookupConfig { program_hosts: Arc::new(program_hosts), ..config }
}

fn look_up(target: &str, options: &LookupOptions, config: &LookupConfig) -> Local {
    let target = target.parse().expect("a valid target");
    local(&target, options, config, &AddressPolicy::default())
}

/// The results as text; or the candidate names that are asked for, and of which family.
fn outcome(target: &str, options: &LookupOptions, config: &LookupConfig) -> String {
    match look_up(target, options, config) {
        Local::Answered(results, _) => text(&results),
        Local::Ask(Ask { family, candidates, .. }) => {
            let names: Vec<_> = candidates.map(|name| name.to_string()).collect();
            format!("ask {} {family:?}", names.join(", "))
        }
    }
}

fn text(results: &[LookupResult]) -> String {
    let texts = results.iter().map(|result| match result {
        LookupResult::Address(addr) => addr.to_string(),
        LookupResult::CanonicalName(name) => format!("={name}"),
        LookupResult::End(Ok(())) => "ok".to_owned(),
        LookupResult::End(Err(error)) => format!("{:?}", error.kind()),
    });
    texts.collect::<Vec<_>>().join(" ")
}

#[test]
fn a_literal_is_its_own_address_whatever_the_hosts_file_says() {
    let (both, config) = (LookupOptions::default(), machine("198.51.100.1 192.0.2.1\n"));
    assert_eq!(outcome("192.0.2.1:80", &both, &config), "192.0.2.1:80 =192.0.2.1 ok");
    assert_eq!(outcome("[fe80::1%2]:80", &both, &config), "[fe80::1%2]:80 =fe80::1%2 ok");
    let ipv6 = both.family(AddressFamily::Ipv6);
    assert_eq!(outcome("192.0.2.1:80", &ipv6, &config), "NoAddress");
}

#[test]
fn at05_the_canonical_name_of_a_literal_is_looked_up_as_that_literal() {
    let (both, config) = (LookupOptions::default(), machine(""));
    for literal in ["192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1", "fe80::a", "fe80::a%2"] {
        let Local::Answered(results, _) = look_up(literal, &both, &config) else {
            panic!("{literal} is asked of nameservers");
        };
        let LookupResult::CanonicalName(name) = &results[1] else { panic!("{results:?}") };
        let again = local(&name.into(), &both, &config, &AddressPolicy::default());
        let Local::Answered(again, _) = again else { panic!("{name} is asked of nameservers") };
        assert_eq!(again, results);
    }
}

#[test]
fn the_hosts_file_comes_before_special_names_and_nameservers() {
    let config = machine("192.0.2.1 www www.example\n192.0.2.2 localhost\n");
    let both = LookupOptions::default();
    assert_eq!(outcome("www:80", &both, &config), "192.0.2.1:80 =www ok");
    assert_eq!(outcome("localhost:80", &both, &config), "192.0.2.2:80 =localhost ok");
    let ipv6 = LookupOptions::default().family(AddressFamily::Ipv6);
    assert_eq!(outcome("localhost:80", &ipv6, &config), "NoAddress");
}

#[test]
fn the_hosts_of_the_program_come_before_every_other_source_but_a_literal() {
    let hosts = [
        "Api.test 192.0.2.1 2001:db8::1",
        "www 192.0.2.2",
        "localhost 192.0.2.3",
        "x.invalid 192.0.2.4",
        "node.1 192.0.2.5",
    ];
    let lines = "198.51.100.1 www api.test\n2001:db8::bad www\n198.51.100.2 other\n";
    let (config, both) = (with_hosts(machine(lines), &hosts), LookupOptions::default());
    for (target, expected) in [
        ("api.test:80", "192.0.2.1:80 [2001:db8::1]:80 =Api.test ok"),
        ("API.TEST.:80", "192.0.2.1:80 [2001:db8::1]:80 =Api.test ok"),
        ("www:80", "192.0.2.2:80 =www ok"),
        ("localhost:80", "192.0.2.3:80 =localhost ok"),
        ("x.invalid:80", "192.0.2.4:80 =x.invalid ok"),
        ("node.1:80", "192.0.2.5:80 =node.1 ok"),
        ("192.0.2.66:80", "192.0.2.66:80 =192.0.2.66 ok"),
        ("other:80", "198.51.100.2:80 =other ok"),
        // Neither the search list nor a domain leads to a name that the program gave.
        ("api:80", "ask api.example, api None"),
        ("x.api.test:80", "ask x.api.test, x.api.test.example None"),
    ] {
        assert_eq!(outcome(target, &both, &config), expected, "{target}");
    }
}

#[test]
fn a_name_that_the_program_gave_has_no_address_from_anywhere_else() {
    let hosts = ["four.test 192.0.2.1", "none.test"];
    let lines = "2001:db8::1 four.test none.test\n";
    let (config, both) = (with_hosts(machine(lines), &hosts), LookupOptions::default());
    let ipv6 = LookupOptions::default().family(AddressFamily::Ipv6);
    assert_eq!(outcome("four.test:80", &both, &config), "192.0.2.1:80 =four.test ok");
    assert_eq!(outcome("four.test:80", &ipv6, &config), "NoAddress");
    assert_eq!(outcome("none.test:80", &both, &config), "NoAddress");
}

#[test]
fn special_names_are_answered_here() {
    let (both, config) = (LookupOptions::default(), machine(""));
    assert_eq!(outcome("localhost:80", &both, &config), "[::1]:80 127.0.0.1:80 =localhost ok");
    assert_eq!(outcome("x.invalid:80", &both, &config), "NotFound");
}

#[test]
fn what_is_left_is_asked_of_nameservers_along_the_search_list() {
    let (both, config) = (LookupOptions::default(), machine(""));
    assert_eq!(outcome("www:80", &both, &config), "ask www.example, www None");
    assert_eq!(outcome("a.b:80", &both, &config), "ask a.b, a.b.example None");
    let no_search = LookupOptions::default().search(false);
    assert_eq!(outcome("www:80", &no_search, &config), "ask www None");
}

/// The machine of [`machine`] with sources in this order.
fn in_order(order: SourceOrder, lines: &str) -> LookupConfig {
    LookupConfig { sources: SourceRules::Same(order), ..machine(lines) }
}

fn system_name(asked: &SystemName) -> String {
    format!("{}{}", asked.name, if asked.is_searched { ", searched" } else { "" })
}

/// The results of a lookup that is answered; or whom it asks, with the results of the hosts file.
fn plan(target: &str, options: &LookupOptions, config: &LookupConfig) -> String {
    match look_up(target, options, config) {
        Local::Answered(results, _) => text(&results),
        Local::Ask(Ask { plan: Plan::NameserversThenHosts(results), .. }) => {
            format!("NameserversThenHosts {}", text(&results))
        }
        Local::Ask(Ask { plan: Plan::Nameservers, .. }) => "Nameservers".to_owned(),
        Local::Ask(Ask { plan: Plan::NameserversThenSystem(asked), .. }) => {
            format!("NameserversThenSystem {}", system_name(&asked))
        }
        Local::Ask(Ask { plan: Plan::System(asked), .. }) => {
            format!("System {}", system_name(&asked))
        }
    }
}

/// What the operating system makes of a name is known by its search list.
#[test]
fn os19_a_name_that_the_system_searches_for_is_told_apart() {
    let options = LookupOptions::default();
    for (system_search, name, options, expected) in [
        (None, "www", &options, "System www"),
        (Some(SearchRule::Ndots(1)), "www", &options, "System www, searched"),
        // It is tried as it is first, and then below the list all the same.
        (Some(SearchRule::Ndots(1)), "www.example", &options, "System www.example, searched"),
        (Some(SearchRule::Ndots(1)), "www.example.", &options, "System www.example."),
        (Some(SearchRule::Ndots(1)), "www", &options.clone().search(false), "System www."),
        (Some(SearchRule::SingleLabelsOnly), "www", &options, "System www, searched"),
        (Some(SearchRule::SingleLabelsOnly), "www.example", &options, "System www.example"),
    ] {
        let config = LookupConfig { system_search, ..in_order(SourceOrder::System, "") };
        assert_eq!(plan(name, options, &config), expected, "{system_search:?}");
    }
}

#[test]
fn os26_the_sources_are_asked_in_the_order_of_the_machine() {
    use SourceOrder::{
        Hosts, HostsThenNameservers, HostsThenNameserversThenSystem, HostsThenSystem, Nameservers,
        NameserversThenHosts, NameserversThenSystem, Nowhere, System,
    };
    let both = LookupOptions::default();
    let found = "192.0.2.1:80 =www.example ok";
    let behind = "NameserversThenHosts 192.0.2.1:80 =www.example ok";
    for (order, in_hosts, other) in [
        (HostsThenNameservers, found, "Nameservers"),
        (NameserversThenHosts, behind, "Nameservers"),
        (Hosts, found, "NotFound"),
        (Nameservers, "Nameservers", "Nameservers"),
        (Nowhere, "NotFound", "NotFound"),
        (HostsThenSystem, found, "System www.other"),
        (System, "System www.example", "System www.other"),
        (HostsThenNameserversThenSystem, found, "NameserversThenSystem www.other"),
        (
            NameserversThenSystem,
            "NameserversThenSystem www.example",
            "NameserversThenSystem www.other",
        ),
    ] {
        let config = in_order(order, "192.0.2.1 www.example\n");
        assert_eq!(plan("www.example:80", &both, &config), in_hosts, "{order:?}");
        assert_eq!(plan("www.other:80", &both, &config), other, "{order:?}");
        let config = with_hosts(config, &["www.other 192.0.2.2"]);
        let given = "192.0.2.2:80 =www.other ok";
        assert_eq!(plan("www.other:80", &both, &config), given, "{order:?}: the program's own");
    }
}

/// A block list would leak otherwise: the C library asks DNS for the other family.
#[test]
fn os17_a_hosts_file_that_comes_first_ends_both_families_in_the_system_too() {
    let (both, config) =
        (LookupOptions::default(), in_order(SourceOrder::HostsThenSystem, "0.0.0.0 ads.example\n"));
    assert_eq!(plan("ads.example:80", &both, &config), "0.0.0.0:80 =ads.example ok");
    let ipv6 = both.family(AddressFamily::Ipv6);
    assert_eq!(plan("ads.example:80", &ipv6, &config), "NoAddress");
}

/// What is never sent is answered here, from the hosts file if that counts at all.
#[test]
fn os20_special_names_and_literals_are_asked_of_no_source() {
    use SourceOrder::{Nameservers, NameserversThenHosts, NameserversThenSystem, Nowhere, System};
    let both = LookupOptions::default();
    let loopback = "[::1]:80 127.0.0.1:80 =localhost ok";
    for order in [Nameservers, NameserversThenHosts, NameserversThenSystem, Nowhere, System] {
        let config = in_order(order, "192.0.2.1 known.invalid node.1\n");
        for (target, expected) in [
            ("localhost:80", loopback),
            ("x.localhost.:80", loopback),
            ("x.invalid:80", "NotFound"),
            ("x.onion.:80", "NotFound"),
            ("192.0.2.9:80", "192.0.2.9:80 =192.0.2.9 ok"),
            ("node.2:80", "InvalidTarget(Name(AmbiguousNumeric))"),
        ] {
            assert_eq!(plan(target, &both, &config), expected, "{target}, {order:?}");
        }
        let has_hosts = !matches!(order, Nameservers | Nowhere);
        let expected = if has_hosts { "192.0.2.1:80 =known.invalid ok" } else { "NotFound" };
        assert_eq!(plan("known.invalid:80", &both, &config), expected, "{order:?}");
        let invalid = "InvalidTarget(Name(AmbiguousNumeric))";
        let expected = if has_hosts { "192.0.2.1:80 =known.invalid ok" } else { invalid };
        assert_eq!(plan("node.1:80", &both, &config), expected, "{order:?}");
    }
}

#[test]
fn os26_the_results_of_a_hosts_file_behind_the_nameservers_are_those_that_are_wanted() {
    let order = SourceOrder::NameserversThenHosts;
    let config = in_order(order, "192.0.2.1 www.example\n10.0.0.1 intranet.example\n");
    let ipv6 = LookupOptions::default().family(AddressFamily::Ipv6);
    assert_eq!(plan("www.example:80", &ipv6, &config), "NameserversThenHosts NoAddress");
    let (target, both) = ("intranet.example:80".parse().unwrap(), LookupOptions::default());
    let Local::Ask(ask) = local(&target, &both, &config, &AddressPolicy::public_only()) else {
        panic!("nameservers are asked first")
    };
    let Plan::NameserversThenHosts(results) = ask.plan else { panic!("{:?}", ask.plan) };
    assert_eq!(text(&results), "PolicyDenied");
}

/// The search list of the operating system does not apply to a name with a final dot.
#[test]
fn os19_without_the_search_list_the_system_is_given_a_final_dot() {
    let (search, none) = (LookupOptions::default(), LookupOptions::default().search(false));
    for order in [SourceOrder::System, SourceOrder::NameserversThenSystem] {
        let config = in_order(order, "");
        for (target, options, expected) in [
            ("WWW:80", &search, " WWW"),
            ("www.:80", &search, " www."),
            ("www:80", &none, " www."),
            ("www.:80", &none, " www."),
        ] {
            let plan = plan(target, options, &config);
            assert_eq!(plan.strip_prefix(&format!("{order:?}")), Some(expected), "{target}");
        }
    }
}

#[test]
fn no_aaaa_is_no_business_of_the_operating_system() {
    let both = LookupOptions::default();
    for (order, family) in [
        (SourceOrder::System, "None"),
        (SourceOrder::HostsThenNameservers, "Some(Ipv4)"),
        (SourceOrder::NameserversThenSystem, "Some(Ipv4)"),
    ] {
        let config = LookupConfig { no_aaaa: true, ..in_order(order, "") };
        assert_eq!(outcome("www.:80", &both, &config), format!("ask www {family}"), "{order:?}");
    }
}

#[test]
fn no_aaaa_holds_for_nameservers_unless_a_lookup_wants_that_family() {
    let config = LookupConfig { no_aaaa: true, ..machine("2001:db8::1 six\n") };
    let config = with_hosts(config, &["sixth 2001:db8::6"]);
    let both = LookupOptions::default();
    assert_eq!(outcome("www.:80", &both, &config), "ask www Some(Ipv4)");
    assert_eq!(outcome("six:80", &both, &config), "[2001:db8::1]:80 =six ok");
    assert_eq!(outcome("sixth:80", &both, &config), "[2001:db8::6]:80 =sixth ok");
    let ipv6 = LookupOptions::default().family(AddressFamily::Ipv6);
    assert_eq!(outcome("www.:80", &ipv6, &config), "ask www Some(Ipv6)");
}

/// Container ids and node numbers: the hosts file has them, and no nameserver is asked.
#[test]
fn rr13_a_name_that_ends_in_a_number_is_one_if_the_hosts_file_has_it() {
    let lines = "10.0.0.5 857482910374 node.1\n10.0.0.6 www node.2\n10.0.0.7 127.1 2130706433\n";
    let (both, config) = (LookupOptions::default(), machine(lines));
    for (target, expected) in [
        ("857482910374:80", "10.0.0.5:80 =857482910374 ok"),
        ("857482910374.:80", "10.0.0.5:80 =857482910374 ok"),
        ("node.1:80", "10.0.0.5:80 =857482910374 ok"),
        ("NODE.2:80", "10.0.0.6:80 =www ok"),
        ("www:80", "10.0.0.6:80 =www ok"),
    ] {
        assert_eq!(outcome(target, &both, &config), expected, "{target}");
    }
    for target in ["node.3:80", "857482910375", "1.2.3.4.5:80", "example.123"] {
        let expected = "InvalidTarget(Name(AmbiguousNumeric))";
        assert_eq!(outcome(target, &both, &config), expected, "{target}");
    }
    for target in ["127.1", "2130706433:80", "0177.0.0.1"] {
        let error = target.parse::<Target>().unwrap_err();
        assert_eq!(error, NameError::AmbiguousNumeric.into(), "{target}, whatever hosts has");
    }
}

#[test]
fn a_policy_holds_for_each_source_unless_it_exempts_it() {
    let config = with_hosts(machine("10.0.0.1 intranet\n"), &["given 10.0.0.1"]);
    for (policy, from_hosts, from_literal) in [
        (AddressPolicy::public_only(), "PolicyDenied", "PolicyDenied"),
        (
            AddressPolicy::public_only().apply_to_hosts_file(false),
            "10.0.0.1:80 =intranet ok",
            "PolicyDenied",
        ),
        (
            AddressPolicy::public_only().apply_to_literals(false),
            "PolicyDenied",
            "10.0.0.1:80 =10.0.0.1 ok",
        ),
    ] {
        let given = from_hosts.replace("intranet", "given");
        for (target, expected) in
            [("intranet:80", from_hosts), ("given:80", &given), ("10.0.0.1:80", from_literal)]
        {
            let target = target.parse().unwrap();
            let local = local(&target, &LookupOptions::default(), &config, &policy);
            let Local::Answered(results, _) = local else { panic!("{target} is asked") };
            assert_eq!(text(&results), expected, "{target}");
        }
    }
}
