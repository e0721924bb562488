//! An executor that has run such a program before needs the allocator for hardly anything: what it needs is
//! counted here, on the thread that runs it. And how much stack a large future needs on its way to its box.

mod common;

use std::cell::RefCell;
use std::future::poll_fn;
use std::hint::black_box;
use std::mem;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
#[cfg(debug_assertions)]
use std::thread;
use std::time::Duration;

use allocation_counter::measure;
use common::{leaves_its_waker, virtual_executor};
use watchglass::{Executor, JoinHandle, join_all, sleep, spawn, spawn_named, timeout, yield_now};

/// How many times `run` allocates once it has run twice.
fn allocations_of(mut run: impl FnMut()) -> u64 {
    run();
    run();
    measure(run).count_total
}

#[test]
fn entering_yielding_and_sleeping_allocate_nothing() {
    let executor = virtual_executor();
    assert_eq!(allocations_of(|| executor.block_on(async {})), 0);
    let yields = || {
        executor.block_on(async {
            for _ in 0..10 {
                yield_now().await;
            }
        })
    };
    assert_eq!(allocations_of(yields), 0);
    let sleeps = || {
        executor.block_on(async {
            for ms in 0..1000 {
                sleep(Duration::from_millis(ms)).await;
            }
        })
    };
    assert_eq!(allocations_of(sleeps), 0);
    let in_time = || {
        executor.block_on(async {
            let limit = Duration::from_secs(60);
            timeout(limit, sleep(Duration::from_secs(1))).await.unwrap();
        })
    };
    assert_eq!(allocations_of(in_time), 0);
}

async fn answer() -> u32 {
    42
}

#[test]
fn a_task_moves_into_the_box_of_one_of_its_type_that_was_awaited() {
    for executor in [virtual_executor(), observed()] {
        let inside = || {
            executor.block_on(async {
                for _ in 0..10 {
                    assert_eq!(spawn(answer()).await.unwrap(), 42);
                }
            });
        };
        assert_eq!(allocations_of(inside), 0);
        // `block_on`'s own future has a place of its own, and does not take one where a box is left.
        let outside = || executor.block_on(executor.spawn(answer()));
        assert_eq!(
            measure(|| assert_eq!(outside().unwrap(), 42)).count_total,
            0
        );
        assert_eq!(allocations_of(|| drop(outside())), 0);
        assert_eq!(measure(inside).count_total, 0);
    }
}

fn observed() -> Executor {
    let observer = |_: &watchglass::trace::Record| ();
    Executor::builder()
        .virtual_time()
        .observer(observer)
        .build()
}

#[test]
fn that_holds_for_an_output_with_a_drop_too_if_it_was_taken() {
    let executor = virtual_executor();
    let gives_a_string = || {
        let output = executor.block_on(async { spawn(async { String::new() }).await });
        assert_eq!(output.unwrap(), "");
    };
    assert_eq!(allocations_of(gives_a_string), 0);
}

#[test]
fn so_do_many_at_once() {
    let executor = virtual_executor();
    let mut handles: Vec<JoinHandle<u32>> = Vec::with_capacity(1000);
    let many = || {
        executor.block_on(async {
            handles.extend((0..1000).map(|number| spawn(async move { number })));
            for (number, handle) in (0..).zip(handles.drain(..)) {
                assert_eq!(handle.await.unwrap(), number);
            }
        })
    };
    assert_eq!(allocations_of(many), 0);
}

#[test]
fn or_of_one_that_was_detached_and_whose_output_needs_no_drop() {
    for executor in [virtual_executor(), observed()] {
        let detached = || {
            (0..10).for_each(|_| drop(executor.spawn(yield_now())));
            executor.run_until_idle();
        };
        assert_eq!(allocations_of(detached), 0);
    }
}

/// As a receiver of another crate's channel waits.
#[test]
fn a_task_gets_the_waker_that_one_before_it_has_left() {
    let executor = virtual_executor();
    let place = Rc::new(RefCell::new(None));
    let waits = |end: fn(&JoinHandle<()>, Waker)| {
        let task = executor.spawn({
            let place = place.clone();
            let mut is_first = true;
            poll_fn(move |cx| match mem::take(&mut is_first) {
                true => {
                    place.replace(Some(cx.waker().clone()));
                    Poll::Pending
                }
                false => Poll::Ready(()),
            })
        });
        executor.run_until_idle();
        end(&task, place.take().unwrap());
        executor.run_until_idle();
        assert!(task.is_finished());
        _ = executor.block_on(task);
    };
    assert_eq!(allocations_of(|| waits(|_, waker| waker.wake())), 0);
    let is_aborted = || {
        waits(|task, waker| {
            drop(waker);
            task.abort();
        })
    };
    // The box that says that it was cancelled, and a box for the next one.
    assert_eq!(allocations_of(is_aborted), 2);
}

/// A future that is never done, and leaves its waker in this place at each poll.
fn waits_at(place: &Rc<RefCell<Option<Waker>>>) -> impl Future<Output = ()> + use<> {
    let place = place.clone();
    poll_fn(move |cx| {
        place.replace(Some(cx.waker().clone()));
        Poll::Pending
    })
}

#[test]
fn a_future_of_a_join_gets_the_waker_back_that_was_used_up() {
    let places: [Rc<RefCell<Option<Waker>>>; 3] = Default::default();
    let mut join = pin!(join_all(places.iter().map(waits_at)));
    let round = || {
        let cx = &mut Context::from_waker(Waker::noop());
        assert!(join.as_mut().poll(cx).is_pending());
        for place in &places {
            place.take().expect("each was woken").wake();
        }
    };
    assert_eq!(allocations_of(round), 0);
}

#[test]
fn a_join_that_is_gone_keeps_nothing() {
    let place = Rc::default();
    let ends = |end: fn(&mut dyn FnMut(), Waker)| {
        let left = measure(|| {
            let mut join = Some(join_all([waits_at(&place), waits_at(&Rc::default())]));
            let cx = &mut Context::from_waker(Waker::noop());
            assert!(Pin::new(join.as_mut().unwrap()).poll(cx).is_pending());
            let waker = place.take().unwrap();
            end(&mut || join = None, waker);
        });
        assert_eq!(left.count_current, 0, "{left:?}");
    };
    ends(|drop_join, waker| {
        waker.wake();
        drop_join();
    });
    ends(|drop_join, waker| {
        drop_join();
        waker.wake();
    });
}

#[test]
fn what_is_left_of_an_executor_keeps_nothing_of_its_tasks() {
    const TASKS: i64 = 100;
    let executor = virtual_executor();
    for _ in 0..TASKS {
        // It has a clone of its waker until it is dropped.
        drop(executor.spawn(async {
            let place = RefCell::new(None);
            leaves_its_waker(&place).await;
        }));
    }
    let handle = executor.spawn(async {});
    executor.run_until_idle();
    let dropped = measure(|| drop(executor));
    // The future's box and the waker's.
    assert!(dropped.count_current <= -2 * TASKS, "{dropped:?}");
    drop(handle);
}

#[test]
fn any_other_task_has_a_box_of_its_own() {
    let executor = virtual_executor();
    let block_on_spawned = |name: &'static str| {
        executor.block_on(async {
            spawn_named(name, async {}).await.unwrap();
        })
    };
    assert_eq!(allocations_of(|| block_on_spawned("named")), 1);
    let detached_with_an_output_to_drop = || {
        drop(executor.spawn(async { String::new() }));
        executor.run_until_idle();
    };
    assert_eq!(allocations_of(detached_with_an_output_to_drop), 1);
    let output_not_taken = || {
        let handle = executor.spawn(async {});
        executor.run_until_idle();
        drop(handle);
    };
    assert_eq!(allocations_of(output_not_taken), 1);
    let large = || {
        executor.block_on(executor.spawn(async {
            let held = [1_u8; 129];
            yield_now().await;
            black_box(&held);
        }))
    };
    assert_eq!(allocations_of(|| large().unwrap()), 1);
    let of_two_types = || {
        executor.block_on(async {
            spawn(async {}).await.unwrap();
            spawn(async { yield_now().await }).await.unwrap();
        })
    };
    assert_eq!(allocations_of(of_two_types), 2);
}

#[test]
fn a_sleep_that_is_moved_to_now_again_and_again_leaves_nothing_with_an_observed_executor() {
    let executor = observed();
    executor.block_on(sleep(Duration::from_secs(1))); // an instant of the start would be kept in a box
    let mut sleep = Box::pin(sleep(Duration::from_secs(60)));
    executor.block_on(async { assert!(common::poll_once(sleep.as_mut()).await.is_pending()) });
    let mut moves = |times| {
        for _ in 0..times {
            sleep.as_mut().reset(executor.now());
        }
    };
    assert_eq!(measure(|| moves(1000)).count_total, 0);
    executor.block_on(async { moves(2) });
    assert_eq!(
        measure(|| executor.block_on(async { moves(1000) })).count_total,
        0
    );
}

/// A debug build copies a future at every call that hands it on. With 100 KiB, each copy more needs as much
/// more stack: 800 KiB were enough when this was written, and 1600 when large futures too could move into
/// a box that was left. (Where it is not enough, the whole program ends.)
#[test]
#[cfg(debug_assertions)]
fn a_large_future_needs_little_stack_to_be_spawned() {
    async fn large() -> u8 {
        let held = [1_u8; 100 << 10];
        yield_now().await;
        held[black_box(7)]
    }
    let thread = thread::Builder::new().stack_size(1200 << 10);
    let run = || {
        let executor = Executor::new();
        let task = executor.spawn(large());
        executor.block_on(task).unwrap()
    };
    assert_eq!(thread.spawn(run).unwrap().join().unwrap(), 1);
}
