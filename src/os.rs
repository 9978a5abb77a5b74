//! What differs between operating systems: facts that std does not tell, and lists of systems.

use std::io;

use socket2::{Domain, Protocol, Socket, Type};

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

/// Opens a socket that does not block: with one system call where the kernel can do so.
pub(crate) fn nonblocking_socket(
    domain: Domain,
    kind: Type,
    protocol: Protocol,
) -> io::Result<Socket> {
    #[cfg(any(
        target_os = "android",
        target_os = "dragonfly",
        target_os = "freebsd",
        target_os = "illumos",
        target_os = "linux",
        target_os = "netbsd",
        target_os = "openbsd"
    ))]
    return Socket::new(domain, kind.nonblocking(), Some(protocol));
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
        let socket = Socket::new(domain, kind, Some(protocol))?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    }
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

/// Whether a connect on a nonblocking socket has begun well.
pub(crate) fn is_in_progress(error: &io::Error) -> bool {
    #[cfg(unix)]
    return error.raw_os_error() == Some(nix::errno::Errno::EINPROGRESS as i32);
    #[cfg(not(unix))]
    return error.kind() == io::ErrorKind::WouldBlock;
}
