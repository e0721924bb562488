//! What the executor does when nothing is ready: it moves virtual time on, or finds that nothing can
//! ever happen again, or parks the thread.
//!
//! First an observer is told of the tasks that nobody will ever wake (`lost.rs`).
//!
//! ```text
//!    nothing is ready ──▶ virtual time, and a timer? ── yes ──▶ jump to its deadline
//!                                  │ no
//!                                  ▼
//!                         can anything happen? ── no ──▶ the verdict: Stalled
//!                                  │ yes
//!                                  ▼
//!                         spin, if it is worth it: does another thread answer? ── yes ──▶ go on
//!                                  │ no
//!                                  ▼
//!                         park until the next deadline, or until another thread wakes a task
//! ```

use std::time::{Duration, Instant};

use crate::context::Shared;
use crate::inbox::ParkEnd;
use crate::main_task::MainTask;
use crate::stalled::{Stalled, Watched, is_certain, verdict};
use crate::trace::{Cause, Event, UnparkCause};

impl Shared {
    /// Moves virtual time on; or finds that nothing can ever happen again; or parks.
    pub(crate) fn rest(&self, main: &mut MainTask<'_>, closed_world: bool) -> Option<Stalled> {
        // Counted before anything is decided. Counted at the park, a closure that ended in between
        // would end nobody's wait, although time may move now or the verdict is certain.
        let jobs = self.home.blocking_calls();
        let is_stalled = is_certain(self, main, closed_world);
        if self.look_for_lost(main, is_stalled) {
            // An observer may have woken a task, or armed what is due.
            return None;
        }
        if self.advance_clock(None).is_some() {
            return None;
        }
        if is_stalled {
            return Some(verdict(self, main));
        }
        self.wait(main, jobs, closed_world);
        None
    }

    /// Virtual time jumps to the next deadline, or `until` then, if that is earlier. It must not while a closure is out
    /// on a thread or a wake is on its way, for whatever comes of these comes before the deadline.
    // Left to itself the compiler does not inline it, and a sleep takes 30 instructions more.
    #[inline(always)]
    pub(crate) fn advance_clock(&self, until_ns: Option<u64>) -> Option<Duration> {
        if !self.clock.is_virtual() || self.home.blocking_calls() > 0 || !self.inbox.is_empty() {
            return None;
        }
        let next_wake_ns = self.wheel.borrow().next_wake();
        let to_ns = match until_ns {
            None => next_wake_ns?,
            Some(until_ns) => next_wake_ns.map_or(until_ns, |ns| ns.min(until_ns)),
        };
        let from_ns = self.clock.now_ns();
        debug_assert!(
            next_wake_ns.is_none_or(|ns| ns > from_ns),
            "the turn before has fired what was due"
        );
        if to_ns <= from_ns {
            return None;
        }
        self.clock.advance_to(to_ns);
        let (from, to) = (Duration::from_nanos(from_ns), Duration::from_nanos(to_ns));
        self.tracer()
            .emit(move || Event::ClockAdvanced { from, to });
        Some(to - from)
    }

    /// Waits until the next deadline, or until another thread sends a wake, or until another number of closures
    /// than `jobs` is out. Where there is no deadline and no closure is out, also until the last of a waker is dropped
    /// that was held elsewhere. At first it may be awake; then the thread is given back to the operating system.
    fn wait(&self, main: &mut MainTask<'_>, jobs: usize, closed_world: bool) {
        let waits_since = Instant::now();
        if self.may_spin() && self.spin.finds_mail(&self.home) {
            return;
        }
        let next_wake = || self.wheel.borrow().next_wake();
        let next_wake_ns = next_wake();
        let deadline_ns = next_wake_ns.filter(|_| !self.clock.is_virtual());
        let until_deadline = || {
            let left = |ns: u64| Duration::from_nanos(ns.saturating_sub(self.clock.now_ns()));
            deadline_ns.map(left)
        };
        let mut timeout = until_deadline();
        if timeout == Some(Duration::ZERO) {
            return;
        }
        self.tracer().emit(move || Event::Parked {
            until: deadline_ns.map(Duration::from_nanos),
        });
        if self.tracer().has_observer() {
            // That took some time, perhaps.
            timeout = until_deadline();
        }
        // The panic is for who called this executor, and is not to wait for whatever would end the park.
        if self.tracer().has_panic() {
            return;
        }
        // While a closure is out no verdict falls, whoever drops what.
        let only_wakers_help = timeout.is_none() && !closed_world && jobs == 0;
        let watched = match only_wakers_help {
            true => Watched::one(self, main),
            false => None,
        };
        // The last waker that somebody held, which kept the verdict from falling, may be gone by now.
        let nobody_is_left = only_wakers_help && watched.is_none();
        // An observer that was told of the park may have woken a task or armed an earlier timer.
        let is_earlier = |ns| next_wake_ns.is_none_or(|before_ns| ns < before_ns);
        let meddled = || self.queue.len() > 0 || next_wake().is_some_and(is_earlier);
        let is_gone = || watched.as_ref().is_some_and(Watched::is_gone);
        let ended = self.inbox.park(&self.home, timeout, || {
            self.home.blocking_calls() != jobs || nobody_is_left || is_gone() || meddled()
        });
        self.spin.note_park(&self.home, waits_since, ended);
        if let Some(watched) = watched {
            watched.end(self, main);
        }
        let is_spurious = meddled() || nobody_is_left;
        self.tracer().emit(move || Event::Unparked {
            by: self.unpark_cause(ended, is_spurious, deadline_ns),
        });
        if ended == ParkEnd::NotParked {
            // The letter may be there before the mark that there is mail.
            self.take_inbox();
        }
    }

    fn unpark_cause(
        &self,
        ended: ParkEnd,
        is_spurious: bool,
        deadline_ns: Option<u64>,
    ) -> UnparkCause {
        let has_come = |deadline_ns| self.clock.now_ns() >= deadline_ns;
        match ended {
            ParkEnd::NotParked if is_spurious => UnparkCause::Spurious,
            ParkEnd::NotParked | ParkEnd::Woken => UnparkCause::OtherThread,
            ParkEnd::TimedOutOrSpurious if deadline_ns.is_some_and(has_come) => {
                UnparkCause::Deadline
            }
            ParkEnd::TimedOutOrSpurious => UnparkCause::Spurious,
        }
    }

    /// Not where a deadline is near (virtual time, while it stands still, brings none nearer), and not where
    /// somebody observes, who is to see every wait as a park.
    fn may_spin(&self) -> bool {
        let next_wake_ns = self.wheel.borrow().next_wake();
        let is_near = |ns| {
            self.clock
                .ns_after(self.spin.lasts())
                .is_none_or(|end| ns <= end)
        };
        let deadline_is_near = !self.clock.is_virtual() && next_wake_ns.is_some_and(is_near);
        !deadline_is_near && !self.tracer().has_observer()
    }

    /// Moves what has arrived by now to the ready queue, but nothing that arrives meanwhile: other
    /// threads must not be able to keep the executor here.
    #[cold]
    pub(crate) fn take_inbox(&self) {
        for _ in 0..self.inbox.len() {
            if let Some((id, is_from_here)) = self.inbox.receive() {
                let by = match is_from_here {
                    true => Cause::NotRunning,
                    false => Cause::OtherThread,
                };
                self.queue.wake(id, by);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::future::poll_fn;
    use std::panic::Location;
    use std::rc::Rc;
    use std::task::{Poll, Waker};
    use std::thread;

    use super::*;
    use crate::clock::Clock;
    use crate::inbox::TaskWaker;
    use crate::pool::Pool;
    use crate::queue::Queue;
    use crate::spin::Spin;
    use crate::trace::{Observer, Record, TimerKind, Tracer};
    use crate::waiter::{ForeignWaker, Waiter};
    use crate::{Executor, Step};

    fn shared(clock: Clock, observer: Option<Box<dyn Observer>>) -> Rc<Shared> {
        let clock = Rc::new(clock);
        let tracer = Tracer::new(clock.clone(), observer, None);
        let pool = Pool::new(1, Duration::ZERO);
        Shared::new(clock, Queue::new(None, tracer), pool, Spin::new(true))
    }

    /// Another thread has sent a letter.
    fn wake_from_elsewhere(shared: &Shared) {
        let waker = TaskWaker::new(shared.home.clone());
        thread::spawn(move || waker.send()).join().unwrap();
    }

    #[test]
    fn a_wake_that_comes_after_the_turn_has_begun_is_a_step_and_leaves_nobody_idle() {
        let builder = Executor::builder().virtual_time();
        let executor = builder.closed_world(false).build();
        let lent = Rc::new(RefCell::new(None));
        let waits = executor.spawn(poll_fn({
            let lent = lent.clone();
            move |cx| {
                *lent.borrow_mut() = Some(cx.waker().clone());
                Poll::<()>::Pending
            }
        }));
        executor.step();
        let waker: Waker = lent.take().unwrap();
        thread::spawn(move || waker.wake()).join().unwrap();
        // The letter is there, and the flag that a turn looks at is not raised yet.
        assert!(executor.shared.home.take_mail());
        assert_eq!(executor.step(), Step::Polled(waits.id()));
    }

    #[test]
    fn nobody_spins_where_a_deadline_is_near() {
        let arm_in = |shared: &Shared, duration| {
            let deadline_ns = shared.clock.ns_after(duration).unwrap();
            let waiter = Waiter::Waker(ForeignWaker::clone_of(Waker::noop()));
            shared.arm(deadline_ns, waiter, TimerKind::Sleep);
        };
        let real = shared(Clock::real(), None);
        assert!(real.may_spin());
        arm_in(&real, Duration::from_secs(60));
        assert!(real.may_spin());
        arm_in(&real, real.spin.lasts());
        assert!(!real.may_spin());
        // Virtual time stands still meanwhile.
        let virtual_time = shared(Clock::virtual_time(), None);
        arm_in(&virtual_time, virtual_time.spin.lasts());
        assert!(virtual_time.may_spin());
    }

    #[test]
    fn an_observer_sees_every_wait_as_a_park() {
        let observed = shared(Clock::real(), Some(Box::new(|_: &Record| {})));
        assert!(!observed.may_spin());
    }

    #[test]
    fn after_a_wait_that_another_thread_has_ended_soon_the_next_one_spins() {
        let shared = shared(Clock::real(), None);
        let mut main = MainTask::start(&shared, "main", Location::caller());
        let mut wait_with_mail = || {
            wake_from_elsewhere(&shared);
            shared.wait(&mut main, 0, false);
            shared.take_inbox();
        };
        // The thread may lose its processor in the middle, and then the wait was long.
        let spins = (0..1000).any(|_| {
            wait_with_mail();
            shared.spin.finds_mail(&shared.home)
        });
        assert!(spins);
        // What was found is for the next turn to take.
        wake_from_elsewhere(&shared);
        shared.wait(&mut main, 0, false);
        assert!(!shared.inbox.is_empty());
    }
}
