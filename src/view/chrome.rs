//! The run in Chrome's trace format, for Perfetto and chrome://tracing.
//!
//! The format (Google, "Trace Event Format", 2016) is a list of objects with a phase `ph`: `X` is a
//! slice with a start and a length, `s` and `f` are the two ends of an arrow, `C` is a counter, `i`
//! is a moment (what was found to be wrong), `M` names a track. Times are in microseconds. Slices on
//! one track must nest, so everything that can overlap has a track of its own: the executor's thread,
//! each task's life, each thread of the pool.
//!
//! Perfetto drops an arrow whose end lies in no slice, and on the virtual clock a poll takes no time,
//! so that nothing can lie in it. Here each record is at least a nanosecond after the one before it. (The
//! format's numbers have 53 bits: in a run of more than a hundred days a nanosecond is lost in them, and
//! arrows with it.)

use std::collections::HashMap;
use std::mem;
use std::time::Duration;

use serde_json::{Value, json};

use super::drawing::former_waiter;
use super::findings::{is_finding, is_useless_wake};
use super::names::Names;
use super::narrator::Narrator;
use crate::task::TaskId;
use crate::trace::{Cause, Effect, Event, Record};

/// All tracks are in one process.
const PROCESS: u64 = 1;
const EXECUTOR: u64 = 1;
const FIRST_TASK: u64 = 1_000;
const FIRST_THREAD: u64 = 1_000_000_000;
/// The least that anything takes.
const TICK: Duration = Duration::from_nanos(1);

pub(crate) fn trace(records: &[Record]) -> String {
    let names = Names::of(records);
    let mut trace = Trace {
        narrator: Narrator::new(&names),
        events: Vec::new(),
        tasks: HashMap::new(),
        threads: HashMap::new(),
        poll: None,
        parked_since: None,
        wakes: HashMap::new(),
        arrows: 0,
        ready: 0,
        last: None,
    };
    trace.name("process_name", 0, "watchglass");
    trace.name("thread_name", EXECUTOR, "executor");
    for record in records {
        trace.add(record);
    }
    trace.close();
    format!(
        "{{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n{}\n]}}\n",
        trace.events.join(",\n")
    )
}

struct Trace<'a> {
    narrator: Narrator<'a>,
    events: Vec<String>,
    tasks: HashMap<TaskId, Track>,
    /// The pool's threads by name: the track of each, and what it has run.
    threads: HashMap<String, (u64, Vec<Run>)>,
    /// The poll that runs: since when, and why.
    poll: Option<(Duration, String)>,
    parked_since: Option<Duration>,
    /// The arrows that have begun and lead to a task's next poll.
    wakes: HashMap<TaskId, u64>,
    arrows: u64,
    ready: usize,
    /// When the last record was.
    last: Option<Duration>,
}

/// A closure on a thread of the pool.
struct Run {
    name: String,
    start: Duration,
    took: Duration,
    /// When the executor was told.
    told: Duration,
}

/// A task's track.
struct Track {
    id: u64,
    spawned: Duration,
    /// What it waits for, and since when.
    waits: Option<(Duration, String)>,
    /// For a task that stands for a closure: when that was handed over.
    closure: Option<Duration>,
    ended: Option<Duration>,
}

impl Trace<'_> {
    fn add(&mut self, record: &Record) {
        let now = match self.last {
            Some(last) => record.time.max(last + TICK),
            None => record.time.max(TICK),
        };
        self.last = Some(now);
        let event = &record.event;
        let found = match is_finding(event, &self.narrator) {
            true => Some("found"),
            false => is_useless_wake(event).then_some("useless wake"),
        };
        let former = former_waiter(self.narrator.state(), event);
        let told = self.narrator.tell(record);
        if let Some(task) = former {
            self.waits_for_something_else(task, now);
        }
        if let Some(found) = found {
            self.push(&json!({
                "ph": "i", "name": told, "cat": found, "pid": PROCESS, "tid": EXECUTOR,
                "ts": micros(now), "s": "t",
            }));
        }
        match event {
            Event::Spawned { task, .. } => self.spawned(*task, now),
            Event::Woken { task, by, effect } => {
                self.stops_waiting(*task, now);
                // One that has ended may be in the queue still, and is passed over there.
                if *effect != Effect::Finished {
                    self.woken(*task, *by, now);
                }
            }
            Event::PollStarted { task, .. } => {
                self.stops_waiting(*task, now);
                self.poll = Some((now, told));
                if let Some(arrow) = self.wakes.remove(task) {
                    self.arrow("f", arrow, EXECUTOR, now);
                }
            }
            Event::PollEnded { task, ready, .. } => {
                self.poll_ended(*task, now);
                if !ready {
                    self.waits(*task, now);
                }
            }
            Event::ForgottenWaker { task } => {
                if self.narrator.is_lost() {
                    self.stops_waiting(*task, now);
                }
                if let Some(track) = self.tasks.get_mut(task) {
                    let since = track.waits.take().map_or(now, |(since, _)| since);
                    track.waits = Some((since, "waits, and nobody has its waker".to_owned()));
                }
            }
            // To drop it holds the thread like a poll.
            Event::Dropping { task } => {
                self.stops_waiting(*task, now);
                self.poll = Some((now, told));
            }
            Event::Parked { .. } => self.parked_since = Some(now),
            Event::Unparked { .. } => {
                if let Some(since) = self.parked_since.take() {
                    self.slice(EXECUTOR, "parked", since, now, json!({"why": told}));
                }
            }
            Event::BlockingStarted { task } => {
                if let Some(track) = self.tasks.get_mut(task) {
                    track.closure = Some(now);
                }
            }
            Event::BlockingDone {
                task,
                thread,
                queued,
                took,
            } => self.closure(*task, thread, *queued, *took, now),
            Event::Completed { task }
            | Event::Cancelled { task }
            | Event::Panicked { task, .. } => {
                self.poll_ended(*task, now);
                self.ended(*task, now);
            }
            _ => {}
        }
        let ready = self.narrator.state().ready().len();
        if ready != self.ready {
            self.ready = ready;
            self.push(&json!({
                "ph": "C", "name": "ready queue", "pid": PROCESS, "tid": EXECUTOR,
                "ts": micros(now), "args": {"tasks": ready},
            }));
        }
    }

    fn spawned(&mut self, task: TaskId, now: Duration) {
        let id = FIRST_TASK + self.tasks.len() as u64;
        let name = self.narrator.name(task);
        self.name("thread_name", id, &name);
        let track = Track {
            id,
            spawned: now,
            waits: None,
            closure: None,
            ended: None,
        };
        self.tasks.insert(task, track);
    }

    /// An arrow begins in the slice of the task that wakes, which is being polled or has just been.
    fn woken(&mut self, task: TaskId, by: Cause, now: Duration) {
        let is_queued = self.narrator.state().entry(task).is_some();
        let from_poll = self.poll.is_some()
            && matches!(
                by,
                Cause::Task(_) | Cause::Itself | Cause::Spawned | Cause::Aborted
            );
        if by == Cause::Aborted {
            self.leads_nowhere(task, now);
        }
        let from = match by {
            // The last moment of the task that has ended.
            Cause::Joined(ended) => self
                .tasks
                .get(&ended)
                .and_then(|track| Some((track.id, track.ended? - TICK))),
            _ => from_poll.then_some((EXECUTOR, now)),
        };
        let (Some((from, at)), true) = (from, is_queued) else {
            return;
        };
        // One that an observer has spawned has no track, and an arrow to it might have no end.
        if self.wakes.contains_key(&task) || !self.tasks.contains_key(&task) {
            return;
        }
        self.arrows += 1;
        self.wakes.insert(task, self.arrows);
        self.arrow("s", self.arrows, from, at);
    }

    fn poll_ended(&mut self, task: TaskId, now: Duration) {
        if let Some((since, why)) = self.poll.take() {
            let name = self.narrator.name(task);
            self.slice(EXECUTOR, &name, since, now, json!({"why": why}));
        }
    }

    fn waits(&mut self, task: TaskId, now: Duration) {
        let Some(state) = self.narrator.state().task(task) else {
            return;
        };
        // What was woken during its own poll does not wait.
        if state.queued {
            return;
        }
        let on = format!("waits{}", self.narrator.waiting(state));
        if let Some(track) = self.tasks.get_mut(&task) {
            track.waits = Some((now, on));
        }
    }

    /// What a waiting task has waited for is gone, and nobody has woken it for that.
    fn waits_for_something_else(&mut self, task: TaskId, now: Duration) {
        if self
            .tasks
            .get(&task)
            .is_some_and(|track| track.waits.is_some())
        {
            self.stops_waiting(task, now);
            self.waits(task, now);
        }
    }

    fn stops_waiting(&mut self, task: TaskId, now: Duration) {
        let Some(track) = self.tasks.get_mut(&task) else {
            return;
        };
        if let Some((since, on)) = track.waits.take() {
            let id = track.id;
            self.slice(id, &on, since, now, json!({}));
        }
    }

    fn closure(
        &mut self,
        task: TaskId,
        thread: &str,
        queued: Duration,
        took: Duration,
        now: Duration,
    ) {
        let handed_over = self.tasks.get(&task).and_then(|track| track.closure);
        let start = (handed_over.unwrap_or(now) + queued).min(now.saturating_sub(took));
        let run = Run {
            name: self.narrator.name(task),
            start,
            took,
            told: now,
        };
        let id = FIRST_THREAD + self.threads.len() as u64;
        if let Some((_, runs)) = self.threads.get_mut(thread) {
            runs.push(run);
            return;
        }
        self.name("thread_name", id, thread);
        self.threads.insert(thread.to_owned(), (id, vec![run]));
    }

    /// One after the other, which is not always the order in which the executor was told.
    fn runs_of_threads(&mut self) {
        let mut threads: Vec<(u64, Vec<Run>)> =
            mem::take(&mut self.threads).into_values().collect();
        threads.sort_unstable_by_key(|&(id, _)| id);
        for (id, mut runs) in threads {
            runs.sort_by_key(|run| run.start);
            let mut free_from = Duration::ZERO;
            for run in runs {
                // The two clocks are read a moment apart: so much is made up for here. How long it took was not.
                let start = run.start.max(free_from).min(run.told - TICK);
                let end = (start + run.took).min(run.told).max(start + TICK);
                self.slice(id, &run.name, start, end, json!({}));
                free_from = end;
            }
        }
    }

    fn ended(&mut self, task: TaskId, now: Duration) {
        self.stops_waiting(task, now);
        let name = self.narrator.name(task);
        let Some(track) = self.tasks.get_mut(&task) else {
            return;
        };
        track.ended = Some(now);
        let (id, spawned) = (track.id, track.spawned);
        self.slice(id, &name, spawned, now, json!({}));
        // Within the slice.
        self.leads_nowhere(task, now - TICK);
    }

    /// The arrow to a task leads to no poll. It ends on the task's track, for otherwise it would be half an arrow.
    fn leads_nowhere(&mut self, task: TaskId, at: Duration) {
        if let Some(arrow) = self.wakes.remove(&task)
            && let Some(track) = self.tasks.get(&task)
        {
            self.arrow("f", arrow, track.id, at);
        }
    }

    /// The log has come to its end, and with it whatever goes on.
    fn close(&mut self) {
        let Some(last) = self.last else {
            return;
        };
        let end = last + TICK;
        self.runs_of_threads();
        if let Some(running) = self.narrator.state().running() {
            self.poll_ended(running, end);
        }
        if let Some(since) = self.parked_since.take() {
            self.slice(EXECUTOR, "parked", since, end, json!({}));
        }
        let unfinished = self.tasks.iter().filter(|(_, track)| track.ended.is_none());
        let mut unfinished: Vec<TaskId> = unfinished.map(|(&task, _)| task).collect();
        unfinished.sort_unstable();
        for task in unfinished {
            self.ended(task, end);
        }
    }

    fn push(&mut self, event: &Value) {
        self.events.push(event.to_string());
    }

    fn slice(&mut self, track: u64, name: &str, from: Duration, until: Duration, args: Value) {
        self.push(&json!({
            "ph": "X", "name": name, "cat": "watchglass", "pid": PROCESS, "tid": track,
            "ts": micros(from), "dur": micros(until - from), "args": args,
        }));
    }

    /// `s` is the start of an arrow, `f` its end; both belong to the slice around them.
    fn arrow(&mut self, phase: &str, id: u64, track: u64, at: Duration) {
        self.push(&json!({
            "ph": phase, "bp": "e", "name": "wake", "cat": "wake", "id": id, "pid": PROCESS,
            "tid": track, "ts": micros(at),
        }));
    }

    fn name(&mut self, what: &str, track: u64, name: &str) {
        self.push(&json!({
            "ph": "M", "name": what, "pid": PROCESS, "tid": track, "args": {"name": name},
        }));
    }
}

/// The format's unit. A nanosecond is the last digit.
fn micros(time: Duration) -> f64 {
    time.as_nanos() as f64 / 1_000.0
}
