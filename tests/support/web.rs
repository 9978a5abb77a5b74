//! [`Web`]: loopback addresses that share a port, each with its own behaviour.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token, Waker};
use socket2::{Domain, SockRef, Socket, Type};

use super::timers::Timers;
use super::watched::Watched;

/// What happens to a connection attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Accepts, and answers every HTTP/1.1 request with the address that was reached.
    Serve,
    /// The same, with this time between request and response.
    ServeAfter(Duration),
    /// Accepts, and closes at once.
    Close,
    /// Accepts, and resets at once.
    Reset,
    /// Refuses: an RST, immediately.
    Refuse,
    /// Hangs: the backlog is full, so that the kernel drops every SYN.
    BlackHole,
    /// A black hole for so long, then [`Serve`](Self::Serve). Connection attempts from before come
    /// through when the kernel repeats their SYN: 1 s, 3 s, 7 s after they began.
    AcceptAfter(Duration),
}

/// Loopback addresses on one port; served by one thread until it is dropped.
#[derive(Debug)]
pub struct Web {
    port: u16,
    visits: Arc<Watched<Visits>>,
    stop: Arc<AtomicBool>,
    waker: Waker,
    thread: Option<JoinHandle<()>>,
}

/// What the addresses of a [`Web`] saw.
#[derive(Clone, Debug, Default)]
pub struct Visits {
    /// Accepted connections, in order: the address reached, and whether it is still open.
    pub connections: Vec<(SocketAddr, bool)>,
    /// Requests, in order: the address reached, and the first line.
    pub requests: Vec<(SocketAddr, String)>,
}

impl Visits {
    /// How many connections to this address were accepted.
    pub fn accepted(&self, ip: IpAddr) -> usize {
        self.connections.iter().filter(|(addr, _)| addr.ip() == ip).count()
    }

    /// How many connections to any address are open.
    pub fn open(&self) -> usize {
        self.connections.iter().filter(|(_, open)| *open).count()
    }
}

impl fmt::Display for Visits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (addr, open) in &self.connections {
            writeln!(f, "connection to {addr}{}", if *open { ", open" } else { "" })?;
        }
        for (addr, line) in &self.requests {
            writeln!(f, "request to {addr}: {line}")?;
        }
        write!(f, "{} connections, {} requests", self.connections.len(), self.requests.len())
    }
}

impl Web {
    /// Serves these loopback addresses on one port that the kernel chooses.
    ///
    /// An address that this machine does not have (`::1` without IPv6) is left out: connecting
    /// there fails at once.
    #[track_caller]
    pub fn start(addrs: impl IntoIterator<Item = (IpAddr, Behaviour)>) -> Self {
        let addrs: Vec<_> = addrs.into_iter().filter(|(ip, _)| is_local(*ip)).collect();
        let (port, places) = bind_all(&addrs);
        let poll = Poll::new().expect("an epoll instance");
        let waker = Waker::new(poll.registry(), WAKER).expect("an eventfd");
        let visits = Arc::new(Watched::new(Visits::default()));
        let stop = Arc::new(AtomicBool::new(false));
        let mut server = Server {
            poll,
            places,
            connections: BTreeMap::new(),
            accepted: 0,
            timers: Timers::new(),
            visits: Arc::clone(&visits),
            stop: Arc::clone(&stop),
        };
        server.open();
        let thread = thread::Builder::new()
            .name(format!("web {port}"))
            .spawn(move || server.run())
            .expect("a thread");
        Self { port, visits, stop, waker, thread: Some(thread) }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// What came so far.
    pub fn visits(&self) -> Visits {
        self.visits.read(Visits::clone)
    }

    /// Waits until what came is as `ready` wants it. Panics if it never is.
    #[track_caller]
    pub fn wait_until(&self, what: &str, mut ready: impl FnMut(&Visits) -> bool) {
        self.visits.wait(what, |visits| ready(visits).then_some(()));
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let woken = self.waker.wake();
        let joined = self.thread.take().expect("joined once").join();
        if !thread::panicking() {
            woken.expect("the thread could be woken");
            joined.expect("the web server did not panic");
        }
    }
}

/// Whether this machine has the IPv6 loopback address.
pub fn has_ipv6() -> bool {
    is_local(Ipv6Addr::LOCALHOST.into())
}

fn is_local(ip: IpAddr) -> bool {
    std::net::UdpSocket::bind(SocketAddr::new(ip, 0)).is_ok()
}

/// A listener whose backlog is full, so that the kernel drops every further SYN (Linux: the queue
/// of `listen(0)` takes one connection).
#[derive(Debug)]
pub struct BlackHole {
    listener: std::net::TcpListener,
    filler: std::net::TcpStream,
}

impl BlackHole {
    pub fn new(addr: SocketAddr) -> io::Result<Self> {
        let listener = listening(addr, 0)?;
        let filler = std::net::TcpStream::connect(listener.local_addr()?)?;
        Ok(Self { listener, filler })
    }

    pub fn addr(&self) -> SocketAddr {
        self.listener.local_addr().expect("a bound socket")
    }

    /// The listener, with room in its backlog.
    fn open(self) -> std::net::TcpListener {
        let filler = self.filler.local_addr().ok();
        if let Ok((_, peer)) = self.listener.accept() {
            assert_eq!(Some(peer), filler, "only the filler had come through");
        }
        self.listener
    }
}

/// A socket that has its port and does not listen: connects are refused.
pub fn bound(addr: SocketAddr) -> io::Result<(Socket, SocketAddr)> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None)?;
    socket.bind(&addr.into())?;
    let addr = socket.local_addr()?.as_socket().expect("an IP socket");
    Ok((socket, addr))
}

/// A nonblocking listener.
pub fn listening(addr: SocketAddr, backlog: i32) -> io::Result<std::net::TcpListener> {
    let (socket, _) = bound(addr)?;
    socket.listen(backlog)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// What stands at one address.
enum Place {
    Listener(TcpListener, SocketAddr, Behaviour),
    Hole(BlackHole),
    /// A black hole that opens.
    Opening(BlackHole, Duration),
    Refusing(#[expect(dead_code, reason = "held for its port")] Socket),
    Opened,
}

/// Binds all addresses to one port: the kernel's choice for the first, if it is free at the others.
#[track_caller]
fn bind_all(addrs: &[(IpAddr, Behaviour)]) -> (u16, Vec<Place>) {
    let mut choices = 100;
    'choose: loop {
        choices -= 1;
        let mut port = 0;
        let mut places = Vec::new();
        for (ip, behaviour) in addrs {
            match bind(SocketAddr::new(*ip, port), *behaviour) {
                Ok((addr, place)) => {
                    port = addr.port();
                    places.push(place);
                }
                Err(error) if error.kind() == ErrorKind::AddrInUse && choices > 0 => {
                    continue 'choose;
                }
                Err(error) => panic!("nothing can listen on {ip}: {error}"),
            }
        }
        return (port, places);
    }
}

fn bind(addr: SocketAddr, behaviour: Behaviour) -> io::Result<(SocketAddr, Place)> {
    Ok(match behaviour {
        Behaviour::Refuse => {
            let (socket, addr) = bound(addr)?;
            (addr, Place::Refusing(socket))
        }
        Behaviour::BlackHole => {
            let hole = BlackHole::new(addr)?;
            (hole.addr(), Place::Hole(hole))
        }
        Behaviour::AcceptAfter(delay) => {
            let hole = BlackHole::new(addr)?;
            (hole.addr(), Place::Opening(hole, delay))
        }
        _ => {
            let listener = listening(addr, 1024)?;
            let addr = listener.local_addr()?;
            (addr, Place::Listener(TcpListener::from_std(listener), addr, behaviour))
        }
    })
}

const WAKER: Token = Token(0);
/// Places have the tokens from 1 on, connections those from here on.
const CONNECTIONS: usize = 1000;

struct Server {
    poll: Poll,
    places: Vec<Place>,
    connections: BTreeMap<usize, Connection>,
    accepted: usize,
    timers: Timers<Action>,
    visits: Arc<Watched<Visits>>,
    stop: Arc<AtomicBool>,
}

struct Connection {
    stream: TcpStream,
    addr: SocketAddr,
    response_delay: Duration,
    received: Vec<u8>,
    /// Requests that have no response yet.
    pending: usize,
    /// The client has sent all it will.
    finished: bool,
}

enum Action {
    Open(usize),
    Respond(usize),
}

impl Server {
    fn open(&mut self) {
        let now = Instant::now();
        for (i, place) in self.places.iter_mut().enumerate() {
            match place {
                Place::Listener(listener, ..) => register(&self.poll, listener, Token(1 + i)),
                Place::Opening(_, delay) => self.timers.enter(now + *delay, Action::Open(i)),
                Place::Hole(_) | Place::Refusing(_) | Place::Opened => {}
            }
        }
    }

    fn run(mut self) {
        let mut events = Events::with_capacity(64);
        while !self.stop.load(Ordering::Relaxed) {
            match self.poll.poll(&mut events, self.timers.timeout()) {
                Err(error) if error.kind() != ErrorKind::Interrupted => panic!("poll: {error}"),
                _ => {}
            }
            for event in &events {
                match event.token() {
                    WAKER => {}
                    Token(token) if token < CONNECTIONS => self.accept(token - 1),
                    Token(token) => self.read(token - CONNECTIONS),
                }
            }
            let now = Instant::now();
            while let Some(action) = self.timers.pop(now) {
                match action {
                    Action::Open(place) => self.open_hole(place),
                    Action::Respond(connection) => self.respond(connection),
                }
            }
        }
    }

    fn open_hole(&mut self, place: usize) {
        let Place::Opening(hole, _) = std::mem::replace(&mut self.places[place], Place::Opened)
        else {
            unreachable!("only an opening hole is entered into the timers");
        };
        let addr = hole.addr();
        let mut listener = TcpListener::from_std(hole.open());
        register(&self.poll, &mut listener, Token(1 + place));
        self.places[place] = Place::Listener(listener, addr, Behaviour::Serve);
    }

    fn accept(&mut self, place: usize) {
        let Place::Listener(listener, addr, behaviour) = &self.places[place] else { return };
        loop {
            let mut stream = match listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
                Err(error) => panic!("accept: {error}"),
            };
            let response_delay = match behaviour {
                Behaviour::Close | Behaviour::Reset => {
                    if *behaviour == Behaviour::Reset {
                        SockRef::from(&stream)
                            .set_linger(Some(Duration::ZERO))
                            .expect("a socket that lingers");
                    }
                    drop(stream);
                    self.visits.change(|visits| visits.connections.push((*addr, false)));
                    self.accepted += 1;
                    continue;
                }
                Behaviour::ServeAfter(delay) => *delay,
                _ => Duration::ZERO,
            };
            let id = self.accepted;
            self.accepted += 1;
            register(&self.poll, &mut stream, Token(CONNECTIONS + id));
            let connection = Connection {
                stream,
                addr: *addr,
                response_delay,
                received: Vec::new(),
                pending: 0,
                finished: false,
            };
            self.connections.insert(id, connection);
            self.visits.change(|visits| visits.connections.push((*addr, true)));
        }
    }

    fn read(&mut self, id: usize) {
        // An event may come after the connection has gone.
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.finished |= !connection.fill();
        while let Some(line) = connection.next_request() {
            let addr = connection.addr;
            connection.pending += 1;
            self.visits.change(|visits| visits.requests.push((addr, line)));
            self.timers.enter(Instant::now() + connection.response_delay, Action::Respond(id));
        }
        if connection.finished && connection.pending == 0 {
            self.remove(id);
        }
    }

    fn respond(&mut self, id: usize) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let body = format!("you have reached {}\n", connection.addr);
        let response = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        // Some hundred bytes fit into the send buffer; an error means that the client has gone.
        let written = connection.stream.write_all(response.as_bytes());
        connection.pending -= 1;
        if written.is_err() || (connection.finished && connection.pending == 0) {
            self.remove(id);
        }
    }

    fn remove(&mut self, id: usize) {
        self.connections.remove(&id);
        // Connections are numbered in the order in which they stand there.
        self.visits.change(|visits| visits.connections[id].1 = false);
    }
}

impl Connection {
    /// Reads what there is; whether the client is still there.
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

    /// Takes one request without a body; gives its first line.
    fn next_request(&mut self) -> Option<String> {
        let end = self.received.windows(4).position(|bytes| bytes == b"\r\n\r\n")? + 4;
        let head: Vec<u8> = self.received.drain(..end).collect();
        let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
        Some(String::from_utf8_lossy(line).into_owned())
    }
}

fn register(poll: &Poll, source: &mut impl mio::event::Source, token: Token) {
    poll.registry().register(source, token, Interest::READABLE).expect("epoll takes a socket");
}
