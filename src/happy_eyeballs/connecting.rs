//! The driver of a race: one future that waits, hands what happened to the race, and does what the
//! race decides.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use futures_core::Stream;
use pin_project_lite::pin_project;
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep_until};

use super::attempt::Attempt;
use super::error::{End, Report};
use super::gate::canonical;
use super::order::{Family, Learnt, SourceAddress};
use super::race::{AttemptId, Output, Race};
use super::report::{AttemptError, AttemptOutcome, ConnectionAttempt, Info, Reporter};
use super::source_address::somewhere;
use super::{AttemptStage, ConnectError, ConnectInfo, ConnectOptions, SkipReason, SkippedAddress};
use crate::trace::ConnectSpan;
use crate::{LookupError, LookupResult};

pin_project! {
    /// A race under way: the future of [`connect_results`](super::connect_results).
    ///
    /// # Cancel safety
    ///
    /// Dropping it ends the race: every socket of it is closed, its timer is gone, and the stream
    /// of results is dropped. Nothing runs on in the background.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Connecting<S> {
        #[pin]
        driver: Driver<S, System>,
        span: ConnectSpan,
    }
}

impl<S: Stream<Item = LookupResult>> Connecting<S> {
    pub(crate) fn new(results: S, options: Arc<ConnectOptions>) -> Self {
        Self { driver: Driver::new(results, System { options }), span: ConnectSpan::new() }
    }
}

impl<S: Stream<Item = LookupResult>> Future for Connecting<S> {
    type Output = Result<(TcpStream, ConnectInfo), ConnectError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let outcome = ready!(this.driver.poll(cx));
        this.span.outcome(&outcome);
        Poll::Ready(outcome)
    }
}

/// What a race needs from its surroundings, apart from time. Tests bring their own.
pub(super) trait Dial: fmt::Debug {
    /// A connection.
    type Stream: fmt::Debug;
    /// A connection attempt under way. Dropping it ends it.
    type Attempt: Future<Output = Result<Self::Stream, AttemptError>> + fmt::Debug + Unpin;

    fn options(&self) -> &ConnectOptions;
    /// Starts a connection attempt. An error here is one that came before anything was sent.
    fn dial(&mut self, addr: SocketAddr) -> Result<Self::Attempt, AttemptError>;
    /// The address this host would send from to `addr`.
    fn source(&mut self, addr: SocketAddr, now: Instant) -> Option<SourceAddress>;
    /// The address this host would send from to the Internet.
    fn default_source(&mut self, family: Family, now: Instant) -> Option<SourceAddress>;
    /// What earlier races have taught about `addr`.
    fn learnt(&self, addr: SocketAddr, source: Option<SourceAddress>, now: Instant) -> Learnt;
    /// A race is over: its attempts are a lesson for the next.
    fn learn(&mut self, attempts: &[ConnectionAttempt], now: Instant);
    /// The way back to that, for the record of a connection.
    fn reporter(&self) -> Reporter;
}

/// The operating system's TCP.
#[derive(Debug)]
struct System {
    options: Arc<ConnectOptions>,
}

impl Dial for System {
    type Stream = TcpStream;
    type Attempt = Attempt;

    fn options(&self) -> &ConnectOptions {
        &self.options
    }

    fn dial(&mut self, addr: SocketAddr) -> Result<Attempt, AttemptError> {
        Attempt::start(&self.options.socket, addr)
    }

    fn source(&mut self, addr: SocketAddr, now: Instant) -> Option<SourceAddress> {
        self.options.sources.towards(&self.options.socket, addr, now)
    }

    fn default_source(&mut self, family: Family, now: Instant) -> Option<SourceAddress> {
        let somewhere = somewhere(family);
        if !self.options.socket.can_reach(somewhere) {
            return None;
        }
        self.options.sources.towards(&self.options.socket, somewhere, now)
    }

    fn learnt(&self, addr: SocketAddr, source: Option<SourceAddress>, now: Instant) -> Learnt {
        self.options.experience.of(addr, source.map(|source| source.addr), now)
    }

    fn learn(&mut self, attempts: &[ConnectionAttempt], now: Instant) {
        let options = &self.options;
        let patience = options.race.connection_attempt_delay;
        options.experience.learn(attempts, patience, |addr| options.source_ip(addr, now), now);
    }

    fn reporter(&self) -> Reporter {
        Reporter(Some(Arc::clone(&self.options)))
    }
}

pin_project! {
    /// Drives one [`Race`].
    #[derive(Debug)]
    pub(super) struct Driver<S, D: Dial> {
        // Dropped as soon as it has ended, or the race has.
        #[pin]
        results: Option<S>,
        dial: D,
        race: Race,
        live: Vec<LiveAttempt<D>>,
        timer: RaceTimer,
        log: Log,
        // Addresses that came in this poll.
        arrived: Vec<SocketAddr>,
    }
}

/// An attempt that the race believes alive.
#[derive(Debug)]
struct LiveAttempt<D: Dial> {
    id: AttemptId,
    socket: AttemptSocket<D>,
}

#[derive(Debug)]
enum AttemptSocket<D: Dial> {
    Connecting(D::Attempt),
    /// Connected in this very poll; the race has yet to say whether it won.
    Connected(D::Stream),
}

impl<S: Stream<Item = LookupResult>, D: Dial> Driver<S, D> {
    pub(super) fn new(results: S, dial: D) -> Self {
        let now = now();
        Self {
            results: Some(results),
            race: Race::new(&dial.options().race, now),
            dial,
            live: Vec::new(),
            timer: RaceTimer::default(),
            log: Log::new(now),
            arrived: Vec::new(),
        }
    }

    /// Connects before answers before the timer: a connection that stands beats an answer that
    /// would start another attempt, and an answer beats the delay that waits for it.
    pub(super) fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(D::Stream, ConnectInfo), ConnectError>> {
        loop {
            let now = now();
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
                    if this.race.knows_others() {
                        this.dial.learn(attempts, now);
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
            ready!(this.timer.poll(this.race.poll_timeout(), cx));
        }
    }

    /// Polls the attempts, and hands their outcomes to the race.
    fn poll_attempts(self: Pin<&mut Self>, now: Instant, cx: &mut Context<'_>) {
        let this = self.project();
        this.live.retain_mut(|live| {
            let AttemptSocket::Connecting(attempt) = &mut live.socket else { return true };
            match Pin::new(attempt).poll(cx) {
                Poll::Pending => true,
                Poll::Ready(Ok(stream)) => {
                    live.socket = AttemptSocket::Connected(stream);
                    this.race.handle_connected(live.id, now);
                    true
                }
                Poll::Ready(Err(error)) => {
                    if error.is_out_of_resources() {
                        this.race.handle_exhausted(live.id, now);
                    } else {
                        this.race.handle_failed(live.id, now);
                    }
                    this.log.ended(live.id, AttemptOutcome::Failed(error), now);
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
                        Err(reason) => this.log.skipped(addr, reason),
                    }
                }
                Poll::Ready(Some(LookupResult::CanonicalName(_))) => {}
                Poll::Ready(Some(LookupResult::End(outcome))) => {
                    this.log.lookup = Some(outcome);
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
        let first = this.log.first_address.is_none();
        this.log.first_address.get_or_insert(now);
        // The only address of a lookup, such as an IP literal, needs no rank.
        let alone = first && complete && this.arrived.len() == 1;
        let mut missing = Some(Family::of(this.arrived[0]).other());
        for addr in this.arrived.drain(..) {
            missing = missing.filter(|&missing| missing != Family::of(addr));
            let (source, learnt) = if alone {
                (None, Learnt::default())
            } else {
                let source = this.dial.source(addr, now);
                (source, this.dial.learnt(addr, source, now))
            };
            this.race.handle_address(addr, source, learnt, now);
        }
        // Whether the family that has not arrived is worth the Resolution Delay.
        if let Some(missing) = missing.filter(|_| first && !complete) {
            let source = this.dial.default_source(missing, now);
            this.race.handle_default_source(missing, source, now);
        }
    }

    /// Does what the race has decided.
    fn follow(self: Pin<&mut Self>, now: Instant) -> Next<D::Stream> {
        let this = self.project();
        let mut started = false;
        while let Some(output) = this.race.poll_output() {
            match output {
                Output::Start { id, addr } => {
                    this.log.started(id, addr, now);
                    match this.dial.dial(addr) {
                        Ok(attempt) => {
                            this.live.push(LiveAttempt {
                                id,
                                socket: AttemptSocket::Connecting(attempt),
                            });
                            started = true;
                        }
                        Err(error) => {
                            if error.is_out_of_resources() {
                                this.race.handle_exhausted(id, now);
                            } else {
                                this.race.handle_not_sent(id, now);
                            }
                            this.log.ended(id, AttemptOutcome::Failed(error), now);
                        }
                    }
                }
                Output::Cancel { id } => {
                    this.live.retain(|live| live.id != id);
                    this.log.ended(id, AttemptOutcome::Canceled, now);
                }
                Output::Expire { id } => {
                    this.live.retain(|live| live.id != id);
                    let timed_out = io::ErrorKind::TimedOut.into();
                    let error = AttemptError::new(AttemptStage::Connect, timed_out);
                    this.log.ended(id, AttemptOutcome::Failed(error), now);
                }
                Output::Won { id } => {
                    let place = this.live.iter().position(|live| live.id == id);
                    let live = this.live.swap_remove(place.expect("what won was alive"));
                    let AttemptSocket::Connected(stream) = live.socket else {
                        unreachable!("its connection was handed in")
                    };
                    this.log.ended(id, AttemptOutcome::Won, now);
                    this.log.ignored = this.race.ignored();
                    return Next::Done(Ok((stream, this.log.info(id, this.dial.reporter()))));
                }
                Output::Lost | Output::TimedOut => {
                    let end = if output == Output::Lost { End::Lost } else { End::TimedOut };
                    this.log.ignored = this.race.ignored();
                    return Next::Done(Err(this.log.error(end, now)));
                }
            }
        }
        if started { Next::Started } else { Next::Pending }
    }
}

/// How the driver goes on once the race has no more output.
enum Next<T> {
    Pending,
    Started,
    Done(Result<(T, ConnectInfo), ConnectError>),
}

/// How many results one poll takes: more than fit a DNS response over UDP, and few enough not to
/// delay other tasks.
const RESULTS_PER_POLL: usize = 128;

/// The time by Tokio's clock, which tests can pause.
pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// The one timer of a race, made when it is first needed: a race that its first address wins has
/// none.
#[derive(Debug, Default)]
struct RaceTimer {
    sleep: Option<Pin<Box<Sleep>>>,
    deadline: Option<Instant>,
}

impl RaceTimer {
    /// Ready once `deadline` has passed.
    fn poll(&mut self, deadline: Option<Instant>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = deadline else { return Poll::Pending };
        let at = tokio::time::Instant::from_std(deadline);
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if self.deadline.replace(deadline) != Some(deadline) && sleep.deadline() != at {
            sleep.as_mut().reset(at);
        }
        sleep.as_mut().poll(cx)
    }
}

/// The record of a race, for its [`ConnectInfo`] or [`ConnectError`].
#[derive(Debug)]
struct Log {
    begin: Instant,
    first_address: Option<Instant>,
    /// Numbered like the race's attempts: in order of start, from 0.
    attempts: Vec<ConnectionAttempt>,
    skipped: Vec<SkippedAddress>,
    ignored: usize,
    lookup: Option<Result<(), LookupError>>,
}

/// How many skipped addresses are remembered. A response can list thousands, and a few say it all.
const MAX_SKIPPED: usize = 64;

impl Log {
    fn new(begin: Instant) -> Self {
        let (attempts, skipped) = (Vec::new(), Vec::new());
        Self { begin, first_address: None, attempts, skipped, ignored: 0, lookup: None }
    }

    fn since_begin(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.begin)
    }

    fn started(&mut self, id: AttemptId, addr: SocketAddr, now: Instant) {
        debug_assert_eq!(id.0 as usize, self.attempts.len());
        self.attempts.push(ConnectionAttempt {
            addr,
            started: self.since_begin(now),
            lived: Duration::ZERO,
            outcome: AttemptOutcome::Canceled,
        });
    }

    fn ended(&mut self, id: AttemptId, outcome: AttemptOutcome, now: Instant) {
        let since_begin = self.since_begin(now);
        let attempt = &mut self.attempts[id.0 as usize];
        attempt.lived = since_begin.saturating_sub(attempt.started);
        attempt.outcome = outcome;
    }

    fn skipped(&mut self, addr: SocketAddr, reason: SkipReason) {
        let skipped = SkippedAddress { addr, reason };
        if self.skipped.len() < MAX_SKIPPED && !self.skipped.contains(&skipped) {
            self.skipped.push(skipped);
        }
    }

    fn info(&mut self, winner: AttemptId, reporter: Reporter) -> ConnectInfo {
        let first_address = self.first_address.map_or(Duration::ZERO, |at| self.since_begin(at));
        ConnectInfo::new(Info {
            attempts: std::mem::take(&mut self.attempts),
            skipped: std::mem::take(&mut self.skipped),
            ignored: self.ignored,
            winner: winner.0 as usize,
            first_address,
            lookup: self.lookup.take(),
            reporter,
        })
    }

    fn error(&mut self, end: End, now: Instant) -> ConnectError {
        ConnectError::new(Report {
            end,
            elapsed: self.since_begin(now),
            attempts: std::mem::take(&mut self.attempts),
            skipped: std::mem::take(&mut self.skipped),
            ignored: self.ignored,
            lookup: self.lookup.take(),
        })
    }
}

#[cfg(test)]
mod tests;
