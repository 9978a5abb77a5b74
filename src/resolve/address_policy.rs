//! [`AddressPolicy`]: which addresses may come out of a lookup, and so be dialled.

use std::cmp::Reverse;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::IpPrefix;

/// Decides about each address by itself, before anybody gets to see it.
///
/// # What it is against
///
/// A program that fetches what strangers name (a link preview, a web hook, a feed reader) can be
/// sent to places that only it can reach: `http://169.254.169.254/`, the admin page on loopback, a
/// printer. Checking the URL does not help, since any name may resolve to such an address; and
/// looking the name up first, checking, and then connecting by name does not either, since the second
/// lookup may say something else (DNS rebinding). Here the very addresses that are dialled are the
/// ones that were judged: what the policy denies never leaves the [`Resolver`](crate::Resolver), and
/// so never reaches a race, a `Connector`, or the client that asked for addresses.
///
/// ```
/// use outrace::Resolver;
/// use outrace::resolve::{AddressPolicy, IpPrefixError};
///
/// let policy = AddressPolicy::public_only()
///     // The one internal network that this program may fetch from, but for its gateway.
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
/// An IPv6 address that has an IPv4 address inside is decided about as it stands, and then that IPv4
/// address is as well, by the same rules; either may deny it. So `deny` of `10.0.0.0/8` is also about
/// `::ffff:10.0.0.1` and `64:ff9b::10.0.0.1`, and no `allow` of an IPv6 prefix lets an IPv4 address
/// through that is denied by itself. The forms: IPv4-mapped and IPv4-compatible ([RFC 4291 section
/// 2.5.5]), IPv4-translated ([RFC 2765 section 2.1]), NAT64 ([RFC 6052 section 2.1], [RFC 8215]),
/// 6to4 ([RFC 3056 section 2]), Teredo with its server and its client ([RFC 4380 section 4]), ISATAP
/// ([RFC 5214 section 6.1]).
///
/// A scope (`fe80::1%2`) makes no difference.
///
/// # What comes of it
///
/// Denied addresses are removed; the others come as ever. If no address is left, the lookup ends
/// with [`PolicyDenied`](super::LookupErrorKind::PolicyDenied), and not in "not found": also if the
/// other family has no address or could not be asked for, so that nobody who answers for a name can
/// dress a denied address up as an outage. The search list is not continued behind a name whose
/// addresses were all denied. [`LookupError::denied`](super::LookupError::denied) tells the first of
/// them, and how many there were.
///
/// # What it covers
///
/// Everything that a [`Resolver`](crate::Resolver) with it brings, whatever the source: DNS, IP
/// literals, the hosts file, and `localhost`. With it therefore `connect_with`, `Connector`, and any
/// client on top; each redirect that a client follows is looked up, and judged, again. As
/// [`ConnectOptions::policy`](crate::happy_eyeballs::ConnectOptions::policy) it covers one race,
/// wherever its addresses come from.
///
/// It does not cover:
///
/// - An IP literal in the URL of a client that has a connector of its own (hyper-util's
///   `HttpConnector`, reqwest): such a client dials it without asking any resolver. Use `Connector`,
///   or [`check`](Self::check) the host of each URL, redirects included.
/// - A proxy: it looks the name up itself. Clients may take one from the environment.
/// - A NAT64 gateway with a prefix of the network's own (RFC 6052 section 2.2), behind which
///   everything looks public: `deny` that prefix.
/// - What is inside because of a route and not of its address: public addresses of one's own
///   behind the firewall. `deny` them.
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
    exceptions: Vec<(IpPrefix, Verdict)>,
    functions: Vec<Arc<Function>>,
    exempts_literals: bool,
    exempts_hosts_file: bool,
}

type Function = dyn Fn(IpAddr) -> bool + Send + Sync;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Denied,
    Allowed,
}

impl AddressPolicy {
    /// Allows what `is_allowed` says yes to.
    ///
    /// It is asked about an address as it stands, and about each IPv4 address inside it: an IPv6
    /// address that has one inside passes if it says yes to both.
    ///
    /// It is called on the thread of the resolver, or on the task that makes the lookup: it must not
    /// block, as every other lookup would wait. If it panics, the address is denied.
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
    /// IPv6 nothing passes but NAT64 and `2000::/3`, from which all global unicast addresses are given
    /// out, so a range that is assigned elsewhere tomorrow is denied until this list says otherwise.
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
    /// Of `64:ff9b:1::/48`, the NAT64 prefixes of a network's own ([RFC 8215]), it lets the 96 bit
    /// form through alone: a shorter one cannot be told from it, so an address that could be either is
    /// allowed only if each IPv4 address that it could mean is.
    ///
    /// [RFC 8215]: https://www.rfc-editor.org/rfc/rfc8215
    pub fn allow(self, prefix: IpPrefix) -> Self {
        self.except(prefix, Verdict::Allowed)
    }

    /// Denies the addresses of `prefix`, unless a longer prefix is allowed.
    pub fn deny(self, prefix: IpPrefix) -> Self {
        self.except(prefix, Verdict::Denied)
    }

    fn except(mut self, prefix: IpPrefix, verdict: Verdict) -> Self {
        let place = |&(prefix, verdict): &(IpPrefix, Verdict)| (Reverse(prefix.length()), verdict);
        let exception = (prefix, verdict);
        let exceptions = &mut self.rules_mut().exceptions;
        let at = exceptions.partition_point(|other| place(other) <= place(&exception));
        exceptions.insert(at, exception);
        self
    }

    /// Denies what `is_allowed` says no to, as well as what is denied already. See
    /// [`new`](Self::new).
    pub fn and(mut self, is_allowed: impl Fn(IpAddr) -> bool + Send + Sync + 'static) -> Self {
        self.rules_mut().functions.push(Arc::new(is_allowed));
        self
    }

    /// Whether a resolver applies this policy to a target that is an IP literal. Default: yes.
    ///
    /// With `false`, `http://127.0.0.1/` is dialled. That is right only if no literal comes from a
    /// stranger, and then remember that a redirect does.
    pub fn apply_to_literals(mut self, applies: bool) -> Self {
        self.rules_mut().exempts_literals = !applies;
        self
    }

    /// Whether a resolver applies this policy to what it finds in the hosts file. Default: yes.
    ///
    /// With `false`, a stranger who knows or guesses a name of that file reaches its address. Every
    /// machine's file has `localhost` and, often, the machine's own name.
    pub fn apply_to_hosts_file(mut self, applies: bool) -> Self {
        self.rules_mut().exempts_hosts_file = !applies;
        self
    }

    /// Decides about one address.
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

    /// Whether `ip` may pass; if not, it is noted in `denied`.
    pub(crate) fn lets_through(&self, ip: IpAddr, denied: &mut Option<DeniedAddresses>) -> bool {
        let Err(reason) = self.check(ip) else { return true };
        denied.get_or_insert(DeniedAddresses { count: 0, first: ip, reason }).count += 1;
        false
    }

    /// What of it is for IP literals.
    pub(crate) fn for_literals(&self) -> Self {
        self.unless(|rules| rules.exempts_literals)
    }

    /// What of it is for the hosts file.
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
    /// Decides about an address as it stands.
    fn check(&self, ip: IpAddr) -> Result<(), DenyReason> {
        match self.exceptions.iter().find(|(prefix, _)| prefix.contains(ip)) {
            Some((_, Verdict::Denied)) => return Err(DenyReason::Custom),
            None if self.is_public_only => public(ip)?,
            Some((_, Verdict::Allowed)) | None => {}
        }
        // A panic must not end the thread on which every lookup of the process runs. That the
        // function may be left in a state of its own making is its author's to see to; it can make no
        // more of it than a wrong answer.
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
                rules.exceptions.iter().filter(move |&&(_, verdict)| verdict == wanted);
            exceptions.map(|(prefix, _)| prefix.to_string()).collect::<Vec<_>>()
        };
        f.debug_struct("AddressPolicy")
            .field("public_only", &rules.is_public_only)
            .field("allow", &of(Verdict::Allowed))
            .field("deny", &of(Verdict::Denied))
            .field("functions", &rules.functions.len())
            .field("apply_to_literals", &!rules.exempts_literals)
            .field("apply_to_hosts_file", &!rules.exempts_hosts_file)
            .finish()
    }
}

/// What an [`AddressPolicy`] kept from one lookup.
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

/// Why an address is denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DenyReason {
    /// `0.0.0.0/8` or `::`, which many systems take as this host.
    Unspecified,
    /// This host.
    Loopback,
    /// A private network (RFC 1918), or the site-local addresses that RFC 3879 withdrew.
    Private,
    /// Shared address space of carrier-grade NAT (RFC 6598).
    Shared,
    /// The local link.
    LinkLocal,
    /// A unique local address (RFC 4193).
    UniqueLocal,
    /// A multicast address.
    Multicast,
    /// The broadcast address.
    Broadcast,
    /// A host that serves credentials to the virtual machine that asks.
    Metadata,
    /// An IPv4 address in IPv6 form (`::ffff:0:0/96`, `::/96`, `::ffff:0:0:0/96`), which has no place
    /// in an AAAA record.
    Ipv4InIpv6,
    /// A tunnel or translator whose far end cannot be known from the address.
    Translated,
    /// Reserved, for documentation, benchmarks, protocols or the future.
    Reserved,
    /// A prefix or a function of the caller's said so.
    Custom,
}

impl fmt::Display for DenyReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unspecified => "unspecified address",
            Self::Loopback => "loopback address",
            Self::Private => "private address",
            Self::Shared => "shared address of a carrier",
            Self::LinkLocal => "link-local address",
            Self::UniqueLocal => "unique local address",
            Self::Multicast => "multicast address",
            Self::Broadcast => "broadcast address",
            Self::Metadata => "metadata service",
            Self::Ipv4InIpv6 => "IPv4 address in IPv6 form",
            Self::Translated => "address behind a translator",
            Self::Reserved => "reserved address",
            Self::Custom => "denied by a rule of the caller's",
        })
    }
}

/// Whether `ip` as it stands is an address of the public Internet, and why not.
fn public(ip: IpAddr) -> Result<(), DenyReason> {
    let reason = match ip {
        IpAddr::V4(ip) => {
            DENIED_V4.iter().find(|&&(net, len, _)| is_in_v4(ip, net, len)).map(|row| row.2)
        }
        IpAddr::V6(ip) => {
            let row = SPECIAL_V6.iter().find(|&&(net, len, _)| is_in_v6(ip, net, len));
            row.map_or(Some(DenyReason::Reserved), |row| row.2)
        }
    };
    reason.map_or(Ok(()), Err)
}

fn is_in_v4(ip: Ipv4Addr, net: Ipv4Addr, len: u32) -> bool {
    (ip.to_bits() ^ net.to_bits()).leading_zeros() >= len
}

fn is_in_v6(ip: Ipv6Addr, net: Ipv6Addr, len: u32) -> bool {
    (ip.to_bits() ^ net.to_bits()).leading_zeros() >= len
}

/// The first match counts, so a single host stands before the network it is in.
const DENIED_V4: &[(Ipv4Addr, u32, DenyReason)] = &[
    // RFC 1122 section 3.2.1.3; Linux connects 0.0.0.0 to itself.
    (Ipv4Addr::UNSPECIFIED, 8, DenyReason::Unspecified),
    (Ipv4Addr::new(127, 0, 0, 0), 8, DenyReason::Loopback),
    // Amazon, Google, Azure and most others; then Oracle, Alibaba and Azure's own, the one that lies
    // in a public range.
    (Ipv4Addr::new(169, 254, 169, 254), 32, DenyReason::Metadata),
    (Ipv4Addr::new(192, 0, 0, 192), 32, DenyReason::Metadata),
    (Ipv4Addr::new(100, 100, 100, 200), 32, DenyReason::Metadata),
    (Ipv4Addr::new(168, 63, 129, 16), 32, DenyReason::Metadata),
    (Ipv4Addr::new(10, 0, 0, 0), 8, DenyReason::Private),
    (Ipv4Addr::new(172, 16, 0, 0), 12, DenyReason::Private),
    (Ipv4Addr::new(192, 168, 0, 0), 16, DenyReason::Private),
    (Ipv4Addr::new(100, 64, 0, 0), 10, DenyReason::Shared),
    (Ipv4Addr::new(169, 254, 0, 0), 16, DenyReason::LinkLocal),
    // IETF protocol assignments (RFC 6890 section 2.1): DS-Lite, NAT64 discovery; also the anycast
    // addresses of PCP (RFC 7723) and TURN (RFC 8155), which are "globally reachable" but end at
    // the nearest server, on purpose one of the network that asks.
    (Ipv4Addr::new(192, 0, 0, 0), 24, DenyReason::Reserved),
    // Documentation (RFC 5737), the withdrawn 6to4 relay (RFC 7526), benchmarks (RFC 2544).
    (Ipv4Addr::new(192, 0, 2, 0), 24, DenyReason::Reserved),
    (Ipv4Addr::new(198, 51, 100, 0), 24, DenyReason::Reserved),
    (Ipv4Addr::new(203, 0, 113, 0), 24, DenyReason::Reserved),
    (Ipv4Addr::new(192, 88, 99, 0), 24, DenyReason::Reserved),
    (Ipv4Addr::new(198, 18, 0, 0), 15, DenyReason::Reserved),
    // RFC 5771; RFC 919 section 7; RFC 1112 section 4.
    (Ipv4Addr::new(224, 0, 0, 0), 4, DenyReason::Multicast),
    (Ipv4Addr::BROADCAST, 32, DenyReason::Broadcast),
    (Ipv4Addr::new(240, 0, 0, 0), 4, DenyReason::Reserved),
];

/// The first match counts; `None` passes. What is not here is denied as reserved.
const SPECIAL_V6: &[(Ipv6Addr, u32, Option<DenyReason>)] = &[
    (Ipv6Addr::UNSPECIFIED, 128, Some(DenyReason::Unspecified)),
    (Ipv6Addr::LOCALHOST, 128, Some(DenyReason::Loopback)),
    // Mapped, compatible, translated: the wire has no such destination.
    (MAPPED, 96, Some(DenyReason::Ipv4InIpv6)),
    (COMPATIBLE, 96, Some(DenyReason::Ipv4InIpv6)),
    (TRANSLATED, 96, Some(DenyReason::Ipv4InIpv6)),
    // Amazon's and Google's, on unique local addresses.
    (Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0), 32, Some(DenyReason::Metadata)),
    (Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0), 32, Some(DenyReason::Metadata)),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, Some(DenyReason::UniqueLocal)),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, Some(DenyReason::LinkLocal)),
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10, Some(DenyReason::Private)),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8, Some(DenyReason::Multicast)),
    // NAT64: globally reachable by registry, so the address inside decides. Not so the prefixes of
    // one network (RFC 8215).
    (NAT64, 96, None),
    (LOCAL_NAT64, 48, Some(DenyReason::Translated)),
    // "N/A" in the registry: the relay that is near decides where a packet ends.
    (TEREDO, 32, Some(DenyReason::Translated)),
    (SIX_TO_FOUR, 16, Some(DenyReason::Translated)),
    // IETF protocol assignments (RFC 2928), but AMT (RFC 7450) and AS112 (RFC 7535).
    (Ipv6Addr::new(0x2001, 3, 0, 0, 0, 0, 0, 0), 32, None),
    (Ipv6Addr::new(0x2001, 4, 0x112, 0, 0, 0, 0, 0), 48, None),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, Some(DenyReason::Reserved)),
    // Documentation (RFC 3849, RFC 9637).
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, Some(DenyReason::Reserved)),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, Some(DenyReason::Reserved)),
    // IANA gives out global unicast addresses from here alone (RFC 4291 section 2.4, and its registry
    // "Internet Protocol Version 6 Address Space").
    (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3, None),
];

const COMPATIBLE: Ipv6Addr = Ipv6Addr::UNSPECIFIED;
const MAPPED: Ipv6Addr = Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0);
const TRANSLATED: Ipv6Addr = Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, 0, 0);
const NAT64: Ipv6Addr = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0);
const LOCAL_NAT64: Ipv6Addr = Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0);
const TEREDO: Ipv6Addr = Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0);
const SIX_TO_FOUR: Ipv6Addr = Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0);

/// The IPv4 addresses that `ip` may have inside. It means one of them, or a tunnel between two.
fn embedded(ip: Ipv6Addr) -> [Option<Ipv4Addr>; 5] {
    let bits = ip.to_bits();
    let at = |first_bit| Some(ipv4_at(bits, first_bit));
    let [one, two, three, four] = if is_in_v6(ip, MAPPED, 96)
        || is_in_v6(ip, TRANSLATED, 96)
        || is_in_v6(ip, NAT64, 96)
        // `::` and `::1` are addresses of their own.
        || is_in_v6(ip, COMPATIBLE, 96) && bits > 1
    {
        [at(96), None, None, None]
    } else if is_in_v6(ip, LOCAL_NAT64, 48) {
        // The network chooses how long its prefix is (RFC 8215 section 5).
        [at(96), rfc6052(bits, 48), rfc6052(bits, 56), rfc6052(bits, 64)]
    } else if is_in_v6(ip, SIX_TO_FOUR, 16) {
        [at(16), None, None, None]
    } else if is_in_v6(ip, TEREDO, 32) {
        // The server as it is, and the client with every bit turned.
        [at(32), Some(ipv4_at(!bits, 96)), None, None]
    } else {
        [None; 4]
    };
    // ISATAP may stand below any 64 bit prefix. The one bit that differs says that the address is
    // globally unique.
    let interface = (bits >> 32) & 0xffff_ffff;
    let isatap = if interface & !0x0200_0000 == 0x5efe { at(96) } else { None };
    [one, two, three, four, isatap]
}

/// The IPv4 address behind a prefix of 48, 56 or 64 bits, if there is one (RFC 6052 section 2.2).
///
/// The octet of bits 64 to 71 is left out. It "MUST be set to zero", and what follows the address
/// "SHOULD be set to zero": without the latter, it would be read into everything.
fn rfc6052(bits: u128, length: u32) -> Option<Ipv4Addr> {
    let left_out = (bits >> 56) & 0xff;
    let joined = (bits >> 64 << 64) | (bits & ((1 << 56) - 1)) << 8;
    let suffix = joined << (length + 32);
    (left_out == 0 && suffix == 0).then(|| ipv4_at(joined, length))
}

/// The 32 bits from `first_bit` on, counted from the left.
fn ipv4_at(bits: u128, first_bit: u32) -> Ipv4Addr {
    let [a, b, c, d, ..] = (bits << first_bit).to_be_bytes();
    Ipv4Addr::new(a, b, c, d)
}

#[cfg(test)]
mod tests;
