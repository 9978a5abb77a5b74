//! What a connector makes of a URI, before anything is looked up.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::*;
use crate::{Resolver, TargetError};

fn target(connector: &Connector, uri: &str) -> Result<String, ConnectError> {
    connector.target(&uri.parse().unwrap()).map(|target| target.to_string())
}

#[test]
fn a_uri_names_host_and_port() {
    let connector = Connector::with_resolver(Resolver::system()).enforce_http(false);
    for (uri, expected) in [
        ("http://example.com/path", "example.com:80"),
        ("https://example.com/", "example.com:443"),
        ("http://example.com:8080", "example.com:8080"),
        ("https://user:secret@example.com/", "example.com:443"),
        ("ws://example.com", "example.com:80"),
        ("http://192.0.2.1/", "192.0.2.1:80"),
        ("https://[2001:db8::1]/", "[2001:db8::1]:443"),
        ("http://[::1]:8080/", "[::1]:8080"),
    ] {
        assert_eq!(target(&connector, uri).as_deref(), Ok(expected), "{uri}");
    }
}

#[test]
fn a_uri_that_names_none_is_refused_by_cause() {
    let strict = Connector::new();
    let lax = Connector::new().enforce_http(false);
    for (connector, uri, cause) in [
        (&strict, "https://example.com/", ConnectError::invalid_uri(UriError::NotHttp)),
        (&strict, "/path", ConnectError::invalid_uri(UriError::NotHttp)),
        (&lax, "/path", ConnectError::invalid_uri(UriError::NoScheme)),
        (&lax, "example.com:80", ConnectError::invalid_uri(UriError::NoScheme)),
        (&lax, "http://127.1/", ConnectError::invalid_target(name_error("127.1"))),
        (&lax, "http://a..b/", ConnectError::invalid_target(name_error("a..b"))),
    ] {
        let error = target(connector, uri).unwrap_err();
        assert_eq!(error, cause, "{uri}");
        assert!(error.is_invalid_target(), "{uri}");
    }
}

fn name_error(host: &str) -> TargetError {
    TargetError::Name(host.parse::<crate::HostName>().unwrap_err())
}

#[test]
fn a_refused_uri_is_an_error_of_the_future() {
    let future = Connector::new().call("https://example.com".parse().unwrap());
    let mut context = Context::from_waker(Waker::noop());
    let Poll::Ready(Err(error)) = pin!(future).poll(&mut context) else { panic!("it is ready") };
    assert_eq!(error.to_string(), "no target to connect to: the scheme of the URI is not http");
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
