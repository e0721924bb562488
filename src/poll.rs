//! One poll of a task: with which waker, and what comes after it.
//!
//! ```text
//!    Queue::pop ──▶ poll_task ──┬─ Pending ──▶ back to its slot
//!                               ├─ Ready ────▶ finish
//!                               └─ a panic ──▶ fail
//! ```

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::task::{Context, Poll, Waker};
use std::thread;

use crate::context::Shared;
use crate::counted_waker::CountedWaker;
use crate::guard::drop_contained;
use crate::queue::Polled;
use crate::slots::NextPoll;
use crate::task::{BoxedTask, JoinError, TaskId};

impl Shared {
    /// Polls a task with its own waker, or with the spare one if it has none. A task that was
    /// aborted is dropped instead.
    #[inline(always)]
    pub(crate) fn poll_task<const OBSERVED: bool>(
        &self,
        id: TaskId,
        how: NextPoll,
        mut task: BoxedTask,
        spare: &mut CountedWaker,
    ) -> Option<Polled> {
        match how {
            NextPoll::WithSpare => {}
            NextPoll::WithOwn => return self.poll_with_own_waker::<OBSERVED>(id, task),
            NextPoll::Dropped => {
                self.drop_aborted(id, task);
                return None;
            }
        }
        spare.target.set_task(id);
        let mut is_pending = false;
        let caught = self.poll_caught::<OBSERVED>(id, &mut task, spare, &mut is_pending);
        if spare.clones() > 0 {
            self.part_with_spare(id, spare, is_pending);
        }
        self.after_poll(id, task, caught, is_pending)
    }

    #[cold]
    fn drop_aborted(&self, id: TaskId, task: BoxedTask) {
        self.cancel(id, Some(task), || {
            if self.tracer().is_on() {
                self.tell_poll_started(id);
            }
        });
    }

    fn poll_with_own_waker<const OBSERVED: bool>(
        &self,
        id: TaskId,
        mut task: BoxedTask,
    ) -> Option<Polled> {
        let own = self.take_waker(id);
        let mut is_pending = false;
        let caught = self.poll_caught::<OBSERVED>(id, &mut task, &own, &mut is_pending);
        self.put_waker_back(id, own);
        // `after_poll` would do the same, and `ping_pong` would take 45 ns instead of 44.
        if is_pending {
            return Some(Polled { id, task });
        }
        self.after_poll(id, task, caught, false)
    }

    /// Polls a task and notes whether it is pending; or gives what it panicked with.
    // Noted apart, and not returned as a `Result<Poll<()>>`, which costs 5 instructions a poll.
    #[inline(always)]
    fn poll_caught<const OBSERVED: bool>(
        &self,
        id: TaskId,
        task: &mut BoxedTask,
        held: &CountedWaker,
        is_pending: &mut bool,
    ) -> thread::Result<()> {
        catch_unwind(AssertUnwindSafe(|| {
            let clones = || Some(held.clones());
            let poll = |cx: &mut Context<'_>| task.as_mut().poll(cx);
            let polled = self.poll::<OBSERVED, _>(id, &held.waker, clones, poll);
            *is_pending = polled.is_pending();
        }))
    }

    #[inline(always)]
    fn after_poll(
        &self,
        id: TaskId,
        task: BoxedTask,
        caught: thread::Result<()>,
        is_pending: bool,
    ) -> Option<Polled> {
        match caught {
            Ok(()) if is_pending => {
                return Some(Polled { id, task });
            }
            Ok(()) => self.finish(id, task),
            Err(payload) => self.after_panic(id, task, payload),
        }
        None
    }

    #[cold]
    fn after_panic(&self, id: TaskId, task: BoxedTask, payload: Box<dyn Any + Send>) {
        // What is left of the future is dropped as a part of its poll, which has not ended yet: whomever that
        // wakes was woken by this task.
        drop_contained(task);
        self.poll_ended();
        self.fail(id, JoinError::panicked(payload));
    }

    /// Polls a task's future, which must not be in the slot meanwhile: `clones` says how many
    /// clones of `waker` there are, if that can be known. `OBSERVED` may be false where there is no
    /// observer.
    ///
    /// Should the future panic, [`poll_ended`](Shared::poll_ended) is for the caller to call.
    #[inline(always)]
    pub(crate) fn poll<const OBSERVED: bool, R>(
        &self,
        id: TaskId,
        waker: &Waker,
        clones: impl FnOnce() -> Option<usize>,
        poll: impl FnOnce(&mut Context<'_>) -> Poll<R>,
    ) -> Poll<R> {
        self.queue.waits_at.set(None);
        self.queue.set_running(Some(id));
        self.polled_with.set(waker);
        let mut cx = Context::from_waker(waker);
        if OBSERVED && self.tracer().is_on() {
            self.tell_poll_started(id);
            let polled = poll(&mut cx);
            self.poll_ended();
            self.tell_poll_ended(id, polled.is_ready(), clones());
            return polled;
        }
        let polled = poll(&mut cx);
        self.poll_ended();
        if OBSERVED {
            // The observer itself runs the executor, and is not told. So who knows where the task waits by now?
            self.tracer().note_left_unseen(id);
        }
        polled
    }

    #[inline]
    pub(crate) fn poll_ended(&self) {
        self.queue.set_running(None);
        self.polled_with.set(ptr::null());
    }
}
