//! outrace under clients that it did not write, each as its own documentation sets it up: the
//! programs, and what else they are promised.
//!
//! Every name has an AAAA record too, of an address where nothing listens: a client that gets a
//! page has raced for it.

mod grpc;
mod http;
mod layers;
mod lines;
mod postgres;
mod races;
mod redis;
mod reqwest_dns;
mod threads;
mod tls;
mod ureq;
mod websocket;

#[path = "../../../support/mod.rs"]
mod support;

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::rt::{Read, Write};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioExecutor;
use hyper_util::server::conn::auto;
use outrace::resolve::AddressPolicy;
use outrace::{Connector, Resolver};
use support::Nameserver;
use tokio::net::TcpListener;

/// A name for a server on 127.0.0.1, and a resolver that knows it.
struct Host {
    nameserver: Nameserver,
    resolver: Resolver,
}

const HOST: &str = "www.example.test";

impl Host {
    fn new() -> Self {
        Self::with_script(
            "www.example.test. A    -> answer 127.0.0.1
             www.example.test. AAAA -> answer ::1",
        )
    }

    fn with_script(script: &str) -> Self {
        Self::with_policy(script, AddressPolicy::default())
    }

    fn with_policy(script: &str, policy: AddressPolicy) -> Self {
        let nameserver = Nameserver::start(script);
        let resolver = Resolver::builder()
            .without_system_configuration()
            .nameservers([nameserver.addr()])
            .address_policy(policy)
            .build();
        Self { nameserver, resolver }
    }

    fn connector(&self) -> Connector {
        Connector::with_resolver(self.resolver.clone())
    }

    /// The nameserver was asked, and no other knows the name.
    #[track_caller]
    fn assert_asked(&self) {
        assert!(!self.nameserver.journal().queries_for(HOST, "A").is_empty());
    }
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let addr = listener.local_addr().unwrap();
    (listener, addr)
}

/// Serves HTTP/1.1 and HTTP/2 on one connection: the body is the version and the path.
async fn serve_connection(io: impl Read + Write + Unpin + Send + 'static) {
    let answer = |request: Request<Incoming>| async move {
        let body = format!("{:?} {}", request.version(), request.uri().path());
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(body))))
    };
    // Clients may leave as they like.
    let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(io, service_fn(answer)).await;
}

/// A web server without TLS, for as long as the runtime lives. Gives its port.
async fn serve() -> u16 {
    let (listener, addr) = listen().await;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve_connection(hyper_util::rt::TokioIo::new(stream)));
        }
    });
    addr.port()
}
