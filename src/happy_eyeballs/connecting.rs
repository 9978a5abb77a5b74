//! [`Connecting`]: a race of TCP connections.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use pin_project_lite::pin_project;
use tokio::net::TcpStream;

use super::attempt::Attempt;
use super::driver::{Dial, Driver};
use super::timer::TokioTimer;
use super::watch::ConnectWatch;
use super::{AttemptError, ConnectError, ConnectInfo, ConnectOptions};
use crate::LookupResult;

pin_project! {
    /// A race under way: the future of [`connect_results`](super::connect_results).
    ///
    /// # Cancel safety
    ///
    /// Dropping it ends the race: every socket of it is closed, its timer is gone, and the stream
    /// of results is dropped. Nothing runs on in the background.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Connecting<S> {
        #[pin]
        driver: Driver<S, Tcp, TokioTimer>,
    }
}

impl<S: Stream<Item = LookupResult>> Connecting<S> {
    pub(crate) fn new(results: S, options: Arc<ConnectOptions>, watch: ConnectWatch) -> Self {
        Self { driver: Driver::new(results, Tcp { options }, TokioTimer, watch) }
    }
}

impl<S: Stream<Item = LookupResult>> Future for Connecting<S> {
    type Output = Result<(TcpStream, ConnectInfo), ConnectError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().driver.poll(cx)
    }
}

/// The operating system's TCP.
#[derive(Debug)]
struct Tcp {
    options: Arc<ConnectOptions>,
}

impl Dial for Tcp {
    type Connection = TcpStream;
    type Error = AttemptError;
    type Attempt = Attempt;

    fn options(&self) -> &Arc<ConnectOptions> {
        &self.options
    }

    fn dial(&mut self, addr: SocketAddr) -> Result<Attempt, AttemptError> {
        Attempt::start(&self.options.socket, addr)
    }
}
