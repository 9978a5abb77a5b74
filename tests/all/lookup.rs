//! What a lookup promises to its user: what comes, in which order, and that it ends.

use std::fs;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::Path;
use std::time::Duration;

use crate::support::{Nameserver, Transport};

use futures_util::{FutureExt, StreamExt};
use outrace::resolve::{AddressFamily, ConfigSource, FailureCause};
use outrace::{LookupErrorKind, LookupOptions, LookupResult, LookupStream, Resolver, futex_queue};

fn resolver(nameserver: &Nameserver) -> Resolver {
    Resolver::builder().without_system_configuration().nameservers([nameserver.addr()]).build()
}

async fn all(results: LookupStream) -> Vec<LookupResult> {
    results.collect().await
}

fn address(text: &str) -> LookupResult {
    LookupResult::Address(text.parse::<SocketAddr>().unwrap())
}

fn canonical(text: &str) -> LookupResult {
    LookupResult::CanonicalName(text.parse().unwrap())
}

fn end_kind(results: &[LookupResult]) -> Option<LookupErrorKind> {
    match results.last() {
        Some(LookupResult::End(Err(error))) => Some(error.kind()),
        _ => None,
    }
}

#[tokio::test]
async fn addresses_then_one_canonical_name_then_end() {
    let nameserver = Nameserver::start(
        "www.example.test. A    -> answer 192.0.2.1 192.0.2.2
         www.example.test. AAAA -> delay 20ms, answer 2001:db8::1",
    );
    let results = all(resolver(&nameserver).lookup("www.example.test:443")).await;
    assert_eq!(
        results,
        [
            address("192.0.2.1:443"),
            address("192.0.2.2:443"),
            canonical("www.example.test"),
            address("[2001:db8::1]:443"),
            LookupResult::End(Ok(())),
        ]
    );
}

#[tokio::test]
async fn an_address_comes_before_the_other_family_has_answered() {
    let nameserver = Nameserver::start(
        "slow.example.test. A    -> answer 192.0.2.1
         slow.example.test. AAAA -> drop",
    );
    let mut results = resolver(&nameserver).lookup("slow.example.test:80");
    assert_eq!(results.next().await, Some(address("192.0.2.1:80")));
    assert_eq!(results.next().await, Some(canonical("slow.example.test")));
}

/// As from getaddrinfo: the addresses, or why there are none.
#[tokio::test]
async fn cr20_a_failed_lookup_is_no_empty_list() {
    let nameserver = Nameserver::start(
        "www.example.test. A    -> answer 192.0.2.1
         www.example.test. AAAA -> answer 2001:db8::1
         half.example.test. A    -> answer 192.0.2.1
         half.example.test. AAAA -> servfail
         none.example.test. *    -> nxdomain",
    );
    let resolver = resolver(&nameserver);
    let addr = |text: &str| text.parse::<SocketAddr>().unwrap();
    for (name, expected) in [
        ("www", Ok(vec![addr("192.0.2.1:80"), addr("[2001:db8::1]:80")])),
        ("half", Ok(vec![addr("192.0.2.1:80")])),
        ("none", Err(LookupErrorKind::NotFound)),
    ] {
        let host = format!("{name}.example.test");
        let sorted = |addrs: Result<Vec<_>, outrace::LookupError>| {
            let mut addrs = addrs.map_err(|error| error.kind())?;
            addrs.sort_unstable();
            Ok(addrs)
        };
        assert_eq!(sorted(resolver.lookup((&host, 80)).into_addrs().await), expected, "{name}");
        let blocking = resolver.lookup((&host, 80)).into_blocking_iter();
        assert_eq!(sorted(blocking.into_addrs()), expected, "{name}");
    }
}

/// Two functions that a program has today, changed in their paths alone.
#[tokio::test]
async fn cr19_tokios_own_functions_become_ours_by_their_paths() {
    async fn peer(addr: &str) -> std::io::Result<SocketAddr> {
        let stream = outrace::connect(addr).await?;
        stream.peer_addr()
    }
    async fn all(host: &str) -> std::io::Result<Vec<SocketAddr>> {
        Ok(outrace::lookup_host(host).await?.collect())
    }
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = server.local_addr().unwrap();
    assert_eq!(peer(&addr.to_string()).await.unwrap(), addr);
    assert_eq!(all("192.0.2.1:80").await.unwrap(), ["192.0.2.1:80".parse().unwrap()]);

    drop(server);
    let error = peer(&addr.to_string()).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused, "{error}");
    let error = all("www.invalid:80").await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{error}");
    let error = all("https://example.com/").await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput, "{error}");
}

#[tokio::test]
async fn an_alias_chain_ends_in_the_canonical_name() {
    let nameserver = Nameserver::start(
        "alias.example.test. A    -> answer cname www.example.test. 192.0.2.1
         alias.example.test. AAAA -> nodata",
    );
    let results = all(resolver(&nameserver).lookup("alias.example.test:80")).await;
    assert!(results.contains(&canonical("www.example.test")), "{results:?}");
    assert_eq!(results.last(), Some(&LookupResult::End(Ok(()))));
}

#[tokio::test]
async fn nxdomain_and_nodata_are_told_apart() {
    let nameserver = Nameserver::start("empty.example.test. TXT -> nodata");
    let resolver = resolver(&nameserver);
    let gone = all(resolver.lookup("gone.example.test:80")).await;
    assert_eq!(end_kind(&gone), Some(LookupErrorKind::NotFound));
    let empty = all(resolver.lookup("empty.example.test:80")).await;
    assert_eq!(end_kind(&empty), Some(LookupErrorKind::NoAddress));
    assert_eq!((gone.len(), empty.len()), (1, 1));
}

#[tokio::test]
async fn a_truncated_response_is_asked_for_over_tcp() {
    let nameserver = Nameserver::start(
        "long.example.test. A udp -> truncate
         long.example.test. A tcp -> answer 192.0.2.1-192.0.2.60
         long.example.test. AAAA  -> nodata",
    );
    let results = all(resolver(&nameserver).lookup("long.example.test:80")).await;
    let addresses = results.iter().filter(|r| matches!(r, LookupResult::Address(_))).count();
    assert_eq!(addresses, 60, "more than the queue holds: none is lost");
    assert_eq!(results.last(), Some(&LookupResult::End(Ok(()))));
}

#[tokio::test]
async fn a_failing_nameserver_is_a_temporary_error() {
    let nameserver = Nameserver::start("broken.example.test. * -> servfail");
    let results = all(resolver(&nameserver).lookup("broken.example.test:80")).await;
    let Some(LookupResult::End(Err(error))) = results.last() else { panic!("{results:?}") };
    assert_eq!(error.kind(), LookupErrorKind::ServerFailure);
    assert!(error.is_temporary());
    assert_eq!(error.failures().len(), 2, "one a question: {error}");
}

#[tokio::test]
async fn a_silent_nameserver_ends_in_a_timeout_with_the_addresses_that_came() {
    let nameserver = Nameserver::start(
        "half.example.test. A    -> answer 192.0.2.1
         half.example.test. AAAA -> drop",
    );
    let resolver = Resolver::builder()
        .without_system_configuration()
        .nameservers([nameserver.addr()])
        .timeout(Duration::from_millis(300))
        .build();
    let results = all(resolver.lookup("half.example.test:80")).await;
    assert_eq!(results[0], address("192.0.2.1:80"));
    assert_eq!(end_kind(&results), Some(LookupErrorKind::Timeout));
}

#[tokio::test]
async fn literals_and_localhost_never_ask_a_nameserver() {
    let nameserver = Nameserver::start("* * -> servfail");
    let resolver = resolver(&nameserver);
    let literal = all(resolver.lookup("[2001:db8::1]:443")).await;
    assert_eq!(literal[0], address("[2001:db8::1]:443"));
    assert_eq!(literal.last(), Some(&LookupResult::End(Ok(()))));
    let localhost = all(resolver.lookup("LocalHost.:80")).await;
    assert_eq!(localhost.len(), 4, "{localhost:?}");
    assert!(all(resolver.lookup("not a name:80")).await.len() == 1);
    assert!(nameserver.journal().queries().is_empty());
}

#[tokio::test]
async fn cancel_still_brings_the_end() {
    let nameserver = Nameserver::start("* * -> drop");
    let mut results = resolver(&nameserver).lookup("never.example.test:80");
    assert_eq!(results.next().now_or_never(), None, "nothing has come yet");
    results.cancel();
    let results = all(results).await;
    assert_eq!(end_kind(&results), Some(LookupErrorKind::Canceled));
    assert_eq!(results.len(), 1);
}

#[test]
fn a_thread_without_a_runtime_iterates() {
    let nameserver = Nameserver::start("www.example.test. * -> answer 192.0.2.1");
    let results: Vec<_> =
        resolver(&nameserver).lookup("www.example.test:80").into_blocking_iter().collect();
    assert_eq!(results[0], address("192.0.2.1:80"));
    assert_eq!(results.last(), Some(&LookupResult::End(Ok(()))));
}

#[tokio::test]
async fn lookups_may_share_a_queue_of_the_callers() {
    let nameserver = Nameserver::start(
        "one.example.test. A -> answer 192.0.2.1
         two.example.test. A -> answer 192.0.2.2",
    );
    let resolver = resolver(&nameserver);
    let (putter, mut getter) = futex_queue::bounded(1);
    let options = LookupOptions::default();
    for name in ["one.example.test:80", "two.example.test:80", "127.0.0.1:80"] {
        resolver.lookup_into(name, &options, putter.clone(), name);
    }
    drop(putter);
    let mut ends = Vec::new();
    let mut addresses = 0;
    while let Some((name, result)) = getter.get_one().await {
        match result {
            LookupResult::Address(_) => addresses += 1,
            LookupResult::CanonicalName(_) => {}
            LookupResult::End(outcome) => ends.push((name, outcome)),
        }
    }
    ends.sort_by_key(|(name, _)| *name);
    assert_eq!(addresses, 3);
    assert_eq!(
        ends,
        [
            ("127.0.0.1:80", Ok(())),
            ("one.example.test:80", Ok(())),
            ("two.example.test:80", Ok(()))
        ]
    );
}

#[tokio::test]
async fn he01_both_questions_leave_at_once_and_aaaa_is_the_first() {
    let nameserver = Nameserver::start("slow.example.test. * -> drop");
    let mut results = resolver(&nameserver).lookup("slow.example.test:80");
    assert_eq!(results.next().now_or_never(), None, "nothing has come yet");
    let queries = nameserver.journal().reached(2).await;
    assert!(queries[0].asks("slow.example.test.", "AAAA"), "{queries:?}");
    assert!(queries[1].asks("slow.example.test.", "A"), "{queries:?}");
    assert_eq!(queries[0].source.port(), queries[1].source.port(), "they share a socket");
    assert_ne!(queries[0].id, queries[1].id, "under ids of their own");
}

/// A host without IPv6 need not ask for AAAA (RFC 8305 section 3 leaves it to the client). We ask
/// for both families whatever routes there are: routes change while a program runs, a lookup has
/// other uses than a connect, and the race waits for no family that it has no route to. `family` is
/// there for callers that want one.
#[tokio::test]
async fn he02_both_families_are_asked_for_unless_one_is_wanted() {
    let nameserver = Nameserver::start("* A -> answer 192.0.2.1");
    let resolver = resolver(&nameserver);
    all(resolver.lookup("both.example.test:80")).await;
    assert_eq!(nameserver.journal().queries_for("both.example.test.", "AAAA").len(), 1);
    assert_eq!(nameserver.journal().queries_for("both.example.test.", "A").len(), 1);
    let options = LookupOptions::default().family(AddressFamily::Ipv4);
    all(resolver.lookup_with("one.example.test:80", &options)).await;
    assert_eq!(nameserver.journal().queries_for("one.example.test.", "AAAA").len(), 0);
    assert_eq!(nameserver.journal().queries_for("one.example.test.", "A").len(), 1);
}

#[tokio::test]
async fn no_aaaa_is_about_nameservers_and_not_about_the_hosts_file() {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (resolv_conf, hosts) = (directory.join("no-aaaa.conf"), directory.join("no-aaaa.hosts"));
    fs::write(&resolv_conf, "options no-aaaa\n").expect("a directory to write to");
    fs::write(&hosts, "192.0.2.7 both.test\n2001:db8::7 both.test\n").expect("the same one");
    let nameserver = Nameserver::start("www.example.test. A -> answer 192.0.2.1");
    let resolver = Resolver::builder()
        .without_system_configuration()
        .resolv_conf(resolv_conf)
        .hosts(hosts)
        .nameservers([nameserver.addr()])
        .build();
    let results = all(resolver.lookup("both.test:80")).await;
    assert_eq!(results[..2], [address("192.0.2.7:80"), address("[2001:db8::7]:80")]);
    all(resolver.lookup("www.example.test.:80")).await;
    let queries = nameserver.journal().queries();
    assert!(queries.len() == 1 && queries[0].asks("www.example.test.", "A"), "{queries:?}");
}

#[tokio::test]
async fn a_program_asks_for_no_aaaa_by_itself() {
    let nameserver = Nameserver::start("* * -> answer 192.0.2.1");
    let builder = Resolver::builder().without_system_configuration();
    let resolver = builder.nameservers([nameserver.addr()]).no_aaaa(true).build();
    all(resolver.lookup("www.example.test.:80")).await;
    let queries = nameserver.journal().queries();
    assert!(queries.len() == 1 && queries[0].asks("www.example.test.", "A"), "{queries:?}");
}

#[tokio::test]
async fn a_program_has_aaaa_asked_when_a_is_settled() {
    let nameserver = Nameserver::start(
        "www.example.test. A    -> answer 192.0.2.1
         www.example.test. AAAA -> answer 2001:db8::1",
    );
    let builder = Resolver::builder().without_system_configuration();
    let resolver = builder.nameservers([nameserver.addr()]).single_request(true).build();
    all(resolver.lookup("www.example.test.:80")).await;
    let queries = nameserver.journal().queries();
    let order = ["A", "AAAA"].map(|record_type| {
        queries.iter().position(|query| query.asks("www.example.test.", record_type))
    });
    assert_eq!(order, [Some(0), Some(1)], "{queries:?}");
}

#[tokio::test]
async fn a_program_starts_each_lookup_with_the_next_nameserver() {
    let nameservers = [(); 2].map(|()| Nameserver::start("* * -> answer 192.0.2.1"));
    let resolver = Resolver::builder()
        .without_system_configuration()
        .nameservers(nameservers.iter().map(Nameserver::addr))
        .rotate(true)
        .build();
    let options = LookupOptions::default().family(AddressFamily::Ipv4);
    for name in ["one.test.:80", "two.test.:80", "three.test.:80", "four.test.:80"] {
        all(resolver.lookup_with(name, &options)).await;
    }
    let [first, second] = &nameservers;
    for (nameserver, name) in [
        (first, "one.test."),
        (second, "two.test."),
        (first, "three.test."),
        (second, "four.test."),
    ] {
        assert_eq!(nameserver.journal().queries_for(name, "A").len(), 1, "{name}");
    }
}

#[tokio::test]
async fn a_host_that_the_program_gave_needs_no_file_and_no_nameserver() {
    let hosts = Path::new(env!("CARGO_TARGET_TMPDIR")).join("program.hosts");
    fs::write(&hosts, "192.0.2.66 api.test\n192.0.2.67 other.test\n").expect("a directory");
    let nameserver = Nameserver::start("* * -> answer 192.0.2.68");
    let builder = Resolver::builder()
        .without_system_configuration()
        .nameservers([nameserver.addr()])
        .host("Api.test", ["192.0.2.7".parse().unwrap()])
        .host("api.test.", ["2001:db8::7".parse().unwrap()])
        .host("four.test", ["192.0.2.8".parse().unwrap()])
        .host("a name", ["192.0.2.9".parse().unwrap()]);
    for resolver in [builder.clone().build(), builder.hosts(hosts).build()] {
        let results = all(resolver.lookup("API.test.:80")).await;
        let addresses = ["192.0.2.7:80", "[2001:db8::7]:80"].map(address);
        assert_eq!(results[..2], addresses);
        let [LookupResult::CanonicalName(name), LookupResult::End(Ok(()))] = &results[2..] else {
            panic!("{results:?}")
        };
        assert_eq!(name.as_str(), "Api.test");
        let ipv6 = LookupOptions::default().family(AddressFamily::Ipv6);
        let results = all(resolver.lookup_with("four.test:80", &ipv6)).await;
        assert_eq!(end_kind(&results), Some(LookupErrorKind::NoAddress));
        let diagnostics = resolver.diagnostics();
        let [diagnostic] = &diagnostics[..] else { panic!("{diagnostics:?}") };
        assert_eq!(diagnostic.config_source(), ConfigSource::Builder);
        assert_eq!(diagnostic.word(), Some("a name"));
    }
    assert!(nameserver.journal().queries().is_empty());
}

/// The digits of a container's id may all be decimal.
#[tokio::test]
async fn rr13_a_name_of_digits_is_looked_up_in_the_hosts_file_and_nowhere_else() {
    let hosts = Path::new(env!("CARGO_TARGET_TMPDIR")).join("digits.hosts");
    fs::write(&hosts, "192.0.2.7 857482910374 node.1\n").expect("a directory to write to");
    let nameserver = Nameserver::start("* * -> answer 192.0.2.66");
    let resolver = Resolver::builder()
        .without_system_configuration()
        .hosts(hosts)
        .search(["example.test".parse().unwrap()])
        .nameservers([nameserver.addr()])
        .build();
    for name in ["857482910374", "node.1"] {
        let results = all(resolver.lookup((name, 80))).await;
        let [first, LookupResult::CanonicalName(name), LookupResult::End(Ok(()))] = &results[..]
        else {
            panic!("{results:?}")
        };
        assert_eq!((first, name.as_str()), (&address("192.0.2.7:80"), "857482910374"));
        assert_eq!(all(resolver.lookup((name, 80))).await, results, "it can be looked up again");
    }
    let results = all(resolver.lookup("node.2:80")).await;
    let [LookupResult::End(Err(error))] = &results[..] else { panic!("{results:?}") };
    assert!(matches!(error.kind(), LookupErrorKind::InvalidTarget(_)), "{error}");
    assert!(nameserver.journal().queries().is_empty());
}

#[tokio::test]
async fn queries_come_from_the_local_address_that_the_program_set() {
    let local = IpAddr::from([127, 0, 0, 7]);
    if !is_source(local) {
        return println!("skipped: loopback has one address, or, as under Wine, sends from one");
    }
    let nameserver = Nameserver::start(
        "* * udp -> truncate
         * A tcp -> answer 192.0.2.1",
    );
    let resolver = Resolver::builder()
        .without_system_configuration()
        .nameservers([nameserver.addr()])
        .local_address(local)
        .build();
    let ipv4 = LookupOptions::default().family(AddressFamily::Ipv4);
    let results = all(resolver.lookup_with("www.example:80", &ipv4)).await;
    assert_eq!(results.last(), Some(&LookupResult::End(Ok(()))));
    let sources: Vec<_> =
        nameserver.journal().queries().iter().map(|q| (q.transport, q.source.ip())).collect();
    assert_eq!(sources, [(Transport::Udp, local), (Transport::Tcp, local)]);
}

/// Whether packets of a socket that is bound to this address come from it.
fn is_source(ip: IpAddr) -> bool {
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    let Ok(socket) = UdpSocket::bind((ip, 0)) else { return false };
    socket.send_to(b"?", peer.local_addr().unwrap()).unwrap();
    peer.recv_from(&mut [0]).unwrap().1.ip() == ip
}

/// One nameserver is out of reach, as the resolver's own address is of the other family; the other
/// one answers.
#[tokio::test]
async fn a_nameserver_of_the_other_family_than_the_local_address_is_passed_over() {
    let nameserver = Nameserver::start("* * -> answer 192.0.2.1 2001:db8::1");
    let resolver = |nameservers: &[SocketAddr]| {
        Resolver::builder()
            .without_system_configuration()
            .nameservers(nameservers.iter().copied())
            .local_address([127, 0, 0, 7].into())
            .timeout(Duration::from_millis(100))
            .build()
    };
    let elsewhere = "[2001:db8::53]:53".parse().unwrap();
    let results = all(resolver(&[elsewhere, nameserver.addr()]).lookup("www.example:80")).await;
    assert_eq!(results.last(), Some(&LookupResult::End(Ok(()))));
    let results = all(resolver(&[elsewhere]).lookup("www.example:80")).await;
    let Some(LookupResult::End(Err(error))) = results.last() else { panic!("{results:?}") };
    let causes: Vec<_> = error.failures().iter().map(|failure| failure.cause).collect();
    assert_eq!(causes, [FailureCause::Socket(ErrorKind::AddrNotAvailable); 2], "{error:#}");
}

/// Over real sockets, at a nameserver that keeps the case of a question and at one that does not.
#[tokio::test]
async fn a_mixed_case_changes_what_nameservers_see_and_nothing_that_callers_do() {
    let name = "A-Name-Of-Many-Letters.example.test";
    let answer = "* A -> answer 192.0.2.1; * AAAA -> answer 2001:db8::1";
    for (script, is_mixed, mismatches) in [
        (answer.to_owned(), false, 0),
        (answer.to_owned(), true, 0),
        (format!("$case lower; {answer}"), false, 0),
        (format!("$case lower; {answer}"), true, 2),
        (format!("$case lower; $tcp refuse; {answer}"), true, 2),
    ] {
        let nameserver = Nameserver::start(script.as_str());
        let resolver = Resolver::builder()
            .without_system_configuration()
            .nameservers([nameserver.addr()])
            .mixed_case(is_mixed)
            .build();
        let results = all(resolver.lookup(&*format!("{name}:443"))).await;
        assert_eq!(results.len(), 4, "{script}: {results:?}");
        for expected in [address("192.0.2.1:443"), address("[2001:db8::1]:443")] {
            assert!(results.contains(&expected), "{script}: {results:?}");
        }
        let spelled = results.iter().any(
            |result| matches!(result, LookupResult::CanonicalName(spelled) if spelled.as_str() == name),
        );
        assert!(spelled, "{script}: {results:?}");
        let first = &nameserver.journal().queries()[0].bytes;
        let is_as_given = first.windows(22).any(|label| label == &name.as_bytes()[..22]);
        assert_eq!(is_as_given, !is_mixed, "{script}: {first:x?}");
        let stats = resolver.stats();
        let by_nameserver = stats.nameservers[0].case_mismatches;
        assert_eq!((stats.case_mismatches, by_nameserver), (mismatches, mismatches), "{script}");
    }
}
