//! From a name to a connected socket, beside what programs use today: how much later than it could
//! have been, and how many SYNs it took.
//!
//! ```text
//! cargo bench -p outrace-benches --bench connect
//! ```
//!
//! All in a network namespace with a scripted nameserver and scripted servers on loopback (Linux
//! and `unshare`). Each figure is the time to a connected socket less the floor: one DNS exchange
//! and one TCP handshake, measured in the same run. `SYNs` are connections that the kernel began,
//! per connect.

#[path = "../tests/support/mod.rs"]
mod support;

#[path = "namespace.rs"]
mod namespace;

use std::env;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use outrace::{Connector, Resolver};
use support::{Behaviour, Journal, Nameserver, Web};
use tokio::net::{TcpStream, UdpSocket};
use tower_service::Service;

const NAMESERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 53);
/// A contestant that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(20);
const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const OTHER_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// A way for things to go, the name that they go for, and how often it is tried, all at once or one
/// after the other.
struct Scenario {
    title: &'static str,
    zone: &'static str,
    rules: &'static str,
    servers: &'static [(IpAddr, Behaviour)],
    count: usize,
    at_once: bool,
}

const WELL: &[(IpAddr, Behaviour)] = &[(V4, Behaviour::Serve), (V6, Behaviour::Serve)];

const SCENARIOS: &[Scenario] = &[
    Scenario {
        title: "all well",
        zone: "well.test",
        rules: "*.well.test. A -> answer 127.0.0.1\n*.well.test. AAAA -> answer ::1",
        servers: WELL,
        count: 400,
        at_once: false,
    },
    Scenario {
        title: "AAAA 500 ms late",
        zone: "late.test",
        rules: "*.late.test. A -> answer 127.0.0.1\n*.late.test. AAAA -> delay 500ms, answer ::1",
        servers: WELL,
        count: 8,
        at_once: true,
    },
    Scenario {
        title: "AAAA 5 s late",
        zone: "later.test",
        rules: "*.later.test. A -> answer 127.0.0.1\n*.later.test. AAAA -> delay 5s, answer ::1",
        servers: WELL,
        count: 8,
        at_once: true,
    },
    Scenario {
        title: "A 5 s late",
        zone: "a.test",
        rules: "*.a.test. A -> delay 5s, answer 127.0.0.1\n*.a.test. AAAA -> answer ::1",
        servers: WELL,
        count: 8,
        at_once: true,
    },
    Scenario {
        title: "IPv6 a black hole",
        zone: "hole6.test",
        rules: "*.hole6.test. A -> answer 127.0.0.1\n*.hole6.test. AAAA -> answer ::1",
        servers: &[(V4, Behaviour::Serve), (V6, Behaviour::BlackHole)],
        count: 8,
        at_once: true,
    },
    Scenario {
        title: "first IPv4 a black hole",
        zone: "hole4.test",
        rules: "*.hole4.test. A -> answer 127.0.0.2 127.0.0.1\n*.hole4.test. AAAA -> nodata",
        servers: &[(OTHER_V4, Behaviour::BlackHole), (V4, Behaviour::Serve)],
        count: 8,
        at_once: true,
    },
    Scenario {
        title: "first refused",
        zone: "refused.test",
        rules: "*.refused.test. A -> answer 127.0.0.1\n*.refused.test. AAAA -> answer ::1",
        servers: &[(V4, Behaviour::Serve), (V6, Behaviour::Refuse)],
        count: 200,
        at_once: false,
    },
];

/// hickory as hyper-util's resolver: what programs write by hand.
#[derive(Clone)]
struct Hickory(TokioResolver);

impl Service<Name> for Hickory {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let resolver = self.0.clone();
        Box::pin(async move {
            let ips = resolver.lookup_ip(name.as_str()).await.map_err(io::Error::other)?;
            Ok(ips.iter().map(|ip| SocketAddr::new(ip, 0)).collect::<Vec<_>>().into_iter())
        })
    }
}

#[derive(Clone)]
#[expect(clippy::large_enum_variant, reason = "there are four of them")]
enum Contestant {
    Outrace(Connector),
    Gai(HttpConnector),
    Hickory(HttpConnector<Hickory>),
    Tokio,
}

impl Contestant {
    fn all() -> [(&'static str, Self); 4] {
        let resolver =
            Resolver::builder().without_system_configuration().nameservers([NAMESERVER]).build();
        let hickory = Hickory(hickory_resolver());
        [
            ("outrace Connector", Self::Outrace(Connector::with_resolver(resolver))),
            ("HttpConnector, getaddrinfo", Self::Gai(HttpConnector::new())),
            ("HttpConnector, hickory", Self::Hickory(HttpConnector::new_with_resolver(hickory))),
            ("TcpStream::connect", Self::Tokio),
        ]
    }

    /// How long until connected.
    async fn connect(mut self, host: String, port: u16) -> Option<Duration> {
        let uri = format!("http://{host}:{port}/").parse::<http::Uri>().expect("a URI");
        let began = Instant::now();
        let connect = async {
            match &mut self {
                Self::Outrace(connector) => connector.call(uri).await.map(drop).ok(),
                Self::Gai(connector) => connector.call(uri).await.map(drop).ok(),
                Self::Hickory(connector) => connector.call(uri).await.map(drop).ok(),
                Self::Tokio => TcpStream::connect((host, port)).await.map(drop).ok(),
            }
        };
        tokio::time::timeout(PATIENCE, connect).await.ok()??;
        Some(began.elapsed())
    }
}

fn hickory_resolver() -> TokioResolver {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
    let server = NameServerConfig::new(NAMESERVER.ip(), true, connections.into());
    let config = ResolverConfig::from_name_servers(vec![server]);
    TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        .build()
        .expect("a resolver")
}

/// One DNS exchange and one handshake: nothing can be quicker.
async fn floor(port: u16) -> Duration {
    let query = b"\0\x01\x01\0\0\x01\0\0\0\0\0\0\x01x\x04well\x04test\0\0\x1c\0\x01";
    let mut times = Vec::new();
    for _ in 0..200 {
        let began = Instant::now();
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
        socket.connect(NAMESERVER).await.expect("a nameserver");
        socket.send(query).await.expect("loopback takes a datagram");
        socket.recv(&mut [0; 512]).await.expect("an answer");
        drop(TcpStream::connect((V6, port)).await.expect("a server"));
        times.push(began.elapsed());
    }
    percentile(&mut times, 50)
}

fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort();
    times[(times.len() - 1) * percent / 100]
}

/// Connections that this network namespace began.
fn active_opens() -> u64 {
    let text = fs::read_to_string("/proc/self/net/snmp").expect("the kernel's counters");
    let mut rows =
        text.lines().filter_map(|line| line.strip_prefix("Tcp: ")).map(str::split_whitespace);
    let (names, values) = (rows.next().expect("names"), rows.next().expect("values"));
    let opens = names.zip(values).find(|(name, _)| *name == "ActiveOpens");
    opens.and_then(|(_, value)| value.parse().ok()).expect("a number")
}

async fn measure(scenario: &Scenario, contestant: &Contestant, port: u16) -> (Vec<Duration>, u64) {
    let before = active_opens();
    let connects = (0..scenario.count).map(|i| {
        // A name of its own each time, so that no cache answers.
        let host = format!("n{i}-{}.{}", active_opens(), scenario.zone);
        contestant.clone().connect(host, port)
    });
    let times = if scenario.at_once {
        join_all(connects).await
    } else {
        let mut times = Vec::new();
        for connect in connects {
            times.push(connect.await);
        }
        times
    };
    (times.into_iter().flatten().collect(), active_opens() - before)
}

#[tokio::main(flavor = "current_thread")]
async fn compare() {
    println!("| scenario | | p50 ms | p99 ms | SYNs | failed |\n|---|---|---|---|---|---|");
    for scenario in SCENARIOS {
        let rules = format!("{}\nx.well.test. AAAA -> answer ::1", scenario.rules);
        let nameserver = Nameserver::at(NAMESERVER, rules.as_str(), &Journal::off());
        let well = Web::start(WELL.iter().copied());
        let web = Web::start(scenario.servers.iter().copied());
        let floor = floor(well.port()).await;
        for (name, contestant) in Contestant::all() {
            let (mut times, syns) = measure(scenario, &contestant, web.port()).await;
            let failed = scenario.count - times.len();
            let mut over = |percent| {
                if times.is_empty() {
                    return "-".to_owned();
                }
                let time = percentile(&mut times, percent).saturating_sub(floor);
                format!("{:.2}", time.as_secs_f64() * 1e3)
            };
            let (p50, p99) = (over(50), over(99));
            let syns = syns as f64 / scenario.count as f64;
            println!("| {} | {name} | {p50} | {p99} | {syns:.1} | {failed} |", scenario.title);
        }
        drop(nameserver);
    }
}

fn main() {
    if env::args().any(|arg| arg == "--in-namespace") {
        namespace::enter_namespace().expect("a network namespace of our own");
        compare();
    } else if namespace::can_unshare() {
        let path = namespace::own_path();
        let status = namespace::unshared(&path).arg("--in-namespace").status().expect("unshare");
        assert!(status.success(), "{status}");
    } else {
        println!("no network namespace can be had here: it takes Linux and `unshare`");
    }
}
