//! A waker, as whoever polls with it holds it: so it is known whether anybody else has it too.
//!
//! What the wake of a task does is in `waker.rs`. That needs the executor that runs, and so comes later: a
//! look ahead in the reading order.

use std::sync::Arc;
use std::task::{Wake, Waker};

use crate::inbox::{Home, TaskWaker};

/// A waker together with a handle on its target, which counts the clones.
pub(crate) struct HeldWaker<W = TaskWaker> {
    pub(crate) target: Arc<W>,
    pub(crate) waker: Waker,
}

impl<W: Wake + Send + Sync + 'static> HeldWaker<W> {
    pub(crate) fn of(target: Arc<W>) -> Self {
        let waker = Waker::from(target.clone());
        HeldWaker { target, waker }
    }

    /// How many clones of the waker there are, besides this one.
    ///
    /// If there are none, the waker may be given to another task: could a wake of before read that one's id? Who
    /// lets go of a clone does so with `Release`, after his wake, and the new id is stored only if the count says so:
    /// no compiler and no processor turns these two round. (To turn them round is called load buffering. The memory
    /// model by itself allows it, and would want a fence here, with `Acquire`. Even where that is no instruction, it
    /// makes `spawn_one_by_one` 8 % slower. `WokenChildren::begin_poll` has such a fence, for another reason: what was
    /// written before a wake is to be seen by the poll, and there the count is all that says so.)
    #[inline]
    pub(crate) fn clones(&self) -> usize {
        Arc::strong_count(&self.target) - 2
    }
}

impl HeldWaker {
    /// A waker of no task yet.
    // Not inlined: in the middle of a poll, the call of the allocator would make it save registers.
    #[cold]
    pub(crate) fn new(home: Arc<Home>) -> Self {
        HeldWaker::of(TaskWaker::new(home))
    }
}
