//! Whom a name is asked of, row by row: the files of a machine, a name, the sources.

use super::*;
use crate::HostName;
use crate::resolve::config::nsswitch;
use crate::resolve::config::resolv_conf::{self, Env};

const NSSWITCH: NameService = NameService::Nsswitch { defaults_to_dns: true };

/// A machine with glibc, a resolv.conf, and nothing in the environment.
struct World {
    service: NameService,
    hosts_line: HostsLine,
    conf: &'static str,
    conf_failure: Option<io::ErrorKind>,
    is_conf_missing: bool,
    has_hostaliases: bool,
    has_asr_config: bool,
    machine: MachineFacts,
}

impl Default for World {
    fn default() -> Self {
        Self {
            service: NSSWITCH,
            hosts_line: HostsLine::Missing,
            conf: "nameserver 192.0.2.53\n",
            conf_failure: None,
            is_conf_missing: false,
            has_hostaliases: false,
            has_asr_config: false,
            machine: MachineFacts { hostname: Some("box.example".into()), ..Default::default() },
        }
    }
}

impl World {
    fn decide(&self) -> Decision {
        let has_lookup = self.service == NameService::Lookup;
        let env = Env { has_lookup, ..Env::default() };
        decide(&Facts {
            service: self.service,
            hosts_line: &self.hosts_line,
            conf: &resolv_conf::parse(self.conf.as_bytes(), &env),
            conf_failure: self.conf_failure,
            is_conf_missing: self.is_conf_missing,
            has_hostaliases: self.has_hostaliases,
            has_asr_config: self.has_asr_config,
            machine: &self.machine,
        })
    }

    fn order(&self, name: &str) -> &'static str {
        text(self.decide().rules.order_of(&name.parse().unwrap()))
    }

    /// The order of each name is the one that stands beside it.
    #[track_caller]
    fn check(&self, rows: &[(&str, &str)]) {
        for (names, expected) in rows {
            for name in names.split(' ') {
                assert_eq!(self.order(name), *expected, "{name} of {:?}", self.hosts_line);
            }
        }
    }

    fn reasons(&self) -> Vec<String> {
        self.decide().reasons.iter().map(Diagnostic::to_string).collect()
    }
}

fn text(order: SourceOrder) -> &'static str {
    match order {
        SourceOrder::HostsThenNameservers => "hosts dns",
        SourceOrder::NameserversThenHosts => "dns hosts",
        SourceOrder::Hosts => "hosts",
        SourceOrder::Nameservers => "dns",
        SourceOrder::Nowhere => "nowhere",
        SourceOrder::HostsThenSystem => "hosts system",
        SourceOrder::System => "system",
        SourceOrder::HostsThenNameserversThenSystem => "hosts dns system",
        SourceOrder::NameserversThenSystem => "dns system",
    }
}

fn line(words: &str) -> HostsLine {
    nsswitch::parse(format!("hosts: {words}\n").as_bytes()).hosts
}

fn with(words: &str) -> World {
    World { hosts_line: line(words), ..World::default() }
}

fn with_machine(words: &str, machine: MachineFacts) -> World {
    World { machine, ..with(words) }
}

fn hostname(name: &str) -> MachineFacts {
    MachineFacts { hostname: Some(name.into()), ..Default::default() }
}

fn resolved() -> MachineFacts {
    MachineFacts { has_resolved: true, ..hostname("box") }
}

/// The decision is made when the files are read; a lookup compares one value.
#[test]
fn os23_a_server_has_one_order_for_all_names() {
    for (words, expected) in [
        ("files dns", SourceOrder::HostsThenNameservers),
        ("dns files", SourceOrder::NameserversThenHosts),
        ("files dns sss", SourceOrder::HostsThenNameserversThenSystem),
        ("files resolve dns mymachines", SourceOrder::HostsThenNameservers),
    ] {
        assert_eq!(with(words).decide().rules, SourceRules::Same(expected), "{words}");
        assert_eq!(Needs::of(&line("files dns sss")), Needs::default(), "{words}");
    }
    assert_eq!(SourceRules::default(), World::default().decide().rules);
}

/// The line may be of any length, and each lookup goes through it.
#[test]
fn os30_a_module_that_comes_again_is_kept_once() {
    let world = with(&"files a b mdns4 dns c dns files ".repeat(50_000));
    let SourceRules::ByName(rules) = world.decide().rules else { panic!("mdns4 has names") };
    assert_eq!(rules.asked.len(), 4);
    world.check(&[("a.b x.local", "hosts system")]);
    assert_eq!(world.reasons().len(), 1);
}

/// `LOCALDOMAIN` and `RES_OPTIONS` (D3), what resolv.conf does not know (D6) and nscd's socket
/// (D21) are no input; literals and special names (D1) do not come here; other names (D22) are
/// none.
#[test]
fn os32_d2_with_hostaliases_single_labels_go_to_the_system() {
    let world = World { has_hostaliases: true, ..with("files dns") };
    world.check(&[("www", "hosts system"), ("www. www.example a.b", "hosts dns")]);
    assert_eq!(world.reasons(), ["HOSTALIASES: some names are asked of the operating system"]);
    let world = World { has_hostaliases: true, ..with("dns files") };
    world.check(&[("www", "system"), ("www.example", "dns hosts")]);
    let world = World { has_hostaliases: true, ..World::default() };
    world.check(&[("www", "hosts system"), ("www.example", "hosts dns")]);
    let musl = World { has_hostaliases: true, service: NameService::HostsThenDns, ..with("x") };
    musl.check(&[("www", "hosts dns")]);
}

#[test]
fn os23_d4_d5_a_resolv_conf_that_fails_sends_names_to_the_system_unless_it_is_forbidden() {
    let missing = World { conf: "", is_conf_missing: true, ..with("files dns") };
    assert_eq!((missing.order("a.b"), missing.reasons()), ("hosts dns", vec![]));
    for (kind, expected) in [
        (io::ErrorKind::PermissionDenied, "hosts dns"),
        (io::ErrorKind::Other, "hosts system"),
        (io::ErrorKind::IsADirectory, "hosts system"),
    ] {
        let world = World { conf: "", conf_failure: Some(kind), ..with("files dns") };
        world.check(&[("a.b www", expected)]);
        let reasons = ["resolv.conf: names are asked of the operating system"];
        let expected = &reasons[..usize::from(expected != "hosts dns")];
        assert_eq!(world.reasons(), expected, "{kind}");
    }
    let kind = Some(io::ErrorKind::Other);
    let world = World { conf: "", conf_failure: kind, ..with("dns files") };
    world.check(&[("a.b", "system")]);
}

#[test]
fn os23_d6_words_that_resolv_conf_does_not_know_change_nothing() {
    let conf = "nameserver 192.0.2.53\noptions unknown\nnonsense\n";
    World { conf, ..with("files dns") }.check(&[("a.b", "hosts dns")]);
}

#[test]
fn os23_d7_without_a_hosts_line_the_hosts_file_and_the_nameservers_are_asked() {
    World::default().check(&[("a.b www x.local", "hosts dns")]);
    let illumos = NameService::Nsswitch { defaults_to_dns: false };
    let world = World { service: illumos, ..World::default() };
    assert_eq!(world.order("a.b"), "system");
    assert_eq!(world.reasons(), ["nsswitch.conf: names are asked of the operating system"]);
    World { service: illumos, ..with("files dns") }.check(&[("a.b", "hosts dns")]);
}

#[test]
fn os23_os30_d8_a_file_that_cannot_be_read_asks_the_system_and_a_broken_line_does_not() {
    let world = World { hosts_line: HostsLine::Unreadable, ..World::default() };
    assert_eq!(world.order("a.b"), "system");
    assert_eq!(world.reasons(), ["nsswitch.conf: names are asked of the operating system"]);
    for words in ["sss [BOGUS=return] dns", ""] {
        let world = with(words);
        assert_eq!((world.order("a.b"), world.reasons()), ("hosts dns", vec![]), "{words}");
        // It would fail, too.
        let kind = Some(io::ErrorKind::Other);
        let world = World { has_hostaliases: true, conf_failure: kind, ..world };
        assert_eq!((world.order("www"), world.reasons()), ("hosts dns", vec![]), "{words}");
    }
}

#[test]
fn os23_d9_criteria_other_than_the_default_ask_the_system() {
    for (words, expected) in [
        ("files [success=return] dns [success=return notfound=continue]", "hosts dns"),
        ("files dns [notfound=return]", "hosts dns"),
        ("files dns [unavail=return tryagain=return]", "hosts dns"),
        ("files [notfound=return]", "hosts"),
        ("files [notfound=return] dns", "hosts system"),
        ("files [!unavail=return] dns", "hosts system"),
        ("files dns [!unavail=return]", "hosts system"),
        ("dns [!unavail=return] files", "system"),
        ("dns [notfound=return] files", "system"),
        // More than the hosts file may be wanted, and it does not end the lookup.
        ("files [success=continue] dns", "system"),
        ("files [success=merge] dns", "system"),
        ("dns [tryagain=return] files", "system"),
        ("files dns [notfound=return] sss", "hosts system"),
    ] {
        let world = with(words);
        world.check(&[("a.b www", expected)]);
        let is_own = !expected.contains("system");
        assert_eq!(world.reasons().is_empty(), is_own, "{words}");
    }
    let expected = [r#"nsswitch.conf line 1: "dns": names are asked of the operating system"#];
    assert_eq!(with("dns [!unavail=return] files").reasons(), expected);
}

#[test]
fn os23_os26_d10_the_hosts_file_and_the_nameservers_in_the_order_of_the_line() {
    for (words, expected) in [
        ("files dns", "hosts dns"),
        ("dns files", "dns hosts"),
        ("files", "hosts"),
        ("dns", "dns"),
        ("files dns files", "hosts dns"),
        ("dns files dns", "dns hosts"),
        ("myhostname", "nowhere"),
        ("files # dns", "hosts dns"),
    ] {
        let world = with(words);
        world.check(&[("a.b www x.local", expected)]);
    }
}

#[test]
fn os23_d11_myhostname_has_the_names_of_this_machine() {
    let own = "box.example BOX.example. _gateway _Outbound localhost.localdomain \
               x.localhost.localdomain";
    let others = "a.b box www box.example.com gateway xlocalhost.localdomain";
    with("files dns myhostname").check(&[(own, "hosts system"), (others, "hosts dns")]);
    with("files myhostname dns").check(&[(own, "hosts system"), (others, "hosts dns")]);
    with("myhostname files dns").check(&[(own, "system"), (others, "hosts dns")]);
    with("dns files myhostname").check(&[(own, "system"), (others, "dns hosts")]);
    let nameless = MachineFacts::default();
    with_machine("files myhostname dns", nameless).check(&[("box.example", "hosts dns")]);
    let expected =
        [r#"nsswitch.conf line 1: "myhostname": some names are asked of the operating system"#];
    assert_eq!(with("files dns myhostname").reasons(), expected);
    // It says of all other names that they are not found.
    with("myhostname [notfound=return] files dns").check(&[("a.b", "system")]);
    // Behind the last module there is nothing more to ask.
    with("files dns myhostname [notfound=return]").check(&[("a.b", "hosts dns")]);
}

#[test]
fn os23_d12_minimal_mdns_has_names_of_two_labels() {
    for module in ["mdns_minimal", "mdns4_minimal", "mdns6_minimal"] {
        let local = "printer.local Printer.LOCAL.";
        let others = "local x.printer.local a.b printer xlocal.xlocal";
        let world = with(&format!("files {module} [NOTFOUND=return] dns"));
        world.check(&[(local, "hosts system"), (others, "hosts dns")]);
        let world = with(&format!("{module} files dns"));
        world.check(&[(local, "system"), (others, "hosts dns")]);
        // nss-mdns is "unavailable" for names that are not its own.
        let world = with(&format!("files {module} [unavail=return] dns"));
        world.check(&[(local, "hosts system"), (others, "hosts system")]);
    }
}

#[test]
fn os23_d13_mdns_has_all_names_below_local_and_with_mdns_allow_any() {
    for module in ["mdns", "mdns4", "mdns6"] {
        let words = format!("files {module} dns");
        let local = "printer.local x.printer.LOCAL";
        with(&words).check(&[(local, "hosts system"), ("a.b local printer", "hosts dns")]);
        let machine = MachineFacts { has_mdns_allow: true, ..Default::default() };
        with_machine(&words, machine).check(&[("x.local a.b www", "hosts system")]);
    }
}

#[test]
fn os23_d14_resolve_without_its_daemon_is_passed_over() {
    with("files resolve [!UNAVAIL=return] dns").check(&[("a.b www x.local", "hosts dns")]);
    with("resolve [!UNAVAIL=return] dns files").check(&[("a.b", "dns hosts")]);
    with("resolve files").check(&[("a.b", "hosts")]);
    with("resolve").check(&[("a.b", "nowhere")]);
    // The lookup ends where it is not available.
    with("resolve [unavail=return] files dns").check(&[("a.b", "system")]);
}

#[test]
fn os23_os28_d15_the_stub_of_resolved_is_asked_as_a_nameserver() {
    let own = "a.b local.b box.example";
    let others = "www _gateway x.local a.x.local local box localhost.localdomain";
    for (words, expected, of_system) in [
        ("files resolve [!UNAVAIL=return] dns", "hosts dns", "hosts system"),
        ("resolve [!UNAVAIL=return] files myhostname dns", "hosts dns", "system"),
        ("files resolve", "hosts dns", "hosts system"),
        ("resolve", "dns", "system"),
        ("resolve files", "dns hosts", "system"),
    ] {
        for conf in ["nameserver 127.0.0.53\n", "nameserver 127.0.0.54\nnameserver 127.0.0.53\n"] {
            let world = World { conf, ..with_machine(words, resolved()) };
            world.check(&[(own, expected), (others, of_system)]);
        }
    }
    let conf = "nameserver 127.0.0.53\n";
    // What it finds would not end the lookup.
    let words = "files resolve [success=continue] dns";
    World { conf, ..with_machine(words, resolved()) }.check(&[("a.b", "hosts system")]);
    // It stands for `dns`, so that what follows it is asked for what it has not.
    let world = World { conf, ..with_machine("files resolve sss", resolved()) };
    world.check(&[("a.b", "hosts dns system"), ("www", "hosts system")]);
}

#[test]
fn os23_os28_d16_resolved_beside_other_nameservers_has_all_names() {
    for conf in [
        "nameserver 192.0.2.53\n",
        "nameserver 127.0.0.53\nnameserver 192.0.2.53\n",
        "nameserver 127.0.0.1\n",
        "",
    ] {
        for (words, expected) in
            [("files resolve dns", "hosts system"), ("resolve [!UNAVAIL=return] files", "system")]
        {
            let world = World { conf, ..with_machine(words, resolved()) };
            world.check(&[("a.b www x.local", expected)]);
        }
    }
}

#[test]
fn os23_d17_mymachines_has_single_labels_while_there_is_a_machine() {
    let words = "files mymachines dns";
    with(words).check(&[("www a.b", "hosts dns")]);
    let machine = MachineFacts { has_machines: true, ..Default::default() };
    with_machine(words, machine.clone())
        .check(&[("www www.", "hosts system"), ("a.b", "hosts dns")]);
    with_machine("mymachines files dns", machine).check(&[("www", "system"), ("a.b", "hosts dns")]);
}

#[test]
fn os23_d18_wins_has_short_single_labels() {
    let world = with("files dns wins");
    world.check(&[("fileserver a23456789012345", "hosts system")]);
    world.check(&[("a234567890123456 a.b", "hosts dns")]);
}

#[test]
fn os23_d19_any_other_module_before_dns_has_every_name() {
    for module in [
        "sss",
        "ldap",
        "nis",
        "winbind",
        "libvirt",
        "libvirt_guest",
        "db",
        "compat",
        "hesiod",
        "extrausers",
        "unheard-of",
        // Names of modules are names of files.
        "Dns",
        "FILES",
    ] {
        let world = with(&format!("files {module} dns"));
        world.check(&[("a.b www x.local", "hosts system")]);
        let because =
            format!("nsswitch.conf line 1: \"{module}\": names are asked of the operating system");
        assert_eq!(world.reasons(), [because]);
        with(&format!("{module} files dns")).check(&[("a.b", "system")]);
        with(&format!("files {module}")).check(&[("a.b", "hosts system")]);
        with(&format!("files {module} dns {module}")).check(&[("a.b", "hosts system")]);
    }
}

#[test]
fn os23_os25_d20_any_other_module_behind_dns_is_asked_for_what_nameservers_have_not() {
    let world = with("files dns sss myhostname");
    world.check(&[("a.b www", "hosts dns system"), ("box.example", "hosts system")]);
    let expected = [
        "nsswitch.conf line 1: \"sss\": names that are not found are asked of the operating system",
        "nsswitch.conf line 1: \"myhostname\": some names are asked of the operating system",
    ];
    assert_eq!(world.reasons(), expected);
    with("dns sss").check(&[("a.b", "dns system")]);
    // The system asks the hosts file, too.
    with("dns files sss").check(&[("a.b", "dns system")]);
    with("dns sss files").check(&[("a.b", "dns system")]);
}

#[test]
fn os23_each_target_has_its_own_place_for_the_order() {
    for (service, is_conf_missing, expected) in [
        (NameService::HostsThenDns, false, "hosts dns"),
        (NameService::HostsThenDns, true, "hosts dns"),
        (NameService::Opaque, false, "hosts system"),
        (NameService::Opaque, true, "hosts system"),
        (NameService::Unknown, false, "hosts dns"),
        (NameService::Unknown, true, "hosts system"),
    ] {
        let world = World { service, is_conf_missing, ..with("sss") };
        world.check(&[("a.b", expected)]);
        assert_eq!(world.reasons(), [""; 0], "that is how it is there");
    }
}

#[test]
fn os23_openbsd_has_it_in_resolv_conf() {
    let because = ["resolv.conf line 1: \"lookup\": names are asked of the operating system"];
    for (conf, expected) in [
        ("lookup bind file\n", "dns hosts"),
        ("lookup file bind\n", "hosts dns"),
        ("lookup file\n", "hosts"),
        ("lookup bind\n", "dns"),
        ("nameserver 192.0.2.53\n", "dns hosts"),
        ("lookup file bind yp\n", "hosts system"),
        ("lookup file foo\n", "hosts system"),
        ("lookup yp\n", "system"),
        ("lookup bind yp\n", "system"),
        ("lookup bind bind\n", "system"),
    ] {
        let world = World { service: NameService::Lookup, conf, ..World::default() };
        world.check(&[("a.b x.local", expected)]);
        let count = usize::from(expected.contains("system"));
        assert_eq!(world.reasons(), because[..count], "{conf}");
    }
    let service = NameService::Lookup;
    let world = World { service, conf: "", is_conf_missing: true, ..World::default() };
    world.check(&[("a.b", "hosts")]);
    let world = World { service, has_asr_config: true, ..World::default() };
    world.check(&[("a.b", "system")]);
    assert_eq!(world.reasons(), ["ASR_CONFIG: names are asked of the operating system"]);
}

/// The rows of Go's `net/conf_test.go` with what they come to here.
#[test]
fn os23_as_in_go_but_for_what_is_argued_beside_the_row() {
    let go = |words| with_machine(words, hostname("myhostname"));
    // With no resolv.conf all the same, as most of them are.
    let go = |words| World { conf: "", is_conf_missing: true, ..go(words) };
    go("dns files").check(&[("x.com x", "dns hosts")]);
    // Go asks the system for `x.local` whatever nsswitch.conf has; without a module for it, the C
    // library asks DNS, and so does this.
    go("dns files").check(&[("x.local", "dns hosts")]);
    go("files dns").check(&[("x.com x x.local", "hosts dns")]);
    // Go: the system, for any module that it does not know. Here what nameservers have is theirs.
    go("dns files something_custom").check(&[("x.com", "dns system")]);
    let trusty = "files mdns4_minimal [NOTFOUND=return] dns mdns4";
    go(trusty).check(&[("foo.local foo.local. foo.LOCAL foo.LOCAL.", "hosts system")]);
    go(trusty).check(&[("google.com", "hosts dns")]);
    World { conf: "", is_conf_missing: true, ..World::default() }
        .check(&[("google.com", "hosts dns")]);
    go("files mdns dns").check(&[("x.com", "hosts dns"), ("x.local", "hosts system")]);
    go("dns").check(&[("x.com", "dns")]);
    let mut world = go("files mdns dns");
    world.machine.has_mdns_allow = true;
    world.check(&[("x.com x.local", "hosts system")]);
    let world = go("files dns myhostname");
    world.check(&[
        ("x.com somehostname", "hosts dns"),
        ("myhostname myHostname localhost.localdomain Localhost.Localdomain", "hosts system"),
        ("anything.localhost.localdomain Anything.Localhost.Localdomain", "hosts system"),
        // Go: the system. nss-myhostname has had `_gateway` in its place since systemd 235, and
        // `localhost` is answered before (D1).
        ("gateway Gateway", "hosts dns"),
    ]);
    let dotted = with_machine("files dns myhostname", hostname("myhostname.dot"));
    dotted.check(&[("myhostname.dot myHostname.dot", "hosts system")]);
    let ubuntu = go("files myhostname mdns4_minimal [NOTFOUND=return] dns mdns4");
    ubuntu.check(&[("x.com somehostname", "hosts dns"), ("myhostname", "hosts system")]);
    let squeeze = "dns [success=return notfound=continue unavail=continue tryagain=continue] \
                   files [notfound=return]";
    go(squeeze).check(&[("x.com somehostname", "dns hosts")]);
    // Go takes `return` on the last criterion of any module for the default. The C library asks no
    // nameserver then.
    go("files [notfound=return] dns").check(&[("x.com", "hosts system")]);
    // Go: the system for what resolv.conf has and it does not know. The C library passes it over.
    World { conf: "options unknown\n", ..World::default() }.check(&[("google.com", "hosts dns")]);
    let android = World { service: NameService::Opaque, ..World::default() };
    android.check(&[("x.com", "hosts system")]);
}

#[test]
fn os31_what_a_program_wants_of_the_system_it_gets_behind_a_hosts_file_that_comes_first() {
    for (words, name, expected) in [
        ("files dns", "a.b", "hosts system"),
        ("dns files", "a.b", "system"),
        ("files", "a.b", "hosts system"),
        ("dns", "a.b", "system"),
        ("files dns sss", "a.b", "hosts system"),
        ("dns sss", "a.b", "system"),
        ("myhostname files dns", "a.b", "hosts system"),
        ("myhostname files dns", "_gateway", "system"),
    ] {
        let Decision { rules, reasons } = with(words).decide().by_request();
        assert_eq!(text(rules.order_of(&name.parse().unwrap())), expected, "{words}");
        assert_eq!(reasons, [], "the program has said so");
    }
}

#[test]
fn only_what_the_line_needs_is_looked_up() {
    let none = Needs::default();
    for (words, expected) in [
        ("files dns sss wins mdns4_minimal", none),
        ("files myhostname dns", Needs { hostname: true, ..none }),
        ("files mdns4 dns", Needs { mdns_allow: true, ..none }),
        ("files mymachines dns", Needs { machines: true, ..none }),
        ("files resolve dns", Needs { resolved: true, hostname: true, ..none }),
    ] {
        assert_eq!(Needs::of(&line(words)), expected, "{words}");
    }
    assert_eq!(Needs::of(&HostsLine::Missing), none);
}

#[test]
fn a_name_has_the_order_of_its_text_whatever_its_case_and_its_final_dot() {
    let world = with("files mdns4 myhostname dns");
    for name in ["x.local", "box.example", "a.b", "_gateway"] {
        let dotted: HostName = format!("{name}.").to_uppercase().parse().unwrap();
        assert_eq!(text(world.decide().rules.order_of(&dotted)), world.order(name), "{name}");
    }
}
