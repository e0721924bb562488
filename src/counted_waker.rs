//! A waker of which whoever polls with it knows how many clones there are: so whether anybody else has it too.
//!
//! What the wake of a task does is in `waker.rs`. That needs the executor that runs, and so comes later: a
//! look ahead in the reading order.

use std::sync::Arc;
use std::task::{Wake, Waker};

use crate::inbox::{Home, TaskWaker};

/// A waker together with a handle on its target, which counts the clones.
pub(crate) struct CountedWaker<W = TaskWaker> {
    pub(crate) target: Arc<W>,
    pub(crate) waker: Waker,
}

impl<W: Wake + Send + Sync + 'static> CountedWaker<W> {
    pub(crate) fn of(target: Arc<W>) -> Self {
        let waker = Waker::from(target.clone());
        CountedWaker { target, waker }
    }

    /// How many clones of the waker there are, besides this one.
    ///
    /// If there are none, the waker may be given to another task, and no wake of before is taken for one of that: on
    /// another thread a wake does not use the id, but sends a clone of the waker, which counts here until the executor
    /// has taken it out of its inbox and read the id itself. (The wakers of a `join_all` do read their index on any
    /// thread: see the fence in `WokenChildren::begin_poll`, which comes before each new index.)
    #[inline]
    pub(crate) fn clones(&self) -> usize {
        Arc::strong_count(&self.target) - 2
    }
}

impl CountedWaker {
    /// A waker of no task yet.
    // Not inlined: in the middle of a poll, the call of the allocator would make it save registers.
    #[cold]
    pub(crate) fn new(home: Arc<Home>) -> Self {
        CountedWaker::of(TaskWaker::new(home))
    }
}
