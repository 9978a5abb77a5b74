//! smol: a race in which no Tokio takes part.

use std::time::Instant;

use smol::Timer;
use smol::net::TcpStream;

struct SmolTimer;

impl outrace::happy_eyeballs::Timer for SmolTimer {
    type Sleep = Timer;

    fn sleep_until(&self, deadline: Instant) -> Timer {
        Timer::at(deadline)
    }
}

/// Connects to the first address that answers.
pub async fn connect(
    resolver: &outrace::Resolver,
    target: (&str, u16),
) -> crate::Result<TcpStream> {
    let (results, options) = (resolver.lookup(target), Default::default());
    let race = outrace::happy_eyeballs::race(results, &options, |endpoint, _| {
        TcpStream::connect(endpoint.addr)
    });
    Ok(race.timer(SmolTimer).await?.0)
}
