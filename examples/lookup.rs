//! Prints each result of a lookup at the moment at which it comes.
//!
//! Without an argument it looks up names of the embedded world; for one of them the AAAA response
//! takes 300 ms longer than the A response. With arguments (`lookup example.com:443 ..`) it looks
//! them up as this system is configured; `--every SECONDS` before them has it do so again and
//! again, to see it follow a change of the configuration. It does not connect: see `fetch` and
//! `race`.

#[path = "../tests/support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use outrace::{LookupResult, Resolver};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut targets: Vec<String> = std::env::args().skip(1).collect();
    let mut every = None;
    if targets.first().is_some_and(|first| first == "--every") {
        let seconds = targets.drain(..targets.len().min(2)).nth(1);
        let seconds = seconds.and_then(|seconds| seconds.parse().ok());
        every = Some(Duration::from_secs(seconds.expect("--every takes a number of seconds")));
    }
    if targets.is_empty() {
        let world = support::World::demo();
        let builder = Resolver::builder().without_system_configuration();
        let resolver = builder.nameservers(world.nameserver_addrs()).build();
        for name in ["www", "slow", "alias", "gone"] {
            show(&resolver, &world.target(&format!("{name}.example.test"))).await;
        }
    } else {
        loop {
            for target in &targets {
                show(&Resolver::system(), target).await;
            }
            let Some(every) = every else { break };
            tokio::time::sleep(every).await;
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
