//! Threads without a runtime race too.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use outrace::happy_eyeballs::RaceOptions;
use outrace::{ConnectOptions, Resolver, blocking};

use crate::support::{Nameserver, World};

#[test]
fn a_thread_connects_by_name_and_reads_as_std_does() {
    // The first address refuses.
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = server.local_addr().unwrap();
    let nameserver = Nameserver::start(
        "www.example.test. A    -> answer 127.0.0.2 127.0.0.1
         www.example.test. AAAA -> nodata",
    );
    let resolver =
        Resolver::builder().without_system_configuration().nameservers([nameserver.addr()]).build();
    let peer = thread::spawn(move || {
        let (mut stream, _) = server.accept().unwrap();
        let mut greeting = [0; 5];
        stream.read_exact(&mut greeting).unwrap();
        stream.write_all(&greeting).unwrap();
    });
    let target = ("www.example.test.", addr.port());
    let (mut stream, info) =
        blocking::connect_with(target, &resolver, &ConnectOptions::default()).unwrap();
    assert_eq!(info.addr(), addr);
    assert_eq!(info.attempts().len(), 2);
    // A read waits: the socket is one of std's.
    stream.write_all(b"hello").unwrap();
    let mut echo = [0; 5];
    stream.read_exact(&mut echo).unwrap();
    assert_eq!(&echo, b"hello");
    peer.join().unwrap();
}

#[test]
fn an_address_needs_no_resolver_and_errors_are_those_of_a_race() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = server.local_addr().unwrap();
    assert_eq!(blocking::connect(addr).unwrap().peer_addr().unwrap(), addr);
    drop(server);
    assert!(blocking::connect(addr).unwrap_err().is_refused());
    assert!(blocking::connect("no port").unwrap_err().is_invalid_target());
    let world = World::new(["* * -> drop"], crate::support::Web::start([]));
    let resolver = Resolver::builder()
        .without_system_configuration()
        .nameservers(world.nameserver_addrs())
        .build();
    let moment = RaceOptions::default().connect_timeout(Duration::from_millis(20));
    let options = ConnectOptions::default().race(moment);
    assert!(blocking::connect_with("a.test:1", &resolver, &options).unwrap_err().is_timeout());
}
