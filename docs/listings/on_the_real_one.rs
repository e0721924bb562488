//! The two tasks of the tiny executor, on the real one.

use std::time::{Duration, Instant};
use watchglass::{block_on, sleep, spawn_named};

async fn task_async(name: &str, delay: Duration) {
    println!("{name} starting");
    sleep(delay).await;
    println!("{name} done");
}

fn main() {
    let start = Instant::now();
    block_on(async {
        let a = spawn_named("Task A", task_async("Task A", Duration::from_secs(2)));
        let b = spawn_named("Task B", task_async("Task B", Duration::from_secs(1)));
        let _ = a.await;
        let _ = b.await;
    });
    println!("total {:.2} s", start.elapsed().as_secs_f64());
}
