//! The embedded world: nameservers that follow a script, and small TCP and HTTP servers, all on
//! loopback addresses and on threads of their own.
//!
//! Tests, examples and benches share this one piece of code (`mod support;`, or with a `#[path]`).
//! It needs no runtime, so that it serves code that has one, several or none; it never sleeps to
//! wait for a fact; what it starts is stopped and joined when its handle is dropped. Mistakes in
//! its use panic: it is development code only.
//!
//! - [`Nameserver`] answers over UDP and TCP as a [`Script`] says, whose grammar stands in
//!   `src/testkit/script.rs`; what it was asked stands in its [`Journal`].
//! - [`Web`] is a set of addresses on one port that serve, refuse, or let a connect hang.
//! - [`World`] is both together, ready made.

#![allow(dead_code, unused_imports, reason = "each test, example and bench uses its own part")]
#![allow(unreachable_pub, reason = "the root of an example or a bench is no library")]

mod journal;
mod nameserver;
mod process;
#[path = "../../src/testkit/mod.rs"]
mod testkit;
mod timers;
mod watched;
mod web;
mod world;

pub use journal::{Journal, Query};
pub use nameserver::Nameserver;
pub use process::copy_of_this_process;
pub use testkit::{FORGED_V4, FORGED_V6, Message, Rule, Script, Step, Transport};
pub use web::{Behaviour, Web, has_ipv6};
pub use world::World;
