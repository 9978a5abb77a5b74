//! [`CacheOptions`]: how much is cached, and for how long.

use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// How much a resolver caches, and for how long ([`ResolverBuilder::cache`]).
///
/// An answer is cached by its question (name and record type) for its TTL, counted from when the
/// query was sent, on a clock that goes on while the machine is suspended. A lookup of the same
/// name is then answered at once, without a packet, a system call or a thread.
///
/// [`ResolverBuilder::cache`]: crate::resolve::ResolverBuilder::cache
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use outrace::Resolver;
/// use outrace::resolve::CacheOptions;
///
/// let resolver = Resolver::builder()
///     .cache(CacheOptions::new().prefetch(true).serve_stale(Duration::from_secs(3600)))
///     .build();
/// # drop(resolver);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct CacheOptions {
    pub(super) entries: usize,
    pub(super) bytes: usize,
    pub(super) max_ttl: Duration,
    pub(super) max_negative_ttl: Duration,
    pub(super) failure_ttl: Duration,
    pub(super) serve_stale: Option<Duration>,
    pub(super) prefetch: bool,
    pub(super) finish_dropped: bool,
    pub(super) keep_order: bool,
    pub(super) system_ttl: Duration,
}

impl Default for CacheOptions {
    fn default() -> Self {
        Self {
            entries: 8192,
            bytes: 4 << 20,
            max_ttl: HOUR,
            max_negative_ttl: 5 * MINUTE,
            failure_ttl: SECOND,
            serve_stale: None,
            prefetch: false,
            finish_dropped: false,
            keep_order: false,
            system_ttl: SECOND,
        }
    }
}

impl CacheOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many answers are cached at most; A and AAAA of one name are two. Default: 8,192, at
    /// least
    /// 16. The least used are evicted first.
    pub fn entries(mut self, entries: usize) -> Self {
        self.entries = entries.max(16);
        self
    }

    /// How many bytes the cached answers may take, approximately. Default: 4 MiB, at least 64 KiB.
    /// An answer of one name and four addresses takes some 400.
    pub fn bytes(mut self, bytes: usize) -> Self {
        self.bytes = bytes.max(64 << 10);
        self
    }

    /// The longest time for which addresses are cached, whatever their TTL. Default: 1 h, up to 7
    /// days (RFC 8767 section 4). Longer saves little: a busy name costs one question an hour.
    pub fn max_ttl(mut self, max_ttl: Duration) -> Self {
        self.max_ttl = max_ttl.min(7 * DAY);
        self
    }

    /// The longest time for which a negative answer is cached, whatever its SOA record says.
    /// Default: 5 min, up to 3 h (RFC 2308 section 5). A name that was looked up before it existed
    /// is not found for that long.
    pub fn max_negative_ttl(mut self, max_negative_ttl: Duration) -> Self {
        self.max_negative_ttl = max_negative_ttl.min(3 * HOUR);
        self
    }

    /// For how long the failure of a question at every nameserver is cached. Default: 1 s; 1 s to 5
    /// min (RFC 9520 section 3.2).
    pub fn failure_ttl(mut self, failure_ttl: Duration) -> Self {
        self.failure_ttl = failure_ttl.clamp(SECOND, 5 * MINUTE);
        self
    }

    /// For how long after their TTL addresses are still handed out, while a refresh is under way
    /// (serve-stale, RFC 8767). Default: `None`, not at all; up to 7 days. While the nameservers
    /// fail, a refresh is tried every 30 s. Stale answers are handed out by the resolver thread:
    /// such a lookup waits for the thread, and for no nameserver.
    pub fn serve_stale(mut self, serve_stale: impl Into<Option<Duration>>) -> Self {
        self.serve_stale = serve_stale.into().map(|longest| longest.min(7 * DAY));
        self
    }

    /// Whether a name that is looked up in the last tenth of its TTL is refreshed at once, so that
    /// lookups of a name in constant use never wait. Default: no. It costs one question in ten.
    pub fn prefetch(mut self, prefetch: bool) -> Self {
        self.prefetch = prefetch;
        self
    }

    /// Whether a question goes on for the cache after the last lookup that waited for it was
    /// dropped. Default: no, a dropped lookup sends nothing more. A connect that wins with IPv4
    /// drops the AAAA question; with this, its answer is there for the next connect.
    pub fn finish_dropped(mut self, finish_dropped: bool) -> Self {
        self.finish_dropped = finish_dropped;
        self
    }

    /// Whether the addresses of an answer keep the order in which its nameserver gave them.
    /// Default: no, each lookup that is given the answer starts one address further, so that the
    /// connects of a program are spread over the addresses of a name as its packets say, and not
    /// all made to the first one for as long as the answer is cached. The order of RFC 6724 goes
    /// before: only addresses of equal rank take turns.
    ///
    /// For names whose nameserver steers by the order of the addresses. Without a cache the lookups
    /// that wait for one query take turns all the same: for the order without a cache, set
    /// [`max_ttl`](Self::max_ttl) and [`max_negative_ttl`](Self::max_negative_ttl) to zero.
    pub fn keep_order(mut self, keep_order: bool) -> Self {
        self.keep_order = keep_order;
        self
    }

    /// For how long the addresses of one call to the operating system's own lookup
    /// ([`Source`](crate::resolve::Source)) are handed out. Default: 1 s, up to 60 s; zero: not at
    /// all. The operating system tells no TTL, and has a cache of its own; what it does not find is
    /// not cached here.
    pub fn system_ttl(mut self, system_ttl: Duration) -> Self {
        self.system_ttl = system_ttl.min(MINUTE);
        self
    }

    /// The setting [`system_ttl`](Self::system_ttl).
    pub(crate) fn system_hold(&self) -> Duration {
        self.system_ttl
    }

    /// Whether [`keep_order`](Self::keep_order) is set.
    pub(crate) fn keeps_order(&self) -> bool {
        self.keep_order
    }

    /// The setting [`serve_stale`](Self::serve_stale).
    #[cfg(any(test, fuzzing))]
    pub(crate) fn stale(&self) -> Option<Duration> {
        self.serve_stale
    }

    /// For how long a failure is cached.
    pub(crate) fn pause(&self) -> Duration {
        self.failure_ttl
    }

    /// Whether [`finish_dropped`](Self::finish_dropped) is set.
    pub(crate) fn finishes_dropped(&self) -> bool {
        self.finish_dropped
    }
}
