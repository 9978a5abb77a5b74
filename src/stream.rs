//! [`LookupStream`] and [`LookupResult`]: what comes, in which order, what drop does.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::{HostName, LookupError};

/// One item of a lookup.
///
/// A lookup gives any number of addresses, at most one canonical name, then exactly one `End`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookupResult {
    /// An address of the host, with the port that was asked for.
    Address(SocketAddr),
    /// The name at the end of the alias chain.
    CanonicalName(HostName),
    /// The last item, always.
    End(Result<(), LookupError>),
}

/// The results of one lookup, each as soon as it is known.
#[derive(Debug)]
pub struct LookupStream {
    ready: VecDeque<LookupResult>,
}

impl LookupStream {
    pub(crate) fn ready(results: impl IntoIterator<Item = LookupResult>) -> Self {
        Self { ready: results.into_iter().collect() }
    }
}

impl Stream for LookupStream {
    type Item = LookupResult;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<LookupResult>> {
        Poll::Ready(self.ready.pop_front())
    }
}
