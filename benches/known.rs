//! The cost of names that are known: a cache hit, beside hickory's, and a name in a long hosts
//! file. One scripted nameserver on loopback answers once; after that no query is sent.
//!
//! ```text
//! cargo bench -p outrace-benches --bench known
//! ```

#[path = "../tests/support/mod.rs"]
mod support;

#[path = "lookup/contestant.rs"]
#[allow(dead_code, reason = "most of it serves the bench of unknown names")]
mod contestant;

use std::path::PathBuf;

use contestant::Contestant;
use divan::Bencher;
use futures_util::{FutureExt, StreamExt};
use outrace::{HostName, LookupResult, Resolver, Target};
use support::{Journal, Nameserver};

const NAME: &str = "www.example.test.";
const SCRIPT: &str = "
    *.example.test.  A     -> answer 192.0.2.1 ttl 3600
    *.example.test.  AAAA  -> answer 2001:db8::1 ttl 3600
";

fn main() {
    divan::main();
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// Runs a whole lookup, from its name to its `End`, which is never pending.
fn drain(resolver: &Resolver, target: impl TryInto<Target, Error: Into<outrace::TargetError>>) {
    let mut results = resolver.lookup(target);
    let mut addrs = 0;
    while let Some(result) = results.next().now_or_never().expect("known") {
        addrs += usize::from(matches!(result, LookupResult::Address(_)));
    }
    assert_eq!(addrs, 2);
}

fn warm() -> (Nameserver, Resolver) {
    let nameserver = Nameserver::at("127.0.0.1:0".parse().unwrap(), SCRIPT, &Journal::off());
    let resolver =
        Resolver::builder().without_system_configuration().nameservers([nameserver.addr()]).build();
    assert_eq!(resolver.lookup((NAME, 80)).into_blocking_iter().count(), 4);
    (nameserver, resolver)
}

#[divan::bench]
fn cache_outrace(bencher: Bencher<'_, '_>) {
    let (_nameserver, resolver) = warm();
    bencher.bench_local(|| drain(&resolver, (NAME, 80)));
}

#[divan::bench]
fn cache_outrace_by_host_name(bencher: Bencher<'_, '_>) {
    let (_nameserver, resolver) = warm();
    let name: HostName = NAME.parse().unwrap();
    bencher.bench_local(|| drain(&resolver, (name.clone(), 80)));
}

#[divan::bench(threads = [2])]
fn cache_outrace_two_threads(bencher: Bencher<'_, '_>) {
    let (_nameserver, resolver) = warm();
    bencher.bench(|| drain(&resolver, (NAME, 80)));
}

/// A hosts file that is a block list of 100,000 lines.
struct HostsFile(PathBuf);

impl HostsFile {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("outrace-hosts-{}", std::process::id()));
        let lines: Vec<_> = (0..100_000).map(|n| format!("0.0.0.0 ad-{n}.tracker.test")).collect();
        std::fs::write(&path, lines.join("\n")).expect("a temporary file");
        Self(path)
    }

    fn resolver(&self) -> Resolver {
        Resolver::builder().without_system_configuration().hosts(&self.0).build()
    }
}

impl Drop for HostsFile {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.0));
    }
}

#[divan::bench(sample_size = 1)]
fn hosts_file_is_read(bencher: Bencher<'_, '_>) {
    let file = HostsFile::new();
    bencher.bench_local(|| file.resolver());
}

#[divan::bench]
fn hosts_file_name(bencher: Bencher<'_, '_>) {
    let file = HostsFile::new();
    let resolver = file.resolver();
    let lookup = || resolver.lookup(("ad-77777.tracker.test", 80)).count().now_or_never();
    assert_eq!(lookup(), Some(3));
    bencher.bench_local(lookup);
}

#[divan::bench]
fn cache_hickory(bencher: Bencher<'_, '_>) {
    let nameserver = Nameserver::at("127.0.0.1:0".parse().unwrap(), SCRIPT, &Journal::off());
    let runtime = runtime();
    let contestant = runtime.block_on(async { Contestant::new("hickory", nameserver.addr()) });
    let Contestant::Hickory(resolver) = &contestant else { unreachable!("asked for") };
    let lookup = async || resolver.lookup_ip(NAME).await.expect("an answer").iter().count();
    runtime.block_on(async {
        assert_eq!(lookup().await, 2);
        // Inside the runtime, so that entering it is not measured.
        bencher.bench_local(|| lookup().now_or_never().expect("known"));
    });
}
