//! [`AddressPolicy`]: which addresses a lookup may return.

use std::cmp::Reverse;
use std::fmt;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

pub use self::deny_reason::DenyReason;
use self::special_purpose::{embedded, public};
use super::IpPrefix;

/// A filter on the addresses that a lookup may return; guards against SSRF and DNS rebinding.
///
/// # What it guards against
///
/// A service that fetches user-supplied URLs (a link preview, a webhook, a feed reader) can be sent
/// to places that only it can reach (server-side request forgery): `http://169.254.169.254/`, the
/// admin page on loopback, a printer. Checking the URL does not help, since any name may resolve to
/// such an address. Looking the name up, checking, and then connecting by name does not either,
/// since the second lookup may return another address (DNS rebinding). Here the addresses that are
/// checked are the ones that are dialled: a denied address never leaves the
/// [`Resolver`](crate::Resolver), and so never reaches a race, a `Connector`, or a client that
/// asked for addresses.
///
/// ```
/// use outrace::Resolver;
/// use outrace::resolve::{AddressPolicy, IpPrefixError};
///
/// let policy = AddressPolicy::public_only()
///     // The one internal network that this service may fetch from, except its gateway.
///     .allow("10.20.0.0/16".parse()?)
///     .deny("10.20.0.1".parse()?);
/// let resolver = Resolver::builder().address_policy(policy).build();
/// # drop(resolver);
/// # Ok::<(), IpPrefixError>(())
/// ```
///
/// # How it decides
///
/// 1. Of the prefixes given with [`allow`](Self::allow) and [`deny`](Self::deny), the longest one
///    that has the address; of two equal ones, the denied one. Their order means nothing.
/// 2. If there is none: the ready-made set of [`public_only`](Self::public_only), or everything.
/// 3. Then each function given with [`new`](Self::new) or [`and`](Self::and), which can only deny.
///
/// An IPv6 address that has an IPv4 address inside is checked as it stands, and then that IPv4
/// address is checked by the same rules; either may deny it. So `deny` of `10.0.0.0/8` is also
/// about `::ffff:10.0.0.1` and `64:ff9b::10.0.0.1`, and no `allow` of an IPv6 prefix lets an IPv4
/// address through that is denied by itself. The forms: IPv4-mapped and IPv4-compatible ([RFC 4291
/// section 2.5.5]), IPv4-translated ([RFC 2765 section 2.1]), NAT64 ([RFC 6052 section 2.1], [RFC
/// 8215]), 6to4 ([RFC 3056 section 2]), Teredo with its server and its client ([RFC 4380 section
/// 4]), ISATAP ([RFC 5214 section 6.1]).
///
/// A scope (`fe80::1%2`) makes no difference.
///
/// # What a lookup returns
///
/// Denied addresses are removed; the others are returned as usual. If no address is left, the
/// lookup ends with [`PolicyDenied`](super::LookupErrorKind::PolicyDenied) rather than "not found",
/// also if the other family has no address or failed: a zone must not be able to disguise a denied
/// address as an outage. The search list ends with a name whose addresses are all denied.
/// [`LookupError::denied`](super::LookupError::denied) has the first denied address, and their
/// number.
///
/// # What it covers
///
/// Every address that a [`Resolver`](crate::Resolver) with it returns, whatever the source: DNS, IP
/// literals, the hosts file and the hosts of the program, and `localhost`. So it covers
/// `connect_with`, `Connector`, and any
/// client on top; each redirect that a client follows is looked up, and checked, again. As
/// [`ConnectOptions::policy`](crate::happy_eyeballs::ConnectOptions::policy) it covers one race,
/// wherever its addresses come from.
///
/// It does not cover:
///
/// - An IP literal in the URL of a client that has a connector of its own (hyper-util's
///   `HttpConnector`, reqwest): such a client dials it without asking any resolver. Use
///   `Connector`, or [`check`](Self::check) the host of each URL, redirects included.
/// - A proxy: it looks the name up itself. Clients may take one from the environment.
/// - A NAT64 gateway with a prefix of the network's own (RFC 6052 section 2.2), behind which
///   every address looks public: `deny` that prefix.
/// - Hosts with public addresses that are internal by routing, behind a firewall: `deny` their
///   prefixes.
/// - A connection that a client kept open, and the nameservers themselves.
///
/// Cheap to clone: one reference count.
///
/// [RFC 4291 section 2.5.5]: https://www.rfc-editor.org/rfc/rfc4291#section-2.5.5
/// [RFC 2765 section 2.1]: https://www.rfc-editor.org/rfc/rfc2765#section-2.1
/// [RFC 6052 section 2.1]: https://www.rfc-editor.org/rfc/rfc6052#section-2.1
/// [RFC 8215]: https://www.rfc-editor.org/rfc/rfc8215
/// [RFC 3056 section 2]: https://www.rfc-editor.org/rfc/rfc3056#section-2
/// [RFC 4380 section 4]: https://www.rfc-editor.org/rfc/rfc4380#section-4
/// [RFC 5214 section 6.1]: https://www.rfc-editor.org/rfc/rfc5214#section-6.1
#[derive(Clone, Default)]
#[must_use]
pub struct AddressPolicy {
    /// `None` allows everything, and costs nothing.
    rules: Option<Arc<Rules>>,
}

#[derive(Clone, Default)]
struct Rules {
    is_public_only: bool,
    /// The longest first; of equal ones, the denied first.
    exceptions: Vec<(IpPrefix, Decision)>,
    functions: Vec<Arc<Function>>,
    exempts_literals: bool,
    exempts_hosts_file: bool,
}

type Function = dyn Fn(IpAddr) -> bool + Send + Sync;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Decision {
    Denied,
    Allowed,
}

impl AddressPolicy {
    /// Allows the addresses for which `is_allowed` returns `true`.
    ///
    /// It is called with an address as it stands, and with each IPv4 address inside it; all must be
    /// allowed.
    ///
    /// It is called on the resolver thread, or on the task that makes the lookup, and must not
    /// block: every other lookup would wait. If it panics, the address is denied.
    ///
    /// ```
    /// use std::net::IpAddr;
    /// use outrace::resolve::AddressPolicy;
    ///
    /// let not_loopback = AddressPolicy::new(|ip: IpAddr| !ip.is_loopback());
    /// assert!(not_loopback.check("::ffff:127.0.0.1".parse().unwrap()).is_err());
    /// ```
    pub fn new(is_allowed: impl Fn(IpAddr) -> bool + Send + Sync + 'static) -> Self {
        Self::default().and(is_allowed)
    }

    /// Allows only addresses of the public Internet.
    ///
    /// These are the unicast addresses that IANA's registries of special-purpose addresses ([RFC
    /// 6890], [RFC 8190]) do not hold back: an entry passes if it is "Globally Reachable" there. Of
    /// IPv6 nothing passes but NAT64 and `2000::/3`, from which all global unicast addresses are
    /// given out, so a range that is assigned elsewhere tomorrow is denied until this list says
    /// otherwise.
    ///
    /// | denied | of it |
    /// |---|---|
    /// | this host | `0.0.0.0/8`, `127.0.0.0/8`, `::`, `::1` |
    /// | private networks | RFC 1918, `fc00::/7` (RFC 4193), `fec0::/10` (RFC 3879) |
    /// | carrier-grade NAT | `100.64.0.0/10` (RFC 6598) |
    /// | the link | `169.254.0.0/16` (RFC 3927), `fe80::/10` |
    /// | multicast, broadcast | `224.0.0.0/4`, `255.255.255.255`, `ff00::/8` |
    /// | IPv4 inside IPv6 | `::/96`, `::ffff:0:0/96`, `::ffff:0:0:0/96`: whatever is inside |
    /// | NAT64 | `64:ff9b::/96` by what is inside; `64:ff9b:1::/48` whatever is inside |
    /// | tunnels | 6to4 `2002::/16`, Teredo `2001::/32`: a relay decides where packets end; ISATAP by what is inside |
    /// | protocol assignments | `192.0.0.0/24`, `2001::/23`, but AMT and AS112 |
    /// | documentation, benchmarks, reserved | RFC 5737, 3849, 9637, 2544, 5180; `240.0.0.0/4`; all else |
    /// | metadata services of clouds | `169.254.169.254`, `fd00:ec2::254` and more; Azure's `168.63.129.16`, though public |
    ///
    /// It is stricter than the registries where an address is "globally reachable" and yet none
    /// of a host out there: the anycast addresses of PCP, TURN and SRP (`192.0.0.9`, `192.0.0.10`,
    /// `2001:1::1` to `2001:1::3`) reach a server of the network one is in, and ORCHIDs and DETs
    /// (`2001:20::/28`, `2001:30::/28`) name hosts but no place.
    ///
    /// [RFC 6890]: https://www.rfc-editor.org/rfc/rfc6890
    /// [RFC 8190]: https://www.rfc-editor.org/rfc/rfc8190
    pub fn public_only() -> Self {
        let mut policy = Self::default();
        policy.rules_mut().is_public_only = true;
        policy
    }

    /// Allows the addresses of `prefix`, unless a longer prefix is denied, or a function denies
    /// them.
    ///
    /// The prefix of a NAT64 gateway in `64:ff9b:1::/48` ([RFC 8215]) has 48, 56, 64 or 96 bits,
    /// and the address does not show which. So such an address is allowed only if each IPv4 address
    /// that it may have inside is allowed.
    ///
    /// [RFC 8215]: https://www.rfc-editor.org/rfc/rfc8215
    pub fn allow(self, prefix: IpPrefix) -> Self {
        self.except(prefix, Decision::Allowed)
    }

    /// Denies the addresses of `prefix`, unless a longer prefix is allowed.
    pub fn deny(self, prefix: IpPrefix) -> Self {
        self.except(prefix, Decision::Denied)
    }

    fn except(mut self, prefix: IpPrefix, decision: Decision) -> Self {
        let place =
            |&(prefix, decision): &(IpPrefix, Decision)| (Reverse(prefix.length()), decision);
        let exception = (prefix, decision);
        let exceptions = &mut self.rules_mut().exceptions;
        let at = exceptions.partition_point(|other| place(other) <= place(&exception));
        exceptions.insert(at, exception);
        self
    }

    /// Also denies the addresses for which `is_allowed` returns `false`. See [`new`](Self::new).
    pub fn and(mut self, is_allowed: impl Fn(IpAddr) -> bool + Send + Sync + 'static) -> Self {
        self.rules_mut().functions.push(Arc::new(is_allowed));
        self
    }

    /// Whether a resolver applies this policy to a target that is an IP literal. Default: yes.
    ///
    /// With `false`, `http://127.0.0.1/` is dialled. That is right only if no literal is
    /// user-supplied; a redirect is.
    pub fn apply_to_literals(mut self, applies: bool) -> Self {
        self.rules_mut().exempts_literals = !applies;
        self
    }

    /// Whether a resolver applies this policy to the addresses of the hosts file, and to those that
    /// the program gave to [`ResolverBuilder::host`](super::ResolverBuilder::host). Default: yes.
    ///
    /// With `false`, a user who knows or guesses a name of that file reaches its address. Every
    /// machine's file has `localhost` and, often, the machine's own name.
    pub fn apply_to_hosts_file(mut self, applies: bool) -> Self {
        self.rules_mut().exempts_hosts_file = !applies;
        self
    }

    /// Checks one address.
    ///
    /// # Errors
    ///
    /// The reason why it is denied.
    pub fn check(&self, ip: IpAddr) -> Result<(), DenyReason> {
        let Some(rules) = &self.rules else { return Ok(()) };
        rules.check(ip)?;
        let IpAddr::V6(ip) = ip else { return Ok(()) };
        embedded(ip).into_iter().flatten().try_for_each(|inside| rules.check(inside.into()))
    }

    /// Whether `ip` is allowed; if not, it is recorded in `denied`.
    pub(crate) fn lets_through(&self, ip: IpAddr, denied: &mut Option<DeniedAddresses>) -> bool {
        let Err(reason) = self.check(ip) else { return true };
        denied.get_or_insert(DeniedAddresses { count: 0, first: ip, reason }).count += 1;
        false
    }

    /// The policy for IP literals.
    pub(crate) fn for_literals(&self) -> Self {
        self.unless(|rules| rules.exempts_literals)
    }

    /// The policy for the hosts file.
    pub(crate) fn for_hosts_file(&self) -> Self {
        self.unless(|rules| rules.exempts_hosts_file)
    }

    fn unless(&self, is_exempt: impl Fn(&Rules) -> bool) -> Self {
        Self { rules: self.rules.clone().filter(|rules| !is_exempt(rules)) }
    }

    fn rules_mut(&mut self) -> &mut Rules {
        Arc::make_mut(self.rules.get_or_insert_default())
    }
}

impl Rules {
    /// Checks an address as it stands.
    fn check(&self, ip: IpAddr) -> Result<(), DenyReason> {
        match self.exceptions.iter().find(|(prefix, _)| prefix.contains(ip)) {
            Some((_, Decision::Denied)) => return Err(DenyReason::Custom),
            None if self.is_public_only => public(ip)?,
            Some((_, Decision::Allowed)) | None => {}
        }
        // A panic must not end the thread on which every lookup of the process runs. A function
        // that is left in a broken state by it can do no more than return a wrong answer.
        let is_allowed = |function: &Arc<Function>| {
            catch_unwind(AssertUnwindSafe(|| function(ip))).unwrap_or(false)
        };
        if self.functions.iter().all(is_allowed) { Ok(()) } else { Err(DenyReason::Custom) }
    }
}

impl fmt::Debug for AddressPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(rules) = &self.rules else { return f.write_str("AddressPolicy(everything)") };
        let of = |wanted| {
            let exceptions =
                rules.exceptions.iter().filter(move |&&(_, decision)| decision == wanted);
            exceptions.map(|(prefix, _)| prefix.to_string()).collect::<Vec<_>>()
        };
        f.debug_struct("AddressPolicy")
            .field("public_only", &rules.is_public_only)
            .field("allow", &of(Decision::Allowed))
            .field("deny", &of(Decision::Denied))
            .field("functions", &rules.functions.len())
            .field("apply_to_literals", &!rules.exempts_literals)
            .field("apply_to_hosts_file", &!rules.exempts_hosts_file)
            .finish()
    }
}

/// The addresses that an [`AddressPolicy`] denied to one lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeniedAddresses {
    /// How many addresses it denied.
    pub count: usize,
    /// The first of them.
    pub first: IpAddr,
    /// Why that one.
    pub reason: DenyReason,
}

impl fmt::Display for DeniedAddresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.count > 1 {
            write!(f, "{} addresses, the first ", self.count)?;
        }
        write!(f, "{} ({})", self.first, self.reason)
    }
}

mod deny_reason;
mod special_purpose;
#[cfg(test)]
mod tests;
