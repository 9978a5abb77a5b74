//! The UDP side of a nameserver.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use mio::net::UdpSocket;
use mio::{Interest, Poll};
use socket2::SockRef;

use crate::support::testkit::Origin;

/// Room for the queries of a thousand lookups that start together.
const RECEIVE_BUFFER: usize = 4 << 20;

#[derive(Debug)]
pub(super) struct Udp {
    socket: UdpSocket,
    addr: SocketAddr,
}

impl Udp {
    pub(super) fn bind(addr: SocketAddr, poll: &Poll) -> io::Result<Self> {
        let mut socket = UdpSocket::bind(addr)?;
        // The kernel caps it where it must; a smaller buffer serves smaller tests.
        SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER)?;
        poll.registry().register(&mut socket, super::UDP, Interest::READABLE)?;
        Ok(Self { addr: socket.local_addr()?, socket })
    }

    /// The next datagram, if one waits.
    pub(super) fn receive(&self, buffer: &mut [u8]) -> Option<(usize, SocketAddr)> {
        loop {
            match self.socket.recv_from(buffer) {
                Ok(received) => return Some(received),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
                // Linux reports the ICMP error of an earlier response here (its asker has gone).
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::ConnectionRefused
                            | ErrorKind::ConnectionReset
                            | ErrorKind::Interrupted
                    ) => {}
                Err(error) => panic!("receive: {error}"),
            }
        }
    }

    pub(super) fn send(&self, bytes: &[u8], to: SocketAddr, origin: Origin) {
        let sent = match origin {
            Origin::Server => self.socket.send_to(bytes, to),
            Origin::WrongPort => send_from(SocketAddr::new(self.addr.ip(), 0), bytes, to),
            Origin::WrongPeer => send_from(self.other_peer(), bytes, to),
        };
        match sent {
            // An asker that has closed its socket is no fault of the nameserver's.
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
            Err(error) => panic!("send {} bytes to {to}: {error}", bytes.len()),
        }
    }

    /// Another loopback address with the right port; another port where that one is taken there.
    fn other_peer(&self) -> SocketAddr {
        let IpAddr::V4(ip) = self.addr.ip() else {
            panic!("`wrong-peer` needs IPv4: there is only one IPv6 loopback address");
        };
        let [a, b, c, d] = ip.octets();
        let other = SocketAddr::new(Ipv4Addr::new(a, b, c ^ 1, d).into(), self.addr.port());
        match std::net::UdpSocket::bind(other) {
            Ok(_) => other,
            Err(_) => SocketAddr::new(other.ip(), 0),
        }
    }
}

fn send_from(addr: SocketAddr, bytes: &[u8], to: SocketAddr) -> io::Result<usize> {
    std::net::UdpSocket::bind(addr)?.send_to(bytes, to)
}
