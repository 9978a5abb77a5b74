//! What lookups are made with: read when the resolver is made, and again when the files change.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, Guard};

use super::files::{FromFile, fingerprint, read_hosts, read_resolv_conf};
use super::hosts::Hosts;
use super::reload::{CHECK_INTERVAL, Fingerprint, SUSPENDED, Verdict, Watch};
use super::resolv_conf::ResolvConf;
use crate::resolve::builder::ResolverBuilder;
use crate::resolve::diagnostic::Diagnostic;
use crate::resolve::stub::StubConfig;
use crate::{HostName, trace};

/// A hosts file over this size is read on a thread of its own, when it has changed: a block list of
/// a hundred thousand names takes tens of milliseconds, a file of this size less than one.
const LARGE_HOSTS_FILE: u64 = 64 << 10;

/// What the callers of lookups need of the configuration.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    pub(crate) hosts: Arc<Hosts>,
    pub(crate) search: Arc<[HostName]>,
    pub(crate) ndots: u8,
    pub(crate) no_aaaa: bool,
    pub(crate) no_tld_query: bool,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// The configuration of one resolver.
///
/// A reader takes the newest snapshot and never waits for one that is being made.
pub(crate) struct Configuration {
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
    /// Reads a large hosts file, or has read it.
    hosts_reader: Option<JoinHandle<()>>,
    /// How long the machine had been suspended since the start, at the last look.
    asleep: Duration,
}

impl Configuration {
    /// Reads the files.
    pub(crate) fn new(recipe: ResolverBuilder, now: Instant) -> (Self, StubConfig) {
        let (conf_path, hosts_path) = (recipe.resolv_conf_path(), recipe.hosts_path());
        // Looked at before they are read: what changes meanwhile is seen the next time.
        let (conf_print, hosts_print) = (fingerprint(conf_path), fingerprint(hosts_path));
        let conf = read_resolv_conf(conf_path, recipe.uses_environment());
        let hosts = read_hosts(hosts_path);
        let state = State {
            conf_watch: Watch::new(as_read(conf_print, conf.unreadable.as_ref())),
            hosts_watch: Watch::new(as_read(hosts_print, hosts.unreadable.as_ref())),
            conf: conf.content,
            hosts: Arc::new(hosts.content),
            hosts_unreadable: hosts.unreadable,
            hosts_reader: None,
            asleep: Duration::ZERO,
        };
        let stub = recipe.stub_config(&state.conf);
        let snapshot = state.snapshot(&recipe);
        trace::configured(&snapshot.diagnostics);
        let configuration = Self {
            next_check: AtomicU64::new(millis(CHECK_INTERVAL)),
            snapshot: ArcSwap::from_pointee(snapshot),
            start: now,
            recipe,
            state: Mutex::new(state),
        };
        (configuration, stub)
    }

    pub(crate) fn snapshot(&self) -> Guard<Arc<Snapshot>> {
        self.snapshot.load()
    }

    /// Looks whether the files have changed, if it is time to. `asleep` tells for how long the
    /// machine was suspended since the start. `next_generation` is told how nameservers are to be asked
    /// from now on, if what is known of them is worth nothing any more.
    pub(crate) fn check(
        self: &Arc<Self>,
        now: Instant,
        asleep: impl FnOnce() -> Duration,
        next_generation: impl FnOnce(StubConfig),
    ) {
        let at = millis(now.saturating_duration_since(self.start));
        let due = self.next_check.load(Ordering::Relaxed);
        if at < due {
            return;
        }
        // One caller looks, the others go on with what there is.
        let next = at + millis(CHECK_INTERVAL);
        let order = Ordering::Relaxed;
        if self.next_check.compare_exchange(due, next, order, order).is_err() {
            return;
        }
        let mut state = match self.state.try_lock() {
            Ok(state) => state,
            Err(TryLockError::Poisoned(error)) => error.into_inner(),
            // In a process that was forked off, its holder may not exist.
            Err(TryLockError::WouldBlock) => return,
        };
        let has_slept = state.note_asleep(asleep());
        let is_new_conf = state.reload_conf(&self.recipe);
        let is_new_hosts = self.reload_hosts(&mut state);
        if is_new_conf || is_new_hosts {
            self.snapshot.store(Arc::new(state.snapshot(&self.recipe)));
        }
        if is_new_conf || has_slept {
            // Under the lock, so that the newest is the last.
            next_generation(self.recipe.stub_config(&state.conf));
        }
        drop(state);
        if is_new_conf || is_new_hosts {
            trace::configured(&self.snapshot().diagnostics);
        }
    }

    /// Reads the hosts file if it has changed. Returns whether that changed anything by now.
    fn reload_hosts(self: &Arc<Self>, state: &mut State) -> bool {
        let Some(path) = self.recipe.hosts_path() else { return false };
        let seen = fingerprint(Some(path));
        if state.is_reading_hosts() || !state.hosts_watch.has_changed(&seen) {
            return false;
        }
        if !matches!(seen, Fingerprint::File { len, .. } if len > LARGE_HOSTS_FILE) {
            return state.judge_hosts(path, seen, read_hosts(Some(path)));
        }
        let (this, path) = (Arc::clone(self), PathBuf::from(path));
        let thread = std::thread::Builder::new().name("outrace-hosts".to_owned());
        let started = thread.spawn(move || {
            let hosts = read_hosts(Some(&path));
            let mut state = this.lock();
            if state.judge_hosts(&path, seen, hosts) {
                this.snapshot.store(Arc::new(state.snapshot(&this.recipe)));
                drop(state);
                trace::configured(&this.snapshot().diagnostics);
            }
        });
        // Without a thread the next look tries again.
        state.hosts_reader = started.ok();
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
        recipe.snapshot(&self.conf, Arc::clone(&self.hosts), diagnostics)
    }

    /// Whether the machine has slept long enough since the last look to have woken up elsewhere.
    fn note_asleep(&mut self, asleep: Duration) -> bool {
        let before = std::mem::replace(&mut self.asleep, asleep);
        asleep.saturating_sub(before) >= SUSPENDED
    }

    fn is_reading_hosts(&self) -> bool {
        self.hosts_reader.as_ref().is_some_and(|reader| !reader.is_finished())
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
        let read = read_resolv_conf(Some(path), recipe.uses_environment());
        if read.unreadable.is_some() {
            return false;
        }
        // With nameservers of the builder's the file may be about something else.
        let makes_sense =
            read.content.has_nameserver || recipe.has_nameservers() && has_text(&before);
        let verdict = self.conf_watch.judge(before, &fingerprint(Some(path)), makes_sense);
        if verdict == Verdict::Use {
            self.conf = read.content;
        }
        verdict == Verdict::Use
    }

    fn judge_hosts(&mut self, path: &Path, before: Fingerprint, read: FromFile<Hosts>) -> bool {
        if read.unreadable.is_some() {
            return false;
        }
        let makes_sense = !read.content.is_empty();
        let verdict = self.hosts_watch.judge(before, &fingerprint(Some(path)), makes_sense);
        if verdict == Verdict::Use {
            (self.hosts, self.hosts_unreadable) = (Arc::new(read.content), None);
        }
        verdict == Verdict::Use
    }
}

/// What a file was like that has just been read: if it could not be, it is not as it was at any look.
fn as_read(seen: Fingerprint, unreadable: Option<&Diagnostic>) -> Fingerprint {
    match unreadable {
        Some(_) => Fingerprint::Unreadable(std::io::ErrorKind::Other),
        None => seen,
    }
}

fn has_text(file: &Fingerprint) -> bool {
    matches!(file, Fingerprint::File { len, .. } if *len > 0)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
