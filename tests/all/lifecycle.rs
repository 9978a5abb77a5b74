//! The life of a lookup beside others: dropped, canceled, flooded, and on a runtime that dies.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use crate::support::Nameserver;
use futures_util::{FutureExt, Stream, StreamExt};
use outrace::{LookupOptions, LookupResult, LookupStream, Resolver, futex_queue};

const SCRIPT: &str = "
    www.example.test.     A    -> answer 192.0.2.1
    www.example.test.     AAAA -> answer 2001:db8::1
    *.hang.example.test.  *    -> drop
    many.example.test.    A    udp -> truncate
    many.example.test.    A    tcp -> answer 192.0.2.1-192.0.2.250
    many.example.test.    AAAA -> nodata
";

fn resolver(nameserver: &Nameserver) -> Resolver {
    Resolver::builder().without_system_configuration().nameservers([nameserver.addr()]).build()
}

async fn all(results: LookupStream) -> Vec<LookupResult> {
    results.collect().await
}

/// Polls a lookup once, so that it starts.
fn start(results: &mut LookupStream) {
    assert_eq!(results.next().now_or_never(), None, "nothing has come yet");
}

#[tokio::test]
async fn ca01_a_stream_dropped_before_its_first_poll_has_sent_nothing() {
    let nameserver = Nameserver::start(SCRIPT);
    let resolver = resolver(&nameserver);
    drop(resolver.lookup("www.example.test:80"));
    drop(resolver);
    nameserver.barrier();
    assert!(nameserver.journal().queries().is_empty());
}

#[tokio::test]
async fn ca02_a_stream_dropped_in_flight_leaves_no_socket_and_sends_no_more() {
    let nameserver = Nameserver::start(SCRIPT);
    let resolver = resolver(&nameserver);
    let mut results = resolver.lookup("a.hang.example.test:80");
    start(&mut results);
    nameserver.journal().wait_for(2);
    drop(results);
    // The thread takes its commands in order: when this lookup has ended, the drop was seen.
    all(resolver.lookup("www.example.test:80")).await;
    assert_eq!(resolver.stats().open_sockets, 0);
    nameserver.barrier();
    let hung = nameserver.journal().queries_for("a.hang.example.test.", "A");
    assert_eq!(hung.len(), 1, "no resend after the drop");
}

#[tokio::test]
async fn ca05_a_stream_may_be_dropped_by_the_waker_that_its_result_fires() {
    /// Drops what it holds when it is woken, on the thread that wakes it.
    struct Dropper(std::sync::Mutex<Option<LookupStream>>);
    impl Wake for Dropper {
        fn wake(self: Arc<Self>) {
            drop(self.0.lock().unwrap().take());
        }
    }
    let nameserver = Nameserver::start(SCRIPT);
    let resolver = resolver(&nameserver);
    let dropper = Arc::new(Dropper(std::sync::Mutex::new(None)));
    let waker = Waker::from(Arc::clone(&dropper));
    let mut results = resolver.lookup("a.hang.example.test:80");
    assert!(pin!(&mut results).poll_next(&mut Context::from_waker(&waker)).is_pending());
    results.cancel();
    *dropper.0.lock().unwrap() = Some(results);
    assert_eq!(all(resolver.lookup("www.example.test:80")).await.len(), 4);
    assert_eq!(resolver.stats().open_sockets, 0);
}

#[tokio::test]
async fn ca05_a_waker_that_panics_harms_no_other_lookup() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("a consumer's waker panics, as this test wants it to");
        }
    }
    let nameserver = Nameserver::start(SCRIPT);
    let resolver = resolver(&nameserver);
    let waker = Waker::from(Arc::new(Panics));
    let mut results = resolver.lookup("a.hang.example.test:80");
    assert!(pin!(&mut results).poll_next(&mut Context::from_waker(&waker)).is_pending());
    results.cancel();
    assert_eq!(all(resolver.lookup("www.example.test:80")).await.len(), 4);
}

#[tokio::test]
async fn a_tag_that_panics_when_cloned_ends_its_own_lookup_alone() {
    struct Panics;
    impl Clone for Panics {
        fn clone(&self) -> Self {
            panic!("a caller's tag panics, as this test wants it to");
        }
    }
    let nameserver = Nameserver::start(SCRIPT);
    let resolver = resolver(&nameserver);
    let (putter, mut getter) = futex_queue::bounded(16);
    resolver.lookup_into("www.example.test:80", &LookupOptions::default(), putter, Panics);
    assert!(getter.get_one().await.is_none(), "the queue ends with its putter");
    assert_eq!(all(resolver.lookup("www.example.test:80")).await.len(), 4);
}

#[tokio::test]
async fn a_timeout_of_more_than_all_time_is_none() {
    let nameserver = Nameserver::start(SCRIPT);
    let resolver = resolver(&nameserver);
    let options = LookupOptions::default().timeout(std::time::Duration::MAX);
    assert_eq!(all(resolver.lookup_with("www.example.test:80", &options)).await.len(), 4);
}

#[test]
fn ca08_another_runtime_goes_on_when_one_dies() {
    let nameserver = Nameserver::start(SCRIPT);
    let resolver = resolver(&nameserver);
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (dies, stays) = (runtime(), runtime());
    for i in 0..100 {
        let mut results = resolver.lookup((format!("n{i}.hang.example.test"), 80));
        dies.spawn(async move { results.next().await });
    }
    dies.block_on(tokio::task::yield_now());
    drop(dies);
    assert_eq!(stays.block_on(all(resolver.lookup("www.example.test:80"))).len(), 4);
    assert_eq!(resolver.stats().open_sockets, 0, "what the dead runtime asked is gone");
}

#[tokio::test]
async fn ca11_a_slow_consumer_gets_everything_and_delays_no_other() {
    let nameserver = Nameserver::start(SCRIPT);
    let resolver = Resolver::builder()
        .without_system_configuration()
        .nameservers([nameserver.addr()])
        .queue_capacity(2)
        .build();
    let mut slow = resolver.lookup("many.example.test:80");
    let first = slow.next().await;
    assert!(matches!(first, Some(LookupResult::Address(_))), "{first:?}");
    for _ in 0..10 {
        assert_eq!(all(resolver.lookup("www.example.test:80")).await.len(), 4);
    }
    let rest = all(slow).await;
    assert_eq!(rest.len(), 249 + 2, "249 more addresses, the name, the end");
    assert_eq!(rest.last(), Some(&LookupResult::End(Ok(()))));
}

#[tokio::test]
async fn ca03_joiners_finish_when_the_first_caller_is_gone() {
    let nameserver = Nameserver::start("www.example.test. A -> delay 30ms, answer 192.0.2.1");
    let resolver = resolver(&nameserver);
    let mut leader = resolver.lookup("www.example.test:80");
    start(&mut leader);
    let mut joiners = [(); 2].map(|()| resolver.lookup("WWW.example.test.:80"));
    joiners.iter_mut().for_each(start);
    drop(leader);
    for joiner in joiners {
        assert_eq!(all(joiner).await.last(), Some(&LookupResult::End(Ok(()))));
    }
    assert_eq!(nameserver.journal().queries_for("www.example.test.", "A").len(), 1);
}

/// Counts its wakes.
#[derive(Default)]
struct Counting(AtomicUsize);

impl Wake for Counting {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_literal_is_answered_without_a_wake() {
    let counting = Arc::new(Counting::default());
    let waker = Waker::from(Arc::clone(&counting));
    let mut cx = Context::from_waker(&waker);
    let mut results = pin!(Resolver::system().lookup("192.0.2.1:80"));
    for _ in 0..4 {
        assert!(matches!(results.as_mut().poll_next(&mut cx), Poll::Ready(_)));
    }
    assert_eq!(counting.0.load(Ordering::SeqCst), 0);
}
