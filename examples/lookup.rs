//! Prints each result of a lookup at the moment at which it comes.
//!
//! Without an argument it looks up names of the embedded world; for one of them the AAAA response
//! takes 300 ms longer than the A response. With arguments (`lookup example.com:443 ..`) it looks
//! them up as this system is configured. It does not connect: see `fetch` and `race`.

#[path = "../tests/support/mod.rs"]
mod support;

use std::time::Instant;

use outrace::{LookupResult, Resolver};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let targets: Vec<String> = std::env::args().skip(1).collect();
    if targets.is_empty() {
        let world = support::World::demo();
        let builder = Resolver::builder().without_system_configuration();
        let resolver = builder.nameservers(world.nameserver_addrs()).build();
        for name in ["www", "slow", "alias", "gone"] {
            show(&resolver, &world.target(&format!("{name}.example.test"))).await;
        }
    } else {
        for target in &targets {
            show(&Resolver::system(), target).await;
        }
    }
}

async fn show(resolver: &Resolver, target: &str) {
    println!("{target}");
    let start = Instant::now();
    let mut results = resolver.lookup(target);
    while let Some(result) = results.next().await {
        let ms = start.elapsed().as_secs_f64() * 1e3;
        match result {
            LookupResult::Address(addr) => println!("{ms:8.1} ms  address {addr}"),
            LookupResult::CanonicalName(name) => println!("{ms:8.1} ms  canonical name {name}"),
            LookupResult::End(Ok(())) => println!("{ms:8.1} ms  end\n"),
            LookupResult::End(Err(error)) => println!("{ms:8.1} ms  end: {error}\n"),
        }
    }
}
