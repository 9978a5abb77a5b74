//! [`ResultSink`]: takes the results of one lookup to its queue.

use std::collections::VecDeque;
use std::task::Waker;

use crate::LookupResult;
use crate::futex_queue::{OfferOutcome, Putter};
use crate::resolve::error::LookupErrorKind;

/// The resolver thread's end of a lookup's queue.
///
/// If it is dropped before the lookup's `End` was delivered, because no thread could be started or
/// the thread panicked, the consumer gets an `End` all the same: a stream makes it, a queue of the
/// caller's gets it as this putter's last item.
pub(crate) enum ResultSink {
    /// A queue of the lookup's own.
    Stream(Putter<LookupResult>),
    /// A queue of the caller's, for items of the caller's type.
    Tagged(Box<dyn TaggedResults>),
}

impl ResultSink {
    /// There is a thread that will deliver the lookup's results.
    pub(super) fn handle_started(&mut self) {
        if let Self::Tagged(sink) = self {
            sink.handle_started();
        }
    }

    /// Hands over what fits, then the last result. Never waits, not even for the lock.
    pub(crate) fn offer(
        &mut self,
        results: &mut VecDeque<LookupResult>,
        end: &mut Option<LookupResult>,
        room: &Waker,
        wakes: &mut Vec<Waker>,
    ) -> OfferOutcome {
        match self {
            Self::Stream(putter) if end.is_some() => putter.offer_last(results, end, room, wakes),
            Self::Stream(putter) => putter.offer(results, room, wakes),
            Self::Tagged(sink) => sink.offer(results, end, room, wakes),
        }
    }
}

/// An [`ResultSink`] for items of any type.
pub(crate) trait TaggedResults: Send {
    fn handle_started(&mut self);

    fn offer(
        &mut self,
        results: &mut VecDeque<LookupResult>,
        end: &mut Option<LookupResult>,
        room: &Waker,
        wakes: &mut Vec<Waker>,
    ) -> OfferOutcome;
}

/// Results with the caller's tag, into a queue that other lookups may share.
pub(crate) struct TaggedSink<K: Clone + Send> {
    tag: K,
    putter: Option<Putter<(K, LookupResult)>>,
    items: VecDeque<(K, LookupResult)>,
    /// What the `End` says if this is dropped.
    cause_if_dropped: LookupErrorKind,
}

impl<K: Clone + Send> TaggedSink<K> {
    pub(crate) fn new(tag: K, putter: Putter<(K, LookupResult)>) -> Self {
        let cause_if_dropped = LookupErrorKind::Resources;
        Self { tag, putter: Some(putter), items: VecDeque::new(), cause_if_dropped }
    }
}

impl<K: Clone + Send> TaggedResults for TaggedSink<K> {
    fn handle_started(&mut self) {
        self.cause_if_dropped = LookupErrorKind::ResolverGone;
    }

    fn offer(
        &mut self,
        results: &mut VecDeque<LookupResult>,
        end: &mut Option<LookupResult>,
        room: &Waker,
        wakes: &mut Vec<Waker>,
    ) -> OfferOutcome {
        let Some(putter) = &mut self.putter else { return OfferOutcome::Closed };
        self.items.extend(results.drain(..).map(|result| (self.tag.clone(), result)));
        let Some(result) = end.take() else { return putter.offer(&mut self.items, room, wakes) };
        let mut last = Some((self.tag.clone(), result));
        let offer = putter.offer_last(&mut self.items, &mut last, room, wakes);
        match last {
            Some((_, result)) => *end = Some(result),
            None => self.putter = None,
        }
        offer
    }
}

impl<K: Clone + Send> Drop for TaggedSink<K> {
    fn drop(&mut self) {
        if let Some(putter) = self.putter.take() {
            let end = LookupResult::End(Err(self.cause_if_dropped.into()));
            // Fails if no getter is left, and then nothing reads it.
            drop(putter.finish((self.tag.clone(), end)));
        }
    }
}
