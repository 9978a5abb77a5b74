//! Connection racing (RFC 8305) over addresses as they stream in.
//!
//! An address is dialled while the lookup still runs, the next one when the first has not answered
//! within the Connection Attempt Delay, and the first connection wins; the others are closed before
//! it is handed over. What decides all this is `race`, a state machine without sockets or a
//! clock; what runs it is [`Connecting`], one future without a task of its own.
//!
//! [`connect`] is all that most programs need. [`connect_with`] takes options, and
//! [`connect_results`] takes addresses from anything that streams them.
//!
//! # What it does not do
//!
//! The race ends when TCP is established. It cannot see that a host accepts connections and never
//! answers, and it does not race TLS or QUIC handshakes.

mod attempt;
#[cfg(feature = "hyper")]
mod collector;
mod connecting;
mod error;
mod gate;
mod options;
mod order;
mod race;
mod report;
mod socket_options;
mod source_address;

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};

use futures_core::Stream;
use tokio::net::TcpStream;

#[cfg(feature = "hyper")]
pub(crate) use collector::AddressCollector;
pub use connecting::Connecting;
pub use error::{ConnectError, ConnectErrorKind};
pub use options::{AddressOrder, FailFast, RaceOptions};
pub use order::PolicyTable;
pub use report::{
    AttemptError, AttemptOutcome, AttemptStage, ConnectInfo, ConnectionAttempt, SkipReason,
    SkippedAddress,
};
pub use socket_options::{BorrowedSocket, SocketOptions};
use source_address::SourceCache;

use crate::resolve::AddressPolicy;
use crate::{IntoTarget, LookupOptions, LookupResult, Resolver, TargetError};

/// Settings of one connect, or of all connects of a [`Connector`](crate::Connector).
///
/// ```
/// use std::time::Duration;
/// use outrace::happy_eyeballs::{RaceOptions, ConnectOptions, SocketOptions};
///
/// let options = ConnectOptions::default()
///     .race(RaceOptions::default().connect_timeout(Some(Duration::from_secs(10))))
///     .socket(SocketOptions::default().nodelay(true));
/// # let _ = options;
/// ```
#[derive(Clone, Default)]
pub struct ConnectOptions {
    pub(crate) race: RaceOptions,
    pub(crate) socket: SocketOptions,
    pub(crate) lookup: LookupOptions,
    pub(crate) policy: AddressPolicy,
    /// What is known of this host's own addresses, shared by all connects with these options.
    pub(crate) sources: Arc<SourceCache>,
}

impl ConnectOptions {
    /// The delays and limits of the race, and how long all of it may take. Default: RFC 8305's.
    #[must_use]
    pub fn race(mut self, config: RaceOptions) -> Self {
        self.race = config;
        self
    }

    /// How each socket is set up. Default: as the system does.
    #[must_use]
    pub fn socket(mut self, options: SocketOptions) -> Self {
        self.socket = options;
        self.sources = Arc::default();
        self
    }

    /// How this lookup differs from what the resolver usually does. Default: not at all.
    #[must_use]
    pub fn lookup(mut self, options: LookupOptions) -> Self {
        self.lookup = options;
        self
    }

    /// Dials only what `policy` lets through. Default: everything that the lookup brings.
    ///
    /// A resolver may have a policy of its own
    /// ([`ResolverBuilder::address_policy`](crate::ResolverBuilder::address_policy)), which keeps
    /// addresses from everybody who asks it. This one is about one race, wherever its addresses
    /// come from, and the error of the race names each address that it denied.
    ///
    /// It sees each address when it arrives and before anything is done with it, in the form in
    /// which it would be dialled: an IPv4-mapped IPv6 address is an IPv4 address here. It does
    /// not know literals and the hosts file from other sources, so it always applies to them.
    #[must_use]
    pub fn policy(mut self, policy: AddressPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Whether `addr` may be dialled, and can be.
    fn check(&self, addr: SocketAddr) -> Result<(), SkipReason> {
        self.policy.check(addr.ip()).map_err(SkipReason::Denied)?;
        if self.socket.can_reach(addr) { Ok(()) } else { Err(SkipReason::NoLocalAddress) }
    }
}

impl fmt::Debug for ConnectOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectOptions")
            .field("race", &self.race)
            .field("socket", &self.socket)
            .field("lookup", &self.lookup)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

/// Connects to `target`, racing its addresses as they come out of the lookup.
///
/// Uses the resolver of this process and the default [`ConnectOptions`]: there is no deadline but
/// those of the lookup and of the operating system. Wrap it in [`tokio::time::timeout`], or set
/// [`RaceOptions::connect_timeout`] with [`connect_with`], which then says what was tried.
///
/// # Errors
///
/// [`ConnectError`], with every attempt and the lookup's outcome.
///
/// # Panics
///
/// Outside a Tokio runtime with I/O and time enabled.
///
/// # Cancel safety
///
/// Dropping the future cancels the lookup and closes every socket at once.
pub async fn connect(target: impl IntoTarget) -> Result<TcpStream, ConnectError> {
    static DEFAULTS: LazyLock<ConnectOptions> = LazyLock::new(ConnectOptions::default);
    connect_with(target, &Resolver::system(), &DEFAULTS).await.map(|(stream, _)| stream)
}

/// Connects to `target` with a resolver and options, and tells how it came about.
///
/// # Errors
///
/// [`ConnectError`], with every attempt and the lookup's outcome.
///
/// # Panics
///
/// Outside a Tokio runtime with I/O and time enabled.
///
/// # Cancel safety
///
/// Dropping the future cancels the lookup and closes every socket at once.
pub async fn connect_with(
    target: impl IntoTarget,
    resolver: &Resolver,
    options: &ConnectOptions,
) -> Result<(TcpStream, ConnectInfo), ConnectError> {
    let target = target.into_target().map_err(ConnectError::invalid_target)?;
    if target.port().is_none() {
        return Err(ConnectError::invalid_target(TargetError::NoPort));
    }
    let results = resolver.lookup_with(target, &options.lookup);
    connect_results(results, options).await
}

/// Races the addresses of `results`, which any resolver may bring.
///
/// The race, and with it [`RaceOptions::connect_timeout`], begins with this call. Results are taken until
/// [`LookupResult::End`] or the end of the stream, whichever comes first; after that, or once the
/// race is over, the stream is dropped. [`ConnectOptions::lookup`] means nothing here, and no
/// resolver has judged these addresses unless they come from one with an
/// [`AddressPolicy`]: [`ConnectOptions::policy`] does.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), outrace::ConnectError> {
/// use futures_util::stream;
/// use outrace::LookupResult;
/// use outrace::happy_eyeballs::{ConnectOptions, connect_results};
///
/// let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
/// let addr = server.local_addr().unwrap();
///
/// let results = stream::iter([LookupResult::Address(addr), LookupResult::End(Ok(()))]);
/// let (stream, info) = connect_results(results, &ConnectOptions::default()).await?;
/// assert_eq!(stream.peer_addr().unwrap(), info.addr());
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// The future gives [`ConnectError`], with every attempt and the lookup's outcome.
///
/// # Panics
///
/// The future panics outside a Tokio runtime with I/O and time enabled.
pub fn connect_results<S>(results: S, options: &ConnectOptions) -> Connecting<S>
where
    S: Stream<Item = LookupResult>,
{
    Connecting::new(results, Arc::new(options.clone()))
}

/// Why a URI is none to connect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UriError {
    /// The scheme is missing.
    #[error("the URI has no scheme")]
    NoScheme,
    /// The scheme is not `http`, and the connector asks for it.
    #[error("the scheme of the URI is not http")]
    NotHttp,
    /// The host is missing.
    #[error("the URI has no host")]
    NoHost,
}
