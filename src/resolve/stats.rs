//! [`Stats`]: what a resolver has done, counted.

use std::sync::atomic::{AtomicU64, Ordering};

use super::error::Transport;
use super::message::Ignored;

/// What a resolver's thread has done since the resolver was made ([`Resolver::stats`]).
///
/// [`Resolver::stats`]: super::Resolver::stats
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Lookups that asked nameservers.
    pub lookups: u64,
    /// Questions that were answered, negative answers included.
    pub answered: u64,
    /// Questions that no nameserver answered.
    pub failed: u64,
    /// Questions that joined an identical one that was already out.
    pub joined: u64,
    /// Queries sent over UDP, resends included.
    pub udp_queries: u64,
    /// Queries sent over TCP.
    pub tcp_queries: u64,
    /// Truncated responses, asked for again over TCP.
    pub truncated: u64,
    /// Messages that were dropped because they answered nothing that was asked: by reason, for
    /// reasons that occurred. They are forged, broken, or late.
    pub ignored: Vec<(&'static str, u64)>,
    /// UDP sockets open now.
    pub open_sockets: u64,
}

/// The counters behind [`Stats`]. The resolver thread alone writes, so no addition contends; no
/// reader relies on one counter to say anything of another, so none is ordered.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) lookups: AtomicU64,
    pub(crate) answered: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) joined: AtomicU64,
    pub(crate) truncated: AtomicU64,
    pub(crate) open_sockets: AtomicU64,
    udp_queries: AtomicU64,
    tcp_queries: AtomicU64,
    ignored: [AtomicU64; Ignored::COUNT],
    duplicates: AtomicU64,
}

const REASONS: [Ignored; Ignored::COUNT] = [
    Ignored::TooShort,
    Ignored::WrongId,
    Ignored::NotAResponse,
    Ignored::WrongOpcode,
    Ignored::WrongQuestion,
    Ignored::WrongCase,
    Ignored::Malformed,
];

pub(crate) fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Counters {
    pub(crate) fn query(&self, transport: Transport) {
        add(match transport {
            Transport::Udp => &self.udp_queries,
            Transport::Tcp => &self.tcp_queries,
        });
    }

    pub(crate) fn ignored(&self, reason: Ignored) {
        add(&self.ignored[reason.index()]);
    }

    /// A response to a question that is settled.
    pub(crate) fn duplicate(&self) {
        add(&self.duplicates);
    }

    pub(crate) fn snapshot(&self) -> Stats {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let reasons = REASONS.iter().map(|reason| (reason.name(), &self.ignored[reason.index()]));
        let ignored = reasons.chain([("duplicate", &self.duplicates)]);
        Stats {
            lookups: get(&self.lookups),
            answered: get(&self.answered),
            failed: get(&self.failed),
            joined: get(&self.joined),
            udp_queries: get(&self.udp_queries),
            tcp_queries: get(&self.tcp_queries),
            truncated: get(&self.truncated),
            ignored: ignored
                .map(|(name, counter)| (name, get(counter)))
                .filter(|&(_, count)| count > 0)
                .collect(),
            open_sockets: get(&self.open_sockets),
        }
    }
}
