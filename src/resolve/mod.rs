//! The stub resolver: from a name to a stream of addresses, on a thread of its own.
//!
//! A [`Resolver`] asks the sources of a name in this order, and the first that answers is the only
//! one that speaks: the name is an IP literal; the hosts file; the special-use names of RFC 6761;
//! the cache ([`CacheOptions`]) and DNS, with the search list of resolv.conf. All but DNS are answered
//! where the lookup is made, without another thread, and without a system call but for a look at the
//! files once in five seconds.
//!
//! Whatever the source, an [`AddressPolicy`] may keep addresses back before anybody gets to see them.
//!
//! DNS is the work of one thread, started by the first lookup that needs it and shared by all of
//! them, of whatever runtime. It never waits for a consumer, and no exit of a process waits for it.
//! A question that is out is out once: whoever asks the same waits with the others, and is given what
//! has come.
//!
//! A process may fork while lookups are under way. The child has no such thread, and starts one of its
//! own with its first lookup. What the parent had started goes on in the parent: a stream's copy in the
//! child ends with [`LookupErrorKind::ResolverGone`]. (The child's copy of a queue that
//! [`Resolver::lookup_into`] fills is the caller's own, and learns nothing.) The child also has copies of
//! the open sockets, until it ends or runs another program.
//!
//! Every decision is in a state machine without socket, thread or clock (`stub`, and below it
//! `lookup` and `query`); the thread does what they say.

mod address_policy;
mod builder;
mod cache_options;
#[cfg(test)]
mod chance;
mod config;
mod diagnostic;
mod driver;
mod error;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod ip_prefix;
mod names;
mod options;
mod resolver;
#[cfg(any(test, fuzzing))]
mod sim;
mod stats;
mod stub;
mod wire;

pub use address_policy::{AddressPolicy, DeniedAddresses, DenyReason};
pub use builder::ResolverBuilder;
pub use cache_options::CacheOptions;
pub use diagnostic::{ConfigSource, Diagnostic, DiagnosticCause};
pub use error::{
    FailureCause, LookupError, LookupErrorKind, QueryFailure, Question, Rcode, RecordType,
    Transport,
};
pub use ip_prefix::{IpPrefix, IpPrefixError};
pub use options::{AddressFamily, LookupOptions, Strategy};
pub use resolver::{LookupHandle, Resolver, lookup};
pub use stats::{NameserverStats, Stats};

pub(crate) use resolver::{Inner, Pending};
pub(crate) use stub::ids::LookupId;
#[cfg(feature = "tracing")]
pub(crate) use wire::answer::NAME_COLLISION;
