//! Five things that asyncio does in another way than Rust. The counterpart is differs.py.

use std::cell::RefCell;
use std::time::Duration;
use watchglass::{Executor, join, join_all, now, sleep, sleep_until, spawn, spawn_named};

const MS: Duration = Duration::from_millis(1);

/// Says when it is dropped before its end.
struct Unfinished(&'static str);

impl Drop for Unfinished {
    fn drop(&mut self) {
        println!("  {}", self.0);
    }
}

async fn say(what: &str) {
    println!("  {what}");
}

async fn equal_deadlines() {
    let order = RefCell::new(Vec::new());
    let when = now() + 10 * MS;
    let timer = async |number| {
        sleep_until(when).await;
        order.borrow_mut().push(number);
    };
    join_all((0..6).map(timer)).await;
    println!("  {:?}", order.borrow());
}

async fn made_together() {
    let start = now();
    let (first, second) = (sleep(200 * MS), sleep(100 * MS));
    first.await;
    second.await;
    println!("  {:.2} s", (now() - start).as_secs_f64());
}

async fn gather_or_join() {
    let spawned = spawn(say("spawned before"));
    join(say("first side"), say("second side")).await;
    spawned.await.unwrap();
}

async fn inner() {
    let unfinished = Unfinished("the inner task was cancelled");
    sleep(200 * MS).await;
    println!("  the inner task was done");
    std::mem::forget(unfinished);
}

async fn cancel_the_waiting() {
    let inner_task = spawn(inner());
    let outer_task = spawn_named("outer", async { inner_task.await.unwrap() });
    sleep(10 * MS).await;
    outer_task.abort();
    sleep(300 * MS).await;
}

async fn stubborn() {
    let _unfinished = Unfinished("cancelled, and I cannot go on");
    sleep(200 * MS).await;
    sleep(200 * MS).await;
    println!("  I am done");
}

async fn cancel_the_stubborn() {
    let task = spawn(stubborn());
    sleep(10 * MS).await;
    task.abort();
    sleep(500 * MS).await;
}

fn run(program: impl Future<Output = ()>) {
    Executor::builder().virtual_time().build().block_on(program);
}

fn main() {
    println!("six timers for one instant:");
    run(equal_deadlines());
    println!("sleeps of 0.2 s and 0.1 s are made, and then awaited in turn:");
    run(made_together());
    println!("a spawned task, and two that are joined:");
    run(gather_or_join());
    println!("a task is cancelled that awaits another:");
    run(cancel_the_waiting());
    println!("a task is cancelled that does not want to be:");
    run(cancel_the_stubborn());
}
