//! Which places of a table are free, to be used again.
//!
//! The tables of tasks and of timers are found by index, so which free place is taken next is a matter
//! of speed alone. Taken in the reverse of the order in which they became free, as a plain stack would
//! have it, places are soon in a random order: when a hundred thousand sleeping tasks have ended in the
//! order of their deadlines, the next hundred thousand would each be written to another page of memory.
//! Here the one that became free last is taken first, and then the lowest. So the table is filled from its
//! start to its end, which the processor foresees: it fetches the next page before it is asked for.

/// The free places.
pub(crate) struct Free {
    /// The last that became free: where one is given and taken again and again, it is always this.
    recent: Option<u32>,
    /// All others: bit `n % 64` of block `n / 64` is set when place `n` is free.
    blocks: Vec<u64>,
    /// The same of the blocks: bit `n % 64` of group `n / 64` is set when block `n` has a bit set.
    groups: Vec<u64>,
    /// No group before this one has a bit set.
    lowest_group: usize,
}

const BITS: usize = u64::BITS as usize;

impl Free {
    pub(crate) const fn new() -> Self {
        Free {
            recent: None,
            blocks: Vec::new(),
            groups: Vec::new(),
            lowest_group: 0,
        }
    }

    /// Takes a free place, if there is one.
    #[inline]
    pub(crate) fn take(&mut self) -> Option<u32> {
        self.recent.take().or_else(|| self.take_lowest())
    }

    /// Makes room for this place, which is not free: so [`give`](Free::give) never allocates, and
    /// cancelling a timer takes constant time.
    pub(crate) fn reach(&mut self, place: u32) {
        let block = place as usize / BITS;
        while self.blocks.len() <= block {
            self.blocks.push(0);
        }
        while self.groups.len() <= block / BITS {
            self.groups.push(0);
        }
    }

    /// Makes a place free, which must not be so already, and which was [reached](Free::reach).
    #[inline]
    pub(crate) fn give(&mut self, place: u32) {
        debug_assert!(!self.is_free(place), "place {place} is free already");
        if let Some(before) = self.recent.replace(place) {
            self.give_to_blocks(before);
        }
    }

    #[inline]
    fn take_lowest(&mut self) -> Option<u32> {
        // A group is 4,096 places, so even for a million there are few to look at.
        while *self.groups.get(self.lowest_group)? == 0 {
            self.lowest_group += 1;
        }
        let group = &mut self.groups[self.lowest_group];
        let block = self.lowest_group * BITS + group.trailing_zeros() as usize;
        let bits = &mut self.blocks[block];
        let place = block * BITS + bits.trailing_zeros() as usize;
        *bits &= *bits - 1; // clears the lowest bit
        if *bits == 0 {
            *group &= *group - 1;
        }
        Some(place as u32)
    }

    #[inline]
    fn give_to_blocks(&mut self, place: u32) {
        let place = place as usize;
        let block = place / BITS;
        self.blocks[block] |= 1 << (place % BITS);
        self.groups[block / BITS] |= 1 << (block % BITS);
        self.lowest_group = self.lowest_group.min(block / BITS);
    }

    fn is_free(&self, place: u32) -> bool {
        let bits = self.blocks[place as usize / BITS];
        self.recent == Some(place) || bits >> (place as usize % BITS) & 1 == 1
    }
}

#[cfg(test)]
impl Free {
    /// All free places, in ascending order.
    pub(crate) fn places(&self) -> Vec<u32> {
        let reached = self.blocks.len() as u32 * u64::BITS;
        (0..reached).filter(|&place| self.is_free(place)).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn reaching(places: u32) -> Free {
        let mut free = Free::new();
        (0..places).for_each(|place| free.reach(place));
        free
    }

    #[test]
    fn the_last_that_became_free_is_taken_first_and_then_the_lowest() {
        let mut free = reaching(9_001);
        for place in [70, 3, 9_000, 66, 64, 5, 9] {
            free.give(place);
        }
        assert_eq!([free.take(), free.take()], [Some(9), Some(3)]);
        free.give(1);
        free.give(4_097);
        let taken: Vec<u32> = std::iter::from_fn(|| free.take()).collect();
        assert_eq!(taken, [4_097, 1, 5, 64, 66, 70, 9_000]);
    }

    #[test]
    fn to_give_allocates_nothing() {
        let mut free = reaching(10_000);
        let memory = |free: &Free| (free.blocks.capacity(), free.groups.capacity());
        let before = memory(&free);
        assert_eq!((free.blocks.len(), free.groups.len()), (157, 3));
        (0..10_000).rev().for_each(|place| free.give(place));
        assert_eq!(memory(&free), before);
        assert_eq!(free.places().len(), 10_000);
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "place 7 is free already")]
    fn to_give_a_place_twice_is_found_at_once() {
        let mut free = reaching(8);
        free.give(7);
        free.give(3);
        free.give(7);
    }

    proptest! {
        /// Held against a plain set: nothing is taken that is not free, or twice, or lost.
        #[test]
        fn it_is_a_set(steps in prop::collection::vec(prop::option::of(0..200_u32), 0..400)) {
            let (mut free, mut model) = (reaching(200), BTreeSet::new());
            for step in steps {
                match step {
                    Some(place) if model.insert(place) => free.give(place),
                    Some(_) => {}
                    None => {
                        let taken = free.take();
                        prop_assert_eq!(taken.is_none(), model.is_empty());
                        prop_assert!(taken.is_none_or(|place| model.remove(&place)));
                    }
                }
                prop_assert!(free.places().iter().eq(&model));
            }
        }
    }
}
