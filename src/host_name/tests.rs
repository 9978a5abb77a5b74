//! Which texts are names (RFC 1035 section 2.3.4, RFC 1123 section 2.1), and what is said of the
//! others.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use proptest::prelude::*;

use super::*;

fn name(text: &str) -> HostName {
    text.parse().unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

#[track_caller]
fn refuses(text: &str, error: NameError) {
    assert_eq!(text.parse::<HostName>(), Err(error), "{text:?}");
}

#[test]
fn nv01_no_empty_name_and_no_empty_label() {
    for text in ["", "."] {
        refuses(text, NameError::Empty);
    }
    for text in ["..", ".a", "a..b", "a.b..", ".a.", "..a"] {
        refuses(text, NameError::EmptyLabel);
    }
}

#[test]
fn nv02_labels_end_at_63_bytes_and_names_at_253() {
    let label = "a".repeat(63);
    assert_eq!(name(&label).as_str(), label);
    refuses(&format!("{label}a"), NameError::LabelTooLong);
    refuses(&format!("b.{label}a.c"), NameError::LabelTooLong);

    // Three labels of 63 and a last one that makes the sum come out.
    let of_len = |len: usize| format!("{label}.{label}.{label}.{}", "z".repeat(len - 3 * 64));
    for (len, fits) in [(252, true), (253, true), (254, false), (255, false)] {
        for text in [of_len(len), of_len(len) + "."] {
            assert_eq!(text.parse::<HostName>().is_ok(), fits, "{len} bytes: {text}");
        }
    }
    refuses(&of_len(254), NameError::TooLong);
    refuses(&"a.".repeat(1_000_000), NameError::TooLong);
}

#[test]
fn nv03_at13_hyphens_digits_and_underscores_stand_anywhere_but_a_hyphen_at_the_start() {
    for text in ["_srv._tcp.x", "1foo", "a.-v", "a-", "_", "a.1b", "xn--4ca.example", "A.B."] {
        assert_eq!(name(text).as_str(), text);
    }
    for text in ["-", "-v", "-v.", "-oProxyCommand.example", "--help", "-.-"] {
        refuses(text, NameError::LeadingHyphen);
    }
}

#[test]
fn nv03_every_other_byte_is_refused_and_shown_escaped() {
    for byte in 0..0x80_u8 {
        let allowed = byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let text = format!("ab{}cd.example", char::from(byte));
        if allowed {
            assert!(text.parse::<HostName>().is_ok(), "{text:?}");
        } else {
            refuses(&text, NameError::ForbiddenByte { byte, index: 2 });
        }
    }
    let escape = NameError::ForbiddenByte { byte: 0x1b, index: 7 };
    assert_eq!(escape.to_string(), r"the host name has the byte '\x1b' at index 7");
}

#[test]
fn er08_no_message_has_a_control_byte_of_the_input() {
    for byte in 0..=u8::MAX {
        let message = NameError::ForbiddenByte { byte, index: 0 }.to_string();
        assert!(message.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{message:?}");
    }
}

#[test]
fn nv04_a_name_outside_ascii_is_refused_with_what_to_do() {
    for text in ["españa.icom.museum", "例え.jp", "a。b", "a.b\u{80}", "\u{feff}a"] {
        refuses(text, NameError::NonAscii);
    }
    let message = NameError::NonAscii.to_string();
    assert!(message.contains("A-label"), "{message}");
}

#[test]
fn nv05_escapes_are_not_interpreted() {
    refuses(r"a\.b", NameError::ForbiddenByte { byte: b'\\', index: 1 });
    refuses(r"\065.example", NameError::ForbiddenByte { byte: b'\\', index: 0 });
    refuses("a%2eb", NameError::ForbiddenByte { byte: b'%', index: 1 });
}

#[test]
fn nv06_nothing_follows_an_address() {
    refuses("192.0.2.1 ", NameError::ForbiddenByte { byte: b' ', index: 9 });
    refuses("192.0.2.4 X", NameError::ForbiddenByte { byte: b' ', index: 9 });
    refuses("2001:db8::1\n", NameError::ForbiddenByte { byte: b':', index: 4 });
    refuses("192.0.2.1\0", NameError::ForbiddenByte { byte: 0, index: 9 });
}

#[test]
fn nv07_what_may_be_an_address_is_no_name() {
    for text in [
        "0x7f000001",
        "127.1",
        "0177.0.0.1",
        "192.000.002.010",
        "2130706433",
        "1.2.3",
        "1.2.3.4.",
        "0",
        "00",
        "0x",
        "0X1",
        "1.2.3.4.5",
        "256.0.0.1",
        "4294967296",
        "037777777777",
        "0x7f.1",
        "1.2.3.0x4",
        "example.0x1F",
        "example.09",
        "example.123",
        "169.254.169.254.",
        "1.2.3.0x",
        "-1.2.3.4",
        "_.1",
    ] {
        refuses(text, NameError::AmbiguousNumeric);
    }
    for text in ["1.2.3.4", "::1", "::ffff:1.2.3.4"] {
        refuses(text, NameError::IpAddress);
    }
    // The last label decides; these are names to every reader.
    for text in ["1.2.3.4.example", "0x7f.example", "1.2.3.4a", "0xg", "a.0x1g", "1.-1", "1e5"] {
        assert_eq!(name(text).as_str(), text);
    }
}

#[test]
fn rr13_a_name_of_hosts_may_end_in_a_number_unless_a_program_reads_it_as_an_address() {
    for text in [
        "857482910374",
        "node.1",
        "node.1.",
        "example.0x1F",
        "_.1",
        "1.2.3.4.5",
        "256.0.0.1",
        "1.2.3.256",
        "1.256.3",
        "4294967296",
        "040000000000",
        "0x100000000",
        "99999999999999999999999999",
        "1.2.3.0x100",
        "a.1b",
    ] {
        assert_eq!(HostName::parse_in_hosts(text).unwrap().as_str(), text);
    }
    // What inet_aton reads, and what readers that take octal for decimal do.
    for text in [
        "0",
        "00",
        "0x",
        "0X1",
        "127.1",
        "127.16777215",
        "1.2.65535",
        "2130706433",
        "4294967295",
        "037777777777",
        "0xffffffff",
        "0177.0.0.1",
        "1.2.3.4.",
        "127.1.",
        "1.2.3.0xff",
        "1.2.3.0x",
        "192.168.08.09",
        "09",
        "-1.2.3.4",
        "-node.1",
    ] {
        assert_eq!(HostName::parse_in_hosts(text), Err(NameError::AmbiguousNumeric), "{text}");
    }
    for (text, error) in [
        ("192.0.2.1", NameError::IpAddress),
        ("", NameError::Empty),
        ("node..1", NameError::EmptyLabel),
        ("n de.1", NameError::ForbiddenByte { byte: b' ', index: 1 }),
    ] {
        assert_eq!(HostName::parse_in_hosts(text), Err(error), "{text:?}");
    }
}

#[test]
fn at10_each_way_to_the_text_leads_to_the_text() {
    let name = name("WWW.example.");
    assert_eq!(AsRef::<str>::as_ref(&name), "WWW.example.");
    assert_eq!((name.as_str(), &*name.to_string()), ("WWW.example.", "WWW.example."));
}

#[test]
fn case_does_not_count_and_the_final_dot_does() {
    assert_eq!(name("WWW.Example.COM"), name("www.example.com"));
    assert_ne!(name("www.example.com."), name("www.example.com"));
    assert_eq!(name("www.example.com.").to_relative(), name("www.example.com"));
    assert_eq!(name("a.b.").labels().collect::<Vec<_>>(), ["a", "b"]);
    assert!(name("a.b.").is_absolute() && !name("a.b").is_absolute());
    assert!(name("B.example") > name("a.example") && name("a") < name("a.b"));
}

#[test]
fn a_subdomain_begins_at_a_dot() {
    for (below, above, expected) in [
        ("a.example", "example", true),
        ("A.Example", "eXAMPLE", true),
        ("example", "example", true),
        ("a.b.example.", "b.example", true),
        ("a.b.example", "b.example.", true),
        ("xexample", "example", false),
        ("example", "a.example", false),
        ("a.example", "a", false),
        ("a.example", "b.example", false),
    ] {
        assert_eq!(name(below).is_subdomain_of(&name(above)), expected, "{below} in {above}");
    }
}

/// The rules once more, as they are written rather than as they are run.
fn is_name_by_the_book(text: &str) -> bool {
    let relative = text.strip_suffix('.').unwrap_or(text);
    let labels: Vec<&str> = relative.split('.').collect();
    let is_ldh = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let last = labels.last().unwrap().to_ascii_lowercase();
    let is_number = last.chars().all(|c| c.is_ascii_digit())
        || last.strip_prefix("0x").is_some_and(|hex| hex.chars().all(|c| c.is_ascii_hexdigit()));
    relative.len() <= 253
        && labels.iter().all(|label| (1..=63).contains(&label.len()) && label.chars().all(is_ldh))
        && !is_number
        && !relative.starts_with('-')
}

/// Texts near the borders of the rules.
fn near_a_name() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        r"[a-cA-C0-2x._\-]{0,12}",
        r"[ab0x .:\[\]%\x00\x1bé\-]{0,12}",
        r"([a-z0-9]{1,64}\.){0,5}[a-z0-9]{0,64}\.?",
        r"(0x)?[0-9a-f]{0,4}(\.(0x)?[0-9a-f]{0,3}){0,4}\.?",
    ]
}

proptest! {
    #[test]
    fn any_text_is_judged_by_the_book(text in near_a_name()) {
        let parsed = text.parse::<HostName>();
        prop_assert_eq!(parsed.is_ok(), is_name_by_the_book(&text));
        match parsed {
            Ok(name) => {
                prop_assert_eq!(name.as_str(), &text);
                prop_assert_eq!(name.to_string().parse::<HostName>(), Ok(name.clone()));
                prop_assert_eq!(name.labels().collect::<Vec<_>>().join("."), name.without_final_dot());
            }
            Err(error) => prop_assert!(error.to_string().bytes().all(|b| (b' '..=b'~').contains(&b))),
        }
    }

    #[test]
    fn equal_names_hash_and_sort_alike(text in r"([a-z]{1,3}\.){0,2}[a-z]{1,3}", other in r"([a-zA-Z]{1,2}\.)?[a-zA-Z]") {
        let (lower, upper) = (name(&text), name(&text.to_ascii_uppercase()));
        prop_assert_eq!(&lower, &upper);
        prop_assert_eq!(lower.cmp(&upper), Ordering::Equal);
        let state = RandomState::new();
        prop_assert_eq!(state.hash_one(&lower), state.hash_one(&upper));
        prop_assert!(HashSet::from([lower.clone()]).contains(&upper));
        let other = name(&other);
        prop_assert_eq!(lower == other, lower.cmp(&other) == Ordering::Equal);
    }

    #[test]
    fn a_subdomain_ends_in_the_labels_of_its_parent(below in r"([ab]{1,2}\.){0,3}[abAB]", above in r"([ab]{1,2}\.){0,2}[abAB]") {
        let (below, above) = (name(&below), name(&above));
        let reversed = |name: &HostName| -> Vec<String> {
            name.labels().rev().map(str::to_ascii_lowercase).collect()
        };
        let expected = reversed(&below).starts_with(&reversed(&above));
        prop_assert_eq!(below.is_subdomain_of(&above), expected);
    }
}
