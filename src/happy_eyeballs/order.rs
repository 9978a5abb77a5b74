//! The order in which addresses are tried: destination address selection ([RFC 6724 section 6]),
//! then interleaving of the families ([RFC 8305 section 4]).
//!
//! Nothing here asks the system anything. The source address that the system would use towards a
//! destination is an input, and so is the policy table. Each address is ranked once, on arrival;
//! from then on two addresses compare by their [`Rank`]s alone.
//!
//! [RFC 6724 section 6]: https://www.rfc-editor.org/rfc/rfc6724#section-6
//! [RFC 8305 section 4]: https://www.rfc-editor.org/rfc/rfc8305#section-4

use std::borrow::Cow;
use std::cmp::Reverse;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The address family of an endpoint, as its packets are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    pub(crate) fn of(addr: SocketAddr) -> Self {
        if addr.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    pub(crate) fn other(self) -> Self {
        match self {
            Self::V4 => Self::V6,
            Self::V6 => Self::V4,
        }
    }
}

/// The address the system would send from towards some destination: `SourceAddress(D)` of RFC 6724.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SourceAddress {
    /// The address itself.
    pub(crate) addr: IpAddr,
    /// Its preferred lifetime is over (RFC 4862 section 5.5.4).
    pub(crate) deprecated: bool,
    /// Packets leave through a tunnel over the other family, such as 6to4 or Teredo.
    pub(crate) encapsulated: bool,
}

impl SourceAddress {
    /// A source address of which only the address is known, as a connected UDP socket tells it.
    pub(crate) fn new(addr: IpAddr) -> Self {
        Self { addr, deprecated: false, encapsulated: false }
    }
}

/// What earlier connects have taught about a destination; nothing, by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Learnt {
    /// It did not answer lately, or refused.
    pub(crate) is_failing: bool,
    /// How long a handshake takes, in steps that differ by more than chance.
    pub(crate) slowness: u8,
}

/// The place of an address among the others, the smallest first. The fields are RFC 6724's rules in
/// their order, so that the derived comparison *is* section 6: "If a rule determines a result, then
/// the remaining rules are not relevant and MUST be ignored."
///
/// Every rule is kept as a property of one address and not of a pair, so that the order is total
/// whatever the policy table says.
///
/// Rule 4, about home and care-of addresses, is for mobile nodes (RFC 6275), which no system that
/// this crate knows tells of. A place is free on purpose: a group of addresses that must go first as a
/// whole (a service binding's priority) is a field before rule 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(clippy::struct_excessive_bools, reason = "each is one rule, and false goes first")]
pub(crate) struct Rank {
    /// Rule 1: avoid unusable destinations. "If DB is known to be unreachable or if
    /// SourceAddress(DB) is undefined, then prefer DA."
    pub(crate) unusable: bool,
    /// Rule 2: prefer matching scope. "If Scope(DA) = Scope(SourceAddress(DA)) and Scope(DB) <>
    /// Scope(SourceAddress(DB)), then prefer DA."
    scope_differs: bool,
    /// Rule 3: avoid deprecated addresses. "If SourceAddress(DA) is deprecated and
    /// SourceAddress(DB) is not, then prefer DB."
    deprecated: bool,
    /// Rule 5: prefer matching label. "If Label(SourceAddress(DA)) = Label(DA) and
    /// Label(SourceAddress(DB)) <> Label(DB), then prefer DA."
    label_differs: bool,
    /// Rule 6: prefer higher precedence. "If Precedence(DA) > Precedence(DB), then prefer DA."
    precedence: Reverse<u8>,
    /// Rule 7: prefer native transport. "If DA is reached via an encapsulating transition mechanism
    /// (e.g., IPv6 in IPv4) and DB is not, then prefer DB."
    encapsulated: bool,
    /// Rule 8: prefer smaller scope. "If Scope(DA) < Scope(DB), then prefer DA."
    scope: u8,
    /// Rule 9 applies "When DA and DB belong to the same address family" only. Families that tie up
    /// to here (no table of the RFC makes them) are therefore ordered first: the one whose address
    /// arrived first leads.
    late_family: bool,
    /// "If the client is stateful and has a history of expected round-trip times (RTTs) for the routes
    /// to access each address, it SHOULD add a Destination Address Selection rule between rules 8 and
    /// 9 that prefers addresses with lower RTTs" (RFC 8305 section 4).
    slowness: u8,
    /// Rule 9: use longest matching prefix. "If CommonPrefixLen(SourceAddress(DA), DA) >
    /// CommonPrefixLen(SourceAddress(DB), DB), then prefer DA." Always 0 for IPv4: there it would
    /// let the numeric nearness of unrelated networks undo the rotation by which a name spreads its
    /// load.
    common_prefix: Reverse<u8>,
    /// Rule 10: "Otherwise, leave the order unchanged."
    arrival: u32,
}

impl Rank {
    /// Ranks the `arrival`th address of a lookup. `source` is the address that the system would
    /// send from; `None` if it has no route. `late_family` is whether the first address of the
    /// lookup was of the other family.
    pub(crate) fn rfc6724(
        table: &PolicyTable,
        addr: IpAddr,
        source: Option<&SourceAddress>,
        late_family: bool,
        arrival: u32,
    ) -> Self {
        let addr = addr.to_canonical();
        let scope = scope(addr);
        let policy = table.policy(addr);
        let unsourced = Self {
            unusable: true,
            scope_differs: true,
            deprecated: false,
            label_differs: true,
            precedence: Reverse(policy.precedence),
            encapsulated: false,
            scope,
            late_family,
            slowness: 0,
            common_prefix: Reverse(0),
            arrival,
        };
        let Some(source) = source else { return unsourced };
        let from = source.addr.to_canonical();
        Self {
            unusable: false,
            scope_differs: scope != self::scope(from),
            deprecated: source.deprecated,
            label_differs: policy.label != table.policy(from).label,
            encapsulated: source.encapsulated,
            common_prefix: Reverse(common_prefix(from, addr)),
            ..unsourced
        }
    }

    /// Ranks with what earlier connects have taught. A destination that did not answer lately is
    /// "known to be unreachable", and rule 1 is about it: otherwise one whose family goes first would
    /// cost its delay on each connect.
    pub(crate) fn with_learnt(self, learnt: Learnt) -> Self {
        let unusable = self.unusable || learnt.is_failing;
        Self { unusable, slowness: learnt.slowness, ..self }
    }

    /// Ranks by arrival alone: the order of the resolver.
    pub(crate) fn as_resolved(arrival: u32) -> Self {
        Self {
            unusable: false,
            scope_differs: false,
            deprecated: false,
            label_differs: false,
            precedence: Reverse(0),
            encapsulated: false,
            scope: 0,
            late_family: false,
            slowness: 0,
            common_prefix: Reverse(0),
            arrival,
        }
    }
}

/// The policy table of RFC 6724 section 2.1: which precedence and which label an address has.
///
/// The default of a race is [`system`](Self::system): what `gai.conf` says, or the table of the RFC. A
/// program that wants otherwise changes rows:
///
/// ```
/// use outrace::happy_eyeballs::PolicyTable;
///
/// // IPv4 before IPv6, as `precedence ::ffff:0:0/96 100` says in gai.conf.
/// let table = PolicyTable::rfc6724().row("::ffff:0:0".parse().unwrap(), 96, 100, 4);
/// # let _ = table;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyTable {
    /// The longest prefix first, so that the first row that matches is the longest match.
    rows: Cow<'static, [Policy]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Policy {
    prefix: u128,
    length: u8,
    precedence: u8,
    label: u8,
}

impl Policy {
    const fn new(prefix: Ipv6Addr, length: u8, precedence: u8, label: u8) -> Self {
        Self { prefix: prefix.to_bits(), length, precedence, label }
    }

    fn matches(&self, addr: u128) -> bool {
        // A shift by all 128 bits leaves nothing to compare: the prefix of length 0 matches.
        let shift = 128 - u32::from(self.length);
        (self.prefix ^ addr).checked_shr(shift).unwrap_or(0) == 0
    }
}

const fn v6(a: u16, b: u16) -> Ipv6Addr {
    Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0)
}

/// RFC 6724 section 2.1, the longest prefix first.
static RFC_6724: [Policy; 9] = [
    Policy::new(Ipv6Addr::LOCALHOST, 128, 50, 0),
    Policy::new(Ipv4Addr::UNSPECIFIED.to_ipv6_mapped(), 96, 35, 4),
    Policy::new(Ipv6Addr::UNSPECIFIED, 96, 1, 3),
    Policy::new(v6(0x2001, 0), 32, 5, 5),
    Policy::new(v6(0x2002, 0), 16, 30, 2),
    Policy::new(v6(0x3ffe, 0), 16, 1, 12),
    Policy::new(v6(0xfec0, 0), 10, 1, 11),
    Policy::new(v6(0xfc00, 0), 7, 3, 13),
    Policy::new(Ipv6Addr::UNSPECIFIED, 0, 40, 1),
];

/// draft-ietf-6man-rfc6724-update, section 3: unique local addresses go before IPv4, and 6to4 goes
/// last of all that is not obsolete.
static RFC_6724_UPDATE: [Policy; 9] = [
    Policy::new(Ipv6Addr::LOCALHOST, 128, 50, 0),
    Policy::new(Ipv4Addr::UNSPECIFIED.to_ipv6_mapped(), 96, 20, 4),
    Policy::new(Ipv6Addr::UNSPECIFIED, 96, 1, 3),
    Policy::new(v6(0x2001, 0), 32, 5, 5),
    Policy::new(v6(0x2002, 0), 16, 5, 2),
    Policy::new(v6(0x3ffe, 0), 16, 1, 12),
    Policy::new(v6(0xfec0, 0), 10, 1, 11),
    Policy::new(v6(0xfc00, 0), 7, 30, 13),
    Policy::new(Ipv6Addr::UNSPECIFIED, 0, 40, 1),
];

impl PolicyTable {
    /// The table of [RFC 6724 section 2.1](https://www.rfc-editor.org/rfc/rfc6724#section-2.1).
    pub const fn rfc6724() -> Self {
        Self { rows: Cow::Borrowed(&RFC_6724) }
    }

    /// The table of [draft-ietf-6man-rfc6724-update], which prefers unique local IPv6 addresses to
    /// IPv4. Not in force yet. The local prefixes that a host knows (label 14, precedence 45 in the
    /// draft) are added with [`row`](Self::row).
    ///
    /// [draft-ietf-6man-rfc6724-update]: https://datatracker.ietf.org/doc/draft-ietf-6man-rfc6724-update/
    pub const fn rfc6724_update() -> Self {
        Self { rows: Cow::Borrowed(&RFC_6724_UPDATE) }
    }

    /// Adds a row, or replaces the row of this very prefix. IPv4 is written as IPv4-mapped:
    /// `::ffff:10.0.0.0` with length 104 for `10.0.0.0/8`.
    ///
    /// `length` is in bits, 0 to 128; what is greater is taken as 128. Bits of the prefix beyond
    /// its length do not count.
    #[must_use]
    pub fn row(mut self, prefix: Ipv6Addr, length: u8, precedence: u8, label: u8) -> Self {
        let length = length.min(128);
        let row = Policy::new(prefix, length, precedence, label);
        let rows = self.rows.to_mut();
        rows.retain(|other| !(other.length == length && row.matches(other.prefix)));
        let place = rows.partition_point(|other| other.length > length);
        rows.insert(place, row);
        self
    }

    /// A table of two, each matched by itself: rows of a prefix, its length and its number. What has no
    /// rows is as in RFC 6724; numbers of labels only differ or not.
    #[allow(dead_code, reason = "the benches, which build this file too, read no gai.conf")]
    pub(super) fn of_tables(
        precedences: &[(Ipv6Addr, u8, u32)],
        labels: &[(Ipv6Addr, u8, u32)],
    ) -> Self {
        let default = Self::rfc6724();
        if precedences.is_empty() && labels.is_empty() {
            return default;
        }
        let whole = |rows: &[(Ipv6Addr, u8, u32)], number: fn(&Policy) -> u8, otherwise: u32| {
            if rows.is_empty() {
                let row = |row: &Policy| (row.prefix, row.length, u32::from(number(row)));
                return default.rows.iter().map(row).collect();
            }
            // The first of several about one prefix comes first, and is found.
            let mut rows: Vec<_> =
                rows.iter().map(|(ip, length, number)| (ip.to_bits(), *length, *number)).collect();
            rows.push((0, 0, otherwise));
            rows
        };
        let precedences = whole(precedences, |row| row.precedence, 40);
        let labels = whole(labels, |row| row.label, 1);
        let numbers: Vec<u32> = labels.iter().map(|&(_, _, label)| label).collect();
        let are_small = numbers.iter().all(|&number| number <= u8::MAX.into());
        let mut table = Self { rows: Cow::Owned(Vec::new()) };
        for &(prefix, length, _) in precedences.iter().chain(&labels) {
            let longest = |rows: &[(u128, u8, u32)]| {
                let covers = |&&(other, other_length, _): &&(u128, u8, u32)| {
                    let other =
                        Policy { prefix: other, length: other_length, precedence: 0, label: 0 };
                    other_length <= length && other.matches(prefix)
                };
                let best = rows.iter().filter(covers).rev().max_by_key(|row| row.1);
                best.expect("::/0 covers every prefix").2
            };
            let precedence = u8::try_from(longest(&precedences)).unwrap_or(u8::MAX);
            let mut label = longest(&labels) as usize;
            if !are_small {
                let is_it = |&number: &u32| number as usize == label;
                label = numbers.iter().position(is_it).unwrap_or_default();
            }
            let label = u8::try_from(label).unwrap_or(u8::MAX);
            table = table.row(Ipv6Addr::from_bits(prefix), length, precedence, label);
        }
        table
    }

    /// The precedence and the label of `addr`.
    #[cfg(test)]
    pub(super) fn of(&self, addr: IpAddr) -> (u8, u8) {
        let Policy { precedence, label, .. } = self.policy(addr);
        (precedence, label)
    }

    /// The row of `addr`. "The policy table is a longest-matching-prefix lookup table", in which
    /// IPv4 stands as IPv4-mapped.
    fn policy(&self, addr: IpAddr) -> Policy {
        let bits = match addr {
            IpAddr::V4(addr) => addr.to_ipv6_mapped().to_bits(),
            IpAddr::V6(addr) => addr.to_bits(),
        };
        // Every table starts with a row of length 0, which may be replaced but not removed.
        *self.rows.iter().find(|row| row.matches(bits)).expect("::/0 matches every address")
    }
}

impl Default for PolicyTable {
    fn default() -> Self {
        Self::rfc6724()
    }
}

/// Scopes of RFC 4291 section 2.7, which unicast addresses are mapped to (RFC 6724 section 3.1).
const LINK_LOCAL: u8 = 0x2;
const SITE_LOCAL: u8 = 0x5;
const GLOBAL: u8 = 0xe;

/// `Scope(A)` of RFC 6724 section 3.1.
fn scope(addr: IpAddr) -> u8 {
    match addr {
        // Section 3.2: 169.254/16 and 127/8 have link-local scope; all else, private addresses and
        // 100.64/10 included, has global scope.
        IpAddr::V4(addr) if addr.is_loopback() || addr.is_link_local() => LINK_LOCAL,
        IpAddr::V6(addr) if addr.is_multicast() => addr.octets()[1] & 0xf,
        // Section 3.4: "The loopback address MUST be treated as having link-local scope".
        IpAddr::V6(addr) if addr.is_loopback() || addr.is_unicast_link_local() => LINK_LOCAL,
        IpAddr::V6(addr) if addr.segments()[0] & 0xffc0 == 0xfec0 => SITE_LOCAL,
        IpAddr::V4(_) | IpAddr::V6(_) => GLOBAL,
    }
}

/// `CommonPrefixLen(S, D)` of RFC 6724 section 2.2: what "the two addresses have in common, up to
/// the length of S's prefix (i.e., the portion of the address not including the interface ID)". The
/// system does not tell that length; interface IDs have 64 bits (RFC 4291 section 2.5.1).
fn common_prefix(source: IpAddr, destination: IpAddr) -> u8 {
    match (source, destination) {
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let differing = source.to_bits() ^ destination.to_bits();
            u8::try_from(differing.leading_zeros().min(64)).unwrap_or(64)
        }
        _ => 0,
    }
}

/// Interleaves a sorted list: fills `order` with the indices of `sorted` in the order of attempts.
/// `kind` tells the family of an item, and whether it is unusable.
///
/// RFC 8305 section 4: "Whichever address family is first in the list should be followed by an
/// address of the other address family". `first_count` is the section's First Address Family Count.
pub(crate) fn interleave<T>(
    sorted: &[T],
    kind: impl Fn(&T) -> (Family, bool),
    first_count: usize,
    order: &mut Vec<u32>,
) {
    order.clear();
    // Interleaving gives each family its turn; it must not lift an address without a route over one
    // that has a route. Rule 1 leads the order, so those without stand at the end, in one piece.
    let usable = sorted.partition_point(|item| !kind(item).1);
    for part in [0..usable, usable..sorted.len()] {
        let Some(first) = sorted[part.clone()].first() else { continue };
        let (first, _) = kind(first);
        let mut leading = part.clone().filter(|&at| kind(&sorted[at]).0 == first);
        let mut following = part.filter(|&at| kind(&sorted[at]).0 != first);
        order.extend(leading.by_ref().take(first_count).map(index));
        loop {
            let turn = [following.next(), leading.next()];
            if turn == [None, None] {
                break;
            }
            order.extend(turn.into_iter().flatten().map(index));
        }
    }
}

fn index(at: usize) -> u32 {
    u32::try_from(at).expect("a race keeps far fewer than 2^32 addresses")
}

// Spelled out, because the benches build this file too, from where it stands.
#[cfg(test)]
#[path = "order/tests.rs"]
mod tests;
