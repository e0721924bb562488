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

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

pub use event::{Cause, Effect, Event, Place, Record, TaskKind, TimerId, UnparkCause, WaitsOn};
pub use recording::Recording;

use crate::clock::Clock;
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
}

impl<F: Fn(&Record)> Observer for F {
    fn observe(&self, record: &Record) {
        self(record);
    }
}

/// The one place that events go through: nothing at all, if there is no observer.
#[derive(Clone)]
pub(crate) struct Tracer(Option<Rc<Telling>>);

/// Numbers the events, tells them, and knows why each task was queued.
struct Telling {
    clock: Rc<Clock>,
    observer: Box<dyn Observer>,
    /// False while the observer runs, so that it is not told of its own doings, and for good once it
    /// has panicked.
    on: Cell<bool>,
    next_seq: Cell<u64>,
    /// Why each queued task was queued. Kept here, so that nothing is kept without an observer.
    causes: RefCell<HashMap<TaskId, Cause>>,
    panic: Cell<Option<Box<dyn Any + Send>>>,
}

impl Tracer {
    pub(crate) fn new(clock: Rc<Clock>, observer: Option<Box<dyn Observer>>) -> Self {
        let telling = observer.map(|observer| Telling {
            clock,
            observer,
            on: Cell::new(true),
            next_seq: Cell::new(0),
            causes: RefCell::new(HashMap::new()),
            panic: Cell::new(None),
        });
        Tracer(telling.map(Rc::new))
    }

    /// Whoever is to be told now.
    #[inline]
    fn on(&self) -> Option<&Telling> {
        self.0.as_deref().filter(|telling| telling.on.get())
    }

    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        self.on().is_some()
    }

    /// Tells the observer, if there is one; `event` is made only then. No `RefCell` of the executor
    /// may be borrowed here: the observer is the user's code.
    #[inline]
    pub(crate) fn emit(&self, event: impl FnOnce() -> Event) {
        if let Some(telling) = self.on() {
            telling.tell(event());
        }
    }

    /// Tells of a wake, and remembers its cause for the poll to come.
    #[cold]
    pub(crate) fn woken(&self, task: TaskId, by: Cause, effect: Effect) {
        if let Some(telling) = self.on() {
            if effect == Effect::Queued {
                telling.causes.borrow_mut().insert(task, by);
            }
            telling.tell(Event::Woken { task, by, effect });
        }
    }

    /// Why the task that is about to be polled was queued.
    pub(crate) fn take_cause(&self, task: TaskId) -> Cause {
        let cause = self
            .0
            .as_ref()
            .and_then(|t| t.causes.borrow_mut().remove(&task));
        // Only a wake that the observer itself caused is not remembered.
        cause.unwrap_or(Cause::Outside)
    }

    /// Forgets why a task was queued: it has ended, and will not be polled for that.
    #[inline]
    pub(crate) fn ended(&self, task: TaskId) {
        if let Some(telling) = &self.0 {
            telling.causes.borrow_mut().remove(&task);
        }
    }

    /// For how many tasks a cause is kept.
    #[cfg(test)]
    pub(crate) fn causes_kept(&self) -> usize {
        let telling = self.0.as_ref();
        telling.map_or(0, |telling| telling.causes.borrow().len())
    }

    /// The panic of an observer that panicked, once.
    #[inline]
    pub(crate) fn take_panic(&self) -> Option<Box<dyn Any + Send>> {
        self.0.as_ref()?.panic.take()
    }
}

impl Telling {
    #[cold]
    fn tell(&self, event: Event) {
        let seq = self.next_seq.get();
        self.next_seq.set(seq + 1);
        let time = Duration::from_nanos(self.clock.now_ns());
        let record = Record { seq, time, event };
        self.on.set(false);
        let told = catch_unwind(AssertUnwindSafe(|| self.observer.observe(&record)));
        match told {
            Ok(()) => self.on.set(true),
            Err(payload) => self.panic.set(Some(payload)),
        }
    }
}
