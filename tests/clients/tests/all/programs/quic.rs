//! quinn, whose handshakes are raced: there is no connection before them.

use std::error::Error;
use std::io;

use outrace::Resolver;
use outrace::happy_eyeballs::{ConnectOptions, race};
use quinn::Endpoint;

pub(super) async fn echo(
    resolver: &Resolver,
    quic: &Endpoint,
    host: &str,
    port: u16,
    text: &str,
) -> Result<String, Box<dyn Error>> {
    let results = resolver.lookup((host, port));
    let (connection, _) = race(results, &ConnectOptions::default(), |endpoint, _| {
        let handshake = quic.connect(endpoint.addr, host).map_err(io::Error::other);
        async { Ok::<_, io::Error>(handshake?.await?) }
    })
    .await?;
    let (mut send, mut receive) = connection.open_bi().await?;
    send.write_all(text.as_bytes()).await?;
    send.finish()?;
    Ok(String::from_utf8(receive.read_to_end(1024).await?)?)
}
