//! tokio-postgres by `connect_raw`.

use std::error::Error;

use outrace::Resolver;
use outrace::happy_eyeballs::{ConnectOptions, connect_with};
use tokio_postgres::{Config, NoTls, SimpleQueryMessage};

pub(super) async fn version(
    resolver: &Resolver,
    host: &str,
    port: u16,
) -> Result<Option<String>, Box<dyn Error>> {
    let (tcp, _) = connect_with((host, port), resolver, &ConnectOptions::default()).await?;
    let (client, connection) = Config::new().user("user").connect_raw(tcp, NoTls).await?;
    tokio::spawn(connection);
    let rows = client.simple_query("SHOW server_version").await?;
    Ok(rows.iter().find_map(|row| match row {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    }))
}
