//! What a connector is to its callers, before anything is looked up.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::*;

#[test]
fn a_refused_uri_is_an_error_of_the_future() {
    let future = Connector::new().call("https://example.com".parse().unwrap());
    let mut context = Context::from_waker(Waker::noop());
    let Poll::Ready(Err(error)) = pin!(future).poll(&mut context) else { panic!("it is ready") };
    let text = error.to_string();
    assert!(
        text.starts_with("no target to connect to: the scheme of the URI is not http"),
        "{text}"
    );
    assert!(text.contains("Connector::for_tls"), "{text}");
}

/// The bounds of hyper-util's `Client`, hyper-rustls' `HttpsConnector`, hyper-util's `Tunnel`, and
/// tonic's `connect_with_connector`, in one.
#[test]
fn it_fits_where_http_connector_fits() {
    fn check<S>(_: S)
    where
        S: Service<Uri> + Clone + Send + Sync + Unpin + 'static,
        S::Response: hyper_util::client::legacy::connect::Connection
            + hyper::rt::Read
            + hyper::rt::Write
            + Unpin
            + Send
            + 'static,
        S::Future: Unpin + Send + 'static,
        S::Error: std::error::Error + Send + Sync + 'static,
    {
    }
    check(Connector::new());
}
