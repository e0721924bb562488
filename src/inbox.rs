//! How other threads reach the executor: they put a letter in its inbox, and unpark it if it sleeps.
//!
//! ```text
//!    any other thread:        sent? ──▶ Inbox ──▶ unpark, if it is parked
//!    the executor's thread:   Inbox ──▶ not sent ──▶ poll;   nothing? ──▶ parked, and look again
//! ```
//!
//! # Why no wake is lost
//!
//! *Between wakers and the poll.* A letter is sent only if `sent` was false, so that a task is in
//! the inbox at most once. The executor clears `sent` when it takes the letter out, which is before
//! the poll: a wake that comes later sends a new letter. A wake that came earlier and found `sent`
//! raised sends nothing, but whatever that thread wrote before is seen by the poll, for the
//! executor clears the flag with a swap that reads what that thread's swap wrote.
//!
//! *Between the inbox and a busy executor.* Every turn asks only whether `mail` is raised, one plain
//! load (and so does `spin.rs`, before a park). It is raised after the letter was put in, and taken
//! down, by a swap again, before the letters are taken out: so one that was not taken out raises it
//! once more. It is raised by a swap too. A store would hide what the thread that raised it before had
//! written, and the executor might take the flag down without seeing that thread's letter.
//!
//! *Between the inbox and the park.* The executor says "I am parked", then looks at the inbox once
//! more, then parks. A waker puts its letter in the inbox, then asks whether the executor is
//! parked. With a fence between the two steps on each side, at least one sees the other: either the
//! executor finds the letter and does not park, or the waker finds it parked and unparks it. An
//! `unpark` that comes before the `park` makes that `park` return at once.
//!
//! This file is all that the argument is about, and it knows nothing else of the executor. So
//! `tests/interleavings/` can run it, as it is, through every order in which its threads' steps can
//! happen, with three preemptions at most, and checks that each step and each fence is needed. Four orderings could
//! be weaker and it would not notice; they rest on argument alone: the two of `parked`, the `Acquire` with which `sent`
//! is raised, and the `Release` with which `blocking_calls` is counted down.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};
use std::sync::{Arc, Weak};
use std::thread::{self, Thread, ThreadId};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};

use crate::task::TaskId;

/// What threads know of an executor. It outlives the executor as long as there are wakers.
pub(crate) struct Home {
    inbox: Sender<Arc<TaskWaker>>,
    /// Raised when there may be something in the inbox.
    mail: AtomicBool,
    thread: Thread,
    parked: AtomicBool,
    made_at: Instant,
    /// When the thread was unparked last, in nanoseconds since `made_at`. It is written before the `unpark` and read
    /// after the park, and decides nothing but how long to spin: so it needs no order of its own, and is not among the
    /// atomics that the checkers of `tests/interleavings/` model.
    unparked_at_ns: std::sync::atomic::AtomicU64,
    /// How many closures are out on the thread pool.
    blocking_calls: AtomicUsize,
    /// The executor's thread, if the executor is observed: then each letter notes whether it was sent from there.
    observed_on: Option<ThreadId>,
}

/// The executor's end of the inbox. It never fills up, so a wake never waits for room.
pub(crate) struct Inbox {
    letters: Receiver<Arc<TaskWaker>>,
    /// The first of them, which somebody has looked at before their time.
    seen: RefCell<VecDeque<Arc<TaskWaker>>>,
}

/// What ended a park.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ParkEnd {
    /// There was something in the inbox, or something was `ready`, before the thread slept at all.
    NotParked,
    Woken,
    TimedOutOrSpurious,
}

impl Home {
    /// A home for an executor on this thread, and its inbox.
    pub(crate) fn new(observed_on: Option<ThreadId>) -> (Arc<Home>, Inbox) {
        let (sender, letters) = unbounded();
        let home = Home {
            inbox: sender,
            mail: AtomicBool::new(false),
            thread: thread::current(),
            parked: AtomicBool::new(false),
            made_at: Instant::now(),
            unparked_at_ns: 0.into(),
            blocking_calls: AtomicUsize::new(0),
            observed_on,
        };
        let seen = RefCell::default();
        (Arc::new(home), Inbox { letters, seen })
    }

    fn send(&self, letter: Arc<TaskWaker>) {
        // An error means that the executor is gone, and then a wake does nothing.
        if self.inbox.send(letter).is_ok() {
            self.mail.swap(true, Ordering::Release);
            self.unpark();
        }
    }

    fn unpark(&self) {
        fence(Ordering::SeqCst);
        if self.parked.load(Ordering::Relaxed) && self.parked.swap(false, Ordering::Release) {
            let at_ns = self.made_at.elapsed().as_nanos() as u64;
            self.unparked_at_ns.store(at_ns, Ordering::Relaxed);
            self.thread.unpark();
        }
    }

    /// When the thread was unparked last.
    pub(crate) fn unparked_at(&self) -> Instant {
        self.made_at + Duration::from_nanos(self.unparked_at_ns.load(Ordering::Relaxed))
    }

    /// True if the executor should look into its inbox.
    #[inline]
    pub(crate) fn has_mail(&self) -> bool {
        self.mail.load(Ordering::Relaxed)
    }

    /// [`has_mail`](Home::has_mail), by the executor that looks at once.
    #[inline]
    pub(crate) fn take_mail(&self) -> bool {
        self.has_mail() && self.mail.swap(false, Ordering::AcqRel)
    }

    pub(crate) fn blocking_calls(&self) -> usize {
        self.blocking_calls.load(Ordering::Acquire)
    }

    pub(crate) fn blocking_call_starts(&self) {
        self.blocking_calls.fetch_add(1, Ordering::Relaxed);
    }

    /// Said by the pool's thread, after it has woken the task. Whoever sees the count at zero and
    /// looks at the inbox afterwards sees that wake too.
    pub(crate) fn blocking_call_ended(&self) {
        self.blocking_calls.fetch_sub(1, Ordering::Release);
        self.unpark();
    }
}

impl Inbox {
    /// How many letters there are.
    pub(crate) fn len(&self) -> usize {
        self.seen.borrow().len() + self.letters.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.letters.is_empty() && self.seen.borrow().is_empty()
    }

    /// Which tasks the letters want polled. They stay, in their order, and no other is sent for these.
    pub(crate) fn wanted(&self) -> Vec<TaskId> {
        let mut seen = self.seen.borrow_mut();
        while let Ok(letter) = self.letters.try_recv() {
            seen.push_back(letter);
        }
        seen.iter().filter_map(|letter| letter.task()).collect()
    }

    /// Takes one letter out and says which task it wants polled, and whether it was sent from this thread: that
    /// is known if somebody observes.
    pub(crate) fn receive(&self) -> Option<(TaskId, bool)> {
        let seen = self.seen.borrow_mut().pop_front();
        let letter = seen.or_else(|| self.letters.try_recv().ok())?;
        let is_from_here = letter.is_from_here.load(Ordering::Relaxed);
        letter.sent.swap(false, Ordering::AcqRel);
        Some((letter.task()?, is_from_here))
    }

    /// Waits for a letter or an [`unpark`](Home::unpark), at most for `timeout`. This is the one
    /// place where the executor's thread ever parks.
    ///
    /// `ready` is asked once more after the thread has said that it is parked, for what is not in
    /// the inbox: whether a blocking call has ended, a waker that is watched is gone, or an observer
    /// has given the executor something to do.
    pub(crate) fn park(
        &self,
        home: &Home,
        timeout: Option<Duration>,
        ready: impl FnOnce() -> bool,
    ) -> ParkEnd {
        // Acquires: a late waker of the last park may have taken the flag down only now, and unparked nobody
        // who sleeps. Then this swap reads that waker's `false`, and with it sees the letter that was sent
        // before: the look below finds it.
        home.parked.swap(true, Ordering::Acquire);
        fence(Ordering::SeqCst);
        if !self.is_empty() || ready() {
            home.parked.store(false, Ordering::Relaxed);
            return ParkEnd::NotParked;
        }
        match timeout {
            Some(timeout) => thread::park_timeout(timeout),
            None => thread::park(),
        }
        // Whoever unparked the thread has taken the flag down.
        match home.parked.swap(false, Ordering::Relaxed) {
            true => ParkEnd::TimedOutOrSpurious,
            false => ParkEnd::Woken,
        }
    }
}

/// What a `Waker` of this executor points to; from another thread, the letter that it sends.
pub(crate) struct TaskWaker {
    /// The task, as bits, or 0 for none. It changes only while nobody but the executor has the waker.
    task: AtomicU64,
    /// True while a letter is in the inbox.
    sent: AtomicBool,
    /// True while the executor is parked until somebody uses this waker or drops the last of it. It
    /// needs no order of its own, for that of the `Arc`'s count is enough; so it is not among the
    /// atomics that the checkers of `tests/interleavings/` model.
    watched: std::sync::atomic::AtomicBool,
    /// True if the letter in the inbox was sent from the executor's own thread, while it did not run. It is
    /// written by whoever has raised `sent`, before the letter goes off, and so needs no order of its own either.
    is_from_here: std::sync::atomic::AtomicBool,
    home: Arc<Home>,
}

impl Drop for TaskWaker {
    fn drop(&mut self) {
        if *self.watched.get_mut() {
            self.home.unpark();
        }
    }
}

impl TaskWaker {
    /// A waker of no task yet.
    pub(crate) fn new(home: Arc<Home>) -> Arc<Self> {
        Arc::new(TaskWaker {
            task: AtomicU64::new(0),
            sent: AtomicBool::new(false),
            watched: false.into(),
            is_from_here: false.into(),
            home,
        })
    }

    /// Lets go of the executor's own hold on it, so that whoever drops the last waker unparks the
    /// executor: only while the executor holds none can that be noticed.
    ///
    /// The thread that drops the last one sees the flag, since the count of an `Arc` orders what was
    /// done before each drop. And either it finds the executor parked, or the executor finds the count
    /// at zero when it looks once more before it parks: see [`Inbox::park`].
    pub(crate) fn watch(self: Arc<Self>) -> Weak<Self> {
        self.watched.store(true, Ordering::Relaxed);
        Arc::downgrade(&self)
    }

    /// Takes hold again of one that was watched, if there is still a waker.
    pub(crate) fn end_watch(watched: &Weak<Self>) -> Option<Arc<Self>> {
        let target = watched.upgrade()?;
        target.watched.store(false, Ordering::Relaxed);
        Some(target)
    }

    pub(crate) fn set_task(&self, task: TaskId) {
        self.task.store(task.to_bits(), Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn task(&self) -> Option<TaskId> {
        TaskId::from_bits(self.task.load(Ordering::Relaxed))
    }

    /// True if it is a waker of the executor that lives there.
    #[inline]
    pub(crate) fn lives_at(&self, home: *const Home) -> bool {
        ptr::eq(home, Arc::as_ptr(&self.home))
    }

    /// Wakes from another thread: sends itself, unless it is in the inbox already.
    pub(crate) fn send(self: &Arc<Self>) {
        if !self.sent.swap(true, Ordering::AcqRel) {
            if let Some(executor) = self.home.observed_on {
                // By its full path: the checkers have no ids for theirs, and observe nothing.
                let is_from_here = std::thread::current().id() == executor;
                self.is_from_here.store(is_from_here, Ordering::Relaxed);
            }
            self.home.send(self.clone());
        }
    }
}
