//! What a connect promises to its user, on real sockets: who wins, what becomes of the others, and
//! what is told of it.

use std::future::Future;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::support::{Behaviour, Web, World};
use futures_util::{Stream, StreamExt, stream};
use outrace::happy_eyeballs::{
    AttemptOutcome, ConnectErrorKind, ConnectOptions, RaceOptions, SkipReason, SocketOptions,
    connect_results, connect_with,
};
use outrace::resolve::{AddressFamily, AddressPolicy};
use outrace::{LookupErrorKind, LookupResult, Resolver};
use tokio::io::AsyncReadExt;

pub(crate) const V4_1: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
pub(crate) const V4_2: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
const V4_3: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3));
pub(crate) const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// A lookup that is complete before it is asked.
pub(crate) fn known(
    addrs: impl IntoIterator<Item = SocketAddr>,
) -> impl Stream<Item = LookupResult> + Unpin {
    let addrs: Vec<_> = addrs.into_iter().map(LookupResult::Address).collect();
    stream::iter(addrs).chain(stream::iter([LookupResult::End(Ok(()))]))
}

/// Every row: the addresses with what happens there; who wins, or how it ends; how many were tried.
#[tokio::test]
async fn he78_dial_parallel() {
    use Behaviour::{Close, Refuse, Serve};
    type Row<'a> = (&'a [(IpAddr, Behaviour)], Result<IpAddr, ConnectErrorKind>, usize);
    let rows: &[Row<'_>] = &[
        (&[(V4_1, Serve)], Ok(V4_1), 1),
        (&[(V4_1, Refuse), (V4_2, Serve)], Ok(V4_2), 2),
        (&[(V6, Refuse), (V4_1, Serve)], Ok(V4_1), 2),
        (&[(V6, Serve), (V4_1, Refuse)], Ok(V6), 1),
        (&[(V4_1, Refuse), (V4_2, Refuse), (V6, Refuse)], Err(ConnectErrorKind::Refused), 3),
        (&[(V4_1, Close)], Ok(V4_1), 1),
        (&[], Err(ConnectErrorKind::NoAddress), 0),
    ];
    for &(places, expected, attempts) in rows {
        let web = Web::start(places.iter().copied());
        let addrs = places.iter().map(|&(ip, _)| SocketAddr::new(ip, web.port()));
        let begin = Instant::now();
        let result = connect_results(known(addrs), &ConnectOptions::default()).await;
        let took = begin.elapsed();
        match result {
            Ok((stream, info)) => {
                assert_eq!(Ok(info.addr().ip()), expected, "{places:?}");
                assert_eq!(stream.peer_addr().unwrap(), info.addr());
                assert_eq!(info.attempts().len(), attempts, "{info:?}");
            }
            Err(error) => {
                assert_eq!(Err(error.kind()), expected, "{places:?}: {error:#}");
                assert_eq!(error.attempts().len(), attempts, "{error:#}");
            }
        }
        assert!(took < Duration::from_millis(200), "no delay ran out, yet it took {took:?}");
    }
}

/// The runtime turns only between the two polls, so both connections stand when the second looks.
#[tokio::test]
async fn he79_he87_of_two_connections_in_one_tick_one_is_kept_and_one_is_closed() {
    let [first, second] = [V4_1, V4_2].map(|ip| TcpListener::bind((ip, 0)).unwrap());
    let addrs = [&first, &second].map(|listener| listener.local_addr().unwrap());
    let config = RaceOptions::default().connection_attempt_delay(Duration::from_millis(10));
    let mut race = pin!(connect_results(known(addrs), &ConnectOptions::default().race(config)));

    let mut context = Context::from_waker(Waker::noop());
    assert!(race.as_mut().poll(&mut context).is_pending());
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_millis(11) {
        std::hint::spin_loop();
    }
    assert!(race.as_mut().poll(&mut context).is_pending(), "the second has just started");
    let mut peers = [&first, &second].map(|listener| listener.accept().unwrap().0);
    for peer in &mut peers {
        peer.write_all(b"hello").unwrap();
    }

    let (mut stream, info) = race.await.unwrap();
    assert_eq!(info.addr(), addrs[0], "the first to start is the first to be asked");
    assert_eq!(info.attempts()[1].outcome, AttemptOutcome::Canceled);
    let mut greeting = [0; 5];
    stream.read_exact(&mut greeting).await.unwrap();
    assert_eq!(&greeting, b"hello", "nothing that the winner said is lost");
    assert!(is_closed(&mut peers[1]), "the other is closed");
    stream.into_std().unwrap().set_nonblocking(false).unwrap();
}

/// Whether the peer has closed: no byte of ours comes, then the end, or a reset as what it sent was
/// never read.
fn is_closed(peer: &mut std::net::TcpStream) -> bool {
    peer.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    match peer.read(&mut [0; 16]) {
        Ok(0) => true,
        Ok(_) => false,
        Err(e) => e.kind() == ErrorKind::ConnectionReset,
    }
}

#[tokio::test]
async fn dropping_a_race_closes_its_sockets_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut race = Box::pin(connect_results(
        known([listener.local_addr().unwrap()]),
        &ConnectOptions::default(),
    ));
    let mut context = Context::from_waker(Waker::noop());
    assert!(race.as_mut().poll(&mut context).is_pending());
    let (mut peer, _) = listener.accept().unwrap();
    drop(race);
    assert_eq!(peer.read(&mut [0; 1]).unwrap(), 0, "end of the stream, with no byte before it");
}

/// HE24, the start of it: a dead address costs the Connection Attempt Delay and no more.
#[tokio::test]
async fn a_black_hole_costs_one_delay() {
    let web = Web::start([(V4_1, Behaviour::BlackHole), (V4_2, Behaviour::Serve)]);
    let addrs = [V4_1, V4_2].map(|ip| SocketAddr::new(ip, web.port()));
    let (_stream, info) = connect_results(known(addrs), &ConnectOptions::default()).await.unwrap();
    assert_eq!(info.addr(), addrs[1]);
    assert_eq!(info.winner_index(), 1);
    let connected = info.connected_after();
    let expected = Duration::from_millis(250)..Duration::from_millis(350);
    assert!(expected.contains(&connected), "connected after {connected:?}");
}

/// One address whose handshake takes longer than any delay: nothing gives it up. (Its first SYN is
/// lost; the kernel repeats it after a second.)
#[tokio::test]
async fn he85_he86_a_slow_address_is_not_aborted_by_a_delay() {
    let web = Web::start([(V4_1, Behaviour::AcceptAfter(Duration::from_millis(300)))]);
    let addr = SocketAddr::new(V4_1, web.port());
    let (_stream, info) = connect_results(known([addr]), &ConnectOptions::default()).await.unwrap();
    assert_eq!(info.attempts().len(), 1);
    assert!(info.connected_after() > Duration::from_millis(900), "{info:?}");
}

#[tokio::test]
async fn the_deadline_ends_everything_and_tells_what_was_tried() {
    let web = Web::start([(V4_1, Behaviour::BlackHole), (V4_2, Behaviour::BlackHole)]);
    let addrs = [V4_1, V4_2].map(|ip| SocketAddr::new(ip, web.port()));
    let config = RaceOptions::default().connect_timeout(Duration::from_millis(300));
    let options = ConnectOptions::default().race(config);
    let begin = Instant::now();
    let error = connect_results(known(addrs), &options).await.unwrap_err();
    let took = begin.elapsed();
    assert!(error.is_timeout() && !error.is_refused() && !error.is_dns(), "{error:?}");
    assert!((300..1_000).contains(&took.as_millis()), "{took:?}");
    assert!(error.attempts().iter().all(|a| a.outcome == AttemptOutcome::Canceled));
    let line = error.to_string();
    assert!(line.starts_with("no connection within 3"), "{line}");
    assert!(line.ends_with(" ms (2 attempts)"), "{line}");
    let lines: Vec<String> = format!("{error:#}").lines().map(String::from).collect();
    assert_eq!(lines.len(), 4, "one more a line for each attempt and the lookup: {error:#}");
    assert!(lines[1].trim().starts_with(&format!("{}: canceled after", addrs[0])), "{error:#}");
    assert_eq!(lines[3].trim(), "lookup: complete");
}

#[tokio::test]
async fn refused_everywhere_says_so_and_names_one() {
    let web = Web::start([(V4_1, Behaviour::Refuse), (V4_2, Behaviour::Refuse)]);
    let addrs = [V4_1, V4_2].map(|ip| SocketAddr::new(ip, web.port()));
    let error = connect_results(known(addrs), &ConnectOptions::default()).await.unwrap_err();
    assert!(error.is_refused() && !error.is_timeout() && !error.is_unreachable());
    assert_eq!(error.decisive().unwrap().addr, addrs[0]);
    let line = error.to_string();
    let start = format!("refused by {} (2 attempts in ", addrs[0]);
    assert!(line.starts_with(&start), "{line}");
    let source = std::error::Error::source(&error).unwrap();
    assert!(source.to_string().starts_with("Connection refused"), "{source}");
}

#[tokio::test]
async fn t15_public_only_dials_nothing_on_this_host() {
    let web = Web::start([(V4_1, Behaviour::Serve), (V6, Behaviour::Serve)]);
    let mapped = IpAddr::V6(Ipv4Addr::LOCALHOST.to_ipv6_mapped());
    let addrs = [V4_1, V6, mapped, Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
    let addrs = addrs.map(|ip| SocketAddr::new(ip, web.port()));
    let options = ConnectOptions::default().policy(AddressPolicy::public_only());
    let error = connect_results(known(addrs), &options).await.unwrap_err();
    assert!(error.is_denied(), "{error:?}");
    assert!(error.attempts().is_empty());
    assert_eq!(error.skipped().len(), 4, "the mapped address is the first again: {error:#}");
    assert!(error.skipped().iter().all(|s| matches!(s.reason, SkipReason::Denied(_))));
    assert_eq!(web.visits().connections, []);
}

#[tokio::test]
async fn he53_a_local_address_of_one_family_rules_the_other_out() {
    let web = Web::start([(V4_1, Behaviour::Serve), (V6, Behaviour::Serve)]);
    let addrs = [V6, V4_1].map(|ip| SocketAddr::new(ip, web.port()));
    let socket = SocketOptions::default().local_ipv4(Ipv4Addr::LOCALHOST);
    let options = ConnectOptions::default().socket(socket);
    let (_stream, info) = connect_results(known(addrs), &options).await.unwrap();
    assert_eq!((info.addr(), info.attempts().len()), (addrs[1], 1));
    assert_eq!(info.skipped()[0].reason, SkipReason::NoLocalAddress);
}

/// A name is not asked for what could not be dialled, and the answer is not waited for.
#[tokio::test(start_paused = true)]
async fn cr08_a_family_without_a_local_address_is_neither_asked_for_nor_waited_for() {
    let web = Web::start([(V4_1, Behaviour::Serve)]);
    let world = World::new(
        ["www.example.test. A    -> answer 127.0.0.1
          www.example.test. AAAA -> drop"],
        web,
    );
    let local = SocketOptions::default().local_ipv4(Ipv4Addr::LOCALHOST);
    let by_local_address = ConnectOptions::default().socket(local);
    let by_family = ConnectOptions::default().family(AddressFamily::Ipv4);
    let target = world.target("www.example.test");
    for options in [&by_local_address, &by_family] {
        // Each asks anew.
        let resolver = resolver(&world);
        let (_, info) = connect_with(&target, &resolver, options).await.unwrap();
        assert_eq!(info.lookup(), Some(Ok(())), "{info:?}");
    }
    assert_eq!(world.journal().queries_for("www.example.test", "A").len(), 2);
    assert!(world.journal().queries_for("www.example.test", "AAAA").is_empty());

    // Results that somebody else has asked for: no Resolution Delay either.
    let addr = LookupResult::Address(SocketAddr::new(V4_1, world.web.port()));
    let results = stream::iter([addr]).chain(stream::pending());
    let (_, info) = connect_results(results, &by_local_address).await.unwrap();
    assert_eq!(info.first_attempt_after(), Duration::ZERO, "{info:?}");

    // An address is told why it is not dialled.
    let error = connect_with("[::1]:80", &resolver(&world), &by_local_address).await.unwrap_err();
    assert_eq!(error.kind(), ConnectErrorKind::NoLocalAddress, "{error}");
}

#[tokio::test]
async fn cr12_connects_are_spread_over_addresses_of_equal_rank() {
    const CONNECTS: usize = 32;
    let ips = [V4_1, V4_2, V4_3];
    let world = World::new(
        ["www.example.test. A    -> answer 127.0.0.1 127.0.0.2 127.0.0.3 ttl 300
          www.example.test. AAAA -> answer nodata soa 30"],
        Web::start(ips.map(|ip| (ip, Behaviour::Serve))),
    );
    let (resolver, target) = (resolver(&world), world.target("www.example.test"));
    let mut counts = [0; 3];
    for _ in 0..CONNECTS {
        let options = ConnectOptions::default();
        let (_, info) = connect_with(&target, &resolver, &options).await.unwrap();
        counts[ips.iter().position(|&ip| ip == info.addr().ip()).unwrap()] += 1;
    }
    counts.sort_unstable();
    assert_eq!(counts, [10, 11, 11]);
}

/// A peer that accepts and never answers wins every race, until its user says so.
#[tokio::test]
async fn cr13_a_connection_that_was_useless_can_be_reported() {
    let web = Web::start([(V4_1, Behaviour::Serve), (V4_2, Behaviour::Serve)]);
    let addrs = [V4_1, V4_2].map(|ip| SocketAddr::new(ip, web.port()));
    let options = ConnectOptions::default();
    let (_, info) = connect_results(known(addrs), &options).await.unwrap();
    assert_eq!(info.addr(), addrs[0]);
    info.report_useless();
    let (_, info) = connect_results(known(addrs), &options).await.unwrap();
    assert_eq!(info.addr(), addrs[1]);
    // Other options are other callers.
    let (_, info) = connect_results(known(addrs), &ConnectOptions::default()).await.unwrap();
    assert_eq!(info.addr(), addrs[0]);
}

/// A race that was won with half of the addresses says so.
#[tokio::test]
async fn cr18_the_record_of_a_connection_has_the_outcome_of_the_lookup() {
    let web = Web::start([(V4_1, Behaviour::Serve)]);
    let addr = LookupResult::Address(SocketAddr::new(V4_1, web.port()));
    let failed = LookupErrorKind::Timeout;
    for (end, expected) in
        [(Some(Ok(())), Some(Ok(()))), (Some(Err(failed.into())), Some(Err(failed))), (None, None)]
    {
        let end = end.map(LookupResult::End);
        let open = end.is_none();
        let results = stream::iter([Some(addr.clone()), end].into_iter().flatten());
        let pending = stream::pending().take(usize::from(open));
        let (_, info) =
            connect_results(results.chain(pending), &ConnectOptions::default()).await.unwrap();
        let outcome = info.lookup().map(|outcome| outcome.map_err(outrace::LookupError::kind));
        assert_eq!(outcome, expected);
    }
}

fn resolver(world: &World) -> Resolver {
    Resolver::builder().without_system_configuration().nameservers(world.nameserver_addrs()).build()
}

/// CO06: the address that came first hangs, the other family's comes while it does.
#[tokio::test]
async fn co06_a_late_family_joins_the_race() {
    let web = Web::start([(V4_1, Behaviour::BlackHole), (V6, Behaviour::Serve)]);
    let world = World::new(
        ["late.example.test. A    -> answer 127.0.0.1
          late.example.test. AAAA -> delay 150ms, answer ::1"],
        web,
    );
    let target = world.target("late.example.test");
    let (_stream, info) =
        connect_with(target, &resolver(&world), &ConnectOptions::default()).await.unwrap();
    assert_eq!(info.addr().ip(), V6);
    let [first, second] = info.attempts() else { panic!("{info:?}") };
    // The first waits for the Resolution Delay at the most, and not for the other family. The second
    // waits for the Connection Attempt Delay.
    let other_family = Duration::from_millis(150);
    assert!(first.started < other_family, "{info:?}");
    let between = second.started.checked_sub(first.started).unwrap();
    assert!(between >= Duration::from_millis(250), "{info:?}");
    assert!(info.first_address_after() < other_family, "{info:?}");
}

#[tokio::test]
async fn an_ip_literal_needs_no_nameserver() {
    let world =
        World::new(["unused.example.test. A -> drop"], Web::start([(V4_3, Behaviour::Serve)]));
    let target = world.target("127.0.0.3");
    let resolver = resolver(&world);
    let (_stream, info) =
        connect_with(target, &resolver, &ConnectOptions::default()).await.unwrap();
    assert_eq!(info.addr().ip(), V4_3);
    assert!(world.journal().queries().is_empty());
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_a_dns_error() {
    let world = World::demo();
    let target = world.target("gone.example.test");
    let resolver = resolver(&world);
    let error = connect_with(target, &resolver, &ConnectOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), ConnectErrorKind::Dns(LookupErrorKind::NotFound));
    assert!(error.is_dns() && !error.is_temporary());
    assert_eq!(error.to_string(), "lookup failed, gone.example.test: the name does not exist");
}

#[tokio::test]
async fn a_target_that_is_none_is_refused_before_anything_is_sent() {
    for (target, line) in [
        ("example.com", "no target to connect to: the port is missing"),
        ("example.com:70000", "no target to connect to: the port is not a number from 0 to 65535"),
        // Of such a name it depends on the hosts file.
        (
            "none.857482910374:80",
            "no target to connect to: the host name ends in a number, but is not an IPv4 address in \
             dotted decimal",
        ),
    ] {
        let error = outrace::connect(target).await.unwrap_err();
        assert!(error.is_invalid_target(), "{target}");
        assert_eq!(error.to_string(), line);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_race_may_move_between_threads() {
    let web = Web::start([(V4_1, Behaviour::Refuse), (V4_2, Behaviour::Serve)]);
    let addrs = [V4_1, V4_2].map(|ip| SocketAddr::new(ip, web.port()));
    let races =
        (0..20).map(|_| tokio::spawn(connect_results(known(addrs), &ConnectOptions::default())));
    for race in futures_util::future::join_all(races).await {
        assert_eq!(race.unwrap().unwrap().1.addr(), addrs[1]);
    }
}

/// Under a clock that stands still, a connect that needs no delay takes no time.
#[tokio::test(start_paused = true)]
async fn a_stopped_clock_does_not_stop_a_connect() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let (_stream, info) = connect_results(known([addr]), &ConnectOptions::default()).await.unwrap();
    assert_eq!(info.connected_after(), Duration::ZERO);
}

#[tokio::test]
async fn a_race_is_ready_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let mut race = pin!(connect_results(known([addr]), &ConnectOptions::default()));
    let first = std::future::poll_fn(|cx| race.as_mut().poll(cx)).await;
    assert!(first.is_ok());
    let mut context = Context::from_waker(Waker::noop());
    assert!(matches!(race.as_mut().poll(&mut context), Poll::Pending), "never a second result");
}

/// Time zero is the call, not the first poll: what passes between them counts.
#[tokio::test(start_paused = true)]
async fn the_times_of_a_race_count_from_the_call() {
    let web = Web::start([(V4_1, Behaviour::Serve)]);
    let addr = SocketAddr::new(V4_1, web.port());
    let race = connect_results(known([addr]), &ConnectOptions::default());
    tokio::time::advance(Duration::from_secs(5)).await;
    let (_, info) = race.await.unwrap();
    let from = Duration::from_secs(5);
    assert!(info.first_address_after() >= from, "{info:?}");
    assert!(info.first_attempt_after() >= info.first_address_after(), "{info:?}");
    assert!(info.connected_after() >= info.first_attempt_after(), "{info:?}");
}
