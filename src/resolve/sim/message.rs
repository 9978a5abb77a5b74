//! Queries, as a nameserver reads them.

use domain::base::iana::Class;
use domain::base::{Name, Rtype};

use crate::resolve::error::{RecordType, Transport};
use crate::resolve::fuzzing::oracle;
use crate::testkit::{self, Asked, Message};

/// A query, as the nameserver read it.
#[derive(Clone, Debug)]
pub(super) struct Query {
    pub(super) id: u16,
    /// In lower case, without a final dot.
    pub(super) name: String,
    pub(super) wire_name: Vec<u8>,
    pub(super) record_type: RecordType,
    pub(super) transport: Transport,
    pub(super) edns: bool,
    /// As the messages of the test kit need it.
    pub(super) asked: Asked,
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
        let (id, name, wire_name) = (word(0), labels.join("."), bytes[12..=at].to_vec());
        let asked = Asked {
            id,
            qname: Name::from_octets(wire_name.clone()).expect("a name"),
            rtype: Rtype::from_int(word(at + 1)),
            class: Class::from_int(word(at + 3)),
            // Behind the owner and the type of the OPT record stands how much the asker takes.
            edns_size: edns.then(|| word(at + 8)),
            transport: match transport {
                Transport::Udp => testkit::Transport::Udp,
                Transport::Tcp => testkit::Transport::Tcp,
            },
            bytes: bytes.to_vec(),
        };
        Self { id, name, wire_name, record_type, transport, edns, asked }
    }

    /// As a nameserver reads it that does not keep the case of a question.
    pub(super) fn in_lower_case(&self) -> Self {
        Self { asked: self.asked.in_lower_case(), ..self.clone() }
    }

    /// The bytes of a message in response to it.
    pub(super) fn reply(&self, message: &Message) -> Vec<u8> {
        testkit::bytes(message, &self.asked, 0)
    }
}

impl From<&Query> for oracle::Asked {
    fn from(query: &Query) -> Self {
        Self {
            id: query.id,
            name: query.wire_name.clone(),
            record_type: query.record_type,
            transport: query.transport,
            is_mixed: false,
        }
    }
}
