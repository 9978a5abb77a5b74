//! Property lists and files of Macs, recorded and broken.

use std::time::Duration;

use super::*;

/// A machine with the interfaces `en0` and `utun3`.
fn interfaces(name: &str) -> Option<u32> {
    match name {
        "en0" => Some(4),
        "utun3" => Some(11),
        _ => None,
    }
}

fn config(recorded: Recorded) -> NativeConfig {
    let env = Env { interfaces: &interfaces, ..Env::default() };
    native_config(recorded, &env)
}

/// Of the store: keys, and the members of their dictionaries.
fn store(entries: &[(&str, &str)]) -> NativeConfig {
    let entry = |&(key, members): &(&str, &str)| {
        let xml = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \
             \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n\
             <plist version=\"1.0\">\n<dict>\n{members}</dict>\n</plist>\n"
        );
        (key.to_owned(), xml.into_bytes())
    };
    config(Recorded { store: entries.iter().map(entry).collect(), ..Recorded::default() })
}

fn files(files: &[(&str, &str)]) -> NativeConfig {
    let file = |&(name, text): &(&str, &str)| (name.to_owned(), text.as_bytes().to_vec());
    config(Recorded { resolver_files: files.iter().map(file).collect(), ..Recorded::default() })
}

fn service(name: &str) -> String {
    format!("State:/Network/Service/{name}/DNS")
}

/// A member whose value is an array of texts.
fn texts(key: &str, texts: &[&str]) -> String {
    let items: Vec<_> = texts.iter().map(|text| format!("\t\t<string>{text}</string>\n")).collect();
    let items = items.concat();
    format!("\t<key>{key}</key>\n\t<array>\n{items}\t</array>\n")
}

fn nameservers(config: &NativeConfig) -> Vec<String> {
    config.nameservers.iter().map(ToString::to_string).collect()
}

fn search(config: &NativeConfig) -> Vec<&str> {
    config.search.iter().map(HostName::as_str).collect()
}

fn routes(config: &NativeConfig) -> Vec<String> {
    let line = |route: &NameRoute| {
        assert!(!route.is_exact, "{route:?}");
        let suffix = route.suffix.as_ref().map_or(".", HostName::as_str);
        let to: Vec<_> = match &route.to {
            RouteTarget::Nameservers(nameservers) => {
                nameservers.iter().map(ToString::to_string).collect()
            }
            other => vec![format!("{other:?}")],
        };
        let search = if route.is_search { " searched" } else { "" };
        format!("{suffix} {} {}{search}", route.order, to.join(" "))
    };
    config.routes.iter().map(line).collect()
}

fn complaints(config: &NativeConfig) -> Vec<String> {
    config.diagnostics.iter().map(ToString::to_string).collect()
}

const NOTHING: [&str; 0] = [];

#[test]
fn os40_the_default_resolver() {
    let members = texts("ServerAddresses", &["192.0.2.1", "2001:db8::1", "fe80::1%en0"])
        + "\t<key>DomainName</key>\n\t<string>lan</string>\n"
        + &texts("SearchDomains", &["lab.example", "Corp.example."])
        + "\t<key>__CONFIGURATION_ID__</key>\n\t<string>Default: 0</string>\n\
           \t<key>__FLAGS__</key>\n\t<integer>6</integer>\n\
           \t<key>__IF_INDEX__</key>\n\t<integer>14</integer>\n\
           \t<key>__ORDER__</key>\n\t<integer>0</integer>\n";
    let config = store(&[(GLOBAL, &members)]);
    assert_eq!(nameservers(&config), ["192.0.2.1:53", "[2001:db8::1]:53", "[fe80::1%4]:53"]);
    assert_eq!(search(&config), ["lab.example", "Corp.example"]);
    assert_eq!((routes(&config), complaints(&config)), (vec![], vec![]));
    assert_eq!((config.options, config.search_rule), (None, None));
}

#[test]
fn os40_without_a_search_list_the_domain_is_searched() {
    let domain = "<key>DomainName</key><string>lan</string>";
    assert_eq!(search(&store(&[(GLOBAL, domain)])), ["lan"]);
    let empty = format!("{domain}{}", texts("SearchDomains", &[]));
    assert_eq!(search(&store(&[(GLOBAL, &empty)])), ["lan"]);
}

#[test]
fn os40_a_vpn_gives_routes_in_its_order() {
    let global = texts("ServerAddresses", &["192.0.2.1"]);
    let vpn = texts("ServerAddresses", &["198.51.100.1", "198.51.100.2"])
        + &texts("SupplementalMatchDomains", &["corp.example", "eu.corp.example."])
        + "<key>SupplementalMatchOrders</key><array><integer>101600</integer></array>";
    let quiet = texts("ServerAddresses", &["203.0.113.1"])
        + &texts("SupplementalMatchDomains", &["lab.example"])
        + "<key>SupplementalMatchDomainsNoSearch</key><integer>1</integer>";
    let config = store(&[(&service("B"), &quiet), (GLOBAL, &global), (&service("A"), &vpn)]);
    assert_eq!(nameservers(&config), ["192.0.2.1:53"]);
    assert_eq!(
        routes(&config),
        [
            "corp.example 101600 198.51.100.1:53 198.51.100.2:53 searched",
            "eu.corp.example 0 198.51.100.1:53 198.51.100.2:53 searched",
            "lab.example 0 203.0.113.1:53",
        ]
    );
    assert_eq!(complaints(&config), NOTHING);
}

/// openfortivpn sends every name to the VPN so.
#[test]
fn os40_an_empty_match_domain_is_every_name() {
    let vpn =
        texts("ServerAddresses", &["198.51.100.1"]) + &texts("SupplementalMatchDomains", &[""]);
    let config = store(&[(&service("A"), &vpn)]);
    assert_eq!(routes(&config), [". 0 198.51.100.1:53"]);
    assert_eq!(nameservers(&config), NOTHING);
}

/// The resolver of the wired network is a service too, and so is that of an idle Wi-Fi.
#[test]
fn os40_a_service_without_match_domains_gives_nothing() {
    let wired = texts("ServerAddresses", &["192.0.2.1"]) + &texts("SearchDomains", &["lan"]);
    let config = store(&[(&service("A"), &wired)]);
    assert_eq!(config, NativeConfig::default());
}

/// The nameservers of the default resolver are not to see its names.
#[test]
fn os40_match_domains_without_a_usable_nameserver_are_for_the_system() {
    let domains = texts("SupplementalMatchDomains", &["corp.example"]);
    let route = ["corp.example 0 System searched"];
    assert_eq!(routes(&store(&[(&service("A"), &domains)])), route);
    for unusable in ["nonsense", "fe80::1"] {
        let members = texts("ServerAddresses", &[unusable]) + &domains;
        let config = store(&[(&service("A"), &members)]);
        assert_eq!(routes(&config), route, "{unusable}");
        assert_eq!(config.diagnostics.len(), 1, "{unusable}");
    }
}

#[test]
fn os40_a_port_and_an_interface_count_for_each_nameserver() {
    let members = texts("ServerAddresses", &["192.0.2.1", "fe80::1", "fe80::2%en0"])
        + "<key>ServerPort</key><integer>5300</integer>\
           <key>InterfaceName</key><string>utun3</string>";
    let config = store(&[(GLOBAL, &members)]);
    assert_eq!(nameservers(&config), ["192.0.2.1:5300", "[fe80::1%11]:5300", "[fe80::2%4]:5300"]);
    for port in ["0", "65536", "-1"] {
        let members = texts("ServerAddresses", &["192.0.2.1"])
            + &format!("<key>ServerPort</key><integer>{port}</integer>");
        let config = store(&[(GLOBAL, &members)]);
        assert_eq!(nameservers(&config), ["192.0.2.1:53"]);
        assert_eq!(complaints(&config), [format!("dynamic store: \"{port}\": not a port")]);
    }
}

#[test]
fn os40_options_are_those_of_resolv_conf() {
    let members = "<key>Options</key><string>ndots:2 timeout:3 nonsense</string>";
    let recorded = |xml: String| Recorded {
        store: vec![(GLOBAL.to_owned(), xml.into_bytes())],
        ..Recorded::default()
    };
    let res_options = Some("ndots:4 rubbish");
    let env = Env { res_options, interfaces: &interfaces, ..Env::default() };
    let config = native_config(recorded(format!("<dict>{members}</dict>")), &env);
    let options = config.options.as_ref().unwrap();
    assert_eq!((options.ndots, options.timeout), (4, Duration::from_secs(3)));
    assert_eq!(complaints(&config), ["dynamic store: \"nonsense\": unknown option"]);
}

#[test]
fn os40_a_bad_part_is_skipped_and_told() {
    for (members, nameserver, complaint) in [
        (
            texts("ServerAddresses", &["192.0.2.1", "nonsense"]),
            "192.0.2.1:53",
            "\"nonsense\": not an IP address",
        ),
        (
            texts("ServerAddresses", &["fe80::1%en9", "192.0.2.1"]),
            "192.0.2.1:53",
            "\"fe80::1%en9\": no such interface",
        ),
        (
            texts("ServerAddresses", &["fe80::1", "192.0.2.1"]),
            "192.0.2.1:53",
            "\"fe80::1\": no such interface",
        ),
        (
            "<key>ServerAddresses</key><array><integer>1</integer><string>192.0.2.1</string></array>".into(),
            "192.0.2.1:53",
            "\"ServerAddresses\": a value of another type",
        ),
        (
            texts("ServerAddresses", &["192.0.2.1"]) + "<key>SearchDomains</key><string>lan</string>",
            "192.0.2.1:53",
            "\"SearchDomains\": a value of another type",
        ),
        (
            texts("ServerAddresses", &["192.0.2.1"]) + "<key>DomainName</key><true/>",
            "192.0.2.1:53",
            "\"DomainName\": a value of another type",
        ),
        (
            texts("ServerAddresses", &["192.0.2.1"]) + "<key>Sear",
            "192.0.2.1:53",
            "\"State:/Network/Global/DNS\": not a property list to its end",
        ),
    ] {
        let config = store(&[(GLOBAL, &members)]);
        assert_eq!(nameservers(&config), [nameserver], "{members}");
        assert_eq!(complaints(&config), [format!("dynamic store: {complaint}")], "{members}");
    }
    let bad = texts("ServerAddresses", &["192.0.2.1"])
        + &texts("SupplementalMatchDomains", &["-x", "corp.example"])
        + "<key>SupplementalMatchOrders</key><array><integer>1</integer><integer>-2</integer></array>";
    let config = store(&[(&service("A"), &bad)]);
    assert_eq!(routes(&config), ["corp.example 4294967295 192.0.2.1:53 searched"]);
    assert_eq!(complaints(&config).len(), 1);
}

#[test]
fn os40_a_value_that_is_no_dictionary_gives_nothing() {
    for xml in ["", "nonsense", "<string>192.0.2.1</string>", "<array/>", "<dict/>", "<dict>"] {
        let store = vec![(GLOBAL.to_owned(), xml.as_bytes().to_vec())];
        let config = config(Recorded { store, ..Recorded::default() });
        assert_eq!(nameservers(&config), NOTHING, "{xml}");
        assert!(config.diagnostics.len() <= 1, "{xml}");
        // A value that could not be had may have had nameservers or routes.
        assert_eq!(config.is_partial, xml.is_empty(), "{xml}");
    }
}

#[test]
fn os40_of_four_nameservers_three_are_kept_each_once() {
    let all = ["192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"];
    let config = store(&[(GLOBAL, &texts("ServerAddresses", &all))]);
    assert_eq!(nameservers(&config), ["192.0.2.1:53", "192.0.2.2:53", "192.0.2.3:53"]);
    let told = "dynamic store: \"192.0.2.4\": not used, three nameservers come before it";
    assert_eq!(complaints(&config), [told]);
}

#[test]
fn os41_each_file_is_a_route_by_its_name() {
    let config = files(&[
        ("lab.example", "nameserver 192.0.2.2\nnameserver fe80::1%en0\n"),
        ("corp", "# the office\nnameserver 192.0.2.1 ; and no other\n"),
        (".hidden", "nameserver 192.0.2.3\n"),
        ("empty", ""),
        ("without", "domain other\nport 5300\n"),
    ]);
    assert_eq!(
        routes(&config),
        ["corp 0 192.0.2.1:53", "lab.example 0 192.0.2.2:53 [fe80::1%4]:53"]
    );
    assert_eq!(complaints(&config), NOTHING);
}

#[test]
fn os41_domain_port_and_order_of_a_file() {
    for (text, route) in [
        ("domain other.\nnameserver 192.0.2.1", "other 0 192.0.2.1:53"),
        ("port 5300\nnameserver 192.0.2.1", "corp 0 192.0.2.1:5300"),
        ("nameserver 192.0.2.1\nport 5300", "corp 0 192.0.2.1:5300"),
        ("nameserver 192.0.2.1.5300", "corp 0 192.0.2.1:5300"),
        ("nameserver 2001:db8::1.5300\nport 54", "corp 0 [2001:db8::1]:5300"),
        ("search_order 2\r\nnameserver 192.0.2.1\r\n", "corp 2 192.0.2.1:53"),
    ] {
        let config = files(&[("corp", text)]);
        assert_eq!(routes(&config), [route], "{text:?}");
        assert_eq!(complaints(&config), NOTHING, "{text:?}");
    }
}

#[test]
fn os41_what_a_file_has_besides_is_told_with_its_line() {
    for (line, complaint) in [
        ("timeout 3", "\"corp: timeout\": not supported"),
        ("search lab.example", "\"corp: search\": not supported"),
        ("options ndots:2", "\"corp: options\": not supported"),
        ("nameservr 192.0.2.1", "\"corp: nameservr\": unknown keyword"),
        ("nameserver nonsense", "\"corp: nonsense\": not an IP address"),
        ("nameserver 192.0.2.2.0", "\"corp: 192.0.2.2.0\": not an IP address"),
        ("nameserver fe80::1%en9", "\"corp: fe80::1%en9\": no such interface"),
        ("nameserver", "\"corp: nameserver\": the value is missing"),
        ("port 0", "\"corp: 0\": not a port"),
        ("port +1", "\"corp: +1\": not a port"),
        ("search_order first", "\"corp: search_order\": the option needs a number"),
    ] {
        let config = files(&[("corp", &format!("nameserver 192.0.2.1\n{line}\n"))]);
        assert_eq!(routes(&config), ["corp 0 192.0.2.1:53"], "{line}");
        assert_eq!(complaints(&config), [format!("/etc/resolver line 2: {complaint}")]);
    }
    let config = files(&[("-x", "nameserver 192.0.2.1"), ("corp", "nameserver 192.0.2.1")]);
    assert_eq!(routes(&config), ["corp 0 192.0.2.1:53"]);
    assert_eq!(config.diagnostics.len(), 1);
}

#[test]
fn os41_a_file_whose_nameservers_cannot_be_asked_is_for_the_system() {
    for text in ["nameserver nonsense", "nameserver fe80::1", "nameserver fe80::1%en9\nport 5300"] {
        let config = files(&[("corp", text)]);
        assert_eq!(routes(&config), ["corp 0 System"], "{text}");
        assert_eq!(config.diagnostics.len(), 1, "{text}");
    }
    let twice = "nameserver 192.0.2.1\nnameserver fe80::1\nnameserver 192.0.2.1\n\
                 nameserver 192.0.2.2\nnameserver 192.0.2.3\n";
    let config = files(&[("corp", twice)]);
    assert_eq!(routes(&config), ["corp 0 192.0.2.1:53 192.0.2.2:53 192.0.2.3:53"]);
    assert_eq!(complaints(&config), ["/etc/resolver line 2: \"corp: fe80::1\": no such interface"]);
}

proptest::proptest! {
    #[test]
    fn os41_any_file_is_a_route_at_most(text: Vec<u8>) {
        let resolver_files = vec![("corp".to_owned(), text)];
        let config = config(Recorded { resolver_files, ..Recorded::default() });
        proptest::prop_assert!(config.routes.len() <= 1);
    }
}
