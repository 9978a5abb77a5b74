//! [`Route`]: which way the packets of a socket take.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use socket2::Socket;

use crate::os;

/// Which way the packets of a socket take, as far as the caller has a say. By default the operating
/// system chooses.
///
/// The interface and the mark are set before anything else, as they decide which local addresses
/// there are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Route {
    pub(crate) local_ipv4: Option<Ipv4Addr>,
    pub(crate) local_ipv6: Option<Ipv6Addr>,
    pub(crate) interface: Option<os::Interface>,
    pub(crate) mark: Option<u32>,
}

impl Route {
    /// Sets the local address of the family of `ip`. The unspecified one is none.
    pub(crate) fn set_local_address(&mut self, ip: IpAddr) {
        match ip {
            IpAddr::V4(ip) => self.local_ipv4 = Some(ip).filter(|ip| !ip.is_unspecified()),
            IpAddr::V6(ip) => self.local_ipv6 = Some(ip).filter(|ip| !ip.is_unspecified()),
        }
    }

    /// Whether a socket to `destination` can be bound: with a local address of one family alone,
    /// those of the other have none.
    pub(crate) fn can_reach(&self, destination: SocketAddr) -> bool {
        match destination {
            SocketAddr::V4(_) => self.local_ipv4.is_some() || self.local_ipv6.is_none(),
            SocketAddr::V6(_) => self.local_ipv6.is_some() || self.local_ipv4.is_none(),
        }
    }

    /// The local address of a socket to `destination`, if the caller gave one.
    pub(crate) fn local_addr(&self, destination: SocketAddr) -> Option<SocketAddr> {
        match destination {
            SocketAddr::V4(_) => self.local_ipv4.map(|ip| SocketAddrV4::new(ip, 0).into()),
            SocketAddr::V6(addr) => self.local_ipv6.map(|ip| {
                // A link-local address means nothing without its zone (RFC 4007 section 6), which
                // is that of the destination: link-local packets do not change zones.
                let scope_id = if ip.is_unicast_link_local() { addr.scope_id() } else { 0 };
                SocketAddrV6::new(ip, 0, 0, scope_id).into()
            }),
        }
    }

    pub(crate) fn set_interface(&self, socket: &Socket, destination: SocketAddr) -> io::Result<()> {
        let interface = self.interface.as_ref();
        interface.map_or(Ok(()), |interface| os::bind_to_interface(socket, interface, destination))
    }

    pub(crate) fn set_mark(&self, socket: &Socket) -> io::Result<()> {
        self.mark.map_or(Ok(()), |mark| os::set_mark(socket, mark))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_a_local_address_of_one_family_the_other_is_out_of_reach() {
        let (v4, v6) = ("192.0.2.1:53".parse().unwrap(), "[2001:db8::1]:53".parse().unwrap());
        for (locals, reach) in [
            (&[][..], (true, true)),
            (&["192.0.2.9"], (true, false)),
            (&["2001:db8::9"], (false, true)),
            (&["192.0.2.9", "2001:db8::9"], (true, true)),
            (&["0.0.0.0"], (true, true)),
            (&["::"], (true, true)),
            (&["192.0.2.9", "0.0.0.0"], (true, true)),
        ] {
            let mut route = Route::default();
            for ip in locals {
                route.set_local_address(ip.parse().unwrap());
            }
            assert_eq!((route.can_reach(v4), route.can_reach(v6)), reach, "{locals:?}");
        }
    }

    #[test]
    fn a_link_local_address_has_the_zone_of_the_destination() {
        for (local, destination, bound) in [
            ("fe80::9", "[fe80::1%7]:53", "[fe80::9%7]:0"),
            ("2001:db8::9", "[fe80::1%7]:53", "[2001:db8::9]:0"),
            ("192.0.2.9", "192.0.2.1:53", "192.0.2.9:0"),
        ] {
            let mut route = Route::default();
            route.set_local_address(local.parse().unwrap());
            let local = route.local_addr(destination.parse().unwrap());
            assert_eq!(local, Some(bound.parse().unwrap()), "{local:?} to {destination}");
        }
    }
}
