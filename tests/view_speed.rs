//! What watching costs. Numbers depend on the machine, so this runs only when asked:
//!
//! `cargo test --release --test view_speed -- --ignored --nocapture`

use std::time::{Duration, Instant};

use watchglass::trace::Recording;
use watchglass::{Executor, join_all, sleep, yield_now};

const EVENTS: usize = 1_000_000;

/// Tasks that yield, and from time to time sleep: five events a turn.
async fn turns(turns: usize) {
    for turn in 0..turns {
        if turn % 16 == 0 {
            sleep(Duration::from_micros(1)).await;
        } else {
            yield_now().await;
        }
    }
}

fn run(executor: &Executor) -> Duration {
    let tasks: Vec<_> = (0..100).map(|_| executor.spawn(turns(2_420))).collect();
    let start = Instant::now();
    executor.block_on(join_all(tasks));
    start.elapsed()
}

fn resident_mb() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kb = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    kb.unwrap_or(0_usize) / 1024
}

#[test]
#[ignore = "measures; run it by itself, in release"]
fn a_million_events_are_recorded_and_told() {
    let unwatched = (0..5)
        .map(|_| run(&Executor::builder().virtual_time().build()))
        .min()
        .unwrap();
    let mut recorded = Duration::MAX;
    let mut recording = Recording::new();
    for clock in ["virtual", "real"] {
        for _ in 0..5 {
            drop(std::mem::take(&mut recording));
            let builder = Executor::builder().observer(recording.clone());
            let builder = if clock == "virtual" {
                builder.virtual_time()
            } else {
                builder
            };
            recorded = recorded.min(run(&builder.build()));
        }
        let each = (recorded.saturating_sub(unwatched)).as_nanos() / recording.len() as u128;
        println!(
            "{clock} clock: {} events in {recorded:?}, {unwatched:?} unwatched: {each} ns an event, \
             at most {} MB in use",
            recording.len(),
            resident_mb()
        );
        recorded = Duration::MAX;
    }
    assert!(recording.len() >= EVENTS, "{} events", recording.len());
    assert!(resident_mb() < 200, "{} MB", resident_mb());
    let start = Instant::now();
    let story = recording.story();
    println!(
        "the story: {} MB in {:?}, at most {} MB in use",
        story.len() >> 20,
        start.elapsed(),
        resident_mb()
    );
}
