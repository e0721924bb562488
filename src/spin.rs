//! The short wait before a park, where another thread is likely to answer at once.
//!
//! A park is two calls of the operating system, one to sleep and one, by the other thread, to wake; and until the
//! sleeper runs, tens of microseconds may go by. If the answer comes within these, it is cheaper to wait awake. So
//! who was answered soon spins for a moment the next time, as an adaptive mutex does, and then parks.

use std::hint;
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

use crate::context::Shared;
use crate::inbox::ParkEnd;

/// How often the executor looks for an answer before it parks, if another thread is likely to give one.
const LOOKS: u32 = 12;

/// So much time lies between two looks at the inbox's flag. Whoever looks takes its cache line from the
/// threads that raise it; and of letters that come one after the other, some gather.
const BETWEEN_LOOKS: Duration = Duration::from_micros(2);

/// So long the executor waits without a park. To sleep and to be woken takes about as much processor time, and
/// longer until the thread runs.
const SHORT_WAIT: Duration = BETWEEN_LOOKS.saturating_mul(LOOKS);

/// On one processor, whoever does not sleep keeps the other thread from answering.
static HAS_PROCESSORS: LazyLock<bool> =
    LazyLock::new(|| thread::available_parallelism().is_ok_and(|count| count.get() > 1));

impl Shared {
    /// True if another thread has answered while this one looked for it, for a short time, and did not park. It
    /// does so only if another thread has answered soon after the last wait began; never where a deadline is
    /// near; and never where somebody observes, who is to see every park.
    pub(crate) fn mail_comes_soon(&self) -> bool {
        self.answers_come_soon.get()
            && *HAS_PROCESSORS
            && !self.tracer().has_observer()
            && !self.has_deadline_within(SHORT_WAIT)
            && (0..LOOKS).any(|_| {
                pause();
                self.home.has_mail()
            })
    }

    fn has_deadline_within(&self, duration: Duration) -> bool {
        let next_wake_ns = self.wheel.borrow().next_wake();
        !self.clock.is_virtual()
            && next_wake_ns
                .is_some_and(|ns| self.clock.ns_after(duration).is_none_or(|end| ns <= end))
    }

    /// Notes how a wait has ended in a park, and so whether the next is likely to be short.
    pub(crate) fn note_wait(&self, since: Instant, ended: ParkEnd) {
        let has_answered = match ended {
            ParkEnd::Woken => true,
            ParkEnd::NotParked => self.home.has_mail(),
            ParkEnd::TimedOutOrSpurious => false,
        };
        // To be woken takes as long again.
        let was_short = since.elapsed() < 2 * SHORT_WAIT;
        self.answers_come_soon.set(has_answered && was_short);
    }
}

/// Lets the time between two looks go by; or, where the clock stands still, a hundred turns.
fn pause() {
    let since = Instant::now();
    for _ in 0..100 {
        hint::spin_loop();
        if since.elapsed() >= BETWEEN_LOOKS {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;
    use std::task::Waker;

    use super::*;
    use crate::clock::Clock;
    use crate::inbox::TaskWaker;
    use crate::pool::Pool;
    use crate::queue::Queue;
    use crate::trace::{Observer, Record, Tracer};
    use crate::waiter::{ForeignWaker, Waiter};
    use crate::wheel::Key;

    fn shared(clock: Clock, observer: Option<Box<dyn Observer>>) -> Rc<Shared> {
        let clock = Rc::new(clock);
        let tracer = Tracer::new(clock.clone(), observer, None);
        let pool = Pool::new(1, Duration::ZERO);
        Shared::new(clock, Queue::new(None, tracer), pool)
    }

    /// Another thread has sent a letter.
    fn wake_from_elsewhere(shared: &Shared) {
        let waker = TaskWaker::new(shared.home.clone());
        thread::spawn(move || waker.send()).join().unwrap();
    }

    fn arm_in(shared: &Shared, duration: Duration) -> Key {
        let deadline_ns = shared.clock.ns_after(duration).unwrap();
        shared.arm(
            deadline_ns,
            Waiter::Waker(ForeignWaker::clone_of(Waker::noop())),
        )
    }

    #[test]
    fn an_answer_is_looked_for_without_a_park_only_if_the_last_came_soon() {
        let shared = shared(Clock::real(), None);
        wake_from_elsewhere(&shared);
        assert!(!shared.mail_comes_soon());
        shared.answers_come_soon.set(true);
        assert_eq!(shared.mail_comes_soon(), *HAS_PROCESSORS);
        let soon = arm_in(&shared, Duration::ZERO);
        assert!(!shared.mail_comes_soon(), "a deadline is near");
        shared.cancel_timer(soon);
        arm_in(&shared, Duration::from_secs(60));
        assert_eq!(shared.mail_comes_soon(), *HAS_PROCESSORS);
    }

    #[test]
    fn no_deadline_comes_while_virtual_time_stands_still() {
        let shared = shared(Clock::virtual_time(), None);
        arm_in(&shared, Duration::ZERO);
        wake_from_elsewhere(&shared);
        shared.answers_come_soon.set(true);
        assert_eq!(shared.mail_comes_soon(), *HAS_PROCESSORS);
    }

    #[test]
    fn an_answer_that_does_not_come_is_not_looked_for_long() {
        let shared = shared(Clock::real(), None);
        shared.answers_come_soon.set(true);
        assert!(!shared.mail_comes_soon());
    }

    #[test]
    fn an_observer_sees_every_park() {
        let shared = shared(Clock::real(), Some(Box::new(|_: &Record| {})));
        shared.answers_come_soon.set(true);
        wake_from_elsewhere(&shared);
        assert!(!shared.mail_comes_soon());
    }

    #[test]
    fn answers_come_soon_if_another_thread_has_ended_a_short_wait() {
        let shared = shared(Clock::real(), None);
        let soon = |ended| {
            shared.note_wait(Instant::now(), ended);
            shared.answers_come_soon.get()
        };
        // The thread may lose its processor in the middle, and then the wait was long.
        let is_noted = |ended| (0..1000).any(|_| soon(ended));
        assert!(is_noted(ParkEnd::Woken));
        shared.note_wait(Instant::now() - 2 * SHORT_WAIT, ParkEnd::Woken);
        assert!(!shared.answers_come_soon.get(), "it was long");
        assert!(!is_noted(ParkEnd::TimedOutOrSpurious));
        assert!(!is_noted(ParkEnd::NotParked), "for another reason");
        wake_from_elsewhere(&shared);
        assert!(is_noted(ParkEnd::NotParked));
    }
}
