//! Each event as one English sentence.

use std::fmt::{self, Write};
use std::panic::Location;
use std::path::Path;
use std::time::Duration;

use super::event::{
    Cause, Effect, Event, LongPoll, Place, Record, TaskKind, TimerId, UnparkCause, WaitsOn,
};
use crate::task::TaskId;

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}  {}", to_the_millisecond(self.time), self.event)
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
            Event::Detached { task } => write!(
                f,
                "{task} was detached: its handle was dropped, and it goes on alone"
            ),
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
                "{task} returned Pending but nobody holds its waker: it can never be polled again"
            ),
            Event::TimerArmed {
                timer,
                task,
                deadline,
                place,
            } => {
                let deadline = to_the_millisecond(*deadline);
                match task {
                    Some(task) => {
                        write!(
                            f,
                            "{timer} was armed to wake {task} at {deadline}, and put in {place}"
                        )
                    }
                    None => {
                        write!(
                            f,
                            "{timer} was armed to use a waker at {deadline}, and put in {place}"
                        )
                    }
                }
            }
            Event::TimerReset {
                timer,
                deadline,
                place,
            } => {
                write!(
                    f,
                    "{timer} was set to {} instead, and put in {place}",
                    to_the_millisecond(*deadline)
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
                to_the_millisecond(*deadline),
                now.saturating_sub(*deadline)
            ),
            Event::TimerCancelled { timer } => write!(f, "{timer} was cancelled"),
            Event::ClockAdvanced { from, to } => {
                write!(
                    f,
                    "virtual time jumped from {} to {}",
                    exact(*from),
                    exact(*to)
                )
            }
            Event::Parked { until: Some(until) } => {
                write!(
                    f,
                    "nothing is ready: the thread parks until {}",
                    to_the_millisecond(*until)
                )
            }
            Event::Parked { until: None } => {
                write!(f, "nothing is ready: the thread parks until it is woken")
            }
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
                write!(f, "the executor is dropped, and {task}'s future with it")
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
            Event::Stalled { tasks, cycle } => {
                write!(
                    f,
                    "nothing can ever happen again, and these have not finished:"
                )?;
                tasks.iter().try_for_each(|task| write!(f, " {task}"))?;
                match cycle.as_slice() {
                    [] => Ok(()),
                    cycle => write!(f, "; they wait in a circle: {}", Circle(cycle)),
                }
            }
            Event::LongPoll(poll) => write!(f, "{poll}"),
            Event::Spinning { task, polls } => write!(
                f,
                "{task} has been polled {polls} times in a row only because it woke itself"
            ),
            Event::Printed { text, .. } => write!(f, "printed: {}", text.trim_end().escape_debug()),
        }
    }
}

impl fmt::Display for LongPoll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} held the thread for {:?}", self.task, self.took)?;
        let place = |at| in_program(at).map_or("an await".to_owned(), Location::to_string);
        match (self.after.map(place), self.until.map(place)) {
            // In between may be awaits of what is not watchglass's.
            (None, None) => {}
            (None, Some(until)) => write!(f, ", before it came to {until}")?,
            (Some(after), None) => write!(f, ", from {after} on")?,
            (Some(after), Some(until)) => write!(f, ", from {after} to {until}")?,
        }
        if !self.delayed.is_empty() {
            write!(f, "; meanwhile others had to wait:")?;
            self.delayed
                .iter()
                .try_for_each(|task| write!(f, " {task}"))?;
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
            Cause::Outside => write!(f, "it was woken between two polls"),
            Cause::Joined(task) => write!(f, "{task}, which it awaits, has ended"),
            Cause::Aborted => write!(f, "it was aborted"),
        }
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

/// The place, if it is in the program's own code.
///
/// A leaf is told who polls it. That is the `.await`, unless code stands in between which does not
/// pass the place on: the standard library's, for a future behind a reference or in a box, that of another
/// crate's combinator, or our own, for a future that is the whole task. Such a place says nothing to whoever
/// wrote the program.
pub(crate) fn in_program(at: &'static Location<'static>) -> Option<&'static Location<'static>> {
    is_in_program(at.file()).then_some(at)
}

fn is_in_program(file: &str) -> bool {
    // The compiler gives the standard library's files this path, or that of their installed source.
    let path = file.replace('\\', "/");
    let is_std = path.starts_with("/rustc/") || path.contains("/lib/rustlib/src/");
    let is_fetched = ["/registry/src/", "/git/checkouts/"]
        .iter()
        .any(|folder| is_in_folder_of_cargo(&path, folder));
    let our_folder = Path::new(file!()).ancestors().nth(2);
    let is_ours = our_folder.is_some_and(|src| Path::new(file).starts_with(src));
    !(is_std || is_fetched || is_ours)
}

/// True for a file below `FOLDER/NAME-HASH/`: there lie the packages that Cargo has fetched.
fn is_in_folder_of_cargo(path: &str, folder: &str) -> bool {
    let below = path.split_once(folder).map(|(_, below)| below);
    let hash = below.and_then(|below| below.split('/').next()?.rsplit_once('-'));
    hash.is_some_and(|(_, hash)| hash.len() == 16 && hash.chars().all(|c| c.is_ascii_hexdigit()))
}

/// ` at FILE:LINE:COLUMN`, or nothing if the place is not in the program's own code.
pub(crate) struct At(pub(crate) &'static Location<'static>);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        in_program(self.0).map_or(Ok(()), |at| write!(f, " at {at}"))
    }
}

/// Text that stays on its line: what would begin another, or move a terminal's cursor, is shown as it is
/// written in a program.
pub(crate) struct OneLine<'a>(pub(crate) &'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|letter| match letter {
            control if control.is_control() => write!(f, "{}", control.escape_default()),
            letter => f.write_char(letter),
        })
    }
}

/// Tasks that wait for each other: `#1 → #2 → #1`.
pub(crate) struct Circle<'a>(pub(crate) &'a [TaskId]);

impl fmt::Display for Circle<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let back_to = self.0.first();
        self.0.iter().try_for_each(|task| write!(f, "{task} → "))?;
        back_to.map_or(Ok(()), |first| write!(f, "{first}"))
    }
}

/// A time as `1.500 s`, cut off after so many digits.
#[derive(Clone, Copy)]
pub(crate) struct Seconds {
    time: Duration,
    digits: usize,
}

impl Seconds {
    pub(crate) fn with_digits(time: Duration, digits: usize) -> Self {
        Seconds { time, digits }
    }

    /// How many digits a time needs behind the point: whole milliseconds three, and so on.
    pub(crate) fn digits_of(time: Duration) -> usize {
        match time.subsec_nanos() {
            ns if ns % 1_000_000 == 0 => 3,
            ns if ns % 1_000 == 0 => 6,
            _ => 9,
        }
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Seconds { time, digits } = *self;
        let fraction = time.subsec_nanos() / 10_u32.pow(9 - digits as u32);
        write!(f, "{}.{fraction:0digits$} s", time.as_secs())
    }
}

/// On the real clock the last digits say nothing, and a record does not know its clock.
fn to_the_millisecond(time: Duration) -> Seconds {
    Seconds::with_digits(time, 3)
}

/// For a time of the virtual clock.
fn exact(time: Duration) -> Seconds {
    Seconds::with_digits(time, Seconds::digits_of(time))
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

    #[test]
    fn a_place_of_somebody_else_s_is_not_the_program_s() {
        let ours = file!();
        for (file, is_ours) in [
            ("app/main.rs", true),
            ("examples/../examples/deadlock.rs", true),
            ("/home/me/registry/app/src/main.rs", true),
            ("/home/me/app/crates/registry/src/lib.rs", true),
            ("/home/me/app/crates/registry/src/a-b/lib.rs", true),
            (ours, false),
            ("/rustc/59807616/library/core/src/option.rs", false),
            (
                "/opt/rust/lib/rustlib/src/rust/library/core/src/option.rs",
                false,
            ),
            (
                "/home/me/.cargo/registry/src/index-1949cf8c6b5b557f/futures-util-0.3.34/src/fuse.rs",
                false,
            ),
            (
                "/home/me/.cargo/git/checkouts/futures-1949cf8c6b5b557f/1/src/fuse.rs",
                false,
            ),
            (
                r"C:\Users\me\.cargo\registry\src\index-1949cf8c6b5b557f\futures-util-0.3.34\src\fuse.rs",
                false,
            ),
        ] {
            assert_eq!(is_in_program(file), is_ours, "{file}");
        }
    }
}
