//! What happened: every poll, wake and timer as an [`Event`], told to an [`Observer`].
//!
//! ```text
//!   the executor ── Event ──▶ Tracer ── Record (number, time, event) ──▶ your Observer
//! ```
//!
//! Events are sent from where they happen, after the executor's own state has changed, so an observer sees nothing that
//! is not yet true. Two events are exceptions, and are told before: a park, because afterwards is too late; and a wait
//! for anything but a timer or a closure, which is told before the executor notes whom to wake.
//!
//! Without an observer, a poll in `block_on` does not look for one, nor does a wake by a waker on the executor's own
//! thread. Each of the other places costs one branch, which the processor predicts. (In the repository,
//! `scripts/cost-of-events` counts what they cost together.)

mod event;
mod words;
mod sentences;
mod observer;
mod recording;
mod known;
mod said;
mod timed_poll;
#[cfg(feature = "view")]
mod state;

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::mem;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::rc::Rc;
use std::time::{Duration, Instant};

pub use event::{
    Cause, Effect, Event, LongPoll, Place, Record, TaskKind, TimerId, TimerKind, UnparkCause,
    WaitsOn,
};
use known::{Known, KnownTasks};
pub use observer::Observer;
pub use recording::Recording;
pub(crate) use said::Said;
#[cfg(feature = "view")]
pub use state::{Ready, Stage, State, TaskState, TimerState, Wait};
pub(crate) use timed_poll::TimedPoll;
pub(crate) use words::{At, OneLine, first_named, in_circle, in_program, named};
#[cfg(feature = "view")]
pub(crate) use words::{Seconds, deadlock};

use crate::clock::Clock;
use crate::guard::{contain, drop_contained};
use crate::task::TaskId;

/// So many tasks and timers are looked at, one by one, whenever nothing is ready.
const LOOKED_AT_ALWAYS: u64 = 100;
/// And so many more for each event since then: that takes about as long as to tell it.
const LOOKED_AT_AN_EVENT: u64 = 16;

/// The one place that events go through: nothing at all, if there is no observer.
pub(crate) struct Tracer(Option<Box<Telling>>);

/// Numbers the events, tells them, and keeps what is known of the tasks.
struct Telling {
    clock: Rc<Clock>,
    observer: Box<dyn Observer>,
    /// False while the observer runs, so that it is not told of its own doings, and for good once it
    /// has panicked or there is nothing more to tell.
    on: Cell<bool>,
    /// True once the executor has been dropped: perhaps by the observer, which then is told of that when
    /// it returns.
    ended: Cell<bool>,
    next_seq: Cell<u64>,
    /// What that was when all tasks were looked at.
    looked_at: Cell<u64>,
    known: KnownTasks,
    /// What the poll that runs now has said.
    said: RefCell<Said>,
    /// A poll that takes this long is told of as such. `None` on the virtual clock only, where nobody asked for it.
    long_poll: Option<Duration>,
    /// The poll that goes on, if it matters how long it takes.
    timed: Cell<Option<TimedPoll>>,
    panic: RefCell<Option<Box<dyn Any + Send>>>,
}

impl Tracer {
    pub(crate) fn new(
        clock: Rc<Clock>,
        observer: Option<Box<dyn Observer>>,
        long_poll: Option<Duration>,
    ) -> Self {
        let telling = observer.map(|observer| Telling {
            clock,
            observer,
            on: Cell::new(true),
            ended: Cell::new(false),
            next_seq: Cell::new(0),
            looked_at: Cell::new(0),
            known: KnownTasks::default(),
            said: RefCell::default(),
            long_poll,
            timed: Cell::new(None),
            panic: RefCell::new(None),
        });
        Tracer(telling.map(Box::new))
    }

    /// Whoever is to be told now.
    #[inline]
    fn on(&self) -> Option<&Telling> {
        self.0.as_deref().filter(|telling| telling.on.get())
    }

    /// False if nobody will ever be told anything.
    #[inline]
    pub(crate) fn has_observer(&self) -> bool {
        self.0.is_some()
    }

    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        self.on().is_some()
    }

    /// Tells the observer, if there is one; `event` is made only then. No `RefCell` of the executor
    /// may be borrowed here: the observer is the user's code.
    #[inline]
    pub(crate) fn emit(&self, event: impl FnOnce() -> Event) {
        if let Some(telling) = self.on() {
            telling.make_and_tell(event);
        }
    }

    /// [`emit`](Tracer::emit), by whoever has read the clock just now.
    #[inline]
    pub(crate) fn emit_at(&self, time: Duration, event: impl FnOnce() -> Event) {
        if let Some(telling) = self.on() {
            telling.tell_at(time, event());
        }
    }

    /// Tells of a wake, and remembers its cause for the poll to come.
    #[cold]
    pub(crate) fn woken(&self, task: TaskId, by: Cause, effect: Effect) {
        if let Some(telling) = self.on() {
            let at = || telling.timed.get().map(|_| Instant::now());
            telling
                .known
                .with(task, |known| known.woken(by, effect, at));
            telling.tell(Event::Woken { task, by, effect });
        }
    }

    /// Tells that an entry of the queue was of no use.
    #[cold]
    pub(crate) fn passed_over(&self, task: TaskId) {
        if let Some(telling) = self.on() {
            telling.known.with(task, |known| known.cause = None);
            telling.tell(Event::PassedOver { task });
        }
    }

    pub(crate) fn long_poll(&self) -> Option<Duration> {
        self.0.as_ref()?.long_poll
    }

    /// A poll begins, of which it matters how long it takes, or of which it does not.
    pub(crate) fn note_poll_began(&self, poll: Option<TimedPoll>) {
        if let Some(telling) = &self.0 {
            telling.timed.set(poll);
        }
    }

    /// The poll that goes on has come to this `.await`.
    pub(crate) fn note_poll_at(&self, on: WaitsOn, at: &'static Location<'static>) {
        if let Some(telling) = self.0.as_deref()
            && telling.long_poll.is_some()
            && let Some(mut poll) = telling.timed.get()
        {
            let has_waited = |known: &mut Known| known.has_waited(on, at);
            let has_waited = telling.known.with(poll.task, has_waited);
            let is_waiting = |on| telling.said.borrow().contains(on);
            poll.comes_to((on, at), has_waited, is_waiting, Instant::now());
            telling.timed.set(Some(poll));
        }
    }

    /// What the poll that runs now has said; nothing where nobody observes.
    pub(crate) fn with_said<R: Default>(&self, look: impl FnOnce(&mut Said) -> R) -> R {
        let telling = self.0.as_deref();
        telling.map_or_else(R::default, |telling| look(&mut telling.said.borrow_mut()))
    }

    /// A poll begins, which has said nothing yet.
    // Left to itself the compiler makes a function of it, and an entry of `block_on` takes 7 instructions more.
    #[inline(always)]
    pub(crate) fn clear_said(&self) {
        if let Some(telling) = self.0.as_deref() {
            telling.said.borrow_mut().clear();
        }
    }

    /// The poll of this task has armed this timer, or moved it, and it was due by then, or was not.
    pub(crate) fn note_armed(&self, task: TaskId, timer: TimerId, is_due: bool) {
        self.with_known(task, |known| known.note_armed(timer, is_due));
    }

    /// True if the last poll of this task has armed this timer, when it was due already.
    pub(crate) fn has_armed_due(&self, task: TaskId, timer: TimerId) -> bool {
        self.with_known(task, |known| known.has_armed_due(timer)) == Some(true)
    }

    /// What is known of a task, if anything is kept.
    fn with_known<R>(&self, task: TaskId, change: impl FnOnce(&mut Known) -> R) -> Option<R> {
        let telling = self.0.as_deref();
        telling.map(|telling| telling.known.with(task, change))
    }

    /// Keeps where the task waits after the poll that has just ended, and whether that has left its id with somebody.
    pub(crate) fn note_waits(&self, task: TaskId, has_registered: bool) {
        self.with_said(|said| {
            self.with_known(task, |known| {
                known.note_waits(said);
                known.has_registered |= has_registered;
            })
        });
    }

    /// True if any poll of the task has left its id with a timer or a task.
    pub(crate) fn has_registered(&self, task: TaskId) -> bool {
        self.with_known(task, |known| known.has_registered) == Some(true)
    }

    /// True if the task has said in its last poll that it waits for the end of this one. `None` if it has said too much
    /// to keep it.
    pub(crate) fn awaits(&self, task: TaskId, awaited: TaskId) -> Option<bool> {
        self.with_known(task, |known| known.awaits(awaited))?
    }

    /// Where the task has waited for what is over by now: if that was at one place, so that it goes on there.
    pub(crate) fn goes_on_at(
        &self,
        task: TaskId,
        is_over: impl Fn(WaitsOn) -> bool,
    ) -> Option<&'static Location<'static>> {
        self.with_known(task, |known| known.goes_on_at(is_over))?
    }

    /// The poll of this task, once, if it is the one that goes on.
    pub(crate) fn take_timed_poll(&self, task: TaskId) -> Option<TimedPoll> {
        let timed = &self.0.as_ref()?.timed;
        let poll = timed.get().filter(|poll| poll.task == task);
        if poll.is_some() {
            timed.set(None);
        }
        poll
    }

    /// Nothing more will be told. True if the observer has been told that now, which happens once. Its
    /// panic ends here: it comes out of a drop.
    pub(crate) fn end(&self) -> bool {
        let Some(telling) = &self.0 else {
            return false;
        };
        telling.ended.set(true);
        let is_told = telling.on.replace(false);
        if is_told {
            contain(|| telling.observer.end());
        }
        is_told
    }

    /// When a task was queued in the poll that goes on; `None`, if it was before.
    pub(crate) fn queued_at(&self, task: TaskId) -> Option<Instant> {
        self.with_known(task, |known| known.queued_at)?
    }

    /// Why the task that is about to be polled was queued, and how many polls in a row it has then
    /// brought about itself.
    pub(crate) fn take_cause(&self, task: TaskId) -> (Cause, u32) {
        let known = self.with_known(task, Known::take_cause);
        known.unwrap_or((Cause::Outside, 0))
    }

    /// The task has left its id where nobody looks.
    pub(crate) fn note_left_unseen(&self, task: TaskId) {
        self.with_known(task, |known| known.has_left_unseen = true);
    }

    /// True if the task has ever left its id where nobody looks.
    pub(crate) fn has_left_unseen(&self, task: TaskId) -> bool {
        self.with_known(task, |known| known.has_left_unseen) == Some(true)
    }

    /// Tells that nobody has the task's waker, unless it was told since its last poll. True if it was told now.
    pub(crate) fn tell_forgotten(&self, task: TaskId) -> bool {
        let Some(telling) = self.on() else {
            return false;
        };
        let told = |known: &mut Known| mem::replace(&mut known.is_forgotten, true);
        let is_new = !telling.known.with(task, told);
        if is_new {
            telling.tell(Event::ForgottenWaker { task });
        }
        is_new
    }

    /// Tells that these tasks await each other, unless it was told of each of them since its last poll: of another
    /// circle one has been polled. True if it was told now.
    pub(crate) fn tell_deadlock(&self, circle: &[TaskId]) -> bool {
        let Some(telling) = self.on() else {
            return false;
        };
        let mut is_new = false;
        for &task in circle {
            let told = |known: &mut Known| mem::replace(&mut known.is_in_circle, true);
            is_new |= !telling.known.with(task, told);
        }
        if is_new {
            let circle = circle.into();
            telling.tell(Event::Deadlock { circle });
        }
        is_new
    }

    /// True if somebody is told, and all tasks and timers may be looked at now: if they are few, or after a sixteenth
    /// as many events since this was true last, so that it costs no event more than a constant.
    pub(crate) fn begins_look(&self, timers: impl FnOnce() -> usize) -> bool {
        let Some(telling) = self.on() else {
            return false;
        };
        let seq = telling.next_seq.get();
        let events = seq - telling.looked_at.get();
        let places = telling.known.slots() + timers();
        let begins = events * LOOKED_AT_AN_EVENT + LOOKED_AT_ALWAYS >= places as u64;
        if begins {
            telling.looked_at.set(seq);
        }
        begins
    }

    /// Of how many slots something may be kept.
    #[cfg(test)]
    pub(crate) fn slots_known(&self) -> usize {
        self.0.as_ref().map_or(0, |telling| telling.known.slots())
    }

    /// True if an observer has panicked and nobody has the panic yet.
    pub(crate) fn has_panic(&self) -> bool {
        let telling = self.0.as_ref();
        telling.is_some_and(|telling| telling.panic.borrow().is_some())
    }

    /// The panic of an observer that panicked, once.
    #[inline]
    pub(crate) fn take_panic(&self) -> Option<Box<dyn Any + Send>> {
        self.0.as_ref()?.panic.take()
    }
}

impl Drop for Telling {
    /// Whoever lets go of an executor last, a handle perhaps, drops its observer too, and is not to
    /// suffer from a panic there; nor from the observer's last one, which has no caller to go to any more.
    fn drop(&mut self) {
        let nobody: Box<dyn Observer> = Box::new(|_: &Record| ());
        drop_contained(mem::replace(&mut self.observer, nobody));
        drop_contained(self.panic.take());
    }
}

impl Telling {
    /// Apart, so that a function that may have something to tell does not keep room for an event. For the
    /// same reason most closures are `move`: what they take stays in registers where nothing is told.
    #[cold]
    #[inline(never)]
    fn make_and_tell(&self, event: impl FnOnce() -> Event) {
        self.tell(event());
    }

    fn tell(&self, event: Event) {
        self.tell_at(self.clock.elapsed(), event);
    }

    #[cold]
    fn tell_at(&self, time: Duration, event: Event) {
        let seq = self.next_seq.get();
        self.next_seq.set(seq + 1);
        let record = Record { seq, time, event };
        self.on.set(false);
        let told = catch_unwind(AssertUnwindSafe(|| self.observer.observe_owned(record)));
        match told {
            Ok(()) if self.ended.get() => contain(|| self.observer.end()),
            Ok(()) => self.on.set(true),
            Err(payload) => drop(self.panic.replace(Some(payload))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    /// An observer may run the executor, which then tells it nothing: so the first that is told of may be
    /// the third task of slot 3, before there was a word of slot 1.
    #[test]
    fn a_cause_is_kept_whatever_slot_is_told_of_first() {
        let observer: Box<dyn Observer> = Box::new(|_: &Record| ());
        let tracer = Tracer::new(Rc::new(Clock::real()), Some(observer), None);
        let id = |slot, generation| TaskId::new(slot, NonZeroU32::new(generation).unwrap());
        let causes = [
            (id(3, 3), Cause::Spawned),
            (id(1, 1), Cause::Task(id(3, 3))),
        ];
        for (task, by) in causes {
            tracer.woken(task, by, Effect::Queued);
        }
        for (task, by) in causes {
            assert_eq!(tracer.take_cause(task), (by, 0));
        }
    }

    #[test]
    fn many_tasks_are_looked_at_after_a_sixteenth_as_many_events() {
        let observer: Box<dyn Observer> = Box::new(|_: &Record| ());
        let tracer = Tracer::new(Rc::new(Clock::real()), Some(observer), None);
        let last = TaskId::new(99, NonZeroU32::new(1).unwrap());
        tracer.woken(last, Cause::Spawned, Effect::Queued);
        assert!(tracer.begins_look(|| 0) && tracer.begins_look(|| 0));
        let tell = || tracer.emit(|| Event::Completed { task: last });
        (0..9).for_each(|_| tell());
        assert!(!tracer.begins_look(|| 160), "nine events, 260 places");
        tell();
        assert!(tracer.begins_look(|| 160) && !tracer.begins_look(|| 160));
        let nobody = Tracer::new(Rc::new(Clock::real()), None, None);
        assert!(!nobody.begins_look(|| 0));
    }
}
