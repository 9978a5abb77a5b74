//! One TCP connection to one nameserver, and the outstanding queries on it (RFC 7766).

use std::time::{Duration, Instant};

use super::ids::QueryId;
use super::sockets::{OutstandingQueries, OutstandingQuery};
use crate::resolve::wire::framing::Framing;

/// RFC 7766 section 6.2.3: "DNS clients ... SHOULD close the TCP connection ... idle". Long enough
/// for the AAAA of a truncated A, and for the next name of a page; short enough that a busy
/// nameserver is not asked to keep state for a client that has gone quiet.
const IDLE_TIMEOUT: Duration = Duration::from_secs(2);

/// A connection, from its opening to its end.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) server: usize,
    pub(crate) is_connected: bool,
    /// Whether it has brought a valid response: only then is its loss retried without a failure.
    pub(crate) has_answered: bool,
    /// A question timed out on it: no further query is sent on it.
    pub(crate) is_stuck: bool,
    pub(crate) framing: Framing,
    pub(crate) outstanding: OutstandingQueries,
    /// How many queries await a response.
    open: usize,
    pub(crate) idle_at: Option<Instant>,
}

impl Connection {
    pub(crate) fn new(server: usize) -> Self {
        Self {
            server,
            is_connected: false,
            has_answered: false,
            is_stuck: false,
            framing: Framing::default(),
            outstanding: OutstandingQueries::default(),
            open: 0,
            idle_at: None,
        }
    }

    /// Whether a query may be sent on it. The ids of queries without a response stay taken for the
    /// life of the connection, so one that has lost too many is left to end.
    pub(crate) fn is_usable(&self) -> bool {
        !self.is_stuck && self.outstanding.has_room_for(1)
    }

    /// Adds a query under an id that no other query has on this connection, and returns the id
    /// (RFC 7766 section 6.2.1: "they MUST take care ... not to reuse the Message ID").
    pub(crate) fn add(
        &mut self,
        outstanding: OutstandingQuery,
        random: &mut dyn FnMut() -> u16,
    ) -> u16 {
        self.idle_at = None;
        self.open += 1;
        self.outstanding.add(outstanding, random)
    }

    /// The response to the query under `id` has arrived: the id is free.
    pub(crate) fn handle_answered(&mut self, id: u16, now: Instant) {
        self.has_answered = true;
        if self.outstanding.remove(id).is_some_and(|outstanding| !outstanding.is_settled) {
            self.open -= 1;
        }
        self.rest(now);
    }

    /// Marks the question of `query` under `id` as settled, without a response from this
    /// connection. The id stays taken, since the nameserver may still respond. Does nothing if the
    /// response has arrived: the id may be another query's by now.
    pub(crate) fn release(&mut self, query: QueryId, id: u16, has_failed: bool, now: Instant) {
        let outstanding = self.outstanding.get_mut(id);
        let is_open = |o: &&mut OutstandingQuery| o.query == query && !o.is_settled;
        if let Some(outstanding) = outstanding.filter(is_open) {
            outstanding.is_settled = true;
            self.is_stuck |= has_failed;
            self.open -= 1;
        }
        self.rest(now);
    }

    fn rest(&mut self, now: Instant) {
        if self.open == 0 && self.idle_at.is_none() {
            self.idle_at = Some(if self.is_stuck { now } else { now + IDLE_TIMEOUT });
        }
    }
}
