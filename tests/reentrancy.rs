//! No borrow across user code: a future's poll or drop, a waker's clone, wake or drop, an output's
//! drop and an observer may all call back into the executor.

mod common;

use std::any::Any;
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::fmt::{self, Write as _};
use std::future::{pending, poll_fn};
use std::pin::{Pin, pin};
use std::rc::{Rc, Weak};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};
use std::time::{Duration, Instant};

use common::{OnDrop, Probe, no_hang, own_waker, poll_once, secs, virtual_executor};
use waker_fn::waker_fn;
use watchglass::time::Sleep;
use watchglass::trace::{Event, Observer, Record, Recording, UnparkCause};
use watchglass::{
    Builder, Executor, JoinHandle, JoinSet, join_all, now, sleep, sleep_until, spawn,
    spawn_blocking, spawn_named, timeout, yield_now,
};

thread_local! {
    static ON: Cell<bool> = const { Cell::new(false) };
    static BEGUN: Cell<usize> = const { Cell::new(0) };
    static ENDED: Cell<usize> = const { Cell::new(0) };
    static KEPT: RefCell<Vec<Box<dyn Any>>> = const { RefCell::new(Vec::new()) };
}

/// Uses everything that the executor lends to the code that runs in it.
fn meddle() {
    // Switched off meanwhile, so that what this causes does not meddle in turn.
    if !ON.replace(false) {
        return;
    }
    BEGUN.set(BEGUN.get() + 1);
    let mut cx = Context::from_waker(Waker::noop());
    let aborted = spawn(yield_now());
    aborted.abort();
    let mut set = JoinSet::new();
    set.spawn(pending::<()>());
    set.insert(spawn(pending()));
    drop((aborted, set));
    // For as long as it is dropped, this is the thread's executor.
    let other = virtual_executor();
    drop(other.spawn(pending::<()>()));
    drop(other);
    let mut timer = Box::pin(sleep(secs(2)));
    assert!(timer.as_mut().poll(&mut cx).is_pending());
    timer.reset(now() + secs(3));
    drop(timer);
    let mut awaited = Box::new(spawn(sleep(secs(4))));
    assert!(Pin::new(&mut *awaited).poll(&mut cx).is_pending());
    KEPT.with_borrow_mut(|kept| kept.push(awaited));
    ENDED.set(ENDED.get() + 1);
    ON.set(true);
}

/// How often `code` has meddled. Each time must have come to its end: where a panic is caught, only
/// that tells of it.
#[track_caller]
fn meddlings(code: impl FnOnce()) -> usize {
    BEGUN.set(0);
    ENDED.set(0);
    ON.set(true);
    code();
    ON.set(false);
    drop(KEPT.take());
    assert_eq!(BEGUN.get(), ENDED.get(), "none was cut short by a panic");
    ENDED.get()
}

/// Waits for ever, and meddles when it is dropped.
async fn guarded() {
    let _guard = OnDrop(meddle);
    pending().await
}

#[test]
fn polls_drops_and_outputs_may_call_back() {
    let meddlings = meddlings(|| {
        let executor = virtual_executor();
        // Dropped at its end, when it panics, when it is aborted, and with the executor.
        let ends = executor.spawn(async {
            let _guard = OnDrop(meddle);
            yield_now().await;
        });
        let panics = executor.spawn(async {
            let _guard = OnDrop(meddle);
            panic!("on purpose");
        });
        let aborted = executor.spawn(guarded());
        let left = executor.spawn(guarded());
        // An output that nobody wants, and one that is dropped with its handle.
        drop(executor.spawn(async { OnDrop(meddle) }));
        let unread = executor.spawn(async { OnDrop(meddle) });
        // And a poll.
        let polled = executor.spawn(async { meddle() });
        executor.run_until_idle();
        aborted.abort();
        executor.run_until_idle();
        executor.block_on(async move { drop(unread) });
        drop(executor);
        assert!(
            [&ends, &aborted, &left, &polled]
                .into_iter()
                .all(JoinHandle::is_finished)
        );
        assert!(panics.is_finished());
    });
    assert_eq!(meddlings, 7);
}

struct MeddlingName;

impl From<MeddlingName> for Cow<'static, str> {
    fn from(_: MeddlingName) -> Self {
        meddle();
        "meddling".into()
    }
}

#[test]
fn what_makes_a_name_may_call_back() {
    let meddlings = meddlings(|| {
        virtual_executor().block_on(async {
            spawn_named(MeddlingName, async {}).await.unwrap();
        });
    });
    assert_eq!(meddlings, 1);
}

#[test]
fn a_drop_may_abort_and_wake_others_and_drop_their_handles() {
    let executor = virtual_executor();
    let probe = Probe::new();
    let _watched = executor.spawn(probe.run());
    let victim_dropped = Rc::new(Cell::new(false));
    let victim = executor.spawn({
        let guard = OnDrop({
            let dropped = victim_dropped.clone();
            move || dropped.set(true)
        });
        async move {
            let _guard = guard;
            pending::<()>().await;
        }
    });
    executor.run_until_idle();
    let (waker, mut victim) = (probe.waker(), Some(victim));
    let guard = OnDrop(move || {
        waker.wake_by_ref();
        victim.take().expect("dropped once").abort();
    });
    let task = executor.spawn(async move {
        let _guard = guard;
        pending::<()>().await;
    });
    executor.run_until_idle();
    assert!(!victim_dropped.get());
    task.abort();
    executor.run_until_idle();
    assert!(victim_dropped.get());
    assert_eq!(probe.polls.get(), 2);
}

#[test]
fn an_observer_may_call_back_at_every_event_and_is_not_told_of_that() {
    let spawned = Rc::new(Cell::new(0));
    let meddlings = meddlings(|| {
        let observer = {
            let spawned = spawned.clone();
            move |record: &Record| {
                if let Event::Spawned { .. } = record.event {
                    spawned.set(spawned.get() + 1);
                }
                // Not for ever: the polls of what it spawns are events too.
                if record.seq < 500 {
                    meddle();
                }
            }
        };
        let executor = Executor::builder()
            .virtual_time()
            .observer(observer)
            .build();
        executor.block_on(async {
            yield_now().await; // a wake by a waker
            let aborted = spawn(pending::<()>());
            let mut timer = pin!(sleep(secs(9)));
            assert!(poll_once(timer.as_mut()).await.is_pending());
            timer.as_mut().reset(now() + secs(2));
            spawn(async { panic!("on purpose") }).await.unwrap_err();
            aborted.abort();
            aborted.await.unwrap_err();
            spawn_blocking(|| ()).await.unwrap();
            spawn(sleep(secs(1))).await.unwrap();
        });
        drop(executor);
    });
    assert_eq!(meddlings, 500);
    assert_eq!(spawned.get(), 5, "four by the program, and its own future");
}

/// A waker of the user's own. In safe code, to clone or drop one runs no code of the user's but the
/// drop of what the last clone holds, so this one is made by hand.
struct Meddling {
    clones: AtomicUsize,
    wakes: AtomicUsize,
    drops: AtomicUsize,
    forward: Mutex<Waker>,
}

impl Meddling {
    const VTABLE: RawWakerVTable =
        RawWakerVTable::new(Self::clone, Self::wake, Self::wake_by_ref, Self::drop);

    /// A waker that meddles and passes wakes on to `forward`.
    fn new(forward: Waker) -> (Arc<Self>, Waker) {
        let meddling = Arc::new(Meddling {
            clones: AtomicUsize::new(0),
            wakes: AtomicUsize::new(0),
            drops: AtomicUsize::new(0),
            forward: Mutex::new(forward),
        });
        let data = Arc::into_raw(meddling.clone()).cast();
        // SAFETY: each function of the table takes `data` as an `Arc<Meddling>` turned raw. `clone`
        // adds a count for the waker that it makes; `wake` and `drop` use one up.
        (meddling, unsafe { Waker::new(data, &Self::VTABLE) })
    }

    /// Asserts that every clone was dropped, and the first waker too.
    fn assert_all_dropped(&self, name: &str) {
        let [clones, drops] = [&self.clones, &self.drops].map(|n| n.load(Ordering::Relaxed));
        assert!(clones > 0, "{name}");
        assert_eq!(drops, clones + 1, "{name}");
    }

    fn count(counter: &AtomicUsize) {
        counter.fetch_add(1, Ordering::Relaxed);
        meddle();
    }

    unsafe fn clone(data: *const ()) -> RawWaker {
        // SAFETY: `data` is from `Arc::into_raw`, and the waker that is cloned keeps it alive.
        let meddling = unsafe {
            Arc::increment_strong_count(data.cast::<Self>());
            &*data.cast::<Self>()
        };
        Self::count(&meddling.clones);
        RawWaker::new(data, &Self::VTABLE)
    }

    unsafe fn wake(data: *const ()) {
        // SAFETY: `wake` gives its waker up, as `drop` does.
        unsafe {
            Self::wake_by_ref(data);
            Self::drop(data);
        }
    }

    unsafe fn wake_by_ref(data: *const ()) {
        // SAFETY: the waker that is used keeps `data` alive.
        let meddling = unsafe { &*data.cast::<Self>() };
        Self::count(&meddling.wakes);
        meddling.forward.lock().unwrap().wake_by_ref();
    }

    unsafe fn drop(data: *const ()) {
        // SAFETY: the waker that is dropped gives its count up, and nobody uses it afterwards.
        let meddling = unsafe { Arc::from_raw(data.cast::<Self>()) };
        Self::count(&meddling.drops);
    }
}

#[test]
#[rustfmt::skip]
fn a_waker_may_call_back_when_it_is_cloned_woken_and_dropped() {
    type Leaf = fn() -> Pin<Box<dyn Future<Output = ()>>>;
    let leaves: [(&str, Leaf); 5] = [
        ("sleep", || Box::pin(sleep(secs(1)))),
        ("timeout", || Box::pin(async {
            timeout(secs(1), pending::<()>()).await.unwrap_err();
        })),
        ("handle", || Box::pin(async {
            spawn(sleep(secs(1))).await.unwrap();
        })),
        ("set", || Box::pin(async {
            let mut set = JoinSet::new();
            set.spawn(sleep(secs(1)));
            set.join_next().await.unwrap().unwrap();
        })),
        ("join_all", || Box::pin(async {
            join_all([sleep(secs(1)), sleep(secs(2))]).await;
        })),
    ];
    for (name, leaf) in leaves {
        let meddlings = meddlings(|| {
            virtual_executor().block_on(async {
                let (meddling, waker) = Meddling::new(own_waker().await);
                let mut leaf = leaf();
                poll_fn(|_| leaf.as_mut().poll(&mut Context::from_waker(&waker))).await;
                assert!(meddling.wakes.load(Ordering::Relaxed) > 0, "{name}");
                drop((leaf, waker));
                meddling.assert_all_dropped(name);
            });
        });
        assert!(meddlings >= 4, "{name}: {meddlings}");
    }
}

/// Polls with the given waker, with another, and with the given one again, and keeps the future.
fn wait<F: Future + 'static>(mut future: Pin<Box<F>>, waker: &Waker) -> Box<dyn Any> {
    for waker in [waker, Waker::noop(), waker] {
        let polled = future.as_mut().poll(&mut Context::from_waker(waker));
        assert!(polled.is_pending());
    }
    Box::new(future)
}

#[test]
#[rustfmt::skip]
fn a_waker_that_is_replaced_cancelled_or_left_behind_may_call_back() {
    type Wait = fn(&Waker) -> Box<dyn Any>;
    let waits: [(&str, Wait); 6] = [
        ("sleep", |waker| wait(Box::pin(sleep(secs(1))), waker)),
        ("handle", |waker| wait(Box::pin(spawn(pending::<()>())), waker)),
        ("join_all", |waker| wait(Box::pin(join_all([sleep(secs(1))])), waker)),
        ("join_all of handles", |waker| {
            let handles = join_all([spawn(pending::<()>()), spawn(pending())]);
            wait(Box::pin(handles), waker)
        }),
        ("set", |waker| {
            let mut set = JoinSet::new();
            set.spawn(pending::<()>());
            wait(Box::pin(async move { set.join_next().await }), waker)
        }),
        ("handle given to a set", |waker| {
            let mut handle = spawn(pending::<()>());
            let polled = Pin::new(&mut handle).poll(&mut Context::from_waker(waker));
            assert!(polled.is_pending());
            let mut set = JoinSet::new();
            set.insert(handle);
            Box::new(set)
        }),
    ];
    for (name, wait) in waits {
        for executor_ends_first in [false, true] {
            let (meddling, waker) = Meddling::new(Waker::noop().clone());
            let meddlings = meddlings(|| {
                let executor = virtual_executor();
                let mut kept = None;
                executor.block_on(async {
                    kept = Some(wait(&waker));
                    kept.take_if(|_| !executor_ends_first);
                    drop(waker);
                });
                drop(executor);
                // What is dropped now finds no executor that it could call.
                ON.set(false);
                drop(kept);
            });
            meddling.assert_all_dropped(name);
            assert!(meddlings >= 2, "{name}: {meddlings}");
        }
    }
}

#[test]
fn a_timer_that_is_dropped_by_the_wake_of_another_is_cancelled() {
    thread_local!(static SECOND: RefCell<Option<Pin<Box<Sleep>>>> = const { RefCell::new(None) });
    let executor = virtual_executor();
    executor.block_on(async {
        let waker = waker_fn(|| drop(SECOND.take().expect("woken once")));
        let mut first = pin!(sleep(secs(1)));
        let mut second = Box::pin(sleep(secs(1)));
        assert!(
            first
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        assert!(poll_once(second.as_mut()).await.is_pending());
        SECOND.set(Some(second));
        sleep(secs(1)).await;
        assert!(SECOND.take().is_none());
        assert!(first.is_elapsed());
    });
    assert_eq!(executor.next_deadline(), None);
}

#[test]
fn what_an_observer_spawns_when_the_thread_is_about_to_park_is_run() {
    let output = no_hang(|| {
        let (send, receive) = async_channel::unbounded::<u8>();
        let held = send.clone();
        let ended_by = Rc::new(Cell::new(None));
        let observer = {
            let ended_by = ended_by.clone();
            move |record: &Record| match record.event {
                Event::Parked { .. } => {
                    let send = send.clone();
                    drop(spawn(async move { send.try_send(7).unwrap() }));
                }
                Event::Unparked { by } => ended_by.set(Some(by)),
                _ => {}
            }
        };
        let executor = Executor::builder().observer(observer).build();
        let output = executor.block_on(async move { receive.recv().await.unwrap() });
        drop(held);
        (output, ended_by.get())
    });
    assert_eq!(output, (7, Some(UnparkCause::Spurious)));
}

#[test]
fn a_sleep_that_an_observer_moves_when_the_thread_is_about_to_park_is_in_time() {
    let moved = |alone: bool| {
        let sleep = Rc::new(RefCell::new(sleep(Duration::MAX)));
        let observer = {
            let (sleep, moved) = (sleep.clone(), Cell::new(false));
            move |record: &Record| {
                if matches!(record.event, Event::Parked { .. }) && !moved.replace(true) {
                    sleep.borrow_mut().reset(now() + Duration::from_millis(1));
                }
            }
        };
        let start = Instant::now();
        let executor = Executor::builder().observer(observer).build();
        // It also waits for what nobody does, under a waker that is held: no verdict may fall.
        executor.block_on(async {
            let held = own_waker().await;
            let far_off = (!alone).then(|| spawn(watchglass::sleep(secs(3600))));
            poll_fn(|cx| Pin::new(&mut *sleep.borrow_mut()).poll(cx)).await;
            drop((held, far_off));
        });
        start.elapsed()
    };
    for alone in [true, false] {
        let took = no_hang(move || moved(alone));
        assert!(took >= Duration::from_millis(1));
    }
}

#[test]
fn a_task_that_ends_while_its_handle_begins_to_wait_is_not_missed() {
    let own: Rc<RefCell<Weak<Executor>>> = Rc::default();
    let observer = {
        let own = own.clone();
        move |record: &Record| {
            let waits_outside = matches!(record.event, Event::Waits { task: None, .. });
            if let Some(executor) = own.borrow().upgrade()
                && waits_outside
            {
                executor.run_until_idle();
            }
        }
    };
    let executor = Executor::builder().virtual_time().observer(observer);
    let executor = Rc::new(executor.build());
    own.replace(Rc::downgrade(&executor));
    let mut handle = executor.spawn(async { 7 });
    let polled = Pin::new(&mut handle).poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(polled, Poll::Ready(Ok(7))), "{polled:?}");
}

#[test]
fn what_an_observer_spawns_at_the_very_end_is_cancelled_too() {
    struct SpawnsAtTheEnd(Rc<RefCell<Option<JoinHandle<()>>>>);
    impl Observer for SpawnsAtTheEnd {
        fn observe(&self, _: &Record) {}
        fn end(&self) {
            self.0.replace(Some(spawn(pending())));
        }
    }
    let kept = Rc::default();
    let observer = SpawnsAtTheEnd(Rc::clone(&kept));
    drop(Executor::builder().observer(observer).build());
    assert!(kept.take().expect("it was spawned").is_finished());
}

/// Runs a task that waits until an observer, who is told of a cascade in which no timer fires, wakes it;
/// and says when it ran.
fn woken_at_a_cascade(builder: Builder) -> Duration {
    let wakers: Rc<RefCell<Vec<Waker>>> = Rc::default();
    let observer = {
        let wakers = wakers.clone();
        move |record: &Record| {
            if matches!(record.event, Event::Cascaded { .. }) {
                wakers.take().into_iter().for_each(Waker::wake);
            }
        }
    };
    let executor = builder.observer(observer).build();
    let start = executor.now();
    executor.block_on(async {
        let woken = spawn(async move {
            let own = own_waker().await;
            wakers.borrow_mut().push(own);
            poll_fn(|_| match wakers.borrow().is_empty() {
                true => Poll::Ready(now()),
                false => Poll::Pending,
            })
            .await
        });
        // In the same place of the wheel. What is cancelled leaves its deadline behind, as that of the place.
        // On a machine that stands still meanwhile the two below are due when they are armed: then only this cascades.
        let _last = spawn(sleep(Duration::from_secs(5)));
        let later = spawn(sleep(Duration::from_millis(200)));
        let mut earlier = Box::pin(sleep(Duration::from_millis(190)));
        assert!(poll_once(earlier.as_mut()).await.is_pending());
        yield_now().await;
        drop(earlier);
        let ran = woken.await.unwrap();
        later.await.unwrap();
        ran - start
    })
}

#[test]
fn who_is_woken_by_an_observer_of_a_cascade_is_polled_before_time_moves_on() {
    let ran = woken_at_a_cascade(Executor::builder().virtual_time());
    assert!(ran < Duration::from_millis(200), "{ran:?}");
    woken_at_a_cascade(Executor::builder());
}

/// Wherever it drops and arms timers: here behind the place that time has just come to, and then before it.
#[test]
fn an_observer_who_arms_what_is_due_at_a_cascade_does_not_make_time_jump_to_where_it_is() {
    #[derive(Default)]
    struct Arms {
        sleeps: RefCell<Vec<Pin<Box<Sleep>>>>,
        jumps: RefCell<Vec<(Duration, Duration)>>,
        has_armed: Cell<bool>,
    }
    impl Arms {
        fn arm(&self, sleep: Sleep) -> Pin<Box<Sleep>> {
            let mut sleep = Box::pin(sleep);
            let polled = sleep.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            assert!(polled.is_pending());
            sleep
        }
    }
    impl Observer for Arms {
        fn observe(&self, record: &Record) {
            let ns = Duration::from_nanos;
            match record.event {
                Event::ClockAdvanced { from, to } => {
                    self.jumps.borrow_mut().push((from, to));
                    if self.jumps.borrow().len() == 1 {
                        let start = now() - to;
                        self.sleeps.borrow_mut().clear();
                        let before = self.arm(sleep_until(start + ns(80)));
                        let behind = self.arm(sleep_until(start + ns(120)));
                        drop(before);
                        self.sleeps.borrow_mut().push(behind);
                    }
                }
                Event::Cascaded { .. } if !self.has_armed.replace(true) => {
                    let due = self.arm(sleep(Duration::ZERO));
                    self.sleeps.borrow_mut().push(due);
                }
                _ => {}
            }
        }
    }
    let observer = Rc::new(Arms::default());
    let builder = Executor::builder().virtual_time();
    let executor = builder.observer(observer.clone()).build();
    executor.block_on(async {
        let first = observer.arm(sleep(Duration::from_nanos(100)));
        observer.sleeps.borrow_mut().push(first);
        sleep(Duration::from_nanos(1_000)).await;
    });
    let jumps = observer.jumps.take();
    assert!(observer.has_armed.get() && jumps.len() >= 3, "{jumps:?}");
    assert!(jumps.iter().all(|(from, to)| from < to), "{jumps:?}");
}

#[test]
fn what_is_shown_for_debugging_may_be_written_to_the_user_s_own_code() {
    /// Lets the executor go on for a few steps whenever it is written to.
    struct Steps<'a>(&'a Executor, String);
    impl fmt::Write for Steps<'_> {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            for _ in 0..15 {
                self.0.step();
            }
            self.1.push_str(text);
            Ok(())
        }
    }
    let recording = Recording::new();
    let builder = Executor::builder().virtual_time();
    let executor = builder.observer(recording.clone()).build();
    let mut set = JoinSet::new();
    for seconds in 1..100 {
        set.insert(executor.spawn(sleep(secs(seconds))));
    }
    let shown = |value: &dyn fmt::Debug| {
        let mut steps = Steps(&executor, String::new());
        write!(steps, "{value:?}").unwrap();
        steps.1
    };
    assert!(shown(&executor).starts_with("Executor { ready: "));
    assert!(shown(&set).starts_with("JoinSet { tasks: "));
    assert!(shown(&recording).starts_with("Recording { records: [Record { seq: 0"));
    let all = executor.block_on(async {
        let mut outcomes = 0;
        while let Some(outcome) = set.join_next().await {
            outcome.unwrap();
            outcomes += 1;
        }
        outcomes
    });
    assert_eq!(all, 99);
}
