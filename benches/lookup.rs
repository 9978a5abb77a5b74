//! Lookups beside their peers, on one scripted nameserver: latency, CPU, and what a pending lookup
//! holds. Prints one table, with the ratio of each figure to `raw` behind it.
//!
//! ```text
//! cargo bench -p outrace-benches --bench lookup [-- ROUNDS [CONTESTANT ..]]
//! ```
//!
//! Each contestant runs in a process of its own, and so does the nameserver, so that CPU time,
//! memory, threads and files are the contestant's alone. (Heap bytes are without the stacks of its
//! threads and without the buffers of its sockets.) getaddrinfo takes no port, so all of it
//! runs in a network namespace where the nameserver has port 53, with a resolv.conf of its own;
//! where that cannot be had (it takes Linux and `unshare`), getaddrinfo is left out.

#[path = "../tests/support/mod.rs"]
mod support;

#[path = "namespace.rs"]
mod namespace;

#[path = "lookup/contestant.rs"]
mod contestant;
#[path = "lookup/measure.rs"]
mod measure;
#[path = "lookup/table.rs"]
mod table;

use std::env;
use std::io::{self, BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};

use contestant::Contestant;
use namespace::{can_unshare, enter_namespace, own_path, unshared};
use support::{Journal, Nameserver};

/// What the nameserver says. Every name of `new.test` is asked for once.
const SCRIPT: &str = "
    *.new.test.   A     -> answer 192.0.2.1 ttl 60
    *.new.test.   AAAA  -> answer 2001:db8::1 ttl 60
    *.late.test.  A     -> answer 192.0.2.1 ttl 60
    *.late.test.  AAAA  -> delay 500ms, answer 2001:db8::1 ttl 60
    *.mute.test.  *     -> drop
";

fn main() {
    // `cargo bench` itself adds `--bench`.
    let args: Vec<String> = env::args().skip(1).filter(|arg| arg != "--bench").collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--nameserver", addr] => serve(addr.parse().expect("an address")),
        ["--measure", part, name, addr] => {
            measure::part(part, || Contestant::new(name, addr.parse().expect("an address")))
        }
        ["--in-namespace", ref args @ ..] => {
            enter_namespace().expect("a network namespace of our own");
            compare(args, 53);
        }
        ref args if can_unshare() => {
            let args = [&["--in-namespace"], args].concat();
            let status = unshared(&own_path()).args(args).status().expect("unshare");
            assert!(status.success(), "{status}");
        }
        ref args => compare(args, 0),
    }
}

/// Runs the contestants in turn, round by round, and prints the table.
fn compare(args: &[&str], port: u16) {
    let rounds = args.first().map_or(3, |rounds| rounds.parse().expect("a number of rounds"));
    let chosen = |name: &&str| args.len() < 2 || *name == "raw" || args[1..].contains(name);
    let names: Vec<_> = Contestant::NAMES
        .into_iter()
        .filter(chosen)
        .filter(|name| port == 53 || *name != "getaddrinfo")
        .collect();
    if port != 53 {
        println!("no network namespace can be had: without getaddrinfo");
    }

    let addr = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port);
    let mut nameserver = child(&["--nameserver", &addr.to_string()]);
    let mut addr = String::new();
    let stdout = nameserver.stdout.as_mut().expect("a pipe");
    BufReader::new(stdout).read_line(&mut addr).expect("the nameserver's address");

    let mut table = table::Table::new(&names);
    for _ in 0..rounds {
        let turns = measure::PARTS.iter().flat_map(|part| names.iter().map(move |n| (part, n)));
        for (part, name) in turns.filter(|(part, name)| measure::takes_part(name, part)) {
            let output = child(&["--measure", part, name, addr.trim()]).wait_with_output();
            let output = output.expect("the contestant's output");
            assert!(output.status.success(), "{name}: {}", output.status);
            table.enter(name, &String::from_utf8_lossy(&output.stdout));
        }
    }
    // The end of its input ends it.
    drop(nameserver.stdin.take());
    nameserver.wait().expect("the nameserver ends");
    print!("{table}");
}

/// Serves until the input ends.
fn serve(addr: SocketAddr) {
    let nameserver = Nameserver::at(addr, SCRIPT, &Journal::off());
    println!("{}", nameserver.addr());
    io::stdin().read_to_end(&mut Vec::new()).expect("an input that ends");
}

fn child(args: &[&str]) -> Child {
    Command::new(own_path())
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("this program starts once more")
}
