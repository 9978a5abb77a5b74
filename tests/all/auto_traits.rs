//! The auto traits of the public types: `Send`, `Sync` and `Unpin` are part of the API, and a
//! private field can take them away without any other test noticing.

use std::net::SocketAddr;

use outrace::futex_queue::{
    Get, GetError, GetOne, Getter, OfferOutcome, Put, PutError, PutOne, Putter, Unsent,
};
use outrace::happy_eyeballs::{
    AddressOrder, AttemptError, AttemptOutcome, AttemptStage, ConnectErrorKind, Connecting,
    ConnectionAttempt, Endpoint, FailFast, PolicyTable, Progress, RaceOptions, SkipReason,
    SkippedAddress, SocketOptions, TokioTimer, race,
};
use outrace::resolve::{
    AddressFamily, AddressPolicy, CacheOptions, ChosenRoute, ConfigSource, DeniedAddresses,
    DenyReason, Diagnostic, DiagnosticCause, FailureCause, IgnoredMessages, IpPrefix,
    IpPrefixError, LookupHandle, NameserverStats, NameserverStrategy, QueryFailure, Question,
    Rcode, RecordType, RouteTarget, Source, Stats, Transport,
};
use outrace::{
    BlockingResults, ConnectError, ConnectInfo, ConnectOptions, Host, HostName, LookupError,
    LookupErrorKind, LookupOptions, LookupResult, LookupStream, NameError, Resolver,
    ResolverBuilder, Target, TargetError,
};

fn send_sync_unpin<T: Send + Sync + Unpin>() {}

macro_rules! all_send_sync_unpin {
    ($($type:ty),* $(,)?) => { $(send_sync_unpin::<$type>();)* };
}

#[test]
fn values_and_options() {
    all_send_sync_unpin!(
        Host,
        HostName,
        Target,
        NameError,
        TargetError,
        LookupResult,
        LookupError,
        LookupErrorKind,
        LookupOptions,
        AddressFamily,
        AddressPolicy,
        CacheOptions,
        ChosenRoute,
        ConfigSource,
        DeniedAddresses,
        DenyReason,
        Diagnostic,
        DiagnosticCause,
        FailureCause,
        IgnoredMessages,
        IpPrefix,
        IpPrefixError,
        NameserverStats,
        NameserverStrategy,
        QueryFailure,
        Question,
        Rcode,
        RecordType,
        RouteTarget,
        Source,
        Stats,
        Transport,
    );
}

#[test]
fn handles_and_streams() {
    all_send_sync_unpin!(Resolver, ResolverBuilder, LookupHandle, LookupStream, BlockingResults);
}

#[test]
fn races() {
    all_send_sync_unpin!(
        AddressOrder,
        AttemptError,
        AttemptOutcome,
        AttemptStage,
        ConnectError,
        ConnectErrorKind,
        ConnectInfo,
        ConnectOptions,
        ConnectionAttempt,
        Endpoint,
        FailFast,
        PolicyTable,
        Progress,
        RaceOptions,
        SkipReason,
        SkippedAddress,
        SocketOptions,
        TokioTimer,
        Connecting<LookupStream>,
    );
}

#[test]
fn queues_of_items_that_are_send_and_not_sync() {
    type Item = std::cell::Cell<SocketAddr>;
    all_send_sync_unpin!(
        Putter<Item>,
        Getter<Item>,
        GetOne<'static, Item>,
        OfferOutcome,
        PutError,
        GetError,
    );
    // These hold or borrow items.
    all_send_sync_unpin!(
        Put<'static, SocketAddr>,
        PutOne<'static, SocketAddr>,
        Get<'static, SocketAddr>,
        Unsent<SocketAddr>,
    );
}

#[test]
#[cfg(feature = "hyper")]
fn connectors() {
    use outrace::connector::{Addresses, ConnectFuture, RacedStream, ResolveName};

    all_send_sync_unpin!(outrace::Connector, RacedStream, Addresses, ConnectFuture, ResolveName);
}

/// Futures of `async fn`s, which have no name.
#[test]
fn futures_without_a_name_are_send() {
    fn send<T: Send>(_: &T) {}

    send(&outrace::connect("example.com:443"));
    send(&race(
        outrace::lookup("example.com:443"),
        &ConnectOptions::default(),
        |to, _| async move { tokio::net::TcpStream::connect(to.addr).await },
    ));
    send(&outrace::happy_eyeballs::connect_with(
        "example.com:443",
        &Resolver::builder().without_system_configuration().build(),
        &ConnectOptions::default(),
    ));
}
