//! IP addresses with a scope zone, as in `fe80::1%eth0` (RFC 4007 section 11).

use std::net::IpAddr;

/// Returns the index of the network interface with this name; `None` if there is none.
pub(crate) type InterfaceIndex<'a> = &'a dyn Fn(&str) -> Option<u32>;

/// Why a text is not an IP address with an optional zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScopedIpError {
    /// The text is not an IP address.
    Address,
    /// What follows the `%` is neither a scope id nor an interface of this machine.
    Zone,
}

/// Parses an IP address and its scope id (0: none). Blanks and octal numbers are refused.
///
/// A zone is a number or a name (RFC 4007 section 11.2). A zone of digits alone is the scope id,
/// even if an interface has that name. Any IPv6 address may have a zone; the kernel ignores it
/// where it has no meaning.
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
