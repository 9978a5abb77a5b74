//! [`PerProcess`]: a value for each process, across forks.

use std::sync::OnceLock;

/// The process in which a value was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProcessId(u32);

impl ProcessId {
    pub(crate) fn current() -> Self {
        Self(std::process::id())
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
        let process = ProcessId::current();
        let mut this = self;
        while this.process != process {
            this = this.child.get_or_init(|| Box::new(Self::new(make(&this.value))));
        }
        &this.value
    }

    /// The value of the process that made this, for those of its parts that every process may read.
    pub(crate) fn original(&self) -> &T {
        &self.value
    }
}
