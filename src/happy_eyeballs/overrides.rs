//! [`Overrides`]: which targets lead elsewhere.

use crate::{Host, Target};

/// Targets and where connects to them go instead. Pure.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overrides(Vec<(Target, Target)>);

impl Overrides {
    pub(super) fn add(&mut self, from: Target, to: Target) {
        self.0.push((from, to));
    }

    /// Where a connect to `target` goes: the first rule that fits decides, and no rule is applied to
    /// what comes of it.
    pub(crate) fn apply(&self, target: Target) -> Target {
        let fits = |(from, _): &&(Target, Target)| {
            is_same(from.host(), target.host())
                && (from.port().is_none() || from.port() == target.port())
        };
        match self.0.iter().find(fits) {
            Some((_, to)) => to.clone().or_port(target.port()),
            None => target,
        }
    }
}

/// Names compare without regard to case and to a final dot.
fn is_same(a: &Host, b: &Host) -> bool {
    match (a, b) {
        (Host::Name(a), Host::Name(b)) => a.to_relative() == b.to_relative(),
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_that_fits_says_where_a_connect_goes() {
        let mut overrides = Overrides::default();
        for (from, to) in [
            ("api.test:443", "127.0.0.1:8443"),
            ("api.test", "other.test:81"),
            ("other.test", "third.test"),
            ("192.0.2.1:80", "[::1]:8080"),
            ("192.0.2.2", "127.0.0.2"),
        ] {
            overrides.add(from.parse().unwrap(), to.parse().unwrap());
        }
        for (target, expected) in [
            ("api.test:443", "127.0.0.1:8443"),
            ("API.test.:443", "127.0.0.1:8443"),
            ("api.test:80", "other.test:81"),
            ("other.test:443", "third.test:443"),
            ("x.api.test:443", "x.api.test:443"),
            ("192.0.2.1:80", "[::1]:8080"),
            ("192.0.2.1:81", "192.0.2.1:81"),
            ("192.0.2.2:81", "127.0.0.2:81"),
        ] {
            let found = overrides.apply(target.parse().unwrap());
            assert_eq!(found.to_string(), expected, "{target}");
        }
    }
}
