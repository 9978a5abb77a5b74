//! From a name to the names to ask for, in order: ndots and the search list of resolv.conf(5).

use crate::HostName;

use super::special_names::must_not_be_asked_for;

/// Which names are tried below the search list, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SearchRule {
    /// Every name, as resolv.conf(5) has it: one with so many dots or more after it was tried as it
    /// is, any other before. So do glibc and Go, and RFC 1535 says why: a complete name must not be
    /// tried below the search list first, where another zone may answer.
    Ndots(u8),
    /// Names without a dot, before they are tried as they are; a name with a dot is tried as it is,
    /// alone. So does Windows, unless a policy says otherwise.
    SingleLabelsOnly,
}

impl SearchRule {
    /// Whether a name is tried below the search list at all.
    pub(crate) fn applies_to(self, name: &HostName) -> bool {
        !name.is_absolute() && (self != Self::SingleLabelsOnly || dots(name) == 0)
    }
}

fn dots(name: &HostName) -> usize {
    name.labels().count() - 1
}

impl Default for SearchRule {
    /// The default of resolv.conf(5).
    fn default() -> Self {
        Self::Ndots(1)
    }
}

/// The names to ask for, in the order in which they are tried, for `name` as the caller gave it.
///
/// A name that ends in a dot is tried as it is, alone. Otherwise it is tried as it is, and below
/// each domain of the search list if `rule` says so, in the order of `rule`.
///
/// Left out are names longer than a name can be, and names that no nameserver may be asked for
/// (see `special_names`). What comes out is absolute and has no final dot.
pub(crate) fn candidates<S: AsRef<[HostName]>>(
    name: &HostName,
    search: S,
    rule: SearchRule,
) -> Candidates<S> {
    let is_searched = rule.applies_to(name);
    let ndots = match rule {
        SearchRule::Ndots(ndots) => ndots.into(),
        SearchRule::SingleLabelsOnly => 1,
    };
    Candidates {
        name: name.clone(),
        search,
        is_searched,
        as_it_is_first: !is_searched || dots(name) >= ndots,
        no_tld_query: false,
        position: 0,
    }
}

/// The iterator that [`candidates`] returns. A name is made when it is asked for, and not before:
/// most lookups end with the first.
#[derive(Clone, Debug)]
pub(crate) struct Candidates<S> {
    name: HostName,
    search: S,
    is_searched: bool,
    as_it_is_first: bool,
    no_tld_query: bool,
    /// How many of the name as it is and of the search list were tried or left out.
    position: usize,
}

impl<S: AsRef<[HostName]>> Candidates<S> {
    /// With `no-tld-query` of resolv.conf(5), a name without a dot is not tried as it is once it
    /// was tried below the search list: most such names are no top-level domains.
    pub(crate) fn no_tld_query(mut self, no_tld_query: bool) -> Self {
        self.no_tld_query = no_tld_query;
        self
    }

    fn as_it_is(&self) -> Option<HostName> {
        let after_search = !self.as_it_is_first && !self.search.as_ref().is_empty();
        let left_out = self.no_tld_query && after_search && self.name.labels().count() == 1;
        (!left_out).then(|| self.name.to_relative())
    }
}

impl<S: AsRef<[HostName]>> Iterator for Candidates<S> {
    type Item = HostName;

    fn next(&mut self) -> Option<HostName> {
        let search = self.search.as_ref();
        let suffixes = if self.is_searched { search.len() } else { 0 };
        let as_it_is = if self.as_it_is_first { 0 } else { suffixes };
        while self.position <= suffixes {
            let position = self.position;
            self.position += 1;
            let candidate = if position == as_it_is {
                self.as_it_is()
            } else {
                self.name.below(&search[position - usize::from(self.as_it_is_first)])
            };
            match candidate {
                Some(name) if !must_not_be_asked_for(name.as_str()) => return Some(name),
                // Longer than a name can be, or not to be sent: the next one.
                _ => {}
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(texts: &[&str]) -> Vec<HostName> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn order(name: &str, search: &[&str], ndots: u8) -> Vec<String> {
        let name = name.parse().unwrap();
        let all = candidates(&name, names(search), SearchRule::Ndots(ndots));
        all.map(|name| name.to_string()).collect()
    }

    #[test]
    fn the_order_of_candidates() {
        let list: &[&str] = &["a.example", "b.example.", "c"];
        for (id, name, search, ndots, expected) in [
            ("SE01, SE02", "www", list, 1, &["www.a.example", "www.b.example", "www.c", "www"][..]),
            ("SE04", "www.x", list, 1, &["www.x", "www.x.a.example", "www.x.b.example", "www.x.c"]),
            ("SE04", "w.x", list, 2, &["w.x.a.example", "w.x.b.example", "w.x.c", "w.x"]),
            ("SE04", "w.w.x", list, 2, &["w.w.x", "w.w.x.a.example", "w.w.x.b.example", "w.w.x.c"]),
            ("SE05", "www.", list, 1, &["www"]),
            ("SE05", "www.x.", list, 5, &["www.x"]),
            ("SE06", "www", list, 0, &["www", "www.a.example", "www.b.example", "www.c"]),
            ("no search list", "www", &[], 1, &["www"]),
            ("no search list", "www.x", &[], 5, &["www.x"]),
            ("case is kept", "WWW", &["Example"], 1, &["WWW.Example", "WWW"]),
        ] {
            assert_eq!(order(name, search, ndots), expected, "{id}: {name} with ndots {ndots}");
        }
    }

    /// Kubernetes: a name of the outside has four dots at most, and is tried in the cluster first.
    #[test]
    fn se01_b48_ndots_5() {
        let search = ["default.svc.cluster.local", "svc.cluster.local", "cluster.local"];
        let expected = [
            "api.example.com.default.svc.cluster.local",
            "api.example.com.svc.cluster.local",
            "api.example.com.cluster.local",
            "api.example.com",
        ];
        assert_eq!(order("api.example.com", &search, 5), expected);
        assert_eq!(order("api.example.com.", &search, 5), ["api.example.com"]);
        assert_eq!(order("a.b.c.d.e.f", &search, 5)[0], "a.b.c.d.e.f");
    }

    #[test]
    fn se08_a_name_that_gets_too_long_is_left_out() {
        let name = ["a".repeat(63), "b".repeat(63), "c".repeat(63)].join(".");
        let fits = "d".repeat(253 - name.len() - 1);
        let too_long = format!("{fits}d");
        let order = order(&name, &[&too_long, &fits, "e"], 5);
        assert_eq!(order, [format!("{name}.{fits}"), format!("{name}.e"), name]);
        assert_eq!(order[0].len(), 253);
    }

    #[test]
    fn se12_names_no_nameserver_may_see_are_left_out() {
        let search = ["onion.", "a.onion", "example", "invalid", "localhost"];
        assert_eq!(order("www", &search, 1), ["www.example", "www"]);
        assert_eq!(order("x.invalid.", &search, 1), [""; 0]);
        assert_eq!(order("invalid", &["example"], 1), ["invalid.example"]);
        assert_eq!(order("onion", &["example"], 1), ["onion.example", "onion"]);
    }

    #[test]
    fn no_tld_query_leaves_out_the_bare_label_after_the_search_list() {
        let order = |name: &str, search: &[&str], ndots| -> Vec<String> {
            let rule = SearchRule::Ndots(ndots);
            let all = candidates(&name.parse().unwrap(), names(search), rule).no_tld_query(true);
            all.map(|name| name.to_string()).collect()
        };
        assert_eq!(order("www", &["a", "b"], 1), ["www.a", "www.b"]);
        assert_eq!(order("www", &[], 1), ["www"], "nothing else to try");
        assert_eq!(order("www", &["a"], 0), ["www", "www.a"], "ndots asks for it first");
        assert_eq!(order("www.", &["a"], 1), ["www"], "the dot asks for it");
        assert_eq!(order("w.x", &["a"], 2), ["w.x.a", "w.x"], "not a single label");
    }

    #[test]
    fn sy35_suffixes_for_names_without_a_dot_alone() {
        let order = |name: &str, search: &[&str]| -> Vec<String> {
            let rule = SearchRule::SingleLabelsOnly;
            let all = candidates(&name.parse().unwrap(), names(search), rule);
            all.map(|name| name.to_string()).collect()
        };
        assert_eq!(order("www", &["a", "b"]), ["www.a", "www.b", "www"]);
        assert_eq!(order("www", &[]), ["www"]);
        assert_eq!(order("www.", &["a"]), ["www"]);
        assert_eq!(order("www.x", &["a", "b"]), ["www.x"]);
        assert_eq!(order("www.x.", &["a"]), ["www.x"]);
    }

    proptest! {
        #[test]
        fn each_candidate_can_be_sent_and_comes_once(
            name in r"([a-z]{1,63}\.){0,4}([a-z]{1,3}|onion)\.?",
            search in prop::collection::btree_set(r"([a-z]{1,63}\.){0,3}([a-z]{1,3}|onion|invalid)", 0..4),
            rule in prop_oneof![
                (0..4_u8).prop_map(SearchRule::Ndots),
                Just(SearchRule::SingleLabelsOnly),
            ],
        ) {
            let name: HostName = name.parse().unwrap();
            let search: Vec<HostName> = search.iter().map(|text| text.parse().unwrap()).collect();
            let all: Vec<HostName> = candidates(&name, &search, rule).collect();
            for (i, candidate) in all.iter().enumerate() {
                prop_assert!(!candidate.is_absolute() && !must_not_be_asked_for(candidate.as_str()));
                prop_assert!(!all[..i].contains(candidate), "{candidate} twice");
                prop_assert_eq!(&candidate.as_str().parse::<HostName>().unwrap(), candidate);
            }
            let most = if name.is_absolute() { 1 } else { search.len() + 1 };
            prop_assert!(all.len() <= most);
        }
    }
}
