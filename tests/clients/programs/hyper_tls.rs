//! hyper-tls, and a certificate authority of one's own: its connector is made from another.

use bytes::Bytes;
use http::{Response, Uri};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper_tls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use native_tls::{Certificate, TlsConnector};

pub async fn get(
    resolver: outrace::Resolver,
    authority: Certificate,
    uri: Uri,
) -> crate::Result<Response<Incoming>> {
    let connector = outrace::Connector::with_resolver(resolver).enforce_http(false);
    let tls = TlsConnector::builder().add_root_certificate(authority).build()?;
    let mut connector = HttpsConnector::from((connector, tls.into()));
    connector.https_only(true);
    let client = Client::builder(TokioExecutor::new()).build::<_, Empty<Bytes>>(connector);
    Ok(client.get(uri).await?)
}
