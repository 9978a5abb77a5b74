//! Connection racing (RFC 8305) over addresses as they stream in.
//!
//! The first address is dialled while the lookup still runs, the next one when the first has not
//! answered within the Connection Attempt Delay. The first connection wins, and the others are
//! closed before the caller has it. A race is one future, without a task of its own.
//!
//! [`connect`] is all that most programs need. [`connect_with`] takes a resolver and options,
//! [`connect_results`] takes addresses from any stream, and [`race()`] takes attempts of any kind.
//!
//! # What it does not do
//!
//! [`connect`] and its like end with the TCP handshake: a host that accepts connections and never
//! responds wins them. With [`race()`], TLS or a greeting can decide instead.

mod attempt;
#[cfg(feature = "hyper")]
mod collector;
mod connecting;
mod driver;
pub(crate) mod error;
mod experience;
mod gai_conf;
mod gate;
mod lookup_host;
mod options;
mod order;
pub(crate) mod overrides;
mod own_addresses;
mod race;
mod racing;
mod record;
pub(crate) mod report;
mod socket_options;
mod source_address;
mod timer;
pub(crate) mod watch;

use std::error::Error;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_core::Stream;
use tokio::net::TcpStream;

#[cfg(feature = "hyper")]
pub(crate) use collector::AddressCollector;
pub use connecting::Connecting;
pub use error::{ConnectError, ConnectErrorKind};
use experience::Experience;
pub use lookup_host::lookup_host;
pub use options::{AddressOrder, FailFast, RaceOptions};
pub use order::PolicyTable;
use order::{Learnt, SourceAddress};
use overrides::Overrides;
pub use racing::{Endpoint, Progress, Racing, race};
pub use report::{
    AttemptError, AttemptOutcome, AttemptStage, ConnectInfo, ConnectionAttempt, SkipReason,
    SkippedAddress,
};
pub use socket_options::{BorrowedSocket, SocketOptions};
use source_address::SourceCache;
pub use timer::{Timer, TokioTimer};
use watch::ConnectWatch;

use crate::observer::Observer;
use crate::process::FirstUse;
use crate::resolve::{AddressFamily, AddressPolicy};
use crate::{
    Host, IntoTarget, LookupOptions, LookupResult, LookupStream, Resolver, Target, TargetError,
};

/// Settings of one connect, or of all connects of a [`Connector`](crate::Connector).
///
/// Connects with the same options, or with clones of them, share what their races learn: for five
/// minutes an address that failed or was silent goes last, and a slow one behind quicker ones. At most
/// 1,024 addresses are remembered. Options that are made anew for each connect learn nothing.
///
/// ```
/// use std::time::Duration;
/// use outrace::happy_eyeballs::{AddressOrder, ConnectOptions, RaceOptions};
///
/// let options = ConnectOptions::default()
///     .race(RaceOptions::default().order(AddressOrder::AsResolved))
///     .timeout(Duration::from_secs(10))
///     .nodelay(true);
/// # let _ = options;
/// ```
#[derive(Clone)]
pub struct ConnectOptions {
    pub(crate) race: RaceOptions,
    pub(crate) socket: SocketOptions,
    pub(crate) lookup: LookupOptions,
    pub(crate) policy: AddressPolicy,
    /// This host's own addresses, shared by all connects with these options.
    pub(crate) sources: Arc<SourceCache>,
    /// What their races have taught, shared likewise.
    pub(crate) experience: Arc<Experience>,
    pub(crate) observer: Option<Arc<dyn Observer>>,
    pub(crate) overrides: Overrides,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self {
            race: on_this_machine(RaceOptions::default()),
            socket: SocketOptions::default(),
            lookup: LookupOptions::default(),
            policy: AddressPolicy::default(),
            sources: Arc::default(),
            experience: Arc::default(),
            observer: None,
            overrides: Overrides::default(),
        }
    }
}

/// The options of a race, with the policy table of this machine if they have none.
fn on_this_machine(mut options: RaceOptions) -> RaceOptions {
    options.policy_table.get_or_insert_with(PolicyTable::system);
    options
}

impl ConnectOptions {
    /// How long the whole connect may take, from the start of the lookup to the connection. Default:
    /// `None`. As [`RaceOptions::connect_timeout`] in [`race`](Self::race).
    #[must_use]
    pub fn timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.race = self.race.connect_timeout(timeout);
        self
    }

    /// How long one attempt may take. Default: `None`. As [`RaceOptions::attempt_timeout`] in
    /// [`race`](Self::race).
    #[must_use]
    pub fn attempt_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.race = self.race.attempt_timeout(timeout);
        self
    }

    /// `TCP_NODELAY`: small writes leave at once. Default: false. As [`SocketOptions::nodelay`] in
    /// [`socket`](Self::socket).
    #[must_use]
    pub fn nodelay(mut self, nodelay: bool) -> Self {
        self.socket = self.socket.nodelay(nodelay);
        self
    }

    /// The local address of connections of its family. Default: the system chooses. As
    /// [`SocketOptions::local_ipv4`] or [`SocketOptions::local_ipv6`] in [`socket`](Self::socket):
    /// with one for one family alone, the other family is neither looked up nor dialled.
    #[must_use]
    pub fn local_address(self, ip: IpAddr) -> Self {
        let socket = match ip {
            IpAddr::V4(ip) => self.socket.clone().local_ipv4(ip),
            IpAddr::V6(ip) => self.socket.clone().local_ipv6(ip),
        };
        self.socket(socket)
    }

    /// Connects to `from` go to `to` instead, as by curl's `--connect-to`: for tests, and for hosts
    /// whose place is configured. Default: none.
    ///
    /// `from` without a port fits every port of that host, and `to` without a port keeps the port. The
    /// first rule that fits decides, and none is applied to what it says. Only where a connection goes
    /// is changed: a URI, and the name that TLS asks for, stay. It holds where a target is given, and
    /// not for [`connect_results`] and [`race()`].
    ///
    /// ```
    /// # fn f() -> Result<(), outrace::TargetError> {
    /// let options =
    ///     outrace::ConnectOptions::default().connect_to("api.example.com:443", "127.0.0.1:8443")?;
    /// # let _ = options;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`TargetError`], if `from` or `to` is no valid target.
    pub fn connect_to(
        mut self,
        from: impl IntoTarget,
        to: impl IntoTarget,
    ) -> Result<Self, TargetError> {
        self.overrides.add(from.into_target()?, to.into_target()?);
        Ok(self)
    }

    /// The delays, limits and timeout of the race. Default: those of RFC 8305, and no timeout.
    ///
    /// They replace all that was set of the race before.
    #[must_use]
    pub fn race(mut self, config: RaceOptions) -> Self {
        self.race = on_this_machine(config);
        self
    }

    /// How each socket is set up. Default: as the system does.
    ///
    /// It replaces all that was set of sockets before, and what was learnt of addresses is forgotten.
    #[must_use]
    pub fn socket(mut self, options: SocketOptions) -> Self {
        self.socket = options;
        self.sources = Arc::default();
        self.experience = Arc::default();
        self
    }

    /// The options of the lookup. Default: those of the resolver.
    #[must_use]
    pub fn lookup(mut self, options: LookupOptions) -> Self {
        self.lookup = options;
        self
    }

    /// The address family to look up and connect to. Default: `None`, both.
    ///
    /// As [`LookupOptions::family`] in [`lookup`](Self::lookup). Without it, a local address of one
    /// family only ([`SocketOptions::local_ipv4`]) has the same effect: names are not asked for
    /// addresses that could not be dialled.
    #[must_use]
    pub fn family(mut self, family: impl Into<Option<AddressFamily>>) -> Self {
        self.lookup = self.lookup.family(family);
        self
    }

    /// Restricts the addresses that are dialled. Default: every address of the lookup.
    ///
    /// A resolver may have a policy of its own
    /// ([`ResolverBuilder::address_policy`](crate::ResolverBuilder::address_policy)), which holds
    /// for all of its lookups. This one holds for one race, wherever its addresses come from, and
    /// the error of the race has each address that it denied.
    ///
    /// It checks each address when it arrives, in the form in which it would be dialled: an
    /// IPv4-mapped IPv6 address is an IPv4 address here. It cannot distinguish literals and the
    /// hosts file from other sources, so it applies to them always.
    #[must_use]
    pub fn policy(mut self, policy: AddressPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// The observer of each race and of its lookup: see [`Observer`]. Default: none.
    ///
    /// If the [`lookup`](Self::lookup) options have an observer too, the lookup's events go to that
    /// one.
    #[must_use]
    pub fn observer(mut self, observer: impl Observer + 'static) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// Looks `target` up. A name is not asked for a family that could not be dialled; an address is
    /// passed on, so that the error says what is wrong with it.
    fn start_lookup(
        &self,
        resolver: &Resolver,
        target: Target,
        options: &LookupOptions,
    ) -> LookupStream {
        let target = self.overrides.apply(target);
        let is_name = matches!(target.host(), Host::Name(_));
        match self.socket.only_family().filter(|_| is_name && options.family.is_none()) {
            Some(family) => resolver.lookup_with(target, &options.clone().family(family)),
            None => resolver.lookup_with(target, options),
        }
    }

    /// What this host sends from towards `addr`.
    fn source(&self, addr: SocketAddr, now: Instant) -> Option<SourceAddress> {
        self.sources.towards(&self.socket, addr, now)
    }

    /// Whether sources and what was learnt decide the order of addresses.
    fn ranks(&self) -> bool {
        self.race.order == AddressOrder::Rfc6724
    }

    /// What earlier races have taught about `addr`.
    fn learnt(&self, addr: SocketAddr, source: Option<SourceAddress>, now: Instant) -> Learnt {
        self.experience.of(addr, source.map(|source| source.addr), now)
    }

    /// A race is over: its attempts are a lesson for the next.
    fn learn<E: Error + 'static>(
        &self,
        attempts: &[ConnectionAttempt<E>],
        source: impl FnMut(SocketAddr) -> Option<IpAddr>,
        now: Instant,
    ) {
        self.experience.learn(attempts, self.race.connection_attempt_delay, source, now);
    }

    /// Remembers that a connection to `addr` was of no use.
    fn report_useless(&self, addr: SocketAddr) {
        let now = TokioTimer.now();
        self.experience.report(addr, self.source(addr, now).map(|source| source.addr), now);
    }

    /// Whether `addr` may and can be dialled.
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
            .field("overrides", &self.overrides)
            .field("observer", &self.observer.as_ref().map(|_| ".."))
            .finish_non_exhaustive()
    }
}

/// Connects to `target`, racing its addresses as they come out of the lookup.
///
/// Uses the resolver of this process and the default [`ConnectOptions`]: there is no deadline but
/// those of the lookup and of the operating system. Wrap it in [`tokio::time::timeout`], or set
/// [`RaceOptions::connect_timeout`] with [`connect_with`], whose error then has every attempt.
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
    static DEFAULTS: FirstUse<ConnectOptions> = FirstUse::new();
    let options = DEFAULTS.get_or_make(ConnectOptions::default);
    connect_with(target, &Resolver::system(), options).await.map(|(stream, _)| stream)
}

/// Connects to `target` with a resolver and options. Returns the connection and the record of its
/// race.
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
    let (watch, results) = ConnectWatch::with_lookup(target, resolver, options);
    Connecting::new(results, Arc::new(options.clone()), watch).await
}

/// Races the addresses of `results`, a stream that any resolver may make.
///
/// The race, and with it [`RaceOptions::connect_timeout`], starts with this call. Results are taken
/// until [`LookupResult::End`] or the end of the stream; then, or when the race is over, the stream
/// is dropped. [`ConnectOptions::lookup`] has no effect here, and no address has been checked
/// unless the resolver has an [`AddressPolicy`]: use [`ConnectOptions::policy`].
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
    Connecting::new(results, Arc::new(options.clone()), ConnectWatch::of_results(options))
}

/// Why a URI cannot be connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UriError {
    /// The scheme is missing.
    #[error("the URI has no scheme")]
    NoScheme,
    /// The scheme is not `http`, and the connector asks for it.
    #[error("the scheme of the URI is not http; under a TLS layer, take Connector::for_tls()")]
    NotHttp,
    /// The host is missing.
    #[error("the URI has no host")]
    NoHost,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a word changes beside itself: `socket` makes a new table of what was learnt.
    #[test]
    fn a_direct_word_changes_one_setting_and_keeps_the_others() {
        let told = |options: &ConnectOptions| format!("{:?} {:?}", options.race, options.socket);
        let second = Duration::from_secs(1);
        let race = RaceOptions::default().resolution_delay(Duration::ZERO);
        let socket = SocketOptions::default().keepalive_time(second);
        let before = ConnectOptions::default().race(race.clone()).socket(socket.clone());
        let keeps = |after: &ConnectOptions| Arc::ptr_eq(&before.experience, &after.experience);

        let after = before.clone().timeout(second).attempt_timeout(second).nodelay(true);
        assert!(keeps(&after));
        let expected = ConnectOptions::default()
            .race(race.clone().connect_timeout(second).attempt_timeout(second))
            .socket(socket.clone().nodelay(true));
        assert_eq!(told(&after), told(&expected));

        let [v4, v6] = ["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()];
        let after = before.clone().local_address(v4).local_address(v6);
        assert!(!keeps(&after), "what was learnt from another address");
        let socket =
            socket.local_ipv4([192, 0, 2, 1].into()).local_ipv6("2001:db8::1".parse().unwrap());
        assert_eq!(told(&after), told(&ConnectOptions::default().race(race).socket(socket)));
    }

    #[test]
    fn at10_each_option_is_kept_beside_the_others() {
        let timeout = Duration::from_millis(1234);
        let options = ConnectOptions::default()
            .race(RaceOptions::default().connect_timeout(timeout))
            .socket(SocketOptions::default().nodelay(true))
            .lookup(LookupOptions::default().timeout(timeout))
            .policy(AddressPolicy::public_only());
        let told = |options: &dyn fmt::Debug| format!("{options:?}");
        let race = RaceOptions::default().connect_timeout(timeout);
        assert_eq!(told(&options.race), told(&on_this_machine(race)));
        assert_eq!(told(&options.socket), told(&SocketOptions::default().nodelay(true)));
        assert_eq!(told(&options.lookup), told(&LookupOptions::default().timeout(timeout)));
        assert_eq!(told(&options.policy), told(&AddressPolicy::public_only()));
        assert_ne!(told(&options), told(&ConnectOptions::default()));
    }
}
