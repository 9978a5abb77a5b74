//! tokio-postgres: takes a stream, in `Config::connect_raw`.
//!
//! The host and the port are those of the configuration. Its further hosts, its `connect_timeout`
//! and its keepalives are for `Config::connect`, which looks up by itself.

use tokio_postgres::config::Host;
use tokio_postgres::{Client, Config, NoTls};

pub async fn connect(resolver: &outrace::Resolver, url: &str) -> crate::Result<Client> {
    let config: Config = url.parse()?;
    let ([Host::Tcp(host)], [port]) = (config.get_hosts(), config.get_ports()) else {
        return Err("the URL has one host".into());
    };
    let options = outrace::ConnectOptions::default();
    let connecting = outrace::happy_eyeballs::connect_with((host, *port), resolver, &options);
    let (stream, _) = connecting.await?;
    let (client, connection) = config.connect_raw(stream, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}
