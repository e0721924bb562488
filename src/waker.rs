//! A task's waker: from the executor's own thread it pushes to the ready queue, from any other it
//! sends a letter to the executor's inbox (`inbox.rs`). Never both.
//!
//! ```text
//!    the executor's thread:   wake ──▶ one thread-local look ──▶ Queue::push
//!    any other thread:        wake ──▶ TaskWaker::send
//! ```

use std::cell::RefCell;
use std::mem::{self, ManuallyDrop};
use std::ops::Deref;
use std::ptr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Wake, Waker};

use crate::inbox::{Home, TaskWaker};
use crate::queue::Queue;
use crate::task::TaskId;

thread_local! {
    /// The executor that runs on this thread at this moment. Like `CURRENT` in `context.rs` it has
    /// nothing to drop, and so is there until the very end of its thread.
    static HERE: RefCell<ManuallyDrop<Option<Rc<HomeQueue>>>> =
        const { RefCell::new(ManuallyDrop::new(None)) };
}

/// The ready queue of an executor, with what tells whose it is: so its own thread's wakers find out
/// whether they may push to it.
pub(crate) struct HomeQueue {
    queue: Queue,
    home: *const Home,
    /// The same if nobody observes that executor, else null: so a wake that finds its home here has
    /// nothing to tell, and need not look.
    unobserved_home: *const Home,
}

impl HomeQueue {
    pub(crate) fn new(queue: Queue, home: *const Home) -> Self {
        let unobserved_home = match queue.tracer.has_observer() {
            false => home,
            true => ptr::null(),
        };
        HomeQueue {
            queue,
            home,
            unobserved_home,
        }
    }
}

impl Deref for HomeQueue {
    type Target = Queue;

    #[inline]
    fn deref(&self) -> &Queue {
        &self.queue
    }
}

/// Makes `here` the executor of this thread and returns the one before it.
#[inline(always)]
pub(crate) fn set_here(here: Option<Rc<HomeQueue>>) -> Option<Rc<HomeQueue>> {
    ManuallyDrop::into_inner(HERE.with(|place| place.replace(ManuallyDrop::new(here))))
}

impl TaskWaker {
    /// Wakes on the executor's own thread, while that executor runs. False everywhere else, and
    /// where somebody observes.
    #[inline(always)]
    fn wake_here(&self, task: TaskId) -> bool {
        HERE.with(|place| match &**place.borrow() {
            Some(here) if self.lives_at(here.unobserved_home) => {
                here.wake_untold(task);
                true
            }
            _ => false,
        })
    }

    /// Wakes where [`wake_here`](TaskWaker::wake_here) does not.
    #[inline(never)]
    fn wake_elsewhere_or_observed(self: &Arc<Self>, task: TaskId) {
        // Cloned, for an observer is the user's code: it must not find `HERE` borrowed.
        let here = HERE.with(|place| match &**place.borrow() {
            Some(here) if self.lives_at(here.home) => Some(here.clone()),
            _ => None,
        });
        match here {
            Some(here) => here.wake_from_here(task),
            None => self.send(),
        }
    }
}

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

/// A task's waker together with the executor's own handle on it, which tells whether anybody else
/// holds a clone.
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
