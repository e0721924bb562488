//! No silent hang: when nothing can ever happen again, that is said, with each stuck task's name.

mod common;

use std::cell::RefCell;
use std::error::Error;
use std::future::{pending, poll_fn};
use std::hint::spin_loop;
use std::mem;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use common::{Log, OnDrop, Probe, calm, ms, no_hang, panic_message, recorded, secs, sentences};
use watchglass::trace::{Event, Record, Recording, State, TaskKind};
use watchglass::{
    Builder, Executor, JoinHandle, JoinSet, Stalled, Step, interval, join, join_all, race, sleep,
    spawn, spawn_blocking, spawn_named, timeout, yield_now,
};

type Handle = Rc<RefCell<Option<JoinHandle<()>>>>;

async fn waits_for(other: Handle) {
    let other = other.take().expect("set before the first poll");
    other.await.unwrap();
}

/// Two tasks that wait for each other, and a third that waits for a deadline that never comes.
async fn deadlock() {
    let (left, right) = (Handle::default(), Handle::default());
    left.replace(Some(spawn_named("left", waits_for(right.clone()))));
    right.replace(Some(spawn(waits_for(left))));
    sleep(Duration::MAX).await;
}

#[test]
fn a_deadlock_is_told_with_names_and_places_on_the_real_clock_too() {
    for builder in [Executor::builder(), Executor::builder().virtual_time()] {
        let (executor, recording) = recorded(builder);
        let stalled = executor.try_block_on(deadlock()).unwrap_err();
        let expected = "\
stalled: no task is ready, no timer is armed, no blocking call is out and nobody outside \
will use a waker, so these can never finish:
  #0 `deadlock`, given to block_on at tests/stall.rs:43:32, waits at tests/stall.rs:36:26
  #1 `left`, spawned at tests/stall.rs:34:23, waits for #2 at tests/stall.rs:28:11
  #2 `waits_for`, spawned at tests/stall.rs:35:24, waits for #1 at tests/stall.rs:28:11
and they wait in a circle: #1 → #2 → #1";
        assert_eq!(stalled.to_string(), expected);
        assert_eq!(format!("{stalled:?}"), expected, "as `unwrap` prints it");
        let sentences = sentences(&recording);
        let says = [
            "#1 → #2 → #1: each awaits the next, and nothing else would wake them: they can never be polled again, \
             unless one is aborted",
            "nothing can ever happen again, and these have not finished: #0 #1 #2",
        ];
        assert!(
            sentences.windows(2).any(|two| two == says),
            "{sentences:#?}"
        );
    }
}

#[test]
fn each_stuck_task_can_be_asked_for() {
    let stalled = Executor::new().try_block_on(deadlock()).unwrap_err();
    let [main, left, right] = stalled.tasks() else {
        panic!("three tasks: {stalled}");
    };
    let names = [main, left, right].map(|task| task.name.as_str());
    assert_eq!(names, ["deadlock", "left", "waits_for"]);
    assert_eq!(
        (&left.waits_for[..], &right.waits_for[..]),
        (&[right.id][..], &[left.id][..])
    );
    assert_eq!(main.waits_for, []);
    assert!(
        [main, left, right]
            .iter()
            .all(|task| task.waits_at.is_some())
    );
    let error: Box<dyn Error + Send + Sync> = Box::new(stalled.clone());
    assert_eq!(error.downcast_ref::<Stalled>(), Some(&stalled));
}

#[test]
fn block_on_panics_with_the_verdict() {
    let message = panic_message(|| watchglass::block_on(deadlock()));
    assert!(
        message.starts_with("stalled: no task is ready"),
        "{message}"
    );
    assert!(
        message.contains("#1 `left`, spawned at tests/stall.rs"),
        "{message}"
    );
}

#[test]
fn what_is_not_watchglass_s_is_named_as_that() {
    let stalled = Executor::new().try_block_on(pending::<()>()).unwrap_err();
    let message = stalled.to_string();
    assert!(
        message.ends_with(
            "waits, and nobody has its waker: a future returned `Pending` without keeping `cx.waker()`, \
             or whoever kept it has dropped it"
        ),
        "{message}"
    );
    let stuck = &stalled.tasks()[0];
    assert_eq!((stuck.kind, stuck.waits_at), (TaskKind::Main, None));
    let mut kept = None;
    let keeps = std::future::poll_fn(|cx| {
        kept = Some(cx.waker().clone());
        std::task::Poll::<()>::Pending
    });
    let executor = Executor::builder().closed_world(true).build();
    let message = executor.try_block_on(keeps).unwrap_err().to_string();
    assert!(message.contains(NOT_OURS), "{message}");
}

/// A future that has its own waker.
fn keeps_its_waker() -> impl Future<Output = ()> {
    let kept = Rc::new(RefCell::new(None));
    poll_fn(move |cx| {
        *kept.borrow_mut() = Some(cx.waker().clone());
        Poll::Pending
    })
}

#[test]
fn whatever_a_stuck_task_waits_for_is_named() {
    let told = |builder: Builder, waits: Pin<Box<dyn Future<Output = ()>>>| {
        let stalled = builder.build().try_block_on(waits).unwrap_err();
        stalled.to_string()
    };
    let closed = || Executor::builder().closed_world(true);
    let (_sender, receiver) = async_channel::bounded::<()>(1);
    let service = async move {
        let worker = spawn(pending::<()>());
        let stopped = async { receiver.recv().await.unwrap() };
        race(stopped, async { worker.await.unwrap() }).await;
    };
    let service = told(closed(), Box::pin(service));
    assert!(
        service.contains("waits for #1 at tests/stall.rs:"),
        "{service}"
    );
    let or = format!(", or for {}", NOT_OURS.strip_prefix("waits for ").unwrap());
    assert!(service.contains(&or), "{service}");
    let never = async {
        let boxed: Pin<Box<dyn Future<Output = ()>>> = Box::pin(sleep(Duration::MAX));
        boxed.await;
    };
    let never = told(Executor::builder(), Box::pin(never));
    let inside = "waits in a future that another future polls (a race, a timeout or a box, perhaps), or that is the \
                  task itself";
    assert!(never.ends_with(inside), "{never}");
    let itself = told(Executor::builder(), Box::pin(sleep(Duration::MAX)));
    assert!(itself.ends_with(inside), "{itself}");
}

#[test]
fn of_many_that_one_task_awaits_some_are_named_and_the_others_counted() {
    let executor = Executor::new();
    let mut handles: Vec<_> = (0..30).map(|_| executor.spawn(pending::<()>())).collect();
    let awaits_all = poll_fn(|cx| {
        let polled = handles.iter_mut().map(|handle| Pin::new(handle).poll(cx));
        assert_eq!(polled.filter(Poll::is_pending).count(), 30);
        Poll::<()>::Pending
    });
    let stalled = executor.try_block_on(awaits_all).unwrap_err();
    assert_eq!(stalled.tasks()[0].waits_for.len(), 30);
    let told = stalled.tasks()[0].to_string();
    assert!(told.contains(" #18 and #19 and 10 more"), "{told}");
}

#[test]
fn of_many_who_are_stuck_some_are_named_and_the_others_counted() {
    let (executor, recording) = recorded(Executor::builder().closed_world(true));
    for _ in 0..30 {
        executor.spawn(keeps_its_waker());
    }
    let stalled = executor.try_block_on(keeps_its_waker()).unwrap_err();
    assert_eq!(stalled.tasks().len(), 31);
    let [main, others @ ..] = stalled.tasks() else {
        unreachable!()
    };
    assert!(main.kind == TaskKind::Main && others.is_sorted_by_key(|task| task.id.slot()));
    let told = stalled.to_string();
    assert_eq!(told.lines().count(), 1 + 20 + 1 + 1, "{told}");
    assert!(
        told.contains("\n  and 11 more (`Executor::try_block_on` gives them all)\n"),
        "{told}"
    );
    assert!(
        told.contains("\nWakers of #30, #0, ") && told.contains(" #18 and 11 more are held, by"),
        "{told}"
    );
    let story = recording.story();
    assert!(story.contains("; and 11 more\n"), "{story}");
}

const NOT_OURS: &str = "waits for a future that is not watchglass's (of a lock, a channel or another crate's `join` or `select`, perhaps)";

/// Each in a circle by its handles, if one believed that it still awaits them.
#[test]
fn who_gave_up_to_wait_is_not_said_to_wait_there() {
    let executor = Executor::builder().virtual_time().build();
    let kept: Rc<RefCell<Vec<Waker>>> = Rc::default();
    let handle: Rc<RefCell<Option<JoinHandle<()>>>> = Rc::default();
    let gives_up = |handle: Rc<RefCell<Option<JoinHandle<()>>>>| {
        let kept = kept.clone();
        async move {
            yield_now().await;
            let mut other = handle.take().unwrap();
            timeout(secs(1), &mut other).await.unwrap_err();
            let waker = common::own_waker().await;
            kept.borrow_mut().push(waker);
            pending::<()>().await;
        }
    };
    let a = executor.spawn(gives_up(handle.clone()));
    let b_handle = Rc::new(RefCell::new(Some(a)));
    handle.replace(Some(executor.spawn(gives_up(b_handle))));
    let races = async {
        race(sleep(secs(3)), sleep(secs(2))).await;
        let mut slept = sleep(secs(3));
        let gives_up = poll_fn(|cx| {
            assert!(Pin::new(&mut slept).poll(cx).is_pending());
            Poll::Ready(())
        });
        timeout(secs(5), gives_up).await.unwrap();
        drop(slept);
        pending::<()>().await;
    };
    let stalled = executor.try_block_on(races).unwrap_err();
    assert_eq!(stalled.cycle(), [], "{stalled}");
    let [main, a, b] = stalled.tasks() else {
        panic!("{stalled}");
    };
    assert_eq!([a, b, main].map(|task| task.waits_at), [None; 3]);
    assert_eq!(
        (&a.waits_for[..], &b.waits_for[..]),
        (&[b.id][..], &[a.id][..]),
        "it has the handle"
    );
    assert!(
        stalled
            .to_string()
            .contains(&format!("{NOT_OURS}, or for {}", b.id)),
        "{stalled}"
    );
}

#[test]
fn the_place_is_that_of_the_last_poll() {
    let executor = Executor::builder().virtual_time().build();
    let stalled = executor.try_block_on(async {
        sleep(secs(1)).await;
        pending::<()>().await;
    });
    assert_eq!(
        stalled.unwrap_err().tasks()[0].waits_at,
        None,
        "the sleep is over"
    );
}

#[test]
fn the_future_is_dropped_and_the_executor_can_be_used_again() {
    let executor = Executor::new();
    let log = Log::new();
    let other = executor.spawn({
        let log = log.clone();
        async move {
            let _guard = OnDrop(move || log.push("other"));
            pending::<()>().await;
        }
    });
    let main = OnDrop(|| log.push("main"));
    let stalled = executor.try_block_on(async {
        let _main = main;
        pending::<()>().await;
    });
    assert_eq!(stalled.unwrap_err().tasks().len(), 2);
    assert_eq!(log.take(), ["main"], "other tasks stay");
    assert!(!other.is_finished());
    other.abort();
    assert!(
        executor
            .try_block_on(other)
            .unwrap()
            .unwrap_err()
            .is_cancelled()
    );
    assert_eq!(executor.step(), Step::Idle);
}

/// Sends its waker, and is done when it is polled once more.
async fn sends_its_waker(to: mpsc::Sender<Waker>) {
    let mut is_sent = false;
    poll_fn(|cx| {
        if mem::replace(&mut is_sent, true) {
            return Poll::Ready(());
        }
        to.send(cx.waker().clone()).unwrap();
        Poll::Pending
    })
    .await;
}

/// Waits for a wake from a thread that lets the executor park first.
fn woken_by_a_thread(builder: fn() -> Builder) -> Result<(), Stalled> {
    no_hang(move || {
        let (parked, is_parked) = mpsc::channel();
        let observer = move |record: &Record| {
            if let Event::Parked { until: None } = record.event {
                let _ = parked.send(());
            }
        };
        let executor = builder().observer(observer).build();
        let probe = Probe::new();
        let task = executor.spawn(probe.run());
        executor.run_until_idle();
        let waker = probe.waker();
        probe.done.set(true);
        let waking = thread::spawn(move || {
            if is_parked.recv().is_ok() {
                thread::sleep(ms(20));
                waker.wake();
            }
        });
        let outcome = executor.try_block_on(task).map(Result::unwrap);
        // Once it is used, the waker is held no more.
        executor.try_block_on(pending::<()>()).unwrap_err();
        drop(executor);
        waking.join().unwrap();
        outcome
    })
}

#[test]
fn while_a_waker_is_held_elsewhere_the_executor_parks() {
    woken_by_a_thread(|| Executor::builder().closed_world(false)).unwrap();
    woken_by_a_thread(|| Executor::builder().virtual_time().closed_world(false)).unwrap();
}

#[test]
fn in_a_closed_world_the_verdict_falls_although_a_waker_is_held() {
    woken_by_a_thread(|| Executor::builder().closed_world(true)).unwrap_err();
    woken_by_a_thread(|| Executor::builder().virtual_time()).unwrap_err();
}

#[test]
fn a_waker_that_was_dropped_and_one_of_a_finished_task_are_not_held() {
    no_hang(|| {
        let executor = Executor::new();
        let kept = executor.block_on(async { spawn(common::own_waker()).await.unwrap() });
        let of_main = executor.block_on(common::own_waker());
        let stalled = executor.try_block_on(async {
            drop(common::own_waker().await);
            spawn(async { drop(common::own_waker().await) })
                .await
                .unwrap();
            pending::<()>().await;
        });
        assert_eq!(stalled.unwrap_err().tasks().len(), 1);
        drop((kept, of_main));
    });
}

#[test]
fn the_verdict_falls_when_another_thread_drops_the_last_waker() {
    for builder in [Executor::builder, || {
        Executor::builder().virtual_time().closed_world(false)
    }] {
        let tasks = no_hang(move || {
            let (send, wakers) = mpsc::channel();
            let holder = thread::spawn(move || {
                // One after the other, while the executor is parked: some of a task, some of main.
                for waker in wakers {
                    thread::sleep(ms(5));
                    drop::<Waker>(waker);
                }
            });
            let stalled = builder().build().try_block_on(async move {
                let lost = |send: mpsc::Sender<Waker>| async move {
                    for _ in 0..2 {
                        send.send(common::own_waker().await).unwrap();
                    }
                    drop(send);
                    pending::<()>().await;
                };
                drop(spawn(lost(send.clone())));
                drop(spawn(lost(send.clone())));
                lost(send).await;
            });
            holder.join().unwrap();
            stalled.unwrap_err().tasks().len()
        });
        assert_eq!(tasks, 3);
    }
}

/// Between the verdict, which it keeps from falling, and the park, which would watch it.
#[test]
fn a_last_waker_that_is_dropped_when_the_park_is_told_is_a_stall() {
    no_hang(|| {
        let held: Rc<RefCell<Option<Waker>>> = Rc::default();
        let observer = {
            let held = held.clone();
            move |record: &Record| {
                if matches!(record.event, Event::Parked { .. }) {
                    drop(held.take());
                }
            }
        };
        let executor = Executor::builder().observer(observer).build();
        let waits = poll_fn(|cx| {
            held.replace(Some(cx.waker().clone()));
            Poll::<()>::Pending
        });
        executor.try_block_on(waits).unwrap_err();
        let _task = executor.spawn({
            let held = held.clone();
            async move {
                held.replace(Some(common::own_waker().await));
                pending::<()>().await;
            }
        });
        executor.try_block_on(pending::<()>()).unwrap_err();
    });
}

#[test]
fn a_last_waker_that_a_thread_drops_at_any_moment_is_a_stall() {
    no_hang(|| {
        for round in 0..2_000 {
            let (sender, receiver) = mpsc::channel::<Waker>();
            let drops = thread::spawn(move || {
                let waker = receiver.recv();
                (0..round % 400).for_each(|_| spin_loop());
                drop(waker);
            });
            let waits = poll_fn(|cx| {
                sender.send(cx.waker().clone()).unwrap();
                Poll::<()>::Pending
            });
            Executor::new().try_block_on(waits).unwrap_err();
            drops.join().unwrap();
        }
    });
}

#[test]
fn a_waker_that_was_watched_while_the_executor_was_parked_still_wakes() {
    no_hang(|| {
        let (send, wakers) = mpsc::channel::<Waker>();
        let other = thread::spawn(move || {
            for waker in wakers {
                thread::sleep(ms(2));
                // A clone of it is dropped first: it is not the last.
                drop(waker.clone());
                waker.wake();
            }
        });
        let woken_often = |send: mpsc::Sender<Waker>| async move {
            for _ in 0..5 {
                sends_its_waker(send.clone()).await;
            }
        };
        let executor = Executor::builder().closed_world(false).build();
        executor.block_on(async move {
            let task = spawn(woken_often(send.clone()));
            woken_often(send).await;
            task.await.unwrap();
        });
        other.join().unwrap();
    });
}

#[test]
fn a_task_whose_last_waker_was_dropped_goes_on_when_something_else_wakes_it() {
    no_hang(|| {
        let (send, wakers) = mpsc::channel::<Waker>();
        let other = thread::spawn(move || {
            let of_first = wakers.recv().unwrap();
            let of_second = wakers.recv().unwrap();
            // The executor is parked, and watches the waker of the first.
            thread::sleep(ms(10));
            drop(of_first);
            thread::sleep(ms(10));
            of_second.wake();
        });
        let executor = Executor::builder().closed_world(false).build();
        executor.block_on(async move {
            let (hand_over, handle) = async_channel::bounded::<JoinHandle<()>>(1);
            let to_first = send.clone();
            let first = spawn(async move {
                let handle = handle.recv().await.unwrap();
                to_first.send(common::own_waker().await).unwrap();
                handle.await.unwrap();
            });
            let second = spawn(sends_its_waker(send));
            hand_over.send(second).await.unwrap();
            first.await.unwrap();
        });
        other.join().unwrap();
    });
}

#[test]
fn while_a_waker_is_held_elsewhere_the_thread_sleeps_and_does_not_turn() {
    let parks = |in_a_task| {
        let (executor, recording) = recorded(Executor::builder().closed_world(false));
        let (send, wakers) = mpsc::channel::<Waker>();
        let other = thread::spawn(move || {
            let waker = wakers.recv().unwrap();
            thread::sleep(ms(50));
            waker.wake();
        });
        let waits = sends_its_waker(send);
        match in_a_task {
            false => executor.block_on(waits),
            true => executor.block_on(executor.spawn(waits)).unwrap(),
        }
        other.join().unwrap();
        let is_park = |sentence: &String| sentence.contains("the thread parks");
        let parks = sentences(&recording).into_iter().filter(is_park).count();
        // The operating system may wake it now and then.
        assert!(parks < 20, "{parks}");
        parks
    };
    for in_a_task in [false, true] {
        // On a machine that stands still at the wrong time the executor need not park at all.
        assert!((0..100).any(|_| parks(in_a_task) > 0));
    }
}

#[test]
fn nothing_is_stalled_while_a_timer_is_armed_or_a_closure_is_out() {
    for builder in [
        Executor::builder(),
        Executor::builder().closed_world(true),
        Executor::builder().virtual_time(),
    ] {
        let executor = builder.build();
        executor.try_block_on(sleep(ms(1))).unwrap();
        let closure = || thread::sleep(ms(20));
        executor
            .try_block_on(async { spawn_blocking(closure).await.unwrap() })
            .unwrap();
        // Also when the closure's own task is gone: it may still wake somebody.
        let (started, has_started) = mpsc::channel();
        let (send, receive) = async_channel::unbounded();
        let closure = move || {
            started.send(()).unwrap();
            thread::sleep(ms(20));
            send.send_blocking(7).unwrap();
        };
        let received = executor.try_block_on(async {
            let task = spawn_blocking(closure);
            has_started.recv().unwrap();
            task.abort();
            receive.recv().await
        });
        assert_eq!(received.unwrap(), Ok(7));
    }
}

#[test]
fn a_task_that_nobody_can_wake_is_told_of_at_once() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    let _tasks = [
        executor.spawn(pending::<()>()),
        executor.spawn(sleep(secs(1))),
        executor.spawn(async {
            interval(secs(1)).tick().await;
        }),
    ];
    let probe = Probe::new();
    let _held = executor.spawn(probe.run());
    let _joined = executor.spawn(async {
        join_all([spawn(async {})]).await;
    });
    let _yields = executor.spawn(yield_now());
    for _ in 0..6 {
        executor.step();
    }
    let said: Vec<_> = sentences(&recording)
        .into_iter()
        .filter(|s| s.contains("nobody holds"))
        .collect();
    let expected = "#0 waits, but nobody holds its waker: it can never be polled again";
    assert_eq!(said, [expected]);
}

#[test]
fn a_join_of_what_nobody_can_wake_is_a_stall_and_no_wait() {
    no_hang(|| {
        let executor = Executor::new();
        let joins: [Vec<Pin<Box<dyn Future<Output = ()>>>>; 3] = [
            vec![Box::pin(pending())],
            // One has had its own waker, and has given it up.
            vec![Box::pin(sleep(ms(1))), Box::pin(pending())],
            vec![Box::pin(yield_now()), Box::pin(pending())],
        ];
        for futures in joins {
            let stalled = executor.try_block_on(join_all(futures)).unwrap_err();
            assert_eq!(stalled.tasks()[0].name, "JoinAll");
        }
    });
}

#[test]
fn a_join_of_what_only_the_executor_wakes_is_a_stall_too() {
    no_hang(|| {
        for builder in [Executor::builder(), Executor::builder().closed_world(true)] {
            let executor = builder.build();
            let stuck = async { drop(join_all([spawn(pending::<()>())]).await) };
            let stalled = executor.try_block_on(stuck).unwrap_err();
            assert_eq!(stalled.tasks().len(), 2);
            executor
                .try_block_on(join_all([sleep(Duration::MAX)]))
                .unwrap_err();
            let nested = || join_all([sleep(ms(1)), sleep(Duration::MAX)]);
            executor
                .try_block_on(join_all([nested(), nested()]))
                .unwrap_err();
            let of_a_set = async {
                let mut set = JoinSet::new();
                set.spawn(pending::<()>());
                join_all([set.join_next()]).await;
            };
            executor.try_block_on(of_a_set).unwrap_err();
        }
    });
}

#[test]
fn a_waker_of_a_future_in_a_join_that_a_thread_drops_is_a_stall_too() {
    no_hang(|| {
        for beside in [Duration::MAX, ms(1)] {
            let (send, wakers) = mpsc::channel::<Waker>();
            let drops = thread::spawn(move || {
                let waker = wakers.recv().unwrap();
                thread::sleep(ms(20));
                waker.wake_by_ref();
                thread::sleep(ms(20));
                drop((waker, wakers));
            });
            let gives = poll_fn(move |cx| {
                let _ = send.send(cx.waker().clone());
                Poll::<()>::Pending
            });
            let futures: [Pin<Box<dyn Future<Output = ()>>>; 2] =
                [Box::pin(gives), Box::pin(sleep(beside))];
            Executor::new().try_block_on(join_all(futures)).unwrap_err();
            drops.join().unwrap();
        }
    });
}

#[test]
fn a_waker_that_was_used_up_by_a_thread_is_no_hope_for_a_join() {
    no_hang(|| {
        let (send, wakers) = mpsc::channel::<Waker>();
        let wakes = thread::spawn(move || wakers.into_iter().for_each(Waker::wake));
        for _ in 0..3_000 {
            let send = send.clone();
            let child = async move {
                sends_its_waker(send).await;
                pending::<()>().await;
            };
            Executor::new().try_block_on(join_all([child])).unwrap_err();
        }
        drop(send);
        wakes.join().unwrap();
    });
}

#[test]
fn a_waker_of_a_future_that_is_done_is_no_hope_for_its_join() {
    no_hang(|| {
        let kept = RefCell::new(None::<Waker>);
        let done_at_its_second_poll = poll_fn(|cx| {
            if kept.borrow().is_some() {
                return Poll::Ready(());
            }
            kept.replace(Some(cx.waker().clone()));
            Poll::Pending
        });
        // Polled behind that one, also once that is done, and then it waits for nobody.
        let mut polls = 0;
        let forgets = poll_fn(|cx| {
            polls += 1;
            if polls == 1 {
                kept.borrow().iter().for_each(Waker::wake_by_ref);
                cx.waker().wake_by_ref();
            }
            Poll::<()>::Pending
        });
        let both: [Pin<Box<dyn Future<Output = ()>>>; 2] =
            [Box::pin(done_at_its_second_poll), Box::pin(forgets)];
        Executor::new().try_block_on(join_all(both)).unwrap_err();
        assert!(kept.borrow().is_some());
    });
}

#[test]
fn a_join_that_is_gone_keeps_nobody_s_waker() {
    no_hang(|| {
        let executor = Executor::new();
        let kept = Rc::new(RefCell::new(None));
        let gives_up = async {
            let gives_away = poll_fn(|cx| {
                kept.replace(Some(cx.waker().clone()));
                Poll::<()>::Pending
            });
            timeout(ms(1), join_all([gives_away])).await.unwrap_err();
            pending::<()>().await;
        };
        executor.try_block_on(gives_up).unwrap_err();
    });
}

/// As a combinator may do that polls with a waker of its own.
#[test]
fn a_limit_that_never_comes_keeps_nobody_s_waker() {
    no_hang(|| {
        let executor = Executor::new();
        let mut limited = Box::pin(timeout(Duration::MAX, pending::<()>()));
        let polls_with_a_clone = poll_fn(|cx| {
            let clone = cx.waker().clone();
            let cx = &mut Context::from_waker(&clone);
            limited.as_mut().poll(cx)
        });
        executor.try_block_on(polls_with_a_clone).unwrap_err();
    });
}

#[test]
fn a_task_that_waits_for_another_since_an_earlier_poll_is_named_with_that_one() {
    let executor = Executor::builder().virtual_time().build();
    let mut awaited = executor.spawn(pending::<()>());
    let mut polls = 0;
    let stalled = executor.try_block_on(poll_fn(move |cx| {
        polls += 1;
        if polls == 1 {
            cx.waker().wake_by_ref();
            return std::pin::Pin::new(&mut awaited).poll(cx).map(drop);
        }
        std::task::Poll::Pending
    }));
    let told = stalled.unwrap_err().to_string();
    assert!(
        told.contains(", waits; the end of #0 would wake it\n"),
        "{told}"
    );
}

#[test]
fn a_waker_that_a_waiting_task_gave_away_and_that_was_dropped_is_not_held() {
    no_hang(|| {
        let executor = Executor::new();
        let _waits = executor.spawn(async {
            drop(common::own_waker().await);
            pending::<()>().await;
        });
        let kept = Rc::new(RefCell::new(None));
        let _gave = executor.spawn({
            let kept = kept.clone();
            async move {
                kept.replace(Some(common::own_waker().await));
                pending::<()>().await;
            }
        });
        executor.run_until_idle();
        drop(kept.take());
        let stalled = executor.try_block_on(pending::<()>()).unwrap_err();
        assert_eq!(stalled.tasks().len(), 3);
    });
}

#[test]
fn to_await_another_executor_s_task_is_a_stall_that_says_so() {
    no_hang(|| {
        let other = Executor::new();
        let task = other.spawn(async { 7 });
        // In an open world: the other executor is on this thread, and so nobody outside.
        let executor = Executor::new();
        let stalled = executor
            .try_block_on(async { task.await.unwrap() })
            .unwrap_err();
        assert!(stalled.tasks()[0].waits_elsewhere);
        let text = stalled.to_string();
        let says = "waits for a task of another executor at tests/stall.rs:";
        assert!(text.contains(says), "{text}");
        assert!(
            text.contains("await the task in its own executor's `block_on`"),
            "{text}"
        );
    });
}

#[test]
fn to_await_a_set_of_another_executor_s_tasks_is_a_stall_that_says_so() {
    let other = Executor::new();
    let mut set = JoinSet::from_iter([other.spawn(async { 7 })]);
    let executor = Executor::builder().virtual_time().build();
    let awaits = async { _ = set.join_next().await };
    let stalled = executor.try_block_on(awaits).unwrap_err();
    assert!(stalled.tasks()[0].waits_elsewhere);
    let text = stalled.to_string();
    let says = "waits for a task of another executor at tests/stall.rs:";
    assert!(text.contains(says), "{text}");
    // It was given up, and waits for nothing there any more.
    let gives_up = async {
        timeout(secs(1), set.join_next()).await.unwrap_err();
        sleep(Duration::MAX).await;
    };
    let stalled = executor.try_block_on(gives_up).unwrap_err();
    assert!(!stalled.tasks()[0].waits_elsewhere, "{stalled}");
    assert_eq!(other.block_on(set.join_next()).unwrap().unwrap(), 7);
}

#[test]
fn who_gave_up_to_await_another_executor_s_task_is_not_said_to() {
    let other = Executor::new();
    let task = other.spawn(async {});
    let executor = Executor::builder().virtual_time().build();
    let gives_up = async {
        timeout(secs(1), task).await.unwrap_err();
        sleep(Duration::MAX).await;
    };
    let stalled = executor.try_block_on(gives_up).unwrap_err();
    assert!(!stalled.tasks()[0].waits_elsewhere, "{stalled}");
}

#[test]
fn to_await_another_executor_s_task_besides_something_else_is_said_too() {
    const AWAITS: u32 = line!() + 2;
    async fn awaits(task: JoinHandle<()>) {
        drop(task.await);
    }
    let (executor, other) = (Executor::builder().virtual_time().build(), Executor::new());
    let handles: Vec<JoinHandle<()>> = (0..3).map(|_| other.spawn(async {})).collect();
    let [first, second, third] = handles.try_into().unwrap();
    let said = |stalled: Result<(), Stalled>| {
        let stalled = stalled.unwrap_err();
        let says = format!("waits for a task of another executor at tests/stall.rs:{AWAITS}:");
        let text = stalled.to_string();
        assert!(text.contains(&says), "{text}");
    };
    let at_its_side = async { _ = join(awaits(first), pending::<()>()).await };
    said(executor.try_block_on(at_its_side));
    let before_another = async {
        let own = spawn(pending::<()>());
        let both = join(awaits(second), own);
        drop(both.await);
    };
    said(executor.try_block_on(before_another));
    let in_a_list = async { drop(join_all([awaits(third)]).await) };
    said(executor.try_block_on(in_a_list));
}

#[test]
fn of_several_that_are_awaited_all_are_named_and_elsewhere_the_last_place() {
    let executor = Executor::builder().virtual_time().build();
    let (mut first, mut second) = (
        executor.spawn(pending::<()>()),
        executor.spawn(pending::<()>()),
    );
    let own = [first.id(), second.id()];
    let stalled = executor.try_block_on(poll_fn(|cx| {
        assert!(Pin::new(&mut second).poll(cx).is_pending());
        Pin::new(&mut first).poll(cx).map(drop)
    }));
    assert_eq!(stalled.unwrap_err().tasks()[0].waits_for, own);
    let other = Executor::new();
    let (mut first, mut second) = (other.spawn(async {}), other.spawn(async {}));
    let last = line!() + 3;
    let stalled = executor.try_block_on(poll_fn(|cx| {
        assert!(Pin::new(&mut first).poll(cx).is_pending());
        Pin::new(&mut second).poll(cx).map(drop)
    }));
    let stalled = stalled.unwrap_err();
    let main = stalled
        .tasks()
        .iter()
        .find(|task| task.kind == TaskKind::Main)
        .unwrap();
    assert_eq!(main.waits_at.unwrap().line(), last, "{stalled}");
}

#[test]
fn of_two_that_are_awaited_at_one_place_elsewhere_the_last_is_given_up() {
    let other = Executor::new();
    let mut handles: Vec<_> = (0..3).map(|_| other.spawn(async {})).collect();
    let mut line_of_second = 0;
    let executor = common::virtual_executor();
    let stalled = executor.try_block_on(poll_fn(|cx| {
        for (at, handle) in handles.iter_mut().enumerate() {
            let handle = Pin::new(handle);
            let polled = match at {
                1 => {
                    line_of_second = line!() + 1;
                    handle.poll(cx)
                }
                _ => handle.poll(cx),
            };
            assert!(polled.is_pending());
        }
        handles.pop();
        Poll::<()>::Pending
    }));
    let stalled = stalled.unwrap_err();
    let place = stalled.tasks()[0].waits_at.unwrap();
    assert_eq!(place.line(), line_of_second, "{stalled}");
}

#[test]
fn who_awaits_one_of_its_own_where_it_has_awaited_another_executor_s_is_not_said_to() {
    async fn awaits(task: JoinHandle<()>) {
        task.await.unwrap();
    }
    let (executor, other) = (Executor::builder().virtual_time().build(), Executor::new());
    let elsewhere = other.spawn(async {});
    let stalled = executor.try_block_on(async {
        timeout(secs(1), awaits(elsewhere)).await.unwrap_err();
        awaits(spawn(pending())).await;
    });
    let stalled = stalled.unwrap_err();
    assert!(!stalled.tasks()[0].waits_elsewhere, "{stalled}");
    assert!(!stalled.tasks()[0].waits_for.is_empty(), "{stalled}");
}

#[test]
fn who_awaits_another_executor_s_task_is_woken_when_that_has_run() {
    let [executor, other] = [Executor::new(), Executor::new()];
    let task = other.spawn(async { 7 });
    let awaits = executor.spawn(task);
    executor.run_until_idle();
    assert!(!awaits.is_finished());
    other.run_until_idle();
    executor.run_until_idle();
    assert!(awaits.is_finished());
    assert_eq!(executor.block_on(awaits).unwrap().unwrap(), 7);
}

#[test]
fn who_awaits_a_task_of_an_executor_that_is_dropped_meanwhile_is_woken() {
    let other = Executor::new();
    let task = other.spawn(pending::<()>());
    Executor::new().block_on(async {
        let awaits = spawn(task);
        yield_now().await;
        drop(other);
        assert!(awaits.await.unwrap().unwrap_err().is_cancelled());
    });
}

#[test]
fn a_stall_says_whose_wakers_it_was_promised_that_nobody_uses() {
    let (sender, receiver) = mpsc::channel::<Waker>();
    let thread = thread::spawn(move || receiver.into_iter().for_each(Waker::wake));
    let executor = Executor::builder().virtual_time().build();
    let stalled = executor.try_block_on(async {
        spawn(pending::<()>()).await.unwrap();
    });
    let text = stalled.unwrap_err().to_string();
    assert!(!text.contains("Wakers of"), "{text}");
    let kept = Log::new();
    let keeps_its_waker = || {
        let keeps = kept.clone();
        poll_fn(move |cx| {
            keeps.push(cx.waker().clone());
            Poll::<()>::Pending
        })
    };
    drop(executor.spawn(keeps_its_waker()));
    let stalled = executor.try_block_on(keeps_its_waker()).unwrap_err();
    kept.take()
        .into_iter()
        .for_each(|waker| sender.send(waker).unwrap());
    drop(sender);
    thread.join().unwrap();
    let text = stalled.to_string();
    let says = "\nWakers of #0.1, #2 are held, by a lock or a channel, perhaps: a deadlock, unless another thread uses \
        them. That none does was promised by `.closed_world(true)`, by virtual time (build with \
        `.closed_world(false)`) or by `closed` in WATCHGLASS. Await `watchglass::label(\"name\", future)`, and this says \
        where a task waits";
    assert!(text.ends_with(says), "{text}");
    let held = stalled
        .tasks()
        .iter()
        .map(|task| (task.id.slot(), task.waker_is_held));
    assert_eq!(held.collect::<Vec<_>>(), [(0, true), (1, false), (2, true)]);
}

#[test]
fn a_circle_is_found_through_any_of_several_that_a_task_awaits() {
    let executor = Executor::builder().virtual_time().build();
    let stalled = executor.try_block_on(async {
        let innocent = spawn_named("innocent", pending::<()>());
        let (sender, receiver) = async_channel::unbounded::<JoinHandle<()>>();
        let left = spawn_named("left", async move {
            let right = receiver.recv().await.unwrap();
            let innocent = async { innocent.await.unwrap() };
            join(innocent, async { right.await.unwrap() }).await;
        });
        let middle = spawn_named("middle", async move { left.await.unwrap() });
        let right = spawn_named("right", async move { middle.await.unwrap() });
        sender.send(right).await.unwrap();
        pending::<()>().await;
    });
    let stalled = stalled.unwrap_err();
    let [_, innocent, left, middle, right] = stalled.tasks() else {
        panic!("{stalled}");
    };
    assert_eq!(left.waits_for, [innocent.id, right.id]);
    // Each awaits the next one.
    assert_eq!(stalled.cycle(), [left.id, right.id, middle.id], "{stalled}");
}

/// What the story says of it.
fn verdict(recording: &Recording) -> String {
    let story = recording.story();
    let verdict = story.lines().find(|line| line.contains("nothing can ever"));
    verdict.expect("it has fallen").to_owned()
}

/// As a loop around another crate's `select!` does, which handles one message after the other.
#[test]
fn a_handle_that_is_polled_again_and_again_is_waited_for_once() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    let mut job = executor.spawn(pending::<()>());
    let mut nap = sleep(secs(1));
    let polls_again = poll_fn(move |cx| {
        let _ = Pin::new(&mut nap).poll(cx);
        for _ in 0..200 {
            assert!(Pin::new(&mut job).poll(cx).is_pending());
        }
        // At another place.
        assert!(Pin::new(&mut job).poll(cx).is_pending());
        Poll::<()>::Pending
    });
    executor.try_block_on(polls_again).unwrap_err();
    let is_wait = |event: &Event| matches!(event, Event::Waits { .. });
    let events = recording.events();
    assert_eq!(events.iter().filter(|event| is_wait(event)).count(), 5);
    let found = verdict(&recording);
    assert!(
        found.contains("waits for Pending to end at tests/stall.rs:"),
        "{found}"
    );
    assert!(!found.contains("to end and"), "{found}");
    let timeline = recording.timeline();
    assert!(
        timeline.contains("- sleep until 1.000 s and Pending to end -"),
        "{timeline}"
    );
}

#[test]
fn who_has_lost_the_last_waker_long_after_its_poll_is_said_to_have_none() {
    let (executor, recording) = recorded(Executor::builder());
    let (send, receive) = mpsc::channel();
    let waits = executor.spawn(poll_fn(move |cx| {
        send.send(cx.waker().clone()).unwrap();
        Poll::<()>::Pending
    }));
    let waker: Waker = {
        executor.run_until_idle();
        receive.recv().unwrap()
    };
    let drops = thread::spawn(move || {
        thread::sleep(ms(20));
        drop(waker);
    });
    let id = waits.id();
    executor.try_block_on(waits).unwrap_err();
    drops.join().unwrap();
    let events = recording.events();
    let forgotten = events
        .iter()
        .position(|event| *event == Event::ForgottenWaker { task: id });
    let stalled = events
        .iter()
        .position(|event| matches!(event, Event::Stalled { .. }));
    assert!(forgotten.is_some() && forgotten < stalled, "{events:?}");
    let verdict = verdict(&recording);
    assert!(
        verdict.contains(", waits, and nobody has its waker"),
        "{verdict}"
    );
    // A second verdict tells nothing new of it.
    executor.try_block_on(pending::<()>()).unwrap_err();
    let is_forgotten = |event: &Event| *event == Event::ForgottenWaker { task: id };
    assert_eq!(
        recording
            .events()
            .iter()
            .filter(|event| is_forgotten(event))
            .count(),
        1
    );
}

#[test]
fn who_waits_for_a_task_or_for_a_channel_is_said_to_wait_for_both() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    let (send, receive) = async_channel::unbounded::<()>();
    let job = executor.spawn_named("job", pending::<()>());
    let both = executor.spawn_named("both", async move {
        let hears = async {
            receive.recv().await.unwrap();
        };
        let ends = async {
            job.await.unwrap();
        };
        race(hears, ends).await;
    });
    let stalled = executor.try_block_on(both).unwrap_err().to_string();
    assert!(
        stalled.contains("or for a future that is not watchglass's"),
        "{stalled}"
    );
    let verdict = verdict(&recording);
    assert!(
        verdict.contains("waits for job to end at tests/stall.rs:"),
        "{verdict}"
    );
    assert!(
        verdict.contains(", or for a future that is not watchglass's"),
        "{verdict}"
    );
    drop(send);
}

/// In its drop it spawns a task, as a part of its own.
#[test]
fn the_drop_of_a_future_that_will_never_be_done_is_told_and_runs_as_its_task() {
    let run = || {
        let (executor, recording) = recorded(Executor::builder().long_poll(ms(50)));
        let guard = OnDrop(|| {
            drop(spawn_named("late", async {}));
            thread::sleep(ms(60));
        });
        let main = async {
            let _guard = guard;
            sleep(Duration::MAX).await;
        };
        executor.try_block_on(main).unwrap_err();
        recording
    };
    // On a machine that stands still meanwhile its poll comes late, or is long, too.
    let is_calm = |recording: &Recording| {
        let records = recording.records();
        let poll = records
            .iter()
            .find(|record| matches!(record.event, Event::PollStarted { .. }));
        let long = records
            .iter()
            .filter(|record| matches!(record.event, Event::LongPoll(_)));
        poll.unwrap().time < Duration::from_micros(400) && long.count() <= 1
    };
    let recording = calm(run, is_calm);
    let records = recording.records();
    let at = |is: &dyn Fn(&Event) -> bool| records.iter().position(|record| is(&record.event));
    let dropping = at(&|event| matches!(event, Event::Dropping { .. })).unwrap();
    let spawned =
        at(&|event| matches!(event, Event::Spawned { name, .. } if name == "late")).unwrap();
    let cancelled = at(&|event| matches!(event, Event::Cancelled { .. })).unwrap();
    let long = at(&|event| matches!(event, Event::LongPoll(long) if long.is_drop)).unwrap();
    assert!(dropping < spawned && spawned < cancelled && cancelled < long);
    let Event::LongPoll(poll) = &records[long].event else {
        unreachable!()
    };
    assert_eq!((poll.after, poll.until), (None, None));
    let state = State::after(&records[..=spawned]);
    assert_eq!(
        state.running(),
        state
            .tasks()
            .iter()
            .find(|task| task.kind == TaskKind::Main)
            .map(|task| task.id)
    );
    let story = recording.story();
    assert!(
        story.contains(" is dropped unfinished: it can never finish\n"),
        "{story}"
    );
    assert!(
        story.contains(", while it was dropped; it delayed late\n"),
        "{story}"
    );
    // The drop has a bar, and is no poll.
    let timeline = recording.timeline();
    let main = timeline.lines().find(|line| line.starts_with("the_drop"));
    assert!(main.unwrap().contains("d##"), "{timeline}");
    let dropped = "dropped because: d never done";
    assert!(timeline.lines().any(|line| line == dropped), "{timeline}");
    let picture = recording.svg();
    assert!(picture.contains(&format!(">{dropped}</text>")), "{picture}");
    assert_eq!(
        picture.matches("<rect class=\"long\"").count(),
        2,
        "{picture}"
    );
    assert!(
        picture.contains(" is polled at 0.000 s, and then: cancelled."),
        "{picture}"
    );
}

#[test]
fn a_sleep_that_was_polled_with_another_waker_in_between_is_waited_for() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    let mut nap = sleep(secs(1));
    executor.block_on(poll_fn(move |cx| {
        let mut poll = |cx: &mut Context<'_>| Pin::new(&mut nap).poll(cx);
        let _ = poll(cx);
        let _ = poll(&mut Context::from_waker(Waker::noop()));
        poll(cx)
    }));
    let records = recording.records();
    let ends = |record: &Record| matches!(record.event, Event::PollEnded { .. });
    let first = records.iter().position(ends).unwrap();
    let waits = State::after(&records[..=first]).tasks()[0].waits.clone();
    assert_eq!(waits.len(), 1, "{waits:?}");
}
