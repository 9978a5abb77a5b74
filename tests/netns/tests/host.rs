//! A resolver on a host that is itself in the way of its queries.
#![cfg(target_os = "linux")]

#[path = "../../support/mod.rs"]
mod support;

use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use outrace::resolve::AddressFamily;
use outrace::{LookupErrorKind, LookupOptions, LookupResult, Resolver};
use socket2::SockRef;
use support::{Journal, Nameserver};

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
