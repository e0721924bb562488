//! What other executors' tests hold of tasks and of the executor, held of this one.
//! `docs/reliability.md` says whose.

mod common;

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread;

use common::{
    LONG, Log, OnDrop, Probe, ms, no_hang, own_waker, panic_message, poll_once, secs,
    virtual_executor,
};
use watchglass::{
    Executor, JoinHandle, JoinSet, Step, block_on, join_all, race, sleep, spawn, spawn_blocking,
    timeout, yield_now,
};

#[test]
fn block_on_polls_its_future_once_a_wake_and_not_more() {
    let executor = virtual_executor();
    let polls = Cell::new(0);
    let (send, receive) = async_channel::unbounded();
    let _sender = executor.spawn(async move {
        for n in 0..10 {
            sleep(secs(1)).await;
            send.send(n).await.unwrap();
        }
    });
    let mut receiving = pin!(async { while receive.recv().await.is_ok() {} });
    executor.block_on(poll_fn(|cx| {
        polls.set(polls.get() + 1);
        receiving.as_mut().poll(cx)
    }));
    // The first, one for each message, and one for the channel's end (with the last message).
    assert!((11..=12).contains(&polls.get()), "{}", polls.get());
}

#[test]
fn drops_may_take_a_lock_that_other_drops_take_too() {
    let lock = Arc::new(Mutex::new(0));
    let locks = |lock: &Arc<Mutex<i32>>| {
        let lock = lock.clone();
        let guard = OnDrop(move || *lock.try_lock().expect("one at a time") += 1);
        async move {
            let _guard = guard;
            pending::<()>().await;
        }
    };
    let executor = virtual_executor();
    let aborted = executor.spawn(locks(&lock));
    let _left = executor.spawn(locks(&lock));
    executor.run_until_idle();
    {
        // Aborting drops nothing here and now, so that it may be done with the lock held.
        let _held = lock.lock().unwrap();
        aborted.abort();
    }
    executor.run_until_idle();
    drop(executor);
    assert_eq!(*lock.lock().unwrap(), 2);
}

#[test]
fn a_drop_that_wakes_another_task_while_its_own_panics_wakes_it() {
    let executor = virtual_executor();
    let probe = Probe::new();
    let woken = executor.spawn(probe.run());
    executor.run_until_idle();
    let waker = probe.waker();
    probe.done.set(true);
    drop(executor.spawn(async move {
        let _guard = OnDrop(move || waker.wake_by_ref());
        panic!("on purpose");
    }));
    executor.run_until_idle();
    assert!(woken.is_finished());
}

#[test]
fn tasks_that_wake_each_other_in_their_drops_are_all_dropped() {
    let drops = Rc::new(Cell::new(0));
    let executor = virtual_executor();
    let wakers: Rc<RefCell<Vec<Waker>>> = Rc::default();
    for _ in 0..100 {
        let (wakers, drops) = (wakers.clone(), drops.clone());
        drop(executor.spawn(async move {
            let waker = own_waker().await;
            wakers.borrow_mut().push(waker);
            let wakers = wakers.clone();
            let _guard = OnDrop(move || {
                drops.set(drops.get() + 1);
                wakers.borrow().iter().for_each(Waker::wake_by_ref);
            });
            pending::<()>().await;
        }));
    }
    executor.run_until_idle();
    drop(executor);
    assert_eq!(drops.get(), 100);
    wakers.borrow().iter().for_each(Waker::wake_by_ref);
}

#[test]
fn many_tasks_are_spawned_from_block_on_and_from_tasks() {
    const TASKS: usize = 2000;
    for from_a_task in [false, true] {
        let spawn_all = || {
            let (send, receive) = async_channel::unbounded();
            for n in 0..TASKS {
                let send = send.clone();
                drop(spawn(async move { send.send(n + 1).await.unwrap() }));
            }
            receive
        };
        let sum: usize = block_on(async {
            let receive = match from_a_task {
                true => spawn(async move { spawn_all() }).await.unwrap(),
                false => spawn_all(),
            };
            let mut sum = 0;
            while let Ok(n) = receive.recv().await {
                sum += n;
            }
            sum
        });
        assert_eq!(sum, TASKS * (TASKS + 1) / 2);
    }
}

#[test]
fn a_spawn_in_a_spawn_in_a_spawn_gives_its_output_all_the_way_up() {
    let output = virtual_executor().block_on(async {
        spawn(async {
            spawn(async { spawn(async { "deep" }).await.unwrap() })
                .await
                .unwrap()
        })
        .await
    });
    assert_eq!(output.unwrap(), "deep");
}

#[test]
fn under_a_load_that_never_ends_block_on_and_tasks_come_to_their_ends() {
    no_hang(|| {
        block_on(async {
            for _ in 0..3 {
                drop(spawn(async {
                    loop {
                        yield_now().await;
                    }
                }));
            }
            let (send, receive) = async_channel::bounded(1);
            thread::spawn(move || {
                thread::sleep(ms(2));
                send.send_blocking(7).unwrap();
            });
            let task = spawn(async move { receive.recv().await.unwrap() });
            assert_eq!(task.await.unwrap(), 7);
            sleep(ms(2)).await;
        });
    });
}

#[test]
fn an_executor_may_be_made_inside_another_but_not_run_there() {
    block_on(async {
        let inner = virtual_executor();
        let task = inner.spawn(async { 7 });
        let message = panic_message(|| _ = inner.block_on(async { 1 }));
        assert!(message.contains("inside a running executor"), "{message}");
        assert_eq!(spawn_blocking(|| block_on(async { 7 })).await.unwrap(), 7);
        drop(inner);
        assert!(task.await.unwrap_err().is_cancelled());
    });
}

#[test]
fn a_blocking_closure_has_no_executor_but_may_have_one_of_its_own() {
    no_hang(|| {
        block_on(async {
            let uses: [fn(); 3] = [
                || drop(spawn(async {})),
                || drop(spawn_blocking(|| ())),
                || _ = pin!(sleep(ms(1))).poll(&mut Context::from_waker(Waker::noop())),
            ];
            for uses in uses {
                let message = spawn_blocking(uses).await.unwrap_err().panic_message();
                assert!(
                    message
                        .unwrap()
                        .contains("no watchglass executor runs on this thread")
                );
            }
            let inner = spawn_blocking(|| {
                block_on(async {
                    sleep(ms(1)).await;
                    spawn_blocking(|| 7).await.unwrap()
                })
            });
            assert_eq!(inner.await.unwrap(), 7);
        });
    });
}

#[test]
fn a_yield_lets_timers_and_other_threads_in() {
    no_hang(|| {
        block_on(async {
            let timer = spawn(sleep(ms(1)));
            let (send, receive) = async_channel::bounded(1);
            let remote = spawn(async move { receive.recv().await.unwrap() });
            yield_now().await;
            thread::spawn(move || send.send_blocking(()).unwrap());
            while !timer.is_finished() || !remote.is_finished() {
                yield_now().await;
            }
        });
    });
}

#[test]
fn pairs_of_tasks_play_ping_pong_beside_a_task_that_never_rests() {
    virtual_executor().block_on(async {
        drop(spawn(async {
            loop {
                yield_now().await;
            }
        }));
        let pairs = (0..100).map(|_| {
            let (ping, pinged) = async_channel::bounded(1);
            let (pong, ponged) = async_channel::bounded(1);
            drop(spawn(async move {
                while let Ok(n) = pinged.recv().await {
                    pong.send(n + 1).await.unwrap();
                }
            }));
            spawn(async move {
                let mut n = 0;
                while n < 10 {
                    ping.send(n).await.unwrap();
                    n = ponged.recv().await.unwrap();
                }
                n
            })
        });
        let outcomes = join_all(pairs).await;
        assert!(outcomes.into_iter().all(|n| n.unwrap() == 10));
    });
}

/// What a task does in the poll in which it is woken and aborted.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Ends {
    Pending,
    Ready,
    Panics,
}

#[test]
fn woken_and_aborted_in_one_poll_in_either_order_is_aborted() {
    for ends in [Ends::Pending, Ends::Ready, Ends::Panics] {
        for acts in [
            ["wake", "abort"],
            ["abort", "wake"],
            ["abort", "abort"],
            ["wake", "detach"],
        ] {
            let executor = virtual_executor();
            let (polls, drops) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
            let own: Rc<RefCell<Option<JoinHandle<()>>>> = Rc::default();
            let guard = OnDrop({
                let drops = drops.clone();
                move || drops.set(drops.get() + 1)
            });
            let task = executor.spawn({
                let (own, polls) = (own.clone(), polls.clone());
                poll_fn(move |cx| {
                    let _guard = &guard;
                    polls.set(polls.get() + 1);
                    if polls.get() > 1 {
                        return Poll::Ready(());
                    }
                    for act in acts {
                        match act {
                            "wake" => cx.waker().wake_by_ref(),
                            "abort" => own.borrow().as_ref().unwrap().abort(),
                            _ => drop(own.take()),
                        }
                    }
                    match ends {
                        Ends::Pending => Poll::Pending,
                        Ends::Ready => Poll::Ready(()),
                        Ends::Panics => panic!("on purpose"),
                    }
                })
            });
            own.replace(Some(task));
            executor.run_until_idle();
            let what = format!("{acts:?}, {ends:?}");
            let detached = acts[1] == "detach";
            let expected_polls = if detached && ends == Ends::Pending {
                2
            } else {
                1
            };
            assert_eq!((polls.get(), drops.get()), (expected_polls, 1), "{what}");
            let Some(task) = own.take() else {
                assert!(detached);
                continue;
            };
            let outcome = executor.block_on(task);
            match ends {
                Ends::Pending => assert!(outcome.unwrap_err().is_cancelled(), "{what}"),
                Ends::Ready => outcome.unwrap(),
                Ends::Panics => assert!(outcome.unwrap_err().is_panic(), "{what}"),
            }
        }
    }
}

#[test]
fn a_task_may_be_awaited_detached_or_dropped_before_during_and_after_its_run() {
    let executor = virtual_executor();
    let drops = Rc::new(Cell::new(0));
    for steps_before in 0..4 {
        for act in ["await", "detach", "abort and await", "abort and detach"] {
            drops.set(0);
            let guard = OnDrop({
                let drops = drops.clone();
                move || drops.set(drops.get() + 1)
            });
            let task = executor.spawn(async move {
                yield_now().await;
                yield_now().await;
                guard
            });
            (0..steps_before).for_each(|_| _ = executor.step());
            if act.starts_with("abort") {
                task.abort();
            }
            let done = steps_before == 3;
            if act.ends_with("await") {
                let outcome = executor.block_on(task);
                assert_eq!(outcome.is_ok(), done || act == "await", "{act}");
            } else {
                drop(task);
            }
            executor.run_until_idle();
            assert_eq!(drops.get(), 1, "{act} after {steps_before} polls");
        }
    }
}

#[test]
fn a_finished_task_and_its_executor_are_dropped_in_either_order() {
    for executor_first in [false, true] {
        let drops = Rc::new(Cell::new(0));
        let executor = virtual_executor();
        let guard = OnDrop({
            let drops = drops.clone();
            move || drops.set(drops.get() + 1)
        });
        let task = executor.spawn(async move { guard });
        executor.run_until_idle();
        if executor_first {
            drop(executor);
            assert_eq!(drops.get(), 0, "the output waits for its handle");
            drop(task);
        } else {
            drop(task);
            assert_eq!(drops.get(), 1);
            drop(executor);
        }
        assert_eq!(drops.get(), 1);
    }
}

#[test]
fn a_leaked_executor_leaks_its_tasks_and_wakes_do_no_harm() {
    let executor = virtual_executor();
    let probe = Probe::new();
    let task = executor.spawn(probe.run());
    executor.run_until_idle();
    std::mem::forget(executor);
    probe.waker().wake();
    common::wake_remotely(&probe.waker());
    task.abort();
    assert!(!task.is_finished(), "nobody runs it");
    assert_eq!(probe.polls.get(), 1);
}

#[test]
fn large_futures_and_outputs_run_where_they_are() {
    let executor = virtual_executor();
    let task = executor.spawn(async {
        let mut large = [0u8; 16 * 1024];
        for round in 1..10u8 {
            large[usize::from(round) * 1000] = round;
            yield_now().await;
        }
        large
    });
    let large = executor.block_on(task).unwrap();
    assert_eq!(large.iter().map(|&byte| u32::from(byte)).sum::<u32>(), 45);
}

#[test]
fn run_until_idle_returns_at_once_without_work_and_runs_what_others_spawn() {
    let executor = virtual_executor();
    executor.run_until_idle();
    let log = Log::new();
    for n in 0..3 {
        let log = log.clone();
        drop(executor.spawn(async move {
            log.push(n);
            drop(spawn({
                let log = log.clone();
                async move { log.push(n + 10) }
            }));
        }));
    }
    executor.run_until_idle();
    assert_eq!(log.take(), [0, 1, 2, 10, 11, 12]);
    executor.run_until_idle();
    assert!(log.take().is_empty());
}

#[test]
fn run_until_idle_goes_on_while_tasks_wake_themselves() {
    let executor = virtual_executor();
    let left = Rc::new(Cell::new(10));
    for _ in 0..3 {
        let left = left.clone();
        drop(executor.spawn(poll_fn(move |cx| {
            if left.get() > 0 {
                left.set(left.get() - 1);
                cx.waker().wake_by_ref();
            }
            Poll::<()>::Pending
        })));
    }
    executor.run_until_idle();
    assert_eq!(left.get(), 0);
}

#[test]
fn block_on_returns_when_its_own_future_is_done_whatever_else_runs() {
    let executor = virtual_executor();
    let probe = Probe::new();
    let other = executor.spawn(probe.run());
    assert_eq!(executor.block_on(async { 7 }), 7);
    assert!(!other.is_finished());
    assert_eq!(probe.polls.get(), 1);
    assert_eq!(executor.step(), Step::Idle);
}

#[test]
fn a_step_polls_a_task_that_wakes_itself_once() {
    let executor = virtual_executor();
    let polls = Rc::new(Cell::new(0));
    let counted = polls.clone();
    let task = executor.spawn(poll_fn(move |cx| {
        counted.set(counted.get() + 1);
        cx.waker().wake_by_ref();
        Poll::<()>::Pending
    }));
    for n in 1..5 {
        assert_eq!(executor.step(), Step::Polled(task.id()));
        assert_eq!(polls.get(), n);
    }
}

#[test]
fn aborting_who_awaits_a_task_leaves_that_task_running() {
    // As asyncio's shield: who gives up waiting does not stop what it waited for.
    let executor = virtual_executor();
    let inner = executor.spawn(async {
        sleep(secs(2)).await;
        7
    });
    let inner = Rc::new(RefCell::new(inner));
    let outer = executor.spawn({
        let inner = inner.clone();
        poll_fn(move |cx| Pin::new(&mut *inner.borrow_mut()).poll(cx))
    });
    let limited = executor.spawn({
        let inner = inner.clone();
        timeout(
            secs(1),
            poll_fn(move |cx| Pin::new(&mut *inner.borrow_mut()).poll(cx)),
        )
    });
    executor.step();
    outer.abort();
    assert!(executor.block_on(limited).unwrap().is_err());
    assert!(executor.block_on(outer).unwrap_err().is_cancelled());
    let inner = Rc::into_inner(inner).unwrap().into_inner();
    assert_eq!(executor.block_on(inner).unwrap(), 7);
}

#[test]
fn gathered_tasks_give_their_outcomes_in_order_panics_and_cancellations_too() {
    virtual_executor().block_on(async {
        let tasks = ["slow", "panics", "quick", "aborted"].map(|name| {
            let task = spawn(async move {
                match name {
                    "slow" => sleep(secs(3)).await,
                    "aborted" => pending().await,
                    "panics" => panic!("on purpose"),
                    _ => {}
                }
                name
            });
            if name == "aborted" {
                task.abort();
            }
            task
        });
        let told = join_all(tasks)
            .await
            .into_iter()
            .map(|outcome| match outcome {
                Ok(name) => name,
                Err(error) if error.is_cancelled() => "cancelled",
                Err(_) => "panicked",
            });
        assert!(told.eq(["slow", "panicked", "quick", "cancelled"]));
    });
}

#[test]
fn the_first_of_several_wins_and_the_others_are_cancelled() {
    let log = Log::new();
    virtual_executor().block_on(async {
        let runner = |name: &'static str, length| {
            let log = log.clone();
            async move {
                let said = log.clone();
                let _guard = OnDrop(move || said.push(format!("{name} dropped")));
                sleep(length).await;
                log.push(format!("{name} wins"));
                name
            }
        };
        let two = race(runner("b", secs(2)), runner("a", secs(1)));
        assert_eq!(race(runner("c", secs(3)), two).await, "a");
    });
    let told = log.take();
    assert_eq!(told[..2], ["a wins", "a dropped"]);
    assert_eq!(told.len(), 4, "{told:?}");
}

#[test]
fn a_set_is_a_task_group_whose_first_failure_can_stop_the_rest() {
    let dropped = Rc::new(Cell::new(0));
    virtual_executor().block_on(async {
        let mut set = JoinSet::new();
        for n in 0..5 {
            let dropped = dropped.clone();
            set.spawn(async move {
                let _guard = OnDrop(move || dropped.set(dropped.get() + 1));
                sleep(secs(n)).await;
                assert_ne!(n, 2, "on purpose");
                n
            });
        }
        let mut done = Vec::new();
        let error = loop {
            match set.join_next().await.unwrap() {
                Ok(n) => done.push(n),
                Err(error) => break error,
            }
        };
        assert!(error.is_panic());
        assert_eq!(done, [0, 1]);
        set.abort_all();
        while let Some(outcome) = set.join_next().await {
            assert!(outcome.unwrap_err().is_cancelled());
        }
        assert_eq!(dropped.get(), 5);
        set.spawn(async { 9 });
        assert_eq!(
            set.join_next().await.unwrap().unwrap(),
            9,
            "and it can be used again"
        );
    });
}

#[test]
fn a_task_that_waits_for_a_set_is_cancelled_with_all_of_it() {
    let dropped = Rc::new(Cell::new(0));
    let executor = virtual_executor();
    let parent = executor.spawn({
        let dropped = dropped.clone();
        async move {
            let mut set = JoinSet::new();
            for _ in 0..5 {
                let dropped = dropped.clone();
                set.spawn(async move {
                    let _guard = OnDrop(move || dropped.set(dropped.get() + 1));
                    pending::<()>().await;
                });
            }
            while set.join_next().await.is_some() {}
        }
    });
    executor.run_until_idle();
    parent.abort();
    executor.run_until_idle();
    assert_eq!(dropped.get(), 5);
}

#[test]
fn a_blocking_call_ends_a_wait_on_a_virtual_clock_however_it_ends() {
    for how in ["awaited", "not awaited", "panics"] {
        no_hang(move || {
            virtual_executor().block_on(async {
                let start = watchglass::now();
                let task = spawn_blocking(move || {
                    thread::sleep(ms(2));
                    assert_ne!(how, "panics", "on purpose");
                });
                match how {
                    "not awaited" => drop(task),
                    _ => {
                        let outcome = timeout(secs(60), task).await;
                        assert_eq!(outcome.unwrap().is_err(), how == "panics");
                        assert_eq!(watchglass::now(), start, "time stood still meanwhile");
                    }
                }
                sleep(secs(5)).await;
                assert_eq!(watchglass::now() - start, secs(5));
            });
        });
    }
}

#[test]
fn a_remote_wake_finds_a_task_under_every_load() {
    for load in 0..3 {
        no_hang(move || {
            block_on(async move {
                for _ in 0..load {
                    drop(spawn(async {
                        loop {
                            yield_now().await;
                        }
                    }));
                }
                let (send, receive) = async_channel::bounded(1);
                let thread = thread::spawn(move || {
                    for n in 0..200 {
                        send.send_blocking(n).unwrap();
                    }
                });
                for n in 0..200 {
                    assert_eq!(timeout(LONG, receive.recv()).await.unwrap(), Ok(n));
                }
                thread.join().unwrap();
            });
        });
    }
}

#[test]
fn a_future_that_panicked_in_block_on_leaves_its_tasks_to_the_next_call() {
    let executor = virtual_executor();
    let kept = RefCell::new(None);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        executor.block_on(async {
            kept.replace(Some(spawn(async {
                sleep(secs(1)).await;
                7
            })));
            yield_now().await;
            panic!("on purpose");
        })
    }));
    assert!(panicked.is_err());
    assert_eq!(executor.block_on(kept.take().unwrap()).unwrap(), 7);
}

#[test]
fn a_handle_that_was_polled_and_given_up_may_be_awaited_later() {
    virtual_executor().block_on(async {
        let mut task = spawn(async {
            sleep(secs(5)).await;
            7
        });
        assert!(timeout(secs(1), &mut task).await.is_err());
        assert!(poll_once(Pin::new(&mut task)).await.is_pending());
        assert_eq!(task.await.unwrap(), 7);
    });
}

#[test]
fn an_executor_without_tasks_is_made_and_dropped_at_little_cost() {
    for _ in 0..1000 {
        drop(Executor::new());
        assert_eq!(block_on(async { 7 }), 7);
    }
}
