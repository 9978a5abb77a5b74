//! Which addresses may be dialled at all.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Decides about each address before a socket is made for it.
///
/// Every address goes through it, whether it came from DNS, from the hosts file or stands in the
/// target itself; so a name that is safe when it is looked up and unsafe when it is connected to
/// (DNS rebinding) finds no gap between the two. A closure is a policy:
///
/// ```
/// use std::net::SocketAddr;
/// use outrace::happy_eyeballs::{ConnectOptions, DenyReason, PublicOnly, AddressPolicy};
///
/// let options = ConnectOptions::default().policy(|addr: SocketAddr| match addr.port() {
///     80 | 443 => PublicOnly.check(addr),
///     _ => Err(DenyReason::Custom),
/// });
/// # let _ = options;
/// ```
pub trait AddressPolicy: Send + Sync {
    /// Says whether `addr` may be dialled. Is called on the task that connects: it must not block.
    ///
    /// # Errors
    ///
    /// The reason why not; it stands in the [`ConnectError`](super::ConnectError).
    fn check(&self, addr: SocketAddr) -> Result<(), DenyReason>;
}

impl<F> AddressPolicy for F
where
    F: Fn(SocketAddr) -> Result<(), DenyReason> + Send + Sync,
{
    fn check(&self, addr: SocketAddr) -> Result<(), DenyReason> {
        self(addr)
    }
}

/// Lets through only addresses of the public Internet: for programs that fetch what strangers name.
///
/// The list follows IANA's registries of special-purpose addresses (RFC 6890): what is not known to
/// be globally reachable is denied, so that a range assigned tomorrow is denied until this list
/// says otherwise. An IPv6 address with an IPv4 address inside, to which a gateway forwards it
/// (NAT64, RFC 6052; 6to4, RFC 3056), is judged by the one inside as well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PublicOnly;

impl AddressPolicy for PublicOnly {
    fn check(&self, addr: SocketAddr) -> Result<(), DenyReason> {
        match deny_reason(addr.ip()) {
            Some(reason) => Err(reason),
            None => Ok(()),
        }
    }
}

/// Why an address may not be dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DenyReason {
    /// `0.0.0.0/8` or `::`, which many systems take as this host.
    Unspecified,
    /// This host.
    Loopback,
    /// A private network (RFC 1918), or the site-local addresses that RFC 3879 withdrew.
    Private,
    /// Shared address space of carrier-grade NAT (RFC 6598).
    Shared,
    /// The local link.
    LinkLocal,
    /// A unique local address (RFC 4193).
    UniqueLocal,
    /// A multicast address.
    Multicast,
    /// The broadcast address.
    Broadcast,
    /// A host that serves credentials to the virtual machine that asks.
    Metadata,
    /// An IPv4 address in IPv6 form (`::ffff:0:0/96`, `::/96`), which has no place in an AAAA record.
    Ipv4InIpv6,
    /// A tunnel or translator whose far end cannot be known from the address.
    Translated,
    /// Reserved, for documentation, benchmarks or the future.
    Reserved,
    /// A policy of the caller's said so.
    Custom,
}

impl fmt::Display for DenyReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unspecified => "unspecified address",
            Self::Loopback => "loopback address",
            Self::Private => "private address",
            Self::Shared => "shared address of a carrier",
            Self::LinkLocal => "link-local address",
            Self::UniqueLocal => "unique local address",
            Self::Multicast => "multicast address",
            Self::Broadcast => "broadcast address",
            Self::Metadata => "metadata service",
            Self::Ipv4InIpv6 => "IPv4 address in IPv6 form",
            Self::Translated => "address behind a translator",
            Self::Reserved => "reserved address",
            Self::Custom => "denied by the address policy",
        })
    }
}

/// Why `ip` is no address of the public Internet, or `None` if it is one.
fn deny_reason(ip: IpAddr) -> Option<DenyReason> {
    match ip {
        IpAddr::V4(ip) => deny_reason_v4(ip),
        IpAddr::V6(ip) => deny_reason_v6(ip),
    }
}

fn deny_reason_v4(ip: Ipv4Addr) -> Option<DenyReason> {
    let bits = ip.to_bits();
    let inside = |net: Ipv4Addr, len: u32| (bits ^ net.to_bits()) >> (32 - len) == 0;
    DENIED_V4.iter().find(|&&(net, len, _)| inside(net, len)).map(|&(_, _, reason)| reason)
}

fn deny_reason_v6(ip: Ipv6Addr) -> Option<DenyReason> {
    let bits = ip.to_bits();
    let inside = |net: Ipv6Addr, len: u32| (bits ^ net.to_bits()) >> (128 - len) == 0;
    if let Some(&(_, _, reason)) = DENIED_V6.iter().find(|&&(net, len, _)| inside(net, len)) {
        return Some(reason);
    }
    let segments = ip.segments();
    let embedded = |hi: u16, lo: u16| deny_reason_v4((u32::from(hi) << 16 | u32::from(lo)).into());
    // RFC 6052 section 2.1, the well-known prefix of NAT64: the last 32 bits.
    if inside(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96) {
        return embedded(segments[6], segments[7]);
    }
    // RFC 3056 section 2, 6to4: the 32 bits after the prefix.
    if inside(Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16) {
        return embedded(segments[1], segments[2]);
    }
    // IANA gives out global unicast addresses from 2000::/3 alone (RFC 4291 section 2.4 and the
    // registry "Internet Protocol Version 6 Address Space").
    (!inside(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3)).then_some(DenyReason::Reserved)
}

/// The first match counts, so a single host stands before the network it is in.
const DENIED_V4: &[(Ipv4Addr, u32, DenyReason)] = &[
    (Ipv4Addr::UNSPECIFIED, 8, DenyReason::Unspecified),
    (Ipv4Addr::new(127, 0, 0, 0), 8, DenyReason::Loopback),
    // Amazon, Google, Azure and most others; then Oracle, Alibaba and Azure's own.
    (Ipv4Addr::new(169, 254, 169, 254), 32, DenyReason::Metadata),
    (Ipv4Addr::new(192, 0, 0, 192), 32, DenyReason::Metadata),
    (Ipv4Addr::new(100, 100, 100, 200), 32, DenyReason::Metadata),
    (Ipv4Addr::new(168, 63, 129, 16), 32, DenyReason::Metadata),
    (Ipv4Addr::new(10, 0, 0, 0), 8, DenyReason::Private),
    (Ipv4Addr::new(172, 16, 0, 0), 12, DenyReason::Private),
    (Ipv4Addr::new(192, 168, 0, 0), 16, DenyReason::Private),
    (Ipv4Addr::new(100, 64, 0, 0), 10, DenyReason::Shared),
    (Ipv4Addr::new(169, 254, 0, 0), 16, DenyReason::LinkLocal),
    // IETF protocol assignments (RFC 6890), documentation (RFC 5737), the withdrawn 6to4 relay
    // (RFC 7526), benchmarks (RFC 2544).
    (Ipv4Addr::new(192, 0, 0, 0), 24, DenyReason::Reserved),
    (Ipv4Addr::new(192, 0, 2, 0), 24, DenyReason::Reserved),
    (Ipv4Addr::new(198, 51, 100, 0), 24, DenyReason::Reserved),
    (Ipv4Addr::new(203, 0, 113, 0), 24, DenyReason::Reserved),
    (Ipv4Addr::new(192, 88, 99, 0), 24, DenyReason::Reserved),
    (Ipv4Addr::new(198, 18, 0, 0), 15, DenyReason::Reserved),
    (Ipv4Addr::new(224, 0, 0, 0), 4, DenyReason::Multicast),
    (Ipv4Addr::BROADCAST, 32, DenyReason::Broadcast),
    (Ipv4Addr::new(240, 0, 0, 0), 4, DenyReason::Reserved),
];

/// What lies outside `2000::/3` and is not named here is denied as reserved.
const DENIED_V6: &[(Ipv6Addr, u32, DenyReason)] = &[
    (Ipv6Addr::UNSPECIFIED, 128, DenyReason::Unspecified),
    (Ipv6Addr::LOCALHOST, 128, DenyReason::Loopback),
    (Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96, DenyReason::Ipv4InIpv6),
    (Ipv6Addr::UNSPECIFIED, 96, DenyReason::Ipv4InIpv6),
    // Amazon's, on unique local addresses.
    (Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0), 32, DenyReason::Metadata),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, DenyReason::UniqueLocal),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, DenyReason::LinkLocal),
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10, DenyReason::Private),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8, DenyReason::Multicast),
    // NAT64 of a single network (RFC 8215), and IETF protocol assignments with Teredo among them
    // (RFC 2928, RFC 4380).
    (Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48, DenyReason::Translated),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, DenyReason::Translated),
    // Documentation (RFC 3849, RFC 9637).
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, DenyReason::Reserved),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, DenyReason::Reserved),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// One row per range: its first and last address, and the addresses just outside it that are
    /// public.
    #[test]
    fn t15_only_public_addresses_pass() {
        use DenyReason::*;
        #[rustfmt::skip]
        let rows: &[(&str, Option<DenyReason>)] = &[
            ("0.0.0.0", Some(Unspecified)), ("0.255.255.255", Some(Unspecified)), ("1.0.0.0", None),
            ("9.255.255.255", None), ("10.0.0.0", Some(Private)), ("10.255.255.255", Some(Private)),
            ("11.0.0.0", None), ("100.63.255.255", None), ("100.64.0.0", Some(Shared)),
            ("100.127.255.255", Some(Shared)), ("100.128.0.0", None),
            ("100.100.100.200", Some(Metadata)), ("100.100.100.201", Some(Shared)),
            ("126.255.255.255", None), ("127.0.0.1", Some(Loopback)), ("127.255.255.255", Some(Loopback)),
            ("128.0.0.0", None), ("168.63.129.16", Some(Metadata)), ("168.63.129.17", None),
            ("169.253.255.255", None), ("169.254.0.1", Some(LinkLocal)), ("169.254.169.254", Some(Metadata)),
            ("169.255.0.0", None), ("172.15.255.255", None), ("172.16.0.0", Some(Private)),
            ("172.31.255.255", Some(Private)), ("172.32.0.0", None), ("192.0.0.1", Some(Reserved)),
            ("192.0.0.192", Some(Metadata)), ("192.0.1.0", None), ("192.0.2.1", Some(Reserved)),
            ("192.88.99.1", Some(Reserved)), ("192.167.255.255", None), ("192.168.0.0", Some(Private)),
            ("192.168.255.255", Some(Private)), ("192.169.0.0", None), ("198.17.255.255", None),
            ("198.18.0.0", Some(Reserved)), ("198.19.255.255", Some(Reserved)), ("198.20.0.0", None),
            ("198.51.100.7", Some(Reserved)), ("203.0.113.7", Some(Reserved)), ("223.255.255.255", None),
            ("224.0.0.1", Some(Multicast)), ("239.255.255.255", Some(Multicast)), ("240.0.0.1", Some(Reserved)),
            ("255.255.255.254", Some(Reserved)), ("255.255.255.255", Some(Broadcast)),
            ("8.8.8.8", None),
            ("::", Some(Unspecified)), ("::1", Some(Loopback)), ("::2", Some(Ipv4InIpv6)),
            ("::127.0.0.1", Some(Ipv4InIpv6)), ("::ffff:127.0.0.1", Some(Ipv4InIpv6)),
            ("::ffff:8.8.8.8", Some(Ipv4InIpv6)), ("64:ff9b::8.8.8.8", None),
            ("64:ff9b::10.0.0.1", Some(Private)), ("64:ff9b::169.254.169.254", Some(Metadata)),
            ("64:ff9b:1::8.8.8.8", Some(Translated)), ("64:ff9b:2::1", Some(Reserved)),
            ("100::1", Some(Reserved)), ("1fff::1", Some(Reserved)), ("2001::1", Some(Translated)),
            ("2001:1ff::1", Some(Translated)), ("2001:200::1", None), ("2001:db8::1", Some(Reserved)),
            ("2001:db9::1", None), ("2002:7f00:1::1", Some(Loopback)), ("2002:808:808::1", None),
            ("2002:c0a8:1::1", Some(Private)), ("2003::1", None), ("2606:4700::1111", None),
            ("3fff::1", Some(Reserved)), ("3fff:1000::1", None), ("4000::1", Some(Reserved)),
            ("5f00::1", Some(Reserved)), ("fbff::1", Some(Reserved)), ("fc00::1", Some(UniqueLocal)),
            ("fd00:ec2::254", Some(Metadata)), ("fdff::1", Some(UniqueLocal)), ("fe00::1", Some(Reserved)),
            ("fe80::1", Some(LinkLocal)), ("febf::1", Some(LinkLocal)), ("fec0::1", Some(Private)),
            ("feff::1", Some(Private)), ("ff02::1", Some(Multicast)),
        ];
        for &(ip, expected) in rows {
            let addr = SocketAddr::new(ip.parse().unwrap(), 443);
            assert_eq!(PublicOnly.check(addr).err(), expected, "{ip}");
        }
    }
}
