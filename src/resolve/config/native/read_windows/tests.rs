//! What is in the registry, read by the system's own calls. Under Wine, since a test must not write
//! into the registry of a machine that is in use.

use super::*;
use crate::resolve::config::name_routes::NameRoute;
use crate::resolve::names::search::SearchRule;

const ENV: Env<'_> = Env {
    hostname: None,
    res_options: None,
    localdomain: None,
    interfaces: &|_| None,
    has_lookup: false,
};

/// A key below that of this machine that the test has made.
struct Made(&'static str);

impl Made {
    fn new(path: &'static str) -> Self {
        LOCAL_MACHINE.create(path).unwrap();
        Self(path)
    }

    fn key(&self) -> Key {
        LOCAL_MACHINE.create(self.0).unwrap()
    }

    fn rule(&self, id: &str, names: &[&str], servers: &str, config_options: u32) {
        let rule = self.key().create(id).unwrap();
        rule.set_multi_string("Name", names).unwrap();
        rule.set_string("GenericDNSServers", servers).unwrap();
        rule.set_u32("ConfigOptions", config_options).unwrap();
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        let (parent, name) = self.0.rsplit_once('\\').unwrap();
        LOCAL_MACHINE.create(parent).unwrap().remove_tree(name).unwrap();
    }
}

/// One test, since there is one registry.
#[test]
fn os36_os37_os39_the_registry_is_read() {
    if LOCAL_MACHINE.open(r"Software\Wine").is_err() {
        return println!("skipped: this machine is in use, and not Wine");
    }
    let tcpip = LOCAL_MACHINE.create(TCPIP).unwrap();
    let search_list = |text: &str| tcpip.set_string("SearchList", text).unwrap();
    let search = || {
        let config = Windows.read(&ENV);
        let names: Vec<_> = config.search.iter().map(ToString::to_string).collect();
        names.join(" ")
    };

    // OS36: `ipconfig` itself has no search list, whatever the registry says.
    search_list("corp.example, lab.example,,");
    assert_eq!(search(), "corp.example lab.example");
    search_list("");
    tcpip.set_string("Domain", "own.example").unwrap();
    assert_eq!(search().split(' ').next(), Some("own.example"));
    let policy = Made::new(CLIENT_POLICY);
    policy.key().set_string("SearchList", "policy.example").unwrap();
    assert_eq!(search(), "policy.example");
    policy.key().set_u32("SearchList", 7).unwrap();
    assert_eq!(search().split(' ').next(), Some("own.example"), "a value of another type");
    let told: Vec<_> = Windows.read(&ENV).diagnostics.iter().map(ToString::to_string).collect();
    assert!(told.iter().any(|told| told.starts_with("registry: \"SearchList\"")), "{told:?}");
    policy.key().set_u32("AppendToMultiLabelName", 1).unwrap();
    assert_eq!(Windows.read(&ENV).search_rule, Some(SearchRule::Ndots(1)));
    drop(policy);
    assert_eq!(Windows.read(&ENV).search_rule, Some(SearchRule::SingleLabelsOnly));
    tcpip.remove_value("SearchList").unwrap();
    tcpip.remove_value("Domain").unwrap();

    // OS37.
    let system_root = std::env::var("SystemRoot").unwrap();
    let usual = PathBuf::from(format!(r"{system_root}\System32\drivers\etc\hosts"));
    let before = tcpip.get_string("DataBasePath").ok();
    for (path, hosts) in [
        (r"%SystemRoot%\System32\drivers\etc", usual.clone()),
        (r"%SystemRoot%\elsewhere", format!(r"{system_root}\elsewhere\hosts").into()),
        (r"\etc", usual.clone()),
    ] {
        tcpip.set_expand_string("DataBasePath", path).unwrap();
        assert_eq!(hosts_path(), Some(hosts), "{path}");
    }
    tcpip.remove_value("DataBasePath").unwrap();
    assert_eq!(hosts_path(), Some(usual));
    if let Some(before) = before {
        tcpip.set_expand_string("DataBasePath", before).unwrap();
    }

    // OS39.
    let routes = || {
        let routes = Windows.read(&ENV).routes;
        let line = |route: &NameRoute| format!("{:?} {:?}", route.suffix, route.to);
        routes.iter().map(line).collect::<Vec<_>>()
    };
    assert_eq!(routes(), [""; 0]);
    let local = Made::new(LOCAL_RULES);
    local.rule("{1}", &[".corp.example", "host.example"], "192.0.2.1;192.0.2.2", 8);
    local.rule("{2}", &["."], "", 2);
    let to = "Nameservers([192.0.2.1:53, 192.0.2.2:53])";
    let mut found = routes();
    found.sort();
    let expected = [
        "None System".to_owned(),
        format!("Some(\"corp.example\") {to}"),
        format!("Some(\"host.example\") {to}"),
    ];
    assert_eq!(found, expected);
    let policy = Made::new(POLICY_RULES);
    assert_eq!(routes(), [""; 0], "an empty table of a policy shuts the local one out");
    policy.rule("{3}", &[".policy.example"], "192.0.2.3", 8);
    assert_eq!(routes().len(), 1);
}

#[test]
fn os38_the_adapters_are_read() {
    let recorded = recorded();
    assert_eq!(recorded.unreadable, []);
    for adapter in &recorded.adapters {
        assert!(!adapter.name.is_empty(), "{adapter:?}");
    }
    assert!(!recorded.adapters.is_empty());
}

#[test]
fn sy31_a_panic_of_what_reads_is_an_error() {
    assert!(caught::<()>(|| panic!("an unknown status")).is_err());
    assert_eq!(caught(|| Ok(1)).unwrap(), 1);
    let error = LOCAL_MACHINE.open("no such key").map_err(io_error).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
}
