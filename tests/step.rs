//! `step` does the next thing that can be seen and nothing more; `run_until_idle` goes on until there
//! is nothing, and `run_until` as long as virtual time is no later.

mod common;

use std::cell::Cell;
use std::future::pending;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::mpsc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use common::{LONG, Log, Probe, ms, recorded, secs, virtual_executor, wake_remotely};
use watchglass::trace::Event;
use watchglass::{Executor, Step, now, sleep, spawn, spawn_blocking, yield_now};

#[test]
fn one_step_is_one_poll_or_one_batch_of_timers_or_one_jump_of_the_clock() {
    let executor = virtual_executor();
    assert_eq!(executor.step(), Step::Idle);
    let sleeps = executor.spawn(async {
        sleep(secs(2)).await;
        sleep(secs(1)).await;
    });
    let yields = executor.spawn(async {
        yield_now().await;
        sleep(secs(2)).await;
    });
    let (sleeps, yields) = (sleeps.id(), yields.id());
    let expected = [
        Step::Polled(sleeps),
        Step::Polled(yields),
        Step::Polled(yields),
        Step::ClockAdvanced(secs(2)),
        Step::TimersFired(2),
        Step::Polled(sleeps),
        Step::Polled(yields),
        Step::ClockAdvanced(secs(1)),
        Step::TimersFired(1),
        Step::Polled(sleeps),
        Step::Idle,
        Step::Idle,
    ];
    assert_eq!(expected.map(|_| executor.step()), expected);
}

#[test]
fn until_an_instant_everything_happens_that_is_to_happen_by_then() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    let (start, log) = (executor.now(), Log::new());
    let says = log.clone();
    drop(executor.spawn(async move {
        for n in 0.. {
            // What comes of the sleep is at the same instant, some turns later.
            yield_now().await;
            spawn(async {}).await.unwrap();
            says.push(n);
            sleep(secs(10)).await;
        }
    }));
    let run_until = |seconds| {
        executor.run_until(start + secs(seconds));
        assert_eq!(executor.now(), start + secs(seconds));
        log.take()
    };
    assert_eq!(run_until(0), [0]);
    assert_eq!(run_until(9), [0; 0]);
    assert_eq!(run_until(10), [1]);
    assert_eq!(run_until(10), [0; 0]);
    assert_eq!(run_until(35), [2, 3]);
    // Time does not go back.
    executor.run_until(start);
    assert_eq!(executor.now(), start + secs(35));
    let jump = |event: &Event| match event {
        Event::ClockAdvanced { to, .. } => Some(to.as_secs()),
        _ => None,
    };
    let jumps: Vec<u64> = recording.events().iter().filter_map(jump).collect();
    assert_eq!(jumps, [9, 10, 20, 30, 35]);
    // A sleep counts from there.
    executor.block_on(sleep(secs(1)));
    assert_eq!(executor.now(), start + secs(36));
}

#[test]
fn until_an_instant_is_no_further_than_time_moves() {
    // Where a closure is out on a thread.
    let executor = virtual_executor();
    let start = executor.now();
    let (lets_go, waits) = mpsc::channel::<()>();
    let closure = executor.spawn_blocking(move || waits.recv());
    executor.run_until(start + secs(1));
    assert_eq!(executor.now(), start);
    lets_go.send(()).unwrap();
    executor.block_on(closure).unwrap().unwrap();
    // Where nobody sleeps it moves as well.
    let executor = virtual_executor();
    let start = executor.now();
    executor.run_until(start + secs(1));
    assert_eq!(executor.now(), start + secs(1));
    // The real clock is not waited for.
    let executor = Executor::new();
    let task = executor.spawn(sleep(secs(3600)));
    let before = Instant::now();
    executor.run_until(executor.now() + secs(3600));
    assert!(!task.is_finished() && before.elapsed() < LONG);
}

#[test]
fn an_aborted_task_and_a_remote_wake_are_a_step_each() {
    let executor = virtual_executor();
    let probe = Probe::new();
    let woken = executor.spawn(probe.run());
    let aborted = executor.spawn(pending::<()>());
    executor.run_until_idle();
    wake_remotely(&probe.waker());
    aborted.abort();
    let expected = [
        Step::Polled(aborted.id()),
        Step::Polled(woken.id()),
        Step::Idle,
    ];
    assert_eq!(expected.map(|_| executor.step()), expected);
}

#[test]
fn step_never_waits_on_the_real_clock() {
    let executor = Executor::new();
    let task = executor.spawn(sleep(ms(30)));
    assert_eq!(executor.step(), Step::Polled(task.id()));
    while Instant::now() < executor.next_deadline().unwrap() {
        if executor.step() != Step::Idle {
            break;
        }
    }
    std::thread::sleep(ms(30));
    executor.run_until_idle();
    assert!(task.is_finished());
}

#[test]
fn run_until_idle_leaves_real_sleeps_sleeping_and_moves_virtual_time_to_the_end() {
    for (builder, finished) in [
        (Executor::builder(), false),
        (Executor::builder().virtual_time(), true),
    ] {
        let executor = builder.build();
        let task = executor.spawn(sleep(secs(3600)));
        executor.run_until_idle();
        assert_eq!(task.is_finished(), finished);
        assert_eq!(executor.next_deadline().is_none(), finished);
    }
}

#[test]
fn next_deadline_is_that_of_the_earliest_sleep_and_never_later() {
    let executor = virtual_executor();
    assert_eq!(executor.next_deadline(), None);
    let start = executor.now();
    assert_eq!(executor.block_on(async { now() }), start);
    let tasks = [5, 3, 4].map(|s| executor.spawn(sleep(secs(s))));
    assert_eq!(
        executor.next_deadline(),
        None,
        "nothing is armed before the first poll"
    );
    for _ in &tasks {
        executor.step();
    }
    assert_eq!(executor.next_deadline(), Some(start + secs(3)));
    tasks[1].abort();
    executor.step();
    assert!(
        executor
            .next_deadline()
            .is_some_and(|next| next <= start + secs(4))
    );
    let ended = executor.block_on(async {
        sleep(secs(4)).await;
        now()
    });
    assert_eq!(ended, start + secs(4));
    assert_eq!(executor.next_deadline(), Some(start + secs(5)));
}

#[test]
fn tasks_survive_between_calls_and_nothing_runs_there() {
    let executor = virtual_executor();
    let log = Log::new();
    let task = executor.spawn({
        let log = log.clone();
        async move {
            for n in 0.. {
                log.push(n);
                sleep(secs(1)).await;
            }
        }
    });
    executor.block_on(sleep(Duration::from_millis(1500)));
    assert_eq!(log.take(), [0, 1]);
    assert!(log.take().is_empty());
    executor.block_on(sleep(secs(2)));
    assert_eq!(log.take(), [2, 3]);
    assert!(!task.is_finished());
}

#[test]
fn block_on_may_borrow_and_gives_the_output() {
    let executor = Executor::default();
    let mut text = String::from("lent");
    let length = executor.block_on(async {
        text.push_str(" and back");
        yield_now().await;
        text.len()
    });
    assert_eq!((length, text.as_str()), (13, "lent and back"));
    assert_eq!(executor.try_block_on(std::future::ready(5)).unwrap(), 5);
}

#[test]
fn an_observer_that_panics_is_told_nothing_more_and_the_caller_gets_the_panic() {
    /// Each way to run an executor to its end.
    type Run = fn(&Executor);
    let runs: [(&str, Run); 3] = [
        ("block_on", |executor| {
            executor.block_on(async { spawn(async {}).await.unwrap() })
        }),
        ("step", |executor| {
            drop(executor.spawn(async {}));
            while executor.step() != Step::Idle {}
        }),
        ("stalled", |executor| {
            drop(executor.try_block_on(pending::<()>()))
        }),
    ];
    for (name, run) in runs {
        let (executor, recording) = recorded(Executor::builder().virtual_time());
        run(&executor);
        let events = recording.take().len();
        assert!(events > 4);
        for panics_at in 0..events {
            let told = Rc::new(Cell::new(0));
            let observer = {
                let told = told.clone();
                move |_: &watchglass::trace::Record| {
                    told.set(told.get() + 1);
                    assert!(told.get() <= panics_at, "an observer's panic");
                }
            };
            let executor = Executor::builder()
                .virtual_time()
                .observer(observer)
                .build();
            let message = common::panic_message(|| run(&executor));
            assert_eq!(
                message, "an observer's panic",
                "{name} at event {panics_at}"
            );
            assert_eq!(told.get(), panics_at + 1);
            executor.block_on(async { spawn(yield_now()).await.unwrap() });
            assert_eq!(told.get(), panics_at + 1);
        }
    }
}

#[test]
fn a_closure_on_a_thread_is_told_in_order() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    let task = executor.block_on(async {
        let task = spawn_blocking(|| ());
        let id = task.id();
        task.await.unwrap();
        id
    });
    let about = |event: &Event| match event {
        Event::BlockingStarted { task: id } if *id == task => Some("started".to_owned()),
        Event::BlockingDone {
            task: id, thread, ..
        } if *id == task => Some(thread.to_string()),
        Event::Completed { task: id } if *id == task => Some("completed".to_owned()),
        _ => None,
    };
    let told: Vec<_> = recording.events().iter().filter_map(about).collect();
    assert_eq!(told, ["started", "blocking-0", "completed"]);
}

#[test]
fn between_the_steps_no_task_runs_also_not_the_one_that_was_polled_last() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    let mut task = executor.spawn(pending::<()>());
    executor.run_until_idle();
    // Inside of the task this would panic: it would wait for itself.
    let polled = Pin::new(&mut task).poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_pending());
    let last = recording.events().pop();
    assert!(
        matches!(last, Some(Event::Waits { task: None, .. })),
        "{last:?}"
    );
}
