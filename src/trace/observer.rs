//! Who is told what happens: one trait, and what implements it.

use std::rc::Rc;
use std::sync::Arc;

use super::Record;
use crate::guard::contain;

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
/// (Write down the type of the argument. Without it the compiler takes the closure for one that accepts a single
/// lifetime, and says that an implementation of `FnOnce` "is not general enough".) A closure has to be an `Fn`, so keep
/// what it changes in a `Cell` or a `RefCell`. Two observers in a tuple are one observer, and so is an `Option` of one.
/// So is an `Rc` of one, for whoever wants to look at it afterwards:
///
/// ```
/// use std::cell::RefCell;
/// use std::collections::HashMap;
/// use std::rc::Rc;
/// use watchglass::trace::{Event, Observer, Record, Recording};
/// use watchglass::{Executor, TaskId, spawn_named, yield_now};
///
/// /// How often each task is polled. An id means nothing to a reader: the name is told once, at the beginning.
/// #[derive(Default)]
/// struct Polls {
///     alive: RefCell<HashMap<TaskId, (String, u32)>>,
///     ended: RefCell<Vec<(String, u32)>>,
/// }
///
/// impl Observer for Polls {
///     fn observe(&self, record: &Record) {
///         let mut alive = self.alive.borrow_mut();
///         match &record.event {
///             Event::Spawned { task, name, .. } => drop(alive.insert(*task, (name.to_string(), 0))),
///             Event::PollStarted { task, .. } => {
///                 alive.entry(*task).and_modify(|(_, polls)| *polls += 1);
///             }
///             Event::Completed { task } | Event::Cancelled { task } | Event::Panicked { task, .. } => {
///                 self.ended.borrow_mut().extend(alive.remove(task));
///             }
///             _ => {}
///         }
///     }
/// }
///
/// let (polls, recording) = (Rc::new(Polls::default()), Recording::new());
/// let observer = (polls.clone(), recording.clone());
/// let executor = Executor::builder().observer(observer).build();
/// executor.block_on(async { spawn_named("polite", yield_now()).await }).unwrap();
/// assert_eq!(polls.ended.take()[0], ("polite".to_owned(), 2));
/// assert!(recording.len() > 2);
/// ```
///
/// An observer may use the executor (spawn a task, wake a waker). It is not told what happens while it runs itself. So
/// the story of a task that it spawns has no beginning, and `State` does not know that task. What such a task does
/// later is told. (An observer that spawns a task for each task that ends never comes to an end.)
///
/// An observer must not run the executor, not even between two calls: what it is being told of may be only half done
/// then. A task may be spawned and not queued, say.
///
/// # Panics
///
/// An observer that panics is told nothing more. The executor finishes what it was doing; then the panic goes to the
/// caller of `block_on`, `step` or another call that runs the executor. If the observer panics between two calls, it
/// goes to the caller of the next one, which polls nothing. If there is no next call, or if the executor is being
/// dropped, the panic ends here, and only the panic hook has told of it. So let a test assert on the end of tasks with
/// a [`Recording`](super::Recording), when the executor is gone.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an observer",
    label = "not an observer",
    note = "observers are a closure `|record: &Record| ..`, a `Recording`, and a type of your own that implements \
            `Observer`; an `Rc`, an `Arc`, an `Option` or a pair of one. Of a `Recording`, give a clone: \
            `recording.clone()`"
)]
pub trait Observer {
    /// Takes note of one event.
    fn observe(&self, record: &Record);

    /// Like [`observe`](Observer::observe), but the record is given away.
    ///
    /// The executor calls this method. An observer that keeps records overrides it, and so need not clone them. (Of a
    /// pair, the first observer is told by `observe`, so the two methods must do the same.)
    fn observe_owned(&self, record: Record) {
        self.observe(&record);
    }

    /// The executor has been dropped, with every task in it: nothing more will be told. It is not called after a panic
    /// of this observer. A panic in here ends here.
    fn end(&self) {}
}

impl<F: Fn(&Record)> Observer for F {
    fn observe(&self, record: &Record) {
        self(record);
    }
}

/// Keep one `Rc`, to ask the observer afterwards.
impl<O: Observer + ?Sized> Observer for Rc<O> {
    fn observe(&self, record: &Record) {
        (**self).observe(record);
    }

    fn observe_owned(&self, record: Record) {
        (**self).observe_owned(record);
    }

    fn end(&self) {
        (**self).end();
    }
}

/// Keep one `Arc`, to ask the observer from another thread: for what it has noted in atomics, say.
impl<O: Observer + ?Sized> Observer for Arc<O> {
    fn observe(&self, record: &Record) {
        (**self).observe(record);
    }

    fn observe_owned(&self, record: Record) {
        (**self).observe_owned(record);
    }

    fn end(&self) {
        (**self).end();
    }
}

/// Nobody is told if it is `None`. (The executor then makes the events all the same.)
impl<O: Observer> Observer for Option<O> {
    fn observe(&self, record: &Record) {
        if let Some(observer) = self {
            observer.observe(record);
        }
    }

    fn observe_owned(&self, record: Record) {
        if let Some(observer) = self {
            observer.observe_owned(record);
        }
    }

    fn end(&self) {
        if let Some(observer) = self {
            observer.end();
        }
    }
}

/// Both are told, the first one first. If one of them panics, neither is told anything more, not even of the end. If
/// the first panics in its `end`, the second is told of the end all the same.
impl<A: Observer, B: Observer> Observer for (A, B) {
    fn observe(&self, record: &Record) {
        self.0.observe(record);
        self.1.observe(record);
    }

    fn observe_owned(&self, record: Record) {
        self.0.observe(&record);
        self.1.observe_owned(record);
    }

    fn end(&self) {
        contain(|| self.0.end());
        self.1.end();
    }
}
