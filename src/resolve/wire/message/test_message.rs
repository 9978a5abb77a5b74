//! Messages for tests, from text that reads like the output of `dig`.

use std::fmt::Debug;
use std::str::FromStr;

use domain::base::Serial;
use domain::base::iana::{Class, Opcode, Rcode, Rtype};
use domain::base::message_builder::{MessageBuilder, RecordSectionBuilder, TreeCompressor};
use domain::base::name::Name;
use domain::base::rdata::{ComposeRecordData, UnknownRecordData};
use domain::base::record::Ttl;
use domain::rdata::{A, Aaaa, Cname, Dname, Ns, Soa};

use super::{Ignored, QueryName, Response};
use crate::resolve::wire::answer::Outcome;
use crate::resolve::wire::reader::Reader;

/// Builds a message, compressed as nameservers compress, from lines parted by `;` or a newline:
///
/// ```text
/// header 1234 rd ra NOERROR
/// question www.example A
/// answer www.example 300 CNAME web.example
/// answer web.example 300 A 192.0.2.1
/// authority example 900 SOA 60
/// additional OPT 0
/// ```
///
/// A header has an id in hex, flags (`query` for a QR bit that is not set, `aa`, `tc`, `rd`, `ra`,
/// `ad`, `cd`, `z`, `update` for that opcode) and a code; without the line it is the one above.
/// `CH` before the type is a class. A SOA record has its MINIMUM field alone, an OPT record the
/// upper bits of the code. `\#` and hex stand for any data.
pub(in crate::resolve) fn message(text: &str) -> Vec<u8> {
    let lines: Vec<Vec<&str>> = text
        .split(['\n', ';'])
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|words| !words.is_empty())
        .collect();
    let section = |section: &'static str| {
        lines.iter().filter(move |words| words[0] == section).map(|words| &words[1..])
    };
    for words in &lines {
        let sections = ["header", "question", "answer", "authority", "additional"];
        assert!(sections.contains(&words[0]), "no such section: {words:?}");
    }

    let target = TreeCompressor::new(Vec::new());
    let mut builder = MessageBuilder::from_target(target).expect("room for a header");
    let header = builder.header_mut();
    header.set_qr(true);
    for &word in section("header").next().unwrap_or(&["1234", "rd", "ra", "NOERROR"]) {
        match word {
            "query" => header.set_qr(false),
            "aa" => header.set_aa(true),
            "tc" => header.set_tc(true),
            "rd" => header.set_rd(true),
            "ra" => header.set_ra(true),
            "ad" => header.set_ad(true),
            "cd" => header.set_cd(true),
            "z" => header.set_z(true),
            "update" => header.set_opcode(Opcode::UPDATE),
            id if id.len() == 4 => header.set_id(u16::from_str_radix(id, 16).expect("an id")),
            rcode => header.set_rcode(parse::<Rcode>(rcode)),
        }
    }
    let mut questions = builder.question();
    for words in section("question") {
        let (class, rtype) = split_class(&words[1..]);
        questions.push((name(words[0]), parse::<Rtype>(rtype[0]), class)).expect("room");
    }
    let mut answers = questions.answer();
    section("answer").for_each(|words| push(&mut answers, words));
    let mut authorities = answers.authority();
    section("authority").for_each(|words| push(&mut authorities, words));
    let mut additionals = authorities.additional();
    section("additional").for_each(|words| push(&mut additionals, words));
    additionals.finish().into_target()
}

/// A name from its octets.
pub(in crate::resolve) fn query_name(wire: &[u8]) -> QueryName {
    QueryName::from_message(Reader::new(wire).read_name().expect("a name"))
}

/// What a message was read as, in one line.
pub(in crate::resolve) fn summary(read: Result<Response, Ignored>) -> String {
    let answer = match read {
        Ok(Response::Answer(answer)) => answer,
        Ok(Response::Truncated(None)) => return "truncated".into(),
        Ok(Response::Truncated(Some(answer))) => {
            return format!("truncated: {}", summary(Ok(Response::Answer(*answer))));
        }
        Ok(Response::Failure(rcode)) => return format!("failure: {rcode}"),
        Ok(Response::FormErr) => return "formerr".into(),
        Ok(Response::BadVers) => return "badvers".into(),
        Ok(Response::Hint(rcode)) => return format!("hint: {rcode}"),
        Ok(Response::LameReferral) => return "lame referral".into(),
        Ok(Response::StrayOpt) => return "stray opt".into(),
        Ok(Response::Unreadable) => return "unreadable".into(),
        Ok(Response::CaseMismatch) => return "another case".into(),
        Err(ignored) => return format!("ignored: {}", reason(ignored)),
    };
    let outcome = match &answer.outcome {
        Outcome::Addresses(addresses) => {
            addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        }
        Outcome::Alias { target } => format!("alias {target}"),
        Outcome::NoData => "nodata".into(),
        Outcome::Empty => "empty".into(),
        Outcome::NxDomain => "nxdomain".into(),
        Outcome::AliasLoop => "alias loop".into(),
        Outcome::AliasChainTooLong => "alias chain too long".into(),
    };
    let ttl = answer.ttl.map_or("none".into(), |ttl| ttl.to_string());
    let via = match answer.links {
        0 => String::new(),
        links => format!(", chain of {links} to {}", answer.canonical),
    };
    format!("{outcome}, ttl {ttl}{via}")
}

/// Reads a table whose rows are a line that says what it is, a message on one line or more, and
/// after `=>` what it means.
pub(in crate::resolve) fn for_each_row(table: &str, mut check: impl FnMut(&str, &str, &str)) {
    let mut lines = table.lines().map(str::trim).filter(|line| !line.is_empty()).peekable();
    assert!(lines.peek().is_some(), "an empty table");
    while let Some(what) = lines.next() {
        let mut message = String::new();
        let meaning = loop {
            let line = lines.next().expect("a row ends with =>");
            if let Some(meaning) = line.strip_prefix("=> ") {
                break meaning;
            }
            message.push_str(line);
            message.push('\n');
        };
        check(what, &message, meaning);
    }
}

fn push(section: &mut impl RecordSectionBuilder<TreeCompressor<Vec<u8>>>, words: &[&str]) {
    if let ["OPT", upper_bits] = words {
        let ttl = parse::<u32>(upper_bits) << 24;
        let data = unknown(Rtype::OPT, "");
        return push_record(section, ".", ttl, Class::from_int(1232), data);
    }
    let [owner, ttl, words @ ..] = words else {
        panic!("a record has an owner and a TTL: {words:?}")
    };
    let (ttl, (class, words)) = (parse(ttl), split_class(words));
    match words {
        [rtype, "\\#", hex @ ..] => {
            push_record(section, owner, ttl, class, unknown(parse(rtype), &hex.concat()));
        }
        ["A", data] => push_record(section, owner, ttl, class, A::new(parse(data))),
        ["AAAA", data] => push_record(section, owner, ttl, class, Aaaa::new(parse(data))),
        ["CNAME", data] => push_record(section, owner, ttl, class, Cname::new(name(data))),
        ["DNAME", data] => push_record(section, owner, ttl, class, Dname::new(name(data))),
        ["NS", data] => push_record(section, owner, ttl, class, Ns::new(name(data))),
        ["SOA", minimum] => {
            let [_, refresh, retry, expire] = [0, 3600, 600, 86400].map(Ttl::from_secs);
            let (m, r, serial) = (name("ns.example"), name("admin.example"), Serial::from(1));
            let minimum = Ttl::from_secs(parse(minimum));
            let soa = Soa::new(m, r, serial, refresh, retry, expire, minimum);
            push_record(section, owner, ttl, class, soa);
        }
        other => panic!("no such data: {other:?}"),
    }
}

fn push_record(
    section: &mut impl RecordSectionBuilder<TreeCompressor<Vec<u8>>>,
    owner: &str,
    ttl: u32,
    class: Class,
    data: impl ComposeRecordData,
) {
    section.push((name(owner), class, Ttl::from_secs(ttl), data)).expect("room");
}

fn split_class<'a, 'b>(words: &'a [&'b str]) -> (Class, &'a [&'b str]) {
    match words {
        ["CH", rest @ ..] => (Class::CH, rest),
        rest => (Class::IN, rest),
    }
}

fn unknown(rtype: Rtype, hex: &str) -> UnknownRecordData<Vec<u8>> {
    let octet = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("data in hex");
    let data: Vec<u8> = (0..hex.len()).step_by(2).map(octet).collect();
    UnknownRecordData::from_octets(rtype, data).expect("data of less than 65,536 octets")
}

fn name(text: &str) -> Name<Vec<u8>> {
    parse(text)
}

fn parse<T: FromStr<Err: Debug>>(text: &str) -> T {
    text.parse().unwrap_or_else(|e| panic!("{text:?}: {e:?}"))
}

pub(super) fn reason(ignored: Ignored) -> &'static str {
    match ignored {
        Ignored::TooShort => "too_short",
        Ignored::WrongId => "wrong_id",
        Ignored::NotAResponse => "not_a_response",
        Ignored::WrongOpcode => "wrong_opcode",
        Ignored::WrongQuestion => "wrong_question",
        Ignored::Malformed => "malformed",
    }
}
