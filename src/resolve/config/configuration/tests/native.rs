//! What the system says besides resolv.conf, and changes under a resolver.

use super::*;
use crate::resolve::config::native::NativeConfig;
use crate::resolve::config::resolv_conf::Env;
use crate::resolve::diagnostic::ConfigSource;
use crate::resolve::names::search::SearchRule;

/// A system that says what the test has it say.
#[derive(Debug, Default)]
struct Scripted {
    config: Mutex<NativeConfig>,
    fingerprint: Mutex<Option<Vec<Fingerprint>>>,
    reads: AtomicU32,
}

impl NativeSource for Scripted {
    fn fingerprint(&self) -> Option<Vec<Fingerprint>> {
        self.fingerprint.lock().unwrap().clone()
    }

    fn read(&self, _: &Env<'_>) -> NativeConfig {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.config.lock().unwrap().clone()
    }
}

impl Scripted {
    fn says(&self, nameserver: &str) {
        *self.config.lock().unwrap() = config(nameserver);
    }

    fn reads(&self) -> u32 {
        self.reads.load(Ordering::Relaxed)
    }
}

fn config(nameserver: &str) -> NativeConfig {
    NativeConfig {
        nameservers: nameserver.split_whitespace().map(|ip| (ip_of(ip), 53).into()).collect(),
        search: vec!["native.example".parse().unwrap()],
        search_rule: Some(SearchRule::SingleLabelsOnly),
        ..NativeConfig::default()
    }
}

fn ip_of(text: &str) -> std::net::IpAddr {
    text.parse().unwrap()
}

/// A machine with a resolv.conf, or none, and a system that says `nameserver`.
fn machine(resolv_conf: Option<&str>, nameserver: &str) -> (Machine, Arc<Scripted>) {
    // On the systems that have such a source, names go to the operating system unless a program says
    // otherwise.
    let settings = Settings { source: Some(Source::Own), ..Settings::default() };
    machine_with(settings, resolv_conf, nameserver)
}

fn machine_with(
    settings: Settings,
    resolv_conf: Option<&str>,
    nameserver: &str,
) -> (Machine, Arc<Scripted>) {
    let mut machine = Machine::new(resolv_conf, None);
    let source = Arc::new(Scripted::default());
    source.says(nameserver);
    let settings = Settings {
        resolv_conf: resolv_conf.map(|_| machine.dir.join("resolv.conf")),
        native: Some(Arc::clone(&source) as Arc<dyn NativeSource>),
        hosts: None,
        environment: false,
        has_default_nameserver: false,
        ..settings
    };
    let (configuration, _) = Configuration::new(settings, machine.start);
    machine.configuration = Arc::new(configuration);
    (machine, source)
}

/// The nameservers in use, and the search list with its rule.
fn in_use(machine: &Machine) -> (Vec<String>, String, SearchRule) {
    let files = machine.configuration.lock();
    let stub = machine.configuration.settings.stub_config(&files.machine_conf(), &files.routes);
    drop(files);
    let current = machine.configuration.current();
    let search: Vec<_> = current.search.iter().map(ToString::to_string).collect();
    let nameservers = stub.nameservers.iter().map(ToString::to_string).collect();
    (nameservers, search.join(" "), current.search_rule)
}

/// Waits until the thread that reads has read.
fn wait_for_reading(machine: &Machine) {
    wait_until(|| {
        let files = machine.configuration.lock();
        let reader = &files.native.as_ref().unwrap().reader;
        !reader.as_ref().is_some_and(ReaderThread::is_at_work)
    });
}

/// Waits for another thread, but not for ever.
fn wait_until(is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(20), "it does not happen");
        std::thread::yield_now();
    }
}

#[test]
fn sy31_what_the_system_says_holds_before_resolv_conf() {
    let file = "nameserver 192.0.2.9\nsearch file.example\noptions ndots:3 attempts:4\n";
    let (machine, _) = machine(Some(file), "192.0.2.1");
    let rule = SearchRule::SingleLabelsOnly;
    assert_eq!(in_use(&machine), (one("192.0.2.1"), "native.example".into(), rule));
    let conf = machine.configuration.lock().machine_conf().into_owned();
    assert_eq!(conf.options.attempts, 4, "the file has it alone");
}

#[test]
fn sy31_what_the_system_does_not_say_is_as_resolv_conf_says() {
    let file = "nameserver 192.0.2.9\nsearch file.example\noptions ndots:3\n";
    let (machine, source) = machine(Some(file), "");
    *source.config.lock().unwrap() = NativeConfig::default();
    machine.look(5);
    wait_for_reading(&machine);
    machine.look(6);
    let rule = SearchRule::Ndots(3);
    assert_eq!(in_use(&machine), (one("192.0.2.9"), "file.example".into(), rule));
}

#[test]
fn sy35_the_rule_of_the_system_is_about_its_own_search_list() {
    let search = Some(vec!["program.example".parse().unwrap()]);
    for (settings, rule) in [
        (Settings::default(), SearchRule::SingleLabelsOnly),
        (Settings { ndots: Some(2), ..Settings::default() }, SearchRule::Ndots(2)),
        (Settings { search, ..Settings::default() }, SearchRule::Ndots(1)),
    ] {
        let (machine, _) = machine_with(settings, None, "192.0.2.1");
        assert_eq!(in_use(&machine).2, rule);
    }
}

#[test]
fn sy44_without_resolv_conf_there_is_no_default_nameserver() {
    let told = |machine: &Machine| {
        let current = machine.configuration.current();
        current.diagnostics.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let (machine, source) = machine(None, "");
    assert_eq!(in_use(&machine).0, [""; 0], "127.0.0.1 is another user's");
    let expected = "resolv.conf: no nameserver, and this system has no default one";
    assert_eq!(told(&machine), [expected]);
    source.says("192.0.2.1");
    machine.look(5);
    wait_for_reading(&machine);
    assert_eq!(machine.look(5), Some(one("192.0.2.1")));
    assert_eq!(told(&machine), [""; 0]);
    // A file that the program names is read as resolv.conf(5) describes.
    let (machine, _) = self::machine(Some(""), "");
    assert_eq!(in_use(&machine).0, one("127.0.0.1"));
}

#[test]
fn sy59_a_change_is_read_on_a_thread_and_holds_from_the_next_lookup_on() {
    let (machine, source) = machine(None, "192.0.2.1");
    source.says("192.0.2.2");
    assert_eq!(machine.look(4), None);
    assert_eq!(source.reads(), 1, "not yet time to look");
    assert_eq!(machine.look(5), None, "it is being read");
    wait_for_reading(&machine);
    assert_eq!(machine.look(6), Some(one("192.0.2.2")), "not after five more seconds");
    assert_eq!(source.reads(), 2);
    assert_eq!(machine.look(10), None, "five seconds after the last look at the earliest");
    assert_eq!(source.reads(), 2);
    assert_eq!(machine.look(11), None);
    wait_for_reading(&machine);
    assert_eq!(source.reads(), 3);
    assert_eq!(machine.look(12), None, "nothing has changed");
    assert_eq!(machine.look(16), None);
    assert_eq!(source.reads(), 3, "this look has taken what was read");
}

#[test]
fn sy59_a_moment_without_nameservers_changes_nothing() {
    let (machine, source) = machine(None, "192.0.2.1");
    source.says("");
    machine.look(5);
    wait_for_reading(&machine);
    assert_eq!(machine.look(6), None, "doubted");
    source.says("192.0.2.2");
    machine.look(11);
    wait_for_reading(&machine);
    assert_eq!(machine.look(12), Some(one("192.0.2.2")));
}

#[test]
fn sy59_a_source_with_a_fingerprint_is_read_when_that_changes_or_after_a_minute() {
    let (machine, source) = machine(None, "192.0.2.1");
    *source.fingerprint.lock().unwrap() = Some(vec![Fingerprint::Missing]);
    let look = |seconds| {
        machine.look(seconds);
        wait_for_reading(&machine);
        machine.look(seconds + 5);
        source.reads()
    };
    assert_eq!(look(5), 2, "it had none before");
    assert_eq!(look(20), 2);
    let other = Fingerprint::Unreadable(std::io::ErrorKind::Other);
    *source.fingerprint.lock().unwrap() = Some(vec![other]);
    assert_eq!(look(30), 3);
    assert_eq!(look(80), 3);
    assert_eq!(look(90), 4);
}

/// A nameserver may be another one without a trace in the fingerprint.
#[test]
fn sy59_on_another_network_the_system_is_read_whatever_its_fingerprint() {
    let (machine, source) = machine(None, "192.0.2.1");
    *source.fingerprint.lock().unwrap() = Some(vec![Fingerprint::Missing]);
    machine.look(5);
    wait_for_reading(&machine);
    machine.look(6);
    assert_eq!(source.reads(), 2, "it had no fingerprint before");
    source.says("192.0.2.2");
    machine.look(12);
    assert_eq!(source.reads(), 2);
    machine.configuration.handle_network_changed();
    assert!(machine.look(13).is_some(), "a generation of its own begins at once");
    wait_for_reading(&machine);
    assert_eq!(machine.look(14), Some(one("192.0.2.2")));
    assert_eq!(source.reads(), 3);
    // So it is after a suspend.
    source.says("192.0.2.3");
    assert!(machine.look_after_sleep(20, 3600).is_some());
    wait_for_reading(&machine);
    assert_eq!(machine.look_after_sleep(21, 3600), Some(one("192.0.2.3")));
    assert_eq!(source.reads(), 4);
}

/// What is being read then may be what the network was before.
#[test]
fn sy59_what_was_begun_to_be_read_before_the_network_changed_is_read_again() {
    let (machine, source) = machine(None, "192.0.2.1");
    *source.fingerprint.lock().unwrap() = Some(vec![Fingerprint::Missing]);
    let config = source.config.lock().unwrap();
    machine.look(5);
    wait_until(|| source.reads() == 2);
    machine.configuration.handle_network_changed();
    machine.look(6);
    drop(config);
    wait_for_reading(&machine);
    source.says("192.0.2.2");
    assert_eq!(machine.look(7), None, "it takes the first reading, and begins a second one");
    wait_for_reading(&machine);
    assert_eq!(machine.look(8), Some(one("192.0.2.2")));
    assert_eq!(source.reads(), 3);
    assert_eq!(machine.look(14), None);
    assert_eq!(source.reads(), 3);
}

#[test]
fn sy59_a_change_of_what_is_told_alone_is_told_and_begins_no_generation() {
    let (machine, source) = machine(None, "192.0.2.1");
    let error = std::io::ErrorKind::PermissionDenied.into();
    let diagnostic = Diagnostic::unreadable(ConfigSource::Hosts, &error);
    source.config.lock().unwrap().diagnostics.push(diagnostic.clone());
    machine.look(5);
    wait_for_reading(&machine);
    assert_eq!(machine.look(6), None);
    assert!(machine.configuration.current().diagnostics.contains(&diagnostic));
}

/// A look every half second is for files, which cost microseconds.
#[test]
fn sy59_the_system_is_read_once_in_five_seconds_at_most_while_nothing_responds() {
    let (machine, source) = machine(None, "192.0.2.1");
    let look = |millis| {
        let nameservers = machine.look_at(Duration::from_millis(millis), true, 0);
        wait_for_reading(&machine);
        nameservers
    };
    for at in (500..=14_500).step_by(500) {
        assert_eq!(look(at), None);
    }
    assert_eq!(source.reads(), 3);
}

#[cfg(feature = "system")]
#[test]
fn sy59_nothing_is_read_while_every_name_goes_to_the_operating_system() {
    let settings = Settings { source: Some(Source::System), ..Settings::default() };
    let (machine, source) = machine_with(settings, None, "192.0.2.1");
    for at in [5, 10, 100] {
        machine.look(at);
        wait_for_reading(&machine);
    }
    assert_eq!(source.reads(), 1);
}

/// The parent's thread was reading when this process was forked off.
#[test]
fn at01_a_child_reads_the_system_though_its_parent_was_reading_it() {
    let (machine, source) = machine(None, "192.0.2.1");
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let reader = std::thread::spawn(move || assert!(stopped.recv().is_err()));
    machine.configuration.lock().native.as_mut().unwrap().reader =
        Some(ReaderThread::of_parent(reader));
    source.says("192.0.2.2");
    machine.look(5);
    wait_for_reading(&machine);
    assert_eq!(machine.look(6), Some(one("192.0.2.2")));
    drop(stop);
}
