//! [`DenyReason`].

use std::fmt;

/// Why an address is denied.
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
    /// An IPv4 address in IPv6 form (`::ffff:0:0/96`, `::/96`, `::ffff:0:0:0/96`), which has no
    /// place in an AAAA record.
    Ipv4InIpv6,
    /// A tunnel or translator whose far end cannot be known from the address.
    Translated,
    /// Reserved, for documentation, benchmarks, protocols or the future.
    Reserved,
    /// By a prefix or a function of the caller's.
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
            Self::Custom => "denied by a rule of the caller's",
        })
    }
}
