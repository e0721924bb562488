//! Deadlines where they are least expected, and timers while the clock, the queue or the pool is at
//! its worst.

mod common;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use common::{LONG, Log, ms, no_hang, poll_once, recorded_and, secs, virtual_executor};
use watchglass::trace::Event;
use watchglass::{
    Executor, Step, interval, join_all, now, race, sleep, sleep_until, spawn, spawn_blocking,
    timeout, yield_now,
};

#[test]
fn a_deadline_at_zero_or_in_the_past_is_due_at_the_next_turn() {
    let before = Instant::now();
    virtual_executor().block_on(async {
        sleep(secs(3)).await;
        let start = now();
        let past = [start, start - secs(1), start - secs(3), before];
        for deadline in past {
            let mut sleep = pin!(sleep_until(deadline));
            assert!(
                poll_once(sleep.as_mut()).await.is_pending(),
                "others go first"
            );
            sleep.await;
        }
        sleep(Duration::ZERO).await;
        assert_eq!(now(), start);
    });
}

#[test]
fn a_sleep_keeps_the_deadline_that_it_was_given() {
    let before = Instant::now() - secs(1);
    virtual_executor().block_on(async {
        let start = now();
        sleep(secs(3)).await;
        let second = start + secs(1);
        for given in [start, second, before] {
            let mut sleep = pin!(sleep_until(given));
            assert_eq!(sleep.deadline(), Some(given));
            assert!(poll_once(sleep.as_mut()).await.is_pending());
            assert_eq!(sleep.deadline(), Some(given), "while it waits");
            sleep.as_mut().await;
            assert_eq!(sleep.deadline(), Some(given), "when it is done");
        }
    });
}

#[test]
fn a_sleep_that_was_not_polled_yet_may_go_to_another_executor() {
    let early = virtual_executor();
    thread::sleep(ms(1));
    let late = virtual_executor();
    let (five, centuries, deadline) = late.block_on(async {
        let centuries = sleep(Duration::from_nanos(u64::MAX));
        (sleep(secs(5)), centuries, now() + secs(5))
    });
    assert_eq!(five.deadline(), Some(deadline));
    assert!(centuries.deadline().is_some());
    drop(late);
    early.block_on(async {
        five.await;
        assert_eq!(now(), deadline, "its deadline is an instant");
        let mut centuries = pin!(centuries);
        assert!(poll_once(centuries.as_mut()).await.is_pending());
        assert_eq!(centuries.deadline(), None, "this clock cannot say it");
        centuries.as_mut().reset(now());
        centuries.await;
    });
}

#[test]
fn an_interval_keeps_its_rhythm_on_an_executor_that_was_made_later() {
    let early = virtual_executor();
    let mut ticks = interval(ms(2));
    let first = early.block_on(ticks.tick());
    thread::sleep(ms(5));
    virtual_executor().block_on(async {
        assert!(now() > first + ms(2), "the tick was due before");
        assert_eq!(ticks.tick().await, first + ms(2));
        let since_first = ticks.tick().await - first;
        assert!(since_first > ms(5));
        assert_eq!(since_first.as_nanos() % ms(2).as_nanos(), 0);
    });
}

#[test]
fn a_sleep_and_an_interval_go_on_when_the_executor_that_armed_them_is_gone() {
    let (mut nap, mut ticks) = (sleep(secs(2)), interval(secs(1)));
    let early = virtual_executor();
    let first = early.block_on(async {
        let first = ticks.tick().await;
        assert!(poll_once(Pin::new(&mut nap)).await.is_pending());
        assert!(poll_once(pin!(ticks.tick())).await.is_pending());
        first
    });
    let deadline = nap.deadline().unwrap();
    drop(early);
    virtual_executor().block_on(async {
        assert_eq!(ticks.tick().await, first + secs(1));
        nap.await;
        assert_eq!(now(), deadline);
    });
}

#[test]
fn a_join_goes_on_when_the_executor_that_armed_its_sleeps_is_gone() {
    let mut joined = join_all([2, 3].map(|n| sleep(secs(n))));
    let early = virtual_executor();
    let start = early.now();
    early.block_on(timeout(secs(1), &mut joined)).unwrap_err();
    drop(early);
    let late = virtual_executor();
    late.block_on(joined);
    assert_eq!(late.now(), start + secs(3));
}

/// As in `FuturesUnordered` or a `select!` that keeps its futures: each has a waker of its own, and is polled only
/// after that was used.
#[test]
fn another_crate_s_combinator_goes_on_when_the_executor_that_armed_its_sleep_is_gone() {
    struct Woken(AtomicBool, Mutex<Waker>);
    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
            self.1.lock().unwrap().wake_by_ref();
        }
    }
    // One that has a deadline, and one that gets it only when its executor is gone.
    for first in [secs(3), Duration::MAX] {
        let woken = Arc::new(Woken(
            AtomicBool::new(true),
            Mutex::new(Waker::noop().clone()),
        ));
        let waker = Waker::from(woken.clone());
        let nap = Rc::new(RefCell::new(sleep(first)));
        let mut combined = poll_fn({
            let nap = nap.clone();
            move |cx| {
                cx.waker().clone_into(&mut woken.1.lock().unwrap());
                match woken.0.swap(false, Ordering::Relaxed) {
                    true => Pin::new(&mut *nap.borrow_mut()).poll(&mut Context::from_waker(&waker)),
                    false => Poll::Pending,
                }
            }
        });
        let early = virtual_executor();
        let start = early.now();
        early.block_on(timeout(secs(1), &mut combined)).unwrap_err();
        drop(early);
        let late = virtual_executor();
        if first == Duration::MAX {
            drop(late.spawn(async move { nap.borrow_mut().reset(start + secs(3)) }));
        }
        late.block_on(combined);
        assert_eq!(late.now(), start + secs(3));
    }
}

#[test]
fn a_deadline_that_never_comes_is_never_waited_for() {
    let executor = virtual_executor();
    let never = executor.spawn(sleep(Duration::MAX));
    let centuries = executor.spawn(sleep(Duration::from_nanos(u64::MAX)));
    let start = executor.block_on(async { now() });
    executor.run_until_idle();
    assert!(!never.is_finished());
    let late = executor.block_on(async { now() }) - start;
    assert!(centuries.is_finished() && late == Duration::from_nanos(u64::MAX));
    assert!(
        executor.try_block_on(never).is_err(),
        "a stall, and not a wait"
    );
}

#[test]
fn very_many_sleeps_until_one_instant_end_in_their_order() {
    // `tests/load.rs` has a million.
    const SLEEPS: u32 = 100_000;
    let executor = virtual_executor();
    let next = Rc::new(Cell::new(0));
    let until = executor.block_on(async { now() + secs(1) });
    for n in 0..SLEEPS {
        let next = next.clone();
        drop(executor.spawn(async move {
            sleep_until(until).await;
            assert_eq!(next.replace(n + 1), n);
        }));
    }
    executor.run_until_idle();
    assert_eq!(next.get(), SLEEPS);
}

#[test]
fn one_near_and_one_far_across_every_level_of_the_wheel() {
    for level in 0..=10u32 {
        let boundary = 1u64 << (6 * level);
        for (near, far) in [(0, 0), (1, 0), (1, 1), (0, 1), (boundary - 1, boundary)] {
            let executor = virtual_executor();
            let start = executor.block_on(async { now() });
            let log = Log::new();
            // Started at some distance before the boundary, and armed far before near.
            for (name, after) in [
                ("far", boundary.saturating_add(far)),
                ("near", boundary - near),
            ] {
                let log = log.clone();
                drop(executor.spawn(async move {
                    sleep_until(start + Duration::from_nanos(after)).await;
                    log.push((name, (now() - start).as_nanos()));
                }));
            }
            executor.run_until_idle();
            let (near, far) = (u128::from(boundary - near), u128::from(boundary + far));
            let mut expected = vec![("far", far), ("near", near)];
            expected.sort_by_key(|&(_, at)| at);
            assert_eq!(log.take(), expected, "level {level}");
        }
    }
}

/// Polls a sleep, changes it, and lets the task wait for what the poll before left behind.
async fn reset_behind_its_back(
    mut sleep: Pin<&mut watchglass::time::Sleep>,
    resets: &[Option<Duration>],
) -> Duration {
    let start = now();
    let mut changed = false;
    poll_fn(move |cx| {
        let polled = sleep.as_mut().poll(cx);
        if !changed {
            changed = true;
            assert!(polled.is_pending());
            for after in resets {
                let never = start + Duration::from_secs(1 << 40);
                sleep.reset(after.map_or(never, |after| start + after));
            }
        }
        polled
    })
    .await;
    now() - start
}

#[test]
fn whoever_awaits_a_sleep_is_woken_at_its_new_deadline_without_another_poll() {
    let near = Some(secs(1));
    let cases: [(Duration, &[Option<Duration>], Duration); 5] = [
        (secs(60), &[near], secs(1)),
        (secs(1), &[Some(secs(60))], secs(60)),
        (Duration::MAX, &[near], secs(1)),
        (secs(60), &[None, near], secs(1)),
        (Duration::MAX, &[near, None, Some(secs(2))], secs(2)),
    ];
    for (first, resets, expected) in cases {
        let slept = virtual_executor().block_on(async {
            let sleep = pin!(sleep(first));
            timeout(secs(1000), reset_behind_its_back(sleep, resets)).await
        });
        assert_eq!(slept, Ok(expected), "{first:?}, then {resets:?}");
    }
}

#[test]
fn a_sleep_reset_to_never_never_wakes() {
    let executor = virtual_executor();
    let sleeper = executor.spawn(async {
        let sleep = pin!(sleep(secs(1)));
        reset_behind_its_back(sleep, &[None]).await
    });
    executor.run_until_idle();
    assert!(!sleeper.is_finished());
    assert_eq!(executor.next_deadline(), None);
}

#[test]
fn more_blocking_calls_than_threads_all_run_and_no_more_at_once_than_allowed() {
    static NOW: AtomicUsize = AtomicUsize::new(0);
    static MOST: AtomicUsize = AtomicUsize::new(0);
    no_hang(|| {
        let executor = Executor::builder().blocking_threads(3).build();
        let jobs = |n: usize| {
            spawn_blocking(move || {
                MOST.fetch_max(NOW.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                thread::sleep(Duration::from_micros(200));
                NOW.fetch_sub(1, Ordering::SeqCst);
                n
            })
        };
        let outputs = executor.block_on(async { watchglass::join_all((0..200).map(jobs)).await });
        let outputs: Vec<usize> = outputs.into_iter().map(Result::unwrap).collect();
        assert_eq!(outputs, (0..200).collect::<Vec<_>>());
        let most = MOST.load(Ordering::SeqCst);
        assert!((1..=3).contains(&most), "{most} at once");
    });
}

#[test]
fn an_executor_dropped_while_jobs_run_waits_for_none_and_cancels_all() {
    no_hang(|| {
        let executor = Executor::builder().blocking_threads(1).build();
        let ran = Arc::new(AtomicUsize::new(0));
        let (go, wait) = mpsc::channel::<()>();
        let (started, starts) = mpsc::channel();
        let mut handles = executor.block_on(async {
            let running = spawn_blocking(move || {
                started.send(()).unwrap();
                // Until the executor is gone: were it waited for, this would end in a panic.
                wait.recv_timeout(LONG).unwrap();
            });
            let queued = (0..100).map(|_| {
                let ran = ran.clone();
                spawn_blocking(move || {
                    ran.fetch_add(1, Ordering::Relaxed);
                })
            });
            let mut handles: Vec<_> = queued.collect();
            handles.push(running);
            handles
        });
        starts.recv().unwrap();
        drop(executor);
        go.send(()).unwrap();
        for handle in &mut handles {
            let noop = &mut std::task::Context::from_waker(std::task::Waker::noop());
            match Pin::new(handle).poll(noop) {
                Poll::Ready(outcome) => assert!(outcome.unwrap_err().is_cancelled()),
                Poll::Pending => panic!("it is cancelled"),
            }
        }
        // What was queued is dropped unrun when a thread comes to it, with what it held.
        let start = Instant::now();
        while Arc::strong_count(&ran) > 1 {
            assert!(start.elapsed() < LONG);
            thread::sleep(ms(1));
        }
        assert_eq!(ran.load(Ordering::Relaxed), 0);
    });
}

#[test]
fn a_panic_between_two_ticks_or_in_a_timeout_leaves_no_timer_behind() {
    let executor = virtual_executor();
    let ticks = executor.spawn(async {
        let mut ticks = interval(secs(1));
        ticks.tick().await;
        let _tick = poll_once(pin!(ticks.tick())).await;
        panic!("on purpose");
    });
    let timed = executor.spawn(async {
        let panics = async {
            yield_now().await;
            panic!("on purpose");
        };
        timeout(secs(60), panics).await
    });
    let aborted = executor.spawn(timeout(secs(60), sleep(secs(50))));
    executor.step();
    executor.step();
    executor.step();
    aborted.abort();
    let start = executor.block_on(async { now() });
    executor.run_until_idle();
    assert!(ticks.is_finished() && timed.is_finished() && aborted.is_finished());
    assert_eq!(executor.next_deadline(), None);
    assert_eq!(executor.block_on(async { now() }), start);
}

#[test]
fn timers_that_another_timer_s_task_cancels_at_the_same_instant_do_not_fire() {
    let executor = virtual_executor();
    let log = Log::new();
    let until = executor.block_on(async { now() + secs(1) });
    let victims: Rc<Cell<Vec<watchglass::JoinHandle<()>>>> = Rc::default();
    let killer = executor.spawn({
        let victims = victims.clone();
        async move {
            sleep_until(until).await;
            victims.take().iter().for_each(|victim| victim.abort());
        }
    });
    let tasks = (0..500).map(|n| {
        let log = log.clone();
        executor.spawn(async move {
            sleep_until(until).await;
            // Armed in the same batch, so it was woken before it was aborted, and is not polled.
            log.push(n);
        })
    });
    victims.set(tasks.collect());
    executor.run_until_idle();
    assert!(killer.is_finished());
    assert!(log.take().is_empty());
}

/// A turn fires 64 timers, and then those of the same instant: or a limit might be up before what was to be done by then.
#[test]
fn who_is_done_at_the_instant_of_its_limit_is_in_time_however_many_sleep_until_then() {
    let twice = || async {
        sleep(ms(10)).await;
        sleep(ms(10)).await;
    };
    for many in [0, 1, 61, 62, 63, 64, 65, 127, 1000] {
        let executor = virtual_executor();
        let others = || (0..many).for_each(|_| drop(executor.spawn(sleep(ms(20)))));
        others();
        let raced = race(twice(), async {
            sleep(ms(20)).await;
            panic!("{many} others, and the limit was first");
        });
        executor.block_on(raced);
        others();
        let joined = join_all([twice(), twice()]);
        assert!(executor.block_on(timeout(ms(20), joined)).is_ok(), "{many}");
        let clients = join_all((0..many).map(|_| timeout(ms(20), twice())));
        assert_eq!(executor.block_on(clients), vec![Ok(()); many]);
        // Whose timers were armed before the limit has its turn before it is up.
        let (sender, receiver) = async_channel::unbounded();
        let sends = |n| {
            let sender = sender.clone();
            async move {
                sleep(ms(20)).await;
                sender.send(n).await.unwrap();
            }
        };
        let gets_both = async {
            drop(spawn(sends(1)));
            others();
            drop(spawn(sends(2)));
            yield_now().await;
            let both = async { (receiver.recv().await, receiver.recv().await) };
            timeout(ms(20), both).await
        };
        let got = executor.block_on(gets_both);
        assert_eq!(got, Ok((Ok(1), Ok(2))), "{many} others");
    }
}

#[test]
fn whoever_is_told_that_a_timer_fires_and_arms_one_that_is_due_keeps_nobody_waiting() {
    let armed = Rc::new(RefCell::new(Vec::new()));
    let arms = armed.clone();
    let (executor, _) = recorded_and(Executor::builder().virtual_time(), move |record| {
        if let Event::TimerFired { .. } = record.event {
            let mut due = Box::pin(sleep(Duration::ZERO));
            let cx = &mut Context::from_waker(Waker::noop());
            assert!(due.as_mut().poll(cx).is_pending());
            arms.borrow_mut().push(due);
        }
    });
    (0..100).for_each(|_| drop(executor.spawn(sleep(secs(1)))));
    while !matches!(executor.step(), Step::ClockAdvanced(_)) {}
    // Of the first 64 that fire each has armed another.
    assert_eq!(executor.step(), Step::TimersFired(64 + 36 + 64));
    assert!(matches!(executor.step(), Step::Polled(_)));
    drop(armed.take());
}

#[test]
fn a_spawn_in_virtual_time_never_runs_ahead_of_what_is_ready() {
    let executor = virtual_executor();
    executor.block_on(async {
        let start = now();
        drop(spawn(sleep(secs(1))));
        for _ in 0..1000 {
            yield_now().await;
            assert_eq!(now(), start);
        }
    });
}
