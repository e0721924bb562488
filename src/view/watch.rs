//! Watches any program's executor, if the environment variable `WATCHGLASS` asks for it.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::env;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path;
use std::rc::{Rc, Weak};
use std::slice;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::log::{Cut, Limits, Log, MOST_RECORDS, flush, lock, show};
use super::output::{Output, say, write_line};
use super::wish::{View, Wish};
use crate::builder::{Builder, LONG_POLL};
use crate::task::TaskId;
use crate::trace::{Event, Observer, Record, named};

thread_local! {
    static UNENDED: Unended = const { Unended(RefCell::new(Vec::new())) };
}

/// On the virtual clock, polls that took this long by the operating system's are told of. It is longer than on the
/// real clock, for a busy machine may stop any thread for a while, and there every run is to be the same.
const LONG_VIRTUAL_POLL: Duration = Duration::from_millis(500);

const OBSERVER_HAS_PANICKED: &str =
    "an observer has panicked: what happened after that is not shown";

/// The builder, with what `WATCHGLASS` asks for added to it.
///
/// # Panics
///
/// If the variable has a value that is not known, names a folder or twice the same file, says what a long poll is and
/// nobody is told, or how long the log is and there is no view.
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
    assert!(
        wish.at_most.is_none() || !wish.views.is_empty(),
        "WATCHGLASS={values} asks for no view: add one, as in WATCHGLASS={values},timeline"
    );
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
    let output = Output::of_next_executor(builder.seed);
    if wish.live {
        let whose = output.whose();
        let print = move |record: &Record| write_line(format_args!("{whose}{record}"));
        builder.observer = Some(match builder.observer.take() {
            Some(own) => Box::new((print, Rc::<dyn Observer>::from(own))),
            None => Box::new(print),
        });
    }
    if !wish.views.is_empty() {
        let limits = Limits {
            at_most: wish.at_most,
            events: MOST_RECORDS,
            long_poll: builder.long_poll.unwrap_or(LONG_POLL),
        };
        let log = Log::begin(wish.views, output, builder.virtual_time, limits);
        let watch = Rc::new(Watch::begin(log, wish.at_most, builder.observer.take()));
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
        let is_unended = |watch: &Rc<Watch>| !watch.has_ended.get();
        let watches = self.0.take();
        for watch in watches.iter().filter_map(Weak::upgrade).filter(is_unended) {
            watch.cut_off();
        }
    }
}

/// So many findings are kept until the first that is still so can be said.
const LOST_KEPT: usize = 20;

struct Watch {
    log: Arc<Mutex<Log>>,
    /// Goes with the watch, and so tells whoever looks after the time that there is nothing to wait for.
    _lives: Option<Sender<()>>,
    has_told_spin: Cell<bool>,
    /// What was told of tasks that can never be polled again, and after how many records, until it is said, or one of
    /// them is polled all the same.
    lost: RefCell<Vec<(usize, Record)>>,
    has_told_lost: Cell<bool>,
    /// True once its executor has.
    has_ended: Cell<bool>,
    /// True once the program's own observer has: then nothing more is told, nor the end.
    has_panicked: Cell<bool>,
    /// The program's own observer.
    own: Option<Box<dyn Observer>>,
}

impl Watch {
    fn begin(log: Log, at_most: Option<Duration>, own: Option<Box<dyn Observer>>) -> Self {
        let log = Arc::new(Mutex::new(log));
        Watch {
            _lives: at_most.and_then(|at_most| look_after_the_time(at_most, &log)),
            log,
            has_told_spin: Cell::new(false),
            lost: RefCell::default(),
            has_told_lost: Cell::new(false),
            has_ended: Cell::new(false),
            has_panicked: Cell::new(false),
            own,
        }
    }

    /// Has the log shown if this closes it: on a thread of its own, for another may hold standard output and wait for
    /// the executor.
    fn with_log(&self, add: impl FnOnce(&mut Log)) {
        let mut log = lock(&self.log);
        let was_closed = log.is_closed();
        add(&mut log);
        let closes = log.is_closed() && !was_closed;
        drop(log);
        if closes {
            let log = self.log.clone();
            if let Err(error) = on_a_thread(move || show(&log)) {
                say(format_args!(
                    "the views come at the end, for there is no thread: {error}"
                ));
            }
        }
    }

    /// Shows how far an executor has come that has no end.
    fn cut_off(&self) {
        self.has_ended.set(true);
        flush(&self.log);
        let mut log = lock(&self.log);
        if !log.is_closed() {
            log.say(match self.has_panicked.get() {
                true => OBSERVER_HAS_PANICKED,
                false => "the thread ends before its executor: the views show how far it has come",
            });
            log.cut(Cut::ThreadEnds);
        }
        drop(log);
        show(&self.log);
    }

    /// What is said at once, and not only in the views.
    fn warn(&self, record: &Record, log: &Log) {
        match record.event {
            Event::PollStarted { task, .. } | Event::Dropping { task } => {
                let mut lost = self.lost.borrow_mut();
                lost.retain(|(_, record)| !lost_tasks(&record.event).contains(&task));
            }
            // A program that spins for ever has no end at which a view could say so.
            Event::Spinning { task, .. } if !self.has_told_spin.replace(true) => {
                log.say(log.sentence(&[task], log.len(), record));
            }
            // Nor has one that waits for such a task: told when nothing is left to be done for now.
            Event::ForgottenWaker { .. } | Event::Deadlock { .. } => {
                let mut lost = self.lost.borrow_mut();
                if !self.has_told_lost.get() && lost.len() < LOST_KEPT {
                    lost.push((log.len(), record.clone()));
                }
            }
            Event::Parked { until: None } => {
                if let Some((before, first)) = self.lost.take().first() {
                    self.has_told_lost.set(true);
                    log.say(log.sentence(lost_tasks(&first.event), *before, first));
                }
            }
            _ => {}
        }
    }

    fn show_all(&self) {
        self.has_ended.set(true);
        flush(&self.log);
        lock(&self.log).end();
        show(&self.log);
    }
}

/// The tasks of which it is told that they can never be polled again: of very many those that are named.
fn lost_tasks(event: &Event) -> &[TaskId] {
    match event {
        Event::ForgottenWaker { task } => slice::from_ref(task),
        Event::Deadlock { circle } => named(circle).0,
        _ => &[],
    }
}

impl Observer for Watch {
    fn observe(&self, record: &Record) {
        self.observe_owned(record.clone());
    }

    fn observe_owned(&self, record: Record) {
        self.with_log(|log| {
            log.follow(&record);
            if !log.is_closed() {
                self.warn(&record, log);
                log.add(record.clone());
            }
        });
        if let Some(own) = &self.own {
            let time = record.time;
            let told = catch_unwind(AssertUnwindSafe(|| own.observe_owned(record)));
            if let Err(panic) = told {
                self.has_panicked.set(true);
                lock(&self.log).follow_no_more();
                resume_unwind(panic);
            }
            // The observer's lines are not those of the task that runs.
            self.with_log(|log| log.add_printed_by(None, time));
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
        if !self.has_ended.get() {
            let log = lock(&self.log);
            if !log.is_closed() {
                log.say(OBSERVER_HAS_PANICKED);
            }
            drop(log);
            self.show_all();
        }
    }
}

/// A thread ends the log then, and shows it, unless the executor has ended: nothing may ever happen any more on the
/// executor's own.
fn look_after_the_time(at_most: Duration, log: &Arc<Mutex<Log>>) -> Option<Sender<()>> {
    let (lives, executor) = channel();
    let log = log.clone();
    let waits = move || {
        if let Err(RecvTimeoutError::Timeout) = executor.recv_timeout(at_most) {
            lock(&log).cut(Cut::Asked);
            show(&log);
        }
    };
    match on_a_thread(waits) {
        Ok(()) => Some(lives),
        Err(error) => {
            say(format_args!(
                "the log will end at an event, for there is no thread: {error}"
            ));
            None
        }
    }
}

fn on_a_thread(run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let named = thread::Builder::new().name("watchglass-shows".into());
    named.spawn(run).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_are_those_that_the_docs_state() {
        let docs = include_str!("mod.rs");
        assert_eq!(MOST_RECORDS, 2_000_000);
        assert!(docs.contains("After two million events nothing more is kept"));
        for row in ["for:5s", "long:20ms", "virtual", "closed", "seed:7"] {
            assert!(
                docs.contains(&format!("\n//! | `{row}` | no view")),
                "{row}"
            );
        }
        assert_eq!(LONG_VIRTUAL_POLL, Duration::from_millis(500));
        assert!(docs.contains("a poll that blocks the thread for half a second"));
    }
}
