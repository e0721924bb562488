//! The same two waits at the same time, on one thread.
//!
//! Watch that Task B starts while Task A waits, and is done first. Where a task awaits its sleep
//! it gives the thread to the other one, so the total is the longest wait: 2 s, not 3 s.
//! In Python's words, `block_on` is `asyncio.run` and `join` is `asyncio.gather`.
//!
//! `cargo run --example asynchronous`

use std::time::{Duration, Instant};
use watchglass::{block_on, join, sleep};

async fn task_async(name: &str, delay: u64) {
    println!("{name} starting");
    sleep(Duration::from_secs(delay)).await;
    println!("{name} done");
}

fn main() {
    let start = Instant::now();
    block_on(join(task_async("Task A", 2), task_async("Task B", 1)));
    println!("Total: {:.2} s", start.elapsed().as_secs_f64());
}
