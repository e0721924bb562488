//! What tasks are called, what their ids look like, and what their handles give.

mod common;

use std::any::Any;
use std::cell::Cell;
use std::error::Error;
use std::future::{pending, poll_fn};
use std::io;
use std::panic::{RefUnwindSafe, UnwindSafe, panic_any};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::mpsc;
use std::task::Poll;

use common::{OnDrop, recorded, secs, virtual_executor};
use watchglass::time::{Interval, Sleep, Timeout};
use watchglass::trace::{Event, Record, Recording, TaskKind, TimerKind};
use watchglass::{
    AbortHandle, Executor, JoinError, JoinHandle, JoinSet, Step, block_on, current_task, interval,
    join, join_all, label, race, sleep, spawn, spawn_blocking, spawn_blocking_named, spawn_named,
    timeout, yield_now,
};

async fn free_function() {}

fn sync_function() {}

async fn generic<T>(_: T) {}

struct Server<T>(T);

impl<T> Server<T> {
    async fn method(self) {}
}

trait Run {
    fn run(self) -> impl Future<Output = ()>;
}

impl<T: 'static> Run for Server<T> {
    async fn run(self) {}
}

#[test]
fn a_task_is_called_by_the_last_part_of_its_type_or_as_it_is_told() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    drop(executor.spawn_named("told outside", free_function()));
    executor.block_on(async {
        drop(spawn(free_function()));
        drop(spawn(generic(vec![Some(5)])));
        drop(spawn(generic(|x: u8| -> u8 { x })));
        drop(spawn(Server(5).run()));
        drop(spawn(Server(free_function()).run()));
        drop(spawn(Server(5).method()));
        drop(spawn(async {}));
        drop(spawn(sleep(common::secs(1))));
        drop(spawn(pending::<Vec<u8>>()));
        drop(spawn(Box::pin(free_function())));
        drop(spawn_named("told", free_function()));
        drop(spawn_named(format!("told {}", 2), free_function()));
        drop(spawn_blocking(|| ()));
        drop(spawn_blocking(sync_function));
    });
    let names = recording
        .events()
        .into_iter()
        .filter_map(|event| match event {
            Event::Spawned { name, kind, .. } => Some((kind, name.into_owned())),
            _ => None,
        });
    let here = "a_task_is_called_by_the_last_part_of_its_type_or_as_it_is_told";
    use TaskKind::{Blocking, Main, Spawned};
    let expected = [
        (Spawned, "told outside"),
        (Main, here),
        (Spawned, "free_function"),
        (Spawned, "generic"),
        (Spawned, "generic"),
        (Spawned, "run"),
        (Spawned, "run"),
        (Spawned, "method"),
        (Spawned, here),
        (Spawned, "Sleep"),
        (Spawned, "Pending"),
        (Spawned, "free_function"),
        (Spawned, "told"),
        (Spawned, "told 2"),
        (Blocking, &format!("closure in {here}")),
        (Blocking, "sync_function"),
    ];
    let expected = expected.map(|(kind, name)| (kind, name.to_owned()));
    assert_eq!(names.collect::<Vec<_>>(), expected);
}

#[test]
fn an_id_shows_its_slot_and_after_the_first_task_there_its_generation() {
    let executor = virtual_executor();
    let ids = [(); 3].map(|()| {
        let task = executor.spawn(async {});
        let id = task.id();
        drop(task);
        executor.run_until_idle();
        id
    });
    let shown = ids.map(|id| id.to_string());
    let parts = ids.map(|id| (id.slot(), id.generation()));
    assert_eq!(shown, ["#0", "#0.1", "#0.2"]);
    assert_eq!(parts, [(0, 0), (0, 1), (0, 2)]);
    assert_eq!(format!("{:?}", ids[1]), "TaskId(#0.1)");
}

#[test]
fn a_slot_is_not_reused_while_a_handle_may_still_ask() {
    let executor = virtual_executor();
    let first = executor.spawn(async { 1 });
    executor.run_until_idle();
    assert!(first.is_finished());
    let second = executor.spawn(async { 2 });
    assert_ne!(first.id().slot(), second.id().slot());
    assert_eq!(
        executor.block_on(async { (first.await.unwrap(), second.await.unwrap()) }),
        (1, 2)
    );
}

#[test]
fn a_task_may_follow_any_other_in_a_slot() {
    block_on(async {
        let number = spawn(async { 1 });
        let slot = number.id().slot();
        assert_eq!(number.await.unwrap(), 1);
        let text = spawn(async { String::from("two") });
        assert_eq!(text.id().slot(), slot);
        assert_eq!(text.await.unwrap(), "two");
        let named = spawn_named("three", async { 3 });
        assert_eq!(named.id().slot(), slot);
        assert_eq!(named.await.unwrap(), 3);
        let failed = spawn(async { panic!("on purpose") });
        assert_eq!(failed.id().slot(), slot);
        failed.await.unwrap_err();
        let text = spawn(async { String::from("four") });
        assert_eq!(text.id().slot(), slot);
        assert_eq!(text.await.unwrap(), "four");
    });
}

#[test]
fn a_handle_gives_the_output_whether_it_is_awaited_before_or_after_the_end() {
    block_on(async {
        let before = spawn(async { String::from("output") });
        assert_eq!(before.await.unwrap(), "output");
        let after = spawn(async { String::from("output") });
        yield_now().await;
        assert!(after.is_finished());
        assert_eq!(after.await.unwrap(), "output");
    });
}

/// It takes another way than a small one: out of its box, which is not left in the slot.
#[test]
fn a_large_output_arrives_and_so_does_a_panic_or_an_abort_in_its_place() {
    fn numbers() -> [u64; 1000] {
        std::array::from_fn(|i| i as u64)
    }
    block_on(async {
        let tasks = [
            spawn(async { numbers() }),
            spawn_named("named", async { numbers() }),
        ];
        yield_now().await;
        assert!(tasks.iter().all(JoinHandle::is_finished));
        for task in tasks {
            assert_eq!(task.await.unwrap(), numbers());
        }
        assert_eq!(spawn(async { numbers() }).await.unwrap(), numbers());
        let mut set = JoinSet::from_iter([spawn(async { numbers() })]);
        assert_eq!(set.join_next().await.unwrap().unwrap(), numbers());
        let panics = spawn(async {
            if true {
                panic!("on purpose")
            } else {
                numbers()
            }
        });
        assert_eq!(
            panics.await.unwrap_err().panic_message().unwrap(),
            "on purpose"
        );
        let aborted = spawn(pending::<[u64; 1000]>());
        aborted.abort();
        assert!(aborted.await.unwrap_err().is_cancelled());
    });
}

#[test]
fn a_handle_may_be_awaited_by_another_task_than_polled_it_first() {
    virtual_executor().block_on(async {
        let mut task = spawn(yield_now());
        assert!(common::poll_once(Pin::new(&mut task)).await.is_pending());
        spawn(async { task.await.unwrap() }).await.unwrap();
    });
}

/// How a task ends that panics with `payload`.
fn error_of(payload: impl Any + Send) -> JoinError {
    let executor = virtual_executor();
    let task: JoinHandle<()> = executor.spawn(async { panic_any(payload) });
    executor.block_on(task).unwrap_err()
}

#[test]
fn a_panic_is_told_with_its_message_and_hands_its_payload_out() {
    for error in [error_of("text"), error_of(String::from("text"))] {
        assert!(error.is_panic() && !error.is_cancelled());
        assert_eq!(error.panic_message().as_deref(), Some("text"));
        assert_eq!(error.to_string(), "the task panicked: text");
        assert_eq!(format!("{error:?}"), "JoinError(the task panicked: text)");
    }
    let error = error_of(5_u64);
    assert_eq!(error.panic_message(), None);
    assert_eq!(error.to_string(), "the task panicked");
    let payload = error.try_into_panic().unwrap();
    assert_eq!(*payload.downcast::<u64>().unwrap(), 5);
}

#[test]
fn a_cancellation_says_so_and_has_no_payload() {
    let executor = virtual_executor();
    let task: JoinHandle<()> = executor.spawn(pending());
    task.abort();
    let error = executor.block_on(task).unwrap_err();
    assert!(error.is_cancelled() && !error.is_panic());
    assert_eq!(error.panic_message(), None);
    assert_eq!(error.to_string(), "the task was cancelled");
    let error = error.try_into_panic().unwrap_err();
    assert!(error.is_cancelled());
    let boxed: Box<dyn Error + Send + Sync> = error.into();
    assert!(boxed.downcast::<JoinError>().is_ok());
}

#[test]
fn what_is_shown_for_debugging_says_what_matters() {
    let executor = virtual_executor();
    let handle: JoinHandle<()> = executor.spawn(pending());
    let shown = format!("{handle:?}");
    assert_eq!(shown, "JoinHandle { id: TaskId(#0), is_finished: false }");
    let shown = format!("{executor:?}");
    assert_eq!(shown, "Executor { ready: 1, unfinished: 1, timers: 0, .. }");
    // The entry of one that has ended while it was queued is still in the queue.
    let executor = virtual_executor();
    executor.block_on(poll_fn(|cx| {
        cx.waker().wake_by_ref();
        Poll::Ready(())
    }));
    let shown = format!("{executor:?}");
    assert_eq!(shown, "Executor { ready: 0, unfinished: 0, timers: 0, .. }");
}

#[test]
fn what_is_shown_of_builders_sets_and_futures_says_what_they_hold() {
    let builder = Executor::builder()
        .virtual_time()
        .seed(7)
        .long_poll(secs(1))
        .blocking_threads(3)
        .observer(|_: &Record| ());
    assert_eq!(
        format!("{builder:?}"),
        "Builder { virtual_time: true, closed_world: None, seed: Some(7), observed: true, \
         long_poll: Some(1s), blocking_threads: 3, spin: true }"
    );
    let begun_by_the_first_poll = "Sleep { deadline: None, is_elapsed: false }";
    assert_eq!(format!("{:?}", sleep(secs(1))), begun_by_the_first_poll);
    let ticks = format!("Interval {{ period: 1s, sleep: {begun_by_the_first_poll} }}");
    assert_eq!(format!("{:?}", interval(secs(1))), ticks);
    let never = pending::<()>;
    assert_eq!(format!("{:?}", join(never(), never())), "Join { .. }");
    assert_eq!(format!("{:?}", race(never(), never())), "Race { .. }");
    assert_eq!(
        format!("{:?}", label("a", never())),
        r#"Label { name: "a", .. }"#
    );
    assert_eq!(
        format!("{:?}", join_all([never(), never()])),
        "JoinAll { futures: 2, running: 2, .. }"
    );
    // A future that has no `Debug` of its own, as no async block has.
    let no_longer = timeout(secs(1), async {});
    let shown = format!("Timeout {{ sleep: {begun_by_the_first_poll}, .. }}");
    assert_eq!(format!("{no_longer:?}"), shown);
    let executor = virtual_executor();
    let mut set = JoinSet::default();
    set.insert(executor.spawn(async {}));
    set.insert(executor.spawn(never()));
    executor.run_until_idle();
    assert_eq!(format!("{set:?}"), "JoinSet { tasks: 2, ended: 1 }");
    assert_eq!(
        format!("{:?}", set.join_next()),
        "JoinNext { set: JoinSet { tasks: 2, ended: 1 } }"
    );
    assert_eq!(
        format!("{:?}", set.join_next_with_id()),
        "JoinNextWithId { next: JoinNext { set: JoinSet { tasks: 2, ended: 1 } } }"
    );
    assert_eq!(
        format!("{:?}", set.shutdown()),
        "Shutdown { next: JoinNext { set: JoinSet { tasks: 2, ended: 1 } } }"
    );
    // Nor need an output have one.
    struct NoDebug;
    let shown = format!("{:?}", JoinSet::<NoDebug>::new().join_next_with_id());
    assert!(shown.contains("tasks: 0"));
}

#[test]
fn whatever_belongs_to_an_executor_may_go_through_a_panic() {
    fn goes<T: UnwindSafe + RefUnwindSafe>() {}
    goes::<Executor>();
    goes::<JoinHandle<Rc<Cell<u8>>>>();
    goes::<JoinSet<Rc<Cell<u8>>>>();
    goes::<AbortHandle>();
    goes::<Recording>();
    goes::<Sleep>();
    goes::<Interval>();
    goes::<Timeout<Sleep>>();
}

#[test]
fn an_abort_handle_aborts_what_somebody_else_awaits_and_nothing_later() {
    virtual_executor().block_on(async {
        let task = spawn(pending::<()>());
        let stops = [task.abort_handle(), task.abort_handle().clone()];
        assert!(
            stops
                .iter()
                .all(|stop| stop.id() == task.id() && !stop.is_finished())
        );
        let [first, second] = stops;
        spawn(async move { first.abort() });
        assert!(task.await.unwrap_err().is_cancelled());
        assert!(second.is_finished());
        assert_eq!(
            format!("{second:?}"),
            "AbortHandle { id: TaskId(#1), is_finished: true }"
        );
        // In the same place lives another task now.
        let next = spawn(sleep(secs(1)));
        assert_eq!(next.id().slot(), second.id().slot());
        second.abort();
        next.await.unwrap();
    });
}

#[test]
fn an_abort_handle_keeps_nothing_of_an_executor_that_is_gone() {
    let in_use = Rc::new(());
    let in_observer = in_use.clone();
    let observer = move |_: &Record| _ = &in_observer;
    let executor = Executor::builder().observer(observer).build();
    let stop = executor.spawn(pending::<()>()).abort_handle();
    assert!(!stop.is_finished());
    drop(executor);
    assert_eq!(Rc::strong_count(&in_use), 1);
    assert!(stop.is_finished());
    stop.abort();
}

#[test]
fn what_a_question_mark_makes_of_an_error_in_a_function_of_io_result() {
    Executor::builder().virtual_time().build().block_on(async {
        let elapsed = timeout(secs(1), pending::<()>()).await.unwrap_err();
        assert_eq!(io::Error::from(elapsed).kind(), io::ErrorKind::TimedOut);
        let aborted = spawn(pending::<()>());
        aborted.abort();
        let error = aborted.await.unwrap_err();
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::Other);
    });
    let stalled = Executor::new().try_block_on(pending::<()>()).unwrap_err();
    let told = stalled.to_string();
    let error = io::Error::from(stalled);
    assert_eq!(
        (error.kind(), error.to_string()),
        (io::ErrorKind::Deadlock, told)
    );
}

#[test]
fn whatever_spawns_may_name_its_task() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    executor.block_on(async {
        let mut set = JoinSet::new();
        set.spawn_named("in a set", async {});
        set.extend([spawn_named("in a set too", async {})]);
        set.insert(spawn_blocking_named("on a thread", || ()));
        assert_eq!(set.len(), 3);
        let handles = [spawn(async {}), spawn(async {})];
        assert_eq!(handles.into_iter().collect::<JoinSet<()>>().len(), 2);
        while let Some(done) = set.join_next().await {
            done.unwrap();
        }
    });
    drop(executor.spawn_blocking(|| ()));
    let names = recording
        .events()
        .into_iter()
        .filter_map(|event| match event {
            Event::Spawned { name, kind, .. } => Some((name.into_owned(), kind)),
            _ => None,
        });
    let names: Vec<(String, TaskKind)> = names.skip(1).collect();
    let expected = [
        ("in a set", TaskKind::Spawned),
        ("in a set too", TaskKind::Spawned),
        ("on a thread", TaskKind::Blocking),
        ("whatever_spawns_may_name_its_task", TaskKind::Spawned),
        ("whatever_spawns_may_name_its_task", TaskKind::Spawned),
        (
            "closure in whatever_spawns_may_name_its_task",
            TaskKind::Blocking,
        ),
    ];
    assert_eq!(names, expected.map(|(name, kind)| (name.to_owned(), kind)));
}

#[test]
fn the_current_task_is_the_one_that_runs_or_is_dropped_and_no_other() {
    let seen = Rc::new(Cell::new(None));
    let at_its_drop = {
        let seen = seen.clone();
        OnDrop(move || seen.set(current_task()))
    };
    let executor = virtual_executor();
    let task = executor.spawn(async move {
        let _seen = at_its_drop;
        let on_its_thread = spawn_blocking(current_task).await.unwrap();
        assert_eq!(on_its_thread, None);
        pending::<()>().await
    });
    executor.run_until_idle();
    while executor.unfinished_tasks().len() > 1 {
        executor.run_until_idle();
    }
    assert_eq!((current_task(), seen.get()), (None, None));
    let id = task.id();
    drop(executor);
    assert_eq!((current_task(), seen.get()), (None, Some(id)));
}

#[test]
fn what_has_not_finished_is_listed_with_where_it_stands() {
    let executor = Rc::new(virtual_executor());
    let (lets_go, waits) = mpsc::channel::<()>();
    let line = line!();
    let closure = executor.spawn_blocking_named("closure", move || waits.recv());
    drop(executor.spawn_named("asleep", async { sleep(secs(2)).await }));
    drop(executor.spawn_named("done", async {}));
    drop(executor.spawn_named("lost", pending::<()>()));
    let from_inside = Rc::downgrade(&executor);
    let asks = executor.block_on(async move {
        yield_now().await;
        let executor = from_inside.upgrade().expect("it runs");
        executor.spawn_named("new", async {});
        executor.unfinished_tasks()
    });
    let at = |lines, column| format!("tests/names_and_handles.rs:{}:{column}", line + lines);
    // In the order of their slots.
    let expected = [
        format!(
            "#0 `closure`, spawned at {}, waits for its closure on another thread",
            at(1, 28)
        ),
        format!(
            "#1 `asleep`, spawned at {}, waits at {}",
            at(2, 19),
            at(2, 64)
        ),
        format!("#2.1 `new`, spawned at {}, is ready", at(9, 18)),
        format!(
            "#3 `lost`, spawned at {}, waits, and nobody has its waker",
            at(4, 19)
        ),
    ];
    assert_eq!(asks.len(), expected.len(), "{asks:#?}");
    for (task, expected) in asks.iter().zip(&expected) {
        assert!(
            format!("{task:?}").starts_with(expected),
            "{task:?}\n{expected:?}"
        );
    }
    let kinds: Vec<TaskKind> = asks.iter().map(|task| task.kind).collect();
    assert_eq!(kinds[..2], [TaskKind::Blocking, TaskKind::Spawned]);
    lets_go.send(()).unwrap();
    executor.block_on(closure).unwrap().unwrap();
}

#[test]
fn an_observer_may_be_there_or_not() {
    let recording = Recording::new();
    let run = |observer: Option<Recording>| {
        // The first of a pair is told by reference.
        let observer = (observer.clone(), observer);
        let executor = Executor::builder().observer(observer).build();
        executor.block_on(yield_now());
    };
    run(None);
    assert!(recording.is_empty());
    run(Some(recording.clone()));
    let told = recording.records();
    let twice = told.chunks(2).all(|pair| pair[0].seq == pair[1].seq);
    assert!(twice && told.len() > 6, "{told:?}");
}

#[test]
fn steps_and_timers_are_told_in_words() {
    let executor = virtual_executor();
    let task = executor.spawn(sleep(secs(1)));
    let steps: Vec<String> = (0..5).map(|_| executor.step().to_string()).collect();
    let polled = format!("{} was polled", task.id());
    let expected = [
        &polled,
        "virtual time moved on by 1s",
        "1 timer fired",
        &polled,
        "there is nothing to do",
    ];
    assert_eq!(steps, expected);
    assert_eq!(Step::TimersFired(2).to_string(), "2 timers fired");
    let kinds =
        [TimerKind::Sleep, TimerKind::Timeout, TimerKind::Interval].map(|kind| kind.to_string());
    assert_eq!(kinds, ["sleep", "time limit", "tick"]);
}

#[test]
fn a_closure_is_called_as_its_executor_or_its_set_was_told() {
    let (executor, recording) = recorded(Executor::builder());
    let one = executor.spawn_blocking_named("one", || 1);
    executor.block_on(async {
        assert_eq!(one.await.unwrap(), 1);
        let mut set = JoinSet::new();
        set.spawn_blocking_named("two", || 2);
        set.spawn_blocking(|| 3);
        while set.join_next().await.is_some() {}
    });
    let names = recording
        .events()
        .into_iter()
        .filter_map(|event| match event {
            Event::Spawned {
                name,
                kind: TaskKind::Blocking,
                ..
            } => Some(name),
            _ => None,
        });
    let names: Vec<_> = names.collect();
    assert_eq!(names[..2], ["one", "two"]);
    assert_eq!(names.len(), 3);
}
