//! The part of [`Stub`] in which queries wait for room in the window of their nameserver.

use std::time::Instant;

use super::{Stub, Timer};
use crate::resolve::error::LookupErrorKind;
use crate::resolve::stub::ids::{LookupId, QueryId};

impl Stub {
    /// Puts a query in the lines that it wants to wait in.
    pub(super) fn line_up(&mut self, id: QueryId, now: Instant) {
        while let Some((place, rank)) =
            self.queries.get_mut(&id).and_then(|entry| entry.query.poll_turn())
        {
            let server = self.server_of(id, place);
            let (line, _) = &mut self.lines[server];
            line.push(id, rank);
            self.servers[server].set_waiting(line.lens());
            self.watch_line(server, now);
        }
    }

    /// Lets those at the head of a line send, as far as there is room.
    pub(super) fn advance_line(&mut self, server: usize, now: Instant) {
        if self.lines[server].0.is_empty() {
            return;
        }
        self.servers[server].expire_sends(now);
        loop {
            let nameserver = &mut self.servers[server];
            let (line, _) = &mut self.lines[server];
            let Some(id) = line.pop(|rank| nameserver.has_room(rank)) else { break };
            nameserver.set_waiting(line.lens());
            let place = self.place_of(id, server);
            if let Some(entry) = self.queries.get_mut(&id) {
                entry.query.handle_turn(place);
                self.advance_query(id, now);
            }
        }
        self.watch_line(server, now);
    }

    /// Arms the timer of a line: the places of queries that stay unanswered become free by time
    /// alone.
    fn watch_line(&mut self, server: usize, now: Instant) {
        let (line, timer) = &mut self.lines[server];
        let next = if line.is_empty() { None } else { self.servers[server].next_expiry() };
        let next = next.map(|at| at.max(now));
        let before = std::mem::replace(timer, next);
        self.move_timer(Timer::Turn(server), before, next);
    }

    /// Forgets the lines of queries that are gone.
    pub(super) fn clear_lines(&mut self) {
        for server in 0..self.lines.len() {
            let (line, timer) = &mut self.lines[server];
            if line.is_empty() {
                continue;
            }
            line.clear();
            let before = timer.take();
            self.servers[server].set_waiting([0; 2]);
            self.move_timer(Timer::Turn(server), before, None);
        }
    }

    /// Why a lookup whose time is over has no answer: no nameserver has answered in time, or its
    /// queries have not been sent.
    pub(super) fn overdue_kind(&self, id: LookupId) -> LookupErrorKind {
        let waits_for = self.lookups.get(&id).map(|entry| entry.waits_for).unwrap_or_default();
        let is_unsent = |&(query, question): &(QueryId, usize)| {
            let entry = self.queries.get(&query);
            entry.is_some_and(|entry| entry.query.is_unsent(question))
        };
        let mut waits_for = waits_for.iter().flatten().peekable();
        let is_overload = waits_for.peek().is_some() && waits_for.all(is_unsent);
        if is_overload { LookupErrorKind::Overloaded } else { LookupErrorKind::Timeout }
    }
}
