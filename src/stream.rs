//! [`LookupStream`]: the results of one lookup, their order, and what a drop does.

use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::{FusedStream, Stream};

use crate::futex_queue::{self, Getter};

use crate::resolve::{LookupId, Pending, ResolverInner};
use crate::trace::LookupSpan;
use crate::{LookupError, LookupErrorKind, LookupResult};

/// The results of one lookup, each as soon as it is known.
///
/// In this order: any number of [`Address`](LookupResult::Address)es, and among them, behind the
/// first ones, at most one [`CanonicalName`](LookupResult::CanonicalName); then exactly one
/// [`End`](LookupResult::End), last. After it the stream yields `None`.
///
/// - `End(Ok(()))`: at least one address and exactly one canonical name came.
/// - `End(Err(e))`: `e` says what is missing. Addresses that came before stay valid: one family may
///   answer while the other does not.
/// - `End` always comes: when the lookup is canceled, when the resolver shuts down, when its thread
///   dies, and in a process that was forked off after the lookup had started, which has no such
///   thread. It never waits for room in the queue.
///
/// What an [`AddressPolicy`](crate::resolve::AddressPolicy) of the resolver denies never comes.
///
/// The first poll starts the lookup. A name that needs no nameserver is answered in full by then:
/// no poll of such a stream is ever pending.
///
/// # Cancel safety
///
/// `next().await` may be dropped at any time: no result is lost. Dropping the stream itself
/// abandons the lookup: its sockets are closed as soon as the resolver thread sees it, and nothing
/// is sent for it any more, unless another lookup waits for the same question. What the operating
/// system does for it cannot be ended ([`Source::System`](crate::resolve::Source)).
///
/// # Examples
///
/// ```no_run
/// # async fn f() {
/// use outrace::LookupResult;
///
/// let mut results = outrace::lookup("example.com:443");
/// while let Some(result) = results.next().await {
///     match result {
///         LookupResult::Address(addr) => println!("{addr}"),
///         LookupResult::CanonicalName(name) => println!("is called {name}"),
///         LookupResult::End(Ok(())) => println!("that is all"),
///         LookupResult::End(Err(e)) => println!("incomplete: {e}"),
///     }
/// }
/// # }
/// ```
#[must_use = "a lookup starts when its stream is polled"]
pub struct LookupStream {
    state: StreamState,
    span: LookupSpan,
}

enum StreamState {
    Ready(std::vec::IntoIter<LookupResult>),
    Pending(Pending),
    Started(StartedLookup),
    Ended,
}

struct StartedLookup {
    getter: Getter<LookupResult>,
    id: LookupId,
    resolver: Arc<ResolverInner>,
}

impl StartedLookup {
    /// The next result; `Ready(None)` if none will come.
    ///
    /// In a child that was forked off after the start, the thread that would bring it does not
    /// exist, and it may have held the queue's lock. A thread whose descriptors the program has
    /// closed may never wake. To find out whose lookup this is costs a system call, so it is done
    /// only where no result is at hand: with the lock held, and with the queue empty.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<LookupResult>> {
        if self.is_stuck() {
            return Poll::Ready(None);
        }
        let polled = self.getter.poll_get_one(cx);
        if polled.is_pending() && self.is_orphaned() {
            return Poll::Ready(None);
        }
        polled
    }

    /// [`poll`](Self::poll) for a thread that waits.
    fn wait(&mut self) -> Option<LookupResult> {
        if self.is_orphaned() {
            let is_stuck = self.getter.is_locked();
            return if is_stuck { None } else { self.getter.try_get_one().ok() };
        }
        self.getter.blocking_get_one(None).ok()
    }

    /// Whether the queue's lock is held by a thread that may not exist in this process.
    fn is_stuck(&self) -> bool {
        self.getter.is_locked() && self.is_orphaned()
    }

    /// Whether no thread of this process brings its results.
    fn is_orphaned(&self) -> bool {
        !self.resolver.has_thread(self.id)
    }
}

impl LookupStream {
    pub(crate) fn ready(results: Vec<LookupResult>, span: LookupSpan) -> Self {
        Self { state: StreamState::Ready(results.into_iter()), span }
    }

    pub(crate) fn pending(pending: Pending, span: LookupSpan) -> Self {
        Self { state: StreamState::Pending(pending), span }
    }

    /// Ends the lookup with [`LookupErrorKind::Canceled`], unless it has ended.
    ///
    /// # Cancel safety
    ///
    /// The stream stays usable: results that are in the queue still come, then the `End`. To drop
    /// the stream cancels the lookup as well.
    pub fn cancel(&mut self) {
        match &mut self.state {
            StreamState::Started(started) => started.resolver.cancel(started.id),
            StreamState::Pending(pending) => {
                if let Some(watch) = &mut pending.watch {
                    watch.canceled();
                }
                let end = LookupResult::End(Err(LookupErrorKind::Canceled.into()));
                self.state = StreamState::Ready(vec![end].into_iter());
            }
            StreamState::Ready(_) | StreamState::Ended => {}
        }
    }

    /// The next result; `None` after the [`End`](LookupResult::End).
    ///
    /// As `StreamExt::next`, with no trait to import.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no result.
    #[expect(
        clippy::should_implement_trait,
        reason = "it implements `Stream`, whose `next` this is"
    )]
    pub fn next(&mut self) -> impl Future<Output = Option<LookupResult>> + Unpin + Send + '_ {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx))
    }

    /// Waits for the end, and returns the addresses in the order in which they came.
    ///
    /// As with the C library's `getaddrinfo`, the addresses of one family are enough. The stream
    /// itself tells that the other family failed, in its `End`.
    ///
    /// ```no_run
    /// # async fn f() -> Result<(), outrace::LookupError> {
    /// let addrs = outrace::lookup("example.com:443").into_addrs().await?;
    /// # drop(addrs);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// That of the end, if no address came.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cancels the lookup.
    pub async fn into_addrs(mut self) -> Result<Vec<SocketAddr>, LookupError> {
        let mut addrs = Addrs::default();
        while let Some(result) = self.next().await {
            addrs.add(result);
        }
        addrs.finish()
    }

    /// Turns the stream into an iterator, for code without a runtime.
    ///
    /// # Blocking
    ///
    /// Each `next` parks the thread until there is a result. Not for use inside an asynchronous
    /// task.
    pub fn into_blocking_iter(self) -> BlockingResults {
        BlockingResults { stream: self }
    }

    /// Starts the lookup if it has not started.
    fn start(&mut self) {
        if !matches!(self.state, StreamState::Pending(_)) {
            return;
        }
        let StreamState::Pending(pending) = std::mem::replace(&mut self.state, StreamState::Ended)
        else {
            unreachable!("matched above");
        };
        let Pending { lookup, timeout, watch, resolver } = pending;
        let (putter, getter) = futex_queue::bounded(resolver.queue_capacity());
        self.state = match resolver.start(lookup, putter, timeout, watch) {
            Ok(id) => StreamState::Started(StartedLookup { getter, id, resolver }),
            Err(_) => {
                let end = LookupResult::End(Err(LookupErrorKind::Resources.into()));
                StreamState::Ready(vec![end].into_iter())
            }
        };
    }

    /// Passes on a result of the queue. If the queue ends without an `End`, the thread has
    /// panicked.
    fn pass_on(&mut self, result: Option<LookupResult>) -> LookupResult {
        let result =
            result.unwrap_or_else(|| LookupResult::End(Err(LookupErrorKind::ResolverGone.into())));
        self.span.dns_result(&result);
        if matches!(result, LookupResult::End(_)) {
            self.end();
        }
        result
    }

    fn end(&mut self) {
        if let StreamState::Started(started) =
            std::mem::replace(&mut self.state, StreamState::Ended)
            && started.is_stuck()
        {
            // Dropping it would wait for the lock.
            std::mem::forget(started.getter);
        }
    }
}

impl Stream for LookupStream {
    type Item = LookupResult;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<LookupResult>> {
        self.start();
        let result = match &mut self.state {
            StreamState::Ready(results) => results.next(),
            StreamState::Started(started) => {
                let result = std::task::ready!(started.poll(cx));
                Some(self.pass_on(result))
            }
            StreamState::Pending(_) | StreamState::Ended => None,
        };
        Poll::Ready(result.inspect(|result| self.span.result(result)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.state {
            StreamState::Ready(results) => results.size_hint(),
            StreamState::Pending(_) | StreamState::Started(_) => (1, None),
            StreamState::Ended => (0, Some(0)),
        }
    }
}

impl FusedStream for LookupStream {
    fn is_terminated(&self) -> bool {
        match &self.state {
            StreamState::Ready(results) => results.len() == 0,
            StreamState::Pending(_) | StreamState::Started(_) => false,
            StreamState::Ended => true,
        }
    }
}

impl Drop for LookupStream {
    fn drop(&mut self) {
        if let StreamState::Started(started) = &self.state {
            started.resolver.abandon(started.id);
            self.end();
        }
    }
}

impl fmt::Debug for LookupStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            StreamState::Ready(_) => "ready",
            StreamState::Pending(_) => "not started",
            StreamState::Started(_) => "started",
            StreamState::Ended => "ended",
        };
        f.debug_struct("LookupStream").field("state", &state).finish_non_exhaustive()
    }
}

/// The results of one lookup as an iterator: see [`LookupStream::into_blocking_iter`].
#[derive(Debug)]
#[must_use = "a lookup starts when its first result is asked for"]
pub struct BlockingResults {
    stream: LookupStream,
}

impl BlockingResults {
    /// As [`LookupStream::into_addrs`].
    ///
    /// # Errors
    ///
    /// That of the end, if no address came.
    pub fn into_addrs(self) -> Result<Vec<SocketAddr>, LookupError> {
        let mut addrs = Addrs::default();
        self.for_each(|result| addrs.add(result));
        addrs.finish()
    }
}

/// The addresses of a lookup, and its end.
#[derive(Default)]
struct Addrs {
    addrs: Vec<SocketAddr>,
    error: Option<LookupError>,
}

impl Addrs {
    fn add(&mut self, result: LookupResult) {
        match result {
            LookupResult::Address(addr) => self.addrs.push(addr),
            LookupResult::CanonicalName(_) => {}
            LookupResult::End(end) => self.error = end.err(),
        }
    }

    fn finish(self) -> Result<Vec<SocketAddr>, LookupError> {
        match self.error {
            Some(error) if self.addrs.is_empty() => Err(error),
            _ => Ok(self.addrs),
        }
    }
}

impl Iterator for BlockingResults {
    type Item = LookupResult;

    fn next(&mut self) -> Option<LookupResult> {
        self.stream.start();
        let result = match &mut self.stream.state {
            StreamState::Ready(results) => results.next(),
            StreamState::Started(started) => {
                let result = started.wait();
                Some(self.stream.pass_on(result))
            }
            StreamState::Pending(_) | StreamState::Ended => None,
        };
        result.inspect(|result| self.stream.span.result(result))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.stream.size_hint()
    }
}

impl std::iter::FusedIterator for BlockingResults {}
