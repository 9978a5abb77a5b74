//! quinn: its handshakes are raced, since there is no connection before them.

use std::io;

use quinn::{Connection, Endpoint};

/// Connects to the first address that completes the handshake.
pub async fn connect(
    resolver: &outrace::Resolver,
    quic: &Endpoint,
    (host, port): (&str, u16),
) -> crate::Result<Connection> {
    let (results, options) = (resolver.lookup((host, port)), outrace::ConnectOptions::default());
    let race = outrace::happy_eyeballs::race(results, &options, |endpoint, _| {
        let handshake = quic.connect(endpoint.addr, host).map_err(io::Error::other);
        async { Ok::<_, io::Error>(handshake?.await?) }
    });
    Ok(race.await?.0)
}
