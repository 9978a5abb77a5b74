//! The callers' side of the resolver thread: commands go in here, and the first one starts the thread.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Wake;
use std::time::Duration;

use arc_swap::ArcSwap;

use super::clock::BootClock;
use super::random::os_random;
use super::result_sink::ResultSink;
use super::thread;
use crate::process::PerProcess;
use crate::resolve::CacheOptions;
use crate::resolve::error::RecordType;
use crate::resolve::stats::{Counters, Stats};
use crate::resolve::stub::cache::Cache;
use crate::resolve::stub::ids::{Ids, LookupId};
use crate::resolve::stub::lookup::Lookup;
use crate::resolve::stub::{Stub, StubConfig};
use crate::resolve::wire::query_name::QueryName;

/// More lookups than a process makes in a lifetime, and room for as many forks in a row.
const LOOKUPS_PER_PROCESS: u64 = 1 << 48;

/// The resolver thread of one resolver, as callers see it. Each process has its own.
pub(crate) struct DriverHandle {
    shared: PerProcess<Arc<DriverShared>>,
}

/// What callers and the thread of one process share.
pub(super) struct DriverShared {
    /// Read without a lock, so that a forked child can copy it.
    config: ArcSwap<StubConfig>,
    pub(super) cache: Option<Arc<Cache>>,
    pub(super) clock: BootClock,
    counters: Arc<Counters>,
    inbox: Mutex<Inbox>,
    /// The process that made it.
    process: u32,
    /// Its lookups have ids above this one.
    first_lookup: LookupId,
}

/// The commands for the thread, and what is needed to wake it.
#[derive(Default)]
pub(super) struct Inbox {
    pub(super) commands: Vec<Command>,
    /// The running thread's; `None` while none runs.
    pub(super) waker: Option<Arc<mio::Waker>>,
    /// The thread waits in its poll, or is about to: a command must wake it.
    pub(super) is_asleep: bool,
    /// No handle is left: the thread ends with its last lookup.
    pub(super) is_closing: bool,
    last_lookup: LookupId,
}

/// A command for the resolver thread.
pub(crate) enum Command {
    Lookup {
        id: LookupId,
        lookup: Box<Lookup>,
        sink: ResultSink,
        timeout: Option<Duration>,
    },
    Cancel(LookupId),
    /// The stream was dropped.
    Abandon(LookupId),
    /// The lookup's queue has room again, or no getter is left.
    Room(LookupId),
    /// Ask these questions to refresh the cache.
    Refresh(Vec<(QueryName, RecordType)>),
    /// Do not cache the answers to questions in flight about this name.
    Forget(QueryName),
    /// The configuration or the network has changed.
    NextGeneration,
    /// Panic.
    #[cfg(test)]
    Die,
}

impl DriverHandle {
    pub(crate) fn new(config: StubConfig, cache: Option<&CacheOptions>, clock: BootClock) -> Self {
        let shared = DriverShared::new(config.into(), cache, clock, LookupId(0));
        Self { shared: PerProcess::new(shared.into()) }
    }

    fn shared(&self) -> &Arc<DriverShared> {
        self.shared.get(|parent| parent.for_child().into())
    }

    /// Starts a lookup, and the thread if none runs.
    ///
    /// # Errors
    ///
    /// The thread, its poll or its alarm could not be made. The sink is dropped.
    pub(crate) fn start(
        &self,
        lookup: Box<Lookup>,
        sink: ResultSink,
        timeout: Option<Duration>,
    ) -> io::Result<LookupId> {
        let shared = self.shared();
        let mut inbox = shared.lock();
        if inbox.waker.is_none() {
            inbox.waker = Some(thread::spawn(shared)?);
            inbox.is_asleep = false;
        }
        inbox.last_lookup.0 += 1;
        let id = inbox.last_lookup;
        push(inbox, Command::Lookup { id, lookup, sink, timeout });
        Ok(id)
    }

    /// Sends a command to the thread, if one runs: without a thread there is no lookup.
    pub(crate) fn send(&self, command: Command) {
        self.shared().send(command);
    }

    /// Whether a lookup was started in this process. One that the parent of a forked child started goes
    /// on in the parent, and never ends here.
    pub(crate) fn has_started(&self, id: LookupId) -> bool {
        id > self.shared().first_lookup
    }

    pub(crate) fn stats(&self) -> Stats {
        let shared = self.shared();
        shared.counters.stats(shared.cache.as_deref().map(Cache::figures).unwrap_or_default())
    }

    /// The cache, for readers, which never wait. In a forked child it is the parent's, as it was when
    /// the child was forked off.
    pub(crate) fn cache(&self) -> Option<&Cache> {
        self.shared.original().cache.as_deref()
    }

    /// The nameservers of the configuration, for `Debug`. In a forked child, those of its parent.
    pub(crate) fn nameservers(&self) -> Vec<SocketAddr> {
        self.shared.original().config.load().nameservers.clone()
    }

    pub(crate) fn clock(&self) -> BootClock {
        self.shared.original().clock
    }

    /// Starts a generation with this configuration and an empty cache.
    ///
    /// The caller makes a lookup, and must not wait for a lock of the cache: the thread empties it.
    pub(crate) fn reconfigure(&self, config: StubConfig) {
        let shared = self.shared();
        shared.config.store(Arc::new(config));
        for cache in [shared.cache.as_deref(), self.cache()].into_iter().flatten() {
            cache.start_generation();
        }
        shared.send(Command::NextGeneration);
    }

    /// Removes every answer from the cache.
    pub(crate) fn clear_cache(&self) {
        let shared = self.shared();
        if let Some(cache) = &shared.cache {
            cache.clear();
        }
        self.invalidate_inherited_cache(shared);
    }

    /// Removes the answers about a name from the cache.
    pub(crate) fn forget(&self, name: QueryName) {
        let shared = self.shared();
        if let Some(cache) = &shared.cache {
            cache.remove(&name);
        }
        self.invalidate_inherited_cache(shared);
        shared.send(Command::Forget(name));
    }

    /// In a forked child, ends the use of the parent's cache, whose locks must not be waited for.
    fn invalidate_inherited_cache(&self, shared: &Arc<DriverShared>) {
        let original = self.shared.original();
        if let Some(cache) = original.cache.as_ref().filter(|_| !Arc::ptr_eq(original, shared)) {
            cache.start_generation();
        }
    }

    /// Ends the thread once its last lookup has ended.
    pub(crate) fn close(&self) {
        let mut inbox = self.shared().lock();
        inbox.is_closing = true;
        wake(inbox);
    }
}

impl DriverShared {
    fn new(
        config: Arc<StubConfig>,
        cache: Option<&CacheOptions>,
        clock: BootClock,
        first_lookup: LookupId,
    ) -> Self {
        Self {
            config: ArcSwap::new(config),
            cache: cache.map(|options| Arc::new(Cache::new(options.clone()))),
            clock,
            counters: Arc::default(),
            inbox: Mutex::new(Inbox { last_lookup: first_lookup, ..Inbox::default() }),
            process: std::process::id(),
            first_lookup,
        }
    }

    /// The same for a forked child, with ids that no lookup of the parent has.
    fn for_child(&self) -> Self {
        let first_lookup = LookupId(self.first_lookup.0 + LOOKUPS_PER_PROCESS);
        let cache = self.cache.as_ref().map(|cache| cache.options());
        Self::new(self.config.load_full(), cache, self.clock, first_lookup)
    }

    fn send(&self, command: Command) {
        let inbox = self.lock();
        if inbox.waker.is_some() {
            push(inbox, command);
        }
    }

    /// A stub for the configuration as it is now.
    pub(super) fn stub(&self, ids: &Ids) -> Stub {
        let config = StubConfig::clone(&self.config.load());
        Stub::new(config, self.cache.clone(), ids.clone(), Arc::clone(&self.counters), os_random())
    }

    /// A panic never leaves the inbox half changed: each change is one assignment or one push.
    pub(super) fn lock(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn push(mut inbox: MutexGuard<'_, Inbox>, command: Command) {
    inbox.commands.push(command);
    wake(inbox);
}

/// Wakes the thread if it sleeps; one wake is enough until it has slept again.
fn wake(mut inbox: MutexGuard<'_, Inbox>) {
    if std::mem::take(&mut inbox.is_asleep) {
        let waker = inbox.waker.clone();
        drop(inbox);
        if let Some(waker) = waker {
            // An eventfd counter at its maximum is the only way to fail, and then it is awake.
            drop(waker.wake());
        }
    }
}

/// Wakes the thread when a lookup's queue has room.
pub(super) struct RoomWaker {
    pub(super) shared: Arc<DriverShared>,
    pub(super) id: LookupId,
}

impl Wake for RoomWaker {
    fn wake(self: Arc<Self>) {
        // A forked child's copy of the queue has a copy of this waker, but the thread is the parent's.
        if self.shared.process == std::process::id() {
            self.shared.send(Command::Room(self.id));
        }
    }
}
