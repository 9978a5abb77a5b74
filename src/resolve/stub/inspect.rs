//! What a [`Stub`] holds, for tests and fuzz targets that look for leaks.

use std::time::Instant;

use super::{MAX_QUESTIONS, QueryName, Stub};
use crate::resolve::error::RecordType;
use crate::resolve::stub::generations::Generations;
use crate::resolve::stub::ids::{LookupId, SocketId};
use crate::resolve::system::Call;

/// The sizes of a stub's tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Holdings {
    pub(crate) lookups: usize,
    pub(crate) queries: usize,
    pub(crate) in_flight: usize,
    pub(crate) calls: usize,
    pub(crate) sockets: usize,
    pub(crate) connections: usize,
    pub(crate) timers: usize,
    pub(crate) transmits: usize,
    pub(crate) ready: usize,
}

impl std::iter::Sum for Holdings {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |a, b| Self {
            lookups: a.lookups + b.lookups,
            queries: a.queries + b.queries,
            in_flight: a.in_flight + b.in_flight,
            calls: a.calls + b.calls,
            sockets: a.sockets + b.sockets,
            connections: a.connections + b.connections,
            timers: a.timers + b.timers,
            transmits: a.transmits + b.transmits,
            ready: a.ready + b.ready,
        })
    }
}

impl Generations {
    pub(crate) fn holdings(&self) -> Holdings {
        self.all().map(Stub::holdings).sum()
    }

    /// How many timers are due.
    pub(crate) fn due_timers(&self, now: Instant) -> usize {
        let due = |stub: &Stub| stub.timers.iter().take_while(|(at, _)| *at <= now).count();
        self.all().map(due).sum()
    }

    /// Whether a lookup waits for this call.
    pub(crate) fn is_wanted(&self, call: &Call) -> bool {
        self.all().any(|stub| stub.is_wanted(call))
    }

    pub(crate) fn has_ended(&self, id: LookupId) -> bool {
        self.all().all(|stub| stub.has_ended(id))
    }

    /// The stub that has this socket.
    pub(crate) fn with_socket(&self, socket: SocketId) -> Option<&Stub> {
        self.all().find(|stub| stub.has_socket(socket))
    }
}

impl Stub {
    /// How many queries are on the way to the nameserver of this UDP socket, and how many may be.
    pub(crate) fn on_the_way(&self, socket: SocketId) -> Option<(usize, u32)> {
        Some(self.servers[self.sockets.get(socket)?.server].on_the_way())
    }

    pub(crate) fn holdings(&self) -> Holdings {
        Holdings {
            lookups: self.lookups.len(),
            queries: self.queries.len(),
            in_flight: self.in_flight.len(),
            calls: self.calls_held(),
            sockets: self.sockets.len(),
            connections: self.connections.len(),
            timers: self.timers.len(),
            transmits: self.transmits.len(),
            ready: self.ready.len(),
        }
    }

    /// How many timers the lookups, queries and connections refer to.
    pub(crate) fn timers_in_use(&self) -> usize {
        let lookups = self.lookups.values();
        let lookups =
            lookups.flat_map(|entry| [entry.deadline, entry.candidate_timer, entry.paused_until]);
        let queries = self.queries.values().map(|entry| entry.timer);
        let connections = self.connections.values().map(|connection| connection.idle_at);
        let lines = self.lines.iter().map(|(_, timer)| *timer);
        let calls = std::iter::once(self.calls_timer());
        lookups.chain(queries).chain(connections).chain(lines).chain(calls).flatten().count()
    }

    /// Whether it holds what the operating system has found.
    pub(crate) fn holds_outcomes(&self) -> bool {
        self.calls_timer().is_some()
    }

    /// Whether lookups have postponed questions without a time at which they are asked.
    pub(crate) fn forgets_questions(&self) -> bool {
        self.lookups.values().any(|entry| !entry.paused.is_empty() && entry.paused_until.is_none())
    }

    /// The query in flight that asks this question. The name is in wire form.
    pub(crate) fn query_in_flight(&self, name: &[u8], record_type: RecordType) -> Option<u64> {
        let name = QueryName::of_wire(name);
        self.in_flight.get(&(name, record_type)).map(|(query, _)| query.0)
    }

    /// The name in flight that this one is, in wire form, as it was given.
    pub(crate) fn name_in_flight(&self, name: &[u8], record_type: RecordType) -> Option<&[u8]> {
        let (query, _) = self.in_flight.get(&(QueryName::of_wire(name), record_type))?;
        Some(self.queries.get(query)?.name.as_wire())
    }

    /// The questions that are open, one entry for each query that asks them.
    pub(crate) fn open_questions(&self) -> Vec<(String, RecordType)> {
        let mut open = Vec::new();
        for entry in self.queries.values() {
            for question in (0..MAX_QUESTIONS).filter(|&question| entry.query.is_open(question)) {
                open.push((entry.name.to_string(), entry.query.record_type(question)));
            }
        }
        open
    }

    /// Whether a question is in flight for the cache.
    pub(crate) fn asks_for_cache(&self) -> bool {
        let is_asked = |entry: &super::QueryEntry| {
            (0..MAX_QUESTIONS).any(|n| entry.for_cache[n] && entry.query.is_open(n))
        };
        self.queries.values().any(|entry| is_asked(entry))
    }

    /// Whether a question that is settled still listens to a late nameserver.
    pub(crate) fn listens(&self) -> bool {
        let listens = |entry: &super::QueryEntry| {
            (0..MAX_QUESTIONS).any(|question| entry.query.listens_to(question).is_some())
        };
        self.queries.values().any(|entry| listens(entry))
    }

    pub(crate) fn has_ended(&self, id: LookupId) -> bool {
        self.lookups.get(&id).is_none_or(|entry| entry.lookup.has_ended)
    }
}
