//! What each line of a resolv.conf means, and what a broken one costs (resolv.conf(5)).

use proptest::prelude::*;

use super::*;
use crate::NameError;
use crate::resolve::DiagnosticCause as Cause;

/// A machine without a domain, with two interfaces, and nothing in the environment.
const ENV: Env<'static> = Env {
    hostname: Some("host"),
    res_options: None,
    localdomain: None,
    interfaces: &|name| match name {
        "eth0" => Some(2),
        "br-lan.100" => Some(7),
        _ => None,
    },
    has_lookup: false,
};

fn read(text: impl AsRef<[u8]>) -> ResolvConf {
    parse(text.as_ref(), &ENV)
}

fn options(text: &str) -> Options {
    read(format!("options {text}\n")).options
}

impl ResolvConf {
    fn search_text(&self) -> Vec<&str> {
        self.search.iter().map(HostName::as_str).collect()
    }

    fn nameserver_text(&self) -> Vec<String> {
        self.nameservers.iter().map(SocketAddr::to_string).collect()
    }

    /// Line, cause and word of each diagnostic.
    fn complaints(&self) -> Vec<(usize, Cause, &str)> {
        self.diagnostics
            .iter()
            .map(|d| (d.line(), d.cause(), d.word().unwrap_or_default()))
            .collect()
    }
}

#[test]
fn rc01_an_empty_file_gives_the_defaults() {
    for text in ["", "\n", "# nothing\n", "   \n\t\n", "\u{feff}"] {
        let conf = read(text);
        assert_eq!(conf.nameserver_text(), ["127.0.0.1:53"], "{text:?}");
        assert!(!conf.has_nameserver);
        assert_eq!(conf.search_text(), [""; 0]);
        assert_eq!(conf.diagnostics, []);
        let Options { ndots, timeout, attempts, .. } = conf.options;
        assert_eq!((ndots, timeout, attempts), (1, Duration::from_secs(5), 2));
    }
}

#[test]
fn rc02_an_unreadable_file_leaves_a_diagnostic() {
    let error = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
    let diagnostic = Diagnostic::unreadable(ConfigSource::ResolvConf, &error);
    assert_eq!(diagnostic.to_string(), "resolv.conf: cannot be read (permission denied)");
}

#[test]
fn rc03_the_search_list_defaults_to_the_domain_of_the_machine() {
    for (hostname, expected) in [
        (None, None),
        (Some(""), None),
        (Some("host"), None),
        (Some("foo."), None),
        (Some("foo.."), None),
        (Some("foo.bad name"), None),
        (Some("h.d.local"), Some("d.local")),
        (Some("h.local."), Some("local.")),
    ] {
        let conf = parse(b"nameserver 192.0.2.1", &Env { hostname, ..ENV });
        assert_eq!(conf.search_text(), Vec::from_iter(expected), "{hostname:?}");
        let conf = parse(b"search a.example", &Env { hostname, ..ENV });
        assert_eq!(conf.search_text(), ["a.example"], "a line beats {hostname:?}");
        let conf = parse(b"search .", &Env { hostname, ..ENV });
        assert_eq!(conf.search_text(), [""; 0], "an empty list beats {hostname:?}");
    }
}

#[test]
fn rc04_the_last_of_domain_and_search_wins() {
    for (text, expected) in [
        ("domain a\nsearch b c\n", &["b", "c"][..]),
        ("search b c\ndomain a\n", &["a"]),
        ("search b c\nsearch d\n", &["d"]),
        ("search b c\nsearch\n", &["b", "c"]),
        ("search b c\nsearch   \n", &["b", "c"]),
        ("search b c\ndomain\n", &["b", "c"]),
        ("search b c\nsearch # none\n", &["b", "c"]),
        ("domain a b\n", &["a"]),
    ] {
        assert_eq!(read(text).search_text(), expected, "{text:?}");
    }
    assert_eq!(read("search a\nsearch\n").complaints(), [(2, Cause::MissingValue, "search")]);
    assert_eq!(read("domain a b\n").complaints(), [(1, Cause::ExtraText, "b")]);
}

#[test]
fn rc05_a_search_list_has_any_length() {
    let long = format!("{}.example", ["x".repeat(60), "y".repeat(60), "z".repeat(11)].join("."));
    assert_eq!(long.len(), 141);
    let list = ["a", "b", "c", &long, "d", "e", &long.replace('x', "w"), "f"];
    let conf = read(format!("search {}", list.join(" ")));
    assert_eq!(conf.search_text(), list);
    assert_eq!(conf.diagnostics, []);
}

#[test]
fn rc06_a_bad_search_entry_costs_itself_alone() {
    let too_long = "a.".repeat(127) + "b";
    let text = format!("search a.example . b..example {too_long} d,e f\\032g \u{e9}.example c.");
    let conf = read(&text);
    assert_eq!(conf.search_text(), ["a.example", "c."]);
    let causes: Vec<_> = conf.diagnostics.iter().map(Diagnostic::cause).collect();
    let forbidden = |byte, index| Cause::Name(NameError::ForbiddenByte { byte, index });
    assert_eq!(
        causes,
        [
            Cause::Name(NameError::EmptyLabel),
            Cause::Name(NameError::TooLong),
            forbidden(b',', 1),
            forbidden(b'\\', 1),
            Cause::Name(NameError::NonAscii),
        ]
    );
    assert_eq!(read("search .\n").search_text(), [""; 0]);
    assert_eq!(read("search .\n").diagnostics, [], "the root as a suffix is no mistake");
}

#[test]
fn rc07_the_first_three_nameservers_are_used() {
    let conf = read(
        "nameserver 192.0.2.3\nnameserver bad\nnameserver 192.0.2.1\nnameserver 2001:db8::2\nnameserver 192.0.2.4\n",
    );
    assert_eq!(conf.nameserver_text(), ["192.0.2.3:53", "192.0.2.1:53", "[2001:db8::2]:53"]);
    assert!(conf.has_nameserver);
    assert_eq!(
        conf.complaints(),
        [(2, Cause::Address, "bad"), (5, Cause::TooManyNameservers, "192.0.2.4")]
    );
}

#[test]
fn rc08_text_behind_an_address_is_ignored_and_a_port_is_none() {
    let conf = read(
        "nameserver 192.0.2.1 garbage\nnameserver 192.0.2.2:5353\nnameserver [2001:db8::1]:53\nnameserver 192.0.2.3\n",
    );
    assert_eq!(conf.nameserver_text(), ["192.0.2.1:53", "192.0.2.3:53"]);
    assert_eq!(
        conf.complaints(),
        [
            (1, Cause::ExtraText, "garbage"),
            (2, Cause::Address, "192.0.2.2:5353"),
            (3, Cause::Address, "[2001:db8::1]:53"),
        ]
    );
}

/// glibc takes `127.1` for 127.0.0.1, c-ares does not: what has two meanings has none here.
#[test]
fn rc08_short_and_octal_addresses_are_refused() {
    for address in ["127.1", "0177.0.0.1", "192.0.2.01", "0x7f000001", "192.0.2", "localhost"] {
        let conf = read(format!("nameserver {address}"));
        assert_eq!(conf.complaints(), [(1, Cause::Address, address)]);
        assert!(!conf.has_nameserver);
    }
}

#[test]
fn rc09_a_scope_is_kept_and_an_unknown_interface_costs_its_nameserver() {
    let conf = read(
        "nameserver fe80::1%eth0\nnameserver fe80::2%5\nnameserver fe80::3%none\nnameserver fe80::4%br-lan.100\n",
    );
    assert_eq!(conf.nameserver_text(), ["[fe80::1%2]:53", "[fe80::2%5]:53", "[fe80::4%7]:53"]);
    assert_eq!(conf.complaints(), [(3, Cause::Zone, "fe80::3%none")]);
}

#[test]
fn rc10_the_unspecified_address_means_this_machine() {
    let conf = read("nameserver 0.0.0.0\nnameserver ::\nnameserver fec0::1\n");
    assert_eq!(conf.nameserver_text(), ["127.0.0.1:53", "[::1]:53", "[fec0::1]:53"]);
    assert_eq!(conf.diagnostics, []);
}

#[test]
fn rc11_blanks_line_ends_and_comments() {
    let expected = read("nameserver 1::2\nsearch a b\noptions ndots:3\n");
    assert_eq!(expected.nameserver_text(), ["[1::2]:53"]);
    for text in [
        "nameserver 1::2\r\nsearch a b\r\noptions ndots:3\r\n",
        "  nameserver 1::2\n\tsearch\ta\tb \noptions\tndots:3",
        "nameserver\t 1::2 ; ;;\nsearch a b # c d\n;options ndots:4\n # ndots\noptions ndots:3#x",
        "\n\nnameserver 1::2;\n\n\nsearch a b;c\noptions ndots:3\n\n",
        "\u{feff}nameserver 1::2\nsearch a b\noptions ndots:3",
    ] {
        assert_eq!(read(text), expected, "{text:?}");
    }
}

#[test]
fn rc12_keywords_are_lower_case() {
    let conf = read(
        "Nameserver 192.0.2.1\nSEARCH a\nnameserver192.0.2.2\nlookup file bind\nsortlist 192.0.2.0\n",
    );
    assert!(!conf.has_nameserver);
    assert_eq!(
        conf.complaints(),
        [
            (1, Cause::UnknownKeyword, "Nameserver"),
            (2, Cause::UnknownKeyword, "SEARCH"),
            (3, Cause::UnknownKeyword, "nameserver192.0.2.2"),
            (4, Cause::UnknownKeyword, "lookup"),
            (5, Cause::UnsupportedKeyword, "sortlist"),
        ]
    );
}

#[test]
fn rc13_numbers_out_of_range_become_the_nearest_in_range() {
    for (text, ndots, timeout, attempts) in [
        ("ndots:99 timeout:999 attempts:999", 15, 30, 5),
        ("ndots:15 timeout:30 attempts:5", 15, 30, 5),
        ("ndots:16 timeout:31 attempts:6", 15, 30, 5),
        ("ndots:256 timeout:256 attempts:257", 15, 30, 5),
        ("ndots:99999999999999999999 timeout:4294967296 attempts:4294967297", 15, 30, 5),
        ("ndots:0 timeout:1 attempts:1", 0, 1, 1),
        // No time and no attempt would make every lookup fail, so these become one.
        ("timeout:0 attempts:0", 1, 1, 1),
        ("ndots:007", 7, 5, 2),
    ] {
        let options = options(text);
        assert_eq!(
            (options.ndots, options.timeout.as_secs(), options.attempts),
            (ndots, timeout, attempts),
            "{text}"
        );
    }
    assert_eq!(
        read("options ndots:16 attempts:0").complaints(),
        [(1, Cause::OptionRange, "ndots:16"), (1, Cause::OptionRange, "attempts:0")]
    );
}

#[test]
fn rc14_what_is_no_number_leaves_the_option_as_it_was() {
    for value in ["-1", "bogus", "", "+1", ",1", "x2", ":2", "\u{661}"] {
        let conf = read(format!("options ndots:2 ndots:{value} attempts:4"));
        assert_eq!((conf.options.ndots, conf.options.attempts), (2, 4), "{value:?}");
        let causes: Vec<_> = conf.diagnostics.iter().map(Diagnostic::cause).collect();
        assert_eq!(causes, [Cause::OptionValue], "{value:?}");
    }
    assert_eq!(options("ndots:0").ndots, 0);
}

/// As glibc reads numbers, and with a diagnostic for what it drops silently.
#[test]
fn rr13_a_number_ends_where_its_digits_do() {
    for (value, ndots) in [("3.5", 3), ("3s", 3), ("0x2", 0), ("3:2", 3), ("99,", 15)] {
        let conf = read(format!("options ndots:2 ndots:{value} attempts:4"));
        assert_eq!((conf.options.ndots, conf.options.attempts), (ndots, 4), "{value}");
        let word = format!("ndots:{value}");
        assert_eq!(conf.complaints(), [(1, Cause::ExtraText, word.as_str())]);
    }
    let conf = read("options timeout:1,attempts:1");
    assert_eq!((conf.options.timeout, conf.options.attempts), (Duration::from_secs(1), 2));
    assert_eq!(conf.complaints(), [(1, Cause::ExtraText, "timeout:1,attempts:1")]);
}

#[test]
fn rr13_blanks_may_precede_a_number() {
    let conf = read("options ndots: 3 timeout:\t9 attempts: rotate\n");
    let timeout = Duration::from_secs(9);
    let options = Options { timeout, sets_budget: true, ..Options::default() };
    let expected = Options { ndots: 3, rotate: true, ..options };
    assert_eq!(conf.options, expected);
    assert_eq!(conf.complaints(), [(1, Cause::OptionValue, "attempts:")]);
    let conf = read("options foo: 2 rotate:1");
    assert_eq!(
        conf.complaints(),
        [(1, Cause::UnknownOption, "foo:2"), (1, Cause::UnknownOption, "rotate:1")]
    );
}

#[test]
fn rc15_an_option_that_cannot_be_used_costs_itself_alone() {
    let conf = read("options timeout rotate attempts 3 retrans:1 foo ndots:4 rotate:1 -ndots:1\n");
    assert_eq!(conf.options, Options { rotate: true, ndots: 4, ..Options::default() });
    assert_eq!(
        conf.complaints(),
        [
            (1, Cause::OptionValue, "timeout"),
            (1, Cause::OptionValue, "attempts"),
            (1, Cause::UnknownOption, "3"),
            (1, Cause::UnknownOption, "retrans:1"),
            (1, Cause::UnknownOption, "foo"),
            (1, Cause::UnknownOption, "rotate:1"),
            (1, Cause::UnknownOption, "-ndots:1"),
        ]
    );
}

#[test]
fn rc16_options_add_up_and_the_later_value_wins() {
    let conf = read("options ndots:2 rotate\noptions timeout:3 ndots:4\noptions no-aaaa -rotate\n");
    let timeout = Duration::from_secs(3);
    let options = Options { timeout, sets_budget: true, ..Options::default() };
    assert_eq!(conf.options, Options { ndots: 4, no_aaaa: true, ..options });
}

#[test]
fn rc17_every_option_is_known_and_can_be_cleared() {
    type Flag = fn(&mut Options) -> &mut bool;
    let flags: [(&str, Flag); 11] = [
        ("rotate", |o| &mut o.rotate),
        ("use-vc", |o| &mut o.use_vc),
        ("usevc", |o| &mut o.use_vc),
        ("tcp", |o| &mut o.use_vc),
        ("edns0", |o| &mut o.edns0),
        ("single-request", |o| &mut o.single_request),
        ("single-request-reopen", |o| &mut o.single_request_reopen),
        ("no-aaaa", |o| &mut o.no_aaaa),
        ("trust-ad", |o| &mut o.trust_ad),
        ("no-reload", |o| &mut o.no_reload),
        ("no-tld-query", |o| &mut o.no_tld_query),
    ];
    for (text, flag) in flags {
        for (prefix, value) in [("", true), ("-", false)] {
            let mut expected = Options::default();
            *flag(&mut expected) = value;
            let conf = read(format!("options {prefix}{text}"));
            assert_eq!(conf.options, expected, "{prefix}{text}");
            assert_eq!(conf.diagnostics, [], "{prefix}{text}");
        }
    }
    // EDNS is on by default, unlike in glibc, so `edns0` changes nothing and `-edns0` does.
    assert!(Options::default().edns0 && !options("-edns0").edns0);

    let without_effect =
        "debug inet6 strict-error no-check-names ip6-bytestring ip6-dotint no-ip6-dotint -inet6";
    let conf = read(format!("options {without_effect}"));
    assert_eq!((conf.options, conf.diagnostics), (Options::default(), Vec::new()));
}

#[test]
fn os23_lookup_is_a_keyword_on_openbsd_alone() {
    use LookupWord::{Bind, File, Other};
    let env = Env { has_lookup: true, ..ENV };
    let lookup = |text: &str| {
        let conf = parse(text.as_bytes(), &env);
        let causes: Vec<_> = conf.diagnostics.iter().map(Diagnostic::cause).collect();
        (conf.lookup.map(|lookup| (lookup.line, lookup.words)), causes)
    };
    assert_eq!(lookup("lookup file bind\n"), (Some((1, vec![File, Bind])), vec![]));
    assert_eq!(lookup("\nlookup bind yp # x\n"), (Some((2, vec![Bind, Other])), vec![]));
    assert_eq!(lookup("lookup file\nlookup bind\n"), (Some((2, vec![Bind])), vec![]));
    assert_eq!(lookup("lookup\n"), (None, vec![Cause::MissingValue]));
    assert_eq!(read("lookup file bind\n").lookup, None);
}

#[test]
fn rc18_the_environment_overrides_the_file() {
    let text = b"search a b\noptions ndots:2 rotate\n";
    let env = Env {
        localdomain: Some(" c.example\td.example "),
        res_options: Some("ndots:3 -rotate trust-ad"),
        ..ENV
    };
    let conf = parse(text, &env);
    assert_eq!(conf.search_text(), ["c.example", "d.example"]);
    assert_eq!(conf.options, Options { ndots: 3, trust_ad: true, ..Options::default() });
    assert_eq!(conf.diagnostics, []);

    let env = Env { localdomain: Some(""), ..ENV };
    assert_eq!(parse(text, &env).search_text(), [""; 0], "set and empty: no search list");

    let env = Env { localdomain: Some("a..b c"), res_options: Some("foo"), ..ENV };
    let conf = parse(b"nameserver bad", &env);
    assert_eq!(conf.search_text(), ["c"]);
    let texts: Vec<_> = conf.diagnostics.iter().map(Diagnostic::to_string).collect();
    assert_eq!(
        texts,
        [
            r#"resolv.conf line 1: "bad": not an IP address"#,
            r#"LOCALDOMAIN: "a..b": the host name has an empty label"#,
            r#"RES_OPTIONS: "foo": unknown option"#,
        ]
    );
}

/// A long line is read like any other, where musl loses it: lines are slices here, not buffers.
#[test]
fn rc19_b22_long_lines_nul_bytes_and_foreign_encodings_cost_no_other_line() {
    let long = format!("search {} a.example", "x".repeat(100_000));
    for line in [
        long.as_bytes(),
        b"# caf\xe9 \xff\xfe\0",
        b"\0\0\0",
        b"nameserver 192.0.2.9\0",
        b"nameserver \xff\xfe",
        b"\xff\xfe n a m e",
        b"options \xff:1 ndots\0:3",
        b"search \0 \xe9.example a.example",
        b"\r\r\r",
    ] {
        let text = [b"nameserver 192.0.2.1\n", line, b"\nnameserver 192.0.2.2\noptions ndots:4\n"];
        let conf = read(text.concat());
        assert_eq!(conf.nameserver_text(), ["192.0.2.1:53", "192.0.2.2:53"], "{line:?}");
        assert_eq!(conf.options, Options { ndots: 4, ..Options::default() }, "{line:?}");
        assert!(["", "a.example"].contains(&conf.search_text().join(" ").as_str()), "{line:?}");
        for diagnostic in &conf.diagnostics {
            let text = diagnostic.to_string();
            assert!(!text.contains(char::is_control) && text.len() < 1000, "{text:?}");
        }
    }
    assert_eq!(read(&long).search_text(), ["a.example"]);
}

#[test]
fn rc21_an_empty_file_can_be_told_from_a_usable_one() {
    for text in ["", "search a\n", "nameserver\n", "nameserver 192.0.", "# nameserver 192.0.2.1"] {
        assert!(!read(text).has_nameserver, "{text:?}");
    }
    assert!(read("nameserver 192.0.2.1").has_nameserver);
}

#[test]
fn rc22_docker() {
    let conf = read(fixtures::DOCKER);
    assert_eq!(conf.nameserver_text(), ["127.0.0.11:53"]);
    assert_eq!(conf.search_text(), [""; 0]);
    assert_eq!(conf.options, Options { ndots: 0, ..Options::default() });
    assert_eq!(conf.diagnostics, []);
}

#[test]
fn rc22_b48_kubernetes() {
    let conf = read(fixtures::KUBERNETES);
    assert_eq!(conf.nameserver_text(), ["10.96.0.10:53"]);
    assert_eq!(
        conf.search_text(),
        ["default.svc.cluster.local", "svc.cluster.local", "cluster.local"]
    );
    assert_eq!(conf.options, Options { ndots: 5, ..Options::default() });
    assert_eq!(conf.diagnostics, []);
}

#[test]
fn rc22_systemd_stub() {
    let conf = read(fixtures::SYSTEMD_STUB);
    assert_eq!(conf.nameserver_text(), ["127.0.0.53:53"]);
    assert_eq!(conf.search_text(), [""; 0]);
    assert_eq!(conf.options, Options { trust_ad: true, ..Options::default() });
    assert_eq!(conf.diagnostics, []);
}

/// glibc and c-ares read this file whole, and a strict parser none of it.
#[test]
fn b31_b49_no_mistake_costs_the_file() {
    let conf = read(
        "nameserver nonsense\nnameserver 192.0.2.1\noptions retrans:1 ndots:2\nsearch lan\nfoo bar\nnameserver 192.0.2.2",
    );
    assert_eq!(conf.nameserver_text(), ["192.0.2.1:53", "192.0.2.2:53"]);
    assert_eq!((conf.options.ndots, conf.search_text()), (2, vec!["lan"]));
}

#[test]
fn many_mistakes_are_counted_not_kept() {
    let conf = read("foo\n".repeat(1000));
    assert_eq!(conf.diagnostics.len(), 65);
    assert_eq!(conf.complaints().last(), Some(&(0, Cause::Omitted(936), "")));
    assert_eq!(conf.diagnostics[64].to_string(), "resolv.conf: 936 more diagnostics");
}

#[test]
fn a_long_word_is_shown_by_its_beginning() {
    let conf = read(format!("options {}\x1b{}", "a".repeat(62), "b".repeat(1000)));
    let expected = "a".repeat(62) + r"\u{1b}b";
    assert_eq!(conf.complaints(), [(1, Cause::UnknownOption, expected.as_str())]);
}

/// Lines made of what such files are made of, so that chance reaches every branch.
fn near_a_file() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        Just("nameserver"),
        Just("domain"),
        Just("search"),
        Just("options"),
        Just("sortlist"),
        Just("192.0.2.1"),
        Just("fe80::1%eth0"),
        Just("fe80::1%"),
        Just("::"),
        Just("a.example"),
        Just("a..b"),
        Just("."),
        Just("ndots:3"),
        Just("timeout:"),
        Just("attempts:-1"),
        Just(":"),
        Just("-"),
        Just("-edns0"),
        Just("rotate"),
        Just("#"),
        Just(";"),
        Just("\0"),
        Just("\u{e9}"),
        Just(" "),
        Just("\t"),
        Just("\n"),
        Just("\r\n"),
        Just("\u{feff}"),
    ];
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        prop::collection::vec(word, 0..40).prop_map(|words| words.join(" ").into_bytes()),
    ]
}

proptest! {
    #[test]
    fn any_bytes_give_a_usable_configuration(text in near_a_file(), env in any::<[Option<String>; 3]>()) {
        let [hostname, res_options, localdomain] = &env;
        let env = Env {
            hostname: hostname.as_deref(),
            res_options: res_options.as_deref(),
            localdomain: localdomain.as_deref(),
            ..ENV
        };
        let conf = parse(&text, &env);
        prop_assert!((1..=3).contains(&conf.nameservers.len()));
        prop_assert!(conf.nameservers.iter().all(|addr| addr.port() == 53 && !addr.ip().is_unspecified()));
        prop_assert!(conf.options.ndots <= 15 && (1..=5).contains(&conf.options.attempts));
        prop_assert!((1..=30).contains(&conf.options.timeout.as_secs()));
        for diagnostic in &conf.diagnostics {
            prop_assert!(!diagnostic.to_string().contains(char::is_control), "{diagnostic}");
        }
    }

    /// What is wrong in a line costs no line above or below it.
    #[test]
    fn no_line_spoils_another(above in near_a_file(), below in near_a_file()) {
        let mut text = above;
        text.extend(b"\noptions no-tld-query\n");
        text.extend(below);
        prop_assert!(read(text).options.no_tld_query);
    }
}
