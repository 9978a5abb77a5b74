//! The part of [`Stub`] that gets the questions of lookups answered: from the cache, from a query
//! in flight, or by a new query.
//!
//! Identical questions are coalesced: a second lookup joins the query in flight and receives its
//! answer. A question without a subscriber is abandoned, unless it is asked for the cache.

use std::time::{Duration, Instant};

use super::notes;
use super::route_servers::RouteId;
use super::routes::Destination;
use super::subscribers::Subscribers;
use super::{Pairing, QueryEntry, Stub, Timer};
use crate::resolve::error::{LookupErrorKind, RecordType};
use crate::resolve::stats::add;
use crate::resolve::stub::ids::{LookupId, QueryId};
use crate::resolve::stub::lookup::{Prospect, RECORD_TYPES};
use crate::resolve::stub::query::{MAX_QUESTIONS, Query, Settled};
use crate::resolve::system::Families;
use crate::resolve::wire::query_name::QueryName;

/// A lookup that asks within a second of the first shares its answer, even one with a TTL of 0: it
/// is the time for which RFC 9520 section 3.2 has failures cached.
const TOGETHER: Duration = Duration::from_secs(1);
/// For so long a question that has failed is left alone where no cache keeps the failure: the least
/// that RFC 9520 section 3.2 allows.
const MIN_PAUSE: Duration = Duration::from_secs(1);

/// The outcome of a question that is known.
struct Known {
    settled: Settled,
    /// How many lookups were given it before.
    turn: u32,
    wants_refresh: bool,
    /// For how long it holds from now on.
    ttl: Duration,
}

/// A query that is to be started.
struct NewQuery {
    name: QueryName,
    record_types: [Option<RecordType>; MAX_QUESTIONS],
    route: RouteId,
}

impl Stub {
    /// Answers the questions of a lookup that are known, and asks the others.
    pub(super) fn advance_lookup(&mut self, id: LookupId, now: Instant) {
        let pairing = self.config.pairing;
        let order = match pairing {
            // As the C library: programs for IPv4 alone lose nothing to a nameserver that does not
            // answer about AAAA.
            Pairing::InSequence => [RecordType::A, RecordType::Aaaa],
            Pairing::OneSocket | Pairing::OwnSockets => RECORD_TYPES,
        };
        // Both families of one name become one query, so that they share its sockets.
        let mut new: Option<NewQuery> = None;
        let mut apart: Vec<NewQuery> = Vec::new();
        let mut refreshes: Vec<(QueryName, RecordType)> = Vec::new();
        loop {
            self.start_candidate(id, now);
            let Some(entry) = self.lookups.get_mut(&id) else { return };
            let is_waiting = new.is_some() || entry.waits_for.iter().any(Option::is_some);
            if is_waiting && pairing == Pairing::InSequence {
                break;
            }
            let Some((record_type, name)) = entry.lookup.poll_question(order) else {
                // What the operating system has said before may lead to the next candidate.
                if self.advance_calls(id, now) {
                    continue;
                }
                break;
            };
            if let Some(known) = self.known(&name, record_type, now) {
                let prospect = self.prospect_after(&known.settled, id);
                let entry = self.lookups.get_mut(&id).expect("seen above");
                let Known { settled, turn, wants_refresh, ttl } = known;
                let cached = |question| notes::cached(question, &settled, ttl);
                entry.lookup.note(now, (&name, record_type), cached);
                entry.lookup.handle_settled(record_type, &name, &settled, turn, prospect);
                if wants_refresh {
                    refreshes.push((name, record_type));
                }
                continue;
            }
            if self.coalesce(id, &name, record_type) {
                continue;
            }
            // Each name is decided by itself, the target of an alias as well: it may be another
            // network's.
            let route = match self.destination(&name) {
                Destination::Nameservers(route) => route,
                destination => {
                    let entry = self.lookups.get_mut(&id).expect("seen above");
                    let is_candidate = entry.lookup.is_candidate(&name);
                    if destination == Destination::System && is_candidate {
                        entry.lookup.ask_system_about_candidate();
                        continue;
                    }
                    // No alias leads to the operating system: a nameserver is not to choose what is
                    // looked up on this network.
                    entry.lookup.note(now, (&name, record_type), notes::refused);
                    entry.lookup.handle_refused(record_type);
                    continue;
                }
            };
            match &mut new {
                None => {
                    new = Some(NewQuery { name, record_types: [Some(record_type), None], route });
                }
                Some(first) if first.name == name && pairing == Pairing::OneSocket => {
                    first.record_types[1] = Some(record_type);
                }
                Some(_) => {
                    apart.push(NewQuery { name, record_types: [Some(record_type), None], route });
                }
            }
        }
        self.watch_candidate(id);
        for query in new.into_iter().chain(apart) {
            self.start_query(Some(id), query, now);
        }
        self.handle_refresh(refreshes, now);
        self.mark_ready(id);
    }

    /// The outcome of a question, if it is known.
    fn known(&mut self, name: &QueryName, record_type: RecordType, now: Instant) -> Option<Known> {
        if let Some(cache) = &self.cache {
            if let Some(hit) = cache.get(name, record_type, now) {
                cache.count(&hit);
                let settled = hit.settled().clone();
                let (turn, wants_refresh, ttl) = (hit.turn, hit.wants_refresh, hit.ttl(now));
                return Some(Known { settled, turn, wants_refresh, ttl });
            }
            add(&self.counters.cache_misses);
        }
        // The question about the other family may be in flight, and this one answered meanwhile.
        let (query, question) = *self.in_flight.get(&(name.clone(), record_type.other()))?;
        let entry = self.queries.get_mut(&query)?;
        // `forget` and `clear_cache` hold for such an answer too.
        if self.cache.as_ref().is_some_and(|cache| entry.generation != Some(cache.generation())) {
            return None;
        }
        let (settled, turns) = entry.answered[1 - question].as_deref_mut()?;
        let Settled::Answer { answer, asked_at } = &*settled else { return None };
        let holds = Duration::from_secs(answer.ttl.unwrap_or(0).into()).max(TOGETHER);
        if now >= *asked_at + holds {
            return None;
        }
        let ttl = *asked_at + holds - now;
        add(&self.counters.coalesced);
        let turn = *turns;
        *turns = turns.wrapping_add(1);
        Some(Known { settled: settled.clone(), turn, wants_refresh: false, ttl })
    }

    /// Subscribes the lookup to a question in flight. Returns `false` if there is none.
    fn coalesce(&mut self, id: LookupId, name: &QueryName, record_type: RecordType) -> bool {
        let Some(&(query, question)) = self.in_flight.get(&(name.clone(), record_type)) else {
            return false;
        };
        let entry = self.lookups.get_mut(&id).expect("a lookup that asks exists");
        entry.waits_for[record_type.index()] = Some((query, question));
        let entry = self.queries.get_mut(&query).expect("a question in flight has its query");
        entry.subscribers[question].add(id);
        add(&self.counters.coalesced);
        true
    }

    /// Arms a timer for the candidate's deadline if a question that it waits for has a later one.
    fn watch_candidate(&mut self, id: LookupId) {
        let Some(entry) = self.lookups.get_mut(&id) else { return };
        let queries = &self.queries;
        let is_longer = |(query, _): &(QueryId, usize)| {
            queries
                .get(query)
                .is_some_and(|other| other.query.deadline() > entry.candidate_deadline)
        };
        // A call has no deadline of its own.
        let waits_for_call = entry.lookup.waits_for_call(Families::Both);
        if waits_for_call || entry.waits_for.iter().flatten().any(is_longer) {
            let overdue_at = Some(entry.candidate_deadline);
            let before = std::mem::replace(&mut entry.candidate_timer, overdue_at);
            self.move_timer(Timer::Candidate(id), before, overdue_at);
        }
    }

    /// Refreshes the cache: asks those of `questions` that are not in flight. Questions about one
    /// name stand one after the other.
    pub(crate) fn handle_refresh(
        &mut self,
        mut questions: Vec<(QueryName, RecordType)>,
        now: Instant,
    ) {
        if self.cache.is_none() {
            return;
        }
        let in_sequence = self.config.pairing == Pairing::InSequence;
        questions.retain(|(name, record_type)| {
            let is_in_flight =
                |record_type| self.in_flight.contains_key(&(name.clone(), record_type));
            !(is_in_flight(*record_type) || in_sequence && is_in_flight(record_type.other()))
        });
        let mut questions = questions.into_iter().peekable();
        while let Some((name, record_type)) = questions.next() {
            let Destination::Nameservers(route) = self.destination(&name) else { continue };
            add(&self.counters.cache_refreshes);
            let mut record_types = [Some(record_type), None];
            if let Some((_, second)) = questions.next_if(|(next, _)| *next == name) {
                match self.config.pairing {
                    Pairing::OneSocket => {
                        add(&self.counters.cache_refreshes);
                        record_types[1] = Some(second);
                    }
                    Pairing::OwnSockets => self.handle_refresh(vec![(name.clone(), second)], now),
                    // Not beside the first: the next hit has it refreshed.
                    Pairing::InSequence => {}
                }
            }
            self.start_query(None, NewQuery { name, record_types, route }, now);
        }
    }

    /// Removes a name from the cache. The answers to questions about it that are in flight are not
    /// cached either.
    pub(crate) fn handle_forget(&mut self, name: &QueryName) {
        self.calls.forget(Some(name));
        let Some(cache) = &self.cache else { return };
        cache.remove(name);
        for entry in self.queries.values_mut().filter(|entry| entry.name == *name) {
            entry.generation = None;
        }
    }

    /// Sets the deadline of a candidate name that was begun.
    pub(super) fn start_candidate(&mut self, id: LookupId, now: Instant) {
        let Some(entry) = self.lookups.get_mut(&id) else { return };
        let number = entry.lookup.candidate_number();
        if entry.candidate_number != number {
            entry.candidate_number = number;
            let timeout = if entry.lookup.is_for_system() {
                self.config.system.timeout
            } else {
                self.config.query.timeout
            };
            entry.candidate_deadline = now + timeout;
            let before = entry.candidate_timer.take();
            self.move_timer(Timer::Candidate(id), before, None);
        }
    }

    /// The deadline of a candidate name has passed while its question is in flight for another
    /// lookup that asked later.
    pub(super) fn handle_candidate_overdue(&mut self, id: LookupId, now: Instant) {
        let kind = self.overdue_kind(id);
        self.unsubscribe(id, now);
        let prospect = self.prospect(id, kind);
        if let Some(entry) = self.lookups.get_mut(&id) {
            entry.candidate_timer = None;
            entry.lookup.handle_candidate_overdue(kind, prospect, now);
            self.advance_lookup(id, now);
        }
    }

    /// The prospect of a lookup's later candidates after this outcome. After an answer it does not
    /// matter.
    fn prospect_after(&self, settled: &Settled, id: LookupId) -> Prospect {
        match settled {
            Settled::Answer { .. } => Prospect::None,
            Settled::Failed(failure) => self.prospect(id, failure.kind()),
        }
    }

    /// Starts a query for a lookup or, without one, for the cache.
    fn start_query(&mut self, lookup: Option<LookupId>, new: NewQuery, now: Instant) {
        let NewQuery { name, record_types, route } = new;
        let in_sequence = self.config.pairing == Pairing::InSequence;
        let deadline = match lookup {
            Some(lookup) => {
                let entry = &self.lookups[&lookup];
                let deadline = entry.candidate_deadline;
                // The second question keeps its share of the time, whatever the first one takes.
                let has_another = in_sequence && entry.lookup.has_question();
                let left = deadline.saturating_duration_since(now);
                if has_another { now + left / 2 } else { deadline }
            }
            None => now + self.config.query.timeout,
        };
        let first_server = self.first_server(lookup, route);
        let record_types = record_types.into_iter().flatten();
        let mut config = self.config.query;
        // The nameservers of another route are configured, whatever the root route has.
        config.is_unconfigured &= route == RouteId::ROOT;
        let query = Query::new(
            record_types.clone(),
            config,
            &mut self.servers[self.routes[route.index()].servers()],
            first_server,
            deadline,
            (self.spread)(),
            now,
        );
        let id = QueryId(self.ids.next());
        let mut subscribers: [Subscribers; MAX_QUESTIONS] = Default::default();
        let mut for_cache = [false; MAX_QUESTIONS];
        for (question, record_type) in record_types.enumerate() {
            self.in_flight.insert((name.clone(), record_type), (id, question));
            match lookup {
                Some(lookup) => {
                    let entry = self.lookups.get_mut(&lookup).expect("a lookup that asks exists");
                    entry.waits_for[record_type.index()] = Some((id, question));
                    subscribers[question].add(lookup);
                }
                None => for_cache[question] = true,
            }
        }
        let entry = QueryEntry {
            query,
            name,
            route,
            subscribers,
            started_for: lookup,
            for_cache,
            answered: [const { None }; MAX_QUESTIONS],
            generation: self.cache.as_ref().map(|cache| cache.generation()),
            awaited: Vec::new(),
            timer: None,
        };
        self.queries.insert(id, Box::new(entry));
        self.advance_query(id, now);
    }

    /// A question is settled: caches its outcome and hands it to the lookups that wait for it.
    pub(super) fn handle_settled(
        &mut self,
        id: QueryId,
        question: usize,
        settled: &Settled,
        now: Instant,
    ) {
        let has_failed = matches!(settled, Settled::Failed(_));
        add(if has_failed { &self.counters.failed } else { &self.counters.answered });
        self.release_sockets(id, question, has_failed, now);
        let Some(entry) = self.queries.get_mut(&id) else { return };
        let record_type = entry.query.record_type(question);
        let name = entry.name.clone();
        let waiting = entry.subscribers[question].len();
        let subscribers = entry.subscribers[question].take();
        let started_for = entry.started_for;
        self.in_flight.remove(&(name.clone(), record_type));
        if let (Some(cache), Some(generation)) = (&self.cache, entry.generation) {
            cache.insert(&name, record_type, settled, waiting, generation, now);
        }
        if !has_failed && !entry.query.is_done() {
            entry.answered[question] = Some(Box::new((settled.clone(), waiting)));
        }
        self.has_outage |= matches!(settled, Settled::Failed(failure) if failure.is_outage());
        let is_overdue = matches!(settled, Settled::Failed(failure) if failure.kind() == LookupErrorKind::Timeout);
        let mut turns = 0..;
        for lookup in subscribers {
            let prospect = self.prospect_after(settled, lookup);
            let Some(entry) = self.lookups.get_mut(&lookup) else { continue };
            let waits_for = &mut entry.waits_for[record_type.index()];
            if waits_for.take_if(|waits_for| *waits_for == (id, question)).is_none() {
                continue;
            }
            let pause = self.cache.as_ref().map_or(MIN_PAUSE, |cache| cache.options().pause());
            let is_coalesced = started_for != Some(lookup);
            if is_overdue && is_coalesced && now + pause < entry.candidate_deadline {
                // It was coalesced late, and has time left: the question is asked anew, but not
                // before RFC 9520 section 3.2 allows it.
                self.pause(lookup, (name.clone(), record_type), now + pause, now);
            } else {
                let turn = turns.next().expect("fewer lookups than numbers");
                entry.lookup.handle_settled(record_type, &name, settled, turn, prospect);
                self.advance_lookup(lookup, now);
            }
        }
    }

    /// Postpones a question of a lookup `until` it may be asked again.
    fn pause(
        &mut self,
        id: LookupId,
        question: (QueryName, RecordType),
        until: Instant,
        now: Instant,
    ) {
        let Some(entry) = self.lookups.get_mut(&id) else { return };
        entry.paused.push(question);
        let before = entry.paused_until.replace(until);
        self.move_timer(Timer::Pause(id), before, Some(until));
        if until <= now {
            self.handle_pause_over(id, now);
        }
    }

    /// Asks the postponed questions of a lookup again.
    pub(super) fn handle_pause_over(&mut self, id: LookupId, now: Instant) {
        let Some(entry) = self.lookups.get_mut(&id) else { return };
        for (name, record_type) in std::mem::take(&mut entry.paused) {
            entry.lookup.ask_again(record_type, &name);
        }
        let before = entry.paused_until.take();
        self.move_timer(Timer::Pause(id), before, None);
        self.advance_lookup(id, now);
    }

    /// Ends every subscription of a lookup. A question without another subscriber is abandoned,
    /// unless it finishes for the cache.
    pub(super) fn unsubscribe(&mut self, id: LookupId, now: Instant) {
        self.leave_calls(id);
        let Some(entry) = self.lookups.get_mut(&id) else { return };
        entry.paused.clear();
        let (before, waited_for) =
            (entry.paused_until.take(), std::mem::take(&mut entry.waits_for));
        self.move_timer(Timer::Pause(id), before, None);
        let finishes = self.cache.as_ref().is_some_and(|cache| cache.options().finishes_dropped());
        for (query, question) in waited_for.into_iter().flatten() {
            let Some(entry) = self.queries.get_mut(&query) else { continue };
            let lookups = &self.lookups;
            entry.subscribers[question].remove_one(|lookup| {
                let entry = lookups.get(&lookup);
                entry.is_some_and(|entry| entry.waits_for.contains(&Some((query, question))))
            });
            if entry.subscribers[question].is_empty() {
                entry.for_cache[question] |= finishes;
                if !entry.for_cache[question] {
                    self.abandon(query, question, now);
                }
            }
        }
    }

    /// Gives a question up: it has no subscriber.
    fn abandon(&mut self, query: QueryId, question: usize, now: Instant) {
        let Some(entry) = self.queries.get_mut(&query) else { return };
        let record_type = entry.query.record_type(question);
        self.in_flight.remove(&(entry.name.clone(), record_type));
        entry.query.handle_abandoned(question);
        self.release_sockets(query, question, false, now);
        self.advance_query(query, now);
    }

    /// Gives up the questions that are asked for the cache alone.
    pub(super) fn abandon_for_cache(&mut self, now: Instant) {
        let mut unwanted = Vec::new();
        for (&query, entry) in &mut self.queries {
            for (question, for_cache) in entry.for_cache.iter_mut().enumerate() {
                let was_for_cache = std::mem::take(for_cache);
                let is_alone = entry.subscribers[question].is_empty();
                if was_for_cache && is_alone && entry.query.is_open(question) {
                    unwanted.push((query, question));
                }
            }
        }
        for (query, question) in unwanted {
            self.abandon(query, question, now);
        }
    }

    /// Queues a lookup for [`poll_ready`](Self::poll_ready) if it has results, its `End`, or
    /// something for its observer.
    pub(super) fn mark_ready(&mut self, id: LookupId) {
        let Some(entry) = self.lookups.get_mut(&id) else { return };
        let lookup = &entry.lookup;
        let has_something =
            !lookup.results.is_empty() || lookup.end.is_some() || lookup.has_notes();
        if has_something && !entry.is_ready {
            entry.is_ready = true;
            self.ready.push_back(id);
        }
    }
}
