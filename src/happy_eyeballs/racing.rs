//! [`race`]: a race of attempts of any kind.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use futures_core::{Stream, TryFuture};
use futures_util::task::AtomicWaker;
use pin_project_lite::pin_project;

use super::driver::{Dial, Driver};
use super::timer::{Timer, TokioTimer};
use super::watch::ConnectWatch;
use super::{ConnectError, ConnectInfo, ConnectOptions};
use crate::LookupResult;

/// Races attempts of any kind over the addresses of `results`: TLS or QUIC handshakes, a protocol's
/// greeting, another runtime's sockets.
///
/// `attempt` makes each attempt, which is a future: the first one that gives `Ok` wins, and the
/// others are dropped before the caller has its value. When they start is decided as for
/// [`connect`](super::connect()): by the Connection Attempt Delay, failures and the limits of
/// [`RaceOptions`](super::RaceOptions). The policy of the options applies to each address, and what
/// races with these options have learnt orders them; what an attempt does with its sockets is its own
/// business. Races of another transport learn other things: give them options of their own.
///
/// An attempt of several steps reports when its transport has connected
/// ([`Progress::transport_up`]), so that a handshake under way does not start the next attempt.
///
/// The race, and with it [`RaceOptions::connect_timeout`](super::RaceOptions::connect_timeout),
/// starts with this call. Results are taken until [`LookupResult::End`] or the end of the stream.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::io;
/// use outrace::happy_eyeballs::{ConnectOptions, race};
/// use tokio::io::{AsyncReadExt, BufStream};
/// use tokio::net::TcpStream;
///
/// # let server = std::net::TcpListener::bind("127.0.0.1:0")?;
/// # let target = server.local_addr()?;
/// # std::thread::spawn(move || std::io::Write::write_all(&mut server.accept().unwrap().0, b"+OK "));
/// // The first server that greets wins, and not the first that accepts.
/// let options = ConnectOptions::default();
/// let (mail, info) = race(outrace::lookup(target), &options, |endpoint, progress| async move {
///     let mut mail = BufStream::new(TcpStream::connect(endpoint.addr).await?);
///     progress.transport_up();
///     let mut greeting = [0; 4];
///     mail.read_exact(&mut greeting).await?;
///     if greeting == *b"+OK " { Ok(mail) } else { Err(io::Error::other("no mail server")) }
/// })
/// .await?;
/// println!("{} greeted after {:?}", info.addr(), info.connected_after());
/// # drop(mail);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// The future gives [`ConnectError`], with every attempt, its error in the caller's type, and the
/// lookup's outcome.
///
/// # Panics
///
/// The future panics outside a Tokio runtime with time enabled, unless it has another
/// [`timer`](Racing::timer). A panic of an attempt goes through.
pub fn race<S, A, F, C, E>(results: S, options: &ConnectOptions, attempt: A) -> Racing<S, A, F>
where
    S: Stream<Item = LookupResult>,
    A: FnMut(Endpoint, Progress) -> F,
    F: Future<Output = Result<C, E>>,
    E: Error + 'static,
{
    let dial = Attempts { attempt, options: Arc::new(options.clone()) };
    let watch = ConnectWatch::of_results(options);
    Racing { driver: Driver::new(results, dial, TokioTimer, watch) }
}

/// Where an attempt goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Endpoint {
    /// The address.
    pub addr: SocketAddr,
}

/// An attempt reports its progress to the race by this.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<ProgressState>);

#[derive(Debug, Default)]
struct ProgressState {
    transport_is_up: AtomicBool,
    /// The race's, for an attempt that another task drives.
    waker: AtomicWaker,
}

impl Progress {
    /// The transport has connected (TCP), or the first packet has come back (QUIC), and a handshake
    /// goes on.
    ///
    /// The address is alive, so the next attempt waits for another round trip and the peer's work:
    /// twice the time so far, at least 100 ms and at most the Connection Attempt Delay, from now on.
    /// An attempt is given this time once. RFC 8305 has no such rule, and counts a handshake among
    /// the time that starts the next attempt.
    pub fn transport_up(&self) {
        if !self.0.transport_is_up.swap(true, Ordering::AcqRel) {
            self.0.waker.wake();
        }
    }
}

pin_project! {
    /// A race under way: the future of [`race`].
    ///
    /// # Cancel safety
    ///
    /// Dropping it ends the race: every attempt, its timer and the stream of results are dropped.
    /// Nothing runs on in the background but what the attempts have started there.
    #[must_use = "futures do nothing unless polled"]
    pub struct Racing<S, A, F, T = TokioTimer>
    where
        A: FnMut(Endpoint, Progress) -> F,
        F: TryFuture,
        F::Error: Error,
        F::Error: 'static,
        T: Timer,
    {
        #[pin]
        driver: Driver<S, Attempts<A>, T>,
    }
}

impl<S, A, F> Racing<S, A, F>
where
    S: Stream<Item = LookupResult>,
    A: FnMut(Endpoint, Progress) -> F,
    F: TryFuture,
    F::Error: Error + 'static,
{
    /// The clock of the race. Default: [`TokioTimer`].
    ///
    /// With the timer of another runtime the race needs nothing of Tokio. It begins anew with this
    /// call.
    pub fn timer<T: Timer>(self, timer: T) -> Racing<S, A, F, T> {
        Racing { driver: self.driver.with_timer(timer) }
    }
}

impl<S, A, F, T> Future for Racing<S, A, F, T>
where
    S: Stream<Item = LookupResult>,
    A: FnMut(Endpoint, Progress) -> F,
    F: TryFuture,
    F::Error: Error + 'static,
    T: Timer,
{
    type Output = Result<(F::Ok, ConnectInfo<F::Error>), ConnectError<F::Error>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().driver.poll(cx)
    }
}

impl<S, A, F, T> fmt::Debug for Racing<S, A, F, T>
where
    A: FnMut(Endpoint, Progress) -> F,
    F: TryFuture,
    F::Error: Error + 'static,
    T: Timer,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Racing").field(&self.driver).finish()
    }
}

/// The attempts that a caller makes.
struct Attempts<A> {
    attempt: A,
    options: Arc<ConnectOptions>,
}

impl<A, F> Dial for Attempts<A>
where
    A: FnMut(Endpoint, Progress) -> F,
    F: TryFuture,
    F::Error: Error + 'static,
{
    type Connection = F::Ok;
    type Error = F::Error;
    type Attempt = Attempt<F>;

    fn options(&self) -> &Arc<ConnectOptions> {
        &self.options
    }

    fn dial(&mut self, addr: SocketAddr) -> Result<Attempt<F>, F::Error> {
        let progress = Progress::default();
        let future = Box::pin((self.attempt)(Endpoint { addr }, progress.clone()));
        Ok(Attempt { future, progress })
    }

    fn is_transport_up(attempt: &Attempt<F>) -> bool {
        attempt.progress.0.transport_is_up.load(Ordering::Acquire)
    }
}

/// One of them, under way.
struct Attempt<F> {
    future: Pin<Box<F>>,
    progress: Progress,
}

impl<F: TryFuture> Future for Attempt<F> {
    type Output = Result<F::Ok, F::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // Registered first: a `transport_up` from here on is seen after this poll, or wakes the race.
        self.progress.0.waker.register(cx.waker());
        self.future.as_mut().try_poll(cx)
    }
}

#[cfg(test)]
mod tests;
