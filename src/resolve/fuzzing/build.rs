//! Valid responses out of the fuzzer's bytes, so that it gets deep without guessing a format.

use super::input::Input;
use super::oracle::{Asked, Name, code, suffixes};
use crate::resolve::RecordType;

/// A response that was built.
#[derive(Debug)]
pub(super) struct Built {
    pub(super) octets: Vec<u8>,
    /// Whether no reader may refuse it: nothing in it is merely tolerated.
    pub(super) without_edns: bool,
}

/// A message over TCP has 65,535 octets at most, and so may one from here: a record has less than
/// 800.
const MAX_LEN: usize = 0xffff - 800;
const MAX_RECORDS: usize = 4096;

/// How many places of names are remembered, so that a large message is built in a short time.
const MAX_PLACES: usize = 64;

struct Record {
    section: usize,
    owner: Name,
    rtype: u16,
    class: u16,
    ttl: u32,
    data: Data,
}

#[derive(Clone)]
enum Data {
    Octets(Vec<u8>),
    /// A name, and octets behind it.
    Names(Vec<Name>, Vec<u8>),
}

/// A response to this question.
pub(crate) fn any_response(input: &Input, asked: &Asked) -> Vec<u8> {
    response(input, asked).octets
}

/// Builds a response to this question. Whatever the bytes say, it is well formed.
pub(super) fn response(input: &Input, asked: &Asked) -> Built {
    let flags = input.byte();
    let rcode = match input.byte() % 16 {
        0..11 => 0,
        11 | 12 => 3,
        _ => input.word() % 32,
    };
    let (mut records, without_edns) = records(input, asked);
    records.sort_by_key(|record| record.section);

    let mut writer = Writer { octets: Vec::new(), places: Vec::new(), input };
    let high = 0x80 | flags & 0x04 | if flags & 0x38 == 0x38 { 2 } else { 0 } | 1;
    // Recursion is available, unless a bit says otherwise.
    let low =
        !flags & 0x80 | flags & 0x70 & (flags << 4) | u8::try_from(rcode & 15).expect("four bits");
    writer.word(asked.id);
    writer.octets.extend([high, low]);
    writer.octets.extend([0, 1, 0, 0, 0, 0, 0, 0]);
    writer.name(&asked.name, false);
    writer.word(code(asked.record_type));
    writer.word(1);
    let mut counts = [0_u16; 4];
    for record in &records {
        if writer.octets.len() <= MAX_LEN {
            counts[record.section] += 1;
            writer.record(record);
        }
    }
    for (section, count) in counts.iter().enumerate().skip(1) {
        writer.octets[4 + 2 * section..][..2].copy_from_slice(&count.to_be_bytes());
    }
    Built { octets: writer.octets, without_edns }
}

/// The records of a response, in any order, and whether none of them is merely tolerated.
fn records(input: &Input, asked: &Asked) -> (Vec<Record>, bool) {
    let (mut records, mut without_edns) = (Vec::new(), true);
    let (mut end, mut links, mut has_opt) = (asked.name.clone(), 0_u8, false);
    let (rtype, other) = match asked.record_type {
        RecordType::A => (1, 28),
        RecordType::Aaaa => (28, 1),
    };
    while !input.is_used_up() && records.len() < MAX_RECORDS {
        let operation = input.byte();
        let ttl = ttl(input);
        let mut record = Record {
            section: 1,
            owner: end.clone(),
            rtype,
            class: 1,
            ttl,
            data: Data::Octets(address(rtype, input)),
        };
        let mut alias_to = |target: Name| {
            (record.rtype, record.data) = (5, Data::Names(vec![target], Vec::new()));
        };
        match operation % 20 {
            // An address of the end of the chain, as it stands there.
            0..3 => {}
            3..6 => {
                links = links.wrapping_add(1);
                end = name(links, asked);
                alias_to(end.clone());
            }
            6 => alias_to(name(input.byte(), asked)),
            7 => {
                alias_to(name(input.byte(), asked));
                record.owner = name(input.byte(), asked);
            }
            8 => record.owner = name(input.byte(), asked),
            9 => {
                (record.rtype, record.data) = (other, Data::Octets(address(other, input)));
            }
            10 => record.class = *input.pick(&[3, 4, 254, 255, 0]),
            11 => {
                without_edns = false;
                record.data = Data::Octets(input.take(input.index(32)).to_vec());
            }
            12 => record.section = 2 + input.index(2),
            13 => {
                let soa = [vec![0; 16], self::ttl(input).to_be_bytes().to_vec()].concat();
                let names = vec![name(input.byte(), asked), name(input.byte(), asked)];
                record.owner = name(input.byte(), asked);
                (record.section, record.rtype) = (2, 6);
                record.data = Data::Names(names, soa);
            }
            14 => {
                (record.section, record.rtype) = (2, 2);
                record.data = Data::Names(vec![name(input.byte(), asked)], Vec::new());
            }
            15 if !has_opt => {
                has_opt = true;
                (record.section, record.owner, record.rtype) = (3, vec![0], 41);
                (record.class, record.data) = (1232, Data::Octets(Vec::new()));
                record.ttl &= 0x0100_ffff;
            }
            16 => {
                (record.section, record.rtype) = (1 + input.index(3), 65_280);
                record.data = Data::Octets([&[1], input.take(input.index(64))].concat());
            }
            17 => {
                let Some(last) = records.last().filter(|last: &&Record| last.rtype != 41) else {
                    continue;
                };
                let count = 1 << input.index(8);
                let again =
                    || Record { owner: last.owner.clone(), data: last.data.clone(), ..*last };
                let copies: Vec<_> = (0..count).map(|_| again()).collect();
                records.extend(copies);
                continue;
            }
            _ => break,
        }
        records.push(record);
    }
    (records, without_edns)
}

struct Writer<'a> {
    octets: Vec<u8>,
    /// Where a name was written, be it as a pointer.
    places: Vec<(Name, u16)>,
    input: &'a Input,
}

impl Writer<'_> {
    fn word(&mut self, word: u16) {
        self.octets.extend(word.to_be_bytes());
    }

    fn record(&mut self, record: &Record) {
        self.name(&record.owner, true);
        self.word(record.rtype);
        self.word(record.class);
        self.octets.extend(record.ttl.to_be_bytes());
        let place = self.octets.len();
        self.word(0);
        match &record.data {
            Data::Octets(octets) => self.octets.extend(octets),
            Data::Names(names, octets) => {
                for name in names {
                    self.name(name, true);
                }
                self.octets.extend(octets);
            }
        }
        let len = u16::try_from(self.octets.len() - place - 2).expect("less than 700 octets");
        self.octets[place..place + 2].copy_from_slice(&len.to_be_bytes());
    }

    /// Writes a name: with a pointer to where it, or what it ends in, stood first or last, or
    /// whole.
    fn name(&mut self, name: &Name, may_point: bool) {
        let style = if may_point { self.input.byte() % 4 } else { 3 };
        for suffix in suffixes(name).filter(|suffix| suffix.len() > 1) {
            let mut same = self.places.iter().filter(|(other, _)| other == suffix);
            let place = match style {
                0 | 1 => same.next(),
                2 => same.next_back(),
                _ => None,
            };
            let place = place.map(|&(_, place)| place);
            let may_be_found = self.places.len() < MAX_PLACES;
            if let Some(here @ ..0x4000) = u16::try_from(self.octets.len()).ok()
                && may_be_found
            {
                self.places.push((suffix.to_vec(), here));
            }
            if let Some(place) = place {
                return self.word(0xc000 | place);
            }
            self.octets.extend(&suffix[..=usize::from(suffix[0])]);
        }
        self.octets.push(0);
    }
}

/// One of the names that a response to this question may be about; the question's own is the first.
fn name(number: u8, asked: &Asked) -> Name {
    let below = |label: u8| {
        let below = [&[1, label], &asked.name[..]].concat();
        if below.len() <= 255 { below } else { asked.name.clone() }
    };
    match number % 32 {
        0 => asked.name.clone(),
        n @ 1..16 => [&[2, b'c', b'a' + n][..], b"\x07example\0"].concat(),
        16 => b"\x01*\x07example\0".to_vec(),
        17 => vec![0],
        18 => asked.name.to_ascii_uppercase(),
        19 => suffixes(&asked.name).nth(1).unwrap_or(&[0]).to_vec(),
        20 => b"\x03\0.\x1b\x07example\0".to_vec(),
        21 => longest_name(),
        // As long, in as many labels as there can be.
        22 => [&b"\x01a".repeat(127)[..], &[0]].concat(),
        23 => b"\x07example\0".to_vec(),
        24 => b"\x02CB\x07Example\0".to_vec(),
        25 => below(b'*'),
        n => below(b'a' + n),
    }
}

/// 255 octets in as few labels as there can be.
pub(super) fn longest_name() -> Name {
    let labels = [63_u8, 63, 63, 61].map(|len| [vec![len], vec![b'x'; len.into()]].concat());
    [labels.concat(), vec![0]].concat()
}

fn ttl(input: &Input) -> u32 {
    let other = [300, 0, 1, 60, 86_400, 0x7fff_ffff, 0x8000_0000, u32::MAX];
    *input.pick(&other)
}

fn address(rtype: u16, input: &Input) -> Vec<u8> {
    let last = input.byte();
    match rtype {
        1 => vec![203, 0, 113, last],
        _ => vec![0x20, 1, 0xd, 0xb8, 0xb, 0xad, 0, 0, 0, 0, 0, 0, 0, 0, 0, last],
    }
}
