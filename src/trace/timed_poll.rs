//! How long a poll takes, and between which of its `.await`s. Kept only for an observer, who is told of the long ones.

use std::panic::Location;
use std::time::{Duration, Instant};

use crate::task::TaskId;

/// A poll that goes on, and where the most of its time has gone so far.
#[derive(Clone, Copy)]
pub(crate) struct TimedPoll {
    pub(super) task: TaskId,
    pub(crate) began: Instant,
    /// The `.await` at which the poll before had ended.
    went_on_at: Option<&'static Location<'static>>,
    /// The `.await` that it has come to last, and when. To begin with, the one at which it went on.
    last: (Option<&'static Location<'static>>, Instant),
    longest: Stretch,
}

/// A part of a poll, between two of the `.await`s that were told.
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
        at: Option<&'static Location<'static>>,
    ) -> Self {
        let last = (at, began);
        TimedPoll {
            task,
            began,
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

    /// Where most of its time has gone, now that it is over: in one stretch; or else all over it.
    pub(crate) fn longest(mut self, ended: Instant) -> Stretch {
        let (until, _) = self.last;
        self.comes_to(None, ended);
        let took = ended - self.began;
        if self.longest.took * 2 > took {
            return self.longest;
        }
        let after = self.went_on_at;
        Stretch { took, after, until }
    }
}
