//! Which source this system has, and what is read of it.

use std::path::PathBuf;
use std::sync::Arc;

use super::{NativeConfig, NativeSource};
use crate::os::interface_index;
use crate::resolve::config::resolv_conf::Env;

/// The source of this system; `None` where resolv.conf is all there is, and where a program cannot
/// read more (Android, iOS).
#[cfg_attr(
    any(windows, target_os = "macos"),
    expect(clippy::unnecessary_wraps, reason = "other systems have none")
)]
pub(crate) fn of_this_system() -> Option<Arc<dyn NativeSource>> {
    #[cfg(windows)]
    return Some(Arc::new(super::read_windows::Windows));
    #[cfg(target_os = "macos")]
    return Some(Arc::new(super::read_apple::DynamicStore));
    #[cfg(not(any(windows, target_os = "macos")))]
    return None;
}

/// Where the hosts file stands; `None` where there is none.
pub(crate) fn hosts_path() -> Option<PathBuf> {
    #[cfg(windows)]
    return super::read_windows::hosts_path();
    #[cfg(not(windows))]
    return cfg!(unix).then(|| "/etc/hosts".into());
}

/// Reads a source. `RES_OPTIONS` and `LOCALDOMAIN` come before what the system says, as they come
/// before a file.
pub(crate) fn read(source: &dyn NativeSource, use_environment: bool) -> NativeConfig {
    let variable = |name| if use_environment { std::env::var(name).ok() } else { None };
    let (res_options, localdomain) = (variable("RES_OPTIONS"), variable("LOCALDOMAIN"));
    let config = source.read(&Env {
        has_lookup: false,
        hostname: None,
        res_options: res_options.as_deref(),
        localdomain: localdomain.as_deref(),
        interfaces: &interface_index,
    });
    if localdomain.is_none() { config } else { NativeConfig { search: Vec::new(), ..config } }
}
