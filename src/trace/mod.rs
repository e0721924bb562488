//! What happened: every poll, wake and timer as an [`Event`], told to an [`Observer`].
//!
//! ```text
//!   the executor ── Event ──▶ Tracer ── Record (number, time, event) ──▶ your Observer
//! ```
//!
//! Events are sent from where they happen, after the executor's own state has changed, so an
//! observer sees nothing that is not yet true. (But for two, which are told before: the park, for afterwards is too
//! late; and that a task waits for anything but a timer or a closure, which is told before it is noted whom to wake.)
//! Without an observer, a poll in `block_on` and a wake by a waker on the executor's own thread do not look for
//! one, and each of the other places costs one branch that the processor predicts. (In the repository,
//! `scripts/cost-of-events` counts what they cost together.)

mod event;
mod words;
mod sentences;
mod observer;
mod recording;
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
pub use observer::Observer;
pub use recording::Recording;
pub(crate) use said::Said;
#[cfg(feature = "view")]
pub use state::{Ready, Stage, State, TaskState, TimerState, Wait};
pub(crate) use timed_poll::TimedPoll;
pub(crate) use words::{At, NAMED, OneLine, first_named, in_circle, in_program, named};
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

/// Numbers the events, tells them, and knows why each task was queued.
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
    /// By slot, what is known of the task there. Kept here, so that nothing is kept without an
    /// observer.
    known: RefCell<Vec<Option<Known>>>,
    /// A poll that takes this long is told of as such. `None` on the virtual clock only, where nobody asked for it.
    long_poll: Option<Duration>,
    /// The poll that goes on, if it matters how long it takes.
    timed: Cell<Option<TimedPoll>>,
    panic: Cell<Option<Box<dyn Any + Send>>>,
}

/// What is known of one task.
struct Known {
    task: TaskId,
    /// Why it was queued, if it is.
    cause: Option<Cause>,
    /// When, if that was in a poll that is timed.
    queued_at: Option<Instant>,
    /// How many polls in a row it brought about itself.
    polls_by_itself: u32,
    /// True if it has ever left its id where nobody looks: see `waiter_kept_elsewhere` in `waiting.rs`.
    is_known_elsewhere: bool,
    /// True if it was told since its last poll that nobody has its waker.
    is_forgotten: bool,
    /// True if it was told since its last poll that it is in a circle of tasks that await each other.
    is_in_circle: bool,
    /// True if it was woken for something else, too, while it was queued for that.
    has_more_causes: bool,
    /// For what it has said in its last poll that it waits, and where; nothing if that was a lot.
    waits: Vec<(WaitsOn, &'static Location<'static>)>,
    has_many_waits: bool,
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
            known: RefCell::new(Vec::new()),
            long_poll,
            timed: Cell::new(None),
            panic: Cell::new(None),
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
            // An abort counts more than the wake that it comes after: the task is not polled.
            let abort = by == Cause::Aborted && effect == Effect::AlreadyQueued;
            if effect == Effect::Queued || abort {
                let queued_at = telling.timed.get().map(|_| Instant::now());
                telling.with_known(task, |known| {
                    known.cause = Some(by);
                    known.has_more_causes = false;
                    if effect == Effect::Queued {
                        known.queued_at = queued_at;
                    }
                });
            } else if effect == Effect::AlreadyQueued {
                let is_another =
                    |known: &mut Known| known.has_more_causes |= known.cause != Some(by);
                telling.with_known(task, is_another);
            }
            telling.tell(Event::Woken { task, by, effect });
        }
    }

    /// Tells that an entry of the queue was of no use.
    #[cold]
    pub(crate) fn passed_over(&self, task: TaskId) {
        if let Some(telling) = self.on() {
            telling.with_known(task, |known| known.cause = None);
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

    /// The poll that goes on has come to this `.await`. `said` is what it has said before.
    pub(crate) fn note_poll_at(
        &self,
        on: WaitsOn,
        at: &'static Location<'static>,
        said: &RefCell<Said>,
    ) {
        if let Some(telling) = self.0.as_deref()
            && telling.long_poll.is_some()
            && let Some(mut poll) = telling.timed.get()
        {
            let has_waited = |known: &mut Known| known.waits.contains(&(on, at));
            let has_waited = telling.with_known(poll.task, has_waited);
            let is_waiting = |on| said.borrow().contains(on);
            poll.comes_to((on, at), has_waited, is_waiting, Instant::now());
            telling.timed.set(Some(poll));
        }
    }

    /// Keeps where the task waits after the poll that has just ended.
    pub(crate) fn note_waits(&self, task: TaskId, said: &Said) {
        let note = |known: &mut Known| {
            known.waits.clear();
            known.has_many_waits = said.len() > NAMED;
            if !known.has_many_waits {
                known.waits.extend(said.waits());
            }
        };
        if let Some(telling) = self.0.as_deref() {
            telling.with_known(task, note);
        }
    }

    /// True if the task has said in its last poll that it waits for the end of this one. `None` if it has said too much
    /// to keep it.
    pub(crate) fn awaits(&self, task: TaskId, awaited: TaskId) -> Option<bool> {
        let awaits = |known: &mut Known| {
            let mut waits = known.waits.iter();
            let awaits = waits.any(|&(on, _)| on == WaitsOn::Task(awaited));
            (!known.has_many_waits).then_some(awaits)
        };
        self.0.as_deref()?.with_known(task, awaits)
    }

    /// Where the task has waited for what is over by now: if that was at one place, so that it goes on there.
    pub(crate) fn goes_on_at(
        &self,
        task: TaskId,
        is_over: impl Fn(WaitsOn) -> bool,
    ) -> Option<&'static Location<'static>> {
        // Of a join only those are among the waits that were polled last.
        let joins = |&(on, _): &(WaitsOn, _)| matches!(on, WaitsOn::Children(_));
        let goes_on_at = |known: &mut Known| {
            if known.has_more_causes || known.waits.iter().any(joins) {
                return None;
            }
            let over = known.waits.iter().filter(|&&(on, _)| is_over(on));
            let mut places = over.map(|&(_, at)| at);
            let first = places.next()?;
            places.all(|other| other == first).then_some(first)
        };
        self.0.as_deref()?.with_known(task, goes_on_at)
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
        let telling = self.0.as_deref()?;
        telling.with_known(task, |known| known.queued_at)
    }

    /// Why the task that is about to be polled was queued, and how many polls in a row it has then
    /// brought about itself.
    pub(crate) fn take_cause(&self, task: TaskId) -> (Cause, u32) {
        let take = |known: &mut Known| {
            // Only a wake that the observer itself caused is not remembered.
            let cause = known.cause.take().unwrap_or(Cause::Outside);
            known.polls_by_itself = match cause {
                // After 2^32 polls it begins anew.
                Cause::Itself => known.polls_by_itself.wrapping_add(1),
                _ => 0,
            };
            known.is_forgotten = false;
            known.is_in_circle = false;
            (cause, known.polls_by_itself)
        };
        let telling = self.0.as_deref();
        telling.map_or((Cause::Outside, 0), |telling| {
            telling.with_known(task, take)
        })
    }

    /// Notes whether the task has left its id where nobody looks, in the poll that has just ended. True if it ever has.
    pub(crate) fn note_known_elsewhere(&self, task: TaskId, unseen: bool) -> bool {
        let note = |known: &mut Known| {
            known.is_known_elsewhere |= unseen;
            known.is_known_elsewhere
        };
        let telling = self.0.as_deref();
        telling.is_some_and(|telling| telling.with_known(task, note))
    }

    /// True if the task has ever left its id where nobody looks.
    pub(crate) fn is_known_elsewhere(&self, task: TaskId) -> bool {
        self.note_known_elsewhere(task, false)
    }

    /// Tells that nobody has the task's waker, unless it was told since its last poll. True if it was told now.
    pub(crate) fn tell_forgotten(&self, task: TaskId) -> bool {
        let note = |known: &mut Known| !mem::replace(&mut known.is_forgotten, true);
        let telling = self.on().filter(|telling| telling.with_known(task, note));
        telling
            .inspect(|telling| telling.tell(Event::ForgottenWaker { task }))
            .is_some()
    }

    /// Tells that these tasks await each other, unless it was told of each of them since its last poll: of another circle
    /// one has been polled. True if it was told now.
    pub(crate) fn tell_deadlock(&self, circle: &[TaskId]) -> bool {
        let note = |known: &mut Known| !mem::replace(&mut known.is_in_circle, true);
        let is_new = |telling: &&Telling| {
            let new = circle
                .iter()
                .filter(|&&task| telling.with_known(task, note));
            new.count() > 0
        };
        let telling = self.on().filter(is_new);
        let event = || Event::Deadlock {
            circle: circle.into(),
        };
        telling.inspect(|telling| telling.tell(event())).is_some()
    }

    /// True if somebody is told, and all tasks and timers may be looked at now: if they are few, or after a sixteenth as
    /// many events since this was true last, so that it costs no event more than a constant.
    pub(crate) fn begins_look(&self, timers: impl FnOnce() -> usize) -> bool {
        let Some(telling) = self.on() else {
            return false;
        };
        let seq = telling.next_seq.get();
        let events = seq - telling.looked_at.get();
        let places = telling.known.borrow().len() + timers();
        let begins = events * LOOKED_AT_AN_EVENT + LOOKED_AT_ALWAYS >= places as u64;
        if begins {
            telling.looked_at.set(seq);
        }
        begins
    }

    /// Of how many tasks something is kept.
    #[cfg(test)]
    pub(crate) fn tasks_known(&self) -> usize {
        self.0
            .as_ref()
            .map_or(0, |telling| telling.known.borrow().len())
    }

    /// True if an observer has panicked and nobody has the panic yet.
    pub(crate) fn has_panic(&self) -> bool {
        self.0.as_ref().is_some_and(|telling| {
            let panic = telling.panic.take();
            let is_some = panic.is_some();
            telling.panic.set(panic);
            is_some
        })
    }

    /// The panic of an observer that panicked, once.
    #[inline]
    pub(crate) fn take_panic(&self) -> Option<Box<dyn Any + Send>> {
        self.0.as_ref()?.panic.take()
    }
}

impl Known {
    fn of(task: TaskId) -> Self {
        Known {
            task,
            cause: None,
            queued_at: None,
            polls_by_itself: 0,
            is_known_elsewhere: false,
            is_forgotten: false,
            is_in_circle: false,
            has_more_causes: false,
            waits: Vec::new(),
            has_many_waits: false,
        }
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
    /// Changes what is known of a task. It starts afresh if the slot had another task before, and is
    /// forgotten at once if it has another by now.
    fn with_known<R>(&self, task: TaskId, change: impl FnOnce(&mut Known) -> R) -> R {
        let mut known = self.known.borrow_mut();
        let slot = task.slot() as usize;
        if known.len() <= slot {
            known.resize_with(slot + 1, || None);
        }
        match &mut known[slot] {
            Some(known) if known.task == task => change(known),
            Some(known) if known.task.generation() > task.generation() => {
                change(&mut Known::of(task))
            }
            place => {
                let mut fresh = Known::of(task);
                // Its memory serves again.
                if let Some(known) = place.take() {
                    fresh.waits = known.waits;
                    fresh.waits.clear();
                }
                change(place.insert(fresh))
            }
        }
    }

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
            Err(payload) => self.panic.set(Some(payload)),
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
