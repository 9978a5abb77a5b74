//! The stubs of one resolver, one for each generation of its configuration.
//!
//! When resolv.conf has changed, or the machine was suspended, what was learnt of the nameservers
//! no longer holds: a new [`Stub`] takes the lookups from then on, with new connections and an
//! empty cache. Lookups that wait for their first answer move to it, within the time that they
//! have: the nameservers they asked may be why the file was changed. The retired stub finishes the
//! others. Questions are coalesced within a generation only, so no answer of an earlier
//! configuration reaches a lookup of a later one.

use std::time::Instant;

use super::call_table::CallStep;
use super::ids::{LookupId, SocketId};
use super::lookup::Lookup;
use super::socket_error::SocketError;
use super::{Stub, Transmit};
use crate::resolve::error::RecordType;
use crate::resolve::system::pool::{Pool, PoolStep};
use crate::resolve::system::{Call, CallOutcome};
use crate::resolve::wire::query_name::QueryName;

/// How many calls are settled in one turn without being made: when every thread is held, a hundred
/// thousand lookups fail at once, and others are served in between.
const SETTLED_PER_TURN: usize = 256;

/// The current stub and the retired ones. Each call is passed to the stub that it concerns.
///
/// Call order as for [`Stub`].
pub(crate) struct Generations {
    current: Stub,
    /// Those with lookups left; finished ones are removed at the next timeout.
    retired: Vec<Stub>,
    /// The calls to the operating system, of whatever generation.
    pool: Pool,
}

impl Generations {
    pub(crate) fn new(first: Stub, pool: Pool) -> Self {
        Self { current: first, retired: Vec::new(), pool }
    }

    /// Retires the current stub; `next` takes the lookups from now on, and those that have no
    /// answer yet.
    pub(crate) fn handle_next(&mut self, next: Stub, now: Instant) {
        let mut last = std::mem::replace(&mut self.current, next);
        let unanswered = last.take_unanswered(now);
        last.handle_retired(now);
        self.retired.push(last);
        for (id, entry) in unanswered {
            self.current.handle_moved(id, entry, now);
        }
    }

    /// Whether no nameserver of the current configuration's root route is in good standing.
    pub(crate) fn is_forsaken(&self) -> bool {
        self.current.is_forsaken()
    }

    /// Whether a question has failed without any response under the current configuration, since
    /// the last call.
    pub(crate) fn take_outage(&mut self) -> bool {
        self.current.take_outage()
    }

    /// Whether a socket is in use; if not, it is to be closed by a transmit.
    pub(crate) fn has_socket(&self, socket: SocketId) -> bool {
        self.all().any(|stub| stub.has_socket(socket))
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.all().all(Stub::is_idle)
    }

    pub(crate) fn handle_lookup(
        &mut self,
        id: LookupId,
        lookup: Box<Lookup>,
        deadline: Option<Instant>,
        now: Instant,
    ) {
        self.current.handle_lookup(id, lookup, deadline, now);
    }

    pub(crate) fn handle_cancel(&mut self, id: LookupId, now: Instant) {
        self.of_lookup(id).handle_cancel(id, now);
    }

    pub(crate) fn handle_gone(&mut self, id: LookupId, now: Instant) {
        self.of_lookup(id).handle_gone(id, now);
    }

    pub(crate) fn handle_refresh(&mut self, questions: Vec<(QueryName, RecordType)>, now: Instant) {
        self.current.handle_refresh(questions, now);
    }

    pub(crate) fn handle_clear(&mut self) {
        self.current.handle_clear();
    }

    pub(crate) fn handle_forget(&mut self, name: &QueryName) {
        self.current.handle_forget(name);
    }

    pub(crate) fn handle_datagram(&mut self, socket: SocketId, datagram: &[u8], now: Instant) {
        self.of_socket(socket).handle_datagram(socket, datagram, now);
    }

    pub(crate) fn handle_udp_error(&mut self, socket: SocketId, error: SocketError, now: Instant) {
        self.of_socket(socket).handle_udp_error(socket, error, now);
    }

    pub(crate) fn handle_connected(&mut self, socket: SocketId) {
        self.of_socket(socket).handle_connected(socket);
    }

    pub(crate) fn handle_stream_data(&mut self, socket: SocketId, bytes: &[u8], now: Instant) {
        self.of_socket(socket).handle_stream_data(socket, bytes, now);
    }

    pub(crate) fn handle_stream_error(
        &mut self,
        socket: SocketId,
        error: SocketError,
        now: Instant,
    ) {
        self.of_socket(socket).handle_stream_error(socket, error, now);
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) -> bool {
        self.retired.retain(|stub| !stub.is_finished());
        let mut was_all = true;
        for stub in self.all_mut() {
            was_all &= stub.handle_timeout(now);
        }
        was_all
    }

    /// The next call to be made. Without one, [`poll_timeout`](Self::poll_timeout) may be past:
    /// then there is more to be done in the next turn.
    pub(crate) fn poll_call(&mut self, now: Instant) -> Option<Call> {
        let mut settled = 0;
        loop {
            let Self { current, retired, pool } = self;
            for stub in std::iter::once(current).chain(retired) {
                while let Some(step) = stub.poll_call_step() {
                    match step {
                        CallStep::Make(call) => pool.handle_call(call),
                        // A lookup may have joined it since.
                        CallStep::Abandon(call) if stub.is_wanted(&call) => {}
                        CallStep::Abandon(call) => {
                            if pool.handle_abandoned(call.id, now) {
                                stub.handle_called(&call, &CallOutcome::NoName, now);
                            }
                        }
                    }
                }
            }
            match self.pool.poll_step(now)? {
                PoolStep::Start(call) => return Some(call),
                PoolStep::Settled(call, outcome) => {
                    self.settle(&call, &outcome, now);
                    settled += 1;
                    if settled == SETTLED_PER_TURN {
                        return None;
                    }
                }
            }
        }
    }

    /// A call has come back, or could not be made.
    pub(crate) fn handle_called(&mut self, call: &Call, outcome: &CallOutcome, now: Instant) {
        self.pool.handle_done(call.id, now);
        self.settle(call, outcome, now);
    }

    fn settle(&mut self, call: &Call, outcome: &CallOutcome, now: Instant) {
        // If no generation has it, it was of one that has finished.
        let _ = self.all_mut().any(|stub| stub.handle_called(call, outcome, now));
    }

    /// How many calls run.
    pub(crate) fn running_calls(&self) -> usize {
        self.pool.running()
    }

    pub(crate) fn poll_transmit(&mut self, buf: &mut Vec<u8>) -> Option<Transmit> {
        self.all_mut().find_map(|stub| stub.poll_transmit(buf))
    }

    pub(crate) fn has_transmits(&self) -> bool {
        self.all().any(Stub::has_transmits)
    }

    pub(crate) fn poll_ready(&mut self) -> Option<LookupId> {
        self.all_mut().find_map(Stub::poll_ready)
    }

    pub(crate) fn lookup_mut(&mut self, id: LookupId) -> Option<&mut Lookup> {
        self.of_lookup(id).lookup_mut(id)
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.all().filter_map(Stub::poll_timeout).chain(self.pool.poll_timeout()).min()
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Stub> {
        std::iter::once(&self.current).chain(&self.retired)
    }

    fn all_mut(&mut self) -> impl Iterator<Item = &mut Stub> {
        std::iter::once(&mut self.current).chain(&mut self.retired)
    }

    /// The stub that has this lookup. If none has, it has ended: any stub ignores it then.
    fn of_lookup(&mut self, id: LookupId) -> &mut Stub {
        let retired = self.retired.iter_mut().find(|stub| stub.has_lookup(id));
        retired.unwrap_or(&mut self.current)
    }

    /// The stub that has this socket. If none has, it was closed: any stub ignores it then.
    fn of_socket(&mut self, socket: SocketId) -> &mut Stub {
        let retired = self.retired.iter_mut().find(|stub| stub.has_socket(socket));
        retired.unwrap_or(&mut self.current)
    }
}
