//! The choices that an executor offers.

use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use crate::clock::Clock;
use crate::context::Shared;
use crate::executor::Executor;
use crate::pool::Pool;
use crate::queue::Queue;
use crate::slack;
use crate::spin::Spin;
use crate::trace::{Observer, Tracer};
use crate::view;

/// A poll that takes this long is told of, unless the builder says otherwise. asyncio's debug mode has the
/// same limit.
pub(crate) const LONG_POLL: Duration = Duration::from_millis(100);

/// Makes an [`Executor`] that differs from the usual one.
///
/// ```
/// let executor = watchglass::Executor::builder().virtual_time().seed(7).build();
/// ```
#[must_use = "nothing is made before `build`"]
pub struct Builder {
    pub(crate) virtual_time: bool,
    pub(crate) closed_world: Option<bool>,
    pub(crate) seed: Option<u64>,
    pub(crate) observer: Option<Box<dyn Observer>>,
    pub(crate) long_poll: Option<Duration>,
    blocking_threads: usize,
    spin: bool,
}

impl Default for Builder {
    fn default() -> Self {
        Builder {
            virtual_time: false,
            closed_world: None,
            seed: None,
            observer: None,
            long_poll: None,
            blocking_threads: Pool::MAX_THREADS,
            spin: true,
        }
    }
}

impl Builder {
    /// Uses a clock that stands still while anything is ready, and then jumps to the next deadline.
    ///
    /// Sleeping takes no time, and every run is the same. (With [`run_until`](Executor::run_until), you say how far
    /// time is to go.) Only these make runs differ:
    ///
    /// - another thread that takes part;
    /// - randomness: in `select!` of the crates futures and tokio, except in its biased forms, and in tokio's `watch`,
    ///   if tokio has its feature `rt` or `macros`;
    /// - code that looks at the real clock: async-lock's `Mutex` and `RwLock` serve those who wait in their order only
    ///   once one has waited for half a millisecond of real time. (`tokio::sync::Mutex`, which needs no tokio runtime,
    ///   always does.)
    ///
    /// Time does not move while a closure of [`spawn_blocking`](crate::spawn_blocking) is out on a thread. So a closure
    /// that waits for something that a task does after a sleep waits for ever. But time does not wait for threads of
    /// your own, and virtual time implies a [closed world](Builder::closed_world). If a thread of your own is to wake a
    /// task, build with `closed_world(false)`. Or do in `spawn_blocking` what the thread does, and time waits for it
    /// too.
    ///
    /// ```
    /// use std::time::Duration;
    /// use watchglass::{Executor, sleep};
    ///
    /// // An hour takes no time.
    /// let executor = Executor::builder().virtual_time().build();
    /// executor.block_on(sleep(Duration::from_secs(3600)));
    /// ```
    #[doc(alias = "pause")]
    #[doc(alias = "start_paused")]
    pub fn virtual_time(mut self) -> Self {
        self.virtual_time = true;
        self
    }

    /// Promises that no waker will be used from outside: not by another thread, and not between calls.
    ///
    /// With this promise `block_on` can tell at once that nothing can ever happen again, even while wakers are held
    /// somewhere. The default is `false`, or `true` with virtual time.
    ///
    /// Calls of [`spawn_blocking`](crate::spawn_blocking) do not count as outside. If a waker is used from outside
    /// after all, nothing worse happens than a wrong verdict.
    ///
    /// ```
    /// use std::future::poll_fn;
    /// use std::task::Poll;
    /// use watchglass::Executor;
    ///
    /// let executor = Executor::builder().closed_world(true).build();
    /// let mut kept = None;
    /// let stalled = executor.try_block_on(poll_fn(|cx| {
    ///     kept = Some(cx.waker().clone());
    ///     Poll::<()>::Pending
    /// }));
    /// assert!(stalled.unwrap_err().tasks()[0].waker_is_held);
    /// ```
    pub fn closed_world(mut self, closed: bool) -> Self {
        self.closed_world = Some(closed);
        self
    }

    /// Polls the tasks of each turn in a shuffled order, which is the same for the same seed.
    ///
    /// It may expose a program that is right only in one order, so try several seeds. A turn is at most 64 polls, and a
    /// task is moved only within its turn, so nobody waits for ever. What is ready in a turn may depend on real time
    /// and on other threads, and then so does the run. If `block_on` panics, standard error tells the seed, unless the
    /// panic is about a call inside a running executor.
    ///
    /// ```
    /// use std::cell::RefCell;
    /// use std::rc::Rc;
    ///
    /// fn order(seed: u64) -> Vec<u32> {
    ///     let order = Rc::new(RefCell::new(Vec::new()));
    ///     let executor = watchglass::Executor::builder().seed(seed).build();
    ///     for task in 0..9 {
    ///         let order = order.clone();
    ///         executor.spawn(async move { order.borrow_mut().push(task) });
    ///     }
    ///     executor.run_until_idle();
    ///     order.take()
    /// }
    /// assert_eq!(order(7), order(7));
    /// assert_ne!(order(7), Vec::from_iter(0..9));
    /// ```
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Tells `observer` everything that the executor does.
    ///
    /// An observer is a closure `|record: &Record| ..`, a [`Recording`](crate::trace::Recording), a type of your own,
    /// or two observers in a tuple. (To choose one at run time, pass an `Rc<dyn Observer>`: a `Box<dyn Observer>` is
    /// not an observer.) If several are given, one after the other, the last one counts.
    ///
    /// ```
    /// use watchglass::trace::{Event, Record, Recording};
    /// use watchglass::{Executor, yield_now};
    ///
    /// let recording = Recording::new();
    /// let prints = |record: &Record| println!("{record}");
    /// let observer = (recording.clone(), prints);
    /// Executor::builder().observer(observer).build().block_on(yield_now());
    /// assert!(matches!(recording.events()[0], Event::Spawned { .. }));
    /// ```
    pub fn observer(mut self, observer: impl Observer + 'static) -> Self {
        self.observer = Some(Box::new(observer));
        self
    }

    /// Tells the observer of each poll that holds the thread for at least `duration`.
    ///
    /// The event is a [`LongPoll`](crate::trace::Event::LongPoll), which says whom the poll delayed. The default is
    /// 100 ms on the real clock. On the virtual clock, which stands still during a poll, no poll is long by default, so
    /// that every run has the same events. (For the views of `WATCHGLASS`, the default there is half a second.)
    ///
    /// Each such poll costs the executor a look at all tasks that are ready and, on the real clock, at all timers. So a
    /// duration that most polls exceed makes a run with many tasks slow.
    ///
    /// A poll that panics counts as well, and so does the drop of a future that is not done. The drop of an output that
    /// nobody wants does not count, unless it is part of a poll that drops the handle.
    ///
    /// ```
    /// use std::time::Duration;
    /// use watchglass::Executor;
    /// use watchglass::trace::{Event, Recording};
    ///
    /// let recording = Recording::new();
    /// let builder = Executor::builder().long_poll(Duration::from_millis(5));
    /// let executor = builder.observer(recording.clone()).build();
    /// executor.block_on(async { std::thread::sleep(Duration::from_millis(10)) });
    /// assert!(recording.events().iter().any(|event| matches!(event, Event::LongPoll(_))));
    /// ```
    pub fn long_poll(mut self, duration: Duration) -> Self {
        self.long_poll = Some(duration);
        self
    }

    /// Limits the number of threads for [`spawn_blocking`](crate::spawn_blocking), which is 512 by default.
    ///
    /// Closures beyond the limit wait for a thread.
    ///
    /// # Panics
    ///
    /// If `threads` is 0: no closure would ever run.
    ///
    /// ```
    /// use std::{thread, time::Duration};
    ///
    /// let executor = watchglass::Executor::builder().blocking_threads(1).build();
    /// let [first, second] = [10, 0].map(|ms| {
    ///     executor.spawn_blocking(move || {
    ///         thread::sleep(Duration::from_millis(ms));
    ///         thread::current().id()
    ///     })
    /// });
    /// // One after the other, on the same thread.
    /// let [first, second] = [first, second].map(|handle| executor.block_on(handle).unwrap());
    /// assert_eq!(first, second);
    /// ```
    #[track_caller]
    pub fn blocking_threads(mut self, threads: usize) -> Self {
        assert!(
            threads > 0,
            "blocking_threads(0) would let no closure run; give at least 1"
        );
        self.blocking_threads = threads;
        self
    }

    /// Sets whether the thread may wait awake for a moment before it parks.
    ///
    /// It does so if another thread has answered soon before: see [`Executor`] under "Waiting". The default is `true`,
    /// which makes a round trip with another thread shorter. With `false` every wait is a park. Choose that to spare
    /// the processor rather than time, because other threads need it, or a battery has to last. Apart from the time
    /// that passes, nothing tells the two apart.
    ///
    /// ```
    /// use watchglass::{Executor, spawn_blocking};
    ///
    /// let executor = Executor::builder().spin(false).build();
    /// let answer = executor.block_on(async { spawn_blocking(|| 6 * 7).await });
    /// assert_eq!(answer.unwrap(), 42);
    /// ```
    pub fn spin(mut self, spin: bool) -> Self {
        self.spin = spin;
        self
    }

    /// Makes the executor, on this thread.
    ///
    /// # Panics
    ///
    /// With the feature `view`, if the environment variable `WATCHGLASS` has a value that is not known, or that cannot
    /// be followed: see the module `view`.
    #[must_use = "an executor that is dropped at once runs nothing"]
    #[track_caller]
    pub fn build(self) -> Executor {
        let this = view::watched(self);
        slack::lower();
        let clock = Rc::new(match this.virtual_time {
            true => Clock::virtual_time(),
            false => Clock::real(),
        });
        let long_poll = match this.virtual_time {
            true => this.long_poll,
            false => Some(this.long_poll.unwrap_or(LONG_POLL)),
        };
        let tracer = Tracer::new(clock.clone(), this.observer, long_poll);
        let queue = Queue::new(this.seed, tracer);
        let pool = Pool::new(this.blocking_threads, Pool::KEEP_ALIVE);
        let closed_world = this.closed_world.unwrap_or(this.virtual_time);
        let spin = Spin::new(this.spin);
        Executor::of(Shared::new(clock, queue, pool, spin), closed_world)
    }
}

impl Executor {
    /// An executor on the real clock, with first in, first out order and no observer.
    ///
    /// # Panics
    ///
    /// As [`Builder::build`].
    #[must_use = "an executor that is dropped at once runs nothing"]
    #[track_caller]
    pub fn new() -> Self {
        Executor::builder().build()
    }

    /// A builder, for an executor that differs from that of [`new`](Executor::new).
    #[must_use = "a builder makes nothing until `build`"]
    pub fn builder() -> Builder {
        Builder::default()
    }
}

impl Default for Executor {
    #[track_caller]
    fn default() -> Self {
        Executor::new()
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("virtual_time", &self.virtual_time)
            .field("closed_world", &self.closed_world)
            .field("seed", &self.seed)
            .field("observed", &self.observer.is_some())
            .field("long_poll", &self.long_poll)
            .field("blocking_threads", &self.blocking_threads)
            .field("spin", &self.spin)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Recording;

    #[test]
    fn the_last_observer_given_is_the_one() {
        let [first, last] = [(); 2].map(|()| Recording::new());
        let builder = Executor::builder().observer(first.clone());
        builder.observer(last.clone()).build().block_on(async {});
        assert!(first.is_empty() && !last.is_empty());
    }

    #[test]
    fn a_poll_is_long_from_the_limit_on_that_the_docs_state() {
        assert_eq!(LONG_POLL, Duration::from_millis(100));
    }

    #[test]
    fn it_spins_unless_told_not_to() {
        let may_spin = |builder: Builder| builder.build().shared.spin.is_allowed;
        assert!(may_spin(Executor::builder()));
        assert!(!may_spin(Executor::builder().spin(false)));
    }
}
