//! IANA's registries of special-purpose addresses, and the IPv4 addresses inside IPv6 ones.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::deny_reason::DenyReason;
use crate::resolve::IpPrefix;

/// Checks that `ip` is an address of the public Internet, without regard to an IPv4 address inside
/// it.
pub(super) fn public(ip: IpAddr) -> Result<(), DenyReason> {
    let reason = match ip {
        IpAddr::V4(_) => {
            DENIED_V4.iter().find(|(net, _)| net.contains(ip)).map(|&(_, reason)| reason)
        }
        IpAddr::V6(_) => {
            let row = SPECIAL_V6.iter().find(|(net, _)| net.contains(ip));
            row.map_or(Some(DenyReason::Reserved), |&(_, reason)| reason)
        }
    };
    reason.map_or(Ok(()), Err)
}

const fn v4(a: u8, b: u8, c: u8, d: u8, length: u8) -> IpPrefix {
    IpPrefix::of_v4(Ipv4Addr::new(a, b, c, d), length)
}

const fn v6(a: u16, b: u16, c: u16, length: u8) -> IpPrefix {
    IpPrefix::of_v6(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), length)
}

/// The first match decides, so a host comes before the network that it is in.
pub(super) const DENIED_V4: &[(IpPrefix, DenyReason)] = &[
    // RFC 1122 section 3.2.1.3; Linux connects 0.0.0.0 to itself.
    (v4(0, 0, 0, 0, 8), DenyReason::Unspecified),
    (v4(127, 0, 0, 0, 8), DenyReason::Loopback),
    // Amazon, Google, Azure and most others; then Oracle, Alibaba and Azure's own, the one that
    // lies in a public range.
    (v4(169, 254, 169, 254, 32), DenyReason::Metadata),
    (v4(192, 0, 0, 192, 32), DenyReason::Metadata),
    (v4(100, 100, 100, 200, 32), DenyReason::Metadata),
    (v4(168, 63, 129, 16, 32), DenyReason::Metadata),
    (v4(10, 0, 0, 0, 8), DenyReason::Private),
    (v4(172, 16, 0, 0, 12), DenyReason::Private),
    (v4(192, 168, 0, 0, 16), DenyReason::Private),
    (v4(100, 64, 0, 0, 10), DenyReason::Shared),
    (v4(169, 254, 0, 0, 16), DenyReason::LinkLocal),
    // IETF protocol assignments (RFC 6890 section 2.1): DS-Lite, NAT64 discovery; also the anycast
    // addresses of PCP (RFC 7723) and TURN (RFC 8155), which are "globally reachable" but end at
    // the nearest server, on purpose one of the network that asks.
    (v4(192, 0, 0, 0, 24), DenyReason::Reserved),
    // Documentation (RFC 5737), the withdrawn 6to4 relay (RFC 7526), benchmarks (RFC 2544).
    (v4(192, 0, 2, 0, 24), DenyReason::Reserved),
    (v4(198, 51, 100, 0, 24), DenyReason::Reserved),
    (v4(203, 0, 113, 0, 24), DenyReason::Reserved),
    (v4(192, 88, 99, 0, 24), DenyReason::Reserved),
    (v4(198, 18, 0, 0, 15), DenyReason::Reserved),
    // RFC 5771; RFC 919 section 7; RFC 1112 section 4.
    (v4(224, 0, 0, 0, 4), DenyReason::Multicast),
    (v4(255, 255, 255, 255, 32), DenyReason::Broadcast),
    (v4(240, 0, 0, 0, 4), DenyReason::Reserved),
];

/// The first match decides; `None` allows. An address without a match is reserved.
pub(super) const SPECIAL_V6: &[(IpPrefix, Option<DenyReason>)] = &[
    (IpPrefix::of_v6(Ipv6Addr::UNSPECIFIED, 128), Some(DenyReason::Unspecified)),
    (IpPrefix::of_v6(Ipv6Addr::LOCALHOST, 128), Some(DenyReason::Loopback)),
    // Mapped, compatible, translated: never the destination of a packet.
    (MAPPED, Some(DenyReason::Ipv4InIpv6)),
    (COMPATIBLE, Some(DenyReason::Ipv4InIpv6)),
    (TRANSLATED, Some(DenyReason::Ipv4InIpv6)),
    // Amazon's and Google's, on unique local addresses.
    (v6(0xfd00, 0xec2, 0, 32), Some(DenyReason::Metadata)),
    (v6(0xfd20, 0xce, 0, 32), Some(DenyReason::Metadata)),
    (v6(0xfc00, 0, 0, 7), Some(DenyReason::UniqueLocal)),
    (v6(0xfe80, 0, 0, 10), Some(DenyReason::LinkLocal)),
    (v6(0xfec0, 0, 0, 10), Some(DenyReason::Private)),
    (v6(0xff00, 0, 0, 8), Some(DenyReason::Multicast)),
    // NAT64: globally reachable by registry, so the address inside decides. Not so the prefixes of
    // one network (RFC 8215).
    (NAT64, None),
    (LOCAL_NAT64, Some(DenyReason::Translated)),
    // "N/A" in the registry: the nearest relay decides where a packet goes.
    (TEREDO, Some(DenyReason::Translated)),
    (SIX_TO_FOUR, Some(DenyReason::Translated)),
    // IETF protocol assignments (RFC 2928), but AMT (RFC 7450) and AS112 (RFC 7535).
    (v6(0x2001, 3, 0, 32), None),
    (v6(0x2001, 4, 0x112, 48), None),
    (v6(0x2001, 0, 0, 23), Some(DenyReason::Reserved)),
    // Documentation (RFC 3849, RFC 9637).
    (v6(0x2001, 0xdb8, 0, 32), Some(DenyReason::Reserved)),
    (v6(0x3fff, 0, 0, 20), Some(DenyReason::Reserved)),
    // IANA gives out global unicast addresses from here alone (RFC 4291 section 2.4, and its
    // registry "Internet Protocol Version 6 Address Space").
    (v6(0x2000, 0, 0, 3), None),
];

pub(super) const COMPATIBLE: IpPrefix = v6(0, 0, 0, 96);
pub(super) const MAPPED: IpPrefix = IpPrefix::of_v6(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96);
pub(super) const TRANSLATED: IpPrefix =
    IpPrefix::of_v6(Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, 0, 0), 96);
pub(super) const NAT64: IpPrefix =
    IpPrefix::of_v6(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);
pub(super) const LOCAL_NAT64: IpPrefix =
    IpPrefix::of_v6(Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48);
pub(super) const TEREDO: IpPrefix = IpPrefix::of_v6(Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 32);
pub(super) const SIX_TO_FOUR: IpPrefix =
    IpPrefix::of_v6(Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16);

/// The IPv4 addresses that `ip` may have inside. It means one of them, or a tunnel between two.
pub(super) fn embedded(ip: Ipv6Addr) -> [Option<Ipv4Addr>; 5] {
    let bits = ip.to_bits();
    let at = |first_bit| Some(ipv4_at(bits, first_bit));
    let [one, two, three, four] = if MAPPED.contains(ip.into())
        || TRANSLATED.contains(ip.into())
        || NAT64.contains(ip.into())
        // `::` and `::1` are addresses of their own.
        || COMPATIBLE.contains(ip.into()) && bits > 1
    {
        [at(96), None, None, None]
    } else if LOCAL_NAT64.contains(ip.into()) {
        // The network chooses how long its prefix is (RFC 8215 section 5).
        [at(96), rfc6052(bits, 48), rfc6052(bits, 56), rfc6052(bits, 64)]
    } else if SIX_TO_FOUR.contains(ip.into()) {
        [at(16), None, None, None]
    } else if TEREDO.contains(ip.into()) {
        // The server, and the client with every bit inverted.
        [at(32), Some(ipv4_at(!bits, 96)), None, None]
    } else {
        [None; 4]
    };
    // ISATAP may stand below any 64 bit prefix. The one bit that differs says that the address is
    // globally unique.
    let interface = (bits >> 32) & 0xffff_ffff;
    let isatap = if interface & !0x0200_0000 == 0x5efe { at(96) } else { None };
    [one, two, three, four, isatap]
}

/// Returns the IPv4 address after a prefix of 48, 56 or 64 bits (RFC 6052 section 2.2), if there is
/// one.
///
/// The octet of bits 64 to 71 is not part of it. That octet "MUST be set to zero", and the bits
/// after the address "SHOULD be set to zero", but translators exist that do not check either. So
/// the address is read whatever those bits are, unless it is in `0.0.0.0/8`: an address such as
/// `64:ff9b:1::8.8.8.8`, with a prefix of 96 bits, would otherwise be read as `0.0.0.0` and
/// `0.0.0.8` as well.
fn rfc6052(bits: u128, length: u32) -> Option<Ipv4Addr> {
    let reserved = (bits >> 56) & 0xff;
    let joined = (bits >> 64 << 64) | (bits & ((1 << 56) - 1)) << 8;
    let suffix = joined << (length + 32);
    let inside = ipv4_at(joined, length);
    (inside.octets()[0] != 0 || reserved == 0 && suffix == 0).then_some(inside)
}

/// Returns the 32 bits from `first_bit` on, counted from the left.
fn ipv4_at(bits: u128, first_bit: u32) -> Ipv4Addr {
    let [a, b, c, d, ..] = (bits << first_bit).to_be_bytes();
    Ipv4Addr::new(a, b, c, d)
}
