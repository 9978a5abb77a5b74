//! nsswitch.conf(5): from text to the modules that are asked for host names, in their order.
//!
//! The text is read as glibc 2.36 reads it, where that is looser than the manual: `#` is no comment
//! in the middle of a line, but a module like any other word; the colon may be missing; the last
//! `hosts` line holds; a line ends at a NUL, and without a line feed it is not read at all.

use crate::resolve::diagnostic::{ConfigSource, Diagnostic, DiagnosticCause, Diagnostics};

/// What nsswitch.conf says about host names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Nsswitch {
    pub(crate) hosts: HostsLine,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// The line `hosts`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum HostsLine {
    /// There is no such line.
    #[default]
    Missing,
    /// The file could not be read.
    Unreadable,
    /// It has criteria that cannot be read. The C library fails every lookup then.
    Broken,
    /// It names no module. The C library (glibc 2.36) does not survive a lookup then.
    Empty,
    /// The modules in their order, one at least.
    Modules {
        /// The number of the line, from 1.
        number: usize,
        modules: Vec<Module>,
    },
}

/// A word of the line, and the criteria in the brackets behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Module {
    pub(crate) name: Box<str>,
    pub(crate) criteria: Vec<Criterion>,
}

/// `notfound=return`, or `!notfound=return`: on every other status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Criterion {
    pub(crate) is_negated: bool,
    pub(crate) status: Status,
    pub(crate) action: Action,
}

/// What a module comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Success,
    NotFound,
    Unavail,
    TryAgain,
}

/// What is done then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// The lookup ends.
    Return,
    /// The next module is asked.
    Continue,
    /// The next module is asked, and its addresses are added.
    Merge,
}

impl Module {
    /// What is done on a status. A later criterion takes precedence.
    pub(crate) fn action_on(&self, status: Status) -> Action {
        let applies = |criterion: &&Criterion| (criterion.status == status) != criterion.is_negated;
        let last = self.criteria.iter().rev().find(applies);
        last.map_or(status.default_action(), |criterion| criterion.action)
    }

    /// Whether the criteria say what holds without them. Of the last module of the line, to return
    /// is to continue. A negated one is about several statuses, and never that.
    pub(crate) fn is_default(&self, is_last: bool) -> bool {
        self.criteria.iter().all(|criterion| {
            !criterion.is_negated
                && (criterion.action == criterion.status.default_action()
                    || is_last && criterion.action == Action::Return)
        })
    }
}

impl Status {
    fn default_action(self) -> Action {
        if self == Self::Success { Action::Return } else { Action::Continue }
    }

    fn of_word(word: &[u8]) -> Option<Self> {
        let all = [Self::Success, Self::NotFound, Self::Unavail, Self::TryAgain];
        let words: [&[u8]; 4] = [b"success", b"notfound", b"unavail", b"tryagain"];
        let at = words.iter().position(|known| word.eq_ignore_ascii_case(known))?;
        Some(all[at])
    }
}

impl Action {
    fn of_word(word: &[u8]) -> Option<Self> {
        let all = [Self::Return, Self::Continue, Self::Merge];
        let words: [&[u8]; 3] = [b"return", b"continue", b"merge"];
        let at = words.iter().position(|known| word.eq_ignore_ascii_case(known))?;
        Some(all[at])
    }
}

/// Parses an nsswitch.conf. All lines but those of `hosts` are passed over.
pub(crate) fn parse(text: &[u8]) -> Nsswitch {
    let mut diagnostics = Diagnostics::new(ConfigSource::Nsswitch);
    let mut hosts = HostsLine::Missing;
    for (line, number) in text.split_inclusive(|&byte| byte == b'\n').zip(1..) {
        let Some(value) = hosts_value(line) else { continue };
        if !line.ends_with(b"\n") {
            diagnostics.note(number, DiagnosticCause::NoLineFeed, b"hosts");
            continue;
        }
        let mut words = Words { rest: value };
        match words.modules() {
            // One line that cannot be read fails the file, whatever follows.
            Ok(_) if hosts == HostsLine::Broken => {}
            Ok(modules) if modules.is_empty() => {
                diagnostics.note(number, DiagnosticCause::MissingValue, b"hosts");
                hosts = HostsLine::Empty;
            }
            Ok(modules) => {
                if modules.iter().any(|module| &*module.name == "#") {
                    diagnostics.note(number, DiagnosticCause::NoComment, b"#");
                }
                if !words.rest.is_empty() {
                    diagnostics.note(
                        number,
                        DiagnosticCause::ExtraText,
                        words.rest.trim_ascii_end(),
                    );
                }
                hosts = HostsLine::Modules { number, modules };
            }
            Err(word) => {
                diagnostics.note(number, DiagnosticCause::Criteria, word);
                hosts = HostsLine::Broken;
            }
        }
    }
    Nsswitch { hosts, diagnostics: diagnostics.into_vec() }
}

/// What follows the word `hosts`, if the line starts with it.
fn hosts_value(line: &[u8]) -> Option<&[u8]> {
    let line = line.split(|&byte| byte == 0).next().unwrap_or(line);
    let mut words = Words { rest: line };
    words.skip(is_blank);
    let name = words.take(|byte| is_blank(byte) || byte == b':');
    if name != b"hosts" || words.rest.is_empty() {
        return None;
    }
    words.skip(|byte| is_blank(byte) || byte == b':');
    Some(words.rest)
}

/// `isspace(3)`, which counts the vertical tab too.
fn is_blank(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}

/// What is left of a line.
struct Words<'t> {
    rest: &'t [u8],
}

impl<'t> Words<'t> {
    fn skip(&mut self, skips: impl Fn(u8) -> bool) {
        self.take(|byte| !skips(byte));
    }

    /// Takes what stands before the first byte that ends it.
    fn take(&mut self, ends: impl Fn(u8) -> bool) -> &'t [u8] {
        let end = self.rest.iter().position(|&byte| ends(byte)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    /// Takes a byte, if it comes next.
    fn take_byte(&mut self, byte: u8) -> bool {
        let Some((&first, rest)) = self.rest.split_first() else { return false };
        if first == byte {
            self.rest = rest;
        }
        first == byte
    }

    /// Takes modules up to the end, or to brackets that no module stands before, where glibc stops.
    /// An error is the word of the criteria that cannot be read.
    fn modules(&mut self) -> Result<Vec<Module>, &'t [u8]> {
        let mut modules = Vec::new();
        loop {
            self.skip(is_blank);
            let name = self.take(|byte| is_blank(byte) || byte == b'[');
            if name.is_empty() {
                return Ok(modules);
            }
            self.skip(is_blank);
            let criteria = if self.take_byte(b'[') { self.criteria()? } else { Vec::new() };
            modules.push(Module { name: String::from_utf8_lossy(name).into(), criteria });
        }
    }

    /// Takes criteria, one at least, and the bracket behind them.
    fn criteria(&mut self) -> Result<Vec<Criterion>, &'t [u8]> {
        let mut criteria = Vec::new();
        self.skip(is_blank);
        loop {
            let start = self.rest;
            let is_negated = self.take_byte(b'!');
            let (status, equals, action) = (self.part(), self.take_byte(b'='), self.blank_part());
            let read = Status::of_word(status).filter(|_| equals).zip(Action::of_word(action));
            let Some((status, action)) = read else {
                return Err(start[..start.len() - self.rest.len()].trim_ascii_end());
            };
            criteria.push(Criterion { is_negated, status, action });
            if self.take_byte(b']') {
                return Ok(criteria);
            }
        }
    }

    /// Takes a status or an action, and the blanks behind it.
    fn part(&mut self) -> &'t [u8] {
        let part = self.take(|byte| is_blank(byte) || byte == b'=' || byte == b']');
        self.skip(is_blank);
        part
    }

    /// The same with blanks before it.
    fn blank_part(&mut self) -> &'t [u8] {
        self.skip(is_blank);
        self.part()
    }
}

#[cfg(test)]
mod tests;
