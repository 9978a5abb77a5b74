//! When a native source is read again, and when what was read takes effect.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use super::NativeConfig;
use crate::resolve::config::name_routes::NameRoute;
use crate::resolve::config::reload::{CHECK_INTERVAL, Fingerprint};

/// After this long, a source is read even if its fingerprint is the same: a file in `/etc/resolver`
/// that is edited in place does not change its folder.
const READ_INTERVAL: Duration = Duration::from_secs(60);

/// What was read, and before it the fingerprint and the time.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) config: NativeConfig,
    pub(crate) fingerprint: Option<Vec<Fingerprint>>,
    pub(crate) at: Instant,
}

/// What a reading changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    None,
    /// The diagnostics of the configuration alone.
    Diagnostics,
    Lookups,
}

/// The native configuration between looks.
#[derive(Debug)]
pub(crate) struct NativeWatch {
    in_use: Reading,
    /// When the newest reading was begun, whether or not it took effect.
    last_read: Instant,
    /// The reading before had no nameserver, and did not take effect.
    is_doubted: bool,
    /// The reading before lacked a route, which was kept.
    keeps_routes: bool,
}

impl NativeWatch {
    /// Starts with the first reading, which takes effect whatever it is.
    pub(crate) fn new(first: Reading) -> Self {
        Self { last_read: first.at, in_use: first, is_doubted: false, keeps_routes: false }
    }

    /// The configuration in use.
    pub(crate) fn config(&self) -> &NativeConfig {
        &self.in_use.config
    }

    /// Whether the source is to be read, given its fingerprint now. While no nameserver responds
    /// there are looks every half second, and a reading takes milliseconds: that is too often.
    pub(crate) fn is_due(&self, fingerprint: Option<&[Fingerprint]>, now: Instant) -> bool {
        let read = self.in_use.fingerprint.as_deref();
        let may_have_changed = fingerprint.is_none()
            || fingerprint != read
            || now.saturating_duration_since(self.in_use.at) >= READ_INTERVAL;
        may_have_changed && now.saturating_duration_since(self.last_read) >= CHECK_INTERVAL
    }

    /// Takes a reading. Returns what it changes.
    ///
    /// While a network changes, its adapters are without nameservers for a moment. If there are
    /// none at two looks in a row, that takes effect. So it is with a route, whose names would go
    /// to the nameservers of another network; what is read beside it takes effect at once. A
    /// reading that lacks a source has none, unless the one in use lacks one, too: it may never be
    /// to be had.
    pub(crate) fn handle_read(&mut self, mut reading: Reading) -> Effect {
        self.last_read = reading.at;
        if reading.config.is_partial && !self.config().is_partial {
            return Effect::None;
        }
        let is_without =
            reading.config.nameservers.is_empty() && !self.config().nameservers.is_empty();
        if is_without && !self.is_doubted {
            self.is_doubted = true;
            return Effect::None;
        }
        self.is_doubted = false;
        self.keeps_routes = !self.keeps_routes && self.keep_lost_routes(&mut reading.config);
        if self.keeps_routes {
            // So that it is read again at the next look.
            reading.fingerprint = None;
        }
        let before = std::mem::replace(&mut self.in_use, reading).config;
        if !before.has_effect_of(self.config()) {
            Effect::Lookups
        } else if before.diagnostics != self.config().diagnostics {
            Effect::Diagnostics
        } else {
            Effect::None
        }
    }

    /// Adds the routes in use to a reading that has none with their suffixes. Returns whether there
    /// are any.
    fn keep_lost_routes(&self, read: &mut NativeConfig) -> bool {
        let suffix = |route: &NameRoute| (route.suffix.clone(), route.is_exact);
        let left: HashSet<_> = read.routes.iter().map(suffix).collect();
        let before = read.routes.len();
        for (at, route) in self.config().routes.iter().enumerate() {
            if !left.contains(&suffix(route)) {
                // In its place, so that a reading without anything new is none.
                read.routes.insert(at.min(read.routes.len()), route.clone());
            }
        }
        read.routes.len() > before
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolve::config::name_routes::RouteTarget;
    use crate::resolve::diagnostic::{ConfigSource, DiagnosticCause, Diagnostics};

    fn config(nameserver: Option<&str>) -> NativeConfig {
        let nameservers = nameserver.iter().map(|text| text.parse().unwrap()).collect();
        NativeConfig { nameservers, ..NativeConfig::default() }
    }

    const ONE: Option<&str> = Some("192.0.2.1:53");
    const TWO: Option<&str> = Some("192.0.2.2:53");

    fn reading(config: NativeConfig, len: u64, at: Instant) -> Reading {
        let file = Fingerprint::File { len, inode: 1, modified: None, changed: (0, 0), link: None };
        Reading { config, fingerprint: Some(vec![file]), at }
    }

    #[test]
    fn sy59_it_is_read_when_its_fingerprint_has_changed_or_after_a_minute() {
        let start = Instant::now();
        let watch = NativeWatch::new(reading(config(ONE), 1, start));
        let same = reading(config(ONE), 1, start).fingerprint;
        let other = reading(config(ONE), 2, start).fingerprint;
        let is_due = |print: &Option<Vec<Fingerprint>>, seconds| {
            watch.is_due(print.as_deref(), start + Duration::from_secs(seconds))
        };
        assert!(!is_due(&other, 4) && !is_due(&None, 4), "not at each look of an outage");
        assert!(!is_due(&same, 5) && !is_due(&same, 59));
        assert!(is_due(&same, 60));
        assert!(is_due(&other, 5));
        assert!(is_due(&None, 5), "a source without a fingerprint is read at every look");
    }

    #[test]
    fn sy59_only_what_changes_lookups_is_a_change() {
        let start = Instant::now();
        let mut watch = NativeWatch::new(reading(config(ONE), 1, start));
        assert_eq!(watch.handle_read(reading(config(ONE), 2, start)), Effect::None);
        let read = reading(config(ONE), 2, start);
        let later = start + CHECK_INTERVAL;
        assert!(!watch.is_due(read.fingerprint.as_deref(), later), "it was read as it is");
        let mut told = Diagnostics::new(ConfigSource::Adapters);
        told.note(0, DiagnosticCause::TooManyNameservers, b"192.0.2.4");
        let told = NativeConfig { diagnostics: told.into_vec(), ..config(ONE) };
        assert_eq!(watch.handle_read(reading(told.clone(), 2, start)), Effect::Diagnostics);
        assert_eq!(watch.config(), &told);
        assert_eq!(watch.handle_read(reading(config(TWO), 2, start)), Effect::Lookups);
        assert_eq!(watch.config(), &config(TWO));
    }

    #[test]
    fn sy59_a_moment_without_nameservers_is_waited_out() {
        let start = Instant::now();
        let mut watch = NativeWatch::new(reading(config(ONE), 1, start));
        assert_eq!(watch.handle_read(reading(config(None), 2, start)), Effect::None, "doubted");
        assert_eq!(watch.config(), &config(ONE));
        let print = reading(config(None), 2, start).fingerprint;
        let later = start + CHECK_INTERVAL;
        assert!(watch.is_due(print.as_deref(), later), "it is read again at the next look");
        assert_eq!(watch.handle_read(reading(config(TWO), 2, start)), Effect::Lookups);
        assert_eq!(
            watch.handle_read(reading(config(None), 2, start)),
            Effect::None,
            "doubted anew"
        );
        assert_eq!(watch.handle_read(reading(config(None), 2, start)), Effect::Lookups, "believed");
        assert_eq!(watch.config(), &config(None));
        assert_eq!(watch.handle_read(reading(config(ONE), 2, start)), Effect::Lookups);
    }

    #[test]
    fn sy31_what_cannot_be_read_changes_nothing_and_a_part_of_it_does() {
        let start = Instant::now();
        let mut watch = NativeWatch::new(reading(config(ONE), 1, start));
        let failed = NativeConfig { is_partial: true, ..config(TWO) };
        for _ in 0..3 {
            assert_eq!(watch.handle_read(reading(failed.clone(), 2, start)), Effect::None);
        }
        assert_eq!(watch.config(), &config(ONE));
        let mut part = Diagnostics::new(ConfigSource::Registry);
        part.note(0, DiagnosticCause::Unreadable(std::io::ErrorKind::InvalidData), b"SearchList");
        let part = NativeConfig { diagnostics: part.into_vec(), ..config(TWO) };
        assert_eq!(watch.handle_read(reading(part, 2, start)), Effect::Lookups);
    }
    /// A source that this program may never read must not keep it from following the others.
    #[test]
    fn sy31_what_could_not_be_read_at_the_start_either_keeps_nothing_from_taking_effect() {
        let start = Instant::now();
        let partial = |nameserver| NativeConfig { is_partial: true, ..config(nameserver) };
        let mut watch = NativeWatch::new(reading(partial(ONE), 1, start));
        assert_eq!(watch.handle_read(reading(partial(TWO), 2, start)), Effect::Lookups);
        assert_eq!(watch.handle_read(reading(config(TWO), 2, start)), Effect::None);
        assert_eq!(watch.handle_read(reading(partial(ONE), 2, start)), Effect::None);
        assert_eq!(watch.config(), &config(TWO));
    }

    fn with_routes(nameserver: Option<&str>, suffixes: &[&str]) -> NativeConfig {
        let routes = suffixes.iter().map(|suffix| NameRoute {
            suffix: Some(suffix.parse().unwrap()),
            is_exact: false,
            to: RouteTarget::System,
            order: 0,
            is_search: false,
        });
        NativeConfig { routes: routes.collect(), ..config(nameserver) }
    }

    /// Its names would go to the nameservers of the root route.
    #[test]
    fn sy59_a_route_that_is_gone_for_a_moment_is_kept_and_the_rest_takes_effect() {
        let start = Instant::now();
        let later = start + CHECK_INTERVAL;
        let both = || with_routes(ONE, &["corp.example", "lab.example"]);
        let mut watch = NativeWatch::new(reading(both(), 1, start));
        let without = || with_routes(ONE, &["lab.example"]);
        assert_eq!(watch.handle_read(reading(without(), 2, start)), Effect::None, "doubted");
        assert_eq!(watch.config(), &both());
        let print = reading(without(), 2, start).fingerprint;
        assert!(watch.is_due(print.as_deref(), later), "it is read again at the next look");
        assert_eq!(watch.handle_read(reading(both(), 3, start)), Effect::None);
        // A VPN is taken down, whose nameservers were those of every name.
        let down = || with_routes(TWO, &["lab.example"]);
        assert_eq!(watch.handle_read(reading(down(), 4, start)), Effect::Lookups);
        assert_eq!(watch.config(), &with_routes(TWO, &["corp.example", "lab.example"]));
        assert_eq!(watch.handle_read(reading(down(), 4, later)), Effect::Lookups, "believed");
        assert_eq!(watch.config(), &down());
        assert!(!watch.is_due(print_of(4).as_deref(), later + CHECK_INTERVAL));
    }

    fn print_of(len: u64) -> Option<Vec<Fingerprint>> {
        reading(config(None), len, Instant::now()).fingerprint
    }
}
