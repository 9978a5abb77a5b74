//! The gate, as stories in milliseconds since the lookup started.

use super::*;

const MS: Duration = Duration::from_millis(1);

struct Story {
    gate: AddressGate,
    start: Instant,
}

impl Story {
    fn new() -> Self {
        Self { gate: AddressGate::new(&RaceOptions::default()), start: Instant::now() }
    }

    fn at(&self, millis: u32) -> Instant {
        self.start + millis * MS
    }

    /// An address that this host has a route to.
    fn arrives(&mut self, millis: u32, addr: &str) {
        let addr: SocketAddr = addr.parse().unwrap();
        let now = self.at(millis);
        self.gate.handle_address(
            addr,
            Some(&SourceAddress::new(addr.ip())),
            Learnt::default(),
            now,
        );
        self.gate.update(now);
    }

    fn is_open(&mut self, millis: u32) -> bool {
        let now = self.at(millis);
        self.gate.update(now);
        self.gate.is_open()
    }

    fn taken(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.gate.take_next()).map(|addr| addr.to_string()).collect()
    }
}

#[test]
fn ipv4_waits_for_ipv6_until_the_resolution_delay_is_over() {
    let mut story = Story::new();
    story.arrives(30, "192.0.2.1:80");
    story.arrives(60, "192.0.2.2:80");
    assert_eq!(story.gate.resolution_delay_ends(), Some(story.at(80)), "from the first address");
    assert!(!story.is_open(79));
    assert!(story.is_open(80));
}

#[test]
fn ipv6_waits_for_nothing() {
    let mut story = Story::new();
    story.arrives(5, "[2001:db8::1]:80");
    assert!(story.is_open(5));
}

#[test]
fn ipv4_waits_for_nothing_on_a_host_without_ipv6() {
    let mut story = Story::new();
    story.gate.handle_default_source(Family::V6, None);
    story.arrives(5, "192.0.2.1:80");
    assert!(story.is_open(5));
}

#[test]
fn the_end_of_the_lookup_opens_the_gate() {
    let mut story = Story::new();
    story.arrives(5, "192.0.2.1:80");
    assert!(story.gate.is_awaited(Family::V6) && !story.is_open(6));
    story.gate.handle_end();
    assert!(!story.gate.is_awaited(Family::V6) && story.is_open(6));
}

#[test]
fn an_endpoint_is_taken_once_however_it_is_written() {
    let mut story = Story::new();
    for addr in ["192.0.2.1:80", "[::ffff:192.0.2.1]:80", "192.0.2.1:80", "192.0.2.1:81"] {
        story.arrives(0, addr);
    }
    assert_eq!(story.taken(), ["192.0.2.1:80", "192.0.2.1:81"]);
    story.arrives(1, "192.0.2.1:80");
    assert_eq!(story.gate.next_address(), None, "it was taken");
}

#[test]
fn families_take_turns_and_ranks_do_not() {
    let mut story = Story::new();
    for addr in ["192.0.2.1:80", "192.0.2.2:80", "[2001:db8::1]:80", "[2001:db8::2]:80"] {
        story.arrives(0, addr);
    }
    let turns = ["[2001:db8::1]:80", "192.0.2.1:80", "[2001:db8::2]:80", "192.0.2.2:80"];
    assert_eq!(story.taken(), turns);
    let ranked: Vec<_> = story.gate.into_ranked().map(|addr| addr.to_string()).collect();
    let by_rank = ["[2001:db8::1]:80", "[2001:db8::2]:80", "192.0.2.1:80", "192.0.2.2:80"];
    assert_eq!(ranked, by_rank);
}

#[test]
fn a_family_has_a_limit_and_the_rest_is_counted() {
    let mut story = Story::new();
    for port in 1..=300 {
        story.arrives(0, &format!("192.0.2.1:{port}"));
    }
    assert_eq!((story.gate.len(), story.gate.ignored()), (MAX_ADDRESSES_PER_FAMILY, 44));
}
