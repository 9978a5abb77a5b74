//! The resolver thread: the only place here with sockets, a clock and a random source.
//!
//! One turn: take the commands that came in, do what the core asks, hand results over, fire the
//! wakes, wait. It never waits for anything but its own poll: not for a consumer, not for the lock
//! of a consumer's queue.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use mio::{Events, Poll, Token};

use super::clock::{Alarm, BootClock};
use super::network::{Network, SocketEvent};
use super::outlet::Outlet;
use super::random::os_random;
use crate::futex_queue::Offer;
use crate::resolve::CacheOptions;
use crate::resolve::error::RecordType;
use crate::resolve::stats::{Counters, Stats};
use crate::resolve::stub::cache::Cache;
use crate::resolve::stub::generations::Generations;
use crate::resolve::stub::ids::LookupId;
use crate::resolve::stub::ids::{IdMap, Ids};
use crate::resolve::stub::lookup::Lookup;
use crate::resolve::stub::{Stub, StubConfig};
use crate::resolve::wire::query_name::QueryName;

const COMMANDS: Token = Token(usize::MAX);
const ALARM: Token = Token(usize::MAX - 1);

/// More lookups than a process makes in a lifetime, and room for as many forks in a row.
const LOOKUPS_PER_PROCESS: u64 = 1 << 48;

/// How many socket events one poll brings. More wait for the next turn.
const EVENTS_PER_TURN: usize = 256;

/// A task that is woken often starts its next lookup before the thread has gone to sleep. Then the
/// poll would be a system call for nothing; but sockets must not wait for ever either.
const MAX_TURNS_WITHOUT_POLL: u8 = 2;

/// What the handles, the streams and the resolver thread share.
pub(crate) struct Shared {
    /// Read without a lock: a process that was forked off needs it too.
    config: ArcSwap<StubConfig>,
    cache: Option<Arc<Cache>>,
    clock: BootClock,
    counters: Arc<Counters>,
    state: Mutex<State>,
    /// The process that this was made in.
    process: u32,
    first_lookup: LookupId,
    /// What takes its place in a process that was forked off.
    forked: OnceLock<Arc<Shared>>,
}

#[derive(Default)]
struct State {
    commands: Vec<Command>,
    /// The running thread's; `None` while none runs.
    waker: Option<Arc<mio::Waker>>,
    /// The thread waits in its poll, or is about to: a command must wake it.
    is_asleep: bool,
    /// No handle is left: the thread ends with its last lookup.
    is_closing: bool,
    last_lookup: LookupId,
}

/// What the thread is told.
pub(crate) enum Command {
    Lookup {
        id: LookupId,
        lookup: Box<Lookup>,
        outlet: Outlet,
        timeout: Option<Duration>,
    },
    Cancel(LookupId),
    /// The stream was dropped.
    Gone(LookupId),
    /// The lookup's queue has room again, or nobody reads it any more.
    Room(LookupId),
    /// Questions are to be asked for the cache.
    Refresh(Vec<(QueryName, RecordType)>),
    /// What is known about a name is no longer so.
    Forget(QueryName),
    /// The configuration has changed, or the network.
    NextGeneration,
    /// Ends the thread by a panic.
    #[cfg(test)]
    Die,
}

impl Shared {
    pub(crate) fn new(config: StubConfig, cache: Option<&CacheOptions>, clock: BootClock) -> Self {
        Self::in_this_process(config.into(), cache, clock, LookupId(0))
    }

    fn in_this_process(
        config: Arc<StubConfig>,
        cache: Option<&CacheOptions>,
        clock: BootClock,
        last_lookup: LookupId,
    ) -> Self {
        let state = State { last_lookup, ..State::default() };
        Self {
            config: ArcSwap::new(config),
            cache: cache.map(|options| Arc::new(Cache::new(options.clone()))),
            clock,
            counters: Arc::default(),
            state: Mutex::new(state),
            process: std::process::id(),
            first_lookup: last_lookup,
            forked: OnceLock::new(),
        }
    }

    /// What to use in this process: after a fork the thread exists in the parent alone, and the
    /// lock may have been held by a thread that does not exist here.
    fn of_this_process(self: &Arc<Self>) -> &Arc<Self> {
        let process = std::process::id();
        let mut shared = self;
        while shared.process != process {
            shared = shared.forked.get_or_init(|| {
                // A lookup that the parent started must not be taken for one of this process.
                let last_lookup = LookupId(shared.first_lookup.0 + LOOKUPS_PER_PROCESS);
                let cache = self.cache.as_ref().map(|cache| cache.options());
                let config = shared.config.load_full();
                Arc::new(Self::in_this_process(config, cache, self.clock, last_lookup))
            });
        }
        shared
    }

    /// Starts a lookup, and the thread if none runs.
    ///
    /// # Errors
    ///
    /// The thread, its poll or its alarm could not be made. The outlet is dropped.
    pub(crate) fn start(
        self: &Arc<Self>,
        lookup: Box<Lookup>,
        outlet: Outlet,
        timeout: Option<Duration>,
    ) -> io::Result<LookupId> {
        let shared = self.of_this_process();
        let mut state = shared.lock();
        if state.waker.is_none() {
            state.waker = Some(shared.spawn()?);
            state.is_asleep = false;
        }
        state.last_lookup.0 += 1;
        let id = state.last_lookup;
        push(state, Command::Lookup { id, lookup, outlet, timeout });
        Ok(id)
    }

    /// Tells the thread something about a lookup. Without a thread there is no lookup to tell of.
    pub(crate) fn tell(self: &Arc<Self>, command: Command) {
        let state = self.of_this_process().lock();
        if state.waker.is_some() {
            push(state, command);
        }
    }

    /// Whether a lookup that was started is this process's own. One that the process it was forked off
    /// had started is carried on there, and never ends here.
    pub(crate) fn has_started(self: &Arc<Self>, id: LookupId) -> bool {
        id > self.of_this_process().first_lookup
    }

    pub(crate) fn stats(self: &Arc<Self>) -> Stats {
        let shared = self.of_this_process();
        shared.counters.stats(shared.cache.as_deref().map(Cache::figures).unwrap_or_default())
    }

    /// For readers, which never wait: after a fork it is the parent's, as it was then.
    pub(crate) fn cache(&self) -> Option<&Cache> {
        self.cache.as_deref()
    }

    pub(crate) fn clock(&self) -> BootClock {
        self.clock
    }

    /// From now on nameservers are asked like this, and nothing is known of them or from them.
    ///
    /// The caller makes a lookup, and waits for no lock of the cache: the thread empties it.
    pub(crate) fn reconfigure(self: &Arc<Self>, config: StubConfig) {
        let shared = self.of_this_process();
        shared.config.store(Arc::new(config));
        for cache in [&shared.cache, &self.cache].into_iter().flatten() {
            cache.start_generation();
        }
        self.tell(Command::NextGeneration);
    }

    pub(crate) fn clear_cache(self: &Arc<Self>) {
        let shared = self.of_this_process();
        if let Some(cache) = &shared.cache {
            cache.clear();
        }
        if let Some(parents) = self.cache.as_ref().filter(|_| !Arc::ptr_eq(self, shared)) {
            parents.start_generation();
        }
    }

    pub(crate) fn forget(self: &Arc<Self>, name: QueryName) {
        let shared = self.of_this_process();
        if let Some(cache) = &shared.cache {
            cache.remove(&name);
        }
        if let Some(parents) = self.cache.as_ref().filter(|_| !Arc::ptr_eq(self, shared)) {
            parents.start_generation();
        }
        // And what is on its way.
        self.tell(Command::Forget(name));
    }

    /// The last handle is gone.
    pub(crate) fn close(self: &Arc<Self>) {
        let mut state = self.of_this_process().lock();
        state.is_closing = true;
        wake(state);
    }

    fn spawn(self: &Arc<Self>) -> io::Result<Arc<mio::Waker>> {
        let poll = Poll::new()?;
        let waker = Arc::new(mio::Waker::new(poll.registry(), COMMANDS)?);
        let alarm = Alarm::new(poll.registry(), ALARM)?;
        let shared = Arc::clone(self);
        // Detached: a process that exits does not wait for its lookups.
        std::thread::Builder::new()
            .name("outrace-resolver".to_owned())
            .spawn(move || ResolverThread::new(shared, poll, alarm).run())?;
        Ok(waker)
    }

    /// A core for the configuration as it is now.
    fn stub(&self, ids: &Ids) -> Stub {
        let config = StubConfig::clone(&self.config.load());
        Stub::new(config, self.cache.clone(), ids.clone(), Arc::clone(&self.counters), os_random())
    }

    /// A panic never leaves the state half changed: each change is one assignment or one push.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn push(mut state: MutexGuard<'_, State>, command: Command) {
    state.commands.push(command);
    wake(state);
}

/// Wakes the thread if it sleeps; one wake is enough until it has slept again.
fn wake(mut state: MutexGuard<'_, State>) {
    if std::mem::take(&mut state.is_asleep) {
        let waker = state.waker.clone();
        drop(state);
        if let Some(waker) = waker {
            // An eventfd counter at its maximum is the only way to fail, and then it is awake.
            drop(waker.wake());
        }
    }
}

/// Wakes the thread when a lookup's queue has room.
struct RoomWaker {
    shared: Arc<Shared>,
    id: LookupId,
}

impl Wake for RoomWaker {
    fn wake(self: Arc<Self>) {
        self.shared.tell(Command::Room(self.id));
    }
}

struct ResolverThread {
    shared: Arc<Shared>,
    poll: Poll,
    alarm: Alarm,
    core: Generations,
    ids: Ids,
    network: Network,
    outlets: IdMap<LookupId, Outlet>,
    /// Lookups whose queue another thread held locked: tried again in the next turn.
    held: Vec<LookupId>,
    /// Fired at the end of the turn: each may give the processor to the one who is woken.
    wakes: Vec<Waker>,
    turns_without_poll: u8,
}

impl ResolverThread {
    fn new(shared: Arc<Shared>, poll: Poll, alarm: Alarm) -> Self {
        let ids = Ids::default();
        let core = Generations::new(shared.stub(&ids));
        Self {
            shared,
            poll,
            alarm,
            core,
            ids,
            network: Network::default(),
            outlets: IdMap::default(),
            held: Vec::new(),
            wakes: Vec::new(),
            turns_without_poll: 0,
        }
    }

    fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS_PER_TURN);
        let mut commands = Vec::new();
        loop {
            let is_over = self.take_commands(&mut commands);
            let now = self.shared.clock.now();
            for command in commands.drain(..) {
                self.handle_command(command, now);
            }
            if is_over {
                return;
            }
            self.core.handle_timeout(now);
            self.flush(now);
            self.deliver(now);
            self.fire_wakes();
            self.wait(&mut events);
        }
    }

    /// Takes the commands. Returns whether the thread is no longer needed.
    fn take_commands(&mut self, commands: &mut Vec<Command>) -> bool {
        let mut state = self.shared.lock();
        state.is_asleep = false;
        std::mem::swap(&mut state.commands, commands);
        let is_over = state.is_closing && commands.is_empty() && self.core.is_idle();
        if is_over {
            state.waker = None;
        }
        is_over
    }

    fn handle_command(&mut self, command: Command, now: Instant) {
        match command {
            Command::Lookup { id, lookup, outlet, timeout } => {
                self.outlets.insert(id, outlet);
                // Longer than the clock can tell is no limit.
                let deadline = timeout.and_then(|timeout| now.checked_add(timeout));
                self.core.handle_lookup(id, lookup, deadline, now);
            }
            Command::Cancel(id) => self.core.handle_cancel(id, now),
            Command::Gone(id) => self.forget(id, now),
            Command::Room(id) => self.offer(id, now),
            Command::Refresh(questions) => self.core.handle_refresh(questions, now),
            Command::Forget(name) => self.core.handle_forget(&name),
            Command::NextGeneration => {
                let next = self.shared.stub(&self.ids);
                self.core.handle_next(next, now);
                // What came from the last one since the callers were told.
                if let Some(cache) = self.shared.cache() {
                    cache.clear();
                }
            }
            #[cfg(test)]
            Command::Die => panic!("the resolver thread dies, as a test wants it to"),
        }
    }

    /// Does what the core asks of the network.
    fn flush(&mut self, now: Instant) {
        self.network.flush(&mut self.core, self.poll.registry(), now);
    }

    fn deliver(&mut self, now: Instant) {
        for id in std::mem::take(&mut self.held) {
            self.offer(id, now);
        }
        while let Some(id) = self.core.poll_ready() {
            self.offer(id, now);
            self.flush(now);
        }
    }

    /// A waker is a consumer's code: if it panics, the others are woken all the same.
    fn fire_wakes(&mut self) {
        for waker in self.wakes.drain(..) {
            drop(catch_unwind(AssertUnwindSafe(|| waker.wake())));
        }
    }

    /// Hands a lookup's results over, as far as its queue has room.
    fn offer(&mut self, id: LookupId, now: Instant) {
        let Some(outlet) = self.outlets.get_mut(&id) else { return };
        let Some(lookup) = self.core.lookup_mut(id) else { return };
        let shared = &self.shared;
        let wakes = &mut self.wakes;
        // Items with a tag are made by the caller's `Clone`: its panic ends this lookup alone.
        let offer = catch_unwind(AssertUnwindSafe(|| {
            let (results, end) = (&mut lookup.results, &mut lookup.end);
            let offer = outlet.offer(results, end, Waker::noop(), wakes);
            if offer != Offer::Full {
                return offer;
            }
            // Most lookups never fill their queue, so the waker is made for those that do.
            let room = Waker::from(Arc::new(RoomWaker { shared: Arc::clone(shared), id }));
            outlet.offer(results, end, &room, wakes)
        }));
        let Ok(offer) = offer else { return self.forget(id, now) };
        match offer {
            Offer::Taken if lookup.has_ended => self.forget(id, now),
            Offer::Taken | Offer::Full => {}
            Offer::Held => self.held.push(id),
            Offer::Closed => self.forget(id, now),
            Offer::Canceled if lookup.has_ended && lookup.end.is_none() => self.forget(id, now),
            Offer::Canceled => self.core.handle_cancel(id, now),
        }
    }

    fn forget(&mut self, id: LookupId, now: Instant) {
        self.core.handle_gone(id, now);
        if let Some(outlet) = self.outlets.remove(&id) {
            // It may have items and a tag of the caller's in it.
            drop(catch_unwind(AssertUnwindSafe(|| drop(outlet))));
        }
    }

    fn wait(&mut self, events: &mut Events) {
        let mut timeout = self.alarm.arm(&self.shared.clock, self.core.poll_timeout());
        let is_busy = !self.held.is_empty() || self.network.has_unread();
        {
            let mut state = self.shared.lock();
            let has_commands = !state.commands.is_empty();
            if has_commands && self.turns_without_poll < MAX_TURNS_WITHOUT_POLL {
                self.turns_without_poll += 1;
                return;
            }
            if is_busy || has_commands || state.is_closing && self.core.is_idle() {
                timeout = Some(Duration::ZERO);
            } else {
                state.is_asleep = true;
            }
        }
        self.turns_without_poll = 0;
        if !self.held.is_empty() {
            // Whoever holds the lock may be waiting for this very processor.
            std::thread::yield_now();
        }
        // A signal ends the wait early, and the turn goes round once more.
        if self.poll.poll(events, timeout).is_err() {
            return;
        }
        let now = self.shared.clock.now();
        for event in &*events {
            match event.token() {
                COMMANDS => {}
                ALARM => self.alarm.handle_event(),
                token => self.network.handle_event(
                    SocketEvent::new(token, event),
                    &mut self.core,
                    self.poll.registry(),
                    now,
                ),
            }
        }
        self.network.handle_unread(&mut self.core, self.poll.registry(), now);
    }
}

impl Drop for ResolverThread {
    /// A thread that dies of a panic leaves no lookup without its `End`: the outlets see to that
    /// when they are dropped, those in commands not yet taken included. The next lookup starts
    /// another thread.
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.waker = None;
        let commands = std::mem::take(&mut state.commands);
        drop(state);
        drop(commands);
    }
}
