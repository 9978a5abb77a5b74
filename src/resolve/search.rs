//! From a name to the names to ask for, in order: ndots and the search list of resolv.conf(5).

use crate::HostName;

use super::special_names::must_not_be_asked_for;

/// The names to ask for, in the order in which they are tried, for `name` as the caller gave it.
///
/// A name that ends in a dot is tried as it is, alone. Otherwise it is tried below each domain of
/// the search list, and as it is: first, if it has `ndots` dots or more, else last. So do glibc and
/// Go, and RFC 1535 section 6 asks for it: a complete name must not be tried below the search list
/// first, where somebody else may answer.
///
/// Left out are names longer than a name can be, and names that no nameserver may be asked for
/// (see `special_names`). What comes out is absolute and has no final dot.
pub(crate) fn candidates<S: AsRef<[HostName]>>(
    name: &HostName,
    search: S,
    ndots: u8,
) -> Candidates<S> {
    let dots = name.labels().count() - 1;
    Candidates {
        name: name.clone(),
        search,
        as_it_is_first: name.is_absolute() || dots >= usize::from(ndots),
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
        let suffixes = if self.name.is_absolute() { 0 } else { search.len() };
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
