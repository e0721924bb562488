//! Why a task is woken and what it waits for, in words: for the sentences, and for the views that show what is so
//! between them.

use std::collections::HashSet;
use std::time::Duration;

use super::{Fired, Narrator, lateness};
use crate::trace::{Cause, TaskKind, TaskState, TimerId, TimerKind, Wait, WaitsOn, named};

impl Narrator<'_> {
    /// Why a task is woken, from its own point of view.
    pub(crate) fn why(&self, cause: Cause) -> String {
        match cause {
            Cause::Timer(timer) => match self.fired(timer) {
                Some(fired) => {
                    let came = match fired.kind {
                        TimerKind::Sleep | TimerKind::Interval => "fired",
                        TimerKind::Timeout => "was reached",
                    };
                    let deadline = self.deadline(fired.kind, fired.deadline);
                    format!("{deadline} {came}{}", lateness(fired.late))
                }
                None => format!("its {timer} fired"),
            },
            Cause::Task(task) => format!("{} woke it", self.name(task)),
            Cause::Joined(task) => format!("{}, which it awaits, has ended", self.name(task)),
            other => other.to_string(),
        }
    }

    /// What a task waits for, in words that fit after "waits for".
    pub(crate) fn waited_for(&self, on: WaitsOn) -> String {
        match on {
            WaitsOn::Timer(id) => {
                let armed = self
                    .state
                    .timer(id)
                    .map(|timer| (timer.kind, timer.deadline));
                let timer = armed.or(self.fired(id).map(|fired| (fired.kind, fired.deadline)));
                timer.map_or(id.to_string(), |(kind, deadline)| {
                    self.deadline(kind, deadline)
                })
            }
            WaitsOn::Task(task) => format!("{} to end", self.name(task)),
            other => other.to_string(),
        }
    }

    /// What a task does that waits, in words that fit after "waits".
    pub(crate) fn waiting(&self, task: &TaskState) -> String {
        // After its first poll that is so before it is told.
        let is_at_once =
            task.polls == 1 && task.wakers == Some(0) && task.kind != TaskKind::Blocking;
        let is_forgotten = is_at_once || self.forgotten.contains(&task.id);
        match is_forgotten && self.waits_on(task).is_empty() {
            true => ", and nobody has its waker".to_owned(),
            false => format!(" for {}", self.waits(task)),
        }
    }

    /// All that a task waits for after its last poll, in words that fit after "waits for".
    ///
    /// Some of a join's futures may not have been polled again: so a join of many says how many
    /// there are.
    pub(crate) fn waits(&self, task: &TaskState) -> String {
        match self.waits_on(task).as_slice() {
            [] if task.kind == TaskKind::Blocking => self.waited_for(WaitsOn::Blocking),
            [.., last @ WaitsOn::Children(_)] => self.waited_for(*last),
            waits => {
                // What has a time limit is waited for, too.
                let is_untold = waits.iter().all(|&on| self.is_limit(on));
                // Where nobody outside has its waker, it has left its id with a timer or a task in an earlier poll.
                let untold = match task.wakers {
                    Some(0) if waits.is_empty() => "what it has waited for before",
                    _ => "a future that is not watchglass's",
                };
                let untold = is_untold.then(|| untold.to_owned());
                let (told, others) = named(waits);
                let waits = told.iter().map(|&on| self.waited_for(on));
                let others = (others > 0).then(|| format!("{others} more"));
                let waits = untold.into_iter().chain(waits).chain(others);
                waits.collect::<Vec<String>>().join(" and ")
            }
        }
    }

    /// True for the time limit of a timeout.
    pub(crate) fn is_limit(&self, on: WaitsOn) -> bool {
        let WaitsOn::Timer(timer) = on else {
            return false;
        };
        let armed = self.state.timer(timer).map(|timer| timer.kind);
        let kind = armed.or(self.fired(timer).map(|fired| fired.kind));
        kind == Some(TimerKind::Timeout)
    }

    /// The last of these, with its place.
    pub(crate) fn last_wait<'t>(&self, task: &'t TaskState) -> Option<&'t Wait> {
        task.waits.iter().rev().find(|wait| self.goes_on(wait.on))
    }

    /// What a task waits for after its last poll, as far as it is watchglass's: each once, also if it was polled
    /// again and again. (Which set it was nobody knows but by its place. And a join is told by the number of its
    /// futures, which two may have in common.)
    pub(crate) fn waits_on(&self, task: &TaskState) -> Vec<WaitsOn> {
        let mut told = HashSet::new();
        let is_new = |wait: &&Wait| match wait.on {
            WaitsOn::Children(_) => true,
            // Who waits for one timer or one task at two places waits for it once.
            on @ (WaitsOn::Timer(_) | WaitsOn::Task(_)) => told.insert((on, None)),
            on => told.insert((on, Some(wait.at))),
        };
        let waits = task.waits.iter().filter(|wait| self.goes_on(wait.on));
        waits.filter(is_new).map(|wait| wait.on).collect()
    }

    /// False for a wait that was given up in the same poll: that of a timeout that was up, say.
    pub(super) fn goes_on(&self, on: WaitsOn) -> bool {
        match on {
            on if self.ended == Some(on) => true,
            WaitsOn::Timer(timer) => self.state.timer(timer).is_some(),
            WaitsOn::Task(task) => {
                let task = self.state.task(task);
                task.is_some_and(|task| !task.stage.is_end())
            }
            _ => true,
        }
    }

    fn fired(&self, timer: TimerId) -> Option<Fired> {
        let fired = self.fired.get(&timer.index).copied();
        fired.filter(|fired| fired.timer == timer)
    }

    /// What a timer is for, and when.
    fn deadline(&self, kind: TimerKind, deadline: Duration) -> String {
        let deadline = self.time(deadline);
        match kind {
            TimerKind::Sleep => format!("its timer for {deadline}"),
            TimerKind::Timeout => format!("its time limit at {deadline}"),
            TimerKind::Interval => format!("its timer for the tick at {deadline}"),
        }
    }
}
