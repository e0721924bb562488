//! The tasks' own wakers: who has one, what becomes of it when its task ends, and whether somebody outside has it.
//!
//! ```text
//!                        somebody clones it
//!     the spare waker ────────────────────────▶ the task's own ──▶ left, if nobody has it still
//!           ▲                                                          │
//!           └────────────────── the next spare ◀───────────────────────┘
//! ```

use std::mem;
use std::sync::Arc;

use crate::context::Shared;
use crate::held_waker::HeldWaker;
use crate::inbox::TaskWaker;
use crate::slots::NextPoll;
use crate::task::TaskId;

impl Shared {
    /// The task's own waker, if it has one.
    #[inline(always)]
    pub(crate) fn take_waker(&self, id: TaskId) -> Option<HeldWaker> {
        let mut wakers = self.wakers.borrow_mut();
        wakers.get_mut(id.slot() as usize)?.take()
    }

    /// Gives the task a waker of its own: from now on it is polled with that.
    pub(crate) fn give_waker(&self, id: TaskId, waker: HeldWaker) {
        self.queue.with_slot(id, |slot| {
            if slot.next_poll == NextPoll::WithSpare {
                slot.next_poll = NextPoll::WithOwn;
            }
        });
        let slot = id.slot() as usize;
        let mut wakers = self.wakers.borrow_mut();
        if wakers.len() <= slot {
            wakers.resize_with(slot + 1, || None);
        }
        debug_assert!(wakers[slot].is_none());
        wakers[slot] = Some(waker);
    }

    /// Puts the task's own waker back that was taken for a poll.
    #[inline(always)]
    pub(crate) fn put_waker_back(&self, id: TaskId, waker: HeldWaker) {
        let place = &mut self.wakers.borrow_mut()[id.slot() as usize];
        debug_assert!(place.is_none());
        mem::forget(place.replace(waker)); // see `Slot::put`
    }

    /// A waker that nobody has: the last that a task has left, or else a new one. It is for the caller to set its task.
    #[cold]
    pub(crate) fn unused_waker(&self) -> HeldWaker {
        let left = self.left_wakers.borrow_mut().pop();
        left.unwrap_or_else(|| HeldWaker::new(self.home.clone()))
    }

    /// Leaves the waker of a task that has ended for another one, if that may come and nobody has it still.
    #[inline]
    pub(crate) fn leave_waker(&self, own: HeldWaker) {
        if own.clones() == 0 && !self.is_ending.get() {
            self.left_wakers.borrow_mut().push(own);
        }
    }

    /// True if there is a clone of an unfinished task's waker. The executor itself has none, so somebody outside
    /// may wake that task; or another crate's combinator has one in a waker of its own, which may well have
    /// been left with a timer or a task of this executor: who can tell?
    pub(crate) fn somebody_holds_a_waker(&self) -> bool {
        self.held_waker().is_some()
    }

    /// True if there is a clone of this task's waker.
    pub(crate) fn waker_is_held(&self, id: TaskId) -> bool {
        is_held(&self.wakers.borrow(), id.slot() as usize)
    }

    /// The slot of a task whose waker somebody outside holds.
    fn held_waker(&self) -> Option<usize> {
        let wakers = self.wakers.borrow();
        // Whoever held one last time probably still does, and if not, the next one does: with many tasks that
        // spares a long search at every park, also where they are answered one after the other. A task that has
        // ended has no waker here.
        let last = self.last_held.get();
        let mut slots = (last..wakers.len()).chain(0..last);
        let found = slots.find(|&slot| is_held(&wakers, slot));
        self.last_held.set(found.unwrap_or(0));
        found
    }

    /// Lets go of a waker that somebody outside holds.
    pub(crate) fn release_held_waker(&self) -> Option<Arc<TaskWaker>> {
        let slot = self.held_waker()?;
        let HeldWaker { target, .. } = self.wakers.borrow_mut()[slot].take()?;
        Some(target)
    }

    /// Takes back what [`release_held_waker`](Shared::release_held_waker) gave: the task's waker, or
    /// nothing, if it is gone. Then the task is polled with the spare one again.
    pub(crate) fn take_back_waker(&self, id: TaskId, target: Option<Arc<TaskWaker>>) {
        match target {
            Some(target) => self.give_waker(id, HeldWaker::of(target)),
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

fn is_held(wakers: &[Option<HeldWaker>], slot: usize) -> bool {
    matches!(wakers.get(slot), Some(Some(waker)) if waker.clones() > 0)
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::blocking::spawn_blocking;
    use crate::clock::Clock;
    use crate::executor::Executor;
    use crate::pool::Pool;
    use crate::queue::Queue;
    use crate::spin::Spin;
    use crate::trace::Tracer;

    fn shared() -> Rc<Shared> {
        let clock = Rc::new(Clock::real());
        let queue = Queue::new(None, Tracer::new(clock.clone(), None, None));
        let pool = Pool::new(1, Pool::KEEP_ALIVE);
        Shared::new(clock, queue, pool, Spin::new(true))
    }

    #[test]
    fn a_closure_takes_the_waker_that_one_before_it_has_left() {
        let shared = shared();
        let executor = Executor::of(shared.clone(), false);
        for _ in 0..100 {
            executor
                .block_on(async { spawn_blocking(|| ()).await })
                .unwrap();
        }
        assert!(shared.left_wakers.borrow().len() <= 1);
    }

    #[test]
    fn who_holds_a_waker_is_searched_from_where_somebody_did_last() {
        let shared = shared();
        let own = || Some(HeldWaker::new(shared.home.clone()));
        shared.wakers.borrow_mut().resize_with(4, own);
        let lent = |slot: usize| {
            let wakers = shared.wakers.borrow();
            wakers[slot].as_ref().map(|held| held.waker.clone())
        };
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
