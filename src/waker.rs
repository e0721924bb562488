//! What a task's waker does: where its executor runs it pushes to the ready queue, from anywhere else it sends a
//! letter to the executor's inbox (`inbox.rs`). Never both.
//!
//! ```text
//!    inside of its executor:              wake ──▶ one thread-local look ──▶ Queue::push
//!    on another thread, between calls:    wake ──▶ TaskWaker::send
//! ```

use std::sync::Arc;
use std::task::Wake;

use crate::context::Shared;
use crate::inbox::TaskWaker;
use crate::task::TaskId;

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    #[inline(always)]
    fn wake_by_ref(self: &Arc<Self>) {
        if let Some(task) = self.task()
            && !self.wake_here(task)
        {
            self.wake_elsewhere_or_observed(task);
        }
    }
}

impl TaskWaker {
    /// Wakes on the executor's own thread, while that executor runs. False everywhere else, and
    /// where somebody observes.
    #[inline(always)]
    fn wake_here(&self, task: TaskId) -> bool {
        Shared::with_current(|current| match current {
            Some(current) if self.lives_at(current.unobserved_home) => {
                current.queue.wake_untold(task);
                true
            }
            _ => false,
        })
    }

    /// Wakes where [`wake_here`](TaskWaker::wake_here) does not.
    #[inline(never)]
    fn wake_elsewhere_or_observed(self: &Arc<Self>, task: TaskId) {
        // An observer is the user's code, which may drop another executor: that one is the current one
        // meanwhile. So what says who is current is not borrowed here.
        match Shared::current() {
            Some(current) if self.lives_at(Arc::as_ptr(&current.home)) => {
                current.queue.wake_from_here(task);
            }
            _ => self.send(),
        }
    }
}
