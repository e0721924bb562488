//! The timer wheel: hands out what was put in it in the order of its deadlines (see *Order*), none early.
//!
//! The executor keeps here whom to wake for everything that sleeps. It asks [`Wheel::next_wake`] how
//! long it may park, and [`Wheel::pop`] what has come due. The wheel itself knows no clock and no
//! waker: a deadline is a `u64` count of ticks, and a value is any `T`.
//!
//! # How it works
//!
//! Write the time that has gone by, `elapsed`, and a deadline in base 64. The highest digit in which
//! they differ is the entry's *level*, and the deadline's digit there is its *slot*. Eleven levels of
//! 64 slots cover every `u64`, so nothing is rounded, and no slot ever wraps round to a second meaning.
//!
//! ```text
//!   elapsed = 2:05:09                 (three of its eleven digits, in base 64)
//!
//!   slot       0   1   2   3   4   5   6   7   8   9  10  11  12 ...
//!   level 2    .   .   ^   A   .   .   .   .   .   .   .   .   .       A: 3:00:00
//!   level 1    .   .   .   .   .   ^   .   B   .   .   .   .   .       B: 2:07:31, 2:07:02
//!   level 0    .   .   .   .   .   .   .   .   .   ^   .   .   C       C: 2:05:12
//!   due        D                                                       D: 2:05:09 or earlier
//!
//!   ^ is the digit of elapsed on that level
//! ```
//!
//! Each entry lies to the right of `elapsed`'s digit on its level, and a lower level is always
//! earlier than a higher one. So the lowest slot of the lowest level holds the earliest deadline. When
//! that comes (2:05:12, then 2:07:02), `elapsed` moves to it and the slot's entries are placed anew:
//! they *cascade* to a lower level, or to the list `due`, from which they are handed out. Each move
//! lowers the level, so an entry moves at most eleven times in its life, however far off it is.
//!
//! # Order
//!
//! An entry counts from its deadline or from `elapsed` when it was armed (by `insert` or `reset`),
//! whichever is *later*. Entries are handed out by that time, and at the same time in the order in
//! which they were armed. In particular:
//!
//! - Equal deadlines are first in, first out, since at any moment they share one list.
//! - A deadline that `elapsed` has already reached goes behind all that is in `due`, and before all
//!   that is not: also before an entry that `now` has reached but `pop` has not yet come to.
//! - Each `pop` comes to one slot that `now` has reached, if there is one, also where something is due already. So
//!   whoever arms a deadline that has passed, again and again, waits behind others each time, and not they for ever.
//!
//! `elapsed` is never ahead of the latest `now` that `pop` was given, so nothing is handed out before
//! the caller's clock has reached its deadline once. A `now` that goes back changes nothing.
//!
//! # Sources
//!
//! Levels of slots that cascade are the hierarchical timing wheel of Varghese and Lauck ("Hashed and
//! Hierarchical Timing Wheels", SOSP 1987). Letting `elapsed` jump from minimum to minimum, with the
//! level given by the highest digit that differs, makes it a radix heap in base 64 (Ahuja, Mehlhorn,
//! Orlin and Tarjan, "Faster Algorithms for the Shortest Path Problem", JACM 1990). Finding that digit
//! with an exclusive or and a count of leading zeros, and a bit for each slot, is how the wheel of
//! tokio does it too.

use std::mem;

use crate::free::Free;

/// The bits of a deadline that choose the slot on one level.
const DIGIT_BITS: u32 = 6;
const SLOTS: usize = 1 << DIGIT_BITS;
const LEVELS: usize = u64::BITS.div_ceil(DIGIT_BITS) as usize;

/// The index that stands for "no entry": the head of an empty list, the neighbours of a place that was
/// never used, and a walk that has ended.
const NONE: u32 = u32::MAX;

/// The generation of a place in the slab that has used up all others. No id ever carries it.
const RETIRED: u32 = u32::MAX;

/// Values ordered by deadline.
///
/// Arming, moving and cancelling take constant time, unless arming has to grow the memory or to look for the lowest
/// free place (`free.rs`). One `pop` may place a whole slot anew, but an entry is moved at most eleven times in its
/// life. The memory is that of the most entries held at once, and is kept until the wheel is dropped.
pub(crate) struct Wheel<T> {
    /// Every entry with a deadline up to here is in `due`, every other is in a slot.
    elapsed: u64,
    /// The head of the list of entries that wait only to be handed out.
    due: u32,
    /// Bit n is set when level n has an occupied slot.
    levels: u16,
    /// For each level, bit n is set when slot n is occupied.
    occupied: [u64; LEVELS],
    /// The slots by level; none before the first insert.
    ///
    /// They are 11 KB. Inside the wheel they made it cost 300 to 450 ns to make and drop one that
    /// holds nothing, and each move of it a copy of as much; now that is 5 to 8 ns. The operations
    /// took the same time both ways.
    slots: Vec<[Slot; SLOTS]>,
    slab: Slab<T>,
}

/// Names one timer of one executor; the wheel knows it only for as long as the timer is in there. It displays as
/// `timer 3`, or `timer 3.1` for the second timer in entry 3 of the wheel.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TimerId {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

/// Where a timer lies in the executor's wheel.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Place {
    /// Its deadline has come, and it fires next.
    Due,
    /// It waits here until its deadline comes, or until it cascades.
    Slot {
        /// From 0, where a slot is one nanosecond, to 10, where it is 36 years.
        level: u8,
        /// From 0 to 63.
        slot: u8,
    },
}

/// An entry that `pop` has taken out of the wheel, with the deadline that was asked for.
#[derive(Debug)]
pub(crate) struct Expired<T> {
    pub(crate) timer: TimerId,
    pub(crate) deadline: u64,
    pub(crate) value: T,
}

impl<T> Wheel<T> {
    /// An empty wheel with no time elapsed, which allocates nothing until the first insert.
    pub(crate) const fn new() -> Self {
        Wheel {
            elapsed: 0,
            due: NONE,
            levels: 0,
            occupied: [0; LEVELS],
            slots: Vec::new(),
            slab: Slab::new(),
        }
    }

    /// Arms a timer: `value` comes out of `pop` once the clock has reached `deadline`.
    pub(crate) fn insert(&mut self, deadline: u64, value: T) -> TimerId {
        self.insert_with(deadline, || value)
    }

    /// [`insert`](Wheel::insert), with a value that is made only where it is to lie. One that exists
    /// before would have to be dropped if the memory cannot grow, and for that it is kept on the stack
    /// first: a sleep that is armed and dropped took 63 ns instead of 60.
    #[inline(always)]
    pub(crate) fn insert_with(&mut self, deadline: u64, value: impl FnOnce() -> T) -> TimerId {
        if self.slots.is_empty() {
            self.slots = vec![[Slot::EMPTY; SLOTS]; LEVELS];
        }
        let id = self.slab.add(deadline, value);
        self.link(id.index);
        id
    }

    /// Takes an entry out before it expires. `None` if it is no longer in the wheel.
    #[inline(always)]
    pub(crate) fn cancel(&mut self, id: TimerId) -> Option<T> {
        if !self.slab.holds(id) {
            return None;
        }
        self.unlink(id.index);
        Some(self.slab.remove(id.index))
    }

    /// Gives an entry a new deadline, as if it were armed only now, and keeps its id and value.
    /// `false` if it is no longer in the wheel.
    pub(crate) fn reset(&mut self, id: TimerId, deadline: u64) -> bool {
        if !self.slab.holds(id) {
            return false;
        }
        self.unlink(id.index);
        self.slab[id.index].deadline = deadline;
        self.link(id.index);
        true
    }

    /// The value of an entry, unless it is no longer in the wheel.
    pub(crate) fn get_mut(&mut self, id: TimerId) -> Option<&mut T> {
        if !self.slab.holds(id) {
            return None;
        }
        self.slab[id.index].value.as_mut()
    }

    /// Where an entry lies, unless it is no longer in the wheel.
    pub(crate) fn place(&self, id: TimerId) -> Option<Place> {
        let held = self.slab.holds(id);
        held.then(|| place_at(self.elapsed, self.slab[id.index].deadline))
    }

    /// The time at which `pop` should next be called: `elapsed` if something is due already, `None` if
    /// the wheel is empty.
    ///
    /// It is never later than the earliest deadline of what is not due. It can be earlier when that of the same slot
    /// was cancelled: looking for the new minimum would cost a walk through the slot, and to wake once
    /// with nothing to do costs less.
    pub(crate) fn next_wake(&self) -> Option<u64> {
        if self.due != NONE {
            return Some(self.elapsed);
        }
        let (level, slot) = self.lowest_slot()?;
        Some(self.slots[level][slot].min)
    }

    /// Takes out the next entry with a deadline up to `now`, in the order told at the top.
    ///
    /// A caller may stop before the `None`: what is in `due` stays there, and comes out next whatever `now` is then.
    pub(crate) fn pop(&mut self, now: u64) -> Option<Expired<T>> {
        self.turn(now, &mut |_, _| {});
        self.pop_due()
    }

    /// The second half of [`pop`](Wheel::pop).
    // Inlined into it: what it gives is five words, and to hand these on makes a sleep 3 % more expensive.
    #[inline(always)]
    pub(crate) fn pop_due(&mut self) -> Option<Expired<T>> {
        let index = self.due;
        if index == NONE {
            return None;
        }
        self.slab.unlink(&mut self.due, index);
        let timer = self.slab.id(index);
        let deadline = self.slab[index].deadline;
        debug_assert!(deadline <= self.elapsed, "{deadline} would fire early");
        let value = self.slab.remove(index);
        Some(Expired {
            timer,
            deadline,
            value,
        })
    }

    /// Cascades one slot that `now` has reached, if there is one, and others until there is something in `due`: the
    /// first half of [`pop`](Wheel::pop), for whoever wants to look in between.
    ///
    /// `moved` is told of every entry that a cascade places anew, and where. It must not panic, or
    /// the rest of that slot is lost.
    pub(crate) fn turn(&mut self, now: u64, moved: &mut impl FnMut(TimerId, Place)) {
        while let Some((level, slot)) = self.lowest_slot() {
            let min = self.slots[level][slot].min;
            // `elapsed` stays behind here. Moved up to `now`, it could enter the range of a slot that
            // keeps its entries, and they would no longer be where `place_at` looks for them.
            if min > now {
                return;
            }
            debug_assert!(min > self.elapsed, "slot {level}:{slot} lies in the past");
            self.elapsed = min;
            self.cascade(level, slot, moved);
            if self.due != NONE {
                return;
            }
        }
    }

    /// How many entries are due: it walks through them.
    pub(crate) fn count_due(&self) -> usize {
        let mut index = self.due;
        let mut count = 0;
        while index != NONE {
            count += 1;
            let next = self.slab[index].next;
            index = if next == self.due { NONE } else { next };
        }
        count
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        self.slab.len
    }

    /// Whether there are no entries.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many places [`iter`](Wheel::iter) goes through: as many as there ever were entries at once.
    pub(crate) fn places(&self) -> usize {
        self.slab.entries.len()
    }

    /// The time that has gone by for the wheel: that of the last slot that it opened.
    #[cfg(test)]
    pub(crate) fn elapsed(&self) -> u64 {
        self.elapsed
    }

    /// Every entry with its deadline and place, in no particular order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (TimerId, u64, Place, &T)> {
        (0..).zip(&self.slab.entries).filter_map(|(index, entry)| {
            let value = entry.value.as_ref()?;
            let place = place_at(self.elapsed, entry.deadline);
            Some((self.slab.id(index), entry.deadline, place, value))
        })
    }

    /// The value of every entry, in no particular order.
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        let entries = self.slab.entries.iter_mut();
        entries.filter_map(|entry| entry.value.as_mut())
    }

    /// The level and slot with the earliest deadlines of all that are not due.
    fn lowest_slot(&self) -> Option<(usize, usize)> {
        // With no level there are sixteen zeros, and no such level to look in.
        let level = self.levels.trailing_zeros() as usize;
        let slot = self.occupied.get(level)?.trailing_zeros() as usize;
        Some((level, slot))
    }

    /// Places the entries of a slot anew, in their order, now that `elapsed` has entered its range.
    ///
    /// The slot is emptied first, and `elapsed` has moved before: so none can come back to it.
    fn cascade(&mut self, level: usize, slot: usize, moved: &mut impl FnMut(TimerId, Place)) {
        let head = mem::replace(&mut self.slots[level][slot].head, NONE);
        self.clear_bits(level, slot);
        let mut index = head;
        // Where a slot has many entries, each lies somewhere else in memory, and only there does it say
        // where the next one is. So a second walk, from the end of the list, brings entries into the
        // cache. With 100,000 timers that makes one 6 % cheaper. It ends where both meet: beyond, the
        // entries are in other lists by now.
        let mut ahead = self.slab[head].previous;
        loop {
            let next = self.slab[index].next;
            if ahead == index || ahead == next {
                ahead = NONE;
            } else if ahead != NONE {
                ahead = self.slab[ahead].previous;
            }
            self.link(index);
            let place = place_at(self.elapsed, self.slab[index].deadline);
            moved(self.slab.id(index), place);
            if next == head {
                break;
            }
            index = next;
        }
        debug_assert!(self.slots[level][slot].head == NONE, "an entry came back");
    }

    /// Puts an entry that is in no list at the back of the list where its deadline belongs.
    fn link(&mut self, index: u32) {
        let deadline = self.slab[index].deadline;
        match place_at(self.elapsed, deadline) {
            Place::Due => self.slab.link_back(&mut self.due, index),
            Place::Slot { level, slot } => {
                let (level, slot) = (usize::from(level), usize::from(slot));
                let target = &mut self.slots[level][slot];
                // What `min` holds in an empty slot is left over from before.
                if target.head == NONE || deadline < target.min {
                    target.min = deadline;
                }
                self.slab.link_back(&mut target.head, index);
                self.occupied[level] |= 1 << slot;
                self.levels |= 1 << level;
            }
        }
    }

    /// Takes an entry out of its list, which needs no note of its own: the place follows from the
    /// deadline, since entries are placed anew whenever `elapsed` moves so that it would change.
    // Inlined into each `cancel`, of which one is where nobody observes.
    #[inline(always)]
    fn unlink(&mut self, index: u32) {
        match place_at(self.elapsed, self.slab[index].deadline) {
            Place::Due => self.slab.unlink(&mut self.due, index),
            Place::Slot { level, slot } => {
                let (level, slot) = (usize::from(level), usize::from(slot));
                let head = &mut self.slots[level][slot].head;
                debug_assert!(*head != NONE, "slot {level}:{slot} has lost an entry");
                self.slab.unlink(head, index);
                if *head == NONE {
                    self.clear_bits(level, slot);
                }
            }
        }
    }

    fn clear_bits(&mut self, level: usize, slot: usize) {
        debug_assert!(self.occupied[level] & (1 << slot) != 0);
        self.occupied[level] &= !(1 << slot);
        if self.occupied[level] == 0 {
            self.levels &= !(1 << level);
        }
    }
}

/// Where an entry with this deadline belongs.
fn place_at(elapsed: u64, deadline: u64) -> Place {
    if deadline <= elapsed {
        return Place::Due;
    }
    // They differ, so there is a highest bit in which they do. The shift is at most 60.
    let level = (elapsed ^ deadline).ilog2() / DIGIT_BITS;
    let slot = (deadline >> (level * DIGIT_BITS)) % SLOTS as u64;
    Place::Slot {
        level: level as u8,
        slot: slot as u8,
    }
}

/// One slot of a level: a list of entries, and a lower bound of their deadlines.
#[derive(Clone, Copy)]
struct Slot {
    /// The smallest deadline put here since the slot was last empty.
    min: u64,
    head: u32,
}

impl Slot {
    const EMPTY: Slot = Slot { min: 0, head: NONE };
}

/// The entries, in one growing allocation, and the lists that run through them.
///
/// A list is circular, so that its head alone, which the list's owner keeps, also gives the tail.
struct Slab<T> {
    entries: Vec<Entry<T>>,
    /// The places that can be used again.
    free: Free,
    /// How many entries are in use.
    len: usize,
}

struct Entry<T> {
    deadline: u64,
    previous: u32,
    next: u32,
    /// Counts the uses of this place in the slab, so that an id outlives its entry harmlessly.
    generation: u32,
    /// `None` while the place is free.
    value: Option<T>,
}

impl<T> Slab<T> {
    const fn new() -> Self {
        Slab {
            entries: Vec::new(),
            free: Free::new(),
            len: 0,
        }
    }

    /// Makes an entry that is in no list yet.
    #[inline(always)]
    fn add(&mut self, deadline: u64, value: impl FnOnce() -> T) -> TimerId {
        let index = match self.free.take() {
            Some(index) => index,
            None => self.grow(),
        };
        let entry = &mut self[index];
        debug_assert!(entry.value.is_none(), "entry {index} was free and in use");
        entry.deadline = deadline;
        // What was there needs no drop, and no look whether it does.
        mem::forget(entry.value.replace(value()));
        self.len += 1;
        self.id(index)
    }

    /// Makes a new place.
    #[cold]
    fn grow(&mut self) -> u32 {
        let index = self.entries.len();
        assert!(
            index < NONE as usize,
            "the timer wheel is full with {index} timers: cancel some before arming another"
        );
        self.entries.push(Entry {
            deadline: 0,
            previous: NONE,
            next: NONE,
            generation: 0,
            value: None,
        });
        self.free.reach(index as u32);
        index as u32
    }

    /// Ends the use of an entry that is in no list any more.
    ///
    /// A place that has counted through all generations is never used again: its next id would be
    /// equal to its first, which somebody may still hold.
    #[inline(always)]
    fn remove(&mut self, index: u32) -> T {
        let entry = &mut self[index];
        let value = entry.value.take().expect("a listed entry has a value");
        entry.generation += 1;
        if entry.generation != RETIRED {
            self.free.give(index);
        }
        self.len -= 1;
        value
    }

    fn id(&self, index: u32) -> TimerId {
        let generation = self[index].generation;
        TimerId { index, generation }
    }

    /// Whether this id's entry is still here. The generation moves on as soon as an entry leaves.
    fn holds(&self, id: TimerId) -> bool {
        let entry = self.entries.get(id.index as usize);
        entry.is_some_and(|entry| entry.generation == id.generation)
    }

    fn link_back(&mut self, head: &mut u32, index: u32) {
        if *head == NONE {
            // Alone in its list, the entry is its own tail.
            *head = index;
            self[index].previous = index;
        }
        let first = *head;
        let last = self[first].previous;
        self[index].previous = last;
        self[index].next = first;
        self[last].next = index;
        self[first].previous = index;
    }

    fn unlink(&mut self, head: &mut u32, index: u32) {
        let Entry { previous, next, .. } = self[index];
        debug_assert!(self[previous].next == index && self[next].previous == index);
        self[previous].next = next;
        self[next].previous = previous;
        if *head == index {
            *head = if next == index { NONE } else { next };
        }
    }
}

impl<T> std::ops::Index<u32> for Slab<T> {
    type Output = Entry<T>;

    fn index(&self, index: u32) -> &Entry<T> {
        &self.entries[index as usize]
    }
}

impl<T> std::ops::IndexMut<u32> for Slab<T> {
    fn index_mut(&mut self, index: u32) -> &mut Entry<T> {
        &mut self.entries[index as usize]
    }
}

#[cfg(test)]
mod tests;
