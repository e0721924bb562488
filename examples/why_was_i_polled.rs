//! The reason for each poll, from the log of a run.
//!
//! Watch that each poll has a cause: the task is new, or something woke it, and the executor knows what
//! that was. No task is polled just to ask it "are you done yet?".
//!
//! `cargo run --example why_was_i_polled`
//!
//! `WATCHGLASS=step cargo run --example why_was_i_polled` walks through it; there, `w` jumps from a
//! poll to the wake behind it.

use std::thread;
use std::time::Duration;

use async_channel::{Receiver, bounded};
use watchglass::trace::{Event, Recording};
use watchglass::{Executor, sleep, spawn, yield_now};

async fn sleeper() {
    sleep(Duration::from_millis(20)).await;
}

async fn yielder() {
    yield_now().await;
}

async fn receiver(letters: Receiver<&'static str>) {
    letters.recv().await.unwrap();
}

async fn joiner() {
    spawn(sleeper()).await.unwrap();
}

async fn everyone() {
    let (here, from_a_task) = bounded(1);
    let (elsewhere, from_a_thread) = bounded(1);
    let tasks = [
        spawn(yielder()),
        spawn(receiver(from_a_task)),
        spawn(receiver(from_a_thread)),
        spawn(joiner()),
    ];
    sleep(Duration::from_millis(10)).await;
    here.send("from a task").await.unwrap();
    let thread = thread::spawn(move || elsewhere.send_blocking("from a thread").unwrap());
    for task in tasks {
        task.await.unwrap();
    }
    thread.join().unwrap();
}

fn main() {
    let recording = Recording::new();
    let executor = Executor::builder().observer(recording.clone()).build();
    executor.block_on(everyone());
    for event in recording.events() {
        match event {
            Event::Spawned { task, name, .. } => println!("{task} is {name}"),
            Event::PollStarted { task, why } => println!("{task} is polled: {why}"),
            _ => {}
        }
    }
}
