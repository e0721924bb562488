//! How long a poll takes, and between which of its `.await`s. Kept only for an observer, who is told of the long ones.

use std::panic::Location;
use std::time::{Duration, Instant};

use crate::task::TaskId;

/// A poll that goes on, and where the most of its time has gone so far.
#[derive(Clone, Copy)]
pub(crate) struct TimedPoll {
    pub(super) task: TaskId,
    pub(crate) began: Instant,
    /// The `.await` that it has come to last, and when. To begin with, the one at which it went on.
    last: (Option<&'static Location<'static>>, Instant),
    longest: Stretch,
}

/// A part of a poll, between two of the `.await`s that were told.
#[derive(Clone, Copy)]
pub(crate) struct Stretch {
    took: Duration,
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

    /// Where the most of its time has gone, now that it is over.
    pub(crate) fn longest(mut self, ended: Instant) -> Stretch {
        self.comes_to(None, ended);
        self.longest
    }
}
