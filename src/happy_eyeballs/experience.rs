//! What earlier races taught about addresses: which do not answer, and how long a handshake takes
//! (RFC 8305 section 4, RFC 6724 section 6 rule 1).

use std::collections::HashMap;
use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::error::is_the_address_to_blame;
use super::order::Learnt;
use super::report::{AttemptOutcome, ConnectionAttempt};
use crate::process::without_waiting;

/// The addresses that earlier races with one set of options have tried.
///
/// The table is a convenience, as that of the sources is: a caller never waits for its lock.
#[derive(Debug, Default)]
pub(crate) struct Experience {
    known: Mutex<HashMap<SocketAddr, Record>>,
}

#[derive(Clone, Copy, Debug)]
struct Record {
    /// What this host sent from. What was learnt elsewhere says nothing about this network.
    source: IpAddr,
    learnt: Instant,
    verdict: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// It was silent, or the attempt failed, or a caller has reported it.
    Failing,
    /// The time of the last handshake.
    Connected(Duration),
}

/// How long something is remembered: an address that is back is tried as before then, and one that
/// is still dead costs a delay again.
const MEMORY: Duration = Duration::from_secs(300);

/// How many addresses are known at a time; beyond it all are forgotten. Some 100 kilobytes.
const MAX_KNOWN: usize = 1024;

/// Handshakes below this are equally quick: connects are spread over such addresses, and a difference
/// of some milliseconds is chance.
const QUICK: Duration = Duration::from_millis(16);

impl Experience {
    /// What is known of `addr` from this source.
    pub(super) fn of(&self, addr: SocketAddr, source: Option<IpAddr>, now: Instant) -> Learnt {
        let record = without_waiting(&self.known).and_then(|table| table.get(&addr).copied());
        let is_fresh = |record: &Record| {
            now.saturating_duration_since(record.learnt) < MEMORY && Some(record.source) == source
        };
        match record.filter(is_fresh).map(|record| record.verdict) {
            Some(Verdict::Failing) => Learnt { is_failing: true, slowness: 0 },
            Some(Verdict::Connected(time)) => {
                Learnt { is_failing: false, slowness: slowness(time) }
            }
            None => Learnt::default(),
        }
    }

    /// Learns from the attempts of a race that is over. One that was canceled says something if it
    /// was silent for `patience`, after which another one was started beside it.
    pub(super) fn learn<E: Error + 'static>(
        &self,
        attempts: &[ConnectionAttempt<E>],
        patience: Duration,
        mut source: impl FnMut(SocketAddr) -> Option<IpAddr>,
        now: Instant,
    ) {
        for attempt in attempts {
            let verdict = match &attempt.outcome {
                AttemptOutcome::Won => Verdict::Connected(attempt.lived),
                AttemptOutcome::Canceled if attempt.lived >= patience => Verdict::Failing,
                AttemptOutcome::TimedOut => Verdict::Failing,
                AttemptOutcome::Failed(error) if is_the_address_to_blame(error) => Verdict::Failing,
                AttemptOutcome::Canceled | AttemptOutcome::Failed(_) => continue,
            };
            if let Some(source) = source(attempt.addr) {
                self.insert(attempt.addr, Record { source, learnt: now, verdict });
            }
        }
    }

    /// A caller says that a connection to `addr` was of no use.
    pub(super) fn report(&self, addr: SocketAddr, source: Option<IpAddr>, now: Instant) {
        if let Some(source) = source {
            self.insert(addr, Record { source, learnt: now, verdict: Verdict::Failing });
        }
    }

    fn insert(&self, addr: SocketAddr, record: Record) {
        let Some(mut table) = without_waiting(&self.known) else { return };
        if table.len() >= MAX_KNOWN && !table.contains_key(&addr) {
            table.clear();
        }
        table.insert(addr, record);
    }
}

/// How often [`QUICK`] must be doubled to be longer: times within a factor of two are mostly equal.
fn slowness(time: Duration) -> u8 {
    let ratio = time.as_nanos() / QUICK.as_nanos();
    u8::try_from(u128::BITS - ratio.leading_zeros()).expect("at most 128")
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::net::Ipv4Addr;

    use super::super::report::{AttemptError, AttemptStage};
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn addr(last: u8) -> SocketAddr {
        ([192, 0, 2, last], 443).into()
    }

    const HERE: Option<IpAddr> = Some(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1)));

    fn attempt(last: u8, lived: Duration, outcome: AttemptOutcome) -> ConnectionAttempt {
        let started = Duration::ZERO;
        ConnectionAttempt { addr: addr(last), started, transport_up: None, lived, outcome }
    }

    fn failed(stage: AttemptStage, kind: io::ErrorKind) -> AttemptOutcome {
        AttemptOutcome::Failed(AttemptError::new(stage, kind.into()))
    }

    #[test]
    fn cr13_an_address_that_failed_or_was_silent_is_known_for_it() {
        use AttemptOutcome::{Canceled, Won};
        let (experience, now) = (Experience::default(), Instant::now());
        let attempts = [
            attempt(1, 250 * MS, Canceled),
            attempt(2, 249 * MS, Canceled),
            attempt(3, MS, failed(AttemptStage::Connect, io::ErrorKind::ConnectionRefused)),
            attempt(4, MS, failed(AttemptStage::Bind, io::ErrorKind::AddrNotAvailable)),
            attempt(5, MS, failed(AttemptStage::Connect, io::ErrorKind::OutOfMemory)),
            attempt(6, 5 * MS, Won),
            attempt(7, 100 * MS, Won),
        ];
        experience.learn(&attempts, 250 * MS, |_| HERE, now);
        let known: Vec<_> = (1..=8).map(|last| experience.of(addr(last), HERE, now)).collect();
        let failing: Vec<_> = known.iter().map(|learnt| learnt.is_failing).collect();
        assert_eq!(failing, [true, false, true, false, false, false, false, false]);
        assert_eq!(known.iter().map(|learnt| learnt.slowness).max(), Some(known[6].slowness));
        assert_eq!(known[5], Learnt::default(), "quick, as one that is not known");

        // A connection clears what was said before.
        experience.learn(&[attempt(1, MS, Won)], 250 * MS, |_| HERE, now);
        assert_eq!(experience.of(addr(1), HERE, now), Learnt::default());
    }

    #[test]
    fn cr13_it_is_forgotten_after_a_while_and_in_another_network() {
        let (experience, now) = (Experience::default(), Instant::now());
        experience.report(addr(1), HERE, now);
        let is_failing = |source, now| experience.of(addr(1), source, now).is_failing;
        assert!(is_failing(HERE, now + Duration::from_secs(299)));
        assert!(!is_failing(HERE, now + Duration::from_secs(300)));
        assert!(!is_failing(Some([203, 0, 113, 1].into()), now));
        assert!(!is_failing(None, now));
    }

    #[test]
    fn cr13_what_is_remembered_has_a_bound() {
        let (experience, now) = (Experience::default(), Instant::now());
        for n in 0..3000_u16 {
            let [high, low] = n.to_be_bytes();
            experience.report(([192, 0, high, low], 80).into(), HERE, now);
            assert!(experience.known.lock().unwrap().len() <= MAX_KNOWN);
        }
    }

    #[test]
    fn cr13_handshakes_compare_by_doubled_times() {
        let rows = [(0, 0), (15, 0), (16, 1), (31, 1), (32, 2), (100, 3), (1_000, 6)];
        assert_eq!(rows.map(|(ms, _)| slowness(ms * MS)), rows.map(|(_, expected)| expected));
        assert!(slowness(Duration::MAX) > slowness(Duration::from_secs(1000)));
    }
}
