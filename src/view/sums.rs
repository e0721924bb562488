//! What a whole run comes to: how many polls and wakes, and how much waiting in how much time.

use std::collections::HashMap;
use std::fmt;
use std::mem;
use std::time::Duration;

use super::findings::is_useless_wake;
use super::names::{Names, Span};
use crate::task::TaskId;
use crate::trace::{Cause, Event, Record, TimerId, TimerKind};

#[derive(Default)]
pub(crate) struct Sums {
    tasks: usize,
    /// Those that were dropped before their end.
    dropped: usize,
    polls: usize,
    wakes: usize,
    /// Wakes of tasks that were in the queue already, or had ended.
    useless_wakes: usize,
    timers: usize,
    timers_cancelled: usize,
    closures: usize,
    /// Those whose task was dropped before they had come back.
    closures_given_up: usize,
    asleep: HashMap<TimerId, SleepSoFar>,
    /// When each closure was handed to the pool.
    out: HashMap<TaskId, Duration>,
    /// From when until when each sleep went on, as far as the log goes, and each closure that came to its end. A time
    /// limit is no sleep, and neither is the time after a deadline.
    waits: Vec<(Duration, Duration)>,
    /// Whether a sleep was dropped before its end.
    any_sleep_given_up: bool,
    first: Option<Duration>,
    last: Duration,
    longest_poll: Option<(TaskId, Duration, Duration)>,
    /// Whose poll goes on, or whose drop after an abort, and since when.
    polling: Option<(TaskId, Duration)>,
}

/// A sleep that goes on.
struct SleepSoFar {
    /// When it went on until it was reset.
    before: Vec<(Duration, Duration)>,
    /// Since when it has had this deadline.
    since: Duration,
    deadline: Duration,
}

impl SleepSoFar {
    /// After its deadline nobody sleeps.
    fn until(&self, now: Duration) -> (Duration, Duration) {
        (self.since, self.deadline.min(now).max(self.since))
    }
}

impl Sums {
    pub(crate) fn of(records: &[Record]) -> Self {
        let mut sums = Sums::default();
        records.iter().for_each(|record| sums.add(record));
        // A poll may go on where the log ends.
        if let Some((task, since)) = sums.polling {
            let now = sums.last;
            sums.held(task, now.saturating_sub(since), now);
        }
        // And so may a sleep.
        for (_, mut sleep) in mem::take(&mut sums.asleep) {
            sums.waits.append(&mut sleep.before);
            sums.waits.push(sleep.until(sums.last));
        }
        sums
    }

    fn add(&mut self, record: &Record) {
        self.first.get_or_insert(record.time);
        self.last = record.time;
        match &record.event {
            Event::Spawned { .. } => self.tasks += 1,
            Event::Cancelled { task } => {
                self.dropped += 1;
                self.failed(*task, record.time);
            }
            Event::Panicked { task, .. } => self.failed(*task, record.time),
            // That a task is new is no wake: nobody has its waker yet.
            Event::Woken { by, .. } if *by != Cause::Spawned => {
                self.wakes += 1;
                self.useless_wakes += usize::from(is_useless_wake(&record.event));
            }
            // What is aborted is dropped, and not polled.
            Event::PollStarted { task, why } if *why != Cause::Aborted => {
                self.polls += 1;
                self.polling = Some((*task, record.time));
            }
            Event::PollEnded { task, took, .. } => {
                self.polling = None;
                self.held(*task, *took, record.time);
            }
            Event::TimerArmed {
                timer,
                kind,
                deadline,
                ..
            } => {
                self.timers += 1;
                if *kind != TimerKind::Timeout {
                    let (since, deadline) = (record.time, *deadline);
                    let before = Vec::new();
                    self.asleep.insert(
                        *timer,
                        SleepSoFar {
                            before,
                            since,
                            deadline,
                        },
                    );
                }
            }
            Event::TimerReset {
                timer, deadline, ..
            } => {
                if let Some(sleep) = self.asleep.get_mut(timer) {
                    sleep.before.push(sleep.until(record.time));
                    (sleep.since, sleep.deadline) = (record.time, *deadline);
                }
            }
            Event::TimerCancelled { timer } => {
                self.timers_cancelled += 1;
                self.any_sleep_given_up |= self.asleep.remove(timer).is_some();
            }
            Event::TimerFired { timer, now, .. } => {
                if let Some(mut sleep) = self.asleep.remove(timer) {
                    self.waits.append(&mut sleep.before);
                    self.waits.push(sleep.until(*now));
                }
            }
            Event::BlockingStarted { task } => {
                self.out.insert(*task, record.time);
            }
            Event::BlockingDone {
                task, queued, took, ..
            } => {
                self.closures += 1;
                if let Some(since) = self.out.remove(task) {
                    // How long it ran was measured on its thread. This thread may have been late to learn of it.
                    let until = (since + *queued + *took).min(record.time);
                    self.waits.push((until.saturating_sub(*took), until));
                }
            }
            _ => {}
        }
    }

    /// A panic has ended the task's poll, or the task was dropped.
    fn failed(&mut self, task: TaskId, now: Duration) {
        self.closures_given_up += usize::from(self.out.remove(&task).is_some());
        if let Some((polled, since)) = self.polling.take_if(|polling| polling.0 == task) {
            self.held(polled, now.saturating_sub(since), now);
        }
    }

    fn held(&mut self, task: TaskId, took: Duration, ended: Duration) {
        let longest = self
            .longest_poll
            .map_or(Duration::ZERO, |(_, took, _)| took);
        if took > longest {
            self.longest_poll = Some((task, took, ended));
        }
    }

    /// How much of the sleeps and closures was at the same time, in words. Nothing, if there were none.
    pub(crate) fn overlap(&self, names: &Names) -> Option<String> {
        let waits = self.waits.iter().map(|(from, until)| *until - *from);
        let waiting = waits.sum::<Duration>();
        if waiting.is_zero() {
            return None;
        }
        let all = self.last.saturating_sub(self.first.unwrap_or_default());
        let overlapped = waiting.saturating_sub(covered(self.waits.clone()));
        let what = match self.closures {
            0 => "sleep",
            _ => "sleep and closures",
        };
        let [waiting, overlapped, all] = [waiting, overlapped, all].map(|time| names.span(time));
        let without = match self.any_sleep_given_up || self.closures_given_up > 0 {
            true => " (without what was given up)",
            false => "",
        };
        Some(format!(
            "{waiting} of {what} in {all}: {overlapped} overlapped{without}"
        ))
    }

    /// The sums in words, a line each.
    pub(crate) fn told<'a>(&'a self, names: &'a Names) -> impl fmt::Display + 'a {
        Told { sums: self, names }
    }
}

struct Told<'a> {
    sums: &'a Sums,
    names: &'a Names,
}

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sums = self.sums;
        let (tasks, polls, wakes) = (sums.tasks, sums.polls, sums.wakes);
        write!(f, "{}", count(tasks, "task"))?;
        if sums.dropped > 0 {
            write!(f, " ({} dropped unfinished)", sums.dropped)?;
        }
        write!(f, ", {}, ", count(polls, "poll"))?;
        write!(
            f,
            "{} ({} did nothing), ",
            count(wakes, "wake"),
            sums.useless_wakes
        )?;
        write!(f, "{}", count(sums.timers, "timer"))?;
        if sums.timers_cancelled > 0 {
            write!(f, " ({} cancelled)", sums.timers_cancelled)?;
        }
        if sums.closures > 0 {
            let thread = if sums.closures == 1 {
                "another thread"
            } else {
                "other threads"
            };
            write!(f, ", {} on {thread}", count(sums.closures, "closure"))?;
        }
        if sums.closures_given_up > 0 {
            let given_up = count(sums.closures_given_up, "closure");
            write!(f, ", {given_up} given up")?;
        }
        writeln!(f)?;
        if let Some(overlap) = sums.overlap(self.names) {
            writeln!(f, "{overlap}")?;
        }
        match sums.longest_poll {
            Some((task, took, ended)) => writeln!(
                f,
                "the busiest poll: {}, {}, at {}",
                self.names.task(task),
                Span(took),
                self.names.time(ended.saturating_sub(took))
            ),
            None => Ok(()),
        }
    }
}

/// The time that is in any of these spans.
fn covered(mut spans: Vec<(Duration, Duration)>) -> Duration {
    spans.sort_unstable();
    let mut covered = Duration::ZERO;
    let mut end = Duration::ZERO;
    for (from, until) in spans {
        covered += until.saturating_sub(from.max(end));
        end = end.max(until);
    }
    covered
}

/// `1 task`, `2 tasks`.
pub(super) fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}
