//! Text to data: resolv.conf and the hosts file, the settings and hosts of the program that combine
//! with them, and when a changed file is believed.

pub(crate) mod configuration;
pub(crate) mod files;
pub(crate) mod hosts;
pub(crate) mod program_hosts;
pub(crate) mod reload;
pub(crate) mod resolv_conf;
pub(crate) mod settings;
