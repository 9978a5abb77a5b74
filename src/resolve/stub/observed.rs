//! The part of [`Stub`] that keeps what happens to queries for the observers of lookups.

use std::time::Instant;

use super::Stub;
use super::ids::QueryId;
use super::notes;
use super::query::SentQuery;
use crate::observer::{AnswerSource, LookupEventKind};
use crate::resolve::error::{Question, Transport};
use crate::resolve::wire::message::Response;

impl Stub {
    /// A query goes out.
    pub(super) fn note_sent(&mut self, query: QueryId, sent: SentQuery) {
        if self.observed == 0 {
            return;
        }
        let nameserver = self.servers[self.server_of(query, sent.server)].addr();
        self.note(query, sent.question, sent.at, |question| LookupEventKind::Sent {
            question,
            nameserver,
            transport: sent.transport,
            is_resend: sent.is_after_silence,
        });
    }

    /// A query has had no response in time.
    pub(super) fn note_late(
        &mut self,
        query: QueryId,
        question: usize,
        (server, transport): (usize, Transport),
        now: Instant,
    ) {
        if self.observed == 0 {
            return;
        }
        let nameserver = self.servers[self.server_of(query, server)].addr();
        self.note(query, question, now, |question| LookupEventKind::Late {
            question,
            nameserver,
            transport,
        });
    }

    /// A response to a query has come.
    pub(super) fn note_response(
        &mut self,
        query: QueryId,
        sent: SentQuery,
        response: &Response,
        now: Instant,
    ) {
        if self.observed == 0 {
            return;
        }
        let nameserver = self.servers[self.server_of(query, sent.server)].addr();
        self.note(query, sent.question, now, |question| {
            let (answer, ttl) = notes::read(response);
            LookupEventKind::Answered {
                question: Some(question),
                source: AnswerSource::Nameserver(nameserver, sent.transport),
                elapsed: now.saturating_duration_since(sent.at),
                ttl,
                answer,
            }
        });
    }

    /// Keeps what has happened to a question for the lookups that wait for it and are observed.
    fn note(
        &mut self,
        query: QueryId,
        question: usize,
        at: Instant,
        event: impl Fn(Question) -> LookupEventKind,
    ) {
        let Some(entry) = self.queries.get(&query) else { return };
        let record_type = entry.query.record_type(question);
        let name = entry.name.clone();
        let waits_for = Some((query, question));
        for id in entry.subscribers[question].places().to_vec() {
            if let Some(entry) = self.lookups.get_mut(&id)
                && entry.waits_for[record_type.index()] == waits_for
            {
                entry.lookup.note(at, (&name, record_type), &event);
                self.mark_ready(id);
            }
        }
    }
}
