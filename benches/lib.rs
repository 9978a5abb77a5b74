//! Figures: the crate beside its peers, in one run. A package of its own, so that no peer ever
//! stands in the tree of `cargo test`.

pub mod races;
