//! The handle on a task: awaiting it gives the task's output, dropping it lets the task go on alone.

use std::fmt;
use std::marker::PhantomData;
use std::panic::{Location, RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll};

use crate::context::Shared;
use crate::elsewhere::AwaitsElsewhere;
use crate::executor::Executor;
use crate::guard::drop_contained;
use crate::name::Name;
use crate::slots::SlotState;
use crate::task::{BoxedTask, JoinError, MAX_LEFT_BYTES, TaskId, boxed_and_named, unboxed};
use crate::trace::WaitsOn;
use crate::waiter::Joiner;

/// Spawns a future, as a task, on the executor that runs on this thread.
///
/// The task goes to the back of the ready queue. It is polled for the first time when its turn comes, not before.
///
/// The future need not be `Send`, because it never leaves this thread. If it panics, that ends this task alone: the
/// handle gives the panic as a [`JoinError`]. If the handle was dropped, only the panic hook tells of it.
///
/// # Panics
///
/// Where no executor runs on this thread. [`Executor::spawn`](crate::Executor::spawn) works there. (A `Drop` may run
/// anywhere. In one, do not spawn the cleanup, but send what is to be cleaned up to a task, through a channel.)
///
/// ```
/// watchglass::block_on(async {
///     let task = watchglass::spawn(async { 1 + 1 });
///     println!("spawned, and not yet polled");
///     assert_eq!(task.await.unwrap(), 2);
/// });
/// ```
#[doc(alias = "create_task")]
#[doc(alias = "ensure_future")]
#[doc(alias = "spawn_local")]
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
{
    let instead = "call it in async code that runs, as in `block_on(async { spawn(f).await })`, or use \
                   `Executor::spawn`; from another thread, send a task a message to spawn it";
    JoinHandle::spawn(Shared::expect_current("spawn", instead), future)
}

impl Executor {
    /// Puts a future at the back of the ready queue. It is polled when the executor runs:
    /// in [`block_on`](Executor::block_on), [`step`](Executor::step) or
    /// [`run_until_idle`](Executor::run_until_idle). See [`spawn`].
    ///
    /// ```
    /// let executor = watchglass::Executor::new();
    /// let task = executor.spawn(async { 7 });
    /// assert_eq!(executor.block_on(task).unwrap(), 7);
    /// ```
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
    {
        JoinHandle::spawn(self.shared.clone(), future)
    }

    /// Like [`spawn`](Executor::spawn), for a task that is to be called `name` in traces and messages.
    ///
    /// ```
    /// let executor = watchglass::Executor::new();
    /// let waits = executor.spawn_named("waits for ever", std::future::pending::<()>());
    /// let stalled = executor.try_block_on(waits).unwrap_err();
    /// assert!(stalled.to_string().contains("`waits for ever`"));
    /// ```
    #[track_caller]
    pub fn spawn_named<F>(&self, name: impl Into<Name>, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
    {
        JoinHandle::spawn_boxed(self.shared.clone(), boxed_and_named(future, name.into()))
    }
}

/// Like [`spawn`], for a task that is to be called `name` in traces and messages. A name that is made at run time is
/// given as a `String`.
///
/// # Panics
///
/// Where no executor runs on this thread.
///
/// ```
/// use std::future::pending;
/// use watchglass::{Executor, join_all, spawn_named};
///
/// let stalled = Executor::new().try_block_on(async {
///     join_all((1..=2).map(|n| spawn_named(format!("waiter {n}"), pending::<()>()))).await
/// });
/// let stalled = stalled.unwrap_err();
/// let names: Vec<&str> = stalled.tasks().iter().map(|task| &task.name[..]).collect();
/// assert_eq!(names[1..], ["waiter 1", "waiter 2"]);
/// ```
#[track_caller]
pub fn spawn_named<F>(name: impl Into<Name>, future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
{
    let instead = "call it in async code that runs, as in `block_on(async { spawn_named(name, f).await })`, or use \
                   `Executor::spawn_named`; from another thread, send a task a message to spawn it";
    let shared = Shared::expect_current("spawn_named", instead);
    JoinHandle::spawn_boxed(shared, boxed_and_named(future, name.into()))
}

/// Awaits the end of a task: `Ok` with its output, or `Err` if it panicked or was cancelled.
///
/// # Dropping
///
/// Dropping the handle detaches the task: it goes on, and its output is dropped when it is done.
/// To stop it, [`abort`](JoinHandle::abort) it. A handle that is dropped after its task has
/// finished drops the output. A panic in the drop of an output that nobody took ends there.
///
/// # Panics
///
/// Polling a handle panics if it has given its output already. It also panics inside the very task that the handle
/// belongs to, which would wait for itself for ever.
///
/// # Another executor
///
/// A task is run only by its own executor, and not while another executor runs on the thread. So
/// `watchglass::block_on(handle)`, which makes an executor of its own, would wait for ever, and ends with a
/// [stall](crate::Stalled) that says so. Call `executor.block_on(handle)` instead.
///
/// A handle may also be polled where no executor runs. It is ready if the task has ended. If not, the waker is used
/// when the task ends, and somebody has to run the task's executor meanwhile: another crate's `block_on` alone would
/// wait for ever.
///
/// ```
/// let executor = watchglass::Executor::new();
/// let handle = executor.spawn(async { 6 * 7 });
/// assert_eq!(executor.block_on(handle).unwrap(), 42);
/// ```
pub struct JoinHandle<T> {
    /// The task's executor. `None` once the handle has given its output.
    shared: Option<Rc<Shared>>,
    id: TaskId,
    /// `fn(T) -> T`, and not `fn() -> T`: or a handle of a function that takes any `&u8` would do as one of a function
    /// that takes a `&'static u8`. But these are two types, and the output is found by its type.
    ///
    /// ```compile_fail,E0308
    /// use watchglass::JoinHandle;
    ///
    /// fn other(handle: JoinHandle<for<'a> fn(&'a u8)>) -> JoinHandle<fn(&'static u8)> {
    ///     handle
    /// }
    /// ```
    output: PhantomData<fn(T) -> T>,
}

impl<T: 'static> JoinHandle<T> {
    #[inline]
    #[track_caller]
    pub(crate) fn spawn<F>(shared: Rc<Shared>, future: F) -> Self
    where
        F: Future<Output = T> + 'static,
    {
        let id = shared.insert(future, Location::caller());
        JoinHandle::new(shared, id)
    }

    #[track_caller]
    pub(crate) fn spawn_boxed(shared: Rc<Shared>, task: BoxedTask) -> Self {
        let id = shared.insert_new(task, Location::caller());
        JoinHandle::new(shared, id)
    }

    /// The handle of a task whose output is a `T`.
    pub(crate) fn new(shared: Rc<Shared>, id: TaskId) -> Self {
        JoinHandle {
            shared: Some(shared),
            id,
            output: PhantomData,
        }
    }

    /// The executor of a task whose outcome was not taken yet.
    #[track_caller]
    pub(crate) fn executor(&self) -> &Rc<Shared> {
        match &self.shared {
            Some(shared) => shared,
            None => panic!(
                "the JoinHandle of {} has given its output; insert a handle before it is awaited",
                self.id
            ),
        }
    }

    /// The outcome, if the task has ended and the outcome was not taken before.
    #[inline(always)]
    pub(crate) fn take(&mut self) -> Option<Result<T, JoinError>> {
        let shared = self.shared.as_ref()?;
        let taken = shared.queue.take_output(self.id)?;
        self.shared = None;
        Some(taken)
    }

    /// The outcome in its box, if the task has ended and the outcome was not taken before.
    fn take_box(&mut self) -> Option<BoxedTask> {
        let outcome = self.shared.as_ref()?.queue.take_finished(self.id)?;
        self.shared = None;
        Some(outcome)
    }

    /// The other half of a poll: the task has not ended. It is not inlined, so that the first half, which
    /// is all that a finished task's handle needs, saves few registers.
    #[inline(never)]
    #[track_caller]
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, JoinError>> {
        let id = self.id;
        let Some(shared) = &self.shared else {
            panic!(
                "the JoinHandle of {id} was polled after it gave its output; await a handle only once"
            )
        };
        assert!(
            shared.queue.running() != Some(id),
            "task {id} awaits its own JoinHandle and would wait for itself for ever; let another \
             task await it"
        );
        let joiner = match Shared::current() {
            Some(current) if !Rc::ptr_eq(&current, shared) => {
                let at = Location::caller();
                current.waits(WaitsOn::Elsewhere, at);
                AwaitsElsewhere::joiner(current, at, cx.waker())
            }
            _ => {
                shared.waits(WaitsOn::Task(id), Location::caller());
                if let Some(task) = shared.task_polled_with(cx.waker())
                    && shared.queue.set_first_joiner(id, task)
                {
                    return Poll::Pending;
                }
                Joiner::Waiter(shared.waiter(cx.waker()))
            }
        };
        if shared.set_joiner(id, joiner) {
            return Poll::Pending;
        }
        Poll::Ready(self.take_late())
    }

    /// The outcome of a task that has ended while its handle was polled: an observer has run it, or
    /// the waker's own code.
    #[cold]
    fn take_late(&mut self) -> Result<T, JoinError> {
        self.take().expect("a task that has ended has an outcome")
    }
}

impl<T> JoinHandle<T> {
    /// Cancels the task.
    ///
    /// The task goes to the back of the ready queue, unless it is in the queue already. When its turn comes, its future
    /// is dropped where it awaits, instead of polled. The handle then gives a [`JoinError`] that
    /// [is cancelled](JoinError::is_cancelled), or that is a panic, if the future panics in its drop.
    ///
    /// Nothing happens if the task has finished. If a task aborts itself and finishes in that very poll, it has
    /// finished.
    ///
    /// ```
    /// watchglass::block_on(async {
    ///     let task = watchglass::spawn(std::future::pending::<()>());
    ///     task.abort();
    ///     assert!(task.await.unwrap_err().is_cancelled());
    /// });
    /// ```
    #[doc(alias = "cancel")]
    pub fn abort(&self) {
        if let Some(shared) = &self.shared {
            shared.abort(self.id);
        }
    }

    /// Gives a handle with which somebody else can [abort](JoinHandle::abort) the task, while this handle is awaited.
    ///
    /// ```
    /// watchglass::block_on(async {
    ///     let task = watchglass::spawn(std::future::pending::<()>());
    ///     let stop = task.abort_handle();
    ///     watchglass::spawn(async move { stop.abort() });
    ///     assert!(task.await.unwrap_err().is_cancelled());
    /// });
    /// ```
    #[must_use = "it aborts nothing until its `abort` is called"]
    pub fn abort_handle(&self) -> AbortHandle {
        AbortHandle {
            shared: self.shared.as_ref().map_or(Weak::new(), Rc::downgrade),
            id: self.id,
        }
    }

    /// True if the task has ended: with an output, by a panic, or cancelled.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        let shared = self.shared.as_ref();
        shared.is_none_or(|shared| shared.is_finished(self.id))
    }

    /// The task's id.
    #[must_use]
    pub fn id(&self) -> TaskId {
        self.id
    }
}

impl<T: 'static> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // Of such an output no box is left in the slot. So nothing is to be done there after it was moved.
        if size_of::<T>() > MAX_LEFT_BYTES {
            return match self.take_box() {
                Some(outcome) => unboxed(outcome),
                None => self.wait(cx),
            };
        }
        match self.take() {
            Some(outcome) => Poll::Ready(outcome),
            None => self.wait(cx),
        }
    }
}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        let Some(shared) = &self.shared else {
            return;
        };
        let left = shared.queue.with_slot(self.id, |slot| {
            slot.has_handle = false;
            (slot.state, slot.joiner.is_some())
        });
        let (state, is_awaited) = left.unwrap_or((SlotState::Vacant, false));
        // Moved out first, and dropped with nothing borrowed: an output's drop is the user's code.
        if state == SlotState::Finished {
            return drop_contained(shared.queue.take_finished(self.id));
        }
        shared.unregistered();
        if is_awaited {
            drop(shared.queue.with_slot(self.id, |slot| slot.joiner.take()));
        }
        shared.detached(self.id);
    }
}

/// What a panic leaves behind is as whole as before: see [`Executor`].
impl<T> UnwindSafe for JoinHandle<T> {}
impl<T> RefUnwindSafe for JoinHandle<T> {}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle")
            .field("id", &self.id)
            .field("is_finished", &self.is_finished())
            .finish()
    }
}

/// Aborts a task, or tells whether it has ended; see [`JoinHandle::abort_handle`].
///
/// A task may have any number of these handles. They stay on the task's thread, because they look into the executor. To
/// stop a task from another thread, send a message to a task that aborts it.
///
/// # Dropping
///
/// Dropping it does nothing to the task. If the executor is gone, the handle keeps no more of it than a block of
/// memory.
#[derive(Clone)]
pub struct AbortHandle {
    shared: Weak<Shared>,
    id: TaskId,
}

impl AbortHandle {
    /// As [`JoinHandle::abort`].
    pub fn abort(&self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.abort(self.id);
        }
    }

    /// As [`JoinHandle::is_finished`].
    #[must_use]
    pub fn is_finished(&self) -> bool {
        let shared = self.shared.upgrade();
        shared.is_none_or(|shared| shared.is_finished(self.id))
    }

    /// The task's id.
    #[must_use]
    pub fn id(&self) -> TaskId {
        self.id
    }
}

impl UnwindSafe for AbortHandle {}
impl RefUnwindSafe for AbortHandle {}

impl fmt::Debug for AbortHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AbortHandle")
            .field("id", &self.id)
            .field("is_finished", &self.is_finished())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn a_handle_is_two_words() {
        assert_eq!(size_of::<JoinHandle<String>>(), 16);
    }
}
