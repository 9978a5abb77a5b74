//! Names looked up by the operating system: what its lookup says, and which thread it is made on.
//!
//! A [`Call`] is one `getaddrinfo` for one name and one address family. It blocks its thread for as
//! long as the operating system likes, and nothing can end it. So the calls run on threads of their
//! own, of which there are few ([`pool`]), and what a lookup owes its caller never waits for one:
//! the stub ends it at its deadline (`stub/calls.rs`). `driver/system_threads.rs` has the threads.
//!
//! One call for both families is as late as the slower one, and hides the failure of either. It is
//! made of names of which a search list makes several: two calls may end at different ones, and the
//! IPv6 address of a lookup would be another host's than the IPv4 address.

#![cfg_attr(not(feature = "system"), allow(dead_code, reason = "no call is made without it"))]

pub(crate) mod codes;
pub(crate) mod pool;

use std::borrow::Cow;
use std::net::IpAddr;

use self::codes::Meaning;
use super::error::{LookupErrorKind, RecordType};
use super::system_failure::SystemCause;
use super::wire::answer::is_link_local;
use crate::HostName;

/// Identifies a call for as long as the resolver thread lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct CallId(pub(crate) u64);

/// The address families that one call asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Families {
    One(RecordType),
    Both,
}

impl Families {
    pub(crate) fn have(self, record_type: RecordType) -> bool {
        match self {
            Self::One(one) => one == record_type,
            Self::Both => true,
        }
    }
}

/// One lookup by the operating system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) id: CallId,
    /// As the operating system gets it: with a final dot, its search list does not apply.
    pub(crate) name: HostName,
    pub(crate) families: Families,
    /// Whether the lookup that wants it waits for another family already, whose call goes first.
    pub(crate) is_second: bool,
}

/// An address, and the scope id of an IPv6 one that has one.
pub(crate) type ScopedIp = (IpAddr, u32);

/// What has come of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CallOutcome {
    /// In the order of the operating system, each once.
    Addresses(Box<[ScopedIp]>),
    /// There is no such name, as far as the operating system tells.
    NoName,
    /// The name has no address of this family.
    NoData,
    /// The operating system does not know this address family.
    NoFamily,
    Failed(LookupErrorKind, SystemCause),
}

impl CallOutcome {
    /// The outcome of a call that has found `addresses`: those that were asked for, each once. (A
    /// module of the operating system that ignores the socket type gives each for every type.)
    pub(crate) fn of_addresses(
        addresses: impl IntoIterator<Item = ScopedIp>,
        families: Families,
    ) -> Self {
        let is_wanted = |ip| families.have(record_type_of(ip));
        let mut found: Vec<ScopedIp> = Vec::new();
        for address in addresses {
            if is_wanted(address.0) && !found.contains(&address) {
                found.push(address);
            }
        }
        if found.is_empty() { Self::NoData } else { Self::Addresses(found.into()) }
    }

    /// The outcome of a call that ended with an error.
    pub(crate) fn of_meaning(meaning: Meaning, cause: SystemCause) -> Self {
        let failed = |kind| Self::Failed(kind, cause);
        match meaning {
            Meaning::NoName => Self::NoName,
            Meaning::NoData => Self::NoData,
            Meaning::NoFamily => Self::NoFamily,
            Meaning::OutOfResources => failed(LookupErrorKind::Resources),
            Meaning::Unreachable => failed(LookupErrorKind::Unreachable),
            Meaning::TimedOut => failed(LookupErrorKind::Timeout),
            Meaning::Overflow => failed(LookupErrorKind::BadResponse),
            Meaning::Failed | Meaning::SeeErrno | Meaning::Again => {
                failed(LookupErrorKind::ServerFailure)
            }
        }
    }

    /// What it says of one of its address families.
    pub(crate) fn of_family(&self, record_type: RecordType) -> Cow<'_, Self> {
        match self {
            Self::Addresses(found)
                if found.iter().any(|(ip, _)| record_type_of(*ip) != record_type) =>
            {
                let found = found.iter().copied();
                Cow::Owned(Self::of_addresses(found, Families::One(record_type)))
            }
            outcome => Cow::Borrowed(outcome),
        }
    }

    /// Whether an address cannot be connected to because its scope is missing.
    pub(crate) fn lacks_scope(&self) -> bool {
        matches!(self, Self::Addresses(found) if found.iter().any(lacks_scope))
    }

    /// The same, with the missing scopes from a call for both families, as far as that has them.
    pub(crate) fn with_scopes(mut self, both: Self) -> Self {
        if let (Self::Addresses(found), Self::Addresses(scoped)) = (&mut self, both) {
            for address in found.iter_mut().filter(|address| lacks_scope(address)) {
                let same = |other: &&ScopedIp| other.0 == address.0 && other.1 != 0;
                address.1 = scoped.iter().find(same).map_or(0, |other| other.1);
            }
        }
        self
    }
}

fn record_type_of(ip: IpAddr) -> RecordType {
    if ip.is_ipv4() { RecordType::A } else { RecordType::Aaaa }
}

fn lacks_scope(&(ip, scope): &ScopedIp) -> bool {
    scope == 0 && is_link_local(ip)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn os02_addresses_keep_the_order_of_the_system_and_come_once() {
        let [a, b, c]: [IpAddr; 3] =
            ["192.0.2.2", "192.0.2.1", "2001:db8::1"].map(|ip| ip.parse().unwrap());
        let given = [(a, 0), (a, 0), (c, 0), (b, 0), (a, 0)];
        let v4 = CallOutcome::of_addresses(given, Families::One(RecordType::A));
        assert_eq!(v4, CallOutcome::Addresses([(a, 0), (b, 0)].into()));
        let v6 = CallOutcome::of_addresses(given, Families::One(RecordType::Aaaa));
        assert_eq!(v6, CallOutcome::Addresses([(c, 0)].into()));
        assert_eq!(
            CallOutcome::of_addresses([(c, 0)], Families::One(RecordType::A)),
            CallOutcome::NoData
        );
    }

    #[test]
    fn a_call_for_both_families_says_something_of_each() {
        let [a, b]: [IpAddr; 2] = ["192.0.2.1", "2001:db8::1"].map(|ip| ip.parse().unwrap());
        let both = CallOutcome::of_addresses([(b, 0), (a, 0), (b, 0)], Families::Both);
        let one = |ip| CallOutcome::Addresses([(ip, 0)].into());
        assert_eq!(*both.of_family(RecordType::A), one(a));
        assert_eq!(*both.of_family(RecordType::Aaaa), one(b));
        assert_eq!(*one(a).of_family(RecordType::Aaaa), CallOutcome::NoData);
        assert_eq!(*CallOutcome::NoName.of_family(RecordType::A), CallOutcome::NoName);
    }

    #[test]
    fn os06_an_error_has_the_kind_of_its_meaning() {
        use LookupErrorKind::{BadResponse, Resources, ServerFailure, Timeout, Unreachable};
        let cause = SystemCause::Code(-3);
        for (meaning, kind, is_temporary) in [
            (Meaning::Failed, ServerFailure, true),
            (Meaning::OutOfResources, Resources, true),
            (Meaning::Unreachable, Unreachable, true),
            (Meaning::TimedOut, Timeout, true),
            (Meaning::Overflow, BadResponse, false),
        ] {
            let outcome = CallOutcome::of_meaning(meaning, cause);
            assert_eq!(outcome, CallOutcome::Failed(kind, cause), "{meaning:?}");
            assert_eq!(kind.is_temporary(), is_temporary, "{meaning:?}");
        }
    }

    #[test]
    fn os16_a_call_for_both_families_lends_its_scopes() {
        let [a, b, c]: [IpAddr; 3] =
            ["fe80::1", "fe80::2", "2001:db8::1"].map(|ip| ip.parse().unwrap());
        let found = |addresses: &[ScopedIp]| CallOutcome::Addresses(addresses.into());
        let first = found(&[(a, 0), (b, 0), (c, 0)]);
        assert!(first.lacks_scope());
        let both = found(&[(c, 0), (b, 0), (a, 3)]);
        assert_eq!(first.clone().with_scopes(both), found(&[(a, 3), (b, 0), (c, 0)]));
        assert_eq!(first.clone().with_scopes(CallOutcome::NoName), first);
        assert!(!found(&[(a, 3), (c, 0)]).lacks_scope() && !CallOutcome::NoData.lacks_scope());
    }
}
