//! Which places of a table are free, to be used again.
//!
//! The tables of tasks and of timers are found by index, so which free place is taken next is a matter
//! of speed alone. Taken in the reverse of the order in which they became free, as a plain stack would
//! have it, places are soon in a random order: when a hundred thousand sleeping tasks have ended in the
//! order of their deadlines, the next hundred thousand would each be written to another page of memory.
//! Here neighbours are taken one after the other, 64 at a time.

/// The free places.
pub(crate) struct Free {
    /// The last that became free: where one is given and taken again and again, it is always this.
    recent: Option<u32>,
    /// All others: bit `n % 64` of block `n / 64` is set when place `n` is free.
    blocks: Vec<u64>,
    /// The blocks with a bit set, each once: the one to take from is the last.
    not_empty: Vec<u32>,
}

const BLOCK: u32 = u64::BITS;

impl Free {
    pub(crate) const fn new() -> Self {
        Free {
            recent: None,
            blocks: Vec::new(),
            not_empty: Vec::new(),
        }
    }

    /// Takes a free place, if there is one.
    #[inline]
    pub(crate) fn take(&mut self) -> Option<u32> {
        self.recent.take().or_else(|| self.take_from_blocks())
    }

    /// Makes room for this place, which is not free: so [`give`](Free::give) never allocates, and
    /// cancelling a timer takes constant time.
    pub(crate) fn reach(&mut self, place: u32) {
        while self.blocks.len() <= (place / BLOCK) as usize {
            self.blocks.push(0);
        }
        let more = self.blocks.len() - self.not_empty.len();
        self.not_empty.reserve(more);
    }

    /// Makes a place free, which must not be so already, and which was [reached](Free::reach).
    #[inline]
    pub(crate) fn give(&mut self, place: u32) {
        debug_assert!(self.recent != Some(place), "place {place} is free already");
        if let Some(before) = self.recent.replace(place) {
            self.give_to_blocks(before);
        }
    }

    #[inline]
    fn take_from_blocks(&mut self) -> Option<u32> {
        let block = *self.not_empty.last()?;
        let bits = &mut self.blocks[block as usize];
        let bit = bits.trailing_zeros();
        *bits &= *bits - 1; // clears the lowest bit
        if *bits == 0 {
            self.not_empty.pop();
        }
        Some(block * BLOCK + bit)
    }

    #[inline]
    fn give_to_blocks(&mut self, place: u32) {
        let (block, bit) = (place / BLOCK, place % BLOCK);
        let bits = &mut self.blocks[block as usize];
        debug_assert!(*bits & (1 << bit) == 0, "place {place} is free already");
        if *bits == 0 {
            self.not_empty.push(block);
        }
        *bits |= 1 << bit;
    }
}

#[cfg(test)]
impl Free {
    /// All free places, in ascending order.
    pub(crate) fn places(&self) -> Vec<u32> {
        let is_set =
            |place: &u32| self.blocks[(place / BLOCK) as usize] >> (place % BLOCK) & 1 == 1;
        let others = (0..self.blocks.len() as u32 * BLOCK).filter(is_set);
        let mut places: Vec<u32> = self.recent.into_iter().chain(others).collect();
        places.sort_unstable();
        places
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
    fn neighbours_are_taken_one_after_the_other() {
        let mut free = reaching(201);
        for place in [70, 3, 200, 66, 64, 5, 9] {
            free.give(place);
        }
        let taken: Vec<u32> = std::iter::from_fn(|| free.take()).collect();
        assert_eq!(taken, [9, 200, 3, 5, 64, 66, 70]);
    }

    #[test]
    fn to_give_allocates_nothing() {
        let mut free = reaching(10_000);
        let memory = |free: &Free| (free.blocks.capacity(), free.not_empty.capacity());
        let before = memory(&free);
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
