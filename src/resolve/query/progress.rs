//! Where a query stands with each nameserver.

use std::time::Instant;

use super::{MAX_QUESTIONS, MAX_SENDS};

/// A set of questions of one query, by index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Questions(pub(super) u8);

impl Questions {
    pub(super) fn one(index: usize) -> Self {
        Self(1 << index)
    }

    pub(super) fn insert(&mut self, index: usize) {
        self.0 |= 1 << index;
    }

    pub(super) fn remove(&mut self, index: usize) {
        self.0 &= !(1 << index);
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
pub(super) struct Progress {
    pub(super) standing: [Standing; MAX_QUESTIONS],
    pub(super) udp_sends: [u8; MAX_QUESTIONS],
    pub(super) tcp_sends: [u8; MAX_QUESTIONS],
    pub(super) due_udp: Questions,
    pub(super) due_tcp: Questions,
    pub(super) first_sent: Option<Instant>,
    /// When the questions that wait are sent again, or given up on.
    pub(super) next: Option<Instant>,
    /// The questions it gets without EDNS, because it said that it knows none.
    pub(super) plain: Questions,
}

/// Where a question stands with one nameserver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Standing {
    #[default]
    Unasked,
    Waiting,
    /// Truncated over UDP, now asked over TCP.
    WaitingTcp,
    /// All sends are out, and the last one is overdue. A late answer still counts.
    Silent,
    Failed,
}

impl Progress {
    /// Takes off the list what was sent as often as it may be.
    pub(super) fn drop_exhausted_sends(&mut self) {
        for question in 0..MAX_QUESTIONS {
            if self.udp_sends[question] >= MAX_SENDS {
                self.due_udp.remove(question);
            }
            if self.tcp_sends[question] >= MAX_SENDS {
                self.due_tcp.remove(question);
            }
        }
    }
}
