//! Where std's clock counts suspend (Windows, the BSDs), or there is no other.

use std::io;
use std::time::{Duration, Instant};

use mio::{Registry, Token};

/// The resolver's clock. It gives an [`Instant`], for the cores to calculate with; it must not be
/// compared with one that `Instant::now` gave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BootClock {
    origin: Instant,
}

impl BootClock {
    pub(crate) fn new() -> Self {
        Self { origin: Instant::now() }
    }

    /// On Windows and the BSDs std's clock counts suspend, or there is no other.
    pub(crate) fn now(&self) -> Instant {
        Instant::now().max(self.origin)
    }

    /// Zero: it is not known here.
    #[expect(clippy::unused_self, reason = "elsewhere it is used")]
    pub(crate) fn suspended_for(&self) -> Duration {
        Duration::ZERO
    }
}

/// Elsewhere the poll's own timeout is the alarm.
#[derive(Debug)]
pub(crate) struct Alarm;

#[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "elsewhere they are needed")]
impl Alarm {
    pub(crate) fn new(_: &Registry, _: Token) -> io::Result<Self> {
        Ok(Self)
    }

    pub(crate) fn arm(
        &mut self,
        clock: &BootClock,
        deadline: Option<Instant>,
    ) -> io::Result<Option<Duration>> {
        Ok(deadline.map(|deadline| deadline.saturating_duration_since(clock.now())))
    }

    pub(crate) fn handle_event(&mut self) {}
}
