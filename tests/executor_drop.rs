//! Dropping an executor drops every future in it, on its own thread.

mod common;

use std::cell::Cell;
use std::future::pending;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::thread;

use common::{Log, OnDrop, secs, virtual_executor};
use watchglass::trace::{Cause, Event, Observer, Record};
use watchglass::{Executor, JoinHandle, block_on, now, sleep, spawn};

/// Waits for ever, and says its name when it is dropped.
fn named<T: Copy + 'static>(log: &Log<T>, name: T) -> impl Future<Output = ()> + use<T> {
    let log = log.clone();
    let guard = OnDrop(move || log.push(name));
    async move {
        let _guard = guard;
        pending().await
    }
}

/// What a handle gives when its executor is gone.
fn outcome<T: 'static>(mut handle: JoinHandle<T>) -> Result<T, watchglass::JoinError> {
    match Pin::new(&mut handle).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => panic!("it can never be ready"),
    }
}

#[test]
fn every_future_is_dropped_in_order_whatever_it_waits_for() {
    let log = Log::new();
    let executor = virtual_executor();
    let polled = executor.spawn(named(&log, "polled"));
    executor.run_until_idle();
    let sleeps = executor.spawn({
        let named = named(&log, "sleeps");
        async {
            sleep(secs(1)).await;
            named.await;
        }
    });
    executor.step();
    let awaits = executor.spawn({
        let named = named(&log, "awaits another");
        async {
            sleeps.await.unwrap();
            named.await;
        }
    });
    drop(executor.spawn(named(&log, "detached")));
    executor.step();
    let queued = executor.spawn(named(&log, "never polled"));
    let finished = executor.spawn(async { 5 });
    assert!(!finished.is_finished());
    drop(executor);
    let expected = [
        "polled",
        "sleeps",
        "awaits another",
        "detached",
        "never polled",
    ];
    assert_eq!(log.take(), expected);
    for handle in [polled, awaits, queued] {
        assert!(handle.is_finished());
        handle.abort();
        assert!(outcome(handle).unwrap_err().is_cancelled());
    }
    assert!(
        outcome(finished).unwrap_err().is_cancelled(),
        "nothing is polled any more"
    );
}

#[test]
fn an_output_survives_its_executor() {
    let executor = virtual_executor();
    let finished = executor.spawn(async { 5 });
    executor.run_until_idle();
    drop(executor);
    assert_eq!(outcome(finished).unwrap(), 5);
}

#[test]
fn what_a_drop_spawns_is_dropped_too() {
    thread_local!(static LOG: Log<u32> = Log::new());
    /// Spawns one more when it is dropped, three times over.
    fn chain(left: u32) -> impl Future<Output = ()> {
        let guard = OnDrop(move || {
            LOG.with(|log| log.push(left));
            if left > 0 {
                drop(spawn(chain(left - 1)));
            }
        });
        async move {
            let _guard = guard;
            pending().await
        }
    }
    let executor = virtual_executor();
    let _chain = executor.spawn(chain(3));
    executor.run_until_idle();
    drop(executor);
    assert_eq!(LOG.with(Log::take), [3, 2, 1, 0]);
}

#[test]
fn drops_run_inside_the_executor_on_its_own_thread() {
    let seen = Log::new();
    let executor = virtual_executor();
    let start = executor.block_on(async { now() });
    executor.block_on(sleep(secs(1)));
    let _task = executor.spawn({
        let seen = seen.clone();
        let guard = OnDrop(move || seen.push((thread::current().id(), now() - start)));
        async move {
            let _guard = guard;
            pending::<()>().await;
        }
    });
    executor.run_until_idle();
    drop(executor);
    assert_eq!(seen.take(), [(thread::current().id(), secs(1))]);
}

#[test]
fn a_drop_that_panics_keeps_none_of_the_others() {
    let log = Log::new();
    let executor = virtual_executor();
    let _before = executor.spawn(named(&log, "before"));
    let panics = executor.spawn(async {
        let _guard = OnDrop(|| panic!("in drop"));
        pending::<()>().await;
    });
    let _after = executor.spawn(named(&log, "after"));
    executor.run_until_idle();
    drop(executor);
    assert_eq!(log.take(), ["before", "after"]);
    assert!(outcome(panics).unwrap_err().is_panic());
}

#[test]
fn block_on_drops_what_still_runs_before_it_returns() {
    let log = Log::new();
    let output = block_on(async {
        drop(spawn(named(&log, "dropped")));
        watchglass::yield_now().await;
        "returned"
    });
    assert_eq!(output, "returned");
    assert_eq!(log.take(), ["dropped"]);
}

#[test]
fn an_executor_may_be_made_used_and_dropped_inside_another_ones_drop() {
    thread_local!(static INNER: Cell<bool> = const { Cell::new(false) });
    let executor = virtual_executor();
    let inner = virtual_executor();
    let guard = OnDrop(|| INNER.set(true));
    let _inner_task = inner.spawn(async move {
        let _guard = guard;
        pending::<()>().await;
    });
    inner.run_until_idle();
    let _outer_task = executor.spawn(async move {
        let _inner = inner;
        pending::<()>().await;
    });
    executor.run_until_idle();
    drop(executor);
    assert!(INNER.get());
}

#[test]
fn a_sleep_outlives_its_executor() {
    let executor = virtual_executor();
    let mut kept = Box::pin(sleep(secs(1)));
    executor.block_on(async {
        assert!(common::poll_once(kept.as_mut()).await.is_pending());
    });
    drop(executor);
    assert!(kept.deadline().is_some());
    assert!(!kept.is_elapsed());
    drop(kept);
}

/// An observer that drops its own executor when a task is aborted, and notes what it is told.
struct Drops {
    executor: Rc<Cell<Option<Executor>>>,
    told: Log<&'static str>,
}

impl Observer for Drops {
    fn observe(&self, record: &Record) {
        match record.event {
            Event::Woken {
                by: Cause::Aborted, ..
            } => {
                drop(self.executor.take());
                self.told.push("abort");
            }
            Event::TimerCancelled { .. } => self.told.push("timer"),
            _ => {}
        }
    }

    fn end(&self) {
        self.told.push("end");
    }
}

#[test]
fn an_observer_that_drops_its_own_executor_is_told_of_its_end_and_of_nothing_later() {
    let (place, told) = (Rc::new(Cell::new(None)), Log::new());
    let observer = Drops {
        executor: place.clone(),
        told: told.clone(),
    };
    let executor = Executor::builder()
        .virtual_time()
        .observer(observer)
        .build();
    let mut kept = Box::pin(sleep(secs(1)));
    executor.block_on(async {
        assert!(common::poll_once(kept.as_mut()).await.is_pending());
    });
    let aborted = executor.spawn(pending::<()>());
    place.set(Some(executor));
    aborted.abort();
    assert!(outcome(aborted).unwrap_err().is_cancelled());
    drop(kept);
    assert_eq!(told.take(), ["abort", "end"]);
}
