//! What a program writes to run its stack over outrace: a file for each stack, made of functions
//! that can be copied as they stand. The tests run them against servers on loopback.
//!
//! Each is given a resolver, so that a test says which nameserver is asked. A program has
//! `outrace::Resolver::system()`, and where it passes no resolver, that is the one: in
//! `outrace::Connector::new()`, `outrace::Connector::for_tls()` and `outrace::connect`.

pub mod hyper_rustls;
#[cfg(feature = "hyper-tls")]
pub mod hyper_tls;
pub mod hyper_util;
pub mod postgres;
pub mod quinn;
pub mod redis_dns;
pub mod redis_stream;
pub mod reqwest;
pub mod rustls;
pub mod smol;
pub mod threads;
pub mod tonic;
pub mod tonic_tls;
pub mod tower;
pub mod tungstenite;
pub mod ureq;

/// What the programs return, whose errors are of many types.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;
