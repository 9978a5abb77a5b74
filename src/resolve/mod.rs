//! The stub resolver: from a name to a stream of addresses, on a thread of its own.
//!
//! A [`Resolver`] asks the sources of a name in this order, and the first that answers is final:
//!
//! 1. an IP literal is its own address;
//! 2. the hosts that the program gave ([`ResolverBuilder::host`]), then the hosts file;
//! 3. the special-use names of RFC 6761, such as `localhost`;
//! 4. the cache ([`CacheOptions`]);
//! 5. the nameservers, with the search list of resolv.conf: those of the longest suffix for which
//!    there is a route ([`ResolverBuilder::route`]), and no others; or the operating system
//!    ([`Source::System`]), with the name as it was given.
//!
//! Where a machine has another order, it holds here too: by the line `hosts` of nsswitch.conf the
//! hosts file may come behind the nameservers or not count, and names may be asked of the operating
//! system, alone or behind the nameservers. [`Source::Auto`] says which.
//!
//! All but the nameservers and the operating system are answered where the lookup is made: no other
//! thread takes part, and no system call is made but for a look at the files once in five seconds,
//! or in half a second while no nameserver responds or after a lookup that had no response. An
//! [`AddressPolicy`] filters the addresses of every source.
//!
//! ```no_run
//! use outrace::{LookupResult, Resolver};
//!
//! # async fn f() {
//! let resolver = Resolver::builder().ndots(2).build();
//! let mut results = resolver.lookup("example.com:443");
//! while let Some(result) = results.next().await {
//!     if let LookupResult::Address(addr) = result {
//!         println!("{addr}");
//!     }
//! }
//! # }
//! ```
//!
//! # The resolver thread
//!
//! Nameservers are asked by one thread, which the first lookup that needs it starts and which all
//! lookups share, of whatever runtime. It never waits for a consumer, and a process that exits
//! never waits for it. Identical questions are coalesced: a second lookup joins the query in flight
//! and receives its answer.
//!
//! # Fork
//!
//! A process may fork while lookups are under way. The child has no resolver thread, and starts one
//! of its own with its first lookup. Lookups that the parent started go on in the parent: a
//! stream's copy in the child ends with [`LookupErrorKind::ResolverGone`]. (The child's copy of a
//! queue that [`Resolver::lookup_into`] fills is the caller's own, and receives nothing.) The child
//! also has copies of the open sockets, until it ends or runs another program.

// For maintainers, a line a folder; ARCHITECTURE.md has the whole.
//
// config   text to data: files, settings, and when a changed file is believed
// names    which names a lookup asks for, of whom, and which are answered here (pure)
// wire     octets to meaning and back (pure)
// stub     the stub resolver as a state machine (pure)
// system   names looked up by the operating system: its codes, and which call has a thread (pure)
// driver   the resolver thread: sockets, clock, random source
// sim, fuzzing   the core in virtual time, and under a fuzzer

mod address_policy;
mod builder;
mod cache_options;
mod config;
mod diagnostic;
mod driver;
mod error;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod ip_prefix;
mod names;
mod options;
mod question;
#[cfg(test)]
mod randomness;
mod resolver;
#[cfg(any(test, fuzzing))]
mod sim;
mod source;
mod stats;
mod stub;
mod system;
mod system_failure;
mod watch;
mod wire;

pub use address_policy::{AddressPolicy, DeniedAddresses, DenyReason};
pub use builder::ResolverBuilder;
pub use cache_options::CacheOptions;
pub use config::name_routes::{ChosenRoute, RouteTarget};
pub use diagnostic::{ConfigSource, Diagnostic, DiagnosticCause};
pub use error::{
    FailureCause, LookupError, LookupErrorKind, QueryFailure, Question, Rcode, RecordType,
    Transport,
};
pub use ip_prefix::{IpPrefix, IpPrefixError};
pub use options::{AddressFamily, LookupOptions, NameserverStrategy};
pub use resolver::{LookupHandle, Resolver, lookup};
pub use source::Source;
pub use stats::{IgnoredMessages, NameserverStats, Stats};
pub use system_failure::{SystemCause, SystemFailure};

pub(crate) use diagnostic::Diagnostics;
pub(crate) use resolver::{Pending, ResolverInner};
pub(crate) use stub::ids::LookupId;
#[cfg(feature = "tracing")]
pub(crate) use wire::answer::NAME_COLLISION;
