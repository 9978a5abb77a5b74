//! Whole races, played on the state machine alone.
//!
//! The crate does not make its core public, and need not: the core names nothing outside of itself,
//! so that it can be built here as well, from the same files.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use options::RaceOptions;
use order::{Learnt, SourceAddress};
use race::{Output, Race};

#[allow(dead_code, reason = "of the core, a race needs a part")]
#[path = "../src/happy_eyeballs/gate.rs"]
mod gate;
#[allow(dead_code, reason = "of the core, a race needs a part")]
#[path = "../src/happy_eyeballs/options.rs"]
mod options;
#[allow(dead_code, reason = "of the core, a race needs a part")]
#[path = "../src/happy_eyeballs/order.rs"]
mod order;
#[allow(dead_code, reason = "of the core, a race needs a part")]
#[path = "../src/happy_eyeballs/race.rs"]
mod race;

/// A race to be played, any number of times.
pub struct Course {
    config: RaceOptions,
    start: Instant,
    addresses: Vec<(SocketAddr, SourceAddress)>,
    connects: Option<usize>,
}

impl Course {
    /// All addresses come at once, and then the lookup ends. The attempt that is the `connects`th
    /// to start (the first is 0) connects within 1 ms. The others stay silent until no further one
    /// can start, and then fail, the oldest first.
    pub fn new(ipv6: u16, ipv4: u16, connects: Option<usize>) -> Self {
        let mut addresses = Vec::new();
        for n in 1..=ipv4 {
            let [high, low] = n.to_be_bytes();
            addresses.push(endpoint(Ipv4Addr::new(198, 18, high, low), Ipv4Addr::new(10, 0, 0, 1)));
        }
        for n in 1..=ipv6 {
            let ip = |n| Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, n);
            addresses.push(endpoint(ip(n), ip(0xffff)));
        }
        Self { config: RaceOptions::default(), start: Instant::now(), addresses, connects }
    }

    /// Plays it from the first address to the last output, and says how many attempts it took.
    pub fn play(&self) -> usize {
        let mut now = self.start;
        let mut race = Race::new(&self.config, now);
        for &(addr, source) in &self.addresses {
            race.handle_address(addr, Some(source), Learnt::default(), now);
        }
        race.handle_end(now);
        let (mut oldest, mut started) = (0, 0);
        loop {
            match race.poll_output() {
                Some(Output::Start { id, .. }) => {
                    if self.connects == Some(started) {
                        race.handle_connected(id, now + Duration::from_millis(1));
                    }
                    started += 1;
                }
                Some(Output::Cancel { .. } | Output::Expire { .. }) => {}
                Some(Output::Won { .. } | Output::Lost | Output::TimedOut) => return started,
                None => {
                    if let Some(timer) = race.poll_timeout() {
                        now = timer;
                        race.handle_timeout(now);
                    } else {
                        race.handle_failed(race::AttemptId(oldest), now);
                        oldest += 1;
                    }
                }
            }
        }
    }
}

fn endpoint(addr: impl Into<IpAddr>, source: impl Into<IpAddr>) -> (SocketAddr, SourceAddress) {
    (SocketAddr::new(addr.into(), 443), SourceAddress::new(source.into()))
}
