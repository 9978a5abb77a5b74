//! Ten thousand lookups at once under the usual limit of 1,024 open files.
//!
//! A process of its own: the limit holds for all of it.

mod support;

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use outrace::{LookupResult, Resolver};
use support::{Journal, Nameserver};

const LOOKUPS: usize = 10_000;

#[cfg(unix)]
#[tokio::test]
async fn t20_ten_thousand_pending_lookups_all_succeed_and_delay_nobody() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};

    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit to read");

    setrlimit(Resource::RLIMIT_NOFILE, 1024, hard).expect("a limit may be lowered");

    // The answers wait until everyone has asked, and an ordinary name is answered meanwhile.
    let nameserver = Nameserver::at(
        "127.0.0.1:0".parse().unwrap(),
        "www.example.test. * -> answer 192.0.2.1
         *.example.test.   A    -> delay 1s, answer 192.0.2.2
         *.example.test.   AAAA -> delay 1s, nodata",
        &Journal::off(),
    );
    let resolver = Resolver::builder()
        .without_system_configuration()
        .nameservers([nameserver.addr()])
        .timeout(Duration::from_secs(30))
        .build();
    let mut pending: FuturesUnordered<_> = (0..LOOKUPS)
        .map(|i| resolver.lookup((format!("n{i}.example.test"), 80)).collect::<Vec<_>>())
        .collect();
    assert!(futures_util::FutureExt::now_or_never(pending.next()).is_none(), "all are pending");

    let ordinary: Vec<_> = resolver.lookup("www.example.test:80").collect().await;
    assert_eq!(ordinary.last(), Some(&LookupResult::End(Ok(()))));
    assert!(resolver.stats().open_sockets <= 256);

    let mut succeeded = 0;
    while let Some(results) = pending.next().await {
        assert_eq!(results.last(), Some(&LookupResult::End(Ok(()))), "{results:?}");
        succeeded += 1;
    }
    assert_eq!(succeeded, LOOKUPS);
    assert_eq!(resolver.stats().open_sockets, 0);
}
