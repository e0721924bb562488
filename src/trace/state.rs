//! The executor's state at any moment, made again from its events.
//!
//! ```text
//!   Record 0, 1, 2, ... n  ── fold ──▶ State after record n
//! ```
//!
//! Every picture is drawn from a [`State`]. To go one step back is to fold one record less. A test (`tests/replay.rs`)
//! proves that this is the executor's true state: for random programs, after every record, it compares it with what the
//! running executor itself has in its queue, its slots and its wheel.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::mem;
use std::panic::Location;
use std::time::Duration;

use super::{Cause, Effect, Event, Place, Record, TaskKind, TimerId, TimerKind, Tracer, WaitsOn};
use crate::task::TaskId;

/// What an executor looks like after some of its [`Record`]s. It needs the feature `view`.
///
/// ```
/// use watchglass::Executor;
/// use watchglass::trace::{Recording, Stage, State};
///
/// let recording = Recording::new();
/// let executor = Executor::builder().observer(recording.clone()).build();
/// executor.block_on(async {});
/// let records = recording.records();
/// assert_eq!(State::after(&records[..2]).ready().count(), 1);
/// assert_eq!(State::after(&records).tasks()[0].stage, Stage::Done);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    time: Duration,
    /// In the order in which they were spawned, with those that have ended.
    tasks: Vec<TaskState>,
    index: HashMap<TaskId, usize>,
    ready: VecDeque<Ready>,
    /// How many entries the queue had ever had before each task's own.
    places: HashMap<TaskId, usize>,
    /// How many have left it.
    left: usize,
    running: Option<TaskId>,
    timers: BTreeMap<TimerId, TimerState>,
    parked: bool,
    printed: Vec<(Option<TaskId>, String)>,
}

/// A task, as a [`State`] knows it. It needs the feature `view`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskState {
    /// Which task.
    pub id: TaskId,
    /// The last part of its future's type, or the name that it was given.
    pub name: String,
    /// What sort of task it is.
    pub kind: TaskKind,
    /// Where it was spawned.
    pub spawned_at: &'static Location<'static>,
    /// Where it is in its life.
    pub stage: Stage,
    /// True if it is in the ready queue, which it can be while it runs, too.
    pub queued: bool,
    /// True if it is to be dropped when its turn comes.
    pub aborted: bool,
    /// What it waits for, as it said in its last poll, without what it gave up in that poll. The outermost future is
    /// last.
    pub waits: Vec<Wait>,
    /// How often it has been polled.
    pub polls: u64,
    /// How many clones of its waker were held after its last poll, if that is known. It is zero if the executor has
    /// found since that none is left. Timers and handles hold none: they know the task by its id.
    pub wakers: Option<usize>,
    /// The number of the record of the wake that led to its last poll, if it has been polled.
    pub woken_by: Option<u64>,
}

/// Where a task is in its life. It needs the feature `view`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// It has never been polled.
    New,
    /// It is being polled, or dropped.
    Running,
    /// Its last poll returned `Pending`; or it stands for a closure, which was handed to a thread.
    Waiting,
    /// It has an output.
    Done,
    /// It was dropped unfinished.
    Cancelled,
    /// It panicked.
    Panicked,
}

/// One thing that a task waits for. It needs the feature `view`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Wait {
    /// What it waits for.
    pub on: WaitsOn,
    /// The `.await`.
    pub at: &'static Location<'static>,
}

/// An entry of the ready queue. It needs the feature `view`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ready {
    /// The task to be polled. If it has ended meanwhile it will be passed over.
    pub task: TaskId,
    /// Why it was queued.
    pub why: Cause,
    /// The number of the record of the wake that queued it.
    pub woken_by: u64,
}

/// A timer in the wheel. It needs the feature `view`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TimerState {
    /// Which timer.
    pub id: TimerId,
    /// Whom it will wake, if that is a task.
    pub task: Option<TaskId>,
    /// What it is for.
    pub kind: TimerKind,
    /// The time at which it is due.
    pub deadline: Duration,
    /// Where it lies in the wheel.
    pub place: Place,
}

impl State {
    /// The state before anything has happened.
    #[must_use]
    pub fn new() -> Self {
        State::default()
    }

    /// The state after these records, which begin with an executor's first.
    pub fn after<'a>(records: impl IntoIterator<Item = &'a Record>) -> Self {
        let mut state = State::new();
        records.into_iter().for_each(|record| state.fold(record));
        state
    }

    /// The time of the last record.
    #[must_use]
    pub fn time(&self) -> Duration {
        self.time
    }

    /// Every task that there has ever been, in the order in which they were spawned.
    #[must_use]
    pub fn tasks(&self) -> &[TaskState] {
        &self.tasks
    }

    /// One task, if it is known.
    #[must_use]
    pub fn task(&self, id: TaskId) -> Option<&TaskState> {
        self.index.get(&id).map(|&at| &self.tasks[at])
    }

    /// Where it is among [`tasks`](State::tasks).
    pub(crate) fn position(&self, id: TaskId) -> Option<usize> {
        self.index.get(&id).copied()
    }

    /// The ready queue, from the front.
    #[must_use]
    pub fn ready(&self) -> impl ExactSizeIterator<Item = &Ready> {
        self.ready.iter()
    }

    /// The task that is being polled, or dropped.
    #[must_use]
    pub fn running(&self) -> Option<TaskId> {
        self.running
    }

    /// The timers in the wheel, in the order of their ids.
    #[must_use]
    pub fn timers(&self) -> impl ExactSizeIterator<Item = &TimerState> {
        self.timers.values()
    }

    /// One timer, if it is in the wheel.
    #[must_use]
    pub fn timer(&self, id: TimerId) -> Option<&TimerState> {
        self.timers.get(&id)
    }

    /// True if the thread is given back to the operating system.
    #[must_use]
    pub fn parked(&self) -> bool {
        self.parked
    }

    /// What was printed so far, and which task ran meanwhile, if one did.
    #[must_use]
    pub fn printed(&self) -> &[(Option<TaskId>, String)] {
        &self.printed
    }

    /// Lets one more record happen, the one that follows those so far.
    pub fn fold(&mut self, record: &Record) {
        self.time = record.time;
        match &record.event {
            Event::Spawned {
                task,
                name,
                kind,
                at,
            } => self.spawned(*task, name, *kind, at),
            Event::Woken { task, by, effect } => self.woken(*task, *by, *effect, record.seq),
            Event::PollStarted { task, .. } => self.poll_started(*task),
            Event::Dropping { task } => self.runs(*task),
            Event::PassedOver { task } => drop(self.pop(*task)),
            Event::Waits { task, on, at } => {
                if let Some(task) = task.and_then(|id| self.task_mut(id)) {
                    task.waits.push(Wait { on: *on, at });
                }
            }
            Event::ForgottenWaker { task } => {
                if let Some(task) = self.task_mut(*task) {
                    task.wakers = Some(0);
                }
            }
            Event::GaveUp { task, on } => {
                if let Some(task) = self.task_mut(*task)
                    && let Some(last) = task.waits.iter().rposition(|wait| wait.on == *on)
                {
                    task.waits.remove(last);
                }
            }
            Event::PollEnded { task, wakers, .. } => self.poll_ended(*task, *wakers),
            Event::TimerArmed {
                timer,
                task,
                kind,
                deadline,
                place,
            } => {
                let armed = TimerState {
                    id: *timer,
                    task: *task,
                    kind: *kind,
                    deadline: *deadline,
                    place: *place,
                };
                self.timers.insert(*timer, armed);
            }
            Event::TimerReset {
                timer,
                deadline,
                place,
            } => self.with_timer(*timer, |timer| {
                timer.deadline = *deadline;
                timer.place = *place;
            }),
            Event::TimerHandedOver { timer, task } => self.handed_over(*timer, *task),
            Event::Cascaded { timer, place } => {
                self.with_timer(*timer, |timer| timer.place = *place);
            }
            Event::TimerFired { timer, .. } | Event::TimerCancelled { timer } => {
                self.timers.remove(timer);
            }
            Event::Parked { .. } => self.parked = true,
            Event::Unparked { .. } => self.parked = false,
            Event::Completed { task } => self.ended(*task, Stage::Done),
            Event::Cancelled { task } => self.ended(*task, Stage::Cancelled),
            Event::Panicked { task, .. } => self.ended(*task, Stage::Panicked),
            Event::Printed { task, text } => self.printed.push((*task, text.clone())),
            Event::BlockingStarted { task } => {
                if let Some(task) = self.task_mut(*task) {
                    task.stage = Stage::Waiting;
                }
            }
            // These tell of what is so, and change nothing.
            Event::Detached { .. }
            | Event::ClockAdvanced { .. }
            | Event::BlockingDone { .. }
            | Event::Deadlock { .. }
            | Event::Stalled { .. }
            | Event::LongPoll(_)
            | Event::Spinning { .. }
            | Event::LogFull { .. }
            | Event::LogEnded => {}
        }
    }

    fn spawned(
        &mut self,
        id: TaskId,
        name: &str,
        kind: TaskKind,
        spawned_at: &'static Location<'static>,
    ) {
        self.index.insert(id, self.tasks.len());
        self.tasks.push(TaskState {
            id,
            name: name.to_owned(),
            kind,
            spawned_at,
            stage: Stage::New,
            queued: false,
            aborted: false,
            waits: Vec::new(),
            polls: 0,
            wakers: None,
            woken_by: None,
        });
    }

    fn woken(&mut self, id: TaskId, why: Cause, effect: Effect, seq: u64) {
        let entry = Ready {
            task: id,
            why,
            woken_by: seq,
        };
        let aborted = why == Cause::Aborted && effect != Effect::Finished;
        if let Some(task) = self.task_mut(id) {
            task.aborted |= aborted;
            task.queued |= effect == Effect::Queued;
        }
        if effect == Effect::Queued {
            self.places.insert(id, self.left + self.ready.len());
            self.ready.push_back(entry);
        } else if aborted && let Some(at) = self.place(id) {
            // It was in the queue already, and now has another reason to be there.
            self.ready[at] = entry;
        }
    }

    /// A task's entry in the queue.
    pub(crate) fn entry(&self, id: TaskId) -> Option<&Ready> {
        self.ready.get(self.place(id)?)
    }

    /// Where a task's entry is in the queue.
    fn place(&self, id: TaskId) -> Option<usize> {
        let at = self.places.get(&id)?.checked_sub(self.left)?;
        self.ready.get(at).map(|_| at)
    }

    fn poll_started(&mut self, id: TaskId) {
        let entry = self.pop(id);
        self.runs(id);
        if let Some(task) = self.task_mut(id) {
            task.queued = false;
            // One that was aborted is not polled, but dropped where it waits.
            if !task.aborted {
                task.polls += 1;
                task.waits.clear();
            }
            task.woken_by = entry.map(|entry| entry.woken_by);
        }
    }

    /// Takes a task's entry out of the queue. If it is not the first, the order is a shuffled one:
    /// the executor has exchanged it for the first and taken that.
    fn pop(&mut self, id: TaskId) -> Option<Ready> {
        let at = self.place(id)?;
        self.ready.swap(0, at);
        self.places.insert(self.ready[at].task, self.left + at);
        self.places.remove(&id);
        self.left += 1;
        self.ready.pop_front()
    }

    fn runs(&mut self, id: TaskId) {
        self.running = Some(id);
        if let Some(task) = self.task_mut(id) {
            task.stage = Stage::Running;
        }
    }

    /// From now on the timer wakes another, and for that one alone it is waited for.
    fn handed_over(&mut self, timer: TimerId, to: Option<TaskId>) {
        let mut former = None;
        self.with_timer(timer, |timer| former = mem::replace(&mut timer.task, to));
        if let Some(task) = former
            .filter(|_| former != to)
            .and_then(|id| self.task_mut(id))
        {
            task.waits.retain(|wait| wait.on != WaitsOn::Timer(timer));
        }
    }

    fn poll_ended(&mut self, id: TaskId, wakers: Option<usize>) {
        self.running = None;
        if let Some(task) = self.task_mut(id) {
            task.stage = Stage::Waiting;
            task.wakers = wakers;
        }
    }

    fn ended(&mut self, id: TaskId, stage: Stage) {
        if self.running == Some(id) {
            self.running = None;
        }
        if let Some(task) = self.task_mut(id) {
            task.stage = stage;
            task.queued = false;
            task.waits.clear();
        }
    }

    fn task_mut(&mut self, id: TaskId) -> Option<&mut TaskState> {
        self.index.get(&id).map(|&at| &mut self.tasks[at])
    }

    fn with_timer(&mut self, id: TimerId, change: impl FnOnce(&mut TimerState)) {
        if let Some(timer) = self.timers.get_mut(&id) {
            change(timer);
        }
    }
}

impl Tracer {
    /// Why a queued task was queued, as the executor has it: the proof of this file asks.
    pub(crate) fn cause(&self, task: TaskId) -> Option<Cause> {
        let telling = self.0.as_ref()?;
        telling.known.with(task, |known| known.cause)
    }
}

impl Stage {
    /// True if the task has ended, one way or another.
    #[must_use]
    pub fn is_end(self) -> bool {
        matches!(self, Stage::Done | Stage::Cancelled | Stage::Panicked)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Stage::New => "new",
            Stage::Running => "running",
            Stage::Waiting => "waiting",
            Stage::Done => "done",
            Stage::Cancelled => "cancelled",
            Stage::Panicked => "panicked",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    #[test]
    fn of_a_wait_that_was_said_twice_the_last_is_given_up() {
        let task = TaskId::new(0, NonZeroU32::MIN);
        let on = WaitsOn::Task(TaskId::new(1, NonZeroU32::MIN));
        let waits = |at| Event::Waits {
            task: Some(task),
            on,
            at,
        };
        let (first, second) = (Location::caller(), Location::caller());
        let spawned = Event::Spawned {
            task,
            name: "waits".into(),
            kind: TaskKind::Main,
            at: first,
        };
        let events = [
            spawned,
            waits(first),
            waits(second),
            Event::GaveUp { task, on },
        ];
        let records = events.map(|event| {
            let (seq, time) = (0, Duration::ZERO);
            Record { seq, time, event }
        });
        let state = State::after(&records);
        assert_eq!(state.tasks()[0].waits, [Wait { on, at: first }]);
    }
}
