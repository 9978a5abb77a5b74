//! Text to data: resolv.conf and the hosts file, and when a changed file is to be believed.

pub(crate) mod configuration;
pub(crate) mod files;
pub(crate) mod hosts;
pub(crate) mod reload;
pub(crate) mod resolv_conf;
