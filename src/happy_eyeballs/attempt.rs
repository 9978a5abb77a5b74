//! One TCP connection attempt: socket options, bind, connect.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use socket2::{Domain, Socket, Type};
use tokio::net::TcpStream;

use super::gate::canonical;
use super::{AttemptError, AttemptStage, SocketOptions};
use crate::os::{is_in_progress, is_out_of_ports};

/// A handshake under way. Dropping it closes the socket.
#[derive(Debug)]
pub(super) struct Attempt {
    stream: Option<TcpStream>,
    /// The address that is dialled: a socket that is bound to it is connected to itself. `None` if
    /// the caller's hook has bound it so.
    itself: Option<SocketAddr>,
}

impl Attempt {
    /// Makes a socket and sends the SYN.
    ///
    /// Must be called within a Tokio runtime with I/O enabled.
    pub(super) fn start(options: &SocketOptions, addr: SocketAddr) -> Result<Self, AttemptError> {
        let domain = Domain::for_address(addr);
        let failed_at = |stage| move |error| failure(stage, error, domain);
        let socket = options
            .new_socket(domain)
            .and_then(|socket| socket.set_nonblocking(true).map(|()| socket))
            .map_err(failed_at(AttemptStage::Socket))?;
        options.tune(&socket);
        options.route(&socket, addr)?;
        options.run_before_bind(&socket, addr)?;
        options.bind(&socket, addr).map_err(failed_at(AttemptStage::Bind))?;
        options.run_before_connect(&socket, addr)?;
        let is_asked_for = options.has_hook() && local_addr(&socket) == Some(addr);
        match socket.connect(&addr.into()) {
            Err(e) if !is_in_progress(&e) => return Err(failed_at(AttemptStage::Connect)(e)),
            _ => {}
        }
        // The socket is registered with the runtime only now, as an unconnected one would at once
        // be reported as writable and hung up.
        let stream =
            TcpStream::from_std(socket.into()).map_err(failed_at(AttemptStage::Register))?;
        Ok(Self { stream: Some(stream), itself: Some(addr).filter(|_| !is_asked_for) })
    }
}

impl SocketOptions {
    /// Connects to one address with these options: for the attempts of a [`race`](super::race()),
    /// which brings them its addresses.
    ///
    /// # Errors
    ///
    /// [`AttemptError`], which converts into an `io::Error`.
    ///
    /// # Panics
    ///
    /// The future panics outside a Tokio runtime with I/O enabled.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the socket.
    pub async fn connect(&self, addr: SocketAddr) -> Result<TcpStream, AttemptError> {
        Attempt::start(self, canonical(addr))?.await
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
            // A port of this host without a listener may be the one that the kernel picks to connect
            // from: then the socket is connected to itself (RFC 9293 section 3.5, a simultaneous
            // open). There is no peer, as if the attempt had been refused.
            Ok(None) if self.itself.is_some() && stream.local_addr().ok() == self.itself => {
                Err(io::ErrorKind::ConnectionRefused.into())
            }
            Ok(None) => Ok(self.stream.take().expect("it was there a line above")),
            Ok(Some(e)) | Err(e) => Err(e),
        };
        self.stream = None;
        Poll::Ready(result.map_err(|error| AttemptError::new(AttemptStage::Connect, error)))
    }
}

fn local_addr(socket: &Socket) -> Option<SocketAddr> {
    socket.local_addr().ok()?.as_socket().map(canonical)
}

/// Why an attempt failed before it had begun. A host without a free port is one without a resource:
/// the address is innocent.
fn failure(stage: AttemptStage, error: io::Error, domain: Domain) -> AttemptError {
    let is_about_ports = matches!(stage, AttemptStage::Bind | AttemptStage::Connect);
    let is_out_of_ports = is_about_ports && is_out_of_ports(&error, domain, Type::STREAM);
    AttemptError::new(stage, error).out_of_ports(is_out_of_ports)
}
