//! What callers and the resolver thread share: the commands, and what wakes the thread.

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
use crate::resolve::stub::{Stub, StubConfig};
use crate::resolve::wire::query_name::QueryName;

/// More lookups than a process makes in a lifetime, and room for as many forks in a row.
const LOOKUPS_PER_PROCESS: u64 = 1 << 48;

/// What callers and the thread of one process share.
pub(super) struct DriverShared {
    /// Read without a lock, so that a forked child can copy it.
    pub(super) config: ArcSwap<StubConfig>,
    pub(super) cache: Option<Arc<Cache>>,
    pub(super) clock: BootClock,
    pub(super) counters: Arc<Counters>,
    inbox: Mutex<Inbox>,
    /// The process that made it.
    process: ProcessId,
    /// Its lookups have ids above this one.
    pub(super) first_lookup: LookupId,
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
    pub(super) last_lookup: LookupId,
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

impl DriverShared {
    pub(super) fn new(
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
            process: ProcessId::current(),
            first_lookup,
        }
    }

    /// The same for a forked child, with ids that no lookup of the parent has.
    pub(super) fn for_child(&self) -> Self {
        let first_lookup = LookupId(self.first_lookup.0 + LOOKUPS_PER_PROCESS);
        let cache = self.cache.as_ref().map(|cache| cache.options());
        Self::new(self.config.load_full(), cache, self.clock, first_lookup)
    }

    pub(super) fn send(&self, command: Command) {
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

pub(super) fn push(mut inbox: MutexGuard<'_, Inbox>, command: Command) {
    inbox.commands.push(command);
    wake(inbox);
}

/// Wakes the thread if it sleeps; one wake is enough until it has slept again.
pub(super) fn wake(mut inbox: MutexGuard<'_, Inbox>) {
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
        // A forked child's copy of the queue has a copy of this waker, but the thread is the
        // parent's.
        if self.shared.process == ProcessId::current() {
            self.shared.send(Command::Room(self.id));
        }
    }
}
