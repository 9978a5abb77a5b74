//! The reader of responses, beside a second one.

use super::build;
use super::input::Input;
use super::oracle::{Asked, Message, Name, query_name};
use crate::resolve::wire::answer::{MAX_ALIAS_LINKS, Outcome};
use crate::resolve::wire::case_mask::CaseMask;
use crate::resolve::wire::message::{Expected, Response, message_id, read_response};
use crate::resolve::{RecordType, Transport};

/// A message and the question that it was read for.
#[derive(Debug)]
pub struct Case {
    pub octets: Vec<u8>,
    asked: Asked,
    mask: Option<CaseMask>,
    /// As the second reader read it.
    parsed: Option<Message>,
    /// Whether every reader has to be able to read it.
    pub without_edns: bool,
}

/// A message is refused, or read as what it is.
///
/// The first byte says what was asked, and whether a message is built out of the bytes that follow,
/// or they are one. Returns what a third reader may be held against.
pub fn message(bytes: &[u8]) -> Case {
    let input = Input::new(bytes);
    let choices = input.byte();
    let is = |bit: u8| choices >> bit & 1 == 1;
    let mut asked = Asked {
        id: 0x1234,
        name: b"\x03www\x07example\0".to_vec(),
        record_type: if is(0) { RecordType::Aaaa } else { RecordType::A },
        transport: if is(1) { Transport::Tcp } else { Transport::Udp },
        is_mixed: is(5),
    };
    let mask = asked.is_mixed.then(|| CaseMask::new(&mut || input.word()));
    let case = if is(3) {
        asked.name = name(&input);
        if let Some(mask) = mask {
            mask.apply(&mut asked.name);
        }
        let built = build::response(&input, &asked);
        let parsed = Message::parse(&built.octets);
        Case { octets: built.octets, asked, mask, parsed, without_edns: built.without_edns }
    } else {
        let octets = input.take(usize::MAX).to_vec();
        // Raw bytes are asked the question that they answer.
        let parsed = Message::parse(&octets);
        if let Some(message) = parsed.as_ref().filter(|_| !is(4)) {
            asked.id = message.id;
            if let Some((name, ..)) = message.questions.iter().flatten().next() {
                asked.name.clone_from(name);
                if let Some(mask) = mask {
                    mask.apply(&mut asked.name);
                }
            }
        }
        Case { octets, asked, mask, parsed, without_edns: false }
    };
    case.check();
    case
}

/// A short name, or the longest one.
fn name(input: &Input) -> Name {
    match input.byte() {
        0..200 => b"\x03www\x07example\0".to_vec(),
        200..220 => b"\x03Www\x07ExamPle\0".to_vec(),
        220..240 => b"\x02c1\x07example\0".to_vec(),
        240.. => build::longest_name(),
    }
}

impl Case {
    fn read(&self) -> Option<Response> {
        let Asked { id, record_type, transport, .. } = self.asked;
        let name = &query_name(&self.asked.name);
        let expected = Expected { id, name, record_type, transport, case: self.mask };
        read_response(&self.octets, expected).ok()
    }

    /// What holds for our own reader, and for it beside the oracle's.
    fn check(&self) {
        let response = self.read();
        let answer = match &response {
            Some(Response::Answer(answer)) => Some(answer),
            Some(Response::Truncated(last_resort)) => last_resort.as_deref(),
            _ => None,
        };
        if let Some(answer) = answer {
            assert!(answer.links <= MAX_ALIAS_LINKS, "{} links", answer.links);
            assert!(answer.ttl.is_none_or(|ttl| ttl >> 31 == 0), "a TTL of {:?}", answer.ttl);
            assert!(answer.canonical.as_wire().len() <= 255, "a canonical name that is too long");
            if let Outcome::Addresses(addresses) = &answer.outcome {
                assert!(!addresses.is_empty(), "addresses, but none");
                let message = self.parsed.as_ref().expect("a message has a header");
                let allowed = message.allowed(&self.asked);
                for address in addresses {
                    assert!(allowed.contains(address), "{address} is not among {allowed:?}");
                }
            }
        }
        assert!(!self.without_edns || response.is_some(), "a valid message is ignored");
        let parsed = self.parsed.as_ref();
        assert_eq!(message_id(&self.octets), parsed.map(|message| message.id));
        let meaning = parsed.and_then(|message| message.meaning(&self.asked, self.octets.len()));
        assert_eq!(response, meaning, "read as the first, is the second");
    }

    /// Holds our reader against the lists that a third one has made of the message.
    pub fn compare(&self, message: &Message) {
        if self.parsed.as_ref().is_some_and(|message| message.has_many_pointers) {
            // The one limit that is ours alone.
            return;
        }
        let meaning = message.meaning(&self.asked, self.octets.len());
        assert_eq!(self.read(), meaning, "read as the first, is the second");
    }
}
