//! What the targets need that is no part of the crate: `hickory-proto` as a third reader of
//! messages.

use std::net::IpAddr;

use hickory_proto::op::{Message, MessageType};
use hickory_proto::rr::{Name, RData};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};
use outrace::fuzzing::oracle;

/// Where hickory-proto reads a message, its records mean what our reader found.
///
/// It refuses more than we do, such as data of other types that is no such data. So this says
/// something in one direction alone; the oracle in the crate says it in both.
pub fn message(bytes: &[u8]) {
    let case = outrace::fuzzing::message(bytes);
    let mut decoder = BinDecoder::new(&case.octets);
    match Message::read(&mut decoder) {
        Ok(message) => case.compare(&lists(&message, &case.octets, !decoder.is_empty())),
        Err(error) => assert!(!case.without_edns, "hickory-proto refuses a valid message: {error}"),
    }
}

/// A message as lists.
fn lists(message: &Message, octets: &[u8], has_trailing: bool) -> oracle::Message {
    let metadata = &message.metadata;
    let bit = |is_set: bool, place: u16| u16::from(is_set) << place;
    // The code in the header has the lower bits alone; the others come from the OPT record.
    let flags = bit(metadata.message_type == MessageType::Response, 15)
        | u16::from(u8::from(metadata.op_code)) << 11
        | bit(metadata.authoritative, 10)
        | bit(metadata.truncation, 9)
        | bit(metadata.recursion_available, 7)
        | u16::from(metadata.response_code.low());
    // hickory-proto keeps no counts, and takes the OPT record out of its section.
    let count = |at: usize| u16::from_be_bytes([octets[at], octets[at + 1]]);
    let questions = message
        .queries
        .iter()
        .map(|query| (wire(query.name()), query.query_type().into(), query.query_class().into()));
    let mut additionals: Vec<_> = message.additionals.iter().map(record).collect();
    additionals.extend(message.edns.as_ref().map(|edns| oracle::Record {
        owner: vec![0],
        rtype: 41,
        class: edns.max_payload(),
        ttl: u32::from(edns.rcode_high()) << 24,
        data: oracle::Data::Other,
    }));
    oracle::Message {
        id: metadata.id,
        flags,
        counts: [4, 6, 8, 10].map(count),
        questions: Some(questions.collect()),
        answers: message.answers.iter().map(record).collect(),
        has_all_answers: true,
        rest: (!has_trailing).then(|| oracle::Rest {
            authorities: message.authorities.iter().map(record).collect(),
            additionals,
        }),
        has_many_pointers: false,
    }
}

fn record(record: &hickory_proto::rr::Record) -> oracle::Record {
    use oracle::Data;
    oracle::Record {
        owner: wire(&record.name.to_lowercase()),
        rtype: record.record_type().into(),
        class: record.dns_class.into(),
        ttl: record.ttl,
        data: match &record.data {
            RData::A(a) => Data::Address(IpAddr::V4(a.0)),
            RData::AAAA(aaaa) => Data::Address(IpAddr::V6(aaaa.0)),
            RData::CNAME(target) => Data::Target(wire(&target.0.to_lowercase())),
            RData::SOA(soa) => Data::Minimum(soa.minimum),
            _ => Data::Other,
        },
    }
}

/// A name in wire form.
fn wire(name: &Name) -> oracle::Name {
    let mut wire = oracle::Name::with_capacity(name.len());
    for label in name.iter() {
        wire.push(label.len() as u8);
        wire.extend_from_slice(label);
    }
    wire.push(0);
    wire
}
