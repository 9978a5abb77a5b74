//! What the tests share: the files of their namespace, and what a lookup comes to, here and by the
//! C library.
//!
//! `world.sh` makes the namespace, `nss_module.c` is the module that it has. Elsewhere each test
//! says that it was not asked for.

#[path = "../getaddrinfo/end.rs"]
mod end;

use std::collections::BTreeSet;
use std::fs;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use outrace::{LookupErrorKind, LookupResult, Resolver};

pub use end::End;

/// The directory that `world.sh` has bound over some files of `/etc`.
const DIR: &str = "OUTRACE_NSS";
/// The file in which the NSS module notes its calls.
const LOG: &str = "OUTRACE_NSS_LOG";

pub const PORT: u16 = 80;

/// What is not so by then never will be.
const PATIENCE: Duration = Duration::from_secs(20);

/// The files of this namespace.
#[derive(Debug)]
pub struct World {
    dir: PathBuf,
}

impl World {
    /// `None` outside of the namespace.
    pub fn here() -> Option<Self> {
        let Some(dir) = std::env::var_os(DIR).map(PathBuf::from) else {
            println!("not asked for: {DIR} is not set (run .ci/nss)");
            return None;
        };
        let world = Self { dir };
        let (bound, ours) = (fs::metadata("/etc/nsswitch.conf"), world.file("nsswitch.conf"));
        assert!(
            is_same_file(&bound.unwrap(), &fs::metadata(ours).unwrap()),
            "the files of {DIR} are not those of /etc"
        );
        Some(world)
    }

    /// The same, with these contents: the modules of the line `hosts`, and two files.
    pub fn with(hosts_line: &str, resolv_conf: &str, hosts: &str) -> Option<Self> {
        let world = Self::here()?;
        world.write("nsswitch.conf", &format!("hosts: {hosts_line}\n"));
        world.write("resolv.conf", resolv_conf);
        world.write("hosts", hosts);
        Some(world)
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.join("etc").join(name)
    }

    /// Rewrites a file in place, as it is bound over another.
    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.file(name), text).expect("a file to write");
    }

    /// Starts a program of those that are unpacked here, and waits until it `is_ready`. What it
    /// says goes to a file of its name.
    #[track_caller]
    pub fn start(&self, program: &str, args: &[&str], is_ready: impl FnMut() -> bool) -> Daemon {
        let path = self.dir.join("root").join(program);
        let name = path.file_name().expect("a file");
        let log = fs::File::create(self.dir.join(name).with_extension("log")).expect("a file");
        let mut command = Command::new(&path);
        command.args(args).stdout(log.try_clone().expect("a file")).stderr(log);
        let daemon = Daemon(command.spawn().unwrap_or_else(|error| panic!("{path:?}: {error}")));
        wait_until(program, is_ready);
        daemon
    }

    /// The calls to the NSS module, sorted: a name, and `v4`, `v6` or `both`.
    pub fn module_calls(&self) -> Vec<String> {
        let text = fs::read_to_string(log()).unwrap_or_default();
        let mut calls: Vec<_> = text.lines().map(String::from).collect();
        calls.sort_unstable();
        calls
    }

    /// Forgets them. No call is under way.
    pub fn forget_module_calls(&self) {
        fs::write(log(), "").expect("a file to write");
    }
}

fn log() -> PathBuf {
    std::env::var_os(LOG).expect("it stands beside the directory").into()
}

#[cfg(unix)]
fn is_same_file(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(not(unix))]
fn is_same_file(_: &fs::Metadata, _: &fs::Metadata) -> bool {
    false
}

/// A program that runs until this is dropped.
#[derive(Debug)]
pub struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Waits until it is so, and not for ever.
#[track_caller]
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "{what}: not so after {PATIENCE:?}");
        std::thread::yield_now();
    }
}

/// Asserts that the quickest of several measurements is below `limit`: it says whether there is a
/// wait in it. The others say how busy the machine was.
#[track_caller]
pub fn assert_quick(what: &str, limit: Duration, times: impl IntoIterator<Item = Duration>) {
    let mut times: Vec<_> = times.into_iter().collect();
    times.sort_unstable();
    let (quickest, median, slowest) = (times[0], times[times.len() / 2], times[times.len() - 1]);
    println!("{what}: quickest {quickest:?}, median {median:?}, slowest {slowest:?}");
    assert!(quickest < limit, "{what} takes {quickest:?} at the least");
}

/// What a lookup comes to. The addresses of each family stand in their order, which is that of the
/// operating system; which family comes first is none of its business here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub v4: Vec<SocketAddr>,
    pub v6: Vec<SocketAddr>,
    pub end: End,
}

impl Outcome {
    fn new(addrs: impl IntoIterator<Item = SocketAddr>, end: End) -> Self {
        let mut seen = BTreeSet::new();
        let addrs = addrs.into_iter().filter(|addr| seen.insert(*addr));
        let (v4, v6) = addrs.partition(SocketAddr::is_ipv4);
        Self { v4, v6, end }
    }

    /// The outcome of a name with these addresses; without any, of one that does not exist.
    pub fn of(addrs: &[&str]) -> Self {
        let end = if addrs.is_empty() { End::NoName } else { End::Addresses };
        let addrs = addrs.iter().flat_map(|addr| match addr.parse() {
            Ok(ip) => vec![SocketAddr::new(ip, PORT)],
            // With a zone.
            Err(_) => (*addr, PORT).to_socket_addrs().expect("an address").collect(),
        });
        Self::new(addrs, end)
    }
}

/// What this crate finds.
pub async fn ours(resolver: &Resolver, name: &str) -> Outcome {
    outcome(resolver.lookup((name, PORT)).collect().await)
}

/// What has come of a lookup: one end, and nothing behind it.
#[track_caller]
pub fn outcome(results: Vec<LookupResult>) -> Outcome {
    let mut results = results.into_iter();
    let mut addrs = Vec::new();
    let end = loop {
        match results.next().expect("every lookup has an end") {
            LookupResult::Address(addr) => addrs.push(addr),
            LookupResult::CanonicalName(_) => {}
            LookupResult::End(Ok(())) => break End::Addresses,
            LookupResult::End(Err(error)) if error.is_temporary() => break End::Temporary,
            LookupResult::End(Err(error)) => match error.kind() {
                LookupErrorKind::NoAddress => break End::NoAddress,
                _ => break End::NoName,
            },
        }
    };
    assert_eq!(results.next(), None, "nothing comes behind the end");
    Outcome::new(addrs, end)
}

/// What the C library finds, asked for both families at once: as `getent ahosts`.
pub fn theirs(name: &str) -> Outcome {
    match (name, PORT).to_socket_addrs() {
        Ok(addrs) => Outcome::new(addrs, End::Addresses),
        Err(error) => {
            let end = match End::of_error(&error) {
                Some(end) => end,
                // EAI_SYSTEM.
                None if error.raw_os_error().is_some() => End::Temporary,
                None => panic!("{name:?}: {error}"),
            };
            Outcome::new([], end)
        }
    }
}
