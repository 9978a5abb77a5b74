//! The boot clock of Linux, and a timerfd on it.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{self, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use nix::time::{ClockId, clock_gettime};

/// The resolver's clock. It gives an [`Instant`], for the cores to calculate with; it must not be
/// compared with one that `Instant::now` gave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BootClock {
    origin: Instant,
    boot_origin: Duration,
}

impl BootClock {
    pub(crate) fn new() -> Self {
        Self { origin: Instant::now(), boot_origin: boot_time() }
    }

    pub(crate) fn now(&self) -> Instant {
        self.origin + boot_time().saturating_sub(self.boot_origin)
    }

    /// For how long in all the machine was suspended since this clock was made.
    pub(crate) fn suspended_for(&self) -> Duration {
        (boot_time().saturating_sub(self.boot_origin)).saturating_sub(self.origin.elapsed())
    }

    fn boot_time_at(&self, at: Instant) -> Duration {
        self.boot_origin + at.saturating_duration_since(self.origin)
    }
}

fn boot_time() -> Duration {
    clock_gettime(ClockId::CLOCK_BOOTTIME)
        .expect("every Linux that Rust supports has the boot clock")
        .into()
}

/// An alarm that is so late may not go off at all, since the program has closed the timerfd: it is
/// set once more, which tells.
const GRACE: Duration = Duration::from_millis(500);

/// A timerfd on the boot clock: it wakes a machine's resolver as soon as it is out of suspend.
#[derive(Debug)]
pub(crate) struct Alarm {
    fd: TimerFd,
    armed: Option<Instant>,
}

impl Alarm {
    pub(crate) fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let fd = TimerFd::new(timerfd::ClockId::CLOCK_BOOTTIME, flags)?;
        registry.register(&mut SourceFd(&fd.as_fd().as_raw_fd()), token, Interest::READABLE)?;
        Ok(Self { fd, armed: None })
    }

    /// Makes the poll return at `deadline`, or before. Returns the poll's timeout: none, as the
    /// timerfd ends it.
    ///
    /// An alarm that is too early is left as it is: nearly every deadline is later than the one
    /// before, and a wake for nothing is cheaper than a system call for each.
    ///
    /// # Errors
    ///
    /// The timerfd is not there any more: the program has closed it.
    pub(crate) fn arm(
        &mut self,
        clock: &BootClock,
        deadline: Option<Instant>,
    ) -> io::Result<Option<Duration>> {
        let overdue = self.armed.filter(|&armed| clock.now() >= armed + GRACE);
        let Some(deadline) = deadline.or(overdue) else { return Ok(None) };
        if overdue.is_none() && self.armed.is_some_and(|armed| armed <= deadline) {
            return Ok(None);
        }
        let at = Expiration::OneShot(TimeSpec::from(clock.boot_time_at(deadline)));
        self.fd.set(at, TimerSetTimeFlags::TFD_TIMER_ABSTIME)?;
        self.armed = Some(deadline);
        Ok(None)
    }

    /// The alarm went off. It need not be read: setting it again makes it ready again.
    pub(crate) fn handle_event(&mut self) {
        self.armed = None;
    }
}
