//! redis over a connection of a race.

use std::error::Error;

use outrace::Resolver;
use outrace::happy_eyeballs::{ConnectOptions, connect_with};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, RedisConnectionInfo};

pub(super) async fn ping(
    resolver: &Resolver,
    host: &str,
    port: u16,
) -> Result<String, Box<dyn Error>> {
    let (tcp, _) = connect_with((host, port), resolver, &ConnectOptions::default()).await?;
    let (info, config) = (RedisConnectionInfo::default(), AsyncConnectionConfig::new());
    let (mut connection, driver) =
        MultiplexedConnection::new_with_config(&info, tcp, config).await?;
    tokio::spawn(driver);
    Ok(redis::cmd("PING").query_async(&mut connection).await?)
}
