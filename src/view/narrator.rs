//! Tells each record as one sentence, with the tasks' names and with *why*.
//!
//! A record's own `Display` knows nothing but the record. The narrator folds the records as it goes,
//! so it knows which poll of a task it is, what its timer was asked for, and who runs meanwhile.

mod diagnosis;
mod reasons;
mod seen;

use std::collections::{HashMap, HashSet};
use std::panic::Location;
use std::time::Duration;

use super::names::{Names, Span};
use crate::task::TaskId;
use crate::trace::{
    Cause, Effect, Event, OneLine, Place, Record, Seconds, Stage, State, TaskKind, TaskState,
    TimerId, TimerKind, WaitsOn, in_program, named,
};

/// That a closure waited for a thread of the pool for less than this is not told: to start one takes some time, too.
const LONG_IN_QUEUE: Duration = Duration::from_millis(5);

pub(crate) struct Narrator<'a> {
    names: &'a Names,
    state: State,
    /// For the polls to come: the last timer to fire in each of the wheel's entries.
    fired: HashMap<u32, Fired>,
    /// The wait that the last record has ended. The wake follows; until then its task still waits.
    ended: Option<WaitsOn>,
    /// The task whose poll has just ended, and whether it is ready: then its end follows.
    polled: Option<(TaskId, bool)>,
    /// The task that is dropped unfinished, or was last.
    dropping: Option<TaskId>,
    /// Those whose last poll has left nobody their waker.
    forgotten: HashSet<TaskId>,
    /// If the last record tells of one whose waker nobody has: since when.
    forgotten_since: Option<Since>,
    /// The closures that were handed to the thread pool, and are not known to be over.
    out: Vec<TaskId>,
    /// Since when the thread has been parked last, and until when.
    parked: (Duration, Option<Duration>),
    /// Where each task was when it was last seen, by an await or a spawn of its own.
    seen: HashMap<TaskId, &'static Location<'static>>,
    /// Since when each task waits that does.
    waits_since: HashMap<TaskId, Duration>,
}

/// Since when nobody could wake a task any more.
#[derive(Clone, Copy)]
enum Since {
    /// The end of its last poll.
    ItsPoll,
    /// Nobody had its waker since then, but a timer or a task's end would have woken it until now.
    NothingElseWouldWakeIt,
    /// Somebody had its waker.
    ItWasDropped,
    /// Perhaps somebody had it: of the main task's own the clones cannot be counted.
    SomeTime,
}

/// A timer that is in the wheel no more.
#[derive(Clone, Copy)]
struct Fired {
    timer: TimerId,
    kind: TimerKind,
    deadline: Duration,
    late: Duration,
}

impl<'a> Narrator<'a> {
    pub(crate) fn new(names: &'a Names) -> Self {
        Narrator {
            names,
            state: State::new(),
            fired: HashMap::new(),
            ended: None,
            polled: None,
            dropping: None,
            forgotten: HashSet::new(),
            forgotten_since: None,
            out: Vec::new(),
            parked: (Duration::ZERO, None),
            seen: HashMap::new(),
            waits_since: HashMap::new(),
        }
    }

    /// The state after the last record that was told.
    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// Lets the next record happen and says nothing.
    pub(crate) fn follow(&mut self, record: &Record) {
        if let Event::TimerFired {
            timer,
            deadline,
            now,
        } = record.event
        {
            // A log may begin after it was armed.
            let kind = self.state.timer(timer).map(|timer| timer.kind);
            let fired = Fired {
                timer,
                kind: kind.unwrap_or(TimerKind::Sleep),
                deadline,
                late: now.saturating_sub(deadline),
            };
            self.fired.insert(timer.index, fired);
        }
        self.forgotten_since = match record.event {
            Event::ForgottenWaker { task } => Some(self.forgotten_since(task)),
            _ => None,
        };
        self.look_where(record);
        self.state.fold(record);
        // An observer's own lines come in between, a finding about the poll that has just ended, and the log's end.
        if let Event::Printed { .. }
        | Event::LongPoll(_)
        | Event::LogFull { .. }
        | Event::LogEnded = record.event
        {
            return;
        }
        match record.event {
            Event::Parked { until } => self.parked = (record.time, until),
            Event::BlockingStarted { task } => self.out.push(task),
            // The closure of a task that was aborted may run on, and its thread uses the waker all the same.
            Event::BlockingDone { task, .. }
            | Event::Woken {
                task,
                by: Cause::OtherThread,
                ..
            } => self.out.retain(|&out| out != task),
            Event::Dropping { task } => self.dropping = Some(task),
            Event::PollEnded { task, .. } => drop(self.waits_since.insert(task, record.time)),
            Event::PollStarted { task, why } => {
                self.dropping = (why == Cause::Aborted).then_some(task);
                self.forgotten.remove(&task);
            }
            Event::ForgottenWaker { task } => drop(self.forgotten.insert(task)),
            _ => {}
        }
        self.polled = match record.event {
            Event::PollEnded { task, ready, .. } => Some((task, ready)),
            _ => None,
        };
        self.ended = match record.event {
            Event::TimerFired { timer, .. } => Some(WaitsOn::Timer(timer)),
            Event::Completed { task }
            | Event::Cancelled { task }
            | Event::Panicked { task, .. } => Some(WaitsOn::Task(task)),
            _ => None,
        };
    }

    /// The next record as a sentence, without its time and without a full stop.
    pub(crate) fn tell(&mut self, record: &Record) -> String {
        let running = self.state.running();
        let was_new = matches!(record.event, Event::Dropping { task } if self.is_new(task));
        let given_up = self.given_up_by(&record.event);
        let is_out_of_turn = self.is_out_of_turn(&record.event);
        self.follow(record);
        match &record.event {
            Event::Spawned { task, kind, at, .. } => {
                let (name, by) = (self.name(*task), running.map(|id| self.name(id)));
                match (kind, by) {
                    (TaskKind::Main, _) => format!("{name} is given to block_on at {at}"),
                    (TaskKind::Blocking, Some(by)) => {
                        format!("{by} hands {name} to the thread pool at {at}")
                    }
                    (_, Some(by)) => format!("{by} spawns {name} at {at}"),
                    (_, None) => format!("{name} is spawned at {at}"),
                }
            }
            Event::Woken { task, by, effect } => {
                let (name, why) = (self.name(*task), self.why(*by));
                match effect {
                    Effect::Queued => {
                        format!("{name} goes to the back of the ready queue: {why}")
                    }
                    Effect::AlreadyQueued if *by == Cause::Aborted => {
                        format!("{name} will be dropped when its turn comes: {why}")
                    }
                    Effect::AlreadyQueued => format!(
                        "a wake of {name} does nothing, for it is in the ready queue already: {why}"
                    ),
                    Effect::Finished => {
                        format!("a wake of {name} does nothing, for it has ended: {why}")
                    }
                }
            }
            Event::PollStarted { task, why } => self.poll_started(*task, *why, is_out_of_turn),
            Event::PassedOver { task } => format!(
                "{} has ended while it was queued: its place in the ready queue is passed over",
                self.name(*task)
            ),
            Event::Waits {
                task: Some(task),
                on: WaitsOn::Blocking,
                at,
            } => format!(
                "{} will be polled when it has run{}",
                self.name(*task),
                comma_at(at)
            ),
            Event::Waits { task, on, at } => {
                let who = task.map_or("a future outside of any task".into(), |id| self.name(id));
                format!("{who} waits for {}{}", self.waited_for(*on), comma_at(at))
            }
            Event::GaveUp { task, on } => format!(
                "{} gives up waiting for {}",
                self.name(*task),
                self.waited_for(*on)
            ),
            Event::Detached { task } => format!(
                "{} is detached: its handle is dropped, and nobody awaits it any more",
                self.name(*task)
            ),
            Event::PollEnded {
                task,
                ready: true,
                took,
                ..
            } => format!("{} returns Ready{}", self.name(*task), after(*took)),
            Event::PollEnded { task, took, .. } => format!(
                "{} returns Pending{}: the thread is free{}",
                self.name(*task),
                after(*took),
                self.untold_wait(*task)
            ),
            Event::Completed { task } => format!("{} is done", self.name(*task)),
            Event::Dropping { task } if was_new => format!(
                "{}, {}, is dropped and was never polled: its executor is dropped before its first turn",
                self.name(*task),
                self.began(*task)
            ),
            Event::Dropping { task } => match self.state.task(*task).map(|task| task.kind) {
                Some(TaskKind::Main) => {
                    format!(
                        "{} is dropped unfinished: it can never finish",
                        self.name(*task)
                    )
                }
                _ => format!(
                    "{} is dropped unfinished, for its executor is dropped",
                    self.name(*task)
                ),
            },
            Event::Cancelled { task } => {
                let kind = self.state.task(*task).map(|task| task.kind);
                let what = match kind {
                    Some(TaskKind::Blocking) => {
                        "nobody waits for it any more; if it has begun, it runs to its end"
                    }
                    _ => "its future is gone",
                };
                format!("{} is cancelled: {what}", self.name(*task))
            }
            Event::Panicked { task, message } => {
                let (name, began) = (self.name(*task), self.began(*task));
                let message = message.as_deref();
                let message = message.map_or(String::new(), |text| format!(": {}", OneLine(text)));
                format!("{name}, {began}, panicked{message}")
            }
            Event::BlockingStarted { task } => {
                format!(
                    "{} runs as soon as the pool has a thread for it",
                    self.name(*task)
                )
            }
            Event::BlockingDone {
                task,
                thread,
                queued,
                took,
            } => format!(
                "{} has run on thread {thread}{}{}",
                self.name(*task),
                after(*took).replace("after", "for"),
                match *queued >= LONG_IN_QUEUE {
                    true => format!(", and had waited {} for it", Span(*queued)),
                    false => String::new(),
                }
            ),
            Event::Printed { task, text } => {
                let is_whole = text.ends_with('\n');
                // An apostrophe within these quotes needs no escape.
                let text = text.trim_end_matches('\n').escape_debug();
                let text = text.to_string().replace("\\'", "'");
                let (out, others) = named(&self.out);
                let closures = self.names.tasks(out, others);
                match task {
                    Some(task) if out.is_empty() => {
                        format!("{} prints \"{text}\"", self.name(*task))
                    }
                    // A closure may print on its thread at any time.
                    Some(task) => format!(
                        "printed while {} ran, by it or by {closures} on a thread: \"{text}\"",
                        self.name(*task)
                    ),
                    None if running.is_some() => {
                        format!("printed by the program's observer: \"{text}\"")
                    }
                    // It may have been in the standard library's buffer until now.
                    None if !is_whole => {
                        format!("printed by now, and the last line has no end: \"{text}\"")
                    }
                    None => format!("printed while none of its tasks ran: \"{text}\""),
                }
            }
            Event::LogFull { .. } => record.event.to_string(),
            Event::LogEnded => self.log_ended(),
            Event::ForgottenWaker { .. }
            | Event::Deadlock { .. }
            | Event::LongPoll(_)
            | Event::Spinning { .. }
            | Event::Stalled { .. } => self.diagnosis(&record.event),
            Event::TimerCancelled { timer } => format!("{timer} is cancelled: {given_up}"),
            _ => self.timer_or_thread(&record.event),
        }
    }

    /// What a task waits for after its poll, where no event of the poll has told it; or that somebody else may wake it,
    /// too. Of a waker that nobody holds the next event tells.
    fn untold_wait(&self, task: TaskId) -> String {
        let is_reachable = |task: &&TaskState| !task.queued && task.wakers != Some(0);
        let Some(task) = self.state.task(task).filter(is_reachable) else {
            return String::new();
        };
        match self.waits_on(task).as_slice() {
            waits if waits.iter().all(|&on| self.is_limit(on)) => {
                format!("; it waits for {}", self.waits(task))
            }
            // What has a label has the waker; and a join's futures have wakers of their own.
            [.., WaitsOn::Children(_)] => String::new(),
            waits if has_label(waits) => String::new(),
            // It may wait for what that one does as well, or have left its waker there before. Of the main task's own
            // the clones cannot be counted after its first poll.
            _ if task.kind != TaskKind::Main => "; somebody else has its waker, too".to_owned(),
            _ => String::new(),
        }
    }

    /// Why a timer is cancelled, if that is what happens next: it is known until then what it was for.
    fn given_up_by(&self, next: &Event) -> &'static str {
        let Event::TimerCancelled { timer } = next else {
            return "";
        };
        match self.state.timer(*timer).map(|timer| timer.kind) {
            Some(TimerKind::Timeout) => "its time limit is of no use any more",
            Some(TimerKind::Interval) => "its interval is given up",
            Some(TimerKind::Sleep) | None => "its sleep is given up",
        }
    }

    /// True for a poll of a task before which others are in the queue, as far as the log tells.
    fn is_out_of_turn(&self, next: &Event) -> bool {
        let Event::PollStarted { task, .. } = *next else {
            return false;
        };
        let is_first = self
            .state
            .ready()
            .next()
            .is_some_and(|ready| ready.task == task);
        !is_first && self.state.task(task).is_some_and(|task| task.queued)
    }

    fn poll_started(&self, task: TaskId, why: Cause, is_out_of_turn: bool) -> String {
        let name = self.name(task);
        let mut reason = self.why(why);
        if is_out_of_turn {
            reason += ", out of turn: the order is shuffled";
        }
        match self.state.task(task) {
            Some(task) if task.aborted => format!("{name} dropped, not polled: {reason}"),
            Some(task) => format!("{name} polled (poll {}): {reason}", task.polls),
            None => format!("{name} polled: {reason}"),
        }
    }

    fn timer_or_thread(&self, event: &Event) -> String {
        match event {
            Event::TimerArmed {
                timer,
                task,
                kind,
                deadline,
                place,
            } => {
                let timer = timer.described(*kind);
                let wakes =
                    task.map_or("use a waker".into(), |id| format!("wake {}", self.name(id)));
                let deadline = self.time(*deadline);
                format!(
                    "{timer} is armed to {wakes} at {deadline}: it is {}",
                    lies(*place)
                )
            }
            Event::TimerReset {
                timer,
                deadline,
                place,
            } => {
                let deadline = self.time(*deadline);
                format!(
                    "{timer} is set to {deadline} instead: it is {}",
                    lies(*place)
                )
            }
            Event::TimerHandedOver {
                timer,
                task: Some(task),
            } => format!("{timer} will wake {} instead", self.name(*task)),
            Event::Cascaded { timer, place } => match place {
                Place::Due => format!("{timer} is due now"),
                _ => format!("{timer} moves in the wheel: it is now {}", lies(*place)),
            },
            Event::TimerFired {
                timer,
                deadline,
                now,
            } => {
                let late = now.saturating_sub(*deadline);
                let deadline = self.time(*deadline);
                format!("{timer} for {deadline} fires{}", lateness(late))
            }
            Event::Parked { until: Some(until) } => {
                format!(
                    "nothing is ready: the thread parks until {}",
                    self.time(*until)
                )
            }
            Event::ClockAdvanced { from, to } => format!(
                "nothing is ready: virtual time jumps from {} to {}",
                self.time(*from),
                self.time(*to)
            ),
            other => other.to_string(),
        }
    }

    /// True if the last record tells of a task whose waker may have been held until then.
    pub(crate) fn is_lost(&self) -> bool {
        matches!(
            self.forgotten_since,
            Some(Since::ItWasDropped | Since::SomeTime)
        )
    }

    /// Since when nobody has the task's waker, where that is told next.
    fn forgotten_since(&self, task: TaskId) -> Since {
        let wakers = self.state.task(task).map_or(Some(0), |task| task.wakers);
        match wakers {
            _ if self.polled == Some((task, false)) => Since::ItsPoll,
            Some(0) => Since::NothingElseWouldWakeIt,
            Some(_) => Since::ItWasDropped,
            None => Since::SomeTime,
        }
    }

    /// True if the task was spawned and never polled, nor aborted.
    pub(crate) fn is_new(&self, task: TaskId) -> bool {
        let task = self.state.task(task);
        task.is_some_and(|task| {
            task.stage == Stage::New && task.kind == TaskKind::Spawned && !task.aborted
        })
    }

    /// True while a task's future is dropped: after an abort or a verdict, or with its executor.
    pub(crate) fn is_dropped(&self, task: &TaskState) -> bool {
        task.stage == Stage::Running && self.dropping == Some(task.id)
    }

    /// True between the end of the task's last poll and its own.
    pub(crate) fn is_ready(&self, task: &TaskState) -> bool {
        self.polled == Some((task.id, true))
    }

    pub(crate) fn name(&self, task: TaskId) -> String {
        self.names.task(task)
    }

    pub(crate) fn time(&self, time: Duration) -> Seconds {
        self.names.time(time)
    }
}

/// True if one of these is told by a label.
fn has_label(waits: &[WaitsOn]) -> bool {
    waits.iter().any(|on| matches!(on, WaitsOn::Labelled(_)))
}

/// Where a timer lies, in words that fit after "it is".
pub(crate) fn lies(place: Place) -> String {
    match place {
        Place::Due => "due".to_owned(),
        Place::Slot { level, slot } => format!("in level {level}, slot {slot} of the wheel"),
    }
}

/// `, at FILE:LINE:COLUMN`, or nothing if the place is not in the program's own code.
fn comma_at(at: &'static Location<'static>) -> String {
    in_program(at).map_or(String::new(), |at| format!(", at {at}"))
}

fn lateness(late: Duration) -> String {
    match late.is_zero() {
        true => String::new(),
        false => format!(", {} late", Span(late)),
    }
}

/// ` after 58 us`, and nothing on the virtual clock.
fn after(took: Duration) -> String {
    match took.is_zero() {
        true => String::new(),
        false => format!(" after {}", Span(took)),
    }
}

#[cfg(test)]
mod tests;
