//! What must hold for any bytes, for the targets in `fuzz/`; no part of the API.
//!
//! Built with `--cfg fuzzing`, and with the tests, which play the seeds.

#![allow(missing_docs, reason = "no part of the API")]

mod build;
mod change;
mod input;
mod message;
pub mod oracle;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::net::SocketAddr;

use crate::os::NameService;
use crate::{HostName, Target};

use super::Diagnostic;
use super::config::hosts::Hosts;
use super::config::name_routes::RouteTarget;
use super::config::native::{apple, property_list};
use super::config::nsswitch;
use super::config::resolv_conf::{self, Env};
use super::names::search::{SearchRule, candidates};
use super::names::source::{Facts, MachineFacts, decide};
use super::names::source_order::SourceOrder;
use super::names::special_names::must_not_be_asked_for;
use super::sim;

pub(super) use build::any_response;
pub(super) use change::changed;
pub(super) use input::Input;
pub use message::{Case, message};

/// A text is refused in printable words, or is a name that reads back as itself.
pub fn host_name(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    match text.parse::<HostName>() {
        Ok(name) => {
            assert_eq!(name.as_str(), text);
            assert!(name.without_final_dot().len() <= 253, "a name of more than 253 bytes");
            assert!(name.labels().all(|label| (1..=63).contains(&label.len())), "a bad label");
            assert!(name.is_subdomain_of(&name.to_relative()), "a name lies in itself");
            assert!(text.parse::<std::net::IpAddr>().is_err(), "an address as a name");
        }
        Err(error) => printable(&error.to_string()),
    }
}

/// A text is refused in printable words, or is a target whose own text reads back as itself.
pub fn target(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    match Target::parse(text, &interface_index) {
        Ok(target) => assert_eq!(Target::parse(&target.to_string(), &interface_index), Ok(target)),
        Err(error) => printable(&error.to_string()),
    }
}

/// A file and an environment give a configuration in range, and candidates that may be sent.
pub fn resolv_conf(bytes: &[u8]) {
    let mut parts = bytes.split(|&byte| byte == 0xff);
    let file = parts.next().unwrap_or_default();
    let mut text = || parts.next().and_then(|part| str::from_utf8(part).ok());
    let env = Env {
        res_options: text(),
        localdomain: text(),
        hostname: text(),
        interfaces: &interface_index,
        has_lookup: bytes.len() % 2 == 1,
    };
    let conf = resolv_conf::parse(file, &env);
    assert!((1..=3).contains(&conf.nameservers.len()), "no nameserver, or too many");
    let usable = |addr: &SocketAddr| addr.port() == 53 && !addr.ip().is_unspecified();
    assert!(conf.nameservers.iter().all(usable), "a nameserver that cannot be asked");
    assert!(conf.options.ndots <= 15 && (1..=5).contains(&conf.options.attempts));
    assert!((1..=30).contains(&conf.options.timeout.as_secs()));
    conf.diagnostics.iter().for_each(printable_diagnostic);

    let name: HostName = env.hostname.and_then(|name| name.parse().ok()).unwrap_or_else(localhost);
    for candidate in candidates(&name, &conf.search, SearchRule::Ndots(conf.options.ndots)) {
        assert!(!candidate.is_absolute(), "a final dot");
        assert!(!must_not_be_asked_for(candidate.as_str()), "{candidate} must not be sent");
        assert_eq!(candidate.as_str().parse::<HostName>(), Ok(candidate));
    }
}

/// A file is an index from which every name in it comes back with addresses, each once.
pub fn hosts(bytes: &[u8]) {
    let hosts = Hosts::parse(bytes, &interface_index);
    hosts.diagnostics().iter().for_each(printable_diagnostic);
    for word in bytes.split(|byte| byte.is_ascii_whitespace() || *byte == b'#') {
        let Some(name) = str::from_utf8(word).ok().and_then(|word| word.parse().ok()) else {
            continue;
        };
        let Some(entry) = hosts.lookup(&name) else { continue };
        assert!(!entry.addresses.is_empty(), "{name} without an address");
        let distinct: HashSet<_> = entry.addresses.iter().collect();
        assert_eq!(distinct.len(), entry.addresses.len(), "{name} has an address twice");
        let canonical = hosts.lookup(&entry.canonical).expect("the canonical name is in the file");
        assert!(canonical.addresses.contains(&entry.addresses[0]), "{name} and its canonical name");
    }
}

/// A file is read, and gives every name an order of sources, whatever else is so of the machine.
pub fn nsswitch(bytes: &[u8]) {
    let (facts, file) = bytes.split_at_checked(2).unwrap_or((&[0, 0], bytes));
    let is = |bit: u8| facts[usize::from(bit / 8)] >> (bit % 8) & 1 == 1;
    let read = nsswitch::parse(file);
    read.diagnostics.iter().for_each(printable_diagnostic);
    let conf: &[u8] = if is(0) { b"nameserver 127.0.0.53\n" } else { b"" };
    let env = Env {
        hostname: None,
        res_options: None,
        localdomain: None,
        interfaces: &interface_index,
        has_lookup: false,
    };
    let machine = MachineFacts {
        hostname: is(1).then(|| "box".into()),
        has_resolved: is(2),
        has_machines: is(3),
        has_mdns_allow: is(4),
    };
    let decision = decide(&Facts {
        service: NameService::Nsswitch { defaults_to_dns: is(5) },
        hosts_line: &read.hosts,
        conf: &resolv_conf::parse(conf, &env),
        conf_failure: is(6).then_some(std::io::ErrorKind::Other),
        is_conf_missing: is(7),
        has_hostaliases: is(8),
        has_asr_config: is(9),
        machine: &machine,
    });
    decision.reasons.iter().for_each(printable_diagnostic);
    let mut goes_to_system = false;
    for name in ["box", "www", "www.example", "printer.local", "a.b.local", "_gateway"] {
        let dotted = HostName::from_checked(&format!("{name}."));
        let order = decision.rules.order_of(&HostName::from_checked(name));
        let requested = decision.clone().by_request().rules.order_of(&dotted);
        assert_eq!(order.has_hosts_first(), requested.has_hosts_first(), "{name}");
        let is_of_system =
            |order| matches!(order, SourceOrder::System | SourceOrder::HostsThenSystem);
        assert!(is_of_system(requested), "{name}, and the program wants the system");
        goes_to_system |= is_of_system(order);
    }
    assert!(!goes_to_system || !decision.reasons.is_empty(), "nothing says why");
}

/// What a Mac says gives nameservers that can be asked, and routes to such, and says what of it is
/// of no use; a text that was cut off gives nothing that the whole one does not.
pub fn property_list(bytes: &[u8]) {
    let mut parts = bytes.split(|&byte| byte == 0xff);
    let mut part = || parts.next().unwrap_or_default().to_vec();
    let global = ("State:/Network/Global/DNS".to_owned(), part());
    let service = ("State:/Network/Service/1/DNS".to_owned(), part());
    let recorded = apple::Recorded {
        store: vec![global.clone(), service],
        resolver_files: vec![("corp.example".to_owned(), part())],
        is_partial: false,
        unreadable: Vec::new(),
    };
    let (hostname, res_options, localdomain) = (None, None, None);
    let env =
        Env { hostname, res_options, localdomain, interfaces: &interface_index, has_lookup: false };
    let config = apple::native_config(recorded, &env);
    config.diagnostics.iter().for_each(printable_diagnostic);
    assert!(config.search.iter().all(|name| !name.is_absolute()), "a final dot");
    let are_usable = |nameservers: &[SocketAddr]| {
        nameservers.len() <= 3
            && nameservers.iter().all(|addr| addr.port() != 0 && !addr.ip().is_unspecified())
    };
    assert!(are_usable(&config.nameservers), "a nameserver that cannot be asked, or too many");
    for route in &config.routes {
        match &route.to {
            RouteTarget::Nameservers(nameservers) => {
                assert!(!nameservers.is_empty() && are_usable(nameservers), "{route:?}");
            }
            RouteTarget::System => {}
            RouteTarget::Refuse => panic!("{route:?}"),
        }
    }

    let whole = property_list::parse(&global.1);
    if let Some(value) = &whole.value
        && let Some(part) = property_list::parse(&global.1[..global.1.len() / 2]).value
    {
        assert!(part.is_part_of(value), "{part:?} is no part of {value:?}");
    }
}

/// Of all that arrives for one lookup, it takes the valid responses, and nothing else ends it.
pub fn acceptance(bytes: &[u8]) {
    sim::bytes::acceptance(bytes);
}

/// The whole core, with users, nameservers and a network that do anything at any time, keeps its
/// promises after each step.
pub fn query_machine(bytes: &[u8]) {
    sim::bytes::query_machine(bytes);
}

/// A machine with one interface.
fn interface_index(name: &str) -> Option<u32> {
    (name == "lo").then_some(1)
}

fn localhost() -> HostName {
    HostName::from_checked("localhost")
}

fn printable_diagnostic(diagnostic: &Diagnostic) {
    let text = diagnostic.to_string();
    assert!(!text.contains(char::is_control), "{text:?}");
}

fn printable(text: &str) {
    assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{text:?}");
}
