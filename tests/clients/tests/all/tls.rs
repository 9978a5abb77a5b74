//! TLS layers over `Connector`: hyper-rustls and hyper-tls, with a certificate authority of the
//! test's own.

use std::sync::Arc;

use http_body_util::BodyExt;
use hyper_util::client::legacy::connect::HttpInfo;
use hyper_util::rt::TokioIo;
use outrace::happy_eyeballs::ConnectInfo;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

use super::{HOST, Host, listen, serve_connection};

/// An authority, and the certificate that it has signed for [`HOST`].
pub struct Certified {
    pub authority: CertifiedIssuer<'static, KeyPair>,
    pub certificate: rcgen::Certificate,
    pub key: KeyPair,
}

impl Certified {
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "the authority of the test");
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([HOST.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &authority).unwrap();
        Self { authority, certificate, key }
    }

    pub fn server_config(&self) -> ServerConfig {
        let key = PrivateKeyDer::try_from(self.key.serialize_der()).unwrap();
        ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate.der().clone()], key)
            .unwrap()
    }

    /// Trusts the authority.
    pub fn client_config(&self) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.der().clone()).unwrap();
        ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()
    }

    /// A web server with this certificate and HTTP/2 on offer, for as long as the runtime lives.
    /// Gives its port.
    pub async fn serve(&self) -> u16 {
        let mut config = self.server_config();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let (listener, addr) = listen().await;
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
        addr.port()
    }
}

#[tokio::test]
async fn hyper_rustls_over_connector() {
    let (host, certified) = (Host::new(), Certified::new());
    let port = certified.serve().await;
    let uri = format!("https://{HOST}:{port}/secret").parse().unwrap();
    let authority = certified.authority.der().clone();
    let response =
        outrace_clients::hyper_rustls::get(host.resolver.clone(), authority, uri).await.unwrap();
    let info = response.extensions().get::<ConnectInfo>().expect("TLS hands it on");
    assert_eq!(info.addr().port(), port);
    assert_eq!(response.extensions().get::<HttpInfo>().unwrap().remote_addr(), info.addr());
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "HTTP/2.0 /secret", "HTTP/2 was agreed on over TLS");
    host.assert_asked();
}

#[cfg(feature = "hyper-tls")]
#[tokio::test]
async fn hyper_tls_over_connector() {
    let (host, certified) = (Host::new(), Certified::new());
    let port = certified.serve().await;
    let uri = format!("https://{HOST}:{port}/secret").parse().unwrap();
    let authority = native_tls::Certificate::from_der(certified.authority.der()).unwrap();
    let response =
        outrace_clients::hyper_tls::get(host.resolver.clone(), authority, uri).await.unwrap();
    let info = response.extensions().get::<ConnectInfo>().expect("TLS hands it on");
    assert_eq!(info.addr().port(), port);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "HTTP/1.1 /secret");
    host.assert_asked();
}

#[cfg(feature = "hyper-tls")]
#[tokio::test]
async fn hyper_tls_refuses_another_authority() {
    let (host, certified) = (Host::new(), Certified::new());
    let uri = format!("https://{HOST}:{}/secret", certified.serve().await).parse().unwrap();
    let authority = native_tls::Certificate::from_der(Certified::new().authority.der()).unwrap();
    let outcome = outrace_clients::hyper_tls::get(host.resolver.clone(), authority, uri).await;
    assert!(outcome.is_err(), "{outcome:?}");
}
