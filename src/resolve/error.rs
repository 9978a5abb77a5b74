//! [`LookupError`], by cause.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use super::DeniedAddresses;
pub use super::question::{Question, RecordType, Transport};
use super::system_failure::SystemFailure;
use crate::{HostName, TargetError};

/// Why a lookup did not return what it was asked for.
///
/// It has the name that was looked up, the cause ([`kind`](Self::kind)), and for each question that
/// failed what each nameserver did and how long it took ([`failures`](Self::failures)). Addresses
/// that came before the error stay valid.
#[derive(Clone, PartialEq, Eq)]
pub struct LookupError(Box<ErrorFields>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct ErrorFields {
    kind: LookupErrorKind,
    name: Option<HostName>,
    failures: Vec<QueryFailure>,
    system_failures: Vec<SystemFailure>,
    /// Whether the operating system was asked last.
    is_of_system: bool,
    denied: Option<DeniedAddresses>,
}

/// The cause of a [`LookupError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LookupErrorKind {
    /// The text is no host name, address or port; nothing was sent.
    InvalidTarget(TargetError),
    /// The name does not exist: NXDOMAIN (RFC 8020), or a special-use name that must not be asked
    /// for, such as `x.invalid` (RFC 6761).
    NotFound,
    /// The name exists, but has no address of the family asked for: NODATA (RFC 2308 section 2.2).
    NoAddress,
    /// The [`AddressPolicy`](super::AddressPolicy) denied every address, whatever became of the
    /// other family: see [`LookupError::denied`].
    PolicyDenied,
    /// No nameserver gave a valid answer in time.
    Timeout,
    /// Every nameserver responded, and none with an answer: SERVFAIL, REFUSED, a response that
    /// cannot be read, and the like.
    ServerFailure,
    /// No nameserver could be reached: no route, or nothing listens there.
    Unreachable,
    /// No nameserver is configured, neither in resolv.conf nor by the program, and the one that
    /// resolv.conf(5) has asked then, this machine, could not be reached: see
    /// [`Resolver::diagnostics`](super::Resolver::diagnostics). A machine or container that starts
    /// may get its resolv.conf a moment later. Where resolv.conf is no convention (Windows, iOS,
    /// Android) no nameserver is asked then.
    Misconfigured,
    /// The alias chain loops, or has more than 16 links.
    BadResponse,
    /// This process or system is out of a resource: open files, local ports, memory, threads.
    Resources,
    /// The lookup's time was over before its query could be sent: so many lookups were under way
    /// that its turn had not come. The burst is the cause, not the nameserver; fewer lookups at
    /// once, or a longer timeout, is the remedy.
    Overloaded,
    /// The lookup was canceled.
    Canceled,
    /// The resolver thread has panicked, the program has closed the thread's file descriptors, or
    /// the lookup was started in the parent of this forked child.
    ResolverGone,
}

impl LookupErrorKind {
    /// Whether the same lookup may succeed later although nothing was changed here.
    pub fn is_temporary(self) -> bool {
        matches!(
            self,
            Self::Timeout
                | Self::ServerFailure
                | Self::Unreachable
                | Self::Misconfigured
                | Self::Resources
                | Self::Overloaded
                | Self::ResolverGone
        )
    }

    /// The kind of an [`io::Error`] that is nearest.
    pub(crate) fn to_io(self) -> io::ErrorKind {
        match self {
            Self::InvalidTarget(_) => io::ErrorKind::InvalidInput,
            Self::NotFound | Self::NoAddress => io::ErrorKind::NotFound,
            Self::PolicyDenied => io::ErrorKind::PermissionDenied,
            Self::Timeout | Self::Overloaded => io::ErrorKind::TimedOut,
            Self::Unreachable => io::ErrorKind::HostUnreachable,
            Self::BadResponse => io::ErrorKind::InvalidData,
            Self::ServerFailure
            | Self::Misconfigured
            | Self::Resources
            | Self::Canceled
            | Self::ResolverGone => io::ErrorKind::Other,
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::InvalidTarget(_) => "invalid host name or port",
            Self::NotFound => "the name does not exist",
            Self::NoAddress => "the name has no address",
            Self::PolicyDenied => "the address policy denies every address",
            Self::Timeout => "no nameserver answered in time",
            Self::ServerFailure => "the nameservers failed",
            Self::Unreachable => "no nameserver could be reached",
            Self::Misconfigured => "no nameserver is configured, and none is on this machine",
            Self::BadResponse => "the answer cannot be followed",
            Self::Resources => "out of open files, local ports or memory",
            Self::Overloaded => "too many lookups at once: it was not sent in time",
            Self::Canceled => "the lookup was canceled",
            Self::ResolverGone => "the resolver has shut down",
        }
    }
}

impl LookupErrorKind {
    /// The text where the operating system was asked last.
    fn text_of_system(self) -> &'static str {
        match self {
            Self::Timeout => "the operating system did not answer in time",
            Self::ServerFailure => "the operating system's lookup failed",
            Self::Unreachable => "the operating system reached no network",
            Self::Resources => "out of threads, open files or memory",
            kind => kind.text(),
        }
    }
}

impl LookupError {
    pub(crate) fn new(
        kind: LookupErrorKind,
        name: Option<HostName>,
        failures: Vec<QueryFailure>,
    ) -> Self {
        Self(Box::new(ErrorFields {
            kind,
            name,
            failures,
            system_failures: Vec::new(),
            is_of_system: false,
            denied: None,
        }))
    }

    /// With the failures of the operating system's lookup. `is_of_system` is whether that was asked
    /// last, so that the kind is about it.
    pub(crate) fn with_system_failures(
        mut self,
        failures: Vec<SystemFailure>,
        is_of_system: bool,
    ) -> Self {
        (self.0.system_failures, self.0.is_of_system) = (failures, is_of_system);
        self
    }

    pub(crate) fn with_denied(mut self, denied: Option<DeniedAddresses>) -> Self {
        self.0.denied = denied;
        self
    }

    pub(crate) fn invalid(cause: TargetError) -> Self {
        Self::new(LookupErrorKind::InvalidTarget(cause), None, Vec::new())
    }

    /// The cause.
    pub fn kind(&self) -> LookupErrorKind {
        self.0.kind
    }

    /// Whether the same lookup may succeed later although nothing was changed here.
    pub fn is_temporary(&self) -> bool {
        self.0.kind.is_temporary()
    }

    /// The name that was looked up, as the caller gave it; `None` if it was invalid.
    pub fn name(&self) -> Option<&HostName> {
        self.0.name.as_ref()
    }

    /// The failure of each question at each nameserver, in the order in which they happened.
    pub fn failures(&self) -> &[QueryFailure] {
        &self.0.failures
    }

    /// The failure of each address family in the operating system's own lookup, where that was
    /// asked ([`Source`](super::Source)).
    pub fn system_failures(&self) -> &[SystemFailure] {
        &self.0.system_failures
    }

    /// The addresses that the [`AddressPolicy`](super::AddressPolicy) denied, whatever the kind of
    /// this error. If it is not [`PolicyDenied`](LookupErrorKind::PolicyDenied), other addresses
    /// were allowed.
    pub fn denied(&self) -> Option<DeniedAddresses> {
        self.0.denied
    }
}

impl From<LookupErrorKind> for LookupError {
    fn from(kind: LookupErrorKind) -> Self {
        Self::new(kind, None, Vec::new())
    }
}

impl fmt::Debug for LookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LookupError")
            .field("kind", &self.0.kind)
            .field("name", &self.0.name)
            .field("failures", &self.0.failures)
            .field("system_failures", &self.0.system_failures)
            .field("denied", &self.0.denied)
            .finish()
    }
}

impl fmt::Display for LookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.0.name {
            write!(f, "{name}: ")?;
        }
        f.write_str(if self.0.is_of_system {
            self.0.kind.text_of_system()
        } else {
            self.0.kind.text()
        })?;
        match (self.0.denied, self.0.kind) {
            (Some(denied), LookupErrorKind::PolicyDenied) => write!(f, ", {denied}")?,
            (Some(denied), _) => write!(f, ", and the address policy denied {denied}")?,
            (None, _) => {}
        }
        let queries = self.0.failures.iter().map(|failure| failure as &dyn fmt::Display);
        let calls = self.0.system_failures.iter().map(|failure| failure as &dyn fmt::Display);
        let mut separator = " (";
        for failure in queries.chain(calls) {
            write!(f, "{separator}{failure}")?;
            separator = ", ";
        }
        f.write_str(if separator == ", " { ")" } else { "" })
    }
}

impl std::error::Error for LookupError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0.kind {
            LookupErrorKind::InvalidTarget(cause) => Some(cause),
            _ => None,
        }
    }
}

/// For code that returns `io::Result`: the kind is the nearest to the cause, and this error is
/// within.
impl From<LookupError> for io::Error {
    fn from(error: LookupError) -> Self {
        Self::new(error.kind().to_io(), error)
    }
}

/// The failure of one question at one nameserver.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueryFailure {
    /// What was asked.
    pub question: Question,
    /// The nameserver.
    pub nameserver: SocketAddr,
    /// The transport.
    pub transport: Transport,
    /// The cause.
    pub cause: FailureCause,
    /// From the first query to this nameserver until the cause was known.
    pub elapsed: Duration,
}

impl fmt::Display for QueryFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} from {} over {}: {} after {} ms",
            self.question,
            self.nameserver,
            self.transport,
            self.cause,
            self.elapsed.as_millis()
        )
    }
}

/// Why a nameserver gave no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureCause {
    /// No valid response came.
    Timeout,
    /// The response carried this code.
    Rcode(Rcode),
    /// A referral from a nameserver that does not recurse: no answer, no authority, recursion not
    /// available.
    LameReferral,
    /// The alias chain loops.
    AliasLoop,
    /// The alias chain has more than 16 links.
    AliasChainTooLong,
    /// A response came that answers this question, and its records cannot be read.
    Malformed,
    /// A response came whose question is not in the mixed case of the query
    /// ([`ResolverBuilder::mixed_case`](super::ResolverBuilder::mixed_case)).
    CaseMismatch,
    /// The operating system could not open, connect or use the socket.
    Socket(io::ErrorKind),
    /// This process or system is out of open files, local ports, buffers or memory: no query was
    /// sent.
    OutOfResources,
    /// No query was sent: the nameserver had as many as it takes at once, and the turn of this one
    /// had not come.
    NotSent,
}

impl FailureCause {
    /// Whether the nameserver has responded.
    pub(crate) fn is_response(self) -> bool {
        matches!(self, Self::Rcode(_) | Self::LameReferral | Self::Malformed | Self::CaseMismatch)
    }
}

impl fmt::Display for FailureCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout => f.write_str("no valid response"),
            Self::Rcode(rcode) => write!(f, "{rcode}"),
            Self::LameReferral => f.write_str("lame referral"),
            Self::AliasLoop => f.write_str("alias loop"),
            Self::AliasChainTooLong => f.write_str("alias chain too long"),
            Self::Malformed => f.write_str("malformed response"),
            Self::CaseMismatch => f.write_str("response in another case than the query"),
            Self::Socket(kind) => write!(f, "{kind}"),
            Self::OutOfResources => f.write_str("out of open files, local ports or memory"),
            Self::NotSent => f.write_str("not sent, others were ahead of it"),
        }
    }
}

/// A response code (RFC 6895 section 2.3), the extended bits of EDNS included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rcode(pub u16);

impl Rcode {
    /// No error.
    pub const NOERROR: Self = Self(0);
    /// The nameserver could not read the query.
    pub const FORMERR: Self = Self(1);
    /// The nameserver failed.
    pub const SERVFAIL: Self = Self(2);
    /// The name does not exist.
    pub const NXDOMAIN: Self = Self(3);
    /// The nameserver does not do this kind of query.
    pub const NOTIMP: Self = Self(4);
    /// The nameserver refuses to answer.
    pub const REFUSED: Self = Self(5);
    /// A name exists that should not.
    pub const YXDOMAIN: Self = Self(6);
    /// The EDNS version is not supported (RFC 6891 section 9).
    pub const BADVERS: Self = Self(16);
}

impl fmt::Display for Rcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NOERROR => f.write_str("NOERROR"),
            Self::FORMERR => f.write_str("FORMERR"),
            Self::SERVFAIL => f.write_str("SERVFAIL"),
            Self::NXDOMAIN => f.write_str("NXDOMAIN"),
            Self::NOTIMP => f.write_str("NOTIMP"),
            Self::REFUSED => f.write_str("REFUSED"),
            Self::YXDOMAIN => f.write_str("YXDOMAIN"),
            Self::BADVERS => f.write_str("BADVERS"),
            Self(code) => write!(f, "RCODE{code}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NameError;

    #[test]
    fn at10_what_may_pass_by_itself_is_temporary() {
        use LookupErrorKind::*;
        let temporary = [
            Timeout,
            ServerFailure,
            Unreachable,
            Misconfigured,
            Resources,
            Overloaded,
            ResolverGone,
        ];
        let invalid = InvalidTarget(TargetError::from(NameError::Empty));
        let lasting = [invalid, NotFound, NoAddress, PolicyDenied, BadResponse, Canceled];
        assert!(temporary.iter().all(|kind| kind.is_temporary()));
        assert!(!lasting.iter().any(|kind| kind.is_temporary()));
        assert!(LookupError::from(Timeout).is_temporary());
        assert!(!LookupError::from(NotFound).is_temporary());
    }
}
