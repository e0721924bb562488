//! The events as JSON: for other programs, and for the player.
//!
//! One object a record, with the same names as in [`Event`]. Times and durations are in nanoseconds,
//! tasks and timers are their ids as they are displayed, places in the source are `file:line:column`.
//! `says` is the story's sentence.

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::names::Names;
use super::narrator::Narrator;
use crate::task::TaskId;
use crate::trace::{Cause, Event, Place, Record, WaitsOn};

/// `{"watchglass": 1, "records": [...]}`, a line a record.
pub(crate) fn log(records: &[Record]) -> String {
    let lines: Vec<String> = lines(records).collect();
    format!(
        "{{\"watchglass\":1,\"records\":[\n{}\n]}}\n",
        lines.join(",\n")
    )
}

/// Each record as one line of JSON.
pub(crate) fn lines(records: &[Record]) -> impl Iterator<Item = String> {
    let names = Names::of(records);
    let mut narrator = Narrator::new(&names);
    let said: Vec<String> = records.iter().map(|record| narrator.tell(record)).collect();
    records.iter().zip(said).map(|(record, says)| {
        let mut object = event(&record.event);
        object.insert("seq".to_owned(), json!(record.seq));
        object.insert("time_ns".to_owned(), ns(record.time));
        object.insert("says".to_owned(), Value::String(says));
        Value::Object(object).to_string()
    })
}

/// Most objects have few members, so one list of them is enough for all.
fn event(event: &Event) -> Map<String, Value> {
    let (name, members) = match event {
        Event::Spawned {
            task,
            name,
            kind,
            at,
        } => (
            "Spawned",
            json!({"task": text(*task), "name": name, "kind": format!("{kind:?}"), "at": text(at)}),
        ),
        Event::Woken { task, by, effect } => (
            "Woken",
            json!({"task": text(*task), "by": cause(*by), "effect": format!("{effect:?}")}),
        ),
        Event::PollStarted { task, why } => (
            "PollStarted",
            json!({"task": text(*task), "why": cause(*why)}),
        ),
        Event::Waits { task, on, at } => (
            "Waits",
            json!({"task": task.map(text), "on": waits_on(*on), "at": text(at)}),
        ),
        Event::PollEnded {
            task,
            ready,
            took,
            wakers,
        } => (
            "PollEnded",
            json!({"task": text(*task), "ready": ready, "took_ns": ns(*took), "wakers": wakers}),
        ),
        Event::GaveUp { task, on } => ("GaveUp", json!({"task": text(*task), "on": waits_on(*on)})),
        Event::Detached { task } => of_task("Detached", *task),
        Event::PassedOver { task } => of_task("PassedOver", *task),
        Event::ForgottenWaker { task } => of_task("ForgottenWaker", *task),
        Event::Completed { task } => of_task("Completed", *task),
        Event::Dropping { task } => of_task("Dropping", *task),
        Event::Cancelled { task } => of_task("Cancelled", *task),
        Event::BlockingStarted { task } => of_task("BlockingStarted", *task),
        Event::Panicked { task, message } => {
            ("Panicked", json!({"task": text(*task), "message": message}))
        }
        Event::Printed {
            task,
            text: printed,
        } => ("Printed", json!({"task": task.map(text), "text": printed})),
        Event::Spinning { task, polls } => {
            ("Spinning", json!({"task": text(*task), "polls": polls}))
        }
        Event::LogFull { events } => ("LogFull", json!({"events": events})),
        Event::LogEnded => ("LogEnded", json!({})),
        Event::Deadlock { circle } => ("Deadlock", json!({"circle": ids(circle)})),
        Event::Stalled { tasks, held } => {
            ("Stalled", json!({"tasks": ids(tasks), "held": ids(held)}))
        }
        _ => timer_or_thread(event),
    };
    let Value::Object(mut object) = members else {
        unreachable!("every event is an object")
    };
    object.insert("event".to_owned(), Value::from(name));
    object
}

fn timer_or_thread(event: &Event) -> (&'static str, Value) {
    match event {
        Event::TimerArmed {
            timer,
            task,
            kind,
            deadline,
            place,
        } => (
            "TimerArmed",
            json!({"timer": text(*timer), "task": task.map(text), "kind": format!("{kind:?}"), "deadline_ns": ns(*deadline), "place": place_value(*place)}),
        ),
        Event::TimerReset {
            timer,
            deadline,
            place,
        } => (
            "TimerReset",
            json!({"timer": text(*timer), "deadline_ns": ns(*deadline), "place": place_value(*place)}),
        ),
        Event::TimerHandedOver { timer, task } => (
            "TimerHandedOver",
            json!({"timer": text(*timer), "task": task.map(text)}),
        ),
        Event::Cascaded { timer, place } => (
            "Cascaded",
            json!({"timer": text(*timer), "place": place_value(*place)}),
        ),
        Event::TimerFired {
            timer,
            deadline,
            now,
        } => (
            "TimerFired",
            json!({"timer": text(*timer), "deadline_ns": ns(*deadline), "now_ns": ns(*now)}),
        ),
        Event::TimerCancelled { timer } => ("TimerCancelled", json!({"timer": text(*timer)})),
        Event::ClockAdvanced { from, to } => (
            "ClockAdvanced",
            json!({"from_ns": ns(*from), "to_ns": ns(*to)}),
        ),
        Event::Parked { until } => ("Parked", json!({"until_ns": until.map(ns)})),
        Event::Unparked { by } => ("Unparked", json!({"by": format!("{by:?}")})),
        Event::BlockingDone {
            task,
            thread,
            queued,
            took,
        } => (
            "BlockingDone",
            json!({"task": text(*task), "thread": thread, "queued_ns": ns(*queued), "took_ns": ns(*took)}),
        ),
        Event::LongPoll(poll) => (
            "LongPoll",
            json!({
                "task": text(poll.task), "took_ns": ns(poll.took), "goes_on": poll.goes_on, "is_drop": poll.is_drop,
                "after": poll.after.map(text), "until": poll.until.map(text), "between_ns": ns(poll.between),
                "delayed": ids(&poll.delayed), "more_delayed": poll.more_delayed, "timers": poll.timers, "late_ns": ns(poll.late),
            }),
        ),
        other => unreachable!("{other:?} is told above"),
    }
}

fn of_task(name: &'static str, task: TaskId) -> (&'static str, Value) {
    (name, json!({"task": text(task)}))
}

/// The id of a task or a timer, or a place in the source.
fn text(of: impl fmt::Display) -> String {
    of.to_string()
}

fn ids(tasks: &[TaskId]) -> Vec<String> {
    tasks.iter().map(text).collect()
}

/// Up to 584 years fit.
fn ns(duration: Duration) -> Value {
    Value::from(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
}

/// `{"kind": "Timer", "timer": "timer 0"}`.
pub(crate) fn cause(cause: Cause) -> Value {
    match cause {
        Cause::Spawned => json!({"kind": "Spawned"}),
        Cause::Timer(timer) => json!({"kind": "Timer", "timer": text(timer)}),
        Cause::Task(task) => json!({"kind": "Task", "task": text(task)}),
        Cause::Itself => json!({"kind": "Itself"}),
        Cause::OtherThread => json!({"kind": "OtherThread"}),
        Cause::NotRunning => json!({"kind": "NotRunning"}),
        Cause::Outside => json!({"kind": "Outside"}),
        Cause::Joined(task) => json!({"kind": "Joined", "task": text(task)}),
        Cause::Aborted => json!({"kind": "Aborted"}),
    }
}

pub(crate) fn waits_on(on: WaitsOn) -> Value {
    match on {
        WaitsOn::Timer(timer) => json!({"kind": "Timer", "timer": text(timer)}),
        WaitsOn::Never => json!({"kind": "Never"}),
        WaitsOn::Task(task) => json!({"kind": "Task", "task": text(task)}),
        WaitsOn::AnyTask => json!({"kind": "AnyTask"}),
        WaitsOn::Elsewhere => json!({"kind": "Elsewhere"}),
        WaitsOn::Turn => json!({"kind": "Turn"}),
        WaitsOn::Children(children) => json!({"kind": "Children", "children": children}),
        WaitsOn::Blocking => json!({"kind": "Blocking"}),
        WaitsOn::Labelled(name) => json!({"kind": "Labelled", "name": name}),
    }
}

pub(crate) fn place_value(place: Place) -> Value {
    match place {
        Place::Due => json!("due"),
        Place::Slot { level, slot } => json!({"level": level, "slot": slot}),
    }
}

#[cfg(test)]
mod tests;
