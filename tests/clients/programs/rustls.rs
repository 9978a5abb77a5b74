//! TLS inside the race: the first address whose handshake succeeds wins, not the first that accepts.

use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Connects to the first address that proves to be `host`.
pub async fn connect(
    resolver: &outrace::Resolver,
    config: Arc<ClientConfig>,
    (host, port): (&str, u16),
) -> crate::Result<TlsStream<TcpStream>> {
    let (name, tls) = (ServerName::try_from(host.to_owned())?, TlsConnector::from(config));
    let (results, options) = (resolver.lookup((host, port)), outrace::ConnectOptions::default());
    let race = outrace::happy_eyeballs::race(results, &options, |endpoint, progress| {
        let (name, tls) = (name.clone(), tls.clone());
        async move {
            let tcp = TcpStream::connect(endpoint.addr).await?;
            progress.transport_up();
            tls.connect(name, tcp).await
        }
    });
    Ok(race.await?.0)
}
