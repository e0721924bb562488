//! What the executor does when nothing is ready: it moves virtual time on, or finds that nothing can
//! ever happen again, or parks the thread.
//!
//! ```text
//!    nothing is ready ──▶ virtual time, and a timer? ── yes ──▶ jump to its deadline
//!                                  │ no
//!                                  ▼
//!                         can anything happen? ── no ──▶ the verdict: Stalled
//!                                  │ yes
//!                                  ▼
//!                         does another thread answer soon, as it did last time? ── yes ──▶ go on
//!                                  │ no
//!                                  ▼
//!                         park until the next deadline, or until another thread wakes a task
//! ```

use std::thread;
use std::time::{Duration, Instant};

use crate::context::Shared;
use crate::inbox::ParkEnd;
use crate::main_task::MainTask;
use crate::stalled::{Stalled, Watched, verdict};
use crate::trace::{Cause, Event, UnparkCause};

/// For so long the thread waits for another one without a park, if that is likely to answer. To sleep and to be
/// woken takes the two some ten microseconds of processor time, and longer until the sleeper runs.
const SHORT_WAIT: Duration = Duration::from_micros(25);

/// So much time lies between two looks at the inbox's flag. Whoever looks takes its cache line from the
/// threads that raise it; and of letters that come one after the other, some gather.
const BETWEEN_LOOKS: Duration = Duration::from_micros(2);

impl Shared {
    /// Moves virtual time on; or finds that nothing can ever happen again; or parks.
    pub(crate) fn rest(&self, main: &mut MainTask<'_>, closed_world: bool) -> Option<Stalled> {
        // Counted before anything is decided. Counted at the park, a closure that ended in between
        // would end nobody's wait, although time may move now or the verdict is certain.
        let jobs = self.home.blocking_jobs();
        if self.advance_clock().is_some() {
            return None;
        }
        let stalled = verdict(self, main, closed_world);
        if stalled.is_none() {
            self.park(main, jobs, closed_world);
        }
        stalled
    }

    /// Virtual time jumps to the next deadline. It must not while a closure is out on a thread or
    /// a wake is on its way, for whatever comes of these comes before the deadline.
    pub(crate) fn advance_clock(&self) -> Option<Duration> {
        if !self.clock.is_virtual() || self.home.blocking_jobs() > 0 {
            return None;
        }
        if !self.inbox.is_empty() {
            return None;
        }
        let to_ns = self.wheel.borrow().next_wake()?;
        let from_ns = self.clock.now_ns();
        if to_ns <= from_ns {
            return Some(Duration::ZERO);
        }
        self.clock.advance_to(to_ns);
        let (from, to) = (Duration::from_nanos(from_ns), Duration::from_nanos(to_ns));
        self.tracer()
            .emit(move || Event::ClockAdvanced { from, to });
        Some(to - from)
    }

    /// Gives the thread back to the operating system until the next deadline, or until another
    /// thread sends a wake, or until fewer closures than `jobs` are out. Where there is no deadline,
    /// also until the last of a waker is dropped that was held elsewhere.
    fn park(&self, main: &mut MainTask<'_>, jobs: usize, closed_world: bool) {
        let next_wake = || self.wheel.borrow().next_wake();
        let next_wake_ns = next_wake();
        let deadline_ns = next_wake_ns.filter(|_| !self.clock.is_virtual());
        let timeout = deadline_ns.map(|deadline_ns| {
            Duration::from_nanos(deadline_ns.saturating_sub(self.clock.now_ns()))
        });
        let waits_since = Instant::now();
        if timeout == Some(Duration::ZERO) || self.mail_comes_soon(waits_since, timeout) {
            return;
        }
        self.tracer().emit(move || Event::Parked {
            until: deadline_ns.map(Duration::from_nanos),
        });
        let only_wakers_help = timeout.is_none() && !closed_world;
        let watched = match only_wakers_help {
            true => Watched::one(self, main),
            false => None,
        };
        // The last waker that somebody held, which kept the verdict from falling, may be gone by now.
        let nobody_is_left = only_wakers_help && watched.is_none() && jobs == 0;
        // An observer that was told of the park may have woken a task or armed an earlier timer.
        let is_earlier = |ns| next_wake_ns.is_none_or(|before_ns| ns < before_ns);
        let meddled = || self.queue.len() > 0 || next_wake().is_some_and(is_earlier);
        let is_gone = || watched.as_ref().is_some_and(Watched::is_gone);
        let ended = self.inbox.park(&self.home, timeout, || {
            self.home.blocking_jobs() != jobs || nobody_is_left || is_gone() || meddled()
        });
        // To be woken takes about as long as a short wait.
        let was_short = waits_since.elapsed() < 2 * SHORT_WAIT;
        self.answers_come_soon
            .set(was_short && ended != ParkEnd::TimedOutOrSpurious);
        if let Some(watched) = watched {
            watched.end(self, main);
        }
        let meddled = meddled();
        if ended == ParkEnd::NotParked {
            // The letter may be there before the mark that there is mail.
            self.take_inbox();
        }
        self.tracer().emit(move || Event::Unparked {
            by: match ended {
                ParkEnd::NotParked if meddled || nobody_is_left => UnparkCause::Spurious,
                ParkEnd::NotParked | ParkEnd::Woken => UnparkCause::OtherThread,
                ParkEnd::TimedOutOrSpurious => match deadline_ns {
                    Some(deadline_ns) if self.clock.now_ns() >= deadline_ns => {
                        UnparkCause::Deadline
                    }
                    _ => UnparkCause::Spurious,
                },
            },
        });
    }

    /// True if another thread has answered while this one waited for a moment without parking. It waits so
    /// only if the last wait was ended soon by another thread; never past the deadline; and never where
    /// somebody observes, who is to see every park.
    fn mail_comes_soon(&self, waits_since: Instant, timeout: Option<Duration>) -> bool {
        let has_time = timeout.is_none_or(|timeout| timeout > SHORT_WAIT);
        if !self.answers_come_soon.get() || !has_time || self.tracer().has_observer() {
            return false;
        }
        let mut next_look = BETWEEN_LOOKS;
        loop {
            // The thread that is to answer may be waiting for a processor.
            thread::yield_now();
            let waited = waits_since.elapsed();
            if waited < next_look {
                continue;
            }
            if self.home.has_mail() {
                return true;
            }
            if waited > SHORT_WAIT {
                return false;
            }
            next_look = waited + BETWEEN_LOOKS;
        }
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
    use std::panic::Location;
    use std::rc::Rc;

    use super::*;
    use crate::clock::Clock;
    use crate::inbox::TaskWaker;
    use crate::pool::Pool;
    use crate::queue::Queue;
    use crate::trace::{Observer, Record, Tracer};
    use crate::waiter::Waiter;

    fn shared(observer: Option<Box<dyn Observer>>) -> Rc<Shared> {
        let clock = Rc::new(Clock::real());
        let tracer = Tracer::new(clock.clone(), observer, None);
        let pool = Pool::new(1, Duration::ZERO);
        Shared::new(clock, Queue::new(None, tracer), pool)
    }

    /// Another thread sends a letter, now.
    fn wake_from_elsewhere(shared: &Shared) {
        let waker = TaskWaker::new(shared.home.clone());
        thread::spawn(move || waker.send()).join().unwrap();
    }

    #[test]
    fn an_answer_is_waited_for_without_a_park_only_if_the_last_came_soon() {
        let shared = shared(None);
        let comes_soon = |timeout| shared.mail_comes_soon(Instant::now(), timeout);
        wake_from_elsewhere(&shared);
        assert!(!comes_soon(None));
        shared.answers_come_soon.set(true);
        assert!(!comes_soon(Some(SHORT_WAIT)), "no time for it");
        assert!(comes_soon(Some(SHORT_WAIT * 2)));
        assert!(comes_soon(None));
    }

    #[test]
    fn an_answer_that_does_not_come_is_not_waited_for_long() {
        let shared = shared(None);
        shared.answers_come_soon.set(true);
        let began = Instant::now();
        assert!(!shared.mail_comes_soon(began, None));
        assert!(began.elapsed() > SHORT_WAIT);
    }

    #[test]
    fn an_observer_sees_every_park() {
        let shared = shared(Some(Box::new(|_: &Record| {})));
        shared.answers_come_soon.set(true);
        wake_from_elsewhere(&shared);
        assert!(!shared.mail_comes_soon(Instant::now(), None));
    }

    #[test]
    fn a_park_tells_whether_answers_come_soon() {
        let shared = shared(None);
        let mut main = MainTask::start(&shared, "main", Location::caller());
        // The thread may lose its processor in the middle, and then the wait was long.
        let was_short = (0..1000).any(|_| {
            wake_from_elsewhere(&shared);
            shared.park(&mut main, 0, false);
            shared.answers_come_soon.get()
        });
        assert!(was_short);
        // This one nobody has answered, however short it was.
        shared.answers_come_soon.set(false);
        let in_a_minute_ns = shared.clock.now_ns() + 60_000_000_000;
        shared.arm(in_a_minute_ns, Waiter::Task(main.id));
        thread::current().unpark();
        shared.park(&mut main, 0, false);
        assert!(!shared.answers_come_soon.get());
    }
}
