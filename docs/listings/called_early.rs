//! Two futures that are made early and awaited late: when do they start?

use std::time::{Duration, Instant};
use watchglass::{block_on, sleep};

async fn task_async(name: &str, delay: u64) {
    println!("{name} starting");
    sleep(Duration::from_secs(delay)).await;
    println!("{name} done");
}

async fn called_early() {
    let a = task_async("Task A", 2);
    let b = task_async("Task B", 1);
    println!("both are called");
    b.await;
    a.await;
}

fn main() {
    let start = Instant::now();
    block_on(called_early());
    println!("Total: {:.2} s", start.elapsed().as_secs_f64());
}
