//! Hours of use in little: `scripts/soak` runs this, for ten minutes unless it is told otherwise.

mod common;

use std::fs;
use std::future::pending;
use std::panic::{set_hook, take_hook};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use async_channel::Receiver;
use common::{Log, Probe, ms, secs};
use watchglass::{
    Executor, JoinSet, block_on, interval, join_all, race, sleep, spawn, spawn_blocking, timeout,
    yield_now,
};

/// The resident memory of this process, in KiB. `None` where the system does not say.
fn resident_kib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// One round of everything: spawns, cancels, times out, panics, and is woken by threads.
async fn round(messages: Receiver<u64>) {
    let mut set = JoinSet::new();
    for n in 0..100u64 {
        set.spawn(async move {
            sleep(Duration::from_micros(n * 7 % 50)).await;
            assert_ne!(n, 50, "on purpose");
            n
        });
    }
    let aborted: Vec<_> = (0..50).map(|_| spawn(sleep(secs(60)))).collect();
    let detached = Probe::new();
    drop(spawn(timeout(ms(1), detached.run())));
    yield_now().await;
    aborted.iter().for_each(|task| task.abort());
    let mut ticks = interval(Duration::from_micros(100));
    for _ in 0..5 {
        ticks.tick().await;
    }
    let timed_out = (0..20).map(|_| timeout(Duration::from_micros(10), pending::<()>()));
    assert!(join_all(timed_out).await.iter().all(Result::is_err));
    let from_threads = (0..20).map(|_| messages.recv());
    assert!(join_all(from_threads).await.iter().all(Result::is_ok));
    assert_eq!(race(async { 1 }, pending()).await, 1);
    let closures = (0..4).map(|n| spawn_blocking(move || n));
    join_all(closures).await;
    let queued = spawn_blocking(|| ());
    queued.abort();
    let mut ended = 0;
    while let Some(outcome) = set.join_next().await {
        ended += usize::from(outcome.is_ok());
    }
    assert_eq!(ended, 99);
}

#[test]
#[ignore = "ten minutes: run by scripts/soak"]
fn memory_stays_flat_and_nothing_is_lost() {
    let seconds = std::env::var("WATCHGLASS_SOAK_SECONDS");
    let length = secs(seconds.map_or(600, |text| text.parse().expect("a number of seconds")));
    let usual = take_hook();
    set_hook(Box::new(move |info| {
        if !info.to_string().contains("on purpose") {
            usual(info);
        }
    }));
    let over = AtomicBool::new(false);
    let (send, messages) = async_channel::bounded(16);
    thread::scope(|scope| {
        for _ in 0..3 {
            let send = send.clone();
            let over = &over;
            scope.spawn(move || {
                for n in 0.. {
                    if over.load(Ordering::Relaxed) || send.send_blocking(n).is_err() {
                        return;
                    }
                }
            });
        }
        let executor = Executor::builder().blocking_threads(4).build();
        let (start, seen) = (Instant::now(), Log::new());
        let (mut rounds, mut next_look) = (0u64, length / 10);
        while start.elapsed() < length {
            executor.block_on(round(messages.clone()));
            // Every hundredth round has an executor of its own, that is dropped with its tasks.
            if rounds % 100 == 0 {
                block_on(async {
                    drop(spawn(pending::<()>()));
                    round(messages.clone()).await;
                });
            }
            rounds += 1;
            if start.elapsed() >= next_look {
                next_look += length / 10;
                seen.push(resident_kib());
            }
        }
        over.store(true, Ordering::Relaxed);
        messages.close();
        report(rounds, length, &seen.take());
    });
}

/// Flat means: no more at any time than at the first look, a tenth of the way, but for a little slack.
fn report(rounds: u64, length: Duration, seen: &[Option<u64>]) {
    println!("{rounds} rounds in {} s", length.as_secs());
    let Some(seen): Option<Vec<u64>> = seen.iter().copied().collect() else {
        return println!("this system does not tell the memory of a process: not compared");
    };
    println!("resident memory at each tenth, in KiB: {seen:?}");
    let (first, most) = (seen[0], seen.iter().copied().max().unwrap_or(0));
    if std::env::var_os("WATCHGLASS_SOAK_UNDER_VALGRIND").is_some() {
        return println!("not compared: valgrind keeps what is freed for a while");
    }
    let slack = first / 10 + 2048;
    assert!(most <= first + slack, "it grew from {first} to {most} KiB");
}
