//! Two lives of the same async function: one ends by itself, one is cancelled.

use std::time::Duration;
use watchglass::{Executor, sleep, spawn_named};

async fn task_async(name: &str, delay: Duration) {
    println!("{name} starting");
    sleep(delay).await;
    println!("{name} done");
}

fn main() {
    let executor = Executor::builder().virtual_time().build();
    executor.block_on(async {
        let second = Duration::from_secs(1);
        let a = spawn_named("Task A", task_async("Task A", 2 * second));
        let b = spawn_named("Task B", task_async("Task B", 3 * second));
        sleep(second).await;
        b.abort();
        let _ = a.await;
    });
}
