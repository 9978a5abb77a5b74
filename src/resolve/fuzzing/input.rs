//! The fuzzer's bytes, taken from the front.

use std::cell::Cell;
use std::rc::Rc;

/// What is left of the fuzzer's bytes. Clones share it, so that everybody who has a choice to make
/// takes it from the same row. When it is used up every choice is zero, which each user of it makes
/// the plain case, so that an input has an end.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    bytes: Rc<[u8]>,
    at: Rc<Cell<usize>>,
}

impl Input {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        Self { bytes: bytes.into(), at: Rc::default() }
    }

    pub(crate) fn is_used_up(&self) -> bool {
        self.at.get() >= self.bytes.len()
    }

    pub(crate) fn byte(&self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    pub(crate) fn word(&self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    /// Below `len`, which is at most 256.
    pub(crate) fn index(&self, len: usize) -> usize {
        usize::from(self.byte()) % len
    }

    /// The first when the input is used up.
    pub(crate) fn pick<'a, T>(&self, items: &'a [T]) -> &'a T {
        &items[self.index(items.len())]
    }

    /// So many bytes, or as many as there are.
    pub(crate) fn take(&self, len: usize) -> &[u8] {
        let start = self.at.get().min(self.bytes.len());
        let end = start.saturating_add(len).min(self.bytes.len());
        self.at.set(end);
        &self.bytes[start..end]
    }
}
