//! [`LookupWatch`]: passes the events of a lookup to its observer and to the `tracing` subscriber.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::LookupOptions;
use super::driver::clock::BootClock;
use super::stub::lookup::Lookup;
use crate::observer::{
    AnswerKind, AnswerSource, LookupEvent, LookupEventKind, Observer, next_number,
};
use crate::trace::LookupSpan;
use crate::{LookupError, LookupErrorKind, LookupResult, Target};

/// Passes the events of one lookup on.
///
/// Dropping it before the end is the event [`Dropped`](LookupEventKind::Dropped).
pub(crate) struct LookupWatch {
    observer: Option<Arc<dyn Observer>>,
    span: LookupSpan,
    lookup: u64,
    connect: Option<u64>,
    target: Target,
    begin: Instant,
    clock: BootClock,
    is_over: bool,
}

impl LookupWatch {
    /// `None` without an observer and a subscriber, as for most lookups.
    pub(super) fn new(
        target: &Target,
        options: &LookupOptions,
        span: &LookupSpan,
        clock: BootClock,
    ) -> Option<Box<Self>> {
        if options.observer.is_none() && !span.is_enabled() {
            return None;
        }
        Some(Box::new(Self {
            observer: options.observer.clone(),
            span: span.clone(),
            lookup: next_number(),
            connect: options.connect,
            target: target.clone(),
            begin: clock.now(),
            clock,
            is_over: false,
        }))
    }

    /// The lookup was answered in full where it was made.
    pub(super) fn answered(
        &mut self,
        results: &[LookupResult],
        source: AnswerSource,
        now: Instant,
    ) {
        let addresses =
            results.iter().filter(|result| matches!(result, LookupResult::Address(_))).count();
        let outcome = results.iter().find_map(|result| match result {
            LookupResult::End(outcome) => Some(outcome.clone()),
            _ => None,
        });
        let is_denied = |error: &LookupError| error.kind() == LookupErrorKind::PolicyDenied;
        let answer = match &outcome {
            Some(Err(error)) if error.kind() == LookupErrorKind::NotFound => AnswerKind::NotFound,
            Some(Err(error)) if !is_denied(error) => AnswerKind::NoData,
            _ => AnswerKind::Addresses(addresses),
        };
        let (elapsed, ttl) = (Duration::ZERO, None);
        let event = LookupEventKind::Answered { question: None, source, elapsed, ttl, answer };
        self.event(now, &event);
        if let Some(outcome) = outcome {
            self.ended(now, outcome);
        }
    }

    /// Passes on what has happened in `lookup` since the last call.
    pub(super) fn tell(&mut self, lookup: &mut Lookup, now: Instant) {
        for (at, event) in lookup.take_notes() {
            self.event(at, &event);
        }
        if let Some(LookupResult::End(outcome)) = &lookup.end {
            self.ended(now, outcome.clone());
        }
    }

    /// The lookup has ended.
    fn ended(&mut self, now: Instant, outcome: Result<(), LookupError>) {
        if !self.is_over {
            self.event(now, &LookupEventKind::Ended(outcome));
            self.is_over = true;
        }
    }

    /// The lookup is canceled before it has started.
    pub(crate) fn canceled(&mut self) {
        self.ended(self.clock.now(), Err(LookupErrorKind::Canceled.into()));
    }

    fn event(&mut self, now: Instant, kind: &LookupEventKind) {
        // An observer that panics receives no further event.
        let observer = self.observer.take();
        let event = LookupEvent {
            lookup: self.lookup,
            connect: self.connect,
            target: &self.target,
            at: now.saturating_duration_since(self.begin),
            kind,
        };
        self.span.event(&event);
        if let Some(observer) = &observer {
            observer.lookup_event(&event);
        }
        self.observer = observer;
    }
}

impl Drop for LookupWatch {
    fn drop(&mut self) {
        if !self.is_over {
            self.event(self.clock.now(), &LookupEventKind::Dropped);
        }
    }
}
