//! Files that change under a resolver. Real files, and a time that only the test moves.

use std::fs;
use std::net::SocketAddr;
use std::sync::atomic::AtomicU32;

use super::*;
use crate::os::NameService;
use crate::resolve::{DiagnosticCause, Source};

#[cfg(feature = "system")]
mod sources;

mod native;

/// A directory of a test's own, with a resolver's files in it.
struct Machine {
    dir: PathBuf,
    start: Instant,
    configuration: Arc<Configuration>,
}

/// Those of glibc whose files stand in `dir`, whatever this machine has.
fn settings_in(dir: &Path) -> Settings {
    Settings {
        resolv_conf: Some(dir.join("resolv.conf")),
        hosts: Some(dir.join("hosts")),
        nsswitch: Some(dir.join("nsswitch.conf")),
        name_service: NameService::Nsswitch { defaults_to_dns: true },
        environment: false,
        native: None,
        ..Settings::default()
    }
}

impl Machine {
    fn new(resolv_conf: Option<&str>, hosts: Option<&str>) -> Self {
        Self::with(Vec::new(), resolv_conf, hosts)
    }

    fn with(nameservers: Vec<SocketAddr>, resolv_conf: Option<&str>, hosts: Option<&str>) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("outrace-configuration-{}-{number}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        // Of a run that was killed, whose process had this number.
        drop(fs::remove_dir_all(&dir));
        fs::create_dir(&dir).unwrap();
        let machine = |start, configuration| Self { dir: dir.clone(), start, configuration };
        let settings = Settings { nameservers, ..settings_in(&dir) };
        for (file, text) in [("resolv.conf", resolv_conf), ("hosts", hosts)] {
            if let Some(text) = text {
                fs::write(dir.join(file), text).unwrap();
            }
        }
        let start = Instant::now();
        let (configuration, _) = Configuration::new(settings, start);
        machine(start, Arc::new(configuration))
    }

    fn write(&self, file: &str, text: &str) {
        fs::write(self.dir.join(file), text).unwrap();
    }

    fn replace(&self, file: &str, text: &str) {
        self.write("new", text);
        fs::rename(self.dir.join("new"), self.dir.join(file)).unwrap();
    }

    fn remove(&self, file: &str) {
        fs::remove_file(self.dir.join(file)).unwrap();
    }

    /// A lookup is made so many seconds after the start. Returns the nameservers from then on, if
    /// a new generation begins.
    fn look(&self, seconds: u64) -> Option<Vec<String>> {
        self.look_after_sleep(seconds, 0)
    }

    fn look_after_sleep(&self, seconds: u64, suspended_for: u64) -> Option<Vec<String>> {
        self.look_at(Duration::from_secs(seconds), false, suspended_for)
    }

    fn look_at(&self, after: Duration, is_urgent: bool, suspended_for: u64) -> Option<Vec<String>> {
        let mut nameservers = None;
        self.configuration.refresh(
            self.start + after,
            is_urgent,
            || Duration::from_secs(suspended_for),
            |config| {
                nameservers = Some(config.nameservers.iter().map(ToString::to_string).collect());
            },
        );
        nameservers
    }

    fn addresses(&self, name: &str) -> Vec<String> {
        let entry = self.configuration.current().hosts.lookup(&name.parse().unwrap());
        let addresses = entry.into_iter().flat_map(|entry| entry.addresses);
        addresses.map(|(ip, _)| ip.to_string()).collect()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.dir));
    }
}

fn one(nameserver: &str) -> Vec<String> {
    vec![format!("{nameserver}:53")]
}

#[test]
fn rc20_a_replaced_file_is_seen_at_the_next_look_and_not_before() {
    let machine = Machine::new(Some("nameserver 192.0.2.1\n"), None);
    machine.replace("resolv.conf", "nameserver 192.0.2.2\n");
    assert_eq!(machine.look(4), None, "not yet time to look");
    assert_eq!(machine.look(5), Some(one("192.0.2.2")));
    assert_eq!(machine.look(10), None, "it has not changed again");
}

#[test]
fn rc20_a_replaced_file_of_the_same_length_and_time_is_seen() {
    let machine = Machine::new(Some("nameserver 192.0.2.1\n"), None);
    let path = machine.dir.join("resolv.conf");
    let before = fs::metadata(&path).unwrap().modified().unwrap();
    machine.write("new", "nameserver 192.0.2.2\n");
    let new = fs::File::options().write(true).open(machine.dir.join("new")).unwrap();
    new.set_modified(before).unwrap();
    fs::rename(machine.dir.join("new"), &path).unwrap();
    assert_eq!(machine.look(5), Some(one("192.0.2.2")));
}

#[cfg(unix)]
#[test]
fn rc20_a_link_that_is_turned_elsewhere_is_seen() {
    let machine = Machine::new(None, None);
    machine.write("wired", "nameserver 192.0.2.1\n");
    machine.write("wireless", "nameserver 192.0.2.2\n");
    let link = machine.dir.join("resolv.conf");
    std::os::unix::fs::symlink("wired", &link).unwrap();
    assert_eq!(machine.look(5), Some(one("192.0.2.1")));
    machine.remove("resolv.conf");
    std::os::unix::fs::symlink("wireless", &link).unwrap();
    assert_eq!(machine.look(10), Some(one("192.0.2.2")));
}

#[test]
fn rc20_no_reload_is_honoured() {
    let machine = Machine::new(Some("nameserver 192.0.2.1\noptions no-reload\n"), None);
    machine.replace("resolv.conf", "nameserver 192.0.2.2\n");
    assert_eq!(machine.look(5), None);
    assert_eq!(machine.look(500), None);
}

#[test]
fn rc21_an_empty_file_counts_when_it_is_still_empty_at_the_second_look() {
    for text in ["", "# nothing\n", "nameserver nonsense\n"] {
        let machine = Machine::new(Some("nameserver 192.0.2.1\n"), None);
        machine.write("resolv.conf", text);
        assert_eq!(machine.look(5), None, "{text:?}: the last good one holds");
        assert_eq!(machine.look(10), Some(one("127.0.0.1")), "{text:?}");
        machine.write("resolv.conf", "nameserver 192.0.2.2\n");
        assert_eq!(machine.look(15), Some(one("192.0.2.2")), "{text:?}");
    }
}

#[test]
fn rc21_an_empty_file_is_doubted_beside_nameservers_of_the_builder_too() {
    let machine =
        Machine::with(vec!["192.0.2.9:53".parse().unwrap()], Some("search example\n"), None);
    machine.write("resolv.conf", "");
    assert_eq!(machine.look(5), None);
    assert_eq!(machine.configuration.current().search.len(), 1);
    assert_eq!(machine.look(10), Some(one("192.0.2.9")));
    assert_eq!(machine.configuration.current().search.len(), 0);
}

/// A process that is out of descriptors can look at a file, and not read it. Here it is a
/// directory.
#[test]
fn b05_a_file_that_cannot_be_read_is_tried_again_and_changes_nothing() {
    let machine = Machine::new(Some("nameserver 192.0.2.1\n"), Some("192.0.2.7 here\n"));
    for file in ["resolv.conf", "hosts"] {
        machine.remove(file);
        fs::create_dir(machine.dir.join(file)).unwrap();
    }
    for at in [5, 10, 15, 20] {
        assert_eq!(machine.look(at), None);
        assert_eq!(machine.addresses("here"), ["192.0.2.7"]);
    }
    for file in ["resolv.conf", "hosts"] {
        fs::remove_dir(machine.dir.join(file)).unwrap();
    }
    machine.write("resolv.conf", "nameserver 192.0.2.2\n");
    machine.write("hosts", "192.0.2.8 here\n");
    assert_eq!(machine.look(25), Some(one("192.0.2.2")));
    assert_eq!(machine.addresses("here"), ["192.0.2.8"]);
}

#[test]
fn a_file_that_could_not_be_read_at_the_start_is_tried_again() {
    let machine = Machine::new(None, None);
    fs::create_dir(machine.dir.join("resolv.conf")).unwrap();
    let settings = Settings { source: Some(Source::Own), ..settings_in(&machine.dir) };
    let (configuration, first) = Configuration::new(settings, machine.start);
    assert_eq!(first.nameservers, ["127.0.0.1:53".parse().unwrap()]);
    let causes: Vec<_> =
        configuration.current().diagnostics.iter().map(Diagnostic::cause).collect();
    let [DiagnosticCause::Unreadable(_), DiagnosticCause::NoNameserver] = causes[..] else {
        panic!("{causes:?}")
    };
    let mut watch = configuration.lock().conf_watch.clone();
    let path = machine.dir.join("resolv.conf");
    assert!(watch.has_changed(&fingerprint(Some(&path))), "whatever it looks like now");
}

/// A user's `tracing` subscriber is called while files are read, and may panic.
#[test]
fn a_panic_while_files_are_read_does_not_end_the_looks() {
    let machine = Machine::new(Some("nameserver 192.0.2.1\n"), None);
    let configuration = Arc::clone(&machine.configuration);
    let panicked = std::thread::spawn(move || {
        let _state = configuration.lock();
        panic!("a panic with the lock held, as this test wants it");
    });
    panicked.join().unwrap_err();
    machine.replace("resolv.conf", "nameserver 192.0.2.2\n");
    assert_eq!(machine.look(5), Some(one("192.0.2.2")));
}

#[test]
fn rc21_a_file_that_is_gone_for_a_moment_is_not_missed() {
    let machine = Machine::new(Some("nameserver 192.0.2.1\n"), None);
    machine.remove("resolv.conf");
    assert_eq!(machine.look(5), None);
    machine.write("resolv.conf", "nameserver 192.0.2.2\n");
    assert_eq!(machine.look(10), Some(one("192.0.2.2")));
}

/// A program that was started before the network was there.
#[test]
fn t22_offline_at_the_start_and_online_later_heals() {
    let machine = Machine::new(None, None);
    assert_eq!(machine.look(5), None);
    machine.write("resolv.conf", "nameserver 192.0.2.1\nsearch example\n");
    assert_eq!(machine.look(3600), Some(one("192.0.2.1")));
    assert_eq!(machine.configuration.current().search.len(), 1);
}

#[test]
fn ho14_a_changed_hosts_file_is_seen_and_a_removed_one_is_empty_at_the_second_look() {
    let machine = Machine::new(Some("nameserver 192.0.2.1\n"), Some("192.0.2.7 here\n"));
    assert_eq!(machine.addresses("here"), ["192.0.2.7"]);
    machine.replace("hosts", "192.0.2.8 here\n192.0.2.9 there\n");
    assert_eq!(machine.look(5), None, "nameservers are as they were, and so is the cache");
    assert_eq!(machine.addresses("here"), ["192.0.2.8"]);
    assert_eq!(machine.addresses("there"), ["192.0.2.9"]);
    machine.remove("hosts");
    machine.look(10);
    assert_eq!(machine.addresses("here"), ["192.0.2.8"], "it may be put back in a moment");
    machine.look(15);
    assert_eq!(machine.addresses("here"), [""; 0]);
}

#[test]
fn ho14_an_emptied_hosts_file_holds_for_one_more_look() {
    let machine = Machine::new(None, Some("192.0.2.7 here\n"));
    machine.write("hosts", "");
    machine.look(5);
    assert_eq!(machine.addresses("here"), ["192.0.2.7"]);
    machine.look(10);
    assert_eq!(machine.addresses("here"), [""; 0]);
}

/// Read on a thread of its own, while the one before holds, and put in its place at once.
#[test]
fn ho14_a_large_hosts_file_delays_no_lookup() {
    let machine = Machine::new(None, Some("192.0.2.7 here\n"));
    let lines: Vec<_> = (0..100_000).map(|n| format!("0.0.0.0 n{n}.example")).collect();
    machine.replace("hosts", &lines.join("\n"));
    machine.look(5);
    assert!(matches!(machine.addresses("here").as_slice(), [] | [_]), "the old or the new, whole");
    // The thread has it under the lock when it is done.
    while machine.configuration.lock().is_reading_hosts() {
        std::thread::yield_now();
    }
    assert_eq!(machine.addresses("here"), [""; 0]);
    assert_eq!(machine.addresses("n99999.example"), ["0.0.0.0"]);
    machine.look(10);
    assert!(!machine.configuration.lock().is_reading_hosts(), "it has not changed again");
}

#[test]
fn ho15_what_a_lookup_got_is_its_own() {
    let machine = Machine::new(None, Some("192.0.2.7 here\n"));
    let current = machine.configuration.current();
    let mut entry = current.hosts.lookup(&"here".parse().unwrap()).unwrap();
    entry.addresses.clear();
    assert_eq!(machine.addresses("here"), ["192.0.2.7"]);
    machine.replace("hosts", "192.0.2.8 here\n");
    machine.look(5);
    let kept = current.hosts.lookup(&"here".parse().unwrap()).unwrap();
    assert_eq!(kept.addresses[0].0.to_string(), "192.0.2.7", "a lookup that began before");
}

#[test]
fn t23_a_machine_that_slept_may_have_woken_up_elsewhere() {
    let machine = Machine::new(Some("nameserver 192.0.2.1\n"), None);
    assert_eq!(machine.look_after_sleep(5, 0), None);
    assert_eq!(machine.look_after_sleep(3605, 3600), Some(one("192.0.2.1")));
    assert_eq!(machine.look_after_sleep(3610, 3600), None, "once");
    assert_eq!(machine.look_after_sleep(3615, 3604), None, "a nap");
}

#[test]
fn diagnostics_are_those_of_the_files_as_they_are() {
    let machine = Machine::new(Some("nameserver 192.0.2.1\nnonsense\n"), None);
    assert_eq!(machine.configuration.current().diagnostics.len(), 1);
    machine.replace("resolv.conf", "nameserver 192.0.2.1\n");
    machine.look(5);
    assert!(machine.configuration.current().diagnostics.is_empty());
}

#[test]
fn rr18_no_nameserver_is_a_diagnostic_unless_the_builder_has_one() {
    let text = |machine: &Machine| {
        let config = machine.configuration.current();
        config.diagnostics.iter().map(Diagnostic::to_string).collect::<Vec<_>>()
    };
    let expected = ["resolv.conf: no nameserver, 127.0.0.1 is used"];
    let machine = Machine::new(None, None);
    assert_eq!(text(&machine), expected, "no file");
    machine.write("resolv.conf", "nameserver 192.0.2.1\n");
    machine.look(5);
    assert_eq!(text(&machine), [""; 0], "a file with a nameserver");
    assert_eq!(text(&Machine::new(Some("search example\n"), None)), expected, "none in the file");
    let nameservers = vec!["192.0.2.1:53".parse().unwrap()];
    assert_eq!(text(&Machine::with(nameservers, None, None)), [""; 0], "one of the builder");
}

/// It was a directory, as a mount makes of a file that is missing.
#[test]
fn at10_a_file_that_is_well_again_has_no_diagnostic() {
    for file in ["hosts", "resolv.conf"] {
        let machine = Machine::new(Some("nameserver 192.0.2.1\n"), Some("192.0.2.1 www\n"));
        fs::remove_file(machine.dir.join(file)).unwrap();
        fs::create_dir(machine.dir.join(file)).unwrap();
        let (configuration, _) = Configuration::new(settings_in(&machine.dir), machine.start);
        let configuration = Arc::new(configuration);
        let is_well = || configuration.current().diagnostics.is_empty();
        assert!(!is_well(), "{file}");
        fs::remove_dir(machine.dir.join(file)).unwrap();
        machine.write(file, if file == "hosts" { "192.0.2.2 www\n" } else { "nameserver ::1\n" });
        configuration.refresh(
            machine.start + Duration::from_secs(5),
            false,
            || Duration::ZERO,
            |_| {},
        );
        assert!(is_well(), "{file}: {:?}", configuration.current().diagnostics);
    }
}

/// The file is likely to be corrected soon, and each look may be the one that finds it so.
#[test]
fn rr23_while_no_nameserver_responds_the_next_look_is_due_soon() {
    let machine = Machine::new(Some("nameserver 192.0.2.1\n"), None);
    let look = |millis, is_urgent| machine.look_at(Duration::from_millis(millis), is_urgent, 0);
    machine.write("resolv.conf", "nameserver 192.0.2.2\n");
    assert_eq!(look(4999, false), None, "all is well");
    assert_eq!(look(499, true), None, "too soon");
    assert_eq!(look(500, true), Some(vec!["192.0.2.2:53".to_owned()]));
    machine.write("resolv.conf", "nameserver 192.0.2.3\n");
    assert_eq!(look(999, true), None, "too soon after the last");
    assert_eq!(look(1000, true), Some(vec!["192.0.2.3:53".to_owned()]));
}

#[test]
fn os45_when_the_program_says_so_the_next_lookup_looks_at_once_and_begins_a_generation() {
    let machine = Machine::new(Some("nameserver 192.0.2.1\n"), None);
    assert_eq!(machine.look(1), None, "it has said nothing yet");
    machine.configuration.handle_network_changed();
    // Nothing has changed in the files, and it is not yet time.
    assert_eq!(machine.look(1), Some(one("192.0.2.1")));
    assert_eq!(machine.look(1), None);
    machine.write("resolv.conf", "nameserver 192.0.2.2\n");
    assert_eq!(machine.look(2), None);
    machine.configuration.handle_network_changed();
    assert_eq!(machine.look(2), Some(one("192.0.2.2")), "the file is read, too");
    assert_eq!(machine.look(7), None, "the next look comes in its time");
}

#[test]
fn os45_ten_thousand_changes_in_a_row_cost_one_look() {
    let machine = Machine::new(Some("nameserver 192.0.2.1\n"), None);
    (0..10_000).for_each(|_| machine.configuration.handle_network_changed());
    let looks = (0..10_000).filter(|_| machine.look(1).is_some()).count();
    assert_eq!(looks, 1);
}

#[test]
fn os45_a_change_that_no_lookup_could_look_at_is_looked_at_by_the_next() {
    let machine = Machine::new(Some("nameserver 192.0.2.1\n"), None);
    machine.configuration.handle_network_changed();
    let files = machine.configuration.lock();
    assert_eq!(machine.look(1), None, "another thread has the files");
    drop(files);
    assert_eq!(machine.look(1), Some(one("192.0.2.1")));
}

#[test]
fn os45_after_a_minute_without_lookups_the_first_one_looks() {
    let machine = Machine::new(Some("nameserver 192.0.2.1\n"), None);
    machine.write("resolv.conf", "nameserver 192.0.2.2\n");
    assert_eq!(machine.look(60), Some(one("192.0.2.2")));
}

/// An interface that was made again has another index under the same name.
#[cfg(target_os = "linux")]
#[test]
fn rr06_the_zone_of_a_nameserver_is_looked_up_at_each_look() {
    let machine = Machine::new(Some("nameserver fe80::1%lo\nsearch example\n"), None);
    let nameserver = machine.configuration.lock().conf.nameservers[0];
    let SocketAddr::V6(mut stale) = nameserver else { panic!("{nameserver}") };
    stale.set_scope_id(stale.scope_id() + 1000);
    machine.configuration.lock().conf.nameservers[0] = stale.into();
    assert_eq!(machine.look(5), Some(vec![nameserver.to_string()]));
    assert_eq!(machine.look(10), None, "nothing has changed since");

    let machine = Machine::new(Some("nameserver 192.0.2.1\nnameserver fe80::1%none\n"), None);
    machine.configuration.lock().conf.diagnostics.clear();
    assert!(machine.look(5).is_some(), "an interface that is not there yet counts as well");
}

/// `no-reload` is about a changed file, and this one means something else unchanged.
#[cfg(target_os = "linux")]
#[test]
fn rr06_the_zone_of_a_nameserver_is_looked_up_with_no_reload_too() {
    let text = "nameserver fe80::1%lo\nsearch example\noptions no-reload\n";
    let machine = Machine::new(Some(text), None);
    let nameserver = machine.configuration.lock().conf.nameservers[0];
    machine.configuration.lock().conf.nameservers[0] = "[fe80::1%1000]:53".parse().unwrap();
    assert_eq!(machine.look(5), Some(vec![nameserver.to_string()]));
    machine.replace("resolv.conf", "nameserver 192.0.2.2\n");
    assert_eq!(machine.look(10), None);
}

/// The parent's thread was reading when this process was forked off.
#[test]
fn at01_a_child_reads_the_hosts_file_though_its_parent_was_reading_it() {
    let machine = Machine::new(None, Some("192.0.2.1 www\n"));
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let reader = std::thread::spawn(move || assert!(stopped.recv().is_err()));
    machine.configuration.lock().hosts_reader = Some(ReaderThread::of_parent(reader));
    machine.replace("hosts", "192.0.2.2 www\n");
    machine.look(5);
    assert_eq!(machine.addresses("www"), ["192.0.2.2"]);
    drop(stop);
}

/// A block list, which is not read at each look to find out.
#[cfg(target_os = "linux")]
#[test]
fn rr06_the_zone_of_an_address_in_a_large_hosts_file_is_looked_up_at_each_look() {
    let block_list = "0.0.0.0 blocked.example\n".repeat(10_000);
    let text = format!("fe80::1%lo www\n{block_list}");
    let machine = Machine::new(None, Some(&text));
    let addresses = || {
        let hosts = Arc::clone(&machine.configuration.current().hosts);
        hosts.lookup(&"www".parse().unwrap()).map(|entry| entry.addresses)
    };
    let look = |seconds| {
        machine.look(seconds);
        let reader = machine.configuration.lock().hosts_reader.take();
        reader.map(|reader| reader.join().unwrap())
    };
    let expected = addresses();
    assert!(expected.is_some());
    assert!(look(5).is_none(), "it names the interfaces that there are, and is not read again");
    let without = Hosts::parse(text.as_bytes(), &|_| None);
    machine.configuration.lock().hosts = Arc::new(without);
    assert!(look(10).is_some(), "an interface was made");
    assert_eq!(addresses(), expected);
    assert!(look(15).is_none());
}

#[cfg(target_os = "linux")]
#[test]
fn rr06_the_zone_of_an_address_in_hosts_is_looked_up_at_each_look() {
    let text = "fe80::1%lo www\nfe80::2%7 www\n";
    let machine = Machine::new(None, Some(text));
    let hosts = || Arc::clone(&machine.configuration.current().hosts);
    let addresses = || hosts().lookup(&"www".parse().unwrap()).map(|entry| entry.addresses);
    let expected = addresses();
    for stale in [Some(1000), None] {
        machine.configuration.lock().hosts = Arc::new(Hosts::parse(text.as_bytes(), &|_| stale));
        let seconds = if stale.is_some() { 5 } else { 15 };
        machine.look(seconds);
        assert_eq!(addresses(), expected);
        let before = hosts();
        machine.look(seconds + 5);
        assert!(Arc::ptr_eq(&hosts(), &before), "nothing has changed since");
        assert!(Arc::ptr_eq(&machine.configuration.lock().hosts, &before), "it was replaced");
    }
}

#[test]
fn rr06_the_domain_of_the_host_name_is_looked_up_at_each_look_unless_there_is_a_search_list() {
    for (text, is_looked_up) in
        [("nameserver 192.0.2.1\n", true), ("nameserver 192.0.2.1\nsearch example\n", false)]
    {
        let machine = Machine::new(Some(text), None);
        let search = Arc::clone(&machine.configuration.current().search);
        let stale = Arc::from(["stale.example".parse().unwrap()]);
        machine.configuration.lock().conf.search = stale;
        assert_eq!(machine.look(5).is_some(), is_looked_up, "{text:?}");
        assert_eq!(machine.configuration.current().search, search);
        assert_eq!(machine.look(10), None, "nothing has changed since");
    }
}

/// A thousand changes, and nothing is left of those before (`b05`).
#[test]
fn b05_a_thousand_changes_leave_one_snapshot() {
    let machine = Machine::new(Some("nameserver 192.0.2.1\n"), None);
    let first = Arc::downgrade(&machine.configuration.current());
    for n in 1..=1000 {
        machine.replace("resolv.conf", &format!("nameserver 192.0.2.{}\n", 1 + n % 200));
        assert!(machine.look(5 * n).is_some(), "change {n}");
    }
    assert!(first.upgrade().is_none(), "the first one is held nowhere");
}
