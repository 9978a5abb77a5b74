//! [`Observer`]: receives the events of lookups and races as they happen.

use std::error::Error;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::happy_eyeballs::{ConnectErrorKind, ConnectionAttempt, SkippedAddress};
use crate::resolve::{FailureCause, Question, SystemCause, Transport};
use crate::{LookupError, Target};

/// Receives the events of lookups and races as they happen.
///
/// It is set by [`LookupOptions::observer`](crate::LookupOptions::observer) for lookups, and by
/// [`ConnectOptions::observer`](crate::ConnectOptions::observer) for races and their lookups.
/// Without one, no event is made. With feature `tracing`, the same events come out as `tracing`
/// events in the spans `connect` and `lookup`.
///
/// The events of a race come on the task that polls it, and those of the nameservers on the
/// resolver thread, which serves every lookup. So a method must return at once: it counts, or sends
/// the event to a channel. A panic on the resolver thread is caught, and the lookup goes on without
/// an observer.
///
/// ```
/// use std::sync::mpsc;
/// use outrace::observer::{ConnectEvent, ConnectEventKind, Observer};
///
/// struct Failures(mpsc::Sender<String>);
///
/// impl Observer for Failures {
///     fn connect_event(&self, event: &ConnectEvent<'_>) {
///         if let ConnectEventKind::AttemptEnded(attempt) = &event.kind {
///             let _ = self.0.send(attempt.to_string());
///         }
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let (failures, told) = mpsc::channel();
/// let options = outrace::ConnectOptions::default().observer(Failures(failures));
/// let resolver = outrace::Resolver::system();
/// let refused = outrace::happy_eyeballs::connect_with("127.0.0.1:9", &resolver, &options).await;
/// # let _ = (refused, told);
/// # }
/// ```
pub trait Observer: Send + Sync {
    /// Something has happened in a lookup.
    fn lookup_event(&self, event: &LookupEvent<'_>) {
        let _ = event;
    }

    /// Something has happened in a race.
    fn connect_event(&self, event: &ConnectEvent<'_>) {
        let _ = event;
    }
}

impl<T: Observer + ?Sized> Observer for Arc<T> {
    fn lookup_event(&self, event: &LookupEvent<'_>) {
        (**self).lookup_event(event);
    }

    fn connect_event(&self, event: &ConnectEvent<'_>) {
        (**self).connect_event(event);
    }
}

/// The next number of a lookup or a race in this process.
pub(crate) fn next_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Something that has happened in a lookup.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct LookupEvent<'a> {
    /// The lookup: a number of its own in this process.
    pub lookup: u64,
    /// The race that it is for: [`ConnectEvent::connect`].
    pub connect: Option<u64>,
    /// What is looked up.
    pub target: &'a Target,
    /// When it happened, counted from the call that made the lookup.
    pub at: Duration,
    /// What has happened.
    pub kind: &'a LookupEventKind,
}

/// What has happened in a lookup.
///
/// A lookup that was coalesced with another one has events from then on: `Answered` may come with
/// no `Sent` before it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LookupEventKind {
    /// A query was sent to a nameserver.
    Sent {
        /// What was asked.
        question: Question,
        /// The nameserver.
        nameserver: SocketAddr,
        /// The transport.
        transport: Transport,
        /// Whether the one before it, to this nameserver over this transport, had no response in
        /// time.
        is_resend: bool,
    },
    /// A query had no response within the time that the nameserver usually takes. It is sent again,
    /// there or elsewhere, and its response still counts.
    Late {
        /// What was asked.
        question: Question,
        /// The nameserver.
        nameserver: SocketAddr,
        /// The transport.
        transport: Transport,
    },
    /// The operating system is asked, by a call of `getaddrinfo`.
    Called {
        /// What is asked: the name, and the record type of the address family.
        question: Question,
    },
    /// A source has answered.
    Answered {
        /// What was asked; `None` if the source answers about all record types at once.
        question: Option<Question>,
        /// The source.
        source: AnswerSource,
        /// From the query to its response: zero, unless a nameserver or the operating system has
        /// answered.
        elapsed: Duration,
        /// For how long the answer holds from now on; `None` if it is not cached.
        ttl: Option<Duration>,
        /// The answer.
        answer: AnswerKind,
    },
    /// The lookup has ended. Nothing comes after it.
    Ended(Result<(), LookupError>),
    /// The lookup was dropped before its end, or its thread has died. Nothing comes after it.
    Dropped,
}

/// Where an answer comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AnswerSource {
    /// The target is an IP address.
    Literal,
    /// The hosts file, or hosts of the program's own.
    Hosts,
    /// A special-use name (RFC 6761), such as `localhost`.
    SpecialName,
    /// A route that refuses the name
    /// ([`ResolverBuilder::route_refuse`](crate::resolve::ResolverBuilder::route_refuse)).
    Route,
    /// The cache of the resolver.
    Cache,
    /// A nameserver.
    Nameserver(SocketAddr, Transport),
    /// The operating system's own lookup.
    System,
}

impl fmt::Display for AnswerSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal => f.write_str("literal"),
            Self::Hosts => f.write_str("hosts"),
            Self::SpecialName => f.write_str("special-use name"),
            Self::Route => f.write_str("route"),
            Self::Cache => f.write_str("cache"),
            Self::Nameserver(addr, transport) => write!(f, "{addr} over {transport}"),
            Self::System => f.write_str("operating system"),
        }
    }
}

/// What an answer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AnswerKind {
    /// So many addresses. Those of nameservers and of the cache are counted before the resolver's
    /// address policy is applied, those of other sources after it.
    Addresses(usize),
    /// The name is an alias, and its target is asked for next.
    Alias,
    /// The name exists, and has no address of this record type.
    NoData,
    /// The name does not exist.
    NotFound,
    /// There are more addresses than fit a datagram: the question is asked over TCP.
    Truncated,
    /// It is no answer.
    Failed(FailureCause),
    /// The operating system gave no answer.
    SystemFailed(SystemCause),
}

impl fmt::Display for AnswerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Addresses(1) => f.write_str("1 address"),
            Self::Addresses(count) => write!(f, "{count} addresses"),
            Self::Alias => f.write_str("alias"),
            Self::NoData => f.write_str("no data"),
            Self::NotFound => f.write_str("not found"),
            Self::Truncated => f.write_str("truncated"),
            Self::Failed(cause) => write!(f, "{cause}"),
            Self::SystemFailed(cause) => write!(f, "{cause}"),
        }
    }
}

/// Something that has happened in a race.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ConnectEvent<'a> {
    /// The race: a number of its own in this process.
    pub connect: u64,
    /// What is connected to; `None` if the race was given results instead of a target.
    pub target: Option<&'a Target>,
    /// When it happened, counted from the start of the race.
    pub at: Duration,
    /// What has happened.
    pub kind: ConnectEventKind<'a>,
}

/// What has happened in a race.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ConnectEventKind<'a> {
    /// The race is polled for the first time.
    Started,
    /// An address of the lookup is not dialled.
    Skipped(SkippedAddress),
    /// An attempt starts.
    AttemptStarted(SocketAddr),
    /// An attempt's transport is up: [`Progress::transport_up`](crate::happy_eyeballs::Progress).
    TransportUp(SocketAddr),
    /// An attempt has ended.
    AttemptEnded(ConnectionAttempt<&'a (dyn Error + 'static)>),
    /// The race has a connection to this address. Nothing comes after it.
    Connected(SocketAddr),
    /// The race has failed. Nothing comes after it.
    Failed(ConnectErrorKind, &'a (dyn Error + 'static)),
    /// The race was dropped before its end, as by a timeout around it; the attempts under way end
    /// as canceled just before. Nothing comes after it.
    Dropped,
}
