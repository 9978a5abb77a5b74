//! The configuration of one resolver: its settings and files, read when it is built and again when
//! they change.

use std::borrow::Cow;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::Poll;
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, Guard};

use super::files::{FromFile, as_read, fingerprint, is_outdated, read_hosts, read_resolv_conf};
use super::hosts::Hosts;
use super::name_routes::NameRoutes;
use super::native::NativeSource;
use super::native::source;
use super::native::watch::{Effect, NativeWatch, Reading};
use super::reader_thread::ReaderThread;
use super::reload::{
    CHECK_INTERVAL, Fingerprint, MIN_SUSPENSION, Trust, URGENT_CHECK_INTERVAL, Watch,
};
use super::resolv_conf::ResolvConf;
use super::settings::{Settings, is_unconfigured};
use super::sources::{ConfRead, Sources};
use crate::resolve::diagnostic::Diagnostic;
use crate::resolve::names::local::LookupConfig;
use crate::resolve::names::search::SearchRule;
use crate::resolve::names::source::Decision;
use crate::resolve::stub::StubConfig;
use crate::trace;

/// A hosts file over this size is read on a thread of its own, when it has changed: a block list of
/// a hundred thousand names takes tens of milliseconds, a file of this size less than one.
const LARGE_HOSTS_FILE: u64 = 64 << 10;

/// The configuration of one resolver.
///
/// A reader takes the newest [`LookupConfig`] and never waits for one that is being made.
pub(crate) struct Configuration {
    settings: Settings,
    start: Instant,
    /// Milliseconds from the start until the next look at the files.
    next_check: AtomicU64,
    /// The program has said that the network is another one. It guards no other data.
    network_changed: AtomicBool,
    current: ArcSwap<LookupConfig>,
    files: Mutex<Files>,
}

/// The files as they were read last, and as they looked.
struct Files {
    conf: ResolvConf,
    conf_watch: Watch,
    /// Why there was no reading it at the start, until there is.
    conf_failure: Option<ErrorKind>,
    native: Option<Native>,
    /// Those of the program and of the machine.
    routes: Arc<NameRoutes>,
    hosts: Arc<Hosts>,
    hosts_unreadable: Option<Diagnostic>,
    hosts_watch: Watch,
    /// Reads a large hosts file, or has read it, in this process.
    hosts_reader: Option<ReaderThread<()>>,
    sources: Sources,
    /// For how long in all the machine had been suspended at the last look.
    suspended_for: Duration,
}

/// What the system says besides resolv.conf.
struct Native {
    watch: NativeWatch,
    /// Reads it, or has read it, in this process.
    reader: Option<ReaderThread<Reading>>,
    /// The network is another one since a reading was begun.
    is_outdated: bool,
}

impl Configuration {
    /// Reads the files.
    pub(crate) fn new(settings: Settings, now: Instant) -> (Self, StubConfig) {
        let (conf_path, hosts_path) = (settings.resolv_conf.as_deref(), settings.hosts.as_deref());
        // They are looked at before they are read, so that a change in between is noticed next
        // time.
        let (conf_print, hosts_print) = (fingerprint(conf_path), fingerprint(hosts_path));
        let conf = read_resolv_conf(conf_path, settings.environment);
        let hosts = read_hosts(hosts_path);
        let mut files = Files {
            conf_watch: Watch::new(as_read(conf_print, conf.unreadable.as_ref())),
            hosts_watch: Watch::new(as_read(hosts_print, hosts.unreadable.as_ref())),
            conf_failure: conf.unreadable.as_ref().and_then(Diagnostic::unreadable_kind),
            conf: conf.content,
            native: settings.native.as_deref().map(|source| Native {
                watch: NativeWatch::new(read_native(source, settings.environment, now)),
                reader: None,
                is_outdated: false,
            }),
            routes: Arc::default(),
            hosts: Arc::new(hosts.content),
            hosts_unreadable: hosts.unreadable,
            hosts_reader: None,
            sources: Sources::read(&settings),
            suspended_for: Duration::ZERO,
        };
        files.update_routes(&settings);
        let stub = settings.stub_config(&files.machine_conf(), &files.routes);
        let current = files.lookup_config(&settings);
        trace::configured(&current.diagnostics);
        let configuration = Self {
            next_check: AtomicU64::new(millis(CHECK_INTERVAL)),
            network_changed: AtomicBool::new(false),
            current: ArcSwap::from_pointee(current),
            start: now,
            settings,
            files: Mutex::new(files),
        };
        (configuration, stub)
    }

    /// The configuration as it is now.
    pub(crate) fn current(&self) -> Guard<Arc<LookupConfig>> {
        self.current.load()
    }

    /// The network is another one: the next look is due now, and begins a generation.
    pub(crate) fn handle_network_changed(&self) {
        self.network_changed.store(true, Ordering::Relaxed);
    }

    /// Looks whether the files have changed, if it is time to, and returns whether it has looked.
    /// `is_urgent` is whether no nameserver responds. `suspended_for` gives for how long in all the
    /// machine has been suspended. `next_generation` is called with the stub's configuration if
    /// nameserver state no longer holds.
    pub(crate) fn refresh(
        self: &Arc<Self>,
        now: Instant,
        is_urgent: bool,
        suspended_for: impl FnOnce() -> Duration,
        next_generation: impl FnOnce(StubConfig),
    ) -> bool {
        let at = millis(now.saturating_duration_since(self.start));
        let due = self.next_check.load(Ordering::Relaxed);
        let interval = if is_urgent { URGENT_CHECK_INTERVAL } else { CHECK_INTERVAL };
        let is_due = at + millis(CHECK_INTERVAL) >= due + millis(interval);
        if !is_due && !self.network_changed.load(Ordering::Relaxed) {
            return false;
        }
        // One caller looks; the others use the current configuration.
        let next = at + millis(CHECK_INTERVAL);
        let order = Ordering::Relaxed;
        if self.next_check.compare_exchange(due, next, order, order).is_err() {
            return false;
        }
        let mut files = match self.files.try_lock() {
            Ok(files) => files,
            Err(TryLockError::Poisoned(error)) => error.into_inner(),
            // In a forked child, the thread that holds it may not exist.
            Err(TryLockError::WouldBlock) => return false,
        };
        let is_other_network = self.network_changed.swap(false, Ordering::Relaxed)
            | files.note_suspension(suspended_for());
        let native = self.reload_native(&mut files, is_other_network, now);
        let is_new_conf = files.reload_conf(&self.settings) || native == Effect::Lookups;
        let is_new_hosts = self.reload_hosts(&mut files);
        let is_new_order = files.sources.reload(&self.settings);
        let is_new = is_new_conf || is_new_hosts || is_new_order || native == Effect::Diagnostics;
        if is_new_conf {
            files.update_routes(&self.settings);
        }
        if is_new {
            self.current.store(Arc::new(files.lookup_config(&self.settings)));
        }
        if is_new_conf || is_other_network {
            // Under the lock, so that the newest configuration is the last one.
            next_generation(self.settings.stub_config(&files.machine_conf(), &files.routes));
        }
        drop(files);
        if is_new {
            trace::configured(&self.current().diagnostics);
        }
        true
    }

    /// Reads the hosts file if it has changed, or may have another meaning now. Returns whether
    /// that changed anything by now.
    fn reload_hosts(self: &Arc<Self>, files: &mut Files) -> bool {
        let Some(path) = self.settings.hosts.as_deref() else { return false };
        let seen = fingerprint(Some(path));
        if files.is_reading_hosts() {
            return false;
        }
        let has_changed = files.hosts_watch.has_changed(&seen);
        if !has_changed && !is_outdated(&files.hosts) {
            return false;
        }
        if !matches!(seen, Fingerprint::File { len, .. } if len > LARGE_HOSTS_FILE) {
            return files.take_hosts(path, seen, read_hosts(Some(path)), has_changed);
        }
        let (this, path) = (Arc::clone(self), PathBuf::from(path));
        let read = move || {
            let hosts = read_hosts(Some(&path));
            let mut files = this.lock();
            if files.take_hosts(&path, seen, hosts, has_changed) {
                this.current.store(Arc::new(files.lookup_config(&this.settings)));
                drop(files);
                trace::configured(&this.current().diagnostics);
            }
        };
        // Without a thread the next look tries again.
        files.hosts_reader = ReaderThread::start("outrace-hosts", read, || {});
        false
    }

    /// Takes what the system says now besides resolv.conf, if it has been read, or has it read on a
    /// thread of its own: that takes milliseconds, and may wait for another process. On another
    /// network it is read, whatever its fingerprint, and what was begun to be read before is not
    /// enough.
    fn reload_native(
        self: &Arc<Self>,
        files: &mut Files,
        is_other_network: bool,
        now: Instant,
    ) -> Effect {
        let (Some(native), Some(source)) = (&mut files.native, &self.settings.native) else {
            return Effect::None;
        };
        native.is_outdated |= is_other_network;
        let mut effect = Effect::None;
        match native.reader.as_ref().map(ReaderThread::poll) {
            Some(Poll::Pending) => return Effect::None,
            Some(Poll::Ready(reading)) => {
                native.reader = None;
                if let Some(reading) = reading {
                    effect = native.watch.handle_read(reading);
                    if !native.is_outdated {
                        return effect;
                    }
                }
            }
            None => {}
        }
        if !native.is_outdated {
            // What it says is for the nameservers. The operating system's own lookups take of it
            // whether there is a search list, as it was on the network's last change.
            let is_of_use = self.current().sources.may_ask_nameservers();
            if !is_of_use || !native.watch.is_due(source.fingerprint().as_deref(), now) {
                return effect;
            }
        }
        let (this, source) = (Arc::clone(self), Arc::clone(source));
        let read = move || read_native(&*source, this.settings.environment, now);
        let this = Arc::clone(self);
        // The next lookup is to have it, and not the one after the next five seconds.
        let tell = move || this.next_check.store(0, Ordering::Relaxed);
        native.reader = ReaderThread::start("outrace-config", read, tell);
        // Without a thread the next look tries again.
        native.is_outdated &= native.reader.is_none();
        effect
    }

    fn lock(&self) -> MutexGuard<'_, Files> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Files {
    fn lookup_config(&self, settings: &Settings) -> LookupConfig {
        let conf = self.machine_conf();
        let mut diagnostics = conf.diagnostics.clone();
        let is_missing = self.conf_watch.is_missing();
        let read = ConfRead { conf: &self.conf, failure: self.conf_failure, is_missing };
        let Decision { rules, reasons } = self.sources.decide(settings, read);
        if rules.may_ask_nameservers() {
            if settings.is_without_nameserver(&conf, &self.routes) {
                diagnostics.push(Diagnostic::no_default_nameserver());
            } else if is_unconfigured(&conf, &self.routes) {
                diagnostics.push(Diagnostic::no_nameserver());
            }
        }
        diagnostics.extend(self.hosts.diagnostics().iter().cloned());
        diagnostics.extend(self.hosts_unreadable.clone());
        diagnostics.extend(settings.program_hosts.diagnostics());
        diagnostics.extend(settings.program_routes.diagnostics());
        if self.routes.omitted() > 0 {
            diagnostics.push(Diagnostic::too_many_routes(self.routes.omitted()));
        }
        diagnostics.extend(self.sources.diagnostics().cloned());
        diagnostics.extend(reasons);
        let hosts = Arc::clone(&self.hosts);
        let config = settings.lookup_config(&conf, hosts, &self.routes, diagnostics);
        // Of a file that there is no reading, the operating system may know more.
        let system_search =
            config.system_search.or(self.conf_failure.map(|_| SearchRule::default()));
        LookupConfig { sources: rules, system_search, ..config }
    }

    /// Makes the routes of what the machine says now.
    fn update_routes(&mut self, settings: &Settings) {
        self.routes = settings.name_routes(&self.machine_conf().routes).into();
    }

    /// resolv.conf, and what the system says besides.
    fn machine_conf(&self) -> Cow<'_, ResolvConf> {
        match &self.native {
            Some(native) => Cow::Owned(native.watch.config().amend(&self.conf)),
            None => Cow::Borrowed(&self.conf),
        }
    }

    /// Whether the machine was suspended since the last look for so long that the network may be
    /// another one.
    fn note_suspension(&mut self, suspended_for: Duration) -> bool {
        let before = std::mem::replace(&mut self.suspended_for, suspended_for);
        suspended_for.saturating_sub(before) >= MIN_SUSPENSION
    }

    fn is_reading_hosts(&self) -> bool {
        self.hosts_reader.as_ref().is_some_and(ReaderThread::is_at_work)
    }

    fn reload_conf(&mut self, settings: &Settings) -> bool {
        let Some(path) = settings.resolv_conf.as_deref() else { return false };
        let before = fingerprint(Some(path));
        let has_changed = self.conf_watch.has_changed(&before);
        // resolv.conf(5): "Disable automatic reloading of a changed configuration file." What an
        // unchanged one means is still up to the machine.
        let may_be_read =
            if has_changed { !self.conf.options.no_reload } else { self.conf.depends_on_machine };
        if !may_be_read {
            return false;
        }
        let read = read_resolv_conf(Some(path), settings.environment);
        if read.unreadable.is_some() {
            return false;
        }
        if !has_changed {
            // An interface was made, or the host name was set. A file that was changed meanwhile is
            // judged at the next look.
            let is_new = read.content != self.conf && fingerprint(Some(path)) == before;
            if is_new {
                self.conf = read.content;
            }
            return is_new;
        }
        // With nameservers from elsewhere, the file need not have any.
        let makes_sense =
            read.content.has_nameserver || self.routes.has_root() && has_text(&before);
        let trust = self.conf_watch.judge(before, &fingerprint(Some(path)), makes_sense);
        if trust == Trust::Believed {
            (self.conf, self.conf_failure) = (read.content, None);
        }
        trust == Trust::Believed
    }

    /// Takes a hosts file that was read because it has changed, or else because of the interfaces
    /// that it names. Returns whether it takes effect.
    fn take_hosts(
        &mut self,
        path: &Path,
        before: Fingerprint,
        read: FromFile<Hosts>,
        has_changed: bool,
    ) -> bool {
        if read.unreadable.is_some() {
            return false;
        }
        let after = fingerprint(Some(path));
        let takes_effect = if has_changed {
            let makes_sense = !read.content.is_empty();
            self.hosts_watch.judge(before, &after, makes_sense) == Trust::Believed
        } else {
            // A file that was changed meanwhile is judged at the next look.
            after == before
        };
        if takes_effect {
            (self.hosts, self.hosts_unreadable) = (Arc::new(read.content), None);
        }
        takes_effect
    }
}

/// It is looked at before it is read, so that a change in between is noticed next time.
fn read_native(source: &dyn NativeSource, use_environment: bool, at: Instant) -> Reading {
    let fingerprint = source.fingerprint();
    Reading { config: source::read(source, use_environment), fingerprint, at }
}

fn has_text(file: &Fingerprint) -> bool {
    matches!(file, Fingerprint::File { len, .. } if *len > 0)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
