//! Every member of every event's object.

use std::num::NonZeroU32;
use std::panic::Location;

use super::*;
use crate::trace::{Effect, LongPoll, TaskKind, TimerId, TimerKind, UnparkCause};

fn task(slot: u32) -> TaskId {
    TaskId::new(slot, NonZeroU32::MIN)
}

fn timer(index: u32) -> TimerId {
    let generation = 0;
    TimerId { index, generation }
}

#[test]
fn every_event_has_each_of_its_members_under_its_own_name() {
    let [t1, t2, t3, t4] = [1, 2, 3, 4].map(task);
    let t = timer(5);
    let time = Duration::from_nanos;
    let (at, after, until) = (Location::caller(), Location::caller(), Location::caller());
    let on = WaitsOn::Task(t2);
    let place = Place::Slot { level: 6, slot: 7 };
    let slot = json!({"level": 6, "slot": 7});
    let all = [
        (
            Event::Spawned {
                task: t1,
                name: "named".into(),
                kind: TaskKind::Blocking,
                at,
            },
            json!({"event": "Spawned", "task": "#1", "name": "named", "kind": "Blocking", "at": at.to_string()}),
        ),
        (
            Event::Woken {
                task: t1,
                by: Cause::Task(t2),
                effect: Effect::AlreadyQueued,
            },
            json!({"event": "Woken", "task": "#1", "by": {"kind": "Task", "task": "#2"}, "effect": "AlreadyQueued"}),
        ),
        (
            Event::PollStarted {
                task: t1,
                why: Cause::Timer(t),
            },
            json!({"event": "PollStarted", "task": "#1", "why": {"kind": "Timer", "timer": "timer 5"}}),
        ),
        (
            Event::PassedOver { task: t1 },
            json!({"event": "PassedOver", "task": "#1"}),
        ),
        (
            Event::Waits {
                task: Some(t1),
                on,
                at,
            },
            json!({"event": "Waits", "task": "#1", "on": {"kind": "Task", "task": "#2"}, "at": at.to_string()}),
        ),
        (
            Event::Waits { task: None, on, at },
            json!({"event": "Waits", "task": null, "on": {"kind": "Task", "task": "#2"}, "at": at.to_string()}),
        ),
        (
            Event::GaveUp { task: t1, on },
            json!({"event": "GaveUp", "task": "#1", "on": {"kind": "Task", "task": "#2"}}),
        ),
        (
            Event::Detached { task: t1 },
            json!({"event": "Detached", "task": "#1"}),
        ),
        (
            Event::PollEnded {
                task: t1,
                ready: true,
                took: time(8),
                wakers: Some(9),
            },
            json!({"event": "PollEnded", "task": "#1", "ready": true, "took_ns": 8, "wakers": 9}),
        ),
        (
            Event::ForgottenWaker { task: t1 },
            json!({"event": "ForgottenWaker", "task": "#1"}),
        ),
        (
            Event::TimerArmed {
                timer: t,
                task: Some(t1),
                kind: TimerKind::Timeout,
                deadline: time(8),
                place,
            },
            json!({"event": "TimerArmed", "timer": "timer 5", "task": "#1", "kind": "Timeout", "deadline_ns": 8, "place": slot}),
        ),
        (
            Event::TimerReset {
                timer: t,
                deadline: time(8),
                place,
            },
            json!({"event": "TimerReset", "timer": "timer 5", "deadline_ns": 8, "place": slot}),
        ),
        (
            Event::TimerHandedOver {
                timer: t,
                task: Some(t1),
            },
            json!({"event": "TimerHandedOver", "timer": "timer 5", "task": "#1"}),
        ),
        (
            Event::Cascaded { timer: t, place },
            json!({"event": "Cascaded", "timer": "timer 5", "place": slot}),
        ),
        (
            Event::TimerFired {
                timer: t,
                deadline: time(8),
                now: time(9),
            },
            json!({"event": "TimerFired", "timer": "timer 5", "deadline_ns": 8, "now_ns": 9}),
        ),
        (
            Event::TimerCancelled { timer: t },
            json!({"event": "TimerCancelled", "timer": "timer 5"}),
        ),
        (
            Event::ClockAdvanced {
                from: time(8),
                to: time(9),
            },
            json!({"event": "ClockAdvanced", "from_ns": 8, "to_ns": 9}),
        ),
        (
            Event::Parked {
                until: Some(time(8)),
            },
            json!({"event": "Parked", "until_ns": 8}),
        ),
        (
            Event::Parked { until: None },
            json!({"event": "Parked", "until_ns": null}),
        ),
        (
            Event::Unparked {
                by: UnparkCause::Spurious,
            },
            json!({"event": "Unparked", "by": "Spurious"}),
        ),
        (
            Event::BlockingStarted { task: t1 },
            json!({"event": "BlockingStarted", "task": "#1"}),
        ),
        (
            Event::BlockingDone {
                task: t1,
                thread: "blocking-6".into(),
                queued: time(8),
                took: time(9),
            },
            json!({"event": "BlockingDone", "task": "#1", "thread": "blocking-6", "queued_ns": 8, "took_ns": 9}),
        ),
        (
            Event::Completed { task: t1 },
            json!({"event": "Completed", "task": "#1"}),
        ),
        (
            Event::Dropping { task: t1 },
            json!({"event": "Dropping", "task": "#1"}),
        ),
        (
            Event::Cancelled { task: t1 },
            json!({"event": "Cancelled", "task": "#1"}),
        ),
        (
            Event::Panicked {
                task: t1,
                message: Some("on purpose".into()),
            },
            json!({"event": "Panicked", "task": "#1", "message": "on purpose"}),
        ),
        (
            Event::Deadlock {
                circle: [t3, t4].into(),
            },
            json!({"event": "Deadlock", "circle": ["#3", "#4"]}),
        ),
        (
            Event::Stalled {
                tasks: [t1, t2].into(),
                held: [t2].into(),
            },
            json!({"event": "Stalled", "tasks": ["#1", "#2"], "held": ["#2"]}),
        ),
        (
            Event::LongPoll(Box::new(LongPoll {
                task: t1,
                took: time(8),
                goes_on: true,
                is_drop: true,
                after: Some(after),
                until: Some(until),
                between: time(7),
                delayed: vec![t2, t3],
                more_delayed: 4,
                timers: 9,
                late: time(10),
            })),
            json!({
                "event": "LongPoll", "task": "#1", "took_ns": 8, "goes_on": true, "is_drop": true, "after": after.to_string(),
                "until": until.to_string(), "between_ns": 7, "delayed": ["#2", "#3"], "more_delayed": 4, "timers": 9,
                "late_ns": 10,
            }),
        ),
        (
            Event::Spinning { task: t1, polls: 8 },
            json!({"event": "Spinning", "task": "#1", "polls": 8}),
        ),
        (
            Event::Printed {
                task: Some(t1),
                text: "a line".into(),
            },
            json!({"event": "Printed", "task": "#1", "text": "a line"}),
        ),
        (
            Event::LogFull { events: 7 },
            json!({"event": "LogFull", "events": 7}),
        ),
        (Event::LogEnded, json!({"event": "LogEnded"})),
    ];
    let record = |(seq, (event, _)): (u64, &(Event, _))| Record {
        seq,
        time: time(seq + 100),
        event: event.clone(),
    };
    let records: Vec<Record> = (0..).zip(&all).map(record).collect();
    let log: Value = serde_json::from_str(&log(&records)).unwrap();
    let told = log["records"].as_array().unwrap();
    assert_eq!(told.len(), all.len());
    for ((seq, told), (_, mut expected)) in (0..).zip(told).zip(all) {
        let says = &told["says"];
        assert!(!says.as_str().unwrap().is_empty(), "{told}");
        let of_each = [
            ("seq", json!(seq)),
            ("time_ns", json!(seq + 100)),
            ("says", says.clone()),
        ];
        for (member, value) in of_each {
            expected[member] = value;
        }
        assert_eq!(told, &expected);
    }
}

#[test]
fn each_cause_wait_place_and_end_has_its_own_name() {
    let told = [
        (cause(Cause::Spawned), json!({"kind": "Spawned"})),
        (
            cause(Cause::Timer(timer(1))),
            json!({"kind": "Timer", "timer": "timer 1"}),
        ),
        (
            cause(Cause::Task(task(2))),
            json!({"kind": "Task", "task": "#2"}),
        ),
        (cause(Cause::Itself), json!({"kind": "Itself"})),
        (cause(Cause::OtherThread), json!({"kind": "OtherThread"})),
        (cause(Cause::NotRunning), json!({"kind": "NotRunning"})),
        (cause(Cause::Outside), json!({"kind": "Outside"})),
        (
            cause(Cause::Joined(task(3))),
            json!({"kind": "Joined", "task": "#3"}),
        ),
        (cause(Cause::Aborted), json!({"kind": "Aborted"})),
        (
            waits_on(WaitsOn::Timer(timer(4))),
            json!({"kind": "Timer", "timer": "timer 4"}),
        ),
        (waits_on(WaitsOn::Never), json!({"kind": "Never"})),
        (
            waits_on(WaitsOn::Task(task(5))),
            json!({"kind": "Task", "task": "#5"}),
        ),
        (waits_on(WaitsOn::AnyTask), json!({"kind": "AnyTask"})),
        (waits_on(WaitsOn::Elsewhere), json!({"kind": "Elsewhere"})),
        (waits_on(WaitsOn::Turn), json!({"kind": "Turn"})),
        (
            waits_on(WaitsOn::Children(6)),
            json!({"kind": "Children", "children": 6}),
        ),
        (waits_on(WaitsOn::Blocking), json!({"kind": "Blocking"})),
        (
            waits_on(WaitsOn::Labelled("the lock")),
            json!({"kind": "Labelled", "name": "the lock"}),
        ),
        (place_value(Place::Due), json!("due")),
    ];
    for (told, expected) in told {
        assert_eq!(told, expected);
    }
}
