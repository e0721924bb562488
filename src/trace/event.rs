//! What can happen, in the order of a task's life. The sentences that say it are in `sentences.rs`.
//!
//! If no observer acts, the log of these events is enough to rebuild the executor's state at any moment. Think of it as
//! the executor's own diary: every picture is a reading of it.

use std::borrow::Cow;
use std::panic::Location;
use std::time::Duration;

use crate::task::TaskId;
pub use crate::wheel::{Place, TimerId};

/// One event, with its place in the order of all events and its time.
///
/// ```
/// use std::time::Duration;
/// use watchglass::trace::Recording;
/// use watchglass::{Executor, sleep};
///
/// let recording = Recording::new();
/// let builder = Executor::builder().virtual_time();
/// let executor = builder.observer(recording.clone()).build();
/// executor.block_on(sleep(Duration::from_secs(2)));
/// let last = recording.take().pop().unwrap();
/// assert_eq!(last.to_string(), "2.000 s  #0 is done");
/// assert_eq!(last.time, Duration::from_secs(2));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// 0 for an executor's first event, then 1, 2, 3: no number is left out.
    pub seq: u64,
    /// The time on the executor's clock, from when it was built.
    pub time: Duration,
    /// What happened.
    pub event: Event,
}

/// Something that the executor did, or that was done to it.
///
/// Its `Display` is an English sentence. Durations since the executor was built are called times. A later version may
/// add fields to an event, so match it with `..` after the fields that you need.
///
/// Each task that was [`Spawned`](Event::Spawned) ends with exactly one of [`Completed`](Event::Completed),
/// [`Cancelled`](Event::Cancelled) and [`Panicked`](Event::Panicked), at the latest when its executor is dropped. (But
/// an observer that has panicked, or has dropped the executor itself, is told nothing more.)
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A task came into being. A [`Woken`](Event::Woken) follows when it is put in the queue.
    Spawned {
        /// The new task.
        task: TaskId,
        /// The last part of its future's type (of a closure, `closure in` and the function in which it stands), or the
        /// name that it was given.
        name: Cow<'static, str>,
        /// What sort of task it is.
        kind: TaskKind,
        /// Where it was spawned.
        at: &'static Location<'static>,
    },
    /// A waker was used, or the executor itself asked for a poll. If other threads wake a task several times before the
    /// executor looks into its inbox, that is told as one wake.
    Woken {
        /// The task that is to be polled.
        task: TaskId,
        /// By whom, or by what.
        by: Cause,
        /// What came of it.
        effect: Effect,
    },
    /// The task left the ready queue, and now its future's `poll` is called. Or, if it was aborted, its
    /// future is dropped, and [`Cancelled`](Event::Cancelled) or [`Panicked`](Event::Panicked) follows.
    PollStarted {
        /// The task that runs now.
        task: TaskId,
        /// The wake that put it in the queue.
        why: Cause,
    },
    /// The ready queue had an entry for a task that has ended since it was queued: the entry is
    /// thrown away.
    PassedOver {
        /// The task that is gone.
        task: TaskId,
    },
    /// Inside a poll, a future that belongs to the executor had to wait; or a closure was handed to a thread, and its
    /// task waits for it.
    ///
    /// If a poll waits for one thing again and again at one place, and for nothing else in between, that is told once.
    Waits {
        /// The task that runs, unless the future is polled by something that is not a task.
        task: Option<TaskId>,
        /// What it waits for.
        on: WaitsOn,
        /// The `.await`. If the future is awaited through a reference or a box, or is the task itself, this is a place
        /// in the standard library or in watchglass. In another crate's combinator, it may be a place in that crate. No
        /// view but the JSON shows such places.
        at: &'static Location<'static>,
    },
    /// A task gave up waiting for something, in the same poll in which it said that it waits for it.
    ///
    /// The [`race`](crate::race) or the [`timeout`](crate::timeout()) that it was in is over, or the handle was
    /// dropped. If a sleep is dropped, [`TimerCancelled`](Event::TimerCancelled) is told instead. If the handle of
    /// another executor's task is dropped, nothing is told.
    GaveUp {
        /// The task that runs.
        task: TaskId,
        /// What it waits for no more.
        on: WaitsOn,
    },
    /// The handle of an unfinished task was dropped: nobody awaits the task any more.
    ///
    /// It is not told if the task was aborted, or if its executor is being dropped.
    Detached {
        /// The task whose handle is gone.
        task: TaskId,
    },
    /// The future's `poll` returned.
    ///
    /// A panic ends a poll too, but is told as [`Panicked`](Event::Panicked). That poll took from the time of its
    /// [`PollStarted`](Event::PollStarted) to the time of its `Panicked`.
    PollEnded {
        /// The task that ran.
        task: TaskId,
        /// True for `Poll::Ready`, false for `Poll::Pending`.
        ready: bool,
        /// How long `poll` held the thread, including what the observer took for the events from
        /// [`PollStarted`](Event::PollStarted) on. It is zero on the virtual clock, which stands still meanwhile.
        took: Duration,
        /// How many clones of the task's waker are held now, anywhere.
        ///
        /// A wake by another thread that is on its way counts as one. Timers and handles that belong to the executor
        /// hold none: they remember the task by its id. It is `None` for `block_on`'s own future once that has given
        /// its waker away: from then on its waker comes from `waker_fn`, and clones of such a waker cannot be counted.
        wakers: Option<usize>,
    },
    /// A task waits, nobody holds its waker, and it is in no queue: as far as can be known, it will never be polled
    /// again.
    ///
    /// It is told at the end of the task's poll. If the waker was dropped later, or the timer that would have woken the
    /// task is gone, it is told when nothing is ready, or at the end of `block_on`. If there are more than a hundred
    /// tasks and timers, they are not looked at each time, but only after a sixteenth as many events, and before
    /// [`Stalled`](Event::Stalled). So a loss just before everything falls silent, or just before the end, may remain
    /// untold.
    ///
    /// It is never told of a task that has ever waited where the executor does not look, because the task may still be
    /// known there: for a [`JoinSet`](crate::JoinSet), in a [`join_all`](crate::join_all()), for a deadline that never
    /// comes, or for another executor's task. Nor is it told of a task that was polled in an observer, which is not
    /// told of such a poll.
    ForgottenWaker {
        /// The forgotten task.
        task: TaskId,
    },
    /// Tasks await each other by their handles, and nothing else would wake any of them.
    ///
    /// None of them can ever be polled again, unless one is aborted. `block_on` tells it when nothing is ready, or at
    /// its own end, with the same exceptions as for a lost waker: see [`ForgottenWaker`](Event::ForgottenWaker). It is
    /// also not told if somebody has the waker of one of the tasks. That is so even in a closed world, though the
    /// verdict there may count on nobody using that waker. (A task that waits for another by a lock or a channel has
    /// left its waker there, and nobody knows who will use it.)
    Deadlock {
        /// Each awaits the end of the next, and the last that of the first, which has the lowest slot.
        circle: Box<[TaskId]>,
    },
    /// A deadline was put in the timer wheel.
    TimerArmed {
        /// The new timer.
        timer: TimerId,
        /// Whom it will wake: `None` for a waker that is not a task's own.
        task: Option<TaskId>,
        /// What it is for.
        kind: TimerKind,
        /// The time at which it is due.
        deadline: Duration,
        /// Where it lies in the wheel.
        place: Place,
    },
    /// A timer was given another deadline.
    TimerReset {
        /// The timer.
        timer: TimerId,
        /// Its new deadline.
        deadline: Duration,
        /// Where it lies now.
        place: Place,
    },
    /// A future that holds a timer was polled by another task, which the timer will wake instead.
    TimerHandedOver {
        /// The timer.
        timer: TimerId,
        /// Whom it will wake now: `None` for a waker that is not a task's own.
        task: Option<TaskId>,
    },
    /// The wheel turned, and a timer moved to a finer level, or to those that are due.
    Cascaded {
        /// The timer.
        timer: TimerId,
        /// Where it lies now.
        place: Place,
    },
    /// A deadline passed, and a wake follows.
    ///
    /// There is no wake if the timer belongs to a `join_all`, or to another crate's combinator, that was woken before
    /// and has not been polled since. Nor is there one if the sleep was polled with a waker that is no task's.
    TimerFired {
        /// The timer, which is gone now.
        timer: TimerId,
        /// The time for which it was asked.
        deadline: Duration,
        /// The time at which the executor came to look, never before the deadline.
        now: Duration,
    },
    /// A sleep was given up before its deadline: dropped, or reset to one that never comes.
    TimerCancelled {
        /// The timer, which is gone now.
        timer: TimerId,
    },
    /// Virtual time jumped.
    ClockAdvanced {
        /// The time before.
        from: Duration,
        /// The time now: that of the next deadline, or of an earlier one that was cancelled, or as far as
        /// [`run_until`](crate::Executor::run_until) lets time go.
        to: Duration,
    },
    /// Nothing is ready: the executor gives the thread back to the operating system.
    Parked {
        /// The next deadline. It may be that of a timer that was cancelled meanwhile: then nothing fires. It is `None`
        /// if the executor waits for another thread alone, because no timer is armed, or because time is virtual and a
        /// closure is out on a thread.
        until: Option<Duration>,
    },
    /// The thread runs again.
    Unparked {
        /// What ended the wait.
        by: UnparkCause,
    },
    /// A closure was handed to the pool of threads.
    BlockingStarted {
        /// The task that stands for it.
        task: TaskId,
    },
    /// The executor learned that a closure has ended.
    BlockingDone {
        /// The task that stands for it.
        task: TaskId,
        /// The name of the thread that ran it.
        thread: Box<str>,
        /// How long it had waited for a thread. Like `took`, nothing on the virtual clock, which
        /// stands still meanwhile.
        queued: Duration,
        /// How long it ran.
        took: Duration,
    },
    /// The task is done and its output waits for the handle, if there is one.
    Completed {
        /// The task that is gone now.
        task: TaskId,
    },
    /// The executor is dropped, and now this task's future with it. Or nothing can ever happen again, and `block_on`'s
    /// own future is dropped.
    Dropping {
        /// The task whose future is dropped.
        task: TaskId,
    },
    /// The task was aborted, or dropped with its executor; or `block_on`'s own future was, after
    /// [`Stalled`](Event::Stalled).
    Cancelled {
        /// The task that is gone now.
        task: TaskId,
    },
    /// The task's future panicked, in a poll or when it was dropped.
    Panicked {
        /// The task that is gone now.
        task: TaskId,
        /// The panic's message, if it has one.
        message: Option<String>,
    },
    /// Nothing can ever happen again. See [`Stalled`](crate::Stalled). The verdict has fallen: an observer that
    /// wakes a task now does so too late for this `block_on`.
    Stalled {
        /// The tasks that will never finish.
        tasks: Box<[TaskId]>,
        /// Those among them whose waker is held by somebody who, as was promised, does not use it.
        held: Box<[TaskId]>,
    },
    /// A poll, or the drop of a future that was not done, held the thread for long, and everyone else with it.
    ///
    /// It is told once the poll or the drop has ended. After a panic or a drop, it comes after the event that tells of
    /// that. See [`Builder::long_poll`](crate::Builder::long_poll).
    LongPoll(Box<LongPoll>),
    /// A task has been polled a thousand times in a row (or two thousand, and so on), each time only because it woke
    /// itself, or slept until a time that had come.
    ///
    /// It may be waiting for something by asking again and again. Then the thread never parks, and virtual time never
    /// moves.
    Spinning {
        /// The task.
        task: TaskId,
        /// How many polls in a row.
        polls: u32,
    },
    /// The program printed something. Told only where standard output is watched, which the
    /// environment variable `WATCHGLASS` asks for.
    Printed {
        /// The task that ran meanwhile, if one did.
        task: Option<TaskId>,
        /// What was printed.
        text: String,
    },
    /// Nothing is kept of what happens from now on, because a program without an end would use up all memory. This is
    /// the last event of a log that the environment variable `WATCHGLASS` asked for.
    LogFull {
        /// How many events there were before.
        events: usize,
    },
    /// Nothing is kept of what happens from now on, because the log was asked for no longer than this, as by
    /// `WATCHGLASS=for:5s`. This is the last event.
    LogEnded,
}

/// A poll, or a drop, that held the thread for long.
///
/// It is in a box because it is rare and large: every event takes as much space as the largest one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LongPoll {
    /// The task that did not let go.
    pub task: TaskId,
    /// How long, by the operating system's clock. What the observer took meanwhile is included: a slow one makes polls
    /// long.
    pub took: Duration,
    /// True if the log ends before the poll does. Then `took` is how long the poll had gone on when the log ended. This
    /// happens with `WATCHGLASS=for:5s`, or if the program exits in a poll.
    pub goes_on: bool,
    /// True if the future was not polled but dropped. Then no `.await` is named.
    pub is_drop: bool,
    /// The `.await` after which most of the time went by. It is one of watchglass's: the one at which the poll went on,
    /// or else one at which it gave up waiting.
    ///
    /// It is `None` if that is not known: in the task's first poll, if the task waited for something that is not
    /// watchglass's, or if several of its futures may have run. (Of two branches of a join, one that has given
    /// something up in this very poll may be named although the other ran after it.)
    pub after: Option<&'static Location<'static>>,
    /// The next `.await` of watchglass's that the poll came to. It is `None` if it came to none, but to its end, say,
    /// or to an `.await` of something that is not watchglass's; and also if `between` goes to the end of the poll.
    pub until: Option<&'static Location<'static>>,
    /// How much of the time went by between these two. If no such part is more than half of the time, this is all of
    /// the time, from where the poll went on to its end.
    pub between: Duration,
    /// The tasks that it delayed: those that were ready, or whose timer was due, for at least a tenth of its time, and
    /// those that another thread woke meanwhile. There are at most 20; if it delayed more, these are the ones with the
    /// lowest slots.
    pub delayed: Vec<TaskId>,
    /// How many there were besides these.
    pub more_delayed: usize,
    /// How many timers were due at its end. It is zero at the executor's own end, where nobody waits any more.
    pub timers: usize,
    /// How long the first of these timers has waited during this poll. It is never longer than the poll, even if the
    /// timer was due before.
    pub late: Duration,
}

/// What sort of task it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TaskKind {
    /// The future given to `block_on`.
    Main,
    /// A future given to `spawn`.
    Spawned,
    /// A closure given to `spawn_blocking`, as the executor sees it.
    Blocking,
}

/// What a timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TimerKind {
    /// A [`sleep`](crate::sleep) or [`sleep_until`](crate::sleep_until).
    Sleep,
    /// The time limit of a [`timeout`](crate::timeout()): its task waits for something else.
    Timeout,
    /// The next tick of an [`interval`](crate::interval()).
    Interval,
}

/// Why a task is polled.
///
/// ```
/// use watchglass::trace::{Cause, Event, Recording};
/// use watchglass::{Executor, yield_now};
///
/// let recording = Recording::new();
/// let executor = Executor::builder().observer(recording.clone()).build();
/// executor.block_on(yield_now());
/// let events = recording.events().into_iter();
/// let causes = events.filter_map(|event| match event {
///     Event::PollStarted { why, .. } => Some(why),
///     _ => None,
/// });
/// assert_eq!(causes.collect::<Vec<_>>(), [Cause::Spawned, Cause::Itself]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// It is new: every future is polled once to begin with.
    Spawned,
    /// A timer fired.
    Timer(TimerId),
    /// Another task used its waker.
    Task(TaskId),
    /// It used its own waker in its own poll.
    Itself,
    /// Another thread used its waker.
    OtherThread,
    /// It was woken on this thread while its executor did not run: between two calls, or in another executor.
    NotRunning,
    /// Its executor ran, but none of its tasks: an observer, say, has used its waker.
    Outside,
    /// A task whose handle it awaits has finished.
    Joined(TaskId),
    /// It was aborted: it is not polled but dropped.
    Aborted,
}

/// What came of a wake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Effect {
    /// The task went to the back of the ready queue.
    Queued,
    /// Nothing: the task was in the queue already.
    AlreadyQueued,
    /// Nothing: the task has finished.
    Finished,
}

/// What a future of the executor waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WaitsOn {
    /// A timer of its own.
    Timer(TimerId),
    /// A deadline that never comes.
    Never,
    /// The end of another task.
    Task(TaskId),
    /// Any task of a `JoinSet`.
    AnyTask,
    /// A task of another executor, which cannot run while this one does.
    Elsewhere,
    /// Its next turn: it gave the others theirs.
    Turn,
    /// This many of the futures that it joins.
    Children(usize),
    /// A closure on another thread.
    Blocking,
    /// A future with a [`label`](crate::label()), which says what that is.
    Labelled(&'static str),
}

/// What ended a wait of the whole thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UnparkCause {
    /// The deadline until which it was parked has come.
    Deadline,
    /// Another thread: it woke a task, ended a closure, or dropped the last waker that there was.
    OtherThread,
    /// Something else: the operating system, an `unpark` that was not the executor's, or an observer
    /// that gave the executor something to do when it was told of the park.
    Spurious,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two thirds of what it costs to record an event on the virtual clock is the operating system's
    /// work for new memory: 37 of 55 ns, when it was measured. So a record stays small.
    #[test]
    fn a_million_records_fit_in_80_megabytes() {
        assert!(size_of::<Record>() <= 80, "{}", size_of::<Record>());
    }
}
