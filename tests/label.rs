//! A wait that the executor knows nothing of gets a name and a place.

use std::future::pending;
use std::panic::Location;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::Duration;

use async_lock::Mutex;
use watchglass::trace::{Event, Record, Recording, WaitsOn};
use watchglass::{Executor, join, label, sleep, spawn, timeout, yield_now};

fn line(at: &Location<'_>) -> u32 {
    assert_eq!(at.file(), file!());
    at.line()
}

#[test]
fn a_verdict_says_where_a_label_is_awaited() {
    let executor = Executor::builder().closed_world(true).build();
    let lock = Mutex::new(());
    let at = line!() + 3;
    let stalled = executor.try_block_on(async {
        let _held = lock.lock().await;
        label("the lock", lock.lock()).await;
    });
    let stalled = stalled.unwrap_err();
    let [main] = stalled.tasks() else {
        panic!("{stalled}")
    };
    assert_eq!(line(main.waits_at.unwrap()), at);
    let waits = format!(
        "waits at {}:{at}:40, and a lock, a channel or another crate's `join` or `select`, perhaps, has its waker",
        file!()
    );
    let stalled = stalled.to_string();
    assert!(stalled.contains(&waits), "{stalled}");
    assert!(
        stalled.ends_with("`closed` in WATCHGLASS"),
        "it has a label: {stalled}"
    );
}

#[test]
fn an_observer_is_told_of_each_pending_poll_of_a_label_and_of_no_other() {
    let recording = Recording::new();
    let executor = Executor::builder().observer(recording.clone()).build();
    executor.block_on(async {
        assert_eq!(label("ready", async { 1 }).await, 1);
        label("twice", async {
            yield_now().await;
            yield_now().await;
        })
        .await;
    });
    let events = recording.events().into_iter();
    let labels = events.filter_map(|event| match event {
        Event::Waits {
            on: WaitsOn::Labelled(name),
            ..
        } => Some(name),
        _ => None,
    });
    assert_eq!(labels.collect::<Vec<_>>(), ["twice", "twice"]);
}

#[test]
fn the_views_say_what_a_labelled_task_waits_for() {
    let recording = Recording::new();
    let executor = Executor::builder()
        .virtual_time()
        .observer(recording.clone())
        .build();
    let (sender, receiver) = async_channel::bounded::<()>(1);
    let stalled = executor.try_block_on(async {
        let reader = receiver.clone();
        let waits = spawn(async move { label("the\nnews", reader.recv()).await });
        let limit = timeout(Duration::from_secs(1), label("more news", receiver.recv()));
        assert!(limit.await.is_err());
        let reader = receiver.clone();
        let late = spawn(async move {
            timeout(Duration::from_secs(1), label("late news", reader.recv())).await
        });
        assert!(late.await.unwrap().is_err());
        let _ = join(label("any news", receiver.recv()), waits).await;
    });
    stalled.unwrap_err();
    drop(sender);
    let story = recording.story();
    for part in [
        "waits for the\\nnews, at ",
        "waits for more news, at ",
        "waits for its time limit at 1.000 s",
        "waits for any news and the_views_say_what_a_labelled_task_waits_for #1 to end; ",
        &format!("waits for the\\nnews at {}:", file!()),
    ] {
        assert!(story.contains(part), "{part}\n{story}");
    }
    // The label says what that is.
    assert!(!story.contains("not watchglass's"), "{story}");
    assert!(!story.contains("too"), "{story}");
    let timeline = recording.timeline();
    assert!(timeline.contains("- more news -"), "{timeline}");
    let svg = recording.svg();
    assert!(svg.contains("more news and time limit at 1.000 s"), "{svg}");
}

#[test]
fn where_no_executor_runs_a_label_is_its_future() {
    let mut labelled = pin!(label("elsewhere", yield_now()));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(labelled.as_mut().poll(&mut cx).is_pending());
    assert!(labelled.as_mut().poll(&mut cx).is_ready());
}

/// Two locks, two orders, and a task that ticks all the while: nothing is certain, but where the log ends it says who
/// has waited longest.
#[test]
fn where_a_log_ends_it_says_who_waits_for_what_may_never_come_and_where() {
    let recording = Recording::new();
    let executor = Executor::builder()
        .virtual_time()
        .observer(recording.clone())
        .build();
    let locks = [Rc::new(Mutex::new(())), Rc::new(Mutex::new(()))];
    let both = |first: &Rc<Mutex<()>>, second: &Rc<Mutex<()>>| {
        let (first, second) = (first.clone(), second.clone());
        async move {
            let _first = first.lock().await;
            sleep(Duration::from_millis(10)).await;
            let _second = second.lock().await;
        }
    };
    let seen = line!() - 4;
    executor.spawn_named("one", both(&locks[0], &locks[1]));
    executor.spawn_named("other", both(&locks[1], &locks[0]));
    executor.spawn_named("held", async move {
        let _both = label("both locks", locks[0].lock()).await;
    });
    for name in ["a", "b"] {
        executor.spawn_named(name, pending::<()>());
    }
    let ends = async { timeout(Duration::from_secs(1), sleep(Duration::from_secs(2))).await };
    assert!(executor.block_on(ends).is_err());
    let mut records = recording.take();
    let time = Duration::from_secs(1);
    let is_over = |record: &Record| matches!(record.event, Event::Completed { .. });
    let over = records.iter().position(is_over).unwrap();
    records.truncate(over - 1);
    records.push(Record {
        seq: records.len() as u64,
        time,
        event: Event::LogEnded,
    });
    let story = Recording::from_iter(records).story();
    let last = story.lines().last().unwrap();
    let waited = |name: &str, since: &str, what: &str| {
        format!(
            "; {name} has waited since {since} for {what}, last seen at {}:",
            file!()
        )
    };
    for part in [
        waited("held", "0.000 s", "both locks"),
        waited("one", "0.010 s", "a future that is not watchglass's") + &seen.to_string(),
        waited("other", "0.010 s", "a future that is not watchglass's") + &seen.to_string(),
    ] {
        assert!(last.contains(&part), "{part}\n{last}");
    }
    assert!(!last.contains("; a ") && !last.contains(" more"), "{last}");
}
