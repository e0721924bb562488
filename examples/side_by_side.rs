//! Both programs, drawn on one time axis: what overlapped, and what that saved.
//!
//! Watch the bars. Both programs wait 3 s in all. One after the other that takes 3 s; at the same
//! time it takes 2 s. Nothing was made faster: 1 s of waiting was shared.
//!
//! `cargo run --example side_by_side`

use std::thread;
use std::time::{Duration, Instant};
use watchglass::{block_on, join, sleep};

/// When a task began to wait and when it was done, in seconds since its program began.
struct Wait {
    name: &'static str,
    from: f64,
    to: f64,
}

fn task_sync(name: &'static str, delay: u64, start: Instant) -> Wait {
    let from = start.elapsed().as_secs_f64();
    thread::sleep(Duration::from_secs(delay));
    let to = start.elapsed().as_secs_f64();
    Wait { name, from, to }
}

async fn task_async(name: &'static str, delay: u64, start: Instant) -> Wait {
    let from = start.elapsed().as_secs_f64();
    sleep(Duration::from_secs(delay)).await;
    let to = start.elapsed().as_secs_f64();
    Wait { name, from, to }
}

fn main() {
    let start = Instant::now();
    let waits = [task_sync("Task 1", 2, start), task_sync("Task 2", 1, start)];
    report("synchronous", &waits, start.elapsed());

    println!();
    let start = Instant::now();
    let a = task_async("Task A", 2, start);
    let b = task_async("Task B", 1, start);
    let (a, b) = block_on(join(a, b));
    report("asynchronous", &[a, b], start.elapsed());
}

fn report(program: &str, waits: &[Wait], wall_time: Duration) {
    println!("{program:12}  0         1         2         3 s");
    for Wait { name, from, to } in waits {
        let column = |seconds: &f64| (seconds * 10.0).round() as usize;
        let before = " ".repeat(column(from));
        let bar = "=".repeat(column(to) - column(from));
        println!("  {name:10}  {before}{bar}");
    }
    let waited: f64 = waits.iter().map(|wait| wait.to - wait.from).sum();
    let wall_time = wall_time.as_secs_f64();
    let last_began = waits.iter().map(|wait| wait.from).fold(0.0, f64::max);
    let first_done = waits.iter().map(|wait| wait.to).fold(f64::MAX, f64::min);
    let shared = (first_done - last_began).max(0.0);
    println!("  waited {waited:.2} s in {wall_time:.2} s: {shared:.2} s of it at the same time");
}
