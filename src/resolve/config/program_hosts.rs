//! [`ProgramHosts`]: the names and addresses that the program gave to the builder.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use super::hosts::HostsEntry;
use crate::HostName;
use crate::resolve::diagnostic::{ConfigSource, Diagnostic, DiagnosticCause, Diagnostics};

/// Hosts in memory: what a hosts file would have, without a file.
///
/// A name has the addresses of all calls that gave it, in their order, each once, and may have
/// none; its canonical name is the name as the first of these calls spelled it. Names compare
/// without regard to case and to a final dot.
#[derive(Clone, Debug)]
pub(crate) struct ProgramHosts {
    /// By the name without its final dot.
    entries: HashMap<HostName, HostsEntry>,
    diagnostics: Diagnostics,
}

impl Default for ProgramHosts {
    fn default() -> Self {
        Self { entries: HashMap::new(), diagnostics: Diagnostics::new(ConfigSource::Builder) }
    }
}

impl ProgramHosts {
    /// Adds addresses of a name. One that the hosts file could not have is skipped, with a
    /// diagnostic.
    pub(crate) fn add(&mut self, name: &str, addresses: impl IntoIterator<Item = IpAddr>) {
        let canonical = match HostName::parse_in_hosts(name) {
            Ok(name) => name.to_relative(),
            Err(error) => {
                let cause = DiagnosticCause::Name(error);
                return self.diagnostics.note(0, cause, name.as_bytes());
            }
        };
        let entry = self
            .entries
            .entry(canonical.clone())
            .or_insert_with(|| HostsEntry { canonical, addresses: Vec::new() });
        let mut seen: HashSet<_> = entry.addresses.iter().map(|&(ip, _)| ip).collect();
        let new = addresses.into_iter().filter(|&ip| seen.insert(ip));
        entry.addresses.extend(new.map(|ip| (ip, 0)));
    }

    /// Returns the addresses of `name`, if the program gave it.
    pub(crate) fn lookup(&self, name: &HostName) -> Option<HostsEntry> {
        if self.entries.is_empty() {
            return None;
        }
        self.entries.get(&name.to_relative()).cloned()
    }

    /// Returns the diagnostics of the names that could not be used.
    pub(crate) fn diagnostics(&self) -> Vec<Diagnostic> {
        self.diagnostics.clone().into_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NameError;

    fn addresses(hosts: &ProgramHosts, name: &str) -> Option<(String, Vec<String>)> {
        let entry = hosts.lookup(&HostName::parse_in_hosts(name).unwrap())?;
        let addresses = entry.addresses.iter().map(|(ip, _)| ip.to_string()).collect();
        Some((entry.canonical.to_string(), addresses))
    }

    fn ips(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn a_name_has_the_addresses_of_all_its_calls_each_once() {
        let mut hosts = ProgramHosts::default();
        hosts.add("Api.test.", ips(&["192.0.2.1", "2001:db8::1", "192.0.2.1"]));
        hosts.add("other.test", ips(&["192.0.2.9"]));
        hosts.add("api.TEST", ips(&["192.0.2.2", "192.0.2.1"]));
        let expected = ["192.0.2.1", "2001:db8::1", "192.0.2.2"].map(str::to_owned).to_vec();
        for name in ["api.test", "API.test.", "Api.test"] {
            let found = addresses(&hosts, name);
            assert_eq!(found, Some(("Api.test".to_owned(), expected.clone())), "{name}");
        }
        assert_eq!(addresses(&hosts, "test"), None);
        assert_eq!(addresses(&hosts, "x.api.test"), None);
        assert!(hosts.diagnostics().is_empty());
    }

    #[test]
    fn a_name_without_an_address_is_known_all_the_same() {
        let mut hosts = ProgramHosts::default();
        hosts.add("gone.test", []);
        assert_eq!(addresses(&hosts, "gone.test"), Some(("gone.test".to_owned(), vec![])));
    }

    #[test]
    fn the_names_are_those_that_a_hosts_file_may_have() {
        let mut hosts = ProgramHosts::default();
        hosts.add("node.1", ips(&["192.0.2.1"]));
        for (name, error) in [
            ("", NameError::Empty),
            ("a b", NameError::ForbiddenByte { byte: b' ', index: 1 }),
            ("192.0.2.1", NameError::IpAddress),
            ("127.1", NameError::AmbiguousNumeric),
        ] {
            hosts.add(name, ips(&["192.0.2.2"]));
            let diagnostics = hosts.diagnostics();
            let last = diagnostics.last().expect("a diagnostic");
            assert_eq!(last.cause(), DiagnosticCause::Name(error), "{name}");
            assert_eq!(last.config_source(), ConfigSource::Builder, "{name}");
            assert_eq!(last.word(), Some(name).filter(|name| !name.is_empty()), "{name}");
        }
        assert_eq!(hosts.entries.len(), 1);
        let text = hosts.diagnostics()[1].to_string();
        assert_eq!(text, "builder: \"a b\": the host name has the byte ' ' at index 1");
    }
}
