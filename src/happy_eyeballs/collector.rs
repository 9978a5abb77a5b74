//! [`AddressCollector`]: all addresses of a lookup at once, for callers that cannot take them one by
//! one.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};

use super::lookup_host::HostRanking;
use crate::{LookupError, LookupErrorKind, LookupResult, LookupStream};

pin_project! {
    /// Waits for the addresses of a lookup, and returns them in the order of RFC 6724.
    ///
    /// They go through the same gate as those of a race. Once the Resolution Delay (RFC 8305
    /// section 8, 50 ms) has passed since the first address, it waits for no more: a caller that
    /// needs all of them at once must not lose seconds to one family's lost packet.
    ///
    /// # Cancel safety
    ///
    /// Dropping it cancels the lookup.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub(crate) struct AddressCollector<S = LookupStream> {
        #[pin]
        results: S,
        ranking: Option<HostRanking>,
        delay: Option<Pin<Box<Sleep>>>,
    }
}

impl<S: Stream<Item = LookupResult>> AddressCollector<S> {
    pub(crate) fn new(results: S) -> Self {
        Self { results, ranking: Some(HostRanking::new()), delay: None }
    }
}

impl<S: Stream<Item = LookupResult>> Future for AddressCollector<S> {
    type Output = Result<Vec<SocketAddr>, LookupError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let ranking = this.ranking.as_mut().expect("a future is not polled after it was ready");
        let outcome = loop {
            match this.results.as_mut().poll_next(cx) {
                Poll::Ready(Some(LookupResult::Address(addr))) => {
                    ranking.handle_address(addr, Instant::now().into_std());
                }
                Poll::Ready(Some(LookupResult::CanonicalName(_))) => {}
                Poll::Ready(Some(LookupResult::End(outcome))) => break outcome,
                Poll::Ready(None) => break Err(LookupErrorKind::ResolverGone.into()),
                Poll::Pending => {
                    let Some(at) = ranking.gate.resolution_delay_ends() else {
                        return Poll::Pending;
                    };
                    let delay = || Box::pin(sleep_until(Instant::from_std(at)));
                    if this.delay.get_or_insert_with(delay).as_mut().poll(cx).is_pending() {
                        return Poll::Pending;
                    }
                    break Ok(());
                }
            }
        };
        let gate = this.ranking.take().expect("seen above").gate;
        Poll::Ready(match outcome {
            _ if gate.len() > 0 => Ok(gate.into_ranked().collect()),
            Ok(()) => Err(LookupErrorKind::NoAddress.into()),
            Err(error) => Err(error),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::{StreamExt, stream};
    use tokio::time::sleep;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// A lookup whose results come so many milliseconds after its start, and that never ends.
    fn results(rows: &[(u32, &str)]) -> impl Stream<Item = LookupResult> + Unpin + use<> {
        let start = Instant::now();
        let rows: Vec<_> =
            rows.iter().map(|&(at, addr)| (start + at * MS, addr.parse().unwrap())).collect();
        Box::pin(
            stream::iter(rows)
                .then(|(at, addr)| async move {
                    sleep_until(at).await;
                    LookupResult::Address(addr)
                })
                .chain(stream::pending()),
        )
    }

    async fn collected(rows: &[(u32, &str)]) -> (Duration, Vec<String>) {
        let start = Instant::now();
        let addresses = AddressCollector::new(results(rows)).await.expect("addresses");
        (start.elapsed(), addresses.iter().map(ToString::to_string).collect())
    }

    #[tokio::test(start_paused = true)]
    async fn the_resolution_delay_counts_from_the_first_address_and_no_later_one() {
        let rows = [(20, "127.0.0.1:0"), (60, "127.0.0.2:0"), (90, "127.0.0.3:0")];
        let (after, addresses) = collected(&rows).await;
        assert_eq!(after, 70 * MS);
        assert_eq!(addresses, ["127.0.0.1:0", "127.0.0.2:0"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lookup_without_an_address_is_waited_for_until_its_end() {
        let end = LookupResult::End(Err(LookupErrorKind::NotFound.into()));
        let late = Box::pin(stream::once(async move {
            sleep(3000 * MS).await;
            end
        }));
        let error = AddressCollector::new(late).await.unwrap_err();
        assert_eq!(error.kind(), LookupErrorKind::NotFound);
    }

    #[tokio::test(start_paused = true)]
    async fn duplicates_count_once_as_in_a_race() {
        let rows = [(0, "127.0.0.1:0"), (1, "[::ffff:127.0.0.1]:0"), (2, "127.0.0.1:0")];
        assert_eq!(collected(&rows).await.1, ["127.0.0.1:0"]);
    }
}
