//! A panic ends one task alone, and leaves the executor consistent.

mod common;

use std::future::{pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use common::{Log, OnDrop, panic_message, secs, virtual_executor};
use waker_fn::waker_fn;
use watchglass::{Executor, Step, sleep, spawn, yield_now};

/// Panics in each of its two places, or in none.
struct Panics {
    in_poll: bool,
    in_drop: bool,
}

impl Future for Panics {
    type Output = &'static str;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<&'static str> {
        assert!(!self.in_poll, "in poll");
        Poll::Ready("done")
    }
}

impl Drop for Panics {
    fn drop(&mut self) {
        assert!(!self.in_drop, "in drop");
    }
}

/// The executor does all that it should.
#[track_caller]
fn assert_works(executor: &Executor) {
    let output = executor.block_on(async {
        sleep(secs(1)).await;
        spawn(async { 7 }).await.unwrap()
    });
    assert_eq!(output, 7);
    let stalled = executor.try_block_on(pending::<()>()).unwrap_err();
    assert_eq!(
        stalled.tasks().len(),
        1,
        "and nothing is left of what has ended"
    );
}

#[test]
fn a_panic_ends_one_task_and_its_handle_says_so() {
    let cases = [(false, false, None), (true, false, Some("in poll"))];
    let in_drop = [
        (false, true, Some("in drop")),
        (true, true, Some("in poll")),
    ];
    for (in_poll, in_drop, message) in cases.into_iter().chain(in_drop) {
        let executor = virtual_executor();
        let others = Log::new();
        let other = |name| {
            let others = others.clone();
            async move {
                yield_now().await;
                others.push(name);
            }
        };
        let before = executor.spawn(other("before"));
        let task = executor.spawn(Panics { in_poll, in_drop });
        let after = executor.spawn(other("after"));
        let outcome = executor.block_on(task);
        match message {
            None => assert_eq!(outcome.unwrap(), "done"),
            Some(_) => assert_eq!(outcome.unwrap_err().panic_message().as_deref(), message),
        }
        executor.block_on(async { (before.await.unwrap(), after.await.unwrap()) });
        assert_eq!(others.take(), ["before", "after"]);
        assert_works(&executor);
    }
}

#[test]
fn a_detached_task_may_panic_and_nobody_is_told() {
    let executor = virtual_executor();
    for in_poll in [false, true] {
        let in_drop = !in_poll;
        drop(executor.spawn(Panics { in_poll, in_drop }));
    }
    executor.run_until_idle();
    assert_works(&executor);
}

#[test]
fn a_panic_in_block_on_s_own_future_goes_to_its_caller() {
    let executor = virtual_executor();
    let survivor = executor.spawn(async {
        sleep(secs(5)).await;
        "alive"
    });
    for _ in 0..3 {
        let message = panic_message(|| {
            executor.block_on(async {
                sleep(secs(1)).await;
                panic!("on purpose");
            })
        });
        assert_eq!(message, "on purpose");
        assert_works(&executor);
    }
    assert_eq!(executor.block_on(survivor).unwrap(), "alive");
    let message = panic_message(|| {
        let in_drop = Panics {
            in_poll: false,
            in_drop: true,
        };
        executor.block_on(in_drop);
    });
    assert_eq!(message, "in drop");
    assert_works(&executor);
}

#[test]
fn a_drop_that_panics_when_its_task_is_aborted_is_told_as_a_panic() {
    let executor = virtual_executor();
    let guarded = executor.spawn(async {
        let _guard = OnDrop(|| panic!("in drop"));
        pending::<()>().await;
    });
    executor.run_until_idle();
    guarded.abort();
    let error = executor.block_on(guarded).unwrap_err();
    assert!(error.is_panic());
    assert_eq!(error.panic_message().unwrap(), "in drop");
    assert_works(&executor);
}

#[test]
fn a_waker_that_panics_keeps_nobody_else_from_being_woken() {
    let executor = virtual_executor();
    let waker = waker_fn(|| panic!("in wake"));
    let cx = &mut Context::from_waker(&waker);
    executor.block_on(async {
        let mut bad_sleep = pin!(sleep(secs(1)));
        assert!(bad_sleep.as_mut().poll(cx).is_pending());
        let good_sleep = spawn(sleep(secs(1)));
        let mut bad_handle = spawn(yield_now());
        assert!(Pin::new(&mut bad_handle).poll(cx).is_pending());
        yield_now().await;
        yield_now().await;
        assert!(bad_handle.is_finished());
        sleep(secs(1)).await;
        assert!(bad_sleep.is_elapsed());
        good_sleep.await.unwrap();
    });
}

#[test]
fn a_panic_that_its_own_task_catches_is_nobody_else_s_affair() {
    let executor = virtual_executor();
    let output = executor.block_on(async {
        let mut child = pin!(Panics {
            in_poll: true,
            in_drop: false
        });
        let caught = poll_fn(|cx| {
            let poll = AssertUnwindSafe(|| child.as_mut().poll(cx));
            Poll::Ready(catch_unwind(poll).is_err())
        });
        let caught = caught.await;
        yield_now().await;
        caught
    });
    assert!(output);
}

#[test]
fn step_does_not_pass_a_task_s_panic_on() {
    let executor = virtual_executor();
    let task = executor.spawn(Panics {
        in_poll: true,
        in_drop: true,
    });
    assert_eq!(executor.step(), Step::Polled(task.id()));
    assert_eq!(executor.step(), Step::Idle);
    assert!(task.is_finished());
}

#[test]
fn an_executor_and_a_handle_may_be_used_where_a_panic_is_caught() {
    let executor = Executor::new();
    let handle = executor.spawn(async { 7 });
    let caught = catch_unwind(|| executor.block_on(async { panic!("on purpose") }));
    assert!(caught.is_err());
    assert_eq!(
        catch_unwind(|| executor.block_on(handle)).unwrap().unwrap(),
        7
    );
}

#[test]
fn what_a_task_has_panicked_with_is_gone_when_nobody_can_take_it() {
    let executor = virtual_executor();
    let payloads = Arc::new(());
    let panics = || {
        let payload = payloads.clone();
        executor.spawn(async move { panic_any(payload) })
    };
    drop(panics());
    executor.run_until_idle();
    assert_eq!(Arc::strong_count(&payloads), 1);
    let handle = panics();
    executor.run_until_idle();
    assert_eq!(Arc::strong_count(&payloads), 2, "its handle can");
    drop(handle);
    assert_eq!(Arc::strong_count(&payloads), 1);
}
