//! The part of [`Stub`] that is particular to UDP: one socket for each send, while there is room.

use std::io::ErrorKind;
use std::time::Instant;

use super::{Step, Stub, Transmit};
use crate::resolve::stub::ids::QueryId;
use crate::resolve::stub::ids::SocketId;
use crate::resolve::stub::query::SentQuery;
use crate::resolve::stub::socket_error::SocketError;
use crate::resolve::stub::sockets::{OutstandingQuery, ResponseRank};
use crate::resolve::wire::message::{Ignored, message_id};

impl Stub {
    /// A datagram arrived on a UDP socket, from the address it is connected to.
    pub(crate) fn handle_datagram(&mut self, socket: SocketId, datagram: &[u8], now: Instant) {
        let Some(entry) = self.sockets.get_mut(socket) else { return };
        let Some(id) = message_id(datagram) else {
            return self.counters.ignored(Ignored::TooShort);
        };
        let Some(outstanding) = entry.outstanding.get_mut(id).copied() else {
            return self.handle_unknown_id(socket, now);
        };
        if outstanding.is_settled {
            return self.counters.duplicate();
        }
        let Some(response) = self.read(&outstanding, datagram) else { return };
        let rank = ResponseRank::from(&response);
        if rank <= outstanding.rank {
            return self.counters.duplicate();
        }
        let entry = self.sockets.get_mut(socket).expect("found above");
        entry.outstanding.get_mut(id).expect("found above").rank = rank;
        self.handle_response(&outstanding, response, now);
    }

    fn handle_unknown_id(&mut self, socket: SocketId, now: Instant) {
        self.counters.ignored(Ignored::WrongId);
        let Some(entry) = self.sockets.get_mut(socket) else { return };
        // On a shared socket, a late duplicate looks the same as a guess.
        let Some(query) = entry.outstanding.first().filter(|_| !entry.is_shared) else { return };
        let (server, query) = (entry.server, query.query);
        let place = self.place_of(query, server);
        if let Some(entry) = self.queries.get_mut(&query) {
            entry.query.handle_mismatch(place);
            self.advance_query(query, now);
        }
    }

    /// A UDP socket could not be opened, written or read: it is closed, and its queries move to
    /// other sockets or fail.
    pub(crate) fn handle_udp_error(&mut self, socket: SocketId, error: SocketError, now: Instant) {
        if error == SocketError::Failed(ErrorKind::ConnectionRefused) {
            return self.handle_refusal(socket, now);
        }
        let Some(entry) = self.sockets.remove(socket) else { return };
        self.count_sockets();
        self.transmits.push_back(Step::Now(Transmit::CloseUdp { socket }));
        if error == SocketError::OutOfResources {
            self.sockets.handle_out_of_resources(now);
        }
        for o in entry.outstanding.open() {
            self.servers[entry.server].handle_udp_response(o.sent.number, false, false, now);
            // No descriptor is left for another socket, so an open one is shared.
            let other = if error == SocketError::OutOfResources && !o.is_out {
                self.sockets.any(entry.server, &mut *self.random)
            } else {
                None
            };
            if let Some(other) = other {
                self.send_over_udp(other, o.query, SentQuery { at: now, ..o.sent });
            } else if let Some((entry, servers)) = self.query_mut(o.query) {
                entry.query.handle_socket_error(o.sent, error, o.is_out, servers, now);
                self.advance_query(o.query, now);
            }
        }
        self.advance_line(entry.server, now);
    }

    /// The port of a socket's nameserver was refused. The socket stays open: see
    /// [`Query::handle_refusal`](super::query::Query::handle_refusal).
    fn handle_refusal(&mut self, socket: SocketId, now: Instant) {
        let Some(entry) = self.sockets.get(socket) else { return };
        let server = entry.server;
        let refused: Vec<_> = entry.outstanding.open().filter(|o| o.is_out).copied().collect();
        for o in refused {
            self.servers[server].handle_udp_response(o.sent.number, false, false, now);
            if let Some((entry, servers)) = self.query_mut(o.query) {
                entry.query.handle_refusal(o.sent, servers, now);
                self.advance_query(o.query, now);
            }
        }
        self.advance_line(server, now);
    }

    pub(super) fn send_over_udp(&mut self, socket: SocketId, query: QueryId, sent: SentQuery) {
        let mut outstanding = OutstandingQuery::new(query, sent);
        outstanding.id = self.sockets.add(socket, outstanding, &mut *self.random);
        self.transmits.push_back(Step::Query { socket, query: outstanding });
        self.await_response(query, socket, outstanding);
    }

    pub(super) fn count_sockets(&mut self) {
        self.open_sockets.set(self.sockets.len());
    }
}
