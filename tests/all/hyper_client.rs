//! hyper-util's `Client` over `Connector`, and `HttpConnector` over `Resolver`.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use crate::support::{Behaviour, Web, World};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::StatusCode;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connect, HttpConnector, HttpInfo};
use hyper_util::rt::TokioExecutor;
use outrace::happy_eyeballs::{ConnectErrorKind, ConnectInfo, ConnectOptions};
use outrace::resolve::AddressPolicy;
use outrace::{ConnectError, Connector, LookupErrorKind, Resolver};

const V4_1: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const V4_2: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

fn client<C: Connect + Clone>(connector: C) -> Client<C, Empty<Bytes>> {
    Client::builder(TokioExecutor::new()).build(connector)
}

fn resolver(world: &World) -> Resolver {
    Resolver::builder().without_system_configuration().nameservers(world.nameserver_addrs()).build()
}

fn uri(world: &World, host: &str) -> hyper::Uri {
    format!("http://{host}:{}/", world.web.port()).parse().unwrap()
}

/// The cause that hyper-util's error wraps.
fn connect_error(error: &hyper_util::client::legacy::Error) -> &ConnectError {
    error.source().and_then(|source| source.downcast_ref()).expect("a ConnectError")
}

#[tokio::test]
async fn a_page_comes_from_an_ip_literal() {
    let world = World::demo();
    let client = client(Connector::with_resolver(resolver(&world)));
    for host in ["127.0.0.1", "[::1]"] {
        if host == "[::1]" && !crate::support::has_ipv6() {
            continue;
        }
        let response = client.get(uri(&world, host)).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(String::from_utf8_lossy(&body).contains(host.trim_matches(['[', ']'])));
    }
    assert!(world.journal().queries().is_empty(), "no nameserver was asked for an address");
}

#[tokio::test]
async fn a_page_comes_from_the_address_that_won_and_says_so() {
    let world = World::rough();
    let client = client(Connector::with_resolver(resolver(&world)));
    // A black hole, an address that refuses, and one that serves.
    let response = client.get(uri(&world, "rough.example.test")).await.unwrap();
    let http_info = response.extensions().get::<HttpInfo>().expect("as with HttpConnector");
    let info = response.extensions().get::<ConnectInfo>().expect("and more");
    assert_eq!(http_info.remote_addr(), info.addr());
    assert_eq!(info.addr().ip(), V4_2);
    assert_eq!(info.attempts().len(), 3);
}

#[tokio::test]
async fn errors_come_through_by_cause() {
    let world = World::demo();
    let connector = Connector::with_resolver(resolver(&world));

    let gone = client(connector.clone()).get(uri(&world, "gone.example.test")).await.unwrap_err();
    assert!(gone.is_connect());
    let kind = connect_error(&gone).kind();
    assert_eq!(kind, ConnectErrorKind::Dns(LookupErrorKind::NotFound));

    let refused = client(connector.clone()).get(uri(&world, "127.0.0.2")).await.unwrap_err();
    assert!(connect_error(&refused).is_refused());

    let https = "https://www.example.test/".parse().unwrap();
    let scheme = client(connector.clone()).get(https).await.unwrap_err();
    assert!(connect_error(&scheme).is_invalid_target());

    let public = connector.options(ConnectOptions::default().policy(AddressPolicy::public_only()));
    let denied = client(public).get(uri(&world, "www.example.test")).await.unwrap_err();
    assert!(connect_error(&denied).is_denied());
}

/// hyper-util asks `HttpConnector` for all addresses at once: the late family costs the Resolution
/// Delay there, and not the seconds until its query is given up.
#[tokio::test]
async fn http_connector_takes_resolver() {
    let script = "late.example.test. A    -> answer 127.0.0.1
                  late.example.test. AAAA -> drop";
    let world = World::new([script], Web::start([(V4_1, Behaviour::Serve)]));
    let client = client(HttpConnector::new_with_resolver(resolver(&world)));
    let begin = Instant::now();
    let response = client.get(uri(&world, "late.example.test")).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert!(begin.elapsed() < Duration::from_millis(500), "took {:?}", begin.elapsed());

    let gone = client.get(uri(&world, "gone.example.test")).await.unwrap_err();
    assert!(gone.is_connect(), "{gone:?}");
}

/// A request that is given up takes its race along: the connection is closed, nothing runs on.
#[tokio::test]
async fn a_request_that_is_dropped_closes_its_sockets() {
    let world = World::new(
        ["hole.example.test. A    -> answer 127.0.0.1
          hole.example.test. AAAA -> nodata"],
        Web::start([(V4_1, Behaviour::AcceptAfter(Duration::from_millis(300)))]),
    );
    let client = client(Connector::with_resolver(resolver(&world)));
    let request = client.get(uri(&world, "hole.example.test"));
    let waited = tokio::time::timeout(Duration::from_millis(100), request).await;
    assert!(waited.is_err());
    // The server answers the next SYN, so what is open there afterwards is this request's alone.
    let response = client.get(uri(&world, "hole.example.test")).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(world.web.visits().accepted(V4_1), 1);
}
