//! A resolver and races on a host that is itself in their way.
#![cfg(target_os = "linux")]

#[path = "../../support/mod.rs"]
mod support;

use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use futures_util::{FutureExt, StreamExt, stream};
use outrace::happy_eyeballs::{ConnectErrorKind, RaceOptions, SocketOptions, connect_results};
use outrace::resolve::AddressFamily;
use outrace::{
    ConnectError, ConnectOptions, LookupErrorKind, LookupOptions, LookupResult, Resolver,
};
use socket2::SockRef;
use support::{Journal, Nameserver};
use tokio::net::TcpStream as TokioTcpStream;

/// The firewall of `network.sh` drops two of three queries, and `send` says EPERM. With one question
/// a lookup, the third send of each gets through.
#[tokio::test]
async fn rr24_a_query_that_a_local_firewall_drops_is_sent_again() {
    const LOOKUPS: u64 = 3;
    let addr = "198.51.100.73:53".parse().unwrap();
    let _nameserver = Nameserver::at(addr, "*.test. A -> answer 192.0.2.1", &Journal::off());
    let resolver = Resolver::builder().without_system_configuration().nameservers([addr]).build();
    let options = LookupOptions::default().family(AddressFamily::Ipv4);
    for n in 0..LOOKUPS {
        let target = (format!("n{n}.test"), 80);
        let results: Vec<_> = resolver.lookup_with(target, &options).collect().await;
        assert_eq!(results.last(), Some(&LookupResult::End(Ok(()))), "{results:?}");
    }
    assert_eq!(resolver.stats().nameservers[0].resends, 2 * LOOKUPS);
}

/// The ports that the kernel picks from; those of before, when it is dropped.
struct PortRange(String);

const PORT_RANGE: &str = "/proc/sys/net/ipv4/ip_local_port_range";

impl PortRange {
    fn set(range: &str) -> Self {
        let before = std::fs::read_to_string(PORT_RANGE).unwrap();
        std::fs::write(PORT_RANGE, range).unwrap();
        Self(before)
    }
}

impl Drop for PortRange {
    fn drop(&mut self) {
        drop(std::fs::write(PORT_RANGE, &self.0));
    }
}

async fn end(resolver: &Resolver) -> LookupResult {
    let options = LookupOptions::default().family(AddressFamily::Ipv4);
    let results: Vec<_> = resolver.lookup_with("www.test:80", &options).collect().await;
    results.into_iter().next_back().expect("every lookup has an end")
}

/// Two ports, both in use: by sockets for UDP, by connections to the nameserver for TCP.
#[tokio::test]
async fn rr05_a_lookup_waits_for_a_free_port_and_does_not_blame_the_nameserver() {
    let addr: SocketAddr = "198.51.100.74:53".parse().unwrap();
    let _nameserver = Nameserver::at(addr, "*.test. A -> answer 192.0.2.1", &Journal::off());
    let bind = |port| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).unwrap();
    // Reset when they are dropped: no port lingers in TIME-WAIT.
    let connect = |()| {
        let connection = TcpStream::connect(addr).unwrap();
        SockRef::from(&connection).set_linger(Some(Duration::ZERO)).unwrap();
        connection
    };
    for tcp_only in [false, true] {
        let builder = Resolver::builder()
            .without_system_configuration()
            .nameservers([addr])
            .tcp_only(tcp_only)
            .cache(None);
        let patient = builder.clone().build();
        let hasty = builder.timeout(Duration::from_millis(400)).build();
        let _range = PortRange::set("40000 40001");
        let in_use: (Vec<_>, Vec<_>) = if tcp_only {
            (Vec::new(), [(); 2].map(connect).into())
        } else {
            ([40_000, 40_001].map(bind).into(), Vec::new())
        };
        let mut waiting = Box::pin(end(&patient));
        assert_eq!((&mut waiting).now_or_never(), None);

        let LookupResult::End(Err(error)) = end(&hasty).await else { panic!("there is no port") };
        assert_eq!(error.kind(), LookupErrorKind::Resources, "{error}");
        assert_eq!(hasty.stats().nameservers[0].failures, 0, "{error}");

        drop(in_use);
        assert_eq!(waiting.await, LookupResult::End(Ok(())));
    }
}

async fn connect(
    addr: SocketAddr,
    options: &ConnectOptions,
) -> Result<TokioTcpStream, ConnectError> {
    let results = stream::iter([LookupResult::Address(addr), LookupResult::End(Ok(()))]);
    connect_results(results, options).await.map(|(stream, _)| {
        // Reset when it is dropped: no port lingers in TIME-WAIT.
        SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
        stream
    })
}

/// The only port to connect from is the one that is connected to.
#[tokio::test]
async fn cr01_a_socket_that_is_connected_to_itself_counts_as_refused() {
    let addr: SocketAddr = "198.51.100.74:40000".parse().unwrap();
    let _range = PortRange::set("40000 40000");
    // That the system does so, and the rest of the test is about something.
    let itself = TcpStream::connect(addr).unwrap();
    assert_eq!(itself.local_addr().unwrap(), itself.peer_addr().unwrap());
    SockRef::from(&itself).set_linger(Some(Duration::ZERO)).unwrap();
    drop(itself);

    // A socket that the caller's hook has bound so is what the caller wants.
    let socket = SocketOptions::default()
        .before_connect(move |socket, _| SockRef::from(&socket).bind(&addr.into()));
    let stream = connect(addr, &ConnectOptions::default().socket(socket)).await.unwrap();
    assert_eq!(stream.local_addr().unwrap(), addr);
    drop(stream);

    let error = connect(addr, &ConnectOptions::default()).await.unwrap_err();
    assert!(error.is_refused(), "{error:#}");
}

/// One port to connect from, and two servers.
#[tokio::test]
async fn cr06_a_local_address_has_its_ports_for_each_destination() {
    let listen = |port| std::net::TcpListener::bind(("198.51.100.74", port)).unwrap();
    let servers = [listen(50_001), listen(50_002)];
    let socket = SocketOptions::default().local_ipv4(Ipv4Addr::new(198, 51, 100, 75));
    let options = ConnectOptions::default().socket(socket);
    let _range = PortRange::set("40000 40000");
    let mut streams = Vec::new();
    for server in &servers {
        streams.push(connect(server.local_addr().unwrap(), &options).await.unwrap());
    }
    for stream in streams {
        assert_eq!(stream.local_addr().unwrap(), "198.51.100.75:40000".parse().unwrap());
    }
}

/// One port to connect from, which is in use.
#[tokio::test]
async fn cr15_a_race_waits_for_a_free_port_and_does_not_blame_the_address() {
    let server = std::net::TcpListener::bind("198.51.100.74:50003").unwrap();
    let addr = server.local_addr().unwrap();
    for local in [None, Some(Ipv4Addr::new(198, 51, 100, 75))] {
        let mut socket = SocketOptions::default();
        if let Some(local) = local {
            socket = socket.local_ipv4(local);
        }
        let options = ConnectOptions::default().socket(socket);
        let _range = PortRange::set("40000 40000");
        let in_use = connect(addr, &options).await.unwrap();

        let error = connect(addr, &options).await.unwrap_err();
        assert_eq!(error.kind(), ConnectErrorKind::Resources, "{error:#}");
        assert!(error.decisive().is_some_and(|attempt| attempt.addr == addr));

        // Two addresses: the second is not burnt at once, and there is a port when its turn comes.
        let other_server = std::net::TcpListener::bind("198.51.100.74:50004").unwrap();
        let other = other_server.local_addr().unwrap();
        let results = stream::iter([
            LookupResult::Address(addr),
            LookupResult::Address(other),
            LookupResult::End(Ok(())),
        ]);
        let race = RaceOptions::default().connection_attempt_delay(Duration::from_millis(100));
        let options = options.race(race);
        let mut racing = Box::pin(connect_results(results, &options));
        assert!((&mut racing).now_or_never().is_none());
        drop(in_use);
        let (stream, info) = racing.await.unwrap();
        SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
        assert_eq!(info.addr(), other);
    }
}

/// The provider has taken its prefix back: connections from it will not last.
#[tokio::test]
async fn cr04_a_host_whose_ipv6_address_is_deprecated_starts_with_ipv4() {
    let preferred_for = |lifetime| {
        let change = ["-6", "addr", "change", "2001:db8:0:1::1/64", "dev", "v0", "preferred_lft"];
        let status = std::process::Command::new("ip").args(change).arg(lifetime).status();
        assert!(status.unwrap().success());
    };
    // Both are black holes.
    let addrs = ["[2001:db8:99::1]:80", "203.0.113.1:80"].map(|addr| addr.parse().unwrap());
    let race = RaceOptions::default().connect_timeout(Duration::from_millis(20));
    let mut first = Vec::new();
    for lifetime in ["forever", "0"] {
        preferred_for(lifetime);
        let results = addrs.map(LookupResult::Address).into_iter();
        let results = stream::iter(results.chain([LookupResult::End(Ok(()))]));
        // What is remembered of the sources is of these options.
        let options = ConnectOptions::default().race(race.clone());
        let error = connect_results(results, &options).await.unwrap_err();
        first.push(error.attempts()[0].addr);
    }
    preferred_for("forever");
    assert_eq!(first, addrs);
}
