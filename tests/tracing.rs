//! With feature `tracing`, a lookup and a race each have a span, with the results as events in it,
//! and what a person should know is a warning.

mod support;

use std::fmt::{Debug, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::StreamExt;
use outrace::Resolver;
use outrace::happy_eyeballs::{ConnectOptions, connect_with};
use support::{Nameserver, World};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Writes each span and event as one line.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }
}

impl Lines {
    fn push(&self, head: &str, record: impl FnOnce(&mut Line)) {
        let mut line = Line(head.to_owned());
        record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }

    fn has(&self, parts: &[&str]) -> bool {
        let lines = self.0.lock().unwrap();
        lines.iter().any(|line| parts.iter().all(|part| line.contains(part)))
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("outrace::")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        self.push(span.metadata().name(), |line| span.record(line));
        Id::from_u64(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        self.push("record", |line| values.record(line));
    }

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let head = format!("{} {}", metadata.level(), metadata.target());
        self.push(&head, |line| event.record(line));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn a_lookup_and_a_race_tell_what_they_do() {
    let lines = Lines::default();
    let _guard = tracing::subscriber::set_default(lines.clone());
    let world = World::demo();
    let resolver = Resolver::builder()
        .without_system_configuration()
        .nameservers(world.nameserver_addrs())
        .build();

    let _: Vec<_> = resolver.lookup("alias.example.test:80").collect().await;
    assert!(lines.has(&["lookup"]), "{:?}", lines.0);
    assert!(lines.has(&["dns.question.name=\"alias.example.test\""]), "{:?}", lines.0);
    assert!(lines.has(&["dns.answer=127.0.0.1", "address"]), "{:?}", lines.0);
    assert!(lines.has(&["dns.answer=www.example.test", "canonical name"]), "{:?}", lines.0);

    let target = world.target("www.example.test");
    connect_with(target.as_str(), &resolver, &ConnectOptions::default()).await.unwrap();
    assert!(lines.has(&["connect"]), "{:?}", lines.0);
    assert!(lines.has(&["network.peer.port", "connection attempt"]), "{:?}", lines.0);
    assert!(lines.has(&["network.peer.address", "connected"]), "{:?}", lines.0);

    let gone = world.target("gone.example.test");
    connect_with(gone.as_str(), &resolver, &ConnectOptions::default()).await.unwrap_err();
    assert!(lines.has(&["error.message", "gone.example.test", "failed"]), "{:?}", lines.0);
}

#[tokio::test]
async fn su04_a_name_collision_is_a_warning_when_a_nameserver_says_so() {
    let lines = Lines::default();
    let _guard = tracing::subscriber::set_default(lines.clone());
    let nameserver = Nameserver::start("crm.corp. A -> answer 127.0.53.53");
    let resolver =
        Resolver::builder().without_system_configuration().nameservers([nameserver.addr()]).build();
    // That address as a literal is returned as it is.
    let _: Vec<_> = resolver.lookup("127.0.53.53:80").collect().await;
    assert!(!lines.has(&["WARN"]), "{:?}", lines.0);
    let _: Vec<_> = resolver.lookup("crm.corp:80").collect().await;
    assert!(lines.has(&["WARN outrace::lookup", "name collision", "127.0.53.53"]), "{:?}", lines.0);
    assert_eq!(resolver.stats().name_collisions, 1);
}

#[test]
fn what_cannot_be_used_of_the_configuration_is_a_warning_each() {
    let lines = Lines::default();
    let _guard = tracing::subscriber::set_default(lines.clone());
    let dir = std::env::temp_dir().join(format!("outrace-tracing-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let (conf, hosts) = (dir.join("resolv.conf"), dir.join("hosts"));
    std::fs::write(&conf, "nameserver 192.0.2.53\noptions foo ndots:99\nnameserver nowhere\n")
        .unwrap();
    std::fs::write(&hosts, "192.0.2.1 www.example\n192.0.2.2\n").unwrap();
    let resolver =
        Resolver::builder().without_system_configuration().resolv_conf(&conf).hosts(&hosts).build();
    std::fs::remove_dir_all(&dir).unwrap();
    let config = "WARN outrace::config";
    assert!(
        lines.has(&[config, "resolv.conf line 2", "\"foo\"", "unknown option"]),
        "{:?}",
        lines.0
    );
    assert!(
        lines.has(&[config, "resolv.conf line 2", "ndots:99", "out of range"]),
        "{:?}",
        lines.0
    );
    assert!(lines.has(&[config, "resolv.conf line 3", "nowhere"]), "{:?}", lines.0);
    assert!(lines.has(&[config, "hosts line 2"]), "{:?}", lines.0);
    assert_eq!(lines.0.lock().unwrap().len(), resolver.diagnostics().len());
}
