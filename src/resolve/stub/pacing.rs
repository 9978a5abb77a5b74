//! [`Pacer`]: how many queries one nameserver is sent at once.
//!
//! A burst of ten thousand lookups, sent as it comes, overruns the socket buffer of a nameserver
//! that would answer all of them, or its limit of queries in flight. RFC 8085 section 3.1 asks of a
//! program what TCP does for its connections: to bound what is on the way, to open that bound with
//! what arrives, and to close it on loss.
//!
//! What counts is what was sent *lately* and is not answered yet. A query that has been silent for
//! longer than the nameserver usually takes counts no more: it is lost, or about a name whose own
//! nameservers are dead, and ten thousand of these must not hold up the next name.
//!
//! Silence is therefore no sign of loss. A query that was sent again and then answered is one, and
//! so is a REFUSED or SERVFAIL while many queries are on the way: it is how a nameserver says that
//! it has enough of them.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::ids::QueryId;

/// A quarter of what the usual socket buffer of a nameserver on Linux holds (212,992 octets, some
/// 270 datagrams), and less than half of dnsmasq's limit of 150 queries in flight.
const INITIAL_WINDOW: u32 = 64;
/// Up to here the window doubles with each round trip, and from here it grows by one in each.
const INITIAL_THRESHOLD: u32 = 128;
/// Even a nameserver that refuses most of a burst is asked so much at once.
const MIN_WINDOW: u32 = 8;
/// At a round trip of 100 ms these are 10,000 queries a second.
const MAX_WINDOW: u32 = 1024;
/// By how much loss closes the window, in tenths. RFC 9438 section 4.6 has the same factor.
const DECREASE: u32 = 7;
/// From so many unanswered queries on, an error may be the answer to the load.
const LOAD: usize = 16;
/// For so long after a loss, silence may be another one.
const LOSS_PERIOD: Duration = Duration::from_secs(1);

/// The number of a send to one nameserver, counted from its first one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SendNumber(u64);

impl SendNumber {
    /// The number of the send that comes so many after this one.
    pub(crate) fn plus(self, count: usize) -> Self {
        Self(self.0 + count as u64)
    }
}

/// Whether a query that is to be sent has been sent to this nameserver before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SendRank {
    First,
    Resend,
}

/// The window of one nameserver.
#[derive(Debug)]
pub(crate) struct Pacer {
    /// When each of the last sends was made, the oldest first; `None` once it is answered.
    recent: VecDeque<Option<Instant>>,
    /// The number of the first in `recent`.
    first: SendNumber,
    /// How many in `recent` are not answered.
    unanswered: usize,
    window: u32,
    threshold: u32,
    /// Answers since the window last grew by one.
    answers: u32,
    /// Loss among the sends before this one has closed the window already.
    recovery: SendNumber,
    /// When it last lost a send because of how many there were.
    lost_at: Option<Instant>,
    /// The shortest round trip: much more than this is time in the nameserver's queue.
    least_rtt: Option<Duration>,
    last_answer_at: Option<Instant>,
}

impl Default for Pacer {
    fn default() -> Self {
        Self {
            recent: VecDeque::new(),
            first: SendNumber(0),
            unanswered: 0,
            window: INITIAL_WINDOW,
            threshold: INITIAL_THRESHOLD,
            answers: 0,
            recovery: SendNumber(0),
            lost_at: None,
            least_rtt: None,
            last_answer_at: None,
        }
    }
}

impl Pacer {
    pub(crate) fn window(&self) -> u32 {
        self.window
    }

    /// Whether a query may be sent now. Resends have half of the window: they never take the place
    /// of a name that was not asked for yet.
    pub(crate) fn has_room(&self, rank: SendRank) -> bool {
        let window = match rank {
            SendRank::First => self.window,
            SendRank::Resend => self.window / 2,
        };
        self.unanswered < window as usize
    }

    #[cfg(any(test, fuzzing))]
    pub(crate) fn on_the_way(&self) -> (usize, u32) {
        (self.unanswered, self.window)
    }

    /// Whether so much is on the way that an error may be the answer to it.
    pub(crate) fn is_under_load(&self) -> bool {
        self.unanswered >= LOAD
    }

    /// Whether it has lost a send lately.
    pub(crate) fn loses(&self, now: Instant) -> bool {
        self.lost_at.is_some_and(|at| now < at + LOSS_PERIOD)
    }

    /// Records `count` sends, and returns the number of the first.
    pub(crate) fn note_sends(&mut self, count: usize, now: Instant) -> SendNumber {
        let number = self.first.plus(self.recent.len());
        self.recent.extend(std::iter::repeat_n(Some(now), count));
        self.unanswered += count;
        number
    }

    /// A response to this send came. `is_answer` is whether it is a valid answer: only these open
    /// the window, and only as far as it is used (RFC 7661 section 4.3).
    pub(crate) fn handle_response(&mut self, number: SendNumber, is_answer: bool, now: Instant) {
        let is_used = 2 * self.unanswered >= self.window as usize;
        let Some(sent_at) = self.take(number) else { return };
        if !is_answer {
            return;
        }
        self.last_answer_at = Some(now);
        let rtt = now.saturating_duration_since(sent_at);
        let least = self.least_rtt.map_or(rtt, |least| least.min(rtt));
        self.least_rtt = Some(least);
        if is_used {
            // Over a long path, without a queue at its end, a round trip is too long a time to
            // grow by one in.
            let has_no_queue = self.lost_at.is_none() && rtt < 2 * least;
            self.grow(has_no_queue);
        }
    }

    /// This send was lost, or was one too many for the nameserver. A window's worth of losses
    /// closes the window once.
    pub(crate) fn handle_loss(&mut self, number: SendNumber, now: Instant) {
        self.lost_at = Some(now);
        if number >= self.recovery {
            self.window = (self.window * DECREASE / 10).max(MIN_WINDOW);
            self.threshold = self.window;
            self.answers = 0;
            self.recovery = self.first.plus(self.recent.len());
        }
    }

    /// Sends older than `patience` count no more.
    pub(crate) fn handle_timeout(&mut self, patience: Duration, now: Instant) {
        while let Some(&front) = self.recent.front() {
            match front {
                Some(sent_at) if now < sent_at + patience => return,
                Some(sent_at) => {
                    self.unanswered -= 1;
                    // A nameserver that says nothing at all is not kept from answering by how much
                    // it is sent: either it is dead, or every name is one that hangs.
                    if self.lost_at.is_none() && self.last_answer_at.is_none_or(|at| at < sent_at) {
                        self.grow(true);
                    }
                }
                None => {}
            }
            self.recent.pop_front();
            self.first = self.first.plus(1);
        }
    }

    /// When the oldest send will count no more.
    pub(crate) fn poll_timeout(&self, patience: Duration) -> Option<Instant> {
        self.recent.front().copied().flatten().map(|sent_at| sent_at + patience)
    }

    /// Takes an unanswered send off. `None` if it was, or counts no more.
    fn take(&mut self, number: SendNumber) -> Option<Instant> {
        let index = usize::try_from(number.0.checked_sub(self.first.0)?).ok()?;
        let sent_at = self.recent.get_mut(index)?.take()?;
        self.unanswered -= 1;
        while let Some(None) = self.recent.front() {
            self.recent.pop_front();
            self.first = self.first.plus(1);
        }
        Some(sent_at)
    }

    fn grow(&mut self, has_no_queue: bool) {
        self.answers += 1;
        if self.window < self.threshold || has_no_queue || self.answers >= self.window {
            self.window = (self.window + 1).min(MAX_WINDOW);
            self.answers = 0;
        }
    }
}

/// The queries that wait for their turn at one nameserver: first sends before resends, and each in
/// the order in which they became due.
///
/// A query that is settled or dropped meanwhile keeps its place until its turn comes, and is passed
/// over then.
#[derive(Debug, Default)]
pub(crate) struct Line {
    firsts: VecDeque<QueryId>,
    resends: VecDeque<QueryId>,
}

impl Line {
    pub(crate) fn push(&mut self, query: QueryId, rank: SendRank) {
        match rank {
            SendRank::First => self.firsts.push_back(query),
            SendRank::Resend => self.resends.push_back(query),
        }
    }

    /// The next query, if there is room for it.
    pub(crate) fn pop(&mut self, has_room: impl Fn(SendRank) -> bool) -> Option<QueryId> {
        let (queue, rank) = if self.firsts.is_empty() {
            (&mut self.resends, SendRank::Resend)
        } else {
            (&mut self.firsts, SendRank::First)
        };
        if has_room(rank) { queue.pop_front() } else { None }
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.firsts.is_empty() && self.resends.is_empty()
    }

    /// How many wait to be sent for the first time, and again.
    pub(crate) fn lens(&self) -> [usize; 2] {
        [self.firsts.len(), self.resends.len()]
    }
}

#[cfg(test)]
mod tests;
