//! What errors of the operating system mean (RR05, RR24); what a flood and a burst may cost (AT03,
//! RR25); and RV20, the ports: a forger has the kernel's whole range to guess, each time anew.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use mio::{Events, Poll};
use nix::errno::Errno;
use socket2::SockRef;

use super::*;
use crate::resolve::config::resolv_conf::{self, Env};
use crate::resolve::config::settings::Settings;
use crate::resolve::driver::random::os_random;
use crate::resolve::names::local::{Local, LookupConfig, local};
use crate::resolve::randomness::{
    assert_as_many_distinct, assert_no_trend, assert_uncorrelated, assert_uniform,
};
use crate::resolve::stats::{CacheFigures, Counters};
use crate::resolve::stub::Stub;
use crate::resolve::stub::ids::{Ids, LookupId};
use crate::resolve::stub::lookup::Lookup;
use crate::resolve::system::pool::Pool;
use crate::resolve::{AddressPolicy, LookupOptions};

fn error(errno: Errno) -> io::Error {
    io::Error::from_raw_os_error(errno as i32)
}

/// The first is a firewall's drop, or a full connection-tracking table; the second a full send
/// buffer, the third the interface's full queue.
#[test]
fn rr24_a_datagram_dropped_on_this_host_is_a_lost_one() {
    for errno in [Errno::EPERM, Errno::EAGAIN, Errno::ENOBUFS, Errno::ENOMEM, Errno::EACCES] {
        assert!(sent(Err(error(errno))).is_ok(), "{errno}");
    }
    for errno in [Errno::ECONNREFUSED, Errno::ENETUNREACH, Errno::EHOSTUNREACH, Errno::EMSGSIZE] {
        let failed = sent(Err(error(errno))).expect_err("the socket is of no use");
        assert_eq!(socket_error(&failed), SocketError::Failed(failed.kind()), "{errno}");
    }
}

/// The last may also mean that no port is free. Here there are free ones.
#[test]
fn rr05_a_host_without_a_free_port_is_told_from_one_without_an_address() {
    for nameserver in ["127.0.0.1:53", "[::1]:53"] {
        let nameserver = nameserver.parse().unwrap();
        for kind in [Type::DGRAM, Type::STREAM] {
            let of = |errno| open_error(&error(errno), nameserver, kind);
            for errno in [Errno::EAGAIN, Errno::EADDRINUSE, Errno::EMFILE] {
                assert_eq!(of(errno), SocketError::OutOfResources, "{errno}");
            }
            let (unreachable, no_address) = (of(Errno::ENETUNREACH), of(Errno::EADDRNOTAVAIL));
            assert_eq!(unreachable, SocketError::Failed(io::ErrorKind::NetworkUnreachable));
            assert_eq!(no_address, SocketError::Failed(io::ErrorKind::AddrNotAvailable));
        }
    }
}

/// The core with so many lookups, each of a name of its own, at one nameserver.
fn core(nameserver: SocketAddr, tcp_only: bool, lookups: u64) -> (Generations, Arc<Counters>) {
    let env = Env::default();
    let settings =
        Settings { nameservers: vec![nameserver], tcp_only: Some(tcp_only), ..Settings::default() };
    let routes = settings.name_routes(&[]).into();
    let config = settings.stub_config(&resolv_conf::parse(b"", &env), &routes);
    let counters = Arc::<Counters>::default();
    let random = os_random();
    let stub = Stub::new(config, None, Ids::default(), Arc::clone(&counters), random, || 1000);
    let mut core = Generations::new(stub, Pool::new(1, Duration::ZERO));
    for id in 1..=lookups {
        let target = format!("n{id}.test:80").parse().unwrap();
        let (options, config) = (LookupOptions::default(), LookupConfig::default());
        let local = local(&target, &options, &config, &AddressPolicy::default());
        let Local::Ask(ask) = local else { panic!("it has to be asked for") };
        core.handle_lookup(LookupId(id), Box::new(Lookup::new(ask)), None, Instant::now());
    }
    (core, counters)
}

/// Waits for events, and passes them on.
fn handle_events(network: &mut Network, core: &mut Generations, poll: &mut Poll) {
    let mut events = Events::with_capacity(8);
    poll.poll(&mut events, None).unwrap();
    for event in &events {
        let event = SocketEvent::new(event.token(), event);
        network.handle_event(event, core, Instant::now());
    }
}

/// With an event in each turn, as in a flood, and more to read than one turn's share.
#[test]
fn at03_a_flooded_socket_is_read_once_a_turn() {
    let nameserver = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let (mut core, counters) = core(nameserver.local_addr().unwrap(), false, 1);
    let (mut network, mut poll) = (Network::new(Route::default()), Poll::new().unwrap());
    network.transmit(&mut core, poll.registry(), Instant::now());
    let (_, client) = nameserver.recv_from(&mut [0; 512]).unwrap();

    let flood = || assert_eq!(nameserver.send_to(b"?", client).unwrap(), 1);
    (0..5 * READS_PER_TURN).for_each(|_| flood());
    for turn in 1..=4 {
        flood();
        handle_events(&mut network, &mut core, &mut poll);
        network.read(&mut core, Instant::now());
        let read = counters.stats(CacheFigures::default()).ignored.too_short;
        assert_eq!(read, (turn * READS_PER_TURN) as u64, "turn {turn}");
    }
}

/// All of them wait for one connection. Over UDP the nameserver's window bounds what is sent.
#[test]
fn rr25_a_burst_is_sent_a_turns_share_at_a_time() {
    let nameserver = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let lookups = TRANSMITS_PER_TURN as u64;
    let (mut core, counters) = core(nameserver.local_addr().unwrap(), true, lookups);
    let (mut network, mut poll) = (Network::new(Route::default()), Poll::new().unwrap());
    network.transmit(&mut core, poll.registry(), Instant::now());
    handle_events(&mut network, &mut core, &mut poll);
    for turn in 1..=2 {
        assert!(core.has_transmits());
        network.transmit(&mut core, poll.registry(), Instant::now());
        let sent = counters.stats(CacheFigures::default()).tcp_queries;
        assert_eq!(sent, turn * lookups, "A and AAAA are two queries");
    }
    assert!(!core.has_transmits());
}

/// A network with one UDP and one TCP socket to a nameserver on loopback, or why there is none.
fn opened(route: Route) -> io::Result<Network> {
    let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let (mut network, poll) = (Network::new(route), Poll::new().unwrap());
    network.open_udp(SocketId(1), udp, poll.registry())?;
    network.open_tcp(SocketId(2), tcp.local_addr().unwrap(), poll.registry())?;
    Ok(network)
}

/// Both sockets of a network.
fn sockets(network: &Network) -> [SockRef<'_>; 2] {
    [SockRef::from(&network.udp[&SocketId(1)]), SockRef::from(&network.tcp[&SocketId(2)].tcp)]
}

#[test]
fn dns_sockets_have_the_local_address_and_the_interface_of_the_program() {
    let probe = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let probe = SockRef::from(&probe);
    if probe.bind_device(Some(b"lo")).and_then(|()| probe.device()).is_err() {
        return println!("skipped: the system, as qemu, binds no socket to an interface");
    }
    let local = Ipv4Addr::new(127, 0, 0, 7);
    let mut route = Route { interface: Some("lo".to_owned()), ..Route::default() };
    route.set_local_address(local.into());
    for socket in sockets(&opened(route).unwrap()) {
        assert_eq!(socket.device().unwrap().as_deref(), Some(&b"lo"[..]));
        assert_eq!(*socket.local_addr().unwrap().as_socket_ipv4().unwrap().ip(), local);
    }
}

#[test]
fn dns_sockets_have_the_mark_of_the_program_or_are_not_there() {
    let mark = 7;
    let probe = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    // Without the privilege; or as under qemu, which knows no marks.
    let refusal = SockRef::from(&probe).set_mark(mark).err();
    match opened(Route { mark: Some(mark), ..Route::default() }) {
        Ok(network) => {
            assert!(refusal.is_none());
            assert_eq!(sockets(&network).map(|socket| socket.mark().unwrap()), [mark; 2]);
        }
        Err(error) => {
            assert_eq!(Some(error.kind()), refusal.map(|refusal| refusal.kind()));
        }
    }
}

#[test]
fn a_nameserver_without_a_way_to_it_says_why() {
    let mut of_the_other_family = Route::default();
    of_the_other_family.set_local_address(Ipv6Addr::LOCALHOST.into());
    let mut not_of_this_host = Route::default();
    not_of_this_host.set_local_address(Ipv4Addr::new(192, 0, 2, 1).into());
    let missing = Route { interface: Some("nowhere0".to_owned()), ..Route::default() };
    for (route, kind) in [
        (of_the_other_family, io::ErrorKind::AddrNotAvailable),
        (not_of_this_host, io::ErrorKind::AddrNotAvailable),
        (missing, io::ErrorKind::NetworkDown),
    ] {
        let error = opened(route.clone()).err().expect("there is no way");
        assert_eq!(error.kind(), kind, "{route:?}");
        let nameserver = (Ipv4Addr::LOCALHOST, 53).into();
        let told = open_error(&error, nameserver, Type::DGRAM);
        assert_eq!(told, SocketError::Failed(kind), "{route:?}");
    }
}

const SOCKETS: usize = 10_000;
/// How many are open at once.
const BATCH: usize = 16;

/// The ports of sockets opened one after the other, as the resolver opens them.
fn ports(ip: IpAddr, route: Route) -> Vec<u16> {
    let nameserver = UdpSocket::bind((ip, 0)).expect("loopback");
    let addr = nameserver.local_addr().unwrap();
    let poll = Poll::new().unwrap();
    let (mut network, mut ports) = (Network::new(route), Vec::with_capacity(SOCKETS));
    for number in (0..).take(SOCKETS) {
        let socket = SocketId(number);
        network.open_udp(socket, addr, poll.registry()).expect("a socket");
        ports.push(network.udp[&socket].local_addr().unwrap().port());
        if network.udp.len() == BATCH {
            network.udp.clear();
        }
    }
    ports
}

/// Linux picks the port of a UDP socket that connects without one uniformly among the range
/// (`udp_lib_get_port`: `reciprocal_scale(get_random_u32(), remaining) + low`), and goes on from
/// there only if it is taken. So not 50,000 ports are to be seen, but as many of the range as so
/// many uniform picks hit. The choice among even and odd ports is TCP's.
#[test]
fn rv20_ports_are_uniform_over_the_kernels_range() {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap();
    let mut range = range.split_whitespace().map(|port| port.parse::<u16>().unwrap());
    let (low, high) = (range.next().unwrap(), range.next().unwrap());
    let count = usize::from(high - low) + 1;
    println!("{SOCKETS} sockets, ports {low} to {high}");
    let mut bound = Route::default();
    bound.set_local_address(Ipv4Addr::new(127, 0, 0, 2).into());
    for (ip, route) in [
        (IpAddr::from(Ipv4Addr::LOCALHOST), Route::default()),
        (Ipv6Addr::LOCALHOST.into(), Route::default()),
        (Ipv4Addr::LOCALHOST.into(), bound),
    ] {
        if UdpSocket::bind((ip, 0)).is_err() {
            println!("no IPv6 on this machine");
            continue;
        }
        let ports = ports(ip, route);
        assert!(
            ports.iter().all(|port| (low..=high).contains(port)),
            "the range is {low} to {high}"
        );
        assert_as_many_distinct("ports", count, &ports);
        let part =
            |parts: usize| ports.iter().map(move |port| usize::from(port - low) * parts / count);
        assert_uniform("ports, by their upper bits", 64, part(64));
        assert_uniform(
            "ports, by their lower bits",
            64,
            ports.iter().map(|port| usize::from(port % 64)),
        );
        // The next socket's part of the range says nothing of where the one before was.
        let parts: Vec<_> = part(16).collect();
        assert_uniform("parts of neighbours", 256, parts.chunks_exact(2).map(|p| p[0] * 16 + p[1]));
        assert_uncorrelated("ports", &ports, &[1, 2, 3, BATCH - 1, BATCH]);
        assert_no_trend("ports", &ports);
    }
}
