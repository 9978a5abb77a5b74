//! The race: which connection attempt starts, when, and who wins ([RFC 8305]).
//!
//! [RFC 8305]: https://www.rfc-editor.org/rfc/rfc8305

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::time::{Duration, Instant};

use super::config::{
    Config, FailFast, MAX_CONNECTION_ATTEMPT_DELAY, MIN_CONNECTION_ATTEMPT_DELAY, Order,
};
use super::order::{Family, Rank, Source, interleave};

/// How many addresses of one family a race keeps; the rest are counted and let go. Well above
/// [`Config::max_connection_attempts`], so that the best addresses are still chosen among many, and
/// small enough that telling a duplicate is a scan over a few kilobytes.
const MAX_ADDRESSES_PER_FAMILY: usize = 256;

/// One connection attempt of a race, numbered in order of start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct AttemptId(pub(crate) u32);

/// What the race asks for, or tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// Start to connect to `addr`.
    Start { id: AttemptId, addr: SocketAddr },
    /// Give this attempt up: its socket is closed.
    Cancel { id: AttemptId },
    /// The race is over: this attempt's connection is the result.
    Won { id: AttemptId },
    /// The race is over: every attempt has failed, or there was no address to try.
    Lost,
    /// The race is over: [`Config::connect_timeout`] has passed.
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
/// the same instant counts together, so that a connection beats an answer, and an answer beats a
/// timer.
///
/// # Outputs
///
/// Each `Start` ends in exactly one way: the caller says that it failed, or a `Cancel` or `Won` names
/// it. Exactly one of `Won`, `Lost` and `TimedOut` is the last output; `Cancel` of every other attempt
/// alive comes before it, and nothing after it. What is handed in later is ignored, and so is anything
/// about an attempt that is not alive.
///
/// # What is not here
///
/// Service bindings (SVCB and HTTPS records) and NAT64. There is room for them: a kind of query more
/// is a condition more in `open_gate`, a group of endpoints is a field more at the front of
/// [`Rank`], and what is attempted stays a list of endpoints that differ.
#[derive(Debug)]
pub(crate) struct Race {
    config: Config,
    now: Instant,
    deadline: Option<Instant>,
    /// When the first address came.
    first_address: Option<Instant>,
    first_family: Option<Family>,
    lookup_ended: bool,
    gate_open: bool,
    /// Every address known so far, sorted whenever `order` is up to date.
    addresses: Vec<Address>,
    /// Indices into `addresses`, in the order of attempts; stale when `unsorted`.
    order: Vec<u32>,
    unsorted: bool,
    /// Where the first address not yet attempted stands in `order`, at the earliest.
    next: usize,
    /// How the family that has not come yet would most likely rank.
    expected: PerFamily<Rank>,
    known: PerFamily<usize>,
    attempted: PerFamily<u32>,
    ignored: usize,
    started: u32,
    /// Attempts alive, in order of start.
    alive: Vec<AttemptId>,
    pacing: Pacing,
    verdict: Option<Verdict>,
}

#[derive(Clone, Copy, Debug)]
struct Address {
    addr: SocketAddr,
    rank: Rank,
    attempted: bool,
}

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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Reached(Output),
    Told,
}

#[derive(Clone, Copy, Debug, Default)]
struct PerFamily<T> {
    v4: T,
    v6: T,
}

impl<T> PerFamily<T> {
    fn of(&self, family: Family) -> &T {
        match family {
            Family::V4 => &self.v4,
            Family::V6 => &self.v6,
        }
    }

    fn of_mut(&mut self, family: Family) -> &mut T {
        match family {
            Family::V4 => &mut self.v4,
            Family::V6 => &mut self.v6,
        }
    }
}

impl Race {
    /// A race that begins now, with the lookup. [`Config::connect_timeout`] counts from here.
    pub(crate) fn new(config: &Config, now: Instant) -> Self {
        let typical = |addr: IpAddr| expected_rank(config, addr, Some(&Source::new(addr)));
        Self {
            now,
            // A timeout beyond what the clock can count is none.
            deadline: config.connect_timeout.and_then(|timeout| now.checked_add(timeout)),
            first_address: None,
            first_family: None,
            lookup_ended: false,
            gate_open: false,
            addresses: Vec::new(),
            order: Vec::new(),
            unsorted: false,
            next: 0,
            expected: PerFamily { v4: typical(TYPICAL_V4.into()), v6: typical(TYPICAL_V6.into()) },
            known: PerFamily::default(),
            attempted: PerFamily::default(),
            ignored: 0,
            started: 0,
            alive: Vec::new(),
            pacing: Pacing {
                delay: config.connection_attempt_delay,
                latest: None,
                latest_start: now,
                due: now,
                hurried: true,
            },
            verdict: None,
            config: config.clone(),
        }
    }

    /// What this host would send from towards the Internet in `family`; `None`: it has no route.
    ///
    /// Optional, and best said before the first address. It tells whether an answer of that family
    /// is worth the Resolution Delay: RFC 8305 section 3 has the family that RFC 6724 prefers in
    /// mind, and on a host without IPv6 that is IPv4. Without this word the host is taken to have
    /// both.
    pub(crate) fn handle_default_source(
        &mut self,
        family: Family,
        source: Option<Source>,
        now: Instant,
    ) {
        self.advance(now);
        let typical = match family {
            Family::V4 => TYPICAL_V4.into(),
            Family::V6 => TYPICAL_V6.into(),
        };
        *self.expected.of_mut(family) = expected_rank(&self.config, typical, source.as_ref());
    }

    /// An address came out of the lookup. `source` is what the system would send from towards it;
    /// `None`: it has no route there.
    pub(crate) fn handle_address(
        &mut self,
        addr: SocketAddr,
        source: Option<Source>,
        now: Instant,
    ) {
        self.advance(now);
        let addr = canonical(addr);
        let family = Family::of(addr);
        // The same endpoint is never attempted twice, however often it is listed: a second SYN to a
        // silent address adds nothing to the system's own retransmission of the first.
        if self.addresses.iter().any(|known| known.addr == addr) {
            return;
        }
        if *self.known.of(family) >= MAX_ADDRESSES_PER_FAMILY {
            self.ignored += 1;
            return;
        }
        *self.known.of_mut(family) += 1;
        self.first_address.get_or_insert(self.now);
        let late_family = *self.first_family.get_or_insert(family) != family;
        let arrival = u32::try_from(self.addresses.len()).unwrap_or(u32::MAX);
        let rank = match self.config.order {
            Order::Rfc6724 => Rank::rfc6724(
                &self.config.policy_table,
                addr.ip(),
                source.as_ref(),
                late_family,
                arrival,
            ),
            Order::AsResolved => Rank::as_resolved(arrival),
        };
        self.addresses.push(Address { addr, rank, attempted: false });
        self.unsorted = true;
    }

    /// The lookup is over: every family has answered, or never will.
    pub(crate) fn handle_end(&mut self, now: Instant) {
        self.advance(now);
        self.lookup_ended = true;
    }

    /// An attempt has reached what the caller calls connected.
    ///
    /// RFC 8305 section 5: "Once one of the connection attempts succeeds [..], all other connections
    /// attempts that have not yet succeeded SHOULD be canceled." Of two in the same instant, the first
    /// that is told wins, and the other is cancelled like the rest.
    pub(crate) fn handle_connected(&mut self, id: AttemptId, now: Instant) {
        self.advance(now);
        if self.verdict.is_none() && self.settle(id) {
            self.verdict = Some(Verdict::Reached(Output::Won { id }));
        }
    }

    /// The network has answered that an attempt fails: refused, reset, unreachable, timed out.
    ///
    /// If it was the latest, the next starts at once; the RFC is silent, and to wait on would only
    /// cost the user time. If a later one is under way, that one's delay goes on.
    pub(crate) fn handle_failed(&mut self, id: AttemptId, now: Instant) {
        self.advance(now);
        if !self.settle(id) || self.pacing.latest != Some(id) {
            return;
        }
        let earliest = match self.config.fail_fast {
            FailFast::Immediately => self.now,
            FailFast::AfterMinimum => self.pacing.latest_start + MIN_CONNECTION_ATTEMPT_DELAY,
        };
        self.hurry(earliest);
    }

    /// An attempt has failed before anything was sent: no socket of this family, no such local
    /// address, refused by a policy. It takes no turn: the next starts at once, whatever
    /// [`Config::fail_fast`] says.
    pub(crate) fn handle_not_sent(&mut self, id: AttemptId, now: Instant) {
        self.advance(now);
        if self.settle(id) && self.pacing.latest == Some(id) {
            self.hurry(self.now);
        }
    }

    /// An attempt has failed because this process or host ran out of something: file descriptors,
    /// ports, memory. Says nothing about the address, and the next one would most likely fare the
    /// same now: it starts when the Connection Attempt Delay has passed, so that the list is not
    /// burnt in an instant.
    pub(crate) fn handle_exhausted(&mut self, id: AttemptId, now: Instant) {
        self.advance(now);
        self.settle(id);
    }

    /// An attempt is on its way (TCP is up, TLS is not) and expects to be done at `until`.
    ///
    /// "When the connection establishment makes progress, but has not completed, the timer SHOULD be
    /// extended to a new value that represents an estimated time for the full connection
    /// establishment to complete" (draft-ietf-happy-happyeyeballs-v3 section 6.1). Not beyond 2 s from
    /// now: the longest delay that RFC 8305 has between two attempts.
    pub(crate) fn handle_progress(&mut self, id: AttemptId, until: Instant, now: Instant) {
        self.advance(now);
        if self.alive.contains(&id) {
            let longest = self.now + MAX_CONNECTION_ATTEMPT_DELAY;
            self.pacing.due = self.pacing.due.max(until.min(longest));
        }
    }

    /// Time has passed. May be called early and more than once.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
    }

    /// What to do next; `None`: nothing until something is handed in or
    /// [`poll_timeout`](Self::poll_timeout) comes.
    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        if self.verdict.is_none() {
            self.sort();
            self.open_gate();
            if self.is_exhausted() {
                self.verdict = Some(Verdict::Reached(Output::Lost));
            } else if self.deadline.is_some_and(|deadline| self.now >= deadline) {
                self.verdict = Some(Verdict::Reached(Output::TimedOut));
            } else if let Some(start) = self.start_next() {
                return Some(start);
            }
        }
        let Verdict::Reached(last) = self.verdict? else { return None };
        if !self.alive.is_empty() {
            return Some(Output::Cancel { id: self.alive.remove(0) });
        }
        self.verdict = Some(Verdict::Told);
        Some(last)
    }

    /// When to call [`handle_timeout`](Self::handle_timeout); `None`: only an event can change
    /// anything. To be asked when [`poll_output`](Self::poll_output) has nothing more.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        if self.verdict.is_some() {
            return None;
        }
        let start = match self.first_address {
            Some(first) if !self.gate_open => Some(first + self.config.resolution_delay),
            _ => self.can_start().then_some(self.pacing.due),
        };
        [start, self.deadline].into_iter().flatten().min()
    }

    /// How many addresses were let go because their family has too many.
    pub(crate) fn ignored(&self) -> usize {
        self.ignored
    }

    /// Time does not run backwards, whatever order events are handed in.
    fn advance(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }

    /// Takes an attempt off the list of those alive. False if it was not there.
    fn settle(&mut self, id: AttemptId) -> bool {
        let place = self.alive.iter().position(|&alive| alive == id);
        place.map(|place| self.alive.remove(place)).is_some()
    }

    fn hurry(&mut self, due: Instant) {
        self.pacing.due = due;
        self.pacing.hurried = true;
    }

    /// Sorts the complete list, those already attempted included; then the first one not yet attempted
    /// is next. "If an endpoint is added to the list, its position SHOULD be determined by applying the
    /// sorting rules [..] to the complete list of endpoints, including those previously received"
    /// (draft-ietf-happy-happyeyeballs-v3 section 7; RFC 8305 says less).
    fn sort(&mut self) {
        if !self.unsorted {
            return;
        }
        self.addresses.sort_unstable_by_key(|address| address.rank);
        interleave(
            &self.addresses,
            |address| (Family::of(address.addr), address.rank.unusable),
            self.config.first_address_family_count,
            &mut self.order,
        );
        // Room for every attempt that can be alive, so that nothing is allocated from here on.
        let most = self.addresses.len().min(self.config.max_connection_attempts_alive);
        self.alive.reserve(most.saturating_sub(self.alive.len()));
        self.next = 0;
        self.unsorted = false;
        self.skip_attempted();
    }

    fn skip_attempted(&mut self) {
        while self.next_address().is_some_and(|address| address.attempted) {
            self.next += 1;
        }
    }

    fn next_address(&self) -> Option<&Address> {
        self.order.get(self.next).map(|&at| &self.addresses[at as usize])
    }

    /// Decides whether attempts may begin, though the lookup is still running. Once they may, they
    /// always may.
    ///
    /// RFC 8305 section 3: "If a positive AAAA response [..] is received first, the first IPv6
    /// connection attempt is immediately started. If a positive A response is received first due to
    /// reordering, the client SHOULD wait a short time for the AAAA response to ensure that preference
    /// is given to IPv6". The preference itself is RFC 6724's, and it is asked here: to wait is right
    /// while an ordinary address of the family that has not come would go before the best that has.
    /// So a host without a route for IPv6 waits for IPv4 instead, or for nothing.
    fn open_gate(&mut self) {
        let Some(first_address) = self.first_address else { return };
        let best = &self.addresses[self.order[0] as usize];
        let missing = Family::of(best.addr).other();
        self.gate_open = self.gate_open
            || *self.known.of(missing) > 0
            || best.rank < *self.expected.of(missing)
            // "If a negative AAAA response (no error, no data) is received within the Resolution
            // Delay period or the AAAA response has not been received by the end of the Resolution
            // Delay period, the client SHOULD proceed". The delay counts from the first address:
            // from the start of the lookup it would be over whenever the nameserver is far away.
            || self.lookup_ended
            || self.now >= first_address + self.config.resolution_delay;
    }

    /// Whether there is an address that nothing but time keeps from being attempted. When there is
    /// none there is no timer either: "in the case of the end of the list being reached", it is
    /// cancelled, and the last attempt lives as long as any other.
    fn can_start(&self) -> bool {
        self.alive.len() < self.config.max_connection_attempts_alive && self.may_attempt_next()
    }

    /// Whether [`Config::max_connection_attempts`] leaves one for the next address. Half of them are
    /// kept for a family that has not come: a long list of refusals would else use them all up within
    /// milliseconds, before the address that works is there.
    fn may_attempt_next(&self) -> bool {
        let Some(address) = self.next_address() else { return false };
        let family = Family::of(address.addr);
        let total = self.config.max_connection_attempts;
        let other_may_come = !self.lookup_ended && *self.known.of(family.other()) == 0;
        self.started < total && (!other_may_come || *self.attempted.of(family) < total.div_ceil(2))
    }

    /// Nothing is under way and nothing can come.
    fn is_exhausted(&self) -> bool {
        let settled = self.lookup_ended || self.started >= self.config.max_connection_attempts;
        settled && self.alive.is_empty() && !self.may_attempt_next()
    }

    /// RFC 8305 section 5: "connection attempts SHOULD NOT be made simultaneously. Instead, one
    /// connection attempt to a single address is started first, followed by the others in the list,
    /// one at a time. Starting a new connection attempt does not affect previous attempts".
    fn start_next(&mut self) -> Option<Output> {
        if !self.gate_open || self.now < self.pacing.due || !self.can_start() {
            return None;
        }
        let at = self.order[self.next] as usize;
        self.addresses[at].attempted = true;
        self.skip_attempted();
        let addr = self.addresses[at].addr;
        let id = AttemptId(self.started);
        self.started += 1;
        *self.attempted.of_mut(Family::of(addr)) += 1;
        self.alive.push(id);
        self.pacing.begin(id, &self.config, self.now);
        Some(Output::Start { id, addr })
    }
}

impl Pacing {
    /// An attempt starts, and with it the delay until the next.
    ///
    /// The delay grows as draft-ietf-happy-happyeyeballs-v3 section 6 has it, "for each additional
    /// connection attempt that is started while earlier attempts are still in progress". One that
    /// starts because the latest has failed is none of these.
    fn begin(&mut self, id: AttemptId, config: &Config, now: Instant) {
        if !self.hurried {
            let grown = self.delay.saturating_mul(config.connection_attempt_delay_growth);
            self.delay = grown.min(MAX_CONNECTION_ATTEMPT_DELAY);
        }
        self.latest = Some(id);
        self.latest_start = now;
        self.due = now + self.delay;
        self.hurried = false;
    }
}

/// Stands for the address of an IPv4 answer that has not come: global, from a global source.
const TYPICAL_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// Stands for the address of an IPv6 answer that has not come: native and global unicast.
const TYPICAL_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);

/// The rank of an address that has not come; equal in all else, it goes after what is there.
fn expected_rank(config: &Config, addr: IpAddr, source: Option<&Source>) -> Rank {
    match config.order {
        Order::Rfc6724 => Rank::rfc6724(&config.policy_table, addr, source, true, u32::MAX),
        Order::AsResolved => Rank::as_resolved(u32::MAX),
    }
}

/// An IPv4-mapped IPv6 address is reached over IPv4: it is that endpoint, and of that family.
fn canonical(addr: SocketAddr) -> SocketAddr {
    match addr {
        SocketAddr::V4(_) => addr,
        SocketAddr::V6(v6) => match v6.ip().to_canonical() {
            IpAddr::V4(ip) => SocketAddrV4::new(ip, v6.port()).into(),
            IpAddr::V6(ip) => SocketAddrV6::new(ip, v6.port(), 0, v6.scope_id()).into(),
        },
    }
}

// Spelt out, because the benches build this file too, from where it stands.
#[cfg(test)]
#[path = "race/tests/mod.rs"]
mod tests;
