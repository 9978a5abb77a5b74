//! What is known of a nameserver: its round-trip time, its failures, whether it supports EDNS.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::resolve::stats::{NameserverCounters, add};

/// The resend delay while the round-trip time of a nameserver is unknown. Long enough for a
/// recursive nameserver's usual cache miss (tens of milliseconds), short enough that one lost
/// packet costs a quarter of a second.
const INITIAL_RESEND_DELAY: Duration = Duration::from_millis(250);
/// Below this a resend would race ordinary scheduling noise of a busy host.
const MIN_RESEND_DELAY: Duration = Duration::from_millis(100);
/// Above this a lost packet would cost a person's patience.
const MAX_RESEND_DELAY: Duration = Duration::from_secs(1);
/// A proven nameserver is late no sooner than this: loopback round-trip times are microseconds,
/// and asking every nameserver after a scheduling hiccup would multiply packets for nothing.
const MIN_LATE_DELAY: Duration = Duration::from_millis(50);
/// How long after a failure a nameserver is asked again, beside a proven one.
const PROBE_DELAY: Duration = Duration::from_secs(5);
/// How long EDNS stays disabled for a nameserver that did not support it: it may be upgraded, or
/// the FORMERR may have been forged.
const EDNS_DISABLED_PERIOD: Duration = Duration::from_secs(600);

/// One nameserver of the configuration, and what its responses have shown.
#[derive(Debug)]
pub(crate) struct Nameserver {
    addr: SocketAddr,
    /// Smoothed round-trip time and its mean deviation (RFC 6298 section 2).
    rtt: Option<(Duration, Duration)>,
    /// Set when a query to it went unanswered or its socket failed, cleared by any valid response.
    failed_at: Option<Instant>,
    /// It has answered a query with EDNS.
    knows_edns: bool,
    edns_disabled_until: Option<Instant>,
    counters: Arc<NameserverCounters>,
}

impl Nameserver {
    pub(crate) fn new(addr: SocketAddr) -> Self {
        let counters = Arc::new(NameserverCounters::new(addr));
        Self {
            addr,
            rtt: None,
            failed_at: None,
            knows_edns: false,
            edns_disabled_until: None,
            counters,
        }
    }

    pub(crate) fn counters(&self) -> &Arc<NameserverCounters> {
        &self.counters
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The smoothed round-trip time; `None` until the first valid response.
    pub(crate) fn smoothed_rtt(&self) -> Option<Duration> {
        self.rtt.map(|(smoothed, _)| smoothed)
    }

    /// Whether it has answered, and has not failed since.
    pub(crate) fn is_proven(&self) -> bool {
        self.rtt.is_some() && self.failed_at.is_none()
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

    /// A valid answer came, `rtt` after its query was sent, with or without EDNS.
    ///
    /// Every send has its own socket or its own id, so a response always belongs to one send and
    /// the sample is unambiguous (RFC 6298 section 3, Karn's algorithm).
    pub(crate) fn handle_response(&mut self, rtt: Option<Duration>, edns: bool) {
        self.failed_at = None;
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

    /// Counts a send to it: the first one about its question, or a resend.
    pub(crate) fn note_sent(&self, is_first: bool) {
        add(&self.counters.queries);
        if !is_first {
            add(&self.counters.resends);
        }
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
        // Each failure restarts the pause, so that a dead nameserver is probed once in a pause.
        self.failed_at = Some(now);
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
mod tests {
    use super::*;

    fn nameserver() -> Nameserver {
        Nameserver::new(([127, 0, 0, 1], 53).into())
    }

    #[test]
    fn an_unknown_nameserver_waits_a_quarter_of_a_second_for_a_resend() {
        assert_eq!(nameserver().resend_delay(), Duration::from_millis(250));
        assert!(!nameserver().is_proven());
    }

    #[test]
    fn the_first_sample_sets_the_deviation_to_half_of_it() {
        let mut server = nameserver();
        server.handle_response(Some(Duration::from_millis(200)), true);
        assert_eq!(server.smoothed_rtt(), Some(Duration::from_millis(200)));
        assert_eq!(server.resend_delay(), Duration::from_millis(600), "200 + 4 * 100");
    }

    #[test]
    fn delays_stay_within_their_bounds() {
        let mut quick = nameserver();
        quick.handle_response(Some(Duration::from_micros(50)), true);
        assert_eq!((quick.resend_delay(), quick.late_delay()), (MIN_RESEND_DELAY, MIN_LATE_DELAY));
        let mut slow = nameserver();
        slow.handle_response(Some(Duration::from_secs(4)), true);
        assert_eq!((slow.resend_delay(), slow.late_delay()), (MAX_RESEND_DELAY, MAX_RESEND_DELAY));
    }

    #[test]
    fn a_failure_demotes_until_the_next_response_and_allows_a_probe_after_a_pause() {
        let (mut server, now) = (nameserver(), Instant::now());
        server.handle_response(Some(Duration::from_millis(1)), true);
        server.handle_failure(now);
        assert!(!server.is_proven());
        assert!(!server.start_probe(now + PROBE_DELAY.mul_f32(0.99)));
        assert!(server.start_probe(now + PROBE_DELAY));
        assert!(!server.start_probe(now + PROBE_DELAY), "one lookup probes, the others do not");
        server.handle_response(Some(Duration::from_millis(1)), true);
        assert!(server.is_proven());
    }

    #[test]
    fn disabled_edns_is_tried_again_after_a_while() {
        let (mut server, now) = (nameserver(), Instant::now());
        assert!(server.speaks_edns(now));
        server.handle_answer_without_edns(true, now);
        assert!(!server.speaks_edns(now));
        assert!(server.speaks_edns(now + EDNS_DISABLED_PERIOD));
    }

    #[test]
    fn silence_after_edns_is_blamed_on_edns_only_if_it_never_worked() {
        let (mut server, now) = (nameserver(), Instant::now());
        server.handle_response(Some(Duration::from_millis(1)), true);
        server.handle_answer_without_edns(false, now);
        assert!(server.speaks_edns(now), "a packet was lost");
        let mut behind_a_filter = nameserver();
        behind_a_filter.handle_response(Some(Duration::from_millis(1)), false);
        behind_a_filter.handle_answer_without_edns(false, now);
        assert!(!behind_a_filter.speaks_edns(now));
    }
}
