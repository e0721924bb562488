//! Shows what happened, in words and in pictures. All of it is behind the feature `view`, and the
//! executor knows none of it but [`watched`], which looks whether anybody wants to watch.
//!
//! ```text
//!   Recording ──▶ State, record by record ──▶ a renderer ──▶ text, SVG, HTML, JSON
//! ```
//!
//! Any program that runs on [`block_on`](crate::block_on) or an [`Executor`](crate::Executor) is
//! shown without a change to it:
//!
//! ```text
//!   WATCHGLASS=story,svg:run.svg cargo run --example one_sleep
//! ```

mod chrome;
mod findings;
mod json;
mod lanes;
mod names;
mod narrator;
mod player;
#[cfg(target_os = "linux")]
mod printed;
#[cfg(not(target_os = "linux"))]
#[path = "printed_elsewhere.rs"]
mod printed;
mod snapshot;
mod sources;
mod step;
mod story;
mod sums;
mod svg;
mod timeline;
mod watch;
mod wish;

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
    /// assert!(story.contains("1.000 s of waiting in 1.000 s: 0.000 s overlapped\n"));
    /// ```
    pub fn story(&self) -> String {
        let mut text = String::new();
        // A `String` takes whatever is written to it.
        let _ = self.read(|records| story::write(records, &mut text));
        text
    }

    /// A lane a task, as text: its polls, and what it waits for in between.
    ///
    /// ```
    /// # use watchglass::{Executor, sleep, trace::Recording};
    /// # let recording = Recording::new();
    /// # let executor = Executor::builder().virtual_time().observer(recording.clone()).build();
    /// executor.block_on(sleep(std::time::Duration::from_secs(1)));
    /// assert!(recording.timeline().contains("= sleep until 1.000 s ="));
    /// ```
    pub fn timeline(&self) -> String {
        self.read(timeline::text)
    }

    /// The [timeline](Recording::timeline) as a picture, for light and dark pages, with the picture
    /// in words for screen readers.
    ///
    /// ```
    /// # use watchglass::{Executor, trace::Recording};
    /// # let recording = Recording::new();
    /// # let executor = Executor::builder().virtual_time().observer(recording.clone()).build();
    /// executor.block_on(async {});
    /// assert!(recording.svg().starts_with("<svg "));
    /// ```
    pub fn svg(&self) -> String {
        self.read(svg::picture)
    }

    /// One page, to step through the run in a browser: each task, the ready queue and the wheel after
    /// each event, and the source with the `.await` at which each task waits.
    ///
    /// The source files are read now, where they are found: under the directory that the program
    /// runs in, or around its package.
    ///
    /// ```
    /// # use watchglass::{Executor, trace::Recording};
    /// # let recording = Recording::new();
    /// # let executor = Executor::builder().virtual_time().observer(recording.clone()).build();
    /// executor.block_on(async {});
    /// assert!(recording.html("one task").starts_with("<!doctype html>"));
    /// ```
    pub fn html(&self, title: &str) -> String {
        self.read(|records| player::page(title, records))
    }

    /// The run in Chrome's trace format, which [Perfetto](https://ui.perfetto.dev) and
    /// chrome://tracing open: the polls on the executor's thread, a track for each task's life and
    /// waits and for each thread of the pool, the wakes as arrows, the ready queue's length.
    ///
    /// ```
    /// # use watchglass::{Executor, trace::Recording};
    /// # let recording = Recording::new();
    /// # let executor = Executor::builder().virtual_time().observer(recording.clone()).build();
    /// executor.block_on(async {});
    /// assert!(recording.chrome_json().contains("\"traceEvents\""));
    /// ```
    pub fn chrome_json(&self) -> String {
        self.read(chrome::trace)
    }

    /// The events as JSON, with the story's sentences: times in nanoseconds, ids as they are
    /// displayed.
    ///
    /// ```
    /// # use watchglass::{Executor, trace::Recording};
    /// # let recording = Recording::new();
    /// # let executor = Executor::builder().virtual_time().observer(recording.clone()).build();
    /// executor.block_on(async {});
    /// let json: serde_json::Value = serde_json::from_str(&recording.json()).unwrap();
    /// assert_eq!(json["records"][2]["event"], "PollStarted");
    /// ```
    pub fn json(&self) -> String {
        self.read(json::log)
    }
}
