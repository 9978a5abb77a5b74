//! redis, whose own connections ask a resolver.

use std::net::SocketAddr;

use outrace::{LookupOptions, Resolver};
use redis::io::AsyncDNSResolver;
use redis::{AsyncConnectionConfig, Client, RedisFuture, RedisResult};

struct Dns(Resolver);

impl AsyncDNSResolver for Dns {
    fn resolve<'a, 'b: 'a>(
        &'a self,
        host: &'b str,
        port: u16,
    ) -> RedisFuture<'a, Box<dyn Iterator<Item = SocketAddr> + Send + 'a>> {
        let lookup = self.0.lookup_with((host, port), &LookupOptions::new());
        Box::pin(async {
            let addrs = lookup.into_addrs().await.map_err(std::io::Error::from)?;
            Ok(Box::new(addrs.into_iter()) as Box<dyn Iterator<Item = SocketAddr> + Send>)
        })
    }
}

pub(super) async fn ping(resolver: &Resolver, host: &str, port: u16) -> RedisResult<String> {
    let config = AsyncConnectionConfig::new().set_dns_resolver(Dns(resolver.clone()));
    let client = Client::open(format!("redis://{host}:{port}/"))?;
    let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
    redis::cmd("PING").query_async(&mut connection).await
}
