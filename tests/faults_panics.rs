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
    Executor, JoinHandle, JoinSet, block_on, join, join_all, race, sleep, spawn, spawn_blocking,
    timeout, yield_now,
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
    type Named = (&'static str, fn() -> Leaf);
    let leaves: [Named; 4] = [
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
fn an_observer_s_panic_at_any_event_goes_to_the_caller_and_nowhere_else() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    let _survivor = executor.spawn(async { 7 });
    executor.block_on(a_bit_of_everything());
    let events = recording.events();
    assert!(matches!(events.last(), Some(Event::Completed { .. })));
    for (seq, event) in (0..).zip(&events) {
        let observer = move |record: &Record| assert!(record.seq != seq, "at event {seq}");
        let executor = Executor::builder()
            .virtual_time()
            .observer(observer)
            .build();
        let survivor = executor.spawn(async { 7 });
        let message = panic_message(|| {
            executor.block_on(a_bit_of_everything());
            panic!("nobody was told of the panic at {event}");
        });
        assert_eq!(message, format!("at event {seq}"));
        assert_works(&executor);
        assert_eq!(executor.block_on(survivor).unwrap(), 7);
    }
}

#[test]
fn an_observer_s_panic_goes_to_the_caller_of_a_block_on_that_stalls() {
    let observer =
        |record: &Record| assert!(!matches!(record.event, Event::Stalled { .. }), "told");
    let executor = Executor::builder()
        .virtual_time()
        .observer(observer)
        .build();
    let message = panic_message(|| drop(executor.try_block_on(pending::<()>())));
    assert_eq!(message, "told");
    assert_works(&executor);
}

/// A timer is cancelled in the drop of `block_on`'s own future; and that future's own panic is told last.
#[test]
fn an_observer_s_panic_at_the_very_end_is_not_left_for_the_next_caller() {
    let observer = |record: &Record| match record.event {
        Event::TimerCancelled { .. } => panic!("told of the timer"),
        Event::Panicked { .. } => panic!("told of the panic"),
        _ => {}
    };
    let executor = || {
        Executor::builder()
            .virtual_time()
            .observer(observer)
            .build()
    };
    let timer = executor();
    let mut sleep = Box::pin(sleep(secs(1)));
    let keeps_it = poll_fn(move |cx| {
        assert!(sleep.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    });
    let message = panic_message(|| timer.block_on(keeps_it));
    assert_eq!(message, "told of the timer");
    assert_works(&timer);
    let panic = executor();
    let message = panic_message(|| panic.block_on(async { panic!("its own") }));
    assert_eq!(message, "its own");
    assert_works(&panic);
}

#[test]
fn an_observer_s_panic_in_the_executor_s_drop_stays_there() {
    let observer = |record: &Record| {
        if matches!(record.event, Event::Cancelled { .. }) {
            panic_any(Bomb);
        }
    };
    let executor = Executor::builder()
        .virtual_time()
        .observer(observer)
        .build();
    let left = executor.spawn(pending::<()>());
    executor.run_until_idle();
    drop(executor);
    assert!(left.is_finished());
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

#[test]
fn while_another_panic_unwinds_everything_works_as_ever() {
    // An unwanted output, a whole executor of bombs, a block_on with a panic in a task.
    let executor = virtual_executor();
    let unread = executor.spawn(async { Bomb });
    let payload: JoinHandle<()> = executor.spawn(async { panic_any(Bomb) });
    executor.run_until_idle();
    while_unwinding(|| drop((unread, payload)));
    while_unwinding(|| {
        for abort in [false, true] {
            let bomb = Bomb;
            let task = executor.spawn(async move {
                let _bomb = bomb;
                pending::<()>().await;
            });
            executor.run_until_idle();
            if abort {
                task.abort();
            }
        }
        executor.run_until_idle();
        assert_works(&executor);
    });
    while_unwinding(|| drop(executor));
    while_unwinding(|| {
        let error = block_on(async { spawn(async { panic!("the second") }).await.unwrap_err() });
        assert_eq!(error.panic_message().as_deref(), Some("the second"));
    });
    while_unwinding(|| {
        let second = panic_message(|| block_on(async { panic!("the second") }));
        assert_eq!(second, "the second");
    });
    while_unwinding(|| {
        let executor = virtual_executor();
        executor.block_on(async {
            let mut leaf = Box::pin(sleep(secs(1)));
            assert!(poll_with_bomb(leaf.as_mut()).is_pending());
        });
    });
}

#[test]
fn a_stall_while_another_panic_unwinds_is_told_as_a_stall() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    while_unwinding(|| assert!(executor.try_block_on(pending::<()>()).is_err()));
    let last = recording.events().pop();
    assert!(matches!(last, Some(Event::Cancelled { .. })), "{last:?}");
}

#[test]
fn the_future_of_block_on_may_panic_in_its_poll_and_again_in_its_drop() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    let bomb = Bomb;
    let message = panic_message(|| {
        executor.block_on(poll_fn(move |_| -> Poll<()> {
            let _bomb = &bomb;
            panic!("in poll");
        }));
    });
    assert_eq!(message, "in poll");
    let told = recording.events().pop().unwrap().to_string();
    assert_eq!(told, "#0 panicked: in poll");
    assert_works(&executor);
}

#[test]
fn the_future_of_block_on_may_panic_in_its_drop_after_an_observer_s_panic() {
    let observer =
        |record: &Record| assert!(!matches!(record.event, Event::PollEnded { .. }), "told");
    let executor = Executor::builder()
        .virtual_time()
        .observer(observer)
        .build();
    let bomb = Bomb;
    let message = panic_message(|| {
        executor.block_on(async move {
            let _bomb = bomb;
            sleep(secs(1)).await;
        });
    });
    assert_eq!(message, "told");
    assert_works(&executor);
}

fn observed_by_a_bomb() -> Executor {
    let bomb = Bomb;
    let observer = move |_: &Record| {
        let _held = &bomb;
    };
    let executor = Executor::builder().virtual_time().observer(observer);
    executor.build()
}

#[test]
fn whoever_lets_go_of_an_observer_last_does_not_suffer_from_its_drop() {
    drop(observed_by_a_bomb());
    let executor = observed_by_a_bomb();
    let task = executor.spawn(async { 7 });
    executor.run_until_idle();
    drop(executor);
    drop(task);
}

#[test]
fn an_output_is_given_although_the_observer_panics_when_it_is_dropped() {
    let executor = observed_by_a_bomb();
    let mut task = executor.spawn(async { 7 });
    executor.run_until_idle();
    // From here on the handle alone keeps the observer.
    drop(executor);
    let polled = Pin::new(&mut task).poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(polled, Poll::Ready(Ok(7))));
}

#[test]
fn the_loser_of_a_race_and_the_winner_s_output_may_both_panic_in_their_drops() {
    struct Loser(#[expect(dead_code, reason = "it is dropped")] OnDrop<fn()>);
    impl Future for Loser {
        type Output = Bomb;

        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Bomb> {
            Poll::Pending
        }
    }
    let executor = virtual_executor();
    let loser = Loser(OnDrop(|| panic!("the loser's drop")));
    let raced = executor.spawn(race(loser, async { Bomb }));
    let error = executor.block_on(raced).map(|_| ()).unwrap_err();
    assert_eq!(error.panic_message().unwrap(), "the loser's drop");
    assert_works(&executor);
}

#[test]
fn a_future_of_a_join_and_its_output_may_both_panic_in_their_drops() {
    struct Ready(#[expect(dead_code, reason = "it is dropped")] OnDrop<fn()>);
    impl Future for Ready {
        type Output = Bomb;

        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Bomb> {
            Poll::Ready(Bomb)
        }
    }
    let executor = virtual_executor();
    let ready = || Ready(OnDrop(|| panic!("the future's drop")));
    for task in [
        executor.spawn(async move { drop(join(ready(), pending::<()>()).await) }),
        executor.spawn(async move { drop(join(pending::<()>(), ready()).await) }),
        executor.spawn(async move { drop(join_all([ready()]).await) }),
    ] {
        let error = executor.block_on(task).unwrap_err();
        assert_eq!(error.panic_message().unwrap(), "the future's drop");
    }
    assert_works(&executor);
}
