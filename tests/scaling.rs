//! Eight times as many tasks or timers take eight times as long, and not sixty-four times.
//!
//! What counts is the processor time of the thread, and the shortest of several: other programs hardly change that.
#![cfg(target_os = "linux")]

mod common;

use std::cell::RefCell;
use std::future::{pending, poll_fn};
use std::mem;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use common::{ms, secs};
use rustix::time::{ClockId, clock_gettime};
use watchglass::trace::{Record, Recording, State};
use watchglass::{Builder, Executor, JoinHandle, JoinSet, join, join_all, sleep, spawn, timeout};

const ATTEMPTS: usize = 5;

/// How long this thread has had a processor. The time in which others had it is not in it.
fn processor_time() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

#[track_caller]
fn assert_linear(few: usize, load: impl Fn(usize)) {
    let took = |many| {
        let before = processor_time();
        load(many);
        processor_time() - before
    };
    let (mut best_few, mut best_many) = (f64::MAX, f64::MAX);
    for _ in 0..ATTEMPTS {
        best_few = took(few).min(best_few);
        best_many = took(8 * few).min(best_many);
        if best_many < 40.0 * best_few {
            return;
        }
    }
    panic!("eight times as many took {best_many:.4} s and not eight times {best_few:.4} s");
}

fn observed() -> Builder {
    Executor::builder().observer(|_: &Record| ())
}

#[test]
fn timers_that_are_due_when_they_are_armed_are_told_of() {
    assert_linear(1_000, |timers| {
        let executor = observed().long_poll(Duration::ZERO).build();
        executor.block_on(join_all((0..timers).map(|_| sleep(Duration::ZERO))));
    });
}

/// Beside `waits`, each task gives up a sleep, which might have been all that would wake it.
fn gives_up_a_sleep_beside<F: Future + 'static>(waits: impl Fn(&Executor) -> F) {
    assert_linear(1_000, |tasks| {
        let executor = observed().virtual_time().build();
        for _ in 0..tasks {
            let waits = waits(&executor);
            drop(executor.spawn(join(waits, timeout(secs(1), sleep(ms(1))))));
        }
        executor.block_on(sleep(secs(2)));
    });
}

#[test]
fn tasks_that_give_up_one_of_two_sleeps_are_observed() {
    gives_up_a_sleep_beside(|_| sleep(secs(3600)));
}

#[test]
fn tasks_that_give_up_a_sleep_and_await_a_task_are_observed() {
    gives_up_a_sleep_beside(|executor| executor.spawn(sleep(secs(3600))));
}

#[test]
fn tasks_that_all_forget_their_wakers_are_told_of() {
    assert_linear(1_000, |tasks| {
        let executor = observed().build();
        for _ in 0..tasks {
            drop(executor.spawn(pending::<()>()));
        }
        executor.run_until_idle();
    });
}

#[test]
fn drops_that_spawn_one_after_the_other_end_with_their_executor() {
    struct SpawnsInDrop(usize);

    impl Drop for SpawnsInDrop {
        fn drop(&mut self) {
            if let Some(left) = self.0.checked_sub(1) {
                let next = SpawnsInDrop(left);
                drop(spawn(async move { drop(next) }));
            }
        }
    }

    assert_linear(1_000, |drops| {
        let executor = Executor::new();
        let kept: Rc<RefCell<Vec<_>>> = Rc::default();
        for _ in 0..drops {
            kept.borrow_mut()
                .push(executor.spawn(std::future::pending::<()>()));
        }
        let first = SpawnsInDrop(drops);
        drop(executor.spawn(async move { drop(first) }));
        drop(executor);
    });
}

/// Polls each handle once, in one poll.
fn handles_polled(
    executor: &Executor,
    tasks: usize,
) -> impl Future<Output = Vec<JoinHandle<()>>> + use<> {
    let mut handles: Vec<_> = (0..tasks)
        .map(|_| executor.spawn(sleep(secs(3600))))
        .collect();
    poll_fn(move |cx| {
        for handle in &mut handles {
            assert!(Pin::new(handle).poll(cx).is_pending());
        }
        Poll::Ready(mem::take(&mut handles))
    })
}

#[test]
fn a_race_in_which_many_handles_were_polled_is_told() {
    assert_linear(2_000, |tasks| {
        let recording = Recording::new();
        let executor = Executor::builder().observer(recording.clone()).build();
        drop(executor.block_on(timeout(secs(1), handles_polled(&executor, tasks))));
        let story = recording.story();
        assert_eq!(story.matches(" gives up waiting for ").count(), tasks);
    });
}

#[test]
fn handles_that_were_polled_are_dropped_before_an_observer() {
    assert_linear(1_000, |tasks| {
        let executor = observed().build();
        let polls = handles_polled(&executor, tasks);
        executor.block_on(async { drop(polls.await) });
    });
}

#[test]
fn the_states_of_a_run_in_which_many_queued_tasks_were_aborted() {
    const FEW: usize = 2_000;
    let run = |tasks| {
        let recording = Recording::new();
        let executor = Executor::builder().observer(recording.clone()).build();
        executor.block_on(async {
            let mut set = JoinSet::new();
            for _ in 0..tasks {
                set.spawn(async {});
            }
        });
        recording.records()
    };
    let (few, many) = (run(FEW), run(8 * FEW));
    assert_linear(FEW, |tasks| {
        let records = if tasks == FEW { &few } else { &many };
        assert!(State::after(records).tasks().len() > tasks);
    });
}
