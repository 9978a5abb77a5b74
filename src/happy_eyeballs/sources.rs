//! Which address this host would send from, learnt without sending a packet.
//!
//! RFC 6724 sorts destinations by the source address the system would choose for each. RFC 3484
//! already knew how to ask for it: "connect" a UDP socket. The system looks up the route, picks the
//! source address and tells it; nothing leaves the host, as a UDP connect is no more than a note in
//! the socket.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};

use super::SocketOptions;
use super::order::{Family, Source};

/// What the system would send from towards `destination`; `None` if it has no route there.
///
/// The socket goes through the same steps as that of a connection attempt, so that a local address,
/// an interface or a mark counts here as it will there.
pub(super) fn source_towards(options: &SocketOptions, destination: SocketAddr) -> Option<Source> {
    let addr = local_addr_towards(options, destination).ok()?.ip();
    Some(Source::new(addr))
}

/// What the system would send from towards the Internet in `family`; `None` if it has no route.
pub(super) fn default_source(options: &SocketOptions, family: Family) -> Option<Source> {
    let somewhere = match family {
        Family::V4 => IpAddr::V4(A_ROOT_V4),
        Family::V6 => IpAddr::V6(A_ROOT_V6),
    };
    source_towards(options, SocketAddr::new(somewhere, PORT))
}

fn local_addr_towards(options: &SocketOptions, destination: SocketAddr) -> io::Result<SocketAddr> {
    let socket = Socket::new(Domain::for_address(destination), Type::DGRAM, Some(Protocol::UDP))?;
    options.route(&socket, destination).map_err(io::Error::other)?;
    let mut destination = destination;
    if destination.port() == 0 {
        // Some systems refuse to connect to port 0; no route depends on the port.
        destination.set_port(PORT);
    }
    socket.connect(&destination.into())?;
    socket.local_addr()?.as_socket().ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
}

/// Discard (RFC 863). Any port would do.
const PORT: u16 = 9;

/// A place that is on the Internet if anything is: a.root-servers.net. The addresses of the
/// documentation ranges would not do, as careful hosts route those to nowhere.
const A_ROOT_V4: Ipv4Addr = Ipv4Addr::new(198, 41, 0, 4);
/// See [`A_ROOT_V4`].
const A_ROOT_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0x503, 0xba3e, 0, 0, 0, 2, 0x30);
