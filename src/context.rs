//! What the running executor shares with its futures on this thread.
//!
//! A future that wants something of its executor (a timer, a new task, the time) asks
//! [`Shared::current`]. This is where `executor.rs`, which runs the tasks, and `time.rs`,
//! `join_handle.rs` and `blocking.rs`, which wait inside them, meet.
//!
//! One rule holds throughout: while the user's code runs (a poll, a drop, a waker, an observer) no
//! `RefCell` in here is borrowed, for that code may come back. So what is to be dropped is moved
//! out first, and dropped when the borrow has ended.

use std::cell::{Cell, RefCell};
use std::mem;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::ptr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::clock::Clock;
use crate::guard::{contain, drop_contained};
use crate::pool::Pool;
use crate::queue::Queue;
use crate::task::{BoxedTask, Failed, JoinError, Name, State, TaskId};
use crate::trace::{Cause, Event, Place, TaskKind, TimerId, Tracer, WaitsOn};
use crate::waker::{HeldWaker, Here, Home, Inbox, Waiter, set_here};
use crate::wheel::{Key, Wheel};

thread_local! {
    static CURRENT: RefCell<Option<Rc<Shared>>> = const { RefCell::new(None) };
}

/// Everything that one executor has, except for the loop that drives it.
pub(crate) struct Shared {
    pub(crate) queue: Rc<Queue>,
    pub(crate) tracer: Rc<Tracer>,
    pub(crate) clock: Rc<Clock>,
    pub(crate) home: Arc<Home>,
    pub(crate) inbox: Inbox,
    pub(crate) pool: Pool,
    pub(crate) wheel: RefCell<Wheel<Waiter>>,
    slots: RefCell<Slots>,
    /// The waker of the poll that runs now, to be compared and never followed.
    polled_with: Cell<*const Waker>,
    /// Where the task that runs now last said that it waits.
    waits_at: Cell<Option<&'static Location<'static>>>,
    /// True if the poll that runs now has left its task's id with a timer or a task.
    registered: Cell<bool>,
    last_held: Cell<Option<TaskId>>,
}

/// What the executor keeps of a task besides its state.
#[derive(Default)]
pub(crate) struct Slot {
    /// `None` while it is polled, for `block_on`'s own future, and in a vacant slot.
    pub(crate) task: Option<BoxedTask>,
    /// Made when the task's waker was first cloned; it stays with the task.
    pub(crate) waker: Option<HeldWaker>,
    pub(crate) joiner: Option<Joiner>,
    pub(crate) spawned_at: Option<&'static Location<'static>>,
    pub(crate) waits_at: Option<&'static Location<'static>>,
    pub(crate) aborted: bool,
    pub(crate) has_handle: bool,
}

/// Who is told that a task has ended.
pub(crate) enum Joiner {
    Waiter(Waiter),
    /// A `JoinSet`, which notes the task's id and wakes whoever awaits the set.
    Set(Rc<dyn Fn(TaskId)>),
}

impl Joiner {
    fn task(&self) -> Option<TaskId> {
        match self {
            Joiner::Waiter(waiter) => waiter.task(),
            Joiner::Set(_) => None,
        }
    }
}

impl Shared {
    pub(crate) fn new(clock: Rc<Clock>, queue: Queue, pool: Pool) -> Rc<Self> {
        let (home, inbox) = Home::new();
        Rc::new(Shared {
            tracer: queue.tracer.clone(),
            queue: Rc::new(queue),
            clock,
            home,
            inbox,
            pool,
            wheel: RefCell::new(Wheel::new()),
            slots: RefCell::new(Slots::default()),
            polled_with: Cell::new(ptr::null()),
            waits_at: Cell::new(None),
            registered: Cell::new(false),
            last_held: Cell::new(None),
        })
    }

    /// The executor that runs on this thread now.
    #[inline]
    pub(crate) fn current() -> Option<Rc<Shared>> {
        CURRENT.try_with(|current| current.borrow().clone()).ok()?
    }

    /// Like [`current`](Shared::current), for what only works inside an executor.
    #[inline]
    #[track_caller]
    pub(crate) fn expect_current(what: &str) -> Rc<Shared> {
        match Shared::current() {
            Some(shared) => shared,
            None => panic!(
                "{what} was used where no watchglass executor runs on this thread; use it inside \
                 `watchglass::block_on` or a task"
            ),
        }
    }

    /// Makes this the running executor of the thread until the guard is dropped.
    pub(crate) fn enter(self: &Rc<Self>) -> Entered {
        let here = Here {
            queue: self.queue.clone(),
            home: self.home.clone(),
        };
        let current = CURRENT.try_with(|current| current.replace(Some(self.clone())));
        Entered {
            previous: current.ok().flatten(),
            previous_here: set_here(Some(here)),
        }
    }

    // ---- tasks

    /// Gives a task its id and its slot. It is not queued yet.
    pub(crate) fn insert(
        &self,
        task: BoxedTask,
        kind: TaskKind,
        at: &'static Location<'static>,
    ) -> TaskId {
        let name = self.tracer.is_on().then(|| task.name());
        self.insert_slot(Some(task), name, kind, at)
    }

    /// The same for `block_on`'s own future, which stays where it is.
    pub(crate) fn insert_main(&self, name: Name, at: &'static Location<'static>) -> TaskId {
        self.insert_slot(None, Some(name), TaskKind::Main, at)
    }

    fn insert_slot(
        &self,
        task: Option<BoxedTask>,
        name: Option<Name>,
        kind: TaskKind,
        at: &'static Location<'static>,
    ) -> TaskId {
        let id = self.queue.allocate();
        let slot = Slot {
            task,
            spawned_at: Some(at),
            has_handle: kind != TaskKind::Main,
            ..Slot::default()
        };
        self.slots.borrow_mut().put(id, slot);
        self.tracer.emit(|| Event::Spawned {
            task: id,
            name: name.unwrap_or_default(),
            kind,
            at,
        });
        id
    }

    /// Looks at or changes a task's slot. `change` must not run the user's code.
    #[inline]
    pub(crate) fn with_slot<R>(&self, id: TaskId, change: impl FnOnce(&mut Slot) -> R) -> R {
        change(self.slots.borrow_mut().get_mut(id))
    }

    /// Empties the slot of a task that is gone.
    pub(crate) fn remove(&self, id: TaskId) -> Slot {
        let slot = self.with_slot(id, mem::take);
        self.queue.release(id);
        slot
    }

    /// A task has ended: its outcome waits for the handle, if there is one, and who awaits it is
    /// woken.
    pub(crate) fn finish(&self, id: TaskId, outcome: Result<BoxedTask, JoinError>) {
        self.tracer.emit(|| match &outcome {
            Ok(_) => Event::Completed { task: id },
            Err(error) if error.is_cancelled() => Event::Cancelled { task: id },
            Err(error) => Event::Panicked {
                task: id,
                message: error.panic_message(),
            },
        });
        let outcome = outcome.unwrap_or_else(|error| Box::pin(Failed(error)));
        let (joiner, unwanted) = if self.with_slot(id, |slot| slot.has_handle) {
            self.queue.mark_finished(id);
            self.with_slot(id, |slot| {
                slot.task = Some(outcome);
                slot.waker = None;
                (slot.joiner.take(), None)
            })
        } else {
            (self.remove(id).joiner, Some(outcome))
        };
        drop_contained(unwanted);
        match joiner {
            Some(Joiner::Waiter(waiter)) => self.wake_waiter(waiter, Cause::Joined(id)),
            Some(Joiner::Set(tell)) => tell(id),
            None => {}
        }
    }

    /// The outcome of a finished task, and with it the end of its slot.
    pub(crate) fn take_finished(&self, id: TaskId) -> Option<BoxedTask> {
        match self.queue.state(id) {
            State::Finished => self.remove(id).task,
            _ => None,
        }
    }

    /// Asks for a task to be dropped at the next turn. Nothing, if it has finished.
    pub(crate) fn abort(&self, id: TaskId) {
        if self.queue.state(id).is_unfinished() {
            self.with_slot(id, |slot| slot.aborted = true);
            self.queue.wake(id, Cause::Aborted);
        }
    }

    /// Drops an unfinished task's future and finishes it as cancelled, or as panicked if that drop
    /// panics.
    pub(crate) fn cancel(&self, id: TaskId, task: Option<BoxedTask>) {
        let before = self.queue.set_running(Some(id));
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(task)));
        self.queue.set_running(before);
        let error = match dropped {
            Ok(()) => JoinError::cancelled(),
            Err(payload) => JoinError::panicked(payload),
        };
        self.finish(id, Err(error));
    }

    // ---- one poll

    /// Polls a task's future, which must not be in the slot meanwhile: `clones` says how many
    /// clones of `waker` there are, if that can be known.
    #[inline]
    pub(crate) fn poll<R>(
        &self,
        id: TaskId,
        waker: &Waker,
        clones: impl Fn() -> Option<usize>,
        poll: impl FnOnce(&mut Context<'_>) -> Poll<R>,
    ) -> Poll<R> {
        let started = self.tracer.is_on().then(|| self.tell_poll_started(id));
        let running = Running::begin(self, id, waker);
        let polled = poll(&mut Context::from_waker(waker));
        drop(running);
        if let Some(started) = started {
            self.tell_poll_ended(id, polled.is_ready(), started.elapsed(), clones());
        }
        polled
    }

    /// Where the last poll said that it waits.
    #[inline]
    pub(crate) fn take_waits_at(&self) -> Option<&'static Location<'static>> {
        self.waits_at.take()
    }

    #[cold]
    pub(crate) fn tell_poll_started(&self, task: TaskId) -> Instant {
        let why = self.tracer.take_cause(task);
        self.tracer.emit(|| Event::PollStarted { task, why });
        Instant::now()
    }

    #[cold]
    fn tell_poll_ended(&self, task: TaskId, ready: bool, took: Duration, wakers: Option<usize>) {
        self.tracer.emit(|| Event::PollEnded {
            task,
            ready,
            took,
            wakers,
        });
        let queued = self.queue.state(task) == State::Queued;
        if !ready && !queued && wakers == Some(0) && !self.is_registered(task) {
            self.tracer.emit(|| Event::ForgottenWaker { task });
        }
    }

    /// True if a timer or another task's end will wake the task. It looks at all of them: it is
    /// asked only while tracing, of a task that nobody seems to know.
    fn is_registered(&self, task: TaskId) -> bool {
        self.registered.get()
            || self
                .wheel
                .borrow()
                .iter()
                .any(|(.., waiter)| waiter.task() == Some(task))
            || self.awaited().iter().any(|&(who, _)| who == task)
    }

    /// Which task awaits which, by its handle.
    pub(crate) fn awaited(&self) -> Vec<(TaskId, TaskId)> {
        let unfinished = self.queue.unfinished().into_iter();
        let awaiter = |id| self.with_slot(id, |slot| slot.joiner.as_ref()?.task());
        unfinished
            .filter_map(|id| Some((awaiter(id)?, id)))
            .collect()
    }

    /// True if there is a clone of an unfinished task's waker. The executor itself has none, so
    /// somebody outside may wake that task.
    pub(crate) fn somebody_holds_a_waker(&self) -> bool {
        let held = |id: TaskId| {
            self.queue.state(id).is_unfinished()
                && self.with_slot(id, |slot| {
                    slot.waker.as_ref().is_some_and(|w| w.clones() > 0)
                })
        };
        // Whoever held one last time probably still does: with many tasks that spares a long search
        // at every park.
        if self.last_held.get().is_some_and(held) {
            return true;
        }
        self.last_held
            .set(self.queue.unfinished().into_iter().find(|&id| held(id)));
        self.last_held.get().is_some()
    }

    // ---- waiting

    /// Whom to wake for a future that is polled with `waker`. If that is the very waker that the
    /// executor polls the running task with, its id is enough.
    ///
    /// The address decides, not `will_wake`: no other waker can be at the address of one that is
    /// borrowed for the length of this poll.
    #[inline]
    pub(crate) fn waiter(&self, waker: &Waker) -> Waiter {
        match self.queue.running() {
            Some(id) if self.is_polled_by_id(id, waker) => Waiter::Task(id),
            _ => Waiter::Waker(waker.clone()),
        }
    }

    #[inline]
    fn is_polled_by_id(&self, id: TaskId, waker: &Waker) -> bool {
        let by_id = self.queue.running() == Some(id) && ptr::eq(waker, self.polled_with.get());
        if by_id {
            self.registered.set(true);
        }
        by_id
    }

    /// Whoever polls with `waker` is woken when the task ends, and nobody else.
    #[inline]
    pub(crate) fn set_joiner(&self, id: TaskId, waker: &Waker) {
        let joiner = Joiner::Waiter(self.waiter(waker));
        let before = self.with_slot(id, |slot| slot.joiner.replace(joiner));
        drop(before);
    }

    /// Takes note that the running task waits, and where.
    #[inline]
    pub(crate) fn waits(&self, on: WaitsOn, at: &'static Location<'static>) {
        self.waits_at.set(Some(at));
        let task = self.queue.running();
        self.tracer.emit(|| Event::Waits { task, on, at });
    }

    #[inline]
    pub(crate) fn wake_waiter(&self, waiter: Waiter, by: Cause) {
        match waiter {
            Waiter::Task(id) => self.queue.wake(id, by),
            // A waker that panics has done what it does; whoever is woken next must not suffer.
            Waiter::Waker(waker) => contain(|| waker.wake()),
        }
    }

    // ---- timers

    /// Puts a deadline in the wheel.
    pub(crate) fn arm(&self, deadline_ns: u64, waiter: Waiter) -> Key {
        let task = waiter.task();
        let key = self.wheel.borrow_mut().insert(deadline_ns, waiter);
        self.tracer.emit(|| Event::TimerArmed {
            timer: timer_id(key),
            task,
            deadline: Duration::from_nanos(deadline_ns),
            place: self.place(key),
        });
        key
    }

    /// Whoever polls with `waker` is woken when the timer fires, and nobody else.
    #[inline]
    pub(crate) fn set_timer_waiter(&self, key: Key, waker: &Waker) {
        let is_same = |waiter: &mut Waiter| match waiter {
            Waiter::Task(id) => self.is_polled_by_id(*id, waker),
            Waiter::Waker(old) => old.will_wake(waker),
        };
        if self.wheel.borrow_mut().get_mut(key).is_some_and(is_same) {
            return;
        }
        // Cloned and dropped with nothing borrowed: both are the waker's own code.
        let waiter = self.waiter(waker);
        let before = match self.wheel.borrow_mut().get_mut(key) {
            Some(place) => mem::replace(place, waiter),
            None => waiter,
        };
        drop(before);
    }

    /// Moves a timer to another deadline.
    pub(crate) fn reset_timer(&self, key: Key, deadline_ns: u64) {
        let found = self.wheel.borrow_mut().reset(key, deadline_ns);
        debug_assert!(found, "only a timer in the wheel is reset");
        self.tracer.emit(|| Event::TimerReset {
            timer: timer_id(key),
            deadline: Duration::from_nanos(deadline_ns),
            place: self.place(key),
        });
    }

    /// Takes a timer out of the wheel, if it is still there, and gives whom it would have woken.
    pub(crate) fn cancel_timer(&self, key: Key) -> Option<Waiter> {
        let waiter = self.wheel.borrow_mut().cancel(key);
        if waiter.is_some() {
            let timer = timer_id(key);
            self.tracer.emit(|| Event::TimerCancelled { timer });
        }
        waiter
    }

    fn place(&self, key: Key) -> Place {
        let place = self.wheel.borrow().place(key);
        place.expect("the timer is in the wheel")
    }
}

pub(crate) fn timer_id(key: Key) -> TimerId {
    TimerId {
        index: key.index,
        generation: key.generation,
    }
}

/// While it lives, a task runs. A panic of `block_on`'s own future unwinds through it.
struct Running<'a> {
    shared: &'a Shared,
    before: Option<TaskId>,
    polled_with_before: *const Waker,
}

impl<'a> Running<'a> {
    #[inline]
    fn begin(shared: &'a Shared, id: TaskId, waker: &Waker) -> Self {
        shared.waits_at.set(None);
        shared.registered.set(false);
        Running {
            shared,
            before: shared.queue.set_running(Some(id)),
            polled_with_before: shared.polled_with.replace(waker),
        }
    }
}

impl Drop for Running<'_> {
    #[inline]
    fn drop(&mut self) {
        self.shared.queue.set_running(self.before);
        self.shared.polled_with.set(self.polled_with_before);
    }
}

/// While it lives, an executor runs on this thread.
pub(crate) struct Entered {
    previous: Option<Rc<Shared>>,
    previous_here: Option<Here>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        set_here(self.previous_here.take());
        let previous = self.previous.take();
        let ended = CURRENT.try_with(|current| current.replace(previous));
        drop(ended);
    }
}

/// The slots, in chunks, so that growing copies nothing.
#[derive(Default)]
struct Slots {
    chunks: Vec<Vec<Slot>>,
}

impl Slots {
    const CHUNK: usize = 256;

    fn put(&mut self, id: TaskId, slot: Slot) {
        let (chunk, at) = Self::split(id);
        if chunk == self.chunks.len() {
            self.chunks.push(Vec::with_capacity(Self::CHUNK));
        }
        let chunk = &mut self.chunks[chunk];
        if at == chunk.len() {
            chunk.push(slot);
        } else {
            chunk[at] = slot;
        }
    }

    #[inline]
    fn get_mut(&mut self, id: TaskId) -> &mut Slot {
        let (chunk, at) = Self::split(id);
        &mut self.chunks[chunk][at]
    }

    #[inline]
    fn split(id: TaskId) -> (usize, usize) {
        let slot = id.slot() as usize;
        (slot / Self::CHUNK, slot % Self::CHUNK)
    }
}
