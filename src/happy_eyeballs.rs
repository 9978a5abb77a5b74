//! Connection racing (RFC 8305) over addresses as they stream in.

use tokio::net::TcpStream;

use crate::{Target, TargetError};

#[cfg_attr(not(test), allow(dead_code))] // Until the driver below uses them.
mod config;
#[cfg_attr(not(test), allow(dead_code))]
mod order;
#[cfg_attr(not(test), allow(dead_code))]
mod race;

pub use config::{Config, FailFast, Order};
pub use order::PolicyTable;

/// Why no connection came about.
#[derive(Debug, thiserror::Error)]
#[error("connect failed")]
pub struct ConnectError {}

/// Connects to `target`, racing its addresses.
pub async fn connect<T>(_target: T) -> Result<TcpStream, ConnectError>
where
    T: TryInto<Target>,
    T::Error: Into<TargetError>,
{
    Err(ConnectError {})
}
