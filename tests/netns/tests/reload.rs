//! A resolver whose files change under it, with nameservers on port 53 of a network of the test's
//! own.
#![cfg(target_os = "linux")]

#[path = "../../support/mod.rs"]
mod support;

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use outrace::{LookupResult, Resolver};
use support::{Journal, Nameserver};

/// A file is looked at every five seconds at the most; the rest is for a busy machine.
const SEEN_WITHIN: Duration = Duration::from_secs(7);

/// A directory of a test's own.
struct Files(PathBuf);

impl Files {
    fn new() -> Self {
        let dir = std::env::temp_dir().join(format!("outrace-reload-{}", std::process::id()));
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

async fn address(resolver: &Resolver, name: &str) -> Option<String> {
    let results: Vec<_> = resolver.lookup((name, 80)).collect().await;
    results.into_iter().find_map(|result| match result {
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
    let files = Files::new();
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
