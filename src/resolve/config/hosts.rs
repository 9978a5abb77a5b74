//! The hosts file, hosts(5): from text to addresses.

use std::cell::RefCell;
use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::net::IpAddr;

use crate::HostName;
use crate::host_name::{self, hash_lowercase};
use crate::resolve::diagnostic::{ConfigSource, Diagnostic, DiagnosticCause, Diagnostics};
use crate::zone::{InterfaceIndex, ScopedIpError, parse_scoped_ip};

/// The names and addresses of a hosts file.
///
/// A name has the addresses of all lines that contain it, in file order, each once; its canonical
/// name is the first name on the first of these lines. Two names that share a line share no other
/// address. Names compare without regard to case and to a final dot.
///
/// Block lists make this file long, so the names share one buffer. A name takes its length and 12
/// bytes, an address 28 bytes, the index 6 to 11 bytes for each name.
#[derive(Debug, Default)]
pub(crate) struct Hosts {
    /// The names, one after the other.
    text: String,
    lines: Vec<Line>,
    /// In file order.
    mentions: Vec<Mention>,
    /// Open addressing with linear probing: the first mention of a name, or `NONE`. The length is
    /// a power of two, or 0 without names.
    index: Box<[u32]>,
    /// Keyed at random, so that a block list cannot be made to collide.
    hasher: RandomState,
    /// The interfaces that are zones of addresses.
    interfaces: Interfaces,
    diagnostics: Vec<Diagnostic>,
}

/// A line that has an address and a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Line {
    address: IpAddr,
    scope: u32,
    canonical: u32,
}

/// A name on a line.
#[derive(Clone, Copy, Debug)]
struct Mention {
    /// The end of the name in the text; it starts at the end of the one before.
    end: u32,
    line: u32,
    /// The next mention of the same name, or `NONE`.
    next: u32,
}

/// The interfaces that a file names, each with its index when the file was read; `None` if there was
/// no such interface.
#[derive(Debug, Default)]
struct Interfaces(Vec<(Box<str>, Option<u32>)>);

impl Interfaces {
    /// Each look at the file asks for every one of them. Of any more, an index holds as long as the
    /// file is not changed.
    const MOST_KEPT: usize = 64;

    fn index_of(&mut self, name: &str, interface_index: InterfaceIndex<'_>) -> Option<u32> {
        if let Some((_, index)) = self.0.iter().find(|(other, _)| **other == *name) {
            return *index;
        }
        let index = interface_index(name);
        if self.0.len() < Self::MOST_KEPT {
            self.0.push((name.into(), index));
        }
        index
    }
}

const NONE: u32 = u32::MAX;

/// With this limit, every count and offset of a file fits 32 bits, and none of them is `NONE`.
const MAX_FILE_LEN: usize = u32::MAX as usize;

fn as_u32(count: usize) -> u32 {
    u32::try_from(count).expect("a file of less than 4 GiB counts less than 4 Gi of anything")
}

/// The canonical name and the addresses that a hosts file, or the program, has for a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostsEntry {
    /// Of a hosts file the first name on the first line that has the name.
    pub(crate) canonical: HostName,
    /// The addresses with their scope ids (0: none), in the order given, each once. A hosts file has
    /// one at least.
    pub(crate) addresses: Vec<(IpAddr, u32)>,
}

impl Hosts {
    /// Parses a hosts file. A word or line that is wrong is skipped, with a diagnostic.
    pub(crate) fn parse(text: &[u8], interface_index: InterfaceIndex<'_>) -> Self {
        Self::parse_up_to(MAX_FILE_LEN, text, interface_index)
    }

    fn parse_up_to(max_len: usize, text: &[u8], interface_index: InterfaceIndex<'_>) -> Self {
        let mut hosts = Self::default();
        let interfaces = RefCell::new(Interfaces::default());
        let index_of = |name: &str| interfaces.borrow_mut().index_of(name, interface_index);
        let mut diagnostics = Diagnostics::new(ConfigSource::Hosts);
        // Some editors write a byte order mark.
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let mut taken = 0;
        for (line, number) in text.split(|&byte| byte == b'\n').zip(1..) {
            taken += line.len() + 1;
            if taken > max_len {
                diagnostics.note(number, DiagnosticCause::TooLarge, b"");
                break;
            }
            hosts.read_line(line, number, &index_of, &mut diagnostics);
        }
        hosts.text.shrink_to_fit();
        hosts.lines.shrink_to_fit();
        hosts.mentions.shrink_to_fit();
        hosts.build_index();
        hosts.interfaces = interfaces.into_inner();
        hosts.diagnostics = diagnostics.into_vec();
        hosts
    }

    /// Returns the addresses of `name`, if the file has it.
    pub(crate) fn lookup(&self, name: &HostName) -> Option<HostsEntry> {
        let mut mention = self.index.get(self.slot_of(name.without_final_dot())?).copied()?;
        if mention == NONE {
            return None;
        }
        let first = self.line_of(mention);
        let canonical = HostName::from_hosts(self.name_of(first.canonical));
        let mut addresses = Vec::new();
        // A set, since a name may be on thousands of lines.
        let mut seen = HashSet::new();
        while mention != NONE {
            let line = self.line_of(mention);
            if seen.insert((line.address, line.scope)) {
                addresses.push((line.address, line.scope));
            }
            mention = self.mentions[mention as usize].next;
        }
        Some(HostsEntry { canonical, addresses })
    }

    /// Returns whether the file has no names.
    pub(crate) fn is_empty(&self) -> bool {
        self.mentions.is_empty()
    }

    /// Returns whether the same file would give something else now: an interface that it names was
    /// made or removed since, or made again under another index.
    pub(crate) fn is_outdated(&self, interface_index: InterfaceIndex<'_>) -> bool {
        self.interfaces.0.iter().any(|(name, index)| interface_index(name) != *index)
    }

    /// Returns the diagnostics of the file.
    pub(crate) fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    fn read_line(
        &mut self,
        line: &[u8],
        number: usize,
        interfaces: InterfaceIndex<'_>,
        diagnostics: &mut Diagnostics,
    ) {
        let line = line.split(|&byte| byte == b'#').next().unwrap_or(line);
        let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let Some(word) = words.next() else { return };
        let address = str::from_utf8(word).map_err(|_| ScopedIpError::Address);
        let (address, scope) = match address.and_then(|text| parse_scoped_ip(text, interfaces)) {
            Ok(address) => address,
            Err(error) => return diagnostics.note(number, error.into(), word),
        };
        let canonical = as_u32(self.mentions.len());
        for name in words {
            match host_name::check_in_hosts(name) {
                Ok(()) => self.mention(name),
                Err(error) => diagnostics.note(number, DiagnosticCause::Name(error), name),
            }
        }
        if as_u32(self.mentions.len()) == canonical {
            diagnostics.note(number, DiagnosticCause::NoNames, word);
        } else {
            self.lines.push(Line { address, scope, canonical });
        }
    }

    /// Appends a mention of `name`, which was checked, on the line that is being read.
    fn mention(&mut self, name: &[u8]) {
        let name = str::from_utf8(name).expect("a checked name is ASCII");
        self.text.push_str(name.strip_suffix('.').unwrap_or(name));
        let end = as_u32(self.text.len());
        self.mentions.push(Mention { end, line: as_u32(self.lines.len()), next: NONE });
    }

    fn build_index(&mut self) {
        if self.mentions.is_empty() {
            return;
        }
        // At most three quarters full, so that a probe is short.
        let slots = (self.mentions.len() + self.mentions.len() / 3 + 1).next_power_of_two();
        self.index = vec![NONE; slots].into_boxed_slice();
        // From the last to the first: each chain then starts with the first mention in the file,
        // and a mention is put before a chain without a walk along it.
        for mention in (0..as_u32(self.mentions.len())).rev() {
            let Some(slot) = self.slot_of(self.name_of(mention)) else { return };
            self.mentions[mention as usize].next = self.index[slot];
            self.index[slot] = mention;
        }
    }

    /// Returns the slot of `name`, or the empty one where it would be; `None` without an index.
    fn slot_of(&self, name: &str) -> Option<usize> {
        let mask = self.index.len().checked_sub(1)?;
        let mut hasher = self.hasher.build_hasher();
        hash_lowercase(name, &mut hasher);
        // The low bits choose the slot, on every width of `usize`.
        #[expect(clippy::cast_possible_truncation)]
        let mut slot = hasher.finish() as usize & mask;
        loop {
            let mention = self.index[slot];
            if mention == NONE || self.name_of(mention).eq_ignore_ascii_case(name) {
                return Some(slot);
            }
            slot = (slot + 1) & mask;
        }
    }

    fn name_of(&self, mention: u32) -> &str {
        let mention = mention as usize;
        let start = mention.checked_sub(1).map_or(0, |before| self.mentions[before].end as usize);
        &self.text[start..self.mentions[mention].end as usize]
    }

    fn line_of(&self, mention: u32) -> &Line {
        &self.lines[self.mentions[mention as usize].line as usize]
    }
}

#[cfg(test)]
mod tests;
