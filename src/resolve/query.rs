//! One name, asked of the nameservers: whom, when again, and what counts as an answer.
//!
//! A [`Query`] carries one or two questions (A and AAAA) about the same name. They leave together,
//! share a socket, and are settled one by one: nothing about one waits for the other.
//!
//! It ends a question for three reasons only: a fully valid answer, a failure of every nameserver
//! as often as the configuration says, or the deadline. Whatever else arrives may make it ask
//! somebody else sooner; it cannot make it stop listening.

mod outcome;
mod progress;
mod rounds;

use std::io;
use std::time::{Duration, Instant};

use super::answer::Outcome;
use super::error::{FailureCause, Rcode, RecordType, Transport};
use super::message::Response;
use super::nameserver::Nameserver;

pub(crate) use outcome::{Failure, ServerFailure, Settled, is_resource};
pub(crate) use progress::Questions;
use progress::{Progress, Standing};

/// resolv.conf(5): "up to MAXNS (currently 3) may be listed".
pub(crate) const MAX_NAMESERVERS: usize = 3;
/// A and AAAA.
pub(crate) const MAX_QUESTIONS: usize = 2;

/// RFC 9520 section 3.1: "A resolver MUST NOT retry a given query to a server address over a given
/// DNS transport more than twice (i.e., three queries in total) before considering the server
/// address unresponsive over that transport for that query."
const MAX_SENDS: u8 = 3;
/// The second resend comes after three times the delay of the first: a loss of the first two
/// packets costs little, and an outage of a second is still bridged by the third.
const RESEND_GROWTH: u32 = 3;
/// A TCP connection that has brought no answer for this long makes the other nameservers be asked:
/// one lost SYN is sent again by the kernel after a second (RFC 6298 section 2).
const TCP_LATE_DELAY: Duration = Duration::from_secs(1);
/// A process without a free file descriptor tries again after this long.
const RESOURCE_PAUSE: Duration = Duration::from_millis(100);

/// How the nameservers share the questions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Strategy {
    /// The quickest nameserver that has proved itself first, the others when it is late; all at
    /// once while none has.
    #[default]
    Adaptive,
    /// All at once, always.
    All,
    /// One after the other, the next when one is late or fails.
    InTurn,
}

/// What a query takes from the resolver's configuration.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QueryConfig {
    pub(crate) strategy: Strategy,
    /// From the first send until every question is settled.
    pub(crate) timeout: Duration,
    /// How often each nameserver may fail before a question fails.
    pub(crate) attempts: u8,
    pub(crate) edns: bool,
    /// No UDP at all.
    pub(crate) tcp_only: bool,
}

/// Something to send: these questions, to this nameserver, over one socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Send {
    pub(crate) server: usize,
    pub(crate) transport: Transport,
    pub(crate) questions: Questions,
    pub(crate) edns: bool,
}

/// One name's questions to the nameservers.
///
/// Call order: `handle_*` as things happen; after each, [`poll_send`](Self::poll_send) and
/// [`poll_settled`](Self::poll_settled) until `None`; then wait until
/// [`poll_timeout`](Self::poll_timeout) for [`handle_timeout`](Self::handle_timeout).
#[derive(Debug)]
pub(crate) struct Query {
    config: QueryConfig,
    deadline: Instant,
    questions: [Option<Question>; MAX_QUESTIONS],
    servers: [Progress; MAX_NAMESERVERS],
    server_count: usize,
    /// The nameserver that `InTurn` starts with.
    first_server: usize,
    /// When the nameservers that were not asked yet are asked too.
    widen_at: Option<Instant>,
}

#[derive(Debug)]
struct Question {
    record_type: RecordType,
    /// `None` while open. Taken out by `poll_settled`.
    settled: Option<Settled>,
    is_open: bool,
    /// How often every nameserver has failed it.
    failed_rounds: u8,
    /// When the next round starts.
    retry_at: Option<Instant>,
    failures: Vec<ServerFailure>,
}

impl Query {
    /// A query about `record_types`, started at `now`. `first_server` is where `InTurn` begins.
    pub(crate) fn new(
        record_types: impl IntoIterator<Item = RecordType>,
        config: QueryConfig,
        servers: &[Nameserver],
        first_server: usize,
        now: Instant,
    ) -> Self {
        let mut questions = [None, None];
        for (slot, record_type) in questions.iter_mut().zip(record_types) {
            *slot = Some(Question {
                record_type,
                settled: None,
                is_open: true,
                failed_rounds: 0,
                retry_at: None,
                failures: Vec::new(),
            });
        }
        let server_count = servers.len().min(MAX_NAMESERVERS);
        let mut query = Self {
            config,
            deadline: now + config.timeout,
            questions,
            servers: Default::default(),
            server_count,
            first_server: if server_count == 0 { 0 } else { first_server % server_count },
            widen_at: None,
        };
        query.start(servers, now);
        query
    }

    fn start(&mut self, servers: &[Nameserver], now: Instant) {
        let open = self.open();
        let proven = |&s: &usize| servers[s].is_proven();
        let best = (0..self.server_count).filter(proven).min_by_key(|&s| servers[s].smoothed_rtt());
        match (self.config.strategy, best) {
            (Strategy::Adaptive, Some(best)) if self.server_count > 1 => {
                for (server, nameserver) in servers.iter().enumerate().take(self.server_count) {
                    if server == best || nameserver.is_due_for_probe(now) {
                        self.ask(server, open);
                    }
                }
                self.widen_at = Some(now + servers[best].late_delay());
            }
            _ if self.is_in_turn() => self.ask(self.first_server, open),
            _ => (0..self.server_count).for_each(|server| self.ask(server, open)),
        }
    }

    /// The record type of a question.
    pub(crate) fn record_type(&self, question: usize) -> RecordType {
        self.questions[question].as_ref().expect("the index came from this query").record_type
    }

    /// Whether every question is settled and polled.
    pub(crate) fn is_done(&self) -> bool {
        self.questions.iter().flatten().all(|q| !q.is_open && q.settled.is_none())
    }

    /// Whether this question still waits for its answer.
    pub(crate) fn is_open(&self, question: usize) -> bool {
        self.questions[question].as_ref().is_some_and(|q| q.is_open)
    }

    /// Nobody waits for this question any longer.
    pub(crate) fn handle_abandoned(&mut self, question: usize) {
        if let Some(question) = &mut self.questions[question] {
            question.is_open = false;
            question.settled = None;
        }
    }

    /// A message about this question came from this nameserver and passed every check.
    pub(crate) fn handle_response(
        &mut self,
        question: usize,
        server: usize,
        transport: Transport,
        response: Response,
        servers: &mut [Nameserver],
        now: Instant,
    ) {
        if !self.is_open(question) {
            return;
        }
        match response {
            Response::Answer(answer) => match answer.outcome {
                Outcome::AliasLoop => {
                    self.fail_for_good(question, server, transport, FailureCause::AliasLoop, now);
                }
                Outcome::AliasChainTooLong => {
                    let cause = FailureCause::AliasChainTooLong;
                    self.fail_for_good(question, server, transport, cause, now);
                }
                _ => self.settle(question, Settled::Answer(answer)),
            },
            Response::Truncated => self.ask_over_tcp(question, server, now),
            Response::FormErr | Response::BadVers => {
                if !self.ask_without_edns(question, server, transport, servers, now) {
                    let rcode = match response {
                        Response::BadVers => Rcode::BADVERS,
                        _ => Rcode::FORMERR,
                    };
                    let cause = FailureCause::Rcode(rcode);
                    self.fail(question, server, transport, cause, servers, now);
                }
            }
            Response::Failure(rcode) => {
                self.fail(question, server, transport, FailureCause::Rcode(rcode), servers, now);
            }
            Response::LameReferral => {
                self.fail(question, server, transport, FailureCause::LameReferral, servers, now);
            }
            // Twelve bytes prove little: the others are asked at once, or this one without EDNS,
            // and its true answer is still welcome.
            Response::Hint(rcode) => {
                if matches!(rcode, Rcode::FORMERR | Rcode::BADVERS | Rcode::NOTIMP) {
                    self.ask_without_edns(question, server, transport, servers, now);
                }
                self.ask_unasked(Questions::one(question));
            }
        }
    }

    /// RFC 6891 section 7: a responder that does not implement EDNS "MUST respond with a return
    /// code (RCODE) of FORMERR". It gets the same question once more, in plain RFC 1035 form.
    /// Returns whether that is still to be tried.
    fn ask_without_edns(
        &mut self,
        question: usize,
        server: usize,
        transport: Transport,
        servers: &mut [Nameserver],
        now: Instant,
    ) -> bool {
        let progress = &mut self.servers[server];
        if !self.config.edns || progress.plain.contains(question) {
            return false;
        }
        progress.plain.insert(question);
        servers[server].handle_edns_refused(now);
        match transport {
            Transport::Udp => progress.due_udp.insert(question),
            Transport::Tcp => progress.due_tcp.insert(question),
        }
        self.servers[server].drop_exhausted_sends();
        true
    }

    /// A message with an id that was never sent came from this nameserver's address: somebody may
    /// be guessing. The question goes out over TCP as well, where guessing is out of reach, while
    /// the socket keeps listening (RFC 5452 section 9.2 asks for defence against such floods).
    pub(crate) fn handle_mismatch(&mut self, server: usize) {
        for question in self.open().iter() {
            if self.servers[server].tcp_sends[question] == 0 {
                self.servers[server].due_tcp.insert(question);
            }
        }
    }

    /// The socket or connection that carries these questions could not be used.
    pub(crate) fn handle_socket_error(
        &mut self,
        question: usize,
        server: usize,
        transport: Transport,
        kind: io::ErrorKind,
        servers: &mut [Nameserver],
        now: Instant,
    ) {
        if !self.is_open(question) {
            return;
        }
        if is_resource(kind) {
            // Not the nameserver's fault, and soon over, or not: the question waits for a free
            // descriptor until its deadline. The failure is kept for the error.
            let progress = &mut self.servers[server];
            let (sends, elapsed) = match transport {
                Transport::Udp => (&mut progress.udp_sends, progress.first_sent),
                Transport::Tcp => (&mut progress.tcp_sends, progress.first_sent),
            };
            sends[question] = sends[question].saturating_sub(1);
            progress.standing[question] = Standing::Waiting;
            progress.next = Some(now + RESOURCE_PAUSE);
            let elapsed = elapsed.map_or(Duration::ZERO, |at| now - at);
            self.record(question, server, transport, FailureCause::Socket(kind), elapsed);
        } else {
            servers[server].handle_failure(now);
            self.fail(question, server, transport, FailureCause::Socket(kind), servers, now);
        }
    }

    /// Time has passed. Early and repeated calls are harmless.
    pub(crate) fn handle_timeout(&mut self, servers: &mut [Nameserver], now: Instant) {
        if now >= self.deadline {
            for question in self.open().iter() {
                self.fail_by_deadline(question, now);
            }
            return;
        }
        if self.widen_at.is_some_and(|at| now >= at) {
            self.widen_at = None;
            self.ask_unasked(self.open());
        }
        for question in self.open().iter() {
            let state = self.questions[question].as_mut().expect("an open question exists");
            if state.retry_at.is_some_and(|at| now >= at) {
                state.retry_at = None;
                self.start_round(question);
            }
        }
        for server in 0..self.server_count {
            if self.servers[server].next.is_some_and(|at| now >= at) {
                self.servers[server].next = None;
                self.handle_overdue(server, servers, now);
            }
        }
    }

    /// What to send now.
    pub(crate) fn poll_send(&mut self, servers: &[Nameserver], now: Instant) -> Option<Send> {
        let open = self.open();
        for server in 0..self.server_count {
            let progress = &mut self.servers[server];
            progress.due_udp.0 &= open.0;
            progress.due_tcp.0 &= open.0;
            let (transport, questions) = if !progress.due_udp.is_empty() {
                (Transport::Udp, std::mem::take(&mut progress.due_udp))
            } else if !progress.due_tcp.is_empty() {
                (Transport::Tcp, std::mem::take(&mut progress.due_tcp))
            } else {
                continue;
            };
            return Some(self.note_send(server, transport, questions, servers, now));
        }
        None
    }

    /// A question that was just settled, and how.
    pub(crate) fn poll_settled(&mut self) -> Option<(usize, Settled)> {
        let settled = |(index, question): (usize, &mut Option<Question>)| {
            Some((index, question.as_mut()?.settled.take()?))
        };
        self.questions.iter_mut().enumerate().find_map(settled)
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        if self.open().is_empty() {
            return None;
        }
        let retries = self.questions.iter().flatten().filter_map(|q| q.retry_at);
        let nexts = self.servers[..self.server_count].iter().filter_map(|p| p.next);
        retries.chain(nexts).chain(self.widen_at).chain([self.deadline]).min()
    }

    /// With one nameserver there is nobody to turn to: it gets its resends.
    fn is_in_turn(&self) -> bool {
        self.config.strategy == Strategy::InTurn && self.server_count > 1
    }

    fn open(&self) -> Questions {
        let mut open = Questions::default();
        for (index, question) in self.questions.iter().enumerate() {
            if question.as_ref().is_some_and(|q| q.is_open) {
                open.insert(index);
            }
        }
        open
    }

    fn note_send(
        &mut self,
        server: usize,
        transport: Transport,
        questions: Questions,
        servers: &[Nameserver],
        now: Instant,
    ) -> Send {
        let deadline = self.deadline;
        let progress = &mut self.servers[server];
        let mut number = 0;
        for question in questions.iter() {
            let sends = match transport {
                Transport::Udp => &mut progress.udp_sends[question],
                Transport::Tcp => &mut progress.tcp_sends[question],
            };
            *sends += 1;
            number = number.max(*sends);
            progress.standing[question] = match transport {
                Transport::Udp => Standing::Waiting,
                Transport::Tcp => Standing::WaitingTcp,
            };
        }
        progress.first_sent.get_or_insert(now);
        let delay = match transport {
            Transport::Udp => {
                servers[server].resend_delay() * RESEND_GROWTH.pow(u32::from(number - 1))
            }
            Transport::Tcp => TCP_LATE_DELAY,
        };
        // Half of what is left at most, so that a short timeout still sees its resends.
        let delay = delay.min(deadline.saturating_duration_since(now) / 2);
        progress.next = Some(progress.next.map_or(now + delay, |at| at.min(now + delay)));
        // A path that drops EDNS in silence shows itself by silence alone, so the last send goes
        // without (RFC 6891 section 6.2.5 allows for such middleboxes).
        let edns = self.config.edns
            && progress.plain.is_empty()
            && servers[server].speaks_edns(now)
            && !(transport == Transport::Udp && number == MAX_SENDS);
        Send { server, transport, questions, edns }
    }

    /// Puts questions on the list of what is to be sent, as far as the limit allows.
    fn ask(&mut self, server: usize, questions: Questions) {
        let progress = &mut self.servers[server];
        if self.config.tcp_only {
            progress.due_tcp.0 |= questions.0;
        } else {
            progress.due_udp.0 |= questions.0;
        }
        self.servers[server].drop_exhausted_sends();
    }

    /// Asks nameservers that have not been asked these questions: all, or in turn the next one.
    fn ask_unasked(&mut self, questions: Questions) {
        for step in 0..self.server_count {
            let server = (self.first_server + step) % self.server_count;
            let mut unasked = Questions::default();
            for question in questions.iter() {
                if self.servers[server].standing[question] == Standing::Unasked
                    && !self.servers[server].due_udp.contains(question)
                    && !self.servers[server].due_tcp.contains(question)
                {
                    unasked.insert(question);
                }
            }
            if unasked.is_empty() {
                continue;
            }
            self.ask(server, unasked);
            if self.is_in_turn() {
                return;
            }
        }
    }

    fn ask_over_tcp(&mut self, question: usize, server: usize, now: Instant) {
        let progress = &mut self.servers[server];
        progress.due_udp.remove(question);
        if progress.tcp_sends[question] == 0 {
            progress.due_tcp.insert(question);
            progress.standing[question] = Standing::WaitingTcp;
            progress.next = Some(now + TCP_LATE_DELAY);
        }
    }

    /// A nameserver has not answered what it was sent: once more, or never.
    fn handle_overdue(&mut self, server: usize, servers: &mut [Nameserver], now: Instant) {
        let in_turn = self.is_in_turn();
        let mut again = Questions::default();
        let mut overdue = Questions::default();
        for question in self.open().iter() {
            let progress = &mut self.servers[server];
            match progress.standing[question] {
                // In turn, the next nameserver is asked instead, and this one again next round.
                Standing::Waiting if !in_turn && progress.udp_sends[question] < MAX_SENDS => {
                    again.insert(question);
                }
                Standing::Waiting | Standing::WaitingTcp => {
                    progress.standing[question] = Standing::Silent;
                }
                Standing::Unasked | Standing::Silent | Standing::Failed => continue,
            }
            overdue.insert(question);
        }
        if overdue.is_empty() {
            return;
        }
        servers[server].handle_failure(now);
        self.ask(server, again);
        self.ask_unasked(overdue);
        for question in overdue.iter() {
            self.finish_round_if_over(question, servers, now);
        }
    }

    fn settle(&mut self, question: usize, settled: Settled) {
        let state = self.questions[question].as_mut().expect("an open question exists");
        state.is_open = false;
        state.retry_at = None;
        state.failures = Vec::new();
        state.settled = Some(settled);
    }
}
