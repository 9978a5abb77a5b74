//! [`SocketOptions`]: how the socket of each connection attempt is set up.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use super::{AttemptError, AttemptStage};
use crate::os;
use crate::resolve::AddressFamily;
use crate::route::Route;

pub use crate::os::BorrowedSocket;

type Hook = dyn Fn(BorrowedSocket<'_>, SocketAddr) -> io::Result<()> + Send + Sync;

/// How the socket of each connection attempt is set up before it connects.
///
/// The defaults are the operating system's. An option that decides where packets go (`interface`,
/// `mark`, the local addresses) or that the caller brought along (`before_connect`) fails its
/// attempt if it cannot be set, and only that attempt: the race goes on with the next address. An
/// option that merely tunes is left out where the system refuses it.
#[derive(Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one option, free of the others")]
pub struct SocketOptions {
    keepalive_time: Option<Duration>,
    keepalive_interval: Option<Duration>,
    keepalive_retries: Option<u32>,
    nodelay: bool,
    reuse_address: bool,
    send_buffer_size: Option<usize>,
    recv_buffer_size: Option<usize>,
    route: Route,
    user_timeout: Option<Duration>,
    fast_open: bool,
    mptcp: bool,
    before_bind: Option<Arc<Hook>>,
    before_connect: Option<Arc<Hook>>,
}

/// `TCP_KEEPIDLE` and `TCP_KEEPINTVL` of Linux take no more (`MAX_TCP_KEEPIDLE`). Less than a second
/// is zero for it, which it refuses.
const MAX_KEEPALIVE_SECONDS: u64 = 32_767;
/// `TCP_KEEPCNT` of Linux takes no more (`MAX_TCP_KEEPCNT`).
const MAX_KEEPALIVE_RETRIES: u32 = 127;
/// The sizes of buffers are signed numbers of 32 bits for the system.
const MAX_BUFFER_SIZE: usize = i32::MAX as usize;
/// So is `TCP_USER_TIMEOUT`.
#[allow(dead_code, reason = "not every system has it")]
const MAX_USER_TIMEOUT_MS: u32 = i32::MAX as u32;

fn keepalive_seconds(time: Duration) -> Duration {
    let round_up = u64::from(time.subsec_nanos() > 0);
    let seconds = time.as_secs().saturating_add(round_up);
    Duration::from_secs(seconds.clamp(1, MAX_KEEPALIVE_SECONDS))
}

impl SocketOptions {
    /// Idle time before the first TCP keepalive probe. Default: keepalive is off.
    ///
    /// Range 1 s to 32,767 s, in whole seconds, rounded up.
    #[must_use]
    pub fn keepalive_time(mut self, time: Duration) -> Self {
        self.keepalive_time = Some(keepalive_seconds(time));
        self
    }

    /// Time between two keepalive probes. Default: the system's. Turns keepalive on by itself.
    ///
    /// Range 1 s to 32,767 s, in whole seconds, rounded up.
    #[must_use]
    pub fn keepalive_interval(mut self, interval: Duration) -> Self {
        self.keepalive_interval = Some(keepalive_seconds(interval));
        self
    }

    /// Unanswered keepalive probes until the connection counts as dead. Default: the system's.
    /// Turns keepalive on by itself. Range 1 to 127.
    #[must_use]
    pub fn keepalive_retries(mut self, retries: u32) -> Self {
        self.keepalive_retries = Some(retries.clamp(1, MAX_KEEPALIVE_RETRIES));
        self
    }

    /// `TCP_NODELAY`: small writes leave at once, without Nagle's algorithm. Default: false.
    #[must_use]
    pub fn nodelay(mut self, nodelay: bool) -> Self {
        self.nodelay = nodelay;
        self
    }

    /// `SO_REUSEADDR`. Default: false.
    #[must_use]
    pub fn reuse_address(mut self, reuse: bool) -> Self {
        self.reuse_address = reuse;
        self
    }

    /// `SO_SNDBUF`, in bytes. Default: the system's, which adapts to the connection; a fixed size
    /// ends that. The system moves it into a range of its own.
    #[must_use]
    pub fn send_buffer_size(mut self, bytes: usize) -> Self {
        self.send_buffer_size = Some(bytes.min(MAX_BUFFER_SIZE));
        self
    }

    /// `SO_RCVBUF`, in bytes. Default: the system's, which adapts to the connection; a fixed size
    /// ends that. The system moves it into a range of its own.
    #[must_use]
    pub fn recv_buffer_size(mut self, bytes: usize) -> Self {
        self.recv_buffer_size = Some(bytes.min(MAX_BUFFER_SIZE));
        self
    }

    /// The local address of IPv4 connections. Default: the system chooses.
    ///
    /// With a local address for one family and none for the other, addresses of the other family
    /// are skipped. `0.0.0.0` is no local address: the system chooses.
    #[must_use]
    pub fn local_ipv4(mut self, ip: Ipv4Addr) -> Self {
        self.route.set_local_address(ip.into());
        self
    }

    /// The local address of IPv6 connections; see [`local_ipv4`](Self::local_ipv4).
    #[must_use]
    pub fn local_ipv6(mut self, ip: Ipv6Addr) -> Self {
        self.route.set_local_address(ip.into());
        self
    }

    /// Calls `hook` with every socket and the address it will connect to, before the local address
    /// is bound.
    ///
    /// For options that decide what may be bound, such as `IP_FREEBIND`, `IP_TRANSPARENT` or a range
    /// of ports. An error fails this attempt, and no other. The hook runs on the task that connects
    /// and must not block.
    #[must_use]
    pub fn before_bind<F>(mut self, hook: F) -> Self
    where
        F: Fn(BorrowedSocket<'_>, SocketAddr) -> io::Result<()> + Send + Sync + 'static,
    {
        self.before_bind = Some(Arc::new(hook));
        self
    }

    /// Calls `hook` with every socket and the address it is about to connect to, after all other
    /// options are set and the local address is bound.
    ///
    /// For options that this type does not know. On Linux the port of a local address is chosen by
    /// the connect, and is 0 here. An error fails this attempt, and no other. The hook runs on the
    /// task that connects and must not block.
    #[must_use]
    pub fn before_connect<F>(mut self, hook: F) -> Self
    where
        F: Fn(BorrowedSocket<'_>, SocketAddr) -> io::Result<()> + Send + Sync + 'static,
    {
        self.before_connect = Some(Arc::new(hook));
        self
    }

    /// The only family that attempts can be made to, if the caller gave a local address of that
    /// family and none of the other.
    pub(super) fn only_family(&self) -> Option<AddressFamily> {
        match (self.route.local_ipv4, self.route.local_ipv6) {
            (Some(_), None) => Some(AddressFamily::Ipv4),
            (None, Some(_)) => Some(AddressFamily::Ipv6),
            (None, None) | (Some(_), Some(_)) => None,
        }
    }

    /// Whether an attempt to `addr` can be made at all.
    pub(super) fn can_reach(&self, addr: SocketAddr) -> bool {
        self.route.can_reach(addr)
    }

    /// Makes the socket of an attempt.
    pub(super) fn new_socket(&self, domain: Domain) -> io::Result<Socket> {
        if self.mptcp {
            let socket = os::mptcp_socket(domain);
            note_refusal("mptcp", &socket);
            if socket.is_ok() {
                return socket;
            }
        }
        Socket::new(domain, Type::STREAM, Some(Protocol::TCP))
    }

    /// Sets the options that decide which way packets take.
    ///
    /// The socket that finds out a source address goes through the same steps, and is bound like an
    /// attempt's, so that it finds the one that the attempt will have.
    pub(super) fn route(&self, socket: &Socket, addr: SocketAddr) -> Result<(), AttemptError> {
        let failed_at = |stage| move |error| AttemptError::new(stage, error);
        self.route.set_interface(socket, addr).map_err(failed_at(AttemptStage::Interface))?;
        self.route.set_mark(socket).map_err(failed_at(AttemptStage::Mark))
    }

    /// Binds the local address for a connection to `addr`, if the caller gave one.
    pub(super) fn bind(&self, socket: &Socket, addr: SocketAddr) -> io::Result<()> {
        let Some(local) = self.route.local_addr(addr) else { return Ok(()) };
        // Otherwise a port of the local address is taken for all destinations at once, and there
        // are some 28,000 of them; so it is chosen at the connect, for one destination.
        note_refusal("bind_address_no_port", &os::bind_address_no_port(socket));
        socket.bind(&local.into())
    }

    /// The local address that a hook may have made possible to bind.
    pub(super) fn local_addr_by_hook(&self, addr: SocketAddr) -> Option<SocketAddr> {
        self.before_bind.as_ref().and_then(|_| self.route.local_addr(addr))
    }

    /// Sets the options that only tune, as far as the system allows: the next address would meet
    /// the same refusal.
    pub(super) fn tune(&self, socket: &Socket) {
        let keepalive =
            os::keepalive(self.keepalive_time, self.keepalive_interval, self.keepalive_retries);
        if let Some(keepalive) = keepalive {
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
        if let Some(timeout) = self.user_timeout {
            note_refusal("user_timeout", &os::set_user_timeout(socket, timeout));
        }
        if self.fast_open {
            note_refusal("fast_open", &os::set_fast_open(socket));
        }
    }

    /// Whether code of the caller has a say in the set-up.
    pub(super) fn has_hook(&self) -> bool {
        self.before_bind.is_some() || self.before_connect.is_some()
    }

    pub(super) fn run_before_bind(
        &self,
        socket: &Socket,
        addr: SocketAddr,
    ) -> Result<(), AttemptError> {
        run_hook(self.before_bind.as_ref(), socket, addr)
    }

    pub(super) fn run_before_connect(
        &self,
        socket: &Socket,
        addr: SocketAddr,
    ) -> Result<(), AttemptError> {
        run_hook(self.before_connect.as_ref(), socket, addr)
    }
}

os::cfg_linux_sockets! {
    impl SocketOptions {
        /// The name of the network interface that all packets use: `SO_BINDTODEVICE`. Default: any.
        #[must_use]
        pub fn interface(mut self, name: impl Into<String>) -> Self {
            self.route.interface = Some(name.into());
            self
        }

        /// `SO_MARK`, for policy routing and packet filters. Default: none. Needs `CAP_NET_ADMIN`.
        #[must_use]
        pub fn mark(mut self, mark: u32) -> Self {
            self.route.mark = Some(mark);
            self
        }

        /// `TCP_USER_TIMEOUT`: how long sent data may stay unacknowledged. Default: the system's.
        ///
        /// It holds for the handshake as well, so a value below the time of one SYN retransmission
        /// (1 s) makes a single lost packet fatal to the attempt. Range 1 ms to 2^31 - 1 ms (24
        /// days), in whole milliseconds, rounded up.
        #[must_use]
        pub fn user_timeout(mut self, timeout: Duration) -> Self {
            let ms = timeout.as_nanos().div_ceil(1_000_000).clamp(1, MAX_USER_TIMEOUT_MS.into());
            self.user_timeout = Some(Duration::from_millis(ms.try_into().unwrap_or(u64::MAX)));
            self
        }
    }
}

os::cfg_interface_by_index! {
    impl SocketOptions {
        /// The index of the network interface that all packets use: `IP_BOUND_IF`. Default: any.
        #[must_use]
        pub fn interface(mut self, index: std::num::NonZeroU32) -> Self {
            self.route.interface = Some(index);
            self
        }
    }
}

#[cfg(target_os = "linux")]
impl SocketOptions {
    /// `TCP_FASTOPEN_CONNECT`: with a cookie from an earlier connection, the first bytes written
    /// travel in the SYN (RFC 7413). Default: false.
    ///
    /// With such a cookie the system reports a connection before the peer has answered, so the race
    /// ends with the first address that is tried, and a dead peer shows at the first read. Only for
    /// where a round trip saved is worth more than that.
    #[must_use]
    pub fn fast_open(mut self, fast_open: bool) -> Self {
        self.fast_open = fast_open;
        self
    }

    /// Multipath TCP (RFC 8684): a connection goes on when the device changes networks, if the
    /// server takes part. Default: false.
    ///
    /// Where the system has none (before Linux 5.6, or with `net.mptcp.enabled=0`), and with servers
    /// that do not take part, it is plain TCP. Some TCP options cannot be set on such sockets.
    #[must_use]
    pub fn mptcp(mut self, mptcp: bool) -> Self {
        self.mptcp = mptcp;
        self
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
            .field("local_ipv4", &self.route.local_ipv4)
            .field("local_ipv6", &self.route.local_ipv6);
        s.field("interface", &self.route.interface)
            .field("mark", &self.route.mark)
            .field("user_timeout", &self.user_timeout)
            .field("fast_open", &self.fast_open)
            .field("mptcp", &self.mptcp);
        s.field("before_bind", &self.before_bind.as_ref().map(|_| ".."))
            .field("before_connect", &self.before_connect.as_ref().map(|_| ".."))
            .finish_non_exhaustive()
    }
}

fn run_hook(
    hook: Option<&Arc<Hook>>,
    socket: &Socket,
    addr: SocketAddr,
) -> Result<(), AttemptError> {
    let outcome = hook.map_or(Ok(()), |hook| hook(os::borrow(socket), addr));
    outcome.map_err(|error| AttemptError::new(AttemptStage::Hook, error))
}

/// Reports an option that the system refused.
#[cfg_attr(not(feature = "tracing"), allow(unused_variables))]
fn note_refusal<T>(option: &'static str, result: &io::Result<T>) {
    #[cfg(feature = "tracing")]
    if let Err(error) = result {
        tracing::debug!(option, %error, "socket option refused");
    }
}
