//! With feature `tracing`, a lookup and a race each have a span, with the results as events in it,
//! and what a person should know is a warning.

mod support;

use std::cell::RefCell;
use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};

use futures_util::StreamExt;
use outrace::Resolver;
use outrace::happy_eyeballs::{ConnectOptions, connect_with};
use support::{Nameserver, World};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Writes each span and event as one line, behind the spans that it is in.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

/// The names of the spans, by their ids.
static NAMES: Mutex<Vec<&str>> = Mutex::new(Vec::new());

thread_local! {
    /// The spans that this thread is in.
    static ENTERED: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }
}

impl Lines {
    fn push(&self, head: &str, record: impl FnOnce(&mut Line)) {
        let spans = ENTERED.with_borrow(|spans| spans.join(">"));
        let mut line = Line(format!("[{spans}] {head}"));
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
        let name = span.metadata().name();
        self.push(name, |line| span.record(line));
        let mut names = NAMES.lock().unwrap();
        names.push(name);
        Id::from_u64(names.len() as u64)
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

    fn enter(&self, id: &Id) {
        let index = usize::try_from(id.into_u64()).unwrap() - 1;
        let name = NAMES.lock().unwrap()[index];
        ENTERED.with_borrow_mut(|spans| spans.push(name));
    }

    fn exit(&self, _: &Id) {
        ENTERED.with_borrow_mut(Vec::pop);
    }
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

    // The events of nameservers happen on another thread, and come in the same span.
    assert!(
        lines.has(&["[lookup] DEBUG outrace::lookup", "query sent", "network.transport=\"udp\""]),
        "{:?}",
        lines.0
    );
    assert!(lines.has(&["[lookup] DEBUG", "answered", "source=127.", "duration=0.0", "ttl="]));
    assert!(lines.has(&["[lookup] DEBUG", "ended", "duration=0.0"]), "{:?}", lines.0);

    let target = world.target("www.example.test");
    connect_with(target.as_str(), &resolver, &ConnectOptions::default()).await.unwrap();
    // A person can search for the host, and the lookup is the race's child.
    assert!(lines.has(&["record", "server.address=\"www.example.test\""]), "{:?}", lines.0);
    assert!(lines.has(&["record", "server.port="]), "{:?}", lines.0);
    assert!(lines.has(&["[connect] lookup"]), "{:?}", lines.0);
    let connect = "[connect] DEBUG outrace::connect";
    assert!(
        lines.has(&[connect, "connection attempt started", "network.peer.port="]),
        "{:?}",
        lines.0
    );
    assert!(
        lines.has(&[connect, "connection attempt ended", "duration=0.0", "outcome=connected"]),
        "{:?}",
        lines.0
    );
    assert!(lines.has(&["[connect] DEBUG", "connected", "duration=0.0"]), "{:?}", lines.0);

    let gone = world.target("gone.example.test");
    connect_with(gone.as_str(), &resolver, &ConnectOptions::default()).await.unwrap_err();
    assert!(
        lines.has(&["[connect] DEBUG", "failed", "error.type=Dns(NotFound)", "gone.example.test"]),
        "{:?}",
        lines.0
    );
    assert!(lines.has(&["record error.type=Dns(NotFound)"]), "{:?}", lines.0);
}

#[tokio::test]
async fn cr09_a_race_that_a_timeout_drops_leaves_its_attempts_and_its_address() {
    let lines = Lines::default();
    let _guard = tracing::subscriber::set_default(lines.clone());
    let nameserver = Nameserver::start("slow.example.test. * -> drop");
    let resolver =
        Resolver::builder().without_system_configuration().nameservers([nameserver.addr()]).build();
    let options = ConnectOptions::default();
    let connect = connect_with("slow.example.test:443", &resolver, &options);
    let moment = std::time::Duration::from_millis(1);
    tokio::time::timeout(moment, connect).await.unwrap_err();
    assert!(lines.has(&["record", "server.address=\"slow.example.test\""]), "{:?}", lines.0);
    assert!(lines.has(&["[connect] DEBUG", "dropped", "error.type=\"dropped\"", "duration=0.0"]));
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

/// Nothing is wrong with it: it is how the machine is configured.
#[cfg(feature = "system")]
#[test]
fn that_names_go_to_the_system_is_no_warning() {
    let lines = Lines::default();
    let _guard = tracing::subscriber::set_default(lines.clone());
    let path = std::env::temp_dir().join(format!("outrace-tracing-nss-{}", std::process::id()));
    std::fs::write(&path, "hosts: files sss dns\n").unwrap();
    let resolver = Resolver::builder().nsswitch(&path).build();
    std::fs::remove_file(&path).unwrap();
    let text = ["INFO outrace::config", "nsswitch.conf line 1", "\"sss\"", "operating system"];
    assert!(lines.has(&text), "{:?}", lines.0);
    assert_eq!(lines.0.lock().unwrap().len(), resolver.diagnostics().len());
}
