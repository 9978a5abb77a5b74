//! What must be so in every conversation, whatever the network does.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::faults::timeless;
use super::message::Query;
use super::reference::Reference;
use super::routes::Routing;
use crate::observer::{AnswerKind, LookupEventKind};
use crate::resolve::CacheOptions;
use crate::resolve::config::name_routes::RouteTarget;
use crate::resolve::error::{QueryFailure, RecordType, Transport};
use crate::resolve::stub::generations::Generations;
use crate::resolve::stub::ids::LookupId;
use crate::resolve::stub::ids::SocketId;
use crate::resolve::stub::lookup::Note;
use crate::resolve::stub::{Holdings, Stub, StubConfig};
use crate::{LookupError, LookupErrorKind, LookupResult};

/// RFC 9520 section 3.1.
const MAX_SENDS: u8 = 3;
/// RFC 9520 section 3.2: what was silent to so many is left alone for so long.
const SILENT_PAUSE: Duration = Duration::from_secs(1);
/// How many turns may pass at one point in time without an event: timers that fire together.
const MAX_IDLE_TURNS: u32 = 16;
/// Who comes so soon after the first shares its answer.
const TOGETHER: Duration = Duration::from_secs(1);
/// No response takes longer: [`Faults`](super::faults::Faults) has the slowness, and the pieces of
/// a stream.
const SLOWEST: Duration = Duration::from_millis(2500);
/// The tables are compared every so many turns at least, and less often when they are long.
const TURNS_BETWEEN_AUDITS: usize = 64;

/// The checks of one world. Each fails by a panic that says what was broken.
#[derive(Debug)]
pub(super) struct Checks {
    /// Which addresses a lookup may bring, if that is known.
    pub(super) may_bring: Option<fn(LookupId, IpAddr) -> bool>,
    /// What arrived, and which addresses may come of it.
    pub(super) reference: Reference,
    /// Which nameservers may see which names; `None`: all may see all.
    pub(super) routing: Option<Routing>,
    /// The addresses of lookups that are answered without nameservers.
    local: HashMap<LookupId, Vec<IpAddr>>,
    /// How many names one lookup may ask for.
    pub(super) candidates: u32,
    /// What lookups must bring that nothing keeps from the truth: their addresses, sorted, or the
    /// kind of their error.
    pub(super) truths: HashMap<LookupId, Result<Vec<IpAddr>, LookupErrorKind>>,
    /// How many lookups ended well.
    pub(super) succeeded: u64,
    /// When the response was made that an address comes from, and its TTL, if the address tells.
    pub(super) made_at: fn(IpAddr) -> Option<(Duration, Duration)>,
    /// For how long an address may be handed out after its TTL.
    stale: Duration,
    /// When the last generation began.
    generation: Duration,
    timeout: Duration,
    system_timeout: Duration,
    /// Whether lookups may ask the operating system, which has a time of its own.
    pub(super) asks_system: bool,
    /// Whose name an address of the operating system is, for lookups that may ask it.
    pub(super) of_system: fn(LookupId, IpAddr) -> Option<bool>,
    max_sockets: usize,
    mixes_case: bool,
    lookups: HashMap<LookupId, Watched>,
    /// The ends of their time.
    budgets: BTreeSet<(Duration, LookupId)>,
    /// How often each question was sent, and when last.
    sends: HashMap<(u64, RecordType, usize, bool), (u8, Duration)>,
    last_turn: Duration,
    idle_turns: u32,
    due_timers: usize,
    turns_to_audit: usize,
}

#[derive(Debug, Default)]
struct Watched {
    started: Duration,
    deadline: Option<Duration>,
    addresses: Vec<IpAddr>,
    canonical_names: usize,
    ends: usize,
    /// It was given an address that was over when it asked.
    was_outdated: bool,
    /// Whether its observer had an event with addresses; `None` without an observer.
    has_event: Option<bool>,
}

impl Checks {
    pub(super) fn new(config: &StubConfig, cache: Option<&CacheOptions>) -> Self {
        let routes = config.routes.routes().iter().filter_map(|route| match &route.to {
            RouteTarget::Nameservers(nameservers) => Some(nameservers),
            _ => None,
        });
        let servers: Vec<_> = routes.chain([&config.nameservers]).flatten().collect();
        let addresses = servers.iter().collect::<HashSet<_>>().len();
        Self {
            may_bring: None,
            reference: Reference::default(),
            routing: None,
            local: HashMap::new(),
            candidates: 16,
            truths: HashMap::new(),
            succeeded: 0,
            made_at: |_| None,
            stale: cache.and_then(CacheOptions::stale).unwrap_or_default(),
            generation: Duration::ZERO,
            timeout: config.query.timeout,
            system_timeout: config.system.timeout,
            asks_system: true,
            of_system: |_, _| None,
            // Each address has its part of the limit, and each nameserver one socket at least.
            max_sockets: config.max_sockets.max(addresses) + servers.len() - addresses,
            mixes_case: config.query.mixed_case,
            lookups: HashMap::new(),
            budgets: BTreeSet::new(),
            sends: HashMap::new(),
            last_turn: Duration::ZERO,
            idle_turns: 0,
            due_timers: 0,
            turns_to_audit: 0,
        }
    }

    /// The results of this lookup are known before any nameserver is asked.
    pub(super) fn expect_local(&mut self, id: LookupId, results: &[LookupResult]) {
        let addresses = results.iter().filter_map(|result| match result {
            LookupResult::Address(addr) => Some(addr.ip()),
            _ => None,
        });
        self.local.insert(id, addresses.collect());
    }

    /// The results of this lookup may be those of a local source.
    #[cfg(test)]
    pub(super) fn may_be_local(&mut self, id: LookupId, address: IpAddr) {
        self.local.insert(id, vec![address]);
    }

    pub(super) fn started(&mut self, id: LookupId, at: Duration, deadline: Option<Duration>) {
        let watched = Watched { started: at, deadline, ..Watched::default() };
        assert!(self.lookups.insert(id, watched).is_none(), "{id:?} started twice");
        let budget = self.budget(at, deadline);
        self.budgets.insert((budget, id));
    }

    fn budget(&self, at: Duration, deadline: Option<Duration>) -> Duration {
        let of_system = if self.asks_system { self.system_timeout } else { Duration::ZERO };
        let most = at + self.timeout * self.candidates + of_system;
        deadline.map_or(most, |deadline| deadline.min(most))
    }

    /// The machine woke up: the candidate names that are left have their time from now on.
    pub(super) fn suspended(&mut self, now: Duration) {
        let deadline = |id: &LookupId| self.lookups.get(id).and_then(|watched| watched.deadline);
        let anew = |(_, id): &(Duration, LookupId)| (self.budget(now, deadline(id)), *id);
        self.budgets = self.budgets.iter().map(anew).collect();
    }

    pub(super) fn generation(&mut self, at: Duration) {
        self.generation = at;
    }

    pub(super) fn gone(&mut self, id: LookupId) {
        self.lookups.remove(&id);
        self.truths.remove(&id);
    }

    /// The events of a lookup, which come before its results.
    pub(super) fn notes(&mut self, id: LookupId, notes: &[Note], now: Instant) {
        let Some(watched) = self.lookups.get_mut(&id) else { return };
        let has_event = watched.has_event.get_or_insert(false);
        for (at, event) in notes {
            assert!(*at <= now, "{id:?}: {event:?} is to come");
            if let LookupEventKind::Answered { answer, .. } = event {
                *has_event |= matches!(answer, AnswerKind::Addresses(_));
            }
        }
    }

    /// The contract of a lookup's results.
    pub(super) fn result(&mut self, id: LookupId, result: &LookupResult) {
        let watched = self.lookups.get_mut(&id).expect("a result for a lookup that is there");
        assert_eq!(watched.ends, 0, "{id:?}: {result:?} behind its end");
        match result {
            LookupResult::Address(addr) => {
                watched.addresses.push(addr.ip());
                if let Some(expected) = self.local.get(&id) {
                    assert!(expected.contains(&addr.ip()), "{id:?}: {addr} is of no local source");
                    return;
                }
                self.reference.check(id, addr.ip());
                if let Some(is_of_lookup) = (self.of_system)(id, addr.ip()) {
                    assert!(is_of_lookup, "{id:?}: {addr} is of another name, or was not to come");
                    return;
                }
                if let Some(may_bring) = self.may_bring {
                    assert!(may_bring(id, addr.ip()), "{id:?}: no valid answer had {addr}");
                }
                let started = watched.started;
                if let Some((made, ttl)) = (self.made_at)(addr.ip()) {
                    // Those who come within a second share an answer whatever its TTL, and no
                    // response travels for longer than the slowest of paths.
                    let longest = (ttl + self.stale).max(TOGETHER) + SLOWEST;
                    // The addresses of a truncated response, whose rest is not to be had over TCP,
                    // come at the end of the query and before its error: they are all there is.
                    watched.was_outdated |= started > made + longest;
                    let in_time = started <= made + longest + self.timeout;
                    assert!(in_time, "{id:?}: {addr} was over at {started:?}");
                    // It tells whole milliseconds.
                    let made = made + Duration::from_millis(1);
                    let is_of_before = started >= self.generation && made < self.generation;
                    assert!(!is_of_before, "{id:?}: {addr} is of an earlier generation");
                }
            }
            LookupResult::CanonicalName(name) => {
                watched.canonical_names += 1;
                assert_eq!(watched.canonical_names, 1, "{id:?}: a second canonical name, {name}");
                assert!(
                    !watched.addresses.is_empty(),
                    "{id:?}: a canonical name before any address"
                );
            }
            LookupResult::End(outcome) => {
                watched.ends += 1;
                if outcome.is_ok() {
                    self.succeeded += 1;
                    assert!(!watched.addresses.is_empty(), "{id:?}: success without an address");
                    assert_eq!(watched.canonical_names, 1, "{id:?}: success without its name");
                    assert!(
                        !watched.was_outdated,
                        "{id:?}: an address was over, and no error came"
                    );
                    assert_ne!(watched.has_event, Some(false), "{id:?}: no event had a source");
                }
                if let Err(error) = outcome {
                    let over_tcp = |failure: &QueryFailure| failure.transport == Transport::Tcp;
                    let has_failed_over_tcp = error.failures().iter().any(over_tcp);
                    let is_canceled = error.kind() == LookupErrorKind::Canceled;
                    assert!(
                        !watched.was_outdated || has_failed_over_tcp || is_canceled,
                        "{id:?}: an address was over, and it was no last resort: {error:?}"
                    );
                    // Canceled results are gone, whether or not there were any.
                    let is_canceled = error.kind() == LookupErrorKind::Canceled;
                    let all_were_denied = error.denied().is_some() && watched.addresses.is_empty();
                    let says_so = error.kind() == LookupErrorKind::PolicyDenied;
                    assert!(is_canceled || all_were_denied == says_so, "{id:?}: {error:?}");
                }
                if let Some(truth) = self.truths.remove(&id) {
                    let mut found: Vec<_> = watched.addresses.iter().map(timeless).collect();
                    found.sort_unstable();
                    let found = outcome.as_ref().map(|()| found).map_err(LookupError::kind);
                    assert_eq!(found, truth, "{id:?}: not what the nameserver says");
                }
            }
        }
    }

    /// A query was sent: a lookup waits for it, and it was not sent too often.
    pub(super) fn sent(
        &mut self,
        stub: &Stub,
        server: usize,
        socket: SocketId,
        query: &Query,
        at: Duration,
    ) {
        let as_given = stub.name_in_flight(&query.wire_name, query.record_type);
        let is_mixed = as_given.is_some_and(|name| *name != query.wire_name);
        let may_be_mixed = self.mixes_case && query.transport == Transport::Udp;
        assert!(may_be_mixed || !is_mixed, "{} was sent in another case", query.asked.qname);
        self.reference.sent(socket, query, is_mixed);
        let Query { name, record_type, .. } = query;
        if let Some(routing) = &self.routing {
            routing.check(name, server);
        }
        let Some(query_id) = stub.query_in_flight(&query.wire_name, *record_type) else {
            panic!("{name} {record_type} was sent, and no lookup waits for it");
        };
        let is_tcp = query.transport == Transport::Tcp;
        let sent = self.sends.entry((query_id, *record_type, server, is_tcp)).or_default();
        let (sends, last) = *sent;
        let may_be_sent = sends < MAX_SENDS || !is_tcp && at >= last + SILENT_PAUSE;
        assert!(may_be_sent, "{name} {record_type} sent a fourth time too soon");
        *sent = (sends.saturating_add(1), at);
    }

    /// A datagram was sent to a nameserver: this many are on the way to it, of as many as may be.
    /// Two go together, and a loss may have closed the window since.
    pub(super) fn paced((on_the_way, window): (usize, u32)) {
        let most = window as usize * 10 / 7 + 2;
        assert!(on_the_way <= most, "{on_the_way} queries on the way, {most} at the most");
    }

    /// A turn begins, with so many timers that are due. A turn handles a share of them.
    pub(super) fn turn(&mut self, now: Duration, has_event: bool, due: usize) {
        let is_idle = now == self.last_turn && !has_event && due >= self.due_timers;
        self.due_timers = due;
        self.idle_turns = if is_idle { self.idle_turns + 1 } else { 0 };
        assert!(self.idle_turns < MAX_IDLE_TURNS, "timeouts at {now:?} without any progress");
        self.last_turn = now;
    }

    /// A turn is over. `was_all` is whether it has handled all that was due, and not its share of
    /// it.
    pub(super) fn state(
        &mut self,
        core: &Generations,
        was_all: bool,
        open_udp: usize,
        start: Instant,
        now: Instant,
    ) {
        // Each generation has its own limit.
        let most = self.max_sockets * core.all().count();
        assert!(open_udp <= most, "{open_udp} sockets, {most} allowed");
        let is_behind = core.poll_timeout().is_some_and(|at| at < now);
        assert!(!was_all || !is_behind, "a timeout is left in the past");
        let is_over = |(at, _): &&(Duration, LookupId)| was_all && *at <= now - start;
        while let Some(&(at, id)) = self.budgets.first().filter(is_over) {
            assert!(core.has_ended(id), "{id:?} had to end by {at:?}");
            self.budgets.pop_first();
        }
        core.all().for_each(Self::without_lookups);
        match self.turns_to_audit.checked_sub(1) {
            Some(turns) => self.turns_to_audit = turns,
            None => {
                self.turns_to_audit = TURNS_BETWEEN_AUDITS.max(4 * core.holdings().lookups);
                assert_eq!(core.holdings().sockets, open_udp, "sockets of core and network");
                core.all().for_each(Self::audit);
            }
        }
    }

    /// What is held when the last lookup is gone.
    fn without_lookups(stub: &Stub) {
        let holdings = stub.holdings();
        if holdings.lookups > 0 || stub.asks_for_cache() || stub.listens() {
            return;
        }
        // A connection stays open for the next lookup, under a timer of its own. A call goes on,
        // and what it has found is held, under one timer for all.
        let Holdings { connections, calls, .. } = holdings;
        let timers = connections + usize::from(stub.holds_outcomes());
        let kept = Holdings { connections, calls, timers, ..Holdings::default() };
        assert_eq!(holdings, kept, "held for a lookup that is gone");
    }

    fn audit(stub: &Stub) {
        assert_eq!(stub.holdings().timers, stub.timers_in_use(), "timers, and what they are for");
        assert!(!stub.forgets_questions(), "questions are postponed for ever");
        let open = stub.open_questions();
        let distinct: HashSet<_> = open.iter().collect();
        assert_eq!(open.len(), distinct.len(), "an identical question is in flight twice");
        assert_eq!(open.len(), stub.holdings().in_flight, "open questions, and those in flight");
    }

    /// All is over: nothing is left behind.
    pub(super) fn idle(&mut self, core: &Generations, open_sockets: usize, hanging_calls: usize) {
        let calls = core.holdings().calls;
        assert_eq!(core.holdings(), Holdings { calls, ..Holdings::default() }, "left behind");
        assert!(calls <= hanging_calls, "{calls} calls, of which {hanging_calls} hang");
        assert_eq!(open_sockets, 0, "sockets left open");
        for (id, watched) in &self.lookups {
            assert_eq!(watched.ends, 1, "{id:?} has no end");
        }
        self.sends.clear();
    }
}
