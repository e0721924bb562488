//! A view goes to where it was asked for: to standard output, into a file, or to whoever walks through it. And what is
//! said of the views goes to standard error.

use std::env;
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use super::printed::{Past, write_to_stderr};
use super::wish::View;
use super::{step, timeline};
use crate::trace::{Record, Recording};

/// Counts the executors that are watched, since each needs files of its own.
static RUNS: AtomicUsize = AtomicUsize::new(0);

/// That a file is as large as this is told.
const LARGE_MB: usize = 50;

/// Where the views of one executor go.
pub(crate) struct Output {
    /// From 1; the second executor's files have `-2` in their names.
    run: usize,
    /// In the order of which number its tasks are polled, if that is shuffled.
    seed: Option<u64>,
    /// Where the program was when it was made: it may be elsewhere at the end.
    folder: PathBuf,
}

impl Output {
    pub(crate) fn of_next_executor(seed: Option<u64>) -> Self {
        Output {
            run: RUNS.fetch_add(1, Ordering::Relaxed) + 1,
            seed,
            folder: env::current_dir().unwrap_or_default(),
        }
    }

    /// Whose it is, before what is said of an executor after the first.
    pub(crate) fn whose(&self) -> String {
        match self.run {
            1 => String::new(),
            run => format!("executor {run}  "),
        }
    }

    pub(crate) fn say(&self, message: impl fmt::Display) {
        say(format_args!("{}{message}", self.whose()));
    }

    /// Shows one view, or says why not.
    pub(crate) fn show(&self, view: &View, recording: &Recording) {
        match self.try_show(view, recording) {
            // Nobody reads any more: `.. | head`, say.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            Err(error) => say(format_args!("{view} cannot be shown: {error}")),
            Ok(()) => {}
        }
    }

    fn try_show(&self, view: &View, recording: &Recording) -> io::Result<()> {
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
            View::Story(Some(file)) => self.save(file, &(self.heading() + &recording.story())),
            View::Timeline(Some(file)) => {
                self.save(file, &(self.heading() + &recording.timeline()))
            }
            View::Svg(file) => self.save(file, &recording.svg()),
            View::Html(file) => self.save(file, &recording.html(&self.title(&program()))),
            View::Chrome(file) => self.save(file, &recording.chrome_json()),
            View::Json(file) => self.save(file, &recording.json()),
        }
    }

    /// Prints a view, and first whose it is. Where there is only one so far, as in most programs, that needs no word,
    /// but for its seed.
    fn print(&self, text: &str) -> io::Result<()> {
        // Until the end: that of an executor on another thread must not come in between.
        let _alone = io::stdout().lock();
        Past.begin_line()?;
        Past.write_all(self.heading().as_bytes())?;
        Past.write_all(text.as_bytes())
    }

    /// Whose the text is, and its seed: a line, or nothing.
    fn heading(&self) -> String {
        let is_one_of_several = RUNS.load(Ordering::Relaxed) > 1;
        let whose = is_one_of_several.then(|| format!("executor {} of this program", self.run));
        let parts: Vec<String> = whose.into_iter().chain(self.order()).collect();
        match parts.is_empty() {
            true => String::new(),
            false => parts.join(", ") + "\n",
        }
    }

    /// A page's title, by which the pages of several executors, or of several seeds, are told apart.
    fn title(&self, program: &str) -> String {
        let whose = (self.run > 1).then(|| format!("executor {}", self.run));
        let parts = [Some(program.to_owned()), whose, self.order()];
        parts
            .into_iter()
            .flatten()
            .collect::<Vec<String>>()
            .join(", ")
    }

    fn order(&self) -> Option<String> {
        self.seed.map(|seed| format!("in the order of seed {seed}"))
    }

    /// Writes a file. What cannot be written there is not lost, but saved where it can be.
    fn save(&self, file: &Path, text: &str) -> io::Result<()> {
        let file = numbered(file, self.run);
        let Err(error) = fs::write(self.folder.join(&file), text) else {
            say(format_args!(
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
            Ok(()) => say(format_args!(
                "cannot write {file}: {error}; it was saved as {shown} instead"
            )),
            Err(_) => say(format_args!(
                "cannot write {file}: {error}; nor can {shown} be written"
            )),
        }
        Ok(())
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
pub(crate) fn say(message: impl fmt::Display) {
    write_to_stderr(format!("watchglass: {message}\n").as_bytes());
}

/// In one piece, for other threads write there too. Nobody may be there to read it.
pub(crate) fn write_line(line: fmt::Arguments<'_>) {
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_page_s_title_tells_it_from_those_of_other_executors_and_seeds() {
        let title = |run, seed| {
            let folder = PathBuf::new();
            Output { run, seed, folder }.title("race")
        };
        assert_eq!(title(1, None), "race");
        assert_eq!(title(2, None), "race, executor 2");
        assert_eq!(title(1, Some(7)), "race, in the order of seed 7");
        assert_eq!(
            title(2, Some(7)),
            "race, executor 2, in the order of seed 7"
        );
    }
}
