//! Values across forks: [`PerProcess`], of which each process has its own, and [`FirstUse`], made when
//! it is first needed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, TryLockError};

use crate::os;

/// The process in which a value was made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProcessId {
    pid: u32,
    /// Known of the first process of a PID namespace alone.
    namespace: Option<u64>,
}

impl ProcessId {
    pub(crate) fn current() -> Self {
        let pid = std::process::id();
        Self { pid, namespace: if pid == 1 { os::pid_namespace() } else { None } }
    }

    /// Whether this is the current process, and not one that it was forked off from.
    pub(crate) fn is_current(self) -> bool {
        // The first process of a PID namespace may have a child that is the first of another one,
        // with the same pid. All others are spared the look.
        self.pid == std::process::id() && (self.pid != 1 || self.is_in_current_namespace())
    }

    /// A process that this one was forked off from.
    #[cfg(test)]
    pub(crate) fn other() -> Self {
        Self { pid: std::process::id() + 1, namespace: None }
    }

    /// A number that is not that of another process that is alive, and not 0.
    fn number(self) -> u64 {
        u64::from(self.pid) ^ self.namespace.unwrap_or(0).rotate_left(32)
    }

    fn is_in_current_namespace(self) -> bool {
        let namespaces = self.namespace.zip(os::pid_namespace());
        namespaces.is_none_or(|(own, current)| own == current)
    }
}

/// What the lock is about, unless another thread has it at this moment: in a forked child that may be
/// a thread of its parent, which never gives it back.
pub(crate) fn without_waiting<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// A value that belongs to the process that made it.
///
/// A forked child has a copy of its parent's memory, but not its threads: a lock in it may be held
/// for good. So a child does not use the parent's value, but makes one of its own.
pub(crate) struct PerProcess<T> {
    process: ProcessId,
    value: T,
    child: FirstUse<Box<PerProcess<T>>>,
}

impl<T> PerProcess<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { process: ProcessId::current(), value, child: FirstUse::new() }
    }

    /// The value of the current process. In a forked child, the first call makes it from the
    /// parent's.
    pub(crate) fn get(&self, make: impl Fn(&T) -> T) -> &T {
        let mut last = self;
        while let Some(child) = last.child.get() {
            last = child;
        }
        // The others are those of ancestors, one of which may have had the pid that is this
        // process's now.
        if !last.process.is_current() {
            last = last.child.get_or_make(|| Box::new(Self::new(make(&last.value))));
        }
        &last.value
    }

    /// The value of the process that made this, for those of its parts that every process may read.
    pub(crate) fn original(&self) -> &T {
        &self.value
    }
}

/// How many generations of processes may be forked off in the middle of a first use, one after the
/// other, so that the last of them can still make the value.
const MAKERS: usize = 4;

/// A value that is made when it is first needed.
///
/// A child that was forked off while a thread was making it must not wait for that thread, which it
/// does not have, as it would with a `OnceLock` alone. So making is claimed by a process, and a
/// child makes its own in another place.
pub(crate) struct FirstUse<T> {
    places: [Place<T>; MAKERS],
}

struct Place<T> {
    /// The number of the process that makes the value, or 0.
    maker: AtomicU64,
    value: OnceLock<T>,
}

impl<T> FirstUse<T> {
    pub(crate) const fn new() -> Self {
        Self {
            places: [const { Place { maker: AtomicU64::new(0), value: OnceLock::new() } }; MAKERS],
        }
    }

    pub(crate) fn get(&self) -> Option<&T> {
        self.places.iter().find_map(|place| place.value.get())
    }

    /// The value; the first caller makes it, and others of its process wait for that.
    pub(crate) fn get_or_make(&self, make: impl FnOnce() -> T) -> &T {
        if let Some(value) = self.get() {
            return value;
        }
        let [places @ .., last] = &self.places;
        let number = ProcessId::current().number();
        // Orders nothing: the value is published by its `OnceLock`.
        let is_ours = |place: &&Place<T>| {
            let order = Ordering::Relaxed;
            let before = place.maker.compare_exchange(0, number, order, order);
            before.map_or_else(|maker| maker == number, |_| true)
        };
        places.iter().find(is_ours).unwrap_or(last).value.get_or_init(make)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at01_a_child_does_not_wait_for_a_first_use_in_its_parent() {
        let value = FirstUse::new();
        assert_eq!(value.get(), None);
        // Its thread was in the middle of making it when this process was forked off.
        value.places[0].maker.store(1 + u64::from(u32::MAX), Ordering::Relaxed);
        assert_eq!(*value.get_or_make(|| "the child's"), "the child's");
        assert_eq!(value.places[0].value.get(), None);
        assert_eq!(*value.get_or_make(|| "not needed"), "the child's");
        assert_eq!(value.get(), Some(&"the child's"));
    }

    /// It is a system call, for each of the lookups of a process.
    #[test]
    fn at10_a_process_that_is_not_the_first_does_not_look_at_its_namespace() {
        if std::process::id() != 1 {
            assert_eq!(ProcessId::current().namespace, None);
        }
    }

    #[test]
    fn at10_a_process_has_a_number_that_is_not_that_of_another_and_not_nought() {
        let number = ProcessId::current().number();
        assert_ne!(number, 0, "that is the mark of a place that is free");
        assert_ne!(number, ProcessId::other().number());
        let first = |namespace| ProcessId { pid: 1, namespace: Some(namespace) }.number();
        assert_ne!(first(4_026_531_836), first(4_026_532_001));
        assert!([0, 1].map(first).iter().all(|&number| number != 0));
    }

    #[test]
    fn a_value_is_made_once() {
        let value = FirstUse::new();
        let threads = || {
            std::thread::scope(|scope| {
                let threads: Vec<_> = (0..4)
                    .map(|n| {
                        scope.spawn({
                            let value = &value;
                            move || *value.get_or_make(|| n)
                        })
                    })
                    .collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
            })
        };
        let made = threads();
        assert!(made.iter().all(|&other| other == made[0]), "{made:?}");
    }

    /// The process that made the value has ended, its child has made its own, and this one, the
    /// child's child, was given the pid of the first.
    #[test]
    fn at06_a_pid_that_is_used_again_is_another_process() {
        let values = PerProcess::new("first");
        assert_eq!(*values.get(|_| "not needed"), "first");
        let mut of_child = PerProcess::new("its child's");
        of_child.process = ProcessId::other();
        values.child.get_or_make(|| Box::new(of_child));
        assert_eq!(*values.get(|_| "this one's"), "this one's");
        assert_eq!(*values.get(|_| "not needed"), "this one's");
        assert_eq!(*values.original(), "first");
    }
}
