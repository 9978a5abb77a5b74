//! The resolver thread, its sockets, its clock and its random source: everything here does I/O.

pub(crate) mod clock;
#[cfg(feature = "system")]
pub(crate) mod getaddrinfo;
pub(crate) mod handle;
mod network;
mod random;
pub(crate) mod result_sink;
pub(crate) mod shared;
mod system_threads;
mod thread;
