//! Ten thousand sleeps of one second, at the same time.

use std::time::{Duration, Instant};
use watchglass::{block_on, join, join_all, sleep};

/// How many threads this process has, as Linux counts them.
fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}

fn main() {
    let start = Instant::now();
    block_on(async {
        let sleeps = (0..10_000).map(|_| sleep(Duration::from_secs(1)));
        let count = async { println!("threads: {}", threads()) };
        join(join_all(sleeps), count).await; // all of them sleep when it counts
    });
    println!("Total: {:.2} s", start.elapsed().as_secs_f64());
}
