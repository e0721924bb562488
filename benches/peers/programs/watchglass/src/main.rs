//! Two tasks at once on watchglass: two seconds, not three.

use std::time::{Duration, Instant};

use watchglass::{block_on, join, sleep, spawn};

async fn task_async(name: &str, seconds: u64) {
    println!("{name} starting");
    sleep(Duration::from_secs(seconds)).await;
    println!("{name} done");
}

fn main() {
    let started = Instant::now();
    block_on(async {
        let a = spawn(task_async("Task A", 2));
        let b = spawn(task_async("Task B", 1));
        let (a, b) = join(a, b).await;
        a.and(b).expect("neither task panics");
    });
    assert_eq!(started.elapsed().as_secs(), 2);
}
