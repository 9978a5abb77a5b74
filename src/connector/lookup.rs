//! Where a connector has its addresses from.

use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::happy_eyeballs::ConnectOptions;
use crate::happy_eyeballs::watch::ConnectWatch;
use crate::{LookupResult, LookupStream, Resolver, Target};

type BoxStream = Pin<Box<dyn Stream<Item = LookupResult> + Send>>;

/// What looks a connector's targets up.
#[derive(Clone)]
pub(super) enum Lookup {
    Resolver(Resolver),
    /// The caller's. It is not asked for IP addresses.
    Other(Arc<dyn Fn(Target) -> BoxStream + Send + Sync>),
}

impl Lookup {
    pub(super) fn start(
        &self,
        target: Target,
        options: &ConnectOptions,
    ) -> (ConnectWatch, Results) {
        match self {
            Self::Resolver(resolver) => {
                let (watch, results) = ConnectWatch::with_lookup(target, resolver, options);
                (watch, Results::Resolver(results))
            }
            Self::Other(lookup) => {
                let literal = |target: &Target| target.host().socket_addr(target.port()?);
                let lookup = |target| {
                    let target = options.overrides.apply(target);
                    match literal(&target) {
                        Some(addr) => Results::Literal(Some(addr)),
                        None => Results::Other(Mutex::new(lookup(target))),
                    }
                };
                ConnectWatch::with_other_lookup(target, lookup, options)
            }
        }
    }
}

impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolver(resolver) => resolver.fmt(f),
            Self::Other(_) => f.write_str(".."),
        }
    }
}

/// The results of one lookup.
pub(super) enum Results {
    Resolver(LookupStream),
    /// In a mutex that is never locked: what is `Send` alone is `Sync` behind it.
    Other(Mutex<BoxStream>),
    /// An address that needs no lookup, until it is taken.
    Literal(Option<SocketAddr>),
}

impl Stream for Results {
    type Item = LookupResult;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<LookupResult>> {
        match &mut *self {
            Self::Resolver(results) => Pin::new(results).poll_next(cx),
            Self::Other(results) => {
                let results = results.get_mut().unwrap_or_else(PoisonError::into_inner);
                results.as_mut().poll_next(cx)
            }
            Self::Literal(addr) => Poll::Ready(Some(match addr.take() {
                Some(addr) => LookupResult::Address(addr),
                None => LookupResult::End(Ok(())),
            })),
        }
    }
}

impl fmt::Debug for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolver(results) => results.fmt(f),
            Self::Other(_) => f.write_str(".."),
            Self::Literal(addr) => addr.fmt(f),
        }
    }
}
