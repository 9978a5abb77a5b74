//! The boot clock, and an alarm on it.
//!
//! Time that passes while the machine is suspended counts: a lookup that was pending during the
//! night has timed out in the morning. `std::time::Instant` is the monotonic clock on Linux, which
//! stands still in suspend, so the resolver keeps a clock of its own.

use crate::os;

os::cfg_boot_clock! {
    mod boot;
    pub(crate) use boot::{Alarm, BootClock};
}

os::cfg_no_boot_clock! {
    mod monotonic;
    pub(crate) use monotonic::{Alarm, BootClock};
}
