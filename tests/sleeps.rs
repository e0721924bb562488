//! `sleep`, `sleep_until`, `timeout` and `interval`, sentence by sentence.

mod common;

use std::cell::RefCell;
use std::future::{pending, poll_fn, ready};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use common::{
    Log, altered, calm, ms, no_hang, poll_once, recorded, secs, sentences, virtual_executor,
};
use waker_fn::waker_fn;
use watchglass::time::Elapsed;
use watchglass::trace::{Event, Record, Recording, State, TimerKind, WaitsOn};
use watchglass::{
    Executor, Stalled, block_on, interval, interval_at, join, now, sleep, sleep_until, spawn,
    timeout, timeout_at, yield_now,
};

/// How long `future` takes on the virtual clock.
fn time_of<F: Future>(future: F) -> Duration {
    virtual_executor().block_on(async {
        let start = now();
        future.await;
        now() - start
    })
}

#[test]
fn inside_an_executor_a_sleep_counts_from_the_call_and_outside_from_its_first_poll() {
    let inside = time_of(async {
        let early = sleep(secs(3));
        sleep(secs(2)).await;
        early.await;
    });
    assert_eq!(inside, secs(3));
    let outside = sleep(secs(3));
    assert_eq!(outside.deadline(), None);
    let outside = time_of(async {
        sleep(secs(2)).await;
        outside.await;
    });
    assert_eq!(outside, secs(5));
    let timed = timeout(secs(3), pending::<()>());
    let late = time_of(async {
        sleep(secs(2)).await;
        timed.await.unwrap_err();
    });
    assert_eq!(late, secs(5));
}

#[test]
fn a_timeout_made_outside_counts_from_before_its_futures_first_poll() {
    let recording = Recording::new();
    let executor = Executor::builder().observer(recording.clone()).build();
    let blocks = async {
        thread::sleep(ms(50));
        pending::<()>().await;
    };
    executor.block_on(timeout(ms(60), blocks)).unwrap_err();
    let armed = |record: Record| match record.event {
        Event::TimerArmed { deadline, .. } => Some((record.time, deadline)),
        _ => None,
    };
    let (now, deadline) = recording.records().into_iter().find_map(armed).unwrap();
    assert!(deadline <= now + ms(10), "{deadline:?}, armed at {now:?}");
}

#[test]
fn a_sleep_of_no_length_and_one_whose_deadline_has_passed_give_the_others_a_turn() {
    let executor = virtual_executor();
    executor.block_on(async {
        sleep(secs(1)).await;
        for past in [
            sleep(Duration::ZERO),
            sleep_until(now() - secs(1)),
            sleep_until(now()),
        ] {
            let start = now();
            let other = spawn(async {});
            past.await;
            assert!(other.is_finished());
            assert_eq!(now(), start);
        }
    });
}

#[test]
fn a_sleep_that_the_clock_cannot_say_never_ends() {
    let never: Result<_, Stalled> = virtual_executor().try_block_on(sleep(Duration::MAX));
    never.unwrap_err();
    let executor = virtual_executor();
    let stalled = executor.try_block_on(async {
        let never = pin!(sleep(Duration::MAX));
        assert_eq!(never.deadline(), None);
        never.await;
    });
    stalled.unwrap_err();
    // Six hundred years can be said by an `Instant`, but not in nanoseconds.
    let centuries = secs(600 * 365 * 24 * 60 * 60);
    virtual_executor()
        .try_block_on(sleep(centuries))
        .unwrap_err();
    virtual_executor()
        .try_block_on(timeout(Duration::MAX, pending::<()>()))
        .unwrap_err();
    virtual_executor()
        .try_block_on(timeout(Duration::MAX, ready(())))
        .unwrap()
        .unwrap();
}

#[test]
fn deadline_and_is_elapsed_tell_where_a_sleep_is() {
    virtual_executor().block_on(async {
        let deadline = now() + secs(1);
        let mut sleep = pin!(sleep(secs(1)));
        assert_eq!(
            (sleep.deadline(), sleep.is_elapsed()),
            (Some(deadline), false)
        );
        assert!(poll_once(sleep.as_mut()).await.is_pending());
        assert_eq!(
            (sleep.deadline(), sleep.is_elapsed()),
            (Some(deadline), false)
        );
        watchglass::sleep(secs(2)).await;
        assert_eq!(
            (sleep.deadline(), sleep.is_elapsed()),
            (Some(deadline), true)
        );
        for _ in 0..2 {
            assert!(
                poll_once(sleep.as_mut()).await.is_ready(),
                "and it stays complete"
            );
            assert_eq!(
                (sleep.deadline(), sleep.is_elapsed()),
                (Some(deadline), true)
            );
        }
    });
}

#[test]
fn reset_moves_a_deadline_both_ways_at_any_time() {
    // When it is reset: before it is polled, while it waits, when it has fired, when it is done.
    for (when, polls) in [(secs(0), 0), (secs(1), 1), (secs(3), 1), (secs(3), 2)] {
        for (to, ends) in [(secs(9), secs(9)), (secs(1), when.max(secs(1)))] {
            let took = time_of(async {
                let start = now();
                let mut sleep = pin!(sleep(secs(2)));
                let early = polls.min(1);
                for _ in 0..early {
                    assert!(poll_once(sleep.as_mut()).await.is_pending());
                }
                watchglass::sleep(when).await;
                for _ in early..polls {
                    assert!(poll_once(sleep.as_mut()).await.is_ready());
                }
                sleep.as_mut().reset(start + to);
                assert_eq!(sleep.deadline(), Some(start + to));
                assert!(!sleep.is_elapsed());
                sleep.await;
            });
            assert_eq!(
                took, ends,
                "reset to {to:?} at {when:?} after {polls} polls"
            );
        }
    }
}

#[test]
fn whoever_awaits_a_sleep_need_not_poll_it_again_when_it_is_reset() {
    // From one deadline to another; from one to never and back; from never to one.
    let resets: [(Duration, &[Duration]); 4] = [
        (secs(2), &[secs(9)]),
        (secs(20), &[secs(9)]),
        (secs(2), &[Duration::MAX, secs(9)]),
        (Duration::MAX, &[secs(9)]),
    ];
    for (first, resets) in resets {
        let executor = virtual_executor();
        let start = executor.block_on(async { now() });
        let shared = Rc::new(RefCell::new(Box::pin(sleep_until(later(start, first)))));
        let polls = Log::new();
        let awaiting = executor.spawn({
            let (shared, polls) = (shared.clone(), polls.clone());
            poll_fn(move |cx| {
                polls.push(now() - start);
                shared.borrow_mut().as_mut().poll(cx)
            })
        });
        executor.block_on(async {
            sleep(secs(1)).await;
            for &deadline in resets {
                shared.borrow_mut().reset(later(start, deadline));
                yield_now().await;
            }
            awaiting.await.unwrap();
        });
        assert_eq!(
            polls.take(),
            [Duration::ZERO, secs(9)],
            "{first:?}, {resets:?}"
        );
    }
}

/// An instant that only an `Instant`, and no clock of an executor, can say, stands for never.
fn later(start: Instant, duration: Duration) -> Instant {
    let centuries = secs(600 * 365 * 24 * 60 * 60);
    start + duration.min(centuries)
}

#[test]
fn a_reset_deadline_goes_behind_equal_ones() {
    let executor = virtual_executor();
    let log = Log::new();
    executor.block_on(async {
        let deadline = now() + secs(5);
        let mut moved = Box::pin(sleep(secs(1)));
        assert!(poll_once(moved.as_mut()).await.is_pending());
        let other = spawn({
            let log = log.clone();
            async move {
                sleep_until(deadline).await;
                log.push("armed before");
            }
        });
        yield_now().await;
        moved.as_mut().reset(deadline);
        let moved = spawn({
            let log = log.clone();
            async move {
                moved.await;
                log.push("moved there");
            }
        });
        other.await.unwrap();
        moved.await.unwrap();
    });
    assert_eq!(log.take(), ["armed before", "moved there"]);
}

#[test]
fn resets_and_cancellations_are_told() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    executor.block_on(async {
        let mut sleep = Box::pin(sleep(secs(1)));
        assert!(poll_once(sleep.as_mut()).await.is_pending());
        sleep.as_mut().reset(now() + secs(2));
        drop(sleep);
    });
    let sentences = sentences(&recording);
    let timers: Vec<_> = sentences
        .iter()
        .filter(|s| s.starts_with("timer"))
        .collect();
    let expected = [
        "timer 0 was armed to wake #0 at 1.000 s, and put in level 4, slot 59 of the wheel",
        "timer 0 was set to 2.000 s instead, and put in level 5, slot 1 of the wheel",
        "timer 0 was cancelled",
    ];
    assert_eq!(timers, expected);
}

#[test]
fn a_sleep_that_moves_to_another_task_wakes_that_one() {
    virtual_executor().block_on(async {
        let mut moved = Box::pin(sleep(secs(1)));
        assert!(poll_once(moved.as_mut()).await.is_pending());
        let polls = Rc::new(std::cell::Cell::new(0));
        let counted = polls.clone();
        spawn(async move {
            poll_fn(|cx| {
                counted.set(counted.get() + 1);
                moved.as_mut().poll(cx)
            })
            .await;
        })
        .await
        .unwrap();
        assert_eq!(polls.get(), 2);
    });
}

#[test]
fn a_timeout_gives_the_output_or_says_that_the_time_was_up() {
    let outcome = |limit, takes| {
        virtual_executor().block_on(async move {
            let start = now();
            let outcome = timeout(limit, async move {
                sleep(takes).await;
                "done"
            });
            (outcome.await, now() - start)
        })
    };
    assert_eq!(outcome(secs(2), secs(1)), (Ok("done"), secs(1)));
    let (late, took) = outcome(secs(1), secs(2));
    assert_eq!(took, secs(1));
    let error: Box<dyn std::error::Error + Send + Sync> = Box::new(late.unwrap_err());
    assert_eq!(
        error.to_string(),
        "the time was up before the future was done"
    );
    assert_eq!(
        outcome(secs(1), secs(1)),
        (Ok("done"), secs(1)),
        "at the same time, it counts"
    );
}

#[test]
fn a_timeout_polls_its_future_at_least_once_and_first() {
    virtual_executor().block_on(async {
        assert_eq!(timeout(Duration::ZERO, ready(5)).await, Ok(5));
        let polls = std::cell::Cell::new(0);
        let counted = poll_fn(|_| {
            polls.set(polls.get() + 1);
            Poll::<()>::Pending
        });
        let start = now();
        let elapsed: Result<(), Elapsed> = timeout(Duration::ZERO, counted).await;
        elapsed.unwrap_err();
        assert_eq!(now(), start);
        assert_eq!(polls.get(), 2, "and once more when the time is up");
        // Made long ago, with a future that is ready now: the output counts.
        let overdue = timeout(secs(1), ready(5));
        sleep(secs(2)).await;
        assert_eq!(overdue.await, Ok(5));
    });
}

#[test]
fn a_timeout_that_is_over_and_is_kept_waits_for_nothing() {
    let executor = virtual_executor();
    let start = executor.now();
    let stalled = executor.try_block_on(async {
        let mut kept = pin!(timeout(secs(1), yield_now()));
        assert_eq!(kept.as_mut().await, Ok(()));
        pending::<()>().await
    });
    assert!(stalled.is_err());
    assert_eq!(executor.now(), start);
}

#[test]
fn a_timeout_that_is_over_keeps_nobody_s_waker_also_if_its_limit_never_comes() {
    no_hang(|| {
        let stalled = Executor::new().try_block_on(async {
            let mut kept = pin!(timeout(Duration::MAX, yield_now()));
            poll_fn(|cx| {
                let own = cx.waker().clone();
                let wraps = waker_fn(move || own.wake_by_ref());
                kept.as_mut().poll(&mut Context::from_waker(&wraps))
            })
            .await
            .unwrap();
            pending::<()>().await
        });
        assert!(stalled.is_err());
    });
}

#[test]
fn what_a_timeout_cuts_off_is_dropped_at_once() {
    virtual_executor().block_on(async {
        let log = Log::new();
        let guard = common::OnDrop(|| log.push(now()));
        let start = now();
        let cut_off = timeout(secs(1), async {
            let _guard = guard;
            pending::<()>().await;
        });
        cut_off.await.unwrap_err();
        assert_eq!(log.take(), [start + secs(1)]);
    });
}

#[test]
fn an_interval_ticks_at_once_and_leaves_out_what_was_missed() {
    virtual_executor().block_on(async {
        let start = now();
        let mut ticks = interval(secs(10));
        assert_eq!(ticks.period(), secs(10));
        let mut seen = Vec::new();
        for pause_s in [0, 0, 5, 12, 25, 0, 0] {
            sleep(secs(pause_s)).await;
            let tick = ticks.tick().await;
            seen.push(((tick - start).as_secs(), (now() - start).as_secs()));
        }
        // When it was due, and when it came: late ones come once, and the rhythm is kept.
        assert_eq!(
            seen,
            [
                (0, 0),
                (10, 10),
                (20, 20),
                (30, 32),
                (40, 57),
                (60, 60),
                (70, 70)
            ]
        );
    });
}

#[test]
fn an_interval_may_begin_at_any_time_and_anew() {
    virtual_executor().block_on(async {
        let start = now();
        let since_start = |tick: Instant| (tick - start).as_secs();
        sleep(secs(10)).await;
        let mut ticks = interval_at(start + secs(3), secs(4));
        let late = [ticks.tick().await, ticks.tick().await, ticks.tick().await];
        assert_eq!(late.map(since_start), [3, 11, 15]);
        ticks.reset();
        assert_eq!(since_start(ticks.tick().await), 19);
        let mut never = interval(Duration::MAX);
        never.reset();
        assert!(poll_once(pin!(never.tick())).await.is_pending());
        let mut fresh = interval(secs(5));
        fresh.reset();
        assert_eq!(since_start(fresh.tick().await), 24);
        // Also behind the back of who waits for it.
        let ticks = RefCell::new(interval_at(now() + secs(1), secs(10)));
        let reset = async {
            yield_now().await;
            ticks.borrow_mut().reset();
        };
        let tick = poll_fn(|cx| Pin::new(&mut ticks.borrow_mut().tick()).poll(cx));
        assert_eq!(since_start(join(tick, reset).await.0), 34);
    });
}

#[test]
fn a_timeout_until_a_time_that_has_passed_polls_its_future_all_the_same() {
    virtual_executor().block_on(async {
        let past = now();
        sleep(secs(1)).await;
        assert_eq!(timeout_at(past, ready(5)).await, Ok(5));
        assert!(timeout_at(past, sleep(secs(1))).await.is_err());
        assert_eq!(now(), past + secs(1));
    });
}

#[test]
fn a_tick_that_is_dropped_before_it_is_done_is_not_lost() {
    virtual_executor().block_on(async {
        let start = now();
        let mut ticks = interval(secs(10));
        ticks.tick().await;
        timeout(secs(4), ticks.tick()).await.unwrap_err();
        assert_eq!(ticks.tick().await - start, secs(10));
        assert_eq!(now() - start, secs(10));
    });
}

#[test]
fn an_interval_that_comes_to_have_a_timer_by_a_reset_is_told_as_one() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    executor.block_on(async {
        let in_600_years = now() + secs(600 * 365 * 24 * 3600);
        let mut ticks = interval_at(in_600_years, secs(1));
        assert!(poll_once(pin!(ticks.tick())).await.is_pending());
        ticks.reset();
        ticks.tick().await;
    });
    let kind_of = |event| match event {
        Event::TimerArmed { kind, .. } => Some(kind),
        _ => None,
    };
    let kinds = recording.events().into_iter().filter_map(kind_of);
    assert_eq!(kinds.collect::<Vec<_>>(), [TimerKind::Interval]);
}

#[test]
fn an_interval_counts_from_its_call_or_outside_from_its_first_poll() {
    let mut ticks = interval(secs(10));
    let seconds = time_of(async {
        sleep(secs(3)).await;
        ticks.tick().await;
        ticks.tick().await;
    });
    assert_eq!(seconds, secs(13));
    virtual_executor().block_on(async {
        let start = now();
        let mut ticks = interval(secs(2));
        sleep(secs(3)).await;
        assert_eq!(ticks.tick().await, start);
    });
    let never = virtual_executor().try_block_on(async {
        let mut ticks = interval(Duration::MAX);
        ticks.tick().await;
        ticks.tick().await;
    });
    never.unwrap_err();
}

#[test]
fn block_on_a_sleep_works_on_the_real_clock() {
    let start = Instant::now();
    block_on(sleep(Duration::from_millis(20)));
    assert!(start.elapsed() >= Duration::from_millis(20));
}

#[test]
fn a_sleep_wakes_whoever_has_polled_it_last_also_if_neither_is_a_task() {
    for first_deadline in [secs(1), Duration::MAX] {
        let woken = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
        virtual_executor().block_on(async {
            let mut polled_by_two = pin!(sleep(first_deadline));
            for counter in &woken {
                let counter = counter.clone();
                let waker = waker_fn(move || {
                    counter.fetch_add(1, Ordering::Relaxed);
                });
                let polled = polled_by_two
                    .as_mut()
                    .poll(&mut Context::from_waker(&waker));
                assert!(polled.is_pending());
            }
            if first_deadline == Duration::MAX {
                polled_by_two.reset(now() + secs(1));
            }
            sleep(secs(2)).await;
        });
        assert_eq!(woken.map(|counter| counter.load(Ordering::Relaxed)), [0, 1]);
    }
}

#[test]
fn a_sleep_that_is_polled_again_says_again_that_it_is_waited_for() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    let task = executor.spawn(join(sleep(secs(1)), yield_now()));
    executor.step();
    executor.step();
    let state = State::after(&recording.records());
    let task = state.task(task.id()).unwrap();
    assert_eq!(task.polls, 2);
    let [wait] = &task.waits[..] else {
        panic!("{:?}", task.waits);
    };
    assert!(matches!(wait.on, WaitsOn::Timer(_)), "{wait:?}");
}

#[test]
fn that_a_timer_fires_is_told_with_how_late_it_was() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    executor.block_on(sleep(secs(1)));
    let late = altered(&recording, |record| {
        if let Event::TimerFired { now, .. } = &mut record.event {
            *now += ms(2);
        }
    });
    let told = sentences(&late);
    let says = "timer 0 fired: it was due at 1.000 s, 2ms ago";
    assert!(told.iter().any(|sentence| sentence == says), "{told:#?}");
}

#[test]
fn who_awaits_a_sleep_that_was_reset_to_never_twice_is_woken_in_the_end() {
    let executor = virtual_executor();
    let shared = Rc::new(RefCell::new(Box::pin(sleep(Duration::MAX))));
    let awaited = shared.clone();
    let task = executor.spawn(poll_fn(move |cx| awaited.borrow_mut().as_mut().poll(cx)));
    executor.block_on(async {
        yield_now().await;
        for seconds in [1 << 40, 1] {
            shared.borrow_mut().reset(now() + secs(seconds));
        }
    });
    executor.try_block_on(task).unwrap().unwrap();
}

#[test]
fn a_sleep_that_is_done_is_ready_everywhere() {
    let mut slept = Box::pin(sleep(Duration::ZERO));
    block_on(slept.as_mut());
    let cx = &mut Context::from_waker(Waker::noop());
    assert!(slept.as_mut().poll(cx).is_ready(), "where no executor runs");
    block_on(slept);
}

#[test]
fn a_sleep_that_is_given_up_by_a_reset_is_not_told_as_dropped() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    let mut kept = Box::pin(sleep(secs(1)));
    executor.block_on(async {
        assert!(poll_once(kept.as_mut()).await.is_pending());
        kept.reset(now() + secs(1 << 40));
    });
    assert!(
        recording
            .story()
            .contains("is cancelled: its sleep is given up")
    );
    drop(kept);
}

#[test]
fn an_observer_that_takes_its_time_when_the_thread_parks_makes_no_sleep_later() {
    let run = || {
        let slow = |told: &Record| {
            if let Event::Parked { .. } = told.event {
                thread::sleep(ms(200));
            }
        };
        let executor = Executor::builder().observer(slow).build();
        let begin = Instant::now();
        executor.block_on(sleep(ms(300)));
        begin.elapsed()
    };
    let took = calm(run, |took| *took < ms(450));
    assert!(took >= ms(300), "{took:?}");
}
