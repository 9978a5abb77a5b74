//! RV20, the ids: a forger has all 65,536 of them to guess (RFC 5452 section 9.2), each time anew.

use std::time::{Duration, Instant};

use super::{IDS_PER_CALL, os_random};
use crate::HostName;
use crate::resolve::NameserverStrategy;
use crate::resolve::names::local::{Ask, Plan};
use crate::resolve::names::search::{SearchRule, candidates};
use crate::resolve::randomness::{
    assert_as_many_distinct, assert_no_trend, assert_uncorrelated, assert_uniform,
};
use crate::resolve::stub::ids::Ids;
use crate::resolve::stub::ids::LookupId;
use crate::resolve::stub::lookup::Lookup;
use crate::resolve::stub::query::QueryConfig;
use crate::resolve::stub::{Pairing, Stub, StubConfig, SystemConfig, Transmit};

/// Thirty-two times as many as there are ids. Each id is missing with a chance of e^-32, so that
/// all are seen but for one run in a thousand million. (Of a million uniform ids one is missing in
/// every sixty-fifth run: 65,536 e^-15.26.)
const DRAWS: usize = 32 << 16;

const LAGS: [usize; 6] = [1, 2, 3, 8, IDS_PER_CALL, 2 * IDS_PER_CALL];

#[test]
fn rv20_ids_of_the_source_are_uniform_and_independent() {
    let mut random = os_random();
    let ids: Vec<u16> = (0..DRAWS).map(|_| random()).collect();
    assert_uniform("ids", 1 << 16, ids.iter().copied().map(usize::from));
    let distinct = assert_as_many_distinct("ids", 1 << 16, &ids);
    assert_eq!(distinct, 1 << 16, "every id is used");
    // Neighbours together: the upper half of one with the upper half of the next, and the lower.
    let halves = |shift: u32| {
        ids.chunks_exact(2).map(move |pair| {
            let half = |id: u16| usize::from(id >> shift & 0xff);
            half(pair[0]) << 8 | half(pair[1])
        })
    };
    assert_uniform("upper halves of neighbours", 1 << 16, halves(8));
    assert_uniform("lower halves of neighbours", 1 << 16, halves(0));
    assert_uncorrelated("ids", &ids, &LAGS);
    assert_no_trend("ids", &ids);
}

/// Nothing is kept between two sources that would let one tell of the other: not a seed, not a
/// state.
#[test]
fn rv20_two_sources_have_nothing_in_common() {
    let (mut one, mut other) = (os_random(), os_random());
    let ids = |random: &mut dyn FnMut() -> u16| (0..8).map(|_| random()).collect::<Vec<_>>();
    assert_ne!(ids(&mut one), ids(&mut other), "128 equal bits");
    let threads = [(); 2].map(|()| std::thread::spawn(move || ids(&mut os_random())));
    let [one, other] = threads.map(|thread| thread.join().unwrap());
    assert_ne!(one, other, "nor two threads");
}

/// A hundred thousand queries as they go out: fifty thousand names, A and AAAA each.
/// `OUTRACE_NAMES` is how many names; half a million take ten seconds without optimization.
#[test]
fn rv20_ids_that_go_out_are_uniform_and_differ_within_a_name() {
    let names = std::env::var("OUTRACE_NAMES")
        .map_or(50_000, |names| names.parse().expect("OUTRACE_NAMES is a number"));
    let config = StubConfig {
        system: SystemConfig { timeout: Duration::from_secs(10), hold: Duration::ZERO },
        nameservers: vec![([192, 0, 2, 53], 53).into()],
        routes: std::sync::Arc::default(),
        query: QueryConfig {
            strategy: NameserverStrategy::Hedged,
            is_unconfigured: false,
            timeout: Duration::from_secs(5),
            attempts: 2,
            edns: true,
            tcp_only: false,
            mixed_case: false,
        },
        rotate: false,
        trust_ad: false,
        pairing: Pairing::OneSocket,
        max_sockets: 256,
    };
    let (ids, counters) = (Ids::default(), std::sync::Arc::default());
    let mut stub = Stub::new(config, None, ids, counters, os_random(), || 1000);
    let name: HostName = "www.example.".parse().unwrap();
    let (mut now, mut buf, mut ids) = (Instant::now(), Vec::new(), Vec::with_capacity(2 * names));
    for number in (0..).take(names).map(LookupId) {
        // So much later that the last ones take no place in the nameserver's window.
        now += Duration::from_millis(25);
        let candidates = candidates(&name, std::sync::Arc::from([]), SearchRule::default());
        let lookup = Box::new(Lookup::new(Ask {
            name: name.clone(),
            port: 443,
            family: None,
            candidates,
            plan: Plan::Nameservers,
        }));
        stub.handle_lookup(number, lookup, None, now);
        while let Some(transmit) = stub.poll_transmit(&mut buf) {
            if let Transmit::SendUdp { .. } = transmit {
                ids.push(u16::from_be_bytes([buf[0], buf[1]]));
            }
        }
        stub.handle_gone(number, now);
    }
    assert_eq!(ids.len(), 2 * names);
    let are_equal = |pair: &&[u16]| pair[0] == pair[1];
    assert_eq!(ids.chunks_exact(2).find(are_equal), None, "A and AAAA of one name");
    let cells = if names < 500_000 { 1 << 12 } else { 1 << 16 };
    let cell = |&id: &u16| (usize::from(id) * cells) >> 16;
    assert_uniform("ids on the wire", cells, ids.iter().map(cell));
    assert_as_many_distinct("ids on the wire", 1 << 16, &ids);
    assert_uncorrelated("ids on the wire", &ids, &LAGS);
    assert_no_trend("ids on the wire", &ids);
}
