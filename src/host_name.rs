//! [`HostName`]: a host name that has been validated.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use crate::zone::parse_scoped_ip;

/// A valid host name: the text is checked when the value is made, and not again.
///
/// A name has 1 to 253 bytes, a final dot not counted, in labels of 1 to 63 bytes (RFC 1035 section
/// 2.3.4). A label has letters, digits, hyphens (RFC 1123 section 2.1) and underscores, as service
/// labels have; a hyphen may be anywhere but at the start of the name. Only ASCII is accepted: an
/// internationalized name is given as A-labels (`xn--…`, RFC 5890 section 2.3.2.1).
///
/// A text that some programs read as an address is refused: an IP address, and any other text whose
/// last label is a number (`0177.0.0.1`, `127.1`, `2130706433`, `1.2.3.4.`). Programs disagree on
/// what such a text means: one would check one address, and another connect to a different one.
///
/// There are two exceptions, both made by lookups. The canonical name of an IP literal is the text
/// of that address, and a lookup of it yields the address again, without a nameserver. And a text
/// that ends in a number and that no program reads as an address (`node.1`, `857482910374`) is a
/// name if the hosts file has it: a [`Target`](crate::Target) may have it, and it is never sent.
///
/// A name that starts with a hyphen is refused, as glibc does: passed on to another program, it
/// would be one of its options. That holds for names in responses too: such a name is never a
/// canonical name.
///
/// A final dot makes the name absolute: no search list applies to it. `example.com` and
/// `example.com.` are different values. Names compare, sort and hash without regard to ASCII case
/// (RFC 4343).
///
/// # Examples
///
/// ```
/// use outrace::{HostName, NameError};
///
/// let name: HostName = "WWW.example.com".parse()?;
/// assert_eq!(name, "www.Example.com".parse()?);
/// assert!(name.is_subdomain_of(&"example.com".parse()?));
/// assert_eq!("españa.example".parse::<HostName>(), Err(NameError::NonAscii));
/// # Ok::<(), NameError>(())
/// ```
#[derive(Clone)]
pub struct HostName(Arc<str>);

/// The length of the longest name, its final dot not counted: 255 bytes on the wire (RFC 1035
/// section 2.3.4) less the length byte of the first label and the root label.
pub(crate) const MAX_LEN: usize = 253;

/// RFC 1035 section 2.3.4: "labels: 63 octets or less".
const MAX_LABEL_LEN: usize = 63;

impl HostName {
    /// Returns the name as it was given, with its final dot if it has one.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the name without its final dot.
    pub fn without_final_dot(&self) -> &str {
        self.0.strip_suffix('.').unwrap_or(&self.0)
    }

    /// Returns whether the name ends in a dot, so that no search list applies.
    pub fn is_absolute(&self) -> bool {
        self.0.ends_with('.')
    }

    /// Returns the labels from left to right, without the root label.
    pub fn labels(&self) -> impl DoubleEndedIterator<Item = &str> + Clone {
        self.without_final_dot().split('.')
    }

    /// Returns whether this name is `parent` or below it: `a.b` is a subdomain of `b` and of `a.b`;
    /// `ab` is not a subdomain of `b`. Final dots are ignored.
    pub fn is_subdomain_of(&self, parent: &Self) -> bool {
        is_in_domain(self.without_final_dot(), parent.without_final_dot())
    }

    /// Makes a name of a text that [`check`] has accepted.
    pub(crate) fn from_checked(text: &str) -> Self {
        debug_assert_eq!(check(text.as_bytes()), Ok(()), "{text:?} was not checked");
        Self(text.into())
    }

    /// Makes a name of a text that [`check_in_hosts`] has accepted.
    pub(crate) fn from_hosts(text: &str) -> Self {
        debug_assert_eq!(check_in_hosts(text.as_bytes()), Ok(()), "{text:?} was not checked");
        Self(text.into())
    }

    /// Parses a name that a nameserver or the hosts file alone may have.
    pub(crate) fn parse_in_hosts(text: &str) -> Result<Self, NameError> {
        check_in_hosts(text.as_bytes())?;
        Ok(Self(text.into()))
    }

    /// Returns whether the hosts file alone may have this name: it ends in a number.
    pub(crate) fn is_of_hosts_alone(&self) -> bool {
        ends_in_number(self.without_final_dot().as_bytes())
    }

    /// Makes the canonical name of a lookup of an IP literal: the text of the address, with its
    /// scope id (0: none). No other value of this type is an address.
    pub(crate) fn of_literal(ip: IpAddr, scope: u32) -> Self {
        Self(if scope == 0 { ip.to_string() } else { format!("{ip}%{scope}") }.into())
    }

    /// Returns the address and its scope id if this is an IP literal
    /// ([`of_literal`](Self::of_literal)).
    pub(crate) fn as_literal(&self) -> Option<(IpAddr, u32)> {
        // Of the names, some of the hosts file end in a number, and none has a colon.
        let may_be = self.0.ends_with(|last: char| last.is_ascii_digit()) || self.0.contains(':');
        if may_be { parse_scoped_ip(&self.0, &|_| None).ok() } else { None }
    }

    /// Returns this name below `suffix`, both without their final dot; `None` if the result is
    /// longer than a name can be.
    pub(crate) fn below(&self, suffix: &Self) -> Option<Self> {
        let (name, suffix) = (self.without_final_dot(), suffix.without_final_dot());
        let len = name.len() + 1 + suffix.len();
        (len <= MAX_LEN).then(|| {
            let mut text = String::with_capacity(len);
            text.push_str(name);
            text.push('.');
            text.push_str(suffix);
            Self(text.into())
        })
    }

    /// Returns this name with a final dot.
    pub(crate) fn to_absolute(&self) -> Self {
        if self.is_absolute() { self.clone() } else { Self(format!("{}.", self.0).into()) }
    }

    /// Returns this name without its final dot.
    pub(crate) fn to_relative(&self) -> Self {
        if self.is_absolute() { Self(self.without_final_dot().into()) } else { self.clone() }
    }
}

/// Returns whether `name` is `domain` or below it; neither has a final dot.
pub(crate) fn is_in_domain(name: &str, domain: &str) -> bool {
    let (name, domain) = (name.as_bytes(), domain.as_bytes());
    let Some(boundary) = name.len().checked_sub(domain.len()) else { return false };
    name[boundary..].eq_ignore_ascii_case(domain) && (boundary == 0 || name[boundary - 1] == b'.')
}

/// Checks that `text` is a valid [`HostName`], without making one.
pub(crate) fn check(text: &[u8]) -> Result<(), NameError> {
    let name = text.strip_suffix(b".").unwrap_or(text);
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name.len() > MAX_LEN {
        return Err(NameError::TooLong);
    }
    let mut label_len = 0;
    for (index, &byte) in name.iter().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => label_len += 1,
            b'.' if label_len == 0 => return Err(NameError::EmptyLabel),
            b'.' => label_len = 0,
            0x80.. => return Err(NameError::NonAscii),
            _ if is_address(text) => return Err(NameError::IpAddress),
            _ => return Err(NameError::ForbiddenByte { byte, index }),
        }
        if label_len > MAX_LABEL_LEN {
            return Err(NameError::LabelTooLong);
        }
    }
    if label_len == 0 {
        return Err(NameError::EmptyLabel);
    }
    if ends_in_number(name) {
        return Err(if is_address(text) {
            NameError::IpAddress
        } else {
            NameError::AmbiguousNumeric
        });
    }
    if name.starts_with(b"-") {
        return Err(NameError::LeadingHyphen);
    }
    Ok(())
}

/// Checks that `text` is a name that the hosts file may have: a valid [`HostName`], or one that
/// ends in a number and that no program reads as an address.
pub(crate) fn check_in_hosts(text: &[u8]) -> Result<(), NameError> {
    match check(text) {
        Err(NameError::AmbiguousNumeric) if !text.starts_with(b"-") && !is_legacy_address(text) => {
            Ok(())
        }
        checked => checked,
    }
}

/// Returns whether some program reads `text` as an IPv4 address: one to four numbers, the last of
/// which fills the octets that are left (`inet_aton(3)`, WHATWG URL Standard section 3.5).
fn is_legacy_address(text: &[u8]) -> bool {
    let text = text.strip_suffix(b".").unwrap_or(text);
    let numbers = text.split(|&byte| byte == b'.');
    let count = numbers.clone().count();
    count <= 4
        && numbers.zip(1..).all(|(number, place)| {
            let octets = if place == count { 5 - count } else { 1 };
            legacy_number(number).is_some_and(|value| value >> (8 * octets) == 0)
        })
}

/// The value of a number as `inet_aton(3)` reads it: hexadecimal, octal or decimal. Digits after a
/// zero that are not octal are taken as decimal, as some programs do.
fn legacy_number(text: &[u8]) -> Option<u64> {
    let (digits, radix) = match text {
        [b'0', b'x' | b'X', hex @ ..] => (hex, 16),
        [b'0', octal @ ..] if octal.iter().all(|digit| (b'0'..=b'7').contains(digit)) => (octal, 8),
        _ => (text, 10),
    };
    digits.iter().try_fold(0_u64, |value, &digit| {
        let digit = char::from(digit).to_digit(radix)?;
        Some(value.saturating_mul(radix.into()).saturating_add(digit.into()))
    })
}

fn is_address(text: &[u8]) -> bool {
    str::from_utf8(text).is_ok_and(|text| text.parse::<IpAddr>().is_ok())
}

/// Returns whether the last label is a number: decimal, octal or hexadecimal.
///
/// This is the WHATWG URL Standard's "ends in a number" check (section 3.5): "If parsing last as an
/// IPv4 number does not return failure, then return true", where a bare `0x` is a number too.
fn ends_in_number(name: &[u8]) -> bool {
    let last = name.rsplit(|&byte| byte == b'.').next().unwrap_or(name);
    match last {
        [b'0', b'x' | b'X', hex @ ..] => hex.iter().all(u8::is_ascii_hexdigit),
        _ => last.iter().all(u8::is_ascii_digit),
    }
}

impl FromStr for HostName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        check(text.as_bytes())?;
        Ok(Self(text.into()))
    }
}

impl TryFrom<&str> for HostName {
    type Error = NameError;

    fn try_from(text: &str) -> Result<Self, NameError> {
        text.parse()
    }
}

impl TryFrom<String> for HostName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        check(text.as_bytes())?;
        Ok(Self(text.into()))
    }
}

impl AsRef<str> for HostName {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl PartialEq for HostName {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for HostName {}

impl PartialOrd for HostName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Orders by byte from left to right, in lower case: not the canonical order of RFC 4034.
impl Ord for HostName {
    fn cmp(&self, other: &Self) -> Ordering {
        let lowercase = |byte: u8| byte.to_ascii_lowercase();
        self.0.bytes().map(lowercase).cmp(other.0.bytes().map(lowercase))
    }
}

impl Hash for HostName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash_lowercase(self.as_str(), state);
    }
}

/// Hashes the lower case of `name` in one write: one write for each byte takes ten times as long.
pub(crate) fn hash_lowercase<H: Hasher>(name: &str, state: &mut H) {
    let mut lowercase = [0; MAX_LEN + 1];
    let lowercase = &mut lowercase[..name.len()];
    lowercase.copy_from_slice(name.as_bytes());
    lowercase.make_ascii_lowercase();
    state.write(lowercase);
    // As `str` does, so that two names in a row never hash as two others.
    state.write_u8(0xff);
}

/// Why a text is not a valid [`HostName`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// The text is empty, or the root dot alone.
    #[error("the host name is empty")]
    Empty,
    /// The name has more than 253 bytes, a final dot not counted.
    #[error("the host name is longer than 253 bytes")]
    TooLong,
    /// A label has more than 63 bytes.
    #[error("a label of the host name is longer than 63 bytes")]
    LabelTooLong,
    /// A label is empty: two dots in a row, or a dot at the start.
    #[error("the host name has an empty label")]
    EmptyLabel,
    /// A byte is not a letter, digit, hyphen, underscore or dot.
    #[error("the host name has the byte '{}' at index {index}", byte.escape_ascii())]
    ForbiddenByte {
        /// The byte.
        byte: u8,
        /// Its index in the text.
        index: usize,
    },
    /// The name starts with a hyphen, and would be an option to a program that is given it.
    #[error("the host name starts with a hyphen")]
    LeadingHyphen,
    /// A character is not ASCII.
    #[error("the host name is not ASCII: give its A-label (xn--..)")]
    NonAscii,
    /// The text is an IP address.
    #[error("the host name is an IP address")]
    IpAddress,
    /// The last label is a number, and the text is neither an IPv4 address of four decimal numbers
    /// without leading zeros nor a name of the hosts file.
    #[error("the host name ends in a number, but is not an IPv4 address in dotted decimal")]
    AmbiguousNumeric,
}

#[cfg(test)]
mod tests;
