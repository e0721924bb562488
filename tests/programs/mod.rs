//! Random programs for the tests of the replay: they spawn, yield, sleep, join, abort, send, block and
//! are woken from other threads.

use std::future::poll_fn;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use proptest::prelude::*;
use watchglass::time::Sleep;
use watchglass::{
    JoinHandle, JoinSet, join, join_all, now, race, sleep, spawn, spawn_blocking, timeout,
    yield_now,
};

/// What a task of a random program does, one thing after the other.
#[derive(Clone, Debug)]
pub(crate) enum Act {
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

pub(crate) fn act() -> impl Strategy<Value = Act> {
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
pub(crate) struct Channel {
    pub(crate) sender: async_channel::Sender<()>,
    pub(crate) receiver: async_channel::Receiver<()>,
}

fn nap(delay_ns: u64) -> Sleep {
    sleep(Duration::from_nanos(delay_ns))
}

pub(crate) async fn run(acts: Vec<Act>, channel: Channel) {
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

type Boxed = Pin<Box<dyn Future<Output = ()>>>;

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
            poll_fn(|cx| {
                cx.waker().wake_by_ref();
                Poll::Ready(())
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
            nap.reset(now() + Duration::from_nanos(ns + 1));
            nap.await;
        }
        _ => unreachable!("these need handles"),
    }
}

async fn panics() {
    resume_unwind(Box::new("as planned"));
}

/// A sleep that is polled first by one task and then by another.
async fn hand_over(ns: u64) {
    let mut nap = Box::pin(nap(ns));
    let _ = timeout(Duration::ZERO, nap.as_mut()).await;
    let _ = spawn(nap).await;
}
