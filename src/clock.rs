//! The clock: real time, or a virtual time that jumps.
//!
//! Inside the executor an instant is a `u64`: nanoseconds since the clock was made. Nothing is
//! rounded, and 584 years fit. Whoever uses the crate sees only `Instant` and `Duration`.

use std::cell::Cell;
use std::time::{Duration, Instant};

pub(crate) struct Clock {
    start: Instant,
    /// Nanoseconds of virtual time since `start`; `None` on a real clock.
    virtual_ns: Option<Cell<u64>>,
}

impl Clock {
    pub(crate) fn real() -> Self {
        Clock {
            start: Instant::now(),
            virtual_ns: None,
        }
    }

    pub(crate) fn virtual_time() -> Self {
        Clock {
            start: Instant::now(),
            virtual_ns: Some(Cell::new(0)),
        }
    }

    /// A real clock on which no time ever goes by.
    #[cfg(test)]
    pub(crate) fn that_stands_still() -> Self {
        Clock {
            start: Instant::now() + Duration::from_secs(1 << 32),
            virtual_ns: None,
        }
    }

    pub(crate) fn is_virtual(&self) -> bool {
        self.virtual_ns.is_some()
    }

    pub(crate) fn now_ns(&self) -> u64 {
        match &self.virtual_ns {
            Some(now_ns) => now_ns.get(),
            None => saturating_ns(self.start.elapsed()),
        }
    }

    /// The time for an event, which is not converted to nanoseconds and back.
    pub(crate) fn elapsed(&self) -> Duration {
        match &self.virtual_ns {
            Some(now_ns) => Duration::from_nanos(now_ns.get()),
            None => self.start.elapsed(),
        }
    }

    /// [`elapsed`](Clock::elapsed) at the moment when the operating system's clock gave `read`; without a reading, and
    /// in virtual time, now.
    pub(crate) fn elapsed_at(&self, read: Option<Instant>) -> Duration {
        match (&self.virtual_ns, read) {
            (None, Some(read)) => read - self.start,
            _ => self.elapsed(),
        }
    }

    pub(crate) fn now(&self) -> Instant {
        match &self.virtual_ns {
            Some(now_ns) => self.start + Duration::from_nanos(now_ns.get()),
            // Never before the start: `elapsed` takes such a reading for the start, too.
            None => Instant::now().max(self.start),
        }
    }

    /// When `duration` will have gone by. Later than a `u64` can say is never: `None`.
    pub(crate) fn ns_after(&self, duration: Duration) -> Option<u64> {
        let duration_ns = u64::try_from(duration.as_nanos()).ok()?;
        self.now_ns().checked_add(duration_ns)
    }

    /// When `instant` is, in nanoseconds since the start. What lies before the start is at 0. Later
    /// than a `u64` can say is never: `None`.
    pub(crate) fn ns_of(&self, instant: Instant) -> Option<u64> {
        u64::try_from(instant.saturating_duration_since(self.start).as_nanos()).ok()
    }

    pub(crate) fn instant_of(&self, ns: u64) -> Option<Instant> {
        self.start.checked_add(Duration::from_nanos(ns))
    }

    /// Jumps to `ns`. Only virtual time can be moved, and only forward.
    pub(crate) fn advance_to(&self, ns: u64) {
        let now_ns = self.virtual_ns.as_ref().expect("a virtual clock");
        debug_assert!(ns >= now_ns.get(), "time moves forward");
        now_ns.set(ns);
    }
}

fn saturating_ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn virtual_time_moves_only_when_told() {
        let clock = Clock::virtual_time();
        let before = clock.now();
        std::thread::sleep(Duration::from_millis(2));
        assert_eq!(clock.now(), before);
        clock.advance_to(5);
        assert_eq!(clock.now(), before + Duration::from_nanos(5));
        assert_eq!(clock.now_ns(), 5);
    }

    #[test]
    fn real_time_never_runs_ahead_of_the_operating_system() {
        let clock = Clock::real();
        let ns = clock.now_ns();
        assert!(clock.instant_of(ns).unwrap() <= Instant::now());
    }

    #[test]
    fn nanoseconds_and_instants_agree_and_never_is_none() {
        let clock = Clock::virtual_time();
        for ns in [0, 1, 999_999_999, 1 << 40, u64::MAX] {
            assert_eq!(clock.ns_of(clock.instant_of(ns).unwrap()), Some(ns));
        }
        let start = clock.instant_of(0).unwrap();
        assert_eq!(clock.ns_of(start - Duration::from_secs(1)), Some(0));
        let too_far = clock.instant_of(u64::MAX).unwrap() + Duration::from_nanos(1);
        assert_eq!(clock.ns_of(too_far), None);
    }

    #[test]
    fn a_clock_that_was_read_is_not_read_again() {
        let clock = Clock::real();
        let read = Some(clock.start + Duration::from_nanos(5));
        assert_eq!(clock.elapsed_at(read), Duration::from_nanos(5));
        let clock = Clock::virtual_time();
        clock.advance_to(7);
        assert_eq!(clock.elapsed_at(read), Duration::from_nanos(7));
    }
}
