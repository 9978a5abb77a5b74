//! What the thread owes its lookups when a queue is locked, and when it dies.

use std::sync::mpsc;

use super::super::handle::DriverHandle;
use super::super::result_sink::TaggedResults;
use super::super::shared::DriverOptions;
use super::*;
use crate::LookupResult;
use crate::resolve::LookupErrorKind;
use crate::resolve::config::resolv_conf::{self, Env};
use crate::resolve::config::settings::Settings;
use crate::resolve::driver::clock::BootClock;
use crate::resolve::stub::StubConfig;
use crate::resolve::stub::lookup::Lookup;

/// A queue whose lock another thread has for the first few offers.
struct Locked {
    offers: u32,
    received: mpsc::Sender<LookupResult>,
}

impl TaggedResults for Locked {
    fn handle_started(&mut self) {}

    fn offer(
        &mut self,
        results: &mut VecDeque<LookupResult>,
        end: &mut Option<LookupResult>,
        _room: &Waker,
        _wakes: &mut Vec<Waker>,
    ) -> OfferOutcome {
        if let Some(left) = self.offers.checked_sub(1) {
            self.offers = left;
            return OfferOutcome::Held;
        }
        results.drain(..).chain(end.take()).for_each(|result| self.received.send(result).unwrap());
        OfferOutcome::Taken
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        let end = LookupResult::End(Err(LookupErrorKind::ResolverGone.into()));
        // After the lookup's own `End` the receiver may be gone.
        let _ = self.received.send(end);
    }
}

fn config() -> StubConfig {
    let conf = resolv_conf::parse(b"nameserver 192.0.2.53\n", &Env::default());
    Settings::default().stub_config(&conf, &Arc::default())
}

fn options() -> DriverOptions {
    Settings { cache: None, ..Settings::default() }.driver_options()
}

fn answered() -> Box<Lookup> {
    let addr = LookupResult::Address(([192, 0, 2, 1], 80).into());
    Box::new(Lookup::answered(vec![addr, LookupResult::End(Ok(()))]))
}

/// Nothing else wakes the thread: it has to come back by itself.
#[test]
fn at10_results_for_a_queue_that_is_locked_are_offered_again() {
    let driver = DriverHandle::new(config(), options(), BootClock::new());
    let (received, results) = mpsc::channel();
    let sink = ResultSink::Tagged(Box::new(Locked { offers: 3, received }));
    driver.start(answered(), sink, None, None).unwrap();
    let patience = Duration::from_secs(20);
    let next = || results.recv_timeout(patience).expect("a result");
    assert_eq!(next(), LookupResult::Address(([192, 0, 2, 1], 80).into()));
    assert_eq!(next(), LookupResult::End(Ok(())));
    driver.close();
}

/// They came too late for the thread to take them.
#[test]
fn at10_commands_for_a_thread_that_died_end_with_it() {
    let shared = Arc::new(DriverShared::new(
        config().into(),
        options(),
        BootClock::new(),
        LookupId::default(),
    ));
    let poll = Poll::new().unwrap();
    let waker = Arc::new(mio::Waker::new(poll.registry(), COMMANDS).unwrap());
    let life = Life { shared: Arc::clone(&shared), waker: Arc::clone(&waker) };
    let (received, results) = mpsc::channel();
    let sink = ResultSink::Tagged(Box::new(Locked { offers: 0, received }));
    shared.lock().waker = Some(waker);
    let (lookup, timeout) = (answered(), None);
    shared.send(Command::Lookup { id: LookupId(1), lookup, sink, timeout, watch: None });
    drop(life);
    let end = LookupResult::End(Err(LookupErrorKind::ResolverGone.into()));
    assert_eq!(results.try_recv(), Ok(end));
    assert!(shared.lock().waker.is_none(), "the next lookup starts a thread");
}
