//! What holds for every sequence of octets: no panic, and no answer taken that is none.
//!
//! A failure prints the octets; `PROPTEST_RNG_SEED` replays a whole run.

use std::net::IpAddr;

use domain::base::iana::{Class, Rtype};
use domain::base::record::ParsedRecord;
use domain::rdata::A;
use proptest::prelude::*;

use super::test_message::{message, query_name};
use super::*;
use crate::resolve::wire::answer::Outcome;

const ID: u16 = 0x1234;
const NAME: &[u8] = b"\x03www\x07example\0";

fn read(octets: &[u8], transport: Transport) -> Result<Response, Ignored> {
    let name = query_name(NAME);
    let record_type = RecordType::A;
    read_response(octets, Expected { id: ID, name: &name, record_type, transport, case: None })
}

/// Checks on the octets themselves what [`read_response`] found by parsing.
fn check(octets: &[u8]) -> Result<(), TestCaseError> {
    for transport in [Transport::Udp, Transport::Tcp] {
        let Ok(response) = read(octets, transport) else { continue };
        prop_assert_eq!(&octets[..2], &ID.to_be_bytes(), "the id");
        prop_assert_eq!(octets[2] & 0xf8, 0x80, "QR and opcode");
        if matches!(response, Response::Hint(_) | Response::Unreadable)
            && (octets.len() == 12 || octets[4..10] == [0; 6])
        {
            continue;
        }
        prop_assert_eq!(&octets[4..6], &[0, 1], "one question");
        prop_assert!(octets[12..25].eq_ignore_ascii_case(NAME), "the name");
        prop_assert_eq!(&octets[25..29], &[0, 1, 0, 1], "type A, class IN");
        let answer = match response {
            Response::Answer(answer) => Some(answer),
            Response::Truncated(last_resort) => last_resort.map(|answer| *answer),
            _ => None,
        };
        if let Some(answer) = answer {
            prop_assert!(matches!(octets[3] & 15, 0 | 3), "NOERROR or NXDOMAIN");
            prop_assert!(answer.links <= 16);
            if let Outcome::Addresses(addresses) = answer.outcome {
                prop_assert!(!addresses.is_empty());
                let there = addresses_by_domain(octets);
                for address in addresses {
                    prop_assert!(there.contains(&address), "{address} is not among {there:?}");
                }
            }
        }
    }
    Ok(())
}

/// The addresses of the answer section, whatever their owner, as the `domain` crate reads them.
fn addresses_by_domain(octets: &[u8]) -> Vec<IpAddr> {
    let message = domain::base::Message::from_slice(octets).expect("a header");
    // Of a truncated message, those before the cut.
    let records = message.answer().expect("a question").map_while(Result::ok);
    let is_in = |record: &ParsedRecord<'_, [u8]>| record.class() == Class::IN;
    let address =
        |record: ParsedRecord<'_, [u8]>| Some(record.to_record::<A>().ok()??.data().addr());
    records.filter(is_in).filter_map(address).map(IpAddr::from).collect()
}

/// Valid messages to begin with, one of each kind.
fn valid() -> impl Strategy<Value = Vec<u8>> {
    let question = "question www.example A";
    prop::sample::select(vec![
        message(&format!("{question}; answer www.example 300 A 192.0.2.1; additional OPT 0")),
        message(&format!(
            "{question}; answer www.example 300 CNAME web.example; \
             answer web.example 60 A 192.0.2.1; answer web.example 60 A 192.0.2.2; \
             authority example 60 NS ns.example; \
             additional ns.example 60 A 192.0.2.53; additional OPT 0"
        )),
        message(&format!("header 1234 ra NXDOMAIN; {question}; authority example 900 SOA 60")),
        message(&format!("header 1234 tc; {question}")),
        message("header 1234 REFUSED; additional OPT 0"),
    ])
}

#[derive(Clone, Debug)]
enum Change {
    Set(prop::sample::Index, u8),
    FlipBit(prop::sample::Index, u8),
    Point(prop::sample::Index, u16),
    Insert(prop::sample::Index, Vec<u8>),
    Remove(prop::sample::Index),
    Cut(prop::sample::Index),
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, octet)| Change::Set(at, octet)),
        (at(), 0..8_u8).prop_map(|(at, bit)| Change::FlipBit(at, bit)),
        (at(), 0..256_u16).prop_map(|(at, target)| Change::Point(at, target)),
        (at(), prop::collection::vec(any::<u8>(), 1..8))
            .prop_map(|(at, new)| Change::Insert(at, new)),
        at().prop_map(Change::Remove),
        at().prop_map(Change::Cut),
    ]
}

fn apply(octets: &mut Vec<u8>, change: Change) {
    if octets.len() < 2 {
        return;
    }
    match change {
        Change::Set(at, octet) => *at.get_mut(octets) = octet,
        Change::FlipBit(at, bit) => *at.get_mut(octets) ^= 1 << bit,
        Change::Point(at, target) => {
            let at = at.index(octets.len() - 1);
            octets[at..at + 2].copy_from_slice(&(0xc000 | target).to_be_bytes());
        }
        Change::Insert(at, new) => {
            let at = at.index(octets.len());
            octets.splice(at..at, new);
        }
        Change::Remove(at) => {
            octets.remove(at.index(octets.len()));
        }
        Change::Cut(at) => octets.truncate(at.index(octets.len())),
    }
}

/// A name of one to eight labels, of any octets.
fn wire_name() -> impl Strategy<Value = Vec<u8>> {
    let label = prop::collection::vec(any::<u8>(), 1..=24);
    prop::collection::vec(label, 1..=8).prop_map(|labels| {
        let mut wire = Vec::new();
        for label in labels {
            wire.push(u8::try_from(label.len()).expect("short"));
            wire.extend(label);
        }
        wire.push(0);
        wire
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    /// B04, CVE-2026-0915 of glibc: what memory held before went out in a query.
    #[test]
    fn rv20_a_query_is_a_function_of_id_name_type_and_options(
        id in any::<u16>(),
        wire in wire_name(),
        is_v6 in any::<bool>(),
        edns in any::<bool>(),
        trust_ad in any::<bool>(),
        before in [prop::collection::vec(any::<u8>(), 0..600), prop::collection::vec(any::<u8>(), 0..600)],
    ) {
        let (record_type, rtype) = if is_v6 {
            (RecordType::Aaaa, Rtype::AAAA)
        } else {
            (RecordType::A, Rtype::A)
        };
        let [one, other] = before.map(|mut buf| {
            write_query(&mut buf, id, &query_name(&wire), record_type, QueryOptions { edns, trust_ad, case: None });
            buf
        });
        prop_assert_eq!(&one, &other);
        let query = domain::base::Message::from_slice(&one).expect("a header");
        let header = query.header();
        prop_assert_eq!(header.id(), id);
        prop_assert!(header.rd() && header.ad() == trust_ad);
        prop_assert_eq!(u32::from_be_bytes(one[..4].try_into().unwrap()) & 0xfe_df, 0, "no other flag");
        let question = query.sole_question().expect("one question");
        prop_assert_eq!((question.qtype(), question.qclass()), (rtype, Class::IN));
        prop_assert_eq!(&one[12..12 + wire.len()], &wire[..], "the name in its own letters");
        prop_assert_eq!(query.opt().map(|opt| opt.udp_payload_size()), edns.then_some(UDP_PAYLOAD_SIZE));
        let opt = if edns { 11 } else { 0 };
        prop_assert_eq!(one.len(), 12 + wire.len() + 4 + opt, "and nothing else");
    }

    #[test]
    fn no_octets_panic(octets in prop::collection::vec(any::<u8>(), 0..600)) {
        check(&octets)?;
    }

    #[test]
    fn no_octets_after_a_true_header_and_question_panic(
        counts in [0..4_u8, 0..4_u8, 0..4_u8],
        rest in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut octets = message("question www.example A");
        for (place, count) in [7, 9, 11].into_iter().zip(counts) {
            octets[place] = count;
        }
        octets.extend(rest);
        check(&octets)?;
    }

    #[test]
    fn a_changed_message_is_taken_only_for_what_it_is(
        mut octets in valid(),
        changes in prop::collection::vec(change(), 1..6),
    ) {
        for change in changes {
            apply(&mut octets, change);
        }
        check(&octets)?;
    }
}
