//! What can happen, in the order of a task's life. The sentences that say it are in `sentences.rs`.
//!
//! The log of these events is enough to rebuild the executor's state at any moment, if no observer acts: see it as
//! the executor's own diary, of which every picture is a reading.

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
/// tell more of an event: match it with `..` behind the fields that you need.
///
/// Each task that was [`Spawned`](Event::Spawned) ends with exactly one of [`Completed`](Event::Completed),
/// [`Cancelled`](Event::Cancelled) and [`Panicked`](Event::Panicked), at the latest when its executor is dropped (but
/// for an observer that has panicked, or has dropped the executor itself: it is told nothing more).
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
    /// A waker was used, or the executor itself asked for a poll. Wakes of a task by other threads that come before
    /// the executor looks into its inbox are told as one.
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
    /// task waits for it. What a poll waits for again and again at one place, and for nothing else in between, is told
    /// once.
    Waits {
        /// The task that runs, unless the future is polled by something that is not a task.
        task: Option<TaskId>,
        /// What it waits for.
        on: WaitsOn,
        /// The `.await`. If the future is awaited through a reference or a box, or is the task
        /// itself, this is a place in the standard library or in watchglass, and in another crate's combinator it
        /// may be one in that crate: no view but the JSON shows such a place.
        at: &'static Location<'static>,
    },
    /// In the same poll in which the task said that it waits for this, it gave that up: a
    /// [`race`](crate::race) or a [`timeout`](crate::timeout()) is over in which it was, or the handle was dropped.
    /// Of a sleep that is dropped, [`TimerCancelled`](Event::TimerCancelled) tells, and of the dropped handle of
    /// another executor's task nothing does.
    GaveUp {
        /// The task that runs.
        task: TaskId,
        /// What it waits for no more.
        on: WaitsOn,
    },
    /// The handle of an unfinished task was dropped, and neither was the task aborted nor is its executor being
    /// dropped: nobody awaits it any more.
    Detached {
        /// The task of which nobody has the handle any more.
        task: TaskId,
    },
    /// The future's `poll` returned. A panic ends a poll too, with [`Panicked`](Event::Panicked): that took from the
    /// time of its [`PollStarted`](Event::PollStarted) to the time of that.
    PollEnded {
        /// The task that ran.
        task: TaskId,
        /// True for `Poll::Ready`, false for `Poll::Pending`.
        ready: bool,
        /// How long `poll` held the thread, with what the observer took for the events from
        /// [`PollStarted`](Event::PollStarted) on: nothing on the virtual clock, which stands still meanwhile.
        took: Duration,
        /// How many clones of the task's waker are held now, anywhere; another thread's wake that is on its way
        /// is one. Timers and handles that
        /// belong to the executor remember the task by its id and hold none. `None` for
        /// `block_on`'s own future once it has given its waker away: from then on that comes from
        /// `waker_fn`, and its clones cannot be counted.
        wakers: Option<usize>,
    },
    /// A task waits, nobody holds its waker, and it is in no queue: as far as can be known, it will never be polled
    /// again.
    ///
    /// It is told at the end of its poll; or, if somebody has dropped the waker since, or the timer is gone that would
    /// have woken it, when nothing is ready, or at the end of `block_on`. More than a hundred tasks and timers are not
    /// looked at each time, but after a sixteenth as many events, and before [`Stalled`](Event::Stalled): so of a loss
    /// just before everything falls silent, or just before the end, nothing may be told there.
    ///
    /// It is never told of a task that has ever waited where the executor does not look, since it may be known there
    /// still: for a [`JoinSet`](crate::JoinSet), in a [`join_all`](crate::join_all()), for a deadline that never comes,
    /// for another executor's task; or that was polled in an observer, which is not told of that.
    ForgottenWaker {
        /// The forgotten task.
        task: TaskId,
    },
    /// Tasks await each other by their handles, and nothing else would wake any of them: none of them can ever be
    /// polled again, unless one is aborted. `block_on` tells it when nothing is ready, or at its own end, as of a waker
    /// that was lost, and with the same exceptions: see [`ForgottenWaker`](Event::ForgottenWaker). Nor is it told where
    /// somebody has the waker of one of them, also in a closed world, though the verdict may count on nobody's using
    /// it. (Who waits for another by a lock or a channel has left its waker there, and who uses that nobody knows.)
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
    /// A deadline passed. The wake follows; none does where the `join_all` or the combinator of another crate that it
    /// belongs to was woken before and has not been polled since, or where the sleep was polled with a waker that is no
    /// task's.
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
        /// The next deadline, which may be that of a timer that was cancelled meanwhile: then nothing fires. Or
        /// `None` to wait for another thread alone: no timer is armed, or time is virtual and a closure is out on a
        /// thread.
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
    /// A poll held the thread for long, and everyone else with it; or the drop of a future that was not done did. Told
    /// when it has ended: after a panic or a drop, when that was told. See
    /// [`Builder::long_poll`](crate::Builder::long_poll).
    LongPoll(Box<LongPoll>),
    /// A task has been polled a thousand times in a row, or two thousand, and so on, each time only because it woke
    /// itself, or slept until a time that had come. It may be waiting for something by asking again and again, and then
    /// the thread never parks, and virtual time never moves.
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
    /// Nothing is kept of what happens from now on, for a program without an end would use up all memory. It is the
    /// last event of a log that the environment variable `WATCHGLASS` asked for.
    LogFull {
        /// How many events there were before.
        events: usize,
    },
    /// Nothing is kept of what happens from now on, since the log was asked for no longer than this, as by
    /// `WATCHGLASS=for:5s`. It is the last event.
    LogEnded,
}

/// A poll that held the thread for long, or a drop. It is in a box because it is rare, and large: the space of
/// every event is that of the largest.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LongPoll {
    /// The task that did not let go.
    pub task: TaskId,
    /// How long, by the operating system's clock, with what the observer took meanwhile: a slow one makes polls long.
    pub took: Duration,
    /// True if it has not come to its end where the log has: then `took` is how long it has gone on until there. So it
    /// is with `WATCHGLASS=for:5s`, or where the program exits in a poll.
    pub goes_on: bool,
    /// True if the future was not polled but dropped. Then no `.await` is named.
    pub is_drop: bool,
    /// After this `.await` most of the time went by: the one of watchglass's at which the poll went on, or else one at
    /// which it gave up to wait. `None` if that is not known: in its first poll; where it waited for what is not
    /// watchglass's; or where several of its futures may have run. (Of two branches of a join, one that has given
    /// something up in this very poll may be named though the other ran after it.)
    pub after: Option<&'static Location<'static>>,
    /// The next `.await` of watchglass's that it came to. `None` if it came to none: to its end, say, or to one of what
    /// is not watchglass's; or if `between` goes to its end.
    pub until: Option<&'static Location<'static>>,
    /// How much of the time went by between these two. Where no two are more than half of it apart, this is all of it,
    /// from where the poll went on to its end.
    pub between: Duration,
    /// The tasks that were ready for at least a tenth of it, that another thread woke meanwhile, or whose timer came
    /// due: of many those with the lowest slots, 20 at most.
    pub delayed: Vec<TaskId>,
    /// How many there were besides these.
    pub more_delayed: usize,
    /// How many timers were due at its end. None with the executor's own end, where nobody waits any more.
    pub timers: usize,
    /// How long the first of them has waited during this poll: no longer than the poll, also if it was due
    /// before.
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
    /// Some of the futures that it joins.
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
