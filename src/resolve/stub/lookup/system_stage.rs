//! [`SystemStage`]: what a lookup keeps while it asks the operating system.

use std::time::Instant;

use crate::resolve::names::local::SystemName;
use crate::resolve::system_failure::SystemFailure;

/// What a lookup keeps while it asks the operating system.
#[derive(Clone, Debug)]
pub(super) struct SystemStage {
    pub(super) asked: SystemName,
    /// Whether it is asked now, and not the nameservers about a later candidate.
    pub(super) is_current: bool,
    /// When its calls were wanted first.
    pub(super) began: Option<Instant>,
    pub(super) failures: Vec<SystemFailure>,
}

impl SystemStage {
    pub(super) fn new(asked: SystemName) -> Self {
        Self { asked, is_current: true, began: None, failures: Vec::new() }
    }
}
