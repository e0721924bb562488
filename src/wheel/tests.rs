//! The wheel held against a sorted map, and its corners one by one.

#[path = "against_map.rs"]
mod against_map;

use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

impl<T> Wheel<T> {
    /// An empty wheel for which this time has gone by already.
    fn starting_at(elapsed: u64) -> Self {
        Wheel {
            elapsed,
            ..Wheel::new()
        }
    }

    /// Everything that comes out up to `now`.
    fn drain(&mut self, now: u64) -> Vec<T> {
        let expired = std::iter::from_fn(|| self.pop(now));
        expired.map(|expired| expired.value).collect()
    }

    /// The entries of one list from head to tail, followed in both directions.
    fn list(&self, head: u32) -> Vec<u32> {
        let mut found = Vec::new();
        let mut index = head;
        while index != NONE {
            assert!(found.len() <= self.len(), "a list does not end");
            found.push(index);
            let next = self.slab[index].next;
            assert_eq!(self.slab[next].previous, index, "the way back differs");
            index = if next == head { NONE } else { next };
        }
        found
    }

    /// Every invariant of the structure. `loose` are the slots of which something was cancelled since
    /// they were empty, where `min` may be smaller than every deadline left.
    fn check_invariants(&self, loose: &BTreeSet<(usize, usize)>) {
        let mut listed = BTreeSet::new();
        for index in self.list(self.due) {
            assert!(self.slab[index].deadline <= self.elapsed);
            assert!(listed.insert(index), "entry {index} is in two lists");
        }
        for (level, slots) in self.slots.iter().enumerate() {
            let occupied = self.occupied[level];
            assert_eq!(self.levels & (1 << level) != 0, occupied != 0);
            for (slot, Slot { min, head }) in slots.iter().enumerate() {
                assert_eq!(occupied & (1 << slot) != 0, *head != NONE);
                let list = self.list(*head);
                let deadlines = || list.iter().map(|&index| self.slab[index].deadline);
                for deadline in deadlines() {
                    assert!(deadline > self.elapsed, "{deadline} should be due");
                    assert_eq!((level, slot), slot_of(place_at(self.elapsed, deadline)));
                }
                if let Some(earliest) = deadlines().min() {
                    let digit = self.elapsed >> (6 * level) & 63;
                    assert!(slot as u64 > digit, "a slot not beyond elapsed");
                    assert!(self.elapsed < *min && *min <= earliest);
                    assert!(*min == earliest || loose.contains(&(level, slot)));
                }
                for index in list {
                    assert!(listed.insert(index), "entry {index} is in two lists");
                }
            }
        }
        self.check_slab(&listed);
    }

    /// Every place in the slab is in one list, or free, or retired.
    fn check_slab(&self, listed: &BTreeSet<u32>) {
        let mut reusable = Vec::new();
        for index in 0..self.slab.entries.len() as u32 {
            let entry = &self.slab[index];
            assert_eq!(entry.value.is_some(), listed.contains(&index));
            if entry.value.is_none() && entry.generation != RETIRED {
                reusable.push(index);
            }
        }
        assert_eq!(self.slab.free.places(), reusable);
        assert_eq!(self.places(), self.slab.entries.len());
        assert_eq!(self.len(), listed.len());
        assert_eq!(self.is_empty(), listed.is_empty());
    }
}

fn slot_of(place: Place) -> (usize, usize) {
    match place {
        Place::Due => panic!("due, and so in no slot"),
        Place::Slot { level, slot } => (level.into(), slot.into()),
    }
}

/// A time near which something could go wrong. `now` and `base` are the test's.
#[derive(Clone, Debug)]
enum When {
    NearNow(i8),
    PowerOfTwo { power: u32, off: i8 },
    SlotBoundary { level: u32, slots: u8, off: i8 },
    NearBase(i8),
    SameAsBefore(usize),
    FromTheEnd(u8),
    Anywhere(u64),
}

#[derive(Clone, Debug)]
enum Clock {
    Still,
    To(When),
    Back(u8),
    ToEarliest(i8),
}

#[derive(Clone, Debug)]
enum Operation {
    Insert(When),
    Cancel(usize),
    Reset(usize, When),
    Pop(Clock, usize),
}

fn any_when() -> impl Strategy<Value = When> {
    prop_oneof![
        4 => (-2..=2i8).prop_map(When::NearNow),
        4 => any::<i8>().prop_map(When::NearNow),
        3 => (0..64u32, -1..=1i8).prop_map(|(power, off)| When::PowerOfTwo { power, off }),
        4 => (0..11u32, 0..70u8, -1..=1i8)
            .prop_map(|(level, slots, off)| When::SlotBoundary { level, slots, off }),
        2 => any::<i8>().prop_map(When::NearBase),
        4 => any::<usize>().prop_map(When::SameAsBefore),
        1 => (0..3u8).prop_map(When::FromTheEnd),
        1 => any::<u64>().prop_map(When::Anywhere),
    ]
}

fn any_clock() -> impl Strategy<Value = Clock> {
    prop_oneof![
        1 => Just(Clock::Still),
        3 => any_when().prop_map(Clock::To),
        1 => any::<u8>().prop_map(Clock::Back),
        6 => (-1..=1i8).prop_map(Clock::ToEarliest),
    ]
}

fn any_operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        5 => any_when().prop_map(Operation::Insert),
        1 => any::<usize>().prop_map(Operation::Cancel),
        1 => (any::<usize>(), any_when()).prop_map(|(which, when)| Operation::Reset(which, when)),
        4 => (any_clock(), 0..6usize).prop_map(|(clock, budget)| Operation::Pop(clock, budget)),
    ]
}

fn any_base() -> impl Strategy<Value = u64> {
    let near = prop_oneof![
        Just(0),
        Just(1 << 36),
        Just(1 << 60),
        Just(1 << 63),
        Just(u64::MAX)
    ];
    (near, -200..=200i128).prop_map(|(base, off)| shifted(base, off))
}

/// `time` moved by `by`, but no further than time goes.
fn shifted(time: u64, by: i128) -> u64 {
    (i128::from(time) + by).clamp(0, u64::MAX.into()) as u64
}

/// An entry as the model knows it.
struct Armed {
    timer: TimerId,
    asked: u64,
    /// The time from which it counts, and how many were armed before it: the order of the wheel.
    rank: (u64, u64),
}

/// The wheel beside a map sorted by what its documentation promises.
struct Held {
    wheel: Wheel<u64>,
    base: u64,
    now: u64,
    latest_now: u64,
    arms: u64,
    /// Entries by an identity of their own, which the wheel carries as the value.
    armed: BTreeMap<u64, Armed>,
    order: BTreeMap<(u64, u64), u64>,
    stale: Vec<TimerId>,
    deadlines: Vec<u64>,
    /// Where the wheel said that each entry lies: at first, and in each cascade.
    told: HashMap<TimerId, Place>,
    loose: BTreeSet<(usize, usize)>,
}

impl Held {
    fn starting_at(base: u64) -> Self {
        Held {
            wheel: Wheel::starting_at(base),
            base,
            now: base,
            latest_now: base,
            arms: 0,
            armed: BTreeMap::new(),
            order: BTreeMap::new(),
            stale: Vec::new(),
            deadlines: vec![base],
            told: HashMap::new(),
            loose: BTreeSet::new(),
        }
    }

    fn time(&self, when: &When) -> u64 {
        match *when {
            When::NearNow(off) => shifted(self.now, off.into()),
            When::NearBase(off) => shifted(self.base, off.into()),
            When::PowerOfTwo { power, off } => {
                shifted(self.now, (1i128 << power) + i128::from(off))
            }
            When::SlotBoundary { level, slots, off } => {
                let unit = 1i128 << (6 * level);
                let floor = i128::from(self.now) / unit * unit;
                shifted(0, floor + i128::from(slots) * unit + i128::from(off))
            }
            When::SameAsBefore(which) => self.deadlines[which % self.deadlines.len()],
            When::FromTheEnd(off) => u64::MAX - u64::from(off),
            When::Anywhere(time) => time,
        }
    }

    fn pick(&self, which: usize) -> Option<u64> {
        let ids = self.armed.keys();
        ids.copied().nth(which % self.armed.len().max(1))
    }

    /// Notes in the model that an entry was armed just now.
    fn arm(&mut self, id: u64, timer: TimerId, asked: u64) {
        let rank = (asked.max(self.wheel.elapsed()), self.arms);
        self.arms += 1;
        self.deadlines.push(asked);
        self.armed.insert(id, Armed { timer, asked, rank });
        self.order.insert(rank, id);
        self.told.insert(timer, self.wheel.place(timer).unwrap());
    }

    fn disarm(&mut self, id: u64) -> Armed {
        let armed = self.armed.remove(&id).unwrap();
        self.order.remove(&armed.rank);
        self.told.remove(&armed.timer);
        armed
    }

    /// Notes that an entry is about to leave its slot in another way than by a cascade.
    fn loosen(&mut self, timer: TimerId) {
        if let Place::Slot { level, slot } = self.wheel.place(timer).unwrap() {
            self.loose.insert((level.into(), slot.into()));
        }
    }

    fn insert(&mut self, deadline: u64) {
        let id = self.arms;
        let timer = self.wheel.insert(deadline, id);
        assert!(!self.told.contains_key(&timer) && !self.stale.contains(&timer));
        self.arm(id, timer, deadline);
    }

    fn cancel(&mut self, id: u64) {
        let timer = self.armed[&id].timer;
        self.loosen(timer);
        assert_eq!(self.wheel.cancel(timer), Some(id));
        self.disarm(id);
        self.stale.push(timer);
    }

    fn reset(&mut self, id: u64, deadline: u64) {
        let timer = self.armed[&id].timer;
        self.loosen(timer);
        assert!(self.wheel.reset(timer, deadline));
        self.disarm(id);
        self.arm(id, timer, deadline);
    }

    fn pop(&mut self, clock: &Clock, budget: usize) {
        let earliest = self.order.keys().next().map_or(self.now, |rank| rank.0);
        self.now = match clock {
            Clock::Still => self.now,
            Clock::To(when) => self.time(when),
            Clock::Back(by) => self.now.saturating_sub((*by).into()),
            Clock::ToEarliest(off) => shifted(earliest, (*off).into()),
        };
        self.latest_now = self.latest_now.max(self.now);
        for _ in 0..budget {
            let told = &mut self.told;
            self.wheel.turn(self.now, &mut |timer, place| {
                assert_ne!(told.insert(timer, place), Some(place), "told of no change");
            });
            let popped = self.wheel.pop_due();
            let next = self.order.iter().next().map(|(&rank, &id)| (rank, id));
            let Some(Expired {
                timer,
                deadline,
                value,
            }) = popped
            else {
                // What was due once stays due, also when the clock has gone back since.
                let reached = self.now.max(self.wheel.elapsed());
                assert!(next.is_none_or(|(rank, _)| rank.0 > reached), "one is late");
                break;
            };
            assert_eq!(Some(value), next.map(|(_, id)| id), "out of order");
            assert!(deadline <= self.latest_now, "fired early");
            let armed = self.disarm(value);
            assert_eq!((timer, deadline), (armed.timer, armed.asked));
            self.stale.push(timer);
        }
    }

    fn apply(&mut self, operation: &Operation) {
        match operation {
            Operation::Insert(when) => self.insert(self.time(when)),
            Operation::Cancel(which) => {
                if let Some(id) = self.pick(*which) {
                    self.cancel(id);
                }
            }
            Operation::Reset(which, when) => {
                if let Some(id) = self.pick(*which) {
                    self.reset(id, self.time(when));
                }
            }
            Operation::Pop(clock, budget) => self.pop(clock, *budget),
        }
        let Wheel { occupied, .. } = self.wheel;
        self.loose
            .retain(|&(level, slot)| occupied[level] & 1 << slot != 0);
    }

    fn check(&mut self) {
        let wheel = &mut self.wheel;
        wheel.check_invariants(&self.loose);
        let elapsed = wheel.elapsed();
        assert!(self.base <= elapsed && elapsed <= self.latest_now);
        let earliest = self.order.keys().next().map(|rank| rank.0);
        match (wheel.next_wake(), earliest) {
            (Some(wake), Some(earliest)) => {
                assert!(elapsed <= wake && wake <= earliest.max(elapsed));
            }
            ends => assert_eq!(ends, (None, None)),
        }
        for &timer in &self.stale {
            assert_eq!(wheel.get_mut(timer), None);
            assert_eq!(wheel.place(timer), None);
            assert_eq!(wheel.cancel(timer), None);
            assert!(!wheel.reset(timer, self.now));
        }
        let seen: BTreeMap<_, _> = wheel.iter().map(|entry| (*entry.3, entry)).collect();
        assert_eq!(seen.len(), self.armed.len());
        for (id, armed) in &self.armed {
            let place = self.told[&armed.timer];
            assert_eq!(seen[id], (armed.timer, armed.asked, place, id));
        }
        for (&id, &Armed { timer, .. }) in &self.armed {
            assert_eq!(wheel.place(timer), Some(self.told[&timer]));
            assert_eq!(wheel.get_mut(timer), Some(&mut id.clone()));
        }
    }
}

proptest! {
    #[test]
    fn the_wheel_does_what_a_sorted_map_does(
        base in any_base(),
        operations in prop::collection::vec(any_operation(), 1..120),
    ) {
        let mut held = Held::starting_at(base);
        for operation in &operations {
            held.apply(operation);
            held.check();
        }
        held.pop(&Clock::To(When::FromTheEnd(0)), usize::MAX);
        held.check();
        prop_assert!(held.wheel.is_empty() && held.armed.is_empty());
    }
}

#[test]
fn an_empty_wheel_allocates_nothing_and_never_wakes() {
    let mut wheel = Wheel::<()>::new();
    assert_eq!(wheel.next_wake(), None);
    assert!(wheel.pop(u64::MAX).is_none());
    assert_eq!((wheel.elapsed(), wheel.len()), (0, 0));
    assert_eq!(wheel.slots.capacity() + wheel.slab.entries.capacity(), 0);
}

#[test]
fn each_level_begins_where_the_one_below_ends() {
    for level in 1..LEVELS as u8 {
        let unit = 1u64 << (6 * u32::from(level));
        let expected = [
            (unit - 1, level - 1, 63),
            (unit, level, 1),
            (unit + 1, level, 1),
            (unit * 2 - 1, level, 1),
            (unit * 2, level, 2),
        ];
        for (deadline, level, slot) in expected {
            let mut wheel = Wheel::new();
            let timer = wheel.insert(deadline, ());
            assert_eq!(wheel.place(timer), Some(Place::Slot { level, slot }));
            assert_eq!(wheel.next_wake(), Some(deadline));
            assert!(wheel.pop(deadline - 1).is_none());
            assert_eq!(wheel.drain(deadline).len(), 1);
        }
    }
}

#[test]
fn the_last_tick_lies_in_the_sixteenth_slot_of_the_eleventh_level() {
    let mut wheel = Wheel::new();
    let last = wheel.insert(u64::MAX, "last");
    wheel.insert(u64::MAX - 1, "last but one");
    let place = Place::Slot {
        level: 10,
        slot: 15,
    };
    assert_eq!(wheel.place(last), Some(place));
    assert_eq!(wheel.next_wake(), Some(u64::MAX - 1));
    assert_eq!(wheel.drain(u64::MAX - 1), ["last but one"]);
    assert_eq!(wheel.next_wake(), Some(u64::MAX));
    assert_eq!(wheel.drain(u64::MAX), ["last"]);
    wheel.insert(u64::MAX, "after the end of time");
    assert_eq!(wheel.drain(0), ["after the end of time"]);
}

#[test]
fn nothing_fires_early_or_late_by_a_single_tick() {
    for base in [0, 1 << 36, 1 << 60, 1 << 63, u64::MAX - (1 << 20)] {
        for power in 0..20 {
            let mut wheel = Wheel::starting_at(base);
            let deadline = base + (1 << power);
            wheel.insert(deadline, ());
            assert_eq!(wheel.next_wake(), Some(deadline));
            assert!(wheel.pop(deadline - 1).is_none());
            assert_eq!(wheel.elapsed(), base, "time passed though nothing was due");
            let expired = wheel.pop(deadline).expect("it is due");
            assert_eq!(expired.deadline, deadline);
        }
    }
}

#[test]
fn equal_deadlines_fire_in_the_order_of_arming_from_whatever_level() {
    let mut wheel = Wheel::new();
    for round in 0..5 {
        wheel.insert(1_000_000, round);
        wheel.insert(200_000 * round, 100 + round);
        wheel.drain(200_000 * round);
    }
    assert_eq!(wheel.drain(1_000_000), [0, 1, 2, 3, 4]);
}

#[test]
fn a_late_deadline_goes_behind_what_is_due_and_before_what_is_not() {
    let mut wheel = Wheel::new();
    wheel.insert(10, "first at 10");
    wheel.insert(10, "second at 10");
    wheel.insert(11, "at 11");
    assert_eq!(wheel.pop(20).unwrap().value, "first at 10");
    wheel.insert(3, "asked for 3");
    wheel.insert(11, "at 11 too");
    wheel.insert(2, "asked for 2");
    assert_eq!(wheel.next_wake(), Some(10));
    let order = [
        "second at 10",
        "asked for 3",
        "asked for 2",
        "at 11",
        "at 11 too",
    ];
    assert_eq!(wheel.drain(20), order);
}

#[test]
fn what_is_armed_late_again_and_again_waits_behind_what_comes_due_meanwhile() {
    let mut wheel = Wheel::new();
    wheel.insert(10, "in time, at 10");
    wheel.insert(20, "in time, at 20");
    wheel.insert(30, "in time, at 30");
    let out = (0..6).map(|_| {
        wheel.insert(0, "late");
        wheel.pop(100).unwrap().value
    });
    let order = [
        "late",
        "in time, at 10",
        "late",
        "in time, at 20",
        "late",
        "in time, at 30",
    ];
    assert_eq!(out.collect::<Vec<_>>(), order);
}

#[test]
fn a_reset_entry_goes_to_the_back_and_keeps_its_key() {
    let mut wheel = Wheel::new();
    let first = wheel.insert(10, "first");
    wheel.insert(10, "second");
    assert!(wheel.reset(first, 10));
    *wheel.get_mut(first).unwrap() = "first, reset";
    assert_eq!(wheel.drain(10), ["second", "first, reset"]);
    assert!(!wheel.reset(first, 20));
}

#[test]
fn a_key_names_nothing_once_its_entry_has_left() {
    let mut wheel = Wheel::new();
    let cancelled = wheel.insert(5, 'a');
    assert_eq!(wheel.cancel(cancelled), Some('a'));
    let fired = wheel.insert(5, 'b');
    assert_eq!(fired.index, cancelled.index, "the slab reuses the place");
    assert_eq!(wheel.drain(5), ['b']);
    let live = wheel.insert(9, 'c');
    for stale in [cancelled, fired] {
        assert_eq!(wheel.cancel(stale), None);
        assert_eq!(wheel.get_mut(stale), None);
        assert_eq!(wheel.place(stale), None);
        assert!(!wheel.reset(stale, 1));
    }
    assert_eq!(wheel.cancel(live), Some('c'));
}

#[test]
fn a_place_in_the_slab_is_retired_after_its_last_generation() {
    let mut wheel = Wheel::new();
    let first = wheel.insert(1, ());
    wheel.cancel(first);
    wheel.slab[first.index].generation = RETIRED - 1;
    let last = wheel.insert(1, ());
    assert_eq!((last.index, last.generation), (first.index, RETIRED - 1));
    assert!(wheel.cancel(last).is_some());
    assert_ne!(wheel.insert(1, ()).index, first.index);
    assert_eq!(wheel.cancel(last), None);
    wheel.check_invariants(&BTreeSet::new());
}

#[test]
fn cancelling_the_minimum_costs_one_wake_up_that_nobody_sees() {
    let mut wheel = Wheel::new();
    let earliest = wheel.insert(100, ());
    wheel.insert(120, ());
    wheel.cancel(earliest);
    assert_eq!(wheel.next_wake(), Some(100));
    assert!(wheel.pop(100).is_none());
    assert_eq!(wheel.next_wake(), Some(120));
}

#[test]
fn an_empty_slot_forgets_its_minimum() {
    let mut wheel = Wheel::new();
    let earliest = wheel.insert(100, ());
    wheel.cancel(earliest);
    wheel.insert(120, ());
    assert_eq!(wheel.next_wake(), Some(120));
}

#[test]
fn an_entry_moves_eleven_times_at_most() {
    // Each of the others shares one digit more with the deadline, so that each takes it down a level.
    let mut wheel = Wheel::new();
    let timer = wheel.insert(u64::MAX, ());
    for level in 0..LEVELS as u32 {
        wheel.insert(u64::MAX << (6 * level), ());
    }
    let mut moves = Vec::new();
    let mut is_over = false;
    while !is_over {
        wheel.turn(u64::MAX, &mut |moved, place| {
            moves.extend((moved == timer).then_some(place));
        });
        is_over = wheel.pop_due().is_none();
    }
    let down = (0..10).rev().map(|level| Place::Slot { level, slot: 63 });
    assert_eq!(moves, down.chain([Place::Due]).collect::<Vec<_>>());
}

#[test]
fn a_million_equal_deadlines_take_no_longer_than_others() {
    let start = Instant::now();
    let mut wheel = Wheel::new();
    for id in 0..1_000_000 {
        wheel.insert(1 << 40, id);
    }
    wheel.insert((1 << 40) - 1, 1_000_000);
    let mut moves = 0;
    assert_eq!(wheel.pop(1 << 40).unwrap().value, 1_000_000);
    for id in 0..1_000_000 {
        wheel.turn(1 << 40, &mut |_, _| moves += 1);
        let expired = wheel.pop_due();
        assert_eq!(expired.unwrap().value, id);
    }
    assert_eq!(moves, 1_000_000);
    assert!(
        start.elapsed() < Duration::from_secs(20),
        "took {:?}",
        start.elapsed()
    );
}

#[test]
fn cancelled_entries_give_their_memory_back_to_the_next() {
    let mut wheel = Wheel::new();
    for round in 0..100_000u64 {
        let keys = [7, 700, 70_000].map(|after| wheel.insert(round + after, ()));
        for timer in keys {
            assert!(wheel.cancel(timer).is_some());
        }
    }
    assert_eq!(wheel.slab.entries.len(), 3);
    assert_eq!((wheel.levels, wheel.next_wake()), (0, None));
}

/// What the fuzzer has collected (see `fuzz/README.md`). A package has none of it.
#[test]
fn the_corpus_of_the_fuzzer_agrees_with_a_map() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/wheel");
    for file in std::fs::read_dir(corpus).into_iter().flatten() {
        let path = file.unwrap().path();
        println!("{}", path.display());
        against_map::check(&std::fs::read(&path).unwrap());
    }
}

#[test]
fn random_bytes_agree_with_a_map() {
    let mut state = 1_u64;
    for _ in 0..2000 {
        let bytes: Vec<u8> = (0..200)
            .map(|_| {
                state = state
                    .wrapping_mul(6364136223846793005)
                    .wrapping_add(1442695040888963407);
                (state >> 56) as u8
            })
            .collect();
        against_map::check(&bytes);
    }
}
