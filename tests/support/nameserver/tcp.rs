//! The TCP side of a nameserver.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Poll, Token};
use socket2::SockRef;

use super::{CONNECTIONS, Journal};
use crate::support::testkit::TcpService;
use crate::support::web::{BlackHole, bound, listening};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ConnectionId(pub(super) usize);

#[derive(Debug)]
pub(super) struct Tcp {
    addr: SocketAddr,
    listening: Listening,
    closes_at_once: bool,
    connections: BTreeMap<ConnectionId, Connection>,
    accepted: usize,
}

/// What holds the port.
#[derive(Debug)]
enum Listening {
    Listener(TcpListener),
    /// Bound, and not listening: connects are refused, and no other socket gets the port.
    Refusing(#[expect(dead_code, reason = "held for its port")] socket2::Socket),
    BlackHole(#[expect(dead_code, reason = "held for its backlog")] BlackHole),
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    peer: SocketAddr,
    /// Read, and not yet a whole message.
    received: Vec<u8>,
    /// To be written as soon as there is room.
    unsent: Vec<u8>,
    /// Messages that wait for others, to be written with them.
    held: Vec<Vec<u8>>,
    /// Our side is closed.
    closed: bool,
}

impl Tcp {
    pub(super) fn bind(addr: SocketAddr, service: TcpService, poll: &Poll) -> io::Result<Self> {
        let (addr, listening) = match service {
            TcpService::Refuse => {
                let (socket, addr) = bound(addr)?;
                (addr, Listening::Refusing(socket))
            }
            TcpService::BlackHole => {
                let hole = BlackHole::new(addr)?;
                (hole.addr(), Listening::BlackHole(hole))
            }
            TcpService::Serve | TcpService::CloseAtOnce | TcpService::Mute => {
                let mut listener = TcpListener::from_std(listening(addr, 1024)?);
                // A mute nameserver's kernel completes the handshake; nothing accepts.
                if service != TcpService::Mute {
                    poll.registry().register(&mut listener, super::TCP, Interest::READABLE)?;
                }
                (listener.local_addr()?, Listening::Listener(listener))
            }
        };
        Ok(Self {
            addr,
            listening,
            closes_at_once: service == TcpService::CloseAtOnce,
            connections: BTreeMap::new(),
            accepted: 0,
        })
    }

    pub(super) fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    pub(super) fn accept(&mut self, poll: &Poll, journal: &Journal) {
        let Listening::Listener(listener) = &self.listening else { return };
        loop {
            let (mut stream, peer) = match listener.accept() {
                Ok(accepted) => accepted,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
                Err(error) => panic!("accept: {error}"),
            };
            journal.enter(|entries| entries.tcp_accepted += 1);
            if self.closes_at_once {
                continue;
            }
            // Pieces are to leave as they are written.
            let _ = stream.set_nodelay(true);
            let id = ConnectionId(self.accepted);
            self.accepted += 1;
            poll.registry()
                .register(&mut stream, token(id), Interest::READABLE)
                .expect("epoll takes a stream");
            journal.enter(|entries| entries.tcp_open += 1);
            let connection = Connection {
                stream,
                peer,
                received: Vec::new(),
                unsent: Vec::new(),
                held: Vec::new(),
                closed: false,
            };
            self.connections.insert(id, connection);
        }
    }

    /// Writes and reads what can be; gives the messages that are whole, and who sent them.
    pub(super) fn ready(
        &mut self,
        id: ConnectionId,
        poll: &Poll,
        journal: &Journal,
    ) -> Vec<(SocketAddr, Vec<u8>)> {
        // An event may come after the connection has gone.
        let Some(connection) = self.connections.get_mut(&id) else { return Vec::new() };
        connection.flush(id, poll);
        let open = connection.fill();
        let peer = connection.peer;
        let read = connection.messages().into_iter().map(|bytes| (peer, bytes)).collect();
        if !open {
            self.remove(id, journal);
        }
        read
    }

    pub(super) fn write(&mut self, id: ConnectionId, bytes: &[u8], poll: &Poll) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if !connection.closed {
            connection.unsent.extend(bytes);
            connection.flush(id, poll);
        }
    }

    pub(super) fn hold(&mut self, id: ConnectionId, bytes: Vec<u8>, count: usize, poll: &Poll) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.held.push(bytes);
        if connection.held.len() >= count {
            let bytes = std::mem::take(&mut connection.held).concat();
            self.write(id, &bytes, poll);
        }
    }

    /// Sends FIN after what was written. Reading goes on until the asker closes too: closing with
    /// unread bytes would make it an RST.
    pub(super) fn close(&mut self, id: ConnectionId, poll: &Poll) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.closed = true;
        connection.flush(id, poll);
    }

    /// Sends RST.
    pub(super) fn reset(&mut self, id: ConnectionId, journal: &Journal) {
        let Some(connection) = self.connections.get(&id) else { return };
        SockRef::from(&connection.stream)
            .set_linger(Some(Duration::ZERO))
            .expect("a socket that lingers");
        self.remove(id, journal);
    }

    fn remove(&mut self, id: ConnectionId, journal: &Journal) {
        self.connections.remove(&id);
        journal.enter(|entries| entries.tcp_open -= 1);
    }
}

impl Connection {
    fn flush(&mut self, id: ConnectionId, poll: &Poll) {
        while !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(sent) => drop(self.unsent.drain(..sent)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let both = Interest::READABLE | Interest::WRITABLE;
                    poll.registry()
                        .reregister(&mut self.stream, token(id), both)
                        .expect("epoll knows the stream");
                    return;
                }
                // The asker has gone; reading finds out.
                Err(_) => return self.unsent.clear(),
            }
        }
        if self.closed {
            let _ = self.stream.shutdown(Shutdown::Write);
        }
    }

    /// Reads what there is; whether the asker may still send.
    fn fill(&mut self) -> bool {
        let mut buffer = [0; 4096];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return false,
                Ok(len) => self.received.extend(&buffer[..len]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
    }

    /// Takes the whole messages out of what was received (RFC 1035 section 4.2.2: two bytes of
    /// length).
    fn messages(&mut self) -> Vec<Vec<u8>> {
        let mut messages = Vec::new();
        while let Some((prefix, rest)) = self.received.split_first_chunk() {
            let len = usize::from(u16::from_be_bytes(*prefix));
            let Some(message) = rest.get(..len) else { break };
            messages.push(message.to_vec());
            self.received.drain(..2 + len);
        }
        messages
    }
}

fn token(id: ConnectionId) -> Token {
    Token(id.0 + CONNECTIONS)
}
