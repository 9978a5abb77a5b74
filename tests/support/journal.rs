//! [`Journal`]: what nameservers were asked, in the order in which it arrived.

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use domain::base::Rtype;

use super::Transport;
use super::watched::Watched;

/// One query that a nameserver read.
#[derive(Clone, Debug)]
pub struct Query {
    pub at: Instant,
    /// The nameserver that was asked.
    pub server: SocketAddr,
    /// Who asked.
    pub source: SocketAddr,
    pub transport: Transport,
    pub id: u16,
    /// The name as it came, without the final dot.
    pub name: String,
    pub rtype: Rtype,
    /// Counts, from 1, the queries for this name (in any case) and type over this transport.
    pub attempt: usize,
    /// The UDP payload size of the OPT record, if there is one.
    pub edns_size: Option<u16>,
    pub bytes: Vec<u8>,
}

impl Query {
    /// Whether it asks for this name, in any case and with or without a final dot.
    pub fn asks(&self, name: &str, rtype: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.strip_suffix('.').unwrap_or(name))
            && self.rtype == rtype.parse::<Rtype>().expect("a record type")
    }
}

/// What nameservers were asked. Several may share one journal, so that the order among them shows.
#[derive(Clone, Debug)]
pub struct Journal(Option<Arc<Watched<Entries>>>);

/// What stands in a [`Journal`].
#[derive(Debug)]
pub struct Entries {
    started: Instant,
    pub queries: Vec<Query>,
    /// Datagrams and TCP messages that are no query with one question.
    pub unreadable: usize,
    /// TCP connections accepted so far.
    pub tcp_accepted: usize,
    /// TCP connections that neither side has closed.
    pub tcp_open: usize,
    pub(super) barrier: u64,
    pub(super) barriers_passed: Vec<u64>,
}

impl Journal {
    pub fn new() -> Self {
        Self(Some(Arc::new(Watched::new(Entries {
            started: Instant::now(),
            queries: Vec::new(),
            unreadable: 0,
            tcp_accepted: 0,
            tcp_open: 0,
            barrier: 0,
            barriers_passed: Vec::new(),
        }))))
    }

    /// A journal that keeps nothing and costs nothing, for benches.
    pub fn off() -> Self {
        Self(None)
    }

    pub(super) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    pub(super) fn enter(&self, change: impl FnOnce(&mut Entries)) {
        if let Some(entries) = &self.0 {
            entries.change(change);
        }
    }

    pub(super) fn watched(&self) -> &Watched<Entries> {
        self.0.as_ref().expect("this journal is on")
    }

    /// All queries so far.
    pub fn queries(&self) -> Vec<Query> {
        self.watched().read(|entries| entries.queries.clone())
    }

    /// The queries so far for one name and type.
    pub fn queries_for(&self, name: &str, rtype: &str) -> Vec<Query> {
        self.watched().read(|entries| entries.asking(name, rtype))
    }

    /// Reads any entry.
    pub fn read<R>(&self, read: impl FnOnce(&Entries) -> R) -> R {
        self.watched().read(read)
    }

    /// Waits until `count` queries are in, and gives all there are. Panics if they never come.
    #[track_caller]
    pub fn wait_for(&self, count: usize) -> Vec<Query> {
        self.watched().wait(&format!("{count} queries"), |entries| {
            (entries.queries.len() >= count).then(|| entries.queries.clone())
        })
    }

    /// Waits until `count` queries for one name and type are in, and gives all there are.
    #[track_caller]
    pub fn wait_for_queries_for(&self, name: &str, rtype: &str, count: usize) -> Vec<Query> {
        self.watched().wait(&format!("{count} queries for {name} {rtype}"), |entries| {
            Some(entries.asking(name, rtype)).filter(|found| found.len() >= count)
        })
    }

    /// Waits until the journal is as `ready` wants it.
    #[track_caller]
    pub fn wait_until(&self, what: &str, mut ready: impl FnMut(&Entries) -> bool) {
        self.watched().wait(what, |entries| ready(entries).then_some(()));
    }

    /// [`wait_for`](Self::wait_for) for a task; it has no timeout of its own.
    pub fn reached(&self, count: usize) -> impl Future<Output = Vec<Query>> {
        self.watched().wait_async(move |entries| {
            (entries.queries.len() >= count).then(|| entries.queries.clone())
        })
    }
}

impl Entries {
    fn asking(&self, name: &str, rtype: &str) -> Vec<Query> {
        self.queries.iter().filter(|query| query.asks(name, rtype)).cloned().collect()
    }
}

impl fmt::Display for Entries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for query in &self.queries {
            let at = query.at.saturating_duration_since(self.started);
            let ms = at.as_secs_f64() * 1e3;
            write!(f, "{ms:9.1} ms  {} <- {}  ", query.server, query.source)?;
            write!(f, "{}. {} ", query.name, query.rtype)?;
            write!(f, "{} #{} id {:04x}", query.transport, query.attempt, query.id)?;
            match query.edns_size {
                Some(size) => writeln!(f, " edns {size}")?,
                None => writeln!(f)?,
            }
        }
        write!(
            f,
            "{} queries, {} unreadable, {} TCP connections, {} of them open",
            self.queries.len(),
            self.unreadable,
            self.tcp_accepted,
            self.tcp_open
        )
    }
}

impl fmt::Display for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.read(|entries| entries.fmt(f))
    }
}
