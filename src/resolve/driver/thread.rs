//! The resolver thread: it carries out what the stub decides, one turn after another.
//!
//! It waits for its poll, and for nothing else: not for a consumer, not for the lock of a
//! consumer's queue.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token};

use super::clock::Alarm;
use super::network::{Network, SocketEvent};
use super::result_sink::ResultSink;
use super::shared::{Command, DriverShared, RoomWaker};
use super::system_threads::SystemThreads;
use crate::futex_queue::OfferOutcome;
use crate::resolve::error::LookupErrorKind;
use crate::resolve::stub::generations::Generations;
use crate::resolve::stub::ids::{IdMap, Ids, LookupId};
use crate::resolve::system::CallOutcome;
use crate::resolve::system::pool::Pool;
use crate::resolve::system_failure::SystemCause;
use crate::resolve::watch::LookupWatch;

const COMMANDS: Token = Token(usize::MAX);
const ALARM: Token = Token(usize::MAX - 1);

/// How many socket events one poll brings. More wait for the next turn.
const EVENTS_PER_TURN: usize = 256;

/// How many commands are handled in a turn: a burst of a hundred thousand lookups does not keep the
/// thread from the others.
const COMMANDS_PER_TURN: usize = 512;

/// A task that is woken often starts its next lookup before the thread has gone to sleep. Then the
/// poll would be a system call for nothing; but sockets must not wait for ever either.
const MAX_TURNS_WITHOUT_POLL: u8 = 2;

/// For so many turns the thread reads on before it believes that a deadline has passed: with its
/// share of 32 reads in each, a socket's usual buffer (some 270 datagrams) is empty by then. A
/// flood delays deadlines no longer than that.
const MAX_TURNS_BEHIND: u8 = 16;

/// So often the thread looks around while it has lookups, whatever wakes it or does not: a program
/// may have closed its descriptors, and then neither the alarm nor a command does.
const LOOK_AROUND: Duration = Duration::from_secs(1);

struct ResolverThread {
    // Dropped first: a caller whose lookup ends with the thread may start the next one at once.
    life: Life,
    shared: Arc<DriverShared>,
    poll: Poll,
    alarm: Alarm,
    core: Generations,
    ids: Ids,
    network: Network,
    system_threads: SystemThreads,
    /// Commands that were taken, and wait for their turn.
    commands: VecDeque<Command>,
    sinks: IdMap<LookupId, ResultSink>,
    /// Of the lookups that have an observer.
    watches: IdMap<LookupId, Box<LookupWatch>>,
    /// Lookups whose queue another thread held locked: tried again in the next turn.
    held: Vec<LookupId>,
    /// Fired at the end of the turn: each may give the processor to the task that it wakes.
    wakes: Vec<Waker>,
    turns_without_poll: u8,
    /// Turns in which there was more to read while a deadline seemed to have passed.
    turns_behind: u8,
}

/// Starts the thread. Returns what wakes it.
pub(super) fn spawn(shared: &Arc<DriverShared>) -> io::Result<Arc<mio::Waker>> {
    let poll = Poll::new()?;
    let waker = Arc::new(mio::Waker::new(poll.registry(), COMMANDS)?);
    let alarm = Alarm::new(poll.registry(), ALARM)?;
    let shared = Arc::clone(shared);
    let own_waker = Arc::clone(&waker);
    // Detached: a process that exits does not wait for its lookups.
    std::thread::Builder::new()
        .name("outrace-resolver".to_owned())
        .spawn(move || ResolverThread::new(shared, own_waker, poll, alarm).run())?;
    Ok(waker)
}

impl ResolverThread {
    fn new(shared: Arc<DriverShared>, waker: Arc<mio::Waker>, poll: Poll, alarm: Alarm) -> Self {
        let life = Life { shared: Arc::clone(&shared), waker };
        let ids = Ids::default();
        let patience = shared.config.load().system.timeout;
        let pool = Pool::new(shared.system_threads, patience);
        let core = Generations::new(shared.stub(&ids), pool);
        let system_threads = SystemThreads::new(&shared, &life.waker);
        let network = Network::new(shared.route.clone());
        Self {
            life,
            shared,
            poll,
            alarm,
            core,
            ids,
            network,
            system_threads,
            commands: VecDeque::new(),
            sinks: IdMap::default(),
            watches: IdMap::default(),
            held: Vec::new(),
            wakes: Vec::new(),
            turns_without_poll: 0,
            turns_behind: 0,
        }
    }

    fn run(mut self) {
        if self.take_turns().is_err() {
            // The program has closed descriptors of this thread, and their numbers may be those of
            // other files by now, which must not be closed here. A few may stay open for good.
            let Self { poll, alarm, network, life, .. } = self;
            std::mem::forget((poll, alarm, network, Arc::clone(&life.waker)));
        }
    }

    /// Takes one turn after another until the thread is no longer needed.
    ///
    /// # Errors
    ///
    /// The poll, the waker or the alarm does not work any more.
    fn take_turns(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS_PER_TURN);
        while self.take_commands()? {
            let now = self.shared.clock.now();
            for _ in 0..COMMANDS_PER_TURN {
                let Some(command) = self.commands.pop_front() else { break };
                self.handle_command(command, now);
            }
            let is_due = self.core.poll_timeout().is_some_and(|at| at <= now);
            if !is_due || self.catch_up(&mut events, now)? {
                self.core.handle_timeout(now);
            }
            self.carry_out(now);
            self.fire_wakes();
            self.wait(&mut events, now)?;
            let now = self.shared.clock.now();
            self.handle_events(&events, now);
        }
        Ok(())
    }

    /// Reads what arrived until `now`, before a deadline until then is believed to have passed. The
    /// process may have been stopped, the machine suspended, or the turn long; the answers lie in
    /// the sockets. Returns whether all has been read.
    fn catch_up(&mut self, events: &mut Events, now: Instant) -> io::Result<bool> {
        self.poll(events, Some(Duration::ZERO))?;
        self.handle_events(events, now);
        let has_more = events.iter().count() == EVENTS_PER_TURN || self.network.has_unread();
        if has_more && self.turns_behind < MAX_TURNS_BEHIND {
            self.turns_behind += 1;
            return Ok(false);
        }
        self.turns_behind = 0;
        Ok(true)
    }

    /// Takes the commands. Returns `false` if the thread is no longer needed.
    fn take_commands(&mut self) -> io::Result<bool> {
        let mut inbox = self.shared.lock();
        if !inbox.is_of(&self.life.waker) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        inbox.is_asleep = false;
        if self.commands.is_empty() {
            std::mem::swap(&mut inbox.commands, &mut self.commands);
        }
        let is_over = inbox.is_closing && self.commands.is_empty() && self.core.is_idle();
        if is_over {
            inbox.waker = None;
        }
        Ok(!is_over)
    }

    fn handle_command(&mut self, command: Command, now: Instant) {
        match command {
            Command::Lookup { id, lookup, sink, timeout, watch } => {
                self.sinks.insert(id, sink);
                if let Some(watch) = watch {
                    self.watches.insert(id, watch);
                }
                // A timeout past the clock's range is no limit.
                let deadline = timeout.and_then(|timeout| now.checked_add(timeout));
                self.core.handle_lookup(id, lookup, deadline, now);
            }
            Command::Cancel(id) => self.core.handle_cancel(id, now),
            Command::Abandon(id) => self.remove_lookup(id, now),
            Command::Room(id) => self.offer(id, now),
            Command::Refresh(questions) => self.core.handle_refresh(questions, now),
            Command::Forget(name) => self.core.handle_forget(&name),
            Command::Clear => self.core.handle_clear(),
            Command::Called(call, outcome) => self.core.handle_called(&call, &outcome, now),
            Command::NextGeneration => {
                let next = self.shared.stub(&self.ids);
                self.core.handle_next(next, now);
                // Answers of the last generation may have been cached since the command was sent.
                if let Some(cache) = &self.shared.cache {
                    cache.clear();
                }
            }
            #[cfg(test)]
            Command::Die => panic!("the resolver thread dies, as a test wants it to"),
        }
    }

    /// Sends what the core wants sent, a turn's share at a time, and delivers its results, until it
    /// has none: a socket that cannot be opened may end a lookup, and a lookup that ends closes its
    /// sockets.
    fn carry_out(&mut self, now: Instant) {
        for id in std::mem::take(&mut self.held) {
            self.offer(id, now);
        }
        loop {
            self.network.transmit(&mut self.core, self.poll.registry(), now);
            self.make_calls(now);
            self.tell_outages();
            let Some(id) = self.core.poll_ready() else { return };
            self.offer(id, now);
            while let Some(id) = self.core.poll_ready() {
                self.offer(id, now);
            }
        }
    }

    /// Gives the calls that the core wants made to the threads for them.
    fn make_calls(&mut self, now: Instant) {
        while let Some(call) = self.core.poll_call(now) {
            if let Err(call) = self.system_threads.start(call) {
                let failed = CallOutcome::Failed(LookupErrorKind::Resources, SystemCause::NoThread);
                self.core.handle_called(&call, &failed, now);
            }
        }
        self.system_threads.note_running(self.core.running_calls());
    }

    /// Tells callers what has become of the nameservers, before it tells them of a lookup that has
    /// failed for it: their next one may look at the files.
    fn tell_outages(&mut self) {
        self.shared.is_forsaken.store(self.core.is_forsaken(), Ordering::Relaxed);
        if self.core.take_outage() {
            self.shared.has_outage.store(true, Ordering::Relaxed);
        }
    }

    /// Fires the wakers. They are code of consumers: if one panics, the others are woken all the
    /// same.
    fn fire_wakes(&mut self) {
        for waker in self.wakes.drain(..) {
            drop(catch_unwind(AssertUnwindSafe(|| waker.wake())));
        }
    }

    /// Passes the events of a lookup to its observer, which is code of the caller: its panic ends
    /// here.
    fn tell(&mut self, id: LookupId, now: Instant) {
        let Some(watch) = self.watches.get_mut(&id) else { return };
        let Some(lookup) = self.core.lookup_mut(id) else { return };
        drop(catch_unwind(AssertUnwindSafe(|| watch.tell(lookup, now))));
    }

    /// Hands a lookup's results over, as far as its queue has room.
    fn offer(&mut self, id: LookupId, now: Instant) {
        self.tell(id, now);
        let Some(sink) = self.sinks.get_mut(&id) else { return };
        let Some(lookup) = self.core.lookup_mut(id) else { return };
        let shared = &self.shared;
        let wakes = &mut self.wakes;
        // Items with a tag are made by the caller's `Clone`: its panic ends this lookup alone.
        let offer = catch_unwind(AssertUnwindSafe(|| {
            let (results, end) = (&mut lookup.results, &mut lookup.end);
            let offer = sink.offer(results, end, Waker::noop(), wakes);
            if offer != OfferOutcome::Full {
                return offer;
            }
            // Most lookups never fill their queue, so the waker is made for those that do.
            let room = Waker::from(Arc::new(RoomWaker { shared: Arc::clone(shared), id }));
            sink.offer(results, end, &room, wakes)
        }));
        let Ok(offer) = offer else { return self.remove_lookup(id, now) };
        match offer {
            OfferOutcome::Taken if lookup.has_ended => self.remove_lookup(id, now),
            OfferOutcome::Taken | OfferOutcome::Full => {}
            OfferOutcome::Held => self.held.push(id),
            OfferOutcome::Closed => self.remove_lookup(id, now),
            OfferOutcome::Canceled if lookup.has_ended && lookup.end.is_none() => {
                self.remove_lookup(id, now);
            }
            OfferOutcome::Canceled => self.core.handle_cancel(id, now),
        }
    }

    fn remove_lookup(&mut self, id: LookupId, now: Instant) {
        self.core.handle_gone(id, now);
        if let Some(sink) = self.sinks.remove(&id) {
            // It may have items and a tag of the caller's in it, whose drop may panic.
            drop(catch_unwind(AssertUnwindSafe(|| drop(sink))));
        }
        if let Some(watch) = self.watches.remove(&id) {
            drop(catch_unwind(AssertUnwindSafe(|| drop(watch))));
        }
    }

    /// Waits for an event, a command or the next timeout.
    fn wait(&mut self, events: &mut Events, now: Instant) -> io::Result<()> {
        let deadline = self.core.poll_timeout();
        let is_busy = !self.held.is_empty()
            || self.network.has_unread()
            || self.core.has_transmits()
            || deadline.is_some_and(|at| at <= now);
        let mut timeout = if is_busy {
            Some(Duration::ZERO)
        } else {
            self.alarm.arm(&self.shared.clock, deadline)?
        };
        {
            let mut inbox = self.shared.lock();
            let has_commands = !self.commands.is_empty() || !inbox.commands.is_empty();
            if has_commands && self.turns_without_poll < MAX_TURNS_WITHOUT_POLL {
                self.turns_without_poll += 1;
                events.clear();
                return Ok(());
            }
            if has_commands || inbox.is_closing && self.core.is_idle() {
                timeout = Some(Duration::ZERO);
            } else if !is_busy {
                inbox.is_asleep = true;
                if !self.core.is_idle() {
                    timeout = Some(timeout.map_or(LOOK_AROUND, |timeout| timeout.min(LOOK_AROUND)));
                }
            }
        }
        self.turns_without_poll = 0;
        if !self.held.is_empty() {
            // The thread that holds the lock may be waiting for this very processor.
            std::thread::yield_now();
        }
        self.poll(events, timeout)
    }

    fn poll(&mut self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        match self.poll.poll(events, timeout) {
            // A signal ends the wait early, and the next turn waits again.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                events.clear();
                Ok(())
            }
            done => done,
        }
    }

    /// Reads what arrived on the sockets.
    fn handle_events(&mut self, events: &Events, now: Instant) {
        for event in events {
            match event.token() {
                COMMANDS => {}
                ALARM => self.alarm.handle_event(),
                token => {
                    let event = SocketEvent::new(token, event);
                    self.network.handle_event(event, &mut self.core, now);
                }
            }
        }
        self.network.read(&mut self.core, now);
    }
}

/// The time in which commands are for this thread.
struct Life {
    shared: Arc<DriverShared>,
    waker: Arc<mio::Waker>,
}

impl Drop for Life {
    /// A thread that dies leaves no lookup without its `End`: the sinks see to that when they are
    /// dropped, those in commands not yet taken included. The next lookup starts another thread.
    fn drop(&mut self) {
        let mut inbox = self.shared.lock();
        if inbox.is_of(&self.waker) {
            inbox.waker = None;
            let commands = std::mem::take(&mut inbox.commands);
            drop(inbox);
            drop(commands);
        }
    }
}

#[cfg(test)]
mod tests;
