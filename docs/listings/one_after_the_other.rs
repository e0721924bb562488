//! Async code that awaits one thing after another is as slow as before.

use std::time::{Duration, Instant};
use watchglass::{block_on, sleep};

async fn task_async(name: &str, delay: u64) {
    println!("{name} starting");
    sleep(Duration::from_secs(delay)).await;
    println!("{name} done");
}

async fn one_after_the_other() {
    task_async("Task A", 2).await;
    task_async("Task B", 1).await;
}

fn main() {
    let start = Instant::now();
    block_on(one_after_the_other());
    println!("Total: {:.2} s", start.elapsed().as_secs_f64());
}
