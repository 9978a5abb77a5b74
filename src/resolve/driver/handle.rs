//! The callers' side of the resolver thread: commands go in here, and the first one starts the
//! thread.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::clock::BootClock;
use super::result_sink::ResultSink;
use super::shared::{Command, DriverOptions, DriverShared};
use super::thread;
use crate::HostName;
use crate::process::PerProcess;
use crate::resolve::config::name_routes::{ChosenRoute, NameRoute, RouteTarget};
use crate::resolve::stats::Stats;
use crate::resolve::stub::StubConfig;
use crate::resolve::stub::cache::Cache;
use crate::resolve::stub::ids::LookupId;
use crate::resolve::stub::lookup::Lookup;
use crate::resolve::watch::LookupWatch;
use crate::resolve::wire::query_name::QueryName;

/// The resolver thread of one resolver, as callers see it. Each process has its own.
pub(crate) struct DriverHandle {
    shared: PerProcess<Arc<DriverShared>>,
}

impl DriverHandle {
    pub(crate) fn new(config: StubConfig, options: DriverOptions, clock: BootClock) -> Self {
        let shared = DriverShared::new(config.into(), options, clock, LookupId(0));
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
        mut sink: ResultSink,
        timeout: Option<Duration>,
        watch: Option<Box<LookupWatch>>,
    ) -> io::Result<LookupId> {
        let shared = self.shared();
        let mut inbox = shared.lock();
        if inbox.waker.is_none() {
            inbox.waker = Some(thread::spawn(shared)?);
            inbox.is_asleep = false;
        }
        sink.handle_started();
        inbox.last_lookup.0 += 1;
        let id = inbox.last_lookup;
        shared.push(inbox, Command::Lookup { id, lookup, sink, timeout, watch });
        Ok(id)
    }

    /// Sends a command to the thread, if one runs: without a thread there is no lookup.
    pub(crate) fn send(&self, command: Command) {
        self.shared().send(command);
    }

    /// Whether a lookup has a thread that will end it. One that the parent of a forked child
    /// started goes on in the parent, and never ends here; nor does one whose thread was given up.
    pub(crate) fn has_thread(&self, id: LookupId) -> bool {
        id > self.shared().last_orphan()
    }

    /// Whether no nameserver is in good standing, as far as the thread has told. In a forked child,
    /// as its parent's thread had told.
    pub(crate) fn is_forsaken(&self) -> bool {
        self.shared.original().is_forsaken.load(Ordering::Relaxed)
    }

    /// Whether a question has failed without any response since the last
    /// [`forget_outage`](Self::forget_outage). In a forked child, as its parent's thread had told.
    pub(crate) fn has_outage(&self) -> bool {
        self.shared.original().has_outage.load(Ordering::Relaxed)
    }

    /// The files were looked at. A failure at this moment may be forgotten with the earlier ones:
    /// the next one is not.
    pub(crate) fn forget_outage(&self) {
        let has_outage = &self.shared.original().has_outage;
        if has_outage.load(Ordering::Relaxed) {
            has_outage.store(false, Ordering::Relaxed);
        }
    }

    pub(crate) fn stats(&self) -> Stats {
        let shared = self.shared();
        shared.counters.stats(shared.cache.as_deref().map(Cache::figures).unwrap_or_default())
    }

    /// The cache, for readers, which never wait. In a forked child it is the parent's, as it was
    /// when the child was forked off.
    pub(crate) fn cache(&self) -> Option<&Cache> {
        self.shared.original().cache.as_deref()
    }

    /// The nameservers of the configuration, for `Debug`. In a forked child, those of its parent.
    pub(crate) fn nameservers(&self) -> Vec<SocketAddr> {
        self.shared.original().config.load().nameservers.clone()
    }

    /// The route of a name.
    pub(crate) fn route_of(&self, name: &HostName) -> ChosenRoute {
        let config = self.shared().config.load();
        match config.routes.find(&QueryName::from(name)) {
            Some(index) => {
                let NameRoute { suffix, to, .. } = &config.routes.routes()[index];
                ChosenRoute { suffix: suffix.clone(), target: to.clone() }
            }
            None => {
                let target = RouteTarget::Nameservers(config.nameservers.clone());
                ChosenRoute { suffix: None, target }
            }
        }
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
        shared.send(Command::Clear);
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
        let shared = self.shared();
        let mut inbox = shared.lock();
        inbox.is_closing = true;
        shared.wake(inbox);
    }
}
