//! Two tasks at once on tokio: two seconds, not three.

use std::time::{Duration, Instant};

use tokio::runtime::Builder;
use tokio::spawn;
use tokio::time::sleep;

async fn task_async(name: &str, seconds: u64) {
    println!("{name} starting");
    sleep(Duration::from_secs(seconds)).await;
    println!("{name} done");
}

fn main() {
    let started = Instant::now();
    let runtime = Builder::new_current_thread().enable_time().build();
    runtime.expect("the runtime starts").block_on(async {
        let a = spawn(task_async("Task A", 2));
        let b = spawn(task_async("Task B", 1));
        let (a, b) = (a.await, b.await);
        a.and(b).expect("neither task panics");
    });
    assert_eq!(started.elapsed().as_secs(), 2);
}
