//! A resolver on a host that is itself in the way of its queries.
#![cfg(target_os = "linux")]

#[path = "../../support/mod.rs"]
mod support;

use futures_util::StreamExt;
use outrace::resolve::AddressFamily;
use outrace::{LookupOptions, LookupResult, Resolver};
use support::{Journal, Nameserver};

/// The firewall of `network.sh` drops two of three queries, and `send` says EPERM. With one question
/// a lookup, the third send of each gets through.
#[tokio::test]
async fn rr24_a_query_that_a_local_firewall_drops_is_sent_again() {
    const LOOKUPS: u64 = 3;
    let addr = "198.51.100.73:53".parse().unwrap();
    let _nameserver = Nameserver::at(addr, "*.test. A -> answer 192.0.2.1", &Journal::off());
    let resolver = Resolver::builder().without_system_configuration().nameservers([addr]).build();
    let options = LookupOptions::default().family(AddressFamily::Ipv4);
    for n in 0..LOOKUPS {
        let target = (format!("n{n}.test"), 80);
        let results: Vec<_> = resolver.lookup_with(target, &options).collect().await;
        assert_eq!(results.last(), Some(&LookupResult::End(Ok(()))), "{results:?}");
    }
    assert_eq!(resolver.stats().nameservers[0].resends, 2 * LOOKUPS);
}
