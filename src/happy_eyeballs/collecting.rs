//! All addresses of a lookup at once, for callers that cannot take them one by one.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use tokio::time::{Instant, Sleep, sleep_until};

use super::SocketOptions;
use super::config::Config;
use super::order::{Family, Rank};
use super::sources::Sources;
use crate::{LookupError, LookupErrorKind, LookupResult, LookupStream};

/// Waits for the addresses of a lookup and sorts them by RFC 6724.
///
/// Gives up waiting for the rest once the Resolution Delay (RFC 8305 section 8, 50 ms) has passed
/// since the first address: whoever must have all of them at once shall not lose seconds to one
/// family's lost packet.
///
/// # Cancel safety
///
/// Dropping it cancels the lookup.
#[derive(Debug)]
pub(crate) struct Collecting {
    results: LookupStream,
    addresses: Vec<(Rank, SocketAddr)>,
    late: Option<Pin<Box<Sleep>>>,
    config: Config,
    sources: Sources,
}

/// As in one race: what one family keeps, for both.
const MAX_ADDRESSES: usize = 512;

impl Collecting {
    pub(crate) fn new(results: LookupStream) -> Self {
        Self {
            results,
            addresses: Vec::new(),
            late: None,
            config: Config::default(),
            sources: Sources::default(),
        }
    }

    fn push(&mut self, addr: SocketAddr) {
        let known = |&(_, known): &(_, SocketAddr)| known == addr;
        if self.addresses.len() >= MAX_ADDRESSES || self.addresses.iter().any(known) {
            return;
        }
        let first_family = self.addresses.first().map_or(addr, |&(_, first)| first);
        let rank = Rank::rfc6724(
            &self.config.policy_table,
            addr.ip(),
            self.sources.towards(&SocketOptions::default(), addr, Instant::now().into()).as_ref(),
            Family::of(first_family) != Family::of(addr),
            u32::try_from(self.addresses.len()).unwrap_or(u32::MAX),
        );
        self.addresses.push((rank, addr));
    }

    fn sorted(&mut self) -> Vec<SocketAddr> {
        self.addresses.sort_unstable_by_key(|&(rank, _)| rank);
        self.addresses.drain(..).map(|(_, addr)| addr).collect()
    }
}

impl Future for Collecting {
    type Output = Result<Vec<SocketAddr>, LookupError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = loop {
            match Pin::new(&mut self.results).poll_next(cx) {
                Poll::Ready(Some(LookupResult::Address(addr))) => self.push(addr),
                Poll::Ready(Some(LookupResult::CanonicalName(_))) => {}
                Poll::Ready(Some(LookupResult::End(outcome))) => break outcome,
                Poll::Ready(None) => break Err(LookupErrorKind::ResolverGone.into()),
                Poll::Pending if self.addresses.is_empty() => return Poll::Pending,
                Poll::Pending => {
                    let at = Instant::now() + self.config.resolution_delay;
                    let late = self.late.get_or_insert_with(|| Box::pin(sleep_until(at)));
                    if late.as_mut().poll(cx).is_pending() {
                        return Poll::Pending;
                    }
                    break Ok(());
                }
            }
        };
        match (self.addresses.is_empty(), outcome) {
            (true, Err(error)) => Poll::Ready(Err(error)),
            (true, Ok(())) => Poll::Ready(Err(LookupErrorKind::NoAddress.into())),
            (false, _) => Poll::Ready(Ok(self.sorted())),
        }
    }
}
