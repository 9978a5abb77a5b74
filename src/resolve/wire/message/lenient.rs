//! What is not as it should be, and is used for what it says: a forger who has guessed the id, the
//! port and the question gains nothing by any of it, since a whole answer would be taken as well.

use super::test_message::{for_each_row, message, query_name, summary};
use super::*;

const NAME: &[u8] = b"\x03www\x07example\0";

fn read_over(transport: Transport, octets: &[u8]) -> String {
    let name = &query_name(NAME);
    let record_type = RecordType::A;
    summary(read_response(
        octets,
        Expected { id: 0x1234, name, record_type, transport, case: None },
    ))
}

fn read(octets: &[u8]) -> String {
    read_over(Transport::Udp, octets)
}

/// For the question `www.example A`, asked over UDP.
fn check(table: &str) {
    for_each_row(table, |what, text, meaning| {
        assert_eq!(read(&message(text)), meaning, "{what}: {text}");
        // Whatever it is: under another id or another question it is nothing.
        let other_id = [&[0x43, 0x21][..], &message(text)[2..]].concat();
        assert_eq!(read(&other_id), "ignored: wrong_id", "{what}: {text}");
        if text.contains("question www.example A") {
            let other = text.replace("question www.example A", "question mail.example A");
            assert_eq!(read(&message(&other)), "ignored: wrong_question", "{what}: {other}");
        }
    });
}

#[test]
fn rr03_an_opt_record_out_of_place_says_that_edns_is_not_known() {
    check(
        r"
the query's OPT record, counted as the answer
    question www.example A; answer . 0 OPT \#; additional www.example 300 A 192.0.2.1
    => stray opt
in the answer section beside the address
    question www.example A; answer www.example 300 A 192.0.2.1; answer . 0 OPT \#
    => stray opt
in the authority section
    question www.example A; answer www.example 300 A 192.0.2.1; authority . 0 OPT \#
    => stray opt
with an error
    header 1234 ra SERVFAIL; question www.example A; answer . 0 OPT \#
    => stray opt
",
    );
}

#[test]
fn rr08_a_soa_record_that_cannot_be_read_gives_no_negative_ttl() {
    check(
        r"
NXDOMAIN
    header 1234 ra NXDOMAIN; question www.example A; authority example 300 SOA \# 000000000000
    => nxdomain, ttl none
NODATA
    question www.example A; authority example 300 SOA \# 000000000000
    => empty, ttl none
an address
    question www.example A; answer www.example 300 A 192.0.2.1
    authority example 300 SOA \# 000000000000
    => 192.0.2.1, ttl 300
beside one that can be read
    question www.example A
    authority example 300 SOA \# 000000000000; authority example 300 SOA 60
    => nodata, ttl 60
",
    );
}

#[test]
fn rr08_addresses_are_used_whatever_comes_behind_them() {
    let text = "question www.example A; answer www.example 300 CNAME web.example; \
                answer web.example 60 A 192.0.2.1; authority example 60 NS ns.example; \
                additional ns.example 60 A 192.0.2.53; additional OPT 0";
    let used = "192.0.2.1, ttl 60, chain of 1 to web.example";
    let whole = message(text);
    let with = |at: usize, octets: &[u8]| {
        let mut changed = whole.clone();
        changed[at..at + octets.len()].copy_from_slice(octets);
        changed
    };
    assert_eq!(read(&[&whole[..], b"\0\0\0"].concat()), used, "trailing octets");
    assert_eq!(read(&with(10, &[0, 3])), used, "an additional record too many");
    assert_eq!(read(&with(8, &[0xff, 0xff])), used, "65,535 authority records");
    assert_eq!(read(&with(10, &[0, 1])), used, "an additional record too few");
    // Every cut behind the answer section, as one at 512 octets without the TC bit, and every one
    // before it.
    let answer_end = 29 + 18 + 16;
    for len in 29..whole.len() {
        let meaning = if len < answer_end { "unreadable" } else { used };
        assert_eq!(read(&whole[..len]), meaning, "the first {len} octets");
    }
    // Over TCP the TC bit is no reason to keep it.
    let truncated = with(2, &[whole[2] | 2]);
    let kept_for_none = used.replace("ttl 60", "ttl none");
    assert_eq!(read_over(Transport::Tcp, &truncated), kept_for_none);
    assert_eq!(read_over(Transport::Tcp, &truncated[..answer_end]), kept_for_none);
}

#[test]
fn rr10_a_referral_and_an_empty_response_are_no_confirmed_nodata() {
    check(
        r"
a referral of one that recurses
    header 1234 ra; question www.example A; authority example 300 NS ns.example
    => empty, ttl none
a referral of one that is authoritative
    header 1234 aa; question www.example A; authority example 300 NS ns.example
    => empty, ttl none
an OPT record alone
    header 1234; question www.example A; additional OPT 0
    => empty, ttl none
nothing at all
    header 1234 ra; question www.example A
    => empty, ttl none
the SOA record of another zone
    header 1234 ra; question www.example A; authority test 300 SOA 60
    => empty, ttl none
a SOA record makes it NODATA
    header 1234; question www.example A; authority example 300 NS ns.example
    authority example 300 SOA 60
    => nodata, ttl 60
an authoritative nameserver makes it NODATA, RFC 2308 section 2.2.1
    header 1234 aa; question www.example A
    => nodata, ttl none
",
    );
}

#[test]
fn rr12_what_is_whole_of_a_truncated_answer_is_a_last_resort() {
    let text = "header 1234 ra tc; question www.example A; \
                answer www.example 300 A 192.0.2.1; answer www.example 300 A 192.0.2.2";
    let whole = message(text);
    for len in 29..=whole.len() {
        let meaning = match len {
            0..45 => "truncated",
            45..61 => "truncated: 192.0.2.1, ttl none",
            _ => "truncated: 192.0.2.1 192.0.2.2, ttl none",
        };
        assert_eq!(read(&whole[..len]), meaning, "the first {len} octets");
    }
    check(
        r"
of another name
    header 1234 ra tc; question www.example A; answer bank.example 300 A 192.0.2.1
    => truncated
of a name that does not exist
    header 1234 ra tc NXDOMAIN; question www.example A; answer www.example 300 A 192.0.2.1
    => truncated
",
    );
}

#[test]
fn rr13_a_truncated_header_alone_leads_to_tcp() {
    check(
        r"
a header
    header 1234 ra tc
    => unreadable
a header and an OPT record
    header 1234 ra tc; additional OPT 0
    => unreadable
with an answer and no question
    header 1234 ra tc; answer www.example 300 A 192.0.2.1
    => ignored: wrong_question
",
    );
    let header = message("header 1234 ra tc");
    assert_eq!(read_over(Transport::Tcp, &header), "ignored: wrong_question");
}
