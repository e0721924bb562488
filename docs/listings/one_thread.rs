//! Which thread runs the two sides of a join, and a spawned task?

use std::thread;
use std::time::Duration;
use watchglass::{block_on, join, sleep, spawn};

async fn task_async(name: &str, millis: u64) {
    println!("{name} starting on {:?}", thread::current().name());
    sleep(Duration::from_millis(millis)).await;
    println!("{name} done on {:?}", thread::current().name());
}

/// How many threads this process has, as Linux counts them.
fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}

fn main() {
    block_on(async {
        let spawned = spawn(task_async("Task C", 30));
        join(task_async("Task A", 20), task_async("Task B", 10)).await;
        println!("threads: {}", threads());
        spawned.await.unwrap();
    });
}
