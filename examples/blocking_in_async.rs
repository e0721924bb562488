//! The second warning: a call that blocks, inside async code, blocks everybody.
//!
//! There is one thread. While `thread::sleep` has it, nobody else is polled and no timer fires:
//! `async` in front of the function changes nothing about that. Watch Task C, which only wanted
//! 10 ms. Then watch the same with `spawn_blocking`, which moves the closure to another thread.
//!
//! `cargo run --example blocking_in_async`

use std::thread;
use std::time::{Duration, Instant};
use watchglass::{block_on, join_all, sleep, spawn, spawn_blocking};

/// Wrong: it never awaits, so it never gives the thread away.
async fn blocks(name: &str, delay: u64) {
    println!("{name} starting");
    thread::sleep(Duration::from_secs(delay));
    println!("{name} done");
}

/// Right: it awaits a closure that blocks another thread.
async fn awaits(name: &str, delay: u64) {
    println!("{name} starting");
    let closure = move || thread::sleep(Duration::from_secs(delay));
    spawn_blocking(closure).await.unwrap();
    println!("{name} done");
}

async fn wants_10_ms(start: Instant) {
    sleep(Duration::from_millis(10)).await;
    println!("Task C done: wanted 0.01 s, got {:.2} s", seconds(start));
}

fn main() {
    println!("thread::sleep in async code:");
    let start = Instant::now();
    block_on(async {
        let c = spawn(wants_10_ms(start));
        let a = spawn(blocks("Task A", 2));
        let b = spawn(blocks("Task B", 1));
        join_all([c, a, b]).await;
    });
    println!("Total: {:.2} s\n", seconds(start));

    println!("thread::sleep in spawn_blocking:");
    let start = Instant::now();
    block_on(async {
        let c = spawn(wants_10_ms(start));
        let a = spawn(awaits("Task A", 2));
        let b = spawn(awaits("Task B", 1));
        join_all([c, a, b]).await;
    });
    println!("Total: {:.2} s", seconds(start));
}

fn seconds(start: Instant) -> f64 {
    start.elapsed().as_secs_f64()
}
