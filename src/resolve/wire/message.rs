//! Queries and responses on the wire (RFC 1035 section 4, EDNS as in RFC 6891).
//!
//! Nothing here keeps state: [`write_query`] makes bytes from its arguments alone, and
//! [`read_response`] says what one message means for one outstanding question. What it says depends
//! on the message and the question alone; whether the message came from the right peer is known to
//! the caller, who read it from a connected socket.
//!
//! The rule that the whole file serves: nothing that arrives may end a query attempt but a message
//! that answers the question asked. All that is not one is [`Ignored`], is counted, and leaves the
//! query as it was, waiting for the true response.
//!
//! Beyond that rule it is lenient: a message that has the id and the question, and came to the port,
//! is all that a forger has to guess, so nothing is gained by refusing it for what its other parts
//! are like. What answers the question is used, whatever is wrong behind it; and what cannot be used
//! still says that the nameserver is there, and should be asked in another way.

use super::answer::{Answer, AnswerSection, AuthoritySection, Outcome};
use super::case_mask::CaseMask;
use super::query_name::QueryName;
use super::reader::{CLASS_IN, Malformed, Name, Reader, rtype};
use crate::resolve::{Rcode, RecordType, Transport};

/// The size of a UDP response that a query with EDNS allows, in octets.
///
/// 1232 fits the smallest IPv6 packet (1280 less 40 of IPv6 and 8 of UDP header), so that responses
/// are never fragmented: fragments get lost, and the later ones carry nothing that a forger has to
/// guess ([RFC 9715]). The value that DNS Flag Day 2020 agreed on.
///
/// [RFC 9715]: https://www.rfc-editor.org/rfc/rfc9715
pub(crate) const UDP_PAYLOAD_SIZE: u16 = 1232;

const HEADER_LEN: usize = 12;

// The flags of a header (RFC 1035 section 4.1.1, RFC 6840 section 5.7 for AD).
const QR: u16 = 1 << 15;
const OPCODE: u16 = 0xf << 11;
const AA: u16 = 1 << 10;
const TC: u16 = 1 << 9;
const RD: u16 = 1 << 8;
const RA: u16 = 1 << 7;
const AD: u16 = 1 << 5;
const RCODE: u16 = 0xf;

/// What a query says beside its question, and how it writes it. Recursion is always desired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct QueryOptions {
    /// Whether to add an OPT record, with a UDP payload size of [`UDP_PAYLOAD_SIZE`].
    pub(crate) edns: bool,
    /// Whether to set the AD bit, by which a nameserver that validates is asked to say so in its
    /// response (RFC 6840 section 5.7).
    pub(crate) trust_ad: bool,
    /// The case of the letters of the name; `None`: as they are in it.
    pub(crate) case: Option<CaseMask>,
}

/// Writes a query in place of what `buf` holds.
///
/// The bytes are a function of the arguments and of nothing else: no padding and no memory of an
/// earlier query can leak into them.
pub(crate) fn write_query(
    buf: &mut Vec<u8>,
    id: u16,
    name: &QueryName,
    record_type: RecordType,
    options: QueryOptions,
) {
    let flags = if options.trust_ad { RD | AD } else { RD };
    buf.clear();
    for field in [id, flags, 1, 0, 0, u16::from(options.edns)] {
        buf.extend_from_slice(&field.to_be_bytes());
    }
    buf.extend_from_slice(name.as_wire());
    if let Some(mask) = options.case {
        mask.apply(&mut buf[HEADER_LEN..]);
    }
    buf.extend_from_slice(&record_type.code().to_be_bytes());
    buf.extend_from_slice(&CLASS_IN.to_be_bytes());
    if options.edns {
        // The OPT record of RFC 6891 section 6.1.2: owner root, type, payload size in place of the
        // class, then extended rcode, version and flags in place of the TTL, and no options.
        buf.push(0);
        buf.extend_from_slice(&rtype::OPT.to_be_bytes());
        buf.extend_from_slice(&UDP_PAYLOAD_SIZE.to_be_bytes());
        buf.extend_from_slice(&[0; 6]);
    }
}

/// The question that a response has to answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected<'a> {
    /// The id of the query. The stub has found the query by the id of the message, so there it never
    /// differs: a second lock.
    pub(crate) id: u16,
    /// The name asked for.
    pub(crate) name: &'a QueryName,
    /// The type asked for.
    pub(crate) record_type: RecordType,
    /// How the query went out and the response came in.
    pub(crate) transport: Transport,
    /// The case of the letters in the query, which the response has to have as well; `None`: in any
    /// case.
    pub(crate) case: Option<CaseMask>,
}

/// What one message from a nameserver means for one outstanding question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Response {
    /// A valid NOERROR or NXDOMAIN.
    Answer(Answer),
    /// Truncated, over UDP: the same question is asked over TCP. (Over TCP the bit has no meaning
    /// and the records are used.) The addresses that it has, if any, are the last resort when TCP
    /// fails.
    Truncated(Option<Box<Answer>>),
    /// Another code than NOERROR and NXDOMAIN, the extended bits of EDNS included.
    Failure(Rcode),
    /// FORMERR: a nameserver that does not know EDNS may say so; the same query without EDNS may be
    /// answered (RFC 6891 section 7).
    FormErr,
    /// BADVERS: the nameserver knows EDNS, but not version 0; the same query without EDNS may be
    /// answered.
    BadVers,
    /// An OPT record where none may stand: the nameserver has moved or copied that of the query, as
    /// one does that does not know EDNS; the same query without EDNS may be answered.
    StrayOpt,
    /// An error without a question, so that nothing but the id ties it to the query, or one whose
    /// records cannot be read: not proof enough to end the attempt. Good as a hint to ask the next
    /// nameserver (after FORMERR and BADVERS: to ask without EDNS) and to keep on listening.
    Hint(Rcode),
    /// It says that it is the response, and not what the answer is: a truncated header alone, or
    /// records that cannot be read. A hint to ask over TCP and the next nameserver, and to keep on
    /// listening.
    Unreadable,
    /// It answers the question in letters of another case than the query has: a nameserver that does
    /// not keep the case, or a forger who has guessed all but that. A hint to ask over TCP and the
    /// next nameserver, and to keep on listening.
    CaseMismatch,
    /// NOERROR that neither answers nor denies, from a nameserver that does not recurse.
    LameReferral,
}

impl Response {
    /// The same in the letters of the name as it was asked for, where they are those of the query.
    fn unmasked(mut self, mask: CaseMask, asked: &QueryName) -> Self {
        match &mut self {
            Self::Answer(answer) => answer.unmask(mask, asked),
            Self::Truncated(Some(last_resort)) => last_resort.unmask(mask, asked),
            _ => {}
        }
        self
    }
}

/// Why a message is dropped. It is counted, and the query waits on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Ignored {
    /// Shorter than a header.
    TooShort,
    /// Another id: the sign of a forger who guesses, or of a late response to an earlier query.
    WrongId,
    /// A query: the QR bit is not set.
    NotAResponse,
    /// Not a standard query's response.
    WrongOpcode,
    /// No question, several, or another name, type or class.
    WrongQuestion,
    /// Its question, or what comes behind it, cannot be read.
    Malformed,
}

impl Ignored {
    /// How many kinds there are: the length of an array of counters.
    pub(crate) const COUNT: usize = 6;

    /// The place of this kind in an array of counters.
    pub(crate) fn index(self) -> usize {
        self as usize
    }
}

impl From<Malformed> for Ignored {
    fn from(Malformed: Malformed) -> Self {
        Self::Malformed
    }
}

/// The id of a message, to find the outstanding question it may belong to; `None` if it is shorter
/// than a header.
pub(crate) fn message_id(message: &[u8]) -> Option<u16> {
    Some(Header::read(&mut Reader::new(message)).ok()?.id)
}

/// Reads a message as the response to a question.
///
/// # Errors
///
/// The message is no response to this question; see [`Ignored`].
pub(crate) fn read_response(message: &[u8], expected: Expected<'_>) -> Result<Response, Ignored> {
    let mut reader = Reader::new(message);
    let header = Header::read(&mut reader).map_err(|Malformed| Ignored::TooShort)?;
    if header.id != expected.id {
        return Err(Ignored::WrongId);
    }
    if header.flags & QR == 0 {
        return Err(Ignored::NotAResponse);
    }
    if header.flags & OPCODE != 0 {
        return Err(Ignored::WrongOpcode);
    }
    if let Some(hint) = read_hint(&header, reader, expected.transport) {
        return Ok(hint);
    }

    if header.questions != 1 {
        return Err(Ignored::WrongQuestion);
    }
    let name = reader.read_name()?;
    let (record_type, class) = (reader.read_u16()?, reader.read_u16()?);
    if class != CLASS_IN
        || record_type != expected.record_type.code()
        || !expected.name.eq_in_message(name)
    {
        return Err(Ignored::WrongQuestion);
    }
    if expected.case.is_some_and(|mask| !expected.name.is_spelled(mask, name)) {
        return Ok(Response::CaseMismatch);
    }

    // From here on a forger has guessed all that there is to guess.
    let response = read_records(&header, name, reader, expected);
    Ok(match expected.case {
        Some(mask) => response.unmasked(mask, expected.name),
        None => response,
    })
}

/// Reads what comes behind a question that is the one asked, `question`.
fn read_records<'a>(
    header: &Header,
    question: Name<'a>,
    mut reader: Reader<'a>,
    expected: Expected<'_>,
) -> Response {
    if header.is_truncated(expected.transport) {
        let (record_type, records) = (expected.record_type, header.answers);
        let answer = AnswerSection::read_truncated(question, record_type, reader, records);
        let last_resort = answer.into_last_resort(expected.name, header.rcode(0));
        return Response::Truncated(last_resort);
    }
    let Ok(answer) =
        AnswerSection::read(question, expected.record_type, &mut reader, header.answers)
    else {
        return unreadable(header.rcode(0));
    };
    if answer.has_opt {
        return Response::StrayOpt;
    }
    let (authority, opt) = match read_rest(&answer, &mut reader, header) {
        Ok(rest) => rest,
        // The answer section is whole. Middleboxes cut messages at 512 octets, append others and
        // miscount: behind addresses nothing is needed.
        Err(Malformed) if header.rcode(0) == Rcode::NOERROR => {
            let authority = AuthoritySection::default();
            let answer = answer.into_answer(expected.name, Rcode::NOERROR, &authority);
            return match answer.outcome {
                Outcome::Addresses(_) => Response::Answer(header.cacheable(answer)),
                _ => Response::Unreadable,
            };
        }
        Err(Malformed) => return unreadable(header.rcode(0)),
    };
    if authority.has_opt || opt == Opt::Stray {
        return Response::StrayOpt;
    }

    match header.rcode(opt.extended_bits()) {
        Rcode::NOERROR if is_lame_referral(header, &authority) => Response::LameReferral,
        rcode @ (Rcode::NOERROR | Rcode::NXDOMAIN) => {
            let mut answer = answer.into_answer(expected.name, rcode, &authority);
            let is_confirmed = answer.ttl.is_some() || header.flags & AA != 0 && !authority.has_ns;
            if answer.outcome == Outcome::NoData && !is_confirmed {
                answer.outcome = Outcome::Empty;
            }
            Response::Answer(header.cacheable(answer))
        }
        Rcode::FORMERR => Response::FormErr,
        Rcode::BADVERS => Response::BadVers,
        rcode => Response::Failure(rcode),
    }
}

/// Reads what comes behind the answer section, to the last octet.
fn read_rest(
    answer: &AnswerSection<'_>,
    reader: &mut Reader<'_>,
    header: &Header,
) -> Result<(AuthoritySection, Opt), Malformed> {
    let authority = AuthoritySection::read(answer.end_of_chain(), reader, header.authorities)?;
    let opt = read_additional(reader, header.additionals)?;
    reader.expect_end()?;
    Ok((authority, opt))
}

/// What a response says whose records cannot be read.
fn unreadable(rcode: Rcode) -> Response {
    if is_error(rcode) { Response::Hint(rcode) } else { Response::Unreadable }
}

/// The header of a message (RFC 1035 section 4.1.1).
struct Header {
    id: u16,
    flags: u16,
    questions: u16,
    answers: u16,
    authorities: u16,
    additionals: u16,
}

impl Header {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        if reader.remaining() < HEADER_LEN {
            return Err(Malformed);
        }
        Ok(Self {
            id: reader.read_u16()?,
            flags: reader.read_u16()?,
            questions: reader.read_u16()?,
            answers: reader.read_u16()?,
            authorities: reader.read_u16()?,
            additionals: reader.read_u16()?,
        })
    }

    /// Whether the rest of an answer is to be had over TCP.
    fn is_truncated(&self, transport: Transport) -> bool {
        let is_answer = matches!(self.rcode(0), Rcode::NOERROR | Rcode::NXDOMAIN);
        self.flags & TC != 0 && transport == Transport::Udp && is_answer
    }

    /// The answer of a message that is used. If it is truncated, it came over TCP, so there is
    /// nowhere to ask for the rest: what is there is used, and not kept for others.
    fn cacheable(&self, answer: Answer) -> Answer {
        if self.flags & TC == 0 { answer } else { Answer { ttl: None, ..answer } }
    }

    /// The code, with the eight upper bits that an OPT record may have (RFC 6891 section 6.1.3).
    fn rcode(&self, extended_bits: u16) -> Rcode {
        Rcode(extended_bits << 4 | self.flags & RCODE)
    }
}

/// What a message says that names no question: a header alone, or one with an OPT record.
///
/// Nameservers that cannot or will not read a query answer so, and some that would have to truncate.
/// NOERROR and NXDOMAIN are not among the codes: they would be an answer, and a forger would have
/// nothing to guess but the id. What is returned ends nothing.
fn read_hint(header: &Header, mut rest: Reader<'_>, transport: Transport) -> Option<Response> {
    let rcode = if rest.remaining() == 0 {
        // The counts may still be those of the query.
        header.rcode(0)
    } else if (header.questions, header.answers, header.authorities) == (0, 0, 0) {
        let opt = read_additional(&mut rest, header.additionals).ok()?;
        rest.expect_end().ok()?;
        match opt {
            Opt::Stray => return None,
            _ => header.rcode(opt.extended_bits()),
        }
    } else {
        return None;
    };
    if is_error(rcode) {
        return Some(Response::Hint(rcode));
    }
    let is_answer = matches!(rcode, Rcode::NOERROR | Rcode::NXDOMAIN);
    (is_answer && header.is_truncated(transport)).then_some(Response::Unreadable)
}

/// Whether it is the code of an error that may be due to the nameserver or to the query, and not to
/// the name.
fn is_error(rcode: Rcode) -> bool {
    matches!(
        rcode,
        Rcode::FORMERR | Rcode::SERVFAIL | Rcode::NOTIMP | Rcode::REFUSED | Rcode::BADVERS
    )
}

/// The OPT record of a message (RFC 6891 section 6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Opt {
    None,
    /// With the upper eight bits of the extended rcode.
    One(u16),
    /// Its NAME "MUST be 0 (root domain)" (section 6.1.2), and "If a query message with more than
    /// one OPT RR is received, a FORMERR (RCODE=1) MUST be returned." (section 6.1.1) What must not
    /// be sent one way is not believed the other way.
    Stray,
}

impl Opt {
    fn extended_bits(self) -> u16 {
        match self {
            Self::One(bits) => bits,
            Self::None | Self::Stray => 0,
        }
    }
}

/// Reads the additional section for its OPT record.
fn read_additional(reader: &mut Reader<'_>, records: u16) -> Result<Opt, Malformed> {
    let mut opt = Opt::None;
    for _ in 0..records {
        let record = reader.read_record()?;
        if record.rtype == rtype::OPT {
            let [upper, ..] = record.ttl.to_be_bytes();
            let is_proper = opt == Opt::None && record.owner.is_root();
            opt = if is_proper { Opt::One(u16::from(upper)) } else { Opt::Stray };
        }
    }
    Ok(opt)
}

/// Whether a NOERROR is a referral from a nameserver that is of no use to a stub resolver.
///
/// glibc and Go pass on to the next nameserver when a NOERROR is neither authoritative nor from a
/// recursive resolver, and all sections but the question are empty. Here also when NS records stand
/// in its authority section, which is what a referral proper looks like. A SOA record makes it
/// NODATA (RFC 2308 section 2.2), and so does an OPT record without NS records: such a nameserver
/// only forgot to set RA.
fn is_lame_referral(header: &Header, authority: &AuthoritySection) -> bool {
    header.flags & (AA | RA) == 0
        && header.answers == 0
        && authority.negative_ttl.is_none()
        && (header.additionals == 0 || authority.has_ns)
}

#[cfg(test)]
mod lenient;
#[cfg(test)]
mod properties;
#[cfg(test)]
pub(crate) mod test_message;
#[cfg(test)]
mod tests;
