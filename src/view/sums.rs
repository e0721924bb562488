//! What a whole run comes to: how many polls and wakes, and how much waiting in how much time.

use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

use super::findings::is_useless_wake;
use super::names::{Names, Span};
use crate::task::TaskId;
use crate::trace::{Cause, Event, Record};

#[derive(Default)]
pub(crate) struct Sums {
    tasks: usize,
    /// Those that were dropped with their executor.
    dropped: usize,
    polls: usize,
    wakes: usize,
    /// Wakes of tasks that were in the queue already, or had ended.
    useless_wakes: usize,
    timers: usize,
    timers_cancelled: usize,
    closures: usize,
    /// The time that each timer and each closure was waited for, all added up.
    waiting: Duration,
    /// The time in which at least one was waited for.
    waiting_at_all: Duration,
    /// How many are being waited for now.
    pending: u32,
    /// The tasks of the closures among them.
    blocking: HashSet<TaskId>,
    first: Option<Duration>,
    last: Duration,
    longest_poll: Option<(TaskId, Duration, Duration)>,
}

impl Sums {
    pub(crate) fn of(records: &[Record]) -> Self {
        let mut sums = Sums::default();
        records.iter().for_each(|record| sums.add(record));
        sums
    }

    fn add(&mut self, record: &Record) {
        let since_last = record.time.saturating_sub(self.last);
        self.waiting += since_last * self.pending;
        if self.pending > 0 {
            self.waiting_at_all += since_last;
        }
        self.first.get_or_insert(record.time);
        self.last = record.time;
        match &record.event {
            Event::Spawned { .. } => self.tasks += 1,
            Event::Dropping { .. } => self.dropped += 1,
            Event::Woken { .. } => {
                self.wakes += 1;
                self.useless_wakes += usize::from(is_useless_wake(&record.event));
            }
            Event::PollStarted { why, .. } => self.polls += usize::from(*why != Cause::Aborted),
            Event::PollEnded { task, took, .. } => {
                let longest = self
                    .longest_poll
                    .map_or(Duration::ZERO, |(_, took, _)| took);
                if *took > longest {
                    self.longest_poll = Some((*task, *took, record.time));
                }
            }
            Event::TimerArmed { .. } => {
                self.timers += 1;
                self.pending += 1;
            }
            Event::BlockingStarted { task } => {
                self.blocking.insert(*task);
                self.closures += 1;
                self.pending += 1;
            }
            Event::TimerCancelled { .. } => {
                self.timers_cancelled += 1;
                self.pending = self.pending.saturating_sub(1);
            }
            Event::TimerFired { .. } => self.pending = self.pending.saturating_sub(1),
            Event::BlockingDone { task, .. } | Event::Cancelled { task } => {
                let ended = self.blocking.remove(task);
                self.pending = self.pending.saturating_sub(u32::from(ended));
            }
            _ => {}
        }
    }

    /// How much of the waiting was at the same time, in words. Nothing, if nothing was waited for.
    pub(crate) fn overlap(&self, names: &Names) -> Option<String> {
        let all = self.last.saturating_sub(self.first.unwrap_or_default());
        let [waiting, all, overlapped] =
            [self.waiting, all, self.waiting - self.waiting_at_all].map(|time| names.time(time));
        let any = !self.waiting.is_zero();
        any.then(|| format!("{waiting} of waiting in {all}: {overlapped} overlapped"))
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
        write!(f, ", ")?;
        write!(f, "{}, ", count(polls, "poll"))?;
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
            write!(f, ", {} on other threads", count(sums.closures, "closure"))?;
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

fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}
