//! [`RaceOptions`]: the delays, limits and order of a race.

use std::time::Duration;

use super::order::PolicyTable;

/// How addresses are raced: delays, limits and the order of attempts.
///
/// The default follows [RFC 8305]. A value outside a setting's range is moved to the nearest value
/// inside, so that every `RaceOptions` is a legal one.
///
/// ```
/// use std::time::Duration;
/// use outrace::happy_eyeballs::RaceOptions;
///
/// let config = RaceOptions::default()
///     .connection_attempt_delay(Duration::from_millis(150))
///     .connect_timeout(Duration::from_secs(10));
/// # let _ = config;
/// ```
///
/// [RFC 8305]: https://www.rfc-editor.org/rfc/rfc8305
#[derive(Clone, Debug)]
pub struct RaceOptions {
    pub(crate) resolution_delay: Duration,
    pub(crate) connection_attempt_delay: Duration,
    pub(crate) connection_attempt_delay_growth: u32,
    pub(crate) first_address_family_count: usize,
    pub(crate) max_connection_attempts_alive: usize,
    pub(crate) max_connection_attempts: u32,
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) attempt_timeout: Option<Duration>,
    pub(crate) fail_fast: FailFast,
    pub(crate) order: AddressOrder,
    /// `None`: that of this machine.
    pub(crate) policy_table: Option<PolicyTable>,
}

/// In which order addresses are attempted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddressOrder {
    /// Destination address selection of RFC 6724 section 6, with the source addresses this host
    /// really has, then interleaving of the families. A host without usable IPv6 thereby starts
    /// with IPv4 by itself.
    ///
    /// Rules 1, 2, 5, 6, 8, 9 and 10 act on every system; rules 3 (deprecated source addresses) and
    /// 7 (IPv6 in IPv4) where `/proc/net/if_inet6` tells of them, on Linux; rule 4, about mobile
    /// nodes, nowhere. An address that is deprecated while a program runs counts so within a second.
    #[default]
    Rfc6724,
    /// As the addresses came out of the lookup, then interleaving of the families. For a resolver
    /// that has sorted them already. The first address to come is attempted at once: the
    /// [Resolution Delay](RaceOptions::resolution_delay) waits for nothing here, and what races learn
    /// of addresses is neither used nor kept.
    AsResolved,
}

/// When the next attempt starts after the latest one has failed.
///
/// RFC 8305 is silent on this. A failure is the network's answer, and waiting any longer for it is
/// time lost to the user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum FailFast {
    /// At once. The floor of 10 ms between two attempts is then taken as what it is for: not to
    /// send into a network that has not responded yet.
    #[default]
    Immediately,
    /// At once, but not within 10 ms of the start of the attempt that failed: section 5 of RFC 8305
    /// to the letter ("a subsequent connection MUST NOT be started within 10 milliseconds of the
    /// previous attempt").
    AfterMinimum,
}

/// RFC 8305 section 5: "a subsequent connection MUST NOT be started within 10 milliseconds of the
/// previous attempt", so that clients do not bring a network down that loses packets already.
pub(crate) const MIN_CONNECTION_ATTEMPT_DELAY: Duration = Duration::from_millis(10);

/// RFC 8305 section 5: "The Connection Attempt Delay SHOULD have an upper bound, referred to as the
/// "Maximum Connection Attempt Delay". The current recommended value is 2 seconds."
pub(crate) const MAX_CONNECTION_ATTEMPT_DELAY: Duration = Duration::from_secs(2);

/// Beyond the longest delay between two attempts, the wait for the better family would no longer be
/// a grace but a stall.
const MAX_RESOLUTION_DELAY: Duration = Duration::from_secs(2);

impl RaceOptions {
    /// How long an address of the less preferred family waits for the first address of the
    /// preferred one: the Resolution Delay of RFC 8305 sections 3 and 8.
    ///
    /// Default 50 ms. Range 0 to 2 s; zero waits for nothing. It is counted from the first address
    /// of the lookup, and ends early when the preferred family answers or cannot. Raising it costs
    /// just that time wherever the preferred family's answer is late. In field data of 2026 the two
    /// answers are less than 21 ms apart in 99 % of lookups, so 25 ms is a reasonable choice too.
    #[must_use]
    pub fn resolution_delay(mut self, delay: Duration) -> Self {
        self.resolution_delay = delay.min(MAX_RESOLUTION_DELAY);
        self
    }

    /// How long after the start of an attempt the next one starts, while the first has neither
    /// succeeded nor failed: the Connection Attempt Delay of RFC 8305 sections 5 and 8.
    ///
    /// Default 250 ms. Range 10 ms to 2 s; the RFC recommends no less than 100 ms. It starts
    /// attempts and never ends one: an attempt lives until it wins, fails, loses, or
    /// [`connect_timeout`](Self::connect_timeout) passes. Raising it makes a dead address ahead in
    /// the list cost more time; lowering it costs connections that a server sees opened and closed.
    #[must_use]
    pub fn connection_attempt_delay(mut self, delay: Duration) -> Self {
        self.connection_attempt_delay =
            delay.clamp(MIN_CONNECTION_ATTEMPT_DELAY, MAX_CONNECTION_ATTEMPT_DELAY);
        self
    }

    /// The factor by which the [Connection Attempt Delay](Self::connection_attempt_delay) grows
    /// each time it has run out, up to its 2 s: the Connection Attempt Delay Multiplier of
    /// draft-ietf-happy-happyeyeballs-v3 section 6. RFC 8305 has none.
    ///
    /// Default 1: it stays. Range 1 and up. With a delay of 50 ms and a factor of 2, attempts on
    /// silent addresses start at 0, 50, 150, 350 and 750 ms: quick past one dead address, and no
    /// flood where the path is slow.
    #[must_use]
    pub fn connection_attempt_delay_growth(mut self, factor: u32) -> Self {
        self.connection_attempt_delay_growth = factor.max(1);
        self
    }

    /// How many addresses of the first family are attempted before the other family has its first
    /// turn: the First Address Family Count of RFC 8305 sections 4 and 8.
    ///
    /// Default 1. Range 1 and up. The RFC recommends 1, or 2 to favor one family.
    #[must_use]
    pub fn first_address_family_count(mut self, count: usize) -> Self {
        self.first_address_family_count = count.max(1);
        self
    }

    /// How many attempts may be alive at a time. At this limit the next one waits until an older
    /// one has failed, or has been silent for 3 s, in which its SYN was sent three times: that one
    /// goes on, and counts no more.
    ///
    /// Default 6. Range 1 and up. RFC 8305 has no limit; 6 of them take 1.25 s to come alive, and
    /// each is a socket here and a half-open connection at some server.
    #[must_use]
    pub fn max_connection_attempts_alive(mut self, count: usize) -> Self {
        self.max_connection_attempts_alive = count.max(1);
        self
    }

    /// How many attempts one race may make in total. At most half of them go to one family while
    /// the other may still come.
    ///
    /// Default 64. Range 1 and up. A DNS response can list 4096 addresses, and each could be some
    /// third party's that is to be flooded: without a limit, the zone decides how many packets this
    /// host sends, and where to. More addresses than fit a DNS response over UDP are not a
    /// service's set of servers.
    #[must_use]
    pub fn max_connection_attempts(mut self, count: u32) -> Self {
        self.max_connection_attempts = count.max(1);
        self
    }

    /// How long the whole race may take, from the start of the lookup to the connection.
    ///
    /// Default `None`: as long as the lookup takes and the system keeps trying, which is about two
    /// minutes for an address that never answers on Linux. It is one deadline over the whole race
    /// and is not divided by the number of addresses.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.connect_timeout = timeout.into();
        self
    }

    /// How long one attempt may take. Then it is closed, and has failed:
    /// [`AttemptOutcome::TimedOut`](super::AttemptOutcome::TimedOut).
    ///
    /// Default `None`: as long as the system keeps trying. Range 10 ms and up. A race does not need
    /// it: other attempts start beside a silent one. It is for a caller who knows how far its servers
    /// are, and wants an answer instead of silence.
    #[must_use]
    pub fn attempt_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        let timeout = timeout.into();
        self.attempt_timeout = timeout.map(|timeout| timeout.max(MIN_CONNECTION_ATTEMPT_DELAY));
        self
    }

    /// When the next attempt starts after the latest one has failed. Default
    /// [`FailFast::Immediately`].
    #[must_use]
    pub fn fail_fast(mut self, policy: FailFast) -> Self {
        self.fail_fast = policy;
        self
    }

    /// In which order addresses are attempted. Default [`AddressOrder::Rfc6724`].
    #[must_use]
    pub fn order(mut self, order: AddressOrder) -> Self {
        self.order = order;
        self
    }

    /// The policy table of [`AddressOrder::Rfc6724`]. Default: that of this machine
    /// ([`PolicyTable::system`]).
    #[must_use]
    pub fn policy_table(mut self, table: PolicyTable) -> Self {
        self.policy_table = Some(table);
        self
    }
}

impl Default for RaceOptions {
    fn default() -> Self {
        Self {
            resolution_delay: Duration::from_millis(50),
            connection_attempt_delay: Duration::from_millis(250),
            connection_attempt_delay_growth: 1,
            first_address_family_count: 1,
            max_connection_attempts_alive: 6,
            max_connection_attempts: 64,
            connect_timeout: None,
            attempt_timeout: None,
            fail_fast: FailFast::default(),
            order: AddressOrder::default(),
            policy_table: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn the_default_is_what_the_rfc_recommends() {
        let config = RaceOptions::default();
        assert_eq!(config.resolution_delay, 50 * MS);
        assert_eq!(config.connection_attempt_delay, 250 * MS);
        assert_eq!(config.first_address_family_count, 1);
    }

    #[test]
    fn he45_what_is_out_of_range_is_moved_into_it() {
        let least = RaceOptions::default()
            .resolution_delay(Duration::ZERO)
            .connection_attempt_delay(Duration::ZERO)
            .connection_attempt_delay_growth(0)
            .first_address_family_count(0)
            .max_connection_attempts_alive(0)
            .max_connection_attempts(0)
            .attempt_timeout(Duration::ZERO);
        assert_eq!(least.attempt_timeout, Some(10 * MS));
        assert_eq!(least.resolution_delay, Duration::ZERO);
        assert_eq!(least.connection_attempt_delay, 10 * MS);
        assert_eq!(least.connection_attempt_delay_growth, 1);
        assert_eq!(least.first_address_family_count, 1);
        assert_eq!(least.max_connection_attempts_alive, 1);
        assert_eq!(least.max_connection_attempts, 1);
        let most = RaceOptions::default()
            .resolution_delay(Duration::MAX)
            .connection_attempt_delay(Duration::MAX);
        assert_eq!(most.resolution_delay, 2000 * MS);
        assert_eq!(most.connection_attempt_delay, 2000 * MS);
    }
}
