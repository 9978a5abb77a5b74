//! [`Question`]: what is asked, and over which transport.

use std::fmt;

use crate::HostName;

/// A name and a record type.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Question {
    /// The owner name, absolute, without its final dot.
    pub name: HostName,
    /// The record type.
    pub record_type: RecordType,
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.record_type)
    }
}

/// A record type that a lookup asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum RecordType {
    /// An IPv4 address (RFC 1035 section 3.4.1).
    A,
    /// An IPv6 address (RFC 3596 section 2.1).
    Aaaa,
}

impl RecordType {
    /// The place of this type in an array that has one for each of the two.
    pub(crate) fn index(self) -> usize {
        match self {
            Self::A => 0,
            Self::Aaaa => 1,
        }
    }

    /// The type of the other address family.
    pub(crate) fn other(self) -> Self {
        match self {
            Self::A => Self::Aaaa,
            Self::Aaaa => Self::A,
        }
    }
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
        })
    }
}

/// The transport of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Transport {
    /// UDP.
    Udp,
    /// TCP (RFC 7766).
    Tcp,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
        })
    }
}
