//! How long a poll takes, or a drop, and between which of its `.await`s. Kept only for an observer, who is told of the
//! long ones.

use std::panic::Location;
use std::time::{Duration, Instant};

use crate::task::TaskId;

/// A poll that goes on, and where the most of its time has gone so far.
#[derive(Clone, Copy)]
pub(crate) struct TimedPoll {
    pub(crate) task: TaskId,
    pub(crate) began: Instant,
    /// The future is not polled but dropped.
    pub(crate) is_drop: bool,
    /// The `.await` at which the poll before had ended.
    went_on_at: Option<&'static Location<'static>>,
    /// The `.await` that it has come to last, and when. To begin with, the one at which it went on.
    last: (Option<&'static Location<'static>>, Instant),
    longest: Stretch,
}

/// A part of a poll, between two of the `.await`s that were told, or between one of them and its end.
#[derive(Clone, Copy)]
pub(crate) struct Stretch {
    pub(crate) took: Duration,
    pub(crate) after: Option<&'static Location<'static>>,
    pub(crate) until: Option<&'static Location<'static>>,
}

impl TimedPoll {
    pub(crate) fn begins(
        task: TaskId,
        began: Instant,
        is_drop: bool,
        at: Option<&'static Location<'static>>,
    ) -> Self {
        let last = (at, began);
        TimedPoll {
            task,
            began,
            is_drop,
            went_on_at: at,
            last,
            longest: Stretch {
                took: Duration::ZERO,
                after: at,
                until: None,
            },
        }
    }

    pub(super) fn comes_to(&mut self, at: Option<&'static Location<'static>>, now: Instant) {
        let (after, since) = self.last;
        let took = now - since;
        if took > self.longest.took {
            let until = at;
            self.longest = Stretch { took, after, until };
        }
        self.last = (at, now);
    }

    /// Where most of its time has gone, now that it is over: in one stretch; or else in all of it.
    pub(crate) fn longest(mut self, ended: Instant) -> Stretch {
        self.comes_to(None, ended);
        let took = ended - self.began;
        match !self.is_drop && self.longest.took * 2 > took {
            true => self.longest,
            false => Stretch {
                took,
                after: self.went_on_at,
                until: None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    #[test]
    fn most_of_the_time_went_by_in_one_stretch_or_in_all_of_it() {
        let ms = Duration::from_millis;
        let began = Instant::now();
        let [at, first, second] = [Location::caller(), Location::caller(), Location::caller()];
        let task = TaskId::new(1, NonZeroU32::MIN);
        for (first_ms, second_ms, ended_ms, took_ms, after, until) in [
            (60, 70, 110, 60, Some(at), Some(first)),
            (10, 80, 100, 70, Some(first), Some(second)),
            (10, 20, 100, 80, Some(second), None),
            // Where no stretch is more than half of it.
            (10, 70, 140, 140, Some(at), None),
            (50, 60, 100, 100, Some(at), None),
        ] {
            let mut poll = TimedPoll::begins(task, began, false, Some(at));
            poll.comes_to(Some(first), began + ms(first_ms));
            poll.comes_to(Some(second), began + ms(second_ms));
            let longest = poll.longest(began + ms(ended_ms));
            assert_eq!(longest.took, ms(took_ms));
            assert_eq!((longest.after, longest.until), (after, until));
            // A drop goes on nowhere and comes to no place.
            let mut drop = TimedPoll::begins(task, began, true, None);
            drop.comes_to(Some(first), began + ms(first_ms));
            let longest = drop.longest(began + ms(ended_ms));
            assert_eq!(longest.took, ms(ended_ms));
            assert_eq!((longest.after, longest.until), (None, None));
        }
    }
}
