//! The part of [`Query`] that handles what comes back: responses, hints, and sockets that fail.

use std::io;
use std::time::{Duration, Instant};

use super::server_state::{QuestionState, SendState};
use super::{Query, SentQuery};
use crate::resolve::error::{FailureCause, Rcode, Transport};
use crate::resolve::stub::nameserver::Nameserver;
use crate::resolve::stub::socket_error::SocketError;
use crate::resolve::wire::answer::Outcome;
use crate::resolve::wire::message::Response;

/// A process without a free file descriptor tries again after this long.
const RESOURCE_PAUSE: Duration = Duration::from_millis(100);

impl Query {
    /// A message passed every check as a response to what was sent.
    pub(crate) fn handle_response(
        &mut self,
        sent: SentQuery,
        response: Response,
        servers: &mut [Nameserver],
        now: Instant,
    ) {
        let SentQuery { question, server, transport, edns, at, .. } = sent;
        self.note_case(sent, &response, servers, now);
        if !self.is_open(question) {
            if self.listens_to(question) == Some(server)
                && matches!(response, Response::Answer(_) | Response::Truncated(_))
            {
                servers[server].handle_response(Some(now - at), edns);
            }
            return self.handle_heard(question, server, transport);
        }
        match response {
            Response::Answer(answer) => {
                // Over TCP the time would be that of the handshake and the queue as well.
                let rtt = (transport == Transport::Udp).then(|| now - at);
                let tried_edns = self.config.edns && servers[server].speaks_edns(now);
                servers[server].handle_response(rtt, edns);
                if tried_edns && !edns {
                    let has_refused = self.servers[server].without_edns;
                    servers[server].handle_answer_without_edns(has_refused, now);
                }
                let cause = match answer.outcome {
                    Outcome::AliasLoop => FailureCause::AliasLoop,
                    Outcome::AliasChainTooLong => FailureCause::AliasChainTooLong,
                    _ => return self.take_answer(question, server, answer, at, servers),
                };
                self.fail_for_good(question, server, transport, cause, servers, now);
            }
            Response::Truncated(addresses) => {
                servers[server].handle_response(Some(now - at), edns);
                let state = self.questions[question].as_mut().expect("an open question exists");
                state.last_resort = state.last_resort.take().or(addresses);
                self.retry_over_tcp(question, server, servers, now);
            }
            Response::FormErr => self.fail_or_drop_edns(Rcode::FORMERR, sent, servers, now),
            Response::BadVers => self.fail_or_drop_edns(Rcode::BADVERS, sent, servers, now),
            Response::Failure(Rcode::NOTIMP) if edns => {
                // The kind of query that it does not know may be one with EDNS.
                self.fail_or_drop_edns(Rcode::NOTIMP, sent, servers, now);
                if self.is_open(question) {
                    self.query_others(question);
                }
            }
            Response::StrayOpt => {
                if !self.retry_without_edns(question, server, transport, edns) {
                    self.handle_unreadable(sent, servers, now);
                }
            }
            Response::Failure(rcode) if is_overload(rcode, sent, &servers[server], now) => {
                servers[server].handle_overload(sent.number, now);
                self.servers[server].questions[question].met_overload = true;
                self.handle_hint(rcode, sent, servers, now);
            }
            Response::Failure(rcode) => {
                self.servers[server].has_failed_edns |= edns;
                self.fail_with(rcode, sent, servers, now);
            }
            Response::LameReferral => {
                self.fail(question, server, transport, FailureCause::LameReferral, servers, now);
            }
            Response::Hint(rcode) => self.handle_hint(rcode, sent, servers, now),
            Response::Unreadable => self.handle_unreadable(sent, servers, now),
            Response::CaseMismatch => self.handle_case_mismatch(sent, servers, now),
        }
    }

    /// The nameserver has responded with an error that may be about EDNS: it is asked without, if
    /// it was not yet.
    fn fail_or_drop_edns(
        &mut self,
        rcode: Rcode,
        sent: SentQuery,
        servers: &mut [Nameserver],
        now: Instant,
    ) {
        if !self.retry_without_edns(sent.question, sent.server, sent.transport, sent.edns) {
            self.fail_with(rcode, sent, servers, now);
        }
    }

    fn fail_with(
        &mut self,
        rcode: Rcode,
        sent: SentQuery,
        servers: &mut [Nameserver],
        now: Instant,
    ) {
        let SentQuery { question, server, transport, .. } = sent;
        self.fail(question, server, transport, FailureCause::Rcode(rcode), servers, now);
    }

    /// An error response without a question. In a datagram it proves little: the other nameservers
    /// are asked at once, this one is asked again without EDNS or a little sooner, and its true
    /// answer is still accepted. On a connection that the nameserver itself has accepted, it is its
    /// response.
    fn handle_hint(
        &mut self,
        rcode: Rcode,
        sent: SentQuery,
        servers: &mut [Nameserver],
        now: Instant,
    ) {
        let SentQuery { question, server, transport, edns, .. } = sent;
        let may_be_edns = matches!(rcode, Rcode::FORMERR | Rcode::BADVERS | Rcode::NOTIMP);
        let is_sent_again =
            may_be_edns && self.retry_without_edns(question, server, transport, edns);
        if transport == Transport::Tcp {
            if !is_sent_again {
                self.fail_with(rcode, sent, servers, now);
            }
            return;
        }
        self.listen_on(question, server, FailureCause::Rcode(rcode), servers, now);
    }

    /// A response of which only the question can be read, or a truncated header alone. In a datagram
    /// it proves little: the other nameservers, and this one over TCP, are asked at once, and its
    /// true answer is still accepted. Over TCP there is no other way to ask.
    fn handle_unreadable(&mut self, sent: SentQuery, servers: &mut [Nameserver], now: Instant) {
        let SentQuery { question, server, transport, .. } = sent;
        let cause = FailureCause::Malformed;
        if transport == Transport::Tcp {
            return self.fail(question, server, transport, cause, servers, now);
        }
        let tcp = &mut self.servers[server].questions[question].tcp;
        if tcp.sends == 0 && tcp.state == SendState::Unasked {
            tcp.mark_due();
        }
        self.listen_on(question, server, cause, servers, now);
    }

    /// A datagram was a sign of life and no response: the others are asked at once, this one a
    /// little sooner, and the hint is reported if no better response comes.
    pub(super) fn listen_on(
        &mut self,
        question: usize,
        server: usize,
        hint: FailureCause,
        servers: &[Nameserver],
        now: Instant,
    ) {
        let at_server = &mut self.servers[server].questions[question];
        at_server.hint = Some(hint);
        let soon = now + servers[server].resend_delay();
        if at_server.udp.state == SendState::Waiting {
            at_server.udp.next = at_server.udp.next.map(|at| at.min(soon));
        }
        self.query_others(question);
    }

    /// A message with an id that was never sent came from this nameserver's address, as when a
    /// forger guesses ids. The question is asked over TCP as well, where guessing is out of reach,
    /// while the socket keeps listening (RFC 5452 section 9.2 asks for defence against such
    /// floods).
    pub(crate) fn handle_mismatch(&mut self, server: usize) {
        for question in self.open().iter() {
            let QuestionState { udp, tcp, .. } = &mut self.servers[server].questions[question];
            if udp.sends > 0 && tcp.sends == 0 && tcp.state == SendState::Unasked {
                tcp.mark_due();
            }
        }
    }

    /// The nameserver's port was refused over UDP, by ICMP.
    ///
    /// Such a message needs no id guessed, only a port, and comes from any address, so it is a
    /// hint: the socket stays open and an answer on it still counts; the others are asked at once,
    /// and this one is asked again, a little sooner, from another port. A second refusal there is
    /// believed.
    pub(crate) fn handle_refusal(
        &mut self,
        sent: SentQuery,
        servers: &mut [Nameserver],
        now: Instant,
    ) {
        let SentQuery { question, server, .. } = sent;
        if !self.is_open(question) {
            return;
        }
        let at_server = &mut self.servers[server].questions[question];
        if at_server.udp.last_sent == at_server.refused {
            return;
        }
        at_server.refused = at_server.udp.last_sent;
        at_server.refusals = at_server.refusals.saturating_add(1);
        at_server.is_overdue = true;
        if at_server.refusals > 1 {
            let cause = FailureCause::Socket(io::ErrorKind::ConnectionRefused);
            return self.fail(question, server, Transport::Udp, cause, servers, now);
        }
        servers[server].handle_lateness();
        let soon = now + servers[server].resend_delay();
        if at_server.udp.state == SendState::Waiting {
            at_server.udp.next = at_server.udp.next.map(|at| at.min(soon));
        }
        if !self.settle_held(question, false, servers) {
            self.query_others(question);
        }
    }

    /// The socket or connection for `sent` cannot be used. `is_sent` is whether the query was sent
    /// before that.
    pub(crate) fn handle_socket_error(
        &mut self,
        sent: SentQuery,
        error: SocketError,
        is_sent: bool,
        servers: &mut [Nameserver],
        now: Instant,
    ) {
        let SentQuery { question, server, transport, .. } = sent;
        if !self.is_open(question) {
            if self.listens_to(question) == Some(server) && error != SocketError::OutOfResources {
                servers[server].handle_failure(now);
            }
            return self.handle_heard(question, server, transport);
        }
        let cause = FailureCause::from(error);
        if error != SocketError::OutOfResources {
            if transport == Transport::Tcp && !is_sent {
                // It was never on the way, so it does not count.
                let via = self.servers[server].questions[question].via(transport);
                via.sends = via.sends.saturating_sub(1);
            }
            return self.fail(question, server, transport, cause, servers, now);
        }
        // No nameserver is at fault: the question waits for a free descriptor until its deadline.
        // The failure is kept for the error.
        let via = self.servers[server].questions[question].via(transport);
        if matches!(via.state, SendState::Waiting | SendState::Late) {
            via.sends -= u8::from(!is_sent);
            via.state = SendState::Held;
            via.next = Some(now + RESOURCE_PAUSE);
            self.record(question, server, transport, cause, servers, now);
        }
    }

    /// A question has a connection on which other responses came: if it is late there, it is sent
    /// once more. Returns whether it is.
    pub(crate) fn handle_late(&mut self, question: usize, server: usize) -> bool {
        let tcp = &mut self.servers[server].questions[question].tcp;
        tcp.state == SendState::Late && tcp.mark_due()
    }

    /// A connection that had brought responses was lost before it brought this one.
    ///
    /// RFC 7766 section 6.2.4: "If a server closes a TCP connection ... with pending queries ...
    /// the client SHOULD retry". The question is sent once more, over a connection that has brought
    /// no response yet, so that a second loss counts as a failure.
    pub(crate) fn handle_connection_lost(
        &mut self,
        sent: SentQuery,
        error: SocketError,
        servers: &mut [Nameserver],
        now: Instant,
    ) {
        let SentQuery { question, server, transport, .. } = sent;
        if !self.is_open(question) {
            return;
        }
        let via = self.servers[server].questions[question].via(transport);
        if !via.mark_due() {
            self.fail(question, server, transport, error.into(), servers, now);
        }
    }
}

/// Whether an error is the nameserver's answer to the load, as dnsmasq's REFUSED beyond its limit
/// of queries in flight is. The question is then sent again in its time, as if it had been lost.
fn is_overload(rcode: Rcode, sent: SentQuery, server: &Nameserver, now: Instant) -> bool {
    sent.transport == Transport::Udp
        && matches!(rcode, Rcode::REFUSED | Rcode::SERVFAIL)
        && server.is_under_load(now)
}
