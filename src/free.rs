//! Which places of a table are free, to be used again.
//!
//! The tables of tasks and of timers are found by index, so which free place is taken next is a matter
//! of speed alone. Taken in the reverse of the order in which they became free, as a plain stack would
//! have it, places are soon in a random order: when a hundred thousand sleeping tasks have ended in the
//! order of their deadlines, the next hundred thousand would each be written to another page of memory.
//! Here the one that became free last is taken first, then the others in the block of 64 that was used last, mostly
//! its neighbours, and then those of the lowest block. So the table is filled from its start to its end, which the
//! processor foresees: it fetches the next page before it is asked for.

use std::mem;

/// The free places.
pub(crate) struct Free {
    /// The last that became free: where one is given and taken again and again, it is always this.
    recent: Option<u32>,
    /// The others in the block that was used last. Neighbours are mostly given and taken one after the other, and here
    /// that is a bit in one word: a task that is spawned and awaited needs 428 instructions instead of 457.
    block: Block,
    /// Those in all other blocks: bit `n % 64` of block `n / 64` is set when place `n` is free.
    blocks: Vec<u64>,
    /// The same of these blocks: bit `n % 64` of group `n / 64` is set when block `n` has a bit set.
    groups: Vec<u64>,
    /// No group before this one has a bit set.
    lowest_group: usize,
}

/// The places of one block, which has no bit in `blocks` meanwhile.
struct Block {
    index: usize,
    bits: u64,
}

const BITS: usize = u64::BITS as usize;

impl Free {
    pub(crate) const fn new() -> Self {
        Free {
            recent: None,
            block: Block { index: 0, bits: 0 },
            blocks: Vec::new(),
            groups: Vec::new(),
            lowest_group: 0,
        }
    }

    /// Takes a free place, if there is one.
    #[inline]
    pub(crate) fn take(&mut self) -> Option<u32> {
        self.recent.take().or_else(|| self.take_from_block())
    }

    /// Makes room for this place, which is not free: so [`give`](Free::give) never allocates, and
    /// cancelling a timer takes constant time.
    pub(crate) fn reach(&mut self, place: u32) {
        let block = place as usize / BITS;
        let groups = block / BITS + 1;
        self.blocks.resize(self.blocks.len().max(block + 1), 0);
        self.groups.resize(self.groups.len().max(groups), 0);
    }

    /// Makes a place free, which must not be so already, and which was [reached](Free::reach).
    #[inline]
    pub(crate) fn give(&mut self, place: u32) {
        debug_assert!(!self.is_free(place), "place {place} is free already");
        if let Some(before) = self.recent.replace(place) {
            self.give_to_block(before as usize);
        }
    }

    #[inline]
    fn take_from_block(&mut self) -> Option<u32> {
        if self.block.bits == 0 {
            let lowest = self.lowest_block()?;
            self.turn_to(lowest);
        }
        let bits = &mut self.block.bits;
        let place = self.block.index * BITS + bits.trailing_zeros() as usize;
        *bits &= *bits - 1; // clears the lowest bit
        Some(place as u32)
    }

    #[inline]
    fn give_to_block(&mut self, place: usize) {
        if place / BITS != self.block.index {
            self.turn_to(place / BITS);
        }
        self.block.bits |= 1 << (place % BITS);
    }

    /// The lowest of the blocks that have a bit set.
    fn lowest_block(&mut self) -> Option<usize> {
        // A group is 4,096 places, so even for a million there are few to look at.
        while *self.groups.get(self.lowest_group)? == 0 {
            self.lowest_group += 1;
        }
        let group = self.groups[self.lowest_group];
        Some(self.lowest_group * BITS + group.trailing_zeros() as usize)
    }

    /// Puts the places of the block that was used last back to the others, and takes out those of this one.
    // Not inlined: it is needed once in 64 times, where neighbours are used one after the other.
    #[inline(never)]
    fn turn_to(&mut self, index: usize) {
        let bits = mem::take(&mut self.blocks[index]);
        self.groups[index / BITS] &= !(1 << (index % BITS));
        let before = mem::replace(&mut self.block, Block { index, bits });
        if before.bits != 0 {
            self.blocks[before.index] = before.bits;
            self.groups[before.index / BITS] |= 1 << (before.index % BITS);
            self.lowest_group = self.lowest_group.min(before.index / BITS);
        }
    }

    fn is_free(&self, place: u32) -> bool {
        let (block, bit) = (place as usize / BITS, place as usize % BITS);
        let bits = match block == self.block.index {
            true => self.block.bits,
            false => self.blocks[block],
        };
        self.recent == Some(place) || bits >> bit & 1 == 1
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
    fn the_last_that_became_free_is_taken_first_and_then_its_neighbours_and_the_lowest() {
        let mut free = reaching(9_001);
        for place in [5, 90, 70, 66] {
            free.give(place);
        }
        let taken: Vec<u32> = std::iter::from_fn(|| free.take()).collect();
        assert_eq!(taken, [66, 70, 90, 5]);
        for place in [70, 3, 9_000, 66, 64, 5, 9] {
            free.give(place);
        }
        assert_eq!([free.take(), free.take()], [Some(9), Some(3)]);
        free.give(1);
        free.give(4_097);
        let taken: Vec<u32> = std::iter::from_fn(|| free.take()).collect();
        assert_eq!(taken, [4_097, 1, 5, 64, 66, 70, 9_000]);
        // The one before the last is in the block that was used last.
        for place in [1, 2, 70, 3] {
            free.give(place);
        }
        let taken: Vec<u32> = std::iter::from_fn(|| free.take()).collect();
        assert_eq!(taken, [3, 70, 1, 2]);
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
