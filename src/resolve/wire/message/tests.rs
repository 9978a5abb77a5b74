//! Which bytes are sent, and which messages are taken for a response (RFC 1035 section 4, RFC 5452
//! section 9).

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use super::test_message::{for_each_row, message, query_name, reason, summary};
use super::*;
use crate::HostName;
use crate::resolve::wire::case_mask::tests::mask;

const ID: u16 = 0x1234;
const GOOD: &str = "question www.example A; answer www.example 300 A 192.0.2.1; additional OPT 0";
const GOOD_SUMMARY: &str = "192.0.2.1, ttl 300";

fn name(text: &str) -> QueryName {
    QueryName::from(&text.parse::<HostName>().unwrap())
}

fn expected(name: &QueryName) -> Expected<'_> {
    let (record_type, transport) = (RecordType::A, Transport::Udp);
    Expected { id: ID, name, record_type, transport, case: None }
}

/// What `message` means for the question `www.example A`, asked over UDP.
fn read(message: &[u8]) -> String {
    summary(read_response(message, expected(&name("www.example"))))
}

#[test]
fn a_query_is_a_function_of_its_arguments() {
    let mut buf = b"something of an earlier query".to_vec();
    let options = QueryOptions { edns: true, trust_ad: false, case: None };
    write_query(&mut buf, ID, &name("www.example"), RecordType::A, options);
    assert_eq!(
        buf,
        b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01\
          \x03www\x07example\x00\x00\x01\x00\x01\
          \x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00"
    );
    let options = QueryOptions { edns: false, trust_ad: true, case: None };
    write_query(&mut buf, ID, &name("www.example."), RecordType::Aaaa, options);
    assert_eq!(
        buf,
        b"\x12\x34\x01\x20\x00\x01\x00\x00\x00\x00\x00\x00\
          \x03www\x07example\x00\x00\x1c\x00\x01"
    );
}

#[test]
fn a_query_has_its_name_in_the_case_of_its_mask_and_no_other_octet_differs() {
    let mut buf = b"something of an earlier query".to_vec();
    let case = Some(mask(0b01_0010_1101));
    let options = QueryOptions { edns: true, trust_ad: false, case };
    // Its id and the type of its OPT record are letters as well.
    write_query(&mut buf, 0x6162, &name("wwW.ex4mple"), RecordType::Aaaa, options);
    assert_eq!(
        buf,
        b"ab\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01\
          \x03WwW\x07Ex4MplE\x00\x00\x1c\x00\x01\
          \x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00"
    );
}

/// The query was `wWw.ExAmple A`.
fn read_mixed(text: &str) -> String {
    let name = name("www.EXAMPLE");
    let case = Some(mask(0b00_0010_1010));
    summary(read_response(&message(text), Expected { case, ..expected(&name) }))
}

#[test]
fn a_response_in_another_case_than_its_query_is_no_answer_and_not_ignored() {
    let meant = |what: &str| {
        for rest in [
            "answer www.example 300 A 192.0.2.1",
            "answer wWw.ExAmple 300 A 192.0.2.1; additional OPT 0",
            "answer wWw.ExAmple 300 A \\# 0102",
        ] {
            assert_eq!(read_mixed(&format!("question {what} A; {rest}")), "another case", "{rest}");
        }
        for header in ["NXDOMAIN", "tc", "SERVFAIL", "FORMERR", "REFUSED"] {
            let text = format!("header 1234 ra {header}; question {what} A");
            assert_eq!(read_mixed(&text), "another case", "{text}");
        }
    };
    // Each letter counts, the spelling of the caller is not the one of the query either.
    for other in [
        "www.example",
        "WWW.EXAMPLE",
        "www.EXAMPLE",
        "WWw.ExAmple",
        "www.ExAmple",
        "wWW.ExAmple",
        "wWw.exAmple",
        "wWw.EXAmple",
        "wWw.Example",
        "wWw.ExAMple",
        "wWw.ExAmPle",
        "wWw.ExAmpLe",
        "wWw.ExAmplE",
    ] {
        meant(other);
    }
}

#[test]
fn a_response_in_the_case_of_its_query_is_read_as_any_other() {
    let question = "question wWw.ExAmple A";
    for (rest, meaning) in [
        ("answer www.example 300 A 192.0.2.1", "192.0.2.1, ttl 300"),
        ("answer wWw.ExAmple 300 A 192.0.2.1; additional OPT 0", "192.0.2.1, ttl 300"),
        ("answer WWW.example 300 A 192.0.2.1", "192.0.2.1, ttl 300"),
        ("authority example 300 SOA 60", "nodata, ttl 60"),
    ] {
        assert_eq!(read_mixed(&format!("{question}; {rest}")), meaning, "{rest}");
    }
    for (header, meaning) in
        [("tc", "truncated"), ("SERVFAIL", "failure: SERVFAIL"), ("FORMERR", "formerr")]
    {
        assert_eq!(read_mixed(&format!("header 1234 ra {header}; {question}")), meaning);
    }
    // What is about another question is that in any case, and what has none has no case.
    for (other, meaning) in [
        ("question wWw.ExAmple.com A", "ignored: wrong_question"),
        ("question www.example AAAA", "ignored: wrong_question"),
        ("question www.example CH A", "ignored: wrong_question"),
        ("header 4321 ra; question www.example A", "ignored: wrong_id"),
        ("header 1234 query rd; question www.example A", "ignored: not_a_response"),
        ("header 1234 REFUSED", "hint: REFUSED"),
        ("header 1234 tc", "unreadable"),
    ] {
        assert_eq!(read_mixed(other), meaning, "{other}");
    }
}

/// A name is compressed into a pointer to the question, or begins with labels of it.
#[test]
fn callers_do_not_see_the_case_of_a_query() {
    let question = "question wWw.ExAmple A; answer wWw.ExAmple 300 CNAME";
    for (target, spelled) in [
        ("web.ExAmple", "web.EXAMPLE"),
        ("wWw.Other.test", "www.Other.test"),
        ("Web.Example", "Web.Example"),
        ("ExAmple.wWw", "EXAMPLE.www"),
    ] {
        let alias = format!("alias {spelled}, ttl 300, chain of 1 to {spelled}");
        assert_eq!(read_mixed(&format!("{question} {target}")), alias);
        let found = format!("192.0.2.1, ttl 60, chain of 1 to {spelled}");
        let text = format!("{question} {target}; answer {target} 60 A 192.0.2.1");
        assert_eq!(read_mixed(&text), found);
        let text = format!("header 1234 ra tc; {text}");
        assert_eq!(read_mixed(&text), format!("truncated: {}", found.replace("60", "none")));
    }
}

#[test]
fn rv16_the_longest_name_fits_a_query() {
    let label = "a".repeat(63);
    let longest = format!("{label}.{label}.{label}.{}", "b".repeat(61));
    assert_eq!(longest.len(), 253);
    let mut buf = Vec::new();
    let options = QueryOptions { edns: true, trust_ad: true, case: None };
    write_query(&mut buf, ID, &name(&longest), RecordType::Aaaa, options);
    assert_eq!(buf.len(), 12 + 255 + 4 + 11);

    let text = format!("question {longest} A; answer {longest} 300 A 192.0.2.1");
    let longest = name(&longest);
    assert_eq!(summary(read_response(&message(&text), expected(&longest))), GOOD_SUMMARY);
}

/// For the question `www.example A`, asked over UDP.
const MESSAGES: &str = r"
a good response
    question www.example A; answer www.example 300 A 192.0.2.1; additional OPT 0
    => 192.0.2.1, ttl 300
RV04 the echo of our query
    header 1234 query rd; question www.example A
    => ignored: not_a_response
RV06 another id
    header 1235 rd ra; question www.example A; answer www.example 300 A 192.0.2.1
    => ignored: wrong_id
RV07 another type
    question www.example AAAA; answer www.example 300 A 192.0.2.1
    => ignored: wrong_question
RV07 another class
    question www.example CH A; answer www.example 300 A 192.0.2.1
    => ignored: wrong_question
RV07 another name
    question www.example.com A; answer www.example 300 A 192.0.2.1
    => ignored: wrong_question
RV07 the parent's name
    question example A; answer www.example 300 A 192.0.2.1
    => ignored: wrong_question
RV07 other letters, RFC 4343
    question WWW.eXample A; answer www.EXAMPLE 300 A 192.0.2.1
    => 192.0.2.1, ttl 300
RV08 answers without a question
    header 1234 rd ra; answer www.example 300 A 192.0.2.1
    => ignored: wrong_question
RV08 NXDOMAIN without a question
    header 1234 rd ra NXDOMAIN
    => ignored: wrong_question
RV08 two questions
    question www.example A; question www.example A; answer www.example 300 A 192.0.2.1
    => ignored: wrong_question
RV09 another opcode
    header 1234 rd update; question www.example A
    => ignored: wrong_opcode
RV09 the Z bit, AD and CD
    header 1234 rd ra z ad cd; question www.example A; answer www.example 300 A 192.0.2.1
    => 192.0.2.1, ttl 300
RV13 two OPT records
    question www.example A; answer www.example 300 A 192.0.2.1; additional OPT 0; additional OPT 0
    => stray opt
an OPT record with an owner
    question www.example A; additional www.example 0 OPT \#
    => stray opt
RT05 REFUSED, header only
    header 1234 REFUSED
    => hint: REFUSED
T04 SERVFAIL, header only
    header 1234 SERVFAIL
    => hint: SERVFAIL
T04 NOTIMP, header only
    header 1234 NOTIMP
    => hint: NOTIMP
RT16 FORMERR, header only
    header 1234 FORMERR
    => hint: FORMERR
RT16 FORMERR, OPT and no question
    header 1234 FORMERR; additional OPT 0
    => hint: FORMERR
RT16 FORMERR with the question
    header 1234 FORMERR; question www.example A
    => formerr
RT16 FORMERR with question and OPT
    header 1234 FORMERR; question www.example A; additional OPT 0
    => formerr
T04 NOERROR, header only
    header 1234
    => ignored: wrong_question
T04 YXDOMAIN, header only
    header 1234 YXDOMAIN
    => ignored: wrong_question
T04 an error header with an answer
    header 1234 REFUSED; answer www.example 300 A 192.0.2.1
    => ignored: wrong_question
RT05 REFUSED, header only, another id
    header 1235 REFUSED
    => ignored: wrong_id
RT03 SERVFAIL
    header 1234 SERVFAIL; question www.example A
    => failure: SERVFAIL
RT03 NOTIMP
    header 1234 NOTIMP; question www.example A
    => failure: NOTIMP
ER01 YXDOMAIN
    header 1234 YXDOMAIN; question www.example A
    => failure: YXDOMAIN
ER01 SERVFAIL to another question
    header 1234 SERVFAIL; question mail.example A
    => ignored: wrong_question
RT18 extended code 1 << 4, header code 0: BADVERS
    question www.example A; answer www.example 300 A 192.0.2.1; additional OPT 1
    => badvers
RT18 BADVERS and no question
    header 1234; additional OPT 1
    => hint: BADVERS
RT18 extended code 1 << 10, header code 0
    question www.example A; answer www.example 300 A 192.0.2.1; additional OPT 64
    => failure: RCODE1024
RT18 extended code, header code NXDOMAIN
    header 1234 NXDOMAIN; question www.example A; additional OPT 255
    => failure: RCODE4083
RT06 lame referral, all empty
    header 1234; question www.example A
    => lame referral
RT06 lame referral proper
    header 1234; question www.example A; authority example 300 NS ns.example
    additional ns.example 300 A 192.0.2.53
    => lame referral
RT06 all empty, but OPT
    header 1234; question www.example A; additional OPT 0
    => empty, ttl none
RT06 not lame: SOA
    header 1234; question www.example A; authority example 300 SOA 60
    => nodata, ttl 60
RT06 not lame: recursion available
    header 1234 ra; question www.example A
    => empty, ttl none
RT07 NXDOMAIN, recursion not available
    header 1234 NXDOMAIN; question www.example A
    => nxdomain, ttl none
RT08 empty, authoritative
    header 1234 aa; question www.example A
    => nodata, ttl none
TR03 truncated
    header 1234 tc; question www.example A; answer www.example 300 A 192.0.2.1
    => truncated: 192.0.2.1, ttl none
TR03 truncated NXDOMAIN
    header 1234 tc NXDOMAIN; question www.example A
    => truncated
TR03 truncated, another id
    header 1235 tc; question www.example A
    => ignored: wrong_id
TR03 truncated, another question
    header 1234 tc; question mail.example A
    => ignored: wrong_question
TR03 truncated, another type and no answer
    header 1234 tc; question www.example AAAA
    => ignored: wrong_question
a truncated failure is a failure
    header 1234 tc SERVFAIL; question www.example A
    => failure: SERVFAIL
";

#[test]
fn what_a_message_means() {
    for_each_row(MESSAGES, |what, text, meaning| {
        assert_eq!(read(&message(text)), meaning, "{what}: {text}");
    });
}

#[test]
fn tr02_over_tcp_truncated_records_are_used_and_not_kept() {
    let www = name("www.example");
    let over_tcp = Expected { transport: Transport::Tcp, ..expected(&www) };
    let truncated = "header 1234 tc; question www.example A; answer www.example 300 A 192.0.2.1";
    let read = read_response(&message(truncated), over_tcp);
    assert_eq!(summary(read), GOOD_SUMMARY.replace("ttl 300", "ttl none"));
}

#[test]
fn tr13_a_response_over_tcp_has_to_match_too() {
    let www = name("www.example");
    let over_tcp = Expected { transport: Transport::Tcp, ..expected(&www) };
    for (text, meaning) in [
        ("question mail.example A; answer mail.example 300 A 192.0.2.1", "ignored: wrong_question"),
        (
            "header 4321 ra; question www.example A; answer www.example 300 A 192.0.2.1",
            "ignored: wrong_id",
        ),
    ] {
        assert_eq!(summary(read_response(&message(text), over_tcp)), meaning, "{text}");
    }
}

#[test]
fn rv03_rv05_a_message_cut_anywhere_is_no_answer() {
    let whole = message(GOOD);
    let (question_end, answer_end) = (29, 29 + 16);
    for len in 0..answer_end {
        let meaning = match len {
            0..12 => "ignored: too_short",
            // Cut after the header, its code is still NOERROR, and its question is gone.
            _ if len < question_end => "ignored: malformed",
            _ => "unreadable",
        };
        assert_eq!(read(&whole[..len]), meaning, "the first {len} octets");
    }
    assert_eq!(message_id(&whole[..11]), None);
    assert_eq!(message_id(&whole[..12]), Some(ID));
}

#[test]
fn t04_an_error_cut_after_its_header_is_a_hint_whatever_it_counts() {
    let refused = message("header 1234 REFUSED; question www.example A; additional OPT 0");
    assert_eq!(read(&refused[..12]), "hint: REFUSED");
    assert_eq!(read(&refused[..13]), "ignored: malformed");
}

#[test]
fn rv03_a_message_with_octets_after_the_last_record_denies_and_ends_nothing() {
    for (text, meaning) in [
        (
            "header 1234 NXDOMAIN; question www.example A; authority example 300 SOA 60",
            "unreadable",
        ),
        ("question www.example A; authority example 300 SOA 60", "unreadable"),
        ("question www.example A; answer www.example 300 CNAME web.example", "unreadable"),
        ("header 1234 YXDOMAIN; question www.example A", "unreadable"),
        ("header 1234 SERVFAIL; question www.example A", "hint: SERVFAIL"),
    ] {
        for junk in [&b"\0"[..], b"\xff", b"junk", &message(GOOD)] {
            let mut message = message(text);
            message.extend_from_slice(junk);
            assert_eq!(read(&message), meaning, "{text} and {junk:x?}");
        }
    }
    let refused = [message("header 1234 REFUSED"), b"junk".to_vec()].concat();
    assert_eq!(read(&refused), "ignored: wrong_question");
}

#[test]
fn rv14_counts_are_checked_against_the_octets_that_came() {
    for (count_at, meaning) in [(6, "unreadable"), (8, GOOD_SUMMARY), (10, GOOD_SUMMARY)] {
        for count in [3_u16, 0x7fff, 0xffff] {
            let mut message = message(GOOD);
            message[count_at..count_at + 2].copy_from_slice(&count.to_be_bytes());
            assert_eq!(read(&message), meaning, "count {count} at {count_at}");
        }
    }
}

#[test]
fn rv13_an_opt_record_with_a_thousand_options_is_passed_over() {
    let options = "000f0000".repeat(1000);
    let text = format!("{} additional . 0 OPT \\# {options}", GOOD.replace("additional OPT 0", ""));
    assert_eq!(read(&message(&text)), GOOD_SUMMARY);
}

/// Each row: what it is, the owner name of an answer (at offset 29, after the question at 12), what
/// the message means.
#[test]
fn rv15_names() {
    let long = |last| {
        let label = |len: u8| [vec![len], vec![b'a'; len.into()]].concat();
        [63, 63, 63, last, 0].map(label).concat()
    };
    let rows: &[(&str, Vec<u8>, &str)] = &[
        ("uncompressed", b"\x03www\x07example\0".to_vec(), GOOD_SUMMARY),
        ("a pointer to the question", b"\xc0\x0c".to_vec(), GOOD_SUMMARY),
        ("a label, then a pointer", b"\x03www\xc0\x10".to_vec(), GOOD_SUMMARY),
        ("a pointer to itself", b"\xc0\x1d".to_vec(), "unreadable"),
        ("a pointer forward", b"\xc0\x1f".to_vec(), "unreadable"),
        ("a pointer past the end", b"\xff\xff".to_vec(), "unreadable"),
        ("a loop by way of a label", b"\x01a\xc0\x1d".to_vec(), "unreadable"),
        ("a pointer into the header", b"\xc0\x04".to_vec(), "empty, ttl none"),
        ("label type 01", b"\x41a\0".to_vec(), "unreadable"),
        ("label type 10", b"\x81a\0".to_vec(), "unreadable"),
        ("RV16 255 octets", long(61), "empty, ttl none"),
        ("256 octets", long(62), "unreadable"),
    ];
    for (what, owner, meaning) in rows {
        let mut message = message("question www.example A");
        message[7] = 1;
        message.extend_from_slice(owner);
        message.extend_from_slice(b"\0\x01\0\x01\0\0\x01\x2c\0\x04\xc0\0\x02\x01");
        assert_eq!(read(&message), *meaning, "{what}");
    }
}

/// A pointer may lead to a pointer (Knot DNS writes such), but not without end: after 127 a name is
/// malformed, so that a long row of pointers cannot be walked anew for each of thousands of
/// records.
#[test]
fn rv15_chains_of_pointers() {
    for (pointers, meaning) in [
        (1, GOOD_SUMMARY),
        (126, GOOD_SUMMARY),
        (127, GOOD_SUMMARY),
        (128, "unreadable"),
        (8000, "unreadable"),
    ] {
        let mut message = message("question www.example A");
        message[7] = 2;
        // A record of an unknown type, whose data are the pointers but the last.
        message.extend_from_slice(b"\0\xff\xf0\0\x01\0\0\0\0");
        message.extend_from_slice(&u16::try_from(2 * (pointers - 1)).unwrap().to_be_bytes());
        let mut target = 12;
        for _ in 1..pointers {
            let here = message.len();
            message.extend_from_slice(&(0xc000 | u16::try_from(target).unwrap()).to_be_bytes());
            target = here;
        }
        message.extend_from_slice(&(0xc000 | u16::try_from(target).unwrap()).to_be_bytes());
        message.extend_from_slice(b"\0\x01\0\x01\0\0\x01\x2c\0\x04\xc0\0\x02\x01");
        assert_eq!(read(&message), meaning, "{pointers} pointers");
    }
}

/// Whatever single bit of header and question is not as it was sent, the message is no answer to
/// this question, but for the bits that say something else.
#[test]
fn t01_no_bit_of_header_and_question_may_differ() {
    let good = message(GOOD);
    for bit in 0..29 * 8 {
        let (octet, mask) = (bit / 8, 0x80_u8 >> (bit % 8));
        let mut message = good.clone();
        message[octet] ^= mask;
        let meaning = read(&message);
        let want: &[&str] = match (octet, mask) {
            (0 | 1, _) => &["ignored: wrong_id"],
            (2, 0x80) => &["ignored: not_a_response"],
            (2, 0x02) => &["truncated: 192.0.2.1, ttl none"],
            // AA and RD; RA, Z, AD and CD; and the case of the letters in the name.
            (2, 0x04 | 0x01) | (3, 0x80 | 0x40 | 0x20 | 0x10) | (13..=15 | 17..=23, 0x20) => {
                &[GOOD_SUMMARY]
            }
            (2, _) => &["ignored: wrong_opcode"],
            (3, 0x08) => &["failure: RCODE8"],
            (3, 0x04) => &["failure: NOTIMP"],
            (3, 0x02) => &["failure: SERVFAIL"],
            (3, _) => &["formerr"],
            (4 | 5, _) => &["ignored: wrong_question"],
            // One more or less than there are; the records behind the answers are not needed.
            (6 | 7, _) => &["unreadable", "stray opt", "empty, ttl none"],
            (8..=11, _) => &[GOOD_SUMMARY, "stray opt"],
            _ => &["ignored: wrong_question", "ignored: malformed"],
        };
        assert!(want.contains(&&*meaning), "bit {mask:#04x} of octet {octet}: {meaning}");
    }
}

#[test]
fn ignored_kinds_have_a_place_and_a_name_each() {
    use Ignored::*;
    let all = [TooShort, WrongId, NotAResponse, WrongOpcode, WrongQuestion, Malformed];
    assert_eq!(all.len(), Ignored::COUNT);
    assert!(all.iter().enumerate().all(|(place, kind)| kind.index() == place));
    assert_eq!(all.iter().map(|&kind| reason(kind)).collect::<HashSet<_>>().len(), Ignored::COUNT);
}

#[test]
fn names_compare_and_hash_without_case() {
    let hasher = RandomState::new();
    let (lower, mixed) = (name("www.example"), name("wWw.EXAMPLE."));
    assert_eq!(lower, mixed);
    assert_eq!(hasher.hash_one(&lower), hasher.hash_one(&mixed));
    assert_ne!(lower, name("ww.wexample"));
}

#[test]
fn er08_names_from_the_network_print_no_control_bytes() {
    let wire = b"\x07a\x1b[31m\n\x04b.\\ \x02\xff\x7f\0";
    let name = query_name(wire);
    assert_eq!(name.to_string(), "a\\027[31m\\010.b\\.\\\\\\032.\\255\\127");
    assert_eq!(format!("{name:?}"), name.to_string());
    assert_eq!(name.to_host_name(), None);
}

#[test]
fn b21_only_a_host_name_becomes_one() {
    let rows: &[(&[u8], Option<&str>)] = &[
        (b"\x03www\x07example\0", Some("www.example")),
        (b"\x04_443\x04_TCP\x02x-\0", Some("_443._TCP.x-")),
        (b"\0", None),
        (b"\x01*\x07example\0", None),
        (b"\x03a.b\0", None),
        (b"\x01\0\0", None),
        (b"\x02\xc3\xa9\0", None),
        (b"\x03a b\0", None),
    ];
    for (wire, text) in rows {
        let host_name = query_name(wire).to_host_name();
        assert_eq!(host_name.as_ref().map(HostName::as_str), *text, "{wire:x?}");
    }
}
