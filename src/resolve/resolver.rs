//! [`Resolver`]: the handle, and the sources that need no thread.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::builder::ResolverBuilder;
use super::config::configuration::Configuration;
use super::diagnostic::Diagnostic;
use super::driver::clock::BootClock;
use super::driver::outlet::{Outlet, Tagged};
use super::driver::thread::{Command, Shared};
use super::error::{LookupError, LookupErrorKind};
use super::names::search;
use super::names::special_names::{self, Special};
use super::stats::Stats;
use super::stub::lookup::Lookup;
use super::wire::query_name::QueryName;
use super::{AddressFamily, AddressPolicy, LookupOptions};
use crate::futex_queue::Putter;
use crate::resolve::stub::ids::LookupId;
use crate::trace::LookupSpan;
use crate::{Host, HostName, LookupResult, LookupStream, Target, TargetError, trace};

/// A stub resolver.
///
/// A handle: cheap to clone, `Send` and `Sync`, at home in any runtime or in none. Its thread starts
/// with the first lookup that needs it, and ends when the last handle and the last stream are gone.
#[derive(Clone)]
pub struct Resolver {
    inner: Arc<Inner>,
}

/// What the handles and streams of one resolver share.
pub(crate) struct Inner {
    configuration: Arc<Configuration>,
    queue_capacity: usize,
    address_policy: AddressPolicy,
    thread: Arc<Shared>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.thread.close();
    }
}

impl From<Inner> for Resolver {
    fn from(inner: Inner) -> Self {
        Self { inner: Arc::new(inner) }
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").finish_non_exhaustive()
    }
}

/// What a lookup comes to before any thread is asked.
enum Sources {
    /// Answered here.
    Answered(Vec<LookupResult>),
    /// To be asked of the nameservers.
    Dns(Box<Lookup>),
}

/// A lookup that is to be started by the first poll of its stream.
pub(crate) struct Pending {
    pub(crate) lookup: Box<Lookup>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) resolver: Arc<Inner>,
}

impl Resolver {
    /// The resolver of this process, configured by the files of this machine.
    ///
    /// # Blocking
    ///
    /// The first call reads two small local files.
    pub fn system() -> Self {
        static SYSTEM: OnceLock<Resolver> = OnceLock::new();
        SYSTEM.get_or_init(|| ResolverBuilder::new().build()).clone()
    }

    /// Settings for a resolver of one's own.
    pub fn builder() -> ResolverBuilder {
        ResolverBuilder::new()
    }

    /// What of the configuration could not be used, and why: of the files as they were read last.
    pub fn diagnostics(&self) -> Vec<Diagnostic> {
        self.inner.configuration.snapshot().diagnostics.clone()
    }

    /// What the resolver has done so far: a snapshot of its counters.
    pub fn stats(&self) -> Stats {
        self.inner.thread.stats()
    }

    /// Forgets every answer: what is looked up from now on is asked for, or joins an identical question
    /// that is out. Lookups that are under way finish, and what they bring is not kept.
    pub fn clear_cache(&self) {
        self.inner.thread.clear_cache();
    }

    /// Forgets what is known about this name, and does not keep what is being asked about it now.
    ///
    /// The name is taken as it is, without the search list. Names that lead here as aliases are
    /// names of their own. A lookup made at the same moment may still be given what was known.
    pub fn forget(&self, name: &HostName) {
        self.inner.thread.forget(QueryName::from(name));
    }

    /// Looks up `target`: `"example.com:443"`, `("example.com", 443)`, a [`HostName`], an address.
    ///
    /// The stream starts the lookup when it is first polled. See [`LookupStream`] for what comes, in
    /// which order. An invalid target is an `End` with that error, and nothing is sent. A name that
    /// needs no nameserver, because it is known, is answered as of this call.
    ///
    /// # Blocking
    ///
    /// Once in five seconds, one caller looks whether the configuration files have changed (four system
    /// calls), and reads them if they have. A hosts file over 64 KiB is read on a thread of its own.
    pub fn lookup<T>(&self, target: T) -> LookupStream
    where
        T: TryInto<Target>,
        T::Error: Into<TargetError>,
    {
        self.lookup_with(target, &LookupOptions::default())
    }

    /// As [`lookup`](Self::lookup), with options.
    pub fn lookup_with<T>(&self, target: T, options: &LookupOptions) -> LookupStream
    where
        T: TryInto<Target>,
        T::Error: Into<TargetError>,
    {
        let target = target.try_into().map_err(Into::into);
        let span = LookupSpan::new(&target);
        match self.inner.sources(target, options) {
            Sources::Answered(results) => LookupStream::ready(results, span),
            Sources::Dns(lookup) => {
                let resolver = Arc::clone(&self.inner);
                let pending = Pending { lookup, timeout: options.timeout, resolver };
                LookupStream::pending(pending, span)
            }
        }
    }

    /// Looks up `target` into a queue of the caller's, which other lookups may share: each result
    /// comes with `tag`. The lookup starts at once.
    ///
    /// The putter is the lookup's own, as a clone is: it is used up by the lookup's `End`, which
    /// needs no room in the queue. Results beyond the queue's capacity wait with the resolver.
    /// [Canceling](Putter::cancel) the queue ends the lookup with [`LookupErrorKind::Canceled`];
    /// when the last getter is gone it ends in silence.
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
    pub fn lookup_into<T, K>(
        &self,
        target: T,
        options: &LookupOptions,
        putter: Putter<(K, LookupResult)>,
        tag: K,
    ) -> LookupHandle
    where
        T: TryInto<Target>,
        T::Error: Into<TargetError>,
        K: Clone + Send + 'static,
    {
        let lookup = match self.inner.sources(target.try_into().map_err(Into::into), options) {
            Sources::Dns(lookup) => lookup,
            // The same way, so that a full queue is waited for in the one place that can.
            Sources::Answered(results) => Box::new(Lookup::answered(results)),
        };
        let outlet = Outlet::Shared(Box::new(Tagged::new(tag, putter)));
        let started = self.inner.thread.start(lookup, outlet, options.timeout);
        // A thread that cannot be started has dropped the outlet, and so delivered the `End`.
        LookupHandle { id: started.ok(), resolver: Arc::clone(&self.inner) }
    }
}

/// A lookup into a queue of the caller's ([`Resolver::lookup_into`]). Dropping it changes nothing.
pub struct LookupHandle {
    id: Option<LookupId>,
    resolver: Arc<Inner>,
}

impl LookupHandle {
    /// Ends the lookup with [`LookupErrorKind::Canceled`], unless it has ended. Results already in
    /// the queue stay there; the `End` still comes.
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

impl Inner {
    pub(super) fn new(recipe: ResolverBuilder) -> Self {
        let clock = BootClock::new();
        let queue_capacity = recipe.lookup_queue_capacity();
        let cache = recipe.cache_options().cloned();
        let address_policy = recipe.policy().clone();
        let (configuration, stub) = Configuration::new(recipe, clock.now());
        Self {
            configuration: Arc::new(configuration),
            queue_capacity,
            address_policy,
            thread: Arc::new(Shared::new(stub, cache.as_ref(), clock)),
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
    ) -> io::Result<LookupId> {
        self.thread.start(lookup, Outlet::Stream(putter), timeout)
    }

    /// Whether the lookup runs in this process, and not in the one that this one was forked off.
    pub(crate) fn has_started(&self, id: LookupId) -> bool {
        self.thread.has_started(id)
    }

    pub(crate) fn cancel(&self, id: LookupId) {
        self.thread.tell(Command::Cancel(id));
    }

    pub(crate) fn forget(&self, id: LookupId) {
        self.thread.tell(Command::Gone(id));
    }

    fn sources(&self, target: Result<Target, TargetError>, options: &LookupOptions) -> Sources {
        let target = match target {
            Ok(target) => target,
            Err(error) => {
                let end = LookupResult::End(Err(LookupError::invalid(error)));
                return Sources::Answered(vec![end]);
            }
        };
        let port = target.port().unwrap_or(0);
        match target.host() {
            Host::Ip(ip, scope) => {
                // Only what was asked for: a literal is not turned into the other family.
                let wanted = options.family.is_none_or(|family| family == AddressFamily::of(*ip));
                let text = HostName::of_literal(*ip);
                let addresses = wanted.then_some((*ip, *scope));
                let policy = self.address_policy.for_literals();
                Sources::Answered(answered(&text, &text, addresses, port, &policy))
            }
            Host::Name(name) => self.sources_of_name(name, port, options),
        }
    }

    fn sources_of_name(&self, name: &HostName, port: u16, options: &LookupOptions) -> Sources {
        let clock = self.thread.clock();
        let now = clock.now();
        let mut told = None;
        self.configuration.check(
            now,
            || clock.asleep(),
            |config| {
                told = Some(config.nameservers.clone());
                self.thread.reconfigure(config);
            },
        );
        if let Some(nameservers) = told {
            trace::generation(&nameservers);
        }
        let config = self.configuration.snapshot();
        // `no-aaaa` is about what is asked of nameservers: "Only DNS lookups are affected: IPv6 data in
        // hosts(5) is still used" (resolv.conf(5)).
        let of_family = |ip: &IpAddr| options.family.is_none_or(|f| f == AddressFamily::of(*ip));
        if let Some(entry) = config.hosts.lookup(name) {
            let addresses = entry.addresses.into_iter().filter(|(ip, _)| of_family(ip));
            let policy = self.address_policy.for_hosts_file();
            return Sources::Answered(answered(name, &entry.canonical, addresses, port, &policy));
        }
        match special_names::classify(name) {
            Special::Loopback => {
                let loopback = [IpAddr::V6(Ipv6Addr::LOCALHOST), IpAddr::V4(Ipv4Addr::LOCALHOST)];
                let addresses = loopback.into_iter().filter(of_family).map(|ip| (ip, 0));
                let canonical = HostName::from_checked("localhost");
                let policy = &self.address_policy;
                Sources::Answered(answered(name, &canonical, addresses, port, policy))
            }
            Special::NotFound => {
                let kind = LookupErrorKind::NotFound;
                let error = LookupError::new(kind, Some(name.clone()), Vec::new());
                Sources::Answered(vec![LookupResult::End(Err(error))])
            }
            Special::Ordinary => {
                let family = match options.family {
                    None if config.no_aaaa => Some(AddressFamily::Ipv4),
                    family => family,
                };
                let search =
                    if options.search { Arc::clone(&config.search) } else { Arc::from([]) };
                let lookup = || {
                    let candidates = search::candidates(name, Arc::clone(&search), config.ndots)
                        .no_tld_query(config.no_tld_query);
                    Lookup::new(name.clone(), port, family, candidates)
                        .with_policy(self.address_policy.clone())
                };
                self.cache_or_dns(lookup, now)
            }
        }
    }

    fn cache_or_dns(&self, make: impl Fn() -> Lookup, now: Instant) -> Sources {
        let mut lookup = make();
        let mut refreshes = Vec::new();
        let cache = self.thread.cache();
        let has_part = cache.is_some_and(|cache| lookup.answer_from(cache, now, &mut refreshes));
        if !refreshes.is_empty() {
            self.thread.tell(Command::Refresh(refreshes));
        }
        if lookup.has_ended {
            return Sources::Answered(lookup.into_results());
        }
        if has_part {
            // It may be long before the stream is polled: then is when the cache counts.
            lookup = make();
        }
        Sources::Dns(Box::new(lookup))
    }
}

/// A whole lookup at once: the addresses that `policy` lets through, canonical name, end.
fn answered(
    name: &HostName,
    canonical: &HostName,
    addresses: impl IntoIterator<Item = (IpAddr, u32)>,
    port: u16,
    policy: &AddressPolicy,
) -> Vec<LookupResult> {
    let mut denied = None;
    let mut results: Vec<_> = addresses
        .into_iter()
        .filter(|&(ip, _)| policy.lets_through(ip, &mut denied))
        .filter_map(|(ip, scope)| Host::Ip(ip, scope).socket_addr(port))
        .map(LookupResult::Address)
        .collect();
    let end = if results.is_empty() {
        let kind = match denied {
            Some(_) => LookupErrorKind::PolicyDenied,
            None => LookupErrorKind::NoAddress,
        };
        Err(LookupError::new(kind, Some(name.clone()), Vec::new()).with_denied(denied))
    } else {
        results.push(LookupResult::CanonicalName(canonical.clone()));
        Ok(())
    };
    results.push(LookupResult::End(end));
    results
}

/// Looks up `target` with the resolver of this process: [`Resolver::system`] and its
/// [`lookup`](Resolver::lookup).
pub fn lookup<T>(target: T) -> LookupStream
where
    T: TryInto<Target>,
    T::Error: Into<TargetError>,
{
    Resolver::system().lookup(target)
}

#[cfg(test)]
mod tests;
