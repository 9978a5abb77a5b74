//! The nameservers, the search list and the routes of systems that keep them elsewhere than in
//! resolv.conf.
//!
//! `apple` and `windows` make a [`NativeConfig`] of what was read, and read nothing themselves.

#![allow(dead_code, reason = "no system is read yet")]

pub(crate) mod apple;
pub(crate) mod property_list;
pub(crate) mod windows;

use std::net::SocketAddr;

use super::name_routes::NameRoute;
use super::resolv_conf::Options;
use crate::HostName;
use crate::resolve::diagnostic::Diagnostic;
use crate::resolve::names::search::SearchRule;

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
    /// The parts that could not be used, and the sources that could not be read.
    pub(crate) diagnostics: Vec<Diagnostic>,
}
