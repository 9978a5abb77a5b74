//! The driver: what the resolver thread does, against a network that is a queue of events.

mod network;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::check::Checks;
use super::message::Query;
use crate::resolve::config::name_routes::NameRoutes;
use crate::resolve::error::Transport;
use crate::resolve::names::local::Local;
use crate::resolve::stats::{Counters, Stats};
use crate::resolve::stub::cache::Cache;
use crate::resolve::stub::generations::Generations;
use crate::resolve::stub::ids::{Ids, LookupId, SocketId};
use crate::resolve::stub::lookup::Lookup;
use crate::resolve::stub::query::{QueryConfig, resend_spread};
use crate::resolve::stub::socket_error::SocketError;
use crate::resolve::stub::{Pairing, Stub, StubConfig, SystemConfig, Transmit};
use crate::resolve::system::pool::Pool;
use crate::resolve::system::{Call, CallOutcome, Families};
use crate::resolve::wire::query_name::QueryName;
use crate::resolve::{AddressPolicy, CacheOptions, NameserverStrategy};
use crate::seeded::Random;
use crate::{HostName, LookupResult};

/// What a nameserver, or the network on the way to it, does with what it gets.
pub(super) trait Nameserver {
    fn handle_query(&mut self, query: &Query, at: Duration) -> Vec<Reaction>;
    fn handle_connect(&mut self, at: Duration) -> Connect;
    /// The local system's answer to the attempt to open a socket to it.
    fn open(&mut self, transport: Transport, at: Duration) -> Result<(), SocketError>;
}

#[derive(Clone, Debug)]
pub(super) enum Reaction {
    /// Octets for the client, so long after the query.
    Bytes(Duration, Vec<u8>),
    /// The client's socket or connection fails.
    Error(Duration, SocketError),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Connect {
    Accept(Duration),
    Refuse(Duration),
    Hang,
}

/// One query on its way.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) at: Duration,
    pub(super) server: usize,
    pub(super) socket: SocketId,
    pub(super) query: Query,
}

/// The one who reads the results of a lookup.
#[derive(Debug)]
pub(super) struct Consumer {
    pub(super) results: Vec<(Duration, LookupResult)>,
    /// Takes so many results, then none for so long.
    pub(super) pace: Option<(usize, Duration)>,
    pub(super) has_ended: bool,
    is_resting: bool,
}

#[derive(Debug)]
pub(super) enum Event {
    Datagram(SocketId, Vec<u8>),
    UdpError(SocketId, SocketError),
    Connected(SocketId),
    Stream(SocketId, Vec<u8>),
    StreamError(SocketId, SocketError),
    Consume(LookupId),
    Lookup(LookupId, Box<Lookup>, Option<Duration>, Option<(usize, Duration)>),
    Cancel(LookupId),
    Drop(LookupId),
    /// The configuration has changed to these nameservers, or the network has.
    NextGeneration(Vec<SocketAddr>),
    /// The configuration has changed to these routes.
    Reroute(Arc<NameRoutes>),
    /// The machine sleeps for so long, with everything that is on its way.
    Suspend(Duration),
    ClearCache,
    Forget(HostName),
    /// A call of the operating system comes back.
    Called(Call, CallOutcome),
}

/// What comes of a call, and after which time; `None` if it never comes back.
pub(super) type OperatingSystem = Box<dyn FnMut(&Call) -> Option<(Duration, CallOutcome)>>;

/// How many threads there are for calls, unless a test says otherwise.
const SYSTEM_THREADS: usize = 16;

pub(super) struct World {
    pub(super) core: Generations,
    pub(super) cache: Option<Arc<Cache>>,
    counters: Arc<Counters>,
    pub(super) log: Vec<Record>,
    pub(super) consumers: HashMap<LookupId, Consumer>,
    pub(super) checks: Checks,
    pub(super) keeps_log: bool,
    /// Whether a turn handles all that has happened by then before it sends anything, as the
    /// resolver thread does.
    pub(super) is_batched: bool,
    /// Whether what happens is kept for observers of the lookups.
    pub(super) is_observed: bool,
    /// It knows no name, unless a test says otherwise.
    pub(super) operating_system: OperatingSystem,
    /// The calls that were made, and when.
    pub(super) calls: Vec<(Duration, Call)>,
    /// How many calls run for a name and a family.
    running_calls: HashMap<(HostName, Families), usize>,
    generations: usize,
    hanging_calls: usize,
    system_threads: usize,
    /// From when until when no query reaches a nameserver.
    pub(super) outage: Option<[Duration; 2]>,
    start: Instant,
    now: Instant,
    config: StubConfig,
    ids: Ids,
    random: Arc<Mutex<dyn FnMut() -> u16 + Send>>,
    /// Usual ones, so that the times of a scenario can be told beforehand.
    spread: Spread,
    /// Those of all routes, by their number.
    servers: Vec<Box<dyn Nameserver>>,
    events: BTreeMap<(Instant, u64), Event>,
    next_event: u64,
    udp: HashMap<SocketId, usize>,
    tcp: HashMap<SocketId, Tcp>,
    used: HashSet<SocketId>,
    buf: Vec<u8>,
}

struct Tcp {
    server: usize,
    is_connected: bool,
    /// When the last octets sent to the client arrive: a stream keeps its order.
    last_at: Instant,
}

/// The address of the nameserver with this number.
pub(super) fn addr(server: usize) -> SocketAddr {
    ([192, 0, 2, 200 + u8::try_from(server).expect("a few nameservers")], 53).into()
}

/// What most scenarios have.
pub(super) fn config(servers: usize) -> StubConfig {
    StubConfig {
        nameservers: (0..servers).map(addr).collect(),
        routes: Arc::default(),
        query: QueryConfig {
            strategy: NameserverStrategy::Hedged,
            is_unconfigured: false,
            timeout: Duration::from_secs(5),
            attempts: 2,
            edns: true,
            tcp_only: false,
            mixed_case: false,
        },
        system: SystemConfig { timeout: Duration::from_secs(10), hold: Duration::from_secs(1) },
        rotate: false,
        trust_ad: false,
        pairing: Pairing::OneSocket,
        max_sockets: 256,
    }
}

fn stub(
    config: &StubConfig,
    cache: Option<&Arc<Cache>>,
    ids: &Ids,
    counters: &Arc<Counters>,
    random: &Arc<Mutex<dyn FnMut() -> u16 + Send>>,
    spread: &Spread,
) -> Stub {
    let (ids, counters, random) = (ids.clone(), Arc::clone(counters), Arc::clone(random));
    let random = move || random.lock().expect("nothing panics in it")();
    let spread = Arc::clone(spread);
    let spread = move || spread.lock().expect("nothing panics in it")();
    Stub::new(config.clone(), cache.cloned(), ids, counters, random, spread)
}

/// What the stubs of a world take the resend delays of their queries from.
type Spread = Arc<Mutex<Box<dyn FnMut() -> u32 + Send>>>;

impl World {
    pub(super) fn new(
        config: StubConfig,
        cache: Option<CacheOptions>,
        servers: Vec<Box<dyn Nameserver>>,
        random: impl FnMut() -> u16 + Send + 'static,
    ) -> Self {
        let checks = Checks::new(&config, cache.as_ref());
        // What is thrown out of a full cache is the same in every run of a seed.
        let cache = cache.map(|options| Arc::new(Cache::with_secret(options, 0)));
        let counters = Arc::<Counters>::default();
        let ids = Ids::default();
        let random: Arc<Mutex<dyn FnMut() -> u16 + Send>> = Arc::new(Mutex::new(random));
        let start = Instant::now();
        let spread: Spread = Arc::new(Mutex::new(Box::new(|| 1000)));
        let first = stub(&config, cache.as_ref(), &ids, &counters, &random, &spread);
        Self {
            core: Generations::new(first, Pool::new(SYSTEM_THREADS, config.system.timeout)),
            cache,
            config,
            ids,
            random,
            spread,
            counters,
            log: Vec::new(),
            consumers: HashMap::new(),
            checks,
            keeps_log: true,
            is_batched: false,
            is_observed: false,
            operating_system: Box::new(|_| Some((Duration::ZERO, CallOutcome::NoName))),
            calls: Vec::new(),
            running_calls: HashMap::new(),
            generations: 1,
            hanging_calls: 0,
            system_threads: SYSTEM_THREADS,
            outage: None,
            start,
            now: start,
            servers,
            events: BTreeMap::new(),
            next_event: 0,
            udp: HashMap::new(),
            tcp: HashMap::new(),
            used: HashSet::new(),
            buf: Vec::new(),
        }
    }

    /// From now on the resend delays of queries differ, as they do outside.
    pub(super) fn spread_resends(&self, mut random: Random) {
        let spread = resend_spread(move || random.id());
        *self.spread.lock().expect("nothing panics in it") = Box::new(spread);
    }

    /// So many calls to the operating system run at once.
    pub(super) fn with_system_threads(mut self, threads: usize) -> Self {
        let (ids, counters) = (&self.ids, &self.counters);
        let (random, spread) = (&self.random, &self.spread);
        let first = stub(&self.config, self.cache.as_ref(), ids, counters, random, spread);
        self.core = Generations::new(first, Pool::new(threads, self.config.system.timeout));
        self.system_threads = threads;
        self
    }

    /// Lets an event happen at this time after the start.
    pub(super) fn at(&mut self, at: Duration, event: Event) {
        self.push(self.start + at, event);
    }

    /// Schedules a lookup: of one that is answered without nameservers, these results are expected.
    pub(super) fn lookup_at(
        &mut self,
        at: Duration,
        id: LookupId,
        local: Local,
        policy: AddressPolicy,
        (timeout, pace): (Option<Duration>, Option<(usize, Duration)>),
    ) {
        let lookup = match local {
            Local::Answered(results, _) => {
                self.checks.expect_local(id, &results);
                Lookup::answered(results)
            }
            Local::Ask(ask) => Lookup::new(ask).with_policy(policy).observe(self.is_observed),
        };
        self.at(at, Event::Lookup(id, Box::new(lookup), timeout, pace));
    }

    /// The current nameservers, in their order.
    pub(super) fn nameservers(&self) -> &[SocketAddr] {
        &self.config.nameservers
    }

    pub(super) fn stats(&self) -> Stats {
        self.counters.stats(self.cache.as_deref().map(Cache::figures).unwrap_or_default())
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.now - self.start
    }

    /// Runs until nothing is left to happen.
    pub(super) fn run(&mut self) {
        while self.step() {}
        self.checks.idle(&self.core, self.udp.len() + self.tcp.len(), self.hanging_calls);
    }

    /// Runs until the next thing to happen is later than this time after the start.
    pub(super) fn run_until(&mut self, until: Duration) {
        while self.next_at().is_some_and(|at| at <= self.start + until) {
            self.step();
        }
    }

    /// Lets time pass, with all that happens in it.
    pub(super) fn pass(&mut self, time: Duration) {
        let until = self.elapsed() + time;
        self.run_until(until);
        self.now = self.now.max(self.start + until);
    }

    pub(super) fn open_sockets(&self) -> usize {
        self.udp.len() + self.tcp.len()
    }

    fn next_at(&self) -> Option<Instant> {
        let event = self.events.first_key_value().map(|(&(at, _), _)| at);
        event.into_iter().chain(self.core.poll_timeout()).min()
    }

    /// One turn: the next event, or the next timeout. `false` if there is none.
    pub(super) fn step(&mut self) -> bool {
        let Some(at) = self.next_at() else { return false };
        self.now = self.now.max(at);
        let due = self.events.first_entry().filter(|entry| entry.key().0 <= self.now);
        let event = due.map(std::collections::btree_map::OccupiedEntry::remove);
        let due = self.core.due_timers(self.now);
        self.checks.turn(self.now - self.start, event.is_some(), due);
        if let Some(event) = event {
            self.handle(event);
            if self.is_batched {
                self.handle_due_events();
            } else {
                self.flush();
            }
        }
        let was_all = self.core.handle_timeout(self.now);
        self.flush();
        self.deliver();
        self.checks.state(&self.core, was_all, self.udp.len(), self.start, self.now);
        true
    }

    fn handle_due_events(&mut self) {
        while let Some(entry) = self.events.first_entry()
            && entry.key().0 <= self.now
        {
            let event = entry.remove();
            self.handle(event);
        }
    }

    fn handle(&mut self, event: Event) {
        let (core, now) = (&mut self.core, self.now);
        match event {
            // What arrives for a closed socket goes nowhere.
            Event::Datagram(socket, bytes) if self.udp.contains_key(&socket) => {
                self.checks.reference.datagram(socket, &bytes);
                core.handle_datagram(socket, &bytes, now);
            }
            Event::UdpError(socket, kind) if self.udp.contains_key(&socket) => {
                core.handle_udp_error(socket, kind, now);
            }
            Event::Connected(socket) => {
                if let Some(tcp) = self.tcp.get_mut(&socket) {
                    tcp.is_connected = true;
                    core.handle_connected(socket);
                }
            }
            Event::Stream(socket, bytes) if self.tcp.contains_key(&socket) => {
                self.checks.reference.stream(socket, &bytes);
                core.handle_stream_data(socket, &bytes, now);
            }
            Event::StreamError(socket, kind) if self.tcp.contains_key(&socket) => {
                core.handle_stream_error(socket, kind, now);
            }
            Event::Datagram(..)
            | Event::UdpError(..)
            | Event::Stream(..)
            | Event::StreamError(..) => {}
            Event::Consume(id) => {
                if let Some(consumer) = self.consumers.get_mut(&id) {
                    consumer.is_resting = false;
                    self.offer(id);
                }
            }
            Event::Lookup(id, lookup, timeout, pace) => {
                self.start_lookup(id, lookup, timeout, pace);
            }
            Event::Cancel(id) => core.handle_cancel(id, now),
            Event::Drop(id) => {
                core.handle_gone(id, now);
                self.consumers.remove(&id);
                self.checks.gone(id);
            }
            Event::NextGeneration(nameservers) => self.start_generation(nameservers),
            Event::Reroute(routes) => {
                self.config.routes = routes;
                let nameservers = self.config.nameservers.clone();
                self.start_generation(nameservers);
            }
            Event::Suspend(time) => {
                self.now += time;
                self.checks.suspended(self.now - self.start);
                let nameservers = self.config.nameservers.clone();
                self.start_generation(nameservers);
            }
            Event::ClearCache => {
                if let Some(cache) = &self.cache {
                    cache.clear();
                }
                core.handle_clear();
            }
            Event::Forget(name) => core.handle_forget(&QueryName::from(&name)),
            Event::Called(call, outcome) => {
                self.checks.reference.called(&call, &outcome);
                let key = (call.name.clone(), call.families);
                *self.running_calls.get_mut(&key).expect("a call that runs") -= 1;
                core.handle_called(&call, &outcome, now);
            }
        }
    }

    fn start_lookup(
        &mut self,
        id: LookupId,
        mut lookup: Box<Lookup>,
        timeout: Option<Duration>,
        pace: Option<(usize, Duration)>,
    ) {
        let now = self.now;
        let (results, has_ended, is_resting) = (Vec::new(), false, false);
        self.consumers.insert(id, Consumer { results, pace, has_ended, is_resting });
        let deadline = timeout.map(|timeout| now + timeout);
        self.checks.started(id, now - self.start, deadline.map(|at| at - self.start));
        // What the handle does before it turns to the thread.
        if let Some(cache) = &self.cache {
            let untouched = lookup.clone();
            let mut refreshes = Vec::new();
            lookup.answer_from(cache, now, &mut refreshes);
            self.core.handle_refresh(refreshes, now);
            if lookup.has_ended {
                return self.finish_at_once(id, *lookup);
            }
            lookup = untouched;
        }
        self.core.handle_lookup(id, lookup, deadline, now);
    }

    fn finish_at_once(&mut self, id: LookupId, lookup: Lookup) {
        let at = self.elapsed();
        let consumer = self.consumers.get_mut(&id).expect("just made");
        for result in lookup.into_results() {
            self.checks.result(id, &result);
            consumer.results.push((at, result));
        }
        consumer.has_ended = true;
    }

    /// What the resolver thread does when the configuration has changed.
    fn start_generation(&mut self, nameservers: Vec<SocketAddr>) {
        if let Some(cache) = &self.cache {
            cache.clear();
        }
        self.generations += 1;
        self.config.nameservers = nameservers;
        let (ids, counters) = (&self.ids, &self.counters);
        let (random, spread) = (&self.random, &self.spread);
        let next = stub(&self.config, self.cache.as_ref(), ids, counters, random, spread);
        self.core.handle_next(next, self.now);
        self.checks.generation(self.elapsed());
    }

    fn deliver(&mut self) {
        while let Some(id) = self.core.poll_ready() {
            self.offer(id);
            self.flush();
        }
    }

    /// Hands a lookup's results over, as far as its consumer takes them.
    fn offer(&mut self, id: LookupId) {
        let (at, now) = (self.elapsed(), self.now);
        let Some(consumer) = self.consumers.get_mut(&id) else { return };
        let Some(lookup) = self.core.lookup_mut(id) else { return };
        if lookup.is_observed() {
            self.checks.notes(id, &lookup.take_notes(), now);
        }
        let mut taken = 0;
        let is_tired = |taken| consumer.pace.is_some_and(|(most, _)| taken >= most);
        while !consumer.is_resting && !is_tired(taken) {
            let Some(result) = lookup.results.pop_front() else { break };
            self.checks.result(id, &result);
            consumer.results.push((at, result));
            taken += 1;
        }
        // The `End` needs no room.
        if let Some(end) = lookup.end.take_if(|_| lookup.results.is_empty()) {
            self.checks.result(id, &end);
            consumer.results.push((at, end));
            consumer.has_ended = true;
            self.core.handle_gone(id, now);
            self.flush();
        } else if let Some((_, rest)) = consumer.pace.filter(|_| is_tired(taken)) {
            consumer.is_resting = true;
            self.push(now + rest, Event::Consume(id));
        }
    }

    fn push(&mut self, at: Instant, event: Event) {
        self.next_event += 1;
        self.events.insert((at, self.next_event), event);
    }
}
