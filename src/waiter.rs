//! Who is told that a timer has fired, or that a task has ended: a task, a future of a `join_all` inside a task, or
//! somebody else's waker.
//!
//! Whoever reads this for the first time may leave out `ChildWaker` and `waiter/woken_children.rs`, and come back with
//! `join_all.rs`, which is what they are for.

mod woken_children;

use std::mem;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Wake, Waker};

use crate::guard::{contain, drop_contained};
use crate::task::TaskId;

pub(crate) use woken_children::{Parent, Woken, WokenChildren};

/// Somebody who waits inside the executor, for a timer or for a task's end.
///
/// A task that waits under its own waker is remembered by its id, and a future of a `join_all` by its
/// join and its index: no waker is cloned, so the clones are those that somebody outside has. A future may
/// also be polled with another waker (that of somebody else's combinator, of another executor).
pub(crate) enum Waiter {
    Task(TaskId),
    Child(Arc<WokenChildren>, usize),
    Waker(ForeignWaker),
}

impl Waiter {
    pub(crate) fn nobody() -> Self {
        Waiter::Waker(ForeignWaker::clone_of(Waker::noop()))
    }

    pub(crate) fn task(&self) -> Option<TaskId> {
        match self {
            Waiter::Task(id) => Some(*id),
            Waiter::Child(..) | Waiter::Waker(_) => None,
        }
    }
}

/// Who is told that a task has ended.
pub(crate) enum Joiner {
    Waiter(Waiter),
    /// A `JoinSet`, which notes the task's id and wakes whoever awaits the set; or a task of another executor.
    Told(Rc<dyn Fn(TaskId)>),
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

/// Whether a poll has left its task's id with somebody who will wake it: a timer, or a task that it awaits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Registered {
    Nowhere,
    Somewhere,
    /// It has, and then something was cancelled: that, perhaps.
    Perhaps,
}

/// The future of a `join_all` that is polled now, if one is.
#[derive(Default)]
pub(crate) struct PolledChild {
    pub(crate) woken: Option<Arc<WokenChildren>>,
    pub(crate) index: usize,
    /// The address of what it is polled with, or 0.
    pub(crate) waker: usize,
    /// True if one of the join's futures has left its index with somebody in this poll.
    pub(crate) registered: bool,
}

/// The waker that a future of a `join_all` gives away: it notes which future was woken, and then wakes the parent.
pub(crate) struct ChildWaker {
    /// Changes only while nobody but the join has the waker.
    index: AtomicUsize,
    /// True from when its future has given it away until nobody but the join has it, or the future is done. Read by the
    /// last drop alone, which the count of the `Arc` puts after all that is written here.
    is_lent: AtomicBool,
    woken: Arc<WokenChildren>,
}

impl ChildWaker {
    /// A waker of no future yet.
    pub(crate) fn new(woken: Arc<WokenChildren>) -> Arc<Self> {
        Arc::new(ChildWaker {
            index: AtomicUsize::new(0),
            is_lent: AtomicBool::new(false),
            woken,
        })
    }

    pub(crate) fn set_index(&self, index: usize) {
        self.index.store(index, Ordering::Relaxed);
    }

    /// Its future has given it away.
    pub(crate) fn lend(&self) {
        self.is_lent.store(true, Ordering::Relaxed);
        self.woken.lend();
    }

    /// Nobody but the join has it, or the future is done.
    pub(crate) fn end_lending(&self) {
        self.is_lent.store(false, Ordering::Relaxed);
        self.woken.end_lending();
    }
}

impl Wake for ChildWaker {
    fn wake(self: Arc<Self>) {
        // Cloned, for the waker itself goes into what `woken` leads to.
        let (woken, index) = (self.woken.clone(), self.index.load(Ordering::Relaxed));
        if let Some(parent) = woken.note(index, Some(self)).outside {
            parent.wake();
        }
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let index = self.index.load(Ordering::Relaxed);
        if let Some(parent) = self.woken.note(index, None).outside {
            parent.wake();
        }
    }
}

impl Drop for ChildWaker {
    fn drop(&mut self) {
        if *self.is_lent.get_mut() {
            self.woken.end_lending();
        }
    }
}
