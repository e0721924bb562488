//! The executor that runs on this thread: whoever is polled finds it here, and so do wakers.

use std::cell::RefCell;
use std::mem::ManuallyDrop;
use std::ptr;
use std::rc::Rc;

use crate::context::Shared;
use crate::task::TaskId;

/// What to do with a future that was polled where no executor runs.
pub(crate) const AWAIT_IT: &str = "`.await` it inside `watchglass::block_on` or a task";

/// The task that runs now on this thread.
///
/// Use it in a log, say: events and messages name a task by the same id.
///
/// It is `None` where no executor runs on this thread, as in a closure of [`spawn_blocking`](crate::spawn_blocking). It
/// is also `None` where one runs, but neither polls nor drops a task at this moment: in an observer, perhaps, or in the
/// drop of the output of a task that had lost its handle before. So a `Drop` that wants to spawn something may ask
/// first: if this is `Some`, [`spawn`](crate::spawn) does not panic.
///
/// ```
/// use watchglass::{block_on, current_task, spawn};
///
/// assert_eq!(current_task(), None);
/// block_on(async {
///     let task = spawn(async { current_task() });
///     let id = task.id();
///     assert_eq!(task.await.unwrap(), Some(id));
/// });
/// ```
#[doc(alias = "current_id")]
#[doc(alias = "try_current")]
#[must_use]
pub fn current_task() -> Option<TaskId> {
    Shared::with_current(|current| current?.queue.running())
}

thread_local! {
    /// The executor that runs on this thread at this moment.
    ///
    /// What has nothing to drop is there until the very end of its thread. So the executor works in
    /// the drops of other thread-locals too. [`Entered`] sees to it that nothing is left in here.
    static CURRENT: RefCell<ManuallyDrop<Option<Rc<Shared>>>> =
        const { RefCell::new(ManuallyDrop::new(None)) };
}

/// Makes `shared` the executor of this thread and returns the one before it.
#[inline(always)]
fn set_current(shared: Option<Rc<Shared>>) -> Option<Rc<Shared>> {
    let before = CURRENT.with(|current| current.replace(ManuallyDrop::new(shared)));
    ManuallyDrop::into_inner(before)
}

impl Shared {
    /// The executor that runs on this thread now.
    #[inline]
    pub(crate) fn current() -> Option<Rc<Shared>> {
        CURRENT.with(|current| Option::clone(&current.borrow()))
    }

    /// Asks something of the executor that runs on this thread now, if there is one. `ask` must not run the
    /// user's code.
    #[inline(always)]
    pub(crate) fn with_current<R>(ask: impl FnOnce(Option<&Shared>) -> R) -> R {
        CURRENT.with(|current| ask(current.borrow().as_deref()))
    }

    /// Like [`current`](Shared::current), for what only works inside an executor. `instead` says what to do.
    #[inline]
    #[track_caller]
    pub(crate) fn expect_current(what: &str, instead: &str) -> Rc<Shared> {
        match Shared::current() {
            Some(shared) => shared,
            None => panic!(
                "{what} was used where no watchglass executor runs on this thread: {instead}"
            ),
        }
    }

    /// True if this is the executor that runs on this thread now.
    #[inline]
    pub(crate) fn is_current(&self) -> bool {
        Shared::with_current(|current| current.is_some_and(|current| ptr::eq(current, self)))
    }

    /// Makes this the running executor of the thread until the guard is dropped.
    #[inline]
    pub(crate) fn enter(self: &Rc<Self>) -> Entered {
        Entered {
            previous: ManuallyDrop::new(set_current(Some(self.clone()))),
        }
    }
}

/// While it lives, an executor runs on this thread.
pub(crate) struct Entered {
    /// The executor that ran before: one only if this one is dropped inside of it, or if this call is about to be
    /// refused. The drop below empties it, so that nothing is left to drop after that, and the whole is inlined.
    previous: ManuallyDrop<Option<Rc<Shared>>>,
}

impl Entered {
    /// True if an executor ran on this thread already.
    #[inline(always)]
    pub(crate) fn is_nested(&self) -> bool {
        self.previous.is_some()
    }
}

impl Drop for Entered {
    #[inline(always)]
    fn drop(&mut self) {
        drop(set_current(self.previous.take()));
    }
}
