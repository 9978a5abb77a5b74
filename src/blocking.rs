//! Races for threads without a runtime.
//!
//! The lookups of this crate need no runtime: see
//! [`LookupStream::into_blocking_iter`](crate::LookupStream::into_blocking_iter). A race does, and the
//! functions of this module make one for its time, on the thread that calls: no other thread is
//! started, and what [`happy_eyeballs`] says of races holds.

use std::net::TcpStream;

use tokio::runtime::{Builder, Runtime};

use crate::happy_eyeballs;
use crate::{ConnectError, ConnectInfo, ConnectOptions, IntoTarget, Resolver};

/// As [`connect`](crate::connect()), for a thread that waits.
///
/// ```no_run
/// let stream = outrace::blocking::connect("example.com:443")?;
/// # drop(stream);
/// # Ok::<(), outrace::ConnectError>(())
/// ```
///
/// # Blocking
///
/// Until there is a connection or none is to be had. There is no deadline but those of the lookup and
/// of the operating system: see [`RaceOptions::connect_timeout`].
///
/// # Errors
///
/// [`ConnectError`], with every attempt and the lookup's outcome.
///
/// # Panics
///
/// Within an asynchronous task of Tokio, which has no business to block.
///
/// [`RaceOptions::connect_timeout`]: crate::happy_eyeballs::RaceOptions::connect_timeout
pub fn connect(target: impl IntoTarget) -> Result<TcpStream, ConnectError> {
    let connect = async { into_std(happy_eyeballs::connect(target).await?) };
    runtime()?.block_on(connect)
}

/// As [`connect_with`](crate::happy_eyeballs::connect_with), for a thread that waits.
///
/// # Blocking
///
/// Until there is a connection or none is to be had, or the options' deadline has passed.
///
/// # Errors
///
/// [`ConnectError`], with every attempt and the lookup's outcome.
///
/// # Panics
///
/// Within an asynchronous task of Tokio.
pub fn connect_with(
    target: impl IntoTarget,
    resolver: &Resolver,
    options: &ConnectOptions,
) -> Result<(TcpStream, ConnectInfo), ConnectError> {
    let connect = async {
        let (stream, info) = happy_eyeballs::connect_with(target, resolver, options).await?;
        Ok((into_std(stream)?, info))
    };
    runtime()?.block_on(connect)
}

fn runtime() -> Result<Runtime, ConnectError> {
    let runtime = Builder::new_current_thread().enable_io().enable_time().build();
    runtime.map_err(|error| ConnectError::no_runtime(&error))
}

/// A socket as std's functions expect it: one that waits.
fn into_std(stream: tokio::net::TcpStream) -> Result<TcpStream, ConnectError> {
    let stream = stream.into_std().and_then(|stream| {
        stream.set_nonblocking(false)?;
        Ok(stream)
    });
    stream.map_err(|error| ConnectError::no_runtime(&error))
}
