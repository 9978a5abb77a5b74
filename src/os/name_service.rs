//! Where each operating system has the order of the sources of names.

use std::path::PathBuf;

/// Where an operating system has the order in which a name is asked of the hosts file, the
/// nameservers and other sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NameService {
    /// The line `hosts` of nsswitch.conf(5).
    Nsswitch {
        /// Whether the hosts file and then the nameservers are asked without such a line; NIS is
        /// otherwise.
        defaults_to_dns: bool,
    },
    /// The keyword `lookup` of resolv.conf, as on OpenBSD.
    Lookup,
    /// Nowhere: the hosts file and then the nameservers are asked.
    HostsThenDns,
    /// In its own resolver alone: programs cannot read it.
    Opaque,
    /// It is not known. With a resolv.conf, the hosts file and then the nameservers are asked.
    Unknown,
}

/// Where the operating system has it.
pub(crate) const fn name_service() -> NameService {
    if cfg!(any(
        // A static program cannot count on loading modules: the C library may be another one.
        all(target_os = "linux", target_env = "gnu", not(target_feature = "crt-static")),
        target_os = "dragonfly",
        target_os = "freebsd",
        target_os = "hurd",
        target_os = "netbsd",
    )) {
        NameService::Nsswitch { defaults_to_dns: true }
    } else if cfg!(any(target_os = "illumos", target_os = "solaris")) {
        NameService::Nsswitch { defaults_to_dns: false }
    } else if cfg!(target_os = "openbsd") {
        NameService::Lookup
    } else if cfg!(target_os = "linux") {
        // musl and uClibc have no modules.
        NameService::HostsThenDns
    } else if cfg!(any(
        target_os = "android",
        target_os = "ios",
        target_os = "macos",
        target_os = "tvos",
        target_os = "visionos",
        target_os = "watchos",
        target_os = "windows",
    )) {
        NameService::Opaque
    } else {
        NameService::Unknown
    }
}

/// Where nsswitch.conf(5) stands; `None` where the operating system does not read it.
pub(crate) fn nsswitch_path() -> Option<PathBuf> {
    let is_read = matches!(name_service(), NameService::Nsswitch { .. });
    is_read.then(|| "/etc/nsswitch.conf".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn os23_nsswitch_conf_is_read_where_the_c_library_reads_it() {
        let is_read = nsswitch_path().is_some();
        let has_modules = cfg!(all(target_env = "gnu", not(target_feature = "crt-static")));
        if cfg!(target_os = "linux") {
            assert_eq!(is_read, has_modules);
            assert_eq!(name_service() == NameService::HostsThenDns, !has_modules);
        } else if cfg!(any(windows, target_vendor = "apple", target_os = "android")) {
            assert_eq!((is_read, name_service()), (false, NameService::Opaque));
        }
    }
}
