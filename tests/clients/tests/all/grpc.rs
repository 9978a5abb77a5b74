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
use tonic::transport::server::{ServerTlsConfig, TcpIncoming};
use tonic::transport::{Certificate, Channel, Endpoint, Identity, Server};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;
use tower::Service;

use super::tls::Certified;
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

/// Serves [`Greeter`] for as long as the runtime lives. Gives its port.
async fn serve_greeter(mut server: Server) -> u16 {
    let (listener, addr) = listen().await;
    let incoming = TcpIncoming::from(listener);
    tokio::spawn(server.add_service(Greeter).serve_with_incoming(incoming));
    addr.port()
}

#[tokio::test]
async fn tonic_connects_with_connector() {
    let host = Host::new();
    let uri = format!("http://{HOST}:{}", serve_greeter(Server::builder()).await);
    let channel =
        outrace_clients::tonic::connect(host.resolver.clone(), uri.clone()).await.unwrap();
    assert_eq!(greet(channel, "you").await.unwrap(), "hello you");
    host.assert_asked();

    let endpoint = Endpoint::from_shared(uri).unwrap();
    let lazy = endpoint.connect_with_connector_lazy(host.connector());
    assert_eq!(greet(lazy, "again").await.unwrap(), "hello again");
}

#[tokio::test]
async fn tonic_connects_over_tls_with_connector() {
    let (host, certified) = (Host::new(), Certified::new());
    let identity = Identity::from_pem(certified.certificate.pem(), certified.key.serialize_pem());
    let tls = ServerTlsConfig::new().identity(identity);
    let port = serve_greeter(Server::builder().tls_config(tls).unwrap()).await;
    let authority = Certificate::from_pem(certified.authority.pem());
    let uri = format!("https://{HOST}:{port}");
    let channel = outrace_clients::tonic_tls::connect(host.resolver.clone(), authority, uri);
    assert_eq!(greet(channel.await.unwrap(), "you").await.unwrap(), "hello you");
    host.assert_asked();
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
