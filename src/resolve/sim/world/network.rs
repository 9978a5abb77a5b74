//! The part of [`World`] that carries out what the core asks for: sockets, queries, calls to the
//! operating system.

use super::*;

impl World {
    /// Does what the core asks of the network.
    pub(super) fn flush(&mut self) {
        let mut buf = std::mem::take(&mut self.buf);
        while let Some(transmit) = self.core.poll_transmit(&mut buf) {
            self.transmit(transmit, &buf);
        }
        self.buf = buf;
        while let Some(call) = self.core.poll_call(self.now) {
            self.make(call);
        }
    }

    fn make(&mut self, call: Call) {
        assert!(self.core.is_wanted(&call), "{call:?} is made, and no lookup waits for it");
        let running = self.running_calls.entry((call.name.clone(), call.families)).or_default();
        *running += 1;
        assert!(*running <= self.generations, "an identical call is in flight twice: {call:?}");
        self.calls.push((self.elapsed(), call.clone()));
        match (self.operating_system)(&call) {
            Some((after, outcome)) => self.push(self.now + after, Event::Called(call, outcome)),
            None => self.hanging_calls += 1,
        }
        // Beyond the cap they are made when those within it hang.
        assert!(self.core.running_calls() <= 2 * self.system_threads, "too many calls at once");
    }

    fn transmit(&mut self, transmit: Transmit, buf: &[u8]) {
        let at = self.elapsed();
        match transmit {
            Transmit::OpenUdp { socket, nameserver } => {
                let server = self.open(socket, nameserver);
                match self.servers[server].open(Transport::Udp, at) {
                    Ok(()) => drop(self.udp.insert(socket, server)),
                    Err(error) => self.core.handle_udp_error(socket, error, self.now),
                }
            }
            Transmit::OpenTcp { socket, nameserver } => {
                let server = self.open(socket, nameserver);
                if let Err(error) = self.servers[server].open(Transport::Tcp, at) {
                    return self.core.handle_stream_error(socket, error, self.now);
                }
                let tcp = Tcp { server, is_connected: false, last_at: self.now };
                self.tcp.insert(socket, tcp);
                match self.servers[server].handle_connect(at) {
                    Connect::Accept(after) => {
                        self.push(self.now + after, Event::Connected(socket));
                    }
                    Connect::Refuse(after) => {
                        let refused = Event::StreamError(
                            socket,
                            SocketError::Failed(ErrorKind::ConnectionRefused),
                        );
                        self.push(self.now + after, refused);
                    }
                    Connect::Hang => {}
                }
            }
            Transmit::SendUdp { socket } => {
                // The socket may be one that could not be opened.
                if let Some(&server) = self.udp.get(&socket) {
                    self.send(server, socket, Query::read(buf, Transport::Udp));
                }
            }
            Transmit::SendTcp { socket } => {
                let Some(tcp) = self.tcp.get(&socket) else { return };
                assert!(tcp.is_connected, "sent before the connection stood");
                let (prefix, message) = buf.split_at(2);
                let len = usize::from(u16::from_be_bytes([prefix[0], prefix[1]]));
                assert_eq!(len, message.len(), "the prefix is the length");
                self.send(tcp.server, socket, Query::read(message, Transport::Tcp));
            }
            Transmit::CloseUdp { socket } => {
                self.udp.remove(&socket);
                self.checks.reference.closed(socket);
            }
            Transmit::CloseTcp { socket } => {
                self.tcp.remove(&socket);
                self.checks.reference.closed(socket);
            }
        }
    }

    fn open(&mut self, socket: SocketId, nameserver: SocketAddr) -> usize {
        assert!(self.used.insert(socket), "a socket id is never used again");
        (0..self.servers.len()).find(|&n| addr(n) == nameserver).expect("a known nameserver")
    }

    fn send(&mut self, server: usize, socket: SocketId, query: Query) {
        let at = self.elapsed();
        let stub = self.core.with_socket(socket).expect("who sends has the socket");
        self.checks.sent(stub, server, socket, &query, at);
        if query.transport == Transport::Udp {
            stub.on_the_way(socket).into_iter().for_each(Checks::paced);
        }
        if self.outage.is_none_or(|[from, until]| at < from || at >= until) {
            for reaction in self.servers[server].handle_query(&query, at) {
                self.react(socket, query.transport, reaction);
            }
        }
        if self.keeps_log {
            self.log.push(Record { at, server, socket, query });
        }
    }

    fn react(&mut self, socket: SocketId, transport: Transport, reaction: Reaction) {
        let (Reaction::Bytes(after, _) | Reaction::Error(after, _)) = &reaction;
        let mut at = self.now + *after;
        if let (Transport::Tcp, Some(tcp)) = (transport, self.tcp.get_mut(&socket)) {
            tcp.last_at = tcp.last_at.max(at);
            at = tcp.last_at;
        }
        let event = match (transport, reaction) {
            (Transport::Udp, Reaction::Bytes(_, bytes)) => Event::Datagram(socket, bytes),
            (Transport::Udp, Reaction::Error(_, kind)) => Event::UdpError(socket, kind),
            (Transport::Tcp, Reaction::Bytes(_, bytes)) => Event::Stream(socket, bytes),
            (Transport::Tcp, Reaction::Error(_, kind)) => Event::StreamError(socket, kind),
        };
        self.push(at, event);
    }
}
