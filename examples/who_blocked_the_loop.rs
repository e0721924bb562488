//! One task blocks the thread, and the executor says which, for how long and whom it delayed.
//!
//! Three tasks sleep for 100, 150 and 200 ms. A fourth sleeps for 50 ms and then calls `thread::sleep`: the
//! timers of the others come due while it has the thread. With `spawn_blocking` nothing is found.
//!
//! `cargo run --example who_blocked_the_loop`

use std::thread;
use std::time::Duration;

use watchglass::trace::{Event, Recording};
use watchglass::{Executor, join_all, sleep, spawn, spawn_blocking, spawn_named};

async fn polite(delay_ms: u64) {
    sleep(Duration::from_millis(delay_ms)).await;
}

async fn rude() {
    sleep(Duration::from_millis(50)).await;
    thread::sleep(Duration::from_millis(200));
}

async fn mended() {
    sleep(Duration::from_millis(50)).await;
    let closure = || thread::sleep(Duration::from_millis(200));
    spawn_blocking(closure).await.unwrap();
}

fn run(what: &str, suspect: impl Future<Output = ()> + 'static) {
    let recording = Recording::new();
    let executor = Executor::builder().observer(recording.clone()).build();
    executor.block_on(async {
        let polite = [100, 150, 200].map(|ms| spawn_named(format!("polite {ms}"), polite(ms)));
        let suspect = spawn(suspect);
        join_all(polite).await;
        suspect.await.unwrap();
    });
    println!("{what}:");
    let mut found = 0;
    for event in recording.events() {
        match event {
            Event::Spawned { task, name, .. } => println!("  {task} is {name}"),
            Event::LongPoll(poll) => {
                println!("  {poll}");
                found += 1;
            }
            _ => {}
        }
    }
    let plural = if found == 1 { "" } else { "s" };
    println!("  {found} long poll{plural}");
}

fn main() {
    run("thread::sleep in async code", rude());
    run("thread::sleep in spawn_blocking", mended());
}
