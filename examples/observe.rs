//! Prints what a resolver counts while it resolves: two nameservers, of which the first loses what
//! it is asked first and the second is slow, and names that are looked up again and again.
//!
//! It leaves out the events of each lookup, which an `outrace::Observer` receives.

#[path = "../tests/support/mod.rs"]
mod support;

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use outrace::Resolver;
use outrace::resolve::{CacheOptions, Stats};
use support::{Behaviour, Web, World};

const LOSSY: &str = "
    *.example.test. * udp #1 -> drop
    *.example.test. A        -> no-qr 192.0.2.66, then answer 127.0.0.1 ttl 1
    *.example.test. AAAA     -> answer ::1 ttl 1
";
const SLOW: &str = "
    *.example.test. A    -> delay 400ms, answer 127.0.0.1 ttl 1
    *.example.test. AAAA -> delay 400ms, answer ::1 ttl 1
";

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let web = Web::start([([127, 0, 0, 1].into(), Behaviour::Serve)]);
    let world = World::new([LOSSY, SLOW], web);
    let resolver = Resolver::builder()
        .without_system_configuration()
        .nameservers(world.nameserver_addrs())
        .cache(CacheOptions::new().serve_stale(Duration::from_secs(60)))
        .build();
    println!("round  lookups  hits  stale  coalesced  udp  resends  ignored");
    for round in 1..=5 {
        // Twenty lookups at once, of five names: each name is asked for once.
        let names = (0..20).map(|n| world.target(&format!("n{}.example.test", n % 5)));
        let lookups = names.map(|name| resolver.lookup(name.as_str()).collect::<Vec<_>>());
        join_all(lookups).await;
        print_round(round, &resolver.stats());
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
    println!();
    for server in resolver.stats().nameservers {
        let rtt =
            server.smoothed_rtt.map_or_else(|| "unknown".to_owned(), |rtt| format!("{rtt:.1?}"));
        println!("{}: {} queries, round-trip time {rtt}", server.addr, server.queries);
    }
}

fn print_round(round: u32, stats: &Stats) {
    let resends: u64 = stats.nameservers.iter().map(|server| server.resends).sum();
    let ignored: u64 = stats.ignored.total();
    let Stats { lookups, cache_hits, cache_stale, coalesced, udp_queries, .. } = stats;
    println!(
        "{round:>5}  {lookups:>7}  {cache_hits:>4}  {cache_stale:>5}  {coalesced:>9}  \
         {udp_queries:>3}  {resends:>7}  {ignored:>7}"
    );
}
