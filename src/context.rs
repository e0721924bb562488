//! What the running executor shares with its futures on this thread.
//!
//! A future that wants something of its executor (a timer, a new task, the time) asks
//! [`Shared::current`] (`current.rs`). This is where `executor.rs`, which runs the tasks, and `time.rs`,
//! `join_handle.rs` and `blocking.rs`, which wait inside them, meet.
//!
//! One rule holds throughout: while the user's code runs (a poll, a drop, a waker, an observer) no
//! `RefCell` in here is borrowed, for that code may come back. So what is to be dropped is moved
//! out first, and dropped when the borrow has ended.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::ptr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::thread;

use crate::clock::Clock;
use crate::counted_waker::CountedWaker;
use crate::guard::drop_contained;
use crate::inbox::{Home, Inbox};
use crate::name::{Name, short_name};
use crate::pool::Pool;
use crate::queue::{AfterEnd, Queue};
use crate::slots::{NextPoll, Slot, SlotState};
use crate::spin::Spin;
use crate::task::{
    Bare, BoxedTask, Failed, JoinError, LeavesBox, MAX_LEFT_BYTES, NewTask, TaskId, boxed,
};
use crate::trace::{Cause, Event, TaskKind, Tracer};
use crate::waiter::{Joiner, PolledChild, Registered, Waiter};
use crate::wheel::Wheel;

/// Everything that one executor has, except for the loop that drives it.
// Aligned, so that it is not the allocator's choice on which cache lines the fields lie that every poll needs.
#[repr(align(64))]
pub(crate) struct Shared {
    pub(crate) queue: Queue,
    pub(crate) clock: Rc<Clock>,
    pub(crate) home: Arc<Home>,
    /// The same if nobody observes this executor, else null: so a wake that finds its home here has
    /// nothing to tell, and need not look.
    pub(crate) unobserved_home: *const Home,
    pub(crate) inbox: Inbox,
    pub(crate) spin: Spin,
    pub(crate) pool: Pool,
    pub(crate) wheel: RefCell<Wheel<Waiter>>,
    /// By slot, the wakers of the tasks that have one of their own, and those that such tasks have left.
    pub(crate) wakers: RefCell<Vec<Option<CountedWaker>>>,
    /// The waker of the poll that runs now, to be compared and never followed.
    pub(crate) polled_with: Cell<*const Waker>,
    pub(crate) polled_child: RefCell<PolledChild>,
    /// Whether the poll that runs now has left its task's id with somebody. Of use only while tracing: see
    /// `is_registered` in `waiting.rs`.
    pub(crate) registered: Cell<Registered>,
    /// The slot of the waker that `held_waker` found last.
    pub(crate) last_held: Cell<usize>,
    /// True once the executor is being dropped, and with it all of its tasks.
    pub(crate) is_ending: Cell<bool>,
    /// Its tasks that await one of another executor, and where, each place as often as it does.
    pub(crate) awaits_elsewhere: RefCell<HashMap<TaskId, Vec<&'static Location<'static>>>>,
}

impl Shared {
    pub(crate) fn new(clock: Rc<Clock>, queue: Queue, pool: Pool, spin: Spin) -> Rc<Self> {
        let observed_on = queue.tracer.has_observer().then(|| thread::current().id());
        let (home, inbox) = Home::new(observed_on);
        Rc::new(Shared {
            clock,
            unobserved_home: match queue.tracer.has_observer() {
                false => Arc::as_ptr(&home),
                true => ptr::null(),
            },
            home,
            inbox,
            spin,
            queue,
            pool,
            wheel: RefCell::new(Wheel::new()),
            wakers: RefCell::new(Vec::new()),
            polled_with: Cell::new(ptr::null()),
            polled_child: RefCell::default(),
            registered: Cell::new(Registered::Nowhere),
            last_held: Cell::new(0),
            is_ending: Cell::new(false),
            awaits_elsewhere: RefCell::default(),
        })
    }

    /// Whom the events go through. The queue has it, which tells of wakes.
    #[inline]
    pub(crate) fn tracer(&self) -> &Tracer {
        &self.queue.tracer
    }

    // ---- tasks

    /// Takes a future in as a task and queues it.
    #[inline]
    pub(crate) fn insert<F>(&self, future: F, at: &'static Location<'static>) -> TaskId
    where
        F: Future + 'static,
    {
        // A large future has a box of its own, and is moved there at once. (What counts here is what is moved;
        // a small one with a large output may have to be boxed too.)
        match size_of::<F>() <= MAX_LEFT_BYTES {
            true => self.insert_new(Bare(future), at),
            false => self.insert_new(boxed(future), at),
        }
    }

    /// [`insert`](Shared::insert), of what is in a box already, or is to move into one.
    #[inline]
    pub(crate) fn insert_new(&self, task: impl NewTask, at: &'static Location<'static>) -> TaskId {
        if !self.tracer().is_on() {
            return self.queue.insert(task, SlotState::Queued, at);
        }
        let id = self.queue.insert(task, SlotState::Waiting, at);
        self.tell_spawned(id, || self.name_of(id), TaskKind::Spawned, at);
        self.queue.wake(id, Cause::Spawned);
        id
    }

    /// Takes in a task that is queued only when its closure has ended.
    pub(crate) fn insert_blocking(
        &self,
        task: BoxedTask,
        at: &'static Location<'static>,
    ) -> TaskId {
        let id = self.queue.insert(task, SlotState::Waiting, at);
        self.tell_spawned(id, || self.name_of(id), TaskKind::Blocking, at);
        id
    }

    /// Takes in `block_on`'s own future, which stays where it is, and queues it unless it `is_first`
    /// (see [`nobody_is_before`](Shared::nobody_is_before)).
    #[inline(always)]
    pub(crate) fn insert_main(
        &self,
        type_name: &'static str,
        at: &'static Location<'static>,
        is_first: bool,
    ) -> TaskId {
        let id = self.queue.insert_main(at);
        if !is_first {
            let name = || short_name(type_name).into();
            self.tell_spawned(id, name, TaskKind::Main, at);
            self.queue.wake(id, Cause::Spawned);
        }
        id
    }

    /// True if a task that were queued now would be the next to be polled, and nothing that could make a
    /// difference would happen before: no wake from a thread would be taken in, and no timer would fire.
    /// Never where somebody observes, who is told of each wake and each place in the queue.
    #[inline]
    pub(crate) fn nobody_is_before(&self) -> bool {
        !self.tracer().has_observer()
            && self.queue.len() == 0
            && !self.home.has_mail()
            && self.wheel.borrow().is_empty()
    }

    fn tell_spawned(
        &self,
        task: TaskId,
        name: impl FnOnce() -> Name,
        kind: TaskKind,
        at: &'static Location<'static>,
    ) {
        self.tracer().emit(move || Event::Spawned {
            task,
            name: name(),
            kind,
            at,
        });
    }

    /// What a task is called that is in its slot.
    fn name_of(&self, id: TaskId) -> Name {
        let name = |slot: &mut Slot| slot.task.as_ref().map(|task| task.name());
        let name = self.queue.with_slot(id, name).flatten();
        name.expect("the task is in its slot")
    }

    /// A task has ended: its outcome waits for the handle, if there is one, and who awaits it is
    /// woken.
    #[inline]
    pub(crate) fn finish(&self, id: TaskId, outcome: BoxedTask) {
        let left = self.queue.finish(id, outcome);
        self.tracer().emit(move || Event::Completed { task: id });
        if let Some(left) = left {
            self.after_end(id, left);
        }
    }

    /// [`finish`](Shared::finish), for a task that has no output.
    #[cold]
    pub(crate) fn fail(&self, id: TaskId, error: JoinError) {
        let ended = match error.is_cancelled() {
            true => Event::Cancelled { task: id },
            false => Event::Panicked {
                task: id,
                message: error.panic_message(),
            },
        };
        let long = self.long_poll_of_failed(id);
        // What it has panicked with would lie in there until somebody moves in.
        let leaves_none = |slot: &mut Slot| slot.leaves_box = LeavesBox::Never;
        self.queue.with_slot(id, leaves_none);
        let left = self.queue.finish(id, Box::pin(Failed(error)));
        self.tracer().emit(move || ended);
        if let Some(long) = long {
            self.tracer().emit(move || Event::LongPoll(long));
        }
        if let Some(left) = left {
            self.after_end(id, left);
        }
    }

    #[inline]
    fn after_end(&self, id: TaskId, left: AfterEnd) {
        match left {
            AfterEnd::Wake(waiting) => self.queue.wake(waiting, Cause::Joined(id)),
            AfterEnd::Tell(Joiner::Waiter(waiter)) => self.wake_waiter(waiter, Cause::Joined(id)),
            AfterEnd::Tell(Joiner::Told(tell)) => tell(id),
            AfterEnd::Drop(outcome) => drop_contained(outcome),
        }
    }

    /// Asks for a task to be dropped when its turn in the queue comes. Nothing, if it has finished.
    pub(crate) fn abort(&self, id: TaskId) {
        let mark = |slot: &mut Slot| {
            slot.next_poll = NextPoll::Dropped;
            slot.state.is_unfinished()
        };
        if self.queue.with_slot(id, mark) == Some(true) {
            self.queue.wake(id, Cause::Aborted);
        }
    }

    /// True if the task has ended, however that came.
    pub(crate) fn is_finished(&self, id: TaskId) -> bool {
        !self.queue.state(id).is_unfinished()
    }

    /// Drops an unfinished task's future and finishes it as cancelled, or as panicked if that drop
    /// panics. `tell` says that the drop begins.
    pub(crate) fn cancel(&self, id: TaskId, task: Option<BoxedTask>, tell: impl FnOnce()) {
        let dropped = self.drop_waiting(id, tell, || drop(task));
        let error = match dropped {
            Ok(()) => JoinError::cancelled(),
            Err(payload) => JoinError::panicked(payload),
        };
        self.fail(id, error);
    }

    /// Drops a future that is not done, before its end is told and as a part of its task: whomever that wakes was woken
    /// by this task, and it may spawn.
    pub(crate) fn drop_waiting(
        &self,
        id: TaskId,
        tell: impl FnOnce(),
        drop_future: impl FnOnce(),
    ) -> thread::Result<()> {
        // What is in there was said in the last poll: of another task, perhaps. This drop has said nothing yet.
        self.tracer().clear_said();
        let before = self.queue.set_running(Some(id));
        // Where it has waited it is told to wait, whoever asks meanwhile.
        let waits_at = self.queue.with_slot(id, |slot| slot.waits_at);
        self.queue.waits_at.set(waits_at.flatten());
        tell();
        let dropped = catch_unwind(AssertUnwindSafe(drop_future));
        self.queue.set_running(before);
        dropped
    }
}
