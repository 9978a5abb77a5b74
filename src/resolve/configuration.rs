//! What lookups are made with: read when the resolver is made, and again when the files change.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, Guard};

use super::builder::ResolverBuilder;
use super::diagnostic::Diagnostic;
use super::hosts::Hosts;
use super::reload::{CHECK_INTERVAL, Fingerprint, SUSPENDED, Verdict, Watch};
use super::resolv_conf::ResolvConf;
use super::stub::StubConfig;
use super::system::{fingerprint, read_hosts, read_resolv_conf};
use crate::{HostName, trace};

/// A hosts file over this size is read on a thread of its own, when it has changed: a block list of
/// a hundred thousand names takes tens of milliseconds, a file of this size less than one.
const LARGE_HOSTS_FILE: u64 = 64 << 10;

/// What the callers of lookups need of the configuration.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    pub(super) hosts: Arc<Hosts>,
    pub(super) search: Arc<[HostName]>,
    pub(super) ndots: u8,
    pub(super) no_aaaa: bool,
    pub(super) no_tld_query: bool,
    pub(super) diagnostics: Vec<Diagnostic>,
}

/// The configuration of one resolver.
///
/// A reader takes the newest snapshot and never waits for one that is being made.
pub(super) struct Configuration {
    recipe: ResolverBuilder,
    start: Instant,
    /// Milliseconds from the start until the next look at the files.
    next_check: AtomicU64,
    snapshot: ArcSwap<Snapshot>,
    state: Mutex<State>,
}

/// What was read last, and what is known of the files.
struct State {
    conf: ResolvConf,
    conf_watch: Watch,
    hosts: Arc<Hosts>,
    hosts_unreadable: Option<Diagnostic>,
    hosts_watch: Watch,
    /// A large hosts file is being read.
    is_reading_hosts: bool,
    /// How long the machine had been suspended since the start, at the last look.
    asleep: Duration,
}

impl Configuration {
    /// Reads the files.
    pub(super) fn new(recipe: ResolverBuilder, now: Instant) -> (Self, StubConfig) {
        let (conf_path, hosts_path) = (recipe.resolv_conf_path(), recipe.hosts_path());
        // Looked at before they are read: what changes meanwhile is seen the next time.
        let conf_watch = Watch::new(fingerprint(conf_path));
        let hosts_watch = Watch::new(fingerprint(hosts_path));
        let conf = read_resolv_conf(conf_path, recipe.uses_environment());
        let (hosts, hosts_unreadable) = read_hosts(hosts_path);
        let state = State {
            conf,
            conf_watch,
            hosts: Arc::new(hosts),
            hosts_unreadable,
            hosts_watch,
            is_reading_hosts: false,
            asleep: Duration::ZERO,
        };
        let stub = recipe.stub_config(&state.conf);
        let configuration = Self {
            next_check: AtomicU64::new(millis(CHECK_INTERVAL)),
            snapshot: ArcSwap::from_pointee(state.snapshot(&recipe)),
            start: now,
            recipe,
            state: Mutex::new(state),
        };
        (configuration, stub)
    }

    pub(super) fn snapshot(&self) -> Guard<Arc<Snapshot>> {
        self.snapshot.load()
    }

    /// Looks whether the files have changed, if it is time to. `asleep` tells for how long the
    /// machine was suspended since the start. Returns how nameservers are to be asked from now on,
    /// if what is known of them is worth nothing any more.
    pub(super) fn check(
        self: &Arc<Self>,
        now: Instant,
        asleep: impl FnOnce() -> Duration,
    ) -> Option<StubConfig> {
        let at = millis(now.saturating_duration_since(self.start));
        let due = self.next_check.load(Ordering::Relaxed);
        if at < due {
            return None;
        }
        // One caller looks, the others go on with what there is.
        let next = at + millis(CHECK_INTERVAL);
        let order = Ordering::Relaxed;
        self.next_check.compare_exchange(due, next, order, order).ok()?;
        // In a process that was forked off, its holder may not exist.
        let mut state = self.state.try_lock().ok()?;
        let has_slept = state.note_asleep(asleep());
        let is_new_conf = state.reload_conf(&self.recipe);
        let is_new_hosts = self.reload_hosts(&mut state);
        if is_new_conf || is_new_hosts {
            self.snapshot.store(Arc::new(state.snapshot(&self.recipe)));
        }
        (is_new_conf || has_slept).then(|| self.recipe.stub_config(&state.conf))
    }

    /// Reads the hosts file if it has changed. Returns whether that changed anything by now.
    fn reload_hosts(self: &Arc<Self>, state: &mut State) -> bool {
        let Some(path) = self.recipe.hosts_path() else { return false };
        let seen = fingerprint(Some(path));
        if state.is_reading_hosts || !state.hosts_watch.has_changed(&seen) {
            return false;
        }
        if !matches!(seen, Fingerprint::File { len, .. } if len > LARGE_HOSTS_FILE) {
            return state.take_hosts(path, seen);
        }
        let (this, path) = (Arc::clone(self), PathBuf::from(path));
        let thread = std::thread::Builder::new().name("outrace-hosts".to_owned());
        let started = thread.spawn(move || {
            let (hosts, unreadable) = read_hosts(Some(&path));
            let mut state = this.lock();
            state.is_reading_hosts = false;
            if state.judge_hosts(&path, seen, hosts, unreadable) {
                this.snapshot.store(Arc::new(state.snapshot(&this.recipe)));
            }
        });
        // Without a thread the next look tries again.
        state.is_reading_hosts = started.is_ok();
        false
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn snapshot(&self, recipe: &ResolverBuilder) -> Snapshot {
        let mut diagnostics = self.conf.diagnostics.clone();
        diagnostics.extend(self.hosts.diagnostics().iter().cloned());
        diagnostics.extend(self.hosts_unreadable.clone());
        trace::configured(&diagnostics);
        recipe.snapshot(&self.conf, Arc::clone(&self.hosts), diagnostics)
    }

    /// Whether the machine has slept long enough since the last look to have woken up elsewhere.
    fn note_asleep(&mut self, asleep: Duration) -> bool {
        let before = std::mem::replace(&mut self.asleep, asleep);
        asleep.saturating_sub(before) >= SUSPENDED
    }

    fn reload_conf(&mut self, recipe: &ResolverBuilder) -> bool {
        let Some(path) = recipe.resolv_conf_path() else { return false };
        // resolv.conf(5): "Disable automatic reloading of a changed configuration file."
        if self.conf.options.no_reload {
            return false;
        }
        let before = fingerprint(Some(path));
        if !self.conf_watch.has_changed(&before) {
            return false;
        }
        let conf = read_resolv_conf(Some(path), recipe.uses_environment());
        let makes_sense = conf.has_nameserver || recipe.has_nameservers();
        let verdict = self.conf_watch.judge(before, &fingerprint(Some(path)), makes_sense);
        if verdict == Verdict::Use {
            self.conf = conf;
        }
        verdict == Verdict::Use
    }

    fn take_hosts(&mut self, path: &Path, before: Fingerprint) -> bool {
        let (hosts, unreadable) = read_hosts(Some(path));
        self.judge_hosts(path, before, hosts, unreadable)
    }

    fn judge_hosts(
        &mut self,
        path: &Path,
        before: Fingerprint,
        hosts: Hosts,
        unreadable: Option<Diagnostic>,
    ) -> bool {
        // A file that was removed was meant to be; an empty one may be half written.
        let makes_sense = before == Fingerprint::Missing || !hosts.is_empty();
        let verdict = self.hosts_watch.judge(before, &fingerprint(Some(path)), makes_sense);
        if verdict == Verdict::Use {
            (self.hosts, self.hosts_unreadable) = (Arc::new(hosts), unreadable);
        }
        verdict == Verdict::Use
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
