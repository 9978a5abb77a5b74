//! The random source of every seeded test: a seed gives the same run on every machine.
//!
//! Tests that are crates of their own include this file by its path.

use std::ops::Range;
use std::time::Duration;

/// xorshift64* (Vigna, "An experimental exploration of Marsaglia's xorshift generators", 2016).
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        // Neighbouring seeds must not give neighbouring runs, and zero would give zero for ever.
        let mut random =
            Self((seed ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9) | 1);
        for _ in 0..4 {
            random.next();
        }
        random
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(crate) fn below(&mut self, range: Range<u64>) -> u64 {
        range.start + (self.next() >> 16) % (range.end - range.start)
    }

    pub(crate) fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(0..len as u64)).expect("below a usize")
    }

    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.index(items.len())]
    }

    /// Whether something happens that happens so many times in a hundred.
    pub(crate) fn percent(&mut self, chance: u64) -> bool {
        self.below(0..100) < chance
    }

    pub(crate) fn millis(&mut self, range: Range<u64>) -> Duration {
        Duration::from_micros(self.below(range.start * 1000..range.end * 1000))
    }

    pub(crate) fn id(&mut self) -> u16 {
        (self.next() >> 48) as u16
    }
}
