//! reqwest with `Resolver` as its resolver.

use std::time::Instant;

use super::{HOST, Host, serve};

#[tokio::test]
async fn reqwest_resolves_through_resolver() {
    let host = Host::new();
    let client = reqwest::Client::builder().dns_resolver(host.resolver.clone()).build().unwrap();
    let url = format!("http://{HOST}:{}/page", serve().await);
    let text = client.get(url).send().await.unwrap().text().await.unwrap();
    assert_eq!(text, "HTTP/1.1 /page");

    let gone = client.get("http://gone.example.test/").send().await.unwrap_err();
    assert!(gone.is_connect(), "{gone:?}");
}

/// The family that never answers costs reqwest the Resolution Delay.
#[tokio::test]
async fn reqwest_does_not_wait_for_a_lost_packet() {
    let host = Host::with_script(
        "www.example.test. A    -> answer 127.0.0.1
         www.example.test. AAAA -> drop",
    );
    let client = reqwest::Client::builder().dns_resolver(host.resolver.clone()).build().unwrap();
    let url = format!("http://{HOST}:{}/page", serve().await);
    let begin = Instant::now();
    assert!(client.get(url).send().await.unwrap().status().is_success());
    let took = begin.elapsed();
    assert!((50..500).contains(&took.as_millis()), "took {took:?}");
}
