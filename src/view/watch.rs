//! Watches any program's executor, if the environment variable `WATCHGLASS` asks for it.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::env;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path;
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};

use super::output::{Output, say, write_line};
use super::printed::Printed;
use super::story;
use super::wish::{View, Wish};
use crate::builder::{Builder, LONG_POLL};
use crate::task::TaskId;
use crate::trace::{Event, LongPoll, Observer, Record, Recording};

thread_local! {
    static UNENDED: Unended = const { Unended(RefCell::new(Vec::new())) };
}

/// On the virtual clock, polls that took this long by the operating system's are told of. It is longer than on the
/// real clock, for a busy machine may stop any thread for a while, and there every run is to be the same.
const LONG_VIRTUAL_POLL: Duration = Duration::from_millis(500);

const OBSERVER_HAS_PANICKED: &str =
    "an observer has panicked: what happened after that is not shown";

/// What happens after so many events is not in the views: a program that never comes to its end would use up all
/// memory.
const MOST_RECORDS: usize = 2_000_000;

/// The builder, with what `WATCHGLASS` asks for added to it.
///
/// # Panics
///
/// If the variable has a value that is not known, names a folder or twice the same file, or says what a long poll is
/// and nobody is told.
#[track_caller]
pub(crate) fn watched(mut builder: Builder) -> Builder {
    let Some(values) = env::var_os("WATCHGLASS") else {
        return builder;
    };
    let Some(values) = values.to_str() else {
        panic!("WATCHGLASS={} is not UTF-8", values.display());
    };
    let wish = match Wish::read(values) {
        Ok(wish) => wish,
        Err(unknown) => panic!("{unknown}"),
    };
    each_has_a_file_of_its_own(values, &wish.views);
    if let Some(long) = wish.long_poll {
        let somebody_is_told = wish.live || !wish.views.is_empty() || builder.observer.is_some();
        assert!(
            somebody_is_told,
            "WATCHGLASS={values} is no view, and tells nobody: add one, as in WATCHGLASS={values},timeline"
        );
        builder.long_poll.get_or_insert(long);
    }
    if let Some(seed) = wish.seed {
        builder.seed.get_or_insert(seed);
    }
    if wish.closed_world {
        builder.closed_world.get_or_insert(true);
    }
    if wish.virtual_time && !builder.virtual_time {
        builder.virtual_time = true;
        // The program may well be woken by threads of its own.
        builder.closed_world.get_or_insert(false);
    }
    let is_watched = wish.live || !wish.views.is_empty();
    if builder.virtual_time && (is_watched || wish.virtual_time) {
        // What blocks the thread takes real time all the same.
        builder.long_poll.get_or_insert(LONG_VIRTUAL_POLL);
    }
    if !is_watched {
        return builder;
    }
    let output = Output::of_next_executor();
    if wish.live {
        let whose = output.whose();
        let print = move |record: &Record| write_line(format_args!("{whose}{record}"));
        builder.observer = Some(match builder.observer.take() {
            Some(own) => Box::new((print, Rc::<dyn Observer>::from(own))),
            None => Box::new(print),
        });
    }
    if !wish.views.is_empty() {
        let own = builder.observer.take();
        let mut watch = Watch::begin(output, wish.views, own);
        if !builder.virtual_time {
            watch.long_poll = Some(builder.long_poll.unwrap_or(LONG_POLL));
        }
        let watch = Rc::new(watch);
        // Within the drop of another thread-local they may be gone.
        let _ = UNENDED.try_with(|unended| unended.add(&watch));
        builder.observer = Some(Box::new(watch));
    }
    builder
}

#[track_caller]
fn each_has_a_file_of_its_own(values: &str, views: &[View]) {
    let mut files = HashSet::new();
    for view in views {
        let Some(file) = view.file() else { continue };
        let is_folder = file.is_dir() || file.file_name().is_none();
        assert!(
            !is_folder,
            "WATCHGLASS={view} names a folder: write a file, as in {view}/run"
        );
        // `run.html` is `./run.html`, too.
        let is_new = files.insert(path::absolute(file).unwrap_or(file.to_owned()));
        assert!(
            is_new,
            "WATCHGLASS={values} names {} twice: each view needs a file of its own",
            file.display()
        );
    }
}

/// The watches of this thread whose executors live.
struct Unended(RefCell<Vec<Weak<Watch>>>);

impl Unended {
    fn add(&self, watch: &Rc<Watch>) {
        let mut watches = self.0.borrow_mut();
        watches.retain(|watch| watch.strong_count() > 0);
        watches.push(Rc::downgrade(watch));
    }
}

impl Drop for Unended {
    /// When the thread ends, or the program exits on it: an executor that is leaked, say, has no end of its own.
    fn drop(&mut self) {
        // A handle may have outlived an executor that has ended, and keeps its watch.
        let is_unended = |watch: &Rc<Watch>| !watch.has_shown.get();
        let watches = self.0.take();
        for watch in watches.iter().filter_map(Weak::upgrade).filter(is_unended) {
            let why = match watch.has_panicked.get() {
                true => OBSERVER_HAS_PANICKED,
                false => "the thread ends before its executor: the views show how far it has come",
            };
            watch.output.say(why);
            watch.show_unended();
        }
    }
}

struct Watch {
    recording: Recording,
    printed: RefCell<Option<Printed>>,
    /// The task that runs, and since when.
    running: Cell<Option<(TaskId, Duration)>>,
    views: Vec<View>,
    output: Output,
    /// When it was made, and with it the executor's clock.
    began: Instant,
    /// What a long poll is, on the real clock.
    long_poll: Option<Duration>,
    /// How many events there may be; fewer only in a test.
    most: usize,
    has_told_spin: Cell<bool>,
    /// A task that can never be polled again, and how that is said, until it is or the task is polled all the same.
    forgotten: Cell<Option<(TaskId, String)>>,
    has_told_forgotten: Cell<bool>,
    has_shown: Cell<bool>,
    /// True once the program's own observer has: then nothing more is told, nor the end.
    has_panicked: Cell<bool>,
    /// The program's own observer.
    own: Option<Box<dyn Observer>>,
}

impl Watch {
    fn begin(output: Output, views: Vec<View>, own: Option<Box<dyn Observer>>) -> Self {
        let printed = Printed::watch().unwrap_or_else(|error| {
            say(format_args!(
                "what the program prints cannot be watched: {error}"
            ));
            None
        });
        Watch {
            recording: Recording::new(),
            printed: RefCell::new(printed),
            running: Cell::new(None),
            began: Instant::now(),
            long_poll: None,
            views,
            output,
            most: MOST_RECORDS,
            has_told_spin: Cell::new(false),
            forgotten: Cell::new(None),
            has_told_forgotten: Cell::new(false),
            has_shown: Cell::new(false),
            has_panicked: Cell::new(false),
            own,
        }
    }

    /// What was printed before this record, as a record of its own.
    fn record_printed(&self, next: &Record) {
        // It was not printed while virtual time jumped.
        let time = match next.event {
            Event::ClockAdvanced { from, .. } => from,
            _ => next.time,
        };
        self.record_printed_by(self.who_runs(), time);
    }

    fn who_runs(&self) -> Option<TaskId> {
        self.running.get().map(|(task, _)| task)
    }

    /// What was printed since this was last asked, as a record of its own.
    fn record_printed_by(&self, task: Option<TaskId>, time: Duration) {
        let text = self.printed.borrow_mut().as_mut().and_then(Printed::take);
        if let Some(text) = text {
            let event = Event::Printed { task, text };
            let seq = 0; // it gets its number in `record`
            self.record(Record { seq, time, event });
        }
    }

    /// Numbers the record anew, for printed lines have numbers here too.
    fn record(&self, mut record: Record) {
        if self.is_full() {
            return;
        }
        let events = self.recording.len();
        record.seq = events as u64;
        if events < self.most {
            self.recording.observe_owned(record);
            return;
        }
        record.event = Event::LogFull { events };
        self.output.say(&record.event);
        self.recording.observe_owned(record);
        // Such a program may never come to its end.
        let files = self.views.iter().filter(|view| view.file().is_some());
        files.for_each(|view| self.output.show(view, &self.recording));
    }

    /// True once there were more events than are kept, and the last that is kept says so.
    fn is_full(&self) -> bool {
        self.recording.len() > self.most
    }

    /// What is said at once, of a task. All that was before would take the time of the very program that is watched, so
    /// it is told with what its sentence needs.
    fn sentence(&self, task: TaskId, record: &Record) -> String {
        let is_its = |record: &&Record| matches!(record.event, Event::Spawned { task: new, .. } if new == task);
        let told = |before: &[Record]| {
            let needed = before.iter().rfind(is_its).into_iter().chain(before.last());
            let needed: Vec<Record> = needed.cloned().collect();
            story::sentence(&needed, record)
        };
        self.recording.read(told)
    }

    /// Shows an executor that lives, and with it a poll from which nobody comes back.
    fn show_unended(&self) {
        if let Some(long) = self.long_poll {
            let time = self.began.elapsed();
            self.flush();
            self.record_printed_by(self.who_runs(), time);
            if let Some((task, since)) = self.running.get()
                && let took = time.saturating_sub(since)
                && took >= long
            {
                let event = Event::LongPoll(Box::new(unended(task, took)));
                self.record(Record {
                    seq: 0,
                    time,
                    event,
                });
            }
        }
        self.show_all();
    }

    /// The last line may have no end, and then it is still in the standard library's buffer.
    fn flush(&self) {
        if self.printed.borrow().is_some() {
            let _ = io::stdout().flush();
        }
    }

    fn show_all(&self) {
        self.has_shown.set(true);
        let last = self.recording.read(|records| records.last().cloned());
        self.flush();
        if let Some(last) = last {
            self.record_printed(&last);
        }
        // Standard output is the real one again from here on.
        self.printed.take();
        let is_written = |view: &View| self.is_full() && view.file().is_some();
        let views = self.views.iter().filter(|view| !is_written(view));
        views.for_each(|view| self.output.show(view, &self.recording));
    }
}

impl Observer for Watch {
    fn observe(&self, record: &Record) {
        self.observe_owned(record.clone());
    }

    fn observe_owned(&self, record: Record) {
        self.record_printed(&record);
        match record.event {
            Event::PollStarted { task, .. } | Event::Dropping { task } => {
                self.running.set(Some((task, record.time)));
                let forgotten = self.forgotten.take();
                self.forgotten
                    .set(forgotten.filter(|(forgotten, _)| *forgotten != task));
            }
            Event::PollEnded { .. } | Event::Cancelled { .. } | Event::Panicked { .. } => {
                self.running.set(None);
            }
            // A program that spins for ever has no end at which a view could say so.
            Event::Spinning { task, .. } if !self.has_told_spin.replace(true) => {
                self.output.say(self.sentence(task, &record));
            }
            // Nor has one that waits for such a task: told when nothing is left to be done for now.
            Event::ForgottenWaker { task } if !self.has_told_forgotten.get() => {
                let told = || Some((task, self.sentence(task, &record)));
                self.forgotten.set(self.forgotten.take().or_else(told));
            }
            Event::Parked { until: None } => {
                if let Some((_, told)) = self.forgotten.take() {
                    self.has_told_forgotten.set(true);
                    self.output.say(told);
                }
            }
            _ => {}
        }
        self.record(record.clone());
        if let Some(own) = &self.own {
            let time = record.time;
            let told = catch_unwind(AssertUnwindSafe(|| own.observe_owned(record)));
            if let Err(panic) = told {
                self.has_panicked.set(true);
                resume_unwind(panic);
            }
            // The observer's lines are not those of the task that runs.
            self.record_printed_by(None, time);
        }
    }

    fn end(&self) {
        self.show_all();
        if let Some(own) = &self.own {
            own.end();
        }
    }
}

impl Drop for Watch {
    /// Where the program's own observer has panicked, nobody was told of the end.
    fn drop(&mut self) {
        if !self.has_shown.get() {
            say(OBSERVER_HAS_PANICKED);
            self.show_all();
        }
    }
}

/// A poll, or a drop, that has held the thread for so long and does not end.
fn unended(task: TaskId, took: Duration) -> LongPoll {
    LongPoll {
        task,
        took,
        is_drop: false,
        after: None,
        until: None,
        between: took,
        delayed: Vec::new(),
        more_delayed: 0,
        timers: 0,
        late: Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, process};

    use super::*;
    use crate::trace::UnparkCause;

    #[test]
    fn of_too_many_events_the_first_are_kept() {
        let file = env::temp_dir().join(format!("watchglass-full-{}.json", process::id()));
        let mut watch = Watch::begin(
            Output::of_next_executor(),
            vec![View::Json(file.clone())],
            None,
        );
        assert_eq!(watch.most, MOST_RECORDS);
        watch.most = 2;
        for seq in 0..4 {
            let by = UnparkCause::Deadline;
            let (time, event) = (Duration::ZERO, Event::Unparked { by });
            watch.record(Record { seq, time, event });
            // From the third on.
            assert_eq!(file.exists(), seq >= 2);
        }
        fs::remove_file(&file).unwrap();
        let kept = watch.recording.records();
        let numbers = kept.iter().map(|record| record.seq);
        assert_eq!(numbers.collect::<Vec<_>>(), [0, 1, 2]);
        let full = Event::LogFull { events: 2 };
        assert_eq!(kept[2].event, full);
        let [svg, html] = [watch.recording.svg(), watch.recording.html("full")];
        let texts = [watch.recording.story(), watch.recording.timeline()];
        let others = [watch.recording.chrome_json(), watch.recording.json()];
        for view in [svg, html].iter().chain(&texts).chain(&others) {
            assert!(view.contains(&full.to_string()), "{view}");
        }
        watch.end();
        assert!(!file.exists(), "it is written once");
    }

    /// By the test above, in a process of its own.
    #[test]
    fn that_there_are_too_many_events_is_said_once() {
        let (_, here) = module_path!().split_once("::").unwrap();
        let test = format!("{here}::of_too_many_events_the_first_are_kept");
        let mut again = process::Command::new(env::current_exe().unwrap());
        let output = again.args(["--exact", &test, "--nocapture"]).output();
        let said = String::from_utf8(output.unwrap().stderr).unwrap();
        assert_eq!(
            said.matches("there have been 2 events").count(),
            1,
            "{said}"
        );
    }

    #[test]
    fn the_limits_are_those_that_the_docs_state() {
        let docs = include_str!("mod.rs");
        assert_eq!(MOST_RECORDS, 2_000_000);
        assert!(docs.contains("After two million events nothing more is kept"));
        assert_eq!(LONG_VIRTUAL_POLL, Duration::from_millis(500));
        assert!(docs.contains("a poll that blocks the thread for half a second"));
    }
}
