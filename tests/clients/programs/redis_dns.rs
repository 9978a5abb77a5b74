//! redis: takes a resolver, and dials all of its addresses at once.

use std::io;
use std::net::SocketAddr;

use redis::aio::MultiplexedConnection;
use redis::io::AsyncDNSResolver;
use redis::{AsyncConnectionConfig, Client, RedisFuture, RedisResult};

struct Dns(outrace::Resolver);

impl AsyncDNSResolver for Dns {
    fn resolve<'a, 'b: 'a>(
        &'a self,
        host: &'b str,
        port: u16,
    ) -> RedisFuture<'a, Box<dyn Iterator<Item = SocketAddr> + Send + 'a>> {
        let results = self.0.lookup((host, port));
        Box::pin(async {
            let addrs = results.into_addrs().await.map_err(io::Error::from)?;
            Ok(Box::new(addrs.into_iter()) as Box<_>)
        })
    }
}

pub async fn connect(resolver: outrace::Resolver, url: &str) -> RedisResult<MultiplexedConnection> {
    let config = AsyncConnectionConfig::new().set_dns_resolver(Dns(resolver));
    Client::open(url)?.get_multiplexed_async_connection_with_config(&config).await
}
