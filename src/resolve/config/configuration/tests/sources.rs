//! Whom names are asked of while the files change.

use super::*;
use crate::resolve::names::local::{Local, Plan, SystemName, local};
use crate::resolve::names::source_order::SourceOrder;
use crate::resolve::{AddressPolicy, LookupOptions};

fn of_system(name: &str) -> Plan {
    // The resolv.conf of these machines has a search list.
    Plan::System(SystemName { name: name.parse().unwrap(), is_searched: true })
}

const CONF: Option<&str> = Some("nameserver 192.0.2.53\nsearch example\n");

impl Machine {
    fn with_nsswitch(text: &str) -> Self {
        let machine = Self::new(CONF, Some("192.0.2.7 here\n"));
        machine.write("nsswitch.conf", text);
        let settings = settings_in(&machine.dir);
        machine.restarted(settings)
    }

    /// The same machine, as a program finds it that starts now.
    fn restarted(mut self, settings: Settings) -> Self {
        let (configuration, _) = Configuration::new(settings, self.start);
        self.configuration = Arc::new(configuration);
        self
    }

    fn order(&self, name: &str) -> SourceOrder {
        self.configuration.current().sources.order_of(&name.parse().unwrap())
    }

    /// Whom a lookup asks; `None` if it is answered at once.
    fn plan(&self, name: &str) -> Option<Plan> {
        let config = self.configuration.current();
        let options = LookupOptions::default();
        match local(&name.parse().unwrap(), &options, &config, &AddressPolicy::default()) {
            Local::Answered(..) => None,
            Local::Ask(ask) => Some(ask.plan),
        }
    }

    fn diagnostics(&self) -> Vec<String> {
        self.configuration.current().diagnostics.iter().map(Diagnostic::to_string).collect()
    }
}

#[test]
fn os27_a_rewritten_nsswitch_conf_is_seen_at_the_next_look_and_not_before() {
    let machine = Machine::with_nsswitch("hosts: files dns\n");
    assert_eq!(machine.plan("probe.example"), Some(Plan::Nameservers));
    machine.replace("nsswitch.conf", "passwd: files\nhosts: files probe\n");
    assert_eq!(machine.look(4), None);
    assert_eq!(machine.plan("probe.example"), Some(Plan::Nameservers), "not yet time to look");
    assert_eq!(machine.look(5), None, "the nameservers are as they were, and so is the cache");
    assert_eq!(machine.plan("probe.example"), Some(of_system("probe.example")));
    assert_eq!(machine.plan("here"), None, "the hosts file comes first in the system too");
    let because = [r#"nsswitch.conf line 2: "probe": names are asked of the operating system"#];
    assert_eq!(machine.diagnostics(), because);
    machine.replace("nsswitch.conf", "hosts: files dns\n");
    machine.look(10);
    assert_eq!(machine.plan("probe.example"), Some(Plan::Nameservers));
    assert_eq!(machine.diagnostics(), [""; 0]);
}

#[test]
fn os27_an_nsswitch_conf_without_a_hosts_line_counts_at_the_second_look() {
    for text in ["", "passwd: files\n", "hosts: files [x\n", "hosts:\n", "hosts: files sss"] {
        let machine = Machine::with_nsswitch("hosts: dns files\n");
        machine.write("nsswitch.conf", text);
        machine.look(5);
        assert_eq!(machine.order("a.b"), SourceOrder::NameserversThenHosts, "{text:?}");
        machine.look(10);
        assert_eq!(machine.order("a.b"), SourceOrder::HostsThenNameservers, "{text:?}");
    }
    let machine = Machine::with_nsswitch("hosts: dns files\n");
    machine.remove("nsswitch.conf");
    machine.look(5);
    assert_eq!(machine.order("a.b"), SourceOrder::NameserversThenHosts, "gone for a moment");
    machine.write("nsswitch.conf", "hosts: dns\n");
    machine.look(10);
    assert_eq!(machine.order("a.b"), SourceOrder::Nameservers);
}

/// Each file in turn is a directory, as a mount makes of a file that is missing.
#[test]
fn os23_d5_d8_a_file_that_cannot_be_read_asks_the_system_until_it_can() {
    for (file, text) in
        [("resolv.conf", "nameserver 192.0.2.1\n"), ("nsswitch.conf", "hosts: files dns\n")]
    {
        if file == "resolv.conf" && !cfg!(unix) {
            println!("skipped: to read a directory is forbidden here, which is no such failure");
            continue;
        }
        let machine = Machine::with_nsswitch("hosts: files dns\n");
        machine.remove(file);
        fs::create_dir(machine.dir.join(file)).unwrap();
        let settings = settings_in(&machine.dir);
        let machine = machine.restarted(settings);
        assert_eq!(machine.plan("a.b"), Some(of_system("a.b")), "{file}");
        let [unreadable, because] = &machine.diagnostics()[..] else {
            panic!("{:?}", machine.diagnostics())
        };
        assert!(unreadable.starts_with(&format!("{file}: cannot be read")), "{unreadable}");
        assert_eq!(*because, format!("{file}: names are asked of the operating system"));
        machine.look(5);
        assert_eq!(machine.plan("a.b"), Some(of_system("a.b")), "{file}");
        fs::remove_dir(machine.dir.join(file)).unwrap();
        machine.write(file, text);
        machine.look(10);
        assert_eq!(machine.plan("a.b"), Some(Plan::Nameservers), "{file}");
        assert_eq!(machine.diagnostics(), [""; 0], "{file}");
    }
}

#[test]
fn os27_an_nsswitch_conf_that_turns_unreadable_changes_nothing() {
    let machine = Machine::with_nsswitch("hosts: dns files\n");
    machine.remove("nsswitch.conf");
    fs::create_dir(machine.dir.join("nsswitch.conf")).unwrap();
    for at in [5, 10, 15] {
        machine.look(at);
        assert_eq!(machine.order("a.b"), SourceOrder::NameserversThenHosts);
    }
}

/// systemd-resolved was started, or a first container.
#[test]
fn what_a_module_depends_on_is_looked_up_at_each_look() {
    let machine = Machine::with_nsswitch("hosts: files myhostname mdns4 dns\n");
    let own_name = crate::os::hostname();
    let order = |name: &str| machine.order(name);
    let (before, any) = (own_name.as_deref().map(order), order("a.b"));
    let stale = |hostname: &str| {
        let mut files = machine.configuration.lock();
        files.sources.set_hostname(hostname);
        let config = files.lookup_config(&machine.configuration.settings);
        machine.configuration.current.store(Arc::new(config));
    };
    stale("another.example");
    assert_eq!(order("another.example"), SourceOrder::HostsThenSystem);
    machine.look(5);
    assert_eq!(order("another.example"), any);
    assert_eq!(own_name.as_deref().map(order), before);
}

#[test]
fn os31_a_program_with_nameservers_of_its_own_reads_no_nsswitch_conf() {
    // Read, it would have a diagnostic.
    let machine = Machine::with_nsswitch("hosts: sss # no comment\n");
    let own = Settings {
        nameservers: vec!["192.0.2.1:53".parse().unwrap()],
        own_calls: vec!["nameservers"],
        ..settings_in(&machine.dir)
    };
    let system = Settings { source: Some(Source::System), ..own.clone() };
    let machine = machine.restarted(own);
    assert_eq!(machine.plan("a.b"), Some(Plan::Nameservers));
    machine.replace("nsswitch.conf", "hosts: dns files\n");
    machine.look(5);
    assert_eq!(machine.plan("here"), None, "the hosts file comes first");
    assert_eq!(machine.diagnostics(), [""; 0]);

    let machine = machine.restarted(system);
    assert_eq!(machine.plan("a.b"), Some(of_system("a.b")));
    assert_eq!(
        machine.plan("here"),
        Some(of_system("here")),
        "`dns files` has the hosts file behind"
    );
    let expected = ["builder: \"nameservers\": not used, the operating system is asked"];
    assert_eq!(machine.diagnostics(), expected);
}

/// No nameserver is asked: that there is none is no complaint.
#[test]
fn rr18_no_nameserver_is_no_diagnostic_where_names_go_to_the_system() {
    let machine = Machine::with_nsswitch("hosts: files sss dns\n");
    machine.write("resolv.conf", "search example\n");
    let settings = settings_in(&machine.dir);
    let machine = machine.restarted(settings);
    let because = [r#"nsswitch.conf line 1: "sss": names are asked of the operating system"#];
    assert_eq!(machine.diagnostics(), because);
    machine.replace("nsswitch.conf", "hosts: files mdns4 dns\n");
    machine.look(5);
    let expected = [
        "resolv.conf: no nameserver, 127.0.0.1 is used",
        r#"nsswitch.conf line 1: "mdns4": some names are asked of the operating system"#,
    ];
    assert_eq!(machine.diagnostics(), expected);
    let settings = Settings { source: Some(Source::System), ..settings_in(&machine.dir) };
    assert_eq!(machine.restarted(settings).diagnostics(), [""; 0]);
}

/// A server pays for what the line names, which is nothing.
#[test]
fn a_look_that_finds_nothing_new_makes_no_new_configuration() {
    for text in ["hosts: files dns\n", "hosts: files mymachines resolve mdns4 myhostname dns\n"] {
        let machine = Machine::with_nsswitch(text);
        let before = Arc::clone(&machine.configuration.current());
        machine.look(5);
        assert!(Arc::ptr_eq(&before, &machine.configuration.current()), "{text}");
    }
}
