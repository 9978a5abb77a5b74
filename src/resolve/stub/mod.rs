//! The stub resolver as a state machine: all lookups of one resolver at once.
//!
//! [`Stub`] owns no socket, thread, clock or random source. Lookups, datagrams, stream data and
//! time go in through `handle_*`; datagrams to send, sockets to open and close, and lookups with
//! results come out of `poll_*`. The same type runs on the resolver thread and, in virtual time,
//! against a simulated network.
//!
//! Its methods stand in nine files: here what the driver calls, in `in_flight` how lookups get
//! their questions answered, in `calls` how they ask the operating system, in `routes` which
//! nameservers a name goes to, in `turns` how queries wait for room at a nameserver, in `queries`
//! how they get to sockets and responses to them, in `udp` and `tcp` what is particular to each
//! transport, in `observed` what is kept for observers.

pub(crate) mod cache;
pub(crate) mod call_table;
mod calls;
pub(crate) mod connection;
pub(crate) mod generations;
pub(crate) mod ids;
mod in_flight;
#[cfg(any(test, fuzzing))]
mod inspect;
pub(crate) mod lookup;
pub(crate) mod nameserver;
mod notes;
mod observed;
mod pacing;
mod queries;
pub(crate) mod query;
mod route_servers;
mod routes;
pub(crate) mod socket_error;
pub(crate) mod sockets;
mod subscribers;
mod tcp;
mod turns;
mod udp;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::cache::Cache;
use self::call_table::{CallTable, WaitedCalls};
use self::connection::Connection;
use self::ids::{IdMap, Ids, LookupId, QueryId, SocketId};
use self::lookup::Lookup;
use self::nameserver::Nameserver;
use self::pacing::Line;
use self::query::{MAX_NAMESERVERS, MAX_QUESTIONS, Query, QueryConfig, Settled};
use self::route_servers::{RouteId, StubRoute};
use self::sockets::{OutstandingQuery, Sockets};
use self::subscribers::Subscribers;
use super::config::name_routes::NameRoutes;
use super::error::{LookupErrorKind, RecordType, Transport};
use super::stats::{Counters, Gauge, add};
use super::wire::framing::write_framed;
use super::wire::message::{QueryOptions, write_query};
use super::wire::query_name::QueryName;

#[cfg(any(test, fuzzing))]
pub(crate) use inspect::Holdings;

/// How many timers one [`Stub::handle_timeout`] handles: when the time of a hundred thousand
/// lookups is over at once, the first ends are delivered, and other lookups are served, in between.
const TIMERS_PER_TURN: usize = 256;

/// The part of the configuration that the stub uses.
#[derive(Clone, Debug)]
pub(crate) struct StubConfig {
    /// Those of the root route, of every name that no other route has: none to three.
    pub(crate) nameservers: Vec<SocketAddr>,
    pub(crate) routes: Arc<NameRoutes>,
    pub(crate) query: QueryConfig,
    /// Each lookup starts with the next nameserver (resolv.conf(5) `rotate`).
    pub(crate) rotate: bool,
    pub(crate) trust_ad: bool,
    pub(crate) pairing: Pairing,
    /// UDP sockets open at once.
    pub(crate) max_sockets: usize,
    pub(crate) system: SystemConfig,
}

/// How the operating system is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SystemConfig {
    /// How long a lookup waits for its calls.
    pub(crate) timeout: Duration,
    /// For how long addresses are held.
    pub(crate) hold: Duration,
}

/// How the A and AAAA queries of one name are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pairing {
    /// Together, from one socket.
    OneSocket,
    /// Together, each from a socket of its own (resolv.conf(5) `single-request-reopen`): some
    /// equipment answers once a port.
    OwnSockets,
    /// AAAA when A is settled (resolv.conf(5) `single-request`): some nameservers fail at two
    /// questions at once.
    InSequence,
}

/// What the driver is to do, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transmit {
    /// Open a UDP socket, bound to a port of the kernel's choice and connected to this nameserver.
    OpenUdp {
        socket: SocketId,
        nameserver: SocketAddr,
    },
    /// Send the buffer as one datagram.
    SendUdp {
        socket: SocketId,
    },
    CloseUdp {
        socket: SocketId,
    },
    /// Start to connect.
    OpenTcp {
        socket: SocketId,
        nameserver: SocketAddr,
    },
    /// Send the buffer, length prefix included, behind what was sent before.
    SendTcp {
        socket: SocketId,
    },
    CloseTcp {
        socket: SocketId,
    },
}

/// The stub resolver.
///
/// Call order: any `handle_*`; then [`poll_transmit`](Self::poll_transmit) and
/// [`poll_ready`](Self::poll_ready) until `None`; then wait until
/// [`poll_timeout`](Self::poll_timeout) for [`handle_timeout`](Self::handle_timeout).
pub(crate) struct Stub {
    config: StubConfig,
    /// The nameservers of all routes, those of one route side by side.
    servers: Vec<Nameserver>,
    /// The root route, then the others in the order of the table.
    routes: Vec<StubRoute>,
    random: Box<dyn FnMut() -> u16 + Send>,
    /// The resend delay of the next query, in thousandths of the usual one.
    spread: Box<dyn FnMut() -> u32 + Send>,
    lookups: IdMap<LookupId, LookupEntry>,
    queries: IdMap<QueryId, Box<QueryEntry>>,
    /// The questions in flight, and which question of which query each is. Identical questions are
    /// coalesced: a second query in flight would double a forger's chance (RFC 5452 section 5).
    in_flight: HashMap<(QueryName, RecordType), (QueryId, usize)>,
    calls: CallTable,
    sockets: Sockets,
    connections: IdMap<SocketId, Connection>,
    timers: BTreeSet<(Instant, Timer)>,
    /// The queries that wait for their turn at each nameserver, and when the next place there
    /// becomes free without a response.
    lines: Vec<(Line, Option<Instant>)>,
    transmits: VecDeque<Step>,
    ready: VecDeque<LookupId>,
    ids: Ids,
    /// The nameserver that the next lookup starts with.
    rotation: usize,
    /// `None` with a cache of no entries, and after retirement.
    cache: Option<Arc<Cache>>,
    /// How many lookups have an observer.
    observed: usize,
    /// See [`take_outage`](Self::take_outage).
    has_outage: bool,
    counters: Arc<Counters>,
    pending_lookups: Gauge,
    open_sockets: Gauge,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Query(QueryId),
    Lookup(LookupId),
    Candidate(LookupId),
    Pause(LookupId),
    Connection(SocketId),
    /// An outcome of the operating system is held no longer.
    Calls,
    /// A place in the window of this nameserver becomes free.
    Turn(usize),
}

struct LookupEntry {
    lookup: Box<Lookup>,
    /// The nameserver that its queries by the root route start with.
    first_server: usize,
    /// The questions in flight whose outcome this lookup waits for, by record type.
    waits_for: [Option<(QueryId, usize)>; MAX_QUESTIONS],
    /// The calls to the operating system that it waits for.
    calls: WaitedCalls,
    deadline: Option<Instant>,
    is_ready: bool,
    /// The candidate name that is being asked for, and its deadline, aliases included.
    candidate_number: u32,
    candidate_deadline: Instant,
    /// Set while the lookup waits for a question whose own deadline is later than the candidate's.
    candidate_timer: Option<Instant>,
    /// Questions that failed by another lookup's deadline while this lookup had time left. They are
    /// asked again once the cached failure has expired.
    paused: Vec<(QueryName, RecordType)>,
    paused_until: Option<Instant>,
}

struct QueryEntry {
    query: Query,
    name: QueryName,
    /// The route of its name. Its nameservers are all that the query knows of, and counts from 0.
    route: RouteId,
    subscribers: [Subscribers; MAX_QUESTIONS],
    /// The lookup for which it was started: the others were coalesced with it later.
    started_for: Option<LookupId>,
    /// Whether a question is asked to refresh the cache, besides its subscribers or without any.
    for_cache: [bool; MAX_QUESTIONS],
    /// Answers that came while the other question is still in flight, and how many lookups were
    /// given each: a lookup that asks meanwhile is given them, even with a TTL of 0.
    answered: [Option<Box<(Settled, u32)>>; MAX_QUESTIONS],
    /// The cache's generation when the query was started; `None` if its outcome must not be cached.
    generation: Option<u64>,
    awaited: Vec<AwaitedResponse>,
    timer: Option<Instant>,
}

/// One response that a query may still receive: on which socket, under which id.
struct AwaitedResponse {
    question: usize,
    socket: SocketId,
    id: u16,
}

/// A transmit that is still to be written.
#[derive(Clone, Copy, Debug)]
enum Step {
    Now(Transmit),
    Query { socket: SocketId, query: OutstandingQuery },
}

impl Stub {
    /// A stub without lookups. `random` must be unpredictable: message ids come from it. `spread`
    /// gives the resend delay of each query, in thousandths of the usual one. The stubs of one
    /// resolver share `ids`.
    pub(crate) fn new(
        config: StubConfig,
        cache: Option<Arc<Cache>>,
        ids: Ids,
        counters: Arc<Counters>,
        random: impl FnMut() -> u16 + Send + 'static,
        spread: impl FnMut() -> u32 + Send + 'static,
    ) -> Self {
        debug_assert!(config.nameservers.len() <= MAX_NAMESERVERS);
        let (servers, routes) = route_servers::nameservers(&config.nameservers, &config.routes);
        counters.start_generation(servers.iter().map(Nameserver::counters));
        let lines = servers.iter().map(|_| Default::default()).collect();
        Self {
            sockets: Sockets::new(
                servers.iter().map(Nameserver::addr),
                config.max_sockets,
                ids.clone(),
            ),
            config,
            servers,
            routes,
            random: Box::new(random),
            spread: Box::new(spread),
            lookups: IdMap::default(),
            queries: IdMap::default(),
            in_flight: HashMap::new(),
            calls: CallTable::default(),
            connections: IdMap::default(),
            timers: BTreeSet::new(),
            lines,
            transmits: VecDeque::new(),
            ready: VecDeque::new(),
            ids,
            rotation: 0,
            cache,
            observed: 0,
            has_outage: false,
            pending_lookups: Gauge::new(&counters, |counters| &counters.pending_lookups),
            open_sockets: Gauge::new(&counters, |counters| &counters.open_sockets),
            counters,
        }
    }

    /// Whether there is no lookup.
    pub(crate) fn is_idle(&self) -> bool {
        self.lookups.is_empty()
    }

    /// Whether there is no lookup, query or connection, and nothing to transmit.
    pub(crate) fn is_finished(&self) -> bool {
        self.is_idle()
            && self.queries.is_empty()
            && self.connections.is_empty()
            && self.transmits.is_empty()
            // Calls that were left are still to be told of.
            && !self.has_call_steps()
    }

    pub(crate) fn has_lookup(&self, id: LookupId) -> bool {
        self.lookups.contains_key(&id)
    }

    pub(crate) fn has_socket(&self, id: SocketId) -> bool {
        self.sockets.get(id).is_some() || self.connections.contains_key(&id)
    }

    /// Whether a question, or a whole lookup, has failed without any response since the last call.
    /// The network may be another one, whichever route it was on.
    pub(crate) fn take_outage(&mut self) -> bool {
        std::mem::take(&mut self.has_outage)
    }

    /// Takes out the lookups that have had no answer about the name that they ask for, and have
    /// time left for it.
    fn take_unanswered(&mut self, now: Instant) -> Vec<(LookupId, LookupEntry)> {
        let is_unanswered =
            |entry: &LookupEntry| entry.lookup.is_unanswered() && now < entry.candidate_deadline;
        let ids = self.lookups.iter().filter(|(_, entry)| is_unanswered(entry)).map(|(&id, _)| id);
        let mut ids: Vec<_> = ids.collect();
        ids.sort_unstable();
        ids.into_iter().filter_map(|id| Some((id, self.take_lookup(id, now)?))).collect()
    }

    /// Takes a lookup over from a stub that retires. It asks for its name anew, and keeps its
    /// deadlines.
    fn handle_moved(&mut self, id: LookupId, mut entry: LookupEntry, now: Instant) {
        entry.lookup.restart_candidate();
        entry.first_server = self.next_first_server();
        if let Some(deadline) = entry.deadline {
            self.timers.insert((deadline, Timer::Lookup(id)));
        }
        self.observed += usize::from(entry.lookup.is_observed());
        self.lookups.insert(id, entry);
        self.pending_lookups.set(self.lookups.len());
        self.advance_lookup(id, now);
    }

    /// The nameserver that a new lookup starts with.
    fn next_first_server(&mut self) -> usize {
        let first = self.rotation;
        if self.config.rotate {
            self.rotation = (self.rotation + 1) % self.config.nameservers.len().max(1);
        }
        first
    }

    /// Retires this stub: another one takes the new lookups. This one finishes the lookups that it
    /// has, without a cache.
    pub(crate) fn handle_retired(&mut self, now: Instant) {
        self.abandon_for_cache(now);
        self.cache = None;
        let is_idle = |(&socket, connection): (&SocketId, &Connection)| {
            connection.idle_at.map(|at| (socket, at))
        };
        let idle: Vec<_> = self.connections.iter().filter_map(is_idle).collect();
        for (socket, idle_at) in idle {
            self.connections.remove(&socket);
            self.move_timer(Timer::Connection(socket), Some(idle_at), None);
            self.transmits.push_back(Step::Now(Transmit::CloseTcp { socket }));
        }
    }

    /// Starts a lookup. At `deadline`, if there is one, it ends with a timeout.
    pub(crate) fn handle_lookup(
        &mut self,
        id: LookupId,
        lookup: Box<Lookup>,
        deadline: Option<Instant>,
        now: Instant,
    ) {
        let first_server = if lookup.has_ended { 0 } else { self.next_first_server() };
        let entry = LookupEntry {
            lookup,
            first_server,
            waits_for: [None; MAX_QUESTIONS],
            calls: WaitedCalls::default(),
            deadline,
            is_ready: false,
            candidate_number: 0,
            candidate_deadline: now,
            candidate_timer: None,
            paused: Vec::new(),
            paused_until: None,
        };
        self.observed += usize::from(entry.lookup.is_observed());
        self.lookups.insert(id, entry);
        self.pending_lookups.set(self.lookups.len());
        add(&self.counters.lookups);
        if let Some(deadline) = deadline {
            self.timers.insert((deadline, Timer::Lookup(id)));
        }
        self.advance_lookup(id, now);
    }

    /// Cancels a lookup. Its `End` is still to be taken.
    pub(crate) fn handle_cancel(&mut self, id: LookupId, now: Instant) {
        self.unsubscribe(id, now);
        if let Some(entry) = self.lookups.get_mut(&id) {
            entry.lookup.handle_cancel();
            self.mark_ready(id);
        }
    }

    /// Removes a lookup, because it was dropped or its `End` was delivered. Questions without
    /// another subscriber are abandoned.
    pub(crate) fn handle_gone(&mut self, id: LookupId, now: Instant) {
        drop(self.take_lookup(id, now));
    }

    /// Takes a lookup out, with everything that is held for it.
    fn take_lookup(&mut self, id: LookupId, now: Instant) -> Option<LookupEntry> {
        self.unsubscribe(id, now);
        let mut entry = self.lookups.remove(&id)?;
        self.observed -= usize::from(entry.lookup.is_observed());
        self.pending_lookups.set(self.lookups.len());
        self.move_timer(Timer::Lookup(id), entry.deadline, None);
        self.move_timer(Timer::Candidate(id), entry.candidate_timer.take(), None);
        self.move_timer(Timer::Pause(id), entry.paused_until.take(), None);
        Some(entry)
    }

    /// Does what is due at `now`, or a turn's share of it. Returns whether it was all: if not,
    /// [`poll_timeout`](Self::poll_timeout) is past. Early and repeated calls are harmless.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> bool {
        for _ in 0..TIMERS_PER_TURN {
            let due = self.timers.first().filter(|(at, _)| *at <= now);
            let Some(&(_, timer)) = due else { return true };
            self.timers.pop_first();
            match timer {
                Timer::Query(id) => {
                    if let Some((entry, servers)) = self.query_mut(id) {
                        entry.timer = None;
                        entry.query.handle_timeout(servers, now);
                        self.leave_silent_connections(id);
                        self.advance_query(id, now);
                    }
                }
                Timer::Lookup(id) => {
                    let kind = self.overdue_kind(id);
                    self.unsubscribe(id, now);
                    if let Some(entry) = self.lookups.get_mut(&id) {
                        let is_silence = kind == LookupErrorKind::Timeout;
                        self.has_outage |= is_silence && entry.lookup.is_unanswered();
                        entry.deadline = None;
                        entry.lookup.handle_deadline(kind, now);
                        self.mark_ready(id);
                    }
                }
                Timer::Candidate(id) => self.handle_candidate_overdue(id, now),
                Timer::Pause(id) => self.handle_pause_over(id, now),
                Timer::Calls => self.handle_holds_over(now),
                Timer::Turn(server) => {
                    self.lines[server].1 = None;
                    self.advance_line(server, now);
                }
                Timer::Connection(socket) => {
                    self.connections.remove(&socket);
                    self.transmits.push_back(Step::Now(Transmit::CloseTcp { socket }));
                }
            }
        }
        self.timers.first().is_none_or(|(at, _)| *at > now)
    }

    /// The next thing for the driver to do; what is to be sent is in `buf`.
    pub(crate) fn poll_transmit(&mut self, buf: &mut Vec<u8>) -> Option<Transmit> {
        while let Some(step) = self.transmits.pop_front() {
            let (socket, OutstandingQuery { id, query, sent, .. }) = match step {
                Step::Now(transmit) => return Some(transmit),
                Step::Query { socket, query } => (socket, query),
            };
            // The question may have been settled or abandoned since, or its socket closed.
            let Some(entry) = self.queries.get(&query) else { continue };
            let table = match sent.transport {
                Transport::Udp => self.sockets.get_mut(socket).map(|s| &mut s.outstanding),
                Transport::Tcp => self.connections.get_mut(&socket).map(|c| &mut c.outstanding),
            };
            let Some(outstanding) = table.and_then(|table| table.get_mut(id)) else { continue };
            if outstanding.is_settled {
                continue;
            }
            outstanding.is_out = true;
            self.counters.query(sent.transport);
            let (edns, trust_ad, case) = (sent.edns, self.config.trust_ad, sent.case);
            let options = QueryOptions { edns, trust_ad, case };
            let record_type = entry.query.record_type(sent.question);
            let transmit = match sent.transport {
                Transport::Udp => {
                    write_query(buf, id, &entry.name, record_type, options);
                    Transmit::SendUdp { socket }
                }
                Transport::Tcp => {
                    let mut query = Vec::new();
                    write_query(&mut query, id, &entry.name, record_type, options);
                    buf.clear();
                    write_framed(buf, &query);
                    Transmit::SendTcp { socket }
                }
            };
            self.note_sent(query, sent);
            return Some(transmit);
        }
        None
    }

    /// Whether [`poll_transmit`](Self::poll_transmit) may have something.
    pub(crate) fn has_transmits(&self) -> bool {
        !self.transmits.is_empty()
    }

    /// A lookup that has results, or its `End`, to be taken.
    pub(crate) fn poll_ready(&mut self) -> Option<LookupId> {
        while let Some(id) = self.ready.pop_front() {
            if let Some(entry) = self.lookups.get_mut(&id) {
                entry.is_ready = false;
                return Some(id);
            }
        }
        None
    }

    /// A lookup by its id, to take its results.
    pub(crate) fn lookup_mut(&mut self, id: LookupId) -> Option<&mut Lookup> {
        self.lookups.get_mut(&id).map(|entry| &mut *entry.lookup)
    }

    /// The time at which [`handle_timeout`](Self::handle_timeout) is to be called.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.timers.first().map(|&(at, _)| at)
    }

    fn move_timer(&mut self, timer: Timer, before: Option<Instant>, after: Option<Instant>) {
        if before == after {
            return;
        }
        if let Some(at) = before {
            self.timers.remove(&(at, timer));
        }
        if let Some(at) = after {
            self.timers.insert((at, timer));
        }
    }
}
