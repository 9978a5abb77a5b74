//! What a line of data cannot say: deadlines asked for, long lists, odd addresses.

use super::super::super::gate::MAX_ADDRESSES_PER_FAMILY;
use super::super::*;
use super::MS;
use super::script::{addr, source};

#[test]
fn he09_the_delay_counts_from_the_first_address() {
    let start = Instant::now();
    let mut race = Race::new(&RaceOptions::default(), start);
    race.handle_address(addr("4a"), Some(source(addr("4a"))), Learnt::default(), start + 10 * MS);
    race.handle_timeout(start + 50 * MS);
    assert_eq!(race.poll_output(), None);
    assert_eq!(race.poll_timeout(), Some(start + 60 * MS), "10 ms from now, and not 50");
}

#[test]
fn he24_twenty_silent_addresses() {
    let start = Instant::now();
    let mut race = Race::new(&RaceOptions::default().max_connection_attempts_alive(20), start);
    for host in (0..10).map(|host| char::from(b'a' + host)) {
        for addr in [addr(&format!("4{host}")), addr(&format!("6{host}"))] {
            race.handle_address(addr, Some(source(addr)), Learnt::default(), start);
        }
    }
    race.handle_end(start);
    for turn in 0..20 {
        let (family, host) = (if turn % 2 == 0 { '6' } else { '4' }, char::from(b'a' + turn / 2));
        let expected = addr(&format!("{family}{host}"));
        let id = AttemptId(turn.into());
        assert_eq!(race.poll_output(), Some(Output::Start { id, addr: expected }));
        assert_eq!(race.poll_output(), None, "one at a time");
        let next = start + (u32::from(turn) + 1) * 250 * MS;
        assert_eq!(race.poll_timeout(), (turn < 19).then_some(next), "he43: none after the last");
        race.handle_timeout(next);
    }
    let much_later = start + 300_000 * MS;
    race.handle_connected(AttemptId(19), much_later);
    for id in (0..19).map(AttemptId) {
        assert_eq!(race.poll_output(), Some(Output::Cancel { id }));
    }
    assert_eq!(race.poll_output(), Some(Output::Won { id: AttemptId(19) }));
    assert_eq!((race.poll_output(), race.poll_timeout()), (None, None), "he40: and that is final");
}

#[test]
fn he36_co02_twenty_instant_failures() {
    let start = Instant::now();
    let mut race = Race::new(&RaceOptions::default(), start);
    for host in 'a'..='t' {
        let addr = addr(&format!("6{host}"));
        race.handle_address(addr, Some(source(addr)), Learnt::default(), start);
    }
    race.handle_end(start);
    for id in (0..20).map(AttemptId) {
        let output = race.poll_output();
        assert!(matches!(output, Some(Output::Start { id: started, .. }) if started == id));
        race.handle_failed(id, start);
    }
    assert_eq!(race.poll_output(), Some(Output::Lost));
    assert_eq!((race.poll_output(), race.poll_timeout()), (None, None));
}

#[test]
fn he42_the_deadline_is_absolute() {
    let start = Instant::now();
    let mut race = Race::new(&RaceOptions::default().connection_attempt_delay(100 * MS), start);
    for addr in [addr("6a"), addr("6b")] {
        race.handle_address(addr, Some(source(addr)), Learnt::default(), start);
    }
    assert!(race.poll_output().is_some());
    assert_eq!(race.poll_timeout(), Some(start + 100 * MS));
    race.handle_timeout(start + 40 * MS);
    assert_eq!(race.poll_output(), None);
    assert_eq!(race.poll_timeout(), Some(start + 100 * MS), "60 ms from now, and not 100");
}

#[test]
fn time_does_not_run_backwards() {
    let start = Instant::now();
    let mut race = Race::new(&RaceOptions::default(), start);
    race.handle_address(addr("4a"), Some(source(addr("4a"))), Learnt::default(), start);
    race.handle_timeout(start + 50 * MS);
    race.handle_address(addr("4b"), Some(source(addr("4b"))), Learnt::default(), start + 40 * MS);
    let first = Output::Start { id: AttemptId(0), addr: addr("4a") };
    assert_eq!(race.poll_output(), Some(first), "the delay was over, and still is");
}

#[test]
fn an_open_gate_stays_open() {
    let start = Instant::now();
    let mut race = Race::new(&RaceOptions::default(), start);
    race.handle_default_source(Family::V6, None, start);
    race.handle_address(addr("4a"), Some(source(addr("4a"))), Learnt::default(), start);
    assert!(race.poll_output().is_some(), "there is no IPv6 to wait for");
    race.handle_default_source(Family::V6, Some(source(addr("6a"))), start);
    race.handle_failed(AttemptId(0), start);
    race.handle_address(addr("4b"), Some(source(addr("4b"))), Learnt::default(), start);
    let second = Output::Start { id: AttemptId(1), addr: addr("4b") };
    assert_eq!(race.poll_output(), Some(second));
}

#[test]
fn what_fails_beside_the_winner_is_not_canceled() {
    let start = Instant::now();
    let mut race = Race::new(&RaceOptions::default(), start);
    for addr in ["6a", "4a", "6b"].map(addr) {
        race.handle_address(addr, Some(source(addr)), Learnt::default(), start);
    }
    for turn in 0..3 {
        race.handle_timeout(start + turn * 250 * MS);
        assert!(race.poll_output().is_some());
    }
    let now = start + 600 * MS;
    race.handle_connected(AttemptId(1), now);
    race.handle_failed(AttemptId(0), now);
    race.handle_connected(AttemptId(2), now);
    assert_eq!(
        race.poll_output(),
        Some(Output::Cancel { id: AttemptId(2) }),
        "there is one winner"
    );
    assert_eq!(race.poll_output(), Some(Output::Won { id: AttemptId(1) }));
    assert_eq!(race.poll_output(), None);
}

#[test]
fn he50_a_thousand_copies_are_one_address() {
    let start = Instant::now();
    let mut race = Race::new(&RaceOptions::default(), start);
    let addr = addr("6a");
    for _ in 0..1000 {
        race.handle_address(addr, Some(source(addr)), Learnt::default(), start);
    }
    race.handle_end(start);
    assert_eq!(race.poll_output(), Some(Output::Start { id: AttemptId(0), addr }));
    race.handle_failed(AttemptId(0), start);
    assert_eq!(race.poll_output(), Some(Output::Lost));
    assert_eq!(race.ignored(), 0, "a duplicate is not an address let go");
}

#[test]
fn an_ipv4_mapped_address_is_that_ipv4_address() {
    let start = Instant::now();
    let mut race = Race::new(&RaceOptions::default(), start);
    let ipv4 = addr("4a");
    race.handle_address(
        "[::ffff:192.0.2.1]:443".parse().unwrap(),
        Some(source(ipv4)),
        Learnt::default(),
        start,
    );
    race.handle_address(ipv4, Some(source(ipv4)), Learnt::default(), start);
    race.handle_end(start);
    assert_eq!(race.poll_output(), Some(Output::Start { id: AttemptId(0), addr: ipv4 }));
    race.handle_failed(AttemptId(0), start);
    assert_eq!(race.poll_output(), Some(Output::Lost), "there is no second one");
}

#[test]
fn link_local_addresses_of_two_interfaces_are_two_endpoints() {
    let start = Instant::now();
    let mut race = Race::new(&RaceOptions::default(), start);
    let here = Some(SourceAddress::new("fe80::9".parse().unwrap()));
    let [eth0, eth1] = ["[fe80::1%2]:80", "[fe80::1%3]:80"].map(|addr| addr.parse().unwrap());
    race.handle_address(eth0, here, Learnt::default(), start);
    race.handle_address(eth1, here, Learnt::default(), start);
    race.handle_end(start);
    assert_eq!(race.poll_output(), Some(Output::Start { id: AttemptId(0), addr: eth0 }));
    race.handle_failed(AttemptId(0), start);
    assert_eq!(race.poll_output(), Some(Output::Start { id: AttemptId(1), addr: eth1 }));
}

#[test]
fn co01_a_flood_of_ipv4_does_not_starve_ipv6() {
    let start = Instant::now();
    let mut race = Race::new(&RaceOptions::default(), start);
    for addr in (0..4096).map(flood) {
        race.handle_address(addr, Some(source(addr)), Learnt::default(), start);
    }
    assert_eq!(race.ignored(), 4096 - MAX_ADDRESSES_PER_FAMILY);
    let mut now = start + 50 * MS;
    race.handle_timeout(now);
    let refuse_all = |race: &mut Race, now: Instant| {
        let mut started = Vec::new();
        while let Some(output) = race.poll_output() {
            let Output::Start { id, addr } = output else { panic!("{output:?}") };
            race.handle_failed(id, now);
            started.push(addr);
        }
        started
    };
    assert_eq!(refuse_all(&mut race, now).len(), 32, "half of what one race may attempt");
    now += 20 * MS;
    race.handle_address(addr("6a"), Some(source(addr("6a"))), Learnt::default(), now);
    let Some(Output::Start { id, addr: next }) = race.poll_output() else { panic!("no start") };
    assert_eq!(next, addr("6a"));
    race.handle_connected(id, now);
    assert_eq!(race.poll_output(), Some(Output::Won { id }));
}

#[test]
fn nothing_is_allocated_once_the_list_stands() {
    let start = Instant::now();
    let mut race = Race::new(&RaceOptions::default(), start);
    for addr in (0..100).map(flood).chain([addr("6a")]) {
        race.handle_address(addr, Some(source(addr)), Learnt::default(), start);
    }
    race.handle_end(start);
    let mut output = race.poll_output();
    let capacities = |race: &Race| (race.gate.capacities(), race.alive.capacity());
    let stands = capacities(&race);
    let mut starts = 0;
    let mut now = start;
    while output != Some(Output::Lost) {
        if let Some(Output::Start { id, .. }) = output {
            starts += 1;
            if starts % 7 == 0 {
                race.handle_failed(id, now);
            }
        } else if let Some(next) = race.poll_timeout() {
            now = next;
            race.handle_timeout(now);
        } else {
            let oldest = race.alive[0].id;
            race.handle_failed(oldest, now);
        }
        output = race.poll_output();
    }
    assert_eq!((starts, capacities(&race)), (64, stands));
}

/// `n`th address of a flood.
fn flood(n: u16) -> SocketAddr {
    let [high, low] = n.to_be_bytes();
    SocketAddr::new([198, 18, high, low].into(), 443)
}
