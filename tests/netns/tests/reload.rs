//! A resolver whose files change under it, with nameservers on port 53 of a network of the test's
//! own.
#![cfg(target_os = "linux")]

#[path = "../../support/mod.rs"]
mod support;

use std::fs;
use std::net::{SocketAddr, SocketAddrV6};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use outrace::{LookupResult, Resolver};
use support::{Journal, Nameserver};

/// A file is looked at every five seconds at the most; the rest is for a busy machine.
const SEEN_WITHIN: Duration = Duration::from_secs(7);

/// A directory of a test's own.
struct Files(PathBuf);

impl Files {
    fn new(test: &str) -> Self {
        let dir = format!("outrace-reload-{test}-{}", std::process::id());
        let dir = std::env::temp_dir().join(dir);
        fs::create_dir(&dir).unwrap();
        Self(dir)
    }

    fn replace(&self, file: &str, text: &str) {
        let new = self.0.join("new");
        fs::write(&new, text).unwrap();
        fs::rename(new, self.0.join(file)).unwrap();
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// The first address of a name, with its zone if it has one.
async fn address(resolver: &Resolver, name: &str) -> Option<String> {
    let results: Vec<_> = resolver.lookup((name, 80)).collect().await;
    results.into_iter().find_map(|result| match result {
        LookupResult::Address(SocketAddr::V6(addr)) if addr.scope_id() != 0 => {
            Some(format!("{}%{}", addr.ip(), addr.scope_id()))
        }
        LookupResult::Address(addr) => Some(addr.ip().to_string()),
        _ => None,
    })
}

/// Looks the name up until it has this address.
async fn until(resolver: &Resolver, name: &str, expected: Option<&str>) -> Duration {
    let start = Instant::now();
    let mut pause = tokio::time::interval(Duration::from_millis(50));
    while address(resolver, name).await.as_deref() != expected {
        assert!(start.elapsed() < SEEN_WITHIN, "{name} is not yet {expected:?}");
        pause.tick().await;
    }
    start.elapsed()
}

#[tokio::test]
async fn rc20_ho14_changed_files_are_followed_while_the_program_runs() {
    let at =
        |addr: &str, script: &str| Nameserver::at(addr.parse().unwrap(), script, &Journal::off());
    let _wired = at("198.51.100.71:53", "*.test. A -> answer 198.51.100.1 ttl 3600");
    let _wireless = at("198.51.100.72:53", "*.test. A -> answer 198.51.100.2 ttl 3600");
    let files = Files::new("files");
    files.replace("resolv.conf", "nameserver 198.51.100.71\n");
    files.replace("hosts", "198.51.100.7 box.test\n");
    let resolver = Resolver::builder()
        .resolv_conf(files.0.join("resolv.conf"))
        .hosts(files.0.join("hosts"))
        .build();
    assert_eq!(address(&resolver, "www.test").await.as_deref(), Some("198.51.100.1"));
    assert_eq!(address(&resolver, "box.test").await.as_deref(), Some("198.51.100.7"));

    files.replace("resolv.conf", "nameserver 198.51.100.72\n");
    files.replace("hosts", "198.51.100.8 box.test\n");
    let seen = until(&resolver, "www.test", Some("198.51.100.2")).await;
    println!("the other nameserver after {seen:?}");
    assert_eq!(address(&resolver, "box.test").await.as_deref(), Some("198.51.100.8"));
    let stats = resolver.stats();
    assert_eq!(stats.generations, 1);
    assert_eq!(stats.nameservers[0].addr.to_string(), "198.51.100.72:53");

    // Without a line in it, as while it is written: what was there holds.
    files.replace("resolv.conf", "");
    files.replace("hosts", "198.51.100.9 box.test\n");
    until(&resolver, "box.test", Some("198.51.100.9")).await;
    assert_eq!(address(&resolver, "new.test").await.as_deref(), Some("198.51.100.2"));
}

/// Runs `ip` with these words, in the network of this test.
fn ip(words: &str) {
    let status = Command::new("ip").args(words.split(' ')).status().expect("ip");
    assert!(status.success(), "ip {words}");
}

/// Makes an interface, with an address of this link. Returns its index.
fn make_interface(name: &str, address: &str) -> u32 {
    ip(&format!("link add {name} type veth peer name {name}-peer"));
    ip(&format!("link set {name} up"));
    ip(&format!("link set {name}-peer up"));
    ip(&format!("-6 addr add {address}/64 dev {name} nodad"));
    // Not from `/sys`, which may be of another network namespace.
    let output = Command::new("ip").args(["-o", "link", "show", name]).output().expect("ip");
    let text = String::from_utf8(output.stdout).expect("ASCII");
    text.split(':').next().and_then(|index| index.parse().ok()).expect("a line with an index")
}

/// A network that comes after the program, goes, and comes again.
#[tokio::test]
async fn rr06_a_zone_is_the_interface_that_has_that_name_now() {
    let files = Files::new("zone");
    files.replace("resolv.conf", "nameserver fe80::53%eth7\n");
    let block_list = "0.0.0.0 blocked.example\n".repeat(10_000);
    files.replace("hosts", &format!("fe80::7%eth7 box.test\n{block_list}"));
    let resolver = Resolver::builder()
        .resolv_conf(files.0.join("resolv.conf"))
        .hosts(files.0.join("hosts"))
        .timeout(Duration::from_millis(200))
        .build();
    assert_eq!(address(&resolver, "www.test").await, None);
    assert_eq!(address(&resolver, "box.test").await, None);

    let mut last = None;
    for expected in ["198.51.100.1", "198.51.100.2"] {
        let index = make_interface("eth7", "fe80::53");
        assert_ne!(last, Some(index), "another interface of the same name");
        last = Some(index);
        let addr = SocketAddrV6::new("fe80::53".parse().unwrap(), 53, 0, index);
        let script = format!("*.test. A -> answer {expected} ttl 3600");
        let nameserver = Nameserver::at(addr.into(), script.as_str(), &Journal::off());
        let seen = until(&resolver, "www.test", Some(expected)).await;
        println!("the nameserver behind interface {index} after {seen:?}");
        until(&resolver, "box.test", Some(&format!("fe80::7%{index}"))).await;
        drop(nameserver);
        ip("link del eth7");
    }
}
