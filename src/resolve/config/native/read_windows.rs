//! Reads the network adapters and the registry of Windows; `windows` says what they mean.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use ipconfig::{IfType, OperStatus};
use windows_registry::{Key, LOCAL_MACHINE};

use super::windows::{Adapter, InterfaceDomains, NrptRule, Recorded, Registry};
use super::{NativeConfig, NativeSource, windows};
use crate::resolve::config::reload::Fingerprint;
use crate::resolve::config::resolv_conf::Env;
use crate::resolve::diagnostic::{ConfigSource, Diagnostic, DiagnosticCause, Diagnostics};

const TCPIP: &str = r"SYSTEM\CurrentControlSet\Services\Tcpip\Parameters";
const INTERFACES: &str = r"SYSTEM\CurrentControlSet\Services\Tcpip\Parameters\Interfaces";
const CLIENT_POLICY: &str = r"SOFTWARE\Policies\Microsoft\Windows NT\DNSClient";
const SYSTEM_POLICY: &str = r"SOFTWARE\Policies\Microsoft\System\DNSClient";
const POLICY_RULES: &str = r"SOFTWARE\Policies\Microsoft\Windows NT\DNSClient\DnsPolicyConfig";
const LOCAL_RULES: &str = r"SYSTEM\CurrentControlSet\Services\Dnscache\Parameters\DnsPolicyConfig";

/// Windows itself.
#[derive(Debug)]
pub(crate) struct Windows;

impl NativeSource for Windows {
    fn fingerprint(&self) -> Option<Vec<Fingerprint>> {
        None
    }

    fn read(&self, _: &Env<'_>) -> NativeConfig {
        windows::native_config(recorded())
    }
}

/// The hosts file, where the registry has it.
pub(crate) fn hosts_path() -> Option<PathBuf> {
    let mut unreadable = Diagnostics::new(ConfigSource::Registry);
    let database_path = Values::open(TCPIP, &mut unreadable).text("DataBasePath");
    windows::hosts_path(database_path.as_deref(), &|name| std::env::var(name).ok())
}

fn recorded() -> Recorded {
    let (mut unreadable, mut is_partial) = (Vec::new(), false);
    let adapters = caught(|| ipconfig::get_adapters().map_err(io::Error::other));
    let adapters = adapters.unwrap_or_else(|error| {
        unreadable.push(Diagnostic::unreadable(ConfigSource::Adapters, &error));
        is_partial = true;
        Vec::new()
    });
    let mut of_registry = Diagnostics::new(ConfigSource::Registry);
    let registry = registry(&mut of_registry, &mut is_partial);
    unreadable.extend(of_registry.into_vec());
    Recorded { adapters: adapters.iter().map(adapter).collect(), registry, is_partial, unreadable }
}

fn adapter(adapter: &ipconfig::Adapter) -> Adapter {
    Adapter {
        name: adapter.adapter_name().to_owned(),
        is_up: adapter.oper_status() == OperStatus::IfOperStatusUp,
        is_loopback: adapter.if_type() == IfType::SoftwareLoopback,
        nameservers: adapter.dns_servers().to_vec(),
        gateways: adapter.gateways().to_vec(),
        ipv4_metric: adapter.ipv4_metric(),
        ipv6_metric: adapter.ipv6_metric(),
        ipv6_index: adapter.ipv6_if_index(),
    }
}

fn registry(unreadable: &mut Diagnostics, is_partial: &mut bool) -> Registry {
    let mut client = Values::open(CLIENT_POLICY, unreadable);
    let policy_search_list = client.text("SearchList");
    let append_to_multi_label = client.number("AppendToMultiLabelName");
    let policy_primary_suffix = Values::open(SYSTEM_POLICY, unreadable).text("PrimaryDNSSuffix");
    let mut tcpip = Values::open(TCPIP, unreadable);
    let (search_list, domain) = (tcpip.text("SearchList"), tcpip.text("Domain"));
    let interfaces = subkeys(INTERFACES, unreadable).unwrap_or_default().into_iter().map(|name| {
        let mut values = Values::open(&format!(r"{INTERFACES}\{name}"), unreadable);
        let (domain, dhcp_domain) = (values.text("Domain"), values.text("DhcpDomain"));
        InterfaceDomains { name, domain, dhcp_domain }
    });
    Registry {
        policy_search_list,
        append_to_multi_label,
        policy_primary_suffix,
        search_list,
        domain,
        interfaces: interfaces.collect(),
        policy_rules: rules(POLICY_RULES, unreadable, is_partial),
        local_rules: rules(LOCAL_RULES, unreadable, is_partial).unwrap_or_default(),
    }
}

/// The rules below a key; `None` if there is no such key. One that cannot be read is there all the
/// same: a policy without rules that are known, and not none.
fn rules(path: &str, unreadable: &mut Diagnostics, is_partial: &mut bool) -> Option<Vec<NrptRule>> {
    let ids = match read_subkeys(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        ids => noted(ids, path, unreadable),
    };
    *is_partial |= ids.is_none();
    let rules = ids.unwrap_or_default().into_iter().map(|id| {
        let mut values = Values::open(&format!(r"{path}\{id}"), unreadable);
        *is_partial |= values.key.is_none();
        NrptRule {
            names: values.texts("Name").unwrap_or_default(),
            servers: values.text("GenericDNSServers"),
            config_options: values.number("ConfigOptions"),
        }
    });
    Some(rules.collect())
}

fn subkeys(path: &str, unreadable: &mut Diagnostics) -> Option<Vec<String>> {
    noted(read_subkeys(path), path, unreadable)
}

fn read_subkeys(path: &str) -> io::Result<Vec<String>> {
    caught(|| {
        let key = LOCAL_MACHINE.open(path).map_err(io_error)?;
        Ok(key.keys().map_err(io_error)?.collect())
    })
}

fn open(path: &str, unreadable: &mut Diagnostics) -> Option<Key> {
    noted(caught(|| LOCAL_MACHINE.open(path).map_err(io_error)), path, unreadable)
}

/// The values of one key, none of which need be there, nor the key.
struct Values<'d> {
    key: Option<Key>,
    unreadable: &'d mut Diagnostics,
}

impl<'d> Values<'d> {
    fn open(path: &str, unreadable: &'d mut Diagnostics) -> Self {
        Self { key: open(path, unreadable), unreadable }
    }

    fn text(&mut self, name: &str) -> Option<String> {
        self.value(name, Key::get_string)
    }

    fn texts(&mut self, name: &str) -> Option<Vec<String>> {
        self.value(name, Key::get_multi_string)
    }

    fn number(&mut self, name: &str) -> Option<u32> {
        self.value(name, Key::get_u32)
    }

    fn value<T>(
        &mut self,
        name: &str,
        get: fn(&Key, String) -> windows_registry::Result<T>,
    ) -> Option<T> {
        let key = self.key.as_ref()?;
        let value = caught(|| get(key, name.to_owned()).map_err(io_error));
        noted(value, name, self.unreadable)
    }
}

/// The value that was read, if there is one. An error other than a missing value is noted as a
/// diagnostic about `word`.
fn noted<T>(read: io::Result<T>, word: &str, unreadable: &mut Diagnostics) -> Option<T> {
    read.map_err(|error| {
        if error.kind() != io::ErrorKind::NotFound {
            unreadable.note(0, DiagnosticCause::Unreadable(error.kind()), word.as_bytes());
        }
    })
    .ok()
}

/// Calls into the crates that read. Some of them panic at what they do not know, such as a new
/// status of an adapter; a lookup must not end with that.
fn caught<T>(read: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let result = catch_unwind(AssertUnwindSafe(read));
    result.unwrap_or_else(|_| Err(io::ErrorKind::InvalidData.into()))
}

/// std knows the number of an error, and not the same as an `HRESULT`.
fn io_error(error: impl Into<io::Error>) -> io::Error {
    let error = error.into();
    match error.raw_os_error() {
        Some(code) if code.cast_unsigned() >> 16 == 0x8007 => {
            io::Error::from_raw_os_error(code & 0xffff)
        }
        _ => error,
    }
}

#[cfg(test)]
mod tests;
