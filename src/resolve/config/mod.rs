//! Text to data: resolv.conf, the hosts file and nsswitch.conf, the settings, hosts and routes of
//! the program that combine with them, and when a changed file is believed.

pub(crate) mod configuration;
pub(crate) mod files;
pub(crate) mod hosts;
pub(crate) mod name_routes;
pub(crate) mod native;
pub(crate) mod nsswitch;
pub(crate) mod program_hosts;
pub(crate) mod program_routes;
pub(crate) mod reader_thread;
pub(crate) mod reload;
pub(crate) mod resolv_conf;
pub(crate) mod settings;
pub(crate) mod sources;
