//! [`RaceRecord`]: the events of a race, passed on as they happen, and kept for its [`ConnectInfo`] or
//! [`ConnectError`].

use std::error::Error;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::error::{End, Report};
use super::race::AttemptId;
use super::report::{AttemptOutcome, ConnectionAttempt, Info, Reporter};
use super::timer::Timer;
use super::watch::ConnectWatch;
use super::{ConnectError, ConnectInfo, SkipReason, SkippedAddress};
use crate::LookupError;
use crate::observer::ConnectEventKind;

/// The events of a race, by its clock.
///
/// Dropping it between the first poll and the end is the event
/// [`Dropped`](ConnectEventKind::Dropped).
pub(super) struct RaceRecord<E: Error + 'static, T: Timer> {
    timer: T,
    begin: Instant,
    first_address: Option<Instant>,
    /// Numbered like the race's attempts: in order of start, from 0.
    attempts: Vec<ConnectionAttempt<E>>,
    skipped: Vec<SkippedAddress>,
    lookup: Option<Result<(), LookupError>>,
    watch: ConnectWatch,
    /// Whether the race was polled, and is not over.
    is_running: bool,
}

/// How many skipped addresses are remembered. A response can list thousands, and a few say it all.
const MAX_SKIPPED: usize = 64;

impl<E: Error + 'static, T: Timer> RaceRecord<E, T> {
    /// The race begins now.
    pub(super) fn new(timer: T, watch: ConnectWatch) -> Self {
        Self {
            begin: timer.now(),
            timer,
            first_address: None,
            attempts: Vec::new(),
            skipped: Vec::new(),
            lookup: None,
            watch,
            is_running: false,
        }
    }

    /// The race begins now, by another clock. Only before it is polled.
    pub(super) fn with_timer<U: Timer>(mut self, timer: U) -> RaceRecord<E, U> {
        RaceRecord::new(timer, std::mem::replace(&mut self.watch, ConnectWatch::off()))
    }

    pub(super) fn timer(&self) -> &T {
        &self.timer
    }

    pub(super) fn begin(&self) -> Instant {
        self.begin
    }

    fn since_begin(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.begin)
    }

    fn tell(&self, now: Instant, kind: ConnectEventKind<'_>) {
        if self.watch.is_on() {
            self.watch.event(self.since_begin(now), kind);
        }
    }

    /// The race is polled.
    pub(super) fn polled(&mut self, now: Instant) {
        if !self.is_running {
            self.is_running = true;
            self.tell(now, ConnectEventKind::Started);
        }
    }

    /// Addresses have arrived. Whether they are the first.
    pub(super) fn addresses(&mut self, now: Instant) -> bool {
        let first = self.first_address.is_none();
        self.first_address.get_or_insert(now);
        first
    }

    pub(super) fn skipped(&mut self, addr: SocketAddr, reason: SkipReason, now: Instant) {
        let skipped = SkippedAddress { addr, reason };
        if self.skipped.len() < MAX_SKIPPED && !self.skipped.contains(&skipped) {
            self.skipped.push(skipped);
            self.tell(now, ConnectEventKind::Skipped(skipped));
        }
    }

    pub(super) fn lookup_ended(&mut self, outcome: Result<(), LookupError>) {
        self.lookup = Some(outcome);
    }

    pub(super) fn started(&mut self, id: AttemptId, addr: SocketAddr, now: Instant) {
        debug_assert_eq!(id.0 as usize, self.attempts.len());
        self.attempts.push(ConnectionAttempt {
            addr,
            started: self.since_begin(now),
            transport_up: None,
            lived: Duration::ZERO,
            outcome: AttemptOutcome::Canceled,
        });
        self.tell(now, ConnectEventKind::AttemptStarted(addr));
    }

    pub(super) fn transport_up(&mut self, id: AttemptId, now: Instant) {
        let since_begin = self.since_begin(now);
        let attempt = &mut self.attempts[id.0 as usize];
        attempt.transport_up = Some(since_begin.saturating_sub(attempt.started));
        let addr = attempt.addr;
        self.tell(now, ConnectEventKind::TransportUp(addr));
    }

    pub(super) fn ended(&mut self, id: AttemptId, outcome: AttemptOutcome<E>, now: Instant) {
        self.end(id.0 as usize, outcome, now);
    }

    fn end(&mut self, index: usize, outcome: AttemptOutcome<E>, now: Instant) {
        let since_begin = self.since_begin(now);
        let attempt = &mut self.attempts[index];
        attempt.lived = since_begin.saturating_sub(attempt.started);
        attempt.outcome = outcome;
        self.tell(now, ConnectEventKind::AttemptEnded(self.attempts[index].as_dyn()));
    }

    /// The race is won.
    pub(super) fn take_info(
        &mut self,
        winner: AttemptId,
        ignored: usize,
        reporter: Reporter,
        now: Instant,
    ) -> ConnectInfo<E> {
        self.is_running = false;
        let winner = winner.0 as usize;
        self.tell(now, ConnectEventKind::Connected(self.attempts[winner].addr));
        let first_address = self.first_address.map_or(Duration::ZERO, |at| self.since_begin(at));
        ConnectInfo::new(Info {
            attempts: std::mem::take(&mut self.attempts),
            skipped: std::mem::take(&mut self.skipped),
            ignored,
            winner,
            first_address,
            lookup: self.lookup.take(),
            reporter,
        })
    }

    /// The race is lost.
    pub(super) fn take_error(&mut self, end: End, ignored: usize, now: Instant) -> ConnectError<E> {
        self.is_running = false;
        let error = ConnectError::new(Report {
            end,
            elapsed: self.since_begin(now),
            attempts: std::mem::take(&mut self.attempts),
            skipped: std::mem::take(&mut self.skipped),
            ignored,
            lookup: self.lookup.take(),
        });
        if self.watch.is_on() {
            self.tell(now, ConnectEventKind::Failed(error.kind(), &error));
        }
        error
    }
}

impl<E: Error + 'static, T: Timer> Drop for RaceRecord<E, T> {
    fn drop(&mut self) {
        if !self.is_running || !self.watch.is_on() {
            return;
        }
        let now = self.timer.now();
        for index in 0..self.attempts.len() {
            // While a race runs, no attempt is canceled but for what they all begin with.
            if matches!(self.attempts[index].outcome, AttemptOutcome::Canceled) {
                self.end(index, AttemptOutcome::Canceled, now);
            }
        }
        self.tell(now, ConnectEventKind::Dropped);
    }
}
