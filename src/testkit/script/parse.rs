//! The text form of a [`Script`].

use std::fmt;
use std::net::IpAddr;
use std::str::{FromStr, SplitWhitespace};
use std::time::Duration;

use domain::base::Rtype;
use domain::base::iana::{Class, Opcode, OptRcode};

use super::{
    Message, OpenSocket, Origin, OwnedName, QuestionSection, Rule, Script, ScriptedRecord, Section,
    Step, TcpService, Transport,
};

type Result<T> = std::result::Result<T, String>;

pub(super) fn script(text: &str) -> Result<Script> {
    let mut script = Script::default();
    for (line, text) in text.lines().enumerate() {
        let text = text.split("//").next().unwrap_or_default();
        for text in text.split(';').map(str::trim).filter(|text| !text.is_empty()) {
            let read = match text.strip_prefix('$') {
                Some(directive) => service(directive, &mut script),
                None => rule(text).map(|rule| script.rules.push(rule)),
            };
            read.map_err(|error| format!("line {} of the script: {error}: `{text}`", line + 1))?;
        }
    }
    Ok(script)
}

fn service(directive: &str, script: &mut Script) -> Result<()> {
    let words: Vec<_> = directive.split_whitespace().collect();
    match words[..] {
        ["udp", "refuse"] => script.udp_refused = true,
        ["tcp", "refuse"] => script.tcp = TcpService::Refuse,
        ["tcp", "black-hole"] => script.tcp = TcpService::BlackHole,
        ["tcp", "close"] => script.tcp = TcpService::CloseAtOnce,
        ["tcp", "mute"] => script.tcp = TcpService::Mute,
        ["case", "lower"] => script.folds_case = true,
        ["open", "unreachable"] => script.open = OpenSocket::Unreachable,
        ["open", "quota", until] => script.open = OpenSocket::QuotaUntil(duration(until)?),
        _ => return Err("unknown directive".into()),
    }
    Ok(())
}

fn rule(text: &str) -> Result<Rule> {
    let (queries, reaction) = text.split_once("->").ok_or("no arrow `->`")?;
    let mut words = queries.split_whitespace();
    let mut rule = Rule {
        name: owner(words.next().ok_or("no name")?)?,
        rtype: rtype(words.next().ok_or("no type")?)?,
        transport: None,
        edns: None,
        attempts: (1, usize::MAX),
        alternatives: Vec::new(),
    };
    for word in words {
        match word {
            "udp" => rule.transport = Some(Transport::Udp),
            "tcp" => rule.transport = Some(Transport::Tcp),
            "edns" => rule.edns = Some(true),
            "no-edns" => rule.edns = Some(false),
            _ => {
                let range = word.strip_prefix('#').ok_or_else(|| unknown(word))?;
                rule.attempts = attempts(range)?;
            }
        }
    }
    for text in reaction.split('|') {
        let mut steps = Vec::new();
        for text in text.split(',') {
            steps.extend(step(text)?);
        }
        rule.alternatives.push(steps);
    }
    Ok(rule)
}

pub(super) fn owner(text: &str) -> Result<String> {
    match text.strip_prefix("*.") {
        _ if text == "*" => Ok("*".into()),
        Some(suffix) => Ok(format!("*.{}", parsed::<OwnedName>(suffix)?).to_ascii_lowercase()),
        None => Ok(parsed::<OwnedName>(text)?.to_string().to_ascii_lowercase()),
    }
}

pub(super) fn rtype(text: &str) -> Result<Option<Rtype>> {
    if text == "*" { Ok(None) } else { parsed(text).map(Some) }
}

/// `2`, `2-4` or `3+`.
fn attempts(text: &str) -> Result<(usize, usize)> {
    if let Some(first) = text.strip_suffix('+') {
        return Ok((parsed(first)?, usize::MAX));
    }
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    Ok((parsed(first)?, parsed(last)?))
}

/// One step; none for `drop`.
fn step(text: &str) -> Result<Option<Step>> {
    let words: Vec<_> = text.split_whitespace().skip_while(|word| *word == "then").collect();
    Ok(Some(match words[..] {
        [] => return Err("an empty step".into()),
        ["drop"] => return Ok(None),
        ["close"] => Step::Close,
        ["reset"] => Step::Reset,
        ["port-unreachable"] => Step::PortUnreachable,
        ["delay", text] => Step::Delay(duration(text)?),
        _ => Step::Send(MessageReader::default().read(&words.join(" "))?),
    }))
}

/// Reads the words of one message.
#[derive(Default)]
struct MessageReader {
    message: Message,
    section: Section,
    owner: Option<OwnedName>,
    /// How many records have their TTL.
    with_ttl: usize,
    /// How many records have their class.
    with_class: usize,
}

impl MessageReader {
    fn read(mut self, text: &str) -> Result<Message> {
        let mut words = text.split_whitespace();
        while let Some(word) = words.next() {
            let known = self.record_word(word, &mut words)?
                || self.header_word(word, &mut words)?
                || self.fault_word(word, &mut words)?
                || self.tcp_word(word, &mut words)?
                || self.addresses(word)?;
            if !known {
                return Err(unknown(word));
            }
        }
        Ok(self.message)
    }

    /// The sections, and the records in them.
    fn record_word(&mut self, word: &str, words: &mut SplitWhitespace<'_>) -> Result<bool> {
        match word {
            "answer" => (self.section, self.owner) = (Section::Answer, None),
            "authority" => (self.section, self.owner) = (Section::Authority, None),
            "additional" => (self.section, self.owner) = (Section::Additional, None),
            "at" => self.owner = Some(next(words)?),
            "cname" => {
                let target: OwnedName = next(words)?;
                self.push(Rtype::CNAME, target.as_slice().to_vec());
                self.owner = Some(target);
            }
            "ns" => {
                let name: OwnedName = next(words)?;
                self.push(Rtype::NS, name.as_slice().to_vec());
            }
            "soa" => {
                let ScriptedRecord { rtype, data, .. } = ScriptedRecord::soa(next(words)?);
                self.push(rtype, data);
            }
            "rr" => {
                let rtype = next(words)?;
                self.push(rtype, hex(words)?);
            }
            "ttl" => {
                let ttl = next(words)?;
                self.message.records[self.with_ttl..].iter_mut().for_each(|rr| rr.ttl = ttl);
                self.with_ttl = self.message.records.len();
            }
            "class" => {
                let class: Class = next(words)?;
                self.message.records[self.with_class..].iter_mut().for_each(|rr| rr.class = class);
                self.with_class = self.message.records.len();
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn push(&mut self, rtype: Rtype, data: Vec<u8>) {
        let (section, owner) = (self.section, self.owner.clone());
        let record = ScriptedRecord { section, owner, ..ScriptedRecord::new(rtype, data) };
        self.message.records.push(record);
    }

    /// An address, or a range of addresses.
    fn addresses(&mut self, word: &str) -> Result<bool> {
        let (first, last) = word.split_once('-').unwrap_or((word, word));
        let addrs = match (first.parse(), last.parse()) {
            (Ok(IpAddr::V4(first)), Ok(IpAddr::V4(last))) => {
                (first.to_bits()..=last.to_bits()).map(|bits| IpAddr::V4(bits.into())).collect()
            }
            (Ok(IpAddr::V6(first)), Ok(IpAddr::V6(last))) => {
                (first.to_bits()..=last.to_bits()).map(|bits| IpAddr::V6(bits.into())).collect()
            }
            (Ok(_), Ok(_)) => return Err("a range over two families".into()),
            _ => Vec::new(),
        };
        for addr in &addrs {
            let ScriptedRecord { rtype, data, .. } = ScriptedRecord::address(*addr);
            self.push(rtype, data);
        }
        Ok(!addrs.is_empty())
    }

    /// The header and the question section.
    fn header_word(&mut self, word: &str, words: &mut SplitWhitespace<'_>) -> Result<bool> {
        let message = &mut self.message;
        match word {
            "nodata" => message.rcode = OptRcode::NOERROR,
            "nxdomain" => message.rcode = OptRcode::NXDOMAIN,
            "servfail" => message.rcode = OptRcode::SERVFAIL,
            "refused" => message.rcode = OptRcode::REFUSED,
            "formerr" => message.rcode = OptRcode::FORMERR,
            "notimp" => message.rcode = OptRcode::NOTIMP,
            "badvers" => message.rcode = OptRcode::BADVERS,
            "rcode" => message.rcode = OptRcode::masked_from_int(next(words)?),
            "truncate" | "tc" => message.tc = true,
            "no-qr" => message.qr = false,
            "no-aa" => message.aa = false,
            "no-ra" => message.ra = false,
            "z" => message.z = true,
            "opcode" => message.opcode = Opcode::from_int(next(words)?),
            "question" => message.question = QuestionSection::Other(next(words)?, next(words)?),
            "question-class" => message.question = QuestionSection::OtherClass(next(words)?),
            "no-question" => message.question = QuestionSection::None,
            "two-questions" => message.question = QuestionSection::Twice,
            "uppercase" => message.question = QuestionSection::Uppercase,
            "lowercase" => message.question = QuestionSection::Lowercase,
            "edns" => message.opts = Some(1),
            "no-edns" => message.opts = Some(0),
            "two-opts" => message.opts = Some(2),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Forgeries, and bytes that are not as they should be.
    fn fault_word(&mut self, word: &str, words: &mut SplitWhitespace<'_>) -> Result<bool> {
        let message = &mut self.message;
        match word {
            "wrong-id" => message.wrong_id = true,
            "wrong-port" => message.origin = Origin::WrongPort,
            "wrong-peer" => message.origin = Origin::WrongPeer,
            "header-only" => message.header_only = true,
            "cut" => message.cut = Some(next(words)?),
            "trailing" => message.trailing = hex(words)?,
            "ancount" => message.ancount = Some(next(words)?),
            "oversize" => message.oversize = true,
            "size" => message.size = Some(next(words)?),
            "raw" => message.raw = Some(hex(words)?),
            "echo" => message.echo = true,
            "times" => message.times = next(words)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// How the message stands in the TCP stream.
    fn tcp_word(&mut self, word: &str, words: &mut SplitWhitespace<'_>) -> Result<bool> {
        let framing = &mut self.message.framing;
        match word {
            "length" => framing.length = Some(next(words)?),
            "unframed" => framing.unframed = true,
            "drip" => framing.drip = Some(duration(words.next().ok_or("no time")?)?),
            "together" => framing.together = next(words)?,
            "pieces" => {
                // As many numbers as follow.
                while let Some(Ok(size)) = words.clone().next().map(str::parse) {
                    framing.pieces.push(size);
                    words.next();
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn next<T: FromStr<Err: fmt::Display>>(words: &mut SplitWhitespace<'_>) -> Result<T> {
    parsed(words.next().ok_or("a word is missing at the end")?)
}

fn parsed<T: FromStr<Err: fmt::Display>>(word: &str) -> Result<T> {
    word.parse().map_err(|error| format!("`{word}`: {error}"))
}

fn unknown(word: &str) -> String {
    format!("unknown word `{word}`")
}

fn hex(words: &mut SplitWhitespace<'_>) -> Result<Vec<u8>> {
    let word = words.next().ok_or("no bytes")?;
    if word == "-" {
        return Ok(Vec::new());
    }
    if word.len() % 2 == 1 || !word.is_ascii() {
        return Err(format!("`{word}` is no hexadecimal"));
    }
    (0..word.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&word[i..i + 2], 16))
        .collect::<std::result::Result<_, _>>()
        .map_err(|error| format!("`{word}`: {error}"))
}

fn duration(word: &str) -> Result<Duration> {
    let digits = word.trim_end_matches(char::is_alphabetic);
    let number = parsed(digits)?;
    match &word[digits.len()..] {
        "us" => Ok(Duration::from_micros(number)),
        "ms" => Ok(Duration::from_millis(number)),
        "s" => Ok(Duration::from_secs(number)),
        _ => Err(format!("`{word}` is no time in us, ms or s")),
    }
}
