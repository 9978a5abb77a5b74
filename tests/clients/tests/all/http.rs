//! hyper-util's legacy `Client` over HTTP/1.1 and HTTP/2, and its `HttpConnector` over `Resolver`.

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::Uri;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connect, HttpConnector, HttpInfo};
use hyper_util::rt::TokioExecutor;
use outrace::happy_eyeballs::ConnectInfo;

use super::{HOST, Host, serve};

async fn body<C>(client: &Client<C, Empty<Bytes>>, uri: &Uri) -> (String, http::Extensions)
where
    C: Connect + Clone + Send + Sync + 'static,
{
    let response = client.get(uri.clone()).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (String::from_utf8(body.to_vec()).unwrap(), parts.extensions)
}

#[tokio::test]
async fn hyper_client_over_http1_and_http2() {
    let host = Host::new();
    let uri: Uri = format!("http://{HOST}:{}/page", serve().await).parse().unwrap();
    for (http2, expected) in [(false, "HTTP/1.1 /page"), (true, "HTTP/2.0 /page")] {
        let mut builder = Client::builder(TokioExecutor::new());
        let client = builder.http2_only(http2).build(host.connector());
        let (text, extensions) = body(&client, &uri).await;
        assert_eq!(text, expected);
        let info = extensions.get::<ConnectInfo>().unwrap();
        assert_eq!(extensions.get::<HttpInfo>().unwrap().remote_addr(), info.addr());

        // The second request finds the connection of the first.
        let (_, again) = body(&client, &uri).await;
        assert_eq!(again.get::<ConnectInfo>(), Some(info));
    }
}

#[tokio::test]
async fn a_get_by_hyper_util() {
    let host = Host::new();
    let uri = format!("http://{HOST}:{}/page", serve().await).parse().unwrap();
    let response = outrace_clients::hyper_util::get(host.resolver.clone(), uri).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "HTTP/1.1 /page");
    host.assert_asked();
}

#[tokio::test]
async fn http_connector_over_resolver() {
    let host = Host::new();
    let uri = format!("http://{HOST}:{}/page", serve().await).parse().unwrap();
    let connector = HttpConnector::new_with_resolver(host.resolver.clone());
    let client = Client::builder(TokioExecutor::new()).build(connector);
    assert_eq!(body(&client, &uri).await.0, "HTTP/1.1 /page");
}
