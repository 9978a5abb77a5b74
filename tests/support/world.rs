//! [`World`]: nameservers and web servers together, ready made.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{Behaviour, Journal, Nameserver, Script, Web};

/// Nameservers and web servers, until it is dropped.
#[derive(Debug)]
pub struct World {
    pub nameservers: Vec<Nameserver>,
    pub web: Web,
    journal: Journal,
}

/// The names of [`World::demo`].
///
/// `www` is well. The AAAA response of `slow` comes late. `rough` has a black hole, an address
/// that refuses, and one that serves. `alias` is an alias of `www`, `gone` does not exist.
const DEMO: &str = "
    www.example.test.    A     -> answer 127.0.0.1 ttl 300
    www.example.test.    AAAA  -> answer ::1 ttl 300
    slow.example.test.   A     -> delay 5ms, answer 127.0.0.1 ttl 300
    slow.example.test.   AAAA  -> delay 300ms, answer ::1 ttl 300
    rough.example.test.  A     -> delay 20ms, answer 127.0.0.4 127.0.0.2 127.0.0.3 ttl 300
    rough.example.test.  AAAA  -> delay 5ms, nodata authority at example.test. soa 30
    alias.example.test.  A     -> answer cname www.example.test. 127.0.0.1 ttl 300
    alias.example.test.  AAAA  -> answer cname www.example.test. ::1 ttl 300
    gone.example.test.   *     -> nxdomain authority at example.test. soa 30
";

impl World {
    /// The world of the examples: one nameserver, and web servers on 127.0.0.1, 127.0.0.3 and `::1`;
    /// 127.0.0.2 refuses, 127.0.0.4 is a black hole.
    pub fn demo() -> Self {
        let v4 = |last| IpAddr::from(Ipv4Addr::new(127, 0, 0, last));
        let web = Web::start([
            (v4(1), Behaviour::Serve),
            (v4(2), Behaviour::Refuse),
            (v4(3), Behaviour::Serve),
            (v4(4), Behaviour::BlackHole),
            (Ipv6Addr::LOCALHOST.into(), Behaviour::Serve),
        ]);
        Self::new([DEMO], web)
    }

    /// A nameserver for each script, on 127.0.0.1, 127.0.0.2 and so on, with one journal.
    #[track_caller]
    pub fn new<S: Into<Script>>(scripts: impl IntoIterator<Item = S>, web: Web) -> Self {
        let journal = Journal::new();
        let nameservers = (1..)
            .zip(scripts)
            .map(|(last, script)| {
                Nameserver::on(Ipv4Addr::new(127, 0, 0, last).into(), script, &journal)
            })
            .collect();
        Self { nameservers, web, journal }
    }

    /// Where the nameservers listen, for `ResolverBuilder::nameservers`.
    pub fn nameserver_addrs(&self) -> Vec<SocketAddr> {
        self.nameservers.iter().map(Nameserver::addr).collect()
    }

    /// What all nameservers were asked.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// `name` with the port of the web servers, as a lookup or a connect takes it.
    pub fn target(&self, name: &str) -> String {
        format!("{name}:{}", self.web.port())
    }
}
