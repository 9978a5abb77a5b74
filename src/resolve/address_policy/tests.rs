//! The ready-made set range by range, exceptions, functions, and IPv4 inside IPv6.

use proptest::prelude::*;

use std::net::{Ipv4Addr, Ipv6Addr};

use super::special_purpose::*;
use super::*;

#[track_caller]
fn reason(policy: &AddressPolicy, ip: &str) -> Option<DenyReason> {
    policy.check(ip.parse().unwrap_or_else(|_| panic!("{ip}?"))).err()
}

fn prefix(text: &str) -> IpPrefix {
    text.parse().unwrap()
}

/// Each range with its first and its last address, and what lies just before and just behind it.
#[test]
fn t15_only_public_addresses_pass() {
    use DenyReason::*;
    #[rustfmt::skip]
    let rows: &[(&str, Option<DenyReason>)] = &[
        ("0.0.0.0", Some(Unspecified)), ("0.255.255.255", Some(Unspecified)), ("1.0.0.0", None),
        ("9.255.255.255", None), ("10.0.0.0", Some(Private)), ("10.255.255.255", Some(Private)),
        ("11.0.0.0", None), ("100.63.255.255", None), ("100.64.0.0", Some(Shared)),
        ("100.100.100.199", Some(Shared)), ("100.100.100.200", Some(Metadata)),
        ("100.100.100.201", Some(Shared)), ("100.127.255.255", Some(Shared)), ("100.128.0.0", None),
        ("126.255.255.255", None), ("127.0.0.0", Some(Loopback)), ("127.0.0.1", Some(Loopback)),
        ("127.255.255.255", Some(Loopback)), ("128.0.0.0", None), ("168.63.129.15", None),
        ("168.63.129.16", Some(Metadata)), ("168.63.129.17", None), ("169.253.255.255", None),
        ("169.254.0.0", Some(LinkLocal)), ("169.254.169.253", Some(LinkLocal)),
        ("169.254.169.254", Some(Metadata)), ("169.254.255.255", Some(LinkLocal)),
        ("169.255.0.0", None), ("172.15.255.255", None), ("172.16.0.0", Some(Private)),
        ("172.31.255.255", Some(Private)), ("172.32.0.0", None), ("191.255.255.255", None),
        ("192.0.0.0", Some(Reserved)), ("192.0.0.9", Some(Reserved)), ("192.0.0.10", Some(Reserved)),
        ("192.0.0.192", Some(Metadata)), ("192.0.0.255", Some(Reserved)), ("192.0.1.0", None),
        ("192.0.1.255", None), ("192.0.2.0", Some(Reserved)), ("192.0.2.255", Some(Reserved)),
        ("192.0.3.0", None), ("192.31.196.1", None), ("192.52.193.1", None),
        ("192.88.98.255", None), ("192.88.99.0", Some(Reserved)), ("192.88.99.255", Some(Reserved)),
        ("192.88.100.0", None), ("192.167.255.255", None), ("192.168.0.0", Some(Private)),
        ("192.168.255.255", Some(Private)), ("192.169.0.0", None), ("192.175.48.1", None),
        ("198.17.255.255", None), ("198.18.0.0", Some(Reserved)), ("198.19.255.255", Some(Reserved)),
        ("198.20.0.0", None), ("198.51.99.255", None), ("198.51.100.0", Some(Reserved)),
        ("198.51.100.255", Some(Reserved)), ("198.51.101.0", None), ("203.0.112.255", None),
        ("203.0.113.0", Some(Reserved)), ("203.0.113.255", Some(Reserved)), ("203.0.114.0", None),
        ("223.255.255.255", None), ("224.0.0.0", Some(Multicast)), ("239.255.255.255", Some(Multicast)),
        ("240.0.0.0", Some(Reserved)), ("255.255.255.254", Some(Reserved)),
        ("255.255.255.255", Some(Broadcast)), ("8.8.8.8", None),

        ("::", Some(Unspecified)), ("::1", Some(Loopback)), ("::2", Some(Ipv4InIpv6)),
        ("::127.0.0.1", Some(Ipv4InIpv6)), ("::8.8.8.8", Some(Ipv4InIpv6)),
        ("::255.255.255.255", Some(Ipv4InIpv6)), ("::1:0:0", Some(Reserved)),
        ("::fffe:ffff:ffff", Some(Reserved)), ("::ffff:0.0.0.0", Some(Ipv4InIpv6)),
        ("::ffff:127.0.0.1", Some(Ipv4InIpv6)), ("::ffff:8.8.8.8", Some(Ipv4InIpv6)),
        ("::ffff:255.255.255.255", Some(Ipv4InIpv6)), ("::ffff:0:8.8.8.8", Some(Ipv4InIpv6)),
        ("::ffff:1:0:0", Some(Reserved)), ("64:ff9a:ffff::1", Some(Reserved)),
        ("64:ff9b::0.0.0.0", Some(Unspecified)), ("64:ff9b::8.8.8.8", None),
        ("64:ff9b::10.0.0.1", Some(Private)), ("64:ff9b::169.254.169.254", Some(Metadata)),
        ("64:ff9b::255.255.255.255", Some(Broadcast)), ("64:ff9b::1:0:0", Some(Reserved)),
        ("64:ff9b:1::", Some(Translated)), ("64:ff9b:1::8.8.8.8", Some(Translated)),
        ("64:ff9b:1:ffff:ffff:ffff:ffff:ffff", Some(Translated)), ("64:ff9b:2::", Some(Reserved)),
        ("100::", Some(Reserved)), ("100:0:0:1::1", Some(Reserved)), ("1fff:ffff::1", Some(Reserved)),
        ("2000::", None), ("2000:ffff::1", None), ("2001::", Some(Translated)),
        ("2001:0:ffff:ffff:ffff:ffff:ffff:ffff", Some(Translated)), ("2001:1::1", Some(Reserved)),
        ("2001:1::2", Some(Reserved)), ("2001:1::3", Some(Reserved)), ("2001:2::1", Some(Reserved)),
        ("2001:2:ffff::1", Some(Reserved)), ("2001:3::1", None), ("2001:3:ffff::1", None),
        ("2001:4::1", Some(Reserved)), ("2001:4:111:ffff::1", Some(Reserved)), ("2001:4:112::1", None),
        ("2001:4:113::1", Some(Reserved)), ("2001:20::1", Some(Reserved)), ("2001:30::1", Some(Reserved)),
        ("2001:1ff:ffff::1", Some(Reserved)), ("2001:200::1", None), ("2001:db7:ffff::1", None),
        ("2001:db8::", Some(Reserved)), ("2001:db8:ffff::1", Some(Reserved)), ("2001:db9::1", None),
        ("2001:ffff::1", None), ("2002::", Some(Translated)), ("2002:7f00:1::1", Some(Translated)),
        ("2002:808:808::1", Some(Translated)), ("2002:ffff:ffff::1", Some(Translated)), ("2003::", None),
        ("2606:4700::1111", None), ("2620:4f:8000::1", None), ("3ffe:ffff::1", None),
        ("3fff::", Some(Reserved)), ("3fff:fff:ffff::1", Some(Reserved)), ("3fff:1000::", None),
        ("3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", None), ("4000::", Some(Reserved)),
        ("5f00::1", Some(Reserved)), ("fbff:ffff::1", Some(Reserved)), ("fc00::", Some(UniqueLocal)),
        ("fd00:ec1:ffff::1", Some(UniqueLocal)), ("fd00:ec2::254", Some(Metadata)),
        ("fd00:ec3::", Some(UniqueLocal)), ("fd20:ce::254", Some(Metadata)),
        ("fdff:ffff::1", Some(UniqueLocal)), ("fe00::", Some(Reserved)), ("fe7f:ffff::1", Some(Reserved)),
        ("fe80::", Some(LinkLocal)), ("febf:ffff::1", Some(LinkLocal)), ("fec0::", Some(Private)),
        ("feff:ffff::1", Some(Private)), ("ff00::", Some(Multicast)), ("ff02::1", Some(Multicast)),
        ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Some(Multicast)),
        // ISATAP, with either value of the bit that differs.
        ("2606:4700::5efe:10.0.0.1", Some(Private)), ("2606:4700::200:5efe:127.0.0.1", Some(Loopback)),
        ("2606:4700::5efe:8.8.8.8", None), ("2606:4700::100:5efe:127.0.0.1", None),
    ];
    for &(ip, expected) in rows {
        assert_eq!(reason(&AddressPolicy::public_only(), ip), expected, "{ip}");
        assert_eq!(reason(&AddressPolicy::default(), ip), None, "{ip}, with no policy");
    }
}

#[test]
fn su05_the_ready_made_set_denies_each_way_to_this_host_and_to_metadata() {
    for ip in [
        "0.0.0.0",
        "::",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "169.254.169.254",
        "fd00:ec2::254",
        "127.0.0.1",
        "::1",
    ] {
        assert_ne!(reason(&AddressPolicy::public_only(), ip), None, "{ip}");
    }
}

#[test]
fn the_longest_prefix_decides_whatever_the_order() {
    let rules = [("10.0.0.0/8", true), ("10.1.0.0/16", false), ("10.1.2.0/24", true)];
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    for order in orders {
        let policy = order.iter().fold(AddressPolicy::public_only(), |policy, &i| {
            let (text, allowed) = rules[i];
            if allowed { policy.allow(prefix(text)) } else { policy.deny(prefix(text)) }
        });
        assert_eq!(reason(&policy, "10.0.0.1"), None, "{policy:?}");
        assert_eq!(reason(&policy, "10.1.0.1"), Some(DenyReason::Custom), "{policy:?}");
        assert_eq!(reason(&policy, "10.1.2.1"), None, "{policy:?}");
        assert_eq!(reason(&policy, "192.168.0.1"), Some(DenyReason::Private), "{policy:?}");
    }
}

#[test]
fn of_two_equal_prefixes_the_denied_one_counts() {
    let net = prefix("10.0.0.0/8");
    for policy in [
        AddressPolicy::default().allow(net).deny(net),
        AddressPolicy::default().deny(net).allow(net),
    ] {
        assert_eq!(reason(&policy, "10.0.0.1"), Some(DenyReason::Custom));
    }
}

#[test]
fn a_function_is_asked_about_the_address_inside_as_well() {
    let v4_only_loopback = AddressPolicy::new(|ip| ip != IpAddr::V4(Ipv4Addr::LOCALHOST));
    for ip in ["127.0.0.1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"] {
        assert_eq!(reason(&v4_only_loopback, ip), Some(DenyReason::Custom), "{ip}");
    }
    assert_eq!(reason(&v4_only_loopback, "::1"), None, "no rule denies it");
}

#[test]
fn functions_can_only_deny() {
    let policy = AddressPolicy::public_only().and(|ip| ip.is_ipv4()).and(|_| true);
    assert_eq!(reason(&policy, "8.8.8.8"), None);
    assert_eq!(reason(&policy, "2606:4700::1111"), Some(DenyReason::Custom));
    assert_eq!(reason(&policy, "127.0.0.1"), Some(DenyReason::Loopback));
    let policy = policy.allow(prefix("::/0"));
    assert_eq!(reason(&policy, "2606:4700::1111"), Some(DenyReason::Custom), "nor is it overruled");
}

#[test]
fn a_function_that_panics_denies() {
    let policy =
        AddressPolicy::new(|ip| if ip.is_ipv4() { panic!("a test does so") } else { true });
    assert_eq!(reason(&policy, "8.8.8.8"), Some(DenyReason::Custom));
    assert_eq!(reason(&policy, "2606:4700::1111"), None);
}

#[test]
fn an_allowed_form_does_not_let_a_denied_ipv4_address_through() {
    let policy = AddressPolicy::public_only()
        .allow(prefix("2002::/16"))
        .allow(prefix("::ffff:0:0/96"))
        .allow(prefix("64:ff9b:1::/48"));
    for (ip, expected) in [
        ("2002:808:808::1", None),
        ("2002:7f00:1::1", Some(DenyReason::Loopback)),
        ("::ffff:8.8.8.8", None),
        ("::ffff:10.0.0.1", Some(DenyReason::Private)),
        ("64:ff9b:1::8.8.8.8", None),
        ("64:ff9b:1:abcd::8.8.8.8", None),
        ("64:ff9b:1::10.0.0.1", Some(DenyReason::Private)),
        // 127.0.0.8 behind a prefix of 64 bits, or 8.0.0.0 behind one of 96.
        ("64:ff9b:1:0:7f:0:800:0", Some(DenyReason::Loopback)),
    ] {
        assert_eq!(reason(&policy, ip), expected, "{ip}");
    }
    let policy = policy.allow(prefix("10.0.0.0/8"));
    assert_eq!(reason(&policy, "64:ff9b::10.0.0.1"), None, "unless it is allowed itself");
}

#[test]
fn what_only_looks_like_an_ipv4_address_inside_is_none() {
    for (denied, ip, expected) in [
        // In `::/96`, and yet addresses of their own (RFC 4291 sections 2.5.2 and 2.5.3).
        ("0.0.0.0/8", "::", None),
        ("0.0.0.0/8", "::1", None),
        ("0.0.0.0/8", "::2", Some(DenyReason::Custom)),
        // After a prefix of 96 bits, and not `0.0.0.0` after one of 48 bits.
        ("0.0.0.0/8", "64:ff9b:1::8.8.8.8", None),
    ] {
        let policy = AddressPolicy::default().deny(prefix(denied));
        assert_eq!(reason(&policy, ip), expected, "{ip}");
    }
}

/// A translator may ignore the octet that must be zero, and the suffix that should be.
#[test]
fn at07_a_suffix_does_not_hide_the_ipv4_address_inside() {
    let policy = AddressPolicy::default().deny(prefix("127.0.0.0/8"));
    for ip in [
        // 127.0.0.1 after prefixes of 48, 56 and 64 bits.
        "64:ff9b:1:7f00:0:100::",
        "64:ff9b:1:7f00:0:100::1",
        "64:ff9b:1:7f00:0:1ff:ffff:ffff",
        "64:ff9b:1:7f00:100:100::",
        "64:ff9b:1:7f:0:1::1",
        "64:ff9b:1:7f:ff00:1::",
        "64:ff9b:1:0:7f:0:100:1",
        "64:ff9b:1:0:ff7f:0:100:0",
    ] {
        assert_eq!(reason(&policy, ip), Some(DenyReason::Custom), "{ip}");
    }
    let public = AddressPolicy::public_only().allow(prefix("64:ff9b:1::/48"));
    let hidden = "64:ff9b:1:7f00:0:100:808:808";
    assert_eq!(reason(&public, hidden), Some(DenyReason::Loopback));
}

#[test]
fn each_prefix_of_the_ready_made_set_is_valid() {
    let prefixes = DENIED_V4.iter().map(|row| row.0);
    for prefix in prefixes.chain(SPECIAL_V6.iter().map(|row| row.0)) {
        assert_eq!(IpPrefix::new(prefix.address(), prefix.length()), Ok(prefix));
    }
}

#[test]
fn what_was_denied_is_told_in_a_bounded_way() {
    let policy = AddressPolicy::public_only();
    let mut denied = None;
    for last in 0..=255 {
        assert!(!policy.lets_through(Ipv4Addr::new(10, 0, 0, last).into(), &mut denied));
    }
    assert!(policy.lets_through(Ipv4Addr::new(8, 8, 8, 8).into(), &mut denied));
    let shown = denied.unwrap().to_string();
    assert_eq!(shown, "256 addresses, the first 10.0.0.0 (private address)");
    let mut denied = None;
    policy.lets_through(Ipv4Addr::LOCALHOST.into(), &mut denied);
    assert_eq!(denied.unwrap().to_string(), "127.0.0.1 (loopback address)");
}

#[test]
fn a_policy_says_what_it_is() {
    assert_eq!(format!("{:?}", AddressPolicy::default()), "AddressPolicy(everything)");
    let policy = AddressPolicy::public_only().allow(prefix("10.0.0.0/8")).apply_to_literals(false);
    assert_eq!(
        format!("{policy:?}"),
        "AddressPolicy { public_only: true, allow: [\"10.0.0.0/8\"], deny: [], functions: 0, \
         apply_to_literals: false, apply_to_hosts_file: true }"
    );
}

/// A policy is a value: what is built on a clone changes nothing behind it.
#[test]
fn a_clone_goes_its_own_way() {
    let policy = AddressPolicy::public_only();
    let wider = policy.clone().allow(prefix("10.0.0.0/8"));
    assert_eq!(reason(&policy, "10.0.0.1"), Some(DenyReason::Private));
    assert_eq!(reason(&wider, "10.0.0.1"), None);
}

fn bits(net: IpPrefix) -> u128 {
    match net.address() {
        IpAddr::V4(ip) => ip.to_bits().into(),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

/// All IPv6 addresses that have `ip` inside, in a form with one reading.
fn plain_forms(ip: Ipv4Addr) -> Vec<Ipv6Addr> {
    let low = u128::from(ip.to_bits());
    let below = |net: IpPrefix| Ipv6Addr::from_bits(bits(net) | low);
    let public_64 = Ipv6Addr::new(0x2606, 0x4700, 0, 0, 0, 0, 0, 0).to_bits();
    // The other end of the tunnel is a public address.
    let (public, teredo) = (u128::from(Ipv4Addr::new(8, 8, 8, 8).to_bits()), bits(TEREDO));
    let turned = |ip: u128| !ip & 0xffff_ffff;
    vec![
        below(MAPPED),
        below(COMPATIBLE),
        below(TRANSLATED),
        below(NAT64),
        Ipv6Addr::from_bits(bits(SIX_TO_FOUR) | low << 80 | 0x1_0001),
        Ipv6Addr::from_bits(teredo | low << 64 | turned(public)),
        Ipv6Addr::from_bits(teredo | public << 64 | turned(low)),
        Ipv6Addr::from_bits(public_64 | 0x5efe << 32 | low),
        Ipv6Addr::from_bits(public_64 | 0x0200_5efe << 32 | low),
    ]
}

/// And those behind a NAT64 prefix of the network's own (RFC 6052 section 2.2).
fn local_nat64_forms(ip: Ipv4Addr) -> Vec<Ipv6Addr> {
    let low = u128::from(ip.to_bits());
    let around_the_zero_octet = |length: u32| {
        let joined = low << (128 - 32 - length);
        bits(LOCAL_NAT64) | joined >> 64 << 64 | (joined >> 8) & ((1 << 56) - 1)
    };
    let mut forms: Vec<_> = [48, 56, 64].map(around_the_zero_octet).into();
    forms.push(bits(LOCAL_NAT64) | low);
    forms.into_iter().map(Ipv6Addr::from_bits).collect()
}

/// Half of them from ranges of the ready-made set. Not `::` and `::1`, which are no IPv4 inside
/// IPv6.
fn any_v4() -> impl Strategy<Value = Ipv4Addr> {
    let special = (prop::sample::select(DENIED_V4), any::<u32>()).prop_map(|((net, _), host)| {
        let first = u32::try_from(bits(net)).expect("32 bits");
        first | host.checked_shr(net.length().into()).unwrap_or(0)
    });
    prop_oneof![any::<u32>(), special].prop_map(|bits| Ipv4Addr::from_bits(bits.max(2)))
}

proptest! {
    #[test]
    fn t15_what_is_denied_is_denied_in_every_form(ip in any_v4()) {
        let policy = AddressPolicy::public_only();
        if policy.check(ip.into()).is_err() {
            for form in plain_forms(ip).into_iter().chain(local_nat64_forms(ip)) {
                prop_assert!(policy.check(form.into()).is_err(), "{ip} is denied, {form} is not");
            }
        }
    }

    #[test]
    fn a_form_that_is_allowed_is_judged_by_what_is_inside(ip in any_v4()) {
        let forms = ["::/95", "::ffff:0:0/96", "::ffff:0:0:0/96", "2002::/16", "2001::/32",
            "64:ff9b:1::/48"];
        let policy = forms.iter().fold(AddressPolicy::public_only(), |policy, form| {
            policy.allow(prefix(form))
        });
        let expected = policy.check(ip.into());
        for form in plain_forms(ip) {
            prop_assert_eq!(policy.check(form.into()), expected, "{}", form);
        }
        for form in local_nat64_forms(ip) {
            prop_assert!(expected.is_ok() || policy.check(form.into()).is_err(), "{}", form);
        }
    }

    #[test]
    fn a_denied_network_is_denied_in_every_form(ip in any_v4(), length in 0_u8..=32) {
        let net = ip.to_bits() & !u32::MAX.checked_shr(length.into()).unwrap_or(0);
        let net = IpPrefix::new(Ipv4Addr::from_bits(net).into(), length).unwrap();
        let policy = AddressPolicy::default().deny(net);
        for form in plain_forms(ip).into_iter().chain(local_nat64_forms(ip)) {
            prop_assert_eq!(policy.check(form.into()), Err(DenyReason::Custom), "{}", form);
        }
    }

    /// Nothing outside the forms is misread: with no rule about IPv6, it passes.
    #[test]
    fn an_ordinary_ipv6_address_has_nothing_inside(low in any::<u128>()) {
        let ip = Ipv6Addr::from_bits(0x2606_4700 << 96 | low >> 32);
        prop_assume!(ip.segments()[4] & !0x200 != 0 || ip.segments()[5] != 0x5efe);
        let policy = AddressPolicy::default().deny(prefix("0.0.0.0/0"));
        prop_assert_eq!(policy.check(ip.into()), Ok(()));
    }
}
