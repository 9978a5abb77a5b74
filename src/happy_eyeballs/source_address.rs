//! Which address this host would send from, found out without sending a packet.
//!
//! RFC 6724 sorts destinations by the source address the system would choose for each. To ask for
//! it, "connect" a UDP socket: the system looks up the route, picks the source address and tells
//! it; nothing leaves the host, as a UDP connect is no more than a note in the socket.
//!
//! That costs four system calls a destination, some 10 to 20 microseconds (measured on Linux 6.18),
//! as much as a tenth of a whole connect to a near host. So it is remembered for a while, for a
//! network of destinations at once.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

use super::SocketOptions;
use super::order::{Family, SourceAddress};
use super::own_addresses::OwnAddresses;
use crate::process::{FirstUse, without_waiting};

/// The sources that are known for one set of socket options.
///
/// The table is a convenience: a caller never waits for its lock, nor holds it while the system is
/// asked. A child that was forked off with the lock held asks the system each time.
#[derive(Debug, Default)]
pub(crate) struct SourceCache {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    sources: HashMap<DestinationNetwork, CachedSource>,
    /// This host's own addresses, and when they were read.
    own: Option<(Arc<OwnAddresses>, Instant)>,
}

#[derive(Clone, Copy, Debug)]
struct CachedSource {
    source: Option<SourceAddress>,
    learnt: Instant,
}

/// How long a source is good for. It stands for the state of the network: whatever changes an
/// address or a route, the order of attempts follows a second later, and until then an attempt that
/// has become hopeless fails by itself. Long enough for the burst of connections that a page or a
/// pool of them opens.
const LIFETIME: Duration = Duration::from_secs(1);

/// How many networks are known at a time; beyond it all are forgotten. Some 100 kilobytes.
const MAX_KNOWN: usize = 1024;

impl SourceCache {
    /// The address that the system would send from towards `destination`; `None` if it has no route
    /// there.
    ///
    /// The socket that asks goes through the same steps as that of a connection attempt, so that a
    /// local address, an interface or a mark counts here as it will there.
    pub(super) fn towards(
        &self,
        options: &SocketOptions,
        destination: SocketAddr,
        now: Instant,
    ) -> Option<SourceAddress> {
        self.towards_by(destination, now, || {
            let ip = local_addr_towards(options, destination)?.ip();
            Ok(if ip.is_ipv6() { self.own(now).describe(ip) } else { SourceAddress::new(ip) })
        })
    }

    /// This host's own addresses, read once in a while.
    fn own(&self, now: Instant) -> Arc<OwnAddresses> {
        let known = without_waiting(&self.known).and_then(|table| table.own.clone());
        match known.filter(|(_, learnt)| !is_over(*learnt, now)) {
            Some((own, _)) => own,
            None => {
                let own = Arc::new(OwnAddresses::read());
                if let Some(mut table) = without_waiting(&self.known) {
                    table.own = Some((Arc::clone(&own), now));
                }
                own
            }
        }
    }

    fn towards_by(
        &self,
        destination: SocketAddr,
        now: Instant,
        ask: impl FnOnce() -> io::Result<SourceAddress>,
    ) -> Option<SourceAddress> {
        let network = DestinationNetwork::of(destination);
        let known =
            without_waiting(&self.known).and_then(|table| table.sources.get(&network).copied());
        if let Some(known) = known.filter(|known| !is_over(known.learnt, now)) {
            return known.source;
        }
        let source = match ask() {
            Ok(source) => Some(source),
            // That there is no socket to ask with says nothing about the network.
            Err(error) if crate::os::is_out_of_resources(&error) => return None,
            Err(_) => None,
        };
        if let Some(mut table) = without_waiting(&self.known) {
            if table.sources.len() >= MAX_KNOWN {
                table.sources.clear();
            }
            table.sources.insert(network, CachedSource { source, learnt: now });
        }
        source
    }
}

/// The sources of sockets without options, for the whole process.
pub(super) fn default_sources() -> &'static SourceCache {
    static SOURCES: FirstUse<SourceCache> = FirstUse::new();
    SOURCES.get_or_make(SourceCache::default)
}

/// Whether what was learnt then is no longer good. So is what another clock has dated later than now:
/// a paused one of Tokio's may be far ahead.
fn is_over(learnt: Instant, now: Instant) -> bool {
    now.checked_duration_since(learnt).is_none_or(|age| age >= LIFETIME)
}

/// Destinations that share a source: those of one /24 or /64. Routes of the Internet are no finer;
/// a route to a single host may be, and costs its neighbours their best order at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum DestinationNetwork {
    V4([u8; 3]),
    V6([u16; 4], u32),
}

impl DestinationNetwork {
    fn of(addr: SocketAddr) -> Self {
        match addr {
            SocketAddr::V4(addr) => {
                let [a, b, c, _] = addr.ip().octets();
                Self::V4([a, b, c])
            }
            SocketAddr::V6(addr) => {
                let [a, b, c, d, ..] = addr.ip().segments();
                Self::V6([a, b, c, d], addr.scope_id())
            }
        }
    }
}

/// A place that is on the Internet if anything is: a.root-servers.net. No packet is sent there.
pub(super) fn somewhere(family: Family) -> SocketAddr {
    // The addresses of the documentation ranges would not do: careful hosts route those to nowhere.
    let ip: IpAddr = match family {
        Family::V4 => Ipv4Addr::new(198, 41, 0, 4).into(),
        Family::V6 => Ipv6Addr::new(0x2001, 0x503, 0xba3e, 0, 0, 0, 2, 0x30).into(),
    };
    SocketAddr::new(ip, DISCARD)
}

/// RFC 863. Any port would do but 0, to which some systems refuse to connect.
const DISCARD: u16 = 9;

fn local_addr_towards(
    options: &SocketOptions,
    mut destination: SocketAddr,
) -> io::Result<SocketAddr> {
    let socket = Socket::new(Domain::for_address(destination), Type::DGRAM, Some(Protocol::UDP))?;
    options.route(&socket, destination).map_err(io::Error::other)?;
    let bound = options.bind(&socket, destination);
    destination.set_port(DISCARD);
    match (bound, options.local_addr_by_hook(destination)) {
        (Ok(()), _) => socket.connect(&destination.into())?,
        (Err(_), Some(local)) => {
            socket.connect(&destination.into())?;
            return Ok(local);
        }
        (Err(error), None) => return Err(error),
    }
    socket.local_addr()?.as_socket().ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn the_system_tells_its_source_for_loopback_and_knows_no_way_to_a_zone_that_is_not() {
        let (sources, options) = (SourceCache::default(), SocketOptions::default());
        let now = Instant::now();
        let towards = |addr: &str| sources.towards(&options, addr.parse().unwrap(), now);
        assert_eq!(towards("127.0.0.1:0"), Some(SourceAddress::new(Ipv4Addr::LOCALHOST.into())));
        assert_eq!(towards("[fe80::1%4000000]:443"), None);
    }

    #[test]
    fn a_local_address_is_the_source() {
        let local = Ipv4Addr::new(127, 0, 0, 7);
        let probe = std::net::UdpSocket::bind((local, 0)).unwrap();
        probe.connect("127.0.0.1:80").unwrap();
        if probe.local_addr().unwrap().ip() != local {
            return println!(
                "skipped: the system, as Wine, does not tell the address it is bound to"
            );
        }
        let options = SocketOptions::default().local_ipv4(local);
        let source = SourceCache::default().towards(
            &options,
            "127.0.0.1:80".parse().unwrap(),
            Instant::now(),
        );
        assert_eq!(source, Some(SourceAddress::new(local.into())));
    }

    type Row = (u64, &'static str, io::Result<SocketAddr>, Option<SocketAddr>, bool);

    /// Each row: when, the destination, what the system would answer, what is returned, whether the
    /// system was asked. The last one is of a clock that is behind.
    #[test]
    fn a_source_is_remembered_for_its_network_and_for_a_second() {
        let exhausted = || io::Error::from_raw_os_error(crate::os::OUT_OF_DESCRIPTORS);
        let unreachable = || io::ErrorKind::NetworkUnreachable.into();
        let sources = SourceCache::default();
        let begin = Instant::now();
        let here = "192.0.2.1:1".parse().unwrap();
        let there = "192.0.2.2:1".parse().unwrap();
        let rows: [Row; 10] = [
            (0, "198.51.100.1:80", Ok(here), Some(here), true),
            (999, "198.51.100.200:443", Ok(there), Some(here), false),
            (999, "198.51.101.1:80", Ok(there), Some(there), true),
            (1000, "198.51.100.1:80", Ok(there), Some(there), true),
            (1000, "[2001:db8::1]:80", Err(unreachable()), None, true),
            (1001, "[2001:db8::ffff:1]:80", Ok(here), None, false),
            (1001, "[2001:db8:0:1::1]:80", Ok(here), Some(here), true),
            (1001, "203.0.113.1:80", Err(exhausted()), None, true),
            (1001, "203.0.113.1:80", Ok(here), Some(here), true),
            (0, "203.0.113.1:80", Ok(there), Some(there), true),
        ];
        for (at, destination, answer, expected, asked) in rows {
            let was_asked = Cell::new(false);
            let source = sources.towards_by(
                destination.parse().unwrap(),
                begin + Duration::from_millis(at),
                || {
                    was_asked.set(true);
                    answer.map(|addr| SourceAddress::new(addr.ip()))
                },
            );
            let expected = expected.map(|addr| SourceAddress::new(addr.ip()));
            assert_eq!((source, was_asked.get()), (expected, asked), "{destination} at {at} ms");
        }
    }

    /// The same addresses exist on each link.
    #[test]
    fn at10_each_zone_has_its_own_source() {
        let sources = SourceCache::default();
        for scope in [1, 2] {
            let answer: SocketAddr = (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, scope), 1).into();
            let destination = format!("[fe80::9%{scope}]:80").parse().unwrap();
            let answer = SourceAddress::new(answer.ip());
            let source = sources.towards_by(destination, Instant::now(), || Ok(answer));
            assert_eq!(source, Some(answer), "zone {scope}");
        }
    }

    /// As in a child that was forked off while another thread had the lock.
    #[test]
    fn at01_a_table_that_is_held_for_good_is_done_without() {
        let sources = SourceCache::default();
        let _held = sources.known.lock().unwrap();
        let destination = (Ipv4Addr::LOCALHOST, 80).into();
        for last in [1, 2] {
            let answer: SocketAddr = (Ipv4Addr::new(192, 0, 2, last), 1).into();
            let answer = SourceAddress::new(answer.ip());
            let source = sources.towards_by(destination, Instant::now(), || Ok(answer));
            assert_eq!(source, Some(answer));
        }
    }

    #[test]
    fn at01_the_table_is_free_while_the_system_is_asked() {
        let sources = SourceCache::default();
        let destination = (Ipv4Addr::LOCALHOST, 80).into();
        let source = sources.towards_by(destination, Instant::now(), || {
            assert!(sources.known.try_lock().is_ok());
            Ok(SourceAddress::new(Ipv4Addr::LOCALHOST.into()))
        });
        assert!(source.is_some());
    }

    #[test]
    fn what_is_remembered_has_a_bound() {
        let sources = SourceCache::default();
        let now = Instant::now();
        for network in 0..3000_u32 {
            let destination = Ipv4Addr::from(0x0a00_0000 | network << 8);
            let answer = SourceAddress::new("192.0.2.1".parse().unwrap());
            sources.towards_by((destination, 80).into(), now, || Ok(answer)).unwrap();
            assert!(sources.known.lock().unwrap().sources.len() <= MAX_KNOWN);
        }
    }
}
