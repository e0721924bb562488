//! What becomes of a future that nobody awaits any more?

use std::time::Duration;
use watchglass::{Executor, race, sleep, spawn};

struct Alive(&'static str);

impl Drop for Alive {
    fn drop(&mut self) {
        println!("  {} is dropped", self.0);
    }
}

async fn ticks(name: &'static str) {
    let _alive = Alive(name);
    loop {
        sleep(Duration::from_secs(1)).await;
        println!("  {name} ticks");
    }
}

async fn and_a_half(seconds: u64) {
    sleep(Duration::from_millis(seconds * 1000 + 500)).await;
}

fn main() {
    let executor = Executor::builder().virtual_time().build();
    executor.block_on(async {
        println!("a race of 2.5 s:");
        race(ticks("the loser"), and_a_half(2)).await;
        println!("the race is over. 2.5 s later:");
        and_a_half(2).await;

        println!("a task, and its handle is dropped after 2.5 s:");
        let handle = spawn(ticks("the task"));
        and_a_half(2).await;
        drop(handle);
        println!("the handle is gone. 2.5 s later:");
        and_a_half(2).await;

        println!("a task that is aborted after 1.5 s:");
        let handle = spawn(ticks("the aborted one"));
        and_a_half(1).await;
        handle.abort();
        println!("aborted, and awaited: {}", handle.await.unwrap_err());
        println!("block_on ends");
    });
    println!("the executor is dropped");
}
