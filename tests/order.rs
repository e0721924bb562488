//! First in, first out; and one turn: take what the inbox holds, queue the timers that are due, poll
//! what was in the queue when the turn began.

mod common;

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use common::{Log, Probe, secs, virtual_executor, wake_remotely};
use watchglass::{Step, join_all, sleep, spawn, yield_now};

#[test]
fn tasks_are_polled_in_the_order_of_their_spawning_and_of_their_wakes() {
    let log = Log::new();
    virtual_executor().block_on(join_all(["a", "b", "c"].map(|name| {
        let log = log.clone();
        spawn_late(async move {
            for turn in 1..=3 {
                log.push(format!("{name}{turn}"));
                yield_now().await;
            }
        })
    })));
    let expected = ["a1", "b1", "c1", "a2", "b2", "c2", "a3", "b3", "c3"];
    assert_eq!(log.take(), expected);
}

/// Spawns at the first poll, where an executor runs.
async fn spawn_late(future: impl Future<Output = ()> + 'static) {
    spawn(future).await.unwrap();
}

#[test]
fn spawn_polls_nothing_and_block_on_waits_for_its_turn() {
    let executor = virtual_executor();
    let log = Log::new();
    let say = |text| {
        let log = log.clone();
        async move { log.push(text) }
    };
    let _first = executor.spawn(say("spawned before block_on"));
    assert!(log.take().is_empty());
    executor.block_on(async {
        let inner = spawn(say("spawned inside"));
        log.push("block_on's future");
        inner.await.unwrap();
    });
    let expected = [
        "spawned before block_on",
        "block_on's future",
        "spawned inside",
    ];
    assert_eq!(log.take(), expected);
}

/// When block_on's own future is the only one in the queue, its turn begins like every other.
#[test]
fn what_came_before_block_on_goes_before_what_its_future_spawns() {
    let executor = virtual_executor();
    let log = Log::new();
    let woken = Probe::new();
    let say = |text, first: Pin<Box<dyn Future<Output = ()>>>| {
        let log = log.clone();
        async move {
            first.await;
            log.push(text);
        }
    };
    let spawns = || async {
        log.push("block_on's future");
        spawn(say("spawned inside", Box::pin(async {})))
            .await
            .unwrap();
    };

    let _waits = executor.spawn(say("woken from a thread", Box::pin(woken.run())));
    executor.run_until_idle();
    woken.done.set(true);
    wake_remotely(&woken.waker());
    executor.block_on(spawns());
    let expected = ["block_on's future", "woken from a thread", "spawned inside"];
    assert_eq!(log.take(), expected);

    let _sleeps = executor.spawn(say("slept", Box::pin(sleep(secs(0)))));
    assert!(matches!(executor.step(), Step::Polled(_)));
    executor.block_on(spawns());
    let expected = ["block_on's future", "slept", "spawned inside"];
    assert_eq!(log.take(), expected);
}

#[test]
fn a_task_that_wakes_itself_goes_behind_one_that_it_woke_before() {
    let executor = virtual_executor();
    let log = Log::new();
    let probe = Probe::new();
    let _probe = executor.spawn(watched(&probe, &log, "other"));
    executor.run_until_idle();
    let _both = executor.spawn({
        let (log, probe) = (log.clone(), probe.clone());
        async move {
            probe.waker().wake();
            log.push("first poll");
            yield_now().await;
            log.push("second poll");
        }
    });
    log.take();
    executor.run_until_idle();
    assert_eq!(log.take(), ["first poll", "other", "second poll"]);
}

/// Runs a probe that says when it is polled.
fn watched(
    probe: &Rc<Probe>,
    log: &Log<&'static str>,
    name: &'static str,
) -> impl Future<Output = ()> + use<> {
    let (log, mut task) = (log.clone(), Box::pin(probe.run()));
    poll_fn(move |cx| {
        log.push(name);
        task.as_mut().poll(cx)
    })
}

#[test]
fn equal_deadlines_fire_in_the_order_in_which_they_were_armed() {
    let executor = virtual_executor();
    let log = Log::new();
    // The later a task is spawned, the fewer turns it waits before it sleeps: armed last to first.
    let tasks = 0..20;
    let handles: Vec<_> = tasks
        .clone()
        .map(|n| {
            let log = log.clone();
            executor.spawn(async move {
                let until = watchglass::now() + secs(5);
                for _ in n..20 {
                    yield_now().await;
                }
                watchglass::sleep_until(until).await;
                log.push(n);
            })
        })
        .collect();
    executor.block_on(join_all(handles));
    assert_eq!(log.take(), tasks.rev().collect::<Vec<_>>());
}

#[test]
fn a_turn_serves_the_inbox_then_the_timers_behind_what_is_queued() {
    let executor = virtual_executor();
    let log = Log::new();
    let probe = Probe::new();
    let _remote = executor.spawn(watched(&probe, &log, "woken by another thread"));
    executor.run_until_idle();
    log.take();
    executor.block_on(async {
        let timer = spawn({
            let log = log.clone();
            async move {
                sleep(Duration::ZERO).await;
                log.push("timer");
            }
        });
        yield_now().await;
        // The timer is armed and due; the letter comes to the inbox after that.
        wake_remotely(&probe.waker());
        yield_now().await;
        log.push("queued");
        timer.await.unwrap();
    });
    assert_eq!(log.take(), ["queued", "woken by another thread", "timer"]);
}

#[test]
fn what_is_woken_in_a_turn_is_polled_in_a_later_one() {
    let executor = virtual_executor();
    let log = Log::new();
    let probe = Probe::new();
    let _remote = executor.spawn(watched(&probe, &log, "remote"));
    executor.run_until_idle();
    log.take();
    let _first = executor.spawn({
        let waker = probe.waker();
        async move { wake_remotely(&waker) }
    });
    let _second = executor.spawn(twice(&log));
    executor.run_until_idle();
    // Had the inbox been looked at before the turn was over, the remote wake would come first.
    assert_eq!(log.take(), ["yields", "yielded", "remote"]);
}

fn twice(log: &Log<&'static str>) -> impl Future<Output = ()> + use<> {
    let log = log.clone();
    async move {
        log.push("yields");
        yield_now().await;
        log.push("yielded");
    }
}

#[test]
fn what_a_finished_task_leaves_in_the_queue_does_not_lengthen_the_turn() {
    let executor = virtual_executor();
    let log = Log::new();
    let probe = Probe::new();
    let _remote = executor.spawn(watched(&probe, &log, "remote"));
    executor.run_until_idle();
    log.take();
    let _leftover = executor.spawn(wakes_itself_at_its_end());
    let _busy = executor.spawn({
        let (log, waker) = (log.clone(), probe.waker());
        async move {
            log.push("turn 1");
            yield_now().await;
            log.push("turn 2");
            wake_remotely(&waker);
            yield_now().await;
            log.push("turn 3");
            yield_now().await;
            log.push("turn 4");
        }
    });
    executor.run_until_idle();
    let expected = ["turn 1", "turn 2", "turn 3", "remote", "turn 4"];
    assert_eq!(log.take(), expected);
}

/// The wake leaves an entry in the queue that stands for nobody.
fn wakes_itself_at_its_end() -> impl Future<Output = ()> {
    poll_fn(|cx| {
        cx.waker().wake_by_ref();
        Poll::Ready(())
    })
}

#[test]
fn a_whole_turn_of_leftovers_is_not_taken_for_an_empty_queue() {
    let executor = virtual_executor();
    let start = executor.block_on(async { watchglass::now() });
    let _sleeper = executor.spawn(sleep(secs(1)));
    let _leftovers: Vec<_> = (0..200)
        .map(|_| executor.spawn(wakes_itself_at_its_end()))
        .collect();
    executor.block_on(async {
        for _ in 0..5 {
            yield_now().await;
            assert_eq!(
                watchglass::now(),
                start,
                "time moves only when nothing is ready"
            );
        }
    });
}
