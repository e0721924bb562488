//! The ready queue: the tasks that are to be polled, first in, first out.
//!
//! A ready task is in exactly one place, this queue, and it is in it once: [`Queue::push`] looks at
//! the task's state before it pushes. Wakes from other threads arrive in the inbox (`inbox.rs`) and
//! end up here too, through the same function.

use std::cell::{Cell, RefCell, RefMut};
use std::collections::VecDeque;
use std::mem;
use std::panic::Location;

use crate::slots::{NextPoll, Slot, SlotState, Slots};
use crate::task::{BoxedTask, JoinError, LeavesBox, NewTask, TaskId};
use crate::trace::{Cause, Effect, Tracer};
use crate::waiter::{Joiner, Waiter};

pub(crate) struct Queue {
    tasks: RefCell<Tasks>,
    /// The task whose future is being polled or dropped at this moment.
    running: Cell<Option<TaskId>>,
    /// Where that task last said that it waits; after the poll, until the next one.
    pub(crate) waits_at: Cell<Option<&'static Location<'static>>>,
    /// Set while the executor uses somebody else's waker, which was left with a timer, say: why it does. That is the
    /// cause for whoever is woken meanwhile.
    waking_by: Cell<Option<Cause>>,
    /// The state of the shuffle, if the order is to be shuffled.
    shuffle: Option<Cell<u64>>,
    /// What the shuffle began with: told if `block_on` panics.
    pub(crate) seed: Option<u64>,
    pub(crate) tracer: Tracer,
}

struct Tasks {
    slots: Slots,
    ready: VecDeque<TaskId>,
}

/// What [`Queue::pop`] takes out of a task's slot for its poll.
pub(crate) struct Popped {
    pub(crate) id: TaskId,
    /// `None` for `block_on`'s own future.
    pub(crate) task: Option<BoxedTask>,
    pub(crate) how: NextPoll,
}

/// A task after a poll that has not finished it. It is put back before another is polled: where it waits
/// is kept in the queue only until then.
pub(crate) struct Polled {
    pub(crate) id: TaskId,
    pub(crate) task: BoxedTask,
}

/// What is left to do when a task has ended, with nothing borrowed: each may run the user's code.
pub(crate) enum AfterEnd {
    /// The task that awaits it, under its own waker, is to be woken. A `Joiner` could say so, too, but is moved as a
    /// whole, soon after it was written in parts: see `Stage` in `task.rs`.
    Wake(TaskId),
    /// Whoever awaits the task is to be told.
    Tell(Joiner),
    /// There is no handle, so nobody awaits it, and nobody wants the outcome.
    Drop(BoxedTask),
}

impl Tasks {
    #[inline(always)]
    fn put_back(&mut self, polled: Polled, waits_at: Option<&'static Location<'static>>) {
        let slot = self.slots.get_mut(polled.id);
        let slot = slot.expect("a polled task keeps its slot");
        slot.put(polled.task);
        slot.waits_at = waits_at;
    }

    /// Puts one of the first so many entries at the front.
    #[cold]
    fn shuffle_front(&mut self, shuffle: &Cell<u64>, among: usize) {
        let among = among.min(self.ready.len());
        if among > 1 {
            let chosen = next_random(shuffle) % among as u64;
            self.ready.swap(0, chosen as usize);
        }
    }
}

impl Queue {
    pub(crate) fn new(seed: Option<u64>, tracer: Tracer) -> Self {
        Queue {
            tasks: RefCell::new(Tasks {
                slots: Slots::new(),
                ready: VecDeque::new(),
            }),
            running: Cell::new(None),
            waits_at: Cell::new(None),
            waking_by: Cell::new(None),
            shuffle: seed.map(Cell::new),
            seed,
            tracer,
        }
    }

    /// Gives a task its id, and puts it at the back of the queue unless it is `Waiting`.
    #[inline(always)]
    pub(crate) fn insert(
        &self,
        task: impl NewTask,
        state: SlotState,
        spawned_at: &'static Location<'static>,
    ) -> TaskId {
        let tasks = &mut *self.tasks.borrow_mut();
        let id = tasks.slots.insert(task, state, spawned_at);
        if state == SlotState::Queued {
            tasks.ready.push_back(id);
        }
        id
    }

    /// Gives `block_on`'s own future its id. It is `Waiting`.
    #[inline(always)]
    pub(crate) fn insert_main(&self, spawned_at: &'static Location<'static>) -> TaskId {
        self.tasks.borrow_mut().slots.insert_main(spawned_at)
    }

    /// Puts the task at the back of the queue, unless it is in the queue or has finished.
    #[inline]
    pub(crate) fn wake(&self, id: TaskId, by: Cause) {
        if self.tracer.has_observer() {
            return self.wake_and_tell(id, by);
        }
        self.push(id);
    }

    #[cold]
    #[inline(never)]
    fn wake_and_tell(&self, id: TaskId, by: Cause) {
        let before = self.push(id);
        // The tracer calls the user's code: nothing is borrowed by now.
        self.tracer.woken(id, by, effect_of_wake(before));
    }

    /// [`wake`](Queue::wake), for whoever knows that nobody is told.
    #[inline(never)]
    pub(crate) fn wake_untold(&self, id: TaskId) {
        debug_assert!(!self.tracer.is_on());
        self.push(id);
    }

    /// [`wake`](Queue::wake), by code that runs on this thread: in the poll of some task, or not.
    #[inline]
    pub(crate) fn wake_from_here(&self, id: TaskId) {
        let by = match self.cause_here() {
            Cause::Task(running) if running == id => Cause::Itself,
            by => by,
        };
        self.wake(id, by);
    }

    /// Why somebody is woken by code that runs on this thread.
    pub(crate) fn cause_here(&self) -> Cause {
        let running = self.running.get().map(Cause::Task);
        self.waking_by.get().or(running).unwrap_or(Cause::Outside)
    }

    /// Pushes the task if it is waiting, and returns what it was. Every wake comes through here.
    #[inline(always)]
    fn push(&self, id: TaskId) -> SlotState {
        let tasks = &mut *self.tasks.borrow_mut();
        let Some(slot) = tasks.slots.get_mut(id) else {
            return SlotState::Vacant;
        };
        let before = slot.state;
        if before == SlotState::Waiting {
            slot.state = SlotState::Queued;
            tasks.ready.push_back(id);
        }
        before
    }

    /// Takes the next task, which the caller then polls, and first puts the one back that was `polled`
    /// before. `turn_left` is how many entries at the front belong to this turn, and is counted down: what
    /// was queued since the turn began waits for the next one, and a shuffled order is shuffled within
    /// the turn, so nobody waits for ever.
    ///
    /// The task is no longer queued *before* it is polled, so that a wake which comes during the
    /// poll queues it again. Were that noted after the poll, such a wake would be forgotten, and it
    /// may have been the last one.
    #[inline(always)]
    pub(crate) fn pop(&self, turn_left: &Cell<usize>, polled: Option<Polled>) -> Option<Popped> {
        let mut tasks = self.tasks.borrow_mut();
        if let Some(polled) = polled {
            tasks.put_back(polled, self.waits_at.get());
        }
        while turn_left.get() > 0 {
            if let Some(shuffle) = &self.shuffle {
                tasks.shuffle_front(shuffle, turn_left.get());
            }
            turn_left.set(turn_left.get() - 1);
            let id = tasks.ready.pop_front()?;
            if let Some(slot) = tasks.slots.get_mut(id)
                && slot.state == SlotState::Queued
            {
                slot.state = SlotState::Waiting;
                return Some(Popped {
                    id,
                    task: slot.task.take(),
                    how: slot.next_poll,
                });
            }
            // What ended while it was queued is passed over, and was an entry of this turn too.
            tasks = self.pass_over(tasks, id);
        }
        None
    }

    #[cold]
    #[inline(never)]
    fn pass_over<'a>(&'a self, tasks: RefMut<'a, Tasks>, id: TaskId) -> RefMut<'a, Tasks> {
        // The tracer calls the user's code: nothing may be borrowed.
        drop(tasks);
        self.tracer.passed_over(id);
        self.tasks.borrow_mut()
    }

    /// Puts a task back that has not finished.
    #[inline(always)]
    pub(crate) fn put_back(&self, polled: Polled) {
        self.tasks
            .borrow_mut()
            .put_back(polled, self.waits_at.get());
    }

    /// Notes that a task has ended. Its outcome stays if a handle wants it; otherwise the slot is vacant.
    /// Says what is left to do, if anything is.
    #[inline]
    pub(crate) fn finish(&self, id: TaskId, outcome: BoxedTask) -> Option<AfterEnd> {
        let tasks = &mut *self.tasks.borrow_mut();
        let slot = tasks.slots.get_mut(id).expect("a task ends once");
        debug_assert!(slot.state.is_unfinished() && slot.task.is_none());
        if slot.has_handle {
            slot.put(outcome);
            slot.state = SlotState::Finished;
            if let Some(Joiner::Waiter(Waiter::Task(waiting))) = slot.joiner {
                slot.joiner = None;
                return Some(AfterEnd::Wake(waiting));
            }
            slot.joiner.as_ref()?; // mostly nobody: then nothing is moved
            return slot.joiner.take().map(AfterEnd::Tell);
        }
        if slot.leaves_box == LeavesBox::Always {
            slot.put(outcome);
            tasks.slots.vacate(id);
            return None;
        }
        tasks.slots.vacate(id);
        Some(AfterEnd::Drop(outcome))
    }

    /// Notes who is told of the task's end. Gives back who was to be told until now, or the new one if
    /// the task has ended: that is for the caller to drop.
    #[inline]
    pub(crate) fn set_joiner(&self, id: TaskId, joiner: Joiner) -> Result<Option<Joiner>, Joiner> {
        match self.tasks.borrow_mut().slots.get_mut(id) {
            Some(slot) if slot.state.is_unfinished() => Ok(slot.joiner.replace(joiner)),
            _ => Err(joiner),
        }
    }

    /// [`set_joiner`](Queue::set_joiner) where nobody has waited before, for a task that waits under its own waker.
    /// False where somebody has, or where the task has ended.
    #[inline(always)]
    pub(crate) fn set_first_joiner(&self, id: TaskId, waiting: TaskId) -> bool {
        match self.tasks.borrow_mut().slots.get_mut(id) {
            Some(slot) if slot.state.is_unfinished() && slot.joiner.is_none() => {
                // Nobody was there: see `Slot::put`.
                mem::forget(slot.joiner.replace(Joiner::Waiter(Waiter::Task(waiting))));
                true
            }
            _ => false,
        }
    }

    /// The outcome of a finished task, whose slot is given back. `None` if it is unfinished,
    /// or was taken before.
    #[inline]
    pub(crate) fn take_finished(&self, id: TaskId) -> Option<BoxedTask> {
        self.tasks.borrow_mut().slots.take_finished(id)
    }

    /// The output of a finished task, or why there is none; and gives its slot back.
    /// `None` if the task is unfinished, or its outcome was taken before.
    #[inline(always)]
    pub(crate) fn take_output<T: 'static>(&self, id: TaskId) -> Option<Result<T, JoinError>> {
        self.tasks.borrow_mut().slots.take_output(id)
    }

    /// Vacates the slot of `block_on`'s own future.
    #[inline(always)]
    pub(crate) fn vacate_main(&self, id: TaskId) {
        self.tasks.borrow_mut().slots.vacate_main(id);
    }

    /// Looks at or changes the slot of a task that has one. `change` must not run the user's code.
    #[inline]
    pub(crate) fn with_slot<R>(
        &self,
        id: TaskId,
        change: impl FnOnce(&mut Slot) -> R,
    ) -> Option<R> {
        self.tasks.borrow_mut().slots.get_mut(id).map(change)
    }

    /// Collects something of every unfinished task, in the order of their slots.
    pub(crate) fn unfinished<R>(&self, get: impl Fn(TaskId, &Slot) -> Option<R>) -> Vec<R> {
        let tasks = self.tasks.borrow();
        let unfinished = tasks.slots.unfinished();
        unfinished.filter_map(|(id, slot)| get(id, slot)).collect()
    }

    /// True if one of those who wait for an unfinished task's end is such a one.
    pub(crate) fn any_joiner(&self, is_such: impl Fn(&Waiter) -> bool) -> bool {
        let tasks = self.tasks.borrow();
        let mut unfinished = tasks.slots.unfinished();
        unfinished.any(|(_, slot)| match &slot.joiner {
            Some(Joiner::Waiter(waiter)) => is_such(waiter),
            _ => false,
        })
    }

    #[inline]
    pub(crate) fn state(&self, id: TaskId) -> SlotState {
        let tasks = self.tasks.borrow();
        tasks
            .slots
            .get(id)
            .map_or(SlotState::Vacant, |slot| slot.state)
    }

    #[cfg(test)]
    pub(crate) fn leave_generations(&self, left: u32) {
        self.tasks.borrow_mut().slots.leave_generations(left);
    }

    /// How many entries the queue has.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.tasks.borrow().ready.len()
    }

    /// What is in the queue, in order, behind so many at the front; with those that have ended since they were
    /// queued.
    pub(crate) fn ready_behind(&self, front: usize) -> Vec<TaskId> {
        let tasks = self.tasks.borrow();
        tasks.ready.iter().skip(front).copied().collect()
    }

    /// Until the guard is dropped, whoever is woken is woken for this cause. The waker that is used
    /// meanwhile may panic.
    pub(crate) fn wakes_because(&self, by: Cause) -> WakesBecause<'_> {
        WakesBecause {
            queue: self,
            before: self.waking_by.replace(Some(by)),
        }
    }

    #[inline]
    pub(crate) fn running(&self) -> Option<TaskId> {
        self.running.get()
    }

    /// Says which task runs now, and returns which ran until now.
    #[inline]
    pub(crate) fn set_running(&self, id: Option<TaskId>) -> Option<TaskId> {
        self.running.replace(id)
    }
}

pub(crate) struct WakesBecause<'a> {
    queue: &'a Queue,
    before: Option<Cause>,
}

impl Drop for WakesBecause<'_> {
    fn drop(&mut self) {
        self.queue.waking_by.set(self.before);
    }
}

fn effect_of_wake(before: SlotState) -> Effect {
    match before {
        SlotState::Waiting => Effect::Queued,
        SlotState::Queued => Effect::AlreadyQueued,
        SlotState::Finished | SlotState::Vacant => Effect::Finished,
    }
}

/// SplitMix64 (Steele, Lea and Flood, 2014): small, and the same on every machine, so a seed gives
/// the same order everywhere.
fn next_random(state: &Cell<u64>) -> u64 {
    state.set(state.get().wrapping_add(0x9E37_79B9_7F4A_7C15));
    let mut z = state.get();
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::clock::Clock;

    fn queue(seed: Option<u64>) -> Queue {
        Queue::new(seed, Tracer::new(Rc::new(Clock::real()), None, None))
    }

    fn insert(queue: &Queue, tasks: usize) -> Vec<TaskId> {
        let at = Location::caller();
        let insert = |_| queue.insert((), SlotState::Queued, at);
        (0..tasks).map(insert).collect()
    }

    /// The slots that a turn of so many entries polls, in order.
    fn turn(queue: &Queue, entries: usize) -> Vec<u32> {
        let left = Cell::new(entries);
        let polled = std::iter::from_fn(|| queue.pop(&left, None));
        polled.map(|popped| popped.id.slot()).collect()
    }

    #[test]
    fn first_in_first_out() {
        let queue = queue(None);
        insert(&queue, 5);
        assert_eq!(turn(&queue, 5), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn a_seed_shuffles_and_can_be_repeated() {
        let shuffled = |seed| {
            let queue = queue(Some(seed));
            insert(&queue, 20);
            turn(&queue, 20)
        };
        let first = shuffled(7);
        assert_eq!(first, shuffled(7));
        assert_ne!(first, shuffled(8));
        let mut sorted = first.clone();
        sorted.sort_unstable();
        assert_ne!(first, sorted);
        assert_eq!(sorted, (0..20).collect::<Vec<u32>>());
    }

    #[test]
    fn a_shuffle_stays_within_the_turn() {
        let queue = queue(Some(7));
        insert(&queue, 20);
        let mut turn = turn(&queue, 5);
        turn.sort_unstable();
        assert_eq!(turn, [0, 1, 2, 3, 4]);
    }

    #[test]
    fn a_task_is_queued_once_until_it_is_popped() {
        let queue = queue(None);
        let id = insert(&queue, 1)[0];
        let wake = || effect_of_wake(queue.push(id));
        assert_eq!(wake(), Effect::AlreadyQueued);
        assert_eq!(queue.len(), 1);
        assert_eq!(turn(&queue, 1), [id.slot()]);
        assert_eq!(wake(), Effect::Queued, "woken during its own poll");
        assert_eq!(wake(), Effect::AlreadyQueued);
    }

    #[test]
    fn a_task_that_ended_in_the_queue_is_passed_over() {
        let queue = queue(None);
        let ids = insert(&queue, 2);
        queue.tasks.borrow_mut().slots.vacate(ids[0]);
        assert_eq!(effect_of_wake(queue.push(ids[0])), Effect::Finished);
        assert_eq!(turn(&queue, 1), [0; 0]);
        assert_eq!(turn(&queue, 1), [ids[1].slot()]);
        assert_eq!(turn(&queue, 1), [0; 0]);
    }
}
