//! The Chrome trace, held against the rules of its format: slices on a track nest, arrows have two
//! ends and begin and end in slices, every track has one name.

mod common;

use std::collections::{HashMap, HashSet};
use std::thread;

use common::{ms, recorded, secs};
use serde_json::Value;
use watchglass::{Builder, Executor, join_all, sleep, spawn, spawn_blocking, yield_now};

async fn everything() {
    let tasks = (1..4).map(|n| {
        spawn(async move {
            sleep(ms(n * 3)).await;
            yield_now().await;
            spawn_blocking(move || thread::sleep(ms(n))).await.unwrap();
        })
    });
    join_all(tasks).await;
    let aborted = spawn(sleep(secs(60)));
    yield_now().await;
    aborted.abort();
    let _ = aborted.await;
    drop(spawn(sleep(secs(60))));
    yield_now().await;
}

fn trace(builder: Builder) -> Vec<Value> {
    let (executor, recording) = recorded(builder);
    executor.block_on(everything());
    let json: Value = serde_json::from_str(&recording.chrome_json()).unwrap();
    json["traceEvents"].as_array().unwrap().clone()
}

/// In nanoseconds: the format's microseconds are not whole.
fn ns(value: &Value) -> u64 {
    (value.as_f64().unwrap() * 1_000.0).round() as u64
}

fn track(event: &Value) -> u64 {
    assert_eq!(event["pid"], 1);
    event["tid"].as_u64().unwrap()
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Slice {
    from: u64,
    until: u64,
    name: String,
}

fn slices(events: &[Value]) -> HashMap<u64, Vec<Slice>> {
    let mut slices: HashMap<u64, Vec<Slice>> = HashMap::new();
    for event in events.iter().filter(|event| event["ph"] == "X") {
        let from = ns(&event["ts"]);
        slices.entry(track(event)).or_default().push(Slice {
            from,
            until: from + ns(&event["dur"]),
            name: event["name"].as_str().unwrap().to_owned(),
        });
    }
    slices
}

fn assert_valid(events: &[Value]) {
    let slices = slices(events);
    for (track, slices) in &slices {
        for (at, a) in slices.iter().enumerate() {
            for b in &slices[at + 1..] {
                let apart = a.until <= b.from || b.until <= a.from;
                let nested = (a.from <= b.from && b.until <= a.until)
                    || (b.from <= a.from && a.until <= b.until);
                assert!(apart || nested, "on track {track} {a:?} and {b:?} overlap");
            }
        }
    }
    let mut named = HashSet::new();
    let mut ends: HashMap<u64, Vec<(&str, u64)>> = HashMap::new();
    for event in events {
        match event["ph"].as_str().unwrap() {
            "M" if event["name"] == "thread_name" => {
                assert!(
                    named.insert(track(event)),
                    "a track is named twice: {event}"
                );
            }
            "M" => assert_eq!(event["name"], "process_name"),
            phase @ ("s" | "f") => {
                let at = ns(&event["ts"]);
                let inside = slices[&track(event)]
                    .iter()
                    .any(|s| s.from <= at && at <= s.until);
                assert!(inside, "an arrow hangs in the air: {event}");
                ends.entry(event["id"].as_u64().unwrap())
                    .or_default()
                    .push((phase, at));
            }
            "C" => assert!(event["args"]["tasks"].is_u64()),
            "i" => assert_eq!(event["s"], "g"),
            "X" => {}
            other => panic!("an unknown phase: {other}"),
        }
    }
    assert!(
        slices.keys().all(|track| named.contains(track)),
        "a track has no name"
    );
    for (id, ends) in &ends {
        let [("s", from), ("f", until)] = ends[..] else {
            panic!("arrow {id} has the ends {ends:?}");
        };
        assert!(from <= until, "arrow {id} goes back in time");
    }
    assert!(!ends.is_empty(), "no wake is drawn");
}

#[test]
fn a_run_on_the_virtual_clock_is_valid() {
    assert_valid(&trace(Executor::builder().virtual_time()));
}

#[test]
fn a_run_on_the_real_clock_is_valid_and_has_all_its_tracks() {
    let events = trace(Executor::builder());
    assert_valid(&events);
    let slices = slices(&events);
    let names = |track: u64| -> HashSet<&str> {
        slices[&track]
            .iter()
            .map(|slice| slice.name.as_str())
            .collect()
    };
    assert!(names(1).contains("parked"));
    assert!(names(1).contains("everything #0"));
    let on_threads: usize = slices
        .iter()
        .filter(|(track, _)| **track >= 1_000_000_000)
        .map(|(_, slices)| slices.len())
        .sum();
    assert_eq!(on_threads, 3, "closures that ran on threads");
    let lengths: HashSet<u64> = events
        .iter()
        .filter(|event| event["ph"] == "C")
        .map(|event| event["args"]["tasks"].as_u64().unwrap())
        .collect();
    assert!(lengths.contains(&0) && lengths.contains(&3), "{lengths:?}");
}
