//! Address policies: no lookup returns a denied address, whatever its source, and no race connects
//! to one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use crate::support::{Behaviour, Nameserver, Web, World};
use futures_util::StreamExt;
use outrace::happy_eyeballs::{ConnectErrorKind, ConnectOptions, connect_with};
use outrace::resolve::AddressPolicy;
use outrace::{
    LookupError, LookupErrorKind, LookupOptions, LookupResult, Resolver, ResolverBuilder,
    futex_queue,
};

const V4_1: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const V4_2: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// The ways to this host, to its network and to what a cloud tells its machines.
const INSIDE_V4: [&str; 6] =
    ["0.0.0.0", "127.0.0.1", "10.0.0.1", "192.168.0.1", "100.64.0.1", "169.254.169.254"];
const INSIDE_V6: [&str; 7] = [
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::1",
    "fe80::1",
    "fd00:ec2::254",
];

fn resolver(nameserver: &Nameserver) -> ResolverBuilder {
    Resolver::builder().without_system_configuration().nameservers([nameserver.addr()])
}

fn public_only(nameserver: &Nameserver) -> Resolver {
    resolver(nameserver).address_policy(AddressPolicy::public_only()).build()
}

/// A hosts file, until it is dropped.
struct HostsFile(PathBuf);

impl HostsFile {
    fn new(test: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("outrace-{test}-{}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        Self(path)
    }
}

impl Drop for HostsFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// The addresses of a lookup without their port, and how it ended. A canonical name never comes
/// without an address.
async fn lookup(resolver: &Resolver, name: &str) -> (Vec<String>, Result<(), LookupError>) {
    let mut results = resolver.lookup((name, 80));
    let mut addresses = Vec::new();
    while let Some(result) = results.next().await {
        match result {
            LookupResult::Address(addr) => addresses.push(addr.ip().to_string()),
            LookupResult::CanonicalName(_) => assert!(!addresses.is_empty(), "{name}"),
            LookupResult::End(outcome) => return (addresses, outcome),
        }
    }
    panic!("{name}: no end");
}

#[track_caller]
fn assert_denied(outcome: (Vec<String>, Result<(), LookupError>), count: usize) -> String {
    let (addresses, Err(error)) = outcome else { panic!("{outcome:?}") };
    assert_eq!((addresses, error.kind()), (Vec::new(), LookupErrorKind::PolicyDenied));
    assert!(!error.is_temporary());
    assert_eq!(error.denied().unwrap().count, count, "{error}");
    error.to_string()
}

#[tokio::test]
async fn su05_what_a_nameserver_says_is_judged_address_by_address() {
    let script = format!(
        "inside.example.test. A    -> answer {}
         inside.example.test. AAAA -> answer {}
         mixed.example.test.  A    -> answer 127.0.0.1 9.9.9.9
         mixed.example.test.  AAAA -> answer ::1
         public.example.test. A    -> answer 9.9.9.9
         public.example.test. AAAA -> answer 2620:fe::fe",
        INSIDE_V4.join(" "),
        INSIDE_V6.join(" ")
    );
    let nameserver = Nameserver::start(script.as_str());
    let resolver = public_only(&nameserver);
    let count = INSIDE_V4.len() + INSIDE_V6.len();
    assert_denied(lookup(&resolver, "inside.example.test").await, count);
    let mixed = lookup(&resolver, "mixed.example.test").await;
    assert_eq!(mixed, (vec!["9.9.9.9".to_owned()], Ok(())));
    let (mut public, outcome) = lookup(&resolver, "public.example.test").await;
    public.sort();
    assert_eq!((public, outcome), (vec!["2620:fe::fe".to_owned(), "9.9.9.9".to_owned()], Ok(())));
}

#[tokio::test]
async fn su05_a_literal_is_judged_as_well_unless_one_says_otherwise() {
    let nameserver = Nameserver::start("* * -> servfail");
    let policy = AddressPolicy::public_only();
    let strict = resolver(&nameserver).address_policy(policy.clone()).build();
    let lax = resolver(&nameserver).address_policy(policy.apply_to_literals(false)).build();
    for literal in INSIDE_V4.iter().chain(&INSIDE_V6).chain(&["[::1]", "[fe80::1%1]"]) {
        let denied = assert_denied(lookup(&strict, literal).await, 1);
        assert!(denied.contains("the address policy denies every address, "), "{denied}");
        assert!(lookup(&lax, literal).await.1.is_ok(), "{literal}");
    }
    assert_eq!(lookup(&strict, "9.9.9.9").await.1, Ok(()));
    // These are no exemption for names that mean an address.
    assert_denied(lookup(&lax, "localhost").await, 2);
    assert!(nameserver.journal().queries().is_empty());
}

/// Without a policy a block list's `0.0.0.0` is an address like any other, as in the C library.
#[tokio::test]
async fn ho09_the_hosts_file_is_judged_as_well_unless_one_says_otherwise() {
    let nameserver = Nameserver::start("* * -> answer 9.9.9.9");
    let hosts = HostsFile::new(
        "ho09",
        "0.0.0.0 blocked\n10.1.2.3 both\n9.9.9.9 both\n127.0.0.1 localhost\n::ffff:127.0.0.1 mapped",
    );
    let public = AddressPolicy::public_only();
    let [without, strict, lax] =
        [AddressPolicy::default(), public.clone(), public.apply_to_hosts_file(false)]
            .map(|policy| resolver(&nameserver).hosts(&hosts.0).address_policy(policy).build());
    for resolver in [&without, &lax] {
        assert_eq!(lookup(resolver, "blocked").await, (vec!["0.0.0.0".to_owned()], Ok(())));
        assert_eq!(lookup(resolver, "both").await.0.len(), 2);
    }
    assert_denied(lookup(&strict, "blocked").await, 1);
    assert_denied(lookup(&strict, "localhost").await, 1);
    assert_denied(lookup(&strict, "mapped").await, 1);
    assert_eq!(lookup(&strict, "both").await, (vec!["9.9.9.9".to_owned()], Ok(())));
    // These are exempt by name: the same addresses as a literal are not.
    assert_denied(lookup(&lax, "0.0.0.0").await, 1);
    assert!(
        nameserver.journal().queries().is_empty(),
        "a name that was denied is found all the same"
    );
}

#[tokio::test]
async fn localhost_is_judged_and_may_be_allowed_by_its_addresses() {
    let nameserver = Nameserver::start("* * -> servfail");
    let resolver_with = |policy| resolver(&nameserver).address_policy(policy).build();
    let strict = AddressPolicy::public_only();
    assert_denied(lookup(&resolver_with(strict.clone()), "x.localhost").await, 2);
    let v4 = strict.allow("127.0.0.1".parse().unwrap());
    let found = lookup(&resolver_with(v4), "localhost").await;
    assert_eq!(found, (vec!["127.0.0.1".to_owned()], Ok(())));
}

#[tokio::test]
async fn a_lookup_of_one_family_is_judged_in_that_family() {
    let nameserver = Nameserver::start("* * -> servfail");
    let resolver = public_only(&nameserver);
    let options = LookupOptions::default().family(outrace::resolve::AddressFamily::Ipv6);
    let results: Vec<_> = resolver.lookup_with("127.0.0.1:80", &options).collect().await;
    let [LookupResult::End(Err(error))] = &results[..] else { panic!("{results:?}") };
    assert_eq!(error.kind(), LookupErrorKind::NoAddress, "there was nothing to deny");
}

#[tokio::test]
async fn a_lookup_into_a_queue_is_judged_as_well() {
    let nameserver = Nameserver::start("inside.example.test. * -> answer 10.0.0.1 fd00::1");
    let resolver = public_only(&nameserver);
    let (putter, mut getter) = futex_queue::bounded(1);
    for name in ["inside.example.test:80", "10.0.0.1:80", "localhost:80"] {
        resolver.lookup_into(name, &LookupOptions::default(), putter.clone(), name);
    }
    drop(putter);
    let mut ends = 0;
    while let Some((name, result)) = getter.get_one().await {
        let LookupResult::End(Err(error)) = result else { panic!("{name}: {result:?}") };
        assert_eq!(error.kind(), LookupErrorKind::PolicyDenied, "{name}");
        ends += 1;
    }
    assert_eq!(ends, 3);
}

#[tokio::test]
async fn t15_connect_makes_no_attempt_at_what_is_denied() {
    let web = Web::start([(V4_1, Behaviour::Serve), (V6, Behaviour::Serve)]);
    let world = World::new(["rebound.example.test. * -> answer 127.0.0.1 ::1"], web);
    let resolver = Resolver::builder()
        .without_system_configuration()
        .nameservers(world.nameserver_addrs())
        .address_policy(AddressPolicy::public_only())
        .build();
    for (host, why) in [
        ("rebound.example.test", "2 addresses, the first "),
        ("127.0.0.1", "127.0.0.1 (loopback address)"),
        ("0.0.0.0", "0.0.0.0 (unspecified address)"),
        ("[::1]", "::1 (loopback address)"),
        ("[::]", ":: (unspecified address)"),
        ("[::ffff:127.0.0.1]", "::ffff:127.0.0.1 (IPv4 address in IPv6 form)"),
        ("localhost", "2 addresses, the first ::1 (loopback address)"),
    ] {
        let target = world.target(host);
        let error = connect_with(target, &resolver, &ConnectOptions::default()).await.unwrap_err();
        assert_eq!(error.kind(), ConnectErrorKind::Denied, "{host}");
        assert!(error.is_denied() && !error.is_dns() && !error.is_temporary(), "{host}");
        assert!(error.attempts().is_empty(), "{error:#}");
        let line = error.to_string();
        assert!(line.starts_with("no address may be dialled, ") && line.contains(why), "{line}");
    }
    assert_eq!(world.web.visits().connections, [], "no connection was made");
}

/// The race sees an allowed address as soon as it is there, and never sees a denied one.
#[tokio::test]
async fn co04_of_a_mixed_answer_the_race_dials_what_is_left() {
    let web =
        Web::start([(V4_1, Behaviour::Serve), (V4_2, Behaviour::Serve), (V6, Behaviour::Serve)]);
    let world = World::new(
        ["mixed.example.test. A    -> answer 127.0.0.1 127.0.0.2
          mixed.example.test. AAAA -> answer ::1"],
        web,
    );
    let policy = AddressPolicy::public_only().allow("127.0.0.2".parse().unwrap());
    let resolver = Resolver::builder()
        .without_system_configuration()
        .nameservers(world.nameserver_addrs())
        .address_policy(policy)
        .build();
    let target = world.target("mixed.example.test");
    let (_stream, info) =
        connect_with(target, &resolver, &ConnectOptions::default()).await.unwrap();
    assert_eq!(info.addr().ip(), V4_2);
    assert_eq!(info.attempts().len(), 1);
}

/// DNS rebinding: the name is public when it is checked, and private when it is connected to. The
/// answer that is connected to is the one that was checked.
#[tokio::test]
async fn t15_a_name_that_changes_its_mind_is_judged_each_time() {
    let nameserver = Nameserver::start(
        "rebound.example.test. A #1  -> answer 9.9.9.9 ttl 0
         rebound.example.test. A #2+ -> answer 127.0.0.1 ttl 0
         rebound.example.test. AAAA  -> nodata",
    );
    let judged = Arc::new(Mutex::new(Vec::new()));
    let policy = AddressPolicy::public_only().and({
        let judged = Arc::clone(&judged);
        move |ip| {
            judged.lock().unwrap().push(ip.to_string());
            true
        }
    });
    let resolver = resolver(&nameserver).address_policy(policy).build();
    assert_eq!(lookup(&resolver, "rebound.example.test").await.1, Ok(()));
    assert_denied(lookup(&resolver, "rebound.example.test").await, 1);
    assert_eq!(*judged.lock().unwrap(), ["9.9.9.9"], "a function is not asked once it is denied");
}

#[tokio::test]
async fn a_function_that_panics_takes_no_lookup_with_it() {
    let nameserver = Nameserver::start("*.example.test. A -> answer 9.9.9.9");
    let policy = AddressPolicy::new(|ip| {
        assert!(ip.is_ipv6(), "a test does so");
        true
    });
    let resolver = resolver(&nameserver).address_policy(policy).build();
    assert_denied(lookup(&resolver, "one.example.test").await, 1);
    assert_denied(lookup(&resolver, "two.example.test").await, 1);
}

#[cfg(feature = "hyper")]
mod clients {
    use http::Uri;
    use hyper_util::client::legacy::connect::HttpConnector;
    use outrace::Connector;
    use outrace::resolve::DenyReason;
    use tower::ServiceExt;

    use super::*;

    fn world() -> World {
        let web = Web::start([(V4_1, Behaviour::Serve), (V6, Behaviour::Serve)]);
        World::new(["rebound.example.test. * -> answer 127.0.0.1 ::1"], web)
    }

    fn guarded(world: &World) -> Resolver {
        Resolver::builder()
            .without_system_configuration()
            .nameservers(world.nameserver_addrs())
            .address_policy(AddressPolicy::public_only())
            .build()
    }

    fn uri(world: &World, host: &str) -> Uri {
        format!("http://{}/", world.target(host)).parse().unwrap()
    }

    #[tokio::test]
    async fn t15_a_connector_refuses_denied_literals_and_rebinding_names_before_any_attempt() {
        let world = world();
        let connector = Connector::with_resolver(guarded(&world));
        for host in [
            "127.0.0.1",
            "0.0.0.0",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "user:secret@127.0.0.1",
            "localhost",
            "LOCALHOST.",
            "rebound.example.test",
        ] {
            let error = connector.clone().oneshot(uri(&world, host)).await.unwrap_err();
            assert!(error.is_denied() && error.attempts().is_empty(), "{host}: {error:#}");
        }
        // Forms that inet_aton would read are no names here, and no addresses either.
        for host in ["127.1", "2130706433", "0x7f.0.0.1", "0177.0.0.1"] {
            let error = connector.clone().oneshot(uri(&world, host)).await.unwrap_err();
            assert!(error.is_invalid_target(), "{host}: {error:#}");
        }
        assert_eq!(world.web.visits().connections, []);
    }

    /// What the documentation says of it: it asks the resolver for names, and dials literals by
    /// itself.
    #[tokio::test]
    async fn http_connector_asks_for_names_and_never_for_literals() {
        let world = world();
        let connector = HttpConnector::new_with_resolver(guarded(&world));
        let error =
            connector.clone().oneshot(uri(&world, "rebound.example.test")).await.unwrap_err();
        let source = std::error::Error::source(&error).and_then(|e| e.downcast_ref());
        let denied: &LookupError = source.unwrap_or_else(|| panic!("{error:?}"));
        assert_eq!(denied.kind(), LookupErrorKind::PolicyDenied);
        assert_eq!(world.web.visits().connections, []);

        assert!(connector.oneshot(uri(&world, "127.0.0.1")).await.is_ok());
        // What to do about it.
        let denied = AddressPolicy::public_only().check(V4_1);
        assert_eq!(denied, Err(DenyReason::Loopback));
    }
}
