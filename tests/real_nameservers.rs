//! Answers of nameservers, and a page of a web server, that are not of our making.
//!
//! `.ci/real-nameservers` starts them, names them in the environment and runs this file. In a plain
//! `cargo test`, which needs Rust alone, it says that it was not asked for.

use std::net::SocketAddr;

use bytes::Bytes;
use futures_util::StreamExt;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use outrace::{Connector, LookupErrorKind, LookupResult, LookupStream, Resolver};

/// `unbound=127.0.0.1:5301 dnsmasq=127.0.0.1:5305`
const NAMESERVERS: &str = "OUTRACE_REAL_NAMESERVERS";
/// `http://www.real.test:8080/`, a space, and what stands on that page.
const PAGE: &str = "OUTRACE_REAL_PAGE";

#[tokio::test]
async fn each_kind_of_answer_is_understood() {
    for (software, resolver) in resolvers() {
        let many = (1..=60).map(|i| format!("192.0.2.{i}:80"));
        let many = many.chain((1..=60).map(|i| format!("[2001:db8::{i:x}]:80")));
        let strings = |addrs: &[&str]| addrs.iter().map(ToString::to_string).collect();
        let rows: [(&str, Vec<String>, Result<&str, LookupErrorKind>); 6] = [
            ("www", strings(&["127.0.0.1:80", "[::1]:80"]), Ok("www")),
            ("alias", strings(&["192.0.2.1:80", "[2001:db8::1]:80"]), Ok("plain")),
            // dnsmasq says NXDOMAIN about AAAA here; the name exists all the same.
            ("v4", strings(&["192.0.2.4:80"]), Ok("v4")),
            // The AAAA response does not fit a datagram.
            ("many", many.collect(), Ok("many")),
            ("text", Vec::new(), Err(LookupErrorKind::NoAddress)),
            ("gone", Vec::new(), Err(LookupErrorKind::NotFound)),
        ];
        for (name, mut addrs, outcome) in rows {
            let mut lookup =
                collect(resolver.lookup(format!("{name}.real.test.:80").as_str())).await;
            lookup.addrs.sort();
            addrs.sort();
            assert_eq!(lookup.addrs, addrs, "addresses of {name} from {software}");
            let canonical_name = outcome.map(|name| format!("{name}.real.test")).ok();
            assert_eq!(lookup.canonical_name, canonical_name, "of {name} from {software}");
            assert_eq!(lookup.end, outcome.map(drop), "end of {name} from {software}");
            println!("{software} {name}: {} addresses, {outcome:?}", addrs.len());
        }
    }
}

#[tokio::test]
async fn hyper_fetches_a_page_by_a_name_that_only_they_know() {
    for (software, resolver) in resolvers() {
        let page = std::env::var(PAGE).expect("the script that names the nameservers sets it");
        let (uri, expected) = page.split_once(' ').expect("a URI and a text");
        let client = Client::builder(TokioExecutor::new())
            .build::<_, Empty<Bytes>>(Connector::with_resolver(resolver));
        let response = client.get(uri.parse().expect("a URI")).await.expect("a response");
        assert_eq!(response.status(), 200, "by {software}");
        let body = response.into_body().collect().await.expect("a page").to_bytes();
        assert_eq!(body, expected, "by {software}");
        println!("{software}: {uri} is {expected:?}");
    }
}

/// A resolver for each nameserver, or none if this was not asked for.
fn resolvers() -> Vec<(String, Resolver)> {
    let Ok(nameservers) = std::env::var(NAMESERVERS) else {
        println!("not asked for: {NAMESERVERS} is not set (run .ci/real-nameservers)");
        return Vec::new();
    };
    let resolvers: Vec<_> = nameservers
        .split_whitespace()
        .map(|pair| {
            let (software, addr) = pair.split_once('=').expect("software=address");
            let addr: SocketAddr = addr.parse().expect("an address and a port");
            (
                software.to_string(),
                Resolver::builder().without_system_configuration().nameservers([addr]).build(),
            )
        })
        .collect();
    assert!(!resolvers.is_empty(), "{NAMESERVERS} names no nameserver");
    resolvers
}

/// All results of a lookup.
#[derive(Debug)]
struct Lookup {
    addrs: Vec<String>,
    canonical_name: Option<String>,
    end: Result<(), LookupErrorKind>,
}

async fn collect(mut results: LookupStream) -> Lookup {
    let (mut addrs, mut canonical_name, mut end) = (Vec::new(), None, None);
    while let Some(result) = results.next().await {
        assert!(end.is_none(), "{result:?} after the end");
        match result {
            LookupResult::Address(addr) => addrs.push(addr.to_string()),
            LookupResult::CanonicalName(name) => {
                let name = name.without_final_dot().to_string();
                assert_eq!(canonical_name.replace(name), None, "one canonical name");
            }
            LookupResult::End(outcome) => end = Some(outcome.map_err(|error| error.kind())),
        }
    }
    Lookup { addrs, canonical_name, end: end.expect("an end") }
}
