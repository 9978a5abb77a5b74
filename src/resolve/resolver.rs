//! [`Resolver`]: the handle that callers have.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::builder::ResolverBuilder;
use super::config::configuration::Configuration;
use super::config::settings::Settings;
use super::diagnostic::Diagnostic;
use super::driver::clock::BootClock;
use super::driver::handle::DriverHandle;
use super::driver::result_sink::{ResultSink, TaggedSink};
use super::driver::shared::Command;
use super::error::LookupError;
#[cfg(feature = "system")]
use super::names::local::Plan;
use super::names::local::{Ask, Local, local};
use super::stats::Stats;
use super::stub::ids::LookupId;
use super::stub::lookup::Lookup;
use super::watch::LookupWatch;
use super::wire::query_name::QueryName;
use super::{AddressPolicy, ChosenRoute, LookupOptions, Source};
use crate::futex_queue::Putter;
use crate::process::FirstUse;
use crate::target::IntoTarget;
use crate::trace::{self, LookupSpan};
use crate::{Host, HostName, LookupResult, LookupStream, Target, TargetError};

/// A stub resolver.
///
/// A handle: cheap to clone, `Send` and `Sync`, usable from any runtime and from none. Its thread
/// starts with the first lookup that needs it, and ends when the last handle and the last stream
/// are dropped.
#[derive(Clone)]
pub struct Resolver {
    inner: Arc<ResolverInner>,
}

/// What the handles and streams of one resolver share.
pub(crate) struct ResolverInner {
    configuration: Arc<Configuration>,
    queue_capacity: usize,
    address_policy: AddressPolicy,
    driver: DriverHandle,
}

impl Drop for ResolverInner {
    fn drop(&mut self) {
        self.driver.close();
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver")
            .field("nameservers", &self.inner.driver.nameservers())
            .field("search", &self.inner.configuration.current().search)
            .finish_non_exhaustive()
    }
}

/// A lookup after the sources that need no thread.
enum Known {
    /// All its results.
    Answered(Vec<LookupResult>),
    /// It has to go to the resolver thread.
    Pending(Box<Lookup>),
}

/// A lookup that the first poll of its stream starts.
pub(crate) struct Pending {
    pub(crate) lookup: Box<Lookup>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) watch: Option<Box<LookupWatch>>,
    pub(crate) resolver: Arc<ResolverInner>,
}

impl Resolver {
    pub(super) fn new(settings: Settings) -> Self {
        Self { inner: Arc::new(ResolverInner::new(settings)) }
    }

    /// The resolver of this process, configured by the files of this machine.
    ///
    /// # Blocking
    ///
    /// The first call reads three small local files; on Windows and macOS also what the system says
    /// besides, which takes milliseconds: network adapters and registry, or the dynamic store,
    /// which another process has, and the files in `/etc/resolver`.
    pub fn system() -> Self {
        static SYSTEM: FirstUse<Resolver> = FirstUse::new();
        SYSTEM.get_or_make(|| ResolverBuilder::new().build()).clone()
    }

    /// The settings for a resolver of the caller's own.
    pub fn builder() -> ResolverBuilder {
        ResolverBuilder::new()
    }

    /// The parts of the configuration files that could not be used, and why, as the files were last
    /// read; and why names are asked of the operating system, if they are ([`Source::Auto`]).
    pub fn diagnostics(&self) -> Vec<Diagnostic> {
        self.inner.configuration.current().diagnostics.clone()
    }

    /// Who looks this name up, as of now: [`Source::Own`] if it is answered here, or by the
    /// nameservers, or by them first and by the operating system what they do not have;
    /// [`Source::System`] if it is asked of the operating system alone. Never [`Source::Auto`].
    ///
    /// For support cases, together with [`diagnostics`](Self::diagnostics). It may look at the
    /// files, as a lookup does.
    pub fn source_for(&self, name: &HostName) -> Source {
        self.inner.refresh_configuration(self.inner.driver.clock().now());
        let config = self.inner.configuration.current();
        let policy = &self.inner.address_policy;
        match local(&name.into(), &LookupOptions::default(), &config, policy) {
            #[cfg(feature = "system")]
            Local::Ask(Ask { plan: Plan::System(_), .. }) => Source::System,
            _ => Source::Own,
        }
    }

    /// A snapshot of the counters of this resolver.
    pub fn stats(&self) -> Stats {
        self.inner.driver.stats()
    }

    /// Removes every answer from the cache. Answers to questions in flight still reach the lookups
    /// that wait for them, and are not cached.
    pub fn clear_cache(&self) {
        self.inner.driver.clear_cache();
    }

    /// Removes the answers about this name from the cache. An answer to a question in flight about
    /// it still reaches the lookups that wait for it, and is not cached.
    ///
    /// The name is taken as it is, without the search list. Names that are aliases of it are names
    /// of their own. A lookup made at the same moment may still be given a removed answer.
    pub fn forget(&self, name: &HostName) {
        self.inner.driver.forget(QueryName::from(name));
    }

    /// Makes the next lookup read the configuration anew, because the network of this machine has
    /// changed. For programs that the operating system notifies: mobile apps, VPN clients.
    ///
    /// The next lookup looks at the configuration files at once, whether or not it is time to, and
    /// begins anew: nameserver state and cache are reset, and lookups that wait for their first
    /// answer of a nameserver start again, as after a suspend of the machine. Without this call the
    /// files are looked at all the same, and a network that changes behind an unchanged
    /// configuration shows by its timeouts.
    ///
    /// On Windows and macOS what the system says is read again, too, on a thread, for milliseconds:
    /// it holds from the first lookup after that on.
    ///
    /// It costs nothing but that, however often it is called between two lookups.
    pub fn network_changed(&self) {
        self.inner.configuration.handle_network_changed();
    }

    /// The route of a name: which nameservers are asked about it, or what else is done.
    ///
    /// For support cases: it says what the routes are now, as the configuration was last read. The
    /// name is taken as a query would have it, without the search list; hosts in memory, the hosts
    /// file, special-use names and the cache, which come before, are not looked at.
    ///
    /// It is about the stub resolver: where [`source_for`](Self::source_for) says that the
    /// operating system is asked, no lookup of the name takes its route. The
    /// [`Nameservers`](super::RouteTarget::Nameservers) of the root route may be none at all, where
    /// neither program nor machine has one.
    pub fn route_of(&self, name: &HostName) -> ChosenRoute {
        self.inner.driver.route_of(name)
    }

    /// Looks up `target`: `"example.com:443"`, `("example.com", 443)`, a [`HostName`], an address.
    ///
    /// The stream starts the lookup when it is first polled; see [`LookupStream`] for its items and
    /// their order. An invalid target is an `End` with that error, and nothing is sent. A name that
    /// needs no nameserver is answered as of this call.
    ///
    /// # Blocking
    ///
    /// Once in five seconds, or in half a second while no nameserver responds or after a lookup
    /// that had no response, one caller looks whether the configuration files have changed (two
    /// system calls for each), and reads them if they have, or if what they refer to may have:
    /// interfaces (three more for each that the hosts file names), the host name, and for some
    /// modules of nsswitch.conf whether a service of theirs runs (up to six in all). A hosts file
    /// over 64 KiB is read on a thread of its own, and so is what Windows and macOS say besides.
    ///
    /// # Cancel safety
    ///
    /// Dropping the stream cancels the lookup.
    pub fn lookup(&self, target: impl IntoTarget) -> LookupStream {
        self.lookup_with(target, &LookupOptions::default())
    }

    /// As [`lookup`](Self::lookup), with options.
    ///
    /// # Cancel safety
    ///
    /// Dropping the stream cancels the lookup.
    pub fn lookup_with(&self, target: impl IntoTarget, options: &LookupOptions) -> LookupStream {
        let target = target.into_target();
        let span = LookupSpan::new(&target);
        let mut watch = self.inner.watch(&target, options, &span);
        match self.inner.known(target, options, &mut watch) {
            Known::Answered(results) => LookupStream::ready(results, span),
            Known::Pending(lookup) => {
                let resolver = Arc::clone(&self.inner);
                let pending = Pending { lookup, timeout: options.timeout, watch, resolver };
                LookupStream::pending(pending, span)
            }
        }
    }

    /// Looks up `target` into a queue of the caller's, which other lookups may share: each result
    /// comes with `tag`. The lookup starts at once.
    ///
    /// The putter belongs to the lookup, as a clone would: the lookup's `End` consumes it, and
    /// needs no room in the queue. Results beyond the queue's capacity wait in the resolver thread.
    ///
    /// # Cancel safety
    ///
    /// Dropping the handle does not cancel the lookup; use [`LookupHandle::cancel`].
    /// [Canceling](Putter::cancel) the queue ends the lookup with
    /// [`LookupErrorKind::Canceled`](super::LookupErrorKind::Canceled); when the last getter is
    /// dropped, it ends without an `End`.
    ///
    /// # Examples
    ///
    /// ```
    /// # async fn f() {
    /// use outrace::{LookupOptions, LookupResult, Resolver, futex_queue};
    ///
    /// let (putter, mut getter) = futex_queue::bounded(16);
    /// for name in ["one.example:80", "two.example:80"] {
    ///     Resolver::system().lookup_into(name, &LookupOptions::default(), putter.clone(), name);
    /// }
    /// drop(putter);
    /// while let Some((name, result)) = getter.get_one().await {
    ///     println!("{name}: {result:?}");
    /// }
    /// # }
    /// ```
    pub fn lookup_into<K>(
        &self,
        target: impl IntoTarget,
        options: &LookupOptions,
        putter: Putter<(K, LookupResult)>,
        tag: K,
    ) -> LookupHandle
    where
        K: Clone + Send + 'static,
    {
        let target = target.into_target();
        let mut watch = self.inner.watch(&target, options, &LookupSpan::new(&target));
        let lookup = match self.inner.known(target, options, &mut watch) {
            Known::Pending(lookup) => lookup,
            // It goes by the thread all the same, which can wait for room in the queue.
            Known::Answered(results) => Box::new(Lookup::answered(results)),
        };
        let sink = ResultSink::Tagged(Box::new(TaggedSink::new(tag, putter)));
        let started = self.inner.driver.start(lookup, sink, options.timeout, watch);
        // If the thread could not be started, the sink was dropped, and so delivered the `End`.
        LookupHandle { id: started.ok(), resolver: Arc::clone(&self.inner) }
    }
}

/// A lookup into a queue of the caller's ([`Resolver::lookup_into`]).
///
/// Dropping the handle does not cancel the lookup; use [`cancel`](Self::cancel).
pub struct LookupHandle {
    id: Option<LookupId>,
    resolver: Arc<ResolverInner>,
}

impl LookupHandle {
    /// Ends the lookup with [`LookupErrorKind::Canceled`](super::LookupErrorKind::Canceled), unless
    /// it has ended. Results that are in the queue stay there, and the `End` still comes.
    pub fn cancel(&self) {
        if let Some(id) = self.id {
            self.resolver.cancel(id);
        }
    }
}

impl fmt::Debug for LookupHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LookupHandle").finish_non_exhaustive()
    }
}

impl ResolverInner {
    fn new(settings: Settings) -> Self {
        let clock = BootClock::new();
        let queue_capacity = settings.queue_capacity;
        let address_policy = settings.address_policy.clone();
        let options = settings.driver_options();
        let (configuration, stub) = Configuration::new(settings, clock.now());
        Self {
            configuration: Arc::new(configuration),
            queue_capacity,
            address_policy,
            driver: DriverHandle::new(stub, options, clock),
        }
    }

    pub(crate) fn queue_capacity(&self) -> usize {
        self.queue_capacity
    }

    pub(crate) fn start(
        &self,
        lookup: Box<Lookup>,
        putter: Putter<LookupResult>,
        timeout: Option<Duration>,
        watch: Option<Box<LookupWatch>>,
    ) -> io::Result<LookupId> {
        self.driver.start(lookup, ResultSink::Stream(putter), timeout, watch)
    }

    /// Whether the lookup has a thread in this process that will end it.
    pub(crate) fn has_thread(&self, id: LookupId) -> bool {
        self.driver.has_thread(id)
    }

    pub(crate) fn cancel(&self, id: LookupId) {
        self.driver.send(Command::Cancel(id));
    }

    /// Ends a lookup whose stream was dropped.
    pub(crate) fn abandon(&self, id: LookupId) {
        self.driver.send(Command::Abandon(id));
    }

    /// What passes the events of a lookup on, if they go anywhere.
    fn watch(
        &self,
        target: &Result<Target, TargetError>,
        options: &LookupOptions,
        span: &LookupSpan,
    ) -> Option<Box<LookupWatch>> {
        LookupWatch::new(target.as_ref().ok()?, options, span, self.driver.clock())
    }

    /// Goes through the sources that need no thread: those of [`local`], then the cache.
    fn known(
        &self,
        target: Result<Target, TargetError>,
        options: &LookupOptions,
        watch: &mut Option<Box<LookupWatch>>,
    ) -> Known {
        let target = match target {
            Ok(target) => target,
            Err(error) => {
                let end = LookupResult::End(Err(LookupError::invalid(error)));
                return Known::Answered(vec![end]);
            }
        };
        let now = self.driver.clock().now();
        if matches!(target.host(), Host::Name(_)) {
            self.refresh_configuration(now);
        }
        let config = self.configuration.current();
        let local = || local(&target, options, &config, &self.address_policy);
        match local() {
            Local::Answered(results, source) => {
                if let Some(watch) = watch {
                    watch.answered(&results, source, now);
                }
                Known::Answered(results)
            }
            Local::Ask(ask) => self.cached(ask, watch, now).unwrap_or_else(|| match local() {
                Local::Answered(results, _) => Known::Answered(results),
                Local::Ask(ask) => Known::Pending(self.new_lookup(ask, watch.is_some()).into()),
            }),
        }
    }

    /// Reads the files again if it is time to and they have changed.
    fn refresh_configuration(&self, now: Instant) {
        let mut changed_to = None;
        let has_looked = self.configuration.refresh(
            now,
            self.driver.is_forsaken() || self.driver.has_outage(),
            || self.driver.clock().suspended_for(),
            |config| {
                changed_to = Some(config.nameservers.clone());
                self.driver.reconfigure(config);
            },
        );
        if has_looked {
            self.driver.forget_outage();
        }
        if let Some(nameservers) = changed_to {
            trace::generation(&nameservers);
        }
    }

    /// Answers from the cache, as far as it has answers. Returns `None` if it has a part of them:
    /// such a lookup is begun anew, since it may be long before its stream is polled, and the cache
    /// counts as of then.
    fn cached(
        &self,
        ask: Ask,
        watch: &mut Option<Box<LookupWatch>>,
        now: Instant,
    ) -> Option<Known> {
        let mut lookup = self.new_lookup(ask, watch.is_some());
        let Some(cache) = self.driver.cache() else {
            return Some(Known::Pending(Box::new(lookup)));
        };
        let mut refreshes = Vec::new();
        let has_any = lookup.answer_from(cache, now, &mut refreshes);
        if !refreshes.is_empty() {
            self.driver.send(Command::Refresh(refreshes));
        }
        if lookup.has_ended {
            if let Some(watch) = watch {
                watch.tell(&mut lookup, now);
            }
            return Some(Known::Answered(lookup.into_results()));
        }
        (!has_any).then(|| Known::Pending(Box::new(lookup)))
    }

    fn new_lookup(&self, ask: Ask, is_observed: bool) -> Lookup {
        let keeps_order = self.driver.cache().is_some_and(|cache| cache.options().keeps_order());
        let lookup = Lookup::new(ask).with_policy(self.address_policy.clone());
        lookup.keep_order(keeps_order).observe(is_observed)
    }
}

/// Looks up `target` with the resolver of this process: [`Resolver::system`] and its
/// [`lookup`](Resolver::lookup).
pub fn lookup(target: impl IntoTarget) -> LookupStream {
    Resolver::system().lookup(target)
}

#[cfg(test)]
mod tests;
