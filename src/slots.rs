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

use std::any::Any;
use std::mem;
use std::num::NonZeroU32;
use std::panic::Location;
use std::rc::Rc;
use std::task::Waker;

use crate::free::Free;
use crate::guard::{contain, drop_contained};
use crate::task::{BoxedTask, JoinError, MAX_LEFT_BYTES, TaskId};

/// Where a task is in its life. `Running` is not among them: the one task that runs is known to the
/// queue, and while it runs it is `Waiting`, or `Queued` if it was woken meanwhile.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    Vacant,
    Waiting,
    Queued,
    Finished,
}

impl State {
    #[inline]
    pub(crate) fn is_unfinished(self) -> bool {
        matches!(self, State::Waiting | State::Queued)
    }
}

/// One task, on one cache line: a poll finds all that it needs with a single miss.
#[repr(align(64))]
pub(crate) struct Slot {
    /// The future, or the outcome once it is finished. `None` while it is polled, and always for
    /// `block_on`'s own future. In a vacant slot there may be a box from which the output was taken.
    pub(crate) task: Option<BoxedTask>,
    pub(crate) joiner: Option<Joiner>,
    pub(crate) spawned_at: &'static Location<'static>,
    pub(crate) waits_at: Option<&'static Location<'static>>,
    generation: NonZeroU32,
    pub(crate) state: State,
    pub(crate) next_poll: NextPoll,
    pub(crate) has_handle: bool,
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

    /// Ends the time of its task. The generation moves on, so every copy of the task's id is now of the
    /// past. False if the generations are used up, and the slot is never to be given out again: its next
    /// task would answer to the ids of its first.
    #[inline(always)]
    fn vacate(&mut self, last_generation: NonZeroU32) -> bool {
        debug_assert!(self.joiner.is_none());
        self.state = State::Vacant;
        let is_usable = self.generation < last_generation;
        if is_usable {
            self.generation = self.generation.saturating_add(1);
        }
        is_usable
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

/// Somebody who waits inside the executor, for a timer or for a task's end.
///
/// A task that waits under its own waker is remembered by its id: nothing is cloned or counted.
/// A future may also be polled with another waker (that of a combinator, of another executor).
pub(crate) enum Waiter {
    Task(TaskId),
    Waker(ForeignWaker),
}

impl Waiter {
    pub(crate) fn task(&self) -> Option<TaskId> {
        match self {
            Waiter::Task(id) => Some(*id),
            Waiter::Waker(_) => None,
        }
    }
}

/// A waker whose code is not ours. Wherever the executor uses it or lets go of it, a panic ends there:
/// whoever is woken next must not suffer, and whoever cancels a sleep must not either.
pub(crate) struct ForeignWaker(Waker);

impl ForeignWaker {
    pub(crate) fn clone_of(waker: &Waker) -> Self {
        ForeignWaker(waker.clone())
    }

    pub(crate) fn will_wake(&self, other: &Waker) -> bool {
        self.0.will_wake(other)
    }

    pub(crate) fn wake(mut self) {
        let waker = self.take();
        contain(|| waker.wake());
    }

    fn take(&mut self) -> Waker {
        mem::replace(&mut self.0, Waker::noop().clone())
    }
}

impl Drop for ForeignWaker {
    fn drop(&mut self) {
        drop_contained(self.take());
    }
}

/// Who is told that a task has ended.
pub(crate) enum Joiner {
    Waiter(Waiter),
    /// A `JoinSet`, which notes the task's id and wakes whoever awaits the set.
    Set(Rc<dyn Fn(TaskId)>),
}

/// All slots, one after the other. Growing copies each slot once on average, 64 bytes, which costs less
/// than a second look-up at every poll would: slots are found by their index alone.
pub(crate) struct Slots {
    slots: Vec<Slot>,
    free: Free,
    /// The last generation that a slot may have; then it retires. Small only in tests.
    last_generation: NonZeroU32,
}

impl Slots {
    pub(crate) fn new() -> Self {
        Slots {
            slots: Vec::new(),
            free: Free::new(),
            last_generation: NonZeroU32::MAX,
        }
    }

    #[cfg(test)]
    pub(crate) fn set_last_generation(&mut self, last: u32) {
        self.last_generation = NonZeroU32::new(last).expect("generations are counted from 1");
    }

    /// Gives a task its id. `fill` puts it in its place, where the last one may have left its box; nothing
    /// is to be there for `block_on`'s own future.
    #[inline]
    pub(crate) fn insert(
        &mut self,
        fill: impl FnOnce(&mut Option<BoxedTask>),
        state: State,
        spawned_at: &'static Location<'static>,
        has_handle: bool,
    ) -> TaskId {
        let index = match self.free.take() {
            Some(index) => index,
            None => self.grow(),
        };
        let slot = &mut self.slots[index as usize];
        debug_assert!(slot.state == State::Vacant && slot.joiner.is_none());
        fill(&mut slot.task);
        slot.state = state;
        slot.spawned_at = spawned_at;
        slot.waits_at = None;
        slot.next_poll = NextPoll::WithSpare;
        slot.has_handle = has_handle;
        TaskId::new(index, slot.generation)
    }

    /// Makes a new slot.
    #[cold]
    fn grow(&mut self) -> u32 {
        let index = u32::try_from(self.slots.len()).expect("fewer than 2^32 tasks at once");
        self.slots.push(Slot {
            task: None,
            joiner: None,
            spawned_at: Location::caller(),
            waits_at: None,
            generation: NonZeroU32::MIN,
            state: State::Vacant,
            next_poll: NextPoll::WithSpare,
            has_handle: false,
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

    /// Gives the slot of a task back that [has one](Slots::get).
    ///
    /// What the slot held is for the caller to drop, with nothing borrowed.
    pub(crate) fn remove(&mut self, id: TaskId) -> (Option<BoxedTask>, Option<Joiner>) {
        let held = self.remove_if(id, |state| state != State::Vacant);
        held.expect("a task is removed once")
    }

    /// [`remove`](Slots::remove), if there is such a task and it is in such a state.
    #[inline(always)]
    pub(crate) fn remove_if(
        &mut self,
        id: TaskId,
        state: impl FnOnce(State) -> bool,
    ) -> Option<(Option<BoxedTask>, Option<Joiner>)> {
        let slot = self.get_mut(id).filter(|slot| state(slot.state))?;
        let held = (slot.task.take(), slot.joiner.take());
        self.vacate(id);
        Some(held)
    }

    /// Moves the output of a finished task into `output`, or says why there is none, and gives the slot
    /// back. `None` if there is no such task or it has not finished.
    ///
    /// The box stays for the next task in the slot, unless it is large. None of this is the user's code: an
    /// output is moved, and what is left in the box has no drop of the user's.
    #[inline(always)]
    pub(crate) fn take_output(
        &mut self,
        id: TaskId,
        output: &mut dyn Any,
    ) -> Option<Result<(), JoinError>> {
        let last_generation = self.last_generation;
        let slot = self.get_mut(id)?;
        if slot.state != State::Finished {
            return None;
        }
        let outcome = slot.task.as_mut().expect("a finished task has an outcome");
        let taken = outcome.as_mut().take(output);
        if size_of_val(&**outcome) > MAX_LEFT_BYTES {
            slot.task = None;
        }
        if slot.vacate(last_generation) {
            self.free.give(id.slot());
        }
        Some(taken)
    }

    /// Gives the slot of a task back that holds nothing.
    #[inline(always)]
    pub(crate) fn vacate(&mut self, id: TaskId) {
        let last_generation = self.last_generation;
        let slot = self.get_mut(id).expect("a task is removed once");
        debug_assert!(slot.task.is_none());
        if slot.vacate(last_generation) {
            self.free.give(id.slot());
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
    use std::task::Context;

    use super::*;
    use crate::task::move_in;

    fn insert(slots: &mut Slots) -> TaskId {
        slots.insert(|_| (), State::Waiting, Location::caller(), false)
    }

    #[test]
    fn an_id_is_never_used_again() {
        let mut slots = Slots::new();
        let first = insert(&mut slots);
        slots.remove(first);
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
        slots.set_last_generation(3);
        let ids: Vec<TaskId> = (0..9)
            .map(|_| {
                let id = insert(&mut slots);
                slots.remove(id);
                id
            })
            .collect();
        let slots: Vec<u32> = ids.iter().map(|id| id.slot()).collect();
        assert_eq!(slots, [0, 0, 0, 1, 1, 1, 2, 2, 2]);
        let generations: Vec<u32> = ids.iter().map(|id| id.generation()).collect();
        assert_eq!(generations, [0, 1, 2, 0, 1, 2, 0, 1, 2]);
    }

    /// Runs a task of this future to its end, in slot 0. Gives the address of its box, and its output.
    fn run<T: 'static>(slots: &mut Slots, future: Ready<T>) -> (*const (), T) {
        let id = slots.insert(
            |place| move_in(place, future),
            State::Waiting,
            Location::caller(),
            true,
        );
        let slot = slots.get_mut(id).unwrap();
        let task = slot.task.as_mut().unwrap();
        let at = ptr::from_ref(&**task).cast();
        assert!(
            task.as_mut()
                .poll(&mut Context::from_waker(Waker::noop()))
                .is_ready()
        );
        slot.state = State::Finished;
        let mut output: Option<T> = None;
        slots.take_output(id, &mut output).unwrap().unwrap();
        assert_eq!(id.slot(), 0);
        (at, output.unwrap())
    }

    #[test]
    fn a_future_moves_into_the_box_of_the_last_one_of_its_type() {
        let mut slots = Slots::new();
        let (first, one) = run(&mut slots, ready(1));
        let kept = Box::new([0_u8; size_of::<Option<Ready<i32>>>()]); // would get the box's memory
        let (second, two) = run(&mut slots, ready(2));
        assert_eq!((second, one, two), (first, 1, 2));
        drop(kept);
    }

    #[test]
    fn a_future_of_another_type_gets_a_box_of_its_own() {
        let mut slots = Slots::new();
        assert_eq!(run(&mut slots, ready(1)).1, 1);
        assert_eq!(run(&mut slots, ready("two")).1, "two");
        assert_eq!(run(&mut slots, ready(3)).1, 3);
    }

    #[test]
    fn a_large_box_is_not_left_for_the_next_task() {
        let mut slots = Slots::new();
        run(&mut slots, ready([0_u8; MAX_LEFT_BYTES - 16]));
        assert!(slots.slots[0].task.is_some());
        run(&mut slots, ready([0_u8; MAX_LEFT_BYTES + 1]));
        assert!(slots.slots[0].task.is_none());
    }

    #[test]
    fn a_slot_is_one_cache_line() {
        assert_eq!(size_of::<Slot>(), 64);
        assert_eq!(align_of::<Slot>(), 64);
    }
}
