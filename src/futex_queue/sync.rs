//! The lock and the threads of the queue: from `std`, or from loom in its models.
//!
//! The choice is made here, once; the rest of the queue names only this module.

#[cfg(not(outrace_loom))]
pub(super) use std::{
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    thread::{Thread, current, park, park_timeout},
    thread_local,
};

#[cfg(outrace_loom)]
pub(super) use loom::{
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    thread::{Thread, current, park},
    thread_local,
};

/// Loom has no time: in a model a thread with a deadline waits like one without.
#[cfg(outrace_loom)]
pub(super) fn park_timeout(_: std::time::Duration) {
    park();
}
