//! Ten thousand lookups at once under the usual limit of 1,024 open files.
//!
//! A process of its own: the limit holds for all of it.
#![cfg(unix)]

mod support;

use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use outrace::{LookupResult, Resolver};
use support::{Journal, Nameserver};

const LOOKUPS: usize = 10_000;
/// How many start at once.
const WAVE: usize = 100;

#[tokio::test]
async fn t20_ten_thousand_pending_lookups_all_succeed_and_delay_no_other() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};

    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit to read");

    setrlimit(Resource::RLIMIT_NOFILE, 1024, hard).expect("a limit may be lowered");

    // The answers wait until everyone has asked, and an ordinary name is answered meanwhile.
    let nameserver = Nameserver::at(
        "127.0.0.1:0".parse().unwrap(),
        "www.example.test. * -> answer 192.0.2.1
         *.example.test.   A    -> delay 2s, answer 192.0.2.2
         *.example.test.   AAAA -> delay 2s, nodata",
        &Journal::off(),
    );
    let resolver = Resolver::builder()
        .without_system_configuration()
        .nameservers([nameserver.addr()])
        .timeout(Duration::from_secs(30))
        .build();
    let mut pending = FuturesUnordered::new();
    let mut succeeded = 0;
    for start in (0..LOOKUPS).step_by(WAVE) {
        for i in start..start + WAVE {
            let results = resolver.lookup((format!("n{i}.example.test"), 80));
            pending.push(results.collect::<Vec<_>>());
        }
        // Starts them; on a slow machine the first ones are answered already.
        while let Some(Some(results)) = pending.next().now_or_never() {
            assert_ended(&results);
            succeeded += 1;
        }
        // Its answer also says that the nameserver has read the wave: its socket holds a few
        // hundred datagrams, and loses the others.
        let ordinary: Vec<_> = resolver.lookup("www.example.test:80").collect().await;
        assert_ended(&ordinary);
    }
    assert!(resolver.stats().open_sockets <= 256);

    while let Some(results) = pending.next().await {
        assert_ended(&results);
        succeeded += 1;
    }
    assert_eq!(succeeded, LOOKUPS);
    assert_eq!(resolver.stats().open_sockets, 0);
}

fn assert_ended(results: &[LookupResult]) {
    assert_eq!(results.last(), Some(&LookupResult::End(Ok(()))), "{results:?}");
}
