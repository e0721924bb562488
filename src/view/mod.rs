//! Shows what happened, in words and in pictures. It needs the feature `view`.
//!
//! # Without changing a program
//!
//! The environment variable `WATCHGLASS` turns the views on for every
//! [`block_on`](crate::block_on) and every [`Executor`](crate::Executor) of a program:
//!
//! ```text
//! WATCHGLASS=story cargo run --example asynchronous
//! WATCHGLASS=virtual,timeline,html:run.html cargo run --example one_sleep
//! ```
//!
//! | value | what it gives (a view: when the executor has been dropped) |
//! |---|---|
//! | `story` | every event as a sentence that says why, and the sums |
//! | `timeline` | a lane a task, as text |
//! | `step` | a walk through the run, forward and back, on standard input and output |
//! | `svg:FILE` | the timeline as a picture |
//! | `html:FILE` | the player: one page, to step through in a browser |
//! | `chrome:FILE` | a trace for [Perfetto](https://ui.perfetto.dev) and chrome://tracing |
//! | `json:FILE` | the events |
//! | `live` | each event as it happens, on standard error |
//! | `for:5s` | no view, but goes with one: what happens after the first five seconds is not shown, and the views come then. The seconds are those of the executor's clock. On the virtual clock, they are also over when so much real time has passed. `ms` and `us` are known, too |
//! | `long:20ms` | no view, but goes with one: a poll that holds the thread for 20 ms is told of as a [long one](crate::Builder::long_poll), unless the program has said itself how long that is. `us` and `s` are known, too |
//! | `virtual` | no view: the program runs on the virtual clock. Unless it has chosen that clock itself, it does not run in a closed world. On that clock a poll that blocks the thread for half a second of real time is told of as a long one |
//! | `closed` | no view: the program runs in a [closed world](crate::Builder::closed_world), where a deadlock over channels or locks ends in a verdict; unless it says otherwise itself |
//! | `seed:7` | no view: tasks are polled in an order that is [shuffled](crate::Builder::seed), unless the program has a seed itself |
//!
//! Join several with commas. Some requests are refused, with a panic, when an executor is made by `Builder::build`,
//! `Executor::new` or `block_on`: a value that is none of these, or that is not UTF-8; `long` if nobody is told; `for`
//! if there is no view; a folder in place of a file; and one file for two views. `step` and the page say if a source
//! was changed since the build.
//!
//! **When they come.** When the executor is dropped. Its thread may end before that, because the executor is leaked,
//! say, or because the thread ends the program with `process::exit`. Then the views come at that moment, and show how
//! far the executor has come. (They do not come if the program ends meanwhile, as it may with a thread of
//! `thread::scope` that is not joined.) If a program hangs, or is killed, or ends on another thread, its views are
//! lost, except for `live` and for what `for:5s` has brought before. Two things are told on standard error at once,
//! because such a program may never end: that a task spins; and, when the thread parks and no timer is armed, the first
//! tasks that can never be polled again. After two million events nothing more is kept, as the last event says, and the
//! views come.
//!
//! **When the log ends before the program**, as `for:5s` asks, the views come from a thread of their own, even while a
//! poll blocks the executor's thread. If that poll has by then taken as long as a long one, it is told as one that goes
//! on. First the files are written. Then it is standard output's turn, as soon as the program does not hold its lock.
//! Very many events take some seconds. Meanwhile the executor stands still at its next event. Then the program goes on,
//! and is watched no more, except by `live`.
//!
//! **Where they go.** `story:FILE` and `timeline:FILE` write to a file instead of standard output. Each executor after
//! the first writes to files of its own: `run-2.html`, and so on. If there has been more than one executor, a text
//! begins with "executor 2 of this program", and if the tasks were shuffled, with their seed. A page's title says the
//! same. If a file cannot be written, the run is not lost: the view is saved in the directory for temporary files, and
//! standard error says where. `step` reads standard input, and says so if the program has it locked.
//!
//! **What the program prints** with `println!` is in the views too, on Linux. (In a test, only with
//! `cargo test -- --nocapture`.) For that, standard output is a file in memory while a watched executor lives (one at a
//! time). What is new in the file is passed on at each event and every 10 ms, the latter by a thread of its own, and
//! also when the thread that made the executor ends. A line that another thread prints is told with the time of the
//! next event, and as the running task's; if a closure of `spawn_blocking` is out, as that task's or the closure's.
//! What `print!` prints is told when the line ends or the program flushes, and otherwise at the end of the run.
//!
//! This has its limits:
//!
//! - What is printed in the last 10 ms before an abort is lost. So is what is printed in the last 10 ms before the
//!   program ends, if an executor lives on another thread than the one that ends the program.
//! - A child process that is started meanwhile has that file too. What it prints arrives for as long as this process
//!   lives. If this process is replaced by another program with `exec`, what that program prints does not arrive.
//! - Code that opens `/dev/stdout` by its name opens that file, and may cut off what has not been passed on.
//! - Standard output is locked for a moment when the executor is made, and when it is dropped or its thread ends. A
//!   thread that holds that lock and waits for the executor makes both wait for ever.
//!
//! # In a program
//!
//! Each view is a method of [`Recording`], an observer that keeps every event:
//!
//! ```
//! use std::time::Duration;
//! use watchglass::{Executor, sleep, trace::Recording};
//!
//! let recording = Recording::new();
//! let executor = Executor::builder().virtual_time().observer(recording.clone()).build();
//! executor.block_on(sleep(Duration::from_secs(1)));
//! print!("{}", recording.story());
//! ```
//!
//! Every view is made from [`State`](crate::trace::State), the fold of the events, or from the events
//! themselves:
//!
//! ```text
//!   Recording ──▶ State, record by record ──▶ a renderer ──▶ text, SVG, HTML, JSON
//! ```
//!
//! The executor knows none of it but one function, which looks whether anybody wants to watch.

mod names;
mod narrator;
mod findings;
mod sums;
mod story;
mod sources;
mod step;
mod axis;
mod lanes;
mod timer_rows;
mod drawing;
mod timeline;
mod sheet;
mod legend;
mod described;
mod svg;
mod json;
mod player;
mod chrome;
#[cfg(target_os = "linux")]
mod printed;
#[cfg(not(target_os = "linux"))]
#[path = "printed_elsewhere.rs"]
mod printed;
mod wish;
mod output;
mod unended;
mod log;
mod watch;
mod snapshot;

#[doc(hidden)]
pub use snapshot::Snapshot;
pub(crate) use watch::watched;

use crate::trace::Recording;

/// Under the feature `view`. Each view is made of everything that is recorded so far, from the
/// executor's first event on.
impl Recording {
    /// Every event as a sentence that says why, one a line, and at the end the sums.
    ///
    /// ```
    /// use std::time::Duration;
    /// use watchglass::{Executor, sleep, trace::Recording};
    ///
    /// let recording = Recording::new();
    /// let executor = Executor::builder().virtual_time().observer(recording.clone()).build();
    /// executor.block_on(sleep(Duration::from_secs(1)));
    /// let story = recording.story();
    /// assert!(story.contains("1.000 s  Sleep polled (poll 2): its timer for 1.000 s fired\n"));
    /// assert!(story.contains("1.000 s of sleep in 1.000 s: 0.000 s overlapped\n"));
    /// ```
    #[must_use]
    pub fn story(&self) -> String {
        let mut text = String::new();
        // A `String` takes whatever is written to it.
        let _ = self.read(|records| story::write(records, &mut text));
        text
    }

    /// A lane a task, as text: its polls, and what it waits for in between. It has 200 lanes at most; of further tasks
    /// it says how many there are.
    ///
    /// ```
    /// # use watchglass::{Executor, sleep, trace::Recording};
    /// # let recording = Recording::new();
    /// # let executor = Executor::builder().virtual_time().observer(recording.clone()).build();
    /// executor.block_on(sleep(std::time::Duration::from_secs(1)));
    /// assert!(recording.timeline().contains("= sleep until 1.000 s ="));
    /// ```
    #[must_use]
    pub fn timeline(&self) -> String {
        self.read(timeline::text)
    }

    /// The [timeline](Recording::timeline) as a picture, for light and dark pages, with the picture
    /// in words for screen readers. It has as many lanes.
    ///
    /// ```
    /// # use watchglass::{Executor, trace::Recording};
    /// # let recording = Recording::new();
    /// # let executor = Executor::builder().virtual_time().observer(recording.clone()).build();
    /// executor.block_on(async {});
    /// assert!(recording.svg().starts_with("<svg "));
    /// ```
    #[must_use]
    pub fn svg(&self) -> String {
        self.read(svg::picture)
    }

    /// One page, to step through the run in a browser: each task, the ready queue and the wheel after
    /// each event, and the source with the `.await` at which each task waits.
    ///
    /// A run of more than 100 tasks or 10,000 events has no timeline in its page.
    ///
    /// The source files are read now, where they are found: under the directory that the program
    /// runs in, or around its package. Its clock tells nanoseconds apart for a hundred days.
    ///
    /// ```
    /// # use watchglass::{Executor, trace::Recording};
    /// # let recording = Recording::new();
    /// # let executor = Executor::builder().virtual_time().observer(recording.clone()).build();
    /// executor.block_on(async {});
    /// assert!(recording.html("one task").starts_with("<!doctype html>"));
    /// ```
    #[must_use]
    pub fn html(&self, title: &str) -> String {
        self.read(|records| player::page(title, records))
    }

    /// The run in Chrome's trace format, which [Perfetto](https://ui.perfetto.dev) and
    /// chrome://tracing open: the polls on the executor's thread, a track for each task's life and
    /// waits and for each thread of the pool, the wakes as arrows, the ready queue's length. Its numbers tell
    /// nanoseconds apart for a hundred days; in longer runs of virtual time arrows may be lost and slices overlap.
    ///
    /// ```
    /// # use watchglass::{Executor, trace::Recording};
    /// # let recording = Recording::new();
    /// # let executor = Executor::builder().virtual_time().observer(recording.clone()).build();
    /// executor.block_on(async {});
    /// assert!(recording.chrome_json().contains("\"traceEvents\""));
    /// ```
    #[must_use]
    pub fn chrome_json(&self) -> String {
        self.read(chrome::trace)
    }

    /// The events as JSON: `{"watchglass": 1, "records": [..]}`, one object a line.
    ///
    /// Each has `seq`, `time_ns`, `event` (the name of the [`Event`](crate::trace::Event)), `says` (the story's
    /// sentence) and the event's fields under their own names; the name of a `Duration` has `_ns` added to it, and it
    /// is in nanoseconds. Tasks, timers and places in the source are texts: `"#3"`, `"timer 0"`,
    /// `"file:line:column"`. Of an enum without fields the text is the variant's name; a
    /// [`Cause`](crate::trace::Cause) and a [`WaitsOn`](crate::trace::WaitsOn) are objects, such as `{"kind":
    /// "Timer", "timer": "timer 0"}`, in which the member beside `kind` is `timer`, or `task`, or `children` (how many
    /// futures), or `name` (of a label), or none; a [`Place`](crate::trace::Place) is `"due"` or
    /// `{"level": 3, "slot": 4}`; `None` is `null`. The fields of a [`LongPoll`](crate::trace::LongPoll) are those of its event. Pass over
    /// events that you do not know.
    ///
    /// ```
    /// # use watchglass::{Executor, trace::Recording};
    /// # let recording = Recording::new();
    /// # let executor = Executor::builder().virtual_time().observer(recording.clone()).build();
    /// executor.block_on(async {});
    /// let json: serde_json::Value = serde_json::from_str(&recording.json()).unwrap();
    /// assert_eq!(json["records"][2]["event"], "PollStarted");
    /// ```
    #[must_use]
    pub fn json(&self) -> String {
        self.read(json::log)
    }
}
