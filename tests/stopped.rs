//! A process that is stopped while its lookups are under way: job control, a paused container, a
//! debugger. It starts itself once more, as the one that is stopped.
#![cfg(target_os = "linux")]

mod support;

use std::net::{SocketAddr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use outrace::resolve::AddressFamily;
use outrace::{LookupOptions, LookupResult, Resolver};

const PROCESSES: usize = 5;
const LOOKUPS: usize = 60;
const TIMEOUT: Duration = Duration::from_secs(2);
/// Tells the process that is stopped where its nameserver is.
const NAMESERVER: &str = "OUTRACE_STOPPED_NAMESERVER";

/// A process that is stopped, and the queries that it has sent by then.
struct Stopped {
    process: Child,
    nameserver: UdpSocket,
    queries: Vec<(Vec<u8>, SocketAddr)>,
}

#[test]
fn rr22_answers_that_came_while_the_process_was_stopped_count() {
    if let Ok(nameserver) = std::env::var(NAMESERVER) {
        return look_up(nameserver.parse().unwrap());
    }
    let test = "rr22_answers_that_came_while_the_process_was_stopped_count";
    let Some(mut copy) = support::copy_of_this_process(test) else { return };
    // Where a stop finds the resolver thread is chance.
    let processes: Vec<_> = (0..PROCESSES).map(|_| Stopped::start(&mut copy)).collect();
    let stopped = Instant::now();
    for process in &processes {
        process.answer();
    }
    // The system's clock runs on for a stopped process, and its deadline must be over: this waits for
    // that time and for nothing else.
    std::thread::sleep((TIMEOUT + Duration::from_millis(100)).saturating_sub(stopped.elapsed()));
    for process in &processes {
        process.signal(Signal::SIGCONT);
    }
    for stopped in processes {
        let output = stopped.process.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains(&format!("answered: {LOOKUPS}\n")), "{text}");
    }
}

impl Stopped {
    /// Starts it, and stops it when all of its lookups wait.
    fn start(copy: &mut Command) -> Self {
        let nameserver = UdpSocket::bind("127.0.0.1:0").unwrap();
        nameserver.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let process = copy
            .env(NAMESERVER, nameserver.local_addr().unwrap().to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (mut query, mut queries) = ([0; 512], Vec::new());
        for _ in 0..LOOKUPS {
            let (len, client) = nameserver.recv_from(&mut query).expect("a query");
            queries.push((query[..len].to_vec(), client));
        }
        let stopped = Self { process, nameserver, queries };
        stopped.signal(Signal::SIGSTOP);
        while !is_stopped(stopped.pid()) {
            std::thread::yield_now();
        }
        stopped
    }

    fn answer(&self) {
        for (query, client) in &self.queries {
            self.nameserver.send_to(&answer(query), client).unwrap();
        }
    }

    fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.process.id().try_into().unwrap())
    }
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
