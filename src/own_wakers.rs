//! The tasks' own wakers: who has one, what becomes of it when its task ends, and whether somebody outside has it.
//!
//! ```text
//!                        somebody clones it
//!     the spare waker ────────────────────────▶ the task's own ──▶ left in the task's slot
//!           ▲                                                               │
//!           └─── the next spare, if the next task there needs its own ◀─────┘
//! ```

use std::cell::RefMut;
use std::mem;
use std::sync::Arc;

use crate::context::Shared;
use crate::counted_waker::CountedWaker;
use crate::inbox::TaskWaker;
use crate::slots::NextPoll;
use crate::task::TaskId;

impl Shared {
    /// The task's own waker, which it has.
    #[inline(always)]
    pub(crate) fn take_waker(&self, id: TaskId) -> CountedWaker {
        let own = self.wakers.borrow_mut()[id.slot() as usize].take();
        own.expect("it has one of its own")
    }

    /// Puts the task's own waker back that was taken for a poll, or leaves it for the next task in the slot.
    #[inline(always)]
    pub(crate) fn put_waker_back(&self, id: TaskId, waker: CountedWaker) {
        let place = &mut self.wakers.borrow_mut()[id.slot() as usize];
        debug_assert!(place.is_none());
        mem::forget(place.replace(waker)); // see `Slot::put`
    }

    /// Somebody has cloned the spare waker. A task that waits keeps it, and from now on is polled with it; what has
    /// ended needs none.
    // Cold, so that it is not in the middle of each poll: most tasks keep no waker.
    #[cold]
    pub(crate) fn part_with_spare(&self, id: TaskId, spare: &mut CountedWaker, waits: bool) {
        match waits {
            true => mem::swap(&mut *self.own_waker(id), spare),
            false => *spare = CountedWaker::new(self.home.clone()),
        }
    }

    /// Gives a task a waker of its own before its first poll, and the target of that to whoever will wake it.
    pub(crate) fn waker_for(&self, id: TaskId) -> Arc<TaskWaker> {
        let own = self.own_waker(id);
        own.target.set_task(id);
        own.target.clone()
    }

    /// Has the task polled with a waker of its own from now on: with the one that a task before it has left in its
    /// slot, or with a new one if there is none or somebody has it still. It is for the caller to set its task.
    fn own_waker(&self, id: TaskId) -> RefMut<'_, CountedWaker> {
        self.queue.with_slot(id, |slot| {
            if slot.next_poll == NextPoll::WithSpare {
                slot.next_poll = NextPoll::WithOwn;
            }
        });
        RefMut::map(self.wakers.borrow_mut(), |wakers| {
            let slot = id.slot() as usize;
            if wakers.len() <= slot {
                wakers.resize_with(slot + 1, || None);
            }
            let place = &mut wakers[slot];
            if !matches!(place, Some(left) if left.clones() == 0) {
                *place = Some(CountedWaker::new(self.home.clone()));
            }
            place.as_mut().expect("it is there by now")
        })
    }

    /// True if there is a clone of this task's waker.
    pub(crate) fn waker_is_held(&self, id: TaskId) -> bool {
        self.is_held(&self.wakers.borrow(), id.slot() as usize)
    }

    /// The slot of an unfinished task whose waker somebody holds. The executor itself has no clone, so somebody outside
    /// may wake that task; or another crate's combinator has one in a waker of its own, which may well have been left
    /// with a timer or a task of this executor: who can tell?
    pub(crate) fn held_waker(&self) -> Option<usize> {
        let wakers = self.wakers.borrow();
        // Whoever held one last time probably still does, and if not, the next one does: with many tasks that
        // spares a long search at every park, also where they are answered one after the other.
        let last = self.last_held.get();
        let mut slots = (last..wakers.len()).chain(0..last);
        let found = slots.find(|&slot| self.is_held(&wakers, slot));
        self.last_held.set(found.unwrap_or(0));
        found
    }

    /// True if somebody outside has the waker of this slot, and its task is there still.
    fn is_held(&self, wakers: &[Option<CountedWaker>], slot: usize) -> bool {
        let Some(Some(waker)) = wakers.get(slot) else {
            return false;
        };
        let is_unfinished = |task| self.queue.state(task).is_unfinished();
        waker.target.task().is_some_and(is_unfinished) && waker.clones() > 0
    }

    /// Lets go of a waker that somebody outside holds.
    pub(crate) fn release_held_waker(&self) -> Option<Arc<TaskWaker>> {
        let slot = self.held_waker()?;
        let CountedWaker { target, .. } = self.wakers.borrow_mut()[slot].take()?;
        Some(target)
    }

    /// Takes back what [`release_held_waker`](Shared::release_held_waker) gave: the task's waker, or
    /// nothing, if it is gone. Then the task is polled with the spare one again.
    pub(crate) fn take_back_waker(&self, id: TaskId, target: Option<Arc<TaskWaker>>) {
        match target {
            Some(target) => self.put_waker_back(id, CountedWaker::of(target)),
            None => {
                self.queue.with_slot(id, |slot| {
                    // An observer who was told of the park may have aborted it.
                    if slot.next_poll == NextPoll::WithOwn {
                        slot.next_poll = NextPoll::WithSpare;
                    }
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;
    use std::panic::Location;
    use std::rc::Rc;
    use std::task::Waker;

    use super::*;
    use crate::clock::Clock;
    use crate::pool::Pool;
    use crate::queue::Queue;
    use crate::slots::SlotState;
    use crate::spin::Spin;
    use crate::task::boxed;
    use crate::trace::Tracer;

    fn shared() -> Rc<Shared> {
        let clock = Rc::new(Clock::real());
        let queue = Queue::new(None, Tracer::new(clock.clone(), None, None));
        let pool = Pool::new(1, Pool::KEEP_ALIVE);
        Shared::new(clock, queue, pool, Spin::new(true))
    }

    /// Has so many tasks wait, one in each slot from 0 on, each with a waker of its own.
    fn waiting(shared: &Shared, tasks: usize) -> Vec<TaskId> {
        let at = Location::caller();
        let insert = |_| shared.queue.insert((), SlotState::Waiting, at);
        let ids: Vec<TaskId> = (0..tasks).map(insert).collect();
        ids.iter().for_each(|&id| drop(shared.waker_for(id)));
        ids
    }

    fn end(shared: &Shared, task: TaskId) {
        shared.queue.finish(task, boxed(ready(())));
        shared.queue.take_finished(task);
    }

    fn lent(shared: &Shared, slot: usize) -> Waker {
        let wakers = shared.wakers.borrow();
        wakers[slot].as_ref().unwrap().waker.clone()
    }

    #[test]
    fn a_task_takes_the_waker_that_one_before_it_has_left_unless_somebody_has_it() {
        let shared = shared();
        let next = || {
            let task = waiting(&shared, 1)[0];
            end(&shared, task);
            let left = &shared.wakers.borrow()[0];
            left.as_ref().map(|left| Arc::as_ptr(&left.target))
        };
        let first = next();
        assert_eq!(next(), first);
        let kept = lent(&shared, 0);
        assert_ne!(next(), first);
        drop(kept);
    }

    #[test]
    fn whose_task_has_ended_is_held_no_more() {
        let shared = shared();
        let ids = waiting(&shared, 2);
        let kept = lent(&shared, 1);
        assert_eq!(shared.held_waker(), Some(1));
        assert!(shared.waker_is_held(ids[1]) && !shared.waker_is_held(ids[0]));
        end(&shared, ids[1]);
        assert_eq!(shared.held_waker(), None);
        // Another lives there by now, and was not polled yet.
        let at = Location::caller();
        let next = shared.queue.insert((), SlotState::Waiting, at);
        assert_eq!(next.slot(), 1);
        assert!(!shared.waker_is_held(next));
        drop(kept);
    }

    #[test]
    fn who_holds_a_waker_is_searched_from_where_somebody_did_last() {
        let shared = shared();
        waiting(&shared, 4);
        let lent = |slot| lent(&shared, slot);
        let (first, second, last) = (lent(0), lent(1), lent(3));
        assert_eq!(shared.held_waker(), Some(0));
        drop(first);
        assert_eq!(shared.held_waker(), Some(1));
        let first = lent(0);
        drop(second);
        assert_eq!(shared.held_waker(), Some(3), "and not from the front again");
        drop(last);
        assert_eq!(shared.held_waker(), Some(0));
        drop(first);
        assert_eq!(shared.held_waker(), None);
    }
}
