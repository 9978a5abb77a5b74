//! What each line of a hosts file means, and what a broken one costs (hosts(5)).

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::NameError;
use crate::resolve::DiagnosticCause as Cause;

fn read(text: impl AsRef<[u8]>) -> Hosts {
    let interfaces = |name: &str| (name == "lo0").then_some(1);
    Hosts::parse(text.as_ref(), &interfaces)
}

impl Hosts {
    /// The canonical name and the addresses, or nothing.
    fn find(&self, name: &str) -> Vec<String> {
        let Some(entry) = self.lookup(&HostName::parse_in_hosts(name).unwrap()) else {
            return Vec::new();
        };
        let address = |&(ip, scope): &(IpAddr, u32)| match scope {
            0 => ip.to_string(),
            scope => format!("{ip}%{scope}"),
        };
        [entry.canonical.to_string()]
            .into_iter()
            .chain(entry.addresses.iter().map(address))
            .collect()
    }

    fn complaints(&self) -> Vec<(usize, Cause, &str)> {
        self.diagnostics()
            .iter()
            .map(|d| (d.line(), d.cause(), d.word().unwrap_or_default()))
            .collect()
    }
}

const NOTHING: [&str; 0] = [];

#[test]
fn ho01_both_families_in_file_order_each_address_once() {
    let hosts = read(
        "192.0.2.2 a.example\n2001:db8::1 a.example\n192.0.2.1 a.example\n192.0.2.2 a.example A.example\n\
         2001:db8:0::1 a.example\n192.0.2.3 b.example\n::ffff:192.0.2.2 a.example\n",
    );
    let expected = ["a.example", "192.0.2.2", "2001:db8::1", "192.0.2.1", "::ffff:192.0.2.2"];
    assert_eq!(hosts.find("a.example"), expected);
    assert_eq!(hosts.find("b.example"), ["b.example", "192.0.2.3"]);
    assert_eq!(hosts.find("c.example"), NOTHING);
}

#[test]
fn ho02_b30_blanks_comments_and_line_ends() {
    for text in [
        "192.0.2.1 x y",
        "192.0.2.1 x y\n",
        "192.0.2.1\tx\ty\r\n",
        "  192.0.2.1  x \t y \t\r\n\r\n",
        "# 192.0.2.9 x\n192.0.2.1 x y#z\n",
        "192.0.2.1 x y # 192.0.2.9 x\n#x\n",
        "\u{feff}192.0.2.1 x y",
        "#\n \n\t\n192.0.2.1 x y\n#",
    ] {
        let hosts = read(text);
        assert_eq!(hosts.find("x"), ["x", "192.0.2.1"], "{text:?}");
        assert_eq!(hosts.find("y"), ["x", "192.0.2.1"], "{text:?}");
        assert_eq!(hosts.find("z"), NOTHING, "{text:?}");
        assert_eq!(hosts.diagnostics(), [], "{text:?}");
    }
}

#[test]
fn ho03_a_bad_address_costs_its_line_alone() {
    for (line, cause, word) in [
        ("1.2.3 x", Cause::Address, "1.2.3"),
        ("1.2.3.4.5 x", Cause::Address, "1.2.3.4.5"),
        ("1::2::3 x", Cause::Address, "1::2::3"),
        ("256.0.0.0 x", Cause::Address, "256.0.0.0"),
        ("0177.0.0.1 x", Cause::Address, "0177.0.0.1"),
        ("192.0.2.9", Cause::NoNames, "192.0.2.9"),
        ("192.0.2.9 # x", Cause::NoNames, "192.0.2.9"),
        ("x", Cause::Address, "x"),
    ] {
        let hosts = read(format!("{line}\n192.0.2.1 y\n"));
        assert_eq!(hosts.find("x"), NOTHING, "{line}");
        assert_eq!(hosts.find("y"), ["y", "192.0.2.1"], "{line}");
        assert_eq!(hosts.complaints(), [(1, cause, word)]);
    }
}

#[test]
fn ho04_neither_case_nor_final_dot_counts() {
    let hosts = read("192.0.2.1 Host.Example\n192.0.2.2 dotted.example.\n");
    for name in ["host.example", "HOST.EXAMPLE", "host.example.", "Host.Example"] {
        assert_eq!(hosts.find(name), ["Host.Example", "192.0.2.1"], "{name}");
    }
    for name in ["dotted.example", "dotted.example."] {
        assert_eq!(hosts.find(name), ["dotted.example", "192.0.2.2"], "{name}");
    }
}

/// An interface this machine does not have leaves no address to connect to, so its line is lost.
#[test]
fn ho05_a_scope_is_kept() {
    let hosts =
        read("::1 localhost\nfe80::1%lo0 localhost\nfe80::1%7 localhost\nfe80::1%none localhost\n");
    assert_eq!(hosts.find("localhost"), ["localhost", "::1", "fe80::1%1", "fe80::1%7"]);
    assert_eq!(hosts.complaints(), [(4, Cause::Zone, "fe80::1%none")]);
}

/// An interface may be made, removed, or made again under another index.
#[test]
fn rr06_a_file_is_outdated_when_an_interface_that_it_names_is_another() {
    let index = |eth7: Option<u32>| move |name: &str| if name == "eth7" { eth7 } else { None };
    let outdated = |text: &str, before: Option<u32>, now: Option<u32>| {
        Hosts::parse(text.as_bytes(), &index(before)).is_outdated(&index(now))
    };
    for line in ["fe80::7%eth7 box", "fe80::7%eth7", "fe80::8%none a\nfe80::7%eth7 box"] {
        for (before, now) in [(None, Some(3)), (Some(3), None), (Some(3), Some(4))] {
            assert!(outdated(line, before, now), "{line:?}: {before:?}, {now:?}");
            assert!(!outdated(line, now, now), "{line:?}: {now:?}");
        }
    }
    for line in ["fe80::7%3 box", "192.0.2.7 eth7", "# fe80::7%eth7 box", "bad%eth7 box"] {
        assert!(!outdated(line, None, Some(3)), "{line:?} names no interface");
    }
}

/// A file may name any number of interfaces; a look asks for some of them.
#[test]
fn rr06_the_interfaces_of_a_long_file_cost_a_look_a_bounded_time() {
    let lines = (0..1000).map(|n| format!("fe80::1%eth{n} box{n}\nfe80::2%eth{n} box{n}\n"));
    let text: String = lines.collect();
    let asked = std::cell::Cell::new(0);
    let interfaces = |name: &str| {
        asked.set(asked.get() + 1);
        name[3..].parse().ok()
    };
    let hosts = Hosts::parse(text.as_bytes(), &interfaces);
    assert_eq!(hosts.find("box999"), ["box999", "fe80::1%999", "fe80::2%999"]);
    asked.set(0);
    assert!(!hosts.is_outdated(&interfaces));
    assert_eq!(asked.get(), 64);
}

#[test]
fn ho06_b26_names_that_share_an_address_share_no_other() {
    let hosts = read(
        "192.0.2.1 a b\n192.0.2.2 b c\n192.0.2.3 c\n\
         192.0.2.4 left bridge\n2001:db8::4 right bridge\n192.0.2.1 other\n",
    );
    for (name, expected) in [
        ("a", &["a", "192.0.2.1"][..]),
        ("b", &["a", "192.0.2.1", "192.0.2.2"]),
        ("c", &["b", "192.0.2.2", "192.0.2.3"]),
        ("left", &["left", "192.0.2.4"]),
        ("right", &["right", "2001:db8::4"]),
        ("bridge", &["left", "192.0.2.4", "2001:db8::4"]),
        ("other", &["other", "192.0.2.1"]),
    ] {
        assert_eq!(hosts.find(name), expected, "{name}");
    }
}

#[test]
fn ho07_the_canonical_name_is_the_first_on_the_first_line() {
    let hosts =
        read("192.0.2.1 www.Example alias www\n192.0.2.2 other alias\n192.0.2.3 bad\\ good nice\n");
    assert_eq!(hosts.find("alias"), ["www.Example", "192.0.2.1", "192.0.2.2"]);
    assert_eq!(hosts.find("www"), ["www.Example", "192.0.2.1"]);
    assert_eq!(hosts.find("other"), ["other", "192.0.2.2"]);
    assert_eq!(hosts.find("nice"), ["good", "192.0.2.3"], "the first that is a name");
}

/// What a file gives is given whole: whether the other family is asked for is not the file's to
/// say.
#[test]
fn ho08_b28_no_family_is_made_up() {
    let hosts = read("127.0.0.1 localhost mongo-1\n::1 six\n");
    assert_eq!(hosts.find("localhost"), ["localhost", "127.0.0.1"]);
    assert_eq!(hosts.find("mongo-1"), ["localhost", "127.0.0.1"]);
    assert_eq!(hosts.find("six"), ["six", "::1"]);
}

#[test]
fn ho09_the_unspecified_address_is_an_address() {
    let hosts = read("0.0.0.0 blocked.example\n:: blocked.example\n");
    assert_eq!(hosts.find("blocked.example"), ["blocked.example", "0.0.0.0", "::"]);
}

#[test]
fn ho10_what_is_no_name_costs_itself_alone() {
    let hosts =
        read("127.0.0.6 127.0.0.1 . .foo a..b [::1] 1.2 bar.\nx [::1]\n127.0.0.7 127.0.0.8\n");
    assert_eq!(hosts.find("bar"), ["bar", "127.0.0.6"]);
    assert_eq!(hosts.find("foo"), NOTHING);
    let causes: Vec<_> = hosts.complaints().iter().map(|&(line, cause, _)| (line, cause)).collect();
    let forbidden = |byte| Cause::Name(NameError::ForbiddenByte { byte, index: 0 });
    assert_eq!(
        causes,
        [
            (1, Cause::Name(NameError::IpAddress)),
            (1, Cause::Name(NameError::Empty)),
            (1, Cause::Name(NameError::EmptyLabel)),
            (1, Cause::Name(NameError::EmptyLabel)),
            (1, forbidden(b'[')),
            (1, Cause::Name(NameError::AmbiguousNumeric)),
            (2, Cause::Address),
            (3, Cause::Name(NameError::IpAddress)),
            (3, Cause::NoNames),
        ]
    );
}

#[test]
fn rr13_digits_are_a_name_unless_they_may_be_an_address() {
    let hosts = read("10.0.0.5 857482910374 node.1 127.1\n10.0.0.6 2130706433\n");
    for name in ["857482910374", "node.1", "Node.1."] {
        assert_eq!(hosts.find(name), ["857482910374", "10.0.0.5"], "{name}");
    }
    let ambiguous = Cause::Name(NameError::AmbiguousNumeric);
    assert_eq!(
        hosts.complaints(),
        [(1, ambiguous, "127.1"), (2, ambiguous, "2130706433"), (2, Cause::NoNames, "10.0.0.6")]
    );
}

#[test]
fn ho11_hyphens_and_underscores_stand_anywhere_but_a_hyphen_at_the_start() {
    let hosts = read("192.0.2.1 -a b- _c d-.-e\n");
    for name in ["b-", "_c", "d-.-e"] {
        assert_eq!(hosts.find(name), ["b-", "192.0.2.1"], "{name}");
    }
    assert_eq!(hosts.complaints(), [(1, Cause::Name(NameError::LeadingHyphen), "-a")]);
}

#[test]
fn ho12_b22_foreign_bytes_cost_their_word_or_line_alone() {
    for line in [
        &b"192.0.2.9 caf\xe9"[..],
        b"\xff\xfe",
        b"# \xff",
        b"192.0.2.9\0 x",
        b"\0",
        b"192.0.2.9 x\0",
    ] {
        let hosts = read([b"192.0.2.1 a\n", line, b"\n192.0.2.2 b\n"].concat());
        assert_eq!(hosts.find("a"), ["a", "192.0.2.1"], "{line:?}");
        assert_eq!(hosts.find("b"), ["b", "192.0.2.2"], "{line:?}");
        assert_eq!(hosts.find("x"), NOTHING, "{line:?}");
        for diagnostic in hosts.diagnostics() {
            assert!(!diagnostic.to_string().contains(char::is_control), "{diagnostic}");
        }
    }
}

/// Work and memory are counted here, not timed: a probe is short and a name costs a few bytes, so
/// that a hundred thousand names load in a few hundredths of a second.
#[test]
fn ho13_a_block_list_costs_little_for_each_name() {
    let lines = (0..100_000).map(|i| format!("0.0.0.0 ad-{i}.tracker.example\n"));
    let text: String = lines.collect();
    let hosts = read(&text);
    assert_eq!(hosts.diagnostics(), []);
    assert_eq!(hosts.find("ad-0.tracker.example"), ["ad-0.tracker.example", "0.0.0.0"]);
    assert_eq!(hosts.find("AD-99999.tracker.example"), ["ad-99999.tracker.example", "0.0.0.0"]);
    assert_eq!(hosts.find("ad-100000.tracker.example"), NOTHING);

    let tables =
        size_of_val(&*hosts.lines) + size_of_val(&*hosts.mentions) + size_of_val(&*hosts.index);
    assert!(tables <= 51 * 100_000, "{tables} bytes besides the names");
    assert!(hosts.text.len() < text.len());

    // The longest run of full slots bounds every probe; it grows with the logarithm of the names.
    let longest = hosts.index.split(|&slot| slot == NONE).map(<[u32]>::len).max().unwrap();
    assert!(longest < 1000, "a probe of {longest} slots");
}

#[test]
fn b05_ten_thousand_lines_for_one_name() {
    let line =
        |i| format!("10.0.{}.{} many.example n{i}\n10.0.0.0 many.example\n", i / 250, i % 250);
    let text: String = (0..10_000).map(line).collect();
    let entry = read(&text).lookup(&"many.example".parse().unwrap()).unwrap();
    assert_eq!(entry.addresses.len(), 10_000);
    assert_eq!(entry.addresses[251].0, IpAddr::from([10, 0, 1, 1]));
}

#[test]
fn an_empty_file_knows_nothing() {
    for text in ["", "\n", "# only a comment", "\u{feff}"] {
        let hosts = read(text);
        assert_eq!(hosts.find("localhost"), NOTHING);
        assert_eq!(hosts.diagnostics(), []);
    }
    assert_eq!(Hosts::default().find("localhost"), NOTHING);
}

#[test]
fn what_cannot_be_addressed_is_said_to_be_lost() {
    let text = b"192.0.2.1 a\n192.0.2.2 b\n192.0.2.3 c\n";
    let hosts = Hosts::parse_up_to(24, text, &|_| None);
    assert_eq!(hosts.find("b"), ["b", "192.0.2.2"]);
    assert_eq!(hosts.find("c"), NOTHING);
    assert_eq!(hosts.complaints(), [(3, Cause::TooLarge, "")]);
}

/// The same file, read the slow way.
fn read_by_the_book(text: &str) -> HashMap<String, (String, Vec<IpAddr>)> {
    let mut entries: HashMap<String, (String, Vec<IpAddr>)> = HashMap::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap();
        let mut words = line.split_ascii_whitespace();
        let Some(Ok(ip)) = words.next().map(str::parse) else { continue };
        let names: Vec<HostName> = words.filter_map(|word| word.parse().ok()).collect();
        for name in &names {
            let key = name.without_final_dot().to_ascii_lowercase();
            let first = || (names[0].without_final_dot().to_string(), Vec::new());
            let (_, addresses) = entries.entry(key).or_insert_with(first);
            if !addresses.contains(&ip) {
                addresses.push(ip);
            }
        }
    }
    entries
}

proptest! {
    #[test]
    fn any_bytes_are_a_hosts_file(text in prop::collection::vec(any::<u8>(), 0..300)) {
        let hosts = read(&text);
        prop_assert_eq!(hosts.find("a.example"), NOTHING);
    }

    #[test]
    fn a_file_is_read_by_the_book(
        text in r"((192\.0\.2\.[1-4]|::[12]|bad)([ \t]([abAB]|a\.b|\.x|1\.2)\.?){0,4}( ?#x)?\r?\n){0,12}"
    ) {
        let hosts = read(&text);
        let expected = read_by_the_book(&text);
        for name in ["a", "b", "a.b", "x", "c"] {
            let entry = hosts.lookup(&name.parse().unwrap());
            let found = entry.map(|entry| {
                let ips = entry.addresses.iter().map(|&(ip, _)| ip).collect::<Vec<_>>();
                (entry.canonical.to_string(), ips)
            });
            prop_assert_eq!(found.as_ref(), expected.get(name), "{}", name);
        }
    }
}
