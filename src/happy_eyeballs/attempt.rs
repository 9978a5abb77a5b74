//! One TCP connection attempt: socket options, bind, connect.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};
use tokio::net::TcpStream;

use super::{AttemptError, Stage};

/// A borrowed socket, as the hook of [`SocketOptions::before_connect`] gets it.
#[cfg(unix)]
pub type BorrowedSocket<'a> = std::os::fd::BorrowedFd<'a>;
/// A borrowed socket, as the hook of [`SocketOptions::before_connect`] gets it.
#[cfg(windows)]
pub type BorrowedSocket<'a> = std::os::windows::io::BorrowedSocket<'a>;

type Hook = dyn Fn(BorrowedSocket<'_>, SocketAddr) -> io::Result<()> + Send + Sync;

/// How the socket of each connection attempt is set up before it connects.
///
/// The defaults are the operating system's. An option that decides where packets go (`interface`,
/// `mark`, the local addresses) or that the caller brought along (`before_connect`) fails its
/// attempt if it cannot be set, and only that attempt: the race goes on with the next address. An
/// option that merely tunes is a wish: where the system refuses it, the attempt goes on without.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct SocketOptions {
    /// Idle time before the first TCP keepalive probe (default: none, keepalive stays off).
    pub keepalive_time: Option<Duration>,
    /// Time between keepalive probes (default: the system's). Turns keepalive on by itself.
    pub keepalive_interval: Option<Duration>,
    /// Unanswered keepalive probes until the connection counts as dead (default: the system's).
    /// Turns keepalive on by itself.
    pub keepalive_retries: Option<u32>,
    /// `TCP_NODELAY`: small writes leave at once, without Nagle's algorithm (default: false).
    pub nodelay: bool,
    /// `SO_REUSEADDR` (default: false).
    pub reuse_address: bool,
    /// `SO_SNDBUF` in bytes (default: the system's, which adapts; a fixed size ends that).
    pub send_buffer_size: Option<usize>,
    /// `SO_RCVBUF` in bytes (default: the system's, which adapts; a fixed size ends that).
    pub recv_buffer_size: Option<usize>,
    /// The local address of IPv4 connections (default: the system chooses).
    ///
    /// With a local address for one family and none for the other, addresses of the other family
    /// are passed over: the caller has said where packets shall come from.
    pub local_ipv4: Option<Ipv4Addr>,
    /// The local address of IPv6 connections (default: the system chooses); see `local_ipv4`.
    pub local_ipv6: Option<Ipv6Addr>,
    /// The name of the network interface that all packets use, `SO_BINDTODEVICE` (default: any).
    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    pub interface: Option<String>,
    /// The index of the network interface that all packets use, `IP_BOUND_IF` (default: any).
    #[cfg(any(
        target_os = "illumos",
        target_os = "ios",
        target_os = "macos",
        target_os = "solaris",
        target_os = "tvos",
        target_os = "visionos",
        target_os = "watchos",
    ))]
    pub interface: Option<std::num::NonZeroU32>,
    /// `SO_MARK`, for policy routing and packet filters (default: none). Needs `CAP_NET_ADMIN`.
    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    pub mark: Option<u32>,
    /// `TCP_USER_TIMEOUT`: how long sent data may stay unacknowledged (default: the system's).
    ///
    /// It holds for the handshake as well, so a value below the time of one SYN retransmission
    /// (1 s) makes a single lost packet fatal to the attempt.
    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    pub user_timeout: Option<Duration>,
    /// `TCP_FASTOPEN_CONNECT`: with a cookie from an earlier connection, the first bytes written
    /// travel in the SYN (RFC 7413; default: false).
    ///
    /// With such a cookie the system reports a connection before the peer has answered, so the race
    /// ends with the first address that is tried, and a dead peer shows at the first read. Only
    /// where a round trip saved is worth more than that.
    #[cfg(all(feature = "fast-open", target_os = "linux"))]
    pub fast_open: bool,
    before_connect: Option<Arc<Hook>>,
}

impl SocketOptions {
    /// Calls `hook` with every socket and the address it is about to connect to, after all other
    /// options are set and the local address is bound.
    ///
    /// For options that this type does not know. An error fails this attempt, and no other. The
    /// hook runs on the task that connects and must not block.
    pub fn before_connect<F>(&mut self, hook: F) -> &mut Self
    where
        F: Fn(BorrowedSocket<'_>, SocketAddr) -> io::Result<()> + Send + Sync + 'static,
    {
        self.before_connect = Some(Arc::new(hook));
        self
    }

    /// Whether an attempt to `addr` can be made at all: not if the caller gave a local address of
    /// the other family only.
    pub(super) fn can_reach(&self, addr: SocketAddr) -> bool {
        match addr {
            SocketAddr::V4(_) => self.local_ipv4.is_some() || self.local_ipv6.is_none(),
            SocketAddr::V6(_) => self.local_ipv6.is_some() || self.local_ipv4.is_none(),
        }
    }

    /// Makes a socket and sends the SYN.
    ///
    /// Must be called within a Tokio runtime with I/O enabled.
    pub(super) fn connect(&self, addr: SocketAddr) -> Result<Attempt, AttemptError> {
        let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))
            .and_then(|socket| socket.set_nonblocking(true).map(|()| socket))
            .map_err(|e| AttemptError::new(Stage::Socket, e))?;
        self.tune(&socket);
        self.route(&socket, addr)?;
        self.run_hook(&socket, addr).map_err(|e| AttemptError::new(Stage::Hook, e))?;
        match socket.connect(&addr.into()) {
            Err(e) if !is_in_progress(&e) => return Err(AttemptError::new(Stage::Connect, e)),
            _ => {}
        }
        // The socket is registered with the runtime only now, as an unconnected one would at once
        // be reported as writable and hung up.
        let stream = TcpStream::from_std(socket.into())
            .map_err(|e| AttemptError::new(Stage::Register, e))?;
        Ok(Attempt { stream: Some(stream) })
    }

    /// Sets the options that decide which way packets take, the local address last.
    ///
    /// The socket that learns a source address goes through the same steps, so that it learns the
    /// address the attempt will have.
    pub(super) fn route(&self, socket: &Socket, addr: SocketAddr) -> Result<(), AttemptError> {
        self.bind_interface(socket, addr).map_err(|e| AttemptError::new(Stage::Interface, e))?;
        #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
        if let Some(mark) = self.mark {
            socket.set_mark(mark).map_err(|e| AttemptError::new(Stage::Mark, e))?;
        }
        if let Some(local) = self.local_addr(addr) {
            socket.bind(&local.into()).map_err(|e| AttemptError::new(Stage::Bind, e))?;
        }
        Ok(())
    }

    /// The local address for a connection to `addr`, if the caller gave one.
    fn local_addr(&self, addr: SocketAddr) -> Option<SocketAddr> {
        match addr {
            SocketAddr::V4(_) => self.local_ipv4.map(|ip| SocketAddrV4::new(ip, 0).into()),
            SocketAddr::V6(addr) => self.local_ipv6.map(|ip| {
                // A link-local address means nothing without its zone (RFC 4007 section 6), which
                // is that of the destination: link-local packets do not change zones.
                let scope_id = if ip.is_unicast_link_local() { addr.scope_id() } else { 0 };
                SocketAddrV6::new(ip, 0, 0, scope_id).into()
            }),
        }
    }

    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    fn bind_interface(&self, socket: &Socket, _: SocketAddr) -> io::Result<()> {
        match &self.interface {
            Some(name) => socket.bind_device(Some(name.as_bytes())),
            None => Ok(()),
        }
    }

    #[cfg(any(
        target_os = "illumos",
        target_os = "ios",
        target_os = "macos",
        target_os = "solaris",
        target_os = "tvos",
        target_os = "visionos",
        target_os = "watchos",
    ))]
    fn bind_interface(&self, socket: &Socket, addr: SocketAddr) -> io::Result<()> {
        match (self.interface, addr) {
            (None, _) => Ok(()),
            (index, SocketAddr::V4(_)) => socket.bind_device_by_index_v4(index),
            (index, SocketAddr::V6(_)) => socket.bind_device_by_index_v6(index),
        }
    }

    #[cfg(not(any(
        target_os = "android",
        target_os = "fuchsia",
        target_os = "linux",
        target_os = "illumos",
        target_os = "ios",
        target_os = "macos",
        target_os = "solaris",
        target_os = "tvos",
        target_os = "visionos",
        target_os = "watchos",
    )))]
    fn bind_interface(&self, _: &Socket, _: SocketAddr) -> io::Result<()> {
        Ok(())
    }

    /// Sets the options that only tune. What the system refuses is left out: a connection that is
    /// not tuned is worth more than none, and the next address would meet the same refusal.
    fn tune(&self, socket: &Socket) {
        if let Some(keepalive) = self.keepalive() {
            note_refusal("keepalive", &socket.set_tcp_keepalive(&keepalive));
        }
        if self.nodelay {
            note_refusal("nodelay", &socket.set_tcp_nodelay(true));
        }
        if self.reuse_address {
            note_refusal("reuse_address", &socket.set_reuse_address(true));
        }
        if let Some(size) = self.send_buffer_size {
            note_refusal("send_buffer_size", &socket.set_send_buffer_size(size));
        }
        if let Some(size) = self.recv_buffer_size {
            note_refusal("recv_buffer_size", &socket.set_recv_buffer_size(size));
        }
        #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
        if self.user_timeout.is_some() {
            note_refusal("user_timeout", &socket.set_tcp_user_timeout(self.user_timeout));
        }
        #[cfg(all(feature = "fast-open", target_os = "linux"))]
        if self.fast_open {
            use nix::sys::socket::{setsockopt, sockopt::TcpFastOpenConnect};
            let set = setsockopt(socket, TcpFastOpenConnect, &true);
            note_refusal("fast_open", &set.map_err(io::Error::from));
        }
    }

    fn keepalive(&self) -> Option<TcpKeepalive> {
        let mut keepalive = TcpKeepalive::new();
        let mut wanted = false;
        if let Some(time) = self.keepalive_time {
            keepalive = keepalive.with_time(time);
            wanted = true;
        }
        // The two below exist where socket2 has them; elsewhere the system's values stand.
        #[cfg(any(
            target_os = "android",
            target_os = "dragonfly",
            target_os = "freebsd",
            target_os = "fuchsia",
            target_os = "illumos",
            target_os = "ios",
            target_os = "linux",
            target_os = "macos",
            target_os = "netbsd",
            target_os = "tvos",
            target_os = "visionos",
            target_os = "watchos",
            target_os = "windows",
        ))]
        if let Some(interval) = self.keepalive_interval {
            keepalive = keepalive.with_interval(interval);
            wanted = true;
        }
        #[cfg(any(
            target_os = "android",
            target_os = "dragonfly",
            target_os = "freebsd",
            target_os = "fuchsia",
            target_os = "illumos",
            target_os = "ios",
            target_os = "linux",
            target_os = "macos",
            target_os = "netbsd",
            target_os = "tvos",
            target_os = "visionos",
            target_os = "watchos",
        ))]
        if let Some(retries) = self.keepalive_retries {
            keepalive = keepalive.with_retries(retries);
            wanted = true;
        }
        wanted.then_some(keepalive)
    }

    #[cfg(unix)]
    fn run_hook(&self, socket: &Socket, addr: SocketAddr) -> io::Result<()> {
        use std::os::fd::AsFd;
        self.before_connect.as_ref().map_or(Ok(()), |hook| hook(socket.as_fd(), addr))
    }

    #[cfg(windows)]
    fn run_hook(&self, socket: &Socket, addr: SocketAddr) -> io::Result<()> {
        use std::os::windows::io::AsSocket;
        self.before_connect.as_ref().map_or(Ok(()), |hook| hook(socket.as_socket(), addr))
    }
}

impl fmt::Debug for SocketOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut s = f.debug_struct("SocketOptions");
        s.field("keepalive_time", &self.keepalive_time)
            .field("keepalive_interval", &self.keepalive_interval)
            .field("keepalive_retries", &self.keepalive_retries)
            .field("nodelay", &self.nodelay)
            .field("reuse_address", &self.reuse_address)
            .field("send_buffer_size", &self.send_buffer_size)
            .field("recv_buffer_size", &self.recv_buffer_size)
            .field("local_ipv4", &self.local_ipv4)
            .field("local_ipv6", &self.local_ipv6);
        #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
        s.field("interface", &self.interface)
            .field("mark", &self.mark)
            .field("user_timeout", &self.user_timeout);
        #[cfg(all(feature = "fast-open", target_os = "linux"))]
        s.field("fast_open", &self.fast_open);
        s.field("before_connect", &self.before_connect.as_ref().map(|_| ".."))
            .finish_non_exhaustive()
    }
}

/// Tells of an option that the system refused.
#[cfg_attr(not(feature = "tracing"), allow(unused_variables))]
fn note_refusal(option: &'static str, result: &io::Result<()>) {
    #[cfg(feature = "tracing")]
    if let Err(error) = result {
        tracing::debug!(option, %error, "socket option refused");
    }
}

/// A handshake under way. Dropping it closes the socket.
#[derive(Debug)]
pub(super) struct Attempt {
    stream: Option<TcpStream>,
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
            Ok(Some(e)) | Err(e) => Err(AttemptError::new(Stage::Connect, e)),
        };
        self.stream = None;
        Poll::Ready(result)
    }
}

/// Whether a connect on a nonblocking socket has begun well.
fn is_in_progress(error: &io::Error) -> bool {
    #[cfg(unix)]
    return error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error());
    #[cfg(not(unix))]
    return error.kind() == io::ErrorKind::WouldBlock;
}
