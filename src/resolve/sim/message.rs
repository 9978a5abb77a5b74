//! Messages as nameservers write them, well formed or not.

use std::net::IpAddr;

use crate::resolve::error::{RecordType, Transport};
use crate::resolve::fuzzing::oracle::Asked;

/// A query, as the nameserver read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) id: u16,
    /// In lower case, without a final dot.
    pub(super) name: String,
    pub(super) wire_name: Vec<u8>,
    pub(super) record_type: RecordType,
    pub(super) transport: Transport,
    pub(super) edns: bool,
    pub(super) bytes: Vec<u8>,
}

impl Query {
    /// Reads what the resolver sent, and insists that it is a proper query.
    pub(super) fn read(bytes: &[u8], transport: Transport) -> Self {
        let word = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        assert_eq!(bytes[2] & 0xf8, 0, "a standard query");
        assert_eq!((word(4), word(6), word(8)), (1, 0, 0), "one question, nothing else");
        let (mut at, mut labels) = (12, Vec::new());
        while bytes[at] != 0 {
            let end = at + 1 + usize::from(bytes[at]);
            labels.push(String::from_utf8_lossy(&bytes[at + 1..end]).to_lowercase());
            at = end;
        }
        let record_type = match word(at + 1) {
            1 => RecordType::A,
            28 => RecordType::Aaaa,
            other => panic!("asked for type {other}"),
        };
        let edns = word(10) == 1;
        assert_eq!(bytes.len(), at + 5 + if edns { 11 } else { 0 });
        let (name, wire_name) = (labels.join("."), bytes[12..=at].to_vec());
        Self { id: word(0), name, wire_name, record_type, transport, edns, bytes: bytes.to_vec() }
    }
}

impl From<&Query> for Asked {
    fn from(query: &Query) -> Self {
        Self {
            id: query.id,
            name: query.wire_name.clone(),
            record_type: query.record_type,
            transport: query.transport,
        }
    }
}

/// A response under construction. Starts as a recursive nameserver's empty NOERROR.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "bits of a header")]
#[expect(clippy::struct_field_names, reason = "the bit is called so")]
pub(super) struct Response {
    pub(super) id: u16,
    pub(super) is_response: bool,
    pub(super) is_authoritative: bool,
    pub(super) recurses: bool,
    pub(super) is_truncated: bool,
    pub(super) opcode: u8,
    pub(super) z: bool,
    pub(super) rcode: u16,
    pub(super) questions: Vec<(String, u16, u16)>,
    pub(super) answers: Vec<(String, Data)>,
    pub(super) has_soa: bool,
    pub(super) has_opt: bool,
    /// Of every record, in seconds.
    pub(super) ttl: u32,
    /// Octets behind the last record.
    pub(super) trailing: Vec<u8>,
}

#[derive(Clone, Debug)]
pub(super) enum Data {
    Address(IpAddr),
    Alias(String),
}

impl Response {
    pub(super) fn to(query: &Query) -> Self {
        let rtype = if query.record_type == RecordType::A { 1 } else { 28 };
        Self {
            id: query.id,
            is_response: true,
            is_authoritative: false,
            recurses: true,
            is_truncated: false,
            opcode: 0,
            z: false,
            rcode: 0,
            questions: vec![(query.name.clone(), rtype, 1)],
            answers: Vec::new(),
            has_soa: false,
            has_opt: query.edns,
            ttl: 300,
            trailing: Vec::new(),
        }
    }

    pub(super) fn address(mut self, owner: &str, ip: IpAddr) -> Self {
        self.answers.push((owner.to_owned(), Data::Address(ip)));
        self
    }

    pub(super) fn alias(mut self, owner: &str, target: &str) -> Self {
        self.answers.push((owner.to_owned(), Data::Alias(target.to_owned())));
        self
    }

    pub(super) fn rcode(mut self, rcode: u16) -> Self {
        self.rcode = rcode;
        self
    }

    /// The header alone, with no question in it.
    pub(super) fn header_alone(mut self) -> Vec<u8> {
        self.questions.clear();
        self.answers.clear();
        (self.has_soa, self.has_opt) = (false, false);
        self.bytes()
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut out = self.id.to_be_bytes().to_vec();
        out.push(
            u8::from(self.is_response) << 7
                | self.opcode << 3
                | u8::from(self.is_authoritative) << 2
                | u8::from(self.is_truncated) << 1
                | 1,
        );
        let [_, low_rcode] = (self.rcode & 15).to_be_bytes();
        out.push(u8::from(self.recurses) << 7 | u8::from(self.z) << 6 | low_rcode);
        let counts =
            [self.questions.len(), self.answers.len(), self.has_soa.into(), self.has_opt.into()];
        for count in counts {
            out.extend(u16::try_from(count).unwrap().to_be_bytes());
        }
        for (name, rtype, class) in &self.questions {
            out.extend(wire(name));
            out.extend(rtype.to_be_bytes());
            out.extend(class.to_be_bytes());
        }
        for (owner, data) in &self.answers {
            let (rtype, data) = match data {
                Data::Address(IpAddr::V4(ip)) => (1, ip.octets().to_vec()),
                Data::Address(IpAddr::V6(ip)) => (28, ip.octets().to_vec()),
                Data::Alias(target) => (5, wire(target)),
            };
            out.extend(record(owner, rtype, self.ttl, &data));
        }
        if self.has_soa {
            let soa = [wire("ns"), wire("admin"), vec![0; 16], 60_u32.to_be_bytes().to_vec()];
            out.extend(record("", 6, self.ttl, &soa.concat()));
        }
        if self.has_opt {
            let [upper, _] = (self.rcode << 4).to_be_bytes();
            out.extend([0, 0, 41, 4, 208, upper, 0, 0, 0, 0, 0]);
        }
        out.extend(&self.trailing);
        out
    }
}

fn record(owner: &str, rtype: u16, ttl: u32, data: &[u8]) -> Vec<u8> {
    let mut out = wire(owner);
    out.extend(rtype.to_be_bytes());
    out.extend(1_u16.to_be_bytes());
    out.extend(ttl.to_be_bytes());
    out.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
    out.extend(data);
    out
}

fn wire(name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        out.push(u8::try_from(label.len()).unwrap());
        out.extend(label.bytes());
    }
    out.push(0);
    out
}

/// A message with its length in front, as it travels over TCP.
pub(super) fn framed(message: &[u8]) -> Vec<u8> {
    let len = u16::try_from(message.len()).unwrap().to_be_bytes();
    [&len[..], message].concat()
}
