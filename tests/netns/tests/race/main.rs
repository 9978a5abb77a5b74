//! Races on a network of the tests' own, seen on the wire.
//!
//! In `tests/netns/network.sh` stands what this network is like. Every test has addresses of its
//! own there, and times are in milliseconds.
#![cfg(target_os = "linux")]

mod wire;

#[path = "../../../support/mod.rs"]
mod support;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use futures_util::stream;
use outrace::happy_eyeballs::{
    AddressOrder, ConnectErrorKind, ConnectInfo, ConnectOptions, RaceOptions, connect_results,
    connect_with,
};
use outrace::{ConnectError, LookupResult, Resolver};
use support::Nameserver;
use wire::Wire;

/// Resolution Delay and Connection Attempt Delay, as by default.
const RD: u64 = 50;
const CAD: u64 = 250;

/// What two cores that are busy with something else may add to any time here.
const SLACK: u64 = 40;

/// A server on every local address, as far as the handshake goes: the kernel does it alone.
struct Servers {
    port: u16,
    _listeners: [TcpListener; 2],
}

impl Servers {
    fn start() -> Self {
        let v4 = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        let port = v4.local_addr().unwrap().port();
        let socket =
            socket2::Socket::new(socket2::Domain::IPV6, socket2::Type::STREAM, None).unwrap();
        socket.set_only_v6(true).unwrap();
        socket.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)).into()).unwrap();
        socket.listen(128).unwrap();
        Self { port, _listeners: [v4, socket.into()] }
    }

    async fn race(
        &self,
        ips: &[IpAddr],
        options: &ConnectOptions,
    ) -> Result<ConnectInfo, ConnectError> {
        let addrs = ips.iter().map(|&ip| LookupResult::Address(SocketAddr::new(ip, self.port)));
        let results: Vec<_> = addrs.chain([LookupResult::End(Ok(()))]).collect();
        connect_results(stream::iter(results), options).await.map(|(_, info)| info)
    }
}

fn v4(last: u8) -> IpAddr {
    Ipv4Addr::new(198, 51, 100, last).into()
}

fn v6(group: u16, last: u16) -> IpAddr {
    Ipv6Addr::new(0x2001, 0xdb8, 0x51, group, 0, 0, 0, last).into()
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap()
}

#[track_caller]
fn assert_near(what: &str, actual: Duration, expected: u64) {
    let actual = ms(actual);
    assert!((expected..=expected + SLACK).contains(&actual), "{what}: {actual}, not {expected}");
}

/// Time to connect is min(rtt6, CAD + rtt4), and the winner changes at CAD.
#[tokio::test]
async fn he81_slow_ipv6_crosses_over_at_the_connection_attempt_delay() {
    let servers = Servers::start();
    for delay in (0..=400_u16).step_by(10) {
        let [six, four] = [v6(81, delay), v4(81)];
        Wire::get().delay(six, Duration::from_millis(delay.into()));
        let info = servers.race(&[four, six], &ConnectOptions::default()).await.unwrap();
        let delay = u64::from(delay);
        if delay != CAD {
            assert_eq!(info.addr().ip(), if delay < CAD { six } else { four }, "delay {delay}");
        }
        assert_near(&format!("delay {delay}"), info.connected_after(), delay.min(CAD));
    }
}

/// A at once, AAAA late: the IPv4 SYN leaves when the Resolution Delay has passed, and not at all
/// if AAAA comes before.
#[tokio::test]
async fn he82_late_aaaa_is_waited_for_as_long_as_the_resolution_delay() {
    let servers = Servers::start();
    for delay in (0..=200_u16).step_by(10) {
        let script = format!(
            "www.example.test. A    -> answer 198.51.100.82
             www.example.test. AAAA -> delay {delay}ms, answer {}",
            v6(82, delay)
        );
        let info = look_up_and_race(&script, servers.port).await;
        let delay = u64::from(delay);
        let ips: Vec<_> = info.attempts().iter().map(|a| a.addr.ip()).collect();
        if delay < RD {
            assert_eq!(ips, [v6(82, u16::try_from(delay).unwrap())], "delay {delay}");
        } else if delay > RD {
            assert_eq!(ips, [v4(82)], "delay {delay}");
        }
        let wait = info.first_attempt_after().checked_sub(info.first_address_after()).unwrap();
        assert!(ms(wait) <= RD + SLACK, "delay {delay}: {info:?}");
        assert_near(&format!("delay {delay}"), info.connected_after(), delay.min(RD));
    }
}

/// No address answers: the SYNs leave in the order of RFC 6724, interleaved, one each CAD.
#[tokio::test]
async fn he83_syns_on_the_wire() {
    let servers = Servers::start();
    let six = |last| IpAddr::from(Ipv6Addr::new(0x2001, 0xdb8, 0x83, 0, 0, 0, 0, last));
    let four = |last| IpAddr::from(Ipv4Addr::new(203, 0, 113, last));
    let ips = [four(1), four(2), four(3), six(1), six(2), six(3)];
    let config = RaceOptions::default().connect_timeout(Some(Duration::from_millis(1600)));
    Wire::get();
    let begin = Instant::now();
    let options = ConnectOptions::default().race(config);
    let error = servers.race(&ips, &options).await.unwrap_err();
    assert_eq!(error.kind(), ConnectErrorKind::Timeout);
    let syns = Wire::get().first_syns(&ips);
    let order: Vec<_> = syns.iter().map(|&(_, ip)| ip).collect();
    assert_eq!(order, [six(1), four(1), six(2), four(2), six(3), four(3)]);
    for ((at, ip), expected) in syns.into_iter().zip((0..).step_by(250)) {
        assert_near(&ip.to_string(), at - begin, expected);
    }
}

/// IPv6 works, and A is not waited for, be it late or lost.
#[tokio::test]
async fn he84_late_a_costs_nothing() {
    let servers = Servers::start();
    for a in ["delay 1000ms, answer 198.51.100.84", "drop"] {
        let script = format!(
            "www.example.test. A    -> {a}
             www.example.test. AAAA -> answer {}",
            v6(84, 1)
        );
        let info = look_up_and_race(&script, servers.port).await;
        assert_eq!(info.attempts().len(), 1);
        assert_eq!(info.addr().ip(), v6(84, 1));
        assert_near(a, info.connected_after(), 0);
    }
}

/// One lost SYN: alone, the attempt lives on until the kernel repeats it; with another address
/// at hand, that one wins.
#[tokio::test]
async fn he85_a_lost_syn_is_no_failure() {
    let servers = Servers::start();
    Wire::get().lose(v4(85), 1);
    let alone = servers.race(&[v4(85)], &ConnectOptions::default()).await.unwrap();
    assert_eq!(alone.attempts().len(), 1);
    assert!((990..1200).contains(&ms(alone.connected_after())), "{alone:?}");
    assert_eq!(Wire::get().count(v4(85)), 2);

    Wire::get().lose(v6(85, 1), 1);
    let ips = [v6(85, 1), v4(86)];
    let two = servers.race(&ips, &ConnectOptions::default()).await.unwrap();
    assert_eq!(two.addr().ip(), v4(86));
    assert_near("second", two.connected_after(), CAD);
    assert_eq!(Wire::get().count(v6(85, 1)), 1, "no SYN of a loser after the race");
}

#[tokio::test]
async fn he86_a_slow_address_is_given_its_time() {
    let servers = Servers::start();
    let delay = Duration::from_millis(300);
    Wire::get().delay(v4(186), delay);
    let info = servers.race(&[v4(186)], &ConnectOptions::default()).await.unwrap();
    assert_near("alone", info.connected_after(), 300);
    assert_eq!(Wire::get().count(v4(186)), 1);
}

/// The discard prefix (RFC 6666), three times: three SYNs to three addresses, then the deadline.
#[tokio::test]
async fn he88_three_black_holes_and_a_deadline() {
    let servers = Servers::start();
    let ips = [1, 2, 3].map(|last| IpAddr::from(Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, last)));
    let config = RaceOptions::default()
        .connection_attempt_delay(Duration::from_millis(123))
        .connect_timeout(Some(Duration::from_millis(900)));
    let options = ConnectOptions::default().race(config);
    let error = servers.race(&ips, &options).await.unwrap_err();
    assert!(error.is_timeout(), "{error:#}");
    assert_near("deadline", error.elapsed(), 900);
    assert_eq!(ips.map(|ip| Wire::get().count(ip)), [1, 1, 1]);
}

/// No route to the IPv6 address. RFC 6724 knows and puts it last; in the resolver's order it is
/// tried, and the next starts at once.
#[tokio::test]
async fn he89_no_route_costs_nothing() {
    let servers = Servers::start();
    Wire::get();
    let dead = "2001:db8:dead::1".parse().unwrap();
    let sorted = servers.race(&[dead, v4(89)], &ConnectOptions::default()).await.unwrap();
    assert_eq!((sorted.addr().ip(), sorted.attempts().len()), (v4(89), 1));

    let as_resolved =
        ConnectOptions::default().race(RaceOptions::default().order(AddressOrder::AsResolved));
    let tried = servers.race(&[dead, v4(89)], &as_resolved).await.unwrap();
    assert_eq!((tried.addr().ip(), tried.attempts().len()), (v4(89), 2));
    assert!(ms(tried.attempts()[1].started) < 5, "{tried:?}");

    let alone = servers.race(&[dead], &ConnectOptions::default()).await.unwrap_err();
    assert!(alone.is_unreachable(), "{alone:#}");
    assert_eq!(Wire::get().count(dead), 0);
}

async fn look_up_and_race(script: &str, port: u16) -> ConnectInfo {
    Wire::get();
    let nameserver = Nameserver::start(script);
    let resolver =
        Resolver::builder().without_system_configuration().nameservers([nameserver.addr()]).build();
    let target = ("www.example.test", port);
    connect_with(target, &resolver, &ConnectOptions::default()).await.unwrap().1
}
