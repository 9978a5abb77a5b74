//! [`SocketError`]: what the driver reports of a socket that cannot be used.

use std::io;

use crate::resolve::error::FailureCause;

/// Why a socket or connection cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SocketError {
    /// This process or host is out of descriptors, ports, buffers or memory: no nameserver is to
    /// blame, and it may soon be over.
    OutOfResources,
    /// Refused, unreachable, closed.
    Failed(io::ErrorKind),
}

impl From<SocketError> for FailureCause {
    fn from(error: SocketError) -> Self {
        match error {
            SocketError::OutOfResources => Self::OutOfResources,
            SocketError::Failed(kind) => Self::Socket(kind),
        }
    }
}
