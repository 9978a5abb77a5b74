//! [`ResolverBuilder`]: the settings of a resolver, and where they come from.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::config::name_routes::RouteTarget;
use super::config::resolv_conf::{ATTEMPTS, NDOTS};
use super::config::settings::{Settings, WITHOUT_SYSTEM};
use super::stub::query::MAX_NAMESERVERS;
use super::{AddressPolicy, CacheOptions, NameserverStrategy, Resolver, Source};
use crate::HostName;

/// Settings of a [`Resolver`].
///
/// What is not set comes from the files and the environment: `/etc/resolv.conf` with `RES_OPTIONS`
/// and `LOCALDOMAIN`, `/etc/hosts`, and `/etc/nsswitch.conf` with the order of sources. A setting
/// made here takes precedence over them.
///
/// | system | nameservers and search list of the stub resolver, if not set |
/// |---|---|
/// | Windows | Those of the network adapters that are up: of a network with a gateway first, then of the lowest metric. The search list of the policy, else of the machine, else its primary suffix and the suffixes of the adapters; it applies to names without a dot alone, unless the policy says otherwise. The hosts file is where the registry has it (`DataBasePath`), usually `%SystemRoot%\System32\drivers\etc\hosts`. |
/// | macOS | Those of the default resolver in the dynamic store, else of `/etc/resolv.conf`. |
/// | iOS, Android | None can be read: [`nameservers`](Self::nameservers) has to be called. |
/// | others | Those of `/etc/resolv.conf`. |
///
/// Where resolv.conf is no convention (Windows, iOS, Android) there is no default nameserver
/// either, since any user may listen at 127.0.0.1 there: without one, a lookup that needs it ends
/// with [`Misconfigured`](super::LookupErrorKind::Misconfigured). No public nameserver is ever used
/// unless it is configured.
///
/// The operating system does not heed what is set here. So with any of these calls, names are asked
/// of the stub resolver alone, unless [`source`](Self::source) says otherwise:
/// `without_system_configuration`, `resolv_conf`, `hosts`, `nameservers`, `route`, `route_refuse`,
/// `route_system`, `search`, `strategy`, `attempts`, `ndots`, `edns`, `tcp_only`, `rotate`,
/// `no_aaaa`, `single_request`, `mixed_case`, `local_address`, `interface`, `mark`. A program that
/// wants the stub resolver and the settings of this machine sets [`Source::Own`]. See
/// [`Source::Auto`] for what holds without.
///
/// The files are read again when they have changed: once in five seconds, or in half a second while
/// no nameserver responds or after a lookup that had no response, a lookup looks
/// ([`Resolver::network_changed`] has the next one look at once). A changed resolv.conf empties the
/// cache and resets nameserver state; lookups that have had an answer finish with the configuration
/// they started with, the others start again under the new one. A file that is empty or half
/// written takes effect at the second look; until then the previous contents hold. A file that
/// names an interface, and a resolv.conf without a search list, also change with the interfaces or
/// the host name of the machine. What Windows and macOS say besides is read on a thread of its own,
/// and holds from the next lookup on: Windows at each look; macOS when `/etc/resolv.conf` or the
/// folder `/etc/resolver` has changed, or after a minute.
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
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until `build`"]
pub struct ResolverBuilder {
    settings: Settings,
}

impl ResolverBuilder {
    /// Returns the settings of [`Resolver::system`].
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads neither files nor the environment, nor what Windows and macOS say: no hosts file, no
    /// search list, and the defaults of resolv.conf(5); names are asked of the nameservers
    /// ([`Source::Own`]). Usually followed by [`nameservers`](Self::nameservers).
    pub fn without_system_configuration(mut self) -> Self {
        self.settings.resolv_conf = None;
        self.settings.native = None;
        self.settings.hosts = None;
        self.settings.nsswitch = None;
        self.settings.environment = false;
        self.settings.machine_routes = false;
        self.own(WITHOUT_SYSTEM)
    }

    /// The file to read in place of `/etc/resolv.conf`, also on systems that have no such file.
    /// What Windows and macOS say besides is not read then.
    ///
    /// It is read as resolv.conf(5) describes, and `RES_OPTIONS` and `LOCALDOMAIN` amend it. A word
    /// or line that cannot be used is skipped and reported as a [`Diagnostic`].
    ///
    /// | line | here |
    /// |---|---|
    /// | `nameserver` | The first three, asked in this order: see [`NameserverStrategy::Hedged`]. An address with a zone (`fe80::1%eth0`), and no port. `0.0.0.0` and `::` are this machine. Without any: `127.0.0.1`, reported as a diagnostic. |
    /// | `search`, `domain` | The last such line holds, of any length. Without any: the domain of the machine's own name. `search .` is no search list. |
    /// | `sortlist` | Not supported, reported as a diagnostic: addresses are ordered by RFC 6724. |
    ///
    /// | option | here |
    /// |---|---|
    /// | `ndots:n` | 0 to 15, default 1. |
    /// | `timeout:n` | 1 to 30 s, default 5 s. `timeout` times `attempts`, at most 30 s, is the time for one candidate name at all nameservers, resends and aliases included, where the C library takes as long for each nameserver. A file with neither option: 5 s in all. |
    /// | `attempts:n` | 1 to 5, default 2: how often a question may fail at every nameserver. No question is sent to one nameserver more than three times (RFC 9520 section 3.1); after that, if it was silent, once a second (section 3.2). |
    /// | `rotate` | Each lookup starts with the next nameserver, one after the other ([`NameserverStrategy::InTurn`]). |
    /// | `use-vc` (`usevc`, `tcp`) | TCP alone. |
    /// | `edns0` | On; `-edns0` turns it off. |
    /// | `single-request` | AAAA is asked when A is settled, as the C library does it; A has half of the time at the most. |
    /// | `single-request-reopen` | A and AAAA have a socket each. |
    /// | `no-aaaa` | No AAAA is asked, unless a lookup wants that family alone. |
    /// | `trust-ad` | Queries have the AD bit (RFC 6840). The AD bit of the response is not reported. |
    /// | `no-tld-query` | A name without a dot is not tried as it is after the search list. |
    /// | `strict-error` | No effect: it is always so. When a family fails, the lookup ends with its error, after the addresses of the other. |
    /// | `no-reload` | A changed file is not read again. |
    /// | `inet6` | No effect: obsolete, and nothing is mapped into IPv6 here. |
    /// | `debug`, `no-check-names`, `ip6-bytestring`, `ip6-dotint`, `no-ip6-dotint` | No effect. |
    ///
    /// A minus sign clears an option: `-rotate`.
    ///
    /// [`Diagnostic`]: super::Diagnostic
    pub fn resolv_conf(mut self, path: impl Into<PathBuf>) -> Self {
        self.settings.resolv_conf = Some(path.into());
        self.settings.native = None;
        self.own("resolv_conf")
    }

    /// The file to read in place of the hosts file of this machine.
    pub fn hosts(mut self, path: impl Into<PathBuf>) -> Self {
        self.settings.hosts = Some(path.into());
        self.own("hosts")
    }

    /// Who looks names up: see [`Source`]. Default: [`Source::Auto`], or what the environment
    /// variable `OUTRACE_SOURCE` says (`own`, `system` or `auto`), which is for support cases: to
    /// see whether the stub resolver or the operating system is at fault, without another build of
    /// the program. An unknown word there is reported as a [`Diagnostic`]. A source given here
    /// takes precedence over the variable, and so does
    /// [`without_system_configuration`](Self::without_system_configuration).
    ///
    /// [`Diagnostic`]: super::Diagnostic
    pub fn source(mut self, source: Source) -> Self {
        self.settings.source = Some(source);
        self
    }

    /// The file to read in place of `/etc/nsswitch.conf`, also on systems that have no such file or
    /// another order of sources.
    ///
    /// Its line `hosts` is read as glibc reads it, and decides for [`Source::Auto`]; for
    /// [`Source::System`] it tells alone whether the hosts file comes first. [`Source::Own`] does
    /// not read it.
    ///
    /// | `hosts` | names |
    /// |---|---|
    /// | `files`, `dns` | The hosts file and the nameservers, in this order, and no other: `files` alone asks no nameserver, `dns` alone counts no hosts file. |
    /// | `myhostname` | The machine's own name, `_gateway`, `_outbound` and `localhost.localdomain` go to the operating system. |
    /// | `mdns*_minimal`, `mdns`, `mdns4`, `mdns6` | Names of two labels below `local`; all names below `local`, and every name if there is an `/etc/mdns.allow`. |
    /// | `resolve` | Nothing while systemd-resolved does not run. Names without a dot, names below `local` and those of `myhostname`, if `127.0.0.53` or `127.0.0.54` is the nameserver: the rest is asked of it over DNS. Else every name. |
    /// | `mymachines`, `wins` | Names without a dot, while there is a machine; those of up to 15 characters. |
    /// | any other module | In front of `dns`: every name. Behind `dns`: names of which the nameservers have no address. |
    /// | `[..]` | Criteria of `files` or `dns` that change anything: every name. |
    /// | no such line | The hosts file, then the nameservers. So too, with a [`Diagnostic`], if it has no module or criteria that cannot be read: the C library fails then. |
    ///
    /// A file that cannot be read: every name. So too for a resolv.conf that fails otherwise than
    /// by its permissions.
    ///
    /// [`Diagnostic`]: super::Diagnostic
    #[cfg(feature = "system")]
    #[cfg_attr(docsrs, doc(cfg(feature = "system")))]
    pub fn nsswitch(mut self, path: impl Into<PathBuf>) -> Self {
        self.settings.nsswitch = Some(path.into());
        self.settings.name_service = crate::os::NameService::Nsswitch { defaults_to_dns: true };
        self
    }

    /// Adds a host in memory: `name` has these addresses, without a file and without a nameserver.
    /// Default: none.
    ///
    /// For tests, and for names whose addresses are configured, as by curl's `--resolve`. The
    /// addresses are answered in the order given, each once; further calls for the same name add to
    /// them. It holds with and without the files of this machine, and comes before the hosts file,
    /// `localhost` and the nameservers, none of which adds an address: of a name that is given IPv4
    /// addresses alone, a lookup of IPv6 ends with
    /// [`NoAddress`](super::LookupErrorKind::NoAddress), and so does every lookup of a name that is
    /// given none.
    ///
    /// As in a hosts file, the name is matched as it was looked up, without the search list and
    /// without regard to case and to a final dot; as the canonical name it is spelled as in the
    /// first call. A name that cannot be one in a hosts file, such as an IP address, is skipped and
    /// reported as a [`Diagnostic`] ([`ConfigSource::Builder`](super::ConfigSource::Builder)). The
    /// [`AddressPolicy`] judges the addresses as it judges those of the hosts file: see
    /// [`AddressPolicy::apply_to_hosts_file`].
    ///
    /// ```
    /// use outrace::{LookupResult, Resolver};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let resolver = Resolver::builder()
    ///     .without_system_configuration()
    ///     .host("api.test", ["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()])
    ///     .build();
    /// let mut results = resolver.lookup("api.test:8080");
    /// let first = LookupResult::Address("127.0.0.1:8080".parse().unwrap());
    /// assert_eq!(results.next().await, Some(first));
    /// # }
    /// ```
    ///
    /// [`Diagnostic`]: super::Diagnostic
    pub fn host(
        mut self,
        name: impl AsRef<str>,
        addresses: impl IntoIterator<Item = IpAddr>,
    ) -> Self {
        Arc::make_mut(&mut self.settings.program_hosts).add(name.as_ref(), addresses);
        self
    }

    /// The nameservers, in order, in place of those of resolv.conf. The first three are used;
    /// none at all leaves those of resolv.conf.
    pub fn nameservers(mut self, nameservers: impl IntoIterator<Item = SocketAddr>) -> Self {
        self.settings.nameservers = nameservers.into_iter().take(MAX_NAMESERVERS).collect();
        if self.settings.nameservers.is_empty() { self } else { self.own("nameservers") }
    }

    /// Adds a route (split DNS): queries about `suffix` and all names below it go to these
    /// nameservers, in this order, and to no others. Default: none.
    ///
    /// For names that only the nameservers of another network know, as behind a VPN. The suffix is
    /// matched label by label and without regard to case: `corp.example` has `corp.example` and
    /// `a.b.corp.example`, and not `notcorp.example`. Of several suffixes the longest counts; `.`
    /// is the root, which has every name that no other route has, and comes before
    /// [`nameservers`](Self::nameservers). The first call for a suffix holds, in place of what the
    /// machine's configuration has for it ([`machine_routes`](Self::machine_routes)).
    ///
    /// Each name that is asked for is decided by itself: every candidate name that the search list
    /// makes, and the target of an alias, if the response does not have its addresses. What the
    /// nameservers of a route say or do not say is final: no other nameserver is asked, since it is
    /// not to see the name, and would deny it. Hosts in memory, the hosts file and special-use
    /// names come before all routes.
    ///
    /// The first three nameservers are used, by the [`NameserverStrategy`] and the other settings
    /// of this resolver. What is learnt of them, such as their round-trip times, is the route's
    /// own, also where another route has the same address. An error names the nameserver
    /// ([`LookupError::failures`](super::LookupError::failures)), [`Resolver::route_of`] the route
    /// of a name. There may be 1,024 routes, the machine's included: of more, those of the program
    /// are used first, and of either those with the most labels.
    ///
    /// A suffix that is no host name is skipped. Without a nameserver that can be asked, one with a
    /// port and an address, the route is as by [`route_refuse`](Self::route_refuse): no other
    /// nameserver is to see the names. Both are reported as a [`Diagnostic`]
    /// ([`ConfigSource::Builder`](super::ConfigSource::Builder)).
    ///
    /// ```
    /// use outrace::Resolver;
    ///
    /// let resolver = Resolver::builder()
    ///     .route("corp.example", ["192.0.2.53:53".parse().unwrap()])
    ///     .route_refuse("internal.example")
    ///     .build();
    /// let route = resolver.route_of(&"www.corp.example".parse().unwrap());
    /// assert_eq!(route.suffix, Some("corp.example".parse().unwrap()));
    /// ```
    ///
    /// [`Diagnostic`]: super::Diagnostic
    pub fn route(
        mut self,
        suffix: impl AsRef<str>,
        nameservers: impl IntoIterator<Item = SocketAddr>,
    ) -> Self {
        let to = RouteTarget::Nameservers(nameservers.into_iter().take(MAX_NAMESERVERS).collect());
        self.settings.program_routes.add(suffix.as_ref(), to);
        self.own("route")
    }

    /// Adds a route that leads nowhere: `suffix` and the names below it do not exist, and no query
    /// about them is sent. A lookup of such a name ends with
    /// [`NotFound`](super::LookupErrorKind::NotFound), unless the search list has another
    /// candidate.
    ///
    /// For names that must not leave this machine or network. With the suffix `.`, only names of
    /// other routes are asked for. See [`route`](Self::route) for suffixes and their order.
    pub fn route_refuse(mut self, suffix: impl AsRef<str>) -> Self {
        self.settings.program_routes.add(suffix.as_ref(), RouteTarget::Refuse);
        self.own("route_refuse")
    }

    /// Adds a route to the operating system: it looks up `suffix` and the names below it, and no
    /// nameserver is asked. For names that no nameserver knows, such as those of mDNS (`local`).
    /// See [`route`](Self::route) for suffixes and their order.
    ///
    /// A candidate name of the search list is handed over as a whole name. An alias that leads from
    /// the names of a nameserver to those of this route is not followed: it would let the
    /// nameserver choose what is looked up on this network.
    #[cfg(feature = "system")]
    #[cfg_attr(docsrs, doc(cfg(feature = "system")))]
    pub fn route_system(mut self, suffix: impl AsRef<str>) -> Self {
        self.settings.program_routes.add(suffix.as_ref(), RouteTarget::System);
        self.own("route_system")
    }

    /// Whether the routes of this machine's configuration count, where it has any: suffixes that
    /// go to other nameservers, as a VPN sets them. Default: on, unless
    /// [`without_system_configuration`](Self::without_system_configuration).
    ///
    /// resolv.conf has no routes. Off, every name but those of the program's own routes goes to the
    /// nameservers of the machine, or to those of [`nameservers`](Self::nameservers), which replace
    /// the machine's root route alone.
    pub fn machine_routes(mut self, machine_routes: bool) -> Self {
        self.settings.machine_routes = machine_routes;
        self
    }

    /// The search list, in place of that of resolv.conf, and of suffixes that routes of the machine
    /// add to it.
    pub fn search(mut self, search: impl IntoIterator<Item = HostName>) -> Self {
        self.settings.search = Some(search.into_iter().collect());
        self.own("search")
    }

    /// Which nameservers a query goes to, and when the others are tried. Default:
    /// [`NameserverStrategy::Hedged`], or [`NameserverStrategy::InTurn`] with
    /// [`rotate`](Self::rotate).
    pub fn strategy(mut self, strategy: NameserverStrategy) -> Self {
        self.settings.strategy = Some(strategy);
        self.own("strategy")
    }

    /// How long the nameservers have for one candidate name, resends and TCP included. Default:
    /// `timeout` times `attempts` of resolv.conf, 5 s if it has neither. 1 ms to 30 s; a value
    /// outside is set to the nearer end. Also how long a lookup waits for the operating system, 10
    /// s by default ([`Source`]).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.timeout =
            Some(timeout.clamp(Duration::from_millis(1), Duration::from_secs(30)));
        self
    }

    /// How often a question may fail at every nameserver before it fails; a resend after silence
    /// does not count. Default: `attempts` of resolv.conf, 2 there. 1 to 5; a value outside is set
    /// to the nearer end. No question is sent to one nameserver more than three times (RFC 9520
    /// section 3.1), but once a second to one that was silent (section 3.2), so 4 and 5 are as 3.
    pub fn attempts(mut self, attempts: u8) -> Self {
        self.settings.attempts = Some(attempts.clamp(*ATTEMPTS.start(), *ATTEMPTS.end()));
        self.own("attempts")
    }

    /// Names with at least as many dots are tried as they are before the search list is. Default:
    /// `ndots` of resolv.conf, 1 there. 0 to 15; a greater value is set to 15.
    pub fn ndots(mut self, ndots: u8) -> Self {
        self.settings.ndots = Some(ndots.min(*NDOTS.end()));
        self.own("ndots")
    }

    /// Whether queries offer EDNS, with a UDP payload size of 1,232 octets (RFC 6891). Default: on,
    /// unless resolv.conf has `-edns0`.
    pub fn edns(mut self, edns: bool) -> Self {
        self.settings.edns = Some(edns);
        self.own("edns")
    }

    /// Whether queries go over TCP alone. Default: off, unless resolv.conf has `use-vc`.
    pub fn tcp_only(mut self, tcp_only: bool) -> Self {
        self.settings.tcp_only = Some(tcp_only);
        self.own("tcp_only")
    }

    /// Whether each lookup starts with the next nameserver, one after the other
    /// ([`NameserverStrategy::InTurn`], unless [`strategy`](Self::strategy) is set). Default: off,
    /// unless resolv.conf has `rotate`.
    ///
    /// For several equal nameservers that are to share the load. Not where the first one knows
    /// private names: each lookup that starts with another one would miss them.
    pub fn rotate(mut self, rotate: bool) -> Self {
        self.settings.rotate = Some(rotate);
        self.own("rotate")
    }

    /// Whether AAAA is asked of nameservers only for lookups that want IPv6 alone
    /// ([`LookupOptions::family`](super::LookupOptions::family)). Default: off, unless resolv.conf
    /// has `no-aaaa`.
    ///
    /// For networks without IPv6 whose nameservers are slow at AAAA, or fail at it. Hosts in
    /// memory, the hosts file, literals and `localhost` keep their IPv6 addresses.
    pub fn no_aaaa(mut self, no_aaaa: bool) -> Self {
        self.settings.no_aaaa = Some(no_aaaa);
        self.own("no_aaaa")
    }

    /// Whether AAAA is asked when A is settled, and not at the same time; A has half of the time at
    /// the most. Default: off, unless resolv.conf has `single-request`.
    ///
    /// For nameservers and firewalls that lose the second of two queries sent at once. Elsewhere it
    /// makes every lookup of both families one round trip longer. Off, resolv.conf's
    /// `single-request-reopen` still holds.
    pub fn single_request(mut self, single_request: bool) -> Self {
        self.settings.single_request = Some(single_request);
        self.own("single_request")
    }

    /// The local address of the DNS sockets to nameservers of its family, one for each family.
    /// Default: the operating system chooses, which `0.0.0.0` and `::` leave to it again.
    ///
    /// With a local address for one family and none for the other, a nameserver of the other family
    /// is not asked, as if it could not be reached: [`FailureCause::Socket`] with
    /// [`AddrNotAvailable`](std::io::ErrorKind::AddrNotAvailable), which is also the cause where
    /// this host does not have the address. It says nothing about the connections made to the
    /// addresses found: see [`SocketOptions`](crate::happy_eyeballs::SocketOptions) for those.
    ///
    /// [`FailureCause::Socket`]: super::FailureCause::Socket
    pub fn local_address(mut self, ip: IpAddr) -> Self {
        self.settings.route.set_local_address(ip);
        self.own("local_address")
    }

    /// Whether queries over UDP write the letters of the name in a random case, `wWw.ExAmPLe.coM`
    /// ([draft-vixie-dnsext-dns0x20]). Default: off.
    ///
    /// Nameservers copy the question into their response as it came. So a forger, who has to guess
    /// the port and the id of a query, has to guess the case of each letter as well: up to 31 bits
    /// more, one for each letter of the name. Callers see nothing of it: canonical names are
    /// spelled as they would be without. TCP has no need of it, and has its names as they were
    /// given.
    ///
    /// A few nameservers answer in lower case, or in the case in which another client has asked. A
    /// response in another case than its query is no answer, as it may be forged: the question is
    /// asked over TCP, and of the next nameservers, at the cost of two round trips; its socket
    /// listens on for the true response. If TCP is refused or silent there, the question is asked
    /// over UDP as it was given, so that such a nameserver costs time and no lookup. When three
    /// questions in a row have been answered in this way, and none in the case of its query, the
    /// nameserver is asked without for ten minutes. Such responses are counted:
    /// [`Stats::case_mismatches`](super::Stats::case_mismatches), and those of each nameserver.
    ///
    /// [draft-vixie-dnsext-dns0x20]: https://datatracker.ietf.org/doc/html/draft-vixie-dnsext-dns0x20-00
    pub fn mixed_case(mut self, mixed_case: bool) -> Self {
        self.settings.mixed_case = mixed_case;
        self.own("mixed_case")
    }

    /// How many results of one lookup the queue to its stream holds. Default: 16, at least 1.
    /// Further results wait in the resolver thread, and delay no other lookup.
    pub fn queue_capacity(mut self, capacity: usize) -> Self {
        self.settings.queue_capacity = capacity.max(1);
        self
    }

    /// How many UDP sockets may be open at once, besides those of lookups that started before a
    /// change of the configuration. Default: 256, or a quarter of the files that the process may
    /// have open (`RLIMIT_NOFILE`) if that is less; at least one a nameserver. Each distinct
    /// address of a nameserver, of whichever route, takes a part of it. Beyond, queries share the
    /// open ones: nothing fails and nothing waits, but a forger has fewer ports to guess. When the
    /// process runs out of descriptors all the same, half of the sockets open then are the limit
    /// for ten seconds, and twice as many after each ten more.
    pub fn max_sockets(mut self, max_sockets: usize) -> Self {
        self.settings.max_sockets = Some(max_sockets);
        self
    }

    /// How many calls of the operating system's own lookup run at once, each on a thread of its
    /// own. Default: 16; 2 to 512, a value outside is set to the nearer end.
    ///
    /// A call that does not come back holds its thread, some 30 KiB, until it does. Further calls
    /// wait, and lookups end at their deadline all the same. While every thread is held by a call
    /// that has taken more than a second, one more is started each second, up to twice the number;
    /// when all of these hang, lookups that need one fail with
    /// [`LookupErrorKind::Resources`](super::LookupErrorKind::Resources).
    #[cfg(feature = "system")]
    #[cfg_attr(docsrs, doc(cfg(feature = "system")))]
    pub fn system_threads(mut self, threads: usize) -> Self {
        self.settings.system_threads = threads.clamp(2, 512);
        self
    }

    /// The options of the cache; `None`: no cache. Default: [`CacheOptions::default`].
    pub fn cache(mut self, cache: impl Into<Option<CacheOptions>>) -> Self {
        self.settings.cache = cache.into();
        self
    }

    /// The filter on the addresses that a lookup may return. Default: every address is allowed.
    ///
    /// Services that connect to user-supplied names should set [`AddressPolicy::public_only`]; see
    /// [`AddressPolicy`] for what it guards against.
    pub fn address_policy(mut self, policy: AddressPolicy) -> Self {
        self.settings.address_policy = policy;
        self
    }

    /// Notes a call that chooses what the operating system would not heed.
    fn own(mut self, call: &'static str) -> Self {
        if !self.settings.own_calls.contains(&call) {
            self.settings.own_calls.push(call);
        }
        self
    }

    /// Reads the files, and builds the resolver.
    ///
    /// It never fails: a word or line that is wrong is skipped and reported by
    /// [`Resolver::diagnostics`]; with feature `tracing` also by a warning (target
    /// `outrace::config`), now and whenever the files have changed.
    ///
    /// # Blocking
    ///
    /// Reads three small local files; on Windows the network adapters and the registry, on macOS
    /// the dynamic store, each a call of some milliseconds. No thread is started before the first
    /// lookup needs it.
    pub fn build(self) -> Resolver {
        Resolver::new(self.settings)
    }
}

crate::os::cfg_linux_sockets! {
    impl ResolverBuilder {
        /// The name of the network interface that queries leave by, and responses arrive at:
        /// `SO_BINDTODEVICE`. Default: any.
        ///
        /// A nameserver on another interface is out of reach: with `eth0` also one on loopback, as
        /// that of systemd-resolved is. While there is no such interface, the cause of a failure is
        /// [`FailureCause::Socket`](super::FailureCause::Socket) with
        /// [`NetworkDown`](std::io::ErrorKind::NetworkDown). Connections to the addresses found
        /// have [`SocketOptions::interface`](crate::happy_eyeballs::SocketOptions::interface).
        pub fn interface(mut self, name: impl Into<String>) -> Self {
            self.settings.route.interface = Some(name.into());
            self.own("interface")
        }

        /// `SO_MARK` of the DNS sockets, for policy routing and packet filters. Default: none.
        ///
        /// Needs `CAP_NET_ADMIN`: without it no query is sent, and the cause of the failure is
        /// [`FailureCause::Socket`](super::FailureCause::Socket) with
        /// [`PermissionDenied`](std::io::ErrorKind::PermissionDenied).
        pub fn mark(mut self, mark: u32) -> Self {
            self.settings.route.mark = Some(mark);
            self.own("mark")
        }
    }
}

crate::os::cfg_interface_by_index! {
    impl ResolverBuilder {
        /// The index of the network interface that queries leave by, and responses arrive at:
        /// `IP_BOUND_IF`. Default: any.
        ///
        /// A nameserver on another interface is out of reach, one on loopback as well. While there
        /// is no such interface, the cause of a failure is
        /// [`FailureCause::Socket`](super::FailureCause::Socket) with
        /// [`NetworkDown`](std::io::ErrorKind::NetworkDown). Connections to the addresses found
        /// have [`SocketOptions::interface`](crate::happy_eyeballs::SocketOptions::interface).
        pub fn interface(mut self, index: std::num::NonZeroU32) -> Self {
            self.settings.route.interface = Some(index);
            self.own("interface")
        }
    }
}

#[cfg(test)]
mod tests;
