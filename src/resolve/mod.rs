//! The stub resolver.

#[allow(dead_code, reason = "used by the query machine")]
mod answer;
mod diagnostic;
mod error;
#[allow(dead_code, reason = "used by the resolver thread")]
mod framing;
mod hosts;
#[allow(dead_code, reason = "used by the query machine")]
mod message;
mod resolv_conf;
mod search;
mod special_names;

pub use diagnostic::{ConfigSource, Diagnostic, DiagnosticCause};
pub use error::{
    FailureCause, LookupError, LookupErrorKind, QueryFailure, Question, Rcode, RecordType,
    Transport,
};

use crate::{LookupResult, LookupStream, Target, TargetError};

/// An IP address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AddressFamily {
    /// IPv4, DNS type A.
    Ipv4,
    /// IPv6, DNS type AAAA.
    Ipv6,
}

/// How one lookup differs from the resolver's own settings.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct LookupOptions {
    /// Only this family (default: both).
    pub family: Option<AddressFamily>,
}

/// A stub resolver: a handle, cheap to clone.
#[derive(Clone, Debug)]
pub struct Resolver {}

/// Settings of a [`Resolver`].
#[derive(Clone, Debug, Default)]
pub struct ResolverBuilder {}

impl Resolver {
    /// The resolver of this process, with the system's configuration.
    pub fn system() -> Self {
        Self {}
    }

    /// Looks up `target`.
    pub fn lookup<T>(&self, target: T) -> LookupStream
    where
        T: TryInto<Target>,
        T::Error: Into<TargetError>,
    {
        self.lookup_with(target, &LookupOptions::default())
    }

    /// Looks up `target` with options of its own.
    pub fn lookup_with<T>(&self, target: T, _options: &LookupOptions) -> LookupStream
    where
        T: TryInto<Target>,
        T::Error: Into<TargetError>,
    {
        match target.try_into() {
            Ok(_) => {
                LookupStream::ready([LookupResult::End(Err(LookupErrorKind::NotFound.into()))])
            }
            Err(e) => LookupStream::ready([LookupResult::End(Err(LookupError::invalid(e.into())))]),
        }
    }
}

/// Looks up `target` with the resolver of this process.
pub fn lookup<T>(target: T) -> LookupStream
where
    T: TryInto<Target>,
    T::Error: Into<TargetError>,
{
    Resolver::system().lookup(target)
}
