//! [`ConnectWatch`]: passes the events of a race to its observer and to the `tracing` subscriber.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::ConnectOptions;
use crate::observer::{ConnectEvent, ConnectEventKind, Observer, next_number};
use crate::trace::ConnectSpan;
use crate::{LookupStream, Resolver, Target};

/// Passes the events of one race on.
pub(crate) struct ConnectWatch {
    span: ConnectSpan,
    /// Nothing is kept for the many races that have no observer.
    observed: Option<Box<Observed>>,
}

struct Observed {
    observer: Arc<dyn Observer>,
    connect: u64,
    target: Option<Target>,
}

impl ConnectWatch {
    /// For a race that is given results.
    pub(super) fn of_results(options: &ConnectOptions) -> Self {
        Self::new(None, options)
    }

    /// For a race to `target`, and its lookup.
    pub(crate) fn with_lookup(
        target: Target,
        resolver: &Resolver,
        options: &ConnectOptions,
    ) -> (Self, LookupStream) {
        let watch = Self::new(Some(&target), options);
        let lookup = || match &watch.observed {
            None => options.start_lookup(resolver, target, &options.lookup),
            Some(observed) => {
                let mut lookup = options.lookup.clone();
                lookup.observer.get_or_insert_with(|| Arc::clone(&observed.observer));
                lookup.connect = Some(observed.connect);
                options.start_lookup(resolver, target, &lookup)
            }
        };
        let results = watch.span.in_scope(lookup);
        (watch, results)
    }

    /// For a race to `target`, whose lookup `lookup` starts.
    #[cfg(feature = "hyper")]
    pub(crate) fn with_other_lookup<S>(
        target: Target,
        lookup: impl FnOnce(Target) -> S,
        options: &ConnectOptions,
    ) -> (Self, S) {
        let watch = Self::new(Some(&target), options);
        let results = watch.span.in_scope(|| lookup(target));
        (watch, results)
    }

    fn new(target: Option<&Target>, options: &ConnectOptions) -> Self {
        let observed = options.observer.as_ref().map(|observer| {
            let observer = Arc::clone(observer);
            Box::new(Observed { observer, connect: next_number(), target: target.cloned() })
        });
        Self { span: ConnectSpan::new(target), observed }
    }

    /// For no race.
    pub(super) fn off() -> Self {
        Self { span: ConnectSpan::off(), observed: None }
    }

    /// Whether the events of this race go anywhere.
    pub(super) fn is_on(&self) -> bool {
        self.observed.is_some() || self.span.is_enabled()
    }

    pub(super) fn event(&self, at: Duration, kind: ConnectEventKind<'_>) {
        let observed = self.observed.as_deref();
        let event = ConnectEvent {
            connect: observed.map_or(0, |observed| observed.connect),
            target: observed.and_then(|observed| observed.target.as_ref()),
            at,
            kind,
        };
        self.span.event(&event);
        if let Some(observed) = observed {
            observed.observer.connect_event(&event);
        }
    }
}

impl fmt::Debug for ConnectWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectWatch").field("is_on", &self.is_on()).finish_non_exhaustive()
    }
}
