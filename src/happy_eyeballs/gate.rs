//! The address gate: which addresses of a lookup may be attempted, in which order, and from when on
//! ([RFC 8305] sections 3 and 4).
//!
//! Addresses are deduplicated, limited and ranked as they arrive, and interleaved by family. The
//! gate opens when the preferred family has arrived or the Resolution Delay is over.
//!
//! [RFC 8305]: https://www.rfc-editor.org/rfc/rfc8305

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::time::{Duration, Instant};

use super::options::{AddressOrder, RaceOptions};
use super::order::{Family, Learnt, PolicyTable, Rank, SourceAddress, interleave};

/// How many addresses of one family are kept; the rest are counted and ignored. Well above
/// [`RaceOptions::max_connection_attempts`], so that the best addresses are still chosen among
/// many, and small enough that finding a duplicate is a scan over a few kilobytes.
pub(super) const MAX_ADDRESSES_PER_FAMILY: usize = 256;

/// The addresses of one lookup. Pure: time is an argument.
///
/// Call order: `handle_*` as things arrive, then [`update`](Self::update), then the questions.
#[derive(Debug)]
pub(crate) struct AddressGate {
    ranking: Ranking,
    resolution_delay: Duration,
    first_address_family_count: usize,
    /// When the first address arrived.
    first_address: Option<Instant>,
    first_family: Option<Family>,
    lookup_ended: bool,
    is_open: bool,
    /// Every address so far, sorted by rank unless `unsorted`.
    addresses: Vec<Address>,
    /// Indices into `addresses`, in the order of attempts; stale when `unsorted`.
    order: Vec<u32>,
    unsorted: bool,
    /// The first place in `order` that may have an address not taken yet.
    next: usize,
    /// How an address of a family that has not arrived would most likely rank.
    expected: PerFamily<Rank>,
    known: PerFamily<usize>,
    ignored: usize,
}

#[derive(Clone, Copy, Debug)]
struct Address {
    addr: SocketAddr,
    rank: Rank,
    is_taken: bool,
}

#[derive(Debug)]
struct Ranking {
    order: AddressOrder,
    table: PolicyTable,
}

/// A value for each address family.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PerFamily<T> {
    v4: T,
    v6: T,
}

impl<T> PerFamily<T> {
    pub(super) fn of(&self, family: Family) -> &T {
        match family {
            Family::V4 => &self.v4,
            Family::V6 => &self.v6,
        }
    }

    pub(super) fn of_mut(&mut self, family: Family) -> &mut T {
        match family {
            Family::V4 => &mut self.v4,
            Family::V6 => &mut self.v6,
        }
    }
}

impl AddressGate {
    pub(crate) fn new(options: &RaceOptions) -> Self {
        let table = options.policy_table.clone().unwrap_or_default();
        let ranking = Ranking { order: options.order, table };
        let expected = |addr: IpAddr| ranking.expected(addr, Some(&SourceAddress::new(addr)));
        let expected =
            PerFamily { v4: expected(TYPICAL_V4.into()), v6: expected(TYPICAL_V6.into()) };
        Self {
            ranking,
            resolution_delay: options.resolution_delay,
            first_address_family_count: options.first_address_family_count,
            first_address: None,
            first_family: None,
            lookup_ended: false,
            is_open: false,
            addresses: Vec::new(),
            order: Vec::new(),
            unsorted: false,
            next: 0,
            expected,
            known: PerFamily::default(),
            ignored: 0,
        }
    }

    /// The address that this host would send from towards the Internet in `family`; `None` if it
    /// has no route.
    ///
    /// Given once, with the first addresses, if none of them is of that family. It decides whether
    /// an answer of that family is worth the Resolution Delay: RFC 8305 section 3 has the family in
    /// mind that RFC 6724 prefers, and on a host without IPv6 that is IPv4. Without it the host is
    /// taken to have both.
    pub(crate) fn handle_default_source(&mut self, family: Family, source: Option<&SourceAddress>) {
        let typical = match family {
            Family::V4 => TYPICAL_V4.into(),
            Family::V6 => TYPICAL_V6.into(),
        };
        *self.expected.of_mut(family) = self.ranking.expected(typical, source);
    }

    /// An address arrived. `source` is the address that the system would send from towards it;
    /// `None` if it has no route there. `learnt` is what earlier connects have taught about it.
    pub(crate) fn handle_address(
        &mut self,
        addr: SocketAddr,
        source: Option<&SourceAddress>,
        learnt: Learnt,
        now: Instant,
    ) {
        let addr = canonical(addr);
        let family = Family::of(addr);
        // The same endpoint is never attempted twice, however often it is listed: a second SYN to a
        // silent address adds nothing to the system's own retransmission of the first.
        if self.addresses.iter().any(|known| known.addr == addr) {
            return;
        }
        if *self.known.of(family) >= MAX_ADDRESSES_PER_FAMILY {
            self.ignored += 1;
            return;
        }
        *self.known.of_mut(family) += 1;
        self.first_address.get_or_insert(now);
        let late_family = *self.first_family.get_or_insert(family) != family;
        let arrival = u32::try_from(self.addresses.len()).unwrap_or(u32::MAX);
        let rank = self.ranking.rank(addr.ip(), source, learnt, late_family, arrival);
        self.addresses.push(Address { addr, rank, is_taken: false });
        self.unsorted = true;
    }

    /// The lookup has ended: every family has answered, or never will.
    pub(crate) fn handle_end(&mut self) {
        self.lookup_ended = true;
    }

    /// Sorts what has arrived, and opens if it is time to.
    pub(crate) fn update(&mut self, now: Instant) {
        self.sort();
        self.open(now);
    }

    /// Whether addresses may be attempted. Once it is open, it stays open.
    pub(crate) fn is_open(&self) -> bool {
        self.is_open
    }

    /// When the Resolution Delay ends; `None` before the first address.
    pub(crate) fn resolution_delay_ends(&self) -> Option<Instant> {
        Some(self.first_address? + self.resolution_delay)
    }

    pub(crate) fn len(&self) -> usize {
        self.addresses.len()
    }

    pub(crate) fn lookup_has_ended(&self) -> bool {
        self.lookup_ended
    }

    /// Whether no address of `family` has arrived, and one may still come.
    pub(crate) fn is_awaited(&self, family: Family) -> bool {
        !self.lookup_ended && *self.known.of(family) == 0
    }

    /// The next address to attempt.
    pub(crate) fn next_address(&self) -> Option<SocketAddr> {
        self.next_index().map(|at| self.addresses[at].addr)
    }

    /// Takes the next address to attempt.
    pub(crate) fn take_next(&mut self) -> Option<SocketAddr> {
        let at = self.next_index()?;
        self.addresses[at].is_taken = true;
        self.skip_taken();
        Some(self.addresses[at].addr)
    }

    /// How many addresses were ignored because their family has too many.
    pub(crate) fn ignored(&self) -> usize {
        self.ignored
    }

    /// How much is allocated.
    #[cfg(test)]
    pub(super) fn capacities(&self) -> (usize, usize) {
        (self.addresses.capacity(), self.order.capacity())
    }

    /// All addresses by rank, not interleaved.
    pub(crate) fn into_ranked(mut self) -> impl ExactSizeIterator<Item = SocketAddr> {
        self.sort();
        self.addresses.into_iter().map(|address| address.addr)
    }

    /// Sorts the complete list, taken addresses included; then the first one that is not taken is
    /// next. "If an endpoint is added to the list, its position SHOULD be determined by applying
    /// the sorting rules [..] to the complete list of endpoints, including those previously
    /// received" (draft-ietf-happy-happyeyeballs-v3 section 7; RFC 8305 says less).
    fn sort(&mut self) {
        if !self.unsorted {
            return;
        }
        self.addresses.sort_unstable_by_key(|address| address.rank);
        interleave(
            &self.addresses,
            |address| (Family::of(address.addr), address.rank.unusable),
            self.first_address_family_count,
            &mut self.order,
        );
        self.next = 0;
        self.unsorted = false;
        self.skip_taken();
    }

    /// Opens if attempts may begin, though the lookup is still running.
    ///
    /// RFC 8305 section 3: "If a positive AAAA response [..] is received first, the first IPv6
    /// connection attempt is immediately started. If a positive A response is received first due to
    /// reordering, the client SHOULD wait a short time for the AAAA response to ensure that
    /// preference is given to IPv6". The preference itself is RFC 6724's, and it is asked here: to
    /// wait is right while an ordinary address of the family that has not arrived would rank before
    /// the best that has. So a host without a route for IPv6 waits for IPv4 instead, or for
    /// nothing.
    fn open(&mut self, now: Instant) {
        let Some(delay_ends) = self.resolution_delay_ends() else { return };
        let best = &self.addresses[self.order[0] as usize];
        let missing = Family::of(best.addr).other();
        self.is_open = self.is_open
            || *self.known.of(missing) > 0
            || best.rank < *self.expected.of(missing)
            // "If a negative AAAA response (no error, no data) is received within the Resolution
            // Delay period or the AAAA response has not been received by the end of the Resolution
            // Delay period, the client SHOULD proceed". The delay counts from the first address:
            // from the start of the lookup it would be over whenever the nameserver is far away.
            || self.lookup_ended
            || now >= delay_ends;
    }

    fn skip_taken(&mut self) {
        while self.next_index().is_some_and(|at| self.addresses[at].is_taken) {
            self.next += 1;
        }
    }

    fn next_index(&self) -> Option<usize> {
        self.order.get(self.next).map(|&at| at as usize)
    }
}

impl Ranking {
    fn rank(
        &self,
        ip: IpAddr,
        source: Option<&SourceAddress>,
        learnt: Learnt,
        late_family: bool,
        arrival: u32,
    ) -> Rank {
        match self.order {
            AddressOrder::Rfc6724 => {
                let rank = Rank::rfc6724(&self.table, ip, source, late_family, arrival);
                rank.with_learnt(learnt)
            }
            AddressOrder::AsResolved => Rank::as_resolved(arrival),
        }
    }

    /// The rank of an address that has not arrived; if all else is equal, it comes last.
    fn expected(&self, ip: IpAddr, source: Option<&SourceAddress>) -> Rank {
        self.rank(ip, source, Learnt::default(), true, u32::MAX)
    }
}

/// Stands for the address of an IPv4 answer that has not arrived: global, from a global source.
const TYPICAL_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// Stands for the address of an IPv6 answer that has not arrived: native and global unicast.
const TYPICAL_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);

/// The endpoint that is dialled: an IPv4-mapped IPv6 address is reached over IPv4 (RFC 4291 section
/// 2.5.5.2), and the flow information is no part of it.
pub(super) fn canonical(addr: SocketAddr) -> SocketAddr {
    match addr {
        SocketAddr::V4(_) => addr,
        SocketAddr::V6(v6) => match v6.ip().to_canonical() {
            IpAddr::V4(ip) => SocketAddrV4::new(ip, v6.port()).into(),
            IpAddr::V6(ip) => SocketAddrV6::new(ip, v6.port(), 0, v6.scope_id()).into(),
        },
    }
}

// Spelled out, because the benches build this file too, from where it stands.
#[cfg(test)]
#[path = "gate/tests.rs"]
mod tests;
