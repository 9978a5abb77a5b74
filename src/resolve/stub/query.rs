//! One query: which nameservers it goes to, when it is sent again, and what ends it.
//!
//! A [`Query`] carries one or two questions (A and AAAA) about the same name. They are sent
//! together, share a socket, and are settled independently.
//!
//! A question is settled by a fully valid answer, by as many failures of every nameserver as the
//! configuration says, or at the deadline. Nothing else that arrives ends it: a doubtful message
//! may make it ask another nameserver sooner, and it listens on.

mod case;
mod order;
mod outcome;
mod responses;
mod rounds;
mod sends;
mod server_state;

use std::time::{Duration, Instant};

use super::nameserver::Nameserver;
use super::pacing::{SendNumber, SendRank};
use crate::resolve::NameserverStrategy;
use crate::resolve::error::{RecordType, Transport};
use crate::resolve::wire::answer::Answer;
use crate::resolve::wire::case_mask::CaseMask;

use order::{HeldAnswer, Listening};
pub(crate) use outcome::{Failure, NameserverFailure, Settled};
pub(crate) use sends::resend_spread;
pub(crate) use server_state::Questions;
use server_state::{QuestionState, ServerState, Turn};

/// How many nameservers a query may go to. resolv.conf(5): "Up to MAXNS (currently 3) may be
/// listed".
pub(crate) const MAX_NAMESERVERS: usize = 3;
/// A and AAAA.
pub(crate) const MAX_QUESTIONS: usize = 2;

/// RFC 9520 section 3.1: "A resolver MUST NOT retry a given query to a server address over a given
/// DNS transport more than twice (i.e., three queries in total) before considering the server
/// address unresponsive over that transport for that query."
const MAX_SENDS: u8 = 3;
/// RFC 9520 section 3.2 has a nameserver that was silent to three sends left alone for a second at
/// least. After that the question is sent once more, and so on until the deadline: a nameserver
/// that restarts, or a network that comes back, is met again within a second.
const SILENT_RESEND_DELAY: Duration = Duration::from_secs(1);

const TRANSPORTS: [Transport; 2] = [Transport::Udp, Transport::Tcp];

/// The part of the configuration that queries use.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is one setting, free of the others")]
pub(crate) struct QueryConfig {
    pub(crate) strategy: NameserverStrategy,
    /// Whether no nameserver of its route is configured, so that this machine is asked, or none.
    pub(crate) is_unconfigured: bool,
    /// How long the nameservers have for one candidate name, aliases included.
    pub(crate) timeout: Duration,
    /// How often each nameserver may fail before a question fails.
    pub(crate) attempts: u8,
    pub(crate) edns: bool,
    /// Whether every query is sent over TCP (resolv.conf(5) `use-vc`).
    pub(crate) tcp_only: bool,
    /// Whether the letters of the names in queries over UDP have a random case.
    pub(crate) mixed_case: bool,
}

/// One question that was sent, for when a response to it arrives or its socket fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SentQuery {
    pub(crate) question: usize,
    pub(crate) server: usize,
    pub(crate) transport: Transport,
    pub(crate) edns: bool,
    /// The case of its letters, if it is a random one.
    pub(crate) case: Option<CaseMask>,
    pub(crate) at: Instant,
    /// The nameserver's number for it; of no meaning over TCP.
    pub(crate) number: SendNumber,
    /// Whether the send before it got no response in time.
    pub(crate) is_after_silence: bool,
}

/// Questions to be sent now, to one nameserver, from one socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct QuerySend {
    pub(crate) server: usize,
    pub(crate) transport: Transport,
    pub(crate) questions: Questions,
    pub(crate) edns: bool,
    /// Whether each question has its letters in a random case; of no meaning over TCP.
    pub(crate) mixes_case: bool,
    /// The number of the first question's send: the others follow.
    pub(crate) number: SendNumber,
    /// Of which questions the send before this one got no response in time.
    pub(crate) after_silence: Questions,
}

/// One name's questions to the nameservers.
///
/// Call order: `handle_*` as things happen; after each, [`poll_send`](Self::poll_send) and
/// [`poll_settled`](Self::poll_settled) until `None`; then wait until
/// [`poll_timeout`](Self::poll_timeout) for [`handle_timeout`](Self::handle_timeout).
#[derive(Debug)]
pub(crate) struct Query {
    config: QueryConfig,
    started: Instant,
    deadline: Instant,
    questions: [Option<QuestionEntry>; MAX_QUESTIONS],
    servers: [ServerState; MAX_NAMESERVERS],
    server_count: usize,
    /// The nameserver that `InTurn` starts with.
    first_server: usize,
    /// The nameservers in the order in which they count: see `order`.
    order: [usize; MAX_NAMESERVERS],
    /// Whether `others_at` is to be set when the first nameserver is sent to.
    hedges: bool,
    /// When the nameservers that were not asked yet are asked as well.
    others_at: Option<Instant>,
    /// The questions that had no response in time, for [`poll_late`](Self::poll_late).
    late: Vec<(usize, (usize, Transport))>,
    /// This query's resend delay, in thousandths of the usual one.
    resend_permille: u32,
}

#[derive(Debug)]
struct QuestionEntry {
    record_type: RecordType,
    /// `None` while open. Taken out by `poll_settled`.
    settled: Option<Settled>,
    is_open: bool,
    /// Rounds in which every nameserver has failed it.
    failed_rounds: u8,
    /// When the next round starts.
    retry_at: Option<Instant>,
    failures: Vec<NameserverFailure>,
    held: Option<HeldAnswer>,
    /// Which nameservers have given a negative answer.
    has_denied: [bool; MAX_NAMESERVERS],
    /// The addresses of the first truncated response that had any.
    last_resort: Option<Box<Answer>>,
    listening: Listening,
}

impl Query {
    /// Starts a query about `record_types` that ends at `deadline`. `first_server` is where
    /// `InTurn` begins. `random` varies the resend delay.
    pub(crate) fn new(
        record_types: impl IntoIterator<Item = RecordType>,
        config: QueryConfig,
        servers: &mut [Nameserver],
        first_server: usize,
        deadline: Instant,
        resend_permille: u32,
        now: Instant,
    ) -> Self {
        let mut questions = [None, None];
        for (slot, record_type) in questions.iter_mut().zip(record_types) {
            *slot = Some(QuestionEntry {
                record_type,
                settled: None,
                is_open: true,
                failed_rounds: 0,
                retry_at: None,
                failures: Vec::new(),
                held: None,
                has_denied: [false; MAX_NAMESERVERS],
                last_resort: None,
                listening: Listening::No,
            });
        }
        let mut query = Self {
            config,
            started: now,
            deadline,
            questions,
            servers: Default::default(),
            server_count: servers.len(),
            first_server,
            order: [0, 1, 2],
            hedges: false,
            others_at: None,
            late: Vec::new(),
            resend_permille,
        };
        query.start(servers, now);
        query
    }

    /// The time at which every question that is still open fails.
    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The record type of a question.
    pub(crate) fn record_type(&self, question: usize) -> RecordType {
        self.questions[question].as_ref().expect("the index came from this query").record_type
    }

    /// Whether every question is settled and polled, and none listens.
    pub(crate) fn is_done(&self) -> bool {
        let is_done =
            |q: &QuestionEntry| !q.is_open && q.settled.is_none() && q.listening == Listening::No;
        self.questions.iter().flatten().all(is_done)
    }

    /// Whether this question is not settled yet.
    pub(crate) fn is_open(&self, question: usize) -> bool {
        self.questions[question].as_ref().is_some_and(|q| q.is_open)
    }

    /// Gives a question up.
    pub(crate) fn handle_abandoned(&mut self, question: usize) {
        if let Some(question) = &mut self.questions[question] {
            question.is_open = false;
            question.settled = None;
            question.held = None;
            question.listening = Listening::No;
        }
    }

    /// Does what is due at `now`. Early and repeated calls are harmless.
    pub(crate) fn handle_timeout(&mut self, servers: &mut [Nameserver], now: Instant) {
        self.expire_listening(servers, now);
        if now >= self.deadline {
            for question in self.open().iter() {
                self.settle_failed(question, servers, now);
            }
            return;
        }
        if self.others_at.is_some_and(|at| now >= at) {
            self.others_at = None;
            let first = self.order[0];
            if self.servers[first].first_sent.is_some() {
                servers[first].handle_lateness();
            }
            for question in self.open().iter() {
                self.query_others(question);
            }
        }
        for question in self.open().iter() {
            let state = self.questions[question].as_mut().expect("an open question exists");
            if state.retry_at.is_some_and(|at| now >= at) {
                state.retry_at = None;
                self.start_round(question, servers, now);
            }
        }
        for server in 0..self.server_count {
            for transport in TRANSPORTS {
                // Both families together, so that they share a socket again.
                for question in self.open().iter() {
                    let via = self.servers[server].questions[question].via(transport);
                    if via.next.is_some_and(|at| now >= at) {
                        via.next = None;
                        self.handle_overdue(question, server, transport, servers, now);
                    }
                }
            }
        }
    }

    /// What to send now. What finds no room in the window of its nameserver waits for its turn:
    /// see [`poll_turn`](Self::poll_turn).
    pub(crate) fn poll_send(
        &mut self,
        servers: &mut [Nameserver],
        now: Instant,
    ) -> Option<QuerySend> {
        if now >= self.deadline {
            // After a stop a failure may be read before the timers. No lookup would wait for what
            // another nameserver says.
            return None;
        }
        let open = self.open();
        for server in 0..self.server_count {
            for transport in TRANSPORTS {
                let mut due = Questions::default();
                for question in open.iter() {
                    let via = self.servers[server].questions[question].via(transport);
                    if via.is_due() {
                        due.insert(question);
                    }
                }
                if due.is_empty() {
                    continue;
                }
                if transport == Transport::Udp {
                    let rank = self.rank(server, due);
                    let turn = &mut self.servers[server].turn;
                    match *turn {
                        Turn::NotNeeded if servers[server].may_be_sent(rank) => {}
                        Turn::NotNeeded => {
                            *turn = Turn::Wanted(rank);
                            self.arm_hedge(server, servers, now);
                            continue;
                        }
                        Turn::Wanted(_) | Turn::Waiting => continue,
                        Turn::Come => *turn = Turn::NotNeeded,
                    }
                }
                return Some(self.note_send(server, transport, due, servers, now));
            }
        }
        None
    }

    fn rank(&self, server: usize, questions: Questions) -> SendRank {
        let sends = |question: usize| self.servers[server].questions[question].udp.sends;
        let is_first = questions.iter().any(|question| sends(question) == 0);
        if is_first { SendRank::First } else { SendRank::Resend }
    }

    /// A nameserver for whose next free place this query is to be put in line. Each is returned
    /// once; [`handle_turn`](Self::handle_turn) is to be called when the place is free.
    pub(crate) fn poll_turn(&mut self) -> Option<(usize, SendRank)> {
        let mut servers = self.servers[..self.server_count].iter_mut().enumerate();
        servers.find_map(|(index, server)| match server.turn {
            Turn::Wanted(rank) => {
                server.turn = Turn::Waiting;
                Some((index, rank))
            }
            Turn::NotNeeded | Turn::Waiting | Turn::Come => None,
        })
    }

    /// The turn of this query at a nameserver has come: [`poll_send`](Self::poll_send) may send to
    /// it, once.
    pub(crate) fn handle_turn(&mut self, server: usize) {
        let is_needed = self.servers[server].questions.iter().any(|q| q.udp.is_due());
        self.servers[server].turn = if is_needed { Turn::Come } else { Turn::NotNeeded };
    }

    /// Whether a question waits for its turn, and was not sent to any nameserver yet.
    pub(crate) fn is_unsent(&self, question: usize) -> bool {
        let servers = &self.servers[..self.server_count];
        let sends = |server: &ServerState| {
            let QuestionState { udp, tcp, .. } = server.questions[question];
            udp.sends + tcp.sends
        };
        self.is_open(question)
            && servers.iter().all(|server| sends(server) == 0)
            && servers.iter().any(|server| server.turn == Turn::Waiting)
    }

    /// A question that had no response in time, and where. Each is returned once.
    pub(crate) fn poll_late(&mut self) -> Option<(usize, (usize, Transport))> {
        self.late.pop()
    }

    /// A question that was settled, and its outcome. Each is returned once.
    pub(crate) fn poll_settled(&mut self) -> Option<(usize, Settled)> {
        let settled = |(index, question): (usize, &mut Option<QuestionEntry>)| {
            Some((index, question.as_mut()?.settled.take()?))
        };
        self.questions.iter_mut().enumerate().find_map(settled)
    }

    /// The time at which [`handle_timeout`](Self::handle_timeout) is to be called.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let open = self.open();
        let unheard = (0..MAX_QUESTIONS).filter_map(|question| self.unheard_at(question)).min();
        if open.is_empty() {
            return unheard;
        }
        let mut first = self.deadline;
        let mut consider = |at: Option<Instant>| first = at.map_or(first, |at| first.min(at));
        consider(unheard);
        consider(self.others_at);
        for question in open.iter() {
            consider(self.questions[question].as_ref().and_then(|question| question.retry_at));
            for server in &self.servers[..self.server_count] {
                consider(server.questions[question].udp.next);
                consider(server.questions[question].tcp.next);
            }
        }
        Some(first)
    }

    /// Whether nameservers are asked in turn. A single nameserver gets its resends instead.
    fn is_in_turn(&self) -> bool {
        self.config.strategy == NameserverStrategy::InTurn && self.server_count > 1
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

    fn settle(&mut self, question: usize, settled: Settled) {
        let state = self.questions[question].as_mut().expect("an open question exists");
        state.is_open = false;
        state.retry_at = None;
        state.failures = Vec::new();
        state.held = None;
        state.last_resort = None;
        state.settled = Some(settled);
    }
}

#[cfg(test)]
mod tests;
