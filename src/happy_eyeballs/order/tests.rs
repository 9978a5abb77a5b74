//! RFC 6724 section 6, and the interleaving of RFC 8305 section 4.

use super::*;

/// Destinations with the source address of each, no two alike, and the order they are to have.
struct Selection {
    /// The number in the scenario list, and the rule that decides.
    id: &'static str,
    table: PolicyTable,
    destinations: &'static [(&'static str, Src)],
    /// Indices into `destinations`.
    want: &'static [usize],
}

#[derive(Clone, Copy)]
enum Src {
    Via(&'static str),
    Deprecated(&'static str),
    Tunnel(&'static str),
    NoRoute,
}
use Src::{Deprecated, NoRoute, Tunnel, Via};

fn selection(
    id: &'static str,
    destinations: &'static [(&'static str, Src)],
    want: &'static [usize],
) -> Selection {
    Selection { id, table: PolicyTable::rfc6724(), destinations, want }
}

impl Selection {
    fn with(mut self, table: PolicyTable) -> Self {
        self.table = table;
        self
    }
}

/// The nine examples of RFC 6724 section 10.2.
#[test]
fn the_examples_of_the_rfc() {
    check(&[
        selection(
            "he66: matching scope",
            &[("2001:db8:1::1", Via("2001:db8:1::2")), ("198.51.100.121", Via("169.254.13.78"))],
            &[0, 1],
        ),
        selection(
            "he67: matching scope",
            &[("2001:db8:1::1", Via("fe80::1")), ("198.51.100.121", Via("198.51.100.117"))],
            &[1, 0],
        ),
        selection(
            "he68: higher precedence",
            &[("2001:db8:1::1", Via("2001:db8:1::2")), ("10.1.2.3", Via("10.1.2.4"))],
            &[0, 1],
        ),
        selection(
            "he69: smaller scope",
            &[("2001:db8:1::1", Via("2001:db8:1::2")), ("fe80::1", Via("fe80::2"))],
            &[1, 0],
        ),
        selection(
            "he70: not the deprecated one",
            &[("2001:db8:1::1", Via("2001:db8:1::2")), ("fe80::1", Deprecated("fe80::2"))],
            &[0, 1],
        ),
        selection(
            "he72: longest prefix",
            &[
                ("2001:db8:1::1", Via("2001:db8:1::2")),
                ("2001:db8:3ffe::1", Via("2001:db8:3f44::2")),
            ],
            &[0, 1],
        ),
        selection(
            "he73: matching label",
            &[
                ("2002:c633:6401::1", Via("2002:c633:6401::2")),
                ("2001:db8:1::1", Via("2002:c633:6401::2")),
            ],
            &[0, 1],
        ),
        selection(
            "he74: higher precedence",
            &[
                ("2002:c633:6401::1", Via("2002:c633:6401::2")),
                ("2001:db8:1::1", Via("2001:db8:1::2")),
            ],
            &[1, 0],
        ),
    ]);
}

#[test]
fn more_selections() {
    check(&[
        selection(
            "he76: no IPv6 at all",
            &[("2001:db8::1", NoRoute), ("192.0.2.1", Via("10.0.0.9"))],
            &[1, 0],
        ),
        selection(
            "he77: IPv4 before unique local",
            &[("fd00::1", Via("fd00::9")), ("192.168.0.1", Via("192.168.0.9"))],
            &[1, 0],
        ),
        selection(
            "he77: unique local before IPv4, in the update",
            &[("fd00::1", Via("fd00::9")), ("192.168.0.1", Via("192.168.0.9"))],
            &[0, 1],
        )
        .with(PolicyTable::rfc6724_update()),
        selection(
            "a prefix of one's own goes first, in the update",
            &[
                ("fd00:1::1", Via("fd00:1::9")),
                ("fd00:2::1", Via("fd00:1::9")),
                ("2001:db8::1", Via("2001:db8::9")),
            ],
            &[0, 2, 1],
        )
        .with(PolicyTable::rfc6724_update().row(v6(0xfd00, 1), 48, 45, 14)),
        selection(
            "a public name on a host with unique local addresses only",
            &[("2001:db8::1", Via("fd00::9")), ("198.51.100.1", Via("192.168.0.9"))],
            &[1, 0],
        ),
        selection(
            "native before a tunnel",
            &[("2001:db8::1", Tunnel("2001:db8::9")), ("2001:db8:1::1", Via("2001:db8:1::2"))],
            &[1, 0],
        ),
        selection(
            "Teredo after IPv4",
            &[("2001::1", Via("2001::9")), ("192.0.2.1", Via("192.0.2.9"))],
            &[1, 0],
        ),
        selection(
            "the shared address space is global",
            &[("192.0.2.1", Via("100.64.0.9")), ("169.254.1.1", Via("100.64.0.9"))],
            &[0, 1],
        ),
        selection(
            "an operator that prefers IPv4",
            &[("2001:db8:1::1", Via("2001:db8:1::2")), ("10.1.2.3", Via("10.1.2.4"))],
            &[1, 0],
        )
        .with(PolicyTable::rfc6724().row(mapped([0, 0, 0, 0]), 96, 100, 4)),
        selection(
            "no route leaves the other rules in force",
            &[("192.0.2.1", NoRoute), ("2001:db8::1", NoRoute), ("fe80::1", NoRoute)],
            &[2, 1, 0],
        ),
        selection(
            "loopback has its own label",
            &[("127.0.0.1", Via("127.0.0.1")), ("::1", Via("::1"))],
            &[1, 0],
        ),
        selection(
            "site-local between link-local and global",
            &[
                ("ff0e::1", Via("2001:db8::9")),
                ("ff05::1", Via("fec0::9")),
                ("ff02::1", Via("fe80::9")),
            ],
            &[2, 1, 0],
        )
        .with(PolicyTable::rfc6724().row(v6(0xfec0, 0), 10, 40, 1)),
    ]);
}

/// Rule 9 would have sorted these by how near they are to 10/8, each time the same.
#[test]
fn he75_ipv4_keeps_the_order_of_the_nameserver() {
    let public = ["8.8.8.8", "11.0.0.1", "9.9.9.9", "64.0.0.1", "10.255.0.1", "203.0.113.1"];
    let table = PolicyTable::rfc6724();
    let from = SourceAddress::new("10.2.3.4".parse().unwrap());
    let ranks: Vec<Rank> = (0..)
        .zip(public)
        .map(|(nth, addr)| Rank::rfc6724(&table, addr.parse().unwrap(), Some(&from), false, nth))
        .collect();
    assert!(ranks.is_sorted());
}

/// Scopes, where a mistake would hide behind the other rules.
#[test]
fn scopes() {
    for (addr, want) in [
        ("127.9.9.9", LINK_LOCAL),
        ("169.254.0.1", LINK_LOCAL),
        ("10.0.0.1", GLOBAL),
        ("172.16.0.1", GLOBAL),
        ("192.168.0.1", GLOBAL),
        ("100.64.0.1", GLOBAL),
        ("8.8.8.8", GLOBAL),
        ("::1", LINK_LOCAL),
        ("fe80::1", LINK_LOCAL),
        ("febf::1", LINK_LOCAL),
        ("fec0::1", SITE_LOCAL),
        ("feff::1", SITE_LOCAL),
        ("fd00::1", GLOBAL),
        ("2001:db8::1", GLOBAL),
        ("ff01::1", 1),
        ("ff02::1", LINK_LOCAL),
        ("ff05::1", SITE_LOCAL),
        ("ff0e::1", GLOBAL),
    ] {
        assert_eq!(scope(addr.parse().unwrap()), want, "{addr}");
    }
}

/// Precedence and label of the default table, both sides of each border.
#[test]
fn the_longest_prefix_counts() {
    for (addr, precedence, label) in [
        ("::1", 50, 0),
        ("::2", 1, 3),
        ("::1:0:0:1", 40, 1),
        ("192.0.2.1", 35, 4),
        ("2001::1", 5, 5),
        ("2001:1::1", 40, 1),
        ("2002::1", 30, 2),
        ("2003::1", 40, 1),
        ("fc00::1", 3, 13),
        ("fdff::1", 3, 13),
        ("fe00::1", 40, 1),
        ("fec0::1", 1, 11),
        ("ff00::1", 40, 1),
        ("3ffe::1", 1, 12),
        ("3fff::1", 40, 1),
        ("2606:4700::1", 40, 1),
    ] {
        let policy = PolicyTable::rfc6724().policy(addr.parse().unwrap());
        assert_eq!((policy.precedence, policy.label), (precedence, label), "{addr}");
    }
}

#[test]
fn a_row_replaces_the_row_of_its_prefix() {
    let table = PolicyTable::rfc6724()
        .row(v6(0xfdff, 0xffff), 7, 9, 9)
        .row(mapped([10, 0, 0, 0]), 104, 8, 8)
        .row(v6(0x2001, 0xdb8), 200, 7, 7)
        .row(Ipv6Addr::UNSPECIFIED, 0, 6, 6);
    for (addr, want) in [
        ("fc00::1", 9),
        ("10.9.9.9", 8),
        ("11.0.0.1", 35),
        ("2001:db8::", 7),
        ("2001:db8::1", 6),
        ("2606::1", 6),
    ] {
        assert_eq!(table.policy(addr.parse().unwrap()).precedence, want, "{addr}");
    }
    assert_eq!(table.rows.len(), RFC_6724.len() + 2, "two rows are new, two took a place");
}

/// Each rule as the RFC words it, about two destinations, against ranks, which know of one each.
#[test]
fn ranks_decide_as_the_rules_do() {
    let destinations = [
        "2001:db8:1::1",
        "2001:db8:1:0:f000::1",
        "2001:db8:3ffe::1",
        "2606:4700::1",
        "2001::1",
        "2002:c633:6401::1",
        "fd00:1::1",
        "fe80::1",
        "fec0::1",
        "::1",
        "192.0.2.1",
        "10.1.2.3",
        "127.0.0.1",
        "169.254.1.1",
    ];
    let sources = [
        NoRoute,
        Via("2001:db8:1::2"),
        Via("2001:db8:3f44::2"),
        Deprecated("2001:db8:1::2"),
        Tunnel("2001:db8:1::2"),
        Via("2002:c633:6401::2"),
        Via("fd00:1::9"),
        Via("fe80::9"),
        Via("::1"),
        Via("10.9.9.9"),
        Via("127.0.0.1"),
        Via("169.254.9.9"),
    ];
    let table = PolicyTable::rfc6724();
    let mut cases: Vec<(IpAddr, Option<SourceAddress>)> = Vec::new();
    for addr in destinations.map(|addr| addr.parse::<IpAddr>().unwrap()) {
        for source in sources.map(Src::source) {
            if source.is_none_or(|source| source.addr.is_ipv4() == addr.is_ipv4()) {
                cases.push((addr, source));
            }
        }
    }
    for a in &cases {
        for b in &cases {
            let ranks = [a, b]
                .map(|(addr, source)| Rank::rfc6724(&table, *addr, source.as_ref(), false, 0));
            assert_eq!(ranks[0].cmp(&ranks[1]), section_6(&table, a, b), "{a:?} against {b:?}");
        }
    }
}

/// RFC 6724 section 6, as its text goes.
fn section_6(
    table: &PolicyTable,
    a: &(IpAddr, Option<SourceAddress>),
    b: &(IpAddr, Option<SourceAddress>),
) -> std::cmp::Ordering {
    use std::cmp::Ordering::{Equal, Greater, Less};
    let prefer = |a: bool, b: bool| match (a, b) {
        (true, false) => Less,
        (false, true) => Greater,
        _ => Equal,
    };
    let label = |addr: IpAddr| table.policy(addr).label;
    let precedence = |addr: IpAddr| table.policy(addr).precedence;
    let by_source = match (&a.1, &b.1) {
        (None, Some(_)) => return Greater,
        (Some(_), None) => return Less,
        (None, None) => Equal,
        (Some(source_a), Some(source_b)) => {
            let scopes =
                prefer(scope(a.0) == scope(source_a.addr), scope(b.0) == scope(source_b.addr));
            scopes.then(prefer(!source_a.deprecated, !source_b.deprecated)).then(prefer(
                label(a.0) == label(source_a.addr),
                label(b.0) == label(source_b.addr),
            ))
        }
    };
    let tunnels = |source: &Option<SourceAddress>| source.is_some_and(|source| source.encapsulated);
    let prefix =
        |(addr, source): &(IpAddr, Option<SourceAddress>)| match (addr, source.map(|s| s.addr)) {
            (IpAddr::V6(addr), Some(IpAddr::V6(from))) => (0..64)
                .take_while(|bit| (addr.to_bits() ^ from.to_bits()) >> (127 - bit) == 0)
                .count(),
            _ => 0,
        };
    by_source
        .then(precedence(b.0).cmp(&precedence(a.0)))
        .then(prefer(!tunnels(&a.1), !tunnels(&b.1)))
        .then(scope(a.0).cmp(&scope(b.0)))
        .then(if a.0.is_ipv4() == b.0.is_ipv4() { prefix(b).cmp(&prefix(a)) } else { Equal })
}

/// A policy table may let the families tie. Then the one that came first leads, and the order is
/// still total: rule 9, about one family only, would otherwise go round in circles.
#[test]
fn families_that_tie_do_not_mix() {
    let table = PolicyTable::rfc6724().row(mapped([0, 0, 0, 0]), 96, 40, 4);
    let rank = |addr: &str, from: &str, late, arrival| {
        let source = SourceAddress::new(from.parse().unwrap());
        Rank::rfc6724(&table, addr.parse().unwrap(), Some(&source), late, arrival)
    };
    let far = rank("2001:db8:ffff::1", "2001:db8::9", false, 0);
    let ipv4 = rank("192.0.2.1", "192.0.2.9", true, 1);
    let near = rank("2001:db8::1", "2001:db8::9", false, 2);
    assert!(near < far && far < ipv4 && near < ipv4);
}

/// `::ffff:192.0.2.1` is reached over IPv4, and goes where `192.0.2.1` goes.
#[test]
fn ipv4_mapped_is_ipv4() {
    let table = PolicyTable::rfc6724();
    let rank = |addr: &str, from: &str| {
        let source = SourceAddress::new(from.parse().unwrap());
        Rank::rfc6724(&table, addr.parse().unwrap(), Some(&source), false, 0)
    };
    assert_eq!(rank("::ffff:169.254.0.1", "169.254.0.9"), rank("169.254.0.1", "169.254.0.9"));
    assert_eq!(rank("169.254.0.1", "::ffff:169.254.0.9"), rank("169.254.0.1", "169.254.0.9"));
}

#[test]
fn he51_interleaving() {
    for (first_count, sorted, want) in [
        (1, "4a 6a 4b", "4a 6a 4b"),
        (1, "6a 6b 6c 4a", "6a 4a 6b 6c"),
        (1, "6a 6b 4a 4b", "6a 4a 6b 4b"),
        (1, "4a 4b 4c 6a 6b", "4a 6a 4b 6b 4c"),
        (2, "6a 6b 6c 4a", "6a 6b 4a 6c"),
        (2, "6a 6b 6c 6d 4a 4b 4c", "6a 6b 4a 6c 4b 6d 4c"),
        (2, "6a 4a 4b", "6a 4a 4b"),
        (9, "6a 6b 4a 4b", "6a 6b 4a 4b"),
        (1, "6a 6b 6c", "6a 6b 6c"),
        (1, "", ""),
        // Those without a route stay behind, and take turns among themselves.
        (1, "4a 4b 6a! 6b!", "4a 4b 6a! 6b!"),
        (1, "6a 6b 4a 4b! 4c! 6c!", "6a 4a 6b 4b! 6c! 4c!"),
        (1, "4a! 4b! 6a!", "4a! 6a! 4b!"),
    ] {
        let sorted: Vec<&str> = sorted.split_whitespace().collect();
        let kind = |name: &&str| {
            let family = if name.starts_with('4') { Family::V4 } else { Family::V6 };
            (family, name.ends_with('!'))
        };
        let mut order = vec![7];
        interleave(&sorted, kind, first_count, &mut order);
        let order: Vec<&str> = order.iter().map(|&at| sorted[at as usize]).collect();
        assert_eq!(order.join(" "), want, "{sorted:?} with {first_count}");
    }
}

/// Sorts each list in both orders of arrival.
fn check(selections: &[Selection]) {
    for selection in selections {
        let given: Vec<usize> = (0..selection.destinations.len()).collect();
        let reversed: Vec<usize> = given.iter().rev().copied().collect();
        for input in [given, reversed] {
            let sorted = selection.sort(&input);
            assert_eq!(sorted, selection.want, "{}, given as {input:?}", selection.id);
        }
    }
}

impl Selection {
    /// The destinations given as `input`, sorted.
    fn sort(&self, input: &[usize]) -> Vec<usize> {
        let first_is_ipv4 = self.destinations[input[0]].0.parse::<IpAddr>().unwrap().is_ipv4();
        let mut ranked: Vec<(Rank, usize)> = Vec::new();
        for (arrival, &at) in (0..).zip(input) {
            let (addr, source) = self.destinations[at];
            let addr: IpAddr = addr.parse().unwrap();
            let late = addr.is_ipv4() != first_is_ipv4;
            let source = source.source();
            ranked.push((Rank::rfc6724(&self.table, addr, source.as_ref(), late, arrival), at));
        }
        ranked.sort_by_key(|&(rank, _)| rank);
        ranked.into_iter().map(|(_, at)| at).collect()
    }
}

impl Src {
    fn source(self) -> Option<SourceAddress> {
        let new = |addr: &str| SourceAddress::new(addr.parse().unwrap());
        Some(match self {
            Via(addr) => new(addr),
            Deprecated(addr) => SourceAddress { deprecated: true, ..new(addr) },
            Tunnel(addr) => SourceAddress { encapsulated: true, ..new(addr) },
            NoRoute => return None,
        })
    }
}

fn mapped(octets: [u8; 4]) -> Ipv6Addr {
    Ipv4Addr::from(octets).to_ipv6_mapped()
}
