//! What is kept of each task from one event to the next: why it was queued, where it waits, and what was told of it.
//! Nothing is kept where nobody observes.

use std::cell::RefCell;
use std::collections::HashSet;
use std::panic::Location;
use std::time::Instant;

use super::event::{Cause, Effect, TimerId, WaitsOn};
use super::said::Said;
use super::words::NAMED;
use crate::task::TaskId;

/// By slot, what is known of the task there.
#[derive(Default)]
pub(super) struct KnownTasks(RefCell<Vec<Option<Known>>>);

/// What is known of one task.
pub(super) struct Known {
    task: TaskId,
    /// Why it was queued, if it is.
    pub(super) cause: Option<Cause>,
    /// When, if that was in a poll that is timed.
    pub(super) queued_at: Option<Instant>,
    /// How many polls in a row it brought about itself.
    polls_by_itself: u32,
    /// The timers that its last poll armed when they were due.
    armed_due: HashSet<TimerId>,
    /// True if it has ever left its id with a timer or a task: if not, nobody need look there.
    pub(super) has_registered: bool,
    /// True if it has ever left its id where nobody looks: see `waiter_left_unseen` in `waiting.rs`.
    pub(super) has_left_unseen: bool,
    /// True if it was told since its last poll that nobody has its waker.
    pub(super) is_forgotten: bool,
    /// True if it was told since its last poll that it is in a circle of tasks that await each other.
    pub(super) is_in_circle: bool,
    /// True if it was woken for something else, too, while it was queued for that.
    has_more_causes: bool,
    /// For what it has said in its last poll that it waits, and where; nothing if that was a lot.
    waits: Vec<(WaitsOn, &'static Location<'static>)>,
    has_many_waits: bool,
}

impl KnownTasks {
    /// How many slots there is room for.
    pub(super) fn slots(&self) -> usize {
        self.0.borrow().len()
    }

    /// Changes what is known of a task. It starts afresh if the slot had another task before, and is
    /// forgotten at once if it has another by now.
    pub(super) fn with<R>(&self, task: TaskId, change: impl FnOnce(&mut Known) -> R) -> R {
        let mut known = self.0.borrow_mut();
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
}

impl Known {
    fn of(task: TaskId) -> Self {
        Known {
            task,
            cause: None,
            queued_at: None,
            polls_by_itself: 0,
            armed_due: HashSet::new(),
            has_registered: false,
            has_left_unseen: false,
            is_forgotten: false,
            is_in_circle: false,
            has_more_causes: false,
            waits: Vec::new(),
            has_many_waits: false,
        }
    }

    /// It was woken, at a moment that matters in a poll that is timed.
    pub(super) fn woken(
        &mut self,
        by: Cause,
        effect: Effect,
        at: impl FnOnce() -> Option<Instant>,
    ) {
        // An abort counts more than the wake that it comes after: the task is not polled.
        let abort = by == Cause::Aborted && effect == Effect::AlreadyQueued;
        if effect == Effect::Queued || abort {
            self.cause = Some(by);
            self.has_more_causes = false;
        } else if effect == Effect::AlreadyQueued {
            self.has_more_causes |= self.cause != Some(by);
        }
        if effect == Effect::Queued {
            self.queued_at = at();
        }
    }

    /// A poll begins: why, and how many polls in a row the task has then brought about itself.
    pub(super) fn take_cause(&mut self) -> (Cause, u32) {
        // Only a wake that the observer itself caused is not remembered.
        let cause = self.cause.take().unwrap_or(Cause::Outside);
        let is_by_itself = match cause {
            Cause::Itself => true,
            Cause::Timer(timer) => self.has_armed_due(timer),
            _ => false,
        };
        self.polls_by_itself = match is_by_itself {
            // After 2^32 polls it begins anew.
            true => self.polls_by_itself.wrapping_add(1),
            false => 0,
        };
        self.armed_due.clear();
        self.is_forgotten = false;
        self.is_in_circle = false;
        (cause, self.polls_by_itself)
    }

    /// The poll that goes on has armed this timer, or moved it, and it was due by then, or was not.
    pub(super) fn note_armed(&mut self, timer: TimerId, is_due: bool) {
        match is_due {
            true => self.armed_due.insert(timer),
            false => self.armed_due.remove(&timer),
        };
    }

    /// True if its last poll armed this timer when it was due.
    pub(super) fn has_armed_due(&self, timer: TimerId) -> bool {
        self.armed_due.contains(&timer)
    }

    /// A poll has ended, in which this was said.
    pub(super) fn note_waits(&mut self, said: &Said) {
        self.waits.clear();
        self.has_many_waits = said.len() > NAMED;
        if !self.has_many_waits {
            self.waits.extend(said.waits());
        }
    }

    /// True if it has said in its last poll that it waits for this at this place.
    pub(super) fn has_waited(&self, on: WaitsOn, at: &'static Location<'static>) -> bool {
        self.waits.contains(&(on, at))
    }

    /// True if it has said in its last poll that it waits for the end of this task. `None` if it has said too much to
    /// keep it.
    pub(super) fn awaits(&self, awaited: TaskId) -> Option<bool> {
        let mut waits = self.waits.iter();
        let awaits = waits.any(|&(on, _)| on == WaitsOn::Task(awaited));
        (!self.has_many_waits).then_some(awaits)
    }

    /// Where it has waited for what is over by now: if that was at one place, so that it goes on there.
    pub(super) fn goes_on_at(
        &self,
        is_over: impl Fn(WaitsOn) -> bool,
    ) -> Option<&'static Location<'static>> {
        // Of a join only those are among the waits that were polled last.
        let joins = |&(on, _): &(WaitsOn, _)| matches!(on, WaitsOn::Children(_));
        if self.has_more_causes || self.waits.iter().any(joins) {
            return None;
        }
        let over = self.waits.iter().filter(|&&(on, _)| is_over(on));
        let mut places = over.map(|&(_, at)| at);
        let first = places.next()?;
        places.all(|other| other == first).then_some(first)
    }
}
