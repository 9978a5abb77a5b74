//! When a configuration file is read again, and when its new contents take effect.
//!
//! It does no I/O: [`files`](super::files) reads the metadata and the contents.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// The shortest time between two looks at the files, which lookups make.
///
/// Go's resolver has the same: after a network change, lookups fail for five seconds at most.
pub(crate) const CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// The same while no nameserver responds: the file may be about to be corrected.
pub(crate) const URGENT_CHECK_INTERVAL: Duration = Duration::from_millis(500);

/// The shortest suspension of the machine after which nameserver state is reset, since the network
/// may be another one.
pub(crate) const MIN_SUSPENSION: Duration = Duration::from_secs(5);

/// The metadata that shows whether a file has changed.
///
/// The modification time alone does not show it: a file that is renamed into place may be older,
/// and some systems give every file the same time. Nor does the metadata of a link's destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fingerprint {
    /// There is no such file.
    Missing,
    /// It exists, and its metadata cannot be read.
    Unreadable(std::io::ErrorKind),
    /// A file.
    File {
        len: u64,
        /// 0 where the system has none.
        inode: u64,
        modified: Option<SystemTime>,
        /// When anything about it changed, its permissions included: seconds and nanoseconds, 0
        /// where the system does not know.
        changed: (i64, i64),
        /// The destination, if it is a link.
        link: Option<PathBuf>,
    },
}

/// The state of one file between looks.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    /// The fingerprint of the contents that are in use.
    read: Fingerprint,
    /// The contents that were read last had nothing usable, and did not take effect.
    is_doubted: bool,
}

/// Whether the new contents of a file take effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// They take effect.
    Believed,
    /// The file may be half written: the previous contents hold until the next look.
    Doubted,
}

impl Watch {
    /// Starts with the first read of a file, whose contents take effect whatever they are.
    pub(crate) fn new(read: Fingerprint) -> Self {
        Self { read, is_doubted: false }
    }

    /// Returns whether the contents in use are those of a file that is not there.
    pub(crate) fn is_missing(&self) -> bool {
        self.read == Fingerprint::Missing
    }

    /// Returns whether the file has to be read, given its fingerprint now.
    pub(crate) fn has_changed(&mut self, now: &Fingerprint) -> bool {
        if *now == self.read {
            // Changes that were undone in between do not count.
            self.is_doubted = false;
            return false;
        }
        true
    }

    /// Decides whether contents that were read between the fingerprints `before` and `after` take
    /// effect. `makes_sense` is whether they have anything usable. It is not called for a file that
    /// could not be read, which is read again at the next look.
    ///
    /// A file without usable contents may be one that is being written: truncated first, or removed
    /// for a moment. If there are none at two looks in a row, [`CHECK_INTERVAL`] apart, they take
    /// effect.
    pub(crate) fn judge(
        &mut self,
        before: Fingerprint,
        after: &Fingerprint,
        makes_sense: bool,
    ) -> Trust {
        let is_sound = makes_sense && before == *after;
        if !is_sound && !self.is_doubted {
            self.is_doubted = true;
            return Trust::Doubted;
        }
        self.is_doubted = false;
        self.read = before;
        Trust::Believed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(len: u64, inode: u64) -> Fingerprint {
        let modified = Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1));
        Fingerprint::File { len, inode, modified, changed: (0, 0), link: None }
    }

    /// A look at a file that does not change while it is read.
    fn look(watch: &mut Watch, now: &Fingerprint, makes_sense: bool) -> Option<Trust> {
        watch.has_changed(now).then(|| watch.judge(now.clone(), now, makes_sense))
    }

    #[test]
    fn rc20_another_file_of_the_same_size_and_time_is_read() {
        let mut watch = Watch::new(file(10, 1));
        assert_eq!(look(&mut watch, &file(10, 1), true), None);
        assert_eq!(look(&mut watch, &file(10, 2), true), Some(Trust::Believed));
        assert_eq!(look(&mut watch, &file(10, 2), true), None);
    }

    #[test]
    fn rc20_a_link_that_leads_elsewhere_is_followed() {
        let link = |target: &str| {
            let Fingerprint::File { len, inode, modified, changed, .. } = file(10, 1) else {
                unreachable!("made so")
            };
            Fingerprint::File { len, inode, modified, changed, link: Some(target.into()) }
        };
        let mut watch = Watch::new(link("/run/one"));
        assert_eq!(look(&mut watch, &link("/run/two"), true), Some(Trust::Believed));
    }

    #[test]
    fn rc21_what_makes_no_sense_is_believed_the_second_time() {
        for broken in [file(0, 1), Fingerprint::Missing] {
            let mut watch = Watch::new(file(10, 1));
            assert_eq!(look(&mut watch, &broken, false), Some(Trust::Doubted));
            assert_eq!(look(&mut watch, &broken, false), Some(Trust::Believed));
            assert_eq!(look(&mut watch, &broken, false), None);
            assert_eq!(look(&mut watch, &file(11, 1), true), Some(Trust::Believed), "healed");
        }
    }

    #[test]
    fn rc21_a_moment_without_a_file_leaves_no_trace() {
        let mut watch = Watch::new(file(10, 1));
        assert_eq!(look(&mut watch, &Fingerprint::Missing, false), Some(Trust::Doubted));
        assert_eq!(look(&mut watch, &file(10, 1), true), None);
        assert_eq!(look(&mut watch, &Fingerprint::Missing, false), Some(Trust::Doubted));
        assert_eq!(look(&mut watch, &file(20, 2), true), Some(Trust::Believed));
    }

    /// Each doubt is about one change: the next one is doubted anew.
    #[test]
    fn at10_what_was_believed_leaves_no_doubt() {
        let mut watch = Watch::new(file(10, 1));
        for inode in [2, 4] {
            assert_eq!(look(&mut watch, &Fingerprint::Missing, false), Some(Trust::Doubted));
            assert_eq!(look(&mut watch, &file(10, inode), true), Some(Trust::Believed));
            assert_eq!(look(&mut watch, &file(0, inode), false), Some(Trust::Doubted));
            assert_eq!(look(&mut watch, &file(0, inode), false), Some(Trust::Believed));
        }
    }

    #[test]
    fn ho14_a_file_that_grows_while_it_is_read_is_read_again() {
        let mut watch = Watch::new(file(10, 1));
        assert!(watch.has_changed(&file(20, 1)));
        assert_eq!(watch.judge(file(20, 1), &file(30, 1), true), Trust::Doubted);
        assert_eq!(look(&mut watch, &file(40, 1), true), Some(Trust::Believed));
    }

    #[test]
    fn what_was_used_after_a_doubt_is_the_state_from_before_the_read() {
        let mut watch = Watch::new(file(10, 1));
        for _ in 0..2 {
            watch.judge(file(20, 1), &file(30, 1), true);
        }
        assert!(watch.has_changed(&file(30, 1)), "the rest of it is still to be read");
    }
}
