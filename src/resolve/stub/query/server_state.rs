//! Where a query stands with each nameserver.

use std::time::Instant;

use super::{MAX_QUESTIONS, MAX_SENDS};
use crate::resolve::error::{Rcode, Transport};

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

/// What has passed between one query and one nameserver.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ServerState {
    pub(super) questions: [QuestionState; MAX_QUESTIONS],
    pub(super) first_sent: Option<Instant>,
    /// It gets no EDNS any more, because it said that it knows none.
    pub(super) without_edns: bool,
}

/// What has passed between one question and one nameserver: over UDP, over TCP, or, once somebody
/// seems to be guessing ids, over both at once.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct QuestionState {
    pub(super) udp: TransportState,
    pub(super) tcp: TransportState,
    /// The answer is known not to fit a datagram: it is asked for over TCP alone.
    pub(super) is_truncated: bool,
    /// An error without a question came. It is told, if nothing better comes.
    pub(super) hint: Option<Rcode>,
}

/// One question, one nameserver, one transport.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TransportState {
    pub(super) state: SendState,
    pub(super) sends: u8,
    /// When it is overdue, or tried again.
    pub(super) next: Option<Instant>,
}

/// Where a question stands with one nameserver over one transport.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum SendState {
    #[default]
    Unasked,
    /// To be sent now.
    Due,
    Waiting,
    /// Waiting still, over TCP, for longer than the others can be left unasked.
    Late,
    /// Not sent: this process is out of descriptors or memory, and tries again soon.
    Held,
    /// All sends are out, and the last one is overdue. A late answer still counts.
    Silent,
    Failed,
}

impl TransportState {
    pub(super) fn is_open(self) -> bool {
        use SendState::{Due, Held, Late, Waiting};
        matches!(self.state, Due | Waiting | Late | Held)
    }

    pub(super) fn enter(&mut self, state: SendState) {
        self.state = state;
        self.next = None;
    }

    /// Lets it be sent now; `false` if it was sent as often as it may be.
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

    /// Nothing is out or about to go out, but a late answer may come.
    pub(super) fn is_silent(&self) -> bool {
        let transports = [self.udp, self.tcp];
        !transports.iter().any(|via| via.is_open())
            && transports.iter().any(|via| via.state == SendState::Silent)
    }

    /// Failed over each transport that was tried.
    pub(super) fn has_failed(&self) -> bool {
        let transports = [self.udp, self.tcp];
        transports.iter().all(|via| matches!(via.state, SendState::Failed | SendState::Unasked))
            && !self.is_unasked()
    }

    /// Whether it has sends left over the transport that would be used.
    pub(super) fn may_be_asked(&self, tcp_only: bool) -> bool {
        let via = if tcp_only || self.is_truncated { self.tcp } else { self.udp };
        via.sends < MAX_SENDS
    }

    /// A new round: what was sent so far still counts.
    pub(super) fn start_anew(&mut self) {
        self.udp.enter(SendState::Unasked);
        self.tcp.enter(SendState::Unasked);
        self.hint = None;
    }
}
