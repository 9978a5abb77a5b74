//! Fetches a page with hyper-util's client, and tells which address won and when.
//!
//! Without an argument it fetches from the embedded world a page of a host whose AAAA response is
//! 300 ms late: the client has connected long before. With an argument (`fetch
//! http://example.com/`) it fetches that page. It leaves out TLS: give `outrace::Connector` to
//! hyper-rustls for that.

#[path = "../tests/support/mod.rs"]
mod support;

use std::error::Error;
use std::time::Instant;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use outrace::happy_eyeballs::ConnectInfo;
use outrace::{Connector, Resolver};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let outcome = if let Some(uri) = std::env::args().nth(1) {
        fetch(Connector::new(), &uri).await
    } else {
        let world = support::World::demo();
        let builder = Resolver::builder().without_system_configuration();
        let resolver = builder.nameservers(world.nameserver_addrs()).build();
        let uri = format!("http://{}/", world.target("slow.example.test"));
        fetch(Connector::with_resolver(resolver), &uri).await
    };
    // hyper-util's error says that connecting failed; its source says why.
    let mut cause = outcome.as_ref().err().map(|error| &**error as &dyn Error);
    while let Some(error) = cause {
        eprintln!("{error}");
        cause = error.source();
    }
}

async fn fetch(connector: Connector, uri: &str) -> Result<(), Box<dyn Error>> {
    println!("GET {uri}");
    let client = Client::builder(TokioExecutor::new()).build::<_, Empty<Bytes>>(connector);
    let start = Instant::now();
    let response = client.get(uri.parse()?).await?;
    println!("{} after {} ms", response.status(), start.elapsed().as_millis());

    if let Some(info) = response.extensions().get::<ConnectInfo>() {
        println!(
            "{} won after {} ms; all attempts:",
            info.addr(),
            info.connected_after().as_millis()
        );
        for attempt in info.attempts() {
            println!("  {attempt}");
        }
    }
    let page = response.into_body().collect().await?.to_bytes();
    println!("{} bytes: {}", page.len(), String::from_utf8_lossy(&page[..page.len().min(60)]));
    Ok(())
}
