//! An observer receives the events of a lookup and of a race while they run (CR09).

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use outrace::futex_queue;
use outrace::happy_eyeballs::connect_with;
use outrace::observer::{
    AnswerKind, AnswerSource, ConnectEvent, ConnectEventKind, LookupEvent, LookupEventKind,
};
use outrace::resolve::{AddressFamily, Transport};
use outrace::{ConnectOptions, LookupErrorKind, LookupOptions, Observer, Resolver};

use crate::support::{Nameserver, World};

/// Sends each event to a channel.
struct Teller(Mutex<Sender<Told>>);

#[derive(Debug)]
enum Told {
    Lookup { lookup: u64, connect: Option<u64>, kind: LookupEventKind },
    Connect { connect: u64, target: String, kind: String },
}

impl Observer for Teller {
    fn lookup_event(&self, event: &LookupEvent<'_>) {
        let (lookup, connect, kind) = (event.lookup, event.connect, event.kind.clone());
        self.0.lock().unwrap().send(Told::Lookup { lookup, connect, kind }).unwrap();
    }

    fn connect_event(&self, event: &ConnectEvent<'_>) {
        let kind = match &event.kind {
            ConnectEventKind::Started => "started",
            ConnectEventKind::AttemptStarted(_) => "attempt started",
            ConnectEventKind::AttemptEnded(_) => "attempt ended",
            ConnectEventKind::Connected(_) => "connected",
            kind => panic!("{kind:?}"),
        };
        let target = event.target.expect("connect_with has a target").to_string();
        let told = Told::Connect { connect: event.connect, target, kind: kind.to_owned() };
        self.0.lock().unwrap().send(told).unwrap();
    }
}

fn observer() -> (impl Observer + 'static, Receiver<Told>) {
    let (sender, receiver) = channel();
    (Teller(Mutex::new(sender)), receiver)
}

fn resolver(nameserver: &Nameserver) -> Resolver {
    Resolver::builder().without_system_configuration().nameservers([nameserver.addr()]).build()
}

/// Everything up to the end of a lookup.
fn until_the_end(told: &Receiver<Told>) -> Vec<LookupEventKind> {
    let mut kinds = Vec::new();
    loop {
        let event = told.recv_timeout(Duration::from_secs(20)).expect("a lookup ends");
        let Told::Lookup { kind, .. } = event else { panic!("{event:?}") };
        let is_end = matches!(kind, LookupEventKind::Ended(_) | LookupEventKind::Dropped);
        kinds.push(kind);
        if is_end {
            return kinds;
        }
    }
}

/// A name that no nameserver is asked about has an answer all the same.
#[tokio::test]
async fn cr09_a_lookup_tells_that_a_route_refuses_its_name() {
    let nameserver = Nameserver::start("* * -> answer 192.0.2.1");
    let resolver = Resolver::builder()
        .without_system_configuration()
        .nameservers([nameserver.addr()])
        .route_refuse("corp.example.test")
        .build();
    let (observer, told) = observer();
    let options = LookupOptions::default().family(AddressFamily::Ipv4).observer(observer);
    resolver.lookup_with("www.corp.example.test:80", &options).collect::<Vec<_>>().await;
    let events = until_the_end(&told);
    let [LookupEventKind::Answered { question, source, answer, .. }, _] = &events[..] else {
        panic!("{events:?}")
    };
    let name = question.as_ref().expect("about one name").name.to_string();
    assert_eq!(name, "www.corp.example.test");
    assert_eq!((*source, *answer), (AnswerSource::Route, AnswerKind::NotFound));
}

#[tokio::test]
async fn cr09_a_lookup_tells_what_was_asked_and_who_answered() {
    let nameserver = Nameserver::start(
        "www.example.test. A    -> answer 192.0.2.1 192.0.2.2 ttl 30
         www.example.test. AAAA -> nodata authority at example.test. soa 60",
    );
    let resolver = resolver(&nameserver);
    let (observer, told) = observer();
    let options = LookupOptions::new().observer(observer);
    let _: Vec<_> = resolver.lookup_with("www.example.test.:80", &options).collect().await;

    let kinds = until_the_end(&told);
    let server = nameserver.addr();
    let mut sent = Vec::new();
    let mut answered = Vec::new();
    for kind in &kinds {
        match kind {
            LookupEventKind::Sent { question, nameserver, transport, is_resend } => {
                assert_eq!((*nameserver, *transport, *is_resend), (server, Transport::Udp, false));
                sent.push(question.to_string());
            }
            LookupEventKind::Answered { question, source, ttl, answer, elapsed } => {
                assert_eq!(*source, AnswerSource::Nameserver(server, Transport::Udp));
                assert!(!elapsed.is_zero());
                let question = question.as_ref().unwrap().to_string();
                answered.push((question, ttl.unwrap().as_secs(), *answer));
            }
            kind => assert_eq!(*kind, LookupEventKind::Ended(Ok(()))),
        }
    }
    sent.sort();
    assert_eq!(sent, ["www.example.test A", "www.example.test AAAA"]);
    answered.sort_by_key(|(question, ..)| question.len());
    let expected = [
        ("www.example.test A".to_owned(), 30, AnswerKind::Addresses(2)),
        ("www.example.test AAAA".to_owned(), 60, AnswerKind::NoData),
    ];
    assert_eq!(answered, expected);

    // The second time the cache has it.
    let _: Vec<_> = resolver.lookup_with("www.example.test.:80", &options).collect().await;
    let kinds = until_the_end(&told);
    assert_eq!(kinds.len(), 3, "{kinds:?}");
    for kind in &kinds[..2] {
        let LookupEventKind::Answered { source, elapsed, ttl, .. } = kind else {
            panic!("{kind:?}")
        };
        assert_eq!((*source, *elapsed), (AnswerSource::Cache, Duration::ZERO));
        assert!(ttl.is_some_and(|ttl| ttl <= Duration::from_secs(60) && !ttl.is_zero()));
    }
}

#[tokio::test]
async fn cr09_a_source_without_a_wire_is_told_by_its_name() {
    let nameserver = Nameserver::start("* * -> servfail");
    let resolver = resolver(&nameserver);
    for (target, source, answer) in [
        ("192.0.2.1:80", AnswerSource::Literal, AnswerKind::Addresses(1)),
        ("localhost:80", AnswerSource::SpecialName, AnswerKind::Addresses(2)),
        ("name.invalid:80", AnswerSource::SpecialName, AnswerKind::NotFound),
    ] {
        let (observer, told) = observer();
        drop(resolver.lookup_with(target, &LookupOptions::new().observer(observer)));
        let kinds = until_the_end(&told);
        let [LookupEventKind::Answered { source: from, answer: said, .. }, end] = &kinds[..] else {
            panic!("{kinds:?}")
        };
        assert_eq!((*from, *said), (source, answer), "{target}");
        assert!(matches!(end, LookupEventKind::Ended(_)), "{end:?}");
        assert!(told.try_recv().is_err(), "nothing after the end");
    }
}

#[tokio::test]
async fn cr09_silence_is_told_before_the_answer_that_ends_it() {
    let nameserver = Nameserver::start("slow.example.test. A -> drop | answer 192.0.2.1");
    let (observer, told) = observer();
    let options = LookupOptions::new().family(AddressFamily::Ipv4).observer(observer);
    let _: Vec<_> =
        resolver(&nameserver).lookup_with("slow.example.test.:80", &options).collect().await;
    let told: Vec<_> = until_the_end(&told)
        .iter()
        .map(|kind| match kind {
            LookupEventKind::Sent { is_resend: false, .. } => "sent",
            LookupEventKind::Late { .. } => "late",
            LookupEventKind::Sent { is_resend: true, .. } => "sent again",
            LookupEventKind::Answered { .. } => "answered",
            LookupEventKind::Ended(Ok(())) => "ended",
            kind => panic!("{kind:?}"),
        })
        .collect();
    assert_eq!(told, ["sent", "late", "sent again", "answered", "ended"]);
}

#[tokio::test]
async fn cr09_a_lookup_that_is_dropped_or_canceled_says_so() {
    let nameserver = Nameserver::start("* * -> drop");
    let resolver = resolver(&nameserver);
    let (observer, told) = observer();
    let options = LookupOptions::new().observer(observer);

    // Never polled, polled once, and into a queue of the caller's.
    drop(resolver.lookup_with("one.example.test.:80", &options));
    assert_eq!(until_the_end(&told), [LookupEventKind::Dropped]);
    let mut stream = resolver.lookup_with("two.example.test.:80", &options);
    assert!(stream.next().now_or_never().is_none());
    drop(stream);
    assert_eq!(until_the_end(&told).last(), Some(&LookupEventKind::Dropped));
    let (putter, getter) = futex_queue::bounded(1);
    let handle = resolver.lookup_into("three.example.test.:80", &options, putter, ());
    handle.cancel();
    let kinds = until_the_end(&told);
    let Some(LookupEventKind::Ended(Err(error))) = kinds.last() else { panic!("{kinds:?}") };
    assert_eq!(error.kind(), LookupErrorKind::Canceled);
    drop(getter);
}

#[tokio::test]
async fn cr09_a_race_and_its_lookup_are_told_together() {
    let world = World::demo();
    let resolver = Resolver::builder()
        .without_system_configuration()
        .nameservers(world.nameserver_addrs())
        .build();
    let (observer, told) = observer();
    let options = ConnectOptions::default().observer(observer);
    let target = world.target("www.example.test");
    connect_with(target.as_str(), &resolver, &options).await.unwrap();

    let (mut lookups, mut race) = (Vec::new(), Vec::new());
    let mut number = None;
    for event in told.try_iter() {
        match event {
            Told::Lookup { lookup, connect, .. } => lookups.push((lookup, connect)),
            Told::Connect { connect, target: told, kind } => {
                assert_eq!(*number.get_or_insert(connect), connect);
                assert_eq!(told, target);
                race.push(kind);
            }
        }
    }
    assert_eq!(race[..2], ["started", "attempt started"]);
    assert_eq!(race[race.len() - 2..], ["attempt ended", "connected"]);
    assert!(!lookups.is_empty());
    assert!(lookups.iter().all(|told| *told == (lookups[0].0, number)), "{lookups:?}");
}

/// The resolver thread serves every lookup.
#[tokio::test]
async fn cr09_an_observer_that_panics_costs_its_lookup_nothing() {
    struct Panics;
    impl Observer for Panics {
        fn lookup_event(&self, _: &LookupEvent<'_>) {
            panic!("this observer panics, as the test wants it to");
        }
    }
    let nameserver = Nameserver::start("* A -> answer 192.0.2.1; * AAAA -> nodata");
    let resolver = resolver(&nameserver);
    let options = LookupOptions::new().observer(Panics);
    for name in ["one.example.test.:80", "two.example.test.:80"] {
        let addrs = resolver.lookup_with(name, &options).into_addrs().await.unwrap();
        assert_eq!(addrs, ["192.0.2.1:80".parse().unwrap()]);
    }
    assert_eq!(resolver.stats().generations, 0, "the thread is the same");
}
