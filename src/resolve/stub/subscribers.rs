//! The lookups that wait for one question.

use super::ids::LookupId;

/// The lookups that wait for one question, in the order in which they asked.
///
/// A crowd may wait for one name and leave it at the same moment, so one that leaves is not searched
/// for: it is counted off, and its place is cleared when most places are of lookups that have left.
/// Which lookups still wait is known to the lookups themselves.
#[derive(Debug, Default)]
pub(super) struct Subscribers {
    places: Vec<LookupId>,
    waiting: usize,
}

impl Subscribers {
    pub(super) fn add(&mut self, lookup: LookupId) {
        self.places.push(lookup);
        self.waiting += 1;
    }

    /// A lookup has left; `is_waiting` is `false` for it from now on.
    pub(super) fn remove_one(&mut self, is_waiting: impl Fn(LookupId) -> bool) {
        self.waiting -= 1;
        if self.places.len() > 2 * self.waiting {
            self.places.retain(|&lookup| is_waiting(lookup));
        }
    }

    /// All places: those of lookups that have left are to be skipped.
    pub(super) fn places(&self) -> &[LookupId] {
        &self.places
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// How many wait.
    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.waiting).unwrap_or(u32::MAX)
    }

    /// Takes all places: those of lookups that have left are to be skipped.
    pub(super) fn take(&mut self) -> Vec<LookupId> {
        self.waiting = 0;
        std::mem::take(&mut self.places)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::collections::HashSet;

    use super::*;

    /// However they leave, a crowd costs no more than a few looks for each of it.
    #[test]
    fn at14_leaving_costs_the_same_for_one_and_for_a_hundred_thousand() {
        for crowd in [1, 1_000, 100_000] {
            let orders: [fn(u64, u64) -> u64; 3] =
                [|n, _| n, |n, crowd| crowd - 1 - n, |n, crowd| n * 7_919 % crowd];
            for order in orders {
                let waiting = RefCell::new((0..crowd).collect::<HashSet<_>>());
                let looks = Cell::new(0);
                let mut subscribers = Subscribers::default();
                (0..crowd).for_each(|id| subscribers.add(LookupId(id)));
                for n in 0..crowd {
                    assert!(!subscribers.is_empty());
                    assert!(waiting.borrow_mut().remove(&order(n, crowd)));
                    subscribers.remove_one(|lookup| {
                        looks.set(looks.get() + 1);
                        waiting.borrow().contains(&lookup.0)
                    });
                }
                assert!(subscribers.is_empty() && subscribers.take().is_empty());
                assert!(looks.get() <= 2 * crowd, "{} looks for {crowd}", looks.get());
            }
        }
    }

    /// Those that come and go while one stays leave no places behind.
    #[test]
    fn at14_places_are_at_most_twice_the_lookups_that_wait() {
        let mut subscribers = Subscribers::default();
        subscribers.add(LookupId(0));
        for id in 1..=10_000 {
            subscribers.add(LookupId(id));
            subscribers.remove_one(|lookup| lookup == LookupId(0));
            assert!(subscribers.places.len() <= 2);
        }
        assert_eq!(subscribers.take()[0], LookupId(0));
    }
}
