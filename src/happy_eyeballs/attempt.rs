//! One TCP connection attempt: socket options, bind, connect.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpStream;

use super::{AttemptError, AttemptStage, SocketOptions};
use crate::os::is_in_progress;

/// A handshake under way. Dropping it closes the socket.
#[derive(Debug)]
pub(super) struct Attempt {
    stream: Option<TcpStream>,
}

impl Attempt {
    /// Makes a socket and sends the SYN.
    ///
    /// Must be called within a Tokio runtime with I/O enabled.
    pub(super) fn start(options: &SocketOptions, addr: SocketAddr) -> Result<Self, AttemptError> {
        let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))
            .and_then(|socket| socket.set_nonblocking(true).map(|()| socket))
            .map_err(|e| AttemptError::new(AttemptStage::Socket, e))?;
        options.tune(&socket);
        options.route(&socket, addr)?;
        options.run_hook(&socket, addr).map_err(|e| AttemptError::new(AttemptStage::Hook, e))?;
        match socket.connect(&addr.into()) {
            Err(e) if !is_in_progress(&e) => {
                return Err(AttemptError::new(AttemptStage::Connect, e));
            }
            _ => {}
        }
        // The socket is registered with the runtime only now, as an unconnected one would at once
        // be reported as writable and hung up.
        let stream = TcpStream::from_std(socket.into())
            .map_err(|e| AttemptError::new(AttemptStage::Register, e))?;
        Ok(Self { stream: Some(stream) })
    }
}

impl Future for Attempt {
    type Output = Result<TcpStream, AttemptError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let stream = self.stream.as_ref().expect("an attempt is not polled after it has ended");
        // POSIX connect(): "When the connection has been established asynchronously, pselect(),
        // select(), and poll() shall indicate that the file descriptor for the socket is ready for
        // writing"; whether it was established or failed, SO_ERROR tells.
        let ready = ready!(stream.poll_write_ready(cx));
        let result = match ready.and_then(|()| stream.take_error()) {
            Ok(None) => Ok(self.stream.take().expect("it was there a line above")),
            Ok(Some(e)) | Err(e) => Err(AttemptError::new(AttemptStage::Connect, e)),
        };
        self.stream = None;
        Poll::Ready(result)
    }
}
