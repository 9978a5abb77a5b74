//! Answers of nameservers, and a page of a web server, that are not of our making.
//!
//! `.ci/real-nameservers` starts them, names them in the environment and runs this file. In a plain
//! `cargo test`, which needs Rust alone, it says that it was not asked for.

mod support;

use std::net::SocketAddr;
use std::time::Instant;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use outrace::{Connector, LookupErrorKind, LookupResult, LookupStream, Resolver, ResolverBuilder};

use support::{Journal, Nameserver};

/// `unbound=127.0.0.1:5301 dnsmasq=127.0.0.1:5302`, and so on.
const NAMESERVERS: &str = "OUTRACE_REAL_NAMESERVERS";
/// `http://www.real.test:8080/`, a space, and what stands on that page.
const PAGE: &str = "OUTRACE_REAL_PAGE";
/// The address of dnsmasq, a space, and where it expects the nameserver of `burst.test`.
const FORWARDER: &str = "OUTRACE_REAL_FORWARDER";

/// A name, its addresses, and how its lookup ends: with this canonical name, or why not.
type Row = (&'static str, Vec<String>, Result<&'static str, LookupErrorKind>);

/// What a lookup by way of this software has to bring.
fn rows(software: &str) -> Vec<Row> {
    use LookupErrorKind::{BadResponse, NoAddress, NotFound, ServerFailure};
    let strings = |addrs: &[&str]| addrs.iter().map(ToString::to_string).collect();
    let plain = || strings(&["192.0.2.1:80", "[2001:db8::1]:80"]);
    let many = (1..=60).map(|i| format!("192.0.2.{i}:80"));
    let many = many.chain((1..=60).map(|i| format!("[2001:db8::{i:x}]:80")));
    let circle = match software {
        // They follow no more than so many links, and call it a failure of their own.
        "bind" | "recursor" => ServerFailure,
        // `cname=` is for the names that it has.
        "dnsmasq" => NotFound,
        _ => BadResponse,
    };
    let mut rows = vec![
        ("www", strings(&["127.0.0.1:80", "[::1]:80"]), Ok("www")),
        // dnsmasq says NXDOMAIN about the other family here; the name exists all the same.
        ("v4", strings(&["192.0.2.4:80"]), Ok("v4")),
        ("v6", strings(&["[2001:db8::6]:80"]), Ok("v6")),
        ("alias", plain(), Ok("plain")),
        ("x.y.wild", plain(), Ok("plain")),
        // The AAAA response does not fit a datagram.
        ("many", many.collect(), Ok("many")),
        ("chain11", plain(), Ok("plain")),
        ("circle", Vec::new(), Err(circle)),
        ("astray", Vec::new(), Err(NotFound)),
        ("text", Vec::new(), Err(NoAddress)),
        ("gone", Vec::new(), Err(NotFound)),
    ];
    match software {
        "nsd" | "dnsmasq" => {
            rows.push(("chain16", plain(), Ok("plain")));
            rows.push(("chain17", Vec::new(), Err(BadResponse)));
        }
        "bind" => rows.push(("chain16", Vec::new(), Err(ServerFailure))),
        // An answer of Knot has 5 aliases, and one of Unbound 8 from a zone of its own. The last
        // target is asked for then.
        "knot" | "kresd" | "unbound" => rows.push(("chain16", plain(), Ok("plain"))),
        // SERVFAIL at first, and all the aliases once they are in its cache.
        "recursor" => {}
        _ => panic!("{software} is new here: what does it make of 16 aliases?"),
    }
    rows
}

#[tokio::test]
async fn each_kind_of_answer_is_understood() {
    for (software, builder) in builders() {
        let resolvers = [
            ("1232 octets", builder.clone()),
            ("512 octets", builder.clone().edns(false)),
            ("TCP", builder.clone().tcp_only(true)),
            ("mixed case", builder.clone().mixed_case(true)),
        ];
        for (transport, resolver) in resolvers.map(|(transport, b)| (transport, b.build())) {
            for (name, mut addrs, outcome) in rows(&software) {
                let of = format!("{name} from {software} by {transport}");
                let mut lookup =
                    collect(resolver.lookup(format!("{name}.real.test.:80").as_str())).await;
                lookup.addrs.sort();
                addrs.sort();
                assert_eq!(lookup.addrs, addrs, "addresses of {of}");
                let canonical_name = outcome.map(|name| format!("{name}.real.test")).ok();
                assert_eq!(lookup.canonical_name, canonical_name, "canonical name of {of}");
                assert_eq!(lookup.end, outcome.map(drop), "end of {of}");
                println!("{of}: {} addresses, {outcome:?}", addrs.len());
            }
            // Each of these copies the question into its response as it came.
            assert_eq!(resolver.stats().case_mismatches, 0, "{software} by {transport}");
        }
    }
}

#[tokio::test]
async fn hyper_fetches_a_page_by_a_name_that_only_they_know() {
    for (software, builder) in builders() {
        let page = std::env::var(PAGE).expect("the script that names the nameservers sets it");
        let (uri, expected) = page.split_once(' ').expect("a URI and a text");
        let client = Client::builder(TokioExecutor::new())
            .build::<_, Empty<Bytes>>(Connector::with_resolver(builder.build()));
        let response = client.get(uri.parse().expect("a URI")).await.expect("a response");
        assert_eq!(response.status(), 200, "by {software}");
        let body = response.into_body().collect().await.expect("a page").to_bytes();
        assert_eq!(body, expected, "by {software}");
        println!("{software}: {uri} is {expected:?}");
    }
}

/// dnsmasq refuses what is beyond its 150 queries in flight, and the nameserver that it forwards to
/// takes 20 ms: 10,000 queries take it 1.34 s at the least.
#[tokio::test]
async fn rr17_a_burst_through_a_forwarder_with_a_limit_loses_no_lookup() {
    let Ok(forwarder) = std::env::var(FORWARDER) else { return };
    let (forwarder, upstream) = forwarder.split_once(' ').expect("two addresses");
    let [forwarder, upstream] = [forwarder, upstream].map(|addr| addr.parse().expect("an address"));
    let script = "* A -> delay 20ms, answer 192.0.2.1; * AAAA -> delay 20ms, answer 2001:db8::1";
    let _upstream = Nameserver::at(upstream, script, &Journal::off());
    for at_once in [50, 1_000, 5_000] {
        let builder = Resolver::builder().without_system_configuration();
        let resolver = builder.nameservers([forwarder]).build();
        let start = Instant::now();
        let lookups = (0..5_000).map(|i| {
            let lookup = resolver.lookup(format!("n{i}.of{at_once}.burst.test.:80").as_str());
            async { collect(lookup).await }
        });
        let lookups = stream::iter(lookups).buffer_unordered(at_once).collect::<Vec<_>>().await;
        println!("dnsmasq: 5,000 lookups, {at_once} at once: {:?}", start.elapsed());
        let failed: Vec<_> = lookups.iter().filter(|lookup| lookup.addrs.len() != 2).collect();
        assert!(failed.is_empty(), "{at_once} at once: {} failed: {:?}", failed.len(), failed[0]);
    }
}

/// The settings for each nameserver, or none if this was not asked for.
fn builders() -> Vec<(String, ResolverBuilder)> {
    let Ok(nameservers) = std::env::var(NAMESERVERS) else {
        println!("not asked for: {NAMESERVERS} is not set (run .ci/real-nameservers)");
        return Vec::new();
    };
    let builders: Vec<_> = nameservers
        .split_whitespace()
        .map(|pair| {
            let (software, addr) = pair.split_once('=').expect("software=address");
            let addr: SocketAddr = addr.parse().expect("an address and a port");
            (
                software.to_string(),
                Resolver::builder().without_system_configuration().nameservers([addr]),
            )
        })
        .collect();
    assert!(!builders.is_empty(), "{NAMESERVERS} names no nameserver");
    builders
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
