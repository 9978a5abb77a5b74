//! [`Settings`]: what the builder chose, and how it combines with the files.

use std::collections::HashSet;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::hosts::Hosts;
use super::name_routes::{NameRoute, NameRoutes, RouteTarget};
use super::native::{self, NativeSource};
use super::program_hosts::ProgramHosts;
use super::program_routes::ProgramRoutes;
use super::resolv_conf::ResolvConf;
use crate::HostName;
use crate::os::{self, NameService};
use crate::resolve::diagnostic::Diagnostic;
#[cfg(feature = "system")]
use crate::resolve::driver::getaddrinfo::getaddrinfo;
use crate::resolve::driver::shared::{DriverOptions, MakeCall};
use crate::resolve::names::local::LookupConfig;
use crate::resolve::names::search::SearchRule;
use crate::resolve::names::source_order::SourceRules;
use crate::resolve::stub::query::QueryConfig;
use crate::resolve::stub::{Pairing, StubConfig, SystemConfig};
use crate::resolve::{AddressPolicy, CacheOptions, NameserverStrategy, Source};
use crate::route::Route;

/// Most lookups bring fewer results than this, so that none waits for its consumer to be polled.
const DEFAULT_QUEUE_CAPACITY: usize = 16;
/// Enough that hundreds of lookups each have ports of their own, and a quarter of the 1,024 files
/// that a process may usually have open. Of a lower limit it is a quarter too: the rest is the
/// program's.
const DEFAULT_MAX_SOCKETS: usize = 256;

/// As many as the threads of glibc's own `getaddrinfo_a`, nearly: names that hang hold them all,
/// and each takes some 30 KiB.
pub(crate) const DEFAULT_SYSTEM_THREADS: usize = 16;
/// The C library alone takes 5 s for each nameserver, twice, and again for each name of its search
/// list.
const DEFAULT_SYSTEM_TIMEOUT: Duration = Duration::from_secs(10);

/// The default of a process that may have so many files open.
fn default_max_sockets(open_files: Option<u64>) -> usize {
    let quarter = open_files.map_or(u64::MAX, |limit| limit / 4);
    usize::try_from(quarter).unwrap_or(usize::MAX).min(DEFAULT_MAX_SOCKETS)
}

/// The call that says where settings do not come from.
pub(crate) const WITHOUT_SYSTEM: &str = "without_system_configuration";

/// The settings of one resolver. `None` leaves the choice to resolv.conf.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
pub(crate) struct Settings {
    /// `None`: no such file is read.
    pub(crate) resolv_conf: Option<PathBuf>,
    /// What the system says besides; `None`: it is not asked.
    pub(crate) native: Option<Arc<dyn NativeSource>>,
    /// Whether resolv.conf(5) holds without a file too, so that 127.0.0.1 is the nameserver of a
    /// machine that has no other. Where that is no convention, any user may listen there.
    pub(crate) has_default_nameserver: bool,
    /// `None`: no such file is read.
    pub(crate) hosts: Option<PathBuf>,
    /// Names that come before the hosts file, and before the nameservers.
    pub(crate) program_hosts: Arc<ProgramHosts>,
    /// `None`: the default, or what `OUTRACE_SOURCE` says.
    pub(crate) source: Option<Source>,
    /// The calls by which the program has chosen what the operating system would not heed.
    pub(crate) own_calls: Vec<&'static str>,
    /// `None`: no such file is read.
    pub(crate) nsswitch: Option<PathBuf>,
    /// Where the order of sources stands.
    pub(crate) name_service: NameService,
    /// Whether `RES_OPTIONS`, `LOCALDOMAIN`, `HOSTALIASES` and `OUTRACE_SOURCE` count.
    pub(crate) environment: bool,
    /// Empty: those of resolv.conf.
    pub(crate) nameservers: Vec<SocketAddr>,
    pub(crate) program_routes: ProgramRoutes,
    /// Whether the routes of the machine's configuration count.
    pub(crate) machine_routes: bool,
    pub(crate) search: Option<Vec<HostName>>,
    pub(crate) strategy: Option<NameserverStrategy>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) attempts: Option<u8>,
    pub(crate) ndots: Option<u8>,
    pub(crate) edns: Option<bool>,
    pub(crate) tcp_only: Option<bool>,
    pub(crate) rotate: Option<bool>,
    pub(crate) no_aaaa: Option<bool>,
    pub(crate) single_request: Option<bool>,
    /// resolv.conf has no word for it.
    pub(crate) mixed_case: bool,
    /// Which way the packets of DNS sockets take.
    pub(crate) route: Route,
    pub(crate) queue_capacity: usize,
    pub(crate) max_sockets: Option<usize>,
    /// `None`: no cache.
    pub(crate) cache: Option<CacheOptions>,
    pub(crate) address_policy: AddressPolicy,
    /// Calls to the operating system that run at once.
    pub(crate) system_threads: usize,
    pub(crate) make_call: SystemCall,
}

/// How the operating system's own lookup is called.
#[derive(Clone)]
pub(crate) struct SystemCall(pub(crate) MakeCall);

impl fmt::Debug for SystemCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SystemCall")
    }
}

impl Default for SystemCall {
    fn default() -> Self {
        #[cfg(feature = "system")]
        return Self(Arc::new(getaddrinfo));
        #[cfg(not(feature = "system"))]
        Self(Arc::new(|_| unreachable!("without the feature, no lookup has such a plan")))
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            resolv_conf: os::resolv_conf_path(),
            native: native::source::of_this_system(),
            has_default_nameserver: os::resolv_conf_path().is_some(),
            hosts: native::source::hosts_path(),
            program_hosts: Arc::default(),
            source: None,
            own_calls: Vec::new(),
            nsswitch: os::nsswitch_path(),
            name_service: os::name_service(),
            environment: true,
            nameservers: Vec::new(),
            program_routes: ProgramRoutes::default(),
            machine_routes: true,
            search: None,
            strategy: None,
            timeout: None,
            attempts: None,
            ndots: None,
            edns: None,
            tcp_only: None,
            rotate: None,
            no_aaaa: None,
            single_request: None,
            mixed_case: false,
            route: Route::default(),
            queue_capacity: DEFAULT_QUEUE_CAPACITY,
            max_sockets: None,
            cache: Some(CacheOptions::default()),
            address_policy: AddressPolicy::default(),
            system_threads: DEFAULT_SYSTEM_THREADS,
            make_call: SystemCall::default(),
        }
    }
}

impl Settings {
    /// The table of routes, given those of the machine.
    pub(crate) fn name_routes(&self, machine: &[NameRoute]) -> NameRoutes {
        let mut program = self.program_routes.routes().to_vec();
        if !self.nameservers.is_empty() {
            // Nameservers of the program are its root route: one of the machine does not replace
            // them.
            program.push(NameRoute {
                suffix: None,
                is_exact: false,
                to: RouteTarget::Nameservers(self.nameservers.clone()),
                order: 0,
                is_search: false,
            });
        }
        let mut machine = if self.machine_routes { machine.to_vec() } else { Vec::new() };
        if cfg!(not(feature = "system")) {
            // These names cannot be looked up then; no nameserver is to see them all the same.
            let of_system = machine.iter_mut().filter(|route| route.to == RouteTarget::System);
            of_system.for_each(|route| route.to = RouteTarget::Refuse);
        }
        NameRoutes::new(program, &machine)
    }

    /// The configuration of the stub, given resolv.conf and the routes.
    pub(crate) fn stub_config(&self, conf: &ResolvConf, routes: &Arc<NameRoutes>) -> StubConfig {
        let options = &conf.options;
        let rotate = self.rotate.unwrap_or(options.rotate);
        let default_strategy =
            if rotate { NameserverStrategy::InTurn } else { NameserverStrategy::Hedged };
        let nameservers = match routes.root() {
            Some(root) => root.to_vec(),
            None if self.is_without_nameserver(conf, routes) => Vec::new(),
            None => conf.nameservers.clone(),
        };
        let pairing = if self.single_request.unwrap_or(options.single_request) {
            Pairing::InSequence
        } else if options.single_request_reopen {
            Pairing::OwnSockets
        } else {
            Pairing::OneSocket
        };
        let attempts = self.attempts.unwrap_or(options.attempts);
        StubConfig {
            nameservers,
            routes: Arc::clone(routes),
            query: QueryConfig {
                strategy: self.strategy.unwrap_or(default_strategy),
                is_unconfigured: is_unconfigured(conf, routes),
                timeout: self.timeout.unwrap_or_else(|| options.budget(attempts)),
                attempts,
                edns: self.edns.unwrap_or(options.edns0),
                tcp_only: self.tcp_only.unwrap_or(options.use_vc),
                mixed_case: self.mixed_case,
            },
            rotate,
            trust_ad: options.trust_ad,
            pairing,
            max_sockets: self
                .max_sockets
                .unwrap_or_else(|| default_max_sockets(os::open_files_limit())),
            system: SystemConfig {
                timeout: self.timeout.unwrap_or(DEFAULT_SYSTEM_TIMEOUT),
                hold: self.cache.as_ref().map_or(Duration::ZERO, CacheOptions::system_hold),
            },
        }
    }

    /// What the resolver thread is given.
    pub(crate) fn driver_options(&self) -> DriverOptions {
        DriverOptions {
            cache: self.cache.clone(),
            route: self.route.clone(),
            system_threads: self.system_threads,
            make_call: Arc::clone(&self.make_call.0),
        }
    }

    /// Who looks names up, given what the environment says.
    pub(crate) fn source_wanted(&self, variable: Option<Source>) -> Source {
        match self.source.or(variable).unwrap_or_default() {
            Source::Auto if !cfg!(feature = "system") || !self.own_calls.is_empty() => Source::Own,
            source => source,
        }
    }

    /// The calls of the program that have no effect if this is who looks names up. The hosts file
    /// has one where the operating system would read it first.
    pub(crate) fn settings_unused_by(&self, wanted: Source) -> impl Iterator<Item = &'static str> {
        let is_system = !matches!(wanted, Source::Auto | Source::Own);
        let unused = move |name: &&str| is_system && !["hosts", WITHOUT_SYSTEM].contains(name);
        self.own_calls.iter().copied().filter(unused)
    }

    /// Whether there is no nameserver at all: none is configured, and there is no default one.
    pub(crate) fn is_without_nameserver(&self, conf: &ResolvConf, routes: &NameRoutes) -> bool {
        let has_default = self.has_default_nameserver || self.resolv_conf.is_some();
        is_unconfigured(conf, routes) && !has_default
    }

    /// The configuration of lookups, given the files and the routes.
    pub(crate) fn lookup_config(
        &self,
        conf: &ResolvConf,
        hosts: Arc<Hosts>,
        routes: &NameRoutes,
        diagnostics: Vec<Diagnostic>,
    ) -> LookupConfig {
        LookupConfig {
            program_hosts: Arc::clone(&self.program_hosts),
            hosts,
            search: self.search_list(conf, routes),
            search_rule: self.search_rule(conf),
            system_search: (!conf.search.is_empty()).then(|| conf.search_rule.unwrap_or_default()),
            no_aaaa: self.no_aaaa.unwrap_or(conf.options.no_aaaa),
            no_tld_query: conf.options.no_tld_query,
            sources: SourceRules::default(),
            diagnostics,
        }
    }

    /// The rule of the system is about the search list of the system.
    fn search_rule(&self, conf: &ResolvConf) -> SearchRule {
        match (self.ndots, conf.search_rule) {
            (None, Some(rule)) if self.search.is_none() => rule,
            (ndots, _) => SearchRule::Ndots(ndots.unwrap_or(conf.options.ndots)),
        }
    }
}

impl Settings {
    /// The search list: that of the program, or else that of resolv.conf, with the suffixes of
    /// routes that are to be searched behind it.
    fn search_list(&self, conf: &ResolvConf, routes: &NameRoutes) -> Arc<[HostName]> {
        if let Some(search) = &self.search {
            return search.as_slice().into();
        }
        if routes.search().is_empty() {
            return Arc::clone(&conf.search);
        }
        let listed: HashSet<_> = conf.search.iter().map(HostName::to_relative).collect();
        let others = routes.search().iter().filter(|suffix| !listed.contains(suffix));
        conf.search.iter().chain(others).cloned().collect()
    }
}

/// Whether neither resolv.conf nor a route, of which the nameservers of the program are one, has a
/// nameserver for names that no other route has.
pub(crate) fn is_unconfigured(conf: &ResolvConf, routes: &NameRoutes) -> bool {
    !conf.has_nameserver && !routes.has_root()
}

#[cfg(test)]
mod tests {
    use super::super::resolv_conf::{self, Env};
    use super::*;

    fn budget(settings: &Settings, text: &str) -> Duration {
        stub(settings, text).query.timeout
    }

    fn stub(settings: &Settings, text: &str) -> StubConfig {
        settings.stub_config(&conf(text), &settings.name_routes(&[]).into())
    }

    fn lookups(settings: &Settings, text: &str) -> LookupConfig {
        let routes = settings.name_routes(&[]);
        settings.lookup_config(&conf(text), Arc::default(), &routes, Vec::new())
    }

    fn conf(text: &str) -> ResolvConf {
        resolv_conf::parse(text.as_bytes(), &Env::default())
    }

    #[test]
    fn rr11_the_budget_is_timeout_times_attempts() {
        let settings = Settings::default();
        for (text, seconds) in [
            ("", 5),
            ("options ndots:2 rotate", 5),
            ("options timeout:1 attempts:5", 5),
            ("options timeout:1", 2),
            ("options attempts:3", 15),
            ("options timeout:5 attempts:2", 10),
            ("options timeout:30 attempts:5", 30),
            ("options timeout:0 attempts:0", 1),
        ] {
            assert_eq!(budget(&settings, text), Duration::from_secs(seconds), "{text}");
        }
    }

    #[test]
    fn rr18_a_nameserver_is_configured_by_the_file_or_the_program() {
        let program = vec![([192, 0, 2, 53], 53).into()];
        for (text, nameservers, is_unconfigured) in [
            ("search example", vec![], true),
            ("nameserver 127.0.0.1", vec![], false),
            ("", program, false),
        ] {
            let settings = Settings { nameservers, ..Settings::default() };
            let config = stub(&settings, text);
            assert_eq!(config.query.is_unconfigured, is_unconfigured, "{text}");
        }
    }

    /// A route of the machine to the nameserver 192.0.2.`last`.
    fn route(suffix: Option<&str>, last: u8) -> NameRoute {
        NameRoute {
            suffix: suffix.map(|name| name.parse().unwrap()),
            is_exact: false,
            to: RouteTarget::Nameservers(vec![([192, 0, 2, last], 53).into()]),
            order: 0,
            is_search: true,
        }
    }

    #[test]
    fn the_nameservers_of_the_program_are_its_root_route() {
        let given = vec![([192, 0, 2, 1], 53).into()];
        let machine = [route(None, 2), route(Some("corp.example"), 3)];
        for (nameservers, machine_routes, root, routes, is_unconfigured) in [
            (vec![], true, Some(2), 1, false),
            (vec![], false, None, 0, true),
            (given.clone(), true, Some(1), 1, false),
            (given, false, Some(1), 0, false),
        ] {
            let settings = Settings {
                has_default_nameserver: true,
                nameservers,
                machine_routes,
                ..Settings::default()
            };
            let table = Arc::new(settings.name_routes(&machine));
            let stub = settings.stub_config(&conf(""), &table);
            let expected = root.map_or([127, 0, 0, 1], |last| [192, 0, 2, last]);
            assert_eq!(stub.nameservers, [(expected, 53).into()]);
            assert_eq!(stub.routes.routes().len(), routes);
            assert_eq!(stub.query.is_unconfigured, is_unconfigured);
        }
    }

    /// Without the feature that looks them up, the names have no other place to go.
    #[test]
    fn sy54_names_of_the_system_are_asked_of_no_nameserver() {
        let machine = [NameRoute { to: RouteTarget::System, ..route(Some("local"), 1) }];
        let table = Settings::default().name_routes(&machine);
        let has_system = cfg!(feature = "system");
        let expected = if has_system { RouteTarget::System } else { RouteTarget::Refuse };
        assert_eq!(table.routes()[0].to, expected);
    }

    #[test]
    fn sy53_suffixes_of_routes_stand_at_the_end_of_the_search_list() {
        let machine = [route(Some("corp.example"), 1), route(Some("lab.example"), 2)];
        let list = |settings: Settings, text: &str| -> Vec<String> {
            let routes = settings.name_routes(&machine);
            let config = settings.lookup_config(&conf(text), Arc::default(), &routes, Vec::new());
            config.search.iter().map(ToString::to_string).collect()
        };
        let given = Some(vec!["own.example".parse().unwrap()]);
        for (settings, text, expected) in [
            (Settings::default(), "search a b", &["a", "b", "corp.example", "lab.example"][..]),
            (Settings::default(), "search Lab.Example.", &["Lab.Example.", "corp.example"]),
            (Settings::default(), "search .", &["corp.example", "lab.example"]),
            (Settings { machine_routes: false, ..Settings::default() }, "search a", &["a"]),
            (Settings { search: given, ..Settings::default() }, "search a", &["own.example"]),
        ] {
            assert_eq!(list(settings, text), expected, "{text}");
        }
    }

    /// Of Windows, each path has a drive, or there is none.
    #[test]
    fn os37_each_system_has_its_own_files() {
        let Settings { resolv_conf, hosts, native, .. } = Settings::default();
        let paths = [&resolv_conf, &hosts].map(|path| path.as_ref().and_then(|path| path.to_str()));
        if cfg!(windows) {
            let [None, Some(hosts)] = paths else { panic!("{paths:?}") };
            assert_eq!((&hosts[1..3], native.is_some()), (r":\", true), "{hosts}");
        } else if cfg!(unix) {
            assert_eq!(paths, [Some("/etc/resolv.conf"), Some("/etc/hosts")]);
            assert_eq!(native.is_some(), cfg!(target_os = "macos"));
        } else {
            assert_eq!(paths, [None, None]);
        }
    }

    #[test]
    fn rr21_a_quarter_of_the_files_that_may_be_open_are_the_resolvers() {
        for (open_files, sockets) in [
            (Some(64), 16),
            (Some(1024), 256),
            (Some(1_048_576), 256),
            (Some(u64::MAX), 256),
            (Some(0), 0),
            (None, 256),
        ] {
            assert_eq!(default_max_sockets(open_files), sockets, "{open_files:?}");
        }
        let settings = Settings { max_sockets: Some(1000), ..Settings::default() };
        assert_eq!(stub(&settings, "").max_sockets, 1000);
    }

    /// What each option comes to, for what the program sets and what the file has.
    #[test]
    fn an_option_is_as_the_program_sets_it_or_as_the_file_has_it() {
        use NameserverStrategy::{Hedged, InTurn};
        for (program, file, is_on) in [
            (None, false, false),
            (None, true, true),
            (Some(true), false, true),
            (Some(true), true, true),
            (Some(false), false, false),
            (Some(false), true, false),
        ] {
            let text = if file { "options rotate no-aaaa single-request" } else { "" };
            let of = |settings: Settings| {
                let lookups = lookups(&settings, text);
                (stub(&settings, text), lookups.no_aaaa)
            };
            let given = format!("{program:?} and {text:?}");
            let (stub, no_aaaa) = of(Settings { rotate: program, ..Settings::default() });
            let strategy = if is_on { InTurn } else { Hedged };
            assert_eq!((stub.rotate, stub.query.strategy), (is_on, strategy), "rotate: {given}");
            assert_eq!((no_aaaa, stub.pairing), beside(file), "beside rotate: {given}");
            let (stub, no_aaaa) = of(Settings { no_aaaa: program, ..Settings::default() });
            assert_eq!(no_aaaa, is_on, "no_aaaa: {given}");
            assert_eq!((stub.rotate, stub.pairing), beside(file), "beside no_aaaa: {given}");
            let (stub, no_aaaa) = of(Settings { single_request: program, ..Settings::default() });
            assert_eq!((is_on, stub.pairing), beside(is_on), "single_request: {given}");
            assert_eq!((stub.rotate, no_aaaa), (file, file), "beside single_request: {given}");
        }
    }

    /// An option that the program left to the file, and the pairing of the option `single-request`.
    fn beside(is_on: bool) -> (bool, Pairing) {
        (is_on, if is_on { Pairing::InSequence } else { Pairing::OneSocket })
    }

    #[test]
    fn a_strategy_of_the_program_holds_whether_or_not_lookups_rotate() {
        let strategy = Some(NameserverStrategy::All);
        for rotate in [None, Some(true), Some(false)] {
            let settings = Settings { strategy, rotate, ..Settings::default() };
            let stub = stub(&settings, "options rotate");
            assert_eq!(stub.query.strategy, NameserverStrategy::All);
        }
    }

    #[test]
    fn without_single_request_the_option_single_request_reopen_holds() {
        let text = "options single-request single-request-reopen";
        let settings = Settings { single_request: Some(false), ..Settings::default() };
        assert_eq!(stub(&settings, text).pairing, Pairing::OwnSockets);
    }

    #[test]
    fn rr11_what_the_program_sets_holds() {
        let text = "options timeout:1 attempts:5";
        let timeout = Some(Duration::from_millis(700));
        let settings = Settings { timeout, ..Settings::default() };
        assert_eq!(budget(&settings, text), Duration::from_millis(700));
        let settings = Settings { attempts: Some(3), ..Settings::default() };
        assert_eq!(budget(&settings, text), Duration::from_secs(3));
        assert_eq!(budget(&settings, ""), Duration::from_secs(5));
    }
}
