//! What differs between operating systems: facts that std does not tell, and each list of systems.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use socket2::{Domain, Socket, TcpKeepalive, Type};

mod name_service;

pub(crate) use name_service::{NameService, name_service, nsswitch_path};

/// Items for systems with Linux's socket options.
macro_rules! cfg_linux_sockets {
    ($($item:item)*) => {
        $(#[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))] $item)*
    };
}

/// Items for all other systems.
macro_rules! cfg_other_sockets {
    ($($item:item)*) => {
        $(#[cfg(not(any(target_os = "android", target_os = "fuchsia", target_os = "linux")))] $item)*
    };
}

/// Items for systems that bind a socket to an interface by its index.
macro_rules! cfg_interface_by_index {
    ($($item:item)*) => {
        $(#[cfg(any(
            target_os = "illumos",
            target_os = "ios",
            target_os = "macos",
            target_os = "solaris",
            target_os = "tvos",
            target_os = "visionos",
            target_os = "watchos",
        ))] $item)*
    };
}

/// Items for systems that bind a socket to no interface.
macro_rules! cfg_no_interface {
    ($($item:item)*) => {
        $(#[cfg(not(any(
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
        )))] $item)*
    };
}

/// Items for systems with Linux's boot clock.
macro_rules! cfg_boot_clock {
    ($($item:item)*) => {
        $(#[cfg(any(target_os = "android", target_os = "linux"))] $item)*
    };
}

/// Items for all other systems.
macro_rules! cfg_no_boot_clock {
    ($($item:item)*) => {
        $(#[cfg(not(any(target_os = "android", target_os = "linux")))] $item)*
    };
}

pub(crate) use {cfg_boot_clock, cfg_interface_by_index, cfg_linux_sockets, cfg_no_boot_clock};

/// A borrowed socket, as the hook of [`SocketOptions::before_connect`] gets it.
///
/// [`SocketOptions::before_connect`]: crate::happy_eyeballs::SocketOptions::before_connect
#[cfg(unix)]
pub type BorrowedSocket<'a> = std::os::fd::BorrowedFd<'a>;
/// A borrowed socket, as the hook of [`SocketOptions::before_connect`] gets it.
///
/// [`SocketOptions::before_connect`]: crate::happy_eyeballs::SocketOptions::before_connect
#[cfg(windows)]
pub type BorrowedSocket<'a> = std::os::windows::io::BorrowedSocket<'a>;

#[cfg(unix)]
pub(crate) fn borrow(socket: &Socket) -> BorrowedSocket<'_> {
    std::os::fd::AsFd::as_fd(socket)
}

#[cfg(windows)]
pub(crate) fn borrow(socket: &Socket) -> BorrowedSocket<'_> {
    std::os::windows::io::AsSocket::as_socket(socket)
}

/// The index of a network interface by its name; `None` if there is no such interface.
#[cfg(unix)]
pub(crate) fn interface_index(name: &str) -> Option<u32> {
    nix::net::if_::if_nametoindex(name).ok()
}

/// Windows has no names for interfaces in addresses: a zone is given by its number.
#[cfg(not(unix))]
pub(crate) fn interface_index(_name: &str) -> Option<u32> {
    None
}

/// The machine's own name.
#[cfg(unix)]
pub(crate) fn hostname() -> Option<String> {
    nix::unistd::gethostname().ok()?.into_string().ok()
}

/// Elsewhere no resolv.conf falls back on it.
#[cfg(not(unix))]
pub(crate) fn hostname() -> Option<String> {
    None
}

/// Where resolv.conf(5) stands; `None` where it is no convention.
pub(crate) fn resolv_conf_path() -> Option<PathBuf> {
    let has_none = cfg!(any(
        target_os = "android",
        target_os = "ios",
        target_os = "tvos",
        target_os = "visionos",
        target_os = "watchos",
    ));
    (cfg!(unix) && !has_none).then(|| "/etc/resolv.conf".into())
}

/// How many files this process may have open; `None` where there is no such limit.
#[cfg(unix)]
#[allow(clippy::useless_conversion, reason = "some systems have a signed number")]
pub(crate) fn open_files_limit() -> Option<u64> {
    use nix::sys::resource::{Resource, getrlimit};
    let (soft, _hard) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    soft.try_into().ok()
}

#[cfg(not(unix))]
pub(crate) fn open_files_limit() -> Option<u64> {
    None
}

/// The number of this process's PID namespace; `None` where there is none, or no `/proc`.
pub(crate) fn pid_namespace() -> Option<u64> {
    // `pid:[4026531836]`
    let link = std::fs::read_link("/proc/self/ns/pid").ok()?;
    link.to_str()?.trim_matches(|c: char| !c.is_ascii_digit()).parse().ok()
}

/// Opens a socket that does not block: with one system call where the kernel can do so.
pub(crate) fn nonblocking_socket(domain: Domain, kind: Type) -> io::Result<Socket> {
    #[cfg(any(
        target_os = "android",
        target_os = "dragonfly",
        target_os = "freebsd",
        target_os = "illumos",
        target_os = "linux",
        target_os = "netbsd",
        target_os = "openbsd"
    ))]
    return Socket::new(domain, kind.nonblocking(), None);
    #[cfg(not(any(
        target_os = "android",
        target_os = "dragonfly",
        target_os = "freebsd",
        target_os = "illumos",
        target_os = "linux",
        target_os = "netbsd",
        target_os = "openbsd"
    )))]
    {
        let socket = Socket::new(domain, kind, None)?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    }
}

cfg_linux_sockets! {
    /// A network interface by its name.
    pub(crate) type Interface = String;

    /// Makes all packets of a socket use this interface: `SO_BINDTODEVICE`.
    pub(crate) fn bind_to_interface(
        socket: &Socket,
        interface: &Interface,
        _: SocketAddr,
    ) -> io::Result<()> {
        socket.bind_device(Some(interface.as_bytes()))
    }
}

cfg_interface_by_index! {
    /// A network interface by its index.
    pub(crate) type Interface = std::num::NonZeroU32;

    /// Makes all packets of a socket use this interface: `IP_BOUND_IF`.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "elsewhere it is a name")]
    pub(crate) fn bind_to_interface(
        socket: &Socket,
        interface: &Interface,
        addr: SocketAddr,
    ) -> io::Result<()> {
        match addr {
            SocketAddr::V4(_) => socket.bind_device_by_index_v4(Some(*interface)),
            SocketAddr::V6(_) => socket.bind_device_by_index_v6(Some(*interface)),
        }
    }
}

cfg_no_interface! {
    /// No interface can be given here.
    pub(crate) type Interface = std::convert::Infallible;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "elsewhere it is a name")]
    pub(crate) fn bind_to_interface(
        _: &Socket,
        interface: &Interface,
        _: SocketAddr,
    ) -> io::Result<()> {
        match *interface {}
    }
}

cfg_linux_sockets! {
    /// Sets `SO_MARK`.
    pub(crate) fn set_mark(socket: &Socket, mark: u32) -> io::Result<()> {
        socket.set_mark(mark)
    }

    /// Sets `TCP_USER_TIMEOUT`.
    pub(crate) fn set_user_timeout(socket: &Socket, timeout: Duration) -> io::Result<()> {
        socket.set_tcp_user_timeout(Some(timeout))
    }
}

cfg_other_sockets! {
    /// Never called: no setting asks for it here.
    pub(crate) fn set_mark(_: &Socket, _: u32) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Never called: no setting asks for it here.
    pub(crate) fn set_user_timeout(_: &Socket, _: Duration) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Lets the connect choose the port of a bound address: `IP_BIND_ADDRESS_NO_PORT`.
#[cfg(target_os = "linux")]
pub(crate) fn bind_address_no_port(socket: &Socket) -> io::Result<()> {
    use nix::sys::socket::{setsockopt, sockopt::IpBindAddressNoPort};
    Ok(setsockopt(socket, IpBindAddressNoPort, &true)?)
}

/// Elsewhere a bind takes a port for all destinations at once.
#[cfg(not(target_os = "linux"))]
#[expect(clippy::unnecessary_wraps, reason = "on Linux the system may refuse it")]
pub(crate) fn bind_address_no_port(_: &Socket) -> io::Result<()> {
    Ok(())
}

/// Sets `TCP_FASTOPEN_CONNECT`.
#[cfg(target_os = "linux")]
pub(crate) fn set_fast_open(socket: &Socket) -> io::Result<()> {
    use nix::sys::socket::{setsockopt, sockopt::TcpFastOpenConnect};
    Ok(setsockopt(socket, TcpFastOpenConnect, &true)?)
}

/// Never called: no setting asks for it here.
#[cfg(not(target_os = "linux"))]
pub(crate) fn set_fast_open(_: &Socket) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// A socket for TCP over several paths (RFC 8684).
#[cfg(target_os = "linux")]
pub(crate) fn mptcp_socket(domain: Domain) -> io::Result<Socket> {
    Socket::new(domain, Type::STREAM, Some(socket2::Protocol::MPTCP))
}

/// Never called: no setting asks for it here.
#[cfg(not(target_os = "linux"))]
pub(crate) fn mptcp_socket(_: Domain) -> io::Result<Socket> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Keepalive of a socket; `None` if it is not asked for. Settings that the system does not have are
/// left out.
#[cfg_attr(not(unix), allow(unused_variables))]
pub(crate) fn keepalive(
    time: Option<Duration>,
    interval: Option<Duration>,
    retries: Option<u32>,
) -> Option<TcpKeepalive> {
    let mut keepalive = TcpKeepalive::new();
    let mut is_wanted = false;
    if let Some(time) = time {
        keepalive = keepalive.with_time(time);
        is_wanted = true;
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
        target_os = "windows",
    ))]
    if let Some(interval) = interval {
        keepalive = keepalive.with_interval(interval);
        is_wanted = true;
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
    if let Some(retries) = retries {
        keepalive = keepalive.with_retries(retries);
        is_wanted = true;
    }
    is_wanted.then_some(keepalive)
}

/// Whether this process or host has run out of something: descriptors, buffers, memory. std has no
/// stable [`io::ErrorKind`] for the first.
pub(crate) fn is_out_of_resources(error: &io::Error) -> bool {
    #[cfg(unix)]
    let codes = {
        use nix::errno::Errno;
        [Errno::EMFILE, Errno::ENFILE, Errno::ENOBUFS, Errno::ENOMEM].map(|errno| errno as i32)
    };
    // WSAEMFILE and WSAENOBUFS.
    #[cfg(not(unix))]
    let codes = [10_024, 10_055];
    error.raw_os_error().is_some_and(|code| codes.contains(&code))
        || error.kind() == io::ErrorKind::OutOfMemory
}

/// Whether connecting a socket that is bound to no port failed since no port was free.
///
/// Linux says EAGAIN for UDP and EADDRNOTAVAIL for TCP, others say EADDRINUSE. EADDRNOTAVAIL may
/// also mean that this host has no address to connect from; which of the two, a bind to any port
/// tells.
pub(crate) fn is_out_of_ports(error: &io::Error, domain: Domain, kind: Type) -> bool {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::AddrInUse => true,
        io::ErrorKind::AddrNotAvailable => !has_free_port(domain, kind),
        _ => false,
    }
}

fn has_free_port(domain: Domain, kind: Type) -> bool {
    let any = match domain {
        Domain::IPV6 => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
        _ => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
    };
    Socket::new(domain, kind, None).and_then(|socket| socket.bind(&any.into())).is_ok()
}

/// Whether a datagram was dropped on its way out of this host, which the network could have done as
/// well: the send buffer or the interface's queue is full, the kernel is short of memory, or a
/// local firewall dropped it. A full connection-tracking table looks like the last.
pub(crate) fn is_lost_datagram(error: &io::Error) -> bool {
    #[cfg(unix)]
    let codes = {
        use nix::errno::Errno;
        [Errno::ENOBUFS, Errno::ENOMEM].map(|errno| errno as i32)
    };
    // WSAENOBUFS.
    #[cfg(not(unix))]
    let codes = [10_055];
    error.raw_os_error().is_some_and(|code| codes.contains(&code))
        // EAGAIN; EPERM on Linux, EACCES on the BSDs.
        || matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::PermissionDenied)
}

/// The error of a process without a free descriptor.
#[cfg(all(test, unix))]
pub(crate) const OUT_OF_DESCRIPTORS: i32 = nix::errno::Errno::EMFILE as i32;

/// The error of a process without a free descriptor: WSAEMFILE.
#[cfg(all(test, not(unix)))]
pub(crate) const OUT_OF_DESCRIPTORS: i32 = 10_024;

/// Whether a connect on a nonblocking socket has begun well.
pub(crate) fn is_in_progress(error: &io::Error) -> bool {
    #[cfg(unix)]
    return error.raw_os_error() == Some(nix::errno::Errno::EINPROGRESS as i32);
    #[cfg(not(unix))]
    return error.kind() == io::ErrorKind::WouldBlock;
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn at10_the_number_of_the_pid_namespace_is_its_inode() {
        use std::os::unix::fs::MetadataExt;
        let inode = std::fs::metadata("/proc/self/ns/pid").map(|metadata| metadata.ino()).ok();
        assert_eq!(pid_namespace(), inode);
    }

    #[test]
    fn at10_only_a_connect_under_way_is_in_progress() {
        use nix::errno::Errno;
        let is = |errno: Errno| is_in_progress(&io::Error::from_raw_os_error(errno as i32));
        assert!(is(Errno::EINPROGRESS));
        assert!(!is(Errno::ECONNREFUSED) && !is(Errno::EAGAIN) && !is(Errno::EISCONN));
    }

    #[test]
    fn at10_the_limit_of_open_files_is_the_soft_one_of_this_process() {
        let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
        let soft = limits.lines().find_map(|line| {
            line.strip_prefix("Max open files")?.split_whitespace().next()?.parse().ok()
        });
        assert!(soft.is_some(), "{limits}");
        assert_eq!(open_files_limit(), soft);
    }
}
