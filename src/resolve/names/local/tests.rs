//! The order of sources, without a resolver.

use super::*;

/// A machine whose hosts file has `lines`, and whose search list is `example`.
fn machine(lines: &str) -> LookupConfig {
    LookupConfig {
        hosts: Arc::new(Hosts::parse(lines.as_bytes(), &|_| None)),
        search: Arc::from(["example".parse().unwrap()]),
        ndots: 1,
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
