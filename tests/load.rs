//! More of everything than anybody needs, with its time and memory. `scripts/load` runs these, each in
//! a process of its own: they are ignored otherwise.

mod common;

use std::cell::{Cell, RefCell};
use std::fs;
use std::future::{pending, poll_fn};
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use common::{no_hang, secs, virtual_executor};
use watchglass::{
    Executor, JoinHandle, join_all, now, sleep, sleep_until, spawn_blocking, yield_now,
};

const MILLION: usize = 1_000_000;

/// The most memory that this process has had, in MiB. `None` where the system does not say.
fn peak_mib() -> Option<usize> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: usize = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024)
}

/// Runs `load`, prints what it took, and holds its memory to a bound.
fn measured(what: &str, most_mib: usize, load: impl FnOnce()) {
    let start = Instant::now();
    load();
    let took = start.elapsed().as_secs_f64();
    match peak_mib() {
        Some(peak) => {
            println!("{what}: {took:.2} s, at most {peak} MiB");
            assert!(peak <= most_mib, "{peak} MiB is more than {most_mib}");
        }
        None => println!("{what}: {took:.2} s"),
    }
}

#[test]
#[ignore = "a load: run by scripts/load"]
fn a_million_tasks_wait_at_once() {
    measured("a million tasks wait at once, and are woken", 512, || {
        let executor = virtual_executor();
        let wakers: Rc<RefCell<Vec<Waker>>> = Rc::default();
        let ended = Rc::new(Cell::new(0));
        for _ in 0..MILLION {
            let (wakers, ended) = (wakers.clone(), ended.clone());
            let mut waited = false;
            drop(executor.spawn(poll_fn(move |cx| {
                if waited {
                    ended.set(ended.get() + 1);
                    return Poll::Ready(());
                }
                waited = true;
                wakers.borrow_mut().push(cx.waker().clone());
                Poll::Pending
            })));
        }
        executor.run_until_idle();
        let wakers = wakers.take();
        assert_eq!((wakers.len(), ended.get()), (MILLION, 0));
        executor.block_on(async {
            wakers.into_iter().for_each(Waker::wake);
            yield_now().await;
        });
        executor.run_until_idle();
        assert_eq!(ended.get(), MILLION);
    });
}

#[test]
#[ignore = "a load: run by scripts/load"]
fn a_million_timers_are_armed_and_half_are_cancelled() {
    measured(
        "a million timers are armed, half of them cancelled",
        512,
        || {
            let executor = virtual_executor();
            let fired = Rc::new(Cell::new(0));
            let tasks: Vec<JoinHandle<()>> = (0..MILLION as u64)
                .map(|n| {
                    let fired = fired.clone();
                    // Scattered over seventeen minutes, to the nanosecond.
                    let length = Duration::from_nanos(1 + n * 7_919_000_017 % 1_000_000_000_000);
                    executor.spawn(async move {
                        sleep(length).await;
                        fired.set(fired.get() + 1);
                    })
                })
                .collect();
            executor.block_on(yield_now());
            tasks.iter().step_by(2).for_each(JoinHandle::abort);
            executor.run_until_idle();
            assert_eq!(fired.get(), MILLION / 2);
            assert_eq!(executor.next_deadline(), None);
        },
    );
}

#[test]
#[ignore = "a load: run by scripts/load"]
fn a_million_sleeps_end_at_one_instant() {
    measured("a million sleeps end at one instant", 512, || {
        let executor = virtual_executor();
        let next = Rc::new(Cell::new(0));
        let until = executor.block_on(async { now() + secs(1) });
        for n in 0..MILLION {
            let next = next.clone();
            drop(executor.spawn(async move {
                sleep_until(until).await;
                assert_eq!(next.replace(n + 1), n, "in the order of their arming");
            }));
        }
        executor.run_until_idle();
        assert_eq!(next.get(), MILLION);
    });
}

#[test]
#[ignore = "a load: run by scripts/load"]
fn a_hundred_thousand_blocking_calls() {
    measured("100,000 closures on threads", 512, || {
        Executor::new().block_on(async {
            let jobs = (0..100_000).map(|n| spawn_blocking(move || n));
            let outputs = join_all(jobs).await.into_iter().map(Result::unwrap);
            assert!(outputs.eq(0..100_000));
        });
    });
}

#[test]
#[ignore = "a load: run by scripts/load"]
fn a_thousand_threads_wake() {
    const THREADS: usize = 1000;
    const WAKES: usize = 200;
    measured(
        "a thousand threads wake a thousand tasks, 200 times each",
        512,
        || {
            no_hang(|| {
                let executor = Executor::new();
                let mut threads = Vec::new();
                let mut tasks = Vec::new();
                for _ in 0..THREADS {
                    // One message at a time: each is a wake that must not be lost.
                    let (send, receive) = async_channel::bounded(1);
                    tasks.push(executor.spawn(async move {
                        let mut received = 0;
                        while receive.recv().await.is_ok() {
                            received += 1;
                        }
                        received
                    }));
                    let small = thread::Builder::new().stack_size(64 * 1024);
                    let wakes = move || (0..WAKES).for_each(|n| send.send_blocking(n).unwrap());
                    threads.push(small.spawn(wakes).unwrap());
                }
                let outcomes = executor.block_on(join_all(tasks));
                assert!(
                    outcomes
                        .into_iter()
                        .all(|received| received.unwrap() == WAKES)
                );
                threads
                    .into_iter()
                    .for_each(|thread| thread.join().unwrap());
            });
        },
    );
}

/// A stack on which no recursion over a million tasks has room.
fn on_a_small_stack(test: impl FnOnce() + Send + 'static) {
    let thread = thread::Builder::new().stack_size(256 * 1024);
    thread.spawn(test).unwrap().join().unwrap();
}

#[test]
#[ignore = "a load: run by scripts/load"]
fn a_chain_of_a_million_joins_is_run_and_dropped_on_a_small_stack() {
    fn chain(executor: &Executor, first: JoinHandle<usize>) -> JoinHandle<usize> {
        (1..MILLION).fold(first, |before, _| {
            executor.spawn(async { before.await.map_or(0, |links| links + 1) })
        })
    }
    measured(
        "a chain of a million joins runs, is aborted, is dropped",
        512,
        || {
            on_a_small_stack(|| {
                let executor = virtual_executor();
                let first = executor.spawn(async {
                    sleep(secs(1)).await;
                    1
                });
                let last = chain(&executor, first);
                assert_eq!(executor.block_on(last).unwrap(), MILLION);
                // The abort goes through the chain as an error, link by link.
                let first = executor.spawn(pending());
                let (abort, first) = (Rc::new(Cell::new(false)), first);
                let guarded = executor.spawn({
                    let abort = abort.clone();
                    async move {
                        while !abort.get() {
                            sleep(secs(1)).await;
                        }
                        first.abort();
                        first.await.unwrap_or(0)
                    }
                });
                let last = chain(&executor, guarded);
                executor.step();
                abort.set(true);
                assert_eq!(executor.block_on(last).unwrap(), MILLION - 1);
                let _dropped = chain(&executor, executor.spawn(pending()));
                executor.block_on(yield_now());
                drop(executor);
            });
        },
    );
}
