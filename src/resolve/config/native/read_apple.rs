//! Reads the dynamic store of macOS and the files in `/etc/resolver`; `apple` says what they mean.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::{fs, io};

use core_foundation::propertylist::{create_data, kCFPropertyListXMLFormat_v1_0};
use system_configuration::dynamic_store::SCDynamicStoreBuilder;

use super::apple::{self, KEYS, MAX_RESOLVER_FILE, Recorded};
use super::{NativeConfig, NativeSource};
use crate::resolve::config::files::fingerprint;
use crate::resolve::config::reload::Fingerprint;
use crate::resolve::config::resolv_conf::Env;
use crate::resolve::diagnostic::{ConfigSource, Diagnostic, DiagnosticCause, Diagnostics};

/// configd writes it anew whenever the configuration changes.
const RESOLV_CONF: &str = "/etc/resolv.conf";
const RESOLVER_DIRECTORY: &str = "/etc/resolver";

/// The dynamic store of configd.
#[derive(Debug)]
pub(crate) struct DynamicStore;

impl NativeSource for DynamicStore {
    fn fingerprint(&self) -> Option<Vec<Fingerprint>> {
        let paths = [RESOLV_CONF, RESOLVER_DIRECTORY];
        Some(paths.iter().map(|path| fingerprint(Some(Path::new(path)))).collect())
    }

    fn read(&self, env: &Env<'_>) -> NativeConfig {
        let mut recorded = Recorded::default();
        match store() {
            Ok(store) => recorded.store = store,
            Err(error) => {
                recorded.is_partial = true;
                let source = ConfigSource::DynamicStore;
                recorded.unreadable.push(Diagnostic::unreadable(source, &error));
            }
        }
        let mut unreadable = Diagnostics::new(ConfigSource::ResolverDirectory);
        match resolver_files(&mut unreadable) {
            Ok(files) => recorded.resolver_files = files,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                recorded.is_partial = true;
                let source = ConfigSource::ResolverDirectory;
                recorded.unreadable.push(Diagnostic::unreadable(source, &error));
            }
        }
        recorded.unreadable.extend(unreadable.into_vec());
        apple::native_config(recorded, env)
    }
}

/// Each key and its value as an XML property list: the crate gives the members of a value as raw
/// pointers alone.
fn store() -> io::Result<Vec<(String, Vec<u8>)>> {
    let read = || {
        let store = SCDynamicStoreBuilder::new("outrace").build()?;
        let mut entries = Vec::new();
        for key in &store.get_keys(KEYS)? {
            // A service may go between the two calls.
            let Some(value) = store.get(key.clone()) else { continue };
            let xml = create_data(value.as_CFTypeRef(), kCFPropertyListXMLFormat_v1_0);
            // Empty if it cannot be had: then `apple` says that it is no property list.
            let xml = xml.map(|data| data.bytes().to_vec()).unwrap_or_default();
            entries.push((key.to_string(), xml));
        }
        Some(entries)
    };
    // The crates panic at what they do not expect, and a lookup must not end with that.
    let read = catch_unwind(AssertUnwindSafe(read)).unwrap_or_default();
    read.ok_or_else(|| io::ErrorKind::Other.into())
}

/// The plain files of the folder. One that cannot be read is left out, with a diagnostic.
fn resolver_files(unreadable: &mut Diagnostics) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(RESOLVER_DIRECTORY)? {
        let mut note = |error: &io::Error, name: &str| {
            // It has gone meanwhile.
            if error.kind() != io::ErrorKind::NotFound {
                unreadable.note(0, DiagnosticCause::Unreadable(error.kind()), name.as_bytes());
            }
        };
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                note(&error, "");
                continue;
            }
        };
        let Ok(name) = entry.file_name().into_string() else { continue };
        let is_of_use =
            |metadata: fs::Metadata| metadata.is_file() && metadata.len() <= MAX_RESOLVER_FILE;
        match fs::metadata(entry.path()).map(is_of_use) {
            Ok(true) => match fs::read(entry.path()) {
                Ok(text) => files.push((name, text)),
                Err(error) => note(&error, &name),
            },
            Ok(false) => {}
            Err(error) => note(&error, &name),
        }
    }
    Ok(files)
}
