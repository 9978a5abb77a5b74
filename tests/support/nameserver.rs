//! [`Nameserver`]: a nameserver that follows a [`Script`].

mod reply;
mod tcp;
mod udp;

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use domain::base::Rtype;
use mio::{Events, Poll, Token, Waker};

use self::reply::Asked;
use self::tcp::{ConnectionId, Tcp};
use self::udp::Udp;
use super::script::{Asks, Message, Origin, Script, Step};
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
    script: Arc<Mutex<Script>>,
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
        let poll = Poll::new().expect("an epoll instance");
        let waker = Arc::new(Waker::new(poll.registry(), WAKER).expect("an eventfd"));
        let (udp, tcp) = bind(addr, &script, &poll).unwrap_or_else(|error| {
            panic!("no nameserver can listen on {addr}: {error}");
        });
        let addr = tcp.local_addr();
        let script = Arc::new(Mutex::new(script));
        let stop = Arc::new(AtomicBool::new(false));
        let server = Server {
            addr,
            poll,
            udp,
            tcp,
            script: Arc::clone(&script),
            attempts: HashMap::new(),
            timers: Timers::new(),
            journal: journal.clone(),
            stop: Arc::clone(&stop),
            buffer: vec![0; 65_535],
        };
        let thread = thread::Builder::new()
            .name(format!("nameserver {addr}"))
            .spawn(move || server.run())
            .expect("a thread");
        Self { addr, journal: journal.clone(), script, stop, waker, thread: Some(thread) }
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
        let rules = script.into().rules;
        self.script.lock().unwrap_or_else(PoisonError::into_inner).rules = rules;
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

/// What the thread owns.
struct Server {
    addr: SocketAddr,
    poll: Poll,
    udp: Option<Udp>,
    tcp: Tcp,
    script: Arc<Mutex<Script>>,
    attempts: HashMap<(String, Rtype, Transport), usize>,
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
        let name = asked.qname.to_string();
        let key = (name.to_ascii_lowercase(), asked.rtype, transport);
        let attempt = self.attempts.entry(key.clone()).or_default();
        *attempt += 1;
        let attempt = *attempt;
        if self.journal.is_on() {
            let query = Query {
                at: Instant::now(),
                server: self.addr,
                source,
                transport,
                id: asked.id,
                name,
                rtype: asked.rtype,
                attempt,
                edns_size: asked.edns_size,
                bytes: bytes.to_vec(),
            };
            self.journal.enter(|entries| entries.queries.push(query));
        }

        let (name, rtype, _) = key;
        let asks = Asks { name, rtype, transport, edns: asked.edns_size.is_some(), attempt };
        let script = Arc::clone(&self.script);
        let script = script.lock().unwrap_or_else(PoisonError::into_inner);
        match script.steps(&asks) {
            Some(steps) => self.follow(steps, &asked, client),
            None => self.follow(script.default_step(&asks).as_slice(), &asked, client),
        }
    }

    /// Enters the steps into the timers, and does at once what is due at once.
    fn follow(&mut self, steps: &[Step], asked: &Asked, client: Client) {
        let start = Instant::now();
        let mut at = start;
        for step in steps {
            match (step, client) {
                (Step::Delay(delay), _) => at += *delay,
                (Step::Send(message), Client::Udp(to)) => {
                    for copy in 0..message.times {
                        let bytes = reply::bytes(message, asked, copy);
                        let action = Action::Datagram { to, origin: message.origin, bytes };
                        self.schedule(at, start, action);
                    }
                }
                (Step::Send(message), Client::Tcp(to)) => {
                    for copy in 0..message.times {
                        let bytes = reply::bytes(message, asked, copy);
                        at = self.write(at, start, to, message, &bytes);
                    }
                }
                (Step::Close, Client::Tcp(id)) => self.schedule(at, start, Action::Close(id)),
                (Step::Reset, Client::Tcp(id)) => self.schedule(at, start, Action::Reset(id)),
                (Step::Close | Step::Reset, Client::Udp(_)) => {
                    panic!("the script closes or resets a UDP question: {asked:?}");
                }
            }
        }
    }

    /// Schedules a message for a TCP connection, and gives the time of its last piece.
    fn write(
        &mut self,
        mut at: Instant,
        start: Instant,
        to: ConnectionId,
        message: &Message,
        bytes: &[u8],
    ) -> Instant {
        let bytes = tcp::framed(bytes, &message.framing);
        if message.framing.together > 1 {
            let count = message.framing.together;
            self.schedule(at, start, Action::Hold { to, bytes, count });
            return at;
        }
        let (pieces, gap) = tcp::pieces(&bytes, &message.framing);
        for (i, piece) in pieces.into_iter().enumerate() {
            if i > 0 {
                at += gap;
            }
            self.schedule(at, start, Action::Write { to, bytes: piece.to_vec() });
        }
        at
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
