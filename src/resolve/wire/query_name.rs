//! [`QueryName`]: the name of a question, in wire form.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::HostName;
use crate::resolve::wire::case_mask::CaseMask;
use crate::resolve::wire::reader::{MAX_NAME_LEN, Name};

/// An absolute name in wire form: what a question asks for, or where an alias points to.
///
/// Made from a [`HostName`], or from any name in a response: the target of an alias need not be a
/// host name (`*.example`, bytes that are no text), and is asked on all the same. Cheap to clone.
/// Compares and hashes without regard to ASCII case (RFC 4343); [`Display`](fmt::Display) escapes
/// every byte that is no printable ASCII character, so that nothing from the network reaches a
/// terminal or a log as a control byte.
#[derive(Clone)]
pub(crate) struct QueryName(Arc<[u8]>);

impl QueryName {
    /// Whether they are one value, cloned: then they are equal, without a look at them.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The name as it stands in a message, uncompressed: at most 255 octets.
    pub(crate) fn as_wire(&self) -> &[u8] {
        &self.0
    }

    /// The host name this is, without a final dot; `None` if it is none: the root, or a label with
    /// a byte other than a letter, a digit, a hyphen or an underscore.
    pub(crate) fn to_host_name(&self) -> Option<HostName> {
        // The check stands before the conversion to text, in which a dot inside a label could not
        // be distinguished from the dot between two.
        if !is_host_name(self.labels()) {
            return None;
        }
        let mut text = String::with_capacity(self.0.len());
        for label in self.labels() {
            if !text.is_empty() {
                text.push('.');
            }
            text.extend(label.iter().copied().map(char::from));
        }
        text.parse().ok()
    }

    /// A name in wire form that is known to be valid.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn of_wire(wire: &[u8]) -> Self {
        Self(wire.into())
    }

    pub(in crate::resolve) fn from_message(name: Name<'_>) -> Self {
        Self::from_labels(name.labels())
    }

    /// Whether `name` is this name, without regard to ASCII case.
    pub(crate) fn eq_in_message(&self, name: Name<'_>) -> bool {
        self.0.len() == name.len()
            && self.labels().zip(name.labels()).all(|(a, b)| a.eq_ignore_ascii_case(b))
    }

    /// Whether `name`, which is this name, has the letters that a query with `mask` has.
    pub(crate) fn is_spelled(&self, mask: CaseMask, name: Name<'_>) -> bool {
        let mut wire = [0; MAX_NAME_LEN];
        let wire = &mut wire[..self.0.len()];
        wire.copy_from_slice(&self.0);
        mask.apply(wire);
        labels(wire).eq(name.labels())
    }

    /// This name with the spelling of `asked`, of which a nameserver has seen the one that `mask`
    /// gives: each label that is so spelled has come from the query. (The end of an alias' target
    /// is often compressed into a pointer to the question, and that of a DNAME record begins with
    /// labels of it, RFC 6672 section 2.2.)
    #[must_use]
    pub(crate) fn unmasked(&self, mask: CaseMask, asked: &Self) -> Self {
        let mut sent = asked.0.to_vec();
        mask.apply(&mut sent);
        let as_asked = |label| {
            let mut spellings = labels(&sent).zip(asked.labels());
            spellings.find(|(sent, _)| *sent == label).map_or(label, |(_, asked)| asked)
        };
        Self::from_labels(self.labels().map(as_asked))
    }

    /// At most 127 labels of at most 63 octets, 255 octets in all: what a [`HostName`] and a
    /// checked [`Name`] consist of.
    fn from_labels<'a>(labels: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut wire = [0; MAX_NAME_LEN];
        let mut len = 0;
        for label in labels {
            let end = len + 1 + label.len();
            wire[len] = u8::try_from(label.len()).expect("a label has at most 63 octets");
            wire[len + 1..end].copy_from_slice(label);
            len = end;
        }
        // The next octet is the root label.
        Self(Arc::from(&wire[..=len]))
    }

    fn labels(&self) -> impl Iterator<Item = &[u8]> {
        labels(&self.0)
    }
}

/// The labels of a name in wire form.
fn labels(mut rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (&len, after) = rest.split_first()?;
        let (label, after) = after.split_at(len.into());
        rest = after;
        (len != 0).then_some(label)
    })
}

/// Whether every label holds letters, digits, hyphens and underscores alone, and there is one.
///
/// A name from the network passes here before it becomes a [`HostName`] that users print, compare
/// and hand to TLS.
pub(crate) fn is_host_name<'a>(labels: impl Iterator<Item = &'a [u8]>) -> bool {
    let is_host_byte = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
    let mut labels = labels.peekable();
    labels.peek().is_some() && labels.all(|label| label.iter().all(is_host_byte))
}

impl From<&HostName> for QueryName {
    /// Each lookup begins with this: one copy, and a walk from the end that puts the length of a
    /// label where the dot before it was.
    fn from(name: &HostName) -> Self {
        let text = name.without_final_dot().as_bytes();
        let mut wire = [0; MAX_NAME_LEN];
        wire[1..=text.len()].copy_from_slice(text);
        let mut label_len = 0;
        for octet in wire[1..=text.len()].iter_mut().rev() {
            if *octet == b'.' {
                *octet = std::mem::take(&mut label_len);
            } else {
                label_len += 1;
            }
        }
        wire[0] = label_len;
        // The octet behind the last label is the root label.
        Self(Arc::from(&wire[..text.len() + 2]))
    }
}

// The octets that give a label's length are below 64 and so never letters: case can be ignored
// octet by octet.

impl PartialEq for QueryName {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for QueryName {}

impl Hash for QueryName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // A piece at a time: hashers are slow at single octets, and most names fit one piece.
        let mut lowercase = [0; 32];
        for piece in self.0.chunks(lowercase.len()) {
            let lowercase = &mut lowercase[..piece.len()];
            lowercase.copy_from_slice(piece);
            lowercase.make_ascii_lowercase();
            state.write(lowercase);
        }
    }
}

impl fmt::Display for QueryName {
    /// In the form of master files (RFC 1035 section 5.1), without a final dot; the root as `.`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.len() == 1 {
            return f.write_str(".");
        }
        for (i, label) in self.labels().enumerate() {
            if i > 0 {
                f.write_str(".")?;
            }
            for &byte in label {
                match byte {
                    b'.' | b'\\' => write!(f, "\\{}", char::from(byte))?,
                    b'!'..=b'~' => write!(f, "{}", char::from(byte))?,
                    _ => write!(f, "\\{byte:03}")?,
                }
            }
        }
        Ok(())
    }
}

impl fmt::Debug for QueryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
