//! What is promised to users, over real sockets: a file for each promise, and one program, since
//! each program more is built for every platform and feature. What needs a process of its own,
//! because it closes descriptors, counts memory or stops itself, stands beside this folder.

#[path = "../support/mod.rs"]
mod support;

mod address_policy;
mod auto_traits;
mod blocking;
mod cache;
mod connect;
#[cfg(feature = "hyper")]
mod hyper_client;
mod lifecycle;
mod lookup;
mod observed;
mod routes;
mod socket_options;
mod source;
mod support_works;
