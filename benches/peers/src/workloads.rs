//! The workloads: what is run, and how often.
//!
//! Each function runs one sample on a runtime that is kept from round to round
//! and gives the cost of one operation. Each asserts that the polls, wakes and
//! timers that it counts really happened, or ends only when they have: a runtime that
//! loses one stops the comparison instead of winning it.

use std::cell::Cell;
use std::future::poll_fn;
use std::hint::{black_box, spin_loop};
use std::mem::MaybeUninit;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::futures::{Flag, Latch, Slot, Yields};
use crate::random::Random;
use crate::runtimes::{Handles, Pool, Runtime, Threads, Timers};

/// What one sample found: the cost of an operation, or, where each operation
/// is timed by itself, the cost of every one.
pub type Sample = Vec<f64>;

fn per_operation(elapsed: Duration, operations: u64) -> Sample {
    vec![elapsed.as_secs_f64() * 1e9 / operations as f64]
}

/// The same, where each operation gave its number, from 0 on: so none is left out.
fn per_number(elapsed: Duration, sum: u64, operations: u64) -> Sample {
    let all = operations * (operations - 1) / 2;
    assert_eq!(sum, all, "every operation gives its number");
    per_operation(elapsed, operations)
}

/// An empty vector whose memory the system has given already. A vector of handles belongs to the workload, and the page
/// faults of a new one, or none if it lies where another was, would be counted for whichever runtime they hit.
fn room_for<T>(items: usize) -> Vec<T> {
    let mut room = black_box(Vec::with_capacity(items));
    room.spare_capacity_mut().fill_with(MaybeUninit::zeroed);
    // So that the writes are not left out.
    black_box(room)
}

pub fn spawn_join<R: Handles>(runtime: &mut R) -> Sample {
    const TASKS: u64 = 100_000;
    let spawner = runtime.spawner();
    let mut handles = room_for(TASKS as usize);
    let started = Instant::now();
    let sum = runtime.block_on(async {
        let spawn = |i| R::spawn(&spawner, async move { black_box(i) });
        handles.extend((0..TASKS).map(spawn));
        let mut sum = 0;
        for handle in handles.drain(..) {
            sum += R::value(handle.await);
        }
        sum
    });
    let elapsed = started.elapsed();
    per_number(elapsed, sum, TASKS)
}

pub fn spawn_one_by_one<R: Handles>(runtime: &mut R) -> Sample {
    const TASKS: u64 = 100_000;
    let spawner = runtime.spawner();
    let started = Instant::now();
    let sum = runtime.block_on(async {
        let mut sum = 0;
        for i in 0..TASKS {
            sum += R::value(R::spawn(&spawner, async move { black_box(i) }).await);
        }
        sum
    });
    let elapsed = started.elapsed();
    per_number(elapsed, sum, TASKS)
}

pub fn spawn_detached<R: Runtime>(runtime: &mut R) -> Sample {
    const TASKS: u64 = 100_000;
    let spawner = runtime.spawner();
    let done = Latch::new(TASKS);
    let started = Instant::now();
    runtime.block_on(async {
        for i in 0..TASKS {
            let done = Rc::clone(&done);
            R::spawn_detached(&spawner, async move {
                black_box(i);
                done.count_down();
            });
        }
        done.reached().await;
    });
    per_operation(started.elapsed(), TASKS)
}

/// As most tasks do, each waits for somebody once, and so needs a waker of its own.
pub fn spawn_wait<R: Handles>(runtime: &mut R) -> Sample {
    const TASKS: u64 = 100_000;
    let spawner = runtime.spawner();
    let slots: Rc<Vec<Slot>> = Rc::new((0..TASKS).map(|_| Slot::default()).collect());
    let mut handles = room_for(TASKS as usize);
    let started = Instant::now();
    let sum = runtime.block_on(async {
        let spawn = |i: usize| {
            let slots = Rc::clone(&slots);
            R::spawn(&spawner, async move { slots[i].receive().await })
        };
        handles.extend((0..TASKS as usize).map(spawn));
        // All wait when this one, which comes after them, is done.
        R::value(R::spawn(&spawner, async {}).await);
        (0..).zip(slots.iter()).for_each(|(i, slot)| slot.send(i));
        let mut sum = 0;
        for handle in handles.drain(..) {
            sum += R::value(handle.await);
        }
        sum
    });
    let elapsed = started.elapsed();
    let woken = |slot: &Slot| slot.wakes() == 1;
    assert!(slots.iter().all(woken), "every task has waited");
    per_number(elapsed, sum, TASKS)
}

pub fn large_output<R: Handles, const BYTES: usize>(runtime: &mut R) -> Sample {
    const TASKS: u64 = 10_000;
    let spawner = runtime.spawner();
    let started = Instant::now();
    let sum = runtime.block_on(async {
        let mut sum = 0;
        for i in 0..TASKS as usize {
            let task = async move {
                let mut output = [0_u8; BYTES];
                output[i % BYTES] = 1;
                black_box(output)
            };
            sum += u64::from(R::value(R::spawn(&spawner, task).await)[i % BYTES]);
        }
        sum
    });
    let elapsed = started.elapsed();
    assert_eq!(sum, TASKS, "every output arrives");
    per_operation(elapsed, TASKS)
}

pub fn yield_one<R: Runtime>(runtime: &mut R) -> Sample {
    let spawner = runtime.spawner();
    let started = Instant::now();
    let polls = runtime.block_on(yield_in_tasks::<R>(spawner, 1, 1_000_000));
    per_operation(started.elapsed(), polls)
}

pub fn yield_many<R: Runtime>(runtime: &mut R) -> Sample {
    let spawner = runtime.spawner();
    let started = Instant::now();
    let polls = runtime.block_on(yield_in_tasks::<R>(spawner, 1_000, 1_000));
    per_operation(started.elapsed(), polls)
}

/// Gives the number of polls that were asked for, and asserts that they happened.
async fn yield_in_tasks<R: Runtime>(spawner: R::Spawner, tasks: u64, yields: u64) -> u64 {
    let done = Latch::new(tasks);
    let polls = Rc::new(Cell::new(0));
    for _ in 0..tasks {
        let (done, polls) = (Rc::clone(&done), Rc::clone(&polls));
        R::spawn_detached(&spawner, async move {
            let count = Yields::new(yields).await;
            polls.set(polls.get() + count);
            done.count_down();
        });
    }
    done.reached().await;
    assert_eq!(polls.get(), tasks * (yields + 1), "one poll for each yield");
    polls.get()
}

pub fn ping_pong<R: Runtime>(runtime: &mut R) -> Sample {
    const ROUND_TRIPS: u64 = 500_000;
    let spawner = runtime.spawner();
    let (ping, pong) = (Rc::new(Slot::default()), Rc::new(Slot::default()));
    let done = Latch::new(2);
    let started = Instant::now();
    runtime.block_on(async {
        let (to, from, end) = (Rc::clone(&ping), Rc::clone(&pong), Rc::clone(&done));
        R::spawn_detached(&spawner, async move {
            for i in 0..ROUND_TRIPS {
                to.send(i);
                assert_eq!(from.receive().await, i);
            }
            end.count_down();
        });
        let (to, from, end) = (Rc::clone(&pong), Rc::clone(&ping), Rc::clone(&done));
        R::spawn_detached(&spawner, async move {
            for _ in 0..ROUND_TRIPS {
                to.send(from.receive().await);
            }
            end.count_down();
        });
        done.reached().await;
    });
    let elapsed = started.elapsed();
    // The first ping may arrive before anybody waits for it.
    assert!(ping.wakes() + pong.wakes() >= 2 * ROUND_TRIPS - 1);
    per_operation(elapsed, ROUND_TRIPS)
}

pub fn fan_in<R: Runtime>(runtime: &mut R) -> Sample {
    const FUTURES: u64 = 10_000;
    const YIELDS: u64 = 10;
    let started = Instant::now();
    let polls: u64 = runtime.block_on(async {
        let futures = (0..FUTURES).map(|_| Yields::new(YIELDS)).collect();
        R::join_all(futures).await.into_iter().sum()
    });
    let elapsed = started.elapsed();
    assert_eq!(polls, FUTURES * (YIELDS + 1), "one poll for each yield");
    per_operation(elapsed, polls)
}

pub fn fan_in_few<R: Runtime>(runtime: &mut R) -> Sample {
    const JOINS: u64 = 20_000;
    const FUTURES: u64 = 10;
    let started = Instant::now();
    let polls = runtime.block_on(async {
        let mut polls = 0;
        for _ in 0..JOINS {
            let futures = (0..FUTURES).map(|_| Yields::new(1)).collect();
            polls += R::join_all(futures).await.into_iter().sum::<u64>();
        }
        polls
    });
    let elapsed = started.elapsed();
    assert_eq!(polls, JOINS * FUTURES * 2, "one poll for each yield");
    per_operation(elapsed, polls)
}

/// The futures of a join are woken by another task, and not by themselves.
pub fn fan_in_woken<R: Runtime>(runtime: &mut R) -> Sample {
    const FUTURES: u64 = 10_000;
    const WAKES: u64 = 10;
    let spawner = runtime.spawner();
    let slots: Rc<Vec<Slot>> = Rc::new((0..FUTURES).map(|_| Slot::default()).collect());
    // Counts who has received; the next are sent when all have.
    let rounds: Rc<Vec<Rc<Latch>>> = Rc::new((0..WAKES).map(|_| Latch::new(FUTURES)).collect());
    let started = Instant::now();
    let sum: u64 = runtime.block_on(async {
        let (to, all) = (Rc::clone(&slots), Rc::clone(&rounds));
        R::spawn_detached(&spawner, async move {
            for (i, round) in (0..).zip(all.iter()) {
                to.iter().for_each(|slot| slot.send(i));
                round.reached().await;
            }
        });
        let receive = |i: u64| {
            let (from, all) = (Rc::clone(&slots), Rc::clone(&rounds));
            async move {
                let mut sum = 0;
                for round in all.iter() {
                    sum += from[i as usize].receive().await;
                    round.count_down();
                }
                sum
            }
        };
        R::join_all((0..FUTURES).map(receive).collect())
            .await
            .into_iter()
            .sum()
    });
    let elapsed = started.elapsed();
    assert_eq!(
        sum,
        FUTURES * WAKES * (WAKES - 1) / 2,
        "every value arrives"
    );
    let woken = |slot: &Slot| slot.wakes() == WAKES;
    assert!(slots.iter().all(woken), "every future has waited each time");
    per_operation(elapsed, FUTURES * WAKES)
}

pub fn remote_wake<R: Threads>(runtime: &mut R) -> Sample {
    const ROUND_TRIPS: u64 = 10_000;
    let asked = Arc::new(AtomicU64::new(0));
    let answer = Arc::new(Flag::default());
    let other = {
        let (asked, answer) = (Arc::clone(&asked), Arc::clone(&answer));
        thread::spawn(move || {
            let mut wakes = 0;
            for i in 1..=ROUND_TRIPS {
                park_until(&asked, i);
                wakes += u64::from(answer.raise(i));
            }
            wakes
        })
    };
    let elapsed = {
        let spawner = runtime.spawner();
        let other = other.thread().clone();
        let done = Latch::new(1);
        let started = Instant::now();
        runtime.block_on(async {
            let end = Rc::clone(&done);
            R::spawn_detached(&spawner, async move {
                for i in 1..=ROUND_TRIPS {
                    // The question is asked only when the waker is in place.
                    let ask = || reach(&asked, i, &other);
                    answer.wait(i, ask).await;
                }
                end.count_down();
            });
            done.reached().await;
        });
        started.elapsed()
    };
    let wakes = other.join().expect("the other thread does not panic");
    assert_eq!(wakes, ROUND_TRIPS, "every answer wakes the task");
    per_operation(elapsed, ROUND_TRIPS)
}

pub fn remote_flood<R: Threads>(runtime: &mut R) -> Sample {
    const TASKS: u64 = 1_000;
    const FLOODS: u64 = 200;
    let flags: Arc<Vec<Flag>> = Arc::new((0..TASKS).map(|_| Flag::default()).collect());
    // Counts the tasks that wait; the next flood begins when all do again, so
    // that no wake can fall together with another and the work is the same.
    let armed = Arc::new(AtomicU64::new(0));
    let other = {
        let (flags, armed) = (Arc::clone(&flags), Arc::clone(&armed));
        thread::spawn(move || {
            let mut wakes = 0;
            for i in 1..=FLOODS {
                park_until(&armed, i * TASKS);
                wakes += flags
                    .iter()
                    .map(|flag| u64::from(flag.raise(i)))
                    .sum::<u64>();
            }
            wakes
        })
    };
    let spawner = runtime.spawner();
    let done = Latch::new(TASKS);
    let started = Instant::now();
    runtime.block_on(async {
        for task in 0..TASKS as usize {
            let (flags, armed) = (Arc::clone(&flags), Arc::clone(&armed));
            let (other, done) = (other.thread().clone(), Rc::clone(&done));
            R::spawn_detached(&spawner, async move {
                for i in 1..=FLOODS {
                    let arm = || {
                        if armed.fetch_add(1, Ordering::AcqRel) + 1 == i * TASKS {
                            other.unpark();
                        }
                    };
                    flags[task].wait(i, arm).await;
                }
                done.count_down();
            });
        }
        done.reached().await;
    });
    let elapsed = started.elapsed();
    let wakes = other.join().expect("the other thread does not panic");
    assert_eq!(wakes, TASKS * FLOODS, "every flag wakes its task");
    per_operation(elapsed, wakes)
}

/// The other thread takes its time: so what a runtime pays for waiting without sleep is seen here, and not what
/// it gains by that.
pub fn remote_paced<R: Threads>(runtime: &mut R) -> Sample {
    const WAKES: u64 = 10_000;
    const PACE: Duration = Duration::from_micros(20);
    let waits = Arc::new(AtomicU64::new(0));
    let flag = Arc::new(Flag::default());
    let other = {
        let (waits, flag) = (Arc::clone(&waits), Arc::clone(&flag));
        thread::spawn(move || {
            let mut wakes = 0;
            for i in 1..=WAKES {
                while waits.load(Ordering::Acquire) < i {
                    spin_loop();
                }
                let since = Instant::now();
                while since.elapsed() < PACE {
                    spin_loop();
                }
                wakes += u64::from(flag.raise(i));
            }
            wakes
        })
    };
    let spawner = runtime.spawner();
    let done = Latch::new(1);
    let cpu_before = processor_time(ClockId::ThreadCPUTime);
    runtime.block_on(async {
        let end = Rc::clone(&done);
        R::spawn_detached(&spawner, async move {
            for i in 1..=WAKES {
                flag.wait(i, || waits.store(i, Ordering::Release)).await;
            }
            end.count_down();
        });
        done.reached().await;
    });
    let cpu = processor_time(ClockId::ThreadCPUTime) - cpu_before;
    let wakes = other.join().expect("the other thread does not panic");
    assert_eq!(wakes, WAKES, "every flag wakes its task");
    per_operation(cpu, WAKES)
}

fn reach(counter: &AtomicU64, number: u64, thread: &Thread) {
    counter.store(number, Ordering::Release);
    thread.unpark();
}

fn park_until(counter: &AtomicU64, number: u64) {
    while counter.load(Ordering::Acquire) < number {
        thread::park();
    }
}

pub fn blocking_one_by_one<R: Pool>(runtime: &mut R) -> Sample {
    const CLOSURES: u64 = 10_000;
    let started = Instant::now();
    let sum = runtime.block_on(async {
        let mut sum = 0;
        for i in 0..CLOSURES {
            sum += R::spawn_blocking(move || black_box(i)).await;
        }
        sum
    });
    let elapsed = started.elapsed();
    per_number(elapsed, sum, CLOSURES)
}

pub fn blocking_many<R: Pool>(runtime: &mut R) -> Sample {
    const CLOSURES: u64 = 10_000;
    let started = Instant::now();
    let sum = runtime.block_on(async {
        let spawn = |i| R::spawn_blocking(move || black_box(i));
        let closures: Vec<_> = (0..CLOSURES).map(spawn).collect();
        let mut sum = 0;
        for closure in closures {
            sum += closure.await;
        }
        sum
    });
    let elapsed = started.elapsed();
    per_number(elapsed, sum, CLOSURES)
}

pub fn sleep_cancel<R: Timers>(runtime: &mut R) -> Sample {
    const TIMERS: u64 = 100_000;
    let started = Instant::now();
    let armed = runtime.block_on(async {
        let mut random = Random::new();
        let mut armed = 0;
        for _ in 0..TIMERS {
            let duration = Duration::from_millis(10_000 + random.below(50_000));
            let mut sleep = pin!(R::sleep(duration));
            armed += poll_fn(|context| {
                Poll::Ready(u64::from(sleep.as_mut().poll(context).is_pending()))
            })
            .await;
        }
        armed
    });
    let elapsed = started.elapsed();
    assert_eq!(armed, TIMERS, "no timer fires");
    per_operation(elapsed, TIMERS)
}

pub fn sleep_fire<R: Timers>(runtime: &mut R) -> Sample {
    const TIMERS: u64 = 100_000;
    /// Time to arm every timer before the first is due: without it a runtime
    /// that is slow to arm would be spared the waiting.
    const HEAD_START: Duration = Duration::from_millis(150);
    const WITHIN_NS: u64 = 200_000_000;
    let spawner = runtime.spawner();
    let mut random = Random::new();
    // Of the whole process: some runtimes keep their timers on another thread.
    let cpu_before = processor_time(ClockId::ProcessCPUTime);
    let first = Instant::now() + HEAD_START;
    let mut last = first;
    runtime.block_on(async {
        let done = Latch::new(TIMERS);
        for _ in 0..TIMERS {
            let deadline = first + Duration::from_nanos(random.below(WITHIN_NS));
            last = last.max(deadline);
            let done = Rc::clone(&done);
            R::spawn_detached(&spawner, async move {
                R::sleep_until(deadline).await;
                done.count_down();
            });
        }
        done.reached().await;
    });
    let cpu = processor_time(ClockId::ProcessCPUTime) - cpu_before;
    assert!(Instant::now() >= last, "the last timer does not fire early");
    per_operation(cpu, TIMERS)
}

fn processor_time(of: ClockId) -> Duration {
    let time = clock_gettime(of);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

pub fn sleep_late<R: Timers>(runtime: &mut R) -> Sample {
    runtime.block_on(async {
        let mut late = Vec::new();
        for duration in short_sleeps() {
            let started = Instant::now();
            R::sleep(duration).await;
            late.push(lateness_us(started, duration));
        }
        late
    })
}

/// What the operating system itself makes of the same sleeps.
pub fn sleep_late_parked() -> Sample {
    let park = |duration| {
        let started = Instant::now();
        let deadline = started + duration;
        loop {
            let remaining = deadline.saturating_duration_since(Instant::now());
            if remaining.is_zero() {
                return lateness_us(started, duration);
            }
            thread::park_timeout(remaining);
        }
    };
    short_sleeps().map(park).collect()
}

/// async-io's timer by itself, without an executor around it: it waits on a
/// timerfd, which the kernel's timer slack does not hold back.
pub fn sleep_late_async_io() -> Sample {
    async_io::block_on(async {
        let mut late = Vec::new();
        for duration in short_sleeps() {
            let started = Instant::now();
            async_io::Timer::after(duration).await;
            late.push(lateness_us(started, duration));
        }
        late
    })
}

/// A hundred durations from 0.3 to 2.3 ms, evenly spaced, in a scattered order.
fn short_sleeps() -> impl Iterator<Item = Duration> {
    (0..100).map(|i| Duration::from_micros(300 + i * 37 % 100 * 20))
}

fn lateness_us(started: Instant, duration: Duration) -> f64 {
    let elapsed = started.elapsed();
    assert!(
        elapsed >= duration,
        "{elapsed:?} is too early for {duration:?}"
    );
    (elapsed - duration).as_secs_f64() * 1e6
}

pub fn busy_with_timers<R: Timers>(runtime: &mut R) -> Sample {
    const TIMERS: u64 = 10_000;
    let spawner = runtime.spawner();
    runtime.block_on(async {
        let mut random = Random::new();
        let mut armed = Vec::new();
        for _ in 0..TIMERS {
            let duration = Duration::from_millis(60_000 + random.below(3_600_000));
            let mut sleep = Box::pin(R::sleep(duration));
            let waits = poll_fn(|context| Poll::Ready(sleep.as_mut().poll(context).is_pending()));
            assert!(waits.await, "no timer fires");
            armed.push(sleep);
        }
        // Only the yields are timed, not the arming and the dropping.
        let started = Instant::now();
        let polls = yield_in_tasks::<R>(spawner, 1_000, 1_000).await;
        per_operation(started.elapsed(), polls)
    })
}

pub fn block_on_ready<R: Runtime>(runtime: &mut R) -> Sample {
    const CALLS: u64 = 100_000;
    let started = Instant::now();
    let mut sum = 0;
    for i in 0..CALLS {
        sum += black_box(&mut *runtime).block_on(async { black_box(i) });
    }
    let elapsed = started.elapsed();
    per_number(elapsed, sum, CALLS)
}
