//! The part of [`Stub`] that carries queries: what a query wants sent goes to a socket, and what
//! arrives on a socket goes to its query.

use std::time::Instant;

use super::ids::{QueryId, SocketId};
use super::query::{QuerySend, SentQuery};
use super::socket_error::SocketError;
use super::sockets::{OutstandingQuery, ResponseRank, Slot};
use super::{AwaitedResponse, Step, Stub, Timer, Transmit};
use crate::resolve::error::Transport;
use crate::resolve::stats::add;
use crate::resolve::wire::case_mask::CaseMask;
use crate::resolve::wire::message::{Expected, Ignored, Response, read_response};

impl Stub {
    /// Sends what the query wants sent, passes on what it has settled, and moves its timer.
    pub(super) fn advance_query(&mut self, id: QueryId, now: Instant) {
        loop {
            let Some((entry, servers)) = self.query_mut(id) else { return };
            if let Some(send) = entry.query.poll_send(servers, now) {
                self.send(id, send, now);
            } else if let Some((question, late)) = entry.query.poll_late() {
                self.note_late(id, question, late, now);
            } else if let Some((question, settled)) = entry.query.poll_settled() {
                self.handle_settled(id, question, &settled, now);
            } else if let Some(question) = entry.query.poll_unheard() {
                self.release_sockets(id, question, false, now);
            } else {
                break;
            }
        }
        self.line_up(id, now);
        let Some(entry) = self.queries.get_mut(&id) else { return };
        let after = entry.query.poll_timeout();
        let before = std::mem::replace(&mut entry.timer, after);
        let is_done = entry.query.is_done();
        self.move_timer(Timer::Query(id), before, after);
        if is_done {
            self.queries.remove(&id);
            if self.queries.is_empty() {
                self.clear_lines();
            }
        }
    }

    fn send(&mut self, query: QueryId, send: QuerySend, now: Instant) {
        let QuerySend { server, transport, questions, edns, mixes_case, number, after_silence } =
            send;
        let sent = questions.iter().enumerate().map(|(index, question)| SentQuery {
            question,
            server,
            transport,
            edns,
            case: None,
            at: now,
            number: number.plus(index),
            is_after_silence: after_silence.contains(question),
        });
        if transport == Transport::Tcp {
            return sent.for_each(|sent| self.send_over_tcp(query, sent));
        }
        let server = self.server_of(query, server);
        let Some(Slot { socket, is_new }) = self.sockets.slot(server, now, &mut *self.random)
        else {
            let (entry, servers) = self.query_mut(query).expect("its caller has it");
            let error = SocketError::OutOfResources;
            for sent in sent {
                entry.query.handle_socket_error(sent, error, false, servers, now);
            }
            return;
        };
        self.count_sockets();
        if is_new {
            let nameserver = self.servers[server].addr();
            self.transmits.push_back(Step::Now(Transmit::OpenUdp { socket, nameserver }));
        }
        for sent in sent {
            let case = mixes_case.then(|| CaseMask::new(&mut *self.random));
            self.send_over_udp(socket, query, SentQuery { case, ..sent });
        }
    }

    /// Notes that the query awaits a response to `outstanding` on `socket`.
    pub(super) fn await_response(
        &mut self,
        query: QueryId,
        socket: SocketId,
        outstanding: OutstandingQuery,
    ) {
        let entry = self.queries.get_mut(&query).expect("a query that sends exists");
        let question = outstanding.sent.question;
        entry.awaited.push(AwaitedResponse { question, socket, id: outstanding.id });
    }

    /// Reads a message under the id of `outstanding`; one that is no response to it is counted and
    /// ignored.
    pub(super) fn read(&self, outstanding: &OutstandingQuery, message: &[u8]) -> Option<Response> {
        let OutstandingQuery { id, query, sent, .. } = *outstanding;
        let entry = self.queries.get(&query)?;
        let expected = Expected {
            id,
            name: &entry.name,
            record_type: entry.query.record_type(sent.question),
            transport: sent.transport,
            case: sent.case,
        };
        read_response(message, expected).map_err(|reason| self.counters.ignored(reason)).ok()
    }

    /// Hands a response to its query.
    pub(super) fn handle_response(
        &mut self,
        outstanding: &OutstandingQuery,
        response: Response,
        now: Instant,
    ) {
        let OutstandingQuery { query, sent, .. } = *outstanding;
        let server = self.server_of(query, sent.server);
        match &response {
            Response::Truncated(_) => add(&self.counters.truncated),
            Response::Unreadable => self.counters.ignored(Ignored::Malformed),
            Response::CaseMismatch => {
                add(&self.counters.case_mismatches);
                self.servers[server].note_case_mismatch();
            }
            Response::Answer(answer) if answer.is_name_collision() => {
                add(&self.counters.name_collisions);
            }
            Response::Answer(answer) if answer.has_link_local() => add(&self.counters.link_local),
            _ => {}
        }
        self.note_response(query, sent, &response, now);
        // A hint may be forged: it makes no room.
        let is_hint = ResponseRank::from(&response) < ResponseRank::Failure;
        if sent.transport == Transport::Udp && !is_hint {
            let is_answer = matches!(response, Response::Answer(_) | Response::Truncated(_));
            let nameserver = &mut self.servers[server];
            nameserver.handle_udp_response(sent.number, is_answer, sent.is_after_silence, now);
        }
        if let Some((entry, servers)) = self.query_mut(query) {
            entry.query.handle_response(sent, response, servers, now);
            self.advance_query(query, now);
        }
        self.advance_line(server, now);
    }

    /// Releases the sockets on which a question awaits responses: it is settled or abandoned.
    pub(super) fn release_sockets(
        &mut self,
        id: QueryId,
        question: usize,
        has_failed: bool,
        now: Instant,
    ) {
        let Some(entry) = self.queries.get_mut(&id) else { return };
        let listens_to = entry.query.listens_to(question);
        let (sockets, route) = (&self.sockets, self.routes[entry.route.index()]);
        let heard = listens_to.map(|server| route.server(server));
        // What still waits to be sent is not listened for.
        let is_heard = |wait: &AwaitedResponse| {
            let socket = sockets.get(wait.socket).filter(|socket| heard == Some(socket.server));
            socket.is_some_and(|socket| socket.outstanding.get(wait.id).is_some_and(|o| o.is_out))
        };
        let is_over = |wait: &mut AwaitedResponse| wait.question == question && !is_heard(wait);
        let over: Vec<_> = entry.awaited.extract_if(.., is_over).collect();
        if let Some(server) = listens_to
            && entry.awaited.iter().all(|wait| wait.question != question)
        {
            entry.query.handle_heard(question, server, Transport::Udp);
        }
        for AwaitedResponse { socket, id: message_id, .. } in over {
            if self.sockets.release(socket, message_id) {
                self.sockets.remove(socket);
                self.count_sockets();
                self.transmits.push_back(Step::Now(Transmit::CloseUdp { socket }));
            } else if let Some(connection) = self.connections.get_mut(&socket) {
                let before = connection.idle_at;
                connection.release(id, message_id, has_failed, now);
                let after = connection.idle_at;
                self.move_timer(Timer::Connection(socket), before, after);
            }
        }
    }
}
