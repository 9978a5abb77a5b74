//! [`World`]: nameservers and web servers together, ready made.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{Behaviour, Journal, Nameserver, Script, Web};

/// Nameservers and web servers, until it is dropped.
#[derive(Debug)]
pub struct World {
    pub nameservers: Vec<Nameserver>,
    pub web: Web,
    journal: Journal,
}

/// The names of [`World::demo`].
const DEMO: &str = "
    www.example.test.    A     -> answer 127.0.0.1 ttl 300
    www.example.test.    AAAA  -> answer ::1 ttl 300
    slow.example.test.   A     -> delay 5ms, answer 127.0.0.1 ttl 300
    slow.example.test.   AAAA  -> delay 300ms, answer ::1 ttl 300
    alias.example.test.  A     -> answer cname www.example.test. 127.0.0.1 ttl 300
    alias.example.test.  AAAA  -> answer cname www.example.test. ::1 ttl 300
    gone.example.test.   *     -> nxdomain authority at example.test. soa 30
";

/// The name of [`World::rough`].
const ROUGH: &str = "
    rough.example.test.  AAAA  -> delay 10ms, answer ::1 ttl 300
    rough.example.test.  A     -> delay 40ms, answer 127.0.0.1 127.0.0.2 ttl 300
";

impl World {
    /// All is well, but that the AAAA response of `slow.example.test` is late: one nameserver, and
    /// web servers on 127.0.0.1 and `::1`.
    pub fn demo() -> Self {
        let web = Web::start([
            (Ipv4Addr::LOCALHOST.into(), Behaviour::Serve),
            (Ipv6Addr::LOCALHOST.into(), Behaviour::Serve),
        ]);
        Self::new([DEMO], web)
    }

    /// Of the addresses of `rough.example.test` the first is a black hole, the second refuses, and
    /// only the third serves.
    pub fn rough() -> Self {
        let web = Web::start([
            (Ipv4Addr::LOCALHOST.into(), Behaviour::Refuse),
            (Ipv4Addr::new(127, 0, 0, 2).into(), Behaviour::Serve),
            (Ipv6Addr::LOCALHOST.into(), Behaviour::BlackHole),
        ]);
        Self::new([ROUGH], web)
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
