//! What an observer does at the worst moment: it panics, or drops what it is told of, or polls.

mod common;

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use common::{LONG, Log, OnDrop, no_hang, panic_text, secs, virtual_executor};
use watchglass::trace::{Cause, Event, Observer, Record, Recording, UnparkCause};
use watchglass::{Executor, JoinHandle, sleep, spawn, spawn_blocking};

/// A payload, or an output, whose drop panics.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("the bomb's drop");
    }
}

fn observed(observer: impl Fn(&Record) + 'static) -> Executor {
    Executor::builder()
        .virtual_time()
        .observer(observer)
        .build()
}

/// The panic with which this ends, in words.
fn panic_of<T>(code: impl FnOnce() -> T) -> String {
    let caught = catch_unwind(AssertUnwindSafe(|| ManuallyDrop::new(code())));
    match caught {
        Ok(_) => panic!("it has not panicked"),
        Err(payload) => {
            let text = panic_text(&*payload);
            // A bomb is let off by nobody.
            let _bomb = ManuallyDrop::new(payload);
            text
        }
    }
}

/// Two handles of an executor whose observer has dropped it, and has then panicked with a bomb: that of a task
/// that has ended, and that of one that was aborted.
fn executor_dropped_by_its_observer() -> (JoinHandle<u32>, JoinHandle<()>) {
    let place: Rc<RefCell<Option<Executor>>> = Rc::default();
    let executor = observed({
        let place = place.clone();
        move |_| {
            if let Some(executor) = place.take() {
                drop(executor);
                panic_any(Bomb);
            }
        }
    });
    let ended = executor.spawn(async { 7 });
    let waits = executor.spawn(pending());
    executor.run_until_idle();
    place.replace(Some(executor));
    waits.abort();
    (ended, waits)
}

#[test]
fn the_last_panic_of_an_observer_harms_nobody_who_lets_go_of_the_executor_last() {
    let (ended, waits) = executor_dropped_by_its_observer();
    drop(ended);
    assert!(waits.is_finished());
    drop(waits);
    let (mut ended, waits) = executor_dropped_by_its_observer();
    drop(waits);
    let cx = &mut Context::from_waker(Waker::noop());
    let polled = Pin::new(&mut ended).poll(cx);
    assert!(
        matches!(polled, Poll::Ready(Ok(7))),
        "and no output is lost"
    );
}

thread_local! {
    static SPAWNED_LATE: RefCell<Option<JoinHandle<()>>> = const { RefCell::new(None) };
}

struct SpawnsInDrop;

impl Drop for SpawnsInDrop {
    fn drop(&mut self) {
        let keeps_its_executor = sleep(secs(1));
        let task = spawn(async move {
            let _kept = keeps_its_executor;
            pending::<()>().await;
        });
        SPAWNED_LATE.set(Some(task));
    }
}

#[test]
fn what_the_last_payload_spawns_in_an_executor_s_drop_is_dropped_too() {
    let executor = observed(|record| {
        if matches!(record.event, Event::Cancelled { .. }) {
            panic_any(SpawnsInDrop);
        }
    });
    drop(executor.spawn(pending::<()>()));
    executor.run_until_idle();
    drop(executor);
    let late = SPAWNED_LATE.take().expect("the payload was dropped");
    assert!(late.is_finished());
}

#[test]
fn after_an_observer_s_panic_between_two_calls_the_next_one_does_nothing() {
    for call in ["block_on", "step", "run_until_idle"] {
        let polled = Rc::new(Cell::new(0));
        let armed = Rc::new(Cell::new(false));
        let executor = observed({
            let armed = armed.clone();
            move |_| assert!(!armed.take(), "between two calls")
        });
        for _ in 0..2 {
            let polled = polled.clone();
            drop(executor.spawn(async move { polled.set(polled.get() + 1) }));
        }
        executor.step(); // in the middle of a turn
        let timer = executor.spawn(sleep(secs(1)));
        armed.set(true);
        drop(executor.spawn(async {}));
        let start = executor.now();
        let said = panic_of(|| match call {
            "block_on" => executor.block_on(async { polled.set(100) }),
            "step" => drop(executor.step()),
            _ => executor.run_until_idle(),
        });
        assert_eq!(said, "between two calls", "{call}");
        assert_eq!((polled.get(), executor.now()), (1, start), "{call}");
        // The executor goes on as ever.
        executor.block_on(timer).unwrap();
        assert_eq!(polled.get(), 2, "{call}");
    }
}

#[test]
fn a_task_survives_an_observer_s_panic_at_the_end_of_its_poll() {
    let panics = Cell::new(true);
    let executor = observed(move |record| {
        let ends = matches!(record.event, Event::PollEnded { ready: false, .. });
        if ends && panics.replace(false) {
            panic!("told");
        }
    });
    let task = executor.spawn(async {
        sleep(secs(1)).await;
        7
    });
    assert_eq!(panic_of(|| executor.block_on(pending::<()>())), "told");
    assert_eq!(executor.block_on(task).unwrap(), 7);
}

#[test]
fn of_two_panics_the_first_one_counts_and_the_other_harms_nobody() {
    // The output that nobody gets, where an observer has panicked.
    let executor = observed(|record| {
        if matches!(record.event, Event::Completed { .. }) {
            panic!("told");
        }
    });
    assert_eq!(panic_of(|| executor.block_on(async { Bomb })), "told");
    // The observer's payload, where the future has panicked: in its poll, or in its drop.
    for in_poll in [true, false] {
        let executor = observed(|record| {
            if matches!(
                record.event,
                Event::Completed { .. } | Event::Panicked { .. }
            ) {
                panic_any(Bomb);
            }
        });
        let guard = OnDrop(move || assert!(in_poll, "in the drop"));
        let future = poll_fn(move |_| {
            let _guard = &guard;
            assert!(!in_poll, "in the poll");
            Poll::Ready(())
        });
        let expected = if in_poll {
            "in the poll"
        } else {
            "in the drop"
        };
        assert_eq!(panic_of(|| executor.block_on(future)), expected);
    }
    // That of the future's drop, where its poll has panicked.
    let executor = virtual_executor();
    let guard = OnDrop(|| panic_any(Bomb));
    let future = poll_fn(move |_| -> Poll<()> {
        let _guard = &guard;
        panic!("in the poll");
    });
    assert_eq!(panic_of(|| executor.block_on(future)), "in the poll");
    executor.block_on(sleep(secs(1)));
}

#[test]
fn an_observer_may_panic_when_it_is_told_of_the_end() {
    struct PanicsAtTheEnd;
    impl Observer for PanicsAtTheEnd {
        fn observe(&self, _: &Record) {}
        fn end(&self) {
            panic!("on purpose");
        }
    }
    struct Ends(Rc<Cell<bool>>);
    impl Observer for Ends {
        fn observe(&self, _: &Record) {}
        fn end(&self) {
            self.0.set(true);
        }
    }
    let ended = Rc::new(Cell::new(false));
    let both = (PanicsAtTheEnd, Ends(ended.clone()));
    drop(Executor::builder().observer(both).build());
    assert!(ended.get(), "the other one is told all the same");
}

#[test]
fn nobody_waits_for_the_end_of_a_park_of_which_an_observer_panicked_to_be_told() {
    let of_the_park = |record: &Record| {
        if let Event::Parked { .. } = record.event {
            panic!("the observer");
        }
    };
    let executor = Executor::builder().observer(of_the_park).build();
    let before = Instant::now();
    assert_eq!(panic_of(|| executor.block_on(sleep(LONG))), "the observer");
    assert!(before.elapsed() < LONG);
    // It observes no more, and so the next park is one.
    executor.block_on(sleep(Duration::from_millis(2)));

    // Where only the main task's own waker is left, nobody would ever end the park.
    let said = no_hang(move || {
        let executor = Executor::builder().observer(of_the_park).build();
        let mut kept = None;
        let for_ever = poll_fn(|cx| {
            kept = Some(cx.waker().clone());
            Poll::<()>::Pending
        });
        panic_of(|| executor.block_on(for_ever))
    });
    assert_eq!(said, "the observer");
}

#[test]
fn where_a_task_waits_is_not_where_its_observer_does() {
    let executor = observed(|record| {
        if matches!(record.event, Event::PollEnded { .. }) {
            let cx = &mut Context::from_waker(Waker::noop());
            assert!(pin!(sleep(Duration::MAX)).poll(cx).is_pending());
        }
    });
    let waits = executor.spawn(pending::<()>());
    let stalled = executor.try_block_on(waits).unwrap_err();
    let waits = stalled.tasks().iter().find(|task| task.name == "Pending");
    assert_eq!(waits.unwrap().waits_at, None);
}

#[test]
fn that_a_closure_was_handed_to_a_thread_is_told_when_it_is_true() {
    let has_run = Arc::new(AtomicBool::new(false));
    let runs = has_run.clone();
    let executor = observed(move |record| {
        if matches!(record.event, Event::BlockingStarted { .. }) {
            let start = Instant::now();
            while !has_run.load(Ordering::Relaxed) {
                assert!(start.elapsed() < LONG, "nobody runs it");
                thread::yield_now();
            }
        }
    });
    executor.block_on(async {
        spawn_blocking(move || runs.store(true, Ordering::Relaxed))
            .await
            .unwrap();
    });
}

#[test]
fn no_other_thread_is_said_to_unpark_where_an_observer_has_dropped_the_last_waker() {
    let by = no_hang(|| {
        let recording = Recording::new();
        let kept: Rc<RefCell<Option<Waker>>> = Rc::default();
        let drops = kept.clone();
        let observer = move |record: &Record| {
            if matches!(record.event, Event::Parked { .. }) {
                drop(drops.take());
            }
        };
        let observer = (recording.clone(), observer);
        let executor = Executor::builder().observer(observer).build();
        let keeps_its_waker = poll_fn(|cx| {
            kept.replace(Some(cx.waker().clone()));
            Poll::<()>::Pending
        });
        executor.try_block_on(keeps_its_waker).unwrap_err();
        let events = recording.events().into_iter();
        let by = events.filter_map(|event| match event {
            Event::Unparked { by } => Some(by),
            _ => None,
        });
        by.collect::<Vec<_>>()
    });
    assert_eq!(by, [UnparkCause::Spurious]);
}

#[test]
fn a_wake_between_two_calls_is_no_wake_by_another_thread() {
    let recording = Recording::new();
    let executor = observed({
        let recording = recording.clone();
        move |record| recording.observe(record)
    });
    let kept: Rc<RefCell<Option<Waker>>> = Rc::default();
    let keeps = kept.clone();
    let task = executor.spawn(poll_fn(move |cx| {
        keeps.replace(Some(cx.waker().clone()));
        Poll::<()>::Pending
    }));
    let mut causes = Vec::new();
    for on_another_thread in [false, true, false] {
        executor.run_until_idle();
        recording.take();
        let waker = kept.take().unwrap();
        match on_another_thread {
            true => thread::spawn(move || waker.wake()).join().unwrap(),
            false => waker.wake(),
        }
        executor.run_until_idle();
        causes.extend(
            recording
                .events()
                .into_iter()
                .filter_map(|event| match event {
                    Event::PollStarted { why, .. } => Some(why),
                    _ => None,
                }),
        );
    }
    let [here, elsewhere] = [Cause::NotRunning, Cause::OtherThread];
    assert_eq!(causes, [here, elsewhere, here]);
    drop(task);
}

#[test]
fn observers_in_pairs_in_an_rc_and_in_an_arc_are_told_all_the_same() {
    #[derive(Default)]
    struct Counts(AtomicUsize, AtomicBool);
    impl Observer for Counts {
        fn observe(&self, _: &Record) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
        fn end(&self) {
            self.1.store(true, Ordering::Relaxed);
        }
    }
    fn runs(observer: impl Observer + 'static) {
        let executor = Executor::builder().observer(observer).build();
        executor.block_on(sleep(Duration::ZERO));
    }
    let (first, second) = <(Rc<Counts>, Arc<Counts>)>::default();
    let recording = Recording::new();
    runs(((first.clone(), recording.clone()), second.clone()));
    runs(((second.clone(), recording.clone()), first.clone()));
    for counts in [&*first, &*second] {
        let told = counts.0.load(Ordering::Relaxed);
        let is_told_of_the_end = counts.1.load(Ordering::Relaxed);
        assert_eq!((told, is_told_of_the_end), (recording.len(), true));
    }
}

#[test]
fn of_two_observers_the_first_is_told_first() {
    let log = Log::new();
    let says = |who| {
        let log = log.clone();
        move |_: &Record| log.push(who)
    };
    let observers = (says("first"), says("second"));
    let executor = Executor::builder().observer(observers).build();
    executor.block_on(async {});
    let told = log.take();
    assert!(!told.is_empty());
    let in_order = |pair: &[&str]| pair == ["first", "second"];
    assert!(told.chunks(2).all(in_order), "{told:?}");
}
