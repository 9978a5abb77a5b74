//! A race on smol: no Tokio takes part.

use std::error::Error;
use std::time::Instant;

use outrace::Resolver;
use outrace::happy_eyeballs::{ConnectOptions, Timer, race};
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::TcpStream;

struct SmolTimer;

impl Timer for SmolTimer {
    type Sleep = smol::Timer;

    fn sleep_until(&self, deadline: Instant) -> smol::Timer {
        smol::Timer::at(deadline)
    }
}

pub(super) fn get(resolver: &Resolver, host: &str, port: u16) -> Result<String, Box<dyn Error>> {
    let options = ConnectOptions::default();
    smol::block_on(async {
        let connect = race(resolver.lookup((host, port)), &options, |endpoint, _| {
            TcpStream::connect(endpoint.addr)
        });
        let (mut stream, _) = connect.timer(SmolTimer).await?;
        let request = format!("GET /page HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut response = String::new();
        stream.read_to_string(&mut response).await?;
        Ok(response)
    })
}
