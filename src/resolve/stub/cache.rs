//! The cache: outcomes by question, for as long as they hold.
//!
//! [`Cache`] has no clock: time is an argument. It decides what is cached and for how long;
//! eviction is up to the shards of `quick_cache` underneath.
//!
//! - An answer holds for the least TTL of the records it was made of, from the moment its query was
//!   *sent*, so that it never outlives the TTL that its nameserver gave.
//! - NXDOMAIN and NODATA hold as their SOA record says, and are not cached without one
//!   (RFC 2308 section 5).
//! - A question that every nameserver failed is not asked again for a second (RFC 9520 section
//!   3.2).
//! - Truncated responses, partial failures and shortages of this process are never cached.
//!
//! Callers of lookups read it; the resolver thread writes it, as do callers of `forget` and
//! `clear_cache`. A reader never waits: if a shard is locked for writing, the question counts as
//! not cached, and the resolver thread answers it. So a reader in a child that was forked off while
//! a shard was locked does not hang either.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash, Hasher, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use quick_cache::Weighter;
use quick_cache::unsync::DefaultLifecycle;

use super::ids::IdHasher;
use super::query::{NameserverFailure, Settled};
use crate::resolve::error::{LookupErrorKind, RecordType};
use crate::resolve::stats::{CacheFigures, add};
use crate::resolve::wire::answer::{Answer, Outcome};
use crate::resolve::wire::query_name::QueryName;

use crate::resolve::CacheOptions;

/// A writer locks one shard at a time, so that readers seldom meet it.
const SHARDS: usize = 8;

/// RFC 8767 section 5: "Attempts to refresh from non-responsive or otherwise failing authoritative
/// nameservers are recommended to be done no more frequently than every 30 seconds."
const REFRESH_PAUSE: Duration = Duration::from_secs(30);

/// A prefetch is made in the last tenth of an answer's TTL, as in Unbound: names in constant use
/// are asked a tenth more often, and their lookups never wait.
const PREFETCH_PART: u32 = 10;

/// Bytes that the map needs for an entry besides key and value: its slot, links, and hash table.
const SLOT_BYTES: usize = 64;

type Shard = quick_cache::unsync::Cache<
    Key,
    Arc<Entry>,
    Weights,
    BuildHasherDefault<IdHasher>,
    DefaultLifecycle<Key, Arc<Entry>>,
>;

/// The cache of one resolver.
pub(crate) struct Cache {
    options: CacheOptions,
    /// Counts clears: entries of an earlier generation do not hold.
    generation: AtomicU64,
    /// Goes into the hash of every name, so that names that collide cannot be chosen from outside.
    secret: u64,
    shards: [RwLock<Shard>; SHARDS],
    hits: AtomicU64,
    stale_hits: AtomicU64,
}

#[derive(Clone, Debug)]
struct Key {
    hash_of_name: u64,
    name: QueryName,
    record_type: RecordType,
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.record_type == other.record_type && self.name == other.name
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Both types of a name lie in one shard, and in different places there.
        state.write_u64(self.hash_of_name ^ u64::from(self.record_type.code()));
    }
}

/// One question's outcome. It is replaced rather than changed, so that readers can share it.
#[derive(Debug)]
pub(crate) struct Entry {
    settled: Settled,
    generation: u64,
    expires: Instant,
    /// Until when it may be served stale.
    stale_until: Instant,
    /// From when on a hit has it refreshed.
    refresh_from: Instant,
    /// By how many nanoseconds after that the next refresh is due. Each refresh that is started
    /// postpones the next, so that one that gets lost is repeated.
    refresh_delay: AtomicU64,
    /// How many lookups were given it.
    turns: AtomicU32,
}

impl Entry {
    fn new(settled: Settled, generation: u64, times: Times, turns: u32) -> Self {
        let Times { expires, stale_until, refresh_from } = times;
        let (refresh_delay, turns) = (AtomicU64::default(), AtomicU32::new(turns));
        Self { settled, generation, expires, stale_until, refresh_from, refresh_delay, turns }
    }

    /// Whether a refresh is due. Returns `true` to one caller for each.
    fn take_refresh(&self, now: Instant) -> bool {
        let Some(late) = now.checked_duration_since(self.refresh_from) else { return false };
        let due = self.refresh_delay.load(Ordering::Relaxed);
        let next = nanos(late + REFRESH_PAUSE);
        let order = Ordering::Relaxed;
        nanos(late) >= due && self.refresh_delay.compare_exchange(due, next, order, order).is_ok()
    }
}

/// The instants at which an entry expires, stops being servable stale, and wants a refresh.
#[derive(Clone, Copy, Debug)]
struct Times {
    expires: Instant,
    stale_until: Instant,
    refresh_from: Instant,
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// A cached outcome of a question.
#[derive(Clone, Debug)]
pub(crate) struct Hit {
    entry: Arc<Entry>,
    is_stale: bool,
    /// How many lookups were given it before.
    pub(crate) turn: u32,
    /// Whether the caller of this hit has to start a refresh.
    pub(crate) wants_refresh: bool,
}

impl Hit {
    pub(crate) fn settled(&self) -> &Settled {
        &self.entry.settled
    }

    /// For how long it holds from `now` on: not at all if it is stale.
    pub(crate) fn ttl(&self, now: Instant) -> Duration {
        self.entry.expires.saturating_duration_since(now)
    }

    /// The lookup was not given it after all.
    pub(crate) fn give_back_turn(&self) {
        self.entry.turns.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Answers the questions of one lookup from the cache. Counts its hits when it is dropped.
pub(crate) struct CacheReader<'a> {
    cache: &'a Cache,
    now: Instant,
    /// Both families ask for one name, and it is hashed once.
    last: Option<Key>,
    hits: u64,
}

impl CacheReader<'_> {
    /// The answer to a question, positive or negative, while its TTL runs.
    ///
    /// An answer that is stale, and a failure, are left to the resolver thread: what to do about
    /// them depends on what else is known of the nameservers.
    pub(crate) fn fresh_answer(
        &mut self,
        name: &QueryName,
        record_type: RecordType,
    ) -> Option<Hit> {
        let key = match self.last.take().filter(|last| last.name.is_same(name)) {
            Some(key) => Key { record_type, ..key },
            None => self.cache.key(name.clone(), record_type),
        };
        let hit = self.cache.find(&key, self.now, |entry| {
            self.now < entry.expires && matches!(entry.settled, Settled::Answer { .. })
        });
        self.last = Some(key);
        self.hits += u64::from(hit.is_some());
        hit
    }
}

impl Drop for CacheReader<'_> {
    fn drop(&mut self) {
        if self.hits > 0 {
            self.cache.hits.fetch_add(self.hits, Ordering::Relaxed);
        }
    }
}

impl Cache {
    pub(crate) fn new(options: CacheOptions) -> Self {
        Self::with_secret(options, RandomState::new().hash_one(0))
    }

    /// A cache whose shards are chosen by this secret, for tests that are to be repeatable.
    pub(crate) fn with_secret(options: CacheOptions, secret: u64) -> Self {
        let entries = options.entries / SHARDS;
        let bytes = u64::try_from(options.bytes / SHARDS).unwrap_or(u64::MAX);
        // No entry counts for less than its part of the space, so neither limit is ever passed.
        let least = bytes.div_ceil(entries as u64);
        let shard = || {
            let (weights, hasher) = (Weights { least }, BuildHasherDefault::default());
            RwLock::new(Shard::with(entries, bytes, weights, hasher, DefaultLifecycle::default()))
        };
        Self {
            options,
            generation: AtomicU64::new(0),
            secret,
            shards: std::array::from_fn(|_| shard()),
            hits: AtomicU64::new(0),
            stale_hits: AtomicU64::new(0),
        }
    }

    pub(crate) fn options(&self) -> &CacheOptions {
        &self.options
    }

    /// The generation in which a query is started, for [`insert`](Self::insert).
    pub(crate) fn generation(&self) -> u64 {
        // Orders nothing: an answer of an earlier generation is recognized by its number, whenever
        // it comes.
        self.generation.load(Ordering::Relaxed)
    }

    /// The cached outcome of a question, fresh or stale. Never waits.
    pub(crate) fn get(
        &self,
        name: &QueryName,
        record_type: RecordType,
        now: Instant,
    ) -> Option<Hit> {
        self.find(&self.key(name.clone(), record_type), now, |_| true)
    }

    fn find(&self, key: &Key, now: Instant, is_wanted: impl FnOnce(&Entry) -> bool) -> Option<Hit> {
        // A shard that a panic has poisoned is not used any more.
        let shard = self.shard(key).try_read().ok()?;
        let entry = shard.get(key)?;
        if entry.generation != self.generation() || now >= entry.stale_until {
            return None;
        }
        is_wanted(entry).then(|| Hit {
            entry: Arc::clone(entry),
            is_stale: now >= entry.expires,
            turn: entry.turns.fetch_add(1, Ordering::Relaxed),
            wants_refresh: entry.take_refresh(now),
        })
    }

    /// A reader for the questions of one lookup, where the lookup is made: it answers without a
    /// system call and without waiting.
    pub(crate) fn reader(&self, now: Instant) -> CacheReader<'_> {
        CacheReader { cache: self, now, last: None, hits: 0 }
    }

    /// Counts a hit that was used.
    pub(crate) fn count(&self, hit: &Hit) {
        add(if hit.is_stale { &self.stale_hits } else { &self.hits });
    }

    /// Caches the outcome of a question whose query was started in `generation`, and which so many
    /// lookups were `given`.
    pub(crate) fn insert(
        &self,
        name: &QueryName,
        record_type: RecordType,
        settled: &Settled,
        given: u32,
        generation: u64,
        now: Instant,
    ) {
        if generation != self.generation() {
            return;
        }
        let key = self.key(name.clone(), record_type);
        let mut shard = self.shard(&key).write().unwrap_or_else(PoisonError::into_inner);
        let old = shard.peek(&key).map(|entry| &**entry);
        match self.entry(settled, given, old, generation, now) {
            Some(entry) => shard.insert(key, Arc::new(entry)),
            None => drop(shard.remove(&key)),
        }
    }

    /// The entry for an outcome, given the one that it replaces; `None` if it is not cached.
    fn entry(
        &self,
        settled: &Settled,
        given: u32,
        old: Option<&Entry>,
        generation: u64,
        now: Instant,
    ) -> Option<Entry> {
        let options = &self.options;
        // A refreshed answer goes on where the last one was.
        let turns = old.map_or(0, |old| old.turns.load(Ordering::Relaxed)).wrapping_add(given);
        let times = match settled {
            Settled::Answer { answer, asked_at } => {
                // An answer with a TTL of 0 is only for the lookups that wait for it (RFC 1035
                // section 3.2.1).
                let ttl = Duration::from_secs(answer.ttl.filter(|ttl| *ttl > 0)?.into());
                let has_addresses = is_positive(answer);
                let ttl =
                    ttl.min(if has_addresses { options.max_ttl } else { options.max_negative_ttl });
                let expires = *asked_at + ttl;
                // Negative answers are never served stale: they would hide a new name.
                let stale = options.serve_stale.filter(|_| has_addresses).unwrap_or_default();
                let early = if options.prefetch { ttl / PREFETCH_PART } else { Duration::ZERO };
                let refresh_from = *asked_at + ttl.saturating_sub(early);
                Times { expires, stale_until: expires + stale, refresh_from }
            }
            Settled::Failed(failure) => {
                let old = old.filter(|old| {
                    let is_answer = matches!(old.settled, Settled::Answer { .. });
                    is_answer && old.generation == generation && now < old.stale_until
                });
                if let Some(Entry { settled, expires, stale_until, .. }) = old {
                    // A failed refresh leaves the answer as it is.
                    let (expires, stale_until) = (*expires, *stale_until);
                    let times = Times { expires, stale_until, refresh_from: now + REFRESH_PAUSE };
                    return Some(Entry::new(settled.clone(), generation, times, turns));
                }
                let kind = failure.kind();
                if matches!(kind, LookupErrorKind::Resources | LookupErrorKind::Overloaded) {
                    return None;
                }
                let expires = now + options.failure_ttl;
                Times { expires, stale_until: expires, refresh_from: expires }
            }
        };
        let is_over = now >= times.stale_until;
        (!is_over).then(|| Entry::new(settled.clone(), generation, times, turns))
    }

    /// Removes every entry; the answers to queries in flight are not cached either.
    pub(crate) fn clear(&self) {
        self.start_generation();
        for shard in &self.shards {
            shard.write().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }

    /// As [`clear`](Self::clear), but without a lock, and keeps the memory: for a forked child, in
    /// which a lock may be held by a thread that it does not have.
    pub(crate) fn start_generation(&self) {
        self.generation.fetch_add(1, Ordering::Relaxed);
    }

    /// Removes what is known about this name.
    pub(crate) fn remove(&self, name: &QueryName) {
        for record_type in [RecordType::A, RecordType::Aaaa] {
            let key = self.key(name.clone(), record_type);
            self.shard(&key).write().unwrap_or_else(PoisonError::into_inner).remove(&key);
        }
    }

    /// What [`Stats`](crate::resolve::Stats) tells of the cache.
    pub(crate) fn figures(&self) -> CacheFigures {
        let mut figures = CacheFigures {
            hits: self.hits.load(Ordering::Relaxed),
            stale_hits: self.stale_hits.load(Ordering::Relaxed),
            ..CacheFigures::default()
        };
        for shard in self.shards.iter().filter_map(|shard| shard.try_read().ok()) {
            figures.entries += shard.len() as u64;
            figures.bytes += shard.weight();
        }
        figures
    }

    fn key(&self, name: QueryName, record_type: RecordType) -> Key {
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(self.secret);
        name.hash(&mut hasher);
        Key { hash_of_name: hasher.finish(), name, record_type }
    }

    fn shard(&self, key: &Key) -> &RwLock<Shard> {
        // Not the bits that the shard's own table looks at.
        let index = key.hash_of_name >> 32 & (SHARDS as u64 - 1);
        &self.shards[usize::try_from(index).expect("less than the number of shards")]
    }
}

fn is_positive(answer: &Answer) -> bool {
    matches!(answer.outcome, Outcome::Addresses(_) | Outcome::Alias { .. })
}

fn answer_bytes(answer: &Answer) -> usize {
    let outcome = match &answer.outcome {
        Outcome::Addresses(addresses) => addresses.len() * size_of::<IpAddr>(),
        Outcome::Alias { target } => target.as_wire().len(),
        _ => 0,
    };
    outcome + answer.canonical.as_wire().len()
}

/// Weighs entries by their bytes, and none for less than its share of the space.
#[derive(Clone, Debug)]
struct Weights {
    least: u64,
}

impl Weighter<Key, Arc<Entry>> for Weights {
    fn weight(&self, key: &Key, entry: &Arc<Entry>) -> u64 {
        let parts = match &entry.settled {
            Settled::Answer { answer, .. } => answer_bytes(answer),
            Settled::Failed(failure) => {
                let last_resort = failure.last_resort.as_deref().map_or(0, answer_bytes);
                failure.nameservers.len() * size_of::<NameserverFailure>() + last_resort
            }
        };
        let fixed = size_of::<Key>() + size_of::<Entry>() + SLOT_BYTES;
        let bytes = (fixed + key.name.as_wire().len() + parts) as u64;
        bytes.max(self.least)
    }
}

#[cfg(test)]
mod tests;
