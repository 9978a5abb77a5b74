//! [`lookup_host`]: all addresses of a host at once, the best first.

use std::net::SocketAddr;
use std::time::Instant;

use super::gate::{AddressGate, canonical};
use super::options::RaceOptions;
use super::order::Learnt;
use super::source_address::default_sources;
use super::{SocketOptions, on_this_machine};
use crate::{IntoTarget, LookupError, lookup};

/// Looks up `target` with the resolver of this process, and returns its addresses, the best first: in
/// the order of RFC 6724, with the source addresses that this host has.
///
/// Takes the place of `tokio::net::lookup_host`. It waits for both families, as that does;
/// [`lookup`] gives each address as it comes, and [`connect`](super::connect()) dials it then. Where
/// one family has addresses, that the other one's are missing is no error. At most 256 addresses of
/// each family are returned.
///
/// ```no_run
/// # async fn f() -> std::io::Result<()> {
/// for addr in outrace::lookup_host("example.com:443").await? {
///     println!("{addr}");
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`LookupError`], if there is no address; it converts into an `io::Error`.
///
/// # Cancel safety
///
/// Dropping the future cancels the lookup.
pub async fn lookup_host(
    target: impl IntoTarget,
) -> Result<impl ExactSizeIterator<Item = SocketAddr>, LookupError> {
    let results = lookup(target);
    let mut ranking = HostRanking::new();
    for addr in results.into_addrs().await? {
        ranking.handle_address(addr, Instant::now());
    }
    Ok(ranking.gate.into_ranked())
}

/// The addresses of a lookup as this host ranks them, for callers without options: sockets are bound
/// to nothing, and what connects learn goes nowhere.
#[derive(Debug)]
pub(super) struct HostRanking {
    pub(super) gate: AddressGate,
}

impl HostRanking {
    pub(super) fn new() -> Self {
        Self { gate: AddressGate::new(&on_this_machine(RaceOptions::default())) }
    }

    pub(super) fn handle_address(&mut self, addr: SocketAddr, now: Instant) {
        let addr = canonical(addr);
        let source = default_sources().towards(&SocketOptions::default(), addr, now);
        self.gate.handle_address(addr, source.as_ref(), Learnt::default(), now);
    }
}
