//! What the executor's own operations cost, without peers: `cargo bench` in this folder.
//!
//! To see what a change costs, run it before and after; `cargo bench yield` runs those whose name
//! has this word in it. The throughput counts operations (polls, tasks, timers), so that workloads
//! of different sizes can be compared. An executor is kept from sample to sample, as in a program.
//! How watchglass does beside other executors: `benches/peers`. Whether an operation takes more
//! instructions than it did, which a busy machine does not change: `scripts/instructions`.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use watchglass::time::Sleep;
use watchglass::trace::{Record, Recording};
use watchglass::{Executor, join_all, now, sleep, spawn, yield_now};

fn main() {
    divan::main();
}

// ---- tasks

/// Many tasks are spawned, then all are awaited.
#[divan::bench]
fn spawn_join(bencher: Bencher) {
    let tasks = 10_000;
    on(Executor::new(), bencher, tasks, async move || {
        let spawned: Vec<_> = (0..tasks).map(|i| spawn(async move { i })).collect();
        for task in spawned {
            black_box(task.await.unwrap());
        }
    });
}

/// A task is spawned and awaited, then the next.
#[divan::bench]
fn spawn_one_by_one(bencher: Bencher) {
    let tasks = 10_000;
    on(Executor::new(), bencher, tasks, async move || {
        for i in 0..tasks {
            black_box(spawn(async move { i }).await.unwrap());
        }
    });
}

#[divan::bench]
fn yield_one(bencher: Bencher) {
    on(Executor::new(), bencher, 100_000, async || {
        yields(1, 100_000).await
    });
}

#[divan::bench]
fn yield_many(bencher: Bencher) {
    on(Executor::new(), bencher, 100_000, async || {
        yields(1_000, 100).await
    });
}

/// Two tasks wake each other.
#[divan::bench]
fn ping_pong(bencher: Bencher) {
    let round_trips = 10_000;
    on(Executor::new(), bencher, round_trips, async move || {
        let table = Rc::new(Table::default());
        let players = [0, 1].map(|me| {
            let table = table.clone();
            spawn(async move {
                for _ in 0..round_trips {
                    table.receive(me).await;
                    table.send(1 - me);
                }
            })
        });
        for player in players {
            player.await.unwrap();
        }
    });
}

/// `join_all` of futures that each yield ten times.
#[divan::bench]
fn fan_in(bencher: Bencher) {
    on(Executor::new(), bencher, 10_000 * 10, async || {
        join_all((0..10_000).map(|_| async {
            for _ in 0..10 {
                yield_now().await;
            }
        }))
        .await;
    });
}

/// The thread parks until another one wakes its task.
#[divan::bench]
fn remote_wake(bencher: Bencher) {
    let round_trips = 1_000;
    let (to_other, asked) = mpsc::channel::<(Waker, Arc<AtomicBool>)>();
    let other = thread::spawn(move || {
        for (waker, woken) in asked {
            woken.store(true, Ordering::Release);
            waker.wake();
        }
    });
    on(Executor::new(), bencher, round_trips, async || {
        for _ in 0..round_trips {
            let woken = Arc::new(AtomicBool::new(false));
            let mut asked = false;
            poll_fn(|context| {
                if !asked {
                    let question = (context.waker().clone(), woken.clone());
                    to_other.send(question).expect("the other thread listens");
                    asked = true;
                }
                match woken.load(Ordering::Acquire) {
                    true => Poll::Ready(()),
                    false => Poll::Pending,
                }
            })
            .await;
        }
    });
    drop(to_other);
    other.join().unwrap();
}

/// Entering and leaving `block_on`.
#[divan::bench(sample_size = 1000)]
fn block_on_ready(bencher: Bencher) {
    let executor = Executor::new();
    bencher.bench_local(|| executor.block_on(async { black_box(1) }));
}

/// The same with an executor made for it.
#[divan::bench(sample_size = 1000)]
fn block_on_ready_with_a_new_executor() -> i32 {
    watchglass::block_on(async { black_box(1) })
}

// ---- timers

/// Sleeps that are armed and dropped, as by a timeout that is not needed.
#[divan::bench]
fn sleep_dropped(bencher: Bencher) {
    let timers = 10_000;
    on(Executor::new(), bencher, timers, async move || {
        for i in 0..timers {
            drop(armed(Duration::from_millis(10_000 + scattered(i))).await);
        }
    });
}

/// A sleep that is moved on again and again, as by what must not be idle for too long.
#[divan::bench]
fn sleep_reset(bencher: Bencher) {
    let times = 10_000;
    on(Executor::new(), bencher, times, async move || {
        let minute = Duration::from_secs(60);
        let mut sleep = armed(minute).await;
        for _ in 0..times {
            sleep.reset(now() + minute);
        }
    });
}

#[divan::bench]
fn sleep_under_virtual_time(bencher: Bencher) {
    let tasks = 10_000;
    let executor = Executor::builder().virtual_time().build();
    on(executor, bencher, tasks, async move || {
        let sleep = |i| spawn(sleep(Duration::from_millis(scattered(i))));
        let sleeping: Vec<_> = (0..tasks).map(sleep).collect();
        for task in sleeping {
            task.await.unwrap();
        }
    });
}

/// `yield_many` while ten thousand timers are armed, none of which fires.
#[divan::bench]
fn busy_with_timers(bencher: Bencher) {
    let executor = Executor::new();
    let armed = executor.block_on(async {
        let mut sleeps = Vec::new();
        for i in 0..10_000 {
            sleeps.push(armed(Duration::from_millis(3_600_000 + scattered(i))).await);
        }
        sleeps
    });
    on(executor, bencher, 100_000, async || {
        yields(1_000, 100).await
    });
    drop(armed);
}

// ---- what it costs to be observed; compare with `yield_many`

#[divan::bench]
fn yield_many_counted(bencher: Bencher) {
    let events = Rc::new(Cell::new(0_u64));
    let counted = events.clone();
    let count = move |_: &Record| counted.set(counted.get() + 1);
    let executor = Executor::builder().observer(count).build();
    on(executor, bencher, 100_000, async || {
        yields(1_000, 100).await
    });
    assert!(events.get() > 0);
}

#[divan::bench]
fn yield_many_recorded(bencher: Bencher) {
    let recording = Recording::new();
    let executor = Executor::builder().observer(recording.clone()).build();
    on(executor, bencher, 100_000, async || {
        yields(1_000, 100).await;
        // Otherwise the records of all samples would be kept.
        drop(recording.take());
    });
}

// ---- what they are made of

/// Runs `workload`, which does so many `operations`, in one `block_on` a sample.
fn on(executor: Executor, bencher: Bencher, operations: u64, workload: impl AsyncFn()) {
    bencher
        .counter(ItemsCount::new(operations))
        .bench_local(|| executor.block_on(workload()));
}

/// So many tasks yield so often each.
async fn yields(tasks: u64, times: u64) {
    let task = |_| {
        spawn(async move {
            for _ in 0..times {
                yield_now().await;
            }
        })
    };
    let spawned: Vec<_> = (0..tasks).map(task).collect();
    for task in spawned {
        task.await.unwrap();
    }
}

/// A sleep that has been polled once, so that its timer is in the wheel.
async fn armed(duration: Duration) -> Sleep {
    let mut sleep = sleep(duration);
    let waits = poll_fn(|context| Poll::Ready(Pin::new(&mut sleep).poll(context).is_pending()));
    assert!(waits.await, "no timer fires");
    sleep
}

/// The numbers below 10,000, each once, in an order that is always the same.
fn scattered(i: u64) -> u64 {
    i * 6_113 % 10_000
}

/// Two players, one ball. The first has it.
#[derive(Default)]
struct Table {
    ball_at: Cell<usize>,
    waiting: Cell<Option<Waker>>,
}

impl Table {
    fn send(&self, to: usize) {
        self.ball_at.set(to);
        if let Some(waker) = self.waiting.take() {
            waker.wake();
        }
    }

    async fn receive(&self, me: usize) {
        poll_fn(|context| {
            if self.ball_at.get() == me {
                return Poll::Ready(());
            }
            self.waiting.set(Some(context.waker().clone()));
            Poll::Pending
        })
        .await;
    }
}
