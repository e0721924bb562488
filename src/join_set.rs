//! A set of tasks that is awaited task by task, in the order in which they end.

use std::cell::RefCell;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::mem;
use std::panic::{Location, RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use crate::context::Shared;
use crate::elsewhere::NotedElsewhere;
use crate::join_handle::JoinHandle;
use crate::name::Name;
use crate::task::{JoinError, TaskId, boxed_and_named};
use crate::trace::{Cause, WaitsOn};
use crate::waiter::{Joiner, Waiter};

/// A set of tasks that is awaited task by task, in the order in which they end.
///
/// Dropping the set aborts what is left in it.
///
/// ```
/// use std::time::Duration;
/// use watchglass::{JoinSet, sleep};
///
/// let executor = watchglass::Executor::builder().virtual_time().build();
/// executor.block_on(async {
///     let mut set = JoinSet::new();
///     for seconds in [3, 1, 2] {
///         set.spawn(async move {
///             sleep(Duration::from_secs(seconds)).await;
///             seconds
///         });
///     }
///     let mut order = Vec::new();
///     while let Some(seconds) = set.join_next().await {
///         order.push(seconds.unwrap());
///     }
///     assert_eq!(order, [1, 2, 3]);
/// });
/// ```
///
/// # Dropping
///
/// Dropping the set aborts every task in it, in the order of their ids. It does not wait for them: each is dropped when
/// its turn comes. If `block_on` is over before that, they are dropped in the executor's next call, or with the
/// executor.
///
/// # Another executor
///
/// As with a [`JoinHandle`], the tasks in the set are run only by their own executor. So await the set in that
/// executor's [`block_on`](crate::Executor::block_on). In another executor's, it ends with a [stall](crate::Stalled)
/// that says so. The set may also be polled where no executor runs, by code that runs the tasks' executor meanwhile.
#[doc(alias = "TaskGroup")]
#[doc(alias = "as_completed")]
pub struct JoinSet<T> {
    /// All of one executor, for an id names a task only within one. In an order that is the same in every run, for
    /// they are aborted and dropped in it.
    handles: BTreeMap<TaskId, JoinHandle<T>>,
    ended: Rc<Ended>,
    /// `ended.push`, as the executor calls it.
    tell: Rc<dyn Fn(TaskId)>,
}

/// The tasks that have ended and were not taken yet, and who waits for one.
#[derive(Default)]
struct Ended {
    ids: RefCell<VecDeque<TaskId>>,
    awaits: RefCell<Option<Awaits>>,
}

/// Who waits for a task of the set to end, and in which executor.
struct Awaits {
    shared: Rc<Shared>,
    waiter: Waiter,
    /// If the tasks are those of another executor.
    _elsewhere: Option<NotedElsewhere>,
}

impl Ended {
    /// A task has ended; or one that had is put in the set, which is `of` that executor.
    fn push(&self, id: TaskId, of: Option<&Rc<Shared>>) {
        self.ids.borrow_mut().push_back(id);
        if let Some(Awaits { shared, waiter, .. }) = self.awaits.take() {
            // Who waits may be a task of another executor, where the id is another task's.
            let is_its = of.is_none_or(|of| Rc::ptr_eq(of, &shared));
            match is_its && shared.is_current() {
                true => shared.wake_waiter(waiter, Cause::Joined(id)),
                false => wake_from_here(&shared, waiter),
            }
        }
    }
}

/// Wakes whoever waits for a set, and not because one of their executor's tasks has ended.
fn wake_from_here(shared: &Shared, waiter: Waiter) {
    match waiter {
        waiter if !shared.is_current() => shared.wake_waiter(waiter, Cause::NotRunning),
        Waiter::Task(id) => shared.queue.wake_from_here(id),
        waiter => shared.wake_waiter(waiter, shared.queue.cause_here()),
    }
}

impl<T> JoinSet<T> {
    /// An empty set.
    #[must_use]
    pub fn new() -> Self {
        let ended = Rc::new(Ended::default());
        JoinSet {
            handles: BTreeMap::new(),
            tell: Rc::new({
                let ended = ended.clone();
                move |id| ended.push(id, None)
            }),
            ended,
        }
    }
}

impl<T: 'static> JoinSet<T> {
    /// Spawns a future into the set, on the executor that runs on this thread.
    ///
    /// [`join_next`](JoinSet::join_next) borrows the set while it is awaited. To abort one task meanwhile, keep an
    /// [`AbortHandle`](crate::AbortHandle) of it:
    /// `let task = spawn(f); let stop = task.abort_handle(); set.insert(task);`
    ///
    /// # Panics
    ///
    /// Where no executor runs on this thread; and if the set has tasks of another executor. In the second case the new
    /// task runs on by itself, on the executor that runs here.
    #[track_caller]
    pub fn spawn<F>(&mut self, future: F) -> TaskId
    where
        F: Future<Output = T> + 'static,
    {
        let instead =
            "call it in async code that runs, or `insert` the handle that `Executor::spawn` gives";
        let shared = Shared::expect_current("JoinSet::spawn", instead);
        self.insert(JoinHandle::spawn(shared, future))
    }

    /// Like [`spawn`](JoinSet::spawn), for a task that is to be called `name` in traces and messages.
    ///
    /// # Panics
    ///
    /// As [`spawn`](JoinSet::spawn).
    #[track_caller]
    pub fn spawn_named<F>(&mut self, name: impl Into<Name>, future: F) -> TaskId
    where
        F: Future<Output = T> + 'static,
    {
        let instead = "call it in async code that runs, or `insert` the handle that `Executor::spawn_named` gives";
        let shared = Shared::expect_current("JoinSet::spawn_named", instead);
        self.insert(JoinHandle::spawn_boxed(
            shared,
            boxed_and_named(future, name.into()),
        ))
    }

    /// Takes a task into the set: one from [`spawn_blocking`](crate::spawn_blocking), say, or from
    /// [`spawn_named`](crate::spawn_named).
    ///
    /// A task that has already ended counts as one that ends now.
    ///
    /// # Panics
    ///
    /// If the handle has given its output already, or if the set has tasks of another executor. In the second case the
    /// handle is dropped, and its task runs on by itself.
    ///
    /// ```
    /// use watchglass::{JoinSet, block_on, spawn, spawn_blocking};
    ///
    /// block_on(async {
    ///     let mut set = JoinSet::new();
    ///     set.insert(spawn(async { 1 }));
    ///     set.insert(spawn_blocking(|| 2));
    ///     let mut sum = 0;
    ///     while let Some(number) = set.join_next().await {
    ///         sum += number.unwrap();
    ///     }
    ///     assert_eq!(sum, 3);
    /// });
    /// ```
    #[track_caller]
    pub fn insert(&mut self, handle: JoinHandle<T>) -> TaskId {
        let id = handle.id();
        let executor = handle.executor();
        let mut others = self.handles.values();
        let is_of_this = |other: &JoinHandle<T>| Rc::ptr_eq(other.executor(), executor);
        assert!(
            others.next().is_none_or(is_of_this),
            "{id} is a task of another executor than those in the JoinSet; use a set for each"
        );
        if !executor.set_joiner(id, Joiner::Told(self.tell.clone())) {
            self.ended.push(id, Some(executor));
        }
        self.handles.insert(id, handle);
        id
    }

    /// Waits for the next task to end and gives its outcome, or `None` if the set is empty.
    ///
    /// Outcomes come in the order in which the tasks ended. If the future is dropped before it is done, no outcome is
    /// lost, but nobody is woken on its behalf any more (with tokio's set, somebody is). So do not make a new one at
    /// each `poll` of your own future: use [`poll_join_next`](JoinSet::poll_join_next). If the future is polled again
    /// after it was ready, it waits for the next task.
    pub fn join_next(&mut self) -> JoinNext<'_, T> {
        JoinNext {
            set: self,
            is_waiting: false,
        }
    }

    /// Like [`join_next`](JoinSet::join_next), and says whose outcome it is, which an error alone does not say.
    ///
    /// ```
    /// let executor = watchglass::Executor::builder().virtual_time().build();
    /// executor.block_on(async {
    ///     let mut set = watchglass::JoinSet::new();
    ///     let fails = set.spawn(async { panic!("on purpose") });
    ///     let (id, outcome): (_, Result<(), _>) = set.join_next_with_id().await.unwrap();
    ///     assert!(id == fails && outcome.is_err());
    /// });
    /// ```
    pub fn join_next_with_id(&mut self) -> JoinNextWithId<'_, T> {
        JoinNextWithId {
            next: self.join_next(),
        }
    }

    /// Like [`join_next`](JoinSet::join_next), for a future or a stream of your own that has a set in it.
    ///
    /// Whoever polled last is woken when a task ends.
    ///
    /// ```
    /// use std::future::poll_fn;
    ///
    /// watchglass::block_on(async {
    ///     let mut set = watchglass::JoinSet::new();
    ///     set.spawn(async { 7 });
    ///     let next = poll_fn(|cx| set.poll_join_next(cx)).await;
    ///     assert_eq!(next.unwrap().unwrap(), 7);
    /// });
    /// ```
    #[track_caller]
    pub fn poll_join_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, JoinError>>> {
        let next = self.poll_join_next_with_id(cx);
        next.map(|next| next.map(|(_, outcome)| outcome))
    }

    /// Like [`poll_join_next`](JoinSet::poll_join_next), and says whose outcome it is.
    #[track_caller]
    pub fn poll_join_next_with_id(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<(TaskId, Result<T, JoinError>)>> {
        if let Some(next) = self.try_join_next_with_id() {
            return Poll::Ready(Some(next));
        }
        // All are of one executor.
        let Some(task) = self.handles.values().next() else {
            return Poll::Ready(None);
        };
        // Where none runs, whoever polls is woken all the same when a task ends, as by a handle.
        let shared = Shared::current().unwrap_or_else(|| task.executor().clone());
        let at = Location::caller();
        let are_elsewhere = !Rc::ptr_eq(task.executor(), &shared);
        let on = match are_elsewhere {
            true => WaitsOn::Elsewhere,
            false => WaitsOn::AnyTask,
        };
        shared.waits(on, at);
        let waiter = shared.waiter_left_unseen(cx.waker());
        let awaits = Awaits {
            _elsewhere: are_elsewhere.then(|| NotedElsewhere::new(shared.clone(), at)),
            shared,
            waiter,
        };
        drop(self.ended.awaits.replace(Some(awaits)));
        // The observer and the waker, who were told, are the user's code: they may have dropped the
        // executor whose tasks these are, and so ended one while nobody was noted to be woken.
        let Some(next) = self.try_join_next_with_id() else {
            return Poll::Pending;
        };
        drop(self.ended.awaits.take());
        Poll::Ready(Some(next))
    }

    /// The outcome of a task that has ended, if there is one; `None` also if the set is empty.
    ///
    /// ```
    /// watchglass::block_on(async {
    ///     let mut set = watchglass::JoinSet::new();
    ///     set.spawn(async { 7 });
    ///     assert!(set.try_join_next().is_none(), "it was not polled yet");
    ///     watchglass::yield_now().await;
    ///     assert_eq!(set.try_join_next().unwrap().unwrap(), 7);
    /// });
    /// ```
    #[must_use = "it gives an outcome, which is lost otherwise"]
    pub fn try_join_next(&mut self) -> Option<Result<T, JoinError>> {
        self.try_join_next_with_id().map(|(_, outcome)| outcome)
    }

    /// Like [`try_join_next`](JoinSet::try_join_next), and says whose outcome it is.
    #[must_use = "it gives an outcome, which is lost otherwise"]
    pub fn try_join_next_with_id(&mut self) -> Option<(TaskId, Result<T, JoinError>)> {
        loop {
            let id = self.ended.ids.borrow_mut().pop_front()?;
            // An observer that was told of the end may have detached the task before the set was, and put another
            // executor's task of the same id in its place.
            let Entry::Occupied(handle) = self.handles.entry(id) else {
                continue;
            };
            if handle.get().is_finished() {
                return Some((id, handle.remove().take()?));
            }
        }
    }

    /// [Aborts](JoinSet::abort_all) every task at once, and waits until all of them have ended. Then the set is empty.
    ///
    /// Their outcomes are dropped, even if they are outputs or panics. A closure of
    /// [`spawn_blocking`](crate::spawn_blocking) that runs already is neither stopped nor waited for. If the future is
    /// dropped before it is done, the tasks that have not ended stay in the set.
    ///
    /// ```
    /// use watchglass::{JoinSet, sleep};
    /// use std::time::Duration;
    ///
    /// watchglass::block_on(async {
    ///     let mut set = JoinSet::new();
    ///     set.spawn(sleep(Duration::from_secs(60)));
    ///     set.shutdown().await;
    ///     assert!(set.is_empty());
    /// });
    /// ```
    pub fn shutdown(&mut self) -> Shutdown<'_, T> {
        self.abort_all();
        Shutdown {
            next: self.join_next(),
        }
    }
}

impl<T> JoinSet<T> {
    /// [Aborts](JoinHandle::abort) one task, which stays in the set until it is joined.
    ///
    /// Gives `false`, and does nothing, if the task is not in the set.
    ///
    /// ```
    /// watchglass::block_on(async {
    ///     let mut set = watchglass::JoinSet::<()>::new();
    ///     let waits = set.spawn(std::future::pending());
    ///     assert!(set.abort(waits));
    ///     assert!(set.join_next().await.unwrap().unwrap_err().is_cancelled());
    /// });
    /// ```
    pub fn abort(&self, id: TaskId) -> bool {
        let handle = self.handles.get(&id);
        if let Some(handle) = handle {
            handle.abort();
        }
        handle.is_some()
    }

    /// [Aborts](JoinHandle::abort) every task, in the order of their ids. They stay in the set until
    /// they are joined.
    ///
    /// ```
    /// use std::time::Duration;
    /// use watchglass::{JoinSet, sleep, timeout};
    ///
    /// // The end of a program: who is not done within a second is stopped.
    /// watchglass::Executor::builder().virtual_time().build().block_on(async {
    ///     let mut set = JoinSet::new();
    ///     set.spawn(sleep(Duration::from_millis(500)));
    ///     set.spawn(sleep(Duration::from_secs(60)));
    ///     let all = async { while set.join_next().await.is_some() {} };
    ///     let all_are_done = timeout(Duration::from_secs(1), all).await.is_ok();
    ///     assert!(!all_are_done);
    ///     set.abort_all();
    ///     while let Some(outcome) = set.join_next().await {
    ///         assert!(outcome.unwrap_err().is_cancelled());
    ///     }
    /// });
    /// ```
    pub fn abort_all(&self) {
        self.handles.values().for_each(JoinHandle::abort);
    }

    /// How many tasks there are, ended or not, that were not joined yet.
    #[must_use]
    pub fn len(&self) -> usize {
        self.handles.len()
    }

    /// True if no task is left to be joined.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.handles.is_empty()
    }

    /// Lets every task go on by itself, as if its handle had been dropped. Afterwards the set is empty.
    ///
    /// ```
    /// use watchglass::{Executor, JoinSet, yield_now};
    ///
    /// let executor = Executor::new();
    /// executor.block_on(async {
    ///     let mut set = JoinSet::new();
    ///     set.spawn(yield_now());
    ///     set.detach_all();
    /// });
    /// assert_eq!(executor.unfinished_tasks().len(), 1, "it was not aborted");
    /// ```
    pub fn detach_all(&mut self) {
        drop(mem::take(&mut self.handles));
        // Also those of tasks that ended while handles were dropped.
        drop(self.ended.ids.take());
        // Who has polled the set for the next outcome learns that there is none.
        if let Some(Awaits { shared, waiter, .. }) = self.ended.awaits.take() {
            wake_from_here(&shared, waiter);
        }
    }
}

/// The future of [`JoinSet::join_next`].
#[must_use = "this waits only when you `.await` it"]
pub struct JoinNext<'a, T> {
    set: &'a mut JoinSet<T>,
    /// True if it is this future on whose behalf somebody is woken.
    is_waiting: bool,
}

/// The future of [`JoinSet::join_next_with_id`].
#[must_use = "this waits only when you `.await` it"]
pub struct JoinNextWithId<'a, T> {
    next: JoinNext<'a, T>,
}

impl<T: 'static> Future for JoinNext<'_, T> {
    type Output = Option<Result<T, JoinError>>;

    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let next = self.poll_next(cx);
        next.map(|next| next.map(|(_, outcome)| outcome))
    }
}

impl<T: 'static> Future for JoinNextWithId<'_, T> {
    type Output = Option<(TaskId, Result<T, JoinError>)>;

    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.next.poll_next(cx)
    }
}

/// The future of [`JoinSet::shutdown`].
#[must_use = "the tasks are aborted, but nobody waits for that unless you `.await` it"]
pub struct Shutdown<'a, T> {
    next: JoinNext<'a, T>,
}

impl<T: 'static> Future for Shutdown<'_, T> {
    type Output = ();

    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        while let Some((_, outcome)) = ready!(self.next.poll_next(cx)) {
            drop(outcome);
        }
        Poll::Ready(())
    }
}

/// Whose outcome it is, and the outcome.
type NextOutcome<T> = (TaskId, Result<T, JoinError>);

impl<T: 'static> JoinNext<'_, T> {
    #[track_caller]
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<NextOutcome<T>>> {
        let next = self.set.poll_join_next_with_id(cx);
        self.is_waiting = next.is_pending();
        next
    }
}

impl<T> Drop for JoinNext<'_, T> {
    /// Nobody waits any more: the next task that ends wakes nobody.
    fn drop(&mut self) {
        if self.is_waiting {
            drop(self.set.ended.awaits.take());
        }
    }
}

/// Takes in each handle, as [`insert`](JoinSet::insert) does.
impl<T: 'static> Extend<JoinHandle<T>> for JoinSet<T> {
    #[track_caller]
    fn extend<I: IntoIterator<Item = JoinHandle<T>>>(&mut self, handles: I) {
        // A loop, for in `for_each` a panic would not name who calls.
        for handle in handles {
            self.insert(handle);
        }
    }
}

/// A set of these tasks: each handle is taken in as by [`insert`](JoinSet::insert).
///
/// ```
/// use watchglass::{JoinSet, block_on, spawn_named};
///
/// block_on(async {
///     let tasks = (1..=3).map(|n| spawn_named(format!("square of {n}"), async move { n * n }));
///     let mut set: JoinSet<u32> = tasks.collect();
///     let mut sum = 0;
///     while let Some(square) = set.join_next().await {
///         sum += square.unwrap();
///     }
///     assert_eq!(sum, 14);
/// });
/// ```
impl<T: 'static> FromIterator<JoinHandle<T>> for JoinSet<T> {
    #[track_caller]
    fn from_iter<I: IntoIterator<Item = JoinHandle<T>>>(handles: I) -> Self {
        let mut set = JoinSet::new();
        set.extend(handles);
        set
    }
}

impl<T> Default for JoinSet<T> {
    fn default() -> Self {
        JoinSet::new()
    }
}

impl<T> Drop for JoinSet<T> {
    fn drop(&mut self) {
        self.abort_all();
    }
}

/// What a panic leaves behind is as whole as before: see [`Executor`](crate::Executor).
impl<T> UnwindSafe for JoinSet<T> {}
impl<T> RefUnwindSafe for JoinSet<T> {}

impl<T> fmt::Debug for JoinSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Asked for first: what is written to may be the user's code.
        let ended = self.ended.ids.borrow().len();
        f.debug_struct("JoinSet")
            .field("tasks", &self.len())
            .field("ended", &ended)
            .finish()
    }
}

impl<T> fmt::Debug for JoinNext<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinNext").field("set", &self.set).finish()
    }
}

impl<T> fmt::Debug for JoinNextWithId<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinNextWithId")
            .field("next", &self.next)
            .finish()
    }
}

impl<T> fmt::Debug for Shutdown<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shutdown")
            .field("next", &self.next)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Executor;

    #[test]
    fn a_set_that_is_dropped_drops_its_tasks_in_the_order_of_their_ids() {
        let executor = Executor::builder().virtual_time().build();
        let dropped = Rc::new(RefCell::new(Vec::new()));
        executor.block_on(async {
            let mut set = JoinSet::new();
            for number in 0..20 {
                let note = OnDrop(dropped.clone(), number);
                set.spawn(async move {
                    let _note = note;
                    std::future::pending::<()>().await;
                });
            }
            crate::yield_now().await;
            drop(set);
            crate::yield_now().await;
        });
        assert_eq!(*dropped.borrow(), (0..20).collect::<Vec<_>>());
    }

    struct OnDrop(Rc<RefCell<Vec<u32>>>, u32);

    impl Drop for OnDrop {
        fn drop(&mut self) {
            self.0.borrow_mut().push(self.1);
        }
    }
}
