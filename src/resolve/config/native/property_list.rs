//! XML property lists, as macOS writes them: from octets to values.

use std::borrow::Cow;

/// A value of a property list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PropertyList {
    /// The members in the order of the text.
    Dict(Vec<(String, PropertyList)>),
    Array(Vec<PropertyList>),
    String(String),
    Integer(i64),
    Bool(bool),
    /// A date, data or a number with a fraction, none of which is of use here.
    Other,
}

/// What was read of a property list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parsed {
    /// `None`: there is no value at all.
    pub(crate) value: Option<PropertyList>,
    /// Whether the text is a property list to its end. Otherwise the value is what stands before
    /// the first fault.
    pub(crate) is_whole: bool,
}

/// A longer text is no configuration of a network: it is not read.
const MAX_LEN: usize = 1 << 20;

/// The network configuration has three levels.
const MAX_DEPTH: usize = 16;

impl PropertyList {
    /// Returns a member of a dictionary. Of members of the same name the last one holds.
    pub(crate) fn member(&self, key: &str) -> Option<&Self> {
        let Self::Dict(members) = self else { return None };
        members.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value)
    }
}

#[cfg(any(test, fuzzing))]
impl PropertyList {
    /// Whether `whole` begins with this: it may have more members and items at its end.
    pub(crate) fn is_part_of(&self, whole: &Self) -> bool {
        match (self, whole) {
            (Self::Dict(part), Self::Dict(whole)) => {
                part.len() <= whole.len()
                    && part.iter().zip(whole).all(|(a, b)| a.0 == b.0 && a.1.is_part_of(&b.1))
            }
            (Self::Array(part), Self::Array(whole)) => {
                part.len() <= whole.len() && part.iter().zip(whole).all(|(a, b)| a.is_part_of(b))
            }
            _ => self == whole,
        }
    }
}

/// Parses a property list. Wrong or truncated text ends the reading: what stands before it counts.
pub(crate) fn parse(text: &[u8]) -> Parsed {
    let Some(text) = Some(text).filter(|text| text.len() <= MAX_LEN) else {
        return Parsed { value: None, is_whole: false };
    };
    // A character that was cut in two is where the reading ends.
    let (text, is_text) = match str::from_utf8(text) {
        Ok(text) => (text, true),
        Err(error) => {
            let valid = str::from_utf8(&text[..error.valid_up_to()]);
            (valid.expect("the error says how far it is valid"), false)
        }
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader { rest: text, has_fault: false };
    let value = reader.document();
    Parsed { value, is_whole: is_text && !reader.has_fault }
}

/// A tag: `<name>`, `</name>` or `<name/>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tag<'t> {
    Start(&'t str),
    End(&'t str),
    Empty(&'t str),
}

struct Reader<'t> {
    rest: &'t str,
    /// Set at the first fault. Nothing is read after it.
    has_fault: bool,
}

impl<'t> Reader<'t> {
    fn document(&mut self) -> Option<PropertyList> {
        let first = self.tag()?;
        let Tag::Start("plist") = first else { return self.value(first, 0) };
        let first = self.tag()?;
        let value = self.value(first, 0);
        self.end("plist");
        value
    }

    /// The value that a tag begins.
    fn value(&mut self, first: Tag<'t>, depth: usize) -> Option<PropertyList> {
        if depth >= MAX_DEPTH {
            return self.fault();
        }
        Some(match first {
            Tag::Empty("dict") => PropertyList::Dict(Vec::new()),
            Tag::Empty("array") => PropertyList::Array(Vec::new()),
            Tag::Empty("string") => PropertyList::String(String::new()),
            Tag::Empty("true") => PropertyList::Bool(true),
            Tag::Empty("false") => PropertyList::Bool(false),
            Tag::Empty("data") => PropertyList::Other,
            Tag::Start("dict") => PropertyList::Dict(self.members(depth)),
            Tag::Start("array") => PropertyList::Array(self.items(depth)),
            Tag::Start("string") => PropertyList::String(self.text("string")?.into_owned()),
            Tag::Start("integer") => match self.text("integer")?.trim().parse() {
                Ok(integer) => PropertyList::Integer(integer),
                Err(_) => return self.fault(),
            },
            Tag::Start(name @ ("true" | "false")) => {
                self.end(name);
                PropertyList::Bool(name == "true")
            }
            Tag::Start(name @ ("data" | "date" | "real")) => {
                self.text(name)?;
                PropertyList::Other
            }
            Tag::Start(_) | Tag::End(_) | Tag::Empty(_) => return self.fault(),
        })
    }

    fn members(&mut self, depth: usize) -> Vec<(String, PropertyList)> {
        let mut members = Vec::new();
        while let Some(tag) = self.tag() {
            match tag {
                Tag::End("dict") => break,
                Tag::Start("key") => {}
                _ => {
                    self.has_fault = true;
                    break;
                }
            }
            let Some(key) = self.text("key") else { break };
            let Some(first) = self.tag() else { break };
            let Some(value) = self.value(first, depth + 1) else { break };
            members.push((key.into_owned(), value));
        }
        members
    }

    fn items(&mut self, depth: usize) -> Vec<PropertyList> {
        let mut items = Vec::new();
        while let Some(tag) = self.tag() {
            if tag == Tag::End("array") {
                break;
            }
            let Some(value) = self.value(tag, depth + 1) else { break };
            items.push(value);
        }
        items
    }

    /// The next tag. Blanks, comments and declarations before it are skipped.
    fn tag(&mut self) -> Option<Tag<'t>> {
        loop {
            if self.has_fault {
                return None;
            }
            self.rest = self.rest.trim_ascii_start();
            let skipped = if self.rest.starts_with("<!--") {
                self.skip_past("-->")
            } else if self.rest.starts_with("<?") {
                self.skip_past("?>")
            } else if self.rest.starts_with("<!") {
                self.skip_past(">")
            } else {
                break;
            };
            skipped?;
        }
        let Some(inside) = self.rest.strip_prefix('<') else { return self.fault() };
        let Some((inside, rest)) = inside.split_once('>') else { return self.fault() };
        self.rest = rest;
        let (make, inside): (fn(&'t str) -> Tag<'t>, _) =
            if let Some(inside) = inside.strip_prefix('/') {
                (Tag::End, inside)
            } else if let Some(inside) = inside.strip_suffix('/') {
                (Tag::Empty, inside)
            } else {
                (Tag::Start, inside)
            };
        // Attributes, of which there is the version alone, have no meaning here.
        Some(make(inside.split_ascii_whitespace().next().unwrap_or_default()))
    }

    /// The text of an element up to its end tag, `&lt;` and its like replaced.
    fn text(&mut self, name: &str) -> Option<Cow<'t, str>> {
        let Some((text, _)) = self.rest.split_once('<') else { return self.fault() };
        self.rest = &self.rest[text.len()..];
        self.end(name);
        if self.has_fault {
            return None;
        }
        let text = unescape(text);
        if text.is_none() {
            self.has_fault = true;
        }
        text
    }

    fn end(&mut self, name: &str) {
        if self.tag().is_some_and(|tag| tag != Tag::End(name)) {
            self.has_fault = true;
        }
    }

    fn skip_past(&mut self, end: &str) -> Option<()> {
        let Some((_, rest)) = self.rest.split_once(end) else { return self.fault() };
        self.rest = rest;
        Some(())
    }

    fn fault<T>(&mut self) -> Option<T> {
        self.has_fault = true;
        None
    }
}

/// Replaces character references; `None` if one of them is none.
fn unescape(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('&') {
        return Some(Cow::Borrowed(text));
    }
    let mut parts = text.split('&');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once(';')?;
        plain.push(match name {
            "lt" => '<',
            "gt" => '>',
            "amp" => '&',
            "apos" => '\'',
            "quot" => '"',
            _ => {
                let number = name.strip_prefix('#')?;
                let code = match number.strip_prefix(['x', 'X']) {
                    Some(digits) => u32::from_str_radix(digits, 16),
                    None => number.parse(),
                };
                char::from_u32(code.ok()?)?
            }
        });
        plain.push_str(rest);
    }
    Some(Cow::Owned(plain))
}

#[cfg(test)]
mod tests;
