//! What is kept of an executor's run, until its views are shown: at its end, or when the log ends before that.

use std::collections::HashSet;
use std::fmt;
use std::io::{self, Write};
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::output::{Output, say};
use super::printed::Printed;
use super::story;
use super::unended::unended_poll;
use super::wish::View;
use crate::task::TaskId;
use crate::trace::{Event, Record, Recording};

/// What happens after so many events is not in the views: a program that never comes to its end would use up all
/// memory.
pub(crate) const MOST_RECORDS: usize = 2_000_000;

/// The executor's thread keeps it, and the one that looks after the time may end it meanwhile.
pub(crate) struct Log {
    records: Vec<Record>,
    /// True once nothing more is added.
    is_closed: bool,
    /// Those that are not shown yet.
    views: Vec<View>,
    output: Output,
    printed: Option<Printed>,
    /// The task that runs, and since when by the operating system's clock.
    running: Option<(TaskId, Instant)>,
    /// When the executor's clock began; `None` if that is a virtual one.
    began: Option<Instant>,
    limits: Limits,
}

/// How much of a run is shown, and what of it is remarkable.
pub(crate) struct Limits {
    /// After so long on the executor's clock it ends.
    pub(crate) at_most: Option<Duration>,
    /// After so many events it ends.
    pub(crate) events: usize,
    /// A poll that takes this long is told of as such.
    pub(crate) long_poll: Duration,
}

/// Why a log ends before its executor.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// So it was asked for.
    Asked,
    /// The thread ends, or the program on it.
    ThreadEnds,
}

impl Log {
    pub(crate) fn begin(
        views: Vec<View>,
        output: Output,
        is_virtual: bool,
        limits: Limits,
    ) -> Self {
        let printed = Printed::watch().unwrap_or_else(|error| {
            say(format_args!(
                "what the program prints cannot be watched: {error}"
            ));
            None
        });
        Log {
            records: Vec::new(),
            is_closed: false,
            views,
            output,
            printed,
            running: None,
            began: (!is_virtual).then(Instant::now),
            limits,
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed
    }

    pub(crate) fn say(&self, message: impl fmt::Display) {
        self.output.say(message);
    }

    /// Adds what was printed before this record, and notes who runs from here on. The record itself is for
    /// [`add`](Log::add).
    pub(crate) fn follow(&mut self, record: &Record) {
        // It was not printed while virtual time jumped.
        let time = match record.event {
            Event::ClockAdvanced { from, .. } => from,
            _ => record.time,
        };
        self.add_printed(self.within_limit(time));
        match record.event {
            Event::PollStarted { task, .. } | Event::Dropping { task } => {
                self.running = Some((task, Instant::now()));
            }
            Event::PollEnded { .. } | Event::Cancelled { .. } | Event::Panicked { .. } => {
                self.running = None;
            }
            _ => {}
        }
    }

    /// What was printed since this was last asked, by the task that runs, as a record of its own.
    fn add_printed(&mut self, time: Duration) {
        let task = self.running.map(|(task, _)| task);
        self.add_printed_by(task, time);
    }

    pub(crate) fn add_printed_by(&mut self, task: Option<TaskId>, time: Duration) {
        if let Some(text) = self.printed.as_mut().and_then(Printed::take) {
            self.add_event(time, Event::Printed { task, text });
        }
    }

    /// Nobody tells any more what the program does.
    pub(crate) fn follow_no_more(&mut self) {
        self.running = None;
    }

    pub(crate) fn add(&mut self, record: Record) {
        if self.is_closed {
            return;
        }
        let events = self.records.len();
        if self.within_limit(record.time) < record.time {
            self.close(Event::LogEnded, self.within_limit(record.time));
        } else if events >= self.limits.events {
            let full = Event::LogFull { events };
            self.output.say(&full);
            self.close(full, record.time);
        } else {
            self.push(record.time, record.event);
        }
    }

    fn add_event(&mut self, time: Duration, event: Event) {
        let seq = 0; // it gets its number in `push`
        self.add(Record { seq, time, event });
    }

    /// Numbers the record anew, for printed lines have numbers here too.
    fn push(&mut self, time: Duration, event: Event) {
        let seq = self.records.len() as u64;
        self.records.push(Record { seq, time, event });
    }

    fn close(&mut self, last: Event, time: Duration) {
        self.push(time, last);
        self.is_closed = true;
    }

    fn within_limit(&self, time: Duration) -> Duration {
        self.limits
            .at_most
            .map_or(time, |at_most| time.min(at_most))
    }

    /// Closes it while the executor lives, with a poll from which nobody comes back.
    pub(crate) fn cut(&mut self, why: Cut) {
        if self.is_closed {
            return;
        }
        let last = self.records.last().map_or(Duration::ZERO, |last| last.time);
        let now = self.began.map_or(last, |began| began.elapsed());
        let time = self.within_limit(now);
        // Before anything is passed on, which may take as long as it likes.
        let until_then = |since: Instant| since.elapsed().saturating_sub(now - time);
        let running = self.running.map(|(task, since)| (task, until_then(since)));
        self.add_printed(time);
        if let Some((task, took)) = running
            && took >= self.limits.long_poll
        {
            let poll = Box::new(unended_poll(&self.records, task, took, time));
            self.add_event(time, Event::LongPoll(poll));
        }
        match why {
            Cut::Asked if !self.is_closed => self.close(Event::LogEnded, time),
            _ => self.is_closed = true,
        }
    }

    /// Closes it with its executor.
    pub(crate) fn end(&mut self) {
        if let Some(last) = self.records.last() {
            self.add_printed(last.time);
        }
        self.is_closed = true;
    }

    /// How many records there are.
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    /// What is said, and not only in the views, of these tasks: of a record before which there were so many. All of
    /// them would take the time of the very program that is watched, so it is told with what its sentence needs: the
    /// last of them, where each task was spawned, its last poll, and where it was seen before that.
    pub(crate) fn sentence(&self, tasks: &[TaskId], before: usize, record: &Record) -> String {
        let (mut polled, mut seen) = (HashSet::new(), HashSet::new());
        let mut running = None;
        let is_told = |task: &TaskId| tasks.contains(task);
        let mut is_needed = |before: &Record| match &before.event {
            Event::Spawned { task, .. } if is_told(task) => true,
            // One that was told spawns another: there it was seen, too. Of an earlier poll that is not told.
            Event::Spawned { .. } => running
                .filter(is_told)
                .is_some_and(|by| seen.insert(by) && !polled.contains(&by)),
            Event::PollStarted { task, .. } => {
                running = None;
                is_told(task) && polled.insert(*task)
            }
            Event::PollEnded { task, .. } => {
                running = Some(*task);
                is_told(task) && !polled.contains(task)
            }
            Event::GaveUp { task, .. } => is_told(task) && !polled.contains(task),
            Event::Waits {
                task: Some(task), ..
            } => is_told(task) && (seen.insert(*task) || !polled.contains(task)),
            _ => false,
        };
        let mut needed: Vec<Record> = Vec::new();
        let mut unborn = tasks.len();
        for before in self.records[..before].iter().rev() {
            if is_needed(before) || needed.is_empty() {
                needed.push(before.clone());
            }
            let is_born = matches!(&before.event, Event::Spawned { task, .. } if is_told(task));
            unborn -= usize::from(is_born);
            if unborn == 0 {
                break;
            }
        }
        needed.reverse();
        story::sentence(&needed, record)
    }

    fn show(&mut self, is_now: impl Fn(&View) -> bool) {
        let (now, later): (Vec<View>, _) = mem::take(&mut self.views).into_iter().partition(is_now);
        self.views = later;
        if self.records.is_empty() && !now.is_empty() {
            self.say("nothing has happened on it: there is nothing to show");
            self.views.clear();
            return;
        }
        let recording = Recording::from_iter(mem::take(&mut self.records));
        now.iter()
            .for_each(|view| self.output.show(view, &recording));
        if !self.views.is_empty() {
            self.records = recording.take();
        }
    }
}

pub(crate) fn lock(log: &Mutex<Log>) -> MutexGuard<'_, Log> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Shows what is not shown yet, each view once, whichever thread comes first. If the executor goes on meanwhile, it
/// stands still at its next event.
pub(crate) fn show(log: &Mutex<Log>) {
    // Files first: whoever has locked standard output may never let go of it.
    lock(log).show(|view| view.file().is_some());
    // Always before the log: within it, nobody locks standard output.
    let _out = io::stdout().lock();
    let mut log = lock(log);
    // Standard output is the real one again from here on.
    log.printed.take();
    log.show(|_| true);
}

/// The last line may have no end, and then it is still in the standard library's buffer.
pub(crate) fn flush(log: &Mutex<Log>) {
    let is_watched = lock(log).printed.is_some();
    if is_watched {
        let _ = io::stdout().flush();
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::{env, fs, process};

    use super::*;
    use crate::trace::UnparkCause;

    #[test]
    fn of_too_many_events_the_first_are_kept() {
        let file = env::temp_dir().join(format!("watchglass-full-{}.json", process::id()));
        let limits = Limits {
            at_most: None,
            events: 2,
            long_poll: Duration::ZERO,
        };
        let (views, output) = (
            vec![View::Json(file.clone())],
            Output::of_next_executor(None),
        );
        let mut log = Log::begin(views, output, true, limits);
        for expected in [false, false, true, true] {
            let by = UnparkCause::Deadline;
            log.add_event(Duration::ZERO, Event::Unparked { by });
            assert_eq!(log.is_closed(), expected);
        }
        let numbers = log.records.iter().map(|record| record.seq);
        assert_eq!(numbers.collect::<Vec<_>>(), [0, 1, 2]);
        let full = Event::LogFull { events: 2 };
        assert_eq!(log.records[2].event, full);
        let recording = Recording::from_iter(log.records.clone());
        let texts = [recording.story(), recording.timeline()];
        let others = [recording.chrome_json(), recording.json()];
        let pages = [recording.svg(), recording.html("full")];
        for view in texts.iter().chain(&others).chain(&pages) {
            assert!(view.contains(&full.to_string()), "{view}");
        }
        let log = Mutex::new(log);
        show(&log);
        fs::remove_file(&file).unwrap();
        show(&log);
        assert!(!file.exists(), "it is written once");
    }

    /// By the test above, in a process of its own.
    #[test]
    fn that_there_are_too_many_events_is_said_once() {
        let (_, here) = module_path!().split_once("::").unwrap();
        let test = format!("{here}::of_too_many_events_the_first_are_kept");
        let mut again = Command::new(env::current_exe().unwrap());
        let output = again.args(["--exact", &test, "--nocapture"]).output();
        let said = String::from_utf8(output.unwrap().stderr).unwrap();
        assert_eq!(
            said.matches("there have been 2 events").count(),
            1,
            "{said}"
        );
    }
}
