//! [`Stats`]: counters of a resolver.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::error::Transport;
use super::wire::message::Ignored;
use crate::HostName;

/// Counters of a resolver since it was built ([`Resolver::stats`]).
///
/// `pending_lookups`, `running_system_calls`, `open_sockets`, `cache_entries` and `cache_bytes` are
/// gauges: they say what is so now. The others count up.
///
/// [`Resolver::stats`]: super::Resolver::stats
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Lookups that went to the resolver thread, because neither the cache nor the hosts file nor a
    /// special-use name answered them.
    pub lookups: u64,
    /// Of these, lookups that have not ended.
    pub pending_lookups: u64,
    /// Questions that were answered, negative answers included.
    pub answered: u64,
    /// Questions that no nameserver answered.
    pub failed: u64,
    /// Questions that were coalesced with an identical one in flight.
    pub coalesced: u64,
    /// Lookups that asked the operating system, alone or behind the nameservers. One whose
    /// candidate names have routes to it counts for each of these.
    pub system_lookups: u64,
    /// Calls of the operating system's own lookup (`getaddrinfo`) that were wanted, one for a name
    /// and an address family, or for both. Lookups that share one count in `coalesced`.
    pub system_calls: u64,
    /// Of these, calls that run now: the others have come back, wait for a thread, or were given
    /// up. One that does not come back counts for as long as it holds its thread, whether or not a
    /// lookup waits for it.
    pub running_system_calls: u64,
    /// Questions answered from the cache while their TTL ran.
    pub cache_hits: u64,
    /// Questions answered from the cache after their TTL
    /// ([`CacheOptions::serve_stale`](super::CacheOptions::serve_stale)).
    pub cache_stale: u64,
    /// Questions that were not in the cache: they were asked, or coalesced.
    pub cache_misses: u64,
    /// Questions asked to refresh the cache: before their TTL ended, or after a stale answer was
    /// given.
    pub cache_refreshes: u64,
    /// Answers in the cache.
    pub cache_entries: u64,
    /// Approximate size of the answers in the cache, in bytes.
    pub cache_bytes: u64,
    /// Queries sent over UDP, resends included.
    pub udp_queries: u64,
    /// Queries sent over TCP.
    pub tcp_queries: u64,
    /// Truncated responses, asked for again over TCP. If that fails, the addresses that they had
    /// come before the error.
    pub truncated: u64,
    /// Responses in another case than that of their query, of a nameserver that does not keep the
    /// case of a question or of a forger ([`ResolverBuilder::mixed_case`]). The question was asked
    /// in other ways.
    ///
    /// [`ResolverBuilder::mixed_case`]: super::ResolverBuilder::mixed_case
    pub case_mismatches: u64,
    /// Answers with the address 127.0.53.53, which means that a private name is becoming a public
    /// one: a new top-level domain answers so for its first ninety days (ICANN, "Name Collision
    /// Occurrence Management Framework", 2014). The address is handed out as any other. The place
    /// from which the name comes should be found: the name will soon resolve to a foreign address.
    pub name_collisions: u64,
    /// Responses with a link-local address in an AAAA record (`fe80::/10`, RFC 4291 section 2.5.6).
    /// Without a zone no connection can be made to it, so it is skipped; a name that has no other
    /// is a name without an address.
    pub link_local: u64,
    /// Messages that were dropped because they answered nothing that was asked: forged, broken, or
    /// late ones.
    pub ignored: IgnoredMessages,
    /// UDP sockets open.
    pub open_sockets: u64,
    /// How often nameserver state was reset, because the configuration changed, the machine was
    /// suspended, the program has said that the network changed
    /// ([`Resolver::network_changed`](super::Resolver::network_changed)), or the thread panicked.
    pub generations: u64,
    /// The nameservers, in the order of the configuration, since the last reset; empty before the
    /// first lookup that asks one. Those of the root route come first, then those of each other
    /// route ([`NameserverStats::route`]). An address that several routes have comes once for each
    /// of them: what is learnt of it on one route does not count on another.
    pub nameservers: Vec<NameserverStats>,
}

/// Messages that arrived on the resolver's sockets and were dropped, by reason. The query that they
/// seemed to answer waits on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct IgnoredMessages {
    /// Shorter than a DNS header.
    pub too_short: u64,
    /// With an id that no query in flight on that socket has: guessed, or much too late.
    pub wrong_id: u64,
    /// Queries: the QR bit was not set.
    pub not_a_response: u64,
    /// Of another opcode than QUERY.
    pub wrong_opcode: u64,
    /// About no question, several, or another name, type or class.
    pub wrong_question: u64,
    /// Not to be read. If it came with its question, it was asked for again in other ways.
    pub malformed: u64,
    /// About a question that another response had settled, as a duplicated datagram is.
    pub duplicate: u64,
}

impl IgnoredMessages {
    /// All of them.
    pub fn total(&self) -> u64 {
        let Self {
            too_short,
            wrong_id,
            not_a_response,
            wrong_opcode,
            wrong_question,
            malformed,
            duplicate,
        } = self;
        too_short
            + wrong_id
            + not_a_response
            + wrong_opcode
            + wrong_question
            + malformed
            + duplicate
    }
}

/// Counters of one nameserver.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NameserverStats {
    /// Its address.
    pub addr: SocketAddr,
    /// The suffix of the route that it is asked by
    /// ([`ResolverBuilder::route`](super::ResolverBuilder::route)); `None`: the root route, that of
    /// all names that no other route has.
    pub route: Option<HostName>,
    /// Queries sent to it, resends included.
    pub queries: u64,
    /// Queries about a question that had been sent to it before.
    pub resends: u64,
    /// Queries that were not answered within the time that its round-trip time suggests. A late
    /// answer still counts as an answer.
    pub timeouts: u64,
    /// Questions that it failed, by an error such as SERVFAIL or because it could not be reached.
    pub failures: u64,
    /// Responses in another case than that of their query: its own, or forged ones
    /// ([`Stats::case_mismatches`]).
    pub case_mismatches: u64,
    /// Its smoothed round-trip time (RFC 6298 section 2), to the microsecond; `None` before its
    /// first answer over UDP.
    pub smoothed_rtt: Option<Duration>,
    /// Queries that wait for their turn now, because the nameserver has as many as its window
    /// allows.
    pub waiting: u64,
    /// How many queries over UDP may be on the way to it at once. It opens with answers and closes
    /// on loss (RFC 8085 section 3.1), between 8 and 1,024.
    pub window: u64,
    /// Queries that were lost on the way to it or refused by it because there were too many: they
    /// were sent again.
    pub losses: u64,
}

/// The counters behind [`Stats`]. Each is written by one thread, or seldom, so additions do not
/// contend; no reader infers one counter from another, so none is ordered.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) lookups: AtomicU64,
    pub(crate) pending_lookups: AtomicU64,
    pub(crate) answered: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) coalesced: AtomicU64,
    pub(crate) system_lookups: AtomicU64,
    pub(crate) system_calls: AtomicU64,
    pub(crate) running_system_calls: AtomicU64,
    pub(crate) cache_misses: AtomicU64,
    pub(crate) cache_refreshes: AtomicU64,
    pub(crate) truncated: AtomicU64,
    pub(crate) case_mismatches: AtomicU64,
    pub(crate) name_collisions: AtomicU64,
    pub(crate) link_local: AtomicU64,
    pub(crate) open_sockets: AtomicU64,
    generations: AtomicU64,
    udp_queries: AtomicU64,
    tcp_queries: AtomicU64,
    ignored: [AtomicU64; Ignored::COUNT],
    duplicates: AtomicU64,
    /// Locked once a generation and once for each `stats`.
    nameservers: Mutex<Vec<Arc<NameserverCounters>>>,
}

/// The counters behind [`NameserverStats`].
#[derive(Debug)]
pub(crate) struct NameserverCounters {
    addr: SocketAddr,
    route: Option<HostName>,
    pub(crate) queries: AtomicU64,
    pub(crate) resends: AtomicU64,
    pub(crate) timeouts: AtomicU64,
    pub(crate) failures: AtomicU64,
    pub(crate) case_mismatches: AtomicU64,
    pub(crate) losses: AtomicU64,
    waiting: AtomicU64,
    window: AtomicU64,
    /// `u64::MAX` before the first measurement.
    smoothed_rtt_micros: AtomicU64,
}

/// What the cache contributes to [`Stats`].
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CacheFigures {
    pub(crate) hits: u64,
    pub(crate) stale_hits: u64,
    pub(crate) entries: u64,
    pub(crate) bytes: u64,
}

pub(crate) fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// One stub's part of a gauge; the gauge is the sum over the stubs of a resolver. A stub that is
/// dropped, as when its thread panics, takes its part along.
pub(crate) struct Gauge {
    counters: Arc<Counters>,
    sum: fn(&Counters) -> &AtomicU64,
    part: u64,
}

impl Gauge {
    pub(crate) fn new(counters: &Arc<Counters>, sum: fn(&Counters) -> &AtomicU64) -> Self {
        Self { counters: Arc::clone(counters), sum, part: 0 }
    }

    pub(crate) fn set(&mut self, part: usize) {
        let part = part as u64;
        let before = std::mem::replace(&mut self.part, part);
        if part != before {
            (self.sum)(&self.counters).fetch_add(part.wrapping_sub(before), Ordering::Relaxed);
        }
    }
}

impl Drop for Gauge {
    fn drop(&mut self) {
        self.set(0);
    }
}

fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

impl NameserverCounters {
    pub(crate) fn new(addr: SocketAddr, route: Option<HostName>) -> Self {
        Self {
            addr,
            route,
            queries: AtomicU64::default(),
            resends: AtomicU64::default(),
            timeouts: AtomicU64::default(),
            failures: AtomicU64::default(),
            case_mismatches: AtomicU64::default(),
            losses: AtomicU64::default(),
            waiting: AtomicU64::default(),
            window: AtomicU64::default(),
            smoothed_rtt_micros: AtomicU64::new(u64::MAX),
        }
    }

    pub(crate) fn measured(&self, smoothed_rtt: Duration) {
        let micros = u64::try_from(smoothed_rtt.as_micros()).unwrap_or(u64::MAX - 1);
        self.smoothed_rtt_micros.store(micros, Ordering::Relaxed);
    }

    pub(crate) fn paced(&self, waiting: usize, window: u32) {
        self.waiting.store(waiting as u64, Ordering::Relaxed);
        self.window.store(window.into(), Ordering::Relaxed);
    }

    fn stats(&self) -> NameserverStats {
        let micros = Some(get(&self.smoothed_rtt_micros)).filter(|&micros| micros != u64::MAX);
        NameserverStats {
            addr: self.addr,
            route: self.route.clone(),
            queries: get(&self.queries),
            resends: get(&self.resends),
            timeouts: get(&self.timeouts),
            failures: get(&self.failures),
            case_mismatches: get(&self.case_mismatches),
            waiting: get(&self.waiting),
            window: get(&self.window),
            losses: get(&self.losses),
            smoothed_rtt: micros.map(Duration::from_micros),
        }
    }
}

impl Counters {
    /// A stub was made, with these nameservers.
    pub(crate) fn start_generation<'a>(
        &self,
        nameservers: impl Iterator<Item = &'a Arc<NameserverCounters>>,
    ) {
        let mut current = self.nameservers.lock().unwrap_or_else(PoisonError::into_inner);
        if !current.is_empty() {
            add(&self.generations);
        }
        *current = nameservers.cloned().collect();
    }

    pub(crate) fn query(&self, transport: Transport) {
        add(match transport {
            Transport::Udp => &self.udp_queries,
            Transport::Tcp => &self.tcp_queries,
        });
    }

    pub(crate) fn ignored(&self, reason: Ignored) {
        add(&self.ignored[reason.index()]);
    }

    /// Counts a response to a question that was settled.
    pub(crate) fn duplicate(&self) {
        add(&self.duplicates);
    }

    pub(crate) fn stats(&self, cache: CacheFigures) -> Stats {
        let ignored = |reason: Ignored| get(&self.ignored[reason.index()]);
        let nameservers = self.nameservers.lock().unwrap_or_else(PoisonError::into_inner);
        Stats {
            lookups: get(&self.lookups),
            pending_lookups: get(&self.pending_lookups),
            answered: get(&self.answered),
            failed: get(&self.failed),
            coalesced: get(&self.coalesced),
            system_lookups: get(&self.system_lookups),
            system_calls: get(&self.system_calls),
            running_system_calls: get(&self.running_system_calls),
            cache_hits: cache.hits,
            cache_stale: cache.stale_hits,
            cache_misses: get(&self.cache_misses),
            cache_refreshes: get(&self.cache_refreshes),
            cache_entries: cache.entries,
            cache_bytes: cache.bytes,
            udp_queries: get(&self.udp_queries),
            tcp_queries: get(&self.tcp_queries),
            truncated: get(&self.truncated),
            case_mismatches: get(&self.case_mismatches),
            name_collisions: get(&self.name_collisions),
            link_local: get(&self.link_local),
            ignored: IgnoredMessages {
                too_short: ignored(Ignored::TooShort),
                wrong_id: ignored(Ignored::WrongId),
                not_a_response: ignored(Ignored::NotAResponse),
                wrong_opcode: ignored(Ignored::WrongOpcode),
                wrong_question: ignored(Ignored::WrongQuestion),
                malformed: ignored(Ignored::Malformed),
                duplicate: get(&self.duplicates),
            },
            open_sockets: get(&self.open_sockets),
            generations: get(&self.generations),
            nameservers: nameservers.iter().map(|counters| counters.stats()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at10_a_round_trip_is_told_once_it_was_measured() {
        let counters = NameserverCounters::new(([192, 0, 2, 53], 53).into(), None);
        assert_eq!(counters.stats().smoothed_rtt, None);
        for rtt in [Duration::ZERO, Duration::from_micros(1234), Duration::from_secs(2)] {
            counters.measured(rtt);
            assert_eq!(counters.stats().smoothed_rtt, Some(rtt));
        }
        // Longer than can be told, and still a measurement.
        counters.measured(Duration::MAX);
        assert_eq!(counters.stats().smoothed_rtt, Some(Duration::from_micros(u64::MAX - 1)));
    }
}
