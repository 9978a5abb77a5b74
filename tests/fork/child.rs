//! Waiting for a forked child, which may hang.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// How the child has ended; `None` if it had not after this time, and was killed.
pub(crate) fn status_of(child: Pid, patience: Duration) -> Option<WaitStatus> {
    let began = Instant::now();
    loop {
        match waitpid(child, Some(WaitPidFlag::WNOHANG)).expect("a child") {
            WaitStatus::StillAlive if began.elapsed() < patience => std::thread::yield_now(),
            WaitStatus::StillAlive => {
                kill(child, Signal::SIGKILL).expect("a child to end");
                return None;
            }
            status => return Some(status),
        }
    }
}
