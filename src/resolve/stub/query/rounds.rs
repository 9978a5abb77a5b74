//! The part of [`Query`] that handles failure: who is asked then, and when it is final.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use super::Query;
use super::outcome::{Failure, NameserverFailure, Settled};
use super::server_state::{QuestionState, SendState, TransportState};
use crate::resolve::error::{FailureCause, Transport};
use crate::resolve::stub::nameserver::Nameserver;

/// Between two rounds while nothing listens at any nameserver.
const RESTART_PAUSE: Duration = Duration::from_secs(1);
/// Between two rounds of a question that was refused in a burst: the table of a forwarder stays full
/// for as long as the nameserver behind it takes, some seconds on a busy machine.
const OVERLOAD_PAUSE: Duration = Duration::from_secs(1);

impl Query {
    /// A nameserver has failed the question over this transport.
    pub(super) fn fail(
        &mut self,
        question: usize,
        server: usize,
        transport: Transport,
        cause: FailureCause,
        servers: &mut [Nameserver],
        now: Instant,
    ) {
        let at_server = &mut self.servers[server].questions[question];
        let via = at_server.via(transport);
        if via.state == SendState::Failed {
            // A nameserver fails a round once.
            return;
        }
        via.enter(SendState::Failed);
        if transport == Transport::Tcp {
            self.handle_without_tcp(question, server, cause, now);
        }
        if self.servers[server].questions[question].has_failed() {
            servers[server].handle_failure(now);
            servers[server].note_failure();
        }
        self.record(question, server, transport, cause, servers, now);
        if self.settle_held(question, false, servers) {
            return;
        }
        self.query_others(question);
        self.finish_round_if_over(question, servers, now);
    }

    /// An answer is valid and cannot be followed. Every nameserver would give the same.
    pub(super) fn fail_for_good(
        &mut self,
        question: usize,
        server: usize,
        transport: Transport,
        cause: FailureCause,
        servers: &[Nameserver],
        now: Instant,
    ) {
        self.servers[server].questions[question].via(transport).enter(SendState::Failed);
        self.record(question, server, transport, cause, servers, now);
        self.settle_failed(question, servers, now);
    }

    /// Ends the round if every nameserver has failed or is silent.
    ///
    /// Silence of all may be the network's, so it does not fail a question before the deadline.
    /// Once a nameserver has responded, the silent ones are not waited for until then, unless a burst
    /// is what made them silent: see [`give_up`](Self::give_up).
    pub(super) fn finish_round_if_over(
        &mut self,
        question: usize,
        servers: &[Nameserver],
        now: Instant,
    ) {
        let questions = || self.questions(question);
        let state = self.questions[question].as_ref().expect("an open question exists");
        let is_over = state.retry_at.is_none()
            && questions().all(|at_server| at_server.has_failed() || at_server.is_silent());
        if !is_over {
            return;
        }
        let failed = questions().zip(servers).filter(|(at_server, _)| at_server.has_failed());
        let usual_pause = failed.map(|(_, server)| server.resend_delay()).min();
        let state = self.questions[question].as_ref().expect("an open question exists");
        if state.last_resort.is_some() {
            // What there is over UDP is there, and TCP has failed.
            return self.settle_failed(question, servers, now);
        }
        if usual_pause.is_none() && !self.is_in_turn() {
            return;
        }
        let may_be_asked = self.servers[..self.server_count]
            .iter()
            .any(|server| server.questions[question].may_be_asked(self.config.tcp_only));
        let state = self.questions[question].as_mut().expect("an open question exists");
        state.failed_rounds = state.failed_rounds.saturating_add(1);
        let is_last = state.failed_rounds >= self.config.attempts || !may_be_asked;
        let is_first = state.failed_rounds == 1;
        let any = |is: fn(&FailureCause) -> bool| state.failures.iter().any(|f| is(&f.cause));
        let has_response = any(|cause| cause.is_response());
        let is_refused =
            any(|cause| matches!(cause, FailureCause::Socket(ErrorKind::ConnectionRefused)));
        let is_truncated = self.questions(question).any(|at_server| at_server.is_truncated);
        let met_overload = self.questions(question).any(|at_server| at_server.met_overload);
        let may_restart = is_refused && !has_response && !is_truncated;
        let Some(usual_pause) = usual_pause else {
            if is_last {
                self.resend_to_silent(question, now);
            } else {
                self.start_round(question, servers, now);
            }
            return;
        };
        // The first failure may have been the moment's. After that a nameserver that fails within a
        // microsecond would fail again within the next.
        let pause = if !is_last && met_overload {
            OVERLOAD_PAUSE.min(self.deadline.saturating_duration_since(now) / 2)
        } else if !is_last && has_response && is_first {
            Duration::ZERO
        } else if !is_last {
            usual_pause
        } else if may_restart && now + RESTART_PAUSE <= self.started + self.budget() / 2 {
            // Nothing listens there: a nameserver that restarts is back in a second or two, and a
            // person without one is not kept waiting for the whole budget.
            RESTART_PAUSE
        } else {
            return self.give_up(question, servers, now);
        };
        let retry_at = now + pause;
        if retry_at >= self.deadline {
            return self.settle_failed(question, servers, now);
        }
        if pause.is_zero() {
            return self.start_round(question, servers, now);
        }
        let state = self.questions[question].as_mut().expect("an open question exists");
        state.retry_at = Some(retry_at);
    }

    /// No round is left. A nameserver that was silent in a burst is asked again from time to time,
    /// until it is silent without one.
    fn give_up(&mut self, question: usize, servers: &[Nameserver], now: Instant) {
        if self.questions(question).any(|at_server| at_server.is_silent() && at_server.is_overrun) {
            self.resend_to_silent(question, now);
        } else {
            self.settle_failed(question, servers, now);
        }
    }

    fn budget(&self) -> Duration {
        self.deadline.saturating_duration_since(self.started)
    }

    /// The last round of nameservers that are asked in turn is over, and all were silent: each is
    /// asked again from time to time until the deadline.
    fn resend_to_silent(&mut self, question: usize, now: Instant) {
        for server in &mut self.servers[..self.server_count] {
            let via = &mut server.questions[question].udp;
            if via.state == SendState::Silent && via.next.is_none() {
                via.enter_silence(now);
            }
        }
    }

    /// Asks every nameserver that has failed once more.
    pub(super) fn start_round(&mut self, question: usize, servers: &[Nameserver], now: Instant) {
        let in_turn = self.is_in_turn();
        for server in &mut self.servers[..self.server_count] {
            let at_server = &mut server.questions[question];
            if at_server.has_failed() || in_turn && at_server.is_silent() {
                at_server.start_anew(now);
            }
        }
        if !self.query_others(question) && !in_turn {
            // No send is left: another round would only wait for the deadline.
            self.give_up(question, servers, now);
        }
    }

    /// Records a failure in place of an earlier one of the same nameserver and transport.
    pub(super) fn record(
        &mut self,
        question: usize,
        server: usize,
        transport: Transport,
        cause: FailureCause,
        servers: &[Nameserver],
        now: Instant,
    ) {
        let nameserver = servers[server].addr();
        let since = match cause {
            FailureCause::NotSent => Some(self.started),
            _ => self.servers[server].first_sent,
        };
        let elapsed = since.map_or(Duration::ZERO, |at| now - at);
        let state = self.questions[question].as_mut().expect("an open question exists");
        state.failures.retain(|f| (f.nameserver, f.transport) != (nameserver, transport));
        state.failures.push(NameserverFailure { nameserver, transport, cause, elapsed });
    }

    /// Settles the question as failed. Nameservers that did not respond are recorded as timed out.
    pub(super) fn settle_failed(&mut self, question: usize, servers: &[Nameserver], now: Instant) {
        if self.settle_held(question, true, servers) {
            return;
        }
        for server in 0..self.server_count {
            let QuestionState { udp, tcp, hint, .. } = self.servers[server].questions[question];
            let is_unanswered = |via: TransportState| {
                via.is_silent() || matches!(via.state, SendState::Waiting | SendState::Late)
            };
            if udp.state == SendState::Due && udp.sends == 0 {
                self.record(question, server, Transport::Udp, FailureCause::NotSent, servers, now);
            } else if is_unanswered(udp) || udp.state == SendState::Due {
                let cause = hint.unwrap_or(FailureCause::Timeout);
                self.record(question, server, Transport::Udp, cause, servers, now);
            }
            if is_unanswered(tcp) {
                let cause = FailureCause::Timeout;
                self.record(question, server, Transport::Tcp, cause, servers, now);
            }
        }
        let state = self.questions[question].as_mut().expect("an open question exists");
        let nameservers = std::mem::take(&mut state.failures);
        let last_resort = state.last_resort.take();
        let is_unconfigured = self.config.is_unconfigured;
        let failure = Failure { nameservers, last_resort, is_unconfigured };
        self.settle(question, Settled::Failed(failure));
    }

    fn questions(&self, question: usize) -> impl Iterator<Item = &QuestionState> {
        self.servers[..self.server_count].iter().map(move |server| &server.questions[question])
    }
}
