//! From the answer section to addresses (RFC 1034 section 3.6.2, RFC 2308).

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;

use super::*;
use crate::resolve::Transport;
use crate::resolve::wire::message::test_message::{for_each_row, message, summary};
use crate::resolve::wire::message::{Expected, Ignored, Response, read_response};

fn read(name: &str, record_type: RecordType, message: &[u8]) -> Result<Response, Ignored> {
    let name = QueryName::from(&name.parse().unwrap());
    let (id, transport) = (0x1234, Transport::Tcp);
    read_response(message, Expected { id, name: &name, record_type, transport, case: None })
}

/// For the question `x.example A`.
const ANSWERS: &str = r"
two addresses, in the order of the packet, the least TTL
    answer x.example 300 A 192.0.2.2; answer x.example 60 A 192.0.2.1
    => 192.0.2.2 192.0.2.1, ttl 60
an address twice
    answer x.example 300 A 192.0.2.2; answer x.example 60 A 192.0.2.2
    => 192.0.2.2, ttl 60
T21 a TTL with its first bit set is zero
    answer x.example 2147483648 A 192.0.2.1
    => 192.0.2.1, ttl 0
T21 the greatest TTL
    answer x.example 2147483647 A 192.0.2.1
    => 192.0.2.1, ttl 2147483647
RV10 AAAA records in an answer for A
    answer x.example 300 AAAA 2001:db8::1; answer x.example 300 A 192.0.2.1
    => 192.0.2.1, ttl 300
RV10 an AAAA record alone
    answer x.example 300 AAAA 2001:db8::1
    => empty, ttl none
RV10 class CH
    answer x.example 300 CH A 192.0.2.1
    => empty, ttl none
RV10 three octets, five octets, none, then a good record
    answer x.example 1 A \# c00002; answer x.example 1 A \# c000020101; answer x.example 1 A \#
    answer x.example 300 A 192.0.2.1
    => 192.0.2.1, ttl 300
RV11 an address in the additional section
    additional x.example 300 A 192.0.2.1
    => empty, ttl none
RV11 an address in the authority section
    authority x.example 300 A 192.0.2.1
    => empty, ttl none
RV11 an alias in the authority section
    authority x.example 300 CNAME y.example; answer y.example 300 A 192.0.2.1
    => empty, ttl none
RV12 an address of another owner
    answer y.example 300 A 192.0.2.66; answer x.example 300 A 192.0.2.1
    => 192.0.2.1, ttl 300
RV12 an address of the parent, and of a child
    answer example 300 A 192.0.2.66; answer a.x.example 300 A 192.0.2.67
    => empty, ttl none
RRSIG and unknown types
    answer x.example 1 RRSIG \# 00; answer x.example 1 TYPE65400 \# ffff
    answer x.example 300 A 192.0.2.1
    => 192.0.2.1, ttl 300
the low octet of the type alone is not the type (CAA is 257)
    answer x.example 1 CAA \# c0000201
    => empty, ttl none
CN01 in order
    answer x.example 300 CNAME y.example; answer y.example 200 CNAME z.example
    answer z.example 400 A 192.0.2.1
    => 192.0.2.1, ttl 200, chain of 2 to z.example
CN01 reversed
    answer z.example 400 A 192.0.2.1; answer y.example 300 CNAME z.example
    answer x.example 200 CNAME y.example
    => 192.0.2.1, ttl 200, chain of 2 to z.example
CN01 shuffled
    answer y.example 200 CNAME z.example; answer z.example 400 A 192.0.2.1
    answer x.example 300 CNAME y.example
    => 192.0.2.1, ttl 200, chain of 2 to z.example
CN01 other letters
    answer X.example 300 CNAME y.EXAMPLE; answer Y.example 200 CNAME z.example
    answer Z.Example 400 A 192.0.2.1
    => 192.0.2.1, ttl 200, chain of 2 to z.example
an alias of another owner
    answer w.example 1 CNAME y.example; answer y.example 1 A 192.0.2.66
    answer x.example 300 A 192.0.2.1
    => 192.0.2.1, ttl 300
two aliases of one owner: the first
    answer x.example 300 CNAME y.example; answer x.example 1 CNAME w.example
    answer y.example 300 A 192.0.2.1; answer w.example 1 A 192.0.2.66
    => 192.0.2.1, ttl 300, chain of 1 to y.example
an alias of class CH
    answer x.example 300 CH CNAME y.example; answer y.example 300 A 192.0.2.66
    => empty, ttl none
CN02 an alias alone
    answer x.example 300 CNAME y.example; answer y.example 200 CNAME z.example
    => alias z.example, ttl 200, chain of 2 to z.example
CN02 an alias, and the word that its end has no address
    answer x.example 300 CNAME y.example; authority example 900 SOA 60
    => nodata, ttl 60, chain of 1 to y.example
CN02 an alias out of the zone, SOA of the first zone
    answer x.example 300 CNAME y.test; authority example 900 SOA 60
    => alias y.test, ttl 300, chain of 1 to y.test
CN03 a loop of one
    answer x.example 300 CNAME x.example
    => alias loop, ttl none
CN03 a loop of two
    answer x.example 300 CNAME y.example; answer y.example 300 CNAME x.example
    => alias loop, ttl none, chain of 1 to y.example
CN03 a loop of three that the question is not on
    answer x.example 1 CNAME a.example; answer a.example 1 CNAME b.example
    answer b.example 1 CNAME c.example; answer c.example 1 CNAME a.example
    => alias loop, ttl none, chain of 3 to c.example
CN04 an alias and an address at one owner
    answer x.example 300 CNAME y.example; answer x.example 60 A 192.0.2.1
    => 192.0.2.1, ttl 60, chain of 1 to y.example
CN04 the same with a loop
    answer x.example 300 CNAME x.example; answer x.example 60 A 192.0.2.1
    => 192.0.2.1, ttl 60
CN06 an alias to a wildcard
    answer x.example 300 CNAME *.example; answer *.example 300 A 192.0.2.1
    => 192.0.2.1, ttl 300, chain of 1 to x.example
CN06 an alias to octets that are no text, then to a host name
    answer x.example 300 CNAME \255\000.example; answer \255\000.example 300 CNAME y.example
    answer y.example 300 A 192.0.2.1
    => 192.0.2.1, ttl 300, chain of 2 to y.example
CN06 an alias to octets that are no text, alone
    answer x.example 300 CNAME \027.example
    => alias \027.example, ttl 300, chain of 1 to x.example
B22 an alias to a name with underscores
    answer x.example 300 CNAME _y._tcp.example; answer _y._tcp.example 300 A 192.0.2.1
    => 192.0.2.1, ttl 300, chain of 1 to _y._tcp.example
CN07 DNAME and the alias made from it
    answer example 30 DNAME test; answer x.example 20 CNAME x.test; answer x.test 300 A 192.0.2.1
    => 192.0.2.1, ttl 20, chain of 1 to x.test
CC03 NXDOMAIN with a SOA record: its MINIMUM
    header 1234 ra NXDOMAIN; authority example 900 SOA 60
    => nxdomain, ttl 60
CC03 NXDOMAIN with a SOA record: its TTL
    header 1234 ra NXDOMAIN; authority . 30 SOA 86400
    => nxdomain, ttl 30
CC03 a SOA record of another zone
    header 1234 ra NXDOMAIN; authority y.example 900 SOA 60; authority test 900 SOA 60
    => nxdomain, ttl none
NODATA, two SOA records: the lesser TTL, which comes first
    authority example 900 SOA 30; authority example 900 SOA 60
    => nodata, ttl 30
NODATA, a SOA record of class CH
    authority example 900 CH SOA 60
    => empty, ttl none
NODATA, two SOA records: the lesser TTL, which comes last
    authority example 900 SOA 60; authority example 900 SOA 30
    => nodata, ttl 30
T21 a negative TTL with its first bit set is zero
    header 1234 ra NXDOMAIN; authority example 900 SOA 4294967295
    => nxdomain, ttl 0
NXDOMAIN after an alias: the end of the chain does not exist
    header 1234 ra NXDOMAIN; answer x.example 20 CNAME y.test; authority test 900 SOA 60
    => nxdomain, ttl 20, chain of 1 to y.test
NXDOMAIN with an address
    header 1234 ra NXDOMAIN; answer x.example 300 A 192.0.2.1
    => nxdomain, ttl none
";

#[test]
fn what_an_answer_section_holds() {
    for_each_row(ANSWERS, |what, text, meaning| {
        let header = if text.starts_with("header") { "" } else { "header 1234 rd ra;" };
        let message = message(&format!("{header} question x.example A; {text}"));
        assert_eq!(summary(read("x.example", RecordType::A, &message)), meaning, "{what}: {text}");
    });
}

#[test]
fn cn05_an_alias_without_an_aaaa_record() {
    let text = "question x.example AAAA; answer x.example 300 CNAME y.example; \
                answer y.example 300 A 192.0.2.1; authority example 900 SOA 60";
    let meaning = summary(read("x.example", RecordType::Aaaa, &message(text)));
    assert_eq!(meaning, "nodata, ttl 60, chain of 1 to y.example");
}

#[test]
fn aaaa_records_have_sixteen_octets() {
    let text = r"
        question x.example AAAA
        answer x.example 1 AAAA \# c0000201
        answer x.example 1 AAAA \# 20010db80000000000000000000000
        answer x.example 300 AAAA 2001:db8::1";
    let meaning = summary(read("x.example", RecordType::Aaaa, &message(text)));
    assert_eq!(meaning, "2001:db8::1, ttl 300");
}

#[test]
fn cn03_rr09_sixteen_links_and_no_more() {
    for (links, meaning) in [
        (12, "192.0.2.1, ttl 300, chain of 12 to x12.example"),
        (16, "192.0.2.1, ttl 300, chain of 16 to x16.example"),
        (17, "alias chain too long, ttl none, chain of 16 to x16.example"),
        // More CNAME records than are looked at, with the first links last.
        (100, "alias chain too long, ttl none"),
    ] {
        let alias = |i| format!("answer x{i}.example 300 CNAME x{}.example;", i + 1);
        let aliases: String = (0..links).rev().map(alias).collect();
        let address = format!("answer x{links}.example 300 A 192.0.2.1");
        let message = message(&format!("question x0.example A; {aliases} {address}"));
        assert_eq!(summary(read("x0.example", RecordType::A, &message)), meaning, "{links}");
    }
}

#[test]
fn b17_a_broken_cname_record_makes_the_answer_unreadable() {
    for text in [
        r"answer x.example 300 CNAME \#",
        r"answer x.example 300 CNAME \# 0161",
        r"answer x.example 300 CNAME \# 01610000",
        r"answer x.example 300 CNAME \# c0ff",
    ] {
        let message = message(&format!("question x.example A; {text}"));
        let response = read("x.example", RecordType::A, &message);
        assert_eq!(response, Ok(Response::Unreadable), "{text}");
    }
}

#[test]
fn b36_thousands_of_addresses_each_once() {
    let address = |i: u32| Ipv4Addr::from(0xc000_0200 + i);
    for (what, hosts) in [
        ("all different", (0..4000).rev().collect::<Vec<_>>()),
        ("each twice", (0..2000).rev().chain(0..2000).collect()),
        ("one, over and over", vec![0; 4000]),
    ] {
        let answer = |&i: &u32| format!("answer x.example 300 A {};", address(i));
        let answers: String = hosts.iter().map(answer).collect();
        let message = message(&format!("question x.example A; {answers}"));
        let Ok(Response::Answer(answer)) = read("x.example", RecordType::A, &message) else {
            panic!("{what}: not an answer")
        };
        let last = hosts.iter().max().unwrap();
        let want = (0..=*last).rev().map(|i| IpAddr::from(address(i))).collect();
        assert_eq!(answer.outcome, Outcome::Addresses(want), "{what}");
    }
}

/// A record of a generated answer: an owner, and an address or a target.
#[derive(Clone, Copy, Debug)]
enum Generated {
    Address(u8, u8),
    OtherType(u8),
    Alias(u8, u8),
}

fn generated() -> impl Strategy<Value = Generated> {
    prop_oneof![
        (0..8_u8, 1..9_u8).prop_map(|(owner, host)| Generated::Address(owner, host)),
        (0..8_u8).prop_map(Generated::OtherType),
        (0..8_u8, 0..8_u8).prop_map(|(owner, target)| Generated::Alias(owner, target)),
    ]
}

fn to_line(record: Generated) -> String {
    let (owner, ttl, data) = match record {
        Generated::Address(owner, host) => (owner, 60, format!("A 192.0.2.{host}")),
        Generated::OtherType(owner) => (owner, 5, "AAAA 2001:db8::1".to_owned()),
        Generated::Alias(owner, target) => (owner, 60, format!("CNAME n{target}.example")),
    };
    format!("answer n{owner}.example {ttl} {data};")
}

/// The outcome by the plainest of means, from the records and not from the octets.
fn model(records: &[Generated]) -> String {
    let mut aliases = BTreeMap::new();
    for record in records {
        if let Generated::Alias(owner, target) = record {
            aliases.entry(owner).or_insert(target);
        }
    }
    let (mut chain, mut is_loop) = (vec![0], false);
    while let Some(&&target) = aliases.get(chain.last().unwrap()) {
        is_loop = chain.contains(&target);
        if is_loop {
            break;
        }
        chain.push(target);
    }
    let mut addresses = Vec::new();
    for record in records {
        if let Generated::Address(owner, host) = record
            && chain.contains(owner)
            && !addresses.contains(host)
        {
            addresses.push(*host);
        }
    }
    let end = chain.last().unwrap();
    let outcome = if !addresses.is_empty() {
        addresses.iter().map(|host| format!("192.0.2.{host}")).collect::<Vec<_>>().join(" ")
    } else if is_loop {
        "alias loop".into()
    } else if chain.len() > 1 {
        format!("alias n{end}.example")
    } else {
        "empty".into()
    };
    let ttl = if ["alias loop", "empty"].contains(&&*outcome) { "none" } else { "60" };
    let via = match chain.len() - 1 {
        0 => String::new(),
        links => format!(", chain of {links} to n{end}.example"),
    };
    format!("{outcome}, ttl {ttl}{via}")
}

proptest! {
    #[test]
    fn an_answer_is_what_the_model_says(records in prop::collection::vec(generated(), 0..20)) {
        let text: String = records.iter().copied().map(to_line).collect();
        let message = message(&format!("question n0.example A; {text}"));
        prop_assert_eq!(summary(read("n0.example", RecordType::A, &message)), model(&records));
    }
}
