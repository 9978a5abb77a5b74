//! The part of [`Stub`] that is about TCP connections: one to each nameserver that needs it, for all
//! questions there are.

use std::io;
use std::time::Instant;

use super::{QueryId, Step, Stub, Timer, Transmit};
use crate::resolve::connection::Connection;
use crate::resolve::error::Transport;
use crate::resolve::message::{Ignored, message_id};
use crate::resolve::sockets::{Outstanding, SocketId};

impl Stub {
    /// A TCP connection is established.
    pub(crate) fn handle_connected(&mut self, socket: SocketId) {
        let Some(connection) = self.connections.get_mut(&socket) else { return };
        connection.is_connected = true;
        for o in connection.outstanding.iter().filter(|o| !o.is_settled) {
            self.transmits.push_back(Step::Query {
                socket,
                transport: Transport::Tcp,
                query: o.query,
                question: o.question,
                id: o.id,
                edns: o.edns,
            });
        }
    }

    /// Bytes arrived on a TCP connection.
    pub(crate) fn handle_stream_data(&mut self, socket: SocketId, bytes: &[u8], now: Instant) {
        let Some(connection) = self.connections.get_mut(&socket) else { return };
        connection.framing.handle_bytes(bytes);
        // Each message may close the connection's last question, never the connection itself:
        // frames behind it are read, and ignored.
        while let Some(connection) = self.connections.get_mut(&socket) {
            let Some(message) = connection.framing.poll_message().map(<[u8]>::to_vec) else {
                return;
            };
            let server = connection.server;
            let Some(id) = message_id(&message) else {
                self.counters.ignored(Ignored::TooShort);
                continue;
            };
            match connection.find(id).copied() {
                Some(outstanding) => {
                    connection.has_answered = true;
                    self.handle_message(outstanding, server, Transport::Tcp, &message, now);
                }
                None => self.counters.ignored(Ignored::WrongId),
            }
        }
    }

    /// A TCP connection could not be made, broke, or was closed by the nameserver
    /// (`UnexpectedEof`).
    pub(crate) fn handle_stream_error(
        &mut self,
        socket: SocketId,
        kind: io::ErrorKind,
        now: Instant,
    ) {
        let Some(connection) = self.connections.remove(&socket) else { return };
        self.forget_connection_timer(socket, &connection);
        self.transmits.push_back(Step::Now(Transmit::CloseTcp { socket }));
        let server = connection.server;
        if connection.has_answered && !connection.is_stuck {
            // RFC 7766 section 6.2.4: "If a server closes a TCP connection ... with pending
            // queries ... the client SHOULD retry". The nameserver was well a moment ago; the
            // question goes out once more, over a connection that has not answered yet, so that a
            // second loss is a failure.
            for o in connection.outstanding.iter().filter(|o| !o.is_settled) {
                self.send_over_tcp(o.query, o.question, server, o.edns, now);
            }
        } else {
            self.fail_outstanding(&connection.outstanding, server, Transport::Tcp, kind, now);
        }
    }

    pub(super) fn send_over_tcp(
        &mut self,
        query: QueryId,
        question: usize,
        server: usize,
        edns: bool,
        now: Instant,
    ) {
        let Some(entry) = self.queries.get_mut(&query) else { return };
        let usable = |(_, c): &(&SocketId, &Connection)| c.server == server && !c.is_stuck;
        let socket = match self.connections.iter().find(usable) {
            Some((&socket, _)) => socket,
            None => {
                let socket = self.sockets.next_id();
                self.connections.insert(socket, Connection::new(server));
                let nameserver = self.servers[server].addr();
                self.transmits.push_back(Step::Now(Transmit::OpenTcp { socket, nameserver }));
                socket
            }
        };
        if !entry.sockets.contains(&socket) {
            entry.sockets.push(socket);
        }
        let connection = self.connections.get_mut(&socket).expect("found or made above");
        if let Some(at) = connection.idle_at {
            self.timers.remove(&(at, Timer::Connection(socket)));
        }
        let outstanding =
            Outstanding { id: 0, query, question, edns, sent_at: now, is_settled: false };
        let id = connection.add(outstanding, &mut *self.random);
        if connection.is_connected {
            let transport = Transport::Tcp;
            self.transmits.push_back(Step::Query { socket, transport, query, question, id, edns });
        }
    }

    fn forget_connection_timer(&mut self, socket: SocketId, connection: &Connection) {
        if let Some(at) = connection.idle_at {
            self.timers.remove(&(at, Timer::Connection(socket)));
        }
    }
}
