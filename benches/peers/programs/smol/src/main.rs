//! Two tasks at once on smol: two seconds, not three.

use std::time::{Duration, Instant};

use smol::{LocalExecutor, Timer, block_on};

async fn task_async(name: &str, seconds: u64) {
    println!("{name} starting");
    Timer::after(Duration::from_secs(seconds)).await;
    println!("{name} done");
}

fn main() {
    let started = Instant::now();
    let executor = LocalExecutor::new();
    block_on(executor.run(async {
        let a = executor.spawn(task_async("Task A", 2));
        let b = executor.spawn(task_async("Task B", 1));
        a.await;
        b.await;
    }));
    assert_eq!(started.elapsed().as_secs(), 2);
}
