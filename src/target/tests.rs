//! Which texts are targets, and what is said of the others.

use proptest::prelude::*;

use super::*;

/// A machine with two interfaces.
fn interfaces(name: &str) -> Option<u32> {
    match name {
        "eth0" => Some(2),
        "br-lan.100" => Some(7),
        _ => None,
    }
}

fn parse(text: &str) -> Result<Target, TargetError> {
    Target::parse(text, &interfaces)
}

fn name(text: &str) -> Host {
    Host::Name(text.parse().unwrap())
}

fn ip(text: &str, scope: u32) -> Host {
    Host::of_ip(text.parse().unwrap(), scope)
}

#[test]
fn hosts_and_ports() {
    for (text, host, port) in [
        ("example.com:443", name("example.com"), Some(443)),
        ("example.com.:0", name("example.com."), Some(0)),
        ("example.com", name("example.com"), None),
        ("example.com:00080", name("example.com"), Some(80)),
        ("192.0.2.1:65535", ip("192.0.2.1", 0), Some(65535)),
        ("192.0.2.1", ip("192.0.2.1", 0), None),
        ("[::1]:443", ip("::1", 0), Some(443)),
        ("[::1]", ip("::1", 0), None),
        ("::1", ip("::1", 0), None),
        ("2001:db8::1:443", ip("2001:db8::1:443", 0), None),
        ("::ffff:192.0.2.1", ip("::ffff:192.0.2.1", 0), None),
    ] {
        assert_eq!(parse(text), Ok(Target::new(host, port)), "{text}");
    }
}

#[test]
fn cr19_a_url_is_told_from_a_target() {
    for text in [
        "https://example.com/",
        "http://example.com:80",
        "http://[::1]:80/",
        "tcp://192.0.2.1",
        "://",
    ] {
        assert_eq!(parse(text), Err(TargetError::Url), "{text}");
        assert_eq!(Target::try_from((text, 443)), Err(TargetError::Url), "{text}");
    }
    let error = std::io::Error::from(TargetError::Url);
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
}

#[test]
fn nv08_literals_keep_their_scope() {
    for (text, host, port) in [
        ("fe80::1%2", ip("fe80::1", 2), None),
        ("fe80::1%eth0", ip("fe80::1", 2), None),
        ("[fe80::1%eth0]:80", ip("fe80::1", 2), Some(80)),
        ("[fe80::1%br-lan.100]:80", ip("fe80::1", 7), Some(80)),
        ("fe80::1%0", ip("fe80::1", 0), None),
        ("fe80::1%4294967295", ip("fe80::1", u32::MAX), None),
    ] {
        let target = parse(text).unwrap();
        assert_eq!(target, Target::new(host, port), "{text}");
    }
    let addr = parse("[fe80::1%eth0]:80").unwrap().host().socket_addr(80);
    assert_eq!(addr, Some(SocketAddrV6::new("fe80::1".parse().unwrap(), 80, 0, 2).into()));
}

#[test]
fn nv06_nv07_errors_by_cause() {
    use NameError::{AmbiguousNumeric, Empty, NonAscii};
    use TargetError::{Bracket, Ipv6, Name, Port, Zone};
    let space = |index| Name(NameError::ForbiddenByte { byte: b' ', index });
    for (text, error) in [
        ("", Name(Empty)),
        (":80", Name(Empty)),
        (".:80", Name(Empty)),
        ("example.com:", Port),
        ("example.com:https", Port),
        ("example.com:65536", Port),
        ("example.com:+80", Port),
        ("example.com:-1", Port),
        ("example.com: 80", Port),
        ("example.com:8\u{660}", Port),
        ("192.0.2.1 ", space(9)),
        ("192.0.2.4 X", space(9)),
        ("192.0.2.1 :80", space(9)),
        ("2001:db8::1\n", Ipv6),
        ("2001:db8::1 ", Ipv6),
        ("example.com:80:90", Ipv6),
        ("1:2:3", Ipv6),
        ("::1%", Zone),
        ("fe80::1%eth1", Zone),
        ("fe80::1%4294967296", Zone),
        ("fe80::1%eth0%eth0", Zone),
        ("fe80::1%../eth0", Zone),
        ("[fe80::1%eth0 ]:80", Zone),
        ("[::1", Bracket),
        ("[::1:80", Bracket),
        ("[::1]80", Bracket),
        ("[::1]]:80", Bracket),
        ("[::1]:", Port),
        ("[]:80", Ipv6),
        ("[192.0.2.1]:80", Ipv6),
        ("[example.com]:80", Ipv6),
        ("[[::1]]:80", Bracket),
        ("0177.0.0.1:80", Name(AmbiguousNumeric)),
        ("2130706433", Name(AmbiguousNumeric)),
        ("1.2.3.4.:80", Name(AmbiguousNumeric)),
        ("españa.example:80", Name(NonAscii)),
    ] {
        assert_eq!(parse(text), Err(error), "{text:?}");
    }
}

#[test]
fn a_pair_takes_an_address_with_or_without_brackets() {
    for host in ["::1", "[::1]"] {
        let target = Target::try_from((host, 80)).unwrap();
        assert_eq!(target, Target::new(ip("::1", 0), Some(80)), "{host}");
    }
    assert_eq!(Target::try_from(("[::1", 80)), Err(TargetError::Bracket));
    assert_eq!(Target::try_from(("example.com:80", 80)), Err(TargetError::Ipv6));
    assert_eq!(Target::try_from((String::from("a"), 1)), Ok(Target::new(name("a"), Some(1))));
}

#[test]
fn typed_parts_need_no_check() {
    let addr: SocketAddr = SocketAddrV6::new("fe80::1".parse().unwrap(), 80, 0, 3).into();
    assert_eq!(Target::from(addr), Target::new(ip("fe80::1", 3), Some(80)));
    assert_eq!(Target::from(addr).host().socket_addr(80), Some(addr));
    let addr: IpAddr = "192.0.2.1".parse().unwrap();
    assert_eq!(Target::from((addr, 80)), Target::new(ip("192.0.2.1", 0), Some(80)));
    let host: HostName = "a.example".parse().unwrap();
    assert_eq!(Target::from(host.clone()).port(), None);
    assert_eq!(Target::from((host, 80)).to_string(), "a.example:80");
}

/// The canonical name of a literal, used as a host again.
#[test]
fn a_host_name_that_is_a_literal_becomes_an_address() {
    for (literal, scope, text) in [
        ("192.0.2.1", 0, "192.0.2.1:80"),
        ("2001:db8::1", 0, "[2001:db8::1]:80"),
        ("fe80::1", 4_294_967_295, "[fe80::1%4294967295]:80"),
    ] {
        let name = HostName::of_literal(literal.parse().unwrap(), scope);
        let target = Target::from((&name, 80));
        assert_eq!(target, Target::new(ip(literal, scope), Some(80)));
        assert_eq!(target.to_string(), text);
        assert_eq!(Target::from(name), Target::new(ip(literal, scope), None));
    }
}

/// Opening a socket for each name must not use up the open files, whatever the name.
#[cfg(target_os = "linux")]
#[test]
fn b06_an_unknown_zone_leaves_no_file_open() {
    let open_files = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let long = "x".repeat(100_000);
    let before = open_files();
    for _ in 0..1000 {
        for zone in ["none", "a\0b", long.as_str()] {
            let target = Target::try_from(format!("fe80::1%{zone}"));
            assert_eq!(target, Err(TargetError::Zone));
        }
    }
    // Tests that run beside this one open files too, but not thousands.
    assert!(open_files() < before + 1000, "{before} files before, {} after", open_files());
}

#[cfg(target_os = "linux")]
#[test]
fn the_loopback_interface_has_an_index() {
    let Host::Ipv6(_, scope) = *Target::try_from("fe80::1%lo").unwrap().host() else {
        panic!("an address is no name")
    };
    assert_ne!(scope, 0, "the index of an interface is positive");
}

proptest! {
    #[test]
    fn any_text_is_a_target_or_an_error(text in prop_oneof![
        any::<String>(),
        r"[ab0-2:.\[\]%x ]{0,16}",
        r"\[?[0-9a-f:.]{0,12}(%(eth0|[0-9]{0,11}))?\]?(:[0-9]{0,6})?",
        r"[a-z]{1,4}\.[a-z]{1,4}:[0-9]{1,6}",
    ]) {
        match parse(&text) {
            Ok(target) => prop_assert_eq!(parse(&target.to_string()), Ok(target), "round trip"),
            Err(error) => {
                let message = error.to_string();
                prop_assert!(message.bytes().all(|b| (b' '..=b'~').contains(&b)), "{message:?}");
            }
        }
    }
}
