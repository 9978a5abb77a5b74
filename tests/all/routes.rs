//! Routes (split DNS): which nameservers see a name, and that no others do.

use crate::support::{Journal, Nameserver};
use futures_util::StreamExt;
use outrace::resolve::{ConfigSource, RouteTarget};
use outrace::{HostName, LookupErrorKind, LookupResult, Resolver, ResolverBuilder};

/// What the nameservers of the two networks say: the public one has addresses for every name.
const PUBLIC: &str = "
    *.example.test.  A     -> answer 192.0.2.1 ttl 300
    *.example.test.  AAAA  -> nodata authority at example.test. soa 300
";
const CORP: &str = "
    www.corp.example.test.    A     -> answer 10.0.0.1 ttl 300
    www.corp.example.test.    AAAA  -> nodata
    alias.corp.example.test.  *     -> answer cname www.example.test.
    hang.corp.example.test.   *     -> drop
";

/// Two nameservers with a journal each.
struct Networks {
    public: Nameserver,
    corp: Nameserver,
}

impl Networks {
    fn new() -> Self {
        let start =
            |script| Nameserver::at("127.0.0.1:0".parse().unwrap(), script, &Journal::new());
        Self { public: start(PUBLIC), corp: start(CORP) }
    }

    fn builder(&self) -> ResolverBuilder {
        Resolver::builder()
            .without_system_configuration()
            .nameservers([self.public.addr()])
            .route("corp.example.test", [self.corp.addr()])
    }

    /// The names that each has seen, in order and each once.
    fn seen(&self) -> [Vec<String>; 2] {
        [&self.public, &self.corp].map(|nameserver| {
            nameserver.barrier();
            let mut names: Vec<_> =
                nameserver.journal().queries().into_iter().map(|query| query.name).collect();
            names.dedup();
            names
        })
    }
}

async fn addresses(resolver: &Resolver, name: &str) -> Result<Vec<String>, LookupErrorKind> {
    let results: Vec<_> = resolver.lookup((name, 80)).collect().await;
    if let Some(LookupResult::End(Err(error))) = results.last() {
        return Err(error.kind());
    }
    let addresses = results.iter().filter_map(|result| match result {
        LookupResult::Address(addr) => Some(addr.ip().to_string()),
        _ => None,
    });
    Ok(addresses.collect())
}

fn name(text: &str) -> HostName {
    text.parse().unwrap()
}

#[tokio::test]
async fn os33_each_name_is_seen_by_the_nameservers_of_its_route_alone() {
    let networks = Networks::new();
    let resolver = networks.builder().build();
    for (name, expected) in [
        ("www.example.test", Ok(vec!["192.0.2.1".to_owned()])),
        ("www.corp.example.test", Ok(vec!["10.0.0.1".to_owned()])),
        ("notcorp.example.test", Ok(vec!["192.0.2.1".to_owned()])),
        // The public nameserver would have an address.
        ("gone.corp.example.test", Err(LookupErrorKind::NotFound)),
        ("alias.corp.example.test", Ok(vec!["192.0.2.1".to_owned()])),
    ] {
        assert_eq!(addresses(&resolver, name).await, expected, "{name}");
    }
    let [public, corp] = networks.seen();
    assert!(public.iter().all(|name| !name.contains(".corp.")), "{public:?}");
    let dotted = |name: &str| format!("{name}.corp.example.test");
    assert_eq!(corp, ["www", "gone", "alias"].map(dotted));
}

#[tokio::test]
async fn os34_an_error_names_the_nameserver_of_the_route() {
    let networks = Networks::new();
    let timeout = std::time::Duration::from_millis(200);
    let resolver = networks.builder().timeout(timeout).build();
    let results: Vec<_> = resolver.lookup("hang.corp.example.test:80").collect().await;
    let Some(LookupResult::End(Err(error))) = results.last() else { panic!("{results:?}") };
    assert_eq!(error.kind(), LookupErrorKind::Timeout);
    let nameservers: Vec<_> = error.failures().iter().map(|failure| failure.nameserver).collect();
    assert_eq!(nameservers, [networks.corp.addr(); 2], "A and AAAA");
    assert_eq!(networks.seen()[0], [""; 0]);
}

#[tokio::test]
async fn sy54_a_name_that_is_refused_is_seen_by_no_nameserver() {
    let networks = Networks::new();
    let resolver = networks
        .builder()
        .route_refuse("internal.example.test")
        .host("hosts.internal.example.test", ["192.0.2.7".parse().unwrap()])
        .build();
    for name in ["internal.example.test", "www.Internal.example.test."] {
        assert_eq!(addresses(&resolver, name).await, Err(LookupErrorKind::NotFound), "{name}");
    }
    // Hosts come before routes.
    let known = addresses(&resolver, "hosts.internal.example.test").await;
    assert_eq!(known, Ok(vec!["192.0.2.7".to_owned()]));
    assert_eq!(networks.seen(), [const { Vec::<String>::new() }; 2]);
}

/// All that is not allowed does not exist.
#[tokio::test]
async fn a_root_that_is_refused_leaves_the_names_of_other_routes() {
    let networks = Networks::new();
    let resolver = networks.builder().route_refuse(".").build();
    let found = addresses(&resolver, "www.corp.example.test").await;
    assert_eq!(found, Ok(vec!["10.0.0.1".to_owned()]));
    let refused = addresses(&resolver, "www.example.test").await;
    assert_eq!(refused, Err(LookupErrorKind::NotFound));
    assert_eq!(networks.seen()[0], [""; 0]);
}

#[test]
fn the_route_of_a_name_can_be_asked_for() {
    let networks = Networks::new();
    let resolver = networks.builder().route_refuse("Internal.test").build();
    let to = |nameserver: &Nameserver| RouteTarget::Nameservers(vec![nameserver.addr()]);
    for (asked, suffix, target) in [
        ("www.corp.example.test", Some("corp.example.test"), to(&networks.corp)),
        ("CORP.example.test.", Some("corp.example.test"), to(&networks.corp)),
        ("notcorp.example.test", None, to(&networks.public)),
        ("a.b.internal.test", Some("internal.test"), RouteTarget::Refuse),
    ] {
        let route = resolver.route_of(&name(asked));
        assert_eq!((route.suffix, route.target), (suffix.map(name), target), "{asked}");
    }
}

#[cfg(feature = "system")]
#[test]
fn a_route_may_lead_to_the_operating_system() {
    let resolver = Resolver::builder().without_system_configuration().route_system("local").build();
    let route = resolver.route_of(&name("printer.local"));
    assert_eq!((route.suffix, route.target), (Some(name("local")), RouteTarget::System));
}

#[test]
fn a_route_that_cannot_be_used_is_reported() {
    let networks = Networks::new();
    let resolver = networks
        .builder()
        .route("a b", [networks.corp.addr()])
        .route("lab.test", [])
        .route_refuse("192.0.2.1")
        .build();
    let diagnostics = resolver.diagnostics();
    let told: Vec<_> = diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.config_source() == ConfigSource::Builder)
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        told,
        [
            "builder: \"a b\": the host name has the byte ' ' at index 1",
            "builder: \"lab.test\": no nameserver, the names are refused",
            "builder: \"192.0.2.1\": the host name is an IP address",
        ]
    );
    assert_eq!(resolver.route_of(&name("lab.test")).target, RouteTarget::Refuse);
    let many = (0..1025).fold(networks.builder(), |builder, n| {
        builder.route(format!("n{n}.example.test"), [networks.corp.addr()])
    });
    let many = many.build();
    let told: Vec<_> = many.diagnostics().iter().map(ToString::to_string).collect();
    assert_eq!(told.last().unwrap(), "routes: 2 routes are not used, there are 1,024 others");
}

#[tokio::test]
async fn os45_after_a_change_of_the_network_what_was_learnt_is_gone() {
    let networks = Networks::new();
    let resolver = networks.builder().build();
    for _ in 0..2 {
        addresses(&resolver, "www.example.test").await.unwrap();
    }
    let queries = || networks.public.journal().queries_for("www.example.test.", "A").len();
    assert_eq!(queries(), 1, "the second was answered from the cache");
    let before = resolver.stats();
    assert!(before.nameservers[0].smoothed_rtt.is_some());
    for _ in 0..10_000 {
        resolver.network_changed();
    }
    for _ in 0..2 {
        addresses(&resolver, "www.example.test").await.unwrap();
    }
    assert_eq!(queries(), 2);
    let after = resolver.stats();
    assert_eq!(after.generations, before.generations + 1);
    assert_eq!(after.nameservers[0].queries, 2, "A and AAAA");
}

#[tokio::test]
async fn each_route_has_its_nameservers_in_the_statistics() {
    let networks = Networks::new();
    let resolver = networks.builder().route("lab.test", [networks.public.addr()]).build();
    for name in ["www.example.test", "www.corp.example.test", "b.corp.example.test"] {
        let _ = addresses(&resolver, name).await;
    }
    let stats = resolver.stats().nameservers;
    let told: Vec<_> =
        stats.iter().map(|server| (server.addr, server.route.clone(), server.queries)).collect();
    let (public, corp) = (networks.public.addr(), networks.corp.addr());
    assert_eq!(
        told,
        [
            (public, None, 2),
            (corp, Some(name("corp.example.test")), 4),
            (public, Some(name("lab.test")), 0),
        ]
    );
}
