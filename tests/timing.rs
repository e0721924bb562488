//! How long things take: exactly on the virtual clock, and never early on the real one.

mod common;

use std::cell::Cell;
use std::panic::resume_unwind;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use common::{
    LONG, Log, OnDrop, Probe, ms, no_hang, own_waker, recorded, secs, virtual_executor,
    wake_remotely,
};
use proptest::prelude::*;
use watchglass::trace::{Effect, Event, Record, Recording};
use watchglass::{
    Executor, Step, interval, join, join_all, now, sleep, sleep_until, spawn, spawn_blocking,
    yield_now,
};

async fn task_async(name: &'static str, delay: Duration, log: Log<(&'static str, &'static str)>) {
    log.push((name, "starting"));
    sleep(delay).await;
    log.push((name, "done"));
}

/// The two programs of the article, and how long each takes.
fn sequential_and_concurrent(executor: &Executor) -> [Duration; 2] {
    executor.block_on(async {
        let log = Log::new();
        let start = now();
        task_async("Task 1", secs(2), log.clone()).await;
        task_async("Task 2", secs(1), log.clone()).await;
        let sequential = now() - start;
        let said = log.take();
        let order = [("Task 1", "starting"), ("Task 1", "done")];
        assert_eq!(said[..2], order);
        assert_eq!(said[2..], [("Task 2", "starting"), ("Task 2", "done")]);
        let a = spawn(task_async("Task A", secs(2), log.clone()));
        let b = spawn(task_async("Task B", secs(1), log.clone()));
        join(a, b).await.0.unwrap();
        let starting = [("Task A", "starting"), ("Task B", "starting")];
        let said = log.take();
        assert_eq!(said[..2], starting);
        let concurrent = now() - start - sequential;
        // On a machine that stands still for a second, both may be due at once.
        if concurrent < secs(3) {
            assert_eq!(said[2..], [("Task B", "done"), ("Task A", "done")]);
        }
        [sequential, concurrent]
    })
}

#[test]
fn sequential_is_three_seconds_and_concurrent_is_two_exactly_on_the_virtual_clock() {
    let times = sequential_and_concurrent(&virtual_executor());
    assert_eq!(times, [secs(3), secs(2)]);
}

#[test]
fn sequential_is_three_seconds_and_concurrent_is_two_on_the_real_clock() {
    let begun = Instant::now();
    let [sequential, concurrent] = sequential_and_concurrent(&Executor::new());
    assert!(begun.elapsed() >= sequential + concurrent);
    assert!(
        sequential >= secs(3) && concurrent >= secs(2),
        "never early"
    );
    assert!(sequential < secs(3) + LONG, "{sequential:?}");
    assert!(concurrent < secs(2) + LONG, "{concurrent:?}");
}

proptest! {
    #[test]
    fn sleeps_fire_in_the_order_of_their_deadlines_and_equal_ones_first_in_first_out(
        delays_ns in prop::collection::vec(prop_oneof![0..20u64, 0..u64::MAX], 0..50),
    ) {
        let executor = virtual_executor();
        let log = Log::new();
        let start = executor.block_on(async { now() });
        for (armed, &delay_ns) in delays_ns.iter().enumerate() {
            let log = log.clone();
            drop(executor.spawn(async move {
                sleep_until(start + Duration::from_nanos(delay_ns)).await;
                log.push(((now() - start).as_nanos() as u64, armed));
            }));
        }
        executor.run_until_idle();
        let mut expected: Vec<_> = delays_ns.into_iter().zip(0..).collect();
        expected.sort_unstable();
        prop_assert_eq!(log.take(), expected);
    }

    #[test]
    fn nothing_fires_early_on_the_real_clock(
        delays_us in prop::collection::vec(0..3000u64, 1..20),
    ) {
        Executor::new().block_on(join_all(delays_us.into_iter().map(|us| async move {
            let deadline = Instant::now() + Duration::from_micros(us);
            sleep(Duration::from_micros(us)).await;
            assert!(Instant::now() >= deadline);
            let next = Instant::now() + Duration::from_micros(us);
            sleep_until(next).await;
            assert!(Instant::now() >= next);
        })));
    }
}

#[test]
fn a_virtual_day_of_a_thousand_timers_takes_no_time() {
    let begun = Instant::now();
    let executor = virtual_executor();
    let day = secs(24 * 60 * 60);
    let start = executor.block_on(async { now() });
    let tick = day / 1000;
    let tasks: Vec<_> = (1..=1000)
        .map(|n| {
            executor.spawn(async move {
                for _ in 0..1000 / n {
                    sleep(tick * n).await;
                }
            })
        })
        .collect();
    let ticking = executor.spawn(async move {
        let mut ticks = interval(tick);
        for _ in 0..=1000 {
            ticks.tick().await;
        }
        now()
    });
    assert_eq!(executor.block_on(ticking).unwrap() - start, day);
    assert!(executor.block_on(join_all(tasks)).iter().all(Result::is_ok));
    assert!(begun.elapsed() < LONG, "{:?}", begun.elapsed());
}

#[test]
fn virtual_time_moves_exactly_to_the_next_deadline_and_only_when_nothing_is_ready() {
    let executor = virtual_executor();
    let start = executor.block_on(async { now() });
    let moved = || executor.block_on(async { now() }) - start;
    let odd = Duration::from_nanos(1_234_567_891_234_567_891);
    let nanosecond = Duration::from_nanos(1);
    let _sleepers = [odd, secs(1), odd + nanosecond].map(|d| executor.spawn(sleep(d)));
    executor.block_on(async {
        for _ in 0..1000 {
            yield_now().await;
            assert_eq!(now(), start, "something was ready all the time");
        }
    });
    thread::sleep(ms(2));
    assert_eq!(moved(), Duration::ZERO, "real time does not count");
    let steps = std::iter::repeat_with(|| executor.step()).take_while(|step| *step != Step::Idle);
    let jumps: Vec<_> = steps
        .filter(|step| matches!(step, Step::ClockAdvanced(_)))
        .collect();
    assert_eq!(
        jumps,
        [secs(1), odd - secs(1), nanosecond].map(Step::ClockAdvanced)
    );
    assert_eq!(moved(), odd + nanosecond);
}

#[test]
fn virtual_time_stands_still_while_a_closure_is_out_on_a_thread() {
    let closure = || thread::sleep(ms(50));
    let executor = virtual_executor();
    executor.block_on(async {
        let start = now();
        let sleeper = spawn(async move {
            sleep(Duration::from_nanos(1)).await;
            now() - start
        });
        spawn_blocking(closure).await.unwrap();
        assert_eq!(now(), start);
        assert!(!sleeper.is_finished());
        assert_eq!(sleeper.await.unwrap(), Duration::from_nanos(1));
        // The end of the task alone changes nothing: the closure goes on.
        let (started, has_started) = mpsc::channel();
        let (ended, has_ended) = mpsc::channel();
        let aborted = spawn_blocking(move || {
            started.send(()).unwrap();
            closure();
            ended.send(()).unwrap();
        });
        has_started.recv().unwrap();
        aborted.abort();
        aborted.await.unwrap_err();
        sleep(secs(1)).await;
        has_ended
            .try_recv()
            .expect("it has ended before time moved");
    });
    let _out = executor.block_on(async { [spawn_blocking(closure)] });
    let _sleeper = executor.spawn(sleep(secs(1)));
    assert!(matches!(executor.step(), Step::Polled(_)));
    assert_eq!(executor.step(), Step::Idle, "step never waits");
}

#[test]
fn a_wake_that_comes_after_the_turn_began_comes_before_time_moves() {
    let probe = Probe::new();
    // Told of a wake that changes nothing, so the turn is empty but for what comes just now.
    let observer = {
        let probe = probe.clone();
        move |record: &Record| {
            if let Event::Woken {
                effect: Effect::Finished,
                ..
            } = record.event
            {
                probe.done.set(true);
                wake_remotely(&probe.waker());
            }
        }
    };
    let executor = Executor::builder()
        .virtual_time()
        .observer(observer)
        .build();
    let start = executor.block_on(async { now() });
    let stale = executor.block_on(async { spawn(own_waker()).await.unwrap() });
    let woken = executor.spawn({
        let probe = probe.run();
        async move {
            probe.await;
            now()
        }
    });
    let _sleeper = executor.spawn(sleep(secs(1)));
    executor.step();
    executor.step();
    // In the turn of block_on's own future, so that the next turn finds nothing else.
    let _wakes = executor.spawn(async move { wake_remotely(&stale) });
    assert_eq!(executor.block_on(woken).unwrap(), start);
}

#[test]
fn time_moves_on_when_a_closure_ends_just_before_the_executor_parks() {
    no_hang(|| {
        let (go, wait) = mpsc::channel();
        let armed = Cell::new(false);
        let observer = move |record: &Record| match record.event {
            Event::TimerArmed { .. } => armed.set(true),
            Event::Parked { .. } if armed.get() => {
                // Nothing tells when the closure's end is counted, but this is long enough.
                let _ = go.send(());
                thread::sleep(ms(50));
            }
            _ => {}
        };
        let builder = Executor::builder().virtual_time().blocking_threads(1);
        let executor = builder.observer(observer).build();
        executor.block_on(async {
            let (first_may_end, first_waits) = mpsc::channel::<()>();
            let first = spawn_blocking(move || first_waits.recv().unwrap());
            // Aborted before it runs, it is dropped; and as it panics then, it wakes nobody.
            let guard = OnDrop(move || {
                wait.recv().unwrap();
                resume_unwind(Box::new("on purpose"));
            });
            spawn_blocking(move || drop(guard)).abort();
            yield_now().await;
            first_may_end.send(()).unwrap();
            first.await.unwrap();
            sleep(secs(1)).await;
        });
    });
}

/// Until when each park is to last.
fn parks(recording: &Recording) -> Vec<Option<Duration>> {
    let events = recording.events().into_iter();
    let parks = events.filter_map(|event| match event {
        Event::Parked { until } => Some(until),
        _ => None,
    });
    parks.collect()
}

#[test]
fn in_virtual_time_it_parks_until_the_closure_ends_whatever_the_next_deadline_is() {
    let recording = Recording::new();
    let (go, wait) = mpsc::channel();
    let ends_the_closure = move |record: &Record| {
        if let Event::Parked { .. } = record.event {
            let _ = go.send(()); // it may park again, until the call is over
        }
    };
    let builder = Executor::builder().virtual_time();
    let executor = builder
        .observer((recording.clone(), ends_the_closure))
        .build();
    executor.block_on(async {
        let closure = spawn_blocking(move || wait.recv().unwrap());
        join(sleep(secs(1)), closure).await.1.unwrap();
    });
    let parks = parks(&recording);
    assert!(
        !parks.is_empty() && parks.iter().all(Option::is_none),
        "{parks:?}"
    );
}

#[test]
fn on_the_real_clock_it_parks_until_the_next_deadline() {
    // On a machine that stands still at the wrong time the executor need not park at all.
    let parked = (0..100).any(|_| {
        let (executor, recording) = recorded(Executor::builder());
        executor.block_on(sleep(ms(20)));
        let events = recording.events();
        let armed = events.iter().find_map(|event| match event {
            Event::TimerArmed { deadline, .. } => Some(*deadline),
            _ => None,
        });
        let parks = parks(&recording);
        assert!(parks.iter().all(|&until| until == armed), "{parks:?}");
        for event in events {
            if let Event::TimerFired { deadline, now, .. } = event {
                assert!(now >= deadline);
            }
        }
        !parks.is_empty()
    });
    assert!(parked);
}

#[test]
fn a_wake_from_another_thread_cuts_a_park_short() {
    let waited = no_hang(|| {
        let executor = Executor::new();
        let (send, receive) = async_channel::bounded::<()>(1);
        let begun = Instant::now();
        let waking = thread::spawn(move || {
            thread::sleep(ms(10));
            send.send_blocking(()).unwrap();
        });
        executor.block_on(async {
            let _long = spawn(sleep(secs(3600)));
            receive.recv().await.unwrap();
        });
        waking.join().unwrap();
        begun.elapsed()
    });
    assert!(waited >= ms(10));
}

#[test]
fn now_is_the_real_time_outside_of_a_virtual_executor() {
    for inside in [false, true] {
        let before = Instant::now();
        let now = match inside {
            true => Executor::new().block_on(async { now() }),
            false => now(),
        };
        assert!(before <= now && now <= Instant::now());
    }
}
