//! The first warning: one after the other is how every program runs unless it says otherwise.
//!
//! Watch that Task 2 does not start before Task 1 is done. While it sleeps, the thread can do
//! nothing else, so the waits add up: 2 s + 1 s = 3 s.
//!
//! `cargo run --example synchronous`

use std::thread;
use std::time::{Duration, Instant};

fn task_sync(name: &str, delay: u64) {
    println!("{name} starting");
    thread::sleep(Duration::from_secs(delay));
    println!("{name} done");
}

fn main() {
    let start = Instant::now();
    task_sync("Task 1", 2);
    task_sync("Task 2", 1);
    println!("Total: {:.2} s", start.elapsed().as_secs_f64());
}
