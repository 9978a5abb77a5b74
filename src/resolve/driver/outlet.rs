//! Where the results of one lookup go.

use std::collections::VecDeque;
use std::task::Waker;

use crate::LookupResult;
use crate::futex_queue::{Offer, Putter};
use crate::resolve::error::LookupErrorKind;

/// The resolver thread's end of a lookup's queue.
///
/// If it is dropped before the lookup's `End` was delivered, because the thread died, the consumer
/// gets an `End` all the same: a stream makes it itself when its queue ends early, a shared queue
/// gets it as this putter's last item.
pub(crate) enum Outlet {
    /// A queue of the lookup's own.
    Stream(Putter<LookupResult>),
    /// A queue of the caller's, in the caller's items.
    Shared(Box<dyn SharedOutlet>),
}

impl Outlet {
    /// Hands over what fits, then the last result. Never waits, not for the lock either.
    pub(crate) fn offer(
        &mut self,
        results: &mut VecDeque<LookupResult>,
        end: &mut Option<LookupResult>,
        room: &Waker,
        wakes: &mut Vec<Waker>,
    ) -> Offer {
        match self {
            Self::Stream(putter) if end.is_some() => putter.offer_last(results, end, room, wakes),
            Self::Stream(putter) => putter.offer(results, room, wakes),
            Self::Shared(outlet) => outlet.offer(results, end, room, wakes),
        }
    }
}

/// An [`Outlet`] for items of any type.
pub(crate) trait SharedOutlet: Send {
    fn offer(
        &mut self,
        results: &mut VecDeque<LookupResult>,
        end: &mut Option<LookupResult>,
        room: &Waker,
        wakes: &mut Vec<Waker>,
    ) -> Offer;
}

/// Results with the caller's tag, into a queue that other lookups may share.
pub(crate) struct Tagged<K: Clone + Send> {
    tag: K,
    putter: Option<Putter<(K, LookupResult)>>,
    items: VecDeque<(K, LookupResult)>,
}

impl<K: Clone + Send> Tagged<K> {
    pub(crate) fn new(tag: K, putter: Putter<(K, LookupResult)>) -> Self {
        Self { tag, putter: Some(putter), items: VecDeque::new() }
    }
}

impl<K: Clone + Send> SharedOutlet for Tagged<K> {
    fn offer(
        &mut self,
        results: &mut VecDeque<LookupResult>,
        end: &mut Option<LookupResult>,
        room: &Waker,
        wakes: &mut Vec<Waker>,
    ) -> Offer {
        let Some(putter) = &mut self.putter else { return Offer::Closed };
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

impl<K: Clone + Send> Drop for Tagged<K> {
    fn drop(&mut self) {
        if let Some(putter) = self.putter.take() {
            let end = LookupResult::End(Err(LookupErrorKind::ResolverGone.into()));
            // With no getter left there is nobody to tell.
            drop(putter.finish((self.tag.clone(), end)));
        }
    }
}
