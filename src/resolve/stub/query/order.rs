//! The part of [`Query`] that keeps the order of the nameservers.
//!
//! resolv.conf(5) has nameservers asked in the order listed, and they are not equivalent: the first
//! may know private names of which a later one says that they do not exist. So the first is asked,
//! and the others when it is late for its own round-trip time, or has failed. An address counts
//! whoever says it. A *negative* answer of a later nameserver counts once every earlier one has
//! failed or is overdue.
//!
//! A nameserver that was silent or refused lately stands behind the others. It comes back with the
//! first answer to a probe; for this, and to learn whether a late one is alive, a query listens on
//! for a while after another nameserver has settled it.

use std::time::Instant;

use super::outcome::Settled;
use super::server_state::SendState;
use super::{MAX_NAMESERVERS, Query, TRANSPORTS};
use crate::resolve::NameserverStrategy;
use crate::resolve::error::Transport;
use crate::resolve::stub::nameserver::Nameserver;
use crate::resolve::wire::answer::{Answer, Outcome};

/// Whether a settled question still listens to a nameserver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Listening {
    #[default]
    No,
    /// Until this nameserver answers, or is overdue.
    To(usize),
    /// It has ended: the sockets are to be released.
    Over,
}

/// A negative answer that other nameservers may still contradict.
#[derive(Debug)]
pub(super) struct HeldAnswer {
    server: usize,
    /// No SOA record confirms it: whichever nameserver says something better is right, not only
    /// earlier ones.
    is_unconfirmed: bool,
    settled: Settled,
}

impl Query {
    /// Whether the order of the nameservers decides. With a single one there is none.
    pub(super) fn is_hedged(&self) -> bool {
        self.config.strategy == NameserverStrategy::Hedged && self.server_count > 1
    }

    /// Marks the first sends of a hedged query: to the first nameserver in good standing, to all if
    /// it was late with its last answer, and to those that are to be probed. If none is in good
    /// standing, all are asked, so that the first to recover is found at once.
    pub(super) fn start_hedged(&mut self, servers: &mut [Nameserver], now: Instant) {
        let listed = (0..self.server_count).map(|n| (self.first_server + n) % self.server_count);
        let (good, failing): (Vec<_>, Vec<_>) =
            listed.partition(|&server| servers[server].is_in_good_standing());
        let mut order = [0; MAX_NAMESERVERS];
        for (place, &server) in order.iter_mut().zip(good.iter().chain(&failing)) {
            *place = server;
        }
        self.order = order;
        let Some(&first) = good.first() else {
            return (0..self.server_count).for_each(|server| self.mark_all_due(server));
        };
        self.mark_all_due(first);
        if servers[first].is_late() {
            for &server in &good {
                self.mark_all_due(server);
            }
        }
        for server in failing {
            if servers[server].start_probe(now) {
                self.mark_all_due(server);
            }
        }
        self.hedges = true;
    }

    /// Sets the time at which the others are asked: the first one was sent to, or waits for its
    /// turn.
    pub(super) fn arm_hedge(&mut self, server: usize, servers: &[Nameserver], now: Instant) {
        if self.hedges && server == self.order[0] {
            self.hedges = false;
            self.others_at = Some(now + servers[server].late_delay());
        }
    }

    /// Takes an answer: settles the question with it, or holds it.
    ///
    /// RFC 2308 section 2.2: NODATA has a SOA record, or no NS records. A referral is neither that
    /// nor an address, whatever its flags say, and an empty response is one that forwarders make of
    /// many things. So neither counts while another nameserver may give a better answer, and it is
    /// the last word when none does. A forger that can send one could send an address.
    pub(super) fn take_answer(
        &mut self,
        question: usize,
        server: usize,
        answer: Answer,
        asked_at: Instant,
        servers: &[Nameserver],
    ) {
        let is_unconfirmed = answer.outcome == Outcome::Empty;
        let is_negative =
            is_unconfirmed || matches!(answer.outcome, Outcome::NoData | Outcome::NxDomain);
        let settled = Settled::Answer { answer, asked_at };
        if !is_negative {
            return self.settle_by(question, server, settled);
        }
        let state = self.questions[question].as_mut().expect("an open question exists");
        state.has_denied[server] = true;
        if is_unconfirmed {
            self.ask_for_better(question, servers);
        }
        let answer = HeldAnswer { server, is_unconfirmed, settled };
        let place = self.place(server);
        let state = self.questions[question].as_mut().expect("seen above");
        let is_better = |held: &HeldAnswer| {
            let held_place = self.order.iter().position(|&other| other == held.server);
            (held.is_unconfirmed, held_place) < (is_unconfirmed, Some(place))
        };
        if !state.held.as_ref().is_some_and(is_better) {
            state.held = Some(answer);
        }
        // It has answered: it is not asked again.
        for transport in TRANSPORTS {
            let via = self.servers[server].questions[question].via(transport);
            if via.is_open() {
                via.enter(SendState::Silent);
            }
        }
        self.settle_held(question, false, servers);
    }

    /// An answer is not confirmed: asks the nameservers in good standing that were not asked, or in
    /// turn the next one.
    fn ask_for_better(&mut self, question: usize, servers: &[Nameserver]) {
        for step in 0..self.server_count {
            let server = (self.first_server + step) % self.server_count;
            let may_be_asked = self.servers[server].questions[question].is_unasked()
                && self.may_still_answer(question, server)
                && servers[server].is_in_good_standing();
            if !may_be_asked {
                continue;
            }
            if !self.mark_due(server, question) {
                // It was asked as often as it may be: there is nothing to wait for.
                self.servers[server].questions[question].udp.enter(SendState::Failed);
            } else if self.is_in_turn() {
                return;
            }
        }
    }

    /// Settles a question with the answer that is held for it, if nothing speaks against it any
    /// more. Returns whether it did.
    pub(super) fn settle_held(
        &mut self,
        question: usize,
        is_over: bool,
        servers: &[Nameserver],
    ) -> bool {
        let Some(state) = &self.questions[question] else { return false };
        let Some(held) = &state.held else { return false };
        let is_awaited = if held.is_unconfirmed {
            self.is_anyone_else_awaited(question, servers)
        } else {
            self.is_anyone_ahead(question, held.server)
        };
        if !is_over && is_awaited {
            return false;
        }
        let state = self.questions[question].as_mut().expect("seen above");
        let held = state.held.take().expect("seen above");
        self.settle_by(question, held.server, held.settled);
        true
    }

    fn place(&self, server: usize) -> usize {
        self.order.iter().position(|&other| other == server).unwrap_or(0)
    }

    /// Whether an answer of a nameserver before this one may still come in time.
    fn is_anyone_ahead(&self, question: usize, server: usize) -> bool {
        let is_asked = |server: usize| !self.servers[server].questions[question].is_unasked();
        let mut earlier = self.order[..self.place(server)].iter().copied();
        self.is_hedged()
            && earlier.any(|server| is_asked(server) && self.may_still_answer(question, server))
    }

    /// Whether any nameserver in good standing may still give a better answer than one that is not
    /// confirmed.
    fn is_anyone_else_awaited(&self, question: usize, servers: &[Nameserver]) -> bool {
        (0..self.server_count).any(|server| {
            self.may_still_answer(question, server) && servers[server].is_in_good_standing()
        })
    }

    /// Whether the word of this nameserver is waited for.
    fn may_still_answer(&self, question: usize, server: usize) -> bool {
        let at_server = &self.servers[server].questions[question];
        let has_denied = self.questions[question].as_ref().is_some_and(|q| q.has_denied[server]);
        !has_denied && !at_server.is_overdue && !at_server.has_failed()
    }

    fn settle_by(&mut self, question: usize, server: usize, settled: Settled) {
        let listens = self.is_hedged().then(|| {
            let is_heard = |&&other: &&usize| {
                let udp = &self.servers[other].questions[question].udp;
                other != server && udp.state == SendState::Waiting && udp.next.is_some()
            };
            self.order[..self.server_count].iter().find(is_heard).copied()
        });
        self.settle(question, settled);
        let state = self.questions[question].as_mut().expect("just settled");
        state.listening = listens.flatten().map_or(Listening::No, Listening::To);
    }

    /// The nameserver that a settled question listens to.
    pub(crate) fn listens_to(&self, question: usize) -> Option<usize> {
        match self.questions[question].as_ref()?.listening {
            Listening::To(server) => Some(server),
            Listening::No | Listening::Over => None,
        }
    }

    /// A question that has ceased to listen. Each is returned once.
    pub(crate) fn poll_unheard(&mut self) -> Option<usize> {
        self.questions.iter_mut().position(|question| {
            let listening = question.as_mut().map(|question| &mut question.listening);
            listening.is_some_and(|l| {
                let is_over = *l == Listening::Over;
                if is_over {
                    *l = Listening::No;
                }
                is_over
            })
        })
    }

    pub(super) fn cease_listening(&mut self, question: usize) {
        if let Some(question) = &mut self.questions[question] {
            question.listening = Listening::Over;
        }
    }

    /// When the nameserver that a settled question listens to is overdue.
    pub(super) fn unheard_at(&self, question: usize) -> Option<Instant> {
        let server = self.listens_to(question)?;
        self.servers[server].questions[question].udp.next
    }

    /// Ceases to listen to nameservers that are overdue.
    pub(super) fn expire_listening(&mut self, servers: &mut [Nameserver], now: Instant) {
        for question in 0..self.questions.len() {
            if self.unheard_at(question).is_some_and(|at| now >= at) {
                let server = self.listens_to(question).expect("it has a time");
                servers[server].handle_silence(now);
                self.cease_listening(question);
            }
        }
    }

    /// A response came from the nameserver that a settled question listens to, or its socket
    /// failed, or it was not sent the question yet.
    pub(crate) fn handle_heard(&mut self, question: usize, server: usize, transport: Transport) {
        if transport == Transport::Udp && self.listens_to(question) == Some(server) {
            self.cease_listening(question);
        }
    }
}
