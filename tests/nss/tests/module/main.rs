//! With an NSS module that knows names of its own, some of which come late or never, and a
//! nameserver on port 53. There is no interface but loopback.
#![cfg(target_os = "linux")]

mod calls;
mod choice;
#[path = "../../../support/mod.rs"]
mod support;

use support::{Journal, Nameserver};

const NAMESERVER: &str = "nameserver 127.0.0.1\n";

/// Knows `www.example.test`, and no name of the NSS module.
fn nameserver() -> Nameserver {
    let script = "www.example.test. A    -> answer 198.51.100.1
                  www.example.test. AAAA -> answer 2001:db8:51::1
                  *.nodata.test.    *    -> nodata authority at test. soa 30
                  *                 *    -> nxdomain authority at . soa 30";
    Nameserver::at("127.0.0.1:53".parse().unwrap(), script, &Journal::new())
}
