//! [`RaceRecord`]: what happened in a race, as it happens, for its [`ConnectInfo`] or [`ConnectError`].

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::error::{End, Report};
use super::race::AttemptId;
use super::report::{AttemptOutcome, ConnectionAttempt, Info, Reporter};
use super::{ConnectError, ConnectInfo, SkipReason, SkippedAddress};
use crate::LookupError;

/// What happened in a race.
#[derive(Debug)]
pub(super) struct RaceRecord<E> {
    begin: Instant,
    first_address: Option<Instant>,
    /// Numbered like the race's attempts: in order of start, from 0.
    attempts: Vec<ConnectionAttempt<E>>,
    skipped: Vec<SkippedAddress>,
    lookup: Option<Result<(), LookupError>>,
}

/// How many skipped addresses are remembered. A response can list thousands, and a few say it all.
const MAX_SKIPPED: usize = 64;

impl<E> RaceRecord<E> {
    pub(super) fn new(begin: Instant) -> Self {
        Self { begin, first_address: None, attempts: Vec::new(), skipped: Vec::new(), lookup: None }
    }

    fn since_begin(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.begin)
    }

    /// Addresses have arrived. Whether they are the first.
    pub(super) fn addresses(&mut self, now: Instant) -> bool {
        let first = self.first_address.is_none();
        self.first_address.get_or_insert(now);
        first
    }

    pub(super) fn skipped(&mut self, addr: SocketAddr, reason: SkipReason) {
        let skipped = SkippedAddress { addr, reason };
        if self.skipped.len() < MAX_SKIPPED && !self.skipped.contains(&skipped) {
            self.skipped.push(skipped);
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
    }

    pub(super) fn transport_up(&mut self, id: AttemptId, now: Instant) {
        let since_begin = self.since_begin(now);
        let attempt = &mut self.attempts[id.0 as usize];
        attempt.transport_up = Some(since_begin.saturating_sub(attempt.started));
    }

    pub(super) fn ended(&mut self, id: AttemptId, outcome: AttemptOutcome<E>, now: Instant) {
        let since_begin = self.since_begin(now);
        let attempt = &mut self.attempts[id.0 as usize];
        attempt.lived = since_begin.saturating_sub(attempt.started);
        attempt.outcome = outcome;
    }

    pub(super) fn take_info(
        &mut self,
        winner: AttemptId,
        ignored: usize,
        reporter: Reporter,
    ) -> ConnectInfo<E> {
        let first_address = self.first_address.map_or(Duration::ZERO, |at| self.since_begin(at));
        ConnectInfo::new(Info {
            attempts: std::mem::take(&mut self.attempts),
            skipped: std::mem::take(&mut self.skipped),
            ignored,
            winner: winner.0 as usize,
            first_address,
            lookup: self.lookup.take(),
            reporter,
        })
    }

    pub(super) fn take_error(&mut self, end: End, ignored: usize, now: Instant) -> ConnectError<E> {
        ConnectError::new(Report {
            end,
            elapsed: self.since_begin(now),
            attempts: std::mem::take(&mut self.attempts),
            skipped: std::mem::take(&mut self.skipped),
            ignored,
            lookup: self.lookup.take(),
        })
    }
}
