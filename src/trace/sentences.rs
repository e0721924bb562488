//! Each event as one English sentence.

use std::fmt;
use std::time::Duration;

use super::event::{
    Cause, Effect, Event, LongPoll, Place, Record, TaskKind, TimerId, TimerKind, UnparkCause,
    WaitsOn,
};
use super::words::{At, OneLine, Seconds, deadlock, in_program, named};

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}  {}",
            Seconds::to_the_millisecond(self.time),
            self.event
        )
    }
}

impl fmt::Display for TimerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&match self.generation {
            0 => format!("timer {}", self.index),
            generation => format!("timer {}.{generation}", self.index),
        })
    }
}

impl TimerId {
    /// With what it is for, unless that is what most timers are for.
    pub(crate) fn described(self, kind: TimerKind) -> String {
        match kind {
            TimerKind::Sleep => self.to_string(),
            TimerKind::Timeout => format!("{self} (a time limit)"),
            TimerKind::Interval => format!("{self} (for a tick)"),
        }
    }
}

impl fmt::Debug for TimerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TimerId({self})")
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Spawned {
                task,
                name,
                kind,
                at,
            } => write!(f, "{task} `{}` {kind} at {at}", OneLine(name)),
            Event::Woken {
                task,
                by: by @ Cause::Spawned,
                effect: Effect::Queued,
            } => write!(f, "{task} goes to the back of the ready queue: {by}"),
            Event::Woken { task, by, effect } => write!(f, "{task} was woken: {by}; {effect}"),
            Event::PollStarted {
                task,
                why: Cause::Aborted,
            } => write!(f, "{task} is dropped, not polled: {}", Cause::Aborted),
            Event::PollStarted { task, why } => write!(f, "{task} is polled: {why}"),
            Event::PassedOver { task } => {
                write!(
                    f,
                    "{task} has ended while it was queued, and is passed over"
                )
            }
            Event::Waits { task, on, at } => match task {
                Some(task) => write!(f, "{task} waits for {on}{}", At(at)),
                None => write!(f, "a future outside of any task waits for {on}{}", At(at)),
            },
            Event::GaveUp { task, on } => write!(f, "{task} gave up waiting for {on}"),
            Event::Detached { task } => write!(f, "{task} was detached: its handle was dropped"),
            Event::PollEnded {
                task,
                ready,
                took,
                wakers,
            } => {
                let result = if *ready { "Ready" } else { "Pending" };
                write!(f, "{task} returned {result}")?;
                if !took.is_zero() {
                    write!(f, " after {took:?}")?;
                }
                match wakers {
                    None | Some(0) => Ok(()),
                    Some(1) => write!(f, "; 1 clone of its waker is held"),
                    Some(many) => write!(f, "; {many} clones of its waker are held"),
                }
            }
            Event::ForgottenWaker { task } => write!(
                f,
                "{task} waits, but nobody holds its waker: it can never be polled again"
            ),
            Event::TimerArmed {
                timer,
                task,
                kind,
                deadline,
                place,
            } => {
                let timer = timer.described(*kind);
                let wakes = task.map_or("use a waker".to_owned(), |task| format!("wake {task}"));
                let deadline = Seconds::to_the_millisecond(*deadline);
                write!(
                    f,
                    "{timer} was armed to {wakes} at {deadline}, and put in {place}"
                )
            }
            Event::TimerReset {
                timer,
                deadline,
                place,
            } => {
                write!(
                    f,
                    "{timer} was set to {} instead, and put in {place}",
                    Seconds::to_the_millisecond(*deadline)
                )
            }
            Event::TimerHandedOver {
                timer,
                task: Some(task),
            } => write!(f, "{timer} will wake {task} instead"),
            Event::TimerHandedOver { timer, task: None } => {
                write!(f, "{timer} will use another waker instead")
            }
            Event::Cascaded { timer, place } => write!(f, "{timer} moved to {place}"),
            Event::TimerFired {
                timer,
                deadline,
                now,
            } => write!(
                f,
                "{timer} fired: it was due at {}, {:?} ago",
                Seconds::to_the_millisecond(*deadline),
                now.saturating_sub(*deadline)
            ),
            Event::TimerCancelled { timer } => write!(f, "{timer} was cancelled"),
            Event::ClockAdvanced { from, to } => {
                write!(
                    f,
                    "virtual time jumped from {} to {}",
                    Seconds::exact(*from),
                    Seconds::exact(*to)
                )
            }
            Event::Parked { until: Some(until) } => {
                write!(
                    f,
                    "nothing is ready: the thread parks until {}",
                    Seconds::to_the_millisecond(*until)
                )
            }
            Event::Parked { until: None } => {
                write!(f, "nothing is ready: the thread parks until it is woken")
            }
            Event::Unparked {
                by: by @ UnparkCause::Spurious,
            } => write!(f, "the thread runs again, {by}"),
            Event::Unparked { by } => write!(f, "the thread runs again: {by}"),
            Event::BlockingStarted { task } => {
                write!(f, "{task}'s closure was handed to the thread pool")
            }
            Event::BlockingDone {
                task,
                thread,
                queued,
                took,
            } => write!(
                f,
                "{task}'s closure has run for {took:?} on {thread}, after waiting for {queued:?}"
            ),
            Event::Completed { task } => write!(f, "{task} is done"),
            Event::Dropping { task } => {
                write!(
                    f,
                    "{task} is dropped unfinished: its executor is dropped, or it can never finish"
                )
            }
            Event::Cancelled { task } => write!(f, "{task} is cancelled: its future was dropped"),
            Event::Panicked {
                task,
                message: Some(message),
            } => {
                write!(f, "{task} panicked: {}", OneLine(message))
            }
            Event::Panicked {
                task,
                message: None,
            } => write!(f, "{task} panicked"),
            Event::Deadlock { circle } => {
                write!(f, "{}", deadlock(circle, |task| task.to_string()))
            }
            Event::Stalled { tasks, .. } => {
                write!(
                    f,
                    "nothing can ever happen again, and these have not finished:"
                )?;
                let (named, others) = named(tasks);
                named.iter().try_for_each(|task| write!(f, " {task}"))?;
                and_more(f, others)
            }
            Event::LongPoll(poll) => write!(f, "{poll}"),
            Event::Spinning { task, polls } => write!(
                f,
                "{task} has been polled {polls} times in a row only because it woke itself, or slept for no time"
            ),
            Event::Printed { text, .. } => write!(f, "printed: {}", text.trim_end().escape_debug()),
            Event::LogFull { events } => write!(
                f,
                "there have been {events} events: what happens from now on is in no view"
            ),
            Event::LogEnded => write!(
                f,
                "the log ends here, as it was asked for: what happens from now on is in no view"
            ),
        }
    }
}

fn and_more(f: &mut fmt::Formatter<'_>, others: usize) -> fmt::Result {
    match others {
        0 => Ok(()),
        others => write!(f, " and {others} more"),
    }
}

impl LongPoll {
    /// Between which places the time went by, or which part of it, as in `from X to Y`, each place with `prefix` before
    /// it: nothing if neither is in the program. In between may be awaits of what is not watchglass's.
    pub(crate) fn places(&self, prefix: &str, time: impl Fn(Duration) -> String) -> Option<String> {
        if self.is_drop {
            return Some("while it was dropped".to_owned());
        }
        let mut places = [self.after, self.until].into_iter().flatten();
        places.find_map(in_program)?;
        let place = |at| in_program(at).map_or("an await".to_owned(), |at| format!("{prefix}{at}"));
        let places = match (self.after.map(place), self.until.map(place)) {
            (Some(after), Some(until)) => format!("from {after} to {until}"),
            (Some(after), None) => format!("from {after} on"),
            (None, until) => format!("before it came to {}", until?),
        };
        // Nearly all of it is called all.
        Some(match self.between.mul_f64(1.1) < self.took {
            true => format!("{} of it {places}", time(self.between)),
            false => places,
        })
    }
}

impl fmt::Display for LongPoll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.goes_on {
            true => write!(
                f,
                "{} has held the thread for {:?} and still does",
                self.task, self.took
            )?,
            false => write!(f, "{} held the thread for {:?}", self.task, self.took)?,
        }
        if let Some(places) = self.places("", |time| format!("{time:?}")) {
            write!(f, ", {places}")?;
        }
        if !self.delayed.is_empty() {
            write!(f, "; meanwhile others had to wait:")?;
            self.delayed
                .iter()
                .try_for_each(|task| write!(f, " {task}"))?;
            and_more(f, self.more_delayed)?;
        }
        match self.timers {
            0 => Ok(()),
            1 => write!(f, "; 1 timer had to wait {:?}", self.late),
            many => write!(f, "; {many} timers had to wait up to {:?}", self.late),
        }
    }
}

impl fmt::Display for TaskKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            TaskKind::Main => "was given to block_on",
            TaskKind::Spawned => "was spawned",
            TaskKind::Blocking => "was spawned on the thread pool",
        })
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Spawned => write!(f, "it is new"),
            Cause::Timer(timer) => write!(f, "{timer} fired"),
            Cause::Task(task) => write!(f, "{task} woke it"),
            Cause::Itself => write!(f, "it woke itself"),
            Cause::OtherThread => write!(f, "another thread woke it"),
            Cause::NotRunning => write!(f, "it was woken while its executor did not run"),
            Cause::Outside => write!(f, "it was woken while no task was running"),
            Cause::Joined(task) => write!(f, "{task}, which it awaits, has ended"),
            Cause::Aborted => write!(f, "it was aborted"),
        }
    }
}

impl fmt::Display for TimerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            TimerKind::Sleep => "sleep",
            TimerKind::Timeout => "time limit",
            TimerKind::Interval => "tick",
        })
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Effect::Queued => "it goes to the back of the ready queue",
            Effect::AlreadyQueued => "it was in the ready queue already",
            Effect::Finished => "it has finished, so nothing happens",
        })
    }
}

impl fmt::Display for WaitsOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WaitsOn::Timer(timer) => write!(f, "{timer}"),
            WaitsOn::Never => write!(f, "a deadline that never comes"),
            WaitsOn::Task(task) => write!(f, "{task} to end"),
            WaitsOn::AnyTask => write!(f, "any task of its set to end"),
            WaitsOn::Elsewhere => write!(f, "a task of another executor"),
            WaitsOn::Turn => write!(f, "its next turn"),
            WaitsOn::Children(1) => write!(f, "1 joined future"),
            WaitsOn::Children(many) => write!(f, "{many} joined futures"),
            WaitsOn::Blocking => write!(f, "its closure on another thread"),
            WaitsOn::Labelled(name) => write!(f, "{}", OneLine(name)),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Due => write!(f, "the list of those that are due"),
            Place::Slot { level, slot } => write!(f, "level {level}, slot {slot} of the wheel"),
        }
    }
}

impl fmt::Display for UnparkCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            UnparkCause::Deadline => "the next deadline has come",
            UnparkCause::OtherThread => "another thread unparked it",
            UnparkCause::Spurious => "for no reason of its own",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jump_of_virtual_time_is_told_exactly() {
        for (ns, told) in [
            (2_000_000, "0.002 s"),
            (2_300_000, "0.002300 s"),
            (7_200_000_000_001, "7200.000000001 s"),
        ] {
            let (from, to) = (Duration::ZERO, Duration::from_nanos(ns));
            let jump = Event::ClockAdvanced { from, to };
            let expected = format!("virtual time jumped from 0.000 s to {told}");
            assert_eq!(jump.to_string(), expected);
        }
    }
}
