//! One TCP connection to one nameserver, and the questions on it (RFC 7766).

use std::time::{Duration, Instant};

use super::framing::Framing;
use super::sockets::{Outstanding, unused_id};
use super::stub::QueryId;

/// RFC 7766 section 6.2.3: "DNS clients ... SHOULD close the TCP connection ... idle". Long enough
/// for the AAAA of a truncated A, and for the next name of a page; short enough that a busy
/// nameserver is not asked to keep state for a client that has gone quiet.
const IDLE_TIMEOUT: Duration = Duration::from_secs(2);

/// A connection, from its opening to its close.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) server: usize,
    pub(crate) is_connected: bool,
    /// Whether it has brought a valid response: only then is its loss worth a silent second try.
    pub(crate) has_answered: bool,
    /// A question timed out on it: nothing new is asked here.
    pub(crate) is_stuck: bool,
    pub(crate) framing: Framing,
    pub(crate) outstanding: Vec<Outstanding>,
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
            outstanding: Vec::new(),
            idle_at: None,
        }
    }

    /// Lets a question wait here, under an id that no other question has on this connection
    /// (RFC 7766 section 6.2.1: "they MUST take care ... not to reuse the Message ID").
    pub(crate) fn add(
        &mut self,
        mut outstanding: Outstanding,
        random: &mut dyn FnMut() -> u16,
    ) -> u16 {
        outstanding.id = unused_id(&self.outstanding, random);
        self.outstanding.push(outstanding);
        self.idle_at = None;
        outstanding.id
    }

    /// The question that waits under `id`.
    pub(crate) fn find(&self, id: u16) -> Option<&Outstanding> {
        self.outstanding.iter().find(|o| o.id == id)
    }

    /// A question is settled, by a response from here (`answered`) or by anything else. An id stays
    /// taken until its response is in: the nameserver may still send it.
    pub(crate) fn settle(
        &mut self,
        query: QueryId,
        question: usize,
        timed_out: bool,
        now: Instant,
    ) {
        for outstanding in &mut self.outstanding {
            if outstanding.query == query && outstanding.question == question {
                self.is_stuck |= timed_out && !outstanding.is_settled;
                outstanding.is_settled = true;
            }
        }
        if self.outstanding.iter().all(|o| o.is_settled) {
            self.idle_at = Some(if self.is_stuck { now } else { now + IDLE_TIMEOUT });
        }
    }
}
