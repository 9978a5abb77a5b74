//! [`Connector`]: for hyper-util, hyper-rustls, tonic and tower.

mod lookup;
mod name_service;
#[cfg(feature = "reqwest")]
mod reqwest;
mod stream;
mod uri;

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use http::Uri;
use hyper_util::rt::TokioIo;
use tower_service::Service;

pub use name_service::{Addresses, ResolveName};
pub use stream::RacedStream;

use crate::happy_eyeballs::{self, ConnectOptions};
use crate::resolve::AddressFamily;
use crate::{ConnectError, LookupResult, Resolver, Target};
use lookup::{Lookup, Results};

/// A tower `Service<Uri>` that looks a host up and races its addresses as they stream in.
///
/// Takes the place of hyper-util's `HttpConnector`: in its legacy `Client`, under hyper-rustls'
/// `HttpsConnector`, in tonic's `connect_with_connector`, and within tower's layers. Like
/// `HttpConnector` it takes only `http` URIs unless set otherwise ([`enforce_http`]), connects to
/// port 80, or 443 for `https` and `wss`, where the URI has none, and never looks up an IP address.
///
/// A response of hyper-util's `Client` carries hyper-util's `HttpInfo` in its extensions, as with
/// `HttpConnector`, and [`ConnectInfo`](crate::happy_eyeballs::ConnectInfo) beside it.
///
/// With an [`AddressPolicy`](crate::resolve::AddressPolicy) in the resolver it dials nothing that
/// the policy denies, whether a URI, a redirect or an answer of DNS leads there; see
/// [`ConnectError::is_denied`].
///
/// Clones share the resolver and the options, and cost two reference counts.
///
/// [`enforce_http`]: Self::enforce_http
///
/// # Examples
///
/// ```
/// use hyper_util::client::legacy::Client;
/// use hyper_util::rt::TokioExecutor;
///
/// let client = Client::builder(TokioExecutor::new()).build::<_, String>(outrace::Connector::new());
/// # let _ = client;
/// ```
///
/// # Common issues
///
/// *`the scheme of the URI is not http`*: a TLS layer on top (hyper-rustls, hyper-tls, tonic) takes
/// `https` URIs and passes them on as they are. Give it [`Connector::for_tls`].
#[derive(Clone, Debug)]
pub struct Connector {
    lookup: Lookup,
    options: Arc<ConnectOptions>,
    enforce_http: bool,
}

impl Connector {
    /// A connector over the resolver of this process.
    pub fn new() -> Self {
        Self::with_resolver(Resolver::system())
    }

    /// A connector for a TLS layer on top, over the resolver of this process: [`new`](Self::new) with
    /// [`enforce_http(false)`](Self::enforce_http).
    ///
    /// It makes the TCP connection for `https` (port 443) and other schemes; the layer on top does the
    /// rest, as with `hyper_rustls::HttpsConnectorBuilder::wrap_connector`. Without a layer, requests
    /// to `https` would go out in the clear.
    pub fn for_tls() -> Self {
        Self::new().enforce_http(false)
    }

    /// A connector over `resolver`.
    pub fn with_resolver(resolver: Resolver) -> Self {
        Self::over(Lookup::Resolver(resolver))
    }

    /// A connector over any lookup: another resolver, a service registry, a table in memory.
    ///
    /// `lookup` is called for each connect and makes a stream of results, of which the addresses are
    /// raced as they come, with the ports that they have. It ends with a [`LookupResult::End`], or
    /// just ends. An IP address in a URI is dialled without it. [`ConnectOptions::lookup`] has no
    /// effect here; [`ConnectOptions::policy`] checks each address.
    ///
    /// ```
    /// use futures_util::stream;
    /// use outrace::{Connector, LookupResult};
    ///
    /// // One gateway for every host.
    /// let gateway = "192.0.2.1:8080".parse().unwrap();
    /// let connector = Connector::with_lookup(move |_target| {
    ///     stream::iter([LookupResult::Address(gateway), LookupResult::End(Ok(()))])
    /// });
    /// # let _ = connector;
    /// ```
    pub fn with_lookup<F, S>(lookup: F) -> Self
    where
        F: Fn(Target) -> S + Send + Sync + 'static,
        S: Stream<Item = LookupResult> + Send + 'static,
    {
        Self::over(Lookup::Other(Arc::new(move |target| Box::pin(lookup(target)))))
    }

    fn over(lookup: Lookup) -> Self {
        Self { lookup, options: Arc::default(), enforce_http: true }
    }

    /// Sets all options at once: the delays and limits of the race, the set-up of sockets, the lookup.
    #[must_use]
    pub fn options(mut self, options: ConnectOptions) -> Self {
        self.options = Arc::new(options);
        self
    }

    /// How long a connect may take, lookup included. As [`ConnectOptions::timeout`].
    #[must_use]
    pub fn timeout(self, timeout: impl Into<Option<Duration>>) -> Self {
        self.change(|options| options.timeout(timeout))
    }

    /// `TCP_NODELAY`: small writes leave at once. As [`ConnectOptions::nodelay`].
    #[must_use]
    pub fn nodelay(self, nodelay: bool) -> Self {
        self.change(|options| options.nodelay(nodelay))
    }

    /// The address family to look up and connect to. As [`ConnectOptions::family`].
    #[must_use]
    pub fn family(self, family: impl Into<Option<AddressFamily>>) -> Self {
        self.change(|options| options.family(family))
    }

    /// The local address of connections of its family. As [`ConnectOptions::local_address`].
    #[must_use]
    pub fn local_address(self, ip: IpAddr) -> Self {
        self.change(|options| options.local_address(ip))
    }

    fn change(mut self, change: impl FnOnce(ConnectOptions) -> ConnectOptions) -> Self {
        self.options = Arc::new(change(Arc::unwrap_or_clone(self.options)));
        self
    }

    /// Whether a URI with a scheme other than `http` is an error (default: true).
    ///
    /// It guards against plain requests to a URI that asks for encryption. A connector under a TLS
    /// layer needs `false`.
    #[must_use]
    pub fn enforce_http(mut self, enforce: bool) -> Self {
        self.enforce_http = enforce;
        self
    }
}

impl Default for Connector {
    fn default() -> Self {
        Self::new()
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<RacedStream>;
    type Error = ConnectError;
    type Future = ConnectFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> ConnectFuture {
        ConnectFuture(match uri::target(&uri, self.enforce_http) {
            Ok(target) => {
                let (watch, results) = self.lookup.start(target, &self.options);
                let options = Arc::clone(&self.options);
                ConnectState::Racing(happy_eyeballs::Connecting::new(results, options, watch))
            }
            Err(error) => ConnectState::Failed(Some(error)),
        })
    }
}

/// The future of [`Connector`].
///
/// # Cancel safety
///
/// Dropping it cancels the lookup and closes every socket at once.
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct ConnectFuture(ConnectState);

#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "the small variant is for calls that fail at once")]
enum ConnectState {
    Racing(happy_eyeballs::Connecting<Results>),
    Failed(Option<ConnectError>),
}

impl Future for ConnectFuture {
    type Output = Result<TokioIo<RacedStream>, ConnectError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let result = match &mut self.0 {
            ConnectState::Racing(race) => ready!(Pin::new(race).poll(cx)),
            ConnectState::Failed(error) => {
                Err(error.take().expect("not polled after it was ready"))
            }
        };
        Poll::Ready(result.map(|(stream, info)| TokioIo::new(RacedStream::new(stream, info))))
    }
}

#[cfg(test)]
mod tests;
