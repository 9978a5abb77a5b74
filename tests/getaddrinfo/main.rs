//! The same addresses as the C library, or a reason.
//!
//! `.ci/getaddrinfo` makes a network with nameservers and a hosts file, and runs this for each of
//! several resolv.conf; `.ci/nss` does so with systemd-resolved, and where the C library is asked.
//! In a plain `cargo test`, which needs Rust alone, it says that it was not asked for.

mod differences;
#[allow(unreachable_pub, reason = "a library has this file, too: tests/nss")]
mod end;
mod names;

use std::collections::BTreeSet;
use std::env;
use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};

use futures_util::{StreamExt, stream};
use outrace::{LookupErrorKind, LookupResult, Resolver};

use differences::DIFFERENCES;
use end::End;

/// The setting that the script has made.
const SETTING: &str = "OUTRACE_GETADDRINFO";
/// The zone file of its nameservers.
const ZONE: &str = "OUTRACE_GETADDRINFO_ZONE";

#[tokio::test]
async fn the_same_addresses_as_getaddrinfo_or_a_reason() {
    let Ok(setting) = env::var(SETTING) else {
        println!("not asked for: {SETTING} is not set (run .ci/getaddrinfo)");
        return;
    };
    let names = names::names(&env::var(ZONE).expect("it stands beside the setting"));
    let ours: Vec<_> = stream::iter(&names).map(|name| ours(name)).buffered(32).collect().await;
    let rows = names.into_iter().zip(ours).map(|(name, ours)| {
        let theirs = theirs(&name);
        Row { name, ours, theirs }
    });
    let (same, different): (Vec<_>, Vec<_>) = rows.partition(|row| row.ours == row.theirs);

    let mut wrong = Vec::new();
    for row in &different {
        let reason = DIFFERENCES
            .iter()
            .find(|reason| reason.names(&setting).any(|name| reason.explains(name, row)));
        match reason {
            Some(reason) => println!("{row}: {}", reason.why),
            None => wrong.push(format!("{row}: why?")),
        }
    }
    for reason in DIFFERENCES {
        for name in reason.names(&setting) {
            if !different.iter().any(|row| reason.explains(name, row)) {
                wrong.push(format!("{name}: no longer different: {}", reason.why));
            }
        }
    }
    let found = same.iter().filter(|row| row.ours.end == End::Addresses).count();
    println!(
        "{setting}: {} names, of which {found} have the same addresses, {} have none, and {} differ",
        same.len() + different.len(),
        same.len() - found,
        different.len(),
    );
    assert!(wrong.is_empty(), "in {setting}:\n{}", wrong.join("\n"));
    // With a nameserver that fails all of them the two would agree as well.
    assert!(found >= 200, "the names have addresses");
}

/// A name, and what comes of it.
struct Row {
    name: String,
    ours: Outcome,
    theirs: Outcome,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}, by getaddrinfo {}", self.name, self.ours, self.theirs)
    }
}

/// What a lookup comes to.
#[derive(PartialEq, Eq)]
struct Outcome {
    addrs: BTreeSet<SocketAddr>,
    end: End,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addrs: Vec<_> = self.addrs.iter().map(ToString::to_string).collect();
        write!(f, "{:?} [{}]", self.end, addrs.join(" "))
    }
}

const PORT: u16 = 80;

async fn ours(name: &str) -> Outcome {
    let mut lookup = Resolver::system().lookup((name, PORT));
    let (mut addrs, mut end) = (BTreeSet::new(), None);
    while let Some(result) = lookup.next().await {
        match result {
            LookupResult::Address(addr) => {
                addrs.insert(addr);
            }
            LookupResult::CanonicalName(_) => {}
            LookupResult::End(outcome) => {
                end = Some(match outcome {
                    Ok(()) => End::Addresses,
                    Err(error) if error.is_temporary() => End::Temporary,
                    Err(error) if error.kind() == LookupErrorKind::NoAddress => End::NoAddress,
                    Err(_) => End::NoName,
                });
            }
        }
    }
    Outcome { addrs, end: end.expect("an end") }
}

/// By way of std, which asks for both families and for nothing else.
fn theirs(name: &str) -> Outcome {
    match (name, PORT).to_socket_addrs() {
        Ok(addrs) => Outcome { addrs: addrs.collect(), end: End::Addresses },
        Err(error) => {
            let end = End::of_error(&error).unwrap_or_else(|| panic!("{name:?}: {error}"));
            Outcome { addrs: BTreeSet::new(), end }
        }
    }
}
