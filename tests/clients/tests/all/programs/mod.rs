//! Programs, each as short as its stack allows, against servers on loopback. A reader may copy them;
//! none names `outrace` in more than three lines.
//!
//! The other stacks have their tests beside this folder: hyper-util, hyper-rustls, reqwest, tonic and
//! tower.

mod native_tls;
mod postgres;
mod quic;
mod redis_dns;
mod redis_stream;
mod servers;
mod smol_race;
mod threads;
mod tls_race;
mod ureq_dns;
mod websocket;

use std::net::Ipv4Addr;
use std::sync::Arc;

use hyper_util::rt::TokioIo;

use super::tls::{configs, configs_and_root, serve_tls};
use super::{HOST, Host, serve, serve_connection};

#[tokio::test]
async fn a_websocket_echoes() {
    let port = servers::websocket().await;
    let echo = websocket::echo(&Host::new().resolver, HOST, port, "hello").await.unwrap();
    assert_eq!(echo, "hello");
}

#[tokio::test]
async fn a_database_answers_over_connect_raw() {
    let port = servers::postgres().await;
    let version = postgres::version(&Host::new().resolver, HOST, port).await.unwrap();
    assert_eq!(version.as_deref(), Some("17.0"));
}

#[tokio::test]
async fn redis_asks_the_resolver_and_takes_a_stream() {
    let port = servers::redis().await;
    let host = Host::new();
    assert_eq!(redis_dns::ping(&host.resolver, HOST, port).await.unwrap(), "PONG");
    assert_eq!(redis_stream::ping(&host.resolver, HOST, port).await.unwrap(), "PONG");
}

#[tokio::test(flavor = "multi_thread")]
async fn threads_have_pages_from_the_resolver_and_by_races() {
    let port = serve().await;
    // Of no runtime: what they race, they race without Tokio.
    let threads = std::thread::spawn(move || {
        assert!(tokio::runtime::Handle::try_current().is_err());
        let Host { resolver, _nameserver } = Host::new();
        let page = ureq_dns::get(&resolver, &format!("http://{HOST}:{port}/page")).unwrap();
        assert_eq!(page, "HTTP/1.1 /page");
        for response in [
            threads::get(&resolver, HOST, port).unwrap(),
            smol_race::get(&resolver, HOST, port).unwrap(),
        ] {
            assert!(response.ends_with("\r\nHTTP/1.1 /page"), "{response}");
        }
    });
    tokio::task::spawn_blocking(move || threads.join().unwrap()).await.unwrap();
}

#[tokio::test]
async fn the_first_quic_handshake_wins() {
    let (client, server) = configs();
    let (port, quic) = servers::quic(client, server);
    let echo = quic::echo(&Host::new().resolver, &quic, HOST, port, "hello").await.unwrap();
    assert_eq!(echo, "hello");
}

/// Of three addresses the first refuses, and the second accepts and is a web server without TLS.
#[tokio::test]
async fn the_first_tls_handshake_wins_and_not_the_first_that_accepts() {
    let host = Host::with_script(
        "www.example.test. A    -> answer 127.0.0.3 127.0.0.2 127.0.0.1
         www.example.test. AAAA -> nodata",
    );
    let (client, server) = configs();
    let addr = serve_tls(Arc::new(server)).await;
    let plain = (Ipv4Addr::new(127, 0, 0, 2), addr.port());
    let plain = tokio::net::TcpListener::bind(plain).await.unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = plain.accept().await {
            tokio::spawn(serve_connection(TokioIo::new(stream)));
        }
    });
    let client = Arc::new(client);
    let (stream, won) = tls_race::connect(&host.resolver, client, HOST, addr.port()).await.unwrap();
    assert_eq!(won, addr);
    assert!(stream.get_ref().1.peer_certificates().is_some());

    // Where no handshake succeeds, its failure is what the error tells.
    let (stranger, _) = configs();
    let connect = tls_race::connect(&host.resolver, Arc::new(stranger), HOST, addr.port());
    let error = connect.await.unwrap_err();
    let attempt = error.decisive().unwrap();
    assert!(attempt.transport_up.is_some(), "{error:?}");
    assert_eq!(error.attempts().len(), 3, "{error:?}");
}

#[tokio::test]
async fn hyper_tls_has_a_page() {
    let (_, server, root) = configs_and_root();
    let addr = serve_tls(Arc::new(server)).await;
    let url = format!("https://{HOST}:{}/secret", addr.port());
    let page = native_tls::get(&Host::new().resolver, &root, &url).await.unwrap();
    assert_eq!(page, "HTTP/1.1 /secret");
}

#[test]
fn no_program_names_this_crate_in_more_than_three_lines() {
    let programs = [
        include_str!("native_tls.rs"),
        include_str!("postgres.rs"),
        include_str!("quic.rs"),
        include_str!("redis_dns.rs"),
        include_str!("redis_stream.rs"),
        include_str!("smol_race.rs"),
        include_str!("threads.rs"),
        include_str!("tls_race.rs"),
        include_str!("ureq_dns.rs"),
        include_str!("websocket.rs"),
    ];
    for program in programs {
        let lines = program.lines().filter(|line| line.contains("outrace")).count();
        assert!((1..=3).contains(&lines), "{program}");
    }
}
