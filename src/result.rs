//! [`LookupResult`]: the items that a lookup yields and a race takes.

use std::net::SocketAddr;

use crate::{HostName, LookupError};

/// One item of a lookup ([`LookupStream`](crate::LookupStream)).
///
/// This enum is exhaustive, and stays so: an address, a canonical name, the end, and never anything
/// else, so that a `match` on it needs no arm for the unknown. What else a name may have, such as
/// the service bindings of HTTPS records, will come from a stream of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookupResult {
    /// An address of the host, with the port that was asked for (0 if none was).
    Address(SocketAddr),
    /// The name at the end of the alias chain, without a final dot; for a name of the hosts file
    /// the first name of its line; for an IP literal its text, which gives that address again when
    /// it is looked up.
    CanonicalName(HostName),
    /// The last item, always.
    End(Result<(), LookupError>),
}
