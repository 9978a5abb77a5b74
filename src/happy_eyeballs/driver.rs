//! The driver of a race: it waits, hands what happened to the race, and does what the race decides.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use futures_core::Stream;
use pin_project_lite::pin_project;

use super::error::{End, is_out_of_resources};
use super::gate::canonical;
use super::order::{Family, Learnt, SourceAddress};
use super::race::{AttemptId, Output, Race};
use super::record::RaceRecord;
use super::report::{AttemptOutcome, Reporter};
use super::source_address::somewhere;
use super::timer::{RaceWait, Timer};
use super::watch::ConnectWatch;
use super::{ConnectError, ConnectInfo, ConnectOptions};
use crate::LookupResult;

/// What a race needs from its surroundings, apart from time: how an attempt is made, and, for tests,
/// what a network is like.
pub(super) trait Dial {
    /// A connection.
    type Connection;
    /// Why an attempt has failed.
    type Error: Error + 'static;
    /// A connection attempt under way. Dropping it ends it.
    type Attempt: Future<Output = Result<Self::Connection, Self::Error>> + Unpin;

    fn options(&self) -> &Arc<ConnectOptions>;

    /// Starts a connection attempt. An error here is one that came before anything was sent.
    fn dial(&mut self, addr: SocketAddr) -> Result<Self::Attempt, Self::Error>;

    /// Whether the attempt's transport has connected and its handshake goes on: asked each time the
    /// attempt was polled.
    fn is_transport_up(_: &Self::Attempt) -> bool {
        false
    }

    /// The address this host would send from to `addr`.
    fn source(&self, addr: SocketAddr, now: Instant) -> Option<SourceAddress> {
        self.options().source(addr, now)
    }

    /// The address this host would send from to the Internet.
    fn default_source(&self, family: Family, now: Instant) -> Option<SourceAddress> {
        let somewhere = somewhere(family);
        let options = self.options();
        if options.socket.can_reach(somewhere) { options.source(somewhere, now) } else { None }
    }
}

pin_project! {
    /// Drives one [`Race`].
    pub(super) struct Driver<S, D: Dial, T: Timer> {
        // Dropped as soon as it has ended, or the race has.
        #[pin]
        results: Option<S>,
        dial: D,
        race: Race,
        live: Vec<LiveAttempt<D>>,
        wait: RaceWait<T>,
        record: RaceRecord<D::Error, T>,
        // Addresses that came in this poll.
        arrived: Vec<SocketAddr>,
    }
}

/// An attempt that the race believes alive.
struct LiveAttempt<D: Dial> {
    id: AttemptId,
    transport_is_up: bool,
    state: AttemptState<D>,
}

enum AttemptState<D: Dial> {
    Connecting(D::Attempt),
    /// Connected in this very poll; the race has yet to say whether it won.
    Connected(D::Connection),
}

impl<S: Stream<Item = LookupResult>, D: Dial, T: Timer> Driver<S, D, T> {
    /// A race that begins now.
    pub(super) fn new(results: S, dial: D, timer: T, watch: ConnectWatch) -> Self {
        Self::with_record(results, dial, RaceRecord::new(timer, watch))
    }

    /// The same race by another clock. Only before the first poll.
    pub(super) fn with_timer<U: Timer>(self, timer: U) -> Driver<S, D, U> {
        let results = self.results.expect("it is there until the race has been polled");
        Driver::with_record(results, self.dial, self.record.with_timer(timer))
    }

    fn with_record(results: S, dial: D, record: RaceRecord<D::Error, T>) -> Self {
        Self {
            results: Some(results),
            race: Race::new(&dial.options().race, record.begin()),
            dial,
            live: Vec::new(),
            wait: RaceWait::new(),
            record,
            arrived: Vec::new(),
        }
    }

    /// Connects before answers before the timer: a connection that stands beats an answer that
    /// would start another attempt, and an answer beats the delay that waits for it.
    pub(super) fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome<D>> {
        loop {
            let now = self.record.timer().now();
            self.as_mut().project().record.polled(now);
            self.as_mut().poll_attempts(now, cx);
            self.as_mut().poll_results(now, cx);
            self.as_mut().project().race.handle_timeout(now);
            match self.as_mut().follow(now) {
                Next::Done(result) => {
                    let mut this = self.project();
                    let attempts = match &result {
                        Ok((_, info)) => info.attempts(),
                        Err(error) => error.attempts(),
                    };
                    // One address alone has no order to learn.
                    if this.race.knows_others() && this.dial.options().ranks() {
                        let source = |addr| Some(this.dial.source(addr, now)?.addr);
                        this.dial.options().learn(attempts, source, now);
                    }
                    // By the time the caller has the result, every loser is closed and the lookup
                    // is canceled.
                    this.live.clear();
                    this.results.set(None);
                    return Poll::Ready(result);
                }
                // An attempt that has just started has to be polled once to register its waker.
                Next::Started => continue,
                Next::Pending => {}
            }
            let this = self.as_mut().project();
            ready!(this.wait.poll(this.record.timer(), this.race.poll_timeout(), cx));
        }
    }

    /// Polls the attempts, and hands their outcomes to the race.
    fn poll_attempts(self: Pin<&mut Self>, now: Instant, cx: &mut Context<'_>) {
        let this = self.project();
        this.live.retain_mut(|live| {
            let AttemptState::Connecting(attempt) = &mut live.state else { return true };
            let outcome = Pin::new(&mut *attempt).poll(cx);
            if !live.transport_is_up && D::is_transport_up(attempt) {
                live.transport_is_up = true;
                this.race.handle_transport_up(live.id, now);
                this.record.transport_up(live.id, now);
            }
            match outcome {
                Poll::Pending => true,
                Poll::Ready(Ok(connection)) => {
                    live.state = AttemptState::Connected(connection);
                    this.race.handle_connected(live.id, now);
                    true
                }
                Poll::Ready(Err(error)) => {
                    if is_out_of_resources(&error) {
                        this.race.handle_exhausted(live.id, now);
                    } else {
                        this.race.handle_failed(live.id, now);
                    }
                    this.record.ended(live.id, AttemptOutcome::Failed(error), now);
                    false
                }
            }
        });
    }

    /// Takes every result that is ready, so that addresses that arrived together are sorted
    /// together.
    fn poll_results(mut self: Pin<&mut Self>, now: Instant, cx: &mut Context<'_>) {
        let mut this = self.as_mut().project();
        let mut budget = RESULTS_PER_POLL;
        while let Some(results) = this.results.as_mut().as_pin_mut() {
            if budget == 0 {
                // A stream that is always ready must not starve the other tasks.
                cx.waker().wake_by_ref();
                break;
            }
            budget -= 1;
            match results.poll_next(cx) {
                Poll::Pending => break,
                Poll::Ready(Some(LookupResult::Address(addr))) => {
                    let addr = canonical(addr);
                    match this.dial.options().check(addr) {
                        Ok(()) => this.arrived.push(addr),
                        Err(reason) => this.record.skipped(addr, reason, now),
                    }
                }
                Poll::Ready(Some(LookupResult::CanonicalName(_))) => {}
                Poll::Ready(Some(LookupResult::End(outcome))) => {
                    this.record.lookup_ended(outcome);
                    this.race.handle_end(now);
                    this.results.set(None);
                }
                Poll::Ready(None) => {
                    this.race.handle_end(now);
                    this.results.set(None);
                }
            }
        }
        if !this.arrived.is_empty() {
            self.hand_in_addresses(now);
        }
    }

    /// Hands the addresses that have arrived to the race, with the sources that it ranks them by.
    fn hand_in_addresses(self: Pin<&mut Self>, now: Instant) {
        let this = self.project();
        let complete = this.results.is_none();
        let first = this.record.addresses(now);
        // The only address of a lookup, such as an IP literal, needs no rank.
        let alone = first && complete && this.arrived.len() == 1;
        let unranked = alone || !this.dial.options().ranks();
        let mut missing = Some(Family::of(this.arrived[0]).other());
        for addr in this.arrived.drain(..) {
            missing = missing.filter(|&missing| missing != Family::of(addr));
            let (source, learnt) = if unranked {
                (None, Learnt::default())
            } else {
                let source = this.dial.source(addr, now);
                (source, this.dial.options().learnt(addr, source, now))
            };
            this.race.handle_address(addr, source, learnt, now);
        }
        // Whether the family that has not arrived is worth the Resolution Delay.
        if let Some(missing) = missing.filter(|_| first && !complete && !unranked) {
            let source = this.dial.default_source(missing, now);
            this.race.handle_default_source(missing, source, now);
        }
    }

    /// Does what the race has decided.
    fn follow(self: Pin<&mut Self>, now: Instant) -> Next<D> {
        let this = self.project();
        let mut started = false;
        while let Some(output) = this.race.poll_output() {
            match output {
                Output::Start { id, addr } => {
                    this.record.started(id, addr, now);
                    match this.dial.dial(addr) {
                        Ok(attempt) => {
                            let state = AttemptState::Connecting(attempt);
                            this.live.push(LiveAttempt { id, transport_is_up: false, state });
                            started = true;
                        }
                        Err(error) => {
                            if is_out_of_resources(&error) {
                                this.race.handle_exhausted(id, now);
                            } else {
                                this.race.handle_not_sent(id, now);
                            }
                            this.record.ended(id, AttemptOutcome::Failed(error), now);
                        }
                    }
                }
                Output::Cancel { id } => {
                    this.live.retain(|live| live.id != id);
                    this.record.ended(id, AttemptOutcome::Canceled, now);
                }
                Output::Expire { id } => {
                    this.live.retain(|live| live.id != id);
                    this.record.ended(id, AttemptOutcome::TimedOut, now);
                }
                Output::Won { id } => {
                    let place = this.live.iter().position(|live| live.id == id);
                    let live = this.live.swap_remove(place.expect("what won was alive"));
                    let AttemptState::Connected(connection) = live.state else {
                        unreachable!("its connection was handed in")
                    };
                    this.record.ended(id, AttemptOutcome::Won, now);
                    let reporter = Reporter(Arc::clone(this.dial.options()));
                    let info = this.record.take_info(id, this.race.ignored(), reporter, now);
                    return Next::Done(Ok((connection, info)));
                }
                Output::Lost | Output::TimedOut => {
                    let end = if output == Output::Lost { End::Lost } else { End::TimedOut };
                    let ignored = this.race.ignored();
                    return Next::Done(Err(this.record.take_error(end, ignored, now)));
                }
            }
        }
        if started { Next::Started } else { Next::Pending }
    }
}

/// What a race gives.
pub(super) type Outcome<D> = Result<
    (<D as Dial>::Connection, ConnectInfo<<D as Dial>::Error>),
    ConnectError<<D as Dial>::Error>,
>;

/// How the driver goes on once the race has no more output.
enum Next<D: Dial> {
    Pending,
    Started,
    Done(Outcome<D>),
}

/// How many results one poll takes: more than fit a DNS response over UDP, and few enough not to
/// delay other tasks.
const RESULTS_PER_POLL: usize = 128;

impl<S, D: Dial, T: Timer> fmt::Debug for Driver<S, D, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver")
            .field("race", &self.race)
            .field("wait", &self.wait)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
