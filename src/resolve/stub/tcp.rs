//! The part of [`Stub`] that is particular to TCP: one connection to each nameserver that needs it,
//! for all queries.

use std::time::Instant;

use super::{Step, Stub, Timer, Transmit};
use crate::resolve::stub::connection::Connection;
use crate::resolve::stub::ids::QueryId;
use crate::resolve::stub::ids::SocketId;
use crate::resolve::stub::query::{MAX_QUESTIONS, SentQuery};
use crate::resolve::stub::socket_error::SocketError;
use crate::resolve::stub::sockets::OutstandingQuery;
use crate::resolve::wire::message::{Ignored, message_id};

impl Stub {
    /// A TCP connection is established.
    pub(crate) fn handle_connected(&mut self, socket: SocketId) {
        let Some(connection) = self.connections.get_mut(&socket) else { return };
        connection.is_connected = true;
        let steps = connection.outstanding.open().map(|o| Step::Query { socket, query: *o });
        self.transmits.extend(steps);
    }

    /// Bytes arrived on a TCP connection.
    pub(crate) fn handle_stream_data(&mut self, socket: SocketId, bytes: &[u8], now: Instant) {
        let Some(connection) = self.connections.get_mut(&socket) else { return };
        connection.framing.handle_bytes(bytes);
        // A message may settle the connection's last question, but does not close the connection:
        // messages after it are read, and ignored.
        while let Some(connection) = self.connections.get_mut(&socket) {
            let Some(message) = connection.framing.poll_message().map(<[u8]>::to_vec) else {
                return;
            };
            let Some(id) = message_id(&message) else {
                self.counters.ignored(Ignored::TooShort);
                continue;
            };
            let Some(outstanding) = connection.outstanding.get_mut(id) else {
                self.counters.ignored(Ignored::WrongId);
                continue;
            };
            let outstanding = *outstanding;
            if outstanding.is_settled {
                self.counters.duplicate();
                connection.outstanding.remove(id);
            } else if let Some(response) = self.read(&outstanding, &message) {
                let connection = self.connections.get_mut(&socket).expect("just seen");
                let idle_before = connection.idle_at;
                connection.handle_answered(id, now);
                let idle_after = connection.idle_at;
                self.move_timer(Timer::Connection(socket), idle_before, idle_after);
                self.handle_response(&outstanding, response, now);
            }
        }
    }

    /// A TCP connection could not be established, broke, or was closed by the nameserver
    /// (`UnexpectedEof`).
    pub(crate) fn handle_stream_error(
        &mut self,
        socket: SocketId,
        error: SocketError,
        now: Instant,
    ) {
        let Some(connection) = self.connections.remove(&socket) else { return };
        self.move_timer(Timer::Connection(socket), connection.idle_at, None);
        self.transmits.push_back(Step::Now(Transmit::CloseTcp { socket }));
        let was_well = connection.has_answered && !connection.is_stuck;
        for o in connection.outstanding.open() {
            let Some((entry, servers)) = self.query_mut(o.query) else { continue };
            if was_well {
                entry.query.handle_connection_lost(o.sent, error, servers, now);
            } else {
                entry.query.handle_socket_error(o.sent, error, o.is_out, servers, now);
            }
            self.advance_query(o.query, now);
        }
    }

    /// Moves the questions of a query that are late on a connection that has brought responses to a
    /// new one. Some nameservers answer the first query of a connection alone, and some networks
    /// forget a connection without a word.
    pub(super) fn leave_silent_connections(&mut self, id: QueryId) {
        let Some(entry) = self.queries.get_mut(&id) else { return };
        let route = self.routes[entry.route.index()];
        for question in 0..MAX_QUESTIONS {
            let mut sockets = entry.awaited.iter().filter(|wait| wait.question == question);
            let Some(last) = sockets.rfind(|wait| self.connections.contains_key(&wait.socket))
            else {
                continue;
            };
            let connection = self.connections.get_mut(&last.socket).expect("just seen");
            let place = route.place(connection.server);
            if connection.has_answered && entry.query.handle_late(question, place) {
                connection.is_stuck = true;
            }
        }
    }

    pub(super) fn send_over_tcp(&mut self, query: QueryId, sent: SentQuery) {
        let server = self.server_of(query, sent.server);
        let usable = |(_, c): &(&SocketId, &Connection)| c.server == server && c.is_usable();
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
        let connection = self.connections.get_mut(&socket).expect("found or made above");
        let idle_before = connection.idle_at;
        let mut outstanding = OutstandingQuery::new(query, sent);
        outstanding.id = connection.add(outstanding, &mut *self.random);
        let is_connected = connection.is_connected;
        self.move_timer(Timer::Connection(socket), idle_before, None);
        if is_connected {
            self.transmits.push_back(Step::Query { socket, query: outstanding });
        }
        self.await_response(query, socket, outstanding);
    }
}
