//! The time to a connection, computed and played.
//!
//! With one address of each family and none that fails, the time follows from the times of the
//! answers and of the two handshakes alone: attempts may begin at
//!
//! `min(AAAA, first + Resolution Delay, max(A, AAAA) if both have answered)`,
//!
//! the better address known by then starts at that time and the other one a Connection Attempt
//! Delay later, or when it comes.

use super::script::{play, scenario};

const RESOLUTION_DELAY: u32 = 50;
const CONNECTION_ATTEMPT_DELAY: u32 = 250;

/// What a question gets, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Address(u32),
    Nothing(u32),
    Never,
}

use Answer::{Address, Never, Nothing};

/// Either side of each border, and the border itself.
const ANSWERS: [Answer; 12] = [
    Address(0),
    Address(10),
    Address(49),
    Address(50),
    Address(51),
    Address(60),
    Address(100),
    Address(400),
    Nothing(0),
    Nothing(30),
    Nothing(70),
    Never,
];

const HANDSHAKES: [Option<u32>; 7] =
    [Some(0), Some(5), Some(249), Some(250), Some(251), Some(600), None];

#[test]
fn the_time_to_a_connection_is_what_it_has_to_be() {
    for aaaa in ANSWERS {
        for a in ANSWERS {
            for handshake6 in HANDSHAKES {
                for handshake4 in HANDSHAKES {
                    let id = format!("{aaaa:?}/{handshake6:?}, {a:?}/{handshake4:?}");
                    let want = outcome([aaaa, a], [handshake6, handshake4]);
                    let (answers, attempts) = script([aaaa, a], [handshake6, handshake4]);
                    play(&[scenario(&id, &answers, &attempts, &want)]);
                }
            }
        }
    }
}

/// Everything the race does. First stands IPv6, then IPv4.
fn outcome(answers: [Answer; 2], handshakes: [Option<u32>; 2]) -> String {
    let comes = answers.map(|answer| match answer {
        Address(at) => Some(at),
        Nothing(_) | Never => None,
    });
    let Some(first) = comes.iter().flatten().min() else {
        return end(answers).map_or("pending".into(), |end| format!("{end} lost"));
    };
    let gate = [comes[0], Some(first + RESOLUTION_DELAY), end(answers)];
    let gate = gate.into_iter().flatten().min().expect("an address has come");
    let leads = usize::from(comes[0].is_none_or(|at| at > gate));
    let follows = 1 - leads;
    let second = comes[follows].map(|at| at.max(gate + CONNECTION_ATTEMPT_DELAY));
    let names = ["6a", "4a"];
    let start = format!("{gate} {}", names[leads]);
    let leads_at = handshakes[leads].map(|handshake| gate + handshake);
    if let Some(won) = leads_at.filter(|&won| second.is_none_or(|second| won <= second)) {
        return format!("{start}; {won} won {}", names[leads]);
    }
    let Some(second) = second else { return format!("{start}; pending") };
    let starts = format!("{start}; {second} {}", names[follows]);
    let follows_at = handshakes[follows].map(|handshake| second + handshake);
    let (won, lost, at) = match (leads_at, follows_at) {
        (Some(one), Some(other)) if other < one => (follows, leads, other),
        (Some(one), _) => (leads, follows, one),
        (None, Some(other)) => (follows, leads, other),
        (None, None) => return format!("{starts}; pending"),
    };
    format!("{starts}; {at} cancel {}; {at} won {}", names[lost], names[won])
}

/// When both have answered.
fn end(answers: [Answer; 2]) -> Option<u32> {
    let [aaaa, a] = answers.map(|answer| match answer {
        Address(at) | Nothing(at) => Some(at),
        Never => None,
    });
    Some(aaaa?.max(a?))
}

fn script(answers: [Answer; 2], handshakes: [Option<u32>; 2]) -> (String, String) {
    let (mut lookup, mut attempts) = (Vec::new(), Vec::new());
    for (name, (answer, handshake)) in ["6a", "4a"].iter().zip(answers.iter().zip(handshakes)) {
        if let Address(at) = answer {
            lookup.push(format!("{at} {name}"));
        }
        attempts.extend(handshake.map(|after| format!("{name} ok {after}")));
    }
    lookup.extend(end(answers).map(|end| format!("{end} end")));
    (lookup.join(";"), attempts.join(";"))
}
