//! The nameservers, the search list and the routes of systems that keep them elsewhere than in
//! resolv.conf.
//!
//! `apple` and `windows` make a [`NativeConfig`] of what was read, and read nothing themselves.
//! `read_apple` and `read_windows` read it, and decide nothing. `watch` has when it is read again.

#[cfg_attr(not(target_os = "macos"), allow(dead_code, reason = "tested on every system"))]
pub(crate) mod apple;
#[cfg_attr(not(target_os = "macos"), allow(dead_code, reason = "tested on every system"))]
pub(crate) mod property_list;
#[cfg(target_os = "macos")]
mod read_apple;
#[cfg(windows)]
mod read_windows;
pub(crate) mod source;
pub(crate) mod watch;
#[cfg_attr(not(windows), allow(dead_code, reason = "tested on every system"))]
pub(crate) mod windows;

use std::fmt;
use std::net::SocketAddr;

use super::name_routes::NameRoute;
use super::reload::Fingerprint;
use super::resolv_conf::{Env, Options, ResolvConf};
use crate::HostName;
use crate::resolve::diagnostic::Diagnostic;
use crate::resolve::names::search::SearchRule;

/// Where an operating system keeps its configuration besides resolv.conf.
pub(crate) trait NativeSource: fmt::Debug + Send + Sync {
    /// What shows at little cost whether it may have changed; `None`: only reading it does.
    fn fingerprint(&self) -> Option<Vec<Fingerprint>>;

    /// Reads it. A part that cannot be read or used is left out, with a diagnostic.
    fn read(&self, env: &Env<'_>) -> NativeConfig;
}

/// What an operating system says besides resolv.conf.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NativeConfig {
    /// At most three, in the order in which they are asked; none: those of resolv.conf.
    pub(crate) nameservers: Vec<SocketAddr>,
    /// Empty: that of resolv.conf.
    pub(crate) search: Vec<HostName>,
    /// `None`: `ndots` of resolv.conf.
    pub(crate) search_rule: Option<SearchRule>,
    /// `None`: those of resolv.conf.
    pub(crate) options: Option<Options>,
    pub(crate) routes: Vec<NameRoute>,
    /// Whether a source of nameservers or routes could not be read, so that some may be missing.
    pub(crate) is_partial: bool,
    /// The parts that could not be used, and the sources that could not be read.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

impl NativeConfig {
    /// What holds together with resolv.conf.
    pub(crate) fn amend(&self, conf: &ResolvConf) -> ResolvConf {
        let mut conf = conf.clone();
        if !self.nameservers.is_empty() {
            conf.nameservers.clone_from(&self.nameservers);
            conf.has_nameserver = true;
        }
        if !self.search.is_empty() {
            conf.search = self.search.as_slice().into();
        }
        if let Some(options) = &self.options {
            conf.options = options.clone();
        }
        conf.search_rule = self.search_rule.or(conf.search_rule);
        conf.routes.extend(self.routes.iter().cloned());
        conf.diagnostics.extend(self.diagnostics.iter().cloned());
        conf
    }

    /// Whether lookups are the same with both: diagnostics do not count.
    pub(crate) fn has_effect_of(&self, other: &Self) -> bool {
        let effect =
            |config: &Self| Self { is_partial: false, diagnostics: Vec::new(), ..config.clone() };
        effect(self) == effect(other)
    }
}
