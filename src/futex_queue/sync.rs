//! The lock and the threads of the queue: from `std`, or from loom in its models.
//!
//! The choice is made once, here; the rest of the queue names only this module.

#[cfg(not(outrace_loom))]
pub(super) use std::{
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    thread::{Thread, current, park, park_timeout},
    thread_local,
};

#[cfg(outrace_loom)]
pub(super) use self::model::{Thread, current, park, park_timeout};
#[cfg(outrace_loom)]
pub(super) use loom::{
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    thread_local,
};

/// Park and unpark for the models.
///
/// Loom has both, but its unpark may release a thread that waits for a mutex. So these are built
/// from loom's mutex and condition variable, and behave as a futex does: a token, and a sleep that
/// starts only while there is none. A lost wake shows as a deadlock.
#[cfg(outrace_loom)]
mod model {
    use std::sync::Arc;
    use std::time::Duration;

    use loom::sync::{Condvar, Mutex};
    use loom::thread_local;

    #[derive(Clone)]
    pub(in super::super) struct Thread(Arc<(Mutex<bool>, Condvar)>);

    thread_local! {
        static CURRENT: Thread = Thread(Arc::new((Mutex::new(false), Condvar::new())));
    }

    impl Thread {
        pub(in super::super) fn unpark(&self) {
            let (token, changed) = &*self.0;
            *token.lock().expect("no panic under this lock") = true;
            changed.notify_one();
        }
    }

    pub(in super::super) fn current() -> Thread {
        CURRENT.with(Thread::clone)
    }

    pub(in super::super) fn park() {
        let thread = current();
        let (token, changed) = &*thread.0;
        let mut token = token.lock().expect("no panic under this lock");
        while !*token {
            token = changed.wait(token).expect("no panic under this lock");
        }
        *token = false;
    }

    /// Loom has no time: in a model, a thread with a deadline waits as if it had none.
    pub(in super::super) fn park_timeout(_: Duration) {
        park();
    }
}
