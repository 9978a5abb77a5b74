//! [`Playback`]: which rule of a script decides, and what is done when.

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::Duration;

use domain::base::Rtype;
use domain::base::iana::OptRcode;

use super::Transport;
use super::reply::{self, Asked};
use super::script::{Message, Origin, Rule, Script, Step};

/// A script on its way: it knows how often each question was asked, and how often each rule has
/// decided.
#[derive(Debug)]
pub struct Playback {
    script: Script,
    attempts: HashMap<(String, Rtype, Transport), usize>,
    /// How many queries each rule has decided.
    uses: Vec<usize>,
}

/// What is done about one query.
#[derive(Debug)]
pub struct Reaction {
    /// Counts, from 1, the queries for this name (in any case) and type over this transport.
    pub attempt: usize,
    /// What happens so long after the query, in its order.
    pub actions: Vec<(Duration, Action)>,
}

/// One thing that happens at its time.
#[derive(Clone, Debug)]
pub enum Action {
    Datagram {
        origin: Origin,
        bytes: Vec<u8>,
    },
    /// Octets for the connection.
    Write(Vec<u8>),
    /// A whole message that waits until `count` of them can be written at once.
    Hold {
        bytes: Vec<u8>,
        count: usize,
    },
    Close,
    Reset,
    PortUnreachable,
}

/// A query as rules see it.
struct Asks {
    /// In lower case, without the final dot.
    name: String,
    rtype: Rtype,
    transport: Transport,
    edns: bool,
    attempt: usize,
}

impl Playback {
    pub fn new(script: impl Into<Script>) -> Self {
        let script = script.into();
        Self { uses: vec![0; script.rules.len()], script, attempts: HashMap::new() }
    }

    pub fn script(&self) -> &Script {
        &self.script
    }

    /// Replaces the rules from the next query on. Query attempts keep counting.
    pub fn set_rules(&mut self, rules: Vec<Rule>) {
        self.uses = vec![0; rules.len()];
        self.script.rules = rules;
    }

    /// What to do about a query, which is counted.
    pub fn react(&mut self, asked: &Asked) -> Reaction {
        let name = asked.qname.to_string().to_ascii_lowercase();
        let key = (name, asked.rtype, asked.transport);
        let attempt = match self.attempts.get_mut(&key) {
            Some(attempt) => {
                *attempt += 1;
                *attempt
            }
            None => {
                self.attempts.insert(key.clone(), 1);
                1
            }
        };
        let (name, rtype, transport) = key;
        let edns = asked.edns_size.is_some();
        let as_read = if self.script.folds_case { asked.in_lower_case() } else { asked.clone() };
        let steps = self.steps(&Asks { name, rtype, transport, edns, attempt });
        let actions = timeline(&steps, &as_read);
        Reaction { attempt, actions }
    }

    /// The steps of the first rule that fits, or what is said about a question that no rule has.
    fn steps(&mut self, query: &Asks) -> Cow<'_, [Step]> {
        let Some(number) = self.script.rules.iter().position(|rule| rule.fits(query)) else {
            return self.default_step(query).into_iter().collect();
        };
        let alternatives = &self.script.rules[number].alternatives;
        let steps = &alternatives[self.uses[number].min(alternatives.len() - 1)];
        self.uses[number] += 1;
        steps.into()
    }

    fn default_step(&self, query: &Asks) -> Option<Step> {
        let mut known = false;
        for rule in self.script.rules.iter().filter(|rule| rule.has_name(&query.name)) {
            if rule.rtype.is_none_or(|wanted| wanted == query.rtype) {
                // There are rules, for other query attempts, the other transport or the like.
                return None;
            }
            known = true;
        }
        let rcode = if known { OptRcode::NOERROR } else { OptRcode::NXDOMAIN };
        Some(Step::Send(Message { rcode, ..Message::default() }))
    }
}

impl Rule {
    fn fits(&self, query: &Asks) -> bool {
        self.rtype.is_none_or(|wanted| wanted == query.rtype)
            && self.transport.is_none_or(|wanted| wanted == query.transport)
            && self.edns.is_none_or(|wanted| wanted == query.edns)
            && (self.attempts.0..=self.attempts.1).contains(&query.attempt)
            && self.has_name(&query.name)
    }

    /// Names are kept and compared in lower case, without the final dot.
    fn has_name(&self, name: &str) -> bool {
        match self.name.strip_prefix('*') {
            Some(suffix) => name.ends_with(suffix),
            None => name == self.name,
        }
    }
}

/// The steps with their times after the query.
fn timeline(steps: &[Step], asked: &Asked) -> Vec<(Duration, Action)> {
    let mut at = Duration::ZERO;
    let mut actions = Vec::new();
    for step in steps {
        match (step, asked.transport) {
            (Step::Delay(delay), _) => at += *delay,
            (Step::Send(message), _) => {
                for copy in 0..message.times {
                    let bytes = reply::bytes(message, asked, copy);
                    at = send(message, bytes, asked.transport, at, &mut actions);
                }
            }
            (Step::Close, Transport::Tcp) => actions.push((at, Action::Close)),
            (Step::Reset, Transport::Tcp) => actions.push((at, Action::Reset)),
            (Step::PortUnreachable, Transport::Udp) => actions.push((at, Action::PortUnreachable)),
            (Step::Close | Step::Reset, Transport::Udp) => {
                panic!("the script closes or resets a UDP question: {asked:?}");
            }
            (Step::PortUnreachable, Transport::Tcp) => {
                panic!("a TCP question has no ICMP port unreachable: {asked:?}");
            }
        }
    }
    actions
}

/// Enters one message, and gives the time of its last piece.
fn send(
    message: &Message,
    bytes: Vec<u8>,
    transport: Transport,
    mut at: Duration,
    actions: &mut Vec<(Duration, Action)>,
) -> Duration {
    if transport == Transport::Udp {
        actions.push((at, Action::Datagram { origin: message.origin, bytes }));
        return at;
    }
    let framing = &message.framing;
    let bytes = framing.framed(&bytes);
    if framing.together > 1 {
        actions.push((at, Action::Hold { bytes, count: framing.together }));
        return at;
    }
    let (pieces, gap) = framing.pieces(&bytes);
    for (n, piece) in pieces.into_iter().enumerate() {
        if n > 0 {
            at += gap;
        }
        actions.push((at, Action::Write(piece.to_vec())));
    }
    at
}
