//! A waker queues its task once, from anywhere, and outlives everything without harm.

mod common;

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;

use common::{
    Log, OnDrop, Probe, ms, no_hang, own_waker, panic_message, recorded, secs, virtual_executor,
    wake_remotely,
};
use waker_fn::waker_fn;
use watchglass::trace::{Cause, Effect, Event, Recording};
use watchglass::{
    Executor, Step, TaskId, block_on, current_task, join_all, sleep, spawn, spawn_blocking,
    yield_now,
};

/// By whom the task was woken since the recording was last taken, and with what effect.
fn wakes(recording: &Recording, of: TaskId) -> Vec<(Cause, Effect)> {
    let wake = |event| match event {
        Event::Woken { task, by, effect } if task == of => Some((by, effect)),
        _ => None,
    };
    let records = recording.take().into_iter();
    records.filter_map(|record| wake(record.event)).collect()
}

#[test]
fn many_wakes_poll_once() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    let probe = Probe::new();
    let task = executor.spawn(probe.run());
    executor.run_until_idle();
    recording.take();
    let waker = probe.waker();
    executor.block_on(async {
        for _ in 0..3 {
            wake_remotely(&waker);
        }
        waker.wake_by_ref();
        let clone = waker.clone();
        clone.wake();
        assert_eq!(probe.polls.get(), 1, "waking polls nothing by itself");
        yield_now().await;
        yield_now().await;
    });
    assert_eq!(probe.polls.get(), 2);
    let polled = |event: &Event| match event {
        Event::PollStarted { task: polled, why } if *polled == task.id() => Some(*why),
        _ => None,
    };
    let why = recording.events().iter().find_map(polled);
    let wakes = wakes(&recording, task.id());
    assert_eq!(why, Some(wakes[0].0), "the first wake is why it is polled");
    let effects: Vec<Effect> = wakes.iter().map(|&(_, effect)| effect).collect();
    // Two on this thread, and one letter from the other, which then found the task in the queue.
    use Effect::{AlreadyQueued, Queued};
    assert_eq!(effects, [Queued, AlreadyQueued, AlreadyQueued]);
    assert_eq!(wakes[2].0, Cause::OtherThread);
}

#[test]
fn a_wake_during_the_poll_queues_the_task_again_even_by_another_thread() {
    type Wake = fn(&Waker);
    let local: Wake = Waker::wake_by_ref;
    for (wake, by) in [(local, Cause::Itself), (wake_remotely, Cause::OtherThread)] {
        let (executor, recording) = recorded(Executor::builder().virtual_time());
        let polls = Log::new();
        let task = executor.spawn({
            let polls = polls.clone();
            poll_fn(move |cx| {
                polls.push(());
                wake(cx.waker());
                Poll::<()>::Pending
            })
        });
        for _ in 0..3 {
            assert_eq!(executor.step(), Step::Polled(task.id()));
        }
        assert_eq!(polls.take().len(), 3);
        let expected = [(by, Effect::Queued); 3];
        let wakes = wakes(&recording, task.id());
        assert!(expected.starts_with(&wakes[1..]), "{wakes:?}");
    }
}

#[test]
fn a_wake_by_each_is_told_with_its_cause() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    let probe = Probe::new();
    let task = executor.spawn(probe.run());
    executor.run_until_idle();
    assert_eq!(
        wakes(&recording, task.id()),
        [(Cause::Spawned, Effect::Queued)]
    );
    let waker = probe.waker();
    let other = executor.spawn(async move { waker.wake() });
    executor.run_until_idle();
    let by_other = (Cause::Task(other.id()), Effect::Queued);
    assert_eq!(wakes(&recording, task.id()), [by_other]);
    let waker = probe.waker();
    let guard = OnDrop(move || waker.wake_by_ref());
    let dropped = executor.spawn(async move {
        let _guard = guard;
        pending::<()>().await;
    });
    dropped.abort();
    executor.run_until_idle();
    let by_drop = (Cause::Task(dropped.id()), Effect::Queued);
    assert_eq!(wakes(&recording, task.id()), [by_drop]);
    probe.done.set(true);
    wake_remotely(&probe.waker());
    executor.run_until_idle();
    let by_thread = (Cause::OtherThread, Effect::Queued);
    assert_eq!(wakes(&recording, task.id()), [by_thread]);
    wake_remotely(&probe.waker());
    executor.run_until_idle();
    let too_late = (Cause::OtherThread, Effect::Finished);
    assert_eq!(wakes(&recording, task.id()), [too_late]);
}

#[test]
fn a_waker_that_outlives_its_task_wakes_nobody_not_even_the_next_in_its_slot() {
    let executor = virtual_executor();
    let stale = executor.block_on(async { spawn(own_waker()).await.unwrap() });
    let probes: Vec<_> = (0..4).map(|_| Probe::new()).collect();
    let tasks: Vec<_> = probes.iter().map(|p| executor.spawn(p.run())).collect();
    assert!(
        tasks.iter().any(|task| task.id().generation() > 0),
        "a slot is reused"
    );
    executor.run_until_idle();
    wake_remotely(&stale);
    stale.wake_by_ref();
    let _local = executor.spawn(async move { stale.wake() });
    executor.run_until_idle();
    for probe in probes {
        assert_eq!(probe.polls.get(), 1);
    }
}

/// A task leaves its waker for the next in its slot that needs one, but not while somebody else has it too.
#[test]
fn a_waker_that_outlives_a_task_which_has_waited_is_that_of_no_other() {
    for aborts in [false, true] {
        let executor = virtual_executor();
        let waits = Probe::new();
        let task = executor.spawn(waits.run());
        executor.run_until_idle();
        let stale = waits.waker();
        match aborts {
            true => task.abort(),
            false => {
                waits.done.set(true);
                stale.wake_by_ref();
            }
        }
        executor.run_until_idle();
        assert!(task.is_finished());
        drop(task); // so that its slot is free
        let probes: Vec<_> = (0..4).map(|_| Probe::new()).collect();
        let _tasks: Vec<_> = probes.iter().map(|p| executor.spawn(p.run())).collect();
        executor.run_until_idle();
        stale.wake();
        executor.run_until_idle();
        for probe in probes {
            assert_eq!(probe.polls.get(), 1);
        }
    }
}

#[test]
fn a_waker_of_block_on_that_outlives_the_call_does_not_wake_the_next_call() {
    let executor = virtual_executor();
    let stale = executor.block_on(own_waker());
    let polls = Cell::new(0);
    executor.block_on(async {
        let _task = spawn(async move {
            stale.wake_by_ref();
            wake_remotely(&stale);
        });
        let mut sleep = pin!(sleep(secs(1)));
        poll_fn(|cx| {
            polls.set(polls.get() + 1);
            sleep.as_mut().poll(cx)
        })
        .await;
    });
    assert_eq!(polls.get(), 2, "at first, and when the time is up");
}

#[test]
fn a_waker_that_outlives_its_executor_does_nothing() {
    let executor = virtual_executor();
    let probe = Probe::new();
    drop(executor.spawn(probe.run()));
    let main = executor.block_on(own_waker());
    executor.run_until_idle();
    let task = probe.waker();
    drop(executor);
    for waker in [task, main] {
        waker.wake_by_ref();
        wake_remotely(&waker);
        let clone = waker.clone();
        thread::spawn(move || clone.wake()).join().unwrap();
        virtual_executor().block_on(async { waker.wake() });
    }
    assert_eq!(probe.polls.get(), 1);
}

#[test]
fn a_waker_of_one_executor_works_inside_another() {
    let (first, second) = (virtual_executor(), virtual_executor());
    let probe = Probe::new();
    let _task = first.spawn(probe.run());
    first.run_until_idle();
    let waker = probe.waker();
    second.block_on(async {
        waker.wake_by_ref();
        waker.wake_by_ref();
    });
    assert_eq!(probe.polls.get(), 1, "each executor polls its own tasks");
    first.run_until_idle();
    assert_eq!(probe.polls.get(), 2);
}

#[test]
fn waking_never_waits_for_the_executor() {
    no_hang(|| {
        let executor = virtual_executor();
        let probes: Vec<_> = (0..100).map(|_| Probe::new()).collect();
        let _tasks: Vec<_> = probes.iter().map(|p| executor.spawn(p.run())).collect();
        executor.run_until_idle();
        let wakers: Vec<Waker> = probes.iter().map(|probe| probe.waker()).collect();
        let wakes = Arc::new(AtomicUsize::new(0));
        let counted = wakes.clone();
        executor.block_on(async {
            let waking = thread::spawn(move || {
                for _ in 0..100 {
                    for waker in &wakers {
                        waker.wake_by_ref();
                        counted.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
            // The executor's thread does nothing else until all the wakes are over.
            waking.join().unwrap();
        });
        assert_eq!(wakes.load(Ordering::Relaxed), 10_000);
        executor.run_until_idle();
        assert!(
            probes.iter().all(|probe| probe.polls.get() == 2),
            "once for a hundred wakes"
        );
    });
}

#[test]
fn a_timer_is_the_cause_of_the_wakes_that_it_brings_about_and_of_no_later_ones() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    let probe = Probe::new();
    executor.block_on(async {
        // The timer uses a waker that is not the executor's, which wakes this task.
        let mut timer = pin!(sleep(secs(1)));
        poll_fn(|cx| {
            let own = cx.waker().clone();
            let foreign = waker_fn(move || own.wake_by_ref());
            timer.as_mut().poll(&mut Context::from_waker(&foreign))
        })
        .await;
        // The timer wakes a future of the join, and the join wakes this task.
        join_all([sleep(secs(1))]).await;
        drop(spawn(probe.run()));
        yield_now().await;
        probe.waker().wake();
    });
    let causes: Vec<_> = recording
        .events()
        .into_iter()
        .filter_map(|event| match event {
            Event::Woken { by, .. } => Some(by),
            _ => None,
        })
        .collect();
    let [
        Cause::Spawned,
        Cause::Timer(_),
        Cause::Timer(_),
        Cause::Spawned,
        Cause::Itself,
        Cause::Task(_),
    ] = causes[..]
    else {
        panic!("{causes:?}");
    };
}

#[test]
fn a_waker_of_a_task_that_ended_in_its_first_poll_wakes_no_later_task() {
    for panics in [false, true] {
        let executor = virtual_executor();
        let kept = Rc::new(RefCell::new(None::<Waker>));
        let keeps = kept.clone();
        drop(executor.spawn(poll_fn(move |cx| {
            keeps.replace(Some(cx.waker().clone()));
            assert!(!panics, "on purpose");
            Poll::Ready(())
        })));
        executor.run_until_idle();
        let polls = Rc::new(Cell::new(0));
        let counts = polls.clone();
        drop(executor.spawn(poll_fn(move |_| {
            counts.set(counts.get() + 1);
            Poll::<()>::Pending
        })));
        executor.run_until_idle();
        kept.take().unwrap().wake();
        executor.run_until_idle();
        assert_eq!(polls.get(), 1);
    }
}

#[test]
fn what_the_main_future_has_cloned_wakes_it_also_if_it_woke_itself_in_that_poll() {
    let executor = virtual_executor();
    let kept = Rc::new(RefCell::new(None::<Waker>));
    let wakes = kept.clone();
    drop(executor.spawn(async move {
        for _ in 0..3 {
            yield_now().await;
        }
        wakes.take().unwrap().wake();
    }));
    let mut polls = 0;
    let main = poll_fn(|cx| {
        polls += 1;
        if polls == 1 {
            kept.replace(Some(cx.waker().clone()));
            cx.waker().wake_by_ref();
        }
        match polls {
            1 | 2 => Poll::Pending,
            _ => Poll::Ready(()),
        }
    });
    executor.try_block_on(main).unwrap();
}

/// It is done, or never will be, or panics.
#[test]
fn the_main_future_is_dropped_as_a_part_of_its_task_and_before_its_end_is_told() {
    let ends: [fn() -> Poll<()>; 3] = [
        || Poll::Ready(()),
        || Poll::Pending,
        || panic!("on purpose"),
    ];
    for end in ends {
        let (executor, recording) = recorded(Executor::builder().virtual_time());
        let kept = Rc::new(RefCell::new(None::<Waker>));
        let keeps = kept.clone();
        let other = executor.spawn(poll_fn(move |cx| {
            keeps.replace(Some(cx.waker().clone()));
            Poll::<()>::Pending
        }));
        executor.run_until_idle();
        recording.take();
        let runs = Rc::new(Cell::new(None));
        let guard = OnDrop({
            let runs = runs.clone();
            move || {
                runs.set(current_task());
                kept.borrow().as_ref().unwrap().wake_by_ref();
            }
        });
        let main = poll_fn(move |_| {
            let _guard = &guard;
            end()
        });
        let _ = catch_unwind(AssertUnwindSafe(|| executor.try_block_on(main)));
        let main = runs.get().expect("it runs while it is dropped");
        let events = recording.events();
        let at = |event: &Event| events.iter().position(|told| told == event);
        let woken = at(&Event::Woken {
            task: other.id(),
            by: Cause::Task(main),
            effect: Effect::Queued,
        });
        let is_end = |event: &Event| match event {
            Event::Completed { task } | Event::Cancelled { task } => *task == main,
            Event::Panicked { task, .. } => *task == main,
            _ => false,
        };
        let ended = events.iter().position(is_end);
        assert!(woken.is_some() && woken < ended, "{events:?}");
    }
}

#[test]
fn a_panic_in_the_drop_of_a_main_future_is_told_and_goes_to_the_caller() {
    for end in [Poll::Ready(()), Poll::Pending] {
        let (executor, recording) = recorded(Executor::builder().virtual_time());
        let guard = OnDrop(|| panic!("on purpose"));
        let main = poll_fn(move |_| {
            let _guard = &guard;
            end
        });
        assert_eq!(panic_message(|| executor.block_on(main)), "on purpose");
        let events = recording.events().into_iter();
        let panics = events.filter_map(|event| match event {
            Event::Panicked { message, .. } => message,
            _ => None,
        });
        assert_eq!(panics.collect::<Vec<_>>(), ["on purpose"]);
        assert_eq!(executor.block_on(async { 7 }), 7);
    }
}

#[test]
fn how_many_wakers_of_the_main_task_are_held_is_not_said_once_it_has_given_one_away() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    let mut kept = Vec::new();
    executor.block_on(poll_fn(|cx| {
        kept.push(cx.waker().clone());
        cx.waker().wake_by_ref();
        match kept.len() {
            3 => Poll::Ready(()),
            _ => Poll::Pending,
        }
    }));
    let events = recording.events().into_iter();
    let wakers = events.filter_map(|event| match event {
        Event::PollEnded { wakers, .. } => Some(wakers),
        _ => None,
    });
    assert_eq!(wakers.collect::<Vec<_>>(), [Some(1), None, None]);
}

/// While the thread is parked, a waker is taken apart only if it matters who drops it.
#[test]
fn a_park_while_a_closure_is_out_leaves_every_waker_as_it_was() {
    let executor = Executor::builder().spin(false).build();
    executor.block_on(async {
        // Until it has given its waker away, it is polled with the executor's spare one.
        let _first = own_waker().await;
        yield_now().await;
        let mut closure = spawn_blocking(|| thread::sleep(ms(20)));
        let mut kept: Option<Waker> = None;
        let waits = poll_fn(|cx| {
            let before = kept.get_or_insert_with(|| cx.waker().clone());
            assert!(before.will_wake(cx.waker()));
            Pin::new(&mut closure).poll(cx)
        });
        waits.await.unwrap();
    });
}

#[test]
fn a_handle_drops_the_waker_that_it_was_polled_with_before() {
    let held = Arc::new(());
    block_on(async {
        let mut handle = pin!(spawn(yield_now()));
        let foreign = waker_fn({
            let held = held.clone();
            move || drop(held.clone())
        });
        let polled = handle.as_mut().poll(&mut Context::from_waker(&foreign));
        assert!(polled.is_pending());
        drop(foreign);
        assert_eq!(Arc::strong_count(&held), 2, "the task would use it");
        poll_fn(|cx| Poll::Ready(handle.as_mut().poll(cx).is_pending())).await;
        assert_eq!(Arc::strong_count(&held), 1);
        handle.await.unwrap();
    });
}
