//! What the views say, word by word, where another word would be wrong.
#![cfg(feature = "view")]

mod common;

use std::cell::RefCell;
use std::future::pending;
use std::rc::Rc;
use std::task::Waker;
use std::thread;

use common::{leaves_its_waker, ms, own_waker, poll_once, recorded, secs};
use serde_json::{Value, json};
use watchglass::trace::{Event, Record, Recording};
use watchglass::{Executor, JoinHandle, now, sleep, spawn, spawn_blocking, spawn_named, yield_now};

#[test]
fn the_story_tells_each_rare_event_as_what_it_is() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    executor.block_on(async {
        let mut moved = Box::pin(sleep(secs(1)));
        assert!(poll_once(moved.as_mut()).await.is_pending());
        moved.as_mut().reset(now() + secs(2));
        let ended = spawn_named("ended", own_waker());
        ended.await.unwrap().wake();
        // It wakes itself in its last poll, and so is in the queue when it ends.
        let task = spawn_named("wakes itself", async {
            own_waker().await.wake();
        });
        task.await.unwrap();
    });
    let story = recording.story();
    for sentence in [
        "timer 0 is set to 2.000 s instead: it is in level",
        "a wake of ended does nothing, for it has ended: ",
        "wakes itself has ended while it was queued: its place in the ready queue is passed over",
    ] {
        assert!(story.contains(sentence), "{sentence} is not in\n{story}");
    }
}

#[test]
fn a_wake_by_an_observer_is_told_as_nobody_s() {
    let kept: Rc<RefCell<Option<Waker>>> = Rc::default();
    let waker = kept.clone();
    let wakes = move |record: &Record| {
        if matches!(
            record.event,
            Event::Parked { .. } | Event::ClockAdvanced { .. }
        ) {
            let waker = waker.take();
            waker.inspect(|waker| waker.wake_by_ref());
        }
    };
    let recording = Recording::new();
    let builder = Executor::builder().virtual_time();
    let executor = builder.observer((wakes, recording.clone())).build();
    executor.block_on(async {
        let _timer = spawn(sleep(secs(1)));
        leaves_its_waker(&kept).await;
    });
    let story = recording.story();
    let why = "it was woken while no task was running";
    assert!(story.contains(why), "{story}");
}

#[test]
fn json_has_each_number_under_its_own_name() {
    let (executor, recording) = recorded(Executor::builder().long_poll(ms(200)));
    let stalled = executor.try_block_on(async {
        spawn_blocking(|| thread::sleep(ms(10))).await.unwrap();
        drop(spawn_named("delayed", yield_now()));
        thread::sleep(ms(250));
        let places: [Rc<RefCell<Option<JoinHandle<()>>>>; 2] = Default::default();
        for (own, other) in [(0, 1), (1, 0)] {
            let (own, task) = (places[own].clone(), places[other].clone());
            let handle = spawn(async move {
                yield_now().await;
                let awaited = task.take();
                awaited.unwrap().await.unwrap();
            });
            own.replace(Some(handle));
        }
        pending::<()>().await;
    });
    assert_eq!(stalled.unwrap_err().cycle().len(), 2);
    let log: Value = serde_json::from_str(&recording.json()).unwrap();
    let records = log["records"].as_array().unwrap();
    let (mut seen, mut some_are_delayed) = (Vec::new(), false);
    for (event, value) in recording.events().iter().zip(records) {
        match event {
            Event::LongPoll(poll) => {
                let delayed: Vec<String> = poll.delayed.iter().map(|id| id.to_string()).collect();
                some_are_delayed |= !delayed.is_empty();
                assert_eq!(value["delayed"], json!(delayed));
                assert_eq!(value["took_ns"], json!(poll.took.as_nanos() as u64));
                seen.push("LongPoll");
            }
            Event::Deadlock { circle } => {
                let circle: Vec<String> = circle.iter().map(|id| id.to_string()).collect();
                assert_eq!(value["circle"], json!(circle));
                seen.push("Deadlock");
            }
            Event::BlockingDone { queued, took, .. } => {
                assert_ne!(queued, took);
                assert_eq!(value["queued_ns"], json!(queued.as_nanos() as u64));
                assert_eq!(value["took_ns"], json!(took.as_nanos() as u64));
                seen.push("BlockingDone");
            }
            _ => {}
        }
    }
    // On a busy machine other polls may be long, too, and before the closure has ended.
    for event in ["BlockingDone", "LongPoll", "Deadlock"] {
        assert!(seen.contains(&event), "{event} is not in {seen:?}");
    }
    assert!(some_are_delayed);
    assert!(
        recording.svg().contains("class=\"long\""),
        "the long poll is marked"
    );
}
