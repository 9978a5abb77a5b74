//! [`PerProcess`]: a value for each process, across forks.

use std::sync::OnceLock;

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

    fn is_in_current_namespace(self) -> bool {
        let namespaces = self.namespace.zip(os::pid_namespace());
        namespaces.is_none_or(|(own, current)| own == current)
    }
}

/// A value that belongs to the process that made it.
///
/// A forked child has a copy of its parent's memory, but not its threads: a lock in it may be held
/// for good. So a child does not use the parent's value, but makes one of its own.
pub(crate) struct PerProcess<T> {
    process: ProcessId,
    value: T,
    child: OnceLock<Box<PerProcess<T>>>,
}

impl<T> PerProcess<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { process: ProcessId::current(), value, child: OnceLock::new() }
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
            last = last.child.get_or_init(|| Box::new(Self::new(make(&last.value))));
        }
        &last.value
    }

    /// The value of the process that made this, for those of its parts that every process may read.
    pub(crate) fn original(&self) -> &T {
        &self.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The process that made the value has ended, its child has made its own, and this one, the
    /// child's child, was given the pid of the first.
    #[test]
    fn at06_a_pid_that_is_used_again_is_another_process() {
        let values = PerProcess::new("first");
        assert_eq!(*values.get(|_| "not needed"), "first");
        let mut of_child = PerProcess::new("its child's");
        of_child.process.pid = 1 + std::process::id();
        assert!(values.child.set(Box::new(of_child)).is_ok());
        assert_eq!(*values.get(|_| "this one's"), "this one's");
        assert_eq!(*values.get(|_| "not needed"), "this one's");
        assert_eq!(*values.original(), "first");
    }
}
