//! The executor's timers: armed, moved and cancelled by whoever sleeps, and fired by the loop.
//!
//! ```text
//!    a sleep is polled ──▶ arm_for ──▶ Wheel ──▶ its deadline passes ──▶ fire_timers ──▶ Queue::wake
//!                                        │
//!    a sleep is dropped ─▶ cancel_timer ─┘
//! ```
//!
//! A timer in the wheel carries whom to wake, and nothing else: the sleep finds it by its id.

use std::mem;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use crate::context::Shared;
use crate::trace::{Cause, Event, Place, TimerId, TimerKind, WaitsOn};
use crate::waiter::Waiter;
use crate::wheel::Expired;

/// So many timers a turn fires, and then those of the same instant; the rest are due at the next turn.
const MAX_TIMERS_A_TURN: usize = 64;

impl Shared {
    /// Puts a deadline in the wheel, for whoever polls with `waker`.
    #[inline]
    pub(crate) fn arm_for(&self, waker: &Waker, deadline_ns: u64, kind: TimerKind) -> TimerId {
        match self.task_polled_with(waker) {
            Some(id) if !self.tracer().has_observer() => {
                let mut wheel = self.wheel.borrow_mut();
                wheel.insert_with(deadline_ns, || Waiter::Task(id))
            }
            _ => self.arm(deadline_ns, self.waiter(waker), kind),
        }
    }

    /// Puts a deadline in the wheel.
    #[inline(never)]
    pub(crate) fn arm(&self, deadline_ns: u64, waiter: Waiter, kind: TimerKind) -> TimerId {
        let task = waiter.task();
        let timer = self.wheel.borrow_mut().insert(deadline_ns, waiter);
        self.tracer().emit(move || {
            self.note_armed(timer, deadline_ns);
            Event::TimerArmed {
                timer,
                task,
                kind,
                deadline: Duration::from_nanos(deadline_ns),
                place: self.place(timer),
            }
        });
        timer
    }

    /// Whoever polls with `waker` is woken when the timer fires, and nobody else.
    #[inline]
    pub(crate) fn set_timer_waiter(&self, timer: TimerId, waker: &Waker) {
        let is_same = |waiter: &mut Waiter| match waiter {
            Waiter::Task(id) => self.task_polled_with(waker) == Some(*id),
            Waiter::Child(woken, index) => match self.child_polled_with(waker) {
                Some((same, its)) => Arc::ptr_eq(&same, woken) && its == *index,
                None => false,
            },
            Waiter::Waker(old) => old.will_wake(waker),
        };
        if self.wheel.borrow_mut().get_mut(timer).is_some_and(is_same) {
            return;
        }
        // Cloned and dropped with nothing borrowed: both are the waker's own code.
        let waiter = self.waiter(waker);
        let task = waiter.task();
        let before = match self.wheel.borrow_mut().get_mut(timer) {
            Some(place) => mem::replace(place, waiter),
            None => waiter,
        };
        if before.task() != task {
            if before.task() == self.queue.running() {
                self.tracer()
                    .with_said(|said| said.give_up(WaitsOn::Timer(timer)));
            }
            self.tracer()
                .emit(move || Event::TimerHandedOver { timer, task });
        }
        drop(before);
    }

    /// Moves a timer to another deadline. False if it is no longer in the wheel.
    pub(crate) fn reset_timer(&self, timer: TimerId, deadline_ns: u64) -> bool {
        let is_reset = self.wheel.borrow_mut().reset(timer, deadline_ns);
        if is_reset {
            self.tracer().emit(move || {
                self.note_armed(timer, deadline_ns);
                Event::TimerReset {
                    timer,
                    deadline: Duration::from_nanos(deadline_ns),
                    place: self.place(timer),
                }
            });
        }
        is_reset
    }

    /// Notes if a timer was due when a poll armed or moved it: whoever did that has delayed nobody, and may spin.
    fn note_armed(&self, timer: TimerId, deadline_ns: u64) {
        if let Some(task) = self.queue.running() {
            let is_due = deadline_ns <= self.clock.now_ns();
            self.tracer().note_armed(task, timer, is_due);
        }
    }

    /// Takes a timer out of the wheel, if it is still there, and gives back whom it would wake.
    #[inline(always)]
    pub(crate) fn cancel_timer(&self, timer: TimerId) -> Option<Waiter> {
        match self.tracer().has_observer() {
            false => self.wheel.borrow_mut().cancel(timer),
            true => self.cancel_timer_and_tell(timer),
        }
    }

    #[cold]
    #[inline(never)]
    fn cancel_timer_and_tell(&self, timer: TimerId) -> Option<Waiter> {
        let waiter = self.wheel.borrow_mut().cancel(timer);
        if waiter.is_some() {
            self.unregistered();
            self.tracer().emit(move || Event::TimerCancelled { timer });
        }
        waiter
    }

    /// Nobody will fire what is left in the wheel: sleeps that are not the executor's own, and go on where they are
    /// polled next. Who waits for one with a waker of its own, a `join_all` or another crate's combinator, is woken
    /// now, or it would not poll the sleep there.
    pub(crate) fn hand_back_timers(&self) {
        let take = |waiter: &mut Waiter| match waiter {
            Waiter::Task(_) => None,
            Waiter::Child(..) | Waiter::Waker(_) => Some(mem::replace(waiter, Waiter::nobody())),
        };
        let left: Vec<Waiter> = self
            .wheel
            .borrow_mut()
            .values_mut()
            .filter_map(take)
            .collect();
        for waiter in left {
            self.wake_waiter(waiter, Cause::Outside);
        }
    }

    fn place(&self, timer: TimerId) -> Place {
        let place = self.wheel.borrow().place(timer);
        place.expect("the timer is in the wheel")
    }

    /// Wakes those whose deadline has passed, in the order that `wheel.rs` states: that of their deadlines, and for
    /// equal ones that in which they were armed. Says how many; `None` if there are no timers.
    #[inline(always)]
    pub(crate) fn fire_timers(&self) -> Option<usize> {
        let no_timers = self.wheel.borrow().is_empty();
        if no_timers {
            None
        } else {
            Some(self.fire_due())
        }
    }

    fn fire_due(&self) -> usize {
        let now_ns = self.clock.now_ns();
        let next = || match self.tracer().is_on() {
            true => self.pop_and_tell(now_ns),
            false => self.wheel.borrow_mut().pop(now_ns),
        };
        let fired = self.fire_up_to(MAX_TIMERS_A_TURN, now_ns, next);
        match fired {
            MAX_TIMERS_A_TURN => fired + self.fire_rest(now_ns),
            _ => fired,
        }
    }

    /// Those of the instant that has begun, or a time limit might be up before what was to be done by then. Not more
    /// than there are by now: whoever is woken may arm others that are due.
    #[cold]
    #[inline(never)]
    fn fire_rest(&self, now_ns: u64) -> usize {
        let most = self.wheel.borrow().count_due();
        self.fire_up_to(most, now_ns, || self.wheel.borrow_mut().pop_due())
    }

    #[inline(always)]
    fn fire_up_to(
        &self,
        most: usize,
        now_ns: u64,
        next: impl Fn() -> Option<Expired<Waiter>>,
    ) -> usize {
        for fired in 0..most {
            let Some(expired) = next() else {
                return fired;
            };
            let timer = expired.timer;
            self.tracer().emit(move || Event::TimerFired {
                timer,
                deadline: Duration::from_nanos(expired.deadline),
                now: Duration::from_nanos(now_ns),
            });
            self.wake_waiter(expired.value, Cause::Timer(timer));
        }
        most
    }

    /// [`Wheel::pop`], which tells where each timer has gone in a cascade, before it takes one out. Whoever is told may
    /// arm timers that are due: so it looks again where it has told something and found nothing.
    ///
    /// [`Wheel::pop`]: crate::wheel::Wheel::pop
    #[cold]
    fn pop_and_tell(&self, now_ns: u64) -> Option<Expired<Waiter>> {
        loop {
            let mut moved = Vec::new();
            let mut note = |timer, place| moved.push((timer, place));
            self.wheel.borrow_mut().turn(now_ns, &mut note);
            let is_over = moved.is_empty();
            for (timer, place) in moved {
                self.tracer().emit(move || Event::Cascaded { timer, place });
            }
            let popped = self.wheel.borrow_mut().pop_due();
            if popped.is_some() || is_over {
                return popped;
            }
        }
    }
}
