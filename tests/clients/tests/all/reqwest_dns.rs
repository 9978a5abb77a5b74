//! reqwest with `Resolver` as its resolver.

use std::time::Instant;

use outrace::resolve::AddressPolicy;
use outrace::{LookupError, LookupErrorKind};

use super::{HOST, Host, serve};

#[tokio::test]
async fn reqwest_resolves_through_resolver() {
    let host = Host::new();
    let url = format!("http://{HOST}:{}/page", serve().await);
    let text = outrace_clients::reqwest::get(host.resolver.clone(), &url).await.unwrap();
    assert_eq!(text, "HTTP/1.1 /page");
    host.assert_asked();

    let gone = "http://gone.example.test/";
    let error = outrace_clients::reqwest::get(host.resolver.clone(), gone).await.unwrap_err();
    assert!(error.is_connect(), "{error:?}");
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

/// The documentation says of both what is shown here.
#[tokio::test]
async fn t15_a_policy_covers_the_names_of_reqwest_and_not_its_literals() {
    let script = "www.example.test. * -> answer 127.0.0.1 ::1";
    let host = Host::with_policy(script, AddressPolicy::public_only());
    let client = reqwest::Client::builder().dns_resolver(host.resolver.clone()).build().unwrap();
    let port = serve().await;
    let error = client.get(format!("http://{HOST}:{port}/")).send().await.unwrap_err();
    let mut source = std::error::Error::source(&error);
    let denied = loop {
        let cause = source.unwrap_or_else(|| panic!("no lookup error in {error:?}"));
        match cause.downcast_ref::<LookupError>() {
            Some(cause) => break cause,
            None => source = cause.source(),
        }
    };
    assert_eq!(denied.kind(), LookupErrorKind::PolicyDenied);
    assert!(client.get(format!("http://127.0.0.1:{port}/")).send().await.is_ok());
}
