//! [`ReaderThread`]: a thread that reads a part of the configuration.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::thread::JoinHandle;

use crate::process::{ProcessId, without_waiting};

/// A thread that reads a part of the configuration, and what it has read.
#[derive(Debug)]
pub(crate) struct ReaderThread<T> {
    process: ProcessId,
    handle: Option<JoinHandle<()>>,
    reading: Arc<Mutex<Option<T>>>,
}

impl<T: Send + 'static> ReaderThread<T> {
    /// Starts a thread that reads, hands over what it has read, and then calls `tell`; `None`
    /// without a thread.
    pub(crate) fn start(
        name: &str,
        read: impl FnOnce() -> T + Send + 'static,
        tell: impl FnOnce() + Send + 'static,
    ) -> Option<Self> {
        let reading: Arc<Mutex<Option<T>>> = Arc::default();
        let slot = Arc::clone(&reading);
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            let reading = read();
            // Before `tell`: a caller that looks as soon as it is called must find the reading,
            // though this thread has not ended.
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(reading);
            tell();
        });
        Some(Self { process: ProcessId::current(), handle: Some(thread.ok()?), reading })
    }
}

impl<T> ReaderThread<T> {
    /// Whether it is still reading. A forked child does not have the thread of its parent, which
    /// never finishes there.
    pub(crate) fn is_at_work(&self) -> bool {
        self.process.is_current() && self.handle.as_ref().is_some_and(|it| !it.is_finished())
    }

    /// What it has read, once it has; `Ready(None)` if it never will have, because it has panicked
    /// or is the thread of another process.
    pub(crate) fn poll(&self) -> Poll<Option<T>> {
        // Looked at first: it hands over before it ends.
        let is_at_work = self.is_at_work();
        let is_ours = self.process.is_current();
        let reading = without_waiting(&self.reading).and_then(|mut reading| reading.take());
        match reading.filter(|_| is_ours) {
            None if is_at_work => Poll::Pending,
            reading => Poll::Ready(reading),
        }
    }
}

impl<T> Drop for ReaderThread<T> {
    fn drop(&mut self) {
        if !self.process.is_current() {
            // It would detach a thread that this process does not have.
            std::mem::forget(self.handle.take());
        }
    }
}

#[cfg(test)]
impl<T> ReaderThread<T> {
    /// Waits until it has ended.
    #[cfg(target_os = "linux")]
    pub(crate) fn join(mut self) -> std::thread::Result<()> {
        self.handle.take().map_or(Ok(()), JoinHandle::join)
    }

    /// The thread of a process that this one was forked off from.
    pub(crate) fn of_parent(handle: JoinHandle<()>) -> Self {
        Self { process: ProcessId::other(), handle: Some(handle), reading: Arc::default() }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn what_was_read_is_there_when_it_is_told_though_the_thread_has_not_ended() {
        let (told, is_told) = mpsc::channel();
        let (end, may_end) = mpsc::channel::<()>();
        let tell = move || {
            told.send(()).unwrap();
            may_end.recv().unwrap_err();
        };
        let reader = ReaderThread::start("reader", || 7, tell).unwrap();
        is_told.recv().unwrap();
        assert!(reader.is_at_work());
        assert_eq!(reader.poll(), Poll::Ready(Some(7)));
        drop(end);
    }

    #[test]
    fn a_reader_that_panics_has_read_nothing() {
        let read = || -> u8 { panic!("as this test wants it") };
        let reader = ReaderThread::start("reader", read, || {}).unwrap();
        while reader.is_at_work() {
            std::thread::yield_now();
        }
        assert_eq!(reader.poll(), Poll::Ready(None));
    }

    #[test]
    fn at01_a_child_does_not_wait_for_the_thread_of_its_parent() {
        let (end, may_end) = mpsc::channel::<()>();
        let thread = std::thread::spawn(move || assert!(may_end.recv().is_err()));
        let reader: ReaderThread<u8> = ReaderThread::of_parent(thread);
        assert!(!reader.is_at_work());
        assert_eq!(reader.poll(), Poll::Ready(None));
        drop(reader);
        drop(end);
    }
}
