//! The short wait before a park, where another thread is likely to answer at once.
//!
//! A park is two calls of the operating system, one to sleep and one, by the other thread, to wake; and until the
//! sleeper runs, tens of microseconds may go by. If the answer comes within these, it is cheaper to wait awake. So
//! who was answered soon spins for a moment the next time, as an adaptive mutex does, and then parks.
//!
//! ```text
//!    parked, and answered soon ──▶ spins ──▶ answered meanwhile ──▶ spins the next time too
//!                 ▲                  │
//!                 │                  └─────▶ in vain, and so parks
//!                 │                                    │
//!                 └── twice as often as before this ───┘
//! ```

use std::cell::Cell;
use std::hint;
use std::time::{Duration, Instant};

use crate::inbox::{Home, ParkEnd};

/// How often a spin looks for an answer.
const LOOKS: u32 = 12;

/// So much time lies between two looks at the inbox's flag. Whoever looks takes its cache line from the
/// threads that raise it; and of letters that come one after the other, some gather.
const BETWEEN_LOOKS: Duration = Duration::from_micros(2);

/// So long a spin lasts. To sleep and to be woken takes about as much processor time, and longer until the thread
/// runs.
pub(crate) const SPIN: Duration = BETWEEN_LOOKS.saturating_mul(LOOKS);

/// The most that `needed` grows to. A thread that is never answered while it spins, because there is only one
/// processor, say, then spins once in so many short parks.
const MAX_NEEDED: u32 = 256;

/// Whether it is worth it to spin.
pub(crate) struct Spin {
    /// False if the user wants every wait to be a park.
    pub(crate) is_allowed: bool,
    /// Counts up at a park that another thread soon ends, and down to 0 at any other; 0 after a spin in vain.
    short_parks: Cell<u32>,
    /// How many it takes to spin.
    needed: Cell<u32>,
}

impl Spin {
    pub(crate) fn new(is_allowed: bool) -> Self {
        Spin {
            is_allowed,
            short_parks: Cell::new(0),
            needed: Cell::new(1),
        }
    }

    /// Spins, if that is worth it. True if another thread has sent a letter meanwhile.
    pub(crate) fn finds_mail(&self, home: &Home) -> bool {
        if !self.is_allowed || self.short_parks.get() < self.needed.get() {
            return false;
        }
        let found = (0..LOOKS).any(|_| {
            pause();
            home.has_mail()
        });
        let needed = self.needed.get();
        match found {
            true => self.needed.set(1.max(needed / 2)),
            false => {
                self.short_parks.set(0);
                self.needed.set(MAX_NEEDED.min(2 * needed));
            }
        }
        found
    }

    /// Notes how a wait ended that began at `since` and went on to a park.
    pub(crate) fn note_park(&self, home: &Home, since: Instant, ended: ParkEnd) {
        let is_answered = match ended {
            ParkEnd::Woken => true,
            ParkEnd::NotParked => home.has_mail(),
            ParkEnd::TimedOutOrSpurious => false,
        };
        // To be woken takes as long again as a spin.
        let was_short = is_answered && since.elapsed() < 2 * SPIN;
        let short_parks = self.short_parks.get();
        self.short_parks.set(match was_short {
            true => short_parks.saturating_add(1),
            false => short_parks.saturating_sub(1),
        });
    }
}

/// Lets the time between two looks go by; or a hundred pauses, should the clock stand still.
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
    use std::sync::Arc;
    use std::thread;

    use super::*;
    use crate::inbox::{Inbox, TaskWaker};

    #[test]
    fn it_lasts_as_long_as_the_docs_say() {
        assert_eq!(BETWEEN_LOOKS, Duration::from_micros(2));
        assert_eq!(SPIN, Duration::from_micros(24));
        assert!(include_str!("executor.rs").contains("24 us"));
    }

    fn home_with_mail() -> (Arc<Home>, Inbox) {
        let (home, inbox) = Home::new(None);
        let waker = TaskWaker::new(home.clone());
        thread::spawn(move || waker.send()).join().unwrap();
        (home, inbox)
    }

    #[test]
    fn an_answer_is_looked_for_after_a_short_park() {
        let (spin, (home, _inbox)) = (Spin::new(true), home_with_mail());
        assert!(!spin.finds_mail(&home));
        spin.needed.set(3);
        spin.short_parks.set(2);
        assert!(!spin.finds_mail(&home));
        spin.short_parks.set(3);
        for needed in [1, 1] {
            assert!(spin.finds_mail(&home));
            assert_eq!(spin.needed.get(), needed);
        }
        spin.short_parks.set(8);
        spin.needed.set(8);
        for needed in [4, 2, 1] {
            assert!(spin.finds_mail(&home));
            assert_eq!(spin.needed.get(), needed);
        }
        assert_eq!(spin.short_parks.get(), 8);
    }

    #[test]
    fn who_wants_none_never_spins() {
        let (spin, (home, _inbox)) = (Spin::new(false), home_with_mail());
        spin.short_parks.set(u32::MAX);
        assert!(!spin.finds_mail(&home));
    }

    #[test]
    fn after_each_spin_in_vain_twice_as_many_short_parks_are_needed() {
        let (spin, (home, _inbox)) = (Spin::new(true), Home::new(None));
        let mut needed = Vec::new();
        for _ in 0..10 {
            spin.short_parks.set(spin.needed.get());
            assert!(!spin.finds_mail(&home));
            assert_eq!(spin.short_parks.get(), 0);
            needed.push(spin.needed.get());
        }
        assert_eq!(needed, [2, 4, 8, 16, 32, 64, 128, 256, 256, 256]);
    }

    #[test]
    fn a_park_is_short_if_another_thread_has_ended_it_soon() {
        let (spin, (home, _inbox)) = (Spin::new(true), Home::new(None));
        // The thread may lose its processor in the middle, and then the wait was long.
        let counts = |home: &Home, ended| {
            (0..1000).any(|_| {
                let before = spin.short_parks.get();
                spin.note_park(home, Instant::now(), ended);
                spin.short_parks.get() == before + 1
            })
        };
        assert!(counts(&home, ParkEnd::Woken));
        spin.short_parks.set(2);
        for left in [1, 0, 0] {
            spin.note_park(&home, Instant::now() - 2 * SPIN, ParkEnd::Woken);
            assert_eq!(spin.short_parks.get(), left, "it was long");
        }
        assert!(!counts(&home, ParkEnd::TimedOutOrSpurious));
        assert!(!counts(&home, ParkEnd::NotParked), "for another reason");
        let (home, _inbox) = home_with_mail();
        assert!(counts(&home, ParkEnd::NotParked));
    }

    #[test]
    fn time_goes_by_between_two_looks() {
        let since = Instant::now();
        (0..1000).for_each(|_| pause());
        // 2 ms, but for a machine that goes through its hundred turns sooner.
        assert!(since.elapsed() >= Duration::from_micros(500));
    }
}
