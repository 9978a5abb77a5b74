//! Recorded machines with Windows.

use super::*;

fn ips(texts: &str) -> Vec<IpAddr> {
    texts.split_whitespace().map(|text| text.parse().unwrap()).collect()
}

/// An adapter that is up, with these nameservers and gateways, and a metric for both families.
fn adapter(nameservers: &str, gateways: &str, metric: u32) -> Adapter {
    Adapter {
        name: format!("{{{nameservers}}}"),
        is_up: true,
        nameservers: ips(nameservers),
        gateways: ips(gateways),
        ipv4_metric: metric,
        ipv6_metric: metric,
        ipv6_index: 7,
        ..Adapter::default()
    }
}

fn of_adapters(adapters: Vec<Adapter>) -> NativeConfig {
    native_config(Recorded { adapters, ..Recorded::default() })
}

fn of_registry(registry: Registry) -> NativeConfig {
    native_config(Recorded { registry, ..Recorded::default() })
}

fn nameservers(adapters: Vec<Adapter>) -> Vec<String> {
    of_adapters(adapters).nameservers.iter().map(ToString::to_string).collect()
}

fn search(config: &NativeConfig) -> Vec<&str> {
    config.search.iter().map(HostName::as_str).collect()
}

fn complaints(config: &NativeConfig) -> Vec<String> {
    config.diagnostics.iter().map(ToString::to_string).collect()
}

#[expect(clippy::unnecessary_wraps, reason = "as the values of the registry are")]
fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn os38_only_adapters_that_are_up_and_no_loopback() {
    let down = Adapter { is_up: false, ..adapter("192.0.2.1", "192.0.2.254", 1) };
    let loopback = Adapter { is_loopback: true, ..adapter("192.0.2.2", "192.0.2.254", 1) };
    assert_eq!(nameservers(vec![down, loopback, adapter("192.0.2.3", "", 9)]), ["192.0.2.3:53"]);
    assert_eq!(nameservers(vec![]), [""; 0]);
}

/// The home Wi-Fi of a laptop that is idle, and the wired network of the office.
#[test]
fn os38_a_gateway_then_the_metric_then_the_order_of_the_list() {
    for (adapters, order) in [
        (["192.0.2.1 > 50", "192.0.2.2 192.0.2.254 > 90"], "192.0.2.2:53 192.0.2.1:53"),
        (["192.0.2.1 192.0.2.254 > 50", "192.0.2.2 192.0.2.254 > 25"], "192.0.2.2:53 192.0.2.1:53"),
        (["192.0.2.1 192.0.2.254 > 25", "192.0.2.2 192.0.2.254 > 25"], "192.0.2.1:53 192.0.2.2:53"),
        (["192.0.2.1 2001:db8::fe > 1", "192.0.2.2 192.0.2.254 > 2"], "192.0.2.2:53 192.0.2.1:53"),
        (
            ["2001:db8::1 192.0.2.254 > 1", "2001:db8::2 fe80::1 > 2"],
            "[2001:db8::2]:53 [2001:db8::1]:53",
        ),
    ] {
        let adapters = adapters.map(|text| {
            let (addresses, metric) = text.split_once('>').unwrap();
            let (nameserver, gateway) = addresses.trim().split_once(' ').unwrap_or((addresses, ""));
            adapter(nameserver, gateway, metric.trim().parse().unwrap())
        });
        assert_eq!(nameservers(adapters.to_vec()).join(" "), order, "{adapters:?}");
    }
}

#[test]
fn os38_each_family_has_its_own_metric() {
    let one = Adapter { ipv4_metric: 1, ipv6_metric: 9, ..adapter("192.0.2.1 2001:db8::1", "", 0) };
    let two = Adapter { ipv4_metric: 5, ipv6_metric: 3, ..adapter("192.0.2.2 2001:db8::2", "", 0) };
    let order = ["192.0.2.1:53", "[2001:db8::2]:53", "192.0.2.2:53"];
    assert_eq!(nameservers(vec![one, two]), order);
}

#[test]
fn os38_a_link_local_nameserver_has_the_scope_of_its_adapter() {
    let servers = "fe80::1 2001:db8::1";
    assert_eq!(nameservers(vec![adapter(servers, "", 0)]), ["[fe80::1%7]:53", "[2001:db8::1]:53"]);
    let two = [3, 4].map(|ipv6_index| Adapter { ipv6_index, ..adapter("fe80::1", "", 0) });
    assert_eq!(nameservers(two.to_vec()), ["[fe80::1%3]:53", "[fe80::1%4]:53"]);
    let config = of_adapters(vec![Adapter { ipv6_index: 0, ..adapter("fe80::1", "", 0) }]);
    assert_eq!(config.nameservers, []);
    assert_eq!(complaints(&config), ["network adapters: \"fe80::1\": no such interface"]);
}

#[test]
fn os38_what_is_no_nameserver_is_skipped_and_three_are_kept() {
    let made_up = "fec0:0:0:ffff::1 fec0:0:0:ffff::2 fec0:0:0:ffff::3";
    assert_eq!(nameservers(vec![adapter(made_up, "2001:db8::1", 0)]), [""; 0]);
    let skipped = adapter("0.0.0.0 :: fec0::1 192.0.2.1 192.0.2.1", "", 0);
    let config =
        of_adapters(vec![skipped, adapter("192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4", "", 0)]);
    let kept: Vec<String> = config.nameservers.iter().map(ToString::to_string).collect();
    assert_eq!(kept, ["192.0.2.1:53", "192.0.2.2:53", "192.0.2.3:53"]);
    let complaint = "network adapters: \"192.0.2.4\": not used, three nameservers come before it";
    assert_eq!(complaints(&config), [complaint]);
}

#[test]
fn os36_the_search_list_of_the_machine() {
    let of = |list: &str| of_registry(Registry { search_list: text(list), ..Registry::default() });
    for (list, expected) in [
        ("corp.example,lab.example", &["corp.example", "lab.example"][..]),
        ("corp.example lab.example", &["corp.example", "lab.example"]),
        ("corp.example\tlab.example\0", &["corp.example", "lab.example"]),
        (",, corp.example. ,,", &["corp.example"]),
        ("", &[]),
        (" , ", &[]),
    ] {
        let config = of(list);
        assert_eq!(search(&config), expected, "{list:?}");
        assert_eq!(complaints(&config), [""; 0], "{list:?}");
    }
    let config = of("corp.example,-x,lab.example");
    assert_eq!(search(&config), ["corp.example", "lab.example"]);
    assert_eq!(config.diagnostics.len(), 1);
    assert_eq!(config.diagnostics[0].word(), Some("-x"));
}

/// Each source of the search list, from the one that holds before all others.
#[test]
fn os36_the_first_search_list_that_is_not_empty_holds() {
    let adapters = ["{A}", "{b}"].map(|name| Adapter { name: name.into(), ..adapter("", "", 0) });
    let interface = |name: &str, domain: Option<&str>, dhcp: Option<&str>| InterfaceDomains {
        name: name.into(),
        domain: domain.map(str::to_owned),
        dhcp_domain: dhcp.map(str::to_owned),
    };
    let mut registry = Registry {
        policy_search_list: text("policy.example"),
        search_list: text("list.example"),
        policy_primary_suffix: text("policy-suffix.example"),
        domain: text("domain.example"),
        interfaces: vec![
            interface("{B}", Some(""), Some("dhcp-b.example")),
            interface("{a}", Some("a.example"), Some("dhcp-a.example")),
            interface("{C}", Some("other.example"), None),
        ],
        ..Registry::default()
    };
    let of = |registry: &Registry| {
        let (adapters, registry) = (adapters.to_vec(), registry.clone());
        let config = native_config(Recorded { adapters, registry, ..Recorded::default() });
        search(&config).join(" ")
    };
    assert_eq!(of(&registry), "policy.example");
    registry.policy_search_list = text(" ");
    assert_eq!(of(&registry), "list.example");
    registry.search_list = None;
    assert_eq!(of(&registry), "policy-suffix.example a.example dhcp-b.example");
    registry.policy_primary_suffix = text("");
    assert_eq!(of(&registry), "domain.example a.example dhcp-b.example");
    registry.domain = None;
    assert_eq!(of(&registry), "a.example dhcp-b.example");
    registry.interfaces[0].dhcp_domain = text("a.example");
    assert_eq!(of(&registry), "a.example", "a suffix that two adapters have comes once");
}

#[test]
fn os36_of_a_long_search_list_the_first_64_suffixes_are_used_each_once() {
    let list = |count| {
        let suffixes = (0..count).flat_map(|n| [format!("n{n}.example"), "n0.example".into()]);
        let search_list = Some(suffixes.collect::<Vec<_>>().join(","));
        of_registry(Registry { search_list, ..Registry::default() })
    };
    let whole = list(64);
    assert_eq!((search(&whole).len(), complaints(&whole)), (64, vec![]));
    let long = list(20_000);
    assert_eq!(search(&long), search(&whole));
    let complaint =
        "registry: \"n64.example\": 19936 suffixes are not searched, 64 come before them";
    assert_eq!(complaints(&long), [complaint]);
}

#[test]
fn sy35_the_policy_says_whether_names_with_a_dot_are_searched() {
    for (append_to_multi_label, rule) in [
        (None, SearchRule::SingleLabelsOnly),
        (Some(0), SearchRule::SingleLabelsOnly),
        (Some(1), SearchRule::Ndots(1)),
    ] {
        let config = of_registry(Registry { append_to_multi_label, ..Registry::default() });
        assert_eq!(config.search_rule, Some(rule));
    }
}

fn rule(names: &[&str], servers: &str, config_options: u32) -> NrptRule {
    NrptRule {
        names: names.iter().map(|&name| name.to_owned()).collect(),
        servers: text(servers),
        config_options: Some(config_options),
    }
}

/// The routes of rules of this machine, each in a line.
fn routes_of(local_rules: Vec<NrptRule>) -> Vec<String> {
    routes_in(&of_registry(Registry { local_rules, ..Registry::default() }))
}

fn routes_in(config: &NativeConfig) -> Vec<String> {
    let line = |route: &NameRoute| {
        assert!(route.order == 0 && !route.is_search, "{route:?}");
        let suffix = route.suffix.as_ref().map_or(".", HostName::as_str);
        let exact = if route.is_exact { " alone" } else { "" };
        let to = match &route.to {
            RouteTarget::Nameservers(nameservers) => {
                nameservers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
            }
            other => format!("{other:?}"),
        };
        format!("{suffix}{exact}: {to}")
    };
    config.routes.iter().map(line).collect()
}

#[test]
fn os39_a_name_is_a_suffix_or_that_name_alone_or_every_name() {
    let rules = vec![rule(
        &[".corp.example", "host.corp.example", ".", "", " .Lab.example. ", ""],
        "192.0.2.1;2001:db8::1",
        8,
    )];
    let to = "192.0.2.1:53 [2001:db8::1]:53";
    let expected = ["corp.example", "host.corp.example alone", ".", "Lab.example"]
        .map(|names| format!("{names}: {to}"));
    assert_eq!(routes_of(rules), expected);
}

#[test]
fn os39_a_rule_with_more_than_nameservers_is_for_the_system() {
    for (config_options, servers, to) in [
        (8, "192.0.2.1", Some("192.0.2.1:53")),
        (
            8,
            " 192.0.2.1 ; ;192.0.2.2,192.0.2.3;192.0.2.4",
            Some("192.0.2.1:53 192.0.2.2:53 192.0.2.3:53"),
        ),
        (8, "", Some("System")),
        (8, "nameserver.example", Some("System")),
        // As of an adapter, what cannot be asked is not, and nothing is asked twice.
        (8, "0.0.0.0;::;fe80::1", Some("System")),
        (
            8,
            "fe80::1;192.0.2.1;192.0.2.1;0.0.0.0;192.0.2.2;192.0.2.3",
            Some("192.0.2.1:53 192.0.2.2:53 192.0.2.3:53"),
        ),
        (0xa, "192.0.2.1", Some("System")),
        (0xc, "192.0.2.1", Some("System")),
        (0x18, "192.0.2.1", Some("System")),
        (0x2, "", Some("System")),
        (0, "192.0.2.1", None),
    ] {
        let expected: Vec<String> = to.iter().map(|to| format!("corp.example: {to}")).collect();
        let rules = vec![rule(&[".corp.example"], servers, config_options)];
        assert_eq!(routes_of(rules), expected, "{config_options:x} {servers:?}");
    }
    let unset = NrptRule { config_options: None, ..rule(&[".corp.example"], "192.0.2.1", 8) };
    assert_eq!(routes_of(vec![unset]), [""; 0]);
}

#[test]
fn os39_the_table_of_a_policy_shuts_out_the_local_one_even_if_it_is_empty() {
    let local_rules = vec![rule(&[".local-rule.example"], "192.0.2.1", 8)];
    let registry = Registry { local_rules, ..Registry::default() };
    assert_eq!(routes_in(&of_registry(registry.clone())).len(), 1);
    let empty = Registry { policy_rules: Some(vec![]), ..registry.clone() };
    assert_eq!(routes_in(&of_registry(empty)), [""; 0]);
    let policy_rules = Some(vec![rule(&[".policy.example"], "192.0.2.2", 8)]);
    let policy = Registry { policy_rules, ..registry };
    assert_eq!(routes_in(&of_registry(policy)), ["policy.example: 192.0.2.2:53"]);
}

#[test]
fn os39_a_part_that_is_wrong_is_skipped_and_told() {
    let local_rules = vec![
        rule(&["..", ".-x", ".corp.example"], "192.0.2.1;nonsense", 8),
        rule(&[".lab.example"], "192.0.2.2", 8),
    ];
    let config = of_registry(Registry { local_rules, ..Registry::default() });
    assert_eq!(routes_in(&config), ["corp.example: 192.0.2.1:53", "lab.example: 192.0.2.2:53"]);
    let words: Vec<_> = config.diagnostics.iter().filter_map(Diagnostic::word).collect();
    assert_eq!(words, ["nonsense", ".", "-x"]);
}

#[test]
fn what_could_not_be_read_is_told_and_the_rest_holds() {
    let error = std::io::ErrorKind::PermissionDenied.into();
    let unreadable = vec![Diagnostic::unreadable(ConfigSource::Adapters, &error)];
    let registry = Registry { search_list: text("corp.example"), ..Registry::default() };
    let recorded = Recorded { registry, is_partial: true, unreadable, ..Recorded::default() };
    let config = native_config(recorded);
    assert!(config.is_partial);
    assert_eq!(search(&config), ["corp.example"]);
    assert_eq!(complaints(&config), ["network adapters: cannot be read (permission denied)"]);
}

fn variable(name: &str) -> Option<String> {
    match name {
        "SystemRoot" => text(r"C:\Windows"),
        "windir" => text(r"D:\winnt"),
        _ => None,
    }
}

#[test]
fn os37_the_folder_of_the_hosts_file_is_that_of_the_registry() {
    let usual = r"C:\Windows\System32\drivers\etc\hosts";
    for (database_path, path) in [
        (None, usual),
        (Some(r"%SystemRoot%\System32\drivers\etc"), usual),
        (Some(r"%SYSTEMROOT%\elsewhere\"), r"C:\Windows\elsewhere\hosts"),
        (Some("%windir%\\etc\0"), r"D:\winnt\etc\hosts"),
        (Some(r" E:\etc "), r"E:\etc\hosts"),
        (Some(r"%windir%"), r"D:\winnt\hosts"),
        // Where any user may make the folder, or where nothing is, the usual one holds.
        (Some(r"\etc"), usual),
        (Some("/etc"), usual),
        (Some("etc"), usual),
        (Some(r"E:etc"), usual),
        (Some(r"\\server\share"), usual),
        (Some(r"%ProgramData%\etc"), usual),
        (Some(r"C:\%TEMP%"), usual),
        (Some("%"), usual),
        (Some("\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}"), usual),
        (Some(""), usual),
    ] {
        assert_eq!(hosts_path(database_path, &variable), Some(path.into()), "{database_path:?}");
    }
}

#[test]
fn os37_a_folder_of_windows_without_a_drive_is_not_looked_at() {
    for (root, hosts) in [
        (r"C:\Windows", Some(r"C:\Windows\System32\drivers\etc\hosts")),
        (r"d:\winnt", Some(r"d:\winnt\System32\drivers\etc\hosts")),
        (r"\Windows", None),
        ("/Windows", None),
        ("C:Windows", None),
        (r"Windows", None),
        (r"\\server\share", None),
        (r"1:\Windows", None),
        ("", None),
    ] {
        let variable = |_: &str| Some(root.to_owned());
        let at = |path: Option<&str>| hosts_path(path, &variable);
        assert_eq!(at(None), hosts.map(PathBuf::from), "{root}");
        assert_eq!(at(Some(r"%SystemRoot%\System32\drivers\etc")), at(None), "{root}");
    }
    assert_eq!(hosts_path(None, &|_| None), None);
}
