//! [`HostName`]: a name that is known to be valid.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

/// A host name that can be looked up: checked once, here, and trusted everywhere else.
///
/// One to 253 bytes (a final dot not counted) of labels of one to 63 bytes, as RFC 1035 section
/// 2.3.4 allows on the wire. Letters, digits, hyphen (RFC 1123 section 2.1) and, as every resolver
/// does, the underscore of service labels; a hyphen may stand anywhere in a label (RFC 2181 section
/// 11 puts no limit on what a name can be asked for). ASCII only: a name in another script is given
/// as its A-label (`xn--…`, RFC 5890 section 2.3.2.1).
///
/// A text that a reader could take for an address is no name: an IP address, or anything else whose
/// last label is a number (`0177.0.0.1`, `127.1`, `2130706433`, `1.2.3.4.`). Programs disagree on
/// what such a text means, and where they disagree, one checks an address and another connects to
/// a different one.
///
/// A final dot is kept: it makes the name absolute, so that no search list applies to it, and
/// `example.com` and `example.com.` are two different values. Names compare, sort and hash without
/// regard to ASCII case (RFC 4343).
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

/// The longest name, its final dot not counted: 255 bytes on the wire (RFC 1035 section 2.3.4) less
/// the length byte of the first label and the root label.
pub(crate) const MAX_LEN: usize = 253;

/// RFC 1035 section 2.3.4: "labels: 63 octets or less".
const MAX_LABEL_LEN: usize = 63;

impl HostName {
    /// The name as it was given, final dot included.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name without its final dot.
    pub fn without_final_dot(&self) -> &str {
        self.0.strip_suffix('.').unwrap_or(&self.0)
    }

    /// Whether the name ends in a dot, so that no search list applies.
    pub fn is_absolute(&self) -> bool {
        self.0.ends_with('.')
    }

    /// The labels from left to right, the root label not counted.
    pub fn labels(&self) -> impl DoubleEndedIterator<Item = &str> + Clone {
        self.without_final_dot().split('.')
    }

    /// Whether this name is `parent`, or lies below it: `a.b` is a subdomain of `b` and of `a.b`,
    /// and `ab` is not one of `b`. Final dots do not count.
    pub fn is_subdomain_of(&self, parent: &Self) -> bool {
        is_in_domain(self.without_final_dot(), parent.without_final_dot())
    }

    /// A name whose text was checked before, by [`check`].
    pub(crate) fn from_checked(text: &str) -> Self {
        debug_assert_eq!(check(text.as_bytes()), Ok(()), "{text:?} was not checked");
        Self(text.into())
    }

    /// The text of an address, as the canonical name of a lookup of that address: the one value of
    /// this type that is not a name.
    pub(crate) fn of_literal(ip: IpAddr) -> Self {
        Self(ip.to_string().into())
    }

    /// The address whose text this is ([`of_literal`](Self::of_literal)); `None` if it is a name.
    pub(crate) fn as_literal(&self) -> Option<IpAddr> {
        // No name ends in a number or has a colon.
        let may_be = self.0.ends_with(|last: char| last.is_ascii_digit()) || self.0.contains(':');
        if may_be { self.0.parse().ok() } else { None }
    }

    /// This name below `suffix`, both taken without their final dot; `None` if that is longer than
    /// a name can be.
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

    /// This name without its final dot, as a name.
    pub(crate) fn to_relative(&self) -> Self {
        if self.is_absolute() { Self(self.without_final_dot().into()) } else { self.clone() }
    }
}

/// Whether `name` is `domain` or lies below it; neither has a final dot.
pub(crate) fn is_in_domain(name: &str, domain: &str) -> bool {
    let (name, domain) = (name.as_bytes(), domain.as_bytes());
    let Some(boundary) = name.len().checked_sub(domain.len()) else { return false };
    name[boundary..].eq_ignore_ascii_case(domain) && (boundary == 0 || name[boundary - 1] == b'.')
}

/// Whether `text` is a [`HostName`], without making one.
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
    Ok(())
}

fn is_address(text: &[u8]) -> bool {
    str::from_utf8(text).is_ok_and(|text| text.parse::<IpAddr>().is_ok())
}

/// Whether the last label reads as a number: decimal, octal or hexadecimal.
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

/// By byte from left to right, in lower case; not the canonical order of RFC 4034.
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

/// Hashes the lower case of `name` in one write: a write for each byte costs ten times as much.
pub(crate) fn hash_lowercase<H: Hasher>(name: &str, state: &mut H) {
    let mut lowercase = [0; MAX_LEN + 1];
    let lowercase = &mut lowercase[..name.len()];
    lowercase.copy_from_slice(name.as_bytes());
    lowercase.make_ascii_lowercase();
    state.write(lowercase);
    // As `str` does it: no hash of two names in a row equals that of two others.
    state.write_u8(0xff);
}

/// Why a text is no [`HostName`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// Nothing, or only the root dot.
    #[error("the host name is empty")]
    Empty,
    /// More than 253 bytes, a final dot not counted.
    #[error("the host name is longer than 253 bytes")]
    TooLong,
    /// A label of more than 63 bytes.
    #[error("a label of the host name is longer than 63 bytes")]
    LabelTooLong,
    /// Two dots in a row, or a dot in front.
    #[error("the host name has an empty label")]
    EmptyLabel,
    /// A byte that is no letter, digit, hyphen, underscore or dot.
    #[error("the host name has the byte '{}' at index {index}", byte.escape_ascii())]
    ForbiddenByte {
        /// The byte.
        byte: u8,
        /// Its place in the text, from 0.
        index: usize,
    },
    /// A character outside ASCII.
    #[error("the host name is not ASCII: give its A-label (xn--..)")]
    NonAscii,
    /// An IP address, which needs no lookup.
    #[error("the host name is an IP address")]
    IpAddress,
    /// The last label is a number, and the text is no IPv4 address of four decimal numbers without
    /// leading zeros.
    #[error("the host name ends in a number, but is not an IPv4 address in dotted decimal")]
    AmbiguousNumeric,
}

#[cfg(test)]
mod tests;
