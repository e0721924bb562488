//! However busy the queue, timers and other threads are served at least every 64 polls, and bursts
//! come in bounded batches, but for timers of one instant.

mod common;

use std::cell::Cell;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use common::{Log, Probe, calm, ms, recorded, secs, virtual_executor, wake_remotely};
use watchglass::trace::{Cause, Event, Record};
use watchglass::{Executor, Step, sleep, sleep_until, yield_now};

const BUSY: usize = 1000;

/// Fills the queue with tasks that never leave it.
fn keep_busy(executor: &Executor) {
    for _ in 0..BUSY {
        drop(executor.spawn(async {
            loop {
                yield_now().await;
            }
        }));
    }
}

/// How many polls lie between the first event that `from` accepts and the next that `to` accepts.
fn polls_between(
    events: &[Event],
    from: impl FnMut(&Event) -> bool,
    to: impl FnMut(&Event) -> bool,
) -> usize {
    let from = events.iter().position(from).expect("it begins");
    let to = events[from..].iter().position(to).expect("it ends");
    let is_poll = |event: &&Event| matches!(event, Event::PollStarted { .. });
    events[from..from + to].iter().filter(is_poll).count()
}

#[test]
fn a_due_timer_fires_within_64_polls() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    let task = executor.spawn(sleep(Duration::ZERO));
    keep_busy(&executor);
    executor.block_on(task).unwrap();
    let armed = |event: &Event| matches!(event, Event::TimerArmed { .. });
    let fired = |event: &Event| matches!(event, Event::TimerFired { .. });
    let polls = polls_between(&recording.events(), armed, fired);
    // And the sleeper's own, in which it was armed.
    assert_eq!(polls + 1, 64);
}

#[test]
fn on_the_real_clock_too_a_busy_queue_holds_no_timer_back() {
    let (executor, recording) = recorded(Executor::builder());
    let task = executor.spawn(sleep(Duration::from_millis(5)));
    keep_busy(&executor);
    executor.block_on(task).unwrap();
    let records = recording.take();
    let deadline = records.iter().find_map(|record| match record.event {
        Event::TimerArmed { deadline, .. } => Some(deadline),
        _ => None,
    });
    let late = records
        .into_iter()
        .filter(|record| Some(record.time) >= deadline);
    let late: Vec<Event> = late.map(|record| record.event).collect();
    let fired = |event: &Event| matches!(event, Event::TimerFired { .. });
    let polls = polls_between(&late, |_| true, fired);
    assert!(polls <= 64, "{polls}");
}

/// Each turn fires as many timers as a turn may, and all of them are armed again at once.
#[test]
fn whoever_sleeps_until_a_time_that_has_passed_again_and_again_holds_no_timer_back() {
    let executor = Executor::new();
    let start = Instant::now();
    for _ in 0..BUSY {
        drop(executor.spawn(async move {
            loop {
                sleep_until(start).await;
            }
        }));
    }
    let task = executor.spawn(sleep(Duration::from_millis(5)));
    while !task.is_finished() {
        assert!(start.elapsed() < Duration::from_secs(60), "it is starved");
        executor.step();
    }
    assert!(start.elapsed() >= Duration::from_millis(5));
}

#[test]
fn a_remote_wake_is_taken_from_the_inbox_within_64_polls() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    let probe = Probe::new();
    let task = executor.spawn(probe.run());
    executor.step();
    keep_busy(&executor);
    probe.done.set(true);
    let waker = probe.waker();
    let wakes = executor.spawn(async move { wake_remotely(&waker) }).id();
    executor.block_on(task).unwrap();
    let woken = |event: &Event| {
        matches!(
            event,
            Event::Woken {
                by: Cause::OtherThread,
                ..
            }
        )
    };
    let poll = |event: &Event| matches!(event, Event::PollStarted { task, .. } if *task == wakes);
    let polls = polls_between(&recording.events(), poll, woken);
    assert!((1..=64).contains(&polls), "{polls}");
}

#[test]
fn a_burst_of_timers_is_handed_out_in_batches_with_polls_in_between() {
    const TIMERS: u32 = 150;
    let run = || {
        let executor = Executor::new();
        let first = executor.now() + ms(20);
        for n in 0..TIMERS {
            drop(executor.spawn(sleep_until(first + n * Duration::from_micros(1))));
        }
        // So many polls in a row, and what ends it.
        let row = || {
            let mut polls = 0;
            loop {
                match executor.step() {
                    Step::Polled(_) => polls += 1,
                    other => return (polls, other),
                }
            }
        };
        let armed = row();
        while executor.now() < first + ms(1) {
            thread::sleep(ms(1));
        }
        [armed, row(), row(), row(), row()]
    };
    // All are armed before the first is due.
    let rows = calm(run, |rows| rows[0] == (TIMERS, Step::Idle));
    let expected = [
        (TIMERS, Step::Idle),
        (0, Step::TimersFired(64)),
        (64, Step::TimersFired(64)),
        (64, Step::TimersFired(22)),
        (22, Step::Idle),
    ];
    assert_eq!(rows, expected);
}

/// Or a time limit might be up before what was to be done by then.
#[test]
fn timers_of_one_instant_are_one_batch() {
    let executor = virtual_executor();
    for _ in 0..150 {
        drop(executor.spawn(sleep(secs(1))));
    }
    for _ in 0..150 {
        assert!(matches!(executor.step(), Step::Polled(_)));
    }
    assert_eq!(executor.step(), Step::ClockAdvanced(secs(1)));
    assert_eq!(executor.step(), Step::TimersFired(150));
    for _ in 0..150 {
        assert!(matches!(executor.step(), Step::Polled(_)));
    }
    assert_eq!(executor.step(), Step::Idle);
}

#[test]
fn remote_wakes_that_come_while_the_inbox_is_read_wait_for_the_next_turn() {
    let probe = Probe::new();
    let wakes = Rc::new(Cell::new(0));
    let observer = {
        let (probe, wakes) = (probe.clone(), wakes.clone());
        move |record: &Record| {
            if let Event::Woken {
                by: Cause::OtherThread,
                ..
            } = record.event
                && wakes.replace(wakes.get() + 1) < 10
            {
                wake_remotely(&probe.waker());
            }
        }
    };
    let executor = Executor::builder()
        .virtual_time()
        .observer(observer)
        .build();
    let _task = executor.spawn(probe.run());
    executor.run_until_idle();
    wake_remotely(&probe.waker());
    executor.run_until_idle();
    assert_eq!(wakes.get(), 11);
    assert_eq!(probe.polls.get(), 12, "polled between any two of them");
}

#[test]
fn nobody_waits_longer_than_a_round_of_the_queue() {
    let executor = virtual_executor();
    let order = Log::new();
    for n in 0..300 {
        let order = order.clone();
        drop(executor.spawn(async move {
            loop {
                order.push(n);
                yield_now().await;
            }
        }));
    }
    executor.block_on(async {
        for _ in 0..5 {
            yield_now().await;
        }
    });
    let round: Vec<u32> = (0..300).collect();
    assert_eq!(order.take(), round.repeat(6));
}
