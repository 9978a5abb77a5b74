//! [`Nameserver`]: a nameserver that follows a [`Script`].

mod tcp;
mod udp;

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use mio::{Events, Poll, Token, Waker};

use self::tcp::{ConnectionId, Tcp};
use self::udp::Udp;
use super::testkit::{self, Asked, OpenSocket, Origin, Playback, Script, Step};
use super::timers::Timers;
use super::{Journal, Query, Transport};

const UDP: Token = Token(0);
const TCP: Token = Token(1);
const WAKER: Token = Token(2);
/// Connections have the tokens from here on.
const CONNECTIONS: usize = 3;

/// No query: [`Nameserver::barrier`] sends it, with a number after it.
const BARRIER: &[u8; 8] = b"barrier!";

/// A nameserver on its own thread, which serves until it is dropped.
#[derive(Debug)]
pub struct Nameserver {
    addr: SocketAddr,
    journal: Journal,
    playback: Arc<Mutex<Playback>>,
    stop: Arc<AtomicBool>,
    waker: Arc<Waker>,
    thread: Option<JoinHandle<()>>,
}

impl Nameserver {
    /// On 127.0.0.1, on a port that the kernel chooses, with a journal of its own.
    #[track_caller]
    pub fn start(script: impl Into<Script>) -> Self {
        Self::on(Ipv4Addr::LOCALHOST.into(), script, &Journal::new())
    }

    /// On this loopback address, on a port that the kernel chooses.
    #[track_caller]
    pub fn on(ip: IpAddr, script: impl Into<Script>, journal: &Journal) -> Self {
        Self::at(SocketAddr::new(ip, 0), script, journal)
    }

    /// On this loopback address and port (0: the kernel chooses).
    #[track_caller]
    pub fn at(addr: SocketAddr, script: impl Into<Script>, journal: &Journal) -> Self {
        let script = script.into();
        refuse_what_cannot_be_done(&script);
        let poll = Poll::new().expect("an epoll instance");
        let waker = Arc::new(Waker::new(poll.registry(), WAKER).expect("an eventfd"));
        let (udp, tcp) = bind(addr, &script, &poll).unwrap_or_else(|error| {
            panic!("no nameserver can listen on {addr}: {error}");
        });
        let addr = tcp.local_addr();
        let playback = Arc::new(Mutex::new(Playback::new(script)));
        let stop = Arc::new(AtomicBool::new(false));
        let server = Server {
            addr,
            poll,
            udp,
            tcp,
            playback: Arc::clone(&playback),
            timers: Timers::new(),
            journal: journal.clone(),
            stop: Arc::clone(&stop),
            buffer: vec![0; 65_535],
        };
        let thread = thread::Builder::new()
            .name(format!("nameserver {addr}"))
            .spawn(move || server.run())
            .expect("a thread");
        Self { addr, journal: journal.clone(), playback, stop, waker, thread: Some(thread) }
    }

    /// Where it listens, for UDP and TCP.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What it was asked.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Replaces the rules from the next query on. Query attempts keep counting.
    #[track_caller]
    pub fn set_rules(&self, script: impl Into<Script>) {
        let script = script.into();
        assert!(script.has_rules_alone(), "directives are for the start");
        refuse_what_cannot_be_done(&script);
        self.playback.lock().unwrap_or_else(PoisonError::into_inner).set_rules(script.rules);
    }

    /// Returns when every datagram that was sent to it before this call stands in the journal.
    ///
    /// Loopback delivers in order, so a datagram of ours that has arrived is proof. This is how a
    /// test asserts that something was *not* sent, without waiting some time for it.
    #[track_caller]
    pub fn barrier(&self) {
        let number = self.journal.watched().change(|entries| {
            entries.barrier += 1;
            entries.barrier
        });
        let socket = UdpSocket::bind(SocketAddr::new(self.addr.ip(), 0)).expect("a socket");
        let datagram = [BARRIER.as_slice(), &number.to_be_bytes()].concat();
        socket.send_to(&datagram, self.addr).expect("loopback takes a datagram");
        self.journal.wait_until("the barrier", |entries| entries.barriers_passed.contains(&number));
    }
}

impl Drop for Nameserver {
    fn drop(&mut self) {
        // The wake is a system call that the thread's next poll returns from: no other order is
        // needed.
        self.stop.store(true, Ordering::Relaxed);
        let woken = self.waker.wake();
        let joined = self.thread.take().expect("joined once").join();
        if !thread::panicking() {
            woken.expect("the thread could be woken");
            joined.expect("the nameserver did not panic");
        }
    }
}

#[track_caller]
fn refuse_what_cannot_be_done(script: &Script) {
    assert_eq!(script.open, OpenSocket::Works, "`$open` is for the simulation");
    let sends_icmp = script.steps().any(|step| matches!(step, Step::PortUnreachable));
    assert!(!sends_icmp, "`port-unreachable` is for the simulation; `$udp refuse` does without");
}

/// UDP and TCP on the same port.
fn bind(addr: SocketAddr, script: &Script, poll: &Poll) -> io::Result<(Option<Udp>, Tcp)> {
    // A port that is free for TCP may be taken for UDP; with the kernel's choice, ask again.
    let mut choices = if addr.port() == 0 { 100 } else { 1 };
    loop {
        choices -= 1;
        let tcp = Tcp::bind(addr, script.tcp, poll)?;
        if script.udp_refused {
            return Ok((None, tcp));
        }
        match Udp::bind(tcp.local_addr(), poll) {
            Ok(udp) => return Ok((Some(udp), tcp)),
            Err(error) if error.kind() == ErrorKind::AddrInUse && choices > 0 => {}
            Err(error) => return Err(error),
        }
    }
}

/// Who is to get a response.
#[derive(Clone, Copy, Debug)]
enum Client {
    Udp(SocketAddr),
    Tcp(ConnectionId),
}

/// What the loop has yet to do.
#[derive(Debug)]
enum Action {
    Datagram {
        to: SocketAddr,
        origin: Origin,
        bytes: Vec<u8>,
    },
    Write {
        to: ConnectionId,
        bytes: Vec<u8>,
    },
    /// A whole message that waits until `count` of them can be written at once.
    Hold {
        to: ConnectionId,
        bytes: Vec<u8>,
        count: usize,
    },
    Close(ConnectionId),
    Reset(ConnectionId),
}

impl Action {
    fn new(action: testkit::Action, client: Client) -> Self {
        use testkit::Action::{Close, Datagram, Hold, PortUnreachable, Reset, Write};
        match (action, client) {
            (Datagram { origin, bytes }, Client::Udp(to)) => Self::Datagram { to, origin, bytes },
            (Write(bytes), Client::Tcp(to)) => Self::Write { to, bytes },
            (Hold { bytes, count }, Client::Tcp(to)) => Self::Hold { to, bytes, count },
            (Close, Client::Tcp(id)) => Self::Close(id),
            (Reset, Client::Tcp(id)) => Self::Reset(id),
            (PortUnreachable, _) => unreachable!("refused with the script"),
            (action, client) => panic!("{action:?} is nothing for {client:?}"),
        }
    }
}

/// What the thread owns.
struct Server {
    addr: SocketAddr,
    poll: Poll,
    udp: Option<Udp>,
    tcp: Tcp,
    playback: Arc<Mutex<Playback>>,
    timers: Timers<Action>,
    journal: Journal,
    stop: Arc<AtomicBool>,
    /// Room for one datagram.
    buffer: Vec<u8>,
}

impl Server {
    fn run(mut self) {
        let mut events = Events::with_capacity(64);
        while !self.stop.load(Ordering::Relaxed) {
            match self.poll.poll(&mut events, self.timers.timeout()) {
                Err(error) if error.kind() != ErrorKind::Interrupted => panic!("poll: {error}"),
                _ => {}
            }
            for event in &events {
                match event.token() {
                    UDP => self.read_datagrams(),
                    TCP => self.tcp.accept(&self.poll, &self.journal),
                    WAKER => {}
                    Token(token) => {
                        let id = ConnectionId(token - CONNECTIONS);
                        let read = self.tcp.ready(id, &self.poll, &self.journal);
                        for (from, bytes) in read {
                            self.handle(&bytes, from, Client::Tcp(id));
                        }
                    }
                }
            }
            let now = Instant::now();
            while let Some(action) = self.timers.pop(now) {
                self.act(action);
            }
        }
    }

    fn read_datagrams(&mut self) {
        let mut buffer = std::mem::take(&mut self.buffer);
        while let Some((len, from)) = self.udp.as_ref().and_then(|udp| udp.receive(&mut buffer)) {
            match buffer[..len].strip_prefix(BARRIER).map(<[u8; 8]>::try_from) {
                Some(Ok(number)) => self.journal.enter(|entries| {
                    entries.barriers_passed.push(u64::from_be_bytes(number));
                }),
                _ => self.handle(&buffer[..len], from, Client::Udp(from)),
            }
        }
        self.buffer = buffer;
    }

    /// Enters a query into the journal, and follows the script.
    fn handle(&mut self, bytes: &[u8], source: SocketAddr, client: Client) {
        let transport = match client {
            Client::Udp(_) => Transport::Udp,
            Client::Tcp(_) => Transport::Tcp,
        };
        let Some(asked) = Asked::read(bytes, transport) else {
            return self.journal.enter(|entries| entries.unreadable += 1);
        };
        let reaction = self.playback.lock().unwrap_or_else(PoisonError::into_inner).react(&asked);
        let start = Instant::now();
        if self.journal.is_on() {
            let query = Query {
                at: start,
                server: self.addr,
                source,
                transport,
                id: asked.id,
                name: asked.qname.to_string(),
                rtype: asked.rtype,
                attempt: reaction.attempt,
                edns_size: asked.edns_size,
                bytes: asked.bytes,
            };
            self.journal.enter(|entries| entries.queries.push(query));
        }
        // What is due at once is done at once.
        for (after, action) in reaction.actions {
            self.schedule(start + after, start, Action::new(action, client));
        }
    }

    fn schedule(&mut self, at: Instant, start: Instant, action: Action) {
        if at == start {
            self.act(action);
        } else {
            self.timers.enter(at, action);
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Datagram { to, origin, bytes } => {
                let udp = self.udp.as_ref().expect("a datagram came, so there is a socket");
                udp.send(&bytes, to, origin);
            }
            Action::Write { to, bytes } => self.tcp.write(to, &bytes, &self.poll),
            Action::Hold { to, bytes, count } => self.tcp.hold(to, bytes, count, &self.poll),
            Action::Close(id) => self.tcp.close(id, &self.poll),
            Action::Reset(id) => self.tcp.reset(id, &self.journal),
        }
    }
}
