//! Windows: its network adapters and its registry, from what was read to a [`NativeConfig`].

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::path::PathBuf;

use super::NativeConfig;
use crate::HostName;
use crate::host_name;
use crate::resolve::config::name_routes::{NameRoute, RouteTarget};
use crate::resolve::diagnostic::{ConfigSource, Diagnostic, DiagnosticCause, Diagnostics};
use crate::resolve::names::search::SearchRule;
use crate::resolve::stub::query::MAX_NAMESERVERS;

const DNS_PORT: u16 = 53;
/// So many suffixes are searched at the most. Each is a query about every name that is not found.
const MAX_SEARCH: usize = 64;

/// What was read of a Windows machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Recorded {
    /// As the system lists them.
    pub(crate) adapters: Vec<Adapter>,
    pub(crate) registry: Registry,
    /// Whether the adapters or a key of rules could not be read.
    pub(crate) is_partial: bool,
    /// What could not be read.
    pub(crate) unreadable: Vec<Diagnostic>,
}

/// A network adapter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Adapter {
    /// Its GUID, in braces.
    pub(crate) name: String,
    pub(crate) is_up: bool,
    pub(crate) is_loopback: bool,
    pub(crate) nameservers: Vec<IpAddr>,
    pub(crate) gateways: Vec<IpAddr>,
    pub(crate) ipv4_metric: u32,
    pub(crate) ipv6_metric: u32,
    /// The scope id of its link-local addresses.
    pub(crate) ipv6_index: u32,
}

/// Values of the registry; `None` where there is no such value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Registry {
    /// `SearchList` of the policy of the DNS client.
    pub(crate) policy_search_list: Option<String>,
    /// `AppendToMultiLabelName` of the same.
    pub(crate) append_to_multi_label: Option<u32>,
    /// `PrimaryDNSSuffix` of the policy of the system.
    pub(crate) policy_primary_suffix: Option<String>,
    /// `SearchList` of the TCP/IP parameters.
    pub(crate) search_list: Option<String>,
    /// `Domain` of the same.
    pub(crate) domain: Option<String>,
    /// The TCP/IP parameters of single adapters.
    pub(crate) interfaces: Vec<InterfaceDomains>,
    /// The name resolution policy table that a policy has set; `None` without its key.
    pub(crate) policy_rules: Option<Vec<NrptRule>>,
    /// The one of this machine.
    pub(crate) local_rules: Vec<NrptRule>,
}

/// The domain of one adapter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct InterfaceDomains {
    /// The GUID of the adapter, in braces.
    pub(crate) name: String,
    pub(crate) domain: Option<String>,
    pub(crate) dhcp_domain: Option<String>,
}

/// A rule of the name resolution policy table (NRPT).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NrptRule {
    /// `.corp.example`: this name and those below it; `host.corp.example`: this name alone; `.`:
    /// every name.
    pub(crate) names: Vec<String>,
    pub(crate) servers: Option<String>,
    pub(crate) config_options: Option<u32>,
}

/// The bit of `ConfigOptions` of a rule that has nameservers. The others are about DNSSEC,
/// `DirectAccess` and the encoding of names.
const GENERIC_SERVERS: u32 = 0x8;

/// Makes a configuration of what was read.
pub(crate) fn native_config(recorded: Recorded) -> NativeConfig {
    let Recorded { mut adapters, registry, is_partial, unreadable } = recorded;
    adapters.retain(|adapter| adapter.is_up && !adapter.is_loopback);
    let mut diagnostics = unreadable;
    let mut of_adapters = Diagnostics::new(ConfigSource::Adapters);
    let nameservers = nameservers(&adapters, &mut of_adapters);
    let mut of_registry = Diagnostics::new(ConfigSource::Registry);
    let search = search(&adapters, &registry, &mut of_registry);
    let rules = registry.policy_rules.as_ref().unwrap_or(&registry.local_rules);
    let routes = rules.iter().flat_map(|rule| routes(rule, &mut of_registry)).collect();
    diagnostics.extend(of_adapters.into_vec());
    diagnostics.extend(of_registry.into_vec());
    // With the policy, a name with a dot is tried as it is first, then along the search list.
    let search_rule = match registry.append_to_multi_label {
        Some(1..) => SearchRule::Ndots(1),
        Some(0) | None => SearchRule::SingleLabelsOnly,
    };
    NativeConfig {
        nameservers,
        search,
        search_rule: Some(search_rule),
        options: None,
        routes,
        is_partial,
        diagnostics,
    }
}

/// The nameservers of the adapters that lead somewhere by a gateway come first, then those of the
/// lowest metric, of the family of the nameserver each; then as listed. So those of the network
/// come first that the packets of this machine take.
fn nameservers(adapters: &[Adapter], diagnostics: &mut Diagnostics) -> Vec<SocketAddr> {
    let mut ranked = Vec::new();
    for adapter in adapters {
        for &ip in &adapter.nameservers {
            let has_gateway = adapter.gateways.iter().any(|other| other.is_ipv4() == ip.is_ipv4());
            let metric = if ip.is_ipv4() { adapter.ipv4_metric } else { adapter.ipv6_metric };
            ranked.push(((!has_gateway, metric), ip, adapter.ipv6_index));
        }
    }
    ranked.sort_by_key(|&(rank, ..)| rank);
    let mut nameservers = Vec::new();
    for (_, ip, index) in ranked {
        let mut note = |cause| diagnostics.note(0, cause, ip.to_string().as_bytes());
        let addr = match ip {
            // Windows gives the site-local addresses `fec0:0:0:ffff::1` to `::3`, which RFC 3879
            // has abolished, to adapters without a nameserver.
            _ if ip.is_unspecified() || is_site_local(ip) => continue,
            IpAddr::V6(ip) if ip.is_unicast_link_local() => {
                if index == 0 {
                    note(DiagnosticCause::Zone);
                    continue;
                }
                SocketAddrV6::new(ip, DNS_PORT, 0, index).into()
            }
            ip => SocketAddr::new(ip, DNS_PORT),
        };
        if nameservers.contains(&addr) {
            continue;
        }
        if nameservers.len() >= MAX_NAMESERVERS {
            note(DiagnosticCause::TooManyNameservers);
            continue;
        }
        nameservers.push(addr);
    }
    nameservers
}

fn is_site_local(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(ip) if ip.segments()[0] & 0xffc0 == 0xfec0)
}

/// The search list, each suffix once, as far as it is used.
fn search(
    adapters: &[Adapter],
    registry: &Registry,
    diagnostics: &mut Diagnostics,
) -> Vec<HostName> {
    let mut search = suffixes(adapters, registry, diagnostics);
    let mut seen = HashSet::new();
    search.retain(|name| seen.insert(name.clone()));
    if let Some(left_out) = search.len().checked_sub(MAX_SEARCH).filter(|&count| count > 0) {
        let word = search[MAX_SEARCH].as_str().as_bytes();
        diagnostics.note(0, DiagnosticCause::TooManySuffixes(left_out), word);
        search.truncate(MAX_SEARCH);
    }
    search
}

/// The suffixes of the policy, else those of the machine, else its primary suffix and then the
/// suffix of each adapter.
fn suffixes(
    adapters: &[Adapter],
    registry: &Registry,
    diagnostics: &mut Diagnostics,
) -> Vec<HostName> {
    for list in [&registry.policy_search_list, &registry.search_list].into_iter().flatten() {
        let search = names(list, diagnostics);
        if !search.is_empty() {
            return search;
        }
    }
    let primary =
        given(registry.policy_primary_suffix.as_ref()).or_else(|| given(registry.domain.as_ref()));
    // The first of a name comes last, and holds.
    let by_name = registry.interfaces.iter().rev().map(|it| (it.name.to_ascii_lowercase(), it));
    let interfaces: HashMap<_, _> = by_name.collect();
    let of_adapters = adapters.iter().filter_map(|adapter| {
        let domains = interfaces.get(&adapter.name.to_ascii_lowercase())?;
        given(domains.domain.as_ref()).or_else(|| given(domains.dhcp_domain.as_ref()))
    });
    primary.into_iter().chain(of_adapters).flat_map(|list| names(list, diagnostics)).collect()
}

/// A value that is there and has more than blanks.
fn given(value: Option<&String>) -> Option<&str> {
    value.map(String::as_str).filter(|value| value.split(is_separator).any(|word| !word.is_empty()))
}

fn is_separator(char: char) -> bool {
    matches!(char, ',' | '\0') || char.is_ascii_whitespace()
}

fn names(list: &str, diagnostics: &mut Diagnostics) -> Vec<HostName> {
    let words = list.split(is_separator).filter(|word| !word.is_empty());
    words.filter_map(|word| name(word, diagnostics)).collect()
}

fn name(word: &str, diagnostics: &mut Diagnostics) -> Option<HostName> {
    match host_name::check(word.as_bytes()) {
        Ok(()) => Some(HostName::from_checked(word).to_relative()),
        Err(error) => {
            diagnostics.note(0, DiagnosticCause::Name(error), word.as_bytes());
            None
        }
    }
}

/// The routes of a rule. What this resolver does not do, the system does.
fn routes(rule: &NrptRule, diagnostics: &mut Diagnostics) -> Vec<NameRoute> {
    let to = match rule.config_options {
        // It sets nothing.
        None | Some(0) => return Vec::new(),
        Some(GENERIC_SERVERS) => {
            let servers = servers(rule.servers.as_deref().unwrap_or_default(), diagnostics);
            if servers.is_empty() { RouteTarget::System } else { RouteTarget::Nameservers(servers) }
        }
        Some(_) => RouteTarget::System,
    };
    let mut routes = Vec::new();
    for text in &rule.names {
        let (suffix, is_exact) = match text.trim() {
            // Some writers end a list of texts in two empty ones.
            "" => continue,
            "." => (None, false),
            text => {
                let below = text.strip_prefix('.');
                let Some(suffix) = name(below.unwrap_or(text), diagnostics) else { continue };
                (Some(suffix), below.is_none())
            }
        };
        routes.push(NameRoute { suffix, is_exact, to: to.clone(), order: 0, is_search: false });
    }
    routes
}

fn servers(list: &str, diagnostics: &mut Diagnostics) -> Vec<SocketAddr> {
    let mut servers = Vec::new();
    let is_separator = |char: char| char == ';' || is_separator(char);
    for word in list.split(is_separator).filter(|word| !word.is_empty()) {
        let mut note = |cause| diagnostics.note(0, cause, word.as_bytes());
        match word.parse::<IpAddr>() {
            // Of which link it is, a rule does not say.
            Ok(IpAddr::V6(ip)) if ip.is_unicast_link_local() => note(DiagnosticCause::Zone),
            Ok(ip) if ip.is_unspecified() => note(DiagnosticCause::Address),
            Ok(ip) if servers.contains(&SocketAddr::new(ip, DNS_PORT)) => {}
            Ok(_) if servers.len() >= MAX_NAMESERVERS => note(DiagnosticCause::TooManyNameservers),
            Ok(ip) => servers.push(SocketAddr::new(ip, DNS_PORT)),
            Err(_) => note(DiagnosticCause::Address),
        }
    }
    servers
}

/// The hosts file. `database_path` is the folder that the registry names; without one, or if there
/// is no such place, it is the usual one below `%SystemRoot%`.
///
/// `variable` gives the environment variables that the path may have. A path without a drive would
/// be one on the current drive, where any user may make the folders: such a one is not used.
pub(crate) fn hosts_path(
    database_path: Option<&str>,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Option<PathBuf> {
    let usual = r"%SystemRoot%\System32\drivers\etc";
    let mut folders = database_path.into_iter().chain([usual]);
    let folder = folders.find_map(|folder| absolute(folder, variable))?;
    Some(format!(r"{}\hosts", folder.trim_end_matches('\\')).into())
}

/// A path with its variables replaced; `None` if it has no drive.
fn absolute(path: &str, variable: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let mut path = path.trim_matches(|char: char| char == '\0' || char.is_ascii_whitespace());
    let mut expanded = String::new();
    for name in ["SystemRoot", "windir"] {
        let prefix = path.get(..name.len() + 2);
        let is_it = |prefix: &str| prefix.eq_ignore_ascii_case(&format!("%{name}%"));
        if prefix.is_some_and(is_it) {
            expanded = variable(name)?;
            path = &path[name.len() + 2..];
            break;
        }
    }
    expanded.push_str(path);
    let has_drive = matches!(
        expanded.as_bytes(),
        [drive, b':', b'\\', ..] if drive.is_ascii_alphabetic()
    );
    // Another variable is part of no path.
    (has_drive && !expanded.contains('%')).then_some(expanded)
}

#[cfg(test)]
mod tests;
