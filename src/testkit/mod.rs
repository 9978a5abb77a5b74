//! The test kit: what a nameserver says, as text, and the DNS messages that come of it.
//!
//! A [`Script`] is the text; its grammar stands in the documentation of [`script`]. A [`Playback`]
//! says what such a nameserver does about each query, and when. Two runners carry that out: the
//! nameserver of the integration tests over real sockets, and the simulation in virtual time. The
//! messages are written by the `domain` crate, so that no code which this crate ships has a hand in
//! what it is tested with.
//!
//! Tests that are crates of their own include this file by its path, so it names nothing of this
//! crate.

#![allow(dead_code, unused_imports, reason = "each of its users has a use for its own part")]
#![allow(unreachable_pub, reason = "it is a part of several crates")]

pub mod framing;
mod playback;
mod reply;
pub mod script;

use std::fmt;

pub use playback::{Action, Playback, Reaction};
pub use reply::{Asked, bytes};
pub use script::{
    FORGED_V4, FORGED_V6, Message, OpenSocket, Origin, OwnedName, QuestionSection, Rule, Script,
    ScriptedRecord, Section, Step, TcpService,
};

/// What a query came over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    Udp,
    Tcp,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        })
    }
}
