//! A second reader that listens on every socket, and says which addresses may come of what it
//! heard.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use super::message::Query;
use crate::HostName;
use crate::resolve::Transport;
use crate::resolve::fuzzing::oracle::{Asked, Message};
use crate::resolve::stub::ids::LookupId;
use crate::resolve::stub::ids::SocketId;
use crate::resolve::stub::sockets::ResponseRank;
use crate::resolve::system::{Call, CallOutcome};
use crate::resolve::wire::answer::{Answer, Outcome};
use crate::resolve::wire::message::Response;
use crate::resolve::wire::query_name::QueryName;

/// What was asked and heard on the sockets of one world.
#[derive(Debug, Default)]
pub(super) struct Reference {
    /// Messages that are known to be true, and may settle their questions.
    pub(super) truths: HashSet<Vec<u8>>,
    /// How many messages that are not known to be true may have settled a question.
    pub(super) others: usize,
    /// The questions on a socket, by id: on a connection it may be used again.
    asked: HashMap<SocketId, HashMap<u16, Vec<Asked>>>,
    /// What came on a connection behind the last whole message.
    streams: HashMap<SocketId, Vec<u8>>,
    /// What valid responses about a name have brought.
    addresses: HashMap<QueryName, HashSet<IpAddr>>,
    aliases: HashMap<QueryName, HashSet<QueryName>>,
    /// The names that a lookup may begin with; of one that is not here, any name.
    candidates: HashMap<LookupId, Vec<QueryName>>,
}

impl Reference {
    pub(super) fn lookup(&mut self, id: LookupId, candidates: impl Iterator<Item = HostName>) {
        self.candidates.insert(id, candidates.map(|name| QueryName::from(&name)).collect());
    }

    /// A query was sent; `is_mixed` is whether its letters are others than those of the name.
    pub(super) fn sent(&mut self, socket: SocketId, query: &Query, is_mixed: bool) {
        let on_socket = self.asked.entry(socket).or_default();
        let asked = Asked { is_mixed, ..query.into() };
        on_socket.entry(query.id).or_default().push(asked);
    }

    pub(super) fn closed(&mut self, socket: SocketId) {
        self.asked.remove(&socket);
        self.streams.remove(&socket);
    }

    pub(super) fn datagram(&mut self, socket: SocketId, octets: &[u8]) {
        let Some(message) = Message::parse(octets) else { return };
        // Whether it is late is not looked at: a question may be answered by any response to it.
        let with_id = self.asked.get(&socket).and_then(|on_socket| on_socket.get(&message.id));
        for asked in with_id.into_iter().flatten() {
            let Some(meaning) = message.meaning(asked, octets.len()) else { continue };
            let is_hint = ResponseRank::from(&meaning) < ResponseRank::Failure
                && asked.transport == Transport::Udp;
            if !is_hint && !self.truths.contains(octets) {
                self.others += 1;
            }
            let name = QueryName::of_wire(&asked.name);
            if let Response::Answer(Answer { outcome: Outcome::Alias { target }, .. }) = meaning {
                self.aliases.entry(name.clone()).or_default().insert(target);
            }
            self.addresses.entry(name).or_default().extend(message.allowed(asked));
        }
    }

    pub(super) fn stream(&mut self, socket: SocketId, octets: &[u8]) {
        let mut received = self.streams.remove(&socket).unwrap_or_default();
        received.extend(octets);
        while let Some((prefix, rest)) = received.split_first_chunk() {
            let Some(message) = rest.get(..u16::from_be_bytes(*prefix).into()) else { break };
            self.datagram(socket, message);
            received.drain(..2 + message.len());
        }
        self.streams.insert(socket, received);
    }

    /// A call of the operating system has come back.
    pub(super) fn called(&mut self, call: &Call, outcome: &CallOutcome) {
        if let CallOutcome::Addresses(addresses) = outcome {
            let name = QueryName::from(&call.name);
            self.addresses.entry(name).or_default().extend(addresses.iter().map(|(ip, _)| *ip));
        }
    }

    /// A lookup brings an address: a valid response had it, to a question that was asked for it.
    pub(super) fn check(&self, id: LookupId, address: IpAddr) {
        let brings = |name: &QueryName| {
            self.addresses.get(name).is_some_and(|addresses| addresses.contains(&address))
        };
        let Some(candidates) = self.candidates.get(&id) else {
            assert!(self.addresses.keys().any(brings), "{id:?}: no valid response had {address}");
            return;
        };
        let mut names = candidates.clone();
        let mut at = 0;
        while let Some(name) = names.get(at).cloned() {
            if brings(&name) {
                return;
            }
            for target in self.aliases.get(&name).into_iter().flatten() {
                if !names.contains(target) {
                    names.push(target.clone());
                }
            }
            at += 1;
        }
        panic!("{id:?}: no valid response about {candidates:?} had {address}");
    }
}
