//! Cancellation is drop: an aborted task's future is dropped where it awaits, when its turn comes.

mod common;

use std::cell::RefCell;
use std::future::pending;
use std::pin::Pin;
use std::rc::Rc;

use common::{
    Log, OnDrop, Probe, poll_once, recorded, secs, sentences, virtual_executor, wake_remotely,
};
use watchglass::{Executor, JoinHandle, Step, sleep, spawn, yield_now};

/// Says where it is when it is dropped.
async fn told(log: Log<&'static str>) {
    let said = log.clone();
    let _guard = OnDrop(move || said.push("dropped"));
    log.push("first poll");
    sleep(secs(60)).await;
    log.push("never");
}

#[test]
fn abort_drops_the_future_at_the_next_turn_at_its_await_point() {
    let executor = virtual_executor();
    let log = Log::new();
    let task = executor.spawn(told(log.clone()));
    executor.step();
    assert_eq!(log.take(), ["first poll"]);
    assert!(executor.next_deadline().is_some());
    task.abort();
    assert!(!task.is_finished());
    assert!(log.take().is_empty(), "abort itself drops nothing");
    assert_eq!(executor.step(), Step::Polled(task.id()));
    assert_eq!(log.take(), ["dropped"]);
    assert!(task.is_finished());
    assert_eq!(executor.next_deadline(), None, "and its timer is cancelled");
    assert_eq!(executor.step(), Step::Idle);
    assert!(executor.block_on(task).unwrap_err().is_cancelled());
}

#[test]
fn an_aborted_task_waits_for_its_turn_and_the_events_tell_why() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    let task = executor.spawn(sleep(secs(60)));
    executor.step();
    recording.take();
    task.abort();
    task.abort();
    executor.step();
    let expected = [
        "#0 was woken: it was aborted; it goes to the back of the ready queue",
        "#0 was woken: it was aborted; it was in the ready queue already",
        "#0 is dropped, not polled: it was aborted",
        "timer 0 was cancelled",
        "#0 is cancelled: its future was dropped",
    ];
    assert_eq!(sentences(&recording), expected);
}

#[test]
fn a_task_aborted_before_its_first_poll_is_never_polled() {
    let executor = virtual_executor();
    let log = Log::new();
    let task = executor.spawn(told(log.clone()));
    task.abort();
    assert!(executor.block_on(task).unwrap_err().is_cancelled());
    assert!(log.take().is_empty());
}

#[test]
fn a_task_that_is_woken_and_then_aborted_is_not_polled_again() {
    let executor = virtual_executor();
    let probe = Probe::new();
    let task = executor.spawn(probe.run());
    executor.run_until_idle();
    probe.waker().wake();
    wake_remotely(&probe.waker());
    task.abort();
    executor.run_until_idle();
    assert!(task.is_finished());
    assert_eq!(probe.polls.get(), 1);
}

#[test]
fn aborting_a_finished_task_leaves_its_output() {
    let executor = virtual_executor();
    let task = executor.spawn(async { 5 });
    executor.run_until_idle();
    task.abort();
    executor.run_until_idle();
    assert_eq!(executor.block_on(task).unwrap(), 5);
}

#[test]
fn a_task_that_aborts_itself_ends_at_its_next_await_unless_it_is_done_first() {
    for (waits, expected) in [(true, None), (false, Some("done"))] {
        let executor = virtual_executor();
        let own = Rc::new(RefCell::new(None::<JoinHandle<&str>>));
        let task = executor.spawn({
            let own = own.clone();
            async move {
                own.borrow().as_ref().unwrap().abort();
                if waits {
                    yield_now().await;
                }
                "done"
            }
        });
        own.replace(Some(task));
        executor.run_until_idle();
        let outcome = executor.block_on(own.take().unwrap());
        assert_eq!(outcome.ok(), expected);
    }
}

#[test]
fn whoever_awaits_an_aborted_task_is_woken() {
    virtual_executor().block_on(async {
        let mut victim = spawn(pending::<()>());
        yield_now().await;
        assert!(poll_once(Pin::new(&mut victim)).await.is_pending());
        victim.abort();
        assert!(victim.await.unwrap_err().is_cancelled());
    });
}

#[test]
fn dropping_a_handle_detaches_the_task() {
    let executor = virtual_executor();
    let log = Log::new();
    drop(executor.spawn({
        let log = log.clone();
        async move {
            sleep(secs(1)).await;
            log.push("done");
        }
    }));
    executor.run_until_idle();
    assert_eq!(log.take(), ["done"]);
}

#[test]
fn dropping_a_sleep_cancels_its_timer_and_wakes_nobody() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    let start = executor.block_on(async {
        let start = watchglass::now();
        let long = Box::pin(sleep(secs(60)));
        watchglass::timeout(secs(1), long).await.unwrap_err();
        start
    });
    let cancelled = sentences(&recording);
    assert!(
        cancelled
            .iter()
            .any(|event| event == "timer 0 was cancelled"),
        "{cancelled:#?}"
    );
    executor.run_until_idle();
    assert_eq!(
        executor.block_on(async { watchglass::now() }) - start,
        secs(1)
    );
}
