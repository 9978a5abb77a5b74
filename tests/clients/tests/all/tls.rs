//! hyper-rustls' `HttpsConnector` over `Connector`, with a certificate of the test's own.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpInfo;
use hyper_util::rt::{TokioExecutor, TokioIo};
use outrace::happy_eyeballs::ConnectInfo;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

use super::{HOST, Host, listen, serve_connection};

/// Both ends of TLS for [`HOST`], with HTTP/2 on offer.
pub(super) fn configs() -> (ClientConfig, ServerConfig) {
    let (client, server, _) = configs_and_root();
    (client, server)
}

/// The same, and the certificate that the client trusts.
pub(super) fn configs_and_root() -> (ClientConfig, ServerConfig, CertificateDer<'static>) {
    let certified = rcgen::generate_simple_self_signed([HOST.to_owned()]).unwrap();
    let certificate = certified.cert.der().clone();
    let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());

    let mut server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];

    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (client, server, certificate)
}

/// A web server with TLS, for as long as the runtime lives.
pub(super) async fn serve_tls(config: Arc<ServerConfig>) -> SocketAddr {
    let (listener, addr) = listen().await;
    let acceptor = TlsAcceptor::from(config);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    serve_connection(TokioIo::new(stream)).await;
                }
            });
        }
    });
    addr
}

#[tokio::test]
async fn hyper_rustls_over_connector() {
    let host = Host::new();
    let (client_config, server_config) = configs();
    let addr = serve_tls(Arc::new(server_config)).await;
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(client_config)
        .https_only()
        .enable_all_versions()
        .wrap_connector(host.connector().enforce_http(false));
    let client = Client::builder(TokioExecutor::new()).build::<_, Empty<Bytes>>(connector);
    let uri = format!("https://{HOST}:{}/secret", addr.port()).parse().unwrap();
    let response = client.get(uri).await.unwrap();
    let info = response.extensions().get::<ConnectInfo>().expect("TLS hands it on");
    assert_eq!(info.addr(), addr);
    assert_eq!(response.extensions().get::<HttpInfo>().unwrap().remote_addr(), addr);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "HTTP/2.0 /secret", "HTTP/2 was agreed on over TLS");
}
