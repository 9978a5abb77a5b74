//! Many lookups at once, and a nameserver whose socket holds but a few of their queries.

use std::sync::Arc;
use std::time::Duration;

use crate::HostName;
use crate::resolve::AddressFamily;
use crate::resolve::error::Transport;
use crate::resolve::names::local::Ask;
use crate::resolve::names::search;
use crate::resolve::sim::message::Query;
use crate::resolve::sim::world::{Connect, Event, Nameserver, Reaction, World, config};
use crate::resolve::stub::ids::LookupId;
use crate::resolve::stub::lookup::Lookup;
use crate::resolve::stub::socket_error::SocketError;
use crate::seeded::Random;
use crate::testkit::Message;

const LOOKUPS: u64 = 2_000;

/// Answers one query after the other, each in a hundredth of a millisecond. What finds 200 of them
/// waiting is lost: a socket's usual buffer holds a few hundred.
struct Narrow {
    /// When the last query that was taken is answered.
    busy_until: Duration,
}

const SERVICE: Duration = Duration::from_micros(10);
const BUFFER: u32 = 200;

impl Nameserver for Narrow {
    fn handle_query(&mut self, query: &Query, at: Duration) -> Vec<Reaction> {
        let wait = self.busy_until.saturating_sub(at);
        if wait > SERVICE * BUFFER {
            return Vec::new();
        }
        self.busy_until = at + wait + SERVICE;
        let answer = query.reply(&Message::answer([[192, 0, 2, 1].into()]));
        vec![Reaction::Bytes(wait + SERVICE, answer)]
    }

    fn handle_connect(&mut self, _at: Duration) -> Connect {
        Connect::Hang
    }

    fn open(&mut self, _transport: Transport, _at: Duration) -> Result<(), SocketError> {
        Ok(())
    }
}

/// How many of the lookups succeed, all started in the same instant.
fn succeeded(spreads_resends: bool) -> u64 {
    let mut stub = config(1);
    stub.query.spreads_resends = spreads_resends;
    let mut random = Random::new(1);
    let server = Box::new(Narrow { busy_until: Duration::ZERO });
    let mut world = World::new(stub, None, vec![server], move || random.id());
    world.keeps_log = false;
    for number in 0..LOOKUPS {
        let name: HostName = format!("n{number}.example").parse().unwrap();
        let candidates = search::candidates(&name, Arc::from([]), 1);
        let lookup = Box::new(Lookup::new(Ask {
            name,
            port: 0,
            family: Some(AddressFamily::Ipv4),
            candidates,
        }));
        world.at(Duration::ZERO, Event::Lookup(LookupId(number), lookup, None, None));
    }
    world.run();
    world.checks.succeeded
}

/// Sent again together, the queries would meet the same full buffer together, three times in all.
#[test]
fn a_burst_that_overruns_a_nameserver_is_not_sent_again_as_a_burst() {
    assert_eq!(succeeded(true), LOOKUPS);
    assert_eq!(succeeded(false), 3 * (u64::from(BUFFER) + 1), "without the spread");
}
