//! The resolver thread's sockets: carries out the core's transmits, and passes what arrives to the
//! core.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::Instant;

use mio::net::{TcpStream, UdpSocket};
use mio::{Interest, Registry, Token};
use socket2::{Domain, Socket, Type};

use crate::os::{
    bind_address_no_port, is_in_progress, is_lost_datagram, is_out_of_ports, is_out_of_resources,
    nonblocking_socket,
};
use crate::resolve::stub::Transmit;
use crate::resolve::stub::generations::Generations;
use crate::resolve::stub::ids::{IdMap, SocketId};
use crate::resolve::stub::socket_error::SocketError;
use crate::route::Route;

/// The longest datagram and the longest DNS message over TCP: nothing is ever cut off.
const MAX_MESSAGE: usize = 65_535;
/// How many reads one socket gets in a turn, so that a flood of forged responses to one lookup does
/// not delay the next one.
const READS_PER_TURN: usize = 32;

/// How many transmits are carried out in a turn, some milliseconds' worth: the ends of other lookups
/// wait no longer for a burst of sends.
const TRANSMITS_PER_TURN: usize = 512;

/// The nameserver has closed the connection.
const CLOSED: SocketError = SocketError::Failed(io::ErrorKind::UnexpectedEof);

/// An event on one socket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SocketEvent {
    socket: SocketId,
    is_writable: bool,
}

impl SocketEvent {
    pub(crate) fn new(token: Token, event: &mio::event::Event) -> Self {
        Self { socket: SocketId(token.0 as u64), is_writable: event.is_writable() }
    }
}

fn token(socket: SocketId) -> Token {
    Token(usize::try_from(socket.0).expect("fewer sockets than addresses were ever opened"))
}

/// The open sockets.
pub(crate) struct Network {
    route: Route,
    udp: IdMap<SocketId, UdpSocket>,
    tcp: IdMap<SocketId, Connection>,
    /// Sockets that may have something to read: of which an event has said so, and those with more
    /// than they were allowed in one turn. Each is there once, so that it is read once a turn.
    unread: BTreeSet<SocketId>,
    read_buffer: Box<[u8]>,
    write_buffer: Vec<u8>,
}

struct Connection {
    tcp: TcpStream,
    is_connected: bool,
    /// Octets that the kernel has not taken yet.
    unsent: Vec<u8>,
}

impl Network {
    /// A network whose packets take this route.
    pub(crate) fn new(route: Route) -> Self {
        Self {
            route,
            udp: IdMap::default(),
            tcp: IdMap::default(),
            unread: BTreeSet::new(),
            read_buffer: vec![0; MAX_MESSAGE].into_boxed_slice(),
            write_buffer: Vec::new(),
        }
    }

    /// Whether a socket waits for the next turn to be read on.
    pub(crate) fn has_unread(&self) -> bool {
        !self.unread.is_empty()
    }

    /// Carries out the core's transmits, or one turn's share of them.
    pub(crate) fn transmit(&mut self, core: &mut Generations, registry: &Registry, now: Instant) {
        for _ in 0..TRANSMITS_PER_TURN {
            let Some(transmit) = core.poll_transmit(&mut self.write_buffer) else { return };
            let (socket, done) = match transmit {
                Transmit::OpenUdp { socket, nameserver } => {
                    let done = self.open_udp(socket, nameserver, registry);
                    (socket, done.map_err(|error| open_error(&error, nameserver, Type::DGRAM)))
                }
                Transmit::SendUdp { socket } => {
                    (socket, self.send_udp(socket).map_err(|error| socket_error(&error)))
                }
                Transmit::CloseUdp { socket } => {
                    self.udp.remove(&socket);
                    continue;
                }
                Transmit::OpenTcp { socket, nameserver } => {
                    if let Err(error) = self.open_tcp(socket, nameserver, registry) {
                        let error = open_error(&error, nameserver, Type::STREAM);
                        core.handle_stream_error(socket, error, now);
                    }
                    continue;
                }
                Transmit::SendTcp { socket } => {
                    if let Err(error) = self.send_tcp(socket) {
                        core.handle_stream_error(socket, socket_error(&error), now);
                    }
                    continue;
                }
                Transmit::CloseTcp { socket } => {
                    self.tcp.remove(&socket);
                    continue;
                }
            };
            if let Err(error) = done {
                core.handle_udp_error(socket, error, now);
            }
        }
    }

    /// Writes what an event has made room for, and notes what it has announced to be read.
    pub(crate) fn handle_event(
        &mut self,
        event: SocketEvent,
        core: &mut Generations,
        now: Instant,
    ) {
        if self.tcp.contains_key(&event.socket) {
            self.handle_stream_event(event, core, now);
        }
        self.unread.insert(event.socket);
    }

    /// Reads what has arrived, and passes it to the core.
    pub(crate) fn read(&mut self, core: &mut Generations, now: Instant) {
        for socket in std::mem::take(&mut self.unread) {
            let is_unread = if self.udp.contains_key(&socket) {
                self.read_udp(socket, core, now)
            } else {
                self.read_tcp(socket, core, now)
            };
            if is_unread {
                self.unread.insert(socket);
            }
        }
    }

    /// A socket that does not block, is not inherited by child programs, and whose packets take the
    /// route.
    fn socket(&self, nameserver: SocketAddr, kind: Type) -> io::Result<Socket> {
        let route = &self.route;
        if !route.can_reach(nameserver) {
            return Err(io::ErrorKind::AddrNotAvailable.into());
        }
        let socket = nonblocking_socket(Domain::for_address(nameserver), kind)?;
        // The kinds of std have none for an interface that is not there.
        route.set_interface(&socket, nameserver).map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => error,
            _ => io::ErrorKind::NetworkDown.into(),
        })?;
        route.set_mark(&socket)?;
        if let Some(local) = route.local_addr(nameserver) {
            // Without it a TCP port of the local address is taken for all destinations at once.
            drop(bind_address_no_port(&socket));
            socket.bind(&local.into())?;
        }
        Ok(socket)
    }

    fn open_udp(
        &mut self,
        socket: SocketId,
        nameserver: SocketAddr,
        registry: &Registry,
    ) -> io::Result<()> {
        // Connecting binds it to a port that the kernel picks at random, discards datagrams that
        // are not from the nameserver's address and port, and reports a closed port as an error.
        let udp = self.socket(nameserver, Type::DGRAM)?;
        udp.connect(&nameserver.into())?;
        let mut udp = UdpSocket::from_std(udp.into());
        registry.register(&mut udp, token(socket), Interest::READABLE)?;
        self.udp.insert(socket, udp);
        Ok(())
    }

    fn send_udp(&mut self, socket: SocketId) -> io::Result<()> {
        let Some(udp) = self.udp.get(&socket) else { return Ok(()) };
        sent(retry(|| udp.send(&self.write_buffer)))
    }

    /// Reads one turn's share. Returns whether there may be more.
    fn read_udp(&mut self, socket: SocketId, core: &mut Generations, now: Instant) -> bool {
        for _ in 0..READS_PER_TURN {
            // The last response on a socket ends it: reading on would be a system call for nothing.
            let Some(udp) = self.udp.get(&socket).filter(|_| core.has_socket(socket)) else {
                return false;
            };
            match retry(|| udp.recv(&mut self.read_buffer)) {
                Ok(len) => core.handle_datagram(socket, &self.read_buffer[..len], now),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                Err(error) => core.handle_udp_error(socket, socket_error(&error), now),
            }
        }
        true
    }

    fn open_tcp(
        &mut self,
        socket: SocketId,
        nameserver: SocketAddr,
        registry: &Registry,
    ) -> io::Result<()> {
        let stream = self.socket(nameserver, Type::STREAM)?;
        match stream.connect(&nameserver.into()) {
            Err(error) if !is_in_progress(&error) => return Err(error),
            _ => {}
        }
        let mut stream = TcpStream::from_std(stream.into());
        let interests = Interest::READABLE | Interest::WRITABLE;
        registry.register(&mut stream, token(socket), interests)?;
        // It saves a few milliseconds; a lookup works without.
        drop(stream.set_nodelay(true));
        self.tcp
            .insert(socket, Connection { tcp: stream, is_connected: false, unsent: Vec::new() });
        Ok(())
    }

    fn send_tcp(&mut self, socket: SocketId) -> io::Result<()> {
        let Some(stream) = self.tcp.get_mut(&socket) else { return Ok(()) };
        stream.unsent.extend_from_slice(&self.write_buffer);
        stream.write()
    }

    fn handle_stream_event(&mut self, event: SocketEvent, core: &mut Generations, now: Instant) {
        let socket = event.socket;
        let stream = self.tcp.get_mut(&socket).expect("looked up by the caller");
        let was_connected = stream.is_connected;
        let done = match (event.is_writable, was_connected) {
            (false, _) => Ok(()),
            (true, true) => stream.write(),
            (true, false) => stream.finish_connecting(),
        };
        let is_new = stream.is_connected && !was_connected;
        match done {
            Ok(()) if is_new => core.handle_connected(socket),
            Ok(()) => {}
            Err(error) => core.handle_stream_error(socket, socket_error(&error), now),
        }
    }

    /// Reads one turn's share. Returns whether there may be more.
    fn read_tcp(&mut self, socket: SocketId, core: &mut Generations, now: Instant) -> bool {
        for _ in 0..READS_PER_TURN {
            let stream = self.tcp.get_mut(&socket).filter(|s| s.is_connected);
            let Some(stream) = stream.filter(|_| core.has_socket(socket)) else { return false };
            match retry(|| stream.tcp.read(&mut self.read_buffer)) {
                Ok(0) => core.handle_stream_error(socket, CLOSED, now),
                Ok(len) => core.handle_stream_data(socket, &self.read_buffer[..len], now),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                Err(error) => core.handle_stream_error(socket, socket_error(&error), now),
            }
        }
        true
    }
}

impl Connection {
    /// Finds out whether the connection is established. It may also have failed, or still be
    /// connecting.
    fn finish_connecting(&mut self) -> io::Result<()> {
        if let Some(error) = self.tcp.take_error()? {
            return Err(error);
        }
        match self.tcp.peer_addr() {
            Ok(_) => self.is_connected = true,
            Err(error) if error.kind() == io::ErrorKind::NotConnected => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn write(&mut self) -> io::Result<()> {
        while !self.unsent.is_empty() {
            match retry(|| self.tcp.write(&self.unsent)) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(len) => drop(self.unsent.drain(..len)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

/// What a send comes to. A datagram that was dropped on this host is a lost one: its socket stays
/// open, and the resend makes up for it in its time.
fn sent(send: io::Result<usize>) -> io::Result<()> {
    match send {
        Err(error) if !is_lost_datagram(&error) => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Why a socket could not be opened and connected, as the core distinguishes it. A host without a
/// free port is one without a resource: the nameserver is innocent.
fn open_error(error: &io::Error, nameserver: SocketAddr, kind: Type) -> SocketError {
    if is_out_of_ports(error, Domain::for_address(nameserver), kind) {
        SocketError::OutOfResources
    } else {
        socket_error(error)
    }
}

/// An error as the core distinguishes it.
fn socket_error(error: &io::Error) -> SocketError {
    if is_out_of_resources(error) {
        SocketError::OutOfResources
    } else {
        SocketError::Failed(error.kind())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests;
