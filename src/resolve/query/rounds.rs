//! The part of [`Query`] that is about failure: whose turn it is then, and when it is final.

use std::time::{Duration, Instant};

use super::Query;
use super::outcome::{Failure, ServerFailure, Settled};
use super::progress::{Progress, Questions, Standing};
use crate::resolve::error::{FailureCause, Transport};
use crate::resolve::nameserver::Nameserver;

impl Query {
    pub(super) fn fail(
        &mut self,
        question: usize,
        server: usize,
        transport: Transport,
        cause: FailureCause,
        servers: &[Nameserver],
        now: Instant,
    ) {
        let progress = &mut self.servers[server];
        let elapsed = progress.first_sent.map_or(Duration::ZERO, |at| now - at);
        progress.standing[question] = Standing::Failed;
        progress.due_udp.remove(question);
        progress.due_tcp.remove(question);
        self.record(question, server, transport, cause, elapsed);
        self.ask_unasked(Questions::one(question));
        self.finish_round_if_over(question, servers, now);
    }

    /// Every nameserver would say the same: an answer that is valid and cannot be followed.
    pub(super) fn fail_for_good(
        &mut self,
        question: usize,
        server: usize,
        transport: Transport,
        cause: FailureCause,
        now: Instant,
    ) {
        let elapsed = self.servers[server].first_sent.map_or(Duration::ZERO, |at| now - at);
        self.record(question, server, transport, cause, elapsed);
        self.settle_failed(question);
    }

    /// When every nameserver has failed or stays silent, a round is over.
    ///
    /// Pure silence may be the network's, so it never fails a question before the deadline; once a
    /// nameserver has spoken, the silent ones are not worth the whole timeout.
    pub(super) fn finish_round_if_over(
        &mut self,
        question: usize,
        servers: &[Nameserver],
        now: Instant,
    ) {
        let asked = &self.servers[..self.server_count];
        let failed = |s: &usize| asked[*s].standing[question] == Standing::Failed;
        let silent = |p: &Progress| p.standing[question] == Standing::Silent;
        if !(0..asked.len()).all(|s| failed(&s) || silent(&asked[s])) {
            return;
        }
        // The nameserver that fails soonest may be asked again soonest, but not at once: what
        // fails in a microsecond would fail again in the next.
        let pause = (0..asked.len()).filter(failed).map(|s| servers[s].resend_delay()).min();
        if pause.is_none() && !self.is_in_turn() {
            return;
        }
        let retry_at = now + pause.unwrap_or_default();
        let state = self.questions[question].as_mut().expect("an open question exists");
        state.failed_rounds += 1;
        if state.failed_rounds < self.config.attempts && retry_at < self.deadline {
            state.retry_at = Some(retry_at);
        } else if pause.is_some() {
            self.settle_failed(question);
        }
    }

    pub(super) fn start_round(&mut self, question: usize) {
        let in_turn = self.is_in_turn();
        for progress in &mut self.servers[..self.server_count] {
            let standing = &mut progress.standing[question];
            if *standing == Standing::Failed || in_turn && *standing == Standing::Silent {
                *standing = Standing::Unasked;
            }
        }
        self.ask_unasked(Questions::one(question));
        let is_due = |p: &Progress| p.due_udp.contains(question) || p.due_tcp.contains(question);
        if !self.servers.iter().any(is_due) && !in_turn {
            // The sends are used up: another round would only wait for the deadline.
            self.settle_failed(question);
        }
    }

    pub(super) fn fail_by_deadline(&mut self, question: usize, now: Instant) {
        for server in 0..self.server_count {
            let progress = self.servers[server];
            let transport = match progress.standing[question] {
                Standing::WaitingTcp => Transport::Tcp,
                Standing::Silent if progress.tcp_sends[question] > 0 => Transport::Tcp,
                Standing::Waiting | Standing::Silent => Transport::Udp,
                Standing::Unasked | Standing::Failed => continue,
            };
            let elapsed = progress.first_sent.map_or(Duration::ZERO, |at| now - at);
            if progress.first_sent.is_some() {
                self.record(question, server, transport, FailureCause::Timeout, elapsed);
            }
        }
        self.settle_failed(question);
    }

    /// Keeps the newest failure of each nameserver and transport.
    pub(super) fn record(
        &mut self,
        question: usize,
        server: usize,
        transport: Transport,
        cause: FailureCause,
        elapsed: Duration,
    ) {
        let state = self.questions[question].as_mut().expect("an open question exists");
        state.failures.retain(|f| (f.server, f.transport) != (server, transport));
        state.failures.push(ServerFailure { server, transport, cause, elapsed });
    }

    fn settle_failed(&mut self, question: usize) {
        let state = self.questions[question].as_mut().expect("an open question exists");
        let servers = std::mem::take(&mut state.failures);
        self.settle(question, Settled::Failed(Failure { servers }));
    }
}
