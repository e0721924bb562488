//! How the lanes of a timeline are drawn, record by record, from left to right.

use std::collections::HashMap;
use std::mem;
use std::time::Duration;

use super::axis::Axis;
use super::findings::{is_finding, is_useless_wake, task_of};
use super::lanes::{Arrow, Bar, Lane, Lanes, OR_OUTSIDE, Poll, Waiting};
use super::names::{Names, Span};
use super::narrator::Narrator;
use super::timer_rows::TimerRows;
use crate::task::TaskId;
use crate::trace::{Cause, Event, Record, Stage, State, TimerId, WaitsOn};

/// A timer that was overdue for less of the width than this is drawn as if it had fired in time.
const OVERDUE_WIDTH: f64 = 0.01;
/// A closure that waited for a thread for less than this part of the run is drawn as if it had run at once.
const QUEUED_SHARE: f64 = 0.01;

impl Lanes {
    /// `poll_width` is what each poll has at least, as long as all polls together leave most of the
    /// width to the clock.
    pub(crate) fn of(records: &[Record], poll_width: f64) -> Self {
        let names = Names::of(records);
        let axis = Axis::of(records, poll_width);
        let mut drawing = Drawing {
            records,
            axis: &axis,
            narrator: Narrator::new(&names),
            lanes: Vec::new(),
            lane_of: HashMap::new(),
            open: HashMap::new(),
            timers: TimerRows::default(),
            overdue: None,
            arrows: Vec::new(),
            idle: Vec::new(),
            verdicts: Vec::new(),
            idle_since: None,
            unparked: 0.0,
            handed_over: HashMap::new(),
            open_arrows: HashMap::new(),
            polling: None,
            dropping: None,
        };
        for (record, &x) in records.iter().zip(&axis.positions) {
            drawing.add(record, x);
        }
        drawing.close();
        Lanes {
            lanes: drawing.lanes,
            undrawn: 0,
            undrawn_unfinished: 0,
            arrows: drawing.arrows,
            idle: drawing.idle,
            verdicts: drawing.verdicts,
            ticks: axis.ticks(records),
            duration: names.time(axis.duration),
            is_stretched: axis.is_stretched(),
            positions: axis.positions,
        }
    }
}

/// The lanes while they are drawn, from left to right.
struct Drawing<'a> {
    records: &'a [Record],
    axis: &'a Axis,
    narrator: Narrator<'a>,
    lanes: Vec<Lane>,
    lane_of: HashMap<TaskId, usize>,
    /// The bar that goes on in each lane.
    open: HashMap<TaskId, (f64, Waiting, String)>,
    timers: TimerRows,
    /// The timer that has just fired, if it was overdue: since where, and in words.
    overdue: Option<(TimerId, f64, String)>,
    arrows: Vec<Arrow>,
    /// The last arrow to each task that has not been polled since.
    open_arrows: HashMap<TaskId, usize>,
    idle: Vec<(f64, f64)>,
    verdicts: Vec<f64>,
    idle_since: Option<f64>,
    /// Where the thread was last unparked.
    unparked: f64,
    /// When each closure was handed to the pool.
    handed_over: HashMap<TaskId, Duration>,
    /// Whose poll, or drop after an abort, goes on.
    polling: Option<TaskId>,
    /// Who is dropped, or was dropped last, though not in its turn. That has a bar if it is found to have been long.
    dropping: Option<(TaskId, Poll)>,
}

impl Drawing<'_> {
    fn add(&mut self, record: &Record, x: f64) {
        let former = former_waiter(self.narrator.state(), &record.event);
        // What a timer was asked for is known until it fires or is cancelled.
        let overdue = match record.event {
            Event::TimerCancelled { timer } => self.overdue_while_armed(timer, record.time, x),
            _ => None,
        };
        let found = match is_finding(&record.event, &self.narrator) {
            true => found_of(&record.event),
            false => Vec::new(),
        };
        let told = self.narrator.tell(record);
        if let Some(task) = former {
            self.waits_for_something_else(task, x);
        }
        if let Event::ClockAdvanced { .. } = record.event {
            self.idle.push((self.idle_since.unwrap_or(x), x));
        }
        self.idle_since = Some(x);
        for task in found {
            if let Some(lane) = self.lane(task) {
                lane.is_found = true;
            }
        }
        match &record.event {
            Event::Spawned { task, .. } => self.spawned(*task, x),
            Event::Woken { task, .. } if is_useless_wake(&record.event) => {
                if let Some(lane) = self.lane(*task) {
                    lane.useless_wakes.push((x, told));
                }
            }
            Event::Woken { task, by, .. } => self.woken(*task, *by, record.time, x),
            Event::PollStarted { task, why } => self.poll_started(*task, *why, told, record, x),
            Event::PollEnded {
                task, ready, took, ..
            } => {
                self.polling = None;
                self.ends_poll(*task, x);
                if let Some(poll) = self.lane(*task).and_then(|lane| lane.polls.last_mut()) {
                    poll.told += &took_in_words(*took);
                }
                if !ready {
                    self.opens_wait(*task, x);
                }
            }
            Event::ForgottenWaker { task } => {
                let label = "nobody has its waker".to_owned();
                match self.open.get_mut(task) {
                    Some((.., open)) if !self.narrator.is_lost() => *open = label,
                    // Somebody had it until now.
                    _ => {
                        self.closes(*task, x);
                        self.open.insert(*task, (x, Waiting::Other, label));
                    }
                }
            }
            Event::LongPoll(long) => {
                let dropping = self.dropping.take();
                let Some(lane) = self.lane(long.task) else {
                    return;
                };
                if let Some((_, drop)) = dropping.filter(|(task, _)| *task == long.task) {
                    lane.polls.push(drop);
                }
                if let Some(poll) = lane.polls.last_mut() {
                    poll.long = true;
                    if long.is_drop {
                        poll.told += &took_in_words(long.took);
                    }
                }
            }
            Event::BlockingStarted { task } => {
                let label = "a closure on another thread".to_owned();
                self.open.insert(*task, (x, Waiting::Closure, label));
                self.handed_over.insert(*task, record.time);
            }
            Event::BlockingDone {
                task, queued, took, ..
            } => self.closure_ran(*task, *queued, *took, record.time),
            Event::Unparked { .. } => {
                if let Some(parked) = self.idle.last_mut() {
                    parked.1 = x;
                }
                self.unparked = x;
            }
            Event::Parked { .. } => self.idle.push((x, x)),
            Event::TimerArmed { timer, .. } => self.armed(*timer, x),
            Event::TimerFired {
                timer,
                deadline,
                now,
            } => {
                let overdue = self.overdue(*deadline, *now, x);
                self.timers.disarm(*timer, x, overdue.clone());
                self.overdue = overdue.map(|(due, label)| (*timer, due, label));
            }
            Event::TimerCancelled { timer } => self.timers.disarm(*timer, x, overdue),
            Event::TimerReset { timer, .. } => self.reset(*timer, x),
            Event::TimerHandedOver { timer, .. } => {
                // The timer's bar ends in one lane, and goes on in another.
                self.timers.disarm(*timer, x, None);
                self.armed(*timer, x);
            }
            Event::Stalled { .. } => self.verdicts.push(x),
            // From here on it waits no more, and holds the thread until it is gone.
            Event::Dropping { task } => {
                self.turns_overdue_by_its_timer(*task, record.time, x);
                self.closes(*task, x);
                let drop = Poll {
                    from: x,
                    until: x,
                    time: self.narrator.time(record.time),
                    why: None,
                    told,
                    long: false,
                };
                self.dropping = Some((*task, drop));
            }
            Event::Completed { task } => self.ended(*task, Stage::Done, x),
            Event::Cancelled { task } => self.ended(*task, Stage::Cancelled, x),
            Event::Panicked { task, .. } => self.ended(*task, Stage::Panicked, x),
            _ => {}
        }
    }

    fn lane(&mut self, task: TaskId) -> Option<&mut Lane> {
        self.lane_of.get(&task).map(|&at| &mut self.lanes[at])
    }

    fn spawned(&mut self, task: TaskId, x: f64) {
        self.lane_of.insert(task, self.lanes.len());
        self.timers.add_lane();
        self.lanes.push(Lane {
            task,
            label: self.narrator.name(task),
            spawned: x,
            polls: Vec::new(),
            waits: Vec::new(),
            timers: Vec::new(),
            useless_wakes: Vec::new(),
            end: None,
            is_found: false,
        });
    }

    /// A bar ends here, and if the task is queued by this, another begins.
    fn woken(&mut self, task: TaskId, by: Cause, now: Duration, x: f64) {
        if !self.queued(task) {
            return;
        }
        let fired = self
            .overdue
            .take_if(|(timer, ..)| by == Cause::Timer(*timer));
        match fired {
            Some((_, due, label)) => {
                if let Some((_, Waiting::Timer | Waiting::Other, _)) = self.open.get(&task) {
                    self.turns_overdue(task, due, label);
                }
            }
            None => self.turns_overdue_by_its_timer(task, now, x),
        }
        self.closes(task, x);
        if self.narrator.state().running() != Some(task) {
            let label = format!("in the ready queue: {}", self.narrator.why(by));
            self.open.insert(task, (x, Waiting::Queued, label));
        }
        let (Cause::Task(source) | Cause::Joined(source)) = by else {
            return;
        };
        if let (Some(&from_lane), Some(&until_lane)) =
            (self.lane_of.get(&source), self.lane_of.get(&task))
        {
            self.open_arrows.insert(task, self.arrows.len());
            self.arrows.push(Arrow {
                from: x,
                from_lane,
                until: x,
                until_lane,
            });
        }
    }

    fn queued(&self, task: TaskId) -> bool {
        self.narrator
            .state()
            .task(task)
            .is_some_and(|task| task.queued)
    }

    fn poll_started(&mut self, task: TaskId, why: Cause, told: String, record: &Record, x: f64) {
        self.polling = Some(task);
        self.closes(task, x);
        // The arrow of the wake that led here ends here.
        if let Some(arrow) = self.open_arrows.remove(&task)
            && matches!(why, Cause::Task(_) | Cause::Joined(_))
        {
            self.arrows[arrow].until = x;
        }
        let time = self.narrator.time(record.time);
        if let Some(lane) = self.lane(task) {
            lane.polls.push(Poll {
                from: x,
                until: x,
                time,
                why: Some(why),
                told,
                long: false,
            });
        }
    }

    fn ends_poll(&mut self, task: TaskId, x: f64) {
        if let Some(poll) = self.lane(task).and_then(|lane| lane.polls.last_mut()) {
            poll.until = x;
        }
    }

    fn opens_wait(&mut self, task: TaskId, x: f64) {
        if let Some(entry) = self.narrator.state().entry(task) {
            let label = format!("in the ready queue: {}", self.narrator.why(entry.why));
            self.open.insert(task, (x, Waiting::Queued, label));
            return;
        }
        let (kind, label) = waits(&self.narrator, task);
        self.open.insert(task, (x, kind, label));
    }

    /// What a waiting task has waited for is gone, and nobody has woken it for that.
    fn waits_for_something_else(&mut self, task: TaskId, x: f64) {
        if let Some((_, Waiting::Timer | Waiting::Other, _)) = self.open.get(&task) {
            self.closes(task, x);
            self.opens_wait(task, x);
        }
    }

    fn closes(&mut self, task: TaskId, x: f64) {
        let Some((from, kind, label)) = self.open.remove(&task) else {
            return;
        };
        if let Some(lane) = self.lane(task) {
            lane.waits.push(Bar {
                from,
                until: x,
                kind,
                label,
            });
        }
    }

    /// A timer that uses a waker belongs to the task that runs, which made that waker.
    fn armed(&mut self, timer: TimerId, x: f64) {
        let state = self.narrator.state();
        let Some(timer) = state.timer(timer) else {
            return;
        };
        let task = timer.task.or(state.running());
        if let Some(&lane) = task.and_then(|task| self.lane_of.get(&task)) {
            let deadline = self.narrator.time(timer.deadline);
            self.timers.arm(timer, deadline, lane, x);
        }
    }

    /// Of a task that has waited for a timer which is due and has not fired.
    fn turns_overdue_by_its_timer(&mut self, task: TaskId, now: Duration, x: f64) {
        let Some((_, Waiting::Timer, _)) = self.open.get(&task) else {
            return;
        };
        let state = self.narrator.state().task(task);
        let mut waits = state.into_iter().flat_map(|task| &task.waits);
        let overdue = waits.find_map(|wait| match wait.on {
            WaitsOn::Timer(timer) => self.overdue_while_armed(timer, now, x),
            _ => None,
        });
        if let Some((due, label)) = overdue {
            self.turns_overdue(task, due, label);
        }
    }

    /// The bar of what the task waits for ends where that was due, and one that is overdue begins.
    fn turns_overdue(&mut self, task: TaskId, due: f64, label: String) {
        if let Some(&(from, ..)) = self.open.get(&task) {
            // It may have been due when it was armed.
            let due = due.max(from);
            self.closes(task, due);
            self.open.insert(task, (due, Waiting::Overdue, label));
        }
    }

    /// Since where a timer that fires was overdue, if it was, and in words.
    fn overdue(&self, deadline: Duration, now: Duration, x: f64) -> Option<(f64, String)> {
        // No thread is unparked at the very instant: only from then on it is held.
        let due = self.axis.at(deadline, self.records).max(self.unparked);
        // Each poll has a little room of its own, so what is wide may have been short.
        let share = now.saturating_sub(deadline).as_secs_f64() / self.axis.duration.as_secs_f64();
        let is_overdue = share > OVERDUE_WIDTH && x - due > OVERDUE_WIDTH;
        is_overdue.then(|| {
            (
                due,
                format!("overdue since {}", self.narrator.time(deadline)),
            )
        })
    }

    /// The same of a timer that has not fired.
    fn overdue_while_armed(&self, timer: TimerId, now: Duration, x: f64) -> Option<(f64, String)> {
        let timer = self.narrator.state().timer(timer)?;
        self.overdue(timer.deadline, now, x)
    }

    /// The bar of a closure is that of its run. Before it the closure waited for a thread, and afterwards it waited
    /// until the executor looked.
    fn closure_ran(&mut self, task: TaskId, queued: Duration, took: Duration, now: Duration) {
        let Some(handed_over) = self.handed_over.remove(&task) else {
            return;
        };
        // The virtual clock stands still meanwhile.
        let (began, ended) = (handed_over + queued, handed_over + queued + took);
        let is_long = |time: Duration| time > self.axis.duration.mul_f64(QUEUED_SHARE);
        let at = |time: Duration| self.axis.at(time.min(now), self.records);
        let before = is_long(queued).then(|| at(began));
        let after = is_long(now.saturating_sub(ended)).then(|| at(ended));
        let Some(bars) = self.lane(task).map(|lane| &mut lane.waits) else {
            return;
        };
        let is_closure = |bar: &Bar| bar.kind == Waiting::Closure;
        let Some(closure) = bars.iter().rposition(is_closure) else {
            return;
        };
        let bar = |from, until, label: &str| Bar {
            from,
            until,
            kind: Waiting::Other,
            label: label.to_owned(),
        };
        let Bar { from, until, .. } = bars[closure];
        if let Some(after) = after.map(|after| after.clamp(from, until)) {
            bars[closure].until = after;
            bars.insert(
                closure + 1,
                bar(after, until, "it has ended: nobody has looked"),
            );
        }
        if let Some(before) = before.map(|before| before.clamp(from, bars[closure].until)) {
            bars[closure].from = before;
            bars.insert(closure, bar(from, before, "a thread of the pool"));
        }
    }

    /// Whether a closure has run of which no end was told, or still waits for a thread, nobody knows.
    fn may_not_have_run(&mut self, task: TaskId, label: &str) {
        if self.handed_over.remove(&task).is_some()
            && let Some(lane) = self.lane(task)
            && let Some(closure) = lane
                .waits
                .iter_mut()
                .rfind(|bar| bar.kind == Waiting::Closure)
        {
            closure.kind = Waiting::Other;
            label.clone_into(&mut closure.label);
        }
    }

    fn ended(&mut self, task: TaskId, stage: Stage, x: f64) {
        self.closes(task, x);
        self.may_not_have_run(task, "a closure on a thread, in the end given up");
        // A panic ends its poll, but not one that was over when its executor dropped it. What an abort drops holds the
        // thread until it is gone.
        if self.polling.take_if(|polling| *polling == task).is_some() {
            self.ends_poll(task, x);
        }
        if let Some((_, drop)) = self
            .dropping
            .as_mut()
            .filter(|(dropping, _)| *dropping == task)
        {
            drop.until = x;
        }
        if let Some(&lane) = self.lane_of.get(&task) {
            self.lanes[lane].end = Some((x, stage));
            self.timers.end_lane(lane, x);
        }
    }

    /// The timer's bar ends, and another with the new deadline begins. So does its task's own, if that waits.
    fn reset(&mut self, timer: TimerId, x: f64) {
        let Some(timer) = self.narrator.state().timer(timer) else {
            return;
        };
        let deadline = self.narrator.time(timer.deadline);
        self.timers.reset(timer, deadline, x);
        if let Some(task) = timer.task
            && let Some((_, Waiting::Timer, _)) = self.open.get(&task)
        {
            self.closes(task, x);
            self.opens_wait(task, x);
        }
    }

    /// What has not ended goes on to the right edge.
    fn close(&mut self) {
        if let Some(task) = self.polling.take() {
            self.ends_poll(task, 1.0);
        }
        let parks = |record: &&Record| {
            matches!(record.event, Event::Parked { .. } | Event::Unparked { .. })
        };
        if let Some(Event::Parked { .. }) = self.records.iter().rfind(parks).map(|last| &last.event)
            && let Some(parked) = self.idle.last_mut()
        {
            parked.1 = 1.0;
        }
        let now = self.narrator.state().time();
        let open: Vec<TaskId> = self.open.keys().copied().collect();
        for task in open {
            self.turns_overdue_by_its_timer(task, now, 1.0);
            self.closes(task, 1.0);
            self.may_not_have_run(task, "a closure on a thread, or a thread for it");
        }
        let armed = self.narrator.state().timers();
        let mut armed: Vec<_> = armed.map(|timer| (timer.deadline, timer.id)).collect();
        armed.sort_unstable();
        for (_, timer) in armed {
            let overdue = self.overdue_while_armed(timer, now, 1.0);
            self.timers.disarm(timer, 1.0, overdue);
        }
        let timers = mem::take(&mut self.timers).close();
        for (lane, rows) in self.lanes.iter_mut().zip(timers) {
            // A single timer at a time is what the lane itself shows, if it waits for nothing else beside it.
            let is_shown_by_lane = match rows.as_slice() {
                [row] => !row
                    .iter()
                    .any(|timer| is_beside_another_wait(timer, &lane.waits)),
                _ => false,
            };
            lane.timers = if is_shown_by_lane { Vec::new() } else { rows };
        }
    }
}

/// Whom a finding is of.
fn found_of(event: &Event) -> Vec<TaskId> {
    match event {
        Event::Deadlock { circle } => circle.to_vec(),
        event => task_of(event).into_iter().collect(),
    }
}

/// True if the lane shows another wait while this timer is armed.
fn is_beside_another_wait(timer: &Bar, waits: &[Bar]) -> bool {
    let first = waits.partition_point(|wait| wait.until <= timer.from);
    let during = waits[first..]
        .iter()
        .take_while(|wait| wait.from < timer.until);
    during.into_iter().any(|wait| wait.kind == Waiting::Other)
}

/// The task that has waited for a timer until this event, which takes the timer away from it.
pub(super) fn former_waiter(before: &State, event: &Event) -> Option<TaskId> {
    match *event {
        Event::TimerCancelled { timer } => before.timer(timer)?.task,
        Event::TimerHandedOver { timer, task } => before
            .timer(timer)?
            .task
            .filter(|former| Some(*former) != task),
        _ => None,
    }
}

/// Nothing on the virtual clock.
fn took_in_words(took: Duration) -> String {
    match took.is_zero() {
        true => String::new(),
        false => format!("; it took {}", Span(took)),
    }
}

/// What a task waits for after its last poll.
fn waits(narrator: &Narrator<'_>, task: TaskId) -> (Waiting, String) {
    let Some(task) = narrator.state().task(task) else {
        return (Waiting::Other, String::new());
    };
    let is_sleep = |on: &WaitsOn| match on {
        WaitsOn::Timer(_) => !narrator.is_limit(*on),
        on => *on == WaitsOn::Never,
    };
    let is_timer = |on: &WaitsOn| is_sleep(on) || narrator.is_limit(*on);
    let waits = narrator.waits_on(task);
    let kind = match waits.iter().all(is_timer) && waits.iter().any(is_sleep) {
        true => Waiting::Timer,
        false => Waiting::Other,
    };
    let text = narrator.waits(task);
    // In a bar there is little room.
    let text = text.replace("its timer for the tick", "tick");
    let text = text.replace("its timer for", "sleep until");
    let mut text = text.replace("its time limit", "time limit");
    if kind == Waiting::Timer && task.wakers.is_some_and(|wakers| wakers > 0) {
        text += OR_OUTSIDE;
    }
    (kind, text)
}
