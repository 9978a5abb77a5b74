//! A thread without a runtime.

use std::error::Error;
use std::io::{Read, Write};

use outrace::{ConnectOptions, Resolver, blocking};

pub(super) fn get(resolver: &Resolver, host: &str, port: u16) -> Result<String, Box<dyn Error>> {
    let options = ConnectOptions::default();
    let (mut stream, _) = blocking::connect_with((host, port), resolver, &options)?;
    write!(stream, "GET /page HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n")?;
    let mut response = String::new();
    stream.read_to_string(&mut response)?;
    Ok(response)
}
