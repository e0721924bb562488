//! A log by hand in which almost everything happens, told sentence by sentence.

use std::num::NonZeroU32;

use super::*;
use crate::trace::{LongPoll, UnparkCause};

#[test]
fn every_event_is_told_with_names_and_reasons() {
    let [main, idle, copies, late] = [0, 1, 2, 3].map(|slot| TaskId::new(slot, NonZeroU32::MIN));
    let [timer, next_in_its_entry] = [0, 1].map(|generation| TimerId {
        index: 0,
        generation,
    });
    let ms = Duration::from_millis;
    let at = Location::caller();
    let spawned = |task, name: &'static str, kind| Event::Spawned {
        task,
        name: name.into(),
        kind,
        at,
    };
    let woken = |by, effect| Event::Woken {
        task: idle,
        by,
        effect,
    };
    let waits = |task, on| Event::Waits { task, on, at };
    let returns = |task, ready, took| Event::PollEnded {
        task,
        ready,
        took,
        wakers: Some(0),
    };
    let long_poll = |place, delayed, timers| {
        Event::LongPoll(Box::new(LongPoll {
            task: main,
            took: ms(8),
            goes_on: false,
            is_drop: false,
            after: place,
            until: place,
            between: ms(8),
            delayed,
            more_delayed: 0,
            timers,
            late: ms(3),
        }))
    };
    let slot = Place::Slot { level: 1, slot: 2 };
    let armed = |timer, task, kind, place| Event::TimerArmed {
        timer,
        task,
        kind,
        deadline: ms(5),
        place,
    };
    let [limit, tick] = [1, 2].map(|index| TimerId {
        index,
        generation: 0,
    });
    let told = [
        (spawned(main, "main", TaskKind::Main), format!("main is given to block_on at {at}")),
        (spawned(idle, "idle", TaskKind::Spawned), format!("idle is spawned at {at}")),
        (Event::PollStarted { task: main, why: Cause::Spawned }, "main polled (poll 1): it is new".into()),
        (spawned(late, "late", TaskKind::Spawned), format!("main spawns late at {at}")),
        (
            spawned(copies, "copies", TaskKind::Blocking),
            format!("main hands copies to the thread pool at {at}"),
        ),
        (Event::BlockingStarted { task: copies }, "copies runs as soon as the pool has a thread for it".into()),
        (waits(Some(copies), WaitsOn::Blocking), "copies will be polled when it has run".into()),
        (
            Event::Printed { task: Some(main), text: "x\n".into() },
            "printed while main ran, by it or by copies on a thread: \"x\"".into(),
        ),
        (
            armed(timer, Some(main), TimerKind::Sleep, slot),
            "timer 0 is armed to wake main at 0.005 s: it is in level 1, slot 2 of the wheel".into(),
        ),
        (
            armed(next_in_its_entry, None, TimerKind::Sleep, Place::Due),
            "timer 0.1 is armed to use a waker at 0.005 s: it is due".into(),
        ),
        (Event::TimerCancelled { timer: next_in_its_entry }, "timer 0.1 is cancelled: its sleep is given up".into()),
        (
            Event::TimerReset { timer, deadline: ms(7), place: Place::Due },
            "timer 0 is set to 0.007 s instead: it is due".into(),
        ),
        (
            armed(limit, Some(main), TimerKind::Timeout, Place::Due),
            "timer 1 (a time limit) is armed to wake main at 0.005 s: it is due".into(),
        ),
        (waits(Some(main), WaitsOn::Timer(limit)), "main waits for its time limit at 0.005 s".into()),
        (Event::TimerCancelled { timer: limit }, "timer 1 is cancelled: its time limit is of no use any more".into()),
        (
            armed(tick, Some(main), TimerKind::Interval, Place::Due),
            "timer 2 (for a tick) is armed to wake main at 0.005 s: it is due".into(),
        ),
        (waits(Some(main), WaitsOn::Timer(tick)), "main waits for its timer for the tick at 0.005 s".into()),
        (Event::TimerCancelled { timer: tick }, "timer 2 is cancelled: its interval is given up".into()),
        (Event::TimerHandedOver { timer, task: None }, "timer 0 will use another waker instead".into()),
        (Event::TimerHandedOver { timer, task: Some(idle) }, "timer 0 will wake idle instead".into()),
        (waits(Some(main), WaitsOn::Timer(timer)), "main waits for its timer for 0.007 s".into()),
        (
            Event::GaveUp { task: main, on: WaitsOn::Timer(timer) },
            "main gives up waiting for its timer for 0.007 s".into(),
        ),
        (
            waits(None, WaitsOn::Never),
            "a future outside of any task waits for a deadline that never comes".into(),
        ),
        (waits(Some(main), WaitsOn::AnyTask), "main waits for any task of its set to end".into()),
        (waits(Some(main), WaitsOn::Task(idle)), "main waits for idle to end".into()),
        (returns(main, false, ms(5)), "main returns Pending after 5.0 ms: the thread is free".into()),
        (
            long_poll(None, Vec::new(), 0),
            format!("main held the thread 8.0 ms (it was given to block_on at {at})"),
        ),
        (
            long_poll(Some(at), vec![idle], 1),
            "main held the thread 8.0 ms (it was given to block_on at src/view/narrator/tests.rs:16:14); it delayed idle; 1 timer had to wait 3.0 ms"
                .into(),
        ),
        (
            long_poll(Some(at), vec![main, idle, late], 2),
            "main held the thread 8.0 ms (it was given to block_on at src/view/narrator/tests.rs:16:14); it delayed main, idle and late; 2 timers had \
             to wait up to 3.0 ms"
                .into(),
        ),
        (
            Event::Parked { until: Some(ms(7)) },
            "nothing is ready: the thread parks until 0.007 s".into(),
        ),
        (
            Event::Unparked { by: UnparkCause::Deadline },
            "the thread runs again: the next deadline has come".into(),
        ),
        (Event::Parked { until: None }, "nothing is ready: the thread parks until it is woken".into()),
        (
            Event::Unparked { by: UnparkCause::OtherThread },
            "the thread runs again: another thread unparked it".into(),
        ),
        (
            Event::Unparked { by: UnparkCause::Spurious },
            "the thread runs again, for no reason of its own".into(),
        ),
        (
            Event::ClockAdvanced { from: ms(5), to: ms(7) },
            "nothing is ready: virtual time jumps from 0.005 s to 0.007 s".into(),
        ),
        (Event::Cascaded { timer, place: Place::Due }, "timer 0 is due now".into()),
        (
            Event::TimerFired { timer, deadline: ms(7), now: ms(9) },
            "timer 0 for 0.007 s fires, 2.0 ms late".into(),
        ),
        (
            woken(Cause::Timer(timer), Effect::Queued),
            "idle goes to the back of the ready queue: its timer for 0.007 s fired, 2.0 ms late".into(),
        ),
        (
            woken(Cause::Timer(next_in_its_entry), Effect::AlreadyQueued),
            "a wake of idle does nothing, for it is in the ready queue already: its timer 0.1 fired".into(),
        ),
        (
            woken(Cause::Task(main), Effect::Finished),
            "a wake of idle does nothing, for it has ended: main woke it".into(),
        ),
        (
            woken(Cause::Aborted, Effect::Finished),
            "a wake of idle does nothing, for it has ended: it was aborted".into(),
        ),
        (
            woken(Cause::Itself, Effect::Queued),
            "idle goes to the back of the ready queue: it woke itself".into(),
        ),
        (
            woken(Cause::OtherThread, Effect::Queued),
            "idle goes to the back of the ready queue: another thread woke it".into(),
        ),
        (
            woken(Cause::NotRunning, Effect::Queued),
            "idle goes to the back of the ready queue: it was woken while its executor did not run".into(),
        ),
        (
            woken(Cause::Outside, Effect::Queued),
            "idle goes to the back of the ready queue: it was woken while no task was running".into(),
        ),
        (
            Event::PollStarted { task: idle, why: Cause::Joined(copies) },
            "idle polled (poll 1): copies, which it awaits, has ended".into(),
        ),
        (
            returns(idle, false, ms(0)),
            "idle returns Pending: the thread is free".into(),
        ),
        (
            Event::ForgottenWaker { task: idle },
            format!(
                "idle, spawned at {at}, returned Pending but nobody holds its waker: it can never be polled again"
            ),
        ),
        (
            Event::Spinning { task: idle, polls: 1_000 },
            format!(
                "idle, spawned at {at}, has been polled 1000 times in a row only because it woke \
                 itself, or slept for no time: it waits in a loop, unless it computes and lets the others run"
            ),
        ),
        (
            Event::Deadlock { circle: [main, idle].into() },
            format!(
                "main → idle → main: each awaits the next, and nothing else would wake them: they can never be polled \
                 again, unless one is aborted; main, given to block_on at {at}, waits for any task of its set to end and \
                 idle to end; idle, spawned at {at}, waits, and nobody has its waker"
            ),
        ),
        (
            Event::Stalled {
                tasks: [main, idle].into(), held: [].into(),
            },
            format!(
                "nothing can ever happen again; main, given to block_on at {at}, waits for any task of its set to \
                 end and idle to end; idle, spawned at {at}, waits, and nobody has its waker"
            ),
        ),
        (
            Event::BlockingDone { task: copies, thread: "x".into(), queued: ms(3), took: ms(5) },
            "copies has run on thread x for 5.0 ms".into(),
        ),
        (returns(copies, true, ms(5)), "copies returns Ready after 5.0 ms".into()),
        (Event::Completed { task: copies }, "copies is done".into()),
        (
            Event::PassedOver { task: copies },
            "copies has ended while it was queued: its place in the ready queue is passed over".into(),
        ),
        (
            Event::Printed { task: Some(main), text: "it's \"x\"\n".into() },
            "main prints \"it's \\\"x\\\"\"".into(),
        ),
        (Event::Printed { task: None, text: "x\n".into() }, "printed while none of its tasks ran: \"x\"".into()),
        (
            Event::Detached { task: late },
            "late is detached: its handle is dropped, and nobody awaits it any more".into(),
        ),
        (
            Event::Dropping { task: late },
            format!(
                "late, spawned at {at}, is dropped and was never polled: its executor is dropped before its first turn"
            ),
        ),
        (
            Event::Panicked { task: late, message: Some("a\nb".into()) },
            format!("late, spawned at {at}, panicked: a\\nb"),
        ),
        (Event::Panicked { task: late, message: None }, format!("late, spawned at {at}, panicked")),
        (
            Event::Woken { task: idle, by: Cause::Aborted, effect: Effect::AlreadyQueued },
            "idle will be dropped when its turn comes: it was aborted".into(),
        ),
        (
            Event::PollStarted { task: idle, why: Cause::Aborted },
            "idle dropped, not polled: it was aborted".into(),
        ),
        (Event::Cancelled { task: idle }, "idle is cancelled: its future is gone".into()),
        (
            Event::Dropping { task: main },
            "main is dropped unfinished: it can never finish".into(),
        ),
    ];
    let record = |(seq, (event, _)): (u64, &(Event, String))| Record {
        seq,
        time: ms(seq),
        event: event.clone(),
    };
    let records: Vec<Record> = (0..).zip(&told).map(record).collect();
    let names = Names::of(&records);
    let mut narrator = Narrator::new(&names);
    for (record, (_, says)) in records.iter().zip(told) {
        assert_eq!(narrator.tell(record), says);
    }
}

/// A log may begin in the middle, with tasks in the queue of which it does not tell.
#[test]
fn of_a_task_that_was_not_seen_in_the_queue_nobody_says_that_it_is_out_of_turn() {
    let [seen, other, unseen] = [0, 1, 2].map(|slot| TaskId::new(slot, NonZeroU32::MIN));
    let woken = |task| Event::Woken {
        task,
        by: Cause::Outside,
        effect: Effect::Queued,
    };
    let polled = |task| Event::PollStarted {
        task,
        why: Cause::Outside,
    };
    let spawned = |task| Event::Spawned {
        task,
        name: "task".into(),
        kind: TaskKind::Spawned,
        at: Location::caller(),
    };
    let told = |last: Event| {
        let events = [spawned(seen), spawned(other), woken(other), woken(seen)];
        let events = events.into_iter().chain([last]);
        let record = |(seq, event)| Record {
            seq,
            time: Duration::ZERO,
            event,
        };
        let records: Vec<Record> = (0..).zip(events).map(record).collect();
        let names = Names::of(&records);
        let mut narrator = Narrator::new(&names);
        let told = records.iter().map(|record| narrator.tell(record));
        told.last().unwrap()
    };
    let out_of_turn = told(polled(seen));
    assert!(
        out_of_turn.ends_with(", out of turn: the order is shuffled"),
        "{out_of_turn}"
    );
    let in_turn = told(polled(unseen));
    assert!(!in_turn.contains("out of turn"), "{in_turn}");
}
