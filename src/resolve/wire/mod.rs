//! Octets to meaning: what is read from a message, what is written into one. Keeps nothing.

pub(crate) mod answer;
pub(crate) mod case_mask;
pub(crate) mod framing;
pub(crate) mod message;
pub(crate) mod query_name;
pub(crate) mod reader;
