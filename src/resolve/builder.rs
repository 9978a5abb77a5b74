//! [`ResolverBuilder`]: settings, and where they come from.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::CacheOptions;
use super::config::configuration::Snapshot;
use super::config::hosts::Hosts;
use super::config::resolv_conf::ResolvConf;
use super::diagnostic::Diagnostic;
use super::stub::query::{MAX_NAMESERVERS, QueryConfig};
use super::stub::{Pairing, StubConfig};
use super::{AddressPolicy, Inner, Resolver};
use crate::HostName;
use crate::resolve::Strategy;

/// Most lookups bring fewer results than this, so that none waits for the consumer to be polled.
const DEFAULT_QUEUE_CAPACITY: usize = 16;
/// Sockets open at once: enough that hundreds of lookups each have ports of their own, and a
/// quarter of the 1,024 files that a process may usually have open.
const DEFAULT_MAX_SOCKETS: usize = 256;

/// Settings of a [`Resolver`].
///
/// What is not set comes from the files and the environment: `/etc/resolv.conf` with `RES_OPTIONS`
/// and `LOCALDOMAIN`, and `/etc/hosts`. A setting made here wins over them.
///
/// The files are read again when they have changed. A lookup looks, if nobody has for five seconds;
/// a changed resolv.conf starts with an empty cache and without what was learnt of nameservers, and
/// lookups that are under way finish as they began. A file that is empty or half written counts
/// from the second look on; until then what was read before holds.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use outrace::Resolver;
///
/// let resolver = Resolver::builder()
///     .nameservers(["192.0.2.53:53".parse().unwrap()])
///     .timeout(Duration::from_secs(2))
///     .build();
/// # drop(resolver);
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ResolverBuilder {
    resolv_conf: Option<PathBuf>,
    hosts: Option<PathBuf>,
    environment: bool,
    nameservers: Vec<SocketAddr>,
    search: Option<Vec<HostName>>,
    strategy: Option<Strategy>,
    timeout: Option<Duration>,
    attempts: Option<u8>,
    ndots: Option<u8>,
    edns: Option<bool>,
    tcp_only: Option<bool>,
    queue_capacity: usize,
    max_sockets: usize,
    cache: Option<CacheOptions>,
    address_policy: AddressPolicy,
}

impl Default for ResolverBuilder {
    fn default() -> Self {
        Self {
            resolv_conf: Some(PathBuf::from("/etc/resolv.conf")),
            hosts: Some(PathBuf::from("/etc/hosts")),
            environment: true,
            nameservers: Vec::new(),
            search: None,
            strategy: None,
            timeout: None,
            attempts: None,
            ndots: None,
            edns: None,
            tcp_only: None,
            queue_capacity: DEFAULT_QUEUE_CAPACITY,
            max_sockets: DEFAULT_MAX_SOCKETS,
            cache: Some(CacheOptions::default()),
            address_policy: AddressPolicy::default(),
        }
    }
}

impl ResolverBuilder {
    /// The settings that [`Resolver::system`] has.
    pub fn new() -> Self {
        Self::default()
    }

    /// Nothing from files or the environment: no hosts file, no search list, and the defaults of
    /// resolv.conf(5), to be followed by [`nameservers`](Self::nameservers).
    pub fn without_system_configuration(mut self) -> Self {
        self.resolv_conf = None;
        self.hosts = None;
        self.environment = false;
        self
    }

    /// The file to read in place of `/etc/resolv.conf`.
    ///
    /// What is understood of it is what resolv.conf(5) describes, and `RES_OPTIONS` and `LOCALDOMAIN`
    /// amend it as there. A word or line that cannot be used leaves a [`Diagnostic`], and the rest of the
    /// file holds.
    ///
    /// | line | here |
    /// |---|---|
    /// | `nameserver` | The first three. An address with a zone (`fe80::1%eth0`), and no port. `0.0.0.0` and `::` are this machine. Without any: `127.0.0.1`. |
    /// | `search`, `domain` | The last such line holds, of any length. Without any: the domain of the machine's own name. `search .` is no search list. |
    /// | `sortlist` | Not supported, told by a diagnostic: addresses are ordered by RFC 6724. |
    ///
    /// | option | here |
    /// |---|---|
    /// | `ndots:n` | 0 to 15, default 1. |
    /// | `timeout:n` | 1 to 30 s, default 5 s: for one candidate name at all nameservers, resends and aliases included, where the C library means one query to one nameserver. |
    /// | `attempts:n` | 1 to 5, default 2: how often a question may fail at every nameserver; never more than three sends to one (RFC 9520). |
    /// | `rotate` | Each lookup starts with the next nameserver, one after the other ([`Strategy::InTurn`]). |
    /// | `use-vc` (`usevc`, `tcp`) | TCP alone. |
    /// | `edns0` | On; `-edns0` turns it off. |
    /// | `single-request` | A is asked when AAAA is settled. |
    /// | `single-request-reopen` | A and AAAA have a socket each. |
    /// | `no-aaaa` | No AAAA is asked, unless a lookup wants that family alone. |
    /// | `trust-ad` | Queries have the AD bit (RFC 6840). What a response says by it is not told. |
    /// | `no-tld-query` | A name without a dot is not tried as it is, once the search list was. |
    /// | `strict-error` | Always so: when a family fails, the lookup ends with its error, behind the addresses of the other. |
    /// | `no-reload` | A change of this file is not looked for. |
    /// | `inet6` | No effect: obsolete, and nothing is mapped into IPv6 here. |
    /// | `debug`, `no-check-names`, `ip6-bytestring`, `ip6-dotint`, `no-ip6-dotint` | No effect: there is nothing here for them to steer. |
    ///
    /// A minus sign clears an option: `-rotate`.
    ///
    /// [`Diagnostic`]: super::Diagnostic
    pub fn resolv_conf(mut self, path: impl Into<PathBuf>) -> Self {
        self.resolv_conf = Some(path.into());
        self
    }

    /// The file to read in place of `/etc/hosts`.
    pub fn hosts(mut self, path: impl Into<PathBuf>) -> Self {
        self.hosts = Some(path.into());
        self
    }

    /// The nameservers, in order, in place of those of resolv.conf. The first three are used;
    /// none at all leaves those of resolv.conf.
    pub fn nameservers(mut self, nameservers: impl IntoIterator<Item = SocketAddr>) -> Self {
        self.nameservers = nameservers.into_iter().take(MAX_NAMESERVERS).collect();
        self
    }

    /// The search list, in place of that of resolv.conf.
    pub fn search(mut self, search: impl IntoIterator<Item = HostName>) -> Self {
        self.search = Some(search.into_iter().collect());
        self
    }

    /// How the nameservers share the questions. Default: [`Strategy::Adaptive`], or
    /// [`Strategy::InTurn`] with the option `rotate` of resolv.conf.
    pub fn strategy(mut self, strategy: Strategy) -> Self {
        self.strategy = Some(strategy);
        self
    }

    /// How long the nameservers have for one candidate name, resends and TCP included. Default:
    /// `timeout` of resolv.conf, 5 s there. 1 ms to 30 s; a value outside is set to the nearer end.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout.clamp(Duration::from_millis(1), Duration::from_secs(30)));
        self
    }

    /// How often a question may fail at every nameserver before it fails for good; a resend after
    /// silence does not count. Default: `attempts` of resolv.conf, 2 there. 1 to 3: RFC 9520
    /// section 3.1 allows no more queries to one nameserver.
    pub fn attempts(mut self, attempts: u8) -> Self {
        self.attempts = Some(attempts);
        self
    }

    /// Names with at least as many dots are tried as they are before the search list is. Default:
    /// `ndots` of resolv.conf, 1 there. 0 to 15.
    pub fn ndots(mut self, ndots: u8) -> Self {
        self.ndots = Some(ndots.min(15));
        self
    }

    /// Whether queries offer EDNS, with a UDP payload size of 1,232 octets (RFC 6891). Default: on,
    /// unless resolv.conf has `-edns0`.
    pub fn edns(mut self, edns: bool) -> Self {
        self.edns = Some(edns);
        self
    }

    /// Whether queries go over TCP alone. Default: off, unless resolv.conf has `use-vc`.
    pub fn tcp_only(mut self, tcp_only: bool) -> Self {
        self.tcp_only = Some(tcp_only);
        self
    }

    /// How many results of one lookup the queue to its stream holds. Default: 16, at least 1. What
    /// does not fit waits with the resolver, and delays no other lookup.
    pub fn queue_capacity(mut self, capacity: usize) -> Self {
        self.queue_capacity = capacity.max(1);
        self
    }

    /// How many UDP sockets may be open at once, beside those of lookups that began before a change of
    /// the configuration. Default: 256, at least one a nameserver. Beyond, queries share the open ones:
    /// nothing fails and nothing waits, but fewer ports have to be guessed by a forger.
    pub fn max_sockets(mut self, max_sockets: usize) -> Self {
        self.max_sockets = max_sockets;
        self
    }

    /// What is kept of the answers. Default: [`CacheOptions::default`]; `None` keeps nothing.
    pub fn cache(mut self, cache: impl Into<Option<CacheOptions>>) -> Self {
        self.cache = cache.into();
        self
    }

    /// Which addresses may come out of a lookup. Default: every one.
    ///
    /// For programs that connect to what strangers name: see [`AddressPolicy`] for what it is against,
    /// what it covers, and what not.
    pub fn address_policy(mut self, policy: AddressPolicy) -> Self {
        self.address_policy = policy;
        self
    }

    /// Reads the files, and makes the resolver.
    ///
    /// It never fails: what is wrong in a file costs the word or line it stands in, and is told by
    /// [`Resolver::diagnostics`]; with feature `tracing` also by a warning for each (target
    /// `outrace::config`), now and whenever the files have changed.
    ///
    /// # Blocking
    ///
    /// Reads two small local files. No thread is started before the first lookup needs it.
    pub fn build(self) -> Resolver {
        Resolver::from(Inner::new(self))
    }

    pub(super) fn resolv_conf_path(&self) -> Option<&Path> {
        self.resolv_conf.as_deref()
    }

    pub(super) fn hosts_path(&self) -> Option<&Path> {
        self.hosts.as_deref()
    }

    pub(super) fn uses_environment(&self) -> bool {
        self.environment
    }

    /// Whether the nameservers are given here.
    pub(super) fn has_nameservers(&self) -> bool {
        !self.nameservers.is_empty()
    }

    pub(super) fn lookup_queue_capacity(&self) -> usize {
        self.queue_capacity
    }

    pub(super) fn policy(&self) -> &AddressPolicy {
        &self.address_policy
    }

    pub(super) fn cache_options(&self) -> Option<&CacheOptions> {
        self.cache.as_ref()
    }

    /// How nameservers are asked, given what resolv.conf says.
    pub(super) fn stub_config(&self, conf: &ResolvConf) -> StubConfig {
        let options = &conf.options;
        let rotated = if options.rotate { Strategy::InTurn } else { Strategy::Adaptive };
        let nameservers =
            if self.nameservers.is_empty() { &conf.nameservers } else { &self.nameservers };
        let pairing = if options.single_request {
            Pairing::InSequence
        } else if options.single_request_reopen {
            Pairing::OwnSockets
        } else {
            Pairing::OneSocket
        };
        StubConfig {
            nameservers: nameservers.clone(),
            query: QueryConfig {
                strategy: self.strategy.unwrap_or(rotated),
                timeout: self.timeout.unwrap_or(options.timeout),
                attempts: self.attempts.unwrap_or(options.attempts),
                edns: self.edns.unwrap_or(options.edns0),
                tcp_only: self.tcp_only.unwrap_or(options.use_vc),
                spreads_resends: true,
            },
            rotate: options.rotate,
            trust_ad: options.trust_ad,
            pairing,
            max_sockets: self.max_sockets,
        }
    }

    /// What lookups are made with, given what the files say.
    pub(super) fn snapshot(
        &self,
        conf: &ResolvConf,
        hosts: Arc<Hosts>,
        diagnostics: Vec<Diagnostic>,
    ) -> Snapshot {
        let search = self.search.as_deref().map_or_else(|| Arc::clone(&conf.search), Arc::from);
        Snapshot {
            hosts,
            search,
            ndots: self.ndots.unwrap_or(conf.options.ndots),
            no_aaaa: conf.options.no_aaaa,
            no_tld_query: conf.options.no_tld_query,
            diagnostics,
        }
    }
}
