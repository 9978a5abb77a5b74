//! TLS inside the race: the first address whose handshake succeeds wins, not the first that accepts.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use outrace::happy_eyeballs::{ConnectOptions, race};
use outrace::{ConnectError, Resolver};
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

pub(super) async fn connect(
    resolver: &Resolver,
    config: Arc<ClientConfig>,
    host: &'static str,
    port: u16,
) -> Result<(TlsStream<TcpStream>, SocketAddr), ConnectError<io::Error>> {
    let tls = TlsConnector::from(config);
    let results = resolver.lookup((host, port));
    let connect = race(results, &ConnectOptions::default(), |endpoint, progress| {
        let tls = tls.clone();
        async move {
            let tcp = TcpStream::connect(endpoint.addr).await?;
            progress.transport_up();
            tls.connect(host.try_into().map_err(io::Error::other)?, tcp).await
        }
    });
    connect.await.map(|(stream, info)| (stream, info.addr()))
}
