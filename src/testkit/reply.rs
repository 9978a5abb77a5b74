//! From a query and a scripted message to bytes.
//!
//! Whatever is well formed is built by `domain`'s [`MessageBuilder`]; faults are put in afterwards,
//! byte by byte.

use domain::base::iana::{Class, OptRcode};
use domain::base::message_builder::{AdditionalBuilder, RecordSectionBuilder};
use domain::base::opt::Padding;
use domain::base::rdata::UnknownRecordData;
use domain::base::{
    Message as DnsMessage, MessageBuilder, Name, Rtype, StaticCompressor, ToName, Ttl,
};

use super::Transport;
use super::script::{
    FORGED_V4, FORGED_V6, Message, Origin, OwnedName, QuestionSection, ScriptedRecord, Section,
};

type Builder = AdditionalBuilder<StaticCompressor<Vec<u8>>>;

/// A query, as far as a response needs it.
#[derive(Clone, Debug)]
pub struct Asked {
    pub id: u16,
    /// In the case in which it came.
    pub qname: OwnedName,
    pub rtype: Rtype,
    pub class: Class,
    pub edns_size: Option<u16>,
    pub transport: Transport,
    /// The query as it came.
    pub bytes: Vec<u8>,
}

impl Asked {
    /// Reads a query with one question.
    pub fn read(bytes: &[u8], transport: Transport) -> Option<Self> {
        let message = DnsMessage::from_octets(bytes).ok()?;
        if message.header().qr() || message.header_counts().qdcount() != 1 {
            return None;
        }
        let question = message.sole_question().ok()?;
        Some(Self {
            id: message.header().id(),
            qname: question.qname().to_name(),
            rtype: question.qtype(),
            class: question.qclass(),
            edns_size: message.opt().map(|opt| opt.udp_payload_size()),
            transport,
            bytes: bytes.to_vec(),
        })
    }

    /// As a nameserver reads it that does not keep the case of a question.
    #[must_use]
    pub fn in_lower_case(&self) -> Self {
        Self { qname: recased(&self.qname, u8::to_ascii_lowercase), ..self.clone() }
    }

    /// The longest response that the asker takes.
    fn limit(&self) -> usize {
        match (self.transport, self.edns_size) {
            (Transport::Tcp, _) => usize::from(u16::MAX),
            // RFC 1035 section 4.2.1; RFC 6891 section 6.2.3: lower values count as 512.
            (Transport::Udp, None) => 512,
            (Transport::Udp, Some(size)) => usize::from(size.max(512)),
        }
    }
}

/// The bytes of `message` as the `copy`-th (from 0) response to `asked`.
pub fn bytes(message: &Message, asked: &Asked, copy: usize) -> Vec<u8> {
    let forged;
    let message = if message.is_forged() && message.records.is_empty() && message.raw.is_none() {
        forged = with_forged_address(message, asked.rtype);
        &forged
    } else {
        message
    };

    let mut bytes = match &message.raw {
        _ if message.echo => asked.bytes.clone(),
        Some(raw) => raw.clone(),
        None => built(message, asked),
    };
    let id = if message.wrong_id {
        // Never the true one, and another for each of up to 65,535 copies.
        #[expect(clippy::cast_possible_truncation, reason = "reduced first")]
        asked.id.wrapping_add((copy % 0xffff) as u16 + 1)
    } else {
        asked.id
    };
    if let Some(place) = bytes.get_mut(..2) {
        place.copy_from_slice(&id.to_be_bytes());
    }
    if message.header_only {
        bytes.truncate(12);
        bytes[4..].fill(0);
    }
    if let Some(ancount) = message.ancount {
        bytes[6..8].copy_from_slice(&ancount.to_be_bytes());
    }
    bytes.extend(&message.trailing);
    if let Some(cut) = message.cut {
        bytes.truncate(cut);
    }
    bytes
}

fn with_forged_address(message: &Message, rtype: Rtype) -> Message {
    let addr = if rtype == Rtype::AAAA { FORGED_V6.into() } else { FORGED_V4.into() };
    Message { records: vec![ScriptedRecord::address(addr)], ..message.clone() }
}

/// The well-formed part, truncated if the asker does not take it whole.
fn built(message: &Message, asked: &Asked) -> Vec<u8> {
    let bytes = filled_up(message, asked);
    if bytes.len() <= asked.limit() || message.oversize || message.origin != Origin::Server {
        return bytes;
    }
    build(&Message { tc: true, records: Vec::new(), ..message.clone() }, asked, None)
}

/// With an EDNS padding option that makes it as long as the script asks for.
fn filled_up(message: &Message, asked: &Asked) -> Vec<u8> {
    let Some(size) = message.size else { return build(message, asked, None) };
    let least = build(message, asked, Some(0)).len();
    let padding = size.checked_sub(least).expect("`size` has room for the records");
    build(message, asked, Some(padding))
}

fn build(message: &Message, asked: &Asked, padding: Option<usize>) -> Vec<u8> {
    let mut builder = MessageBuilder::from_target(StaticCompressor::new(Vec::new()))
        .expect("a vector has room for a header");
    let header = builder.header_mut();
    header.set_qr(message.qr);
    header.set_opcode(message.opcode);
    header.set_aa(message.aa);
    header.set_tc(message.tc);
    header.set_rd(true);
    header.set_ra(message.ra);
    header.set_z(message.z);
    header.set_rcode(message.rcode.rcode());

    let mut question = builder.question();
    for (name, rtype, class) in questions(message, asked) {
        question.push((name, rtype, class)).expect("room for the question");
    }
    let mut answer = question.answer();
    push(&mut answer, Section::Answer, message, asked);
    let mut authority = answer.authority();
    push(&mut authority, Section::Authority, message, asked);
    let mut additional = authority.additional();
    push(&mut additional, Section::Additional, message, asked);

    let opts = message.opts.unwrap_or_else(|| {
        usize::from(asked.edns_size.is_some() || message.rcode.is_ext() || padding.is_some())
    });
    for _ in 0..opts {
        push_opt(&mut additional, message.rcode, padding);
    }
    additional.finish().into_target()
}

fn questions(message: &Message, asked: &Asked) -> Vec<(OwnedName, Rtype, Class)> {
    let as_asked = (asked.qname.clone(), asked.rtype, asked.class);
    match &message.question {
        QuestionSection::Echo => vec![as_asked],
        QuestionSection::Uppercase => {
            vec![(recased(&as_asked.0, u8::to_ascii_uppercase), as_asked.1, as_asked.2)]
        }
        QuestionSection::Lowercase => {
            vec![(recased(&as_asked.0, u8::to_ascii_lowercase), as_asked.1, as_asked.2)]
        }
        QuestionSection::None => Vec::new(),
        QuestionSection::Twice => vec![as_asked.clone(), as_asked],
        QuestionSection::Other(name, rtype) => vec![(name.clone(), *rtype, asked.class)],
        QuestionSection::OtherClass(class) => vec![(as_asked.0, as_asked.1, *class)],
    }
}

/// Length bytes are at most 63, so that only letters are touched.
fn recased(name: &OwnedName, case: fn(&u8) -> u8) -> OwnedName {
    Name::from_octets(name.as_slice().iter().map(case).collect()).expect("still a name")
}

fn push<S>(builder: &mut S, section: Section, message: &Message, asked: &Asked)
where
    S: RecordSectionBuilder<StaticCompressor<Vec<u8>>>,
{
    for record in message.records.iter().filter(|record| record.section == section) {
        let owner = record.owner.as_ref().unwrap_or(&asked.qname);
        let data = UnknownRecordData::from_octets(record.rtype, record.data.as_slice())
            .expect("record data of at most 65,535 bytes");
        builder
            .push((owner, record.class, Ttl::from_secs(record.ttl), data))
            .expect("a message of at most 65,535 bytes");
    }
}

fn push_opt(additional: &mut Builder, rcode: OptRcode, padding: Option<usize>) {
    additional
        .opt(|opt| {
            // Unbound's and BIND's default, after the DNS flag day of 2020.
            opt.set_udp_payload_size(1232);
            opt.set_rcode(rcode);
            if let Some(padding) = padding {
                opt.push(&Padding::from_octets(vec![0; padding]).expect("at most 65,535 bytes"))?;
            }
            Ok(())
        })
        .expect("room for the OPT record");
}
