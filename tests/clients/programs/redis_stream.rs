//! redis over a stream, so that the addresses are raced and not dialled all at once.

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, RedisConnectionInfo};

pub async fn connect(
    resolver: &outrace::Resolver,
    (host, port): (&str, u16),
) -> crate::Result<MultiplexedConnection> {
    let options = outrace::ConnectOptions::default();
    let connecting = outrace::happy_eyeballs::connect_with((host, port), resolver, &options);
    let (stream, _) = connecting.await?;
    let (info, config) = (RedisConnectionInfo::default(), AsyncConnectionConfig::new());
    let (connection, driver) =
        MultiplexedConnection::new_with_config(&info, stream, config).await?;
    tokio::spawn(driver);
    Ok(connection)
}
