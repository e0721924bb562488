//! Eight times as many tasks or timers take eight times as long, and not sixty-four times.
//!
//! A machine that does something else makes a measure longer, and never shorter: so one good attempt is enough.

mod common;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::mpsc;
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use common::{ms, no_hang, secs};
use watchglass::trace::Record;
use watchglass::{Builder, Executor, join, join_all, sleep, spawn, timeout};

const ATTEMPTS: usize = 10;

#[track_caller]
fn assert_linear(few: usize, load: impl Fn(usize)) {
    let took = |many| {
        let start = Instant::now();
        load(many);
        start.elapsed().as_secs_f64()
    };
    let mut ratios = (0..ATTEMPTS).map(|_| took(8 * few) / took(few));
    assert!(
        ratios.any(|ratio| ratio < 24.0),
        "eight times as many took more than 24 times as long, {ATTEMPTS} times"
    );
}

fn observed() -> Builder {
    Executor::builder().observer(|_: &Record| ())
}

#[test]
fn wakers_that_others_hold_are_used_one_after_the_other() {
    no_hang(|| {
        assert_linear(4_000, |tasks| {
            let (sender, receiver) = mpsc::channel::<Waker>();
            let (ask, asked) = mpsc::channel();
            thread::scope(|scope| {
                scope.spawn(move || {
                    let wakers: Vec<Waker> = receiver.iter().take(tasks).collect();
                    for waker in wakers {
                        waker.wake();
                        asked.recv().unwrap();
                    }
                });
                let executor = Executor::builder().spin(false).build();
                let tasks = (0..tasks).map(|_| {
                    let (sender, ask) = (sender.clone(), ask.clone());
                    let mut polls = 0;
                    executor.spawn(std::future::poll_fn(move |cx| {
                        polls += 1;
                        if polls > 1 {
                            ask.send(()).unwrap();
                            return Poll::Ready(());
                        }
                        sender.send(cx.waker().clone()).unwrap();
                        Poll::Pending
                    }))
                });
                let tasks: Vec<_> = tasks.collect();
                executor.block_on(join_all(tasks));
            });
        });
    });
}

#[test]
fn timers_that_are_due_when_they_are_armed_are_told_of() {
    assert_linear(1_000, |timers| {
        let executor = observed().long_poll(Duration::ZERO).build();
        executor.block_on(join_all((0..timers).map(|_| sleep(Duration::ZERO))));
    });
}

#[test]
fn tasks_that_give_up_one_of_two_sleeps_are_observed() {
    assert_linear(500, |tasks| {
        let executor = observed().virtual_time().build();
        for _ in 0..tasks {
            drop(executor.spawn(async {
                let _ = join(sleep(secs(3600)), timeout(secs(1), sleep(ms(1)))).await;
            }));
        }
        executor.block_on(sleep(secs(2)));
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
