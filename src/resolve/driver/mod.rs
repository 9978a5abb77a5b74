//! The resolver thread, its sockets, its clock and its random source: everything here does I/O.

pub(crate) mod clock;
pub(crate) mod network;
pub(crate) mod outlet;
pub(crate) mod random;
pub(crate) mod thread;
