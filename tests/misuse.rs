//! Misuse gets a clear answer: what happened, what to do instead, and the place where it was done.

mod common;

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn, ready};
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind, set_hook, take_hook};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Once;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use common::{panic_text, poll_once, secs, virtual_executor};
use watchglass::{
    Executor, JoinHandle, JoinSet, block_on, interval, interval_at, join, join_all, now, race,
    sleep, sleep_until, spawn, spawn_blocking, spawn_blocking_named, spawn_named, timeout,
    yield_now,
};

thread_local! {
    /// What the last panic said, and the file and the line that it named.
    static LAST: Cell<Option<(String, String, u32)>> = const { Cell::new(None) };
}

/// Asserts that `code` panics with `message`, and that the panic names a place in `code` itself,
/// which is written at this function's call and is no longer than a few lines.
#[track_caller]
fn assert_panics<T>(message: &str, code: impl FnOnce() -> T) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |info| {
            before(info);
            let place = info.location().expect("panics have a place");
            let message = panic_text(info.payload());
            LAST.set(Some((message, place.file().to_owned(), place.line())));
        }));
    });
    let caught = catch_unwind(AssertUnwindSafe(code));
    assert!(caught.is_err(), "it does not panic: {message}");
    let (said, file, line) = LAST.take().expect("the hook was told");
    assert_eq!(said, message);
    let here = Location::caller();
    assert_eq!(file, here.file());
    assert!(
        (here.line()..here.line() + 15).contains(&line),
        "{line} is not at {here}"
    );
}

#[test]
fn what_needs_an_executor_says_so_outside_of_one() {
    let with_advice = |what, instead| {
        format!("{what} was used where no watchglass executor runs on this thread: {instead}")
    };
    let called = |what, call| {
        let instead =
            format!("call it in async code that runs, as in `block_on(async {{ {call}.await }})`");
        with_advice(what, instead)
    };
    let message = |what| {
        with_advice(
            what,
            "`.await` it inside `watchglass::block_on` or a task".to_owned(),
        )
    };
    let cx = &mut Context::from_waker(Waker::noop());
    let or = ", or use `Executor::spawn`; from another thread, send a task a message to spawn it";
    let spawns = called("spawn", "spawn(f)") + or;
    assert_panics(&spawns, || spawn(async {}));
    // The argument is computed first.
    assert_panics(&spawns, || block_on(spawn(async {})));
    assert_panics(
        &(called("spawn_named", "spawn_named(name, f)")
            + ", or use `Executor::spawn_named`; from another thread, send a task a message to spawn it"),
        || spawn_named("a", async {}),
    );
    assert_panics(
        &(called("spawn_blocking", "spawn_blocking(f)")
            + ", or use `Executor::spawn_blocking`; on a thread that may block, just call the closure"),
        || spawn_blocking(|| ()),
    );
    let instead =
        "call it in async code that runs, or `insert` the handle that `Executor::spawn` gives";
    assert_panics(&with_advice("JoinSet::spawn", instead.to_owned()), || {
        JoinSet::new().spawn(async {})
    });
    let named = "call it in async code that runs, or `insert` the handle that `Executor::spawn_named` gives";
    assert_panics(
        &with_advice("JoinSet::spawn_named", named.to_owned()),
        || JoinSet::new().spawn_named("a", async {}),
    );
    let blocks = "call it in async code that runs, or `insert` the handle that `Executor::spawn_blocking` gives";
    assert_panics(
        &with_advice("JoinSet::spawn_blocking", blocks.to_owned()),
        || JoinSet::new().spawn_blocking(|| ()),
    );
    let named = "call it in async code that runs, or `insert` the handle that `Executor::spawn_blocking_named` gives";
    assert_panics(
        &with_advice("JoinSet::spawn_blocking_named", named.to_owned()),
        || JoinSet::new().spawn_blocking_named("a", || ()),
    );
    let runs =
        "call it in async code that runs, or use `Executor::spawn_blocking_named`".to_owned();
    assert_panics(&with_advice("spawn_blocking_named", runs), || {
        spawn_blocking_named("a", || ())
    });
    assert_panics(&message("sleep"), || pin!(sleep(secs(1))).poll(cx));
    assert_panics(&message("sleep"), || pin!(sleep_until(now())).poll(cx));
    assert_panics(&message("interval"), || {
        pin!(interval(secs(1)).tick()).poll(cx)
    });
    assert_panics(&message("timeout"), || {
        pin!(timeout(secs(1), pending::<()>())).poll(cx)
    });
}

#[test]
fn what_a_running_executor_cannot_let_happen_says_what_to_do_instead() {
    let blocks = "block_on was called inside a running executor, whose thread it would block: `.await` \
                  the future instead, or move the blocking call to `watchglass::spawn_blocking`";
    let steps = |what| {
        format!(
            "{what} was called inside a running executor, and only one runs on a thread at a time; use it \
             between two calls of `block_on`, or let others run with `yield_now().await`"
        )
    };
    block_on(async {
        let other = Executor::new();
        assert_panics(blocks, || block_on(async {}));
        assert_panics(blocks, || other.block_on(async {}));
        assert_panics(&format!("try_{blocks}"), || other.try_block_on(async {}));
        assert_panics(&steps("step"), || other.step());
        assert_panics(&steps("run_until_idle"), || other.run_until_idle());
        // What was refused has done no harm, and to spawn there is allowed.
        let spawned = other.spawn(async { 5 });
        yield_now().await;
        assert!(!spawned.is_finished());
    });
}

#[test]
fn a_handle_polled_after_it_gave_its_output_says_so() {
    let executor = virtual_executor();
    let message =
        "the JoinHandle of #1 was polled after it gave its output; await a handle only once";
    assert_panics(message, || {
        executor.block_on(async {
            let mut task = spawn(async { 5 });
            assert_eq!((&mut task).await.unwrap(), 5);
            assert!(task.is_finished());
            task.abort();
            let _ = task.await;
        })
    });
    let executor = virtual_executor();
    assert_panics(
        "the JoinHandle of #1 has given its output; insert a handle before it is awaited",
        || {
            executor.block_on(async {
                let mut task = spawn(async { 5 });
                assert_eq!((&mut task).await.unwrap(), 5);
                JoinSet::new().insert(task);
            })
        },
    );
}

#[test]
fn a_task_that_awaits_itself_says_so() {
    let executor = virtual_executor();
    let message = "task #0 awaits its own JoinHandle and would wait for itself for ever; let \
                   another task await it";
    assert_panics(message, || {
        let own = Rc::new(RefCell::new(None::<JoinHandle<()>>));
        let taken = own.clone();
        let task = executor.spawn(async move {
            let own = taken.take().expect("put there before the first poll");
            own.await.unwrap();
        });
        own.replace(Some(task));
        executor.run_until_idle();
        // The panic has ended the task and gone no further.
        resume_unwind(Box::new(()));
    });
}

#[test]
fn a_sleep_polled_on_another_executor_says_so() {
    let message = |what| {
        format!(
            "{what} was polled on another executor than the one it was armed on, which still holds \
             its timer; make a new one on this executor"
        )
    };
    let (first, second) = (virtual_executor(), virtual_executor());
    let armed = || {
        let mut sleep = sleep(secs(1));
        assert!(first.block_on(poll_once(Pin::new(&mut sleep))).is_pending());
        sleep
    };
    let misused = armed();
    assert_panics(&message("sleep"), || {
        second.block_on(async { (misused.await, ()) })
    });
    let mut limited = Box::pin(timeout(secs(1), pending::<()>()));
    assert!(first.block_on(poll_once(limited.as_mut())).is_pending());
    let mut cx = Context::from_waker(Waker::noop());
    assert_panics(&message("timeout"), || {
        second.block_on(async { limited.as_mut().poll(&mut cx).is_ready() })
    });
    // On its own executor it works; and one that is done is done everywhere, also if it was not polled since.
    let mut used = armed();
    first.block_on(Pin::new(&mut used));
    second.block_on(used);
    let mut fired = armed();
    first.block_on(sleep(secs(2)));
    assert!(fired.is_elapsed());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(Pin::new(&mut fired).poll(&mut cx).is_ready(), "nowhere");
    second.block_on(fired);
}

#[test]
fn an_executor_dropped_with_tasks_inside_cancels_them() {
    let executor = virtual_executor();
    let task = executor.spawn(pending::<()>());
    executor.run_until_idle();
    drop(executor);
    task.abort();
    assert!(task.is_finished());
    let error = block_on(task).unwrap_err();
    assert_eq!(error.to_string(), "the task was cancelled");
}

#[test]
fn what_could_never_work_is_refused() {
    let message = "interval(Duration::ZERO) would tick without end at one instant; give a longer \
                   period";
    assert_panics(message, || interval(Duration::ZERO));
    let message = "interval_at(first, Duration::ZERO) would tick without end at one instant; give a longer period";
    assert_panics(message, || interval_at(now(), Duration::ZERO));
    let message = "blocking_threads(0) would let no closure run; give at least 1";
    assert_panics(message, || Executor::builder().blocking_threads(0));
}

#[test]
fn a_combinator_polled_after_it_was_ready_says_so() {
    let cx = &mut Context::from_waker(Waker::noop());
    let mut joined = pin!(join(ready(1), ready(2)));
    assert!(joined.as_mut().poll(cx).is_ready());
    let message = "a join was polled after it was ready: await it only once";
    assert_panics(message, || joined.as_mut().poll(cx));
    let mut joined = pin!(join_all([ready(1)]));
    assert!(joined.as_mut().poll(cx).is_ready());
    let message = "a join_all was polled after it was ready: await it only once";
    assert_panics(message, || joined.as_mut().poll(cx));
    let panics = poll_fn(|_| -> Poll<()> { panic!("one of them") });
    let mut joined = pin!(join_all([panics]));
    catch_unwind(AssertUnwindSafe(|| joined.as_mut().poll(cx))).unwrap_err();
    let message = "a join_all was polled after one of its futures panicked: make a new one";
    assert_panics(message, || joined.as_mut().poll(cx));
    assert_panics(message, || joined.as_mut().poll(cx));
    let mut raced = pin!(race(ready(1), ready(2)));
    assert!(raced.as_mut().poll(cx).is_ready());
    let message = "a race was polled after it was ready: in a loop, make a new one for each round, or leave the loop";
    assert_panics(message, || raced.as_mut().poll(cx));
    let mut timed = pin!(timeout(secs(1), pending::<()>()));
    virtual_executor().block_on(timed.as_mut()).unwrap_err();
    let message = "a timeout was polled after it was ready: in a loop, make a new one for each round, or leave the loop";
    assert_panics(message, || timed.as_mut().poll(cx));
    let mut timed = pin!(timeout(secs(1), ready(())));
    assert!(timed.as_mut().poll(cx).is_ready());
    assert_panics(message, || timed.as_mut().poll(cx));
}
