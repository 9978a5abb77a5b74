//! hyper-rustls, and a certificate authority of one's own: its connector wraps another.

use bytes::Bytes;
use http::{Response, Uri};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};

pub async fn get(
    resolver: outrace::Resolver,
    authority: CertificateDer<'_>,
    uri: Uri,
) -> crate::Result<Response<Incoming>> {
    let mut roots = RootCertStore::empty();
    roots.add(authority)?;
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(
            ClientConfig::builder().with_root_certificates(roots).with_no_client_auth(),
        )
        .https_only()
        .enable_all_versions()
        .wrap_connector(outrace::Connector::with_resolver(resolver).enforce_http(false));
    let client = Client::builder(TokioExecutor::new()).build::<_, Empty<Bytes>>(connector);
    Ok(client.get(uri).await?)
}
