//! The executor: the loop that polls what is ready. One poll is in `poll.rs`. What the executor does when nothing is
//! ready is in `rest.rs`.
//!
//! ```text
//!            ┌──────────────────────── one turn ────────────────────────┐
//!            │ take what the inbox holds ▶ fire timers ▶ poll the queue │◀─┐
//!            └───────────────────────────┬──────────────────────────────┘  │ a wake, or
//!                                        │ nothing was ready               │ the deadline
//!                                        ▼                                 │
//!                 park until the next deadline, or a wake from elsewhere ──┘
//! ```

use std::any::type_name;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::io::{self, Write};
use std::mem;
use std::panic::{
    AssertUnwindSafe, Location, RefUnwindSafe, UnwindSafe, catch_unwind, resume_unwind,
};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use crate::context::Shared;
use crate::counted_waker::CountedWaker;
use crate::current::Entered;
use crate::guard::drop_contained;
use crate::main_task::MainTask;
use crate::queue::Popped;
use crate::slots::SlotState;
use crate::stalled::Stalled;
use crate::task::TaskId;
use crate::unfinished::{UnfinishedTask, unfinished_tasks};

/// How many polls a turn has at most. Then the inbox and the timers are looked at again.
const MAX_POLLS_A_TURN: usize = 64;

/// Runs futures on the thread that made it.
///
/// Tasks survive between calls: a task that was given to [`spawn`](Executor::spawn), and that
/// [`block_on`](Executor::block_on) did not finish, goes on at the next call. Between calls nothing is polled.
/// (Closures of [`spawn_blocking`](Executor::spawn_blocking) go on, on their threads.)
///
/// ```
/// use watchglass::Executor;
/// use std::time::Duration;
///
/// let executor = Executor::builder().virtual_time().build();
/// let task = executor.spawn(async {
///     watchglass::sleep(Duration::from_secs(3600)).await;
///     "an hour later"
/// });
/// assert_eq!(executor.block_on(task).unwrap(), "an hour later");
/// ```
///
/// # Memory
///
/// An executor keeps room for as many tasks and timers as it has ever had at once, and later ones use it again. The
/// room is given back when nothing of the executor is left, no handle or sleep either. For a task it is about
/// 100 bytes. Two more things stay in a task's place, for the next task there:
///
/// - its waker, if it has given one away: some 70 bytes, for the next task that gives one away;
/// - the box of its future, if that has at most 128 bytes, for the next task of the same type. This is so for a task
///   from `spawn` that was awaited to its output, or that ended without a handle and with an output that needs no drop.
///
/// The futures themselves are dropped when they end.
///
/// # Waiting
///
/// While nothing is ready the thread is parked. If another thread has soon ended such a wait, the next answer may come
/// as soon. Only then does the next wait begin with a spin. It lasts twice as long as it takes to wake this thread from
/// a park, which is measured, and at most 24 us; and a wait was short if a spin would have been answered in its place.
/// After each spin in vain, it takes twice as many short waits as before (256 at most) until the executor spins again.
/// So a thread that always answers within a spin hardly lets the executor sleep. The executor never spins if a deadline is as
/// near as a spin is long, if somebody observes (an observer sees every wait as a park), or if
/// [`Builder::spin`](crate::Builder::spin) forbids it.
///
/// It parks with [`thread::park`](std::thread::park) or `park_timeout`, and your own code may park this thread, too.
/// Your park may then return for no reason, and an [`unpark`](std::thread::Thread::unpark) that was meant for it is
/// used up if it comes while the executor is parked.
///
/// # In a loop of your own
///
/// If another loop has the thread, that of a game or a window, say, let it run the executor a little, again and again.
/// A task that another thread has woken is seen only at the next [`step`](Executor::step), and nobody tells your loop
/// of the wake. So if threads wake tasks, the loop must come back after a short time, whatever the deadline is.
///
/// ```
/// use std::time::{Duration, Instant};
/// use watchglass::{Executor, JoinSet, Step, sleep};
///
/// /// Runs what can run, but no longer than the budget. Gives when to come back at the latest; `None` if only another
/// /// thread can wake somebody.
/// fn pump(executor: &Executor, budget: Duration) -> Option<Instant> {
///     let end = Instant::now() + budget;
///     while Instant::now() < end {
///         if executor.step() == Step::Idle {
///             return executor.next_deadline();
///         }
///     }
///     Some(Instant::now()) // Somebody is ready: a deadline says nothing of that.
/// }
///
/// let executor = Executor::new();
/// let mut tasks = JoinSet::from_iter([executor.spawn(sleep(Duration::from_millis(5)))]);
/// while let Some(again) = pump(&executor, Duration::from_millis(2)) {
///     // What else the program has to do.
///     std::thread::sleep(again.saturating_duration_since(Instant::now()));
/// }
/// tasks.try_join_next().unwrap().unwrap(); // Unlike `block_on`, this runs nobody.
/// ```
///
/// Or leave the waiting to the executor, with `executor.block_on(sleep_until(next_frame))`. It then runs each task as
/// soon as the task is woken.
///
/// # Dropping
///
/// Dropping an executor drops every future in it, on this thread, and also those that are spawned by these drops. A
/// panic in one of the drops ends there. Handles then resolve to a cancellation, or to that panic.
///
/// Closures that wait for a thread of the pool are not run any more: the thread that comes to one drops it. Closures
/// that run already are left to finish, and nobody waits for them.
///
/// What holds itself in a circle is never dropped:
///
/// - An output belongs to its handle. So outputs that hold each other's handles in a ring, or one that holds its own,
///   are never dropped, and neither is what is left of the executor.
/// - An executor is never dropped if one of its own tasks holds an `Rc` of it. Give the task a `Weak`, or let it call
///   [`spawn`](crate::spawn), which needs neither.
/// - An observer that keeps a handle of one of its executor's tasks keeps the executor's memory: let it go in
///   [`end`](crate::trace::Observer::end).
#[doc(alias = "Runtime")]
#[doc(alias = "LocalSet")]
#[doc(alias = "LocalExecutor")]
#[doc(alias = "LocalPool")]
pub struct Executor {
    pub(crate) shared: Rc<Shared>,
    /// How many more polls belong to this turn.
    turn_left: Cell<usize>,
    /// A waker that is not any task's yet. A task that never gives its waker away never has one of
    /// its own: it is polled with this. Borrowed for as long as the executor runs, which it does only
    /// once at a time: see [`enter`](Executor::enter).
    spare: RefCell<CountedWaker>,
    /// Nobody outside will use a waker.
    closed_world: bool,
}

/// What one [`step`](Executor::step) did.
///
/// ```
/// use std::time::Duration;
/// use watchglass::{Executor, Step, sleep};
///
/// let executor = Executor::builder().virtual_time().build();
/// let task = executor.spawn(sleep(Duration::from_secs(1)));
/// assert_eq!(executor.step(), Step::Polled(task.id()));
/// assert_eq!(executor.step(), Step::ClockAdvanced(Duration::from_secs(1)));
/// assert_eq!(executor.step(), Step::TimersFired(1));
/// assert_eq!(executor.step(), Step::Polled(task.id()));
/// assert_eq!(executor.step(), Step::Idle);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Step {
    /// One task was polled, or dropped if it had been aborted.
    Polled(TaskId),
    /// This many timers fired: up to 64, and any others that are due at the same instant as the last of these. If more
    /// are due, they fire after 64 polls at most, perhaps of other tasks.
    TimersFired(usize),
    /// Virtual time moved on by this much, to the next deadline, or to an earlier one that was cancelled.
    ClockAdvanced(Duration),
    /// Nothing: no task is ready, no timer is due, no wake has arrived. On the virtual clock there may be timers left
    /// if a closure is out on a thread, because time stands still meanwhile.
    Idle,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Polled(task) => write!(f, "{task} was polled"),
            Step::TimersFired(1) => write!(f, "1 timer fired"),
            Step::TimersFired(timers) => write!(f, "{timers} timers fired"),
            Step::ClockAdvanced(by) => write!(f, "virtual time moved on by {by:?}"),
            Step::Idle => write!(f, "there is nothing to do"),
        }
    }
}

impl Executor {
    pub(crate) fn of(shared: Rc<Shared>, closed_world: bool) -> Self {
        let spare = CountedWaker::new(shared.home.clone());
        Executor {
            shared,
            turn_left: Cell::new(0),
            spare: RefCell::new(spare),
            closed_world,
        }
    }

    /// Polls `future`, and whatever else is ready, until `future` is done. While nothing is ready
    /// the thread is parked.
    ///
    /// Other tasks stay in the executor, finished or not.
    ///
    /// # Panics
    ///
    /// - If `future` or an observer panics, with its panic. The executor can be used again.
    /// - If nothing can ever happen again and the executor knows that, with the text of [`Stalled`].
    ///   [`try_block_on`](Executor::try_block_on) returns the `Stalled` instead, and its docs say when the executor
    ///   cannot know.
    /// - Inside a running executor: `.await` the future there instead, or hand what blocks to
    ///   [`spawn_blocking`](crate::spawn_blocking). (Another crate's `block_on` does not panic there. It holds the
    ///   thread, and waits for ever if its future waits for a sleep or a task of this executor.)
    ///
    /// ```
    /// let executor = watchglass::Executor::new();
    /// let name = String::from("the caller's own");
    /// // The future may borrow: it stays where it is.
    /// assert_eq!(executor.block_on(async { name.len() }), 16);
    /// ```
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        match self.run_to_end("block_on", future) {
            Ok(output) => output,
            Err(stalled) => {
                self.tell_seed();
                panic!("{stalled}")
            }
        }
    }

    /// Like [`block_on`](Executor::block_on), but returns an error if it knows that nothing can ever happen again.
    ///
    /// It does not know that while a channel or a lock of another crate has a task's waker, because another thread
    /// might use it. It then waits, for ever if need be, unless it was promised a
    /// [closed world](crate::Builder::closed_world), which virtual time implies.
    ///
    /// # Errors
    ///
    /// [`Stalled`]. `future` has been dropped then; other tasks stay in the executor.
    ///
    /// # Panics
    ///
    /// If `future` or an observer panics, with its panic; and inside of a running executor.
    ///
    /// ```
    /// let executor = watchglass::Executor::new();
    /// let stalled = executor.try_block_on(std::future::pending::<()>()).unwrap_err();
    /// assert_eq!(stalled.tasks()[0].name, "Pending");
    /// ```
    #[track_caller]
    pub fn try_block_on<F: Future>(&self, future: F) -> Result<F::Output, Stalled> {
        self.run_to_end("try_block_on", future)
    }

    #[inline(always)]
    #[track_caller]
    fn run_to_end<F: Future>(&self, called: &str, future: F) -> Result<F::Output, Stalled> {
        let advice = "whose thread it would block: `.await` the future instead, or move the blocking call to \
                      `watchglass::spawn_blocking`";
        let _entered = self.enter(called, advice);
        let mut future = pin!(Some(future));
        let at = Location::caller();
        let mut main = MainTask::start(&self.shared, type_name::<F>(), at);
        let id = main.id;
        let run = || {
            let future = future.as_mut();
            match self.shared.tracer().has_observer() {
                false => self.run::<false, F>(&mut main, future),
                true => self.run::<true, F>(&mut main, future),
            }
        };
        let mut ran = catch_unwind(AssertUnwindSafe(run));
        // A future that is done was dropped in its last poll. Any other is dropped here, and not by a panic that
        // unwinds: a second panic, in its own drop, would end the process.
        match &ran {
            Ok(Ok(_)) => {}
            Ok(Err(_)) => match main.drop_future(future, || self.shared.tell_dropping(id)) {
                Ok(()) => main.cancelled(),
                Err(payload) => ran = Err(payload),
            },
            Err(_) => drop_contained(main.drop_future(future, || ())),
        }
        if let Err(payload) = &ran {
            main.panicked(&**payload);
            // What that poll has cloned must wake nobody else.
            *self.spare.borrow_mut() = CountedWaker::new(self.shared.home.clone());
        }
        let payload = match (ran, self.shared.tracer().take_panic()) {
            (Ok(result), None) => return result,
            (Ok(unwanted), Some(of_observer)) => {
                drop_contained(unwanted);
                of_observer
            }
            (Err(payload), of_observer) => {
                drop_contained(of_observer);
                payload
            }
        };
        self.tell_seed();
        resume_unwind(payload)
    }

    /// Turn after turn, until `block_on`'s own future is done, or never will be. It is compiled twice:
    /// where there is no observer, a poll does not even look whether there is one.
    fn run<const OBSERVED: bool, F: Future>(
        &self,
        main: &mut MainTask<'_>,
        mut future: Pin<&mut Option<F>>,
    ) -> Result<F::Output, Stalled> {
        let spare = &mut *self.spare.borrow_mut();
        loop {
            if OBSERVED {
                // Before anybody is polled: an observer may have panicked between two calls.
                self.resume_observer_panic();
            }
            if main.take_is_first() || self.run_others::<OBSERVED>(spare) {
                if let Poll::Ready(output) = main.poll::<OBSERVED, F>(future.as_mut(), spare) {
                    if OBSERVED {
                        // It may be the last time that somebody asks.
                        self.shared.look_for_lost(main, false);
                    }
                    return Ok(output);
                }
            } else if let Some(stalled) = self.shared.rest(main, self.closed_world) {
                return Err(stalled);
            }
        }
    }

    /// Polls tasks, turn after turn, until it is the turn of `block_on`'s own future (true) or nobody is
    /// ready (false). For `OBSERVED` see [`run`](Executor::run).
    fn run_others<const OBSERVED: bool>(&self, spare: &mut CountedWaker) -> bool {
        let queue = &self.shared.queue;
        let mut polled = None;
        loop {
            while let Some(popped) = queue.pop(&self.turn_left, polled.take()) {
                let Popped { id, how, task } = popped;
                let Some(task) = task else {
                    return true;
                };
                polled = self.shared.poll_task::<OBSERVED>(id, how, task, spare);
                if OBSERVED {
                    // The observer may have panicked: then nothing must be on its way.
                    if let Some(polled) = polled.take() {
                        queue.put_back(polled);
                    }
                    self.resume_observer_panic();
                }
            }
            let fired = self.begin_turn();
            if OBSERVED {
                self.resume_observer_panic();
            }
            if fired == 0 && self.turn_left.get() == 0 {
                return false;
            }
        }
    }

    /// Does the next thing that can be seen, and nothing more.
    ///
    /// That is one poll, or one batch of timers, or one jump of virtual time. It never waits.
    ///
    /// # Panics
    ///
    /// If an observer panics, with its panic; and inside of a running executor.
    #[track_caller]
    pub fn step(&self) -> Step {
        self.step_as("step", None)
    }

    /// Virtual time does not move on beyond `until`.
    #[track_caller]
    fn step_as(&self, what: &str, until_ns: Option<u64>) -> Step {
        let advice = "and only one runs on a thread at a time; use it between two calls of `block_on`, or let others \
                      run with `yield_now().await`";
        let _entered = self.enter(what, advice);
        // An observer may have panicked between two calls.
        self.resume_observer_panic();
        let step = self.next_step(until_ns);
        self.resume_observer_panic();
        step
    }

    fn next_step(&self, until_ns: Option<u64>) -> Step {
        let queue = &self.shared.queue;
        loop {
            if let Some(Popped { id, how, task }) = queue.pop(&self.turn_left, None) {
                let task = task.expect("`block_on`'s own future is there only while it runs");
                let spare = &mut self.spare.borrow_mut();
                if let Some(polled) = self.shared.poll_task::<true>(id, how, task, spare) {
                    queue.put_back(polled);
                }
                return Step::Polled(id);
            }
            let fired = self.begin_turn();
            if fired > 0 {
                return Step::TimersFired(fired);
            }
            if self.turn_left.get() > 0 {
                continue;
            }
            match self.shared.advance_clock(until_ns) {
                Some(by) => return Step::ClockAdvanced(by),
                // It came after the turn had begun: whom it wakes is ready, and time stands still until then.
                None if !self.shared.inbox.is_empty() => self.shared.take_inbox(),
                None => return Step::Idle,
            }
        }
    }

    /// Makes [`step`](Executor::step)s until one is [`Step::Idle`].
    ///
    /// It never waits. On the real clock, tasks that sleep are still asleep afterwards. On the virtual clock, time
    /// moves on until no timer is left, or a closure is out on a thread. So it does not return as long as a task wakes
    /// itself again and again or, on the virtual clock, sleeps again and again.
    ///
    /// # Panics
    ///
    /// As [`step`](Executor::step).
    ///
    /// ```
    /// let executor = watchglass::Executor::new();
    /// let task = executor.spawn(async { 7 });
    /// executor.run_until_idle();
    /// assert!(task.is_finished());
    /// ```
    #[track_caller]
    pub fn run_until_idle(&self) {
        while self.step_as("run_until_idle", None) != Step::Idle {}
    }

    /// Does all that is to happen by `instant` on the virtual clock, which then says `instant`, unless that was past.
    ///
    /// That includes what follows from a sleep that ends at that very instant. In a test,
    /// `run_until(executor.now() + duration)` lets time go by between two looks at what the program has done, and
    /// `run_until(executor.now())` lets everything happen that can happen now.
    ///
    /// Time stops earlier if a closure is out on a thread, because it stands still meanwhile. On the real clock this is
    /// [`run_until_idle`](Executor::run_until_idle), and waits for no time to come.
    ///
    /// # Panics
    ///
    /// As [`step`](Executor::step).
    ///
    /// ```
    /// use std::time::Duration;
    /// use watchglass::{Executor, interval};
    ///
    /// let executor = Executor::builder().virtual_time().build();
    /// let (sender, ticks) = async_channel::unbounded();
    /// executor.spawn(async move {
    ///     let mut interval = interval(Duration::from_secs(10));
    ///     while sender.send(interval.tick().await).await.is_ok() {}
    /// });
    /// executor.run_until(executor.now() + Duration::from_secs(30));
    /// assert_eq!(ticks.len(), 4, "after 0, 10, 20 and 30 seconds");
    /// ```
    #[doc(alias = "advance")]
    #[track_caller]
    pub fn run_until(&self, instant: Instant) {
        // Later than the clock can say is never.
        let until_ns = self.shared.clock.ns_of(instant);
        while self.step_as("run_until", until_ns) != Step::Idle {}
    }

    /// The time on this executor's clock, which is virtual if the executor was built with
    /// [`virtual_time`](crate::Builder::virtual_time).
    ///
    /// Inside the executor, [`now`](crate::now) gives the same.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let executor = watchglass::Executor::builder().virtual_time().build();
    /// let (start, sleep) = (executor.now(), watchglass::sleep(Duration::from_secs(3600)));
    /// executor.block_on(sleep);
    /// assert_eq!(executor.now() - start, Duration::from_secs(3600));
    /// ```
    #[must_use]
    pub fn now(&self) -> Instant {
        self.shared.clock.now()
    }

    /// When the next timer is due, if there is one.
    ///
    /// That is never later than the earliest sleep that is left, but it may be earlier, if a sleep was cancelled. If a
    /// sleep is overdue, it may be the time at which timers fired last, which is in the past too. A sleep that has not
    /// been polled yet has no timer.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let executor = watchglass::Executor::builder().virtual_time().build();
    /// let start = executor.now();
    /// executor.spawn(watchglass::sleep(Duration::from_secs(1)));
    /// assert_eq!(executor.next_deadline(), None, "it was not polled yet");
    /// executor.step();
    /// assert_eq!(executor.next_deadline(), Some(start + Duration::from_secs(1)));
    /// ```
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let next_wake_ns = self.shared.wheel.borrow().next_wake()?;
        self.shared.clock.instant_of(next_wake_ns)
    }

    /// The tasks that have not finished, in the order of their slots.
    ///
    /// Each entry says what the task is called, where it was spawned and where it waits. At the end of a test there are
    /// none, if none was forgotten. A task that was aborted, by the drop of a [`JoinSet`](crate::JoinSet), say, has not
    /// finished until its turn comes, as in [`run_until`](Executor::run_until)`(executor.now())`. Inside a `block_on`,
    /// neither its own future nor the task that asks is listed.
    ///
    /// It looks at each place in the table of tasks.
    ///
    /// ```
    /// let executor = watchglass::Executor::new();
    /// executor.block_on(async {
    ///     let five = watchglass::spawn(async { 5 });
    ///     assert_eq!(five.await.unwrap(), 5);
    /// });
    /// assert_eq!(executor.unfinished_tasks(), []);
    /// executor.spawn(std::future::pending::<()>());
    /// assert_eq!(executor.unfinished_tasks()[0].name, "Pending");
    /// ```
    #[doc(alias = "all_tasks")]
    #[must_use]
    pub fn unfinished_tasks(&self) -> Vec<UnfinishedTask> {
        unfinished_tasks(&self.shared, None)
    }

    /// Whoever tries many orders wants to know in which of them there was a panic.
    #[cold]
    fn tell_seed(&self) {
        if let Some(seed) = self.shared.queue.seed {
            // Nobody may be there to read it.
            let _ = writeln!(
                io::stderr(),
                "watchglass: the tasks were polled in the order of seed {seed}"
            );
        }
    }

    #[track_caller]
    fn enter(&self, what: &str, advice: &str) -> Entered {
        let entered = self.shared.enter();
        if entered.is_nested() {
            drop(entered);
            panic!("{what} was called inside a running executor, {advice}");
        }
        entered
    }

    // ---- the turn

    /// Takes what has come from outside, and says how many timers have fired.
    #[inline(always)]
    fn begin_turn(&self) -> usize {
        if self.shared.home.take_mail() {
            self.shared.take_inbox();
        }
        // Asked for once, where no timer can have woken anybody: `yield_many` is 2 % faster.
        let mut ready = self.shared.queue.len();
        let fired = self.shared.fire_timers();
        if fired.is_some() {
            // Also where none has fired: an observer who was told of the wheel may have woken somebody.
            ready = self.shared.queue.len();
        }
        self.turn_left.set(ready.min(MAX_POLLS_A_TURN));
        fired.unwrap_or(0)
    }

    #[inline]
    fn resume_observer_panic(&self) {
        if let Some(payload) = self.shared.tracer().take_panic() {
            resume_unwind(payload);
        }
    }
}

/// An executor can be used again, wherever a panic has gone through it.
impl UnwindSafe for Executor {}
impl RefUnwindSafe for Executor {}

impl fmt::Debug for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Asked for first: what is written to may be the user's code.
        let timers = self.shared.wheel.borrow().len();
        let states = self.shared.queue.unfinished(|_, slot| Some(slot.state));
        // Not what the queue holds: of a task that ended while it was queued, the entry is still there.
        let ready = states.iter().filter(|&&state| state == SlotState::Queued);
        f.debug_struct("Executor")
            .field("ready", &ready.count())
            .field("unfinished", &states.len())
            .field("timers", &timers)
            .finish_non_exhaustive()
    }
}

impl Drop for Executor {
    /// Drops every future, in the order of their slots, and then what those drops have spawned.
    fn drop(&mut self) {
        let _entered = self.shared.enter();
        self.shared.is_ending.set(true);
        // Nobody is polled any more.
        drop(self.shared.wakers.take());
        let queue = &self.shared.queue;
        let mut queued = queue.len();
        let mut hands_back = true;
        loop {
            let mut unfinished = queue.unfinished(|id, _| Some(id));
            if unfinished.is_empty() && mem::take(&mut hands_back) {
                self.shared.hand_back_timers();
                // Whoever was woken may have spawned something.
                continue;
            }
            if unfinished.is_empty() {
                // An observer's panic has no caller to go to any more.
                let payload = self.shared.tracer().take_panic();
                let is_told = self.shared.tracer().end();
                if payload.is_none() && !is_told {
                    return;
                }
                // Either may have spawned something.
                drop_contained(payload);
            }
            while !unfinished.is_empty() {
                for id in unfinished {
                    // A drop before this one may have finished it by now.
                    if queue.state(id).is_unfinished() {
                        let task = queue.with_slot(id, |slot| slot.task.take());
                        self.shared
                            .cancel(id, task.flatten(), || self.shared.tell_dropping(id));
                    }
                }
                // What was spawned meanwhile is in the queue: to find it there is no need to look at all.
                unfinished = queue.ready_behind(queued);
                queued += unfinished.len();
            }
        }
    }
}

/// Runs one future on an executor of its own, made for this call: the way in.
///
/// Tasks that `future` has spawned run beside it. Those that are still running when `future` is done are dropped before
/// this returns. Making and dropping the executor takes some 0.4 us: if you call this again and again, keep an
/// [`Executor`] instead.
///
/// # Panics
///
/// As [`Executor::block_on`] and [`Builder::build`](crate::Builder::build).
///
/// ```
/// let answer = watchglass::block_on(async {
///     let task = watchglass::spawn(async { 6 * 7 });
///     task.await.unwrap()
/// });
/// assert_eq!(answer, 42);
/// ```
#[doc(alias = "run")]
#[doc(alias = "run_until_complete")]
#[track_caller]
pub fn block_on<F: Future>(future: F) -> F::Output {
    Executor::new().block_on(future)
}
