//! A `JoinSet` gives outcomes in the order in which its tasks end, and aborts what is left.

mod common;

use std::cell::RefCell;
use std::future::{pending, poll_fn};
use std::mem;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker, ready};
use std::time::Duration;

use common::{Log, OnDrop, recorded, secs, virtual_executor};
use watchglass::trace::{Cause, Effect, Event, Record, WaitsOn};
use watchglass::{
    Executor, JoinSet, TaskId, current_task, join_all, now, sleep, spawn, spawn_blocking, timeout,
    yield_now,
};

#[test]
fn outcomes_come_in_the_order_in_which_the_tasks_end() {
    virtual_executor().block_on(async {
        let start = now();
        let mut set = JoinSet::new();
        for seconds in [3, 1, 2, 1] {
            set.spawn(async move {
                sleep(secs(seconds)).await;
                seconds
            });
        }
        assert_eq!((set.len(), set.is_empty()), (4, false));
        assert!(set.try_join_next().is_none());
        let mut ended = Vec::new();
        while let Some(seconds) = set.join_next().await {
            ended.push((seconds.unwrap(), (now() - start).as_secs()));
        }
        assert_eq!(ended, [(1, 1), (1, 1), (2, 2), (3, 3)]);
        assert!(set.is_empty());
        assert!(set.join_next().await.is_none());
    });
}

#[test]
fn panics_and_cancellations_are_outcomes_too() {
    virtual_executor().block_on(async {
        let mut set = JoinSet::new();
        set.spawn(async { panic!("on purpose") });
        let aborted = spawn(pending::<()>());
        aborted.abort();
        set.insert(aborted);
        set.spawn(async {});
        let mut outcomes = Vec::new();
        while let Some(outcome) = set.join_next().await {
            outcomes.push(outcome.map_err(|error| error.to_string()));
        }
        let cancelled = Err("the task was cancelled".to_owned());
        let panicked = Err("the task panicked: on purpose".to_owned());
        assert_eq!(outcomes, [panicked, cancelled, Ok(())]);
    });
}

#[test]
fn a_handle_may_be_taken_in_whether_its_task_runs_or_has_ended() {
    virtual_executor().block_on(async {
        let mut set = JoinSet::new();
        let ended = spawn(async { "ended" });
        yield_now().await;
        assert!(ended.is_finished());
        let running = spawn(async {
            sleep(secs(1)).await;
            "running"
        });
        let ids = [running.id(), ended.id()];
        assert_eq!([set.insert(running), set.insert(ended)], ids);
        set.insert(spawn_blocking(|| "blocking"));
        let mut outputs = Vec::new();
        while let Some(output) = set.join_next().await {
            outputs.push(output.unwrap());
        }
        assert_eq!(outputs, ["ended", "blocking", "running"]);
    });
}

#[test]
fn try_join_next_gives_what_has_ended_and_never_waits() {
    virtual_executor().block_on(async {
        let mut set = JoinSet::new();
        assert!(set.try_join_next().is_none());
        set.spawn(async { 1 });
        assert!(set.try_join_next().is_none());
        yield_now().await;
        assert_eq!(set.try_join_next().unwrap().unwrap(), 1);
        assert!(set.try_join_next().is_none());
    });
}

#[test]
fn a_join_next_that_is_dropped_loses_nothing() {
    virtual_executor().block_on(async {
        let mut set = JoinSet::new();
        set.spawn(sleep(secs(5)));
        timeout(secs(1), set.join_next()).await.unwrap_err();
        sleep(secs(10)).await;
        set.join_next().await.unwrap().unwrap();
    });
}

/// A set of tasks that wait for ever and say which they are when they are dropped.
fn waiting(log: &Log<usize>) -> JoinSet<()> {
    let mut set = JoinSet::new();
    for n in 0..100 {
        let log = log.clone();
        let guard = OnDrop(move || log.push(n));
        set.spawn(async move {
            let _guard = guard;
            pending().await
        });
    }
    set
}

#[test]
fn abort_all_aborts_in_the_order_of_the_tasks_and_leaves_them_to_be_joined() {
    virtual_executor().block_on(async {
        let log = Log::new();
        let mut set = waiting(&log);
        yield_now().await;
        set.abort_all();
        assert!(log.take().is_empty(), "abort itself drops nothing");
        assert_eq!(set.len(), 100);
        while let Some(outcome) = set.join_next().await {
            assert!(outcome.unwrap_err().is_cancelled());
        }
        assert_eq!(log.take(), (0..100).collect::<Vec<_>>());
    });
}

#[test]
fn dropping_the_set_aborts_every_task_in_order() {
    virtual_executor().block_on(async {
        let log = Log::new();
        let set = waiting(&log);
        yield_now().await;
        drop(set);
        assert!(log.take().is_empty());
        for _ in 0..3 {
            yield_now().await;
        }
        assert_eq!(log.take(), (0..100).collect::<Vec<_>>());
    });
}

#[test]
fn detached_tasks_go_on() {
    virtual_executor().block_on(async {
        let log = Log::new();
        let mut set = JoinSet::new();
        for seconds in [1, 2] {
            let log = log.clone();
            set.spawn(async move {
                sleep(secs(seconds)).await;
                log.push(seconds);
            });
        }
        sleep(Duration::from_millis(1500)).await;
        assert_eq!(format!("{set:?}"), "JoinSet { tasks: 2, ended: 1 }");
        set.detach_all();
        assert_eq!(format!("{set:?}"), "JoinSet { tasks: 0, ended: 0 }");
        assert!(set.is_empty());
        assert!(set.join_next().await.is_none());
        drop(set);
        sleep(secs(1)).await;
        assert_eq!(log.take(), [1, 2]);
    });
}

#[test]
fn who_has_given_up_waiting_for_a_set_is_not_woken_by_it() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    executor.block_on(async {
        let mut set = JoinSet::new();
        let task = set.spawn(sleep(secs(2)));
        timeout(secs(1), set.join_next()).await.unwrap_err();
        sleep(secs(3)).await;
        let by = Cause::Joined(task);
        let events = recording.events();
        assert!(
            !events
                .iter()
                .any(|event| matches!(event, Event::Woken { by: found, .. } if *found == by))
        );
        assert!(set.try_join_next().unwrap().is_ok());
    });
}

#[test]
fn a_set_knows_its_tasks_again_when_their_slots_are_reused() {
    virtual_executor().block_on(async {
        let mut set = JoinSet::new();
        let mut ids: Vec<TaskId> = Vec::new();
        for n in 0..10 {
            ids.push(set.spawn(async move { n }));
            assert_eq!(set.join_next().await.unwrap().unwrap(), n);
        }
        assert!(ids.iter().all(|id| id.slot() == ids[0].slot()));
        assert!(ids.is_sorted_by(|a, b| a.generation() < b.generation()));
    });
}

/// In safe code only an observer is called between the look for an outcome and the note of whom to wake.
#[test]
fn a_task_that_ends_while_the_set_begins_to_wait_is_not_missed() {
    let of_the_tasks = virtual_executor();
    let mut set = JoinSet::new();
    set.insert(of_the_tasks.spawn(pending::<()>()));
    let of_the_tasks = RefCell::new(Some(of_the_tasks));
    let in_use = Rc::new(());
    let in_observer = in_use.clone();
    let observer = move |record: &Record| {
        let _in_use = &in_observer;
        let on = WaitsOn::Elsewhere;
        if matches!(&record.event, Event::Waits { on: found, .. } if *found == on) {
            drop(of_the_tasks.take());
        }
    };
    let executor = Executor::builder()
        .virtual_time()
        .observer(observer)
        .build();
    let outcome = executor.block_on(set.join_next()).unwrap();
    assert!(outcome.unwrap_err().is_cancelled());
    drop(executor);
    assert_eq!(
        Rc::strong_count(&in_use),
        1,
        "nor is anybody noted to be woken"
    );
    drop(set);
}

/// As a handle may: by a loop of one's own that steps the executor, say.
#[test]
fn a_set_may_be_polled_where_no_executor_runs() {
    struct Wakes(AtomicUsize);
    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let wakes = Arc::new(Wakes(AtomicUsize::new(0)));
    let waker = Waker::from(wakes.clone());
    let cx = &mut Context::from_waker(&waker);
    let executor = virtual_executor();
    let mut set = JoinSet::new();
    let id = set.insert(executor.spawn(async { 7 }));
    assert!(pin!(set.join_next()).poll(cx).is_pending());
    // That future is gone, and whom it would have woken.
    assert!(set.poll_join_next_with_id(cx).is_pending());
    executor.run_until_idle();
    assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
    let ended = set.poll_join_next_with_id(cx);
    assert!(matches!(ended, Poll::Ready(Some((of, Ok(7)))) if of == id));
    assert!(matches!(set.poll_join_next(cx), Poll::Ready(None)));
}

#[test]
fn a_task_that_ends_while_the_set_detaches_it_leaves_nothing_behind() {
    let first = Rc::new(virtual_executor());
    let mut set = JoinSet::new();
    let runs_it = {
        let first = first.clone();
        OnDrop(move || first.run_until_idle())
    };
    set.insert(first.spawn(async { Some(runs_it) }));
    first.run_until_idle();
    // This one ends when the output of the one before is dropped.
    set.insert(first.spawn(async { None }));
    set.detach_all();
    // An id that was left behind would now be taken for that of a task of another executor.
    let second = virtual_executor();
    let _another = second.spawn(async {});
    let slow = second.spawn(async {
        sleep(secs(1)).await;
        None
    });
    set.insert(slow);
    let outcome = second.block_on(set.join_next());
    assert!(outcome.expect("one is in the set").is_ok());
}

#[test]
fn who_detaches_all_has_woken_whoever_waits_also_in_a_join() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    let set = Rc::new(RefCell::new(JoinSet::<()>::new()));
    set.borrow_mut().insert(executor.spawn(pending()));
    let waits = {
        let set = set.clone();
        async move { join_all([poll_fn(|cx| set.borrow_mut().poll_join_next(cx))]).await }
    };
    let waits = executor.spawn(waits);
    let main = executor.block_on(async {
        yield_now().await;
        set.borrow_mut().detach_all();
        current_task().expect("it runs")
    });
    let woken = Event::Woken {
        task: waits.id(),
        by: Cause::Task(main),
        effect: Effect::Queued,
    };
    assert!(
        recording.events().contains(&woken),
        "{:?}",
        recording.events()
    );
}

#[test]
fn who_detaches_all_that_it_waits_for_itself_has_woken_itself() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    let mut set = JoinSet::<()>::new();
    set.insert(executor.spawn(pending()));
    let waits = executor.spawn(poll_fn(move |cx| {
        let polled = set.poll_join_next(cx).map(drop);
        set.detach_all();
        polled
    }));
    executor.run_until_idle();
    let woken = Event::Woken {
        task: waits.id(),
        by: Cause::Itself,
        effect: Effect::Queued,
    };
    assert!(
        recording.events().contains(&woken),
        "{:?}",
        recording.events()
    );
    assert!(waits.is_finished());
}

#[test]
fn a_task_of_another_executor_that_is_put_in_a_set_has_not_ended_here() {
    let other = virtual_executor();
    let ended = other.spawn(async {});
    other.run_until_idle();
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    let set = Rc::new(RefCell::new(JoinSet::<()>::new()));
    let waits = {
        let set = set.clone();
        let foreign = other.spawn(pending());
        set.borrow_mut().insert(foreign);
        executor.spawn(poll_fn(move |cx| {
            set.borrow_mut().poll_join_next(cx).map(drop)
        }))
    };
    let main = executor.block_on(async {
        yield_now().await;
        set.borrow_mut().insert(ended);
        yield_now().await;
        current_task().expect("it runs")
    });
    let woken = Event::Woken {
        task: waits.id(),
        by: Cause::Task(main),
        effect: Effect::Queued,
    };
    assert!(recording.events().contains(&woken));
    let waits_id = waits.id();
    let is_joined = |event: &Event| match event {
        Event::Woken { task, by, .. } => *task == waits_id && matches!(by, Cause::Joined(_)),
        _ => false,
    };
    assert!(
        !recording.events().iter().any(is_joined),
        "{:?}",
        recording.events()
    );
    assert!(waits.is_finished());
}

#[test]
fn an_observer_may_detach_the_task_of_whose_end_it_is_told() {
    let set = Rc::new(RefCell::new(JoinSet::new()));
    let observer = {
        let set = set.clone();
        move |record: &Record| {
            if matches!(record.event, Event::Completed { .. }) {
                set.borrow_mut().detach_all();
            }
        }
    };
    let executor = Executor::builder()
        .virtual_time()
        .observer(observer)
        .build();
    set.borrow_mut().insert(executor.spawn(async { 1 }));
    executor.run_until_idle();
    // Another executor's task, of the same id as the one that was detached.
    let other = virtual_executor();
    set.borrow_mut().insert(other.spawn(pending::<i32>()));
    assert!(set.borrow_mut().try_join_next().is_none());
    assert_eq!(set.borrow().len(), 1);
    set.borrow_mut().detach_all();
    set.borrow_mut().insert(executor.spawn(async { 2 }));
    executor.run_until_idle();
    assert!(set.borrow_mut().try_join_next().is_none());
}

#[test]
fn an_observer_may_put_another_executor_s_task_in_the_place_of_the_one_that_has_ended() {
    let (set, other) = (Rc::new(RefCell::new(JoinSet::new())), virtual_executor());
    let seven = RefCell::new(Some(other.spawn(async { 7 })));
    let observer = {
        let set = set.clone();
        move |record: &Record| {
            if matches!(record.event, Event::Completed { .. }) {
                set.borrow_mut().detach_all();
                set.borrow_mut().insert(seven.take().unwrap());
            }
        }
    };
    let builder = Executor::builder().virtual_time();
    let executor = builder.observer(observer).build();
    set.borrow_mut().insert(executor.spawn(async { 1 }));
    executor.run_until_idle();
    assert!(set.borrow_mut().try_join_next().is_none(), "it runs");
    assert_eq!(set.borrow().len(), 1);
    let seven = other.block_on(set.borrow_mut().join_next());
    assert_eq!(seven.unwrap().unwrap(), 7);
}

#[test]
fn who_waits_for_another_executor_s_task_is_not_told_of_one_of_its_own() {
    let other = virtual_executor();
    let mut set = JoinSet::new();
    set.insert(other.spawn(async {}));
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    let waits = executor.spawn(async move { set.join_next().await.unwrap().unwrap() });
    executor.run_until_idle();
    other.run_until_idle();
    executor.run_until_idle();
    assert!(waits.is_finished());
    let joined = |event: &Event| {
        matches!(
            event,
            Event::Woken {
                by: Cause::Joined(_),
                ..
            }
        )
    };
    assert!(!recording.events().iter().any(joined));
}

#[test]
fn a_set_says_whose_outcome_it_gives_and_aborts_one() {
    virtual_executor().block_on(async {
        let mut set = JoinSet::new();
        let ids = [3, 1, 2].map(|seconds| set.spawn(sleep(secs(seconds))));
        assert!(set.try_join_next_with_id().is_none());
        assert!(set.abort(ids[0]));
        assert!(!set.abort(spawn(async {}).id()));
        let mut ended = Vec::new();
        while let Some((id, outcome)) = set.join_next_with_id().await {
            ended.push((id, outcome.is_ok()));
        }
        assert_eq!(ended, [(ids[0], false), (ids[1], true), (ids[2], true)]);
        assert!(!set.abort(ids[0]));
    });
}

/// A future that has a set in it, as a program may write one.
struct Sum(JoinSet<u64>, u64);

impl Future for Sum {
    type Output = u64;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<u64> {
        while let Some((_, next)) = ready!(self.0.poll_join_next_with_id(cx)) {
            self.1 += next.unwrap();
        }
        Poll::Ready(self.1)
    }
}

#[test]
fn a_set_in_a_future_of_the_program_s_own_wakes_it() {
    let executor = virtual_executor();
    executor.block_on(async {
        let mut sum = Sum(JoinSet::new(), 0);
        for seconds in [3, 1, 2] {
            sum.0.spawn(async move {
                sleep(secs(seconds)).await;
                seconds
            });
        }
        assert_eq!(sum.await, 6);
    });
    assert_eq!(executor.unfinished_tasks(), []);
}

#[test]
fn an_empty_set_keeps_nothing_of_an_executor() {
    for detaches in [false, true] {
        let in_use = Rc::new(());
        let in_observer = in_use.clone();
        let observer = move |_: &Record| _ = &in_observer;
        let executor = Executor::builder().observer(observer).build();
        let mut set = JoinSet::new();
        set.insert(executor.spawn(async {}));
        executor.run_until_idle();
        match detaches {
            true => set.detach_all(),
            false => set.try_join_next().unwrap().unwrap(),
        }
        drop(executor);
        assert_eq!(Rc::strong_count(&in_use), 1);
    }
}

#[test]
fn a_join_next_that_was_never_polled_takes_nobody_s_wake() {
    virtual_executor().block_on(async {
        let mut set = JoinSet::new();
        set.spawn(sleep(secs(1)));
        let mut is_first = true;
        let next = poll_fn(|cx| {
            let next = set.poll_join_next(cx);
            if mem::take(&mut is_first) {
                assert!(next.is_pending());
                drop(set.join_next());
            }
            next
        });
        next.await.unwrap().unwrap();
    });
}

#[test]
fn who_has_polled_a_set_last_is_woken() {
    virtual_executor().block_on(async {
        let set = Rc::new(RefCell::new(JoinSet::new()));
        set.borrow_mut().spawn(sleep(secs(1)));
        let next = || {
            let set = set.clone();
            poll_fn(move |cx| set.borrow_mut().poll_join_next(cx))
        };
        let first = spawn(next());
        yield_now().await;
        let last = spawn(next());
        let ended = timeout(secs(5), last).await.expect("it is woken");
        ended.unwrap().unwrap().unwrap();
        assert!(!first.is_finished());
    });
}

#[test]
fn who_polls_a_set_that_is_detached_learns_that_it_is_empty_and_keeps_no_executor() {
    let in_use = Rc::new(());
    let in_observer = in_use.clone();
    let builder = Executor::builder().virtual_time();
    let executor = builder.observer(move |_: &Record| _ = &in_observer).build();
    let set = Rc::new(RefCell::new(JoinSet::new()));
    set.borrow_mut().insert(executor.spawn(pending::<()>()));
    let polled = set.clone();
    executor.block_on(async {
        let next = poll_fn(move |cx| polled.borrow_mut().poll_join_next(cx));
        let waits = spawn(next);
        yield_now().await;
        set.borrow_mut().detach_all();
        assert!(waits.await.unwrap().is_none());
    });
    drop(executor);
    assert_eq!(Rc::strong_count(&in_use), 1);
}

#[test]
fn who_polls_a_set_that_is_detached_is_told_by_whom() {
    for by_a_task in [true, false] {
        let (executor, recording) = recorded(Executor::builder().virtual_time());
        let set = Rc::new(RefCell::new(JoinSet::new()));
        set.borrow_mut().insert(executor.spawn(pending::<()>()));
        let polled = set.clone();
        let next = poll_fn(move |cx| polled.borrow_mut().poll_join_next(cx));
        let waits = executor.spawn(next);
        executor.run_until_idle();
        recording.take();
        let detaches = move || set.borrow_mut().detach_all();
        let by = match by_a_task {
            true => {
                let task = executor.spawn(async move { detaches() });
                executor.run_until_idle();
                Cause::Task(task.id())
            }
            false => {
                detaches();
                Cause::NotRunning
            }
        };
        let events = recording.events().into_iter();
        let woken = events.filter_map(|event| match event {
            Event::Woken { task, by, .. } if task == waits.id() => Some(by),
            _ => None,
        });
        assert_eq!(woken.collect::<Vec<_>>(), [by]);
    }
}

#[test]
fn a_struct_that_is_generic_may_hold_a_set() {
    struct Holds<T>(JoinSet<T>);
    impl<T> Holds<T> {
        fn new() -> Self {
            Holds(JoinSet::default())
        }
    }
    assert!(Holds::<&str>::new().0.is_empty());
}

#[test]
fn who_awaits_a_set_is_polled_because_a_task_of_it_has_ended() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    let id = executor.block_on(async {
        let mut set = JoinSet::new();
        let id = set.spawn(async {});
        set.join_next().await.unwrap().unwrap();
        id
    });
    let is_why = |event: &Event| matches!(event, Event::PollStarted { why: Cause::Joined(task), .. } if *task == id);
    assert_eq!(
        recording
            .events()
            .iter()
            .filter(|event| is_why(event))
            .count(),
        1
    );
}

#[test]
fn who_shuts_a_set_down_goes_on_when_all_have_cleaned_up_and_their_outputs_are_gone() {
    let log = Log::new();
    let note = |what: &'static str| {
        let log = log.clone();
        OnDrop(move || log.push(what))
    };
    virtual_executor().block_on(async {
        let mut set = JoinSet::new();
        let output = note("the output of one that was done");
        set.spawn(async move { Some(output) });
        yield_now().await;
        for what in ["the first", "the second"] {
            let held = note(what);
            set.spawn(async move {
                sleep(secs(1)).await;
                drop(held);
                None
            });
        }
        yield_now().await;
        set.shutdown().await;
        log.push("shut down");
        assert!(set.is_empty());
        set.spawn(async { None });
        assert!(set.join_next().await.unwrap().unwrap().is_none());
    });
    assert_eq!(
        log.take(),
        [
            "the output of one that was done",
            "the first",
            "the second",
            "shut down"
        ]
    );
}

#[test]
fn a_shutdown_that_nobody_awaits_to_its_end_leaves_the_others_in_the_set() {
    virtual_executor().block_on(async {
        let mut set = JoinSet::new();
        let [first, second] = [(); 2].map(|()| set.spawn(pending::<()>()));
        let mut shutdown = set.shutdown();
        poll_fn(|cx| {
            assert!(Pin::new(&mut shutdown).poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        drop(shutdown);
        let mut ended = Vec::new();
        while let Some((id, outcome)) = set.join_next_with_id().await {
            assert!(outcome.unwrap_err().is_cancelled());
            ended.push(id);
        }
        assert_eq!(ended, [first, second]);
    });
}
