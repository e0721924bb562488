//! Everything that a `Drop` may do, in every place where the executor lets one run: a table.

mod common;

use std::cell::RefCell;
use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::sync::mpsc::{self, Sender};
use std::task::{Context, Poll, Waker};
use std::thread;

use common::{Probe, no_hang, panic_message, secs, virtual_executor};
use watchglass::{Executor, JoinHandle, block_on, sleep, spawn, spawn_blocking, yield_now};

/// What the code in a `Drop` works with.
struct Tools {
    victim: JoinHandle<()>,
    waker: Waker,
}

/// Something that a `Drop` does.
type Act = fn(&Tools);

const ACTS: [(&str, Act); 8] = [
    ("spawn", |_| drop(spawn(yield_now()))),
    ("abort", |tools| tools.victim.abort()),
    ("wake", |tools| tools.waker.wake_by_ref()),
    ("sleep", |_| {
        let mut sleep = pin!(sleep(secs(1)));
        let polled = sleep.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending());
    }),
    ("spawn_blocking", |_| drop(spawn_blocking(|| ()))),
    ("block_on", |_| {
        assert_eq!(block_on(async { spawn(async { 7 }).await.unwrap() }), 7);
    }),
    ("step", |_| {
        Executor::new().step();
    }),
    ("an executor of its own", |_| {
        let executor = virtual_executor();
        drop(executor.spawn(pending::<()>()));
        drop(executor);
    }),
];

/// Does its act when it is dropped, and tells what came of that: a panic stays in here.
struct Guard {
    act: Act,
    tools: Tools,
    told: Sender<Result<(), String>>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        let done = catch_unwind(AssertUnwindSafe(|| (self.act)(&self.tools)));
        let message = |payload: Box<dyn std::any::Any + Send>| match payload.downcast::<String>() {
            Ok(message) => *message,
            Err(payload) => payload.downcast_ref::<&str>().unwrap().to_string(),
        };
        self.told.send(done.map_err(message)).unwrap();
    }
}

async fn waits_with(guard: Guard) {
    let _guard = guard;
    pending().await
}

/// Where a guard is dropped. Each place drops the guard once, with the executor as it says.
type Place = fn(&Executor, Guard);

const INSIDE: [(&str, Place); 6] = [
    ("at the end of a poll", |executor, guard| {
        executor
            .block_on(executor.spawn(async { drop(guard) }))
            .unwrap();
    }),
    ("in a poll that panics", |executor, guard| {
        let task = executor.spawn(async move {
            let _guard = guard;
            panic!("on purpose");
        });
        assert!(executor.block_on(task).unwrap_err().is_panic());
    }),
    ("with its future, when that is ready", |executor, guard| {
        let task = executor.spawn(poll_fn(move |_| {
            let _guard = &guard;
            Poll::Ready(())
        }));
        executor.block_on(task).unwrap();
    }),
    ("in an abort", |executor, guard| {
        let task = executor.spawn(waits_with(guard));
        executor.run_until_idle();
        task.abort();
        assert!(executor.block_on(task).unwrap_err().is_cancelled());
    }),
    ("as an output that nobody wants", |executor, guard| {
        drop(executor.spawn(async { guard }));
        executor.run_until_idle();
    }),
    ("in block_on's own future", |executor, guard| {
        let mut guard = Some(guard);
        executor.block_on(poll_fn(move |_| {
            let _guard = &mut guard;
            Poll::Ready(())
        }));
    }),
];

/// What an act gives inside a running executor.
#[track_caller]
fn assert_outcome_inside(what: &str, act: &str, outcome: Result<(), String>) {
    match (act, outcome) {
        ("block_on" | "step", Err(message)) => {
            assert!(
                message.contains("inside a running executor"),
                "{what}: {message}"
            );
        }
        ("block_on" | "step", Ok(())) => panic!("{what}: it should have been refused"),
        (_, outcome) => assert_eq!(outcome, Ok(()), "{what}"),
    }
}

/// An executor with a task to be aborted and one to be woken, and a guard that can do both.
fn setting(
    act: Act,
) -> (
    Executor,
    Rc<Probe>,
    Guard,
    mpsc::Receiver<Result<(), String>>,
) {
    let executor = virtual_executor();
    let victim = executor.spawn(pending::<()>());
    let probe = Probe::new();
    drop(executor.spawn(probe.run()));
    executor.run_until_idle();
    let (told, outcome) = mpsc::channel();
    let waker = probe.waker();
    let tools = Tools { victim, waker };
    (executor, probe, Guard { act, tools, told }, outcome)
}

#[test]
fn every_drop_in_a_running_executor_may_do_everything_but_block() {
    no_hang(|| {
        for (place_name, place) in INSIDE {
            for (act_name, act) in ACTS {
                let what = format!("{act_name}, {place_name}");
                let (executor, probe, guard, outcome) = setting(act);
                place(&executor, guard);
                assert_outcome_inside(&what, act_name, outcome.try_recv().unwrap());
                executor.run_until_idle();
                let polls = if act_name == "wake" { 2 } else { 1 };
                assert_eq!(probe.polls.get(), polls, "{what}");
                let works = executor.block_on(async { spawn(async { 7 }).await.unwrap() });
                assert_eq!(works, 7, "{what}");
            }
        }
    });
}

#[test]
fn every_drop_in_an_executor_s_drop_may_do_everything_but_block() {
    no_hang(|| {
        for polled_first in [false, true] {
            for (act_name, act) in ACTS {
                let what = format!("{act_name}, polled first: {polled_first}");
                let (executor, probe, guard, outcome) = setting(act);
                drop(executor.spawn(waits_with(guard)));
                if polled_first {
                    executor.run_until_idle();
                }
                drop(executor);
                assert_outcome_inside(&what, act_name, outcome.try_recv().unwrap());
                assert_eq!(probe.polls.get(), 1, "{what}: nothing is polled any more");
            }
        }
    });
}

#[test]
fn every_drop_outside_may_block_but_not_ask_for_an_executor() {
    no_hang(|| {
        for (act_name, act) in ACTS {
            let (executor, _probe, guard, outcome) = setting(act);
            drop(guard);
            assert_outcome_outside(act_name, act_name, outcome.try_recv().unwrap());
            drop(executor);
        }
    });
}

/// What an act gives where no executor runs.
#[track_caller]
fn assert_outcome_outside(what: &str, act: &str, outcome: Result<(), String>) {
    match (act, outcome) {
        ("spawn" | "sleep" | "spawn_blocking", Err(message)) => {
            assert!(
                message.contains("no watchglass executor runs"),
                "{what}: {message}"
            );
        }
        ("spawn" | "sleep" | "spawn_blocking", Ok(())) => panic!("{what}: where did it go?"),
        (_, outcome) => assert_eq!(outcome, Ok(()), "{what}"),
    }
}

/// Runs `prepare` on a thread, and drops what it returns when the thread's locals are dropped:
/// before those of the executor, or after them.
fn drop_with_thread_locals<T: 'static>(late: bool, prepare: impl FnOnce() -> T + Send + 'static) {
    thread_local!(static KEPT: RefCell<Option<Box<dyn std::any::Any>>> = const { RefCell::new(None) });
    let thread = thread::spawn(move || {
        // The first to be used is the last to be dropped.
        if late {
            KEPT.set(None);
            KEPT.with(|_| ());
        }
        let kept = prepare();
        KEPT.set(Some(Box::new(kept)));
    });
    thread.join().unwrap();
}

#[test]
fn an_executor_may_be_dropped_with_its_thread_s_locals() {
    no_hang(|| {
        for late in [false, true] {
            for (act_name, act) in ACTS {
                let what = format!("{act_name}, late: {late}");
                let (tell, told) = mpsc::channel();
                drop_with_thread_locals(late, move || {
                    let (executor, _probe, guard, outcome) = setting(act);
                    tell.send(outcome).unwrap();
                    drop(executor.spawn(waits_with(guard)));
                    executor.run_until_idle();
                    executor
                });
                let outcome = told.recv().unwrap().try_recv().unwrap();
                assert_outcome_inside(&what, act_name, outcome);
            }
        }
    });
}

#[test]
fn a_thread_local_may_block_in_its_drop_as_anybody_outside() {
    no_hang(|| {
        for late in [false, true] {
            for (act_name, act) in ACTS {
                let what = format!("{act_name}, late: {late}");
                let (tell, told) = mpsc::channel();
                drop_with_thread_locals(late, move || {
                    let (executor, _probe, guard, outcome) = setting(act);
                    tell.send(outcome).unwrap();
                    (guard, executor)
                });
                let outcome = told.recv().unwrap().try_recv().unwrap();
                assert_outcome_outside(&what, act_name, outcome);
            }
        }
    });
}

#[test]
fn block_on_in_a_thread_local_s_drop_sleeps_spawns_and_is_woken() {
    struct AtEnd(Sender<u32>);
    impl Drop for AtEnd {
        fn drop(&mut self) {
            let output = block_on(async {
                sleep(common::ms(1)).await;
                let (send, receive) = async_channel::bounded(1);
                thread::spawn(move || send.send_blocking(3).unwrap());
                spawn(yield_now()).await.unwrap();
                spawn_blocking(|| 4).await.unwrap() + receive.recv().await.unwrap()
            });
            self.0.send(output).unwrap();
        }
    }
    no_hang(|| {
        for late in [false, true] {
            let (tell, told) = mpsc::channel();
            drop_with_thread_locals(late, move || {
                block_on(yield_now());
                AtEnd(tell)
            });
            assert_eq!(told.recv(), Ok(7), "late: {late}");
        }
    });
}

#[test]
fn an_executor_dropped_by_a_task_of_another_leaves_that_one_running() {
    let outer = virtual_executor();
    let inner = virtual_executor();
    let (told, outcome) = mpsc::channel();
    let tools = Tools {
        victim: inner.spawn(pending()),
        waker: Waker::noop().clone(),
    };
    let act: Act = |_| drop(spawn(yield_now()));
    drop(inner.spawn(waits_with(Guard { act, tools, told })));
    inner.run_until_idle();
    let after = outer.block_on(async {
        drop(inner);
        sleep(secs(1)).await;
        spawn(async { 7 }).await.unwrap()
    });
    assert_eq!(after, 7);
    assert_eq!(outcome.try_recv().unwrap(), Ok(()));
}

#[test]
fn a_refusal_inside_a_drop_says_what_to_do_instead() {
    let message = panic_message(|| virtual_executor().block_on(async { block_on(yield_now()) }));
    assert!(message.contains("`.await` the future instead"), "{message}");
}
