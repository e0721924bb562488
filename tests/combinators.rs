//! `join`, `join_all` and `race`: several futures in one task.

mod common;

use std::cell::{Cell, OnceCell, RefCell};
use std::future::{pending, poll_fn, ready};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use common::{Log, OnDrop, Probe, poll_once, secs, virtual_executor};
use waker_fn::waker_fn;
use watchglass::time::Sleep;
use watchglass::{Step, block_on, join, join_all, now, race, sleep, spawn, timeout, yield_now};

/// Sleeps, and says after how many seconds it is dropped itself, which is not before it is done.
fn told(log: &Log<(u64, u64)>, seconds: u64) -> impl Future<Output = u64> + use<> {
    let log = log.clone();
    let start = Rc::new(OnceCell::<Instant>::new());
    let guard = OnDrop({
        let start = start.clone();
        move || log.push((seconds, (now() - *start.get().unwrap()).as_secs()))
    });
    let mut sleep = Box::pin(sleep(secs(seconds)));
    poll_fn(move |cx| {
        let _ = &guard;
        start.get_or_init(now);
        sleep.as_mut().poll(cx).map(|()| seconds)
    })
}

/// What `future` gives, and after how many seconds.
fn timed<F: Future>(future: F) -> (F::Output, u64) {
    virtual_executor().block_on(async {
        let start = now();
        (future.await, (now() - start).as_secs())
    })
}

#[test]
fn join_waits_for_both_at_the_same_time_and_drops_each_at_its_end() {
    let log = Log::new();
    let both = join(told(&log, 2), async {
        let one = told(&log, 1).await;
        (one, "the other type")
    });
    assert_eq!(timed(both), ((2, (1, "the other type")), 2));
    assert_eq!(log.take(), [(1, 1), (2, 2)]);
}

#[test]
fn join_and_race_poll_the_first_one_first() {
    let log = Log::new();
    let say = |name| {
        let log = log.clone();
        async move {
            log.push(name);
            yield_now().await;
            log.push(name);
            name
        }
    };
    block_on(join(say("a"), say("b")));
    assert_eq!(log.take(), ["a", "b", "a", "b"]);
    assert_eq!(
        block_on(race(say("a"), say("b"))),
        "a",
        "if both are ready, the first wins"
    );
    assert_eq!(log.take(), ["a", "b", "a"]);
}

#[test]
fn the_loser_of_a_race_is_dropped_before_the_race_gives_its_output() {
    let log = Log::new();
    for (a, b) in [(1, 3), (3, 1)] {
        let won = timed(async {
            let winner = race(told(&log, a), told(&log, b)).await;
            log.push((0, 0));
            winner
        });
        assert_eq!(won, (1, 1));
        assert_eq!(log.take(), [(a, 1), (b, 1), (0, 0)]);
    }
}

#[test]
fn dropping_a_combinator_drops_what_it_holds() {
    let log = Log::new();
    timed(async {
        let all = join_all([told(&log, 9), told(&log, 1), told(&log, 8)]);
        timeout(secs(3), all).await.unwrap_err();
        let both = join(told(&log, 9), told(&log, 1));
        timeout(secs(3), both).await.unwrap_err();
        let either = race(told(&log, 9), told(&log, 8));
        timeout(secs(3), either).await.unwrap_err();
    });
    let expected = [(1, 1), (9, 3), (8, 3), (1, 1), (9, 3), (9, 3), (8, 3)];
    assert_eq!(log.take(), expected);
}

#[test]
fn join_all_gives_the_outputs_in_the_order_of_the_futures() {
    let log = Log::new();
    let all = join_all([3, 1, 2].map(|seconds| told(&log, seconds)));
    assert_eq!(timed(all), (vec![3, 1, 2], 3));
    assert_eq!(
        log.take(),
        [(1, 1), (2, 2), (3, 3)],
        "each dropped at its end"
    );
    assert_eq!(
        timed(join_all(Vec::<std::future::Ready<()>>::new())),
        (vec![], 0)
    );
    assert_eq!(timed(join_all((0..4).map(ready))), (vec![0, 1, 2, 3], 0));
}

#[test]
fn join_all_polls_only_those_that_were_woken() {
    const CHILDREN: usize = 1000;
    let polls = Rc::new(Cell::new(0));
    let child = |n: usize| {
        let mut sleep = Box::pin(sleep(secs(n as u64)));
        let polls = polls.clone();
        poll_fn(move |cx| {
            polls.set(polls.get() + 1);
            sleep.as_mut().poll(cx)
        })
    };
    virtual_executor().block_on(async { join_all((0..CHILDREN).map(child)).await });
    // Each once at first, and once when it was woken: not a million.
    assert_eq!(polls.get(), 2 * CHILDREN);
}

#[test]
fn a_future_of_join_all_can_be_woken_by_reference() {
    let waker: RefCell<Option<Waker>> = RefCell::default();
    let waits = poll_fn(|cx| match waker.replace(Some(cx.waker().clone())) {
        None => Poll::Pending,
        Some(_) => Poll::Ready(()),
    });
    virtual_executor().block_on(join(join_all([waits]), async {
        yield_now().await;
        waker.borrow().as_ref().unwrap().wake_by_ref();
    }));
}

#[test]
fn a_future_of_join_all_that_uses_its_waker_up_when_it_is_done_is_polled_no_more() {
    let polls = Cell::new(0);
    let wakes_itself_at_its_end = poll_fn(|cx: &mut Context<'_>| {
        polls.set(polls.get() + 1);
        let waker = cx.waker().clone();
        waker.wake();
        Poll::Ready(())
    });
    let futures: [Pin<Box<dyn Future<Output = ()>>>; 2] =
        [Box::pin(wakes_itself_at_its_end), Box::pin(yield_now())];
    block_on(join_all(futures));
    assert_eq!(polls.get(), 1);
}

#[test]
fn join_all_polls_in_the_order_of_the_wakes_and_once_for_many_of_them() {
    let wakers: Rc<RefCell<Vec<Waker>>> = Rc::default();
    let log = Log::new();
    let child = |n: usize| {
        let (wakers, log) = (wakers.clone(), log.clone());
        poll_fn(move |cx| {
            log.push(n);
            wakers.borrow_mut().push(cx.waker().clone());
            Poll::<()>::Pending
        })
    };
    let mut all = Box::pin(join_all((0..4).map(child)));
    block_on(async {
        assert!(poll_once(all.as_mut()).await.is_pending());
        assert_eq!(log.take(), [0, 1, 2, 3]);
        for n in [2, 0, 2, 3, 0] {
            wakers.borrow()[n].wake_by_ref();
        }
        assert!(poll_once(all.as_mut()).await.is_pending());
        assert_eq!(log.take(), [2, 0, 3]);
        assert!(poll_once(all.as_mut()).await.is_pending());
        assert!(log.take().is_empty(), "nobody was woken");
    });
}

#[test]
fn a_child_that_wakes_itself_is_polled_at_the_task_s_next_turn() {
    let log = Log::new();
    virtual_executor().block_on(async {
        let other = spawn({
            let log = log.clone();
            async move { log.push("another task") }
        });
        let yields = async {
            log.push("before");
            yield_now().await;
            log.push("after");
        };
        let waits = async { sleep(secs(1)).await };
        join_all::<[std::pin::Pin<Box<dyn Future<Output = ()>>>; 2]>([
            Box::pin(yields),
            Box::pin(waits),
        ])
        .await;
        other.await.unwrap();
    });
    assert_eq!(log.take(), ["before", "another task", "after"]);
}

#[test]
fn a_stale_wake_of_a_child_that_is_done_does_no_harm() {
    let kept: Rc<RefCell<Option<Waker>>> = Rc::default();
    virtual_executor().block_on(async {
        let done = {
            let kept = kept.clone();
            poll_fn(move |cx| {
                kept.replace(Some(cx.waker().clone()));
                Poll::Ready(1)
            })
        };
        let slow = {
            let kept = kept.clone();
            async move {
                sleep(secs(1)).await;
                kept.borrow().as_ref().unwrap().wake_by_ref();
                sleep(secs(1)).await;
                2
            }
        };
        let all: [std::pin::Pin<Box<dyn Future<Output = u32>>>; 2] =
            [Box::pin(done), Box::pin(slow)];
        assert_eq!(join_all(all).await, [1, 2]);
    });
    kept.take().unwrap().wake();
}

#[test]
fn combinators_nest() {
    let nested = join(
        join_all([sleep(secs(1)), sleep(secs(2))]),
        race(
            async { join(sleep(secs(3)), sleep(secs(4))).await.0 },
            async { timeout(secs(5), pending()).await.unwrap_or_default() },
        ),
    );
    assert_eq!(timed(nested), ((vec![(), ()], ()), 4));
}

#[test]
fn combinators_work_where_no_executor_is() {
    let mut cx = std::task::Context::from_waker(Waker::noop());
    let mut nested = Box::pin(join(
        join_all([yield_now(), yield_now()]),
        race(yield_now(), pending()),
    ));
    let polls = std::iter::repeat_with(|| nested.as_mut().poll(&mut cx).is_ready());
    assert_eq!(polls.take(2).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn the_waker_of_a_child_that_is_done_wakes_none_of_the_others() {
    let probes = [Probe::new(), Probe::new()];
    probes[0].done.set(true);
    let all = join_all([probes[0].run(), probes[1].run()]);
    let executor = virtual_executor();
    drop(executor.spawn(all));
    executor.run_until_idle();
    probes[0].waker().wake();
    assert_eq!(executor.step(), Step::Idle, "nor the join itself");
    assert_eq!(probes[1].polls.get(), 1);
    probes[1].waker().wake();
    executor.run_until_idle();
    assert_eq!(probes[1].polls.get(), 2);
}

#[test]
fn the_waker_of_a_child_that_is_done_takes_away_no_other_s_timer() {
    type Child = Pin<Box<dyn Future<Output = ()>>>;
    let kept = Rc::new(RefCell::new(None));
    let keeps = kept.clone();
    let done: Child = Box::pin(poll_fn(move |cx| {
        keeps.replace(Some(cx.waker().clone()));
        Poll::Ready(())
    }));
    let executor = virtual_executor();
    let joined = executor.spawn(join_all([Box::pin(sleep(secs(1))), done]));
    executor.step();
    kept.take().expect("it was polled").wake();
    executor.block_on(joined).unwrap();
}

#[test]
fn join_all_wakes_whoever_has_polled_it_last() {
    let (send, receive) = async_channel::bounded::<()>(1);
    let mut joined = pin!(join_all([receive.recv()]));
    let woken = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
    for counter in &woken {
        let counter = counter.clone();
        let waker = waker_fn(move || {
            counter.fetch_add(1, Ordering::Relaxed);
        });
        let polled = joined.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
    }
    send.try_send(()).unwrap();
    assert_eq!(woken.map(|counter| counter.load(Ordering::Relaxed)), [0, 1]);
}

/// The second poll of the child looks at no sleep, and the third may.
#[test]
fn a_child_may_leave_its_waker_in_one_poll_and_wait_in_another() {
    let (polls, probe) = (Cell::new(0), Probe::new());
    let waits = async {
        let mut sleep = pin!(sleep(secs(2)));
        poll_fn(|cx| {
            polls.set(polls.get() + 1);
            match polls.get() {
                2 => Poll::Pending,
                _ => sleep.as_mut().poll(cx),
            }
        })
        .await;
    };
    let wakes_it_once = async {
        sleep(secs(1)).await;
        probe.done.set(true);
        probe.waker().wake();
    };
    let children: [Pin<Box<dyn Future<Output = ()>>>; 3] = [
        Box::pin(async {
            let _ = join(waits, probe.run()).await;
        }),
        Box::pin(wakes_it_once),
        Box::pin(sleep(secs(1))),
    ];
    assert_eq!(timed(join_all(children)).1, 2);
    assert_eq!(polls.get(), 3);
}

#[test]
fn a_join_in_a_join_takes_nothing_from_the_outer_one() {
    let children: [Pin<Box<dyn Future<Output = ()>>>; 2] = [
        Box::pin(sleep(secs(1))),
        Box::pin(async { drop(join_all([ready(())]).await) }),
    ];
    assert_eq!(timed(join_all(children)).1, 1);
}

#[test]
fn inside_and_outside_wake_the_same_join() {
    let probe = Probe::new();
    let wakes = async {
        sleep(secs(3)).await;
        probe.done.set(true);
        probe.waker().wake();
    };
    let children: [Pin<Box<dyn Future<Output = ()>>>; 4] = [
        Box::pin(sleep(secs(2))),
        Box::pin(probe.run()),
        Box::pin(wakes),
        Box::pin(async { drop(join_all([sleep(secs(1)), sleep(secs(4))]).await) }),
    ];
    assert_eq!(timed(join_all(children)).1, 4);
    assert_eq!(probe.polls.get(), 2);
}

#[test]
fn a_join_may_go_to_another_executor_and_is_woken_there_by_the_first() {
    let [first, second] = [(); 2].map(|()| virtual_executor());
    let tasks = [first.spawn(sleep(secs(1))), first.spawn(sleep(secs(2)))];
    let mut joined = Box::pin(join_all(tasks));
    first.block_on(async { assert!(poll_once(joined.as_mut()).await.is_pending()) });
    let here = second.spawn(joined);
    second.run_until_idle();
    first.run_until_idle();
    assert!(!here.is_finished());
    second.run_until_idle();
    assert!(here.is_finished());
    // And back, to an executor where it has been.
    let third = virtual_executor();
    let tasks = [first.spawn(sleep(secs(1))), third.spawn(sleep(secs(1)))];
    let mut joined = Box::pin(join_all(tasks));
    for executor in [&first, &third] {
        executor.block_on(async { assert!(poll_once(joined.as_mut()).await.is_pending()) });
    }
    let here = first.spawn(joined);
    for executor in [&first, &third, &first] {
        assert!(!here.is_finished());
        executor.run_until_idle();
    }
    assert!(here.is_finished());
}

#[test]
fn a_sleep_wakes_whoever_has_polled_it_last() {
    async fn begin_in_a_join(sleep: Pin<&mut Sleep>) {
        let polled = poll_once(pin!(join_all([sleep]))).await;
        assert!(polled.is_pending());
    }
    let by_the_task = async {
        let mut sleep = pin!(sleep(secs(1)));
        begin_in_a_join(sleep.as_mut()).await;
        sleep.await;
    };
    assert_eq!(timed(by_the_task).1, 1);
    let by_another_join = async {
        let mut sleep = pin!(sleep(secs(1)));
        begin_in_a_join(sleep.as_mut()).await;
        join_all([sleep]).await;
    };
    assert_eq!(timed(by_another_join).1, 1);
}
