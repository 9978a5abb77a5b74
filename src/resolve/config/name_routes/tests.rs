//! The table of routes: which one a name takes.

use proptest::prelude::*;

use super::*;

fn addr(last: u8) -> SocketAddr {
    ([192, 0, 2, last], 53).into()
}

/// A route to the nameserver 192.0.2.`last`. A final `!` stands for a route of the name alone, and
/// `.` for the root.
fn route(suffix: &str, last: u8) -> NameRoute {
    let (suffix, is_exact) =
        suffix.strip_suffix('!').map_or((suffix, false), |suffix| (suffix, true));
    let suffix = (suffix != ".").then(|| suffix.parse().unwrap());
    let to = RouteTarget::Nameservers(vec![addr(last)]);
    NameRoute { suffix, is_exact, to, order: 0, is_search: false }
}

fn table(routes: &[(&str, u8)]) -> NameRoutes {
    NameRoutes::new(routes.iter().map(|&(suffix, last)| route(suffix, last)).collect(), &[])
}

/// The last octet of the nameserver of a name; 0 for the root route.
fn nameserver_of(routes: &NameRoutes, name: &str) -> u8 {
    let name: HostName = name.parse().unwrap();
    let Some(index) = routes.find(&QueryName::from(&name)) else { return 0 };
    match &routes.routes()[index].to {
        RouteTarget::Nameservers(addrs) => match addrs[0] {
            SocketAddr::V4(addr) => addr.ip().octets()[3],
            SocketAddr::V6(addr) => panic!("{addr}?"),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn os33_the_longest_suffix_wins_on_label_bounds() {
    let routes =
        table(&[("corp.example", 1), ("eu.corp.example", 2), ("Lab.Example.", 3), ("test", 4)]);
    for (name, expected) in [
        ("corp.example", 1),
        ("CORP.example.", 1),
        ("a.corp.example", 1),
        ("a.b.c.Corp.Example", 1),
        ("eu.corp.example", 2),
        ("a.eu.corp.example", 2),
        ("eu.a.corp.example", 1),
        ("neu.corp.example", 1),
        ("notcorp.example", 0),
        ("corp.example.com", 0),
        ("example", 0),
        ("corp", 0),
        ("lab.example", 3),
        ("x.LAB.example", 3),
        ("test", 4),
        ("a.test", 4),
        ("contest", 0),
    ] {
        assert_eq!(nameserver_of(&routes, name), expected, "{name}");
    }
}

#[test]
fn os33_a_root_route_has_the_names_that_no_other_has() {
    let routes = table(&[("corp.example", 1), (".", 9)]);
    assert_eq!(routes.root(), Some([addr(9)].as_slice()));
    assert!(routes.has_root());
    for (name, expected) in [("a.corp.example", 1), ("notcorp.example", 0), ("example", 0)] {
        assert_eq!(nameserver_of(&routes, name), expected, "{name}");
    }
    assert!(!table(&[("corp.example", 1)]).has_root());
    // A root that leads to no nameserver is found as any other route is.
    for to in [RouteTarget::System, RouteTarget::Refuse] {
        let root = NameRoute { to: to.clone(), ..route(".", 0) };
        let routes = NameRoutes::new(vec![root, route("corp.example", 1)], &[route(".", 2)]);
        let found = routes.find(&QueryName::from(&"www.example".parse().unwrap()));
        assert_eq!(routes.routes()[found.expect("the root")].to, to);
        assert_eq!(nameserver_of(&routes, "corp.example"), 1);
        assert!(routes.has_root() && routes.root().is_none());
    }
}

#[test]
fn a_route_of_one_name_is_of_that_name_alone() {
    let routes = table(&[("host.corp.example!", 1), ("corp.example", 2), ("corp.example!", 3)]);
    for (name, expected) in [
        ("host.corp.example", 1),
        ("HOST.corp.example.", 1),
        ("a.host.corp.example", 2),
        ("corp.example", 3),
        ("b.corp.example", 2),
        ("example", 0),
    ] {
        assert_eq!(nameserver_of(&routes, name), expected, "{name}");
    }
}

#[test]
fn os33_of_equal_suffixes_the_lowest_order_holds_then_the_first() {
    let with = |order, last| NameRoute { order, ..route("corp.example", last) };
    for (machine, expected) in [
        (vec![with(2, 1), with(1, 2), with(3, 3)], 2),
        (vec![with(1, 1), with(1, 2)], 1),
        (vec![with(7, 1)], 1),
    ] {
        let routes = NameRoutes::new(Vec::new(), &machine);
        assert_eq!(nameserver_of(&routes, "corp.example"), expected, "{machine:?}");
        assert_eq!(routes.routes().len(), 1);
    }
    let twice = table(&[("corp.example", 1), ("CORP.example.", 2)]);
    assert_eq!(nameserver_of(&twice, "corp.example"), 1);
}

#[test]
fn a_route_of_the_program_holds_in_place_of_those_of_the_machine() {
    let machine = [
        route("corp.example!", 1),
        route("corp.example", 2),
        route("lab.example", 3),
        route(".", 4),
    ];
    let program = vec![NameRoute { order: u32::MAX, ..route("CORP.example.", 9) }];
    let routes = NameRoutes::new(program, &machine);
    for (name, expected) in [("corp.example", 9), ("a.corp.example", 9), ("lab.example", 3)] {
        assert_eq!(nameserver_of(&routes, name), expected, "{name}");
    }
    assert_eq!(routes.root(), Some([addr(4)].as_slice()));
    let routes = NameRoutes::new(vec![route(".", 9)], &machine);
    assert_eq!(routes.root(), Some([addr(9)].as_slice()));
}

#[test]
fn three_nameservers_of_a_route_are_used_and_without_any_nothing_is_asked() {
    let to = |count| RouteTarget::Nameservers((1..=count).map(addr).collect());
    for (given, used) in [(0, RouteTarget::Refuse), (1, to(1)), (3, to(3)), (5, to(3))] {
        let given = NameRoute { to: to(given), ..route("corp.example", 0) };
        let routes = NameRoutes::new(vec![given], &[]);
        assert_eq!(routes.routes()[0].to, used);
    }
}

#[test]
fn sy53_suffixes_for_the_search_list_come_in_order_and_once() {
    let search = |suffix, order| NameRoute { order, is_search: true, ..route(suffix, 1) };
    let machine = [
        search("b.example", 2),
        search("A.example.", 1),
        search("a.example", 3),
        route("c.example", 1),
        search(".", 0),
    ];
    // The order of the search list is that of the routes, whichever of them holds.
    let routes = NameRoutes::new(Vec::new(), &machine);
    assert_eq!(routes.search(), ["a.example", "b.example"].map(|name| name.parse().unwrap()));
}

#[test]
fn sy57_of_more_than_1024_routes_the_longest_suffixes_stay() {
    let many = |count: usize| {
        let long = (0..count).map(|n| route(&format!("n{n}.corp.example"), 1));
        [route("example", 2)].into_iter().chain(long).chain([route("a.b.c.example", 3)])
    };
    let routes = NameRoutes::new(many(MAX_ROUTES - 2).collect(), &[]);
    assert_eq!((routes.routes().len(), routes.omitted()), (MAX_ROUTES, 0));
    assert_eq!(nameserver_of(&routes, "www.example"), 2);
    let routes = NameRoutes::new(many(MAX_ROUTES + 8).collect(), &[]);
    assert_eq!((routes.routes().len(), routes.omitted()), (MAX_ROUTES, 10));
    for (name, expected) in [
        ("www.example", 0),
        ("a.b.c.example", 3),
        ("n0.corp.example", 1),
        ("n1031.corp.example", 0),
    ] {
        assert_eq!(nameserver_of(&routes, name), expected, "{name}");
    }
}

#[test]
fn sy57_the_routes_of_the_program_stay_before_those_of_the_machine() {
    let machine: Vec<_> = (0..MAX_ROUTES)
        .map(|n| NameRoute { is_search: true, ..route(&format!("n{n}.corp.example"), 1) })
        .collect();
    let routes = NameRoutes::new(vec![route("lan", 2), route("b.lan", 3)], &machine);
    assert_eq!((routes.routes().len(), routes.omitted()), (MAX_ROUTES, 2));
    let last = format!("n{}.corp.example", MAX_ROUTES - 3);
    let omitted = format!("n{}.corp.example", MAX_ROUTES - 2);
    for (name, expected) in [("a.lan", 2), ("b.lan", 3), (&last, 1), (&omitted, 0)] {
        assert_eq!(nameserver_of(&routes, name), expected, "{name}");
    }
    // Names of an omitted suffix would go to the root's nameservers.
    assert_eq!(routes.search().len(), MAX_ROUTES - 2);
    assert!(!routes.search().contains(&omitted.parse().unwrap()));
}

/// The target of an alias need not be a host name.
#[test]
fn names_that_are_no_host_names_have_routes_too() {
    let routes = table(&[("corp.example", 1)]);
    for (wire, expected) in [
        (b"\x01*\x04corp\x07example\x00".as_slice(), Some(0)),
        (b"\x03a.b\x04corp\x07example\x00", Some(0)),
        (b"\x0ea\x04corp\x07example\x00", None),
        (b"\x01\xff\x04CORP\x07example\x00", Some(0)),
        (b"\x00", None),
    ] {
        assert_eq!(routes.find(&QueryName::of_wire(wire)), expected, "{wire:?}");
    }
}

proptest! {
    /// The table finds what a comparison with every suffix finds.
    #[test]
    fn os33_a_walk_finds_the_longest_of_all_suffixes(
        suffixes in prop::collection::vec(r"([abAB]\.){0,3}[abAB]\.?!?", 0..12),
        name in r"([abAB]\.){0,4}[abAB]\.?",
    ) {
        let given: Vec<_> = (1..).zip(&suffixes).map(|(last, s)| route(s, last)).collect();
        let routes = NameRoutes::new(given.clone(), &[]);
        let name_text: HostName = name.parse().unwrap();
        let is_of = |route: &&NameRoute| {
            let suffix = route.suffix.as_ref().unwrap();
            if route.is_exact {
                name_text.to_relative() == suffix.to_relative()
            } else {
                name_text.is_subdomain_of(suffix)
            }
        };
        // The longest, then one of the name alone, then the first.
        let best = given.iter().filter(is_of).rev().max_by_key(|r| (r.labels(), r.is_exact));
        let expected = best.map_or(0, |route| match &route.to {
            RouteTarget::Nameservers(addrs) => match addrs[0] {
                SocketAddr::V4(addr) => addr.ip().octets()[3],
                SocketAddr::V6(_) => unreachable!(),
            },
            _ => unreachable!(),
        });
        prop_assert_eq!(nameserver_of(&routes, &name), expected);
    }
}
