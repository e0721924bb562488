//! The replay is proven: after every event of a random program, the fold of the events so far is
//! equal to what the running executor itself has.

mod programs;

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeSet;
use std::future::{pending, poll_fn};
use std::rc::{Rc, Weak};
use std::task::{Poll, Waker};
use std::time::Duration;

use programs::{Act, Channel, act, run};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use watchglass::trace::{Event, Record, State};
use watchglass::view::Snapshot;
use watchglass::{Executor, JoinHandle, sleep, spawn, yield_now};

/// Holds each prefix against the executor, as its records come.
struct Proof {
    executor: Rc<OnceCell<Weak<Executor>>>,
    folded: Rc<RefCell<Vec<Record>>>,
    state: RefCell<State>,
    /// The first difference. A panic of an observer would be lost while an executor is dropped.
    difference: Rc<OnceCell<String>>,
}

impl Proof {
    fn check(&self, record: &Record) {
        let mut state = self.state.borrow_mut();
        state.fold(record);
        self.folded.borrow_mut().push(record.clone());
        // A slot of the wheel is emptied at once and told timer by timer: so the fold has caught up
        // with the wheel when something else is told.
        if matches!(record.event, Event::Cascaded { .. }) || self.difference.get().is_some() {
            return;
        }
        let executor = self.executor.get().and_then(Weak::upgrade);
        let live = match executor {
            Some(executor) => executor.snapshot(),
            None => Snapshot::of_current().expect("it is being dropped, and so it is entered"),
        };
        let folded = Snapshot::of(&state);
        if live != folded {
            let records = self.folded.borrow();
            let lines: Vec<String> = records.iter().map(Record::to_string).collect();
            let log = lines.join("\n");
            let difference = format!("{log}\nthe fold: {folded:#?}\nthe executor: {live:#?}");
            self.difference.set(difference).unwrap();
        }
    }
}

/// Wakes and spawns when it is dropped.
struct Guard(Waker);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.wake_by_ref();
        drop(spawn(yield_now()));
    }
}

/// Never done, with two tasks that await each other: the verdict falls, and it is dropped.
async fn never() {
    let (sender, handle) = async_channel::bounded::<JoinHandle<()>>(1);
    let left = spawn(async move { handle.recv().await.unwrap().await.unwrap() });
    let right = spawn(async move { left.await.unwrap() });
    sender.send(right).await.unwrap();
    let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
    let _guard = Guard(waker);
    drop(spawn(pending::<()>()));
    sleep(Duration::MAX).await;
}

/// Runs the program and then one that will never be done, and drops the executor with whatever is left of it.
fn prove(acts: Vec<Act>, left_behind: Vec<Act>, seed: Option<u64>) -> Vec<Record> {
    let folded = Rc::new(RefCell::new(Vec::new()));
    let executor_cell = Rc::new(OnceCell::new());
    let difference = Rc::new(OnceCell::new());
    let proof = Proof {
        executor: executor_cell.clone(),
        folded: folded.clone(),
        state: RefCell::default(),
        difference: difference.clone(),
    };
    let mut builder = Executor::builder()
        .virtual_time()
        .observer(move |record: &Record| proof.check(record));
    if let Some(seed) = seed {
        builder = builder.seed(seed);
    }
    let executor = Rc::new(builder.build());
    executor_cell.set(Rc::downgrade(&executor)).unwrap();
    let (sender, receiver) = async_channel::unbounded();
    let channel = Channel { sender, receiver };
    drop(executor.spawn(run(left_behind, channel.clone())));
    // In a closed world it may come to a verdict, too.
    let _ = executor.try_block_on(run(acts, channel));
    executor.try_block_on(never()).unwrap_err();
    drop(executor);
    if let Some(difference) = difference.get() {
        panic!("{difference}");
    }
    folded.take()
}

/// A proof that never meets a kind of event proves nothing about it.
#[test]
fn the_random_programs_show_every_kind_of_event() {
    let mut runner = TestRunner::deterministic();
    let programs = (
        prop::collection::vec(act(), 0..12),
        prop::collection::vec(act(), 0..6),
        prop::option::of(any::<u64>()),
    );
    let mut seen = BTreeSet::new();
    for _ in 0..300 {
        let (acts, left_behind, seed) = programs.new_tree(&mut runner).unwrap().current();
        for record in prove(acts, left_behind, seed) {
            let debug = format!("{:?}", record.event);
            seen.insert(debug.split([' ', '{']).next().unwrap().to_owned());
        }
    }
    let expected = [
        "BlockingDone",
        "BlockingStarted",
        "Cancelled",
        "Cascaded",
        "ClockAdvanced",
        "Completed",
        "Deadlock",
        "Detached",
        "Dropping",
        "ForgottenWaker",
        "GaveUp",
        "Panicked",
        "Parked",
        "PassedOver",
        "PollEnded",
        "PollStarted",
        "Spawned",
        "Stalled",
        "TimerArmed",
        "TimerCancelled",
        "TimerFired",
        "TimerHandedOver",
        "TimerReset",
        "Unparked",
        "Waits",
        "Woken",
    ];
    let missing: Vec<&str> = expected
        .into_iter()
        .filter(|kind| !seen.contains(*kind))
        .collect();
    assert!(missing.is_empty(), "never seen: {missing:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn every_prefix_folds_to_what_the_executor_has(
        acts in prop::collection::vec(act(), 0..12),
        left_behind in prop::collection::vec(act(), 0..6),
        seed in prop::option::of(any::<u64>()),
    ) {
        prove(acts, left_behind, seed);
    }
}
