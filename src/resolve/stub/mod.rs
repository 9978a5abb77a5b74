//! Every lookup of one resolver at once: the pure core that the resolver thread drives.
//!
//! [`Stub`] owns no socket, thread, clock or random source. Lookups, datagrams, stream data and
//! time go in through `handle_*`; datagrams to send, sockets to open and close, and lookups with
//! results come out of `poll_*`. The same type runs on the resolver thread and, in virtual time,
//! against a simulated network.

pub(crate) mod cache;
pub(crate) mod connection;
pub(crate) mod generations;
pub(crate) mod ids;
mod in_flight;
#[cfg(any(test, fuzzing))]
mod inspect;
pub(crate) mod lookup;
pub(crate) mod nameserver;
pub(crate) mod query;
pub(crate) mod sockets;
mod tcp;
mod udp;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use self::cache::Cache;
use self::connection::Connection;
use self::ids::{IdMap, Ids, LookupId, QueryId, SocketId};
use self::lookup::Lookup;
use self::nameserver::Nameserver;
use self::query::{MAX_QUESTIONS, Query, QueryConfig, QuerySend, SentQuery, Settled};
use self::sockets::{OutstandingQuery, Slot, SocketError, Sockets};
use super::error::{RecordType, Transport};
use super::stats::{Counters, Gauge, add};
use super::wire::framing::write_framed;
use super::wire::message::{Expected, QueryOptions, Response, read_response, write_query};
use super::wire::query_name::QueryName;

#[cfg(any(test, fuzzing))]
pub(crate) use inspect::Holdings;

/// What the core needs to know of the configuration.
#[derive(Clone, Debug)]
pub(crate) struct StubConfig {
    pub(crate) nameservers: Vec<SocketAddr>,
    pub(crate) query: QueryConfig,
    /// Each lookup starts with the next nameserver (resolv.conf(5) `rotate`).
    pub(crate) rotate: bool,
    pub(crate) trust_ad: bool,
    pub(crate) pairing: Pairing,
    /// UDP sockets open at once.
    pub(crate) max_sockets: usize,
}

/// How A and AAAA of one name go out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Pairing {
    /// Together, from one socket.
    #[default]
    OneSocket,
    /// Together, each from a socket of its own (resolv.conf(5) `single-request-reopen`): some
    /// equipment answers once a port.
    OwnSockets,
    /// A when AAAA is settled (resolv.conf(5) `single-request`): some nameservers fail at two
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

/// The pure core of a resolver.
///
/// Call order: any `handle_*`; then [`poll_transmit`](Self::poll_transmit) and
/// [`poll_ready`](Self::poll_ready) until `None`; then wait until
/// [`poll_timeout`](Self::poll_timeout) for [`handle_timeout`](Self::handle_timeout).
pub(crate) struct Stub {
    config: StubConfig,
    servers: Vec<Nameserver>,
    random: Box<dyn FnMut() -> u16 + Send>,
    lookups: IdMap<LookupId, LookupEntry>,
    queries: IdMap<QueryId, Box<QueryEntry>>,
    /// The questions that are out, each at most once: a second identical question would double a
    /// forger's chance (RFC 5452 section 5), so whoever asks the same joins.
    in_flight: HashMap<(QueryName, RecordType), (QueryId, usize)>,
    sockets: Sockets,
    connections: IdMap<SocketId, Connection>,
    timers: BTreeSet<(Instant, Timer)>,
    transmits: VecDeque<Step>,
    ready: VecDeque<LookupId>,
    ids: Ids,
    rotation: usize,
    /// What was answered before; `None` if nothing is kept.
    cache: Option<Arc<Cache>>,
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
}

struct LookupEntry {
    lookup: Box<Lookup>,
    /// The flights this lookup awaited for.
    waits_for: [Option<(QueryId, usize)>; MAX_QUESTIONS],
    deadline: Option<Instant>,
    is_ready: bool,
    /// The candidate name that is being asked, and when its time is up, aliases included.
    candidate_number: u32,
    candidate_deadline: Instant,
    /// Set while it awaited for a question that is out for longer than that.
    candidate_timer: Option<Instant>,
    /// Questions that have failed while this lookup has time left, and are asked again when it is no
    /// longer kept that they have failed.
    paused: Vec<(QueryName, RecordType)>,
    paused_until: Option<Instant>,
}

struct QueryEntry {
    query: Query,
    name: QueryName,
    subscribers: [Vec<LookupId>; MAX_QUESTIONS],
    /// Asked for the cache as well, or for it alone.
    for_cache: [bool; MAX_QUESTIONS],
    /// What has been answered while the other question is still out: whoever asks the same meanwhile
    /// is given it, be its TTL 0.
    answered: [Option<Box<Settled>>; MAX_QUESTIONS],
    /// The cache's when it was begun; `None` if the cache is to know nothing of its outcome.
    generation: Option<u64>,
    awaited: Vec<AwaitedResponse>,
    timer: Option<Instant>,
}

/// Where a question of a query awaited for a response.
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
    /// A core without lookups. `random` must be unpredictable: message ids come from it. The cores
    /// of one resolver share `ids`.
    pub(crate) fn new(
        config: StubConfig,
        cache: Option<Arc<Cache>>,
        ids: Ids,
        counters: Arc<Counters>,
        random: impl FnMut() -> u16 + Send + 'static,
    ) -> Self {
        let servers: Vec<_> = config.nameservers.iter().copied().map(Nameserver::new).collect();
        counters.start_generation(servers.iter().map(Nameserver::counters));
        Self {
            sockets: Sockets::new(servers.len(), config.max_sockets, ids.clone()),
            config,
            servers,
            random: Box::new(random),
            lookups: IdMap::default(),
            queries: IdMap::default(),
            in_flight: HashMap::new(),
            connections: IdMap::default(),
            timers: BTreeSet::new(),
            transmits: VecDeque::new(),
            ready: VecDeque::new(),
            ids,
            rotation: 0,
            cache,
            pending_lookups: Gauge::new(&counters, |counters| &counters.pending_lookups),
            open_sockets: Gauge::new(&counters, |counters| &counters.open_sockets),
            counters,
        }
    }

    /// Whether nobody awaited for anything.
    pub(crate) fn is_idle(&self) -> bool {
        self.lookups.is_empty()
    }

    /// Whether nothing is left to do either.
    pub(crate) fn is_finished(&self) -> bool {
        self.is_idle()
            && self.queries.is_empty()
            && self.connections.is_empty()
            && self.transmits.is_empty()
    }

    pub(crate) fn has_lookup(&self, id: LookupId) -> bool {
        self.lookups.contains_key(&id)
    }

    pub(crate) fn has_socket(&self, id: SocketId) -> bool {
        self.sockets.get(id).is_some() || self.connections.contains_key(&id)
    }

    /// Another core takes the new lookups. This one finishes what it has begun, and knows and keeps
    /// nothing for those who come later.
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

    /// Starts a lookup. With a `deadline`, it ends with a timeout then, whatever is still out.
    pub(crate) fn handle_lookup(
        &mut self,
        id: LookupId,
        lookup: Box<Lookup>,
        deadline: Option<Instant>,
        now: Instant,
    ) {
        let entry = LookupEntry {
            lookup,
            waits_for: [None; MAX_QUESTIONS],
            deadline,
            is_ready: false,
            candidate_number: 0,
            candidate_deadline: now,
            candidate_timer: None,
            paused: Vec::new(),
            paused_until: None,
        };
        self.lookups.insert(id, entry);
        self.pending_lookups.set(self.lookups.len());
        add(&self.counters.lookups);
        if let Some(deadline) = deadline {
            self.timers.insert((deadline, Timer::Lookup(id)));
        }
        self.advance_lookup(id, now);
    }

    /// Ends a lookup: it was canceled. Its `End` is still to be delivered.
    pub(crate) fn handle_cancel(&mut self, id: LookupId, now: Instant) {
        self.unsubscribe(id, now);
        if let Some(entry) = self.lookups.get_mut(&id) {
            entry.lookup.handle_cancel();
            self.mark_ready(id);
        }
    }

    /// Forgets a lookup: it was dropped, or its `End` was delivered. What nobody else awaited for is
    /// no longer asked.
    pub(crate) fn handle_gone(&mut self, id: LookupId, now: Instant) {
        self.unsubscribe(id, now);
        if let Some(entry) = self.lookups.remove(&id) {
            self.pending_lookups.set(self.lookups.len());
            self.move_timer(Timer::Lookup(id), entry.deadline, None);
            self.move_timer(Timer::Candidate(id), entry.candidate_timer, None);
            self.move_timer(Timer::Pause(id), entry.paused_until, None);
        }
    }

    /// Time has passed. Early and repeated calls are harmless.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        while let Some(&(at, timer)) = self.timers.first() {
            if at > now {
                return;
            }
            self.timers.pop_first();
            match timer {
                Timer::Query(id) => {
                    if let Some(entry) = self.queries.get_mut(&id) {
                        entry.timer = None;
                        entry.query.handle_timeout(&mut self.servers, now);
                        self.advance_query(id, now);
                    }
                }
                Timer::Lookup(id) => {
                    self.unsubscribe(id, now);
                    if let Some(entry) = self.lookups.get_mut(&id) {
                        entry.deadline = None;
                        entry.lookup.handle_deadline();
                        self.mark_ready(id);
                    }
                }
                Timer::Candidate(id) => self.handle_candidate_overdue(id, now),
                Timer::Pause(id) => self.handle_pause_over(id, now),
                Timer::Connection(socket) => {
                    self.connections.remove(&socket);
                    self.transmits.push_back(Step::Now(Transmit::CloseTcp { socket }));
                }
            }
        }
    }

    /// The next thing for the driver to do. What is to be sent stands in `buf`.
    pub(crate) fn poll_transmit(&mut self, buf: &mut Vec<u8>) -> Option<Transmit> {
        while let Some(step) = self.transmits.pop_front() {
            let (socket, OutstandingQuery { id, query, sent, .. }) = match step {
                Step::Now(transmit) => return Some(transmit),
                Step::Query { socket, query } => (socket, query),
            };
            // Settled, abandoned, or its socket is gone since: nothing is sent for it any more.
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
            let options = QueryOptions { edns: sent.edns, trust_ad: self.config.trust_ad };
            let record_type = entry.query.record_type(sent.question);
            match sent.transport {
                Transport::Udp => {
                    write_query(buf, id, &entry.name, record_type, options);
                    return Some(Transmit::SendUdp { socket });
                }
                Transport::Tcp => {
                    let mut query = Vec::new();
                    write_query(&mut query, id, &entry.name, record_type, options);
                    buf.clear();
                    write_framed(buf, &query);
                    return Some(Transmit::SendTcp { socket });
                }
            }
        }
        None
    }

    /// A lookup with results to take, or with its `End`.
    pub(crate) fn poll_ready(&mut self) -> Option<LookupId> {
        while let Some(id) = self.ready.pop_front() {
            if let Some(entry) = self.lookups.get_mut(&id) {
                entry.is_ready = false;
                return Some(id);
            }
        }
        None
    }

    /// The lookup, to take its results.
    pub(crate) fn lookup_mut(&mut self, id: LookupId) -> Option<&mut Lookup> {
        self.lookups.get_mut(&id).map(|entry| &mut *entry.lookup)
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.timers.first().map(|&(at, _)| at)
    }

    /// Sends what the query wants sent, passes on what it has settled, and keeps its timer.
    fn advance_query(&mut self, id: QueryId, now: Instant) {
        loop {
            let Some(entry) = self.queries.get_mut(&id) else { return };
            if let Some(send) = entry.query.poll_send(&self.servers, now) {
                self.send(id, send, now);
            } else if let Some((question, settled)) = entry.query.poll_settled() {
                self.handle_settled(id, question, &settled, now);
            } else {
                break;
            }
        }
        let Some(entry) = self.queries.get_mut(&id) else { return };
        let after = entry.query.poll_timeout();
        let before = std::mem::replace(&mut entry.timer, after);
        let is_done = entry.query.is_done();
        self.move_timer(Timer::Query(id), before, after);
        if is_done {
            self.queries.remove(&id);
        }
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

    fn send(&mut self, query: QueryId, send: QuerySend, now: Instant) {
        let QuerySend { server, transport, questions, edns } = send;
        let sent = questions.iter().map(|question| SentQuery {
            question,
            server,
            transport,
            edns,
            at: now,
        });
        if transport == Transport::Tcp {
            return sent.for_each(|sent| self.send_over_tcp(query, sent));
        }
        let Some(Slot { socket, is_new }) = self.sockets.slot(server, &mut *self.random) else {
            let entry = self.queries.get_mut(&query).expect("its caller has it");
            let error = SocketError::OutOfResources;
            for sent in sent {
                entry.query.handle_socket_error(sent, error, false, &mut self.servers, now);
            }
            return;
        };
        self.count_sockets();
        if is_new {
            let nameserver = self.servers[server].addr();
            self.transmits.push_back(Step::Now(Transmit::OpenUdp { socket, nameserver }));
        }
        sent.for_each(|sent| self.send_over_udp(socket, query, sent));
    }

    fn await_response(&mut self, query: QueryId, socket: SocketId, outstanding: OutstandingQuery) {
        let entry = self.queries.get_mut(&query).expect("a query that sends exists");
        let question = outstanding.sent.question;
        entry.awaited.push(AwaitedResponse { question, socket, id: outstanding.id });
    }

    /// A message under an id that was sent: it is what it should be, or it is ignored.
    fn read(&self, outstanding: &OutstandingQuery, message: &[u8]) -> Option<Response> {
        let OutstandingQuery { id, query, sent, .. } = *outstanding;
        let entry = self.queries.get(&query)?;
        let expected = Expected {
            id,
            name: &entry.name,
            record_type: entry.query.record_type(sent.question),
            transport: sent.transport,
        };
        read_response(message, expected).map_err(|reason| self.counters.ignored(reason)).ok()
    }

    fn handle_response(
        &mut self,
        outstanding: &OutstandingQuery,
        response: Response,
        now: Instant,
    ) {
        match &response {
            Response::Truncated => add(&self.counters.truncated),
            Response::Answer(answer) if answer.is_name_collision() => {
                add(&self.counters.name_collisions);
            }
            _ => {}
        }
        let OutstandingQuery { query, sent, .. } = *outstanding;
        if let Some(entry) = self.queries.get_mut(&query) {
            entry.query.handle_response(sent, response, &mut self.servers, now);
            self.advance_query(query, now);
        }
    }

    /// Nothing awaited for this question any longer, on any socket.
    fn release_sockets(&mut self, id: QueryId, question: usize, timed_out: bool, now: Instant) {
        let Some(entry) = self.queries.get_mut(&id) else { return };
        let is_over = |wait: &mut AwaitedResponse| wait.question == question;
        let over: Vec<_> = entry.awaited.extract_if(.., is_over).collect();
        for AwaitedResponse { socket, id: message_id, .. } in over {
            if self.sockets.release(socket, message_id) {
                self.sockets.remove(socket);
                self.count_sockets();
                self.transmits.push_back(Step::Now(Transmit::CloseUdp { socket }));
            } else if let Some(connection) = self.connections.get_mut(&socket) {
                let before = connection.idle_at;
                connection.release(id, message_id, timed_out, now);
                let after = connection.idle_at;
                self.move_timer(Timer::Connection(socket), before, after);
            }
        }
    }
}
