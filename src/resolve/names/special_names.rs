//! Names that are answered here, without a query: RFC 6761 and RFC 7686.
//!
//! | names | RFC | here |
//! |---|---|---|
//! | `localhost`, and all below it | 6761 section 6.3 | the loopback addresses |
//! | `invalid`, and all below it | 6761 section 6.4 | the name does not exist |
//! | all below `onion` | 7686 section 2 | the name does not exist |
//! | `test`, `example` | 6761 sections 6.2, 6.5 | asked for like any other |
//! | `local` | 6762 section 22.1 | asked for: this resolver has no multicast DNS to send them to |
//! | `home.arpa` | 8375 section 4 | asked for: the nameserver of the home knows them |
//! | `alt` | 9476 section 2 | asked for: an answer at once is a "may" |
//! | `internal` | reserved by ICANN, 2024 | asked for: the nameserver of the site knows them |

use crate::HostName;
use crate::host_name::is_in_domain;

/// What a name means before any nameserver is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Special {
    /// The loopback addresses of both families.
    Loopback,
    /// The name does not exist, and no nameserver must be asked for it.
    NotFound,
    /// Nothing special.
    Ordinary,
}

/// What `name`, as the caller gave it, means.
///
/// A single label without a final dot may be the first label of a longer name, which the search
/// list completes; so `invalid` and `onion` by themselves are ordinary here, and `invalid.` is not.
/// `localhost` never needs completion: RFC 6761 section 6.3, "Name resolution APIs and libraries
/// SHOULD recognize localhost names as special and SHOULD always return the IP loopback address for
/// address queries".
pub(crate) fn classify(name: &HostName) -> Special {
    let text = name.without_final_dot();
    if is_in_domain(text, "localhost") {
        Special::Loopback
    } else if must_not_be_asked_for(text) && (text.contains('.') || name.is_absolute()) {
        Special::NotFound
    } else {
        Special::Ordinary
    }
}

/// Whether no query may be sent for `name`, an absolute name without its final dot.
///
/// RFC 6761 section 6.3: "Name resolution APIs SHOULD NOT send queries for localhost names to their
/// configured caching DNS server(s)"; section 6.4 says the same of `invalid`. RFC 7686 section 2:
/// "Resolvers MUST either respond to requests for .onion names by resolving them according to
/// \[tor-rendezvous\] or by responding with NXDOMAIN". The top-level name `onion` itself
/// discloses nothing, so it may be asked for, as it may in Go and c-ares.
pub(crate) fn must_not_be_asked_for(name: &str) -> bool {
    is_in_domain(name, "localhost")
        || is_in_domain(name, "invalid")
        || (name.contains('.') && is_in_domain(name, "onion"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(names: &[&str], expected: Special) {
        for name in names {
            let name: HostName = name.parse().unwrap();
            assert_eq!(classify(&name), expected, "{name}");
        }
    }

    #[test]
    fn su01_b3_localhost_and_all_below_it_is_loopback() {
        let loopback = ["localhost", "LOCALHOST.", "x.localhost", "a.b.LocalHost", "_x.localhost."];
        check(&loopback, Special::Loopback);
        check(&["localhost.example.com", "xlocalhost", "localhost1", "local"], Special::Ordinary);
    }

    #[test]
    fn su02_below_onion_nothing_exists_here() {
        check(&["foo.onion", "FOO.ONION.", "a.b.onion"], Special::NotFound);
        check(&["onion", "onion.", "onion.no", "fooonion", "foo.onions"], Special::Ordinary);
    }

    #[test]
    fn su03_invalid_does_not_exist_and_the_others_are_asked_for() {
        check(&["x.invalid", "X.INVALID.", "a.b.invalid", "invalid."], Special::NotFound);
        let ordinary = [
            "invalid",
            "xinvalid",
            "invalid.example",
            "x.test",
            "x.example",
            "x.home.arpa",
            "x.internal",
            "x.local",
            "x.alt",
            "1.0.0.10.in-addr.arpa",
            "ipv4only.arpa",
        ];
        check(&ordinary, Special::Ordinary);
    }

    proptest! {
        /// A name that is answered here without an address is one that must not be asked for.
        #[test]
        fn what_is_special_is_never_sent(
            name in r"([a-z]{1,3}\.){0,2}(localhost|invalid|onion|[a-z]{1,3})\.?"
        ) {
            let name: HostName = name.parse().unwrap();
            if classify(&name) != Special::Ordinary {
                prop_assert!(must_not_be_asked_for(name.without_final_dot()));
            }
        }
    }
}
