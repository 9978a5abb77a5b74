//! The state of a query at each nameserver.

use std::time::Instant;

use super::{MAX_QUESTIONS, MAX_SENDS, SILENT_RESEND_DELAY};
use crate::resolve::error::{FailureCause, Transport};
use crate::resolve::stub::pacing::SendRank;

/// A set of questions of one query, by index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Questions(u8);

impl Questions {
    pub(super) fn insert(&mut self, index: usize) {
        self.0 |= 1 << index;
    }

    pub(crate) fn contains(self, index: usize) -> bool {
        self.0 & (1 << index) != 0
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = usize> {
        (0..MAX_QUESTIONS).filter(move |&index| self.contains(index))
    }
}

/// One query at one nameserver.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ServerState {
    pub(super) questions: [QuestionState; MAX_QUESTIONS],
    pub(super) first_sent: Option<Instant>,
    /// The nameserver has refused EDNS for this query.
    pub(super) without_edns: bool,
    /// It has responded to a query with EDNS with an error that need not be about EDNS.
    pub(super) has_failed_edns: bool,
    pub(super) turn: Turn,
}

/// Where a query stands in the line before a nameserver whose window is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Turn {
    #[default]
    NotNeeded,
    /// It has to be put in line.
    Wanted(SendRank),
    Waiting,
    /// It may send to it now.
    Come,
}

/// One question at one nameserver: over UDP, over TCP, or, once ids seem to be guessed, over both
/// at once.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one fact, free of the others")]
pub(super) struct QuestionState {
    pub(super) udp: TransportState,
    pub(super) tcp: TransportState,
    /// The response over UDP was truncated: only TCP is used from then on.
    pub(super) is_truncated: bool,
    pub(super) case: CaseState,
    /// It has not responded within its resend delay, or its port was refused.
    pub(super) is_overdue: bool,
    /// Its silence may be due to the load on the nameserver: a round does not end by it.
    pub(super) is_overrun: bool,
    /// It has refused the question because of how many queries it had.
    pub(super) met_overload: bool,
    /// How often its port was refused.
    pub(super) refusals: u8,
    /// When that was sent to which it last was.
    pub(super) refused: Option<Instant>,
    /// What came that is less than a response, but a sign of life: an error without a question, or
    /// what cannot be read. It is reported if no better response comes.
    pub(super) hint: Option<FailureCause>,
}

/// One question at one nameserver over one transport.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TransportState {
    pub(super) state: SendState,
    pub(super) sends: u8,
    /// When it is overdue, or sent again.
    pub(super) next: Option<Instant>,
    pub(super) last_sent: Option<Instant>,
    /// Its last send got no response in time.
    pub(super) was_silent: bool,
}

/// The sends of a question to one nameserver over one transport.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum SendState {
    #[default]
    Unasked,
    /// To be sent now.
    Due,
    Waiting,
    /// Over TCP, waiting for so long that the other nameservers are asked.
    Late,
    /// Not sent, since the process is out of descriptors or memory; tried again soon.
    Held,
    /// Every send of the round was made, and the last one is overdue. A late response is still
    /// accepted, and over UDP the question is sent again from time to time.
    Silent,
    /// Silent, and to be sent again now.
    SilentDue,
    Failed,
}

/// Whether a nameserver keeps the case of a question, as its responses to a query tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum CaseState {
    /// Nothing speaks against it.
    #[default]
    Kept,
    /// A response over UDP came in another case: the question is asked over TCP.
    Doubted,
    /// TCP cannot be had: the question is asked over UDP as it was given.
    Plain,
    /// It has answered the question where its case does not matter.
    Changed,
}

impl TransportState {
    /// Whether it is to be sent now.
    pub(super) fn is_due(self) -> bool {
        matches!(self.state, SendState::Due | SendState::SilentDue)
    }

    pub(super) fn is_silent(self) -> bool {
        matches!(self.state, SendState::Silent | SendState::SilentDue)
    }

    pub(super) fn is_open(self) -> bool {
        use SendState::{Due, Held, Late, Waiting};
        matches!(self.state, Due | Waiting | Late | Held)
    }

    pub(super) fn enter(&mut self, state: SendState) {
        self.state = state;
        self.next = None;
    }

    /// Every send was made. Over UDP it is sent again `SILENT_RESEND_DELAY` after the last one.
    pub(super) fn enter_silence(&mut self, now: Instant) {
        self.enter(SendState::Silent);
        let again = self.last_sent.map(|at| at + SILENT_RESEND_DELAY);
        self.next = again.map(|at| at.max(now));
    }

    /// Marks it to be sent now. Returns `false` if it was sent as often as it may be.
    pub(super) fn mark_due(&mut self) -> bool {
        let may_be_sent = self.sends < MAX_SENDS;
        if may_be_sent {
            self.enter(SendState::Due);
        }
        may_be_sent
    }
}

impl QuestionState {
    pub(super) fn via(&mut self, transport: Transport) -> &mut TransportState {
        match transport {
            Transport::Udp => &mut self.udp,
            Transport::Tcp => &mut self.tcp,
        }
    }

    pub(super) fn is_unasked(&self) -> bool {
        [self.udp, self.tcp].iter().all(|via| via.state == SendState::Unasked)
    }

    /// Every send is overdue, but a late response may come.
    pub(super) fn is_silent(&self) -> bool {
        let transports = [self.udp, self.tcp];
        !transports.iter().any(|via| via.is_open()) && transports.iter().any(|via| via.is_silent())
    }

    /// Whether it has failed over each transport that was tried.
    pub(super) fn has_failed(&self) -> bool {
        let transports = [self.udp, self.tcp];
        transports.iter().all(|via| matches!(via.state, SendState::Failed | SendState::Unasked))
            && !self.is_unasked()
    }

    /// Whether it has sends left over the transport that it would use.
    pub(super) fn may_be_asked(&self, tcp_only: bool) -> bool {
        let via = if tcp_only || self.is_truncated { self.tcp } else { self.udp };
        via.sends < MAX_SENDS
    }

    /// Starts a new round. The sends so far still count, but a nameserver that was left alone for a
    /// second may be sent one more datagram (RFC 9520 section 3.2).
    pub(super) fn start_anew(&mut self, now: Instant) {
        self.udp.enter(SendState::Unasked);
        self.tcp.enter(SendState::Unasked);
        if self.udp.last_sent.is_some_and(|at| now >= at + SILENT_RESEND_DELAY) {
            self.udp.sends = self.udp.sends.min(MAX_SENDS - 1);
        }
        self.hint = None;
    }
}
