//! The configuration of this machine: its files and its environment.

use std::fs;
use std::io;
use std::path::Path;

use super::hosts::Hosts;
use super::nsswitch::{self, HostsLine, Nsswitch};
use super::reload::Fingerprint;
use super::resolv_conf::{self, Env, ResolvConf};
use crate::os::{NameService, hostname, interface_index, name_service};
use crate::resolve::diagnostic::{ConfigSource, Diagnostic};
use crate::resolve::names::source::{MachineFacts, Needs};

/// The contents of a file, or why it could not be read.
pub(crate) struct FromFile<T> {
    pub(crate) content: T,
    pub(crate) unreadable: Option<Diagnostic>,
}

/// Reads a resolv.conf. Without a path or a file, the defaults of resolv.conf(5) hold; for a file
/// that cannot be read they hold too, with a diagnostic.
pub(crate) fn read_resolv_conf(path: Option<&Path>, use_environment: bool) -> FromFile<ResolvConf> {
    let (text, unreadable) = read(path, ConfigSource::ResolvConf);
    let variable = |name| if use_environment { std::env::var(name).ok() } else { None };
    let (res_options, localdomain) = (variable("RES_OPTIONS"), variable("LOCALDOMAIN"));
    let hostname = path.and_then(|_| hostname());
    let mut content = resolv_conf::parse(
        &text,
        &Env {
            hostname: hostname.as_deref(),
            res_options: res_options.as_deref(),
            localdomain: localdomain.as_deref(),
            interfaces: &interface_index,
            has_lookup: name_service() == NameService::Lookup,
        },
    );
    content.diagnostics.extend(unreadable.clone());
    FromFile { content, unreadable }
}

/// Reads a hosts file. Without a path or a file, there are no names.
pub(crate) fn read_hosts(path: Option<&Path>) -> FromFile<Hosts> {
    let (text, unreadable) = read(path, ConfigSource::Hosts);
    FromFile { content: Hosts::parse(&text, &interface_index), unreadable }
}

/// Whether an unchanged hosts file would give something else now, since it names interfaces.
pub(crate) fn is_outdated(hosts: &Hosts) -> bool {
    hosts.is_outdated(&interface_index)
}

/// Reads an nsswitch.conf. Without a path or a file, there is no line `hosts`.
pub(crate) fn read_nsswitch(path: Option<&Path>) -> FromFile<Nsswitch> {
    let (text, unreadable) = read(path, ConfigSource::Nsswitch);
    let mut content = nsswitch::parse(&text);
    if let Some(diagnostic) = &unreadable {
        content.hosts = HostsLine::Unreadable;
        content.diagnostics.push(diagnostic.clone());
    }
    FromFile { content, unreadable }
}

/// What the environment says about the sources of names.
#[derive(Default)]
pub(crate) struct SourceEnvironment {
    /// `OUTRACE_SOURCE`.
    pub(crate) source: Option<String>,
    pub(crate) has_hostaliases: bool,
    pub(crate) has_asr_config: bool,
}

/// Reads the environment, if it counts.
pub(crate) fn read_source_environment(use_environment: bool) -> SourceEnvironment {
    if !use_environment {
        return SourceEnvironment::default();
    }
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let source = std::env::var_os("OUTRACE_SOURCE").filter(|value| !value.is_empty());
    SourceEnvironment {
        source: source.map(|value| value.to_string_lossy().into_owned()),
        has_hostaliases: is_set("HOSTALIASES"),
        has_asr_config: is_set("ASR_CONFIG"),
    }
}

/// Looks up what modules of nsswitch.conf depend on, as far as it is needed.
pub(crate) fn read_machine_facts(needs: Needs) -> MachineFacts {
    let has_entry = |path: &str| fs::read_dir(path).is_ok_and(|mut dir| dir.next().is_some());
    let is_there = |path: &str| Path::new(path).exists();
    MachineFacts {
        hostname: needs.hostname.then(hostname).flatten().map(Into::into),
        has_resolved: needs.resolved && is_there("/run/systemd/resolve/io.systemd.Resolve"),
        has_machines: needs.machines && has_entry("/run/systemd/machines"),
        has_mdns_allow: needs.mdns_allow && is_there("/etc/mdns.allow"),
    }
}

fn read(path: Option<&Path>, source: ConfigSource) -> (Vec<u8>, Option<Diagnostic>) {
    let Some(path) = path else { return Default::default() };
    match fs::read(path) {
        Ok(text) => (text, None),
        // Not an error: hosts(5), resolv.conf(5) and nsswitch.conf(5) have defaults for a machine
        // without the file.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Default::default(),
        Err(error) => (Vec::new(), Some(Diagnostic::unreadable(source, &error))),
    }
}

/// The fingerprint of a file that was read: one that could not be read differs from every look.
pub(crate) fn as_read(seen: Fingerprint, unreadable: Option<&Diagnostic>) -> Fingerprint {
    match unreadable {
        Some(_) => Fingerprint::Unreadable(io::ErrorKind::Other),
        None => seen,
    }
}

/// A small file in place of its inode, which std does not tell here. The times of a file that takes
/// the place of another may be those of the other.
#[cfg(not(unix))]
fn content_hash(path: &Path, len: u64) -> u64 {
    use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
    // What is larger takes too long at each look, and is a list that changes in length.
    const MAX_LEN: u64 = 64 << 10;
    let content = (len <= MAX_LEN).then(|| fs::read(path).ok()).flatten();
    BuildHasherDefault::<DefaultHasher>::default().hash_one(content)
}

/// Reads the metadata of a file.
pub(crate) fn fingerprint(path: Option<&Path>) -> Fingerprint {
    let Some(path) = path else { return Fingerprint::Missing };
    let look = || -> io::Result<Fingerprint> {
        // A link that is replaced may lead to a file with the same metadata.
        let link = fs::read_link(path).ok();
        let metadata = fs::metadata(path)?;
        #[cfg(unix)]
        let (inode, changed) = {
            use std::os::unix::fs::MetadataExt;
            (metadata.ino(), (metadata.ctime(), metadata.ctime_nsec()))
        };
        #[cfg(not(unix))]
        let (inode, changed) = (content_hash(path, metadata.len()), (0, 0));
        let (len, modified) = (metadata.len(), metadata.modified().ok());
        Ok(Fingerprint::File { len, inode, modified, changed, link })
    };
    look().unwrap_or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => Fingerprint::Missing,
        kind => Fingerprint::Unreadable(kind),
    })
}
