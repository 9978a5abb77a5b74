//! [`Resolver`] as the resolver of hyper-util's own `HttpConnector`.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper_util::client::legacy::connect::dns::Name;
use tower_service::Service;

use super::uri::decode_zone;
use crate::happy_eyeballs::AddressCollector;
use crate::{HostName, LookupError, LookupOptions, LookupStream, Resolver, Target, TargetError};

/// For `HttpConnector::new_with_resolver(resolver)`.
///
/// `HttpConnector` takes all addresses at once, so nothing is raced while the lookup runs. Within
/// that limit, the addresses come in the order of RFC 6724, and once the first has arrived, the
/// others are waited for no longer than the Resolution Delay (50 ms).
/// [`Connector`](crate::Connector) does better.
///
/// An [`AddressPolicy`](crate::resolve::AddressPolicy) of the resolver covers the names of this
/// client, and not IP literals, which `HttpConnector` dials without a resolver.
/// [`Connector`](crate::Connector) looks them up, and so has them checked.
///
/// ```
/// use hyper_util::client::legacy::connect::HttpConnector;
/// use outrace::Resolver;
///
/// let connector = HttpConnector::new_with_resolver(Resolver::system());
/// # let _ = connector;
/// ```
impl Service<Name> for Resolver {
    type Response = Addresses;
    type Error = LookupError;
    type Future = ResolveName;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), LookupError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> ResolveName {
        ResolveName(AddressCollector::new(lookup_host(self, name.as_str())))
    }
}

/// Looks up a host of a URI, without a port and without brackets.
pub(super) fn lookup_host(resolver: &Resolver, host: &str) -> LookupStream {
    let target =
        HostName::parse_in_hosts(&decode_zone(host)).map(Target::from).map_err(TargetError::from);
    resolver.lookup_with(Parsed(target), &LookupOptions::default())
}

/// A target, or why the text is none, which the lookup reports.
struct Parsed(Result<Target, TargetError>);

impl TryFrom<Parsed> for Target {
    type Error = TargetError;

    fn try_from(parsed: Parsed) -> Result<Self, TargetError> {
        parsed.0
    }
}

/// A lookup for `HttpConnector`.
///
/// # Cancel safety
///
/// Dropping it cancels the lookup.
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct ResolveName(AddressCollector);

impl Future for ResolveName {
    type Output = Result<Addresses, LookupError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let addresses = ready!(Pin::new(&mut self.0).poll(cx))?;
        Poll::Ready(Ok(Addresses(addresses.into_iter())))
    }
}

/// The addresses of a host, the best first, with port 0: `HttpConnector` sets the port.
#[derive(Clone, Debug)]
pub struct Addresses(std::vec::IntoIter<SocketAddr>);

impl Iterator for Addresses {
    type Item = SocketAddr;

    fn next(&mut self) -> Option<SocketAddr> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for Addresses {}
