//! Random sequences of events against the promises of [`Race`].
//!
//! `OUTRACE_RACE_RUNS` says how many sequences are played, `OUTRACE_SEED` which one is the first:
//! the seed that a failure prints, together with `OUTRACE_RACE_RUNS=1`, plays that sequence again.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::super::super::options::AddressOrder;
use super::super::super::order::{PolicyTable, Rank};
use super::super::*;
use super::{MS, script};

// By its path, because the benches build this file too.
#[allow(clippy::duplicate_mod, dead_code, reason = "a race needs a part")]
#[path = "../../../seeded.rs"]
mod seeded;

#[test]
fn random_events_keep_every_promise() {
    let setting =
        |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect(name));
    let runs = setting("OUTRACE_RACE_RUNS").unwrap_or(3_000);
    let first = setting("OUTRACE_SEED").unwrap_or_else(|| RandomState::new().hash_one(0));
    let mut ends = Ends::default();
    for seed in (0..runs).map(|run| first.wrapping_add(run)) {
        let played = catch_unwind(AssertUnwindSafe(|| Game::new(seed).play()));
        match played {
            Ok(end) => ends.count(end),
            Err(panic) => {
                eprintln!("replay with OUTRACE_SEED={seed} OUTRACE_RACE_RUNS=1");
                resume_unwind(panic);
            }
        }
    }
    if runs >= 1000 {
        assert!(ends.won.min(ends.lost).min(ends.timed_out) > runs / 50, "dull games: {ends:?}");
    }
}

#[derive(Debug, Default)]
struct Ends {
    won: u64,
    lost: u64,
    timed_out: u64,
}

impl Ends {
    fn count(&mut self, end: Output) {
        match end {
            Output::Won { .. } => self.won += 1,
            Output::Lost => self.lost += 1,
            Output::TimedOut => self.timed_out += 1,
            Output::Start { .. } | Output::Cancel { .. } | Output::Expire { .. } => {
                panic!("{end:?} is no end")
            }
        }
    }
}

/// Small numbers, as a race has them.
struct Random(seeded::Random);

impl Random {
    fn below(&mut self, bound: u32) -> u32 {
        u32::try_from(self.0.below(0..bound.into())).expect("below a u32")
    }

    fn one_in(&mut self, n: u32) -> bool {
        self.below(n) == 0
    }
}

/// What the outside knows of one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Alive,
    Connected,
    Failed,
    Canceled,
}

struct Attempt {
    family: Family,
    started: Instant,
    fate: Fate,
    /// From when on its failure lets the next one start before the delay is over.
    room_from: Option<Instant>,
    is_transport_up: bool,
}

/// A race, and everything that an onlooker can know about it.
struct Game {
    random: Random,
    config: RaceOptions,
    race: Race,
    start: Instant,
    now: Instant,
    /// Every address handed in, as the race ranks it, in order of arrival.
    known: Vec<(Rank, SocketAddr)>,
    first_address: Option<Instant>,
    ended: bool,
    started: HashSet<SocketAddr>,
    attempts: Vec<Attempt>,
    latest_start: Option<Instant>,
    /// Until when handshakes keep the next attempt from starting.
    held_until: Option<Instant>,
    /// The first that was said to be connected while it was alive.
    connected: Option<AttemptId>,
    end: Option<Output>,
}

impl Game {
    fn new(seed: u64) -> Self {
        let mut random = Random(seeded::Random::new(seed));
        let timeout = random.one_in(3).then(|| (random.below(3000) + 1) * MS);
        let config = RaceOptions::default()
            .resolution_delay(random.below(100) * MS)
            .connection_attempt_delay(random.below(400) * MS)
            .connection_attempt_delay_growth(random.below(3))
            .first_address_family_count(random.below(4) as usize)
            .max_connection_attempts_alive(random.below(8) as usize)
            .max_connection_attempts(random.below(24))
            .connect_timeout(timeout)
            .attempt_timeout(random.one_in(4).then(|| random.below(2000) * MS))
            .order(if random.one_in(4) { AddressOrder::AsResolved } else { AddressOrder::Rfc6724 })
            .fail_fast(if random.one_in(3) {
                FailFast::AfterMinimum
            } else {
                FailFast::Immediately
            });
        let start = Instant::now();
        Self {
            race: Race::new(&config, start),
            random,
            config,
            start,
            now: start,
            known: Vec::new(),
            first_address: None,
            ended: false,
            started: HashSet::new(),
            attempts: Vec::new(),
            latest_start: None,
            held_until: None,
            connected: None,
            end: None,
        }
    }

    fn play(mut self) -> Output {
        for _ in 0..self.random.below(60) {
            self.pass_time();
            for _ in 0..self.random.below(4) {
                self.hand_in();
            }
            self.race.handle_timeout(self.now);
            self.drain();
        }
        // Whatever has happened so far, it comes to an end.
        while self.end.is_none() {
            self.ended = true;
            self.race.handle_end(self.now);
            self.drain();
            let oldest = self.alive().next();
            match (self.race.poll_timeout(), oldest) {
                (Some(timer), _) => self.now = timer,
                (None, Some(id)) => self.settle(id, false),
                (None, None) => assert!(self.end.is_some(), "idle, and not at its end"),
            }
            self.race.handle_timeout(self.now);
            self.drain();
        }
        for _ in 0..5 {
            self.hand_in();
            self.drain();
        }
        assert_eq!(self.race.poll_timeout(), None, "no timer after the end");
        let unsettled = self.attempts.iter().filter(|attempt| attempt.fate == Fate::Alive).count();
        assert_eq!(unsettled, 0, "each start is followed by a result or a cancel");
        self.end.expect("played to the end")
    }

    fn pass_time(&mut self) {
        match (self.random.below(4), self.race.poll_timeout()) {
            (0, _) => {}
            (1, _) | (_, None) => self.now += self.random.below(300) * MS,
            (_, Some(timer)) => {
                self.now = timer;
                if self.end.is_none() {
                    self.race.handle_timeout(self.now);
                    assert!(self.drain() > 0, "a wake in vain");
                }
            }
        }
    }

    fn hand_in(&mut self) {
        match self.random.below(14) {
            0..=4 => self.hand_in_address(),
            12 | 13 => {
                let id = AttemptId(self.random.below(12));
                self.transport_up(id);
            }
            5..=8 => {
                // Any id: alive, settled, canceled, or never given out.
                let id = AttemptId(self.random.below(12));
                let connected = self.random.one_in(12);
                self.settle(id, connected);
            }
            9 | 10 => self.race.handle_timeout(self.now),
            _ => {
                if self.random.one_in(3) {
                    self.ended = true;
                    self.race.handle_end(self.now);
                }
            }
        }
    }

    fn hand_in_address(&mut self) {
        let family = if self.random.one_in(2) { '4' } else { '6' };
        let host = char::from(b'a' + u8::try_from(self.random.below(12)).expect("below 12"));
        let addr = script::addr(&format!("{family}{host}"));
        let source = (!self.random.one_in(6)).then(|| script::source(addr));
        self.race.handle_address(addr, source, Learnt::default(), self.now);
        if self.end.is_some() || self.known.iter().any(|&(_, known)| known == addr) {
            return;
        }
        let arrival = u32::try_from(self.known.len()).expect("few");
        let rank = match self.config.order {
            AddressOrder::AsResolved => Rank::as_resolved(arrival),
            AddressOrder::Rfc6724 => {
                let late =
                    self.known.first().is_some_and(|(_, first)| first.is_ipv4() != addr.is_ipv4());
                let table = &PolicyTable::rfc6724();
                Rank::rfc6724(table, addr.ip(), source.as_ref(), late, arrival)
            }
        };
        self.known.push((rank, addr));
        self.first_address.get_or_insert(self.now);
    }

    /// Twice the time so far, at least 100 ms and at most the delay, unless the latest has failed.
    fn transport_up(&mut self, id: AttemptId) {
        let latest_has_failed = self.attempts.last().is_some_and(|a| a.room_from.is_some());
        let attempt = self.attempts.get_mut(id.0 as usize).filter(|a| !a.is_transport_up);
        let Some(attempt) = attempt else { return };
        self.race.handle_transport_up(id, self.now);
        attempt.is_transport_up = true;
        if attempt.fate == Fate::Alive && !latest_has_failed {
            let handshake = (2 * (self.now - attempt.started)).max(100 * MS);
            let until = self.now + handshake.min(self.config.connection_attempt_delay);
            self.held_until = self.held_until.max(Some(until));
        }
    }

    fn fail(&mut self, id: AttemptId, room_from: Option<Instant>) {
        let attempt = &mut self.attempts[id.0 as usize];
        (attempt.fate, attempt.room_from) = (Fate::Failed, room_from);
    }

    /// When the next attempt may start if the latest fails now.
    fn fails_fast_from(&self) -> Instant {
        let latest = self.latest_start.expect("an attempt has started");
        match self.config.fail_fast {
            FailFast::Immediately => self.now,
            FailFast::AfterMinimum => latest + 10 * MS,
        }
    }

    fn settle(&mut self, id: AttemptId, connected: bool) {
        let local = self.random.below(6);
        if connected {
            self.race.handle_connected(id, self.now);
        } else if local == 0 {
            self.race.handle_not_sent(id, self.now);
        } else if local == 1 {
            self.race.handle_exhausted(id, self.now);
        } else {
            self.race.handle_failed(id, self.now);
        }
        let Some(attempt) = self.attempts.get_mut(id.0 as usize) else { return };
        if attempt.fate != Fate::Alive {
            return;
        }
        if connected {
            if self.connected.is_none() {
                self.connected = Some(id);
                attempt.fate = Fate::Connected;
            }
        } else {
            let room_from = match local {
                1 => None,
                0 => Some(self.now),
                _ => Some(self.fails_fast_from()),
            };
            self.fail(id, room_from);
        }
    }

    fn drain(&mut self) -> usize {
        let mut outputs = 0;
        while let Some(output) = self.race.poll_output() {
            outputs += 1;
            assert_eq!(self.end, None, "{output:?} after the end");
            match output {
                Output::Start { id, addr } => self.check_start(id, addr),
                Output::Cancel { id } => {
                    let fate = &mut self.attempts[id.0 as usize].fate;
                    assert_eq!(*fate, Fate::Alive, "a cancel of what is over");
                    *fate = Fate::Canceled;
                }
                Output::Expire { id } => self.check_expiry(id),
                Output::Won { .. } | Output::Lost | Output::TimedOut => self.check_end(output),
            }
        }
        if self.end.is_none() {
            let timer = self.race.poll_timeout();
            if let Some(timeout) = self.config.attempt_timeout {
                let is_over =
                    |id: AttemptId| self.now >= self.attempts[id.0 as usize].started + timeout;
                assert!(!self.alive().any(is_over), "an attempt outlives its time");
            }
            assert!(timer.is_none_or(|timer| timer > self.now), "a busy loop");
            let waits = timer.is_some() || self.alive().next().is_some() || !self.ended;
            assert!(waits, "idle, and not at its end");
            self.check_promptness();
        }
        outputs
    }

    fn check_start(&mut self, id: AttemptId, addr: SocketAddr) {
        assert_eq!(self.connected, None, "a start after a connection");
        assert_eq!(id.0 as usize, self.attempts.len(), "ids count starts");
        assert_eq!(Some(addr), self.next(), "the first not attempted of the complete sorted list");
        assert!(self.started.insert(addr), "an endpoint attempted twice");
        assert!(self.counted() < self.config.max_connection_attempts_alive, "too many alive");
        assert!(self.started.len() <= self.config.max_connection_attempts as usize, "too many");
        assert!(self.gate_may_be_open(), "{addr} did not wait for the other family");
        if let (Some(before), Some(latest)) = (self.latest_start, self.attempts.last()) {
            let delay = self.config.connection_attempt_delay;
            let room = latest.room_from.is_some_and(|from| self.now >= from);
            assert!(room || self.now >= before + delay, "too soon after the last start");
            let is_held = self.held_until.is_some_and(|until| self.now < until);
            assert!(room || !is_held, "a handshake was not given its time");
            assert!(delay >= 10 * MS);
        }
        (self.latest_start, self.held_until) = (Some(self.now), None);
        let family = Family::of(addr);
        let (started, fate) = (self.now, Fate::Alive);
        let (room_from, is_transport_up) = (None, false);
        self.attempts.push(Attempt { family, started, fate, room_from, is_transport_up });
    }

    fn check_expiry(&mut self, id: AttemptId) {
        let timeout = self.config.attempt_timeout.expect("only with a timeout");
        let attempt = &self.attempts[id.0 as usize];
        assert_eq!(attempt.fate, Fate::Alive, "an end of what is over");
        assert!(self.now >= attempt.started + timeout, "ended too early");
        assert_eq!(self.connected, None);
        self.fail(id, Some(self.fails_fast_from()));
    }

    fn check_end(&mut self, end: Output) {
        match end {
            Output::Won { id } => assert_eq!(Some(id), self.connected, "the first to connect wins"),
            Output::Lost => {
                assert_eq!(self.connected, None);
                let spent = self.attempts.len() >= self.config.max_connection_attempts as usize;
                assert!(spent || (self.ended && self.next().is_none()), "given up too early");
            }
            Output::TimedOut => {
                let timeout = self.config.connect_timeout.expect("only with a deadline");
                assert!(self.now >= self.start + timeout, "timed out too early");
                assert_eq!(self.connected, None);
            }
            Output::Start { .. } | Output::Cancel { .. } | Output::Expire { .. } => {
                panic!("{end:?} is no end")
            }
        }
        assert_eq!(self.alive().count(), 0, "the end comes after the cancels");
        self.end = Some(end);
    }

    /// When the latest attempt has failed, the next one does not wait.
    fn check_promptness(&self) {
        let (Some(latest), Some(next)) = (self.attempts.last(), self.next()) else { return };
        let family = Family::of(next);
        let total = self.config.max_connection_attempts;
        let alone = !self.ended && self.known.iter().all(|&(_, addr)| Family::of(addr) == family);
        let of_family = self.attempts.iter().filter(|attempt| attempt.family == family).count();
        let waits = self.counted() >= self.config.max_connection_attempts_alive
            || self.attempts.len() >= total as usize
            || (alone && of_family >= total.div_ceil(2) as usize);
        let room = latest.room_from.is_some_and(|from| self.now >= from);
        assert!(waits || !room, "a failure did not start the next");
    }

    /// Rule by rule of section 3, as far as it shows from outside.
    fn gate_may_be_open(&self) -> bool {
        let first = self.first_address.expect("an address is known");
        let both = self.known.iter().any(|(_, addr)| addr.is_ipv4())
            && self.known.iter().any(|(_, addr)| addr.is_ipv6());
        let preferred = self.known.iter().any(|(rank, addr)| addr.is_ipv6() && !rank.unusable);
        self.config.order == AddressOrder::AsResolved
            || self.ended
            || both
            || preferred
            || !self.attempts.is_empty()
            || self.now >= first + self.config.resolution_delay
    }

    /// The first address not attempted, of a list sorted and interleaved from nothing.
    fn next(&self) -> Option<SocketAddr> {
        let mut sorted = self.known.clone();
        sorted.sort();
        for unusable in [false, true] {
            let part: Vec<_> =
                sorted.iter().filter(|(rank, _)| rank.unusable == unusable).collect();
            let Some((_, leader)) = part.first() else { continue };
            let count = self.config.first_address_family_count;
            // The `n`th of the leading family has `n + 1 - count` of the other before it, if those
            // are there; the `n`th of the other has `n + count` of the leading one.
            let mut turns: Vec<(usize, bool, SocketAddr)> = Vec::new();
            for follows in [false, true] {
                let family =
                    part.iter().filter(|(_, a)| (a.is_ipv4() != leader.is_ipv4()) == follows);
                for (n, (_, addr)) in family.enumerate() {
                    let turn = if follows { n + count } else { n };
                    turns.push((turn, !follows, *addr));
                }
            }
            turns.sort_by_key(|&(turn, leads, _)| (turn, leads));
            let fresh = turns.iter().find(|(_, _, addr)| !self.started.contains(addr));
            if let Some((_, _, addr)) = fresh {
                return Some(*addr);
            }
        }
        None
    }

    /// The attempts that count against the limit: alive, and not silent for three seconds.
    fn counted(&self) -> usize {
        let is_counted = |id: AttemptId| {
            self.now < self.attempts[id.0 as usize].started + Duration::from_secs(3)
        };
        self.alive().filter(|&id| is_counted(id)).count()
    }

    fn alive(&self) -> impl Iterator<Item = AttemptId> + '_ {
        let ids = (0..).map(AttemptId).zip(&self.attempts);
        ids.filter(|(_, attempt)| attempt.fate == Fate::Alive).map(|(id, _)| id)
    }
}
