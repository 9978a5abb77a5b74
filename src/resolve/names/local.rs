//! The order of sources: which lookups are answered here, and what is asked of nameservers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use super::search::{Candidates, SearchRule, candidates};
use super::source_order::{SourceOrder, SourceRules};
use super::special_names::{self, Special};
use crate::observer::AnswerSource;
use crate::resolve::config::hosts::{Hosts, HostsEntry};
use crate::resolve::config::program_hosts::ProgramHosts;
use crate::resolve::diagnostic::Diagnostic;
use crate::resolve::{AddressFamily, AddressPolicy, LookupError, LookupErrorKind, LookupOptions};
use crate::{Host, HostName, LookupResult, NameError, Target};

/// The part of the configuration that callers of lookups use.
#[derive(Debug, Default)]
pub(crate) struct LookupConfig {
    pub(crate) program_hosts: Arc<ProgramHosts>,
    pub(crate) hosts: Arc<Hosts>,
    pub(crate) search: Arc<[HostName]>,
    pub(crate) search_rule: SearchRule,
    /// What the operating system does with a search list, if the machine has one.
    pub(crate) system_search: Option<SearchRule>,
    pub(crate) no_aaaa: bool,
    pub(crate) no_tld_query: bool,
    pub(crate) sources: SourceRules,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// What a lookup comes to before the cache and the nameservers.
#[derive(Clone, Debug)]
pub(crate) enum Local {
    /// All its results, and where they come from: it needs no nameserver.
    Answered(Vec<LookupResult>, AnswerSource),
    /// It is asked of the nameservers or of the operating system.
    Ask(Ask),
}

/// A lookup that is not answered here.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    /// As the caller gave it.
    pub(crate) name: HostName,
    pub(crate) port: u16,
    /// `None`: both families.
    pub(crate) family: Option<AddressFamily>,
    pub(crate) candidates: Candidates<Arc<[HostName]>>,
    pub(crate) plan: Plan,
}

/// Whom a lookup asks, and whom then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// The nameservers about each candidate name.
    Nameservers,
    /// The nameservers about each candidate name; if none has an address, or they fail, these
    /// results hold. The last of them is the `End`.
    NameserversThenHosts(Box<[LookupResult]>),
    /// The nameservers about each candidate name; if they say that none has an address, the
    /// operating system about this name.
    NameserversThenSystem(SystemName),
    /// The operating system about this name.
    System(SystemName),
}

/// A name as the operating system is asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SystemName {
    /// A final dot keeps the search list of the operating system away.
    pub(crate) name: HostName,
    /// The operating system may try it below a search list of its own.
    pub(crate) is_searched: bool,
}

/// Decides a lookup of `target`: an IP literal is its own address, then the hosts of the program
/// answer, then the hosts file if the machine has it first, then the special-use names. What is
/// left is asked of the nameservers or of the operating system.
pub(crate) fn local(
    target: &Target,
    options: &LookupOptions,
    config: &LookupConfig,
    policy: &AddressPolicy,
) -> Local {
    let port = target.port().unwrap_or(0);
    let literal = match target.host() {
        Host::Ipv4(ip) => Some((IpAddr::V4(*ip), 0)),
        Host::Ipv6(ip, scope) => Some((IpAddr::V6(*ip), *scope)),
        Host::Name(name) => name.as_literal(),
    };
    match (literal, target.host()) {
        (Some((ip, scope)), _) => literal_results(ip, scope, port, options, policy),
        (None, Host::Name(name)) => by_name(name, port, options, config, policy),
        (None, Host::Ipv4(_) | Host::Ipv6(..)) => unreachable!("an address is a literal"),
    }
}

/// A literal of the family that was not asked for has no address: it is not turned into the other.
fn literal_results(
    ip: IpAddr,
    scope: u32,
    port: u16,
    options: &LookupOptions,
    policy: &AddressPolicy,
) -> Local {
    let text = HostName::of_literal(ip, scope);
    let addresses = is_wanted(ip, options).then_some((ip, scope));
    let results = results(&text, &text, addresses, port, &policy.for_literals());
    Local::Answered(results, AnswerSource::Literal)
}

fn by_name(
    name: &HostName,
    port: u16,
    options: &LookupOptions,
    config: &LookupConfig,
    policy: &AddressPolicy,
) -> Local {
    // `no-aaaa` is about what is asked of nameservers: "Only DNS lookups are affected: IPv6 data in
    // hosts(5) is still used" (resolv.conf(5)).
    let of_entry = |entry: HostsEntry| {
        let addresses = entry.addresses.into_iter().filter(|&(ip, _)| is_wanted(ip, options));
        results(name, &entry.canonical, addresses, port, &policy.for_hosts_file())
    };
    // A name that the program gave has those addresses and no others: what it leaves out is left
    // out on purpose.
    if let Some(entry) = config.program_hosts.lookup(name) {
        return Local::Answered(of_entry(entry), AnswerSource::Hosts);
    }
    let order = config.sources.order_of(name);
    // No nameserver is asked for these, so behind the nameservers comes first.
    let is_never_sent =
        || name.is_of_hosts_alone() || special_names::classify(name) != Special::Ordinary;
    let in_hosts = || config.hosts.lookup(name).map(of_entry);
    if (order.has_hosts_first() || order.has_hosts() && is_never_sent())
        && let Some(results) = in_hosts()
    {
        return Local::Answered(results, AnswerSource::Hosts);
    }
    if name.is_of_hosts_alone() {
        let error = LookupError::invalid(NameError::AmbiguousNumeric.into());
        return Local::Answered(vec![LookupResult::End(Err(error))], AnswerSource::Hosts);
    }
    match special_names::classify(name) {
        Special::Loopback => {
            let loopback = [IpAddr::V6(Ipv6Addr::LOCALHOST), IpAddr::V4(Ipv4Addr::LOCALHOST)];
            let addresses =
                loopback.into_iter().filter(|&ip| is_wanted(ip, options)).map(|ip| (ip, 0));
            let canonical = HostName::from_checked("localhost");
            let results = results(name, &canonical, addresses, port, policy);
            Local::Answered(results, AnswerSource::SpecialName)
        }
        Special::NotFound => Local::Answered(not_found(name), AnswerSource::SpecialName),
        Special::Ordinary => {
            let for_system = || {
                let name = if options.search { name.clone() } else { name.to_absolute() };
                let is_searched = config.system_search.is_some_and(|rule| rule.applies_to(&name));
                SystemName { name, is_searched }
            };
            let plan = match order {
                SourceOrder::HostsThenNameservers | SourceOrder::Nameservers => Plan::Nameservers,
                SourceOrder::NameserversThenHosts => in_hosts()
                    .map_or(Plan::Nameservers, |results| {
                        Plan::NameserversThenHosts(results.into())
                    }),
                SourceOrder::Hosts | SourceOrder::Nowhere => {
                    return Local::Answered(not_found(name), AnswerSource::Hosts);
                }
                SourceOrder::HostsThenSystem | SourceOrder::System => Plan::System(for_system()),
                SourceOrder::HostsThenNameserversThenSystem
                | SourceOrder::NameserversThenSystem => Plan::NameserversThenSystem(for_system()),
            };
            let family = match options.family {
                // What the operating system is asked is its own business.
                None if config.no_aaaa && !matches!(plan, Plan::System(_)) => {
                    Some(AddressFamily::Ipv4)
                }
                family => family,
            };
            let search = if options.search { Arc::clone(&config.search) } else { Arc::from([]) };
            let candidates =
                candidates(name, search, config.search_rule).no_tld_query(config.no_tld_query);
            Local::Ask(Ask { name: name.clone(), port, family, candidates, plan })
        }
    }
}

/// The results of a name that does not exist.
fn not_found(name: &HostName) -> Vec<LookupResult> {
    let kind = LookupErrorKind::NotFound;
    vec![LookupResult::End(Err(LookupError::new(kind, Some(name.clone()), Vec::new())))]
}

fn is_wanted(ip: IpAddr, options: &LookupOptions) -> bool {
    options.family.is_none_or(|family| family == AddressFamily::of(ip))
}

/// The results of a lookup that is answered at once: the addresses that `policy` allows, the
/// canonical name, the end.
fn results(
    name: &HostName,
    canonical: &HostName,
    addresses: impl IntoIterator<Item = (IpAddr, u32)>,
    port: u16,
    policy: &AddressPolicy,
) -> Vec<LookupResult> {
    let mut denied = None;
    let mut results: Vec<_> = addresses
        .into_iter()
        .filter(|&(ip, _)| policy.lets_through(ip, &mut denied))
        .filter_map(|(ip, scope)| Host::of_ip(ip, scope).socket_addr(port))
        .map(LookupResult::Address)
        .collect();
    let end = if results.is_empty() {
        let kind = match denied {
            Some(_) => LookupErrorKind::PolicyDenied,
            None => LookupErrorKind::NoAddress,
        };
        Err(LookupError::new(kind, Some(name.clone()), Vec::new()).with_denied(denied))
    } else {
        results.push(LookupResult::CanonicalName(canonical.clone()));
        Ok(())
    };
    results.push(LookupResult::End(end));
    results
}

#[cfg(test)]
mod tests;
