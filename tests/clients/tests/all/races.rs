//! Races of handshakes: TLS and QUIC.

use std::net::Ipv4Addr;
use std::sync::Arc;

use hyper_util::rt::TokioIo;
use outrace::ConnectError;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{ClientConfig, Endpoint, ServerConfig};
use tokio::net::TcpListener;

use super::tls::Certified;
use super::{HOST, Host, serve_connection};

/// Of three addresses the first refuses, and the second is a web server without TLS.
#[tokio::test]
async fn the_first_tls_handshake_wins_and_not_the_first_that_accepts() {
    let host = Host::with_script(
        "www.example.test. A    -> answer 127.0.0.3 127.0.0.2 127.0.0.1
         www.example.test. AAAA -> nodata",
    );
    let certified = Certified::new();
    let port = certified.serve().await;
    let plain = TcpListener::bind((Ipv4Addr::new(127, 0, 0, 2), port)).await.unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = plain.accept().await {
            tokio::spawn(serve_connection(TokioIo::new(stream)));
        }
    });
    let config = Arc::new(certified.client_config());
    let stream = outrace_clients::rustls::connect(&host.resolver, config, (HOST, port));
    let stream = stream.await.unwrap();
    assert_eq!(stream.get_ref().0.peer_addr().unwrap(), (Ipv4Addr::LOCALHOST, port).into());
    host.assert_asked();

    // Where no handshake succeeds, the error has that of a peer that was reached.
    let strange = Arc::new(Certified::new().client_config());
    let stream = outrace_clients::rustls::connect(&host.resolver, strange, (HOST, port));
    let error = stream.await.unwrap_err();
    let error = error.downcast_ref::<ConnectError<std::io::Error>>().unwrap();
    assert!(error.decisive().unwrap().transport_up.is_some(), "{error:?}");
    assert_eq!(error.attempts().len(), 3, "{error:?}");
}

#[tokio::test]
async fn the_first_quic_handshake_wins() {
    let (host, certified) = (Host::new(), Certified::new());
    let server = QuicServerConfig::try_from(certified.server_config()).unwrap();
    let server = ServerConfig::with_crypto(Arc::new(server));
    let server = Endpoint::server(server, (Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let port = server.local_addr().unwrap().port();
    let accepted = tokio::spawn(async move {
        let connection = server.accept().await.unwrap().await.unwrap();
        connection.accept_uni().await.unwrap().read_to_end(64).await.unwrap()
    });
    let mut quic = Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let client = QuicClientConfig::try_from(certified.client_config()).unwrap();
    quic.set_default_client_config(ClientConfig::new(Arc::new(client)));
    let connection = outrace_clients::quinn::connect(&host.resolver, &quic, (HOST, port));
    let connection = connection.await.unwrap();
    let mut stream = connection.open_uni().await.unwrap();
    stream.write_all(b"hello").await.unwrap();
    stream.finish().unwrap();
    assert_eq!(accepted.await.unwrap(), b"hello");
    host.assert_asked();
}
