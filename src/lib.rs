//! From a host name to a connected socket: streaming DNS lookups and Happy Eyeballs for Tokio.
//!
//! A lookup is a [`Stream`](futures_core::Stream): each address is in the caller's hands the moment
//! its DNS response was received, while the other family, or a slow nameserver, is still awaited. A
//! connect races over that stream, so that it begins with the first address and not after the last.
//! Nothing runs on Tokio's blocking pool: the lookups of a process share one thread of their own. A
//! dropped lookup leaves that thread at once, and no exit waits for it.
//!
//! ```no_run
//! use outrace::LookupResult;
//!
//! # async fn f() -> Result<(), outrace::ConnectError> {
//! let mut results = outrace::lookup("example.com:443");
//! while let Some(result) = results.next().await {
//!     match result {
//!         LookupResult::Address(addr) => println!("{addr}"),
//!         LookupResult::CanonicalName(name) => println!("canonical name {name}"),
//!         LookupResult::End(outcome) => println!("{outcome:?}"),
//!     }
//! }
//!
//! let tcp = outrace::connect("example.com:443").await?;
//! # drop(tcp);
//! # Ok(())
//! # }
//! ```
//!
//! With feature `hyper` (on by default), [`Connector`] brings the same to `hyper-util`,
//! `hyper-rustls`, `tonic` and `tower`.
//!
//! # A race
//!
//! ```text
//!                   0 ms      10        20                     260       270
//! query A           ============|                                             answered
//! query AAAA        ==|                                                       answered
//! [2001:db8::1]:443   ====================================================|   canceled
//! 192.0.2.1:443                                                |              refused
//! 192.0.2.2:443                                                 ==========|   winner
//! ```
//!
//! The first address is attempted when its response is in. It does not answer, so the next one is
//! attempted after the Connection Attempt Delay (250 ms, RFC 8305 section 5), and the one behind a
//! refusal at once. The first attempt that connects wins, and the others are closed before the
//! caller sees it. `cargo run --example race` draws one.
//!
//! # Where to look
//!
//! | module | what it is |
//! |---|---|
//! | [`lookup`], [`LookupStream`], [`LookupResult`] | a lookup, and its results in their order |
//! | [`Resolver`], [`resolve`] | the stub resolver: settings, address policy, errors by cause, diagnostics, counters |
//! | [`connect`], [`happy_eyeballs`] | the race over addresses as they stream in (RFC 8305) |
//! | [`lookup_host`], [`LookupStream::into_addrs`] | all addresses at once |
//! | [`blocking`] | the race for threads without a runtime |
//! | [`Connector`], [`connector`] | the race as a `tower` service for HTTP clients |
//! | [`observer`] | the events of lookups and races, as they happen |
//! | [`futex_queue`] | the bounded queue between threads and tasks that carries the results |
//! | [`Target`], [`HostName`], [`IntoTarget`] | targets and names that are checked once, and what converts into them |
//!
//! # Cancel safety
//!
//! Every future and stream here may be dropped at any time, and dropping it cancels it: its sockets
//! are closed, its timers are gone, and no further packet is sent for it. A `next()` or `get()`
//! that is dropped loses no item. Two things go on after a drop: the resolver thread, for other
//! lookups, and a question that another lookup waits for as well.
//!
//! # What it does not do
//!
//! It asks the nameservers of resolv.conf as the C library does, but it is not the C library: names
//! of mDNS, LDAP or the resolver of a VPN are asked of the operating system, where nsswitch.conf
//! says that it has such ([`resolve::Source`]). It neither validates
//! DNSSEC nor encrypts queries; a validating or encrypting resolver on this host does that for
//! every program. For other record types than addresses, use a DNS library such as
//! `hickory-resolver` or `domain`.

#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

/// The README's snippets compile.
#[cfg(all(doctest, feature = "hyper"))]
#[doc = include_str!("../README.md")]
mod readme {}

pub mod blocking;
pub mod futex_queue;
pub mod happy_eyeballs;
pub mod observer;
pub mod resolve;

#[cfg(feature = "hyper")]
pub mod connector;
mod host_name;
mod os;
mod process;
mod result;
mod route;
#[cfg(any(test, fuzzing))]
mod seeded;
mod stream;
mod target;
#[cfg(any(test, fuzzing))]
mod testkit;
mod trace;
mod zone;

#[cfg(feature = "hyper")]
#[doc(inline)]
pub use connector::Connector;
#[doc(inline)]
pub use happy_eyeballs::{ConnectError, ConnectInfo, ConnectOptions, connect, lookup_host};
pub use host_name::{HostName, NameError};
#[doc(inline)]
pub use observer::Observer;
#[cfg(fuzzing)]
#[doc(hidden)]
pub use resolve::fuzzing;
#[doc(inline)]
pub use resolve::{LookupError, LookupErrorKind, LookupOptions, Resolver, ResolverBuilder, lookup};
pub use result::LookupResult;
pub use stream::{BlockingResults, LookupStream};
pub use target::{Host, IntoTarget, Target, TargetError};
