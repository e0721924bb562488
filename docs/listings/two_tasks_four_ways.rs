//! Two tasks of 2 s and 1 s, run in four ways.

use std::time::Duration;
use watchglass::{Executor, join, now, sleep, spawn};

async fn task(seconds: u64) {
    sleep(Duration::from_secs(seconds)).await;
}

async fn awaited() {
    task(2).await;
    task(1).await;
}

async fn joined() {
    join(task(2), task(1)).await;
}

async fn spawned() {
    let a = spawn(task(2));
    let b = spawn(task(1));
    a.await.unwrap();
    b.await.unwrap();
}

async fn spawned_one_by_one() {
    spawn(task(2)).await.unwrap();
    spawn(task(1)).await.unwrap();
}

fn measure(name: &str, program: impl Future<Output = ()>) {
    let executor = Executor::builder().virtual_time().build();
    executor.block_on(async {
        let start = now();
        program.await;
        println!("{name}: {:?}", now() - start);
    });
}

fn main() {
    measure("awaited", awaited());
    measure("joined", joined());
    measure("spawned", spawned());
    measure("spawned one by one", spawned_one_by_one());
}
