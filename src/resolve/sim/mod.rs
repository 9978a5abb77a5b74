//! The resolver's pure core in virtual time: a simulated network with simulated nameservers, no
//! socket, no thread, no waiting.
//!
//! Three things stand on the same [`World`](world::World). The scenarios play one conversation
//! each, written as text, and say what must come of it and when. The simulation plays random ones
//! by the thousand, and the fuzz targets play those that a fuzzer writes; both hold what must be so
//! in every one of them ([`check`]).

#![allow(
    clippy::case_sensitive_file_extension_comparisons,
    clippy::cast_possible_truncation,
    clippy::decimal_bitwise_operands,
    clippy::format_push_string,
    clippy::inconsistent_struct_constructor,
    clippy::needless_pass_by_value,
    reason = "scenarios are data, written for the eye"
)]
#![cfg_attr(fuzzing, allow(dead_code, reason = "the scenarios look at more of a world"))]

pub(super) mod bytes;
mod check;
mod faults;
mod message;
mod reference;
mod routes;
#[cfg(test)]
mod scenario;
#[cfg(test)]
mod scenarios;
#[cfg(test)]
mod script;
#[cfg(test)]
mod simulation;
mod world;
