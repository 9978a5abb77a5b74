//! The contestants: each turns a name into addresses in its own way.

use std::net::SocketAddr;
use std::pin::Pin;
use std::time::{Duration, Instant};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use outrace::{LookupResult, Resolver};
use tokio::net::UdpSocket;
use tokio::time::timeout;

/// Answers that take longer than this count as a failure.
const PATIENCE: Duration = Duration::from_secs(20);

/// One way to look a name up.
#[derive(Clone)]
#[expect(clippy::large_enum_variant, reason = "there is one of them in a process")]
pub enum Contestant {
    /// The lower bound: a socket, two queries, two responses, and nothing parsed but the addresses.
    Raw(SocketAddr),
    Outrace(Resolver),
    Hickory(TokioResolver),
    /// `tokio::net::lookup_host`, with the system's resolv.conf.
    Getaddrinfo,
}

impl Contestant {
    pub const NAMES: [&str; 4] = ["raw", "outrace", "hickory", "getaddrinfo"];

    /// To be called in a Tokio runtime.
    pub fn new(name: &str, nameserver: SocketAddr) -> Self {
        match name {
            "raw" => Self::Raw(nameserver),
            "outrace" => Self::Outrace(
                Resolver::builder()
                    .without_system_configuration()
                    .nameservers([nameserver])
                    .build(),
            ),
            "hickory" => Self::Hickory(hickory_resolver(nameserver)),
            "getaddrinfo" => Self::Getaddrinfo,
            _ => panic!("`{name}` is none of {:?}", Self::NAMES),
        }
    }

    /// Whether both addresses came, and how long the first of them took.
    pub async fn lookup(&self, name: &str) -> Option<Duration> {
        // In a box each, so that the size of one contestant's future is not that of the largest.
        let lookup: Pin<Box<dyn Future<Output = _> + Send + '_>> = match self {
            Self::Raw(nameserver) => Box::pin(raw(*nameserver, name)),
            Self::Outrace(resolver) => Box::pin(outrace(resolver, name)),
            Self::Hickory(resolver) => Box::pin(hickory(resolver, name)),
            Self::Getaddrinfo => Box::pin(getaddrinfo(name)),
        };
        timeout(PATIENCE, lookup).await.ok()?
    }
}

async fn outrace(resolver: &Resolver, name: &str) -> Option<Duration> {
    let start = Instant::now();
    let mut results = resolver.lookup((name, 80));
    let (mut addrs, mut first) = (0, None);
    while let Some(result) = results.next().await {
        if let LookupResult::Address(_) = result {
            addrs += 1;
            first = first.or_else(|| Some(start.elapsed()));
        }
    }
    first.filter(|_| addrs == 2)
}

async fn hickory(resolver: &TokioResolver, name: &str) -> Option<Duration> {
    let start = Instant::now();
    let found = resolver.lookup_ip(name).await.ok()?;
    (found.iter().count() == 2).then(|| start.elapsed())
}

async fn getaddrinfo(name: &str) -> Option<Duration> {
    let start = Instant::now();
    let found = tokio::net::lookup_host((name, 80)).await.ok()?;
    (found.count() == 2).then(|| start.elapsed())
}

fn hickory_resolver(nameserver: SocketAddr) -> TokioResolver {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = nameserver.port();
        connection
    });
    let server = NameServerConfig::new(nameserver.ip(), true, connections.into());
    let config = ResolverConfig::from_name_servers(vec![server]);
    TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        .build()
        .expect("a resolver")
}

async fn raw(nameserver: SocketAddr, name: &str) -> Option<Duration> {
    let start = Instant::now();
    let socket = UdpSocket::bind("127.0.0.1:0").await.ok()?;
    socket.connect(nameserver).await.ok()?;
    for (id, qtype) in [(1, 1), (2, 28)] {
        socket.send(&query(id, name, qtype)).await.ok()?;
    }
    let mut buffer = [0; 1232];
    let mut first = None;
    for _ in 0..2 {
        let len = socket.recv(&mut buffer).await.ok()?;
        // The one record comes last: its data are the address.
        let addr_len = if buffer[1] == 1 { 4 } else { 16 };
        std::hint::black_box(&buffer[len - addr_len..len]);
        first = first.or_else(|| Some(start.elapsed()));
    }
    first
}

fn query(id: u8, name: &str, qtype: u8) -> Vec<u8> {
    let mut bytes = vec![0, id, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.trim_end_matches('.').split('.') {
        bytes.push(u8::try_from(label.len()).expect("a label of at most 63 bytes"));
        bytes.extend(label.as_bytes());
    }
    bytes.extend([0, 0, qtype, 0, 1]);
    bytes
}
