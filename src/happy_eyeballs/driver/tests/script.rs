//! The scripted lookup and the scripted network, and what a race came to as text.

use std::collections::HashMap;
use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

use tokio::time::{Sleep, sleep_until};

use super::*;
use crate::os::OUT_OF_DESCRIPTORS as EMFILE;

/// A network of which everything is known beforehand.
#[derive(Debug)]
pub(super) struct Script {
    plans: HashMap<SocketAddr, Plan>,
    pub(super) open: Rc<Cell<usize>>,
    /// How often the source address was asked for.
    pub(super) asked: Rc<Cell<usize>>,
    pub(super) options: Arc<ConnectOptions>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Plan {
    Connect(Duration),
    Refuse(Duration),
    Hang,
    /// The transport is up after the first time, and the handshake ends after the second.
    Handshake(Duration, Duration),
    Alert(Duration, Duration),
    NoRoute,
    OutOfFiles,
}

impl Script {
    pub(super) fn new(text: &str, options: ConnectOptions) -> Self {
        let plans = text.split_whitespace().map(|word| {
            let (addr, plan) = word.split_once('=').expect("address=plan");
            let mut times = plan.split('+');
            let what = times.next().expect("a word");
            let mut time = || times.next().map_or(Duration::ZERO, millis);
            let after = time();
            let plan = match what {
                "tls" => Plan::Handshake(after, time()),
                "alert" => Plan::Alert(after, time()),
                "ok" => Plan::Connect(after),
                "refused" => Plan::Refuse(after),
                "hang" => Plan::Hang,
                "noroute" => Plan::NoRoute,
                "emfile" => Plan::OutOfFiles,
                _ => panic!("no plan: {word}"),
            };
            (address(addr), plan)
        });
        let options = Arc::new(options);
        Self { plans: plans.collect(), open: Rc::default(), asked: Rc::default(), options }
    }
}

impl Dial for Script {
    type Connection = Open;
    type Error = AttemptError;
    type Attempt = Pin<Box<Dialling>>;

    fn options(&self) -> &Arc<ConnectOptions> {
        &self.options
    }

    fn dial(&mut self, addr: SocketAddr) -> Result<Self::Attempt, AttemptError> {
        let mut transport_up = None;
        let (after, kind) = match self.plans.get(&addr) {
            Some(Plan::Handshake(up, after)) => {
                transport_up = Some(*up);
                (*after, None)
            }
            Some(Plan::Alert(up, after)) => {
                transport_up = Some(*up);
                (*after, Some(io::ErrorKind::InvalidData))
            }
            Some(Plan::Connect(after)) => (*after, None),
            Some(Plan::Refuse(after)) => (*after, Some(io::ErrorKind::ConnectionRefused)),
            Some(Plan::Hang) => (Duration::from_secs(3600), Some(io::ErrorKind::TimedOut)),
            Some(Plan::NoRoute) => {
                let error = io::ErrorKind::NetworkUnreachable.into();
                return Err(AttemptError::new(AttemptStage::Connect, error));
            }
            Some(Plan::OutOfFiles) => {
                let error = io::Error::from_raw_os_error(EMFILE);
                return Err(AttemptError::new(AttemptStage::Socket, error));
            }
            None => panic!("{addr} was not expected to be dialled"),
        };
        self.open.set(self.open.get() + 1);
        let socket = Some(Open { addr, open: Rc::clone(&self.open) });
        let sleep = |after| Box::pin(sleep_until(tokio::time::Instant::now() + after));
        let transport = transport_up.map(sleep);
        Ok(Box::pin(Dialling { socket, transport, is_up: false, until: sleep(after), kind }))
    }

    fn is_transport_up(attempt: &Self::Attempt) -> bool {
        attempt.is_up
    }

    fn source(&self, addr: SocketAddr, now: Instant) -> Option<SourceAddress> {
        self.default_source(Family::of(addr), now)
    }

    fn default_source(&self, family: Family, _: Instant) -> Option<SourceAddress> {
        self.asked.set(self.asked.get() + 1);
        let addr = if family == Family::V4 { address("4z") } else { address("6z") };
        Some(SourceAddress::new(addr.ip()))
    }
}

/// A socket, connected or not yet; counted while it is open.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) addr: SocketAddr,
    open: Rc<Cell<usize>>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.open.set(self.open.get() - 1);
    }
}

#[derive(Debug)]
pub(super) struct Dialling {
    socket: Option<Open>,
    transport: Option<Pin<Box<Sleep>>>,
    is_up: bool,
    until: Pin<Box<Sleep>>,
    kind: Option<io::ErrorKind>,
}

impl Future for Dialling {
    type Output = Result<Open, AttemptError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if !self.is_up
            && let Some(transport) = &mut self.transport
        {
            self.is_up = transport.as_mut().poll(cx).is_ready();
        }
        ready!(self.until.as_mut().poll(cx));
        let socket = self.socket.take().expect("polled once after it was ready");
        Poll::Ready(match self.kind {
            None => Ok(socket),
            Some(kind) => Err(AttemptError::new(AttemptStage::Connect, kind.into())),
        })
    }
}

pub(super) async fn drive<S: Stream<Item = LookupResult>, D: Dial>(
    results: S,
    dial: D,
) -> Outcome<D> {
    let watch = ConnectWatch::of_results(dial.options());
    let mut driver = std::pin::pin!(Driver::new(results, dial, TokioTimer, watch));
    std::future::poll_fn(|cx| driver.as_mut().poll(cx)).await
}

pub(super) fn virtual_time<T>(test: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).build().unwrap().block_on(test)
}

/// The lookup that `text` describes. It stays open unless it says `end` or `close`.
pub(super) fn results(text: &str) -> impl Stream<Item = LookupResult> + use<> {
    let begin = tokio::time::Instant::now();
    let words: Vec<String> = text.split_whitespace().map(String::from).collect();
    let closes = words.iter().any(|word| word.starts_with("close"));
    let items = stream::iter(words).filter_map(move |word| async move {
        let (what, ms) = word.split_once('@').expect("what@ms");
        sleep_until(begin + millis(ms)).await;
        Some(match what {
            "close" => return None,
            "end" => LookupResult::End(Ok(())),
            "end:timeout" => LookupResult::End(Err(LookupErrorKind::Timeout.into())),
            "end:notfound" => LookupResult::End(Err(LookupErrorKind::NotFound.into())),
            _ => LookupResult::Address(address(what)),
        })
    });
    let forever = (!closes).then(stream::pending);
    Box::pin(items.chain(stream::iter(forever).flatten()))
}

/// `4a` is `192.0.2.10`, `6a` is `2001:db8::a`, `mapped4a` is `::ffff:192.0.2.10`.
pub(super) fn address(name: &str) -> SocketAddr {
    let (family, letter) = name.split_at(name.len() - 1);
    let number = letter.bytes().next().unwrap() - b'a' + 10;
    let v4 = Ipv4Addr::new(192, 0, 2, number);
    match family {
        "4" => (v4, 443).into(),
        "6" => (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, number.into()), 443).into(),
        "mapped4" => (v4.to_ipv6_mapped(), 443).into(),
        _ => panic!("no address: {name}"),
    }
}

pub(super) fn name_of(addr: SocketAddr) -> String {
    let names = ('a'..='z').flat_map(|letter| [format!("4{letter}"), format!("6{letter}")]);
    names.into_iter().find(|name| address(name) == addr).expect("an address of the script")
}

pub(super) fn millis(text: &str) -> Duration {
    Duration::from_millis(text.parse().unwrap())
}

/// The outcome in the words of the table.
pub(super) fn tell(result: &Result<(SocketAddr, ConnectInfo), ConnectError>) -> String {
    let (attempts, end) = match result {
        Ok((addr, info)) => {
            assert_eq!(*addr, info.addr());
            (info.attempts(), format!("{}@{}", name_of(*addr), info.connected_after().as_millis()))
        }
        Err(error) => {
            let kind = match error.kind() {
                ConnectErrorKind::Dns(kind) => format!("dns:{kind:?}"),
                ConnectErrorKind::NoLocalAddress => "nolocal".into(),
                kind => format!("{kind:?}").to_lowercase(),
            };
            (error.attempts(), format!("{kind}@{}", error.elapsed().as_millis()))
        }
    };
    let mut outcome_text = String::new();
    for attempt in attempts {
        let outcome = match &attempt.outcome {
            AttemptOutcome::Won => "won",
            AttemptOutcome::Canceled => "canceled",
            AttemptOutcome::TimedOut => "timeout",
            AttemptOutcome::Failed(error) if error.is_out_of_resources() => "emfile",
            AttemptOutcome::Failed(error) => match error.io_error().kind() {
                io::ErrorKind::ConnectionRefused => "refused",
                io::ErrorKind::InvalidData => "alert",
                io::ErrorKind::NetworkUnreachable => "noroute",
                kind => panic!("no such plan: {kind:?}"),
            },
        };
        let (start, life) = (attempt.started.as_millis(), attempt.lived.as_millis());
        let name = name_of(attempt.addr);
        write!(outcome_text, "{name}@{start}+{life}:{outcome} ").expect("a String takes all");
    }
    outcome_text + "= " + &end
}
