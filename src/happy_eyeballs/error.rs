//! [`ConnectError`]: every attempt, its address, its failure, and the lookup's outcome.

use std::error::Error;
use std::fmt;
use std::io;
use std::iter;
use std::sync::Arc;
use std::time::Duration;

use super::report::Millis;
use super::{
    AttemptError, AttemptOutcome, AttemptStage, ConnectionAttempt, SkipReason, SkippedAddress,
    UriError,
};
use crate::os;
use crate::process::FirstUse;
use crate::{LookupError, LookupErrorKind, TargetError};

/// Why a race has no connection.
///
/// Keeps every connection attempt in the order in which they started, and the lookup's outcome.
/// `{}` gives one line for a log, with the cause; `{:#}` adds a line for each attempt, each skipped
/// address and the lookup. [`source`](std::error::Error::source) has what the line has not: the
/// `io::Error` of the operating system behind the [`decisive`](Self::decisive) failure, or one of
/// kind [`TimedOut`](io::ErrorKind::TimedOut) wherever [`is_timeout`](Self::is_timeout) holds. Cheap
/// to clone.
///
/// `E` is the error of one attempt: [`AttemptError`] for TCP, the caller's own type for
/// [`race`](super::race()).
#[derive(PartialEq, Eq)]
pub struct ConnectError<E = AttemptError>(Arc<Report<E>>);

impl<E> Clone for ConnectError<E> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// The cause of a [`ConnectError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectErrorKind {
    /// The text or URI has no host and port to connect to; nothing was looked up.
    InvalidTarget,
    /// The lookup gave no address.
    Dns(LookupErrorKind),
    /// The results ended without an address and without saying why.
    NoAddress,
    /// The address policy of the resolver or of the connect denied every address, and those it did
    /// not deny could not be used.
    Denied,
    /// The caller's local address has another family than every address of the host.
    NoLocalAddress,
    /// The deadline passed.
    Timeout,
    /// This process or system is out of open files, local ports or memory.
    Resources,
    /// A host answered that nothing listens there.
    Refused,
    /// There is no route to the address, as this host or a router reported.
    Unreachable,
    /// The operating system gave up on the address: no answer to any SYN.
    NoAnswer,
    /// Another error of the operating system, or of the caller's hook.
    Io(io::ErrorKind),
    /// An attempt of [`race`](super::race()) failed with an error that has no `io::Error` among its
    /// sources.
    Attempt,
}

/// The record of a race without a winner.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Report<E> {
    pub(super) end: End,
    pub(super) attempts: Vec<ConnectionAttempt<E>>,
    pub(super) skipped: Vec<SkippedAddress>,
    pub(super) ignored: usize,
    pub(super) lookup: Option<Result<(), LookupError>>,
    pub(super) elapsed: Duration,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// There was no race.
    InvalidTarget(TargetError),
    /// There was no race.
    #[cfg_attr(not(feature = "hyper"), allow(dead_code))]
    InvalidUri(UriError),
    /// There was no race: a thread without a runtime could not make one. Whether for want of
    /// resources.
    NoRuntime(io::ErrorKind, bool),
    /// No address is left, and the lookup has ended.
    Lost,
    /// The deadline passed.
    TimedOut,
}

impl ConnectError {
    pub(crate) fn invalid_target(cause: TargetError) -> Self {
        Self::no_race(End::InvalidTarget(cause))
    }

    #[cfg_attr(not(feature = "hyper"), allow(dead_code))]
    pub(crate) fn invalid_uri(cause: UriError) -> Self {
        Self::no_race(End::InvalidUri(cause))
    }

    /// The event loop of a race could not be made.
    pub(crate) fn no_runtime(error: &io::Error) -> Self {
        Self::no_race(End::NoRuntime(error.kind(), os::is_out_of_resources(error)))
    }

    fn no_race(end: End) -> Self {
        Self::new(Report {
            end,
            attempts: Vec::new(),
            skipped: Vec::new(),
            ignored: 0,
            lookup: None,
            elapsed: Duration::ZERO,
        })
    }
}

impl<E> ConnectError<E> {
    pub(super) fn new(report: Report<E>) -> Self {
        Self(Arc::new(report))
    }

    /// Every connection attempt, in the order in which they started.
    pub fn attempts(&self) -> &[ConnectionAttempt<E>] {
        &self.0.attempts
    }

    /// The addresses that were known and never dialled because they must not be; the first 64.
    pub fn skipped(&self) -> &[SkippedAddress] {
        &self.0.skipped
    }

    /// How many addresses were ignored because the lookup brought more than a race keeps (256 of
    /// each family).
    pub fn ignored(&self) -> usize {
        self.0.ignored
    }

    /// The lookup's outcome, or `None` if it was still running.
    pub fn lookup(&self) -> Option<Result<(), &LookupError>> {
        self.0.lookup.as_ref().map(|outcome| outcome.as_ref().copied())
    }

    fn lookup_error(&self) -> Option<&LookupError> {
        self.0.lookup.as_ref().and_then(|outcome| outcome.as_ref().err())
    }

    /// From the start of the race to this error.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed
    }
}

impl<E: Error + 'static> ConnectError<E> {
    /// The cause.
    pub fn kind(&self) -> ConnectErrorKind {
        match self.0.end {
            End::InvalidTarget(_) | End::InvalidUri(_) => ConnectErrorKind::InvalidTarget,
            End::NoRuntime(_, true) => ConnectErrorKind::Resources,
            End::NoRuntime(kind, false) => ConnectErrorKind::Io(kind),
            End::Lost | End::TimedOut => match (self.0.end, self.decisive_failure()) {
                // No deadline would have been long enough.
                (_, Some((_, ConnectErrorKind::Resources))) => ConnectErrorKind::Resources,
                (End::Lost, Some((_, kind))) => kind,
                (End::Lost, None) => self.kind_without_attempt(),
                _ => ConnectErrorKind::Timeout,
            },
        }
    }

    fn kind_without_attempt(&self) -> ConnectErrorKind {
        if let Some(Err(error)) = &self.0.lookup {
            return match error.kind() {
                LookupErrorKind::InvalidTarget(_) => ConnectErrorKind::InvalidTarget,
                LookupErrorKind::PolicyDenied => ConnectErrorKind::Denied,
                // Addresses came and were passed over: that the other family is missing as well
                // is not why.
                _ if !self.0.skipped.is_empty() => self.kind_of_skipped(),
                kind => ConnectErrorKind::Dns(kind),
            };
        }
        if self.0.skipped.is_empty() { ConnectErrorKind::NoAddress } else { self.kind_of_skipped() }
    }

    fn kind_of_skipped(&self) -> ConnectErrorKind {
        if self.0.skipped.iter().any(|s| matches!(s.reason, SkipReason::Denied(_))) {
            ConnectErrorKind::Denied
        } else {
            ConnectErrorKind::NoLocalAddress
        }
    }

    /// The attempt whose failure says most about the cause.
    ///
    /// That this process is out of resources comes first: no address is to blame for it. Then what
    /// a peer with a connected transport said, then what the host itself answered, then what happened
    /// on the way, then what this host could not do: an address that it does not have, an option that
    /// it refuses. Among equals, the first that started.
    pub fn decisive(&self) -> Option<&ConnectionAttempt<E>> {
        self.decisive_failure().map(|(attempt, _)| attempt)
    }

    fn decisive_failure(&self) -> Option<(&ConnectionAttempt<E>, ConnectErrorKind)> {
        let failures = self.0.attempts.iter().filter_map(|attempt| match &attempt.outcome {
            AttemptOutcome::Failed(error) => Some((attempt, kind_of(error))),
            AttemptOutcome::TimedOut => Some((attempt, ConnectErrorKind::NoAnswer)),
            AttemptOutcome::Won | AttemptOutcome::Canceled => None,
        });
        failures.min_by_key(|(attempt, kind)| match kind {
            ConnectErrorKind::Resources => 0,
            _ if attempt.transport_up.is_some() => 1,
            ConnectErrorKind::Refused | ConnectErrorKind::Io(io::ErrorKind::ConnectionReset) => 2,
            ConnectErrorKind::NoAnswer => 3,
            ConnectErrorKind::Io(io::ErrorKind::AddrNotAvailable) => 6,
            ConnectErrorKind::Io(_) | ConnectErrorKind::Attempt if is_of_the_way(attempt) => 4,
            ConnectErrorKind::Unreachable => 5,
            _ => 6,
        })
    }

    /// Whether time ran out: the deadline passed, no nameserver answered in time, or the operating
    /// system gave up on the address that mattered most.
    pub fn is_timeout(&self) -> bool {
        matches!(
            self.kind(),
            ConnectErrorKind::Timeout
                | ConnectErrorKind::NoAnswer
                | ConnectErrorKind::Dns(LookupErrorKind::Timeout)
        )
    }

    /// Whether the host answered that nothing listens there.
    pub fn is_refused(&self) -> bool {
        self.kind() == ConnectErrorKind::Refused
    }

    /// Whether there was no way to any address.
    pub fn is_unreachable(&self) -> bool {
        self.kind() == ConnectErrorKind::Unreachable
    }

    /// Whether no connection was tried because the lookup gave no address.
    pub fn is_dns(&self) -> bool {
        matches!(self.kind(), ConnectErrorKind::Dns(_))
    }

    /// Whether no connection was tried because the address policy forbade it.
    pub fn is_denied(&self) -> bool {
        self.kind() == ConnectErrorKind::Denied
    }

    /// Whether the target or URI itself was at fault.
    pub fn is_invalid_target(&self) -> bool {
        self.kind() == ConnectErrorKind::InvalidTarget
    }

    /// Whether this process or system is out of open files, local ports or memory.
    pub fn is_out_of_resources(&self) -> bool {
        self.kind() == ConnectErrorKind::Resources
    }

    /// Whether the same connect may succeed later without anything being changed on this host.
    pub fn is_temporary(&self) -> bool {
        match self.kind() {
            ConnectErrorKind::Dns(kind) => kind.is_temporary(),
            kind => !matches!(
                kind,
                ConnectErrorKind::InvalidTarget
                    | ConnectErrorKind::Denied
                    | ConnectErrorKind::NoLocalAddress
            ),
        }
    }

    fn fmt_line(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let End::NoRuntime(kind, _) = self.0.end {
            return write!(f, "no event loop for the connect: {kind}");
        }
        let elapsed = Millis(self.0.elapsed);
        let attempts = self.0.attempts.len();
        let s = if attempts == 1 { "" } else { "s" };
        let verb = match self.kind() {
            ConnectErrorKind::InvalidTarget => {
                return match self.0.end {
                    End::InvalidTarget(cause) => write!(f, "no target to connect to: {cause}"),
                    End::InvalidUri(cause) => write!(f, "no target to connect to: {cause}"),
                    End::Lost | End::TimedOut | End::NoRuntime(..) => {
                        f.write_str("no target to connect to")?;
                        match self.lookup_error().map(LookupError::kind) {
                            Some(LookupErrorKind::InvalidTarget(cause)) => write!(f, ": {cause}"),
                            _ => Ok(()),
                        }
                    }
                };
            }
            ConnectErrorKind::NoAddress => return f.write_str("the results held no address"),
            ConnectErrorKind::Dns(kind) => {
                f.write_str("lookup failed")?;
                if let Some(name) = self.lookup_error().and_then(LookupError::name) {
                    write!(f, ", {name}")?;
                }
                return write!(f, ": {}", LookupError::from(kind));
            }
            ConnectErrorKind::Denied | ConnectErrorKind::NoLocalAddress => {
                f.write_str("no address may be dialled")?;
                return match (self.0.skipped.first(), self.lookup_error()) {
                    (Some(first), _) => write!(f, " ({first})"),
                    (None, Some(error)) => write!(f, ", {error}"),
                    (None, None) => Ok(()),
                };
            }
            ConnectErrorKind::Timeout => {
                write!(f, "no connection within {elapsed}")?;
                if attempts > 0 {
                    return write!(f, " ({attempts} attempt{s})");
                }
                return match self.0.lookup {
                    None => f.write_str(" (the lookup had given no address)"),
                    Some(_) => Ok(()),
                };
            }
            ConnectErrorKind::Resources => "out of open files, local ports or memory,",
            ConnectErrorKind::Refused => "refused by",
            ConnectErrorKind::Unreachable => "unreachable,",
            ConnectErrorKind::NoAnswer => "no answer from",
            ConnectErrorKind::Io(_) | ConnectErrorKind::Attempt => "connect failed,",
        };
        f.write_str(verb)?;
        if let Some(attempt) = self.decisive() {
            write!(f, " {}", attempt.addr)?;
        }
        write!(f, " ({attempts} attempt{s} in {elapsed})")
    }
}

/// The cause that one failed attempt speaks of.
pub(crate) fn kind_of(error: &(dyn Error + 'static)) -> ConnectErrorKind {
    if is_out_of_resources(error) {
        return ConnectErrorKind::Resources;
    }
    match io_error(error).map(io::Error::kind) {
        Some(io::ErrorKind::ConnectionRefused) => ConnectErrorKind::Refused,
        Some(io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable) => {
            ConnectErrorKind::Unreachable
        }
        Some(io::ErrorKind::TimedOut) => ConnectErrorKind::NoAnswer,
        Some(kind) => ConnectErrorKind::Io(kind),
        None => ConnectErrorKind::Attempt,
    }
}

/// What the operating system said, wherever it stands in an attempt's error.
fn io_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a io::Error> {
    iter::successors(Some(error), |error| (*error).source()).find_map(|error| {
        error.downcast_ref::<AttemptError>().map(AttemptError::io_error).or(error.downcast_ref())
    })
}

/// What a line about an attempt's error has not said already.
fn source_of<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    error.downcast_ref().map_or(error, |error: &AttemptError| error.io_error())
}

/// Whether an attempt failed for want of something that every attempt needs.
pub(super) fn is_out_of_resources(error: &(dyn Error + 'static)) -> bool {
    match error.downcast_ref::<AttemptError>() {
        Some(error) => error.is_out_of_resources(),
        None => io_error(error).is_some_and(os::is_out_of_resources),
    }
}

/// Whether a failure is the address's fault: not if this host could not do something.
pub(super) fn is_the_address_to_blame(error: &(dyn Error + 'static)) -> bool {
    let stage = error.downcast_ref().map(AttemptError::stage);
    stage.is_none_or(|stage| stage == AttemptStage::Connect) && !is_out_of_resources(error)
}

/// Whether an attempt failed on its way, and not before anything was sent.
fn is_of_the_way<E: Error + 'static>(attempt: &ConnectionAttempt<E>) -> bool {
    matches!(&attempt.outcome, AttemptOutcome::Failed(error) if is_the_address_to_blame(error))
}

impl<E: Error + 'static> fmt::Display for ConnectError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_line(f)?;
        if !f.alternate() {
            return Ok(());
        }
        for attempt in &self.0.attempts {
            write!(f, "\n  {attempt}")?;
        }
        for skipped in &self.0.skipped {
            write!(f, "\n  {skipped}")?;
        }
        if self.0.ignored > 0 {
            write!(f, "\n  {} more addresses: too many to keep", self.0.ignored)?;
        }
        match &self.0.lookup {
            Some(Ok(())) => f.write_str("\n  lookup: complete"),
            Some(Err(error)) => write!(f, "\n  lookup: {error}"),
            None if matches!(self.0.end, End::TimedOut | End::Lost) => {
                f.write_str("\n  lookup: still running")
            }
            None => Ok(()),
        }
    }
}

impl<E: Error + 'static> fmt::Debug for ConnectError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectError")
            .field("cause", &format_args!("{self}"))
            .field("kind", &self.kind())
            .field("attempts", &self.0.attempts)
            .field("skipped", &self.0.skipped)
            .field("lookup", &self.0.lookup)
            .field("elapsed", &self.0.elapsed)
            .finish()
    }
}

impl<E: Error + 'static> Error for ConnectError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        static TIMED_OUT: FirstUse<io::Error> = FirstUse::new();
        let timed_out = || TIMED_OUT.get_or_make(|| io::ErrorKind::TimedOut.into());
        match (self.kind(), self.decisive().map(|attempt| &attempt.outcome)) {
            (ConnectErrorKind::Timeout | ConnectErrorKind::Dns(LookupErrorKind::Timeout), _)
            | (_, Some(AttemptOutcome::TimedOut)) => Some(timed_out()),
            (_, Some(AttemptOutcome::Failed(error))) => Some(source_of(error)),
            _ => None,
        }
    }
}

/// For code that returns `io::Result`: the kind is that of the cause, and this error is within.
impl<E: Error + Send + Sync + 'static> From<ConnectError<E>> for io::Error {
    fn from(error: ConnectError<E>) -> Self {
        let kind = match error.kind() {
            ConnectErrorKind::InvalidTarget => io::ErrorKind::InvalidInput,
            ConnectErrorKind::Dns(kind) => kind.to_io(),
            ConnectErrorKind::NoAddress => io::ErrorKind::NotFound,
            ConnectErrorKind::Denied => io::ErrorKind::PermissionDenied,
            ConnectErrorKind::NoLocalAddress => io::ErrorKind::AddrNotAvailable,
            ConnectErrorKind::Timeout => io::ErrorKind::TimedOut,
            _ => match error.decisive().map(|attempt| &attempt.outcome) {
                Some(AttemptOutcome::Failed(failure)) => {
                    io_error(failure).map_or(io::ErrorKind::Other, io::Error::kind)
                }
                Some(AttemptOutcome::TimedOut) => io::ErrorKind::TimedOut,
                _ => io::ErrorKind::Other,
            },
        };
        Self::new(kind, error)
    }
}

#[cfg(test)]
mod tests;
