//! The life of one sleep, step by step, as the executor's own events tell it.
//!
//! `cargo run --example one_sleep`

use std::time::Duration;

use watchglass::trace::Record;
use watchglass::{Executor, sleep, spawn};

async fn task_async() -> &'static str {
    sleep(Duration::from_millis(100)).await;
    "slept"
}

fn main() {
    let print = |record: &Record| println!("{record}");
    let executor = Executor::builder().observer(print).build();
    let output = executor.block_on(async { spawn(task_async()).await });
    println!("the task said: {}", output.unwrap());
}
