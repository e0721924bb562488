//! Tasks that await each other by their handles are found as soon as nothing is ready, while others go on.

mod common;

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use common::{ms, recorded, recorded_and, secs};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use watchglass::trace::{Cause, Event, Recording, State, WaitsOn};
use watchglass::{
    AbortHandle, Executor, JoinHandle, JoinSet, TaskId, interval, race, sleep, spawn, spawn_named,
    timeout, yield_now,
};

/// Two tasks that await each other, if `left` does not come to its end by what it waits for besides. Gives what aborts
/// `right`.
async fn await_each_other(besides: impl Future<Output = ()> + 'static) -> AbortHandle {
    let (sender, handle) = async_channel::bounded::<JoinHandle<()>>(1);
    let left = spawn_named("left", async move {
        let right = handle.recv().await.unwrap();
        let right = async { right.await.unwrap_or_default() };
        race(right, besides).await;
    });
    let right = spawn_named("right", async { left.await.unwrap() });
    let ends_it = right.abort_handle();
    sender.send(right).await.unwrap();
    ends_it
}

type Boxed = Pin<Box<dyn Future<Output = ()>>>;

/// The circles that were told, with their times.
fn deadlocks(recording: &Recording) -> Vec<(Duration, Vec<u32>)> {
    let slots = |circle: &[TaskId]| circle.iter().map(|id| id.slot()).collect();
    let records = recording.records().into_iter();
    let deadlocks = records.filter_map(|record| match record.event {
        Event::Deadlock { circle } => Some((record.time, slots(&circle))),
        _ => None,
    });
    deadlocks.collect()
}

#[test]
fn tasks_that_await_each_other_are_found_once_while_others_run() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    executor.block_on(async {
        await_each_other(pending()).await;
        let mut ticks = interval(secs(1));
        for _ in 0..10 {
            ticks.tick().await;
        }
    });
    assert_eq!(deadlocks(&recording), [(secs(0), vec![1, 2])]);
    let story = recording.story();
    let (_, found) = story.split_once("\nfound:\n").unwrap();
    let says = "0.000 s  left → right → left: each awaits the next, and nothing else would wake them: they can never be \
                polled again, unless one is aborted; left, spawned at tests/deadlock.rs:";
    assert!(found.starts_with(says), "{found}");
    let waits = ", waits for right to end at tests/deadlock.rs:";
    assert!(found.contains(waits), "{found}");
    assert_eq!(found.lines().count(), 1, "{found}");
}

/// Somebody or something may still wake one of them: a timer, whoever holds a waker, another task's end, or a set.
#[test]
fn tasks_that_await_each_other_are_no_deadlock_while_one_of_them_may_be_woken() {
    async fn by_a_channel() {
        let (sender, receiver) = async_channel::bounded::<()>(1);
        let _other = spawn(async move {
            sleep(secs(5)).await;
            sender.send(()).await.unwrap();
        });
        receiver.recv().await.unwrap();
    }
    async fn by_an_end() {
        spawn(async { spawn(sleep(secs(5))).await.unwrap() })
            .await
            .unwrap();
    }
    async fn by_a_set() {
        let mut set = JoinSet::from_iter([spawn(sleep(secs(5)))]);
        set.join_next().await.unwrap().unwrap();
    }
    let wakes: [fn() -> Boxed; 4] = [
        || Box::pin(sleep(secs(5))),
        || Box::pin(by_a_channel()),
        || Box::pin(by_an_end()),
        || Box::pin(by_a_set()),
    ];
    for wake in wakes {
        let (executor, recording) = recorded(Executor::builder().virtual_time());
        executor.block_on(async {
            await_each_other(wake()).await;
            sleep(secs(10)).await;
        });
        assert_eq!(deadlocks(&recording), []);
        let is_dropped = |event: &Event| matches!(event, Event::Dropping { .. });
        assert!(!recording.events().iter().any(is_dropped), "all have ended");
    }
}

/// In virtual time, which must not jump past what the observer does then; and before the verdict, also where so many
/// tasks are stuck that they were not looked at since the last few events.
#[test]
fn an_observer_may_act_when_it_is_told_of_a_deadlock() {
    for (others, sleeps) in [(0, true), (0, false), (1_000, false)] {
        let ends: Rc<RefCell<Option<AbortHandle>>> = Rc::default();
        let ends_it = ends.clone();
        let (executor, recording) = recorded_and(Executor::builder().virtual_time(), move |told| {
            if let Event::Deadlock { .. } = told.event {
                ends_it.take().unwrap().abort();
            }
        });
        let (sender, is_over) = async_channel::bounded::<()>(1);
        let ended = executor.try_block_on(async {
            (0..others).for_each(|_| drop(spawn(pending::<()>())));
            sleep(ms(1)).await;
            // It is sent when the future is dropped.
            let holds = async move {
                let _holds = sender;
                pending().await
            };
            ends.replace(Some(await_each_other(holds).await));
            match sleeps {
                true => sleep(secs(1)).await,
                false => is_over.recv().await.unwrap_or_default(),
            }
        });
        ended.unwrap();
        let records = recording.records().into_iter();
        let cancelled = records.filter(|record| matches!(record.event, Event::Cancelled { .. }));
        assert_eq!(cancelled.map(|record| record.time).next(), Some(ms(1)));
    }
}

/// What each waits for is something else by now, which is what is wrong; though it has the handle still, whose end would
/// wake it.
#[test]
fn tasks_that_have_given_up_to_await_each_other_are_no_circle_but_forgotten() {
    for waits_for_another in [false, true] {
        let (executor, recording) = recorded(Executor::builder().virtual_time());
        let (left, right) = executor.block_on(async {
            let (sender, handle) = async_channel::bounded::<JoinHandle<()>>(1);
            let gives_up = move |mut other: JoinHandle<()>| async move {
                timeout(ms(1), &mut other).await.unwrap_err();
                match waits_for_another {
                    true => spawn(pending::<()>()).await.unwrap(),
                    false => pending().await,
                }
            };
            let left = spawn(async move { gives_up(handle.recv().await.unwrap()).await });
            let left_id = left.id();
            let right = spawn(gives_up(left));
            let right_id = right.id();
            sender.send(right).await.unwrap();
            sleep(secs(1)).await;
            (left_id, right_id)
        });
        assert_eq!(deadlocks(&recording), []);
        let told = recording
            .events()
            .into_iter()
            .filter_map(|event| match event {
                Event::ForgottenWaker { task } => Some(task),
                _ => None,
            });
        let told: Vec<TaskId> = told.collect();
        match waits_for_another {
            true => assert!(told.len() == 2 && !told.contains(&left) && !told.contains(&right)),
            false => assert_eq!(told, [left, right]),
        }
    }
}

/// The circle that the abort ends had the same first task, which has not been polled since.
#[test]
fn a_task_may_be_in_one_circle_and_then_in_another() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    type Place = Rc<RefCell<Option<JoinHandle<()>>>>;
    let first: Place = Place::default();
    // It polls the handle where it is.
    let awaits_first = |first: Place| {
        poll_fn(move |cx| match &mut *first.borrow_mut() {
            Some(handle) => Pin::new(handle).poll(cx).map(drop),
            None => Poll::Ready(()),
        })
    };
    executor.block_on(async {
        let (sender, handle) = async_channel::bounded::<JoinHandle<()>>(1);
        first.replace(Some(spawn(async move {
            handle.recv().await.unwrap().await.unwrap()
        })));
        let last = spawn(awaits_first(first.clone()));
        let ends_it = last.abort_handle();
        let place = first.clone();
        let middle = spawn(async move {
            last.await.unwrap_err();
            spawn(awaits_first(place)).await.unwrap();
        });
        sender.send(middle).await.unwrap();
        sleep(secs(1)).await;
        ends_it.abort();
        sleep(secs(1)).await;
    });
    let told = deadlocks(&recording).into_iter();
    let told: Vec<_> = told.map(|(time, circle)| (time, circle.len())).collect();
    assert_eq!(told, [(secs(0), 3), (secs(1), 3)]);
}

/// More than is kept of what a task waits for: nobody knows whether it awaits the other still. (In one poll, and not in a
/// `join_all`, whose futures have wakers.)
#[test]
fn who_awaits_very_many_tasks_is_neither_said_to_be_in_a_circle_nor_forgotten() {
    for gives_up in [false, true] {
        let (executor, recording) = recorded(Executor::builder().virtual_time());
        let pair = executor.block_on(async {
            let (sender, handle) = async_channel::bounded::<JoinHandle<()>>(1);
            let left = spawn(async move {
                let others = (0..30).map(|_| spawn(pending()));
                let mut all: Vec<JoinHandle<()>> = others.collect();
                let mut right = handle.recv().await.unwrap();
                match gives_up {
                    true => drop(timeout(ms(1), &mut right).await.unwrap_err()),
                    false => all.push(right),
                }
                let polls_all = |cx: &mut Context<'_>| {
                    let polls = all.iter_mut().map(|handle| Pin::new(handle).poll(cx));
                    match polls.filter(Poll::is_ready).count() {
                        0 => Poll::Pending,
                        _ => Poll::Ready(()),
                    }
                };
                poll_fn(polls_all).await;
            });
            let left_id = left.id();
            let right = spawn(async { left.await.unwrap() });
            let right_id = right.id();
            sender.send(right).await.unwrap();
            sleep(secs(1)).await;
            [left_id, right_id]
        });
        assert_eq!(deadlocks(&recording), []);
        let is_of_pair =
            |event: &Event| matches!(event, Event::ForgottenWaker { task } if pair.contains(task));
        assert!(!recording.events().iter().any(is_of_pair));
    }
}

/// Of all that are lost in one moment.
#[test]
fn who_is_aborted_when_an_observer_is_told_of_the_first_is_not_told_of() {
    let ends: Rc<RefCell<Vec<AbortHandle>>> = Rc::default();
    let end_them = ends.clone();
    let (executor, recording) = recorded_and(Executor::builder().virtual_time(), move |told| {
        if let Event::ForgottenWaker { .. } = told.event {
            end_them.take().iter().for_each(AbortHandle::abort);
        }
    });
    executor.block_on(async {
        let places: [RefCell<Option<Waker>>; 2] = Default::default();
        let places = Rc::new(places);
        let lost = [0, 1].map(|at| {
            let places = places.clone();
            spawn(async move { common::leaves_its_waker(&places[at]).await })
        });
        let ends_circle = await_each_other(pending()).await;
        ends.replace(vec![lost[1].abort_handle(), ends_circle]);
        yield_now().await;
        places.iter().for_each(|place| drop(place.take()));
        sleep(secs(1)).await;
    });
    assert_eq!(deadlocks(&recording), []);
    let is_forgotten = |event: &&Event| matches!(event, Event::ForgottenWaker { .. });
    assert_eq!(recording.events().iter().filter(is_forgotten).count(), 1);
}

/// Whoever has the waker may be the very future of `block_on`, whose drop after the verdict uses it.
#[test]
fn tasks_that_await_each_other_are_no_deadlock_where_somebody_has_a_waker_though_the_world_is_closed()
 {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    let (sender, receiver) = async_channel::bounded::<()>(1);
    let stalled = executor.try_block_on(async move {
        await_each_other(async move { receiver.recv().await.unwrap_or_default() }).await;
        sleep(secs(1)).await;
        pending::<()>().await;
        drop(sender);
    });
    assert_eq!(stalled.unwrap_err().cycle().len(), 2);
    executor.run_until_idle();
    assert_eq!(deadlocks(&recording), []);
    let is_end = |event: &&Event| matches!(event, Event::Completed { .. });
    assert_eq!(recording.events().iter().filter(is_end).count(), 2);
}

/// What a task of a random program does. It awaits the handle of another only if nobody else has it.
#[derive(Clone, Debug)]
enum Act {
    Sleep(u64),
    Await(usize),
    /// For so long at most. Then it gives the handle back.
    AwaitFor(usize, u64),
    AwaitEither(usize, usize),
}

const TASKS: usize = 6;

fn act() -> impl Strategy<Value = Act> {
    let (task, time) = (0..TASKS, 0..10_u64);
    prop_oneof![
        1 => time.clone().prop_map(Act::Sleep),
        4 => task.clone().prop_map(Act::Await),
        1 => (task.clone(), time).prop_map(|(task, time)| Act::AwaitFor(task, time)),
        1 => (task.clone(), task).prop_map(|(one, other)| Act::AwaitEither(one, other)),
    ]
}

type Handles = Rc<RefCell<Vec<Option<JoinHandle<()>>>>>;

async fn perform(own: usize, acts: Vec<Act>, handles: Handles) {
    let take = |task: usize| handles.borrow_mut()[task].take_if(|_| task != own);
    for act in acts {
        match act {
            Act::Sleep(time) => sleep(ms(time)).await,
            Act::Await(task) => {
                if let Some(handle) = take(task) {
                    let _ = handle.await;
                }
            }
            Act::AwaitFor(task, time) => {
                if let Some(mut handle) = take(task)
                    && timeout(ms(time), &mut handle).await.is_err()
                {
                    handles.borrow_mut()[task] = Some(handle);
                }
            }
            Act::AwaitEither(one, other) => {
                if let (Some(one), Some(other)) = (take(one), take(other)) {
                    race(one, other).await.ok();
                }
            }
        }
    }
}

/// The tasks do what they do, some are aborted at some times, and long after that the executor is dropped.
fn run(tasks: Vec<Vec<Act>>, aborts: Vec<(u64, usize)>) -> Recording {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    let handles = Handles::default();
    let spawned = tasks.into_iter().enumerate().map(|(own, acts)| {
        let task = executor.spawn(perform(own, acts, handles.clone()));
        let abort = task.abort_handle();
        handles.borrow_mut().push(Some(task));
        abort
    });
    let spawned: Vec<_> = spawned.collect();
    executor.block_on(async {
        for (after, task) in aborts {
            sleep(ms(after)).await;
            spawned[task].abort();
        }
        sleep(secs(1)).await;
    });
    recording
}

/// Once a circle was told, none of it is polled, unless one of it was aborted: gives how many were told, and aborted.
fn are_never_polled(events: &[Event]) -> (usize, usize) {
    let (mut circles, mut told, mut aborted) = (Vec::new(), 0, 0);
    for event in events {
        match event {
            Event::Deadlock { circle } => {
                assert!(
                    !circles.contains(&circle),
                    "it was told before: {events:#?}"
                );
                told += 1;
                circles.push(circle);
            }
            Event::Cancelled { task } => {
                let before = circles.len();
                circles.retain(|circle| !circle.contains(task));
                aborted += before - circles.len();
            }
            Event::PollStarted { task, why } if *why != Cause::Aborted => {
                let is_in = circles.iter().any(|circle| circle.contains(task));
                assert!(!is_in, "{task} is polled: {events:#?}");
            }
            _ => {}
        }
    }
    (told, aborted)
}

/// Where everything is quiet, whoever has not ended waits for somebody who has not, and so on: that leads into a circle,
/// of which it was told.
fn everybody_hangs_on_one(recording: &Recording) {
    let (mut state, mut told) = (State::new(), Vec::new());
    for record in recording.records() {
        match &record.event {
            Event::Deadlock { circle } => told.push(circle.iter().copied().collect()),
            Event::Dropping { .. } => break,
            _ => {}
        }
        state.fold(&record);
    }
    let awaits: HashMap<TaskId, TaskId> = state
        .tasks()
        .iter()
        .filter(|task| !task.stage.is_end())
        .map(|task| match task.waits.first().map(|wait| wait.on) {
            Some(WaitsOn::Task(awaited)) => (task.id, awaited),
            _ => panic!("{task:?}"),
        })
        .collect();
    for &start in awaits.keys() {
        let is_in_circle = (0..TASKS).fold(start, |task, _| awaits[&task]);
        let mut circle: HashSet<TaskId> = HashSet::new();
        let mut next = is_in_circle;
        while circle.insert(next) {
            next = awaits[&next];
        }
        assert!(told.contains(&circle), "{circle:?}: {recording:?}");
    }
}

#[test]
fn of_random_tasks_all_that_never_end_hang_on_a_circle_that_was_told() {
    let mut runner = TestRunner::deterministic();
    let acts = prop::collection::vec(act(), 1..4);
    let tasks = prop::collection::vec(acts, TASKS);
    let aborts = prop::collection::vec((0..10_u64, 0..TASKS), 0..3);
    let programs = (tasks, aborts);
    let (mut told, mut aborted, mut longest) = (0, 0, 0);
    for _ in 0..2_000 {
        let (tasks, aborts) = programs.new_tree(&mut runner).unwrap().current();
        let recording = run(tasks, aborts);
        let events = recording.events();
        let of_this = are_never_polled(&events);
        told += of_this.0;
        aborted += of_this.1;
        everybody_hangs_on_one(&recording);
        longest = longest.max(
            deadlocks(&recording)
                .into_iter()
                .map(|(_, circle)| circle.len())
                .max()
                .unwrap_or(0),
        );
    }
    assert!(
        told > 100 && aborted > 10 && longest > 2,
        "{told} told, {aborted} aborted, {longest} in one"
    );
}
