//! The ready queue: the tasks that are to be polled, first in, first out.
//!
//! A ready task is in exactly one place, this queue, and it is in it once: [`Queue::wake`] looks at
//! the task's state before it pushes. Wakes from other threads arrive in the inbox (`waker.rs`) and
//! end up here too, through the same function.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use crate::task::{State, States, TaskId};
use crate::trace::{Cause, Effect, Tracer};

pub(crate) struct Queue {
    tasks: RefCell<Tasks>,
    /// The task whose future is being polled or dropped at this moment.
    running: Cell<Option<TaskId>>,
    /// The state of the shuffle, if the order is to be shuffled.
    shuffle: Option<Cell<u64>>,
    pub(crate) tracer: Rc<Tracer>,
}

struct Tasks {
    states: States,
    ready: VecDeque<TaskId>,
}

impl Tasks {
    /// Takes the next entry, and says whether its task is to be polled: it may have ended since.
    #[inline]
    fn pop(&mut self, shuffle: Option<&Cell<u64>>, within: usize) -> Option<(TaskId, bool)> {
        if let Some(shuffle) = shuffle {
            let among = within.min(self.ready.len());
            if among > 1 {
                self.ready.swap(0, next_random(shuffle) as usize % among);
            }
        }
        let id = self.ready.pop_front()?;
        Some((id, self.states.mark_polled(id)))
    }
}

impl Queue {
    pub(crate) fn new(seed: Option<u64>, tracer: Rc<Tracer>) -> Self {
        Queue {
            tasks: RefCell::new(Tasks {
                states: States::new(),
                ready: VecDeque::new(),
            }),
            running: Cell::new(None),
            shuffle: seed.map(Cell::new),
            tracer,
        }
    }

    /// An id for a new task, which is not queued yet.
    pub(crate) fn allocate(&self) -> TaskId {
        self.tasks.borrow_mut().states.allocate()
    }

    /// Puts the task at the back of the queue, unless it is in the queue or has finished. Every way
    /// to make a task ready comes through here.
    #[inline]
    pub(crate) fn wake(&self, id: TaskId, by: Cause) {
        let queued = self.push(id);
        // The tracer calls the user's code, so nothing is borrowed by now.
        if self.tracer.is_on() {
            let effect = match (queued, self.state(id)) {
                (true, _) => Effect::Queued,
                (false, State::Queued) => Effect::AlreadyQueued,
                (false, _) => Effect::Finished,
            };
            self.tracer.woken(id, by, effect);
        }
    }

    /// [`wake`](Queue::wake), by code that runs on this thread: in the poll of some task, or not.
    #[inline]
    pub(crate) fn wake_from_here(&self, id: TaskId) {
        let by = match self.running.get() {
            Some(running) if running == id => Cause::Itself,
            Some(running) => Cause::Task(running),
            None => Cause::Outside,
        };
        self.wake(id, by);
    }

    #[inline]
    fn push(&self, id: TaskId) -> bool {
        let tasks = &mut *self.tasks.borrow_mut();
        let queued = tasks.states.mark_queued(id);
        if queued {
            tasks.ready.push_back(id);
        }
        queued
    }

    /// Takes the next task, which the caller then polls. `within` is how many tasks at the front
    /// belong to this turn: a shuffled order is shuffled among those, so nobody waits for ever.
    #[inline]
    pub(crate) fn pop(&self, within: usize) -> Option<TaskId> {
        loop {
            let (id, unfinished) = self.tasks.borrow_mut().pop(self.shuffle.as_ref(), within)?;
            if unfinished {
                return Some(id);
            }
            self.tracer.passed_over(id);
        }
    }

    /// How many entries the queue has.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.tasks.borrow().ready.len()
    }

    /// What is in the queue, in order, with those that have ended since they were queued.
    pub(crate) fn ready(&self) -> Vec<TaskId> {
        self.tasks.borrow().ready.iter().copied().collect()
    }

    pub(crate) fn state(&self, id: TaskId) -> State {
        self.tasks.borrow().states.get(id)
    }

    pub(crate) fn mark_finished(&self, id: TaskId) {
        self.tasks.borrow_mut().states.mark_finished(id);
    }

    pub(crate) fn release(&self, id: TaskId) {
        self.tasks.borrow_mut().states.release(id);
    }

    pub(crate) fn unfinished(&self) -> Vec<TaskId> {
        self.tasks.borrow().states.unfinished().collect()
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
    use super::*;
    use crate::clock::Clock;

    fn queue(seed: Option<u64>) -> Queue {
        let tracer = Tracer::new(Rc::new(Clock::real()), None, None);
        Queue::new(seed, Rc::new(tracer))
    }

    fn order(queue: &Queue, tasks: usize) -> Vec<u32> {
        for _ in 0..tasks {
            let id = queue.allocate();
            queue.wake(id, Cause::Spawned);
        }
        let left = |popped: usize| tasks - popped;
        (0..tasks)
            .map(|popped| queue.pop(left(popped)).unwrap().slot())
            .collect()
    }

    #[test]
    fn first_in_first_out() {
        assert_eq!(order(&queue(None), 5), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn a_seed_shuffles_and_can_be_repeated() {
        let first = order(&queue(Some(7)), 20);
        assert_eq!(first, order(&queue(Some(7)), 20));
        assert_ne!(first, order(&queue(Some(8)), 20));
        let mut sorted = first.clone();
        sorted.sort_unstable();
        assert_ne!(first, sorted);
        assert_eq!(sorted, (0..20).collect::<Vec<u32>>());
    }

    #[test]
    fn a_shuffle_stays_within_the_turn() {
        let queue = queue(Some(7));
        let ids: Vec<TaskId> = (0..20).map(|_| queue.allocate()).collect();
        ids.iter().for_each(|&id| queue.wake(id, Cause::Spawned));
        let turn: Vec<u32> = (0..5).map(|n| queue.pop(5 - n).unwrap().slot()).collect();
        assert!(turn.iter().all(|&slot| slot < 5), "{turn:?}");
    }

    #[test]
    fn two_wakes_are_one_entry_and_a_finished_task_is_passed_over() {
        let queue = queue(None);
        let (a, b) = (queue.allocate(), queue.allocate());
        for id in [a, a, b, a] {
            queue.wake(id, Cause::Outside);
        }
        assert_eq!(queue.len(), 2);
        queue.release(a);
        assert_eq!(queue.pop(2), Some(b));
        assert_eq!(queue.pop(2), None);
    }
}
