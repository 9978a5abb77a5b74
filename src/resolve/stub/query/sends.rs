//! The part of [`Query`] that decides on sends: to which nameserver, over which transport, and when
//! again.

use std::time::{Duration, Instant};

use super::server_state::{Questions, SendState};
use super::{MAX_SENDS, Query, QuerySend, QuestionEntry, SILENT_RESEND_DELAY};
use crate::resolve::error::{FailureCause, Transport};
use crate::resolve::stub::nameserver::Nameserver;
use crate::resolve::stub::pacing::SendNumber;

/// By how much the delay of the second resend exceeds that of the first: a loss of the first two
/// packets costs little.
const RESEND_GROWTH: u32 = 3;
/// By how much the resend delay of one query may differ from the usual one, in thousandths. A burst
/// of lookups that overruns a nameserver's socket buffer would otherwise be sent again in as short
/// a time, and overrun it again. A fifth spreads it over a tenth of a second the first time, and
/// over three tenths the second time.
const RESEND_SPREAD: u16 = 200;
/// A TCP connection without a response for this long makes the query ask the other nameservers: the
/// kernel sends a lost SYN again after a second (RFC 6298 section 2).
const TCP_LATE_DELAY: Duration = Duration::from_secs(1);
/// After this much more it counts as silent, so that a round can end: two seconds are the handshake
/// and the exchange over the slowest of paths, with one lost SYN.
const TCP_SILENT_DELAY: Duration = Duration::from_secs(2);

/// The resend delay of each query in thousandths of the usual one, made from random numbers.
pub(crate) fn resend_spread(mut random: impl FnMut() -> u16) -> impl FnMut() -> u32 {
    move || u32::from(1000 - RESEND_SPREAD + random() % (2 * RESEND_SPREAD + 1))
}

impl Query {
    /// Marks the first sends: see [`NameserverStrategy`](crate::resolve::NameserverStrategy).
    /// Without a nameserver every question has failed.
    pub(super) fn start(&mut self, servers: &mut [Nameserver], now: Instant) {
        if servers.is_empty() {
            self.open().iter().for_each(|question| self.settle_failed(question, servers, now));
        } else if self.is_hedged() {
            self.start_hedged(servers, now);
        } else if self.is_in_turn() {
            self.mark_all_due(self.first_server);
        } else {
            (0..self.server_count).for_each(|server| self.mark_all_due(server));
        }
    }

    pub(super) fn mark_all_due(&mut self, server: usize) {
        for question in self.open().iter() {
            self.mark_due(server, question);
        }
    }

    /// Marks a question to be sent to a nameserver. Returns `false` if it was sent as often as it
    /// may be.
    pub(super) fn mark_due(&mut self, server: usize, question: usize) -> bool {
        let at_server = &mut self.servers[server].questions[question];
        let over_tcp = self.config.tcp_only || at_server.is_truncated;
        at_server.via(if over_tcp { Transport::Tcp } else { Transport::Udp }).mark_due()
    }

    /// Marks a question to be sent to the nameservers that were not asked it: to all of them, or in
    /// turn to the next one. Returns whether there is any.
    pub(super) fn query_others(&mut self, question: usize) -> bool {
        let mut is_any_asked = false;
        for step in 0..self.server_count {
            let server = (self.first_server + step) % self.server_count;
            if !self.servers[server].questions[question].is_unasked() {
                continue;
            }
            if self.mark_due(server, question) {
                is_any_asked = true;
                if self.is_in_turn() {
                    break;
                }
            } else {
                self.servers[server].questions[question].udp.enter(SendState::Failed);
            }
        }
        is_any_asked
    }

    /// The response over UDP was truncated: asks the same nameserver over TCP.
    pub(super) fn retry_over_tcp(
        &mut self,
        question: usize,
        server: usize,
        servers: &[Nameserver],
        now: Instant,
    ) {
        let at_server = &mut self.servers[server].questions[question];
        at_server.is_truncated = true;
        at_server.udp.enter(SendState::Unasked);
        if server == self.order[0] {
            // It has responded in time; over TCP it has its time anew.
            self.others_at = self.others_at.map(|_| now + TCP_LATE_DELAY);
        }
        let at_server = &mut self.servers[server].questions[question];
        if !at_server.tcp.is_open() && !at_server.tcp.mark_due() {
            at_server.tcp.enter(SendState::Failed);
            self.query_others(question);
            self.finish_round_if_over(question, servers, now);
        }
    }

    /// Asks the nameserver once more without EDNS.
    ///
    /// RFC 6891 section 7: a responder that does not implement EDNS "MUST respond with a return
    /// code (RCODE) of FORMERR". `edns` is whether the query that it responded to had EDNS. Returns
    /// whether a response without EDNS is still to come.
    pub(super) fn retry_without_edns(
        &mut self,
        question: usize,
        server: usize,
        transport: Transport,
        edns: bool,
    ) -> bool {
        if !edns {
            return false;
        }
        self.servers[server].without_edns = true;
        let via = self.servers[server].questions[question].via(transport);
        // The last send over UDP had no EDNS, and its response is awaited.
        via.mark_due() || transport == Transport::Udp && via.state == SendState::Waiting
    }

    /// Records a send of these questions.
    pub(super) fn note_send(
        &mut self,
        server: usize,
        transport: Transport,
        questions: Questions,
        servers: &mut [Nameserver],
        now: Instant,
    ) -> QuerySend {
        // Half of what is left at most, so that a short timeout still sees its resends.
        let longest = self.deadline.saturating_duration_since(now) / 2;
        self.arm_hedge(server, servers, now);
        let is_last_round = self.is_last_round(questions);
        let server_state = &mut self.servers[server];
        server_state.first_sent.get_or_insert(now);
        let (mut is_last, mut after_silence) = (false, Questions::default());
        for question in questions.iter() {
            let via = server_state.questions[question].via(transport);
            let delay = match transport {
                Transport::Udp => {
                    let growth = RESEND_GROWTH.pow(via.sends.into());
                    servers[server].resend_delay() * growth * self.resend_permille / 1000
                }
                Transport::Tcp => TCP_LATE_DELAY,
            };
            servers[server].note_sent(via.sends == 0);
            via.last_sent = Some(now);
            if via.state == SendState::SilentDue {
                via.sends = (via.sends + 1).min(MAX_SENDS);
                via.state = SendState::Silent;
                via.next = Some(now + SILENT_RESEND_DELAY);
                is_last = true;
                after_silence.insert(question);
                continue;
            }
            via.sends += 1;
            via.state = SendState::Waiting;
            if std::mem::take(&mut via.was_silent) {
                after_silence.insert(question);
            }
            is_last |= via.sends == MAX_SENDS;
            let longest = if is_last { longest.min(SILENT_RESEND_DELAY) } else { longest };
            via.next = Some(now + delay.min(longest));
        }
        // Some middleboxes drop queries with EDNS (RFC 6891 section 6.2.5), which shows by silence
        // alone: the last send of the round has none, and none of those after it. And some
        // nameservers have another error for it than FORMERR: one that has never answered a query
        // with EDNS is asked without in the last round. A forger could as well answer the query.
        let is_last = transport == Transport::Udp && is_last
            || is_last_round && server_state.has_failed_edns && !servers[server].knows_edns();
        let edns = self.config.edns
            && !server_state.without_edns
            && servers[server].speaks_edns(now)
            && !is_last;
        let mixes_case = self.mixes_case(server, questions, servers, now);
        let number = match transport {
            Transport::Udp => servers[server].note_udp_sends(questions.iter().count(), now),
            Transport::Tcp => SendNumber::default(),
        };
        QuerySend { server, transport, questions, edns, mixes_case, number, after_silence }
    }

    /// Whether one of the questions has failed in every round but the last.
    fn is_last_round(&self, questions: Questions) -> bool {
        let last = |question: &QuestionEntry| {
            question.failed_rounds > 0 && question.failed_rounds + 1 >= self.config.attempts
        };
        questions.iter().any(|question| self.questions[question].as_ref().is_some_and(last))
    }

    /// A send has not been answered in time, or could not be made and is to be tried again.
    pub(super) fn handle_overdue(
        &mut self,
        question: usize,
        server: usize,
        transport: Transport,
        servers: &mut [Nameserver],
        now: Instant,
    ) {
        let in_turn = self.is_in_turn();
        let longest = self.deadline.saturating_duration_since(now) / 2;
        let at_server = &mut self.servers[server].questions[question];
        let (hint, met_overload) = (at_server.hint, at_server.met_overload);
        let keeps_send_back = at_server.keeps_send_back();
        let was_sent = matches!(at_server.via(transport).state, SendState::Waiting);
        at_server.is_overdue |= was_sent;
        if was_sent {
            self.late.push((question, (server, transport)));
        }
        if self.settle_held(question, false, servers) {
            if was_sent {
                servers[server].handle_silence(now);
            }
            return;
        }
        let is_overrun = servers[server].is_overrun(now);
        // What was refused in a burst is asked once more when it is over, and what came in another
        // case is asked in another way.
        let hint = hint.filter(|_| !is_overrun && !met_overload);
        let hint = hint.filter(|&hint| hint != FailureCause::CaseMismatch);
        let via = self.servers[server].questions[question].via(transport);
        match (via.state, transport) {
            (SendState::Held, _) => {
                if !via.mark_due() {
                    via.enter(SendState::Silent);
                }
            }
            (SendState::Waiting, Transport::Tcp) => {
                via.state = SendState::Late;
                via.next = Some(now + TCP_SILENT_DELAY.min(longest));
                servers[server].handle_silence(now);
            }
            (SendState::Late, Transport::Tcp) => {
                via.enter(SendState::Silent);
                self.handle_without_tcp(question, server, FailureCause::Timeout, now);
            }
            (SendState::Waiting, Transport::Udp) if keeps_send_back => {
                servers[server].handle_silence(now);
                via.was_silent = true;
                via.next = Some(now + SILENT_RESEND_DELAY);
            }
            (SendState::Waiting, Transport::Udp) => {
                servers[server].handle_silence(now);
                via.was_silent = true;
                // In turn, the next nameserver is asked instead, and this one again in the next
                // round.
                if in_turn || !via.mark_due() {
                    if let Some(cause) = hint {
                        return self.fail(question, server, transport, cause, servers, now);
                    }
                    via.enter_silence(now);
                    if in_turn {
                        // In its next round; after the last one, see `finish_round_if_over`.
                        via.next = None;
                    }
                    self.servers[server].questions[question].is_overrun = is_overrun;
                }
            }
            (SendState::Silent, Transport::Udp) => {
                servers[server].handle_silence(now);
                via.enter(SendState::SilentDue);
                self.servers[server].questions[question].is_overrun &= is_overrun;
                if let Some(cause) = hint {
                    return self.fail(question, server, transport, cause, servers, now);
                }
            }
            _ => via.enter(SendState::Silent),
        }
        self.query_others(question);
        self.finish_round_if_over(question, servers, now);
    }
}
