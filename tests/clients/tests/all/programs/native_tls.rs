//! hyper-tls over a connector.

use std::error::Error;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_tls::HttpsConnector;
use hyper_tls::native_tls::{Certificate, TlsConnector};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use outrace::{Connector, Resolver};

pub(super) async fn get(
    resolver: &Resolver,
    root: &[u8],
    url: &str,
) -> Result<Bytes, Box<dyn Error>> {
    let tcp = Connector::with_resolver(resolver.clone()).enforce_http(false);
    let tls = TlsConnector::builder().add_root_certificate(Certificate::from_der(root)?).build()?;
    let https = HttpsConnector::from((tcp, tls.into()));
    let client = Client::builder(TokioExecutor::new()).build::<_, Empty<Bytes>>(https);
    let response = client.get(url.parse()?).await?;
    Ok(response.into_body().collect().await?.to_bytes())
}
