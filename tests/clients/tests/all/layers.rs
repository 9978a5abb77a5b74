//! tower's layers round `Connector`: timeout, retry, concurrency limit.

use std::future::{Ready, ready};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::Uri;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use outrace::ConnectError;
use tower::retry::Policy;
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceBuilder, ServiceExt};

use super::support::{Behaviour, Web};
use super::{HOST, Host, serve};

/// Once more if it was refused.
#[derive(Clone)]
struct OnceMore {
    left: usize,
    retried: Arc<AtomicUsize>,
}

impl<T> Policy<Uri, T, ConnectError> for OnceMore {
    type Future = Ready<()>;

    fn retry(&mut self, _: &mut Uri, result: &mut Result<T, ConnectError>) -> Option<Ready<()>> {
        if self.left == 0 || !result.as_ref().is_err_and(ConnectError::is_refused) {
            return None;
        }
        self.left -= 1;
        self.retried.fetch_add(1, Ordering::Relaxed);
        Some(ready(()))
    }

    fn clone_request(&mut self, uri: &Uri) -> Option<Uri> {
        Some(uri.clone())
    }
}

#[tokio::test]
async fn a_client_over_layers_over_connector() {
    let host = Host::new();
    let retried = Arc::default();
    let connector = ServiceBuilder::new()
        .timeout(Duration::from_secs(5))
        .concurrency_limit(1)
        .retry(OnceMore { left: 1, retried: Arc::clone(&retried) })
        .service(host.connector());
    // hyper-util wants a future that is `Unpin`, and that of the timeout layer is not.
    let connector = BoxCloneSyncService::new(connector);
    let client = Client::builder(TokioExecutor::new()).build::<_, Empty<Bytes>>(connector);
    let uri = format!("http://{HOST}:{}/page", serve().await).parse().unwrap();
    assert!(client.get(uri).await.unwrap().status().is_success());
    assert_eq!(retried.load(Ordering::Relaxed), 0);
}

/// NXDOMAIN without a SOA record is not cached (RFC 2308), so the second connect asks again.
#[tokio::test]
async fn a_connect_that_failed_is_tried_again() {
    let host = Host::with_script(
        "www.example.test. A    -> nxdomain | answer 127.0.0.1
         www.example.test. AAAA -> nxdomain | answer ::1",
    );
    let uri = format!("http://{HOST}:{}/page", serve().await).parse().unwrap();
    let response = outrace_clients::tower::get(host.resolver.clone(), uri).await.unwrap();
    assert!(response.status().is_success());
    assert!(host.nameserver.journal().queries_for(HOST, "A").len() >= 2);
}

#[tokio::test]
async fn a_retry_layer_sees_the_cause() {
    let host = Host::new();
    let web = Web::start([(Ipv4Addr::LOCALHOST.into(), Behaviour::Refuse)]);
    let retried = Arc::default();
    let policy = OnceMore { left: 1, retried: Arc::clone(&retried) };
    let connector = ServiceBuilder::new().retry(policy).service(host.connector());
    let uri = format!("http://{HOST}:{}", web.port()).parse().unwrap();
    let error = connector.oneshot(uri).await.unwrap_err();
    assert!(error.is_refused(), "{error:#}");
    assert_eq!(retried.load(Ordering::Relaxed), 1);
}

/// A timeout layer drops the race, and the race closes its socket.
#[tokio::test]
async fn a_timeout_layer_ends_the_race() {
    let host = Host::new();
    let web = Web::start([(
        Ipv4Addr::LOCALHOST.into(),
        Behaviour::AcceptAfter(Duration::from_millis(200)),
    )]);
    let timeout = Duration::from_millis(100);
    let mut connector = ServiceBuilder::new().timeout(timeout).service(host.connector());
    let addr = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), web.port());
    let uri: Uri = format!("http://{addr}").parse().unwrap();
    let error = connector.ready().await.unwrap().call(uri.clone()).await.unwrap_err();
    assert!(error.is::<tower::timeout::error::Elapsed>(), "{error}");
    // The kernel repeats a SYN after a second. Had the first race gone on, its connection would
    // come through before this one.
    host.connector().oneshot(uri).await.unwrap();
    web.wait_until("a connection", |visits| visits.accepted(addr.ip()) > 0);
    assert_eq!(web.visits().accepted(addr.ip()), 1);
}
