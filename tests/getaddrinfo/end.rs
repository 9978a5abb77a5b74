//! [`End`]: how a lookup ends, here and by the C library.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Addresses,
    /// The name exists, and has no address.
    NoAddress,
    /// There is no such name, or none such can be.
    NoName,
    /// It may be otherwise later.
    Temporary,
}

impl End {
    /// The end that an error of std's `to_socket_addrs` tells: the code of getaddrinfo(3) is in its
    /// text alone. `None` of one that has no such code.
    pub fn of_error(error: &std::io::Error) -> Option<Self> {
        match error.to_string().rsplit(": ").next() {
            Some("No address associated with hostname") => Some(Self::NoAddress),
            Some("Name or service not known") => Some(Self::NoName),
            Some("Temporary failure in name resolution") => Some(Self::Temporary),
            _ => None,
        }
    }
}
