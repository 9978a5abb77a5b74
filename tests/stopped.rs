//! A process that is stopped while its lookups are under way: job control, a paused container, a
//! debugger. It starts itself once more, as the one that is stopped.
#![cfg(target_os = "linux")]

mod support;

use std::net::{SocketAddr, UdpSocket};
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use outrace::resolve::AddressFamily;
use outrace::{LookupOptions, LookupResult, Resolver};

const LOOKUPS: usize = 60;
const TIMEOUT: Duration = Duration::from_secs(2);
/// Tells the process that is stopped where its nameserver is.
const NAMESERVER: &str = "OUTRACE_STOPPED_NAMESERVER";

#[test]
fn rr22_answers_that_came_while_the_process_was_stopped_count() {
    if let Ok(nameserver) = std::env::var(NAMESERVER) {
        return look_up(nameserver.parse().unwrap());
    }
    let test = "rr22_answers_that_came_while_the_process_was_stopped_count";
    let Some(mut copy) = support::copy_of_this_process(test) else { return };
    let nameserver = UdpSocket::bind("127.0.0.1:0").unwrap();
    nameserver.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let child = copy
        .env(NAMESERVER, nameserver.local_addr().unwrap().to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut query, mut queries) = ([0; 512], Vec::new());
    for _ in 0..LOOKUPS {
        let (len, client) = nameserver.recv_from(&mut query).expect("a query");
        queries.push((query[..len].to_vec(), client));
    }
    let pid = Pid::from_raw(child.id().try_into().unwrap());
    kill(pid, Signal::SIGSTOP).unwrap();
    let stopped = Instant::now();
    while !is_stopped(pid) {
        std::thread::yield_now();
    }
    for (query, client) in &queries {
        nameserver.send_to(&answer(query), client).unwrap();
    }
    std::thread::sleep((TIMEOUT + Duration::from_millis(100)).saturating_sub(stopped.elapsed()));
    kill(pid, Signal::SIGCONT).unwrap();

    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains(&format!("answered: {LOOKUPS}\n")), "{text}");
}

/// The process that is stopped.
fn look_up(nameserver: SocketAddr) {
    let resolver = Resolver::builder()
        .without_system_configuration()
        .nameservers([nameserver])
        .timeout(TIMEOUT)
        .build();
    let options = LookupOptions::default().family(AddressFamily::Ipv4);
    let ends = std::thread::scope(|scope| {
        let lookups: Vec<_> = (0..LOOKUPS)
            .map(|n| resolver.lookup_with((format!("n{n}.test"), 80), &options))
            .map(|results| scope.spawn(|| results.into_blocking_iter().last()))
            .collect();
        lookups.into_iter().map(|lookup| lookup.join().unwrap()).collect::<Vec<_>>()
    });
    let answered = ends.iter().filter(|end| **end == Some(LookupResult::End(Ok(())))).count();
    println!("\nanswered: {answered}");
}

/// The response to a query about an A record: 192.0.2.1.
fn answer(query: &[u8]) -> Vec<u8> {
    let name = query[12..].iter().position(|&octet| octet == 0).expect("the root");
    let question = &query[12..12 + name + 5];
    let header = [&query[..2], &[0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]].concat();
    [&header[..], question, &[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1]].concat()
}

fn is_stopped(pid: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, state) = stat.rsplit_once(") ").expect("the state stands behind the name");
    state.starts_with('T')
}
