//! Faults that can only be forced from inside: a clock that stands still, ids that are used up, a
//! system without threads, a log that grows.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::clock::Clock;
use crate::context::Shared;
use crate::pool::Pool;
use crate::queue::Queue;
use crate::spin::Spin;
use crate::trace::{Observer, Record, Tracer};
use crate::{Executor, JoinSet, Step, sleep, spawn, spawn_blocking, yield_now};

/// An executor made of the given parts, and what it shares with its futures.
fn executor(
    clock: Clock,
    pool: Pool,
    observer: Option<Box<dyn Observer>>,
) -> (Executor, Rc<Shared>) {
    let clock = Rc::new(clock);
    let tracer = Tracer::new(clock.clone(), observer, None);
    let shared = Shared::new(clock, Queue::new(None, tracer), pool, Spin::new(true));
    (Executor::of(shared.clone(), false), shared)
}

fn pool() -> Pool {
    Pool::new(4, Duration::from_secs(1))
}

#[test]
fn while_the_real_clock_stands_still_everything_but_the_timers_goes_on() {
    let (executor, shared) = executor(Clock::that_stands_still(), pool(), None);
    let sleeper = executor.spawn(sleep(Duration::from_nanos(1)));
    executor.block_on(async {
        for _ in 0..1000 {
            yield_now().await;
        }
        // A wake from elsewhere ends a park that would last for ever.
        assert_eq!(spawn_blocking(|| 7).await.unwrap(), 7);
        spawn(yield_now()).await.unwrap();
        sleep(Duration::ZERO).await;
    });
    assert_eq!(shared.clock.now_ns(), 0);
    assert!(!sleeper.is_finished(), "never early, by that clock either");
    assert_eq!(executor.step(), Step::Idle);
    assert!(executor.next_deadline().is_some());
    sleeper.abort();
    executor.run_until_idle();
    assert_eq!(executor.next_deadline(), None);
}

#[test]
fn tasks_go_on_when_the_generations_of_their_slots_are_used_up() {
    let (executor, shared) = executor(Clock::virtual_time(), pool(), None);
    shared.queue.leave_generations(3);
    executor.block_on(async {
        let mut ids = Vec::new();
        let mut set = JoinSet::new();
        for n in 0..100 {
            ids.push(set.spawn(async move {
                sleep(Duration::from_secs(1)).await;
                n
            }));
            assert_eq!(set.join_next().await.unwrap().unwrap(), n);
            // This one leaves its box where it was.
            ids.push(spawn(yield_now()).id());
        }
        assert!(ids.iter().all(|id| id.generation() >= u32::MAX - 3));
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 200, "no id was used twice");
    });
}

#[test]
fn a_task_s_waker_never_wakes_the_next_task_of_a_slot_that_wrapped() {
    let (executor, shared) = executor(Clock::virtual_time(), pool(), None);
    shared.queue.leave_generations(2);
    let polls = Rc::new(Cell::new(0));
    let mut wakers = Vec::new();
    for _ in 0..10 {
        let task = executor.spawn(std::future::poll_fn(|cx| {
            std::task::Poll::Ready(cx.waker().clone())
        }));
        wakers.push(executor.block_on(task).unwrap());
    }
    let counted = polls.clone();
    let _task = executor.spawn(std::future::poll_fn(move |_| {
        counted.set(counted.get() + 1);
        std::task::Poll::<()>::Pending
    }));
    executor.run_until_idle();
    for waker in wakers {
        thread::spawn(move || waker.wake()).join().unwrap();
    }
    executor.run_until_idle();
    assert_eq!(polls.get(), 1);
}

#[test]
fn where_no_thread_can_be_started_a_blocking_call_panics_in_its_handle_alone() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("on purpose");
        }
    }
    let refuses = |_, _| Err(io::Error::other("the system has no more threads"));
    let (executor, shared) = executor(Clock::virtual_time(), Pool::starting_with(refuses), None);
    executor.block_on(async {
        for _ in 0..3 {
            let bomb = Bomb;
            let refused = spawn_blocking(move || drop(bomb)).await.unwrap_err();
            let message = refused.panic_message().unwrap();
            assert!(message.contains("no more threads"), "{message}");
        }
        // Nothing counts as being out: time goes on.
        sleep(Duration::from_secs(1)).await;
    });
    assert_eq!(shared.home.blocking_calls(), 0);
}

#[test]
fn when_threads_run_out_the_ones_that_there_are_do_all_the_work() {
    static STARTED: AtomicUsize = AtomicUsize::new(0);
    let two_at_most =
        |name: String, work: crate::pool::Job| match STARTED.fetch_add(1, Ordering::Relaxed) {
            0 | 1 => thread::Builder::new().name(name).spawn(work).map(drop),
            _ => Err(io::Error::other("the system has no more threads")),
        };
    let (executor, _) = executor(Clock::real(), Pool::starting_with(two_at_most), None);
    let ran = Arc::new(AtomicUsize::new(0));
    executor.block_on(async {
        let jobs = (0..100).map(|_| {
            let ran = ran.clone();
            spawn_blocking(move || ran.fetch_add(1, Ordering::Relaxed))
        });
        for outcome in crate::join_all(jobs).await {
            outcome.unwrap();
        }
    });
    assert_eq!(ran.load(Ordering::Relaxed), 100);
}

#[test]
fn tracing_remembers_no_more_than_there_were_tasks_at_once() {
    let silent: Box<dyn Observer> = Box::new(|_: &Record| ());
    let (executor, shared) = executor(Clock::virtual_time(), pool(), Some(silent));
    for _ in 0..100 {
        // Each is woken once more than it is polled.
        let wakes_at_its_end = || {
            std::future::poll_fn(|cx: &mut std::task::Context<'_>| {
                cx.waker().wake_by_ref();
                std::task::Poll::Ready(())
            })
        };
        drop(executor.spawn(wakes_at_its_end()));
        executor.block_on(wakes_at_its_end());
        let queued = executor.spawn(yield_now());
        queued.abort();
        executor.run_until_idle();
    }
    drop(executor);
    let known = shared.tracer().slots_known();
    assert!(known <= 3, "300 tasks, three at once: {known}");
}
