//! [`Source`]: who looks names up.

/// Who looks a name up: this crate's own stub resolver, or the operating system
/// ([`ResolverBuilder::source`](super::ResolverBuilder::source)).
///
/// Before both, in every case: an IP literal is its own address, hosts of the program
/// ([`ResolverBuilder::host`](super::ResolverBuilder::host)) come first, and so do `localhost`,
/// `.invalid` and `.onion`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Source {
    /// For each name the one that knows what the operating system would say.
    ///
    /// - Any setting of the program that the operating system would not heed: the stub resolver.
    ///   Such are the nameservers, the search list, the files, and how queries are sent:
    ///   [`ResolverBuilder`](super::ResolverBuilder) says of which calls this holds.
    /// - Linux with glibc, and the BSDs: the stub resolver, with the hosts file and the nameservers
    ///   in the order of the line `hosts` of nsswitch.conf. A module of that line which the stub
    ///   resolver does not have (`mdns4`, `myhostname`, `sss`, ..) sends the names that it may know
    ///   to the operating system; behind `dns`, one that may know any name is asked for what the
    ///   nameservers do not have. OpenBSD has that order in resolv.conf (`lookup`). With
    ///   `HOSTALIASES`, names without a dot go to the operating system.
    /// - Linux with musl, or linked statically: the stub resolver; the C library has no modules.
    /// - Windows, macOS, iOS and Android: the operating system, as programs cannot see which
    ///   nameservers it has for which names. The hosts file comes before it.
    /// - Elsewhere: the stub resolver where there is a resolv.conf, else the operating system.
    ///
    /// [`Resolver::diagnostics`](super::Resolver::diagnostics) says why names go to the operating
    /// system. Without the cargo feature `system`, this is [`Own`](Self::Own).
    #[default]
    Auto,
    /// The stub resolver, for every name: the hosts file, then the nameservers. nsswitch.conf is
    /// not read.
    Own,
    /// The operating system, for every name: one `getaddrinfo` for each address family, on threads
    /// of this crate's own ([`ResolverBuilder::system_threads`]). Where a search list of the
    /// machine makes several names of one, it is one call for both families, whose addresses are
    /// then those of one name. Settings about nameservers have no effect. Where the operating
    /// system would read the hosts file first, it is read before.
    ///
    /// It knows what the machine knows, and tells less of it than nameservers do:
    ///
    /// - The addresses of a call come together, when it comes back, in the operating system's
    ///   order; those of a call for both families IPv6 first. No TTL comes with them: they are
    ///   cached for a second ([`CacheOptions::system_ttl`]).
    /// - The canonical name is the name asked for; aliases are not told.
    /// - An error has the code of each family ([`LookupError::system_failures`]), and no
    ///   nameserver. A name that does not exist and a nameserver that has failed may have the same
    ///   code.
    /// - The lookup ends 10 s after its start, or after [`ResolverBuilder::timeout`]; its call
    ///   cannot be ended, and holds its thread until it comes back. So a lookup that was dropped or
    ///   has ended may still send packets. A process that exits does not wait for such a call.
    /// - In a child that was forked off while other threads ran, POSIX allows no `getaddrinfo`
    ///   until the child runs another program. It works with glibc, whose locks a fork leaves free;
    ///   elsewhere the call may hang, and the lookup ends at its deadline.
    ///
    /// [`CacheOptions::system_ttl`]: super::CacheOptions::system_ttl
    /// [`LookupError::system_failures`]: super::LookupError::system_failures
    /// [`ResolverBuilder::system_threads`]: super::ResolverBuilder::system_threads
    /// [`ResolverBuilder::timeout`]: super::ResolverBuilder::timeout
    #[cfg(feature = "system")]
    #[cfg_attr(docsrs, doc(cfg(feature = "system")))]
    System,
}

impl Source {
    /// Reads the value of `OUTRACE_SOURCE`.
    pub(crate) fn of_word(word: &str) -> Option<Self> {
        match word {
            "auto" => Some(Self::Auto),
            "own" => Some(Self::Own),
            #[cfg(feature = "system")]
            "system" => Some(Self::System),
            _ => None,
        }
    }
}
