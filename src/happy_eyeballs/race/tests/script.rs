//! One scenario as a line of data, and the driver that plays it in virtual time.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::super::*;

/// One scenario.
///
/// Addresses are written `4a`, `4b`, .. and `6a`, `6b`, ..; those with a `!` have no route. All
/// times are milliseconds: of `answers` and `want` since the start, of `attempts` since that
/// attempt's start.
pub(super) struct Scenario<'a> {
    /// Its number in the scenario list, and what it shows.
    id: &'a str,
    config: fn(RaceOptions) -> RaceOptions,
    ipv6_host: bool,
    /// What comes out of the lookup, and when: `30 4a 4b; 40 end`.
    answers: &'a str,
    /// How attempts fare: `6a ok 100; 4a fail 20`. One that is not listed stays silent for ever.
    /// The words are `ok`, `fail`, `unsent` and `exhausted`.
    attempts: &'a str,
    /// What the race does, in order: `40 6a; 290 4a; 300 cancel 4a; 300 won 6a`.
    want: &'a str,
}

pub(super) fn scenario<'a>(
    id: &'a str,
    answers: &'a str,
    attempts: &'a str,
    want: &'a str,
) -> Scenario<'a> {
    Scenario { id, config: |config| config, ipv6_host: true, answers, attempts, want }
}

impl Scenario<'_> {
    pub(super) fn with(mut self, config: fn(RaceOptions) -> RaceOptions) -> Self {
        self.config = config;
        self
    }

    /// The host has no IPv6 route, and the driver has said so.
    pub(super) fn on_ipv4_host(mut self) -> Self {
        self.ipv6_host = false;
        self
    }
}

/// Plays each scenario, and compares all it did with all it was to do. Twice: what is handed in
/// within one instant counts together, in whatever order it is handed in.
pub(super) fn play(scenarios: &[Scenario<'_>]) {
    for scenario in scenarios {
        for order in [HandIn::ResultsFirst, HandIn::TimerFirst] {
            let played = Player::new(scenario).play(order);
            assert_eq!(played, scenario.want, "{} ({order:?})", scenario.id);
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HandIn {
    ResultsFirst,
    TimerFirst,
}

/// What happens to the race, and when.
#[derive(Clone, Copy, Debug)]
enum Event {
    Address(SocketAddr, Option<SourceAddress>),
    End,
    Connected(AttemptId),
    Failed(AttemptId),
    Unsent(AttemptId),
    Exhausted(AttemptId),
}

struct Player<'a> {
    race: Race,
    start: Instant,
    now: Instant,
    events: Vec<(Instant, Event)>,
    fates: Vec<Vec<&'a str>>,
    attempts: Vec<SocketAddr>,
    done: Vec<String>,
    over: bool,
}

impl<'a> Player<'a> {
    fn new(scenario: &'a Scenario<'a>) -> Self {
        let start = Instant::now();
        let config = (scenario.config)(RaceOptions::default());
        let mut race = Race::new(&config, start);
        if !scenario.ipv6_host {
            race.handle_default_source(Family::V6, None, start);
        }
        let mut events = Vec::new();
        for line in clauses(scenario.answers) {
            let at = start + millis(line[0]);
            for word in &line[1..] {
                events.push((at, answer(word)));
            }
        }
        let fates = clauses(scenario.attempts).collect();
        let (attempts, done) = (Vec::new(), Vec::new());
        Self { race, start, now: start, events, fates, attempts, done, over: false }
    }

    fn play(mut self, order: HandIn) -> String {
        self.drain();
        loop {
            let event = self.events.iter().map(|&(at, _)| at).min();
            let timer = self.race.poll_timeout();
            if let Some(timer) = timer {
                assert!(timer > self.now, "a deadline that has passed would be a busy loop");
            }
            let Some(next) = event.into_iter().chain(timer).min() else { break };
            // A timer is exact, and to wake early is harmless.
            let early = next.checked_sub(Duration::from_micros(1)).unwrap();
            self.race.handle_timeout(early);
            assert_eq!(self.race.poll_output(), None, "before its time");
            self.now = self.now.max(next);
            self.hand_in(order);
            self.drain();
        }
        assert_eq!(self.race.poll_output(), None, "the end stays the end");
        if !self.over {
            self.done.push("pending".into());
        }
        self.done.join("; ")
    }

    fn hand_in(&mut self, order: HandIn) {
        let now = self.now;
        let mut ready: Vec<Event> = Vec::new();
        self.events.retain(|&(at, event)| {
            let is_ready = at <= now;
            ready.extend(is_ready.then_some(event));
            !is_ready
        });
        let is_answer = |event: &Event| matches!(event, Event::Address(..) | Event::End);
        ready.sort_by_key(|event| is_answer(event) == (order == HandIn::ResultsFirst));
        if order == HandIn::TimerFirst {
            self.race.handle_timeout(now);
        }
        for event in ready {
            match event {
                Event::Address(addr, source) => {
                    self.race.handle_address(addr, source, Learnt::default(), now);
                }
                Event::End => self.race.handle_end(now),
                Event::Connected(id) => self.race.handle_connected(id, now),
                Event::Failed(id) => self.race.handle_failed(id, now),
                Event::Unsent(id) => self.race.handle_not_sent(id, now),
                Event::Exhausted(id) => self.race.handle_exhausted(id, now),
            }
        }
        self.race.handle_timeout(now);
    }

    fn drain(&mut self) {
        while let Some(output) = self.race.poll_output() {
            assert!(!self.over, "{output:?} after the end");
            let text = match output {
                Output::Start { id, addr } => self.begin(id, addr),
                Output::Cancel { id } => format!("cancel {}", name(self.addr(id))),
                Output::Expire { id } => format!("expire {}", name(self.addr(id))),
                Output::Won { id } => format!("won {}", name(self.addr(id))),
                Output::Lost => "lost".into(),
                Output::TimedOut => "timed out".into(),
            };
            self.over = matches!(output, Output::Won { .. } | Output::Lost | Output::TimedOut);
            self.done.push(format!("{} {text}", (self.now - self.start).as_millis()));
        }
    }

    fn begin(&mut self, id: AttemptId, addr: SocketAddr) -> String {
        assert_eq!(id, AttemptId(u32::try_from(self.attempts.len()).unwrap()), "ids count starts");
        self.attempts.push(addr);
        let name = name(addr);
        for fate in self.fates.iter().filter(|fate| fate[0] == name) {
            let after =
                |word: usize| self.now + fate.get(word).map_or(Duration::ZERO, |w| millis(w));
            let event = match fate[1] {
                "ok" => Event::Connected(id),
                "fail" => Event::Failed(id),
                "unsent" => Event::Unsent(id),
                "exhausted" => Event::Exhausted(id),
                other => panic!("{other} is no fate"),
            };
            self.events.push((after(2), event));
        }
        name
    }

    fn addr(&self, id: AttemptId) -> SocketAddr {
        self.attempts[id.0 as usize]
    }
}

/// `30 4a; 40 end` as words.
fn clauses(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.split(';')
        .map(|clause| clause.split_whitespace().collect::<Vec<_>>())
        .filter(|words| !words.is_empty())
}

fn millis(word: &str) -> Duration {
    Duration::from_millis(word.parse().expect("a number of milliseconds"))
}

fn answer(word: &str) -> Event {
    if word == "end" {
        return Event::End;
    }
    let (name, routed) = word.strip_suffix('!').map_or((word, true), |name| (name, false));
    let addr = addr(name);
    Event::Address(addr, routed.then(|| source(addr)))
}

/// `4c` is 192.0.2.3, `6c` is `2001:db8::3`.
pub(super) fn addr(name: &str) -> SocketAddr {
    let [family @ (b'4' | b'6'), letter @ b'a'..=b'z'] = *name.as_bytes() else {
        panic!("{name} is no address")
    };
    let host = letter - b'a' + 1;
    let ip: IpAddr = match family {
        b'4' => Ipv4Addr::new(192, 0, 2, host).into(),
        _ => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, host.into()).into(),
    };
    SocketAddr::new(ip, 443)
}

fn name(addr: SocketAddr) -> String {
    let (family, host) = match addr.ip() {
        IpAddr::V4(ip) => ('4', ip.octets()[3]),
        IpAddr::V6(ip) => ('6', ip.octets()[15]),
    };
    format!("{family}{}", char::from(b'a' + host - 1))
}

/// An ordinary host's source address towards `addr`: global, native, preferred.
pub(super) fn source(addr: SocketAddr) -> SourceAddress {
    SourceAddress::new(match addr {
        SocketAddr::V4(_) => Ipv4Addr::new(192, 0, 2, 200).into(),
        SocketAddr::V6(_) => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0xffff).into(),
    })
}
