//! Which public types are `Send`, `Sync` and `Unpin`. Losing one breaks programs, so each has its
//! line.

use outrace::futex_queue::{Get, GetOne, Getter, Put, PutOne, Putter};
use outrace::happy_eyeballs::{
    AttemptError, AttemptOutcome, Connecting, ConnectionAttempt, PolicyTable, RaceOptions,
    SkippedAddress, SocketOptions,
};
use outrace::resolve::{
    AddressPolicy, CacheOptions, DeniedAddresses, Diagnostic, IpPrefix, LookupHandle,
    NameserverStats, QueryFailure, Question, Stats,
};
use outrace::{
    BlockingResults, ConnectError, ConnectInfo, ConnectOptions, Host, HostName, LookupError,
    LookupOptions, LookupResult, LookupStream, Resolver, ResolverBuilder, Target,
};

fn all<T: Send + Sync + Unpin>() {}
fn movable<T: Send + Unpin>() {}

#[test]
fn values_and_handles_have_all_three() {
    all::<Resolver>();
    all::<ResolverBuilder>();
    all::<LookupHandle>();
    all::<LookupOptions>();
    all::<LookupResult>();
    all::<LookupError>();
    all::<QueryFailure>();
    all::<Question>();
    all::<Stats>();
    all::<NameserverStats>();
    all::<Diagnostic>();
    all::<AddressPolicy>();
    all::<DeniedAddresses>();
    all::<IpPrefix>();
    all::<CacheOptions>();
    all::<HostName>();
    all::<Host>();
    all::<Target>();
    all::<ConnectOptions>();
    all::<RaceOptions>();
    all::<PolicyTable>();
    all::<SocketOptions>();
    all::<ConnectInfo>();
    all::<ConnectError>();
    all::<ConnectionAttempt>();
    all::<AttemptOutcome>();
    all::<AttemptError>();
    all::<SkippedAddress>();
}

#[test]
fn streams_and_futures_move_between_threads() {
    all::<LookupStream>();
    all::<BlockingResults>();
    movable::<Connecting<LookupStream>>();
    all::<Putter<String>>();
    all::<Getter<String>>();
    movable::<Put<'_, String>>();
    movable::<PutOne<'_, String>>();
    movable::<Get<'_, String>>();
    movable::<GetOne<'_, String>>();
}

#[test]
fn items_that_are_not_sync_still_pass_through_a_queue() {
    all::<Putter<std::cell::Cell<u8>>>();
    all::<Getter<std::cell::Cell<u8>>>();
}

#[cfg(feature = "hyper")]
#[test]
fn services_have_all_three_and_their_futures_move() {
    use outrace::connector::{Addresses, ConnectFuture, RacedStream, ResolveName};

    all::<outrace::Connector>();
    all::<RacedStream>();
    all::<Addresses>();
    movable::<ConnectFuture>();
    movable::<ResolveName>();
}
