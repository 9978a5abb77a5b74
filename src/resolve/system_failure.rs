//! [`SystemFailure`]: why the operating system's own lookup failed.

use std::fmt;
use std::time::Duration;

use super::question::Question;
use super::system::codes;

/// The failure of one address family in the operating system's own lookup (`getaddrinfo`).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SystemFailure {
    /// What was asked: the name as it was given, and the record type of the address family.
    pub question: Question,
    /// The cause.
    pub cause: SystemCause,
    /// How long the lookup had waited for it.
    pub elapsed: Duration,
}

impl fmt::Display for SystemFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { question, cause, elapsed } = self;
        write!(f, "{question} from the operating system: {cause} after {} ms", elapsed.as_millis())
    }
}

/// Why the operating system's own lookup gave no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SystemCause {
    /// `getaddrinfo` has not come back in time: the call goes on, and holds its thread, until it
    /// does. Or it was not begun, since every thread was held by other calls
    /// ([`Stats::running_system_calls`](super::Stats::running_system_calls)).
    Timeout,
    /// The error code that `getaddrinfo` returned, such as `EAI_AGAIN`. The numbers differ between
    /// operating systems.
    Code(i32),
    /// The error number of the operating system: `errno` where `getaddrinfo` says `EAI_SYSTEM`. 0
    /// if it has set none.
    Os(i32),
    /// So many threads are held by calls that have not come back, and no more are started:
    /// [`ResolverBuilder::system_threads`](super::ResolverBuilder::system_threads).
    ThreadsHeld(usize),
    /// No thread could be started.
    NoThread,
    /// The call has panicked.
    Panicked,
}

impl fmt::Display for SystemCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout => f.write_str("no answer"),
            Self::Code(code) => match codes::name(codes::THIS_SYSTEM, *code) {
                Some(name) => write!(f, "{name} ({code})"),
                None => write!(f, "error {code} of getaddrinfo"),
            },
            Self::Os(0) => f.write_str("EAI_SYSTEM without an error number"),
            Self::Os(errno) => write!(f, "{}", std::io::Error::from_raw_os_error(*errno)),
            Self::ThreadsHeld(count) => {
                write!(f, "all {count} threads for it are held by calls that have not come back")
            }
            Self::NoThread => f.write_str("no thread could be started"),
            Self::Panicked => f.write_str("the call panicked"),
        }
    }
}
