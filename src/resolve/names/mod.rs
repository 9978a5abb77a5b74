//! Which names a lookup asks for and of which source, and which are answered without a nameserver.

pub(crate) mod local;
pub(crate) mod search;
pub(crate) mod source;
pub(crate) mod source_order;
pub(crate) mod special_names;
