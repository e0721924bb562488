//! What the views say, word by word, where another word would be wrong.
#![cfg(feature = "view")]

mod common;

use std::future::{pending, poll_fn};
use std::rc::Rc;
use std::task::Poll;
use std::thread;

use common::{ms, own_waker, poll_once, recorded, secs};
use serde_json::{Value, json};
use watchglass::trace::{Event, Recording};
use watchglass::{Executor, now, sleep, spawn, spawn_blocking, spawn_named, yield_now};

fn chrome(recording: &Recording) -> Vec<Value> {
    let json: Value = serde_json::from_str(&recording.chrome_json()).unwrap();
    json["traceEvents"].as_array().unwrap().clone()
}

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
    let kept: Rc<std::cell::RefCell<Option<std::task::Waker>>> = Rc::default();
    let waker = kept.clone();
    let wakes = move |record: &watchglass::trace::Record| {
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
    let mut polls = 0;
    executor.block_on(async {
        let _timer = spawn(sleep(secs(1)));
        poll_fn(|cx| {
            polls += 1;
            kept.replace(Some(cx.waker().clone()));
            match polls {
                1 => Poll::Pending,
                _ => Poll::Ready(()),
            }
        })
        .await;
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
        let places: [Rc<std::cell::RefCell<Option<watchglass::JoinHandle<()>>>>; 2] =
            Default::default();
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
            Event::Stalled { cycle, .. } => {
                let cycle: Vec<String> = cycle.iter().map(|id| id.to_string()).collect();
                assert_eq!(value["cycle"], json!(cycle));
                seen.push("Stalled");
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
    // On a busy machine other polls may be long, too.
    seen.dedup();
    assert_eq!(seen, ["BlockingDone", "LongPoll", "Stalled"]);
    assert!(some_are_delayed);
    assert!(
        recording.svg().contains("class=\"long\""),
        "the long poll is marked"
    );
}

/// The longest slice whose name has these words.
fn longest<'a>(events: &'a [Value], words: &str) -> &'a Value {
    let is_named =
        |event: &&Value| event["ph"] == "X" && event["name"].as_str().unwrap().contains(words);
    let longest = events
        .iter()
        .filter(is_named)
        .max_by_key(|event| lasts(event));
    longest.unwrap_or_else(|| panic!("{words} is not in {events:#?}"))
}

/// In nanoseconds: the format's microseconds are not whole.
fn lasts(event: &Value) -> u64 {
    (event["dur"].as_f64().unwrap() * 1_000.0) as u64
}

#[test]
fn a_chrome_trace_has_the_waits_and_the_wake_at_a_task_s_end() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    executor.block_on(async { spawn_named("sleeper", sleep(ms(20))).await.unwrap() });
    let events = chrome(&recording);
    for wait in ["its timer for 0.020 s", "sleeper to end"] {
        assert!(
            lasts(longest(&events, wait)) >= 19_999_000,
            "{wait}: {events:#?}"
        );
    }
    // From the sleeper's end to the poll that it led to.
    let is_life = |event: &&Value| event["name"] == "sleeper" && event["tid"] != 1;
    let life = events.iter().find(is_life).unwrap();
    let [from, took] = ["ts", "dur"].map(|key| life[key].as_f64().unwrap());
    let begins_there = |event: &Value| {
        event["ph"] == "s"
            && event["tid"] == life["tid"]
            && (event["ts"].as_f64().unwrap() - (from + took)).abs() < 0.01
    };
    assert!(events.iter().any(begins_there), "{events:#?}");
}

#[test]
fn a_chrome_trace_has_a_closure_for_as_long_as_it_ran() {
    let (executor, recording) = recorded(Executor::builder());
    executor.block_on(async { spawn_blocking(|| thread::sleep(ms(15))).await.unwrap() });
    let events = chrome(&recording);
    let on_thread =
        |event: &&Value| event["ph"] == "X" && event["tid"].as_u64().unwrap() >= 1_000_000_000;
    let closure = events.iter().find(on_thread).unwrap();
    assert!(lasts(closure) >= 14_000_000, "{closure}");
}
