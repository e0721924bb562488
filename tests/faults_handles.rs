//! Handles in every wrong hand: leaked, moved, shared, in circles, in a long chain.

mod common;

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::thread;

use common::{Log, OnDrop, no_hang, panic_message, poll_once, secs, virtual_executor};
use watchglass::{
    Executor, JoinHandle, JoinSet, Step, join, join_all, race, sleep, spawn, yield_now,
};

/// Counts its drops.
fn counted(drops: &Rc<Cell<usize>>) -> OnDrop<impl FnMut() + use<>> {
    let drops = drops.clone();
    OnDrop(move || drops.set(drops.get() + 1))
}

#[test]
fn a_leaked_handle_leaves_its_task_running() {
    let executor = virtual_executor();
    let log = Log::new();
    std::mem::forget(executor.spawn({
        let log = log.clone();
        async move {
            sleep(secs(1)).await;
            log.push("done");
        }
    }));
    executor.run_until_idle();
    assert_eq!(log.take(), ["done"]);
}

#[test]
fn a_leaked_handle_s_task_is_dropped_with_its_executor() {
    let drops = Rc::new(Cell::new(0));
    let executor = virtual_executor();
    let guard = counted(&drops);
    std::mem::forget(executor.spawn(async move {
        let _guard = guard;
        pending::<()>().await;
    }));
    executor.run_until_idle();
    drop(executor);
    assert_eq!(drops.get(), 1);
}

#[test]
fn a_handle_may_be_moved_to_another_task_before_and_after_it_was_polled() {
    for polled_first in [false, true] {
        let output = virtual_executor().block_on(async {
            let mut task = spawn(async {
                sleep(secs(1)).await;
                7
            });
            if polled_first {
                assert!(poll_once(Pin::new(&mut task)).await.is_pending());
            }
            let mover = spawn(async { task.await.unwrap() });
            mover.await.unwrap()
        });
        assert_eq!(output, 7);
    }
}

#[test]
fn a_handle_polled_by_two_tasks_in_turn_wakes_the_last() {
    let executor = virtual_executor();
    let task = Rc::new(RefCell::new(executor.spawn(sleep(secs(1)))));
    let polls = Log::new();
    let poller = |name: &'static str| {
        let (task, polls) = (task.clone(), polls.clone());
        poll_fn(move |cx| {
            polls.push(name);
            let polled = Pin::new(&mut *task.borrow_mut()).poll(cx);
            polled.map(|outcome| outcome.unwrap())
        })
    };
    let first = executor.spawn(poller("first"));
    let second = executor.spawn(poller("second"));
    executor.run_until_idle();
    assert_eq!(polls.take(), ["first", "second", "second"]);
    assert!(second.is_finished() && !first.is_finished());
}

#[test]
fn futures_that_hold_each_other_s_handles_are_freed() {
    type Slot = Rc<RefCell<Option<JoinHandle<()>>>>;
    for how in ["the executor's drop", "an abort", "a panic"] {
        let drops = Rc::new(Cell::new(0));
        let executor = virtual_executor();
        let slots: [Slot; 2] = Default::default();
        let task = |own: usize| {
            let (guard, other) = (counted(&drops), slots[1 - own].clone());
            executor.spawn(async move {
                let _guard = guard;
                let other = other.take();
                if own == 0 && how == "a panic" {
                    panic!("on purpose");
                }
                other.unwrap().await.unwrap();
            })
        };
        let [a, b] = [task(0), task(1)];
        let abort = |slot: &Slot| slot.borrow().as_ref().unwrap().abort();
        slots[0].replace(Some(a));
        slots[1].replace(Some(b));
        if how == "an abort" {
            abort(&slots[0]);
        }
        drop(slots);
        executor.run_until_idle();
        let by_now = if how == "the executor's drop" { 0 } else { 2 };
        assert_eq!(
            drops.get(),
            by_now,
            "{how}: the one takes the other with it"
        );
        drop(executor);
        assert_eq!(drops.get(), 2, "{how}");
    }
}

/// A task whose output is the handle of another.
fn spawns<F: Future + 'static>(future: F) -> impl Future<Output = JoinHandle<F::Output>> {
    let mut future = Some(future);
    poll_fn(move |_| Poll::Ready(spawn(future.take().unwrap())))
}

#[test]
fn an_output_may_be_the_handle_of_another_task() {
    let drops = Rc::new(Cell::new(0));
    let executor = virtual_executor();
    let guard = counted(&drops);
    let outer = executor.spawn(spawns(async move { guard }));
    let inner = executor.block_on(outer).unwrap();
    drop(executor.block_on(inner).unwrap());
    assert_eq!(drops.get(), 1);
    // And nobody takes either.
    let guard = counted(&drops);
    let outer = executor.spawn(spawns(async move { guard }));
    executor.run_until_idle();
    drop(outer);
    assert_eq!(drops.get(), 2);
}

#[test]
fn a_task_may_not_await_itself() {
    let executor = virtual_executor();
    let own: Rc<RefCell<Option<JoinHandle<()>>>> = Rc::default();
    let task = executor.spawn({
        let own = own.clone();
        async move {
            let own = own.take().unwrap();
            own.await.unwrap();
        }
    });
    let id = task.id();
    own.replace(Some(task));
    let watch = executor.spawn({
        let own = own.clone();
        async move { assert!(own.take().is_none()) }
    });
    executor.block_on(watch).unwrap();
    assert_eq!(executor.step(), Step::Idle);
    // It panicked with what to do instead; that its handle was in itself lost the message.
    let message = Rc::new(RefCell::new(String::new()));
    let own: Rc<RefCell<Option<JoinHandle<()>>>> = Rc::default();
    let task = executor.spawn({
        let (own, message) = (own.clone(), message.clone());
        poll_fn(move |cx| {
            let mut own = own.take().unwrap();
            let poll = || drop(Pin::new(&mut own).poll(cx));
            message.replace(panic_message(poll));
            Poll::Ready(())
        })
    });
    let expected = format!("task {} awaits its own JoinHandle", task.id());
    assert_ne!(task.id(), id, "an id is never used again");
    own.replace(Some(task));
    executor.run_until_idle();
    assert!(
        message.borrow().starts_with(&expected),
        "{}",
        message.borrow()
    );
}

#[test]
fn a_task_that_awaits_its_parent_is_a_stall_with_both_names() {
    async fn parent(own: Rc<RefCell<Option<JoinHandle<()>>>>) {
        let child = spawn(child(own.take().unwrap()));
        child.await.unwrap();
    }
    async fn child(parent: JoinHandle<()>) {
        parent.await.unwrap();
    }
    let executor = Executor::new();
    let own: Rc<RefCell<Option<JoinHandle<()>>>> = Rc::default();
    let task = executor.spawn(parent(own.clone()));
    own.replace(Some(task));
    let stalled = executor.try_block_on(pending::<()>()).unwrap_err();
    let told = stalled
        .tasks()
        .iter()
        .map(|task| (&task.name[..], task.waits_for.clone()));
    let [main, parent, child] = &told.collect::<Vec<_>>()[..] else {
        panic!("{stalled}");
    };
    let id = |n: usize| vec![stalled.tasks()[n].id];
    assert_eq!(*parent, ("parent", id(2)), "{stalled}");
    assert_eq!(*child, ("child", id(1)), "{stalled}");
    assert_eq!(main.1, []);
}

#[test]
fn what_was_ready_panics_when_it_is_polled_again_and_says_what_it_is() {
    type Leaf = Pin<Box<dyn Future<Output = ()>>>;
    fn leaf<F: Future + 'static>(future: F) -> Leaf {
        // An async block would panic by itself.
        let mut future = Box::pin(future);
        Box::pin(poll_fn(move |cx| future.as_mut().poll(cx).map(drop)))
    }
    type Case = (fn() -> Leaf, &'static str);
    let leaves: [Case; 4] = [
        (
            || leaf(spawn(async {})),
            "was polled after it gave its output",
        ),
        (
            || leaf(join(yield_now(), yield_now())),
            "was polled after it was ready: ",
        ),
        (
            || leaf(race(yield_now(), pending())),
            "was polled after it was ready: ",
        ),
        (
            || leaf(join_all([yield_now()])),
            "was polled after it was ready: ",
        ),
    ];
    for (leaf, expected) in leaves {
        let message = panic_message(|| {
            virtual_executor().block_on(async {
                let mut leaf = leaf();
                leaf.as_mut().await;
                leaf.await;
            });
        });
        assert!(message.contains(expected), "{message}");
    }
    // These stay ready instead.
    virtual_executor().block_on(async {
        let mut sleep = Box::pin(sleep(secs(1)));
        let mut yielded = Box::pin(yield_now());
        for _ in 0..3 {
            sleep.as_mut().await;
            yielded.as_mut().await;
        }
    });
}

#[test]
fn a_set_holds_tasks_of_one_executor_and_says_so() {
    let [first, second] = [virtual_executor(), virtual_executor()];
    let mut set = JoinSet::new();
    set.insert(first.spawn(async { 1 }));
    set.insert(first.spawn(async { 2 }));
    let stray = second.spawn(async { 3 });
    let message = panic_message(|| _ = set.insert(stray));
    assert!(message.contains("of another executor"), "{message}");
    assert_eq!(set.len(), 2, "nothing is lost");
    let outputs = first.block_on(async {
        let mut outputs = Vec::new();
        while let Some(output) = set.join_next().await {
            outputs.push(output.unwrap());
        }
        outputs
    });
    assert_eq!(outputs, [1, 2]);
    // An empty set belongs to nobody.
    set.insert(second.spawn(async { 4 }));
    assert_eq!(second.block_on(set.join_next()).unwrap().unwrap(), 4);
}

/// A stack on which no recursion over the tasks has room.
fn on_a_small_stack(test: impl FnOnce() + Send + 'static) {
    no_hang(|| {
        let thread = thread::Builder::new().stack_size(256 * 1024);
        thread.spawn(test).unwrap().join().unwrap();
    });
}

/// So many tasks, each of which awaits the one before it; the first waits for a second.
fn chain(executor: &Executor, tasks: usize) -> JoinHandle<usize> {
    let first = executor.spawn(async {
        sleep(secs(1)).await;
        1
    });
    (1..tasks).fold(first, |before, _| {
        executor.spawn(async { before.await.unwrap() + 1 })
    })
}

/// A quarter of a megabyte has no room for so many calls, however small. `tests/load.rs` runs a million.
const LINKS: usize = 100_000;

#[test]
fn a_long_chain_of_joins_runs_on_a_small_stack() {
    on_a_small_stack(|| {
        let executor = virtual_executor();
        let last = chain(&executor, LINKS);
        assert_eq!(executor.block_on(last).unwrap(), LINKS);
    });
}

#[test]
fn a_long_chain_of_joins_is_dropped_on_a_small_stack() {
    on_a_small_stack(|| {
        let executor = virtual_executor();
        let last = chain(&executor, LINKS);
        executor.block_on(yield_now());
        drop(executor);
        assert!(last.is_finished());
    });
}

#[test]
fn a_long_chain_of_joins_is_aborted_on_a_small_stack() {
    on_a_small_stack(|| {
        let executor = virtual_executor();
        // Each panics since the one before it was cancelled: silently, or it would print them all.
        let first = executor.spawn(pending::<()>());
        let mut tasks = vec![first];
        for _ in 1..LINKS {
            let before = tasks.pop().unwrap();
            tasks.push(executor.spawn(async { drop(before.await) }));
        }
        executor.run_until_idle();
        tasks[0].abort();
        executor.run_until_idle();
        assert!(tasks[0].is_finished());
    });
}

#[test]
fn a_handle_may_be_dropped_by_the_very_task_that_it_is_of() {
    let executor = virtual_executor();
    type Handle = JoinHandle<Box<dyn Any>>;
    let own: Rc<RefCell<Option<Handle>>> = Rc::default();
    let drops = Rc::new(Cell::new(0));
    let task = executor.spawn({
        let (own, guard) = (own.clone(), counted(&drops));
        async move {
            yield_now().await;
            drop(own.take());
            yield_now().await;
            Box::new(guard) as Box<dyn Any>
        }
    });
    own.replace(Some(task));
    executor.run_until_idle();
    assert_eq!(
        drops.get(),
        1,
        "the output of a task that is detached by now"
    );
}

#[test]
fn a_handle_that_is_in_its_own_task_goes_with_it() {
    for abort in [false, true] {
        let executor = virtual_executor();
        let own: Rc<RefCell<Option<JoinHandle<()>>>> = Rc::default();
        let drops = Rc::new(Cell::new(0));
        let task = executor.spawn({
            let (own, guard) = (own.clone(), counted(&drops));
            async move {
                let _guard = guard;
                let own = own.take().unwrap();
                if abort {
                    own.abort();
                    pending::<()>().await;
                }
                drop(own);
            }
        });
        own.replace(Some(task));
        executor.run_until_idle();
        assert_eq!(drops.get(), 1, "abort: {abort}");
    }
}

#[test]
fn a_handle_outlives_its_executor_with_nothing_of_it_left_running() {
    let drops = Rc::new(Cell::new(0));
    let executor = virtual_executor();
    let guards: Vec<_> = (0..3).map(|_| counted(&drops)).collect();
    let mut tasks: Vec<JoinHandle<()>> = guards
        .into_iter()
        .map(|guard| {
            executor.spawn(async move {
                let _guard = guard;
                pending().await
            })
        })
        .collect();
    let noop = &mut Context::from_waker(Waker::noop());
    assert!(Pin::new(&mut tasks[0]).poll(noop).is_pending());
    drop(executor);
    assert_eq!(drops.get(), 3);
    for task in &mut tasks {
        task.abort();
        let Poll::Ready(outcome) = Pin::new(task).poll(noop) else {
            panic!("it is cancelled");
        };
        assert!(outcome.unwrap_err().is_cancelled());
    }
}
