//! A thread without a runtime.

use std::net::TcpStream;

/// Connects to the first address that answers.
pub fn connect(resolver: &outrace::Resolver, target: (&str, u16)) -> crate::Result<TcpStream> {
    let options = outrace::ConnectOptions::default();
    Ok(outrace::blocking::connect_with(target, resolver, &options)?.0)
}
