//! With real threads, and calls that do what a test wants.

use std::collections::HashSet;
use std::sync::mpsc;
use std::thread::{self, ThreadId};
use std::time::Instant;

use super::*;
use crate::futex_queue::{self, Getter};
use crate::resolve::config::resolv_conf::{self, Env};
use crate::resolve::config::settings::Settings;
use crate::resolve::driver::clock::BootClock;
use crate::resolve::driver::handle::DriverHandle;
use crate::resolve::driver::result_sink::ResultSink;
use crate::resolve::driver::shared::DriverOptions;
use crate::resolve::error::RecordType;
use crate::resolve::names::local::{Ask, Plan, SystemName};
use crate::resolve::names::search;
use crate::resolve::stub::lookup::Lookup;
use crate::resolve::system::Families;
use crate::{HostName, LookupErrorKind, LookupResult};

/// Longer than any test takes.
const PATIENCE: Duration = Duration::from_secs(20);

fn driver(make_call: impl Fn(&Call) -> CallOutcome + Send + Sync + 'static) -> DriverHandle {
    let env = Env::default();
    let settings = Settings { cache: None, system_threads: 4, ..Settings::default() };
    let conf = resolv_conf::parse(b"nameserver 192.0.2.53\n", &env);
    let config = settings.stub_config(&conf, &Arc::default());
    let options = DriverOptions { make_call: Arc::new(make_call), ..settings.driver_options() };
    DriverHandle::new(config, options, BootClock::new())
}

/// Starts a lookup of both families by the operating system.
fn start(driver: &DriverHandle, name: &str) -> Getter<LookupResult> {
    let name: HostName = name.parse().unwrap();
    let candidates = search::candidates(&name, Arc::from([]), search::SearchRule::default());
    let plan = Plan::System(SystemName { name: name.clone(), is_searched: false });
    let lookup = Lookup::new(Ask { name, port: 80, family: None, candidates, plan });
    let (putter, getter) = futex_queue::bounded(16);
    driver.start(Box::new(lookup), ResultSink::Stream(putter), None, None).unwrap();
    getter
}

fn next(getter: &mut Getter<LookupResult>) -> LookupResult {
    getter.blocking_get_one(Some(Instant::now() + PATIENCE)).expect("a result")
}

fn end(getter: &mut Getter<LookupResult>) -> Result<(), LookupErrorKind> {
    loop {
        if let LookupResult::End(outcome) = next(getter) {
            return outcome.map_err(|error| error.kind());
        }
    }
}

fn found(call: &Call) -> CallOutcome {
    let addresses = ["192.0.2.1", "2001:db8::1"].map(|address| (address.parse().unwrap(), 0));
    CallOutcome::of_addresses(addresses, call.families)
}

#[test]
fn os01_a_family_comes_while_the_call_for_the_other_waits() {
    let (go, may_go) = mpsc::channel::<()>();
    let may_go = Mutex::new(may_go);
    let driver = driver(move |call| {
        if call.families == Families::One(RecordType::Aaaa) {
            may_go.lock().unwrap().recv().unwrap();
        }
        found(call)
    });
    let mut results = start(&driver, "www.example");
    assert_eq!(next(&mut results), LookupResult::Address(([192, 0, 2, 1], 80).into()));
    assert_eq!(next(&mut results), LookupResult::CanonicalName("www.example".parse().unwrap()));
    go.send(()).unwrap();
    let v6 = "[2001:db8::1]:80".parse().unwrap();
    assert_eq!(next(&mut results), LookupResult::Address(v6));
    assert_eq!(next(&mut results), LookupResult::End(Ok(())));
    driver.close();
}

#[test]
fn calls_are_made_on_threads_of_their_own_which_are_used_again() {
    let threads = Arc::new(Mutex::new(HashSet::<ThreadId>::new()));
    let seen = Arc::clone(&threads);
    let driver = driver(move |call| {
        assert_eq!(thread::current().name(), Some("outrace-gai"));
        seen.lock().unwrap().insert(thread::current().id());
        found(call)
    });
    for n in 0..2_000 {
        assert_eq!(end(&mut start(&driver, &format!("n{n}.example"))), Ok(()));
    }
    assert!(threads.lock().unwrap().len() <= 2, "two calls at a time: {threads:?}");
    driver.close();
}

#[test]
fn os15_a_call_that_panics_fails_its_family_and_nothing_else() {
    let driver = driver(|call| {
        assert!(call.name.as_str() != "bad.example", "a test does so");
        found(call)
    });
    for _ in 0..8 {
        assert_eq!(end(&mut start(&driver, "bad.example")), Err(LookupErrorKind::ServerFailure));
    }
    assert_eq!(end(&mut start(&driver, "good.example")), Ok(()));
    driver.close();
}

/// The other lookups do not wait for it, nor does the drop of the resolver.
#[test]
fn os14_a_call_that_hangs_holds_its_own_thread_alone() {
    let (go, may_go) = mpsc::channel::<()>();
    let may_go = Mutex::new(may_go);
    let driver = driver(move |call| {
        if call.name.as_str() == "hang.example" {
            let _ = may_go.lock().unwrap().recv();
        }
        found(call)
    });
    let hanging = start(&driver, "hang.example");
    assert_eq!(end(&mut start(&driver, "good.example")), Ok(()));
    assert_eq!(driver.stats().running_system_calls, 2);
    drop(hanging);
    driver.close();
    drop(driver);
    // Whatever they find now is for no lookup.
    drop(go);
}
