//! Which question waits on which socket, under which id.

use std::collections::HashMap;
use std::time::Instant;

use super::stub::QueryId;

/// Names a socket or connection for as long as the resolver lives: ids are never used again, so an
/// event that arrives for a socket already closed finds nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SocketId(pub(crate) u64);

/// One query that was sent, and what its response is matched against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outstanding {
    pub(crate) id: u16,
    pub(crate) query: QueryId,
    pub(crate) question: usize,
    pub(crate) edns: bool,
    pub(crate) sent_at: Instant,
    /// Its question is settled. Kept, so that a late duplicate is not taken for a guess.
    pub(crate) is_settled: bool,
}

/// One UDP socket, connected to one nameserver.
#[derive(Debug)]
pub(crate) struct Socket {
    pub(crate) server: usize,
    pub(crate) outstanding: Vec<Outstanding>,
    /// Whether questions of more than one query wait here.
    pub(crate) is_shared: bool,
}

impl Socket {
    fn is_idle(&self) -> bool {
        self.outstanding.iter().all(|o| o.is_settled)
    }
}

/// The open UDP sockets.
///
/// While there is room, each send to a nameserver has a socket of its own, with a port that the
/// kernel chose at random (RFC 5452 section 9.2); A and AAAA share it under different ids. Beyond
/// the limit a send shares a socket that is open to the same nameserver, chosen at random: ten
/// thousand names that nobody answers must neither use up the process's files nor make the next
/// name wait. A forger still has to guess port and id of one question.
#[derive(Debug)]
pub(crate) struct Sockets {
    open: HashMap<SocketId, Socket>,
    by_server: Vec<Vec<SocketId>>,
    limit_per_server: usize,
    next: u64,
}

/// Where a send goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) socket: SocketId,
    /// Whether the socket is to be opened first.
    pub(crate) is_new: bool,
}

impl Sockets {
    /// A table for `servers` nameservers with at most `limit` sockets, and at least one each.
    pub(crate) fn new(servers: usize, limit: usize) -> Self {
        Self {
            open: HashMap::new(),
            by_server: vec![Vec::new(); servers],
            limit_per_server: (limit / servers.max(1)).max(1),
            next: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }

    /// An id for a socket or connection that was never used before.
    pub(crate) fn next_id(&mut self) -> SocketId {
        self.next += 1;
        SocketId(self.next)
    }

    /// A socket for one send to `server`; `random` picks among the open ones at the limit.
    pub(crate) fn place(&mut self, server: usize, random: &mut dyn FnMut() -> u16) -> Place {
        let peers = &self.by_server[server];
        if peers.len() >= self.limit_per_server {
            let socket = peers[usize::from(random()) % peers.len()];
            return Place { socket, is_new: false };
        }
        let socket = self.next_id();
        self.open.insert(socket, Socket { server, outstanding: Vec::new(), is_shared: false });
        self.by_server[server].push(socket);
        Place { socket, is_new: true }
    }

    /// An open socket to `server`.
    pub(crate) fn any(&self, server: usize) -> Option<SocketId> {
        self.by_server[server].first().copied()
    }

    /// Lets a question wait on `socket`, under an id that no other question has there.
    pub(crate) fn add(
        &mut self,
        socket: SocketId,
        mut outstanding: Outstanding,
        random: &mut dyn FnMut() -> u16,
    ) -> u16 {
        let socket = self.open.get_mut(&socket).expect("a place was given out for an open socket");
        socket.is_shared |= socket.outstanding.iter().any(|o| o.query != outstanding.query);
        outstanding.id = unused_id(&socket.outstanding, random);
        socket.outstanding.push(outstanding);
        outstanding.id
    }

    pub(crate) fn get(&self, socket: SocketId) -> Option<&Socket> {
        self.open.get(&socket)
    }

    /// A question is settled: nothing waits for it on `socket` any longer. Returns whether the
    /// socket has nobody left, and is to be closed.
    pub(crate) fn settle(&mut self, socket: SocketId, query: QueryId, question: usize) -> bool {
        let Some(entry) = self.open.get_mut(&socket) else { return false };
        let matches = |o: &Outstanding| o.query == query && o.question == question;
        if entry.is_shared {
            entry.outstanding.retain(|o| !matches(o));
        } else {
            entry.outstanding.iter_mut().filter(|o| matches(o)).for_each(|o| o.is_settled = true);
        }
        entry.is_idle()
    }

    /// Forgets a socket, and returns what waited on it.
    pub(crate) fn remove(&mut self, socket: SocketId) -> Option<Socket> {
        let removed = self.open.remove(&socket)?;
        self.by_server[removed.server].retain(|&other| other != socket);
        Some(removed)
    }
}

/// An id nobody uses among `outstanding`: A and AAAA on one socket must differ, or the second is
/// never matched.
pub(crate) fn unused_id(outstanding: &[Outstanding], random: &mut dyn FnMut() -> u16) -> u16 {
    loop {
        let id = random();
        if outstanding.iter().all(|o| o.id != id) {
            return id;
        }
    }
}
