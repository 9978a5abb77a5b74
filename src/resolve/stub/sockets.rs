//! Which outstanding query is on which UDP socket, under which id.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::ids::{IdMap, Ids, QueryId, SocketId};
use super::query::{MAX_QUESTIONS, SentQuery};
use crate::resolve::wire::message::Response;

/// A query that was sent, or is about to be, and has no response yet (RFC 7766 section 3:
/// outstanding).
#[derive(Clone, Copy, Debug)]
pub(crate) struct OutstandingQuery {
    pub(crate) id: u16,
    pub(crate) query: QueryId,
    pub(crate) sent: SentQuery,
    /// Whether it was sent; its socket or connection may still be opening.
    pub(crate) is_out: bool,
    /// The highest rank of the responses so far.
    pub(crate) rank: ResponseRank,
    /// Its question is settled. It is kept, so that a late duplicate does not count as a guess and
    /// its id is not used again while a response may come.
    pub(crate) is_settled: bool,
}

impl OutstandingQuery {
    pub(crate) fn new(query: QueryId, sent: SentQuery) -> Self {
        let (is_out, rank, is_settled) = (false, ResponseRank::default(), false);
        Self { id: 0, query, sent, is_out, rank, is_settled }
    }
}

/// How much a response says. Of the responses to one query, each counts only if its rank is higher
/// than those before: a duplicated datagram is not a second failure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ResponseRank {
    #[default]
    None,
    Hint,
    /// A hint as well, and one that a forged hint before it does not hide.
    CaseMismatch,
    Failure,
    Answer,
}

impl From<&Response> for ResponseRank {
    fn from(response: &Response) -> Self {
        match response {
            Response::Hint(_) | Response::Unreadable => Self::Hint,
            Response::CaseMismatch => Self::CaseMismatch,
            Response::Answer(_) => Self::Answer,
            _ => Self::Failure,
        }
    }
}

/// The most outstanding queries on one socket: a quarter of all ids. Up to here a random id is free
/// at the second try, on average, and a forged response hits the id of some query with a
/// probability of a quarter at most.
const MAX_OUTSTANDING: usize = 1 << 14;

/// The outstanding queries on one socket or connection, each under an id of its own.
#[derive(Debug, Default)]
pub(crate) struct OutstandingQueries(Vec<OutstandingQuery>);

impl OutstandingQueries {
    /// Adds a query under a random id that no other has, and returns the id.
    pub(crate) fn add(
        &mut self,
        mut outstanding: OutstandingQuery,
        random: &mut dyn FnMut() -> u16,
    ) -> u16 {
        assert!(self.has_room_for(1), "a full table is not asked to take more");
        let position = loop {
            outstanding.id = random();
            if let Err(position) = self.position(outstanding.id) {
                break position;
            }
        };
        self.0.insert(position, outstanding);
        outstanding.id
    }

    pub(crate) fn has_room_for(&self, count: usize) -> bool {
        self.0.len() + count <= MAX_OUTSTANDING
    }

    pub(crate) fn get_mut(&mut self, id: u16) -> Option<&mut OutstandingQuery> {
        let position = self.position(id).ok()?;
        Some(&mut self.0[position])
    }

    pub(crate) fn get(&self, id: u16) -> Option<&OutstandingQuery> {
        Some(&self.0[self.position(id).ok()?])
    }

    pub(crate) fn remove(&mut self, id: u16) -> Option<OutstandingQuery> {
        let position = self.position(id).ok()?;
        Some(self.0.remove(position))
    }

    pub(crate) fn drop_settled(&mut self) {
        self.0.retain(|outstanding| !outstanding.is_settled);
    }

    /// The queries that await a response, in the order of their ids.
    pub(crate) fn open(&self) -> impl Iterator<Item = &OutstandingQuery> {
        self.0.iter().filter(|outstanding| !outstanding.is_settled)
    }

    pub(crate) fn first(&self) -> Option<&OutstandingQuery> {
        self.0.first()
    }

    fn position(&self, id: u16) -> Result<usize, usize> {
        self.0.binary_search_by_key(&id, |outstanding| outstanding.id)
    }
}

/// One UDP socket, connected to one nameserver.
#[derive(Debug)]
pub(crate) struct SocketState {
    pub(crate) server: usize,
    /// Its place among the sockets of this nameserver.
    place: usize,
    pub(crate) outstanding: OutstandingQueries,
    /// Whether it carries questions of more than one query.
    pub(crate) is_shared: bool,
    /// How many queries await a response.
    open: usize,
}

/// The open UDP sockets.
///
/// While there is room, each send to a nameserver has a socket of its own, with a port that the
/// kernel chose at random (RFC 5452 section 9.2); A and AAAA share it under different ids. Beyond
/// the limit a send shares an open socket to the same nameserver, chosen at random, so that ten
/// thousand unanswered names neither use up the process's descriptors nor delay the next name. A
/// forger still has to guess port and id of one question.
#[derive(Debug)]
pub(crate) struct Sockets {
    open: IdMap<SocketId, SocketState>,
    by_server: Vec<Vec<SocketId>>,
    /// Which address each nameserver has: two routes may have one.
    address_of: Vec<usize>,
    open_by_address: Vec<usize>,
    limit_per_address: usize,
    /// A lower limit, and when it is raised.
    reduced: Option<(usize, Instant)>,
    ids: Ids,
}

/// For so long the limit is halved when the process is out of descriptors or ports: the rest of the
/// program needs them too, and sharing costs the resolver less than a failed `accept` costs a
/// server.
const REDUCTION_PERIOD: Duration = Duration::from_secs(10);
/// Below this it is not halved: a forger should have some ports to guess from.
const MIN_REDUCED_LIMIT: usize = 4;

/// The socket for one send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) socket: SocketId,
    /// Whether the socket is to be opened first.
    pub(crate) is_new: bool,
}

impl Sockets {
    /// A table for nameservers with these addresses and at most `limit` sockets. Each address has
    /// its part of them, and each nameserver one at least.
    pub(crate) fn new(
        servers: impl IntoIterator<Item = SocketAddr>,
        limit: usize,
        ids: Ids,
    ) -> Self {
        let mut addresses = HashMap::new();
        let address_of = servers.into_iter().map(|addr| {
            let next = addresses.len();
            *addresses.entry(addr).or_insert(next)
        });
        let address_of: Vec<_> = address_of.collect();
        Self {
            open: IdMap::default(),
            by_server: vec![Vec::new(); address_of.len()],
            address_of,
            open_by_address: vec![0; addresses.len()],
            limit_per_address: (limit / addresses.len().max(1)).max(1),
            reduced: None,
            ids,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }

    /// A new id for a socket or connection.
    pub(crate) fn next_id(&mut self) -> SocketId {
        SocketId(self.ids.next())
    }

    /// A socket for one send to `server`; `random` picks among the open ones at the limit. `None`
    /// if none of them has room.
    pub(crate) fn slot(
        &mut self,
        server: usize,
        now: Instant,
        random: &mut dyn FnMut() -> u16,
    ) -> Option<Slot> {
        let address = self.address_of[server];
        let is_first = self.by_server[server].is_empty();
        if self.open_by_address[address] >= self.limit(now) && !is_first {
            let socket = self.any(server, random)?;
            return Some(Slot { socket, is_new: false });
        }
        let socket = self.next_id();
        let (place, outstanding) = (self.by_server[server].len(), OutstandingQueries::default());
        let state = SocketState { server, place, outstanding, is_shared: false, open: 0 };
        self.open.insert(socket, state);
        self.by_server[server].push(socket);
        self.open_by_address[address] += 1;
        Some(Slot { socket, is_new: true })
    }

    /// No descriptor or port is left for another socket: for a while half of those that are open
    /// must do.
    pub(crate) fn handle_out_of_resources(&mut self, now: Instant) {
        let most = self.open_by_address.iter().copied().max().unwrap_or(0);
        let limit = (most / 2).max(MIN_REDUCED_LIMIT).min(self.limit(now));
        self.reduced = Some((limit, now + REDUCTION_PERIOD));
    }

    /// How many sockets to one address may be open.
    fn limit(&mut self, now: Instant) -> usize {
        while let Some((limit, until)) = self.reduced.filter(|(_, until)| now >= *until) {
            let (limit, until) = (limit.saturating_mul(2), until + REDUCTION_PERIOD);
            self.reduced = Some((limit, until)).filter(|_| limit < self.limit_per_address);
        }
        self.reduced.map_or(self.limit_per_address, |(limit, _)| limit)
    }

    /// An open socket to `server` with room, picked by `random`.
    pub(crate) fn any(&self, server: usize, random: &mut dyn FnMut() -> u16) -> Option<SocketId> {
        let peers = &self.by_server[server];
        let first = usize::from(random()).checked_rem(peers.len())?;
        let from_first = peers[first..].iter().chain(&peers[..first]).copied();
        // Both families of a name go to one socket, so there has to be room for two.
        let has_room =
            |socket: &SocketId| self.open[socket].outstanding.has_room_for(MAX_QUESTIONS);
        from_first.into_iter().find(has_room)
    }

    /// Adds a query to `socket`, under an id that no other query has there, and returns the id.
    pub(crate) fn add(
        &mut self,
        socket: SocketId,
        outstanding: OutstandingQuery,
        random: &mut dyn FnMut() -> u16,
    ) -> u16 {
        let socket = self.open.get_mut(&socket).expect("a place was given out for an open socket");
        let is_others = |other: &OutstandingQuery| other.query != outstanding.query;
        if !socket.is_shared && socket.outstanding.first().is_some_and(is_others) {
            socket.is_shared = true;
            socket.outstanding.drop_settled();
        }
        socket.open += 1;
        socket.outstanding.add(outstanding, random)
    }

    pub(crate) fn get(&self, socket: SocketId) -> Option<&SocketState> {
        self.open.get(&socket)
    }

    pub(crate) fn get_mut(&mut self, socket: SocketId) -> Option<&mut SocketState> {
        self.open.get_mut(&socket)
    }

    /// Marks the query under `id` as settled. Returns whether no query on the socket awaits a
    /// response any more, so that it is to be closed.
    pub(crate) fn release(&mut self, socket: SocketId, id: u16) -> bool {
        let Some(entry) = self.open.get_mut(&socket) else { return false };
        let Some(outstanding) = entry.outstanding.get_mut(id) else { return false };
        outstanding.is_settled = true;
        if entry.is_shared {
            entry.outstanding.remove(id);
        }
        entry.open -= 1;
        entry.open == 0
    }

    /// Removes a socket, and returns it with its outstanding queries.
    pub(crate) fn remove(&mut self, socket: SocketId) -> Option<SocketState> {
        let removed = self.open.remove(&socket)?;
        self.open_by_address[self.address_of[removed.server]] -= 1;
        let peers = &mut self.by_server[removed.server];
        peers.swap_remove(removed.place);
        if let Some(moved) = peers.get(removed.place) {
            self.open.get_mut(moved).expect("it is open").place = removed.place;
        }
        Some(removed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(last: u8) -> SocketAddr {
        ([192, 0, 2, last], 53).into()
    }

    /// Opens sockets to the first nameserver until they are shared. Returns how many are open.
    fn fill(sockets: &mut Sockets, now: Instant) -> usize {
        open_all(sockets, 0, now);
        sockets.len()
    }

    /// Opens sockets to a nameserver until they are shared. Returns how many it has.
    fn open_all(sockets: &mut Sockets, server: usize, now: Instant) -> usize {
        while sockets.slot(server, now, &mut || 0).is_some_and(|slot| slot.is_new) {}
        sockets.by_server[server].len()
    }

    /// The limit is shared by the addresses, and not by the routes that have them.
    #[test]
    fn sy52_two_routes_to_one_address_share_its_part_of_the_sockets() {
        let now = Instant::now();
        let servers = [1, 2, 1, 3].map(addr);
        let mut sockets = Sockets::new(servers, 99, Ids::default());
        assert_eq!(open_all(&mut sockets, 0, now), 33);
        assert_eq!(open_all(&mut sockets, 2, now), 1, "one at least, of its own");
        assert_eq!(open_all(&mut sockets, 3, now), 33);
        // What one closes, the other may open.
        let first = sockets.by_server[0].clone();
        first.into_iter().take(10).for_each(|socket| drop(sockets.remove(socket)));
        assert_eq!(open_all(&mut sockets, 2, now), 10);
        assert_eq!(open_all(&mut sockets, 0, now), 23);
    }

    #[test]
    fn rr21_without_descriptors_half_of_the_sockets_do_for_a_while() {
        let mut sockets = Sockets::new([addr(1)], 100, Ids::default());
        let begin = Instant::now();
        let after = |seconds| begin + Duration::from_secs(seconds);
        assert_eq!(fill(&mut sockets, begin), 100);
        // As many opens fail as were under way.
        (0..20).for_each(|_| sockets.handle_out_of_resources(begin));
        let open: Vec<_> = sockets.open.keys().copied().collect();
        open.into_iter().take(80).for_each(|socket| drop(sockets.remove(socket)));
        assert_eq!(fill(&mut sockets, after(9)), 50);
        assert_eq!(fill(&mut sockets, after(10)), 100);
    }

    #[test]
    fn rr21_a_few_sockets_are_left_however_often_there_is_no_descriptor() {
        let mut sockets = Sockets::new([addr(1)], 100, Ids::default());
        let begin = Instant::now();
        let after = |seconds| begin + Duration::from_secs(seconds);
        (0..20).for_each(|_| sockets.handle_out_of_resources(begin));
        for (seconds, open) in [(9, 4), (10, 8), (29, 16), (45, 64), (60, 100), (1000, 100)] {
            assert_eq!(fill(&mut sockets, after(seconds)), open, "after {seconds} s");
        }
        let mut single = Sockets::new([addr(1)], 1, Ids::default());
        single.handle_out_of_resources(begin);
        assert_eq!(fill(&mut single, begin), 1);
    }
}
