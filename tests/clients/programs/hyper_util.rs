//! hyper-util's `Client`: takes a connector.

use bytes::Bytes;
use http::{Response, Uri};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

pub async fn get(resolver: outrace::Resolver, uri: Uri) -> crate::Result<Response<Incoming>> {
    let connector = outrace::Connector::with_resolver(resolver);
    let client = Client::builder(TokioExecutor::new()).build::<_, Empty<Bytes>>(connector);
    Ok(client.get(uri).await?)
}
