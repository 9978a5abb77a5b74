//! The race: which connection attempt starts, when, and which one wins ([RFC 8305]).
//!
//! [RFC 8305]: https://www.rfc-editor.org/rfc/rfc8305

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::gate::{AddressGate, PerFamily};
use super::options::{
    FailFast, MAX_CONNECTION_ATTEMPT_DELAY, MIN_CONNECTION_ATTEMPT_DELAY, RaceOptions,
};
use super::order::{Family, Learnt, SourceAddress};

/// One connection attempt of a race, numbered in order of start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct AttemptId(pub(crate) u32);

/// What the driver is to do, or how the race ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// Start to connect to `addr`.
    Start { id: AttemptId, addr: SocketAddr },
    /// Give this attempt up: its socket is closed.
    Cancel { id: AttemptId },
    /// Give this attempt up as failed: [`RaceOptions::attempt_timeout`] has passed.
    Expire { id: AttemptId },
    /// The race is over: this attempt's connection is the result.
    Won { id: AttemptId },
    /// The race is over: every attempt has failed, or there was no address to try.
    Lost,
    /// The race is over: [`RaceOptions::connect_timeout`] has passed.
    TimedOut,
}

/// The state machine of RFC 8305: no socket, no clock, no random source.
///
/// # Call order
///
/// Everything that is ready is handed in first, with the time at which it is handed in, in any
/// order: [`handle_connected`](Self::handle_connected) and the other `handle_*`. Then
/// [`poll_output`](Self::poll_output) until it gives `None`. Then
/// [`poll_timeout`](Self::poll_timeout), and [`handle_timeout`](Self::handle_timeout) at that time,
/// unless something else happens earlier. Nothing is decided before `poll_output`: what is ready in
/// the same instant counts together, so that a connection takes precedence over an answer, and an
/// answer over a timer.
///
/// # Outputs
///
/// Each `Start` ends in exactly one way: the caller hands in its failure, or a `Cancel`, `Expire` or
/// `Won` names it. Exactly one of `Won`, `Lost` and `TimedOut` is the last output; `Cancel` of every
/// other attempt alive comes before it, and nothing after it. What is handed in later is ignored,
/// and so is anything about an attempt that is not alive.
///
/// # What is not here
///
/// Which addresses may be attempted, and in which order: that is the [`AddressGate`]. Service
/// bindings (SVCB and HTTPS records) and NAT64.
#[derive(Debug)]
pub(crate) struct Race {
    options: RaceOptions,
    now: Instant,
    deadline: Option<Instant>,
    gate: AddressGate,
    attempted: PerFamily<u32>,
    started: u32,
    /// Attempts alive, in order of start.
    alive: Vec<Alive>,
    pacing: Pacing,
    conclusion: Option<Conclusion>,
}

/// An attempt that has neither failed nor connected.
#[derive(Clone, Copy, Debug)]
struct Alive {
    id: AttemptId,
    started: Instant,
}

/// An attempt that is silent for so long counts no more against
/// [`RaceOptions::max_connection_attempts_alive`]: its SYN was sent three times, at 0, 1 and 3 s (RFC
/// 6298 section 2: a second, doubled each time). It may still win, and most likely never will; a
/// healthy address behind six such must have its turn.
const SILENT_AFTER: Duration = Duration::from_secs(3);

/// When the next attempt may start.
#[derive(Clone, Copy, Debug)]
struct Pacing {
    delay: Duration,
    latest: Option<AttemptId>,
    latest_start: Instant,
    due: Instant,
    /// `due` was brought forward by a failure, so that the delay has not run out.
    hurried: bool,
}

/// What a handshake is given at the least: see [`Race::handle_transport_up`]. RFC 8305 section 8 has
/// the same value as the recommended minimum between two attempts.
const MIN_HANDSHAKE_TIME: Duration = Duration::from_millis(100);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Conclusion {
    Reached(Output),
    Reported,
}

impl Race {
    /// A race that begins now, with the lookup. [`RaceOptions::connect_timeout`] counts from here.
    pub(crate) fn new(options: &RaceOptions, now: Instant) -> Self {
        Self {
            now,
            // A timeout past the clock's range is none.
            deadline: options.connect_timeout.and_then(|timeout| now.checked_add(timeout)),
            gate: AddressGate::new(options),
            attempted: PerFamily::default(),
            started: 0,
            alive: Vec::new(),
            pacing: Pacing {
                delay: options.connection_attempt_delay,
                latest: None,
                latest_start: now,
                due: now,
                hurried: true,
            },
            conclusion: None,
            options: options.clone(),
        }
    }

    /// See [`AddressGate::handle_default_source`].
    pub(crate) fn handle_default_source(
        &mut self,
        family: Family,
        source: Option<SourceAddress>,
        now: Instant,
    ) {
        self.advance(now);
        self.gate.handle_default_source(family, source.as_ref());
    }

    /// An address came out of the lookup. `source` is the address that the system would send from
    /// towards it; `None` if it has no route there. `learnt` is what earlier races have taught about
    /// it.
    pub(crate) fn handle_address(
        &mut self,
        addr: SocketAddr,
        source: Option<SourceAddress>,
        learnt: Learnt,
        now: Instant,
    ) {
        self.advance(now);
        self.gate.handle_address(addr, source.as_ref(), learnt, self.now);
    }

    /// The lookup has ended: every family has answered, or never will.
    pub(crate) fn handle_end(&mut self, now: Instant) {
        self.advance(now);
        self.gate.handle_end();
    }

    /// An attempt has connected.
    ///
    /// RFC 8305 section 5: "Once one of the connection attempts succeeds [..], all other
    /// connections attempts that have not yet succeeded SHOULD be canceled." Of two in the same
    /// instant, the first that is handed in wins, and the other is canceled like the rest.
    pub(crate) fn handle_connected(&mut self, id: AttemptId, now: Instant) {
        self.advance(now);
        if self.conclusion.is_none() && self.remove_alive(id) {
            self.conclusion = Some(Conclusion::Reached(Output::Won { id }));
        }
    }

    /// An attempt's transport has connected, and its handshake goes on. To be handed in once.
    ///
    /// The address is alive, and most likely wins: the next attempt waits for another round trip and
    /// the peer's work, which is taken for twice the time so far, at most the Connection Attempt
    /// Delay. RFC 8305 has no such rule. A handshake that does not end costs no more than a silent
    /// address. The failure of the latest attempt comes first: the next one does not wait then.
    pub(crate) fn handle_transport_up(&mut self, id: AttemptId, now: Instant) {
        self.advance(now);
        let Some(alive) = self.alive.iter().find(|alive| alive.id == id) else { return };
        if self.pacing.hurried {
            return;
        }
        let round_trip = self.now - alive.started;
        let handshake = (2 * round_trip).max(MIN_HANDSHAKE_TIME);
        let due = self.now + handshake.min(self.options.connection_attempt_delay);
        self.pacing.due = self.pacing.due.max(due);
    }

    /// The network has answered that an attempt fails: refused, reset, unreachable, timed out.
    ///
    /// If it was the latest, the next starts at once: RFC 8305 is silent, and waiting would only
    /// cost time. If a later one is alive, its delay goes on.
    pub(crate) fn handle_failed(&mut self, id: AttemptId, now: Instant) {
        self.advance(now);
        if self.remove_alive(id) {
            self.hurry_after(id);
        }
    }

    /// An attempt has failed before anything was sent: no socket of this family, no such local
    /// address, refused by a policy. It takes no turn: the next starts at once, whatever
    /// [`RaceOptions::fail_fast`] says.
    pub(crate) fn handle_not_sent(&mut self, id: AttemptId, now: Instant) {
        self.advance(now);
        if self.remove_alive(id) && self.pacing.latest == Some(id) {
            self.hurry(self.now);
        }
    }

    /// An attempt has failed because this process or host ran out of something: file descriptors,
    /// ports, memory. Says nothing about the address, and the next one would most likely fare the
    /// same now: it starts when the Connection Attempt Delay has passed, so that the list is not
    /// burnt in an instant.
    pub(crate) fn handle_exhausted(&mut self, id: AttemptId, now: Instant) {
        self.advance(now);
        self.remove_alive(id);
    }

    /// Does what is due at `now`. May be called early and more than once.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
    }

    /// What to do next; `None` if there is nothing to do until something is handed in or
    /// [`poll_timeout`](Self::poll_timeout) comes.
    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        if self.conclusion.is_none() {
            self.gate.update(self.now);
            self.reserve();
            if let Some(id) = self.take_expired() {
                return Some(Output::Expire { id });
            }
            if self.is_exhausted() {
                self.conclusion = Some(Conclusion::Reached(Output::Lost));
            } else if self.deadline.is_some_and(|deadline| self.now >= deadline) {
                self.conclusion = Some(Conclusion::Reached(Output::TimedOut));
            } else if let Some(start) = self.start_next() {
                return Some(start);
            }
        }
        let Conclusion::Reached(last) = self.conclusion? else { return None };
        if !self.alive.is_empty() {
            return Some(Output::Cancel { id: self.alive.remove(0).id });
        }
        self.conclusion = Some(Conclusion::Reported);
        Some(last)
    }

    /// When to call [`handle_timeout`](Self::handle_timeout); `None` if only an event can change
    /// anything. To be asked when [`poll_output`](Self::poll_output) has nothing more.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        if self.conclusion.is_some() {
            return None;
        }
        let start = match self.gate.resolution_delay_ends() {
            Some(delay_ends) if !self.gate.is_open() => Some(delay_ends),
            _ => self.starts_at(),
        };
        let expires = self.alive.first().and_then(|oldest| self.expires_at(oldest));
        [start, expires, self.deadline].into_iter().flatten().min()
    }

    /// Whether it has had more than one address to choose from.
    pub(crate) fn knows_others(&self) -> bool {
        self.gate.len() > 1
    }

    /// How many addresses were ignored because their family has too many.
    pub(crate) fn ignored(&self) -> usize {
        self.gate.ignored()
    }

    /// Time does not run backwards, whatever order events are handed in.
    fn advance(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }

    /// Removes an attempt from those alive. Returns `false` if it was not there.
    fn remove_alive(&mut self, id: AttemptId) -> bool {
        let place = self.alive.iter().position(|alive| alive.id == id);
        place.map(|place| self.alive.remove(place)).is_some()
    }

    /// Removes the oldest attempt if its time is over. All have the same time, so it is the first.
    fn take_expired(&mut self) -> Option<AttemptId> {
        let oldest = *self.alive.first()?;
        if self.now < self.expires_at(&oldest)? {
            return None;
        }
        self.alive.remove(0);
        self.hurry_after(oldest.id);
        Some(oldest.id)
    }

    fn expires_at(&self, alive: &Alive) -> Option<Instant> {
        alive.started.checked_add(self.options.attempt_timeout?)
    }

    /// An attempt has failed. If it was the latest, the next need not wait.
    fn hurry_after(&mut self, id: AttemptId) {
        if self.pacing.latest == Some(id) {
            self.hurry(match self.options.fail_fast {
                FailFast::Immediately => self.now,
                FailFast::AfterMinimum => self.pacing.latest_start + MIN_CONNECTION_ATTEMPT_DELAY,
            });
        }
    }

    fn hurry(&mut self, due: Instant) {
        self.pacing.due = due;
        self.pacing.hurried = true;
    }

    /// Makes room for every attempt that can be alive, so that nothing is allocated from here on.
    fn reserve(&mut self) {
        let most = self.gate.len().min(self.options.max_connection_attempts as usize);
        self.alive.reserve(most.saturating_sub(self.alive.len()));
    }

    /// When the next address is attempted, if only time keeps it from that. If not, there is no timer:
    /// "in the case of the end of the list being reached", it is canceled, and the last attempt lives
    /// as long as any other.
    fn starts_at(&self) -> Option<Instant> {
        let most = self.options.max_connection_attempts_alive;
        // Attempts alive are in order of start: of more than that, these are the first to be silent
        // for too long.
        let free =
            self.alive.len().checked_sub(most).map(|at| self.alive[at].started + SILENT_AFTER);
        self.may_attempt_next().then(|| free.map_or(self.pacing.due, |at| at.max(self.pacing.due)))
    }

    /// Whether [`RaceOptions::max_connection_attempts`] leaves one for the next address. Half of
    /// them are kept for a family that has not arrived: a long list of refusals would otherwise use
    /// them all up within milliseconds, before the address that works is there.
    fn may_attempt_next(&self) -> bool {
        let Some(addr) = self.gate.next_address() else { return false };
        let family = Family::of(addr);
        let total = self.options.max_connection_attempts;
        let of_family =
            if self.gate.is_awaited(family.other()) { total.div_ceil(2) } else { total };
        self.started < total && *self.attempted.of(family) < of_family
    }

    /// Whether no attempt is alive and none can start any more.
    fn is_exhausted(&self) -> bool {
        let settled =
            self.gate.lookup_has_ended() || self.started >= self.options.max_connection_attempts;
        settled && self.alive.is_empty() && !self.may_attempt_next()
    }

    /// RFC 8305 section 5: "connection attempts SHOULD NOT be made simultaneously. Instead, one
    /// connection attempt to a single address is started first, followed by the others in the list,
    /// one at a time. Starting a new connection attempt does not affect previous attempts".
    fn start_next(&mut self) -> Option<Output> {
        if !self.gate.is_open() || self.starts_at().is_none_or(|at| self.now < at) {
            return None;
        }
        let addr = self.gate.take_next()?;
        let id = AttemptId(self.started);
        self.started += 1;
        *self.attempted.of_mut(Family::of(addr)) += 1;
        self.alive.push(Alive { id, started: self.now });
        self.pacing.begin(id, &self.options, self.now);
        Some(Output::Start { id, addr })
    }
}

impl Pacing {
    /// An attempt starts, and with it the delay until the next.
    ///
    /// The delay grows as draft-ietf-happy-happyeyeballs-v3 section 6 has it, "for each additional
    /// connection attempt that is started while earlier attempts are still in progress". One that
    /// starts because the latest has failed does not count.
    fn begin(&mut self, id: AttemptId, options: &RaceOptions, now: Instant) {
        if !self.hurried {
            let grown = self.delay.saturating_mul(options.connection_attempt_delay_growth);
            self.delay = grown.min(MAX_CONNECTION_ATTEMPT_DELAY);
        }
        self.latest = Some(id);
        self.latest_start = now;
        self.due = now + self.delay;
        self.hurried = false;
    }
}

// Spelled out, because the benches build this file too, from where it stands.
#[cfg(test)]
#[path = "race/tests/mod.rs"]
mod tests;
