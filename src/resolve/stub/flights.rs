//! The part of [`Stub`] that is about lookups and the questions they wait for: each question is out
//! once, whoever asks the same waits with the others, and what nobody waits for is not asked.

use std::time::Instant;

use super::{LookupId, Pairing, QueryEntry, QueryId, Stub, Timer};
use crate::resolve::error::{LookupErrorKind, RecordType};
use crate::resolve::message::QueryName;
use crate::resolve::query::{MAX_QUESTIONS, Query, Settled};
use crate::resolve::stats::add;

impl Stub {
    /// Asks what the lookup wants asked.
    pub(super) fn advance_lookup(&mut self, id: LookupId, now: Instant) {
        self.start_candidate(id, now);
        let Some(entry) = self.lookups.get_mut(&id) else { return };
        let pairing = self.config.pairing;
        // Both families of one name become one query, so that they share its sockets.
        let mut new: Option<(QueryName, [Option<RecordType>; MAX_QUESTIONS])> = None;
        let mut apart: Vec<(QueryName, RecordType)> = Vec::new();
        let mut overdue_at = None;
        let mut is_waiting = entry.waits_for.iter().any(Option::is_some);
        while !(pairing == Pairing::InSequence && is_waiting) {
            let Some((record_type, name)) = entry.lookup.poll_question() else { break };
            is_waiting = true;
            if let Some(&(query, question)) = self.flights.get(&(name.clone(), record_type)) {
                entry.waits_for[slot(record_type)] = Some((query, question));
                let flight = self.queries.get_mut(&query).expect("a flight has its query");
                flight.subscribers[question].push(id);
                if flight.query.deadline() > entry.candidate_deadline {
                    overdue_at = Some(entry.candidate_deadline);
                }
                add(&self.counters.joined);
                continue;
            }
            match &mut new {
                None => new = Some((name, [Some(record_type), None])),
                Some((first, record_types)) if *first == name && pairing == Pairing::OneSocket => {
                    record_types[1] = Some(record_type);
                }
                Some(_) => apart.push((name, record_type)),
            }
        }
        if overdue_at.is_some() {
            let before = std::mem::replace(&mut entry.candidate_timer, overdue_at);
            self.move_timer(Timer::Candidate(id), before, overdue_at);
        }
        let apart = apart.into_iter().map(|(name, rt)| (name, [Some(rt), None]));
        for (name, record_types) in new.into_iter().chain(apart) {
            self.start_query(id, name, record_types, now);
        }
        self.mark_ready(id);
    }

    /// Gives a new candidate name its time.
    fn start_candidate(&mut self, id: LookupId, now: Instant) {
        let Some(entry) = self.lookups.get_mut(&id) else { return };
        let number = entry.lookup.candidate_number();
        if entry.candidate_number != number {
            entry.candidate_number = number;
            entry.candidate_deadline = now + self.config.query.timeout;
            let before = entry.candidate_timer.take();
            self.move_timer(Timer::Candidate(id), before, None);
        }
    }

    /// The time of a candidate name is up, while the question it waits for is still out: somebody
    /// else asked it later.
    pub(super) fn handle_candidate_overdue(&mut self, id: LookupId, now: Instant) {
        self.leave_flights(id, now);
        if let Some(entry) = self.lookups.get_mut(&id) {
            entry.candidate_timer = None;
            entry.lookup.handle_candidate_overdue(&self.servers);
            self.advance_lookup(id, now);
        }
    }

    fn start_query(
        &mut self,
        lookup: LookupId,
        name: QueryName,
        record_types: [Option<RecordType>; MAX_QUESTIONS],
        now: Instant,
    ) {
        let deadline = self.lookups[&lookup].candidate_deadline;
        let first_server = if self.config.rotate { self.rotation } else { 0 };
        self.rotation = self.rotation.wrapping_add(1);
        let record_types = record_types.into_iter().flatten();
        let config = self.config.query;
        let query = Query::new(
            record_types.clone(),
            config,
            &mut self.servers,
            first_server,
            deadline,
            now,
        );
        self.next_query += 1;
        let id = QueryId(self.next_query);
        let mut subscribers: [Vec<LookupId>; MAX_QUESTIONS] = Default::default();
        let entry = self.lookups.get_mut(&lookup).expect("a lookup that asks exists");
        for (question, record_type) in record_types.enumerate() {
            self.flights.insert((name.clone(), record_type), (id, question));
            entry.waits_for[slot(record_type)] = Some((id, question));
            subscribers[question].push(lookup);
        }
        let entry = QueryEntry { query, name, subscribers, waits: Vec::new(), timer: None };
        self.queries.insert(id, Box::new(entry));
        self.advance_query(id, now);
    }

    /// A question has its outcome: its sockets are returned, its flight ends, its lookups go on.
    pub(super) fn settle(&mut self, id: QueryId, question: usize, settled: &Settled, now: Instant) {
        let has_failed = matches!(settled, Settled::Failed(_));
        add(if has_failed { &self.counters.failed } else { &self.counters.answered });
        self.release(id, question, has_failed, now);
        let Some(entry) = self.queries.get_mut(&id) else { return };
        let record_type = entry.query.record_type(question);
        let name = entry.name.clone();
        let subscribers = std::mem::take(&mut entry.subscribers[question]);
        self.flights.remove(&(name.clone(), record_type));
        let is_overdue = matches!(settled, Settled::Failed(failure) if failure.kind() == LookupErrorKind::Timeout);
        for lookup in subscribers {
            let Some(entry) = self.lookups.get_mut(&lookup) else { continue };
            entry.waits_for[slot(record_type)] = None;
            if is_overdue && now < entry.candidate_deadline {
                // It joined late, and has time left: the question is asked anew.
                entry.lookup.ask_again(record_type, &name);
            } else {
                entry.lookup.handle_settled(record_type, &name, settled, &self.servers);
            }
            self.advance_lookup(lookup, now);
        }
    }

    /// A lookup waits for nothing any longer. A question that nobody else waits for is dropped.
    pub(super) fn leave_flights(&mut self, id: LookupId, now: Instant) {
        let Some(entry) = self.lookups.get_mut(&id) else { return };
        for (query, question) in std::mem::take(&mut entry.waits_for).into_iter().flatten() {
            let Some(entry) = self.queries.get_mut(&query) else { continue };
            entry.subscribers[question].retain(|&other| other != id);
            if entry.subscribers[question].is_empty() {
                let record_type = entry.query.record_type(question);
                self.flights.remove(&(entry.name.clone(), record_type));
                entry.query.handle_abandoned(question);
                self.release(query, question, false, now);
                self.advance_query(query, now);
            }
        }
    }
    pub(super) fn mark_ready(&mut self, id: LookupId) {
        let Some(entry) = self.lookups.get_mut(&id) else { return };
        let has_something = !entry.lookup.results.is_empty() || entry.lookup.end.is_some();
        if has_something && !entry.is_ready {
            entry.is_ready = true;
            self.ready.push_back(id);
        }
    }
}

fn slot(record_type: RecordType) -> usize {
    match record_type {
        RecordType::A => 0,
        RecordType::Aaaa => 1,
    }
}
