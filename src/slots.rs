//! The table of tasks: what the executor knows of each, and the states that a task goes through.
//!
//! ```text
//!              Executor::spawn                  Queue::pop                Poll::Ready, a panic,
//!   vacant ───────────────────▶ queued ───────────────────▶ running       or an abort
//!      ▲                          ▲ ▲                        │   │ ─────────────────────▶ finished
//!      │                          │ │     woken during       │   │                            │
//!      │                          │ └──── its own poll ──────┘   │ Poll::Pending              │
//!      │                          │                              ▼                            │
//!      │                          └──────── Queue::wake ─────  waiting                        │
//!      │                                                                                      │
//!      └────────────── the handle takes the output, or there is no handle ────────────────────┘
//! ```
//!
//! A task that runs is waiting or queued in its slot: see [`SlotState`]. A closure's task begins as waiting, and so
//! does every task while somebody observes, who is told of the wake that queues it. Without a handle a task goes from
//! running to vacant. When the executor is dropped, tasks go from queued or waiting to finished, and are not run.

use std::mem;
use std::num::NonZeroU32;
use std::panic::Location;

use crate::free::Free;
use crate::task::{BoxedTask, JoinError, LeavesBox, NewTask, TaskId, output_of};
use crate::waiter::Joiner;

/// Where a task is in its life. `Running` is not among them: the one task that runs is known to the
/// queue, and while it runs it is `Waiting`, or `Queued` if it was woken meanwhile.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SlotState {
    Vacant,
    Waiting,
    Queued,
    Finished,
}

impl SlotState {
    #[inline]
    pub(crate) fn is_unfinished(self) -> bool {
        matches!(self, SlotState::Waiting | SlotState::Queued)
    }
}

/// One task, on one cache line: what the executor itself needs of it for a poll is one miss.
#[repr(align(64))]
pub(crate) struct Slot {
    /// The future, or the outcome once it is finished. `None` while it is polled, and always for
    /// `block_on`'s own future. In a vacant slot there may be a box for the next task to move into.
    pub(crate) task: Option<BoxedTask>,
    pub(crate) joiner: Option<Joiner>,
    pub(crate) spawned_at: &'static Location<'static>,
    pub(crate) waits_at: Option<&'static Location<'static>>,
    generation: NonZeroU32,
    pub(crate) state: SlotState,
    pub(crate) next_poll: NextPoll,
    pub(crate) has_handle: bool,
    pub(crate) leaves_box: LeavesBox,
}

impl Slot {
    /// Puts the task, or its outcome, where there is none.
    #[inline(always)]
    pub(crate) fn put(&mut self, task: BoxedTask) {
        debug_assert!(self.state.is_unfinished() && self.task.is_none());
        // What was there needs no drop, and no look whether it does: on the way of every poll, such a
        // look costs something.
        mem::forget(self.task.replace(task));
    }

    /// Begins the time of a task.
    #[inline(always)]
    fn begin(
        &mut self,
        index: u32,
        state: SlotState,
        spawned_at: &'static Location<'static>,
    ) -> TaskId {
        debug_assert!(self.state == SlotState::Vacant && self.joiner.is_none());
        self.state = state;
        self.spawned_at = spawned_at;
        self.waits_at = None;
        self.next_poll = NextPoll::WithSpare;
        TaskId::new(index, self.generation)
    }

    /// Ends the time of its task. The generation moves on, so every copy of the task's id is now of the
    /// past. False if the generations are used up, and the slot is never to be given out again: its next
    /// task would answer to the ids of its first.
    #[inline(always)]
    fn end(&mut self) -> bool {
        debug_assert!(self.joiner.is_none());
        self.state = SlotState::Vacant;
        let Some(next) = self.generation.checked_add(1) else {
            self.task = None;
            return false;
        };
        self.generation = next;
        true
    }
}

/// What comes of a task the next time that it is taken from the queue. `block_on`'s own future has its
/// waker elsewhere and is never aborted: its slot stays `WithSpare`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NextPoll {
    /// It is polled with a waker that is no task's yet.
    WithSpare,
    /// It is polled with a waker of its own, since somebody has cloned that.
    WithOwn,
    /// It has been aborted, and is dropped.
    Dropped,
}

/// All slots, one after the other. Growing copies each slot once or twice, 64 bytes, which costs less
/// than a second look-up at every poll would: slots are found by their index alone.
pub(crate) struct Slots {
    slots: Vec<Slot>,
    free: Free,
    /// The slot that is kept for `block_on`'s own future, of which there is one at a time.
    main: Option<u32>,
    /// That of a new slot: 1, but in tests of slots that retire.
    first_generation: NonZeroU32,
}

impl Slots {
    pub(crate) fn new() -> Self {
        Slots {
            slots: Vec::new(),
            free: Free::new(),
            main: None,
            first_generation: NonZeroU32::MIN,
        }
    }

    #[cfg(test)]
    pub(crate) fn leave_generations(&mut self, left: u32) {
        self.first_generation = NonZeroU32::new(u32::MAX - left + 1).expect("fewer than all");
    }

    /// Gives a task its id, and puts it in its place.
    // Inlined into the spawn, which `inline` alone does not bring about: 15 instructions fewer.
    #[inline(always)]
    pub(crate) fn insert(
        &mut self,
        task: impl NewTask,
        state: SlotState,
        spawned_at: &'static Location<'static>,
    ) -> TaskId {
        let index = match self.free.take() {
            Some(index) => index,
            None => self.grow(),
        };
        let slot = &mut self.slots[index as usize];
        slot.leaves_box = task.put_in(&mut slot.task);
        slot.has_handle = true;
        slot.begin(index, state, spawned_at)
    }

    /// Gives `block_on`'s own future its id. It has the same slot at every call, and no other task ever has
    /// that: it needs no box, and so takes no place where one is left.
    #[inline(always)]
    pub(crate) fn insert_main(&mut self, spawned_at: &'static Location<'static>) -> TaskId {
        let index = match self.main {
            Some(index) => index,
            None => {
                let index = self.grow();
                self.main = Some(index);
                index
            }
        };
        self.slots[index as usize].begin(index, SlotState::Waiting, spawned_at)
    }

    /// Makes a new slot.
    #[cold]
    fn grow(&mut self) -> u32 {
        let index = u32::try_from(self.slots.len()).expect("fewer than 2^32 tasks at once");
        self.slots.push(Slot {
            task: None,
            joiner: None,
            spawned_at: Location::caller(), // any place will do until `begin`
            waits_at: None,
            generation: self.first_generation,
            state: SlotState::Vacant,
            next_poll: NextPoll::WithSpare,
            has_handle: false,
            leaves_box: LeavesBox::Never,
        });
        self.free.reach(index);
        index
    }

    /// The task's slot. An id of the past has none.
    #[inline(always)]
    pub(crate) fn get(&self, id: TaskId) -> Option<&Slot> {
        let slot = self.slots.get(id.slot() as usize)?;
        id.is_of(slot.generation).then_some(slot)
    }

    /// The task's slot. An id of the past has none.
    #[inline(always)]
    pub(crate) fn get_mut(&mut self, id: TaskId) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(id.slot() as usize)?;
        id.is_of(slot.generation).then_some(slot)
    }

    /// The output of a finished task, or why there is none; and gives the slot back. `None` if there is no such task or
    /// it has not finished.
    ///
    /// None of this is the user's code: an output is moved, and what is left in the box has no drop of
    /// the user's.
    #[inline(always)]
    pub(crate) fn take_output<T: 'static>(&mut self, id: TaskId) -> Option<Result<T, JoinError>> {
        let slot = self.get_mut(id)?;
        if slot.state != SlotState::Finished {
            return None;
        }
        let task = slot.task.as_mut().expect("a finished task has an outcome");
        let taken = output_of(task.as_mut());
        if slot.leaves_box == LeavesBox::Never {
            slot.task = None;
        }
        self.vacate(id);
        Some(taken)
    }

    /// The outcome of a finished task, whose slot is given back. `None` if there is no such task or it
    /// has not finished.
    #[inline(always)]
    pub(crate) fn take_finished(&mut self, id: TaskId) -> Option<BoxedTask> {
        let slot = self.get_mut(id)?;
        if slot.state != SlotState::Finished {
            return None;
        }
        let outcome = slot.task.take();
        self.vacate(id);
        outcome
    }

    /// Gives the slot of a task back, in which there is nothing but a box, perhaps, for the next one.
    #[inline(always)]
    pub(crate) fn vacate(&mut self, id: TaskId) {
        let slot = self.get_mut(id).expect("a task ends once");
        if slot.end() {
            self.free.give(id.slot());
        }
    }

    /// Ends the time of `block_on`'s own future.
    #[inline(always)]
    pub(crate) fn vacate_main(&mut self, id: TaskId) {
        let slot = self.get_mut(id).expect("a task ends once");
        if !slot.end() {
            self.main = None;
        }
    }

    /// The tasks that have not finished, in the order of their slots.
    pub(crate) fn unfinished(&self) -> impl Iterator<Item = (TaskId, &Slot)> {
        let slots = (0..).zip(&self.slots);
        slots
            .filter(|(_, slot)| slot.state.is_unfinished())
            .map(|(index, slot)| (TaskId::new(index, slot.generation), slot))
    }
}

#[cfg(test)]
mod tests {
    use std::future::{Ready, ready};
    use std::ptr;
    use std::task::{Context, Waker};

    use super::*;
    use crate::task::{Bare, MAX_LEFT_BYTES, boxed_and_named};

    fn insert(slots: &mut Slots) -> TaskId {
        slots.insert((), SlotState::Waiting, Location::caller())
    }

    #[test]
    fn an_id_is_never_used_again() {
        let mut slots = Slots::new();
        let first = insert(&mut slots);
        slots.vacate(first);
        let second = insert(&mut slots);
        assert_eq!(first.slot(), second.slot());
        assert_ne!(first, second);
        assert!(slots.get(first).is_none());
        assert!(slots.get_mut(first).is_none());
        assert!(slots.get(second).is_some());
    }

    #[test]
    fn a_slot_retires_when_its_generations_are_used_up() {
        let mut slots = Slots::new();
        slots.leave_generations(3);
        let ids: Vec<TaskId> = (0..9)
            .map(|_| {
                let id = insert(&mut slots);
                slots.vacate(id);
                id
            })
            .collect();
        let slots: Vec<u32> = ids.iter().map(|id| id.slot()).collect();
        assert_eq!(slots, [0, 0, 0, 1, 1, 1, 2, 2, 2]);
        let left = ids.iter().map(|id| u32::MAX - 1 - id.generation());
        assert!(left.eq([2, 1, 0, 2, 1, 0, 2, 1, 0]));
    }

    /// Runs a task to its end, in slot 0, and takes its output.
    fn run<T: 'static>(slots: &mut Slots, task: impl NewTask) -> T {
        let id = slots.insert(task, SlotState::Waiting, Location::caller());
        assert_eq!(id.slot(), 0);
        let slot = slots.get_mut(id).unwrap();
        let task = slot.task.as_mut().unwrap().as_mut();
        let polled = task.poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_ready());
        slot.state = SlotState::Finished;
        slots.take_output(id).unwrap().unwrap()
    }

    /// [`run`], and the address of the box that is left.
    fn run_and_leave<T: 'static>(slots: &mut Slots, output: T) -> Option<*const ()> {
        run::<T>(slots, Bare(ready(output)));
        let left = slots.slots[0].task.as_ref();
        left.map(|left| ptr::from_ref(&**left).cast())
    }

    #[test]
    fn a_future_moves_into_the_box_of_the_last_one_of_its_type() {
        let mut slots = Slots::new();
        let first = run_and_leave(&mut slots, 1);
        let kept = Box::new([0_u8; size_of::<Option<Ready<i32>>>()]); // would get the box's memory
        assert_eq!(run_and_leave(&mut slots, 2), first);
        assert!(first.is_some());
        drop(kept);
    }

    #[test]
    fn a_future_of_another_type_gets_a_box_of_its_own() {
        let mut slots = Slots::new();
        assert_eq!(run::<i32>(&mut slots, Bare(ready(1))), 1);
        assert_eq!(run::<&str>(&mut slots, Bare(ready("two"))), "two");
        assert_eq!(run::<i32>(&mut slots, Bare(ready(3))), 3);
    }

    #[test]
    fn only_a_box_that_another_task_can_move_into_is_left() {
        let mut slots = Slots::new();
        // One byte says whether the task is done, and one whether the output is there.
        assert!(run_and_leave(&mut slots, [0_u8; MAX_LEFT_BYTES - 2]).is_some());
        assert!(run_and_leave(&mut slots, [0_u8; MAX_LEFT_BYTES - 1]).is_none());
        run::<i32>(&mut slots, boxed_and_named(ready(1), "named".into()));
        assert!(slots.slots[0].task.is_none());
    }

    #[test]
    fn what_retires_leaves_no_box() {
        let mut slots = Slots::new();
        slots.leave_generations(2);
        assert!(run_and_leave(&mut slots, 1).is_some());
        assert!(run_and_leave(&mut slots, 2).is_none());
    }

    #[test]
    fn the_main_task_has_a_slot_of_its_own() {
        let mut slots = Slots::new();
        slots.leave_generations(2);
        let mut main = || {
            let id = slots.insert_main(Location::caller());
            slots.vacate_main(id);
            let task = insert(&mut slots);
            slots.vacate(task);
            (id.slot(), task.slot())
        };
        assert_eq!([main(), main()], [(0, 1), (0, 1)]);
        assert_eq!(main(), (2, 3), "both have retired");
    }

    #[test]
    fn a_slot_is_one_cache_line() {
        assert_eq!(size_of::<Slot>(), 64);
        assert_eq!(align_of::<Slot>(), 64);
    }
}
