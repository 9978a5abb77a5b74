//! ureq through its resolver trait, on a thread without a runtime.

use std::net::Ipv4Addr;

use super::support::{Behaviour, Web};
use super::{HOST, Host};

#[test]
fn ureq_asks_through_its_resolver_trait() {
    let host = Host::new();
    let web = Web::start([(Ipv4Addr::LOCALHOST.into(), Behaviour::Serve)]);
    let url = format!("http://{HOST}:{}/page", web.port());
    let text = outrace_clients::ureq::get(host.resolver.clone(), &url).unwrap();
    assert!(text.contains("127.0.0.1"), "{text}");
    host.assert_asked();

    let gone = outrace_clients::ureq::get(host.resolver, "http://gone.example.test/");
    let error = gone.unwrap_err().to_string();
    assert!(error.contains("gone.example.test"), "{error}");
}
