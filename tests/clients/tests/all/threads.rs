//! Without Tokio: on smol, and on a plain thread.

use std::io::Read;
use std::net::{Ipv4Addr, TcpListener};
use std::thread;

use smol::io::AsyncReadExt;

use super::{HOST, Host};

/// Greets each of two connections. Gives the port.
fn greet_twice() -> (thread::JoinHandle<()>, u16) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let greet = move || {
        for stream in listener.incoming().take(2) {
            std::io::Write::write_all(&mut stream.unwrap(), b"hello").unwrap();
        }
    };
    (thread::spawn(greet), port)
}

#[test]
fn smol_and_plain_threads_race_without_tokio() {
    assert!(tokio::runtime::Handle::try_current().is_err());
    let host = Host::new();
    let (server, port) = greet_twice();
    let mut greeting = String::new();
    smol::block_on(async {
        let connect = outrace_clients::smol::connect(&host.resolver, (HOST, port));
        connect.await.unwrap().read_to_string(&mut greeting).await.unwrap();
    });
    assert_eq!(greeting, "hello");
    let stream = outrace_clients::threads::connect(&host.resolver, (HOST, port));
    stream.unwrap().read_to_string(&mut greeting).unwrap();
    assert_eq!(greeting, "hellohello");
    server.join().unwrap();
    host.assert_asked();
}
