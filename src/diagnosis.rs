//! What the trace says of a poll besides that it happened: who has forgotten its waker, who held the thread, and who
//! only wakes itself.
//!
//! What takes time here runs only while there is an observer.

use std::panic::Location;
use std::time::{Duration, Instant};

use crate::context::Shared;
use crate::slots::SlotState;
use crate::task::TaskId;
use crate::trace::{Cause, Event, LongPoll, TimedPoll, WaitsOn, first_named};
use crate::waiter::Registered;

/// A task has been delayed by a long poll if it was ready for this part of it: not if it was woken at its very end.
pub(crate) const DELAYED_PART: u32 = 10;

/// After so many polls in a row that a task brought about itself, an event says so.
const SPINNING_POLLS: u32 = 1_000;

impl Shared {
    /// Tells that a poll begins, and notes when, if it matters how long it takes.
    #[cold]
    pub(crate) fn tell_poll_started(&self, task: TaskId) {
        self.forget_registered();
        let (why, polls) = self.tracer().take_cause(task);
        let started = self.tracer().long_poll().map(|_| Instant::now());
        // To read the clock is the larger part of telling, so one reading serves for both.
        let now = self.clock.elapsed_at(started);
        let event = || Event::PollStarted { task, why };
        self.tracer().emit_at(now, event);
        // Once a thousand polls, so that a loop which never ends is seen and does not fill the log.
        if polls > 0 && polls.is_multiple_of(SPINNING_POLLS) {
            self.tracer().emit(move || Event::Spinning { task, polls });
        }
        let is_drop = why == Cause::Aborted;
        // A drop goes on nowhere, and without a time nobody asks.
        let at = match is_drop || started.is_none() {
            true => None,
            false => self.goes_on_at(task, why),
        };
        self.note_poll_began(task, started, is_drop, at);
    }

    /// Tells that a future is dropped that is not done, though not in its turn, and notes when: that may hold the
    /// thread, too.
    #[cold]
    pub(crate) fn tell_dropping(&self, task: TaskId) {
        if self.tracer().is_on() {
            self.tracer().emit(move || Event::Dropping { task });
            self.note_poll_began(task, Some(Instant::now()), true, None);
        }
    }

    /// The `.await` at which a poll goes on: where the task has waited for what is over by now. `None` if it was for
    /// several things, or for what is not watchglass's: which of its branches goes on then, nobody knows.
    fn goes_on_at(&self, task: TaskId, why: Cause) -> Option<&'static Location<'static>> {
        self.tracer().goes_on_at(task, |on| match on {
            WaitsOn::Timer(timer) => self.wheel.borrow_mut().get_mut(timer).is_none(),
            WaitsOn::Task(awaited) => self.is_finished(awaited),
            WaitsOn::AnyTask => matches!(why, Cause::Joined(_)),
            WaitsOn::Turn => why == Cause::Itself,
            WaitsOn::Never
            | WaitsOn::Elsewhere
            | WaitsOn::Children(_)
            | WaitsOn::Blocking
            | WaitsOn::Labelled(_) => false,
        })
    }

    fn note_poll_began(
        &self,
        task: TaskId,
        began: Option<Instant>,
        is_drop: bool,
        at: Option<&'static Location<'static>>,
    ) {
        let timed = began.map(|began| TimedPoll::begins(task, began, is_drop, at));
        self.tracer().note_poll_began(timed);
    }

    /// Tells that a poll has ended, and what is wrong with it.
    #[cold]
    pub(crate) fn tell_poll_ended(&self, task: TaskId, ready: bool, wakers: Option<usize>) {
        let timed = self.tracer().take_timed_poll(task);
        let ended = timed.map(|_| Instant::now());
        let timed = timed.zip(ended);
        let has_registered = self.registered.get() != Registered::Nowhere;
        self.tracer().note_waits(task, has_registered);
        let held = timed.map_or(Duration::ZERO, |(poll, ended)| ended - poll.began);
        let waits_at = self.queue.waits_at.get();
        self.queue.with_slot(task, |slot| slot.waits_at = waits_at);
        // On the virtual clock no time goes by in a poll, and every run has the same events.
        let took = match self.clock.is_virtual() {
            true => Duration::ZERO,
            false => held,
        };
        let event = || Event::PollEnded {
            task,
            ready,
            took,
            wakers,
        };
        self.tracer().emit_at(self.clock.elapsed_at(ended), event);
        let queued = self.queue.state(task) == SlotState::Queued;
        let nobody_knows_it = || !self.tracer().has_left_unseen(task) && !self.is_registered(task);
        if !ready && !queued && wakers == Some(0) && nobody_knows_it() {
            self.tracer().tell_forgotten(task);
        }
        if let Some((poll, ended)) = timed
            && self.tracer().long_poll().is_some_and(|long| held >= long)
        {
            let is_waiting = |on| self.tracer().with_said(|said| said.contains(on));
            let long = self.long_poll(poll, is_waiting, ended);
            self.tracer().emit(move || Event::LongPoll(long));
        }
        // The observer may have polled something that waits, too.
        self.queue.waits_at.set(waits_at);
    }

    /// If the task has held the thread for long in its last poll, which a panic has ended, or where it was dropped: to
    /// be told when its end has been.
    #[cold]
    pub(crate) fn long_poll_of_failed(&self, task: TaskId) -> Option<Box<LongPoll>> {
        let poll = self.tracer().take_timed_poll(task)?;
        let ended = Instant::now();
        let is_long = ended - poll.began >= self.tracer().long_poll()?;
        // Whatever it has waited for may be gone with it.
        is_long.then(|| self.long_poll(poll, |_| true, ended))
    }

    /// What is told of such a poll, or drop, with who had to wait meanwhile.
    fn long_poll(
        &self,
        poll: TimedPoll,
        is_waiting: impl Fn(WaitsOn) -> bool,
        ended: Instant,
    ) -> Box<LongPoll> {
        let TimedPoll {
            task,
            began,
            is_drop,
            ..
        } = poll;
        let took = ended - began;
        let stretch = poll.longest(is_waiting, ended);
        let (mut delayed, timers, late) = self.delayed_by(task, took, ended);
        delayed.retain(|&other| other != task && self.queue.state(other).is_unfinished());
        let (delayed, more_delayed) = first_named(delayed);
        Box::new(LongPoll {
            task,
            took,
            goes_on: false,
            is_drop,
            after: stretch.after,
            until: stretch.until,
            between: stretch.took,
            delayed,
            more_delayed,
            timers,
            late,
        })
    }

    /// The tasks that have been ready for a noticeable part of this time, that were woken from outside or whose timer
    /// is due, how many timers are due, and how long the first of them has waited in this time. A timer that was due
    /// when this very poll, which is the last of `task`, armed it has waited for nobody.
    fn delayed_by(
        &self,
        task: TaskId,
        took: Duration,
        ended: Instant,
    ) -> (Vec<TaskId>, usize, Duration) {
        // At the executor's end nobody has a turn any more.
        if self.is_ending.get() {
            return Default::default();
        }
        let was_ready_long = |task: &TaskId| {
            let queued_at = self.tracer().queued_at(*task);
            queued_at.is_none_or(|queued_at| ended - queued_at >= took / DELAYED_PART)
        };
        let mut delayed = self.queue.ready_behind(0);
        delayed.retain(was_ready_long);
        delayed.append(&mut self.inbox.wanted());
        let (mut timers, mut late_ns) = (0, 0);
        // The virtual clock has stood still: no timer came due meanwhile.
        if !self.clock.is_virtual() {
            let now_ns = self.clock.now_ns();
            let took_ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
            let began_ns = now_ns.saturating_sub(took_ns);
            for (timer, deadline_ns, _, waiter) in self.wheel.borrow().iter() {
                if deadline_ns <= now_ns && !self.tracer().has_armed_due(task, timer) {
                    timers += 1;
                    late_ns = late_ns.max(now_ns - deadline_ns.max(began_ns));
                    if now_ns - deadline_ns >= took_ns / u64::from(DELAYED_PART) {
                        delayed.extend(waiter.task());
                    }
                }
            }
        }
        (delayed, timers, Duration::from_nanos(late_ns))
    }
}
