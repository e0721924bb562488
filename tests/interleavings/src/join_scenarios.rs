//! What the threads do with the futures of a join.
//!
//! The join is `src/join_all.rs`, and its task's waker is that of `src/inbox.rs`: what a thread does with the waker
//! of a future goes the whole way from there to the park.

/// The scenarios, once for each copy: a macro, because each copy has its own types.
#[macro_export]
macro_rules! join_scenarios {
    () => {
        use std::cell::{Cell, RefCell};
        use std::future::poll_fn;
        use std::mem::{self, ManuallyDrop};
        use std::pin::Pin;
        use std::rc::Rc;
        use std::sync::{Arc, Weak};
        use std::task::{Context, Poll, Wake, Waker};

        use self::counted_waker::CountedWaker;
        use self::inbox::{Home, Inbox, ParkEnd, TaskWaker};
        use self::join_all::join_all;
        use self::waiter::{Waiter, WokenChildren};
        use atomic::{AtomicUsize as Written, Ordering};

        /// Those that take seconds are the last: a fault that another one finds does not come to them.
        pub const SCENARIOS: &[(&str, fn())] = &[
            (
                "a_thread_and_the_executor_wake_three_futures",
                a_thread_and_the_executor_wake_three_futures,
            ),
            (
                "the_last_waker_of_a_future_is_dropped",
                the_last_waker_of_a_future_is_dropped,
            ),
            (
                "the_last_waker_is_dropped_beside_a_timer",
                the_last_waker_is_dropped_beside_a_timer,
            ),
            (
                "the_last_waker_of_a_future_is_used_up",
                the_last_waker_of_a_future_is_used_up,
            ),
            (
                "a_join_is_dropped_while_a_thread_wakes",
                a_join_is_dropped_while_a_thread_wakes,
            ),
            ("two_threads_wake_one_future", two_threads_wake_one_future),
            ("two_threads_wake_two_futures", two_threads_wake_two_futures),
        ];

        const TASK: $crate::task::TaskId = $crate::task::TaskId(7);

        /// As much of the running executor as a join asks.
        pub mod context {
            use super::*;

            pub(crate) struct Shared {
                pub(crate) home: Arc<Home>,
                pub(crate) polled_child: RefCell<waiter::PolledChild>,
            }

            std::thread_local! {
                /// All of a checker's threads share it, for they run on one thread; only the executor asks.
                static CURRENT: RefCell<Option<Rc<Shared>>> = const { RefCell::new(None) };
            }

            impl Shared {
                pub(crate) fn current() -> Option<Rc<Shared>> {
                    CURRENT.with_borrow(Option::clone)
                }

                pub(crate) fn waits(
                    &self,
                    _: $crate::trace::WaitsOn,
                    _: &'static std::panic::Location<'static>,
                ) {
                }

                pub(crate) fn waiter_left_unseen(&self, _: &Waker) -> Waiter {
                    Waiter::Task(TASK)
                }
            }

            pub(crate) fn enter(current: Option<Shared>) {
                // What a run that failed has left cannot be dropped in another.
                std::mem::forget(CURRENT.replace(current.map(Rc::new)));
            }

            pub(crate) fn leave() {
                drop(CURRENT.take());
            }
        }

        /// From the executor's own thread too: a letter does as well.
        impl Wake for TaskWaker {
            fn wake(self: Arc<Self>) {
                self.send();
            }

            fn wake_by_ref(self: &Arc<Self>) {
                self.send();
            }
        }

        type Boxed = Pin<Box<dyn Future<Output = ()>>>;

        struct Executor {
            home: Arc<Home>,
            inbox: Inbox,
            task: Pin<Box<dyn Future<Output = Vec<()>>>>,
            waker: CountedWaker,
        }

        impl Executor {
            /// `is_current` says that the futures find an executor: one that notes, for a timer, their index.
            fn drive(
                is_current: bool,
                futures: impl IntoIterator<Item = Boxed>,
                drive: impl FnOnce(&mut Executor),
            ) {
                $crate::forget_late();
                let (home, inbox) = Home::new(None);
                context::enter(is_current.then(|| context::Shared {
                    home: home.clone(),
                    polled_child: Default::default(),
                }));
                let waker = CountedWaker::new(home.clone());
                waker.target.set_task(TASK);
                // A run that fails is left as it is: a drop would ask for locks that are another's.
                let mut executor = ManuallyDrop::new(Executor {
                    home,
                    inbox,
                    task: Box::pin(join_all(futures)),
                    waker,
                });
                drive(&mut executor);
                drop(ManuallyDrop::into_inner(executor));
                context::leave();
            }

            fn poll(&mut self) -> bool {
                let polled = self
                    .task
                    .as_mut()
                    .poll(&mut Context::from_waker(&self.waker.waker));
                $crate::the_poll_is_over();
                polled.is_ready()
            }

            /// Parks until a wake comes.
            fn wait(&self) {
                while self.inbox.receive().is_none() {
                    self.inbox.park(&self.home, None, || false);
                }
            }

            /// Polls, and parks until a wake asks for another poll, until all is done.
            fn run(&mut self) {
                while !self.poll() {
                    self.wait();
                }
            }

            /// Polls, and parks until a wake asks for another poll, until nobody outside has the task's waker.
            fn run_until_nobody_has_the_waker(&mut self) {
                loop {
                    assert!(!self.poll());
                    let next = CountedWaker::new(self.home.clone());
                    next.target.set_task(TASK);
                    let CountedWaker { target, waker } = mem::replace(&mut self.waker, next);
                    drop(waker);
                    let watched = target.watch();
                    let is_gone = || watched.strong_count() == 0;
                    while self.inbox.receive().is_none() {
                        if is_gone() {
                            return;
                        }
                        self.inbox.park(&self.home, None, is_gone);
                    }
                }
            }
        }

        /// A future that hands its waker to a thread when it is polled first, and is done when that thread has
        /// written and used it.
        fn done_by_a_thread() -> Boxed {
            let written = Arc::new(Written::new(0));
            let mut is_first = true;
            Box::pin(poll_fn(move |cx| {
                if mem::take(&mut is_first) {
                    let (written, waker) = (written.clone(), cx.waker().clone());
                    super::spawn(move || {
                        written.store(1, Ordering::Relaxed);
                        waker.wake_by_ref();
                    });
                    return Poll::Pending;
                }
                match written.load(Ordering::Relaxed) {
                    0 => Poll::Pending,
                    _ => Poll::Ready(()),
                }
            }))
        }

        /// A future that waits, and whose waker a thread drops unused.
        fn given_up_by_a_thread() -> Boxed {
            let mut is_first = true;
            Box::pin(poll_fn(move |cx| {
                if mem::take(&mut is_first) {
                    let waker = cx.waker().clone();
                    super::spawn(move || drop(waker));
                }
                Poll::Pending
            }))
        }

        /// A future that waits, and whose waker a thread uses up.
        fn used_up_by_a_thread() -> Boxed {
            let mut is_first = true;
            Box::pin(poll_fn(move |cx| {
                if mem::take(&mut is_first) {
                    let waker = cx.waker().clone();
                    super::spawn(move || waker.wake());
                }
                Poll::Pending
            }))
        }

        /// A future that leaves its index with the executor, as a sleep does.
        fn sleep(timer: Timer) -> Boxed {
            Box::pin(poll_fn(move |_| {
                if timer.has_fired.get() {
                    return Poll::Ready(());
                }
                let shared = context::Shared::current().expect("an executor");
                let mut child = shared.polled_child.borrow_mut();
                child.registered = true;
                let woken = child.woken.clone().expect("a join");
                timer.waiter.replace(Some((woken, child.index)));
                Poll::Pending
            }))
        }

        #[derive(Clone, Default)]
        struct Timer {
            has_fired: Rc<Cell<bool>>,
            waiter: Rc<RefCell<Option<(Arc<WokenChildren>, usize)>>>,
        }

        impl Timer {
            /// True if the executor itself is to poll the task.
            fn fire(&self) -> bool {
                self.has_fired.set(true);
                let (woken, index) = self.waiter.take().expect("it was polled");
                woken.note(index, None).inside.is_some()
            }
        }

        fn two_threads_wake_two_futures() {
            let futures = [done_by_a_thread(), done_by_a_thread()];
            Executor::drive(false, futures, Executor::run);
        }

        /// The poll that sees what both have written may be due to either wake.
        fn two_threads_wake_one_future() {
            let written = Arc::new([Written::new(0), Written::new(0)]);
            let waker = Rc::new(RefCell::new(None));
            let (sees, keeps) = (written.clone(), waker.clone());
            let future: Boxed = Box::pin(poll_fn(move |cx| {
                keeps.borrow_mut().get_or_insert_with(|| cx.waker().clone());
                match sees.iter().all(|w| w.load(Ordering::Relaxed) == 1) {
                    false => Poll::Pending,
                    true => Poll::Ready(()),
                }
            }));
            Executor::drive(false, [future], |executor| {
                assert!(!executor.poll());
                for thread in 0..2 {
                    let waker: Waker = waker.borrow().clone().expect("it was polled");
                    let written = written.clone();
                    super::spawn(move || {
                        written[thread].store(1, Ordering::Relaxed);
                        waker.wake();
                    });
                }
                executor.run();
            });
        }

        /// Whoever is first has the task to wake: the first timer may be before the thread or after it, and
        /// at the second one the thread may be done.
        fn a_thread_and_the_executor_wake_three_futures() {
            let timers = [Timer::default(), Timer::default()];
            let sleeps = timers.each_ref().map(|timer| sleep(timer.clone()));
            let futures = sleeps.into_iter().chain([done_by_a_thread()]);
            Executor::drive(true, futures, |executor| {
                for timer in timers {
                    assert!(!executor.poll());
                    if !timer.fire() {
                        executor.wait();
                    }
                }
                executor.run();
            });
        }

        /// The executor is parked only because somebody may wake a future, and must not stay so when
        /// nobody may.
        fn the_last_waker_of_a_future_is_dropped() {
            let futures = [given_up_by_a_thread(), given_up_by_a_thread()];
            Executor::drive(false, futures, Executor::run_until_nobody_has_the_waker);
        }

        /// The same where it comes back to the join, which is not the outside.
        fn the_last_waker_of_a_future_is_used_up() {
            let futures = [used_up_by_a_thread(), used_up_by_a_thread()];
            Executor::drive(false, futures, Executor::run_until_nobody_has_the_waker);
        }

        /// A waker that comes back to a join that is gone would keep what it is kept in.
        fn a_join_is_dropped_while_a_thread_wakes() {
            let woken = Rc::new(RefCell::new(Weak::new()));
            let thread = Rc::new(RefCell::new(None));
            let (sees, spawns) = (woken.clone(), thread.clone());
            let future: Boxed = Box::pin(poll_fn(move |cx| {
                let shared = context::Shared::current().expect("an executor");
                let child = shared.polled_child.borrow();
                sees.replace(Arc::downgrade(child.woken.as_ref().expect("a join")));
                let waker = cx.waker().clone();
                spawns.replace(Some(super::spawn(move || waker.wake())));
                Poll::Pending
            }));
            Executor::drive(true, [future], |executor| {
                assert!(!executor.poll());
                executor.task = Box::pin(async { Vec::new() });
                thread.take().expect("it was polled").join().unwrap();
                let is_kept = woken.borrow().strong_count() > 0;
                assert!(!is_kept, "a list that is kept for ever");
            });
        }

        /// The same where one of the futures needs no waker.
        fn the_last_waker_is_dropped_beside_a_timer() {
            let futures = [sleep(Timer::default()), given_up_by_a_thread()];
            Executor::drive(true, futures, Executor::run_until_nobody_has_the_waker);
        }
    };
}
