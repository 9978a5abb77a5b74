//! [`QueryName`]: the name of a question, in wire form.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use domain::base::name::{Label, Name, ParsedName, ToLabelIter};

use crate::HostName;

/// A domain name takes at most this many octets on the wire (RFC 1035 section 2.3.4).
const MAX_NAME_LEN: usize = 255;

/// An absolute name in wire form: what a question asks for, or where an alias points to.
///
/// Made from a [`HostName`], or from any name in a response: the target of an alias need not be a
/// host name (`*.example`, bytes that are no text), and is asked on all the same. Cheap to clone.
/// Compares and hashes without regard to ASCII case (RFC 4343); [`Display`](fmt::Display) escapes
/// every byte that is no printable ASCII character, so that nothing from the network reaches a
/// terminal or a log as a control byte.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct QueryName(Name<Arc<[u8]>>);

impl QueryName {
    /// The name as it stands in a message, uncompressed: at most 255 octets.
    pub(crate) fn as_wire(&self) -> &[u8] {
        self.0.as_slice()
    }

    pub(in crate::resolve) fn from_parsed(name: &ParsedName<&[u8]>) -> Self {
        let mut wire = [0; MAX_NAME_LEN];
        let mut len = 0;
        for label in name {
            let end = len + 1 + label.len();
            wire[len] = u8::try_from(label.len()).expect("a label has at most 63 octets");
            wire[len + 1..end].copy_from_slice(label.as_slice());
            len = end;
        }
        Self::from_wire(&wire[..len])
    }

    /// The host name this is, without a final dot; `None` if it is none: the root, or a label with
    /// a byte other than a letter, a digit, a hyphen or an underscore.
    pub(crate) fn to_host_name(&self) -> Option<HostName> {
        // The check stands before the conversion to text, in which a dot inside a label could not
        // be told from the dot between two.
        if !is_host_name(&self.0) {
            return None;
        }
        let mut text = String::with_capacity(self.as_wire().len());
        for label in self.0.iter().filter(|label| !label.is_root()) {
            if !text.is_empty() {
                text.push('.');
            }
            text.extend(label.iter().map(char::from));
        }
        text.parse().ok()
    }

    /// Whether `name` is the same name octet by octet, the case of the letters included.
    pub(super) fn eq_exact_case(&self, name: &ParsedName<&[u8]>) -> bool {
        let own = self.0.iter().map(Label::as_slice);
        own.eq(name.iter().map(Label::as_slice))
    }

    pub(super) fn eq_parsed(&self, name: &ParsedName<&[u8]>) -> bool {
        *name == self.0
    }

    pub(super) fn from_wire(wire: &[u8]) -> Self {
        let name = Name::from_octets(Arc::from(wire));
        Self(name.expect("labels of a host name or of a parsed name form an absolute name"))
    }
}

/// Whether every label holds letters, digits, hyphens and underscores alone, and there is one.
///
/// A name from the network passes here before it becomes a [`HostName`] that users print, compare
/// and hand to TLS.
pub(crate) fn is_host_name(name: &impl ToLabelIter) -> bool {
    let host_byte = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let mut labels = name.iter_labels().filter(|label| !label.is_root()).peekable();
    labels.peek().is_some() && labels.all(|label| label.iter().all(host_byte))
}

impl From<&HostName> for QueryName {
    fn from(name: &HostName) -> Self {
        let mut wire = [0; MAX_NAME_LEN];
        let mut len = 0;
        for label in name.without_final_dot().split('.') {
            let end = len + 1 + label.len();
            wire[len] = u8::try_from(label.len()).expect("a label has at most 63 octets");
            wire[len + 1..end].copy_from_slice(label.as_bytes());
            len = end;
        }
        // At most 253 characters take at most 254 octets up to here; the array's next octet is the
        // root label.
        Self::from_wire(&wire[..=len])
    }
}

impl Hash for QueryName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Octet by octet in lower case; the octets that give a label's length are below 64 and so
        // never letters.
        for byte in self.as_wire() {
            state.write_u8(byte.to_ascii_lowercase());
        }
    }
}

impl fmt::Display for QueryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for QueryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
