//! Wakers at the wrong time: too late, too often, from inside a drop, from another runtime.

mod common;

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use common::{
    LONG, OnDrop, Probe, ms, no_hang, own_waker, panic_message, poll_once, recorded, secs,
    virtual_executor, wake_remotely,
};
use waker_fn::waker_fn;
use watchglass::trace::{Event, UnparkCause};
use watchglass::{Executor, JoinHandle, block_on, sleep, spawn, yield_now};

/// Counts its drops, each of which must be on the thread where it was made.
struct Mortal {
    home: ThreadId,
    drops: Rc<Cell<usize>>,
}

impl Mortal {
    fn new(drops: &Rc<Cell<usize>>) -> Self {
        Mortal {
            home: thread::current().id(),
            drops: drops.clone(),
        }
    }
}

impl Drop for Mortal {
    fn drop(&mut self) {
        assert_eq!(self.home, thread::current().id(), "dropped elsewhere");
        self.drops.set(self.drops.get() + 1);
    }
}

/// Runs a probe that dies with a `Mortal`.
fn mortal(probe: &Rc<Probe>, drops: &Rc<Cell<usize>>) -> impl Future<Output = ()> + use<> {
    let (task, mortal) = (probe.run(), Mortal::new(drops));
    async move {
        let _mortal = mortal;
        task.await;
    }
}

#[test]
fn a_wake_after_an_abort_does_nothing() {
    let executor = virtual_executor();
    let probe = Probe::new();
    let task = executor.spawn(probe.run());
    executor.run_until_idle();
    let waker = probe.waker();
    task.abort();
    waker.wake_by_ref();
    wake_remotely(&waker);
    executor.run_until_idle();
    waker.wake_by_ref();
    wake_remotely(&waker);
    executor.run_until_idle();
    assert!(executor.block_on(task).unwrap_err().is_cancelled());
    assert_eq!(probe.polls.get(), 1);
}

#[test]
fn ten_thousand_tasks_may_be_woken_while_their_executor_is_dropped() {
    const TASKS: usize = 10_000;
    no_hang(|| {
        for _ in 0..10 {
            let drops = Rc::new(Cell::new(0));
            let executor = virtual_executor();
            let probes: Vec<_> = (0..TASKS).map(|_| Probe::new()).collect();
            for probe in &probes {
                drop(executor.spawn(mortal(probe, &drops)));
            }
            executor.run_until_idle();
            let wakers: Arc<Vec<Waker>> = Arc::new(probes.iter().map(|p| p.waker()).collect());
            let (over, waking) = (
                Arc::new(AtomicBool::new(false)),
                Arc::new(AtomicUsize::new(0)),
            );
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    let (wakers, over, waking) = (wakers.clone(), over.clone(), waking.clone());
                    thread::spawn(move || {
                        while !over.load(Ordering::Relaxed) {
                            wakers.iter().for_each(Waker::wake_by_ref);
                            waking.fetch_add(1, Ordering::Relaxed);
                        }
                    })
                })
                .collect();
            while waking.load(Ordering::Relaxed) == 0 {
                thread::yield_now();
            }
            drop(executor);
            assert_eq!(drops.get(), TASKS);
            over.store(true, Ordering::Relaxed);
            threads.into_iter().for_each(|t| t.join().unwrap());
            assert!(probes.iter().all(|probe| probe.polls.get() == 1));
        }
    });
}

#[test]
fn a_million_clones_of_one_waker_poll_once() {
    let executor = virtual_executor();
    let probe = Probe::new();
    let task = executor.spawn(probe.run());
    executor.run_until_idle();
    let clones = vec![probe.waker(); 1_000_000];
    clones.into_iter().for_each(Waker::wake);
    executor.run_until_idle();
    assert_eq!(probe.polls.get(), 2);
    task.abort();
    executor.run_until_idle();
    assert!(task.is_finished());
}

#[test]
fn a_waker_may_be_dropped_during_its_own_poll() {
    let executor = virtual_executor();
    let kept: Rc<RefCell<Vec<Waker>>> = Rc::default();
    let mut polls = 0;
    let task = executor.spawn({
        let kept = kept.clone();
        poll_fn(move |cx| {
            polls += 1;
            // The last clone, then the only one again, then none.
            kept.take();
            match polls {
                1 | 2 => {
                    kept.borrow_mut().push(cx.waker().clone());
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
                3 => {
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
                polls => Poll::Ready(polls),
            }
        })
    });
    assert_eq!(executor.block_on(task).unwrap(), 4);
    assert!(kept.borrow().is_empty());
}

#[test]
fn many_wakes_inside_one_s_own_poll_are_exactly_one_more_poll() {
    let executor = virtual_executor();
    let polls = Rc::new(Cell::new(0));
    let _task = executor.spawn({
        let polls = polls.clone();
        poll_fn(move |cx| {
            if polls.replace(polls.get() + 1) == 0 {
                wake_remotely(cx.waker());
                cx.waker().wake_by_ref();
                let clone = cx.waker().clone();
                clone.wake();
                wake_remotely(cx.waker());
            }
            Poll::<()>::Pending
        })
    });
    executor.run_until_idle();
    assert_eq!(polls.get(), 2);
}

/// A waker that wakes another one when its last clone is dropped.
struct WakesAtItsEnd(Waker);

impl Wake for WakesAtItsEnd {
    fn wake(self: Arc<Self>) {}
}

impl Drop for WakesAtItsEnd {
    fn drop(&mut self) {
        self.0.wake_by_ref();
    }
}

#[test]
fn a_waker_s_drop_may_wake_another_task() {
    let executor = virtual_executor();
    let probe = Probe::new();
    let _probe = executor.spawn(probe.run());
    executor.run_until_idle();
    // Each leaf keeps the waker, and drops it when it is dropped itself, or when it is done.
    type Leaf = Pin<Box<dyn Future<Output = ()>>>;
    type Named = (&'static str, fn() -> Leaf);
    let leaves: [Named; 3] = [
        ("a sleep that is dropped", || Box::pin(sleep(secs(60)))),
        ("a sleep that fires", || Box::pin(sleep(Duration::ZERO))),
        ("a handle that is dropped", || {
            Box::pin(async { spawn(pending::<()>()).await.unwrap() })
        }),
    ];
    for (name, leaf) in leaves {
        let polls = probe.polls.get();
        executor.block_on(async {
            let waker = Waker::from(Arc::new(WakesAtItsEnd(probe.waker())));
            let mut leaf = leaf();
            let polled = leaf.as_mut().poll(&mut Context::from_waker(&waker));
            assert!(polled.is_pending(), "{name}");
            drop(waker);
            yield_now().await;
            yield_now().await;
            drop(leaf);
            yield_now().await;
        });
        assert_eq!(probe.polls.get(), polls + 1, "{name}");
    }
}

#[test]
fn the_last_waker_dropped_on_another_thread_drops_no_future_there() {
    let drops = Rc::new(Cell::new(0));
    let executor = virtual_executor();
    let waker = Rc::new(RefCell::new(None));
    drop(executor.spawn({
        let (waker, mortal) = (waker.clone(), Mortal::new(&drops));
        async move {
            let _mortal = mortal;
            waker.replace(Some(own_waker().await));
            pending::<()>().await;
        }
    }));
    executor.run_until_idle();
    let last = waker.take().unwrap();
    thread::spawn(move || drop(last)).join().unwrap();
    assert_eq!(drops.get(), 0, "nobody can wake it, and it still lives");
    executor.run_until_idle();
    drop(executor);
    assert_eq!(drops.get(), 1);
}

#[test]
fn a_wake_may_drop_a_hundred_timers_while_timers_fire() {
    thread_local! {
        static OTHERS: RefCell<Vec<Pin<Box<watchglass::time::Sleep>>>> = const { RefCell::new(Vec::new()) };
    }
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    executor.block_on(async {
        let until = watchglass::now() + secs(1);
        let drops_others = waker_fn(|| drop(OTHERS.take()));
        let mut first = pin!(watchglass::sleep_until(until));
        let polled = first.as_mut().poll(&mut Context::from_waker(&drops_others));
        assert!(polled.is_pending());
        for _ in 0..100 {
            let mut other = Box::pin(watchglass::sleep_until(until));
            assert!(poll_once(other.as_mut()).await.is_pending());
            OTHERS.with_borrow_mut(|others| others.push(other));
        }
        watchglass::sleep_until(until).await;
        assert!(first.is_elapsed());
    });
    let count = |which: fn(&Event) -> bool| recording.events().iter().filter(|e| which(e)).count();
    assert_eq!(count(|e| matches!(e, Event::TimerFired { .. })), 2);
    assert_eq!(count(|e| matches!(e, Event::TimerCancelled { .. })), 100);
    assert_eq!(executor.next_deadline(), None);
}

#[test]
fn a_task_that_wakes_itself_for_ever_keeps_nobody_from_running() {
    no_hang(|| {
        let executor = Executor::new();
        let _busy = executor.spawn(poll_fn(|cx| {
            cx.waker().wake_by_ref();
            Poll::<()>::Pending
        }));
        executor.block_on(async {
            let start = Instant::now();
            sleep(ms(5)).await;
            assert!(start.elapsed() >= ms(5));
            watchglass::spawn_blocking(|| ()).await.unwrap();
            spawn(yield_now()).await.unwrap();
        });
    });
}

#[test]
fn a_future_that_keeps_its_own_waker_is_freed_all_the_same() {
    fn keeps_waker(drops: &Rc<Cell<usize>>, done: bool) -> impl Future<Output = ()> + use<> {
        let mortal = Mortal::new(drops);
        let mut wakers = Vec::new();
        let mut polls = 0;
        poll_fn(move |cx| {
            let _ = &mortal;
            wakers.push(cx.waker().clone());
            polls += 1;
            match (polls, done) {
                (1, _) => cx.waker().wake_by_ref(),
                (_, true) => return Poll::Ready(()),
                (_, false) => {}
            }
            Poll::Pending
        })
    }
    let drops = Rc::new(Cell::new(0));
    let executor = virtual_executor();
    let [ends, aborted, left] = [true, false, false].map(|done| {
        let task = executor.spawn(keeps_waker(&drops, done));
        executor.run_until_idle();
        task
    });
    assert!(ends.is_finished());
    assert_eq!(drops.get(), 1);
    aborted.abort();
    executor.run_until_idle();
    assert_eq!(drops.get(), 2);
    assert!(!left.is_finished());
    drop(executor);
    assert_eq!(drops.get(), 3);
}

/// Another runtime: a future and a parked thread, and wakers that are not ours.
fn foreign_block_on<F: Future>(future: F) -> F::Output {
    let thread = thread::current();
    let woken = Arc::new(AtomicBool::new(true));
    let waker = waker_fn({
        let woken = woken.clone();
        move || {
            woken.store(true, Ordering::SeqCst);
            thread.unpark();
        }
    });
    let mut future = pin!(future);
    loop {
        while !woken.swap(false, Ordering::SeqCst) {
            thread::park_timeout(LONG);
        }
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
    }
}

#[test]
fn another_runtime_may_run_around_ours() {
    let output = no_hang(|| {
        foreign_block_on(async {
            block_on(async {
                sleep(ms(1)).await;
                spawn(async { 7 }).await.unwrap()
            })
        })
    });
    assert_eq!(output, 7);
}

#[test]
fn another_runtime_may_run_inside_ours() {
    let output = no_hang(|| {
        block_on(async {
            // Its future is woken by a thread, and by ours it is not touched.
            let (send, receive) = async_channel::bounded(1);
            thread::spawn(move || send.send_blocking(7).unwrap());
            let inner = foreign_block_on(receive.recv()).unwrap();
            sleep(ms(1)).await;
            inner
        })
    });
    assert_eq!(output, 7);
}

#[test]
fn a_sleep_polled_where_no_executor_runs_says_so() {
    let executor = virtual_executor();
    let [begun, armed] = executor.block_on(async {
        let mut armed = sleep(ms(1));
        assert!(poll_once(Pin::new(&mut armed)).await.is_pending());
        [sleep(ms(1)), armed]
    });
    for sleep in [sleep(ms(1)), begun, armed] {
        let message = panic_message(|| foreign_block_on(sleep));
        assert!(message.contains("no watchglass executor runs"), "{message}");
    }
}

#[test]
fn a_task_may_be_awaited_from_a_plain_thread_s_parker() {
    let executor = virtual_executor();
    let task = executor.spawn(async {
        sleep(secs(1)).await;
        7
    });
    // The other runtime drives ours step by step, and is woken when the task is done.
    let mut task = pin!(task);
    let wakes = Arc::new(AtomicUsize::new(0));
    let waker = waker_fn({
        let wakes = wakes.clone();
        move || {
            wakes.fetch_add(1, Ordering::Relaxed);
        }
    });
    let mut poll = || task.as_mut().poll(&mut Context::from_waker(&waker));
    assert!(poll().is_pending());
    assert!(poll().is_pending());
    executor.run_until_idle();
    assert_eq!(wakes.load(Ordering::Relaxed), 1);
    match poll() {
        Poll::Ready(output) => assert_eq!(output.unwrap(), 7),
        Poll::Pending => panic!("it is done"),
    }
}

#[test]
fn user_code_that_parks_or_unparks_the_thread_eats_no_wake() {
    no_hang(|| {
        block_on(async {
            let (send, receive) = async_channel::unbounded();
            let (echo, echoed) = std::sync::mpsc::channel();
            let home = thread::current();
            let other = thread::spawn(move || {
                for round in 0..2_000 {
                    if round % 3 == 0 {
                        home.unpark();
                    }
                    send.send_blocking(round).unwrap();
                    // The next comes when this one has arrived: a wake that is lost ends it all.
                    assert_eq!(echoed.recv_timeout(LONG), Ok(round));
                }
            });
            while let Ok(round) = receive.recv().await {
                match round % 4 {
                    0 => thread::current().unpark(),
                    1 => thread::park_timeout(Duration::ZERO),
                    2 => {
                        thread::current().unpark();
                        thread::park();
                    }
                    _ => {}
                }
                echo.send(round).unwrap();
            }
            other.join().unwrap();
        });
    });
}

#[test]
fn an_unpark_that_is_nobody_s_wake_ends_no_sleep_and_is_told_as_that() {
    // A machine that stands still for long enough can keep the thread from parking at all.
    let told = (0..100).any(|_| {
        let (executor, recording) = recorded(Executor::builder());
        let start = Instant::now();
        executor.block_on(async {
            thread::current().unpark();
            sleep(ms(20)).await;
        });
        assert!(start.elapsed() >= ms(20));
        let unparked: Vec<_> = recording
            .events()
            .into_iter()
            .filter_map(|event| match event {
                Event::Unparked { by } => Some(by),
                _ => None,
            })
            .collect();
        unparked.first() == Some(&UnparkCause::Spurious)
            && unparked.last() == Some(&UnparkCause::Deadline)
    });
    assert!(told);
}

#[cfg(unix)]
#[test]
fn a_storm_of_signals_wakes_nobody_early_and_loses_nothing() {
    unsafe extern "C" {
        safe fn pthread_self() -> usize;
        fn pthread_kill(thread: usize, signal: i32) -> i32;
        fn signal(signal: i32, handler: extern "C" fn(i32)) -> usize;
    }
    const SIGUSR1: i32 = if cfg!(target_os = "linux") { 10 } else { 30 };
    static CAUGHT: AtomicUsize = AtomicUsize::new(0);
    extern "C" fn count(_: i32) {
        CAUGHT.fetch_add(1, Ordering::Relaxed);
    }
    // SAFETY: the handler does nothing but add to an atomic, which is allowed in a handler.
    unsafe { signal(SIGUSR1, count) };
    no_hang(|| {
        let executor_thread = pthread_self();
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    // SAFETY: the thread runs until `over` is set, and this one is joined before.
                    unsafe { pthread_kill(executor_thread, SIGUSR1) };
                    thread::sleep(Duration::from_micros(20));
                }
            });
            while CAUGHT.load(Ordering::Relaxed) == 0 {
                thread::yield_now(); // a thread may start late
            }
            block_on(async {
                let (send, receive) = async_channel::unbounded();
                thread::spawn(move || {
                    for round in 0..50 {
                        thread::sleep(ms(1));
                        send.send_blocking(round).unwrap();
                    }
                });
                for expected in 0..50 {
                    assert_eq!(receive.recv().await, Ok(expected));
                    let start = Instant::now();
                    sleep(ms(1)).await;
                    assert!(start.elapsed() >= ms(1));
                }
            });
            over.store(true, Ordering::Relaxed);
        });
        assert!(CAUGHT.load(Ordering::Relaxed) > 10, "there was no storm");
    });
}

#[test]
fn an_unwinding_block_on_drops_its_tasks_and_leaves_no_executor_behind() {
    let drops = Rc::new(Cell::new(0));
    let probe = Probe::new();
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        block_on(async {
            drop(spawn(mortal(&probe, &drops)));
            yield_now().await;
            panic!("on purpose");
        })
    }));
    assert!(unwound.is_err());
    assert_eq!(drops.get(), 1);
    probe.waker().wake();
    assert_eq!(block_on(async { spawn(async { 7 }).await.unwrap() }), 7);
}

#[test]
fn two_executors_take_turns_on_one_thread() {
    let executors = [virtual_executor(), virtual_executor()];
    let tasks: Vec<(usize, JoinHandle<usize>)> = (0..100)
        .map(|n| {
            let task = async move {
                sleep(secs(n as u64)).await;
                n
            };
            (n % 2, executors[n % 2].spawn(task))
        })
        .collect();
    // A step of the one, a step of the other: the tasks have the same ids in both.
    while executors
        .iter()
        .any(|executor| executor.step() != watchglass::Step::Idle)
    {}
    for (n, (which, task)) in tasks.into_iter().enumerate() {
        assert_eq!(executors[which].block_on(task).unwrap(), n);
    }
}

#[test]
fn fifty_threads_may_each_have_an_executor() {
    no_hang(|| {
        let threads: Vec<_> = (0..50)
            .map(|n| {
                thread::spawn(move || {
                    block_on(async move {
                        let tasks = (0..20).map(|task| {
                            spawn(async move {
                                sleep(Duration::from_micros(task)).await;
                                n * task
                            })
                        });
                        let outputs = watchglass::join_all(tasks).await;
                        outputs.into_iter().map(Result::unwrap).sum::<u64>()
                    })
                })
            })
            .collect();
        for (n, thread) in (0..).zip(threads) {
            assert_eq!(thread.join().unwrap(), n * 190);
        }
    });
}

#[test]
fn what_the_main_future_cloned_before_it_panicked_wakes_nobody_else() {
    let executor = virtual_executor();
    let probe = Probe::new();
    let first = executor.block_on(executor.spawn(own_waker())).unwrap();
    let kept = Cell::new(None);
    let panics = poll_fn(|cx| -> Poll<()> {
        kept.set(Some(cx.waker().clone()));
        panic!("on purpose")
    });
    assert_eq!(panic_message(|| executor.block_on(panics)), "on purpose");
    let _task = executor.spawn(probe.run());
    executor.run_until_idle();
    kept.take().unwrap().wake();
    first.wake();
    executor.run_until_idle();
    assert_eq!(probe.polls.get(), 1);
    probe.waker().wake();
    executor.run_until_idle();
    assert_eq!(probe.polls.get(), 2);
}

#[test]
fn a_thread_local_guard_is_told_of_a_wake_from_a_thread_that_ends() {
    type Guard = OnDrop<Box<dyn FnMut()>>;
    thread_local!(static GUARD: RefCell<Option<Guard>> = const { RefCell::new(None) });
    no_hang(|| {
        let executor = Executor::new();
        let probe = Probe::new();
        let task = executor.spawn(probe.run());
        executor.run_until_idle();
        let waker = probe.waker();
        probe.done.set(true);
        thread::spawn(move || {
            GUARD.set(Some(OnDrop(Box::new(move || waker.wake_by_ref()))));
        });
        executor.block_on(task).unwrap();
    });
}
