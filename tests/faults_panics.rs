//! Panics where nobody expects one: in drops, payloads, wakers, observers, closures, and while
//! another panic unwinds. None ends the process, and the executor goes on.

mod common;

use std::future::{pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::pin::Pin;
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};

use common::{LONG, OnDrop, ms, no_hang, panic_message, recorded, secs, virtual_executor};
use watchglass::trace::{Event, Record};
use watchglass::{
    Executor, JoinHandle, JoinSet, block_on, join_all, sleep, spawn, spawn_blocking, timeout,
    yield_now,
};

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("a bomb's drop");
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
}

#[test]
fn a_payload_whose_drop_panics_harms_only_who_takes_it() {
    let executor = virtual_executor();
    let panics = || executor.spawn(async { panic_any(Bomb) });
    // Nobody wants it; somebody does not look; somebody takes it, and drops it.
    drop(panics());
    executor.run_until_idle();
    assert_works(&executor);
    let unread: JoinHandle<()> = panics();
    executor.run_until_idle();
    drop(unread);
    assert_works(&executor);
    let error = executor.block_on(panics()).unwrap_err();
    assert_eq!(error.to_string(), "the task panicked");
    assert_eq!(panic_message(|| drop(error)), "a bomb's drop");
    assert_works(&executor);
    let left = panics();
    executor.run_until_idle();
    drop(executor);
    drop(left);
}

#[test]
fn an_output_that_nobody_takes_may_panic_in_its_drop() {
    let executor = virtual_executor();
    let unread = executor.spawn(async { Bomb });
    let mut set = JoinSet::new();
    for _ in 0..5 {
        set.insert(executor.spawn(async { Bomb }));
    }
    let mut detached = JoinSet::new();
    for _ in 0..5 {
        detached.insert(executor.spawn(async { Bomb }));
    }
    executor.run_until_idle();
    drop((unread, set));
    detached.detach_all();
    assert_works(&executor);
    // And if it is the executor that goes first.
    let unread = executor.spawn(async { Bomb });
    executor.run_until_idle();
    drop(executor);
    drop(unread);
}

/// A waker whose last clone panics when it is dropped, and that does nothing else.
struct DropBomb;

impl Wake for DropBomb {
    fn wake(self: Arc<Self>) {}
}

impl Drop for DropBomb {
    fn drop(&mut self) {
        panic!("a waker's drop");
    }
}

/// A waker that panics when it is dropped by its last holder. The one given to `poll` is never
/// that: its own drop must not be this test's.
fn poll_with_bomb<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    let waker = Waker::from(Arc::new(DropBomb));
    let polled = future.poll(&mut Context::from_waker(&waker));
    let last = catch_unwind(AssertUnwindSafe(|| drop(waker)));
    assert!(last.is_ok(), "the future keeps a clone");
    polled
}

#[test]
fn a_waker_may_panic_in_its_drop_wherever_the_executor_keeps_it() {
    type Leaf = Pin<Box<dyn Future<Output = ()>>>;
    let leaves: [(&str, fn() -> Leaf); 4] = [
        ("sleep", || Box::pin(sleep(secs(1)))),
        ("timeout", || {
            Box::pin(async { assert!(timeout(secs(1), pending::<()>()).await.is_err()) })
        }),
        ("handle", || {
            Box::pin(async { spawn(sleep(secs(1))).await.unwrap() })
        }),
        ("set", || {
            Box::pin(async {
                let mut set = JoinSet::new();
                set.spawn(sleep(secs(1)));
                set.join_next().await.unwrap().unwrap();
            })
        }),
    ];
    for (name, leaf) in leaves {
        for end in ["replaced", "dropped", "woken", "left behind"] {
            let executor = virtual_executor();
            let mut kept: Option<Leaf> = None;
            executor.block_on(async {
                let mut leaf = leaf();
                assert!(poll_with_bomb(leaf.as_mut()).is_pending(), "{name}");
                match end {
                    "replaced" => {
                        let noop = &mut Context::from_waker(Waker::noop());
                        assert!(leaf.as_mut().poll(noop).is_pending(), "{name}");
                    }
                    "dropped" => drop(leaf),
                    "woken" => sleep(secs(2)).await,
                    _ => kept = Some(leaf),
                }
            });
            assert_works(&executor);
            drop(executor);
            drop(kept);
        }
    }
}

/// Much of what an executor does, in one virtual run.
async fn a_bit_of_everything() {
    let aborted = spawn(sleep(secs(60)));
    yield_now().await;
    aborted.abort();
    let tasks = (0..3).map(|n| spawn(sleep(secs(n))));
    join_all(tasks).await;
    assert!(spawn(async { panic!("on purpose") }).await.is_err());
    assert!(aborted.await.unwrap_err().is_cancelled());
    let mut reset = Box::pin(sleep(secs(5)));
    assert!(common::poll_once(reset.as_mut()).await.is_pending());
    reset.reset(watchglass::now() + secs(6));
    reset.await;
}

#[test]
fn a_blocking_closure_may_panic_in_every_way_and_its_thread_goes_on() {
    no_hang(|| {
        let executor = Executor::builder().blocking_threads(1).build();
        executor.block_on(async {
            let panics = spawn_blocking(|| panic!("in the closure"));
            assert_eq!(
                panics
                    .await
                    .map(|(): ()| ())
                    .unwrap_err()
                    .panic_message()
                    .as_deref(),
                Some("in the closure")
            );
            // Nobody wants the output, or the payload: both are dropped on the pool's thread, or on
            // this one, if the task sees them first.
            for _ in 0..10 {
                drop(spawn_blocking(|| Bomb));
                drop(spawn_blocking(|| panic_any(Bomb)));
                yield_now().await;
            }
            // Aborted before they run: the closure is dropped instead, with what it holds.
            let (go, wait) = mpsc::channel::<()>();
            let occupied = spawn_blocking(move || wait.recv_timeout(LONG));
            let queued = [0, 1, 2].map(|_| {
                let bomb = Bomb;
                let queued = spawn_blocking(move || drop(bomb));
                queued.abort();
                queued
            });
            for queued in queued {
                assert!(queued.await.unwrap_err().is_cancelled());
            }
            go.send(()).unwrap();
            occupied.await.unwrap().unwrap();
            // Aborted while they run: the output comes too late.
            let late = spawn_blocking(|| {
                std::thread::sleep(ms(5));
                Bomb
            });
            late.abort();
            assert!(late.await.map(|_| ()).unwrap_err().is_cancelled());
            assert_eq!(spawn_blocking(|| 7).await.unwrap(), 7);
        });
    });
}

/// Runs `code` in a drop, while a panic unwinds. A panic that comes out of it would end the
/// process, and this test with it.
#[track_caller]
fn while_unwinding(code: impl FnOnce()) {
    let mut code = Some(code);
    let message = panic_message(|| {
        let _guard = OnDrop(|| code.take().unwrap()());
        panic!("the first panic");
    });
    assert_eq!(message, "the first panic");
}

