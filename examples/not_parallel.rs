//! The third warning: concurrent is not parallel.
//!
//! An executor shares one thread among those who *wait*. Tasks that compute never wait, so two of
//! them take as long as one after the other. That is by design: for computing at the same time
//! there are threads. Watch which thread each runs on, and when it begins and ends.
//!
//! `cargo run --example not_parallel`

use std::thread;
use std::time::Instant;
use watchglass::{block_on, join, spawn_blocking};

/// Keeps a processor busy for a while.
fn count_primes(name: &str, start: Instant) {
    let from = start.elapsed().as_secs_f64();
    let is_prime = |n: &u32| (2..=n.isqrt()).all(|d| !n.is_multiple_of(d));
    let primes = (2..500_000).filter(is_prime).count();
    let to = start.elapsed().as_secs_f64();
    let thread = thread::current();
    let thread = thread.name().unwrap();
    println!("  {name}: {primes} primes, from {from:.2} s to {to:.2} s on thread {thread}");
}

async fn count_primes_async(name: &str, start: Instant) {
    count_primes(name, start);
}

fn timed(title: &str, program: impl FnOnce(Instant)) {
    println!("{title}:");
    let start = Instant::now();
    program(start);
    println!("  total {:.2} s", start.elapsed().as_secs_f64());
}

fn main() {
    timed("two calls", |start| {
        count_primes("A", start);
        count_primes("B", start);
    });
    timed("concurrent, on one thread: no faster", |start| {
        let (a, b) = (
            count_primes_async("A", start),
            count_primes_async("B", start),
        );
        block_on(join(a, b));
    });
    timed("two closures in spawn_blocking: parallel", |start| {
        block_on(async {
            let a = spawn_blocking(move || count_primes("A", start));
            let b = spawn_blocking(move || count_primes("B", start));
            let (a, b) = join(a, b).await;
            a.and(b).unwrap();
        });
    });
    timed("two threads with an executor each: parallel", |start| {
        thread::scope(|scope| {
            for name in ["A", "B"] {
                let program = move || block_on(count_primes_async(name, start));
                let thread = thread::Builder::new().name(format!("executor-{name}"));
                thread.spawn_scoped(scope, program).unwrap();
            }
        });
    });
}
