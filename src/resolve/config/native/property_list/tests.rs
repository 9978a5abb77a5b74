//! Property lists as macOS writes them, and as nothing should write them.

use std::fmt::Write;

use proptest::prelude::*;

use super::PropertyList::{Array, Bool, Dict, Integer, Other, String as Text};
use super::*;

const HEAD: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
"#;

fn plist(value: &str) -> String {
    format!("{HEAD}<plist version=\"1.0\">\n{value}\n</plist>\n")
}

fn whole(value: PropertyList) -> Parsed {
    Parsed { value: Some(value), is_whole: true }
}

fn broken(value: impl Into<Option<PropertyList>>) -> Parsed {
    Parsed { value: value.into(), is_whole: false }
}

fn text(text: &str) -> PropertyList {
    Text(text.to_owned())
}

#[test]
fn os40_each_kind_of_value_is_read() {
    for (xml, value) in [
        ("<string>192.0.2.1</string>", text("192.0.2.1")),
        ("<string/>", text("")),
        ("<string></string>", text("")),
        ("<string> a\n</string>", text(" a\n")),
        ("<string>&lt;a&gt; &amp;&apos;&quot;&#65;&#x42;</string>", text("<a> &'\"AB")),
        ("<string>caf\u{e9}</string>", text("caf\u{e9}")),
        ("<integer>5300</integer>", Integer(5300)),
        ("<integer> -7 </integer>", Integer(-7)),
        ("<true/>", Bool(true)),
        ("<false/>", Bool(false)),
        ("<true></true>", Bool(true)),
        ("<data>\n\tAQIDBA==\n\t</data>", Other),
        ("<data/>", Other),
        ("<date>2026-11-29T12:00:00Z</date>", Other),
        ("<real>0.5</real>", Other),
        ("<array/>", Array(vec![])),
        ("<array></array>", Array(vec![])),
        (
            "<array><string>a</string><!-- b --><array/></array>",
            Array(vec![text("a"), Array(vec![])]),
        ),
        ("<dict/>", Dict(vec![])),
        ("<dict><key>a</key><integer>1</integer></dict>", Dict(vec![("a".into(), Integer(1))])),
    ] {
        assert_eq!(parse(plist(xml).as_bytes()), whole(value), "{xml}");
    }
}

#[test]
fn a_value_without_its_frame_is_read_too() {
    assert_eq!(parse(b"\xef\xbb\xbf<array></array>"), whole(Array(vec![])));
}

#[test]
fn of_members_of_one_name_the_last_holds() {
    let xml = "<dict><key>a</key><string>1</string><key>a</key><string>2</string></dict>";
    let dict = parse(xml.as_bytes()).value.unwrap();
    assert_eq!(dict.member("a"), Some(&text("2")));
    assert_eq!(dict.member("b"), None);
    assert_eq!(text("a").member("a"), None);
}

/// Each is a dictionary with one good member, and a fault behind it.
#[test]
fn os40_what_stands_before_a_fault_counts() {
    let good = "<dict><key>a</key><array><string>1</string>";
    let read = || Dict(vec![("a".into(), Array(vec![text("1")]))]);
    for fault in [
        "",
        "<string>2",
        "<string>2</array>",
        "<string>2<",
        "<string>&nbsp;</string>",
        "<string>&#xd800;</string>",
        "<string>&lt</string>",
        "<integer>two</integer>",
        "<integer>99999999999999999999</integer>",
        "<integer/>",
        "<set/>",
        "</dict>",
        "<!-- ",
        "</array",
        "</array><array/>",
        "</array><string>b</string>",
        "</array><key>b</string>",
        "</array><key>b</key>",
        "</array><key>b</key></dict>",
        "text",
    ] {
        let xml = format!("{HEAD}<plist version=\"1.0\">{good}{fault}");
        assert_eq!(parse(xml.as_bytes()), broken(read()), "{fault}");
    }
    for nothing in
        ["", "plist", "<plist>", "<plist></plist>", "<", "<?xml", "<integer>", "bplist00"]
    {
        assert_eq!(parse(nothing.as_bytes()), broken(None), "{nothing}");
    }
}

/// Read on, what stands behind it in an inner value would be a part of the outer one.
#[test]
fn os40_nothing_is_read_after_a_fault() {
    for fault in ["<integer>two</integer>", "<string>&nbsp;</string>", "<set/>"] {
        let xml =
            format!("<dict><key>a</key><dict><key>b</key>{fault}<key>c</key><true/></dict></dict>");
        let read = Dict(vec![("a".into(), Dict(vec![]))]);
        assert_eq!(parse(xml.as_bytes()), broken(read), "{fault}");
        let xml = format!("<array><array>{fault}<true/></array><false/></array>");
        assert_eq!(parse(xml.as_bytes()), broken(Array(vec![Array(vec![])])), "{fault}");
    }
}

#[test]
fn a_character_that_is_cut_in_two_is_where_the_reading_ends() {
    let xml = b"<dict><key>a</key><array><string>1</string><string>caf\xc3".to_vec();
    assert_eq!(parse(&xml), broken(Dict(vec![("a".into(), Array(vec![text("1")]))])));
    let mut xml = plist("<true/>").into_bytes();
    xml.push(0xff);
    assert_eq!(parse(&xml), broken(Bool(true)));
}

#[test]
fn depth_and_length_are_bounded() {
    let nested = |depth: usize| "<array>".repeat(depth) + &"</array>".repeat(depth);
    assert!(parse(nested(MAX_DEPTH).as_bytes()).is_whole);
    let too_deep = parse(nested(MAX_DEPTH + 1).as_bytes());
    assert!(!too_deep.is_whole && too_deep.value.is_some());
    assert!(!parse("<array>".repeat(100_000).as_bytes()).is_whole);

    let padded = |len: usize| format!("{}<true/>", " ".repeat(len - "<true/>".len()));
    assert_eq!(parse(padded(MAX_LEN).as_bytes()), whole(Bool(true)));
    assert_eq!(parse(padded(MAX_LEN + 1).as_bytes()), broken(None));
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn write(value: &PropertyList, xml: &mut String) {
    match value {
        Dict(members) => {
            xml.push_str("<dict>\n");
            for (key, value) in members {
                write!(xml, "<key>{}</key>", escape(key)).unwrap();
                write(value, xml);
            }
            xml.push_str("</dict>");
        }
        Array(items) => {
            xml.push_str("<array> ");
            for item in items {
                write(item, xml);
            }
            xml.push_str("</array>");
        }
        Text(text) => write!(xml, "<string>{}</string>", escape(text)).unwrap(),
        Integer(number) => write!(xml, "<integer>{number}</integer>").unwrap(),
        Bool(value) => write!(xml, "<{value}/>").unwrap(),
        Other => xml.push_str("<data>AA==</data>"),
    }
}

fn value() -> impl Strategy<Value = PropertyList> {
    let leaf = prop_oneof![
        "[ -~]{0,8}".prop_map(Text),
        any::<i64>().prop_map(Integer),
        any::<bool>().prop_map(Bool),
        Just(Other),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Array),
            prop::collection::vec(("[a-z&<]{1,3}", inner), 0..4).prop_map(Dict),
        ]
    })
}

proptest! {
    #[test]
    fn what_was_written_is_read(value in value()) {
        let mut xml = String::new();
        write(&value, &mut xml);
        prop_assert_eq!(parse(plist(&xml).as_bytes()), whole(value));
    }

    #[test]
    fn any_octets_end_somewhere(octets: Vec<u8>) {
        parse(&octets);
    }

    #[test]
    fn any_tags_end_somewhere(
        tags in prop::collection::vec(
            prop::sample::select(vec![
                "<plist>", "</plist>", "<dict>", "</dict>", "<array>", "</array>", "<key>", "</key>",
                "<string>", "</string>", "<integer>", "</integer>", "<true/>", "<data/>", "<!--",
                "-->", "&amp;", "&", "1", "a", "<", ">", "/", "\u{e9}",
            ]),
            0..40,
        ),
    ) {
        parse(tags.concat().as_bytes());
    }

    /// A text that was cut off gives no value that the whole one does not have.
    #[test]
    fn a_truncated_text_gives_the_part_before(value in value(), at in any::<prop::sample::Index>()) {
        let mut xml = String::new();
        write(&value, &mut xml);
        let part = parse(&xml.as_bytes()[..at.index(xml.len())]);
        prop_assert!(!part.is_whole);
        prop_assert!(part.value.is_none_or(|part| part.is_part_of(&value)));
    }
}
