//! A task's waker, as the executor holds it: so it knows whether anybody else does.
//!
//! What a wake does is in `waker.rs`. That needs the executor that runs, and so comes later: a look ahead
//! in the reading order.

use std::mem;
use std::sync::Arc;
use std::task::Waker;

use crate::inbox::{Home, TaskWaker};

/// A task's waker together with the executor's own handle on its target, which counts the clones.
pub(crate) struct HeldWaker {
    pub(crate) target: Arc<TaskWaker>,
    pub(crate) waker: Waker,
}

impl HeldWaker {
    /// A waker of no task yet.
    pub(crate) fn new(home: Arc<Home>) -> Self {
        HeldWaker::of(TaskWaker::new(home))
    }

    pub(crate) fn of(target: Arc<TaskWaker>) -> Self {
        let waker = Waker::from(target.clone());
        HeldWaker { target, waker }
    }

    /// Gives this waker away and puts a new one in its place: there are clones of it, which must go
    /// on to be those of the task that was polled with it.
    #[cold]
    pub(crate) fn replace_by_new(&mut self) -> HeldWaker {
        let home = self.target.home().clone();
        mem::replace(self, HeldWaker::new(home))
    }

    /// How many clones of the waker there are, besides this one.
    #[inline]
    pub(crate) fn clones(&self) -> usize {
        Arc::strong_count(&self.target) - 2
    }
}
