//! The short wait before a park, where another thread is likely to answer at once.
//!
//! A park is two calls of the operating system, one to sleep and one, by the other thread, to wake; and until the
//! sleeper runs, some microseconds go by, or tens of them: it depends on the machine, and on whether its processor sleeps
//! by then, too. If the answer comes within that time, it is cheaper to wait awake. So who was answered soon spins for a
//! moment the next time, as an adaptive mutex does, and then parks. How long that moment is comes from how long the
//! wakes took that ended its parks.
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

/// So much time lies between two looks at the inbox's flag. Whoever looks takes its cache line from the
/// threads that raise it; and of letters that come one after the other, some gather.
const BETWEEN_LOOKS: Duration = Duration::from_micros(2);

/// A spin lasts as long as so many wakes. The answer of a thread that is parked itself takes one and a little more. And
/// to wait longer would cost more processor time than it is worth: a park takes about as much as a wake.
const WAKES: u32 = 2;

/// The longest that a wake is taken to take; and what it is taken to take until the first was measured.
const MAX_WAKE: Duration = Duration::from_micros(12);

/// After so many spins that were answered, a wait is a park all the same, so that a wake is measured again.
const MAX_ANSWERED: u32 = 256;

/// The most that `needed` grows to. A thread that is never answered while it spins, because there is only one
/// processor, say, then spins once in so many short parks.
const MAX_NEEDED: u32 = 256;

/// Whether it is worth it to spin.
pub(crate) struct Spin {
    /// False if the user wants every wait to be a park.
    pub(crate) is_allowed: bool,
    /// Counts up at a park that another thread ends as soon as a spin, and down to 0 at any other; 0 after a spin in
    /// vain.
    short_parks: Cell<u32>,
    /// How many it takes to spin.
    needed: Cell<u32>,
    /// How many spins were answered since a park was last made for its own sake.
    answered: Cell<u32>,
    /// How long it took of late until the thread ran that was unparked.
    wake: Cell<Option<Duration>>,
}

impl Spin {
    pub(crate) fn new(is_allowed: bool) -> Self {
        Spin {
            is_allowed,
            short_parks: Cell::new(0),
            needed: Cell::new(1),
            answered: Cell::new(0),
            wake: Cell::new(None),
        }
    }

    /// How long a spin lasts.
    pub(crate) fn lasts(&self) -> Duration {
        WAKES * self.wake.get().unwrap_or(MAX_WAKE)
    }

    /// Spins, if that is worth it. True if another thread has sent a letter meanwhile.
    pub(crate) fn finds_mail(&self, home: &Home) -> bool {
        if !self.is_allowed || self.short_parks.get() < self.needed.get() {
            return false;
        }
        if self.answered.get() == MAX_ANSWERED {
            self.answered.set(0);
            return false;
        }
        let looks = self.lasts().as_nanos().div_ceil(BETWEEN_LOOKS.as_nanos());
        let found = (0..looks).any(|_| {
            pause();
            home.has_mail()
        });
        let needed = self.needed.get();
        match found {
            true => {
                self.answered.set(self.answered.get() + 1);
                self.needed.set(1.max(needed / 2));
            }
            false => {
                self.short_parks.set(0);
                self.needed.set(MAX_NEEDED.min(2 * needed));
            }
        }
        found
    }

    /// Notes how a wait ended that began at `since` and went on to a park.
    pub(crate) fn note_park(&self, home: &Home, since: Instant, ended: ParkEnd) {
        let was_short = match ended {
            ParkEnd::Woken => {
                let unparked_at = home.unparked_at();
                self.note_wake(unparked_at.elapsed());
                unparked_at.saturating_duration_since(since) < self.lasts()
            }
            ParkEnd::NotParked => home.has_mail(),
            ParkEnd::TimedOutOrSpurious => false,
        };
        let short_parks = self.short_parks.get();
        self.short_parks.set(match was_short {
            true => short_parks.saturating_add(1),
            false => short_parks.saturating_sub(1),
        });
    }

    /// Notes how long a wake took. The first counts whole, and each other an eighth.
    fn note_wake(&self, took: Duration) {
        let took = took.min(MAX_WAKE);
        let wake = self.wake.get().map_or(took, |wake| (7 * wake + took) / 8);
        self.wake.set(Some(wake));
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
        let (spin, us) = (Spin::new(true), Duration::from_micros);
        assert_eq!((BETWEEN_LOOKS, spin.lasts()), (us(2), us(24)));
        assert!(include_str!("executor.rs").contains("24 us"));
        let lasts = |wake| {
            spin.note_wake(wake);
            spin.lasts()
        };
        assert_eq!(lasts(us(4)), us(8), "the first counts whole");
        assert_eq!([lasts(us(4)), lasts(us(12))], [us(8), us(10)]);
        assert_eq!(
            lasts(us(5000)),
            Duration::from_nanos(11_750),
            "no more than 12"
        );
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
    fn who_is_answered_again_and_again_parks_now_and_then() {
        let (spin, (home, _inbox)) = (Spin::new(true), home_with_mail());
        spin.short_parks.set(1);
        let found: Vec<bool> = (0..2 * 257).map(|_| spin.finds_mail(&home)).collect();
        let parks: Vec<usize> = (0..found.len()).filter(|&wait| !found[wait]).collect();
        assert_eq!(parks, [256, 513]);
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
    fn a_park_is_short_if_a_spin_would_have_been_answered() {
        let (spin, long_ago) = (Spin::new(true), Instant::now() - 3 * MAX_WAKE);
        spin.note_wake(MAX_WAKE);
        // Nobody has unparked this thread yet, which stands for an unpark just now.
        let (home, _inbox) = Home::new(None);
        let counts = |home: &Home, ended| {
            let before = spin.short_parks.get();
            spin.note_park(home, Instant::now(), ended);
            spin.short_parks.get() == before + 1
        };
        assert!(counts(&home, ParkEnd::Woken));
        spin.short_parks.set(2);
        for left in [1, 0, 0] {
            spin.note_park(&home, long_ago, ParkEnd::Woken);
            assert_eq!(spin.short_parks.get(), left, "it was long");
        }
        assert!(!counts(&home, ParkEnd::TimedOutOrSpurious));
        assert!(!counts(&home, ParkEnd::NotParked), "for another reason");
        let (home, _inbox) = home_with_mail();
        assert!(counts(&home, ParkEnd::NotParked));
    }

    #[test]
    fn a_wake_is_measured_from_the_unpark_on() {
        let (spin, (home, inbox)) = (Spin::new(true), Home::new(None));
        let waker = TaskWaker::new(home.clone());
        thread::sleep(Duration::from_millis(1));
        // If this thread loses its processor, the letter is there before the park.
        let is_woken = || {
            let since = Instant::now();
            let waker = waker.clone();
            let sends = thread::spawn(move || waker.send());
            let ended = inbox.park(&home, None, || false);
            sends.join().unwrap();
            inbox.receive();
            let is_woken = ended == ParkEnd::Woken;
            let meanwhile = since..=Instant::now();
            assert!(!is_woken || meanwhile.contains(&home.unparked_at()));
            spin.note_park(&home, since, ended);
            is_woken
        };
        assert!((0..1000).any(|_| is_woken()));
        assert!(spin.wake.get().is_some());
    }

    #[test]
    fn time_goes_by_between_two_looks() {
        let since = Instant::now();
        (0..1000).for_each(|_| pause());
        // 2 ms, but for a machine that goes through its hundred turns sooner.
        assert!(since.elapsed() >= Duration::from_micros(500));
    }
}
