//! The future given to `block_on`, as a task.
//!
//! It has an id and a place in the queue like every other task, so it waits for its turn like every
//! other task. But it may borrow from its caller's stack, so it stays there and is never boxed; and
//! its waker is made by `waker_fn` from a closure, the simplest way to make one.

use std::any::Any;
use std::cell::Cell;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, Wake, Waker};

use waker_fn::waker_fn;

use crate::context::Shared;
use crate::inbox::TaskWaker;
use crate::task::{TaskId, message_of, short_name};
use crate::trace::Event;

pub(crate) struct MainTask<'a> {
    pub(crate) id: TaskId,
    /// The name of the future's type, in full: it is shortened only for those who want to read it.
    type_name: &'static str,
    shared: &'a Shared,
    /// `None` once the future has ended.
    waker: Option<MainWaker>,
    /// Where the waker's target comes from and goes back to, for the next `block_on`.
    kept: &'a Cell<Option<Arc<TaskWaker>>>,
}

/// `block_on`'s waker. The next call on the same executor uses the target again, unless somebody
/// still holds a clone: that must wake nobody once its own call is over.
struct MainWaker {
    target: Arc<TaskWaker>,
    waker: Waker,
}

impl<'a> MainTask<'a> {
    pub(crate) fn start(
        shared: &'a Shared,
        kept: &'a Cell<Option<Arc<TaskWaker>>>,
        type_name: &'static str,
        at: &'static Location<'static>,
    ) -> Self {
        let id = shared.insert_main(type_name, at);
        let fresh = || TaskWaker::new(shared.home.clone());
        let target = kept.take().unwrap_or_else(fresh);
        target.set_task(id);
        MainTask {
            id,
            type_name,
            shared,
            waker: Some(MainWaker::new(target)),
            kept,
        }
    }

    /// The last part of the future's type.
    pub(crate) fn name(&self) -> &'static str {
        short_name(self.type_name)
    }

    pub(crate) fn poll<F: Future>(&mut self, future: Pin<&mut F>) -> Poll<F::Output> {
        let waker = &self.waker.as_ref().expect("dropped only at the end").waker;
        let polled = self
            .shared
            .poll(self.id, waker, || None, |cx| future.poll(cx));
        match polled {
            Poll::Pending => {
                let waits_at = self.shared.take_waits_at();
                self.shared.queue.put_back(self.id, None, waits_at);
            }
            Poll::Ready(_) => self.end(Event::Completed { task: self.id }),
        }
        polled
    }

    /// True if somebody holds a clone of the waker, now or at the time of the call.
    ///
    /// The closure inside is dropped with the last clone. So the waker is dropped and made anew: if
    /// the closure is still there, somebody else keeps it.
    pub(crate) fn waker_is_cloned(&mut self) -> bool {
        let target = self.drop_waker();
        let is_cloned = Arc::strong_count(&target) > 1;
        self.waker = Some(MainWaker::new(target));
        is_cloned
    }

    fn drop_waker(&mut self) -> Arc<TaskWaker> {
        let MainWaker { target, .. } = self.waker.take().expect("dropped only at the end");
        target
    }

    /// The future will never be done.
    pub(crate) fn cancelled(&mut self) {
        self.end(Event::Cancelled { task: self.id });
    }

    /// The future has panicked, or else an observer has: then the future may have ended already.
    pub(crate) fn panicked(&mut self, payload: &(dyn Any + Send)) {
        if self.waker.is_some() {
            self.shared.poll_ended();
            self.end(Event::Panicked {
                task: self.id,
                message: message_of(payload).map(str::to_owned),
            });
        }
    }

    fn end(&mut self, how: Event) {
        self.shared.queue.remove_main(self.id);
        self.shared.tracer.emit(|| how);
        let target = self.drop_waker();
        if Arc::strong_count(&target) == 1 {
            self.kept.set(Some(target));
        }
    }
}

impl MainWaker {
    fn new(target: Arc<TaskWaker>) -> Self {
        let waker = waker_fn({
            let target = target.clone();
            move || target.wake_by_ref()
        });
        MainWaker { target, waker }
    }
}
