//! The part of [`Query`] that mixes the case of its questions (draft-vixie-dnsext-dns0x20), and
//! handles what comes back in another case.
//!
//! Such a response is from a nameserver that does not keep the case of the question, or from a
//! forger who does not know it. Over TCP no forger gets a word in, so there the question is asked
//! as it was given, while the socket listens on for the true response. Only where TCP cannot be had
//! is the question asked over UDP as it was given: otherwise one forged response would switch the
//! mixing off.

use std::time::Instant;

use super::server_state::{CaseState, QuestionState, Questions, SendState};
use super::{MAX_SENDS, Query, SentQuery};
use crate::resolve::error::FailureCause;
use crate::resolve::stub::nameserver::Nameserver;
use crate::resolve::wire::message::Response;

impl Query {
    /// Whether these questions are sent in mixed case, if it is over UDP.
    pub(super) fn mixes_case(
        &self,
        server: usize,
        questions: Questions,
        servers: &[Nameserver],
        now: Instant,
    ) -> bool {
        let at_server = &self.servers[server].questions;
        let is_mixed = |question: usize| {
            matches!(at_server[question].case, CaseState::Kept | CaseState::Doubted)
        };
        self.config.mixed_case && servers[server].keeps_case(now) && questions.iter().all(is_mixed)
    }

    /// Notes what a response tells of the case.
    pub(super) fn note_case(
        &mut self,
        sent: SentQuery,
        response: &Response,
        servers: &mut [Nameserver],
        now: Instant,
    ) {
        let case = &mut self.servers[sent.server].questions[sent.question].case;
        match response {
            // Neither has a question, or not the right one.
            Response::Hint(_) | Response::Unreadable | Response::CaseMismatch => {}
            _ if sent.case.is_some() => {
                servers[sent.server].handle_case_kept();
                if *case == CaseState::Doubted {
                    // What came in another case was forged.
                    *case = CaseState::Kept;
                }
            }
            Response::Answer(_) | Response::Truncated(_)
                if matches!(case, CaseState::Doubted | CaseState::Plain) =>
            {
                *case = CaseState::Changed;
                servers[sent.server].handle_case_changed(now);
            }
            _ => {}
        }
    }

    /// A response over UDP came in another case than its query has.
    pub(super) fn handle_case_mismatch(
        &mut self,
        sent: SentQuery,
        servers: &mut [Nameserver],
        now: Instant,
    ) {
        let SentQuery { question, server, .. } = sent;
        let at_server = &mut self.servers[server].questions[question];
        if matches!(at_server.case, CaseState::Plain | CaseState::Changed) {
            // The response to an earlier send: the question was sent in other ways since.
            return;
        }
        at_server.case = CaseState::Doubted;
        let is_under_way = match at_server.tcp.state {
            SendState::Unasked => at_server.tcp.mark_due(),
            _ => at_server.tcp.is_open(),
        };
        self.listen_on(question, server, FailureCause::CaseMismatch, servers, now);
        if !is_under_way {
            self.ask_plainly(question, server, now);
        }
    }

    /// A question has failed over TCP, or is silent there. If it was asked there for its case, an
    /// error is the word of the nameserver, over UDP as well; anything else means that TCP cannot be
    /// had.
    pub(super) fn handle_without_tcp(
        &mut self,
        question: usize,
        server: usize,
        cause: FailureCause,
        now: Instant,
    ) {
        let at_server = &mut self.servers[server].questions[question];
        if at_server.case != CaseState::Doubted {
            return;
        }
        if matches!(cause, FailureCause::Rcode(_) | FailureCause::LameReferral) {
            at_server.udp.enter(SendState::Failed);
        } else {
            self.ask_plainly(question, server, now);
        }
    }

    /// Asks over UDP as it was given: now, or a second after the last send if those of a round were
    /// made.
    fn ask_plainly(&mut self, question: usize, server: usize, now: Instant) {
        let at_server = &mut self.servers[server].questions[question];
        at_server.case = CaseState::Plain;
        if !at_server.udp.mark_due() {
            at_server.udp.enter_silence(now);
        }
    }
}

impl QuestionState {
    /// Whether the last send over UDP is kept for the question as it was given: TCP may fail yet.
    pub(super) fn keeps_send_back(&self) -> bool {
        self.case == CaseState::Doubted && self.tcp.is_open() && self.udp.sends + 1 >= MAX_SENDS
    }
}
