//! What happened: every poll, wake and timer as an [`Event`], told to an [`Observer`].
//!
//! ```text
//!   the executor ── Event ──▶ Tracer ── Record (number, time, event) ──▶ your Observer
//! ```
//!
//! Events are sent from where they happen, after the executor's own state has changed, so an
//! observer sees nothing that is not yet true. Without an observer, each of those places costs one
//! branch that the processor predicts.

mod event;
mod recording;
#[cfg(feature = "view")]
mod state;

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

pub(crate) use event::Circle;
pub use event::{Cause, Effect, Event, Place, Record, TaskKind, TimerId, UnparkCause, WaitsOn};
pub use recording::Recording;
#[cfg(feature = "view")]
pub use state::{Ready, Stage, State, TaskState, TimerState, Wait};

use crate::clock::Clock;
use crate::guard::contain;
use crate::task::TaskId;

/// Is told everything that one executor does, on its thread, as it happens.
///
/// Every `Fn(&Record)` is an observer:
///
/// ```
/// let executor = watchglass::Executor::builder()
///     .observer(|record: &watchglass::trace::Record| println!("{record}"))
///     .build();
/// executor.block_on(watchglass::yield_now());
/// ```
///
/// An observer may use the executor (spawn a task, wake a waker). What that causes is not told to
/// it: otherwise it might never come to an end.
///
/// # Panics
///
/// An observer that panics is told nothing more. The executor finishes what it was doing; then the
/// panic goes to the caller of `block_on`, `step` or `run_until_idle`.
pub trait Observer {
    /// Takes note of one event.
    fn observe(&self, record: &Record);

    /// The executor has been dropped, with every task in it: nothing more will be told.
    fn end(&self) {}
}

impl<F: Fn(&Record)> Observer for F {
    fn observe(&self, record: &Record) {
        self(record);
    }
}

/// The one place that events go through. It numbers them and knows why each task was queued.
pub(crate) struct Tracer {
    clock: Rc<Clock>,
    /// True while there is an observer that wants to be told. It is false while the observer runs,
    /// which is also what keeps it from being told of its own doings.
    on: Cell<bool>,
    observer: Option<Box<dyn Observer>>,
    next_seq: Cell<u64>,
    /// Why each queued task was queued. Kept here, so that nothing is kept without an observer.
    causes: RefCell<HashMap<TaskId, Cause>>,
    /// A poll that takes this long is told of as such.
    long_poll: Option<Duration>,
    panic: Cell<Option<Box<dyn Any + Send>>>,
}

impl Tracer {
    pub(crate) fn new(
        clock: Rc<Clock>,
        observer: Option<Box<dyn Observer>>,
        long_poll: Option<Duration>,
    ) -> Self {
        Tracer {
            clock,
            on: Cell::new(observer.is_some()),
            observer,
            long_poll,
            next_seq: Cell::new(0),
            causes: RefCell::new(HashMap::new()),
            panic: Cell::new(None),
        }
    }

    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        self.on.get()
    }

    /// Tells the observer, if there is one; `event` is made only then. No `RefCell` of the executor
    /// may be borrowed here: the observer is the user's code.
    #[inline]
    pub(crate) fn emit(&self, event: impl FnOnce() -> Event) {
        if self.on.get() {
            self.tell(event());
        }
    }

    /// Tells of a wake, and remembers its cause for the poll to come.
    #[inline]
    pub(crate) fn woken(&self, task: TaskId, by: Cause, effect: Effect) {
        if self.on.get() {
            // An abort counts more than the wake that it comes after: the task is not polled.
            let abort = by == Cause::Aborted && effect == Effect::AlreadyQueued;
            if effect == Effect::Queued || abort {
                self.causes.borrow_mut().insert(task, by);
            }
            self.tell(Event::Woken { task, by, effect });
        }
    }

    /// Tells that an entry of the queue was of no use.
    #[inline]
    pub(crate) fn passed_over(&self, task: TaskId) {
        if self.on.get() {
            self.causes.borrow_mut().remove(&task);
            self.tell(Event::PassedOver { task });
        }
    }

    /// Why the task that is about to be polled was queued.
    pub(crate) fn take_cause(&self, task: TaskId) -> Cause {
        let cause = self.causes.borrow_mut().remove(&task);
        // Only a wake that the observer itself caused is not remembered.
        cause.unwrap_or(Cause::Outside)
    }

    #[cold]
    fn tell(&self, event: Event) {
        let Some(observer) = &self.observer else {
            return;
        };
        let seq = self.next_seq.get();
        self.next_seq.set(seq + 1);
        let time = Duration::from_nanos(self.clock.now_ns());
        let record = Record { seq, time, event };
        self.on.set(false);
        let told = catch_unwind(AssertUnwindSafe(|| observer.observe(&record)));
        match told {
            Ok(()) => self.on.set(true),
            Err(payload) => self.panic.set(Some(payload)),
        }
    }

    pub(crate) fn long_poll(&self) -> Option<Duration> {
        self.long_poll
    }

    /// Nothing more will be told. An observer's panic ends here: it comes out of a drop.
    pub(crate) fn end(&self) {
        if self.on.replace(false)
            && let Some(observer) = &self.observer
        {
            contain(|| observer.end());
        }
    }

    /// The panic of an observer that panicked, once.
    #[inline]
    pub(crate) fn take_panic(&self) -> Option<Box<dyn Any + Send>> {
        self.panic.take()
    }
}
