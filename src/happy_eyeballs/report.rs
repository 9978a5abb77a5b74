//! The record of a race: each connection attempt, and how the winner came about.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::ConnectOptions;
use crate::LookupError;
use crate::os::is_out_of_resources;
use crate::resolve::DenyReason;

/// One connection attempt of a race.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionAttempt<E = AttemptError> {
    /// The address.
    pub addr: SocketAddr,
    /// When the attempt started, counted from the start of the race.
    pub started: Duration,
    /// From its start to [`Progress::transport_up`](super::Progress::transport_up), if that was called.
    pub transport_up: Option<Duration>,
    /// From its start to its end.
    pub lived: Duration,
    /// How it ended.
    pub outcome: AttemptOutcome<E>,
}

impl<E: Error + 'static> ConnectionAttempt<E> {
    /// The same with an error of any type.
    pub(super) fn as_dyn(&self) -> ConnectionAttempt<&(dyn Error + 'static)> {
        let outcome = match &self.outcome {
            AttemptOutcome::Won => AttemptOutcome::Won,
            AttemptOutcome::Failed(error) => AttemptOutcome::Failed(error as _),
            AttemptOutcome::TimedOut => AttemptOutcome::TimedOut,
            AttemptOutcome::Canceled => AttemptOutcome::Canceled,
        };
        let Self { addr, started, transport_up, lived, .. } = *self;
        ConnectionAttempt { addr, started, transport_up, lived, outcome }
    }
}

impl<E: fmt::Display> fmt::Display for ConnectionAttempt<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { addr, started, transport_up: _, lived, outcome } = self;
        write!(f, "{addr}: {outcome} after {}, started at {}", Millis(*lived), Millis(*started))
    }
}

/// How a connection attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AttemptOutcome<E = AttemptError> {
    /// It connected and won the race.
    Won,
    /// It failed.
    Failed(E),
    /// It took longer than [`RaceOptions::attempt_timeout`](super::RaceOptions::attempt_timeout), and
    /// was closed.
    TimedOut,
    /// It was under way when the race ended, and was closed.
    Canceled,
}

impl<E: fmt::Display> fmt::Display for AttemptOutcome<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Won => f.write_str("connected"),
            Self::Failed(error) => write!(f, "{error}"),
            Self::TimedOut => f.write_str("timed out"),
            Self::Canceled => f.write_str("canceled"),
        }
    }
}

/// Why one connection attempt failed, and at which step.
#[derive(Clone, Debug)]
pub struct AttemptError {
    stage: AttemptStage,
    error: Arc<io::Error>,
    /// No local port is free, which the error alone does not tell.
    is_out_of_ports: bool,
}

/// A step of a connection attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AttemptStage {
    /// Making the socket.
    Socket,
    /// Binding it to the network interface asked for.
    Interface,
    /// Setting the mark asked for.
    Mark,
    /// Binding it to the local address asked for.
    Bind,
    /// The caller's hook.
    Hook,
    /// The TCP handshake.
    Connect,
    /// Handing the socket to the runtime.
    Register,
}

impl AttemptError {
    pub(super) fn new(stage: AttemptStage, error: io::Error) -> Self {
        Self { stage, error: Arc::new(error), is_out_of_ports: false }
    }

    pub(super) fn out_of_ports(self, is_out_of_ports: bool) -> Self {
        Self { is_out_of_ports, ..self }
    }

    /// The step that failed.
    pub fn stage(&self) -> AttemptStage {
        self.stage
    }

    /// What the operating system, or the caller's hook, said.
    pub fn io_error(&self) -> &io::Error {
        &self.error
    }

    /// Whether this process or system is out of something that every attempt needs: open files,
    /// local ports or memory. The address is not to blame, and the next one would fare no better.
    pub fn is_out_of_resources(&self) -> bool {
        self.stage != AttemptStage::Hook
            && (self.is_out_of_ports || is_out_of_resources(&self.error))
    }
}

/// Two are equal if the same step failed for the same cause, as far as the system can tell causes
/// apart.
impl PartialEq for AttemptError {
    fn eq(&self, other: &Self) -> bool {
        let cause = |e: &Self| (e.stage, e.error.kind(), e.error.raw_os_error(), e.is_out_of_ports);
        cause(self) == cause(other)
    }
}

impl Eq for AttemptError {}

impl fmt::Display for AttemptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.stage {
            AttemptStage::Connect => {}
            AttemptStage::Socket => f.write_str("no socket: ")?,
            AttemptStage::Interface => f.write_str("no binding to the interface: ")?,
            AttemptStage::Mark => f.write_str("no mark: ")?,
            AttemptStage::Bind => f.write_str("no binding to the local address: ")?,
            AttemptStage::Hook => f.write_str("hook: ")?,
            AttemptStage::Register => f.write_str("no place in the event loop: ")?,
        }
        fmt::Display::fmt(&self.error, f)
    }
}

/// What the operating system said stands in the text, and so does not come again as the source: see
/// [`io_error`](AttemptError::io_error).
impl std::error::Error for AttemptError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.source()
    }
}

/// For code that returns `io::Result`: the kind is that of the cause, and this error is within.
impl From<AttemptError> for io::Error {
    fn from(error: AttemptError) -> Self {
        Self::new(error.error.kind(), error)
    }
}

/// An address that was not dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct SkippedAddress {
    /// The address.
    pub addr: SocketAddr,
    /// Why not.
    pub reason: SkipReason,
}

impl fmt::Display for SkippedAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: not dialled, {}", self.addr, self.reason)
    }
}

/// Why an address was not dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SkipReason {
    /// The [`AddressPolicy`](crate::resolve::AddressPolicy) denied it.
    Denied(DenyReason),
    /// The caller gave a local address of the other family only.
    NoLocalAddress,
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied(reason) => write!(f, "{reason}"),
            Self::NoLocalAddress => f.write_str("no local address of its family"),
        }
    }
}

/// How a connection came about: which address won, when, and against whom.
///
/// All times count from the start of the race: the call of
/// [`connect_results`](super::connect_results), [`race`](super::race()) or of the [`Connector`](crate::Connector), or the
/// first poll of [`connect`](super::connect()) and [`connect_with`](super::connect_with). Cheap to
/// clone. A response of hyper-util's `Client` over [`Connector`](crate::Connector) carries it in
/// its extensions.
#[derive(Debug, PartialEq, Eq)]
pub struct ConnectInfo<E = AttemptError>(Arc<Info<E>>);

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Info<E> {
    pub(super) attempts: Vec<ConnectionAttempt<E>>,
    pub(super) skipped: Vec<SkippedAddress>,
    pub(super) ignored: usize,
    pub(super) winner: usize,
    pub(super) first_address: Duration,
    pub(super) lookup: Option<Result<(), LookupError>>,
    pub(super) reporter: Reporter,
}

/// The way back to what the races with some options have learnt. It is no part of the record: all are
/// equal.
#[derive(Clone)]
pub(super) struct Reporter(pub(super) Arc<ConnectOptions>);

impl PartialEq for Reporter {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Reporter {}

impl fmt::Debug for Reporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
}

impl<E> Clone for ConnectInfo<E> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<E> ConnectInfo<E> {
    pub(super) fn new(info: Info<E>) -> Self {
        Self(Arc::new(info))
    }

    /// The address that won.
    pub fn addr(&self) -> SocketAddr {
        self.winner().addr
    }

    /// The attempt that won.
    pub fn winner(&self) -> &ConnectionAttempt<E> {
        &self.0.attempts[self.0.winner]
    }

    /// Every attempt, in the order in which they started, the winner among them.
    pub fn attempts(&self) -> &[ConnectionAttempt<E>] {
        &self.0.attempts
    }

    /// The place of the winner among the [`attempts`](Self::attempts), from 0.
    pub fn winner_index(&self) -> usize {
        self.0.winner
    }

    /// The addresses that were not dialled because they must not be; the first 64.
    pub fn skipped(&self) -> &[SkippedAddress] {
        &self.0.skipped
    }

    /// How many addresses were ignored because the lookup brought more than a race keeps (256 of
    /// each family).
    pub fn ignored(&self) -> usize {
        self.0.ignored
    }

    /// The lookup's outcome, or `None` if it was still running when the race was won.
    pub fn lookup(&self) -> Option<Result<(), &LookupError>> {
        self.0.lookup.as_ref().map(|outcome| outcome.as_ref().copied())
    }

    /// Says that the connection was of no use, as when the peer accepted it and never answered: for
    /// five minutes the next races with the same [`ConnectOptions`] (or by the same
    /// [`Connector`](crate::Connector)) try this address last, unless the network has changed.
    pub fn report_useless(&self) {
        self.0.reporter.0.report_useless(self.addr());
    }

    /// How long after the start the first address arrived.
    pub fn first_address_after(&self) -> Duration {
        self.0.first_address
    }

    /// How long after the start the first attempt started.
    pub fn first_attempt_after(&self) -> Duration {
        self.0.attempts[0].started
    }

    /// How long after the start the winner was connected.
    pub fn connected_after(&self) -> Duration {
        let winner = self.winner();
        winner.started + winner.lived
    }
}

/// A time as a person reads it in a log.
pub(super) struct Millis(pub(super) Duration);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_millis() {
            0 if self.0.is_zero() => f.write_str("0 ms"),
            0 => f.write_str("under 1 ms"),
            ms => write!(f, "{ms} ms"),
        }
    }
}
