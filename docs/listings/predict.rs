//! A program to predict: which task is polled next, why, and when?

use std::time::Duration;
use watchglass::trace::{Event, Recording};
use watchglass::{Executor, JoinHandle, sleep, spawn_named, timeout, yield_now};

async fn ticks() {
    for _ in 0..3 {
        sleep(Duration::from_secs(1)).await;
    }
}

async fn steps_aside() {
    yield_now().await;
}

async fn is_impatient(ticks: JoinHandle<()>) {
    let _ = timeout(Duration::from_millis(1500), ticks).await;
}

async fn program() {
    let a = spawn_named("A", ticks());
    let b = spawn_named("B", steps_aside());
    let c = spawn_named("C", is_impatient(a));
    let _ = b.await;
    sleep(Duration::from_secs(1)).await;
    let _ = c.await;
}

fn main() {
    let recording = Recording::new();
    let builder = Executor::builder().virtual_time();
    let executor = builder.observer(recording.clone()).build();
    executor.block_on(program());
    drop(executor);
    for record in recording.records() {
        if matches!(record.event, Event::PollStarted { .. }) {
            println!("{record}");
        }
    }
}
