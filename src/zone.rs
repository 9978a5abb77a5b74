//! IP addresses with a scope zone, as in `fe80::1%eth0` (RFC 4007 section 11).

use std::net::IpAddr;

/// Gives the index of a network interface by its name; `None` if there is no such interface.
pub(crate) type InterfaceIndex<'a> = &'a dyn Fn(&str) -> Option<u32>;

/// Why a text is no address with a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScopedIpError {
    /// The text is no IP address.
    Address,
    /// What follows the `%` is neither a scope id nor an interface of this machine.
    Zone,
}

/// Reads an IP address and its scope id (0: none); strictly, without blanks or octal numbers.
///
/// RFC 4007 section 11.2 has both forms of the zone: a number, which every implementation should
/// take, and a name. A zone of digits alone is the id itself, whatever interfaces may be called.
/// Any IPv6 address may carry a zone; the kernel ignores it where it has no meaning.
pub(crate) fn parse_scoped_ip(
    text: &str,
    interface_index: InterfaceIndex<'_>,
) -> Result<(IpAddr, u32), ScopedIpError> {
    let Some((address, zone)) = text.split_once('%') else {
        return text.parse().map(|ip| (ip, 0)).map_err(|_| ScopedIpError::Address);
    };
    let ip = address.parse().map_err(|_| ScopedIpError::Address)?;
    let scope = if zone.bytes().all(|byte| byte.is_ascii_digit()) {
        zone.parse().ok()
    } else {
        interface_index(zone)
    };
    Ok((IpAddr::V6(ip), scope.ok_or(ScopedIpError::Zone)?))
}
