//! Which names a lookup asks for, and which are answered without a nameserver.

pub(crate) mod local;
pub(crate) mod search;
pub(crate) mod special_names;
