//! From a host name to a connected socket: streaming DNS lookups and Happy Eyeballs for Tokio.

#![forbid(unsafe_code)]

pub mod futex_queue;
pub mod happy_eyeballs;
pub mod resolve;

#[cfg(feature = "hyper")]
mod connector;
mod host_name;
mod scope;
mod stream;
mod target;

#[cfg(feature = "hyper")]
pub use connector::Connector;
pub use happy_eyeballs::{ConnectError, connect};
pub use host_name::{HostName, NameError};
#[cfg(fuzzing)]
#[doc(hidden)]
pub use resolve::fuzzing;
pub use resolve::{LookupError, LookupErrorKind, LookupOptions, Resolver, ResolverBuilder, lookup};
pub use stream::{LookupResult, LookupStream};
pub use target::{Host, Target, TargetError};
