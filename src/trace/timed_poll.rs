//! How long a poll takes, or a drop, and between which of its `.await`s. Kept only for an observer, who is told of the
//! long ones.

use std::panic::Location;
use std::time::{Duration, Instant};

use super::event::WaitsOn;
use crate::task::TaskId;

type At = &'static Location<'static>;

/// A poll that goes on, and where the most of its time has gone so far.
#[derive(Clone, Copy)]
pub(crate) struct TimedPoll {
    pub(crate) task: TaskId,
    pub(crate) began: Instant,
    /// The future is not polled but dropped.
    pub(crate) is_drop: bool,
    /// The `.await` at which it has gone on, if that is known.
    went_on_at: Option<At>,
    /// The same, until the poll has come to one at which it had not waited before.
    goes_on_at: Option<At>,
    /// What it has come to wait for last, and where.
    last: Option<(WaitsOn, At)>,
    /// When that was. To begin with, when the poll began.
    since: Instant,
    longest: Stretch,
}

/// A part of a poll, between two of the `.await`s that were told, or between one of them and its end.
#[derive(Clone, Copy)]
pub(crate) struct Stretch {
    pub(crate) took: Duration,
    pub(crate) after: Option<At>,
    pub(crate) until: Option<At>,
}

impl TimedPoll {
    pub(crate) fn begins(task: TaskId, began: Instant, is_drop: bool, at: Option<At>) -> Self {
        TimedPoll {
            task,
            began,
            is_drop,
            went_on_at: at,
            goes_on_at: at,
            last: None,
            since: began,
            longest: Stretch {
                took: Duration::ZERO,
                after: at,
                until: None,
            },
        }
    }

    /// The poll comes to wait, and `has_waited` if it did so at the same place before it began. `is_waiting` says
    /// whether it still waits for what it has come to before.
    pub(super) fn comes_to(
        &mut self,
        wait: (WaitsOn, At),
        has_waited: bool,
        is_waiting: impl Fn(WaitsOn) -> bool,
        now: Instant,
    ) {
        self.ends_stretch(Some(wait.1), is_waiting, now);
        self.last = Some(wait);
        self.since = now;
        if !has_waited {
            self.goes_on_at = None;
        }
    }

    /// A stretch ends. It began after `goes_on_at`, if that is known; or else after the last place, unless the poll
    /// still waits there: then another branch of a `join`, say, has run.
    fn ends_stretch(
        &mut self,
        until: Option<At>,
        is_waiting: impl Fn(WaitsOn) -> bool,
        now: Instant,
    ) {
        let took = now - self.since;
        if took > self.longest.took {
            let after = match self.last {
                Some((on, at)) if !is_waiting(on) => self.goes_on_at.or(Some(at)),
                _ => self.goes_on_at,
            };
            self.longest = Stretch { took, after, until };
        }
    }

    /// Where most of its time has gone, now that it is over: in one stretch; or else in all of it.
    pub(crate) fn longest(
        mut self,
        is_waiting: impl Fn(WaitsOn) -> bool,
        ended: Instant,
    ) -> Stretch {
        self.ends_stretch(None, is_waiting, ended);
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
        let [goes_on, gave_up]: [fn(WaitsOn) -> bool; 2] = [|_| true, |_| false];
        for (first_ms, second_ms, ended_ms, took_ms, after, until) in [
            (60, 70, 110, 60, Some(at), Some(first)),
            (10, 80, 100, 70, Some(first), Some(second)),
            (10, 20, 100, 80, Some(second), None),
            // Where no stretch is more than half of it.
            (10, 70, 140, 140, Some(at), None),
            (50, 60, 100, 100, Some(at), None),
        ] {
            let longest = |mut poll: TimedPoll, has_waited, is_waiting: fn(WaitsOn) -> bool| {
                let [first_at, second_at] = [first_ms, second_ms].map(|at_ms| began + ms(at_ms));
                poll.comes_to((WaitsOn::Turn, first), has_waited, is_waiting, first_at);
                poll.comes_to((WaitsOn::Never, second), true, is_waiting, second_at);
                poll.longest(is_waiting, began + ms(ended_ms))
            };
            let poll = TimedPoll::begins(task, began, false, Some(at));
            let given_up = longest(poll, false, gave_up);
            assert_eq!(given_up.took, ms(took_ms));
            assert_eq!((given_up.after, given_up.until), (after, until));
            // Another branch runs: the one that has gone on, or any.
            for is_waiting in [goes_on, gave_up] {
                let same_branch = longest(poll, true, is_waiting);
                assert_eq!((same_branch.after, same_branch.until), (Some(at), until));
            }
            let after_of_another = after.filter(|&after| after == at);
            let another = longest(poll, false, goes_on);
            assert_eq!((another.after, another.until), (after_of_another, until));
            // A drop goes on nowhere and comes to no place.
            let drop = TimedPoll::begins(task, began, true, None);
            let drop = longest(drop, false, gave_up);
            assert_eq!(drop.took, ms(ended_ms));
            assert_eq!((drop.after, drop.until), (None, None));
        }
    }
}
