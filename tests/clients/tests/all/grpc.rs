//! tonic's channel over `Connector`. The service is written out, so that no code is generated.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use outrace::ConnectError;
use tonic::body::Body;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::server::{NamedService, UnaryService};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{
    Certificate, Channel, ClientTlsConfig, Endpoint, Identity, Server, ServerTlsConfig,
};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;
use tower::Service;

use super::{HOST, Host, listen};

type BoxFuture<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

/// Greets each caller by its name. Its messages are `google.protobuf.StringValue`s.
#[derive(Clone)]
struct Greeter;

impl NamedService for Greeter {
    const NAME: &'static str = "example.Greeter";
}

impl UnaryService<String> for Greeter {
    type Response = String;
    type Future = BoxFuture<Response<String>, Status>;

    fn call(&mut self, request: Request<String>) -> Self::Future {
        Box::pin(async move { Ok(Response::new(format!("hello {}", request.into_inner()))) })
    }
}

impl Service<http::Request<Body>> for Greeter {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move {
            let codec = ProstCodec::<String, String>::default();
            Ok(tonic::server::Grpc::new(codec).unary(Greeter, request).await)
        })
    }
}

async fn greet(channel: Channel, name: &str) -> Result<String, Status> {
    let mut client = Grpc::new(channel);
    client.ready().await.map_err(|e| Status::from_error(e.into()))?;
    let path = PathAndQuery::from_static("/example.Greeter/Greet");
    let request = Request::new(name.to_owned());
    let codec = ProstCodec::<String, String>::default();
    Ok(client.unary(request, path, codec).await?.into_inner())
}

#[tokio::test]
async fn tonic_connects_with_connector() {
    let host = Host::new();
    let (listener, addr) = listen().await;
    let server =
        Server::builder().add_service(Greeter).serve_with_incoming(TcpIncoming::from(listener));
    tokio::spawn(server);

    let endpoint = Endpoint::from_shared(format!("http://{HOST}:{}", addr.port())).unwrap();
    let channel = endpoint.connect_with_connector(host.connector()).await.unwrap();
    assert_eq!(greet(channel, "you").await.unwrap(), "hello you");

    let lazy = endpoint.connect_with_connector_lazy(host.connector());
    assert_eq!(greet(lazy, "again").await.unwrap(), "hello again");
}

#[tokio::test]
async fn tonic_with_tls_connects_with_connector() {
    let host = Host::new();
    let certified = rcgen::generate_simple_self_signed([HOST.to_owned()]).unwrap();
    let identity = Identity::from_pem(certified.cert.pem(), certified.signing_key.serialize_pem());
    let (listener, addr) = listen().await;
    let tls = ServerTlsConfig::new().identity(identity);
    let server = Server::builder().tls_config(tls).unwrap().add_service(Greeter);
    tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));

    let root = Certificate::from_pem(certified.cert.pem());
    let endpoint = Endpoint::from_shared(format!("https://{HOST}:{}", addr.port()))
        .and_then(|endpoint| endpoint.tls_config(ClientTlsConfig::new().ca_certificate(root)))
        .unwrap();
    let tcp = host.connector().enforce_http(false);
    let channel = endpoint.connect_with_connector(tcp).await.unwrap();
    assert_eq!(greet(channel, "you").await.unwrap(), "hello you");
}

#[tokio::test]
async fn tonic_hands_the_cause_on() {
    let host = Host::new();
    let endpoint = Endpoint::from_static("http://gone.example.test:50051");
    let error = endpoint.connect_with_connector(host.connector()).await.unwrap_err();
    let mut cause: Option<&dyn std::error::Error> = Some(&error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<ConnectError>() {
            assert!(error.is_dns(), "{error}");
            return;
        }
        cause = error.source();
    }
    panic!("no ConnectError behind {error:?}");
}
