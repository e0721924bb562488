//! A task awaits one of another executor on the same thread, or a set of such tasks.

use std::cell::Cell;
use std::panic::Location;
use std::rc::Rc;
use std::task::Waker;

use crate::context::Shared;
use crate::task::TaskId;
use crate::trace::Cause;
use crate::waiter::{Joiner, Waiter};

/// What is left with the task that is awaited. Nothing from outside can end that task: only code of this thread can,
/// which runs its executor between two calls of this one, or drops it, also inside a task of this one. So no waker is
/// kept, which would look as if somebody outside might wake the one that awaits, and the verdict finds it in
/// `awaits_elsewhere`.
pub(crate) struct AwaitsElsewhere {
    noted: NotedElsewhere,
    waiter: Cell<Option<Waiter>>,
}

/// While it lives, the verdict knows that a task awaits what runs elsewhere.
pub(crate) struct NotedElsewhere {
    /// The executor of the task that awaits.
    shared: Rc<Shared>,
    task: Option<(TaskId, &'static Location<'static>)>,
}

impl AwaitsElsewhere {
    pub(crate) fn joiner(
        shared: Rc<Shared>,
        at: &'static Location<'static>,
        waker: &Waker,
    ) -> Joiner {
        let waiter = shared.waiter_left_unseen(waker);
        let awaits = AwaitsElsewhere {
            noted: NotedElsewhere::new(shared, at),
            waiter: Cell::new(Some(waiter)),
        };
        // The id that it is told is the other executor's: here it would be that of another task.
        Joiner::Told(Rc::new(move |_| awaits.wake()))
    }

    fn wake(&self) {
        if let Some(waiter) = self.waiter.take() {
            self.noted.shared.wake_waiter(waiter, Cause::NotRunning);
        }
    }
}

impl NotedElsewhere {
    /// The task that runs awaits it there.
    pub(crate) fn new(shared: Rc<Shared>, at: &'static Location<'static>) -> Self {
        let task = shared.queue.running().map(|task| (task, at));
        if let Some((task, at)) = task {
            let mut all = shared.awaits_elsewhere.borrow_mut();
            all.entry(task).or_default().push(at);
        }
        NotedElsewhere { shared, task }
    }
}

impl Drop for NotedElsewhere {
    fn drop(&mut self) {
        let Some((task, at)) = self.task else {
            return;
        };
        let mut all = self.shared.awaits_elsewhere.borrow_mut();
        let places = all.entry(task).or_default();
        // From the end: of many that are awaited at one place, none moves.
        if let Some(one) = places.iter().rposition(|&place| place == at) {
            places.remove(one);
        }
        if places.is_empty() {
            all.remove(&task);
        }
    }
}
