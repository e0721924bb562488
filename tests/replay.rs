//! The replay is proven: after every event of a random program, the fold of the events so far is
//! equal to what the running executor itself has.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeSet;
use std::rc::{Rc, Weak};
use std::thread;
use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use watchglass::trace::{Event, Record, State};
use watchglass::view::Snapshot;
use watchglass::{
    Executor, JoinHandle, JoinSet, join, join_all, race, sleep, spawn, spawn_blocking, timeout,
    yield_now,
};

/// What a task of a random program does, one thing after the other.
#[derive(Clone, Debug)]
enum Act {
    Sleep(u64),
    Yield,
    Spawn(Vec<Act>),
    SpawnDetached(Vec<Act>),
    JoinNewest,
    AbortOldest,
    DropNewest,
    Timeout(u64, u64),
    Both(u64, u64),
    Race(u64, u64),
    All(Vec<u64>),
    Set(Vec<u64>),
    Send,
    Receive,
    Blocking,
    RemoteWake,
    WakeThenReturn,
    Panic,
    HandOver(u64),
    Reset(u64),
}

fn act() -> impl Strategy<Value = Act> {
    let leaf = prop_oneof![
        4 => delay().prop_map(Act::Sleep),
        3 => Just(Act::Yield),
        3 => Just(Act::JoinNewest),
        1 => Just(Act::AbortOldest),
        1 => Just(Act::DropNewest),
        1 => (delay(), delay()).prop_map(|(a, b)| Act::Timeout(a, b)),
        1 => (delay(), delay()).prop_map(|(a, b)| Act::Both(a, b)),
        1 => (delay(), delay()).prop_map(|(a, b)| Act::Race(a, b)),
        1 => prop::collection::vec(delay(), 0..4).prop_map(Act::All),
        1 => prop::collection::vec(delay(), 0..4).prop_map(Act::Set),
        2 => Just(Act::Send),
        1 => Just(Act::Receive),
        1 => Just(Act::Blocking),
        1 => Just(Act::RemoteWake),
        1 => Just(Act::WakeThenReturn),
        1 => Just(Act::Panic),
        1 => delay().prop_map(Act::HandOver),
        1 => delay().prop_map(Act::Reset),
    ];
    leaf.prop_recursive(3, 40, 6, |inner| {
        let acts = prop::collection::vec(inner, 0..6);
        prop_oneof![
            3 => acts.clone().prop_map(Act::Spawn),
            1 => acts.prop_map(Act::SpawnDetached),
        ]
    })
}

/// From 1 ns to an hour, so that all levels of the wheel that matter are used; often the same.
fn delay() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(0),
        Just(1_000_000_000),
        1..5_000u64,
        1..3_600_000_000_000u64
    ]
}

#[derive(Clone)]
struct Channel {
    sender: async_channel::Sender<()>,
    receiver: async_channel::Receiver<()>,
}

fn nap(delay_ns: u64) -> watchglass::time::Sleep {
    sleep(Duration::from_nanos(delay_ns))
}

async fn run(acts: Vec<Act>, channel: Channel) {
    let mut handles: Vec<JoinHandle<()>> = Vec::new();
    for act in acts {
        let start = |acts| spawn(Box::pin(run(acts, channel.clone())) as Boxed);
        match act {
            Act::Spawn(acts) => handles.push(start(acts)),
            Act::SpawnDetached(acts) => drop(start(acts)),
            Act::JoinNewest => {
                if let Some(handle) = handles.pop() {
                    let _ = handle.await;
                }
            }
            Act::AbortOldest => handles.iter().take(1).for_each(JoinHandle::abort),
            Act::DropNewest => drop(handles.pop()),
            act => alone(act, &channel).await,
        }
    }
}

type Boxed = std::pin::Pin<Box<dyn Future<Output = ()>>>;

async fn alone(act: Act, channel: &Channel) {
    match act {
        Act::Sleep(ns) => nap(ns).await,
        Act::Yield => yield_now().await,
        Act::Timeout(a, b) => drop(timeout(Duration::from_nanos(a), nap(b)).await),
        Act::Both(a, b) => drop(join(nap(a), nap(b)).await),
        Act::Race(a, b) => race(nap(a), nap(b)).await,
        Act::All(delays) => drop(join_all(delays.into_iter().map(nap)).await),
        Act::Set(delays) => {
            let mut set = JoinSet::new();
            delays.into_iter().for_each(|ns| {
                set.spawn(nap(ns));
            });
            while set.join_next().await.is_some() {}
        }
        Act::Send => drop(channel.sender.try_send(())),
        // Somebody may send; if not, the time is up some day.
        Act::Receive => {
            let _ = timeout(Duration::from_secs(5), channel.receiver.recv()).await;
        }
        Act::Blocking => spawn_blocking(|| ()).await.unwrap(),
        Act::RemoteWake => {
            let (sender, receiver) = async_channel::bounded(1);
            let thread = thread::spawn(move || sender.send_blocking(()));
            let _ = receiver.recv().await;
            thread.join().unwrap().unwrap();
        }
        Act::WakeThenReturn => {
            std::future::poll_fn(|cx| {
                cx.waker().wake_by_ref();
                std::task::Poll::Ready(())
            })
            .await
        }
        Act::Panic => {
            let _ = spawn(join(nap(7), panics())).await;
        }
        Act::HandOver(ns) => hand_over(ns).await,
        Act::Reset(ns) => {
            let mut nap = nap(ns);
            let _ = timeout(Duration::ZERO, &mut nap).await;
            nap.reset(watchglass::now() + Duration::from_nanos(ns + 1));
            nap.await;
        }
        _ => unreachable!("these need handles"),
    }
}

async fn panics() {
    std::panic::resume_unwind(Box::new("as planned"));
}

/// A sleep that is polled first by one task and then by another.
async fn hand_over(ns: u64) {
    let mut nap = Box::pin(nap(ns));
    let _ = watchglass::timeout(Duration::ZERO, nap.as_mut()).await;
    let _ = spawn(nap).await;
}

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

/// Runs the program, and drops the executor with whatever is left of it.
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
        .closed_world(false)
        .observer(move |record: &Record| proof.check(record));
    if let Some(seed) = seed {
        builder = builder.seed(seed);
    }
    let executor = Rc::new(builder.build());
    executor_cell.set(Rc::downgrade(&executor)).unwrap();
    let (sender, receiver) = async_channel::unbounded();
    let channel = Channel { sender, receiver };
    drop(executor.spawn(run(left_behind, channel.clone())));
    executor.block_on(run(acts, channel));
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
        "Dropping",
        "Panicked",
        "Parked",
        "PassedOver",
        "PollEnded",
        "PollStarted",
        "Spawned",
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
