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

/// A table in memory, the simplest of lookups.
mod over_a_lookup_of_the_caller {
    use std::net::SocketAddr;
    use std::sync::Mutex;

    use futures_util::stream;

    use super::*;
    use crate::happy_eyeballs::ConnectErrorKind;
    use crate::resolve::AddressPolicy;

    fn server() -> (std::net::TcpListener, SocketAddr) {
        let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = server.local_addr().unwrap();
        (server, addr)
    }

    #[tokio::test]
    async fn its_addresses_are_raced_and_it_is_not_asked_for_literals() {
        let (_server, addr) = server();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        let mut connector = Connector::with_lookup(move |target| {
            log.lock().unwrap().push(target.to_string());
            // Without an `End`, and with nothing listening at the first address.
            stream::iter([SocketAddr::new(addr.ip(), 1), addr].map(LookupResult::Address))
        });
        let uri = Uri::from_static("http://registry.internal:8080/path");
        let stream = connector.call(uri).await.unwrap().into_inner();
        assert_eq!(stream.info().addr(), addr);
        assert_eq!(stream.info().attempts().len(), 2);
        assert_eq!(stream.info().lookup(), None);
        let literal = format!("http://{addr}/").parse().unwrap();
        let stream = connector.call(literal).await.unwrap().into_inner();
        assert_eq!(stream.info().addr(), addr);
        assert_eq!(*asked.lock().unwrap(), ["registry.internal:8080"]);
    }

    #[tokio::test]
    async fn a_connect_that_leads_elsewhere_goes_there() {
        let (_server, addr) = server();
        let options = ConnectOptions::default().connect_to("api.example.com", addr).unwrap();
        let uri = Uri::from_static("http://api.example.com:8080/");
        let mut connector = Connector::new().options(options.clone());
        let stream = connector.call(uri.clone()).await.unwrap().into_inner();
        assert_eq!(stream.info().addr(), addr);
        let mut connector = Connector::with_lookup(|_| stream::empty()).options(options);
        let stream = connector.call(uri).await.unwrap().into_inner();
        assert_eq!(stream.info().addr(), addr);
    }

    #[tokio::test]
    async fn a_word_of_the_connector_holds_for_its_connects() {
        let (_server, addr) = server();
        let silent = Connector::with_lookup(|_| stream::pending());
        let error = silent
            .timeout(Duration::from_millis(1))
            .call(Uri::from_static("http://a.internal/"))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ConnectErrorKind::Timeout);
        let local = "127.0.0.7".parse().unwrap();
        let mut connector = Connector::new().nodelay(true).local_address(local);
        let literal = format!("http://{addr}/").parse().unwrap();
        let stream = connector.call(literal).await.unwrap().into_inner();
        assert_eq!(stream.get_ref().local_addr().unwrap().ip(), local);
        assert!(stream.get_ref().nodelay().unwrap());
        let no_ipv4 = Connector::new().family(AddressFamily::Ipv6);
        let literal = format!("http://{addr}/").parse().unwrap();
        assert!(no_ipv4.clone().call(literal).await.unwrap_err().is_dns());
    }

    #[tokio::test]
    async fn the_options_of_the_race_hold() {
        let (_server, addr) = server();
        let results = move |_| stream::iter([LookupResult::Address(addr)]);
        let options = ConnectOptions::default().policy(AddressPolicy::public_only());
        let mut connector = Connector::with_lookup(results).options(options);
        let error = connector.call(Uri::from_static("http://a.internal/")).await.unwrap_err();
        assert_eq!(error.kind(), ConnectErrorKind::Denied);
        let literal = format!("http://{addr}/").parse().unwrap();
        let error = connector.call(literal).await.unwrap_err();
        assert_eq!(error.kind(), ConnectErrorKind::Denied);
    }

    #[test]
    fn it_fits_where_the_other_fits() {
        fn send_sync<T: Send + Sync + 'static>(_: &T) {}
        let mut connector = Connector::with_lookup(|_| stream::empty());
        send_sync(&connector);
        send_sync(&connector.call(Uri::from_static("http://a.internal/")));
    }
}
