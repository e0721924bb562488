//! Who is told of something that has happened: that a timer has fired, or that a task has ended.

use std::mem;
use std::rc::Rc;
use std::task::Waker;

use crate::guard::{contain, drop_contained};
use crate::task::TaskId;

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

/// Who is told that a task has ended.
pub(crate) enum Joiner {
    Waiter(Waiter),
    /// A `JoinSet`, which notes the task's id and wakes whoever awaits the set.
    Set(Rc<dyn Fn(TaskId)>),
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
