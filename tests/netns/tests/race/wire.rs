//! The wire: sees every SYN that leaves, and holds or drops it as the test says.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use nfq::{Message, Queue, Verdict};

/// The one wire of this network. Tests keep apart by their addresses.
pub struct Wire {
    plans: Mutex<HashMap<IpAddr, Plan>>,
    syns: Mutex<Vec<(Instant, IpAddr)>>,
}

/// What happens to the SYNs to one address.
#[derive(Clone, Copy, Debug, Default)]
struct Plan {
    delay: Duration,
    losses: u32,
}

impl Wire {
    pub fn get() -> &'static Self {
        static WIRE: OnceLock<Wire> = OnceLock::new();
        static STARTED: OnceLock<()> = OnceLock::new();
        let wire = WIRE.get_or_init(|| Self { plans: Mutex::default(), syns: Mutex::default() });
        STARTED.get_or_init(|| {
            let queue = open().expect("netfilter queue 0: run by .ci/netns-race");
            thread::spawn(move || wire.run(queue).expect("the wire holds"));
        });
        wire
    }

    /// Every SYN to `ip` takes so long.
    pub fn delay(&self, ip: IpAddr, delay: Duration) {
        self.plans.lock().unwrap().entry(ip).or_default().delay = delay;
    }

    /// The next `count` SYNs to `ip` are lost.
    pub fn lose(&self, ip: IpAddr, count: u32) {
        self.plans.lock().unwrap().entry(ip).or_default().losses = count;
    }

    /// When the first SYN to each of `ips` left, in the order in which they left.
    pub fn first_syns(&self, ips: &[IpAddr]) -> Vec<(Instant, IpAddr)> {
        let mut first: Vec<(Instant, IpAddr)> = Vec::new();
        for &(at, ip) in self.syns.lock().unwrap().iter() {
            if ips.contains(&ip) && first.iter().all(|&(_, known)| known != ip) {
                first.push((at, ip));
            }
        }
        first
    }

    /// How many SYNs to `ip` left, repetitions included.
    pub fn count(&self, ip: IpAddr) -> usize {
        self.syns.lock().unwrap().iter().filter(|(_, to)| *to == ip).count()
    }

    fn run(&self, mut queue: Queue) -> io::Result<()> {
        let mut held: HashMap<u64, Message> = HashMap::new();
        let mut due = BinaryHeap::new();
        let mut number = 0;
        loop {
            loop {
                match queue.recv() {
                    Ok(mut message) => match self.plan(destination(message.get_payload())) {
                        Some(delay) => {
                            due.push(Reverse((Instant::now() + delay, number)));
                            held.insert(number, message);
                            number += 1;
                        }
                        None => {
                            message.set_verdict(Verdict::Drop);
                            queue.verdict(message)?;
                        }
                    },
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                    Err(e) => return Err(e),
                }
            }
            while let Some(Reverse((at, number))) = due.peek().copied() {
                if at > Instant::now() {
                    break;
                }
                due.pop();
                let mut message = held.remove(&number).expect("held until due");
                message.set_verdict(Verdict::Accept);
                queue.verdict(message)?;
            }
            // The queue does not show its descriptor, so it cannot be waited for.
            thread::park_timeout(Duration::from_micros(200));
        }
    }

    /// Notes a SYN. How long it takes, or `None` if it is lost.
    fn plan(&self, ip: IpAddr) -> Option<Duration> {
        self.syns.lock().unwrap().push((Instant::now(), ip));
        let mut plans = self.plans.lock().unwrap();
        let plan = plans.entry(ip).or_default();
        if plan.losses > 0 {
            plan.losses -= 1;
            return None;
        }
        Some(plan.delay)
    }
}

fn open() -> io::Result<Queue> {
    let mut queue = Queue::open()?;
    queue.bind(0)?;
    queue.set_nonblocking(true);
    Ok(queue)
}

/// The destination of an IP packet.
fn destination(packet: &[u8]) -> IpAddr {
    if packet[0] >> 4 == 4 {
        let bytes: [u8; 4] = packet[16..20].try_into().unwrap();
        Ipv4Addr::from(bytes).into()
    } else {
        let bytes: [u8; 16] = packet[24..40].try_into().unwrap();
        Ipv6Addr::from(bytes).into()
    }
}
