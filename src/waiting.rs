//! A future waits: whom to wake for it, whether anybody will, and the wake.
//!
//! ```text
//!    polled with its task's own waker ──▶ Waiter::Task    the task's id
//!    ... with that of a `join_all`    ──▶ Waiter::Child   the index in the join
//!    ... with any other               ──▶ Waiter::Waker   a clone
//! ```

use std::panic::Location;
use std::ptr;
use std::sync::Arc;
use std::task::Waker;

use crate::context::Shared;
use crate::slots::{NextPoll, Slot};
use crate::task::TaskId;
use crate::trace::{Cause, Event, WaitsOn};
use crate::waiter::{ForeignWaker, Joiner, Parent, Registered, Waiter, WokenChildren};

/// What a poll has said up to some moment: where its task waits, and for how many things.
#[derive(Clone, Copy)]
pub(crate) struct SaidSoFar {
    at: Option<&'static Location<'static>>,
    waits: usize,
}

impl Shared {
    /// Whom to wake for a future that is polled with `waker`. If that is the running task's own, its id
    /// is enough.
    #[inline]
    pub(crate) fn waiter(&self, waker: &Waker) -> Waiter {
        match self.task_polled_with(waker) {
            Some(id) => Waiter::Task(id),
            None => self.waiter_of_another(waker),
        }
    }

    #[inline(never)]
    fn waiter_of_another(&self, waker: &Waker) -> Waiter {
        match self.child_polled_with(waker) {
            Some((woken, index)) => Waiter::Child(woken, index),
            None => Waiter::Waker(ForeignWaker::clone_of(waker)),
        }
    }

    /// The future of a `join_all` that is polled now, if this is the very waker that it is polled with. It
    /// is recognized as a task is, see [`task_polled_with`](Shared::task_polled_with).
    pub(crate) fn child_polled_with(&self, waker: &Waker) -> Option<(Arc<WokenChildren>, usize)> {
        let mut child = self.polled_child.borrow_mut();
        if ptr::from_ref(waker).addr() != child.waker {
            return None;
        }
        child.registered = true;
        Some((child.woken.clone()?, child.index))
    }

    /// [`waiter`](Shared::waiter), for whoever keeps it where [`is_registered`](Shared::is_registered) does not look:
    /// neither in a timer nor in a slot.
    pub(crate) fn waiter_left_unseen(&self, waker: &Waker) -> Waiter {
        if let Some(task) = self.queue.running() {
            self.tracer().note_left_unseen(task);
        }
        self.waiter(waker)
    }

    /// The task that runs now, if this is the very waker that the executor polls it with.
    ///
    /// The address decides, not `will_wake`: no other waker can be at the address of one that is
    /// borrowed for the length of this poll.
    #[inline]
    pub(crate) fn task_polled_with(&self, waker: &Waker) -> Option<TaskId> {
        let id = self.queue.running()?;
        if !ptr::eq(waker, self.polled_with.get()) {
            return None;
        }
        self.registered.set(Registered::Somewhere);
        Some(id)
    }

    /// Notes who is told when the task ends: nobody else is. False, if it has ended.
    #[inline]
    pub(crate) fn set_joiner(&self, id: TaskId, joiner: Joiner) -> bool {
        // Either way, a waker may be dropped here: the user's code, perhaps.
        self.queue.set_joiner(id, joiner).is_ok()
    }

    /// Takes note that the running task waits, and where.
    #[inline]
    pub(crate) fn waits(&self, on: WaitsOn, at: &'static Location<'static>) {
        self.queue.waits_at.set(Some(at));
        if self.tracer().has_observer() {
            self.tell_waits(on, at);
        }
    }

    /// [`waits`](Shared::waits), for what works on any executor: on this one it is told what it waits for.
    #[inline]
    pub(crate) fn waits_on_current(on: WaitsOn, at: &'static Location<'static>) {
        let is_told = |current: &Shared| {
            current.queue.waits_at.set(Some(at));
            current.tracer().has_observer()
        };
        if Shared::with_current(|current| current.is_some_and(is_told)) {
            let shared = Shared::current().expect("it is asked before");
            shared.tell_waits(on, at);
        }
    }

    #[cold]
    #[inline(never)]
    fn tell_waits(&self, on: WaitsOn, at: &'static Location<'static>) {
        if !self.tracer().is_on() {
            return;
        }
        let task = self.queue.running();
        if task.is_some() {
            self.tracer().note_poll_at(on, at);
        }
        if task.is_some() && !self.tracer().with_said(|said| said.push(on, at)) {
            return;
        }
        self.tracer().emit(move || Event::Waits { task, on, at });
        // The observer may have polled something that waits, too.
        self.queue.waits_at.set(Some(at));
    }

    /// What the task that runs on this thread has said so far, to go [back to](Shared::back_to).
    #[inline]
    pub(crate) fn said_so_far() -> Option<SaidSoFar> {
        Shared::with_current(|current| {
            let current = current?;
            let waits = current.tracer().with_said(|said| said.len());
            let at = current.queue.waits_at.get();
            Some(SaidSoFar { at, waits })
        })
    }

    /// A future that was polled since then is over. Whatever was said in it, the task waits for that no more.
    #[inline]
    pub(crate) fn back_to(before: Option<SaidSoFar>) {
        let Some(SaidSoFar { at, waits }) = before else {
            return;
        };
        let is_told = |current: &Shared| {
            current.queue.waits_at.set(at);
            current.tracer().is_on()
        };
        if Shared::with_current(|current| current.is_some_and(is_told)) {
            Shared::give_up_since(at, waits);
        }
    }

    #[cold]
    #[inline(never)]
    fn give_up_since(at: Option<&'static Location<'static>>, waits: usize) {
        let shared = Shared::current().expect("it is asked before");
        let given_up = shared.tracer().with_said(|said| said.give_up_since(waits));
        given_up.into_iter().for_each(|on| shared.gives_up(on));
        shared.queue.waits_at.set(at); // see `tell_waits`
    }

    fn gives_up(&self, on: WaitsOn) {
        if let Some(task) = self.queue.running() {
            self.tracer().emit(move || Event::GaveUp { task, on });
        }
    }

    /// The handle of an unfinished task has been dropped.
    #[inline]
    pub(crate) fn detached(&self, task: TaskId) {
        if self.tracer().is_on() {
            self.tell_detached(task);
        }
    }

    #[cold]
    fn tell_detached(&self, task: TaskId) {
        let times = self
            .tracer()
            .with_said(|said| said.give_up(WaitsOn::Task(task)));
        (0..times).for_each(|_| self.gives_up(WaitsOn::Task(task)));
        let next_poll = self.queue.with_slot(task, |slot| slot.next_poll);
        let is_aborted = next_poll.is_none_or(|next_poll| next_poll == NextPoll::Dropped);
        if !is_aborted && !self.is_ending.get() {
            self.tracer().emit(move || Event::Detached { task });
        }
    }

    #[inline]
    pub(crate) fn wake_waiter(&self, waiter: Waiter, by: Cause) {
        match waiter {
            Waiter::Task(id) => self.queue.wake(id, by),
            Waiter::Child(woken, index) => {
                let Parent {
                    inside, outside, ..
                } = woken.note(index, None);
                if let Some(parent) = inside.or(outside.map(Waiter::Waker)) {
                    self.wake_waiter(parent, by);
                }
            }
            Waiter::Waker(waker) => {
                let _by = self.queue.wakes_because(by);
                waker.wake();
            }
        }
    }

    /// A poll begins. In it, the task has left its id with nobody yet, and has said nothing.
    pub(crate) fn forget_registered(&self) {
        self.tracer().clear_said();
        self.registered.set(Registered::Nowhere);
    }

    /// A timer or a handle has been dropped: perhaps the only one that would wake the running task.
    #[inline]
    pub(crate) fn unregistered(&self) {
        if self.registered.get() == Registered::Somewhere {
            self.registered.set(Registered::Perhaps);
        }
    }

    /// True if a timer or another task's end will wake the task that was polled last. It is asked only while
    /// tracing, of a task whose waker nobody has, and looks at all timers and tasks unless what that poll
    /// has left behind says enough.
    pub(crate) fn is_registered(&self, task: TaskId) -> bool {
        let is_its = |waiter: &Waiter| waiter.task() == Some(task);
        let is_left_with = |on| match on {
            WaitsOn::Timer(timer) => {
                let mut wheel = self.wheel.borrow_mut();
                let waiter = wheel.get_mut(timer);
                waiter.is_some_and(|waiter| is_its(waiter))
            }
            WaitsOn::Task(awaited) => {
                let is_awaited = |slot: &mut Slot| match &slot.joiner {
                    Some(Joiner::Waiter(waiter)) => is_its(waiter),
                    _ => false,
                };
                self.queue.with_slot(awaited, is_awaited) == Some(true)
            }
            _ => false,
        };
        let said = || {
            let tracer = self.tracer();
            tracer.with_said(|said| said.waits().any(|(on, _)| is_left_with(on)))
        };
        let is_in_wheel = || {
            self.wheel
                .borrow()
                .iter()
                .any(|(.., waiter)| is_its(waiter))
        };
        self.registered.get() == Registered::Somewhere
            || self.tracer().has_registered(task)
                && (said() || is_in_wheel() || self.queue.any_joiner(is_its))
    }

    /// Which task awaits which, by its handle.
    pub(crate) fn awaited(&self) -> Vec<(TaskId, TaskId)> {
        self.queue.unfinished(|id, slot| match &slot.joiner {
            Some(Joiner::Waiter(Waiter::Task(who))) => Some((*who, id)),
            _ => None,
        })
    }
}
