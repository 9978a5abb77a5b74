//! Draws a race: one line for each question and each connection attempt, on one time axis.
//!
//! Without an argument it connects to a host of the embedded world whose first address is a black
//! hole and whose second refuses. With an argument (`race example.com:443`) it connects there.
//! It leaves out what one does with the connection: see `fetch`.

#[path = "../tests/support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use outrace::happy_eyeballs::{AttemptOutcome, ConnectOptions, connect_results};
use outrace::{LookupResult, Resolver};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    if let Some(target) = std::env::args().nth(1) {
        return race(&Resolver::system(), &target).await;
    }
    let world = support::World::rough();
    let builder = Resolver::builder().without_system_configuration();
    let resolver = builder.nameservers(world.nameserver_addrs()).build();
    race(&resolver, &world.target("rough.example.test")).await;
}

async fn race(resolver: &Resolver, target: &str) {
    let (mut a, mut aaaa) = (None, None);
    let start = Instant::now();
    let results = resolver.lookup(target).inspect(|result| {
        if let LookupResult::Address(addr) = result {
            let answered = if addr.is_ipv4() { &mut a } else { &mut aaaa };
            answered.get_or_insert(start.elapsed());
        }
    });
    let (_stream, info) = match connect_results(results, &ConnectOptions::default()).await {
        Ok(connected) => connected,
        Err(error) => return eprintln!("{error}"),
    };

    let whole = info.connected_after();
    println!("{target}\n{:24}0 ms{:>53} ms", "", whole.as_millis());
    for (question, answered) in [("query A", a), ("query AAAA", aaaa)] {
        let note = answered.map_or("no address by then", |_| "answered");
        draw(question, Duration::ZERO, answered.unwrap_or(whole), whole, note);
    }
    for attempt in info.attempts() {
        let won = attempt.outcome == AttemptOutcome::Won;
        let note = if won { "<== winner".into() } else { attempt.outcome.to_string() };
        let end = attempt.started + attempt.lived;
        draw(&attempt.addr.to_string(), attempt.started, end, whole, &note);
    }
}

/// A line of 60 columns for the whole time, with a bar from `start` to `end`.
fn draw(what: &str, start: Duration, end: Duration, whole: Duration, note: &str) {
    let column = |at: Duration| usize::try_from(at.as_micros() * 59 / whole.as_micros()).unwrap();
    let (blank, bar) = (column(start), column(end) - column(start));
    let line = format!("{:blank$}{:=<bar$}|", "", "");
    println!("{what:24}{line:62}{note}");
}
