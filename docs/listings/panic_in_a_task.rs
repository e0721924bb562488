//! A panic ends the task that it happens in, and no other.

use std::time::Duration;
use watchglass::{Executor, sleep, spawn};

async fn task(name: &str, fails: bool) -> u32 {
    sleep(Duration::from_secs(1)).await;
    assert!(!fails, "{name} found something wrong");
    println!("{name} done");
    42
}

fn main() {
    let executor = Executor::builder().virtual_time().build();
    executor.block_on(async {
        let bad = spawn(task("bad", true));
        let good = spawn(task("good", false));
        println!("good: {:?}", good.await);
        match bad.await {
            Ok(output) => println!("bad: {output}"),
            Err(error) if error.is_cancelled() => println!("bad was cancelled"),
            Err(error) => println!("bad: {error}"),
        }
    });
}
