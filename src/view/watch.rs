//! Watches any program's executor, if the environment variable `WATCHGLASS` asks for it.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::env;
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{self, Path, PathBuf};
use std::process;
use std::rc::{Rc, Weak};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use super::printed::{Past, Printed, write_to_stderr};
use super::wish::{View, Wish};
use super::{step, story, timeline};
use crate::builder::{Builder, LONG_POLL};
use crate::task::TaskId;
use crate::trace::{Event, LongPoll, Observer, Record, Recording};

/// Counts the executors that are watched, since each needs files of its own.
static RUNS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static UNENDED: Unended = const { Unended(RefCell::new(Vec::new())) };
}

/// On the virtual clock, polls that took this long by the operating system's are told of. It is longer than on the
/// real clock, for a busy machine may stop any thread for a while, and there every run is to be the same.
const LONG_VIRTUAL_POLL: Duration = Duration::from_millis(500);

const OBSERVER_HAS_PANICKED: &str =
    "an observer has panicked: what happened after that is not shown";

/// That a file is as large as this is told.
const LARGE_MB: usize = 50;

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
    let run = RUNS.fetch_add(1, Ordering::Relaxed) + 1;
    if wish.live {
        let print = move |record: &Record| print_live(run, record);
        builder.observer = Some(match builder.observer.take() {
            Some(own) => Box::new((print, Rc::<dyn Observer>::from(own))),
            None => Box::new(print),
        });
    }
    if !wish.views.is_empty() {
        let own = builder.observer.take();
        let mut watch = Watch::begin(run, wish.views, own);
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

fn print_live(run: usize, record: &Record) {
    write_line(format_args!("{}{record}", which(run)));
}

/// Whose events they are, before an event of an executor after the first.
fn which(run: usize) -> String {
    match run {
        1 => String::new(),
        run => format!("executor {run}  "),
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
            let whose = which(watch.run);
            let why = match watch.has_panicked.get() {
                true => OBSERVER_HAS_PANICKED,
                false => "the thread ends before its executor: the views show how far it has come",
            };
            say(&format!("{whose}{why}"));
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
    /// Where the program was when it was made: it may be elsewhere at the end.
    folder: PathBuf,
    /// When it was made, and with it the executor's clock.
    began: Instant,
    /// What a long poll is, on the real clock.
    long_poll: Option<Duration>,
    /// From 1; the second run's files have `-2` in their names.
    run: usize,
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
    fn begin(run: usize, views: Vec<View>, own: Option<Box<dyn Observer>>) -> Self {
        let printed = Printed::watch().unwrap_or_else(|error| {
            say(&format!(
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
            folder: env::current_dir().unwrap_or_default(),
            run,
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
        say(&format!("{}{}", which(self.run), record.event));
        self.recording.observe_owned(record);
        // Such a program may never come to its end.
        let files = self.views.iter().filter(|view| view.file().is_some());
        files.for_each(|view| self.show_or_say(view));
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
        format!("{}{}", which(self.run), self.recording.read(told))
    }

    /// Shows an executor that lives, and with it a poll from which nobody comes back.
    fn show_unended(&self) {
        if let Some(long) = self.long_poll {
            let time = self.began.elapsed();
            if self.printed.borrow().is_some() {
                let _ = io::stdout().flush();
            }
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

    fn show_all(&self) {
        self.has_shown.set(true);
        let last = self.recording.read(|records| records.last().cloned());
        // The last line may have no end, and then it is still in the standard library's buffer.
        if self.printed.borrow().is_some() {
            let _ = io::stdout().flush();
        }
        if let Some(last) = last {
            self.record_printed(&last);
        }
        // Standard output is the real one again from here on.
        self.printed.take();
        let is_written = |view: &View| self.is_full() && view.file().is_some();
        let views = self.views.iter().filter(|view| !is_written(view));
        views.for_each(|view| self.show_or_say(view));
    }

    fn show_or_say(&self, view: &View) {
        match self.show(view) {
            // Nobody reads any more: `.. | head`, say.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            Err(error) => say(&format!("{view} cannot be shown: {error}")),
            Ok(()) => {}
        }
    }

    fn show(&self, view: &View) -> io::Result<()> {
        let recording = &self.recording;
        match view {
            View::Step => {
                // One walk at a time, or a second one would take the first for the program.
                static WALK: Mutex<()> = Mutex::new(());
                let _alone = WALK.lock().unwrap_or_else(PoisonError::into_inner);
                if !is_input_free() {
                    return Err(io::Error::other("the program reads standard input itself"));
                }
                let input = io::stdin().lock();
                self.print("")?;
                recording.read(|records| step::walk(records, input, Past))
            }
            View::Story(None) => self.print(&recording.story()),
            View::Timeline(None) => {
                let text = |records: &[Record]| timeline::text_for(records, Past::columns());
                self.print(&recording.read(text))
            }
            View::Story(Some(file)) => self.save(file, &recording.story()),
            View::Timeline(Some(file)) => self.save(file, &recording.timeline()),
            View::Svg(file) => self.save(file, &recording.svg()),
            View::Html(file) => self.save(file, &recording.html(&title(&program(), self.run))),
            View::Chrome(file) => self.save(file, &recording.chrome_json()),
            View::Json(file) => self.save(file, &recording.json()),
        }
    }

    /// Prints a view, and first whose it is. Where there is only one so far, as in most programs, that needs no word.
    fn print(&self, text: &str) -> io::Result<()> {
        // Until the end: that of an executor on another thread must not come in between.
        let _alone = io::stdout().lock();
        Past.begin_line()?;
        if RUNS.load(Ordering::Relaxed) > 1 {
            writeln!(Past, "executor {} of this program", self.run)?;
        }
        Past.write_all(text.as_bytes())
    }

    /// Writes a file. What cannot be written there is not lost, but saved where it can be.
    fn save(&self, file: &Path, text: &str) -> io::Result<()> {
        let file = numbered(file, self.run);
        let Err(error) = fs::write(self.folder.join(&file), text) else {
            say(&format!(
                "{} is written{}",
                file.display(),
                size_told(text.len())
            ));
            return Ok(());
        };
        let name = file.file_name().unwrap_or(OsStr::new("run"));
        // Two files of one name may have been meant for two folders.
        static SAVED: AtomicUsize = AtomicUsize::new(0);
        let instead = env::temp_dir().join(format!(
            "watchglass-{}-{}-{}",
            process::id(),
            SAVED.fetch_add(1, Ordering::Relaxed) + 1,
            name.to_string_lossy()
        ));
        let (file, shown) = (file.display(), instead.display());
        match fs::write(&instead, text) {
            Ok(()) => say(&format!(
                "cannot write {file}: {error}; it was saved as {shown} instead"
            )),
            Err(_) => say(&format!(
                "cannot write {file}: {error}; nor can {shown} be written"
            )),
        }
        Ok(())
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
                say(&self.sentence(task, &record));
            }
            // Nor has one that waits for such a task: told when nothing is left to be done for now.
            Event::ForgottenWaker { task } if !self.has_told_forgotten.get() => {
                let told = || Some((task, self.sentence(task, &record)));
                self.forgotten.set(self.forgotten.take().or_else(told));
            }
            Event::Parked { until: None } => {
                if let Some((_, told)) = self.forgotten.take() {
                    self.has_told_forgotten.set(true);
                    say(&told);
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

/// Of a large file it is said how large it is.
fn size_told(bytes: usize) -> String {
    match bytes / 1_000_000 {
        ..LARGE_MB => String::new(),
        megabytes => format!(" ({megabytes} MB: to open it may take long)"),
    }
}

/// `run.svg`, and for the second run of the process `run-2.svg`.
fn numbered(file: &Path, run: usize) -> PathBuf {
    if run == 1 {
        return file.to_owned();
    }
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    match file.extension() {
        Some(extension) => {
            file.with_file_name(format!("{stem}-{run}.{}", extension.to_string_lossy()))
        }
        None => file.with_file_name(format!("{stem}-{run}")),
    }
}

/// A page's title. Of several executors the pages are told apart by it.
fn title(program: &str, run: usize) -> String {
    match run {
        1 => program.to_owned(),
        run => format!("{program}, executor {run}"),
    }
}

/// What the program is called.
fn program() -> String {
    let path = env::args_os().next().map(PathBuf::from);
    let stem = path.as_deref().and_then(Path::file_stem);
    stem.unwrap_or(OsStr::new("watchglass"))
        .to_string_lossy()
        .into_owned()
}

/// False if somebody has locked standard input: this very thread, perhaps, which ends and so never unlocks it. Only to
/// lock it shows that, so another thread tries.
fn is_input_free() -> bool {
    let (sender, locked) = mpsc::channel();
    let tries = move || {
        drop(io::stdin().lock());
        let _ = sender.send(());
    };
    // Where there is no thread to be had, as if it were free.
    let tried = thread::Builder::new().spawn(tries);
    tried.is_err() || locked.recv_timeout(Duration::from_secs(1)).is_ok()
}

/// Not by the standard library's lock: whoever holds that may never let go of it, and the program is about to exit.
fn say(message: &str) {
    write_to_stderr(format!("watchglass: {message}\n").as_bytes());
}

/// In one piece, for other threads write there too. Nobody may be there to read it.
fn write_line(line: fmt::Arguments<'_>) {
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::UnparkCause;

    #[test]
    fn of_too_many_events_the_first_are_kept() {
        let file = env::temp_dir().join(format!("watchglass-full-{}.json", process::id()));
        let mut watch = Watch::begin(1, vec![View::Json(file.clone())], None);
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

    #[test]
    fn of_a_large_file_its_size_is_told() {
        assert_eq!(size_told(49_999_999), "");
        assert_eq!(size_told(50_000_000), " (50 MB: to open it may take long)");
    }

    #[test]
    fn each_further_run_has_files_of_its_own() {
        let name = |run| numbered(Path::new("a/run.svg"), run);
        assert_eq!(name(1), Path::new("a/run.svg"));
        assert_eq!(name(2), Path::new("a/run-2.svg"));
        assert_eq!(numbered(Path::new("run"), 3), Path::new("run-3"));
    }

    #[test]
    fn each_further_runs_page_has_a_title_of_its_own() {
        assert_eq!(title("race", 1), "race");
        assert_eq!(title("race", 2), "race, executor 2");
    }
}
