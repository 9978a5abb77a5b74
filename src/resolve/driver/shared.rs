//! What callers and the resolver thread share: the commands, and what wakes the thread.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Wake;
use std::time::Duration;

use arc_swap::ArcSwap;

use super::clock::BootClock;
use super::random::os_random;
use super::result_sink::ResultSink;
use crate::process::ProcessId;
use crate::resolve::CacheOptions;
use crate::resolve::error::RecordType;
use crate::resolve::stats::Counters;
use crate::resolve::stub::cache::Cache;
use crate::resolve::stub::ids::{Ids, LookupId};
use crate::resolve::stub::lookup::Lookup;
use crate::resolve::stub::query::resend_spread;
use crate::resolve::stub::{Stub, StubConfig};
use crate::resolve::system::{Call, CallOutcome};
use crate::resolve::watch::LookupWatch;
use crate::resolve::wire::query_name::QueryName;
use crate::route::Route;

/// More lookups than a process makes in a lifetime, and room for as many forks in a row.
const LOOKUPS_PER_PROCESS: u64 = 1 << 48;

/// What callers and the thread of one process share.
pub(super) struct DriverShared {
    /// Read without a lock, so that a forked child can copy it.
    pub(super) config: ArcSwap<StubConfig>,
    pub(super) cache: Option<Arc<Cache>>,
    pub(super) clock: BootClock,
    /// Which way the packets of the thread's sockets take.
    pub(super) route: Route,
    /// Calls to the operating system that run at once.
    pub(super) system_threads: usize,
    pub(super) make_call: MakeCall,
    pub(super) counters: Arc<Counters>,
    /// Whether no nameserver is in good standing. It guards no other data.
    pub(super) is_forsaken: AtomicBool,
    /// Whether a question has failed without any response since a caller looked at the files. It
    /// guards no other data.
    pub(super) has_outage: AtomicBool,
    inbox: Mutex<Inbox>,
    /// The process that made it.
    process: ProcessId,
    /// Lookups up to this id have no thread here: those of the parent of a forked child, and those
    /// of a thread that was given up.
    last_orphan: AtomicU64,
}

/// How a call is made: by `getaddrinfo`, but for tests.
pub(crate) type MakeCall = Arc<dyn Fn(&Call) -> CallOutcome + Send + Sync>;

/// What the thread of a resolver is given for its whole life.
#[derive(Clone)]
pub(crate) struct DriverOptions {
    /// `None`: no cache.
    pub(crate) cache: Option<CacheOptions>,
    pub(crate) route: Route,
    pub(crate) system_threads: usize,
    pub(crate) make_call: MakeCall,
}

/// The commands for the thread, and what is needed to wake it.
#[derive(Default)]
pub(super) struct Inbox {
    pub(super) commands: VecDeque<Command>,
    /// The running thread's; `None` while none runs.
    pub(super) waker: Option<Arc<mio::Waker>>,
    /// The thread waits in its poll, or is about to: a command must wake it.
    pub(super) is_asleep: bool,
    /// No handle is left: the thread ends with its last lookup.
    pub(super) is_closing: bool,
    pub(super) last_lookup: LookupId,
}

/// A command for the resolver thread.
pub(crate) enum Command {
    Lookup {
        id: LookupId,
        lookup: Box<Lookup>,
        sink: ResultSink,
        timeout: Option<Duration>,
        watch: Option<Box<LookupWatch>>,
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
    /// Drop what the operating system has found; the cache is cleared.
    Clear,
    /// A call to the operating system has come back.
    Called(Call, CallOutcome),
    /// The configuration or the network has changed.
    NextGeneration,
    /// Panic.
    #[cfg(test)]
    Die,
}

impl Inbox {
    /// Whether its commands are for the thread that this wakes.
    pub(super) fn is_of(&self, waker: &Arc<mio::Waker>) -> bool {
        self.waker.as_ref().is_some_and(|current| Arc::ptr_eq(current, waker))
    }
}

impl DriverShared {
    pub(super) fn new(
        config: Arc<StubConfig>,
        options: DriverOptions,
        clock: BootClock,
        last_orphan: LookupId,
    ) -> Self {
        let DriverOptions { cache, route, system_threads, make_call } = options;
        Self {
            config: ArcSwap::new(config),
            cache: cache.map(|options| Arc::new(Cache::new(options))),
            clock,
            route,
            system_threads,
            make_call,
            counters: Arc::default(),
            is_forsaken: AtomicBool::new(false),
            has_outage: AtomicBool::new(false),
            inbox: Mutex::new(Inbox { last_lookup: last_orphan, ..Inbox::default() }),
            process: ProcessId::current(),
            last_orphan: AtomicU64::new(last_orphan.0),
        }
    }

    /// The same for a forked child, with ids that no lookup of the parent has.
    pub(super) fn for_child(&self) -> Self {
        let last_orphan = LookupId(self.last_orphan().0 + LOOKUPS_PER_PROCESS);
        let options = DriverOptions {
            cache: self.cache.as_ref().map(|cache| cache.options().clone()),
            route: self.route.clone(),
            system_threads: self.system_threads,
            make_call: Arc::clone(&self.make_call),
        };
        Self::new(self.config.load_full(), options, self.clock, last_orphan)
    }

    /// Sends a command to the thread, if one runs.
    pub(super) fn send(&self, command: Command) {
        let inbox = self.lock();
        if inbox.waker.is_some() {
            self.push(inbox, command);
        }
    }

    /// Sends a command to the thread that this wakes, if it still runs.
    pub(super) fn send_to(&self, waker: &Arc<mio::Waker>, command: Command) {
        let inbox = self.lock();
        if inbox.is_of(waker) {
            self.push(inbox, command);
        }
    }

    pub(super) fn push(&self, mut inbox: MutexGuard<'_, Inbox>, command: Command) {
        inbox.commands.push_back(command);
        self.wake(inbox);
    }

    /// Wakes the thread if it sleeps; one wake is enough until it has slept again.
    pub(super) fn wake(&self, mut inbox: MutexGuard<'_, Inbox>) {
        if std::mem::take(&mut inbox.is_asleep)
            && let Some(waker) = inbox.waker.clone()
        {
            drop(inbox);
            if waker.wake().is_err() {
                self.give_up(&waker);
            }
        }
    }

    /// Gives up a thread that cannot be woken, since the program has closed its descriptors. The
    /// commands for it are dropped, and its lookups end at their next poll, or when its own clock
    /// wakes it: then it ends. The next lookup starts another thread.
    fn give_up(&self, waker: &Arc<mio::Waker>) {
        let mut inbox = self.lock();
        if inbox.is_of(waker) {
            inbox.waker = None;
            self.last_orphan.store(inbox.last_lookup.0, Ordering::Relaxed);
            let commands = std::mem::take(&mut inbox.commands);
            drop(inbox);
            drop(commands);
        }
    }

    /// The last lookup without a thread. It guards no other data: a caller that reads the value of
    /// before polls once more when the thread ends.
    pub(super) fn last_orphan(&self) -> LookupId {
        LookupId(self.last_orphan.load(Ordering::Relaxed))
    }

    /// A stub for the configuration as it is now.
    pub(super) fn stub(&self, ids: &Ids) -> Stub {
        let config = StubConfig::clone(&self.config.load());
        let (cache, counters) = (self.cache.clone(), Arc::clone(&self.counters));
        Stub::new(config, cache, ids.clone(), counters, os_random(), resend_spread(os_random()))
    }

    /// A panic never leaves the inbox half changed: each change is one assignment or one push.
    pub(super) fn lock(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes the thread when a lookup's queue has room.
pub(super) struct RoomWaker {
    pub(super) shared: Arc<DriverShared>,
    pub(super) id: LookupId,
}

impl Wake for RoomWaker {
    fn wake(self: Arc<Self>) {
        // A forked child's copy of the queue has a copy of this waker, but the thread is the
        // parent's.
        if self.shared.process.is_current() {
            self.shared.send(Command::Room(self.id));
        }
    }
}
