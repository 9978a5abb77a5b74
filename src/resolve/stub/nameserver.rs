//! What is known of a nameserver: its round-trip time, its failures, whether it supports EDNS
//! and keeps the case of a question.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::pacing::{Pacer, SendNumber, SendRank};
use crate::HostName;
use crate::resolve::stats::{NameserverCounters, add};

/// The resend delay while the round-trip time of a nameserver is unknown. Long enough for a
/// recursive nameserver's usual cache miss (tens of milliseconds), short enough that one lost
/// packet costs a quarter of a second.
const INITIAL_RESEND_DELAY: Duration = Duration::from_millis(250);
/// Below this a resend would race ordinary scheduling noise of a busy host.
const MIN_RESEND_DELAY: Duration = Duration::from_millis(100);
/// Above this a lost packet would cost a person's patience.
const MAX_RESEND_DELAY: Duration = Duration::from_secs(1);
/// A nameserver is late no sooner than this: loopback round-trip times are microseconds, and asking
/// every nameserver after a scheduling hiccup would multiply packets for nothing.
const MIN_LATE_DELAY: Duration = Duration::from_millis(5);
/// So many failures in a row take a nameserver that has answered before out of its place: a single
/// one may be a lost packet, or the fault of one domain.
const MAX_FAILURES: u8 = 2;
/// A query that a nameserver has not answered for this long takes no place in its window, however
/// short its round trips are.
const MIN_PATIENCE: Duration = Duration::from_millis(5);
/// The same before its first answer: longer than the round trip to most nameservers.
const INITIAL_PATIENCE: Duration = Duration::from_millis(25);
/// How long after a failure a nameserver is asked again, beside a proven one.
const PROBE_DELAY: Duration = Duration::from_secs(5);
/// How long EDNS stays disabled for a nameserver that did not support it: it may be upgraded, or
/// the FORMERR may have been forged.
const EDNS_DISABLED_PERIOD: Duration = Duration::from_secs(600);
/// After so many questions in a row that a nameserver has answered, and not in the case in which
/// they were asked, it is taken for one that does not keep the case: one or two may have been
/// forged.
const MAX_CASE_CHANGES: u8 = 3;
/// How long it is then asked without a mixed case: it may be upgraded.
const PLAIN_PERIOD: Duration = Duration::from_secs(600);

/// One nameserver of the configuration, and what its responses have shown.
#[derive(Debug)]
pub(crate) struct Nameserver {
    addr: SocketAddr,
    /// Smoothed round-trip time and its mean deviation (RFC 6298 section 2).
    rtt: Option<(Duration, Duration)>,
    /// Failures since its last valid answer.
    failures: u8,
    /// When it last failed, if it is out of its place. Cleared by any valid answer.
    failed_at: Option<Instant>,
    /// It was late with a response, and has not answered since.
    is_late: bool,
    /// It has answered a query with EDNS.
    knows_edns: bool,
    edns_disabled_until: Option<Instant>,
    /// Questions whose case it has changed, since it last kept one.
    case_changes: u8,
    /// Its questions are sent as they were given.
    plain_until: Option<Instant>,
    pacer: Pacer,
    /// How many queries wait for their turn: for the first time, or to be sent again.
    waiting: [usize; 2],
    counters: Arc<NameserverCounters>,
}

impl Nameserver {
    /// A nameserver of the route with this suffix; `None`: of the root route.
    pub(crate) fn new(addr: SocketAddr, route: Option<HostName>) -> Self {
        let counters = Arc::new(NameserverCounters::new(addr, route));
        Self {
            addr,
            rtt: None,
            failures: 0,
            failed_at: None,
            is_late: false,
            knows_edns: false,
            edns_disabled_until: None,
            case_changes: 0,
            plain_until: None,
            pacer: Pacer::default(),
            waiting: [0; 2],
            counters,
        }
    }

    pub(crate) fn counters(&self) -> &Arc<NameserverCounters> {
        &self.counters
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Whether it has answered, and is in its place.
    pub(crate) fn is_proven(&self) -> bool {
        self.rtt.is_some() && self.is_in_good_standing()
    }

    /// Whether it keeps its place among the nameservers: it has not been silent, or failing,
    /// lately.
    pub(crate) fn is_in_good_standing(&self) -> bool {
        self.failed_at.is_none()
    }

    /// Whether it is late with a response, so that the others are asked beside it.
    pub(crate) fn is_late(&self) -> bool {
        self.is_late
    }

    /// It has not answered in the time that it usually takes.
    pub(crate) fn handle_lateness(&mut self) {
        self.is_late = true;
    }

    /// Whether it is to be probed: its last failure is [`PROBE_DELAY`] ago. Returns `true` to one
    /// caller in that time, so that of a thousand lookups one probes.
    pub(crate) fn start_probe(&mut self, now: Instant) -> bool {
        let is_due = self.failed_at.is_some_and(|at| now >= at + PROBE_DELAY);
        if is_due {
            self.failed_at = Some(now);
        }
        is_due
    }

    /// After how long without a response a query is sent again for the first time.
    pub(crate) fn resend_delay(&self) -> Duration {
        match self.rtt {
            None => INITIAL_RESEND_DELAY,
            Some(_) => self.expected_wait().clamp(MIN_RESEND_DELAY, MAX_RESEND_DELAY),
        }
    }

    /// After how long without a response the other nameservers are asked as well.
    pub(crate) fn late_delay(&self) -> Duration {
        self.expected_wait().clamp(MIN_LATE_DELAY, MAX_RESEND_DELAY)
    }

    /// RFC 6298 section 2.3: `RTO <- SRTT + max (G, K*RTTVAR)` with `K = 4`.
    fn expected_wait(&self) -> Duration {
        self.rtt.map_or(INITIAL_RESEND_DELAY, |(smoothed, deviation)| smoothed + 4 * deviation)
    }

    pub(crate) fn speaks_edns(&self, now: Instant) -> bool {
        self.edns_disabled_until.is_none_or(|until| now >= until)
    }

    /// Whether it has answered a query with EDNS.
    pub(crate) fn knows_edns(&self) -> bool {
        self.knows_edns
    }

    /// Whether it keeps the case of a question, as far as is known.
    pub(crate) fn keeps_case(&self, now: Instant) -> bool {
        self.plain_until.is_none_or(|until| now >= until)
    }

    /// It has responded in the mixed case of a query.
    pub(crate) fn handle_case_kept(&mut self) {
        self.case_changes = 0;
        self.plain_until = None;
    }

    /// It has answered a question that came back in another case, over TCP or, where that is not to
    /// be had, as it was given.
    pub(crate) fn handle_case_changed(&mut self, now: Instant) {
        self.case_changes += 1;
        if self.case_changes == MAX_CASE_CHANGES {
            self.case_changes = 0;
            self.plain_until = Some(now + PLAIN_PERIOD);
        }
    }

    /// A valid answer came, `rtt` after its query was sent, with or without EDNS.
    ///
    /// Every send has its own socket or its own id, so a response always belongs to one send and
    /// the sample is unambiguous (RFC 6298 section 3, Karn's algorithm).
    pub(crate) fn handle_response(&mut self, rtt: Option<Duration>, edns: bool) {
        self.failures = 0;
        self.failed_at = None;
        self.is_late = false;
        self.knows_edns |= edns;
        let Some(rtt) = rtt else { return };
        let (smoothed, deviation) = match self.rtt {
            None => (rtt, rtt / 2),
            Some((smoothed, deviation)) => {
                (smoothed * 7 / 8 + rtt / 8, deviation * 3 / 4 + smoothed.abs_diff(rtt) / 4)
            }
        };
        self.rtt = Some((smoothed, deviation));
        self.counters.measured(smoothed);
    }

    /// Whether a query may be sent now: there is room in the window, and no other one that has
    /// waited for longer goes before it.
    pub(crate) fn may_be_sent(&self, rank: SendRank) -> bool {
        let [first, resend] = self.waiting;
        let is_next = match rank {
            SendRank::First => first == 0,
            SendRank::Resend => first + resend == 0,
        };
        is_next && self.pacer.has_room(rank)
    }

    /// Whether there is room for the first of those that wait.
    pub(crate) fn has_room(&self, rank: SendRank) -> bool {
        self.pacer.has_room(rank)
    }

    /// How many queries wait for their turn.
    pub(crate) fn set_waiting(&mut self, waiting: [usize; 2]) {
        self.waiting = waiting;
        self.counters.paced(waiting.iter().sum(), self.pacer.window());
    }

    /// Records sends over UDP, and returns the number of the first.
    pub(crate) fn note_udp_sends(&mut self, count: usize, now: Instant) -> SendNumber {
        self.pacer.handle_timeout(self.patience(), now);
        self.pacer.note_sends(count, now)
    }

    /// A response to a send over UDP came. `was_lost` is whether the send before it was.
    pub(crate) fn handle_udp_response(
        &mut self,
        number: SendNumber,
        is_answer: bool,
        was_lost: bool,
        now: Instant,
    ) {
        self.pacer.handle_response(number, is_answer, now);
        if is_answer && was_lost {
            self.handle_loss(number, now);
        }
    }

    /// Whether it has, or had a moment ago, so many queries that an error may be its answer to
    /// that. On a busy machine they outlast its patience, and count as on the way no more.
    pub(crate) fn is_under_load(&self, now: Instant) -> bool {
        self.is_loaded() || self.pacer.loses(now)
    }

    /// It has refused a query because of how many it has. A load that is over by now closes
    /// nothing: it would never end for a nameserver that refuses everything.
    pub(crate) fn handle_overload(&mut self, number: SendNumber, now: Instant) {
        if self.is_loaded() {
            self.handle_loss(number, now);
        }
    }

    /// Whether many queries are on the way to it, or one waits to be sent for the first time.
    fn is_loaded(&self) -> bool {
        self.pacer.is_under_load() || self.waiting[0] > 0
    }

    fn handle_loss(&mut self, number: SendNumber, now: Instant) {
        add(&self.counters.losses);
        self.pacer.handle_loss(number, now);
    }

    /// Whether it is sent more than it takes, so that its silence may be a lost packet.
    pub(crate) fn is_overrun(&self, now: Instant) -> bool {
        self.is_under_load(now) || self.waiting != [0; 2]
    }

    #[cfg(any(test, fuzzing))]
    pub(crate) fn on_the_way(&self) -> (usize, u32) {
        self.pacer.on_the_way()
    }

    /// Frees the places of queries that it has not answered for longer than it usually takes.
    pub(crate) fn expire_sends(&mut self, now: Instant) {
        self.pacer.handle_timeout(self.patience(), now);
    }

    /// When the next place becomes free without a response.
    pub(crate) fn next_expiry(&self) -> Option<Instant> {
        self.pacer.poll_timeout(self.patience())
    }

    /// For how long a query counts as on the way.
    fn patience(&self) -> Duration {
        match self.rtt {
            None => INITIAL_PATIENCE,
            // Two round trips at least: the deviation of steady ones is close to nothing.
            Some((smoothed, _)) => {
                self.expected_wait().max(2 * smoothed).clamp(MIN_PATIENCE, MAX_RESEND_DELAY)
            }
        }
    }

    /// Counts a send to it: the first one about its question, or a resend.
    pub(crate) fn note_sent(&self, is_first: bool) {
        add(&self.counters.queries);
        if !is_first {
            add(&self.counters.resends);
        }
    }

    /// Counts a response in another case than that of its query.
    pub(crate) fn note_case_mismatch(&self) {
        add(&self.counters.case_mismatches);
    }

    /// Counts a question that it failed, by an error response or because it could not be reached.
    pub(crate) fn note_failure(&self) {
        add(&self.counters.failures);
    }

    /// A query was not answered in the expected time.
    pub(crate) fn handle_silence(&mut self, now: Instant) {
        add(&self.counters.timeouts);
        self.handle_failure(now);
    }

    /// Its socket failed, or it responded with an error, or not at all.
    pub(crate) fn handle_failure(&mut self, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        if self.rtt.is_none() || self.failures >= MAX_FAILURES {
            // Each failure restarts the pause, so that a dead nameserver is probed once in a pause.
            self.failed_at = Some(now);
        } else {
            self.is_late = true;
        }
    }

    /// It answered a query without EDNS and not the same query with EDNS: either it refused EDNS
    /// (`has_refused`, RFC 6891 section 7), or something on the way dropped the query. If it has
    /// answered queries with EDNS before, silence proves nothing.
    pub(crate) fn handle_answer_without_edns(&mut self, has_refused: bool, now: Instant) {
        if has_refused || !self.knows_edns {
            self.knows_edns = false;
            self.edns_disabled_until = Some(now + EDNS_DISABLED_PERIOD);
        }
    }
}

#[cfg(test)]
mod tests;
