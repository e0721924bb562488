//! What other executors' tests hold of time, held of this one. `docs/reliability.md` says whose.

mod common;

use std::cell::RefCell;
use std::future::{pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use common::{Log, ms, no_hang, poll_once, secs, virtual_executor};
use watchglass::time::Sleep;
use watchglass::{
    Executor, block_on, interval, join, join_all, now, race, sleep, sleep_until, spawn, timeout,
    yield_now,
};

const YEAR: Duration = secs(365 * 24 * 60 * 60);

/// How long a future takes, on the virtual clock.
async fn measured(future: impl Future) -> Duration {
    let start = now();
    future.await;
    now() - start
}

#[test]
fn a_sleep_takes_exactly_as_long_as_it_says_whenever_it_starts() {
    virtual_executor().block_on(async {
        for before in [0, 1, 63, 64, 4095, 5_000_000] {
            for ns in [
                1,
                63,
                64,
                65,
                999_999,
                1_000_000,
                1_000_001,
                60_000_000,
                1 << 36,
            ] {
                sleep(Duration::from_nanos(before)).await;
                let length = Duration::from_nanos(ns);
                assert_eq!(measured(sleep(length)).await, length, "after {before} ns");
            }
        }
    });
}

#[test]
fn ten_thousand_short_sleeps_add_up() {
    virtual_executor().block_on(async {
        let took = measured(async {
            for _ in 0..10_000 {
                sleep(Duration::from_nanos(10_001)).await;
            }
        });
        assert_eq!(took.await, Duration::from_nanos(100_010_000));
    });
}

#[test]
fn long_sleeps_may_follow_one_another() {
    virtual_executor().block_on(async {
        for years in [1, 2, 5, 100] {
            assert_eq!(measured(sleep(YEAR * years)).await, YEAR * years);
        }
    });
}

#[test]
fn a_sleep_close_to_the_longest_there_is_waits_and_harms_no_other() {
    let longest = Duration::from_nanos(u64::MAX);
    for near in [
        Duration::ZERO,
        Duration::from_nanos(1),
        ms(1),
        secs(1),
        YEAR,
    ] {
        for long in [Duration::MAX - near, longest - near, longest + near] {
            virtual_executor().block_on(async {
                sleep(ms(1)).await;
                let mut long = pin!(sleep(long));
                assert!(poll_once(long.as_mut()).await.is_pending());
                assert_eq!(measured(sleep(ms(10))).await, ms(10));
                assert!(timeout(ms(10), long.as_mut()).await.is_err());
            });
        }
    }
}

#[test]
fn a_long_sleep_that_is_dropped_leaves_the_wheel_in_order() {
    virtual_executor().block_on(async {
        sleep(ms(3)).await;
        let mut first = Box::pin(sleep(YEAR * 2));
        let mut second = Box::pin(sleep(YEAR));
        assert!(poll_once(first.as_mut()).await.is_pending());
        assert!(poll_once(second.as_mut()).await.is_pending());
        drop(first);
        assert_eq!(measured(second).await, YEAR);
        assert_eq!(measured(sleep(secs(1))).await, secs(1));
    });
}

#[test]
fn a_sleep_that_is_reset_after_it_was_ready_waits_again() {
    virtual_executor().block_on(async {
        let mut timer = pin!(sleep(ms(1)));
        timer.as_mut().await;
        let first = timer.deadline();
        let next = now() + ms(5);
        timer.reset(next);
        assert_ne!(timer.deadline(), first);
        assert!(!timer.is_elapsed());
        assert!(poll_once(timer.as_mut()).await.is_pending());
        assert!(poll_once(timer.as_mut()).await.is_pending());
        timer.as_mut().await;
        assert_eq!(now(), next);
        timer.reset(now() - ms(1));
        timer.as_mut().await;
        assert_eq!(now(), next, "into the past: at once");
    });
}

#[test]
fn a_sleep_that_was_moved_may_be_dropped_at_its_new_deadline() {
    virtual_executor().block_on(async {
        let start = now();
        let others: Vec<_> = (0..3).map(|_| spawn(sleep_until(start + ms(64)))).collect();
        let mut moved = Box::pin(sleep_until(start + ms(1)));
        assert!(poll_once(moved.as_mut()).await.is_pending());
        moved.reset(start + ms(64));
        sleep_until(start + ms(64)).await;
        drop(moved);
        for other in others {
            other.await.unwrap();
        }
        assert_eq!(now() - start, ms(64));
    });
}

/// A waker that drops a sleep when its own last clone is dropped.
struct DropsSleep;

thread_local!(static SECONDARY: RefCell<Option<Pin<Box<Sleep>>>> = const { RefCell::new(None) });

impl Wake for DropsSleep {
    fn wake(self: Arc<Self>) {}
}

impl Drop for DropsSleep {
    fn drop(&mut self) {
        drop(SECONDARY.take());
    }
}

#[test]
fn a_waker_s_drop_may_drop_another_sleep() {
    let executor = virtual_executor();
    executor.block_on(async {
        let mut secondary = Box::pin(sleep(secs(1)));
        assert!(poll_once(secondary.as_mut()).await.is_pending());
        SECONDARY.set(Some(secondary));
        let mut primary = Box::pin(sleep(secs(1)));
        let waker = Waker::from(Arc::new(DropsSleep));
        let polled = primary.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
        drop(waker);
        assert!(SECONDARY.with_borrow(|secondary| secondary.is_some()));
        drop(primary);
        assert!(SECONDARY.with_borrow(|secondary| secondary.is_none()));
    });
    assert_eq!(executor.next_deadline(), None);
}

#[test]
fn a_timeout_of_any_length_leaves_a_ready_future_alone() {
    virtual_executor().block_on(async {
        for limit in [
            Duration::ZERO,
            ms(1),
            YEAR,
            Duration::from_nanos(u64::MAX),
            Duration::MAX,
        ] {
            assert_eq!(timeout(limit, async { 5 }).await, Ok(5));
            let took = measured(async {
                let done = timeout(limit, yield_now()).await;
                assert!(done.is_ok() || limit.is_zero());
            });
            assert_eq!(took.await, Duration::ZERO);
        }
    });
}

#[test]
fn a_timeout_ends_at_its_deadline_and_not_after_its_future_would() {
    virtual_executor().block_on(async {
        for (limit, work, done) in [(5, 10, false), (10, 5, true), (10, 10, true), (0, 1, false)] {
            let start = now();
            let outcome = timeout(ms(limit), sleep(ms(work))).await;
            assert_eq!(outcome.is_ok(), done, "{work} ms in {limit} ms");
            assert_eq!(now() - start, ms(limit.min(work)));
        }
    });
}

#[test]
fn a_future_that_is_always_ready_to_go_on_cannot_outlast_its_timeout() {
    no_hang(|| {
        block_on(async {
            let busy = poll_fn(|cx| {
                cx.waker().wake_by_ref();
                Poll::<()>::Pending
            });
            timeout(ms(5), busy).await.unwrap_err();
            let yields = async {
                loop {
                    yield_now().await;
                }
            };
            timeout(ms(5), yields).await.unwrap_err();
        });
    });
}

#[test]
fn nested_timeouts_end_at_the_earlier_deadline_and_say_which() {
    virtual_executor().block_on(async {
        let nested = |outer, inner| timeout(ms(outer), timeout(ms(inner), pending::<()>()));
        let start = now();
        assert!(nested(5, 10).await.is_err(), "the outer one");
        assert!(nested(10, 5).await.unwrap().is_err(), "the inner one");
        assert!(
            nested(5, 5).await.unwrap().is_err(),
            "the inner one is asked first"
        );
        assert_eq!(now() - start, ms(15));
    });
}

#[test]
fn a_timeout_while_the_thread_is_busy_still_asks_its_future_first() {
    no_hang(|| {
        block_on(async {
            let mut slow = pin!(timeout(ms(1), sleep(ms(2))));
            assert!(poll_once(slow.as_mut()).await.is_pending());
            std::thread::sleep(ms(5));
            // Both deadlines have passed while nobody looked: done is done.
            slow.await.unwrap();
        });
    });
}

#[test]
fn an_interval_ticks_exactly_and_never_twice_for_one_instant() {
    virtual_executor().block_on(async {
        let start = now();
        let mut ticks = interval(ms(300));
        let log = Log::new();
        for work in [0, 100, 299, 300, 301, 1000, 0, 0] {
            log.push((ticks.tick().await - start).as_millis());
            sleep(ms(work)).await;
        }
        // Two come late, by 1 ms and by 701; those of 2100 and 2400 are left out.
        assert_eq!(log.take(), [0, 300, 600, 900, 1200, 1500, 1800, 2700]);
        assert_eq!(ticks.period(), ms(300));
    });
}

#[test]
fn an_interval_of_any_length_ticks_at_least_once() {
    let executor = virtual_executor();
    for period in [Duration::MAX, Duration::from_nanos(u64::MAX), YEAR * 1000] {
        executor.block_on(async {
            let mut ticks = interval(period);
            let first = ticks.tick().await;
            assert_eq!(first, now());
            assert!(timeout(YEAR, ticks.tick()).await.is_err());
        });
    }
}

#[test]
fn an_interval_polled_with_other_things_in_one_task_loses_no_tick() {
    virtual_executor().block_on(async {
        let mut ticks = interval(ms(10));
        let mut seen = 0;
        // The tick's future is made anew each time that something else is ready first.
        let mut other = interval(ms(7));
        while seen < 100 {
            let tick = async {
                ticks.tick().await;
                true
            };
            let otherwise = async {
                other.tick().await;
                false
            };
            seen += usize::from(race(tick, otherwise).await);
        }
        assert_eq!(ticks.tick().await, now());
    });
}

#[test]
fn virtual_time_is_the_same_in_every_run_whatever_the_thread_does() {
    let run = |busy: bool| {
        let log = Log::new();
        virtual_executor().block_on(async {
            let start = now();
            let tasks = (1..50u64).map(|n| {
                let log = log.clone();
                spawn(async move {
                    for round in 1..5 {
                        sleep(Duration::from_micros(n * 7919 % (50 * round))).await;
                        if busy && n % 10 == 0 {
                            std::thread::sleep(Duration::from_micros(50));
                        }
                        log.push((n, round, now() - start));
                    }
                })
            });
            join_all(tasks).await;
        });
        log.take()
    };
    assert_eq!(run(false), run(true));
}

#[test]
fn a_sleep_counts_from_its_call_though_it_is_polled_later() {
    virtual_executor().block_on(async {
        let early = sleep(ms(100));
        sleep(ms(60)).await;
        assert_eq!(measured(early).await, ms(40));
        let past = sleep(ms(10));
        sleep(ms(60)).await;
        assert_eq!(measured(past).await, Duration::ZERO);
    });
}

#[test]
fn many_sleeps_in_many_tasks_each_take_their_time() {
    virtual_executor().block_on(async {
        let sleeps = (0..1000u64).map(|n| {
            let length = Duration::from_micros(n * 7919 % 100_000);
            spawn(async move { (measured(sleep(length)).await, length) })
        });
        for outcome in join_all(sleeps).await {
            let (took, length) = outcome.unwrap();
            assert_eq!(took, length);
        }
    });
}

#[test]
fn on_the_real_clock_no_sleep_is_early_and_none_is_forgotten() {
    no_hang(|| {
        Executor::new().block_on(async {
            let sleeps = (0..200u64).map(|n| {
                spawn(async move {
                    let (start, length) = (Instant::now(), Duration::from_micros(n * 101 % 20_000));
                    sleep(length).await;
                    assert!(start.elapsed() >= length);
                })
            });
            let (outcomes, ()) = join(join_all(sleeps), sleep(ms(1))).await;
            assert!(outcomes.iter().all(Result::is_ok));
        });
    });
}
