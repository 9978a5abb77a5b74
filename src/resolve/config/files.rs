//! The configuration of this machine: its files and its environment.

use std::fs;
use std::io;
use std::path::Path;

use super::hosts::Hosts;
use super::reload::Fingerprint;
use super::resolv_conf::{self, Env, ResolvConf};
use crate::os::{hostname, interface_index};
use crate::resolve::diagnostic::{ConfigSource, Diagnostic};

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

fn read(path: Option<&Path>, source: ConfigSource) -> (Vec<u8>, Option<Diagnostic>) {
    let Some(path) = path else { return Default::default() };
    match fs::read(path) {
        Ok(text) => (text, None),
        // Not an error: hosts(5) and resolv.conf(5) have defaults for a machine without the file.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Default::default(),
        Err(error) => (Vec::new(), Some(Diagnostic::unreadable(source, &error))),
    }
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
        let (inode, changed) = (0, (0, 0));
        let (len, modified) = (metadata.len(), metadata.modified().ok());
        Ok(Fingerprint::File { len, inode, modified, changed, link })
    };
    look().unwrap_or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => Fingerprint::Missing,
        kind => Fingerprint::Unreadable(kind),
    })
}
